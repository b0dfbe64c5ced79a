//! A payment that is asked for again: whose outcome was unknown, whose call never left, or that a buyer had begun before.

use std::sync::Arc;

use super::idempotency::in_progress;
use super::payments::{payment_not_found, provider_error};
use super::starting::{CALL_LEASE, OUTCOME_UNKNOWN, prepared};
use super::views::{PaymentObject, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::ids::PaymentId;
use crate::domain::payments::{AttemptState, PaymentStatus};
use crate::error::{Code, Fault, Outcome};
use crate::store::Lane;
use crate::store::payments::{self, Payment};
use crate::store::requests::{self, StoredAnswer};

impl Gateway {
    /// A buyer comes back to a payment that stands: it is shown as it is, or tried once more if its call never left.
    pub(super) async fn go_on_with(self: &Arc<Self>, app: &App, payment: Payment, once: Once) -> Outcome<Answer> {
        let payment_id = payment.payment_id.clone();
        let attempts = self.read(move |conn| payments::attempts_of(conn, &payment_id)).await?;
        if attempts.last().is_some_and(|last| last.state == AttemptState::Refused) {
            return self.continue_payment(app, payment.payment_id, None, once).await;
        }
        let body = render(&PaymentObject::new(&payment, &self.settings.public_url));
        Ok(Answer { status: 200, body, is_replay: true })
    }

    /// A request is sent again whose first call never left: the same payment is tried once more. `first` is the request
    /// that holds the answer.
    pub(super) async fn continue_payment(
        self: &Arc<Self>,
        app: &App,
        payment_id: PaymentId,
        first: Option<i64>,
        once: Once,
    ) -> Outcome<Answer> {
        let now = self.clock.now();
        let app_id = app.app_id.clone();
        let rails = Arc::clone(self);
        let lane = payment_id.clone();
        let provisional = self.settings.public_url.clone();
        let continued = self
            .write(Lane::Of(lane.as_str()), move |conn| {
                let payment = payments::lock(conn, &payment_id)?.filter(|payment| payment.app_id == app_id);
                let Some(mut payment) = payment else { return Ok(Err(payment_not_found())) };
                let attempts = payments::attempts_of(conn, &payment_id)?;
                let Some(last) = attempts.last().cloned() else { return Ok(Err(payment_not_found())) };
                if last.state == AttemptState::Prepared {
                    return Ok(Err(in_progress()));
                }
                if payment.status != PaymentStatus::Initiated {
                    return Ok(Ok(None));
                }
                let rail = match rails.rail_of(&last) {
                    Ok(rail) => rail,
                    Err(fault) => return Ok(Err(fault)),
                };
                let attempt = prepared(&payment, &rail, attempts.len() + 1, now.strictly_after(last.created_at));
                payments::insert_attempt(conn, &attempt)?;
                payment.last_error = OUTCOME_UNKNOWN.to_owned();
                payment.poll_at = Some(now.plus(CALL_LEASE));
                payment.updated_at = now.strictly_after(payment.updated_at);
                payments::save(conn, &payment)?;
                if let Some(first) = first {
                    let body = render(&PaymentObject::new(&payment, &provisional));
                    requests::set_answer(conn, first, 202, &body)?;
                }
                Ok(Ok(Some((rail, payment, attempt))))
            })
            .await??;
        match continued {
            Some((rail, payment, attempt)) => {
                self.start_and_answer(rail, payment, attempt, once.claim, once.request_id).await
            }
            None => Err(Fault::new(Code::ProviderUnavailable, "the payment was closed meanwhile; use a new key")),
        }
    }

    /// The answer to a replay of a request that was answered 202: still that while the outcome is unknown, then the
    /// final one, which from then on stays the same.
    pub(super) async fn follow_provisional(
        &self,
        app: &App,
        first: StoredAnswer,
        request_id: String,
    ) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let public_url = self.settings.public_url.clone();
        let now = self.clock.now();
        let payment_id = first.payment_id.as_deref().and_then(PaymentId::parse).ok_or_else(payment_not_found)?;
        let lane = payment_id.clone();
        self.write(Lane::Of(lane.as_str()), move |conn| {
            let payment = payments::find(conn, &app_id, &payment_id)?;
            let Some(payment) = payment else {
                return Ok(Err(Fault::new(Code::PaymentNotFound, "payment not found")));
            };
            let attempts = payments::attempts_of(conn, &payment.payment_id)?;
            let last = attempts.last();
            let is_running = last.is_some_and(|attempt| {
                attempt.state == AttemptState::Prepared && now < attempt.created_at.plus(CALL_LEASE)
            });
            if is_running {
                return Ok(Err(in_progress()));
            }
            let is_unknown =
                last.is_some_and(|attempt| matches!(attempt.state, AttemptState::Prepared | AttemptState::Unknown));
            if is_unknown {
                let body = first.answer.clone().unwrap_or_default();
                return Ok(Ok(Answer { status: 202, body, is_replay: true }));
            }
            let was_refused = last.is_some_and(|attempt| attempt.state == AttemptState::Refused);
            let (status, body) = if payment.status == PaymentStatus::Failed && was_refused {
                let fault = provider_error(&payment);
                (fault.status(), crate::error::problem_body(&fault, &request_id))
            } else {
                (201, render(&PaymentObject::new(&payment, &public_url)))
            };
            requests::set_answer(conn, first.request_id, status, &body)?;
            Ok(Ok(Answer { status, body, is_replay: true }))
        })
        .await?
    }
}
