//! What a leaf of a ledger's tree says: twelve fields of a verified delta, written as canonical JSON (RFC 8785).
//!
//! A leaf's hash is its delta's proof hash, and names the delta before it: the leaves are the chain. How hashes make a
//! tree is in `merkle`.

use std::borrow::Cow;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::decimals::Decimal;
use super::merkle::{Hash, leaf_hash, parse_hash};
use super::mode::Mode;
use super::time::Timestamp;

/// Sequence numbers are below this, so that every reader of JSON takes them exactly.
pub const SEQUENCE_LIMIT: u64 = 1 << 53;

/// A leaf.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", try_from = "Written")]
pub struct Leaf<'a> {
    /// The currency that the delta is counted in, if it is of a payment.
    pub currency: Option<Cow<'a, str>>,
    /// Whose balance it changes.
    pub customer_id: Cow<'a, str>,
    /// By how much, as a plain decimal.
    pub delta: Cow<'a, str>,
    /// The mode of the ledger.
    pub mode: Mode,
    /// The leaf hash of the delta before it in the ledger; `None` for the first.
    #[serde(serialize_with = "optional_hex")]
    pub previous_proof_hash: Option<Hash>,
    /// Why.
    pub reason: Cow<'a, str>,
    /// The delta's id.
    pub record_id: Cow<'a, str>,
    /// What the delta is about in the books of whoever sent it.
    pub reference_id: Option<Cow<'a, str>>,
    /// Random, so that nobody finds out what a leaf says by hashing guesses.
    #[serde(serialize_with = "as_hex")]
    pub salt: [u8; 16],
    /// Its place in the ledger, from 1; below [`SEQUENCE_LIMIT`].
    pub sequence_number: u64,
    /// Whose ledger it is.
    pub tenant_id: Cow<'a, str>,
    /// When the delta was verified, as a [`Timestamp`] is written.
    pub verified_at: Cow<'a, str>,
}

impl Leaf<'_> {
    /// Reads a leaf: exactly the twelve fields, each in the form in which it is written.
    ///
    /// # Errors
    /// A sentence that says what is wrong, and where.
    pub fn parse(json: &str) -> Result<Leaf<'static>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    /// The leaf as canonical JSON, after whatever `out` has already.
    pub fn write_canonical(&self, out: &mut String) {
        // The keys are in the order of RFC 8785; none of them needs an escape.
        out.push_str(r#"{"currency":"#);
        write_optional(out, self.currency.as_deref());
        out.push_str(r#","customerId":"#);
        write_text(out, &self.customer_id);
        out.push_str(r#","delta":"#);
        write_text(out, &self.delta);
        out.push_str(r#","mode":""#);
        out.push_str(self.mode.as_str());
        out.push_str(r#"","previousProofHash":"#);
        match &self.previous_proof_hash {
            Some(hash) => {
                out.push('"');
                write_hex(out, hash);
                out.push('"');
            }
            None => out.push_str("null"),
        }
        out.push_str(r#","reason":"#);
        write_text(out, &self.reason);
        out.push_str(r#","recordId":"#);
        write_text(out, &self.record_id);
        out.push_str(r#","referenceId":"#);
        write_optional(out, self.reference_id.as_deref());
        out.push_str(r#","salt":""#);
        write_hex(out, &self.salt);
        out.push_str(r#"","sequenceNumber":"#);
        write_number(out, self.sequence_number);
        out.push_str(r#","tenantId":"#);
        write_text(out, &self.tenant_id);
        out.push_str(r#","verifiedAt":"#);
        write_text(out, &self.verified_at);
        out.push('}');
    }

    /// The leaf as canonical JSON.
    #[must_use]
    pub fn canonical(&self) -> String {
        let texts = [&self.customer_id, &self.delta, &self.reason, &self.record_id, &self.tenant_id, &self.verified_at];
        let optional = [&self.currency, &self.reference_id].into_iter().flatten();
        let length: usize = texts.into_iter().chain(optional).map(|text| text.len()).sum();
        // The keys, what is hexadecimal, the number, and some room for escapes.
        let mut out = String::with_capacity(length + 384);
        self.write_canonical(&mut out);
        out
    }

    /// The leaf's hash: the delta's proof hash.
    #[must_use]
    pub fn hash(&self) -> Hash {
        leaf_hash(self.canonical().as_bytes())
    }
}

/// A leaf as it is written, before its fields are looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    #[serde(deserialize_with = "present")]
    currency: Option<String>,
    customer_id: String,
    delta: String,
    mode: String,
    #[serde(deserialize_with = "present")]
    previous_proof_hash: Option<String>,
    reason: String,
    record_id: String,
    #[serde(deserialize_with = "present")]
    reference_id: Option<String>,
    salt: String,
    sequence_number: u64,
    tenant_id: String,
    verified_at: String,
}

/// A field that may be null, but not left out.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(deserializer).map_err(D::Error::custom)
}

impl TryFrom<Written> for Leaf<'static> {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let is_decimal = Decimal::parse(&written.delta).is_some_and(|delta| delta.to_string() == written.delta);
        if !is_decimal {
            return Err(format!("the leaf's delta {:?} is not a plain decimal", written.delta));
        }
        let mode = Mode::parse(&written.mode);
        let mode = mode.ok_or_else(|| format!("the leaf's mode {:?} is not test, sandbox or live", written.mode))?;
        let previous = written.previous_proof_hash.as_deref().map(|text| {
            parse_hash(text).ok_or_else(|| "the leaf's previousProofHash is not 64 hexadecimal digits".to_owned())
        });
        let mut salt = [0; 16];
        hex::decode_to_slice(&written.salt, &mut salt)
            .map_err(|_| "the leaf's salt is not 32 hexadecimal digits".to_owned())?;
        if !(1..SEQUENCE_LIMIT).contains(&written.sequence_number) {
            return Err(format!("the leaf's sequenceNumber {} is not from 1 to 2^53 - 1", written.sequence_number));
        }
        let moment = Timestamp::parse_rfc3339(&written.verified_at);
        if moment.is_none_or(|moment| moment.to_rfc3339() != written.verified_at) {
            return Err(format!(
                "the leaf's verifiedAt {:?} is not a moment such as 2026-01-31T09:30:00.000Z",
                written.verified_at
            ));
        }
        Ok(Self {
            currency: written.currency.map(Cow::Owned),
            customer_id: written.customer_id.into(),
            delta: written.delta.into(),
            mode,
            previous_proof_hash: previous.transpose()?,
            reason: written.reason.into(),
            record_id: written.record_id.into(),
            reference_id: written.reference_id.map(Cow::Owned),
            salt,
            sequence_number: written.sequence_number,
            tenant_id: written.tenant_id.into(),
            verified_at: written.verified_at.into(),
        })
    }
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference to the field")]
fn optional_hex<S: serde::Serializer>(hash: &Option<Hash>, serializer: S) -> Result<S::Ok, S::Error> {
    match hash {
        Some(hash) => as_hex(hash, serializer),
        None => serializer.serialize_none(),
    }
}

fn as_hex<S: serde::Serializer>(bytes: &impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

const HEX_DIGITS: &[u8; 16] = b"0123456789abcdef";

fn hex_digit(nibble: u8) -> char {
    char::from(HEX_DIGITS[usize::from(nibble & 15)])
}

fn write_hex(out: &mut String, bytes: &[u8]) {
    for byte in bytes {
        out.push(hex_digit(byte >> 4));
        out.push(hex_digit(*byte));
    }
}

fn write_number(out: &mut String, number: u64) {
    use std::fmt::Write;
    // Writing to a text cannot fail.
    let _ = write!(out, "{number}");
}

fn write_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => write_text(out, text),
        None => out.push_str("null"),
    }
}

/// A text as RFC 8785 has it: the short escapes where there are some, `\u` for other control characters, else itself.
fn write_text(out: &mut String, text: &str) {
    out.push('"');
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        let short = match byte {
            b'"' => '"',
            b'\\' => '\\',
            0x08 => 'b',
            b'\t' => 't',
            b'\n' => 'n',
            0x0C => 'f',
            b'\r' => 'r',
            0..0x20 => 'u',
            _ => continue,
        };
        // What is escaped is one byte, so both sides of it are whole characters.
        out.push_str(&text[written..at]);
        out.push('\\');
        out.push(short);
        if short == 'u' {
            out.push_str("00");
            out.push(hex_digit(byte >> 4));
            out.push(hex_digit(byte));
        }
        written = at + 1;
    }
    out.push_str(&text[written..]);
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf() -> Leaf<'static> {
        Leaf {
            currency: None,
            customer_id: "cust_1".into(),
            delta: "-0.000001".into(),
            mode: Mode::Test,
            previous_proof_hash: None,
            reason: "Usage".into(),
            record_id: "rec_1".into(),
            reference_id: None,
            salt: [0x0F; 16],
            sequence_number: 1,
            tenant_id: "ten_1".into(),
            verified_at: "2026-01-31T09:30:00.000Z".into(),
        }
    }

    const WRITTEN: &str = concat!(
        r#"{"currency":null,"customerId":"cust_1","delta":"-0.000001","mode":"test","previousProofHash":null,"#,
        r#""reason":"Usage","recordId":"rec_1","referenceId":null,"salt":"0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f","#,
        r#""sequenceNumber":1,"tenantId":"ten_1","verifiedAt":"2026-01-31T09:30:00.000Z"}"#,
    );

    #[test]
    fn a_leaf_is_written_and_read_as_canonical_json() {
        assert_eq!(leaf().canonical(), WRITTEN);
        assert_eq!(Leaf::parse(WRITTEN), Ok(leaf()));
        assert_eq!(leaf().hash(), leaf_hash(WRITTEN.as_bytes()));
    }

    #[test]
    fn nasty_texts_are_written_as_an_independent_canonicalizer_writes_them() {
        let controls: String = (0..=0x20).map(|code| char::from_u32(code).unwrap()).collect();
        let nasty = [
            "",
            "\"",
            "\\",
            "\\\\\"",
            "/",
            "</script>",
            "\u{7F}\u{80}\u{9F}",
            "\u{2028}\u{2029}",
            "\u{FEFF}",
            "\u{FFFF}",
            "\u{10FFFF}",
            "é e\u{301}",
            "€ ö דּ 😀 \u{1F468}\u{200D}\u{1F469}",
            "\u{0}",
            "a\u{1}b\n\r\t\u{8}\u{C}c",
            "\u{1F}",
            controls.as_str(),
        ];
        for text in nasty {
            let leaf = Leaf {
                currency: Some("IDR".into()),
                customer_id: text.into(),
                reason: text.into(),
                reference_id: Some(text.into()),
                previous_proof_hash: Some([0xA0; 32]),
                sequence_number: SEQUENCE_LIMIT - 1,
                ..leaf()
            };
            let canonical = leaf.canonical();
            assert_eq!(canonical, serde_json_canonicalizer::to_string(&leaf).unwrap());
            assert_eq!(Leaf::parse(&canonical), Ok(leaf));
        }
    }

    #[test]
    fn what_is_not_exactly_a_leaf_is_refused() {
        for (from, to, complaint) in [
            (r#""currency":null,"#, "", "missing field `currency`"),
            (r#""mode":"test","#, r#""mode":"test","note":1,"#, "unknown field `note`"),
            (r#""mode":"test","#, r#""mode":"test","mode":"live","#, "duplicate field `mode`"),
            (r#""mode":"test""#, r#""mode":"demo""#, "mode \"demo\" is not"),
            (r#":"-0.000001""#, ":-0.000001", "expected a string"),
            ("-0.000001", "1.10", "is not a plain decimal"),
            ("-0.000001", "1e2", "is not a plain decimal"),
            ("-0.000001", "0.0000001", "is not a plain decimal"),
            (r#""previousProofHash":null"#, r#""previousProofHash":"00""#, "not 64 hexadecimal digits"),
            ("0f0f0f0f0f0f0f0f", "", "not 32 hexadecimal digits"),
            (r#"Number":1,"#, r#"Number":0,"#, "not from 1 to 2^53 - 1"),
            (r#"Number":1,"#, r#"Number":9007199254740992,"#, "not from 1 to 2^53 - 1"),
            (r#"Number":1,"#, r#"Number":1.0,"#, "floating point"),
            (r#"Number":1,"#, r#"Number":-1,"#, "integer `-1`"),
            ("2026-01-31T09:30:00.000Z", "2026-01-31T09:30:00Z", "is not a moment such as"),
            ("2026-01-31T09:30:00.000Z", "2026-02-31T09:30:00.000Z", "is not a moment such as"),
        ] {
            assert!(WRITTEN.contains(from), "{from}");
            let refused = Leaf::parse(&WRITTEN.replace(from, to)).unwrap_err();
            assert!(refused.contains(complaint), "{refused}");
        }
    }
}
