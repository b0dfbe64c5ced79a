//! What the rails have booked, as a provider's settlement report names it: receipts and refunds that succeeded, by the
//! provider's ids or ours, and page by page. Whose they are is said by the apps.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use diesel::prelude::*;

use super::schema::{attempts, payments, receipts, refunds};
use super::sql::condition;
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, PaymentId, RefundId};
use crate::domain::money::Currency;
use crate::domain::settlement::{Booking, Kind};
use crate::domain::time::Timestamp;

/// How long before its receipt a payment may have begun.
const LONGEST_PAYMENT: Duration = Duration::from_secs(90 * 24 * 3600);

condition! {
    /// Within the index of attempts by what providers call them.
    IsNotOfTheMock = "attempts.provider <> 'mock'"
}

/// Bookings by the names under which they were asked for.
pub type ByName = HashMap<String, Vec<Booking>>;

/// Whose bookings, at which provider.
#[derive(Clone, Debug)]
pub struct Whose {
    /// The tenant's apps in the mode.
    pub app_ids: Vec<AppId>,
    /// The provider.
    pub provider: String,
}

/// From when, and until when, which is not included.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
}

type ReceiptColumns = (PaymentId, String, i64, Timestamp);

const RECEIPT: (receipts::payment_id, receipts::provider_transaction, receipts::amount_minor, receipts::created_at) =
    (receipts::payment_id, receipts::provider_transaction, receipts::amount_minor, receipts::created_at);

/// The bookings of receipts, without those that are not `whose`. The payments are asked for by their ids alone, as a join
/// would lead SQLite through all the payments of the app.
fn of_receipts(conn: &mut Conn, whose: &Whose, rows: Vec<ReceiptColumns>) -> StoreResult<Vec<Booking>> {
    let currencies = currencies_of(conn, whose, rows.iter().map(|row| row.0.clone()).collect())?;
    let bookings = rows.into_iter().filter_map(|(payment_id, transaction, amount_minor, at)| {
        let currency = *currencies.get(&payment_id)?;
        Some(Booking {
            kind: Kind::Payment,
            payment_id: payment_id.to_string(),
            own_id: transaction.clone(),
            reference: transaction,
            amount_minor,
            currency,
            at,
        })
    });
    Ok(bookings.collect())
}

/// The currencies of those of these payments that are `whose`.
fn currencies_of(
    conn: &mut Conn,
    whose: &Whose,
    payment_ids: BTreeSet<PaymentId>,
) -> StoreResult<BTreeMap<PaymentId, Currency>> {
    if payment_ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows: Vec<(PaymentId, AppId, String, Currency)> = payments::table
        .filter(payments::payment_id.eq_any(payment_ids))
        .select((payments::payment_id, payments::app_id, payments::provider, payments::currency))
        .load(conn)?;
    let own = rows.into_iter().filter(|row| whose.app_ids.contains(&row.1) && row.2 == whose.provider);
    Ok(own.map(|row| (row.0, row.3)).collect())
}

/// The receipts that are called so: by the provider's transaction, by our payment's id, or by what the provider calls
/// the payment.
pub fn receipts_named(conn: &mut Conn, whose: &Whose, names: &[String]) -> StoreResult<ByName> {
    let mut found = ByName::new();
    let by_transaction = receipts::table.filter(receipts::provider_transaction.eq_any(names)).select(RECEIPT);
    let rows = by_transaction.load::<ReceiptColumns>(conn)?;
    for booking in of_receipts(conn, whose, rows)? {
        found.entry(booking.reference.clone()).or_default().push(booking);
    }
    let mut payments: BTreeMap<PaymentId, String> = BTreeMap::new();
    let unknown: Vec<String> = names.iter().filter(|name| !found.contains_key(*name)).cloned().collect();
    for name in &unknown {
        payments.extend(PaymentId::parse(name).map(|id| (id, name.clone())));
    }
    payments.extend(attempts_named(conn, whose, &unknown)?);
    for (row, name) in receipts_of_payments(conn, whose, payments)? {
        found.entry(name).or_default().push(row);
    }
    Ok(found)
}

/// The payments of the attempts that the provider calls so.
fn attempts_named(conn: &mut Conn, whose: &Whose, names: &[String]) -> StoreResult<Vec<(PaymentId, String)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let named = attempts::table
        .filter(IsNotOfTheMock)
        .filter(attempts::provider_ref.eq_any(names))
        .filter(attempts::provider.eq(&whose.provider))
        .select((attempts::payment_id, attempts::provider_ref.assume_not_null()));
    Ok(named.load(conn)?)
}

fn receipts_of_payments(
    conn: &mut Conn,
    whose: &Whose,
    names: BTreeMap<PaymentId, String>,
) -> StoreResult<Vec<(Booking, String)>> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows = receipts::table.filter(receipts::payment_id.eq_any(names.keys())).select(RECEIPT).load(conn)?;
    let bookings = of_receipts(conn, whose, rows)?;
    let names: HashMap<&str, &String> = names.iter().map(|(id, name)| (id.as_str(), name)).collect();
    let named = bookings.into_iter().filter_map(|booking| {
        let name = (*names.get(booking.payment_id.as_str())?).clone();
        Some((booking, name))
    });
    Ok(named.collect())
}

type RefundColumns = (RefundId, PaymentId, Option<String>, i64, Timestamp, Currency);

/// Refunds that succeeded.
macro_rules! refunds {
    () => {
        refunds::table.filter(refunds::status.eq("succeeded")).select((
            refunds::refund_id,
            refunds::payment_id,
            refunds::provider_ref,
            refunds::amount_minor,
            refunds::created_at,
            refunds::currency,
        ))
    };
}

/// The bookings of refunds, without those that are not `whose`.
fn of_refunds(conn: &mut Conn, whose: &Whose, rows: Vec<RefundColumns>) -> StoreResult<Vec<Booking>> {
    let payments = currencies_of(conn, whose, rows.iter().map(|row| row.1.clone()).collect())?;
    let own = rows.into_iter().filter(|row| payments.contains_key(&row.1));
    let bookings = own.map(|(refund_id, payment_id, provider_ref, amount_minor, at, currency)| Booking {
        kind: Kind::Refund,
        payment_id: payment_id.to_string(),
        own_id: refund_id.to_string(),
        reference: provider_ref.unwrap_or_else(|| refund_id.to_string()),
        amount_minor,
        currency,
        at,
    });
    Ok(bookings.collect())
}

/// The refunds that are called so: by the provider's id, by ours, or, where a report names a refund as its payment, by
/// what the payment is called.
pub fn refunds_named(conn: &mut Conn, whose: &Whose, names: &[String]) -> StoreResult<ByName> {
    let mut found = ByName::new();
    let rows = refunds!().filter(refunds::provider_ref.eq_any(names)).load(conn)?;
    for booking in of_refunds(conn, whose, rows)? {
        found.entry(booking.reference.clone()).or_default().push(booking);
    }
    let ids: Vec<RefundId> = names.iter().filter_map(|name| RefundId::parse(name)).collect();
    if !ids.is_empty() {
        let rows = refunds!().filter(refunds::refund_id.eq_any(ids)).load(conn)?;
        for booking in of_refunds(conn, whose, rows)? {
            found.entry(booking.own_id.clone()).or_default().push(booking);
        }
    }
    let unknown: Vec<String> = names.iter().filter(|name| !found.contains_key(*name)).cloned().collect();
    if unknown.is_empty() {
        return Ok(found);
    }
    let receipts = receipts_named(conn, whose, &unknown)?;
    let mut names_of: HashMap<String, HashSet<String>> = HashMap::new();
    for (name, booking) in
        receipts.into_iter().flat_map(|(name, all)| all.into_iter().map(move |one| (name.clone(), one)))
    {
        names_of.entry(booking.payment_id).or_default().insert(name);
    }
    if names_of.is_empty() {
        return Ok(found);
    }
    let ids = names_of.keys().cloned().collect::<Vec<String>>();
    let rows = refunds!().filter(refunds::payment_id.eq_any(ids)).load(conn)?;
    for booking in of_refunds(conn, whose, rows)? {
        for name in names_of.get(&booking.payment_id).into_iter().flatten() {
            found.entry(name.clone()).or_default().push(booking.clone());
        }
    }
    Ok(found)
}

/// The receipts of one app's next payments after `after` that came in the span, and where to go on. A payment that began
/// long before the span is not looked at.
pub fn receipts_page(
    conn: &mut Conn,
    app_id: &AppId,
    provider: &str,
    span: Span,
    after: Option<&str>,
    limit: usize,
) -> StoreResult<(Vec<Booking>, Option<String>)> {
    let earliest = PaymentId::earliest_at(span.from.minus(LONGEST_PAYMENT)).to_string();
    let ids: Vec<PaymentId> = payments::table
        .filter(payments::app_id.eq(app_id))
        .filter(payments::provider.eq(provider))
        .filter(payments::payment_id.gt(after.map_or(earliest, str::to_owned)))
        .filter(payments::payment_id.le(PaymentId::latest_at(span.to)))
        .order(payments::payment_id)
        .limit(limit as i64)
        .select(payments::payment_id)
        .load(conn)?;
    let next = ids.last().filter(|_| ids.len() == limit).map(ToString::to_string);
    if ids.is_empty() {
        return Ok((Vec::new(), None));
    }
    let whose = Whose { app_ids: vec![app_id.clone()], provider: provider.to_owned() };
    let within = receipts::table
        .filter(receipts::payment_id.eq_any(ids))
        .filter(receipts::created_at.ge(span.from))
        .filter(receipts::created_at.lt(span.to))
        .select(RECEIPT);
    let rows = within.load(conn)?;
    Ok((of_receipts(conn, &whose, rows)?, next))
}

/// One app's next refunds after `after` that were made in the span and succeeded, and where to go on.
pub fn refunds_page(
    conn: &mut Conn,
    app_id: &AppId,
    provider: &str,
    span: Span,
    after: Option<&str>,
    limit: usize,
) -> StoreResult<(Vec<Booking>, Option<String>)> {
    let earliest = RefundId::earliest_at(span.from).to_string();
    let ids: Vec<RefundId> = refunds::table
        .filter(refunds::app_id.eq(app_id))
        .filter(refunds::refund_id.gt(after.map_or(earliest, str::to_owned)))
        .filter(refunds::refund_id.le(RefundId::latest_at(span.to)))
        .order(refunds::refund_id)
        .limit(limit as i64)
        .select(refunds::refund_id)
        .load(conn)?;
    let next = ids.last().filter(|_| ids.len() == limit).map(ToString::to_string);
    if ids.is_empty() {
        return Ok((Vec::new(), None));
    }
    let whose = Whose { app_ids: vec![app_id.clone()], provider: provider.to_owned() };
    let rows = refunds!().filter(refunds::refund_id.eq_any(ids)).filter(refunds::created_at.lt(span.to)).load(conn)?;
    Ok((of_refunds(conn, &whose, rows)?, next))
}
