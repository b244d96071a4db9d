//! How fast the gateway asks of its own accord: one request at a time comes due, at distances that
//! are never shorter than the budget says, and never all the same.

use std::time::{Duration, Instant};

/// When the next request may be sent.
#[derive(Debug, Default)]
pub(super) struct Budget(Option<Instant>);

impl Budget {
    /// How long it is closed; nothing when a request may be sent.
    pub(super) fn closed(&self, now: Instant) -> Duration {
        self.0.map(|opens| opens.saturating_duration_since(now)).unwrap_or_default()
    }

    /// A request is sent: the next one may be after a minute's part, and up to a fifth of it more by a
    /// random number, so that gateways that started together don't ask together.
    pub(super) fn spend(&mut self, now: Instant, per_minute: u32, random: u32) {
        let part = Duration::from_secs(60) / per_minute.max(1);
        self.0 = Some(now + part + share(part / 5, random));
    }
}

/// A part of a time, by a random number.
pub(super) fn share(time: Duration, random: u32) -> Duration {
    let nanos = time.as_nanos() * u128::from(random) / u128::from(u32::MAX);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_comes_due_after_its_part_of_the_minute() {
        let now = Instant::now();
        let mut budget = Budget::default();
        assert_eq!(budget.closed(now), Duration::ZERO, "the first may be sent at once");
        for (per_minute, random, expected) in [
            (60, 0, Duration::from_secs(1)),
            (60, u32::MAX, Duration::from_millis(1_200)),
            (1, 0, Duration::from_secs(60)),
            (600, 0, Duration::from_millis(100)),
        ] {
            budget.spend(now, per_minute, random);
            assert_eq!(budget.closed(now), expected, "{per_minute}");
            assert_eq!(budget.closed(now + expected), Duration::ZERO, "{per_minute}");
        }
    }

    proptest::proptest! {
        /// Whatever the random numbers, no minute sees more than the budget, and it is nearly used up.
        #[test]
        fn a_minute_has_so_many_requests(
            per_minute in 1_u32..=600, randoms in proptest::collection::vec(proptest::num::u32::ANY, 1_300)
        ) {
            let began = Instant::now();
            let (mut now, mut budget, mut sent) = (began, Budget::default(), Vec::new());
            for random in randoms {
                now += budget.closed(now);
                sent.push(now);
                budget.spend(now, per_minute, random);
            }
            let count = usize::try_from(per_minute).unwrap();
            for pair in sent.windows(count + 1) {
                let took = *pair.last().unwrap() - pair[0];
                // What the division of a minute drops.
                let dropped = Duration::from_nanos(u64::from(per_minute));
                proptest::prop_assert!(took + dropped >= Duration::from_secs(60));
                proptest::prop_assert!(took <= Duration::from_secs(72));
            }
        }
    }
}
