//! Writes: the line that each tenant and mode has, the requests in it, and what verified items add up to under keys.

use diesel::prelude::*;

use super::ledger_schema::{write_buckets, write_lines, write_requests};
use super::sql::{condition, for_update, inside, or_ignore};
use super::{Conn, StoreResult};
use crate::domain::ids::{TenantId, WriteRequestId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// Rows in one statement: their values stay well below what either database takes.
const CHUNK: usize = 500;

condition! {
    /// Something waits in the line.
    HasPending = "pending > 0"
}

/// A row of `write_requests`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = write_requests, treat_none_as_default_value = false)]
pub struct WriteRequestRow {
    pub request_id: WriteRequestId,
    pub tenant_id: TenantId,
    pub mode: Mode,
    /// Its place in the line, from 1 without gaps.
    pub sequence: i64,
    pub item_count: i64,
    /// A JSON array of [`crate::domain::writes::WriteItem`].
    pub items: String,
    /// Once verified: a JSON array with null or a reason for each item.
    pub outcomes: Option<String>,
    pub created_at: Timestamp,
    pub verified_at: Option<Timestamp>,
}

/// A row of `write_buckets`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = write_buckets, treat_none_as_default_value = false)]
pub struct BucketRow {
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub key: String,
    pub account_id: String,
    pub bits: i64,
    pub writes: i64,
    pub metadata: Option<String>,
    pub last_write_at: Timestamp,
}

/// Takes `items` more into the line if then no more than `limit` wait in it; says the request's place, from 1. Whoever
/// comes next in the line waits for this one's commit, so places are in the order of commits and without gaps.
pub fn take_place(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    items: i64,
    limit: i64,
    now: Timestamp,
) -> StoreResult<Option<i64>> {
    if let Some(place) = enter(conn, tenant_id, mode, items, limit)? {
        return Ok(Some(place));
    }
    // Perhaps there is no line yet: whoever sees none makes it.
    let line = (
        write_lines::tenant_id.eq(tenant_id),
        write_lines::mode.eq(mode),
        write_lines::accepted.eq(0),
        write_lines::pending.eq(0),
        write_lines::verified_at.eq(now),
    );
    or_ignore(diesel::insert_into(write_lines::table).values(line)).execute(conn)?;
    enter(conn, tenant_id, mode, items, limit)
}

fn enter(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, items: i64, limit: i64) -> StoreResult<Option<i64>> {
    let line = write_lines::table.find((tenant_id, mode.as_str())).filter(write_lines::pending.le(limit - items));
    let more =
        (write_lines::accepted.eq(write_lines::accepted + 1), write_lines::pending.eq(write_lines::pending + items));
    let taken = diesel::update(line).set(more).returning(write_lines::accepted).get_result(conn);
    Ok(taken.optional()?)
}

/// Adds a request to the line.
pub fn insert(conn: &mut Conn, row: &WriteRequestRow) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(write_requests::table).values(row).execute(inner))?;
    Ok(())
}

/// A tenant's request in a mode.
pub fn find(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    request_id: &WriteRequestId,
) -> StoreResult<Option<WriteRequestRow>> {
    let own = write_requests::table
        .find(request_id)
        .filter(write_requests::tenant_id.eq(tenant_id))
        .filter(write_requests::mode.eq(mode));
    Ok(own.get_result(conn).optional()?)
}

/// What the writes to a key add up to.
pub fn bucket(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, key: &str) -> StoreResult<Option<BucketRow>> {
    Ok(write_buckets::table.find((tenant_id, mode.as_str(), key)).get_result(conn).optional()?)
}

/// The lines in which something waits, the one that was looked after longest ago first.
pub fn waiting_lines(conn: &mut Conn, limit: i64) -> StoreResult<Vec<(TenantId, Mode)>> {
    // The moment is before every other; it makes the index be searched and not read from end to end.
    let since = Timestamp::from_unix_micros(i64::MIN);
    let waiting = write_lines::table.filter(HasPending).filter(write_lines::verified_at.ge(since));
    let waiting = waiting.order(write_lines::verified_at).limit(limit);
    Ok(waiting.select((write_lines::tenant_id, write_lines::mode)).load(conn)?)
}

/// Keeps other processes away from a line until the transaction ends; says when it was looked after last.
pub fn lock_line(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Timestamp> {
    let line = write_lines::table.find((tenant_id, mode.as_str())).select(write_lines::verified_at);
    Ok(for_update(line).get_result(conn)?)
}

/// The first requests of a line, with no more than `items` items among them, but at least one request.
pub fn next_of_line(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    requests: i64,
    items: i64,
) -> StoreResult<Vec<WriteRequestRow>> {
    let waiting = || {
        write_requests::table
            .filter(write_requests::tenant_id.eq(tenant_id))
            .filter(write_requests::mode.eq(mode))
            .filter(write_requests::verified_at.is_null())
            .order(write_requests::sequence)
    };
    let counts: Vec<i64> = waiting().limit(requests).select(write_requests::item_count).load(conn)?;
    let mut sum = 0;
    let fitting = counts.iter().take_while(|count| {
        sum += **count;
        sum <= items
    });
    let number = fitting.count().max(1);
    Ok(waiting().limit(number as i64).load(conn)?)
}

/// What has been written to these keys, where something has.
pub fn buckets(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, keys: &[&str]) -> StoreResult<Vec<BucketRow>> {
    let mut found = Vec::new();
    for keys in keys.chunks(CHUNK) {
        let own = write_buckets::table
            .filter(write_buckets::tenant_id.eq(tenant_id))
            .filter(write_buckets::mode.eq(mode))
            .filter(write_buckets::key.eq_any(keys));
        found.extend(own.load::<BucketRow>(conn)?);
    }
    Ok(found)
}

/// Puts rows in the place of those with the same keys. All are one tenant's in one mode.
pub fn put_buckets(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, rows: &[BucketRow]) -> StoreResult<()> {
    for rows in rows.chunks(CHUNK) {
        let keys: Vec<&str> = rows.iter().map(|row| row.key.as_str()).collect();
        let former = write_buckets::table
            .filter(write_buckets::tenant_id.eq(tenant_id))
            .filter(write_buckets::mode.eq(mode))
            .filter(write_buckets::key.eq_any(keys));
        diesel::delete(former).execute(conn)?;
        inside!(conn, |inner| diesel::insert_into(write_buckets::table).values(rows).execute(inner))?;
    }
    Ok(())
}

/// Writes down what came of a request's items.
pub fn finish(conn: &mut Conn, request_id: &WriteRequestId, outcomes: &str, now: Timestamp) -> StoreResult<()> {
    let changes = (write_requests::outcomes.eq(outcomes), write_requests::verified_at.eq(now));
    inside!(conn, |inner| diesel::update(write_requests::table.find(request_id)).set(changes).execute(inner))?;
    Ok(())
}

/// Takes verified items out of the line.
pub fn leave(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, items: i64, now: Timestamp) -> StoreResult<()> {
    let changes = (write_lines::pending.eq(write_lines::pending - items), write_lines::verified_at.eq(now));
    diesel::update(write_lines::table.find((tenant_id, mode.as_str()))).set(changes).execute(conn)?;
    Ok(())
}
