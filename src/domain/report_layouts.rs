//! How settlement reports are laid out, and what a line of one says. The settings give the [`Layout`]; comparing it with what
//! we have booked is in `settlement`.

use super::money::{COUNTED_WHOLE, Currency};
use super::settlement::{Kind, Line};
use super::time::Timestamp;

/// How a provider lays out its report: the names of its columns, and how to read them. An empty name is a column that the
/// report does not have.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    /// The provider's id of the transaction.
    pub reference: String,
    /// Our payment's or refund's id, where the report carries it.
    pub our_id: String,
    /// How much.
    pub amount: String,
    /// What `amount` counts.
    pub unit: Unit,
    /// The currency.
    pub currency: String,
    /// The currency of a report that does not name it.
    pub default_currency: String,
    /// What kind of line it is.
    pub kind: String,
    /// What `kind` begins with for a payment.
    pub payment_kinds: Vec<String>,
    /// What `kind` begins with for a refund.
    pub refund_kinds: Vec<String>,
    /// Whether money came or went.
    pub direction: String,
    /// The word in `direction` for money that came.
    pub credit: String,
    /// When.
    pub date: String,
    /// Hours east of UTC of dates that do not say it.
    pub hours_east: i8,
    /// What the first cell of the line with the column names is, where lines begin with what they are.
    pub header_marker: String,
    /// What the first cell of a line about a transaction is, where lines begin with what they are.
    pub row_marker: String,
}

/// What an amount counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// The currency itself, with a decimal point.
    #[default]
    Major,
    /// The currency's smallest unit.
    Minor,
    /// Hundredths, whatever the currency's smallest unit is, but for [`COUNTED_WHOLE`].
    Hundredths,
}

impl Unit {
    /// The unit that the settings call so.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "major" => Some(Self::Major),
            "minor" => Some(Self::Minor),
            "hundredths" => Some(Self::Hundredths),
            _ => None,
        }
    }

    /// The minor units that `text` says, and whether it says that money went. Never by way of a float.
    #[must_use]
    pub fn minor_units(self, text: &str, currency: Currency) -> Option<(i64, bool)> {
        let text = text.trim();
        let in_brackets = text.strip_prefix('(').and_then(|rest| rest.strip_suffix(')'));
        let unsigned = in_brackets.unwrap_or(text).trim();
        let (is_negative, digits) = match unsigned.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (in_brackets.is_some(), unsigned.strip_prefix('+').unwrap_or(unsigned)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let whole = without_separators(whole)?;
        let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !is_number(&whole) || !is_number(fraction) {
            return None;
        }
        let decimals = currency.decimals() as usize;
        // How many decimals lie between the text's unit and the minor unit: what is beyond must be nothing.
        let shift = match self {
            Self::Major => decimals,
            Self::Minor => 0,
            Self::Hundredths if COUNTED_WHOLE.contains(&currency.code()) => {
                return whole_units(&whole, fraction, decimals).map(|minor| (minor, is_negative));
            }
            Self::Hundredths => return hundredths(&whole, fraction, decimals).map(|minor| (minor, is_negative)),
        };
        let (kept, beyond) = fraction.split_at(fraction.len().min(shift));
        if beyond.bytes().any(|byte| byte != b'0') {
            return None;
        }
        let minor = format!("{whole}{kept:0<shift$}").parse().ok()?;
        Some((minor, is_negative))
    }
}

fn whole_units(whole: &str, fraction: &str, decimals: usize) -> Option<i64> {
    if fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    whole.parse::<i64>().ok()?.checked_mul(10_i64.checked_pow(u32::try_from(decimals).ok()?)?)
}

fn hundredths(whole: &str, fraction: &str, decimals: usize) -> Option<i64> {
    if fraction.bytes().any(|byte| byte != b'0') {
        return None;
    }
    let hundredths: i64 = whole.parse().ok()?;
    if decimals >= 2 {
        return hundredths.checked_mul(10_i64.checked_pow(u32::try_from(decimals - 2).ok()?)?);
    }
    let per = 10_i64.pow(2 - decimals as u32);
    (hundredths % per == 0).then_some(hundredths / per)
}

/// `1,234,567` without its commas, if they stand where they may.
fn without_separators(whole: &str) -> Option<String> {
    let mut groups = whole.split(',');
    let first = groups.next()?;
    let rest: Vec<&str> = groups.collect();
    let is_grouped = rest.is_empty() || ((1..=3).contains(&first.len()) && rest.iter().all(|group| group.len() == 3));
    is_grouped.then(|| format!("{first}{}", rest.concat()))
}

/// What a line of a report turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    /// A transaction.
    Line(Line),
    /// Something else: a fee, a payout, a sum.
    Other,
    /// Not what it should be; why.
    Bad(String),
}

/// A layout whose columns were found in a report.
#[derive(Clone, Debug)]
pub struct Columns<'a> {
    layout: &'a Layout,
    reference: usize,
    our_id: Option<usize>,
    amount: usize,
    currency: Option<usize>,
    kind: Option<usize>,
    direction: Option<usize>,
    date: Option<usize>,
}

impl<'a> Columns<'a> {
    /// Finds the columns among the cells of a report's head.
    ///
    /// # Errors
    /// The names that are not there.
    pub fn find(layout: &'a Layout, head: &[&str]) -> Result<Self, String> {
        let mut missing = Vec::new();
        let mut find = |name: &str| {
            if name.is_empty() {
                return None;
            }
            let wanted = folded(name);
            let found = head.iter().position(|cell| folded(cell) == wanted);
            if found.is_none() {
                missing.push(name.to_owned());
            }
            found
        };
        let (reference, amount) = (find(&layout.reference), find(&layout.amount));
        let currency = find(&layout.currency);
        let (kind, direction, date) = (find(&layout.kind), find(&layout.direction), find(&layout.date));
        // A report may come without it: it only helps.
        let our_id = Some(&layout.our_id).filter(|name| !name.is_empty());
        let our_id = our_id.and_then(|name| head.iter().position(|cell| folded(cell) == folded(name)));
        match (reference, amount, missing.is_empty()) {
            (Some(reference), Some(amount), true) => {
                Ok(Self { layout, reference, our_id, amount, currency, kind, direction, date })
            }
            _ => Err(format!("the report has no column {}", missing.join(", "))),
        }
    }

    /// Reads a line.
    #[must_use]
    pub fn read(&self, number: u64, cells: &[&str]) -> Read {
        let layout = self.layout;
        if !layout.row_marker.is_empty() && cells.first().map(|cell| cell.trim()) != Some(layout.row_marker.as_str()) {
            return Read::Other;
        }
        let cell = |index: usize| cells.get(index).map_or("", |cell| cell.trim());
        let optional = |index: Option<usize>| index.map_or("", &cell);
        let kind_text = optional(self.kind);
        let told_kind = self.kind.map(|_| kind_of(layout, kind_text));
        if told_kind == Some(None) {
            return Read::Other;
        }
        let code = match optional(self.currency) {
            "" => layout.default_currency.as_str(),
            code => code,
        };
        let Some(currency) = Currency::parse(&code.to_ascii_uppercase()) else {
            return Read::Bad(format!("{} is no currency", shown(code)));
        };
        let amount = cell(self.amount);
        let Some((amount_minor, is_negative)) = layout.unit.minor_units(amount, currency) else {
            return Read::Bad(format!("{} is no amount of {}", shown(amount), currency.code()));
        };
        let has_come = self.direction.map(|index| cell(index).eq_ignore_ascii_case(&layout.credit));
        let kind = match told_kind.flatten() {
            Some(kind) => kind,
            None if is_negative || has_come == Some(false) => Kind::Refund,
            None => Kind::Payment,
        };
        // A payment that was sent, or a refund that came back, is neither.
        if self.kind.is_some() && has_come.is_some_and(|has_come| has_come != (kind == Kind::Payment)) {
            return Read::Other;
        }
        let reference = cell(self.reference);
        let our_id = Some(optional(self.our_id)).filter(|id| !id.is_empty());
        if reference.is_empty() && our_id.is_none() {
            return Read::Bad("there is no reference".to_owned());
        }
        if reference.len() > 256 || reference.chars().any(char::is_control) {
            return Read::Bad("the reference cannot be one".to_owned());
        }
        let date = optional(self.date);
        let at = if date.is_empty() { None } else { moment(date, layout.hours_east) };
        if !date.is_empty() && at.is_none() {
            return Read::Bad(format!("{} is no date", shown(date)));
        }
        Read::Line(Line {
            number,
            kind,
            reference: reference.to_owned(),
            our_id: our_id.filter(|id| id.len() <= 64 && !id.contains('\0')).map(str::to_owned),
            amount_minor,
            currency,
            at: at.map(|(at, _)| at),
            is_day: at.is_some_and(|(_, is_day)| is_day),
        })
    }
}

/// The kind that a text begins with, if it is one of those that count.
fn kind_of(layout: &Layout, text: &str) -> Option<Kind> {
    let begins = |prefix: &String| text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
    if layout.refund_kinds.iter().any(begins) {
        Some(Kind::Refund)
    } else {
        layout.payment_kinds.iter().any(begins).then_some(Kind::Payment)
    }
}

fn folded(name: &str) -> String {
    name.trim_start_matches('\u{feff}').trim().to_lowercase()
}

fn shown(text: &str) -> String {
    if text.is_empty() {
        return "nothing".to_owned();
    }
    text.chars().filter(|character| !character.is_control()).take(40).collect()
}

/// A moment as reports write it, and whether it is a whole day.
#[must_use]
pub fn moment(text: &str, hours_east: i8) -> Option<(Timestamp, bool)> {
    let text = text.trim();
    if let Some(at) = Timestamp::parse_rfc3339(text) {
        return Some((at, false));
    }
    let micros = |moment: jiff::Timestamp| Timestamp::from_unix_micros(moment.as_microsecond());
    for format in ["%Y/%m/%d %H:%M:%S %z", "%Y-%m-%d %H:%M:%S %z"] {
        if let Ok(moment) = jiff::Timestamp::strptime(format, text) {
            return Some((micros(moment), false));
        }
    }
    let offset = jiff::tz::Offset::constant(hours_east);
    let formats: &[&str] = if text.bytes().all(|byte| byte.is_ascii_digit()) {
        &["%Y%m%d%H%M%S"]
    } else {
        &["%Y-%m-%d %H:%M:%S", "%Y/%m/%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
    };
    for format in formats {
        if let Ok(moment) = jiff::civil::DateTime::strptime(format, text) {
            return offset.to_timestamp(moment).ok().map(|moment| (micros(moment), false));
        }
    }
    for format in ["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"] {
        if let Ok(day) = jiff::civil::Date::strptime(format, text) {
            return offset.to_timestamp(day.at(0, 0, 0, 0)).ok().map(|moment| (micros(moment), true));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn currency(code: &str) -> Currency {
        Currency::parse(code).unwrap()
    }

    #[test]
    fn an_amount_is_read_from_its_text_in_the_unit_that_the_report_has() {
        for (unit, text, code, minor, is_negative) in [
            (Unit::Major, "29.00", "USD", 2_900, false),
            (Unit::Major, "1,234,567.8", "USD", 123_456_780, false),
            (Unit::Major, "-50000.00", "IDR", 50_000, true),
            (Unit::Major, "(12.34)", "EUR", 1_234, true),
            (Unit::Major, "+7", "KWD", 7_000, false),
            (Unit::Minor, "10000", "JPY", 10_000, false),
            (Unit::Minor, "10000", "USD", 10_000, false),
            (Unit::Hundredths, "5000000", "IDR", 50_000, false),
            (Unit::Hundredths, "2900", "USD", 2_900, false),
            (Unit::Hundredths, "2900", "KWD", 29_000, false),
            (Unit::Hundredths, "2900", "JPY", 2_900, false),
            (Unit::Hundredths, "290000", "ISK", 2_900, false),
            (Unit::Major, "90071992547409.93", "USD", 9_007_199_254_740_993, false),
        ] {
            assert_eq!(unit.minor_units(text, currency(code)), Some((minor, is_negative)), "{text} {code}");
        }
        for (unit, text, code) in [
            (Unit::Major, "29.001", "USD"),
            (Unit::Major, "50000.50", "IDR"),
            (Unit::Major, "1e3", "USD"),
            (Unit::Major, "1,23", "USD"),
            (Unit::Major, "", "USD"),
            (Unit::Major, "NaN", "USD"),
            (Unit::Minor, "1.5", "USD"),
            (Unit::Hundredths, "150", "IDR"),
            (Unit::Minor, "99999999999999999999", "USD"),
        ] {
            assert_eq!(unit.minor_units(text, currency(code)), None, "{text} {code}");
        }
    }

    #[test]
    fn a_date_is_read_as_reports_write_it() {
        for (text, expected, is_day) in [
            ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00.000Z", false),
            ("2026/11/21 02:00:00 -0800", "2026-11-21T10:00:00.000Z", false),
            ("2026-11-21 17:00:00", "2026-11-21T10:00:00.000Z", false),
            ("20261121170000", "2026-11-21T10:00:00.000Z", false),
            ("2026-11-21", "2026-11-20T17:00:00.000Z", true),
            ("20261121", "2026-11-20T17:00:00.000Z", true),
        ] {
            let (at, day) = moment(text, 7).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((at.to_rfc3339().as_str(), day), (expected, is_day), "{text}");
        }
        for text in ["yesterday", "2026-13-01", "21/11/2026", "1"] {
            assert!(moment(text, 0).is_none(), "{text}");
        }
    }
}
