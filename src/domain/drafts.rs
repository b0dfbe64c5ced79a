//! What a product asks for: the fields of a request, read and checked, before anything is decided.

use serde::{Deserialize, Serialize};

use super::fields::{Fields, Invalid};
use super::mode::Mode;
use super::money::{Currency, MAX_AMOUNT_MINOR};
use super::time::Timestamp;

/// Longest metadata, in bytes of its JSON text.
pub(super) const MAX_METADATA_BYTES: usize = 8 * 1024;

/// A payment that a product asks for.
#[derive(Clone, Debug)]
pub struct PaymentDraft {
    /// The product's own stable id of the buyer.
    pub external_user_id: String,
    /// The buyer's address; some providers require it.
    pub email: Option<String>,
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: Currency,
    /// How the buyer pays, as `va_bca` or `paypal`.
    pub method: String,
    /// Where the buyer goes afterwards.
    pub return_url: String,
    /// A JSON object, as the product wrote it.
    pub metadata: String,
    /// Prefix of the invoice number; without it, the payment's id is the invoice number.
    pub invoice_prefix: Option<String>,
    /// What the buyer is told that he pays for.
    pub description: Option<String>,
    /// What some providers want to know of the buyer.
    pub buyer: Option<Buyer>,
    /// How the mock provider shall behave.
    pub mock: Option<MockScript>,
}

/// What some providers want to know of the buyer.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Buyer {
    /// Full name.
    pub name: Option<String>,
    /// Telephone number.
    pub phone: Option<String>,
    /// IP address.
    pub ip: Option<String>,
}

macro_rules! scripted {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }
        impl $name {
            const CHOICES: &'static [(&'static str, Self)] = &[$(($text, Self::$variant)),+];
        }
    };
}

scripted! {
    /// What becomes of a mock payment without anyone at its checkout page.
    MockOutcome {
        /// It waits for a person.
        #[default] None = "none",
        /// It is paid.
        Succeed = "succeed",
        /// It is declined.
        Fail = "fail",
        /// The buyer gives up.
        Cancel = "cancel",
    }
}

scripted! {
    /// What the mock answers when a payment is started.
    MockStart {
        /// It starts.
        #[default] Ok = "ok",
        /// It refuses.
        Refuse = "refuse",
        /// It does not answer, and nothing was charged.
        Timeout = "timeout",
        /// It does not answer, and the buyer was charged.
        TimeoutButCharged = "timeout_but_charged",
    }
}

scripted! {
    /// How the mock tells of an outcome.
    MockWebhook {
        /// Once.
        #[default] Once = "once",
        /// Twice, with the same id.
        Duplicate = "duplicate",
        /// After a while.
        Late = "late",
        /// The outcome first, then what came before it.
        OutOfOrder = "out_of_order",
        /// With a signature that does not verify.
        BadSignature = "bad_signature",
        /// Not at all: the gateway has to ask.
        Never = "never",
    }
}

scripted! {
    /// What becomes of a refund at the mock.
    MockRefund {
        /// It is done at once.
        #[default] Succeed = "succeed",
        /// It is refused.
        Fail = "fail",
        /// It is done later.
        Pending = "pending",
    }
}

/// How the mock provider shall behave for one payment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct MockScript {
    /// What happens without a person.
    pub outcome: MockOutcome,
    /// When, in milliseconds after the start.
    pub after_ms: u32,
    /// Why it is declined; `card_declined` unless told.
    pub decline_code: Option<String>,
    /// What the start answers.
    pub start: MockStart,
    /// How the outcome is told.
    pub webhook: MockWebhook,
    /// What a refund does.
    pub refund: MockRefund,
}

impl PaymentDraft {
    /// Reads the body of `POST /v1/payments` for an app of `mode`.
    ///
    /// # Errors
    /// Every fault of the body at once.
    pub fn parse(body: &[u8], mode: Mode) -> Result<Self, Invalid> {
        let mut fields = Fields::of_body(body)?;
        let external_user_id = fields.required_text("external_user_id", 1, 128);
        let email = email(&mut fields);
        let amount_minor = fields.required_integer("amount_minor", 1, MAX_AMOUNT_MINOR);
        let currency = currency(&mut fields);
        let method = slug(&mut fields, "method");
        let return_url = return_url(&mut fields, mode, true);
        let metadata = fields.object_text("metadata", MAX_METADATA_BYTES);
        let invoice_prefix = invoice_prefix(&mut fields);
        let description = fields.text("description", 0, 255);
        let buyer = fields.object("buyer", "buyer.", |buyer| Buyer {
            name: buyer.text("name", 1, 128),
            phone: buyer.text("phone", 1, 32),
            ip: ip_address(buyer),
        });
        if mode != Mode::Test && fields.is_given("mock") {
            fields.fault("mock", "is for apps of mode test alone");
        }
        let mock = fields.object("mock", "mock.", mock_script);
        refuse_mode(&mut fields);
        fields.finish()?;
        match (external_user_id, amount_minor, currency, method, return_url) {
            (Some(external_user_id), Some(amount_minor), Some(currency), Some(method), Some(return_url)) => Ok(Self {
                external_user_id,
                email,
                amount_minor,
                currency,
                method,
                return_url,
                metadata: metadata.unwrap_or_else(|| "{}".to_owned()),
                invoice_prefix,
                description,
                buyer,
                mock,
            }),
            _ => Err(Invalid::one("body", "must hold the required fields")),
        }
    }
}

/// A refund that a product asks for.
#[derive(Clone, Debug)]
pub struct RefundDraft {
    /// The payment, as the product named it.
    pub payment_id: String,
    /// Minor units; all that is left when absent.
    pub amount_minor: Option<i64>,
    /// Why, for people.
    pub reason: Option<String>,
}

impl RefundDraft {
    /// Reads the body of `POST /v1/refunds`.
    ///
    /// # Errors
    /// Every fault of the body at once.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let mut fields = Fields::of_body(body)?;
        let payment_id = fields.required_text("payment_id", 1, 64);
        let amount_minor = fields.integer("amount_minor", 1, MAX_AMOUNT_MINOR);
        let reason = fields.text("reason", 0, 255);
        fields.finish()?;
        let payment_id = payment_id.ok_or_else(|| Invalid::missing("payment_id"))?;
        Ok(Self { payment_id, amount_minor, reason })
    }
}

fn mock_script(mock: &mut Fields<'_>) -> MockScript {
    MockScript {
        outcome: mock.choice("outcome", MockOutcome::CHOICES).unwrap_or_default(),
        after_ms: mock
            .integer("after_ms", 0, 86_400_000)
            .and_then(|milliseconds| u32::try_from(milliseconds).ok())
            .unwrap_or_default(),
        decline_code: mock.text("decline_code", 1, 64),
        start: mock.choice("start", MockStart::CHOICES).unwrap_or_default(),
        webhook: mock.choice("webhook", MockWebhook::CHOICES).unwrap_or_default(),
        refund: mock.choice("refund", MockRefund::CHOICES).unwrap_or_default(),
    }
}

pub(super) fn email(fields: &mut Fields<'_>) -> Option<String> {
    let email = fields.text("email", 3, 254)?;
    if let Some(reason) = email_fault(&email) {
        fields.fault("email", reason);
    }
    Some(email)
}

/// What is wrong with an e-mail address.
#[must_use]
pub fn email_fault(text: &str) -> Option<&'static str> {
    (!is_email(text)).then_some("must be an e-mail address")
}

/// Whether `text` looks like a deliverable address. Whether it is one, only a mail can tell.
fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_is_plain = !local.is_empty()
        && local.len() <= 64
        && !local.contains(|character: char| character.is_whitespace() || "@<>,;:\"()[]\\".contains(character));
    let labels: Vec<&str> = domain.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|character| character.is_alphanumeric() || character == '-')
    };
    local_is_plain && labels.len() >= 2 && labels.iter().all(is_label)
}

pub(super) fn currency(fields: &mut Fields<'_>) -> Option<Currency> {
    let code = fields.required_text("currency", 0, 255)?;
    let currency = Currency::parse(&code);
    if currency.is_none() {
        fields.fault("currency", "must be an upper-case ISO 4217 code such as IDR or USD");
    }
    currency
}

const SLUG: &str = "must be 1 to 32 of a-z, 0-9 and _";

fn is_slug(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn slug(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    let text = fields.required_text(name, 0, 255)?;
    if !is_slug(&text) {
        fields.fault(name, SLUG);
    }
    Some(text)
}

/// The methods that a buyer may choose among; all that have a route when absent.
pub(super) fn methods(fields: &mut Fields<'_>) -> Option<Vec<String>> {
    let raw = fields.raw("methods")?;
    let Some(methods) = serde_json::from_str::<Vec<String>>(raw).ok().filter(|list| (1..=20).contains(&list.len()))
    else {
        fields.fault("methods", "must be a list of 1 to 20 texts");
        return None;
    };
    let is_twice = |(index, method): (usize, &String)| methods[..index].contains(method);
    if methods.iter().enumerate().any(is_twice) {
        fields.fault("methods", "must name each once");
    } else if !methods.iter().all(|method| is_slug(method)) {
        fields.fault("methods", SLUG);
    }
    Some(methods)
}

/// A moment.
pub(super) fn moment(fields: &mut Fields<'_>, name: &str) -> Option<Timestamp> {
    let text = fields.text(name, 1, 64)?;
    let moment = Timestamp::parse_rfc3339(&text);
    if moment.is_none() {
        fields.fault(name, "must be an RFC 3339 time such as 2026-05-09T12:34:56Z");
    }
    moment
}

/// Notes that a request names a mode.
pub(super) fn refuse_mode(fields: &mut Fields<'_>) {
    if fields.is_given("mode") {
        fields.fault("mode", "is fixed by the app's key and cannot be sent");
        fields.raw("mode");
    }
}

pub(super) fn invoice_prefix(fields: &mut Fields<'_>) -> Option<String> {
    let prefix = fields.text("invoice_prefix", 0, 255)?;
    let is_valid = (1..=12).contains(&prefix.len())
        && prefix.as_bytes()[0].is_ascii_uppercase()
        && prefix.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'-');
    if !is_valid {
        fields.fault("invoice_prefix", "must match ^[A-Z][A-Z0-9-]{0,11}$");
    }
    Some(prefix)
}

pub(super) fn return_url(fields: &mut Fields<'_>, mode: Mode, is_required: bool) -> Option<String> {
    if is_required && !fields.is_given("return_url") {
        fields.missing("return_url");
    }
    let text = fields.text("return_url", 1, 2048)?;
    if let Some(reason) = web_url_fault(&text, mode) {
        fields.fault("return_url", reason);
    }
    Some(text)
}

/// What is wrong with a URL that a product gives for its buyers' browsers or for its own endpoint.
#[must_use]
pub fn web_url_fault(text: &str, mode: Mode) -> Option<&'static str> {
    if text.len() > 2048 {
        return Some("must have at most 2048 characters");
    }
    let Ok(url) = url::Url::parse(text) else { return Some("must be an absolute http or https URL") };
    match url.scheme() {
        "https" => {}
        "http" if mode == Mode::Live => return Some("must be https for an app of mode live"),
        "http" => {}
        _ => return Some("must be an absolute http or https URL"),
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Some("must be an absolute http or https URL");
    }
    (!url.username().is_empty() || url.password().is_some()).then_some("must not hold a user name or password")
}

fn ip_address(buyer: &mut Fields<'_>) -> Option<String> {
    let text = buyer.text("ip", 1, 45)?;
    if text.parse::<std::net::IpAddr>().is_err() {
        buyer.fault("ip", "must be an IPv4 or IPv6 address");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_rubbish_are_told_apart() {
        for good in ["a@b.co", "first.last+tag@sub.example.com", "ü@exämple.de"] {
            assert!(is_email(good), "{good}");
        }
        for bad in ["a", "@b.co", "a@", "a@b", "a b@c.de", "a@b..co", "a@-b.co", "a@b.co>", "a@@b.co"] {
            assert!(!is_email(bad), "{bad}");
        }
    }

    #[test]
    fn only_web_urls_pass_and_live_wants_https() {
        assert_eq!(web_url_fault("http://localhost:3000/done", Mode::Test), None);
        assert_eq!(web_url_fault("https://shop.example/done?x=1", Mode::Live), None);
        for bad in ["javascript:alert(1)", "/done", "ftp://x/", "http://", "https://u:p@x.example/", "data:text/html,x"]
        {
            assert!(web_url_fault(bad, Mode::Test).is_some(), "{bad}");
        }
        assert!(web_url_fault("http://shop.example/", Mode::Live).is_some());
    }
}
