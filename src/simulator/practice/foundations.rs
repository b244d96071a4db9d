//! Foundations: finding and reading patients, practitioners, organisations and locations.

use gpconnect::names::NhsNumber;
use serde_json::Value;

use super::people::Person;
use super::resources::{self, OWN_ORGANISATION, PRACTITIONERS};
use super::{Answer, Visit};
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::{NHS_NUMBER, ODS_CODE, SDS_USER};

/// F2: a patient by NHS number; nobody found is an empty Bundle.
pub(crate) fn find_patient(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let number = nhs_number(visit.query.identifier(NHS_NUMBER)?)?;
    let person = visit.site.patient_by_nhs_number(number).filter(Person::is_found);
    Ok(found(person.as_ref().map(resources::patient)))
}

/// F3: a patient by logical id.
pub(crate) fn read_patient(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let person = visit.number().and_then(|id| visit.site.patient(id));
    let person = person.ok_or_else(|| Code::PatientNotFound.because("No such patient"))?;
    Ok(Answer::unchanging("Patient", person.id, resources::patient(&person)))
}

/// F4: a practitioner by smartcard user id.
pub(crate) fn find_practitioner(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let wanted = visit.query.identifier(SDS_USER)?;
    let id = (1..=PRACTITIONERS).find(|id| resources::sds_user_id(visit.site, *id) == wanted);
    Ok(found(id.and_then(|id| resources::practitioner(visit.site, id))))
}

/// F5: a practitioner by logical id.
pub(crate) fn read_practitioner(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let read = |id| resources::practitioner(visit.site, id);
    single(visit, "Practitioner", read, Code::PractitionerNotFound)
}

/// F6: the practice by its organisation code; any other code finds nothing.
pub(crate) fn find_organisation(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let own = visit.query.identifier(ODS_CODE)? == visit.site.practice().ods_code.as_str();
    Ok(found(own.then(|| resources::organisation(visit.site))))
}

/// F7: the practice by logical id.
pub(crate) fn read_organisation(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let read = |id| (id == OWN_ORGANISATION).then(|| resources::organisation(visit.site));
    single(visit, "Organization", read, Code::OrganisationNotFound)
}

/// F8: one of the practice's buildings by logical id.
pub(crate) fn read_location(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let read = |id| resources::location(visit.site, id);
    single(visit, "Location", read, Code::NoRecordFound)
}

fn found(resource: Option<Value>) -> Answer {
    Answer::of(resources::searchset(resource.into_iter().collect()))
}

fn single(
    visit: &Visit<'_>,
    kind: &str,
    read: impl Fn(u64) -> Option<Value>,
    unknown: Code,
) -> Result<Answer, Refusal> {
    let found = visit.number().and_then(|id| Some((id, read(id)?)));
    let (id, resource) = found.ok_or_else(|| unknown.because(format!("No such {kind}")))?;
    Ok(Answer::unchanging(kind, id, resource))
}

/// Reads an NHS number; the refusal never repeats it.
pub(crate) fn nhs_number(text: &str) -> Result<NhsNumber, Refusal> {
    text.parse().or(Err(Code::InvalidNhsNumber.because("NHS number is not valid")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;

    fn find(id: Id, query: &str) -> Result<usize, &'static str> {
        let bundle = Call { query, ..Call::default() }.result(&site(), id)?;
        Ok(bundle["entry"].as_array().unwrap().len())
    }

    #[test]
    fn searches_find_one_or_none() {
        let user = resources::sds_user_id(&site(), 2);
        let user = format!("identifier={SDS_USER}%7C{user}");
        let ods = |code| format!("identifier={ODS_CODE}|{code}&_format=json");
        let nhs = |number| format!("identifier={NHS_NUMBER}|{number}");
        for (name, id, query, expected) in [
            ("a patient", Id::SearchPatient, nhs("9000000009"), Ok(1)),
            ("temporary", Id::SearchPatient, nhs("9000000068"), Ok(1)),
            ("dissenting", Id::SearchPatient, nhs("9000000041"), Ok(1)),
            ("deceased", Id::SearchPatient, nhs("9000000076"), Ok(0)),
            ("sensitive", Id::SearchPatient, nhs("9000000084"), Ok(0)),
            ("elsewhere", Id::SearchPatient, nhs("9000000092"), Ok(0)),
            ("bad number", Id::SearchPatient, nhs("9000000008"), Err("INVALID_NHS_NUMBER")),
            ("no value", Id::SearchPatient, nhs(""), Err("INVALID_PARAMETER")),
            ("ODS for NHS", Id::SearchPatient, ods("A20047"), Err("INVALID_IDENTIFIER_SYSTEM")),
            ("nothing", Id::SearchPatient, String::new(), Err("BAD_REQUEST")),
            ("a practitioner", Id::SearchPractitioner, user, Ok(1)),
            ("no practitioner", Id::SearchPractitioner, format!("identifier={SDS_USER}|1"), Ok(0)),
            ("this practice", Id::SearchOrganization, ods("A20047"), Ok(1)),
            ("another", Id::SearchOrganization, ods("A20048"), Ok(0)),
        ] {
            assert_eq!(find(id, &query), expected, "{name}");
        }
    }

    #[test]
    fn reads_give_the_resource_or_say_what_is_missing() {
        for (name, id, logical, expected) in [
            ("patient", Id::ReadPatient, "1", Ok("Patient")),
            ("sensitive patient", Id::ReadPatient, "8", Err("PATIENT_NOT_FOUND")),
            ("no patient", Id::ReadPatient, "99999", Err("PATIENT_NOT_FOUND")),
            ("an id of letters", Id::ReadPatient, "Patient", Err("PATIENT_NOT_FOUND")),
            ("another spelling", Id::ReadPatient, "01", Err("PATIENT_NOT_FOUND")),
            ("practitioner", Id::ReadPractitioner, "3", Ok("Practitioner")),
            ("no practitioner", Id::ReadPractitioner, "4", Err("PRACTITIONER_NOT_FOUND")),
            ("organisation", Id::ReadOrganization, "1", Ok("Organization")),
            ("no organisation", Id::ReadOrganization, "2", Err("ORGANISATION_NOT_FOUND")),
            ("location", Id::ReadLocation, "2", Ok("Location")),
            ("no location", Id::ReadLocation, "0", Err("NO_RECORD_FOUND")),
        ] {
            let read = Call { id: logical, ..Call::default() }.result(&site(), id);
            let kind = read.as_ref().map(|resource| resource["resourceType"].as_str().unwrap());
            assert_eq!(kind.map_err(|word| *word), expected, "{name}");
            if let Ok(resource) = read {
                assert_eq!(resource["id"], logical, "{name}");
            }
        }
    }
}
