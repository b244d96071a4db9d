//! The metrics page, read back.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::harness::{DEADLINE, World};

/// One line of the page.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sample {
    pub(crate) name: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) value: f64,
}

/// All lines of the page.
pub(crate) struct Exposition(pub(crate) Vec<Sample>);

impl Exposition {
    pub(crate) async fn of(world: &World) -> Self {
        Self::read(&world.metrics().await)
    }

    /// The page as soon as it says so: what is counted of a request is counted behind its answer.
    pub(crate) async fn once(world: &World, what: &str, says: impl Fn(&Self) -> bool) -> Self {
        let mut page = Self::of(world).await;
        let said = async {
            while !says(&page) {
                sleep(Duration::from_millis(20)).await;
                page = Self::of(world).await;
            }
        };
        let said = timeout(DEADLINE, said).await;
        assert!(said.is_ok(), "{what}: {:#?}", page.0);
        page
    }

    pub(crate) fn read(page: &str) -> Self {
        let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Self(lines.map(sample).collect())
    }

    /// The sum of a family (named without the common prefix) over the samples with these labels.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let meant = |sample: &&Sample| {
            sample.name == format!("gpconnect_gateway_{name}")
                && labels.iter().all(|(name, value)| {
                    sample.labels.get(*name).is_some_and(|there| there == value)
                })
        };
        self.0.iter().filter(meant).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Sample {
    let (series, value) = line.rsplit_once(' ').unwrap();
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix("\"}").unwrap()),
        None => (series, ""),
    };
    let label = |pair: &str| {
        let (name, value) = pair.split_once("=\"").unwrap();
        (name.to_owned(), value.to_owned())
    };
    // No value of ours holds a quote: one that did would end the test here.
    let labels = labels.split("\",").filter(|pair| !pair.is_empty()).map(label).collect();
    Sample { name: name.to_owned(), labels, value: value.parse().unwrap() }
}
