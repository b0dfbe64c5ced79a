//! Giving money back: reserved when asked for, so that two at once can never exceed what was received.

use std::sync::Arc;

use super::idempotency::Fresh;
use super::payments::payment_not_found;
use super::views::{PageObject, RefundObject, render};
use super::{Answer, App, Gateway, Once, mock, settle};
use crate::domain::drafts::RefundDraft;
use crate::domain::ids::{PaymentId, RefundId};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
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
    /// 404; 422 when nothing or less is left.
    pub async fn create_refund(&self, app: &Arc<App>, once: Once, body: &[u8]) -> Outcome<Answer> {
        let draft = match RefundDraft::parse(body) {
            Ok(draft) => draft,
            Err(invalid) => return Err(self.conflict_or(once, invalid.into()).await),
        };
        let app_id = app.app_id.clone();
        let wanted = PaymentId::parse(&draft.payment_id).ok_or_else(payment_not_found)?;
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
        let not_found = || Fault::new(Code::RefundNotFound, "refund not found");
        let wanted = RefundId::parse(refund_id).ok_or_else(not_found)?;
        let found = self.read(move |conn| refunds::find(conn, &app_id, &wanted)).await?;
        let refund = found.ok_or_else(not_found)?;
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

fn left_to_refund(conn: &mut Conn, payment: &Payment) -> StoreResult<i64> {
    let reserved = refunds::reserved_minor(conn, &payment.payment_id)?;
    Ok(payment.paid_minor.saturating_sub(payment.refunded_minor).saturating_sub(reserved))
}

fn refundable(payment: &Payment, left: i64, asked: Option<i64>) -> Outcome<i64> {
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
    settle::announce_refund(conn, payment, refund, now)
}
