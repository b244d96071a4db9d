//! Every fault as a client meets it.

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gpconnect::interaction::InteractionId as Id;
use http::Request;
use http_body_util::{BodyExt, Full};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{call, connect, running, send, try_send, with};
use crate::simulator::wire::{Running, Settings, start};
use crate::simulator::{Estate, Fault};

fn faulty(fault: &str) -> Request<Full<Bytes>> {
    with(call(Id::ReadMetadata, "/metadata", ""), "x-sim-fault", fault)
}

/// Sends the request by hand and reads until the end: what came, and how it ended.
async fn raw(running: &Running, fault: &str) -> (String, Option<ErrorKind>) {
    let mut stream = TcpStream::connect(running.local_addr()).await.unwrap();
    let request = faulty(fault);
    let mut text = format!("GET {} HTTP/1.1\r\n", request.uri());
    for (name, value) in request.headers() {
        text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
    }
    stream.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let end = loop {
        let mut buffer = [0; 4_096];
        match stream.read(&mut buffer).await {
            Ok(0) => break None,
            Ok(length) => answer.extend_from_slice(&buffer[..length]),
            Err(error) => break Some(error.kind()),
        }
    };
    (String::from_utf8(answer).unwrap(), end)
}

fn body_length(answer: &str) -> Option<usize> {
    answer.split_once("\r\n\r\n").map(|(_, body)| body.len())
}

fn announced(answer: &str) -> Option<usize> {
    answer.split("\r\n").find_map(|line| line.strip_prefix("content-length: ")?.parse().ok())
}

#[tokio::test]
async fn answers_in_place_of_the_practice() {
    let running = running().await;
    for (fault, status, content_type, body) in [
        ("status=503", 503, "text/html; charset=utf-8", "Service Unavailable"),
        ("status=502;body=empty", 502, "", ""),
        ("outcome=ACCESS_DENIED", 403, "application/fhir+json;charset=utf-8", "ACCESS_DENIED"),
        ("content-type=text/plain", 200, "text/plain", "CapabilityStatement"),
    ] {
        let answer = send(&running, faulty(fault)).await;
        assert_eq!(answer.status, status, "{fault}");
        assert_eq!(answer.header("content-type"), content_type, "{fault}");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        assert!(text.contains(body) && text.is_empty() == body.is_empty(), "{fault}: {text}");
    }
}

#[tokio::test]
async fn connections_are_reset_where_ordered() {
    let running = running().await;
    let reset = Some(ErrorKind::ConnectionReset);
    let (answer, end) = raw(&running, "reset=before-headers").await;
    assert_eq!((answer.as_str(), end), ("", reset));
    let (answer, end) = raw(&running, "reset=after-headers").await;
    assert_eq!((body_length(&answer), end), (Some(0), reset));
    assert!(announced(&answer) > Some(0));
    let (answer, end) = raw(&running, "reset=mid-body").await;
    assert_eq!((body_length(&answer), end), (announced(&answer).map(|whole| whole / 2), reset));
}

#[tokio::test]
async fn a_truncated_body_ends_in_an_orderly_close() {
    let running = running().await;
    for (fault, expected) in
        [("truncate", None), ("truncate=100", Some(100)), ("truncate=0", Some(0))]
    {
        let (answer, end) = raw(&running, fault).await;
        let whole = announced(&answer).unwrap();
        assert_eq!(end, None, "{fault}");
        assert_eq!(body_length(&answer), Some(expected.unwrap_or(whole / 2)), "{fault}");
    }
    let (answer, _) = raw(&running, "truncate=999999").await;
    assert!(announced(&answer).unwrap() > body_length(&answer).unwrap());
}

#[tokio::test]
async fn an_endless_body_goes_on_and_a_stop_ends_it() {
    let mut settings = Settings::new(Arc::new(Estate::generate(1, 1)));
    settings.drain = Duration::from_millis(50);
    let running = start(settings, TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap();
    let mut connection = connect(&running).await;
    let mut body = connection.send_request(faulty("endless")).await.unwrap().into_body();
    let mut read = 0;
    while read < 2_000_000 {
        read += body.frame().await.unwrap().unwrap().into_data().unwrap().len();
    }
    running.stop().await;
    let end = async { while body.frame().await.is_some_and(|frame| frame.is_ok()) {} };
    tokio::time::timeout(Duration::from_secs(60), end).await.unwrap();
}

#[tokio::test]
async fn a_dripping_body_takes_its_time() {
    let running = running().await;
    let start = Instant::now();
    let answer = send(&running, faulty("drip=1000/20ms")).await;
    let pauses = u32::try_from((answer.body.len() - 1) / 1_000).unwrap();
    assert!(pauses > 0 && start.elapsed() >= Duration::from_millis(20) * pauses);
    assert_eq!(answer.json()["version"], "1.2.7");
}

#[tokio::test]
async fn a_latency_comes_before_the_answer() {
    let running = running().await;
    for fault in ["latency=50ms", "latency=50ms..60ms", "latency=lognormal:50ms:0"] {
        let start = Instant::now();
        assert_eq!(send(&running, faulty(fault)).await.status, 200, "{fault}");
        assert!(start.elapsed() >= Duration::from_millis(50), "{fault}");
    }
}

#[tokio::test]
async fn a_practices_faults_leave_its_neighbours_alone() {
    let running = running().await;
    let first = running.estate().practices()[0].ods_code;
    let second = running.estate().practices()[1].ods_code;
    running.faults().order(Some(first), vec!["status=503;count=1".parse::<Fault>().unwrap()]);
    let at = |code: &str| {
        let mut request = call(Id::ReadMetadata, "/metadata", "");
        *request.uri_mut() = format!("/{code}/STU3/1/gpconnect/metadata").parse().unwrap();
        request
    };
    for (name, code, status) in
        [("other", second, 200), ("faulty", first, 503), ("spent", first, 200)]
    {
        assert_eq!(send(&running, at(code.as_str())).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn faults_are_ordered_over_http() {
    let running = running().await;
    let control = |method: &str, body: &str| {
        Request::builder()
            .method(method)
            .uri("/_simulator/faults/A20047")
            .header("host", "x")
            .body(Full::new(Bytes::from(body.to_owned())))
            .unwrap()
    };
    let read = || call(Id::ReadMetadata, "/metadata", "");
    assert_eq!(send(&running, control("PUT", "{\"status\": 503}")).await.status, 200);
    assert_eq!(send(&running, read()).await.status, 503);
    assert_eq!(send(&running, control("GET", "")).await.json()[0]["status"], 503);
    assert_eq!(send(&running, control("DELETE", "")).await.json(), serde_json::json!([]));
    assert_eq!(send(&running, read()).await.status, 200);
}

#[tokio::test]
async fn the_refusing_address_refuses() {
    let running = running().await;
    assert_ne!(running.refused_addr(), running.local_addr());
    let refused = TcpStream::connect(running.refused_addr()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn odd_orders_do_not_hurt() {
    let running = running().await;
    for (fault, method) in [
        ("truncate=18446744073709551615", "GET"),
        ("truncate=5", "HEAD"),
        ("status=204", "GET"),
        ("status=304", "GET"),
        ("drip=18446744073709551615/0s", "GET"),
        ("status=599;count=0", "GET"),
        ("latency=0s;probability=0", "GET"),
    ] {
        let mut request = faulty(fault);
        *request.method_mut() = method.parse().unwrap();
        // What a client makes of these is its own affair.
        try_send(&mut connect(&running).await, request).await.ok();
        let next = call(Id::ReadMetadata, "/metadata", "");
        assert_eq!(send(&running, next).await.status, 200, "{fault}");
    }
}

#[tokio::test]
async fn two_simulators_run_side_by_side_and_stop() {
    let (one, two) = (running().await, running().await);
    assert_ne!(one.local_addr(), two.local_addr());
    let address = one.local_addr();
    one.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
    assert_eq!(send(&two, call(Id::ReadMetadata, "/metadata", "")).await.status, 200);
    two.stop().await;
}
