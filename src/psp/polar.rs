//! Polar, merchant of record for digital products. Facts of 2026-11-21, from Polar's API and server source.
//!
//! This version knows what Polar can do and routes by it; it does not speak its wire protocol yet.

use super::{Credential, Driver, LostStart};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;

/// Polar as a value.
pub const DRIVER: Driver = Driver {
    name: "polar",
    title: "Polar",
    modes: &[Mode::Sandbox, Mode::Live],
    sandbox_host: "sandbox-api.polar.sh",
    live_host: "api.polar.sh",
    methods: &["polar"],
    currencies: &[
        "AED", "ALL", "AMD", "AOA", "ARS", "AUD", "AWG", "AZN", "BAM", "BBD", "BDT", "BIF", "BMD", "BND", "BOB", "BRL",
        "BSD", "BWP", "BZD", "CAD", "CDF", "CHF", "CLP", "CNY", "COP", "CRC", "CVE", "CZK", "DJF", "DKK", "DOP", "DZD",
        "EGP", "ETB", "EUR", "FJD", "FKP", "GBP", "GEL", "GIP", "GMD", "GNF", "GTQ", "GYD", "HKD", "HNL", "HTG", "HUF",
        "IDR", "ILS", "INR", "ISK", "JMD", "JPY", "KES", "KGS", "KHR", "KMF", "KRW", "KYD", "KZT", "LAK", "LKR", "LRD",
        "LSL", "MAD", "MDL", "MGA", "MKD", "MNT", "MOP", "MUR", "MVR", "MWK", "MXN", "MYR", "MZN", "NAD", "NGN", "NIO",
        "NOK", "NPR", "NZD", "PAB", "PEN", "PGK", "PHP", "PKR", "PLN", "PYG", "QAR", "RON", "RSD", "RWF", "SAR", "SBD",
        "SCR", "SEK", "SGD", "SHP", "SOS", "SRD", "SZL", "THB", "TJS", "TOP", "TRY", "TTD", "TWD", "TZS", "UAH", "UGX",
        "USD", "UYU", "UZS", "VND", "VUV", "WST", "XAF", "XCD", "XCG", "XOF", "XPF", "YER", "ZAR", "ZMW",
    ],
    amount_range,
    amount_step: |_| 1,
    requires_email: true,
    requires_metadata: &[],
    credentials: &[
        Credential {
            name: "access_token",
            is_required: true,
            meaning: "organization access token",
            is_well_formed: |text| !text.is_empty(),
        },
        Credential {
            name: "webhook_secret",
            is_required: true,
            meaning: "secret of the webhook endpoint",
            is_well_formed: |text| !text.is_empty(),
        },
    ],
    other_live_hosts: &[],
    lost_start: LostStart::Repeat,
    refundable: |_| Ok(()),
    scrubbed: &[],
    connect: None,
};

/// Polar's smallest charge for each currency, in Polar's units, and its greatest by default. Polar counts the rupiah
/// in hundredths (900,000 is Rp 9,000); the gateway counts it whole.
fn amount_range(_method: &str, currency: Currency) -> (i64, i64) {
    let least = match currency.code() {
        "GBP" => 40,
        "CAD" | "AUD" | "SGD" => 70,
        "JPY" => 80,
        "KRW" => 800,
        "INR" => 6_000,
        "BRL" => 250,
        "SEK" | "NOK" => 500,
        "DKK" => 320,
        "PLN" => 200,
        "CZK" => 1_500,
        "HUF" => 17_500,
        "IDR" => 9_000,
        "VND" => 20_000,
        _ => 50,
    };
    let most = if currency.code() == "IDR" { 999_999 } else { 99_999_999 };
    (least, most)
}
