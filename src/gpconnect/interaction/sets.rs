//! Sets of interactions and of capabilities: a bit each.

use super::{Capability, InteractionId, TABLE};

/// A set of interactions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InteractionSet(u32);

impl InteractionSet {
    /// The seventeen of 1.2.7.
    pub fn of_1_2_7() -> Self {
        TABLE.iter().filter(|row| row.in_1_2_7).map(|row| row.id).collect()
    }

    /// Whether `id` is in.
    pub const fn contains(self, id: InteractionId) -> bool {
        self.0 >> id as u32 & 1 == 1
    }

    /// Adds `id`.
    pub const fn insert(&mut self, id: InteractionId) {
        self.0 |= 1 << id as u32;
    }

    /// Whether nothing is in.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in, in table order.
    pub fn iter(self) -> impl Iterator<Item = InteractionId> {
        InteractionId::all().filter(move |id| self.contains(*id))
    }
}

impl FromIterator<InteractionId> for InteractionSet {
    fn from_iter<I: IntoIterator<Item = InteractionId>>(ids: I) -> Self {
        let mut set = Self::default();
        ids.into_iter().for_each(|id| set.insert(id));
        set
    }
}

/// A set of capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapabilitySet(u8);

impl CapabilitySet {
    /// Whether `capability` is in.
    pub const fn contains(self, capability: Capability) -> bool {
        self.0 >> capability as u32 & 1 == 1
    }

    /// Adds `capability`.
    pub const fn insert(&mut self, capability: Capability) {
        self.0 |= 1 << capability as u32;
    }

    /// Adds all of `other`.
    pub const fn extend(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Whether nothing is in.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in, in order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.contains(*capability))
    }
}

impl FromIterator<Capability> for CapabilitySet {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut set = Self::default();
        capabilities.into_iter().for_each(|capability| set.insert(capability));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_holds_what_was_put_in() {
        let last = InteractionId::ReadHtmlMetadata;
        let set: InteractionSet = [InteractionId::ReadMetadata, last].into_iter().collect();
        assert_eq!(set.iter().collect::<Vec<_>>(), [InteractionId::ReadMetadata, last]);
        assert!(InteractionSet::default().is_empty() && !set.is_empty());
        assert_eq!(InteractionSet::of_1_2_7().iter().count(), 17);

        let capabilities: CapabilitySet = [Capability::Html].into_iter().collect();
        assert!(capabilities.contains(Capability::Html));
        assert!(!capabilities.contains(Capability::Foundations));
    }
}
