//! Ten thousand consumers ask the same at once.

use super::{cached, good, organisation, read};
use crate::exposition::Exposition;
use crate::harness::Mode;
use crate::scripted::Step;
use crate::wire::Wire;

const CONSUMERS: u32 = 10_000;
/// So many connections are open at once: each has a request that waits.
const AT_ONCE: u32 = 2_000;

/// The provider is asked once. Its answer is held back until as many wait as the gateway takes at
/// once, and the others come while they are answered.
#[tokio::test]
async fn ten_thousand_first_requests_are_one_call() {
    let (world, provider) = cached("").await;
    provider.will([Step::Wait, good(1)]);
    let address = world.address(Mode::Transparent);
    let head = read(&world, Mode::Transparent, "17").head();
    let mut first = Vec::new();
    for _ in 0..AT_ONCE {
        let mut wire = Wire::open(address).await;
        wire.write(&head).await;
        first.push(wire);
    }
    // As many as the gateway lets in: one of them leads.
    loop {
        let waiting = Exposition::of(&world).await.sum("cache_waiting", &[]);
        if waiting >= f64::from(AT_ONCE) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    provider.go_on();
    for wire in &mut first {
        for round in 0..CONSUMERS / AT_ONCE {
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
    let expected = [1, AT_ONCE - 1, CONSUMERS - AT_ONCE].map(f64::from);
    assert_eq!([count("miss"), count("shared"), count("hit")], expected);
}
