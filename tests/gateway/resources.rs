//! The bodies that consumers send, as the specification's use cases show them.

use serde_json::{Value, json};

use crate::harness::ORGANISATION;

/// A patient of every practice, with a record of about 20 kB; the logical id is 1.
pub(crate) const NHS_NUMBER: &str = "9000000009";
/// Registered nowhere until a test does it.
pub(crate) const UNREGISTERED: &str = "9000000092";

const PROFILES: &str = "https://fhir.nhs.uk/STU3/StructureDefinition";

/// A question for free slots in the days behind [`MONDAY`](crate::harness::plan::MONDAY), with
/// everything in it that a proxy might spoil: raw plus and colon, an escaped bar, repeated
/// parameters whose order counts.
pub(crate) const FREE_SLOTS: &str = "Slot?start=ge2026-11-24T00:00:00+00:00&end=le2026-12-04\
    &status=free&_include=Slot:schedule&_include:recurse=Schedule:actor:Practitioner\
    &_include:recurse=Schedule:actor:Location\
    &searchFilter=https://fhir.nhs.uk/Id/ods-organization-code%7CRXX01\
    &searchFilter=https://fhir.nhs.uk/STU3/CodeSystem/GPConnect-OrganisationType-1|urgent-care";

/// F9: registers a patient for a while.
pub(crate) fn registration(number: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [{
        "name": "registerPatient",
        "resource": {
            "resourceType": "Patient",
            "meta": {"profile": [format!("{PROFILES}/CareConnect-GPC-Patient-1")]},
            "identifier": [{"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}],
            "name": [{"use": "official", "family": "EXAMPLE", "given": ["Robin"]}],
            "gender": "other",
            "birthDate": "1980-02-29"
        }
    }]})
}

/// S1: asks for the record of a patient.
pub(crate) fn record_question(number: &str) -> Value {
    json!({"resourceType": "Parameters", "parameter": [
        {
            "name": "patientNHSNumber",
            "valueIdentifier": {"system": "https://fhir.nhs.uk/Id/nhs-number", "value": number}
        },
        {
            "name": "includeAllergies",
            "part": [{"name": "includeResolvedAllergies", "valueBoolean": false}]
        },
        {"name": "includeMedication"}
    ]})
}

/// The same question in XML.
pub(crate) fn record_question_in_xml(number: &str) -> String {
    format!(
        "<Parameters xmlns=\"http://hl7.org/fhir\"><parameter><name value=\"patientNHSNumber\"/>\
         <valueIdentifier><system value=\"https://fhir.nhs.uk/Id/nhs-number\"/>\
         <value value=\"{number}\"/></valueIdentifier></parameter>\
         <parameter><name value=\"includeAllergies\"/><part>\
         <name value=\"includeResolvedAllergies\"/><valueBoolean value=\"false\"/></part>\
         </parameter></Parameters>"
    )
}

/// The resources of a type in a bundle.
pub(crate) fn of_type<'b>(bundle: &'b Value, kind: &str) -> Vec<&'b Value> {
    let entries = bundle["entry"].as_array().unwrap();
    let resources = entries.iter().map(|entry| &entry["resource"]);
    resources.filter(|resource| resource["resourceType"] == kind).collect()
}

/// A2: books a slot for the patient of logical id 1.
pub(crate) fn booking(slot: &Value) -> Value {
    json!({
        "resourceType": "Appointment",
        "meta": {"profile": [format!("{PROFILES}/GPConnect-Appointment-1")]},
        "contained": [{
            "resourceType": "Organization",
            "id": "org",
            "meta": {"profile": [format!("{PROFILES}/CareConnect-GPC-Organization-1")]},
            "identifier": [{
                "system": "https://fhir.nhs.uk/Id/ods-organization-code",
                "value": ORGANISATION
            }],
            "name": "Example Hospital",
            "telecom": [{"system": "phone", "value": "01632 960001"}]
        }],
        "extension": [{
            "url": format!("{PROFILES}/Extension-GPConnect-BookingOrganisation-1"),
            "valueReference": {"reference": "#org"}
        }],
        "status": "booked",
        "description": "Follow-up",
        "created": "2026-11-23T09:15:00+00:00",
        "start": slot["start"],
        "end": slot["end"],
        "slot": [{"reference": format!("Slot/{}", slot["id"].as_str().unwrap())}],
        "participant": [
            {"actor": {"reference": "Patient/1"}, "status": "accepted"},
            {"actor": {"reference": "Location/1"}, "status": "accepted"}
        ]
    })
}

/// A5: changes what is said about an appointment.
pub(crate) fn amendment(appointment: &Value, comment: &str) -> Value {
    let mut amended = appointment.clone();
    amended["comment"] = comment.into();
    amended
}

/// A6: cancels an appointment.
pub(crate) fn cancellation(appointment: &Value) -> Value {
    let mut cancelled = appointment.clone();
    cancelled["status"] = "cancelled".into();
    cancelled["extension"].as_array_mut().unwrap().push(json!({
        "url": format!("{PROFILES}/Extension-GPConnect-AppointmentCancellationReason-1"),
        "valueString": "No longer needed"
    }));
    cancelled
}
