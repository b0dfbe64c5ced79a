//! `/v1/subscriptions`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::query::Query;
use super::signed::Signed;
use crate::domain::fields::Fields;
use crate::domain::ids::SubscriptionId;
use crate::domain::subscriptions::SubscriptionStatus;
use crate::error::Fault;
use crate::gateway::Gateway;
use crate::gateway::views::{PageObject, SubscriptionObject};
use crate::problem::{Answered, answer, json};

/// The body of `POST /v1/subscriptions/{id}/cancel`, for the documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct CancelRequest {
    /// Whether it goes on until the end of what is paid for; true when absent.
    at_period_end: Option<bool>,
}

/// Lists subscriptions, newest first.
#[utoipa::path(
    tag = "Subscriptions",
    params(
        ("external_user_id" = Option<String>, Query), ("status" = Option<String>, Query),
        ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)
    ),
    responses((status = 200, body = PageObject<SubscriptionObject>))
)]
#[get("/v1/subscriptions")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.cursor(SubscriptionId::parse);
    let external_user_id = query.text("external_user_id");
    let status = query.parsed("status", "incomplete, active, past_due or ended", SubscriptionStatus::parse);
    query.finish()?;
    Ok(json(200, gateway.list_subscriptions(&signed.app, external_user_id, status, cursor, limit).await?))
}

/// One subscription.
#[utoipa::path(tag = "Subscriptions", params(("subscription_id" = String, Path)), responses((status = 200, body = SubscriptionObject), (status = 404)))]
#[get("/v1/subscriptions/{subscription_id}")]
pub async fn get(gateway: Data<Gateway>, subscription_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.subscription(&signed.app, &subscription_id).await?))
}

/// Ends a subscription, with its period or at once.
#[utoipa::path(tag = "Subscriptions", params(("subscription_id" = String, Path)), request_body = CancelRequest, responses((status = 200, body = SubscriptionObject), (status = 404), (status = 502, description = "The provider refused"), (status = 503)))]
#[post("/v1/subscriptions/{subscription_id}/cancel")]
pub async fn cancel(gateway: Data<Gateway>, subscription_id: Path<String>, signed: Signed) -> Answered {
    let mut at_period_end = true;
    if !signed.body.is_empty() {
        let mut fields = Fields::of_body(&signed.body).map_err(Fault::from)?;
        at_period_end = fields.boolean("at_period_end").unwrap_or(true);
        fields.finish().map_err(Fault::from)?;
    }
    Ok(answer(gateway.cancel_subscription(&signed.app, signed.once(), &subscription_id, at_period_end).await?))
}
