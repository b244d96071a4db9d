//! More than the gateway carries at once.

use super::check::tells;
use super::{Outcome, base, contract, region};
use crate::exposition::Exposition;
use crate::harness::{Mode, World};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Reply, Wire};

/// What is told to a caller who is one too many.
fn is_too_much(reply: &Reply) {
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.header("retry-after"), "1", "{reply:?}");
    assert_eq!(reply.header("cache-control"), "no-store", "{reply:?}");
    assert_eq!(reply.all("server"), [""; 0], "{reply:?}");
    let outcome = Outcome::of(reply, "json");
    tells(&outcome, &contract::of("overloaded"), "overloaded", "too much");
}

async fn open(world: &World) -> Wire {
    Wire::open(world.address(Mode::Transparent)).await
}

/// Asks until it is let in again.
async fn is_let_in(world: &World) {
    let again = async {
        loop {
            let reply = open(world).await.exchange(&base(world)).await;
            if reply.status == 200 {
                return;
            }
            is_too_much(&reply);
        }
    };
    tokio::time::timeout(crate::harness::DEADLINE, again).await.expect("let in again");
}

/// gp-connect 15.
#[tokio::test]
async fn more_connections_than_allowed() {
    let world = region::start("[limits]\nconnections = 3\n").await;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let mut wire = open(&world).await;
        assert_eq!(wire.exchange(&base(&world)).await.status, 200);
        kept.push(wire);
    }
    let mut one_more = open(&world).await;
    one_more.write(wire::bytes(&base(&world))).await;
    is_too_much(&one_more.read("GET").await);
    assert_eq!(one_more.rest().await, b"");
    for wire in &mut kept {
        assert_eq!(wire.exchange(&base(&world)).await.status, 200, "who is in stays in");
    }
    assert_eq!(world.simulator.requests(), 6);
    let page = Exposition::of(&world).await;
    assert_eq!(page.sum("requests_total", &[("fault", "overloaded"), ("status", "503")]), 1.0);
    kept.pop();
    is_let_in(&world).await;
}

/// gp-connect 15.
#[tokio::test]
async fn more_requests_than_allowed() {
    let provider = Scripted::start().await;
    let upstream = provider.address();
    let world = World::start(|plan| {
        plan.upstream = Some(upstream);
        plan.settings = "[limits]\nin_flight = 2\n".to_owned();
    })
    .await;
    let mut under_way = Vec::new();
    for _ in 0..2 {
        provider.will([Step::Wait, Step::Good]);
        let mut wire = open(&world).await;
        wire.write(wire::bytes(&base(&world))).await;
        under_way.push(wire);
    }
    provider.has_seen(2).await;
    let mut one_more = open(&world).await;
    is_too_much(&one_more.exchange(&base(&world)).await);
    provider.go_on();
    for wire in &mut under_way {
        assert_eq!(wire.read("GET").await.status, 200);
    }
    assert_eq!(provider.arrived().len(), 2);
    is_let_in(&world).await;
}
