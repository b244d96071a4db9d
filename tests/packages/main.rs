//! What operators install: the Debian package, its unit, the container image and the example
//! configurations, made from the binary under test and tried as far as a machine without systemd as its
//! first process and without a container engine allows.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests: a failure is the report"
)]

mod compose;
mod container;
mod debian;
mod deployment;
mod examples;
mod machine;
#[expect(dead_code, reason = "documents are walked through in two places, with more or less of it")]
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../ports/mod.rs"]
mod ports;
mod site;
mod tools;
mod unit;
