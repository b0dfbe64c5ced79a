//! How every provider is called: one HTTP client with time-outs and a cap on answers, a circuit breaker and the
//! provider's own rate limit in front of each account, and one way to tell a failure that left nothing behind from one
//! that may have.
//!
//! A call is made once. Whether and when it is made again is decided in `gateway`, from rows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::redirect::Policy;
use serde::de::DeserializeOwned;

use super::Failure;
use crate::clock::Clock;
use crate::domain::time::Timestamp;

/// The client that calls go over, and what may keep it from starting.
pub use reqwest::{Client, Error as ClientError};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer that is read.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Failures in a row that open the circuit.
const FAILURES_TO_OPEN: u32 = 5;

/// How long an open circuit refuses every call, before one may try.
const OPEN_FOR: Duration = Duration::from_secs(20);

/// How long a provider's rate limit is obeyed when it does not say how long.
const DEFAULT_RATE_LIMIT: Duration = Duration::from_secs(5);

/// Longest that a `Retry-After` is believed.
const LONGEST_RATE_LIMIT: Duration = Duration::from_secs(300);

/// Calls one account of one provider.
#[derive(Clone)]
pub struct Http {
    client: reqwest::Client,
    gate: Arc<Gate>,
    clock: Clock,
}

/// A call that is to be made.
#[derive(Debug)]
pub struct Request {
    method: reqwest::Method,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Option<(&'static str, String)>,
}

impl Request {
    /// A GET of a full URL.
    #[must_use]
    pub fn get(url: String) -> Self {
        Self { method: reqwest::Method::GET, url, headers: Vec::new(), body: None }
    }

    /// A call with another method.
    #[must_use]
    pub fn new(method: reqwest::Method, url: String) -> Self {
        Self { method, url, headers: Vec::new(), body: None }
    }

    /// A POST of JSON, byte for byte as it is given here: it may have been signed.
    #[must_use]
    pub fn post_json(url: String, body: String) -> Self {
        Self { method: reqwest::Method::POST, url, headers: Vec::new(), body: Some(("application/json", body)) }
    }

    /// A DELETE with a body of JSON, byte for byte as it is given here: it may have been signed.
    #[must_use]
    pub fn delete_json(url: String, body: String) -> Self {
        Self { method: reqwest::Method::DELETE, url, headers: Vec::new(), body: Some(("application/json", body)) }
    }

    /// A PATCH of JSON.
    #[must_use]
    pub fn patch_json(url: String, body: String) -> Self {
        Self::new(reqwest::Method::PATCH, url).body("application/json", body)
    }

    /// A DELETE, without a body.
    #[must_use]
    pub fn delete(url: String) -> Self {
        Self::new(reqwest::Method::DELETE, url)
    }

    /// With a body of this content type.
    #[must_use]
    pub fn body(mut self, content_type: &'static str, body: String) -> Self {
        self.body = Some((content_type, body));
        self
    }

    /// With a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

/// What a provider answered. Its status is below 500 and not 429.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// By lower-case name.
    pub headers: BTreeMap<String, String>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Answer {
    /// Whether the status is 2xx.
    #[must_use]
    pub const fn is_success(&self) -> bool {
        self.status / 100 == 2
    }

    /// The body as JSON. What cannot be read leaves open what was done.
    ///
    /// # Errors
    /// [`Failure::Unknown`] of class `garbage`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        serde_json::from_slice(&self.body).map_err(|_| Failure::Unknown { class: "garbage" })
    }
}

/// What stands before an account's calls, and what is told of it.
#[derive(Debug, Default)]
struct Gate(Mutex<GateState>);

#[derive(Clone, Debug, Default)]
struct GateState {
    failures: u32,
    open_until: Option<Timestamp>,
    is_probing: bool,
    limited_until: Option<Timestamp>,
    last_ok_at: Option<Timestamp>,
    last_error: Option<&'static str>,
}

/// How an account's calls have been going.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// Whether the circuit is open: calls are not made.
    pub is_open: bool,
    /// Whether the last call failed.
    pub is_failing: bool,
    /// When the provider last answered.
    pub last_ok_at: Option<Timestamp>,
    /// The class of the last failure.
    pub last_error: Option<&'static str>,
}

/// One client for every provider, so that they share what can be shared.
///
/// # Errors
/// When the TLS library cannot start.
pub fn client() -> Result<reqwest::Client, reqwest::Error> {
    client_with(TOTAL_TIMEOUT)
}

/// As [`client`], with another total time-out: for tests of what a slow provider leads to.
///
/// # Errors
/// When the TLS library cannot start.
pub fn client_with(total_timeout: Duration) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .connect_timeout(CONNECT_TIMEOUT.min(total_timeout))
        .timeout(total_timeout)
        .pool_max_idle_per_host(64)
        .pool_idle_timeout(Duration::from_secs(20))
        .user_agent(concat!("switchyard/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl Http {
    /// Calls over `client`, behind a gate of its own.
    #[must_use]
    pub fn new(client: reqwest::Client, clock: Clock) -> Self {
        Self { client, gate: Arc::default(), clock }
    }

    /// How the calls have been going.
    #[must_use]
    pub fn health(&self) -> Health {
        let state = self.gate.lock().clone();
        Health {
            is_open: state.open_until.is_some(),
            is_failing: state.failures > 0,
            last_ok_at: state.last_ok_at,
            last_error: state.last_error,
        }
    }

    /// Makes a call, once.
    ///
    /// # Errors
    /// [`Failure::NotSent`] where nothing can have been done, [`Failure::Unknown`] where something can: no answer, a
    /// status of 5xx, or more than can be read. Any other answer is the dialect's to understand.
    pub async fn send(&self, request: Request) -> Result<Answer, Failure> {
        self.gate.enter(self.clock.now())?;
        // Dropped before its end (the client went away), a call must not leave the gate waiting for its probe.
        let mut passage = Passage { gate: &self.gate, is_over: false };
        let outcome = self.call(request).await;
        passage.is_over = true;
        self.gate.leave(&outcome, self.clock.now());
        outcome
    }

    /// Makes a call that is not the account's own, such as for a certificate: its failure says nothing of whether payments
    /// can be made, so it neither opens the circuit nor is held up by it.
    ///
    /// # Errors
    /// As [`Http::send`].
    pub async fn send_aside(&self, request: Request) -> Result<Answer, Failure> {
        self.call(request).await
    }

    async fn call(&self, request: Request) -> Result<Answer, Failure> {
        let mut builder = self.client.request(request.method, &request.url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some((content_type, body)) = request.body {
            builder = builder.header("content-type", content_type).body(body);
        }
        let mut response = builder.send().await.map_err(|error| classify(&error))?;
        let status = response.status().as_u16();
        let headers: BTreeMap<String, String> = response
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        if status == 429 {
            let retry_after = headers.get("retry-after").and_then(|text| text.trim().parse().ok());
            let retry_after =
                retry_after.map(Duration::from_secs).unwrap_or(DEFAULT_RATE_LIMIT).min(LONGEST_RATE_LIMIT);
            return Err(Failure::NotSent { class: "rate_limited", retry_after: Some(retry_after) });
        }
        if status >= 500 {
            return Err(Failure::Unknown { class: "http_5xx" });
        }
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| classify(&error))? {
            if body.len() + chunk.len() > MAX_ANSWER_BYTES {
                return Err(Failure::Unknown { class: "too_long" });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status, headers, body })
    }
}

/// Whether a byte can have left: until the connection stands (TLS included), none has.
fn classify(error: &reqwest::Error) -> Failure {
    if error.is_builder() {
        Failure::NotSent { class: "bad_request", retry_after: None }
    } else if error.is_connect() {
        Failure::NotSent { class: "connect", retry_after: None }
    } else if error.is_timeout() {
        Failure::Unknown { class: "timeout" }
    } else {
        Failure::Unknown { class: "reset" }
    }
}

struct Passage<'a> {
    gate: &'a Gate,
    is_over: bool,
}

impl Drop for Passage<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.gate.lock().is_probing = false;
        }
    }
}

impl Gate {
    fn lock(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, now: Timestamp) -> Result<(), Failure> {
        let mut state = self.lock();
        if let Some(until) = state.limited_until.filter(|until| now < *until) {
            return Err(Failure::NotSent { class: "rate_limited", retry_after: Some(until.since(now)) });
        }
        if let Some(until) = state.open_until {
            if now < until || state.is_probing {
                let retry_after = until.since(now).max(Duration::from_secs(1));
                return Err(Failure::NotSent { class: "circuit_open", retry_after: Some(retry_after) });
            }
            state.is_probing = true;
        }
        Ok(())
    }

    fn leave(&self, outcome: &Result<Answer, Failure>, now: Timestamp) {
        let mut state = self.lock();
        state.is_probing = false;
        match outcome {
            Ok(_) => {
                *state = GateState { last_ok_at: Some(now), last_error: state.last_error, ..GateState::default() };
            }
            Err(Failure::NotSent { class: "rate_limited", retry_after }) => {
                state.limited_until = retry_after.map(|wait| now.plus(wait));
                state.last_error = Some("rate_limited");
            }
            Err(failure) => {
                state.last_error = Some(failure.class());
                state.failures = state.failures.saturating_add(1);
                if state.failures >= FAILURES_TO_OPEN {
                    state.open_until = Some(now.plus(OPEN_FOR));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_760_000_000 + seconds)
    }

    fn fail(gate: &Gate, seconds: i64) {
        gate.enter(at(seconds)).unwrap();
        gate.leave(&Err(Failure::Unknown { class: "timeout" }), at(seconds));
    }

    fn answer() -> Result<Answer, Failure> {
        Ok(Answer { status: 200, headers: BTreeMap::new(), body: Vec::new() })
    }

    #[test]
    fn the_circuit_opens_after_five_failures_and_lets_one_try_after_twenty_seconds() {
        let gate = Gate::default();
        (0..5).for_each(|second| fail(&gate, second));
        assert!(matches!(gate.enter(at(5)), Err(Failure::NotSent { class: "circuit_open", .. })));
        gate.enter(at(24)).unwrap();
        assert!(gate.enter(at(24)).is_err(), "one probe at a time");
        gate.leave(&Err(Failure::NotSent { class: "connect", retry_after: None }), at(24));
        assert!(gate.enter(at(25)).is_err(), "a failed probe opens it anew");
        gate.enter(at(44)).unwrap();
        gate.leave(&answer(), at(44));
        gate.enter(at(44)).unwrap();
        gate.enter(at(44)).unwrap();
    }

    #[test]
    fn a_rate_limit_is_obeyed_for_as_long_as_was_said() {
        let gate = Gate::default();
        let limited = Failure::NotSent { class: "rate_limited", retry_after: Some(Duration::from_secs(7)) };
        gate.leave(&Err(limited), at(0));
        let Err(Failure::NotSent { retry_after: Some(wait), .. }) = gate.enter(at(3)) else { panic!("was let in") };
        assert_eq!(wait, Duration::from_secs(4));
        gate.enter(at(7)).unwrap();
    }
}
