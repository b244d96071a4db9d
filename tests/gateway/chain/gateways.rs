//! Two gateways in a row, with mutual TLS between them.

use gpconnect_gateway::simulator::{Arrival, Practice};
use serde_json::Value;

use super::{identity, next_gateway, region, sent, trace_id};
use crate::audit::journal::Journal;
use crate::exposition::Exposition;
use crate::harness::call::host_and_path;
use crate::harness::client::sha256;
use crate::harness::interactions::{GET_STRUCTURED_RECORD, READ_APPOINTMENT, READ_PATIENT};
use crate::harness::plan::ONWARD;
use crate::harness::{Answer, Call, Form, HOST, Interaction, Mode, World};
use crate::interactions::{Learnt, Row, WALK};
use crate::resources::{NHS_NUMBER, record_question};
use crate::tls::Pki;

/// What identifies a request, and what else of its head must not change.
const INTACT: [&str; 9] = [
    "Ssp-TraceID",
    "Ssp-From",
    "Ssp-To",
    "Ssp-InteractionID",
    "Authorization",
    "Accept",
    "Content-Type",
    "If-Match",
    "X-Consumer",
];

fn arrived(name: &str, call: &Call, row: &Row, practice: &Practice, arrivals: &[Arrival]) {
    let [arrival] = arrivals else { panic!("{name}: {} arrivals", arrivals.len()) };
    let values = |header: &str| {
        let values = arrival.headers.get_all(header).iter();
        values.map(|value| value.to_str().unwrap()).collect::<Vec<_>>().join(", ")
    };
    let (host, root) = host_and_path(practice, row.interaction);
    assert_eq!(arrival.method.as_str(), call.verb, "{name}");
    assert_eq!(arrival.target, format!("/{root}/{}", row.path), "{name}");
    assert_eq!(values("host"), host, "{name}");
    for header in INTACT {
        assert_eq!(values(header), call.header(header).unwrap_or_default(), "{name}: {header}");
    }
    let via = "1.1 example-epr, 1.1 gpconnect-gateway, 1.1 gpconnect-gateway";
    assert_eq!(values("via"), via, "{name}");
    let forwarded = values("forwarded");
    assert!(forwarded.starts_with("by=_gpconnect-gateway;for=127.0.0.1;host="), "{forwarded}");
    assert!(forwarded.ends_with(";proto=https"), "{name}: {forwarded}");
    assert_eq!(arrival.body_sha256(), sha256(&call.body.concat()), "{name}");
}

fn answered(name: &str, call: &Call, row: &Row, practice: &Practice, answer: &Answer) {
    assert_eq!(answer.status, row.status, "{name}: {answer:?}");
    for (header, value) in [
        ("content-type", "application/fhir+json;charset=utf-8"),
        ("cache-control", "no-store"),
        ("ssp-traceid", call.header("Ssp-TraceID").unwrap()),
        ("via", "1.1 gpconnect-gateway, 1.1 gpconnect-gateway"),
        ("etag", row.etag),
    ] {
        assert_eq!(answer.header(header), value, "{name}: {header}");
    }
    assert_eq!(answer.json()["resourceType"], row.resource, "{name}");
    if call.mode == Mode::Assist {
        // A provider's link is the region's gateway's link, however far away the provider is.
        let (host, _) = host_and_path(practice, row.interaction);
        assert!(!answer.text().contains(&format!("https://{host}/")), "{name}: {answer:?}");
        assert!(!answer.header("location").contains(host), "{name}: {answer:?}");
    }
}

/// Both journals have each request once, from its intent to its end.
async fn on_record(mut world: World, requests: usize, next_proxy: Option<&str>) {
    assert_eq!(world.gateway.stop().await, Some(0));
    let journal = Journal::read(world.gateway.folder());
    journal.is_whole();
    for number in 0..requests {
        let trace_id = trace_id(number);
        for kind in ["intent", "outcome"] {
            let found: Vec<&Value> =
                journal.of(kind).filter(|record| record["trace_id"] == trace_id).collect();
            assert_eq!(found.len(), 1, "{kind} {number}: {found:#?}");
            if kind == "outcome" {
                assert_eq!(found[0]["origin"], "provider", "{}", found[0]);
                assert_eq!(found[0]["next_proxy"].as_str(), next_proxy, "{}", found[0]);
            }
        }
    }
}

/// gp-connect 2.2 and 4.2.
#[tokio::test]
async fn every_interaction_passes_two_gateways_with_its_headers_intact() {
    let pki = Pki::new();
    let next = next_gateway(&pki, |_| {}).await;
    let address = next.gateway.listeners["secure"];
    let region = region(&pki, &identity(&pki), address, &[0, 1, 2], |_| {}).await;
    let mut requests = 0;
    for (place, mode, form) in [
        (0, Mode::Transparent, Form::Proxy),
        (1, Mode::Transparent, Form::Ods),
        (2, Mode::Assist, Form::Ods),
    ] {
        let (practice, mut learnt) = (region.practice(place), Learnt::default());
        for row in &WALK {
            let name = format!("{mode:?} {form:?} {}", row.interaction.id);
            let call = Call::new(mode, form, practice, row.interaction, row.path)
                .with("Ssp-TraceID", &trace_id(requests))
                .and("Via", "1.1 example-epr")
                .and("X-Consumer", "stays \"as it\" is");
            let call = row.body_of(call, &learnt);
            let lean = call.clone().without("Ssp-From").without("Ssp-To");
            let is_lean = mode == Mode::Assist;
            let (answer, line) =
                sent(&region, if is_lean { lean } else { call.clone() }, requests).await;
            arrived(&name, &call, row, practice, &next.arrivals());
            answered(&name, &call, row, practice, &answer);
            assert_eq!(line["next_proxy"], ONWARD, "{line}");
            learnt.from(row, &answer);
            requests += 1;
        }
    }
    assert!(region.arrivals().is_empty(), "nothing went past the next gateway");
    on_record(region, requests, Some(ONWARD)).await;
    on_record(next, requests, None).await;
}

/// A link of an answer leads back through both gateways.
#[tokio::test]
async fn a_link_from_behind_two_gateways_can_be_followed() {
    let pki = Pki::new();
    let next = next_gateway(&pki, |_| {}).await;
    let address = next.gateway.listeners["secure"];
    let region = region(&pki, &identity(&pki), address, &[0], |_| {}).await;
    let answer = region.send(region.call(Mode::Assist, &READ_PATIENT, "Patient/1")).await;
    let link = answer.header("content-location");
    let target = link.strip_prefix(&format!("http://{HOST}")).unwrap_or_else(|| panic!("{link}"));
    let mut call = region.call(Mode::Assist, &READ_PATIENT, "Patient/1");
    call.target = target.strip_suffix("/_history/1").unwrap().to_owned();
    let read = region.send(call).await;
    assert_eq!((read.status, &read.json()["id"]), (200, &"1".into()), "{link}");
    assert_eq!(next.arrivals().len(), 2);
}

/// What one end answers, and what is made of it in the region.
struct Error {
    name: &'static str,
    place: usize,
    interaction: &'static Interaction,
    path: &'static str,
    /// What is ordered of the practice.
    fault: &'static str,
    status: u16,
    says: &'static str,
    /// Result, origin and note of the region's log.
    told: [&'static str; 3],
}

/// The next gateway has no agreement for records, has switched off appointments, and does not reach
/// the second practice.
#[rustfmt::skip]
const ERRORS: [Error; 5] = [
    Error { name: "no agreement at the next gateway", place: 0, interaction: &GET_STRUCTURED_RECORD, path: "Patient/$gpc.getstructuredrecord", fault: "", status: 403, says: "FOT_CHECK_FAILED_MESSAGESENDER_", told: ["refused", "next_proxy", "the next proxy national answered itself: no_agreement"] },
    Error { name: "switched off there", place: 0, interaction: &READ_APPOINTMENT, path: "Appointment/1", fault: "", status: 403, says: "ACCESS_DENIED", told: ["refused", "next_proxy", "the next proxy national answered itself: refused"] },
    Error { name: "out of its reach", place: 1, interaction: &READ_PATIENT, path: "Patient/1", fault: "", status: 502, says: "ERROR_COMMUNICATING_TO_ENDPOINT_URL_", told: ["failed", "next_proxy", "the next proxy national answered itself: upstream_unreachable"] },
    Error { name: "the practice's refusal", place: 0, interaction: &READ_PATIENT, path: "Patient/1", fault: "outcome=NO_PATIENT_CONSENT", status: 403, says: "NO_PATIENT_CONSENT", told: ["good", "provider", ""] },
    Error { name: "the practice's fault", place: 0, interaction: &READ_PATIENT, path: "Patient/1", fault: "outcome=INTERNAL_SERVER_ERROR", status: 500, says: "INTERNAL_SERVER_ERROR", told: ["provider_error", "provider", ""] },
];

/// errors B.
#[tokio::test]
async fn errors_of_the_next_gateway_pass_as_they_are_and_are_told_from_a_practice_s() {
    let pki = Pki::new();
    let next = next_gateway(&pki, |plan| {
        plan.refusing = vec![1];
        let agreed = "[\"foundations\", \"appointments\", \"structured\"]";
        plan.consumers = plan.consumers.replace(agreed, "[\"foundations\", \"appointments\"]");
        plan.consumers =
            plan.consumers.replace("[\"appointments\", \"structured\"]", "[\"structured\"]");
    })
    .await;
    let address = next.gateway.listeners["secure"];
    let mut region = region(&pki, &identity(&pki), address, &[0, 1], |_| {}).await;
    for (number, (error, mode)) in
        ERRORS.iter().flat_map(|error| Mode::BOTH.map(|mode| (error, mode))).enumerate()
    {
        let Error { interaction, path, .. } = error;
        let name = format!("{} {mode:?}", error.name);
        let call = Call::new(mode, Form::Ods, region.practice(error.place), interaction, path);
        let call = match interaction.verb {
            "POST" => call.json(&record_question(NHS_NUMBER)),
            _ => call,
        };
        let call = if error.fault.is_empty() { call } else { call.and("X-Sim-Fault", error.fault) };
        let (answer, line) = sent(&region, call, number).await;
        assert_eq!(answer.status, error.status, "{name}: {answer:?}");
        assert!(answer.text().contains(error.says), "{name}: {answer:?}");
        let issues = answer.json()["issue"].as_array().map(Vec::len);
        assert_eq!(issues, Some(1), "{name}: {answer:?}");
        let said = ["result", "origin", "note"].map(|field| line[field].as_str().unwrap_or(""));
        assert_eq!(said, error.told, "{name}: {line}");
        assert_eq!((&line["fault"], &line["next_proxy"]), (&Value::Null, &ONWARD.into()), "{name}");
        let passed = answer.header("via").matches("gpconnect-gateway").count();
        assert_eq!(passed, if error.told[1] == "provider" { 2 } else { 1 }, "{name}: {answer:?}");
    }
    let counted = Exposition::of(&region).await;
    for (origin, expected) in [("next_proxy", 6.0), ("provider", 4.0), ("gateway", 0.0)] {
        let sum = counted.sum("requests_total", &[("origin", origin)]);
        assert!((sum - expected).abs() < f64::EPSILON, "{origin}: {sum}");
    }
    assert_eq!(region.gateway.stop().await, Some(0));
    let journal = Journal::read(region.gateway.folder());
    journal.is_whole();
    let own = journal.of("outcome").filter(|record| record["origin"] == "next_proxy");
    assert_eq!(own.count(), 6);
}
