//! What operations are given to see the gateway by: dashboards, rules, alerts and their runbook.

mod panels;
mod rules;
mod shown;
mod traffic;

use std::path::{Path, PathBuf};

/// The dashboards, in the order in which one looks at them.
const NAMES: [&str; 7] =
    ["overview", "practice", "consumer", "supplier", "cache", "security", "runtime"];

/// A file of the repository.
fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}
