//! Merkle trees of RFC 9162 over SHA-256: hashes, roots, inclusion and consistency paths, and their verification.
//!
//! Where hashes are kept is not here: whoever keeps them serves them through [`Stored`]. What a leaf says is in `leaves`.
//!
//! A tree's leaf hashes are kept, and the roots of its full subtrees of 256, 256² and 256³ leaves. So a path through
//! ten million leaves is computed from a few ranges of at most 256 hashes each.

use std::collections::HashMap;

use sha2::{Digest, Sha256};

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// How many subtrees of one level make one of the next.
pub const FANOUT: u64 = 256;
/// The highest level that is kept: roots of subtrees of 256³ leaves.
pub const LEVELS: u32 = 3;
/// Binary levels between two levels that are kept.
const LEVEL_BITS: u32 = 8;

/// The hash of a leaf: SHA-256(0x00 ‖ leaf).
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> Hash {
    Sha256::new_with_prefix([0x00]).chain_update(leaf).finalize().into()
}

/// The hash of a node: SHA-256(0x01 ‖ left ‖ right).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut bytes = [0x01; 65];
    bytes[1..33].copy_from_slice(left);
    bytes[33..].copy_from_slice(right);
    Sha256::digest(bytes).into()
}

/// The root of the tree without leaves: the hash of nothing.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The hash that 64 hexadecimal digits spell, with or without `0x` before them.
#[must_use]
pub fn parse_hash(text: &str) -> Option<Hash> {
    let mut hash = [0; 32];
    hex::decode_to_slice(text.strip_prefix("0x").unwrap_or(text), &mut hash).ok()?;
    Some(hash)
}

/// The root of a full subtree that is to be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// 1, 2 or 3: a subtree of 256^level leaves.
    pub level: u32,
    /// Which subtree of its level, from 0 on the left.
    pub position: u64,
    /// Its root.
    pub hash: Hash,
}

/// The hashes of one tree as they are kept.
///
/// Ranges begin at `from` and end before `to`, and are answered whole and in order; an answer of another length is taken
/// as a sign that hashes are missing.
pub trait Stored {
    /// Why hashes cannot be read.
    type Error;

    /// Hashes of leaves.
    ///
    /// # Errors
    /// When they cannot be read.
    fn leaves(&mut self, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error>;

    /// Roots of the full subtrees of a level from 1 to [`LEVELS`].
    ///
    /// # Errors
    /// When they cannot be read.
    fn nodes(&mut self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error>;
}

/// Why a path or a root cannot be computed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeFault<E> {
    /// The hashes cannot be read.
    #[error("{0}")]
    Unreadable(E),
    /// Hashes that the tree must have are not kept.
    #[error("the tree lacks hashes of level {level} from {from} up to {to}")]
    Missing {
        /// 0 for leaves, else the level of the nodes.
        level: u32,
        /// The first of the range that was asked for.
        from: u64,
        /// The end of the range, exclusive.
        to: u64,
    },
    /// There is no such leaf, or no such smaller tree.
    #[error("{asked} is beyond the tree's {size} leaves")]
    Beyond {
        /// The index or the size that was asked for.
        asked: u64,
        /// Leaves of the tree.
        size: u64,
    },
}

/// A tree of a known size whose hashes are kept elsewhere. What was read once is not read again.
pub struct Tree<'a, S> {
    stored: &'a mut S,
    size: u64,
    /// What was read: 256 hashes, or as many as there are, by level and the number of the block.
    blocks: HashMap<(u32, u64), Vec<Hash>>,
}

impl<'a, S: Stored> Tree<'a, S> {
    /// The tree of the first `size` leaves.
    pub fn new(stored: &'a mut S, size: u64) -> Self {
        Self { stored, size, blocks: HashMap::new() }
    }

    /// The tree's root.
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn root(&mut self) -> Result<Hash, TreeFault<S::Error>> {
        if self.size == 0 { Ok(empty_root()) } else { self.range_root(0, self.size) }
    }

    /// The audit path of the leaf at `index`, from the leaf upwards (RFC 9162, 2.1.3.1).
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn inclusion_path(&mut self, index: u64) -> Result<Vec<Hash>, TreeFault<S::Error>> {
        if index >= self.size {
            return Err(TreeFault::Beyond { asked: index, size: self.size });
        }
        let (mut from, mut to) = (0, self.size);
        let mut path = Vec::new();
        while to - from > 1 {
            let middle = from + split(to - from);
            if index < middle {
                path.push(self.range_root(middle, to)?);
                to = middle;
            } else {
                path.push(self.range_root(from, middle)?);
                from = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The path that shows the tree of the first `smaller` leaves to be the beginning of this one (RFC 9162, 2.1.4.1).
    /// It is empty where the smaller tree has no leaves, or as many as this one.
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn consistency_path(&mut self, smaller: u64) -> Result<Vec<Hash>, TreeFault<S::Error>> {
        if smaller > self.size {
            return Err(TreeFault::Beyond { asked: smaller, size: self.size });
        }
        let mut path = Vec::new();
        if smaller == 0 {
            return Ok(path);
        }
        let (mut from, mut to) = (0, self.size);
        while smaller < to {
            let middle = from + split(to - from);
            if smaller <= middle {
                path.push(self.range_root(middle, to)?);
                to = middle;
            } else {
                path.push(self.range_root(from, middle)?);
                from = middle;
            }
        }
        // Whoever verifies knows the smaller tree's root, but not that of a part of it.
        if from > 0 {
            path.push(self.range_root(from, to)?);
        }
        path.reverse();
        Ok(path)
    }

    /// The root of the leaves of a range that is not empty and begins where a subtree of its size may begin.
    fn range_root(&mut self, from: u64, to: u64) -> Result<Hash, TreeFault<S::Error>> {
        let mut rest = to - from;
        let mut end = to;
        let mut root = None;
        // Its full subtrees from the right, the smallest first.
        while rest > 0 {
            let height = rest.trailing_zeros();
            let width = 1 << height;
            let full = self.full_root(height, (end - width) >> height)?;
            root = Some(root.map_or(full, |right| node_hash(&full, &right)));
            end -= width;
            rest -= width;
        }
        Ok(root.unwrap_or_else(empty_root))
    }

    /// The root of the full subtree of 2^height leaves at `position` among those of its height.
    fn full_root(&mut self, height: u32, position: u64) -> Result<Hash, TreeFault<S::Error>> {
        let level = (height / LEVEL_BITS).min(LEVELS);
        let within = height - level * LEVEL_BITS;
        let (from, to) = (position << within, (position + 1) << within);
        let mut frontier = Frontier::new();
        let mut next = from;
        while next < to {
            let block = next / FANOUT;
            let end = to.min((block + 1).saturating_mul(FANOUT));
            for hash in &self.block(level, block)?[usize_of(next % FANOUT)..usize_of(end - block * FANOUT)] {
                frontier.push(*hash);
            }
            next = end;
        }
        Ok(frontier.root())
    }

    /// A block of hashes of a level, as far as the tree has them.
    fn block(&mut self, level: u32, block: u64) -> Result<&[Hash], TreeFault<S::Error>> {
        match self.blocks.entry((level, block)) {
            std::collections::hash_map::Entry::Occupied(known) => Ok(known.into_mut()),
            std::collections::hash_map::Entry::Vacant(unknown) => {
                let from = block * FANOUT;
                let to = (self.size >> (level * LEVEL_BITS)).min(from.saturating_add(FANOUT));
                let read = match level {
                    0 => self.stored.leaves(from, to),
                    _ => self.stored.nodes(level, from, to),
                };
                let hashes = read.map_err(TreeFault::Unreadable)?;
                if u64::try_from(hashes.len()) != Ok(to - from) {
                    return Err(TreeFault::Missing { level, from, to });
                }
                Ok(unknown.insert(hashes))
            }
        }
    }
}

/// The largest power of two below `size`, which is at least 2.
const fn split(size: u64) -> u64 {
    1 << (63 - (size - 1).leading_zeros())
}

/// An offset within a block, which is at most 256.
fn usize_of(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

/// The right edge of a tree that grows: enough to know its root after every leaf, in memory of the order of its height.
#[derive(Clone, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the full subtrees that the tree is made of, the largest first: one for each bit of the size.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Of the tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Of the tree of the first `size` leaves of those that are kept.
    ///
    /// # Errors
    /// [`TreeFault`].
    pub fn of<S: Stored>(stored: &mut S, size: u64) -> Result<Self, TreeFault<S::Error>> {
        let mut tree = Tree::new(stored, size);
        let mut peaks = Vec::new();
        let mut from = 0;
        for height in (0..u64::BITS).rev().filter(|height| size >> height & 1 == 1) {
            peaks.push(tree.full_root(height, from >> height)?);
            from += 1 << height;
        }
        Ok(Self { size, peaks })
    }

    /// Leaves of the tree.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_and_tell(leaf, |_| ());
    }

    /// Adds a leaf by its hash and tells of each subtree that is full with it and is to be kept.
    pub fn push_and_tell(&mut self, leaf: Hash, mut tell: impl FnMut(Node)) {
        let mut hash = leaf;
        for height in 1..=self.size.trailing_ones() {
            let Some(left) = self.peaks.pop() else { break };
            hash = node_hash(&left, &hash);
            if height.is_multiple_of(LEVEL_BITS) && height / LEVEL_BITS <= LEVELS {
                tell(Node { level: height / LEVEL_BITS, position: self.size >> height, hash });
            }
        }
        self.peaks.push(hash);
        // No tree ever has 2^64 leaves.
        self.size = self.size.saturating_add(1);
    }

    /// The tree's root.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let smallest = peaks.next().copied();
        smallest.map_or_else(empty_root, |smallest| peaks.fold(smallest, |right, left| node_hash(left, &right)))
    }
}

/// A tree whose leaf hashes are all in memory; what else would be kept is computed from them when asked for.
pub struct InMemory<'a>(pub &'a [Hash]);

impl Stored for InMemory<'_> {
    type Error = std::convert::Infallible;

    fn leaves(&mut self, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error> {
        Ok(self.0.get(usize_of(from)..usize_of(to)).unwrap_or_default().to_vec())
    }

    fn nodes(&mut self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, Self::Error> {
        let width = usize_of(FANOUT.saturating_pow(level));
        let within = usize_of(from).saturating_mul(width)..usize_of(to).saturating_mul(width);
        let roots = self.0.get(within).unwrap_or_default().chunks_exact(width).map(|leaves| {
            let mut frontier = Frontier::new();
            leaves.iter().for_each(|leaf| frontier.push(*leaf));
            frontier.root()
        });
        Ok(roots.collect())
    }
}

/// Why a path does not prove what it is shown for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// The leaf's index is not below the tree's size.
    #[error("a tree of {size} leaves has no leaf at index {index}")]
    NoSuchLeaf {
        /// The index, from 0.
        index: u64,
        /// Leaves of the tree.
        size: u64,
    },
    /// The tree that should be the earlier one has more leaves.
    #[error("the earlier tree has {smaller} leaves, more than the {larger} of the later one")]
    Shrunk {
        /// Leaves of the earlier tree.
        smaller: u64,
        /// Leaves of the later tree.
        larger: u64,
    },
    /// The path ends before the root.
    #[error("the path is too short for a tree of {0} leaves")]
    TooShort(u64),
    /// The path goes on beyond the root.
    #[error("the path is too long for a tree of {0} leaves")]
    TooLong(u64),
    /// The path leads to another root.
    #[error("the path leads to the root {}, not to {}", hex::encode(.found), hex::encode(.expected))]
    OtherRoot {
        /// The root that the path should lead to.
        expected: Hash,
        /// The root that it leads to.
        found: Hash,
    },
}

fn same_root(found: Hash, expected: &Hash) -> Result<(), PathFault> {
    if found == *expected { Ok(()) } else { Err(PathFault::OtherRoot { expected: *expected, found }) }
}

/// Whether the leaf of this hash is at `index` in the tree of `size` leaves under `root` (RFC 9162, 2.1.3.2).
///
/// # Errors
/// [`PathFault`]: it is not shown to be.
pub fn verify_inclusion(leaf: &Hash, index: u64, size: u64, path: &[Hash], root: &Hash) -> Result<(), PathFault> {
    if index >= size {
        return Err(PathFault::NoSuchLeaf { index, size });
    }
    let (mut node, mut last) = (index, size - 1);
    let mut found = *leaf;
    for sibling in path {
        if last == 0 {
            return Err(PathFault::TooLong(size));
        }
        if node & 1 == 1 || node == last {
            found = node_hash(sibling, &found);
            climb_to_a_right_child(&mut node, &mut last);
        } else {
            found = node_hash(&found, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(PathFault::TooShort(size));
    }
    same_root(found, root)
}

/// Whether the tree of `smaller` leaves under `smaller_root` is the beginning of the tree of `larger` leaves under
/// `larger_root` (RFC 9162, 2.1.4.2).
///
/// # Errors
/// [`PathFault`]: it is not shown to be.
pub fn verify_consistency(
    (smaller, smaller_root): (u64, &Hash),
    (larger, larger_root): (u64, &Hash),
    path: &[Hash],
) -> Result<(), PathFault> {
    if smaller > larger {
        return Err(PathFault::Shrunk { smaller, larger });
    }
    if smaller == 0 || smaller == larger {
        if !path.is_empty() {
            return Err(PathFault::TooLong(larger));
        }
        return same_root(if smaller == 0 { empty_root() } else { *larger_root }, smaller_root);
    }
    let (mut node, mut last) = (smaller - 1, larger - 1);
    let shift = node.trailing_ones();
    (node, last) = (node >> shift, last >> shift);
    // A smaller tree that is full is itself the first node of the path.
    let (first, rest) = if smaller.is_power_of_two() {
        (smaller_root, path)
    } else {
        path.split_first().ok_or(PathFault::TooShort(larger))?
    };
    let (mut found_smaller, mut found_larger) = (*first, *first);
    for sibling in rest {
        if last == 0 {
            return Err(PathFault::TooLong(larger));
        }
        if node & 1 == 1 || node == last {
            found_smaller = node_hash(sibling, &found_smaller);
            found_larger = node_hash(sibling, &found_larger);
            climb_to_a_right_child(&mut node, &mut last);
        } else {
            found_larger = node_hash(&found_larger, sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(PathFault::TooShort(larger));
    }
    same_root(found_smaller, smaller_root)?;
    same_root(found_larger, larger_root)
}

/// Passes the levels on which the node at the right edge is a left child without a sibling.
const fn climb_to_a_right_child(node: &mut u64, last: &mut u64) {
    while *node & 1 == 0 && *node != 0 {
        *node >>= 1;
        *last >>= 1;
    }
}
