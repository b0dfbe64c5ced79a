//! Payments: the list with its filters and its search, one with its story, and what a person does with it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::deltas::DeltaRow;
use super::listing::{Asked, Choice, PER_PAGE, Pager, address_of, app_choices, choices, grouped, readable_json};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::money::{Currency, format_amount, parse_amount, plain_amount};
use crate::domain::origins::Origin;
use crate::domain::payments::PaymentStatus;
use crate::domain::secrets::random_hex;
use crate::error::Fault;
use crate::gateway::{Gateway, Listed, Payment, PaymentDetail, PaymentQuery};
use crate::problem::Answered;

const PATH: &str = "/console/payments";

/// A payment in a list.
pub(super) struct Row {
    pub path: String,
    pub id: String,
    pub app: String,
    pub amount: String,
    pub currency: &'static str,
    pub status: &'static str,
    pub method: String,
    pub provider: String,
    pub buyer: String,
    pub invoice: String,
    pub created: Moment,
    pub needs_attention: bool,
}

impl Row {
    pub(super) fn new(shell: &Shell, app: &str, payment: &Payment) -> Self {
        Self {
            path: address_of(PATH, payment.payment_id.as_str()),
            id: payment.payment_id.to_string(),
            app: app.to_owned(),
            amount: format_amount(payment.amount_minor, payment.currency),
            currency: payment.currency.code(),
            status: payment.status.as_str(),
            method: payment.method.clone(),
            provider: payment.provider.clone(),
            buyer: payment.external_user_id.clone(),
            invoice: payment.invoice_number.clone(),
            created: shell.time(&payment.created_at),
            needs_attention: payment.needs_attention,
        }
    }
}

#[derive(Template)]
#[template(path = "payments.html")]
struct PaymentsPage {
    shell: Shell,
    rows: Vec<Row>,
    has_apps: bool,
    has_many_apps: bool,
    is_plain: bool,
    /// How many there are, where that is known.
    total: Option<String>,
    /// The same as a number.
    row_count: i64,
    search: String,
    from: String,
    to: String,
    apps: Vec<Choice>,
    statuses: Vec<Choice>,
    methods: Vec<Choice>,
    currency: &'static str,
    currencies: Vec<&'static str>,
    only_attention: bool,
    pager: Pager,
    export: String,
}

fn currency_of(asked: &Asked) -> Option<Currency> {
    asked.text("currency").and_then(|code| Currency::parse(&code.to_uppercase()))
}

/// Which payments an address asks for.
pub(super) fn query_of(asked: &Asked) -> PaymentQuery {
    PaymentQuery {
        app_id: asked.owned("app"),
        status: asked.text("status").and_then(PaymentStatus::parse),
        method: asked.owned("method"),
        currency: currency_of(asked),
        provider: asked.owned("provider"),
        external_user_id: asked.owned("customer"),
        created_from: asked.day("from"),
        created_to: asked.day("to"),
        needs_attention: asked.text("attention").is_some(),
        search: asked.owned("q"),
    }
}

/// The payments of all apps, newest first.
#[get("/console/payments")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "payments");
    let query = query_of(&asked);
    let total = gateway.count_payments(&visitor.scope, &query).await?;
    let listed: Listed<Payment> =
        gateway.payments_across(&visitor.scope, query, asked.owned("cursor"), PER_PAGE).await?;
    render(&PaymentsPage {
        rows: listed.page.items.iter().map(|row| Row::new(&shell, listed.app_name(&row.app_id), row)).collect(),
        has_apps: !listed.apps.is_empty(),
        has_many_apps: listed.apps.len() > 1,
        is_plain: asked.is_plain(),
        total: total.map(grouped),
        row_count: total.unwrap_or(-1),
        search: asked.shown("q"),
        from: asked.day("from").map_or_else(String::new, |_| asked.shown("from")),
        to: asked.day("to").map_or_else(String::new, |_| asked.shown("to")),
        apps: app_choices(&listed.apps, asked.text("app")),
        statuses: choices(PaymentStatus::ALL.map(PaymentStatus::as_str), asked.text("status")),
        methods: choices(Gateway::methods(), asked.text("method")),
        currency: currency_of(&asked).map_or("", Currency::code),
        currencies: Gateway::currencies(),
        only_attention: asked.text("attention").is_some(),
        pager: asked.pager(PATH, listed.page.next.as_deref()),
        export: asked.address("/console/payments.csv", None),
        shell,
    })
}

/// Something that happened.
struct Entry {
    at: Moment,
    kind: &'static str,
    summary: String,
    detail: String,
}

struct RefundRow {
    id: String,
    amount: String,
    status: String,
    reason: String,
    created: Moment,
}

struct EventRow {
    path: String,
    event_type: String,
    at: Moment,
    deliveries: Vec<(String, i32)>,
}

struct AttemptRow {
    provider: String,
    state: &'static str,
    reference: String,
    error: String,
    at: Moment,
}

#[derive(Template)]
#[template(path = "payment.html")]
struct PaymentPage {
    shell: Shell,
    row: Row,
    nonce: String,
    customer_path: String,
    /// The invoice or the payment link that it was begun for.
    origin: Option<(&'static str, String)>,
    email: String,
    description: String,
    provider_ref: String,
    fallback: String,
    last_error: String,
    metadata: String,
    paid: String,
    refunded: String,
    left: String,
    left_plain: String,
    can_refund: bool,
    can_cancel: bool,
    can_resolve: bool,
    /// When it last changed, for a form that is about what is seen here.
    seen: i64,
    is_open: bool,
    checkout_url: String,
    expires: Moment,
    updated: Moment,
    attempts: Vec<AttemptRow>,
    refunds: Vec<RefundRow>,
    events: Vec<EventRow>,
    deltas: Vec<DeltaRow>,
    timeline: Vec<Entry>,
}

fn notice(asked: &Asked) -> Option<&'static str> {
    match asked.text("done")? {
        "refund" => Some("The refund was asked for. What has become of it is under Refunds."),
        "cancel" => Some("The payment is canceled."),
        "resolved" => Some("Nobody is needed any more. Your note is in the timeline and in the audit log."),
        "resend" => Some("The event is on its way again."),
        _ => None,
    }
}

/// One payment with all that is known of it.
#[get("/console/payments/{payment_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let shell = Shell::new(&visitor, "payments").saying(notice(&Asked::of(&request)));
    let found = gateway.payment_across(&visitor.scope, &path).await?;
    render(&page_of(shell, found))
}

fn page_of(shell: Shell, found: PaymentDetail) -> PaymentPage {
    let PaymentDetail {
        payment,
        app_name,
        attempts,
        refunds,
        events,
        deliveries,
        deltas,
        timeline,
        left_minor,
        checkout_url,
    } = found;
    let currency = payment.currency;
    let is_open = payment.status == PaymentStatus::Initiated;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let customer = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("app", payment.app_id.as_str())
        .append_pair("customer", &payment.external_user_id)
        .finish();
    PaymentPage {
        row: Row::new(&shell, &app_name, &payment),
        nonce: random_hex(12),
        customer_path: format!("{PATH}?{customer}"),
        origin: payment.origin.as_deref().and_then(Origin::parse).map(|origin| match origin {
            Origin::Invoice(invoice_id) => ("Its invoice", address_of("/console/invoices", invoice_id.as_str())),
            Origin::Link(link_id) => ("Its payment link", address_of("/console/payment-links", link_id.as_str())),
        }),
        email: text(&payment.email),
        description: text(&payment.description),
        provider_ref: text(&payment.provider_ref),
        fallback: match (&payment.fallback_wanted, &payment.fallback_reason) {
            (Some(wanted), reason) => format!("instead of {wanted}: {}", text(reason)),
            _ => String::new(),
        },
        last_error: payment.last_error.clone(),
        metadata: if payment.metadata == "{}" { String::new() } else { readable_json(&payment.metadata) },
        paid: format_amount(payment.paid_minor, currency),
        refunded: format_amount(payment.refunded_minor, currency),
        left: format_amount(left_minor, currency),
        left_plain: plain_amount(left_minor, currency),
        can_refund: shell.may_write && left_minor > 0,
        can_cancel: shell.may_write && is_open,
        can_resolve: shell.may_write && payment.needs_attention,
        seen: payment.updated_at.unix_micros(),
        is_open,
        checkout_url,
        expires: shell.time(&payment.expires_at),
        updated: shell.time(&payment.updated_at),
        attempts: attempts
            .iter()
            .map(|attempt| AttemptRow {
                provider: attempt.provider.clone(),
                state: attempt.state.as_str(),
                reference: text(&attempt.provider_ref),
                error: text(&attempt.error),
                at: shell.time(&attempt.created_at),
            })
            .collect(),
        refunds: refunds
            .iter()
            .map(|refund| RefundRow {
                id: refund.refund_id.to_string(),
                amount: format_amount(refund.amount_minor, refund.currency),
                status: refund.status.clone(),
                reason: text(&refund.reason),
                created: shell.time(&refund.created_at),
            })
            .collect(),
        events: events
            .iter()
            .map(|event| EventRow {
                path: address_of("/console/events", event.event_id.as_str()),
                event_type: event.event_type.clone(),
                at: shell.time(&event.created_at),
                deliveries: deliveries
                    .iter()
                    .filter(|delivery| delivery.event_id == event.event_id)
                    .map(|delivery| (delivery.state.clone(), delivery.attempts))
                    .collect(),
            })
            .collect(),
        deltas: deltas.iter().map(|delta| DeltaRow::new(&shell, delta)).collect(),
        timeline: timeline
            .into_iter()
            .map(|entry| Entry {
                at: shell.time(&entry.at),
                kind: entry.kind,
                summary: entry.summary,
                detail: serde_json::to_string_pretty(&entry.detail).unwrap_or_default(),
            })
            .collect(),
        shell,
    }
}

/// Gives money back.
#[post("/console/payments/{payment_id}/refund")]
pub async fn give_back(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    let payment = gateway.payment_across(scope, &path).await?.payment;
    let amount = match form.text("amount") {
        "" => None,
        text => {
            let unfit = || Fault::invalid("amount", &format!("is no amount in {}", payment.currency.code()));
            Some(parse_amount(text, payment.currency).filter(|minor| *minor > 0).ok_or_else(unfit)?)
        }
    };
    let reason = Some(form.text("reason").to_owned()).filter(|reason| !reason.is_empty());
    gateway.refund_by_hand(scope, form.text("nonce"), &path, amount, reason).await?;
    Ok(see_other(&format!("{}?done=refund", address_of(PATH, &path))))
}

/// Gives a payment up.
#[post("/console/payments/{payment_id}/cancel")]
pub async fn give_up(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.cancel_payment_by_hand(&form.visitor.scope, form.text("nonce"), &path).await?;
    Ok(see_other(&format!("{}?done=cancel", address_of(PATH, &path))))
}

/// Says that nobody is needed any more, and why.
#[post("/console/payments/{payment_id}/resolve")]
pub async fn resolve(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    // A page of ours always says when.
    let seen = form.text("seen").parse().unwrap_or(0);
    gateway.resolve_attention(&form.visitor.scope, &path, seen, form.text("note")).await?;
    Ok(see_other(&format!("{}?done=resolved", address_of(PATH, &path))))
}
