//! `/webhooks`: where providers tell what has become of a payment.

use actix_web::dev::Payload as RawPayload;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, post};

use super::signed::read_body;
use crate::domain::mode::Mode;
use crate::error::{Code, Fault};
use crate::gateway::Gateway;
use crate::problem::{Answered, json};

/// The largest webhook that is read, in bytes. Providers send a few kilobytes.
const MAX_WEBHOOK_BYTES: usize = 64 * 1024;

/// Takes a provider's webhook; the signature decides of which mode it is.
#[utoipa::path(tag = "Webhooks in", params(("provider" = String, Path)), responses((status = 200, description = "Taken"), (status = 401, description = "Bad signature"), (status = 404)))]
#[post("/webhooks/{provider}")]
pub async fn receive(
    gateway: Data<Gateway>,
    request: HttpRequest,
    provider: Path<String>,
    payload: Payload,
) -> Answered {
    take(&gateway, &request, &provider, None, payload.into_inner()).await
}

/// Takes a provider's webhook of one mode.
#[utoipa::path(tag = "Webhooks in", params(("provider" = String, Path), ("mode" = String, Path)), responses((status = 200, description = "Taken"), (status = 401, description = "Bad signature"), (status = 404)))]
#[post("/webhooks/{provider}/{mode}")]
pub async fn receive_in_mode(
    gateway: Data<Gateway>,
    request: HttpRequest,
    path: Path<(String, String)>,
    payload: Payload,
) -> Answered {
    let (provider, mode) = path.into_inner();
    let mode = Mode::parse(&mode).ok_or_else(|| Fault::new(Code::NotFound, "there is no such webhook"))?;
    take(&gateway, &request, &provider, Some(mode), payload.into_inner()).await
}

async fn take(
    gateway: &Gateway,
    request: &HttpRequest,
    provider: &str,
    mode: Option<Mode>,
    payload: RawPayload,
) -> Answered {
    let body = read_body(request, payload, MAX_WEBHOOK_BYTES).await?;
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let verdict = gateway.receive_webhook(provider, mode, headers, body.to_vec()).await?;
    Ok(json(200, serde_json::json!({ "result": verdict.as_str() }).to_string()))
}
