//! The test inbox: what the gateway's own receiver was sent in `test`, and the way there from the quick start for who has
//! neither a program nor a server yet.

use std::time::Duration;

use actix_web::web::{Bytes, Data, Path, Payload};
use actix_web::{FromRequest, HttpRequest, HttpResponse, get, post};
use askama::Template;

use super::listing::{Asked, address_of, readable_json};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::mode::Mode;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, Received};
use crate::problem::Answered;

/// Where the page is.
pub(super) const PATH: &str = "/console/webhooks/inbox";

/// How long the body of an event may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

struct Row {
    event_type: String,
    event: Option<String>,
    payment: Option<(String, String)>,
    at: Moment,
    headers: String,
    body: String,
}

impl Row {
    fn new(shell: &Shell, received: &Received) -> Self {
        let body: serde_json::Value = serde_json::from_str(&received.body).unwrap_or_default();
        let named = |name: &str| body[name].as_str().map(str::to_owned);
        Self {
            event_type: named("event").or(named("type")).unwrap_or_else(|| "event".to_owned()),
            event: named("event_id").or(named("id")).map(|id| address_of("/console/events", &id)),
            payment: named("payment_id").map(|id| (address_of("/console/payments", &id), id)),
            at: shell.time(&received.received_at),
            headers: received.headers.clone(),
            body: readable_json(&received.body),
        }
    }
}

#[derive(Template)]
#[template(path = "test_inbox.html")]
struct InboxPage {
    shell: Shell,
    rows: Vec<Row>,
    /// The endpoint's page, if the inbox is open.
    endpoint: Option<String>,
    /// Whether the event of the payment that was just paid is still on its way.
    is_waiting: bool,
    /// The payment that was just paid: its page.
    paid: Option<String>,
    is_test: bool,
}

/// What came, newest first.
#[get("/console/webhooks/inbox")]
pub async fn page(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "webhooks");
    let found = gateway.test_inbox(&visitor.scope).await?;
    let (endpoint, received) = found.map_or((None, Vec::new()), |(endpoint, received)| (Some(endpoint), received));
    let rows: Vec<Row> = received.iter().map(|received| Row::new(&shell, received)).collect();
    let paid = asked.text("payment_id");
    let is_there = rows.iter().any(|row| row.payment.as_ref().is_some_and(|(_, id)| Some(id.as_str()) == paid));
    render(&InboxPage {
        is_waiting: paid.is_some() && endpoint.is_some() && !is_there,
        paid: paid.map(|id| address_of("/console/payments", id)),
        endpoint: endpoint.map(|endpoint| address_of("/console/webhooks", endpoint.endpoint_id.as_str())),
        rows,
        is_test: visitor.scope.mode == Mode::Test,
        shell,
    })
}

/// Opens it.
#[post("/console/webhooks/inbox")]
pub async fn open(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    gateway.open_test_inbox(&form.visitor.scope).await?;
    Ok(see_other(PATH))
}

/// Makes a payment to try it all out, and leads to where it is paid.
#[post("/console/quick-start/try")]
pub async fn try_out(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let gateway = gateway.into_inner();
    let checkout = gateway.try_out(&form.visitor.scope, form.text("nonce"), form.text("app")).await?;
    Ok(see_other(&checkout))
}

/// Where the buyer of such a payment comes back to.
#[get("/console/quick-start/paid")]
pub async fn tried(request: HttpRequest) -> Answered {
    Ok(see_other(&Asked::of(&request).address(PATH, None)))
}

/// Takes an event.
#[post("/test-inbox/{endpoint_id}")]
pub async fn receive(gateway: Data<Gateway>, request: HttpRequest, path: Path<String>, payload: Payload) -> Answered {
    let mut payload = payload.into_inner();
    let timed_out = |_| Fault::new(Code::RequestTimeout, "the body did not arrive within 10 seconds");
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(&request, &mut payload)).await;
    let body = body.map_err(timed_out)?;
    let body = body.map_err(|_| Fault::new(Code::BodyTooLarge, "the body is too large, or it broke off"))?;
    let text = |(name, value): (&actix_web::http::header::HeaderName, &actix_web::http::header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers: Vec<(String, String)> = request.headers().iter().filter_map(text).collect();
    gateway.receive_test_event(&path, &headers, &body).await?;
    Ok(HttpResponse::NoContent().finish())
}
