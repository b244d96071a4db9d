//! The life of an appointment through the gateway: found, booked, read, amended, cancelled, and its
//! slot free again; whoever works on an old version is told so.

use serde_json::Value;

use crate::harness::interactions::{
    AMEND_APPOINTMENT, BOOK_APPOINTMENT, CANCEL_APPOINTMENT, PATIENT_APPOINTMENTS,
    READ_APPOINTMENT, SEARCH_SLOT,
};
use crate::harness::{Answer, Call, Form, Interaction, Mode, World};
use crate::resources::{FREE_SLOTS, amendment, booking, cancellation, of_type};

const APPOINTMENTS: &str = "Patient/1/Appointment?start=ge2026-11-23&start=le2026-12-31";

/// A consumer at work with one practice.
struct Desk<'w> {
    world: &'w World,
    mode: Mode,
    form: Form,
    practice: usize,
}

impl Desk<'_> {
    fn call(&self, interaction: &Interaction, path: &str) -> Call {
        let practice = self.world.practice(self.practice);
        let call = Call::new(self.mode, self.form, practice, interaction, path);
        if self.mode == Mode::Assist { call.lean() } else { call }
    }

    async fn get(&self, interaction: &Interaction, path: &str) -> Answer {
        let answer = self.world.send(self.call(interaction, path)).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer
    }

    async fn book(&self, slot: &Value) -> Answer {
        let call = self.call(&BOOK_APPOINTMENT, "Appointment").json(&booking(slot));
        self.world.send(call).await
    }

    async fn put(&self, with: &Interaction, path: &str, version: &str, body: &Value) -> Answer {
        let call = self.call(with, path).with("If-Match", version).json(body);
        self.world.send(call).await
    }

    async fn free_slots(&self) -> Vec<Value> {
        let bundle = self.get(&SEARCH_SLOT, FREE_SLOTS).await.json();
        of_type(&bundle, "Slot").into_iter().cloned().collect()
    }
}

fn code(answer: &Answer) -> String {
    let body = answer.json();
    let code = body["issue"][0]["details"]["coding"][0]["code"].as_str();
    code.unwrap_or_else(|| panic!("an OperationOutcome, not {body}")).to_owned()
}

async fn an_appointment_lives(desk: &Desk<'_>) {
    let name = format!("{:?} {:?}", desk.mode, desk.form);
    let slots = desk.free_slots().await;
    let slot = &slots[0];
    let booked = desk.book(slot).await;
    assert_eq!((booked.status, booked.header("etag")), (201, "W/\"1\"".into()), "{name}");
    let appointment = booked.json();
    let path = format!("Appointment/{}", appointment["id"].as_str().unwrap());
    if desk.mode == Mode::Transparent {
        let location = booked.header("location");
        let root = desk.world.practice(desk.practice).service_root.as_str();
        assert_eq!(
            location,
            format!("{root}/{path}/_history/1"),
            "{name}: as the provider sent it"
        );
    }
    let taken = desk.book(slot).await;
    assert_eq!((taken.status, code(&taken)), (409, "DUPLICATE_REJECTED".into()), "{name}");
    assert!(!desk.free_slots().await.contains(slot), "{name}");

    let read = desk.get(&READ_APPOINTMENT, &path).await;
    assert_eq!(read.header("etag"), "W/\"1\"", "{name}");
    assert_eq!(read.json(), appointment, "{name}");
    let all = desk.get(&PATIENT_APPOINTMENTS, APPOINTMENTS).await.json();
    assert!(of_type(&all, "Appointment").contains(&&appointment), "{name}");

    let wanted = amendment(&appointment, "Bring the letter");
    let amended = desk.put(&AMEND_APPOINTMENT, &path, "W/\"1\"", &wanted).await;
    assert_eq!((amended.status, amended.header("etag")), (200, "W/\"2\"".into()), "{name}");
    assert_eq!(amended.json()["comment"], "Bring the letter", "{name}");

    for (with, body) in [
        (&AMEND_APPOINTMENT, amendment(&appointment, "Too late")),
        (&CANCEL_APPOINTMENT, cancellation(&amended.json())),
    ] {
        let conflict = desk.put(with, &path, "W/\"1\"", &body).await;
        let expected = (409, "FHIR_CONSTRAINT_VIOLATION".into());
        assert_eq!((conflict.status, code(&conflict)), expected, "{name}: {}", with.id);
    }
    assert_eq!(desk.get(&READ_APPOINTMENT, &path).await.json(), amended.json(), "{name}");

    let wanted = cancellation(&amended.json());
    let cancelled = desk.put(&CANCEL_APPOINTMENT, &path, "W/\"2\"", &wanted).await;
    assert_eq!((cancelled.status, cancelled.header("etag")), (200, "W/\"3\"".into()), "{name}");
    assert_eq!(cancelled.json()["status"], "cancelled", "{name}");
    assert_eq!(desk.free_slots().await, slots, "{name}: the slot is free again");
    assert_eq!(desk.book(slot).await.status, 201, "{name}: and can be booked");
}

#[tokio::test]
async fn an_appointment_lives_its_life_in_both_modes() {
    let world = World::start(|plan| plan.practices = 4).await;
    let mut practice = 0;
    for mode in Mode::BOTH {
        for form in [Form::Ods, Form::Proxy] {
            an_appointment_lives(&Desk { world: &world, mode, form, practice }).await;
            practice += 1;
        }
    }
}

/// gp-connect 5.
#[tokio::test]
async fn of_two_who_book_one_slot_one_gets_it() {
    let world = World::start(|_| {}).await;
    let desk = |mode| Desk { world: &world, mode, form: Form::Ods, practice: 0 };
    let (one, other) = (desk(Mode::Transparent), desk(Mode::Assist));
    for slot in &one.free_slots().await[..5] {
        let (first, second) = tokio::join!(one.book(slot), other.book(slot));
        let mut statuses = [first.status, second.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409]);
    }
    let bookings = world.arrivals().iter().filter(|one| one.method == "POST").count();
    assert_eq!(bookings, 10, "each booking reaches the practice once");
}
