//! Deltas as they were accepted, written once, and the queue of what is to be verified. Their line is in
//! `delta_entries`.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};

use super::delta_entries::{EntryRow, FailureRow};
use super::ledger_schema::{delta_entries, delta_failures, delta_queue, deltas};
use super::sql::inside;
use super::{Conn, MultiBackend, StoreResult};
use crate::domain::decimals::Decimal;
use crate::domain::ids::{DeltaId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// A row of `deltas`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = deltas, treat_none_as_default_value = false)]
pub struct DeltaRow {
    pub record_id: DeltaId,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub customer_id: String,
    pub currency: Option<Currency>,
    pub millionths: i64,
    pub reason: String,
    pub reference_id: Option<String>,
    pub metadata: Option<String>,
    pub salt: Vec<u8>,
    pub content_hash: Vec<u8>,
    pub counted_in: Option<String>,
    pub created_at: Timestamp,
}

impl DeltaRow {
    /// How much.
    #[must_use]
    pub fn delta(&self) -> Decimal {
        Decimal::from_millionths(i128::from(self.millionths))
    }
}

/// Writes the deltas of one request, which have consecutive ids, and enqueues them: the commit is the enqueue.
pub fn insert(conn: &mut Conn, rows: &[DeltaRow]) -> StoreResult<()> {
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(()) };
    match conn {
        Conn::Sqlite(inner) => {
            for row in rows {
                diesel::insert_into(deltas::table).values(row).execute(inner)?;
            }
        }
        // One row is the statement that is kept compiled; many go as arrays, whose statement does not grow with them.
        Conn::Postgres(inner) if rows.len() == 1 => {
            diesel::insert_into(deltas::table).values(first).execute(inner)?;
        }
        Conn::Postgres(inner) => insert_arrays(inner, rows)?,
    }
    let queued = (
        delta_queue::tenant_id.eq(&first.tenant_id),
        delta_queue::mode.eq(first.mode),
        delta_queue::first_record_id.eq(&first.record_id),
        delta_queue::last_record_id.eq(&last.record_id),
        delta_queue::number.eq(rows.len() as i64),
    );
    inside!(conn, |inner| diesel::insert_into(delta_queue::table).values(queued).execute(inner))?;
    Ok(())
}

fn insert_arrays(conn: &mut diesel::PgConnection, rows: &[DeltaRow]) -> StoreResult<()> {
    macro_rules! column {
        ($get:expr) => {
            rows.iter().map($get).collect::<Vec<_>>()
        };
    }
    diesel::sql_query(
        "INSERT INTO deltas (record_id, tenant_id, mode, customer_id, currency, millionths, reason, reference_id, metadata,
           salt, content_hash, counted_in, created_at)
         SELECT * FROM UNNEST($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    )
    .bind::<Array<Text>, _>(column!(|row| row.record_id.as_str()))
    .bind::<Array<Text>, _>(column!(|row| row.tenant_id.as_str()))
    .bind::<Array<Text>, _>(column!(|row| row.mode.as_str()))
    .bind::<Array<Text>, _>(column!(|row| row.customer_id.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column!(|row| row.currency.map(Currency::code)))
    .bind::<Array<BigInt>, _>(column!(|row| row.millionths))
    .bind::<Array<Text>, _>(column!(|row| row.reason.as_str()))
    .bind::<Array<Nullable<Text>>, _>(column!(|row| row.reference_id.as_deref()))
    .bind::<Array<Nullable<Text>>, _>(column!(|row| row.metadata.as_deref()))
    .bind::<Array<Binary>, _>(column!(|row| row.salt.as_slice()))
    .bind::<Array<Binary>, _>(column!(|row| row.content_hash.as_slice()))
    .bind::<Array<Nullable<Text>>, _>(column!(|row| row.counted_in.as_deref()))
    .bind::<Array<BigInt>, _>(column!(|row| row.created_at.unix_micros()))
    .execute(conn)?;
    Ok(())
}

/// A delta, its place in the line if it has one, and why not if it never will.
pub type Standing = (DeltaRow, Option<EntryRow>, Option<FailureRow>);

/// Deltas as they stand.
macro_rules! standings {
    () => {
        deltas::table
            .left_join(delta_entries::table.on(delta_entries::record_id.eq(deltas::record_id)))
            .left_join(delta_failures::table.on(delta_failures::record_id.eq(deltas::record_id)))
    };
}

/// A customer and one of its references.
pub type Reference = (String, String);

/// The deltas that stand for these references already.
pub fn of_references(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    references: &[Reference],
) -> StoreResult<HashMap<Reference, Standing>> {
    let found: Vec<Standing> = match conn {
        Conn::Postgres(inner) if references.len() > 1 => {
            #[derive(QueryableByName)]
            struct Found {
                #[diesel(sql_type = Text)]
                record_id: String,
            }
            let (customers, references): (Vec<&str>, Vec<&str>) =
                references.iter().map(|(customer, reference)| (customer.as_str(), reference.as_str())).unzip();
            // LATERAL with a limit: one look into the index for each, whatever the planner knows of the table.
            let found: Vec<Found> = diesel::sql_query(
                "SELECT found.record_id FROM UNNEST($1, $2) AS wanted(customer_id, reference_id)
                 CROSS JOIN LATERAL (
                   SELECT record_id FROM deltas WHERE tenant_id = $3 AND mode = $4 AND currency IS NULL
                     AND customer_id = wanted.customer_id AND reference_id = wanted.reference_id LIMIT 1
                 ) AS found",
            )
            .bind::<Array<Text>, _>(customers)
            .bind::<Array<Text>, _>(references)
            .bind::<Text, _>(tenant_id.as_str())
            .bind::<Text, _>(mode.as_str())
            .load(inner)?;
            if found.is_empty() {
                return Ok(HashMap::new());
            }
            let ids: Vec<String> = found.into_iter().map(|row| row.record_id).collect();
            standings!().filter(deltas::record_id.eq_any(ids)).load(inner)?
        }
        _ => {
            let mut found = Vec::new();
            for (customer_id, reference_id) in references {
                let one = standings!()
                    .filter(deltas::tenant_id.eq(tenant_id))
                    .filter(deltas::mode.eq(mode))
                    .filter(deltas::customer_id.eq(customer_id))
                    .filter(deltas::reference_id.eq(reference_id))
                    .filter(deltas::currency.is_null());
                found.extend(inside!(conn, |inner| one.get_result(inner).optional())?);
            }
            found
        }
    };
    let keyed = found.into_iter().filter_map(|standing| {
        let reference = standing.0.reference_id.clone()?;
        Some(((standing.0.customer_id.clone(), reference), standing))
    });
    Ok(keyed.collect())
}

/// A tenant's delta in a mode.
pub fn find(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, record_id: &DeltaId) -> StoreResult<Option<Standing>> {
    Ok(standings!()
        .filter(deltas::record_id.eq(record_id))
        .filter(deltas::tenant_id.eq(tenant_id))
        .filter(deltas::mode.eq(mode))
        .get_result(conn)
        .optional()?)
}

/// What was posted to a tenant's line in a mode of a payment and its refunds, by their ids, oldest first.
pub fn of_payment(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    references: &[&str],
    most: i64,
) -> StoreResult<Vec<Standing>> {
    let mut found: Vec<Standing> = standings!()
        .filter(deltas::reference_id.eq_any(references))
        .filter(deltas::currency.is_not_null())
        .filter(deltas::tenant_id.eq(tenant_id))
        .filter(deltas::mode.eq(mode))
        .limit(most)
        .load(conn)?;
    found.sort_by(|one, other| one.0.record_id.as_str().cmp(other.0.record_id.as_str()));
    Ok(found)
}

/// Where something is waiting to be verified. A walk from one line to the next in the queue's index, so that a backlog
/// of one costs nothing to the others.
#[derive(Debug, Clone, Copy, QueryId)]
struct LinesWithWork;

impl QueryFragment<MultiBackend> for LinesWithWork {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        out.push_sql(
            "WITH RECURSIVE walk(tenant_id, mode) AS (
               SELECT * FROM (SELECT tenant_id, mode FROM delta_queue ORDER BY tenant_id, mode LIMIT 1) AS one
               UNION ALL
               SELECT q.tenant_id, q.mode FROM walk JOIN delta_queue q ON (q.tenant_id, q.mode) =
                 (SELECT n.tenant_id, n.mode FROM delta_queue n WHERE (n.tenant_id, n.mode) > (walk.tenant_id, walk.mode)
                  ORDER BY n.tenant_id, n.mode LIMIT 1)
               AND q.first_record_id = (SELECT m.first_record_id FROM delta_queue m WHERE m.tenant_id = q.tenant_id
                  AND m.mode = q.mode ORDER BY m.first_record_id LIMIT 1)
             ) SELECT tenant_id, mode FROM walk",
        );
        Ok(())
    }
}

impl Query for LinesWithWork {
    type SqlType = (Text, Text);
}

impl RunQueryDsl<Conn> for LinesWithWork {}

/// The tenants and modes that have something to verify.
pub fn lines_with_work(conn: &mut Conn) -> StoreResult<Vec<(TenantId, Mode)>> {
    Ok(LinesWithWork.load(conn)?)
}

/// The oldest records that wait to be verified, `most` or those of one request, and the first record of each of their
/// requests. The caller holds the line.
pub fn waiting(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    most: i64,
) -> StoreResult<Option<(Vec<DeltaId>, Vec<DeltaRow>)>> {
    let requests = delta_queue::table
        .filter(delta_queue::tenant_id.eq(tenant_id))
        .filter(delta_queue::mode.eq(mode))
        .order(delta_queue::first_record_id)
        .limit(most)
        .select((delta_queue::first_record_id, delta_queue::last_record_id, delta_queue::number));
    let mut requests: Vec<(DeltaId, DeltaId, i64)> = inside!(conn, |inner| requests.load(inner))?;
    let mut sum = 0;
    let taken = requests.iter().take_while(|(_, _, number)| {
        let is_first = sum == 0;
        sum += number;
        is_first || sum <= most
    });
    let taken = taken.count();
    requests.truncate(taken);
    let Some((last, _, _)) = requests.last() else { return Ok(None) };
    let rows = match conn {
        // Nobody else writes meanwhile.
        Conn::Sqlite(inner) => delta_queue::table
            .inner_join(
                deltas::table.on(deltas::record_id
                    .ge(delta_queue::first_record_id)
                    .and(deltas::record_id.le(delta_queue::last_record_id))),
            )
            .filter(delta_queue::tenant_id.eq(tenant_id))
            .filter(delta_queue::mode.eq(mode))
            .filter(delta_queue::first_record_id.le(last))
            .order(deltas::record_id)
            .select(deltas::all_columns)
            .load(inner)?,
        // Another transaction may enqueue what has an earlier id, and is committed later: only what was read is taken. The
        // records are named one by one, because a join over ranges would be planned as a walk over all that there ever was.
        Conn::Postgres(inner) => {
            let ids: Vec<DeltaId> = requests.iter().flat_map(|(first, last, _)| first.through(last)).collect();
            deltas::table.filter(deltas::record_id.eq_any(ids)).order(deltas::record_id).load(inner)?
        }
    };
    Ok(Some((requests.into_iter().map(|(first, _, _)| first).collect(), rows)))
}

/// Takes the requests with these first records out of the queue: those that [`waiting`] gave, and none that came between
/// them meanwhile.
pub fn unqueue(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, taken: &[DeltaId]) -> StoreResult<()> {
    let Some(last) = taken.last() else { return Ok(()) };
    let of_line = || delta_queue::table.filter(delta_queue::tenant_id.eq(tenant_id)).filter(delta_queue::mode.eq(mode));
    match conn {
        Conn::Sqlite(inner) => {
            diesel::delete(of_line().filter(delta_queue::first_record_id.le(last))).execute(inner)?
        }
        Conn::Postgres(inner) => {
            diesel::delete(of_line().filter(delta_queue::first_record_id.eq_any(taken))).execute(inner)?
        }
    };
    Ok(())
}
