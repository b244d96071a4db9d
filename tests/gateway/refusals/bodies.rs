//! Request bodies: too long, too slow, broken, and those that look like requests.

use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

use super::check::{self, all_are_refused};
use super::region::{self, NEIGHBOUR, PATIENT};
use super::{Case, Outcome, call, contract};
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Wire};

const LIMIT: usize = 65_536;

/// A good request with a body.
fn book(world: &World) -> Call {
    call(world, &all::BOOK_APPOINTMENT, "Appointment").json(&json!({"resourceType": "Appointment"}))
}

async fn open(world: &World) -> Wire {
    Wire::open(world.address(Mode::Transparent)).await
}

/// gp-connect 6.
#[tokio::test]
async fn bodies_over_the_limit() {
    let world = region::start("").await;
    let chunk = Bytes::from(vec![b' '; 4_096]);
    let chunks = |count: usize| book(&world).chunks(vec![chunk.clone(); count]);
    let mut over = vec![chunk.clone(); LIMIT / chunk.len()];
    over.push(Bytes::from_static(b" "));
    let word = "body_too_long";
    let cases = vec![
        Case::of("one byte by its length", book(&world).bytes(vec![b' '; LIMIT + 1]), word)
            .says("65536 bytes")
            .closes(),
        Case::of("a megabyte by its length", book(&world).bytes(vec![b' '; 1 << 20]), word)
            .closes(),
        Case::of("a length alone", book(&world).with("Content-Length", "70000"), word).closes(),
        Case::of("one byte by chunks", book(&world).chunks(over), word)
            .says("65536 bytes")
            .closes(),
        Case::of("a megabyte by chunks", chunks(256), word).closes(),
    ];
    all_are_refused(&world, cases).await;
}

/// The answer must not be lost to the reset that unread bytes cause.
#[tokio::test]
async fn a_refusal_arrives_although_the_body_still_comes() {
    let world = region::start("").await;
    let chunk = Bytes::from(vec![b' '; 16_384]);
    let refused = book(&world).with("Ssp-From", NEIGHBOUR);
    for (name, call, status) in [
        ("too long by its length", book(&world).bytes(vec![b' '; 2 << 20]), 413),
        ("too long by chunks", book(&world).chunks(vec![chunk.clone(); 128]), 413),
        ("refused for its sender", refused.clone().bytes(vec![b' '; LIMIT]), 403),
        ("refused for its sender, by chunks", refused.chunks(vec![chunk; 128]), 403),
    ] {
        for turn in 0..10 {
            let mut wire = open(&world).await;
            wire.write(wire::bytes(&call)).await;
            let reply = wire.read("POST").await;
            assert_eq!(reply.status, status, "{name}, {turn}: {reply:?}");
        }
    }
    assert_eq!(world.simulator.requests(), 0);
}

/// gp-connect 6.
#[tokio::test]
async fn a_body_at_the_limit_passes_whole() {
    let world = region::start("").await;
    let mut body = json!({"resourceType": "Appointment"}).to_string();
    body.push_str(&" ".repeat(LIMIT - body.len()));
    let (first, second) = body.split_at(1_000);
    let chunks = vec![first.to_owned().into(), second.to_owned().into()];
    for call in [book(&world).bytes(body.clone()), book(&world).chunks(chunks)] {
        let reply = open(&world).await.exchange(&call).await;
        // What the practice makes of an empty appointment is its own affair.
        assert!(reply.status < 500, "{reply:?}");
        assert_eq!(world.arrivals()[0].body, body);
    }
}

#[tokio::test]
async fn bodies_that_are_broken() {
    let world = region::start("").await;
    let head = |call: &Call| {
        let call = Call { body: Vec::new(), ..call.clone() };
        String::from_utf8(wire::head(&call)).unwrap()
    };
    let mut cases = Vec::new();
    for (name, body) in [
        ("no length", "x\r\n{}\r\n0\r\n\r\n"),
        ("a signed length", "+2\r\n{}\r\n0\r\n\r\n"),
        ("a negative length", "-2\r\n{}\r\n0\r\n\r\n"),
        ("a length with 0x", "0x2\r\n{}\r\n0\r\n\r\n"),
        ("a length beyond numbers", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ("a longer chunk than announced", "1\r\n{}\r\n0\r\n\r\n"),
        ("no end of the chunk", "2\r\n{}0\r\n\r\n"),
    ] {
        let text = format!("{}Transfer-Encoding: chunked\r\n\r\n{body}", head(&book(&world)));
        cases.push(Case::of(name, book(&world), "body_broken").closes().raw(text));
    }
    all_are_refused(&world, cases).await;
}

/// Nothing of a body that its sender gave up reaches the practice.
#[tokio::test]
async fn a_body_that_breaks_off() {
    let world = region::start("").await;
    let whole = String::from_utf8(wire::bytes(&book(&world))).unwrap();
    for (name, text) in [
        ("by its length", whole.replace("Content-Length: 30", "Content-Length: 31")),
        (
            "in a chunk",
            whole.replace("Content-Length: 30\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1f\r\n"),
        ),
        (
            "behind a chunk",
            whole.replace("Content-Length: 30\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n1e\r\n")
                + "\r\n",
        ),
    ] {
        assert_ne!(text, whole, "{name}");
        let mut wire = open(&world).await;
        wire.write(text).await;
        wire.finish().await;
        let (reply, _) = wire.read_any("POST").await;
        // Its sender may be gone; one that still reads is told.
        assert!(matches!(reply.status, 0 | 400), "{name}: {reply:?}");
        wire.rest().await;
    }
    assert_eq!(world.simulator.requests(), 0);
}

#[tokio::test]
async fn a_dripped_body_is_cut() {
    let world = region::start("[timeouts]\nbody = \"400ms\"\n").await;
    let length = "Content-Length: 30\r\n\r\n";
    let whole = String::from_utf8(wire::bytes(&book(&world))).unwrap();
    let longer = whole.replace(length, "Content-Length: 5000\r\n\r\n");
    let chunked = whole.replace(length, "Transfer-Encoding: chunked\r\n\r\n5000\r\n");
    for (name, text) in [("by its length", longer), ("in a chunk", chunked)] {
        assert_ne!(text, whole);
        let mut wire = open(&world).await;
        wire.write(&text).await;
        wire.drip(&[b' '; 1_000], Duration::from_millis(50)).await;
        let reply = wire.read("POST").await;
        let outcome = Outcome::of(&reply, "json");
        assert_eq!(reply.status, 408, "{name}: {reply:?}");
        check::tells(&outcome, &contract::of("body_timeout"), "not complete", name);
        assert_eq!(reply.header("connection").to_ascii_lowercase(), "close", "{name}");
        assert_eq!(wire.rest().await, b"", "{name}");
    }
    assert_eq!(world.simulator.requests(), 0);
}

/// The body of a refused request that reads like a request is not taken for one.
#[tokio::test]
async fn no_body_is_read_as_a_request() {
    let world = region::start("[timeouts]\nbody = \"400ms\"\n").await;
    let hidden = wire::bytes(&check::next(&world));
    let refused = book(&world).with("Ssp-From", NEIGHBOUR);
    let half = hidden.len() / 2;
    let chunks = vec![Bytes::from(hidden[..half].to_vec()), Bytes::from(hidden[half..].to_vec())];
    let mut long = vec![b' '; LIMIT];
    long.extend(&hidden);
    let padding = Bytes::from(vec![b' '; LIMIT]);
    let tail = vec![padding, Bytes::from(hidden.clone())];
    for (name, call) in [
        ("by its length", refused.clone().bytes(hidden.clone())),
        ("by chunks", refused.clone().chunks(chunks)),
        (
            "of a verb that is not carried",
            Call { verb: "PATCH".into(), ..book(&world) }.bytes(hidden.clone()),
        ),
        (
            "of a path that is none",
            Call { target: "/".into(), ..book(&world) }.bytes(hidden.clone()),
        ),
        ("of a GET", Call { verb: "GET".into(), ..refused.clone() }.bytes(hidden.clone())),
        ("too long by its length", book(&world).bytes(long.clone())),
        ("too long by chunks", book(&world).chunks(tail)),
        (
            "expecting to be asked for",
            refused.clone().and("Expect", "100-continue").bytes(hidden.clone()),
        ),
        ("encoded", book(&world).with("Content-Encoding", "gzip").bytes(hidden.clone())),
        ("of a malformed head", book(&world).and("Ssp_From", "1").bytes(hidden.clone())),
    ] {
        let mut wire = open(&world).await;
        let first = wire.exchange(&call).await;
        assert!(first.status >= 400, "{name}: {first:?}");
        // A good request behind it is answered as itself, or not at all.
        let good = check::next(&world);
        wire.write(wire::bytes(&good)).await;
        let (reply, _) = wire.read_any("GET").await;
        if reply.status != 0 {
            assert_eq!(reply.status, 200, "{name}: {reply:?}");
            assert_eq!(reply.header("ssp-traceid"), good.header("Ssp-TraceID").unwrap(), "{name}");
        }
        let arrived = world.arrivals();
        assert!(arrived.len() <= 1, "{name}: {} requests arrived", arrived.len());
        assert_eq!(arrived.len(), usize::from(reply.status != 0), "{name}");
    }
}

/// A caller that waits to be asked for its body is told at once, and its next request is not
/// taken for that body.
#[tokio::test]
async fn a_refused_expectation_costs_nobody_time() {
    let world = region::start("[timeouts]\nbody = \"5m\"\n").await;
    let refused = book(&world).with("Ssp-From", NEIGHBOUR).and("Expect", "100-continue");
    let mut wire = open(&world).await;
    let head =
        format!("{}Content-Length: 30\r\n\r\n", String::from_utf8(wire::head(&refused)).unwrap());
    wire.write(head).await;
    let reply = wire.read("POST").await;
    assert_eq!(reply.status, 403, "{reply:?}");
    if reply.header("connection").eq_ignore_ascii_case("close") {
        return;
    }
    let good = check::next(&world);
    let reply = wire.exchange(&good).await;
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Two requests in one write: the second is answered as itself or not at all.
#[tokio::test]
async fn a_request_that_comes_early_is_not_mixed_up() {
    let world = region::start("").await;
    for (name, first, status) in [
        ("behind a good one", check::next(&world), 200),
        ("behind a refused one", check::next(&world).with("Ssp-From", NEIGHBOUR), 403),
        ("behind one with a body", book(&world).with("Ssp-From", NEIGHBOUR), 403),
    ] {
        let second = check::next(&world);
        let mut wire = open(&world).await;
        wire.write([wire::bytes(&first), wire::bytes(&second)].concat()).await;
        let reply = wire.read(&first.verb).await;
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        let (reply, _) = wire.read_any("GET").await;
        if reply.status != 0 {
            assert_eq!(
                reply.header("ssp-traceid"),
                second.header("Ssp-TraceID").unwrap(),
                "{name}"
            );
        }
        let expected = usize::from(status == 200) + usize::from(reply.status != 0);
        assert_eq!(world.arrivals().len(), expected, "{name}");
    }
}

/// The practice may have acted on it already, so the caller has to hear of that.
#[tokio::test]
async fn more_bytes_do_not_end_a_request_under_way() {
    let provider = Scripted::start().await;
    let upstream = provider.address();
    let world = World::start(|plan| plan.upstream = Some(upstream)).await;
    let last = check::next(&world).with("Connection", "close");
    let mut seen = 0;
    for (name, first, more) in [
        ("a request behind a read", check::next(&world), wire::bytes(&last)),
        ("a line behind a body", book(&world), b"\r\n".to_vec()),
    ] {
        provider.will([Step::Wait, Step::Good]);
        let mut wire = open(&world).await;
        wire.write(wire::bytes(&first)).await;
        seen += 1;
        provider.has_seen(seen).await;
        wire.write(more).await;
        provider.go_on();
        let reply = wire.read(&first.verb).await;
        assert_eq!(reply.status, 200, "{name}: {reply:?}");
        // A busy gateway may meet them only when its answer is written: then they stand for
        // themselves, and are carried or refused.
        let rest = wire.rest().await;
        let carried = usize::from(rest.starts_with(b"HTTP/1.1 200 "));
        let refused = rest.starts_with(b"HTTP/1.1 400 ");
        assert!(rest.is_empty() || refused || carried == 1, "{name}: {}", rest.escape_ascii());
        assert_eq!(provider.arrived().len(), 1 + carried, "{name}");
        seen += carried;
    }
}

/// gp-connect 4.1: `Expect` occurs with .NET clients, which keep their connections.
#[tokio::test]
async fn an_expectation_keeps_its_connection() {
    let world = region::start("").await;
    let expecting = book(&world).and("Expect", "100-continue").and("Content-Length", "30");
    let head = String::from_utf8(wire::head(&expecting)).unwrap() + "\r\n";
    let mut wire = open(&world).await;
    for turn in 0..3 {
        wire.write(&head).await;
        assert_eq!(wire.interim().await, 100, "{turn}");
        wire.write(expecting.body.concat()).await;
        let reply = wire.read("POST").await;
        assert_eq!(reply.header("connection"), "keep-alive", "{turn}: {reply:?}");
        assert_eq!(world.arrivals().len(), 1, "{turn}");
    }
}

/// An answer of ours to a body that names the patient does not name it.
#[tokio::test]
async fn the_body_is_not_repeated() {
    let world = region::start("").await;
    let call = book(&world).with("Ssp-From", NEIGHBOUR).bytes(format!("{{\"x\":\"{PATIENT}\"}}"));
    let reply = open(&world).await.exchange(&call).await;
    assert_eq!(reply.status, 403);
    assert!(!reply.text().contains(PATIENT), "{reply:?}");
}
