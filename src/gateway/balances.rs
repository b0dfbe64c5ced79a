//! Balances: derived from a line's running sums, so that what one costs does not grow with its history; and compared with
//! what two sides believe.

use serde::Serialize;
use serde_json::value::RawValue;

use super::views::{Enveloped, raw, render};
use super::{Gateway, Scope};
use crate::domain::balances::{Amounts, Difference, Point, Window, differences};
use crate::domain::decimals::Decimal;
use crate::domain::ids::{DeltaId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::delta_entries::{self, EntryRow, Line};
use crate::store::deltas::DeltaRow;
use crate::store::ledger_customers::{self, LedgerCustomer};
use crate::store::{Conn, StoreError, StoreResult, checkpoints, ledgers};

/// How many deltas a comparison by reference looks at.
pub(super) const MOST_COMPARED: i64 = 10_000;

/// A stretch of a line: the numbers of its first and last entry. It is empty when the last is before the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub line: Line,
    pub first: i64,
    pub last: i64,
}

impl Stretch {
    pub(super) const fn length(self) -> i64 {
        self.last - self.first + 1
    }
}

/// A delta in its place.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PlacedDelta {
    record_id: DeltaId,
    receipt_id: String,
    delta: Decimal,
    reason: String,
    reference_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Box<RawValue>>,
    status: &'static str,
    sequence_number: i64,
    /// The customer's balance after it.
    balance_after: Decimal,
    created_at: Timestamp,
    verified_at: Timestamp,
    proof_hash: String,
}

impl From<(EntryRow, DeltaRow)> for PlacedDelta {
    fn from((entry, row): (EntryRow, DeltaRow)) -> Self {
        Self {
            receipt_id: row.record_id.receipt_id(),
            delta: row.delta(),
            metadata: row.metadata.as_deref().map(|text| raw(text).to_owned()),
            record_id: row.record_id,
            reason: row.reason,
            reference_id: row.reference_id,
            status: "VERIFIED",
            sequence_number: entry.sequence,
            balance_after: entry.customer_sum.decimal(),
            created_at: row.created_at,
            verified_at: entry.verified_at,
            proof_hash: hex::encode(&entry.leaf_hash),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Derived<'a> {
    customer_id: &'a str,
    currency: Option<&'static str>,
    computed_balance: Decimal,
    starting_balance: Decimal,
    deltas_count: i64,
    delta_count: i64,
    latest_receipt_id: Option<String>,
    deltas: Vec<PlacedDelta>,
    limit: i64,
    offset: i64,
    has_more: bool,
}

/// What two sides believe of a balance.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// Whose; of all that API keys emitted when `None`.
    pub customer_id: Option<String>,
    /// What one side has.
    pub yours: Decimal,
    /// What the other side has.
    pub theirs: Decimal,
    /// What both began with.
    pub starting_balance: Decimal,
    /// Over which stretch.
    pub window: Window,
    /// One side's deltas.
    pub your_deltas: Option<Amounts>,
    /// The other side's.
    pub their_deltas: Option<Amounts>,
}

/// What came of a comparison.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// Whose balance; of all that API keys emitted when `None`.
    pub customer_id: Option<String>,
    /// Whether both sides have what the ledger has.
    pub matches: bool,
    /// Whether one side does.
    pub matches_yours: bool,
    /// Whether the other does.
    pub matches_theirs: bool,
    /// What the ledger has.
    pub neutral_balance: Decimal,
    /// What one side has.
    pub your_balance: Decimal,
    /// What the other side has.
    pub their_balance: Decimal,
    /// What one side has more than the ledger.
    pub your_discrepancy: Decimal,
    /// What the other side has more than the ledger.
    pub their_discrepancy: Decimal,
    /// What both began with.
    pub starting_balance: Decimal,
    /// How many deltas the ledger has over the stretch.
    pub deltas_count: i64,
    delta_count: i64,
    /// The references that differ, where the sides' deltas were given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub differences: Option<Vec<Difference>>,
    /// What the customer is counted in, if payments are booked to it.
    #[serde(skip)]
    pub currency: Option<Currency>,
}

impl Gateway {
    /// A customer's balance over a stretch, and a page of the deltas that make it. The balance covers all of them.
    ///
    /// # Errors
    /// 403 without the scope; 404 for a checkpoint that is not here.
    pub async fn derive_balance(
        &self,
        scope: &Scope,
        customer_id: String,
        starting_balance: Decimal,
        window: Window,
        [limit, offset]: [i64; 2],
    ) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let customer = ledger_customers::find(conn, &tenant_id, mode, &customer_id)?;
            let stretch = match customer.as_ref() {
                Some(customer) => match stretch_of_customer(conn, &tenant_id, mode, customer, &window)? {
                    Ok(stretch) => Some(stretch),
                    Err(fault) => return Ok(Err(fault)),
                },
                None => None,
            };
            let (count, sum) = stretch.map_or(Ok((0, Decimal::ZERO)), |stretch| change_over(conn, stretch))?;
            let computed_balance = starting_balance.checked_add(sum).ok_or(StoreError::Overflow)?;
            let (mut deltas, mut latest_receipt_id) = (Vec::new(), None);
            if let Some(stretch) = stretch.filter(|stretch| stretch.length() > 0) {
                let first = stretch.first.saturating_add(offset);
                let last = first.saturating_add(limit - 1).min(stretch.last);
                if first <= last {
                    let rows = delta_entries::stretch(conn, stretch.line, first, last)?;
                    deltas = rows.into_iter().map(PlacedDelta::from).collect();
                }
                let latest = delta_entries::at(conn, stretch.line, stretch.last)?;
                latest_receipt_id = latest.map(|entry| entry.record_id.receipt_id());
            }
            let has_more = offset.saturating_add(deltas.len() as i64) < count;
            Ok(Ok(render(&Enveloped::new(
                200,
                &Derived {
                    customer_id: &customer_id,
                    currency: customer.and_then(|customer| customer.currency).map(Currency::code),
                    computed_balance,
                    starting_balance,
                    deltas_count: count,
                    delta_count: count,
                    latest_receipt_id,
                    deltas,
                    limit,
                    offset,
                    has_more,
                },
            ))))
        })
        .await?
    }

    /// Compares what two sides believe of a balance with what the ledger has, rendered.
    ///
    /// # Errors
    /// As [`Gateway::compared_balances`].
    pub async fn compare_balances(&self, scope: &Scope, comparison: Comparison) -> Outcome<String> {
        Ok(render(&Enveloped::new(200, &self.compared_balances(scope, comparison).await?)))
    }

    /// Compares what two sides believe of a balance with what the ledger has.
    ///
    /// # Errors
    /// 400 when a comparison by reference would look at too much; 403 without the scope; 404 for a checkpoint that is
    /// not here.
    pub async fn compared_balances(&self, scope: &Scope, comparison: Comparison) -> Outcome<Compared> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let found = match &comparison.customer_id {
                Some(customer_id) => neutral_of_customer(conn, &tenant_id, mode, customer_id, &comparison.window)?,
                None => neutral_of_all(conn, &tenant_id, mode, &comparison.window)?,
            };
            let Neutral { sum, count, stretch, currency } = match found {
                Ok(neutral) => neutral,
                Err(fault) => return Ok(Err(fault)),
            };
            let neutral = comparison.starting_balance.checked_add(sum).ok_or(StoreError::Overflow)?;
            let off = |side: Decimal| side.checked_sub(neutral).ok_or(StoreError::Overflow);
            let (your_discrepancy, their_discrepancy) = (off(comparison.yours)?, off(comparison.theirs)?);
            let differing = if comparison.your_deltas.is_some() || comparison.their_deltas.is_some() {
                if count > MOST_COMPARED {
                    return Ok(Err(too_wide(&format!("{MOST_COMPARED} deltas can be compared by reference at once"))));
                }
                let amounts = amounts_of(conn, stretch)?;
                Some(differences(comparison.your_deltas.as_ref(), comparison.their_deltas.as_ref(), &amounts))
            } else {
                None
            };
            let (matches_yours, matches_theirs) = (your_discrepancy.is_zero(), their_discrepancy.is_zero());
            Ok(Ok(Compared {
                customer_id: comparison.customer_id,
                matches: matches_yours && matches_theirs,
                matches_yours,
                matches_theirs,
                neutral_balance: neutral,
                your_balance: comparison.yours,
                their_balance: comparison.theirs,
                your_discrepancy,
                their_discrepancy,
                starting_balance: comparison.starting_balance,
                deltas_count: count,
                delta_count: count,
                differences: differing,
                currency,
            }))
        })
        .await?
    }
}

/// What the ledger has over a stretch.
struct Neutral {
    sum: Decimal,
    count: i64,
    stretch: Option<Stretch>,
    currency: Option<Currency>,
}

fn neutral_of_customer(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    customer_id: &str,
    window: &Window,
) -> StoreResult<Outcome<Neutral>> {
    let nothing = Neutral { sum: Decimal::ZERO, count: 0, stretch: None, currency: None };
    let Some(customer) = ledger_customers::find(conn, tenant_id, mode, customer_id)? else { return Ok(Ok(nothing)) };
    let stretch = match stretch_of_customer(conn, tenant_id, mode, &customer, window)? {
        Ok(stretch) => stretch,
        Err(fault) => return Ok(Err(fault)),
    };
    let (count, sum) = change_over(conn, stretch)?;
    Ok(Ok(Neutral { sum, count, stretch: Some(stretch), currency: customer.currency }))
}

/// Of all customers that API keys emitted for: what payments posted is in their currencies, and in no sum of several.
fn neutral_of_all(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, window: &Window) -> StoreResult<Outcome<Neutral>> {
    let nothing = Neutral { sum: Decimal::ZERO, count: 0, stretch: None, currency: None };
    let Some(ledger) = ledgers::find(conn, tenant_id, mode)? else { return Ok(Ok(nothing)) };
    let line = Line::Ledger(ledger.ledger_id);
    let stretch = match stretch_of(conn, tenant_id, mode, line, ledger.last_sequence, window)? {
        Ok(stretch) => stretch,
        Err(fault) => return Ok(Err(fault)),
    };
    let (count, sum) = change_over(conn, stretch)?;
    Ok(Ok(Neutral { sum, count, stretch: Some(stretch), currency: None }))
}

/// The amounts of a stretch by reference, those that API keys emitted where it is of all customers.
fn amounts_of(conn: &mut Conn, stretch: Option<Stretch>) -> StoreResult<Amounts> {
    let mut amounts = Amounts::new();
    let Some(stretch) = stretch else { return Ok(amounts) };
    for (_, row) in delta_entries::stretch(conn, stretch.line, stretch.first, stretch.last)? {
        let delta = row.delta();
        let Some(reference_id) = row.reference_id else { continue };
        if matches!(stretch.line, Line::Ledger(_)) && row.currency.is_some() {
            continue;
        }
        let amount = amounts.entry(reference_id).or_default();
        *amount = amount.checked_add(delta).ok_or(StoreError::Overflow)?;
    }
    Ok(amounts)
}

/// The stretch of a customer's line that a window means.
pub(super) fn stretch_of_customer(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    customer: &LedgerCustomer,
    window: &Window,
) -> StoreResult<Outcome<Stretch>> {
    stretch_of(conn, tenant_id, mode, Line::Customer(customer.customer_key), customer.deltas, window)
}

/// The stretch of a line, which ends at `last`, that a window means.
pub(super) fn stretch_of(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    line: Line,
    last: i64,
    window: &Window,
) -> StoreResult<Outcome<Stretch>> {
    let mut since =
        |moment: Timestamp| delta_entries::first_not_before(conn, line, last, |_, verified_at| verified_at < moment);
    let (first, last) = match window {
        Window::All => (1, last),
        Window::Month(period) => (since(period.start())?, since(period.end())? - 1),
        Window::Span(start, end) => (since(*start)?, since(*end)? - 1),
        Window::After(point) => {
            let Some(sequence) = sequence_of(conn, tenant_id, mode, point)? else {
                return Ok(Err(Fault::new(Code::NotFound, "there is no such checkpoint or delta")));
            };
            (delta_entries::first_not_before(conn, line, last, |number, _| number <= sequence)?, last)
        }
    };
    Ok(Ok(Stretch { line, first, last }))
}

/// The number, in the tenant's line, of the last delta that a point covers.
fn sequence_of(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, point: &Point) -> StoreResult<Option<i64>> {
    let Some(ledger) = ledgers::find(conn, tenant_id, mode)? else { return Ok(None) };
    let entry = match point {
        Point::Delta(record_id) => delta_entries::of_record(conn, record_id)?,
        Point::Checkpoint(checkpoint_id) => match checkpoints::find(conn, tenant_id, mode, checkpoint_id)? {
            Some((checkpoint, tree)) => checkpoints::last_entry(conn, &tree, checkpoint.size)?,
            None => None,
        },
        Point::Root(root) => match checkpoints::of_root_in(conn, tenant_id, mode, root)? {
            Some((checkpoint, tree)) => checkpoints::last_entry(conn, &tree, checkpoint.size)?,
            None => None,
        },
    };
    Ok(entry.filter(|entry| entry.ledger_id == ledger.ledger_id).map(|entry| entry.sequence))
}

/// How many deltas of a stretch add to balances, and what they add: all of a customer's, or those that API keys emitted of
/// everybody's. Two entries are read, however long the stretch is: each has the sums up to it.
pub(super) fn change_over(conn: &mut Conn, stretch: Stretch) -> StoreResult<(i64, Decimal)> {
    let mut up_to = |number: i64| -> StoreResult<(i64, Decimal)> {
        let Some(entry) = delta_entries::at(conn, stretch.line, number)? else { return Ok((0, Decimal::ZERO)) };
        Ok(match stretch.line {
            Line::Customer(_) => (number, entry.customer_sum.decimal()),
            Line::Ledger(_) => (entry.emitted, entry.emitted_sum.decimal()),
        })
    };
    let (before, end) = (up_to(stretch.first - 1)?, up_to(stretch.last)?);
    Ok((end.0 - before.0, end.1.checked_sub(before.1).ok_or(StoreError::Overflow)?))
}

pub(super) fn too_wide(how_much: &str) -> Fault {
    Fault::new(Code::ScopeTooWide, format!("the stretch is too long: {how_much}; narrow it"))
}
