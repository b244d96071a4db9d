//! Switches: they refuse at once, are on record before, outlive a restart, and run out.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::journal;
use super::office::{ask, call, fault, off, on, order};
use crate::audit::journal::run;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Call, Mode, World};

fn read(world: &World) -> Call {
    world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1")
}

/// What is switched off is refused and nothing else, until it is switched on again.
#[tokio::test]
async fn what_is_switched_off_is_refused() {
    let mut world = World::start(|_| {}).await;
    let code = world.practice(0).ods_code.to_string();
    let slots = |world: &World| world.call(Mode::Assist, &all::READ_METADATA, "metadata");
    for (what, kind, transparent, assisted) in [
        (json!({"practice": code}), "practice", 403, 403),
        (json!({"practice": code, "capability": "foundations"}), "capability", 403, 403),
        (json!({"practice": code, "capability": "appointments"}), "capability", 200, 200),
        (json!({"consumer": Mode::Transparent.asid()}), "consumer", 403, 200),
        (json!({"interaction": "fhir:rest:read:patient-1"}), "interaction", 403, 200),
        (json!({"practice": world.practice(1).ods_code.to_string()}), "practice", 200, 200),
    ] {
        world.arrivals();
        let switch = ask(&world, off(&what, 3_600)).await;
        assert_eq!(switch.status, 201, "{what}: {switch:?}");
        let switch = switch.json();
        assert_eq!((&switch["off"], &switch["owner"]), (&what, &json!("duty desk")));
        let answer = world.send(read(&world)).await;
        assert_eq!(answer.status, transparent, "{what}");
        if transparent == 403 {
            assert!(answer.text().contains("switched off at the gateway"), "{answer:?}");
            assert!(answer.text().contains("ACCESS_DENIED"), "{answer:?}");
        }
        assert_eq!(world.send(slots(&world)).await.status, assisted, "{what}");
        let passed = [transparent, assisted].iter().filter(|status| **status == 200).count();
        assert_eq!(world.arrivals().len(), passed, "{what}");
        let metrics = world.metrics().await;
        let gauge = format!("gpconnect_gateway_switches{{kind=\"{kind}\"}} 1");
        assert!(metrics.contains(&gauge), "{metrics}");
        let list = ask(&world, call("GET", "/v1/switches")).await.json();
        assert_eq!(list["switches"], json!([switch]));
        assert_eq!(ask(&world, on(&switch["id"])).await.status, 200);
        assert_eq!(world.send(read(&world)).await.status, 200, "{what}: on again");
        let answer = ask(&world, on(&switch["id"])).await;
        assert_eq!((answer.status, &*fault(&answer)), (404, "switch_unknown"));
    }
    let line = world.gateway.log.wait_for("its line", |line| line["fault"] == "switched_off");
    assert_eq!(line.await["status"], 403);

    let journal = journal(&mut world).await;
    let place = |record: &Value| record["seq"].as_u64().unwrap();
    let first = journal.of("switch_off").next().unwrap();
    assert_eq!((&first["practice"], &first["reason"]), (&json!(code), &json!("supplier's outage")));
    let refusal = journal.of("refusal").find(|it| it["fault"] == "switched_off").unwrap();
    assert!(place(first) < place(refusal));
    let kinds = ["switch_off", "switch_on"].map(|kind| journal.of(kind).count());
    assert_eq!(kinds, [6, 6]);
    let on = journal.of("switch_on").next().unwrap();
    assert_eq!((&on["switch"], &on["reason"]), (&first["switch"], &json!("outage is over")));
}

/// A switch runs out by itself, and that is on record.
#[tokio::test]
async fn a_switch_runs_out() {
    let mut world = World::start(|_| {}).await;
    let what = json!({"practice": world.practice(0).ods_code.to_string()});
    let switch = off_for_a_while(&world, &what).await;
    let over = |line: &Value| says(line, "switched on: its time has run out");
    world.gateway.log.wait_for("the end of the switch", over).await;
    let deadline = tokio::time::Instant::now() + crate::harness::DEADLINE;
    while world.send(read(&world)).await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it is on again");
    }
    assert_eq!(ask(&world, call("GET", "/v1/switches")).await.json()["switches"], json!([]));
    let journal = journal(&mut world).await;
    let expired = journal.of("switch_expired").last().unwrap();
    assert_eq!(expired["switch"], switch["id"]);
}

/// Switches something off for so few seconds as let a request be refused before they are over.
async fn off_for_a_while(world: &World, what: &Value) -> Value {
    for seconds in [2, 5, 15] {
        let begun = Instant::now();
        let switch = ask(world, off(what, seconds)).await;
        if switch.status == 201 && world.send(read(world)).await.status == 403 {
            return switch.json();
        }
        let is_over = begun.elapsed() >= Duration::from_secs(seconds.unsigned_abs());
        assert!(is_over, "not refused after {:?} of {seconds} s: {switch:?}", begun.elapsed());
    }
    panic!("no request was refused within fifteen seconds");
}

/// Switches hold over a reload and a kill; a damaged file keeps the gateway from starting.
#[tokio::test]
async fn switches_outlive_a_restart() {
    let mut world = World::start(|_| {}).await;
    let what = json!({"practice": world.practice(0).ods_code.to_string()});
    let switch = ask(&world, off(&what, 3_600)).await.json();
    world.gateway.reload("consumers.toml", |text| text + "\n# changed\n").await;
    assert_eq!(world.send(read(&world)).await.status, 403, "after a reload");
    world.gateway.kill_and_start_again().await;
    assert_eq!(world.send(read(&world)).await.status, 403, "after a kill");
    let list = ask(&world, call("GET", "/v1/switches")).await.json();
    assert_eq!(list["switches"], json!([switch]));
    assert_eq!(world.gateway.stop().await, Some(0));

    let path = world.gateway.folder().join("state/switches.json");
    let run = |command: &str| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .args([command, "--config"])
            .arg(world.gateway.folder().join("gateway.toml"))
            .output()
            .unwrap();
        let told = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), told)
    };
    let (code, told) = run("check");
    assert!(code == Some(0) && told.contains("can be used: 0 mistakes"), "{told}");
    let whole = fs::read_to_string(&path).unwrap();
    let other = whole.replace("\"version\": 1", "\"version\": 7");
    assert_ne!(other, whole);
    for (text, what) in [("{", "is damaged"), (other.as_str(), "is of version 7, expected 1")] {
        fs::write(&path, text).unwrap();
        for (command, expected) in [("serve", 2), ("check", 1)] {
            let (code, told) = run(command);
            assert_eq!(code, Some(expected), "{command}: {told}");
            for part in ["gateway.toml: admin.state: ", "switches.json: ", what, "mend the file"] {
                assert!(told.contains(part), "{command}: {part} in {told}");
            }
        }
    }
}

/// Before a switch is set it can be seen what it would have refused in the last hour.
#[tokio::test]
async fn a_preview_counts_the_last_hour() {
    let mut world = World::start(|_| {}).await;
    let code = world.practice(0).ods_code.to_string();
    for _ in 0..3 {
        assert_eq!(world.send(read(&world)).await.status, 200);
    }
    let metadata = world.call(Mode::Assist, &all::READ_METADATA, "metadata");
    assert_eq!(world.send(metadata).await.status, 200);
    // A request is counted right behind its answer, and before its line.
    let is_told = |line: &&Value| line["message"] == "request";
    let all_told = |lines: &[Value]| lines.iter().filter(is_told).count() == 4;
    world.gateway.log.wait_until("a line for each", all_told).await;
    for (query, would_refuse) in [
        (format!("practice={code}"), 4),
        (format!("practice={code}&capability=appointments"), 0),
        (format!("consumer={}", Mode::Transparent.asid()), 3),
        (String::from("interaction=fhir%3Arest%3Aread%3Ametadata-1"), 1),
    ] {
        let path = format!("/v1/switches/preview?{query}");
        let preview = ask(&world, call("GET", &path)).await.json();
        let counts = (&preview["would_refuse"], &preview["of"], &preview["uncounted"]);
        assert_eq!(counts, (&json!(would_refuse), &json!(4), &json!(0)), "{query}: {preview}");
        if would_refuse == 4 {
            let first = json!({"name": Mode::Transparent.asid(), "requests": 3});
            assert_eq!(preview["consumers"][0], first, "{preview}");
        }
    }
    for (query, status, word) in [
        ("", 422, "switch_invalid"),
        ("practice=Z99999", 422, "not_registered"),
        ("x=1", 400, "query_unknown"),
    ] {
        let answer = ask(&world, call("GET", &format!("/v1/switches/preview?{query}"))).await;
        assert_eq!((answer.status, &*fault(&answer)), (status, word), "{query}");
    }
    journal(&mut world).await;
}

/// What is not a good switch, or can't be put down or kept, switches nothing off.
#[tokio::test]
async fn what_can_not_be_kept_is_not_switched() {
    let world = World::start(|_| {}).await;
    let code = world.practice(0).ods_code.to_string();
    let good = json!({"practice": code});
    let with = |name: &str, value: Value| {
        let mut body: Value = serde_json::from_slice(&off(&good, 60).body[0]).unwrap();
        body[name] = value;
        order("POST", "/v1/switches", &body)
    };
    for (name, call, status, word) in [
        ("nothing", off(&json!({}), 60), 422, "switch_invalid"),
        ("two", off(&json!({"practice": code, "consumer": "2"}), 60), 422, "switch_invalid"),
        ("unknown", off(&json!({"practice": "Z99999"}), 60), 422, "not_registered"),
        ("over", off(&good, -1), 422, "until_invalid"),
        ("for ever", off(&good, 400 * 86_400), 422, "until_invalid"),
        ("no time", with("until", json!("tomorrow")), 400, "body_invalid"),
        ("no reason", with("reason", json!("")), 400, "body_invalid"),
        ("a patient", with("reason", json!("for 900 000 0009")), 422, "patient_named"),
    ] {
        let answer = ask(&world, call).await;
        assert_eq!((answer.status, &*fault(&answer)), (status, word), "{name}");
    }
    let in_the_way = world.gateway.folder().join("state/switches.json");
    fs::create_dir(&in_the_way).unwrap();
    let answer = ask(&world, off(&good, 60)).await;
    assert_eq!((answer.status, &*fault(&answer)), (500, "state_unwritable"));
    fs::remove_dir(&in_the_way).unwrap();
    world.gateway.limit_files(0);
    let answer = ask(&world, off(&good, 60)).await;
    assert_eq!((answer.status, &*fault(&answer)), (503, "audit_unavailable"));
    world.gateway.limit_files(u64::MAX);
    assert_eq!(ask(&world, call("GET", "/v1/switches")).await.json()["switches"], json!([]));
    world
        .gateway
        .log
        .wait_for("a journal", |line| says(line, "audit journal can be written"))
        .await;
    assert_eq!(world.send(read(&world)).await.status, 200);
}

/// The command line does the same.
#[tokio::test]
async fn commands_switch_off_and_on() {
    let world = World::start(|_| {}).await;
    let folder = world.gateway.folder().to_owned();
    let switch = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .arg("switch")
            .args(arguments)
            .current_dir(&folder)
            .output()
            .unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let why = ["--until", "+3600", "--owner", "desk", "--reason", "a trial"];
    let (code, text) = switch(&[&["off", "audit", "--practice", "A20047"][..], &why].concat());
    assert_eq!(code, Some(0), "{text}");
    let id = serde_json::from_str::<Value>(&text).unwrap()["id"].as_str().unwrap().to_owned();
    assert_eq!(world.send(read(&world)).await.status, 403);
    let (code, text) = switch(&["list", "audit"]);
    assert!(code == Some(0) && text.contains(&id) && text.contains("a trial"), "{text}");
    let (code, text) = switch(&["preview", "audit", "--practice", "A20047"]);
    assert!(code == Some(0) && text.contains("\"would_refuse\""), "{text}");
    let (code, text) = switch(&["on", "audit", &id, "--reason", "done"]);
    assert_eq!(code, Some(0), "{text}");
    assert_eq!(switch(&["on", "audit", &id, "--reason", "done"]).0, Some(1));
    assert_eq!(world.send(read(&world)).await.status, 200);
    let (_, found, _) = run(&folder, "search", &["--practice", "A20047", "--kind", "switch_off"]);
    assert!(found.contains("switch_off"), "{found}");
}
