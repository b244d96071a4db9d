//! How long an answer is good: arithmetic on its age.

use std::time::Duration;

/// The longest that an answer is fresh, whatever is configured (gp-connect 13).
pub const LONGEST_FRESH: Duration = Duration::from_secs(3_600);
/// The longest behind it that a stale one is given while the provider is asked again.
pub const LONGEST_STALE: Duration = Duration::from_secs(3_600);
/// The longest behind it that a stale one is given when the provider fails.
pub const LONGEST_FAILING: Duration = Duration::from_secs(24 * 3_600);

/// Ages beyond it are all the same (RFC 9111, 1.2.2).
const OLDEST: u64 = 1 << 31;

/// How long answers are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetime {
    fresh: Duration,
    stale: Duration,
    failing: Duration,
}

/// What may be done with an answer of some age.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// It is given.
    Fresh,
    /// It is given, and the provider is asked again.
    Stale,
    /// It is given only if the provider fails.
    Failing,
    /// It is not given.
    Dead,
}

impl Lifetime {
    /// Fresh for so long; given behind that for `stale` while the provider is asked again, and for
    /// `failing` when it fails. None is longer than its bound.
    pub fn new(fresh: Duration, stale: Duration, failing: Duration) -> Self {
        Self {
            fresh: fresh.min(LONGEST_FRESH),
            stale: stale.min(LONGEST_STALE),
            failing: failing.min(LONGEST_FAILING),
        }
    }

    /// Fresh for so long at most, and never given stale: for answers that found nothing.
    #[must_use]
    pub fn of_nothing(self, fresh: Duration) -> Self {
        Self::new(fresh.min(self.fresh), Duration::ZERO, Duration::ZERO)
    }

    /// The same, fresh for up to a tenth less, by a random number: what was asked at one time is not
    /// to be asked again at one time.
    #[must_use]
    pub fn jittered(self, random: u32) -> Self {
        let less = u128::from(random) * (self.fresh.as_nanos() / 10) / u128::from(u32::MAX);
        let less = Duration::from_nanos(less.try_into().unwrap_or_default());
        Self { fresh: self.fresh.saturating_sub(less), ..self }
    }

    /// What may be done at this age.
    pub fn at(self, age: Duration) -> Freshness {
        let behind = age.saturating_sub(self.fresh);
        if age < self.fresh {
            Freshness::Fresh
        } else if behind < self.stale {
            Freshness::Stale
        } else if behind < self.failing {
            Freshness::Failing
        } else {
            Freshness::Dead
        }
    }

    /// Whether it is to be asked for anew at this age, so that nobody meets it stale: in the last fifth of
    /// the time that it is fresh, and behind that.
    pub fn is_due(self, age: Duration) -> bool {
        age >= self.fresh.saturating_sub(self.fresh / 5)
    }

    /// The seconds that it is still fresh at this age; below zero those since it was.
    pub fn left(self, age: Duration) -> i64 {
        let seconds = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
        seconds(self.fresh).saturating_sub(seconds(age))
    }

    /// From its birth to the end of all use.
    pub fn whole(self) -> Duration {
        self.fresh + self.stale.max(self.failing)
    }
}

/// The age that an answer had already when it came, by its `Age` header (RFC 9111, 5.1); zero when
/// that can't be read.
pub fn sent_age(header: Option<&str>) -> Duration {
    let digits =
        header.map(str::trim).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let age = match digits {
        Some("") | None => 0,
        // Too many digits for a number are a very great age.
        Some(digits) => digits.parse().unwrap_or(OLDEST).min(OLDEST),
    };
    Duration::from_secs(age)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lifetime(fresh: u64, stale: u64, failing: u64) -> Lifetime {
        Lifetime::new(seconds(fresh), seconds(stale), seconds(failing))
    }

    #[test]
    fn an_answer_ages_through_its_uses() {
        use Freshness::{Dead, Failing, Fresh, Stale};
        for (name, lifetime, age, expected) in [
            ("newborn", lifetime(60, 30, 90), 0, Fresh),
            ("the last second", lifetime(60, 30, 90), 59, Fresh),
            ("stale", lifetime(60, 30, 90), 60, Stale),
            ("the last stale second", lifetime(60, 30, 90), 89, Stale),
            ("failing", lifetime(60, 30, 90), 90, Failing),
            ("the last of all", lifetime(60, 30, 90), 149, Failing),
            ("dead", lifetime(60, 30, 90), 150, Dead),
            ("never stale", lifetime(60, 0, 0), 60, Dead),
            ("stale for longer than failing", lifetime(60, 30, 10), 89, Stale),
            ("never fresh", lifetime(0, 30, 0), 0, Stale),
            ("never at all", lifetime(0, 0, 0), 0, Dead),
        ] {
            assert_eq!(lifetime.at(seconds(age)), expected, "{name}");
        }
        assert_eq!(lifetime(60, 30, 90).whole(), seconds(150));
        assert_eq!(lifetime(60, 30, 90).left(seconds(59)), 1);
        assert_eq!(lifetime(60, 30, 90).left(seconds(75)), -15);
    }

    #[test]
    fn an_answer_is_due_before_it_is_stale() {
        for (name, fresh, age, expected) in [
            ("newborn", 60, 0, false),
            ("not yet", 60, 47, false),
            ("the last fifth", 60, 48, true),
            ("the last second", 60, 59, true),
            ("stale", 60, 61, true),
            ("never fresh", 0, 0, true),
        ] {
            assert_eq!(lifetime(fresh, 30, 90).is_due(seconds(age)), expected, "{name}");
        }
    }

    /// gp-connect 13: lifetimes are short, and bounded whatever is configured.
    #[test]
    fn no_lifetime_is_longer_than_its_bounds() {
        let most = Lifetime::new(Duration::MAX, Duration::MAX, Duration::MAX);
        assert_eq!(most.at(LONGEST_FRESH), Freshness::Stale);
        assert_eq!(most.at(LONGEST_FRESH + LONGEST_STALE), Freshness::Failing);
        assert_eq!(most.at(LONGEST_FRESH + LONGEST_FAILING), Freshness::Dead);
        assert_eq!(most.of_nothing(Duration::MAX).at(LONGEST_FRESH), Freshness::Dead);
    }

    #[test]
    fn an_age_is_a_number_of_seconds() {
        for (header, expected) in [
            (None, 0),
            (Some("0"), 0),
            (Some(" 61 "), 61),
            (Some("2147483648"), OLDEST),
            (Some("99999999999999999999999"), OLDEST),
            (Some("-1"), 0),
            (Some("1.5"), 0),
            (Some(""), 0),
            (Some("x"), 0),
        ] {
            assert_eq!(sent_age(header), seconds(expected), "{header:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn it_never_gets_better_with_age(
            fresh in 0_u64..9_999, stale in 0_u64..9_999, failing in 0_u64..99_999,
            age in 0_u64..200_000, more in 0_u64..200_000, random: u32
        ) {
            let lifetime = lifetime(fresh, stale, failing).jittered(random);
            let order = |freshness| match freshness {
                Freshness::Fresh => 0,
                Freshness::Stale => 1,
                Freshness::Failing => 2,
                Freshness::Dead => 3,
            };
            let at = |age| order(lifetime.at(seconds(age)));
            proptest::prop_assert!(at(age) <= at(age + more));
            proptest::prop_assert_eq!(lifetime.at(lifetime.whole()), Freshness::Dead);
        }

        #[test]
        fn jitter_takes_at_most_a_tenth(fresh in 0_u64..3_600, random: u32) {
            let (whole, jittered) = (lifetime(fresh, 0, 0), lifetime(fresh, 0, 0).jittered(random));
            proptest::prop_assert!(jittered.whole() <= whole.whole());
            proptest::prop_assert!(jittered.whole() >= whole.whole() * 9 / 10);
        }
    }
}
