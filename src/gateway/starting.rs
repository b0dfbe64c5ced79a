//! Starting a payment at a provider: written before the call, called while no connection to the database is held,
//! written after. What a crash or a lost answer leaves behind is taken up again here too, by the poller.

use std::sync::Arc;
use std::time::Duration;

use super::payments::provider_error;
use super::rails::{Rail, unavailable};
use super::views::{PaymentObject, render};
use super::{Answer, Gateway, origins, settle};
use crate::domain::backoff::{poll_wait, unknown_wait};
use crate::domain::drafts::Buyer;
use crate::domain::ids::{AttemptId, PaymentId};
use crate::domain::payments::{AttemptState, Observation, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Fault, Outcome, problem_body};
use crate::psp::{Failure, LostStart, Start, Started};
use crate::store::payments::{Attempt, Payment};
use crate::store::requests::{self, Claim};
use crate::store::{Conn, Lane, StoreError, StoreResult, payments};

/// After this long a start without a recorded answer is taken for lost: longer than any call takes.
pub(super) const CALL_LEASE: Duration = Duration::from_secs(30);

/// What a payment says of itself while its provider's answer is not known.
pub(super) const OUTCOME_UNKNOWN: &str = "the provider did not answer; the outcome is unknown and is being looked up";

/// Begins what is noted of an attempt whose call never left: its reference is as good as new.
const NEVER_LEFT: &str = "not sent: ";

const NOT_SENT: &str = "the provider could not be reached and nothing was charged";

/// A payment under one reference: `<invoice number>-<number of the attempt>`, at most 40 characters.
pub(super) fn reference(invoice_number: &str, number: usize) -> String {
    format!("{invoice_number}-{number}")
}

/// The attempt that is about to be made over a rail.
pub(super) fn prepared(payment: &Payment, rail: &Rail, number: usize, now: Timestamp) -> Attempt {
    Attempt {
        attempt_id: AttemptId::generate(now),
        payment_id: payment.payment_id.clone(),
        provider: rail.driver.name.to_owned(),
        mode: rail.mode,
        state: AttemptState::Prepared,
        provider_ref: None,
        error: None,
        created_at: now,
        answered_at: None,
        account_id: rail.account_id().cloned(),
        reference: reference(&payment.invoice_number, number),
    }
}

/// What a recorded start left behind.
struct Recorded {
    payment: Payment,
    attempt_state: AttemptState,
}

impl Gateway {
    /// Makes the call for an attempt that is written, and records and answers what came of it.
    ///
    /// Runs to its end even if the client hangs up: the answer must be recorded.
    pub(super) async fn start_and_answer(
        self: &Arc<Self>,
        rail: Arc<Rail>,
        payment: Payment,
        attempt: Attempt,
        claim: Claim,
        request_id: String,
    ) -> Outcome<Answer> {
        let gateway = Arc::clone(self);
        let task = tokio::spawn(async move {
            let outcome = gateway.call_start(&rail, &payment, &attempt, false).await;
            gateway.record_answered(&payment, &attempt, outcome, claim, request_id).await
        });
        task.await.map_err(|_| StoreError::Panicked)?
    }

    async fn call_start(
        &self,
        rail: &Rail,
        payment: &Payment,
        attempt: &Attempt,
        is_repeat: bool,
    ) -> Result<Started, Failure> {
        let buyer: Buyer =
            payment.buyer.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
        let metadata = serde_json::from_str(&payment.metadata).unwrap_or_default();
        let public_url = &self.settings.public_url;
        let account = rail.account_id().map(|account_id| format!("/{account_id}")).unwrap_or_default();
        let start = Start {
            payment_id: &payment.payment_id,
            attempt_id: &attempt.attempt_id,
            reference: &attempt.reference,
            is_repeat,
            amount_minor: payment.amount_minor,
            currency: payment.currency,
            method: &payment.method,
            description: payment.description.as_deref(),
            invoice_number: &payment.invoice_number,
            external_user_id: &payment.external_user_id,
            email: payment.email.as_deref(),
            buyer,
            metadata: &metadata,
            return_url: &format!("{public_url}/return/{}", payment.payment_id),
            notify_url: &format!("{public_url}/webhooks/{}/{}{account}", rail.driver.name, rail.mode),
            expires_at: payment.expires_at,
            now: self.clock.now(),
        };
        let outcome = rail.psp.start(&start).await;
        match outcome {
            Err(Failure::Unsupported { instead }) => Err(Failure::refused(instead)),
            outcome => outcome,
        }
    }

    async fn record_answered(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        outcome: Result<Started, Failure>,
        claim: Claim,
        request_id: String,
    ) -> Outcome<Answer> {
        let now = self.clock.now();
        let public_url = self.settings.public_url.clone();
        let (payment_id, attempt_id) = (payment.payment_id.clone(), attempt.attempt_id.clone());
        let lane = payment_id.clone();
        // Looking for deliveries is a write, and only a refusal has an event.
        let has_event = matches!(outcome, Err(Failure::Refused { .. }));
        let answer = self
            .write(Lane::Of(lane.as_str()), move |conn| {
                let recorded = record_start(conn, &payment_id, &attempt_id, &outcome, false, now)?;
                let Recorded { payment, attempt_state } = recorded;
                let fault = match (&outcome, attempt_state) {
                    (Err(Failure::Refused { .. }), _) => Some(provider_error(&payment)),
                    (Err(failure @ Failure::NotSent { .. }), _) => {
                        Some(Fault { payment_id: Some(payment.payment_id.to_string()), ..unavailable(failure) })
                    }
                    _ => None,
                };
                let (status, body) = match &fault {
                    Some(fault) => (fault.status(), problem_body(fault, &request_id)),
                    None if attempt_state == AttemptState::Unknown => {
                        (202, render(&PaymentObject::new(&payment, &public_url)))
                    }
                    None => (201, render(&PaymentObject::new(&payment, &public_url))),
                };
                requests::set_answer_of(conn, &claim, status, &body)?;
                match fault {
                    // The client gets the fault itself, with its `Retry-After`.
                    Some(fault) if status == 503 => Ok(Err(fault)),
                    _ => Ok(Ok(Answer { status, body, is_replay: false })),
                }
            })
            .await?;
        if has_event {
            self.deliveries_wanted.notify_one();
        }
        answer
    }

    /// Takes up a start whose answer was never recorded: by the same call again, or under the next reference.
    pub(super) async fn resume_start(&self, rail: &Rail, payment: Payment, attempts: Vec<Attempt>) -> Outcome<()> {
        let now = self.clock.now();
        let Some(last) = attempts.last().cloned() else { return Ok(()) };
        let was_sent = !last.error.as_deref().unwrap_or_default().starts_with(NEVER_LEFT);
        let attempt = match rail.driver.lost_start {
            LostStart::NextReference if was_sent => {
                let next = prepared(&payment, rail, attempts.len() + 1, now.strictly_after(last.created_at));
                let (former, written) = (Attempt { state: AttemptState::Unknown, ..last }, next.clone());
                self.write(Lane::Of(payment.payment_id.as_str()), move |conn| {
                    payments::save_attempt(conn, &former)?;
                    payments::insert_attempt(conn, &written)
                })
                .await?;
                next
            }
            LostStart::Repeat | LostStart::NextReference => last,
        };
        let outcome = self.call_start(rail, &payment, &attempt, true).await;
        let (payment_id, attempt_id) = (payment.payment_id.clone(), attempt.attempt_id.clone());
        let now = self.clock.now();
        self.write(Lane::Of(payment.payment_id.as_str()), move |conn| {
            record_start(conn, &payment_id, &attempt_id, &outcome, true, now).map(drop)
        })
        .await?;
        self.deliveries_wanted.notify_one();
        Ok(())
    }
}

/// Records what came of a start. Whoever settled the payment meanwhile stands.
fn record_start(
    conn: &mut Conn,
    payment_id: &PaymentId,
    attempt_id: &AttemptId,
    outcome: &Result<Started, Failure>,
    is_repeat: bool,
    now: Timestamp,
) -> StoreResult<Recorded> {
    let gone = || StoreError::Missing;
    let mut payment = payments::lock(conn, payment_id)?.ok_or_else(gone)?;
    let attempts = payments::attempts_of(conn, payment_id)?;
    let mut attempt = attempts.into_iter().find(|attempt| attempt.attempt_id == *attempt_id).ok_or_else(gone)?;
    if !matches!(attempt.state, AttemptState::Prepared | AttemptState::Unknown) {
        return Ok(Recorded { payment, attempt_state: attempt.state });
    }
    let is_open = payment.status == PaymentStatus::Initiated;
    match outcome {
        Ok(started) => {
            attempt.state = AttemptState::Started;
            attempt.provider_ref = Some(started.provider_ref.clone());
            attempt.error = None;
            payment.provider_ref = Some(started.provider_ref.clone());
            payment.provider_checkout_url.clone_from(&started.checkout_url);
            payment.instructions = started.instructions.as_ref().map(render);
            if let Some(expires_at) = started.expires_at {
                payment.expires_at = expires_at;
            }
            if is_open {
                payment.last_error = String::new();
                payment.polls = 0;
                // Its invoice may have been paid otherwise meanwhile: then it is given up at once.
                let is_late = origins::is_closed_now(conn, &payment)?;
                payment.poll_at = Some(if is_late { now } else { now.plus(poll_wait(0)).min(payment.expires_at) });
            }
        }
        Err(Failure::Refused { reason }) => {
            attempt.state = AttemptState::Refused;
            attempt.error = Some(reason.clone());
        }
        // What was not sent now may have been sent before.
        Err(Failure::NotSent { class, .. }) if !is_repeat => {
            attempt.state = AttemptState::Refused;
            attempt.error = Some(format!("{NEVER_LEFT}{class}"));
            payment.last_error = NOT_SENT.to_owned();
            payment.poll_at = Some(payment.expires_at);
        }
        Err(failure) => {
            attempt.state = AttemptState::Unknown;
            attempt.error = Some(match failure {
                Failure::NotSent { class, .. } => format!("{NEVER_LEFT}{class}"),
                failure => failure.class().to_owned(),
            });
            payment.last_error = OUTCOME_UNKNOWN.to_owned();
            payment.poll_at = Some(now.plus(unknown_wait(u32::try_from(payment.polls).unwrap_or(u32::MAX))));
            payment.polls = payment.polls.saturating_add(1);
        }
    }
    attempt.answered_at = (attempt.state != AttemptState::Unknown).then_some(now);
    payments::save_attempt(conn, &attempt)?;
    payment.updated_at = now.strictly_after(payment.updated_at);
    payments::save(conn, &payment)?;
    if let Err(Failure::Refused { reason }) = outcome {
        settle::settle(conn, &mut payment, &Observation::Failed { reason: reason.clone() }, now)?;
    }
    Ok(Recorded { payment, attempt_state: attempt.state })
}
