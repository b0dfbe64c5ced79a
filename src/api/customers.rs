//! `/v1/customers`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::query::Query;
use super::signed::Signed;
use crate::domain::customers::KycStatus;
use crate::domain::fields::{Fields, Invalid};
use crate::error::Fault;
use crate::gateway::Gateway;
use crate::gateway::views::{CustomerObject, PageObject};
use crate::problem::{Answered, answer, json};

/// Lists buyers in the order of their ids.
#[utoipa::path(tag = "Customers", params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)), responses((status = 200, body = PageObject<CustomerObject>)))]
#[get("/v1/customers")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.text("cursor");
    query.finish()?;
    Ok(json(200, gateway.list_customers(&signed.app, cursor, limit).await?))
}

/// One buyer.
#[utoipa::path(tag = "Customers", params(("external_user_id" = String, Path)), responses((status = 200, body = CustomerObject), (status = 404)))]
#[get("/v1/customers/{external_user_id}")]
pub async fn get(gateway: Data<Gateway>, external_user_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.customer(&signed.app, &external_user_id).await?))
}

/// The body of `POST /v1/customers/{external_user_id}/kyc`, for the documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct KycRequest {
    /// `none`, `pending`, `approved` or `rejected`.
    status: String,
}

/// Sets what is known of a buyer, who need not have paid before. In `test`, `pending` is `approved` at once.
#[utoipa::path(tag = "Customers", params(("external_user_id" = String, Path)), request_body = KycRequest, responses((status = 200, body = CustomerObject)))]
#[post("/v1/customers/{external_user_id}/kyc")]
pub async fn set_kyc_status(gateway: Data<Gateway>, external_user_id: Path<String>, signed: Signed) -> Answered {
    let status = status(&signed.body).map_err(Fault::from)?;
    Ok(answer(gateway.set_kyc_status(&signed.app, signed.once(), &external_user_id, status).await?))
}

fn status(body: &[u8]) -> Result<KycStatus, Invalid> {
    let mut fields = Fields::of_body(body)?;
    let text = fields.required_text("status", 1, 20).unwrap_or_default();
    let status = KycStatus::parse(&text);
    if status.is_none() && !text.is_empty() {
        fields.fault("status", "must be none, pending, approved or rejected");
    }
    fields.finish()?;
    status.ok_or_else(|| Invalid::missing("status"))
}
