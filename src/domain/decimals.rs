//! Decimals of the ledger: whole millionths, read from a number's own text and written to the digit. Money of payments
//! is in `money`; no float is anywhere near either.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use super::money::Currency;

/// How many decimals there are.
const PLACES: u32 = 6;

/// Millionths in one.
const ONE: i128 = 1_000_000;

/// The longest text that is read as a number.
const MAX_TEXT: usize = 64;

/// A decimal with at most six places: an amount, or a sum of amounts, in whatever a ledger counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many millionths.
    #[must_use]
    pub const fn from_millionths(millionths: i128) -> Self {
        Self(millionths)
    }

    /// An amount of money in its currency's major unit, as `50000` of 50,000 rupiah and `29` of 2,900 cents.
    #[must_use]
    pub fn of_money(minor: i64, currency: Currency) -> Self {
        Self(i128::from(minor) * 10i128.pow(PLACES.saturating_sub(currency.decimals())))
    }

    /// As millionths.
    #[must_use]
    pub const fn millionths(self) -> i128 {
        self.0
    }

    /// The number that a JSON number's text spells, exactly: `0.1`, `1e2`, `-0.000001`. `None` for what is no number, has
    /// a seventh place that is not zero, or does not fit.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|e| e.abs() <= 100)?),
            None => (text, 0),
        };
        let (is_negative, digits) = mantissa.strip_prefix('-').map_or((false, mantissa), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let has_point = digits.contains('.');
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_digits(whole) || (has_point && !is_digits(fraction)) {
            return None;
        }
        let mut number: i128 = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            number = number.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?;
        }
        // The number is `number` times ten to this power, in millionths.
        let power = exponent + i32::try_from(PLACES).ok()? - i32::try_from(fraction.len()).ok()?;
        let scale = if number == 0 { 1 } else { 10i128.checked_pow(power.unsigned_abs())? };
        let millionths = match power {
            _ if number == 0 => 0,
            0.. => number.checked_mul(scale)?,
            _ if number % scale == 0 => number / scale,
            _ => return None,
        };
        Some(Self(if is_negative { -millionths } else { millionths }))
    }

    /// The sum, if it fits.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(sum) => Some(Self(sum)),
            None => None,
        }
    }

    /// The difference, if it fits.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(difference) => Some(Self(difference)),
            None => None,
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }
}

/// Plain, without an exponent or zeros at the end: `-0.000001`, `100`.
impl fmt::Display for Decimal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, millionths) =
            (self.0.unsigned_abs() / ONE.unsigned_abs(), self.0.unsigned_abs() % ONE.unsigned_abs());
        let sign = if self.0 < 0 { "-" } else { "" };
        if millionths == 0 {
            return write!(formatter, "{sign}{whole}");
        }
        let fraction = format!("{millionths:06}");
        write!(formatter, "{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }
}

/// As a JSON number with every digit. It must be written out with `serde_json::to_string`: a `serde_json::Value` would
/// make a float of it.
impl Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        RawValue::from_string(self.to_string()).map_err(serde::ser::Error::custom)?.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_what_its_text_spells() {
        for (text, millionths) in [
            ("0", 0),
            ("-0", 0),
            ("0.1", 100_000),
            ("1e2", 100_000_000),
            ("1E+2", 100_000_000),
            ("-0.000001", -1),
            ("1e-6", 1),
            ("12.5e-1", 1_250_000),
            ("0.1000000", 100_000),
            ("100000000000e-10", 10_000_000),
            ("1000000000", 1_000_000_000_000_000),
            ("0e99", 0),
        ] {
            assert_eq!(Decimal::parse(text).map(Decimal::millionths), Some(millionths), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_number_is_refused() {
        for text in [
            "",
            "-",
            ".5",
            "5.",
            "1.5.2",
            "NaN",
            "Infinity",
            "0.0000001",
            "1e-7",
            "1.2345678",
            "--1",
            "+1",
            " 1",
            "1 ",
            "1e",
            "1e2.5",
            "0x10",
            "\"1\"",
            "null",
            "1e101",
            "99999999999999999999999999999999999999999",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_decimal_is_written_to_the_digit() {
        for text in ["0", "0.1", "-0.000001", "100", "123456789012345678901234567890.123456", "-42.5"] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!(decimal.to_string(), text);
            assert_eq!(serde_json::to_string(&decimal).unwrap(), text);
        }
    }

    #[test]
    fn money_is_told_in_its_major_unit() {
        let [idr, usd, jpy, kwd] = ["IDR", "USD", "JPY", "KWD"].map(|code| Currency::parse(code).unwrap());
        let told = [(50_000, idr), (2_999, usd), (2_900, jpy), (1_234, kwd)]
            .map(|(minor, currency)| Decimal::of_money(minor, currency).to_string());
        assert_eq!(told, ["50000", "29.99", "2900", "1.234"]);
    }
}
