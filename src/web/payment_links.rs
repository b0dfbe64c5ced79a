//! Payment links in the console: the list, one with its payments, and the form that makes one.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde_json::Value;

use super::forms::Pairs;
use super::listing::{
    Asked, Choice, PER_PAGE, Pager, address_of, app_choices, choices, grouped, method_choices, readable_json,
};
use super::payments::Row as PaymentRow;
use super::shell::{CheckedForm, Shell, Visitor, render, render_as, see_other};
use super::times::Moment;
use crate::domain::money::{format_amount, parse_amount};
use crate::domain::payment_links::{LinkAmount, LinkStatus};
use crate::domain::secrets::random_hex;
use crate::error::{Fault, Outcome};
use crate::gateway::{AppName, Gateway, LinkDetail, PaymentLink};
use crate::problem::Answered;

const PATH: &str = "/console/payment-links";

struct Row {
    path: String,
    id: String,
    app: String,
    description: String,
    amount: String,
    currency: &'static str,
    status: &'static str,
    uses: String,
    expires: Option<Moment>,
    created: Moment,
}

impl Row {
    fn new(shell: &Shell, app: &str, link: &PaymentLink) -> Self {
        let money = |minor: i64| format_amount(minor, link.currency);
        Self {
            path: address_of(PATH, link.payment_link_id.as_str()),
            id: link.payment_link_id.to_string(),
            app: app.to_owned(),
            description: link.description.clone(),
            amount: match link.amount() {
                LinkAmount::Fixed(amount_minor) => money(amount_minor),
                LinkAmount::Chosen(least, most) => format!("{} to {}", money(least), money(most)),
            },
            currency: link.currency.code(),
            status: link.status.as_str(),
            uses: match link.uses_max {
                Some(most) => format!("{} of {}", grouped(link.uses), grouped(most)),
                None => grouped(link.uses),
            },
            expires: link.expires_at.as_ref().map(|expires_at| shell.time(expires_at)),
            created: shell.time(&link.created_at),
        }
    }
}

#[derive(Template)]
#[template(path = "payment_links.html")]
struct LinksPage {
    shell: Shell,
    rows: Vec<Row>,
    has_apps: bool,
    is_plain: bool,
    apps: Vec<Choice>,
    statuses: Vec<Choice>,
    pager: Pager,
}

/// The payment links of all apps, newest first.
#[get("/console/payment-links")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "payment-links");
    let status = asked.text("status").and_then(LinkStatus::parse);
    let listed = gateway
        .payment_links_across(&visitor.scope, asked.owned("app"), status, asked.owned("cursor"), PER_PAGE)
        .await?;
    render(&LinksPage {
        rows: listed.page.items.iter().map(|row| Row::new(&shell, listed.app_name(&row.app_id), row)).collect(),
        has_apps: listed.apps.iter().any(|app| app.archived_at.is_none()),
        is_plain: asked.is_plain(),
        apps: app_choices(&listed.apps, asked.text("app")),
        statuses: choices(LinkStatus::ALL.map(LinkStatus::as_str), asked.text("status")),
        pager: asked.pager(PATH, listed.page.next.as_deref()),
        shell,
    })
}

#[derive(Template)]
#[template(path = "payment_link.html")]
struct LinkPage {
    shell: Shell,
    row: Row,
    nonce: String,
    methods: String,
    metadata: String,
    hosted_url: String,
    reserved: String,
    payments: Vec<PaymentRow>,
    pager: Pager,
    can_close: bool,
}

/// One payment link with its payments.
#[get("/console/payment-links/{payment_link_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let notice = match asked.text("done") {
        Some("create") => Some("The payment link is made. Everybody who has it can pay by it."),
        Some("close") => Some("The payment link is closed. No payment begins by it any more."),
        _ => None,
    };
    let shell = Shell::new(&visitor, "payment-links").saying(notice);
    let found = gateway.payment_link_across(&visitor.scope, &path, asked.owned("cursor"), PER_PAGE).await?;
    let LinkDetail { mut link, status, app_name, payments, hosted_url } = found;
    link.status = status;
    let methods: Vec<String> =
        link.methods.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    render(&LinkPage {
        row: Row::new(&shell, &app_name, &link),
        nonce: random_hex(12),
        methods: methods.join(", "),
        metadata: if link.metadata == "{}" { String::new() } else { readable_json(&link.metadata) },
        hosted_url,
        reserved: grouped(link.reserved),
        payments: payments.items.iter().map(|payment| PaymentRow::new(&shell, &app_name, payment)).collect(),
        pager: asked.pager(&address_of(PATH, &path), payments.next.as_deref()),
        can_close: shell.may_write && status != LinkStatus::Closed,
        shell,
    })
}

#[derive(Template)]
#[template(path = "payment_link_form.html")]
struct FormPage {
    shell: Shell,
    nonce: String,
    apps: Vec<Choice>,
    currencies: Vec<&'static str>,
    methods: Vec<Choice>,
    typed: Pairs,
    refusal: Option<String>,
}

fn form_page(shell: Shell, apps: &[AppName], typed: Pairs, nonce: String, refusal: Option<String>) -> FormPage {
    let in_use: Vec<AppName> = apps.iter().filter(|app| app.archived_at.is_none()).cloned().collect();
    FormPage {
        apps: app_choices(&in_use, Some(typed.text("app"))),
        currencies: Gateway::currencies(),
        methods: method_choices(&typed),
        nonce,
        typed,
        refusal,
        shell,
    }
}

/// The form that makes a payment link.
#[get("/console/payment-links/new")]
pub async fn blank(gateway: Data<Gateway>, visitor: Visitor) -> Answered {
    visitor.scope.require_scope("payments:write")?;
    let shell = Shell::new(&visitor, "payment-links");
    let apps = gateway.app_names(&visitor.scope).await?;
    render(&form_page(shell, &apps, Pairs::default(), random_hex(12), None))
}

/// Makes a payment link.
#[post("/console/payment-links")]
pub async fn create(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let gateway = gateway.into_inner();
    let scope = &form.visitor.scope;
    let made = match body_of(&form.pairs) {
        Ok(body) => gateway.create_payment_link_by_hand(scope, form.text("nonce"), form.text("app"), body).await,
        Err(fault) => Err(fault),
    };
    match made {
        Ok(answer) => {
            let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            let id = told["payment_link_id"].as_str().unwrap_or_default();
            Ok(see_other(&format!("{}?done=create", address_of(PATH, id))))
        }
        Err(fault) if matches!(fault.status(), 400 | 409 | 422) => {
            let shell = Shell::new(&form.visitor, "payment-links");
            let apps = gateway.app_names(scope).await?;
            let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let page = form_page(shell, &apps, form.pairs.clone(), form.text("nonce").to_owned(), Some(fault.detail));
            render_as(status, &page)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// What the form asks for, as the API takes it.
fn body_of(typed: &Pairs) -> Outcome<Value> {
    let mut body = typed.filled(&["description", "return_url"]);
    let currency = typed.currency()?;
    body.insert("currency".to_owned(), currency.code().into());
    if let Some(methods) = typed.methods() {
        body.insert("methods".to_owned(), methods);
    }
    for (name, field) in [("amount_minor", "amount"), ("min_minor", "least"), ("max_minor", "most")] {
        if !typed.text(field).is_empty() {
            let unfit = || Fault::invalid(field, &format!("is no amount in {}", currency.code()));
            body.insert(name.to_owned(), parse_amount(typed.text(field), currency).ok_or_else(unfit)?.into());
        }
    }
    if !typed.text("uses_max").is_empty() {
        let uses: i64 = typed.text("uses_max").parse().map_err(|_| Fault::invalid("uses", "must be a whole number"))?;
        body.insert("uses_max".to_owned(), uses.into());
    }
    if let Some(end) = typed.end_of_day("until")? {
        body.insert("expires_at".to_owned(), end.to_rfc3339().into());
    }
    Ok(Value::Object(body))
}

/// Closes a payment link.
#[post("/console/payment-links/{payment_link_id}/close")]
pub async fn close(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.into_inner().close_payment_link_by_hand(&form.visitor.scope, form.text("nonce"), &path).await?;
    Ok(see_other(&format!("{}?done=close", address_of(PATH, &path))))
}
