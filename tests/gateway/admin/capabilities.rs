//! What practices can be asked: learned from what passes through memory, and told when it changes.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use super::office::{ask, call, fault, order};
use crate::cache::{JSON, cached, reply};
use crate::exposition::Exposition;
use crate::harness::interactions::{READ_METADATA, STRUCTURED_METADATA};
use crate::harness::{Call, DEADLINE, Form, Interaction, Mode, World};
use crate::scripted::{Scripted, Step};

fn statement(version: &str, operations: &[&str]) -> Step {
    let operations: Vec<_> = operations.iter().map(|name| json!({ "name": name })).collect();
    let resource = json!({"type": "Slot", "interaction": [{"code": "search-type"}]});
    let body = json!({
        "resourceType": "CapabilityStatement", "version": version, "fhirVersion": "3.0.1",
        "software": {"name": "=System", "version": "4"},
        "rest": [{"mode": "server", "resource": [resource], "operation": operations}],
    });
    reply("200 OK", JSON, &body.to_string())
}

/// Has the provider asked for a statement, whatever is in memory.
async fn read(world: &World, place: usize, interaction: &Interaction, accept: &str) {
    let practice = world.practice(place);
    let call = Call::new(Mode::Transparent, Form::Ods, practice, interaction, "metadata");
    let call = call.with("Cache-Control", "no-cache").with("Accept", accept);
    assert_eq!(world.send(call).await.status, 200);
}

const AS_JSON: &str = "application/fhir+json";

async fn get(world: &World, path: &str) -> Value {
    let answer = ask(world, call("GET", path)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// Waits until something that is told satisfies a test; what is learned is learned behind an answer.
async fn until(world: &World, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let told = async {
        loop {
            let told = get(world, path).await;
            if is_so(&told) {
                return told;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(DEADLINE, told).await.expect("it is told")
}

fn changes(told: &Value) -> &[Value] {
    told["changes"].as_array().unwrap()
}

/// Two practices of one supplier, one of which is upgraded.
async fn upgraded(provider: &Scripted, world: &World) {
    for place in [0, 1] {
        provider.will([statement("1.2.7", &["gpc.registerpatient"])]);
        read(world, place, &READ_METADATA, AS_JSON).await;
    }
    let is_learned = |told: &Value| {
        let rows = told["capabilities"].as_array().unwrap();
        rows.iter().filter(|row| row["statement"].is_u64()).count() == 4
    };
    until(world, "/v1/capabilities", is_learned).await;
    provider.will([statement("1.2.8", &["gpc.getstructuredrecord"])]);
    read(world, 0, &READ_METADATA, AS_JSON).await;
    until(world, "/v1/capabilities/changes", |told| changes(told).len() == 1).await;
}

/// The map has every practice with each capability that it offers, and what its system last said.
#[tokio::test]
async fn what_practices_can_be_asked_is_told_as_it_was_last_seen() {
    let (world, provider) = cached("").await;
    let code = |place: usize| world.practice(place).ods_code.to_string();
    let empty = get(&world, "/v1/capabilities").await;
    assert_eq!(empty["statements"], json!([]));
    assert_eq!(empty["capabilities"].as_array().unwrap().len(), 9, "{empty}");
    upgraded(&provider, &world).await;

    let map = get(&world, "/v1/capabilities").await;
    assert_eq!(map["statements"].as_array().unwrap().len(), 2, "{map}");
    for row in map["capabilities"].as_array().unwrap() {
        let place = row["statement"].as_u64().map(|place| usize::try_from(place).unwrap());
        let statement = place.map_or(&Value::Null, |place| &map["statements"][place]);
        let expected = match (&row["ods_code"], row["capability"].as_str().unwrap()) {
            (_, "structured") => json!(null),
            (one, _) if *one == json!(code(0)) => json!("1.2.8"),
            (one, _) if *one == json!(code(1)) => json!("1.2.7"),
            _ => json!(null),
        };
        assert_eq!(statement["version"], expected, "{row}");
        assert_eq!((row["seen_at"].is_null(), &row["enabled"]), (expected.is_null(), &json!(true)));
        if expected == json!("1.2.8") {
            let operations = json!(["$gpc.getstructuredrecord", "Slot.search-type"]);
            assert_eq!(statement["operations"], operations);
            assert_eq!(
                (&statement["fhir_version"], &statement["software"]),
                (&json!("3.0.1"), &json!("=System 4"))
            );
        }
    }
    let told = get(&world, "/v1/capabilities/changes").await;
    let change = &changes(&told)[0];
    assert_eq!(
        (&change["ods_code"], &change["capabilities"]),
        (&json!(code(0)), &json!(["foundations", "appointments"]))
    );
    assert_eq!(
        (&change["before"]["version"], &change["after"]["version"]),
        (&json!("1.2.7"), &json!("1.2.8"))
    );
    assert_eq!(
        (&change["added"], &change["removed"]),
        (&json!(["$gpc.getstructuredrecord"]), &json!(["$gpc.registerpatient"]))
    );

    // The other system of the practice, and XML.
    let xml = "<CapabilityStatement xmlns=\"http://hl7.org/fhir\"><version value=\"1.2.7\"/></CapabilityStatement>";
    provider.will([reply("200 OK", "Content-Type: application/fhir+xml;charset=utf-8\r\n", xml)]);
    read(&world, 2, &STRUCTURED_METADATA, "application/fhir+xml").await;
    let path = format!("/v1/capabilities?practice={}&capability=structured", code(2));
    let told = until(&world, &path, |told| told["capabilities"][0]["statement"].is_u64()).await;
    assert_eq!(told["capabilities"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["statements"][0]["version"], "1.2.7");
    assert!((Exposition::of(&world).await.sum("cache_statements", &[]) - 3.0).abs() < 0.5);
}

/// What is said of one practice or capability is told alone; a purge takes nothing of it away.
#[tokio::test]
async fn the_map_is_asked_for_a_part_and_outlives_a_purge() {
    let (world, provider) = cached("").await;
    upgraded(&provider, &world).await;
    let code = |place: usize| world.practice(place).ods_code.to_string();
    let purge = order("POST", "/v1/cache/purge", &json!({"all": true}));
    assert_eq!(ask(&world, purge).await.status, 200);
    for (query, rows, seen, changed) in [
        (String::new(), 9, 4, 1),
        (format!("?practice={}", code(0)), 3, 2, 1),
        (format!("?practice={}", code(1)), 3, 2, 0),
        (String::from("?capability=appointments"), 3, 2, 1),
        (String::from("?capability=structured"), 3, 0, 0),
        (String::from("?capability=html"), 0, 0, 0),
        (format!("?practice={}&capability=foundations", code(0)), 1, 1, 1),
    ] {
        let map = get(&world, &format!("/v1/capabilities{query}")).await;
        let all = map["capabilities"].as_array().unwrap();
        let are_seen = all.iter().filter(|row| row["statement"].is_u64()).count();
        assert_eq!((all.len(), are_seen), (rows, seen), "{query}: {map}");
        let told = get(&world, &format!("/v1/capabilities/changes{query}")).await;
        assert_eq!(changes(&told).len(), changed, "{query}: {told}");
    }
    for (query, status, word) in [
        ("practice=Z99999", 422, "not_registered"),
        ("practice=a20047", 400, "ods_code_invalid"),
        ("capability=x", 400, "capability_invalid"),
        ("consumer=200000000359", 400, "query_unknown"),
        ("practice=A20047&practice=A20047", 400, "query_unknown"),
    ] {
        for path in ["/v1/capabilities", "/v1/capabilities/changes"] {
            let answer = ask(&world, call("GET", &format!("{path}?{query}"))).await;
            assert_eq!((answer.status, &*fault(&answer)), (status, word), "{path}?{query}");
        }
    }
}

/// What is not kept is not learned: an answer that lies says nothing of its system.
#[tokio::test]
async fn an_answer_that_is_not_kept_is_not_learned() {
    let (world, provider) = cached("").await;
    upgraded(&provider, &world).await;
    let lie = "{\"resourceType\":\"CapabilityStatement\",\"version\":\"9\"}";
    for lines in [
        "Content-Type: text/html\r\n",
        "Content-Type: application/fhir+json\r\nSet-Cookie: a=b\r\n",
    ] {
        provider.will([reply("200 OK", lines, lie)]);
        read(&world, 1, &READ_METADATA, AS_JSON).await;
    }
    // One that is kept comes behind them.
    provider.will([statement("1.3.0", &[])]);
    read(&world, 1, &READ_METADATA, AS_JSON).await;
    let told = until(&world, "/v1/capabilities/changes", |told| changes(told).len() > 1).await;
    let versions: Vec<_> = changes(&told).iter().map(|it| &it["after"]["version"]).collect();
    assert_eq!(versions, ["1.3.0", "1.2.8"], "the latest first: {told}");
}

/// The command prints it as a table, as JSON and as CSV.
#[tokio::test]
async fn a_command_prints_the_map_and_its_changes() {
    let (world, provider) = cached("").await;
    upgraded(&provider, &world).await;
    let folder = world.gateway.folder().to_owned();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"));
        let command = command.args(["capabilities", "audit"]).args(arguments);
        let output = command.current_dir(&folder).output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        (output.status.code(), text)
    };
    let code = world.practice(0).ods_code.to_string();
    for (arguments, exit, told) in [
        (&[][..], 0, &["1.2.8", "1.2.7", "structured"][..]),
        (&["--practice", &*code], 0, &["$gpc.getstructuredrecord Slot.search-type"]),
        (
            &["-o", "csv"],
            0,
            &[
                "practice,name,capability",
                "foundations,yes,1.2.8,3.0.1,'=System 4,$gpc.getstructuredrecord Slot.search-type,",
            ],
        ),
        (&["-o", "json"], 0, &["\"statements\"", "\"1.2.8\""]),
        (&["--changes"], 0, &["1.2.7 / 3.0.1 / =System 4", "foundations appointments"]),
        (
            &["--changes", "-o", "csv"],
            0,
            &["at,practice,capabilities", ",1.2.7 / 3.0.1 / =System 4,"],
        ),
        (&["--changes", "-o", "json", "--practice", &code], 0, &["\"added\""]),
        (&["--changes", "--capability", "structured"], 0, &["No statement has changed."]),
        (&["--practice", "Z99999"], 1, &["no practice of this code"]),
        (&["--capability", "x"], 2, &["expected one of foundations"]),
    ] {
        let (status, text) = run(arguments);
        assert_eq!(status, Some(exit), "{arguments:?}: {text}");
        for part in told {
            assert!(text.contains(part), "{arguments:?}: {part} in\n{text}");
        }
    }
}
