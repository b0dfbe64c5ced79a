//! Invoices and payment links, as callers get them.

use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::views::raw;
use crate::domain::ids::{InvoiceId, PaymentId, PaymentLinkId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::store::invoices::Invoice;
use crate::store::payment_links::PaymentLink;
use crate::store::payments::Payment;

/// The page on which a buyer pays what has this id.
pub(super) fn hosted_url(public_url: &str, id: &str) -> String {
    format!("{public_url}/pay/{id}")
}

/// An invoice. Money is in minor units of `currency`, times are RFC 3339 in UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoiceObject<'a> {
    #[schema(value_type = String, example = "inv_01k7v3m2q8d4r5s6t7v8w9x0yz")]
    invoice_id: &'a InvoiceId,
    #[schema(example = "INV-000042")]
    number: &'a str,
    /// `draft`, `open`, `paid`, `void` or `overdue`.
    #[schema(example = "open")]
    status: &'static str,
    #[schema(value_type = String, example = "test")]
    mode: Mode,
    external_user_id: &'a str,
    email: Option<&'a str>,
    #[schema(example = "IDR")]
    currency: &'static str,
    #[schema(value_type = Vec<crate::domain::invoices::LineItem>)]
    line_items: &'a RawValue,
    amount_minor: i64,
    /// What its payments received.
    paid_minor: i64,
    /// What of that was given back.
    refunded_minor: i64,
    #[schema(value_type = Option<String>)]
    due_at: Option<Timestamp>,
    /// How it may be paid; null for every method that has a route.
    #[schema(value_type = Option<Vec<String>>)]
    methods: Option<&'a RawValue>,
    return_url: Option<&'a str>,
    #[schema(value_type = Object)]
    metadata: &'a RawValue,
    external_id: Option<&'a str>,
    /// The page on which its buyer pays it.
    hosted_url: String,
    payments: Vec<InvoicePayment<'a>>,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
    #[schema(value_type = Option<String>)]
    paid_at: Option<Timestamp>,
    #[schema(value_type = Option<String>)]
    voided_at: Option<Timestamp>,
}

/// A payment that was begun for an invoice.
#[derive(Debug, Serialize, ToSchema)]
pub struct InvoicePayment<'a> {
    #[schema(value_type = String)]
    payment_id: &'a PaymentId,
    status: &'static str,
    method: &'a str,
    amount_minor: i64,
    paid_minor: i64,
    refunded_minor: i64,
    #[schema(value_type = String)]
    created_at: Timestamp,
}

impl<'a> InvoiceObject<'a> {
    /// The object for an invoice and its payments, oldest first.
    #[must_use]
    pub fn new(invoice: &'a Invoice, payments: &'a [Payment], public_url: &str) -> Self {
        let sum = |part: fn(&Payment) -> i64| payments.iter().map(part).fold(0i64, i64::saturating_add);
        Self {
            invoice_id: &invoice.invoice_id,
            number: &invoice.number,
            status: invoice.status.as_str(),
            mode: invoice.mode,
            external_user_id: &invoice.external_user_id,
            email: invoice.email.as_deref(),
            currency: invoice.currency.code(),
            line_items: raw(&invoice.line_items),
            amount_minor: invoice.amount_minor,
            paid_minor: sum(|payment| payment.paid_minor),
            refunded_minor: sum(|payment| payment.refunded_minor),
            due_at: invoice.due_at,
            methods: invoice.methods.as_deref().map(raw),
            return_url: invoice.return_url.as_deref(),
            metadata: raw(&invoice.metadata),
            external_id: invoice.external_id.as_deref(),
            hosted_url: hosted_url(public_url, invoice.invoice_id.as_str()),
            payments: payments
                .iter()
                .map(|payment| InvoicePayment {
                    payment_id: &payment.payment_id,
                    status: payment.status.as_str(),
                    method: &payment.method,
                    amount_minor: payment.amount_minor,
                    paid_minor: payment.paid_minor,
                    refunded_minor: payment.refunded_minor,
                    created_at: payment.created_at,
                })
                .collect(),
            created_at: invoice.created_at,
            updated_at: invoice.updated_at,
            paid_at: invoice.paid_at,
            voided_at: invoice.voided_at,
        }
    }
}

/// A payment link. Money is in minor units of `currency`, times are RFC 3339 in UTC.
#[derive(Debug, Serialize, ToSchema)]
pub struct PaymentLinkObject<'a> {
    #[schema(value_type = String, example = "plink_01k7v3m2q8d4r5s6t7v8w9x0yz")]
    payment_link_id: &'a PaymentLinkId,
    /// `active`, `used_up`, `expired` or `closed`.
    #[schema(example = "active")]
    status: &'static str,
    #[schema(value_type = String, example = "test")]
    mode: Mode,
    #[schema(example = "IDR")]
    currency: &'static str,
    /// What is paid; null where the buyer chooses.
    amount_minor: Option<i64>,
    /// The least that the buyer may choose.
    min_minor: Option<i64>,
    /// The most that the buyer may choose.
    max_minor: Option<i64>,
    description: &'a str,
    /// How it may be paid; null for every method that has a route.
    #[schema(value_type = Option<Vec<String>>)]
    methods: Option<&'a RawValue>,
    /// How often it may be paid; null for any number of times.
    uses_max: Option<i64>,
    /// How often it was paid.
    uses: i64,
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    return_url: Option<&'a str>,
    #[schema(value_type = Object)]
    metadata: &'a RawValue,
    /// The page that its visitors pay on.
    hosted_url: String,
    #[schema(value_type = String)]
    created_at: Timestamp,
    #[schema(value_type = String)]
    updated_at: Timestamp,
}

impl<'a> PaymentLinkObject<'a> {
    /// The object for a link as it stands at `now`.
    #[must_use]
    pub fn new(link: &'a PaymentLink, public_url: &str, now: Timestamp) -> Self {
        Self {
            payment_link_id: &link.payment_link_id,
            status: super::payment_links::status_at(link, now).as_str(),
            mode: link.mode,
            currency: link.currency.code(),
            amount_minor: link.amount_minor,
            min_minor: link.min_minor,
            max_minor: link.max_minor,
            description: &link.description,
            methods: link.methods.as_deref().map(raw),
            uses_max: link.uses_max,
            uses: link.uses,
            expires_at: link.expires_at,
            return_url: link.return_url.as_deref(),
            metadata: raw(&link.metadata),
            hosted_url: hosted_url(public_url, link.payment_link_id.as_str()),
            created_at: link.created_at,
            updated_at: link.updated_at,
        }
    }
}
