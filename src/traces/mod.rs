//! Spans of requests, for a collector of OpenTelemetry.
//!
//! Whether a request gets spans is decided before any is made: [`Traces::begin`] reads the caller's
//! `traceparent`, and most requests cost no more than that. Of those that are chosen, [`Trace`]
//! keeps a server span, and beneath it one [`Phase`] after the other. A request that was not chosen
//! but failed or took long gets a single span afterwards, from its record.
//!
//! Spans go through a subscriber of their own and never through the log's: what the program says in
//! its events stays out of them, and a gateway without a collector has no such subscriber. Finished
//! ones wait in a bounded queue for a task that sends them; when it is full, they are dropped and
//! counted. They hold what the log line holds, and no more: no path, no query, no user.

mod attributes;
mod caller;
mod export;
mod phase;
mod queue;
mod rate;
mod trace;
mod transport;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::{
    Resource,
    trace::{Sampler, SdkTracer, SdkTracerProvider},
};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::timeout};
use tracing::{Dispatch, Level, warn};
use tracing_subscriber::{Registry, filter::Targets, layer::SubscriberExt as _};

use self::{
    caller::Caller,
    queue::{Enter, Queue},
    rate::PerSecond,
};
pub use self::{
    phase::{Leg, Phase, Phases, Upstream},
    trace::{Asked, By, Trace},
    transport::Fault,
};
use crate::{
    config::{Collector, Sampling},
    telemetry::Telemetry,
};

/// Under which spans are made: what the filter lets pass.
const TARGET: &str = "gpconnect_gateway::traces";
/// How many failed and slow requests get a span afterwards, a second: a flood of refusals is told of
/// by metrics and journal.
const AFTERWARDS_PER_SECOND: u32 = 100;

/// What makes spans and sends them.
#[derive(Debug)]
pub struct Traces {
    dispatch: Dispatch,
    tracer: SdkTracer,
    callers: PerSecond,
    afterwards: PerSecond,
    telemetry: Arc<Telemetry>,
    queue: Arc<Queue>,
    ending: watch::Sender<bool>,
    sending: Mutex<Option<JoinHandle<()>>>,
}

impl Traces {
    /// Starts to send spans to a collector, by a task of `runtime`.
    ///
    /// # Errors
    /// A file of the settings that can't be used.
    pub fn start(
        collector: &Collector,
        telemetry: Arc<Telemetry>,
        runtime: &Handle,
    ) -> Result<Self, Fault> {
        // The connection of gRPC has a task of its own.
        let _within = runtime.enter();
        let mut exporter = transport::exporter(collector)?;
        let resource = Resource::builder()
            .with_service_name(env!("CARGO_PKG_NAME"))
            .with_attribute(opentelemetry::KeyValue::new(
                "service.version",
                env!("CARGO_PKG_VERSION"),
            ))
            .build();
        opentelemetry_sdk::trace::SpanExporter::set_resource(&mut exporter, &resource);
        let queue = Arc::new(Queue::new(Arc::clone(&telemetry)));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(Enter(Arc::clone(&queue)))
            // Chosen is chosen: the decision falls before a span is made.
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource)
            .build();
        let tracer = provider.tracer(env!("CARGO_PKG_NAME"));
        let layer = tracing_opentelemetry::layer()
            .with_tracer(tracer.clone())
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
            .with_target(false)
            .with_level(false);
        let filter = Targets::new().with_target(TARGET, Level::INFO);
        let (ending, ends) = watch::channel(false);
        let sending = export::run(exporter, Arc::clone(&queue), Arc::clone(&telemetry), ends);
        Ok(Self {
            dispatch: Dispatch::new(Registry::default().with(filter).with(layer)),
            tracer,
            callers: PerSecond::default(),
            afterwards: PerSecond::default(),
            telemetry,
            queue,
            ending,
            sending: Mutex::new(Some(runtime.spawn(sending))),
        })
    }

    /// Decides whether a request gets spans, and begins its own if so.
    pub fn begin(
        self: &Arc<Self>,
        headers: &HeaderMap,
        asked: Asked,
        random: [u8; 16],
        sampling: &Sampling,
    ) -> Trace {
        let caller = Caller::read(headers);
        let is_chosen = match caller.context() {
            Some(context) if !context.is_sampled() => false,
            Some(_) if self.callers.take(sampling.callers_per_second) => true,
            Some(_) | None => rate::is_chosen(random, sampling.ratio),
        };
        if is_chosen { Trace::begin(self, caller, asked) } else { Trace::leave_out(caller, asked) }
    }

    /// Sends what waits, for at most so long, and ends.
    pub async fn close(&self, most: Duration) {
        self.ending.send_replace(true);
        let sending = self.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut sending) = sending else { return };
        if timeout(most, &mut sending).await.is_err() {
            sending.abort();
            let lost = self.queue.clear();
            warn!(lost, "traces: the collector did not take the last spans in time");
        }
    }
}

/// What is wrong with the files of the settings.
pub fn fault(collector: &Collector) -> Option<Fault> {
    transport::faults(collector).err()
}

#[cfg(test)]
mod tests;
