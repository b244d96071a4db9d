//! The headers of a message, one by one.

use serde_json::json;

use super::check::all_are_refused;
use super::region::{self, NEIGHBOUR};
use super::{Case, base, call};
use crate::harness::interactions::{self as all, Interaction};
use crate::harness::{Call, Mode};

const SSP: [&str; 4] = ["Ssp-TraceID", "Ssp-From", "Ssp-To", "Ssp-InteractionID"];

/// gp-connect 4.1.
#[tokio::test]
async fn headers_that_are_missing() {
    let world = region::start("").await;
    let put = call(&world, &all::CANCEL_APPOINTMENT, "Appointment/1").json(&json!({}));
    let mut cases: Vec<Case> = SSP
        .iter()
        .map(|name| Case::of(*name, base(&world).without(name), "header_missing").says("missing"))
        .collect();
    cases.push(
        Case::of(
            "all four",
            SSP.iter().fold(base(&world), |call, name| call.without(name)),
            "header_missing",
        )
        .says("Ssp-TraceID header is missing"),
    );
    cases.push(
        Case::of("no token", base(&world).without("Authorization"), "header_missing")
            .says("Authorization"),
    );
    cases.push(Case::of("no version to change", put, "header_missing").says("If-Match"));
    all_are_refused(&world, cases).await;
}

/// gp-connect 4.1.
#[tokio::test]
async fn headers_that_are_repeated() {
    let world = region::start("").await;
    let put = call(&world, &all::CANCEL_APPOINTMENT, "Appointment/1")
        .json(&json!({}))
        .with("If-Match", "W/\"1\"");
    let mut cases = Vec::new();
    for name in
        ["Ssp-From", "Ssp-To", "Ssp-InteractionID", "Authorization", "If-Match", "Content-Type"]
    {
        let value = put.header(name).unwrap().to_owned();
        let twice = put.clone().and(name, &value);
        cases.push(
            Case::of(format!("{name} twice"), twice, "header_repeated").says("repeated").closes(),
        );
        let other = put.clone().and(&name.to_lowercase(), "x");
        cases.push(Case::of(format!("{name} and another"), other, "header_repeated").closes());
    }
    let trace = base(&world).and("SSP-TRACEID", "b0f5ab8e-4b6e-4a4f-8f0f-1c2b8a0c0001");
    cases.push(Case::of("two trace ids", trace, "header_repeated").closes());
    all_are_refused(&world, cases).await;
}

/// gp-connect 4.1.
#[tokio::test]
#[expect(clippy::too_many_lines, reason = "a table: one row a case")]
async fn headers_that_are_malformed() {
    let world = region::start("").await;
    let invalid = "header_invalid";
    let mut cases = Vec::new();
    for (name, header, value, word) in [
        ("trace id of a word", "Ssp-TraceID", "trace", invalid),
        ("trace id of a patient", "Ssp-TraceID", "9000000009", invalid),
        ("trace id in braces", "Ssp-TraceID", "{629ea9ba-a077-4d99-b289-7a9b19fd4e03}", invalid),
        ("trace id too long", "Ssp-TraceID", "629ea9ba-a077-4d99-b289-7a9b19fd4e033", invalid),
        (
            "two trace ids",
            "Ssp-TraceID",
            "629ea9ba-a077-4d99-b289-7a9b19fd4e03, 629ea9ba-a077-4d99-b289-7a9b19fd4e03",
            invalid,
        ),
        ("trace id empty", "Ssp-TraceID", "", invalid),
        ("sender of a word", "Ssp-From", "hospital", invalid),
        ("sender of 11 digits", "Ssp-From", "20000000036", invalid),
        ("sender of 13 digits", "Ssp-From", "2000000003600", invalid),
        ("two senders", "Ssp-From", "200000000360,200000000360", invalid),
        ("sender empty", "Ssp-From", "", invalid),
        ("sender in other digits", "Ssp-From", "２００００００００３６０", invalid),
        ("receiver of a word", "Ssp-To", "practice", invalid),
        ("two receivers", "Ssp-To", "910000000000 910000000000", invalid),
        ("receiver empty", "Ssp-To", "", invalid),
        (
            "interaction without its prefix",
            "Ssp-InteractionID",
            "fhir:rest:search:patient-1",
            "interaction_unknown",
        ),
        (
            "interaction in capitals",
            "Ssp-InteractionID",
            "URN:NHS:NAMES:SERVICES:GPCONNECT:FHIR:REST:SEARCH:PATIENT-1",
            "interaction_unknown",
        ),
        (
            "interaction of no version",
            "Ssp-InteractionID",
            "urn:nhs:names:services:gpconnect:fhir:rest:search:patient",
            "interaction_unknown",
        ),
        (
            "interaction of another version",
            "Ssp-InteractionID",
            "urn:nhs:names:services:gpconnect:fhir:rest:search:patient-2",
            "interaction_unknown",
        ),
        (
            "two interactions",
            "Ssp-InteractionID",
            "urn:nhs:names:services:gpconnect:fhir:rest:search:patient-1,urn:nhs:names:services:gpconnect:fhir:rest:search:patient-1",
            "interaction_unknown",
        ),
        ("interaction empty", "Ssp-InteractionID", "", "interaction_unknown"),
        ("interaction of a patient", "Ssp-InteractionID", "9000000009", "interaction_unknown"),
    ] {
        cases.push(Case::of(name, base(&world).with(header, value), word).says(header));
    }
    let put = call(&world, &all::AMEND_APPOINTMENT, "Appointment/1").json(&json!({}));
    for (name, value) in [
        ("version without quotes", "1"),
        ("weak version without quotes", "W/1"),
        ("any version", "*"),
        ("two versions", "W/\"1\", W/\"2\""),
        ("version empty", ""),
    ] {
        cases.push(Case::of(name, put.clone().with("If-Match", value), invalid).says("If-Match"));
    }
    all_are_refused(&world, cases).await;
}

/// gp-connect 9.
#[tokio::test]
async fn several_faults_are_told_at_once() {
    let world = region::start("").await;
    let call =
        base(&world).without("Ssp-To").with("Ssp-TraceID", "x").with("Authorization", "Basic x");
    let answer = world.send(call).await;
    let told: Vec<_> = answer.json()["issue"]
        .as_array()
        .unwrap()
        .iter()
        .map(|issue| issue["diagnostics"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(answer.status, 400);
    for (name, part) in [("trace id", "Ssp-TraceID"), ("receiver", "Ssp-To"), ("token", "Bearer")] {
        assert!(told.iter().any(|text| text.contains(part)), "{name}: {told:?}");
    }
    assert_eq!(told.len(), 3, "{told:?}");
}

/// gp-connect 6.
#[tokio::test]
async fn media_types() {
    let world = region::start("").await;
    let word = "media_type_unsupported";
    let text = "Unsupported_Media_Type";
    let mut cases = Vec::new();
    for accept in ["image/png", "text/html", "application/fhir+turtle", "application/fhir+json;q=0"]
    {
        let call = base(&world).with("Accept", accept);
        cases.push(Case::of(format!("Accept: {accept}"), call, word).says(text));
    }
    for format in ["turtle", "text/html", ""] {
        let mut call = base(&world);
        call.target = format!("{}&_format={format}", call.target);
        cases.push(Case::of(format!("_format={format}"), call, word).says(text));
    }
    let book = call(&world, &all::BOOK_APPOINTMENT, "Appointment").json(&json!({}));
    for kind in [
        "text/plain",
        "application/octet-stream",
        "multipart/form-data; boundary=x",
        "",
        "application/fhir+json, text/plain",
    ] {
        let call = book.clone().with("Content-Type", kind);
        cases.push(Case::of(format!("Content-Type: {kind}"), call, word).says(text));
    }
    cases.push(Case::of("no Content-Type", book.clone().without("Content-Type"), word).says(text));
    for (verb, path, call) in [("POST", "Appointment", &book), ("GET", "Patient", &base(&world))] {
        let encoded = call.clone().with("Content-Encoding", "gzip");
        let name = format!("Content-Encoding of a {verb} {path}");
        cases.push(Case::of(name, encoded, "body_encoded").says(text).closes());
    }
    all_are_refused(&world, cases).await;
}

/// gp-connect 3.
#[tokio::test]
async fn interactions_that_are_not_carried() {
    let world = region::start("").await;
    let book = json!({"resourceType": "Parameters"});
    let mut cases = Vec::new();
    for (id, verb, path) in [
        ("fhir:rest:search:healthcareservice-1", "GET", "gpconnect/fhir/HealthcareService"),
        ("fhir:rest:read:healthcareservice-1", "GET", "gpconnect/fhir/HealthcareService/1"),
        ("documents:fhir:rest:read:metadata-1", "GET", "gpconnect/documents/fhir/metadata"),
        ("documents:fhir:rest:search:patient-1", "GET", "gpconnect/documents/fhir/Patient"),
        (
            "documents:fhir:rest:search:documentreference-1",
            "GET",
            "gpconnect/documents/fhir/Patient/1/DocumentReference",
        ),
        ("documents:fhir:rest:read:binary-1", "GET", "gpconnect/documents/fhir/Binary/1"),
        ("documents:fhir:rest:migrate:binary-1", "GET", "gpconnect/documents/fhir/Binary/1"),
        (
            "fhir:operation:gpc.migratestructuredrecord-1",
            "POST",
            "gpconnect/structured/fhir/Patient/$gpc.migratestructuredrecord",
        ),
        ("fhir:operation:gpc.getcarerecord", "POST", "gpconnect/fhir/Patient/$gpc.getcarerecord"),
        ("fhir:rest:read:metadata", "GET", "gpconnect/fhir/metadata"),
    ] {
        let urn = format!("{}{id}", all::PREFIX);
        let target = format!("/A20047/STU3/1/{path}");
        let call =
            Call { verb: verb.into(), target, ..base(&world) }.with("Ssp-InteractionID", &urn);
        let call = if verb == "POST" { call.json(&book) } else { call };
        cases.push(Case::of(id, call, "interaction_not_carried").says("is not implemented"));
    }
    all_are_refused(&world, cases).await;
}

/// What may be left out has to be right when it is sent, and one choice has to be left.
#[tokio::test]
async fn headers_of_an_assisted_consumer() {
    let world = region::start("").await;
    let call = |interaction: &Interaction, path: &str| {
        world.call(Mode::Assist, interaction, path).without("Accept")
    };
    // A foreign sender gets no conveniences.
    let whole = call(&all::READ_PATIENT, "Patient/1");
    let read = || call(&all::READ_PATIENT, "Patient/1").lean();
    let amend = || {
        let amend = call(&all::AMEND_APPOINTMENT, "Appointment/1").lean();
        amend.with("If-Match", "W/\"1\"").json(&json!({"resourceType": "Appointment"}))
    };
    let bare = || read().without("Ssp-InteractionID");
    let to = |target: &str| Call { target: target.into(), ..bare() };
    let cases = vec![
        Case::of("two choices", amend().without("Ssp-InteractionID"), "interaction_ambiguous")
            .says("fit several interactions"),
        Case::of("no choice", to("/A20047/STU3/1/gpconnect/Observation"), "not_a_gp_connect_path"),
        Case::of("no practice", to("/Z99999/STU3/1/gpconnect/Patient/1"), "practice_unknown"),
        Case::of("another choice", read().with("Ssp-InteractionID", "x"), "interaction_unknown"),
        Case::of("another's system", whole.with("Ssp-From", NEIGHBOUR), "sender_not_caller"),
        Case::of("no system", read().with("Ssp-From", ""), "header_invalid"),
        Case::of("another practice", read().with("Ssp-To", "999999999999"), "receiver_mismatch"),
        Case::of("no trace id", read().with("Ssp-TraceID", "x"), "header_invalid"),
        Case::of("no token", bare().without("Authorization"), "header_missing"),
        Case::of("no version", amend().without("If-Match"), "header_missing"),
    ];
    all_are_refused(&world, cases).await;
}
