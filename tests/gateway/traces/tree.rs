//! The tree of spans of a request that was chosen.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use super::collector::{Collector, hex, text};
use super::{trace_id, traced};
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Mode, World};
use crate::scripted::{Scripted, Step};
use crate::tls::soon;

const ALL: &str = "ratio = \"100%\"";

fn status(span: &Span) -> StatusCode {
    span.status.as_ref().map_or(StatusCode::Unset, |status| status.code())
}

/// Name, kind and parent of each span beneath the first, in their order in time. All lie within it.
pub(super) fn beneath(spans: &[Span]) -> Vec<(&str, SpanKind, String)> {
    let own = &spans[0];
    let mut others: Vec<_> = spans[1..].iter().collect();
    others.sort_by_key(|span| span.start_time_unix_nano);
    let name = |id: &[u8]| {
        let parent = spans.iter().find(|span| span.span_id == id);
        parent.unwrap_or_else(|| panic!("a parent in {spans:#?}")).name.clone()
    };
    let tell = |span: &&'_ Span| {
        assert!(span.start_time_unix_nano >= own.start_time_unix_nano, "{span:?} in {own:?}");
        assert!(span.end_time_unix_nano >= span.start_time_unix_nano, "{span:?}");
        assert!(span.end_time_unix_nano <= own.end_time_unix_nano, "{span:?} in {own:?}");
        assert_eq!(span.trace_id, own.trace_id);
        name(&span.parent_span_id)
    };
    others.iter().map(|span| (&*span.name, span.kind(), tell(span))).collect()
}

pub(super) fn steps(found: &[(&str, SpanKind, String)]) -> Vec<String> {
    let step = |(name, kind, parent): &(&str, SpanKind, String)| {
        format!("{name} ({}) of {parent}", kind.as_str_name())
    };
    found.iter().map(step).collect()
}

/// The attributes of a read of a patient: by what was asked, and none by which a patient is known.
fn tells_of_its_request(own: &Span) {
    for (name, expected) in [
        ("http.request.method", "GET"),
        ("http.route", "/Patient/{id}"),
        ("http.response.status_code", "200"),
        ("url.scheme", "http"),
        ("network.protocol.version", "1.1"),
        ("client.address", "127.0.0.1"),
        ("error.type", ""),
        ("gpconnect.interaction", "fhir:rest:read:patient-1"),
        ("gpconnect.consumer", Mode::Transparent.asid()),
        ("gpconnect.organisation", "RXX01"),
        ("gpconnect.practice", "A20047"),
        ("gpconnect.result", "good"),
        ("gpconnect.origin", "provider"),
        ("gpconnect.fault", ""),
        ("url.path", ""),
        ("url.query", ""),
    ] {
        assert_eq!(text(own, name), expected, "{name}");
    }
}

#[tokio::test]
async fn a_request_is_a_tree_over_both_protocols() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start(protocol).await;
        let world = traced(&collector, ALL).await;
        let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
        assert_eq!(world.send(call.with("Ssp-TraceID", &trace_id(1))).await.status, 200);
        let spans = collector.trace_of(&trace_id(1)).await;
        let own = &spans[0];
        assert_eq!((&*own.name, own.kind()), ("GET /Patient/{id}", SpanKind::Server), "{protocol}");
        assert!(own.parent_span_id.is_empty(), "{own:?}");
        assert_eq!(status(own), StatusCode::Unset);
        assert_eq!(
            steps(&beneath(&spans)),
            [
                "audit commit (SPAN_KIND_INTERNAL) of GET /Patient/{id}",
                "upstream connect (SPAN_KIND_INTERNAL) of GET /Patient/{id}",
                "upstream wait (SPAN_KIND_CLIENT) of GET /Patient/{id}",
            ],
            "{protocol}"
        );
        tells_of_its_request(own);
        let wait = spans.iter().find(|span| span.name == "upstream wait").unwrap();
        let upstream = world.simulator.local_addr();
        for (name, expected) in [
            ("http.request.method", "GET"),
            ("http.response.status_code", "200"),
            ("server.address", "127.0.0.1"),
            ("server.port", &*upstream.port().to_string()),
        ] {
            assert_eq!(text(wait, name), expected, "{name}");
        }
        // The provider is told of the step that waits for it, and the log of the request's own.
        let ids = |span: &Span| (hex(&span.trace_id), hex(&span.span_id));
        let (trace, span) = ids(wait);
        let told = world.arrivals()[0].headers["traceparent"].clone();
        assert_eq!(told, format!("00-{trace}-{span}-01"));
        let line = world.gateway.log.wait_for("a request", |line| says(line, "request")).await;
        let logged = (line["otel_trace_id"].as_str(), line["otel_span_id"].as_str());
        let (trace, span) = ids(own);
        assert_eq!(logged, (Some(&*trace), Some(&*span)));
        let sender = &collector.senders()[0];
        assert!(sender.contains("service.name=gpconnect-gateway"), "{sender}");
        assert!(sender.contains("service.version="), "{sender}");
        // They count when the collector has said that it has them.
        let exported = "gpconnect_gateway_trace_spans_total{result=\"exported\"} 4\n";
        soon("four are exported", async || world.metrics().await.contains(exported)).await;
    }
}

#[tokio::test]
async fn an_answer_from_memory_and_the_call_that_fetched_it() {
    let collector = Collector::start("grpc").await;
    let settings = collector.settings(ALL) + "[cache]\n";
    let world = World::start(|plan| plan.settings = settings).await;
    let call = world.call(Mode::Transparent, &all::READ_METADATA, "metadata");
    for number in [1, 2] {
        let call = call.clone().with("Ssp-TraceID", &trace_id(number));
        assert_eq!(world.send(call).await.status, 200);
    }
    let miss = collector.trace_of(&trace_id(1)).await;
    assert_eq!(text(&miss[0], "gpconnect.cache"), "miss");
    assert_eq!(
        steps(&beneath(&miss)),
        [
            "audit commit (SPAN_KIND_INTERNAL) of GET /metadata",
            "cache (SPAN_KIND_INTERNAL) of GET /metadata",
            "upstream connect (SPAN_KIND_INTERNAL) of cache",
            "upstream wait (SPAN_KIND_CLIENT) of cache",
        ]
    );
    let wait = miss.iter().find(|span| span.name == "upstream wait").unwrap();
    let told = &world.arrivals()[0].headers["traceparent"];
    assert_eq!(*told, format!("00-{}-{}-01", hex(&wait.trace_id), hex(&wait.span_id)));
    let hit = collector.trace_of(&trace_id(2)).await;
    assert_eq!(text(&hit[0], "gpconnect.cache"), "hit");
    assert_eq!(text(&hit[0], "gpconnect.origin"), "cache");
    assert_eq!(
        steps(&beneath(&hit)),
        [
            "audit commit (SPAN_KIND_INTERNAL) of GET /metadata",
            "cache (SPAN_KIND_INTERNAL) of GET /metadata",
        ]
    );
}

#[tokio::test]
async fn a_refused_request_is_one_span_without_an_error() {
    let collector = Collector::start("grpc").await;
    let world = traced(&collector, ALL).await;
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    let call = call.with("Ssp-TraceID", &trace_id(1)).with("Ssp-From", "999999999999");
    let refused = world.send(call).await;
    assert_eq!(refused.status, 403, "{refused:?}");
    let spans = collector.trace_of(&trace_id(1)).await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert_eq!(status(&spans[0]), StatusCode::Unset, "the caller's mistake");
    assert_eq!(text(&spans[0], "http.response.status_code"), "403");
    assert_eq!(text(&spans[0], "gpconnect.result"), "refused");
    assert!(!text(&spans[0], "gpconnect.fault").is_empty());
    assert_eq!(text(&spans[0], "gpconnect.consumer"), "", "whom a request merely claims to be");
}

#[tokio::test]
async fn a_provider_that_dies_fails_the_step_and_the_request() {
    let (collector, provider) = (Collector::start("grpc").await, Scripted::start().await);
    let settings = collector.settings(ALL);
    let world = World::start(|plan| {
        plan.settings = settings;
        plan.upstream = Some(provider.address());
    })
    .await;
    provider.will([Step::Reset]);
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    assert_eq!(world.send(call.with("Ssp-TraceID", &trace_id(1))).await.status, 502);
    let spans = collector.trace_of(&trace_id(1)).await;
    assert_eq!(status(&spans[0]), StatusCode::Error);
    assert_eq!(text(&spans[0], "http.response.status_code"), "502");
    assert_eq!(text(&spans[0], "error.type"), "upstream_unreachable");
    assert_eq!(text(&spans[0], "gpconnect.fault"), "upstream_unreachable");
    let wait = spans.iter().find(|span| span.name == "upstream wait").unwrap();
    assert_eq!(status(wait), StatusCode::Error, "{wait:?}");
    assert!(!text(wait, "error.type").is_empty(), "{wait:?}");
    assert_eq!(beneath(&spans).len(), 3);
}

#[tokio::test]
async fn a_practice_that_refuses_connections_fails_the_first_step() {
    let collector = Collector::start("grpc").await;
    let settings = collector.settings(ALL);
    let world = World::start(|plan| {
        plan.settings = settings;
        plan.refusing = vec![0];
    })
    .await;
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    assert_eq!(world.send(call.with("Ssp-TraceID", &trace_id(1))).await.status, 502);
    let spans = collector.trace_of(&trace_id(1)).await;
    let connect = spans.iter().find(|span| span.name == "upstream connect").unwrap();
    assert_eq!(text(connect, "error.type"), "ConnectRefused");
    assert!(!spans.iter().any(|span| span.name == "upstream wait"), "{spans:#?}");
}

#[tokio::test]
async fn headers_of_a_file_go_with_each_batch() {
    for protocol in ["grpc", "http/protobuf"] {
        let collector = Collector::start(protocol).await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("headers.txt");
        fs::write(&file, "Authorization: Bearer of-a-test\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        let lines = format!("{ALL}\nheaders_file = \"{}\"", file.display());
        let world = traced(&collector, &lines).await;
        let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
        assert_eq!(world.send(call.with("Ssp-TraceID", &trace_id(1))).await.status, 200);
        collector.trace_of(&trace_id(1)).await;
        assert_eq!(collector.headers()[0]["authorization"], "Bearer of-a-test", "{protocol}");
    }
}
