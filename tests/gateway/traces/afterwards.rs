//! Requests that were not chosen: those that fail or take long get one span when they are over.

use std::net::SocketAddr;
use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;

use tokio::task::JoinSet;

use super::collector::{Collector, hex, text};
use super::trace_id;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Call, Connection, Mode, World};
use crate::scripted::{Scripted, Step};

async fn world(lines: &str) -> (Collector, Scripted, World) {
    let (collector, provider) = (Collector::start("grpc").await, Scripted::start().await);
    let settings = collector.settings(lines);
    let world = World::start(|plan| {
        plan.settings = settings;
        plan.upstream = Some(provider.address());
    })
    .await;
    (collector, provider, world)
}

fn call(world: &World, number: usize) -> Call {
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    call.with("Ssp-TraceID", &trace_id(number))
}

#[tokio::test]
async fn a_failed_request_gets_one_span_and_a_good_one_none() {
    let (collector, provider, world) = world("ratio = \"0%\"\nslow = \"10m\"").await;
    assert_eq!(world.send(call(&world, 1)).await.status, 200);
    // On the kept connection, and on the new one that it is tried again on.
    provider.will([Step::Reset]);
    provider.will([Step::Reset]);
    assert_eq!(world.send(call(&world, 2)).await.status, 502);
    // Of a new one at once there was no second.
    provider.forget();
    assert_eq!(world.send(call(&world, 3)).await.status, 200);
    let refused = call(&world, 4).with("Ssp-From", "999999999999");
    assert_eq!(world.send(refused).await.status, 403);
    let spans = collector.wait_until("two", |spans| spans.len() >= 2).await;
    assert_eq!(spans.len(), 2, "{spans:#?}");
    let of = |number| {
        let is_it = |span: &&Span| text(span, "gpconnect.trace_id") == trace_id(number);
        spans.iter().find(is_it).unwrap_or_else(|| panic!("{number} in {spans:#?}"))
    };
    let (failed, refused) = (of(2), of(4));
    assert_eq!((&*failed.name, failed.kind()), ("GET /Patient/{id}", SpanKind::Server));
    assert!(failed.parent_span_id.is_empty());
    assert_eq!(failed.status.as_ref().unwrap().code(), StatusCode::Error);
    assert_eq!(text(failed, "gpconnect.fault"), "upstream_unreachable");
    assert_eq!(text(failed, "http.response.status_code"), "502");
    assert_eq!(text(refused, "gpconnect.result"), "refused");
    // Its line leads to it; those of the others lead nowhere.
    let log = &world.gateway.log;
    let is_line = |line: &&serde_json::Value| says(line, "request");
    let lines =
        log.wait_until("four requests", |lines| lines.iter().filter(is_line).count() == 4).await;
    let line = |number| lines.iter().find(|line| line["trace_id"] == trace_id(number)).unwrap();
    assert_eq!(line(2)["otel_span_id"], hex(&failed.span_id));
    assert!(line(1).get("otel_span_id").is_none(), "{:?}", line(1));
    // A provider is not told of a span that is not there yet.
    assert!(provider.arrived().iter().all(|arrived| arrived.header("traceparent").is_empty()));
}

#[tokio::test]
async fn a_slow_request_gets_a_span_of_its_length() {
    let (collector, provider, world) = world("ratio = \"0%\"\nslow = \"150ms\"").await;
    provider.will([Step::Wait, Step::Good]);
    let held = async {
        provider.has_seen(1).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
        provider.go_on();
    };
    let (answer, ()) = tokio::join!(world.send(call(&world, 1)), held);
    assert_eq!(answer.status, 200);
    let spans = collector.trace_of(&trace_id(1)).await;
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert!(spans[0].status.as_ref().is_none_or(|status| status.code() == StatusCode::Unset));
    let length = spans[0].end_time_unix_nano - spans[0].start_time_unix_nano;
    assert!(length >= 200_000_000, "{length} ns");
}

/// Callers that flood at once, and their requests.
const FLOODING: usize = 20;
const EACH: usize = 25;

async fn refuse_again_and_again(address: SocketAddr, call: Call) {
    let mut connection = Connection::open(address).await;
    for _ in 0..EACH {
        let answer = connection.send(call.clone().with("Ssp-From", "999999999999")).await;
        assert_eq!(answer.status, 403);
        if answer.header("Connection") == "close" {
            connection = Connection::open(address).await;
        }
    }
}

#[tokio::test]
async fn a_flood_of_refusals_gets_no_flood_of_spans() {
    let (collector, _provider, world) = world("ratio = \"0%\"").await;
    let mut sent = 0;
    let limited = "gpconnect_gateway_trace_spans_total{result=\"limited\"} ";
    // Many at once: however slow the machine is, some second takes more than a hundred.
    while sent < 20_000 {
        let mut callers = JoinSet::new();
        for _ in 0..FLOODING {
            let (address, refused) = (world.address(Mode::Transparent), call(&world, sent));
            callers.spawn(refuse_again_and_again(address, refused));
            sent += EACH;
        }
        callers.join_all().await;
        let metrics = world.metrics().await;
        let count = metrics.lines().find_map(|line| line.strip_prefix(limited)).unwrap();
        if count.parse::<usize>().unwrap() > 0 {
            assert!(collector.spans().len() < sent, "{sent}");
            return;
        }
    }
    panic!("{sent} refusals, and each has its span");
}

#[tokio::test]
async fn the_share_changes_on_reload() {
    let (collector, _provider, world) = world("ratio = \"0%\"\nslow = \"10m\"").await;
    assert_eq!(world.send(call(&world, 1)).await.status, 200);
    let line = world
        .gateway
        .reload("gateway.toml", |text| text.replace("ratio = \"0%\"", "ratio = \"100%\""))
        .await;
    assert!(says(&line, "configuration reloaded"), "{line}");
    assert!(!line.to_string().contains("restart"), "{line}");
    assert_eq!(world.send(call(&world, 2)).await.status, 200);
    let spans = collector.trace_of(&trace_id(2)).await;
    assert_eq!(spans.len(), 4);
    assert_eq!(collector.spans().len(), 4, "none of the first");
}
