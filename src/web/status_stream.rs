//! What has become of a payment, for its page: once, or as it happens, as server-sent events.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data, Path};
use actix_web::{HttpResponse, get};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::payments::PaymentStatus;
use crate::error::{Code, Fault};
use crate::gateway::Gateway;
use crate::problem::Answered;

/// Streams that may be open at once. A page that gets none asks now and then instead.
const MOST_STREAMS: usize = 256;

/// How often a stream looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Looks after which a stream ends. The browser opens another while the page is there.
const MOST_LOOKS: u32 = 300;

/// Looks between two signs of life, by which it is found out that the browser has gone.
const LOOKS_BETWEEN_SIGNS: u32 = 15;

/// The places for streams. Closed when the server stops, which ends those that are open.
pub struct OpenStreams(Arc<Semaphore>);

impl Default for OpenStreams {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST_STREAMS)))
    }
}

impl OpenStreams {
    /// Ends every stream at its next look, and lets none begin.
    pub fn close(&self) {
        self.0.close();
    }
}

/// Someone who waits at the page of a payment.
struct Watch {
    gateway: Arc<Gateway>,
    payment_id: String,
    told: Option<PaymentStatus>,
    found: PaymentStatus,
    looks: u32,
    streams: Arc<Semaphore>,
    _place: OwnedSemaphorePermit,
}

impl Watch {
    /// What is to be sent next, and who goes on waiting.
    async fn next(mut self) -> Option<(Result<Bytes, Infallible>, Self)> {
        if self.told.is_some_and(|told| told != PaymentStatus::Initiated) {
            return None;
        }
        loop {
            if self.told != Some(self.found) {
                self.told = Some(self.found);
                let text = format!("retry: 2000\ndata: {}\n\n", status_json(self.found));
                return Some((Ok(Bytes::from(text)), self));
            }
            tokio::time::sleep(LOOK_EVERY).await;
            self.looks += 1;
            if self.looks > MOST_LOOKS || self.streams.is_closed() {
                return None;
            }
            // A database that is away for a moment must not send every waiting page off at once.
            if let Ok(payment) = self.gateway.instructed_payment(&self.payment_id).await {
                self.found = payment.status;
            }
            if self.told == Some(self.found) && self.looks.is_multiple_of(LOOKS_BETWEEN_SIGNS) {
                return Some((Ok(Bytes::from_static(b":\n\n")), self));
            }
        }
    }
}

fn status_json(status: PaymentStatus) -> String {
    format!(r#"{{"status":"{}"}}"#, status.as_str())
}

/// What has become of a payment.
#[utoipa::path(tag = "Checkout", params(("payment_id" = String, Path)), responses((status = 200, description = "Its status", content_type = "application/json"), (status = 404)))]
#[get("/checkout/{payment_id}/status")]
pub async fn current(gateway: Data<Gateway>, payment_id: Path<String>) -> Answered {
    let payment = gateway.instructed_payment(&payment_id).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .content_type("application/json")
        .body(status_json(payment.status)))
}

/// What becomes of a payment, as it happens: its status at once and after each change.
#[utoipa::path(tag = "Checkout", params(("payment_id" = String, Path)), responses((status = 200, description = "Server-sent events", content_type = "text/event-stream"), (status = 404), (status = 503, description = "Too many are open: ask for the status instead")))]
#[get("/checkout/{payment_id}/events")]
pub async fn events(gateway: Data<Gateway>, streams: Data<OpenStreams>, payment_id: Path<String>) -> Answered {
    let payment = gateway.instructed_payment(&payment_id).await?;
    let streams = Arc::clone(&streams.0);
    let Ok(place) = Arc::clone(&streams).try_acquire_owned() else {
        let detail = "too many pages are waiting; ask for the status instead";
        return Err(Fault::retry_after(Code::ServiceUnavailable, detail, Duration::from_secs(5)).into());
    };
    let watch = Watch {
        gateway: gateway.into_inner(),
        payment_id: payment_id.into_inner(),
        told: None,
        found: payment.status,
        looks: 0,
        streams,
        _place: place,
    };
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        // A proxy in front must not hold the events back to fill its buffer.
        .insert_header(("x-accel-buffering", "no"))
        .content_type("text/event-stream")
        .streaming(stream::unfold(watch, Watch::next)))
}
