//! Providers that are dead, slow, or lie: the consumer is told which, in the proxy's words, or gets
//! an answer that is visibly cut, and the other practices do not notice.

mod cut;
mod endless;
mod lies;
mod pages;
mod slow;
mod stale;
mod unreachable;

use std::net::SocketAddr;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::harness::interactions::{self, Interaction};
use crate::harness::{Call, Form, Mode, ORGANISATION, World};
use crate::refusals::{Outcome, check, contract};
use crate::scripted::{Scripted, Step};
use crate::wire::{self, Cut, Reply, Wire};

/// The practice behind the provider that does what a test tells it to.
const ODD: &str = "Y00001";
const ODD_ASID: &str = "918999198993";

/// A world with one practice more, at an address of the test's choosing. `settings` stand in
/// gateway.toml.
async fn world_with(address: &str, settings: &str) -> World {
    let upstream = format!(
        "[[upstream]]\nname = \"odd\"\naddress = \"{address}\"\ninsecure_plain_http = true\n\n"
    );
    let settings = format!("{upstream}{settings}");
    World::start(move |plan| {
        plan.settings = settings;
        plan.consumers += &practice();
        plan.refusing = vec![2];
    })
    .await
}

/// The same around a scripted provider.
async fn scripted(settings: &str) -> (World, Scripted) {
    let provider = Scripted::start().await;
    let address: SocketAddr = provider.address();
    (world_with(&address.to_string(), settings).await, provider)
}

fn practice() -> String {
    let all = "\"foundations\", \"appointments\", \"structured\"";
    let root = format!("https://odd.sim.example/{ODD}/STU3/1/gpconnect");
    format!(
        "\n[[organisation]]\nods_code = \"{ODD}\"\nname = \"The Odd Practice\"\n\n\
         [[provider]]\norganisation = \"{ODD}\"\nasid = \"{ODD_ASID}\"\n\
         party_key = \"{ODD}-821452\"\nupstream = \"odd\"\n\
         service_roots = {{ foundations = \"{root}\", appointments = \"{root}\", \
         structured = \"{root}/structured\" }}\n\n\
         [[agreement]]\nreference = \"ODD\"\nconsumers = [\"{ORGANISATION}\"]\n\
         practices = [\"{ODD}\"]\ncapabilities = [{all}]\n\n\
         [[enablement]]\npractices = [\"{ODD}\"]\ngp_connect = true\n\
         capabilities = [\"appointments\", \"structured\"]\n"
    )
}

/// A call of the odd practice with a trace id of its own.
fn call(world: &World, interaction: &Interaction, path: &str) -> Call {
    let segment = if interaction.structured { "gpconnect/structured" } else { "gpconnect" };
    let target = format!("/{ODD}/STU3/1/{segment}/{path}");
    let call = Call { target, ..world.call(Mode::Transparent, interaction, path) };
    let root = format!("https://odd.sim.example/{ODD}/STU3/1/{segment}");
    let claims = crate::harness::token::claims(interaction.scope, &root);
    call.with("Ssp-To", ODD_ASID).with("Ssp-TraceID", &Uuid::new_v4().to_string()).claiming(&claims)
}

/// A query that names a patient.
fn query(world: &World) -> Call {
    call(world, &interactions::SEARCH_PATIENT, "Patient?identifier=x%7C9000000009")
}

/// A command.
fn command(world: &World) -> Call {
    let body = json!({"resourceType": "Appointment", "status": "booked"});
    call(world, &interactions::BOOK_APPOINTMENT, "Appointment").json(&body)
}

/// A good call of another practice, which stands at another upstream.
fn elsewhere(world: &World) -> Call {
    let practice = world.practice(1);
    let interaction = &interactions::READ_PATIENT;
    let call = Call::new(Mode::Transparent, Form::Ods, practice, interaction, "Patient/1");
    call.with("Ssp-TraceID", &Uuid::new_v4().to_string())
}

/// A call of a practice that the simulator plays, which meets a fault there.
fn simulated(world: &World, fault: &str) -> Call {
    let practice = world.practice(0);
    let interaction = &interactions::READ_PATIENT;
    let call = Call::new(Mode::Transparent, Form::Ods, practice, interaction, "Patient/1");
    call.with("X-Sim-Fault", fault).with("Ssp-TraceID", &Uuid::new_v4().to_string())
}

async fn send(world: &World, call: &Call) -> Reply {
    Wire::open(world.address(Mode::Transparent)).await.exchange(call).await
}

/// The other practices do not notice.
async fn others_are_well(world: &World, name: &str) {
    let reply = send(world, &elsewhere(world)).await;
    assert_eq!(reply.status, 200, "{name}: another practice: {reply:?}");
}

/// The same by a command, where queries have a deadline that a slow machine may miss.
async fn others_take_commands(world: &World, name: &str) {
    let (practice, interaction) = (world.practice(1), &interactions::BOOK_APPOINTMENT);
    let call = Call::new(Mode::Transparent, Form::Ods, practice, interaction, "Appointment");
    let reply = send(world, &call.json(&json!({"resourceType": "Appointment"}))).await;
    // No appointment: the practice says so.
    assert!((400..500).contains(&reply.status), "{name}: another practice: {reply:?}");
    assert_eq!(reply.header("via"), "1.1 gpconnect-gateway", "{name}: it said so: {reply:?}");
}

/// The odd practice answers a next request as itself. Its connection is kept then: a line is logged
/// when everything else is done.
async fn is_well_again(world: &World, name: &str) {
    answers_as_itself(world, query(world), name).await;
}

/// The same with another request.
async fn answers_as_itself(world: &World, call: Call, name: &str) {
    let reply = send(world, &call).await;
    assert_eq!(reply.status, 200, "{name}: the next request: {reply:?}");
    assert_eq!(reply.json()["id"], call.header("Ssp-TraceID").unwrap(), "{name}: {reply:?}");
    line(world, &call, name).await;
}

/// An answer of ours that names the URL without its query.
fn tells(reply: &Reply, call: &Call, word: &str, name: &str) {
    let row = contract::of(word);
    assert_eq!(reply.status, row.status, "{name}: {reply:?}");
    assert_eq!(reply.header("cache-control"), "no-store", "{name}");
    assert_eq!(reply.header("ssp-traceid"), call.header("Ssp-TraceID").unwrap(), "{name}");
    assert_eq!(reply.all("server"), [""; 0], "{name}: no engine page");
    let outcome = Outcome::of(reply, "json");
    check::tells(&outcome, &row, "ERROR_COMMUNICATING_TO_ENDPOINT_URL_https://", name);
    let path = call.target.split('?').next().unwrap().trim_start_matches("/https://");
    let told = &outcome.issues[0].diagnostics;
    assert!(told.ends_with(path), "{name}: {told}");
}

/// How often a request may be tried of which something is to begin before a deadline: a slow machine may be
/// late with that.
const TRIES: usize = 10;

/// Has a query meet these steps until its answer has begun in time; gives back the call, the answer as far
/// as it came, how it was cut, and the connection. `beside` is done while it waits.
async fn begun_in_time(
    world: &World,
    provider: &Scripted,
    steps: &[Step],
    ask: impl Fn() -> Call,
    beside: impl AsyncFn(),
) -> (Call, Reply, Option<Cut>, Wire) {
    for _ in 0..TRIES {
        let call = ask();
        provider.will(steps.to_vec());
        let mut wire = Wire::open(world.address(call.mode)).await;
        wire.write(wire::bytes(&call)).await;
        beside().await;
        let (reply, cut) = wire.read_any(&call.verb).await;
        if reply.status != 504 {
            return (call, reply, cut, wire);
        }
        provider.forget();
        provider.arrived();
    }
    panic!("no answer began in time, {TRIES} times");
}

/// The log line of a call.
async fn line(world: &World, call: &Call, name: &str) -> Value {
    let trace_id = call.header("Ssp-TraceID").unwrap();
    world.gateway.log.wait_for(name, |line| line["trace_id"] == trace_id).await
}

/// What operators read of a call that failed.
async fn is_logged(world: &World, call: &Call, words: &[&str], name: &str) {
    let line = line(world, call, name).await;
    assert!(words.contains(&line["fault"].as_str().unwrap_or("")), "{name}: {line}");
    assert_eq!(line["result"], "failed", "{name}: {line}");
    assert!(!line.to_string().contains("9000000009"), "{name}: {line}");
}
