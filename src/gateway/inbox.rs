//! Webhooks that come in: verified, archived, and applied in the transaction that settles the payment.

use super::{Gateway, settle};
use crate::domain::ids::{InboxId, PaymentId};
use crate::domain::mode::Mode;
use crate::domain::payments::Decision;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::{self, Driver};
use crate::store::inbox::InboxRow;
use crate::store::{Conn, Lane, StoreResult, inbox, payments};

/// What became of a webhook that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It changed something, or says what is known.
    Applied,
    /// The same message was applied before.
    AlreadyApplied,
    /// It does not fit the payment; people are told.
    Quarantined,
    /// It is about nothing of ours.
    Ignored,
}

impl Verdict {
    /// As it is answered.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::AlreadyApplied => "already_applied",
            Self::Quarantined => "quarantined",
            Self::Ignored => "ignored",
        }
    }
}

impl Gateway {
    /// Takes a webhook of `provider`. Without a mode, the signature decides which it is of.
    ///
    /// # Errors
    /// 401 for a signature that does not verify, 400 for what cannot be read, 404 for a payment id of ours that is not
    /// there, 503 when it could not be stored.
    pub async fn receive_webhook(
        &self,
        provider: &str,
        mode: Option<Mode>,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Outcome<Verdict> {
        let not_found = || Fault::new(Code::NotFound, "there is no such webhook");
        let driver = Driver::named(provider).ok_or_else(not_found)?;
        if mode.is_some_and(|mode| !driver.modes.contains(&mode) || !self.settings.modes.contains(&mode)) {
            return Err(not_found());
        }
        // Without credentials there is nothing that a signature could be checked with, so none is good.
        let is_verified = driver.name == psp::mock::DRIVER.name && psp::mock::verify(&self.mock_key, &headers, &body);
        if !is_verified {
            let reason = Fault::new(Code::BadSignature, "bad signature");
            self.keep_rejected(driver, mode, &headers, &body, reason.code).await?;
            return Err(reason);
        }
        let Ok(message) = serde_json::from_slice::<psp::mock::Webhook>(&body) else {
            self.keep_rejected(driver, mode, &headers, &body, Code::ValidationError).await?;
            return Err(Fault::invalid("body", "is not a webhook of this provider"));
        };
        // The signed body carries the mode; the path can only agree with it.
        if mode.is_some_and(|mode| mode.as_str() != message.mode) {
            return Err(Fault::new(Code::BadSignature, "bad signature"));
        }
        self.apply_webhook(driver, message, &headers, &body).await
    }

    async fn apply_webhook(
        &self,
        driver: &'static Driver,
        message: psp::mock::Webhook,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Outcome<Verdict> {
        let now = self.clock.now();
        let Some(mode) = Mode::parse(&message.mode) else {
            return Err(Fault::invalid("mode", "must be test, sandbox or live"));
        };
        let Some(payment_id) = PaymentId::parse(&message.payment_id) else { return Ok(Verdict::Ignored) };
        let row = InboxRow {
            inbox_id: InboxId::generate(now),
            provider: driver.name.to_owned(),
            mode,
            provider_event: message.id.clone(),
            verdict: "applied".to_owned(),
            payment_id: Some(payment_id.clone()),
            detail: message.kind.clone(),
            headers: archived(headers),
            body: String::from_utf8_lossy(body).into_owned(),
            received_at: now,
        };
        let lane = payment_id.clone();
        let verdict =
            self.write(Lane::Of(lane.as_str()), move |conn| apply(conn, &row, &payment_id, &message, now)).await?;
        self.deliveries_wanted.notify_one();
        verdict.ok_or_else(|| Fault::new(Code::UnknownPayment, "unknown payment"))
    }

    async fn keep_rejected(
        &self,
        driver: &'static Driver,
        mode: Option<Mode>,
        headers: &[(String, String)],
        body: &[u8],
        code: Code,
    ) -> Outcome<()> {
        metrics::counter!("switchyard_webhooks_rejected_total", "provider" => driver.name).increment(1);
        let now = self.clock.now();
        let row = InboxRow {
            inbox_id: InboxId::generate(now),
            provider: driver.name.to_owned(),
            mode: mode.unwrap_or(Mode::Test),
            provider_event: String::new(),
            verdict: "rejected".to_owned(),
            payment_id: None,
            detail: code.name().to_owned(),
            headers: archived(headers),
            body: String::from_utf8_lossy(body).replace('\0', "\u{fffd}"),
            received_at: now,
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

/// Applies a verified message to its payment; `None` when there is no such payment.
fn apply(
    conn: &mut Conn,
    row: &InboxRow,
    payment_id: &PaymentId,
    message: &psp::mock::Webhook,
    now: Timestamp,
) -> StoreResult<Option<Verdict>> {
    if inbox::is_applied(conn, &row.provider, row.mode, &row.provider_event)? {
        return Ok(Some(Verdict::AlreadyApplied));
    }
    let mut row = row.clone();
    let payment = payments::lock(conn, payment_id)?;
    let Some(mut payment) = payment else {
        row.verdict = "unknown_payment".to_owned();
        inbox::insert(conn, &row)?;
        return Ok(None);
    };
    let Some(observation) = message.observation() else {
        row.verdict = "ignored".to_owned();
        inbox::insert(conn, &row)?;
        return Ok(Some(Verdict::Ignored));
    };
    if payment.provider != row.provider || payment.mode != row.mode {
        row.verdict = "quarantined".to_owned();
        row.detail = "the message is of another provider or mode than the payment".to_owned();
        inbox::insert(conn, &row)?;
        settle::quarantine(conn, &mut payment, &row.detail, now)?;
        return Ok(Some(Verdict::Quarantined));
    }
    let verdict = match settle::settle(conn, &mut payment, &observation, now)? {
        Decision::Quarantine(reason) => {
            row.verdict = "quarantined".to_owned();
            row.detail = reason;
            Verdict::Quarantined
        }
        _ => Verdict::Applied,
    };
    inbox::insert(conn, &row)?;
    Ok(Some(verdict))
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
