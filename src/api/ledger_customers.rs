//! `/dashboard/customers`: customers as the ledger knows them. The buyers of an app are in `customers`.

use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use serde_json::{Value, json};

use super::caller::{Caller, JsonBody};
use super::envelope::{envelope, envelope_page};
use super::query::Query;
use crate::gateway::{Gateway, LedgerCustomer, NewLedgerCustomer};
use crate::problem::Answered;

/// Adds a customer in the caller's mode.
#[utoipa::path(tag = "Ledger", responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409)))]
#[post("/dashboard/customers")]
pub async fn create(gateway: Data<Gateway>, caller: Caller, body: JsonBody) -> Answered {
    let new = NewLedgerCustomer::parse(&body.0)?;
    let customer = gateway.create_ledger_customer(&caller.0, new).await?;
    let object = json!({
        "customerId": customer.customer_id, "displayName": customer.display_name, "mode": customer.mode,
        "createdAt": customer.created_at,
    });
    envelope(201, &object)
}

/// Lists customers of the caller's mode in the order of their ids.
#[utoipa::path(tag = "Ledger", params(("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)), responses((status = 200), (status = 401)))]
#[get("/dashboard/customers")]
pub async fn list(gateway: Data<Gateway>, caller: Caller, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let limit = query.limit();
    let cursor = query.text("cursor");
    query.finish()?;
    let page = gateway.list_ledger_customers(&caller.0, cursor, limit).await?;
    let objects: Vec<Value> = page.items.iter().map(object).collect();
    envelope_page(&json!(objects), page.next.as_deref())
}

fn object(customer: &LedgerCustomer) -> Value {
    json!({
        "customerId": customer.customer_id, "displayName": customer.display_name, "mode": customer.mode,
        "createdAt": customer.created_at,
    })
}
