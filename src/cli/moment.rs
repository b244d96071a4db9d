//! Moments as people write and read them; tokens count them in seconds since 1970 UTC.

use clap::Args;
use jiff::{Timestamp, Zoned, tz::TimeZone};

/// When something is judged.
#[derive(Debug, Args)]
pub(crate) struct At {
    /// The moment to judge it at: now, seconds since 1970, +60 or -60 seconds from now, or a time
    /// such as 2026-11-23T08:00:00Z.
    #[arg(
        long,
        value_name = "TIME",
        default_value = "now",
        value_parser = check,
        allow_hyphen_values = true
    )]
    at: String,
}

impl At {
    /// In seconds since 1970.
    pub(crate) fn seconds(&self) -> Result<i64, &'static str> {
        parse(&self.at, now()).ok_or("--at: lies beyond the calendar")
    }
}

/// What lies between two moments.
#[derive(Debug, Args)]
pub(crate) struct Span {
    /// From this moment on: seconds since 1970, -3600 seconds from now, or 2026-11-23T08:00:00Z.
    #[arg(long, value_name = "TIME", value_parser = check, allow_hyphen_values = true)]
    pub(crate) since: Option<String>,
    /// Until this moment.
    #[arg(long, value_name = "TIME", value_parser = check, allow_hyphen_values = true)]
    pub(crate) until: Option<String>,
}

impl Span {
    /// From when on, and until when, in UTC.
    pub(crate) fn utc(&self) -> (Option<String>, Option<String>) {
        let now = now();
        let time = |text: &Option<String>| utc(parse(text.as_deref()?, now)?);
        (time(&self.since), time(&self.until))
    }
}

/// The present second.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_second()
}

/// The present in the United Kingdom, where GP Connect's dates are read.
pub(crate) fn now_in_uk() -> Zoned {
    let uk = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    Timestamp::now().to_zoned(uk)
}

/// Reads a moment: `now`, seconds since 1970, `+60` or `-60` seconds from `now`, or a time such as
/// `2026-11-23T08:00:00Z`.
pub(crate) fn parse(text: &str, now: i64) -> Option<i64> {
    if text == "now" {
        return Some(now);
    }
    match text.parse::<i64>() {
        Ok(seconds) if text.starts_with(['+', '-']) => now.checked_add(seconds),
        Ok(seconds) => Some(seconds),
        Err(_) => text.parse::<Timestamp>().ok().map(Timestamp::as_second),
    }
}

/// Checks a moment while the arguments are read; `now` is not known yet.
pub(crate) fn check(text: &str) -> Result<String, String> {
    match parse(text, 0) {
        Some(_) => Ok(text.to_owned()),
        None => Err(String::from(
            "expected now, seconds since 1970, +60 or -60 seconds from now, or 2026-11-23T08:00:00Z",
        )),
    }
}

/// A moment in UTC; nothing when the calendar does not reach so far.
pub(crate) fn utc(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds).ok().map(|moment| moment.to_string())
}

/// How far `seconds` lie from `now`: `4 min 10 s ago`, `in 50 s`.
pub(crate) fn relative(seconds: i64, now: i64) -> String {
    let distance = seconds.saturating_sub(now);
    let size = distance.unsigned_abs();
    let text = match size {
        0 => return String::from("now"),
        1..=119 => format!("{size} s"),
        120..=7_199 => format!("{} min {} s", size / 60, size % 60),
        7_200..=172_799 => format!("{} h {} min", size / 3_600, size / 60 % 60),
        _ => format!("{} days", size / 86_400),
    };
    if distance < 0 { format!("{text} ago") } else { format!("in {text}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_420_800;

    #[test]
    fn a_moment_is_read_in_each_spelling() {
        for (text, expected) in [
            ("now", Some(NOW)),
            ("1795420000", Some(1_795_420_000)),
            ("-600", Some(NOW - 600)),
            ("+200", Some(NOW + 200)),
            ("2026-11-23T08:00:00Z", Some(NOW)),
            ("2026-11-23T09:00:00+01:00", Some(NOW)),
            ("2026-11-23", None),
            ("yesterday", None),
            ("", None),
            ("+9223372036854775807", None),
        ] {
            assert_eq!(parse(text, NOW), expected, "{text}");
        }
    }

    #[test]
    fn a_moment_is_written_in_utc_and_by_its_distance() {
        assert_eq!(utc(NOW).as_deref(), Some("2026-11-23T08:00:00Z"));
        assert_eq!(utc(i64::MAX), None);
        for (distance, expected) in [
            (0, "now"),
            (50, "in 50 s"),
            (-250, "4 min 10 s ago"),
            (-7_320, "2 h 2 min ago"),
            (400_000, "in 4 days"),
        ] {
            assert_eq!(relative(NOW + distance, NOW), expected);
        }
        assert!(relative(i64::MIN, NOW).ends_with("days ago"));
    }
}
