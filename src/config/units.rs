//! Durations and sizes as people write them.

use std::time::Duration;

/// Reads `"250ms"`, `"10s"`, `"5m"`, `"1h"` or `"30d"`.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = split(text)?;
    match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        "d" => number.checked_mul(DAY).map(Duration::from_secs),
        _ => None,
    }
}

/// Reads `"65536"`, `"64 KiB"` or `"1 MiB"`.
pub(super) fn size(text: &str) -> Option<u64> {
    let (number, unit) = split(text)?;
    match unit.trim_start() {
        "" => Some(number),
        "KiB" => number.checked_mul(1024),
        "MiB" => number.checked_mul(1024 * 1024),
        _ => None,
    }
}

/// The seconds of a day, which has 24 hours here.
const DAY: u64 = 86_400;

/// Writes a duration as [`duration`] reads it.
pub(super) fn print_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match (seconds, duration.subsec_millis()) {
        (0, 0) => String::from("0s"),
        (_, millis) if millis > 0 => format!("{}ms", duration.as_millis()),
        (days, _) if days % DAY == 0 && days > DAY => format!("{}d", days / DAY),
        (hours, _) if hours % 3600 == 0 => format!("{}h", hours / 3600),
        (minutes, _) if minutes % 60 == 0 => format!("{}m", minutes / 60),
        _ => format!("{seconds}s"),
    }
}

/// Digits, and what follows them.
fn split(text: &str) -> Option<(u64, &str)> {
    let unit = text.trim_start_matches(|character: char| character.is_ascii_digit());
    let number = text.strip_suffix(unit)?.parse().ok()?;
    Some((number, unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_a_whole_number_and_a_unit() {
        for (text, expected) in [
            ("250ms", Some(Duration::from_millis(250))),
            ("10s", Some(Duration::from_secs(10))),
            ("5m", Some(Duration::from_secs(300))),
            ("1h", Some(Duration::from_secs(3600))),
            ("2555d", Some(Duration::from_secs(2_555 * 86_400))),
            ("0s", Some(Duration::ZERO)),
            ("10", None),
            ("10 s", None),
            ("1.5s", None),
            ("-1s", None),
            ("s", None),
            ("", None),
            ("10S", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
            ("18446744073709551615d", None),
            ("١s", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn a_size_is_bytes_or_a_binary_unit() {
        for (text, expected) in [
            ("65536", Some(65_536)),
            ("64 KiB", Some(65_536)),
            ("64KiB", Some(65_536)),
            ("1 MiB", Some(1_048_576)),
            ("64 kB", None),
            ("64 K", None),
            ("", None),
            ("KiB", None),
            ("18446744073709551615 KiB", None),
        ] {
            assert_eq!(size(text), expected, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_printed_reads_the_same(millis in 0_u64..1_000_000_000) {
            let written = Duration::from_millis(millis);
            proptest::prop_assert_eq!(duration(&print_duration(written)), Some(written));
        }

        #[test]
        fn no_text_panics(text in ".*") {
            proptest::prop_assert!(duration(&text).is_none_or(|_| text.len() > 1));
            proptest::prop_assert!(size(&text).is_none_or(|_| !text.is_empty()));
        }
    }
}
