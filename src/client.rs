//! Our own API from outside, as a product's backend uses it: signed requests, the stream of events, and the posting of
//! an event to a receiver as a delivery would. For the command line's tools for developers, and for nothing that serves.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::clock::Clock;
use crate::domain::secrets::{Secret, random_hex};
use crate::domain::signing::{event_headers, request_signature, sha256};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a call may take in all; a delivery has as long.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a stream may be silent: three of the server's heartbeats.
const SILENCE: Duration = Duration::from_secs(45);

/// The longest event that is read, in bytes.
const MAX_EVENT_BYTES: usize = 1024 * 1024;

/// Why a call came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer: the network, a time-out, TLS.
    #[error("{0}")]
    Unreachable(String),
    /// The server refused it.
    #[error("{detail} ({status} {code}{})", request_id.as_ref().map(|id| format!(", request {id}")).unwrap_or_default())]
    Refused {
        /// HTTP status.
        status: u16,
        /// The stable code of the error.
        code: String,
        /// The sentence for people.
        detail: String,
        /// Under which the server's log has it.
        request_id: Option<String>,
    },
}

impl CallError {
    /// Whether the same may work in a moment.
    #[must_use]
    pub const fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable(_) => true,
            Self::Refused { status, .. } => matches!(status, 408 | 425 | 429 | 500..=599),
        }
    }

    /// Whether the server answered with this status.
    #[must_use]
    pub const fn is_status(&self, wanted: u16) -> bool {
        matches!(self, Self::Refused { status, .. } if *status == wanted)
    }
}

/// An app's view of a server.
pub struct Client {
    base_url: String,
    key: String,
    secret: Secret,
    http: reqwest::Client,
    clock: Clock,
}

impl Client {
    /// A client for the server at `base_url`, with an app's public key and secret.
    ///
    /// # Errors
    /// When the URL cannot be used or the TLS library cannot start.
    pub fn new(base_url: &str, key: &str, secret: Secret) -> Result<Self, CallError> {
        let is_http = url::Url::parse(base_url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !is_http {
            return Err(CallError::Unreachable(format!("{base_url} is not an http or https URL")));
        }
        let base_url = base_url.trim_end_matches('/').to_owned();
        Ok(Self { base_url, key: key.to_owned(), secret, http: http_client()?, clock: Clock::system() })
    }

    /// The base of its URLs.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// The app's public key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Reads something. `target` is a path, with its query if it has one.
    ///
    /// # Errors
    /// What the server refuses, or that it cannot be reached.
    pub async fn get(&self, target: &str) -> Result<Value, CallError> {
        let request = self.signed(Method::GET, target, "").timeout(CALL_TIMEOUT);
        read(request.send().await).await
    }

    /// Asks for something to be done, once.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, CallError> {
        let body = body.to_string();
        let request = self.signed(Method::POST, path, &body).timeout(CALL_TIMEOUT);
        let request = request.header("Idempotency-Key", random_hex(16)).header("Content-Type", "application/json");
        read(request.body(body).send().await).await
    }

    /// Follows the app's events, after `last` or from now on; of all types where `types` is empty.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub async fn follow(&self, types: &str, last: Option<&str>) -> Result<Following, CallError> {
        let query = if types.is_empty() { String::new() } else { format!("?types={types}") };
        let mut request = self.signed(Method::GET, &format!("/v1/events/stream{query}"), "");
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let answered = tokio::time::timeout(CALL_TIMEOUT, request.send()).await;
        let response = answered.map_err(|_| CallError::Unreachable("the server does not answer".to_owned()))?;
        let response = accepted(response).await?;
        Ok(Following { response, buffer: Vec::new() })
    }

    fn signed(&self, method: Method, target: &str, body: &str) -> RequestBuilder {
        let timestamp = self.clock.now().unix_seconds();
        let digest = sha256(body.as_bytes());
        let signature = request_signature(self.secret.expose(), timestamp, method.as_str(), target, &digest);
        self.http
            .request(method, format!("{}{target}", self.base_url))
            .header("X-PAY-Key", &self.key)
            .header("X-PAY-Timestamp", timestamp.to_string())
            .header("X-PAY-Signature", signature)
    }
}

fn http_client() -> Result<reqwest::Client, CallError> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| unreachable(&error))
}

fn unreachable(error: &reqwest::Error) -> CallError {
    CallError::Unreachable(failure_of(error).to_owned())
}

fn failure_of(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() {
        "timeout"
    } else if error.is_connect() {
        "could not connect"
    } else {
        "the connection broke off"
    }
}

async fn read(answered: reqwest::Result<Response>) -> Result<Value, CallError> {
    let response = accepted(answered).await?;
    response.json().await.map_err(|error| unreachable(&error))
}

async fn accepted(answered: reqwest::Result<Response>) -> Result<Response, CallError> {
    let response = answered.map_err(|error| unreachable(&error))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status().as_u16();
    let body: Value = response.json().await.unwrap_or_default();
    let text = |name: &str| body[name].as_str().map(str::to_owned);
    let detail = match &body["message"] {
        Value::Array(lines) => lines.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("; "),
        _ => text("detail").unwrap_or_else(|| "this is not a server of Switchyard's".to_owned()),
    };
    Err(CallError::Refused { status, code: text("code").unwrap_or_default(), detail, request_id: text("request_id") })
}

/// What came over the stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Followed {
    /// From where one goes on.
    pub id: String,
    /// The type of the event; empty where there is none, but only an id.
    pub event: String,
    /// Its body, byte for byte.
    pub body: String,
}

/// An open stream of events.
pub struct Following {
    response: Response,
    buffer: Vec<u8>,
}

impl Following {
    /// What comes next. It may be given up while it waits, and asked again.
    ///
    /// # Errors
    /// When the stream has ended or broken off: follow anew from the last id.
    pub async fn next(&mut self) -> Result<Followed, CallError> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\n\n") {
                let block: Vec<u8> = self.buffer.drain(..end + 2).collect();
                let followed = read_block(&String::from_utf8_lossy(&block));
                if !followed.id.is_empty() {
                    return Ok(followed);
                }
                continue;
            }
            let over = |why: &str| CallError::Unreachable(why.to_owned());
            let chunk = tokio::time::timeout(SILENCE, self.response.chunk()).await;
            let chunk = chunk.map_err(|_| over("the server is silent"))?.map_err(|error| unreachable(&error))?;
            self.buffer.extend_from_slice(&chunk.ok_or_else(|| over("the server ended the stream"))?);
            if self.buffer.len() > MAX_EVENT_BYTES {
                return Err(over("an event is too large"));
            }
        }
    }
}

fn read_block(block: &str) -> Followed {
    let mut followed = Followed::default();
    for line in block.lines() {
        match line.split_once(": ") {
            Some(("id", id)) => id.clone_into(&mut followed.id),
            Some(("event", event)) => event.clone_into(&mut followed.event),
            Some(("data", body)) => body.clone_into(&mut followed.body),
            _ => {}
        }
    }
    followed
}

/// Posts events to a receiver as deliveries do.
pub struct Forwarder {
    url: String,
    secret: Secret,
    http: reqwest::Client,
    clock: Clock,
}

impl Forwarder {
    /// A forwarder to `url`, which signs with `secret`.
    ///
    /// # Errors
    /// When the TLS library cannot start.
    pub fn new(url: String, secret: Secret) -> Result<Self, CallError> {
        Ok(Self { url, secret, http: http_client()?, clock: Clock::system() })
    }

    /// Posts an event, signed now.
    ///
    /// # Errors
    /// What went wrong, where there is no answer.
    pub async fn post(&self, event: &Followed) -> Result<u16, &'static str> {
        let timestamp = self.clock.now().unix_seconds();
        let body = event.body.as_bytes();
        let mut request = self.http.post(&self.url).timeout(CALL_TIMEOUT).header("content-type", "application/json");
        for (name, value) in event_headers(self.secret.expose(), None, &event.id, timestamp, body) {
            request = request.header(name, value);
        }
        let answered = request.body(event.body.clone()).send().await;
        answered.map(|response| response.status().as_u16()).map_err(|error| failure_of(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_of_the_stream_is_read() {
        let followed = read_block("id: evt_1\nevent: payment.failed\ndata: {\"a\": \"b: c\"}\n\n");
        assert_eq!((followed.id.as_str(), followed.event.as_str()), ("evt_1", "payment.failed"));
        assert_eq!(followed.body, "{\"a\": \"b: c\"}");
        assert_eq!(read_block(":\n\n"), Followed::default());
        assert_eq!(read_block("retry: 2000\nid: evt_0\n\n").id, "evt_0");
    }
}
