//! `/api/v1/writes` and `/api/v1/reads`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::caller::{TenantCaller, TenantRequest};
use crate::domain::writes::WriteItem;
use crate::error::Fault;
use crate::gateway::{Answer, Gateway};
use crate::problem::{Answered, answer as replayable, json};

/// The largest body, in bytes: a thousand items with all the metadata that they may have.
const MAX_BODY_BYTES: usize = 12 * 1024 * 1024;

/// The body of `POST /api/v1/writes`, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct WritesRequest {
    /// 1 to 1,000.
    items: Vec<WriteItemRequest>,
}

/// One item of it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
#[serde(rename_all = "camelCase")]
pub(crate) struct WriteItemRequest {
    /// What is added up under: 1 to 256 printable characters.
    #[schema(example = "order-12345")]
    key: String,
    /// Whose the key is, 1 to 128 characters. A key stays with the account that wrote to it first.
    #[schema(example = "customer-001")]
    account_id: String,
    /// A whole number of 64 bits.
    #[schema(example = 1)]
    bits: i64,
    /// An object of at most 8 KiB; the latest write's is shown.
    #[schema(value_type = Option<Object>)]
    metadata: Option<String>,
}

/// Accepts items; each is verified in turn and told of by `verification.completed` or `verification.failed`.
#[utoipa::path(
    tag = "Ledger",
    request_body = WritesRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; kept 24 hours")),
    responses(
        (status = 202, description = "Queued"), (status = 400), (status = 401), (status = 403), (status = 409),
        (status = 413), (status = 429, description = "Too much waits"),
    )
)]
#[post("/api/v1/writes")]
pub async fn create(gateway: Data<Gateway>, request: TenantRequest<MAX_BODY_BYTES>) -> Answered {
    gateway.check_may_write(&request.scope)?;
    let items = WriteItem::parse_all(&request.body).map_err(Fault::from)?;
    let answer = gateway.accept_writes(&request.scope, request.once, &items).await?;
    let body = enveloped(answer.status, &answer.body);
    Ok(replayable(Answer { body, ..answer }))
}

/// A request that was accepted, with the status of each item.
#[utoipa::path(tag = "Ledger", responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[get("/api/v1/writes/{request_id}")]
pub async fn get(gateway: Data<Gateway>, caller: TenantCaller, request_id: Path<String>) -> Answered {
    Ok(json(200, enveloped(200, &gateway.write_request(&caller.0, &request_id).await?)))
}

/// What the verified writes to a key add up to. A slash within a key is sent as `%2F`.
#[utoipa::path(tag = "Ledger", responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[get("/api/v1/reads/bucket/{key}")]
pub async fn bucket(gateway: Data<Gateway>, caller: TenantCaller, key: Path<String>) -> Answered {
    Ok(json(200, enveloped(200, &gateway.read_bucket(&caller.0, &key).await?)))
}

/// The envelope around data that is JSON text already, so that numbers within keep their digits.
fn enveloped(status: u16, data: &str) -> String {
    format!(r#"{{"success":true,"statusCode":{status},"data":{data}}}"#)
}
