//! `/v1/routes`: where a payment would go, without making one.

use actix_web::get;
use actix_web::web::Data;

use super::query::Query;
use super::signed::Signed;
use crate::domain::money::Currency;
use crate::gateway::Gateway;
use crate::gateway::views::RouteObject;
use crate::problem::{Answered, json};

/// Where a payment with this method and currency would go, and what stands against each provider.
#[utoipa::path(tag = "Payments", params(("currency" = String, Query), ("method" = String, Query)), responses((status = 200, body = RouteObject)))]
#[get("/v1/routes")]
pub async fn explain(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let code = query.required("currency");
    let method = query.required("method");
    let currency = Currency::parse(&code);
    if currency.is_none() && !code.is_empty() {
        query.refuse("currency", "must be an upper-case ISO 4217 code such as IDR or USD");
    }
    query.finish()?;
    let route = currency.map(|currency| gateway.explain_route(&signed.app, &method, currency));
    Ok(json(200, serde_json::json!(route).to_string()))
}
