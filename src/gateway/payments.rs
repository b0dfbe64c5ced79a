//! The story of a payment: created, read, listed, cancelled. How it ends is in `settle`; what it is to the invoice or the
//! payment link that it was begun for is in `origins`.

use std::sync::Arc;
use std::time::Duration;

use super::idempotency::{Fresh, in_progress, replay};
use super::rails::{Rail, unavailable};
use super::routing::Route;
use super::starting::{CALL_LEASE, OUTCOME_UNKNOWN, prepared};
use super::views::{CustomerObject, PageObject, PaymentObject, render};
use super::{Answer, App, Gateway, Once, origins, settle};
use crate::domain::backoff::{poll_wait, unknown_wait};
use crate::domain::drafts::{MockOutcome, MockScript, PaymentDraft};
use crate::domain::fields::text_fault;
use crate::domain::ids::{AttemptId, PaymentId};
use crate::domain::origins::Origin;
use crate::domain::payments::{AttemptState, Observation, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::mock::{self, Started};
use crate::store::customers::CustomerRow;
use crate::store::payments::{Attempt, Filter, Payment};
use crate::store::requests::{self, Claimed, StoredAnswer};
use crate::store::{Conn, Lane, StoreError, StoreResult, customers, install, payments};

/// How long a payment waits for its buyer.
const PAYMENT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A page of payments, rendered.
pub type PaymentPage = String;

/// A payment that is about to be written, with all that belongs to it.
#[derive(Clone)]
struct Opening {
    once: Once,
    payment: Payment,
    attempt: Attempt,
    customer: CustomerRow,
    invoice_prefix: Option<String>,
    origin: Option<Origin>,
    begins: Begins,
    public_url: String,
}

/// How a payment begins.
#[derive(Clone)]
enum Begins {
    /// At the mock, which needs no call.
    AtMock { script: MockScript, started: Started },
    /// At a provider, which is called once the payment is written.
    OnRail(Arc<Rail>),
}

/// What opening a payment came to.
struct Opened {
    fresh: Fresh,
    payment: Payment,
    attempt: Attempt,
}

/// Why a payment was not opened.
pub(super) enum Unopened {
    /// The request was seen before.
    Seen(Claimed),
    /// Another payment stands for the same.
    Standing(Box<Payment>),
    /// What it was to pay for takes no payments.
    Closed(Fault),
}

impl Gateway {
    /// Creates a payment: route, write, start, write, answer.
    ///
    /// A mock's start needs no call, so claim, payment, attempt and answer are one write. A provider's needs one: the
    /// payment is written before it, answered 202 for as long as its outcome is unknown, and finished after it.
    ///
    /// # Errors
    /// The 400s, 409s and 422s of the documentation; 403 where the tenant may take no payments; 502 and 503 of the provider; 503 when the database cannot take it.
    pub async fn create_payment(self: &Arc<Self>, app: &Arc<App>, once: Once, body: &[u8]) -> Outcome<Answer> {
        self.check_takes_payments(app, &once).await?;
        let draft = PaymentDraft::parse(body, app.mode).map_err(Fault::from);
        let (draft, route) = match draft.and_then(|draft| Ok((self.route(app, &draft)?, draft))) {
            Ok((route, draft)) => (draft, route),
            Err(fault) => return Err(self.conflict_or(once, fault).await),
        };
        self.begin(app, once, draft, route, None).await
    }

    /// The same for a buyer who pays an invoice, or by a payment link. The payment that stands for the same already is
    /// answered as it is.
    ///
    /// # Errors
    /// As for [`Gateway::create_payment`], and what stands against one more payment of the invoice or the link.
    pub(super) async fn create_payment_for(
        self: &Arc<Self>,
        app: &Arc<App>,
        once: Once,
        draft: PaymentDraft,
        origin: Origin,
    ) -> Outcome<Answer> {
        self.check_takes_payments(app, &once).await?;
        let route = self.route(app, &draft)?;
        self.begin(app, once, draft, route, Some(origin)).await
    }

    async fn begin(
        self: &Arc<Self>,
        app: &Arc<App>,
        once: Once,
        draft: PaymentDraft,
        route: Route,
        origin: Option<Origin>,
    ) -> Outcome<Answer> {
        let fallback = route.fallback.clone();
        let rail = route.rail.clone();
        let opening = self.opening(app, once, draft, route, origin);
        let lane = opening.lane();
        let has_job = opening.has_job();
        let now = opening.payment.created_at;
        let once = opening.once.clone();

        let opened = self.write(Lane::Of(&lane), move |conn| open_payment(conn, &opening, now)).await?;

        let Opened { fresh, payment, attempt } = match opened {
            Ok(opened) => opened,
            Err(Unopened::Seen(Claimed::Seen(stored))) if stored.status_code == Some(requests::FREED) => {
                let payment_id =
                    stored.payment_id.as_deref().and_then(PaymentId::parse).ok_or_else(payment_not_found)?;
                return self.continue_payment(app, payment_id, Some(stored.request_id), once).await;
            }
            Err(Unopened::Seen(Claimed::Seen(stored))) if stored.status_code == Some(202) => {
                return self.follow_provisional(app, stored, once.request_id).await;
            }
            Err(Unopened::Seen(seen)) => return replay(seen),
            Err(Unopened::Standing(payment)) => return self.go_on_with(app, *payment, once).await,
            Err(Unopened::Closed(fault)) => return Err(fault),
        };
        metrics::counter!("switchyard_payments_created_total", "mode" => app.mode.as_str()).increment(1);
        tracing::Span::current().record("payment", tracing::field::display(&payment.payment_id));
        tracing::debug!(mode = %app.mode, app = %app.app_id, payment = %payment.payment_id, "payment created");
        if let Some(rail) = rail {
            return self.start_and_answer(rail, payment, attempt, once.claim, once.request_id).await;
        }
        if has_job {
            self.mock_jobs_wanted.notify_one();
        }
        if fresh.status != 201 {
            self.deliveries_wanted.notify_one();
        }
        if let Some(fallback) = fallback {
            self.count_fallback(&fallback.wanted, app.mode);
            tracing::warn!(mode = %app.mode, app = %app.app_id, payment = %payment.payment_id, wanted = fallback.wanted,
                reason = fallback.reason, "payment falls back to the mock");
        }
        Ok(Answer { status: fresh.status, body: fresh.body, is_replay: false })
    }

    /// A buyer comes back to a payment that stands: it is shown as it is, or tried once more if its call never left.
    async fn go_on_with(self: &Arc<Self>, app: &App, payment: Payment, once: Once) -> Outcome<Answer> {
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
    async fn continue_payment(
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

    fn opening(&self, app: &App, once: Once, draft: PaymentDraft, route: Route, origin: Option<Origin>) -> Opening {
        let now = self.clock.now();
        let begins = match route.rail {
            Some(rail) => Begins::OnRail(rail),
            None => {
                let script = draft.mock.clone().unwrap_or_default();
                Begins::AtMock { started: mock::start(&script), script }
            }
        };
        let payment_id = PaymentId::generate(now);
        let attempt_id = AttemptId::generate(now);
        let mock_ref = format!("mock_{}", &attempt_id.as_str()[4..]);
        let unknown = OUTCOME_UNKNOWN.to_owned();
        let (status, state, provider_ref, last_error) = match &begins {
            Begins::OnRail(_) => (PaymentStatus::Initiated, AttemptState::Prepared, None, unknown),
            Begins::AtMock { started: Started::Waiting, .. } => {
                (PaymentStatus::Initiated, AttemptState::Started, Some(mock_ref), String::new())
            }
            Begins::AtMock { started: Started::Refused(reason), .. } => {
                (PaymentStatus::Failed, AttemptState::Refused, None, (*reason).to_owned())
            }
            Begins::AtMock { started: Started::Unknown { .. }, .. } => {
                (PaymentStatus::Initiated, AttemptState::Unknown, None, unknown)
            }
        };
        let first_poll = match state {
            AttemptState::Prepared => Some(now.plus(CALL_LEASE)),
            AttemptState::Unknown => Some(now.plus(unknown_wait(0))),
            AttemptState::Refused => None,
            AttemptState::Started => Some(now.plus(poll_wait(0))),
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
            origin: origin.as_ref().map(|origin| origin.as_str().to_owned()),
            payment_id,
        };
        let attempt = Attempt {
            attempt_id,
            payment_id: payment.payment_id.clone(),
            provider: payment.provider.clone(),
            mode: app.mode,
            state,
            provider_ref,
            error: (!last_error.is_empty() && state != AttemptState::Prepared).then_some(last_error),
            created_at: now,
            answered_at: matches!(state, AttemptState::Started | AttemptState::Refused).then_some(now),
            account_id: match &begins {
                Begins::OnRail(rail) => rail.account_id().cloned(),
                Begins::AtMock { .. } => None,
            },
            reference: String::new(),
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
        let invoice_prefix = draft.invoice_prefix;
        Opening { once, payment, attempt, customer, invoice_prefix, origin, begins, public_url }
    }

    /// The answer to a replay of a request that was answered 202: still that while the outcome is unknown, then the
    /// final one, which from then on stays the same.
    async fn follow_provisional(&self, app: &App, first: StoredAnswer, request_id: String) -> Outcome<Answer> {
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
    /// 404; 422 when it has ended otherwise; 503 when its provider cannot be asked, and nothing has changed.
    pub async fn cancel_payment(&self, app: &App, once: Once, payment_id: &str) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let public_url = self.settings.public_url.clone();
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let told = self.give_up_at_provider(app, &wanted).await?;
        let answer = self
            .once(once, payment_id, move |conn, now| {
                let payment = payments::lock(conn, &wanted)?.filter(|payment| payment.app_id == app_id);
                let Some(mut payment) = payment else { return Ok(Err(payment_not_found())) };
                give_up(conn, &mut payment, told.as_deref(), now)?;
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

    /// Tells a payment's provider that it is given up, and hears what has become of it; `None` for the mock, which is
    /// told in the transaction that cancels.
    pub(super) async fn give_up_at_provider(
        &self,
        app: &App,
        payment_id: &PaymentId,
    ) -> Outcome<Option<Vec<Observation>>> {
        let (app_id, wanted) = (app.app_id.clone(), payment_id.clone());
        let found = self
            .read(move |conn| {
                let Some(payment) = payments::find(conn, &app_id, &wanted)? else { return Ok(None) };
                let attempts = payments::attempts_of(conn, &wanted)?;
                Ok(Some((payment, attempts)))
            })
            .await?;
        let (payment, attempts) = found.ok_or_else(payment_not_found)?;
        let Some(last) = attempts.last() else { return Ok(None) };
        if payment.provider == mock::DRIVER.name || payment.status != PaymentStatus::Initiated {
            return Ok(None);
        }
        match last.state {
            // Nothing ever reached the provider.
            AttemptState::Refused => Ok(Some(Vec::new())),
            AttemptState::Prepared | AttemptState::Unknown => Err(Fault::retry_after(
                Code::ProviderUnavailable,
                "the payment's outcome is unknown and is being looked up; cancel it when it is known",
                CALL_LEASE,
            )),
            AttemptState::Started => {
                let rail = self.rail_of(last)?;
                match self.cancel_or_look(&rail, &payment, last).await {
                    Ok(observations) => Ok(Some(observations)),
                    Err(failure) => {
                        let detail = "the provider could not be asked whether the payment is paid; nothing has changed";
                        Err(Fault { detail: detail.to_owned(), ..unavailable(&failure) })
                    }
                }
            }
        }
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
    /// Payments of one buyer are written one after the other, and so are those for one invoice or by one link.
    fn lane(&self) -> String {
        match &self.origin {
            Some(origin) => origin.as_str().to_owned(),
            None => format!("{}{}", self.payment.app_id, self.payment.external_user_id),
        }
    }

    /// Whether the mock is to do something without anyone at its checkout page.
    fn has_job(&self) -> bool {
        matches!(&self.begins, Begins::AtMock { started: Started::Waiting, script } if script.outcome != MockOutcome::None)
    }
}

/// Writes a payment with all that belongs to it, or answers what the same request was answered before.
fn open_payment(conn: &mut Conn, opening: &Opening, now: Timestamp) -> StoreResult<Result<Opened, Unopened>> {
    let mut payment = opening.payment.clone();
    if let Some(origin) = &opening.origin {
        match requests::look_up(conn, &opening.once.claim, now)? {
            Claimed::New => {}
            seen => return Ok(Err(Unopened::Seen(seen))),
        }
        if let Err(unopened) = origins::make_room(conn, origin, &mut payment, now)? {
            // The first of two clicks may have taken the room while this one waited for it.
            return Ok(Err(match requests::look_up(conn, &opening.once.claim, now)? {
                Claimed::New => unopened,
                seen => Unopened::Seen(seen),
            }));
        }
    }
    if let Some(prefix) = &opening.invoice_prefix {
        // A replay must not use up a number of the sequence.
        match requests::look_up(conn, &opening.once.claim, now)? {
            Claimed::New => {}
            seen => return Ok(Err(Unopened::Seen(seen))),
        }
        payment.invoice_number = format!("{prefix}-{:06}", install::next_invoice_number(conn)?);
    }
    let mut attempt = opening.attempt.clone();
    let (status, body) = match &opening.begins {
        Begins::OnRail(_) => {
            attempt.reference = super::starting::reference(&payment.invoice_number, 1);
            (202, render(&PaymentObject::new(&payment, &opening.public_url)))
        }
        Begins::AtMock { started: Started::Waiting, .. } => {
            (201, render(&PaymentObject::new(&payment, &opening.public_url)))
        }
        Begins::AtMock { started: Started::Unknown { .. }, .. } => {
            (202, render(&PaymentObject::new(&payment, &opening.public_url)))
        }
        Begins::AtMock { started: Started::Refused(_), .. } => {
            (502, crate::error::problem_body(&provider_error(&payment), &opening.once.request_id))
        }
    };
    let payment_id = payment.payment_id.to_string();
    match requests::claim(conn, &opening.once.claim, status, &body, Some(&payment_id), now)? {
        Claimed::New => {}
        // Room was made for nothing: undo it, look again.
        _ if opening.origin.is_some() => return Err(StoreError::Raced),
        seen => return Ok(Err(Unopened::Seen(seen))),
    }
    opening.once.record(conn, now)?;
    customers::upsert(conn, &opening.customer)?;
    payments::insert(conn, &payment, &attempt)?;
    if let Begins::AtMock { script, started } = &opening.begins {
        match started {
            Started::Refused(_) => settle::announce(conn, &payment, "payment.failed", now)?,
            Started::Unknown { charged: true } => super::mock::charge_silently(conn, &payment, now)?,
            Started::Waiting if opening.has_job() => super::mock::plan_outcome(conn, &payment, script, now)?,
            Started::Unknown { charged: false } | Started::Waiting => {}
        }
    }
    let fresh = Fresh { status, body, payment_id: Some(payment_id) };
    Ok(Ok(Opened { fresh, payment, attempt }))
}

/// Gives up a payment that is locked, unless what its provider told means otherwise. Nothing was told by the mock, which
/// is told here.
pub(super) fn give_up(
    conn: &mut Conn,
    payment: &mut Payment,
    told: Option<&[Observation]>,
    now: Timestamp,
) -> StoreResult<()> {
    if payment.status != PaymentStatus::Initiated {
        return Ok(());
    }
    let last = match told {
        Some(observations) => {
            settle::settle_all(conn, payment, observations, now)?;
            Observation::Canceled { reason: "canceled by the product".to_owned() }
        }
        None => super::mock::cancel_at_mock(conn, payment, now)?,
    };
    settle::settle(conn, payment, &last, now).map(drop)
}

pub(super) fn provider_error(payment: &Payment) -> Fault {
    Fault {
        payment_id: Some(payment.payment_id.to_string()),
        ..Fault::new(Code::ProviderError, "the provider refused the payment")
    }
}

pub(super) fn payment_not_found() -> Fault {
    Fault::new(Code::PaymentNotFound, "payment not found")
}
