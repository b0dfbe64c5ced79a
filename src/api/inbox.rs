//! `/webhooks`: where providers tell what has become of a payment.

use actix_web::dev::Payload as RawPayload;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, post};

use super::signed::read_body;
use crate::domain::mode::Mode;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, Posted};
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
    take(&gateway, &request, (provider.into_inner(), None, None), payload.into_inner()).await
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
    take(&gateway, &request, (provider, Some(mode), None), payload.into_inner()).await
}

/// Takes a webhook of a tenant's own account at a provider.
#[utoipa::path(tag = "Webhooks in", params(("provider" = String, Path), ("mode" = String, Path), ("account_id" = String, Path)), responses((status = 200, description = "Taken"), (status = 401, description = "Bad signature"), (status = 404)))]
#[post("/webhooks/{provider}/{mode}/{account_id}")]
pub async fn receive_of_account(
    gateway: Data<Gateway>,
    request: HttpRequest,
    path: Path<(String, String, String)>,
    payload: Payload,
) -> Answered {
    let (provider, mode, account_id) = path.into_inner();
    take(&gateway, &request, (provider, Some(mode), Some(account_id)), payload.into_inner()).await
}

async fn take(
    gateway: &Gateway,
    request: &HttpRequest,
    (provider, mode, account_id): (String, Option<String>, Option<String>),
    payload: RawPayload,
) -> Answered {
    let not_found = || Fault::new(Code::NotFound, "there is no such webhook");
    let mode = mode.map(|mode| Mode::parse(&mode).ok_or_else(not_found)).transpose()?;
    let body = read_body(request, payload, MAX_WEBHOOK_BYTES).await?;
    let headers = request
        .headers()
        .iter()
        .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
        .collect();
    let peer = request.peer_addr().map(|peer| peer.ip());
    let posted = Posted { provider, mode, account_id, headers, body: body.to_vec(), peer };
    let verdict = gateway.receive_webhook(posted).await?;
    Ok(json(200, serde_json::json!({ "result": verdict.as_str() }).to_string()))
}
