//! The bodies that can be made from the options: registration, structured record, booking.

use gpconnect::interaction::InteractionId as Id;
use serde_json::{Value, json};

use super::{arguments::Content, fault::Unsendable};
use crate::cli::{aliases, token::author::Author};

/// Where the profiles and extensions of GP Connect are defined.
pub(super) const PROFILE: &str = "https://fhir.nhs.uk/STU3/StructureDefinition";
const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
const ODS_CODE: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// The body of `interaction`, created at that time.
///
/// # Errors
/// When an option that it needs is missing.
#[expect(clippy::wildcard_enum_match_arm, reason = "the others have no body to generate")]
pub(super) fn generated(
    interaction: Id,
    content: &Content,
    author: &Author,
    created: &str,
) -> Result<Value, Unsendable> {
    match interaction {
        Id::RegisterPatient => registration(content),
        Id::GetStructuredRecord => record_request(content),
        Id::BookAppointment => booking(content, author, created),
        id => Err(missing(id, "--body")),
    }
}

fn missing(id: Id, option: &'static str) -> Unsendable {
    Unsendable::Missing { what: aliases::name_of(id), option }
}

fn registration(content: &Content) -> Result<Value, Unsendable> {
    let number = content.nhs_number.as_ref();
    let number = number.ok_or(missing(Id::RegisterPatient, "--nhs-number, or --body"))?;
    Ok(json!({
        "resourceType": "Parameters",
        "parameter": [{ "name": "registerPatient", "resource": {
            "resourceType": "Patient",
            "meta": { "profile": [format!("{PROFILE}/CareConnect-GPC-Patient-1")] },
            "identifier": [{ "system": NHS_NUMBER, "value": number }],
            "name": [{
                "use": "official",
                "family": content.patient_family,
                "given": [content.patient_given],
            }],
            "birthDate": content.birth_date,
        }}],
    }))
}

fn record_request(content: &Content) -> Result<Value, Unsendable> {
    let number = content.nhs_number.as_ref();
    let number = number.ok_or(missing(Id::GetStructuredRecord, "--nhs-number, or --body"))?;
    let identifier = json!({ "system": NHS_NUMBER, "value": number });
    let flag = |name, value| json!([{ "name": name, "valueBoolean": value }]);
    Ok(json!({
        "resourceType": "Parameters",
        "parameter": [
            { "name": "patientNHSNumber", "valueIdentifier": identifier },
            { "name": "includeAllergies", "part": flag("includeResolvedAllergies", true) },
            { "name": "includeMedication", "part": flag("includePrescriptionIssues", true) },
        ],
    }))
}

fn booking(content: &Content, author: &Author, created: &str) -> Result<Value, Unsendable> {
    let needed = |value: &Option<String>, option| {
        value.clone().ok_or_else(|| missing(Id::BookAppointment, option))
    };
    if content.slot.is_empty() {
        return Err(missing(Id::BookAppointment, "--slot, or --body"));
    }
    let slots: Vec<_> = content.slot.iter().map(|id| reference("Slot", id)).collect();
    let practitioner = content.practitioner.as_ref().map(|id| ("Practitioner", id.clone()));
    let participants: Vec<_> = [
        ("Patient", needed(&content.patient, "--patient")?),
        ("Location", needed(&content.location, "--location")?),
    ]
    .into_iter()
    .chain(practitioner)
    .map(|(kind, id)| json!({ "actor": reference(kind, &id), "status": "accepted" }))
    .collect();
    let extension = json!({
        "url": format!("{PROFILE}/Extension-GPConnect-BookingOrganisation-1"),
        "valueReference": { "reference": "#booking-organisation" },
    });
    let description = content.description.as_deref().unwrap_or("Booked with gpconnect-gateway");
    let mut appointment = json!({
        "resourceType": "Appointment",
        "meta": { "profile": [format!("{PROFILE}/GPConnect-Appointment-1")] },
        "contained": [booking_organisation(author)],
        "extension": [extension],
        "status": "booked",
        "description": description,
        "start": needed(&content.start, "--start")?,
        "end": needed(&content.end, "--end")?,
        "slot": slots,
        "created": created,
        "comment": content.comment,
        "participant": participants,
    });
    if let (None, Some(members)) = (&content.comment, appointment.as_object_mut()) {
        members.shift_remove("comment");
    }
    Ok(appointment)
}

fn reference(kind: &str, id: &str) -> Value {
    json!({ "reference": format!("{kind}/{id}") })
}

/// Of a number that is kept for fiction.
fn booking_organisation(author: &Author) -> Value {
    json!({
        "resourceType": "Organization",
        "id": "booking-organisation",
        "meta": { "profile": [format!("{PROFILE}/CareConnect-GPC-Organization-1")] },
        "identifier": [{ "system": ODS_CODE, "value": author.organisation }],
        "name": author.organisation_name,
        "telecom": [{ "system": "phone", "value": "01632 960001" }],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::token::author::tests::author;

    fn made(id: Id, content: &Content) -> Result<Value, Unsendable> {
        generated(id, content, &author(), "2026-11-23T08:00:00+00:00")
    }

    #[test]
    fn each_interaction_has_its_body() {
        let content = Content {
            nhs_number: Some("9000000009".into()),
            slot: vec!["812".into(), "813".into()],
            patient: Some("17".into()),
            location: Some("3".into()),
            start: Some("2026-11-24T10:00:00+00:00".into()),
            end: Some("2026-11-24T10:20:00+00:00".into()),
            ..Content::default()
        };
        for (id, pointer, expected) in [
            (Id::RegisterPatient, "/parameter/0/resource/identifier/0/value", "9000000009"),
            (Id::GetStructuredRecord, "/parameter/0/valueIdentifier/value", "9000000009"),
            (Id::BookAppointment, "/slot/1/reference", "Slot/813"),
            (Id::BookAppointment, "/participant/0/actor/reference", "Patient/17"),
            (Id::BookAppointment, "/contained/0/identifier/0/value", "RXX01"),
        ] {
            let body = made(id, &content).unwrap();
            let found = body.pointer(pointer).and_then(Value::as_str);
            assert_eq!(found, Some(expected), "{}{pointer}", id.short());
        }
        assert!(made(Id::BookAppointment, &content).unwrap().get("comment").is_none());
    }

    #[test]
    fn what_is_missing_is_named() {
        let slot = Content { slot: vec!["1".into()], ..Content::default() };
        for (id, content, option) in [
            (Id::RegisterPatient, Content::default(), "--nhs-number"),
            (Id::GetStructuredRecord, Content::default(), "--nhs-number"),
            (Id::BookAppointment, Content::default(), "--slot"),
            (Id::BookAppointment, slot, "--patient"),
            (Id::AmendAppointment, Content::default(), "--body"),
            (Id::CancelAppointment, Content::default(), "--body"),
        ] {
            let fault = made(id, &content).unwrap_err().to_string();
            assert!(fault.contains(option), "{fault}");
        }
    }
}
