//! Providers that take too long.

use std::time::Duration;

use super::{
    answers_as_itself, begun_in_time, command, is_logged, others_are_well, others_take_commands,
    query, scripted, send, tells,
};
use crate::harness::Mode;
use crate::scripted::{Step, answer};
use crate::wire::{self, Cut, Wire};

/// Queries have a deadline that a slow machine may miss with a good answer, commands have none.
const SHORT: &str = "[timeouts]\nquery = \"600ms\"\ncommand = \"1m\"\n";
/// The other way round.
const SHORT_COMMANDS: &str = "[timeouts]\nquery = \"1m\"\ncommand = \"600ms\"\n";

/// gp-connect 14 and 15.
#[tokio::test]
async fn a_provider_that_says_nothing() {
    for (name, settings) in [("query", SHORT), ("command", SHORT_COMMANDS)] {
        let (world, provider) = scripted(settings).await;
        let (call, next) = match name {
            "query" => (query(&world), command(&world)),
            _ => (command(&world), query(&world)),
        };
        provider.will([Step::Hang]);
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&call)).await;
        // While it waits the others are carried.
        match name {
            "query" => others_take_commands(&world, name).await,
            _ => others_are_well(&world, name).await,
        }
        let reply = wire.read(&call.verb).await;
        tells(&reply, &call, "upstream_timeout", name);
        is_logged(&world, &call, &["upstream_timeout"], name).await;
        provider.has_seen(1).await;
        assert_eq!(provider.arrived().len(), 1, "{name}: sent once");
        answers_as_itself(&world, next, name).await;
    }
}

/// Queries and commands have deadlines of their own.
/// gp-connect 14.
#[tokio::test]
async fn a_command_has_its_own_deadline() {
    let (world, provider) = scripted("[timeouts]\nquery = \"5m\"\ncommand = \"300ms\"\n").await;
    provider.will([Step::Wait, Step::send(answer("{\"slow\":true}"))]);
    provider.will([Step::Hang]);
    let slow = query(&world);
    let mut waiting = Wire::open(world.address(Mode::Transparent)).await;
    waiting.write(wire::bytes(&slow)).await;
    provider.has_seen(1).await;
    let call = command(&world);
    tells(&send(&world, &call).await, &call, "upstream_timeout", "command");
    provider.go_on();
    assert_eq!(waiting.read("GET").await.json()["slow"], true);
}

/// Each byte is progress on the wire, but the head does not get there.
#[tokio::test]
async fn a_head_that_drips() {
    let drip = |text: &str| Step::Drip(text.as_bytes().to_vec(), Duration::from_millis(100));
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}", "a".repeat(2_000));
    for (name, settings) in [("query", SHORT), ("command", SHORT_COMMANDS)] {
        let (world, provider) = scripted(settings).await;
        let (call, next) = match name {
            "query" => (query(&world), command(&world)),
            _ => (command(&world), query(&world)),
        };
        provider.will([drip(&long)]);
        let reply = send(&world, &call).await;
        tells(&reply, &call, "upstream_timeout", name);
        is_logged(&world, &call, &["upstream_timeout"], name).await;
        provider.has_seen(1).await;
        assert_eq!(provider.arrived().len(), 1, "{name}: sent once");
        answers_as_itself(&world, next, "after it").await;
    }
}

/// "Wait a little" for ever is no answer.
#[tokio::test]
async fn interim_answers_without_end() {
    let (world, provider) = scripted(SHORT).await;
    let now_and_then = Duration::from_millis(20);
    let hints = "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
    for (name, interim, again) in [
        ("100", "HTTP/1.1 100 Continue\r\n\r\n".to_owned(), now_and_then),
        ("102", "HTTP/1.1 102 Processing\r\n\r\n".to_owned(), now_and_then),
        ("103", hints.to_owned(), now_and_then),
        ("a flood of 100", "HTTP/1.1 100 Continue\r\n\r\n".repeat(500), Duration::ZERO),
        ("a flood of 103", hints.repeat(500), Duration::ZERO),
    ] {
        let call = query(&world);
        provider.will([Step::Forever(interim.into(), again)]);
        let reply = send(&world, &call).await;
        tells(&reply, &call, "upstream_timeout", name);
        is_logged(&world, &call, &["upstream_timeout"], name).await;
        answers_as_itself(&world, command(&world), name).await;
    }
}

/// A body that stops coming is cut, not waited for, and not taken for whole.
#[tokio::test]
async fn a_body_that_stalls() {
    let (world, provider) = scripted(SHORT).await;
    let head = "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n";
    for (name, begun) in [
        ("by its length", format!("{head}Content-Length: 100\r\n\r\n{{\"a\":")),
        ("before its first byte", format!("{head}Content-Length: 100\r\n\r\n")),
        ("in chunks", format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\n{{\"a\":\r\n")),
        ("in a chunk", format!("{head}Transfer-Encoding: chunked\r\n\r\n50\r\n{{\"a\":")),
        ("until it closes", format!("{head}Connection: close\r\n\r\n{{\"a\":")),
    ] {
        let steps = [Step::send(begun), Step::Hang];
        let (call, reply, cut, mut wire) =
            begun_in_time(&world, &provider, &steps, || query(&world), async || {}).await;
        assert_eq!((reply.status, cut), (200, Some(Cut::InBody)), "{name}: {reply:?}");
        assert_eq!(wire.rest().await, b"", "{name}");
        is_logged(&world, &call, &["answer_cut"], name).await;
        others_take_commands(&world, name).await;
        answers_as_itself(&world, command(&world), name).await;
    }
}

/// Many that wait for one practice hold up none that asks another.
/// gp-connect 1 and 15.
#[tokio::test]
async fn a_crowd_before_a_slow_practice() {
    let (world, provider) = scripted("[timeouts]\nquery = \"5m\"\n").await;
    let mut waiting = Vec::new();
    for number in 0..50 {
        provider.will([Step::Wait, Step::send(answer("{}"))]);
        let mut wire = Wire::open(world.address(Mode::Transparent)).await;
        wire.write(wire::bytes(&query(&world))).await;
        waiting.push(wire);
        if number % 10 == 9 {
            others_are_well(&world, "while they wait").await;
        }
    }
    provider.has_seen(50).await;
    others_are_well(&world, "while all wait").await;
    provider.go_on();
    for mut wire in waiting {
        assert_eq!(wire.read("GET").await.status, 200);
    }
}
