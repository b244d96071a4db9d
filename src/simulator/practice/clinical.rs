//! The clinical content of a record: allergies and courses of medication, drawn for the patient.
//!
//! It depends on the patient's logical id and record size, not on the practice, so that the large
//! records of a thousand practices are one text in memory.

use jiff::Span;
use jiff::civil::{Date, date};
use serde_json::{Value, json};

use super::course::Course;
use super::people::Person;
use super::record_request::{Medication, Parts};
use super::resources::{concept, reference};
use crate::simulator::draw::Draw;
use crate::simulator::fhir::profile;

const SNOMED: &str = "http://snomed.info/sct";
/// Records end on this day, whatever the clock says: the same question has the same answer.
pub(crate) const LAST_DAY: Date = date(2026, 1, 5);
/// Bytes of everything around the clinical content, of a course with its issues, and of an
/// allergy, as JSON; for reaching a record's size.
const AROUND: usize = 3_200;
const COURSE: usize = 4_700;
const ALLERGY: usize = 860;
/// A record has an allergy for every so many courses.
const COURSES_PER_ALLERGY: usize = 6;

const ALLERGIES: &[&str] = &[
    "Allergy to penicillin",
    "Allergy to peanut",
    "Allergy to latex",
    "Adverse reaction to codeine",
    "Allergy to egg protein",
    "Adverse reaction to trimethoprim",
    "Allergy to bee venom",
];

/// The Lists asked for, each followed by what it lists.
pub(crate) fn content(seed: u64, person: &Person, parts: Parts) -> Vec<Value> {
    let courses =
        person.record_bytes.saturating_sub(AROUND) / (COURSE + ALLERGY / COURSES_PER_ALLERGY);
    let mut resources = Vec::new();
    if let Some(resolved) = parts.allergies {
        add_allergies(
            &mut resources,
            seed,
            person,
            courses.div_ceil(COURSES_PER_ALLERGY),
            resolved,
        );
    }
    if let Some(medication) = parts.medication {
        add_medication(&mut resources, seed, person, courses, medication);
    }
    resources
}

fn add_allergies(
    resources: &mut Vec<Value>,
    seed: u64,
    person: &Person,
    count: usize,
    resolved: bool,
) {
    let all: Vec<(bool, Value)> =
        (1..=count as u64).map(|number| allergy(seed, person.id, number)).collect();
    for (title, code, display, wanted, ended) in [
        (
            "Allergies and adverse reactions",
            "886921000000105",
            "Allergies and adverse reactions",
            true,
            false,
        ),
        ("Ended allergies", "1103671000000101", "Ended allergies", resolved, true),
    ] {
        if wanted {
            let listed: Vec<Value> = all
                .iter()
                .filter(|(has_ended, _)| *has_ended == ended)
                .map(|(_, resource)| resource.clone())
                .collect();
            resources.push(list(person.id, title, code, display, &listed));
            resources.extend(listed);
        }
    }
}

/// An allergy, and whether it is resolved.
fn allergy(seed: u64, patient: u64, number: u64) -> (bool, Value) {
    let mut draw = Draw::of(seed, "allergy", patient << 20 | number);
    let resolved = draw.below(4) == 0;
    let since = day_before(&mut draw, 9_000).to_string();
    let resource = json!({
        "resourceType": "AllergyIntolerance",
        "id": number.to_string(),
        "meta": {"profile": [profile("CareConnect-GPC-AllergyIntolerance-1")]},
        "identifier": [data_identifier(&mut draw)],
        "clinicalStatus": if resolved { "resolved" } else { "active" },
        "verificationStatus": "unconfirmed",
        "type": "allergy",
        "category": ["medication"],
        "code": coded(&mut draw, ALLERGIES),
        "patient": reference("Patient", patient),
        "assertedDate": format!("{since}T09:00:00+00:00"),
        "recorder": reference("Practitioner", 1),
        "note": [{"text": "Recorded during a consultation"}],
    });
    (resolved, resource)
}

fn add_medication(
    resources: &mut Vec<Value>,
    seed: u64,
    person: &Person,
    count: usize,
    medication: Medication,
) {
    let courses: Vec<Course> = (1..=count as u64)
        .map(|number| Course::draw(seed, person.id, number))
        .filter(|course| medication.from.is_none_or(|from| course.is_active || course.last >= from))
        .collect();
    let statements: Vec<Value> = courses.iter().map(Course::statement).collect();
    let title = "Medications and medical devices";
    resources.push(list(person.id, title, "933361000000108", title, &statements));
    resources.extend(statements);
    for course in &courses {
        resources.push(course.medication());
        resources.push(course.request(None));
        if medication.issues {
            resources.extend((1..=course.issues).map(|issue| course.request(Some(issue))));
        }
    }
}

fn data_identifier(draw: &mut Draw) -> Value {
    let value = (draw.next() >> 16).to_string();
    json!({"system": "https://sim.example/data-identifier", "value": value})
}

/// A term with a made-up code of the shape of SNOMED CT's.
pub(crate) fn coded(draw: &mut Draw, terms: &[&'static str]) -> Value {
    let code = format!("{}", 10_000_000_000 + draw.below(80_000_000_000));
    concept(SNOMED, &code, draw.pick(terms))
}

/// A day of the last so many before the record ends.
pub(crate) fn day_before(draw: &mut Draw, most: u64) -> Date {
    let days = i64::try_from(draw.below(most)).unwrap_or(0);
    LAST_DAY.checked_sub(Span::new().days(days)).unwrap_or(LAST_DAY)
}

fn list(patient: u64, title: &str, code: &str, display: &str, listed: &[Value]) -> Value {
    let entries: Vec<Value> = listed
        .iter()
        .filter_map(|resource| {
            let kind = resource.get("resourceType")?.as_str()?;
            let id = resource.get("id")?.as_str()?;
            Some(json!({"item": {"reference": format!("{kind}/{id}")}}))
        })
        .collect();
    let mut list = json!({
        "resourceType": "List",
        "meta": {"profile": [profile("CareConnect-GPC-List-1")]},
        "status": "current",
        "mode": "snapshot",
        "title": title,
        "code": concept(SNOMED, code, display),
        "subject": reference("Patient", patient),
        "date": format!("{LAST_DAY}T09:00:00+00:00"),
    });
    if let Some(members) = list.as_object_mut() {
        if entries.is_empty() {
            let reason = concept("http://hl7.org/fhir/special-values", "nil-known", "Nil Known");
            members.insert("emptyReason".into(), reason);
        } else {
            let order = concept("http://hl7.org/fhir/list-order", "event-date", "Event Date");
            members.insert("orderedBy".into(), order);
            members.insert("entry".into(), entries.into());
        }
    }
    list
}
