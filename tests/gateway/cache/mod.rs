//! Answers from memory: what is given to whom, how often a provider is asked, and what log and
//! journal say of it.

mod crossing;
mod purge;
mod stampede;
mod table;
mod turns;

use serde_json::Value;

use crate::harness::interactions as all;
use crate::harness::{Answer, Call, Mode, World};
use crate::scripted::{Scripted, Step};

/// A world whose practices are all behind a provider that does as it is told, with this in
/// `[cache]`.
pub(crate) async fn cached(settings: &str) -> (World, Scripted) {
    cached_within("1m", settings).await
}

/// The same, where no answer takes longer than twice that time.
async fn cached_within(limit: &str, settings: &str) -> (World, Scripted) {
    let provider = Scripted::start().await;
    let world = World::start(|plan| {
        plan.upstream = Some(provider.address());
        plan.settings =
            format!("[timeouts]\nconnect = {limit:?}\nquery = {limit:?}\n\n[cache]\n{settings}\n");
    })
    .await;
    (world, provider)
}

/// A trace id with this number in it.
fn trace_id(number: usize) -> String {
    format!("629ea9ba-a077-4d99-b289-{number:012}")
}

/// A read of the organisation with this id.
fn read(world: &World, mode: Mode, id: &str) -> Call {
    world.call(mode, &all::READ_ORGANIZATION, &format!("Organization/{id}"))
}

/// An organisation, as a provider has it.
fn organisation(version: usize) -> String {
    format!("{{\"resourceType\":\"Organization\",\"id\":\"17\",\"version\":\"{version}\"}}")
}

/// An answer with these lines in its head, besides its length. Its connection is not kept: a call
/// that fails on a new one is not sent again.
pub(crate) fn reply(status: &str, lines: &str, body: &str) -> Step {
    let framing = format!("Connection: close\r\nContent-Length: {}", body.len());
    Step::send(format!("HTTP/1.1 {status}\r\n{lines}{framing}\r\n\r\n{body}"))
}

pub(crate) const JSON: &str = "Content-Type: application/fhir+json;charset=utf-8\r\n";

/// A good answer with a tag of this version.
fn good(version: usize) -> Step {
    let lines = format!("{JSON}Cache-Control: no-store\r\nETag: W/\"{version}\"\r\n");
    reply("200 OK", &lines, &organisation(version))
}

/// What the log says of the request with this trace id.
async fn line(world: &World, trace_id: &str) -> Value {
    world.gateway.log.wait_for(trace_id, |line| line["trace_id"] == trace_id).await
}

/// How it fared with the cache, by the log; empty where it has nothing to do with it.
async fn fared(world: &World, trace_id: &str) -> String {
    line(world, trace_id).await["cache"].as_str().unwrap_or_default().to_owned()
}

/// Sends a call and expects it to fare so.
async fn send(world: &World, number: usize, call: Call, how: &str) -> Answer {
    let id = trace_id(number);
    let answer = world.send(call.with("Ssp-TraceID", &id)).await;
    assert_eq!(fared(world, &id).await, how, "{number}: {answer:?}");
    answer
}
