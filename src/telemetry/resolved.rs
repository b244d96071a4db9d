//! Members of a metric family that are found once and kept: finding one by its labels hashes them all
//! and takes a lock, each time.

use std::sync::OnceLock;

/// Members of one family by their places.
#[derive(Debug)]
pub(super) struct Resolved<M>(Vec<OnceLock<M>>);

impl<M> Resolved<M> {
    /// Room for `count` members.
    pub(super) fn with_room(count: usize) -> Self {
        Self(std::iter::repeat_with(OnceLock::new).take(count).collect())
    }

    /// Does `act` with the member at `place`, which `find` finds the first time.
    pub(super) fn with(&self, place: usize, find: impl FnOnce() -> M, act: impl FnOnce(&M)) {
        match self.0.get(place) {
            Some(member) => act(member.get_or_init(find)),
            None => act(&find()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_once_and_one_without_a_place_each_time() {
        let resolved = Resolved::with_room(2);
        let mut found = Vec::new();
        for (place, name) in [(0, "a"), (1, "b"), (0, "c"), (2, "d"), (2, "e")] {
            resolved.with(place, || name, |member| found.push(*member));
        }
        assert_eq!(found, ["a", "b", "a", "d", "e"]);
    }
}
