//! The one way a payment ends. Webhook, poller, checkout page and cancellation all lead here, inside a transaction that
//! holds the payment: the change of state, the receipt, the event and its deliveries commit together.

use super::starting::OUTCOME_UNKNOWN;
use super::views::{fallback_of, invoice_of, link_of, raw, render};
use super::{deltas, origins, refunds};
use crate::domain::events::PaymentEvent;
use crate::domain::ids::EventId;
use crate::domain::payments::{AttemptState, Decision, Observation, PaymentStatus, Standing, decide};
use crate::domain::time::Timestamp;
use crate::psp;
use crate::store::events::Event;
use crate::store::payments::{Payment, Receipt, Reversal};
use crate::store::refunds::Refund;
use crate::store::{Conn, StoreError, StoreResult, events, payment_days, payments};

/// Applies what a provider says to a payment that is locked.
pub(super) fn settle(
    conn: &mut Conn,
    payment: &mut Payment,
    observation: &Observation,
    now: Timestamp,
) -> StoreResult<Decision> {
    let booked = match observation {
        // Every receipt is more than nothing: where nothing was paid, there is none.
        Observation::Paid { .. } if payment.paid_minor > 0 => {
            let receipts = payments::receipts_of(conn, &payment.payment_id)?;
            receipts.into_iter().map(|receipt| receipt.provider_transaction).collect()
        }
        _ => Vec::new(),
    };
    let standing = Standing {
        status: payment.status,
        mode: payment.mode,
        is_mock: payment.provider == psp::mock::DRIVER.name,
        amount_minor: payment.amount_minor,
        currency: payment.currency,
        booked: &booked,
    };
    let decision = decide(&standing, observation);
    if decision == Decision::Succeed && origins::is_closed(conn, payment)? {
        // The invoice was paid otherwise, or given up: this payment ends first, and then its money comes too late.
        let closed = Observation::Canceled { reason: "its invoice was closed".to_owned() };
        settle(conn, payment, &closed, now)?;
        return settle(conn, payment, observation, now);
    }
    let was_paid = payment.paid_minor > 0;
    // So it says of itself until its start has been answered.
    let is_start_open = payment.last_error == OUTCOME_UNKNOWN;
    let event_type = match &decision {
        Decision::Nothing => return Ok(decision),
        Decision::Succeed => {
            payment.status = PaymentStatus::Succeeded;
            payment.last_error = String::new();
            "payment.succeeded"
        }
        Decision::PaidAfterClose => {
            payment.needs_attention = true;
            "payment.paid_after_close"
        }
        Decision::Fail(reason) => {
            payment.status = PaymentStatus::Failed;
            payment.last_error.clone_from(reason);
            "payment.failed"
        }
        Decision::Cancel(_) => {
            payment.status = PaymentStatus::Canceled;
            payment.last_error = String::new();
            "payment.canceled"
        }
        // The provider is asked again and again, and says the same: people are told once.
        Decision::Quarantine(reason) if payment.last_error == *reason => return Ok(decision),
        Decision::Quarantine(reason) => {
            payment.needs_attention = true;
            if payment.status == PaymentStatus::Initiated {
                payment.last_error.clone_from(reason);
            }
            tracing::warn!(mode = %payment.mode, app = %payment.app_id, payment = %payment.payment_id, reason,
                "a provider's message does not fit the payment; quarantined");
            "payment.quarantined"
        }
    };
    let at = now.strictly_after(payment.updated_at);
    if let (Decision::Succeed | Decision::PaidAfterClose, Observation::Paid { amount_minor, transaction, .. }) =
        (&decision, observation)
    {
        book(conn, payment, *amount_minor, transaction, at)?;
    }
    if payment.status != PaymentStatus::Initiated {
        payment.poll_at = None;
        if is_start_open || payment.provider_ref.is_none() {
            let state = match payment.status {
                PaymentStatus::Failed => AttemptState::Refused,
                _ => AttemptState::Started,
            };
            payments::resolve_attempts(conn, &payment.payment_id, state, at)?;
            if let (None, Observation::Paid { transaction, .. }) = (&payment.provider_ref, observation) {
                payment.provider_ref = Some(transaction.clone());
            }
        }
    }
    payment.updated_at = at;
    payments::save(conn, payment)?;
    if matches!(decision, Decision::Succeed | Decision::Fail(_) | Decision::Cancel(_)) {
        payment_days::note_closed(payment);
    }
    let about = match &decision {
        Decision::Quarantine(reason) => About::Quarantine(reason),
        _ => About::Payment,
    };
    write_event(conn, payment, event_type, about, now)?;
    origins::follow(conn, payment, &decision, was_paid, now)?;
    metrics::counter!("switchyard_payment_transitions_total", "mode" => payment.mode.as_str(), "event" => event_type)
        .increment(1);
    Ok(decision)
}

/// What several observations came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// They were taken, or say what is known.
    Done,
    /// One does not fit the payment.
    Quarantined(String),
    /// One speaks of money that has not been heard of yet: the provider is to be asked for the rest.
    TooEarly,
}

/// Applies all that a provider says of a payment that is locked, in the order of money: received, given back, taken back.
pub(super) fn settle_all(
    conn: &mut Conn,
    payment: &mut Payment,
    observations: &[Observation],
    now: Timestamp,
) -> StoreResult<Settled> {
    let mut settled = Settled::Done;
    for observation in observations {
        let one = match observation {
            Observation::Refunded { .. } => refunds::observe(conn, payment, observation, now)?,
            Observation::Reversed { transaction, amount_minor, currency, reason } => {
                if currency != payment.currency.code() {
                    let reason = format!("provider reports a reversal in {currency}");
                    quarantine(conn, payment, &reason, now)?;
                    Settled::Quarantined(reason)
                } else if *amount_minor > payment.paid_minor {
                    Settled::TooEarly
                } else {
                    reverse(conn, payment, transaction, *amount_minor, reason, now)?;
                    Settled::Done
                }
            }
            _ => match settle(conn, payment, observation, now)? {
                Decision::Quarantine(reason) => Settled::Quarantined(reason),
                _ => Settled::Done,
            },
        };
        if one != Settled::Done {
            settled = one;
        }
    }
    Ok(settled)
}

/// Books money that was taken back, once.
fn reverse(
    conn: &mut Conn,
    payment: &mut Payment,
    transaction: &str,
    amount_minor: i64,
    reason: &str,
    now: Timestamp,
) -> StoreResult<()> {
    let reversal = Reversal {
        payment_id: payment.payment_id.clone(),
        provider_transaction: transaction.to_owned(),
        amount_minor,
        reason: reason.to_owned(),
        created_at: now,
    };
    if !payments::insert_reversal(conn, &reversal)? {
        return Ok(());
    }
    payment.needs_attention = true;
    payment.updated_at = now.strictly_after(payment.updated_at);
    payments::save(conn, payment)?;
    let minor = amount_minor.checked_neg().ok_or(StoreError::Overflow)?;
    deltas::post_of_payment(
        conn,
        payment,
        payment.payment_id.as_str(),
        minor,
        "payment taken back",
        payment.updated_at,
    )?;
    write_event(conn, payment, "payment.reversed", About::Reversal(&reversal), now)
}

/// Tells people that a message did not fit the payment. Nothing moves.
pub(super) fn quarantine(conn: &mut Conn, payment: &mut Payment, reason: &str, now: Timestamp) -> StoreResult<()> {
    payment.needs_attention = true;
    payment.updated_at = now.strictly_after(payment.updated_at);
    payments::save(conn, payment)?;
    write_event(conn, payment, "payment.quarantined", About::Quarantine(reason), now)
}

fn book(
    conn: &mut Conn,
    payment: &mut Payment,
    amount_minor: i64,
    transaction: &str,
    at: Timestamp,
) -> StoreResult<()> {
    // Receipts are bounded by the amount of each and one for each transaction; an overflow is a fault, not a wrap.
    payment.paid_minor = payment.paid_minor.checked_add(amount_minor).ok_or(StoreError::Overflow)?;
    let receipt = Receipt {
        payment_id: payment.payment_id.clone(),
        provider_transaction: transaction.to_owned(),
        amount_minor,
        created_at: at,
    };
    payments::insert_receipt(conn, &receipt)?;
    deltas::post_of_payment(conn, payment, payment.payment_id.as_str(), amount_minor, "payment received", at)
}

/// What an event tells besides the payment itself.
#[derive(Clone, Copy)]
enum About<'a> {
    Payment,
    Quarantine(&'a str),
    Refund(&'a Refund),
    Reversal(&'a Reversal),
}

/// Writes the event of a payment's present state.
pub(super) fn announce(conn: &mut Conn, payment: &Payment, event_type: &str, now: Timestamp) -> StoreResult<()> {
    write_event(conn, payment, event_type, About::Payment, now)
}

/// Writes the event of a refund that has ended, as a change of its payment.
pub(super) fn announce_refund(
    conn: &mut Conn,
    payment: &mut Payment,
    refund: &Refund,
    now: Timestamp,
) -> StoreResult<()> {
    payment.updated_at = now.strictly_after(payment.updated_at);
    payments::save(conn, payment)?;
    let event_type = if refund.status == "succeeded" { "refund.succeeded" } else { "refund.failed" };
    write_event(conn, payment, event_type, About::Refund(refund), now)
}

/// The event's moment is that of the payment's last change, which keeps the events of a payment in order.
fn write_event(
    conn: &mut Conn,
    payment: &Payment,
    event_type: &str,
    about: About<'_>,
    now: Timestamp,
) -> StoreResult<()> {
    let at = payment.updated_at;
    let event_id = EventId::generate(at);
    let refund = match about {
        About::Refund(refund) => Some(refund),
        _ => None,
    };
    let body = render(&PaymentEvent {
        event: event_type,
        event_id: &event_id,
        mode: payment.mode,
        payment_id: &payment.payment_id,
        status: refund.map_or(payment.status.as_str(), |refund| refund.status.as_str()),
        amount: match about {
            About::Refund(refund) => refund.amount_minor,
            About::Reversal(reversal) => reversal.amount_minor,
            About::Payment | About::Quarantine(_) => payment.amount_minor,
        },
        currency: payment.currency.code(),
        method: &payment.method,
        provider: &payment.provider,
        provider_ref: payment.provider_ref.as_deref(),
        invoice_number: &payment.invoice_number,
        invoice_id: invoice_of(payment),
        payment_link_id: link_of(payment),
        external_user_id: &payment.external_user_id,
        fallback: fallback_of(payment),
        timestamp: at,
        metadata: raw(&payment.metadata),
        reason: match about {
            About::Payment => None,
            About::Quarantine(reason) => Some(Some(reason)),
            About::Refund(refund) => Some(refund.reason.as_deref()),
            About::Reversal(reversal) => Some(Some(&reversal.reason)),
        },
        refund_id: refund.map(|refund| refund.refund_id.as_str()),
    });
    let event = Event::of_app(event_id, &payment.app_id, event_type, body, at).about(&payment.payment_id);
    events::insert(conn, &event, now)
}
