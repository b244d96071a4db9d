//! Times stages 2 to 8 on one typical request and on hostile ones, and the reading of bodies, and
//! counts their allocations.
//!
//! `decision` prints a table and exits with 1 when the typical request allocates more than 20 times.
//! `decision once NAME` decides one request, or reads one body, a thousand times, for callgrind.

mod bodies;
mod counting;
mod requests;

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use bodies::Body;
use gpconnect::{
    Decision, Policy, RequestFacts, body, decide,
    facts::{Field, Fields},
    patients::Patients,
    policy::ConsumerIndex,
};
use requests::{NOW, Request};

/// What the typical request may allocate at most.
const ALLOCATIONS: usize = 20;
const ROUNDS: u32 = 20;

#[inline(never)]
fn decided(request: &Request, policy: &Policy) -> Decision {
    let head = request.headers.iter().map(|(name, value)| (*name, value.as_slice()));
    let fields = Fields::gather(head);
    let facts = RequestFacts {
        method: request.method,
        target: &request.target,
        fields: &fields,
        candidates: &[ConsumerIndex(0)],
        certificate: None,
        access: None,
        now: NOW,
        random: [7; 16],
        token_limit: 16_384,
    };
    decide(black_box(&facts), policy)
}

#[inline(never)]
fn body_read(body: &Body) -> Patients {
    body::read(black_box(&body.bytes), Field::Absent)
}

/// The best mean of several rounds: what others do on the machine only adds.
fn best<T>(work: impl Fn() -> T) -> Duration {
    let trial = Instant::now();
    drop(black_box(work()));
    let count = (Duration::from_millis(10).as_nanos() / trial.elapsed().as_nanos().max(1)).max(5);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let round = || {
        let start = Instant::now();
        for _ in 0..count {
            drop(black_box(work()));
        }
        start.elapsed() / count
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

/// Prints a line of the table and gives back the allocations.
fn measure<T>(
    name: &str,
    bytes: usize,
    work: impl Fn() -> T,
    ends: impl Fn(&T) -> &'static str,
) -> usize {
    drop(work());
    let before = counting::allocations();
    let end = work();
    let allocations = counting::allocations() - before;
    let time = best(&work).as_nanos() as f64 / 1_000.0;
    println!("{name:34} {bytes:>8} {time:>6.2} us {allocations:>12}  {}", ends(&end));
    allocations
}

/// Works on what is called `name` a thousand times; false when there is no such thing.
fn repeat(name: &str, policy: &Policy, requests: &[Request], bodies: &[Body]) -> bool {
    let request = requests.iter().find(|request| request.name == name);
    let body = bodies.iter().find(|body| body.name == name);
    for _ in 0..1_000 {
        request.inspect(|request| drop(black_box(decided(request, policy))));
        body.inspect(|body| drop(black_box(body_read(body))));
    }
    request.is_some() || body.is_some()
}

fn main() -> ExitCode {
    let (policy, requests, bodies) = (requests::policy(), requests::all(), bodies::all());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [once, name] = arguments.as_slice()
        && once == "once"
        && repeat(name, &policy, &requests, &bodies)
    {
        return ExitCode::SUCCESS;
    }
    println!("{:34} {:>8} {:>9} {:>12}  ends", "request", "bytes", "time", "allocations");
    let mut sparing = true;
    for request in &requests {
        let bytes = request.headers.iter().map(|(_, value)| value.len()).sum();
        let ends = |decision: &Decision| {
            decision.outcome.as_ref().map_or_else(|refused| refused.reason.word(), |_| "permit")
        };
        let allocations = measure(request.name, bytes, || decided(request, &policy), ends);
        sparing &= request.name != "typical" || allocations <= ALLOCATIONS;
    }
    for body in &bodies {
        measure(body.name, body.bytes.len(), || body_read(body), Patients::word);
    }
    if sparing { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
