//! How many different patients each consumer system named in the last hour. Somebody who pages through
//! records shows in that, whoever the patients are.
//!
//! No patient is kept. A request's thread makes a hash of each with a key that this process draws at its
//! start and shows to nobody; the hash waits for a second at most, and becomes part of a [`Sketch`], from which
//! no hash can be read back. Each is gone after an hour, and the key with the process.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use crossbeam_queue::ArrayQueue;
use gpconnect::{
    names::{Asid, OdsCode},
    patients::{Patient, Patients},
};

use super::{
    hour::{Hour, PARTS},
    sketch::Sketch,
    waiting,
};

/// Hashes that may wait to be counted; more are left out, so that a flood costs no memory.
const ROOM: usize = 16_384;

/// How a request named a patient. An NHS number and an id of the same patient can't be told to be so:
/// the two are counted apart.
#[derive(Clone, Copy)]
enum By {
    Number,
    Id,
}

const WAYS: usize = 2;

/// What waits to be counted.
struct Named {
    consumer: Asid,
    by: By,
    hash: u64,
}

/// The parts of an hour in which a consumer named anybody.
type Parts = [Option<Box<Sketch>>; PARTS];

#[derive(Default)]
struct Ledger {
    hour: Hour,
    consumers: HashMap<Asid, [Parts; WAYS]>,
}

/// The patients whom consumers named.
pub(super) struct PatientsNamed {
    key: RandomState,
    queue: ArrayQueue<Named>,
    ledger: Mutex<Ledger>,
}

/// Without what is in it.
impl std::fmt::Debug for PatientsNamed {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("PatientsNamed")
    }
}

impl Default for PatientsNamed {
    fn default() -> Self {
        let (key, ledger) = (RandomState::new(), Mutex::default());
        Self { key, queue: ArrayQueue::new(ROOM), ledger }
    }
}

impl PatientsNamed {
    /// Takes note of a request that was let pass: of the NHS numbers in it, and of the patient of this
    /// practice whom its path names, which follows the service root.
    pub(super) fn note(
        &self,
        consumer: Asid,
        practice: OdsCode,
        patients: &Patients,
        fhir_request: &str,
    ) {
        let wait = |by, hash| {
            // One that finds no room is left out.
            self.queue.push(Named { consumer, by, hash }).unwrap_or_default();
        };
        for patient in patients.iter() {
            if let Patient::Number(number) = patient {
                wait(By::Number, self.key.hash_one(number));
            }
        }
        if let Some(id) = patient_id(fhir_request) {
            wait(By::Id, self.key.hash_one((practice, id)));
        }
    }

    /// Counts what waits. For a task that runs each second.
    pub(super) fn count(&self) {
        drop(self.counted());
    }

    /// How many patients each consumer system named in the last hour, nearly: by NHS number or by id,
    /// whichever were more. Those who named none are left out.
    pub(super) fn fan_out(&self) -> HashMap<Asid, usize> {
        let ledger = self.counted();
        let most = |ways: &[Parts; WAYS]| ways.iter().map(different).fold(0.0, f64::max);
        ledger.consumers.iter().map(|(consumer, ways)| (*consumer, whole(most(ways)))).collect()
    }

    fn counted(&self) -> MutexGuard<'_, Ledger> {
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        ledger.go_on(Instant::now());
        waiting(&self.queue).for_each(|named| ledger.add(&named));
        ledger
    }
}

impl Ledger {
    /// Forgets what is an hour old.
    fn go_on(&mut self, now: Instant) {
        for place in self.hour.go_on(now) {
            let ways = self.consumers.values_mut().flatten();
            ways.filter_map(|parts| parts.get_mut(place)).for_each(|part| *part = None);
            self.consumers.retain(|_, ways| ways.iter().flatten().any(Option::is_some));
        }
    }

    fn add(&mut self, named: &Named) {
        let place = self.hour.place();
        let ways = self.consumers.entry(named.consumer).or_default();
        let part = ways.get_mut(named.by as usize).and_then(|parts| parts.get_mut(place));
        part.into_iter().for_each(|part| part.get_or_insert_default().add(named.hash));
    }
}

/// How many different patients there are in all parts together.
fn different(parts: &Parts) -> f64 {
    let mut all = Sketch::default();
    parts.iter().flatten().for_each(|part| all.merge(part));
    all.count()
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "it is not negative, and far below what is exact"
)]
fn whole(count: f64) -> usize {
    count.round() as usize
}

/// `17` of `Patient/17/Appointment?x`.
fn patient_id(fhir_request: &str) -> Option<&str> {
    let behind = fhir_request.strip_prefix("Patient/")?;
    let id = behind.split(['/', '?']).next()?;
    // An operation, such as $gpc.registerpatient, names nobody in the path.
    (!id.is_empty() && !id.starts_with('$')).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::{super::hour::PART, *};

    fn consumer(place: usize) -> Asid {
        ["200000000359", "200000000360"][place].parse().unwrap()
    }

    /// A consumer asks for patients by number and by id.
    fn ask(named: &PatientsNamed, place: usize, ids: std::ops::Range<u32>, numbers: &[&str]) {
        let practice = "A20047".parse().unwrap();
        for id in ids {
            let path = format!("Patient/{id}");
            named.note(consumer(place), practice, &Patients::None, &path);
        }
        for number in numbers {
            let patients = Patients::One(Patient::Number(number.parse().unwrap()));
            named.note(consumer(place), practice, &patients, "Patient?identifier=x");
        }
    }

    #[test]
    fn who_asks_for_many_patients_stands_out() {
        let named = PatientsNamed::default();
        ask(&named, 0, 0..500, &["9000000009"]);
        ask(&named, 0, 0..500, &["9000000009"]);
        ask(&named, 1, 0..2, &["9000000009", "9000000017", "9000000025"]);
        let counts = named.fan_out();
        assert!((400..=600).contains(&counts[&consumer(0)]), "{counts:?}");
        assert_eq!(counts[&consumer(1)], 3, "the more of the two, not their sum");
    }

    #[test]
    fn an_id_is_of_its_practice() {
        let named = PatientsNamed::default();
        for practice in ["A20047", "B82617", "A20047"] {
            let practice = practice.parse().unwrap();
            named.note(consumer(0), practice, &Patients::None, "Patient/1/Appointment?x");
        }
        assert_eq!(named.fan_out()[&consumer(0)], 2);
    }

    #[test]
    fn what_is_no_patient_is_not_counted() {
        let named = PatientsNamed::default();
        let practice = "A20047".parse().unwrap();
        let other = Patients::One(Patient::Other("no number".into()));
        for path in ["metadata", "Patient", "Patient/", "Patient/$gpc.registerpatient", "Slot?a=b"]
        {
            named.note(consumer(0), practice, &other, path);
        }
        named.note(consumer(0), practice, &Patients::Unreadable("x"), "Patient?x");
        assert!(named.fan_out().is_empty());
    }

    #[test]
    fn an_hour_later_it_is_forgotten() {
        let named = PatientsNamed::default();
        ask(&named, 0, 0..5, &[]);
        named.count();
        let go_on = |parts: u32| {
            let mut ledger = named.ledger.lock().unwrap();
            let began = ledger.hour.began;
            ledger.go_on(began + PART * parts);
            ledger.consumers.len()
        };
        assert_eq!(go_on(11), 1, "55 minutes later");
        assert_eq!(go_on(12), 0);
    }

    #[test]
    fn a_flood_takes_no_more_than_there_is_room_for() {
        let named = PatientsNamed::default();
        ask(&named, 0, 0..20_000, &[]);
        assert_eq!(named.queue.len(), ROOM);
        let found = named.fan_out()[&consumer(0)];
        assert!((12_000..=21_000).contains(&found), "{found}");
    }

    /// Two processes can't tell by their hashes that they saw the same patient.
    #[test]
    fn each_process_has_a_key_of_its_own() {
        let hash = |named: &PatientsNamed| named.key.hash_one("9000000009");
        assert_ne!(hash(&PatientsNamed::default()), hash(&PatientsNamed::default()));
    }
}
