//! Webhooks that come in: verified, archived, and applied in the transaction that settles the payment. What has to be
//! confirmed, and what speaks of a payment that is not there yet, is kept and looked at again in `confirming`.

use std::net::IpAddr;
use std::time::Duration;

use super::settle::Settled;
use super::{Gateway, settle, subscriptions};
use crate::domain::ids::{AccountId, InboxId, PaymentId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::{self, About, Driver, News, WebhookReading};
use crate::store::inbox::InboxRow;
use crate::store::payments::{Attempt, Payment};
use crate::store::{Conn, Lane, StoreResult, inbox, payments};

/// How long a webhook waits until its payment is looked for again.
const LOOK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// What became of a webhook that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changed something, or says what is known.
    Applied,
    /// The same message was applied before.
    AlreadyApplied,
    /// The provider is asked whether it is true.
    Kept,
    /// It does not fit the payment; people are told.
    Quarantined,
    /// It is about nothing of ours.
    Ignored,
    /// It names a payment of ours that is not there.
    UnknownPayment,
}

impl Verdict {
    /// As it is answered and stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::AlreadyApplied => "already_applied",
            Self::Kept => "kept",
            Self::Quarantined => "quarantined",
            Self::Ignored => "ignored",
            Self::UnknownPayment => "unknown_payment",
        }
    }
}

/// Where a webhook was sent, and as what it came.
#[derive(Debug)]
pub struct Posted {
    /// The provider in the path.
    pub provider: String,
    /// The mode in the path; without one, the signature decides.
    pub mode: Option<Mode>,
    /// The tenant's own account in the path.
    pub account_id: Option<String>,
    /// By lower-case name.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Vec<u8>,
    /// Who sent it, as far as the network tells.
    pub peer: Option<IpAddr>,
}

/// A verified message with whose it is.
struct Message {
    driver: &'static Driver,
    mode: Mode,
    account_id: Option<AccountId>,
    news: News,
}

impl Gateway {
    /// Takes a provider's webhook.
    ///
    /// # Errors
    /// 401 for a signature that does not verify, 400 for what cannot be read, 404 for a payment id of ours that is not
    /// there, 503 when it could not be stored or verified now.
    pub async fn receive_webhook(&self, posted: Posted) -> Outcome<Verdict> {
        let not_found = || Fault::new(Code::NotFound, "there is no such webhook");
        let driver = Driver::named(&posted.provider).ok_or_else(not_found)?;
        if posted.mode.is_some_and(|mode| !driver.modes.contains(&mode) || !self.settings.modes.contains(&mode)) {
            return Err(not_found());
        }
        let read = match driver.connect {
            None => self.read_mock_webhook(driver, &posted),
            Some(_) => self.read_provider_webhook(driver, &posted).await,
        };
        match read {
            Ok(message) => self.apply_webhook(message, &posted).await,
            Err(fault) if fault.code == Code::ServiceUnavailable => Err(fault),
            Err(fault) => {
                self.keep_rejected(driver, &posted, fault.code).await?;
                Err(fault)
            }
        }
    }

    /// The mock signs with a key of the install's own, and names the mode within what it signs.
    fn read_mock_webhook(&self, driver: &'static Driver, posted: &Posted) -> Outcome<Message> {
        let bad_signature = || Fault::new(Code::BadSignature, "bad signature");
        if posted.account_id.is_some() || !psp::mock::verify(&self.mock_key, &posted.headers, &posted.body) {
            return Err(bad_signature());
        }
        let unreadable = || Fault::invalid("body", "is not a webhook of this provider");
        let webhook: psp::mock::Webhook = serde_json::from_slice(&posted.body).map_err(|_| unreadable())?;
        let mode = Mode::parse(&webhook.mode).ok_or_else(unreadable)?;
        if posted.mode.is_some_and(|addressed| addressed != mode) {
            return Err(bad_signature());
        }
        Ok(Message { driver, mode, account_id: None, news: webhook.news() })
    }

    /// Every account that the address can mean tries its key; without credentials there is none, and no signature fits.
    async fn read_provider_webhook(&self, driver: &'static Driver, posted: &Posted) -> Outcome<Message> {
        let now = self.clock.now();
        let mut fault = Fault::new(Code::BadSignature, "bad signature");
        for rail in self.rails.of_webhook(driver, posted.mode, posted.account_id.as_deref()) {
            match rail.psp.read_webhook(&posted.headers, &posted.body, now).await {
                Ok(WebhookReading::News(news)) => {
                    let account_id = rail.account_id().cloned();
                    return Ok(Message { driver, mode: rail.mode, account_id, news: *news });
                }
                Ok(WebhookReading::Unreadable(reason)) => return Err(Fault::invalid("body", &reason)),
                Ok(WebhookReading::NotSigned) => {}
                Err(failure) => {
                    let wait = Duration::from_secs(5);
                    let detail = format!("the signature cannot be verified now ({})", failure.class());
                    fault = Fault::retry_after(Code::ServiceUnavailable, detail, wait);
                }
            }
        }
        Err(fault)
    }

    async fn apply_webhook(&self, message: Message, posted: &Posted) -> Outcome<Verdict> {
        let now = self.clock.now();
        let Message { driver, mode, account_id, news } = message;
        let row = InboxRow {
            inbox_id: InboxId::generate(now),
            provider: driver.name.to_owned(),
            mode,
            // An event's id is its account's own: another account's message must not count as the same one.
            provider_event: match &account_id {
                Some(account_id) => format!("{account_id}/{}", news.event_id),
                None => news.event_id.clone(),
            },
            verdict: Verdict::Applied.as_str().to_owned(),
            payment_id: news.about.payment_id.as_deref().and_then(PaymentId::parse),
            detail: news.kind.clone(),
            headers: archived(&posted.headers),
            body: psp::scrub::scrubbed(driver, &posted.body),
            received_at: now,
            account_id,
            attempt_id: None,
            due_at: None,
            tries: 0,
        };
        let lane = news.about.payment_id.clone().or_else(|| news.about.provider_ref.clone()).unwrap_or_default();
        let verdict = self.write(Lane::Of(&lane), move |conn| apply(conn, row.clone(), &news, now)).await?;
        metrics::counter!("switchyard_webhooks_total", "provider" => driver.name, "verdict" => verdict.as_str())
            .increment(1);
        // Looking for deliveries is a write; those that wrote no event ask for none.
        if !matches!(verdict, Verdict::AlreadyApplied | Verdict::Ignored | Verdict::UnknownPayment) {
            self.deliveries_wanted.notify_one();
        }
        match verdict {
            Verdict::UnknownPayment => Err(Fault::new(Code::UnknownPayment, "unknown payment")),
            Verdict::Kept => {
                self.confirmations_wanted.notify_one();
                Ok(verdict)
            }
            _ => Ok(verdict),
        }
    }

    async fn keep_rejected(&self, driver: &'static Driver, posted: &Posted, code: Code) -> Outcome<()> {
        metrics::counter!("switchyard_webhooks_total", "provider" => driver.name, "verdict" => "rejected").increment(1);
        let now = self.clock.now();
        if !self.rejections.take_room(posted.peer, now) {
            return Ok(());
        }
        let row = InboxRow {
            inbox_id: InboxId::generate(now),
            provider: driver.name.to_owned(),
            mode: posted.mode.unwrap_or(Mode::Test),
            provider_event: String::new(),
            verdict: "rejected".to_owned(),
            payment_id: None,
            detail: code.name().to_owned(),
            headers: archived(&posted.headers),
            body: psp::scrub::scrubbed(driver, &posted.body),
            received_at: now,
            account_id: None,
            attempt_id: None,
            due_at: None,
            tries: 0,
        };
        self.write(Lane::Any, move |conn| inbox::insert(conn, &row)).await
    }

    /// Forgets rejected webhooks that are old or too many.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub(super) async fn prune_inbox(&self, before: Timestamp) -> Outcome<usize> {
        self.write(Lane::Any, move |conn| inbox::prune_rejected(conn, before, 10_000, 1_000)).await
    }
}

/// Which payment of ours a message is about.
enum Found {
    /// This one, by this attempt.
    Payment(Box<Payment>, Option<Attempt>),
    /// A payment that the message does not fit.
    Misfit(Box<Payment>, &'static str),
    /// It names one that is not there.
    Missing,
    /// Nothing of ours.
    Nothing,
}

/// Applies verified news to its payment, and archives the message with what became of it.
fn apply(conn: &mut Conn, mut row: InboxRow, news: &News, now: Timestamp) -> StoreResult<Verdict> {
    if inbox::is_applied(conn, &row.provider, row.mode, &row.provider_event)? {
        return Ok(Verdict::AlreadyApplied);
    }
    let verdict = match find(conn, &row, &news.about)? {
        Found::Nothing => Verdict::Ignored,
        Found::Missing => {
            row.due_at = Some(now.plus(LOOK_AGAIN_AFTER));
            Verdict::UnknownPayment
        }
        Found::Misfit(mut payment, reason) => {
            row.payment_id = Some(payment.payment_id.clone());
            row.detail = reason.to_owned();
            settle::quarantine(conn, &mut payment, reason, now)?;
            Verdict::Quarantined
        }
        Found::Payment(mut payment, attempt) => {
            row.payment_id = Some(payment.payment_id.clone());
            row.attempt_id = attempt.as_ref().map(|attempt| attempt.attempt_id.clone());
            if let (Some(attempt), Some(provider_ref)) = (attempt, &news.about.provider_ref) {
                learn(conn, &mut payment, attempt, provider_ref)?;
            }
            apply_to(conn, &mut row, &mut payment, news, now)?
        }
    };
    row.verdict = verdict.as_str().to_owned();
    inbox::insert(conn, &row)?;
    Ok(verdict)
}

fn apply_to(
    conn: &mut Conn,
    row: &mut InboxRow,
    payment: &mut Payment,
    news: &News,
    now: Timestamp,
) -> StoreResult<Verdict> {
    if news.must_confirm {
        row.due_at = Some(now);
        return Ok(Verdict::Kept);
    }
    if news.observations.is_empty() && news.subscription.is_none() {
        return Ok(Verdict::Ignored);
    }
    let settled = settle::settle_all(conn, payment, &news.observations, now)?;
    if let Some(subscription) = &news.subscription {
        subscriptions::observe(conn, payment, row.account_id.as_ref(), subscription, now)?;
    }
    match settled {
        Settled::Done => Ok(Verdict::Applied),
        Settled::Quarantined(reason) => {
            row.detail = reason;
            Ok(Verdict::Quarantined)
        }
        Settled::TooEarly => {
            row.due_at = Some(now);
            Ok(Verdict::Kept)
        }
    }
}

/// Finds the one payment that all of a message's names lead to, and checks that it was sent over the account that
/// verified the message.
fn find(conn: &mut Conn, row: &InboxRow, about: &About) -> StoreResult<Found> {
    let provider = row.provider.as_str();
    let named = about.payment_id.as_deref().and_then(PaymentId::parse);
    let mut by_ref = match &about.provider_ref {
        Some(provider_ref) => payments::attempts_by_provider_ref(conn, provider, provider_ref)?,
        None => Vec::new(),
    };
    // Both names of one attempt need no second look.
    if let Some(reference) = &about.reference
        && by_ref.iter().all(|attempt| attempt.reference != *reference)
    {
        by_ref.extend(payments::attempts_by_reference(conn, provider, reference)?);
    }
    // A provider's ids are its own within one account: another account may have the same.
    let is_of_account = |attempt: &Attempt| attempt.mode == row.mode && attempt.account_id == row.account_id;
    if by_ref.iter().any(is_of_account) {
        by_ref.retain(is_of_account);
    }
    let mut payment_ids: Vec<PaymentId> = by_ref.iter().map(|attempt| attempt.payment_id.clone()).collect();
    payment_ids.extend(named.clone());
    if let Some(transaction) = &about.transaction {
        payment_ids.extend(payments::paid_by(conn, transaction)?);
    }
    if let Some(subscription_ref) = &about.subscription_ref {
        let known = crate::store::subscriptions::by_provider_ref(conn, provider, row.mode, subscription_ref)?;
        payment_ids.extend(known.map(|subscription| subscription.payment_id));
    }
    let Some(first) = payment_ids.first().cloned() else { return Ok(Found::Nothing) };
    let Some(payment) = payments::lock(conn, &first)? else { return Ok(Found::Missing) };
    let payment = Box::new(payment);
    if payment_ids.iter().any(|payment_id| *payment_id != first) {
        return Ok(Found::Misfit(payment, "the message's references lead to different payments"));
    }
    let attempt = match by_ref.into_iter().next() {
        Some(attempt) => Some(attempt),
        None => payments::attempts_of(conn, &first)?.pop(),
    };
    let Some(attempt) = attempt else { return Ok(Found::Payment(payment, None)) };
    if attempt.provider != row.provider || attempt.mode != row.mode || attempt.account_id != row.account_id {
        let reason = "the message is of another provider, mode or account than the payment";
        return Ok(Found::Misfit(payment, reason));
    }
    let differs = |ours: &str, theirs: &Option<String>| theirs.as_ref().is_some_and(|theirs| theirs != ours);
    let is_on_a_rail = attempt.provider != psp::mock::DRIVER.name;
    if is_on_a_rail && differs(&attempt.reference, &about.reference) {
        return Ok(Found::Misfit(payment, "the message's reference is not the payment's"));
    }
    if is_on_a_rail && attempt.provider_ref.as_ref().is_some_and(|ours| differs(ours, &about.provider_ref)) {
        return Ok(Found::Misfit(payment, "the message's transaction is not the payment's"));
    }
    Ok(Found::Payment(payment, Some(attempt)))
}

/// An attempt whose answer has not come is known now by the provider's own id. It is not started for that: where the
/// buyer pays is in the answer alone, which is waited for or asked for again.
fn learn(conn: &mut Conn, payment: &mut Payment, attempt: Attempt, provider_ref: &str) -> StoreResult<()> {
    if attempt.provider_ref.is_some() || attempt.provider == psp::mock::DRIVER.name {
        return Ok(());
    }
    let known = Attempt { provider_ref: Some(provider_ref.to_owned()), ..attempt };
    payments::save_attempt(conn, &known)?;
    if payment.provider_ref.is_none() {
        payment.provider_ref = Some(provider_ref.to_owned());
        payments::save(conn, payment)?;
    }
    Ok(())
}

/// Headers that are kept: those that tell how a message was signed and by what; no cookies, no credentials.
fn archived(headers: &[(String, String)]) -> String {
    const LEFT_OUT: [&str; 4] = ["authorization", "cookie", "proxy-authorization", "x-api-key"];
    let kept: std::collections::BTreeMap<&str, &str> = headers
        .iter()
        .filter(|(name, _)| !LEFT_OUT.contains(&name.as_str()))
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    super::views::render(&kept)
}
