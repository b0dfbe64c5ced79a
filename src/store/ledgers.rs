//! The head of each line of the ledger: one for every tenant and mode. Whoever writes to a line holds its head.

use diesel::prelude::*;

use super::columns::Sum;
use super::ledger_schema::ledgers;
use super::sql::{for_update, inside, or_ignore};
use super::{Conn, StoreError, StoreResult};
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `ledgers`.
#[derive(Clone, Debug, Queryable)]
pub struct LedgerRow {
    pub ledger_id: i64,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub last_sequence: i64,
    pub last_hash: Option<Vec<u8>>,
    pub last_verified_at: Timestamp,
    pub emitted: i64,
    pub emitted_sum: Sum,
}

/// The line of a tenant and mode, if it has one.
pub fn find(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Option<LedgerRow>> {
    Ok(ledgers::table
        .filter(ledgers::tenant_id.eq(tenant_id))
        .filter(ledgers::mode.eq(mode))
        .get_result(conn)
        .optional()?)
}

/// Every line, in the order of their numbers.
pub fn all(conn: &mut Conn) -> StoreResult<Vec<LedgerRow>> {
    Ok(ledgers::table.order(ledgers::ledger_id).load(conn)?)
}

/// The line, made if there is none and held until the transaction's end.
pub fn hold(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<LedgerRow> {
    let line = || for_update(ledgers::table.filter(ledgers::tenant_id.eq(tenant_id)).filter(ledgers::mode.eq(mode)));
    if let Some(row) = inside!(conn, |inner| line().get_result(inner).optional())? {
        return Ok(row);
    }
    let values = (
        ledgers::tenant_id.eq(tenant_id),
        ledgers::mode.eq(mode),
        ledgers::last_sequence.eq(0),
        ledgers::last_verified_at.eq(0),
        ledgers::emitted.eq(0),
        ledgers::emitted_sum.eq("0"),
    );
    or_ignore(diesel::insert_into(ledgers::table).values(values)).execute(conn)?;
    inside!(conn, |inner| line().get_result(inner).optional())?.ok_or(StoreError::Missing)
}

/// Writes where the line ends now.
pub fn save(conn: &mut Conn, row: &LedgerRow) -> StoreResult<()> {
    let values = (
        ledgers::last_sequence.eq(row.last_sequence),
        ledgers::last_hash.eq(&row.last_hash),
        ledgers::last_verified_at.eq(row.last_verified_at),
        ledgers::emitted.eq(row.emitted),
        ledgers::emitted_sum.eq(&row.emitted_sum),
    );
    let line = ledgers::table.find(row.ledger_id);
    inside!(conn, |inner| diesel::update(line).set(values).execute(inner))?;
    Ok(())
}
