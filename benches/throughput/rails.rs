//! The load on the rails: payments that a provider is called for, at once or slowly and at a fixed rate, and webhooks
//! that settle payments.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use switchyard::clock::Clock;
use switchyard::config::ProviderSettings;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::Secret;
use switchyard::psp::Driver;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::load::{CONNECTIONS, Measured, Product, connect, exchange, text_of};
use crate::stub::{self, PRODUCT, Stub};

/// Arrivals in a second, whatever the server makes of them.
const CHARGES_PER_SECOND: u64 = 500;

/// Payments that are made for each second of webhooks, and for how many times as long at most.
const PAYMENTS_PER_SECOND: usize = 5_000;
const LONGEST_PREPARATION: u32 = 3;

/// How Polar's webhooks are signed.
const WEBHOOK_SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A webhook as Polar sends it, and what in it is this one's own.
const SAMPLE: &str = include_str!("../../psp-fixtures/polar/webhook_order_paid/case.json");
const SAMPLE_PAYMENT: &str = "pay_01m7ynaym0b0ky10zqj0sccfnc";
const SAMPLE_REFERENCE: &str = "INV-7";
const SAMPLE_CHECKOUT: &str = "7b0f3a52-0c6e-4a0f-9d8e-6a5b4c3d2e1f";
const SAMPLE_ORDER: &str = "4c8b7a69-5847-4362-9150-4f3e2d1c0b9a";

/// What the server's settings say of the providers, which are all at `base_url`.
pub fn providers(base_url: &str) -> Vec<ProviderSettings> {
    let settings = |name: &str, credentials: &[(&str, &str)]| ProviderSettings {
        driver: Driver::named(name).unwrap(),
        mode: Mode::Sandbox,
        base_url: Some(base_url.to_owned()),
        credentials: credentials
            .iter()
            .map(|(name, text)| ((*name).to_owned(), Secret::new((*text).to_owned())))
            .collect(),
    };
    vec![
        settings("paypal", &[("client_id", "bench"), ("client_secret", "bench"), ("webhook_id", "BENCH")]),
        settings("polar", &[("access_token", "polar_oat_bench"), ("webhook_secret", WEBHOOK_SECRET)]),
    ]
}

/// A product in sandbox mode, and the providers that its payments go to.
pub struct Rails {
    product: Product,
    stub: Arc<Stub>,
    sample: String,
    idle: Mutex<VecDeque<(TcpStream, Vec<u8>)>>,
    unpaid: Mutex<Vec<Unpaid>>,
}

/// A payment at Polar that no webhook has told of.
struct Unpaid {
    payment_id: String,
    checkout_id: String,
}

impl Rails {
    pub fn new(product: Product, stub: Arc<Stub>) -> Self {
        let case: Value = serde_json::from_str(SAMPLE).unwrap();
        let sample = case["input"]["body"].as_str().unwrap().to_owned();
        Self { product, stub, sample, idle: Mutex::default(), unpaid: Mutex::default() }
    }

    /// A payment at PayPal: one call. Answers with the provider's id of it.
    pub async fn pay(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
        let body = self.product.payment("paypal", "USD", "");
        let (status, answer) = self.product.send(stream, buffer, "POST", "/v1/payments", &body, true).await;
        text_of(&answer, "provider_ref").filter(|_| status == 201).map(str::to_owned)
    }

    /// Starts a payment every two milliseconds. A latency counts from the moment that its payment was to start, and
    /// leaves out what the provider took.
    pub async fn at_a_fixed_rate(self: &Arc<Self>, duration: Duration) -> Measured {
        self.stub.set_slow(true);
        let count = duration.as_secs_f64() * CHARGES_PER_SECOND as f64;
        let (sender, mut added) = mpsc::unbounded_channel();
        let (rails, runtime) = (Arc::clone(self), Handle::current());
        let first = Instant::now() + Duration::from_millis(10);
        // A thread of its own keeps time better than the runtime's clock, which ticks in milliseconds.
        let pacer = std::thread::spawn(move || {
            for number in 0..count as u64 {
                let due = first + Duration::from_micros(number * 1_000_000 / CHARGES_PER_SECOND);
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                let (rails, sender) = (Arc::clone(&rails), sender.clone());
                runtime.spawn(async move {
                    let _ = sender.send(rails.arrive(due).await);
                });
            }
        });
        let (mut latencies_us, mut errors) = (Vec::new(), 0);
        while let Some(added) = added.recv().await {
            match added {
                Some(added) => latencies_us.push(u32::try_from(added.as_micros()).unwrap_or(u32::MAX)),
                None => errors += 1,
            }
        }
        pacer.join().unwrap();
        self.stub.set_slow(false);
        latencies_us.sort_unstable();
        Measured { seconds: duration.as_secs_f64(), latencies_us, errors }
    }

    async fn arrive(&self, due: Instant) -> Option<Duration> {
        // The one that has been idle for longest: the server closes those that are never used.
        let idle = self.idle.lock().unwrap().pop_front();
        let (mut stream, mut buffer) = match idle {
            Some(idle) => idle,
            None => (connect(self.product.address()).await, Vec::with_capacity(8192)),
        };
        let order_id = self.pay(&mut stream, &mut buffer).await?;
        let total = due.elapsed();
        self.idle.lock().unwrap().push_back((stream, buffer));
        Some(total.saturating_sub(stub::waited(&order_id)?))
    }

    /// Makes payments at Polar for webhooks to tell of, as many as `duration` may need.
    pub async fn prepare_webhooks(self: &Arc<Self>, duration: Duration) {
        let wanted = (duration.as_secs_f64() * PAYMENTS_PER_SECOND as f64) as usize;
        let deadline = Instant::now() + duration * LONGEST_PREPARATION;
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let rails = Arc::clone(self);
            connections.spawn(async move {
                let mut stream = connect(rails.product.address()).await;
                let mut buffer = Vec::with_capacity(8192);
                while Instant::now() < deadline && rails.unpaid.lock().unwrap().len() < wanted {
                    rails.prepare_webhook(&mut stream, &mut buffer).await;
                }
            });
        }
        connections.join_all().await;
    }

    async fn prepare_webhook(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) {
        let product = format!(r#","polar_product_id":"{PRODUCT}""#);
        let body = self.product.payment("polar", "EUR", &product);
        let (status, answer) = self.product.send(stream, buffer, "POST", "/v1/payments", &body, true).await;
        assert_eq!(status, 201, "{answer}");
        let text = |name: &str| text_of(&answer, name).unwrap().to_owned();
        let unpaid = Unpaid { payment_id: text("payment_id"), checkout_id: text("provider_ref") };
        self.unpaid.lock().unwrap().push(unpaid);
    }

    /// The next webhook, ready to be sent.
    pub fn webhook(&self) -> Option<String> {
        let Unpaid { payment_id, checkout_id } = self.unpaid.lock().unwrap().pop()?;
        // The checkout's id is of this payment alone, and so are these.
        let (order_id, message_id) = (checkout_id.replacen('0', "1", 1), checkout_id.replacen('0', "2", 1));
        let body = self
            .sample
            .replace(SAMPLE_REFERENCE, &format!("{payment_id}-1"))
            .replace(SAMPLE_PAYMENT, &payment_id)
            .replace(SAMPLE_CHECKOUT, &checkout_id)
            .replace(SAMPLE_ORDER, &order_id);
        let timestamp = Clock::system().now().unix_seconds();
        let mut mac = Hmac::<Sha256>::new_from_slice(WEBHOOK_SECRET.as_bytes()).unwrap();
        mac.update(format!("{message_id}.{timestamp}.{body}").as_bytes());
        let signature = STANDARD.encode(mac.finalize().into_bytes());
        Some(format!(
            "POST /webhooks/polar/sandbox HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
             webhook-id: {message_id}\r\nwebhook-timestamp: {timestamp}\r\nwebhook-signature: v1,{signature}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ))
    }

    /// Sends a webhook; says whether it settled its payment.
    pub async fn tell(stream: &mut TcpStream, buffer: &mut Vec<u8>, request: &str) -> bool {
        let (status, answer) = exchange(stream, buffer, request).await;
        status == 200 && answer.contains("\"applied\"")
    }
}
