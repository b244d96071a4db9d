//! What every test here stands on: a world of one gateway process, the simulated practices behind
//! it and two consumers in front of it, and a client that sends exactly what it is told.
//!
//! ```text
//! let world = World::start(|plan| plan.practices = 10).await;
//! let call = world.call(Mode::Transparent, &interactions::READ_PATIENT, "Patient/1");
//! let answer = world.send(call.with("Accept", "application/fhir+xml")).await;
//! assert_eq!(answer.status, 200);
//! assert_eq!(world.arrivals()[0].target, "/A20047/STU3/1/gpconnect/fhir/Patient/1");
//! ```

pub(crate) mod call;
pub(crate) mod client;
pub(crate) mod interactions;
pub(crate) mod log;
pub(crate) mod plan;
pub(crate) mod process;
pub(crate) mod promises;
pub(crate) mod provider;
pub(crate) mod token;
pub(crate) mod world;

use std::io::Write as _;
use std::time::Duration;

pub(crate) use call::{Call, Form, Mode};
pub(crate) use client::{Answer, Connection, Raw};
pub(crate) use interactions::Interaction;
pub(crate) use plan::Plan;
pub(crate) use provider::Provider;
pub(crate) use world::World;

/// How long anything is waited for: only a failing test gets there.
pub(crate) const DEADLINE: Duration = Duration::from_secs(120);

/// What requests say in `Host`: the gateway's listeners have ports that nobody knows beforehand.
pub(crate) const HOST: &str = "gateway.example";

/// The organisation that both consumers belong to.
pub(crate) const ORGANISATION: &str = "RXX01";

/// Says something that shows also when the test passes: a figure, or why a test is left out.
pub(crate) fn say(text: &str) {
    // Not through `eprintln`, which tests capture.
    std::io::stderr().write_all(format!("\n{text}\n").as_bytes()).unwrap();
}
