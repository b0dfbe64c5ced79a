//! The mock provider's own books. A real provider keeps these on its side.

use diesel::prelude::*;

use super::schema::{mock_charges, mock_jobs};
use super::sql::{for_update_skip_locked, inside, or_ignore};
use super::{Conn, StoreResult};
use crate::domain::ids::{MockJobId, PaymentId};
use crate::domain::time::Timestamp;

/// A row of `mock_charges`: what the mock's buyer did.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = mock_charges, treat_none_as_default_value = false)]
pub struct MockCharge {
    pub payment_id: PaymentId,
    pub outcome: String,
    pub charges: i32,
    pub created_at: Timestamp,
}

/// A row of `mock_jobs`: what the mock is to do later.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = mock_jobs, treat_none_as_default_value = false)]
pub struct MockJob {
    pub job_id: MockJobId,
    pub payment_id: PaymentId,
    pub kind: String,
    pub body: String,
    pub due_at: Timestamp,
}

/// Records what a buyer did, unless he did something before; says whether this was the first.
pub fn insert_charge(conn: &mut Conn, charge: &MockCharge) -> StoreResult<bool> {
    let insert = or_ignore(diesel::insert_into(mock_charges::table).values(charge));
    Ok(inside!(conn, |inner| insert.execute(inner))? > 0)
}

/// What the buyer did.
pub fn charge_of(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Option<MockCharge>> {
    Ok(inside!(conn, |inner| mock_charges::table.find(payment_id).get_result(inner)).optional()?)
}

/// Plans something.
pub fn insert_job(conn: &mut Conn, job: &MockJob) -> StoreResult<()> {
    diesel::insert_into(mock_jobs::table).values(job).execute(conn)?;
    Ok(())
}

/// Claims jobs that are due by pushing them to `lease_until`.
pub fn claim_jobs(conn: &mut Conn, now: Timestamp, lease_until: Timestamp, limit: i64) -> StoreResult<Vec<MockJob>> {
    let due = mock_jobs::table.filter(mock_jobs::due_at.le(now)).order(mock_jobs::due_at).limit(limit);
    let jobs: Vec<MockJob> = for_update_skip_locked(due).get_results(conn)?;
    if !jobs.is_empty() {
        let ids: Vec<&MockJobId> = jobs.iter().map(|job| &job.job_id).collect();
        diesel::update(mock_jobs::table.filter(mock_jobs::job_id.eq_any(ids)))
            .set(mock_jobs::due_at.eq(lease_until))
            .execute(conn)?;
    }
    Ok(jobs)
}

/// Forgets a job that is done.
pub fn delete_job(conn: &mut Conn, job_id: &MockJobId) -> StoreResult<()> {
    diesel::delete(mock_jobs::table.find(job_id)).execute(conn)?;
    Ok(())
}
