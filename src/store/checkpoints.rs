//! Trees over stretches of the line, the roots of their full subtrees, and the checkpoints that were signed over them.

use diesel::prelude::*;

use super::columns::Sum;
use super::delta_entries::{self, EntryRow, Line};
use super::ledger_schema::{checkpoints, merkle_nodes, merkle_trees};
use super::page::Page;
use super::sql::{inside, or_ignore};
use super::{Conn, StoreError, StoreResult};
use crate::domain::ids::{CheckpointId, TenantId};
use crate::domain::merkle::{Hash, Stored};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `merkle_trees`.
#[derive(Clone, Debug, Queryable)]
pub struct TreeRow {
    pub tree_id: i64,
    pub ledger_id: i64,
    pub customer_key: i64,
    pub period: String,
    pub first_leaf: i64,
    pub size: i64,
}

impl TreeRow {
    /// The line that its leaves are of.
    #[must_use]
    pub const fn line(&self) -> Line {
        if self.customer_key == 0 { Line::Ledger(self.ledger_id) } else { Line::Customer(self.customer_key) }
    }
}

/// A row of `checkpoints`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = checkpoints, treat_none_as_default_value = false)]
pub struct CheckpointRow {
    pub checkpoint_id: CheckpointId,
    pub tree_id: i64,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub customer_id: Option<String>,
    pub period: Option<String>,
    pub size: i64,
    pub root: Vec<u8>,
    pub net_change: Sum,
    pub note: String,
    pub created_at: Timestamp,
}

/// The root of a full subtree.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = merkle_nodes, treat_none_as_default_value = false)]
pub struct NodeRow {
    pub tree_id: i64,
    pub level: i64,
    pub position: i64,
    pub hash: Vec<u8>,
}

/// A tenant's checkpoint in a mode, and its tree.
pub fn find(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    checkpoint_id: &CheckpointId,
) -> StoreResult<Option<(CheckpointRow, TreeRow)>> {
    Ok(checkpoints::table
        .inner_join(merkle_trees::table.on(merkle_trees::tree_id.eq(checkpoints::tree_id)))
        .filter(checkpoints::checkpoint_id.eq(checkpoint_id))
        .filter(checkpoints::tenant_id.eq(tenant_id))
        .filter(checkpoints::mode.eq(mode))
        .get_result(conn)
        .optional()?)
}

/// A tenant's newest checkpoint in a mode with this root, and its tree.
pub fn of_root_in(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    root: &[u8],
) -> StoreResult<Option<(CheckpointRow, TreeRow)>> {
    Ok(checkpoints::table
        .inner_join(merkle_trees::table.on(merkle_trees::tree_id.eq(checkpoints::tree_id)))
        .filter(checkpoints::root.eq(root))
        .filter(checkpoints::tenant_id.eq(tenant_id))
        .filter(checkpoints::mode.eq(mode))
        .order(checkpoints::checkpoint_id.desc())
        .first(conn)
        .optional()?)
}

/// The last entry that the first `size` leaves of a tree cover.
pub fn last_entry(conn: &mut Conn, tree: &TreeRow, size: i64) -> StoreResult<Option<EntryRow>> {
    delta_entries::at(conn, tree.line(), tree.first_leaf + size - 1)
}

/// The tree of a scope, if there is one.
pub fn tree(conn: &mut Conn, ledger_id: i64, customer_key: i64, period: &str) -> StoreResult<Option<TreeRow>> {
    Ok(merkle_trees::table
        .filter(merkle_trees::ledger_id.eq(ledger_id))
        .filter(merkle_trees::customer_key.eq(customer_key))
        .filter(merkle_trees::period.eq(period))
        .get_result(conn)
        .optional()?)
}

/// Makes the tree of a scope, unless there is one.
pub fn plant(conn: &mut Conn, ledger_id: i64, customer_key: i64, period: &str, first_leaf: i64) -> StoreResult<()> {
    let values = (
        merkle_trees::ledger_id.eq(ledger_id),
        merkle_trees::customer_key.eq(customer_key),
        merkle_trees::period.eq(period),
        merkle_trees::first_leaf.eq(first_leaf),
        merkle_trees::size.eq(0),
    );
    or_ignore(diesel::insert_into(merkle_trees::table).values(values)).execute(conn)?;
    Ok(())
}

/// Keeps nodes of a tree, which now has all that its first `size` leaves fill. Whoever computes a node computes the same,
/// so that two who do it at once do not meet.
pub fn grow(conn: &mut Conn, tree_id: i64, nodes: &[NodeRow], size: i64) -> StoreResult<()> {
    for node in nodes {
        or_ignore(diesel::insert_into(merkle_nodes::table).values(node)).execute(conn)?;
    }
    let smaller = merkle_trees::table.find(tree_id).filter(merkle_trees::size.lt(size));
    diesel::update(smaller).set(merkle_trees::size.eq(size)).execute(conn)?;
    Ok(())
}

/// Keeps a checkpoint, unless the tree has one of this size; says whether it had none.
pub fn insert(conn: &mut Conn, checkpoint: &CheckpointRow) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(checkpoints::table).values(checkpoint)).execute(conn)? > 0)
}

/// The checkpoint of a tree of this size.
pub fn of_size(conn: &mut Conn, tree_id: i64, size: i64) -> StoreResult<Option<CheckpointRow>> {
    Ok(checkpoints::table
        .filter(checkpoints::tree_id.eq(tree_id))
        .filter(checkpoints::size.eq(size))
        .get_result(conn)
        .optional()?)
}

/// The smallest checkpoint of a tree with at least `size` leaves.
pub fn covering(conn: &mut Conn, tree_id: i64, size: i64) -> StoreResult<Option<CheckpointRow>> {
    Ok(checkpoints::table
        .filter(checkpoints::tree_id.eq(tree_id))
        .filter(checkpoints::size.ge(size))
        .order(checkpoints::size)
        .first(conn)
        .optional()?)
}

/// The newest checkpoint with this root, whosever it is.
pub fn of_root(conn: &mut Conn, root: &[u8]) -> StoreResult<Option<CheckpointRow>> {
    Ok(checkpoints::table
        .filter(checkpoints::root.eq(root))
        .order(checkpoints::checkpoint_id.desc())
        .first(conn)
        .optional()?)
}

/// Checkpoints of a tenant in a mode, newest first; of one customer or one month where told.
pub fn list(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    [customer_id, period]: [Option<&str>; 2],
    offset: i64,
    limit: i64,
) -> StoreResult<Vec<CheckpointRow>> {
    let mut query =
        checkpoints::table.filter(checkpoints::tenant_id.eq(tenant_id)).filter(checkpoints::mode.eq(mode)).into_boxed();
    if let Some(customer_id) = customer_id {
        query = query.filter(checkpoints::customer_id.eq(customer_id.to_owned()));
    }
    if let Some(period) = period {
        query = query.filter(checkpoints::period.eq(period.to_owned()));
    }
    Ok(query.order(checkpoints::checkpoint_id.desc()).offset(offset).limit(limit).load(conn)?)
}

/// A page of a tenant's checkpoints in a mode, newest first; of one customer where told.
pub fn page(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    customer_id: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<CheckpointRow>> {
    let mut query =
        checkpoints::table.filter(checkpoints::tenant_id.eq(tenant_id)).filter(checkpoints::mode.eq(mode)).into_boxed();
    if let Some(customer_id) = customer_id {
        query = query.filter(checkpoints::customer_id.eq(customer_id.to_owned()));
    }
    if let Some(before) = before {
        query = query.filter(checkpoints::checkpoint_id.lt(before.to_owned()));
    }
    let rows = query.order(checkpoints::checkpoint_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &CheckpointRow| row.checkpoint_id.to_string()))
}

/// Hashes of one tree, as the algorithms read them.
pub struct Hashes<'a> {
    /// Where they are kept.
    pub conn: &'a mut Conn,
    /// Which tree.
    pub tree: &'a TreeRow,
}

impl Stored for Hashes<'_> {
    type Error = StoreError;

    fn leaves(&mut self, from: u64, to: u64) -> StoreResult<Vec<Hash>> {
        let (Ok(from), Ok(to)) = (i64::try_from(from), i64::try_from(to)) else { return Err(StoreError::Overflow) };
        let first = self.tree.first_leaf;
        let hashes = delta_entries::leaf_hashes(self.conn, self.tree.line(), first + from, first + to - 1)?;
        as_hashes(hashes)
    }

    fn nodes(&mut self, level: u32, from: u64, to: u64) -> StoreResult<Vec<Hash>> {
        let (Ok(from), Ok(to)) = (i64::try_from(from), i64::try_from(to)) else { return Err(StoreError::Overflow) };
        let nodes = merkle_nodes::table
            .filter(merkle_nodes::tree_id.eq(self.tree.tree_id))
            .filter(merkle_nodes::level.eq(i64::from(level)))
            .filter(merkle_nodes::position.ge(from))
            .filter(merkle_nodes::position.lt(to))
            .order(merkle_nodes::position)
            .select(merkle_nodes::hash);
        as_hashes(inside!(self.conn, |inner| nodes.load(inner))?)
    }
}

fn as_hashes(hashes: Vec<Vec<u8>>) -> StoreResult<Vec<Hash>> {
    hashes.into_iter().map(|hash| hash.try_into().map_err(|_| StoreError::Missing)).collect()
}
