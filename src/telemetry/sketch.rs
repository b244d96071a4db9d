//! How many different things there were, from a hash of each: `HyperLogLog` (Flajolet and others, 2007). It
//! keeps none of the hashes, only how rare the rarest of each of 512 groups was, and is right within about
//! five in a hundred; small numbers are counted by the groups that are still empty, and are nearly exact.

/// How many bits of a hash say which group it belongs to.
const BITS: u32 = 9;
/// How many groups there are.
const GROUPS: usize = 1 << BITS;
/// What the mean is off by with so many groups: 0.7213 / (1 + 1.079 / 512).
const CORRECTION: f64 = 0.719_783;

/// The sketch of one set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Sketch([u8; GROUPS]);

impl Default for Sketch {
    fn default() -> Self {
        Self([0; GROUPS])
    }
}

impl Sketch {
    /// Adds a member by its hash, whose bits must all be as good as drawn.
    pub(super) fn add(&mut self, hash: u64) {
        let group = usize::try_from(hash >> (u64::BITS - BITS)).unwrap_or_default();
        // The bit behind the last keeps the count below what a byte holds.
        let rest = (hash << BITS) | 1 << (BITS - 1);
        let rare = u8::try_from(rest.leading_zeros() + 1).unwrap_or(u8::MAX);
        self.0.get_mut(group).into_iter().for_each(|rarest| *rarest = rare.max(*rarest));
    }

    /// Adds all members of another.
    pub(super) fn merge(&mut self, other: &Self) {
        self.0.iter_mut().zip(other.0).for_each(|(rarest, rare)| *rarest = rare.max(*rarest));
    }

    /// How many members it has, nearly.
    pub(super) fn count(&self) -> f64 {
        let groups = f64::from(1_u32 << BITS);
        let sum: f64 = self.0.iter().map(|rarest| (-f64::from(*rarest)).exp2()).sum();
        let empty = self.0.iter().map(|rarest| u32::from(*rarest == 0)).sum::<u32>();
        let estimate = CORRECTION * groups * groups / sum;
        if empty > 0 && estimate <= 2.5 * groups {
            groups * (groups / f64::from(empty)).ln()
        } else {
            estimate
        }
    }
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use super::*;

    #[test]
    fn as_many_as_there_are_nearly() {
        for key in 0..5_u32 {
            let hashes = RandomState::new();
            for many in [0, 1, 2, 10, 100, 500, 1_000, 2_000, 10_000, 100_000_u32] {
                let mut sketch = Sketch::default();
                for member in (0..many).chain(0..many / 2) {
                    sketch.add(hashes.hash_one((key, member)));
                }
                let found = sketch.count();
                let off = (found - f64::from(many)).abs();
                // Five times what it is usually off by, so that no draw of a key fails.
                assert!(off <= 1.0 + f64::from(many) * 0.25, "{many}: {found}");
            }
        }
    }

    #[test]
    fn two_make_the_sketch_of_both() {
        let hashes = RandomState::new();
        let of = |members: std::ops::Range<u32>| {
            let mut sketch = Sketch::default();
            members.for_each(|member| sketch.add(hashes.hash_one(member)));
            sketch
        };
        let mut both = of(0..600);
        both.merge(&of(400..1_000));
        assert_eq!(both, of(0..1_000));
    }

    #[test]
    fn any_hash_finds_its_group() {
        for hash in [0, 1, u64::MAX, 1 << 63, (1 << 55) - 1] {
            let mut sketch = Sketch::default();
            sketch.add(hash);
            assert_eq!(sketch.0.iter().filter(|rarest| **rarest > 0).count(), 1, "{hash}");
            assert!(sketch.0.iter().all(|rarest| *rarest <= 56), "{hash}");
        }
    }
}
