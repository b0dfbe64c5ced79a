//! The audit log as a page.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use askama::Template;

use super::listing::{Asked, PER_PAGE, Pager, readable_json};
use super::shell::{Shell, Visitor, render};
use super::times::Moment;
use crate::gateway::Gateway;
use crate::problem::Answered;

struct Row {
    at: Moment,
    actor: String,
    is_self: bool,
    address: String,
    action: String,
    subject: String,
    mode: &'static str,
    before: String,
    after: String,
}

#[derive(Template)]
#[template(path = "audit_log.html")]
struct AuditPage {
    shell: Shell,
    rows: Vec<Row>,
    pager: Pager,
}

/// Who did what, newest first.
#[get("/console/audit")]
pub async fn page(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "audit");
    let page = gateway.audit_log(&visitor.scope, asked.owned("cursor"), PER_PAGE).await?;
    let json = |text: &Option<String>| text.as_deref().map(readable_json).unwrap_or_default();
    let rows = page.items.iter().map(|entry| Row {
        at: shell.time(&entry.created_at),
        is_self: entry.actor == visitor.scope.actor(),
        actor: entry.actor.clone(),
        address: entry.address.clone().unwrap_or_default(),
        action: entry.action.clone(),
        subject: entry.subject.clone().unwrap_or_default(),
        mode: entry.mode.map_or("", |mode| mode.as_str()),
        before: json(&entry.before),
        after: json(&entry.after),
    });
    render(&AuditPage { rows: rows.collect(), pager: asked.pager("/console/audit", page.next.as_deref()), shell })
}
