//! Polar's units of money and the gateway's, both ways, in whole numbers. What is charged is not decided here.

use crate::domain::money::{COUNTED_WHOLE, Currency};

/// How many of Polar's units, which are [`COUNTED_WHOLE`] or hundredths, and how many of the gateway's minor units, are the same money.
fn ratio(currency: Currency) -> (i64, i64) {
    let theirs = if COUNTED_WHOLE.contains(&currency.code()) { 0 } else { 2 };
    let ours = currency.decimals();
    if theirs >= ours { (10_i64.pow(theirs - ours), 1) } else { (1, 10_i64.pow(ours - theirs)) }
}

/// The multiple that an amount must be of for Polar to be able to say it.
pub fn step(currency: Currency) -> i64 {
    ratio(currency).1
}

/// An amount in Polar's units; none if it is no whole number of them.
pub fn units_of(amount_minor: i64, currency: Currency) -> Option<i64> {
    let (units, minor) = ratio(currency);
    exactly(amount_minor, units, minor)
}

/// An amount of Polar's in minor units; none if it is no whole number of them.
pub fn minor_of(units: i64, currency: Currency) -> Option<i64> {
    let (per, minor) = ratio(currency);
    exactly(units, minor, per)
}

fn exactly(amount: i64, times: i64, by: i64) -> Option<i64> {
    let product = amount.checked_mul(times)?;
    (product % by == 0).then(|| product / by)
}

/// Bounds in Polar's units as bounds in minor units: the least rounded up, the most down.
pub fn range(least: i64, most: i64, currency: Currency) -> (i64, i64) {
    let (units, minor) = ratio(currency);
    // One of the two is 1, so that no product can be out of range here.
    ((least.saturating_mul(minor) + units - 1) / units, most.saturating_mul(minor) / units)
}

/// Polar's smallest charge, in its units.
pub fn least_units(currency_code: &str) -> i64 {
    match currency_code {
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
        "IDR" => 900_000,
        "VND" => 20_000,
        _ => 50,
    }
}

/// The share of tax that Polar gives back with `amount` of an order's `net` and `tax`: rounded, halves to even.
pub fn tax_share(amount: i64, net: i64, tax: i64) -> Option<i64> {
    let (product, net) = (i128::from(amount) * i128::from(tax), i128::from(net));
    if net <= 0 || product < 0 {
        return None;
    }
    let (whole, rest) = (product / net, product % net);
    let is_up = rest * 2 > net || (rest * 2 == net && whole % 2 == 1);
    i64::try_from(whole + i128::from(is_up)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn money_is_the_same_in_both_ways_of_counting() {
        for (code, minor, units) in [
            ("USD", 2_900, 2_900),
            ("JPY", 2_900, 2_900),
            ("IDR", 50_000, 5_000_000),
            ("ISK", 1_000, 100_000),
            ("UGX", 7, 700),
            ("MGA", 500_000, 5_000),
            ("HUF", 17_500, 17_500),
        ] {
            assert_eq!(units_of(minor, currency(code)), Some(units), "{code}");
            assert_eq!(minor_of(units, currency(code)), Some(minor), "{code}");
        }
        assert_eq!(minor_of(900_001, currency("IDR")), None);
        assert_eq!(units_of(150, currency("MGA")), None);
        assert_eq!(units_of(i64::MAX, currency("IDR")), None);
        assert_eq!((step(currency("MGA")), step(currency("IDR"))), (100, 1));
    }

    #[test]
    fn only_the_currencies_that_are_counted_otherwise_have_a_ratio() {
        let odd: Vec<&str> = crate::psp::Driver::named("polar")
            .unwrap()
            .currencies
            .iter()
            .copied()
            .filter(|code| ratio(currency(code)) != (1, 1))
            .collect();
        assert_eq!(odd, ["IDR", "ISK", "MGA", "UGX"]);
    }

    #[test]
    fn bounds_are_rounded_inwards() {
        assert_eq!(range(900_000, 99_999_999, currency("IDR")), (9_000, 999_999));
        assert_eq!(range(50, 99_999_999, currency("ISK")), (1, 999_999));
        assert_eq!(range(50, 99_999_999, currency("MGA")), (5_000, 9_999_999_900));
        assert_eq!(range(50, 99_999_999, currency("USD")), (50, 99_999_999));
    }

    #[test]
    fn halves_of_tax_go_to_the_even_side() {
        assert_eq!(tax_share(2_500, 10_000, 1_900), Some(475));
        assert_eq!(tax_share(1, 2, 1), Some(0));
        assert_eq!(tax_share(3, 2, 1), Some(2));
        assert_eq!(tax_share(1, 0, 1), None);
    }
}
