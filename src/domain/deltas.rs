//! Deltas as they are asked for: what one must be, and the hash of what was accepted. How one takes its place in the
//! line is in `leaves`; decimals are in `decimals`.

use serde::Serialize;
use serde_json::value::RawValue;

use super::decimals::Decimal;
use super::fields::{Fields, Invalid};
use super::ids::{AppId, DeltaId, PaymentId, RefundId, TenantId};
use super::mode::Mode;
use super::money::Currency;
use super::signing::sha256;

/// The largest amount of one delta, either way.
const MAX_DELTA: i128 = 1_000_000_000;

/// Longest metadata, in bytes of its JSON text.
const MAX_METADATA_BYTES: usize = 8 * 1024;

/// The most deltas of one request.
pub const MAX_BATCH: usize = 1000;

/// A delta to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeltaDraft {
    /// The tenant's own id of the customer.
    pub customer_id: String,
    /// How much.
    pub delta: Decimal,
    /// For people.
    pub reason: String,
    /// The tenant's own id of what this is about: there is one delta for each of a customer's.
    pub reference_id: Option<String>,
    /// A JSON object's own text.
    pub metadata: Option<String>,
}

impl DeltaDraft {
    /// Reads one from a request's body.
    ///
    /// # Errors
    /// Everything that is not as it must be.
    pub fn parse(body: &[u8]) -> Result<Self, Invalid> {
        let mut fields = Fields::of_body(body)?;
        let customer_id = customer_id(&mut fields, true).unwrap_or_default();
        let delta = required_decimal(&mut fields, "delta").unwrap_or_default();
        let is_within = delta.millionths().abs() <= MAX_DELTA * 1_000_000;
        if fields.is_sound("delta") && (delta.is_zero() || !is_within) {
            fields.fault("delta", "must not be zero, and lie between -1000000000 and 1000000000");
        }
        let reason = fields.required_text("reason", 1, 500).unwrap_or_default();
        let reference_id = fields.text("referenceId", 1, 255);
        if reference_id.as_deref().is_some_and(is_reserved_reference) {
            fields.fault(
                "referenceId",
                "must not look like a payment's or refund's id: those are booked by the gateway alone",
            );
        }
        let metadata = fields.object_text("metadata", MAX_METADATA_BYTES);
        fields.finish()?;
        Ok(Self { customer_id, delta, reason, reference_id, metadata })
    }

    /// Reads the deltas of a batch, each with what is wrong with it.
    ///
    /// # Errors
    /// When the body is no object with 1 to 1,000 of them.
    pub fn parse_batch(body: &[u8]) -> Result<Vec<Result<Self, Invalid>>, Invalid> {
        let mut fields = Fields::of_body(body)?;
        if !fields.is_given("deltas") {
            fields.missing("deltas");
        }
        let raw = fields.raw("deltas").unwrap_or("[]");
        let items = serde_json::from_str::<Vec<&RawValue>>(raw).unwrap_or_default();
        if fields.is_sound("deltas") && !(1..=MAX_BATCH).contains(&items.len()) {
            fields.fault("deltas", "must be an array of 1 to 1000 deltas");
        }
        fields.finish()?;
        Ok(items.into_iter().map(|item| Self::parse(item.get().as_bytes())).collect())
    }

    /// Whether this says the same of the same reference.
    #[must_use]
    pub fn is_same(&self, delta: Decimal, reason: &str, metadata: Option<&str>) -> bool {
        let as_value = |text: Option<&str>| text.and_then(|text| serde_json::from_str::<serde_json::Value>(text).ok());
        let is_same_metadata =
            self.metadata.as_deref() == metadata || as_value(self.metadata.as_deref()) == as_value(metadata);
        self.delta == delta && self.reason == reason && is_same_metadata
    }
}

/// Reads a customer's id, of 1 to 128 letters, digits and `_ - . :`.
pub fn customer_id(fields: &mut Fields<'_>, is_emitted: bool) -> Option<String> {
    let customer_id = fields.required_text("customerId", 1, 128)?;
    if let Some(reason) = customer_id_fault(&customer_id, is_emitted) {
        fields.fault("customerId", reason);
        return None;
    }
    Some(customer_id)
}

/// What is wrong with a customer's id.
#[must_use]
pub fn customer_id_fault(text: &str, is_emitted: bool) -> Option<&'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.:".contains(&byte)) {
        return Some("must have letters, digits and _ - . : alone");
    }
    (is_emitted && payment_account(text).is_some()).then_some(
        "must not be <app>:<currency>:<buyer>: those accounts have what the gateway books for payments alone",
    )
}

/// A decimal field that must be there.
pub fn required_decimal(fields: &mut Fields<'_>, name: &str) -> Option<Decimal> {
    if !fields.is_given(name) {
        fields.missing(name);
    }
    decimal(fields, name)
}

/// A decimal field.
pub fn decimal(fields: &mut Fields<'_>, name: &str) -> Option<Decimal> {
    let parsed = Decimal::parse(fields.raw(name)?);
    if parsed.is_none() {
        fields.fault(name, "must be a number with at most 6 decimal places");
    }
    parsed
}

/// The account that what is received of a buyer is booked to.
#[must_use]
pub fn payment_customer(app_id: &AppId, currency: Currency, external_user_id: &str) -> String {
    format!("{app_id}:{}:{external_user_id}", currency.code())
}

/// The app, the currency and the buyer of an account, if it is one of those of [`payment_customer`].
#[must_use]
pub fn payment_account(text: &str) -> Option<(AppId, Currency, &str)> {
    let mut parts = text.splitn(3, ':');
    Some((AppId::parse(parts.next()?)?, Currency::parse(parts.next()?)?, parts.next()?))
}

fn is_reserved_reference(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    PaymentId::parse(&lower).is_some() || RefundId::parse(&lower).is_some()
}

/// What was accepted, as its hash covers it: the fields in the order of their names. `metadata` is a text here, so that
/// the hash stands for the very digits that came in.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Content<'a> {
    /// The payment's currency, for what a payment posted.
    pub currency: Option<&'a str>,
    /// Whose balance it changes.
    pub customer_id: &'a str,
    /// How much, as a text.
    pub delta: &'a str,
    /// The metadata's text.
    pub metadata: Option<&'a str>,
    /// The mode.
    pub mode: Mode,
    /// For people.
    pub reason: &'a str,
    /// The record.
    pub record_id: &'a DeltaId,
    /// What it is about.
    pub reference_id: Option<&'a str>,
    /// 128 random bits in hex.
    pub salt: &'a str,
    /// The tenant.
    pub tenant_id: &'a TenantId,
}

impl Content<'_> {
    /// SHA-256 of it as JSON (RFC 8785).
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        sha256(&serde_json::to_vec(self).expect("texts can be written as JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delta_is_read_to_the_digit() {
        let body = br#"{"customerId":"c:1","delta":-0.000001,"reason":"use","referenceId":"r","metadata":{"n":1.10}}"#;
        let draft = DeltaDraft::parse(body).unwrap();
        assert_eq!(draft.delta.millionths(), -1);
        assert_eq!(draft.metadata.as_deref(), Some(r#"{"n":1.10}"#));
        assert!(draft.is_same(draft.delta, "use", Some(r#"{ "n": 1.1 }"#)));
        assert!(!draft.is_same(draft.delta, "use", None));
    }

    #[test]
    fn what_a_delta_must_not_be_is_named() {
        let refused = |body: &str| DeltaDraft::parse(body.as_bytes()).unwrap_err().messages().join("; ");
        for delta in
            ["0", "0.0", "1e10", "1000000000.000001", "-1000000001", "1.0000001", "\"1\"", "true", "[]", "null"]
        {
            let message = refused(&format!(r#"{{"customerId":"c","delta":{delta},"reason":"r"}}"#));
            assert!(message.starts_with("delta: "), "{delta}: {message}");
        }
        let app_id = AppId::parse("app_01jz0000000000000000000000").unwrap();
        let account = payment_customer(&app_id, Currency::parse("IDR").unwrap(), "b");
        assert!(
            refused(&format!(r#"{{"customerId":"{account}","delta":1,"reason":"r"}}"#)).starts_with("customerId: ")
        );
        let body = r#"{"customerId":"c","delta":1,"reason":"r","referenceId":"PAY_01jz0000000000000000000000"}"#;
        assert!(refused(body).starts_with("referenceId: "));
        assert_eq!(refused("{}"), "customerId: missing; delta: missing; reason: missing");
        let two = DeltaDraft::parse(br#"{"customerId":"c d","delta":1,"reason":""}"#).unwrap_err();
        assert_eq!(two.messages().len(), 2, "{two:?}");
    }

    #[test]
    fn a_batch_tells_what_is_wrong_with_each() {
        let batch = DeltaDraft::parse_batch(br#"{"deltas":[{"customerId":"c","delta":1,"reason":"r"},{},7]}"#).unwrap();
        assert!(batch[0].is_ok() && batch[1].is_err() && batch[2].is_err());
        for body in ["{}", r#"{"deltas":[]}"#, r#"{"deltas":{}}"#, r#"{"deltas":null}"#, r#"{"deltas":[1],"x":1}"#] {
            assert!(DeltaDraft::parse_batch(body.as_bytes()).is_err(), "{body}");
        }
        let many = format!(r#"{{"deltas":[{}0]}}"#, "0,".repeat(1000));
        assert!(DeltaDraft::parse_batch(many.as_bytes()).is_err());
    }
}
