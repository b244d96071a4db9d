//! Metrics of the cache.

use gpconnect::{
    caching::Use,
    interaction::{InteractionId, TABLE},
};
use prometheus::{IntCounter, IntCounterVec, IntGauge};

use super::metrics::{Families, Refused};

/// The families of the cache.
#[derive(Debug)]
pub struct CacheMetrics {
    requests: IntCounterVec,
    /// What providers answered when they were asked for the cache.
    pub calls: IntCounterVec,
    /// Requests that wait for a provider's answer, their own call's or another's.
    pub waiting: IntGauge,
    /// Answers in memory.
    pub entries: IntGauge,
    /// What they take.
    pub bytes: IntGauge,
    /// Answers that had to go before their time, for want of room.
    pub evicted: IntCounter,
    /// Purges by what they reached.
    pub purges: IntCounterVec,
}

impl CacheMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        let metrics = Self {
            requests: make.counters(
                "cache_requests_total",
                "Requests of interactions that may be kept: hit, stale, refresh, revalidated, miss, shared, bypass.",
                &["interaction", "result"],
            )?,
            calls: make.counters(
                "cache_calls_total",
                "Calls of providers for the cache by result: kept, confirmed, not_kept, failed.",
                &["result"],
            )?,
            waiting: make.gauge(
                "cache_waiting",
                "Requests that wait for a provider's answer, their own call's or another's.",
            )?,
            entries: make.gauge("cache_entries", "Answers in memory.")?,
            bytes: make.gauge("cache_bytes", "Bytes that answers in memory take.")?,
            evicted: make.counter(
                "cache_evictions_total",
                "Answers that went before their time, for want of room.",
            )?,
            purges: make.counters("cache_purges_total", "Purges by their reach.", &["reach"])?,
        };
        for row in TABLE.iter().filter(|row| row.kept.is_some() && row.in_1_2_7) {
            for how in Use::ALL {
                metrics.requests.with_label_values(&[row.id.short(), how.as_str()]).inc_by(0);
            }
        }
        for result in ["kept", "confirmed", "not_kept", "failed"] {
            metrics.calls.with_label_values(&[result]).inc_by(0);
        }
        Ok(metrics)
    }

    pub(super) fn count(&self, interaction: InteractionId, how: Use) {
        self.requests.with_label_values(&[interaction.short(), how.as_str()]).inc();
    }
}
