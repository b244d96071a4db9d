//! Requests that the gateway makes itself: a tree as any other, which nobody's request began.

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

use super::collector::{Collector, hex, text};
use super::tree::{beneath, steps};
use crate::background::{identity, region};
use crate::harness::World;

#[tokio::test]
async fn a_request_of_the_gateway_itself_is_a_tree() {
    let collector = Collector::start("grpc").await;
    let settings = identity("") + &collector.settings("ratio = \"100%\"");
    let world = World::start(|plan| {
        region(plan, &settings);
        plan.practices = 1;
    })
    .await;
    let is_own = |line: &serde_json::Value| line["own"] == "crawl";
    let line = world.gateway.log.wait_for("one of its own", is_own).await;
    let spans = collector.trace_of(line["trace_id"].as_str().unwrap()).await;
    let own = &spans[0];
    assert_eq!((&*own.name, own.kind()), ("GET /metadata", SpanKind::Internal));
    assert!(own.parent_span_id.is_empty(), "{own:?}");
    assert_eq!(
        steps(&beneath(&spans)),
        [
            "audit commit (SPAN_KIND_INTERNAL) of GET /metadata",
            "cache (SPAN_KIND_INTERNAL) of GET /metadata",
            "upstream connect (SPAN_KIND_INTERNAL) of cache",
            "upstream wait (SPAN_KIND_CLIENT) of cache",
        ]
    );
    for (name, expected) in [
        ("gpconnect.own", "crawl"),
        ("gpconnect.consumer", "200000000399"),
        ("gpconnect.practice", "A20047"),
        ("gpconnect.result", "good"),
        ("http.route", "/metadata"),
        ("gpconnect.listener", ""),
        ("client.address", ""),
        ("url.scheme", ""),
    ] {
        assert_eq!(text(own, name), expected, "{name}");
    }
    // The provider and the log know it by the same ids.
    let wait = spans.iter().find(|span| span.name == "upstream wait").unwrap();
    let told = world.arrivals()[0].headers["traceparent"].clone();
    assert_eq!(told, format!("00-{}-{}-01", hex(&wait.trace_id), hex(&wait.span_id)));
    assert_eq!(line["otel_trace_id"], hex(&own.trace_id));
}
