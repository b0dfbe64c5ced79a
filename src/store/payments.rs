//! Payments, the attempts to start them, and the receipts of their money.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::page::Page;
use super::schema::{attempts, payments, receipts, reversals};
use super::sql::{condition, for_update, for_update_skip_locked, inside, or_ignore};
use super::{Conn, StoreResult};
use super::{payment_days, payment_metadata};
use crate::domain::ids::{AccountId, AppId, AttemptId, PaymentId};
use crate::domain::metadata::Pair;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payments::{AttemptState, PaymentStatus};
use crate::domain::time::Timestamp;

/// A row of `payments`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = payments, treat_none_as_default_value = false)]
pub struct Payment {
    pub payment_id: PaymentId,
    pub app_id: AppId,
    pub mode: Mode,
    pub status: PaymentStatus,
    pub amount_minor: i64,
    pub paid_minor: i64,
    pub refunded_minor: i64,
    pub currency: Currency,
    pub method: String,
    pub provider: String,
    pub provider_ref: Option<String>,
    pub fallback_wanted: Option<String>,
    pub fallback_reason: Option<String>,
    pub provider_checkout_url: Option<String>,
    pub instructions: Option<String>,
    pub invoice_number: String,
    pub external_user_id: String,
    pub email: Option<String>,
    pub description: Option<String>,
    pub metadata: String,
    pub buyer: Option<String>,
    pub mock: Option<String>,
    pub last_error: String,
    pub return_url: String,
    pub expires_at: Timestamp,
    pub poll_at: Option<Timestamp>,
    pub polls: i32,
    pub needs_attention: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    /// The invoice or payment link that it was begun for: see `domain::origins`.
    pub origin: Option<String>,
}

/// What can change in a payment after it was created.
#[derive(Debug, AsChangeset)]
#[diesel(table_name = payments, treat_none_as_null = true)]
struct Progress<'a> {
    status: PaymentStatus,
    paid_minor: i64,
    refunded_minor: i64,
    provider_ref: Option<&'a str>,
    provider_checkout_url: Option<&'a str>,
    instructions: Option<&'a str>,
    last_error: &'a str,
    expires_at: Timestamp,
    poll_at: Option<Timestamp>,
    polls: i32,
    needs_attention: bool,
    updated_at: Timestamp,
}

/// A row of `attempts`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = attempts, treat_none_as_default_value = false)]
pub struct Attempt {
    pub attempt_id: AttemptId,
    pub payment_id: PaymentId,
    pub provider: String,
    pub mode: Mode,
    pub state: AttemptState,
    pub provider_ref: Option<String>,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub answered_at: Option<Timestamp>,
    /// The tenant's own account at the provider; the gateway's when absent.
    pub account_id: Option<AccountId>,
    /// What the provider was told to call it.
    pub reference: String,
}

/// A row of `receipts`: money that came in once.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = receipts, treat_none_as_default_value = false)]
pub struct Receipt {
    pub payment_id: PaymentId,
    pub provider_transaction: String,
    pub amount_minor: i64,
    pub created_at: Timestamp,
}

/// A row of `reversals`: money that was taken back once.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = reversals, treat_none_as_default_value = false)]
pub struct Reversal {
    pub payment_id: PaymentId,
    pub provider_transaction: String,
    pub amount_minor: i64,
    pub reason: String,
    pub created_at: Timestamp,
}

/// Which payments a list holds.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    pub status: Option<PaymentStatus>,
    pub method: Option<String>,
    pub currency: Option<Currency>,
    pub provider: Option<String>,
    pub external_user_id: Option<String>,
    pub invoice_number: Option<String>,
    /// That have this in their metadata.
    pub metadata: Option<Pair>,
    /// Those that need someone alone.
    pub needs_attention: bool,
    pub created_from: Option<Timestamp>,
    pub created_to: Option<Timestamp>,
}

/// Adds a payment with its first attempt.
pub fn insert(conn: &mut Conn, payment: &Payment, attempt: &Attempt) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(payments::table).values(payment).execute(inner))?;
    inside!(conn, |inner| diesel::insert_into(attempts::table).values(attempt).execute(inner))?;
    payment_metadata::insert(conn, payment)?;
    payment_days::note_created(payment);
    Ok(())
}

/// An app's payment.
pub fn find(conn: &mut Conn, app_id: &AppId, payment_id: &PaymentId) -> StoreResult<Option<Payment>> {
    let payment = payments::table.find(payment_id).filter(payments::app_id.eq(app_id));
    Ok(inside!(conn, |inner| payment.get_result(inner)).optional()?)
}

/// A payment of any app: for the doors that a buyer or a provider comes in by.
pub fn find_any(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Option<Payment>> {
    Ok(inside!(conn, |inner| payments::table.find(payment_id).get_result(inner)).optional()?)
}

/// A payment, locked until the transaction ends where rows have locks.
pub fn lock(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Option<Payment>> {
    Ok(inside!(conn, |inner| for_update(payments::table.find(payment_id)).get_result(inner)).optional()?)
}

/// Writes what has changed in a payment.
pub fn save(conn: &mut Conn, payment: &Payment) -> StoreResult<()> {
    let row = payments::table.find(&payment.payment_id);
    let progress = Progress {
        status: payment.status,
        paid_minor: payment.paid_minor,
        refunded_minor: payment.refunded_minor,
        provider_ref: payment.provider_ref.as_deref(),
        provider_checkout_url: payment.provider_checkout_url.as_deref(),
        instructions: payment.instructions.as_deref(),
        last_error: &payment.last_error,
        expires_at: payment.expires_at,
        poll_at: payment.poll_at,
        polls: payment.polls,
        needs_attention: payment.needs_attention,
        updated_at: payment.updated_at,
    };
    inside!(conn, |inner| diesel::update(row).set(&progress).execute(inner))?;
    Ok(())
}

/// The attempts of a payment, oldest first.
pub fn attempts_of(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Vec<Attempt>> {
    let made = attempts::table.filter(attempts::payment_id.eq(payment_id)).order(attempts::attempt_id);
    Ok(inside!(conn, |inner| made.load(inner))?)
}

/// Records that an attempt whose outcome was unknown is known now.
pub fn resolve_attempts(
    conn: &mut Conn,
    payment_id: &PaymentId,
    state: AttemptState,
    now: Timestamp,
) -> StoreResult<()> {
    let open = attempts::table
        .filter(attempts::payment_id.eq(payment_id))
        .filter(attempts::state.eq_any([AttemptState::Prepared, AttemptState::Unknown]));
    diesel::update(open).set((attempts::state.eq(state), attempts::answered_at.eq(now))).execute(conn)?;
    Ok(())
}

/// Adds an attempt to a payment that has others.
pub fn insert_attempt(conn: &mut Conn, attempt: &Attempt) -> StoreResult<()> {
    diesel::insert_into(attempts::table).values(attempt).execute(conn)?;
    Ok(())
}

/// Writes how an attempt went.
pub fn save_attempt(conn: &mut Conn, attempt: &Attempt) -> StoreResult<()> {
    let changes = (
        attempts::state.eq(attempt.state),
        attempts::provider_ref.eq(&attempt.provider_ref),
        attempts::error.eq(&attempt.error),
        attempts::answered_at.eq(attempt.answered_at),
    );
    let row = attempts::table.find(&attempt.attempt_id);
    inside!(conn, |inner| diesel::update(row).set(changes).execute(inner))?;
    Ok(())
}

condition! {
    /// Within the index of attempts at real providers.
    IsOnARail = "attempts.provider <> 'mock'"
}
condition! {
    /// Within the index of attempts that a provider knows by a reference of ours.
    HasReference = "attempts.reference <> ''"
}

/// The attempts that a provider knows by this id of its own.
pub fn attempts_by_provider_ref(conn: &mut Conn, provider: &str, provider_ref: &str) -> StoreResult<Vec<Attempt>> {
    let known = attempts::table
        .filter(attempts::provider_ref.eq(provider_ref))
        .filter(IsOnARail)
        .filter(attempts::provider.eq(provider))
        .order(attempts::attempt_id);
    Ok(inside!(conn, |inner| known.load(inner))?)
}

/// The attempt that was sent under this reference.
pub fn attempts_by_reference(conn: &mut Conn, provider: &str, reference: &str) -> StoreResult<Vec<Attempt>> {
    let sent = attempts::table
        .filter(attempts::reference.eq(reference))
        .filter(HasReference)
        .filter(attempts::provider.eq(provider))
        .order(attempts::attempt_id);
    Ok(inside!(conn, |inner| sent.load(inner))?)
}

/// The payments that were paid by a provider's transaction of this id.
pub fn paid_by(conn: &mut Conn, transaction: &str) -> StoreResult<Vec<PaymentId>> {
    let paid = receipts::table.filter(receipts::provider_transaction.eq(transaction)).select(receipts::payment_id);
    Ok(inside!(conn, |inner| paid.load(inner))?)
}

/// Books money that was taken back; says whether that is new.
pub fn insert_reversal(conn: &mut Conn, reversal: &Reversal) -> StoreResult<bool> {
    let insert = or_ignore(diesel::insert_into(reversals::table).values(reversal));
    Ok(insert.execute(conn)? > 0)
}

/// What was taken back of a payment, in minor units.
pub fn reversed_minor(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<i64> {
    Ok(reversals::table
        .filter(reversals::payment_id.eq(payment_id))
        .select(sql::<BigInt>("CAST(COALESCE(SUM(amount_minor), 0) AS BIGINT)"))
        .first(conn)?)
}

/// The receipts of a payment.
pub fn receipts_of(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Vec<Receipt>> {
    let receipts = receipts::table.filter(receipts::payment_id.eq(payment_id)).order(receipts::created_at);
    Ok(inside!(conn, |inner| receipts.load(inner))?)
}

/// Books money that came in.
pub fn insert_receipt(conn: &mut Conn, receipt: &Receipt) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(receipts::table).values(receipt).execute(inner))?;
    Ok(())
}

condition! {
    /// Within the index of payments that need someone.
    NeedsAttention = "payments.needs_attention"
}
condition! {
    /// The same where a truth is a number.
    NeedsAttentionAsNumber = "payments.needs_attention = 1"
}

/// An app's payments that a filter lets through but for their metadata, from a place in the list on.
///
/// Ids sort by time, so a range of time is a range of ids and every filter has an index that ends in the id.
fn filtered<'a>(
    conn: &Conn,
    app_id: &'a AppId,
    filter: &'a Filter,
    before: Option<&str>,
) -> payments::BoxedQuery<'a, super::MultiBackend> {
    let mut query = payments::table.filter(payments::app_id.eq(app_id)).into_boxed();
    if filter.needs_attention {
        query = match conn {
            Conn::Sqlite(_) => query.filter(NeedsAttentionAsNumber),
            Conn::Postgres(_) => query.filter(NeedsAttention),
        };
    }
    if let Some(status) = filter.status {
        query = query.filter(payments::status.eq(status));
    }
    if let Some(method) = &filter.method {
        query = query.filter(payments::method.eq(method));
    }
    if let Some(currency) = filter.currency {
        query = query.filter(payments::currency.eq(currency));
    }
    if let Some(provider) = &filter.provider {
        query = query.filter(payments::provider.eq(provider));
    }
    if let Some(external_user_id) = &filter.external_user_id {
        query = query.filter(payments::external_user_id.eq(external_user_id));
    }
    if let Some(invoice_number) = &filter.invoice_number {
        query = query.filter(payments::invoice_number.eq(invoice_number));
    }
    if let Some(from) = filter.created_from {
        query =
            query.filter(payments::payment_id.ge(PaymentId::earliest_at(from))).filter(payments::created_at.ge(from));
    }
    if let Some(to) = filter.created_to {
        query = query.filter(payments::payment_id.le(PaymentId::latest_at(to))).filter(payments::created_at.lt(to));
    }
    if let Some(before) = before {
        query = query.filter(payments::payment_id.lt(before.to_owned()));
    }
    query.order(payments::payment_id.desc())
}

/// A page of an app's payments, newest first.
pub fn list(
    conn: &mut Conn,
    app_id: &AppId,
    filter: &Filter,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Payment>> {
    if let Some(pair) = &filter.metadata {
        let found = payment_metadata::page(conn, app_id, pair, filter, before, limit)?;
        return Ok(Page { items: with_ids(conn, &found.items)?, next: found.next });
    }
    let rows = filtered(conn, app_id, filter, before).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Payment| row.payment_id.to_string()))
}

/// What of a payment a filter looks at.
#[derive(Clone, Debug, Queryable)]
pub struct Outline {
    pub payment_id: PaymentId,
    pub status: PaymentStatus,
    pub method: String,
    pub currency: Currency,
    pub provider: String,
    pub external_user_id: String,
    pub invoice_number: String,
    pub needs_attention: bool,
}

/// As [`list`], of their outlines.
pub fn outlines(
    conn: &mut Conn,
    app_id: &AppId,
    filter: &Filter,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Outline>> {
    let columns = (
        payments::payment_id,
        payments::status,
        payments::method,
        payments::currency,
        payments::provider,
        payments::external_user_id,
        payments::invoice_number,
        payments::needs_attention,
    );
    if let Some(pair) = &filter.metadata {
        let found = payment_metadata::page(conn, app_id, pair, filter, before, limit)?;
        if found.items.is_empty() {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let named = payments::table.filter(payments::payment_id.eq_any(&found.items)).select(columns);
        return Ok(Page { items: named.order(payments::payment_id.desc()).load(conn)?, next: found.next });
    }
    let rows = filtered(conn, app_id, filter, before).select(columns).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Outline| row.payment_id.to_string()))
}

/// The payments with these ids, of any app, newest first.
pub fn with_ids(conn: &mut Conn, payment_ids: &[PaymentId]) -> StoreResult<Vec<Payment>> {
    if payment_ids.is_empty() {
        return Ok(Vec::new());
    }
    let named = payments::table.filter(payments::payment_id.eq_any(payment_ids));
    Ok(named.order(payments::payment_id.desc()).load(conn)?)
}

condition! {
    /// Within the index of payments that no product began.
    HasOrigin = "payments.origin IS NOT NULL"
}

/// The payments that were begun for any of these, oldest first.
pub fn of_origins(conn: &mut Conn, origins: &[&str]) -> StoreResult<Vec<Payment>> {
    if origins.is_empty() {
        return Ok(Vec::new());
    }
    let begun = payments::table.filter(HasOrigin).filter(payments::origin.eq_any(origins.iter().copied()));
    Ok(begun.order((payments::origin, payments::payment_id)).load(conn)?)
}

/// A page of the payments that were begun for this, newest first.
pub fn page_of_origin(conn: &mut Conn, origin: &str, before: Option<&str>, limit: usize) -> StoreResult<Page<Payment>> {
    let mut query = payments::table.filter(HasOrigin).filter(payments::origin.eq(origin)).into_boxed();
    if let Some(before) = before {
        query = query.filter(payments::payment_id.lt(before.to_owned()));
    }
    let rows = query.order(payments::payment_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Payment| row.payment_id.to_string()))
}

/// Those that wait for their buyers, locked; what another process is just about to settle is passed over, as its lock
/// may wait for ours.
pub fn lock_open_of_origin(conn: &mut Conn, origin: &str) -> StoreResult<Vec<Payment>> {
    let open = payments::table
        .filter(HasOrigin)
        .filter(payments::origin.eq(origin))
        .filter(payments::status.eq(PaymentStatus::Initiated));
    Ok(for_update_skip_locked(open).get_results(conn)?)
}

condition! {
    /// Within the index of payments to ask about.
    IsOpenAndPolled = "payments.status = 'initiated' AND payments.poll_at IS NOT NULL"
}

/// Payments whose provider is to be asked now; locked, so that no other process asks too.
pub fn due_for_poll(conn: &mut Conn, now: Timestamp, limit: i64) -> StoreResult<Vec<Payment>> {
    let due =
        payments::table.filter(IsOpenAndPolled).filter(payments::poll_at.le(now)).order(payments::poll_at).limit(limit);
    Ok(for_update_skip_locked(due).get_results(conn)?)
}

/// Sets when the provider is asked next.
pub fn set_poll(conn: &mut Conn, payment_id: &PaymentId, poll_at: Option<Timestamp>, polls: i32) -> StoreResult<()> {
    let changes = (payments::poll_at.eq(poll_at), payments::polls.eq(polls));
    inside!(conn, |inner| diesel::update(payments::table.find(payment_id)).set(changes).execute(inner))?;
    Ok(())
}

/// Sets when the providers of several payments are asked next, whatever is known by then.
pub fn lease_polls(conn: &mut Conn, payment_ids: &[PaymentId], until: Timestamp) -> StoreResult<()> {
    diesel::update(payments::table.filter(payments::payment_id.eq_any(payment_ids)))
        .set(payments::poll_at.eq(until))
        .execute(conn)?;
    Ok(())
}
