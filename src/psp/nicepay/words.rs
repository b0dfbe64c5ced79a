//! What both dialects share: the merchant, times and amounts as NICEPAY writes them, texts cut to its limits, what it is
//! told of the buyer, and the reading of its loosely typed fields. No call is made here.

use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::assumed;
use crate::domain::mode::Mode;
use crate::domain::payments::Instructions;
use crate::domain::time::Timestamp;
use crate::psp::{Account, Failure, Start};

/// An answer that cannot be understood, or that speaks of something else.
pub const GARBAGE: Failure = Failure::Unknown { class: "garbage" };

/// What the product is told when NICEPAY does not know the account.
pub fn wrong_credentials(code: &str) -> Failure {
    Failure::refused(format!("the provider does not accept the credentials{}", in_brackets(code)))
}

/// A code behind a reason, or nothing.
pub fn in_brackets(code: &str) -> String {
    let code: String = code.chars().filter(char::is_ascii_alphanumeric).take(8).collect();
    if code.is_empty() { code } else { format!(" (code {code})") }
}

/// An account, with what its settings leave out filled in.
#[derive(Debug)]
pub struct Merchant {
    /// As it was configured.
    pub account: Account,
}

impl Merchant {
    /// The merchant behind an account.
    pub const fn new(account: Account) -> Self {
        Self { account }
    }

    /// The merchant id.
    pub fn imid(&self) -> &str {
        self.account.credential("imid")
    }

    /// The merchant key.
    pub fn key(&self) -> &str {
        self.account.credential("merchant_key")
    }

    /// A full URL.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.account.base_url)
    }

    /// The store that QRIS payments are made in.
    pub fn shop_id(&self) -> Result<&str, Failure> {
        match (self.account.credential("shop_id"), self.account.mode) {
            ("", Mode::Live) => Err(Failure::refused("QRIS at NICEPAY needs the setting shop_id, the store id")),
            ("", _) => Ok(assumed::SANDBOX_SHOP_ID),
            (shop_id, _) => Ok(shop_id),
        }
    }

    /// The acquirer of QRIS payments.
    pub fn qris_acquirer(&self) -> &str {
        match self.account.credential("qris_acquirer") {
            "" => assumed::QRIS_ACQUIRER,
            acquirer => acquirer,
        }
    }
}

/// How a buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Transfer to a virtual account at a bank.
    VirtualAccount {
        /// As in the method's name.
        slug: &'static str,
        /// NICEPAY's code.
        code: &'static str,
    },
    /// Scan a code.
    Qris,
}

impl Method {
    /// The method of this name.
    pub fn parse(name: &str) -> Result<Self, Failure> {
        let (slug, code) = match name {
            "qris" => return Ok(Self::Qris),
            "va_bca" => ("bca", "CENA"),
            "va_mandiri" => ("mandiri", "BMRI"),
            "va_bni" => ("bni", "BNIN"),
            "va_bri" => ("bri", "BRIN"),
            "va_permata" => ("permata", "BBBA"),
            _ => return Err(Failure::refused("NICEPAY does not offer this method")),
        };
        Ok(Self::VirtualAccount { slug, code })
    }

    /// `payMethod`.
    pub const fn pay_method(self) -> &'static str {
        match self {
            Self::VirtualAccount { .. } => "02",
            Self::Qris => "08",
        }
    }

    /// What the buyer is told, from a number or a code that NICEPAY gave.
    pub fn instructions(self, given: &str, expires_at: Timestamp) -> Result<Instructions, Failure> {
        match self {
            Self::VirtualAccount { slug, .. } => {
                let number: String = given.chars().filter(|character| *character != ' ').collect();
                let is_number = (1..=30).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
                let bank = slug.to_owned();
                is_number.then_some(Instructions::VirtualAccount { bank, number, expires_at }).ok_or(GARBAGE)
            }
            Self::Qris if given.is_empty() => Err(GARBAGE),
            Self::Qris => Ok(Instructions::Qris { qr_content: given.to_owned(), expires_at }),
        }
    }
}

/// Refuses what NICEPAY would refuse, and what could not be asked about afterwards.
pub fn check_start(start: &Start<'_>) -> Result<(), Failure> {
    if start.currency.code() != "IDR" {
        return Err(Failure::refused("NICEPAY takes rupiah only"));
    }
    if start.amount_minor <= 0 || start.amount_minor > 999_999_999_999 {
        return Err(Failure::refused("NICEPAY takes amounts of one to twelve digits"));
    }
    if start.reference.is_empty() || start.reference.len() > 40 {
        return Err(Failure::refused("NICEPAY takes references of one to forty characters"));
    }
    if start.notify_url.len() > 255 || start.return_url.len() > 255 {
        return Err(Failure::refused("NICEPAY takes URLs of at most 255 characters"));
    }
    Ok(())
}

/// `text` without control characters, cut where a character ends to at most `bytes` bytes, which no way to count can
/// find too long.
pub fn cut(text: &str, bytes: usize) -> String {
    let clean: String = text.chars().map(|character| if character.is_control() { ' ' } else { character }).collect();
    let clean = clean.trim();
    let end = (0..=bytes.min(clean.len())).rev().find(|end| clean.is_char_boundary(*end)).unwrap_or(0);
    clean.get(..end).unwrap_or_default().trim_end().to_owned()
}

/// What is bought, in at most 100 characters.
pub fn goods(start: &Start<'_>) -> String {
    let goods = cut(start.description.unwrap_or_default(), 100);
    if goods.is_empty() { cut(&format!("Invoice {}", start.invoice_number), 100) } else { goods }
}

/// The buyer's name.
pub fn buyer_name(start: &Start<'_>) -> String {
    let name = cut(start.buyer.name.as_deref().unwrap_or_default(), assumed::BUYER_NAME_BYTES);
    if name.is_empty() { assumed::BUYER_NAME.to_owned() } else { name }
}

/// What both dialects are told of the buyer, by its fields' names.
pub fn billing(start: &Start<'_>) -> Map<String, Value> {
    let phone: String = start.buyer.phone.as_deref().unwrap_or_default().chars().filter(char::is_ascii_digit).collect();
    let phone = if (1..=15).contains(&phone.len()) { phone.as_str() } else { assumed::BUYER_PHONE };
    let email = start.email.map(str::trim).filter(|email| (1..=40).contains(&email.len()));
    let ip = start.buyer.ip.as_deref().and_then(|ip| ip.trim().parse::<IpAddr>().ok());
    let ip = match ip.map(|ip| ip.to_canonical()) {
        Some(IpAddr::V4(ip)) => ip.to_string(),
        _ => assumed::BUYER_IP.to_owned(),
    };
    let fields = [
        ("billingNm", buyer_name(start)),
        ("billingPhone", phone.to_owned()),
        ("billingEmail", email.unwrap_or(assumed::BUYER_EMAIL).to_owned()),
        ("billingAddr", assumed::BUYER_ADDRESS.to_owned()),
        ("billingCity", assumed::BUYER_CITY.to_owned()),
        ("billingState", assumed::BUYER_STATE.to_owned()),
        ("billingPostCd", assumed::BUYER_POSTAL_CODE.to_owned()),
        ("billingCountry", assumed::BUYER_COUNTRY.to_owned()),
        ("userIP", ip),
    ];
    fields.into_iter().map(|(name, value)| (name.to_owned(), Value::String(value))).collect()
}

/// The basket of a QRIS payment: JSON in a text, whose one item costs all of it. An item must have a picture; it is our
/// own front page, so that no one else's stands there.
pub fn cart(start: &Start<'_>) -> String {
    let picture = url::Url::parse(start.notify_url).map(|url| url.origin().ascii_serialization()).unwrap_or_default();
    let goods = goods(start);
    let item = json!({
        "goods_id": start.reference,
        "goods_name": goods,
        "goods_detail": goods,
        "goods_amt": start.amount_minor.to_string(),
        "goods_quantity": "1",
        "img_url": format!("{picture}/"),
    });
    json!({ "count": "1", "item": [item] }).to_string()
}

const fn jakarta() -> jiff::tz::Offset {
    jiff::tz::Offset::constant(assumed::UTC_OFFSET_HOURS)
}

fn in_jakarta(moment: Timestamp) -> jiff::civil::DateTime {
    let moment = jiff::Timestamp::from_microsecond(moment.unix_micros()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    jakarta().to_datetime(moment)
}

/// `yyyyMMddHHmmss` in Jakarta.
pub fn compact_time(moment: Timestamp) -> String {
    in_jakarta(moment).strftime("%Y%m%d%H%M%S").to_string()
}

/// `yyyy-MM-ddTHH:mm:ss+07:00`.
pub fn iso_time(moment: Timestamp) -> String {
    format!("{}+{:02}:00", in_jakarta(moment).strftime("%Y-%m-%dT%H:%M:%S"), assumed::UTC_OFFSET_HOURS)
}

/// Date and time as two fields.
pub fn date_and_time(moment: Timestamp) -> (String, String) {
    let text = compact_time(moment);
    let (date, time) = text.split_at(8);
    (date.to_owned(), time.to_owned())
}

/// The moment that two fields name.
pub fn moment(date: Option<String>, time: Option<String>) -> Option<Timestamp> {
    let text = format!("{}{}", date?, time?);
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).ok()?;
    jakarta().to_timestamp(civil).ok().map(|moment| Timestamp::from_unix_micros(moment.as_microsecond()))
}

/// Whole rupiah, which may be written with decimals that say nothing.
pub fn rupiah(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_whole = !whole.is_empty() && whole.bytes().all(|byte| byte.is_ascii_digit());
    let is_round = fraction.len() <= 2 && fraction.bytes().all(|byte| byte == b'0');
    if is_whole && is_round { whole.parse().ok() } else { None }
}

/// An object whose values may be texts, numbers or nothing, as NICEPAY sends them.
#[derive(Clone, Debug, Default)]
pub struct Fields(pub Map<String, Value>);

impl Fields {
    /// The object in these bytes.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok().map(Self)
    }

    /// A value as text. Absent, null, empty and the word `null` are nothing.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.is_empty() && text != "null").then_some(text)
    }

    /// An object within; an empty one where there is none.
    pub fn object(&self, name: &str) -> Self {
        self.0.get(name).and_then(Value::as_object).map(|map| Self(map.clone())).unwrap_or_default()
    }
}

/// What a refund is called. NICEPAY names a refund differently when it is made and when it is asked about, so it is
/// called after the payment and how much of it is given back then.
pub fn refund_ref(transaction: &str, given_back: i64) -> String {
    format!("{transaction}-{given_back}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_jakartas_both_ways() {
        let moment_there = Timestamp::parse_rfc3339("2026-11-21T18:30:05Z").unwrap();
        assert_eq!(compact_time(moment_there), "20261122013005");
        assert_eq!(iso_time(moment_there), "2026-11-22T01:30:05+07:00");
        let (date, time) = date_and_time(moment_there);
        assert_eq!(moment(Some(date), Some(time)), Some(moment_there));
        assert_eq!(moment(Some("20261301".into()), Some("000000".into())), None);
        assert_eq!(moment(Some("20261101".into()), None), None);
    }

    #[test]
    fn rupiah_are_whole() {
        assert_eq!(rupiah("150000"), Some(150_000));
        assert_eq!(rupiah("150000.00"), Some(150_000));
        for bad in ["", ".00", "1.5", "1.000", "-1", "1e3", " 1", "99999999999999999999"] {
            assert_eq!(rupiah(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_text_is_cut_where_a_character_ends() {
        assert_eq!(cut("Kopi\nsusu ", 100), "Kopi susu");
        assert_eq!(cut("ééé", 5), "éé");
        assert_eq!(cut("abc def", 4), "abc");
        assert_eq!(cut(" \u{7}", 4), "");
    }
}
