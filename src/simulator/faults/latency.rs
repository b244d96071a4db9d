//! How long a faulty practice takes: a fixed time or one of two distributions.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::simulator::draw::Draw;

/// No wait is longer, so that a mistyped one does not look like a hang.
const LONGEST: f64 = 3_600.0;

/// A distribution of waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Latency {
    Fixed(Duration),
    Uniform(Duration, Duration),
    LogNormal { median: Duration, sigma: f64 },
}

impl Latency {
    /// One wait.
    pub(crate) fn draw(self, draw: &mut Draw) -> Duration {
        let seconds = match self {
            Self::Fixed(wait) => return wait,
            Self::Uniform(low, high) => {
                low.as_secs_f64() + (high.saturating_sub(low)).as_secs_f64() * draw.fraction()
            }
            Self::LogNormal { median, sigma } => {
                median.as_secs_f64() * (sigma * draw.normal()).exp()
            }
        };
        Duration::try_from_secs_f64(seconds.clamp(0.0, LONGEST)).unwrap_or_default()
    }
}

impl FromStr for Latency {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        if let Some(rest) = text.strip_prefix("lognormal:") {
            let (median, sigma) = rest.split_once(':').ok_or(())?;
            let sigma: f64 = sigma.parse().or(Err(()))?;
            let good = (0.0..=10.0).contains(&sigma);
            let median = time(median).ok_or(())?;
            return if good { Ok(Self::LogNormal { median, sigma }) } else { Err(()) };
        }
        match text.split_once("..") {
            None => time(text).map(Self::Fixed).ok_or(()),
            Some((low, high)) => match (time(low), time(high)) {
                (Some(low), Some(high)) if low <= high => Ok(Self::Uniform(low, high)),
                (_, _) => Err(()),
            },
        }
    }
}

impl fmt::Display for Latency {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(wait) => formatter.write_str(&spelled(*wait)),
            Self::Uniform(low, high) => {
                write!(formatter, "{}..{}", spelled(*low), spelled(*high))
            }
            Self::LogNormal { median, sigma } => {
                write!(formatter, "lognormal:{}:{sigma}", spelled(*median))
            }
        }
    }
}

/// Reads a time such as `200ms`, `1.5s` or `50us`.
pub(crate) fn time(text: &str) -> Option<Duration> {
    let (number, unit) =
        text.split_at_checked(text.find(|letter: char| letter.is_alphabetic())?)?;
    let plain = number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number.parse().ok().filter(|_| plain)?;
    let seconds = match unit {
        "us" => number / 1e6,
        "ms" => number / 1e3,
        "s" => number,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok().filter(|_| seconds <= LONGEST)
}

/// The spelling that [`time`] reads.
pub(crate) fn spelled(time: Duration) -> String {
    let micros = time.as_micros();
    if micros.is_multiple_of(1_000_000) {
        format!("{}s", micros / 1_000_000)
    } else if micros.is_multiple_of(1_000) {
        format!("{}ms", micros / 1_000)
    } else {
        format!("{micros}us")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        for (text, time_read) in [
            ("200ms", Some(Duration::from_millis(200))),
            ("1.5s", Some(Duration::from_millis(1_500))),
            ("50us", Some(Duration::from_micros(50))),
            ("0s", Some(Duration::ZERO)),
            ("200", None),
            ("ms", None),
            ("-1s", None),
            ("1e9s", None),
            ("9999s", None),
            ("1min", None),
            ("", None),
        ] {
            assert_eq!(time(text), time_read, "{text}");
        }
    }

    #[test]
    fn waits_follow_their_distribution() {
        let sample = |text: &str| -> Vec<f64> {
            let latency: Latency = text.parse().unwrap();
            let mut draw = Draw::of(3, text, 0);
            let mut waits: Vec<f64> =
                (0..2_001).map(|_| latency.draw(&mut draw).as_secs_f64()).collect();
            waits.sort_by(f64::total_cmp);
            waits
        };
        let uniform = sample("200ms..400ms");
        assert!(uniform[0] >= 0.2 && uniform[2_000] <= 0.4);
        assert!((uniform[1_000] - 0.3).abs() < 0.02);
        let skewed = sample("lognormal:120ms:0.5");
        assert!((skewed[1_000] - 0.12).abs() < 0.01);
        assert!(skewed[1_980] > 0.3, "a log-normal has a long tail");
        assert_eq!(sample("lognormal:120ms:0")[7], 0.12);
    }

    #[test]
    fn what_is_printed_is_read_again() {
        for text in ["5ms", "1s", "200ms..400ms", "lognormal:120ms:0.5", "7us"] {
            assert_eq!(text.parse::<Latency>().unwrap().to_string(), text);
        }
        for text in ["", "5", "400ms..200ms", "..", "lognormal:1s", "lognormal:1s:-1", "é"] {
            assert!(text.parse::<Latency>().is_err(), "{text}");
        }
    }
}
