//! `/dashboard/auth/totp…`: a person's second factor.

use actix_web::web::Data;
use actix_web::{delete, post};
use serde_json::json;

use super::caller::{Caller, JsonBody};
use super::envelope::envelope;
use crate::domain::fields::Fields;
use crate::domain::secrets::Secret;
use crate::error::Fault;
use crate::gateway::Gateway;
use crate::problem::Answered;

/// Gives the secret of a second factor, this once. Signing in asks for it when it is confirmed.
#[utoipa::path(tag = "Accounts", responses((status = 201), (status = 401), (status = 409)))]
#[post("/dashboard/auth/totp")]
pub async fn enrol(gateway: Data<Gateway>, caller: Caller) -> Answered {
    let enrolment = gateway.enrol_second_factor(&caller.0).await?;
    envelope(201, &json!({ "secret": enrolment.secret.expose(), "otpauthUrl": enrolment.url.expose() }))
}

/// Confirms the second factor with a first code.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 400), (status = 401), (status = 429)))]
#[post("/dashboard/auth/totp/confirm")]
pub async fn confirm(gateway: Data<Gateway>, caller: Caller, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let code = fields.required_text("code", 1, 20).unwrap_or_default();
    fields.finish().map_err(Fault::from)?;
    gateway.confirm_second_factor(&caller.0, &code).await?;
    envelope(200, &json!({ "totpEnabled": true }))
}

/// Takes the second factor away, for who knows the password.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 400), (status = 401), (status = 429)))]
#[delete("/dashboard/auth/totp")]
pub async fn disable(gateway: Data<Gateway>, caller: Caller, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let password = fields.required_text("password", 1, 1000).unwrap_or_default();
    fields.finish().map_err(Fault::from)?;
    gateway.disable_second_factor(&caller.0, Secret::new(password)).await?;
    envelope(200, &json!({ "totpEnabled": false }))
}
