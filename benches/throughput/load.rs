//! The load: 64 connections that each send the next request when the last is answered.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use switchyard::clock::Clock;
use switchyard::domain::signing::{request_signature, sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::receiver::Receiver;
use crate::server::ServerProcess;

const CONNECTIONS: usize = 64;

/// Payment ids that (d) reads: some of those that (c) made.
const KEPT_IDS: usize = 10_000;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Signed,
    Write,
    Create,
    Get,
    Charge,
    List,
}

impl Phase {
    /// The rows of a round, in their order.
    pub const ALL: [Self; 5] = [Self::Signed, Self::Write, Self::Create, Self::Get, Self::Charge];

    pub const fn letter(self) -> char {
        match self {
            Self::Signed => 'a',
            Self::Write => 'b',
            Self::Create => 'c',
            Self::Get => 'd',
            Self::Charge => 'e',
            Self::List => 'l',
        }
    }

    pub const fn title(self) -> &'static str {
        match self {
            Self::Signed => "(a) signed POST, no database",
            Self::Write => "(b) signed POST, three rows written",
            Self::Create => "(c) POST /v1/payments",
            Self::Get => "(d) GET /v1/payments/{id}",
            Self::Charge => "(e) whole charges",
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
    address: String,
    public_key: String,
    secret: String,
    counter: AtomicU64,
    ids: Mutex<Vec<String>>,
    receiver: Arc<Receiver>,
}

impl Client {
    pub fn new(server: &ServerProcess) -> Self {
        Self {
            shared: Arc::new(Shared {
                address: server.address.clone(),
                public_key: server.public_key.clone(),
                secret: server.secret.clone(),
                counter: AtomicU64::new(0),
                ids: Mutex::new(Vec::new()),
                receiver: Arc::clone(&server.receiver),
            }),
        }
    }

    /// Runs a phase for a while on every connection.
    pub async fn run(&self, phase: Phase, duration: Duration) -> Measured {
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
        let mut stream = connect(&self.address).await;
        let mut buffer = Vec::with_capacity(8192);
        let mut latencies = Vec::new();
        let mut errors = 0;
        while Instant::now() < deadline {
            let started = Instant::now();
            if self.once(phase, &mut stream, &mut buffer).await {
                latencies.push(u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX));
            } else {
                errors += 1;
                stream = connect(&self.address).await;
                buffer.clear();
            }
        }
        (latencies, errors)
    }

    /// One request, or one whole charge; says whether it went as it should.
    async fn once(&self, phase: Phase, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
        match phase {
            Phase::Signed => self.send(stream, buffer, "POST", "/bench/signed", &self.body(), false).await.0 == 201,
            Phase::Write => self.send(stream, buffer, "POST", "/bench/write", &self.body(), false).await.0 == 201,
            Phase::Create => self.create(stream, buffer).await.is_some(),
            Phase::Get => {
                let number = self.counter.fetch_add(1, Ordering::Relaxed);
                let path = {
                    let ids = self.ids.lock().unwrap();
                    let index = usize::try_from(number).unwrap_or(0) % ids.len().max(1);
                    format!("/v1/payments/{}", ids.get(index).map_or("none", String::as_str))
                };
                self.send(stream, buffer, "GET", &path, "", false).await.0 == 200
            }
            Phase::List => self.send(stream, buffer, "GET", "/v1/payments", "", false).await.0 == 200,
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
        let (status, answer) = self.send(stream, buffer, "POST", "/v1/payments", &self.body(), true).await;
        let at = answer.find("\"payment_id\":\"").filter(|_| status == 201)?;
        let payment_id = answer[at + 14..at + 44].to_owned();
        let mut ids = self.ids.lock().unwrap();
        if ids.len() < KEPT_IDS {
            ids.push(payment_id.clone());
        }
        Some(payment_id)
    }

    /// A request as a product sends it, of one of ten thousand buyers.
    fn body(&self) -> String {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        format!(
            r#"{{"external_user_id":"user-{}","email":"buyer@shop.example","amount_minor":50000,"currency":"IDR","method":"va_bca","return_url":"https://shop.example/thanks","description":"Order {number}","metadata":{{"order":"{number}"}}}}"#,
            number % 10_000
        )
    }

    async fn send(
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

async fn connect(address: &str) -> TcpStream {
    let stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Sends a request and reads its answer: the status, 0 for none, and the whole text.
async fn exchange(stream: &mut TcpStream, buffer: &mut Vec<u8>, request: &str) -> (u16, String) {
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
