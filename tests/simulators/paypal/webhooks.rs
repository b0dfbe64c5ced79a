//! Webhooks: the envelope, the headers, and delivery with repetitions.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::Data;
use serde_json::{Value, json};
use switchyard::domain::secrets::random_hex;
use switchyard::domain::time::Timestamp;

use super::{Fault, Sent, Shared, books, signer};

/// PayPal repeats 25 times; so many would only keep a test waiting.
const TRIES: u32 = 8;

/// An event.
pub fn event(kind: &str, resource_type: &str, resource: Value, base: &str, now: Timestamp) -> Value {
    let id = format!("WH-{}-{}", books::new_id(), books::new_id());
    let own = format!("{base}/v1/notifications/webhooks-events/{id}");
    json!({
        "id": id, "event_version": "1.0", "create_time": now.to_rfc3339(), "resource_type": resource_type,
        "resource_version": "2.0", "event_type": kind, "summary": "Something happened", "resource": resource,
        "links": [
            { "href": own, "rel": "self", "method": "GET" },
            { "href": format!("{own}/resend"), "rel": "resend", "method": "POST" },
        ],
    })
}

/// A body with its headers.
pub fn signed(shared: &Shared, body: String, webhook_id: &str, is_forged: bool) -> Sent {
    let random = random_hex(16);
    let parts = [&random[..8], &random[8..12], &random[12..16], &random[16..20], &random[20..]];
    let id = parts.join("-");
    let time = books::written(shared.now());
    let signed_body = if is_forged { format!("{body} ") } else { body.clone() };
    let signature = signer::shared().sign(&id, &time, webhook_id, signed_body.as_bytes());
    let certificate = format!("{}/v1/notifications/certs/CERT-360caa42-fca2a594-0a1b2c3d", shared.url);
    let headers = [
        ("paypal-transmission-id", id.as_str()),
        ("paypal-transmission-time", time.as_str()),
        ("paypal-transmission-sig", signature.as_str()),
        ("paypal-cert-url", certificate.as_str()),
        ("paypal-auth-algo", "SHA256withRSA"),
        ("paypal-auth-version", "v2"),
        ("content-type", "application/json"),
        ("user-agent", "PayPal/AUHD-214.0-56138150"),
    ];
    Sent { headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(), body }
}

/// Tells the gateway of something.
pub fn tell(shared: &Data<Shared>, kind: &str, resource_type: &str, mut resource: Value) {
    let fault = shared.take_fault(Fault::is_of_webhook);
    if let Some(order_id) = order_above(&resource) {
        resource["supplementary_data"] = json!({ "related_ids": { "order_id": order_id } });
    }
    if fault == Some(Fault::WrongAmount) {
        let amount = if resource["amount"].is_object() {
            &mut resource["amount"]
        } else {
            &mut resource["purchase_units"][0]["amount"]
        };
        amount["value"] = "0.01".into();
    }
    let event = event(kind, resource_type, resource, &shared.url, shared.now());
    let made = signed(shared, event.to_string(), &shared.options.webhook_id, fault == Some(Fault::BadSignature));
    let mut wait = Duration::ZERO;
    let mut now_sent = Vec::new();
    {
        let mut books = shared.books();
        books.sent.push(made.clone());
        match fault {
            Some(Fault::Never) => {}
            Some(Fault::OutOfOrder) => books.held_back.push(made),
            Some(Fault::Twice) => now_sent = vec![made.clone(), made],
            Some(Fault::Late(by)) => {
                wait = by;
                now_sent.push(made);
            }
            _ => {
                now_sent.push(made);
                now_sent.append(&mut books.held_back);
            }
        }
    }
    deliver(shared, now_sent, wait);
}

fn deliver(shared: &Data<Shared>, webhooks: Vec<Sent>, wait: Duration) {
    let Some(url) = shared.books().webhook_url.clone() else { return };
    shared.under_way.fetch_add(1, Ordering::SeqCst);
    let shared = shared.clone();
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        for webhook in webhooks {
            for _ in 0..TRIES {
                let mut request = shared.client.post(&url).body(webhook.body.clone());
                for (name, value) in &webhook.headers {
                    request = request.header(name, value);
                }
                if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
                    break;
                }
                tokio::time::sleep(shared.options.retry_after).await;
            }
        }
        shared.under_way.fetch_sub(1, Ordering::SeqCst);
    });
}

/// The order that a capture belongs to: events name it, GET does too, the capture's own answer does not.
fn order_above(resource: &Value) -> Option<String> {
    let up = resource["links"].as_array()?.iter().find(|link| link["rel"] == "up")?["href"].as_str()?;
    let (_, id) = up.split_once("/v2/checkout/orders/")?;
    Some(id.to_owned())
}
