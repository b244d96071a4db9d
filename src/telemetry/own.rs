//! Metrics of what the gateway asks of its own accord.

use prometheus::{IntCounterVec, IntGauge, IntGaugeVec};

use super::{
    families::{Families, Refused},
    record::Own,
};

/// How such a request ends.
const RESULTS: [&str; 6] = ["kept", "confirmed", "shared", "not_kept", "failed", "refused"];

/// How it stands with a statement that the gateway keeps fresh: as young as it is meant to be; older, or not
/// known, and going to be asked for; the same, and the last attempt failed; not to be asked for.
pub const STANDINGS: [&str; 4] = ["fresh", "behind", "failing", "refused"];

/// The families of the gateway's own requests.
#[derive(Debug)]
pub struct OwnMetrics {
    requests: IntCounterVec,
    /// Those under way.
    pub in_flight: IntGauge,
    /// Service roots by how it stands with their capability statement.
    pub statements: IntGaugeVec,
}

impl OwnMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        let metrics = Self {
            requests: make.counters(
                "own_requests_total",
                &format!(
                    "What the gateway asked of its own accord, by purpose and result: {}.",
                    RESULTS.join(", ")
                ),
                &["purpose", "result"],
            )?,
            in_flight: make.gauge(
                "own_requests_in_flight",
                "Requests of the gateway itself being carried.",
            )?,
            statements: make.gauges(
                "own_statements",
                &format!(
                    "Service roots whose capability statement the gateway keeps fresh, by state: {}.",
                    STANDINGS.join(", ")
                ),
                &["state"],
            )?,
        };
        for state in STANDINGS {
            metrics.statements.with_label_values(&[state]).set(0);
        }
        for own in [Own::Refresh, Own::Crawl] {
            for result in RESULTS {
                metrics.requests.with_label_values(&[own.as_str(), result]).inc_by(0);
            }
        }
        Ok(metrics)
    }

    /// Counts one that ended so.
    pub fn count(&self, own: Own, result: &'static str) {
        self.requests.with_label_values(&[own.as_str(), result]).inc();
    }
}
