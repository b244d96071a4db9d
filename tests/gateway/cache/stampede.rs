//! Ten thousand consumers ask the same at once.

use super::{good, organisation, read};
use crate::exposition::Exposition;
use crate::harness::{Mode, World, say};
use crate::scripted::{Scripted, Step};
use crate::wire::Wire;

const CONSUMERS: u32 = 10_000;
/// Files that a process has open besides these connections.
const OTHERS: u64 = 500;

/// How many of them can be there at once: all, unless the system grants fewer open files.
fn at_once() -> u32 {
    let granted = rlimit::increase_nofile_limit(u64::from(CONSUMERS) + OTHERS).unwrap();
    if granted >= u64::from(CONSUMERS) + OTHERS {
        return CONSUMERS;
    }
    let fewer = CONSUMERS / 5;
    assert!(granted > u64::from(fewer) + OTHERS, "{granted} open files are too few for this test");
    say(&format!("only {granted} files may be open: {fewer} consumers at once"));
    fewer
}

/// The provider is asked once. Its answer is held back until as many wait as can be there at once; if
/// that is not all, the others come while they are answered.
#[tokio::test]
async fn ten_thousand_first_requests_are_one_call() {
    let at_once = at_once();
    let provider = Scripted::start().await;
    let world = World::start(|plan| {
        plan.upstream = Some(provider.address());
        plan.settings = "[limits]\nin_flight = 12000\nconnections = 12000\n\n\
                         [timeouts]\nquery = \"10m\"\n\n[cache]\n"
            .into();
    })
    .await;
    provider.will([Step::Wait, good(1)]);
    let address = world.address(Mode::Transparent);
    let head = read(&world, Mode::Transparent, "17").head();
    let mut first = Vec::new();
    for _ in 0..at_once {
        let mut wire = Wire::open(address).await;
        wire.write(&head).await;
        first.push(wire);
    }
    // One of them leads.
    loop {
        let page = Exposition::of(&world).await;
        let failed = page.sum("cache_calls_total", &[("result", "failed")]);
        assert_eq!(failed, 0.0, "the provider is waited for until all ask");
        if page.sum("cache_waiting", &[]) >= f64::from(at_once) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    provider.go_on();
    for wire in &mut first {
        for round in 0..CONSUMERS / at_once {
            if round > 0 {
                wire.write(&head).await;
            }
            let reply = wire.read("GET").await;
            assert_eq!((reply.status, reply.text()), (200, organisation(1).as_str()));
        }
    }
    assert_eq!(provider.arrived().len(), 1);
    let mut metrics = Exposition::of(&world).await;
    // A request is counted right behind its answer.
    while metrics.sum("cache_requests_total", &[]) < f64::from(CONSUMERS) {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        metrics = Exposition::of(&world).await;
    }
    let count = |how| metrics.sum("cache_requests_total", &[("result", how)]);
    let expected = [1, at_once - 1, CONSUMERS - at_once].map(f64::from);
    assert_eq!([count("miss"), count("shared"), count("hit")], expected);
}
