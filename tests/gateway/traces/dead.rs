//! Collectors that take nothing: requests don't notice, spans are dropped and counted, and a stop is
//! not held up.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpListener;

use super::collector::settings;
use super::trace_id;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Mode, World};
use crate::tls::soon;

/// Requests that are sent: four spans each, more than may wait.
const REQUESTS: usize = 1_500;

async fn world(address: SocketAddr, protocol: &str) -> World {
    let settings = settings(address, protocol, "ratio = \"100%\"") + "[server]\ndrain = \"2s\"\n";
    World::start(|plan| plan.settings = settings).await
}

/// The number of spans with this result.
fn count(metrics: &str, result: &str) -> usize {
    let start = format!("gpconnect_gateway_trace_spans_total{{result=\"{result}\"}} ");
    metrics.lines().find_map(|line| line.strip_prefix(&start)).unwrap().parse().unwrap()
}

async fn send(world: &World, requests: usize) -> Duration {
    let mut connection = world.connect(Mode::Transparent).await;
    let call = world.call(Mode::Transparent, &all::READ_LOCATION, "Location/1");
    let start = Instant::now();
    for number in 0..requests {
        let call = call.clone().with("Ssp-TraceID", &trace_id(number));
        assert!(connection.send(call).await.status < 500);
    }
    start.elapsed()
}

/// Whether each span is accounted for, and none too many are held.
fn is_accounted_for(metrics: &str) -> bool {
    let waiting = "gpconnect_gateway_trace_spans_waiting ";
    let waiting = metrics.lines().find_map(|line| line.strip_prefix(waiting)).unwrap();
    let waiting: usize = waiting.parse().unwrap();
    assert!(waiting <= 2_048, "{waiting}");
    // A batch may be under way.
    let settled = count(metrics, "failed") + count(metrics, "dropped") + waiting;
    (REQUESTS * 4 - 512..=REQUESTS * 4).contains(&settled)
}

async fn costs_nothing(mut world: World) {
    // Several at once, before a slow machine has waited for the first batches in vain.
    let quarter = || send(&world, REQUESTS / 4);
    tokio::join!(quarter(), quarter(), quarter(), quarter());
    // The last request's line may be written behind its answer.
    let is_line = |line: &&serde_json::Value| says(line, "request");
    world
        .gateway
        .log
        .wait_until("all", |lines| lines.iter().filter(is_line).count() == REQUESTS)
        .await;
    let metrics = world.metrics().await;
    assert_eq!(count(&metrics, "exported"), 0);
    assert!(is_accounted_for(&metrics), "{metrics}");
    assert!(count(&metrics, "dropped") > 0, "{metrics}");
    let memory = world.gateway.peak_memory();
    assert!(memory < 200 << 20, "{memory} bytes");
    let start = Instant::now();
    assert_eq!(world.gateway.stop().await, Some(0));
    // The drain time, and much for a busy machine.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[tokio::test]
async fn one_that_is_not_there_is_told_of_once() {
    // Bound and not listened at: nobody else gets it, and connections are refused.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    for protocol in ["grpc", "http/protobuf"] {
        let mut world = world(address, protocol).await;
        send(&world, 10).await;
        let complaint = "traces: the collector takes no spans";
        world.gateway.log.wait_for(complaint, |line| says(line, complaint)).await;
        // The first batch may have failed before the last request came.
        let lost = |metrics: &str| count(metrics, "failed") + count(metrics, "dropped");
        soon("all have failed", async || lost(&world.metrics().await) == 40).await;
        assert_eq!(world.gateway.stop().await, Some(0));
        let told = world.gateway.log.lines();
        assert_eq!(told.iter().filter(|line| says(line, complaint)).count(), 1, "{protocol}");
    }
}

#[tokio::test]
async fn one_that_hangs_costs_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hanging = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            open.push(stream);
        }
    });
    for protocol in ["grpc", "http/protobuf"] {
        costs_nothing(world(address, protocol).await).await;
    }
    hanging.abort();
}

/// What waits when a gateway stops is still sent.
#[tokio::test]
async fn the_last_spans_are_sent_at_the_end() {
    let collector = super::collector::Collector::start("grpc").await;
    let mut world = super::traced(&collector, "ratio = \"100%\"").await;
    send(&world, 20).await;
    assert_eq!(world.gateway.stop().await, Some(0));
    assert_eq!(collector.spans().len(), 80);
}
