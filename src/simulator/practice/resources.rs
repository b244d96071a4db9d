//! The FHIR resources of people and places, member by member in the order of the STU3 schema.

use serde_json::{Value, json};

use super::Site;
use super::people::{Person, Standing};
use crate::simulator::draw::Draw;
use crate::simulator::fhir::{NHS_NUMBER, ODS_CODE, SDS_USER, profile};

/// The logical id of a practice's own Organization.
pub(crate) const OWN_ORGANISATION: u64 = 1;
/// A practice has a main building and a branch: Locations 1 and 2.
pub(crate) const LOCATIONS: u64 = 2;
/// A practice has that many practitioners, with ids from 1.
pub(crate) const PRACTITIONERS: u64 = 3;

/// The version of everything that never changes.
pub(crate) const FIRST_VERSION: u64 = 1;

/// Where a resource of that kind stands in a list of references.
pub(crate) fn reference(kind: &str, id: u64) -> Value {
    json!({"reference": format!("{kind}/{id}")})
}

/// The heading of a resource's metadata.
pub(crate) fn meta(version: u64, profile_name: &str) -> Value {
    json!({"versionId": version.to_string(), "profile": [profile(profile_name)]})
}

/// A code with its system and wording.
pub(crate) fn concept(system: &str, code: &str, display: &str) -> Value {
    json!({"coding": [{"system": system, "code": code, "display": display}]})
}

/// A Bundle of resources; `None` profile for the plain kinds.
pub(crate) fn searchset(resources: Vec<Value>) -> Value {
    let entries: Vec<Value> =
        resources.into_iter().map(|resource| json!({"resource": resource})).collect();
    json!({
        "resourceType": "Bundle",
        "meta": {"profile": [profile("GPConnect-Searchset-Bundle-1")]},
        "type": "searchset",
        "entry": entries,
    })
}

/// A patient as the practice shows them.
pub(crate) fn patient(person: &Person) -> Value {
    let home = &person.home;
    json!({
        "resourceType": "Patient",
        "id": person.id.to_string(),
        "meta": meta(FIRST_VERSION, "CareConnect-GPC-Patient-1"),
        "extension": [{
            "url": profile("Extension-CareConnect-GPC-RegistrationDetails-1"),
            "extension": registration(person),
        }],
        "identifier": [{
            "extension": [{
                "url": profile("Extension-CareConnect-GPC-NHSNumberVerificationStatus-1"),
                "valueCodeableConcept": concept(
                    "https://fhir.nhs.uk/CareConnect-NHSNumberVerificationStatus-1",
                    "01",
                    "Number present and verified",
                ),
            }],
            "system": NHS_NUMBER,
            "value": person.nhs_number.digits(),
        }],
        "active": true,
        "name": [{
            "use": "official",
            "text": format!("{} {} ({})", person.family, person.given, person.prefix),
            "family": person.family,
            "given": [person.given],
            "prefix": [person.prefix],
        }],
        "telecom": [{"system": "phone", "value": home.phone, "use": "home"}],
        "gender": person.gender,
        "birthDate": person.born,
        "address": [{
            "use": "home",
            "type": "physical",
            "line": [home.line],
            "city": home.city,
            "postalCode": home.postcode,
        }],
        "generalPractitioner": [reference("Practitioner", 1)],
        "managingOrganization": reference("Organization", OWN_ORGANISATION),
    })
}

fn registration(person: &Person) -> Value {
    let start = person.since.as_deref().unwrap_or("2010-04-01T09:00:00+01:00");
    let period = json!({"url": "registrationPeriod", "valuePeriod": {"start": start}});
    if person.standing != Standing::Temporary {
        let branch = reference("Location", 1);
        return json!([period, {"url": "preferredBranchSurgery", "valueReference": branch}]);
    }
    let system = "https://fhir.nhs.uk/CareConnect-RegistrationType-1";
    let kind = json!({"coding": [{"system": system, "code": "T"}]});
    json!([period, {"url": "registrationType", "valueCodeableConcept": kind}])
}

/// The practice itself.
pub(crate) fn organisation(site: &Site) -> Value {
    json!({
        "resourceType": "Organization",
        "id": OWN_ORGANISATION.to_string(),
        "meta": meta(FIRST_VERSION, "CareConnect-GPC-Organization-1"),
        "identifier": [{"system": ODS_CODE, "value": site.practice().ods_code.as_str()}],
        "name": site.practice().name,
        "telecom": [{"system": "phone", "value": "01632 960100", "use": "work"}],
        "address": [{
            "line": ["1 Surgery Yard"],
            "city": "Eastbridge",
            "postalCode": "ZZ99 1AA",
        }],
    })
}

/// One of the practice's buildings.
pub(crate) fn location(site: &Site, id: u64) -> Option<Value> {
    if !(1..=LOCATIONS).contains(&id) {
        return None;
    }
    let part = if id == 1 { "" } else { " (branch)" };
    Some(json!({
        "resourceType": "Location",
        "id": id.to_string(),
        "meta": meta(FIRST_VERSION, "CareConnect-GPC-Location-1"),
        "name": format!("{}{part}", site.practice().name),
        "telecom": [{"system": "phone", "value": format!("01632 96010{id}"), "use": "work"}],
        "address": {
            "line": [format!("{id} Surgery Yard")],
            "city": "Eastbridge",
            "postalCode": "ZZ99 1AA",
        },
        "managingOrganization": reference("Organization", OWN_ORGANISATION),
    }))
}

/// The smartcard user id of a practitioner: twelve digits, the last of them the logical id.
pub(crate) fn sds_user_id(site: &Site, id: u64) -> String {
    let mut draw = Draw::of(site.seed(), site.practice().ods_code.as_str(), 0);
    format!("{:011}{id}", 10_000_000_000 + draw.below(89_999_999_999))
}

/// One of the practice's practitioners.
pub(crate) fn practitioner(site: &Site, id: u64) -> Option<Value> {
    const FAMILIES: &[&str] =
        &["Ashworth", "Bannerjee", "Cole", "Drummond", "Eze", "Foster", "Gill", "Hussain"];
    const GIVEN: &[&str] = &["Sarah", "Thomas", "Amina", "Robert", "Wei", "Laura"];
    if !(1..=PRACTITIONERS).contains(&id) {
        return None;
    }
    let mut draw = Draw::of(site.seed(), site.practice().ods_code.as_str(), id);
    let family = draw.pick(FAMILIES);
    Some(json!({
        "resourceType": "Practitioner",
        "id": id.to_string(),
        "meta": meta(FIRST_VERSION, "CareConnect-GPC-Practitioner-1"),
        "identifier": [{"system": SDS_USER, "value": sds_user_id(site, id)}],
        "name": [{"use": "usual", "family": family, "given": [draw.pick(GIVEN)], "prefix": ["Dr"]}],
        "gender": if draw.below(2) == 0 { "female" } else { "male" },
    }))
}

/// What a practitioner does at the practice.
pub(crate) fn practitioner_role(id: u64) -> Value {
    json!({
        "resourceType": "PractitionerRole",
        "id": id.to_string(),
        "meta": meta(FIRST_VERSION, "CareConnect-GPC-PractitionerRole-1"),
        "practitioner": reference("Practitioner", id),
        "organization": reference("Organization", OWN_ORGANISATION),
        "code": [job_role()],
    })
}

/// The role of every practitioner here.
pub(crate) fn job_role() -> Value {
    concept(
        "https://fhir.nhs.uk/STU3/CodeSystem/CareConnect-SDSJobRoleName-1",
        "R0260",
        "General Medical Practitioner",
    )
}
