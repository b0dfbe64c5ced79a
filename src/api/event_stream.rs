//! `GET /v1/events/stream`: an app's events as they are committed, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::stream;

use super::query::Query;
use super::signed::Signed;
use crate::domain::events::EVENT_TYPES;
use crate::gateway::{Gateway, Listening, Told};
use crate::problem::Answered;

/// How long a stream is silent at most: proxies close what is silent, and a client that went away is found out.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// How long a client waits before it connects again, in milliseconds.
const RETRY_MS: u32 = 2000;

/// Follows the app's events: `id` is the event's id, `event` its type, `data` its body in one line.
///
/// Events come in the order in which they are committed, each at least once: what comes again after a reconnection has
/// the id that it had. The stream ends when the server stops, when the key does not work any more, and for a client that
/// reads too slowly; it goes on with the last id as `Last-Event-ID`.
#[utoipa::path(
    tag = "Events",
    params(
        ("Last-Event-ID" = Option<String>, Header, description = "the event to go on after; without it, from now on"),
        ("after" = Option<String>, Query, description = "the same, for who cannot send the header"),
        ("types" = Option<String>, Query, description = "only these, as `payment.succeeded,refund.succeeded`"),
    ),
    responses(
        (status = 200, description = "Server-sent events", content_type = "text/event-stream"),
        (status = 404, description = "There is no such event to go on after: `EventNotFound`"),
        (status = 429, description = "Too many of the app's listeners are connected"),
    )
)]
#[get("/v1/events/stream")]
pub async fn follow(gateway: Data<Gateway>, signed: Signed, request: HttpRequest) -> Answered {
    let mut query = Query::parse(signed.query());
    let after = query.text("after");
    let wanted = query.text("types").unwrap_or_default();
    let types: Vec<String> = wanted.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    if let Some(unknown) = types.iter().find(|name| !EVENT_TYPES.contains(&name.as_str())) {
        query.refuse("types", &format!("{unknown} is not the type of an event"));
    }
    query.finish()?;
    // A client that reconnects asks with the same URL, and knows a later event than that has.
    let last = request.headers().get("last-event-id").map(|value| value.to_str().unwrap_or("unreadable").to_owned());
    let last = last.filter(|id| !id.is_empty()).or(after);
    let gateway = gateway.into_inner();
    let listening = gateway.listen(&signed.app, signed.proof(), last.as_deref(), types).await?;
    Ok(HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        // A proxy in front must not hold the events back to fill its buffer.
        .insert_header(("x-accel-buffering", "no"))
        .content_type("text/event-stream")
        .streaming(stream::unfold((listening, true), next)))
}

/// What is sent next, and who goes on listening.
async fn next((mut listening, is_first): (Listening, bool)) -> Option<(Result<Bytes, Infallible>, (Listening, bool))> {
    let bytes = if is_first {
        // An id without data: a client that is cut off before the first event goes on from there.
        Bytes::from(format!("retry: {RETRY_MS}\nid: {}\n\n", listening.beginning()))
    } else {
        match tokio::time::timeout(HEARTBEAT, listening.next()).await {
            Ok(told) => Bytes::from(frame(&*told?)),
            Err(_) => Bytes::from_static(b":\n\n"),
        }
    };
    Some((Ok(bytes), (listening, false)))
}

/// One event on the wire. Its body is JSON without line breaks.
fn frame(told: &Told) -> String {
    format!("id: {}\nevent: {}\ndata: {}\n\n", told.event_id, told.event_type, told.body)
}
