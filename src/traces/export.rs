//! Sends spans to the collector, one batch after the other. Nobody waits for it.

use std::{fmt::Display, sync::Arc, time::Duration};

use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::{sync::watch, time};
use tracing::{info, warn};

use super::queue::Queue;
use crate::telemetry::{Telemetry, TraceMetrics};

/// How long spans wait for others at most.
const PERIOD: Duration = Duration::from_secs(1);
/// How long a batch may take, with everything that is tried again.
pub(super) const LIMIT: Duration = Duration::from_secs(10);
/// How much of a collector's complaint is told.
const TOLD: usize = 300;

/// Sends until told to end, then what still waits.
pub(super) async fn run(
    exporter: SpanExporter,
    queue: Arc<Queue>,
    telemetry: Arc<Telemetry>,
    mut ends: watch::Receiver<bool>,
) {
    let mut collector = Collector { exporter, is_well: true };
    loop {
        let is_last = *ends.borrow();
        loop {
            let batch = queue.take();
            if batch.is_empty() {
                break;
            }
            collector.send(batch, &telemetry.metrics.traces).await;
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = queue.enough() => {}
            () = time::sleep(PERIOD) => {}
            // Who would say so is gone only when all is over.
            _ = ends.changed() => {}
        }
    }
}

struct Collector {
    exporter: SpanExporter,
    is_well: bool,
}

impl Collector {
    async fn send(&mut self, batch: Vec<SpanData>, metrics: &TraceMetrics) {
        let spans = batch.len() as u64;
        match time::timeout(LIMIT, self.exporter.export(batch)).await {
            Ok(Ok(())) => {
                metrics.exported.inc_by(spans);
                if !self.is_well {
                    info!("traces: the collector takes spans again");
                }
                self.is_well = true;
            }
            Ok(Err(fault)) => self.failed(&fault, spans, metrics),
            Err(_) => self.failed(&"no answer in time", spans, metrics),
        }
    }

    /// Says so once, until it works again.
    fn failed(&mut self, fault: &dyn Display, spans: u64, metrics: &TraceMetrics) {
        metrics.failed.inc_by(spans);
        if self.is_well {
            let fault: String = fault.to_string().chars().take(TOLD).collect();
            warn!(fault, spans, "traces: the collector takes no spans; requests go on");
        }
        self.is_well = false;
    }
}
