//! When a commit starts: how long it waits for more who wait for it.
//!
//! What a commit costs, its requests share. While one comes upon another it waits for those that come next:
//! a machine that is busy does less for each of them. Where nobody comes for a moment there is nothing
//! to wait for, be it that there is little to do, or that all whom there are wait already; and where the
//! commit before was of one, that moment is enough. The more the commit before was of, the longer the
//! moment: threads that are busy with so many let nobody come meanwhile.

use std::time::{Duration, Instant};

use crate::audit::queue::TOGETHER;

/// How old the oldest waiter grows in any case, where the commit before was of several.
const PATIENCE: Duration = Duration::from_millis(1);
/// How old it grows while others come.
const MOST: Duration = Duration::from_millis(8);
/// For so long nobody may have come when a commit starts; where the one before was of one, as old the
/// oldest waiter grows.
const LULL: Duration = Duration::from_micros(250);
/// For so many waiters of the commit before a lull is that long again.
const CROWD: usize = 8;
/// So many times it is that long at most: where all wait already, that is lost.
const LONGEST_LULL: u32 = 8;

/// Those who wait for the next commit.
pub(super) struct Gathering {
    /// How old the oldest of them grows in any case.
    patience: Duration,
    /// For so long nobody may have come.
    lull: Duration,
    waiters: usize,
    /// Since when the oldest waits, and when it is looked again.
    oldest: Option<(Instant, Instant)>,
    /// How many there were at the last look.
    before: usize,
}

impl Gathering {
    /// Behind a commit that so many waited for.
    pub(super) fn behind(waiters: usize) -> Self {
        let patience = if waiters > 1 { PATIENCE } else { LULL };
        let times = u32::try_from(waiters / CROWD).unwrap_or(LONGEST_LULL);
        let lull = LULL * times.clamp(1, LONGEST_LULL);
        Self { patience, lull, waiters: 0, oldest: None, before: 0 }
    }

    /// Behind the commit of those who wait.
    pub(super) fn next(&self) -> Self {
        Self::behind(self.waiters)
    }

    /// One more waits.
    pub(super) fn add(&mut self, now: Instant) {
        self.waiters += 1;
        self.oldest.get_or_insert((now, now + self.patience.saturating_sub(self.lull)));
    }

    /// Whether a commit is to start.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let Some((since, look)) = self.oldest else { return false };
        let age = now.duration_since(since);
        if self.waiters >= TOGETHER || age >= MOST {
            return true;
        }
        if now < look {
            return false;
        }
        let have_come = self.waiters > self.before;
        self.before = self.waiters;
        self.oldest = Some((since, (now + self.lull).min(since + MOST)));
        age >= self.patience && !have_come
    }

    /// How many more waiters end a pause, and how long it is at most; none while nobody waits.
    pub(super) fn pause(&self, now: Instant) -> Option<(usize, Duration)> {
        let (_, look) = self.oldest?;
        Some((TOGETHER.saturating_sub(self.waiters), look.saturating_duration_since(now)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How old the oldest waiter is when the commit starts, and how many wait then, when `all` come,
    /// one every so many microseconds, behind a commit of so many.
    fn start(behind: usize, every: u64, all: usize) -> (u64, usize) {
        let (begun, mut gathering) = (Instant::now(), Gathering::behind(behind));
        for micros in 0..10_000 {
            let now = begun + Duration::from_micros(micros);
            if micros % every == 0 && gathering.waiters < all {
                gathering.add(now);
            }
            let is_due = gathering.is_due(now);
            let (_, pause) = gathering.pause(now).unwrap();
            let longest = LULL * LONGEST_LULL;
            assert!(is_due || (pause > Duration::ZERO && pause <= longest), "{micros}");
            if is_due {
                return (micros, gathering.waiters);
            }
        }
        panic!("it never starts")
    }

    #[test]
    fn a_commit_waits_for_those_that_come_next() {
        for (name, behind, every, all, at) in [
            ("one alone", 1, 1, 1, (250, 1)),
            ("one behind several", 2, 1, 1, (1_000, 1)),
            ("500 a second", 1, 2_000, usize::MAX, (250, 1)),
            ("2,000 a second", 1, 500, usize::MAX, (250, 1)),
            ("2,000 a second behind several", 2, 500, usize::MAX, (1_250, 3)),
            ("8,000 a second", 1, 125, usize::MAX, (8_000, 65)),
            ("8,000 a second behind several", 33, 125, usize::MAX, (8_000, 65)),
            ("8 at once", 8, 90, 8, (1_000, 8)),
            ("20, then nobody", 20, 100, 20, (2_500, 20)),
            ("64, then nobody", 64, 50, 64, (6_000, 64)),
            ("one behind a crowd", 300, 1, 1, (2_000, 1)),
            ("100,000 a second", 64, 10, usize::MAX, (2_550, TOGETHER)),
        ] {
            assert_eq!(start(behind, every, all), at, "{name}");
        }
    }

    #[test]
    fn nobody_has_nothing_started() {
        let now = Instant::now();
        let mut gathering = Gathering::behind(0);
        assert!(!gathering.is_due(now) && gathering.pause(now).is_none());
    }
}
