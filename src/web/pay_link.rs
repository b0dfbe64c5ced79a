//! The page of a payment link: what it is for, how much, how to pay. Every visitor who pays makes a payment of his own;
//! the page's token sees to it that a second click does not make another.

use std::sync::Arc;

use actix_web::http::StatusCode;
use askama::Template;

use super::onward;
use super::pay::{Asked, Choosing, Frame, PayForm, is_told, render, status_of, told};
use super::pay_words::PayWords;
use crate::domain::money::{Currency, format_amount, parse_amount, plain_amount};
use crate::domain::payment_links::{LinkAmount, LinkStatus};
use crate::domain::payments::PaymentStatus;
use crate::domain::secrets::random_hex;
use crate::error::Code;
use crate::gateway::{Gateway, LinkChoice, LinkSheet};
use crate::problem::Answered;

/// What the buyer chooses to pay.
struct AmountField {
    value: String,
    least: String,
    most: String,
}

#[derive(Template)]
#[template(path = "pay_link.html")]
struct LinkPage {
    frame: Frame,
    words: &'static PayWords,
    shop: String,
    description: String,
    /// The fixed amount; empty where the buyer chooses.
    amount: String,
    currency: &'static str,
    asks_amount: Option<AmountField>,
    expires: Option<(String, String)>,
    said: Option<[&'static str; 2]>,
    is_good: bool,
    choosing: Option<Choosing>,
    nonce: String,
    back: Option<String>,
}

/// The link as its visitors see it.
pub(super) async fn page(gateway: &Gateway, id: &str, asked: &Asked) -> Answered {
    let sheet = gateway.link_sheet(id).await?;
    render(StatusCode::OK, &page_of(sheet, asked, &PayForm::default(), None, false))
}

/// Begins a payment by it.
pub(super) async fn begin(gateway: &Arc<Gateway>, id: &str, form: &PayForm, asked: &Asked) -> Answered {
    let currency = gateway.link_sheet(id).await?.link.currency;
    let choice = LinkChoice {
        nonce: &form.nonce,
        method: &form.method,
        email: form.email(),
        amount_minor: typed_amount(&form.amount, currency),
    };
    match gateway.pay_by_link(id, choice).await {
        Ok(payment) if payment.status == PaymentStatus::Initiated => Ok(onward(&gateway.checkout_url(&payment))),
        Ok(payment) => Ok(onward(&super::back_to_shop(&payment, payment.status))),
        Err(fault) if is_told(&fault) => {
            tracing::info!(link = id, %fault, "a payment by a link was not begun");
            let sheet = gateway.link_sheet(id).await?;
            let fault_told = told(asked.words, &fault);
            // What was begun and did not get through has its use already: the same form goes on with it.
            let goes_on = matches!(fault.code, Code::ProviderUnavailable | Code::IdempotencyInProgress);
            render(status_of(&fault), &page_of(sheet, asked, form, fault_told, goes_on))
        }
        Err(fault) => Err(fault.into()),
    }
}

/// What a buyer means by `50.000`, where the currency has no decimals that the point could begin.
fn typed_amount(text: &str, currency: Currency) -> Option<i64> {
    let text = text.trim();
    let groups: Vec<&str> = text.split('.').collect();
    let is_grouped = currency.decimals() == 0 && groups.iter().skip(1).all(|group| group.len() == 3);
    if is_grouped { parse_amount(&groups.concat(), currency) } else { parse_amount(text, currency) }
}

fn page_of(sheet: LinkSheet, asked: &Asked, typed: &PayForm, fault: Option<&'static str>, goes_on: bool) -> LinkPage {
    let LinkSheet { link, status, is_busy, ways, shop } = sheet;
    let words = asked.words;
    let money = |minor: i64| words.base.amount(&format_amount(minor, link.currency), link.currency);
    let is_busy = is_busy && !goes_on;
    let choosing = (!ways.is_empty() && !is_busy).then(|| Choosing::new(words, &ways, false, typed, fault));
    let said = match status {
        LinkStatus::Closed => Some(words.link_closed),
        LinkStatus::Expired => Some(words.link_expired),
        LinkStatus::UsedUp => Some(words.used_up),
        LinkStatus::Active if is_busy => Some(words.busy),
        LinkStatus::Active if choosing.is_none() => Some(words.not_now),
        LinkStatus::Active => None,
    };
    let is_paid = asked.is_paid;
    let (amount, asks_amount) = match link.amount() {
        LinkAmount::Fixed(amount_minor) => (money(amount_minor), None),
        LinkAmount::Chosen(least, most) => {
            let value = if typed.amount.is_empty() && least == most {
                plain_amount(least, link.currency)
            } else {
                typed.amount.clone()
            };
            (String::new(), Some(AmountField { value, least: money(least), most: money(most) }))
        }
    };
    LinkPage {
        frame: Frame::new(link.mode, link.payment_link_id.as_str()),
        words,
        shop,
        description: link.description.clone(),
        amount,
        currency: link.currency.code(),
        asks_amount,
        expires: link
            .expires_at
            .filter(|_| said.is_none())
            .map(|expires_at| (expires_at.to_rfc3339(), words.base.moment(expires_at))),
        said: if is_paid { Some(words.thanks) } else { said },
        is_good: is_paid,
        choosing: choosing.filter(|_| !is_paid),
        nonce: if goes_on { typed.nonce.clone() } else { random_hex(16) },
        back: link.return_url,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_separates_thousands_where_there_are_no_decimals() {
        let read = |text, code| typed_amount(text, Currency::parse(code).unwrap());
        assert_eq!(read("50.000", "IDR"), Some(50_000));
        assert_eq!(read(" 1.250.000 ", "IDR"), Some(1_250_000));
        assert_eq!(read("50000", "IDR"), Some(50_000));
        assert_eq!(read("50,000", "IDR"), Some(50_000));
        assert_eq!(read("50.00", "IDR"), None);
        assert_eq!(read("29.50", "USD"), Some(2_950));
        assert_eq!(read("", "IDR"), None);
    }
}
