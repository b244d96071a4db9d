//! What the tokens of each consumer tell about it: its clock, and whom its users belong to.

use gpconnect::token::Observed;
use prometheus::{IntCounterVec, IntGaugeVec};

use super::families::{Families, Refused};

/// Families with one series a registered consumer.
#[derive(Debug)]
pub(super) struct TokenMetrics {
    skew: IntGaugeVec,
    ahead: IntCounterVec,
    other_organisation: IntCounterVec,
}

impl TokenMetrics {
    /// Makes and registers them.
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        Ok(Self {
            skew: make.gauges(
                "token_clock_skew_seconds",
                "How far a consumer's clock is ahead, by iat of its last token; below zero by the token's age. At most a day.",
                &["consumer"],
            )?,
            ahead: make.counters(
                "token_clock_ahead_total",
                "Tokens of a clock that is more than 5 s ahead.",
                &["consumer"],
            )?,
            other_organisation: make.counters(
                "token_other_organisation_total",
                "Tokens of another organisation than the consumer's, refused or not.",
                &["consumer"],
            )?,
        })
    }

    pub(super) fn count(&self, consumer: &str, token: &Observed) {
        let labels = [consumer];
        if let Some(skew) = token.skew {
            self.skew.with_label_values(&labels).set(skew);
        }
        if token.is_of_a_fast_clock() {
            self.ahead.with_label_values(&labels).inc();
        }
        if token.is_of_another_organisation {
            self.other_organisation.with_label_values(&labels).inc();
        }
    }
}
