//! PayPal's decimal amounts and the gateway's minor units, by string arithmetic.

use crate::domain::money::Currency;

/// The currencies that PayPal takes without decimals. ISO 4217 gives two to HUF and TWD.
const WITHOUT_DECIMALS: [&str; 3] = ["HUF", "JPY", "TWD"];

/// The longest amount that PayPal's schema allows.
const LONGEST: usize = 32;

/// Whether PayPal takes decimals of `currency`.
pub(super) fn has_decimals(currency: Currency) -> bool {
    !WITHOUT_DECIMALS.contains(&currency.code())
}

/// `minor` as PayPal writes it, with exactly the decimals that it takes; `None` for what it could not hold.
pub(super) fn to_value(minor: i64, currency: Currency) -> Option<String> {
    let decimals = usize::try_from(currency.decimals()).ok()?;
    let digits = format!("{:0>width$}", u64::try_from(minor).ok()?, width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if has_decimals(currency) && decimals > 0 {
        return Some(format!("{whole}.{fraction}"));
    }
    fraction.bytes().all(|digit| digit == b'0').then(|| whole.to_owned())
}

/// The minor units that PayPal's `value` names, at any scale that loses nothing. Not below zero.
pub(super) fn to_minor(value: &str, currency: Currency) -> Option<i64> {
    if value.len() > LONGEST {
        return None;
    }
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    let is_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !is_digits(whole) || !is_digits(fraction) {
        return None;
    }
    let decimals = usize::try_from(currency.decimals()).ok()?;
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > decimals {
        return None;
    }
    format!("0{whole}{fraction:0<decimals$}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn an_amount_has_exactly_the_decimals_that_are_taken() {
        for (minor, code, value) in [
            (2490, "EUR", Some("24.90")),
            (5, "USD", Some("0.05")),
            (1500, "JPY", Some("1500")),
            (150_000, "HUF", Some("1500")),
            (150_050, "HUF", None),
            (100, "TWD", Some("1")),
            (-1, "USD", None),
            (i64::MAX, "USD", Some("92233720368547758.07")),
        ] {
            assert_eq!(to_value(minor, currency(code)).as_deref(), value, "{minor} {code}");
        }
    }

    #[test]
    fn an_amount_is_read_at_any_scale_that_loses_nothing() {
        for (value, code, minor) in [
            ("24.90", "EUR", Some(2490)),
            ("24.9", "EUR", Some(2490)),
            ("24", "EUR", Some(2400)),
            ("24.900", "EUR", Some(2490)),
            ("24.901", "EUR", None),
            (".5", "EUR", Some(50)),
            ("1500", "JPY", Some(1500)),
            ("1500.00", "JPY", Some(1500)),
            ("1500.50", "JPY", None),
            ("1500", "HUF", Some(150_000)),
            ("", "EUR", None),
            (".", "EUR", None),
            ("-1.00", "EUR", None),
            ("1,000.00", "EUR", None),
            ("1e3", "EUR", None),
            ("99999999999999999999", "EUR", None),
        ] {
            assert_eq!(to_minor(value, currency(code)), minor, "{value} {code}");
        }
    }
}
