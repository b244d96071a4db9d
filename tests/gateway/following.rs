//! Links of an answer lead to where they lead: whoever follows one gets there, through the gateway.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use serde_json::{Value, json};

use crate::harness::call::root;
use crate::harness::interactions::{self as all, Interaction};
use crate::harness::provider::AnyBody;
use crate::harness::{Call, Form, HOST, Mode, Provider, World};

/// What stands in a bundle: an interaction, and what follows its service root.
const LINKS: [(&Interaction, &str); 9] = [
    (&all::READ_PATIENT, "Patient/1"),
    (&all::READ_ORGANIZATION, "Organization/1"),
    (&all::READ_PRACTITIONER, "Practitioner/a-b.1"),
    (&all::READ_LOCATION, "Location/1"),
    (&all::READ_APPOINTMENT, "Appointment/7"),
    (&all::SEARCH_PATIENT, "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009"),
    (&all::SEARCH_SLOT, "Slot?start=ge2026-11-23T08:00:00+00:00&_include:recurse=Schedule:actor"),
    (&all::PATIENT_APPOINTMENTS, "Patient/1/Appointment?start=ge2026-11-23&start=le2026-11-24"),
    (&all::STRUCTURED_METADATA, "metadata"),
];

/// A bundle with the provider's own addresses of all of them, and one of another practice.
fn bundle(roots: [&str; 2]) -> Vec<u8> {
    let links = LINKS.iter().enumerate().map(|(place, (interaction, path))| {
        let url = format!("{}/{path}", roots[usize::from(interaction.structured)]);
        match place % 3 {
            0 => json!({"fullUrl": url}),
            1 => json!({"link": [{"relation": "self", "url": url}]}),
            _ => json!({"resource": {"subject": {"reference": url}}}),
        }
    });
    let strange = json!({"fullUrl": "https://elsewhere.example/A20047/STU3/1/gpconnect/Patient/1"});
    let entries: Vec<Value> = links.chain([strange]).collect();
    json!({"resourceType": "Bundle", "entry": entries}).to_string().into_bytes()
}

/// Every text of a document that leads to the gateway.
fn links(tree: &Value, origin: &str, found: &mut Vec<String>) {
    match tree {
        Value::String(text) if text.starts_with(origin) => found.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| links(item, origin, found)),
        Value::Object(members) => members.values().for_each(|value| links(value, origin, found)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// gp-connect 2.2 and 2.4: what is behind the service root arrives as it was written.
#[tokio::test]
async fn links_of_a_bundle_can_be_followed() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (notes, body) = (Arc::clone(&seen), Arc::new(Mutex::new(Bytes::new())));
    let served = Arc::clone(&body);
    let provider = Provider::start(move |request: &Request<()>| -> Response<AnyBody> {
        let host = request.headers()["host"].to_str().unwrap();
        notes.lock().unwrap().push(format!("https://{host}{}", request.uri()));
        Response::builder()
            .header("Content-Type", "application/fhir+json;charset=utf-8")
            .body(Full::from(served.lock().unwrap().clone()).boxed_unsync())
            .unwrap()
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let practice = world.practice(0);
    let roots = [&all::READ_PATIENT, &all::STRUCTURED_METADATA].map(|it| root(practice, it));
    *body.lock().unwrap() = bundle(roots).into();
    let origin = format!("http://{HOST}");
    for form in [Form::Ods, Form::Proxy, Form::Escaped] {
        let ask = |interaction, path| Call::new(Mode::Assist, form, practice, interaction, path);
        let answer = world.send(ask(&all::SEARCH_SLOT, "Slot?status=free")).await;
        let mut found = Vec::new();
        links(&answer.json(), &origin, &mut found);
        assert_eq!(found.len(), LINKS.len(), "{form:?}: {}", answer.text());
        assert!(answer.text().contains("https://elsewhere.example/"), "{form:?}");
        for (link, (interaction, path)) in found.iter().zip(LINKS) {
            seen.lock().unwrap().clear();
            // What a consumer has: the link, and who it is.
            let mut call = ask(interaction, path).lean();
            call.target = link.strip_prefix(&origin).unwrap().to_owned();
            if path != "metadata" {
                call = call.without("Ssp-InteractionID");
            }
            let answer = world.send(call).await;
            assert_eq!(answer.status, 200, "{form:?} {link}: {}", answer.text());
            let expected = format!("{}/{path}", roots[usize::from(interaction.structured)]);
            assert_eq!(*seen.lock().unwrap(), [expected], "{form:?} {link}");
        }
    }
}
