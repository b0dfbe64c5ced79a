//! How an error looks on the wire: one body for all, or its sentence alone for who wants plain text.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use tracing_actix_web::RequestId;

use crate::error::{Code, Fault, problem_body};
use crate::gateway::{Allowance, with_allowance};

/// The media type of an error's body.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The media type of an error's sentence alone.
const PLAIN_TEXT: &str = "text/plain; charset=utf-8";

/// The media type of an error that a door has made a page of.
const PAGE: &str = "text/html; charset=utf-8";

/// A fault on its way out of a handler.
#[derive(Debug)]
pub struct Problem(pub Fault);

/// The sentence of an error that was stored as an answer, for who accepts plain text alone.
#[derive(Clone)]
struct StoredProblem(String);

/// What a handler answers with.
pub type Answered = Result<HttpResponse, Problem>;

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self(fault)
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// The fault travels in the response's extensions until [`finish`] knows the request.
    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::new(self.status_code());
        response.extensions_mut().insert(self.0.clone());
        response
    }
}

/// The id under which the log has this request.
#[must_use]
pub fn request_id(request: &HttpRequest) -> String {
    request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default()
}

/// Puts the request's id on every answer, what is left of a limit on those that have one, and the one body into every
/// error.
///
/// # Errors
/// None of its own: a handler's error is an answer by now.
pub async fn finish<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let id = request_id(request.request());
    let wants_text = wants_plain_text(&request);
    let (answered, allowance) = with_allowance(next.call(request)).await;
    let mut response = answered?.map_into_left_body();
    let stored = response.response().extensions().get::<StoredProblem>().cloned();
    if let Some(StoredProblem(detail)) = stored.filter(|_| wants_text) {
        let body = HttpResponse::build(response.status()).content_type(PLAIN_TEXT).body(detail);
        response = response.into_response(body).map_into_right_body();
    }
    let carried = response.response().extensions().get::<Fault>().cloned();
    let is_bare_error = carried.is_none()
        && (response.status().is_client_error() || response.status().is_server_error())
        && response
            .headers()
            .get(CONTENT_TYPE)
            .is_none_or(|value| value != PROBLEM_JSON && value != PLAIN_TEXT && value != PAGE);
    if let Some(fault) = carried.or_else(|| is_bare_error.then(|| fault_of_status(response.status()))) {
        let body = render(&fault, &id, wants_text, response.request().method());
        response = response.into_response(body).map_into_right_body();
    }
    if let Some(allowance) = allowance {
        tell_allowance(response.headers_mut(), allowance);
    }
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    Ok(response)
}

/// Says what is left of a limit: as the draft of the IETF has it today, and as its earlier versions did, which more
/// clients read.
fn tell_allowance(headers: &mut HeaderMap, allowance: Allowance) {
    let Allowance { limit, remaining, reset_seconds } = allowance;
    for (name, value) in [
        ("ratelimit-policy", format!("\"minute\";q={limit};w=60")),
        ("ratelimit", format!("\"minute\";r={remaining};t={reset_seconds}")),
        ("ratelimit-limit", limit.to_string()),
        ("ratelimit-remaining", remaining.to_string()),
        ("ratelimit-reset", reset_seconds.to_string()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

fn wants_plain_text(request: &ServiceRequest) -> bool {
    let accept = request.headers().get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.split(',').next().is_some_and(|first| first.trim().starts_with("text/plain"))
}

fn render(fault: &Fault, request_id: &str, wants_text: bool, method: &Method) -> HttpResponse {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = HttpResponse::build(status);
    if let Some(wait) = fault.retry_after {
        response.insert_header((RETRY_AFTER, wait.as_secs().to_string()));
    }
    if method == Method::HEAD {
        return response.finish();
    }
    if wants_text {
        return response.content_type(PLAIN_TEXT).body(fault.detail.clone());
    }
    response.content_type(PROBLEM_JSON).body(problem_body(fault, request_id))
}

/// What the framework answers by itself, in our words.
fn fault_of_status(status: StatusCode) -> Fault {
    let (code, detail) = match status.as_u16() {
        404 => (Code::NotFound, "there is nothing at this path"),
        405 => (Code::MethodNotAllowed, "this path does not have this method"),
        408 => (Code::RequestTimeout, "the request did not arrive in time"),
        413 => (Code::BodyTooLarge, "the body is too large"),
        415 => (Code::UnsupportedMediaType, "this media type is not read here"),
        400..=499 => (Code::ValidationError, "the request cannot be read"),
        _ => (Code::InternalError, "internal error"),
    };
    Fault::new(code, detail)
}

/// A JSON answer of the gateway's, as it is.
#[must_use]
pub fn json(status: u16, body: String) -> HttpResponse {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let media_type = if status.is_success() { "application/json" } else { PROBLEM_JSON };
    HttpResponse::build(status).content_type(media_type).body(body)
}

/// An answer that may have been given before.
#[must_use]
pub fn answer(answer: crate::gateway::Answer) -> HttpResponse {
    let mut response = json(answer.status, answer.body.clone());
    if answer.status >= 400 {
        let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        let detail = body["detail"].as_str().unwrap_or_default().to_owned();
        response.extensions_mut().insert(StoredProblem(detail));
    }
    if answer.is_replay {
        let name = HeaderName::from_static("idempotent-replayed");
        response.headers_mut().insert(name, HeaderValue::from_static("true"));
    }
    response
}
