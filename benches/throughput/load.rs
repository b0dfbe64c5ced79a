//! The load: 64 connections that each send the next request when the last is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use switchyard::clock::Clock;
use switchyard::domain::signing::{request_signature, sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::rails::Rails;
use crate::receiver::Receiver;
use crate::server::ServerProcess;

pub const CONNECTIONS: usize = 64;

/// Payment ids that (d) reads: some of those that (c) made.
const KEPT_IDS: usize = 10_000;

/// Deltas of a batch.
const BATCH: usize = 100;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Signed,
    Write,
    Create,
    Get,
    Charge,
    Routed,
    RoutedSlowly,
    Webhook,
    Emit,
    EmitBatch,
    List,
}

impl Phase {
    /// The rows of a round, in their order.
    pub const ALL: [Self; 10] = [
        Self::Signed,
        Self::Write,
        Self::Create,
        Self::Get,
        Self::Charge,
        Self::Routed,
        Self::RoutedSlowly,
        Self::Webhook,
        Self::Emit,
        Self::EmitBatch,
    ];

    pub const fn letter(self) -> char {
        match self {
            Self::Signed => 'a',
            Self::Write => 'b',
            Self::Create => 'c',
            Self::Get => 'd',
            Self::Charge => 'e',
            Self::Routed => 'f',
            Self::RoutedSlowly => 'g',
            Self::Webhook => 'h',
            Self::Emit => 'i',
            Self::EmitBatch => 'j',
            Self::List => 'l',
        }
    }

    /// How many things one request of the row does.
    pub const fn each(self) -> usize {
        if matches!(self, Self::EmitBatch) { BATCH } else { 1 }
    }

    pub const fn is_of_ledger(self) -> bool {
        matches!(self, Self::Emit | Self::EmitBatch)
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Signed => "(a) signed POST, no database",
            Self::Write => "(b) signed POST, three rows written",
            Self::Create => "(c) POST /v1/payments",
            Self::Get => "(d) GET /v1/payments/{id}",
            Self::Charge => "(e) whole charges",
            Self::Routed => "(f) POST /v1/payments, provider answers at once",
            Self::RoutedSlowly => "(g) 500/s arrive, provider takes ~120 ms: what is added to that",
            Self::Webhook => "(h) provider's webhooks, each settles a payment",
            Self::Emit => "(i) deltas of the ledger, one a request",
            Self::EmitBatch => "(j) deltas of the ledger, 100 a request",
            Self::List => "(l) GET /v1/payments, a page",
        }
    }
}

/// What was measured in one row.
pub struct Measured {
    pub seconds: f64,
    pub latencies_us: Vec<u32>,
    pub errors: u64,
}

/// A product under load.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    product: Product,
    api_key: String,
    counter: AtomicU64,
    ids: Mutex<Vec<String>>,
    receiver: Arc<Receiver>,
    rails: Arc<Rails>,
}

impl Client {
    pub fn new(server: &ServerProcess) -> Self {
        Self {
            shared: Arc::new(Shared {
                product: Product::new(&server.address, &server.key, &server.secret),
                api_key: server.api_key.clone(),
                counter: AtomicU64::new(0),
                ids: Mutex::new(Vec::new()),
                receiver: Arc::clone(&server.receiver),
                rails: Arc::new(Rails::new(
                    Product::new(&server.address, &server.sandbox_key, &server.sandbox_secret),
                    Arc::clone(&server.stub),
                )),
            }),
        }
    }

    /// Makes what a phase of this length needs, unmeasured.
    pub async fn prepare(&self, phase: Phase, duration: Duration) {
        if phase == Phase::Webhook {
            self.shared.rails.prepare_webhooks(duration).await;
        }
    }

    /// Runs a phase for a while on every connection.
    pub async fn run(&self, phase: Phase, duration: Duration) -> Measured {
        if phase == Phase::RoutedSlowly {
            return self.shared.rails.at_a_fixed_rate(duration).await;
        }
        let started = Instant::now();
        let deadline = started + duration;
        let mut connections = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let shared = Arc::clone(&self.shared);
            connections.spawn(async move { shared.load(phase, deadline).await });
        }
        let mut latencies_us = Vec::new();
        let mut errors = 0;
        while let Some(done) = connections.join_next().await {
            let (latencies, failed) = done.unwrap();
            latencies_us.extend(latencies);
            errors += failed;
        }
        latencies_us.sort_unstable();
        Measured { seconds: started.elapsed().as_secs_f64(), latencies_us, errors }
    }
}

impl Shared {
    async fn load(&self, phase: Phase, deadline: Instant) -> (Vec<u32>, u64) {
        let mut stream = connect(self.product.address()).await;
        let mut buffer = Vec::with_capacity(8192);
        let mut latencies = Vec::new();
        let mut errors = 0;
        while Instant::now() < deadline {
            let webhook = if phase == Phase::Webhook { self.rails.webhook() } else { None };
            if phase == Phase::Webhook && webhook.is_none() {
                break;
            }
            let started = Instant::now();
            if self.once(phase, &mut stream, &mut buffer, webhook).await {
                latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
            } else {
                errors += 1;
                stream = connect(self.product.address()).await;
                buffer.clear();
            }
        }
        (latencies, errors)
    }

    /// One request, or one whole charge; says whether it went as it should.
    async fn once(&self, phase: Phase, stream: &mut TcpStream, buffer: &mut Vec<u8>, webhook: Option<String>) -> bool {
        let product = &self.product;
        match phase {
            Phase::Signed => product.send(stream, buffer, "POST", "/bench/signed", &self.body(), false).await.0 == 201,
            Phase::Write => product.send(stream, buffer, "POST", "/bench/write", &self.body(), false).await.0 == 201,
            Phase::Create => self.create(stream, buffer).await.is_some(),
            Phase::Get => {
                let number = self.counter.fetch_add(1, Ordering::Relaxed);
                let path = {
                    let ids = self.ids.lock().unwrap();
                    let index = usize::try_from(number).unwrap_or(0) % ids.len().max(1);
                    format!("/v1/payments/{}", ids.get(index).map_or("none", String::as_str))
                };
                product.send(stream, buffer, "GET", &path, "", false).await.0 == 200
            }
            Phase::List => product.send(stream, buffer, "GET", "/v1/payments", "", false).await.0 == 200,
            Phase::Routed | Phase::RoutedSlowly => self.rails.pay(stream, buffer).await.is_some(),
            Phase::Emit => self.emit(stream, buffer, "/api/v1/balance/delta", &self.delta()).await,
            Phase::EmitBatch => {
                let deltas: Vec<String> = (0..BATCH).map(|_| self.delta()).collect();
                let body = format!(r#"{{"deltas":[{}]}}"#, deltas.join(","));
                self.emit(stream, buffer, "/api/v1/balance/delta/batch", &body).await
            }
            Phase::Webhook => Rails::tell(stream, buffer, &webhook.unwrap_or_default()).await,
            Phase::Charge => {
                let Some(payment_id) = self.create(stream, buffer).await else { return false };
                let delivered = self.receiver.wait_for(&payment_id);
                let request = format!(
                    "POST /mock/checkout/{payment_id} HTTP/1.1\r\nHost: bench\r\n\
                     Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 15\r\n\r\noutcome=succeed"
                );
                let is_paid = exchange(stream, buffer, &request).await.0 == 303;
                is_paid && tokio::time::timeout(Duration::from_secs(20), delivered).await.is_ok_and(|told| told.is_ok())
            }
        }
    }

    async fn create(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
        let (status, answer) = self.product.send(stream, buffer, "POST", "/v1/payments", &self.body(), true).await;
        let payment_id = text_of(&answer, "payment_id").filter(|_| status == 201)?.to_owned();
        let mut ids = self.ids.lock().unwrap();
        if ids.len() < KEPT_IDS {
            ids.push(payment_id.clone());
        }
        Some(payment_id)
    }

    /// Sends a request with the API key; says whether it was taken in.
    async fn emit(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>, path: &str, body: &str) -> bool {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            self.api_key,
            body.len()
        );
        exchange(stream, buffer, &request).await.0 == 201
    }

    /// A delta as a product emits it, of one of a thousand customers.
    fn delta(&self) -> String {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        format!(
            r#"{{"customerId":"customer-{}","delta":-{}.25,"reason":"usage of an hour","referenceId":"job-{number}"}}"#,
            number % 1000,
            number % 90 + 1
        )
    }

    fn body(&self) -> String {
        self.product.payment("va_bca", "IDR", "")
    }
}

/// A product of one app.
pub struct Product {
    address: String,
    public_key: String,
    secret: String,
    counter: AtomicU64,
}

impl Product {
    pub fn new(address: &str, public_key: &str, secret: &str) -> Self {
        Self {
            address: address.to_owned(),
            public_key: public_key.to_owned(),
            secret: secret.to_owned(),
            counter: AtomicU64::new(0),
        }
    }

    pub fn address(&self) -> &str {
        &self.address
    }

    /// A request as a product sends it, of one of ten thousand buyers; `metadata` are members more.
    pub fn payment(&self, method: &str, currency: &str, metadata: &str) -> String {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let amount_minor = if currency == "IDR" { 50_000 } else { 10_000 };
        format!(
            r#"{{"external_user_id":"user-{}","email":"buyer@shop.example","amount_minor":{amount_minor},"currency":"{currency}","method":"{method}","return_url":"https://shop.example/thanks","description":"Order {number}","metadata":{{"order":"{number}"{metadata}}}}}"#,
            number % 10_000
        )
    }

    /// Sends a signed request: the status of the answer, 0 for none, and the whole text.
    pub async fn send(
        &self,
        stream: &mut TcpStream,
        buffer: &mut Vec<u8>,
        method: &str,
        path: &str,
        body: &str,
        with_key: bool,
    ) -> (u16, String) {
        let timestamp = Clock::system().now().unix_seconds();
        let signature = request_signature(&self.secret, timestamp, method, path, &sha256(body.as_bytes()));
        let key = if with_key { format!("Idempotency-Key: {}\r\n", &signature[..32]) } else { String::new() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\nX-PAY-Key: {}\r\nX-PAY-Timestamp: {timestamp}\r\n\
             X-PAY-Signature: {signature}\r\n{key}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.public_key,
            body.len()
        );
        exchange(stream, buffer, &request).await
    }
}

/// The first text of this name in a message whose JSON has no spaces.
pub fn text_of<'a>(message: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = message.split_once(&format!("\"{name}\":\""))?;
    rest.split_once('"').map(|(text, _)| text)
}

pub async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a request and reads its answer: the status, 0 for none, and the whole text.
pub async fn exchange(stream: &mut TcpStream, buffer: &mut Vec<u8>, request: &str) -> (u16, String) {
    if stream.write_all(request.as_bytes()).await.is_err() {
        return (0, String::new());
    }
    let Some(message) = read_message(stream, buffer).await else { return (0, String::new()) };
    let status = message.get(9..12).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, message)
}

/// A GET on a connection of its own; waits until the server listens.
pub async fn get(address: &str, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n");
    exchange(&mut connect(address).await, &mut Vec::new(), &request).await.0
}

/// Reads one HTTP message, head and body; what belongs to the next one stays in the buffer.
pub async fn read_message(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(head_end) = find(buffer, b"\r\n\r\n") {
            let end = head_end + 4 + content_length(&buffer[..head_end]);
            if buffer.len() >= end {
                let message = String::from_utf8_lossy(&buffer[..end]).into_owned();
                buffer.drain(..end);
                return Some(message);
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

fn content_length(head: &[u8]) -> usize {
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let line = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    line.and_then(|length| length.trim().parse().ok()).unwrap_or(0)
}
