//! Metrics of the cache.

use std::collections::BTreeMap;

use gpconnect::{
    caching::Use,
    interaction::{InteractionId, TABLE},
};
use prometheus::{IntCounter, IntCounterVec, IntGauge, core::Collector as _, proto::LabelPair};

use super::families::{Families, Refused};

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
    /// What they may take.
    pub bytes_limit: IntGauge,
    /// Answers that had to go before their time, for want of room.
    pub evicted: IntCounter,
    /// Service roots whose capability statement is known.
    pub statements: IntGauge,
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
            bytes_limit: make
                .gauge("cache_bytes_limit", "Bytes that answers in memory may take.")?,
            evicted: make.counter(
                "cache_evictions_total",
                "Answers that went before their time, for want of room.",
            )?,
            statements: make.gauge(
                "cache_statements",
                "Service roots whose capability statement is known.",
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

    /// Requests by how they fared, over all interactions.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count: whole, never negative, and far below 2^53"
    )]
    pub fn fared(&self) -> BTreeMap<&'static str, u64> {
        let mut sums: BTreeMap<_, u64> = Use::ALL.map(|how| (how.as_str(), 0)).into();
        for metric in self.requests.collect().iter().flat_map(|family| family.get_metric()) {
            let is_it =
                |label: &LabelPair, how: &str| label.name() == "result" && label.value() == how;
            for (how, sum) in &mut sums {
                if metric.get_label().iter().any(|label| is_it(label, how)) {
                    *sum += metric.get_counter().get_value() as u64;
                }
            }
        }
        sums
    }

    pub(super) fn count(&self, interaction: InteractionId, how: Use) {
        self.requests.with_label_values(&[interaction.short(), how.as_str()]).inc();
    }
}
