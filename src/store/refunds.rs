//! Refunds of payments.

use std::collections::HashMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::page::Page;
use super::schema::refunds;
use super::sql::{condition, for_update_skip_locked};
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, PaymentId, RefundId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// A row of `refunds`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = refunds, treat_none_as_default_value = false)]
pub struct Refund {
    pub refund_id: RefundId,
    pub app_id: AppId,
    pub payment_id: PaymentId,
    pub mode: Mode,
    pub status: String,
    pub amount_minor: i64,
    pub currency: Currency,
    pub provider_ref: Option<String>,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The provider's id of the receipt that is given back.
    pub provider_transaction: Option<String>,
    pub poll_at: Option<Timestamp>,
    pub polls: i32,
}

/// Adds a refund.
pub fn insert(conn: &mut Conn, refund: &Refund) -> StoreResult<()> {
    diesel::insert_into(refunds::table).values(refund).execute(conn)?;
    Ok(())
}

/// An app's refund.
pub fn find(conn: &mut Conn, app_id: &AppId, refund_id: &RefundId) -> StoreResult<Option<Refund>> {
    Ok(refunds::table.find(refund_id).filter(refunds::app_id.eq(app_id)).get_result(conn).optional()?)
}

/// Moves an open refund to its end; says whether it was open.
pub fn finish(conn: &mut Conn, refund_id: &RefundId, status: &str, now: Timestamp) -> StoreResult<bool> {
    let open = refunds::table.find(refund_id).filter(refunds::status.eq("initiated"));
    let changed = diesel::update(open).set((refunds::status.eq(status), refunds::updated_at.eq(now))).execute(conn)?;
    Ok(changed > 0)
}

/// Writes how far a refund is.
pub fn save(conn: &mut Conn, refund: &Refund) -> StoreResult<()> {
    diesel::update(refunds::table.find(&refund.refund_id))
        .set((
            refunds::status.eq(&refund.status),
            refunds::provider_ref.eq(&refund.provider_ref),
            refunds::poll_at.eq(refund.poll_at),
            refunds::polls.eq(refund.polls),
            refunds::updated_at.eq(refund.updated_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Takes back a refund of which the provider was never told.
pub fn delete(conn: &mut Conn, refund_id: &RefundId) -> StoreResult<()> {
    diesel::delete(refunds::table.find(refund_id)).execute(conn)?;
    Ok(())
}

/// The refunds of a payment, oldest first.
pub fn of_payment(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Vec<Refund>> {
    Ok(refunds::table.filter(refunds::payment_id.eq(payment_id)).order(refunds::refund_id).load(conn)?)
}

/// The payments that these refunds are of.
pub fn payments_of(conn: &mut Conn, refund_ids: &[RefundId]) -> StoreResult<HashMap<RefundId, PaymentId>> {
    let found: Vec<(RefundId, PaymentId)> = refunds::table
        .filter(refunds::refund_id.eq_any(refund_ids))
        .select((refunds::refund_id, refunds::payment_id))
        .load(conn)?;
    Ok(found.into_iter().collect())
}

condition! {
    /// Within the index of refunds to ask about.
    IsOpenAndPolled = "refunds.status = 'initiated' AND refunds.poll_at IS NOT NULL"
}

/// Takes the refunds whose provider is to be asked now; no other process asks until `until`.
pub fn claim_due(conn: &mut Conn, now: Timestamp, until: Timestamp, limit: i64) -> StoreResult<Vec<Refund>> {
    let due =
        refunds::table.filter(IsOpenAndPolled).filter(refunds::poll_at.le(now)).order(refunds::poll_at).limit(limit);
    let claimed: Vec<Refund> = for_update_skip_locked(due).get_results(conn)?;
    let ids: Vec<&RefundId> = claimed.iter().map(|refund| &refund.refund_id).collect();
    if !ids.is_empty() {
        diesel::update(refunds::table.filter(refunds::refund_id.eq_any(ids)))
            .set(refunds::poll_at.eq(until))
            .execute(conn)?;
    }
    Ok(claimed)
}

/// What open refunds of a payment have reserved, in minor units.
pub fn reserved_minor(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<i64> {
    Ok(refunds::table
        .filter(refunds::payment_id.eq(payment_id))
        .filter(refunds::status.eq("initiated"))
        .select(sql::<BigInt>("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .first(conn)?)
}

/// A page of an app's refunds, newest first, of one payment or of all.
pub fn list(
    conn: &mut Conn,
    app_id: &AppId,
    payment_id: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Refund>> {
    let mut query = refunds::table.filter(refunds::app_id.eq(app_id)).into_boxed();
    if let Some(payment_id) = payment_id {
        query = query.filter(refunds::payment_id.eq(payment_id.to_owned()));
    }
    if let Some(before) = before {
        query = query.filter(refunds::refund_id.lt(before.to_owned()));
    }
    let rows = query.order(refunds::refund_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Refund| row.refund_id.to_string()))
}
