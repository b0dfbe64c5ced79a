//! The audit of trees and checkpoints: each tree is grown anew from the leaves in its line, its nodes and the root of every
//! checkpoint are compared on the way, and the checkpoints' notes are read and their signatures checked.

use std::collections::VecDeque;
use std::ops::Range;

use super::Gateway;
use super::auditing::{AT_ONCE, Audit};
use crate::domain::ids::CheckpointId;
use crate::domain::merkle::{Frontier, Hash, Node};
use crate::domain::mode::Mode;
use crate::domain::notes::{CheckpointText, SignedNote, VerifierKey, moments_of, origin};
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::delta_entries::Line;
use crate::store::ledger_audit::{self, PlacedLeaf, Planted, Signed};
use crate::store::{Conn, StoreError};

/// Leaves that are read at once: a multiple of what one node of the first level covers.
const LEAVES_AT_ONCE: i64 = 8192;

/// A tree with the scope that it has to have.
struct Scoped {
    row: Planted,
    tenant_id: String,
    mode: String,
    line: Line,
    /// The moments that it covers; all when `None`.
    moments: Option<Range<Timestamp>>,
}

/// A tree that grows again.
struct Growth {
    frontier: Frontier,
    /// The sum before the first leaf.
    base: i128,
    /// Checkpoints that come next, the smallest first, and whether there are no more.
    next: VecDeque<Signed>,
    are_all: bool,
    last_size: i64,
    /// Whether a wrong node, and a wrong checkpoint, were told of.
    told: [bool; 2],
}

impl Scoped {
    fn line(&self) -> Option<(&str, &str)> {
        Some((self.tenant_id.as_str(), self.mode.as_str()))
    }

    fn named(&self) -> String {
        let whose = self.row.owner_id.as_deref().map_or_else(|| "all".to_owned(), |id| format!("customer {id}"));
        let period = if self.row.period.is_empty() { "up to now" } else { self.row.period.as_str() };
        format!("tree {} of {whose}, {period}", self.row.tree_id)
    }
}

impl Gateway {
    /// Grows every tree anew.
    pub(super) async fn audit_trees(&self, audit: &mut Audit<'_>) -> Outcome<()> {
        let mut after = i64::MIN;
        loop {
            let (rows, is_last) =
                match self.chunk(AT_ONCE, move |conn, most| ledger_audit::trees(conn, after, most)).await? {
                    Ok(read) => read,
                    Err(error) => {
                        audit.unreadable(None, format!("the tree behind {after}"), &error);
                        return Ok(());
                    }
                };
            let last = rows.last().map(|row| row.tree_id);
            for row in rows {
                if let Some(tree) = scoped(audit, row) {
                    audit.so_far.trees += 1;
                    self.audit_tree(audit, &tree).await?;
                }
            }
            match last {
                Some(last) if !is_last && audit.is_onward(&after, &last) => after = last,
                _ => return Ok(()),
            }
        }
    }

    async fn audit_tree(&self, audit: &mut Audit<'_>, tree: &Scoped) -> Outcome<()> {
        let Planted { first_leaf, size, largest, surplus, .. } = tree.row;
        if size != largest.unwrap_or(0) {
            audit.wrong(tree.line(), tree.named(), "size", [&largest.unwrap_or(0), &size]);
        }
        if surplus != 0 {
            audit.wrong(tree.line(), tree.named(), "nodes beyond its leaves", [&0, &surplus]);
        }
        if first_leaf < 1 || (tree.moments.is_none() && first_leaf != 1) {
            audit.wrong(tree.line(), tree.named(), "first leaf", [&1, &first_leaf]);
            return Ok(());
        }
        let size = size.max(largest.unwrap_or(0));
        let mut growth = Growth {
            frontier: Frontier::new(),
            base: 0,
            next: VecDeque::new(),
            are_all: false,
            last_size: i64::MIN,
            told: [false; 2],
        };
        // One leaf more at the beginning: the sum before the first, and that the first is the first of its time.
        let mut from = (first_leaf - 1).max(1);
        let end = first_leaf.saturating_add(size) - 1;
        while from <= end {
            let (to, line) = (end.min(from.saturating_add(LEAVES_AT_ONCE - 1)), tree.line);
            let leaves = match self.store.read(move |conn| ledger_audit::leaves(conn, line, from, to)).await {
                Ok(leaves) => leaves,
                Err(error @ StoreError::Query(_)) => {
                    audit.unreadable(tree.line(), format!("{}: leaves from {from} to {to}", tree.named()), &error);
                    return Ok(());
                }
                Err(error) => return Err(error.into()),
            };
            audit.advance(leaves.len());
            let mut nodes = Vec::new();
            for (index, leaf) in leaves.iter().enumerate() {
                if leaf.number != from.saturating_add(index as i64)
                    || !self.audit_leaf(audit, tree, &mut growth, leaf, &mut nodes).await?
                {
                    break;
                }
            }
            let there = growth.frontier.size();
            if i64::try_from(there).unwrap_or(i64::MAX) != to - first_leaf + 1 {
                let subject = format!("{}: leaf {there}", tree.named());
                audit.wrong(tree.line(), subject, "entry", [&"one of its line", &"none, or one that cannot be"]);
                self.read_signed(audit, tree, &mut growth).await?;
                if let Some(row) = growth.next.pop_front() {
                    let subject = format!("checkpoint {}", row.checkpoint_id);
                    audit.wrong(tree.line(), subject, "size", [&format!("at most {there}"), &row.size]);
                }
                return Ok(());
            }
            self.audit_nodes(audit, tree, &mut growth, &nodes).await?;
            from = to + 1;
        }
        // What is larger than the tree, or smaller than a tree can be, was not met on the way.
        self.read_signed(audit, tree, &mut growth).await?;
        if let Some(row) = growth.next.pop_front() {
            let subject = format!("checkpoint {}", row.checkpoint_id);
            audit.wrong(tree.line(), subject, "size", [&format!("from 1 to {size}, each once"), &row.size]);
        }
        Ok(())
    }

    /// Adds a leaf and checks the checkpoint that ends with it; says whether it could be added.
    async fn audit_leaf(
        &self,
        audit: &mut Audit<'_>,
        tree: &Scoped,
        growth: &mut Growth,
        leaf: &PlacedLeaf,
        nodes: &mut Vec<Node>,
    ) -> Outcome<bool> {
        let verified_at = Timestamp::from_unix_micros(leaf.verified_at);
        let sum = leaf.sum.parse::<i128>();
        if leaf.number < tree.row.first_leaf {
            if tree.moments.as_ref().is_some_and(|moments| verified_at >= moments.start) {
                let expected = "the first of its time";
                audit.wrong(tree.line(), tree.named(), "first leaf", [&expected, &tree.row.first_leaf]);
            }
            growth.base = sum.unwrap_or(0);
            return Ok(true);
        }
        if tree.moments.as_ref().is_some_and(|moments| !moments.contains(&verified_at)) {
            let subject = format!("{}: leaf {}", tree.named(), growth.frontier.size());
            audit.wrong(tree.line(), subject, "verified at", [&"a moment of its time", &verified_at.to_rfc3339()]);
        }
        let Ok(hash) = Hash::try_from(leaf.leaf_hash.as_slice()) else { return Ok(false) };
        growth.frontier.push_and_tell(hash, |node| nodes.push(node));
        let size = i64::try_from(growth.frontier.size()).unwrap_or(i64::MAX);
        self.read_signed(audit, tree, growth).await?;
        while growth.next.front().is_some_and(|next| next.size == size) {
            let Some(row) = growth.next.pop_front() else { break };
            let is_twin = growth.last_size == size;
            growth.last_size = size;
            audit.so_far.checkpoints += 1;
            let net_change = sum.as_ref().ok().and_then(|sum| sum.checked_sub(growth.base));
            let mut differences = signed_differences(tree, &row, &growth.frontier.root(), net_change, &audit.key);
            if is_twin {
                differences.push(("size", "of no other checkpoint of the tree".to_owned(), size.to_string()));
            }
            if !differences.is_empty() && growth.told[1] {
                audit.so_far.further += 1;
                continue;
            }
            for (what, expected, found) in differences {
                growth.told[1] = true;
                audit.wrong(tree.line(), format!("checkpoint {}", row.checkpoint_id), what, [&expected, &found]);
            }
        }
        Ok(true)
    }

    /// Sees to it that the next checkpoint of the tree is known, if there is one.
    async fn read_signed(&self, audit: &mut Audit<'_>, tree: &Scoped, growth: &mut Growth) -> Outcome<()> {
        if !growth.next.is_empty() || growth.are_all {
            return Ok(());
        }
        let (tree_id, after, largest) = (tree.row.tree_id, growth.last_size, tree.row.largest.unwrap_or(i64::MIN));
        let read = move |conn: &mut Conn, most| ledger_audit::signed(conn, tree_id, after, largest, most);
        match self.chunk(AT_ONCE, read).await? {
            Ok((rows, is_last)) => {
                growth.are_all = is_last;
                growth.next.extend(rows);
            }
            Err(error) => {
                growth.are_all = true;
                let subject = format!("{}: the checkpoint behind the one of {after} leaves", tree.named());
                audit.unreadable(tree.line(), subject, &error);
            }
        }
        Ok(())
    }

    /// The nodes that leaves have made are those that are kept.
    async fn audit_nodes(
        &self,
        audit: &mut Audit<'_>,
        tree: &Scoped,
        growth: &mut Growth,
        nodes: &[Node],
    ) -> Outcome<()> {
        for level in 1..=crate::domain::merkle::LEVELS {
            let expected: Vec<(i64, &Hash)> = nodes
                .iter()
                .filter(|node| node.level == level)
                .map(|node| (i64::try_from(node.position).unwrap_or(i64::MAX), &node.hash))
                .collect();
            let (Some((first, _)), Some((last, _))) = (expected.first().copied(), expected.last().copied()) else {
                continue;
            };
            let tree_id = tree.row.tree_id;
            let read = move |conn: &mut Conn| ledger_audit::nodes(conn, tree_id, i64::from(level), first, last);
            let kept = match self.store.read(read).await {
                Ok(kept) => kept,
                Err(error @ StoreError::Query(_)) => {
                    audit.unreadable(tree.line(), format!("{}: nodes of level {level}", tree.named()), &error);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            for (position, hash) in expected {
                let mut of_it = kept.iter().filter(|node| node.position == position);
                let found = of_it.next();
                if found.is_some_and(|node| node.hash == hash) && of_it.next().is_none() {
                    continue;
                }
                if std::mem::replace(&mut growth.told[0], true) {
                    audit.so_far.further += 1;
                    continue;
                }
                let subject = format!("{}: node {position} of level {level}", tree.named());
                let found = found.map_or_else(|| "none".to_owned(), |node| hex::encode(&node.hash));
                audit.wrong(tree.line(), subject, "hash", [&hex::encode(hash), &found]);
            }
        }
        Ok(())
    }
}

/// The tree with its scope, if it is one of those that are audited; what has none is told of.
fn scoped(audit: &mut Audit<'_>, row: Planted) -> Option<Scoped> {
    let (Some(tenant_id), Some(mode)) = (row.tenant_id.clone(), row.mode.clone()) else {
        audit.wrong(None, format!("tree {}", row.tree_id), "ledger", [&"one that is there", &row.ledger_id]);
        return None;
    };
    if !audit.wants(&tenant_id, &mode) {
        return None;
    }
    let line = Some((tenant_id.as_str(), mode.as_str()));
    let owner = (row.owner_tenant_id.as_deref(), row.owner_mode.as_deref());
    if row.customer_key != 0 && owner != (Some(&tenant_id), Some(&mode)) {
        let expected = "a customer of the line";
        audit.wrong(line, format!("tree {}", row.tree_id), "customer", [&expected, &row.customer_key]);
        return None;
    }
    let moments = moments_of(&row.period);
    if moments.is_none() && !row.period.is_empty() {
        audit.wrong(
            line,
            format!("tree {}", row.tree_id),
            "period",
            [&"a month, or from one moment to another", &row.period],
        );
        return None;
    }
    let line = if row.customer_key == 0 { Line::Ledger(row.ledger_id) } else { Line::Customer(row.customer_key) };
    Some(Scoped { row, tenant_id, mode, line, moments })
}

/// What of a checkpoint is not as its tree makes it.
fn signed_differences(
    tree: &Scoped,
    row: &Signed,
    root: &Hash,
    net_change: Option<i128>,
    key: &VerifierKey,
) -> Vec<(&'static str, String, String)> {
    let mut all = Vec::new();
    let mut same = |what, expected: String, found: String| {
        if expected != found {
            all.push((what, expected, found));
        }
    };
    let or_none = |text: Option<&str>| text.map_or_else(|| "none".to_owned(), str::to_owned);
    let period = Some(tree.row.period.as_str()).filter(|period| !period.is_empty());
    same("tenant", tree.tenant_id.clone(), row.tenant_id.clone());
    same("mode", tree.mode.clone(), row.mode.clone());
    same("customer", or_none(tree.row.owner_id.as_deref()), or_none(row.customer_id.as_deref()));
    same("period", or_none(period), or_none(row.period.as_deref()));
    same("root", hex::encode(root), hex::encode(&row.root));
    let net_change = net_change.map_or_else(|| "the sum of its deltas".to_owned(), |sum| sum.to_string());
    same("net change in millionths", net_change, row.net_change.clone());
    let made = Timestamp::from_unix_micros(row.created_at);
    let ids = (CheckpointId::earliest_at(made), CheckpointId::latest_at(made));
    if !CheckpointId::parse(&row.checkpoint_id).is_some_and(|id| ids.0 <= id && id <= ids.1) {
        same("id", format!("one made at {}", made.to_rfc3339()), row.checkpoint_id.clone());
    }
    if let Err((expected, found)) = check_note(tree, row, root, key) {
        same("note", expected, found);
    }
    all
}

/// Whether the note is the one that the key signed over this root.
fn check_note(tree: &Scoped, row: &Signed, root: &Hash, key: &VerifierKey) -> Result<(), (String, String)> {
    let signed = || format!("a note that the key {} signed", key.short());
    let note = SignedNote::parse(&row.note).map_err(|fault| (signed(), fault.to_string()))?;
    let mut signers = note.signers();
    let (Some(name), None) = (signers.next(), signers.next()) else {
        return Err((signed(), "a note with several signatures".to_owned()));
    };
    let key = key.under(name).map_err(|fault| (signed(), fault.to_string()))?;
    note.verify(&key).map_err(|fault| (signed(), fault.to_string()))?;
    let period = Some(tree.row.period.as_str()).filter(|period| !period.is_empty());
    let mode = Mode::parse(&tree.mode).unwrap_or(Mode::Test);
    let origin = origin(name, &tree.tenant_id, mode, tree.row.owner_id.as_deref(), period);
    let size = u64::try_from(row.size).unwrap_or(0);
    let text = CheckpointText { origin, size, root: *root }.to_string();
    if note.text() == text { Ok(()) } else { Err((format!("{text:?}"), format!("{:?}", note.text()))) }
}
