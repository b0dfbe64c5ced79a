//! Subscriptions of all apps, and ending one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::listing::{Asked, Choice, PER_PAGE, Pager, address_of, app_choices, choices};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::secrets::random_hex;
use crate::domain::subscriptions::SubscriptionStatus;
use crate::gateway::Gateway;
use crate::problem::Answered;

struct Row {
    id: String,
    path: String,
    payment_path: String,
    app: String,
    buyer: String,
    provider: String,
    status: &'static str,
    period_end: Option<Moment>,
    ends_with_period: bool,
    is_open: bool,
    created: Moment,
}

#[derive(Template)]
#[template(path = "subscriptions.html")]
struct SubscriptionsPage {
    shell: Shell,
    rows: Vec<Row>,
    nonce: String,
    apps: Vec<Choice>,
    statuses: Vec<Choice>,
    is_plain: bool,
    pager: Pager,
}

/// The subscriptions, newest first.
#[get("/console/subscriptions")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let notice = asked.text("done").map(|_| "The provider has been told. The subscription shows what it said.");
    let shell = Shell::new(&visitor, "subscriptions").saying(notice);
    let status = asked.text("status").and_then(SubscriptionStatus::parse);
    let listed = gateway
        .subscriptions_across(&visitor.scope, asked.owned("app"), status, asked.owned("cursor"), PER_PAGE)
        .await?;
    let rows = listed.page.items.iter().map(|row| Row {
        id: row.subscription_id.to_string(),
        path: address_of("/console/subscriptions", row.subscription_id.as_str()),
        payment_path: address_of("/console/payments", row.payment_id.as_str()),
        app: listed.app_name(&row.app_id).to_owned(),
        buyer: row.external_user_id.clone(),
        provider: row.provider.clone(),
        status: row.status.as_str(),
        period_end: row.current_period_end.as_ref().map(|end| shell.time(end)),
        ends_with_period: row.cancel_at_period_end,
        is_open: row.status != SubscriptionStatus::Ended,
        created: shell.time(&row.created_at),
    });
    render(&SubscriptionsPage {
        rows: rows.collect(),
        nonce: random_hex(12),
        apps: app_choices(&listed.apps, asked.text("app")),
        statuses: choices(["incomplete", "active", "past_due", "ended"], asked.text("status")),
        is_plain: asked.is_plain(),
        pager: asked.pager("/console/subscriptions", listed.page.next.as_deref()),
        shell,
    })
}

/// Ends a subscription, now or with what is paid for.
#[post("/console/subscriptions/{subscription_id}/cancel")]
pub async fn cancel(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let at_period_end = form.text("when") != "now";
    gateway.cancel_subscription_by_hand(&form.visitor.scope, form.text("nonce"), &path, at_period_end).await?;
    Ok(see_other("/console/subscriptions?done=cancel"))
}
