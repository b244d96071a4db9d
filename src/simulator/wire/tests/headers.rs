//! What every provider does with headers, targets and bodies, whatever the interaction.

use gpconnect::interaction::InteractionId as Id;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{call, connect, running, send, try_send, with};
use crate::simulator::wire::recorder::sha256;

#[tokio::test]
async fn every_error_is_an_operation_outcome() {
    let running = running().await;
    let read = || call(Id::ReadPatient, "/Patient/1", "");
    let without = |name: &str| {
        let mut request = read();
        request.headers_mut().remove(name);
        request
    };
    let elsewhere = |uri: &str| {
        let mut request = read();
        *request.uri_mut() = uri.parse().unwrap();
        request
    };
    let verb = |verb: &str| {
        let mut request = read();
        *request.method_mut() = verb.parse().unwrap();
        request
    };
    for (name, request, status, code) in [
        ("no trace id", without("ssp-traceid"), 400, "BAD_REQUEST"),
        ("no sender", without("ssp-from"), 400, "BAD_REQUEST"),
        ("no receiver", without("ssp-to"), 400, "BAD_REQUEST"),
        ("no interaction", without("ssp-interactionid"), 400, "BAD_REQUEST"),
        ("no token", without("authorization"), 400, "BAD_REQUEST"),
        ("empty token", with(read(), "authorization", "Bearer "), 400, "BAD_REQUEST"),
        ("basic", with(read(), "authorization", "Basic eA=="), 400, "BAD_REQUEST"),
        ("unknown interaction", with(read(), "ssp-interactionid", "urn:x"), 400, "BAD_REQUEST"),
        (
            "neighbour",
            call(Id::ReadHealthcareService, "/HealthcareService/1", ""),
            501,
            "NOT_IMPLEMENTED",
        ),
        (
            "unknown practice",
            elsewhere("/ZZZ99/STU3/1/gpconnect/Patient/1"),
            404,
            "NO_RECORD_FOUND",
        ),
        ("unknown path", elsewhere("/favicon.ico"), 404, "NO_RECORD_FOUND"),
        ("patch", verb("PATCH"), 400, "BAD_REQUEST"),
        ("delete", verb("DELETE"), 400, "BAD_REQUEST"),
        ("bad accept", with(read(), "accept", "image/png"), 415, "BAD_REQUEST"),
        ("bad fault", with(read(), "x-sim-fault", "nonsense"), 400, "BAD_REQUEST"),
    ] {
        let answer = send(&running, request).await;
        assert_eq!(answer.status, status, "{name}");
        assert_eq!(answer.header("cache-control"), "no-store", "{name}");
        let issue = &answer.json()["issue"][0];
        assert_eq!(issue["details"]["coding"][0]["code"], code, "{name}");
        assert!(issue["diagnostics"].is_string(), "{name}");
    }
}

#[tokio::test]
async fn a_body_arrives_unchanged_and_is_proved_so() {
    let running = running().await;
    let body = "\u{1f600} {\"not\": \"read\"} \r\n";
    let request = call(Id::BookAppointment, "/Appointment", body);
    let answer = send(&running, with(request, "x-sim-echo", "1")).await;
    assert_eq!(answer.status, 422);
    assert_eq!(answer.header("x-sim-body-sha256"), sha256(body.as_bytes()));
    let arrivals = running.recorder().take();
    assert_eq!(arrivals.len(), 1);
    assert_eq!(arrivals[0].body, body.as_bytes());
    assert_eq!(arrivals[0].target, "/A20047/STU3/1/gpconnect/Appointment");
    assert_eq!(arrivals[0].headers["ssp-from"], "200000000359");
    running.recorder().switch(false);
    send(&running, call(Id::ReadMetadata, "/metadata", "")).await;
    assert!(running.recorder().take().is_empty());
    assert_eq!(running.requests(), 2);
}

#[tokio::test]
async fn a_body_over_the_limit_is_413() {
    let running = running().await;
    let body = "x".repeat((1 << 20) + 1);
    let mut connection = connect(&running).await;
    let request = call(Id::BookAppointment, "/Appointment", &body);
    // The connection may end before the client has sent it all; then there is no answer to read.
    if let Ok(answer) = try_send(&mut connection, request).await {
        assert_eq!(answer.status, 413);
    }
    let limit = "x".repeat(1 << 20);
    let answer = send(&running, call(Id::BookAppointment, "/Appointment", &limit)).await;
    assert_eq!(answer.status, 422);
}

#[tokio::test]
async fn answers_are_chunked_on_request() {
    let running = running().await;
    let request = call(Id::ReadMetadata, "/metadata", "");
    let answer = send(&running, with(request, "x-sim-chunked", "1")).await;
    assert_eq!(answer.header("transfer-encoding"), "chunked");
    assert_eq!(answer.json()["version"], "1.2.7");
}

#[tokio::test]
async fn a_client_that_waits_for_100_is_told_to_go_on() {
    let running = running().await;
    let mut stream = TcpStream::connect(running.local_addr()).await.unwrap();
    let head = "POST /A20047/STU3/1/gpconnect/Appointment HTTP/1.1\r\nhost: x\r\n\
                expect: 100-continue\r\ncontent-length: 2\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut word = [0; 21];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue");
    stream.write_all(b"{}").await.unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).await.unwrap();
    assert!(rest.contains("HTTP/1.1 415"), "no Content-Type: {rest}");
}

#[tokio::test]
async fn nonsense_does_not_hurt() {
    let running = running().await;
    for text in [
        "\0\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "GET /../../etc/passwd HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /A20047/STU3/1/gpconnect/%ff%00%zz?%=%&==&_format=%ff HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "GET /_simulator/faults/%2e%2e HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n",
        "POST /x HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\nzz\r\n",
    ] {
        let mut stream = TcpStream::connect(running.local_addr()).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whether there is an answer to nonsense is hyper's to say; the next request gets one.
        stream.read_to_end(&mut answer).await.ok();
    }
    assert_eq!(send(&running, call(Id::ReadMetadata, "/metadata", "")).await.status, 200);
}
