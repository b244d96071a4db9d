//! Kept connections that the provider has given up, and requests that must not be sent twice.

use serde_json::json;

use super::{call, command, is_logged, is_well_again, query, scripted, send, tells};
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, World};
use crate::scripted::{Arrived, Scripted, Step, answer};
use crate::wire::{self, Reply, Wire};

/// Leaves one kept connection behind: its number.
async fn warm(world: &World, provider: &Scripted) -> usize {
    let mut wire = Wire::open(world.address(Mode::Transparent)).await;
    let reply = wire.exchange(&query(world).and("Connection", "close")).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    // With the caller's connection ended the provider's has been put back for others.
    assert_eq!(wire.rest().await, b"");
    provider.arrived()[0].connection
}

/// Sends a call over a kept connection, which then fares by the first of these scripts, and another
/// by the second: the answer, and what arrived.
async fn over_a_kept_one(
    world: &World,
    provider: &Scripted,
    call: &Call,
    scripts: [Step; 2],
) -> (Reply, Vec<Arrived>) {
    for _ in 0..10 {
        let kept = warm(world, provider).await;
        for step in &scripts {
            provider.will([step.clone()]);
        }
        let reply = send(world, call).await;
        let arrived = provider.arrived();
        provider.forget();
        // Who comes while the engine still watches the kept connection gets a new one.
        if arrived[0].connection == kept {
            return (reply, arrived);
        }
    }
    panic!("no call went over a kept connection in ten turns");
}

fn record(world: &World) -> Call {
    let body = json!({"resourceType": "Parameters"});
    call(world, &all::GET_STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord").json(&body)
}

/// It takes the request and closes: nobody knows what it did. A query is asked once more.
/// gp-connect 5.
#[tokio::test]
async fn a_query_is_sent_once_more() {
    for end in [Step::Close, Step::Reset] {
        let (world, provider) = scripted("").await;
        for (name, call) in
            [("a search", query(&world)), ("a record, which is a POST", record(&world))]
        {
            let scripts = [end.clone(), Step::Good];
            let (reply, arrived) = over_a_kept_one(&world, &provider, &call, scripts).await;
            assert_eq!(reply.status, 200, "{name}, {end:?}: {reply:?}");
            assert_eq!(reply.json()["id"], call.header("Ssp-TraceID").unwrap(), "{name}, {end:?}");
            assert_eq!(arrived.len(), 2, "{name}, {end:?}");
            assert_ne!(arrived[0].connection, arrived[1].connection, "{name}: a fresh connection");
            assert_eq!(arrived[0].head, arrived[1].head, "{name}: the same request");
            assert_eq!(arrived[0].body, arrived[1].body, "{name}: the same body");
            assert_eq!(arrived[0].body, call.body.concat(), "{name}: the whole body");
        }
    }
}

/// Once more, and not again.
/// gp-connect 5.
#[tokio::test]
async fn a_query_is_not_sent_a_third_time() {
    let (world, provider) = scripted("").await;
    let call = query(&world);
    let scripts = [Step::Close, Step::Close];
    let (reply, arrived) = over_a_kept_one(&world, &provider, &call, scripts).await;
    tells(&reply, &call, "upstream_unreachable", "closed twice");
    assert_eq!(arrived.len(), 2);
    is_well_again(&world, "closed twice").await;
}

/// On a connection made for it there is nothing stale: the provider ended it on purpose.
#[tokio::test]
async fn a_query_on_a_fresh_connection_is_not_repeated() {
    let (world, provider) = scripted("").await;
    provider.will([Step::Close]);
    let call = query(&world);
    tells(&send(&world, &call).await, &call, "upstream_unreachable", "closed");
    assert_eq!(provider.arrived().len(), 1);
}

/// Whatever happens to it, a command arrives once.
/// gp-connect 5.
#[tokio::test]
async fn a_command_never_arrives_twice() {
    let patient = scripted("[timeouts]\ncommand = \"1m\"\n").await;
    // Only where nothing is said there is a deadline that a slow machine could miss.
    let hasty = scripted("[timeouts]\ncommand = \"500ms\"\n").await;
    let world = &patient.0;
    let version = |call: Call| call.with("If-Match", "W/\"1\"");
    let body = json!({"resourceType": "Appointment"});
    let register = json!({"resourceType": "Parameters"});
    let amend = || version(call(world, &all::AMEND_APPOINTMENT, "Appointment/1")).json(&body);
    let cancel = || version(call(world, &all::CANCEL_APPOINTMENT, "Appointment/1")).json(&body);
    let register =
        || call(world, &all::REGISTER_PATIENT, "Patient/$gpc.registerpatient").json(&register);
    let book = || command(world);
    let half = "HTTP/1.1 200 OK\r\nContent-";
    for (name, script, word) in [
        ("it closes", vec![Step::Close], "upstream_unreachable"),
        ("it resets", vec![Step::Reset], "upstream_unreachable"),
        ("it says nothing", vec![Step::Hang], "upstream_timeout"),
        (
            "it talks nonsense",
            vec![Step::send("nonsense\r\n\r\n"), Step::Close],
            "upstream_invalid",
        ),
        ("it breaks off in the head", vec![Step::send(half), Step::Close], "upstream_unreachable"),
    ] {
        for (kind, call) in
            [("book", book()), ("amend", amend()), ("cancel", cancel()), ("register", register())]
        {
            for kept in [true, false] {
                let name = format!("{name}, {kind}, kept: {kept}");
                let (world, provider) = if word == "upstream_timeout" { &hasty } else { &patient };
                if kept {
                    warm(world, provider).await;
                }
                let call = call.clone().with("Ssp-TraceID", &uuid::Uuid::new_v4().to_string());
                provider.will(script.clone());
                let reply = send(world, &call).await;
                tells(&reply, &call, word, &name);
                is_logged(world, &call, &[word], &name).await;
                let mut arrived = provider.arrived();
                while arrived.is_empty() {
                    tokio::task::yield_now().await;
                    arrived.extend(provider.arrived());
                }
                assert_eq!(arrived.len(), 1, "{name}");
            }
        }
    }
}

/// A connection that was closed while nobody used it is not used: nothing is lost, so that a
/// command goes over a fresh one.
#[tokio::test]
async fn a_connection_closed_in_the_pool_costs_nothing() {
    let (world, provider) = scripted("").await;
    for turn in 1..=10 {
        provider.will([Step::send(answer("{}")), Step::Close]);
        assert_eq!(send(&world, &query(&world)).await.status, 200);
        provider.has_ended(turn).await;
        provider.arrived();
        provider.will([Step::send(answer("{}")), Step::Close]);
        let reply = send(&world, &command(&world)).await;
        let arrived = provider.arrived().len();
        // The news of the end may cross the command on its way.
        assert!(matches!((reply.status, arrived), (200, 1) | (502, 0)), "{arrived}: {reply:?}");
        if reply.status == 200 {
            return;
        }
    }
    panic!("no command was carried in ten turns");
}

/// A caller that has gone does not leave its answer to the next one.
#[tokio::test]
async fn an_answer_that_nobody_waits_for_is_not_given_to_another() {
    let (world, provider) = scripted("").await;
    for turn in 0..5 {
        let lost = query(&world);
        provider.will([Step::Wait, Step::send(answer("{\"id\":\"for the one that left\"}"))]);
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&lost)).await;
        provider.has_seen(turn * 2 + 1).await;
        drop(wire);
        is_logged(&world, &lost, &["caller_gone"], "left").await;
        provider.go_on();
        is_well_again(&world, "behind it").await;
    }
}
