//! Spans of requests: of which they are made, what they say, and that a collector which takes none
//! costs nothing.

mod afterwards;
pub(crate) mod collector;
mod contexts;
mod dead;
mod ours;
mod secure;
mod tree;

use crate::harness::World;

/// A world of which this is in `[traces]`, beside what leads to the collector.
async fn traced(collector: &collector::Collector, lines: &str) -> World {
    let settings = collector.settings(lines);
    World::start(|plan| plan.settings = settings).await
}

/// A trace id with this number in it.
fn trace_id(number: usize) -> String {
    format!("629ea9ba-a077-4d99-b289-{number:012}")
}
