//! Times stages 2 to 8 on one typical request and on hostile ones, and the reading of bodies, and
//! counts their allocations.
//!
//! `decision` prints a table and exits with 1 when the typical request allocates more than 20 times.
//! `decision once NAME` decides one request, or reads one body, a thousand times, for callgrind.
//! `decision links` times the rewriting of links in large answers.

mod bodies;
mod counting;
mod links;
mod requests;

use std::{hint::black_box, io, process::ExitCode, time::Duration};

use bodies::Body;
use gpconnect::{
    Decision, Policy, RequestFacts, body, decide,
    facts::{Field, Fields},
    patients::Patients,
    policy::ConsumerIndex,
};
use nix::time::{ClockId, clock_gettime};
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

/// What the one thread of this program has had of a processor.
fn spent() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).unwrap_or_default()
}

/// The best mean of several rounds: what others do on the machine only adds.
fn best<T>(work: impl Fn() -> T) -> Duration {
    let [time] = best_of([&|| drop(black_box(work()))]);
    time
}

/// The same of each, round by round: what goes on meanwhile meets them all.
fn best_of<const N: usize>(works: [&dyn Fn(); N]) -> [Duration; N] {
    let times = |work: &dyn Fn(), count: u32| {
        let before = spent();
        (0..count).for_each(|_| work());
        (spent() - before) / count
    };
    let counts = works.map(|work| {
        let once = times(work, 1).as_nanos().max(1);
        u32::try_from(Duration::from_millis(10).as_nanos() / once).unwrap_or(u32::MAX).max(5)
    });
    let mut best = [Duration::MAX; N];
    for _ in 0..ROUNDS {
        for ((best, work), count) in best.iter_mut().zip(works).zip(counts) {
            *best = times(work, count).min(*best);
        }
    }
    best
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

/// Prints how fast links are rewritten: of records as they are, and within gzip beside opening and
/// compressing them alone. In megabytes of what is not compressed. And how much memory that takes at
/// most, what leaves at once included, and what a thread keeps for all that it compresses not.
fn rewrite_links() -> io::Result<()> {
    println!(
        "record     bytes   in gzip        plain    holds  within gzip    holds   gzip alone    holds  of that"
    );
    for record in links::all()? {
        let (bytes, zipped) = record.lengths();
        let speed = |time: Duration| bytes as f64 / 1e6 / time.as_secs_f64();
        let kilobytes = |held: usize| held.div_ceil(1_000);
        // Tried once, so that a fault shows, and what a thread keeps for all of them is there.
        record.rewritten_within_gzip()?;
        let (plain_held, plain) = counting::most_held(|| record.rewritten());
        let (within_held, within) = counting::most_held(|| record.rewritten_within_gzip());
        let (alone_held, alone) = counting::most_held(|| record.unzipped_and_zipped());
        plain.and(within).and(alone)?;
        let [plain, within, alone] = best_of([
            &|| drop(black_box(record.rewritten())),
            &|| drop(black_box(record.rewritten_within_gzip())),
            &|| drop(black_box(record.unzipped_and_zipped())),
        ])
        .map(speed);
        println!(
            "{:6} {bytes:>9} {zipped:>9} {plain:>7.0} MB/s {:>5} kB {within:>7.0} MB/s {:>5} kB {alone:>7.0} MB/s {:>5} kB {:>8.2}",
            record.name,
            kilobytes(plain_held),
            kilobytes(within_held),
            kilobytes(alone_held),
            within / alone,
        );
    }
    Ok(())
}

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "links") {
        return match rewrite_links() {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => {
                eprintln!("decision: links can't be rewritten: {fault}");
                ExitCode::FAILURE
            }
        };
    }
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
