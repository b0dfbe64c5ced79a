//! Polar's webhooks: whether Polar signed one, and what it tells. Orders tell of money, checkouts of giving up,
//! refunds of what goes back, subscriptions their whole state. What is done about it is not decided here.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use super::wire::{Checkout, Order, Refund, Subscription};
use crate::domain::time::Timestamp;
use crate::psp::{News, WebhookReading};

/// How far a delivery's timestamp may be from the clock, both ways, in seconds.
const TOLERANCE_SECONDS: i64 = 300;

/// What stands before the encoded key of a secret by Standard Webhooks.
const STANDARD_PREFIX: &str = "whsec_";

/// Standard base64, with its padding or without.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
}

/// Reads a delivery with the endpoint's secret.
pub fn read(secret: &str, headers: &[(String, String)], body: &[u8], now: Timestamp) -> WebhookReading {
    let header = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let (Some(id), Some(timestamp), Some(signature)) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"))
    else {
        return WebhookReading::NotSigned;
    };
    let Ok(seconds) = timestamp.parse::<i64>() else { return WebhookReading::NotSigned };
    if seconds.abs_diff(now.unix_seconds()) > TOLERANCE_SECONDS.unsigned_abs()
        || !is_signed(secret, id, timestamp, body, signature)
    {
        return WebhookReading::NotSigned;
    }
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else {
        return WebhookReading::Unreadable("no event of the known form".to_owned());
    };
    let kind = envelope.kind.clone();
    let Some(mut news) = understand(envelope) else {
        return WebhookReading::Unreadable(format!("the data of {kind} has not the known form"));
    };
    news.event_id = id.to_owned();
    news.kind = kind;
    WebhookReading::News(Box::new(news))
}

/// Whether any of the signatures is right with one of the secret's keys.
///
/// A secret has two keys, and its look does not tell which one Polar signs with: secrets made before 2026-09-08 count
/// as they are written, later ones are decoded from base64 first. Both are equally hard to guess, so either is taken.
fn is_signed(secret: &str, id: &str, timestamp: &str, body: &[u8], signature: &str) -> bool {
    let decoded = LENIENT.decode(secret.strip_prefix(STANDARD_PREFIX).unwrap_or(secret)).ok();
    let keys = [Some(secret.as_bytes().to_vec()), decoded];
    let mut is_right = false;
    for key in keys.into_iter().flatten().filter(|key| !key.is_empty()) {
        let expected = sign(&key, id, timestamp, body);
        for given in signature.split(' ').filter_map(|entry| entry.strip_prefix("v1,")) {
            is_right |= bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
        }
    }
    is_right
}

fn sign(key: &[u8], id: &str, timestamp: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
    for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
        mac.update(part);
    }
    base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes())
}

/// What an event tells; none if its data is not what it should be. Of kinds that do not matter, only the kind is told:
/// Polar adds new ones, and each is to be acknowledged.
fn understand(envelope: Envelope) -> Option<News> {
    let Envelope { kind, data } = envelope;
    match kind.split_once('.') {
        Some(("checkout", _)) => Some(of_checkout(&parse(data)?)),
        Some(("order", what)) => of_order(what, &parse(data)?),
        Some(("refund", _)) => of_refund(&parse(data)?),
        Some(("subscription", _)) => of_subscription(&parse(data)?),
        _ => Some(News::default()),
    }
}

fn parse<T: DeserializeOwned>(data: Value) -> Option<T> {
    serde_json::from_value(data).ok()
}

fn of_checkout(checkout: &Checkout) -> News {
    let observations = checkout.observation().into_iter().collect();
    News { about: checkout.about(), observations, ..News::default() }
}

/// Money moves by `order.paid` alone. The state of an order in the other events is at most a reason to ask.
fn of_order(what: &str, order: &Order) -> Option<News> {
    let mut news = News { about: order.about(), ..News::default() };
    match what {
        "paid" => {
            news.subscription = order.subscription.as_ref().and_then(Subscription::news);
            if order.has_money() && !order.is_later() {
                news.observations.push(order.paid()?);
            }
            let is_renewal = matches!(order.billing_reason.as_str(), "subscription_cycle" | "subscription_meter_cycle");
            if order.has_money() && is_renewal {
                news.subscription.as_mut()?.renewal = Some(order.renewal()?);
            }
        }
        // It names no refund, so the refunds have to be asked for.
        "refunded" if !order.is_later() => news.must_confirm = true,
        _ => {}
    }
    Some(news)
}

fn of_refund(refund: &Refund) -> Option<News> {
    let must_confirm = refund.needs_order();
    let observations = if must_confirm { Vec::new() } else { vec![refund.observation(refund.amount)?] };
    Some(News { about: refund.about(), observations, must_confirm, ..News::default() })
}

fn of_subscription(subscription: &Subscription) -> Option<News> {
    Some(News { about: subscription.about(), subscription: Some(subscription.news()?), ..News::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0f4c1d2e-3b5a-4c69-8d7e-9f0a1b2c3d4e";
    const BODY: &[u8] = br#"{"type":"customer.created","data":{}}"#;

    fn read_signed(secret: &str, key: &[u8], change: impl Fn(&mut Vec<(String, String)>)) -> WebhookReading {
        let signature = format!("v1,{}", sign(key, ID, "1795256105", BODY));
        let headers = [("webhook-id", ID), ("webhook-timestamp", "1795256105"), ("webhook-signature", &signature)];
        let mut headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        change(&mut headers);
        read(secret, &headers, BODY, Timestamp::from_unix_seconds(1_795_256_105 + 300))
    }

    #[test]
    fn both_keys_of_a_secret_sign() {
        let secret = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let decoded: Vec<u8> = (0..32).collect();
        for key in [secret.as_bytes(), &decoded] {
            assert!(matches!(read_signed(secret, key, |_| {}), WebhookReading::News(_)));
        }
        let legacy = "polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK";
        assert!(matches!(read_signed(legacy, legacy.as_bytes(), |_| {}), WebhookReading::News(_)));
        assert_eq!(read_signed(legacy, secret.as_bytes(), |_| {}), WebhookReading::NotSigned);
        assert_eq!(read_signed("", b"", |_| {}), WebhookReading::NotSigned);
        assert_eq!(read_signed("whsec_", b"", |_| {}), WebhookReading::NotSigned);
    }

    #[test]
    fn what_is_late_changed_or_incomplete_is_not_signed() {
        let key = b"whsec_x";
        let news = read_signed("whsec_x", key, |headers| headers[2].1 = format!("v1,AAAA v2,x {}", headers[2].1));
        assert!(matches!(news, WebhookReading::News(_)), "one right signature of several is enough");
        for index in 0..3 {
            let without = read_signed("whsec_x", key, |headers| drop(headers.remove(index)));
            assert_eq!(without, WebhookReading::NotSigned);
        }
        let later = read_signed("whsec_x", key, |headers| headers[1].1 = "1795256104".to_owned());
        assert_eq!(later, WebhookReading::NotSigned);
        let other = read_signed("whsec_x", key, |headers| headers[0].1.push('0'));
        assert_eq!(other, WebhookReading::NotSigned);
    }
}
