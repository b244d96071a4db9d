//! Metrics of what is registered: names of consumers beside their codes, so that a panel can show both,
//! and what is allowed at most.

use std::{
    collections::{HashMap, HashSet},
    time::{SystemTime, UNIX_EPOCH},
};

use gpconnect::{Policy, names::Asid, policy::Practice};
use prometheus::{
    IntGauge, IntGaugeVec,
    core::{Collector, MetricVec, MetricVecBuilder},
    proto::LabelPair,
};

use super::families::{Families, Refused};
use crate::config::{Limits, Upstream};

const CONSUMER: [&str; 3] = ["consumer", "organisation", "name"];

/// A snapshot that came into use, as far as metrics tell of it.
#[derive(Debug)]
pub struct InUse<'s> {
    /// Its number.
    pub generation: u64,
    /// What is registered.
    pub policy: &'s Policy,
    /// How practices are reached, in the order of the policy's indexes.
    pub upstreams: &'s [Upstream],
    /// What may come at once.
    pub limits: Limits,
    /// When the newest file of the directory was last changed.
    pub directory_changed: Option<SystemTime>,
}

impl InUse<'_> {
    /// The upstream of a practice: that of its first endpoint, of which others seldom differ.
    pub(super) fn upstream(&self, practice: &Practice) -> &str {
        let endpoint = practice.endpoints.iter().next();
        let upstream =
            endpoint.and_then(|(_, endpoint)| self.upstreams.get(endpoint.upstream.0 as usize));
        upstream.map_or("", |upstream| &upstream.name)
    }
}

/// A snapshot of this policy, for tests.
#[cfg(test)]
pub(super) fn example(generation: u64, policy: &Policy) -> InUse<'_> {
    let limits = Limits {
        head_bytes: 1,
        headers: 1,
        target_bytes: 1,
        body_bytes: 1,
        token_bytes: 1,
        connections: 30,
        in_flight: 20,
    };
    let directory_changed = UNIX_EPOCH.checked_add(std::time::Duration::from_secs(7));
    InUse { generation, policy, upstreams: &[], limits, directory_changed }
}

/// The families of what is registered.
#[derive(Debug)]
pub(super) struct RegisteredMetrics {
    consumers: IntGaugeVec,
    /// How many practices each consumer system was let ask in the last hour.
    fan_out: IntGaugeVec,
    /// How many patients each of them named in the last hour.
    patients: IntGaugeVec,
    counts: IntGaugeVec,
    limits: IntGaugeVec,
    directory: IntGauge,
    loaded: IntGauge,
    generation: IntGauge,
}

impl RegisteredMetrics {
    pub(super) fn new(make: &Families<'_>) -> Result<Self, Refused> {
        Ok(Self {
            consumers: make.gauges(
                "consumer_info",
                "The organisation of each registered consumer system; always 1.",
                &CONSUMER,
            )?,
            fan_out: make.gauges(
                "consumer_practices",
                "Practices that a consumer system was let ask in the last hour.",
                &["consumer"],
            )?,
            patients: make.gauges(
                "consumer_patients",
                "Patients that a consumer system named in the last hour, an estimate: by NHS number or by id, whichever were more.",
                &["consumer"],
            )?,
            counts: make.gauges(
                "registered",
                "Systems and organisations in the snapshot in use.",
                &["kind"],
            )?,
            limits: make.gauges("limit", "What may be open or under way at most.", &["kind"])?,
            directory: make.gauge(
                "directory_changed_timestamp_seconds",
                "When the newest file of the directory was last changed, in seconds since 1970 UTC.",
            )?,
            loaded: make.gauge(
                "snapshot_loaded_timestamp_seconds",
                "When the snapshot in use was loaded, in seconds since 1970 UTC.",
            )?,
            generation: make
                .gauge("snapshot_generation", "The snapshot in use, counted from 1.")?,
        })
    }

    /// Takes note of a snapshot: what is new gets its series, what is gone loses them.
    pub(super) fn show(&self, new: &InUse<'_>) {
        let consumers = new.policy.consumers();
        let counts = [("practice", new.policy.practices().len()), ("consumer", consumers.len())];
        let limits = [("connections", new.limits.connections), ("in_flight", new.limits.in_flight)];
        for (family, values) in [(&self.counts, counts), (&self.limits, limits)] {
            for (kind, value) in values {
                family.with_label_values(&[kind]).set(value.try_into().unwrap_or(i64::MAX));
            }
        }
        self.count_generation(new.generation);
        self.loaded.set(seconds(SystemTime::now()));
        new.directory_changed.iter().for_each(|at| self.directory.set(seconds(*at)));
        self.name(new);
        let is_known =
            |asid: &str| asid.parse().is_ok_and(|asid| new.policy.find_consumer(asid).is_some());
        for family in [&self.fan_out, &self.patients] {
            for consumer in consumers {
                // There from the start, so that its growth can be seen.
                family.with_label_values(&[consumer.asid.as_str()]);
            }
            keep(family, |labels| is_known(labels.of("consumer")));
        }
    }

    /// Takes note of the number of a snapshot.
    pub(super) fn count_generation(&self, generation: u64) {
        self.generation.set(generation.try_into().unwrap_or(i64::MAX));
    }

    fn name(&self, new: &InUse<'_>) {
        let consumers = new.policy.consumers().iter();
        let named: HashSet<[&str; 3]> = consumers
            .map(|it| [it.asid.as_str(), it.organisation.as_str(), &it.organisation_name])
            .collect();
        named.iter().for_each(|values| self.consumers.with_label_values(values).set(1));
        keep(&self.consumers, |found| named.contains(&CONSUMER.map(|name| found.of(name))));
    }

    /// Sets how many practices and how many patients each consumer system was let ask for; none, those
    /// that are not named.
    pub(super) fn fan_out(
        &self,
        practices: &HashMap<Asid, usize>,
        patients: &HashMap<Asid, usize>,
    ) {
        for (family, counts) in [(&self.fan_out, practices), (&self.patients, patients)] {
            for metric in family.collect().iter().flat_map(|family| family.get_metric()) {
                let [consumer] = metric.get_label() else { continue };
                let Ok(asid) = consumer.value().parse() else { continue };
                let count = counts.get(&asid).copied().unwrap_or_default();
                let count = count.try_into().unwrap_or(i64::MAX);
                family.with_label_values(&[consumer.value()]).set(count);
            }
        }
    }
}

fn seconds(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// The labels of one series.
pub(super) struct Labels<'m>(&'m [LabelPair]);

impl Labels<'_> {
    /// The value of one of them.
    pub(super) fn of(&self, name: &str) -> &str {
        let label = self.0.iter().find(|label| label.name() == name);
        label.map_or("", LabelPair::value)
    }
}

/// Removes the members of a family that are not `meant`, by their labels.
pub(super) fn keep<M: MetricVecBuilder>(
    family: &MetricVec<M>,
    meant: impl Fn(&Labels<'_>) -> bool,
) {
    let members = family.collect();
    for metric in members.iter().flat_map(|members| members.get_metric()) {
        let labels = metric.get_label();
        if !meant(&Labels(labels)) {
            let by_name: HashMap<&str, &str> =
                labels.iter().map(|label| (label.name(), label.value())).collect();
            // It was there a moment ago, and only a change of snapshots removes any.
            family.remove(&by_name).unwrap_or_default();
        }
    }
}
