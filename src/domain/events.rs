//! Events that go out: their names and their bodies.

use serde::Serialize;
use serde_json::value::RawValue;

use super::ids::{EventId, InvoiceId, PaymentId};
use super::mode::Mode;
use super::time::Timestamp;

/// The kinds of event that this gateway sends today.
pub const EVENT_TYPES: [&str; 25] = [
    "payment.succeeded",
    "payment.failed",
    "payment.canceled",
    "payment.paid_after_close",
    "payment.quarantined",
    "payment.reversed",
    "refund.succeeded",
    "refund.failed",
    "subscription.created",
    "subscription.active",
    "subscription.past_due",
    "subscription.renewed",
    "subscription.canceled",
    "subscription.ended",
    "invoice.created",
    "invoice.paid",
    "invoice.overdue",
    "invoice.voided",
    "delta.verified",
    "delta.failed",
    "checkpoint.verified",
    "verification.completed",
    "verification.failed",
    "endpoint.disabled",
    "webhook.test",
];

/// Why a payment lies with the mock although another provider was wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Fallback {
    /// The provider that routing chose.
    pub wanted: String,
    /// Why it could not be used.
    pub reason: String,
}

/// The body of a payment or refund event, as the receiver gets it.
#[derive(Debug, Serialize)]
pub struct PaymentEvent<'a> {
    /// Its type.
    pub event: &'a str,
    /// The same on every attempt.
    pub event_id: &'a EventId,
    /// The app's mode.
    pub mode: Mode,
    /// The payment.
    pub payment_id: &'a PaymentId,
    /// The payment's status, or the refund's.
    pub status: &'a str,
    /// Minor units: the payment's, or the refund's.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// How the buyer pays.
    pub method: &'a str,
    /// Who handles it.
    pub provider: &'a str,
    /// The provider's id.
    pub provider_ref: Option<&'a str>,
    /// The invoice's number, or the payment's id.
    pub invoice_number: &'a str,
    /// The invoice that the payment was begun for, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoice_id: Option<&'a str>,
    /// The payment link that the payment was begun by, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payment_link_id: Option<&'a str>,
    /// The buyer.
    pub external_user_id: &'a str,
    /// Whether the mock stands in.
    pub fallback: Option<Fallback>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The product's own data.
    pub metadata: &'a RawValue,
    /// Why it was quarantined or refunded; in other events there is none, in a refund's it may be null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Option<&'a str>>,
    /// The refund, in refund events.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_id: Option<&'a str>,
}

/// The body of an invoice's event, as the receiver gets it.
#[derive(Debug, Serialize)]
pub struct InvoiceEvent<'a> {
    /// Its type.
    pub event: &'a str,
    /// The same on every attempt.
    pub event_id: &'a EventId,
    /// The app's mode.
    pub mode: Mode,
    /// The invoice.
    pub invoice_id: &'a InvoiceId,
    /// The payment that paid it; null in other events.
    pub payment_id: Option<&'a PaymentId>,
    /// The invoice's number.
    pub number: &'a str,
    /// The invoice's status.
    pub status: &'a str,
    /// Minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: &'a str,
    /// The buyer.
    pub external_user_id: &'a str,
    /// The product's own id of it.
    pub external_id: Option<&'a str>,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The product's own data.
    pub metadata: &'a RawValue,
}
