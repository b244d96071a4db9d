//! The last hour in twelve parts, of which the oldest is forgotten as a whole.

use std::time::{Duration, Instant};

/// How many parts there are.
pub(super) const PARTS: usize = 12;
/// How long each is.
pub(super) const PART: Duration = Duration::from_secs(300);

/// Which part is being counted.
#[derive(Debug)]
pub(super) struct Hour {
    pub(super) began: Instant,
    part: u64,
}

impl Default for Hour {
    fn default() -> Self {
        Self { began: Instant::now(), part: 0 }
    }
}

impl Hour {
    /// The place of the part that is being counted.
    pub(super) fn place(&self) -> usize {
        place(self.part)
    }

    /// Goes on to `now`, and tells the places whose counts are an hour old since.
    pub(super) fn go_on(&mut self, now: Instant) -> impl ExactSizeIterator<Item = usize> + use<> {
        let part = now.duration_since(self.began).as_secs() / PART.as_secs();
        let steps = part.saturating_sub(self.part).min(PARTS as u64);
        self.part = self.part.max(part);
        let old: Vec<usize> = (0..steps).map(|step| place(part - step)).collect();
        old.into_iter()
    }
}

fn place(part: u64) -> usize {
    usize::try_from(part % PARTS as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_forgotten_when_its_place_is_due_again() {
        let mut hour = Hour::default();
        let began = hour.began;
        for (name, parts, old, place) in [
            ("at once", 0, vec![], 0),
            ("the next part", 1, vec![1], 1),
            ("the same part", 1, vec![], 1),
            ("two parts on", 3, vec![3, 2], 3),
            ("an hour after the start", 12, vec![0, 11, 10, 9, 8, 7, 6, 5, 4], 0),
            ("much later: all", 1_000, vec![4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 5], 4),
        ] {
            let forgotten: Vec<_> = hour.go_on(began + PART * parts).collect();
            assert_eq!((forgotten, hour.place()), (old, place), "{name}");
        }
    }
}
