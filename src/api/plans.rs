//! `/dashboard/billing/…`: the tenant's plan, and what of it is used.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};

use super::caller::Person;
use super::envelope::envelope;
use super::query::Query;
use crate::domain::plans::Period;
use crate::gateway::Gateway;
use crate::problem::Answered;

/// The plan, its limits, and what is used of them in this month and mode.
#[utoipa::path(tag = "Billing", responses((status = 200), (status = 401)))]
#[get("/dashboard/billing/plan")]
pub async fn plan(gateway: Data<Gateway>, caller: Person) -> Answered {
    envelope(200, &gateway.billing_plan(&caller.0).await?)
}

/// What was used in a month (`2026-11`), this one unless told.
#[utoipa::path(tag = "Billing", params(("period" = Option<String>, Query)), responses((status = 200), (status = 400), (status = 401)))]
#[get("/dashboard/billing/usage")]
pub async fn usage(gateway: Data<Gateway>, caller: Person, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let period = query.parsed("period", "a month such as 2026-11", Period::parse);
    query.finish()?;
    envelope(200, &gateway.billing_usage(&caller.0, period).await?)
}
