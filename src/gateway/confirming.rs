//! Webhooks that are not believed by themselves: the provider is asked whether they are true. And those that came before
//! their payment was there: it is looked for again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;

use super::Gateway;
use super::inbox::Verdict;
use super::polling::Closing;
use super::settle::Settled;
use super::starting::CALL_LEASE;
use crate::domain::backoff::unknown_wait;
use crate::domain::payments::{AttemptState, Observation};
use crate::error::Outcome;
use crate::store::inbox::InboxRow;
use crate::store::{Lane, inbox, payments};

/// Webhooks in one round.
const ROUND: i64 = 100;

/// Providers that are asked at once.
const CALLS_AT_ONCE: usize = 16;

/// How often an unknown payment is looked for: every half minute for ten minutes.
const LOOKS: i32 = 20;
const BETWEEN_LOOKS: Duration = Duration::from_secs(30);

/// How often a provider is asked about one message before people are: over about five hours.
const QUESTIONS: i32 = 60;

impl Gateway {
    /// Looks again at the webhooks that wait; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn confirm_webhooks(self: &Arc<Self>) -> Outcome<usize> {
        let now = self.clock.now();
        let until = now.plus(CALL_LEASE);
        let due = self.write(Lane::Any, move |conn| inbox::claim_due(conn, now, until, ROUND)).await?;
        let count = due.len();
        futures_util::stream::iter(due)
            .for_each_concurrent(CALLS_AT_ONCE, |row| async move {
                let inbox_id = row.inbox_id.clone();
                if let Err(fault) = self.look_again(row).await {
                    tracing::warn!(%fault, webhook = %inbox_id, "a webhook could not be looked at; it will be again");
                }
            })
            .await;
        if count > 0 {
            self.deliveries_wanted.notify_one();
        }
        Ok(count)
    }

    /// Waits until there may be something to confirm.
    pub async fn confirmations_wanted(&self) {
        self.confirmations_wanted.notified().await;
    }

    async fn look_again(self: &Arc<Self>, row: InboxRow) -> Outcome<()> {
        let Some(payment_id) = row.payment_id.clone() else {
            return self.conclude(&row, Verdict::Ignored, &row.detail, None).await;
        };
        let found = self
            .read(move |conn| Ok((payments::find_any(conn, &payment_id)?, payments::attempts_of(conn, &payment_id)?)))
            .await?;
        let (Some(payment), attempts) = found else {
            let again = (row.tries < LOOKS).then_some(BETWEEN_LOOKS);
            return self.conclude(&row, Verdict::UnknownPayment, &row.detail, again).await;
        };
        let named = attempts.iter().find(|attempt| Some(&attempt.attempt_id) == row.attempt_id.as_ref());
        let Some(attempt) = named.or(attempts.last()) else {
            return self.conclude(&row, Verdict::Ignored, &row.detail, None).await;
        };
        let is_ours =
            attempt.provider == row.provider && attempt.mode == row.mode && attempt.account_id == row.account_id;
        let Some(rail) = self.rails.of_attempt(attempt).filter(|_| is_ours) else {
            let reason = "the message is of another provider, mode or account than the payment";
            return self.conclude(&row, Verdict::Quarantined, reason, None).await;
        };
        if attempt.state != AttemptState::Started && attempt.provider_ref.is_none() {
            return self.conclude(&row, Verdict::Kept, &row.detail, Some(BETWEEN_LOOKS)).await;
        }
        let told = rail.psp.fetch(&self.ongoing(&payment, attempt)).await;
        let settled = self.take_in(&payment, attempt, &told, Closing::Wait).await?;
        match (told, settled) {
            (Ok(_), Settled::Quarantined(reason)) => self.conclude(&row, Verdict::Quarantined, &reason, None).await,
            // The provider does not say so itself, or not yet. The same message may come again, and is asked about again.
            (Ok(told), _) if told.iter().all(|one| *one == Observation::Pending) => {
                self.conclude(&row, Verdict::Ignored, &row.detail, None).await
            }
            (Ok(_), _) => self.conclude(&row, Verdict::Applied, &row.detail, None).await,
            (Err(failure), _) if row.tries < QUESTIONS => {
                let wait = unknown_wait(u32::try_from(row.tries).unwrap_or(u32::MAX)).max(Duration::from_secs(2));
                let detail = format!("{} (to be confirmed; last try: {})", kind_of(&row.detail), failure.class());
                self.conclude(&row, Verdict::Kept, &detail, Some(wait)).await
            }
            (Err(failure), _) => {
                let detail = format!("{} (could not be confirmed: {})", kind_of(&row.detail), failure.class());
                self.conclude(&row, Verdict::Quarantined, &detail, None).await
            }
        }
    }

    async fn conclude(
        &self,
        row: &InboxRow,
        verdict: Verdict,
        detail: &str,
        again_in: Option<Duration>,
    ) -> Outcome<()> {
        let due_at = again_in.map(|wait| self.clock.now().plus(wait));
        let tries = row.tries.saturating_add(1);
        let (row, detail) = (row.clone(), detail.to_owned());
        self.write(Lane::Any, move |conn| {
            // Only one message of an event can have been applied; the others told the same.
            let told_before =
                verdict == Verdict::Applied && inbox::is_applied(conn, &row.provider, row.mode, &row.provider_event)?;
            let verdict = if told_before { Verdict::Ignored } else { verdict };
            inbox::conclude(conn, &row.inbox_id, verdict.as_str(), &detail, due_at, tries)
        })
        .await
    }
}

/// The kind of message, without what was noted of earlier tries.
fn kind_of(detail: &str) -> &str {
    detail.split(" (").next().unwrap_or(detail)
}
