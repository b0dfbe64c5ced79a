//! `/api/v1/balance/delta`: what moves a balance.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;
use utoipa::openapi::schema::{Object, ObjectBuilder, Type};

use super::caller::{TenantCaller, TenantRequest};
use crate::domain::deltas::DeltaDraft;
use crate::error::Fault;
use crate::gateway::Gateway;
use crate::problem::{Answered, answer, json};

/// The largest body of one delta, in bytes.
const DELTA_BYTES: usize = 64 * 1024;

/// The largest body of a batch: a thousand deltas with the longest reasons and metadata.
const BATCH_BYTES: usize = 12 * 1024 * 1024;

/// A delta, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct DeltaRequest {
    /// Your own id of the customer: 1 to 128 letters, digits and `_ - . :`.
    #[schema(example = "customer-1")]
    customer_id: String,
    /// Not zero, from -1000000000 to 1000000000, with at most six decimal places.
    #[schema(schema_with = decimal_schema)]
    delta: String,
    /// For people, 1 to 500 characters.
    #[schema(example = "usage")]
    reason: String,
    /// Your own id of what it is about: there is one delta for each of a customer's.
    #[schema(example = "order-1001")]
    reference_id: Option<String>,
    /// An object of at most 8 KiB.
    #[schema(value_type = Option<Object>)]
    metadata: Option<String>,
}

/// The body of a batch, for the documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct BatchRequest {
    /// 1 to 1,000.
    deltas: Vec<DeltaRequest>,
}

/// A decimal, for the documentation.
pub(super) fn decimal_schema() -> Object {
    ObjectBuilder::new().schema_type(Type::Number).examples([serde_json::json!(-42)]).build()
}

/// Takes in a delta; it is verified in a moment.
#[utoipa::path(
    tag = "Ledger",
    request_body = DeltaRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; kept 24 hours")),
    responses((status = 201), (status = 400), (status = 401), (status = 402), (status = 403), (status = 409))
)]
#[post("/api/v1/balance/delta")]
pub async fn emit(gateway: Data<Gateway>, request: TenantRequest<DELTA_BYTES>) -> Answered {
    let draft = DeltaDraft::parse(&request.body).map_err(Fault::from)?;
    Ok(answer(gateway.emit_delta(&request.scope, request.once, draft).await?))
}

/// Takes in up to 1,000 deltas, and says of each what came of it.
#[utoipa::path(
    tag = "Ledger",
    request_body = BatchRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; kept 24 hours")),
    responses((status = 201), (status = 400), (status = 401), (status = 402), (status = 403), (status = 409))
)]
#[post("/api/v1/balance/delta/batch")]
pub async fn emit_batch(gateway: Data<Gateway>, request: TenantRequest<BATCH_BYTES>) -> Answered {
    let batch = DeltaDraft::parse_batch(&request.body).map_err(Fault::from)?;
    Ok(answer(gateway.emit_deltas(&request.scope, request.once, batch).await?))
}

/// How a delta stands: QUEUED, VERIFIED or FAILED.
#[utoipa::path(tag = "Ledger", params(("recordId" = String, Path)), responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[get("/api/v1/balance/delta/{recordId}")]
pub async fn get(gateway: Data<Gateway>, caller: TenantCaller, record_id: Path<String>) -> Answered {
    Ok(json(200, gateway.delta(&caller.0, &record_id).await?))
}
