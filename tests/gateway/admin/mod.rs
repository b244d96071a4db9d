//! The admin API of a real gateway: who may call it, what it does, and that every call is on record.

mod bodies;
mod callers;
mod capabilities;
mod conformance;
mod description;
pub(crate) mod office;
mod searches;
mod switches;

use serde_json::{Value, json};

use crate::audit::journal::Journal;
use crate::harness::interactions as all;
use crate::harness::log::says;
use crate::harness::{Mode, World};
use office::{ask, call, fault, order, own_uid};

/// Stops a gateway and reads its journal, which must be whole.
pub(crate) async fn journal(world: &mut World) -> Journal {
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    journal
}

/// The records of calls, without what differs each time.
fn calls(journal: &Journal) -> Vec<Value> {
    let told = |record: &Value| {
        json!([record["method"], record["path"], record["status"], record["fault"]])
    };
    journal.of("admin").map(told).collect()
}

/// What the gateway and its practices are like can be asked, and whoever asks is on record.
#[tokio::test]
async fn state_can_be_asked() {
    let mut world = World::start(|_| {}).await;
    let read = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    assert_eq!(world.send(read.clone()).await.status, 200);
    assert_eq!(world.send(read.with("Ssp-To", "999999999999")).await.status, 400);
    // A request is counted right behind its answer, and before its line.
    let is_told = |line: &&Value| line["message"] == "request";
    let both = |lines: &[Value]| lines.iter().filter(is_told).count() == 2;
    world.gateway.log.wait_until("a line for each", both).await;
    let code = world.practice(0).ods_code.to_string();

    let status = ask(&world, call("GET", "/v1/status")).await.json();
    assert_eq!((&status["ready"], &status["not_ready"]), (&json!(true), &Value::Null), "{status}");
    assert_eq!((&status["generation"], &status["practices"]), (&json!(1), &json!(3)), "{status}");
    assert_eq!(status["journal"]["writable"], true, "{status}");
    assert_eq!(status["journal"]["reserve_held"], true, "{status}");
    assert_eq!(status["log_levels"], json!({"gpconnect_gateway": "info"}));
    let listener = &status["listeners"][0];
    assert_eq!(listener["address"], world.address(Mode::Transparent).to_string(), "{status}");

    let one = ask(&world, call("GET", &format!("/v1/practices/{code}"))).await.json();
    assert_eq!((&one["ods_code"], &one["gp_connect"]), (&json!(code), &json!(true)), "{one}");
    assert_eq!((&one["last_hour"]["good"], &one["last_hour"]["refused"]), (&json!(1), &json!(1)));
    assert!(one["last_success"].is_string() && one["last_failure"].is_null(), "{one}");
    assert!(one["answers"]["mean_ms"].as_f64().unwrap() > 0.0, "{one}");
    let list = ask(&world, call("GET", "/v1/practices")).await.json();
    assert_eq!(list["practices"].as_array().unwrap().len(), 3);
    assert_eq!(list["practices"][0], one);

    let found = ask(&world, call("GET", &format!("/v1/directory/{code}"))).await.json();
    assert_eq!(found["ods_code"], json!(code), "{found}");
    for (path, status, word) in [
        ("/v1/practices/Z99999", 404, "practice_unknown"),
        ("/v1/directory/Z99999", 404, "organisation_unknown"),
        ("/v1/practices/a20047", 400, "ods_code_invalid"),
        ("/v1/practices?x=1", 400, "query_unknown"),
    ] {
        let answer = ask(&world, call("GET", path)).await;
        assert_eq!((answer.status, fault(&answer)), (status, word.to_owned()), "{path}");
    }

    let journal = journal(&mut world).await;
    let ok = json!(200);
    assert_eq!(
        calls(&journal),
        [
            json!(["GET", "/v1/status", ok, null]),
            json!(["GET", "/v1/practices/{ods}", ok, null]),
            json!(["GET", "/v1/practices", ok, null]),
            json!(["GET", "/v1/directory/{ods}", ok, null]),
            json!(["GET", "/v1/practices/{ods}", 404, "practice_unknown"]),
            json!(["GET", "/v1/directory/{ods}", 404, "organisation_unknown"]),
            json!(["GET", "/v1/practices/{ods}", 400, "ods_code_invalid"]),
            json!(["GET", "/v1/practices", 400, "query_unknown"]),
        ]
    );
    let own = own_uid(&world);
    for record in journal.of("admin") {
        assert_eq!((&record["principal"], &record["role"]), (&json!(own), &json!("read")));
    }
}

/// An order is on record before it is followed, and again when it has been.
#[tokio::test]
async fn orders_are_followed_and_on_record() {
    let mut world = World::start(|_| {}).await;
    let reload = order("POST", "/v1/reload", &json!({"reason": "change 4711"}));
    let answer = ask(&world, reload.clone()).await;
    assert_eq!((answer.status, &answer.json()["changes"]["generation"]), (200, &json!(2)));

    let consumers = world.gateway.folder().join("consumers.toml");
    std::fs::write(&consumers, "[[consumer]]\nasid = 1\n").unwrap();
    let answer = ask(&world, reload).await;
    assert_eq!((answer.status, &*fault(&answer)), (422, "configuration_invalid"));
    let mistakes = answer.json()["mistakes"].to_string();
    assert!(mistakes.contains("consumer[0].asid"), "{mistakes}");
    let read = world.call(Mode::Transparent, &all::READ_PATIENT, "Patient/1");
    assert_eq!(world.send(read).await.status, 200, "what was in use stays in use");

    let level =
        |target: &str| order("PUT", "/v1/log-level", &json!({"target": target, "level": "error"}));
    let answer = ask(&world, level("gpconnect_gateway::cli::start")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["log_levels"]["gpconnect_gateway::cli::start"], "error");
    let answer = ask(&world, level("pingora_proxy")).await;
    assert_eq!((answer.status, &*fault(&answer)), (400, "target_invalid"));
    world.gateway.signal("HUP");
    world.gateway.log.wait_for("the refused reload", |line| says(line, "reload refused")).await;

    let journal = journal(&mut world).await;
    let before = |path: &str| json!([path.split(' ').next(), path.split(' ').nth(1), null, null]);
    assert_eq!(
        calls(&journal),
        [
            before("POST /v1/reload"),
            json!(["POST", "/v1/reload", 200, null]),
            before("POST /v1/reload"),
            json!(["POST", "/v1/reload", 422, "configuration_invalid"]),
            before("PUT /v1/log-level"),
            json!(["PUT", "/v1/log-level", 200, null]),
            before("PUT /v1/log-level"),
            json!(["PUT", "/v1/log-level", 400, "target_invalid"]),
        ]
    );
    let records: Vec<_> = journal.of("admin").collect();
    assert_eq!(records[0]["reason"], "change 4711");
    assert_eq!(records[0]["call"], records[1]["call"], "both are of one call");
    assert_ne!(records[1]["call"], records[2]["call"]);
    assert_eq!(records[0]["role"], "operate");
    let place = |record: &Value| record["seq"].as_u64().unwrap();
    let reloaded = place(journal.only("reload"));
    assert!(place(records[0]) < reloaded && reloaded < place(records[1]));
}

/// What is looked for in the journal stands in the journal: patients and users as hashes and sealed.
#[tokio::test]
async fn searches_are_on_record() {
    let mut world = World::start(|_| {}).await;
    let terms = json!({
        "command": "search", "practice": "A20047", "nhs_number": "900 000 0009",
        "user": "ann.example", "reason": "complaint of Mrs Jones",
    });
    let answer = ask(&world, order("POST", "/v1/audit/searches", &terms)).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let own = answer.json()["call"].clone();
    let folder = world.gateway.folder().to_owned();
    let journal = journal(&mut world).await;
    let search = journal.only("search");
    assert_eq!((&search["call"], &search["role"]), (&own, &json!("audit")));
    assert_eq!(search["practice"], "A20047");
    let clear = search.to_string();
    // What is sealed may hold any few letters.
    for secret in ["9000000009", "900 000 0009", "ann.example", "Jones"] {
        assert!(!clear.contains(secret), "{secret} in {clear}");
    }
    let find = ["--nhs-number", "9000000009", "--search-key", "audit-keys/search.key"];
    let reader = ["--reader-key", "audit-keys/reader.key", "-o", "json"];
    let found = crate::audit::journal::command(&folder, "search", &[&find[..], &reader].concat());
    let found = found.lines().find(|line| line.starts_with('{')).expect("it is found by number");
    let found: Value = serde_json::from_str(found).unwrap();
    assert_eq!(found["kind"], "search");
    assert_eq!(found["opened"]["nhs_number"], "900 000 0009");
    assert_eq!(found["opened"]["reason"], "complaint of Mrs Jones");
}

/// Without a journal nothing is changed and nothing is searched; looking goes on.
#[tokio::test]
async fn without_a_journal_no_order_is_followed() {
    let world = World::start(|_| {}).await;
    world.gateway.limit_files(0);
    for (verb, path, body) in [
        ("POST", "/v1/reload", json!({})),
        ("PUT", "/v1/log-level", json!({"target": "gpconnect_gateway", "level": "debug"})),
        ("POST", "/v1/cache/purge", json!({"all": true})),
        ("POST", "/v1/audit/searches", json!({"command": "search"})),
    ] {
        let answer = ask(&world, order(verb, path, &body)).await;
        assert_eq!((answer.status, &*fault(&answer)), (503, "audit_unavailable"), "{path}");
        assert_eq!(answer.header("Retry-After"), "1");
    }
    let status = ask(&world, call("GET", "/v1/status")).await.json();
    assert_eq!((&status["ready"], &status["journal"]["writable"]), (&json!(false), &json!(false)));
    assert_eq!(status["generation"], 1, "nothing was reloaded");
    assert_eq!(status["log_levels"], json!({"gpconnect_gateway": "info"}));
    world.gateway.limit_files(u64::MAX);
    let again = || ask(&world, order("POST", "/v1/reload", &json!({})));
    let deadline = tokio::time::Instant::now() + crate::harness::DEADLINE;
    while again().await.status != 200 {
        assert!(tokio::time::Instant::now() < deadline, "it works again by itself");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}
