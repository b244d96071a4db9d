//! F9: registering a patient temporarily.

use gpconnect::names::NhsNumber;
use serde_json::Value;

use super::foundations::nhs_number;
use super::people::{Home, NOT_ON_PDS, Person, SUPERSEDED, Standing};
use super::population::FIRST_REGISTERED;
use super::visit::{items, text};
use super::{Answer, Visit, resources};
use crate::simulator::clock::{stamp, whole_date};
use crate::simulator::fhir::NHS_NUMBER;
use crate::simulator::fhir::outcome::{Code, Refusal};
use http::StatusCode;

/// The members a Patient may have here; anything else must not be sent.
const ALLOWED: &[&str] = &[
    "resourceType",
    "id",
    "meta",
    "extension",
    "identifier",
    "name",
    "telecom",
    "gender",
    "birthDate",
    "address",
];

/// Registers a patient, unless the practice has them already.
pub(crate) fn register(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let parameters = visit.resource("Parameters")?;
    let patient = the_patient(&parameters)?;
    let number = identified(patient)?;
    let mut person = read(patient, number)?;
    trace(visit, &person)?;
    let known = visit.site.patient_by_nhs_number(number);
    if known.is_some_and(|known| known.is_found()) {
        return Err(Code::DuplicateRejected.because("Patient is already registered here"));
    }
    let mut changes = visit.site.changes();
    // Looked up again under the lock, so that of two at once one is refused.
    if changes.registered.iter().any(|known| known.nhs_number == number) {
        return Err(Code::DuplicateRejected.because("Patient is already registered here"));
    }
    person.id = FIRST_REGISTERED + changes.registered.len() as u64;
    person.since = Some(stamp(&visit.now));
    let bundle = resources::searchset(vec![resources::patient(&person)]);
    changes.registered.push(person);
    Ok(Answer::of(bundle).of_command(StatusCode::OK))
}

fn the_patient(parameters: &Value) -> Result<&Value, Refusal> {
    let mut named = items(parameters, "parameter")
        .iter()
        .filter(|parameter| text(parameter, "name") == Some("registerPatient"));
    let first = named.next().and_then(|parameter| parameter.get("resource"));
    if named.next().is_some() {
        return Err(Code::BadRequest.because("Parameter registerPatient is repeated"));
    }
    let patient = first
        .filter(|resource| text(resource, "resourceType") == Some("Patient"))
        .ok_or_else(|| Code::InvalidResource.because("Parameter registerPatient is no Patient"))?;
    let members = patient.as_object().into_iter().flat_map(|members| members.keys());
    match members.into_iter().find(|member| !ALLOWED.contains(&member.as_str())) {
        Some(_) => Err(Code::InvalidResource.because("Patient has an element that is not allowed")),
        None => Ok(patient),
    }
}

fn identified(patient: &Value) -> Result<NhsNumber, Refusal> {
    let identifiers = items(patient, "identifier");
    if identifiers.iter().any(|identifier| text(identifier, "system").is_none()) {
        return Err(Code::BadRequest.because("Patient.identifier.system is missing"));
    }
    let mut numbers =
        identifiers.iter().filter(|identifier| text(identifier, "system") == Some(NHS_NUMBER));
    match (numbers.next().and_then(|identifier| text(identifier, "value")), numbers.next()) {
        (Some(value), None) => nhs_number(value),
        (None, _) | (_, Some(_)) => {
            Err(Code::InvalidNhsNumber.because("Patient.identifier has no single NHS number"))
        }
    }
}

fn read(patient: &Value, nhs_number: NhsNumber) -> Result<Person, Refusal> {
    let wrong = |fault: &str| Code::BadRequest.because(fault);
    let names = items(patient, "name");
    let mut official = names.iter().filter(|name| text(name, "use") == Some("official"));
    let (Some(name), None) = (official.next(), official.next()) else {
        return Err(wrong("Patient.name has no single official name"));
    };
    let family = text(name, "family").filter(|family| !family.is_empty());
    let family = family.ok_or_else(|| wrong("Patient.name.family is missing"))?;
    let given = items(name, "given").first().and_then(Value::as_str);
    let born = text(patient, "birthDate").filter(|born| whole_date(born).is_some());
    let born = born.ok_or_else(|| wrong("Patient.birthDate is missing or not a date"))?;
    Ok(Person {
        id: 0,
        nhs_number,
        family: family.into(),
        given: given.unwrap_or("Unknown").into(),
        prefix: items(name, "prefix").first().and_then(Value::as_str).unwrap_or("Mx").into(),
        gender: text(patient, "gender").unwrap_or("unknown").into(),
        born: born.into(),
        home: home(patient)?,
        standing: Standing::Temporary,
        since: None,
        record_bytes: 0,
    })
}

fn home(patient: &Value) -> Result<Home, Refusal> {
    let telecoms = items(patient, "telecom");
    for telecom in telecoms {
        let kind = (text(telecom, "system"), text(telecom, "use"));
        let good = match kind.0 {
            Some("email") => true,
            Some("phone") => matches!(kind.1, Some("home" | "work" | "mobile" | "temp")),
            Some(_) | None => false,
        };
        let same = telecoms.iter().filter(|other| match kind.0 {
            Some("email") => text(other, "system") == kind.0,
            Some(_) | None => (text(other, "system"), text(other, "use")) == kind,
        });
        if !good || same.count() > 1 {
            return Err(Code::BadRequest.because("Patient.telecom is not as defined"));
        }
    }
    let addresses = items(patient, "address");
    for kind in ["home", "temp"] {
        if addresses.iter().filter(|address| text(address, "use") == Some(kind)).count() > 1 {
            return Err(Code::InvalidResource.because("Patient.address is repeated"));
        }
    }
    let address = addresses.iter().find(|address| text(address, "use") == Some("home"));
    let part = |member| address.and_then(|address| text(address, member)).unwrap_or("Unknown");
    let line = address.and_then(|address| items(address, "line").first()).and_then(Value::as_str);
    let phone = telecoms.iter().find(|telecom| text(telecom, "system") == Some("phone"));
    Ok(Home {
        line: line.unwrap_or("Unknown").into(),
        city: part("city").into(),
        postcode: part("postalCode").into(),
        phone: phone.and_then(|phone| text(phone, "value")).unwrap_or("01632 960000").into(),
    })
}

/// What a trace on PDS says against the registration.
fn trace(visit: &Visit<'_>, person: &Person) -> Result<(), Refusal> {
    match person.nhs_number.digits() {
        SUPERSEDED => {
            return Err(Code::InvalidNhsNumber.because("NHS number has been superseded"));
        }
        NOT_ON_PDS => {
            return Err(Code::InvalidPatientDemographics.because("Patient is not on PDS"));
        }
        _ => {}
    }
    let Some(known) = visit.site.population().anywhere(person.nhs_number) else { return Ok(()) };
    if matches!(known.standing, Standing::Deceased | Standing::Sensitive) {
        return Err(Code::InvalidPatientDemographics.because("Patient can't be registered"));
    }
    // Compared without case: PDS writes family names in capitals.
    if known.family.to_lowercase() == person.family.to_lowercase() {
        Ok(())
    } else {
        Err(Code::BadRequest.because("Patient.name.family differs from PDS"))
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;
    use serde_json::json;

    /// Registers that patient.
    pub(crate) fn registration(number: &str) -> Value {
        wrapped(&[patient(number)])
    }

    fn patient(number: &str) -> Value {
        json!({
            "resourceType": "Patient",
            "identifier": [{"system": NHS_NUMBER, "value": number}],
            "name": [{"use": "official", "family": "Example", "given": ["Robin"]}],
            "telecom": [{"system": "phone", "use": "home", "value": "01632 960001"}],
            "gender": "other",
            "birthDate": "1980-02-29",
        })
    }

    fn wrapped(patients: &[Value]) -> Value {
        let parameters: Vec<Value> = patients
            .iter()
            .map(|patient| json!({"name": "registerPatient", "resource": patient}))
            .collect();
        json!({"resourceType": "Parameters", "parameter": parameters})
    }

    fn registered(body: Value, xml: bool) -> Result<Value, &'static str> {
        Call { body, xml, ..Call::default() }.result(&site(), Id::RegisterPatient)
    }

    #[test]
    fn a_patient_is_registered_once_and_then_found() {
        let site = site();
        for (xml, expected) in [(true, Ok(1)), (false, Err("DUPLICATE_REJECTED"))] {
            let call = Call { body: wrapped(&[patient("9000000092")]), xml, ..Call::default() };
            let bundle = call.result(&site, Id::RegisterPatient);
            assert_eq!(bundle.map(|bundle| bundle["entry"].as_array().unwrap().len()), expected);
        }
        let query = format!("identifier={NHS_NUMBER}|9000000092");
        let call = Call { query: &query, ..Call::default() };
        let found = call.result(&site, Id::SearchPatient).unwrap();
        assert_eq!(found["entry"][0]["resource"]["id"], "10001");
        let call = Call { id: "10001", ..Call::default() };
        assert_eq!(call.result(&site, Id::ReadPatient).unwrap()["name"][0]["family"], "Example");
    }

    #[test]
    fn faults_are_refused_with_their_codes() {
        type Edit = fn(&mut Value);
        let cases: &[(&str, Edit, &str)] = &[
            (
                "no birth date",
                |p| drop(p.as_object_mut().unwrap().remove("birthDate")),
                "BAD_REQUEST",
            ),
            ("partial birth date", |p| p["birthDate"] = "1980".into(), "BAD_REQUEST"),
            ("no official name", |p| p["name"][0]["use"] = "usual".into(), "BAD_REQUEST"),
            ("no family name", |p| p["name"][0]["family"] = "".into(), "BAD_REQUEST"),
            ("no identifier", |p| p["identifier"] = json!([]), "INVALID_NHS_NUMBER"),
            ("no identifier system", |p| p["identifier"] = json!([{"value": "1"}]), "BAD_REQUEST"),
            (
                "bad NHS number",
                |p| p["identifier"][0]["value"] = "9000000008".into(),
                "INVALID_NHS_NUMBER",
            ),
            (
                "superseded",
                |p| p["identifier"][0]["value"] = SUPERSEDED.into(),
                "INVALID_NHS_NUMBER",
            ),
            (
                "not on PDS",
                |p| p["identifier"][0]["value"] = NOT_ON_PDS.into(),
                "INVALID_PATIENT_DEMOGRAPHICS",
            ),
            (
                "deceased",
                |p| p["identifier"][0]["value"] = "9000000076".into(),
                "INVALID_PATIENT_DEMOGRAPHICS",
            ),
            (
                "known here",
                |p| p["identifier"][0]["value"] = "9000000009".into(),
                "DUPLICATE_REJECTED",
            ),
            (
                "other family name",
                |p| p["identifier"][0]["value"] = "9000000025".into(),
                "BAD_REQUEST",
            ),
            ("fax", |p| p["telecom"][0]["system"] = "fax".into(), "BAD_REQUEST"),
            ("extra element", |p| p["deceasedBoolean"] = false.into(), "INVALID_RESOURCE"),
            ("no patient", |p| p["resourceType"] = "Person".into(), "INVALID_RESOURCE"),
        ];
        for (name, edit, code) in cases {
            let mut patient = patient("9000000092");
            edit(&mut patient);
            assert_eq!(registered(wrapped(&[patient]), false), Err(*code), "{name}");
        }
    }

    #[test]
    fn parameters_hold_exactly_one_patient() {
        let one = patient("9000000092");
        for (name, body, code) in [
            ("two", wrapped(&[one.clone(), one]), "BAD_REQUEST"),
            ("none", wrapped(&[]), "INVALID_RESOURCE"),
            ("not Parameters", json!({"resourceType": "Patient"}), "INVALID_RESOURCE"),
            ("no resource", json!([1]), "INVALID_RESOURCE"),
        ] {
            assert_eq!(registered(body, false), Err(code), "{name}");
        }
    }
}
