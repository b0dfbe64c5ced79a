//! The story of a payment: created, read, listed. Asked for again it is in `coming_back`, given up in `cancelling`, and how
//! it ends is in `settle`; what it is to the invoice or the payment link that it was begun for is in `origins`.

use std::sync::Arc;
use std::time::Duration;

use super::idempotency::{Fresh, replay};
use super::rails::Rail;
use super::routing::Route;
use super::starting::{CALL_LEASE, OUTCOME_UNKNOWN};
use super::views::{PageObject, PaymentObject, render};
use super::{Answer, App, Gateway, Once, origins, settle};
use crate::domain::backoff::{poll_wait, unknown_wait};
use crate::domain::customers::KycStatus;
use crate::domain::drafts::{MockOutcome, MockScript, PaymentDraft};
use crate::domain::ids::{AttemptId, PaymentId};
use crate::domain::origins::Origin;
use crate::domain::payments::{AttemptState, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::mock::{self, Started};
use crate::store::customers::CustomerRow;
use crate::store::payments::{Attempt, Filter, Payment};
use crate::store::requests::{self, Claimed};
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
        self.check_buyer(app, &once, &draft.external_user_id, draft.amount_minor, draft.currency).await?;
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
            kyc_status: KycStatus::None,
        };
        let public_url = self.settings.public_url.clone();
        let invoice_prefix = draft.invoice_prefix;
        Opening { once, payment, attempt, customer, invoice_prefix, origin, begins, public_url }
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

pub(super) fn provider_error(payment: &Payment) -> Fault {
    Fault {
        payment_id: Some(payment.payment_id.to_string()),
        ..Fault::new(Code::ProviderError, "the provider refused the payment")
    }
}

pub(super) fn payment_not_found() -> Fault {
    Fault::new(Code::PaymentNotFound, "payment not found")
}
