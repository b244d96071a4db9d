//! Metrics in two kinds of families. Narrow ones carry every registered practice; wide ones carry
//! what a request was, and no practice. Label values come from the directory and from closed lists,
//! so that no request can add a series by what it claims.

use std::time::Duration;

use gpconnect::{interaction::TABLE, names::Asid};
use prometheus::{
    Encoder, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry,
    TextEncoder,
};

use super::{
    audit::AuditMetrics,
    cache::CacheMetrics,
    conformance::Conformance,
    families::{Families, Refused},
    issuers::IssuerMetrics,
    own::OwnMetrics,
    practices::PracticeMetrics,
    process::Process,
    record::{Origin, Record},
    registered::{InUse, RegisteredMetrics},
    resolved::Resolved,
    tls::TlsMetrics,
    tokens::TokenMetrics,
    traces::TraceMetrics,
};

const STALE: &str = "1 while the configuration on disk was refused and the last good one serves.";

const SWITCHES: &str = "What operations have switched off, by kind.";

const CONNECTIONS: &str = "Open connections of consumers by listener.";

const REPORT_ONLY: &str =
    "Faults that were only reported, because the consumer is let off the check.";

/// What a label says of something that is not registered or not known.
const UNKNOWN: &str = "unknown";

/// All metrics of one gateway, in a registry of its own.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    practices: PracticeMetrics,
    requests: IntCounterVec,
    report_only: IntCounterVec,
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
    /// What the gateway asks of its own accord.
    pub own: OwnMetrics,
    /// Access tokens and the keys of their issuers.
    pub issuers: IssuerMetrics,
    /// Who breaks which rule.
    pub conformance: Conformance,
    /// Those of spans.
    pub traces: TraceMetrics,
    upstream_connections: IntCounterVec,
    found: Found,
    /// Lines that the log had no room for.
    pub log_lines_dropped: IntCounter,
    reloads: IntCounterVec,
    stale: IntGauge,
    switches: IntGaugeVec,
    registered: RegisteredMetrics,
}

/// What most requests count in. Durations have a place for each interaction, the first for none.
#[derive(Debug)]
struct Found {
    gateway: Resolved<Histogram>,
    cache: Resolved<Histogram>,
    provider: Resolved<Histogram>,
    next_proxy: Resolved<Histogram>,
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
            next_proxy: durations(),
            upstream: durations(),
            connections,
        }
    }
}

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
        registry.register(Box::new(Process::new()?))?;
        Ok(Self {
            practices: PracticeMetrics::new()?,
            requests: make.counters(
                "requests_total",
                "Requests by interaction, consumer, status, fault and who made the answer.",
                &["interaction", "consumer", "status", "fault", "origin"],
            )?,
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
            own: OwnMetrics::new(&make)?,
            issuers: IssuerMetrics::new(&make)?,
            conformance: Conformance::new(&make)?,
            traces: TraceMetrics::new(&make)?,
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
            stale: make.gauge("snapshot_stale", STALE)?,
            switches: make.gauges("switches", SWITCHES, &["kind"])?,
            registered: RegisteredMetrics::new(&make)?,
            registry: registry.clone(),
        })
    }

    /// Takes note of a snapshot that came into use: its practices get their series, those that are
    /// gone lose theirs.
    pub fn snapshot(&self, new: &InUse<'_>) {
        self.practices.show(new);
        self.conformance.snapshot(new.policy);
        self.registered.show(new);
    }

    /// Takes note of a snapshot that came into use with the practices of the one before.
    pub fn switched(&self, generation: u64) {
        self.practices.switched(generation);
        self.registered.count_generation(generation);
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
        self.stale.set((!worked).into());
    }

    /// Takes note of how many practices and how many patients each consumer system was let ask for in the
    /// last hour.
    pub(super) fn fan_out(
        &self,
        practices: &std::collections::HashMap<Asid, usize>,
        patients: &std::collections::HashMap<Asid, usize>,
    ) {
        self.registered.fan_out(practices, patients);
    }

    /// Counts a finished request.
    pub(super) fn finished(&self, record: &Record<'_>) {
        record.practice.iter().for_each(|practice| self.practices.count(*practice, record));
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
        self.conformance.finished(record);
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
            Origin::NextProxy => &self.found.next_proxy,
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

    /// Everything in the text format of Prometheus.
    ///
    /// # Errors
    /// [`Refused`] when a family can't be written.
    pub fn text(&self) -> Result<Vec<u8>, Refused> {
        self.conformance.count();
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        self.practices.write(&mut text);
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

#[cfg(test)]
mod tests {
    use gpconnect::{
        Policy,
        contract::Header,
        interaction::InteractionSet,
        policy::{Endpoints, Practice, PracticeIndex},
        rejection::Reason,
        token::Observed,
    };

    use super::*;
    use crate::telemetry::{
        record::{Finished, example},
        registered,
    };

    fn show(metrics: &Metrics, generation: u64, codes: &[&str]) {
        let practice = |code: &&str| Practice {
            ods_code: code.parse().unwrap(),
            name: format!("Surgery {code}"),
            endpoints: Endpoints::default(),
            enablement: gpconnect::policy::Enablement::default(),
        };
        let practices = codes.iter().map(practice).collect();
        let policy = Policy::new(practices, vec![], [], InteractionSet::default());
        metrics.snapshot(&registered::example(generation, &policy));
    }

    fn text(metrics: &Metrics) -> String {
        String::from_utf8(metrics.text().unwrap()).unwrap()
    }

    /// gp-connect 15.
    #[test]
    fn a_finished_request_is_counted_in_both_kinds() {
        let metrics = Metrics::new().unwrap();
        show(&metrics, 3, &["B82617", "A20047"]);
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
            r#"gpconnect_gateway_practice_up{practice="A20047"} 1"#,
            r#"gpconnect_gateway_practice_info{name="Surgery B82617",practice="B82617",upstream=""} 1"#,
            r#"gpconnect_gateway_limit{kind="in_flight"} 20"#,
            "gpconnect_gateway_directory_changed_timestamp_seconds 7",
            "gpconnect_gateway_process_threads ",
        ] {
            assert!(text.contains(line), "{line} is missing from\n{text}");
        }
    }

    #[test]
    fn a_practice_that_is_gone_loses_its_series() {
        let metrics = Metrics::new().unwrap();
        show(&metrics, 1, &["A20047", "B82617"]);
        metrics.finished(&example());
        show(&metrics, 2, &["A20047"]);
        let text = text(&metrics);
        assert!(!text.contains("B82617"));
        assert!(text.contains(r#"{practice="A20047",result="good"} 1"#), "others keep theirs");
    }

    #[test]
    fn a_practice_is_down_until_its_system_answers_again() {
        let metrics = Metrics::new().unwrap();
        show(&metrics, 1, &["A20047", "B82617"]);
        let up = || text(&metrics).contains(r#"practice_up{practice="A20047"} 1"#);
        assert!(up(), "until something else is known");
        let unreachable = Record {
            finished: Finished::Failed,
            fault: Some("upstream_unreachable"),
            status: Some(502),
            ..example()
        };
        metrics.finished(&unreachable);
        assert!(!up());
        metrics.finished(&Record { finished: Finished::Refused, ..example() });
        show(&metrics, 2, &["A20047"]);
        assert!(!up(), "neither a refusal nor a reload is news of it");
        metrics.finished(&Record { generation: 2, ..example() });
        assert!(up());
    }

    /// A request may outlast the snapshot that decided it, and one of the next may be faster than
    /// its counters.
    #[test]
    fn a_request_of_another_snapshot_is_counted_for_its_own_practice() {
        let metrics = Metrics::new().unwrap();
        show(&metrics, 2, &["A20047", "C81001"]);
        let finished = |code: &str, generation| {
            let practice = Some((PracticeIndex(1), code.parse().unwrap()));
            metrics.finished(&Record { practice, generation, ..example() });
        };
        finished("A20047", 1);
        finished("B82617", 1);
        finished("D82002", 3);
        show(&metrics, 3, &["A20047", "C81001", "D82002"]);
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

    #[test]
    fn a_snapshot_of_the_same_practices_counts_on() {
        let metrics = Metrics::new().unwrap();
        show(&metrics, 1, &["A20047"]);
        metrics.switched(2);
        for generation in [1, 2] {
            metrics.finished(&Record { generation, ..example() });
        }
        let text = text(&metrics);
        assert!(text.contains(r#"{practice="A20047",result="good"} 2"#), "{text}");
        assert!(text.contains("snapshot_generation 2"), "{text}");
    }
}
