//! Bodies that are too long, too slow, or not there, and heads of that kind.

use std::io::ErrorKind;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::office::{ask, call, fault, order, socket};
use super::{calls, journal};
use crate::harness::{Call, DEADLINE, World};

/// Writes bytes and reads all that is answered.
async fn write(world: &World, text: &str) -> String {
    let mut stream = UnixStream::connect(socket(world)).await.unwrap();
    // An answer may come before all is sent, and what is left unread then resets the connection behind it.
    stream.write_all(text.as_bytes()).await.unwrap_or_default();
    let mut answer = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut answer)).await.expect("an end in time");
    let is_reset = read.is_err_and(|fault| fault.kind() == ErrorKind::ConnectionReset);
    assert!(!is_reset || !answer.is_empty(), "an answer before the end");
    String::from_utf8(answer).unwrap()
}

/// What a caller sends is bounded in length and in time.
#[tokio::test]
async fn bodies_have_bounds() {
    let mut world = World::start(|_| {}).await;
    let long = json!({"reason": "x".repeat(200_000)}).to_string();
    let reload = || order("POST", "/v1/reload", &json!({}));
    let (front, rest) = long.split_at(100_000);
    for (name, body) in [
        ("with its length", vec![long.clone().into()]),
        ("in chunks", vec![front.to_owned().into(), rest.to_owned().into()]),
    ] {
        let answer = ask(&world, Call { body, ..reload() }).await;
        assert_eq!((answer.status, &*fault(&answer)), (413, "body_too_long"), "{name}");
    }
    let answer = ask(&world, Call { body: vec!["x".into()], ..call("GET", "/v1/status") }).await;
    assert_eq!((answer.status, &*fault(&answer)), (400, "body_unexpected"));
    let head = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n";
    let begun = format!("{head}Content-Length: 20\r\n\r\n{{");
    let longer = format!("{head}X: {}\r\n\r\n", "x".repeat(100_000));
    let (slow_body, slow_head, long_head) =
        tokio::join!(write(&world, &begun), write(&world, head), write(&world, &longer),);
    assert!(
        slow_body.starts_with("HTTP/1.1 408") && slow_body.contains("body_timeout"),
        "{slow_body}"
    );
    assert!(slow_head.is_empty() || slow_head.starts_with("HTTP/1.1 408"), "{slow_head}");
    assert!(long_head.starts_with("HTTP/1.1 431"), "{long_head}");
    assert_eq!(ask(&world, call("GET", "/v1/status")).await.status, 200);
    let journal = journal(&mut world).await;
    assert_eq!(journal.of("reload").count(), 0);
    let told: Vec<_> = calls(&journal).iter().map(|told| told[3].clone()).collect();
    assert_eq!(
        told,
        [
            json!("body_too_long"),
            json!("body_too_long"),
            json!("body_unexpected"),
            json!("body_timeout"),
            json!(null)
        ]
    );
}
