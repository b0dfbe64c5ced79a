//! The mock provider's checkout page: what a buyer would see at a provider, with the outcome left to choose.

use actix_web::http::header::LOCATION;
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpResponse, get, post};
use askama::Template;
use serde::Deserialize;

use super::{back_to_shop, page as render};
use crate::domain::drafts::MockOutcome;
use crate::domain::mode::Mode;
use crate::domain::money::format_amount;
use crate::domain::payments::PaymentStatus;
use crate::error::Fault;
use crate::gateway::{Gateway, provider_title};
use crate::problem::Answered;

#[derive(Template)]
#[template(path = "mock_checkout.html")]
struct CheckoutPage<'a> {
    amount: String,
    currency: &'static str,
    method: String,
    mode: &'static str,
    is_live: bool,
    fallback_title: Option<&'static str>,
    fallback_reason: &'a str,
    description: &'a str,
    invoice_number: &'a str,
    payment_id: &'a str,
    status: &'static str,
    is_open: bool,
    return_url: String,
}

/// What the buyer chose.
#[derive(Deserialize, utoipa::ToSchema)]
pub(crate) struct Choice {
    /// `succeed`, `fail` or `cancel`.
    outcome: String,
}

/// The mock provider's checkout page.
#[utoipa::path(tag = "Mock provider", params(("payment_id" = String, Path)), responses((status = 200, description = "A page"), (status = 404)))]
#[get("/mock/checkout/{payment_id}")]
pub async fn page(gateway: Data<Gateway>, payment_id: Path<String>) -> Answered {
    let payment = gateway.mock_payment(&payment_id).await?;
    render(&CheckoutPage {
        amount: format_amount(payment.amount_minor, payment.currency),
        currency: payment.currency.code(),
        method: method_title(&payment.method),
        mode: payment.mode.as_str(),
        is_live: payment.mode == Mode::Live,
        fallback_title: payment.fallback_wanted.as_deref().and_then(provider_title),
        fallback_reason: payment.fallback_reason.as_deref().unwrap_or_default(),
        description: payment.description.as_deref().unwrap_or_default(),
        invoice_number: &payment.invoice_number,
        payment_id: payment.payment_id.as_str(),
        status: payment.status.as_str(),
        is_open: payment.status == PaymentStatus::Initiated,
        return_url: back_to_shop(&payment, payment.status),
    })
}

/// Ends a payment at the mock as the buyer chose, and sends the buyer back to the product.
#[utoipa::path(tag = "Mock provider", params(("payment_id" = String, Path)), request_body(content = Choice, content_type = "application/x-www-form-urlencoded"), responses((status = 303, description = "Back to `return_url`"), (status = 404), (status = 422)))]
#[post("/mock/checkout/{payment_id}")]
pub async fn act(gateway: Data<Gateway>, payment_id: Path<String>, choice: Form<Choice>) -> Answered {
    let outcome = match choice.outcome.as_str() {
        "succeed" => MockOutcome::Succeed,
        "fail" => MockOutcome::Fail,
        "cancel" => MockOutcome::Cancel,
        _ => return Err(Fault::invalid("outcome", "must be succeed, fail or cancel").into()),
    };
    let payment = gateway.act_at_mock_checkout(&payment_id, outcome).await?;
    Ok(HttpResponse::SeeOther().insert_header((LOCATION, back_to_shop(&payment, payment.status))).finish())
}

/// A method as buyers know it.
fn method_title(method: &str) -> String {
    match method {
        "qris" => "QRIS".to_owned(),
        "polar" => "Card, through Polar".to_owned(),
        "paypal" => "PayPal".to_owned(),
        _ => match method.strip_prefix("va_") {
            Some(bank @ ("bca" | "bni" | "bri")) => format!("{} virtual account", bank.to_uppercase()),
            Some(bank) => {
                let (first, rest) = bank.split_at(1);
                format!("{}{rest} virtual account", first.to_uppercase())
            }
            None => method.to_owned(),
        },
    }
}
