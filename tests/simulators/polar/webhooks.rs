//! Webhooks of the simulator: signed by Standard Webhooks under either derivation of the key, first attempts in the
//! order of the events, then again with growing waits, ten times in all, as Polar does; only the waits are short.

use std::sync::atomic::Ordering;
use std::time::Duration;

use actix_web::web::Data;
use base64::Engine;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use switchyard::clock::Clock;

use super::{Shared, WebhookFault, objects};

/// How a secret becomes a key, by when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// `whsec_` and base64, decoded.
    Standard,
    /// `whsec_` and letters, as written.
    LegacyWhsec,
    /// `polar_whs_` and letters, as written.
    LegacyPolar,
}

impl Scheme {
    pub const fn secret(self) -> &'static str {
        match self {
            Self::Standard => "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            Self::LegacyWhsec => "whsec_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK",
            Self::LegacyPolar => "polar_whs_ovyN6cPrTv56AApvzCaJno08SSmGJmgbWilb33N2JuK",
        }
    }

    fn key(self) -> Vec<u8> {
        match self {
            Self::Standard => {
                base64::engine::general_purpose::STANDARD.decode(self.secret().strip_prefix("whsec_").unwrap()).unwrap()
            }
            Self::LegacyWhsec | Self::LegacyPolar => self.secret().as_bytes().to_vec(),
        }
    }
}

/// An attempt to deliver.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub webhook_id: String,
    pub kind: String,
    pub body: String,
    /// What was answered; nothing where nobody did.
    pub status: Option<u16>,
}

/// The three headers of a delivery.
pub fn sign(scheme: Scheme, id: &str, timestamp: i64, body: &str) -> Vec<(String, String)> {
    sign_with(&scheme.key(), id, timestamp, body)
}

fn sign_with(key: &[u8], id: &str, timestamp: i64, body: &str) -> Vec<(String, String)> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    let tag = base64::engine::general_purpose::STANDARD.encode(mac.finalize().into_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", timestamp.to_string()),
        ("webhook-signature", format!("v1,{tag}")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

#[derive(Clone)]
struct Event {
    id: String,
    kind: String,
    body: String,
}

/// Puts what has happened on its way.
pub fn send(shared: &Data<Shared>) {
    let (url, mut events, fault) = {
        let mut books = shared.books.lock().unwrap();
        let happened = std::mem::take(&mut books.outbox);
        let Some(endpoint) = books.endpoint.clone().filter(|_| !happened.is_empty()) else { return };
        let fault = books.webhook_faults.pop_front();
        let is_heard = |kind: &str| endpoint["events"].as_array().unwrap().iter().any(|event| event == kind);
        let happened = happened.into_iter().filter(|(kind, _)| is_heard(kind));
        let events: Vec<Event> = happened.map(|(kind, data)| event(kind, data, fault)).collect();
        (endpoint["url"].as_str().unwrap().to_owned(), events, fault)
    };
    match fault {
        Some(WebhookFault::Never) => return,
        Some(WebhookFault::OutOfOrder) => events.reverse(),
        Some(WebhookFault::Duplicated) => {
            events = events.into_iter().flat_map(|event| [event.clone(), event]).collect()
        }
        _ => {}
    }
    let key = match fault {
        Some(WebhookFault::BadlySigned) => b"another key altogether".to_vec(),
        _ => shared.options.scheme.key(),
    };
    shared.under_way.fetch_add(events.len(), Ordering::SeqCst);
    let batch = Batch { url, key, events };
    let shared = shared.clone();
    if let Some(WebhookFault::Late(wait)) = fault {
        tokio::spawn(async move {
            tokio::time::sleep(wait).await;
            deliver(&shared, batch).await;
        });
        return;
    }
    // Whichever task comes first takes what happened first.
    shared.books.lock().unwrap().line.push_back(batch);
    tokio::spawn(async move {
        let _turn = shared.turn.lock().await;
        let batch = shared.books.lock().unwrap().line.pop_front();
        if let Some(batch) = batch {
            deliver(&shared, batch).await;
        }
    });
}

/// Events that go out one after another.
pub struct Batch {
    url: String,
    key: Vec<u8>,
    events: Vec<Event>,
}

/// Tries each once, in order. What fails is tried again beside the others.
async fn deliver(shared: &Data<Shared>, batch: Batch) {
    let client = shared.client.clone();
    for event in batch.events {
        if attempt(shared, &client, &batch.url, &batch.key, &event).await {
            shared.under_way.fetch_sub(1, Ordering::SeqCst);
        } else {
            tokio::spawn(retry(shared.clone(), client.clone(), batch.url.clone(), batch.key.clone(), event));
        }
    }
}

fn event(kind: String, mut data: Value, fault: Option<WebhookFault>) -> Event {
    if matches!(fault, Some(WebhookFault::WrongAmount)) && kind == "order.paid" {
        for name in ["subtotal_amount", "net_amount", "total_amount", "due_amount"] {
            data[name] = (data[name].as_i64().unwrap() + 1).into();
        }
    }
    let now = objects::now();
    let version = super::server::CURRENT_VERSION;
    let body = format!(r#"{{"type":"{kind}","timestamp":"{now}","api_version":"{version}","data":{data}}}"#);
    Event { id: objects::uuid(), kind, body }
}

async fn attempt(shared: &Shared, client: &reqwest::Client, url: &str, key: &[u8], event: &Event) -> bool {
    let timestamp = Clock::system().now().unix_seconds();
    let mut request = client
        .post(url)
        .timeout(Duration::from_secs(10))
        .header("user-agent", "polar.sh webhooks")
        .header("content-type", "application/json")
        .header("webhook-api-version", super::server::CURRENT_VERSION);
    for (name, value) in sign_with(key, &event.id, timestamp, &event.body) {
        request = request.header(name, value);
    }
    let status = request.body(event.body.clone()).send().await.ok().map(|response| response.status().as_u16());
    let Event { id, kind, body } = event.clone();
    shared.books.lock().unwrap().deliveries.push(Delivery { webhook_id: id, kind, body, status });
    status.is_some_and(|status| status / 100 == 2)
}

async fn retry(shared: Data<Shared>, client: reqwest::Client, url: String, key: Vec<u8>, event: Event) {
    for number in 1..10_u32 {
        tokio::time::sleep(Duration::from_millis(10 << number.min(6))).await;
        if attempt(&shared, &client, &url, &key, &event).await {
            break;
        }
    }
    shared.under_way.fetch_sub(1, Ordering::SeqCst);
}
