//! Deltas: taken in as QUEUED, and what a tenant is told of one. How they become a line is in `verifying`; balances are
//! in `balances`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};

use serde::Serialize;
use serde_json::value::RawValue;

use super::idempotency::Fresh;
use super::views::{Enveloped, raw, render};
use super::{Answer, Gateway, Once, Scope, plans};
use crate::domain::decimals::Decimal;
use crate::domain::deltas::{Content, DeltaDraft, payment_customer};
use crate::domain::ids::{DeltaId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::plans::{Period, Plans};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::deltas::{DeltaRow, Reference, Standing};
use crate::store::payments::Payment;
use crate::store::{Conn, StoreError, StoreResult, apps, delta_entries, deltas};

/// Random bytes of a salt.
const SALT_BYTES: usize = 16;

/// A delta as it was taken in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TakenIn<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    record_id: &'a DeltaId,
    receipt_id: String,
    customer_id: &'a str,
    delta: Decimal,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference_id: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    idempotent: bool,
}

/// A delta of a batch that was not.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TurnedAway<'a> {
    index: usize,
    customer_id: Option<&'a str>,
    delta: Option<Decimal>,
    status: &'static str,
    error: String,
}

#[derive(Serialize)]
#[serde(untagged)]
enum BatchResult<'a> {
    TakenIn(TakenIn<'a>),
    TurnedAway(TurnedAway<'a>),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    total_queued: usize,
    total_failed: usize,
    results: Vec<BatchResult<'a>>,
}

/// A delta as it stands.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeltaObject<'a> {
    record_id: &'a DeltaId,
    receipt_id: String,
    customer_id: &'a str,
    currency: Option<&'a str>,
    delta: Decimal,
    reason: &'a str,
    reference_id: Option<&'a str>,
    metadata: Option<&'a RawValue>,
    status: &'static str,
    error: Option<&'a str>,
    created_at: Timestamp,
    verified_at: Option<Timestamp>,
    verification_reference: Option<String>,
    sequence_number: Option<i64>,
    proof_hash: Option<String>,
    previous_proof_hash: Option<String>,
    content_hash: String,
}

/// What came of a draft.
enum TakenAs {
    /// A record of its own.
    New(DeltaRow),
    /// The record that stands for its reference already, and its status.
    Known(DeltaRow, &'static str),
    /// Another delta stands for its reference.
    Contradicts,
}

impl Gateway {
    /// Takes in a delta.
    ///
    /// # Errors
    /// 400; 402 when the plan has no room; 403 without the scope; 409 when the reference stands for another delta.
    pub async fn emit_delta(&self, scope: &Scope, once: Option<Once>, draft: DeltaDraft) -> Outcome<Answer> {
        self.emit(scope, once, vec![draft], |_, taken| {
            let (row, known_as) = match taken.first() {
                Some(TakenAs::New(row)) => (row, None),
                Some(TakenAs::Known(row, status)) => (row, Some(*status)),
                Some(TakenAs::Contradicts) | None => return Err(contradiction()),
            };
            Ok(render(&Enveloped::new(201, &taken_in(None, row, known_as))))
        })
        .await
    }

    /// Takes in those deltas of a batch that are as they must be, and says of each what came of it.
    ///
    /// # Errors
    /// 402 when the plan has no room for all of them; 403 without the scope.
    pub async fn emit_deltas(
        &self,
        scope: &Scope,
        once: Option<Once>,
        batch: Vec<Result<DeltaDraft, crate::domain::fields::Invalid>>,
    ) -> Outcome<Answer> {
        let mut drafts = Vec::new();
        let faults: Vec<Option<String>> = batch
            .into_iter()
            .map(|item| match item {
                Ok(draft) => {
                    drafts.push(draft);
                    None
                }
                Err(invalid) => Some(invalid.messages().join("; ")),
            })
            .collect();
        self.emit(scope, once, drafts, move |drafts, taken| {
            let mut taken = drafts.iter().zip(taken);
            let mut results = Vec::with_capacity(faults.len());
            for (index, fault) in faults.iter().enumerate() {
                results.push(match fault {
                    Some(fault) => turned_away(index, None, fault.clone()),
                    None => match taken.next() {
                        Some((_, TakenAs::New(row))) => BatchResult::TakenIn(taken_in(Some(index), row, None)),
                        Some((_, TakenAs::Known(row, status))) => {
                            BatchResult::TakenIn(taken_in(Some(index), row, Some(status)))
                        }
                        other => turned_away(index, other.map(|(draft, _)| draft), contradiction().detail),
                    },
                });
            }
            let total_failed = results.iter().filter(|result| matches!(result, BatchResult::TurnedAway(_))).count();
            let batch = Batch { total_queued: results.len() - total_failed, total_failed, results };
            Ok(render(&Enveloped::new(201, &batch)))
        })
        .await
    }

    async fn emit<F>(&self, scope: &Scope, once: Option<Once>, drafts: Vec<DeltaDraft>, tell: F) -> Outcome<Answer>
    where
        F: Fn(&[DeltaDraft], &[TakenAs]) -> Outcome<String> + Send + 'static,
    {
        scope.require_scope("balance:write")?;
        let (tenant_id, mode, plans) = (scope.tenant_id.clone(), scope.mode, self.settings.plans.clone());
        let work = move |conn: &mut Conn, now: Timestamp| {
            let taken = match take_in(conn, &plans, &tenant_id, mode, &drafts, now)? {
                Ok(taken) => taken,
                Err(fault) => return Ok(Err(fault)),
            };
            Ok(tell(&drafts, &taken).map(|body| Fresh { status: 201, body, payment_id: None }))
        };
        let answer = self.once_if_keyed(once, scope.tenant_id.as_str(), work).await;
        self.deltas_wanted.notify_one();
        answer
    }

    /// A delta of the caller's tenant and mode, rendered.
    ///
    /// # Errors
    /// 403 without the scope; 404.
    pub async fn delta(&self, scope: &Scope, record_id: &str) -> Outcome<String> {
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
                Ok(Some((standing, previous)))
            })
            .await?;
        let (standing, previous) = found.ok_or_else(delta_not_found)?;
        Ok(render(&Enveloped::new(200, &delta_object(&standing, previous.as_deref()))))
    }
}

/// The proof hash of the entry before the one with this number.
pub(super) fn previous_hash(conn: &mut Conn, ledger_id: i64, sequence: i64) -> StoreResult<Option<Vec<u8>>> {
    let previous = delta_entries::at(conn, delta_entries::Line::Ledger(ledger_id), sequence - 1)?;
    Ok(previous.map(|entry| entry.leaf_hash))
}

fn taken_in<'a>(index: Option<usize>, row: &'a DeltaRow, known_as: Option<&'static str>) -> TakenIn<'a> {
    TakenIn {
        index,
        record_id: &row.record_id,
        receipt_id: row.record_id.receipt_id(),
        customer_id: &row.customer_id,
        delta: row.delta(),
        status: known_as.unwrap_or("QUEUED"),
        reference_id: row.reference_id.as_deref(),
        idempotent: known_as.is_some(),
    }
}

fn turned_away(index: usize, draft: Option<&DeltaDraft>, error: String) -> BatchResult<'_> {
    BatchResult::TurnedAway(TurnedAway {
        index,
        customer_id: draft.map(|draft| draft.customer_id.as_str()),
        delta: draft.map(|draft| draft.delta),
        status: "FAILED",
        error,
    })
}

/// What is told of how a delta stands.
pub(super) const fn status(standing: &Standing) -> &'static str {
    match standing {
        (_, Some(_), _) => "VERIFIED",
        (_, None, Some(_)) => "FAILED",
        (_, None, None) => "QUEUED",
    }
}

fn delta_object<'a>(standing: &'a Standing, previous: Option<&[u8]>) -> DeltaObject<'a> {
    let (row, entry, failure) = standing;
    DeltaObject {
        record_id: &row.record_id,
        receipt_id: row.record_id.receipt_id(),
        customer_id: &row.customer_id,
        currency: row.currency.map(crate::domain::money::Currency::code),
        delta: row.delta(),
        reason: &row.reason,
        reference_id: row.reference_id.as_deref(),
        metadata: row.metadata.as_deref().map(raw),
        status: status(standing),
        error: failure.as_ref().map(|failure| failure.reason.as_str()),
        created_at: row.created_at,
        verified_at: entry.as_ref().map(|entry| entry.verified_at),
        verification_reference: entry.as_ref().map(|entry| hex::encode(&entry.leaf_hash)),
        sequence_number: entry.as_ref().map(|entry| entry.sequence),
        proof_hash: entry.as_ref().map(|entry| hex::encode(&entry.leaf_hash)),
        previous_proof_hash: previous.map(hex::encode),
        content_hash: hex::encode(&row.content_hash),
    }
}

/// Takes in deltas of one request. The refusal comes before the first write.
fn take_in(
    conn: &mut Conn,
    plans: &Plans,
    tenant_id: &TenantId,
    mode: Mode,
    drafts: &[DeltaDraft],
    now: Timestamp,
) -> StoreResult<Outcome<Vec<TakenAs>>> {
    let reference_of = |draft: &DeltaDraft| draft.reference_id.clone().map(|id| (draft.customer_id.clone(), id));
    let references: Vec<Reference> = drafts.iter().filter_map(reference_of).collect();
    let mut known: HashMap<Reference, (DeltaRow, &'static str)> = HashMap::new();
    if !references.is_empty() {
        for (reference, standing) in deltas::of_references(conn, tenant_id, mode, &references)? {
            let status = status(&standing);
            known.insert(reference, (standing.0, status));
        }
    }
    let (ids, salts) = (DeltaId::consecutive(in_order(now), drafts.len()), salts(drafts.len()));
    let counted_in = Period::of(now).to_string();
    let mut fresh = Vec::new();
    let mut taken = Vec::with_capacity(drafts.len());
    for ((draft, record_id), salt) in drafts.iter().zip(ids).zip(salts) {
        let reference = reference_of(draft);
        if let Some((row, status)) = reference.as_ref().and_then(|reference| known.get(reference)) {
            let is_same = draft.is_same(row.delta(), &row.reason, row.metadata.as_deref());
            taken.push(if is_same { TakenAs::Known(row.clone(), status) } else { TakenAs::Contradicts });
            continue;
        }
        let row = with_content_hash(DeltaRow {
            record_id,
            tenant_id: tenant_id.clone(),
            mode,
            customer_id: draft.customer_id.clone(),
            currency: None,
            // A draft's amount is bounded far below what fits.
            millionths: i64::try_from(draft.delta.millionths()).map_err(|_| StoreError::Overflow)?,
            reason: draft.reason.clone(),
            reference_id: draft.reference_id.clone(),
            metadata: draft.metadata.clone(),
            salt,
            content_hash: Vec::new(),
            counted_in: Some(counted_in.clone()),
            created_at: now,
        });
        if let Some(reference) = reference {
            known.insert(reference, (row.clone(), "QUEUED"));
        }
        taken.push(TakenAs::New(row.clone()));
        fresh.push(row);
    }
    if !fresh.is_empty() {
        if let Err(fault) = plans::reserve_deltas(conn, plans, tenant_id, mode, fresh.len() as i64, now)? {
            return Ok(Err(fault));
        }
        deltas::insert(conn, &fresh)?;
    }
    Ok(Ok(taken))
}

/// The row with the hash of what it says.
fn with_content_hash(row: DeltaRow) -> DeltaRow {
    let content_hash = content_hash(&row).to_vec();
    DeltaRow { content_hash, ..row }
}

/// SHA-256 of what a row says.
pub(super) fn content_hash(row: &DeltaRow) -> [u8; 32] {
    Content {
        currency: row.currency.map(crate::domain::money::Currency::code),
        customer_id: &row.customer_id,
        delta: &row.delta().to_string(),
        metadata: row.metadata.as_deref(),
        mode: row.mode,
        reason: &row.reason,
        record_id: &row.record_id,
        reference_id: row.reference_id.as_deref(),
        salt: &hex::encode(&row.salt),
        tenant_id: &row.tenant_id,
    }
    .hash()
}

/// Posts what moved with a payment, in the transaction that settles it. Nothing can refuse it, and it counts towards no
/// plan: the books must show what the rails did. `minor` is negative for what was given or taken back.
pub(super) fn post_of_payment(
    conn: &mut Conn,
    payment: &Payment,
    reference_id: &str,
    minor: i64,
    reason: &str,
    now: Timestamp,
) -> StoreResult<()> {
    let tenant_id = apps::tenant_of(conn, &payment.app_id)?.ok_or(StoreError::Missing)?;
    let delta = Decimal::of_money(minor, payment.currency);
    let (Some(record_id), Some(salt)) = (DeltaId::consecutive(in_order(now), 1).pop(), salts(1).pop()) else {
        return Err(StoreError::Missing);
    };
    let row = with_content_hash(DeltaRow {
        record_id,
        tenant_id,
        mode: payment.mode,
        customer_id: payment_customer(&payment.app_id, payment.currency, &payment.external_user_id),
        currency: Some(payment.currency),
        millionths: i64::try_from(delta.millionths()).map_err(|_| StoreError::Overflow)?,
        reason: reason.to_owned(),
        reference_id: Some(reference_id.to_owned()),
        metadata: None,
        salt,
        content_hash: Vec::new(),
        counted_in: None,
        created_at: now,
    });
    deltas::insert(conn, std::slice::from_ref(&row))
}

/// A moment after that of every earlier intake of this process: records are verified in the order of their ids, and so in
/// the order in which they came in.
fn in_order(now: Timestamp) -> Timestamp {
    static LATEST: AtomicI64 = AtomicI64::new(i64::MIN);
    let now = now.unix_micros();
    let after = |latest: i64| now.max(latest.saturating_add(1));
    let latest = LATEST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |latest| Some(after(latest)));
    Timestamp::from_unix_micros(after(latest.unwrap_or_else(|latest| latest)))
}

fn salts(number: usize) -> Vec<Vec<u8>> {
    let mut random = vec![0u8; number * SALT_BYTES];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    random.chunks(SALT_BYTES).map(<[u8]>::to_vec).collect()
}

fn contradiction() -> Fault {
    Fault::new(Code::AlreadyExists, "this referenceId stands for another delta of the customer")
}

pub(super) fn delta_not_found() -> Fault {
    Fault::new(Code::NotFound, "there is no such delta")
}
