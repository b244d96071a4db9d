//! What is seen of others: which rules of the specification consumers and practices break. Nothing of
//! it shows on the wire.

mod consumers;
mod many;
mod once;
mod rules;

use std::collections::BTreeMap;

use crate::exposition::Exposition;
use crate::harness::World;

/// What was counted: how often each rule was broken by each organisation. Times are left out where a
/// machine under load could break them.
async fn counted(world: &World, with_times: bool) -> BTreeMap<[String; 3], u32> {
    let page = Exposition::of(world).await;
    let samples = page.0.iter().filter(|it| it.name == "gpconnect_gateway_conformance_total");
    let mut counts = BTreeMap::new();
    for sample in samples {
        let labels = ["side", "organisation", "rule"].map(|name| sample.labels[name].clone());
        if with_times || !labels[2].starts_with("time_") {
            let count = format!("{}", sample.value).parse().unwrap();
            counts.insert(labels, count);
        }
    }
    counts
}

/// The rules that were broken between two counts, once each, by that organisation alone.
fn broken_between(
    before: &BTreeMap<[String; 3], u32>,
    after: &BTreeMap<[String; 3], u32>,
    by: [&str; 2],
    name: &str,
) -> Vec<String> {
    let mut rules = Vec::new();
    for (labels, count) in after {
        let more = count - before.get(labels).unwrap_or(&0);
        if more > 0 {
            assert_eq!((more, [labels[0].as_str(), &labels[1]]), (1, by), "{name}: {labels:?}");
            rules.push(labels[2].clone());
        }
    }
    rules
}
