//! Verbs and request targets.

use super::check::all_are_refused;
use super::region::{self, NOT_AGREED, PATIENT};
use super::{Case, base, call};
use crate::harness::interactions as all;
use crate::harness::{Call, Form, Mode, World};

/// gp-connect 3, 5 and 16.
#[tokio::test]
async fn verbs_that_are_not_carried() {
    let world = region::start("").await;
    let cases = [
        ("HEAD", "HEAD"),
        ("OPTIONS", "OPTIONS"),
        ("TRACE", "TRACE"),
        ("PATCH", "PATCH"),
        ("DELETE", "DELETE"),
        ("lower case", "get"),
        ("another protocol's", "PROPFIND"),
        ("made up", "BREW"),
        ("not a word", "G!T"),
    ];
    let of = |(name, verb): (&str, &str)| {
        let verb = verb.to_owned();
        Case::of(name, Call { verb, ..base(&world) }, "method_not_carried").says("405")
    };
    let mut cases: Vec<Case> = cases.map(of).into();
    let star = Call { verb: "OPTIONS".into(), target: "*".into(), ..base(&world) };
    cases.push(Case::of("OPTIONS of the server", star, "method_not_carried"));
    all_are_refused(&world, cases).await;
}

#[tokio::test]
async fn a_tunnel_is_not_opened() {
    let world = region::start("").await;
    let to = |target: &str| {
        let tunnel = Call { verb: "CONNECT".into(), target: target.into(), ..base(&world) };
        Case::of(target, tunnel, "method_not_carried").closes()
    };
    let path = base(&world).target;
    let cases = ["gp1.sim.example:443", "127.0.0.1:22", "gateway.example", &path].map(to);
    all_are_refused(&world, cases.into()).await;
    assert_eq!(world.simulator.connections(), 0);
}

/// gp-connect 3.
#[tokio::test]
async fn verbs_that_another_interaction_has() {
    let world = region::start("").await;
    let sent = |call: Call, verb: &str| {
        let verb = verb.to_owned();
        Call { verb, ..call }.json(&serde_json::json!({"resourceType": "Patient"}))
    };
    let amend = call(&world, &all::AMEND_APPOINTMENT, "Appointment/1").with("If-Match", "W/\"1\"");
    let cases = vec![
        Case::of("a search posted", sent(base(&world), "POST"), "interaction_mismatch")
            .says("does not match POST /Patient"),
        Case::of("a search put", sent(base(&world), "PUT"), "interaction_mismatch"),
        Case::of(
            "an operation read",
            Call {
                verb: "GET".into(),
                ..call(&world, &all::REGISTER_PATIENT, "Patient/$gpc.registerpatient")
            },
            "interaction_mismatch",
        ),
        Case::of("an amendment posted", sent(amend, "POST"), "interaction_mismatch"),
    ];
    all_are_refused(&world, cases).await;
}

/// gp-connect 2.3.
#[tokio::test]
async fn targets_in_ods_form() {
    let world = region::start("").await;
    let to = |target: &str| Call { target: target.into(), ..base(&world) };
    let none = "not_a_gp_connect_path";
    let dots = "target_ambiguous";
    let misfit = "interaction_mismatch";
    let mut cases = Vec::new();
    for (name, target, word) in [
        ("root", "/", none),
        ("nothing but a query", "/?identifier=x", none),
        ("star", "*", none),
        ("another service", "/livez", none),
        ("metrics", "/metrics", none),
        ("unknown practice", "/Z99999/STU3/1/gpconnect/fhir/Patient", "practice_unknown"),
        ("practice in lower case", "/a20047/STU3/1/gpconnect/fhir/Patient", none),
        ("practice escaped", "/%4120047/STU3/1/gpconnect/fhir/Patient", none),
        ("practice too short", "/A2/STU3/1/gpconnect/fhir/Patient", none),
        ("no version", "/A20047/gpconnect/fhir/Patient", none),
        ("version in lower case", "/A20047/stu3/1/gpconnect/fhir/Patient", none),
        ("major version no number", "/A20047/STU3/x/gpconnect/fhir/Patient", none),
        ("another routing segment", "/A20047/STU3/1/other/fhir/Patient", none),
        ("routing in capitals", "/A20047/STU3/1/GPConnect/fhir/Patient", none),
        ("nothing behind the root", "/A20047/STU3/1/gpconnect/", none),
        ("root without a slash", "/A20047/STU3/1/gpconnect", none),
        ("nothing behind fhir", "/A20047/STU3/1/gpconnect/fhir/", none),
        ("two slashes in front", "//A20047/STU3/1/gpconnect/fhir/Patient", none),
        ("two slashes within", "/A20047//STU3/1/gpconnect/fhir/Patient", none),
        ("two slashes behind", "/A20047/STU3/1/gpconnect/fhir//Patient", misfit),
        ("dots", "/A20047/STU3/1/gpconnect/../gpconnect/fhir/Patient", dots),
        ("dots to leave", "/A20047/STU3/1/gpconnect/fhir/../../../../Patient", dots),
        ("one dot", "/A20047/STU3/1/./gpconnect/fhir/Patient", dots),
        ("dots escaped", "/A20047/STU3/1/gpconnect/%2e%2e/Patient", dots),
        ("dots escaped in capitals", "/A20047/STU3/1/gpconnect/%2E%2E/Patient", dots),
        ("dots half escaped", "/A20047/STU3/1/gpconnect/.%2e/Patient", dots),
        ("dots with a parameter", "/A20047/STU3/1/gpconnect/..;/Patient", dots),
        ("dots with a named parameter", "/A20047/STU3/1/gpconnect/..;v=1/Patient", dots),
        ("dots at the end", "/A20047/STU3/1/gpconnect/fhir/Patient/..", dots),
        ("a backslash", "/A20047/STU3/1/gpconnect\\fhir\\Patient", dots),
        ("a backslash and dots", "/A20047/STU3/1/gpconnect/..\\Patient", dots),
        ("an escaped backslash", "/A20047/STU3/1/gpconnect/fhir/Patient%5c1", misfit),
        ("an escaped slash", "/A20047/STU3/1/gpconnect/fhir%2FPatient", misfit),
        ("an escaped slash in the root", "/A20047%2FSTU3/1/gpconnect/fhir/Patient", none),
        ("twice escaped dots", "/A20047/STU3/1/gpconnect/fhir/%252e%252e/Patient", misfit),
        ("a nul", "/A20047/STU3/1/gpconnect/fhir/Patient%00", misfit),
        ("a broken escape", "/A20047/STU3/1/gpconnect/fhir/Patient%zz", misfit),
        ("a parameter", "/A20047/STU3/1/gpconnect/fhir/Patient;v=1", misfit),
        ("resource in lower case", "/A20047/STU3/1/gpconnect/fhir/patient", misfit),
        ("resource escaped", "/A20047/STU3/1/gpconnect/fhir/%50atient", misfit),
        ("unknown resource", "/A20047/STU3/1/gpconnect/fhir/Observation", misfit),
        ("another resource", "/A20047/STU3/1/gpconnect/fhir/Slot", misfit),
        ("slash behind", "/A20047/STU3/1/gpconnect/fhir/Patient/", misfit),
        ("more behind", "/A20047/STU3/1/gpconnect/fhir/Patient/1/_history", misfit),
        ("more before", "/A20047/STU3/1/gpconnect/fhir/x/Patient", misfit),
        ("another capability's root", "/A20047/STU3/1/gpconnect/structured/fhir/Patient", misfit),
        ("documents", "/A20047/STU3/1/gpconnect/documents/fhir/Patient", misfit),
    ] {
        cases.push(Case::of(name, to(target), word));
    }
    all_are_refused(&world, cases).await;
}

/// gp-connect 2.1 and 3.
#[tokio::test]
async fn logical_ids() {
    let world = region::start("").await;
    let read = |path: &str| call(&world, &all::READ_PATIENT, path);
    let long = format!("Patient/{}", "1".repeat(65));
    let mut cases = Vec::new();
    for (name, path, word) in [
        ("none", "Patient/", "logical_id_missing"),
        ("none, of an appointment's patient", "Patient//Appointment", "interaction_mismatch"),
        ("too long", &long, "interaction_mismatch"),
        ("an underscore", "Patient/a_b", "interaction_mismatch"),
        ("an escaped slash", "Patient/1%2F2", "interaction_mismatch"),
        ("escaped dots", "Patient/%2e%2e", "target_ambiguous"),
        ("an escaped letter", "Patient/%31", "interaction_mismatch"),
        ("a blank, escaped", "Patient/1%20", "interaction_mismatch"),
    ] {
        cases.push(Case::of(name, read(path), word));
    }
    let amend = call(&world, &all::AMEND_APPOINTMENT, "Appointment/").with("If-Match", "W/\"1\"");
    let amend = amend.json(&serde_json::json!({"resourceType": "Appointment"}));
    cases.push(Case::of("none, of a command", amend, "logical_id_missing"));
    all_are_refused(&world, cases).await;
}

/// gp-connect 2.2.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a case")]
async fn service_roots() {
    let world = region::start("").await;
    let root = world.practice(0).service_root.to_string();
    let behind = root.strip_prefix("https://").unwrap().to_owned();
    let (host, path) = behind.split_once('/').unwrap();
    let short = path.strip_suffix("/fhir").unwrap();
    let structured = world.practice(0).structured_root.to_string();
    let structured = structured.strip_prefix("https://").unwrap().to_owned();
    let (varies, vague) = ("endpoint_varies", "target_ambiguous");
    let query = format!("?identifier={PATIENT}");
    let encoded = behind.replace('/', "%2F");
    let mut cases = Vec::new();
    for (name, target, word) in [
        ("another host", format!("/https://gp9.sim.example/{path}/Patient"), varies),
        ("an inner address", format!("/https://169.254.169.254/{path}/Patient"), varies),
        ("this machine", format!("/https://127.0.0.1/{path}/Patient"), varies),
        ("the usual port", format!("/https://{host}:443/{path}/Patient"), varies),
        ("another port", format!("/https://{host}:8443/{path}/Patient"), varies),
        ("host in capitals", format!("/https://{}/{path}/Patient", host.to_uppercase()), varies),
        ("host with a dot", format!("/https://{host}./{path}/Patient"), varies),
        ("a part of the root", format!("/https://{host}/{short}/Patient"), varies),
        ("more than the root", format!("/https://{behind}/x/Patient"), varies),
        (
            "two slashes behind the host",
            format!("/https://{host}//{path}/Patient"),
            "not_a_gp_connect_path",
        ),
        ("two slashes behind the root", format!("/https://{behind}//Patient"), varies),
        (
            "the root in lower case",
            format!("/https://{host}/{}/Patient", path.replace("STU3", "stu3")),
            varies,
        ),
        (
            "another version",
            format!("/https://{host}/{}/Patient", path.replace("STU3", "DSTU2")),
            varies,
        ),
        (
            "an escape in the root",
            format!("/https://{host}/{}/Patient", path.replace("gpconnect", "%67pconnect")),
            varies,
        ),
        ("another capability's root", format!("/https://{structured}/Patient"), varies),
        ("folded, another host", format!("/https:/gp9.sim.example/{path}/Patient"), varies),
        ("escaped, another host", format!("/https%3A%2F%2Fgp9.sim.example/{path}/Patient"), varies),
        ("with a query", format!("/https://{host}/{short}/Patient{query}"), varies),
        (
            "unknown practice",
            format!("/https://{host}/Z99999/STU3/1/gpconnect/fhir/Patient"),
            "receiver_not_accredited",
        ),
        ("no practice", format!("/https://{host}/"), "not_a_gp_connect_path"),
        ("no path", format!("/https://{host}"), "not_a_gp_connect_path"),
        ("a user", format!("/https://user@{behind}/Patient"), vague),
        ("another user", format!("/https://{host}@evil.example/{path}/Patient"), vague),
        ("three slashes", format!("/https:///{path}/Patient"), vague),
        ("plain", format!("/http://{behind}/Patient"), "not_a_gp_connect_path"),
        ("scheme in capitals", format!("/HTTPS://{behind}/Patient"), "not_a_gp_connect_path"),
        (
            "an escaped slash",
            format!("/https://{host}/{}/Patient", path.replacen('/', "%2f", 1)),
            vague,
        ),
        ("an escaped dot", format!("/https://{}/{path}/Patient", host.replace('.', "%2E")), vague),
        ("dots", format!("/https://{host}/x/../{path}/Patient"), vague),
        ("dots escaped", format!("/https://{host}/x/%2e%2e/{path}/Patient"), vague),
        ("dots with a parameter", format!("/https://{host}/x/..;/{path}/Patient"), vague),
        ("a backslash", format!("/https://{host}\\@evil.example/{path}/Patient"), vague),
        ("a root in the query", format!("/x?/https://{behind}/Patient"), "not_a_gp_connect_path"),
    ] {
        cases.push(Case::of(name, Call { target, ..base(&world) }, word));
    }
    let whole = Call { target: format!("/https%3A%2F%2F{encoded}/Patient"), ..base(&world) };
    cases.push(Case::of("all of the root escaped", whole, vague).says("percent-encoded"));
    all_are_refused(&world, cases).await;
    let served = cases_of_the_last_answer(&world).await;
    assert!(served.contains("VARIES_FROM_TARGETURL_https://gp9.sim.example/"), "{served}");
    assert!(!served.contains('?'), "{served}");
}

/// The diagnostics for a root that is not the registered one.
async fn cases_of_the_last_answer(world: &World) -> String {
    let practice = world.practice(0);
    let mut call =
        Call::new(Mode::Transparent, Form::Proxy, practice, &all::SEARCH_PATIENT, "Patient?a=1");
    call.target = call.target.replacen("gp1.", "gp9.", 1);
    let answer = world.send(call).await;
    answer.json()["issue"][0]["diagnostics"].as_str().unwrap().to_owned()
}

/// A practice is found by the code in the target, whatever the headers say of another one.
#[tokio::test]
async fn a_practice_without_agreement_is_not_reached_through_anothers_root() {
    let world = region::start("").await;
    let other = world.practice(NOT_AGREED);
    let call = |form| {
        Call::new(Mode::Transparent, form, other, &all::SEARCH_PATIENT, "Patient").without("Accept")
    };
    let to = world.practice(0).asid.to_string();
    let cases = vec![
        Case::of("by code", call(Form::Ods), "no_agreement"),
        Case::of("by root", call(Form::Proxy), "no_agreement"),
        Case::of(
            "with another's number",
            call(Form::Proxy).with("Ssp-To", &to),
            "receiver_mismatch",
        ),
    ];
    all_are_refused(&world, cases).await;
}
