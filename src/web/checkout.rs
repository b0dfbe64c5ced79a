//! The page of a payment that its buyer makes by a virtual account or a QRIS code: what to pay where until when, in
//! Indonesian and English, and what has become of it. It works without its script, which keeps it up to date.
//!
//! Who pays at the provider's own page is sent there, and waits here while it is not known whether there is one yet.

use actix_web::http::header::ACCEPT_LANGUAGE;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get};
use askama::Template;
use qrcode::{Color, QrCode};

use super::bank_guides::{Guide, bank_title, guides};
use super::checkout_words::Words;
use super::{back_to_shop, onward, page as plain_page, page_under};
use crate::domain::mode::Mode;
use crate::domain::money::format_amount;
use crate::domain::payments::{Instructions, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, Payment};
use crate::problem::Answered;

/// As for every page, with our own script, which asks only us. The page has no form.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'none'; frame-ancestors 'none'; base-uri 'none'";

/// Rows and columns of white that a scanner wants around a code.
const QUIET_ZONE: usize = 4;

#[derive(Template)]
#[template(path = "checkout.html")]
struct CheckoutPage<'a> {
    first: &'static Words,
    second: &'static Words,
    amount: String,
    is_sandbox: bool,
    description: &'a str,
    invoice_number: &'a str,
    payment_id: &'a str,
    title: String,
    way: Way,
    guides: Vec<(&'static Words, Vec<Guide>)>,
    expires_at: String,
    expires: (String, String),
    expires_ms: u64,
    now_ms: u64,
    now_is: &'static str,
    states: Vec<State>,
}

/// What a buyer sees who comes while the provider has not been heard of yet.
#[derive(Template)]
#[template(path = "preparing.html")]
struct PreparingPage<'a> {
    first: &'static Words,
    second: &'static Words,
    amount: String,
    is_sandbox: bool,
    description: &'a str,
    invoice_number: &'a str,
    payment_id: &'a str,
}

/// How a payment is made that its provider has no page for.
pub(super) struct Target {
    pub title: String,
    pub way: Way,
    pub guides: Vec<(&'static Words, Vec<Guide>)>,
    pub expires: Timestamp,
}

/// How the buyer pays.
pub(super) enum Way {
    /// To this number, in groups of four.
    Number(Vec<String>),
    /// By this code: the length of its side and the path of its dark modules.
    Code(usize, String),
}

/// Something that can be so while the page is open. The script shows the one that is.
pub(super) struct State {
    pub name: &'static str,
    pub first: [&'static str; 2],
    pub second: [&'static str; 2],
    pub back: String,
    pub is_over: bool,
}

/// The page on which a buyer learns how to pay, and that it worked.
#[utoipa::path(tag = "Checkout", params(("payment_id" = String, Path)), responses((status = 200, description = "A page"), (status = 303, description = "On to the provider's own page, or back to `return_url` when all is over"), (status = 404)))]
#[get("/checkout/{payment_id}")]
pub async fn page(gateway: Data<Gateway>, payment_id: Path<String>, request: HttpRequest) -> Answered {
    let payment = gateway.checkout_payment(&payment_id).await?;
    let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let languages = Words::in_order(accepted);
    let Some(json) = payment.instructions.as_deref() else { return without_instructions(&payment, languages) };
    let [first, second] = languages;
    let Target { title, way, guides, expires } = target(&payment, json, languages)?;
    let now = gateway.now();
    let now_is = state_at(&payment, expires, now);
    page_under(
        POLICY,
        &CheckoutPage {
            first,
            second,
            amount: first.amount(&format_amount(payment.amount_minor, payment.currency), payment.currency),
            is_sandbox: payment.mode == Mode::Sandbox,
            description: payment.description.as_deref().unwrap_or_default(),
            invoice_number: &payment.invoice_number,
            payment_id: payment.payment_id.as_str(),
            title,
            way,
            guides,
            expires_at: expires.to_rfc3339(),
            expires: (first.moment(expires), second.moment(expires)),
            expires_ms: expires.unix_millis(),
            now_ms: now.unix_millis(),
            now_is,
            states: states(&payment, languages),
        },
    )
}

/// How a payment with these instructions is made.
pub(super) fn target(payment: &Payment, json: &str, languages: [&'static Words; 2]) -> Result<Target, Fault> {
    let instructions: Instructions = serde_json::from_str(json).map_err(|error| unreadable(payment, &error))?;
    Ok(match instructions {
        Instructions::VirtualAccount { bank, number, expires_at } => Target {
            title: format!("{} virtual account", bank_title(&bank)),
            guides: languages.map(|words| (words, guides(&bank, &number, words))).into(),
            way: Way::Number(groups_of_four(&number)),
            expires: expires_at,
        },
        Instructions::Qris { qr_content, expires_at } => {
            let (side, path) = code(&qr_content).map_err(|error| unreadable(payment, &error))?;
            Target {
                title: "QRIS".to_owned(),
                guides: languages.map(|words| (words, words.qris_guides())).into(),
                way: Way::Code(side, path),
                expires: expires_at,
            }
        }
    })
}

/// The state that a payment is shown in.
pub(super) fn state_at(payment: &Payment, expires: Timestamp, now: Timestamp) -> &'static str {
    match payment.status {
        PaymentStatus::Initiated if expires <= now => "expired",
        status => status.as_str(),
    }
}

/// A payment that is over leads nowhere but back: the provider's page might still take money for it.
fn without_instructions(payment: &Payment, [first, second]: [&'static Words; 2]) -> Answered {
    if payment.status != PaymentStatus::Initiated {
        return Ok(onward(&back_to_shop(payment, payment.status)));
    }
    if let Some(url) = &payment.provider_checkout_url {
        return Ok(onward(url));
    }
    plain_page(&PreparingPage {
        first,
        second,
        amount: first.amount(&format_amount(payment.amount_minor, payment.currency), payment.currency),
        is_sandbox: payment.mode == Mode::Sandbox,
        description: payment.description.as_deref().unwrap_or_default(),
        invoice_number: &payment.invoice_number,
        payment_id: payment.payment_id.as_str(),
    })
}

fn unreadable(payment: &Payment, error: &dyn std::fmt::Display) -> Fault {
    tracing::error!(%error, payment = %payment.payment_id, "a payment's instructions cannot be shown");
    Fault::new(Code::InternalError, "internal error")
}

pub(super) fn states(payment: &Payment, [first, second]: [&'static Words; 2]) -> Vec<State> {
    let state = |name, status: PaymentStatus, texts: fn(&'static Words) -> [&'static str; 2]| State {
        name,
        first: texts(first),
        second: texts(second),
        back: back_to_shop(payment, status),
        is_over: status != PaymentStatus::Initiated,
    };
    vec![
        state("initiated", PaymentStatus::Initiated, |words| words.waiting),
        state("expired", PaymentStatus::Initiated, |words| words.expired),
        state("succeeded", PaymentStatus::Succeeded, |words| words.succeeded),
        state("failed", PaymentStatus::Failed, |words| words.failed),
        state("canceled", PaymentStatus::Canceled, |words| words.canceled),
    ]
}

/// A long number as people read it aloud.
fn groups_of_four(number: &str) -> Vec<String> {
    number.chars().collect::<Vec<char>>().chunks(4).map(|group| group.iter().collect()).collect()
}

/// A QR code as the side of its square, in modules, and the path of an SVG with its dark ones, run by run.
pub(super) fn code(content: &str) -> Result<(usize, String), qrcode::types::QrError> {
    use std::fmt::Write as _;
    let code = QrCode::new(content)?;
    let width = code.width();
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|left, right| left == right) {
            if run.first() == Some(&Color::Dark) {
                let (left, top, length) = (x + QUIET_ZONE, y + QUIET_ZONE, run.len());
                // Writing to a string cannot fail.
                let _ = write!(path, "M{left} {top}h{length}v1h-{length}z");
            }
            x += run.len();
        }
    }
    Ok((width + 2 * QUIET_ZONE, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_grouped_from_its_beginning_and_keeps_every_digit() {
        assert_eq!(groups_of_four("900000011030014101"), ["9000", "0001", "1030", "0141", "01"]);
        assert_eq!(groups_of_four(""), [""; 0]);
    }

    #[test]
    fn a_code_that_is_too_long_is_an_error_and_not_a_panic() {
        assert!(code(&"0".repeat(8000)).is_err());
        let (side, path) = code("00020101").unwrap();
        assert_eq!(side, 21 + 2 * QUIET_ZONE);
        assert!(path.starts_with("M4 4h7v1h-7z"), "the finder in the corner: {path}");
    }
}
