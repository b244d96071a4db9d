//! The Merkle tree of RFC 6962 over the stored bytes of records. A writer keeps its right edge only,
//! which grows by one hash each time the number of records doubles.

use sha2::{Digest, Sha256};

/// A SHA-256.
pub type Hash = [u8; 32];

/// The hash of one record's stored bytes.
pub fn leaf(bytes: &[u8]) -> Hash {
    Sha256::new_with_prefix([0]).chain_update(bytes).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new_with_prefix([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The right edge of a tree: the roots of its whole subtrees, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    size: u64,
    roots: Vec<Hash>,
}

impl Edge {
    /// An edge that was written down; none when these roots can't be of a tree of that size.
    pub fn of(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (usize::try_from(size.count_ones()) == Ok(roots.len())).then_some(Self { size, roots })
    }

    /// How many records the tree holds.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The roots of its whole subtrees, the largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Adds the hash of the next record.
    pub fn push(&mut self, leaf: Hash) {
        let (mut hash, mut complete) = (leaf, self.size);
        while complete & 1 == 1
            && let Some(left) = self.roots.pop()
        {
            hash = node(&left, &hash);
            complete >>= 1;
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root of one of its whole subtrees.
    fn subtree(&self, from: u64, to: u64) -> Option<Hash> {
        let mut start = 0;
        for root in &self.roots {
            let size = 1 << (self.size - start).checked_ilog2()?;
            if (start, start + size) == (from, to) {
                return Some(*root);
            }
            start += size;
        }
        None
    }

    /// The root of the tree.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        let Some(last) = roots.next() else { return Sha256::digest([]).into() };
        roots.fold(*last, |right, left| node(left, &right))
    }
}

/// The largest power of two below `size`, which is at least 2: where RFC 6962 splits a tree.
const fn split(size: usize) -> usize {
    1 << (usize::BITS - 1 - (size - 1).leading_zeros())
}

fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            node(&root(left), &root(right))
        }
    }
}

/// Some leaves of a tree, and the edge of what is before them: enough for the path of any of them.
#[derive(Debug)]
pub struct Tail {
    edge: Edge,
    leaves: Vec<Hash>,
}

impl Tail {
    /// What follows this edge.
    pub const fn behind(edge: Edge) -> Self {
        Self { edge, leaves: Vec::new() }
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        self.leaves.push(leaf);
    }

    /// How many leaves the whole tree has.
    pub fn size(&self) -> u64 {
        self.edge.size + self.leaves.len() as u64
    }

    /// The path of the leaf at `index` in the tree of the first `size` leaves, from its sibling
    /// upwards; none when it is not one of those behind the edge.
    pub fn path(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index < self.edge.size || index >= size || size > self.size() {
            return None;
        }
        let (mut from, mut to, mut path) = (0, size, Vec::new());
        while to - from > 1 {
            let at = from + split(usize::try_from(to - from).ok()?) as u64;
            if index < at {
                path.push(self.root(at, to)?);
                to = at;
            } else {
                path.push(self.root(from, at)?);
                from = at;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The root of a subtree.
    fn root(&self, from: u64, to: u64) -> Option<Hash> {
        if let Some(start) = from.checked_sub(self.edge.size) {
            let range = usize::try_from(start).ok()?..usize::try_from(to - self.edge.size).ok()?;
            return self.leaves.get(range).map(root);
        }
        if let Some(hash) = self.edge.subtree(from, to) {
            return Some(hash);
        }
        let at = from + split(usize::try_from(to - from).ok().filter(|size| *size > 1)?) as u64;
        Some(node(&self.root(from, at)?, &self.root(at, to)?))
    }
}

/// The root of a tree of `size` leaves that has `leaf` at `index`, by that path (RFC 9162, 2.1.3.2).
/// None when the path is of no such tree.
pub fn root_by_path(leaf: Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if index >= size {
        return None;
    }
    let (mut index, mut last, mut hash) = (index, size - 1, leaf);
    for other in path {
        if last == 0 {
            return None;
        }
        if index & 1 == 1 || index == last {
            hash = node(other, &hash);
            while index & 1 == 0 && index != 0 {
                index >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, other);
        }
        index >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The hashes that prove that the leaf at `index` is among `leaves`, from its sibling upwards.
    fn path(mut index: usize, mut leaves: &[Hash]) -> Vec<Hash> {
        let mut path = Vec::new();
        while leaves.len() > 1 {
            let at = split(leaves.len());
            let (left, right) = leaves.split_at(at);
            if index < at {
                path.push(root(right));
                leaves = left;
            } else {
                path.push(root(left));
                (index, leaves) = (index - at, right);
            }
        }
        path.reverse();
        path
    }

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|number| leaf(number.to_string().as_bytes())).collect()
    }

    fn hex(hash: Hash) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The tree of the reference implementation of RFC 6962.
    #[test]
    fn roots_are_those_of_certificate_transparency() {
        let inputs: [&[u8]; 4] = [b"", b"\0", b"\x10", b"\x20\x21"];
        let mut edge = Edge::default();
        let mut roots = vec![hex(edge.root())];
        for input in inputs {
            edge.push(leaf(input));
            roots.push(hex(edge.root()));
        }
        assert_eq!(
            roots,
            [
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            ]
        );
    }

    #[test]
    fn an_edge_and_its_paths_agree_with_the_whole_tree() {
        let mut edge = Edge::default();
        for size in 1..70 {
            let leaves = leaves(size);
            edge.push(leaves[size - 1]);
            assert_eq!(edge.root(), root(&leaves), "{size}");
            let written = Edge::of(edge.size(), edge.roots().to_vec());
            assert_eq!(written.as_ref(), Some(&edge), "{size}");
            for index in 0..size {
                let path = path(index, &leaves);
                let by_path =
                    |index: usize| root_by_path(leaves[index], index as u64, size as u64, &path);
                assert_eq!(by_path(index), Some(edge.root()), "{index} of {size}");
                let other = (index + 1) % size;
                assert!(size == 1 || by_path(other) != Some(edge.root()), "{other} of {size}");
            }
        }
    }

    #[test]
    fn a_tail_has_the_paths_of_its_leaves() {
        for (start, size) in (0..40).flat_map(|start| (start..40).map(move |size| (start, size))) {
            let leaves = leaves(size);
            let mut edge = Edge::default();
            leaves[..start].iter().for_each(|leaf| edge.push(*leaf));
            let mut tail = Tail::behind(edge);
            leaves[start..].iter().for_each(|leaf| tail.push(*leaf));
            for index in 0..size {
                for part in [size, size.saturating_sub(3)] {
                    let expected =
                        (start <= index && index < part).then(|| path(index, &leaves[..part]));
                    assert_eq!(tail.path(index as u64, part as u64), expected, "{start} {index}");
                }
            }
            assert_eq!(tail.path(0, size as u64 + 1), None);
        }
    }

    #[test]
    fn a_path_of_another_tree_proves_nothing() {
        let leaves = leaves(5);
        let path = path(2, &leaves);
        assert_eq!(root_by_path(leaves[2], 5, 5, &path), None, "behind the end");
        assert_eq!(root_by_path(leaves[2], 2, 5, &path[1..]), None, "too short");
        let long = [path.clone(), vec![leaves[0]]].concat();
        assert_eq!(root_by_path(leaves[2], 2, 5, &long), None, "too long");
        assert_eq!(Edge::of(5, leaves), None);
    }
}
