//! Kills, and disks that take nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::time::sleep;
use uuid::Uuid;

use super::journal::{self, Journal};
use super::load::{self, Load};
use super::{arrived, read};
use crate::harness::{DEADLINE, World, say};

/// Kills in a row, of one journal.
const IN_A_ROW: u32 = 40;

/// Killed at whatever moment, under load: what the provider saw has an intent, each intent one
/// outcome, and the journal is whole each time. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_intent_of_what_the_provider_saw() {
    let (_, unknown) = kill_in_a_row(0).await;
    assert!(unknown > 0, "some kill came between intent and outcome");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour: make soak"]
async fn a_thousand_kills_lose_no_intent() {
    let (mut requests, mut unknown) = (0, 0);
    for row in 0..1_000 / IN_A_ROW {
        let (seen, lost) = kill_in_a_row(row).await;
        (requests, unknown) = (requests + seen, unknown + lost);
    }
    say(&format!(
        "1,000 kills: {requests} requests at the provider, each on record once; the journal whole \
         each time; {unknown} outcomes unknown"
    ));
}

/// Gives back how many requests the provider saw, and how many outcomes were lost.
async fn kill_in_a_row(row: u32) -> (usize, usize) {
    let mut world = World::start(|plan| plan.recorded = 1_000_000).await;
    let mut seen = BTreeSet::new();
    for kill in row * IN_A_ROW..(row + 1) * IN_A_ROW {
        let load = Load::on(&world, kill);
        // Between a few requests and a few hundred, as if by chance.
        sleep(Duration::from_millis(u64::from(5 + kill * 7_919 % 120))).await;
        world.gateway.kill_and_start_again().await;
        load.end().await;
        seen.extend(arrived(&world));
        let (whole, said) = journal::verify(world.gateway.folder(), &[]);
        assert!(whole, "kill {kill}: {said}");
    }
    assert!(seen.len() > 200, "{} requests", seen.len());
    assert_eq!(world.gateway.stop().await, Some(0));
    let unknown = load::accounts_for(&Journal::read(world.gateway.folder()), &seen);
    (seen.len(), unknown)
}

/// Ten times: no request is sent while the journal can't grow, and all are within a second after it
/// can again. gp-connect 12.
#[tokio::test]
async fn without_a_journal_nothing_is_sent() {
    let mut world = World::start(|_| {}).await;
    let trace_id = || Uuid::new_v4().to_string();
    let mut sent = BTreeSet::new();
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
        assert!(start.elapsed() < Duration::from_secs(1), "{cycle}: {:?}", start.elapsed());
    }
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
    for file in std::fs::read_dir(config).unwrap() {
        let file = file.unwrap();
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
