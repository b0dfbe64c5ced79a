//! `/v1/customers`.

use actix_web::get;
use actix_web::web::{Data, Path};

use super::query::Query;
use super::signed::Signed;
use crate::gateway::Gateway;
use crate::gateway::views::{CustomerObject, PageObject};
use crate::problem::{Answered, json};

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
