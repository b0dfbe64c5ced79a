//! Who sent a request: the extractor that every handler under `/v1` takes, so that none can forget to ask.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use actix_web::web::{Bytes, BytesMut, Data};
use actix_web::{FromRequest, HttpRequest};
use futures_util::StreamExt;

use crate::domain::signing::sha256;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{App, Gateway, Once, Proof, SignedHead};
use crate::problem::{Problem, request_id};

/// The largest body of a signed request, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// How long a body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request whose signature was checked.
pub struct Signed {
    /// The app that signed it.
    pub app: Arc<App>,
    /// Its raw body.
    pub body: Bytes,
    head: SignedHead,
    signed_at: i64,
    body_sha256: [u8; 32],
    idempotency_key: Option<String>,
    request_id: String,
}

impl Signed {
    /// What identifies this request, for a verb that is to be done once.
    #[must_use]
    pub fn once(&self) -> Once {
        let key = self.idempotency_key.as_deref();
        Once::new(&self.app, &self.head, self.signed_at, &self.body_sha256, key, self.request_id.clone())
    }

    /// What it was let in for, for an answer that lasts.
    #[must_use]
    pub fn proof(&self) -> Proof {
        Proof { head: self.head.clone(), body_sha256: self.body_sha256 }
    }

    /// The query string, undecoded.
    #[must_use]
    pub fn query(&self) -> &str {
        self.head.query.as_deref().unwrap_or_default()
    }
}

impl FromRequest for Signed {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move { authenticate(&request, payload).await.map_err(Problem) })
    }
}

async fn authenticate(request: &HttpRequest, payload: Payload) -> Outcome<Signed> {
    let gateway = request.app_data::<Data<Gateway>>().expect("the server is built with its gateway");
    let head = read_head(request)?;
    gateway.check_head(&head)?;
    let body = read_body(request, payload, MAX_BODY_BYTES).await?;
    let body_sha256 = sha256(&body);
    let (app, signed_at) = gateway.authenticate(&head, &body_sha256).await?;
    let span = tracing::Span::current();
    span.record("app", app.app_id.as_str());
    span.record("mode", app.mode.as_str());
    check_media_type(request, &body)?;
    let idempotency_key = if request.method() == Method::POST { idempotency_key(request.headers())? } else { None };
    let request_id = request_id(request);
    Ok(Signed { app, body, head, signed_at, body_sha256, idempotency_key, request_id })
}

fn read_head(request: &HttpRequest) -> Outcome<SignedHead> {
    let headers = request.headers();
    let missing = || Fault::new(Code::MissingAuthHeaders, "missing auth headers");
    let [key, timestamp, signature] = ["x-pay-key", "x-pay-timestamp", "x-pay-signature"].map(|name| {
        let mut values = headers.get_all(name);
        // Sent twice, a header has no one value that could have been signed.
        let value = values.next().filter(|_| values.next().is_none());
        value.and_then(|value| value.to_str().ok()).map(str::to_owned)
    });
    Ok(SignedHead {
        public_key: key.ok_or_else(missing)?,
        timestamp: timestamp.ok_or_else(missing)?,
        signature: signature.ok_or_else(missing)?,
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().map(str::to_owned),
    })
}

/// Reads a body of at most `limit` bytes, in bounded time: the framework has no time-out of its own here.
///
/// # Errors
/// 413, 408, 400.
pub(super) async fn read_body(request: &HttpRequest, mut payload: Payload, limit: usize) -> Outcome<Bytes> {
    let too_large = || Fault::new(Code::BodyTooLarge, format!("the body may have {limit} bytes"));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large());
    }
    let read = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Fault::new(Code::ValidationError, "the body broke off"))?;
            if body.len() + chunk.len() > limit {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    let timed_out = |_| Fault::new(Code::RequestTimeout, "the body did not arrive within 10 seconds");
    tokio::time::timeout(BODY_TIMEOUT, read).await.map_err(timed_out)?
}

/// Refuses a body that says it is no JSON.
///
/// # Errors
/// 415.
pub(super) fn check_media_type(request: &HttpRequest, body: &Bytes) -> Outcome<()> {
    if body.is_empty() {
        return Ok(());
    }
    let Some(media_type) = request.headers().get(CONTENT_TYPE) else { return Ok(()) };
    let media_type = media_type.to_str().unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Fault::new(Code::UnsupportedMediaType, "send the body as application/json"))
}

/// The `Idempotency-Key`, if one was sent.
///
/// # Errors
/// 400.
pub(super) fn idempotency_key(headers: &HeaderMap) -> Outcome<Option<String>> {
    let mut values = headers.get_all("idempotency-key");
    let Some(value) = values.next() else { return Ok(None) };
    let key = value.to_str().unwrap_or_default();
    let is_printable = key.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if values.next().is_some() || !(1..=255).contains(&key.len()) || !is_printable {
        return Err(Fault::invalid("Idempotency-Key", "must be given once, with 1 to 255 printable ASCII characters"));
    }
    Ok(Some(key.to_owned()))
}
