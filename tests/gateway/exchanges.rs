//! What HTTP allows in an exchange passes: formats, compression, chunks, `Expect`, kept connections.

use std::io::Read as _;

use bytes::Bytes;
use flate2::read::GzDecoder;
use gpconnect_gateway::simulator::Arrival;

use crate::harness::client::sha256;
use crate::harness::interactions::{
    AMEND_APPOINTMENT, BOOK_APPOINTMENT, CANCEL_APPOINTMENT, GET_STRUCTURED_RECORD, READ_PATIENT,
    SEARCH_SLOT,
};
use crate::harness::{Answer, Mode, World};
use crate::resources::{
    FREE_SLOTS, NHS_NUMBER, amendment, booking, of_type, record_question, record_question_in_xml,
};

const RECORD: &str = "Patient/$gpc.getstructuredrecord";
const XML: &str = "application/fhir+xml;charset=utf-8";

fn only(mut arrivals: Vec<Arrival>) -> Arrival {
    assert_eq!(arrivals.len(), 1);
    arrivals.remove(0)
}

/// gp-connect 6.
#[tokio::test]
async fn xml_is_asked_for_in_the_header_or_in_the_query() {
    let world = World::start(|_| {}).await;
    for (name, path, accept) in [
        ("header", "Patient/1", "application/fhir+xml"),
        ("query, escaped", "Patient/1?_format=application%2Ffhir%2Bxml", "application/fhir+json"),
        ("query, short", "Patient/1?_format=xml", "application/fhir+json"),
        ("query, media type of old", "Patient/1?_format=text/xml", "application/fhir+json"),
    ] {
        for mode in Mode::BOTH {
            let call = world.call(mode, &READ_PATIENT, path).with("Accept", accept);
            let answer = world.send(call).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, XML.into()), "{name}");
            assert!(answer.text().contains("<Patient xmlns=\"http://hl7.org/fhir\">"), "{name}");
            assert!(only(world.arrivals()).target.ends_with(path), "{name}");
        }
    }
}

#[tokio::test]
async fn a_question_in_xml_is_answered_in_xml() {
    let world = World::start(|_| {}).await;
    let body = record_question_in_xml(NHS_NUMBER);
    for mode in Mode::BOTH {
        let call = world.call(mode, &GET_STRUCTURED_RECORD, RECORD);
        let call = call.without("Accept").with("Content-Type", XML).bytes(body.clone());
        let answer = world.send(call).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, XML.into()));
        assert!(answer.text().contains("<Bundle"));
        assert_eq!(only(world.arrivals()).body, body);
    }
}

/// gp-connect 4.1.
#[tokio::test]
async fn a_compressed_record_stays_compressed() {
    let world = World::start(|_| {}).await;
    for number in [NHS_NUMBER, "9000000025", "9000000033"] {
        let call = world.call(Mode::Transparent, &GET_STRUCTURED_RECORD, RECORD);
        let call = call.json(&record_question(number));
        let plain = world.send(call.clone()).await;
        let call = call.with("Accept-Encoding", "gzip");
        let direct = world.directly(&call, &GET_STRUCTURED_RECORD, RECORD).await;
        let packed = world.send(call).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(only(world.arrivals()).headers["accept-encoding"], "gzip");
        assert_eq!(sha256(&packed.body), sha256(&direct.body));
        let mut unpacked = Vec::new();
        GzDecoder::new(&*packed.body).read_to_end(&mut unpacked).unwrap();
        assert_eq!(sha256(&unpacked), sha256(&plain.body));
    }
}

/// Books and gives back the appointment.
async fn booked(world: &World) -> Answer {
    let slots = world.send(world.call(Mode::Transparent, &SEARCH_SLOT, FREE_SLOTS)).await.json();
    let body = booking(of_type(&slots, "Slot")[0]);
    let call = world.call(Mode::Transparent, &BOOK_APPOINTMENT, "Appointment").json(&body);
    let answer = world.send(call).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    world.arrivals();
    answer
}

/// gp-connect 4.1.
#[tokio::test]
async fn an_answer_may_be_minimal() {
    let world = World::start(|_| {}).await;
    let body = amendment(&booked(&world).await.json(), "Bring the letter");
    let call = world.call(Mode::Transparent, &AMEND_APPOINTMENT, "Appointment/2").json(&body);
    let call = call.with("Prefer", "return=minimal").with("If-Match", "W/\"1\"");
    let answer = world.send(call).await;
    assert_eq!((answer.status, answer.body.len()), (200, 0));
    assert_eq!(answer.header("etag"), "W/\"2\"");
    assert_eq!(only(world.arrivals()).headers["prefer"], "return=minimal");
}

/// gp-connect 4.1.
#[tokio::test]
async fn a_consumer_that_waits_for_leave_to_send_gets_it() {
    let world = World::start(|_| {}).await;
    let body = record_question(NHS_NUMBER).to_string();
    for mode in Mode::BOTH {
        let call = world.call(mode, &GET_STRUCTURED_RECORD, RECORD);
        let call = call.json(&record_question(NHS_NUMBER));
        let call = call.and("Content-Length", &body.len().to_string());
        let call = call.and("Expect", "100-continue").and("Connection", "close");
        let mut raw = world.raw(mode).await;
        raw.write(call.head()).await;
        assert_eq!(raw.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        assert!(world.arrivals().is_empty(), "nothing goes out before the body is here");
        raw.write(&body).await;
        let answer = raw.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer:.300}");
        let arrival = only(world.arrivals());
        assert!(!arrival.headers.contains_key("expect"));
        assert_eq!(arrival.body, body);
    }
}

#[tokio::test]
async fn a_consumer_that_may_not_send_is_told_before_it_does() {
    let world = World::start(|_| {}).await;
    let call = world.call(Mode::Transparent, &BOOK_APPOINTMENT, "Appointment").without("Ssp-To");
    let call = call.json(&booking(&serde_json::json!({"id": "1"})));
    let call = call.and("Content-Length", "2000").and("Expect", "100-continue");
    let mut raw = world.raw(Mode::Transparent).await;
    raw.write(call.head()).await;
    let answer = raw.read_to_end().await;
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    assert!(world.arrivals().is_empty());
}

#[tokio::test]
async fn a_body_in_chunks_arrives_whole() {
    let world = World::start(|_| {}).await;
    let body = Bytes::from(record_question(NHS_NUMBER).to_string());
    for size in [1, 7, 64, body.len() - 1] {
        let chunks: Vec<Bytes> = body.chunks(size).map(Bytes::copy_from_slice).collect();
        for mode in Mode::BOTH {
            let call = world.call(mode, &GET_STRUCTURED_RECORD, RECORD);
            let call = call.with("Content-Type", "application/fhir+json").chunks(chunks.clone());
            let answer = world.send(call).await;
            assert_eq!(answer.status, 200, "{size}: {answer:?}");
            let arrival = only(world.arrivals());
            assert_eq!(arrival.body, body, "{size}");
            let framings = ["content-length", "transfer-encoding"];
            let framings = framings.iter().filter(|name| arrival.headers.contains_key(**name));
            assert_eq!(framings.count(), 1, "{size}");
        }
    }
}

/// design 3, "Refuse, don't repair": nobody's idea of extensions and trailers decides what arrives.
#[tokio::test]
async fn chunks_with_extensions_or_trailers_are_not_carried() {
    let world = World::start(|_| {}).await;
    let body = record_question(NHS_NUMBER).to_string();
    let (first, rest) = body.split_at(10);
    let rest = format!("{:x}\r\n{rest}\r\n0\r\n", rest.len());
    for (name, wire) in [
        ("an extension", format!("a;why=\"not\"\r\n{first}\r\n{rest}\r\n")),
        ("zeros in front", format!("00a\r\n{first}\r\n{rest}\r\n")),
        ("a trailer", format!("a\r\n{first}\r\n{rest}Ssp-From: 1\r\n\r\n")),
    ] {
        let call = world.call(Mode::Transparent, &GET_STRUCTURED_RECORD, RECORD);
        let call = call.json(&record_question(NHS_NUMBER)).and("Transfer-Encoding", "chunked");
        let mut raw = world.raw(Mode::Transparent).await;
        raw.write(call.head() + &wire).await;
        let answer = raw.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{name}: {answer:.300}");
        assert!(answer.contains(name), "{name}: {answer:.900}");
        assert!(world.arrivals().is_empty(), "{name}");
    }
}

/// gp-connect 8.
#[tokio::test]
async fn connections_are_kept_on_both_legs() {
    let world = World::start(|_| {}).await;
    let mut kept = world.connect(Mode::Transparent).await;
    let body = record_question(NHS_NUMBER);
    for round in 0..50 {
        let call = match round % 4 {
            0 => world.call(Mode::Transparent, &READ_PATIENT, "Patient/1"),
            1 => world.call(Mode::Transparent, &GET_STRUCTURED_RECORD, RECORD).json(&body),
            // An error of the provider and a refusal of the gateway end no connection either.
            2 => world.call(Mode::Transparent, &READ_PATIENT, "Patient/99999999"),
            _ => world.call(Mode::Transparent, &CANCEL_APPOINTMENT, "Patient/1").json(&body),
        };
        let answer = kept.send(call).await;
        assert_eq!(answer.status, [200, 200, 404, 400][round % 4], "{round}: {answer:?}");
    }
    let connections = world.simulator.connections();
    assert!(connections <= 2, "{connections} connections for requests one after another");
    let metrics = world.metrics().await;
    let open = "gpconnect_gateway_connections{listener=\"transparent\"} 1";
    assert!(metrics.contains(open), "{metrics}");
}

/// design 3, "Refuse, don't repair": what comes behind a request before its answer may be the rest of
/// one that somebody else read in another way. It is not carried, and it disturbs nothing.
#[tokio::test]
async fn a_request_sent_before_the_last_answer_is_not_carried() {
    let world = World::start(|_| {}).await;
    let read = world.call(Mode::Transparent, &READ_PATIENT, "Patient/1").head();
    let ask = world.call(Mode::Transparent, &GET_STRUCTURED_RECORD, RECORD);
    let body = record_question(NHS_NUMBER).to_string();
    let ask = ask.json(&record_question(NHS_NUMBER));
    let ask = ask.and("Content-Length", &body.len().to_string()).head() + &body;
    for (name, requests) in [
        ("two reads", [&read, &read].map(String::as_str).concat()),
        ("a body, then a read", [&ask, &read].map(String::as_str).concat()),
        ("a read, then a body", [&read, &ask].map(String::as_str).concat()),
    ] {
        let mut raw = world.raw(Mode::Transparent).await;
        raw.write(requests).await;
        let answers = raw.read_to_end().await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), 1, "{name}: {answers}");
        assert_eq!(answers.matches("HTTP/1.1").count(), 1, "{name}: {answers}");
        assert_eq!(world.arrivals().len(), 1, "{name}");
    }
}
