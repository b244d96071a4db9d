//! Metrics of TLS: handshakes, and the files that it lives on.

use prometheus::{IntCounterVec, IntGaugeVec};

use super::families::{Families, Refused};

/// The families of TLS.
#[derive(Debug)]
pub struct TlsMetrics {
    /// Handshakes by listener and result.
    pub handshakes: IntCounterVec,
    /// Renewals of keys, certificates and revocation lists by result.
    pub renewals: IntCounterVec,
    /// Whether files can't be used as they are now.
    pub stale: IntGaugeVec,
    /// When certificates and revocation lists end.
    pub expiry: IntGaugeVec,
}

impl TlsMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        Ok(Self {
            handshakes: make.counters(
                "tls_handshakes_total",
                "TLS handshakes with consumers by listener and result: completed, closed, late, plain_http, certificate, protocol.",
                &["listener", "result"],
            )?,
            renewals: make.counters(
                "tls_renewals_total",
                "Renewals of keys, certificates and revocation lists by result: renewed, refused.",
                &["result"],
            )?,
            stale: make.gauges(
                "tls_stale",
                "1 while files can't be used as they are and the last good ones serve.",
                &["owner"],
            )?,
            expiry: make.gauges(
                "certificate_expiry_timestamp_seconds",
                "When a certificate, an authority or a revocation list ends, in seconds since 1970 UTC.",
                &["owner", "kind", "file", "subject"],
            )?,
        })
    }
}
