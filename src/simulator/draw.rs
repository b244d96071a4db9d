//! Numbers drawn from a seed: the same seed, subject and number give the same draws for ever.
//!
//! `SplitMix64` over an FNV-1a hash of the subject. Written out here because a simulated estate
//! must not change when a crate changes its generator.

/// A stream of numbers that depends on nothing but what it was made from.
pub(crate) struct Draw(u64);

impl Draw {
    /// The stream of one numbered thing, such as patient 17 of practice `A20047`.
    pub(crate) fn of(seed: u64, subject: &str, number: u64) -> Self {
        let hash = subject.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let mut draw = Self(hash ^ seed.rotate_left(32));
        draw.0 = draw.next() ^ number;
        draw
    }

    /// Any number.
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number from zero up to, but not including, `bound`; zero when the bound is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    /// A fraction from zero up to, but not including, one.
    pub(crate) fn fraction(&mut self) -> f64 {
        // 53 bits are what a double holds exactly.
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A number of the standard normal distribution (Box-Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.fraction()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.fraction()).cos()
    }

    /// One of the words; empty when there are none.
    pub(crate) fn pick(&mut self, words: &[&'static str]) -> &'static str {
        let index = usize::try_from(self.below(words.len() as u64)).unwrap_or(0);
        words.get(index).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn draws_repeat_and_differ_by_every_ingredient() {
        let first = |seed, subject, number| Draw::of(seed, subject, number).next();
        let reference = first(1, "A20047", 17);
        assert_eq!(first(1, "A20047", 17), reference);
        for (name, other) in [
            ("seed", first(2, "A20047", 17)),
            ("subject", first(1, "A20048", 17)),
            ("number", first(1, "A20047", 18)),
        ] {
            assert_ne!(other, reference, "{name}");
        }
    }

    #[test]
    fn draws_stay_in_their_range() {
        let mut draw = Draw::of(7, "range", 0);
        let normals: Vec<f64> = (0..2_000).map(|_| draw.normal()).collect();
        let mean = normals.iter().sum::<f64>() / 2_000.0;
        assert!(mean.abs() < 0.1, "the mean of a standard normal is near zero: {mean}");
        assert!((0..2_000).all(|_| draw.below(3) < 3));
        assert!((0..2_000).all(|_| (0.0..1.0).contains(&draw.fraction())));
        assert_eq!((draw.below(0), draw.pick(&[])), (0, ""));
    }
}
