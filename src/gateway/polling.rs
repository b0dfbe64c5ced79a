//! Asking providers about payments that they have gone quiet about, and closing those that have expired.

use super::{Gateway, mock, settle};
use crate::domain::backoff::poll_wait;
use crate::domain::payments::Observation;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::payments::Payment;
use crate::store::{Conn, Lane, StoreResult, payments};

/// Payments in one round: small enough that a writer's lane is not held up.
const ROUND: i64 = 100;

impl Gateway {
    /// Asks about the payments that are due; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn poll_due_payments(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let asked = self
            .write(Lane::Any, move |conn| {
                let due = payments::due_for_poll(conn, now, ROUND)?;
                let count = due.len();
                for payment in due {
                    ask(conn, payment, now)?;
                }
                Ok(count)
            })
            .await?;
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
        Ok(answers + self.prune_inbox(week_ago).await?)
    }
}

fn ask(conn: &mut Conn, mut payment: Payment, now: Timestamp) -> StoreResult<()> {
    let observation = match mock::fetch(conn, &payment)? {
        Some(observation) => observation,
        // A start whose outcome was unknown, and the provider has no record of it: that is known now.
        None if payment.provider_ref.is_none() => {
            Observation::Failed { reason: "the provider has no record of this payment; nothing was charged".to_owned() }
        }
        None if now >= payment.expires_at => Observation::Canceled { reason: "expired".to_owned() },
        None => Observation::Pending,
    };
    settle::settle(conn, &mut payment, &observation, now)?;
    if payment.status == crate::domain::payments::PaymentStatus::Initiated {
        let polls = payment.polls.saturating_add(1);
        let next = now.plus(poll_wait(u32::try_from(polls).unwrap_or(0)));
        // Once more at expiry, and not only after it.
        let next = if now < payment.expires_at { next.min(payment.expires_at) } else { next };
        payments::set_poll(conn, &payment.payment_id, Some(next), polls)?;
    }
    Ok(())
}
