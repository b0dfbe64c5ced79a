//! The story of a payment: created, read, listed, cancelled. How it ends is in `settle`.

use std::sync::Arc;
use std::time::Duration;

use super::idempotency::{Fresh, replay};
use super::routing::Route;
use super::views::{CustomerObject, PageObject, PaymentObject, render};
use super::{Answer, App, Gateway, Once, settle};
use crate::domain::backoff::{poll_wait, unknown_wait};
use crate::domain::drafts::{MockOutcome, PaymentDraft};
use crate::domain::fields::text_fault;
use crate::domain::ids::{AttemptId, PaymentId};
use crate::domain::payments::{AttemptState, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::mock::{self, Started};
use crate::store::customers::CustomerRow;
use crate::store::payments::{Attempt, Filter, Payment};
use crate::store::requests::{self, Claimed, StoredAnswer};
use crate::store::{Conn, Lane, StoreResult, customers, install, payments};

/// How long a payment waits for its buyer.
const PAYMENT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A page of payments, rendered.
pub type PaymentPage = String;

/// A payment that is about to be written, with all that belongs to it.
struct Opening {
    once: Once,
    payment: Payment,
    attempt: Attempt,
    customer: CustomerRow,
    invoice_prefix: Option<String>,
    script: crate::domain::drafts::MockScript,
    started: Started,
    public_url: String,
}

impl Gateway {
    /// Creates a payment: route, start, write, answer.
    ///
    /// A mock's start needs no call, so claim, payment, attempt and answer are one write.
    ///
    /// # Errors
    /// The 400s, 409s and 422s of the documentation; 503 when the database cannot take it.
    pub async fn create_payment(&self, app: &Arc<App>, once: Once, body: &[u8]) -> Outcome<Answer> {
        let draft = PaymentDraft::parse(body, app.mode).map_err(Fault::from);
        let (draft, route) = match draft.and_then(|draft| Ok((self.route(app, &draft)?, draft))) {
            Ok((route, draft)) => (draft, route),
            Err(fault) => return Err(self.conflict_or(once, fault).await),
        };
        let fallback = route.fallback.clone();
        let opening = self.opening(app, once, draft, route);
        let payment_id = opening.payment.payment_id.clone();
        let lane = format!("{}{}", opening.payment.app_id, opening.payment.external_user_id);
        let has_job = opening.has_job();
        let now = opening.payment.created_at;
        let request_id = opening.once.request_id.clone();

        let claimed = self.write(Lane::Of(&lane), move |conn| open_payment(conn, &opening, now)).await?;

        let answer = match claimed {
            Ok(fresh) => Answer { status: fresh.status, body: fresh.body, is_replay: false },
            Err(Claimed::Seen(stored)) if stored.status_code == Some(202) => {
                return self.follow_provisional(app, stored, request_id).await;
            }
            Err(seen) => return replay(seen),
        };
        if has_job {
            self.mock_jobs_wanted.notify_one();
        }
        if answer.status != 201 {
            self.deliveries_wanted.notify_one();
        }
        if let Some(fallback) = fallback {
            self.count_fallback(&fallback.wanted, app.mode);
            tracing::warn!(mode = %app.mode, app = %app.app_id, payment = %payment_id, wanted = fallback.wanted,
                reason = fallback.reason, "payment falls back to the mock");
        }
        metrics::counter!("switchyard_payments_created_total", "mode" => app.mode.as_str()).increment(1);
        tracing::debug!(mode = %app.mode, app = %app.app_id, payment = %payment_id, "payment created");
        Ok(answer)
    }

    fn opening(&self, app: &App, once: Once, draft: PaymentDraft, route: Route) -> Opening {
        let now = self.clock.now();
        let script = draft.mock.clone().unwrap_or_default();
        let started = mock::start(&script);
        let payment_id = PaymentId::generate(now);
        let attempt_id = AttemptId::generate(now);
        let mock_ref = format!("mock_{}", &attempt_id.as_str()[4..]);
        let (status, state, provider_ref, last_error) = match &started {
            Started::Waiting => (PaymentStatus::Initiated, AttemptState::Started, Some(mock_ref), String::new()),
            Started::Refused(reason) => (PaymentStatus::Failed, AttemptState::Refused, None, (*reason).to_owned()),
            Started::Unknown { .. } => {
                let text = "the provider did not answer; the outcome is unknown and is being looked up".to_owned();
                (PaymentStatus::Initiated, AttemptState::Unknown, None, text)
            }
        };
        let first_poll = match state {
            AttemptState::Unknown => Some(now.plus(unknown_wait(0))),
            AttemptState::Refused => None,
            _ => Some(now.plus(poll_wait(0))),
        };
        let buyer_name = draft.buyer.as_ref().and_then(|buyer| buyer.name.clone());
        let payment = Payment {
            app_id: app.app_id.clone(),
            mode: app.mode,
            status,
            amount_minor: draft.amount_minor,
            paid_minor: 0,
            refunded_minor: 0,
            currency: draft.currency,
            method: draft.method,
            provider: route.provider.name.to_owned(),
            provider_ref: provider_ref.clone(),
            fallback_wanted: route.fallback.as_ref().map(|fallback| fallback.wanted.clone()),
            fallback_reason: route.fallback.map(|fallback| fallback.reason),
            provider_checkout_url: None,
            instructions: None,
            invoice_number: payment_id.to_string(),
            external_user_id: draft.external_user_id.clone(),
            email: draft.email.clone(),
            description: draft.description,
            metadata: draft.metadata,
            buyer: draft.buyer.as_ref().map(render),
            mock: draft.mock.as_ref().map(render),
            last_error: last_error.clone(),
            return_url: draft.return_url,
            expires_at: now.plus(PAYMENT_LIFETIME),
            poll_at: first_poll,
            polls: 0,
            needs_attention: false,
            created_at: now,
            updated_at: now,
            payment_id,
        };
        let attempt = Attempt {
            attempt_id,
            payment_id: payment.payment_id.clone(),
            provider: payment.provider.clone(),
            mode: app.mode,
            state,
            provider_ref,
            error: (!last_error.is_empty()).then_some(last_error),
            created_at: now,
            answered_at: (state != AttemptState::Unknown).then_some(now),
        };
        let customer = CustomerRow {
            app_id: app.app_id.clone(),
            external_user_id: draft.external_user_id,
            email: draft.email,
            name: buyer_name,
            created_at: now,
            updated_at: now,
        };
        let public_url = self.settings.public_url.clone();
        Opening { once, payment, attempt, customer, invoice_prefix: draft.invoice_prefix, script, started, public_url }
    }

    /// The answer to a replay of a request that was answered 202: still that while the outcome is unknown, then the
    /// final one, which from then on stays the same.
    async fn follow_provisional(&self, app: &App, first: StoredAnswer, request_id: String) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let public_url = self.settings.public_url.clone();
        let payment_id = first.payment_id.as_deref().and_then(PaymentId::parse).ok_or_else(payment_not_found)?;
        let lane = payment_id.clone();
        self.write(Lane::Of(lane.as_str()), move |conn| {
            let payment = payments::find(conn, &app_id, &payment_id)?;
            let Some(payment) = payment else {
                return Ok(Err(Fault::new(Code::PaymentNotFound, "payment not found")));
            };
            let attempts = payments::attempts_of(conn, &payment.payment_id)?;
            let is_unknown = attempts.iter().any(|attempt| attempt.state == AttemptState::Unknown);
            if is_unknown {
                let body = first.answer.clone().unwrap_or_default();
                return Ok(Ok(Answer { status: 202, body, is_replay: true }));
            }
            let (status, body) = if payment.status == PaymentStatus::Failed {
                let fault = provider_error(&payment);
                (fault.code.status(), crate::error::problem_body(&fault, &request_id))
            } else {
                (201, render(&PaymentObject::new(&payment, &public_url)))
            };
            requests::set_answer(conn, first.request_id, status, &body)?;
            Ok(Ok(Answer { status, body, is_replay: true }))
        })
        .await?
    }

    /// An app's payment, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn payment(&self, app: &App, payment_id: &str) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let found = self.read(move |conn| payments::find(conn, &app_id, &wanted)).await?;
        let payment = found.ok_or_else(payment_not_found)?;
        Ok(render(&PaymentObject::new(&payment, &self.settings.public_url)))
    }

    /// A page of an app's payments, newest first, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_payments(
        &self,
        app: &App,
        filter: Filter,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<PaymentPage> {
        let app_id = app.app_id.clone();
        let page = self.read(move |conn| payments::list(conn, &app_id, &filter, cursor.as_deref(), limit)).await?;
        let public_url = &self.settings.public_url;
        let data = page.items.iter().map(|payment| PaymentObject::new(payment, public_url)).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }

    /// Cancels a payment, unless its provider says that it is paid.
    ///
    /// # Errors
    /// 404; 422 when it has ended otherwise.
    pub async fn cancel_payment(&self, app: &App, once: Once, payment_id: &str) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let public_url = self.settings.public_url.clone();
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let answer = self
            .once(once, payment_id, move |conn, now| {
                let payment = payments::lock(conn, &wanted)?.filter(|payment| payment.app_id == app_id);
                let Some(mut payment) = payment else { return Ok(Err(payment_not_found())) };
                if payment.status == PaymentStatus::Initiated {
                    let observation = super::mock::cancel_at_mock(conn, &payment, now)?;
                    settle::settle(conn, &mut payment, &observation, now)?;
                }
                if payment.status != PaymentStatus::Canceled {
                    let detail = format!("payment cannot be canceled (it is '{}')", payment.status.as_str());
                    return Ok(Err(Fault::new(Code::NotCancelable, detail)));
                }
                let body = render(&PaymentObject::new(&payment, &public_url));
                Ok(Ok(Fresh { status: 200, body, payment_id: Some(payment.payment_id.to_string()) }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// A buyer of an app, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn customer(&self, app: &App, external_user_id: &str) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let not_found = || Fault::new(Code::CustomerNotFound, "customer not found");
        if text_fault(external_user_id, 1, 128).is_some() {
            return Err(not_found());
        }
        let wanted = external_user_id.to_owned();
        let found = self.read(move |conn| customers::find(conn, &app_id, &wanted)).await?;
        let customer = found.ok_or_else(not_found)?;
        Ok(render(&CustomerObject::new(customer, app.mode)))
    }

    /// A page of an app's buyers in the order of their ids, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_customers(&self, app: &App, cursor: Option<String>, limit: usize) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let page = self.read(move |conn| customers::list(conn, &app_id, cursor.as_deref(), limit)).await?;
        let data = page.items.into_iter().map(|customer| CustomerObject::new(customer, app.mode)).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }
}

impl Opening {
    /// Whether the mock is to do something without anyone at its checkout page.
    fn has_job(&self) -> bool {
        self.started == Started::Waiting && self.script.outcome != MockOutcome::None
    }
}

/// Writes a payment with all that belongs to it, or answers what the same request was answered before.
fn open_payment(conn: &mut Conn, opening: &Opening, now: Timestamp) -> StoreResult<Result<Fresh, Claimed>> {
    let mut payment = opening.payment.clone();
    if let Some(prefix) = &opening.invoice_prefix {
        // A replay must not use up a number of the sequence.
        match requests::look_up(conn, &opening.once.claim, now)? {
            Claimed::New => {}
            seen => return Ok(Err(seen)),
        }
        payment.invoice_number = format!("{prefix}-{:06}", install::next_invoice_number(conn)?);
    }
    let (status, body) = match &opening.started {
        Started::Waiting => (201, render(&PaymentObject::new(&payment, &opening.public_url))),
        Started::Unknown { .. } => (202, render(&PaymentObject::new(&payment, &opening.public_url))),
        Started::Refused(_) => (502, crate::error::problem_body(&provider_error(&payment), &opening.once.request_id)),
    };
    let payment_id = payment.payment_id.to_string();
    match requests::claim(conn, &opening.once.claim, status, &body, Some(&payment_id), now)? {
        Claimed::New => {}
        seen => return Ok(Err(seen)),
    }
    customers::upsert(conn, &opening.customer)?;
    payments::insert(conn, &payment, &opening.attempt)?;
    match &opening.started {
        Started::Refused(_) => settle::announce(conn, &payment, "payment.failed", now)?,
        Started::Unknown { charged: true } => super::mock::charge_silently(conn, &payment, now)?,
        Started::Unknown { charged: false } => {}
        Started::Waiting if opening.has_job() => super::mock::plan_outcome(conn, &payment, &opening.script, now)?,
        Started::Waiting => {}
    }
    Ok(Ok(Fresh { status, body, payment_id: Some(payment_id) }))
}

fn provider_error(payment: &Payment) -> Fault {
    Fault {
        payment_id: Some(payment.payment_id.to_string()),
        ..Fault::new(Code::ProviderError, "the provider refused the payment")
    }
}

pub(super) fn payment_not_found() -> Fault {
    Fault::new(Code::PaymentNotFound, "payment not found")
}
