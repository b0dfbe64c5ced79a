//! Money: a whole number of a currency's smallest unit, and how a person reads it.

/// The largest amount that one payment can have, in minor units.
pub const MAX_AMOUNT_MINOR: i64 = 999_999_999_999;

/// Currencies that are counted whole where every other one is counted in hundredths, as some providers do: also those that
/// have no smaller unit by ISO 4217 (króna, Ugandan shilling) or here (rupiah) are then counted in hundredths.
pub const COUNTED_WHOLE: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];

/// An ISO 4217 currency that money can be taken in.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// The currency with this upper-case ISO 4217 code. Codes that name no money (`XXX`, `XTS`, metals,
    /// accounting units) are not currencies here.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        use iso_currency::Currency as Iso;
        let currency = Iso::from_code(code)?;
        // The West African, Central African, East Caribbean, Caribbean guilder and Pacific francs are the
        // only X-codes that people pay with; the rest are metals, units of account and 'no currency'.
        let payable = !code.starts_with('X') || matches!(code, "XAF" | "XCD" | "XCG" | "XOF" | "XPF");
        payable.then_some(Self(currency))
    }

    /// The ISO 4217 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// How many decimals separate the minor unit from the major one.
    ///
    /// ISO 4217 gives the rupiah two, but no one has minted a sen for decades and every Indonesian PSP counts
    /// whole rupiah, so here it has none.
    #[must_use]
    pub fn decimals(self) -> u32 {
        match self.code() {
            "IDR" => 0,
            _ => u32::from(self.0.exponent().unwrap_or(0)),
        }
    }
}

impl std::fmt::Debug for Currency {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.code())
    }
}

impl serde::Serialize for Currency {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// An amount as people read it: `Rp 50,000`, `$29.00`, `¥2,900`.
#[must_use]
pub fn format_amount(minor: i64, currency: Currency) -> String {
    let symbol = currency.0.symbol().to_string();
    let gap = if symbol.ends_with(|last: char| last.is_alphabetic()) { " " } else { "" };
    let sign = if minor < 0 { "-" } else { "" };
    let decimals = currency.decimals() as usize;
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (major, fraction) = digits.split_at(digits.len() - decimals);
    let mut grouped = String::new();
    for (index, digit) in major.chars().enumerate() {
        if index > 0 && (major.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let point = if decimals > 0 { "." } else { "" };
    format!("{sign}{symbol}{gap}{grouped}{point}{fraction}")
}

/// An amount as machines read it, without symbol and separators: `50000`, `29.00`.
#[must_use]
pub fn plain_amount(minor: i64, currency: Currency) -> String {
    let sign = if minor < 0 { "-" } else { "" };
    let decimals = currency.decimals() as usize;
    let digits = format!("{:0>width$}", minor.unsigned_abs(), width = decimals + 1);
    let (major, fraction) = digits.split_at(digits.len() - decimals);
    let point = if decimals > 0 { "." } else { "" };
    format!("{sign}{major}{point}{fraction}")
}

/// The minor units that a person means by `50,000` or `29.00`; `None` for what is no amount in this currency.
#[must_use]
pub fn parse_amount(text: &str, currency: Currency) -> Option<i64> {
    let text: String = text.chars().filter(|character| !matches!(character, ',' | ' ' | '_')).collect();
    let (major, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let decimals = currency.decimals() as usize;
    let is_number = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if major.is_empty() || !is_number(major) || !is_number(fraction) || fraction.len() > decimals {
        return None;
    }
    let minor: i64 = format!("{major}{fraction:0<decimals$}").parse().ok()?;
    (minor <= MAX_AMOUNT_MINOR).then_some(minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_reads_as_its_currency_is_written() {
        for (minor, code, text) in [
            (50_000, "IDR", "Rp 50,000"),
            (2_900, "USD", "$29.00"),
            (2_900, "JPY", "¥2,900"),
            (5, "USD", "$0.05"),
            (1_234_567, "EUR", "€12,345.67"),
            (1_000, "KWD", "د.ك 1.000"),
            (-100_000, "IDR", "-Rp 100,000"),
            (999_999_999_999, "IDR", "Rp 999,999,999,999"),
        ] {
            assert_eq!(format_amount(minor, Currency::parse(code).unwrap()), text);
        }
    }

    #[test]
    fn an_amount_that_a_person_types_is_read_in_its_currency() {
        let read = |text, code| parse_amount(text, Currency::parse(code).unwrap());
        for (text, code, minor) in [
            ("50,000", "IDR", 50_000),
            ("29", "USD", 2_900),
            ("29.5", "USD", 2_950),
            ("1 234.567", "KWD", 1_234_567),
            ("0", "JPY", 0),
        ] {
            assert_eq!(read(text, code), Some(minor), "{text}");
        }
        for (text, code) in
            [("", "USD"), ("-1", "USD"), ("1.234", "USD"), ("1.5", "IDR"), ("1e3", "USD"), (".5", "USD")]
        {
            assert_eq!(read(text, code), None, "{text}");
        }
        assert_eq!(read("99999999999999999999", "IDR"), None);
        assert_eq!(plain_amount(2_905, Currency::parse("USD").unwrap()), "29.05");
        assert_eq!(plain_amount(50_000, Currency::parse("IDR").unwrap()), "50000");
    }

    #[test]
    fn codes_that_are_no_money_are_no_currency() {
        for code in ["XXX", "XTS", "XAU", "usd", "US", "", "ZZZ", "IDR "] {
            assert!(Currency::parse(code).is_none(), "{code}");
        }
    }
}
