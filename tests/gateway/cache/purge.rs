//! Purges: by operations, and by what they switch off and on. gp-connect 13.

use std::process::Command;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::{cached, good, organisation, reply, send, trace_id};
use crate::admin::journal;
use crate::admin::office::{ask, call, fault, off, on, order, own_uid};
use crate::harness::interactions::{READ_METADATA, READ_ORGANIZATION};
use crate::harness::{Answer, Call, Connection, Form, Interaction, Mode, World};
use crate::scripted::{Scripted, Step};

const STATEMENT: &str = "{\"resourceType\":\"CapabilityStatement\"}";

/// A request that may be answered from memory, of a practice by its place.
fn asked(world: &World, place: usize, interaction: &Interaction) -> Call {
    let path = if interaction.id == READ_METADATA.id { "metadata" } else { "Organization/17" };
    Call::new(Mode::Transparent, Form::Ods, world.practice(place), interaction, path)
}

/// What two practices are asked.
const ASKED: [(usize, &Interaction); 4] =
    [(0, &READ_ORGANIZATION), (0, &READ_METADATA), (1, &READ_ORGANIZATION), (1, &READ_METADATA)];

/// Has all of it in memory, as it is now; `round` keeps trace ids apart.
async fn fill(world: &World, provider: &Scripted, round: usize) {
    for (number, (place, interaction)) in ASKED.into_iter().enumerate() {
        provider.will([match interaction.id == READ_METADATA.id {
            true => reply("200 OK", super::JSON, STATEMENT),
            false => good(1),
        }]);
        let id = trace_id(round * 100 + number);
        let call = asked(world, place, interaction).with("Ssp-TraceID", &id);
        assert_eq!(world.send(call.with("Cache-Control", "no-cache")).await.status, 200);
        super::fared(world, &id).await;
    }
}

/// Which of it is in memory.
async fn in_memory(world: &World, round: usize) -> [bool; 4] {
    let mut found = [false; 4];
    for (number, (place, interaction)) in ASKED.into_iter().enumerate() {
        let id = trace_id(round * 100 + 50 + number);
        let call = asked(world, place, interaction).with("Ssp-TraceID", &id);
        world.send(call).await;
        found[number] = super::fared(world, &id).await == "hit";
    }
    found
}

fn purge(what: &Value) -> Call {
    order("POST", "/v1/cache/purge", what)
}

/// A request that is on its way to the provider while the test goes on.
fn on_its_way(world: &World, number: usize) -> JoinHandle<Answer> {
    let call = asked(world, 0, &READ_ORGANIZATION).with("Ssp-TraceID", &trace_id(number));
    let address = world.address(Mode::Transparent);
    tokio::spawn(async move { Connection::open(address).await.send(call).await })
}

/// What a purge names is asked of the practice again, and nothing else is.
#[tokio::test]
async fn what_a_purge_names_is_gone() {
    let (mut world, provider) = cached("").await;
    let code = world.practice(0).ods_code.to_string();
    let cases = [
        ("practice", json!({"practice": code, "reason": "upgraded"}), [false, false, true, true]),
        (
            "capability",
            json!({"practice": code, "capability": "foundations"}),
            [false, false, true, true],
        ),
        ("interaction", json!({"interaction": READ_METADATA.id}), [true, false, true, false]),
        ("all", json!({"all": true}), [false; 4]),
    ];
    for (round, (name, what, stays)) in cases.iter().enumerate() {
        fill(&world, &provider, 2 * round).await;
        let status = ask(&world, call("GET", "/v1/status")).await.json();
        let cache = &status["cache"];
        assert_eq!((&cache["enabled"], &cache["answers"]), (&json!(true), &json!(4)), "{status}");
        assert!(cache["bytes"].as_u64().unwrap() < cache["most_bytes"].as_u64().unwrap());
        let answer = ask(&world, purge(what)).await;
        assert_eq!((answer.status, fault(&answer)), (200, String::new()), "{name}");
        let gone = stays.iter().filter(|stays| !**stays).count();
        assert_eq!(answer.json(), json!({ "answers": gone }), "{name}");
        assert_eq!(in_memory(&world, 2 * round + 1).await, *stays, "{name}");
    }
    let status = ask(&world, call("GET", "/v1/status")).await.json();
    assert_eq!(status["cache"]["requests"]["hit"], json!(6), "{status}");

    let own = own_uid(&world);
    let journal = journal(&mut world).await;
    let of_purge = |record: &&Value| record["path"] == "/v1/cache/purge";
    let records: Vec<_> = journal.of("admin").filter(of_purge).collect();
    assert_eq!(records.len(), 2 * cases.len());
    for (pair, (name, what, _)) in records.chunks(2).zip(&cases) {
        let [before, after] = pair else { panic!("{pair:?}") };
        assert_eq!((&before["purge"], &before["status"]), (&json!(name), &Value::Null));
        assert_eq!((&after["status"], &after["call"]), (&json!(200), &before["call"]));
        for member in ["practice", "capability", "interaction", "reason"] {
            assert_eq!(before[member], what[member], "{name}");
        }
        assert_eq!((&before["principal"], &before["role"]), (&json!(own), &json!("operate")));
    }
}

/// An answer to a question of before the purge is told to who asked, and to nobody behind it.
#[tokio::test]
async fn an_answer_that_comes_behind_a_purge_is_not_kept() {
    let (world, provider) = cached("").await;
    let code = world.practice(0).ods_code.to_string();
    let metadata = json!({"interaction": READ_METADATA.id});
    for (round, (what, is_gone)) in
        [(json!({"practice": code}), true), (json!({"all": true}), true), (metadata, false)]
            .into_iter()
            .enumerate()
    {
        let number = 10 * (round + 1);
        ask(&world, purge(&json!({"all": true}))).await;
        provider.will([Step::Wait, good(number)]);
        let late = on_its_way(&world, number);
        provider.has_seen(2 * round + 1).await;
        assert_eq!(ask(&world, purge(&what)).await.status, 200);
        provider.go_on();
        assert_eq!(late.await.unwrap().text(), organisation(number), "{what}");
        super::fared(&world, &trace_id(number)).await;
        provider.will([good(number + 1)]);
        let expected = if is_gone { ("miss", number + 1) } else { ("hit", number) };
        let call = asked(&world, 0, &READ_ORGANIZATION);
        let answer = send(&world, number + 1, call, expected.0).await;
        assert_eq!(answer.text(), organisation(expected.1), "{what}");
    }
}

/// What was known before a switch is not told behind it, nor what was on its way.
#[tokio::test]
async fn no_answer_outlives_a_switch() {
    let (world, provider) = cached("").await;
    let code = world.practice(0).ods_code.to_string();
    let consumer = Mode::Assist.asid();
    let cases = [
        (json!({"practice": code}), [false, false, true, true]),
        (json!({"practice": code, "capability": "appointments"}), [false, false, true, true]),
        (json!({"interaction": READ_METADATA.id}), [true, false, true, false]),
        (json!({ "consumer": consumer }), [true; 4]),
    ];
    for (round, (what, stays)) in cases.iter().enumerate() {
        ask(&world, purge(&json!({"all": true}))).await;
        fill(&world, &provider, 2 * round).await;
        let switch = ask(&world, off(what, 3_600)).await.json();
        assert_eq!(ask(&world, on(&switch["id"])).await.status, 200, "{what}");
        assert_eq!(in_memory(&world, 2 * round + 1).await, *stays, "{what}");
    }
    let generation = ask(&world, call("GET", "/v1/status")).await.json()["generation"].clone();
    assert_eq!(generation, 1 + 2 * cases.len(), "each is a configuration of its own");

    ask(&world, purge(&json!({"all": true}))).await;
    let seen = provider.arrived().len();
    provider.will([Step::Wait, good(7)]);
    let late = on_its_way(&world, 5_000);
    provider.has_seen(seen + 1).await;
    let switch = ask(&world, off(&cases[0].0, 3_600)).await.json();
    provider.go_on();
    assert_eq!(late.await.unwrap().text(), organisation(7), "who asked before gets its answer");
    super::fared(&world, &trace_id(5_000)).await;
    assert_eq!(world.send(asked(&world, 0, &READ_ORGANIZATION)).await.status, 403);
    assert_eq!(ask(&world, on(&switch["id"])).await.status, 200);
    provider.will([good(8)]);
    let answer = send(&world, 5_001, asked(&world, 0, &READ_ORGANIZATION), "miss").await;
    assert_eq!(answer.text(), organisation(8));
}

/// What names nothing that could be purged says so, and purges nothing.
#[tokio::test]
async fn a_purge_of_nothing_is_refused() {
    let (world, provider) = cached("").await;
    fill(&world, &provider, 0).await;
    let code = world.practice(0).ods_code.to_string();
    for (what, status, word, told) in [
        (json!({"practice": "Z99999"}), 422, "not_registered", "no practice of this code"),
        (json!({"practice": code, "capability": "html"}), 422, "not_registered", "no service root"),
        (json!({"interaction": "fhir:rest:read:patient-1"}), 422, "purge_invalid", "never kept"),
        (json!({}), 422, "purge_invalid", "expected one of practice"),
        (json!({"all": true, "reason": "for 900 000 0009"}), 422, "patient_named", "NHS number"),
        (json!({"every": true}), 400, "body_invalid", "every"),
    ] {
        let answer = ask(&world, purge(&what)).await;
        assert_eq!((answer.status, &*fault(&answer)), (status, word), "{what}");
        assert!(answer.text().contains(told), "{answer:?}");
    }
    assert_eq!(in_memory(&world, 1).await, [true; 4]);
}

/// The command line does the same.
#[tokio::test]
async fn a_command_purges() {
    let (world, provider) = cached("").await;
    let folder = world.gateway.folder().to_owned();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"));
        let command = command.args(["cache", "purge", "audit"]).args(arguments);
        let output = command.current_dir(&folder).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let code = world.practice(0).ods_code.to_string();
    for (round, (arguments, stays)) in [
        (&["--practice", &*code, "--reason", "upgraded"][..], [false, false, true, true]),
        (&["--practice", &code, "--capability", "appointments"], [false, false, true, true]),
        (&["--interaction", READ_ORGANIZATION.id], [false, true, false, true]),
        (&["--all"], [false; 4]),
    ]
    .into_iter()
    .enumerate()
    {
        fill(&world, &provider, 2 * round).await;
        let (status, text) = run(arguments);
        assert!(status == Some(0) && text.contains("\"answers\""), "{arguments:?}: {text}");
        assert_eq!(in_memory(&world, 2 * round + 1).await, stays, "{arguments:?}");
    }
    let (status, text) = run(&["--practice", "Z99999"]);
    assert!(status == Some(1) && text.contains("no practice of this code"), "{text}");
    for arguments in [&[][..], &["--all", "--practice", &code], &["--capability", "appointments"]] {
        assert_eq!(run(arguments).0, Some(2), "{arguments:?}");
    }
}
