//! What a person reads of the ledger at the console: customers, one with the course of its balance, one delta with its
//! place, and what a payment posted. What machines are told of the same is beside each noun.

use std::collections::HashMap;

use super::balance_customers::customer_not_found;
use super::balances::stretch_of_customer;
use super::deltas::{delta_not_found, previous_hash, status};
use super::{Gateway, Scope};
use crate::domain::balances::{Window, sampled};
use crate::domain::decimals::Decimal;
use crate::domain::ids::{DeltaId, PaymentId, RefundId};
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::delta_entries::{self, EntryRow};
use crate::store::deltas::{self, Standing};
use crate::store::ledger_customers::{self, LedgerCustomer};
use crate::store::payments::Payment;
use crate::store::refunds::{self, Refund};
use crate::store::{Conn, Page, StoreResult};

/// How many points the course of a balance has at the most.
const MOST_POINTS: i64 = 200;

/// How many deltas of one payment are told.
const MOST_OF_A_PAYMENT: i64 = 100;

/// A delta as it stands.
#[derive(Clone, Debug)]
pub struct DeltaFacts {
    /// Its record.
    pub record_id: DeltaId,
    /// Whose balance it changes.
    pub customer_id: String,
    /// The payment's currency, for what a payment posted.
    pub currency: Option<Currency>,
    /// How much.
    pub delta: Decimal,
    /// Why.
    pub reason: String,
    /// What it is about.
    pub reference_id: Option<String>,
    /// The payment that this is, or whose refund.
    pub payment_id: Option<PaymentId>,
    /// The text of a JSON object, as it came in.
    pub metadata: Option<String>,
    /// `QUEUED`, `VERIFIED` or `FAILED`.
    pub status: &'static str,
    /// Why it could not be verified.
    pub error: Option<String>,
    /// When it was taken in.
    pub created_at: Timestamp,
    /// SHA-256 of what was taken in, in hex.
    pub content_hash: String,
    /// Where it is in the line, once it is verified.
    pub place: Option<DeltaPlace>,
}

/// A delta's place in the line.
#[derive(Clone, Debug)]
pub struct DeltaPlace {
    /// Its number among all of the tenant's in the mode, from 1.
    pub sequence: i64,
    /// Its number among the customer's, from 1.
    pub customer_sequence: i64,
    /// The customer's balance after it.
    pub balance_after: Decimal,
    /// The hash of its leaf, in hex.
    pub proof_hash: String,
    /// When it took its place.
    pub verified_at: Timestamp,
}

/// A balance after a delta.
#[derive(Clone, Copy, Debug)]
pub struct BalancePoint {
    /// When the delta was verified.
    pub at: Timestamp,
    /// The balance after it.
    pub balance: Decimal,
}

/// A customer over a stretch of time.
#[derive(Debug)]
pub struct CustomerStory {
    /// The customer, as it is now.
    pub customer: LedgerCustomer,
    /// How many deltas were verified in the stretch.
    pub count: i64,
    /// The balance before the stretch.
    pub before: Decimal,
    /// The balance at its end.
    pub after: Decimal,
    /// How the balance went from the one to the other: every delta of the stretch, or 200 of them evenly apart.
    pub points: Vec<BalancePoint>,
    /// The deltas, newest first; the next page begins before the number that `next` says.
    pub deltas: Page<DeltaFacts>,
}

impl DeltaFacts {
    fn of(standing: Standing) -> Self {
        let status = status(&standing);
        let (row, entry, failure) = standing;
        let payment_id = row.reference_id.as_deref().and_then(PaymentId::parse).filter(|_| row.currency.is_some());
        Self {
            delta: row.delta(),
            record_id: row.record_id,
            customer_id: row.customer_id,
            currency: row.currency,
            reason: row.reason,
            payment_id,
            reference_id: row.reference_id,
            metadata: row.metadata,
            status,
            error: failure.map(|failure| failure.reason),
            created_at: row.created_at,
            content_hash: hex::encode(&row.content_hash),
            place: entry.as_ref().map(DeltaPlace::of),
        }
    }

    /// The refund that this was posted for.
    fn refund_id(&self) -> Option<RefundId> {
        self.currency.and(self.reference_id.as_deref()).and_then(RefundId::parse)
    }
}

impl DeltaPlace {
    fn of(entry: &EntryRow) -> Self {
        Self {
            sequence: entry.sequence,
            customer_sequence: entry.customer_sequence,
            balance_after: entry.customer_sum.decimal(),
            proof_hash: hex::encode(&entry.leaf_hash),
            verified_at: entry.verified_at,
        }
    }
}

/// Says of the deltas that refunds posted which payments those are of.
fn name_payments(conn: &mut Conn, deltas: &mut [DeltaFacts]) -> StoreResult<()> {
    let refund_ids: Vec<RefundId> = deltas.iter().filter_map(DeltaFacts::refund_id).collect();
    if refund_ids.is_empty() {
        return Ok(());
    }
    let payments: HashMap<RefundId, PaymentId> = refunds::payments_of(conn, &refund_ids)?;
    for delta in deltas {
        if let Some(payment_id) = delta.refund_id().and_then(|refund_id| payments.get(&refund_id)) {
            delta.payment_id = Some(payment_id.clone());
        }
    }
    Ok(())
}

/// What was posted of a payment and its refunds.
pub(super) fn deltas_of_payment(
    conn: &mut Conn,
    scope: &Scope,
    payment: &Payment,
    refunds: &[Refund],
) -> StoreResult<Vec<DeltaFacts>> {
    let mut references = vec![payment.payment_id.as_str()];
    references.extend(refunds.iter().map(|refund| refund.refund_id.as_str()));
    let found = deltas::of_payment(conn, &scope.tenant_id, scope.mode, &references, MOST_OF_A_PAYMENT)?;
    let of_payment = |delta| DeltaFacts { payment_id: Some(payment.payment_id.clone()), ..DeltaFacts::of(delta) };
    Ok(found.into_iter().map(of_payment).collect())
}

impl Gateway {
    /// A page of the ledger's customers whose ids begin with `prefix`, in the order of their ids.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn customers_of_ledger(
        &self,
        scope: &Scope,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Outcome<Page<LedgerCustomer>> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            ledger_customers::beginning_with(conn, &tenant_id, mode, &prefix, after.as_deref(), limit)
        })
        .await
    }

    /// A customer with the course of its balance over a stretch, and a page of the deltas, newest first: those before the
    /// customer's delta with the number `before`.
    ///
    /// # Errors
    /// 403 without the scope; 404.
    pub async fn customer_story(
        &self,
        scope: &Scope,
        customer_id: String,
        window: Window,
        before: Option<i64>,
        limit: usize,
    ) -> Outcome<CustomerStory> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(move |conn| {
            let Some(customer) = ledger_customers::find(conn, &tenant_id, mode, &customer_id)? else {
                return Ok(Err(customer_not_found()));
            };
            let stretch = match stretch_of_customer(conn, &tenant_id, mode, &customer, &window)? {
                Ok(stretch) => stretch,
                Err(fault) => return Ok(Err(fault)),
            };
            let balance_after =
                |entry: Option<EntryRow>| entry.map_or(Decimal::ZERO, |entry| entry.customer_sum.decimal());
            let opening = balance_after(delta_entries::at(conn, stretch.line, stretch.first - 1)?);
            let numbers = sampled(stretch.first, stretch.last, MOST_POINTS);
            let sums = delta_entries::sums_at(conn, customer.customer_key, &numbers)?;
            let points: Vec<BalancePoint> =
                sums.into_iter().map(|(_, sum, at)| BalancePoint { at, balance: sum.decimal() }).collect();

            let last = before.map_or(stretch.last, |before| stretch.last.min(before.saturating_sub(1)));
            let first = last.saturating_sub(limit - 1).max(stretch.first);
            let mut items = Vec::new();
            if first <= last {
                let rows = delta_entries::stretch(conn, stretch.line, first, last)?;
                items.extend(rows.into_iter().rev().map(|(entry, row)| DeltaFacts::of((row, Some(entry), None))));
                name_payments(conn, &mut items)?;
            }
            let next = (first <= last && first > stretch.first).then(|| first.to_string());
            Ok(Ok(CustomerStory {
                count: stretch.length(),
                before: opening,
                after: points.last().map_or(opening, |point| point.balance),
                points,
                deltas: Page { items, next },
                customer,
            }))
        })
        .await?
    }

    /// A delta of the tenant in the mode, and the proof hash of the one before it in the line, in hex.
    ///
    /// # Errors
    /// 403 without the scope; 404.
    pub async fn delta_facts(&self, scope: &Scope, record_id: &str) -> Outcome<(DeltaFacts, Option<String>)> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let wanted = DeltaId::parse_either(record_id).ok_or_else(delta_not_found)?;
        let found = self
            .read(move |conn| {
                let Some(standing) = deltas::find(conn, &tenant_id, mode, &wanted)? else { return Ok(None) };
                let previous = match &standing.1 {
                    Some(entry) => previous_hash(conn, entry.ledger_id, entry.sequence)?,
                    None => None,
                };
                let mut facts = DeltaFacts::of(standing);
                name_payments(conn, std::slice::from_mut(&mut facts))?;
                Ok(Some((facts, previous.map(hex::encode))))
            })
            .await?;
        found.ok_or_else(delta_not_found)
    }
}
