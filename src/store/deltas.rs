//! Deltas as they were accepted, written once, and the queue of what is to be verified. Their line is in
//! `delta_entries`.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Text};

use super::delta_entries::{EntryRow, FailureRow};
use super::ledger_schema::{delta_entries, delta_failures, delta_queue, deltas};
use super::sql::inside;
use super::{Conn, MultiBackend, StoreResult};
use crate::domain::decimals::Decimal;
use crate::domain::ids::{DeltaId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// How many rows one statement inserts: a statement of PostgreSQL has 65,535 parameters at the most.
const ROWS_OF_A_STATEMENT: usize = 1000;

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
        Conn::Postgres(inner) => {
            for chunk in rows.chunks(ROWS_OF_A_STATEMENT) {
                diesel::insert_into(deltas::table).values(chunk).execute(inner)?;
            }
        }
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

/// A customer and one of its references.
pub type Reference = (String, String);

/// The deltas that stand for these references already.
pub fn of_references(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    references: &[Reference],
) -> StoreResult<HashMap<Reference, DeltaRow>> {
    let found: Vec<DeltaRow> = match conn {
        Conn::Sqlite(inner) => {
            let mut found = Vec::new();
            for (customer_id, reference_id) in references {
                let row = deltas::table
                    .filter(deltas::tenant_id.eq(tenant_id))
                    .filter(deltas::mode.eq(mode))
                    .filter(deltas::customer_id.eq(customer_id))
                    .filter(deltas::reference_id.eq(reference_id))
                    .filter(deltas::currency.is_null())
                    .get_result(inner)
                    .optional()?;
                found.extend(row);
            }
            found
        }
        Conn::Postgres(inner) => {
            let (customers, references): (Vec<&str>, Vec<&str>) =
                references.iter().map(|(customer, reference)| (customer.as_str(), reference.as_str())).unzip();
            let wanted = diesel::dsl::sql::<diesel::sql_types::Bool>(
                "(deltas.customer_id, deltas.reference_id) IN (SELECT * FROM UNNEST(",
            )
            .bind::<Array<Text>, _>(customers)
            .sql(", ")
            .bind::<Array<Text>, _>(references)
            .sql("))");
            deltas::table
                .filter(deltas::tenant_id.eq(tenant_id))
                .filter(deltas::mode.eq(mode))
                .filter(wanted)
                .filter(deltas::currency.is_null())
                .filter(deltas::reference_id.is_not_null())
                .load(inner)?
        }
    };
    let keyed = found.into_iter().filter_map(|row| {
        let reference = row.reference_id.clone()?;
        Some(((row.customer_id.clone(), reference), row))
    });
    Ok(keyed.collect())
}

/// A delta, its place in the line if it has one, and why not if it never will.
pub type Standing = (DeltaRow, Option<EntryRow>, Option<FailureRow>);

/// A tenant's delta in a mode.
pub fn find(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, record_id: &DeltaId) -> StoreResult<Option<Standing>> {
    Ok(deltas::table
        .left_join(delta_entries::table.on(delta_entries::record_id.eq(deltas::record_id)))
        .left_join(delta_failures::table.on(delta_failures::record_id.eq(deltas::record_id)))
        .filter(deltas::record_id.eq(record_id))
        .filter(deltas::tenant_id.eq(tenant_id))
        .filter(deltas::mode.eq(mode))
        .get_result(conn)
        .optional()?)
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
        .select((delta_queue::first_record_id, delta_queue::number));
    let requests: Vec<(DeltaId, i64)> = inside!(conn, |inner| requests.load(inner))?;
    let mut sum = 0;
    let taken = requests.into_iter().take_while(|(_, number)| {
        let is_first = sum == 0;
        sum += number;
        is_first || sum <= most
    });
    let taken: Vec<DeltaId> = taken.map(|(first, _)| first).collect();
    let Some(last) = taken.last() else { return Ok(None) };
    let of_line = || {
        delta_queue::table
            .inner_join(
                deltas::table.on(deltas::record_id
                    .ge(delta_queue::first_record_id)
                    .and(deltas::record_id.le(delta_queue::last_record_id))),
            )
            .filter(delta_queue::tenant_id.eq(tenant_id))
            .filter(delta_queue::mode.eq(mode))
            .order(deltas::record_id)
            .select(deltas::all_columns)
    };
    let rows = match conn {
        // Nobody else writes meanwhile.
        Conn::Sqlite(inner) => of_line().filter(delta_queue::first_record_id.le(last)).load(inner)?,
        // Another transaction may enqueue what has an earlier id, and is committed later.
        Conn::Postgres(inner) => of_line().filter(delta_queue::first_record_id.eq_any(&taken)).load(inner)?,
    };
    Ok(Some((taken, rows)))
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
