//! Kills, and disks that take nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use super::journal::{self, Journal};
use super::load::{self, Load};
use super::{Prompt, arrived, read};
use crate::harness::{DEADLINE, World, say};

/// Kills in a row, of one journal.
const IN_A_ROW: u32 = 40;

/// Requests before each.
const LEAST: usize = 6;

/// Killed at whatever moment, under load: what the provider saw has an intent, each intent one
/// outcome, and the journal is whole each time. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_intent_of_what_the_provider_saw() {
    let tally = kill_in_a_row(0).await;
    assert!(tally.unknown > 0, "some kill came between intent and outcome");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour: make soak"]
async fn a_thousand_kills_lose_no_intent() {
    let (begun, mut all) = (Instant::now(), Tally::default());
    for row in 0..1_000 / IN_A_ROW {
        let tally = kill_in_a_row(row).await;
        all.records += tally.records;
        all.seen += tally.seen;
        all.unknown += tally.unknown;
        all.slowest = all.slowest.max(tally.slowest);
    }
    say(&format!("1,000 kills in {:.0?}, the journal whole each time: {all:?}", begun.elapsed()));
}

/// What came of kills in a row.
#[derive(Debug, Default)]
struct Tally {
    /// Records of the journal.
    records: usize,
    /// Requests that the provider saw, each of which was on record once.
    seen: usize,
    /// Intents whose outcome nobody knows.
    unknown: usize,
    /// The longest from a kill until requests were taken again.
    slowest: Duration,
}

async fn kill_in_a_row(row: u32) -> Tally {
    let mut world = World::start(|plan| plan.recorded = 1_000_000).await;
    let (mut seen, mut slowest) = (BTreeSet::<String>::new(), Duration::ZERO);
    for kill in row * IN_A_ROW..(row + 1) * IN_A_ROW {
        let load = Load::on(&world, kill);
        // Between a few requests and a few hundred, as if by chance, however slow the machine is.
        sleep(Duration::from_millis(u64::from(5 + kill * 7_919 % 120))).await;
        let (begun, before) = (Instant::now(), seen.len());
        while seen.len() < before + LEAST {
            assert!(begun.elapsed() < DEADLINE, "kill {kill}: no requests");
            sleep(Duration::from_millis(1)).await;
            seen.extend(arrived(&world));
        }
        let killed = Instant::now();
        world.gateway.kill_and_start_again().await;
        slowest = slowest.max(killed.elapsed());
        load.end().await;
        seen.extend(arrived(&world));
        let (whole, said) = journal::verify(world.gateway.folder(), &[]);
        assert!(whole, "kill {kill}: {said}");
    }
    assert!(seen.len() >= LEAST * IN_A_ROW as usize, "{} requests", seen.len());
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    let unknown = load::accounts_for(&journal, &seen);
    Tally { records: journal.records.len(), seen: seen.len(), unknown, slowest }
}

/// Ten times: no request is sent while the journal can't grow, and all are within a second after it
/// can again. gp-connect 12.
#[tokio::test]
async fn without_a_journal_nothing_is_sent() {
    let mut world = World::start(|_| {}).await;
    let trace_id = || Uuid::new_v4().to_string();
    let (mut sent, mut prompt) = (BTreeSet::new(), Prompt::default());
    for cycle in 0..10 {
        let good = trace_id();
        assert_eq!(world.send(read(&world, &good)).await.status, 200, "{cycle}");
        sent.insert(good);
        world.gateway.limit_files(1);
        let refused = world.send(read(&world, &trace_id())).await;
        assert_eq!(refused.status, 503, "{cycle}");
        assert_eq!(refused.json()["issue"][0]["diagnostics"], "Audit journal unavailable");
        assert_eq!(refused.header("retry-after"), "1", "{cycle}");
        assert_eq!(world.observe("/readyz").await.status, 503, "{cycle}");
        for _ in 0..5 {
            assert_eq!(world.send(read(&world, &trace_id())).await.status, 503, "{cycle}");
        }
        world.gateway.limit_files(rlimit::INFINITY);
        let start = Instant::now();
        while world.observe("/readyz").await.status != 200 {
            assert!(start.elapsed() < DEADLINE);
            sleep(Duration::from_millis(5)).await;
        }
        prompt.took(start.elapsed());
    }
    prompt.is_within_a_second();
    let last = trace_id();
    assert_eq!(world.send(read(&world, &last)).await.status, 200);
    sent.insert(last);
    assert_eq!(arrived(&world), sent, "what was refused was not sent");
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    assert_eq!((journal.of("intent").count(), journal.of("outcome").count()), (11, 11));
    let counted: u64 = journal.of("refusals").map(|record| record["count"].as_u64().unwrap()).sum();
    assert_eq!(counted, 60, "and is counted: {:#?}", journal.of("refusals").collect::<Vec<_>>());
}

/// There is no gateway without a journal. gp-connect 12.
#[tokio::test]
async fn a_gateway_that_can_t_write_its_journal_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let config = concat!(env!("CARGO_MANIFEST_DIR"), "/config");
    let files = std::fs::read_dir(config).unwrap().map(|file| file.unwrap());
    for file in files.filter(|file| file.path().is_file()) {
        std::fs::copy(file.path(), folder.path().join(file.file_name())).unwrap();
    }
    let serve = || {
        let gateway = env!("CARGO_BIN_EXE_gpconnect-gateway");
        let mut command = std::process::Command::new(gateway);
        command.args(["serve", "--config"]).arg(folder.path().join("gateway.toml"));
        let output = command.env("GPCG__OBSERVE__ADDRESS", "127.0.0.1:0").output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = serve();
    assert_eq!(code, Some(2), "{said}");
    for key in ["audit.signing_key", "audit.search_key", "audit.recipients", "audit keys makes"] {
        assert!(said.contains(key), "{key} in {said}");
    }
    let keys = folder.path().join("audit-keys");
    gpconnect_gateway::audit::keys::make(&keys, "test.example/audit").unwrap();
    // Where the journal is to be, there is a file.
    std::fs::write(folder.path().join("audit"), "").unwrap();
    let (code, said) = serve();
    assert!(code == Some(2) && said.contains("audit.directory"), "{code:?}: {said}");
}
