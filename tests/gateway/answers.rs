//! What a provider answers passes as it is, with our own headers added and those of the hop left out.

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::BodyExt;

use crate::harness::client::{Pieces, sha256};
use crate::harness::interactions::{
    PATIENT_APPOINTMENTS, READ_APPOINTMENT, READ_LOCATION, READ_METADATA, READ_ORGANIZATION,
    READ_PATIENT, READ_PRACTITIONER, SEARCH_PATIENT, SEARCH_SLOT, STRUCTURED_METADATA,
};
use crate::harness::{Mode, Provider, World};
use crate::resources::FREE_SLOTS;

const BY_NHS_NUMBER: &str = "Patient?identifier=https://fhir.nhs.uk/Id/nhs-number%7C9000000009";

/// gp-connect 4.1 and 4.3.
#[tokio::test]
async fn an_answer_is_the_providers_with_our_headers_added() {
    let world = World::start(|_| {}).await;
    for (interaction, path) in [
        (&READ_METADATA, "metadata"),
        (&SEARCH_PATIENT, BY_NHS_NUMBER),
        (&READ_PATIENT, "Patient/1"),
        (&READ_PATIENT, "Patient/999999"),
        (&READ_PRACTITIONER, "Practitioner/1"),
        (&READ_ORGANIZATION, "Organization/1"),
        (&READ_LOCATION, "Location/77"),
        (&SEARCH_SLOT, FREE_SLOTS),
        (&SEARCH_SLOT, "Slot?status=busy"),
        (&PATIENT_APPOINTMENTS, "Patient/1/Appointment?start=ge2026-11-23&start=le2026-12-31"),
        (&READ_APPOINTMENT, "Appointment/1"),
        (&STRUCTURED_METADATA, "metadata"),
    ] {
        for coding in ["identity", "gzip"] {
            let call = world.call(Mode::Transparent, interaction, path);
            let call = call.with("Accept-Encoding", coding);
            let direct = world.directly(&call, interaction, path).await;
            let answer = world.send(call).await;
            assert_eq!(answer.status, direct.status, "{path}");
            assert_eq!(sha256(&answer.body), sha256(&direct.body), "{path}");
            for (name, value) in &direct.headers {
                let (ours, theirs) = (answer.headers.get(name), Some(value));
                // The date belongs to the hop.
                assert!(ours == theirs || name == "date", "{path}: {name} {ours:?} {theirs:?}");
            }
            for name in answer.headers.keys() {
                let added = ["via", "ssp-traceid", "connection"].contains(&name.as_str());
                assert!(added || direct.headers.contains_key(name), "{path}: {name}");
            }
        }
    }
}

/// gp-connect 4.3, 5 and 15.
#[tokio::test]
async fn every_status_passes_with_its_body() {
    let provider = Provider::start(|request: &Request<()>| {
        let status = request.uri().path().rsplit('/').next().unwrap();
        let body = match status {
            "204" | "304" => Vec::new(),
            _ => vec![Bytes::from_static(b"<html>as it is</html>")],
        };
        Response::builder()
            .status(status)
            .header("Content-Type", "text/html")
            .body(Pieces::new(body, true).boxed_unsync())
            .unwrap()
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let mut connection = world.connect(Mode::Transparent).await;
    for status in [200, 201, 204, 304, 302, 400, 401, 403, 404, 409, 418, 422, 429, 500, 503, 599] {
        let path = format!("Patient/{status}");
        let answer = connection.send(world.call(Mode::Transparent, &READ_PATIENT, &path)).await;
        assert_eq!(answer.status, status);
        let expected = if [204, 304].contains(&status) { "" } else { "<html>as it is</html>" };
        assert_eq!(answer.text(), expected, "{status}");
        assert_eq!(answer.header("content-type"), "text/html", "{status}");
        assert_eq!(answer.header("cache-control"), "no-store", "{status}");
    }
}

/// gp-connect 4.3.
#[tokio::test]
async fn headers_pass_except_those_of_the_hop() {
    let provider = Provider::start(|_| {
        Response::builder()
            .header("X-Twice", "one")
            .header("X-Twice", "two, \"three\"")
            .header("X-Empty", "")
            .header("Cache-Control", "private, max-age=60")
            .header("Set-Cookie", "a=b; Secure")
            .header("Via", "1.1 practice")
            .header("Ssp-TraceID", "not the consumer's")
            .header("Connection", "keep-alive, X-Hop")
            .header("Keep-Alive", "timeout=5")
            .header("X-Hop", "ends here")
            .header("ETag", "W/\"7\"")
            .header("Location", "https://gp1.sim.example/A20047/STU3/1/gpconnect/fhir/Patient/7")
            .body(Pieces::new(vec![Bytes::from_static(b"{}")], true).boxed_unsync())
            .unwrap()
    })
    .await;
    let world = World::start(|plan| plan.upstream = Some(provider.address)).await;
    let call = world.call(Mode::Transparent, &READ_PATIENT, "Patient/7");
    let trace_id = call.header("Ssp-TraceID").unwrap().to_owned();
    let answer = world.send(call).await;
    for (name, expected) in [
        ("x-twice", "one, two, \"three\""),
        ("x-empty", ""),
        ("cache-control", "private, max-age=60, no-store"),
        ("set-cookie", "a=b; Secure"),
        ("via", "1.1 practice, 1.1 gpconnect-gateway"),
        ("ssp-traceid", &trace_id),
        ("etag", "W/\"7\""),
        ("location", "https://gp1.sim.example/A20047/STU3/1/gpconnect/fhir/Patient/7"),
    ] {
        assert_eq!(answer.header(name), expected, "{name}");
    }
    assert!(answer.headers.contains_key("x-empty"));
    for name in ["keep-alive", "x-hop"] {
        assert!(!answer.headers.contains_key(name), "{name} passed");
    }
}
