//! The neutral words between the gateway and the providers' dialects. No provider's own word stands here.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;

use crate::domain::drafts::Buyer;
use crate::domain::ids::{AttemptId, PaymentId, RefundId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payments::{Instructions, Observation, RefundOutcome};
use crate::domain::secrets::Secret;
use crate::domain::subscriptions::SubscriptionNews;
use crate::domain::time::Timestamp;

/// What a call to a provider comes to, when it comes.
pub type Called<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Why a call brought nothing. What may be done next hangs on the difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The provider answered no. Nothing was done there.
    Refused {
        /// Its reason, for the product's eyes: no secret, no personal data.
        reason: String,
    },
    /// Nothing was done there: no byte left, or the provider turned the call away unread (429).
    NotSent {
        /// A class such as `connect`, `circuit_open` or `rate_limited`.
        class: &'static str,
        /// When to come back, if the provider said so.
        retry_after: Option<Duration>,
    },
    /// It was sent, and what came of it is not known. Never retried blindly, never sent to another provider.
    Unknown {
        /// A class such as `timeout`, `reset`, `http_5xx` or `garbage`.
        class: &'static str,
    },
    /// The provider cannot do this by its API.
    Unsupported {
        /// What a person can do instead.
        instead: &'static str,
    },
}

impl Failure {
    /// A refusal for this reason, cut to what is worth keeping.
    pub fn refused(reason: impl Into<String>) -> Self {
        let reason: String = reason.into();
        Self::Refused { reason: reason.chars().filter(|character| !character.is_control()).take(300).collect() }
    }

    /// The class of the failure, for `/info`, metrics and logs: never a provider's text.
    #[must_use]
    pub const fn class(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::NotSent { class, .. } | Self::Unknown { class } => class,
            Self::Unsupported { .. } => "unsupported",
        }
    }
}

/// An account at a provider: whose money, in which mode, at which host.
#[derive(Clone, Debug)]
pub struct Account {
    /// The mode that it serves.
    pub mode: Mode,
    /// Scheme, host and port, without a slash at the end.
    pub base_url: String,
    /// By their names in the settings. Optional ones that were not given are absent.
    pub credentials: BTreeMap<String, Secret>,
}

impl Account {
    /// The text of a credential; empty when it was not given.
    #[must_use]
    pub fn credential(&self, name: &str) -> &str {
        self.credentials.get(name).map(Secret::expose).unwrap_or_default()
    }
}

/// A payment that is to be started.
#[derive(Debug)]
pub struct Start<'a> {
    /// Ours, `pay_…`: goes along as metadata wherever the provider has a place for it.
    pub payment_id: &'a PaymentId,
    /// This try's id: the provider's idempotency key, where it has one.
    pub attempt_id: &'a AttemptId,
    /// At most 40 characters, unique for each attempt, derived from the invoice number.
    pub reference: &'a str,
    /// Whether this attempt was sent before and its answer is not known.
    pub is_repeat: bool,
    /// Minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
    /// How the buyer pays.
    pub method: &'a str,
    /// What for.
    pub description: Option<&'a str>,
    /// The number on the buyer's invoice.
    pub invoice_number: &'a str,
    /// The product's id of the buyer.
    pub external_user_id: &'a str,
    /// The buyer's address.
    pub email: Option<&'a str>,
    /// What else is known of the buyer.
    pub buyer: Buyer,
    /// The product's metadata, a JSON object.
    pub metadata: &'a serde_json::Value,
    /// Where the provider sends the buyer afterwards: a page of ours.
    pub return_url: &'a str,
    /// Where the provider sends its webhooks, for those that are told with each payment.
    pub notify_url: &'a str,
    /// When the payment is to expire.
    pub expires_at: Timestamp,
    /// Now.
    pub now: Timestamp,
}

/// A payment that waits for its buyer at the provider.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Started {
    /// The provider's id of it.
    pub provider_ref: String,
    /// The provider's page, if it has one.
    pub checkout_url: Option<String>,
    /// What the buyer is told where there is no page.
    pub instructions: Option<Instructions>,
    /// When the provider lets it expire, if it said so.
    pub expires_at: Option<Timestamp>,
}

/// A payment that the provider has.
#[derive(Clone, Debug)]
pub struct Ongoing<'a> {
    /// Ours.
    pub payment_id: &'a PaymentId,
    /// The attempt that the provider has.
    pub attempt_id: &'a AttemptId,
    /// As it was sent.
    pub reference: &'a str,
    /// The provider's id of it.
    pub provider_ref: &'a str,
    /// Minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
    /// How the buyer pays.
    pub method: &'a str,
    /// Whether it still waits to be paid here. Of one that is closed only what has happened is told: no money that waits
    /// for nothing but us is taken any more.
    pub is_open: bool,
    /// Now.
    pub now: Timestamp,
}

/// Money that is to be given back.
#[derive(Clone, Debug)]
pub struct RefundOrder<'a> {
    /// The payment.
    pub payment: Ongoing<'a>,
    /// Ours, `ref_…`: the provider's idempotency key, where it has one.
    pub refund_id: &'a RefundId,
    /// The provider's id of the receipt that is given back.
    pub transaction: &'a str,
    /// Minor units to give back.
    pub amount_minor: i64,
    /// What of the payment was given back before, in minor units.
    pub refunded_minor: i64,
    /// Why, for people.
    pub reason: Option<&'a str>,
    /// When it was first asked for.
    pub created_at: Timestamp,
    /// Provider's ids of this payment's other refunds, which a search must not take for this one.
    pub other_refs: &'a [String],
}

/// What a provider says of a refund.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefundAnswer {
    /// The provider's id of it.
    pub provider_ref: String,
    /// Whether it is done.
    pub outcome: RefundOutcome,
}

/// A webhook, read with the key of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum WebhookReading {
    /// This account's provider did not sign it.
    NotSigned,
    /// It is signed well and cannot be understood.
    Unreadable(String),
    /// It tells something.
    News(Box<News>),
}

/// What a verified webhook tells.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct News {
    /// The provider's id of the message, the same in a repetition: its event id, or transaction and status.
    pub event_id: String,
    /// The provider's name of what happened, for people.
    pub kind: String,
    /// Which payment it says that it is about. All that is there must agree.
    pub about: About,
    /// What it says of the payment. Empty for what does not matter.
    pub observations: Vec<Observation>,
    /// What it says of a subscription.
    pub subscription: Option<SubscriptionNews>,
    /// Whether the provider has to be asked before any of it is believed. Then `observations` stay empty.
    pub must_confirm: bool,
}

/// The names under which a webhook speaks of a payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct About {
    /// Our payment id, as the provider gave it back.
    pub payment_id: Option<String>,
    /// Our reference.
    pub reference: Option<String>,
    /// The provider's id of the payment.
    pub provider_ref: Option<String>,
    /// The provider's id of a receipt of money.
    pub transaction: Option<String>,
    /// The provider's id of a subscription.
    pub subscription_ref: Option<String>,
}

/// One account at a provider, spoken to in its dialect.
///
/// An implementation makes each call once. It does not retry, read the clock, touch the database or know apps.
pub trait Psp: Send + Sync {
    /// Starts a payment. A repeat must lead to the same payment, or to one that no buyer has seen.
    fn start<'a>(&'a self, start: &'a Start<'a>) -> Called<'a, Started>;

    /// Asks what has become of a payment and, while it is open, completes what waits for nothing but us (an approved order
    /// is captured).
    fn fetch<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>>;

    /// Gives a payment up; tells what has become of it, which may be that it is paid.
    fn cancel<'a>(&'a self, payment: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>>;

    /// Gives money back.
    fn refund<'a>(&'a self, refund: &'a RefundOrder<'a>) -> Called<'a, RefundAnswer>;

    /// Asks what has become of a refund, by its id there or, where no answer came, by what is known of it. `None`: the
    /// provider has no such refund.
    fn fetch_refund<'a>(
        &'a self,
        refund: &'a RefundOrder<'a>,
        provider_ref: Option<&'a str>,
    ) -> Called<'a, Option<RefundAnswer>>;

    /// Ends a subscription, now or with its period; tells what it is then.
    fn cancel_subscription<'a>(
        &'a self,
        provider_ref: &'a str,
        at_period_end: bool,
        now: Timestamp,
    ) -> Called<'a, SubscriptionNews>;

    /// Reads a webhook. Header names are lower case.
    fn read_webhook<'a>(
        &'a self,
        headers: &'a [(String, String)],
        body: &'a [u8],
        now: Timestamp,
    ) -> Called<'a, WebhookReading>;

    /// Whether the provider knows these credentials.
    fn check<'a>(&'a self, now: Timestamp) -> Called<'a, ()>;
}
