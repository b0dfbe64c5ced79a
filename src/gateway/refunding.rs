//! Giving money back at a provider: reserved and written before the call, called while no connection to the database is
//! held, written after; and asked about when no answer came. Which refunds there are, and the mock's, is in `refunds`.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::idempotency::{in_progress, replay};
use super::payments::payment_not_found;
use super::rails::unavailable;
use super::refunds::{FAILED, INITIATED, SUCCEEDED, advance, is_unknown, left_to_refund, refund_not_found, refundable};
use super::starting::CALL_LEASE;
use super::views::{RefundObject, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::backoff::unknown_wait;
use crate::domain::drafts::RefundDraft;
use crate::domain::ids::{AppId, PaymentId, RefundId};
use crate::domain::payments::RefundOutcome;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome, problem_body};
use crate::psp::{self, Failure, RefundAnswer, RefundOrder};
use crate::store::payments::{Attempt, Payment};
use crate::store::refunds::Refund;
use crate::store::requests::{self, Claimed, StoredAnswer};
use crate::store::{Conn, Lane, StoreError, StoreResult, payments, refunds};

/// How long after a refund was asked for a provider that has no record of it is believed.
const NO_RECORD_AFTER: Duration = Duration::from_secs(45);

/// Until then it is asked this often at least.
const LONGEST_WAIT_FOR_A_RECORD: Duration = Duration::from_secs(10);

/// The class of a provider's having no record, while that may still change.
const NO_RECORD_YET: &str = "no_record_yet";

/// A refund that is written and about to be asked for.
#[derive(Clone)]
struct Ordered {
    refund: Refund,
    payment: Payment,
    attempt: Attempt,
    refunded_minor: i64,
    other_refs: Vec<String>,
}

impl Gateway {
    /// Reserves the amount, asks the provider while no connection is held, records what it said.
    pub(super) async fn refund_on_rail(
        self: &Arc<Self>,
        app: &App,
        once: Once,
        draft: RefundDraft,
        payment_id: PaymentId,
    ) -> Outcome<Answer> {
        let now = self.clock.now();
        let app_id = app.app_id.clone();
        let asked = once.clone();
        let lane = payment_id.clone();
        let ordered = self
            .write(Lane::Of(lane.as_str()), move |conn| {
                match requests::look_up(conn, &asked.claim, now)? {
                    Claimed::New => {}
                    seen => return Ok(Err(seen)),
                }
                let ordered = match order_refund(conn, &app_id, &payment_id, &draft, now)? {
                    Ok(ordered) => ordered,
                    Err(fault) => return Ok(Ok(Err(fault))),
                };
                let body = render(&RefundObject::from(ordered.refund.clone()));
                match requests::claim(conn, &asked.claim, 202, &body, Some(payment_id.as_str()), now)? {
                    Claimed::New => {
                        asked.record(conn, now)?;
                        Ok(Ok(Ok(ordered)))
                    }
                    _ => Err(StoreError::Raced),
                }
            })
            .await?;
        let ordered = match ordered {
            Ok(Ok(ordered)) => ordered,
            Ok(Err(fault)) if fault.code == Code::RefundNotSupported => {
                return self.keep_unsupported(once, fault).await;
            }
            Ok(Err(fault)) => return Err(fault),
            Err(Claimed::Seen(stored)) if stored.status_code == Some(202) => {
                return self.follow_refund(app, stored).await;
            }
            Err(seen) => return replay(seen),
        };
        // Runs to its end even if the client hangs up: the answer must be recorded.
        let gateway = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = match gateway.rail_of(&ordered.attempt) {
                Ok(rail) => rail.psp.refund(&gateway.refund_order(&ordered)).await,
                Err(_) => Err(Failure::NotSent { class: "no_credentials", retry_after: None }),
            };
            gateway.record_refund_answered(&ordered, outcome, once).await
        });
        task.await.map_err(|_| StoreError::Panicked)?
    }

    fn refund_order<'a>(&self, ordered: &'a Ordered) -> RefundOrder<'a> {
        RefundOrder {
            payment: self.ongoing(&ordered.payment, &ordered.attempt),
            refund_id: &ordered.refund.refund_id,
            transaction: ordered.refund.provider_transaction.as_deref().unwrap_or_default(),
            amount_minor: ordered.refund.amount_minor,
            refunded_minor: ordered.refunded_minor,
            reason: ordered.refund.reason.as_deref(),
            created_at: ordered.refund.created_at,
            other_refs: &ordered.other_refs,
        }
    }

    /// What a provider cannot do is an answer that stays.
    async fn keep_unsupported(&self, once: Once, fault: Fault) -> Outcome<Answer> {
        let now = self.clock.now();
        let body = problem_body(&fault, &once.request_id);
        let kept = body.clone();
        self.write(Lane::Any, move |conn| {
            requests::claim(conn, &once.claim, fault.status(), &kept, None, now).map(drop)
        })
        .await?;
        Ok(Answer { status: Code::RefundNotSupported.status(), body, is_replay: false })
    }

    async fn record_refund_answered(
        &self,
        ordered: &Ordered,
        outcome: Result<RefundAnswer, Failure>,
        once: Once,
    ) -> Outcome<Answer> {
        let now = self.clock.now();
        let refund_id = ordered.refund.refund_id.clone();
        let payment_id = ordered.payment.payment_id.clone();
        let lane = payment_id.clone();
        let answer = self
            .write(Lane::Of(lane.as_str()), move |conn| {
                match &outcome {
                    Err(failure @ Failure::NotSent { .. }) => {
                        refunds::delete(conn, &refund_id)?;
                        requests::forget(conn, &once.claim)?;
                        let detail = "the provider could not be reached and nothing was given back; retry";
                        return Ok(Err(Fault { detail: detail.to_owned(), ..unavailable(failure) }));
                    }
                    Err(Failure::Unsupported { instead }) => {
                        refunds::delete(conn, &refund_id)?;
                        let fault = Fault::new(Code::RefundNotSupported, *instead);
                        let body = problem_body(&fault, &once.request_id);
                        requests::set_answer_of(conn, &once.claim, fault.status(), &body)?;
                        return Ok(Ok(Answer { status: fault.status(), body, is_replay: false }));
                    }
                    _ => {}
                }
                let refund = record_refund(conn, &payment_id, &refund_id, &outcome, now)?;
                let status = if is_unknown(&refund) { 202 } else { 201 };
                let body = render(&RefundObject::from(refund));
                requests::set_answer_of(conn, &once.claim, status, &body)?;
                Ok(Ok(Answer { status, body, is_replay: false }))
            })
            .await?;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// The answer to a replay of a refund that was answered 202: still that while its outcome is unknown.
    async fn follow_refund(&self, app: &App, first: StoredAnswer) -> Outcome<Answer> {
        let now = self.clock.now();
        let app_id = app.app_id.clone();
        let told: serde_json::Value =
            serde_json::from_str(first.answer.as_deref().unwrap_or_default()).unwrap_or_default();
        let refund_id = told["refund_id"].as_str().and_then(RefundId::parse).ok_or_else(refund_not_found)?;
        self.write(Lane::Any, move |conn| {
            let Some(refund) = refunds::find(conn, &app_id, &refund_id)? else { return Ok(Err(refund_not_found())) };
            if is_unknown(&refund) {
                if refund.polls == 0 && now < refund.created_at.plus(CALL_LEASE) {
                    return Ok(Err(in_progress()));
                }
                return Ok(Ok(Answer { status: 202, body: first.answer.clone().unwrap_or_default(), is_replay: true }));
            }
            let body = render(&RefundObject::from(refund));
            requests::set_answer(conn, first.request_id, 201, &body)?;
            Ok(Ok(Answer { status: 201, body, is_replay: true }))
        })
        .await?
    }

    /// Asks about the refunds that are due; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn poll_due_refunds(self: &Arc<Self>) -> Outcome<usize> {
        let now = self.clock.now();
        let due = self.write(Lane::Any, move |conn| refunds::claim_due(conn, now, now.plus(CALL_LEASE), 50)).await?;
        let count = due.len();
        futures_util::stream::iter(due)
            .for_each_concurrent(8, |refund| async move {
                let refund_id = refund.refund_id.clone();
                if let Err(fault) = self.look_after_refund(refund).await {
                    tracing::warn!(%fault, refund = %refund_id, "a refund could not be looked after; it will be again");
                }
            })
            .await;
        if count > 0 {
            self.deliveries_wanted.notify_one();
        }
        Ok(count)
    }

    async fn look_after_refund(&self, refund: Refund) -> Outcome<()> {
        let wanted = refund.clone();
        let found = self.read(move |conn| load_order(conn, wanted)).await?;
        let Some(ordered) = found else { return Ok(()) };
        let rail = self.rail_of(&ordered.attempt)?;
        let order = self.refund_order(&ordered);
        let told = rail.psp.fetch_refund(&order, refund.provider_ref.as_deref()).await;
        let now = self.clock.now();
        let outcome = match told {
            Ok(Some(answer)) => Ok(answer),
            // It was never done: after a while that is certain, and the amount is free again.
            Ok(None) if now >= refund.created_at.plus(NO_RECORD_AFTER) => {
                Err(Failure::refused("the provider has no record of this refund; nothing was given back"))
            }
            Ok(None) => Err(Failure::Unknown { class: NO_RECORD_YET }),
            Err(Failure::Refused { .. } | Failure::Unsupported { .. }) => {
                Err(Failure::Unknown { class: "refused_to_tell" })
            }
            Err(failure) => Err(failure),
        };
        let (payment_id, refund_id) = (refund.payment_id.clone(), refund.refund_id);
        self.write(Lane::Of(refund.payment_id.as_str()), move |conn| {
            record_refund(conn, &payment_id, &refund_id, &outcome, now).map(drop)
        })
        .await
    }
}

/// Writes a refund that is about to be asked for, of one receipt that has enough left.
fn order_refund(
    conn: &mut Conn,
    app_id: &AppId,
    payment_id: &PaymentId,
    draft: &RefundDraft,
    now: Timestamp,
) -> StoreResult<Outcome<Ordered>> {
    let payment = payments::lock(conn, payment_id)?.filter(|payment| payment.app_id == *app_id);
    let Some(payment) = payment else { return Ok(Err(payment_not_found())) };
    let left = left_to_refund(conn, &payment)?;
    let amount_minor = match refundable(&payment, left, draft.amount_minor) {
        Ok(amount_minor) => amount_minor,
        Err(fault) => return Ok(Err(fault)),
    };
    let driver = psp::Driver::named(&payment.provider);
    if let Some(Err(instead)) = driver.map(|driver| (driver.refundable)(&payment.method)) {
        return Ok(Err(Fault::new(Code::RefundNotSupported, instead)));
    }
    let others = refunds::of_payment(conn, payment_id)?;
    let mut fullest = 0;
    let mut chosen = None;
    for receipt in payments::receipts_of(conn, payment_id)? {
        let given_back: i64 = others
            .iter()
            .filter(|other| other.status != FAILED)
            .filter(|other| other.provider_transaction.as_deref() == Some(receipt.provider_transaction.as_str()))
            .fold(0, |sum, other| sum.saturating_add(other.amount_minor));
        let left_of_it = receipt.amount_minor.saturating_sub(given_back);
        fullest = left_of_it.max(fullest);
        if chosen.is_none() && left_of_it >= amount_minor {
            chosen = Some(receipt.provider_transaction);
        }
    }
    let Some(transaction) = chosen else {
        let detail = format!(
            "refund exceeds the refundable amount ({fullest} left of one receipt: the payment was paid more than once, \
             and each receipt is refunded by itself)"
        );
        return Ok(Err(Fault::new(Code::NotRefundable, detail)));
    };
    let refund = Refund {
        refund_id: RefundId::generate(now),
        app_id: payment.app_id.clone(),
        payment_id: payment.payment_id.clone(),
        mode: payment.mode,
        status: INITIATED.to_owned(),
        amount_minor,
        currency: payment.currency,
        provider_ref: None,
        reason: draft.reason.clone(),
        created_at: now,
        updated_at: now,
        provider_transaction: Some(transaction),
        poll_at: Some(now.plus(CALL_LEASE)),
        polls: 0,
    };
    refunds::insert(conn, &refund)?;
    match load_order(conn, refund)? {
        Some(ordered) => Ok(Ok(ordered)),
        None => Err(StoreError::Missing),
    }
}

/// A refund with what its provider has to be told: the attempt by which the payment was started, and the other refunds.
fn load_order(conn: &mut Conn, refund: Refund) -> StoreResult<Option<Ordered>> {
    let Some(payment) = payments::find_any(conn, &refund.payment_id)? else { return Ok(None) };
    let attempts = payments::attempts_of(conn, &refund.payment_id)?;
    // A receipt may be of an attempt that was not the last.
    let paid_by = attempts.iter().find(|attempt| attempt.provider_ref == refund.provider_transaction);
    let started = attempts.iter().rev().find(|attempt| attempt.provider_ref.is_some());
    let Some(attempt) = paid_by.or(started).cloned() else { return Ok(None) };
    let others = refunds::of_payment(conn, &refund.payment_id)?;
    let of_same_receipt = others
        .iter()
        .filter(|other| other.status == SUCCEEDED && other.provider_transaction == refund.provider_transaction);
    let refunded_minor = of_same_receipt.fold(0i64, |sum, other| sum.saturating_add(other.amount_minor));
    let other_refs = others
        .iter()
        .filter(|other| other.refund_id != refund.refund_id)
        .filter_map(|other| other.provider_ref.clone())
        .collect();
    Ok(Some(Ordered { refund, payment, attempt, refunded_minor, other_refs }))
}

/// Records what a provider said of a refund of ours.
fn record_refund(
    conn: &mut Conn,
    payment_id: &PaymentId,
    refund_id: &RefundId,
    outcome: &Result<RefundAnswer, Failure>,
    now: Timestamp,
) -> StoreResult<Refund> {
    let mut payment = payments::lock(conn, payment_id)?.ok_or(StoreError::Missing)?;
    let found = refunds::find(conn, &payment.app_id, refund_id)?;
    let mut refund = found.ok_or(StoreError::Missing)?;
    if refund.status != INITIATED {
        return Ok(refund);
    }
    match outcome {
        Ok(answer) => {
            refund.provider_ref = Some(answer.provider_ref.clone());
            advance(conn, &mut payment, &mut refund, &answer.outcome, now)?;
        }
        Err(Failure::Refused { reason }) => {
            let failed = RefundOutcome::Failed(reason.clone());
            advance(conn, &mut payment, &mut refund, &failed, now)?;
        }
        Err(failure) => {
            refund.polls = refund.polls.saturating_add(1);
            let wait = match failure {
                Failure::NotSent { retry_after: Some(wait), .. } => *wait,
                // It is about to be certain.
                Failure::Unknown { class: NO_RECORD_YET } => {
                    unknown_wait(u32::try_from(refund.polls).unwrap_or(u32::MAX)).min(LONGEST_WAIT_FOR_A_RECORD)
                }
                _ => unknown_wait(u32::try_from(refund.polls).unwrap_or(u32::MAX)),
            };
            refund.poll_at = Some(now.plus(wait));
            refunds::save(conn, &refund)?;
        }
    }
    Ok(refund)
}
