//! Who breaks which rule, asked of a gateway at work.

use serde_json::{Value, json};

use super::office::{ask, call, fault};
use crate::harness::interactions as all;
use crate::harness::{Call, Mode, ORGANISATION, World};
use crate::scripted::{Scripted, Step};

/// An answer that lacks `no-store` and has a strong tag, or one that is good.
fn answer(good: bool) -> Step {
    let tag = if good { "Cache-Control: no-store\r\nETag: W/\"1\"" } else { "ETag: \"1\"" };
    let body = "{\"resourceType\":\"Patient\"}";
    Step::send(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json;charset=utf-8\r\n{tag}\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

fn trace_id(number: usize) -> String {
    format!("629ea9ba-a077-4d99-b289-{number:012}")
}

/// Two consumers' requests that are refused, and answers of two practices, most of them bad.
async fn broken() -> World {
    let provider = Scripted::start().await;
    let world = World::start(|plan| plan.upstream = Some(provider.address())).await;
    let patient = |place: usize, number| {
        let (form, practice) = (crate::harness::Form::Ods, world.practice(place));
        let call =
            Call::new(Mode::Assist, form, practice, &all::READ_PATIENT, "Patient/9000000009");
        call.with("Ssp-TraceID", &trace_id(number))
    };
    for (number, (place, good)) in
        [(0, false), (0, true), (0, false), (0, false), (0, false), (1, false)]
            .into_iter()
            .enumerate()
    {
        provider.will([answer(good)]);
        assert_eq!(world.send(patient(place, number)).await.status, 200);
    }
    let wrong = patient(0, 7).with("Ssp-To", "999999999999");
    assert_eq!(world.send(wrong).await.status, 400);
    let strange = patient(0, 8).with("Ssp-TraceID", "patient-9000000009");
    assert_eq!(world.send(strange).await.status, 400);
    let all_there =
        |lines: &[Value]| lines.iter().filter(|line| line["message"] == "request").count() == 8;
    world.gateway.log.wait_until("a line for each", all_there).await;
    world
}

/// What is said of each breach that is no matter of time.
async fn told(world: &World, query: &str) -> Vec<Value> {
    let answer = ask(world, call("GET", &format!("/v1/conformance{query}"))).await;
    assert_eq!(fault(&answer), "", "{query}");
    let shown = answer.json();
    assert_eq!(shown["uncounted"], 0, "{shown}");
    let breaches = shown["breaches"].as_array().unwrap();
    let is_timed = |row: &&Value| row["rule"].as_str().unwrap().starts_with("time_");
    breaches.iter().filter(|row| !is_timed(row)).cloned().collect()
}

fn short(rows: &[Value]) -> Vec<Value> {
    let short = |row: &Value| json!([row["organisation"], row["rule"], row["broken"], row["of"]]);
    rows.iter().map(short).collect()
}

#[tokio::test]
async fn the_worst_offenders_come_first() {
    let world = broken().await;
    let [first, second] = [0, 1].map(|place| world.practice(place).ods_code.to_string());
    let rows = told(&world, "").await;
    let practices = [
        json!([first, "no_store", 4, 5]),
        json!([first, "etag_weak", 4, 5]),
        json!([second, "no_store", 1, 1]),
        json!([second, "etag_weak", 1, 1]),
    ];
    let consumers =
        [json!([ORGANISATION, "trace_id", 1, 8]), json!([ORGANISATION, "receiver_named", 1, 8])];
    assert_eq!(rows.len(), 6, "{rows:#?}");
    assert_eq!(short(&rows[..2]), practices[..2]);
    for (query, expected) in [
        ("?side=practices", &practices[..]),
        ("?side=consumers", &consumers),
        ("?rule=no_store", &[practices[0].clone(), practices[2].clone()]),
        ("?side=practices&rule=trace_id", &[]),
    ] {
        assert_eq!(short(&told(&world, query).await), expected, "{query}");
    }
    assert_eq!(short(&told(&world, &format!("?organisation={second}")).await), practices[2..]);
    let row = &rows[0];
    let ids: Vec<_> =
        row["examples"].as_array().unwrap().iter().map(|it| it["trace_id"].clone()).collect();
    assert_eq!(ids, [4, 3, 2].map(trace_id), "the latest first");
    assert_eq!(row["rate"], 0.8, "{row}");
    assert_eq!(row["upstreams"], json!(["provider"]), "{row}");
    assert_eq!(row["section"], "gp-connect 4.3");
    assert!(row["name"].as_str().is_some_and(|name| !name.is_empty()), "{row}");
    assert!(row["mend"].as_str().unwrap().contains("no-store"), "{row}");
    let one = ask(&world, call("GET", "/v1/conformance?most=1")).await.json();
    assert_eq!(one["breaches"].as_array().unwrap().len(), 1);
    assert!(one["total"].as_u64().unwrap() >= 6, "{one}");
    let whole = ask(&world, call("GET", "/v1/conformance")).await;
    assert!(!whole.text().contains("9000000009"), "{}", whole.text());
    for (query, status, word) in [
        ("?side=both", 400, "side_unknown"),
        ("?rule=x", 400, "rule_unknown"),
        ("?organisation=Z99999", 422, "organisation_unknown"),
        ("?x=1", 400, "query_unknown"),
    ] {
        let answer = ask(&world, call("GET", &format!("/v1/conformance{query}"))).await;
        assert_eq!((answer.status, fault(&answer)), (status, word.to_owned()), "{query}");
    }
}

#[tokio::test]
async fn the_command_tells_the_same_in_three_forms() {
    let world = broken().await;
    let run = |arguments: &[&str]| {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_gpconnect-gateway"))
            .args(["conformance", "audit"])
            .args(arguments)
            .current_dir(world.gateway.folder())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let code = world.practice(0).ods_code.to_string();
    let (ended, table, beside) = run(&["--rule", "no_store"]);
    assert_eq!(ended, Some(0), "{beside}");
    assert!(beside.contains("2 of 2, the worst first"), "{beside}");
    for part in [&code, "no_store", "0.8", &trace_id(4)] {
        assert!(table.contains(part), "{part} in {table}");
    }
    let (_, text, _) = run(&["--side", "consumers", "-o", "csv"]);
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let rules: Vec<_> = rows.records().map(|row| row.unwrap()[3].to_owned()).collect();
    assert_eq!(rules, ["trace_id", "receiver_named"], "{text}");
    let (_, text, _) = run(&["--organisation", &code, "--rule", "etag_weak", "-o", "json"]);
    let shown: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(short(shown["breaches"].as_array().unwrap()), [json!([code, "etag_weak", 4, 5])]);
    let (ended, _, beside) = run(&["--rule", "scope"]);
    assert_eq!((ended, beside.contains("No such rule was broken since")), (Some(0), true));
    assert_eq!(run(&["--rule", "no-store"]).0, Some(2), "a rule that there is not");
    assert_eq!(run(&["--organisation", "Z99999"]).0, Some(1), "one that nobody knows");
}
