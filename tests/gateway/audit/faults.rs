//! Kills, and disks that take nothing.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::{arrived, journal::Journal, read};
use crate::harness::{DEADLINE, Mode, World};
use crate::wire::{self, Wire};

/// Killed at whatever moment, under load: what the provider saw has an intent, each intent one
/// outcome, and the journal is whole. gp-connect 12.
#[tokio::test(flavor = "multi_thread")]
async fn a_kill_loses_no_intent_of_what_the_provider_saw() {
    kill_again_and_again(40).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes half an hour: make soak"]
async fn a_thousand_kills_lose_no_intent() {
    kill_again_and_again(1_000).await;
}

async fn kill_again_and_again(kills: u64) {
    const CALLERS: usize = 8;
    let mut world = World::start(|plan| plan.recorded = 1_000_000).await;
    let mut seen = BTreeSet::new();
    for kill in 0..kills {
        let mut callers = JoinSet::new();
        for _ in 0..CALLERS {
            let address = world.address(Mode::Transparent);
            let call = read(&world, &Uuid::new_v4().to_string());
            callers.spawn(async move {
                let Ok(stream) = TcpStream::connect(address).await else { return };
                let mut wire = Wire::over(stream);
                loop {
                    let call = call.clone().with("Ssp-TraceID", &Uuid::new_v4().to_string());
                    wire.write(wire::bytes(&call)).await;
                    if wire.read_any("GET").await.1.is_some() {
                        return;
                    }
                }
            });
        }
        // Between a few requests and a few hundred, as if by chance.
        sleep(Duration::from_millis(5 + kill * 7_919 % 120)).await;
        world.gateway.kill_and_start_again().await;
        callers.shutdown().await;
        seen.extend(arrived(&world));
    }
    assert!(seen.len() > 500, "{} requests", seen.len());
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    let text = |name: &str, record: &serde_json::Value| record[name].as_str().unwrap().to_owned();
    let intents: Vec<_> = journal.of("intent").map(|intent| text("trace_id", intent)).collect();
    let distinct: BTreeSet<_> = intents.iter().cloned().collect();
    assert_eq!(distinct.len(), intents.len(), "none is there twice");
    let missing: Vec<_> = seen.difference(&distinct).collect();
    assert!(missing.is_empty(), "the provider saw what is not on record: {missing:?}");
    let outcomes: Vec<_> = journal.of("outcome").map(|outcome| text("intent", outcome)).collect();
    let of: BTreeSet<_> = outcomes.iter().cloned().collect();
    assert_eq!((of.len(), outcomes.len()), (intents.len(), intents.len()), "one outcome each");
    let unknown = journal.of("outcome").filter(|outcome| outcome["result"] == "unknown").count();
    assert!(unknown > 0, "some kill came between intent and outcome");
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
