//! The simulator's clock and the spelling of times: UK local time with its offset.

use std::fmt;
use std::sync::{Arc, LazyLock};

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

static LONDON: LazyLock<TimeZone> =
    LazyLock::new(|| TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC));

/// Where the simulator takes the present from.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(Timestamp::now)
    }

    /// A clock that stands still.
    #[must_use]
    pub fn fixed(moment: Timestamp) -> Self {
        Self::from_fn(move || moment)
    }

    /// A clock of the caller's making, for tests that move time.
    pub fn from_fn(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The present in the United Kingdom.
    pub(crate) fn now(&self) -> Zoned {
        (self.0)().to_zoned(LONDON.clone())
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Clock")
    }
}

/// A local time of day on a date, in the United Kingdom; `None` beyond the calendar's end.
pub(crate) fn local(date: Date, hour: i8, minute: i8) -> Option<Zoned> {
    date.at(hour, minute, 0, 0).to_zoned(LONDON.clone()).ok()
}

/// A time as GP Connect wants it: whole seconds, UK offset `+00:00` or `+01:00`.
pub(crate) fn stamp(moment: &Zoned) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// The time of an HTTP header such as `Last-Modified`.
pub(crate) fn http_date(moment: &Zoned) -> Option<String> {
    jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&moment.timestamp()).ok()
}

/// A whole date `yyyy-mm-dd`; partial dates and other spellings are refused.
pub(crate) fn whole_date(text: &str) -> Option<Date> {
    let bytes = text.as_bytes();
    let shaped = bytes.len() == 10
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shaped { text.parse().ok() } else { None }
}

/// A date and time with an offset, as in FHIR; a time without an offset is refused.
pub(crate) fn date_time(text: &str) -> Option<Zoned> {
    let (date, time) = text.split_once('T')?;
    whole_date(date)?;
    // Seconds are mandatory once there is a time.
    let seconds = time.as_bytes().iter().take(8).filter(|byte| **byte == b':').count() == 2;
    if !seconds {
        return None;
    }
    text.parse::<Timestamp>().ok().map(|moment| moment.to_zoned(LONDON.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_only_in_their_full_spelling() {
        for (name, text, read) in [
            ("winter", "2026-11-24T10:00:00+00:00", Some("2026-11-24T10:00:00+00:00")),
            ("summer", "2026-07-24T10:00:00+01:00", Some("2026-07-24T10:00:00+01:00")),
            ("summer in UTC", "2026-07-24T10:00:00Z", Some("2026-07-24T11:00:00+01:00")),
            ("no offset", "2026-11-24T10:00:00", None),
            ("no seconds", "2026-11-24T10:00+00:00", None),
            ("a space for the plus", "2026-11-24T10:00:00 00:00", None),
            ("a date", "2026-11-24", None),
            ("empty", "", None),
            ("not ASCII", "2026-11-24T10:00:00é", None),
        ] {
            assert_eq!(date_time(text).map(|read| stamp(&read)).as_deref(), read, "{name}");
        }
    }

    #[test]
    fn dates_are_whole() {
        for (name, text, whole) in [
            ("whole", "2026-02-28", true),
            ("no such day", "2026-02-30", false),
            ("month", "2026-02", false),
            ("compact", "20260228", false),
            ("with a time", "2026-02-28T00:00:00Z", false),
        ] {
            assert_eq!(whole_date(text).is_some(), whole, "{name}");
        }
    }

    #[test]
    fn http_dates_are_in_gmt() {
        let moment = date_time("2026-07-24T10:00:00+01:00").unwrap();
        assert_eq!(http_date(&moment).unwrap(), "Fri, 24 Jul 2026 09:00:00 GMT");
    }
}
