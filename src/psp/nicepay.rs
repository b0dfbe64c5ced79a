//! NICEPAY, Indonesia: virtual accounts and QRIS in rupiah. Facts of 2026-11-21, from docs.nicepay.co.id.
//!
//! This version knows what NICEPAY can do and routes by it; it does not speak its wire protocol yet.

use super::{Credential, Driver, LostStart};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;

/// NICEPAY as a value.
pub const DRIVER: Driver = Driver {
    name: "nicepay",
    title: "NICEPAY",
    modes: &[Mode::Sandbox, Mode::Live],
    sandbox_host: "dev.nicepay.co.id",
    live_host: "www.nicepay.co.id",
    methods: &["qris", "va_bca", "va_mandiri", "va_bni", "va_bri", "va_permata"],
    currencies: &["IDR"],
    amount_range,
    amount_step: |_| 1,
    requires_email: true,
    requires_metadata: &[],
    credentials: &[
        Credential {
            name: "imid",
            is_required: true,
            meaning: "merchant id (iMid)",
            is_well_formed: |text| !text.is_empty(),
        },
        Credential {
            name: "merchant_key",
            is_required: true,
            meaning: "merchant key",
            is_well_formed: |text| !text.is_empty(),
        },
        Credential {
            name: "shop_id",
            is_required: false,
            meaning: "store id for QRIS",
            is_well_formed: |text| !text.is_empty(),
        },
    ],
    other_live_hosts: &[],
    lost_start: LostStart::NextReference,
    refundable: |_| Ok(()),
    scrubbed: &[],
    connect: None,
};

/// NICEPAY publishes no bounds for a method, only that there are some (code 9209). What is assumed here: Bank
/// Indonesia's ceiling of Rp 10,000,000 for one QRIS payment, and the twelve digits that the amount field has.
fn amount_range(method: &str, _currency: Currency) -> (i64, i64) {
    match method {
        "qris" => (1, 10_000_000),
        _ => (1, 999_999_999_999),
    }
}
