//! Bringing events to their endpoints: claim, sign, post, record.

use std::time::{Duration, Instant};

use super::Gateway;
use super::apps::endpoint_secret_place;
use super::views::render;
use super::webhook_endpoints::tenant_event;
use crate::courier::{Parcel, Posted};
use crate::domain::backoff::{ENDPOINT_GIVEN_UP_AFTER, delivery_wait};
use crate::domain::ids::{AppId, EventId};
use crate::domain::mode::Mode;
use crate::domain::secrets::{CannotOpen, Secret};
use crate::domain::signing::event_headers;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::deliveries::Claimed;
use crate::store::deliveries::{self, Outcome as DeliveryOutcome};
use crate::store::events::Event;
use crate::store::{Conn, Lane, StoreResult, events, webhook_endpoints};

pub use crate::store::deliveries::Capacity;

/// How long a claimed delivery is this process's own. Longer than an attempt can take; what a process that was killed
/// had in hand waits as long.
const LEASE: Duration = Duration::from_secs(30);

const ENDPOINT_DISABLED: &str = "endpoint.disabled";

/// What an attempt means.
struct Reading {
    outcome: DeliveryOutcome,
    is_success: bool,
    is_gone: bool,
    status: Option<u16>,
    error: Option<&'static str>,
    excerpt: String,
}

impl Gateway {
    /// Claims deliveries that are due, within this process's capacity.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn claim_deliveries(&self, capacity: Capacity) -> Outcome<Vec<Claimed>> {
        let now = self.clock.now();
        let lease = self.lease.clone();
        self.write(Lane::Any, move |conn| deliveries::claim_due(conn, now, &lease, LEASE, &capacity)).await
    }

    /// Waits until there may be deliveries to claim.
    pub async fn deliveries_wanted(&self) {
        self.deliveries_wanted.notified().await;
    }

    /// Gives claimed deliveries back, for a process that stops.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn hand_back_deliveries(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let lease = self.lease.clone();
        self.write(Lane::Any, move |conn| deliveries::hand_back(conn, &lease, now)).await
    }

    /// Attempts one claimed delivery and records how it went; says whether the receiver has it.
    ///
    /// # Errors
    /// When the record cannot be written; the lease then runs out and the delivery is attempted again.
    pub async fn deliver(&self, claimed: Claimed) -> Outcome<bool> {
        let started = Instant::now();
        let posted = match self.parcel(&claimed) {
            Ok(parcel) => self.courier.post(parcel).await,
            Err(reason) => Posted::Forbidden(reason),
        };
        let now = self.clock.now();
        let attempt = u32::try_from(claimed.delivery.attempts).unwrap_or(0).saturating_add(1);
        let reading = read(posted, attempt, now);
        let outcome = match &reading.outcome {
            DeliveryOutcome::Delivered => "delivered",
            DeliveryOutcome::RetryAt(_) => "retry",
            DeliveryOutcome::Dead => "dead",
        };
        metrics::counter!("switchyard_delivery_attempts_total", "outcome" => outcome).increment(1);
        metrics::histogram!("switchyard_delivery_seconds").record(started.elapsed().as_secs_f64());
        if !reading.is_success {
            tracing::info!(app = claimed.delivery.app_id.as_ref().map(AppId::as_str), event = %claimed.delivery.event_id, status = reading.status,
                error = reading.error, outcome, "an event was not delivered");
        }
        let log = appended(&claimed.delivery.log, &reading, now, started.elapsed());
        let lease = self.lease.clone();
        let lane = claimed.delivery.payment_id.as_ref().map_or("", |id| id.as_str()).to_owned();
        let is_success = reading.is_success;
        self.write(Lane::Of(&lane), move |conn| record(conn, &claimed, &lease, &log, &reading, now)).await?;
        Ok(is_success)
    }

    fn parcel(&self, claimed: &Claimed) -> Result<Parcel, &'static str> {
        let is_ours = self.is_test_inbox(&claimed.endpoint);
        let allow_private = is_ours || (self.settings.webhooks_allow_private && claimed.endpoint.mode != Mode::Live);
        let (current, previous) = self.endpoint_secrets(claimed).map_err(|_| "the endpoint's secret does not open")?;
        let timestamp = self.clock.now().unix_seconds();
        let body = claimed.body.as_bytes();
        let id = claimed.delivery.event_id.as_str();
        let previous = previous.as_ref().map(Secret::expose);
        let signed = event_headers(current.expose(), previous, id, timestamp, body);
        let signature = signed[1].1.clone();
        let mut headers: Vec<(String, String)> =
            signed.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(prefix) = &claimed.endpoint.header_prefix {
            headers.push((format!("{prefix}-Timestamp"), timestamp.to_string()));
            headers.push((format!("{prefix}-Signature"), format!("v1={signature}")));
        }
        Ok(Parcel { url: claimed.endpoint.url.clone(), headers, body: claimed.body.clone(), allow_private })
    }

    fn endpoint_secrets(&self, claimed: &Claimed) -> Result<(Secret, Option<Secret>), CannotOpen> {
        let endpoint = &claimed.endpoint;
        let place = endpoint_secret_place(&endpoint.endpoint_id);
        let current = self.sealer.open(place, &endpoint.secret_sealed)?;
        let previous = match (&endpoint.previous_secret_sealed, endpoint.previous_secret_until) {
            (Some(sealed), Some(until)) if self.clock.now() < until => Some(self.sealer.open(place, sealed)?),
            _ => None,
        };
        Ok((current, previous))
    }
}

/// What an answer means for the delivery.
fn read(posted: Posted, attempt: u32, now: Timestamp) -> Reading {
    let mut jitter = [0u8; 1];
    getrandom::fill(&mut jitter).expect("the operating system gives random bytes");
    let again = |retry_after| match delivery_wait(attempt, jitter[0], retry_after) {
        Some(wait) => DeliveryOutcome::RetryAt(now.plus(wait)),
        None => DeliveryOutcome::Dead,
    };
    match posted {
        Posted::Answered { status, retry_after, excerpt } => {
            let outcome = match status {
                200..=299 => DeliveryOutcome::Delivered,
                408 | 425 | 429 | 500..=599 => again(retry_after.map(|asked| asked.wait_from(now))),
                _ => DeliveryOutcome::Dead,
            };
            Reading {
                outcome,
                is_success: (200..=299).contains(&status),
                is_gone: status == 410,
                status: Some(status),
                error: None,
                excerpt,
            }
        }
        Posted::Failed(error) => Reading {
            outcome: again(None),
            is_success: false,
            is_gone: false,
            status: None,
            error: Some(error),
            excerpt: String::new(),
        },
        Posted::Forbidden(error) => Reading {
            outcome: DeliveryOutcome::Dead,
            is_success: false,
            is_gone: false,
            status: None,
            error: Some(error),
            excerpt: String::new(),
        },
    }
}

/// The delivery's log with one more attempt. It stays short: ten attempts a schedule, and an excerpt of each answer.
fn appended(log: &str, reading: &Reading, now: Timestamp, took: Duration) -> String {
    const KEPT: usize = 30;
    let mut entries: Vec<serde_json::Value> = serde_json::from_str(log).unwrap_or_default();
    if entries.len() >= KEPT {
        entries.remove(0);
    }
    let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    entries.push(serde_json::json!({
        "at": now, "status": reading.status, "error": reading.error, "took_ms": took_ms, "answer": reading.excerpt,
    }));
    render(&entries)
}

fn record(
    conn: &mut Conn,
    claimed: &Claimed,
    lease: &str,
    log: &str,
    reading: &Reading,
    now: Timestamp,
) -> StoreResult<()> {
    let endpoint = &claimed.endpoint;
    if !deliveries::record_attempt(conn, &claimed.delivery, lease, log, &reading.outcome, now)? {
        return Ok(());
    }
    // How the endpoint stood when the delivery was claimed says nothing of what others have found since.
    if reading.is_success {
        return webhook_endpoints::note_healthy(conn, &endpoint.endpoint_id);
    }
    let failing_since = webhook_endpoints::note_failing(conn, &endpoint.endpoint_id, now)?;
    let failed_for = now.since(failing_since);
    let reason = if reading.is_gone {
        "the endpoint answered 410 Gone"
    } else if failed_for >= ENDPOINT_GIVEN_UP_AFTER {
        "the endpoint has answered nothing but failures for five days"
    } else {
        return Ok(());
    };
    if webhook_endpoints::disable(conn, &endpoint.endpoint_id, reason, now)? {
        deliveries::bury_all_of(conn, &endpoint.endpoint_id, now)?;
        let app = endpoint.app_id.as_ref().map(AppId::as_str);
        tracing::warn!(app, endpoint = %endpoint.endpoint_id, reason, "an endpoint was disabled");
        announce_disabled(conn, claimed, reason, now)?;
    }
    Ok(())
}

/// Tells of an endpoint that was disabled: the app, or the tenant whose endpoint it is.
fn announce_disabled(conn: &mut Conn, claimed: &Claimed, reason: &str, now: Timestamp) -> StoreResult<()> {
    let endpoint = &claimed.endpoint;
    let event_id = EventId::generate(now);
    let event = match &endpoint.app_id {
        Some(app_id) => {
            let body = render(&serde_json::json!({
                "event": ENDPOINT_DISABLED, "event_id": event_id, "mode": endpoint.mode,
                "endpoint_id": endpoint.endpoint_id, "reason": reason, "timestamp": now,
            }));
            Event::of_app(event_id, app_id, ENDPOINT_DISABLED, body, now)
        }
        None => {
            let data = serde_json::json!({ "endpointId": endpoint.endpoint_id, "reason": reason });
            tenant_event(event_id, &endpoint.tenant_id, endpoint.mode, ENDPOINT_DISABLED, &data, now)
        }
    };
    events::insert(conn, &event, now)
}
