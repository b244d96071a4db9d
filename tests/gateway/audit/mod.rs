//! The journal of a real gateway, held against what a provider saw.

mod contents;
mod disks;
mod faults;
mod flood;
mod full;
mod gone;
pub(crate) mod journal;
mod keys;
mod load;
mod outside;
mod power;
mod search;
mod witness;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::exposition::Exposition;
use crate::harness::interactions as all;
use crate::harness::promises::mostly_within;
use crate::harness::{Call, DEADLINE, Mode, World};
use crate::wire::Wire;
use journal::Journal;

/// How long something took each time, of which a second is promised.
#[derive(Default)]
struct Prompt(Vec<Duration>);

impl Prompt {
    fn took(&mut self, long: Duration) {
        assert!(long < DEADLINE, "{long:?}");
        self.0.push(long);
    }

    fn is_within_a_second(&self) {
        mostly_within(Duration::from_secs(1), &self.0);
    }
}

/// A read with a trace id of its own.
fn read(world: &World, trace_id: &str) -> Call {
    let call = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    call.with("Ssp-TraceID", trace_id)
}

/// The trace ids of what has reached the provider.
fn arrived(world: &World) -> BTreeSet<String> {
    let arrivals = world.arrivals();
    let trace_id = |headers: &http::HeaderMap| headers["ssp-traceid"].to_str().unwrap().to_owned();
    arrivals.iter().map(|arrival| trace_id(&arrival.headers)).collect()
}

/// Each access has an intent and its outcome, each refusal its record, and all of it can be proved.
/// gp-connect 12.
#[tokio::test]
async fn every_access_and_every_refusal_is_on_record() {
    let mut world = World::start(|_| {}).await;
    let good = "629ea9ba-a077-4d99-b289-7a9b19fd4e03";
    let refused = "629ea9ba-a077-4d99-b289-7a9b19fd4e04";
    assert_eq!(world.send(read(&world, good)).await.status, 200);
    let strange = read(&world, refused).with("Ssp-To", "999999999999");
    assert_eq!(world.send(strange).await.status, 400);
    let mut stranger = Wire::open(world.address(Mode::Transparent)).await;
    stranger.write("GET / HTTP/1.1\r\n\r\n").await;
    stranger.rest().await;
    world.gateway.reload("consumers.toml", |text| text + "\n# changed\n").await;
    assert_eq!(arrived(&world), BTreeSet::from([good.to_owned()]));
    assert_eq!(world.gateway.stop().await, Some(0));

    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    let intent = journal.only("intent");
    assert_eq!(intent["trace_id"], good);
    assert_eq!(intent["consumer"], Mode::Transparent.asid());
    assert_eq!(intent["practice"], world.practice(0).ods_code.as_str());
    assert_eq!(intent["interaction"], "fhir:rest:read:patient-1");
    let outcome = journal.only("outcome");
    let place = format!("{}/{}", intent["epoch"], intent["seq"]);
    assert_eq!((&outcome["intent"], &outcome["status"]), (&place.into(), &200.into()));
    let refusal = journal.only("refusal");
    assert_eq!((&refusal["trace_id"], &refusal["status"]), (&refused.into(), &400.into()));
    assert_eq!(refusal["fault"], "receiver_mismatch");
    assert_eq!(journal.only("refusals")["network"], "127.0.0.0/24");
    for kind in ["epoch", "start", "reload", "stop", "end"] {
        journal.only(kind);
    }
}

/// Callers that flood.
const FLOODING: usize = 16;

/// A known consumer that is refused on and on is only counted, and its connection closed; a new
/// one is answered like any other.
#[tokio::test]
async fn who_floods_the_journal_with_refusals_loses_the_connection() {
    let mut world = World::start(|_| {}).await;
    let strange =
        || read(&world, "629ea9ba-a077-4d99-b289-7a9b19fd4e04").with("Ssp-To", "999999999999");
    // Many at once: one after another a slow machine would not come to a hundred in a second.
    let (closed, mut callers) = (Arc::<AtomicBool>::default(), JoinSet::new());
    for _ in 0..FLOODING {
        let (strange, closed) = (strange(), Arc::clone(&closed));
        let mut connection = world.connect(Mode::Transparent).await;
        callers.spawn(async move {
            let mut sent = 0_u64;
            while !closed.load(Ordering::Relaxed) {
                sent += 1;
                let answer = connection.send(strange.clone()).await;
                assert_eq!(answer.status, 400);
                if answer.header("connection") == "close" {
                    closed.store(true, Ordering::Relaxed);
                }
            }
            sent
        });
    }
    let sent = timeout(DEADLINE * 2, callers.join_all()).await.expect("a connection is closed");
    let sent: u64 = sent.into_iter().sum();
    assert!(sent > 100, "closed after {sent} refusals");
    let good = read(&world, "629ea9ba-a077-4d99-b289-7a9b19fd4e05");
    let answer = world.send(good).await;
    assert_eq!(answer.status, 200);
    let lags = |page: &Exposition| page.sum("audit_lag_seconds", &[]) > 0.0;
    Exposition::once(&world, "all is durable", |page| !lags(page)).await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    let summed: u64 = journal.of("refusals").map(|record| record["count"].as_u64().unwrap()).sum();
    let singly = journal.of("refusal").count() as u64;
    assert!(summed > 0 && singly >= 100, "{singly} singly, {summed} together");
    assert_eq!(singly + summed, sent, "none is lost");
}

/// Who has the reader's key sees who looked at whom; who has not sees neither. gp-connect 12.
#[tokio::test]
async fn only_readers_see_patients_and_users() {
    let mut world = World::start(|_| {}).await;
    let patient = "identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009";
    let path = format!("Patient?{patient}");
    let call = world.call(Mode::Transparent, &all::SEARCH_PATIENT, &path);
    assert_eq!(world.send(call).await.status, 200);
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    let search = ["--nhs-number", "900 000 0009", "--search-key", "audit-keys/search.key"];
    let reader = ["--reader-key", "audit-keys/reader.key"];
    let found = journal::command(folder, "search", &[&search[..], &["-o", "json"]].concat());
    assert!(found.contains("\"kind\":\"intent\"") && found.contains("\"kind\":\"outcome\""));
    assert!(!found.contains("9000000009"), "{found}");
    let opened = journal::command(folder, "search", &[&search[..], &reader[..]].concat());
    assert!(opened.contains("9000000009") && opened.contains(patient), "{opened}");
}

/// Who asks for a number finds the reads by id that followed, and those of nobody else.
/// gp-connect 12.
#[tokio::test]
async fn a_number_finds_what_was_asked_by_id() {
    for format in ["application/fhir+json", "application/fhir+xml"] {
        let mut world = World::start(|_| {}).await;
        let number = "https://fhir.nhs.uk/Id/nhs-number%7C9000000009";
        let path = format!("Patient?identifier={number}");
        let find = world.call(Mode::Transparent, &all::SEARCH_PATIENT, &path);
        let told = world.directly(&find, &all::SEARCH_PATIENT, &path).await.json();
        let id = told["entry"][0]["resource"]["id"].as_str().unwrap().to_owned();
        assert_eq!(world.send(find.with("Accept", format)).await.status, 200);
        let other = if id == "1" { "2" } else { "1" };
        for id in [&id, other] {
            let path = format!("Patient/{id}");
            let read = world.call(Mode::Transparent, &all::READ_PATIENT, &path);
            assert_eq!(world.send(read).await.status, 200, "{id}");
        }
        assert_eq!(world.gateway.stop().await, Some(0));
        let folder = world.gateway.folder();
        let search = ["--nhs-number", "9000000009", "--search-key", "audit-keys/search.key"];
        let reader = ["--kind", "intent", "--reader-key", "audit-keys/reader.key", "-o", "json"];
        let found = journal::command(folder, "search", &[&search[..], &reader].concat());
        let intents: Vec<serde_json::Value> = found
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .filter(|record: &serde_json::Value| record["kind"] == "intent")
            .collect();
        let paths: Vec<_> =
            intents.iter().map(|it| it["opened"]["path"].as_str().unwrap()).collect();
        assert_eq!(paths, [&path, &format!("Patient/{id}")], "{format}");
    }
}
