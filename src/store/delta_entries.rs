//! The line of verified deltas, and those that could not be verified. Both are written once.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Binary, Text};

use super::columns::Sum;
use super::deltas::DeltaRow;
use super::ledger_schema::{delta_entries, delta_failures, deltas};
use super::sql::inside;
use super::{Conn, StoreResult};
use crate::domain::ids::DeltaId;
use crate::domain::time::Timestamp;

/// How many numbers one statement names.
const NUMBERS_OF_A_STATEMENT: usize = 1000;

/// A row of `delta_entries`: a delta's place. The sums are those after it.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = delta_entries, treat_none_as_default_value = false)]
pub struct EntryRow {
    pub ledger_id: i64,
    pub sequence: i64,
    pub record_id: DeltaId,
    pub customer_key: i64,
    pub customer_sequence: i64,
    pub customer_sum: Sum,
    pub emitted: i64,
    pub emitted_sum: Sum,
    pub leaf_hash: Vec<u8>,
    pub verified_at: Timestamp,
}

/// A row of `delta_failures`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = delta_failures, treat_none_as_default_value = false)]
pub struct FailureRow {
    pub record_id: DeltaId,
    pub reason: String,
    pub failed_at: Timestamp,
}

/// Which line a stretch is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Line {
    /// All of a tenant's in a mode, by `sequence`.
    Ledger(i64),
    /// One customer's, by `customer_sequence`.
    Customer(i64),
}

/// Runs a statement over the entries of a line, with the column that numbers them.
macro_rules! of_line {
    ($line:expr, |$entries:ident, $number:ident| $statement:expr) => {
        match $line {
            Line::Ledger(ledger_id) => {
                let $entries = delta_entries::table.filter(delta_entries::ledger_id.eq(ledger_id));
                let $number = delta_entries::sequence;
                $statement
            }
            Line::Customer(customer_key) => {
                let $entries = delta_entries::table.filter(delta_entries::customer_key.eq(customer_key));
                let $number = delta_entries::customer_sequence;
                $statement
            }
        }
    };
}

/// Appends to a line that the caller holds.
pub fn append(conn: &mut Conn, rows: &[EntryRow]) -> StoreResult<()> {
    match conn {
        Conn::Sqlite(inner) => {
            for row in rows {
                diesel::insert_into(delta_entries::table).values(row).execute(inner)?;
            }
        }
        Conn::Postgres(inner) => append_arrays(inner, rows)?,
    }
    Ok(())
}

fn append_arrays(conn: &mut diesel::PgConnection, rows: &[EntryRow]) -> StoreResult<()> {
    macro_rules! column {
        ($get:expr) => {
            rows.iter().map($get).collect::<Vec<_>>()
        };
    }
    diesel::sql_query(
        "INSERT INTO delta_entries (ledger_id, sequence, record_id, customer_key, customer_sequence, customer_sum, emitted,
           emitted_sum, leaf_hash, verified_at)
         SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind::<Array<BigInt>, _>(column!(|row| row.ledger_id))
    .bind::<Array<BigInt>, _>(column!(|row| row.sequence))
    .bind::<Array<Text>, _>(column!(|row| row.record_id.as_str()))
    .bind::<Array<BigInt>, _>(column!(|row| row.customer_key))
    .bind::<Array<BigInt>, _>(column!(|row| row.customer_sequence))
    .bind::<Array<Text>, _>(column!(|row| row.customer_sum.as_str()))
    .bind::<Array<BigInt>, _>(column!(|row| row.emitted))
    .bind::<Array<Text>, _>(column!(|row| row.emitted_sum.as_str()))
    .bind::<Array<Binary>, _>(column!(|row| row.leaf_hash.as_slice()))
    .bind::<Array<BigInt>, _>(column!(|row| row.verified_at.unix_micros()))
    .execute(conn)?;
    Ok(())
}

/// Writes what could not be verified.
pub fn fail(conn: &mut Conn, failure: &FailureRow) -> StoreResult<()> {
    diesel::insert_into(delta_failures::table).values(failure).execute(conn)?;
    Ok(())
}

/// The entry with this number in a line.
pub fn at(conn: &mut Conn, line: Line, number: i64) -> StoreResult<Option<EntryRow>> {
    Ok(of_line!(line, |entries, column| inside!(conn, |inner| entries
        .filter(column.eq(number))
        .get_result(inner)
        .optional()))?)
}

/// The entry of a record.
pub fn of_record(conn: &mut Conn, record_id: &DeltaId) -> StoreResult<Option<EntryRow>> {
    Ok(delta_entries::table.filter(delta_entries::record_id.eq(record_id)).get_result(conn).optional()?)
}

/// The number of the first entry of a line, which has `last`, that is not before something; one more than `last` if
/// every one is. A line is in the order of its numbers and of time, so a search by halves finds it without an index.
pub fn first_not_before(
    conn: &mut Conn,
    line: Line,
    last: i64,
    is_before: impl Fn(i64, Timestamp) -> bool,
) -> StoreResult<i64> {
    let (mut low, mut high) = (1, last + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let (sequence, verified_at) = of_line!(line, |entries, column| inside!(conn, |inner| entries
            .filter(column.eq(middle))
            .select((delta_entries::sequence, delta_entries::verified_at))
            .get_result(inner)))?;
        if is_before(sequence, verified_at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(low)
}

/// The numbers that there are in a line from `first` to `last`, in order.
pub fn numbers(conn: &mut Conn, ledger_id: i64, first: i64, last: i64) -> StoreResult<Vec<i64>> {
    Ok(delta_entries::table
        .filter(delta_entries::ledger_id.eq(ledger_id))
        .filter(delta_entries::sequence.between(first, last))
        .order(delta_entries::sequence)
        .select(delta_entries::sequence)
        .load(conn)?)
}

/// The deltas of a stretch of a line with their places, `first` and `last` included, in order.
pub fn stretch(conn: &mut Conn, line: Line, first: i64, last: i64) -> StoreResult<Vec<(EntryRow, DeltaRow)>> {
    Ok(of_line!(line, |entries, column| inside!(conn, |inner| entries
        .inner_join(deltas::table.on(deltas::record_id.eq(delta_entries::record_id)))
        .filter(column.between(first, last))
        .order(column)
        .load(inner)))?)
}

/// The customer's sums after these numbers of a customer's line, with when they were verified, in order.
pub fn sums_at(conn: &mut Conn, customer_key: i64, numbers: &[i64]) -> StoreResult<Vec<(i64, Sum, Timestamp)>> {
    Ok(delta_entries::table
        .filter(delta_entries::customer_key.eq(customer_key))
        .filter(delta_entries::customer_sequence.eq_any(numbers))
        .order(delta_entries::customer_sequence)
        .select((delta_entries::customer_sequence, delta_entries::customer_sum, delta_entries::verified_at))
        .load(conn)?)
}

/// The leaf hashes of these numbers of a line.
pub fn hashes_at(conn: &mut Conn, ledger_id: i64, numbers: &[i64]) -> StoreResult<HashMap<i64, Vec<u8>>> {
    let mut hashes = HashMap::new();
    for chunk in numbers.chunks(NUMBERS_OF_A_STATEMENT) {
        let rows: Vec<(i64, Vec<u8>)> = delta_entries::table
            .filter(delta_entries::ledger_id.eq(ledger_id))
            .filter(delta_entries::sequence.eq_any(chunk))
            .select((delta_entries::sequence, delta_entries::leaf_hash))
            .load(conn)?;
        hashes.extend(rows);
    }
    Ok(hashes)
}

/// The leaf hashes of a stretch of a line, `first` and `last` included, in order.
pub fn leaf_hashes(conn: &mut Conn, line: Line, first: i64, last: i64) -> StoreResult<Vec<Vec<u8>>> {
    Ok(of_line!(line, |entries, column| inside!(conn, |inner| entries
        .filter(column.between(first, last))
        .order(column)
        .select(delta_entries::leaf_hash)
        .load(inner)))?)
}
