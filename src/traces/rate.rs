//! Of how many requests spans are made.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};

use crate::config::Ratio;

/// Bits of chance that a decision takes: of a random UUID, those behind its version and variant.
const BITS: u32 = 56;

/// Whether chance chooses a request. The bits are our own and never a caller's trace id, which it
/// could choose so that it is always traced, or never.
pub(super) fn is_chosen(random: [u8; 16], ratio: Ratio) -> bool {
    let drawn = u128::from_be_bytes(random) & ((1 << BITS) - 1);
    // Less than 2^76.
    drawn * 1_000_000 < u128::from(ratio.per_million()) << BITS
}

/// Lets so many pass in each second of the clock.
#[derive(Debug, Default)]
pub(super) struct PerSecond {
    /// The second, and in the lower half how many have passed in it.
    passed: AtomicU64,
}

impl PerSecond {
    /// Whether one more may pass.
    pub(super) fn take(&self, most: u32) -> bool {
        self.take_at(most, SystemTime::now())
    }

    fn take_at(&self, most: u32, now: SystemTime) -> bool {
        let second = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() << 32;
        let step = |passed: u64| {
            let start = if passed >> 32 == second >> 32 { passed } else { second };
            (start & u64::from(u32::MAX) < u64::from(most)).then_some(start + 1)
        };
        self.passed.fetch_update(Ordering::Relaxed, Ordering::Relaxed, step).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn chance_chooses_the_share() {
        let share = |ratio: &str| {
            let ratio = ratio.parse().unwrap();
            let chosen = |_: &u32| is_chosen(Uuid::new_v4().into_bytes(), ratio);
            (0..20_000).filter(chosen).count()
        };
        assert_eq!(share("0%"), 0);
        assert_eq!(share("100%"), 20_000);
        let half = share("50%");
        // Twenty standard deviations.
        assert!((8_600..11_400).contains(&half), "{half}");
    }

    #[test]
    fn the_ends_of_chance() {
        let ratio = |text: &str| text.parse::<Ratio>().unwrap();
        assert!(!is_chosen([0; 16], ratio("0%")));
        assert!(is_chosen([0; 16], ratio("0.0001%")));
        assert!(!is_chosen([0xff; 16], ratio("99.9999%")));
        assert!(is_chosen([0xff; 16], ratio("100%")));
    }

    #[test]
    fn so_many_pass_in_a_second() {
        let rate = PerSecond::default();
        let at = |seconds: u64| UNIX_EPOCH + Duration::from_secs(1_795_420_900 + seconds);
        let passed = |at| (0..10).filter(|_| rate.take_at(3, at)).count();
        assert_eq!(passed(at(0)), 3);
        assert_eq!(passed(at(0)), 0);
        assert_eq!(passed(at(1)), 3);
        assert_eq!(passed(at(0)), 3, "a clock that was set back");
        assert!(!rate.take_at(0, at(9)));
    }
}
