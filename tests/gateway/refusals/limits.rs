//! Heads that are too much, or too slow.

use std::time::Duration;

use super::check::{all_are_refused, tells};
use super::heads::with_line;
use super::region::{self, PATIENT};
use super::{Case, Outcome, base, contract};
use crate::exposition::Exposition;
use crate::harness::{Call, Mode, World};
use crate::scripted::Scripted;
use crate::wire::{self, Cut, Wire};

#[tokio::test]
async fn heads_that_are_too_much() {
    let settings = "[limits]\nhead_bytes = 6000\nheaders = 20\ntarget_bytes = 1000\n";
    let world = region::start(settings).await;
    let many: String = (0..20).map(|number| format!("X-{number}: 1\r\n")).collect();
    let long = "a".repeat(6_000);
    let target = format!("{}&x={}", base(&world).target, "a".repeat(1_000));
    let path = format!("/A20047/STU3/1/gpconnect/fhir/Patient/{}", "1".repeat(1_000));
    let to = |target: &str| Call { target: target.to_owned(), ..base(&world) };
    let cases = vec![
        Case::of("many headers", base(&world), "too_many_headers")
            .says("20 fields")
            .closes()
            .raw(with_line(&world, &format!("{many}\r\n"))),
        Case::of("a long header", base(&world).and("X-Long", &long), "head_too_long")
            .says("6000 bytes")
            .closes(),
        Case::of(
            "a long token",
            base(&world).with("Authorization", &format!("Bearer {long}")),
            "head_too_long",
        )
        .closes(),
        Case::of("a long name", base(&world).and(&format!("X-{long}"), "1"), "head_too_long")
            .closes(),
        Case::of("a long query", to(&target), "target_too_long").says("1000 bytes").closes(),
        Case::of("a long path", to(&path), "target_too_long").closes(),
        Case::of("a target without end", base(&world), "target_too_long")
            .closes()
            .raw(format!("GET /{}", "a".repeat(20_000))),
    ];
    all_are_refused(&world, cases).await;
}

/// What fits exactly is not refused.
#[tokio::test]
async fn heads_at_their_limits() {
    let world =
        region::start("[limits]\nhead_bytes = 6000\nheaders = 20\ntarget_bytes = 1000\n").await;
    let call = base(&world);
    let free = 20 - call.headers.len();
    let many = (0..free).fold(call.clone(), |call, number| call.and(&format!("X-{number}"), "1"));
    let room = 6_000 - wire::bytes(&call).len() - "X-Long: \r\n".len();
    let long = call.clone().and("X-Long", &"a".repeat(room));
    let mut far = call.clone();
    far.target += &format!("&x={}", "a".repeat(1_000 - far.target.len() - 3));
    for (name, call) in
        [("as many headers", many), ("as long a head", long), ("as long a target", far)]
    {
        assert_eq!(world.send(call).await.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_dripped_head_is_cut() {
    let world = region::start("[timeouts]\nhead = \"400ms\"\nidle = \"5s\"\n").await;
    let whole = wire::bytes(&base(&world));
    for (name, sent) in
        [("one byte", 1), ("half a line", 20), ("all but the last byte", whole.len() - 1)]
    {
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(&whole[..sent]).await;
        // Each byte is progress, and none of it counts.
        wire.drip(&[b'a'; 1_000], Duration::from_millis(50)).await;
        let reply = wire.read("GET").await;
        assert_eq!(reply.status, 408, "{name}: {reply:?}");
        let outcome = Outcome::of(&reply, "json");
        tells(&outcome, &contract::of("head_timeout"), "not complete", name);
        assert_eq!(reply.header("cache-control"), "no-store", "{name}");
        assert!(!reply.text().contains(PATIENT), "{name}");
        assert_eq!(wire.rest().await, b"", "{name}");
    }
    assert_eq!(world.simulator.requests(), 0);
    let sums = Exposition::of(&world).await;
    assert_eq!(sums.sum("requests_total", &[("fault", "head_timeout")]), 3.0);
}

/// design 3: an idle connection is closed in its time, and without a word; so is one whose caller
/// asked for it.
#[tokio::test]
async fn a_connection_that_waits_is_closed() {
    let world = region::start("[timeouts]\nidle = \"300ms\"\n").await;
    let mut fresh = Wire::open(world.address(Mode::Transparent)).await;
    // On a slow machine one may wait too long before its first request.
    let mut turns = 0..20;
    let mut kept = loop {
        turns.next().expect("a request in time");
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&base(&world))).await;
        let (reply, cut) = wire.read_any("GET").await;
        if (reply.status, cut) == (0, Some(Cut::InHead)) {
            continue;
        }
        assert_eq!((reply.status, reply.header("connection")), (200, "keep-alive"), "{reply:?}");
        break wire;
    };
    for (name, wire) in [("never used", &mut fresh), ("used once", &mut kept)] {
        assert_eq!(wire.rest().await, b"", "{name}");
    }
    let world = region::start("[timeouts]\nidle = \"1h\"\n").await;
    let mut closing = Wire::open(world.address(Mode::Transparent)).await;
    let reply = closing.exchange(&base(&world).and("Connection", "close")).await;
    assert_eq!((reply.status, reply.header("connection")), (200, "close"), "{reply:?}");
    assert_eq!(closing.rest().await, b"");
}

/// As far as the configuration lets them be raised.
const WIDEST: &str = "[limits]\nhead_bytes = 1048575\nheaders = 256\ntarget_bytes = 65534\n";

/// What the engine's own parser does not take is never let to it.
#[tokio::test]
async fn the_widest_limits_bring_no_page_of_the_engine() {
    let provider = Scripted::start().await;
    let upstream = provider.address();
    let world = World::start(|plan| {
        plan.upstream = Some(upstream);
        plan.settings = WIDEST.to_owned();
    })
    .await;
    let many = |count: usize| {
        let free = count - base(&world).headers.len();
        (0..free).fold(base(&world), |call, number| call.and(&format!("X-{number}"), "1"))
    };
    let long = |length: usize| base(&world).and("X-Long", &"a".repeat(length));
    let far = |length: usize| {
        let mut call = base(&world);
        call.target += &format!("&x={}", "a".repeat(length - call.target.len() - 3));
        call
    };
    for (name, call, status) in [
        ("256 headers", many(256), 200),
        ("257 headers", many(257), 431),
        ("a header of 100 kB", long(100_000), 200),
        ("a header of 1 MB", long(1_040_000), 200),
        ("a longer head", long(1_048_576), 431),
        ("a target of 60 kB", far(60_000), 200),
        ("a target of 65534 bytes", far(65_534), 200),
        ("a target of 65535 bytes", far(65_535), 414),
    ] {
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&call)).await;
        let reply = wire.read("GET").await;
        assert_eq!(reply.status, status, "{name}: {reply:?}");
        assert_eq!(reply.all("server"), [""; 0], "{name}: {reply:?}");
        assert_ne!(reply.header("ssp-traceid"), "", "{name}: {reply:?}");
        assert_ne!(reply.body, b"", "{name}: {reply:?}");
    }
}
