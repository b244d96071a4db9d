//! The diary: schedules and slots as arithmetic on dates, so that none is stored.
//!
//! Practitioner *n* keeps Schedule *n*, on working days from nine to half past eleven and from two
//! to half past three, in slots of ten minutes. A slot's id says schedule, day and position. What
//! is already taken, and whom a slot is kept for, is drawn.

use jiff::Zoned;
use jiff::civil::{Date, Weekday, date};
use serde_json::{Value, json};

use super::Site;
use super::resources::{FIRST_VERSION, LOCATIONS, PRACTITIONERS, job_role, meta, reference};
use crate::simulator::clock::{local, stamp};
use crate::simulator::draw::Draw;
use crate::simulator::fhir::profile;

const EPOCH: Date = date(2020, 1, 1);
/// The diary is open that far back and ahead of today.
const DAYS_BACK: i32 = 14;
const DAYS_AHEAD: i32 = 84;
const MORNING: u64 = 15;
const SLOTS_A_DAY: u64 = 24;
const MINUTES: i64 = 10;
/// Organisations for which some slots are kept.
const KEPT_FOR: &[&str] = &["RXX01", "NKB99", "A20047"];
const SERVICES: &[&str] = &["General GP Appointment", "NHS Health Check", "Extended Access"];

/// Whom a slot is kept for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeptFor {
    Anyone,
    OrganisationType(&'static str),
    Organisation(&'static str),
}

/// One slot of the diary.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slot {
    pub(crate) id: u64,
    pub(crate) schedule: u64,
    pub(crate) position: u64,
    pub(crate) start: Zoned,
    pub(crate) end: Zoned,
    pub(crate) kept_for: KeptFor,
    pub(crate) service: &'static str,
    /// Taken before the simulator started.
    pub(crate) busy: bool,
}

impl Slot {
    /// The building in which it takes place.
    pub(crate) const fn location(&self) -> u64 {
        location_of(self.schedule)
    }

    /// The FHIR Slot, free.
    pub(crate) fn resource(&self) -> Value {
        json!({
            "resourceType": "Slot",
            "id": self.id.to_string(),
            "meta": meta(FIRST_VERSION, "GPConnect-Slot-1"),
            "extension": [{
                "url": profile("Extension-GPConnect-DeliveryChannel-2"),
                "valueCode": "In-person",
            }],
            "serviceType": [{"text": self.service}],
            "schedule": reference("Schedule", self.schedule),
            "status": "free",
            "start": stamp(&self.start),
            "end": stamp(&self.end),
        })
    }
}

const fn location_of(schedule: u64) -> u64 {
    schedule % LOCATIONS + 1
}

/// The FHIR Schedule of a practitioner.
pub(crate) fn schedule(id: u64, today: Date) -> Value {
    let horizon = |days: i32, hour| {
        let day = today.checked_add(jiff::Span::new().days(days)).ok();
        day.and_then(|day| local(day, hour, 0)).map(|moment| stamp(&moment))
    };
    json!({
        "resourceType": "Schedule",
        "id": id.to_string(),
        "meta": meta(FIRST_VERSION, "GPConnect-Schedule-1"),
        "extension": [{
            "url": profile("Extension-GPConnect-PractitionerRole-1"),
            "valueCodeableConcept": job_role(),
        }],
        "serviceCategory": {"text": "General GP Appointments"},
        "actor": [reference("Location", location_of(id)), reference("Practitioner", id)],
        "planningHorizon": {"start": horizon(-DAYS_BACK, 9), "end": horizon(DAYS_AHEAD, 16)},
    })
}

/// The slot of that id, if the diary is open on its day.
pub(crate) fn slot(site: &Site, id: u64, today: Date) -> Option<Slot> {
    let (rest, position) = (id / 100, id % 100);
    let (day, schedule) = (rest / 10, rest % 10);
    if position >= SLOTS_A_DAY || !(1..=PRACTITIONERS).contains(&schedule) {
        return None;
    }
    let day = EPOCH.checked_add(jiff::Span::new().try_days(i64::try_from(day).ok()?).ok()?).ok()?;
    if is_open(day, today) { at(site, day, schedule, position) } else { None }
}

/// Every slot of a day, by practitioner and time.
pub(crate) fn day(site: &Site, day: Date, today: Date) -> Vec<Slot> {
    if !is_open(day, today) {
        return Vec::new();
    }
    (1..=PRACTITIONERS)
        .flat_map(|schedule| (0..SLOTS_A_DAY).map(move |position| (schedule, position)))
        .filter_map(|(schedule, position)| at(site, day, schedule, position))
        .collect()
}

fn is_open(day: Date, today: Date) -> bool {
    let working = !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
    let days = (day - today).get_days();
    working && (-DAYS_BACK..=DAYS_AHEAD).contains(&days)
}

fn at(site: &Site, day: Date, schedule: u64, position: u64) -> Option<Slot> {
    let opening = if position < MORNING { local(day, 9, 0)? } else { local(day, 14, 0)? };
    let within = if position < MORNING { position } else { position - MORNING };
    let minutes = jiff::Span::new().minutes(i64::try_from(within).ok()? * MINUTES);
    let start = opening.checked_add(minutes).ok()?;
    let end = start.checked_add(jiff::Span::new().minutes(MINUTES)).ok()?;
    let days = u64::try_from((day - EPOCH).get_days()).ok()?;
    let id = (days * 10 + schedule) * 100 + position;
    let mut draw = Draw::of(site.seed(), site.practice().ods_code.as_str(), id);
    let busy = draw.below(10) < 3;
    let kept_for = match draw.below(20) {
        0 => KeptFor::OrganisationType("urgent-care"),
        1 => KeptFor::OrganisationType("gp-practice"),
        2 => KeptFor::Organisation(draw.pick(KEPT_FOR)),
        _ => KeptFor::Anyone,
    };
    // A practitioner offers one service a day, so that neighbouring slots can be booked together.
    let service = Draw::of(site.seed(), site.practice().ods_code.as_str(), id / 100).pick(SERVICES);
    Some(Slot { id, schedule, position, start, end, kept_for, service, busy })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::practice::tests::site;

    const TODAY: Date = date(2026, 11, 23); // a Monday

    #[test]
    fn slots_are_found_again_by_their_ids() {
        let site = site();
        let slots = day(&site, TODAY, TODAY);
        assert_eq!(slots.len(), 72);
        for known in slots {
            assert_eq!(slot(&site, known.id, TODAY).as_ref(), Some(&known));
        }
    }

    #[test]
    fn ids_of_no_slot_are_refused() {
        let site = site();
        let known = day(&site, TODAY, TODAY)[0].id;
        for (name, id) in [
            ("zero", 0),
            ("position", known + 50),
            ("schedule", known + 900),
            ("long ago", 100),
            ("far ahead", known + 1_000_000),
            ("beyond the calendar", u64::MAX),
        ] {
            assert_eq!(slot(&site, id, TODAY), None, "{name}");
        }
    }

    #[test]
    fn a_day_keeps_surgery_hours() {
        let site = site();
        let slots = day(&site, date(2026, 7, 24), date(2026, 7, 20));
        let (first, last) = (&slots[0], &slots[23]);
        assert_eq!(stamp(&first.start), "2026-07-24T09:00:00+01:00");
        assert_eq!(stamp(&last.end), "2026-07-24T15:30:00+01:00");
        assert!(slots.iter().any(|slot| slot.busy) && slots.iter().any(|slot| !slot.busy));
        for (name, closed) in [
            ("Saturday", date(2026, 11, 28)),
            ("past", date(2026, 11, 2)),
            ("far", date(2027, 3, 1)),
        ] {
            assert!(day(&site, closed, TODAY).is_empty(), "{name}");
        }
    }
}
