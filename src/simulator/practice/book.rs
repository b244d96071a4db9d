//! A2: booking an appointment.

use serde_json::Value;

use super::appointments::{self, Appointment, BOOKING_ORGANISATION};
use super::diary::{self, Slot};
use super::resources;
use super::visit::{items, parse_id, text};
use super::{Answer, Visit};
use crate::simulator::clock::date_time;
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::{ODS_CODE, profile};

/// The longest texts a consumer may write.
pub(crate) const LONGEST_DESCRIPTION: usize = 100;
pub(crate) const LONGEST_COMMENT: usize = 500;

/// Books the slots of the Appointment in the body, if all of them are free.
pub(crate) fn book(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let request = visit.resource("Appointment")?;
    check_members(&request)?;
    let booked_by = booking_organisation(&request)?;
    let slots = adjacent(visit, &request)?;
    let patient = participants(visit, &request)?;
    let first = slots.first().ok_or_else(|| invalid("Appointment.slot is missing"))?;
    check_times(visit, &request, &slots)?;
    let contained = request.get("contained").unwrap_or(&Value::Null);
    let mut content = appointments::content(first, contained, booked_by);
    for name in ["description", "start", "end", "slot", "created", "comment", "participant"] {
        if let Some(value) = request.get(name) {
            content.insert(name.into(), value.clone());
        }
    }
    let taken = || Code::DuplicateRejected.because("Slot is no longer free");
    if slots.iter().any(|slot| slot.busy) {
        return Err(taken());
    }
    let appointment = Appointment {
        id: 0,
        version: 1,
        patient,
        slots: slots.iter().map(|slot| slot.id).collect(),
        start: first.start.clone(),
        changed: visit.now.clone(),
        content,
    };
    visit.site.changes().appointments.book(appointment).map(appointments::booked).ok_or_else(taken)
}

/// The refusal of a body that is not as defined.
pub(crate) fn invalid(fault: &str) -> Refusal {
    Code::InvalidResource.because(fault)
}

/// Checks the texts that a consumer may later change.
pub(crate) fn check_texts(request: &Value) -> Result<(), Refusal> {
    let letters = |member| text(request, member).map(|text| text.chars().count());
    let described = matches!(letters("description"), Some(1..=LONGEST_DESCRIPTION));
    if !described {
        return Err(invalid("Appointment.description is missing or longer than 100"));
    }
    let commented = request.get("comment").is_none()
        || letters("comment").is_some_and(|length| length <= LONGEST_COMMENT);
    if commented { Ok(()) } else { Err(invalid("Appointment.comment is longer than 500")) }
}

fn check_members(request: &Value) -> Result<(), Refusal> {
    check_texts(request)?;
    for member in ["reason", "specialty"] {
        if request.get(member).is_some() {
            return Err(invalid("Appointment.reason and .specialty are not allowed"));
        }
    }
    if text(request, "status") != Some("booked") {
        return Err(invalid("Appointment.status is not booked"));
    }
    match text(request, "created").and_then(date_time) {
        Some(_) => Ok(()),
        None => Err(invalid("Appointment.created is missing or not a time")),
    }
}

/// The extension that names the contained booking organisation.
fn booking_organisation(request: &Value) -> Result<&Value, Refusal> {
    let url = profile(BOOKING_ORGANISATION);
    let mut named = items(request, "extension")
        .iter()
        .filter(|extension| text(extension, "url") == Some(url.as_str()));
    let (Some(extension), None) = (named.next(), named.next()) else {
        return Err(invalid("Appointment has no single booking organisation"));
    };
    let id = extension
        .pointer("/valueReference/reference")
        .and_then(Value::as_str)
        .and_then(|reference| reference.strip_prefix('#'));
    let organisation = items(request, "contained").iter().find(|resource| {
        text(resource, "resourceType") == Some("Organization")
            && id.is_some_and(|id| text(resource, "id") == Some(id))
    });
    let complete = organisation.is_some_and(|organisation| {
        let has_code = items(organisation, "identifier").iter().any(|identifier| {
            text(identifier, "system") == Some(ODS_CODE)
                && text(identifier, "value").is_some_and(|value| !value.is_empty())
        });
        let has_name = text(organisation, "name").is_some_and(|name| !name.is_empty());
        has_code && has_name && !items(organisation, "telecom").is_empty()
    });
    if complete { Ok(extension) } else { Err(invalid("Booking organisation is not complete")) }
}

/// The slots of the request, which must follow each other in one schedule.
fn adjacent(visit: &Visit<'_>, request: &Value) -> Result<Vec<Slot>, Refusal> {
    let mut slots: Vec<Slot> = Vec::new();
    for reference in items(request, "slot") {
        let id = local_id(reference, "Slot")
            .ok_or_else(|| invalid("Appointment.slot is not a relative reference"))?;
        let slot = diary::slot(visit.site, id, visit.today())
            .ok_or_else(|| invalid("Appointment.slot is not known"))?;
        slots.push(slot);
    }
    slots.sort_by_key(|slot| slot.start.timestamp());
    let follow = slots.windows(2).all(|pair| match pair {
        [before, after] => before.schedule == after.schedule && before.end == after.start,
        _ => false,
    });
    if follow { Ok(slots) } else { Err(invalid("Appointment.slot: slots are not adjacent")) }
}

/// Checks who takes part; gives back the patient.
fn participants(visit: &Visit<'_>, request: &Value) -> Result<u64, Refusal> {
    let (mut patient, mut location) = (None, None);
    for participant in items(request, "participant") {
        let actor = participant.get("actor").unwrap_or(&Value::Null);
        let known = if let Some(id) = local_id(actor, "Patient") {
            patient = Some(id);
            visit.site.patient(id).is_some()
        } else if let Some(id) = local_id(actor, "Location") {
            location = Some(id);
            resources::location(visit.site, id).is_some()
        } else {
            let id = local_id(actor, "Practitioner");
            id.is_some_and(|id| resources::practitioner(visit.site, id).is_some())
        };
        if !known {
            return Err(invalid("Appointment.participant.actor is not known here"));
        }
    }
    match (patient, location) {
        (Some(patient), Some(_)) => Ok(patient),
        (None, _) | (_, None) => Err(invalid("Appointment.participant lacks patient or location")),
    }
}

fn check_times(visit: &Visit<'_>, request: &Value, slots: &[Slot]) -> Result<(), Refusal> {
    let (start, end) = (text(request, "start"), text(request, "end"));
    let (Some(start), Some(end)) = (start.and_then(date_time), end.and_then(date_time)) else {
        return Err(invalid("Appointment.start or .end is missing or not a time"));
    };
    let fits = slots.first().is_some_and(|slot| slot.start == start)
        && slots.last().is_some_and(|slot| slot.end == end);
    if !fits {
        return Err(invalid("Appointment.start and .end are not those of the slots"));
    }
    if start < visit.now { Err(invalid("Appointment.start is past")) } else { Ok(()) }
}

/// The id in a relative reference to that type.
fn local_id(reference: &Value, kind: &str) -> Option<u64> {
    parse_id(text(reference, "reference")?.strip_prefix(kind)?.strip_prefix('/')?)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulator::practice::Site;
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;
    use serde_json::json;

    /// Two adjacent free slots of one schedule.
    pub(crate) fn pair(site: &Site) -> (Value, Value) {
        let query = "start=ge2026-11-24&end=le2026-12-04&status=free&_include=Slot:schedule";
        let bundle = Call { query, ..Call::default() }.result(site, Id::SearchSlot).unwrap();
        let slots: Vec<Value> = bundle["entry"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["resource"].clone())
            .filter(|resource| resource["resourceType"] == "Slot")
            .collect();
        let adjacent = |pair: &&[Value]| {
            pair[0]["end"] == pair[1]["start"] && pair[0]["schedule"] == pair[1]["schedule"]
        };
        let pair = slots.windows(2).find(adjacent).unwrap();
        (pair[0].clone(), pair[1].clone())
    }

    /// A booking of that slot for patient 1.
    pub(crate) fn request(slot: &Value) -> Value {
        json!({
            "resourceType": "Appointment",
            "contained": [{
                "resourceType": "Organization",
                "id": "org",
                "identifier": [{"system": ODS_CODE, "value": "NKB99"}],
                "name": "Example Urgent Care",
                "telecom": [{"system": "phone", "value": "01632 960001"}],
            }],
            "extension": [{
                "url": profile(BOOKING_ORGANISATION),
                "valueReference": {"reference": "#org"},
            }],
            "status": "booked",
            "description": "Follow-up",
            "start": slot["start"],
            "end": slot["end"],
            "slot": [{"reference": format!("Slot/{}", slot["id"].as_str().unwrap())}],
            "created": "2026-11-23T08:00:00+00:00",
            "participant": [
                {"actor": {"reference": "Patient/1"}, "status": "accepted"},
                {"actor": {"reference": "Location/1"}, "status": "accepted"},
            ],
        })
    }

    fn booked(site: &Site, body: Value, xml: bool) -> Result<Value, &'static str> {
        Call { body, xml, ..Call::default() }.result(site, Id::BookAppointment)
    }

    #[test]
    fn a_slot_is_booked_once() {
        let site = site();
        let (slot, next) = pair(&site);
        let appointment = booked(&site, request(&slot), false).unwrap();
        assert_eq!(appointment["id"], "2");
        assert_eq!(appointment["meta"]["versionId"], "1");
        assert_eq!(appointment["extension"].as_array().unwrap().len(), 3);
        assert_eq!(booked(&site, request(&slot), false), Err("DUPLICATE_REJECTED"));
        assert!(booked(&site, request(&next), true).is_ok());
    }

    #[test]
    fn adjacent_slots_are_booked_together() {
        let site = site();
        let (first, second) = pair(&site);
        let mut both = request(&first);
        both["end"] = second["end"].clone();
        both["slot"].as_array_mut().unwrap().push(request(&second)["slot"][0].clone());
        assert!(booked(&site, both, false).is_ok());
        assert_eq!(booked(&site, request(&second), false), Err("DUPLICATE_REJECTED"));
    }

    #[test]
    fn faults_of_the_body_are_refused() {
        type Edit = fn(&mut Value);
        let cases: &[(&str, Edit)] = &[
            ("reason", |a| a["reason"] = json!([{"text": "x"}])),
            ("specialty", |a| a["specialty"] = json!([])),
            ("absolute patient", |a| {
                a["participant"][0]["actor"]["reference"] = "https://x/Patient/1".into()
            }),
            ("absolute slot", |a| a["slot"][0]["reference"] = "https://x/Slot/1".into()),
            ("unknown slot", |a| a["slot"][0]["reference"] = "Slot/1".into()),
            ("unknown patient", |a| a["participant"][0]["actor"]["reference"] = "Patient/8".into()),
            ("no location", |a| drop(a["participant"].as_array_mut().unwrap().pop())),
            ("no slot", |a| a["slot"] = json!([])),
            ("same slot twice", |a| {
                let slot = a["slot"][0].clone();
                a["slot"].as_array_mut().unwrap().push(slot);
            }),
            ("other status", |a| a["status"] = "proposed".into()),
            ("other end", |a| a["end"] = "2026-11-24T23:00:00+00:00".into()),
            ("no start", |a| a["start"] = Value::Null),
            ("no created", |a| a["created"] = "today".into()),
            ("no description", |a| a["description"] = "".into()),
            ("long description", |a| a["description"] = "x".repeat(101).into()),
            ("long comment", |a| a["comment"] = "x".repeat(501).into()),
            ("no organisation", |a| a["extension"] = json!([])),
            ("organisation elsewhere", |a| a["contained"][0]["id"] = "other".into()),
            ("organisation without code", |a| a["contained"][0]["identifier"] = json!([])),
            ("organisation without phone", |a| a["contained"][0]["telecom"] = json!([])),
            ("another resource", |a| a["resourceType"] = "Slot".into()),
            ("past", |a| {
                a["slot"][0]["reference"] = "Slot/2506100".into();
                a["start"] = "2026-11-11T09:00:00+00:00".into();
                a["end"] = "2026-11-11T09:10:00+00:00".into();
            }),
        ];
        let site = site();
        let (slot, _) = pair(&site);
        for (name, edit) in cases {
            let mut body = request(&slot);
            edit(&mut body);
            assert_eq!(booked(&site, body, false), Err("INVALID_RESOURCE"), "{name}");
        }
    }
}
