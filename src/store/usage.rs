//! What tenants have used of their plans, counted in the transaction of what is counted. One row for each tenant, mode,
//! month and thing; it is what keeps writers that race from passing a limit together.

use diesel::prelude::*;

use super::schema::usage_counters;
use super::sql::or_ignore;
use super::{Conn, StoreError, StoreResult};
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::plans::Period;

/// The counter's row.
macro_rules! row {
    ($counter:expr) => {
        usage_counters::table.find((
            $counter.tenant_id,
            $counter.period.to_string(),
            $counter.name,
            $counter.mode.as_str(),
        ))
    };
}

/// Verified deltas of the ledger.
pub const DELTAS: &str = "deltas";

/// A counter: whose, in which mode and month, of what.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    /// Whose.
    pub tenant_id: &'a TenantId,
    /// In which mode. Each mode is counted by itself, so that a trial uses nothing up that Production has.
    pub mode: Mode,
    /// In which month.
    pub period: Period,
    /// Of what, as [`DELTAS`].
    pub name: &'static str,
}

/// What came of asking for room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reservation {
    /// It is counted. If what it was for does not happen: [`release`].
    Reserved,
    /// Nothing was counted, because so many are used already.
    OverLimit {
        /// How many are used.
        used: i64,
    },
}

/// Counts `number` more, if there are then no more than `limit`. Two that race never pass the limit together: the
/// second waits for the first one's commit.
///
/// # Errors
/// When the database cannot take it, or the sum would not fit.
pub fn reserve(conn: &mut Conn, counter: Counter<'_>, number: i64, limit: Option<i64>) -> StoreResult<Reservation> {
    // The largest count from which `number` more are allowed.
    let most_before = limit.unwrap_or(i64::MAX).checked_sub(number).ok_or(StoreError::Overflow)?;
    if add(conn, counter, number, most_before)? {
        return Ok(Reservation::Reserved);
    }
    // Perhaps nothing was counted this month yet: whoever sees no row makes it.
    open(conn, counter)?;
    if add(conn, counter, number, most_before)? {
        return Ok(Reservation::Reserved);
    }
    Ok(Reservation::OverLimit { used: used(conn, counter)? })
}

/// Takes back what was counted for something that did not happen; says whether so much was counted.
///
/// # Errors
/// When the database cannot take it.
pub fn release(conn: &mut Conn, counter: Counter<'_>, number: i64) -> StoreResult<bool> {
    let counted = row!(counter).filter(usage_counters::used.ge(number));
    Ok(diesel::update(counted).set(usage_counters::used.eq(usage_counters::used - number)).execute(conn)? > 0)
}

/// How many are used.
///
/// # Errors
/// When the database cannot be read.
pub fn used(conn: &mut Conn, counter: Counter<'_>) -> StoreResult<i64> {
    Ok(row!(counter).select(usage_counters::used).get_result(conn).optional()?.unwrap_or(0))
}

/// Makes the counter with nothing on it; says whether there was none.
///
/// # Errors
/// When the database cannot take it.
pub fn open(conn: &mut Conn, counter: Counter<'_>) -> StoreResult<bool> {
    let values = (
        usage_counters::tenant_id.eq(counter.tenant_id),
        usage_counters::mode.eq(counter.mode.as_str()),
        usage_counters::period.eq(counter.period.to_string()),
        usage_counters::name.eq(counter.name),
        usage_counters::used.eq(0),
    );
    Ok(or_ignore(diesel::insert_into(usage_counters::table).values(values)).execute(conn)? > 0)
}

fn add(conn: &mut Conn, counter: Counter<'_>, number: i64, most_before: i64) -> StoreResult<bool> {
    let with_room = row!(counter).filter(usage_counters::used.le(most_before));
    Ok(diesel::update(with_room).set(usage_counters::used.eq(usage_counters::used + number)).execute(conn)? > 0)
}
