//! What Polar is sent to make a checkout, and what a checkout is that was made. Nothing is sent from here.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::wire::{ATTEMPT_KEY, Checkout, PAYMENT_KEY, Product, REFERENCE_KEY};
use super::{CLOCK_SKEW, GARBAGE, MAX_NAME, PRICES_COVER_THE_CATALOGUE, TAX_BEHAVIOR, is_id, money};
use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;
use crate::psp::{Failure, Start, Started};

/// Whether a checkout was made before the payment was.
pub fn is_older(checkout: &Checkout, payment_id: &PaymentId) -> bool {
    let made_at = checkout.created_at.as_deref().and_then(Timestamp::parse_rfc3339);
    made_at.is_some_and(|made_at| PaymentId::latest_at(made_at.plus(CLOCK_SKEW)) < *payment_id)
}

pub fn started(checkout: Checkout) -> Result<Started, Failure> {
    if !is_id(&checkout.id) || !checkout.url.starts_with("http") {
        return Err(GARBAGE);
    }
    Ok(Started {
        provider_ref: checkout.id,
        checkout_url: Some(checkout.url),
        instructions: None,
        expires_at: checkout.expires_at.as_deref().and_then(Timestamp::parse_rfc3339),
    })
}

/// The body that makes a checkout, or why none can be made of this product.
pub fn checkout_request(start: &Start<'_>, product_id: &str, product: &Product, units: i64) -> Result<Value, Failure> {
    if product.is_archived {
        return Err(Failure::refused("the product is archived at the provider"));
    }
    let currency = start.currency.code().to_ascii_lowercase();
    let mut body = json!({
        "products": [product_id],
        "currency": currency,
        "allow_discount_codes": false,
        "allow_trial": false,
        "external_customer_id": start.external_user_id,
        "success_url": start.return_url,
        "metadata": {
            PAYMENT_KEY: start.payment_id.as_str(),
            ATTEMPT_KEY: start.attempt_id.as_str(),
            REFERENCE_KEY: start.reference,
        },
    });
    if let Some(email) = start.email {
        body["customer_email"] = json!(email);
    }
    if let Some(name) = &start.buyer.name {
        body["customer_name"] = json!(name.chars().take(MAX_NAME).collect::<String>());
    }
    // Polar refuses a whole checkout for an address that is none.
    if let Some(ip) = start.buyer.ip.as_ref().and_then(|ip| ip.parse::<IpAddr>().ok()) {
        body["customer_ip_address"] = json!(ip.to_string());
    }
    let live = || product.prices.iter().filter(|price| !price.is_archived);
    if product.is_recurring {
        let own = live().find(|price| price.amount_type == "fixed" && price.price_currency == currency);
        let Some(own) = own.and_then(|price| price.price_amount) else {
            let reason = format!("the recurring product has no fixed price in {}", start.currency.code());
            return Err(Failure::refused(reason));
        };
        if own != units {
            let own = money::minor_of(own, start.currency).map_or_else(|| "other".to_owned(), |own| own.to_string());
            return Err(Failure::refused(format!(
                "the recurring product costs {own} {} in minor units, the payment asks for {}",
                start.currency.code(),
                start.amount_minor
            )));
        }
    } else {
        let mut prices = vec![ad_hoc_price(units, &currency)];
        for price in live().filter(|_| PRICES_COVER_THE_CATALOGUE) {
            if prices.iter().all(|given| given["price_currency"] != price.price_currency.as_str()) {
                let least = money::least_units(&price.price_currency.to_ascii_uppercase());
                let amount = price.price_amount.filter(|_| price.amount_type == "fixed").unwrap_or(least);
                prices.push(ad_hoc_price(amount, &price.price_currency));
            }
        }
        body["prices"] = json!({ product_id: prices });
    }
    Ok(body)
}

fn ad_hoc_price(units: i64, currency: &str) -> Value {
    json!({
        "amount_type": "fixed",
        "price_amount": units,
        "price_currency": currency,
        "tax_behavior": TAX_BEHAVIOR,
    })
}
