//! The appointments of a practice: what is stored, and reading it (A3, A4).

use std::collections::{BTreeMap, HashMap};

use http::StatusCode;
use jiff::{Span, Zoned};
use serde_json::{Map, Value, json};

use super::diary::{self, KeptFor, Slot};
use super::resources::{self, job_role, meta, reference};
use super::{Answer, Site, Visit};
use crate::simulator::clock::{stamp, whole_date};
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::{ODS_CODE, profile};

/// The extension that names who booked.
pub(crate) const BOOKING_ORGANISATION: &str = "Extension-GPConnect-BookingOrganisation-1";

/// The members of an Appointment in schema order, as far as they are used.
const ORDER: &[&str] = &[
    "contained",
    "extension",
    "status",
    "serviceCategory",
    "serviceType",
    "description",
    "start",
    "end",
    "slot",
    "created",
    "comment",
    "participant",
];

/// One appointment, cancelled ones included.
#[derive(Clone)]
pub(crate) struct Appointment {
    pub(crate) id: u64,
    pub(crate) version: u64,
    pub(crate) patient: u64,
    pub(crate) slots: Vec<u64>,
    pub(crate) start: Zoned,
    pub(crate) changed: Zoned,
    /// Every member except type, id and metadata.
    pub(crate) content: Map<String, Value>,
}

impl Appointment {
    /// The FHIR Appointment in its present version.
    pub(crate) fn resource(&self) -> Value {
        let mut resource = json!({
            "resourceType": "Appointment",
            "id": self.id.to_string(),
            "meta": meta(self.version, "GPConnect-Appointment-1"),
        });
        if let Some(members) = resource.as_object_mut() {
            for name in ORDER {
                if let Some(value) = self.content.get(*name) {
                    members.insert((*name).into(), value.clone());
                }
            }
        }
        resource
    }

    /// Whether it has been cancelled.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.content.get("status").and_then(Value::as_str) == Some("cancelled")
    }

    /// The answer that shows it.
    pub(crate) fn answer(&self) -> Answer {
        let place = format!("Appointment/{}", self.id);
        Answer::single(place, self.version, Some(self.changed.clone()), self.resource())
    }
}

/// All appointments of a practice, and which slots they take.
#[derive(Default)]
pub(crate) struct Appointments {
    all: BTreeMap<u64, Appointment>,
    taken: HashMap<u64, u64>,
}

impl Appointments {
    /// Whether an appointment takes the slot.
    pub(crate) fn takes(&self, slot: u64) -> bool {
        self.taken.contains_key(&slot)
    }

    /// Books, unless one of the slots is taken.
    pub(crate) fn book(&mut self, mut appointment: Appointment) -> Option<&Appointment> {
        if appointment.slots.iter().any(|slot| self.takes(*slot)) {
            return None;
        }
        let id = self.all.len() as u64 + 1;
        appointment.id = id;
        self.taken.extend(appointment.slots.iter().map(|slot| (*slot, id)));
        Some(self.all.entry(id).or_insert(appointment))
    }

    /// The appointment of that id.
    pub(crate) fn get(&self, id: u64) -> Option<&Appointment> {
        self.all.get(&id)
    }

    /// Replaces an appointment by its next version; a cancelled one gives its slots back.
    pub(crate) fn replace(&mut self, next: Appointment) {
        if next.is_cancelled() {
            self.taken.retain(|_, id| *id != next.id);
        }
        self.all.insert(next.id, next);
    }
}

/// The content that the practice makes of a booking, whoever wrote it.
pub(crate) fn content(slot: &Slot, contained: &Value, extension: &Value) -> Map<String, Value> {
    let mut content = Map::new();
    let channel = profile("Extension-GPConnect-DeliveryChannel-2");
    let role = profile("Extension-GPConnect-PractitionerRole-1");
    let extensions = json!([
        extension,
        {"url": role, "valueCodeableConcept": job_role()},
        {"url": channel, "valueCode": "In-person"},
    ]);
    content.insert("contained".into(), contained.clone());
    content.insert("extension".into(), extensions);
    content.insert("status".into(), "booked".into());
    content.insert("serviceCategory".into(), json!({"text": "General GP Appointments"}));
    content.insert("serviceType".into(), json!([{"text": slot.service}]));
    content
}

/// Gives every practice an appointment to read: patient 1, the first free slot after tomorrow.
pub(crate) fn book_the_first(site: &Site, now: &Zoned) {
    let today = now.date();
    let days = (2..10).filter_map(|days| today.checked_add(Span::new().days(days)).ok());
    let free = |slot: &Slot| !slot.busy && slot.kept_for == KeptFor::Anyone;
    let Some(slot) = days.flat_map(|day| diary::day(site, day, today)).find(free) else { return };
    let contained = json!([{
        "resourceType": "Organization",
        "id": "org",
        "meta": {"profile": [profile("CareConnect-GPC-Organization-1")]},
        "identifier": [{"system": ODS_CODE, "value": site.practice().ods_code.as_str()}],
        "name": site.practice().name,
        "telecom": [{"system": "phone", "value": "01632 960100"}],
    }]);
    let booked_by =
        json!({"url": profile(BOOKING_ORGANISATION), "valueReference": {"reference": "#org"}});
    let mut content = content(&slot, &contained, &booked_by);
    let participants = [("Patient", 1), ("Location", slot.location())];
    let participants: Vec<Value> = participants
        .into_iter()
        .map(|(kind, id)| json!({"actor": reference(kind, id), "status": "accepted"}))
        .collect();
    for (name, value) in [
        ("description", "Annual review".into()),
        ("start", stamp(&slot.start).into()),
        ("end", stamp(&slot.end).into()),
        ("slot", json!([reference("Slot", slot.id)])),
        ("created", stamp(now).into()),
        ("participant", participants.into()),
    ] {
        content.insert(name.into(), value);
    }
    site.changes().appointments.book(Appointment {
        id: 0,
        version: 1,
        patient: 1,
        slots: vec![slot.id],
        start: slot.start,
        changed: now.clone(),
        content,
    });
}

/// A4: one appointment, unless it is past.
pub(crate) fn read(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let changes = visit.site.changes();
    let known = visit.number().and_then(|id| changes.appointments.get(id));
    known
        .filter(|appointment| appointment.start.date() >= visit.today())
        .map(Appointment::answer)
        .ok_or_else(|| Code::NoRecordFound.because("No such Appointment to come"))
}

/// A3: a patient's appointments between two days.
pub(crate) fn of_patient(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let wrong = |fault: &str| Code::InvalidParameter.because(format!("Parameter start: {fault}"));
    let starts: Vec<&str> = visit.query.all("start").collect();
    let day = |prefix: &str| starts.iter().find_map(|start| start.strip_prefix(prefix));
    let (2, Some(from), Some(until)) = (starts.len(), day("ge"), day("le")) else {
        return Err(wrong("must stand twice, with ge and with le"));
    };
    let (Some(from), Some(until)) = (whole_date(from), whole_date(until)) else {
        return Err(wrong("is not a whole date"));
    };
    if from < visit.today() || until < from {
        return Err(wrong("lies in the past or is reversed"));
    }
    let patient = visit.number().and_then(|id| visit.site.patient(id));
    let patient = patient.ok_or_else(|| Code::PatientNotFound.because("No such patient"))?.id;
    let changes = visit.site.changes();
    let mut found: Vec<&Appointment> = changes
        .appointments
        .all
        .values()
        .filter(|known| known.patient == patient)
        .filter(|known| (from..=until).contains(&known.start.date()))
        .collect();
    found.sort_by_key(|known| (known.start.timestamp(), known.id));
    let resources = found.into_iter().map(Appointment::resource).collect();
    Ok(Answer::of(resources::searchset(resources)))
}

/// The answer to a booking, with the status of something new.
pub(crate) fn booked(appointment: &Appointment) -> Answer {
    appointment.answer().of_command(StatusCode::CREATED)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;

    /// The appointment that is there from the start.
    pub(crate) fn first(site: &Site) -> Value {
        site.changes().appointments.get(1).unwrap().resource()
    }

    #[test]
    fn a_patients_appointments_need_two_whole_dates_to_come() {
        for (name, query, expected) in [
            ("both", "start=ge2026-11-23&start=le2026-12-31&_sort=x", Ok(1)),
            ("le first", "start=le2026-12-31&start=ge2026-11-23", Ok(1)),
            ("too early", "start=ge2026-11-23&start=le2026-11-23", Ok(0)),
            ("one", "start=ge2026-11-23", Err("INVALID_PARAMETER")),
            (
                "three",
                "start=ge2026-11-23&start=le2026-12-31&start=le2026-12-31",
                Err("INVALID_PARAMETER"),
            ),
            ("two ge", "start=ge2026-11-23&start=ge2026-12-31", Err("INVALID_PARAMETER")),
            ("past", "start=ge2026-11-22&start=le2026-12-31", Err("INVALID_PARAMETER")),
            ("reversed", "start=ge2026-12-31&start=le2026-11-23", Err("INVALID_PARAMETER")),
            (
                "time",
                "start=ge2026-11-23T00:00:00+00:00&start=le2026-12-31",
                Err("INVALID_PARAMETER"),
            ),
        ] {
            let call = Call { id: "1", query, ..Call::default() };
            let found = call.result(&site(), Id::SearchPatientAppointments);
            assert_eq!(found.map(|b| b["entry"].as_array().unwrap().len()), expected, "{name}");
        }
        let query = "start=ge2026-11-23&start=le2026-12-31";
        let unknown = Call { id: "8", query, ..Call::default() };
        let refused = unknown.result(&site(), Id::SearchPatientAppointments);
        assert_eq!(refused, Err("PATIENT_NOT_FOUND"));
    }

    #[test]
    fn the_first_appointment_is_there_to_read() {
        let read = |id| Call { id, ..Call::default() }.answer(&site(), Id::ReadAppointment);
        let answer = read("1").unwrap();
        let identity = answer.identity.as_ref().unwrap();
        assert_eq!((identity.place.as_str(), identity.version), ("Appointment/1", 1));
        assert_eq!(answer.into_json()["participant"][0]["actor"]["reference"], "Patient/1");
        assert_eq!(read("2").map(|_| ()).map_err(|refusal| refusal.code), Err(Code::NoRecordFound));
    }
}
