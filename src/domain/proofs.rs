//! What a person who has a delta's proof or a scope's receipt, and the published key, can find out without asking us.
//!
//! Each check has its outcome and a sentence. The formats of leaves, trees and notes are in `leaves`, `merkle`, `notes`.

use std::ops::Range;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::decimals::Decimal;
use super::leaves::Leaf;
use super::merkle::{Frontier, Hash, InMemory, Tree, parse_hash, verify_inclusion};
use super::notes::{CheckpointText, SignedNote, VerifierKey, moments_of, origin};
use super::time::Timestamp;

/// What proves one delta.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeltaProof {
    /// The delta.
    pub record_id: String,
    /// Its place in the tree, from 0.
    pub leaf_index: u64,
    /// Leaves of the tree.
    pub tree_size: u64,
    /// From the leaf to the root.
    #[serde(with = "hex_hashes")]
    pub audit_path: Vec<Hash>,
    /// The tree's root.
    #[serde(with = "hex_hash")]
    pub proof_root: Hash,
    /// The leaf's hash.
    #[serde(with = "hex_hash")]
    pub leaf_hash: Hash,
    /// What the leaf says.
    pub leaf: Leaf<'static>,
    /// The signed checkpoint of the tree.
    pub checkpoint: SignedCheckpoint,
}

/// A checkpoint as proofs and receipts carry it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedCheckpoint {
    /// The checkpoint.
    pub checkpoint_id: String,
    /// The customer whose tree it is, or everybody's.
    #[serde(default)]
    pub customer_id: Option<String>,
    /// The month of the tree, `2026-01`, or all time.
    #[serde(default)]
    pub period: Option<String>,
    /// Leaves of the tree.
    pub tree_size: u64,
    /// The tree's root.
    #[serde(with = "hex_hash")]
    pub proof_root: Hash,
    /// The signed note.
    pub note: String,
}

/// The deltas of a scope, all of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Receipt {
    /// The root of the scope's tree.
    #[serde(with = "hex_hash")]
    pub proof_root: Hash,
    /// The signed checkpoint of the tree.
    pub checkpoint: SignedCheckpoint,
    /// What the leaves say, in order.
    pub leaves: Vec<Leaf<'static>>,
    /// What the deltas come to, if it is told.
    #[serde(default, deserialize_with = "optional_decimal")]
    pub net_change: Option<Decimal>,
}

/// A proof or a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Document {
    /// Of one delta.
    Proof(Box<DeltaProof>),
    /// Of a scope.
    Receipt(Box<Receipt>),
}

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// It could not be looked at.
    NotChecked,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What, as a word for programs: `leaf`, `inclusion`, `root`, `chain`, `sum`, `checkpoint`, `origin`, `signature`.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// The same for people, in one sentence.
    pub sentence: String,
}

/// Everything that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Findings {
    /// Whether every check passed.
    pub verified: bool,
    /// Each check.
    pub checks: Vec<Check>,
}

impl Document {
    /// Reads a proof or a receipt, alone or as the `data` of an answer.
    ///
    /// # Errors
    /// A sentence that says what is wrong, and where.
    pub fn parse(json: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Shape<'a> {
            #[serde(borrow)]
            data: Option<&'a RawValue>,
            leaf: Option<&'a RawValue>,
            leaves: Option<&'a RawValue>,
        }
        let not_json = |error: serde_json::Error| format!("this is not a JSON object: {error}");
        let mut json = json.trim_start_matches('\u{FEFF}');
        let mut shape: Shape<'_> = serde_json::from_str(json).map_err(not_json)?;
        if let (Some(data), None, None) = (shape.data, shape.leaf, shape.leaves) {
            json = data.get();
            shape = serde_json::from_str(json).map_err(not_json)?;
        }
        // A list of a struct's values would be taken for the struct.
        let leaves: Vec<&RawValue> = match (shape.leaf, shape.leaves) {
            (Some(leaf), _) => vec![leaf],
            (None, Some(leaves)) => {
                serde_json::from_str(leaves.get()).map_err(|_| "leaves is not a list".to_owned())?
            }
            (None, None) => Vec::new(),
        };
        if leaves.iter().any(|leaf| !leaf.get().starts_with('{')) {
            return Err("a leaf is not an object".to_owned());
        }
        if shape.leaf.is_some() {
            let proof = serde_json::from_str(json).map_err(|error| format!("this is not a delta's proof: {error}"))?;
            Ok(Self::Proof(Box::new(proof)))
        } else if shape.leaves.is_some() {
            let receipt = serde_json::from_str(json).map_err(|error| format!("this is not a receipt: {error}"))?;
            Ok(Self::Receipt(Box::new(receipt)))
        } else {
            Err("this is neither a delta's proof, which has a leaf, nor a receipt, which has leaves".to_owned())
        }
    }

    /// Looks at everything that the document claims. Without a key the signature is not checked, and so not verified.
    #[must_use]
    pub fn check(&self, key: Option<&VerifierKey>) -> Findings {
        let checks = match self {
            Self::Proof(proof) => proof.checks(key),
            Self::Receipt(receipt) => receipt.checks(key),
        };
        Findings { verified: checks.iter().all(|check| check.outcome == Outcome::Passed), checks }
    }

    /// The root of the tree that the document is of.
    #[must_use]
    pub fn proof_root(&self) -> Hash {
        match self {
            Self::Proof(proof) => proof.proof_root,
            Self::Receipt(receipt) => receipt.proof_root,
        }
    }

    /// The leaves that the document shows.
    #[must_use]
    pub fn leaves(&self) -> &[Leaf<'static>] {
        match self {
            Self::Proof(proof) => std::slice::from_ref(&proof.leaf),
            Self::Receipt(receipt) => &receipt.leaves,
        }
    }
}

impl DeltaProof {
    fn checks(&self, key: Option<&VerifierKey>) -> Vec<Check> {
        let hash = self.leaf.hash();
        let leaf = if hash != self.leaf_hash {
            Err(format!("The delta's fields hash to {}, not to the proof's leafHash.", hex::encode(hash)))
        } else if self.record_id != self.leaf.record_id {
            Err(format!(
                "The proof is said to be of {:?}, but its leaf is of {:?}.",
                self.record_id, self.leaf.record_id
            ))
        } else {
            Ok("The delta's fields hash to the leaf hash of the proof.".to_owned())
        };
        let included = verify_inclusion(&hash, self.leaf_index, self.tree_size, &self.audit_path, &self.proof_root);
        let place = format!("leaf {} of {}", self.leaf_index, self.tree_size);
        let inclusion = match included {
            Ok(()) => Ok(format!("The delta is {place} in the tree of the proof root.")),
            Err(fault) => Err(format!("The delta is not shown to be {place} in the tree: {fault}.")),
        };
        let mut checks = vec![check("leaf", leaf), check("inclusion", inclusion)];
        let claimed = (self.proof_root, self.tree_size);
        checks.extend(self.checkpoint.checks(claimed, std::slice::from_ref(&self.leaf), key));
        checks
    }
}

impl Receipt {
    fn checks(&self, key: Option<&VerifierKey>) -> Vec<Check> {
        let hashes: Vec<Hash> = self.leaves.iter().map(Leaf::hash).collect();
        let size = self.leaves.len() as u64;
        let root = root_of(&hashes);
        let root = if root == self.proof_root {
            Ok(format!("All {size} deltas, in this order, hash to the proof root."))
        } else {
            Err(format!("The {size} deltas hash to the root {}, not to the proof root.", hex::encode(root)))
        };
        let mut checks = vec![check("root", root), check("chain", chain(&self.leaves, &hashes))];
        if let Some(net_change) = self.net_change {
            checks.push(check("sum", sum(&self.leaves, net_change)));
        }
        checks.extend(self.checkpoint.checks((self.proof_root, size), &self.leaves, key));
        checks
    }

    /// The proof of one delta, out of the receipt of all.
    ///
    /// # Errors
    /// A sentence: the delta is not in the receipt, or the receipt's leaves do not make its tree.
    pub fn prove(&self, record_id: &str) -> Result<DeltaProof, String> {
        let index = self.leaves.iter().position(|leaf| leaf.record_id == record_id);
        let index = index.ok_or_else(|| format!("the receipt has no delta {record_id}"))?;
        let hashes: Vec<Hash> = self.leaves.iter().map(Leaf::hash).collect();
        let size = hashes.len() as u64;
        if root_of(&hashes) != self.proof_root || self.checkpoint.tree_size != size {
            return Err(format!("the receipt's {size} leaves do not hash to its proof root, so they prove nothing"));
        }
        let mut kept = InMemory(&hashes);
        let path = Tree::new(&mut kept, size).inclusion_path(index as u64).map_err(|fault| fault.to_string())?;
        Ok(DeltaProof {
            record_id: record_id.to_owned(),
            leaf_index: index as u64,
            tree_size: size,
            audit_path: path,
            proof_root: self.proof_root,
            leaf_hash: hashes[index],
            leaf: self.leaves[index].clone(),
            checkpoint: self.checkpoint.clone(),
        })
    }
}

impl SignedCheckpoint {
    /// What its note says of the claimed root and size and of the leaves, and whether the key signed it.
    fn checks(&self, claimed: (Hash, u64), leaves: &[Leaf<'_>], key: Option<&VerifierKey>) -> [Check; 3] {
        let note = SignedNote::parse(&self.note);
        let text = match &note {
            Ok(note) => {
                CheckpointText::parse(note.text()).map_err(|fault| format!("The checkpoint cannot be read: {fault}."))
            }
            Err(fault) => Err(format!("The checkpoint cannot be read: {fault}.")),
        };
        let tree = text.clone().and_then(|text| self.check_tree(claimed, &text));
        let origin = text.and_then(|text| self.check_origin(&text, leaves, key));
        let signature = match (note, key) {
            (Err(fault), _) => check("signature", Err(format!("The signature cannot be read: {fault}."))),
            (Ok(_), None) => Check {
                name: "signature",
                outcome: Outcome::NotChecked,
                sentence: "The signature was not checked, because no key was given.".to_owned(),
            },
            (Ok(note), Some(key)) => check(
                "signature",
                match note.verify(key) {
                    Ok(()) => Ok(format!("The checkpoint is signed by the key {}.", key.short())),
                    Err(fault) => Err(format!("The checkpoint is not signed: {fault}.")),
                },
            ),
        };
        [check("checkpoint", tree), check("origin", origin), signature]
    }

    fn check_tree(&self, (root, size): (Hash, u64), text: &CheckpointText) -> Result<String, String> {
        if text.root != root || self.proof_root != root {
            let other = if text.root == root { self.proof_root } else { text.root };
            return Err(format!("The checkpoint is of the root {}, not of the proof root.", hex::encode(other)));
        }
        if text.size != size || self.tree_size != size {
            let other = if text.size == size { self.tree_size } else { text.size };
            return Err(format!("The checkpoint is of a tree of {other} deltas, not of {size}."));
        }
        Ok(format!("The checkpoint is of the proof root and of {size} deltas."))
    }

    /// Whether the note is of the tree that the leaves belong to: of their tenant, mode, customer and time.
    fn check_origin(
        &self,
        text: &CheckpointText,
        leaves: &[Leaf<'_>],
        key: Option<&VerifierKey>,
    ) -> Result<String, String> {
        let Some(first) = leaves.first() else {
            return Err("There is no delta that would tell whose tree it is.".to_owned());
        };
        let moments = self.period.as_deref().map(moments_of);
        for leaf in leaves {
            let record = &leaf.record_id;
            if (&leaf.tenant_id, leaf.mode) != (&first.tenant_id, first.mode) {
                return Err(format!("The delta {record} is of another tenant or mode than the first."));
            }
            if self.customer_id.as_deref().is_some_and(|customer| customer != leaf.customer_id) {
                return Err(format!("The delta {record} is of another customer than the checkpoint."));
            }
            let verified_at = Timestamp::parse_rfc3339(&leaf.verified_at);
            let is_within = |moments: &Option<Range<Timestamp>>| {
                moments.as_ref().zip(verified_at).is_some_and(|(moments, at)| moments.contains(&at))
            };
            if moments.as_ref().is_some_and(|moments| !is_within(moments)) {
                return Err(format!("The delta {record} is of another time than the checkpoint."));
            }
        }
        // Without a key the name that the note itself gives is taken; whose name it is, only the signature tells.
        let tail = origin("", &first.tenant_id, first.mode, self.customer_id.as_deref(), self.period.as_deref());
        let is_of_this_tree = match key {
            Some(key) => text.origin.strip_prefix(key.name()) == Some(tail.as_str()),
            None => text.origin.ends_with(&tail),
        };
        if !is_of_this_tree {
            return Err(format!("The checkpoint is of the tree {:?}, which is not that of these deltas.", text.origin));
        }
        Ok(format!("The checkpoint is of the tree {}, where these deltas belong.", text.origin))
    }
}

fn check(name: &'static str, found: Result<String, String>) -> Check {
    let (outcome, sentence) = match found {
        Ok(sentence) => (Outcome::Passed, sentence),
        Err(sentence) => (Outcome::Failed, sentence),
    };
    Check { name, outcome, sentence }
}

fn root_of(hashes: &[Hash]) -> Hash {
    let mut frontier = Frontier::new();
    hashes.iter().for_each(|hash| frontier.push(*hash));
    frontier.root()
}

/// Whether the leaves are in order, and each that follows the one before it in the ledger names its hash.
fn chain(leaves: &[Leaf<'_>], hashes: &[Hash]) -> Result<String, String> {
    let mut adjacent = 0;
    for (at, leaf) in leaves.iter().enumerate() {
        let record = &leaf.record_id;
        match (leaf.sequence_number, leaf.previous_proof_hash) {
            (1, Some(_)) => {
                return Err(format!("The delta {record} is its ledger's first, and yet names one before it."));
            }
            (2.., None) => return Err(format!("The delta {record} names no delta before it.")),
            _ => {}
        }
        let Some(before) = at.checked_sub(1) else { continue };
        let gap = leaf.sequence_number.checked_sub(leaves[before].sequence_number);
        match gap {
            None | Some(0) => return Err(format!("The delta {record} is out of order.")),
            Some(1) if leaf.previous_proof_hash != Some(hashes[before]) => {
                return Err(format!("The delta {record} does not name the hash of the one before it."));
            }
            Some(1) => adjacent += 1,
            Some(_) => {}
        }
    }
    Ok(format!("The deltas are in order, and each of the {adjacent} that directly follow another names its hash."))
}

fn sum(leaves: &[Leaf<'_>], net_change: Decimal) -> Result<String, String> {
    let sum = leaves.iter().try_fold(Decimal::ZERO, |sum, leaf| sum.checked_add(Decimal::parse(&leaf.delta)?));
    match sum {
        Some(sum) if sum == net_change => Ok(format!("The deltas come to {sum}, as the receipt says.")),
        Some(sum) => Err(format!("The deltas come to {sum}, not to the {net_change} that the receipt says.")),
        None => Err("The deltas come to more than can be counted.".to_owned()),
    }
}

/// A number, as its text spells it, or a text that spells one.
fn optional_decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    let Some(raw) = Option::<Box<RawValue>>::deserialize(deserializer)? else { return Ok(None) };
    let text = raw.get();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    Decimal::parse(text).map(Some).ok_or_else(|| serde::de::Error::custom(format!("netChange {text} is not a decimal")))
}

mod hex_hash {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Hash, parse_hash};

    pub(super) fn serialize<S: Serializer>(hash: &Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse_hash(&text).ok_or_else(|| D::Error::custom("a hash is not 64 hexadecimal digits"))
    }
}

mod hex_hashes {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Hash, parse_hash};

    pub(super) fn serialize<S: Serializer>(hashes: &[Hash], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(hashes.iter().map(hex::encode))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Hash>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        let hashes: Option<Vec<Hash>> = texts.iter().map(|text| parse_hash(text)).collect();
        hashes.ok_or_else(|| D::Error::custom("a hash of the path is not 64 hexadecimal digits"))
    }
}
