//! Whom a request is about: operations must be clear about it, everything else is recorded, and the
//! check digit of NHS numbers is looked at where a region wants it.

use serde_json::{Value, json};

use super::check::all_are_refused;
use super::region::{self, PATIENT};
use super::settings::{let_off, with_consumer};
use super::{Case, call};
use crate::exposition::Exposition;
use crate::harness::interactions::{
    AMEND_APPOINTMENT, BOOK_APPOINTMENT, CANCEL_APPOINTMENT, GET_STRUCTURED_RECORD, READ_METADATA,
    REGISTER_PATIENT, SEARCH_PATIENT,
};
use crate::harness::{Answer, Call, Interaction, Mode, World};
use crate::resources::{record_question, record_question_in_xml, registration};

const SYSTEM: &str = "https://fhir.nhs.uk/Id/nhs-number";
/// Another good number, and one whose check digit is wrong.
const OTHER: &str = "9000000017";
const WRONG: &str = "9000000008";
const CHECKED: &str = "[checks]\nnhs_number = true\n";

fn with_json(call: Call, body: &str) -> Call {
    call.with("Content-Type", "application/fhir+json;charset=utf-8").bytes(body.to_owned())
}

fn with_xml(call: Call, body: &str) -> Call {
    let call = call.with("Accept", "application/fhir+json");
    call.with("Content-Type", "application/fhir+xml;charset=utf-8").bytes(body.to_owned())
}

fn record(world: &World) -> Call {
    call(world, &GET_STRUCTURED_RECORD, "Patient/$gpc.getstructuredrecord")
}

fn register(world: &World) -> Call {
    call(world, &REGISTER_PATIENT, "Patient/$gpc.registerpatient")
}

fn search(world: &World, number: &str) -> Call {
    call(world, &SEARCH_PATIENT, &format!("Patient?identifier={SYSTEM}|{number}"))
}

/// gp-connect 12: the identity of the data is the NHS number in the body, so an operation whose body
/// has two readings does not pass.
#[tokio::test]
async fn operations_that_can_not_be_read_in_one_way() {
    let world = region::start("").await;
    let (json, xml) = (record_question(PATIENT).to_string(), record_question_in_xml(PATIENT));
    let doctype = format!("<!DOCTYPE a [<!ENTITY b '{PATIENT}'>]>{xml}");
    let value = format!("\"value\":\"{PATIENT}\"");
    let twice = format!("{value},\"value\":\"{OTHER}\"");
    let element = format!("<value value=\"{PATIENT}\"/>");
    let both = format!("{element}<value value=\"{OTHER}\"/>");
    let registered = registration(PATIENT).to_string().replace(&value, &twice);
    let two_charsets = "application/fhir+json;charset=utf-8;charset=utf-7";
    let in_json = |body: &str| with_json(record(&world), body);
    let in_xml = |body: &str| with_xml(record(&world), body);
    let cases = [
        ("a name twice", in_json(&json.replace(&value, &twice)), "stands twice"),
        ("a value twice", in_xml(&xml.replace(&element, &both)), "stands twice"),
        ("half of it", in_json(json.split_at(60).0), "not JSON"),
        ("half of it in XML", in_xml(xml.split_at(90).0), "not well-formed XML"),
        ("XML said to be JSON", in_json(&xml), "not JSON"),
        ("entities", in_xml(&doctype), "document type"),
        ("capitals", in_json(&json.replace("\"value\"", "\"Value\"")), "capitals"),
        ("two charsets", in_json(&json).with("Content-Type", two_charsets), "charset"),
        ("nothing", in_json(""), "empty"),
        ("no body", in_json("").with("Content-Length", "0"), "empty"),
        ("a registration", with_json(register(&world), &registered), "stands twice"),
    ];
    let case = |(name, call, says)| Case::of(name, call, "body_unreadable").says(says);
    all_are_refused(&world, cases.map(case).into()).await;
}

/// gp-connect 12: the identity of the data is one NHS number.
#[tokio::test]
async fn operations_that_name_several_patients() {
    let world = region::start("").await;
    let parameter = |number: &str| record_question(number)["parameter"][0].clone();
    let mut json = record_question(PATIENT);
    json["parameter"].as_array_mut().unwrap().push(parameter(OTHER));
    let element =
        |number: &str| format!("<a><system value=\"{SYSTEM}\"/><value value=\"{number}\"/></a>");
    let xml = record_question_in_xml(PATIENT);
    let xml = xml.replace("</Parameters>", &format!("{}</Parameters>", element(OTHER)));
    let mut registered = registration(PATIENT);
    let patient = &mut registered["parameter"][0]["resource"];
    patient["link"] = json!([{"other": {"identifier": parameter(OTHER)["valueIdentifier"]}}]);
    let query = format!("Patient/$gpc.getstructuredrecord?identifier={SYSTEM}%7C{OTHER}");
    let in_query = call(&world, &GET_STRUCTURED_RECORD, &query);
    let cases = [
        ("in JSON", with_json(record(&world), &json.to_string())),
        ("in XML", with_xml(record(&world), &xml)),
        ("query and body", with_json(in_query, &record_question(PATIENT).to_string())),
        ("in a registration", with_json(register(&world), &registered.to_string())),
    ];
    let says = "several different NHS numbers";
    let case = |(name, call)| Case::of(name, call, "several_patients").says(says);
    all_are_refused(&world, cases.map(case).into()).await;
}

/// gp-connect 5: a GET has no body. A provider that leaves one unread would take it for the next
/// request on its connection.
#[tokio::test]
async fn a_get_with_a_body() {
    let world = region::start("").await;
    let get = || call(&world, &READ_METADATA, "metadata");
    let hidden = get().head();
    let chunks = vec!["a".into(), "b".into()];
    let of = |name, call| Case::of(name, call, "body_unexpected").says("GET").closes();
    all_are_refused(
        &world,
        vec![
            of("by its length", get().bytes(hidden)),
            of("in chunks", get().chunks(chunks)),
            of("no chunk", get()).raw(
                get().head().replace("\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            ),
        ],
    )
    .await;
    let empty = get().with("Content-Type", "application/fhir+json").with("Content-Length", "0");
    assert_eq!(world.send(empty).await.status, 200, "an empty one is none");
}

/// The answer to a call and its log line.
async fn sent(world: &World, call: Call) -> (Answer, Value) {
    let seen = world.gateway.log.lines().len();
    let answer = world.send(call).await;
    let is_request = |line: &Value| line["message"] == "request";
    let line = world.gateway.log.wait_behind(seen, "its line", is_request).await;
    for number in [PATIENT, OTHER, WRONG] {
        assert!(!line.to_string().contains(number), "{line}");
    }
    (answer, line)
}

/// gp-connect 3 and 12: bodies of bookings are the provider's to judge (D14); how many patients they
/// name is recorded, never which.
#[tokio::test]
async fn everything_else_is_recorded_and_forwarded() {
    let world = region::start("").await;
    let identifier = |number: &str| format!("{{\"system\":\"{SYSTEM}\",\"value\":\"{number}\"}}");
    let (one, two) = (identifier(PATIENT), identifier(OTHER));
    let appointment = |inside: &str| format!("{{\"resourceType\":\"Appointment\"{inside}}}");
    let none = Value::Null;
    for (name, body, word) in [
        ("no number", appointment(""), none),
        ("one", appointment(&format!(",\"identifier\":[{one},{one}]")), "one".into()),
        ("several", appointment(&format!(",\"identifier\":[{one},{two}]")), "several".into()),
        ("wrong", appointment(&format!(",\"identifier\":{}", identifier(WRONG))), "one".into()),
        ("name twice", appointment(",\"a\":1,\"a\":2"), "unreadable".into()),
        ("no JSON", "{".into(), "unreadable".into()),
    ] {
        for (interaction, path) in [
            (&BOOK_APPOINTMENT, "Appointment"),
            (&AMEND_APPOINTMENT, "Appointment/1"),
            (&CANCEL_APPOINTMENT, "Appointment/1"),
        ] {
            let call = with_json(call(&world, interaction, path), &body);
            let (_, line) = sent(&world, call.with("If-Match", "W/\"1\"")).await;
            assert_eq!(line["origin"], "provider", "{name}: {line}");
            assert_eq!(line["patients"], word, "{name}: {line}");
            assert_eq!(world.arrivals()[0].body, body, "{name}");
        }
    }
}

/// gp-connect 12: the NHS number where it is in query or body.
#[tokio::test]
async fn good_requests_pass_and_say_how_many_patients_they_name() {
    for settings in ["", CHECKED] {
        let world = region::start(settings).await;
        let question = record_question(PATIENT).to_string();
        let spaced = question.replace(PATIENT, "900 000 0009");
        let marked = format!("\u{feff}{question}");
        let in_json = |body: &str| with_json(record(&world), body);
        let registered = registration("9000000092").to_string();
        for (name, call, status) in [
            ("search", search(&world, PATIENT), 200),
            ("record", in_json(&question), 200),
            ("record in XML", with_xml(record(&world), &record_question_in_xml(PATIENT)), 200),
            ("registration", with_json(register(&world), &registered), 200),
            // What the provider makes of these is its affair.
            ("in groups", in_json(&spaced), 0),
            ("byte order mark", in_json(&marked), 0),
        ] {
            let (answer, line) = sent(&world, call).await;
            assert_eq!(line["origin"], "provider", "{name}: {line}");
            assert!(status == 0 || answer.status == status, "{name}: {answer:?}");
            assert_eq!(line["patients"], "one", "{name}: {line}");
            assert_eq!(world.arrivals().len(), 1, "{name}");
        }
        let (_, line) = sent(&world, call(&world, &READ_METADATA, "metadata")).await;
        assert_eq!(line["patients"], Value::Null, "{line}");
    }
}

/// Numbers that are none, wherever a request can name one.
fn wrong_numbers(world: &World) -> Vec<(&'static str, Call)> {
    let booking = format!("{{\"identifier\":[{{\"system\":\"{SYSTEM}\",\"value\":\"{WRONG}\"}}]}}");
    let encoded =
        format!("Patient?identifier=https%3A%2F%2Ffhir.nhs.uk%2FId%2Fnhs-number%7C{WRONG}");
    vec![
        ("in a query", search(world, WRONG)),
        ("in an encoded query", call(world, &SEARCH_PATIENT, &encoded)),
        ("nine digits", search(world, "900000000")),
        ("letters", search(world, "UNK")),
        ("in a question", with_json(record(world), &record_question(WRONG).to_string())),
        ("in XML", with_xml(record(world), &record_question_in_xml(WRONG))),
        ("in a registration", with_json(register(world), &registration(WRONG).to_string())),
        ("in a booking", with_json(call(world, &BOOK_APPOINTMENT, "Appointment"), &booking)),
    ]
}

/// gp-connect 15: length and check digit of NHS numbers, where the gateway looks at them.
#[tokio::test]
async fn wrong_nhs_numbers_are_refused_by_setting() {
    let world = region::start(CHECKED).await;
    let case = |(name, call)| Case::of(name, call, "nhs_number_invalid").says("check digit");
    all_are_refused(&world, wrong_numbers(&world).into_iter().map(case).collect()).await;

    let world = region::start("").await;
    for (name, call) in wrong_numbers(&world) {
        let (_, line) = sent(&world, call).await;
        assert_eq!(line["origin"], "provider", "{name}: off unless it is switched on: {line}");
    }
}

#[tokio::test]
async fn a_consumer_may_be_let_off_the_check_digit() {
    let world = with_consumer(&let_off("nhs_number"), CHECKED).await;
    let calls = wrong_numbers(&world);
    let count = calls.len();
    for (name, call) in calls {
        let (_, line) = sent(&world, call).await;
        assert_eq!(line["origin"], "provider", "{name}: {line}");
        assert_eq!(line["reported"], "nhs_number", "{name}: {line}");
    }
    let path = format!("Patient/$gpc.getstructuredrecord?identifier={SYSTEM}|{WRONG}");
    let both = call(&world, &GET_STRUCTURED_RECORD, &path);
    let (_, line) = sent(&world, with_json(both, &record_question(WRONG).to_string())).await;
    assert_eq!(line["reported"], "nhs_number", "told once: {line}");
    let page = Exposition::of(&world).await;
    let labels = [("consumer", Mode::Transparent.asid()), ("check", "nhs_number")];
    assert_eq!(page.sum("report_only_total", &labels), (count + 1) as f64);

    let other = search(&world, WRONG).with("Ssp-From", Mode::Assist.asid());
    let answer = world.send(Call { mode: Mode::Assist, ..other }).await;
    assert_eq!(answer.status, 400, "another consumer is let off nothing");
}

/// Being let off does not let a request off being clear about its patient.
#[tokio::test]
async fn nobody_is_let_off_being_clear() {
    let world = with_consumer(&[let_off("nhs_number"), let_off("media_type")].concat(), "").await;
    let question = record_question(PATIENT).to_string();
    let of_type = |body: &str| with_json(record(&world), body).with("Content-Type", "text/plain");
    let (answer, line) = sent(&world, of_type(&question)).await;
    assert_eq!(
        (&line["patients"], &line["reported"]),
        (&"one".into(), &"media_type".into()),
        "{answer:?}"
    );
    let twice = question.replace("{\"resourceType\"", "{\"resourceType\":\"\",\"resourceType\"");
    let (answer, line) = sent(&world, of_type(&twice)).await;
    assert_eq!((answer.status, &line["fault"]), (400, &"body_unreadable".into()), "{line}");
}

/// The interactions whose bodies are looked at are the specification's operations.
#[test]
fn operations_are_those_of_the_specification() {
    use gpconnect::interaction::InteractionId;
    let known = |interaction: &Interaction| {
        InteractionId::from_urn(&interaction.urn()).unwrap().is_operation()
    };
    assert!([&REGISTER_PATIENT, &GET_STRUCTURED_RECORD].into_iter().all(known));
    let others = [&BOOK_APPOINTMENT, &AMEND_APPOINTMENT, &CANCEL_APPOINTMENT, &SEARCH_PATIENT];
    assert!(!others.into_iter().any(known));
}
