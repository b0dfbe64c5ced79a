//! PayPal, Orders v2. Facts of 2026-11-21, from developer.paypal.com.
//!
//! This version knows what PayPal can do and routes by it; it does not speak its wire protocol yet.

use super::{Credential, Driver, LostStart};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;

/// PayPal as a value.
pub const DRIVER: Driver = Driver {
    name: "paypal",
    title: "PayPal",
    modes: &[Mode::Sandbox, Mode::Live],
    sandbox_host: "api-m.sandbox.paypal.com",
    live_host: "api-m.paypal.com",
    methods: &["paypal"],
    currencies: &[
        "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
        "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
    ],
    amount_range,
    amount_step,
    requires_email: false,
    requires_metadata: &[],
    credentials: &[
        Credential {
            name: "client_id",
            is_required: true,
            meaning: "client id of the REST app",
            is_well_formed: |text| !text.is_empty(),
        },
        Credential {
            name: "client_secret",
            is_required: true,
            meaning: "its secret",
            is_well_formed: |text| !text.is_empty(),
        },
        Credential {
            name: "webhook_id",
            is_required: true,
            meaning: "id of the webhook that is registered for it",
            is_well_formed: |text| !text.is_empty(),
        },
    ],
    other_live_hosts: &[],
    lost_start: LostStart::Repeat,
    refundable: |_| Ok(()),
    scrubbed: &[],
    connect: None,
};

/// PayPal publishes no bounds but the length of the amount; ten digits in all is assumed.
fn amount_range(_method: &str, currency: Currency) -> (i64, i64) {
    (amount_step(currency), 9_999_999_999)
}

/// PayPal takes no decimals for forint and New Taiwan dollar, although ISO 4217 gives both two.
fn amount_step(currency: Currency) -> i64 {
    match currency.code() {
        "HUF" | "TWD" => 100,
        _ => 1,
    }
}
