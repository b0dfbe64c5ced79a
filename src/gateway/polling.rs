//! Asking providers about payments that they have gone quiet about, and closing those that have expired.

use std::sync::Arc;

use futures_util::StreamExt;

use super::rails::Rail;
use super::settle::Settled;
use super::starting::CALL_LEASE;
use super::{Gateway, mock, origins, settle};
use crate::domain::backoff::{poll_wait, unknown_wait};
use crate::domain::payments::{AttemptState, Observation, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::psp::{self, Failure, Ongoing};
use crate::store::payments::{Attempt, Payment};
use crate::store::{Conn, Lane, StoreResult, payments};

/// Payments in one round: small enough that a writer's lane is not held up.
const ROUND: i64 = 100;

/// Providers that are asked at once.
const CALLS_AT_ONCE: usize = 16;

impl Gateway {
    /// Asks about the payments that are due; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn poll_due_payments(self: &Arc<Self>) -> Outcome<usize> {
        let now = self.clock.now();
        let (asked, to_call) = self
            .write(Lane::Any, move |conn| {
                let due = payments::due_for_poll(conn, now, ROUND)?;
                let count = due.len();
                let (at_mock, to_call): (Vec<_>, Vec<_>) =
                    due.into_iter().partition(|payment| payment.provider == psp::mock::DRIVER.name);
                for payment in at_mock {
                    ask_mock(conn, payment, now)?;
                }
                // Whoever takes a payment has it to himself for as long as a call can take.
                let ids: Vec<_> = to_call.iter().map(|payment| payment.payment_id.clone()).collect();
                if !ids.is_empty() {
                    payments::lease_polls(conn, &ids, now.plus(CALL_LEASE))?;
                }
                Ok((count, to_call))
            })
            .await?;
        futures_util::stream::iter(to_call)
            .for_each_concurrent(CALLS_AT_ONCE, |payment| async move {
                let payment_id = payment.payment_id.clone();
                if let Err(fault) = self.look_after(payment).await {
                    tracing::warn!(%fault, payment = %payment_id, "a payment could not be looked after; it will be again");
                }
            })
            .await;
        if asked > 0 {
            self.deliveries_wanted.notify_one();
        }
        Ok(asked)
    }

    /// Forgets answers older than a day and rejected webhooks older than a week; says how many rows went.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn prune(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let week_ago = now.minus(std::time::Duration::from_secs(7 * 24 * 3600));
        let answers = self.write(Lane::Any, move |conn| crate::store::requests::prune(conn, now, 500)).await?;
        Ok(answers + self.prune_inbox(week_ago).await? + self.prune_accounts().await?)
    }

    async fn look_after(self: &Arc<Self>, payment: Payment) -> Outcome<()> {
        let payment_id = payment.payment_id.clone();
        let attempts = self.read(move |conn| payments::attempts_of(conn, &payment_id)).await?;
        let Some(last) = attempts.last() else { return Ok(()) };
        let has_expired = self.clock.now() >= payment.expires_at;
        let closes = has_expired || self.is_origin_closed(&payment).await?;
        match last.state {
            // No buyer has seen it: at its expiry it is closed. Should it be paid all the same, that is told.
            AttemptState::Prepared | AttemptState::Unknown if has_expired => {
                self.take_in(&payment, last, &Ok(Vec::new()), Closing::Close).await.map(drop)
            }
            AttemptState::Prepared | AttemptState::Unknown => {
                let rail = self.rail_of(last)?;
                self.resume_start(&rail, payment, attempts).await
            }
            // It never reached the provider, and no one came back for it.
            AttemptState::Refused => {
                let close = if closes { Closing::Close } else { Closing::Wait };
                self.take_in(&payment, last, &Ok(Vec::new()), close).await.map(drop)
            }
            AttemptState::Started => {
                let rail = self.rail_of(last)?;
                let told = if closes {
                    self.cancel_or_look(&rail, &payment, last).await
                } else {
                    rail.psp.fetch(&self.ongoing(&payment, last)).await
                };
                let close = if closes { Closing::Close } else { Closing::Wait };
                self.take_in(&payment, last, &told, close).await.map(drop)
            }
        }
    }

    /// Asks about one payment now, as its buyer has come back; says how it stands.
    ///
    /// # Errors
    /// 404.
    pub async fn return_from_provider(self: &Arc<Self>, payment_id: &str) -> Outcome<Payment> {
        use super::payments::payment_not_found;
        let wanted = crate::domain::ids::PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let asked = wanted.clone();
        let found = self
            .read(move |conn| Ok((payments::find_any(conn, &asked)?, payments::attempts_of(conn, &asked)?)))
            .await?;
        let (Some(payment), attempts) = found else { return Err(payment_not_found()) };
        let started = attempts.last().filter(|attempt| attempt.state == AttemptState::Started);
        let (PaymentStatus::Initiated, Some(attempt)) = (payment.status, started) else { return Ok(payment) };
        let Some(rail) = self.rails.of_attempt(attempt) else { return Ok(payment) };
        // The order that is asked about is the payment's own, whatever the buyer's browser says. The call runs to its
        // end even if the buyer goes away.
        let (gateway, attempt) = (Arc::clone(self), attempt.clone());
        let task = tokio::spawn(async move {
            let told = rail.psp.fetch(&gateway.ongoing(&payment, &attempt)).await;
            gateway.take_in(&payment, &attempt, &told, Closing::Wait).await
        });
        if let Ok(Err(fault)) = task.await {
            tracing::warn!(%fault, payment = %wanted, "what the provider says could not be recorded");
        }
        self.deliveries_wanted.notify_one();
        let found = self.read(move |conn| payments::find_any(conn, &wanted)).await?;
        found.ok_or_else(payment_not_found)
    }

    /// Gives a payment up at its provider, or, where that cannot be done, hears what has become of it.
    pub(super) async fn cancel_or_look(
        &self,
        rail: &Rail,
        payment: &Payment,
        attempt: &Attempt,
    ) -> Result<Vec<Observation>, Failure> {
        let ongoing = self.ongoing(payment, attempt);
        match rail.psp.cancel(&ongoing).await {
            Err(Failure::Refused { .. } | Failure::Unsupported { .. }) => rail.psp.fetch(&ongoing).await,
            told => told,
        }
    }

    pub(super) fn ongoing<'a>(&self, payment: &'a Payment, attempt: &'a Attempt) -> Ongoing<'a> {
        Ongoing {
            payment_id: &payment.payment_id,
            attempt_id: &attempt.attempt_id,
            reference: &attempt.reference,
            provider_ref: attempt.provider_ref.as_deref().unwrap_or_default(),
            amount_minor: payment.amount_minor,
            currency: payment.currency,
            method: &payment.method,
            is_open: payment.status == PaymentStatus::Initiated,
            now: self.clock.now(),
        }
    }

    /// Takes in what a provider said of a payment, and plans when it is asked next.
    pub(super) async fn take_in(
        &self,
        payment: &Payment,
        attempt: &Attempt,
        told: &Result<Vec<Observation>, Failure>,
        closing: Closing,
    ) -> Outcome<Settled> {
        let now = self.clock.now();
        let payment_id = payment.payment_id.clone();
        let lane = payment_id.clone();
        let told = told.clone();
        let (settled, has_ended) = self
            .write(Lane::Of(lane.as_str()), move |conn| {
                let Some(mut payment) = payments::lock(conn, &payment_id)? else { return Ok((Settled::Done, false)) };
                let mut outcome = Settled::Done;
                match &told {
                    Ok(observations) => {
                        let settled = settle::settle_all(conn, &mut payment, observations, now)?;
                        let may_close = closing == Closing::Close && settled == Settled::Done;
                        if may_close && payment.status == PaymentStatus::Initiated {
                            let expired = Observation::Canceled { reason: "expired".to_owned() };
                            settle::settle(conn, &mut payment, &expired, now)?;
                        }
                        plan_next_poll(conn, &payment, now)?;
                        outcome = settled;
                    }
                    Err(failure) => {
                        let polls = payment.polls.saturating_add(1);
                        let wait = match failure {
                            Failure::NotSent { retry_after: Some(wait), .. } => *wait,
                            _ => unknown_wait(u32::try_from(polls).unwrap_or(u32::MAX)),
                        };
                        if payment.status == PaymentStatus::Initiated {
                            payments::set_poll(conn, &payment.payment_id, Some(now.plus(wait)), polls)?;
                        }
                    }
                }
                Ok((outcome, payment.status != PaymentStatus::Initiated))
            })
            .await?;
        if has_ended {
            self.retire_other_attempts(payment, attempt).await?;
        }
        Ok(settled)
    }

    /// A payment that has ended needs no other attempt that a buyer could still pay: they are given up. Should one be
    /// paid all the same, that is told and refundable.
    async fn retire_other_attempts(&self, payment: &Payment, ended_by: &Attempt) -> Outcome<()> {
        let payment_id = payment.payment_id.clone();
        let attempts = self.read(move |conn| payments::attempts_of(conn, &payment_id)).await?;
        let open = attempts.into_iter().filter(|attempt| {
            attempt.attempt_id != ended_by.attempt_id
                && attempt.provider_ref.is_some()
                && matches!(attempt.state, AttemptState::Started | AttemptState::Unknown)
        });
        for attempt in open {
            let rail = self.rail_of(&attempt)?;
            let Ok(told) = self.cancel_or_look(&rail, payment, &attempt).await else { continue };
            let now = self.clock.now();
            let payment_id = payment.payment_id.clone();
            self.write(Lane::Of(payment.payment_id.as_str()), move |conn| {
                let Some(mut payment) = payments::lock(conn, &payment_id)? else { return Ok(()) };
                let retired = Attempt {
                    state: AttemptState::Refused,
                    error: Some("given up: the payment ended by another attempt".to_owned()),
                    ..attempt.clone()
                };
                payments::save_attempt(conn, &retired)?;
                settle::settle_all(conn, &mut payment, &told, now).map(drop)
            })
            .await?;
        }
        Ok(())
    }
}

/// Whether a payment that its provider says nothing final of is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closing {
    /// It has expired: it is.
    Close,
    /// It goes on.
    Wait,
}

fn ask_mock(conn: &mut Conn, mut payment: Payment, now: Timestamp) -> StoreResult<()> {
    let observation = match mock::fetch(conn, &payment)? {
        Some(observation) => observation,
        // A start whose outcome was unknown, and the provider has no record of it: that is known now.
        None if payment.provider_ref.is_none() => {
            Observation::Failed { reason: "the provider has no record of this payment; nothing was charged".to_owned() }
        }
        None if now >= payment.expires_at => Observation::Canceled { reason: "expired".to_owned() },
        None if origins::is_closed_now(conn, &payment)? => {
            Observation::Canceled { reason: "its invoice was closed".to_owned() }
        }
        None => Observation::Pending,
    };
    settle::settle(conn, &mut payment, &observation, now)?;
    plan_next_poll(conn, &payment, now)
}

/// Plans when an open payment's provider is asked next.
fn plan_next_poll(conn: &mut Conn, payment: &Payment, now: Timestamp) -> StoreResult<()> {
    if payment.status != PaymentStatus::Initiated {
        return Ok(());
    }
    let polls = payment.polls.saturating_add(1);
    let next = now.plus(poll_wait(u32::try_from(polls).unwrap_or(0)));
    // Once more at expiry, and not only after it.
    let next = if now < payment.expires_at { next.min(payment.expires_at) } else { next };
    payments::set_poll(conn, &payment.payment_id, Some(next), polls)
}
