//! Times stages 2 to 8 on one typical request and on hostile ones, and counts their allocations.
//!
//! `decision` prints a table and exits with 1 when the typical request allocates more than 20 times.
//! `decision once NAME` decides one request a thousand times, for callgrind.

mod counting;
mod requests;

use std::{
    hint::black_box,
    process::ExitCode,
    time::{Duration, Instant},
};

use gpconnect::{Decision, Policy, RequestFacts, decide, facts::Fields, policy::ConsumerIndex};
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
        now: NOW,
        random: [7; 16],
        token_limit: 16_384,
    };
    decide(black_box(&facts), policy)
}

/// The best mean of several rounds: what others do on the machine only adds.
fn best(request: &Request, policy: &Policy) -> Duration {
    let trial = Instant::now();
    drop(black_box(decided(request, policy)));
    let count = (Duration::from_millis(10).as_nanos() / trial.elapsed().as_nanos().max(1)).max(5);
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    let round = || {
        let start = Instant::now();
        for _ in 0..count {
            drop(black_box(decided(request, policy)));
        }
        start.elapsed() / count
    };
    (0..ROUNDS).map(|_| round()).min().unwrap_or_default()
}

fn main() -> ExitCode {
    let policy = requests::policy();
    let all = requests::all();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [once, name] = arguments.as_slice()
        && once == "once"
        && let Some(request) = all.iter().find(|request| request.name == name)
    {
        for _ in 0..1_000 {
            drop(black_box(decided(request, &policy)));
        }
        return ExitCode::SUCCESS;
    }
    println!("{:34} {:>8} {:>9} {:>12}  ends", "request", "bytes", "time", "allocations");
    let mut sparing = true;
    for request in &all {
        drop(decided(request, &policy));
        let before = counting::allocations();
        let decision = decided(request, &policy);
        let allocations = counting::allocations() - before;
        let ends =
            decision.outcome.as_ref().map_or_else(|refused| refused.reason.word(), |_| "permit");
        let bytes: usize = request.headers.iter().map(|(_, value)| value.len()).sum();
        let time = best(request, &policy).as_nanos() as f64 / 1_000.0;
        println!("{:34} {bytes:>8} {time:>6.2} us {allocations:>12}  {ends}", request.name);
        sparing &= request.name != "typical" || allocations <= ALLOCATIONS;
    }
    if sparing { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
