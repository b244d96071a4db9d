use gpconnect::names::TraceId;
use tokio::runtime::Builder;

use super::{queue::CAPACITY, *};
use crate::{
    config::Protocol,
    telemetry::{LogSink, Metrics, Record, Style, example},
};

const SAMPLING: &str = "100%";
/// Each has its own span, one for the audit, one for the cache, and one for the call.
const SPANS: u64 = 4;

fn telemetry() -> Arc<Telemetry> {
    let sink = LogSink::start(std::io::sink()).unwrap();
    Arc::new(Telemetry::new(Metrics::new().unwrap(), sink, Style::Json))
}

fn nowhere() -> Collector {
    Collector {
        endpoint: "http://127.0.0.1:9".parse().unwrap(),
        protocol: Protocol::Grpc,
        headers: None,
        authorities: None,
        certificate: None,
    }
}

/// A request from its head to its end, on the thread that carries it.
fn carry(traces: &Arc<Traces>, sampling: &Sampling, record: &Record<'_>) {
    let asked = Asked { verb: "GET", ..Asked::default() };
    let mut trace = traces.begin(&HeaderMap::new(), asked, [7; 16], sampling);
    trace.enter(Phase::Audit);
    trace.enter(Phase::Cache);
    let mut beneath = trace.beneath().unwrap();
    beneath.enter(Phase::Wait(Upstream { verb: "GET", host: "gp", port: "443", resent: 0 }));
    beneath.end();
    trace.end(traces, record, sampling.slow).unwrap();
}

/// The deadest collector of all: the task that sends never runs, because its runtime is not driven. No
/// request waits for it, or this test would not end; what waits is bounded, and what is dropped
/// counted.
#[test]
fn no_request_waits_for_whoever_sends() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let telemetry = telemetry();
    let traces = Traces::start(&nowhere(), Arc::clone(&telemetry), runtime.handle()).unwrap();
    let traces = Arc::new(traces);
    let (ratio, slow) = (SAMPLING.parse().unwrap(), Duration::from_secs(1));
    let sampling = Sampling { ratio, callers_per_second: 0, slow };
    let room = u64::try_from(CAPACITY).unwrap();
    let requests = room / SPANS + 500;
    let record = Record { trace_id: Some(TraceId::from_random([7; 16])), ..example() };
    for _ in 0..requests {
        carry(&traces, &sampling, &record);
    }
    let metrics = &telemetry.metrics.traces;
    assert_eq!(metrics.waiting.get(), i64::try_from(room).unwrap());
    assert_eq!(metrics.dropped.get(), requests * SPANS - room);
    assert_eq!((metrics.exported.get(), metrics.failed.get()), (0, 0));

    // Once it runs, what waited is taken: nothing is stuck.
    let batches = std::iter::from_fn(|| Some(traces.queue.take()).filter(|it| !it.is_empty()));
    assert_eq!(batches.map(|batch| batch.len()).sum::<usize>(), CAPACITY);
    assert_eq!(metrics.waiting.get(), 0);
}
