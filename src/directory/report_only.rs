//! `[[consumer.report_only]]`: checks that a consumer is let off for a while, each with whoever
//! answers for it and a last day. At most 90 days ahead, so that none is forgotten.

use std::str::FromStr;

use gpconnect::{contract::Check, facts::UnixSeconds, report_only::Relaxed};
use jiff::{
    ToSpan,
    civil::Date,
    tz::{Offset, TimeZone},
};

use crate::config::{Located, Section, Title};

/// How many days ahead the last day may lie.
const MOST_DAYS: i32 = 90;

/// A check that may be reported only.
struct Relaxable(Check);

/// Why a text was refused as a [`Relaxable`].
#[derive(thiserror::Error, Debug)]
enum NotRelaxable {
    #[error("is always enforced; only these may be reported only: {}", names().join(", "))]
    Enforced,
    #[error("expected one of {}", names().join(", "))]
    Unknown,
}

impl FromStr for Relaxable {
    type Err = NotRelaxable;

    fn from_str(text: &str) -> Result<Self, NotRelaxable> {
        match Check::from_name(text) {
            Some(check) if check.may_be_reported_only() => Ok(Self(check)),
            Some(_) => Err(NotRelaxable::Enforced),
            None => Err(NotRelaxable::Unknown),
        }
    }
}

/// The names of the checks that may be reported only.
pub(super) fn names() -> Vec<&'static str> {
    let relaxable = Check::ALL.iter().filter(|check| check.may_be_reported_only());
    relaxable.map(|check| check.name()).collect()
}

/// A day as people write it.
struct Day(Date);

/// Why a text was refused as a [`Day`].
#[derive(thiserror::Error, Debug)]
#[error("expected a day, as in \"2027-01-31\"")]
struct NotADay;

impl FromStr for Day {
    type Err = NotADay;

    fn from_str(text: &str) -> Result<Self, NotADay> {
        // Ten characters: jiff would take a time of day behind it too, and drop it.
        let date = text.parse().ok().filter(|_| text.len() == 10);
        date.map(Self).ok_or(NotADay)
    }
}

/// What a consumer is let off by `[[report_only]]` under `section`, and is still let off `today`.
pub(super) fn relaxed(section: &Section<'_>, today: Date) -> Vec<Relaxed> {
    let entries = section.tables("report_only", |section, _| entry(section, today));
    let mut relaxed = Vec::<Relaxed>::new();
    for (check, until) in entries.into_iter().flatten() {
        if relaxed.iter().any(|known| known.check() == check) {
            let message = format!("names {:?} twice; one entry a check", check.name());
            section.mistake("report_only", message);
        }
        relaxed.extend(until.and_then(|until| Relaxed::new(check, until)));
    }
    relaxed
}

/// A check, and from when on it is enforced again; no time when it is already.
fn entry(section: &Section<'_>, today: Date) -> Option<(Check, Option<UnixSeconds>)> {
    let check = section.text::<Relaxable>("check");
    let owner = section.text::<Title>("owner");
    let until = section.text::<Day>("until");
    let (Relaxable(check), owner) = (check?.value, owner?.value.into_text());
    let Located { value: Day(until), .. } = until?;
    let days = today.until(until).map_or(i32::MAX, |span| span.get_days());
    if days > MOST_DAYS {
        let latest = today.saturating_add(MOST_DAYS.days());
        let message = format!(
            "\"{until}\" is {days} days away, at most {MOST_DAYS} are allowed; write \"{latest}\" \
             or an earlier day"
        );
        section.mistake("until", message);
        return None;
    }
    let name = check.name();
    if days < 0 {
        let message = format!("ended on {until}: {name} is enforced again; {owner}, take this out");
        section.warn("until", message);
        return Some((check, None));
    }
    section.warn(
        "check",
        format!("{name} is not enforced but only reported until {until}; {owner} answers for it"),
    );
    Some((check, end_of(until)))
}

/// The first second of the day after, in UTC.
fn end_of(day: Date) -> Option<UnixSeconds> {
    let after = day.tomorrow().ok()?;
    let midnight = after.to_zoned(TimeZone::fixed(Offset::UTC)).ok()?;
    Some(UnixSeconds(midnight.timestamp().as_second()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_lasts_until_midnight_in_utc() {
        let end = end_of("2026-11-23".parse().unwrap());
        // 1795392000 is 2026-11-23T00:00:00Z.
        assert_eq!(end, Some(UnixSeconds(1_795_392_000 + 86_400)));
    }

    #[test]
    fn a_day_is_a_date_and_nothing_else() {
        for (text, good) in [
            ("2027-01-31", true),
            ("2027-02-30", false),
            ("2027-1-31", false),
            ("20270131", false),
            ("2027-01-31T10:00", false),
            ("tomorrow", false),
            ("", false),
        ] {
            assert_eq!(text.parse::<Day>().is_ok(), good, "{text}");
        }
    }
}
