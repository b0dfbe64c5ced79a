//! Invoices in the console: the list with its filters, one with its payments, and the form that makes one.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde_json::{Value, json};

use super::forms::Pairs;
use super::listing::{Asked, Choice, PER_PAGE, Pager, address_of, app_choices, choices, method_choices, readable_json};
use super::payments::Row as PaymentRow;
use super::shell::{CheckedForm, Shell, Visitor, render, render_as, see_other};
use super::times::Moment;
use crate::domain::invoices::InvoiceStatus;
use crate::domain::money::{format_amount, parse_amount};
use crate::domain::secrets::random_hex;
use crate::error::{Fault, Outcome};
use crate::gateway::{AppName, Gateway, Invoice, InvoiceDetail, InvoiceFilter};
use crate::problem::Answered;

const PATH: &str = "/console/invoices";

/// Lines that the form has room for. The API takes more.
const LINES: usize = 6;

struct Row {
    path: String,
    number: String,
    app: String,
    amount: String,
    currency: &'static str,
    paid: String,
    status: &'static str,
    buyer: String,
    due: Option<Moment>,
    created: Moment,
}

impl Row {
    fn new(shell: &Shell, app: &str, invoice: &Invoice, paid_minor: i64) -> Self {
        Self {
            path: address_of(PATH, invoice.invoice_id.as_str()),
            number: invoice.number.clone(),
            app: app.to_owned(),
            amount: format_amount(invoice.amount_minor, invoice.currency),
            currency: invoice.currency.code(),
            paid: format_amount(paid_minor, invoice.currency),
            status: invoice.status.as_str(),
            buyer: invoice.external_user_id.clone(),
            due: invoice.due_at.as_ref().map(|due_at| shell.time(due_at)),
            created: shell.time(&invoice.created_at),
        }
    }
}

#[derive(Template)]
#[template(path = "invoices.html")]
struct InvoicesPage {
    shell: Shell,
    rows: Vec<Row>,
    has_apps: bool,
    is_plain: bool,
    search: String,
    apps: Vec<Choice>,
    statuses: Vec<Choice>,
    pager: Pager,
}

/// The invoices of all apps, newest first.
#[get("/console/invoices")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "invoices");
    let filter = InvoiceFilter {
        status: asked.text("status").and_then(InvoiceStatus::parse),
        external_user_id: asked.owned("customer"),
        external_id: None,
    };
    let listed = gateway
        .invoices_across(&visitor.scope, asked.owned("app"), filter, asked.owned("q"), asked.owned("cursor"), PER_PAGE)
        .await?;
    let paid = gateway.paid_of_invoices(&listed).await?;
    let rows = listed.page.items.iter().zip(paid);
    render(&InvoicesPage {
        rows: rows.map(|(row, paid)| Row::new(&shell, listed.app_name(&row.app_id), row, paid)).collect(),
        has_apps: listed.apps.iter().any(|app| app.archived_at.is_none()),
        is_plain: asked.is_plain(),
        search: asked.shown("q"),
        apps: app_choices(&listed.apps, asked.text("app")),
        statuses: choices(InvoiceStatus::ALL.map(InvoiceStatus::as_str), asked.text("status")),
        pager: asked.pager(PATH, listed.page.next.as_deref()),
        shell,
    })
}

struct Line {
    description: String,
    quantity: i64,
    unit: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "invoice.html")]
struct InvoicePage {
    shell: Shell,
    row: Row,
    id: String,
    nonce: String,
    email: String,
    external_id: String,
    methods: String,
    metadata: String,
    hosted_url: String,
    lines: Vec<Line>,
    payments: Vec<PaymentRow>,
    refunded: String,
    is_draft: bool,
    can_void: bool,
    updated: Moment,
}

/// One invoice with its payments.
#[get("/console/invoices/{invoice_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let notice = match Asked::of(&request).text("done") {
        Some("create") => Some("The invoice is made. Send its buyer the link to its page."),
        Some("finalize") => Some("The invoice is open: its buyer can pay it."),
        Some("void") => Some("The invoice is void. Nobody can pay it any more."),
        _ => None,
    };
    let shell = Shell::new(&visitor, "invoices").saying(notice);
    let found = gateway.invoice_across(&visitor.scope, &path).await?;
    render(&page_of(shell, found))
}

fn page_of(shell: Shell, found: InvoiceDetail) -> InvoicePage {
    let InvoiceDetail { invoice, app_name, lines, payments, hosted_url } = found;
    let money = |minor: i64| format_amount(minor, invoice.currency);
    let sum = |part: fn(&crate::gateway::Payment) -> i64| payments.iter().map(part).fold(0, i64::saturating_add);
    let methods: Vec<String> =
        invoice.methods.as_deref().and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    InvoicePage {
        row: Row::new(&shell, &app_name, &invoice, sum(|payment| payment.paid_minor)),
        id: invoice.invoice_id.to_string(),
        nonce: random_hex(12),
        email: invoice.email.clone().unwrap_or_default(),
        external_id: invoice.external_id.clone().unwrap_or_default(),
        methods: methods.join(", "),
        metadata: if invoice.metadata == "{}" { String::new() } else { readable_json(&invoice.metadata) },
        hosted_url,
        lines: lines
            .into_iter()
            .map(|line| Line {
                unit: money(line.unit_amount_minor),
                amount: money(line.amount_minor),
                description: line.description,
                quantity: line.quantity,
            })
            .collect(),
        refunded: money(sum(|payment| payment.refunded_minor)),
        payments: payments.iter().map(|payment| PaymentRow::new(&shell, &app_name, payment)).collect(),
        is_draft: shell.may_write && invoice.status == InvoiceStatus::Draft,
        can_void: shell.may_write && !matches!(invoice.status, InvoiceStatus::Paid | InvoiceStatus::Void),
        updated: shell.time(&invoice.updated_at),
        shell,
    }
}

/// A line of the form as it was typed.
struct TypedLine {
    number: usize,
    description: String,
    quantity: String,
    unit: String,
}

#[derive(Template)]
#[template(path = "invoice_form.html")]
struct FormPage {
    shell: Shell,
    nonce: String,
    apps: Vec<Choice>,
    currencies: Vec<&'static str>,
    methods: Vec<Choice>,
    typed: Pairs,
    lines: Vec<TypedLine>,
    refusal: Option<String>,
}

fn form_page(shell: Shell, apps: &[AppName], typed: Pairs, nonce: String, refusal: Option<String>) -> FormPage {
    let in_use: Vec<AppName> = apps.iter().filter(|app| app.archived_at.is_none()).cloned().collect();
    let line = |number: usize| TypedLine {
        number,
        description: typed.text(&format!("description_{number}")).to_owned(),
        quantity: typed.text(&format!("quantity_{number}")).to_owned(),
        unit: typed.text(&format!("unit_{number}")).to_owned(),
    };
    FormPage {
        lines: (1..=LINES).map(line).collect(),
        apps: app_choices(&in_use, Some(typed.text("app"))),
        currencies: Gateway::currencies(),
        methods: method_choices(&typed),
        nonce,
        typed,
        refusal,
        shell,
    }
}

/// The form that makes an invoice.
#[get("/console/invoices/new")]
pub async fn blank(gateway: Data<Gateway>, visitor: Visitor) -> Answered {
    visitor.scope.require_scope("payments:write")?;
    let shell = Shell::new(&visitor, "invoices");
    let apps = gateway.app_names(&visitor.scope).await?;
    render(&form_page(shell, &apps, Pairs::default(), random_hex(12), None))
}

/// Makes an invoice.
#[post("/console/invoices")]
pub async fn create(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let gateway = gateway.into_inner();
    let scope = &form.visitor.scope;
    let made = match body_of(&form.pairs) {
        Ok(body) => gateway.create_invoice_by_hand(scope, form.text("nonce"), form.text("app"), body).await,
        Err(fault) => Err(fault),
    };
    match made {
        Ok(answer) => {
            let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
            Ok(see_other(&format!("{}?done=create", address_of(PATH, told["invoice_id"].as_str().unwrap_or_default()))))
        }
        Err(fault) if matches!(fault.status(), 400 | 409 | 422) => {
            let shell = Shell::new(&form.visitor, "invoices");
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
    let mut body = typed.filled(&["external_user_id", "email", "external_id", "invoice_prefix", "return_url"]);
    let currency = typed.currency()?;
    body.insert("currency".to_owned(), currency.code().into());
    if let Some(methods) = typed.methods() {
        body.insert("methods".to_owned(), methods);
    }
    if typed.has("draft") {
        body.insert("draft".to_owned(), true.into());
    }
    if let Some(end) = typed.end_of_day("due")? {
        body.insert("due_at".to_owned(), end.to_rfc3339().into());
    }
    let mut lines = Vec::new();
    for number in 1..=LINES {
        let field = |name: &str| typed.text(&format!("{name}_{number}"));
        if ["description", "unit"].iter().all(|name| field(name).is_empty()) {
            continue;
        }
        let unit = parse_amount(field("unit"), currency).ok_or_else(|| {
            Fault::invalid(&format!("line {number}"), &format!("has no price in {}", currency.code()))
        })?;
        let quantity: i64 = match field("quantity") {
            "" => 1,
            text => text.parse().map_err(|_| Fault::invalid(&format!("line {number}"), "has no whole quantity"))?,
        };
        let description = field("description");
        lines.push(json!({ "description": description, "quantity": quantity, "unit_amount_minor": unit }));
    }
    if lines.is_empty() {
        return Err(Fault::invalid("lines", "are needed: one at least"));
    }
    body.insert("line_items".to_owned(), lines.into());
    Ok(Value::Object(body))
}

/// Opens a draft to its buyer.
#[post("/console/invoices/{invoice_id}/finalize")]
pub async fn finalize(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.into_inner().finalize_invoice_by_hand(&form.visitor.scope, form.text("nonce"), &path).await?;
    Ok(see_other(&format!("{}?done=finalize", address_of(PATH, &path))))
}

/// Gives an invoice up.
#[post("/console/invoices/{invoice_id}/void")]
pub async fn void(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.into_inner().void_invoice_by_hand(&form.visitor.scope, form.text("nonce"), &path).await?;
    Ok(see_other(&format!("{}?done=void", address_of(PATH, &path))))
}
