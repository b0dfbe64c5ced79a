//! `/v1/events`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::query::Query;
use super::signed::Signed;
use crate::domain::fields::{Fields, Invalid};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::error::Fault;
use crate::gateway::Gateway;
use crate::gateway::views::{EventObject, PageObject};
use crate::problem::{Answered, answer, json};

/// Lists events, newest first.
#[utoipa::path(
    tag = "Events",
    params(
        ("type" = Option<String>, Query, description = "as `payment.succeeded`"),
        ("payment_id" = Option<String>, Query),
        ("limit" = Option<u32>, Query),
        ("cursor" = Option<String>, Query),
    ),
    responses((status = 200, body = PageObject<EventObject>))
)]
#[get("/v1/events")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.cursor(EventId::parse);
    let event_type = query.text("type");
    let payment_id = query.text("payment_id");
    query.finish()?;
    Ok(json(200, gateway.list_events(&signed.app, event_type, payment_id, cursor, limit).await?))
}

/// One event with its deliveries.
#[utoipa::path(tag = "Events", params(("event_id" = String, Path)), responses((status = 200, body = EventObject), (status = 404)))]
#[get("/v1/events/{event_id}")]
pub async fn get(gateway: Data<Gateway>, event_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.event(&signed.app, &event_id).await?))
}

/// Sends one event again.
#[utoipa::path(tag = "Events", params(("event_id" = String, Path)), responses((status = 202, description = "`event_id` and how many deliveries were started"), (status = 404)))]
#[post("/v1/events/{event_id}/redeliver")]
pub async fn redeliver(gateway: Data<Gateway>, event_id: Path<String>, signed: Signed) -> Answered {
    Fields::of_body(&signed.body).and_then(Fields::finish).map_err(Fault::from)?;
    Ok(answer(gateway.redeliver_event(&signed.app, signed.once(), &event_id).await?))
}

/// The body of `POST /v1/events/redeliver`, for the documentation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct RedeliverRequest {
    /// RFC 3339.
    since: String,
}

/// Sends again everything that was given up since a moment.
#[utoipa::path(tag = "Events", request_body = RedeliverRequest, responses((status = 202, description = "How many deliveries were started")))]
#[post("/v1/events/redeliver")]
pub async fn redeliver_since(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let since = since(&signed.body).map_err(Fault::from)?;
    Ok(answer(gateway.redeliver_since(&signed.app, signed.once(), since).await?))
}

fn since(body: &[u8]) -> Result<Timestamp, Invalid> {
    let mut fields = Fields::of_body(body)?;
    let text = fields.required_text("since", 1, 64).unwrap_or_default();
    let since = Timestamp::parse_rfc3339(&text);
    if since.is_none() && !text.is_empty() {
        fields.fault("since", "must be an RFC 3339 time such as 2026-05-09T12:34:56Z");
    }
    fields.finish()?;
    since.ok_or_else(|| Invalid::missing("since"))
}
