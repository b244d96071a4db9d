//! Metrics of spans.

use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::families::{Families, Refused};

/// The families of spans.
#[derive(Debug)]
pub struct TraceMetrics {
    /// Spans that the collector took.
    pub exported: IntCounter,
    /// Spans that it did not take.
    pub failed: IntCounter,
    /// Spans that there was no room for, because it takes them too slowly.
    pub dropped: IntCounter,
    /// Failed and slow requests that got no span afterwards, because there were too many.
    pub limited: IntCounter,
    /// Spans that wait to be sent.
    pub waiting: IntGauge,
}

impl TraceMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        let spans: IntCounterVec = make.counters(
            "trace_spans_total",
            "Spans by result: exported, failed (the collector did not take them), dropped (it takes them too slowly), limited (too many requests failed at once for one each).",
            &["result"],
        )?;
        Ok(Self {
            exported: spans.with_label_values(&["exported"]),
            failed: spans.with_label_values(&["failed"]),
            dropped: spans.with_label_values(&["dropped"]),
            limited: spans.with_label_values(&["limited"]),
            waiting: make.gauge("trace_spans_waiting", "Spans that wait to be sent.")?,
        })
    }
}
