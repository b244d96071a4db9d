//! What a caller says of its trace, and what a provider is told.

use super::collector::{Collector, hex};
use super::{trace_id, traced};
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, World};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SPAN: &str = "00f067aa0ba902b7";

fn call(world: &World, number: usize) -> Call {
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    call.with("Ssp-TraceID", &trace_id(number))
}

/// What the provider was told last: `traceparent` and `tracestate`.
fn told(world: &World) -> (String, String) {
    let arrival = world.arrivals().pop().unwrap();
    let header = |name: &str| {
        let lines = arrival.headers.get_all(name).iter();
        lines.map(|line| line.to_str().unwrap_or("not ASCII")).collect::<Vec<_>>().join("|")
    };
    (header("traceparent"), header("tracestate"))
}

#[tokio::test]
async fn a_caller_that_traces_its_request_is_the_parent() {
    let collector = Collector::start("grpc").await;
    let world = traced(&collector, "ratio = \"0%\"").await;
    let parent = format!("00-{TRACE}-{SPAN}-01");
    let sent = call(&world, 1).with("traceparent", &parent).with("tracestate", "a=1,b=2");
    assert_eq!(world.send(sent).await.status, 200);
    let spans = collector.trace_of(&trace_id(1)).await;
    assert_eq!(spans.len(), 4, "{spans:#?}");
    assert_eq!(hex(&spans[0].trace_id), TRACE);
    assert_eq!(hex(&spans[0].parent_span_id), SPAN);
    let wait = spans.iter().find(|span| span.name == "upstream wait").unwrap();
    let (parent, state) = told(&world);
    assert_eq!(parent, format!("00-{TRACE}-{}-01", hex(&wait.span_id)));
    assert_eq!(state, "a=1,b=2");
    // What further parties add may say anything, and is in no span.
    assert!(spans.iter().all(|span| span.trace_state.is_empty()), "{spans:#?}");
}

#[tokio::test]
async fn a_caller_that_does_not_is_left_out_and_passed_on() {
    let collector = Collector::start("grpc").await;
    let world = traced(&collector, "ratio = \"100%\"").await;
    let parent = format!("00-{TRACE}-{SPAN}-00");
    let sent = call(&world, 1).with("traceparent", &parent).with("tracestate", "a=1");
    assert_eq!(world.send(sent).await.status, 200);
    assert_eq!(told(&world), (parent.clone(), "a=1".to_owned()));
    // But when it fails, its span is of the caller's trace.
    let failed = call(&world, 2).with("traceparent", &parent).with("Ssp-From", "999999999999");
    assert_eq!(world.send(failed).await.status, 403);
    let spans = collector.trace_of(&trace_id(2)).await;
    assert_eq!(
        (hex(&spans[0].trace_id), hex(&spans[0].parent_span_id)),
        (TRACE.into(), SPAN.into())
    );
    assert_eq!(collector.spans().len(), 1);
}

#[tokio::test]
async fn callers_can_not_have_everything_traced() {
    let collector = Collector::start("grpc").await;
    let world = traced(&collector, "ratio = \"0%\"\ncallers_per_second = 0\nslow = \"10m\"").await;
    let parent = format!("00-{TRACE}-{SPAN}-01");
    assert_eq!(world.send(call(&world, 1).with("traceparent", &parent)).await.status, 200);
    assert_eq!(told(&world).0, parent, "passed on, for it is not of ours");
    let failed = call(&world, 2).with("Ssp-From", "999999999999");
    assert_eq!(world.send(failed).await.status, 403);
    collector.trace_of(&trace_id(2)).await;
    assert_eq!(collector.spans().len(), 1);
}

#[tokio::test]
async fn absurd_contexts_are_as_none() {
    let collector = Collector::start("grpc").await;
    let world = traced(&collector, "ratio = \"100%\"").await;
    let good = format!("00-{TRACE}-{SPAN}-01");
    let long = "x".repeat(8_000);
    let state = format!("a={long}");
    let many = (0..300).map(|number| format!("k{number}=1")).collect::<Vec<_>>().join(",");
    for (number, lines) in [
        vec![("traceparent", "")],
        vec![("traceparent", "9434765919")],
        vec![("traceparent", &*long)],
        vec![("traceparent", "00-00000000000000000000000000000000-0000000000000000-01")],
        vec![("traceparent", "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")],
        vec![("traceparent", &*good), ("traceparent", &*good)],
        vec![("traceparent", "x"), ("tracestate", "a=1")],
        vec![("tracestate", &*state)],
        vec![("tracestate", &*many)],
        vec![("traceparent", "é")],
    ]
    .into_iter()
    .enumerate()
    {
        let sent = call(&world, number);
        let sent = lines.iter().fold(sent, |sent, (name, value)| sent.and(name, value));
        assert_eq!(world.send(sent).await.status, 200, "{number}");
        let spans = collector.trace_of(&trace_id(number)).await;
        let own = &spans[0];
        assert!(own.parent_span_id.is_empty() && hex(&own.trace_id) != TRACE, "{number}: {own:?}");
        let (parent, state) = told(&world);
        assert!(parent.contains(&hex(&own.trace_id)), "{number}: {parent}");
        assert_eq!(state, "", "{number}");
    }
    // A good parent with a state of no form is still a parent.
    let sent = call(&world, 99).with("traceparent", &good).with("tracestate", &state);
    assert_eq!(world.send(sent).await.status, 200);
    assert_eq!(hex(&collector.trace_of(&trace_id(99)).await[0].parent_span_id), SPAN);
    assert_eq!(told(&world).1, "");
}

/// Without a collector the gateway has no part in traces: what is sent goes on as it is.
#[tokio::test]
async fn without_a_collector_contexts_pass_untouched() {
    let world = World::start(|_| {}).await;
    let sent = call(&world, 1).with("traceparent", "x").with("tracestate", "y");
    assert_eq!(world.send(sent).await.status, 200);
    assert_eq!(told(&world), ("x".to_owned(), "y".to_owned()));
}
