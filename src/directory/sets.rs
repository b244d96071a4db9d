//! Sets of organisations: a bit each, so that ten thousand groups of ten thousand practices stay
//! small and a group of groups is quickly joined.

/// The place of an organisation in the registry.
pub(super) type OrganisationIndex = usize;

/// A set of organisations.
#[derive(Clone, Debug, Default)]
pub(super) struct Organisations(Vec<u64>);

impl Organisations {
    /// Adds one.
    pub(super) fn insert(&mut self, index: OrganisationIndex) {
        let word = index / 64;
        if self.0.len() <= word {
            self.0.resize(word + 1, 0);
        }
        if let Some(bits) = self.0.get_mut(word) {
            *bits |= 1 << (index % 64);
        }
    }

    /// Adds all of `other`.
    pub(super) fn join(&mut self, other: &Self) {
        if self.0.len() < other.0.len() {
            self.0.resize(other.0.len(), 0);
        }
        self.0.iter_mut().zip(&other.0).for_each(|(bits, others)| *bits |= others);
    }

    /// Whether it is in.
    pub(super) fn contains(&self, index: OrganisationIndex) -> bool {
        self.0.get(index / 64).is_some_and(|bits| bits >> (index % 64) & 1 == 1)
    }

    /// What is in, in the order of the registry.
    pub(super) fn iter(&self) -> impl Iterator<Item = OrganisationIndex> + '_ {
        let word = |(word, bits): (usize, &u64)| {
            let bits = *bits;
            (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| word * 64 + bit)
        };
        self.0.iter().enumerate().flat_map(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let mut set = Organisations::default();
        let mut other = Organisations::default();
        [0, 63, 64].into_iter().for_each(|index| set.insert(index));
        [64, 1000].into_iter().for_each(|index| other.insert(index));
        set.join(&other);
        assert_eq!(set.iter().collect::<Vec<_>>(), [0, 63, 64, 1000]);
        assert!(set.contains(1000) && !set.contains(999) && !set.contains(100_000));
    }
}
