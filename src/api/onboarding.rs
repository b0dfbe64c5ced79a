//! `/v1/onboarding/…` and `/v1/production-access/…`: the steps to Production.

use actix_web::web::Data;
use actix_web::{get, post};
use serde_json::json;

use super::caller::{JsonBody, Newcomer};
use crate::gateway::{Gateway, ProductionWish, Submission};
use crate::problem::{Answered, json as json_answer};

/// How far the tenant is, in the caller's mode and on its way to Production.
#[utoipa::path(tag = "Onboarding", responses((status = 200), (status = 401)))]
#[get("/v1/onboarding/status")]
pub async fn status(gateway: Data<Gateway>, caller: Newcomer) -> Answered {
    Ok(json_answer(200, gateway.onboarding_status(&caller.0).await?.to_string()))
}

/// Accepts the terms and shows the company. Test and sandbox approve themselves; live waits for the operator.
#[utoipa::path(tag = "Onboarding", responses((status = 200), (status = 400), (status = 401), (status = 403)))]
#[post("/v1/onboarding/submit")]
pub async fn submit(gateway: Data<Gateway>, caller: Newcomer, body: JsonBody) -> Answered {
    let submission = Submission::parse(&body.0)?;
    Ok(json_answer(200, gateway.submit_onboarding(&caller.0, submission).await?.to_string()))
}

/// Asks for production access. The request that is open or approved already is answered again.
#[utoipa::path(tag = "Onboarding", responses((status = 201), (status = 400), (status = 401), (status = 403)))]
#[post("/v1/production-access/request")]
pub async fn request_access(gateway: Data<Gateway>, caller: Newcomer, body: JsonBody) -> Answered {
    let wish = ProductionWish::parse(&body.0)?;
    let request = gateway.request_production_access(&caller.0, wish).await?;
    let object = json!({
        "id": request.request_id, "status": request.status, "companyName": request.company_name,
        "expectedMonthlyVolume": request.expected_monthly_volume, "createdAt": request.created_at,
    });
    Ok(json_answer(201, object.to_string()))
}
