//! What an investigator finds, and in which forms.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tokio::task::spawn_blocking;

use super::{journal, read};
use crate::fhir_client::python;
use crate::harness::interactions as all;
use crate::harness::{Mode, World};

const GOOD: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e03";
const REFUSED: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e04";
const LATER: &str = "629ea9ba-a077-4d99-b289-7a9b19fd4e05";
const KEYS: [&str; 4] =
    ["--search-key", "audit-keys/search.key", "--reader-key", "audit-keys/reader.key"];

/// A gateway that let two requests pass and refused one.
async fn world() -> World {
    let world = World::start(|_| {}).await;
    assert_eq!(world.send(read(&world, GOOD)).await.status, 200);
    let refused = read(&world, REFUSED).with("Ssp-To", "999999999999");
    assert_eq!(world.send(refused).await.status, 400);
    let number = "https://fhir.nhs.uk/Id/nhs-number%7C9000000009";
    let path = format!("Patient?identifier={number}");
    let find = world.call(Mode::Transparent, &all::SEARCH_PATIENT, &path);
    assert_eq!(world.send(find.with("Ssp-TraceID", LATER)).await.status, 200);
    world
}

fn search(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    let text = journal::command(folder, "search", &[arguments, &["-o", "json"]].concat());
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn kinds(records: &[Value]) -> Vec<&str> {
    records.iter().map(|record| record["kind"].as_str().unwrap()).collect()
}

/// gp-connect 12.
#[tokio::test]
async fn a_journal_is_searched_while_it_is_written() {
    let mut world = world().await;
    let folder = world.gateway.folder().to_owned();
    while kinds(&search(&folder, &["--trace-id", GOOD])) != ["intent", "outcome"] {
        tokio::task::yield_now().await;
    }
    // A refusal's answer does not wait for its record.
    while kinds(&search(&folder, &["--trace-id", REFUSED])) != ["refusal"] {
        tokio::task::yield_now().await;
    }
    assert!(!folder.join("audit/index").exists(), "nothing is finished yet");
    let indexed = journal::command(&folder, "index", &["--all"]);
    assert!(indexed.contains("in 1 segment"), "{indexed}");
    assert_eq!(world.send(read(&world, REFUSED)).await.status, 200);
    while kinds(&search(&folder, &["--trace-id", REFUSED])) != ["refusal", "intent", "outcome"] {
        tokio::task::yield_now().await;
    }
    assert_eq!(world.gateway.stop().await, Some(0));
    journal::command(&folder, "index", &["--all"]);
    journal::Journal::read(&folder).is_whole();
}

/// Each term, and terms together; with the index as without.
#[tokio::test]
async fn each_term_finds_its_records() {
    let mut world = world().await;
    let practice = world.practice(0).ods_code.as_str().to_owned();
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    journal::command(folder, "index", &["--all"]);
    let (asid, access) = (Mode::Transparent.asid(), ["intent", "outcome"]);
    let two = ["intent", "outcome", "intent", "outcome"];
    let urn = all::READ_PATIENT.urn();
    for (asked, expected) in [
        (vec!["--trace-id", GOOD], &access[..]),
        // Also what was asked for by the id that the search had told.
        (vec!["--nhs-number", "900 000 0009", KEYS[0], KEYS[1]], &two),
        (vec!["--practice", &practice, "--decision", "allowed"], &two),
        (vec!["--consumer", asid, "--decision", "refused"], &["refusal"]),
        (vec!["--interaction", &urn, "--result", "good"], &access),
        (vec!["--fault", "receiver_mismatch", "--status", "400"], &["refusal"]),
        (vec!["--consumer", asid, "--status", "200"], &two),
        (vec!["--consumer", asid, "--status", "502"], &[]),
        (vec!["--kind", "start"], &["start"]),
        (vec!["--practice", "A00000"], &[]),
        (vec!["--since", "-3600", "--until", "now", "--trace-id", LATER], &access),
        (vec!["--since", "+60"], &[]),
        (vec!["--decision", "allowed", "--limit", "2"], &two),
    ] {
        let found = search(folder, &asked);
        assert_eq!(kinds(&found), expected, "{asked:?}");
        let all = search(folder, &[&asked[..], &["--no-index"]].concat());
        assert_eq!(all, found, "{asked:?}");
    }
    // A copy that is read only as far as its index is.
    let elsewhere = journal::command(folder, "search", &["--index", "other", "--trace-id", GOOD]);
    assert!(elsewhere.contains(GOOD), "{elsewhere}");
}

/// gp-connect 12.
#[tokio::test]
async fn a_spreadsheet_has_an_access_a_line() {
    let mut world = world().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    let asid = Mode::Transparent.asid();
    let text = journal::command(
        folder,
        "search",
        &[&KEYS[2..], &["--consumer", asid, "-o", "csv"]].concat(),
    );
    let lines: Vec<_> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("record,outcome_record,time,kind,consumer,"), "{text}");
    assert_eq!(lines.len(), 5, "names, three accesses, and the end: {text}");
    let one = |part: &str| *lines.iter().find(|line| line.contains(part)).unwrap();
    assert!(one(",refusal,").contains("receiver_mismatch"), "{text}");
    assert!(one(LATER).contains(",9000000009,GET,Patient?identifier"), "{text}");
}

/// A library that nobody here wrote reads every event, and patients are in them for readers only.
/// gp-connect 12.
#[tokio::test]
async fn events_are_those_of_fhir() {
    let python = python().await;
    let mut world = world().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    for version in ["stu3", "r4"] {
        let form = format!("fhir-{version}");
        let all = ["--since", "-3600", "-o", &form];
        let sealed = journal::command(folder, "search", &all);
        assert!(!sealed.contains("9000000009"), "{sealed}");
        let opened = journal::command(folder, "search", &[&all[..], &KEYS[2..]].concat());
        let count = opened.lines().count();
        assert!(count >= 6, "start, three requests, stop, end: {opened}");
        for events in [sealed, opened.clone()] {
            let read = validate(python.clone(), version, events).await;
            assert_eq!(read, count.to_string(), "{version}");
        }
        let event = opened.lines().find(|line| line.contains("9000000009")).unwrap();
        let event: Value = serde_json::from_str(event).unwrap();
        assert_eq!(event["type"]["code"], "rest");
        assert_eq!((&event["action"], &event["outcome"]), (&"E".into(), &"0".into()));
        assert_eq!(event["subtype"][0]["code"], "search-type");
        let what = if version == "r4" { "what" } else { "reference" };
        assert_eq!(event["entity"][0][what]["identifier"]["value"], "9000000009");
        assert_eq!(event["agent"][0]["requestor"], true, "the person");
    }
}

/// How many events the library read.
async fn validate(python: PathBuf, version: &'static str, events: String) -> String {
    spawn_blocking(move || {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/gateway/audit_events.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(version)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(events.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{version}: {events}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    })
    .await
    .unwrap()
}

/// gp-connect 12.
#[tokio::test]
async fn a_journal_is_counted() {
    let mut world = world().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    let stats: Value =
        serde_json::from_str(&journal::command(folder, "stats", &["-o", "json"])).unwrap();
    for (name, expected) in [("accesses", 2), ("without_outcome", 0), ("refused", 1)] {
        assert_eq!(stats[name], expected, "{name}: {stats:#}");
    }
    assert_eq!(stats["by_consumer"][Mode::Transparent.asid()], 3);
    assert_eq!(stats["by_fault"]["receiver_mismatch"], 1);
    assert_eq!(stats["by_result"]["good"], 2);
    assert!(stats["bytes"].as_u64().unwrap() > 3_000, "{stats:#}");
    let text = journal::command(folder, "stats", &["--per", "hour"]);
    assert!(text.contains("receiver_mismatch") && text.contains("without outcome"), "{text}");
}

/// gp-connect 12.
#[tokio::test]
async fn a_recorded_decision_is_explained() {
    let mut world = world().await;
    assert_eq!(world.gateway.stop().await, Some(0));
    let folder = world.gateway.folder();
    let explain = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .arg("explain")
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap();
        let text = if output.stdout.is_empty() { output.stderr } else { output.stdout };
        (output.status.code(), String::from_utf8(text).unwrap())
    };
    let journal = ["--journal", "audit", "--trace-id"];
    let (code, text) = explain(&[&journal[..], &[REFUSED]].concat());
    assert_eq!(code, Some(0), "{text}");
    for part in ["refused", "ended at accreditation", "receiver_mismatch", "to do:", "sealed"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let (_, text) = explain(&[&journal[..], &[LATER], &KEYS[2..]].concat());
    for part in ["let pass", "NHS number 9000000009", "200 good"] {
        assert!(text.contains(part), "{part} in\n{text}");
    }
    let config = ["--config", "gateway.toml", "--trace-id", GOOD, "-o", "json"];
    let (code, text) = explain(&config);
    assert_eq!(code, Some(0), "{text}");
    let explained: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (&explained[0]["allowed"], &explained[0]["outcome"]["status"]),
        (&true.into(), &200.into())
    );
    let (code, text) = explain(&[&journal[..], &["00000000-0000-4000-8000-000000000000"]].concat());
    assert_eq!(code, Some(1), "{text}");
}
