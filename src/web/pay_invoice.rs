//! The page of an invoice: its lines, what is to be paid until when, how, and that it was. Virtual accounts and QRIS codes
//! are shown on it; other providers have pages of their own. It works without its script, and prints.

use std::sync::Arc;

use actix_web::http::StatusCode;
use askama::Template;

use super::checkout::{State, Target, Way, state_at, states, target};
use super::checkout_words::Words;
use super::onward;
use super::pay::{Asked, Choosing, Frame, PayForm, is_told, render, status_of, told};
use super::pay_words::PayWords;
use crate::domain::invoices::InvoiceStatus;
use crate::domain::money::format_amount;
use crate::domain::payments::PaymentStatus;
use crate::gateway::{Gateway, InvoiceSheet, Payment};
use crate::problem::Answered;

struct Line {
    description: String,
    quantity: i64,
    unit: String,
    amount: String,
}

/// A payment that was begun and can be gone on with elsewhere.
struct Begun {
    title: String,
    url: String,
}

/// The number or the code that is being paid.
struct Shown {
    title: String,
    way: Way,
    guides: Vec<(&'static Words, Vec<super::bank_guides::Guide>)>,
    payment_id: String,
    expires_at: String,
    expires: (String, String),
    expires_ms: u64,
    now_ms: u64,
    now_is: &'static str,
    states: Vec<State>,
}

impl Shown {
    /// The state that it is shown in.
    fn now(&self) -> &'static str {
        self.now_is
    }
}

#[derive(Template)]
#[template(path = "pay_invoice.html")]
struct InvoicePage {
    frame: Frame,
    words: &'static PayWords,
    first: &'static Words,
    second: &'static Words,
    shop: String,
    number: String,
    status: &'static str,
    headline: &'static str,
    note: &'static str,
    amount: String,
    lines: Vec<Line>,
    due: Option<(bool, String, String)>,
    paid_at: Option<(String, String)>,
    paid_with: String,
    shown: Option<Shown>,
    begun: Vec<Begun>,
    choosing: Option<Choosing>,
    has_failed: bool,
    back: Option<String>,
}

/// The invoice as its buyer sees it.
pub(super) async fn page(gateway: &Gateway, id: &str, asked: &Asked) -> Answered {
    let sheet = gateway.invoice_sheet(id).await?;
    render(StatusCode::OK, &page_of(gateway, sheet, asked, &PayForm::default(), None)?)
}

/// Begins to pay it by the method that was chosen.
pub(super) async fn begin(gateway: &Arc<Gateway>, id: &str, form: &PayForm, asked: &Asked) -> Answered {
    let payment = match gateway.pay_invoice(id, &form.method, form.email()).await {
        Ok(payment) => payment,
        Err(fault) if is_told(&fault) => {
            tracing::info!(invoice = id, %fault, "an invoice was not begun to be paid");
            let sheet = gateway.invoice_sheet(id).await?;
            let fault_told = told(asked.words, &fault);
            return render(status_of(&fault), &page_of(gateway, sheet, asked, form, fault_told)?);
        }
        Err(fault) => return Err(fault.into()),
    };
    let language = asked.words.base.language;
    Ok(match payment.status {
        PaymentStatus::Initiated if payment.instructions.is_none() => onward(&gateway.checkout_url(&payment)),
        _ => onward(&format!("/pay/{id}?with={}&lang={language}", payment.method)),
    })
}

fn page_of(
    gateway: &Gateway,
    sheet: InvoiceSheet,
    asked: &Asked,
    typed: &PayForm,
    fault: Option<&'static str>,
) -> Result<InvoicePage, crate::error::Fault> {
    let InvoiceSheet { invoice, lines, payments, ways, shop } = sheet;
    let words = asked.words;
    let [first, second] = words.both();
    let money = |minor: i64| first.amount(&format_amount(minor, invoice.currency), invoice.currency);
    let now = gateway.now();
    let is_payable = invoice.status.is_payable();
    let open: Vec<&Payment> =
        payments.iter().rev().filter(|payment| is_payable && payment.status == PaymentStatus::Initiated).collect();
    let with_instructions = || open.iter().filter(|payment| payment.instructions.is_some());
    let chosen = with_instructions().find(|payment| Some(&payment.method) == asked.with.as_ref());
    let shown = match chosen.or_else(|| with_instructions().next()) {
        Some(payment) => Some(shown(payment, words, now)?),
        None => None,
    };
    let begun = open
        .iter()
        .filter(|payment| shown.as_ref().is_none_or(|shown| shown.payment_id != payment.payment_id.as_str()))
        .map(|payment| Begun { title: words.method(&payment.method).0, url: gateway.checkout_url(payment) })
        .collect();
    let choosing = (!ways.is_empty()).then(|| Choosing::new(words, &ways, invoice.email.is_some(), typed, fault));
    let payer = payments.iter().find(|payment| payment.paid_minor > 0);
    let [headline, note] = match invoice.status {
        InvoiceStatus::Paid => words.paid,
        InvoiceStatus::Void => words.void,
        _ if choosing.is_none() && shown.is_none() => words.not_now,
        InvoiceStatus::Overdue => [words.overdue, ""],
        InvoiceStatus::Open | InvoiceStatus::Draft => [words.open, ""],
    };
    let is_over = invoice.due_at.is_some_and(|due_at| due_at <= now);
    Ok(InvoicePage {
        frame: Frame::new(invoice.mode, invoice.invoice_id.as_str()),
        words,
        first,
        second,
        shop,
        number: invoice.number.clone(),
        status: invoice.status.as_str(),
        headline,
        note,
        amount: money(invoice.amount_minor),
        lines: lines
            .into_iter()
            .map(|line| Line {
                unit: money(line.unit_amount_minor),
                amount: money(line.amount_minor),
                description: line.description,
                quantity: line.quantity,
            })
            .collect(),
        due: invoice.due_at.filter(|_| is_payable).map(|due_at| (is_over, due_at.to_rfc3339(), first.moment(due_at))),
        paid_at: invoice.paid_at.map(|paid_at| (paid_at.to_rfc3339(), first.moment(paid_at))),
        paid_with: payer.map(|payment| words.method(&payment.method).0).unwrap_or_default(),
        has_failed: is_payable
            && fault.is_none()
            && payments.last().is_some_and(|payment| payment.status == PaymentStatus::Failed),
        shown,
        begun,
        choosing,
        back: invoice.return_url,
    })
}

/// The number or the code of a payment, with what the page's script keeps up to date.
fn shown(
    payment: &Payment,
    words: &'static PayWords,
    now: crate::domain::time::Timestamp,
) -> Result<Shown, crate::error::Fault> {
    let languages = words.both();
    let json = payment.instructions.as_deref().unwrap_or_default();
    let Target { title, way, guides, expires } = target(payment, json, languages)?;
    Ok(Shown {
        title,
        way,
        // The page has a way to the other language.
        guides: guides.into_iter().take(1).collect(),
        payment_id: payment.payment_id.to_string(),
        expires_at: expires.to_rfc3339(),
        expires: (languages[0].moment(expires), languages[1].moment(expires)),
        expires_ms: expires.unix_millis(),
        now_ms: now.unix_millis(),
        now_is: state_at(payment, expires, now),
        states: states(payment, languages),
    })
}
