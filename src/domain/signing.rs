//! The signature schemes between products and the gateway, both ways.
//!
//! In: `X-PAY-Signature` over the request. Out: the same family over the event's bytes, and Standard Webhooks
//! (<https://www.standardwebhooks.com>) over the same bytes, so that either family of verifier works unmodified.

use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// How far a request's timestamp may be from the gateway's clock, both ways, in seconds; exactly this passes.
pub const MAX_SKEW_SECONDS: i64 = 300;

fn hmac_sha256(key: &str, parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("HMAC takes a key of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// SHA-256 of `bytes`.
#[must_use]
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// A 16-byte fingerprint of several texts, unambiguous in where one ends and the next begins.
#[must_use]
pub fn fingerprint(parts: &[&str]) -> [u8; 16] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let full: [u8; 32] = hasher.finalize().into();
    let mut short = [0; 16];
    short.copy_from_slice(&full[..16]);
    short
}

/// What an app signs for a request: `<timestamp>.<METHOD>.<path>.<hex sha256(body)>`, as lower-case hex.
///
/// `target` is the raw path of the request line, with `?<query>` where the caller signs that too.
#[must_use]
pub fn request_signature(secret: &str, timestamp: i64, method: &str, target: &str, body_sha256: &[u8; 32]) -> String {
    let body_hash = hex::encode(body_sha256);
    let head = format!("{timestamp}.{method}.{target}.");
    hex::encode(hmac_sha256(secret, &[head.as_bytes(), body_hash.as_bytes()]))
}

/// `X-PAY-Signature` of an outbound event: `<timestamp>.<raw body>`, as lower-case hex.
#[must_use]
pub fn event_signature(webhook_secret: &str, timestamp: i64, body: &[u8]) -> String {
    hex::encode(hmac_sha256(webhook_secret, &[format!("{timestamp}.").as_bytes(), body]))
}

/// What a form of a page carries to show that we wrote the page for whom `bound_to` names, as lower-case hex.
#[must_use]
pub fn form_token(key: &str, bound_to: &str) -> String {
    hex::encode(hmac_sha256(key, &[b"form|", bound_to.as_bytes()]))
}

/// Whether two texts are the same, in a time that does not tell where they differ.
#[must_use]
pub fn is_same_text(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

/// One entry of `webhook-signature`: `v1,<base64>` over `<id>.<timestamp>.<raw body>`.
#[must_use]
pub fn standard_webhook_signature(webhook_secret: &str, id: &str, timestamp: i64, body: &[u8]) -> String {
    let head = format!("{id}.{timestamp}.");
    let tag = hmac_sha256(webhook_secret, &[head.as_bytes(), body]);
    format!("v1,{}", base64::engine::general_purpose::STANDARD.encode(tag))
}

/// The headers of an event's delivery: both families of signature over the same bytes. While a rotation lasts, `previous`
/// is the old secret: verifiers of the first family know one signature, and it stays the old one's.
#[must_use]
pub fn event_headers(
    current: &str,
    previous: Option<&str>,
    event_id: &str,
    timestamp: i64,
    body: &[u8],
) -> [(&'static str, String); 5] {
    let signature = event_signature(previous.unwrap_or(current), timestamp, body);
    let mut standard = standard_webhook_signature(current, event_id, timestamp, body);
    if let Some(previous) = previous {
        standard.push(' ');
        standard.push_str(&standard_webhook_signature(previous, event_id, timestamp, body));
    }
    [
        ("X-PAY-Timestamp", timestamp.to_string()),
        ("X-PAY-Signature", signature),
        ("webhook-id", event_id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", standard),
    ]
}

/// The webhook secret in the notation of Standard Webhooks' libraries, which decode what follows `whsec_`.
#[must_use]
pub fn standard_webhook_secret(webhook_secret: &str) -> String {
    format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(webhook_secret))
}

/// Whether two texts are equal, in a time that depends on their lengths alone.
#[must_use]
pub fn equal_in_constant_time(left: &str, right: &str) -> bool {
    left.as_bytes().ct_eq(right.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_signature_matches_the_published_vectors() {
        let secret = "0123456789abcdef".repeat(4);
        let body = br#"{"amount_minor":50000,"currency":"IDR"}"#;
        assert_eq!(
            request_signature(&secret, 1_760_000_000, "POST", "/v1/payments", &sha256(body)),
            "f09b97bce8c4ffd36cf0746aeb1f3b9c4f107e38902488af3ff6199b633c9b62"
        );
        let path = format!("/v1/payments/{}", "0".repeat(32));
        assert_eq!(
            request_signature(&secret, 1_760_000_000, "GET", &path, &sha256(b"")),
            "5b80393f33f6ce85921a0964028c17311bf65d379673977147ed8ef575c84671"
        );
    }

    #[test]
    fn an_event_signature_matches_the_published_vector() {
        let secret = "fedcba9876543210".repeat(4);
        assert_eq!(
            event_signature(&secret, 1_760_000_000, br#"{"event":"payment.succeeded"}"#),
            "e20bb4b42cee219014f00d88201f7cbe21dacc88f9d21696c334afef880cb2af"
        );
    }

    #[test]
    fn a_fingerprint_knows_where_its_parts_end() {
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
