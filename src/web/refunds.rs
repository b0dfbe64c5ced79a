//! Refunds of all apps. One is given at its payment's page.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use askama::Template;

use super::listing::{Asked, Choice, PER_PAGE, Pager, address_of, app_choices};
use super::shell::{Shell, Visitor, render};
use super::times::Moment;
use crate::domain::money::format_amount;
use crate::gateway::Gateway;
use crate::problem::Answered;

struct Row {
    id: String,
    payment: String,
    payment_path: String,
    app: String,
    amount: String,
    status: String,
    reason: String,
    created: Moment,
}

#[derive(Template)]
#[template(path = "refunds.html")]
struct RefundsPage {
    shell: Shell,
    rows: Vec<Row>,
    apps: Vec<Choice>,
    is_plain: bool,
    pager: Pager,
}

/// The refunds, newest first.
#[get("/console/refunds")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "refunds");
    let listed = gateway.refunds_across(&visitor.scope, asked.owned("app"), asked.owned("cursor"), PER_PAGE).await?;
    let rows = listed.page.items.iter().map(|refund| Row {
        id: refund.refund_id.to_string(),
        payment: refund.payment_id.to_string(),
        payment_path: address_of("/console/payments", refund.payment_id.as_str()),
        app: listed.app_name(&refund.app_id).to_owned(),
        amount: format_amount(refund.amount_minor, refund.currency),
        status: refund.status.clone(),
        reason: refund.reason.clone().unwrap_or_default(),
        created: shell.time(&refund.created_at),
    });
    render(&RefundsPage {
        rows: rows.collect(),
        apps: app_choices(&listed.apps, asked.text("app")),
        is_plain: asked.is_plain(),
        pager: asked.pager("/console/refunds", listed.page.next.as_deref()),
        shell,
    })
}
