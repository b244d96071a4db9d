//! The real gateway as a process of its own, in front of the simulator or of a provider that a test
//! makes up: a module per promise.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::large_futures,
    reason = "tests: a failure is the report"
)]

mod addressing;
mod admin;
mod ambiguity;
mod answers;
mod assisted;
mod attacks;
mod audit;
mod background;
mod bookings;
mod bytes;
mod cache;
mod chain;
mod dashboards;
mod demo;
mod disk;
mod documents;
mod exchanges;
mod explained;
mod exposition;
mod fhir_client;
mod finds;
mod following;
mod harness;
mod interactions;
mod lifecycle;
mod memory;
mod observed;
#[expect(dead_code, reason = "documents are walked through in two places, with more or less of it")]
#[path = "../pages/mod.rs"]
mod pages;
#[path = "../ports/mod.rs"]
mod ports;
mod privacy;
mod providers;
mod refusals;
mod relinked;
mod reload;
mod resources;
mod scripted;
mod stalled;
mod starting;
mod systemd;
mod terminator;
mod tls;
mod tokens;
mod traces;
mod wire;
