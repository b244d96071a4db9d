//! A1: searching for free slots.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Span, Zoned};
use serde_json::Value;

use super::diary::{self, KeptFor, Slot};
use super::resources;
use super::{Answer, Visit};
use crate::simulator::clock::{date_time, local, whole_date};
use crate::simulator::fhir::ODS_CODE;
use crate::simulator::fhir::outcome::{Code, Refusal};
use crate::simulator::fhir::query::Query;

const LONGEST: i32 = 14;
const TYPE_SYSTEM: &str = "https://fhir.nhs.uk/STU3/CodeSystem/GPConnect-OrganisationType-1";

/// One end of the range, with the day it falls on.
struct Bound {
    day: Date,
    moment: Zoned,
    has_time: bool,
}

/// Finds free slots wholly inside the range, and what was asked to be included.
pub(crate) fn search(visit: &Visit<'_>) -> Result<Answer, Refusal> {
    let query = visit.query;
    let (start, end) = range(query)?;
    if query.once("status")? != "free" {
        return Err(Code::InvalidParameter.because("Parameter status: only free is supported"));
    }
    if !query.all("_include").any(|value| value == "Slot:schedule") {
        return Err(Code::BadRequest.because("Parameter _include is missing Slot:schedule"));
    }
    let slots = free(visit, &start, &end);
    let mut resources: Vec<Value> = slots.iter().map(Slot::resource).collect();
    resources.extend(included(visit, &slots));
    Ok(Answer::of(resources::searchset(resources)))
}

fn range(query: &Query) -> Result<(Bound, Bound), Refusal> {
    let (start, end) = (query.once("start")?, query.once("end")?);
    let start = bound("start", start.strip_prefix("ge"), false)?;
    let end = bound("end", end.strip_prefix("le"), true)?;
    let days = (end.day - start.day).get_days();
    let reversed = start.has_time && end.has_time && end.moment < start.moment;
    if (0..=LONGEST).contains(&days) && !reversed {
        return Ok((start, end));
    }
    let fault = if days > LONGEST { "range exceeds 14 days" } else { "is before start" };
    Err(Code::InvalidParameter.because(format!("Parameter end: {fault}")))
}

fn bound(name: &str, text: Option<&str>, is_end: bool) -> Result<Bound, Refusal> {
    let wrong = |fault: &str| Code::InvalidParameter.because(format!("Parameter {name}: {fault}"));
    let text = text.ok_or_else(|| wrong("has the wrong prefix"))?;
    if let Some(moment) = date_time(text) {
        return Ok(Bound { day: moment.date(), moment, has_time: true });
    }
    let not_a_time = || wrong("is neither a whole date nor a date and time with an offset");
    let day = whole_date(text).ok_or_else(not_a_time)?;
    // A date as an end means its last moment.
    let reaches = if is_end { day.tomorrow().ok() } else { Some(day) };
    let moment = reaches.and_then(|day| local(day, 0, 0)).ok_or_else(not_a_time)?;
    Ok(Bound { day, moment, has_time: false })
}

fn free(visit: &Visit<'_>, start: &Bound, end: &Bound) -> Vec<Slot> {
    let admits = admission(visit.query);
    let mut days = Vec::new();
    let mut day = Some(start.day);
    while let Some(current) = day.filter(|day| *day <= end.day) {
        days.push(current);
        day = current.checked_add(Span::new().days(1)).ok();
    }
    let mut slots: Vec<Slot> = days
        .into_iter()
        .flat_map(|day| diary::day(visit.site, day, visit.today()))
        .filter(|slot| !slot.busy && slot.start >= start.moment && slot.end <= end.moment)
        .filter(|slot| admits(slot.kept_for))
        .collect();
    let changes = visit.site.changes();
    slots.retain(|slot| !changes.appointments.takes(slot.id));
    slots
}

/// Which slots the filters let through; a filter nobody knows is no filter.
fn admission(query: &Query) -> impl Fn(KeptFor) -> bool {
    let codes = |system: &str| -> Vec<String> {
        query
            .all("searchFilter")
            .filter_map(|filter| filter.split_once('|'))
            .filter(|(known, _)| *known == system)
            .map(|(_, code)| code.to_owned())
            .collect()
    };
    let (types, organisations) = (codes(TYPE_SYSTEM), codes(ODS_CODE));
    move |kept_for| match kept_for {
        KeptFor::Anyone => true,
        KeptFor::OrganisationType(kind) => types.iter().any(|code| code == kind),
        KeptFor::Organisation(ods) => organisations.iter().any(|code| code == ods),
    }
}

fn included(visit: &Visit<'_>, slots: &[Slot]) -> Vec<Value> {
    let asks = |include: &str| {
        let mut recursive = visit.query.all("_include:recurse");
        recursive.any(|value| value == include)
    };
    let schedules: BTreeSet<u64> = slots.iter().map(|slot| slot.schedule).collect();
    let locations: BTreeSet<u64> = slots.iter().map(Slot::location).collect();
    let mut resources: Vec<Value> =
        schedules.iter().map(|id| diary::schedule(*id, visit.today())).collect();
    if asks("Schedule:actor:Practitioner") {
        resources
            .extend(schedules.iter().filter_map(|id| resources::practitioner(visit.site, *id)));
    }
    if asks("Schedule:actor:Location") {
        resources.extend(locations.iter().filter_map(|id| resources::location(visit.site, *id)));
    }
    // Comes whether asked for or not, as real systems do it, unless there are no slots.
    if !slots.is_empty() {
        resources.push(resources::organisation(visit.site));
    }
    resources
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulator::practice::tests::{Call, site};
    use gpconnect::interaction::InteractionId as Id;

    const REST: &str = "&status=free&_include=Slot:schedule";

    fn kinds(query: &str) -> Result<Vec<(String, usize)>, &'static str> {
        let bundle = Call { query, ..Call::default() }.result(&site(), Id::SearchSlot)?;
        let mut kinds: Vec<(String, usize)> = Vec::new();
        for entry in bundle["entry"].as_array().unwrap() {
            let kind = entry["resource"]["resourceType"].as_str().unwrap().to_owned();
            match kinds.last_mut() {
                Some((last, count)) if *last == kind => *count += 1,
                _ => kinds.push((kind, 1)),
            }
        }
        Ok(kinds)
    }

    fn count(query: &str) -> usize {
        kinds(query).unwrap().first().map_or(0, |(_, count)| *count)
    }

    #[test]
    fn the_range_follows_the_rules() {
        for (name, query, expected) in [
            ("one day", "start=ge2026-11-24&end=le2026-11-24", Ok(())),
            ("fourteen days", "start=ge2026-11-24&end=le2026-12-08", Ok(())),
            ("date and time", "start=ge2026-11-24T09:00:00+00:00&end=le2026-11-25", Ok(())),
            ("the past", "start=ge2026-11-10&end=le2026-11-11", Ok(())),
            ("fifteen days", "start=ge2026-11-24&end=le2026-12-09", Err("INVALID_PARAMETER")),
            ("reversed", "start=ge2026-11-24&end=le2026-11-23", Err("INVALID_PARAMETER")),
            ("wrong prefix", "start=gt2026-11-24&end=le2026-11-25", Err("INVALID_PARAMETER")),
            ("no prefix", "start=ge2026-11-24&end=2026-11-25", Err("INVALID_PARAMETER")),
            ("partial", "start=ge2026-11&end=le2026-11-25", Err("INVALID_PARAMETER")),
            ("empty", "start=ge&end=le2026-11-25", Err("INVALID_PARAMETER")),
            ("no offset", "start=ge2026-11-24T09:00:00&end=le2026-11-25", Err("INVALID_PARAMETER")),
            (
                "a space for the plus",
                "start=ge2026-11-24T09:00:00%2000:00&end=le2026-11-25",
                Err("INVALID_PARAMETER"),
            ),
            ("no start", "end=le2026-11-25", Err("BAD_REQUEST")),
            ("nothing", "", Err("BAD_REQUEST")),
        ] {
            assert_eq!(kinds(&format!("{query}{REST}")).map(|_| ()), expected, "{name}");
        }
    }

    #[test]
    fn the_other_parameters_are_required() {
        let range = "start=ge2026-11-24&end=le2026-11-24";
        for (name, rest, code) in [
            ("no status", "&_include=Slot:schedule", "BAD_REQUEST"),
            ("busy", "&status=busy&_include=Slot:schedule", "INVALID_PARAMETER"),
            ("no include", "&status=free", "BAD_REQUEST"),
            ("another include", "&status=free&_include=Slot:actor", "BAD_REQUEST"),
        ] {
            assert_eq!(kinds(&format!("{range}{rest}")), Err(code), "{name}");
        }
    }

    #[test]
    fn includes_follow_the_slots() {
        let range = format!("start=ge2026-11-24&end=le2026-11-24{REST}");
        let names = |query: &str| -> Vec<String> {
            kinds(query).unwrap().into_iter().map(|(kind, _)| kind).collect()
        };
        assert_eq!(names(&range), ["Slot", "Schedule", "Organization"]);
        let all = format!(
            "{range}&_include:recurse=Schedule:actor:Practitioner\
             &_include%3Arecurse=Schedule:actor:Location\
             &_include:recurse=Location:managingOrganization"
        );
        assert_eq!(names(&all), ["Slot", "Schedule", "Practitioner", "Location", "Organization"]);
        let sunday = format!("start=ge2026-11-29&end=le2026-11-29{REST}");
        assert!(names(&sunday).is_empty());
    }

    #[test]
    fn filters_admit_slots_kept_for_the_caller() {
        let range = format!("start=ge2026-11-23&end=le2026-12-07{REST}");
        let plain = count(&range);
        let typed = count(&format!("{range}&searchFilter={TYPE_SYSTEM}%7Curgent-care"));
        let both = count(&format!(
            "{range}&searchFilter={TYPE_SYSTEM}|urgent-care&searchFilter={ODS_CODE}|RXX01"
        ));
        assert!(plain < typed && typed < both, "{plain} {typed} {both}");
        assert_eq!(count(&format!("{range}&searchFilter=urn:unknown|x&searchFilter=x")), plain);
    }

    #[test]
    fn a_time_cuts_the_day() {
        let early = count(&format!("start=ge2026-11-24&end=le2026-11-24T10:00:00%2B00:00{REST}"));
        let late = count(&format!("start=ge2026-11-24T10:00:00+00:00&end=le2026-11-24{REST}"));
        assert_eq!(early + late, count(&format!("start=ge2026-11-24&end=le2026-11-24{REST}")));
        assert!(early > 0 && late > 0);
    }
}
