//! `/v1/payments`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::query::Query;
use super::signed::Signed;
use crate::domain::ids::PaymentId;
use crate::domain::payments::PaymentStatus;
use crate::error::Fault;
use crate::gateway::views::{PageObject, PaymentObject, TimelineEntry};
use crate::gateway::{Filter, Gateway};
use crate::problem::{Answered, answer, json};

/// The body of `POST /v1/payments`, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct PaymentRequest {
    /// The product's stable buyer id, 1 to 128 characters.
    #[schema(example = "user-42")]
    external_user_id: String,
    /// Needed for NICEPAY and Polar routes.
    #[schema(example = "buyer@example.com")]
    email: Option<String>,
    /// Smallest unit of the currency; rupiah have none: 50000 is Rp 50,000.
    #[schema(example = 50000, minimum = 1)]
    amount_minor: i64,
    /// ISO 4217, upper case.
    #[schema(example = "IDR")]
    currency: String,
    /// `qris`, `va_bca`, `va_mandiri`, `va_bni`, `va_bri`, `va_permata`, `polar`, `paypal`.
    #[schema(example = "va_bca")]
    method: String,
    /// Where the buyer goes afterwards; https in live.
    #[schema(example = "https://shop.example/thanks")]
    return_url: String,
    /// An object of at most 8 KiB, echoed everywhere.
    #[schema(value_type = Option<Object>)]
    metadata: Option<String>,
    /// The invoice number is `<prefix>-<number>`; without it, the payment's id.
    #[schema(example = "INV")]
    invoice_prefix: Option<String>,
    /// At most 255 characters.
    description: Option<String>,
    /// `name`, `phone`, `ip`: passed to providers that want them.
    #[schema(value_type = Option<Object>)]
    buyer: Option<String>,
    /// In mode `test`: a script for the mock provider.
    #[schema(value_type = Option<Object>)]
    mock: Option<String>,
}

/// Creates a payment and answers with its checkout URL.
#[utoipa::path(
    tag = "Payments",
    request_body = PaymentRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; kept 24 hours")),
    responses(
        (status = 201, description = "Created", body = PaymentObject<'static>),
        (status = 202, description = "Sent, and the provider's answer is unknown", body = PaymentObject<'static>),
        (status = 422, description = "No route, amount out of range, or not allowed for this app"),
        (status = 502, description = "The provider refused"),
    )
)]
#[post("/v1/payments")]
pub async fn create(gateway: Data<Gateway>, signed: Signed) -> Answered {
    Ok(answer(gateway.create_payment(&signed.app, signed.once(), &signed.body).await?))
}

/// Lists payments, newest first.
#[utoipa::path(
    tag = "Payments",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query),
        ("method" = Option<String>, Query),
        ("provider" = Option<String>, Query),
        ("external_user_id" = Option<String>, Query),
        ("invoice_number" = Option<String>, Query),
        ("created_from" = Option<String>, Query, description = "RFC 3339, inclusive"),
        ("created_to" = Option<String>, Query, description = "RFC 3339, exclusive"),
    ),
    responses((status = 200, body = PageObject<PaymentObject<'static>>))
)]
#[get("/v1/payments")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.cursor(PaymentId::parse);
    let filter = Filter {
        status: query.parsed("status", "initiated, succeeded, failed or canceled", PaymentStatus::parse),
        method: query.text("method"),
        provider: query.text("provider"),
        external_user_id: query.text("external_user_id"),
        invoice_number: query.text("invoice_number"),
        created_from: query.moment("created_from"),
        created_to: query.moment("created_to"),
        ..Filter::default()
    };
    query.finish()?;
    Ok(json(200, gateway.list_payments(&signed.app, filter, cursor, limit).await?))
}

/// One payment.
#[utoipa::path(tag = "Payments", params(("payment_id" = String, Path)), responses((status = 200, body = PaymentObject<'static>), (status = 404)))]
#[get("/v1/payments/{payment_id}")]
pub async fn get(gateway: Data<Gateway>, payment_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.payment(&signed.app, &payment_id).await?))
}

/// Cancels a payment that is waiting for its buyer.
#[utoipa::path(tag = "Payments", params(("payment_id" = String, Path)), responses((status = 200, body = PaymentObject<'static>), (status = 404), (status = 422, description = "It has ended otherwise")))]
#[post("/v1/payments/{payment_id}/cancel")]
pub async fn cancel(gateway: Data<Gateway>, payment_id: Path<String>, signed: Signed) -> Answered {
    crate::domain::fields::Fields::of_body(&signed.body).and_then(|fields| fields.finish()).map_err(Fault::from)?;
    Ok(answer(gateway.cancel_payment(&signed.app, signed.once(), &payment_id).await?))
}

/// Everything that happened to a payment, in order.
#[utoipa::path(tag = "Payments", params(("payment_id" = String, Path)), responses((status = 200, body = PageObject<TimelineEntry>), (status = 404)))]
#[get("/v1/payments/{payment_id}/timeline")]
pub async fn timeline(gateway: Data<Gateway>, payment_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.timeline(&signed.app, &payment_id).await?))
}
