//! What operators and machines look at: state, health, metrics, and the document of the API.

use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, get};
use utoipa::openapi::OpenApi;

use crate::domain::signing::equal_in_constant_time;
use crate::error::{Code, Fault};
use crate::gateway::views::ChargesObject;
use crate::gateway::{Gateway, Report};
use crate::problem::{Answered, json};
use crate::telemetry;

/// The state of the gateway: modes, providers, fallbacks. Browsers get it as a page.
#[utoipa::path(tag = "Operators", responses((status = 200, body = Report)))]
#[get("/info")]
pub async fn info(gateway: Data<Gateway>) -> HttpResponse {
    json(200, serde_json::json!(gateway.report()).to_string())
}

/// Whether the process runs.
#[utoipa::path(tag = "Operators", responses((status = 200, description = "It does")))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    json(200, r#"{"status":"ok"}"#.to_owned())
}

/// Whether it can work: the database answers and its schema is up to date.
#[utoipa::path(tag = "Operators", responses((status = 200, description = "It can"), (status = 503, description = "The database is away")))]
#[get("/readyz")]
pub async fn readyz(gateway: Data<Gateway>) -> Answered {
    gateway.check_ready().await?;
    Ok(json(200, r#"{"status":"ready"}"#.to_owned()))
}

/// Metrics in Prometheus' format, for this machine or with the configured token.
#[utoipa::path(tag = "Operators", responses((status = 200, description = "Prometheus text"), (status = 404, description = "Not for this caller")))]
#[get("/metrics")]
pub async fn metrics(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let is_local = request.peer_addr().is_some_and(|peer| peer.ip().is_loopback());
    let given = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    let is_allowed = match (&gateway.settings().metrics_token, given) {
        (Some(token), Some(given)) => equal_in_constant_time(token.expose(), given),
        (Some(_), None) | (None, _) => is_local,
    };
    if !is_allowed {
        return Err(Fault::new(Code::NotFound, "there is nothing at this path").into());
    }
    gateway.gauge_providers();
    Ok(HttpResponse::Ok().content_type("text/plain; version=0.0.4").body(telemetry::metrics().render()))
}

/// This API, as an OpenAPI document.
#[utoipa::path(tag = "Operators", responses((status = 200, description = "OpenAPI 3.1")))]
#[get("/openapi.json")]
pub async fn openapi(document: Data<OpenApi>) -> HttpResponse {
    json(200, document.to_json().unwrap_or_default())
}

/// How often the mock charged a payment.
#[utoipa::path(tag = "Mock provider", params(("payment_id" = String, Path)), responses((status = 200, body = ChargesObject), (status = 404)))]
#[get("/mock/charges/{payment_id}")]
pub async fn mock_charges(gateway: Data<Gateway>, payment_id: Path<String>) -> Answered {
    Ok(json(200, gateway.mock_charges(&payment_id).await?))
}
