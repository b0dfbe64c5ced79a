//! The line: deltas that were taken in are put one behind the other, each linked to the one before. One transaction takes
//! many, and holds the line while it does: whoever else wants to waits, so that numbers have neither gaps nor twins.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;

use super::Gateway;
use super::deltas::content_hash;
use super::views::raw;
use super::webhook_endpoints::tenant_event;
use crate::domain::decimals::Decimal;
use crate::domain::ids::{EventId, TenantId};
use crate::domain::leaves::Leaf;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::plans::Period;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::delta_entries::{EntryRow, FailureRow};
use crate::store::deltas::DeltaRow;
use crate::store::ledger_customers::{LedgerCustomer, NewCustomer};
use crate::store::ledgers::LedgerRow;
use crate::store::usage::{self, Counter};
use crate::store::{Conn, Lane, StoreError, StoreResult, delta_entries, deltas, events, ledger_customers, ledgers};

/// How many deltas one transaction takes.
const AT_ONCE: i64 = 4000;

/// What `delta.verified` tells.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verified<'a> {
    record_id: &'a str,
    receipt_id: String,
    status: &'static str,
    customer_id: &'a str,
    currency: Option<&'a str>,
    delta: Decimal,
    reason: &'a str,
    reference_id: Option<&'a str>,
    metadata: Option<&'a RawValue>,
    sequence_number: i64,
    verification_reference: &'a str,
    verified_at: Timestamp,
    block_timestamp: Timestamp,
    proof: Proof<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Proof<'a> {
    proof_hash: &'a str,
    content_hash: &'a str,
    previous_proof_hash: Option<String>,
    item_hashes: [&'a str; 2],
}

/// What `delta.failed` tells.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failed<'a> {
    record_id: &'a str,
    receipt_id: String,
    status: &'static str,
    customer_id: &'a str,
    delta: Decimal,
    reference_id: Option<&'a str>,
    error: &'a str,
    failed_at: Timestamp,
}

impl Gateway {
    /// Waits until there may be deltas to verify.
    pub async fn deltas_wanted(&self) {
        self.deltas_wanted.notified().await;
    }

    /// Verifies deltas that wait, some of every tenant and mode; says how many.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn verify_deltas(&self) -> Outcome<usize> {
        let mut number = 0;
        for (tenant_id, mode) in self.read(deltas::lines_with_work).await? {
            let now = self.clock.now();
            let lane = tenant_id.clone();
            let (verified, has_events) =
                self.write(Lane::Of(lane.as_str()), move |conn| verify_some(conn, &tenant_id, mode, now)).await?;
            number += verified;
            if has_events {
                self.deliveries_wanted.notify_one();
            }
        }
        Ok(number)
    }
}

/// Verifies the oldest deltas of a line; says how many left the queue, and whether someone is told of it.
fn verify_some(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, now: Timestamp) -> StoreResult<(usize, bool)> {
    let mut line = ledgers::hold(conn, tenant_id, mode)?;
    let Some((taken, rows)) = deltas::waiting(conn, tenant_id, mode, AT_ONCE)? else { return Ok((0, false)) };
    let mut customers = customers_of(conn, tenant_id, mode, &rows, now)?;
    let listeners = events::listeners_of_tenant(conn, tenant_id, mode)?;
    // A leaf tells its moment to the millisecond, and the line is in the order of time.
    let now = Timestamp::from_unix_micros(now.unix_micros() / 1000 * 1000).max(line.last_verified_at);
    let mut entries = Vec::with_capacity(rows.len());
    let mut told = Vec::new();
    for row in &rows {
        let Some(customer) = customers.get_mut(&row.customer_id) else { return Err(StoreError::Missing) };
        let event = match entry_of(row, &mut line, customer, now) {
            Ok((entry, previous)) => {
                let event =
                    listeners.want("delta.verified").then(|| verified_event(row, &entry, previous.as_deref(), now));
                entries.push(entry);
                event
            }
            Err(reason) => {
                fail(conn, row, reason, now)?;
                listeners.want("delta.failed").then(|| failed_event(row, reason, now))
            }
        };
        told.extend(event);
    }
    delta_entries::append(conn, &entries)?;
    let changed: Vec<&LedgerCustomer> =
        customers.values().filter(|customer| customer.last_delta_at == Some(now)).collect();
    ledger_customers::save_balances(conn, &changed)?;
    ledgers::save(conn, &line)?;
    deltas::unqueue(conn, tenant_id, mode, &taken)?;
    for event in &told {
        events::insert_heard(conn, event, &listeners, now)?;
    }
    Ok((rows.len(), !told.is_empty()))
}

/// The customers of deltas, made where there are none.
fn customers_of(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    rows: &[DeltaRow],
    now: Timestamp,
) -> StoreResult<HashMap<String, LedgerCustomer>> {
    let mut currencies: HashMap<&str, Option<Currency>> = HashMap::new();
    for row in rows {
        currencies.insert(&row.customer_id, row.currency);
    }
    let ids: Vec<&str> = currencies.keys().copied().collect();
    let mut customers = ledger_customers::with_ids(conn, tenant_id, mode, &ids)?;
    let missing: Vec<&str> = ids.into_iter().filter(|id| !customers.contains_key(*id)).collect();
    if !missing.is_empty() {
        let new: Vec<NewCustomer> = missing
            .iter()
            .map(|id| NewCustomer {
                tenant_id: tenant_id.clone(),
                mode,
                customer_id: (*id).to_owned(),
                display_name: None,
                currency: currencies.get(id).copied().flatten(),
                created_at: now,
            })
            .collect();
        ledger_customers::insert_all(conn, &new)?;
        customers.extend(ledger_customers::with_ids(conn, tenant_id, mode, &missing)?);
    }
    Ok(customers)
}

/// A delta's place at the end of the line, which is moved on, and the proof hash of the one before it.
fn entry_of(
    row: &DeltaRow,
    line: &mut LedgerRow,
    customer: &mut LedgerCustomer,
    now: Timestamp,
) -> Result<(EntryRow, Option<Vec<u8>>), &'static str> {
    if content_hash(row)[..] != row.content_hash[..] {
        return Err("the record is not what was accepted");
    }
    const OVERFLOW: &str = "the sum would not fit";
    let delta = row.delta();
    let customer_sum = customer.balance.decimal().checked_add(delta).ok_or(OVERFLOW)?;
    let (emitted, emitted_sum) = if row.currency.is_some() {
        (line.emitted, line.emitted_sum.decimal())
    } else {
        (line.emitted + 1, line.emitted_sum.decimal().checked_add(delta).ok_or(OVERFLOW)?)
    };
    let previous = line.last_hash.take();
    let sequence = line.last_sequence + 1;
    let hash =
        leaf_of(row, sequence, previous.as_deref(), now).map(|leaf| leaf.hash()).ok_or("a hash is not 32 bytes")?;
    line.last_sequence = sequence;
    line.last_hash = Some(hash.to_vec());
    line.last_verified_at = now;
    line.emitted = emitted;
    line.emitted_sum = emitted_sum.into();
    customer.deltas += 1;
    customer.balance = customer_sum.into();
    customer.last_delta_at = Some(now);
    let entry = EntryRow {
        ledger_id: line.ledger_id,
        sequence,
        record_id: row.record_id.clone(),
        customer_key: customer.customer_key,
        customer_sequence: customer.deltas,
        customer_sum: customer.balance.clone(),
        emitted,
        emitted_sum: line.emitted_sum.clone(),
        leaf_hash: hash.to_vec(),
        verified_at: now,
    };
    Ok((entry, previous))
}

/// The leaf of a delta at a place of its line; `None` for a hash or salt of the wrong length.
pub(super) fn leaf_of<'a>(
    row: &'a DeltaRow,
    sequence: i64,
    previous: Option<&[u8]>,
    verified_at: Timestamp,
) -> Option<Leaf<'a>> {
    Some(Leaf {
        currency: row.currency.map(|currency| Cow::Borrowed(currency.code())),
        customer_id: Cow::Borrowed(&row.customer_id),
        delta: Cow::Owned(row.delta().to_string()),
        mode: row.mode,
        previous_proof_hash: previous.map(<[u8; 32]>::try_from).transpose().ok()?,
        reason: Cow::Borrowed(&row.reason),
        record_id: Cow::Borrowed(row.record_id.as_str()),
        reference_id: row.reference_id.as_deref().map(Cow::Borrowed),
        salt: row.salt.as_slice().try_into().ok()?,
        sequence_number: u64::try_from(sequence).ok()?,
        tenant_id: Cow::Borrowed(row.tenant_id.as_str()),
        verified_at: Cow::Owned(verified_at.to_rfc3339()),
    })
}

/// Writes down that a delta will not be verified, and gives back what it took of the plan.
fn fail(conn: &mut Conn, row: &DeltaRow, reason: &str, now: Timestamp) -> StoreResult<()> {
    tracing::error!(mode = %row.mode, tenant = %row.tenant_id, record = %row.record_id, reason, "a delta could not be verified");
    let failure = FailureRow { record_id: row.record_id.clone(), reason: reason.to_owned(), failed_at: now };
    delta_entries::fail(conn, &failure)?;
    if let Some(period) = row.counted_in.as_deref().and_then(Period::parse) {
        let counter = Counter { tenant_id: &row.tenant_id, mode: row.mode, period, name: usage::DELTAS };
        usage::release(conn, counter, 1)?;
    }
    Ok(())
}

fn verified_event(row: &DeltaRow, entry: &EntryRow, previous: Option<&[u8]>, now: Timestamp) -> events::Event {
    let (proof_hash, content_hash) = (hex::encode(&entry.leaf_hash), hex::encode(&row.content_hash));
    let data = Verified {
        record_id: row.record_id.as_str(),
        receipt_id: row.record_id.receipt_id(),
        status: "VERIFIED",
        customer_id: &row.customer_id,
        currency: row.currency.map(Currency::code),
        delta: row.delta(),
        reason: &row.reason,
        reference_id: row.reference_id.as_deref(),
        metadata: row.metadata.as_deref().map(raw),
        sequence_number: entry.sequence,
        verification_reference: &proof_hash,
        verified_at: entry.verified_at,
        block_timestamp: entry.verified_at,
        proof: Proof {
            proof_hash: &proof_hash,
            content_hash: &content_hash,
            previous_proof_hash: previous.map(hex::encode),
            item_hashes: [&content_hash, &proof_hash],
        },
    };
    tenant_event(EventId::generate(now), &row.tenant_id, row.mode, "delta.verified", &data, now)
}

fn failed_event(row: &DeltaRow, reason: &str, now: Timestamp) -> events::Event {
    let data = Failed {
        record_id: row.record_id.as_str(),
        receipt_id: row.record_id.receipt_id(),
        status: "FAILED",
        customer_id: &row.customer_id,
        delta: row.delta(),
        reference_id: row.reference_id.as_deref(),
        error: reason,
        failed_at: now,
    };
    tenant_event(EventId::generate(now), &row.tenant_id, row.mode, "delta.failed", &data, now)
}
