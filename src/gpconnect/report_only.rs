//! The checks that a consumer is let off for a while: their faults are reported, not enforced.

use crate::{contract::Check, facts::UnixSeconds};

/// One check that a consumer is let off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Relaxed {
    /// Which one.
    check: Check,
    /// From this second on it is enforced again.
    until: UnixSeconds,
}

impl Relaxed {
    /// Lets a consumer off `check` until `until`; `None` for a check that is always enforced.
    pub fn new(check: Check, until: UnixSeconds) -> Option<Self> {
        check.may_be_reported_only().then_some(Self { check, until })
    }

    /// Which check.
    pub const fn check(&self) -> Check {
        self.check
    }

    /// From which second on it is enforced again.
    pub const fn until(&self) -> UnixSeconds {
        self.until
    }
}

/// All that one consumer is let off.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReportOnly(Box<[Relaxed]>);

impl ReportOnly {
    /// Whether faults of `check` are only reported at `now`.
    pub fn covers(&self, check: Check, now: UnixSeconds) -> bool {
        self.0.iter().any(|relaxed| relaxed.check == check && now < relaxed.until)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &Relaxed> {
        self.0.iter()
    }
}

impl FromIterator<Relaxed> for ReportOnly {
    fn from_iter<I: IntoIterator<Item = Relaxed>>(relaxed: I) -> Self {
        Self(relaxed.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_check_is_enforced_again_from_its_date_on() {
        let relaxed = Relaxed::new(Check::Audience, UnixSeconds(1_000)).unwrap();
        let report_only: ReportOnly = [relaxed].into_iter().collect();
        for (name, check, now, covered) in [
            ("before", Check::Audience, 0, true),
            ("the last second", Check::Audience, 999, true),
            ("on the date", Check::Audience, 1_000, false),
            ("another check", Check::Scope, 0, false),
        ] {
            assert_eq!(report_only.covers(check, UnixSeconds(now)), covered, "{name}");
        }
    }

    #[test]
    fn what_is_always_enforced_can_not_be_relaxed() {
        for check in Check::ALL {
            let relaxed = Relaxed::new(*check, UnixSeconds(1));
            assert_eq!(relaxed.is_some(), check.may_be_reported_only(), "{}", check.name());
        }
    }
}
