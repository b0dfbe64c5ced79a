//! Webhooks that came in, as they came in, and what became of them.

use diesel::prelude::*;

use super::schema::inbox;
use super::sql::{condition, for_update_skip_locked, inside};
use super::{Conn, StoreResult};
use crate::domain::ids::{AccountId, AttemptId, InboxId, PaymentId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `inbox`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = inbox, treat_none_as_default_value = false)]
pub struct InboxRow {
    pub inbox_id: InboxId,
    pub provider: String,
    pub mode: Mode,
    pub provider_event: String,
    pub verdict: String,
    pub payment_id: Option<PaymentId>,
    pub detail: String,
    pub headers: String,
    pub body: String,
    pub received_at: Timestamp,
    /// The tenant's own account that it was sent to.
    pub account_id: Option<AccountId>,
    /// The attempt that it is about, where that is known.
    pub attempt_id: Option<AttemptId>,
    /// When the provider is asked whether it is true, or the payment is looked for again.
    pub due_at: Option<Timestamp>,
    pub tries: i32,
}

condition! {
    /// Within the index that keeps an event from being applied twice.
    IsApplied = "inbox.verdict = 'applied'"
}
condition! {
    /// Within the index of what is kept for a while only.
    IsRejected = "inbox.verdict = 'rejected'"
}

/// Archives a webhook.
pub fn insert(conn: &mut Conn, row: &InboxRow) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(inbox::table).values(row).execute(inner))?;
    Ok(())
}

/// Whether a provider's event was applied already.
pub fn is_applied(conn: &mut Conn, provider: &str, mode: Mode, provider_event: &str) -> StoreResult<bool> {
    let applied = inbox::table
        .filter(inbox::provider.eq(provider))
        .filter(inbox::mode.eq(mode))
        .filter(inbox::provider_event.eq(provider_event))
        .filter(IsApplied);
    Ok(inside!(conn, |inner| diesel::select(diesel::dsl::exists(applied)).get_result(inner))?)
}

condition! {
    /// Within the index of webhooks that wait for something.
    IsWaiting = "inbox.due_at IS NOT NULL"
}

/// Takes the webhooks that are to be looked at again now; no other process does until `until`.
pub fn claim_due(conn: &mut Conn, now: Timestamp, until: Timestamp, limit: i64) -> StoreResult<Vec<InboxRow>> {
    let due = inbox::table.filter(IsWaiting).filter(inbox::due_at.le(now)).order(inbox::due_at).limit(limit);
    let claimed: Vec<InboxRow> = for_update_skip_locked(due).get_results(conn)?;
    let ids: Vec<&InboxId> = claimed.iter().map(|row| &row.inbox_id).collect();
    if !ids.is_empty() {
        diesel::update(inbox::table.filter(inbox::inbox_id.eq_any(ids))).set(inbox::due_at.eq(until)).execute(conn)?;
    }
    Ok(claimed)
}

/// Writes what has become of a webhook that waited.
pub fn conclude(
    conn: &mut Conn,
    inbox_id: &InboxId,
    verdict: &str,
    detail: &str,
    due_at: Option<Timestamp>,
    tries: i32,
) -> StoreResult<()> {
    diesel::update(inbox::table.find(inbox_id))
        .set((inbox::verdict.eq(verdict), inbox::detail.eq(detail), inbox::due_at.eq(due_at), inbox::tries.eq(tries)))
        .execute(conn)?;
    Ok(())
}

/// The webhooks about one payment, in the order of their coming.
pub fn of_payment(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Vec<InboxRow>> {
    Ok(inbox::table.filter(inbox::payment_id.eq(payment_id)).order(inbox::inbox_id).load(conn)?)
}

/// Keeps the newest `keep` rejected webhooks that are younger than `before`, and forgets the others.
pub fn prune_rejected(conn: &mut Conn, before: Timestamp, keep: i64, limit: i64) -> StoreResult<usize> {
    let rejected = || inbox::table.filter(IsRejected);
    let newest_to_go: Option<Timestamp> =
        rejected().order(inbox::received_at.desc()).offset(keep).select(inbox::received_at).first(conn).optional()?;
    let until = newest_to_go.map_or(before, |at| at.max(before));
    let stale: Vec<InboxId> = rejected()
        .filter(inbox::received_at.le(until))
        .order(inbox::received_at)
        .limit(limit)
        .select(inbox::inbox_id)
        .load(conn)?;
    if stale.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(inbox::table.filter(inbox::inbox_id.eq_any(stale))).execute(conn)?)
}
