//! Providers as lean as can be: PayPal's orders and Polar's checkouts, as far as the drivers read them, answered at
//! once or after a while. The faithful simulators are slow by design; here the gateway is what is measured.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::load::{read_message, text_of};

/// The product that is bought at Polar.
pub const PRODUCT: &str = "5d0a4f5e-2b57-4c0e-8a57-8a3d1e0c7b11";

/// Median and spread of how long a provider that is slow takes to answer.
const MEDIAN_SECONDS: f64 = 0.120;
const SIGMA: f64 = 0.4;

/// Stands in an order's id before the microseconds that its making took.
const WAITED: char = 'W';

/// The providers' server, in this process.
pub struct Stub {
    url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    is_slow: AtomicBool,
    made: AtomicU64,
}

impl Stub {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shared = Arc::new(Shared::default());
        let (serving, base) = (Arc::clone(&shared), url.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&serving), base.clone()));
            }
        });
        Self { url, shared }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether orders take their time from now on.
    pub fn set_slow(&self, is_slow: bool) {
        self.shared.is_slow.store(is_slow, Ordering::Relaxed);
    }
}

/// How long the making of an order took at the provider: its id tells.
pub fn waited(order_id: &str) -> Option<Duration> {
    let (_, micros) = order_id.rsplit_once(WAITED)?;
    micros.parse().ok().map(Duration::from_micros)
}

/// The id that the checkout number `number` has, in the form of a UUID.
fn checkout_id(number: u64) -> String {
    format!("00000000-0000-4000-8000-{number:012x}")
}

async fn serve(mut stream: TcpStream, shared: Arc<Shared>, base: String) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::with_capacity(8192);
    while let Some(message) = read_message(&mut stream, &mut buffer).await {
        let (status, body) = shared.answer(&base, &message).await;
        let answer = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

impl Shared {
    async fn answer(&self, base: &str, message: &str) -> (&'static str, String) {
        let mut words = message.split(' ');
        let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let last = path.rsplit('/').next().unwrap_or_default();
        match (method, path) {
            ("POST", "/v1/oauth2/token") => {
                ("200 OK", r#"{"access_token":"A21AAbench","token_type":"Bearer","expires_in":32400}"#.to_owned())
            }
            ("POST", "/v2/checkout/orders") => {
                let asked = Instant::now();
                let number = self.made.fetch_add(1, Ordering::Relaxed);
                if self.is_slow.load(Ordering::Relaxed) {
                    tokio::time::sleep(log_normal(number)).await;
                }
                let waited = asked.elapsed().as_micros();
                let id = format!("{number:010}{WAITED}{waited:09}");
                ("201 Created", order(base, &id, "PAYER_ACTION_REQUIRED"))
            }
            ("GET", _) if path.starts_with("/v2/checkout/orders/") => ("200 OK", order(base, last, "CREATED")),
            ("GET", _) if path.starts_with("/v1/products/") => ("200 OK", product()),
            ("POST", "/v1/checkouts/") => {
                let id = checkout_id(self.made.fetch_add(1, Ordering::Relaxed));
                ("201 Created", checkout(base, &id, text_of(message, "payment_id").unwrap_or_default()))
            }
            ("GET", _) if path.starts_with("/v1/checkouts/") => ("200 OK", checkout(base, last, "")),
            _ => ("404 Not Found", "{}".to_owned()),
        }
    }
}

fn order(base: &str, id: &str, status: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"{status}","payment_source":{{"paypal":{{}}}},"links":[{{"href":"{base}/v2/checkout/orders/{id}","rel":"self","method":"GET"}},{{"href":"{base}/checkoutnow?token={id}","rel":"payer-action","method":"GET"}}]}}"#
    )
}

fn product() -> String {
    format!(
        r#"{{"id":"{PRODUCT}","name":"Lifetime licence","is_recurring":false,"is_archived":false,"metadata":{{}},"prices":[{{"id":"e2f1d0c9-b8a7-4655-8433-221100ffeedd","amount_type":"fixed","price_currency":"eur","price_amount":10000,"is_archived":false}}]}}"#
    )
}

fn checkout(base: &str, id: &str, payment_id: &str) -> String {
    format!(
        r#"{{"id":"{id}","status":"open","url":"{base}/checkout/{id}","amount":10000,"currency":"eur","product_id":"{PRODUCT}","metadata":{{"payment_id":"{payment_id}"}}}}"#
    )
}

/// Draw number `number`, the same in every run.
fn log_normal(number: u64) -> Duration {
    let (one, other) = (uniform(number * 2), uniform(number * 2 + 1));
    // Box and Muller's way from two even draws to a normal one.
    let normal = (-2.0 * (1.0 - one).ln()).sqrt() * (std::f64::consts::TAU * other).cos();
    Duration::from_secs_f64(MEDIAN_SECONDS * (SIGMA * normal).exp())
}

/// Between 0 and 1: the finish of SplitMix64.
fn uniform(number: u64) -> f64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^= bits >> 31;
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}
