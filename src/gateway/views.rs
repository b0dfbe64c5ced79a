//! The objects of `/v1`, as callers get them. Rendered here and not in a door, because an answer is stored with the
//! work that it answers.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::domain::events::Fallback;
use crate::domain::ids::{AppId, EventId, PaymentId, RefundId, SubscriptionId};
use crate::domain::mode::Mode;
use crate::domain::origins::Origin;
use crate::domain::time::Timestamp;
use crate::store::customers::CustomerRow;
use crate::store::deliveries::Delivery;
use crate::store::events::Event;
use crate::store::payments::Payment;
use crate::store::refunds::Refund;
use crate::store::subscriptions::Subscription;

/// A payment. Money is in minor units of `currency`, times are RFC 3339 in UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentObject<'a> {
    #[schema(value_type = String, example = "pay_01k7v3m2q8d4r5s6t7v8w9x0yz")]
    payment_id: &'a PaymentId,
    #[schema(value_type = String, example = "initiated")]
    status: &'static str,
    #[schema(value_type = String, example = "test")]
    mode: Mode,
    amount_minor: i64,
    paid_minor: i64,
    refunded_minor: i64,
    #[schema(example = "IDR")]
    currency: &'static str,
    #[schema(example = "va_bca")]
    method: &'a str,
    #[schema(example = "mock")]
    provider: &'a str,
    provider_ref: Option<&'a str>,
    fallback: Option<Fallback>,
    checkout_url: String,
    #[schema(value_type = Option<Object>)]
    instructions: Option<&'a RawValue>,
    invoice_number: &'a str,
    /// The invoice that it was begun for; not there for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice_id: Option<&'a str>,
    /// The payment link that it was begun by; not there for others.
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_link_id: Option<&'a str>,
    external_user_id: &'a str,
    description: Option<&'a str>,
    #[schema(value_type = Object)]
    metadata: &'a RawValue,
    last_error: &'a str,
    return_url: &'a str,
    #[schema(value_type = String)]
    expires_at: Timestamp,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

/// JSON that the gateway stored itself.
pub(super) fn raw(json: &str) -> &RawValue {
    serde_json::from_str(json).unwrap_or(RawValue::NULL)
}

pub(super) fn fallback_of(payment: &Payment) -> Option<Fallback> {
    let wanted = payment.fallback_wanted.clone()?;
    Some(Fallback { wanted, reason: payment.fallback_reason.clone().unwrap_or_default() })
}

/// The invoice that a payment was begun for.
pub(super) fn invoice_of(payment: &Payment) -> Option<&str> {
    payment.origin.as_deref().filter(|origin| matches!(Origin::parse(origin), Some(Origin::Invoice(_))))
}

/// The payment link that a payment was begun by.
pub(super) fn link_of(payment: &Payment) -> Option<&str> {
    payment.origin.as_deref().filter(|origin| matches!(Origin::parse(origin), Some(Origin::Link(_))))
}

/// An object as JSON.
#[must_use]
pub fn render(object: &impl Serialize) -> String {
    serde_json::to_string(object).expect("these objects have text keys and finite numbers only")
}

/// The envelope of answers under `/dashboard` and `/api/v1`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Enveloped<'a, T: ?Sized> {
    success: bool,
    status_code: u16,
    data: &'a T,
}

impl<'a, T: Serialize + ?Sized> Enveloped<'a, T> {
    /// Wraps `data`.
    pub const fn new(status_code: u16, data: &'a T) -> Self {
        Self { success: true, status_code, data }
    }
}

impl<'a> PaymentObject<'a> {
    /// The object for a payment, with URLs under `public_url`.
    #[must_use]
    pub fn new(payment: &'a Payment, public_url: &str) -> Self {
        let checkout_url = match &payment.provider_checkout_url {
            Some(url) => url.clone(),
            None if payment.provider == crate::psp::mock::DRIVER.name => {
                format!("{public_url}/mock/checkout/{}", payment.payment_id)
            }
            None => format!("{public_url}/checkout/{}", payment.payment_id),
        };
        Self {
            payment_id: &payment.payment_id,
            status: payment.status.as_str(),
            mode: payment.mode,
            amount_minor: payment.amount_minor,
            paid_minor: payment.paid_minor,
            refunded_minor: payment.refunded_minor,
            currency: payment.currency.code(),
            method: &payment.method,
            provider: &payment.provider,
            provider_ref: payment.provider_ref.as_deref(),
            fallback: fallback_of(payment),
            checkout_url,
            instructions: payment.instructions.as_deref().map(raw),
            invoice_number: &payment.invoice_number,
            invoice_id: invoice_of(payment),
            payment_link_id: link_of(payment),
            external_user_id: &payment.external_user_id,
            description: payment.description.as_deref(),
            metadata: raw(&payment.metadata),
            last_error: &payment.last_error,
            return_url: &payment.return_url,
            expires_at: payment.expires_at,
            created_at: payment.created_at,
            updated_at: payment.updated_at,
        }
    }

    /// Where the buyer pays.
    pub(super) fn checkout_url(&self) -> &str {
        &self.checkout_url
    }
}

/// A subscription, as its provider told of it last.
#[derive(Debug, Serialize, ToSchema)]
pub struct SubscriptionObject {
    #[schema(value_type = String)]
    subscription_id: SubscriptionId,
    /// `incomplete`, `active`, `past_due` or `ended`.
    status: &'static str,
    #[schema(value_type = String)]
    mode: Mode,
    /// The payment that it began as.
    #[schema(value_type = String)]
    payment_id: PaymentId,
    external_user_id: String,
    provider: String,
    provider_ref: String,
    #[schema(value_type = Option<String>)]
    current_period_end: Option<Timestamp>,
    cancel_at_period_end: bool,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl From<Subscription> for SubscriptionObject {
    fn from(row: Subscription) -> Self {
        Self {
            subscription_id: row.subscription_id,
            status: row.status.as_str(),
            mode: row.mode,
            payment_id: row.payment_id,
            external_user_id: row.external_user_id,
            provider: row.provider,
            provider_ref: row.provider_ref,
            current_period_end: row.current_period_end,
            cancel_at_period_end: row.cancel_at_period_end,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// A page of a list; `next_cursor` is null on the last.
#[derive(Debug, Serialize, ToSchema)]
pub struct PageObject<T> {
    /// The items.
    pub data: Vec<T>,
    /// What to send as `cursor` for the next page.
    pub next_cursor: Option<String>,
}

/// A refund. Money is in minor units.
#[derive(Debug, Serialize, ToSchema)]
pub struct RefundObject {
    #[schema(value_type = String)]
    refund_id: RefundId,
    #[schema(value_type = String)]
    payment_id: PaymentId,
    status: String,
    amount_minor: i64,
    #[schema(example = "IDR")]
    currency: &'static str,
    provider_ref: Option<String>,
    reason: Option<String>,
    #[schema(value_type = String)]
    mode: Mode,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

impl From<Refund> for RefundObject {
    fn from(refund: Refund) -> Self {
        Self {
            refund_id: refund.refund_id,
            payment_id: refund.payment_id,
            status: refund.status,
            amount_minor: refund.amount_minor,
            currency: refund.currency.code(),
            provider_ref: refund.provider_ref,
            reason: refund.reason,
            mode: refund.mode,
            created_at: refund.created_at,
        }
    }
}

/// A buyer, under the product's own id.
#[derive(Debug, Serialize, ToSchema)]
pub struct CustomerObject {
    external_user_id: String,
    email: Option<String>,
    name: Option<String>,
    /// `none`, `pending`, `approved` or `rejected`.
    kyc_status: &'static str,
    #[schema(value_type = String)]
    mode: Mode,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl CustomerObject {
    pub(super) fn new(customer: CustomerRow, mode: Mode) -> Self {
        Self {
            external_user_id: customer.external_user_id,
            email: customer.email,
            name: customer.name,
            kyc_status: customer.kyc_status.as_str(),
            mode,
            created_at: customer.created_at,
            updated_at: customer.updated_at,
        }
    }
}

/// Where a payment would go.
#[derive(Debug, Serialize, ToSchema)]
pub struct RouteObject {
    /// The provider that would get it; null when none can.
    pub chosen: Option<&'static str>,
    /// Whether the mock stands in, and why.
    pub fallback: Option<Fallback>,
    /// Every provider with this method.
    pub candidates: Vec<Candidate>,
}

/// A provider that has the method.
#[derive(Debug, Serialize, ToSchema)]
pub struct Candidate {
    /// Its name.
    pub provider: &'static str,
    /// Whether it can take the payment.
    pub usable: bool,
    /// What stands against it.
    pub reason: String,
}

/// Something that happened to a payment.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// `created`, `attempt`, `webhook`, `transition`, `refund` or `delivery`.
    pub kind: &'static str,
    /// One line for people.
    pub summary: String,
    /// What is known of it.
    #[schema(value_type = Object)]
    pub detail: serde_json::Value,
}

/// An event with its deliveries.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventObject {
    #[schema(value_type = String)]
    event_id: EventId,
    event: String,
    #[schema(value_type = String)]
    mode: Mode,
    #[schema(value_type = Option<String>)]
    payment_id: Option<PaymentId>,
    #[schema(value_type = String)]
    created_at: Timestamp,
    /// The body as it is sent.
    #[schema(value_type = Object)]
    body: Box<RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deliveries: Option<Vec<DeliveryObject>>,
}

/// One event on its way to one endpoint.
#[derive(Debug, Serialize, ToSchema)]
pub struct DeliveryObject {
    delivery_id: String,
    endpoint_id: String,
    #[schema(value_type = String)]
    mode: Mode,
    /// `pending`, `delivered` or `dead`.
    state: String,
    attempts: i32,
    /// When it is tried next, while it is pending.
    #[schema(value_type = Option<String>)]
    next_attempt_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    finished_at: Option<Timestamp>,
    /// Every attempt: when, the status or the error, and how long it took.
    #[schema(value_type = Vec<Object>)]
    log: Box<RawValue>,
}

impl EventObject {
    pub(super) fn new(event: Event, mode: Mode, deliveries: Option<Vec<Delivery>>) -> Self {
        Self {
            event_id: event.event_id,
            event: event.event_type,
            mode,
            payment_id: event.payment_id,
            created_at: event.created_at,
            body: raw(&event.body).to_owned(),
            deliveries: deliveries
                .map(|deliveries| deliveries.into_iter().map(|delivery| DeliveryObject::new(delivery, mode)).collect()),
        }
    }
}

impl DeliveryObject {
    fn new(delivery: Delivery, mode: Mode) -> Self {
        let is_pending = delivery.state == "pending";
        Self {
            delivery_id: delivery.delivery_id.to_string(),
            endpoint_id: delivery.endpoint_id.to_string(),
            mode,
            state: delivery.state,
            attempts: delivery.attempts,
            next_attempt_at: is_pending.then_some(delivery.due_at),
            finished_at: delivery.finished_at,
            log: raw(&delivery.log).to_owned(),
        }
    }
}

/// How often the mock charged a payment.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChargesObject {
    /// The payment.
    #[schema(value_type = String)]
    pub payment_id: PaymentId,
    /// How often the buyer was charged.
    pub charges: i32,
    /// What the buyer did, if anything.
    pub outcome: Option<String>,
}

/// An app without its secrets, for the command line.
#[derive(Debug, Serialize)]
pub struct AppObject<'a> {
    /// Its id.
    pub app_id: &'a AppId,
    /// Its name.
    pub name: &'a str,
    /// Its mode.
    pub mode: Mode,
    /// Its public key.
    pub public_key: &'a str,
}
