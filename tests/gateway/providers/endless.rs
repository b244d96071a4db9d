//! Answers without end: cut when their time is over.

use std::time::Duration;

use super::{
    begun_in_time, is_logged, is_well_again, line, others_are_well, query, scripted, simulated,
};
use crate::harness::Mode;
use crate::scripted::Step;
use crate::wire::{self, Cut, Wire};

/// The last resort, and a stall limit that it does not wait for. Good answers meet it as well.
const SHORT: &str = "[timeouts]\nexchange = \"4s\"\nquery = \"3s\"\ncommand = \"3s\"\n";

#[tokio::test]
async fn a_body_without_end() {
    let (world, provider) = scripted(SHORT).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n";
    let chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n");
    let chunk = |length: usize| format!("{length:x}\r\n{}\r\n", "a".repeat(length)).into_bytes();
    let quick = Duration::ZERO;
    let slow = Duration::from_millis(50);
    for (name, head, again, every) in [
        ("in chunks, fast", chunked.clone(), chunk(4_096), quick),
        ("in chunks, slowly", chunked, chunk(10), slow),
        (
            "by its length, slowly",
            format!("{head}Content-Length: 1000000\r\n\r\n"),
            b"a".to_vec(),
            slow,
        ),
        (
            "until it closes, slowly",
            format!("{head}Connection: close\r\n\r\n"),
            b"a".to_vec(),
            slow,
        ),
    ] {
        let steps = [Step::send(head), Step::Forever(again, every)];
        let beside = async || others_are_well(&world, name).await;
        let (call, reply, cut, _) =
            begun_in_time(&world, &provider, &steps, || query(&world), beside).await;
        assert_eq!((reply.status, cut), (200, Some(Cut::InBody)), "{name}");
        is_logged(&world, &call, &["answer_cut", "cut"], name).await;
        is_well_again(&world, name).await;
    }
}

/// The same from the simulator's own list of faults.
#[tokio::test]
async fn a_simulated_body_without_end() {
    let (world, _provider) = scripted(SHORT).await;
    for fault in ["endless", "drip=1/100ms"] {
        let call = simulated(&world, fault);
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&call)).await;
        let (reply, cut) = wire.read_any("GET").await;
        assert_eq!((reply.status, cut), (200, Some(Cut::InBody)), "{fault}");
        is_logged(&world, &call, &["answer_cut", "cut"], fault).await;
        others_are_well(&world, fault).await;
    }
}

/// A caller that stops reading is cut off when it has stopped for too long.
#[tokio::test]
async fn a_caller_that_does_not_read() {
    let (world, provider) = scripted("[timeouts]\nconsumer_stall = \"500ms\"\n").await;
    let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunk = format!("{:x}\r\n{}\r\n", 65_536, "a".repeat(65_536));
    provider.will([Step::send(head), Step::Forever(chunk.into_bytes(), Duration::ZERO)]);
    let call = query(&world);
    let mut wire = Wire::open(world.address(Mode::Transparent)).await;
    wire.write(wire::bytes(&call)).await;
    let line = line(&world, &call, "cut").await;
    assert_eq!(line["result"], "failed", "{line}");
    others_are_well(&world, "beside it").await;
    is_well_again(&world, "after it").await;
}
