//! Decimals of the ledger as people read and write them: every digit, never by a float. What one is, is in
//! `domain::decimals`.

use crate::domain::decimals::Decimal;
use crate::domain::money::Currency;

/// A decimal with its thousands apart; one of money has at least the places of its currency.
pub(super) fn amount(decimal: Decimal, currency: Option<Currency>) -> String {
    let text = decimal.to_string();
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let mut shown = sign.to_owned();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let places = currency.map_or(0, |currency| usize::try_from(currency.decimals()).unwrap_or(0)).max(fraction.len());
    if places > 0 {
        shown.push('.');
        shown.push_str(&format!("{fraction:0<places$}"));
    }
    shown
}

/// The same of a change: what is added says so.
pub(super) fn change(decimal: Decimal, currency: Option<Currency>) -> String {
    let sign = if decimal > Decimal::ZERO { "+" } else { "" };
    format!("{sign}{}", amount(decimal, currency))
}

/// What a person means by a number: as [`amount`] or [`change`] shows it, or plain.
pub(super) fn read(text: &str) -> Option<Decimal> {
    let text = text.trim().replace('\u{2212}', "-");
    let text = text.strip_prefix('+').filter(|rest| !rest.starts_with('-')).unwrap_or(&text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !whole.contains(',') {
        return Decimal::parse(text);
    }
    let mut groups = whole.strip_prefix('-').unwrap_or(whole).split(',');
    let is_first = groups.next().is_some_and(|first| (1..=3).contains(&first.len()));
    let is_grouped = is_first && groups.all(|group| group.len() == 3) && !fraction.contains(',');
    is_grouped.then(|| Decimal::parse(&text.replace(',', "")))?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_is_shown_to_the_digit_and_read_back() {
        let currency = |code| Currency::parse(code);
        for (text, of, shown) in [
            ("0", None, "0"),
            ("999", None, "999"),
            ("1000", None, "1,000"),
            ("-1234567.000001", None, "-1,234,567.000001"),
            ("123456789012345678901234", None, "123,456,789,012,345,678,901,234"),
            ("29.5", currency("USD"), "29.50"),
            ("50000", currency("IDR"), "50,000"),
            ("100", currency("JPY"), "100"),
            ("1.234567", currency("USD"), "1.234567"),
        ] {
            let decimal = Decimal::parse(text).unwrap();
            assert_eq!(amount(decimal, of), shown);
            assert_eq!(read(&amount(decimal, of)), Some(decimal), "{shown}");
            assert_eq!(read(&change(decimal, of)), Some(decimal), "{shown}");
        }
        assert_eq!(change(Decimal::from_millionths(1), None), "+0.000001");
        assert_eq!(read(" −1,000.5 "), Decimal::parse("-1000.5"));
        for bad in ["1,00", "1,0000", ",100", "1,,000", "1.000,5", "+-1", "++1", "1 000", "", "abc", "1,000,", "0x10"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
