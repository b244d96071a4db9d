//! Metrics of access tokens: their issuers' keys, and what their signatures proved.

use std::time::SystemTime;

use prometheus::{IntCounterVec, IntGaugeVec};

use super::families::{Families, Refused};

/// The families of access tokens.
#[derive(Debug)]
pub struct IssuerMetrics {
    renewals: IntCounterVec,
    renewed_at: IntGaugeVec,
    tokens: IntCounterVec,
}

impl IssuerMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        Ok(Self {
            renewals: make.counters(
                "issuer_key_renewals_total",
                "Renewals of the keys of an issuer of access tokens by result: renewed, refused.",
                &["issuer", "result"],
            )?,
            renewed_at: make.gauges(
                "issuer_keys_timestamp_seconds",
                "When the keys of an issuer of access tokens were last renewed, in seconds since 1970 UTC.",
                &["issuer"],
            )?,
            tokens: make.counters(
                "access_tokens_total",
                "Access tokens by issuer (unknown where it is not configured) and result: proved, or why not.",
                &["issuer", "result"],
            )?,
        })
    }

    /// Takes note of keys that are new.
    pub fn renewed(&self, issuer: &str, now: SystemTime) {
        self.renewals.with_label_values(&[issuer, "renewed"]).inc();
        let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        self.renewed_at.with_label_values(&[issuer]).set(seconds);
    }

    /// Counts an access token that says it is of this configured issuer, with what was found.
    pub fn judged(&self, issuer: Option<&str>, result: &'static str) {
        self.tokens.with_label_values(&[issuer.unwrap_or("unknown"), result]).inc();
    }

    /// Takes note of keys that could not be had or used.
    pub fn failed(&self, issuer: &str) {
        self.renewals.with_label_values(&[issuer, "refused"]).inc();
    }
}
