//! One practice at work: its people, its diary, and what consumers have changed.
//!
//! Everything that never changes is drawn when asked for; only registrations and appointments are
//! stored. A practice nobody calls costs a few bytes.

mod answer;
mod appointments;
mod book;
mod capability;
mod change;
mod clinical;
mod course;
mod diary;
mod foundations;
mod people;
mod population;
mod record;
mod record_cache;
mod record_request;
mod register;
mod resources;
mod slots;
mod visit;

use std::sync::{Mutex, MutexGuard, PoisonError};

use gpconnect::interaction::InteractionId;
use gpconnect::names::NhsNumber;
use jiff::Zoned;

use self::appointments::Appointments;
use self::people::Person;
use self::population::Population;
use super::estate::Practice;
use super::fhir::outcome::{Code, Refusal};

pub(crate) use self::answer::{Answer, Content};
pub(crate) use self::record::compressed;
pub(crate) use self::record_cache::RecordCache;
pub(crate) use self::visit::Visit;

/// A practice that somebody has called.
pub(crate) struct Site {
    seed: u64,
    place: usize,
    practice: Practice,
    changes: Mutex<Changes>,
}

/// What consumers have changed.
#[derive(Default)]
pub(crate) struct Changes {
    registered: Vec<Person>,
    appointments: Appointments,
}

impl Site {
    /// Opens the practice; one appointment is in its diary from the start.
    pub(crate) fn open(seed: u64, place: usize, practice: Practice, now: &Zoned) -> Self {
        let site = Self { seed, place, practice, changes: Mutex::default() };
        appointments::book_the_first(&site, now);
        site
    }

    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// The position of the practice in its estate.
    pub(crate) const fn place(&self) -> usize {
        self.place
    }

    pub(crate) const fn practice(&self) -> &Practice {
        &self.practice
    }

    pub(crate) const fn population(&self) -> Population {
        Population::new(self.seed)
    }

    /// The changes, to read or to add to; never held across an `await`.
    pub(crate) fn changes(&self) -> MutexGuard<'_, Changes> {
        // A panic elsewhere leaves whole entries behind: each is added in one step.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The patient of that logical id whom a read may give away.
    fn patient(&self, id: u64) -> Option<Person> {
        let registered = self.changes().registered.iter().find(|person| person.id == id).cloned();
        registered.or_else(|| self.population().by_id(self.place, id)).filter(Person::is_found)
    }

    /// The patient of that NHS number, however sensitive.
    fn patient_by_nhs_number(&self, number: NhsNumber) -> Option<Person> {
        let registered =
            self.changes().registered.iter().find(|person| person.nhs_number == number).cloned();
        registered.or_else(|| self.population().by_nhs_number(self.place, number))
    }
}

/// Does what the interaction asks.
pub(crate) fn work(interaction: InteractionId, visit: &Visit<'_>) -> Result<Answer, Refusal> {
    use InteractionId as Id;
    match interaction {
        Id::ReadMetadata => Ok(capability::foundations(visit)),
        Id::ReadStructuredMetadata => Ok(capability::structured(visit)),
        Id::SearchPatient => foundations::find_patient(visit),
        Id::ReadPatient => foundations::read_patient(visit),
        Id::SearchPractitioner => foundations::find_practitioner(visit),
        Id::ReadPractitioner => foundations::read_practitioner(visit),
        Id::SearchOrganization => foundations::find_organisation(visit),
        Id::ReadOrganization => foundations::read_organisation(visit),
        Id::ReadLocation => foundations::read_location(visit),
        Id::RegisterPatient => register::register(visit),
        Id::SearchSlot => slots::search(visit),
        Id::BookAppointment => book::book(visit),
        Id::SearchPatientAppointments => appointments::of_patient(visit),
        Id::ReadAppointment => appointments::read(visit),
        Id::AmendAppointment => change::amend(visit),
        Id::CancelAppointment => change::cancel(visit),
        Id::GetStructuredRecord => record::retrieve(visit),
        Id::SearchHealthcareService
        | Id::ReadHealthcareService
        | Id::ReadDocumentsMetadata
        | Id::SearchDocumentsPatient
        | Id::SearchDocumentReference
        | Id::ReadBinary
        | Id::MigrateBinary
        | Id::MigrateStructuredRecord
        | Id::GetCareRecord
        | Id::ReadHtmlMetadata => Err(Code::NotImplemented
            .because(format!("Interaction {} is not implemented", interaction.urn()))),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::simulator::estate::Estate;
    use crate::simulator::fhir::{format::Format, query::Query, xml_out};
    use http::HeaderMap;
    use serde_json::Value;

    /// Monday morning.
    pub(crate) const NOW: &str = "2026-11-23T08:00:00+00:00";

    pub(crate) fn now() -> Zoned {
        crate::simulator::clock::date_time(NOW).unwrap()
    }

    pub(crate) fn site() -> Site {
        let practice = Estate::generate(1, 1).practices()[0].clone();
        Site::open(1, 0, practice, &now())
    }

    /// A call of a practice without HTTP around it.
    pub(crate) struct Call<'a> {
        pub(crate) id: &'a str,
        pub(crate) query: &'a str,
        pub(crate) if_match: &'a str,
        pub(crate) body: Value,
        pub(crate) xml: bool,
    }

    impl Default for Call<'_> {
        fn default() -> Self {
            Self { id: "", query: "", if_match: "", body: Value::Null, xml: false }
        }
    }

    impl Call<'_> {
        pub(crate) fn answer(
            &self,
            site: &Site,
            interaction: InteractionId,
        ) -> Result<Answer, Refusal> {
            let mut headers = HeaderMap::new();
            let kind = if self.xml { "application/fhir+xml" } else { "application/fhir+json" };
            headers.insert("content-type", kind.parse().unwrap());
            if !self.if_match.is_empty() {
                headers.insert("if-match", self.if_match.parse().unwrap());
            }
            let body = if self.xml { xml_out::document(&self.body) } else { self.body.to_string() };
            let visit = Visit {
                site,
                id: self.id,
                query: &Query::parse(Some(self.query)),
                headers: &headers,
                body: body.as_bytes(),
                now: now(),
                format: Format::Json,
                gzip: false,
                records: &RecordCache::new(10_000_000),
            };
            work(interaction, &visit)
        }

        /// The resource that answers, or the word of the refusal.
        pub(crate) fn result(
            &self,
            site: &Site,
            interaction: InteractionId,
        ) -> Result<Value, &'static str> {
            match self.answer(site, interaction) {
                Ok(answer) => Ok(answer.into_json()),
                Err(refusal) => Err(refusal.code.word()),
            }
        }
    }

    pub(crate) use super::book::tests::request as booking;
    pub(crate) use super::change::tests::cancelled as cancellation;
    pub(crate) use super::record::tests::asked as record_question;
    pub(crate) use super::register::tests::registration;

    /// Every value a member of a body could wrongly have.
    fn oddities() -> Vec<Value> {
        let long = "9".repeat(300);
        [Value::Null, true.into(), (-1).into(), "".into(), "é/#|".into(), long.into()]
            .into_iter()
            .chain([Value::Array(vec![]), Value::Array(vec![Value::Null]), serde_json::json!({})])
            .collect()
    }

    /// The places of all members and items inside.
    fn pointers(value: &Value, at: &str, all: &mut Vec<String>) {
        all.push(at.to_owned());
        if let Some(members) = value.as_object() {
            members.iter().for_each(|(name, inner)| pointers(inner, &format!("{at}/{name}"), all));
        }
        let items = value.as_array().into_iter().flatten().enumerate();
        items.for_each(|(index, inner)| pointers(inner, &format!("{at}/{index}"), all));
    }

    #[test]
    fn no_body_panics() {
        let site = site();
        let booked = appointments::tests::first(&site);
        for (interaction, id, body) in [
            (InteractionId::RegisterPatient, "", registration("9000000092")),
            (InteractionId::BookAppointment, "", booking(&book::tests::pair(&site).0)),
            (InteractionId::AmendAppointment, "1", booked.clone()),
            (InteractionId::CancelAppointment, "1", cancellation(&booked)),
            (InteractionId::GetStructuredRecord, "", record_question("9000000017")),
        ] {
            let mut places = Vec::new();
            pointers(&body, "", &mut places);
            for (place, odd) in
                places.iter().flat_map(|p| oddities().into_iter().map(move |o| (p, o)))
            {
                let mut body = body.clone();
                *body.pointer_mut(place).unwrap() = odd;
                for xml in [false, true] {
                    let body = body.clone();
                    let call = Call { id, if_match: "W/\"1\"", body, xml, ..Call::default() };
                    // Whatever it says: the call has come back. Each has a practice of its own,
                    // since some of these bodies are good enough to change it.
                    drop(call.answer(&self::site(), interaction));
                }
            }
        }
    }
}
