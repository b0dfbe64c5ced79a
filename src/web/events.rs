//! Events and how they reach the endpoints: the list, what was given up, one with every attempt, and sending again.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde::Deserialize;

use super::listing::{Asked, Choice, PER_PAGE, Pager, address_of, app_choices, choices, readable_json};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::events::EVENT_TYPES;
use crate::domain::secrets::random_hex;
use crate::domain::time::Timestamp;
use crate::error::Fault;
use crate::gateway::{Delivery, Gateway};
use crate::problem::Answered;

const PATH: &str = "/console/events";

struct Row {
    path: String,
    event_type: String,
    app: String,
    payment: Option<(String, String)>,
    deliveries: Vec<(String, i32)>,
    at: Moment,
}

#[derive(Template)]
#[template(path = "events.html")]
struct EventsPage {
    shell: Shell,
    rows: Vec<Row>,
    only_dead: bool,
    nonce: String,
    apps: Vec<Choice>,
    types: Vec<Choice>,
    is_plain: bool,
    pager: Pager,
}

/// The events, newest first; or the deliveries that were given up in the last thirty days.
#[get("/console/events")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let notice = asked.text("done").map(|_| "What was given up since then is on its way again.");
    let shell = Shell::new(&visitor, "events").saying(notice);
    let only_dead = asked.text("dead").is_some();
    let listed = if only_dead {
        gateway.events_given_up(&visitor.scope, asked.owned("app"), PER_PAGE).await?
    } else {
        let (app, event_type) = (asked.owned("app"), asked.owned("type"));
        gateway.events_across(&visitor.scope, app, event_type, asked.owned("cursor"), PER_PAGE).await?
    };
    let deliveries = gateway.deliveries_of(&listed).await?;
    let rows = listed.page.items.iter().map(|event| Row {
        path: address_of(PATH, event.event_id.as_str()),
        event_type: event.event_type.clone(),
        app: event.app_id.as_ref().map_or("", |app_id| listed.app_name(app_id)).to_owned(),
        payment: event.payment_id.as_ref().map(|id| (address_of("/console/payments", id.as_str()), id.to_string())),
        deliveries: deliveries
            .iter()
            .filter(|delivery| delivery.event_id == event.event_id)
            .map(|delivery| (delivery.state.clone(), delivery.attempts))
            .collect(),
        at: shell.time(&event.created_at),
    });
    render(&EventsPage {
        rows: rows.collect(),
        only_dead,
        nonce: random_hex(12),
        apps: app_choices(&listed.apps, asked.text("app")),
        types: choices(EVENT_TYPES, asked.text("type")),
        is_plain: asked.is_plain(),
        pager: asked.pager(PATH, listed.page.next.as_deref()),
        shell,
    })
}

/// One attempt, as the delivery's log has it.
#[derive(Deserialize)]
struct Logged {
    at: Timestamp,
    status: Option<u16>,
    error: Option<String>,
    took_ms: u64,
    #[serde(default)]
    answer: String,
}

/// One attempt, as it is shown.
pub(super) struct Try {
    /// When.
    pub at: Moment,
    /// What came of it.
    pub result: String,
    /// Whether it was taken.
    pub is_good: bool,
    /// In milliseconds.
    pub took_ms: u64,
    /// How the answer began.
    pub answer: String,
}

/// The attempts that the log of a delivery holds, oldest first.
pub(super) fn tries(shell: &Shell, log: &str) -> Vec<Try> {
    let logged: Vec<Logged> = serde_json::from_str(log).unwrap_or_default();
    let tries = logged.into_iter().map(|entry| Try {
        at: shell.time(&entry.at),
        is_good: entry.status.is_some_and(|status| (200..300).contains(&status)),
        result: match (entry.status, entry.error) {
            (Some(status), _) => format!("answered {status}"),
            (None, Some(error)) => error,
            (None, None) => "no answer".to_owned(),
        },
        took_ms: entry.took_ms,
        answer: entry.answer,
    });
    tries.collect()
}

struct DeliveryView {
    url: String,
    endpoint: String,
    state: String,
    attempts: i32,
    next: Option<Moment>,
    tries: Vec<Try>,
}

impl DeliveryView {
    fn new(shell: &Shell, delivery: &Delivery, url: String) -> Self {
        Self {
            url,
            endpoint: delivery.endpoint_id.to_string(),
            state: delivery.state.clone(),
            attempts: delivery.attempts,
            next: (delivery.state == "pending").then(|| shell.time(&delivery.due_at)),
            tries: tries(shell, &delivery.log),
        }
    }
}

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    shell: Shell,
    nonce: String,
    id: String,
    path: String,
    event_type: String,
    app: Option<String>,
    payment: Option<(String, String)>,
    at: Moment,
    body: String,
    deliveries: Vec<DeliveryView>,
}

/// One event with its body and every attempt to deliver it.
#[get("/console/events/{event_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let notice = Asked::of(&request).text("done").map(|_| "The event is on its way again.");
    let shell = Shell::new(&visitor, "events").saying(notice);
    let found = gateway.event_across(&visitor.scope, &path).await?;
    let event = found.event;
    render(&EventPage {
        nonce: random_hex(12),
        path: address_of(PATH, event.event_id.as_str()),
        id: event.event_id.to_string(),
        event_type: event.event_type,
        app: found.app_name,
        payment: event.payment_id.map(|id| (address_of("/console/payments", id.as_str()), id.to_string())),
        at: shell.time(&event.created_at),
        body: readable_json(&event.body),
        deliveries: found.deliveries.into_iter().map(|(row, url)| DeliveryView::new(&shell, &row, url)).collect(),
        shell,
    })
}

/// Sends one event again.
#[post("/console/events/{event_id}/resend")]
pub async fn resend(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.resend_event_by_hand(&form.visitor.scope, form.text("nonce"), &path).await?;
    Ok(see_other(&format!("{}?done=resend", address_of(PATH, &path))))
}

/// Sends again what was given up since a day.
#[post("/console/events/resend")]
pub async fn resend_since(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let since = Timestamp::parse_day(form.text("since"));
    let since = since.ok_or_else(|| Fault::invalid("since", "must be a day, as 2026-12-31"))?;
    gateway.resend_since_by_hand(&form.visitor.scope, form.text("nonce"), form.text("app"), since).await?;
    Ok(see_other("/console/events?done=resend"))
}
