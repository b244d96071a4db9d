//! Metrics in two kinds of families. Narrow ones carry every registered practice; wide ones carry
//! what a request was, and no practice. Label values come from the directory and from closed lists,
//! so that no request can add a series by what it claims.

use std::{
    cmp::Ordering,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use arc_swap::ArcSwap;
use foldhash::fast::RandomState;
use gpconnect::{Check, Policy, interaction::TABLE, names::OdsCode, policy::PracticeIndex};
use hashbrown::HashMap;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge,
    IntGaugeVec, Opts, Registry, TextEncoder, core::Collector,
};

use super::{
    audit::AuditMetrics,
    cache::CacheMetrics,
    issuers::IssuerMetrics,
    record::{Origin, Record, Result as Verdict},
    resolved::Resolved,
    tls::TlsMetrics,
    tokens::TokenMetrics,
};

/// The specification's own limits (0.1, 0.25, 1 and 3 s) are edges, so that rules can use them.
const SECONDS: &[f64] = &[0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 3.0, 10.0, 30.0];

const LOADED: &str = "When the snapshot in use was loaded, in seconds since 1970 UTC.";

const SWITCHES: &str = "What operations have switched off, by kind.";

const CONNECTIONS: &str = "Open connections of consumers by listener.";

const REPORT_ONLY: &str =
    "Faults that were only reported, because the consumer is let off the check.";

const REGISTERED: &str = "Systems and organisations in the snapshot in use.";

const BROKEN: &[&str] = &["organisation", "rule"];

const CONFORMANCE: &str = "Answers of a practice that break a rule of the specification, whether or not they were mended.";

/// What a label says of something that is not registered or not known.
const UNKNOWN: &str = "unknown";

/// The counters of one practice, one a [`Verdict`].
type PracticeCounters = [IntCounter; Verdict::ALL.len()];

/// The counters of all practices of one snapshot, so that counting costs an index and not a look-up.
#[derive(Debug, Default)]
struct Practices {
    generation: u64,
    counters: Vec<PracticeCounters>,
    /// For requests that an older snapshot decided, in which a practice had another place.
    places: HashMap<OdsCode, usize, RandomState>,
}

/// All metrics of one gateway, in a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    practice_requests: IntCounterVec,
    practices: ArcSwap<Practices>,
    requests: IntCounterVec,
    report_only: IntCounterVec,
    conformance: IntCounterVec,
    tokens: TokenMetrics,
    duration: HistogramVec,
    upstream_duration: HistogramVec,
    /// Requests being carried.
    pub in_flight: IntGauge,
    /// Connections of consumers by listener.
    pub connections: IntGaugeVec,
    /// Connections of consumers over all listeners: what their limit is held against.
    pub all_connections: IntGauge,
    /// Those of TLS.
    pub tls: TlsMetrics,
    /// Those of the journal.
    pub audit: AuditMetrics,
    /// Those of the cache.
    pub cache: CacheMetrics,
    /// Access tokens and the keys of their issuers.
    pub issuers: IssuerMetrics,
    upstream_connections: IntCounterVec,
    found: Found,
    /// Lines that the log had no room for.
    pub log_lines_dropped: IntCounter,
    reloads: IntCounterVec,
    generation: IntGauge,
    loaded: IntGauge,
    switches: IntGaugeVec,
    registered: IntGaugeVec,
}

/// What most requests count in. Durations have a place for each interaction, the first for none.
#[derive(Debug)]
struct Found {
    gateway: Resolved<Histogram>,
    cache: Resolved<Histogram>,
    provider: Resolved<Histogram>,
    upstream: Resolved<Histogram>,
    connections: Resolved<IntCounter>,
}

impl Default for Found {
    fn default() -> Self {
        let durations = || Resolved::with_room(TABLE.len() + 1);
        let connections = Resolved::with_room(2);
        Self {
            gateway: durations(),
            cache: durations(),
            provider: durations(),
            upstream: durations(),
            connections,
        }
    }
}

/// A name or a label that the library refuses: a fault of this file, seen by its test.
pub type Refused = prometheus::Error;

impl Metrics {
    /// Makes and registers every family.
    ///
    /// # Errors
    /// [`Refused`] when two families share a name.
    pub fn new() -> Result<Self, Refused> {
        let registry = Registry::new_custom(Some("gpconnect_gateway".into()), None)?;
        let make = Families(&registry);
        let build_info =
            make.gauges("build_info", "The version that runs; always 1.", &["version"])?;
        build_info.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Ok(Self {
            practice_requests: make.counters(
                "practice_requests_total",
                "Requests by practice and result: good, slow, refused, provider_error, failed.",
                &["practice", "result"],
            )?,
            practices: ArcSwap::default(),
            requests: make.counters(
                "requests_total",
                "Requests by interaction, consumer, status, fault and who made the answer.",
                &["interaction", "consumer", "status", "fault", "origin"],
            )?,
            conformance: make.counters("conformance_total", CONFORMANCE, BROKEN)?,
            report_only: make.counters("report_only_total", REPORT_ONLY, &["consumer", "check"])?,
            tokens: TokenMetrics::new(&make)?,
            duration: make.histograms(
                "request_duration_seconds",
                "From the complete head of a request to the last byte of its answer.",
                &["interaction", "kind", "origin"],
            )?,
            upstream_duration: make.histograms(
                "upstream_duration_seconds",
                "From sending a request to the head of the provider's answer.",
                &["interaction", "kind"],
            )?,
            found: Found::default(),
            in_flight: make.gauge("requests_in_flight", "Requests being carried.")?,
            connections: make.gauges("connections", CONNECTIONS, &["listener"])?,
            all_connections: make.gauge("connections_open", "Open connections of consumers.")?,
            tls: TlsMetrics::new(&make)?,
            audit: AuditMetrics::new(&make)?,
            cache: CacheMetrics::new(&make)?,
            issuers: IssuerMetrics::new(&make)?,
            upstream_connections: make.counters(
                "upstream_requests_total",
                "Requests sent to upstreams over a new or a reused connection.",
                &["connection"],
            )?,
            log_lines_dropped: make.counter(
                "log_lines_dropped_total",
                "Log lines dropped because the log could not be written fast enough.",
            )?,
            reloads: make.counters("reloads_total", "Reloads by result.", &["result"])?,
            generation: make
                .gauge("snapshot_generation", "The snapshot in use, counted from 1.")?,
            loaded: make.gauge("snapshot_loaded_timestamp_seconds", LOADED)?,
            switches: make.gauges("switches", SWITCHES, &["kind"])?,
            registered: make.gauges("registered", REGISTERED, &["kind"])?,
            registry: registry.clone(),
        })
    }

    /// Takes note of a snapshot that came into use: its practices get their series, those that are
    /// gone lose theirs.
    pub fn snapshot(&self, generation: u64, policy: &Policy) {
        let counters = |code: &str| {
            Verdict::ALL
                .map(|verdict| self.practice_requests.with_label_values(&[code, verdict.as_str()]))
        };
        let practices = policy.practices();
        let is_known =
            |code: &str| code.parse().is_ok_and(|code| policy.find_practice(code).is_some());
        for family in self.practice_requests.collect() {
            for metric in family.get_metric() {
                let [practice, result] = metric.get_label() else { continue };
                if !is_known(practice.value()) {
                    // It was there a moment ago, and only this function removes any.
                    self.practice_requests
                        .remove_label_values(&[practice.value(), result.value()])
                        .unwrap_or_default();
                }
            }
        }
        let codes = || practices.iter().map(|practice| practice.ods_code);
        self.practices.store(Arc::new(Practices {
            generation,
            counters: codes().map(|code| counters(code.as_str())).collect(),
            places: codes().zip(0..).collect(),
        }));
        self.generation.set(generation.try_into().unwrap_or(i64::MAX));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.loaded.set(now.as_secs().try_into().unwrap_or(i64::MAX));
        let count = |kind: &str, count: usize| {
            let count = count.try_into().unwrap_or(i64::MAX);
            self.registered.with_label_values(&[kind]).set(count);
        };
        count("practice", practices.len());
        count("consumer", policy.consumers().len());
    }

    /// Takes note of how much is switched off, by kind.
    pub fn switched_off(&self, counts: &[(&'static str, usize)]) {
        for (kind, count) in counts {
            let count = i64::try_from(*count).unwrap_or(i64::MAX);
            self.switches.with_label_values(&[*kind]).set(count);
        }
    }

    /// Counts a reload.
    pub fn reloaded(&self, worked: bool) {
        let result = if worked { "loaded" } else { "refused" };
        self.reloads.with_label_values(&[result]).inc();
    }

    /// Counts an answer of `practice` that breaks a rule.
    pub fn broken(&self, practice: OdsCode, rule: Check) {
        self.conformance.with_label_values(&[practice.as_str(), rule.name()]).inc();
    }

    /// Counts a finished request.
    pub(super) fn finished(&self, record: &Record<'_>) {
        if let Some((index, code)) = record.practice {
            self.count_practice(index, code, record);
        }
        let interaction = record.interaction.map_or(UNKNOWN, |id| id.short());
        let kind = record.interaction.map_or(UNKNOWN, |id| id.row().kind.as_str());
        let origin = record.origin.as_str();
        let consumer = record.consumer.as_ref().map_or(UNKNOWN, |asid| asid.as_str());
        let fault = record.fault.unwrap_or("");
        let mut digits = [0; 3];
        let status = status_text(record.status, &mut digits);
        self.requests.with_label_values(&[interaction, consumer, status, fault, origin]).inc();
        if let Some((how, id)) = record.cache.zip(record.interaction) {
            self.cache.count(id, how);
        }
        for reason in record.reported {
            self.report_only.with_label_values(&[consumer, reason.check().name()]).inc();
        }
        if let Some(consumer) = &record.consumer {
            self.tokens.count(consumer.as_str(), &record.token);
        }
        let place = record.interaction.map_or(0, |id| id as usize + 1);
        let duration = || self.duration.with_label_values(&[interaction, kind, origin]);
        let resolved = match record.origin {
            Origin::Gateway => &self.found.gateway,
            Origin::Cache => &self.found.cache,
            Origin::Provider => &self.found.provider,
        };
        resolved.with(place, duration, |histogram| observe(histogram, record.duration));
        if let Some(upstream) = record.upstream {
            let duration = || self.upstream_duration.with_label_values(&[interaction, kind]);
            let resolved = &self.found.upstream;
            resolved.with(place, duration, |histogram| observe(histogram, upstream));
        }
        if let Some(reused) = record.upstream_reused {
            let connection = if reused { "reused" } else { "new" };
            let counter = || self.upstream_connections.with_label_values(&[connection]);
            self.found.connections.with(usize::from(reused), counter, IntCounter::inc);
        }
    }

    fn count_practice(
        &self,
        PracticeIndex(index): PracticeIndex,
        code: OdsCode,
        record: &Record<'_>,
    ) {
        let practices = self.practices.load();
        let place = match record.generation.cmp(&practices.generation) {
            Ordering::Equal => Some(index as usize),
            // One that is gone since must not get a series again.
            Ordering::Less => practices.places.get(&code).copied(),
            Ordering::Greater => None,
        };
        let verdict = record.result();
        let counters = place.and_then(|place| practices.counters.get(place));
        if let Some(counter) = counters.and_then(|all| all.get(verdict as usize)) {
            counter.inc();
        } else if record.generation > practices.generation {
            // The snapshot is in use a moment before its practices get their series.
            self.practice_requests.with_label_values(&[code.as_str(), verdict.as_str()]).inc();
        }
    }

    /// Everything in the text format of Prometheus.
    ///
    /// # Errors
    /// [`Refused`] when a family can't be written.
    pub fn text(&self) -> Result<Vec<u8>, Refused> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }
}

fn observe(histogram: &Histogram, duration: Duration) {
    histogram.observe(duration.as_secs_f64());
}

/// Three digits without an allocation; 0 when the caller got no answer.
fn status_text(status: Option<u16>, digits: &mut [u8; 3]) -> &str {
    let status = status.unwrap_or(0);
    let digit = |value: u16| u8::try_from(value % 10).unwrap_or_default() + b'0';
    *digits = [digit(status / 100), digit(status / 10), digit(status)];
    str::from_utf8(digits).unwrap_or(UNKNOWN)
}

/// Makes families and registers them.
pub(super) struct Families<'r>(&'r Registry);

impl Families<'_> {
    fn register<C: Collector + Clone + 'static>(&self, family: C) -> Result<C, Refused> {
        self.0.register(Box::new(family.clone()))?;
        Ok(family)
    }

    pub(super) fn counter(&self, name: &str, help: &str) -> Result<IntCounter, Refused> {
        self.register(IntCounter::new(name, help)?)
    }

    pub(super) fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntCounterVec, Refused> {
        self.register(IntCounterVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn gauge(&self, name: &str, help: &str) -> Result<IntGauge, Refused> {
        self.register(IntGauge::new(name, help)?)
    }

    pub(super) fn gauges(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> Result<IntGaugeVec, Refused> {
        self.register(IntGaugeVec::new(Opts::new(name, help), labels)?)
    }

    pub(super) fn histogram(&self, name: &str, help: &str) -> Result<Histogram, Refused> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.register(Histogram::with_opts(options)?)
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str]) -> Result<HistogramVec, Refused> {
        let options = HistogramOpts::new(name, help).buckets(SECONDS.to_vec());
        self.register(HistogramVec::new(options, labels)?)
    }
}

#[cfg(test)]
mod tests {
    use gpconnect::{
        contract::Header,
        interaction::InteractionSet,
        policy::{Endpoints, Practice},
        rejection::Reason,
        token::Observed,
    };

    use super::*;
    use crate::telemetry::record::example;

    fn policy(codes: &[&str]) -> Policy {
        let practice = |code: &&str| Practice {
            ods_code: code.parse().unwrap(),
            name: String::new(),
            endpoints: Endpoints::default(),
            enablement: gpconnect::policy::Enablement::default(),
        };
        Policy::new(codes.iter().map(practice).collect(), vec![], [], InteractionSet::default())
    }

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.text().unwrap()).unwrap()
    }

    /// gp-connect 15.
    #[test]
    fn a_finished_request_is_counted_in_both_kinds() {
        let metrics = Metrics::new().unwrap();
        metrics.snapshot(3, &policy(&["B82617", "A20047"]));
        let reported = [Reason::HeaderMissing(Header::IfMatch)];
        let token =
            Observed { skew: Some(6), is_of_another_organisation: true, ..Observed::default() };
        metrics.finished(&Record { reported: &reported, token, ..example() });
        let text = text(&metrics);
        for line in [
            r#"gpconnect_gateway_token_clock_skew_seconds{consumer="200000000359"} 6"#,
            r#"gpconnect_gateway_token_clock_ahead_total{consumer="200000000359"} 1"#,
            r#"gpconnect_gateway_token_other_organisation_total{consumer="200000000359"} 1"#,
            r#"gpconnect_gateway_report_only_total{check="if_match",consumer="200000000359"} 1"#,
            r#"gpconnect_gateway_practice_requests_total{practice="A20047",result="good"} 1"#,
            r#"gpconnect_gateway_practice_requests_total{practice="B82617",result="good"} 0"#,
            r#"gpconnect_gateway_requests_total{consumer="200000000359",fault="",interaction="fhir:rest:read:patient-1",origin="provider",status="200"} 1"#,
            r#"gpconnect_gateway_request_duration_seconds_bucket{interaction="fhir:rest:read:patient-1",kind="query",origin="provider",le="0.25"} 1"#,
            r#"gpconnect_gateway_upstream_requests_total{connection="reused"} 1"#,
            r#"gpconnect_gateway_snapshot_generation 3"#,
            r#"gpconnect_gateway_registered{kind="practice"} 2"#,
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn a_practice_that_is_gone_loses_its_series() {
        let metrics = Metrics::new().unwrap();
        metrics.snapshot(1, &policy(&["A20047", "B82617"]));
        metrics.finished(&example());
        metrics.snapshot(2, &policy(&["A20047"]));
        let text = text(&metrics);
        assert!(!text.contains("B82617"));
        assert!(text.contains(r#"{practice="A20047",result="good"} 1"#), "others keep theirs");
    }

    /// A request may outlast the snapshot that decided it, and one of the next may be faster than
    /// its counters.
    #[test]
    fn a_request_of_another_snapshot_is_counted_for_its_own_practice() {
        let metrics = Metrics::new().unwrap();
        metrics.snapshot(2, &policy(&["A20047", "C81001"]));
        let finished = |code: &str, generation| {
            let practice = Some((PracticeIndex(1), code.parse().unwrap()));
            metrics.finished(&Record { practice, generation, ..example() });
        };
        finished("A20047", 1);
        finished("B82617", 1);
        finished("D82002", 3);
        let text = text(&metrics);
        for (line, there) in [
            (r#"{practice="A20047",result="good"} 1"#, true),
            (r#"{practice="C81001",result="good"} 0"#, true),
            (r#"{practice="D82002",result="good"} 1"#, true),
            ("B82617", false),
        ] {
            assert_eq!(text.contains(line), there, "{line} in\n{text}");
        }
    }
}
