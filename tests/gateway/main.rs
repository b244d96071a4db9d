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
mod bookings;
mod bytes;
mod cache;
mod demo;
mod disk;
mod exchanges;
mod explained;
mod exposition;
mod fhir_client;
mod finds;
mod harness;
mod interactions;
mod lifecycle;
mod memory;
mod privacy;
mod providers;
mod refusals;
mod reload;
mod resources;
mod scripted;
mod starting;
mod terminator;
mod tls;
mod tokens;
mod wire;
