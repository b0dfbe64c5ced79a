//! The mock provider at work: its checkout page, what it was scripted to do, and the webhooks that it sends through the
//! same door as a real provider.

use std::time::Duration;

use super::payments::payment_not_found;
use super::views::{ChargesObject, render};
use super::{Gateway, Posted, refunds};
use crate::domain::drafts::{MockOutcome, MockScript, MockWebhook};
use crate::domain::ids::{MockJobId, PaymentId};
use crate::domain::mode::Mode;
use crate::domain::payments::{Observation, PaymentStatus};
use crate::domain::secrets::random_hex;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::mock::{DRIVER, Webhook, sign};
use crate::store::mock::{MockCharge, MockJob};
use crate::store::payments::Payment;
use crate::store::{Conn, Lane, StoreResult, mock, payments};

/// When the gateway asks the mock by itself, should it die between the charge and the webhook.
const LOST_WEBHOOK_POLL: Duration = Duration::from_secs(10);

/// How late a late webhook is.
const LATE_WEBHOOK: Duration = Duration::from_secs(30);

/// How long a pending refund stays so.
const PENDING_REFUND: Duration = Duration::from_secs(5);

/// How long a claimed job may take before another process may take it.
const JOB_LEASE: Duration = Duration::from_secs(30);

const OUTCOME_JOB: &str = "outcome";
const WEBHOOK_JOB: &str = "webhook";
const REFUND_JOB: &str = "refund";

/// A webhook that the mock is about to send.
struct Message {
    body: String,
    is_signed_well: bool,
}

impl Gateway {
    /// The payment behind a mock checkout page.
    ///
    /// # Errors
    /// 404, also for a payment of another provider.
    pub async fn mock_payment(&self, payment_id: &str) -> Outcome<Payment> {
        let payment_id = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let found = self.read(move |conn| payments::find_any(conn, &payment_id)).await?;
        found.filter(is_mock).ok_or_else(payment_not_found)
    }

    /// What the buyer does at the mock's checkout. The first word stands: a second click charges nothing.
    ///
    /// # Errors
    /// 404; 422 for paying a fallback in live.
    pub async fn act_at_mock_checkout(&self, payment_id: &str, outcome: MockOutcome) -> Outcome<Payment> {
        let payment_id = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let now = self.clock.now();
        let acted = payment_id.clone();
        let (payment, messages) = self
            .write(Lane::Of(payment_id.as_str()), move |conn| {
                let payment = payments::lock(conn, &acted)?.filter(is_mock);
                let Some(payment) = payment else { return Ok(Err(payment_not_found())) };
                if payment.mode == Mode::Live && outcome != MockOutcome::Cancel {
                    let detail = "the provider is not configured for live money; this checkout can only be canceled";
                    return Ok(Err(Fault::new(Code::NotPayable, detail)));
                }
                let messages = act(conn, &payment, outcome, now)?;
                Ok(Ok((payment, messages)))
            })
            .await??;
        if messages.is_empty() {
            return Ok(payment);
        }
        for message in messages {
            self.send_mock_webhook(payment.mode, &message).await;
        }
        self.mock_payment(payment_id.as_str()).await
    }

    async fn send_mock_webhook(&self, mode: Mode, message: &Message) {
        let timestamp = self.clock.now().unix_seconds();
        let mut headers = sign(&self.mock_key, timestamp, &message.body);
        if !message.is_signed_well {
            for (_, value) in headers.iter_mut().skip(1) {
                *value = random_hex(32);
            }
        }
        let body = message.body.clone().into();
        let posted =
            Posted { provider: DRIVER.name.to_owned(), mode: Some(mode), account_id: None, headers, body, peer: None };
        if let Err(fault) = self.receive_webhook(posted).await {
            tracing::debug!(%fault, "a mock webhook was not taken");
        }
    }

    /// How often the mock charged a payment, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn mock_charges(&self, payment_id: &str) -> Outcome<String> {
        let payment = self.mock_payment(payment_id).await?;
        let payment_id = payment.payment_id.clone();
        let charge = self.read(move |conn| mock::charge_of(conn, &payment_id)).await?;
        Ok(render(&ChargesObject {
            payment_id: payment.payment_id,
            charges: charge.as_ref().map_or(0, |charge| charge.charges),
            outcome: charge.map(|charge| charge.outcome),
        }))
    }

    /// Does what the mock is to do by now; says how much that was.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn run_mock_jobs(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let jobs = self.write(Lane::Any, move |conn| mock::claim_jobs(conn, now, now.plus(JOB_LEASE), 200)).await?;
        let count = jobs.len();
        for job in jobs {
            if let Err(fault) = self.run_mock_job(&job).await {
                tracing::warn!(%fault, payment = %job.payment_id, kind = job.kind, "a job of the mock failed");
                continue;
            }
            let job_id = job.job_id;
            self.write(Lane::Any, move |conn| mock::delete_job(conn, &job_id)).await?;
        }
        Ok(count)
    }

    /// Waits until the mock may have something to do.
    pub async fn mock_jobs_wanted(&self) {
        self.mock_jobs_wanted.notified().await;
    }

    async fn run_mock_job(&self, job: &MockJob) -> Outcome<()> {
        match job.kind.as_str() {
            OUTCOME_JOB => {
                let outcome = serde_json::from_str(&job.body).unwrap_or_default();
                self.act_at_mock_checkout(job.payment_id.as_str(), outcome).await?;
            }
            WEBHOOK_JOB => {
                let payment = self.mock_payment(job.payment_id.as_str()).await?;
                let message = Message { body: job.body.clone(), is_signed_well: true };
                self.send_mock_webhook(payment.mode, &message).await;
            }
            REFUND_JOB => self.finish_refund(&job.payment_id, &job.body).await?,
            other => tracing::error!(kind = other, "an unknown job of the mock"),
        }
        Ok(())
    }
}

fn is_mock(payment: &Payment) -> bool {
    payment.provider == DRIVER.name
}

fn script_of(payment: &Payment) -> MockScript {
    payment.mock.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Books what the buyer did, and says which webhooks go out now. Later ones become jobs.
fn act(conn: &mut Conn, payment: &Payment, outcome: MockOutcome, now: Timestamp) -> StoreResult<Vec<Message>> {
    if payment.status != PaymentStatus::Initiated || !charge(conn, payment, outcome, now)? {
        return Ok(Vec::new());
    }
    let body = webhook_body(payment, kind_of(outcome));
    let sent_well = |body: &str| Message { body: body.to_owned(), is_signed_well: true };
    let (messages, poll_after) = match script_of(payment).webhook {
        MockWebhook::Once => (vec![sent_well(&body)], Some(LOST_WEBHOOK_POLL)),
        MockWebhook::Duplicate => (vec![sent_well(&body), sent_well(&body)], Some(LOST_WEBHOOK_POLL)),
        MockWebhook::OutOfOrder => {
            let before = webhook_body(payment, "payment.pending");
            (vec![sent_well(&body), sent_well(&before)], Some(LOST_WEBHOOK_POLL))
        }
        MockWebhook::Late => {
            plan(conn, payment, WEBHOOK_JOB, &body, now.plus(LATE_WEBHOOK))?;
            (Vec::new(), None)
        }
        MockWebhook::BadSignature => (vec![Message { body, is_signed_well: false }], None),
        MockWebhook::Never => (Vec::new(), None),
    };
    if let Some(wait) = poll_after {
        payments::set_poll(conn, &payment.payment_id, Some(now.plus(wait)), payment.polls)?;
    }
    Ok(messages)
}

/// Books what the buyer did at the mock; says whether it was the first thing he did.
fn charge(conn: &mut Conn, payment: &Payment, outcome: MockOutcome, now: Timestamp) -> StoreResult<bool> {
    let charge = MockCharge {
        payment_id: payment.payment_id.clone(),
        outcome: kind_of(outcome).to_owned(),
        charges: i32::from(outcome == MockOutcome::Succeed),
        created_at: now,
    };
    mock::insert_charge(conn, &charge)
}

/// The buyer is charged, and no one is told.
pub(super) fn charge_silently(conn: &mut Conn, payment: &Payment, now: Timestamp) -> StoreResult<()> {
    charge(conn, payment, MockOutcome::Succeed, now)?;
    Ok(())
}

/// Plans what happens without anyone at the checkout page.
pub(super) fn plan_outcome(conn: &mut Conn, payment: &Payment, script: &MockScript, now: Timestamp) -> StoreResult<()> {
    let due_at = now.plus(Duration::from_millis(u64::from(script.after_ms)));
    plan(conn, payment, OUTCOME_JOB, &render(&script.outcome), due_at)
}

/// Plans the end of a refund that the mock keeps pending.
pub(super) fn plan_refund(conn: &mut Conn, payment: &Payment, refund_id: &str, now: Timestamp) -> StoreResult<()> {
    plan(conn, payment, REFUND_JOB, refund_id, now.plus(PENDING_REFUND))
}

/// How the mock answers a request for a refund of this payment.
pub(super) fn refund_status(payment: &Payment) -> &'static str {
    use crate::domain::drafts::MockRefund;
    match script_of(payment).refund {
        MockRefund::Succeed => refunds::SUCCEEDED,
        MockRefund::Fail => refunds::FAILED,
        MockRefund::Pending => refunds::INITIATED,
    }
}

fn plan(conn: &mut Conn, payment: &Payment, kind: &str, body: &str, due_at: Timestamp) -> StoreResult<()> {
    let job = MockJob {
        job_id: MockJobId::generate(due_at),
        payment_id: payment.payment_id.clone(),
        kind: kind.to_owned(),
        body: body.to_owned(),
        due_at,
    };
    mock::insert_job(conn, &job)
}

/// Tells the mock that a payment is given up. What it answers is what its buyer did before, if he did something.
pub(super) fn cancel_at_mock(conn: &mut Conn, payment: &Payment, now: Timestamp) -> StoreResult<Observation> {
    charge(conn, payment, MockOutcome::Cancel, now)?;
    Ok(fetch(conn, payment)?.unwrap_or(Observation::Pending))
}

/// What the mock says when it is asked about a payment; nothing, if its buyer did nothing.
pub(super) fn fetch(conn: &mut Conn, payment: &Payment) -> StoreResult<Option<Observation>> {
    let charge = mock::charge_of(conn, &payment.payment_id)?;
    Ok(charge.and_then(|charge| webhook(payment, &charge.outcome).observation()))
}

const fn kind_of(outcome: MockOutcome) -> &'static str {
    match outcome {
        MockOutcome::Succeed => "payment.paid",
        MockOutcome::Fail => "payment.declined",
        MockOutcome::Cancel => "payment.abandoned",
        MockOutcome::None => "payment.pending",
    }
}

fn webhook_body(payment: &Payment, kind: &str) -> String {
    render(&webhook(payment, kind))
}

fn webhook(payment: &Payment, kind: &str) -> Webhook {
    let suffix = payment.payment_id.as_str().trim_start_matches("pay_");
    let reason = match kind {
        "payment.declined" => Some(script_of(payment).decline_code.unwrap_or_else(|| "card_declined".to_owned())),
        "payment.abandoned" => Some("the buyer gave up".to_owned()),
        _ => None,
    };
    Webhook {
        id: format!("mev_{suffix}_{kind}"),
        kind: kind.to_owned(),
        payment_id: payment.payment_id.to_string(),
        mode: payment.mode.to_string(),
        amount_minor: payment.amount_minor,
        currency: payment.currency.code().to_owned(),
        transaction: format!("mtx_{suffix}"),
        reason,
    }
}
