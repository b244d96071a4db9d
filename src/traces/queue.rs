//! Finished spans that wait to be sent: a bounded queue, so that a collector that does not take them
//! costs neither time nor memory.

use std::{sync::Arc, time::Duration};

use crossbeam_queue::ArrayQueue;
use opentelemetry::Context;
use opentelemetry_sdk::{
    error::OTelSdkResult,
    trace::{Span, SpanData, SpanProcessor},
};
use tokio::sync::Notify;

use crate::telemetry::Telemetry;

/// Spans that may wait: some 4 MB.
pub(super) const CAPACITY: usize = 2_048;
/// Spans that are sent together.
const BATCH: usize = 512;

#[derive(Debug)]
pub(super) struct Queue {
    spans: ArrayQueue<SpanData>,
    enough: Notify,
    telemetry: Arc<Telemetry>,
}

impl Queue {
    pub(super) fn new(telemetry: Arc<Telemetry>) -> Self {
        Self { spans: ArrayQueue::new(CAPACITY), enough: Notify::new(), telemetry }
    }

    fn put(&self, span: SpanData) {
        if self.spans.push(span).is_err() {
            self.telemetry.metrics.traces.dropped.inc();
        }
        if self.show() >= BATCH {
            self.enough.notify_one();
        }
    }

    /// The next that are sent together; none when none wait.
    pub(super) fn take(&self) -> Vec<SpanData> {
        let batch = std::iter::from_fn(|| self.spans.pop()).take(BATCH).collect();
        self.show();
        batch
    }

    /// Waits until it is worth while to send some.
    pub(super) async fn enough(&self) {
        self.enough.notified().await;
    }

    /// Drops what waits and says how much that was.
    pub(super) fn clear(&self) -> u64 {
        let lost = std::iter::from_fn(|| self.spans.pop()).map(|_| 1).sum();
        self.telemetry.metrics.traces.dropped.inc_by(lost);
        self.show();
        lost
    }

    fn show(&self) -> usize {
        let waiting = self.spans.len();
        self.telemetry.metrics.traces.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
        waiting
    }
}

/// Where spans of the SDK enter it.
#[derive(Debug)]
pub(super) struct Enter(pub(super) Arc<Queue>);

impl SpanProcessor for Enter {
    fn on_start(&self, _: &mut Span, _: &Context) {}

    fn on_end(&self, span: SpanData) {
        self.0.put(span);
    }

    fn force_flush(&self) -> OTelSdkResult {
        Ok(())
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        Ok(())
    }
}
