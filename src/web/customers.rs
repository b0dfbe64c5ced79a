//! The buyers of an app, under the product's own ids. The same buyer at two apps, or in two modes, is two.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use askama::Template;
use url::form_urlencoded::Serializer;

use super::listing::{Asked, Choice, PER_PAGE, Pager, app_choices};
use super::shell::{Shell, Visitor, render};
use super::times::Moment;
use crate::gateway::Gateway;
use crate::problem::Answered;

struct Row {
    id: String,
    payments_path: String,
    email: String,
    name: String,
    kyc_status: &'static str,
    created: Moment,
    updated: Moment,
}

#[derive(Template)]
#[template(path = "customers.html")]
struct CustomersPage {
    shell: Shell,
    rows: Vec<Row>,
    apps: Vec<Choice>,
    search: String,
    pager: Pager,
}

/// The buyers of one app, in the order of their ids.
#[get("/console/customers")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "customers");
    let (app, only, cursor) = (asked.owned("app"), asked.owned("q"), asked.owned("cursor"));
    let listed = gateway.customers_across(&visitor.scope, app, only, cursor, PER_PAGE).await?;
    let payments_path = |app: &str, buyer: &str| {
        let query = Serializer::new(String::new()).append_pair("app", app).append_pair("customer", buyer).finish();
        format!("/console/payments?{query}")
    };
    let rows = listed.page.items.iter().map(|customer| Row {
        id: customer.external_user_id.clone(),
        payments_path: payments_path(customer.app_id.as_str(), &customer.external_user_id),
        email: customer.email.clone().unwrap_or_default(),
        name: customer.name.clone().unwrap_or_default(),
        kyc_status: customer.kyc_status.as_str(),
        created: shell.time(&customer.created_at),
        updated: shell.time(&customer.updated_at),
    });
    let in_use = listed.apps.iter().find(|app| app.archived_at.is_none()).or(listed.apps.first());
    let shown = asked.text("app").or(in_use.map(|app| app.app_id.as_str()));
    render(&CustomersPage {
        rows: rows.collect(),
        apps: app_choices(&listed.apps, shown),
        search: asked.shown("q"),
        pager: asked.pager("/console/customers", listed.page.next.as_deref()),
        shell,
    })
}
