//! `/api/v1/balance/checkpoint…`, receipts, proofs, and what anyone may ask about a root.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use utoipa::ToSchema;

use super::balances::{checked, window_of, window_of_query};
use super::caller::{TenantCaller, TenantRequest};
use super::query::Query;
use crate::domain::balances::{Point, WindowFields};
use crate::domain::fields::Fields;
use crate::domain::plans::Period;
use crate::error::Fault;
use crate::gateway::{CheckpointScope, Gateway};
use crate::problem::{Answered, json};

/// The largest body, in bytes.
const BODY_BYTES: usize = 64 * 1024;

/// A checkpoint to be, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct CheckpointRequest {
    /// Of this customer; of all when left out.
    customer_id: Option<String>,
    /// Of this month, as `2026-11`; of everything up to now when left out.
    period: Option<String>,
    /// `current_month` or `custom`.
    time_preset: Option<String>,
    /// A moment or a day, with `endDate`.
    start_date: Option<String>,
    /// A moment or a day; what was verified at it is left out.
    end_date: Option<String>,
}

/// Signs the root over a scope. With nothing new in it, the checkpoint that it has is answered.
#[utoipa::path(
    tag = "Ledger",
    request_body = CheckpointRequest,
    responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[post("/api/v1/balance/checkpoint")]
pub async fn create(gateway: Data<Gateway>, request: TenantRequest<BODY_BYTES>) -> Answered {
    let mut fields = Fields::of_body(&request.body).map_err(Fault::from)?;
    let customer_id = fields.text("customerId", 1, 400);
    let window = WindowFields::of(WindowFields::NAMES.map(|name| fields.text(name, 1, 100)));
    fields.finish().map_err(Fault::from)?;
    let of = CheckpointScope { customer_id, window: window_of(&gateway, &window)? };
    Ok(json(201, gateway.create_checkpoint(&request.scope, of).await?))
}

/// Lists checkpoints, newest first.
#[utoipa::path(
    tag = "Ledger",
    params(
        ("customerId" = Option<String>, Query), ("period" = Option<String>, Query), ("limit" = Option<u32>, Query),
        ("offset" = Option<u64>, Query)
    ),
    responses((status = 200), (status = 400), (status = 401), (status = 403))
)]
#[get("/api/v1/balance/checkpoints")]
pub async fn list(gateway: Data<Gateway>, caller: TenantCaller, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let customer_id = query.text("customerId");
    let period = query.parsed("period", "a month such as 2026-01", Period::parse).map(|period| period.to_string());
    let (limit, offset) = (query.number("limit", 1, 1000, 20), query.number("offset", 0, i64::MAX, 0));
    query.finish()?;
    Ok(json(200, gateway.list_checkpoints(&caller.0, customer_id, period, [limit, offset]).await?))
}

/// Shows that the larger of two checkpoints of one scope only adds to the smaller.
#[utoipa::path(
    tag = "Ledger",
    params(("checkpointId" = String, Path), ("with" = String, Query)),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[get("/api/v1/balance/checkpoints/{checkpointId}/consistency")]
pub async fn consistency(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    id: Path<String>,
    request: HttpRequest,
) -> Answered {
    let mut query = Query::parse(request.query_string());
    let with = query.required("with");
    query.finish()?;
    let unknown = || Fault::new(crate::error::Code::NotFound, "there is no such checkpoint");
    let one = Point::parse(&id).ok_or_else(unknown)?;
    let other = Point::parse(&with).ok_or_else(unknown)?;
    Ok(json(200, gateway.checkpoint_consistency(&caller.0, [one, other]).await?))
}

/// A customer's deltas of a scope, with all that a person needs to check them.
#[utoipa::path(
    tag = "Ledger",
    params(("customerId" = String, Path), ("period" = Option<String>, Query), ("timePreset" = Option<String>, Query), ("startDate" = Option<String>, Query), ("endDate" = Option<String>, Query)),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[get("/api/v1/balance/receipt/{customerId}")]
pub async fn receipt(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    customer_id: Path<String>,
    request: HttpRequest,
) -> Answered {
    receipt_of(&gateway, &caller, customer_id.into_inner(), &request).await
}

/// The same as the receipt, under its other name.
#[utoipa::path(
    tag = "Ledger",
    params(("customerId" = String, Path), ("period" = Option<String>, Query), ("timePreset" = Option<String>, Query), ("startDate" = Option<String>, Query), ("endDate" = Option<String>, Query)),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[get("/api/v1/balance/invoice-proof/{customerId}")]
pub async fn invoice_proof(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    customer_id: Path<String>,
    request: HttpRequest,
) -> Answered {
    receipt_of(&gateway, &caller, customer_id.into_inner(), &request).await
}

async fn receipt_of(gateway: &Gateway, caller: &TenantCaller, customer_id: String, request: &HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let window = window_of_query(gateway, &mut query);
    query.finish()?;
    Ok(json(200, gateway.receipt(&caller.0, checked(customer_id)?, window?).await?))
}

/// What proves one delta: its leaf, the path to a signed root.
#[utoipa::path(
    tag = "Ledger",
    params(("recordId" = String, Path), ("checkpoint" = Option<String>, Query)),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409))
)]
#[get("/api/v1/balance/delta/{recordId}/proof")]
pub async fn proof(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    record_id: Path<String>,
    request: HttpRequest,
) -> Answered {
    let mut query = Query::parse(request.query_string());
    let checkpoint = query.parsed("checkpoint", "a checkpoint's id or proofRoot", Point::parse);
    query.finish()?;
    Ok(json(200, gateway.delta_proof(&caller.0, &record_id, checkpoint).await?))
}

/// What anyone who has a root may know of it.
#[utoipa::path(tag = "Ledger", params(("proofRoot" = String, Path)), responses((status = 200), (status = 404)))]
#[get("/api/v1/verify/{proofRoot}")]
pub async fn verify(gateway: Data<Gateway>, proof_root: Path<String>) -> Answered {
    Ok(json(200, gateway.verify_root(&proof_root).await?))
}
