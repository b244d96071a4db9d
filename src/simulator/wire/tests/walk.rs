//! All seventeen interactions over the wire, in both formats.

use gpconnect::interaction::InteractionId as Id;
use serde_json::{Value, json};

use super::{Answer, call, connect, running, send, try_send, with};
use crate::simulator::fhir::{NHS_NUMBER, ODS_CODE, SDS_USER, xml_in, xml_out};
use crate::simulator::practice::tests::{booking, cancellation, record_question, registration};

/// The interactions without a body: id, path, and a place in the answer with its value.
fn questions() -> Vec<(Id, String, &'static str, Value)> {
    let slots = "/Slot?start=ge2026-11-24T00:00:00+00:00&end=le2026-12-04&status=free\
                 &_include=Slot:schedule&_include:recurse=Schedule:actor:Practitioner\
                 &searchFilter=https://fhir.nhs.uk/Id/ods-organization-code%7CRXX01";
    let kind = "/resourceType";
    let entry = "/entry/0/resource/resourceType";
    vec![
        (Id::ReadMetadata, "/fhir/metadata".into(), kind, "CapabilityStatement".into()),
        (
            Id::ReadStructuredMetadata,
            "/structured/fhir/metadata".into(),
            "/version",
            "1.2.7".into(),
        ),
        (
            Id::SearchPatient,
            format!("/Patient?identifier={NHS_NUMBER}|9000000009"),
            entry,
            "Patient".into(),
        ),
        (Id::ReadPatient, "/fhir/Patient/1".into(), "/id", "1".into()),
        (
            Id::SearchPractitioner,
            format!("/Practitioner?identifier={SDS_USER}%7C1"),
            "/type",
            "searchset".into(),
        ),
        (Id::ReadPractitioner, "/Practitioner/1".into(), kind, "Practitioner".into()),
        (
            Id::SearchOrganization,
            format!("/Organization?identifier={ODS_CODE}%7CA20047"),
            entry,
            "Organization".into(),
        ),
        (Id::ReadOrganization, "/Organization/1".into(), "/identifier/0/value", "A20047".into()),
        (Id::ReadLocation, "/Location/1".into(), kind, "Location".into()),
        (Id::SearchSlot, slots.into(), entry, "Slot".into()),
        (
            Id::SearchPatientAppointments,
            "/Patient/1/Appointment?start=ge2026-11-23&start=le2026-12-31".into(),
            entry,
            "Appointment".into(),
        ),
        (Id::ReadAppointment, "/Appointment/1".into(), "/status", "booked".into()),
    ]
}

#[tokio::test]
async fn every_question_is_answered_in_both_formats() {
    let running = running().await;
    let mut connection = connect(&running).await;
    for (id, path, pointer, value) in questions() {
        let name = id.short();
        let answer = try_send(&mut connection, call(id, &path, "")).await.unwrap();
        assert_eq!(answer.status, 200, "{name}");
        assert_eq!(answer.json().pointer(pointer), Some(&value), "{name}");
        let single = path.ends_with("/1");
        assert_eq!(answer.header("etag") == "W/\"1\"", single, "{name}");
        assert_eq!(answer.header("content-location").ends_with("/1/_history/1"), single, "{name}");
        let xml = with(call(id, &path, ""), "accept", "application/fhir+xml");
        let xml = try_send(&mut connection, xml).await.unwrap();
        check_headers(&xml, "application/fhir+xml;charset=utf-8");
        assert_eq!(xml.body, xml_out::document(&answer.json()), "{name}");
    }
    assert_eq!(running.connections(), 1, "one connection served them all");
    running.stop().await;
}

fn check_headers(answer: &Answer, content_type: &str) {
    assert_eq!(answer.header("content-type"), content_type);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_patient_is_registered_in_json_and_not_again_in_xml() {
    let running = running().await;
    let path = "/Patient/$gpc.registerpatient";
    let body = registration("9000000092");
    let request = call(Id::RegisterPatient, path, &body.to_string());
    let answer = send(&running, request).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["type"], "searchset");
    let request = call(Id::RegisterPatient, path, &xml_out::document(&body));
    let request = with(request, "content-type", "application/fhir+xml;charset=utf-8");
    let answer = send(&running, request).await;
    assert_eq!(answer.status, 409);
    check_headers(&answer, "application/fhir+xml;charset=utf-8");
    let outcome = xml_in::read(std::str::from_utf8(&answer.body).unwrap()).unwrap();
    assert_eq!(outcome["issue"]["details"]["coding"][0]["code"], "DUPLICATE_REJECTED");
}

#[tokio::test]
async fn a_booking_goes_through_its_life() {
    let running = running().await;
    let (_, path, _, _) = questions().swap_remove(9);
    let slots = send(&running, call(Id::SearchSlot, &path, "")).await.json();
    let body = booking(&slots["entry"][0]["resource"]);
    let book = || call(Id::BookAppointment, "/fhir/Appointment", &body.to_string());
    let booked = send(&running, book()).await;
    assert_eq!(booked.status, 201);
    assert_eq!(
        booked.header("location"),
        "https://gp1.sim.example/A20047/STU3/1/gpconnect/fhir/Appointment/2/_history/1"
    );
    let again = send(&running, book()).await;
    assert_eq!(again.json()["issue"][0]["code"], "duplicate");

    let mut amended = booked.json();
    amended["comment"] = "Bring the letter".into();
    let put = |id, tag: &str, body: &Value| {
        with(call(id, "/Appointment/2", &body.to_string()), "if-match", tag)
    };
    let answer = send(&running, put(Id::AmendAppointment, booked.header("etag"), &amended)).await;
    assert_eq!((answer.status.as_u16(), answer.header("etag")), (200, "W/\"2\""));
    let cancelled = cancellation(&answer.json());
    let stale = send(&running, put(Id::CancelAppointment, "W/\"1\"", &cancelled)).await;
    assert_eq!(stale.status, 409);
    let fresh = put(Id::CancelAppointment, "W/\"2\"", &cancelled);
    let answer = send(&running, with(fresh, "prefer", "return=minimal")).await;
    assert_eq!((answer.status.as_u16(), answer.body.len()), (200, 0));
    assert_eq!(answer.header("etag"), "W/\"3\"");
    assert_eq!(send(&running, book()).await.status, 201, "the slot is free again");
    running.stop().await;
}

#[tokio::test]
async fn records_come_whole_compressed_or_not() {
    let running = running().await;
    let path = "/structured/fhir/Patient/%24gpc.getstructuredrecord";
    for (number, at_least) in
        [("9000000017", 2_000), ("9000000025", 180_000), ("9000000033", 2_800_000)]
    {
        let body = record_question(number).to_string();
        let plain = send(&running, call(Id::GetStructuredRecord, path, &body)).await;
        assert_eq!(plain.status, 200);
        assert!(plain.body.len() > at_least, "{}", plain.body.len());
        assert_eq!(plain.header("content-length"), plain.body.len().to_string());
        let request = with(call(Id::GetStructuredRecord, path, &body), "accept-encoding", "gzip");
        let packed = send(&running, request).await;
        assert_eq!(packed.header("content-encoding"), "gzip");
        assert_eq!(packed.header("transfer-encoding"), "chunked");
        let mut unpacked = Vec::new();
        let mut decoder = flate2::read::GzDecoder::new(&*packed.body);
        std::io::Read::read_to_end(&mut decoder, &mut unpacked).unwrap();
        assert_eq!(unpacked, plain.body);
    }
    let refused = json!({"resourceType": "Parameters", "parameter": []}).to_string();
    let refused = send(&running, call(Id::GetStructuredRecord, path, &refused)).await;
    assert_eq!(refused.status, 422);
}
