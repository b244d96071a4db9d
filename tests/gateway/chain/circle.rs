//! Proxies that pass a request on in a circle.

use serde_json::Value;

use super::{serve_by_port, trace_id};
use crate::harness::interactions::READ_PATIENT;
use crate::harness::plan::{Onward, PLAIN};
use crate::harness::{Mode, World};
use crate::refusals::contract;

/// RFC 9110, 7.6.3: the request comes back to the gateway that sent it on, and does not go round for
/// ever.
#[tokio::test]
async fn a_request_that_comes_back_again_and_again_is_refused() {
    let nowhere = "127.0.0.1:1".parse().unwrap();
    let onward = Onward { address: nowhere, tls: PLAIN.into(), places: vec![0] };
    let world = World::start(|plan| plan.onward = Some(onward)).await;
    serve_by_port(&world, "transparent", "127.0.0.1").await;
    let own = world.address(Mode::Transparent).to_string();
    let told =
        world.gateway.reload("gateway.toml", |text| text.replace("127.0.0.1:1\"", &(own + "\"")));
    assert!(told.await["message"].as_str().unwrap().starts_with("configuration reloaded"));

    let call = world.call(Mode::Transparent, &READ_PATIENT, "Patient/1");
    let answer = world.send(call.with("Ssp-TraceID", &trace_id(1))).await;
    let row = contract::of("request_loop");
    assert_eq!(answer.status, row.status, "{answer:?}");
    assert_eq!(answer.json()["issue"][0]["code"], row.issue, "{answer:?}");
    assert_eq!(answer.header("proxy-status"), "gpconnect-gateway; error=proxy_loop_detected");
    assert!(answer.text().contains("goes in a circle"), "{answer:?}");
    let is_its = |line: &&Value| line["trace_id"] == trace_id(1);
    let lines = world
        .gateway
        .log
        .wait_until("five lines", |lines| lines.iter().filter(is_its).count() == 5)
        .await;
    let mut rounds: Vec<_> = lines.iter().filter(is_its).collect();
    let refused = rounds.iter().position(|line| line["fault"] == "request_loop").unwrap();
    let refused = rounds.remove(refused);
    assert_eq!([&refused["result"], &refused["origin"]], ["refused", "gateway"], "{refused}");
    for line in rounds {
        assert_eq!([&line["result"], &line["origin"]], ["failed", "next_proxy"], "{line}");
    }
}
