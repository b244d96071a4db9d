//! F1 and S2: the two capability statements.

use serde_json::{Value, json};

use super::{Answer, Visit};
use crate::simulator::fhir::profile;

/// The specification that is implemented.
const VERSION: &str = "1.2.7";

const PROFILES: &[&str] = &[
    "CareConnect-GPC-Patient-1",
    "CareConnect-GPC-Organization-1",
    "CareConnect-GPC-Practitioner-1",
    "CareConnect-GPC-PractitionerRole-1",
    "CareConnect-GPC-Location-1",
    "GPConnect-OperationOutcome-1",
    "GPConnect-Appointment-1",
    "GPConnect-Schedule-1",
    "GPConnect-Slot-1",
];

const RECORD_PROFILES: &[&str] = &[
    "CareConnect-GPC-AllergyIntolerance-1",
    "CareConnect-GPC-Medication-1",
    "CareConnect-GPC-MedicationStatement-1",
    "CareConnect-GPC-MedicationRequest-1",
    "CareConnect-GPC-List-1",
    "GPConnect-StructuredRecord-Bundle-1",
];

/// The statement of Foundations and Appointment Management, which names the record too.
pub(crate) fn foundations(visit: &Visit<'_>) -> Answer {
    let profiles = PROFILES.iter().chain(RECORD_PROFILES).map(|name| profile(name)).collect();
    let operations =
        json!([operation("registerpatient", "RegisterPatient"), structured_operation()]);
    let rest = json!([{
        "mode": "server",
        "security": {"cors": true},
        "resource": resources(),
        "operation": operations,
    }]);
    Answer::of(statement(visit, "GP Connect", profiles, &rest))
}

/// The statement of Access Record Structured, whose profiles name their versions.
pub(crate) fn structured(visit: &Visit<'_>) -> Answer {
    let patient = PROFILES.iter().take(4);
    let profiles = patient
        .chain(RECORD_PROFILES)
        .map(|name| format!("{}/_history/1.2", profile(name)))
        .collect();
    let rest = json!([{
        "mode": "server",
        "security": {"cors": true},
        "operation": [structured_operation()],
    }]);
    Answer::of(statement(visit, "GP Connect API - Access Record Structured", profiles, &rest))
}

fn statement(visit: &Visit<'_>, name: &str, profiles: Vec<String>, rest: &Value) -> Value {
    let profiles: Vec<Value> =
        profiles.into_iter().map(|reference| json!({"reference": reference})).collect();
    json!({
        "resourceType": "CapabilityStatement",
        "version": VERSION,
        "name": name,
        "status": "active",
        "date": "2026-01-05",
        "publisher": visit.site.practice().name,
        "description": format!("A simulated practice that answers GP Connect {VERSION}"),
        "kind": "capability",
        "software": {"name": "gpconnect-gateway simulator", "version": env!("CARGO_PKG_VERSION")},
        "fhirVersion": "3.0.1",
        "acceptUnknown": "both",
        "format": ["application/fhir+json", "application/fhir+xml"],
        "profile": profiles,
        "rest": rest,
    })
}

fn structured_operation() -> Value {
    operation("getstructuredrecord", "GetStructuredRecord")
}

fn operation(name: &str, definition: &str) -> Value {
    let base = "https://fhir.nhs.uk/STU3/OperationDefinition";
    json!({
        "name": format!("gpc.{name}"),
        "definition": {"reference": format!("{base}/GPConnect-{definition}-Operation-1")},
    })
}

fn resources() -> Value {
    let resource = |kind: &str, verbs: &[&str], parameters: &[(&str, &str)]| {
        let verbs: Vec<Value> = verbs.iter().map(|verb| json!({"code": verb})).collect();
        let mut resource = json!({"type": kind, "interaction": verbs});
        let parameters: Vec<Value> =
            parameters.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
        if let (false, Some(members)) = (parameters.is_empty(), resource.as_object_mut()) {
            members.insert("searchParam".into(), parameters.into());
        }
        resource
    };
    let (read, search) = ("read", "search-type");
    let identifier = [("identifier", "token")];
    let slots =
        [("start", "date"), ("end", "date"), ("status", "token"), ("searchFilter", "token")];
    json!([
        resource("Patient", &[read, search], &identifier),
        resource("Organization", &[read, search], &identifier),
        resource("Practitioner", &[read, search], &identifier),
        resource("Location", &[read], &[]),
        resource("Appointment", &[read, "create", "update", search], &[("start", "date")]),
        resource("Slot", &[search], &slots),
    ])
}

#[cfg(test)]
mod tests {
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;

    #[test]
    fn both_statements_say_what_they_are() {
        for (id, name, operations) in [
            (Id::ReadMetadata, "GP Connect", 2),
            (Id::ReadStructuredMetadata, "GP Connect API - Access Record Structured", 1),
        ] {
            let statement = Call::default().result(&site(), id).unwrap();
            assert_eq!(statement["name"], name);
            assert_eq!(
                (&statement["version"], &statement["fhirVersion"]),
                (&"1.2.7".into(), &"3.0.1".into())
            );
            let found = statement["rest"][0]["operation"].as_array().unwrap().len();
            assert_eq!(found, operations, "{name}");
        }
    }
}
