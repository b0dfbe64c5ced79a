//! Giving money back: reserved when asked for, so that two at once can never exceed what was received.

use std::sync::Arc;

use super::idempotency::Fresh;
use super::payments::payment_not_found;
use super::settle::Settled;
use super::views::{PageObject, RefundObject, render};
use super::{Answer, App, Gateway, Once, deltas, mock, settle};
use crate::domain::backoff::poll_wait;
use crate::domain::drafts::RefundDraft;
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::payments::{Observation, RefundOutcome};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp;
use crate::store::payments::Payment;
use crate::store::refunds::Refund;
use crate::store::{Conn, Lane, StoreError, StoreResult, payments, refunds};

pub(super) const INITIATED: &str = "initiated";
pub(super) const SUCCEEDED: &str = "succeeded";
pub(super) const FAILED: &str = "failed";

impl Gateway {
    /// Refunds a payment, in part or in full.
    ///
    /// # Errors
    /// 404; 422 when nothing or less is left, or the provider cannot; 503 when nothing was asked for.
    pub async fn create_refund(self: &Arc<Self>, app: &Arc<App>, once: Once, body: &[u8]) -> Outcome<Answer> {
        let draft = match RefundDraft::parse(body) {
            Ok(draft) => draft,
            Err(invalid) => return Err(self.conflict_or(once, invalid.into()).await),
        };
        let app_id = app.app_id.clone();
        let wanted = PaymentId::parse(&draft.payment_id).ok_or_else(payment_not_found)?;
        let looked = (app_id.clone(), wanted.clone());
        let found = self.read(move |conn| payments::find(conn, &looked.0, &looked.1)).await?;
        if found.as_ref().is_some_and(|payment| payment.provider != psp::mock::DRIVER.name) {
            return self.refund_on_rail(app, once, draft, wanted).await;
        }
        let lane = draft.payment_id.clone();
        let answer = self
            .once(once, &lane, move |conn, now| {
                let payment = payments::lock(conn, &wanted)?.filter(|payment| payment.app_id == app_id);
                let Some(mut payment) = payment else { return Ok(Err(payment_not_found())) };
                let left = left_to_refund(conn, &payment)?;
                let amount_minor = match refundable(&payment, left, draft.amount_minor) {
                    Ok(amount_minor) => amount_minor,
                    Err(fault) => return Ok(Err(fault)),
                };
                let refund = refund_at_mock(conn, &mut payment, amount_minor, draft.reason.clone(), now)?;
                let body = render(&RefundObject::from(refund));
                Ok(Ok(Fresh { status: 201, body, payment_id: Some(payment.payment_id.to_string()) }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// Ends a refund that the provider kept pending.
    pub(super) async fn finish_refund(&self, payment_id: &PaymentId, refund_id: &str) -> Outcome<()> {
        let payment_id = payment_id.clone();
        let Some(refund_id) = RefundId::parse(refund_id) else { return Ok(()) };
        let now = self.clock.now();
        let lane = payment_id.clone();
        self.write(Lane::Of(lane.as_str()), move |conn| {
            let Some(mut payment) = payments::lock(conn, &payment_id)? else { return Ok(()) };
            let Some(mut refund) = refunds::find(conn, &payment.app_id, &refund_id)? else { return Ok(()) };
            if refunds::finish(conn, &refund.refund_id, SUCCEEDED, now)? {
                refund.status = SUCCEEDED.to_owned();
                book_refund(conn, &mut payment, &refund, now)?;
            }
            Ok(())
        })
        .await?;
        self.deliveries_wanted.notify_one();
        Ok(())
    }

    /// An app's refund, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn refund(&self, app: &App, refund_id: &str) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let wanted = RefundId::parse(refund_id).ok_or_else(refund_not_found)?;
        let found = self.read(move |conn| refunds::find(conn, &app_id, &wanted)).await?;
        let refund = found.ok_or_else(refund_not_found)?;
        Ok(render(&RefundObject::from(refund)))
    }

    /// A page of an app's refunds, newest first, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_refunds(
        &self,
        app: &App,
        payment_id: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let page = self
            .read(move |conn| refunds::list(conn, &app_id, payment_id.as_deref(), cursor.as_deref(), limit))
            .await?;
        let data = page.items.into_iter().map(RefundObject::from).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }
}

pub(super) fn left_to_refund(conn: &mut Conn, payment: &Payment) -> StoreResult<i64> {
    let reserved = refunds::reserved_minor(conn, &payment.payment_id)?;
    let reversed = payments::reversed_minor(conn, &payment.payment_id)?;
    let received = payment.paid_minor.saturating_sub(reversed);
    Ok(received.saturating_sub(payment.refunded_minor).saturating_sub(reserved).max(0))
}

/// Whether the provider has yet to say that it knows of this refund.
pub(super) fn is_unknown(refund: &Refund) -> bool {
    refund.status == INITIATED && refund.provider_ref.is_none()
}

pub(super) fn refund_not_found() -> Fault {
    Fault::new(Code::RefundNotFound, "refund not found")
}

/// Moves an open refund on: it is done, will not be, or is still on its way.
pub(super) fn advance(
    conn: &mut Conn,
    payment: &mut Payment,
    refund: &mut Refund,
    outcome: &RefundOutcome,
    now: Timestamp,
) -> StoreResult<()> {
    refund.updated_at = now.strictly_after(refund.updated_at);
    refund.poll_at = None;
    match outcome {
        RefundOutcome::Pending => {
            refund.poll_at = Some(now.plus(poll_wait(u32::try_from(refund.polls).unwrap_or(u32::MAX))));
            refund.polls = refund.polls.saturating_add(1);
            refunds::save(conn, refund)
        }
        RefundOutcome::Succeeded => {
            refund.status = SUCCEEDED.to_owned();
            refunds::save(conn, refund)?;
            book_refund(conn, payment, refund, now)
        }
        RefundOutcome::Failed(reason) => {
            refund.status = FAILED.to_owned();
            refunds::save(conn, refund)?;
            tracing::info!(mode = %payment.mode, payment = %payment.payment_id, refund = %refund.refund_id, reason, "refund failed");
            settle::announce_refund(conn, payment, refund, now)
        }
    }
}

/// Takes in what a provider tells of a refund: one of ours, or one that was made at the provider.
pub(super) fn observe(
    conn: &mut Conn,
    payment: &mut Payment,
    observation: &Observation,
    now: Timestamp,
) -> StoreResult<Settled> {
    let Observation::Refunded { refund: provider_ref, refund_id, amount_minor, currency, outcome } = observation else {
        return Ok(Settled::Done);
    };
    if currency != payment.currency.code() || *amount_minor <= 0 {
        let reason = format!("provider reports a refund of {amount_minor} {currency}");
        settle::quarantine(conn, payment, &reason, now)?;
        return Ok(Settled::Quarantined(reason));
    }
    let known = refunds::of_payment(conn, &payment.payment_id)?;
    let by_ref = known.iter().find(|refund| refund.provider_ref.as_ref() == Some(provider_ref));
    let by_id = known.iter().find(|refund| Some(refund.refund_id.as_str()) == refund_id.as_deref());
    // One whose answer was lost is told by its amount, if it is the only one.
    let lost = || {
        let mut lost = known.iter().filter(|refund| is_unknown(refund) && refund.amount_minor == *amount_minor);
        lost.next().filter(|_| lost.next().is_none())
    };
    if let Some(refund) = by_ref.or(by_id).or_else(lost) {
        let mut refund = refund.clone();
        // What has ended has been compared before; some providers tell the sum of all refunds from then on.
        let is_repeated =
            refund.status != INITIATED || (*outcome == RefundOutcome::Pending && refund.provider_ref.is_some());
        if !is_repeated && refund.amount_minor != *amount_minor {
            let (refund_id, ours) = (&refund.refund_id, refund.amount_minor);
            let reason = format!("provider reports {amount_minor} for refund {refund_id}, which is {ours}");
            settle::quarantine(conn, payment, &reason, now)?;
            return Ok(Settled::Quarantined(reason));
        }
        if !is_repeated {
            refund.provider_ref = Some(provider_ref.clone());
            advance(conn, payment, &mut refund, outcome, now)?;
        }
        return Ok(Settled::Done);
    }
    if matches!(outcome, RefundOutcome::Failed(_)) {
        return Ok(Settled::Done);
    }
    if *amount_minor > left_to_refund(conn, payment)? {
        return Ok(Settled::TooEarly);
    }
    let mut refund = Refund {
        refund_id: RefundId::generate(now),
        app_id: payment.app_id.clone(),
        payment_id: payment.payment_id.clone(),
        mode: payment.mode,
        status: INITIATED.to_owned(),
        amount_minor: *amount_minor,
        currency: payment.currency,
        provider_ref: Some(provider_ref.clone()),
        reason: Some("made at the provider".to_owned()),
        created_at: now,
        updated_at: now,
        provider_transaction: payments::receipts_of(conn, &payment.payment_id)?
            .into_iter()
            .next()
            .map(|receipt| receipt.provider_transaction),
        poll_at: None,
        polls: 0,
    };
    refunds::insert(conn, &refund)?;
    advance(conn, payment, &mut refund, outcome, now)?;
    Ok(Settled::Done)
}

pub(super) fn refundable(payment: &Payment, left: i64, asked: Option<i64>) -> Outcome<i64> {
    if payment.paid_minor == 0 {
        let status = payment.status.as_str();
        let detail = format!("payment must be in 'succeeded' state to refund (got {status})");
        return Err(Fault::new(Code::NotRefundable, detail));
    }
    let amount_minor = asked.unwrap_or(left);
    if amount_minor > left || left == 0 {
        return Err(Fault::new(Code::NotRefundable, format!("refund exceeds the refundable amount ({left} left)")));
    }
    Ok(amount_minor)
}

fn refund_at_mock(
    conn: &mut Conn,
    payment: &mut Payment,
    amount_minor: i64,
    reason: Option<String>,
    now: Timestamp,
) -> StoreResult<Refund> {
    let refund_id = RefundId::generate(now);
    let refund = Refund {
        provider_ref: Some(format!("mock_{refund_id}")),
        refund_id,
        app_id: payment.app_id.clone(),
        payment_id: payment.payment_id.clone(),
        mode: payment.mode,
        status: mock::refund_status(payment).to_owned(),
        amount_minor,
        currency: payment.currency,
        reason,
        created_at: now,
        updated_at: now,
        provider_transaction: None,
        poll_at: None,
        polls: 0,
    };
    refunds::insert(conn, &refund)?;
    match refund.status.as_str() {
        INITIATED => mock::plan_refund(conn, payment, refund.refund_id.as_str(), now)?,
        SUCCEEDED => book_refund(conn, payment, &refund, now)?,
        _ => settle::announce_refund(conn, payment, &refund, now)?,
    }
    Ok(refund)
}

fn book_refund(conn: &mut Conn, payment: &mut Payment, refund: &Refund, now: Timestamp) -> StoreResult<()> {
    payment.refunded_minor = payment.refunded_minor.checked_add(refund.amount_minor).ok_or(StoreError::Overflow)?;
    let minor = refund.amount_minor.checked_neg().ok_or(StoreError::Overflow)?;
    deltas::post_of_payment(conn, payment, refund.refund_id.as_str(), minor, "payment refunded", now)?;
    settle::announce_refund(conn, payment, refund, now)
}
