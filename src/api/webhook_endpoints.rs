//! `/dashboard/webhooks`: a tenant's webhook endpoints in the caller's mode.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post};
use serde_json::{Value, json};

use super::caller::{Caller, JsonBody};
use super::envelope::envelope;
use super::query::Query;
use crate::domain::fields::Fields;
use crate::domain::ids::DeliveryId;
use crate::domain::secrets::Secret;
use crate::domain::signing::standard_webhook_secret;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault};
use crate::gateway::webhook_endpoints::{EndpointDraft, Replay, delivery_object, endpoint_object};
use crate::gateway::{EndpointRow, Gateway};
use crate::problem::Answered;

/// Makes an endpoint; its secret is shown this once.
#[utoipa::path(tag = "Webhook endpoints", responses((status = 201), (status = 400), (status = 401), (status = 403)))]
#[post("/dashboard/webhooks")]
pub async fn create(gateway: Data<Gateway>, caller: Caller, body: JsonBody) -> Answered {
    let draft = EndpointDraft::parse(&body.0, caller.0.mode, true)?;
    let (endpoint, secret) = gateway.create_endpoint(&caller.0, draft).await?;
    envelope(201, &with_secret(&endpoint, &secret))
}

/// Lists the endpoints.
#[utoipa::path(tag = "Webhook endpoints", responses((status = 200), (status = 401)))]
#[get("/dashboard/webhooks")]
pub async fn list(gateway: Data<Gateway>, caller: Caller) -> Answered {
    let endpoints = gateway.endpoints(&caller.0).await?;
    envelope(200, &endpoints.iter().map(endpoint_object).collect::<Value>())
}

/// One endpoint.
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path)), responses((status = 200), (status = 401), (status = 404)))]
#[get("/dashboard/webhooks/{id}")]
pub async fn get(gateway: Data<Gateway>, caller: Caller, id: Path<String>) -> Answered {
    envelope(200, &endpoint_object(&gateway.endpoint(&caller.0, &id).await?))
}

/// Changes an endpoint; `active` switches it on and off.
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path)), responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
#[patch("/dashboard/webhooks/{id}")]
pub async fn change(gateway: Data<Gateway>, caller: Caller, id: Path<String>, body: JsonBody) -> Answered {
    let draft = EndpointDraft::parse(&body.0, caller.0.mode, false)?;
    envelope(200, &endpoint_object(&gateway.change_endpoint(&caller.0, &id, draft).await?))
}

/// Deletes an endpoint.
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path)), responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[delete("/dashboard/webhooks/{id}")]
pub async fn remove(gateway: Data<Gateway>, caller: Caller, id: Path<String>) -> Answered {
    gateway.delete_endpoint(&caller.0, &id).await?;
    envelope(200, &json!({ "id": *id, "deleted": true }))
}

/// Gives an endpoint a new secret; the old one signs along for a day, or for `overlapSeconds`.
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path)), responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
#[post("/dashboard/webhooks/{id}/rotate")]
pub async fn rotate(gateway: Data<Gateway>, caller: Caller, id: Path<String>, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let overlap_seconds = fields.integer("overlapSeconds", i64::MIN, i64::MAX);
    fields.finish().map_err(Fault::from)?;
    let (endpoint, secret) = gateway.rotate_endpoint(&caller.0, &id, overlap_seconds).await?;
    envelope(200, &with_secret(&endpoint, &secret))
}

/// Sends a `webhook.test` event to an endpoint.
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path)), responses((status = 202), (status = 401), (status = 403), (status = 404), (status = 409)))]
#[post("/dashboard/webhooks/{id}/test")]
pub async fn test(gateway: Data<Gateway>, caller: Caller, id: Path<String>) -> Answered {
    let event_id = gateway.test_endpoint(&caller.0, &id).await?;
    envelope(202, &json!({ "eventId": event_id, "event": "webhook.test" }))
}

/// What was sent to an endpoint, newest first, with every attempt.
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path), ("status" = Option<String>, Query), ("limit" = Option<u32>, Query), ("cursor" = Option<String>, Query)), responses((status = 200), (status = 400), (status = 401), (status = 404)))]
#[get("/dashboard/webhooks/{id}/deliveries")]
pub async fn log(gateway: Data<Gateway>, caller: Caller, id: Path<String>, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let (limit, cursor) = (query.limit(), query.text("cursor"));
    let state = query.text("status");
    if state.as_deref().is_some_and(|state| !["pending", "delivered", "dead"].contains(&state)) {
        query.refuse("status", "must be one of pending, delivered, dead");
    }
    query.finish()?;
    let page = gateway.endpoint_deliveries(&caller.0, &id, state, cursor, limit).await?;
    let data: Vec<Value> =
        page.items.iter().map(|(delivery, event_type)| delivery_object(delivery, event_type)).collect();
    envelope(200, &json!({ "deliveries": data, "nextCursor": page.next }))
}

/// Sends one delivery again (`deliveryId`), or everything that the endpoint missed since a moment (`since`).
#[utoipa::path(tag = "Webhook endpoints", params(("id" = String, Path)), responses((status = 202), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
#[post("/dashboard/webhooks/{id}/replay")]
pub async fn replay(gateway: Data<Gateway>, caller: Caller, id: Path<String>, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let (delivery_id, since) = (fields.text("deliveryId", 1, 64), fields.text("since", 1, 64));
    let moment = since.as_deref().and_then(Timestamp::parse_rfc3339);
    if since.is_some() && moment.is_none() {
        fields.fault("since", "must be an RFC 3339 moment, as in 2026-01-31T00:00:00Z");
    }
    if delivery_id.is_some() == since.is_some() {
        fields.fault("deliveryId", "or since must be given, one of the two");
    }
    fields.finish().map_err(Fault::from)?;
    let unknown = || Fault::new(Code::NotFound, "there is no such delivery to this endpoint");
    let which = match (delivery_id, moment) {
        (Some(delivery_id), _) => Replay::One(DeliveryId::parse(&delivery_id).ok_or_else(unknown)?),
        (None, since) => Replay::Since(since.ok_or_else(unknown)?),
    };
    let count = gateway.replay_deliveries(&caller.0, &id, which).await?;
    envelope(202, &json!({ "deliveries": count }))
}

/// The one answer that holds the secret, in both notations.
fn with_secret(endpoint: &EndpointRow, secret: &Secret) -> Value {
    let mut object = endpoint_object(endpoint);
    object["secret"] = secret.expose().into();
    object["secretStandard"] = standard_webhook_secret(secret.expose()).into();
    object
}
