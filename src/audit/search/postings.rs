//! Where the terms of one segment stand, packed: blocks of some kilobytes, each with terms in their
//! order, and for each term the places of its lines. Only what a search needs is read and unpacked.

/// A block is closed before it grows beyond this, so that it fits into a page of the database.
const BLOCK: usize = 3_900;
/// So many places of one term stand together at most.
const GROUP: usize = 512;

/// Terms and the places where their lines begin, as they are collected.
#[derive(Debug, Default)]
pub(super) struct Postings(Vec<(u64, u64)>);

/// The first term of each block, and the blocks.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Packed {
    pub(super) fences: Vec<u64>,
    pub(super) blocks: Vec<Vec<u8>>,
}

impl Postings {
    pub(super) fn add(&mut self, term: u64, place: u64) {
        self.0.push((term, place));
    }

    pub(super) fn pack(mut self) -> Packed {
        self.0.sort_unstable();
        self.0.dedup();
        let (mut packed, mut block, mut group) = (Packed::default(), Vec::new(), Vec::new());
        let same = |a: &(u64, u64), b: &(u64, u64)| a.0 == b.0;
        for places in self.0.chunk_by(same).flat_map(|of_term| of_term.chunks(GROUP)) {
            let Some((term, _)) = places.first() else { continue };
            group.clear();
            group.extend_from_slice(&term.to_le_bytes());
            put(places.len() as u64, &mut group);
            let mut before = 0;
            for (_, place) in places {
                put(place - before, &mut group);
                before = *place;
            }
            if block.is_empty() || block.len() + group.len() > BLOCK {
                if !block.is_empty() {
                    packed.blocks.push(std::mem::take(&mut block));
                }
                packed.fences.push(*term);
            }
            block.extend_from_slice(&group);
        }
        if !block.is_empty() {
            packed.blocks.push(block);
        }
        packed
    }
}

/// The blocks that may hold a term.
pub(super) fn blocks_of(fences: &[u64], term: u64) -> std::ops::Range<usize> {
    let first = fences.partition_point(|fence| *fence < term).saturating_sub(1);
    first..fences.partition_point(|fence| *fence <= term)
}

/// Adds the places of a term in a block. None when the block is damaged.
pub(super) fn unpack(mut block: &[u8], term: u64, places: &mut Vec<u64>) -> Option<()> {
    while !block.is_empty() {
        let (head, rest) = block.split_first_chunk::<8>()?;
        block = rest;
        let is_asked = u64::from_le_bytes(*head) == term;
        let mut place = 0_u64;
        for _ in 0..take(&mut block)? {
            place = place.checked_add(take(&mut block)?)?;
            if is_asked {
                places.push(place);
            }
        }
    }
    Some(())
}

/// A number in as few bytes as it needs, seven bits in each.
pub(super) fn put(mut number: u64, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = number.to_le_bytes();
        number >>= 7;
        if number == 0 {
            return out.push(low & 0x7f);
        }
        out.push(low | 0x80);
    }
}

/// Takes such a number from the front.
pub(super) fn take(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    fn found(packed: &Packed, term: u64) -> Vec<u64> {
        let mut places = Vec::new();
        for block in blocks_of(&packed.fences, term) {
            unpack(&packed.blocks[block], term, &mut places).unwrap();
        }
        places
    }

    proptest! {
        /// Each term is found with all of its places, in their order, and no other.
        #[test]
        fn what_is_packed_is_found(
            entries in prop::collection::vec((0..40_u64, any::<u64>()), 0..6_000),
            many in 0..3_000_u64,
        ) {
            let mut postings = Postings::default();
            let mut expected = BTreeMap::<u64, BTreeSet<u64>>::new();
            for (term, place) in entries.into_iter().chain((0..many).map(|place| (7, place))) {
                let term = term.wrapping_mul(0x9e37_79b9_7f4a_7c15);
                postings.add(term, place);
                expected.entry(term).or_default().insert(place);
            }
            let packed = postings.pack();
            prop_assert_eq!(packed.fences.len(), packed.blocks.len());
            for (term, places) in &expected {
                prop_assert!(found(&packed, *term).iter().eq(places));
            }
            prop_assert!(found(&packed, 1).is_empty());
        }

        #[test]
        fn numbers_are_taken_as_they_were_put(numbers in prop::collection::vec(any::<u64>(), 0..20)) {
            let mut bytes = Vec::new();
            numbers.iter().for_each(|number| put(*number, &mut bytes));
            let mut rest = &*bytes;
            for number in numbers {
                prop_assert_eq!(take(&mut rest), Some(number));
            }
            prop_assert_eq!(take(&mut rest), None);
        }

        #[test]
        fn damage_is_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            unpack(&bytes, 0, &mut Vec::new());
        }
    }
}
