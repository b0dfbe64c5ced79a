//! Merkle trees against the published vectors and against an independent implementation of RFC 9162.

use std::convert::Infallible;

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use ct_merkle::{ConsistencyProof, InclusionProof, RootHash};
use sha2::{Digest, Sha256};
use switchyard::domain::merkle::{
    Frontier, Hash, InMemory, Node, PathFault, Stored, Tree, TreeFault, empty_root, leaf_hash, node_hash,
    verify_consistency, verify_inclusion,
};

/// The leaves of the test trees of the reference implementation of RFC 6962,
/// <https://github.com/google/certificate-transparency/blob/master/cpp/merkletree/merkle_tree_test.cc>.
const LEAVES: [&str; 8] =
    ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
/// The roots of the trees of the first one to eight of them.
const ROOTS: [&str; 8] = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn vector_leaves() -> Vec<Hash> {
    LEAVES.iter().map(|leaf| leaf_hash(&hex::decode(leaf).unwrap())).collect()
}

fn hash(text: &str) -> Hash {
    hex::decode(text).unwrap().try_into().unwrap()
}

/// A leaf hash that nobody else has.
fn synthetic(number: u64) -> Hash {
    Sha256::digest(number.to_be_bytes()).into()
}

/// The definition of RFC 9162, 2.1.1, word for word.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(naive_split(leaves.len()));
            node_hash(&naive_root(left), &naive_root(right))
        }
    }
}

fn naive_split(size: usize) -> usize {
    size.next_power_of_two() / 2
}

/// The definition of RFC 9162, 2.1.3.1, word for word.
fn naive_inclusion(index: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() <= 1 {
        return Vec::new();
    }
    let middle = naive_split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if index < middle {
        (naive_inclusion(index, left), naive_root(right))
    } else {
        (naive_inclusion(index - middle, right), naive_root(left))
    };
    path.push(sibling);
    path
}

/// The definition of RFC 9162, 2.1.4.1, word for word.
fn naive_consistency(smaller: usize, leaves: &[Hash], is_whole: bool) -> Vec<Hash> {
    if smaller == leaves.len() {
        return if is_whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let middle = naive_split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut path, sibling) = if smaller <= middle {
        (naive_consistency(smaller, left, is_whole), naive_root(right))
    } else {
        (naive_consistency(smaller - middle, right, false), naive_root(left))
    };
    path.push(sibling);
    path
}

/// Hashes as a database keeps them, which counts how often it is asked and for how much.
#[derive(Default)]
struct Kept {
    leaves: Vec<Hash>,
    nodes: [Vec<Hash>; 3],
    reads: usize,
    longest: u64,
}

impl Kept {
    /// Takes leaves as checkpoints of `chunk` leaves do, each resuming from what is kept, and gives the last one's root.
    fn grow(&mut self, leaves: impl Iterator<Item = Hash>, chunk: usize) -> Hash {
        let leaves: Vec<Hash> = leaves.collect();
        for chunk in leaves.chunks(chunk) {
            let size = self.leaves.len() as u64;
            let mut frontier = Frontier::of(self, size).unwrap();
            let mut full = Vec::new();
            chunk.iter().for_each(|leaf| frontier.push_and_tell(*leaf, |node| full.push(node)));
            self.leaves.extend_from_slice(chunk);
            full.into_iter().for_each(|node| self.keep(node));
        }
        let size = self.leaves.len() as u64;
        Frontier::of(self, size).unwrap().root()
    }

    fn keep(&mut self, node: Node) {
        let level = &mut self.nodes[node.level as usize - 1];
        assert_eq!(node.position, level.len() as u64, "nodes of a level come in order");
        level.push(node.hash);
    }

    fn range(&mut self, from: u64, to: u64) -> std::ops::Range<usize> {
        self.reads += 1;
        self.longest = self.longest.max(to - from);
        usize::try_from(from).unwrap()..usize::try_from(to).unwrap()
    }
}

impl Stored for Kept {
    type Error = Infallible;

    fn leaves(&mut self, from: u64, to: u64) -> Result<Vec<Hash>, Infallible> {
        let range = self.range(from, to);
        Ok(self.leaves.get(range).unwrap_or_default().to_vec())
    }

    fn nodes(&mut self, level: u32, from: u64, to: u64) -> Result<Vec<Hash>, Infallible> {
        let range = self.range(from, to);
        Ok(self.nodes[level as usize - 1].get(range).unwrap_or_default().to_vec())
    }
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    /// A number below `bound`.
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

#[test]
fn the_roots_are_those_of_the_published_vectors() {
    let leaves = vector_leaves();
    assert_eq!(empty_root(), hash("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), empty_root());
    for (index, leaf) in leaves.iter().enumerate() {
        frontier.push(*leaf);
        assert_eq!(frontier.root(), hash(ROOTS[index]), "{} leaves", index + 1);
        assert_eq!(Tree::new(&mut InMemory(&leaves), index as u64 + 1).root().unwrap(), hash(ROOTS[index]));
    }
}

#[test]
fn the_paths_are_those_of_the_published_vectors() {
    let leaves = vector_leaves();
    let mut kept = InMemory(&leaves);
    let hashes = |texts: &[&str]| texts.iter().map(|text| hash(text)).collect::<Vec<_>>();
    let inclusion = hashes(&[
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert_eq!(Tree::new(&mut kept, 8).inclusion_path(5).unwrap(), inclusion);
    assert_eq!(verify_inclusion(&leaves[5], 5, 8, &inclusion, &hash(ROOTS[7])), Ok(()));
    let consistency = hashes(&[
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]);
    assert_eq!(Tree::new(&mut kept, 8).consistency_path(6).unwrap(), consistency);
    assert_eq!(verify_consistency((6, &hash(ROOTS[5])), (8, &hash(ROOTS[7])), &consistency), Ok(()));
}

#[test]
fn ten_thousand_random_trees_agree_with_an_independent_implementation() {
    type Theirs = MemoryBackedTree<Sha256, [u8; 8]>;
    let mut dice = Dice(20_260_101);
    let mut trees = 0;
    // Many short sequences, of which each beginning is a tree, and a long one, of which every other is.
    let sequences = [[100; 90].as_slice(), &[2000]].concat();
    for (sequence, length) in (0..).zip(sequences) {
        let (mut theirs, mut ours, mut kept) = (Theirs::new(), Frontier::new(), Kept::default());
        let mut roots = vec![empty_root()];
        let values: Vec<[u8; 8]> = (0..length).map(|_| (dice.below(1 << 31) << 3 | sequence).to_be_bytes()).collect();
        for (position, value) in values.iter().enumerate() {
            let size = position as u64 + 1;
            theirs.push(*value);
            let leaf = leaf_hash(value);
            kept.leaves.push(leaf);
            ours.push_and_tell(leaf, |node| kept.keep(node));
            let (root, their_root) = (ours.root(), theirs.root());
            assert_eq!(root, <Hash>::from(*their_root.as_bytes()));
            roots.push(root);
            if length == 2000 && size % 2 == 1 {
                continue;
            }

            let index = dice.below(size);
            let at = usize::try_from(index).unwrap();
            let path = Tree::new(&mut kept, size).inclusion_path(index).unwrap();
            let their_proof = theirs.prove_inclusion(at);
            assert_eq!(path.concat(), their_proof.as_bytes());
            let our_proof = InclusionProof::try_from_bytes(path.concat()).unwrap();
            their_root.verify_inclusion(&values[at], index, &our_proof).unwrap();
            verify_inclusion(&kept.leaves[at], index, size, &hashes_of(their_proof.as_bytes()), &root).unwrap();

            let smaller = 1 + dice.below(size);
            let smaller_root = roots[usize::try_from(smaller).unwrap()];
            let path = Tree::new(&mut kept, size).consistency_path(smaller).unwrap();
            if smaller < size {
                let their_proof = theirs.prove_consistency(usize::try_from(size - smaller).unwrap());
                assert_eq!(path.concat(), their_proof.as_bytes());
            }
            let our_proof = ConsistencyProof::try_from_bytes(path.concat()).unwrap();
            their_root.verify_consistency(&RootHash::new(smaller_root.into(), smaller), &our_proof).unwrap();
            verify_consistency((smaller, &smaller_root), (size, &root), &path).unwrap();
            trees += 1;
        }
    }
    assert_eq!(trees, 10_000);
}

fn hashes_of(bytes: &[u8]) -> Vec<Hash> {
    bytes.chunks(32).map(|chunk| chunk.try_into().unwrap()).collect()
}

#[test]
fn any_flipped_bit_of_a_proof_is_refused() {
    let mut dice = Dice(7);
    for size in [1, 2, 3, 7, 8, 21, 64, 100] {
        let leaves: Vec<Hash> = (0..size).map(synthetic).collect();
        let mut kept = InMemory(&leaves);
        let mut tree = Tree::new(&mut kept, size);
        let root = tree.root().unwrap();
        let index = dice.below(size);
        let leaf = leaves[usize::try_from(index).unwrap()];
        let path = tree.inclusion_path(index).unwrap();
        assert_eq!(verify_inclusion(&leaf, index, size, &path, &root), Ok(()));
        for bit in 0..256 {
            assert!(verify_inclusion(&flipped(&leaf, bit), index, size, &path, &root).is_err());
            assert!(verify_inclusion(&leaf, index, size, &path, &flipped(&root, bit)).is_err());
            for at in 0..path.len() {
                let mut other = path.clone();
                other[at] = flipped(&other[at], bit);
                assert!(verify_inclusion(&leaf, index, size, &other, &root).is_err());
            }
        }
        for bit in 0..64 {
            assert!(verify_inclusion(&leaf, index ^ 1 << bit, size, &path, &root).is_err(), "{index} of {size}");
        }
        let smaller = 1 + dice.below(size);
        let smaller_root = naive_root(&leaves[..usize::try_from(smaller).unwrap()]);
        let path = tree.consistency_path(smaller).unwrap();
        assert_eq!(verify_consistency((smaller, &smaller_root), (size, &root), &path), Ok(()));
        for bit in 0..256 {
            let (other, other_root) = (flipped(&smaller_root, bit), flipped(&root, bit));
            assert!(verify_consistency((smaller, &other), (size, &root), &path).is_err());
            assert!(verify_consistency((smaller, &smaller_root), (size, &other_root), &path).is_err());
            for at in 0..path.len() {
                let mut other = path.clone();
                other[at] = flipped(&other[at], bit);
                assert!(verify_consistency((smaller, &smaller_root), (size, &root), &other).is_err());
            }
        }
    }
}

fn flipped(hash: &Hash, bit: usize) -> Hash {
    let mut hash = *hash;
    hash[bit / 8] ^= 1 << (bit % 8);
    hash
}

#[test]
fn a_path_of_another_length_is_refused_and_says_which() {
    let leaves: Vec<Hash> = (0..21).map(synthetic).collect();
    let mut kept = InMemory(&leaves);
    let mut tree = Tree::new(&mut kept, 21);
    let root = tree.root().unwrap();
    let mut path = tree.inclusion_path(4).unwrap();
    let last = path.pop().unwrap();
    assert_eq!(verify_inclusion(&leaves[4], 4, 21, &path, &root), Err(PathFault::TooShort(21)));
    path.extend([last, last]);
    assert_eq!(verify_inclusion(&leaves[4], 4, 21, &path, &root), Err(PathFault::TooLong(21)));
    let smaller_root = naive_root(&leaves[..6]);
    let mut path = tree.consistency_path(6).unwrap();
    let last = path.pop().unwrap();
    assert_eq!(verify_consistency((6, &smaller_root), (21, &root), &path), Err(PathFault::TooShort(21)));
    assert_eq!(verify_consistency((6, &smaller_root), (21, &root), &[]), Err(PathFault::TooShort(21)));
    path.extend([last, last]);
    assert_eq!(verify_consistency((6, &smaller_root), (21, &root), &path), Err(PathFault::TooLong(21)));
    assert_eq!(verify_consistency((21, &root), (21, &root), &path), Err(PathFault::TooLong(21)));
    assert_eq!(verify_consistency((22, &root), (21, &root), &[]), Err(PathFault::Shrunk { smaller: 22, larger: 21 }));
}

#[test]
fn no_size_and_no_index_makes_a_verifier_panic() {
    let ends = [0, 1, 2, 3, 255, 256, u64::MAX / 2, u64::MAX / 2 + 1, u64::MAX / 2 + 2, u64::MAX - 1, u64::MAX];
    let hash = synthetic(1);
    for first in ends {
        for second in ends {
            for length in [0, 1, 2, 62, 63, 64, 65, 200] {
                let path = vec![hash; length];
                assert!(length == 0 || verify_inclusion(&hash, first, second, &path, &hash).is_err());
                assert!(length == 0 || verify_consistency((first, &hash), (second, &hash), &path).is_err());
            }
            let mut nothing = InMemory(&[]);
            let mut tree = Tree::new(&mut nothing, first);
            assert_eq!(tree.inclusion_path(second).is_ok(), first == 1 && second == 0);
            assert_eq!(tree.consistency_path(second).is_ok(), second <= first && (second == 0 || second == first));
            assert_eq!(tree.root().is_ok(), first == 0);
        }
    }
}

#[test]
fn an_empty_tree_is_the_beginning_of_every_tree() {
    let leaves: Vec<Hash> = (0..5).map(synthetic).collect();
    let root = naive_root(&leaves);
    assert_eq!(Tree::new(&mut InMemory(&leaves), 5).consistency_path(0), Ok(Vec::new()));
    assert_eq!(verify_consistency((0, &empty_root()), (5, &root), &[]), Ok(()));
    assert!(verify_consistency((0, &root), (5, &root), &[]).is_err());
}

#[test]
fn paths_from_kept_nodes_equal_those_of_the_definition_at_the_edges_of_the_levels() {
    let mut dice = Dice(3);
    let all: Vec<Hash> = (0..70_000).map(synthetic).collect();
    let mut kept = Kept::default();
    for size in [1, 2, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 70_000] {
        let leaves = &all[..size];
        let known = kept.leaves.len();
        // In uneven chunks, so that checkpoints end anywhere.
        let chunk = usize::try_from(1 + dice.below(9000)).unwrap();
        let root = kept.grow(all[known..size].iter().copied(), chunk);
        assert_eq!(root, naive_root(leaves), "{size} leaves");
        let edges = [usize::try_from(dice.below(size as u64)).unwrap(), size - 1, 0, size / 2];
        // The definition hashes all leaves for each path.
        for &index in if size > 1000 { &edges[..2] } else { &edges } {
            let path = Tree::new(&mut kept, size as u64).inclusion_path(index as u64).unwrap();
            assert_eq!(path, naive_inclusion(index, leaves), "{index} of {size}");
            verify_inclusion(&leaves[index], index as u64, size as u64, &path, &root).unwrap();
            let smaller = index + 1;
            let path = Tree::new(&mut kept, size as u64).consistency_path(smaller as u64).unwrap();
            assert_eq!(path, naive_consistency(smaller, leaves, true), "{smaller} of {size}");
        }
    }
    let nodes: Vec<usize> = kept.nodes.iter().map(Vec::len).collect();
    assert_eq!(nodes, [70_000 / 256, 1, 0]);
}

#[test]
fn a_path_needs_few_short_reads() {
    let mut kept = Kept::default();
    kept.grow((0..70_000).map(synthetic), 70_000);
    (kept.reads, kept.longest) = (0, 0);
    let mut tree = Tree::new(&mut kept, 70_000);
    tree.inclusion_path(33_333).unwrap();
    tree.consistency_path(44_444).unwrap();
    assert!(kept.reads <= 8, "{} reads", kept.reads);
    assert!(kept.longest <= 256, "{} hashes in one read", kept.longest);
}

#[test]
fn a_hash_that_is_not_kept_is_named() {
    let mut kept = Kept::default();
    kept.grow((0..1000).map(synthetic), 1000);
    kept.nodes[0].pop();
    let lacking = TreeFault::Missing { level: 1, from: 0, to: 3 };
    assert_eq!(Tree::new(&mut kept, 1000).root(), Err(lacking));
    assert_eq!(Tree::new(&mut kept, 1000).inclusion_path(1000), Err(TreeFault::Beyond { asked: 1000, size: 1000 }));
}
