//! `/v1/refunds`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::query::Query;
use super::signed::Signed;
use crate::domain::ids::RefundId;
use crate::gateway::Gateway;
use crate::gateway::views::{PageObject, RefundObject};
use crate::problem::{Answered, answer, json};

/// The body of `POST /v1/refunds`, for the documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct RefundRequest {
    payment_id: String,
    /// Minor units; all that is left when absent.
    amount_minor: Option<i64>,
    reason: Option<String>,
}

/// Refunds a payment, in part or in full.
#[utoipa::path(tag = "Refunds", request_body = RefundRequest, responses((status = 201, body = RefundObject), (status = 404), (status = 422, description = "Nothing, or less, is left")))]
#[post("/v1/refunds")]
pub async fn create(gateway: Data<Gateway>, signed: Signed) -> Answered {
    Ok(answer(gateway.create_refund(&signed.app, signed.once(), &signed.body).await?))
}

/// Lists refunds, newest first.
#[utoipa::path(
    tag = "Refunds",
    params(("payment_id" = Option<String>, Query), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageObject<RefundObject>))
)]
#[get("/v1/refunds")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.cursor(RefundId::parse);
    let payment_id = query.text("payment_id");
    query.finish()?;
    Ok(json(200, gateway.list_refunds(&signed.app, payment_id, cursor, limit).await?))
}

/// One refund.
#[utoipa::path(tag = "Refunds", params(("refund_id" = String, Path)), responses((status = 200, body = RefundObject), (status = 404)))]
#[get("/v1/refunds/{refund_id}")]
pub async fn get(gateway: Data<Gateway>, refund_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.refund(&signed.app, &refund_id).await?))
}
