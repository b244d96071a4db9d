//! Counting of breaches by rule and organisation.

use std::time::Duration;

use gpconnect::{
    Check,
    interaction::InteractionSet,
    observe::{self, Head},
    policy::{Consumer as Registered, Enablement, Endpoints, Mode, Practice as Answering},
    rejection::Reason,
};

use super::*;
use crate::telemetry::{Metrics, record::example, registered};

const CONSUMER: &str = "200000000359";

fn policy(practices: &[&str], organisation: &str) -> Policy {
    let practice = |code: &&str| Answering {
        ods_code: code.parse().unwrap(),
        name: String::new(),
        endpoints: Endpoints::default(),
        enablement: Enablement::default(),
    };
    let consumer = Registered {
        asid: CONSUMER.parse().unwrap(),
        organisation: organisation.parse().unwrap(),
        organisation_name: organisation.into(),
        party_key: None,
        host_names: vec![],
        interactions: InteractionSet::default(),
        mode: Mode::default(),
        report_only: gpconnect::report_only::ReportOnly::default(),
        token: gpconnect::token::TokenTerms::default(),
        access: None,
        single_issue: false,
    };
    let practices = practices.iter().map(practice).collect();
    Policy::new(practices, vec![consumer], [], InteractionSet::default())
}

fn metrics() -> Metrics {
    let metrics = Metrics::new().unwrap();
    metrics.snapshot(&registered::example(1, &policy(&["A20047", "B82617"], "RXX01")));
    metrics
}

fn answer(no_store: bool, tag: &[u8]) -> Observed {
    let head = Head {
        status: 200,
        no_store,
        tag: Some(tag),
        content_type: Some("application/fhir+json;charset=utf-8"),
        is_bare: false,
        took: Duration::ZERO,
    };
    observe::head(&head, InteractionId::ReadPatient, |_| true)
}

fn trace_id(number: usize) -> TraceId {
    format!("629ea9ba-a077-4d99-b289-{number:012}").parse().unwrap()
}

/// What was counted, as `side organisation rule broken/of`.
fn told(metrics: &Metrics) -> Vec<String> {
    let breaches = metrics.conformance.breaches(100, |_, _| true).breaches;
    let line = |it: &Breach| {
        format!("{} {} {} {}/{}", it.side, it.organisation, it.rule, it.broken, it.of)
    };
    breaches.iter().map(line).collect()
}

fn record(number: usize) -> Record<'static> {
    let organisation = "RXX01".parse().ok();
    Record { organisation, trace_id: Some(trace_id(number)), ..example() }
}

#[test]
fn both_sides_are_counted_with_the_worst_first() {
    let metrics = metrics();
    let reported = [Reason::HeaderMissing(gpconnect::contract::Header::IfMatch)];
    let mut refused = CheckSet::default();
    refused.extend([Check::Scope]);
    for number in 0..4 {
        let observed = Some(answer(number > 2, if number > 1 { b"W/\"1\"" } else { b"\"1\"" }));
        metrics.finished(&Record { observed, ..record(number) });
    }
    metrics.finished(&Record { reported: &reported, ..record(5) });
    metrics.finished(&Record { broken: refused, practice: None, ..record(6) });
    metrics.finished(&Record { organisation: None, consumer: None, ..record(7) });
    let expected = [
        "practices A20047 no_store 3/4",
        "practices A20047 etag_weak 2/4",
        "consumers RXX01 if_match 1/6",
        "consumers RXX01 scope 1/6",
    ];
    assert_eq!(told(&metrics), expected);
    let page = String::from_utf8(metrics.text().unwrap()).unwrap();
    for line in [
        r#"conformance_total{organisation="A20047",rule="no_store",side="practices"} 3"#,
        r#"conformance_total{organisation="RXX01",rule="scope",side="consumers"} 1"#,
    ] {
        assert!(page.contains(line), "{line} is missing from\n{page}");
    }
    let conformance = &metrics.conformance;
    let one = conformance.breaches(1, |_, rule| rule.side() == Side::Consumers);
    assert_eq!((one.total, one.breaches.len(), one.uncounted), (2, 1, 0));
    assert_eq!(one.breaches[0].rate, 0.1667);
    assert_eq!(one.breaches[0].examples[0].system.as_deref(), Some(CONSUMER));
}

/// gp-connect 12: an example is a trace id of UUID form and nothing else of the request.
#[test]
fn only_the_latest_examples_are_kept() {
    let metrics = metrics();
    for number in 0..10 {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(number);
        let number = usize::try_from(number).unwrap();
        let observed = Some(answer(false, b"W/\"1\""));
        metrics.finished(&Record { observed, at, ..record(number) });
    }
    let breach = metrics.conformance.breaches(9, |_, _| true).breaches.remove(0);
    let examples: Vec<_> = breach.examples.iter().map(|seen| seen.trace_id.as_str()).collect();
    let expected = [9, 8, 7].map(|number| trace_id(number).to_string());
    assert_eq!(examples, expected);
    assert_eq!(breach.first, "1970-01-01T00:00:00.000Z");
    assert_eq!(breach.last, "1970-01-01T00:00:09.000Z");
    assert_eq!(breach.examples[0].interaction, Some("fhir:rest:read:patient-1"));
    assert_eq!(breach.examples[0].system, None);
}

#[test]
fn who_leaves_the_directory_is_forgotten() {
    let metrics = metrics();
    let mut broken = CheckSet::default();
    broken.extend([Check::Scope]);
    let both = || Record { observed: Some(answer(false, b"W/\"1\"")), broken, ..record(1) };
    metrics.finished(&both());
    assert_eq!(told(&metrics).len(), 2);
    metrics.snapshot(&registered::example(2, &policy(&["B82617"], "RYY02")));
    assert_eq!(told(&metrics), [""; 0]);
    // One that was decided before.
    metrics.finished(&both());
    assert_eq!(told(&metrics), [""; 0]);
    let page = String::from_utf8(metrics.text().unwrap()).unwrap();
    assert!(!page.contains("conformance_total{"), "{page}");
}

#[test]
fn what_finds_no_room_is_said() {
    let metrics = metrics();
    for number in 0..ROOM + 5 {
        metrics.finished(&record(number));
    }
    assert_eq!(metrics.conformance.breaches(1, |_, _| true).uncounted, 5);
}
