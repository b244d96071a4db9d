//! Metrics of the journal.

use prometheus::{Histogram, IntCounter, IntCounterVec, IntGauge};

use super::families::{Families, Refused};

/// The families of the journal.
#[derive(Debug)]
pub struct AuditMetrics {
    /// Records that are durable, by kind.
    pub records: IntCounterVec,
    /// What a commit took, from the write to the disk's word that it is durable.
    pub commit: Histogram,
    /// Records that wait to be written.
    pub waiting: IntGauge,
    /// How old the oldest record is that waits to be written.
    pub lag: IntGauge,
    /// Refusals that are not recorded singly.
    pub summarised: IntCounter,
    /// Whether it can be written.
    pub writable: IntGauge,
    /// Epochs that ended because the journal could not be written.
    pub faults: IntCounter,
    /// How much of its disk is free, in percent.
    pub free: IntGauge,
    /// Whether room is kept for the ends of requests.
    pub reserve_held: IntGauge,
    /// Closed segments that are not compressed yet.
    pub uncompressed: IntGauge,
    /// Segments that were removed because they are not to be kept.
    pub removed: IntCounter,
    /// How long records are there of which no other machine has a checkpoint.
    pub unwitnessed: IntGauge,
    /// Attempts to bring a checkpoint to a place that failed.
    pub unpublished: IntCounterVec,
}

/// The kinds of records that a gateway writes; each has its series from the start.
const RECORDS: [&str; 19] = [
    "intent",
    "outcome",
    "refusal",
    "refusals",
    "start",
    "stop",
    "reload",
    "reload_refused",
    "certificates",
    "keys",
    "admin",
    "search",
    "switch_off",
    "switch_on",
    "switch_expired",
    "removed",
    "disk_full",
    "disk_room",
    "end",
];

impl AuditMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        let metrics = Self::families(make)?;
        RECORDS.iter().for_each(|record| metrics.records.with_label_values(&[record]).inc_by(0));
        Ok(metrics)
    }

    fn families(make: &Families<'_>) -> Result<Self, Refused> {
        Ok(Self {
            records: make.counters(
                "audit_records_total",
                "Durable records of the journal by kind.",
                &["record"],
            )?,
            commit: make.histogram(
                "audit_commit_seconds",
                "From writing records to the disk's word that they are durable.",
            )?,
            waiting: make.gauge("audit_waiting", "Records that wait to be written.")?,
            lag: make.gauge(
                "audit_lag_seconds",
                "How old the oldest record is that waits to be written.",
            )?,
            summarised: make.counter(
                "audit_refusals_summarised_total",
                "Refusals that were counted together, not recorded singly.",
            )?,
            writable: make.gauge(
                "audit_writable",
                "0 while the journal can't be written and requests are refused.",
            )?,
            faults: make.counter(
                "audit_faults_total",
                "How often the journal could not be written any further.",
            )?,
            free: make.gauge(
                "audit_free_percent",
                "How much of what the journal has taken and may take is free.",
            )?,
            reserve_held: make.gauge(
                "audit_reserve_held",
                "1 while room is kept for the ends of requests under way, 0 when it is spent or can't be had.",
            )?,
            uncompressed: make.gauge(
                "audit_uncompressed_segments",
                "Closed segments that are not compressed yet.",
            )?,
            removed: make.counter(
                "audit_removed_segments_total",
                "Segments that were removed because they were older or more than is to be kept.",
            )?,
            unwitnessed: make.gauge(
                "audit_unwitnessed_seconds",
                "How long there are records of which no checkpoint has left this machine.",
            )?,
            unpublished: make.counters(
                "audit_unpublished_total",
                "Attempts to bring a checkpoint to a place that failed, by place.",
                &["place"],
            )?,
        })
    }
}
