//! Balances of the ledger: its customers, and one with the course of its balance and its deltas. One delta is in
//! `deltas`, what two sides believe in `comparing`.

use std::fmt::Write;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get};
use askama::Template;
use url::form_urlencoded::{Serializer, parse};

use super::charts::{Course, Step, course};
use super::decimals::{amount, change};
use super::deltas::DeltaRow;
use super::exports::document;
use super::listing::{Asked, PER_PAGE, Pager, grouped};
use super::shell::{Shell, Visitor, render};
use super::times::Moment;
use crate::domain::balances::Window;
use crate::domain::deltas::payment_account;
use crate::domain::fields::text_fault;
use crate::domain::money::Currency;
use crate::domain::plans::Period;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{AppName, CustomerStory, Gateway, LedgerCustomer, MOST_OF_A_RECEIPT};
use crate::problem::Answered;

const PATH: &str = "/console/balances";

/// The address of a customer's page. An id may hold any character; one that a browser would take for a step up the path
/// is told in the query.
pub(super) fn customer_path(customer_id: &str) -> String {
    if customer_id.bytes().all(|byte| byte == b'.') {
        return format!(
            "{PATH}/customer?{}",
            Serializer::new(String::new()).append_pair("customer", customer_id).finish()
        );
    }
    let mut path = format!("{PATH}/");
    for byte in customer_id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~:".contains(&byte) {
            path.push(char::from(byte));
        } else {
            // Writing to a text cannot fail.
            let _ = write!(path, "%{byte:02X}");
        }
    }
    path
}

/// A customer's id as the query has it, spaces and all.
pub(super) fn customer_asked(request: &HttpRequest) -> Option<String> {
    let found = parse(request.query_string().as_bytes()).find(|(name, _)| name == "customer");
    found.map(|(_, value)| value.into_owned()).filter(|id| !id.is_empty())
}

/// A customer's id that the ledger can have.
pub(super) fn checked(customer_id: String) -> Outcome<String> {
    match text_fault(&customer_id, 1, 400) {
        None => Ok(customer_id),
        Some(_) => Err(Fault::new(Code::NotFound, "the ledger has no such customer")),
    }
}

/// The month that is asked for, and what it means.
fn month_of(asked: &Asked) -> (Option<Period>, Window) {
    let month = asked.text("month").and_then(Period::parse);
    (month, month.map_or(Window::All, Window::Month))
}

/// A line for a terminal that emits a delta of a customer.
pub(super) fn curl_of(gateway: &Gateway, customer_id: &str) -> String {
    let body = serde_json::json!({ "customerId": customer_id });
    let body = body.to_string().replace('}', r#","delta":100,"reason":"top-up"}"#);
    format!(
        "curl {}/api/v1/balance/delta -H \"X-Api-Key: $KEY\" -H 'Content-Type: application/json' -d '{body}'",
        gateway.settings().base_url()
    )
}

/// A customer in a list.
struct Row {
    path: String,
    id: String,
    /// Who it is for people, if that is known: its own name, or a buyer and the app.
    name: String,
    balance: String,
    currency: &'static str,
    deltas: String,
    last: Option<Moment>,
}

/// What people call a customer: its name, or the buyer and the app of what payments are booked to.
fn name_of(customer: &LedgerCustomer, apps: &[AppName]) -> String {
    if let Some(name) = &customer.display_name {
        return name.clone();
    }
    let Some((app_id, _, buyer)) = payment_account(&customer.customer_id).filter(|_| customer.currency.is_some())
    else {
        return String::new();
    };
    match apps.iter().find(|app| app.app_id == app_id) {
        Some(app) => format!("{buyer} at {}", app.name),
        None => buyer.to_owned(),
    }
}

impl Row {
    fn new(shell: &Shell, apps: &[AppName], customer: &LedgerCustomer) -> Self {
        Self {
            path: customer_path(&customer.customer_id),
            id: customer.customer_id.clone(),
            name: name_of(customer, apps),
            balance: amount(customer.balance.decimal(), customer.currency),
            currency: customer.currency.map_or("", Currency::code),
            deltas: grouped(customer.deltas),
            last: customer.last_delta_at.as_ref().map(|at| shell.time(at)),
        }
    }
}

#[derive(Template)]
#[template(path = "balances.html")]
struct BalancesPage {
    shell: Shell,
    rows: Vec<Row>,
    search: String,
    is_plain: bool,
    curl: String,
    pager: Pager,
}

/// The ledger's customers in the order of their ids.
#[get("/console/balances")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shell = Shell::new(&visitor, "balances");
    let page = gateway.customers_of_ledger(&visitor.scope, asked.shown("q"), asked.owned("cursor"), PER_PAGE).await?;
    let apps = gateway.app_names(&visitor.scope).await?;
    render(&BalancesPage {
        rows: page.items.iter().map(|customer| Row::new(&shell, &apps, customer)).collect(),
        search: asked.shown("q"),
        is_plain: asked.is_plain(),
        curl: curl_of(&gateway, "acme"),
        pager: asked.pager(PATH, page.next.as_deref()),
        shell,
    })
}

/// The drawing of a balance's course, and its numbers.
struct Drawing {
    course: Course,
    high: String,
    low: String,
    from: Moment,
    to: Moment,
    is_sampled: bool,
    /// When, and the balance from then on.
    numbers: Vec<(Moment, String)>,
}

#[derive(Template)]
#[template(path = "balance.html")]
struct BalancePage {
    shell: Shell,
    row: Row,
    /// The payments of the buyer whose account it is.
    payments_path: Option<String>,
    month: String,
    count: String,
    has_deltas: bool,
    before: String,
    after: String,
    net_change: String,
    drawing: Option<Drawing>,
    deltas: Vec<DeltaRow>,
    receipt_path: Option<String>,
    checkpoints_path: String,
    compare_path: String,
    curl: String,
    pager: Pager,
}

fn with_query(path: &str, pairs: &[(&str, &str)]) -> String {
    let mut query = Serializer::new(String::new());
    for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    format!("{path}?{}", query.finish())
}

fn drawing_of(shell: &Shell, story: &CustomerStory, month: Option<Period>, now: Timestamp) -> Option<Drawing> {
    let currency = story.customer.currency;
    let (first, last) = (story.points.first()?, story.points.last()?);
    let (from, to) = match month {
        None => (first.at, last.at),
        Some(month) => (month.start(), month.end().min(now).max(last.at)),
    };
    let steps = story.points.iter().map(|point| Step {
        at: point.at.unix_micros(),
        value: point.balance,
        title: format!(
            "{}: {}",
            point.at.wall_clock(0).strftime("%Y-%m-%d %H:%M:%S UTC"),
            amount(point.balance, currency)
        ),
    });
    let course = course(story.before, steps.collect(), [from.unix_micros(), to.unix_micros()]);
    Some(Drawing {
        high: amount(course.high, currency),
        low: amount(course.low, currency),
        course,
        from: shell.time(&from),
        to: shell.time(&to),
        is_sampled: story.points.len() as i64 != story.count,
        numbers: story
            .points
            .iter()
            .rev()
            .map(|point| (shell.time(&point.at), amount(point.balance, currency)))
            .collect(),
    })
}

/// One customer.
#[get("/console/balances/{customer_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let customer_id = checked(customer_asked(&request).unwrap_or_else(|| path.into_inner()))?;
    let (month, window) = month_of(&asked);
    let before = asked.text("cursor").and_then(|cursor| cursor.parse().ok());
    let story = gateway.customer_story(&visitor.scope, customer_id.clone(), window, before, PER_PAGE).await?;
    let apps = gateway.app_names(&visitor.scope).await?;
    let shell = Shell::new(&visitor, "balances");
    let CustomerStory { customer, count, deltas, .. } = &story;
    let month_text = month.map_or_else(String::new, |month| month.to_string());
    let account = payment_account(&customer_id).filter(|_| customer.currency.is_some());
    let here = [("customer", customer_id.as_str()), ("month", month_text.as_str())];
    let own_path = customer_path(&customer_id);
    let path = own_path.split('?').next().unwrap_or_default();
    // A change that does not fit shows nothing rather than something wrong.
    let net_change = story.after.checked_sub(story.before).unwrap_or_default();
    let page = BalancePage {
        row: Row::new(&shell, &apps, customer),
        payments_path: account.map(|(app_id, _, buyer)| {
            with_query("/console/payments", &[("app", app_id.as_str()), ("customer", buyer)])
        }),
        count: grouped(*count),
        has_deltas: customer.deltas > 0,
        before: amount(story.before, customer.currency),
        after: amount(story.after, customer.currency),
        net_change: change(net_change, customer.currency),
        drawing: drawing_of(&shell, &story, month, gateway.now()),
        deltas: deltas.items.iter().map(|delta| DeltaRow::new(&shell, delta)).collect(),
        receipt_path: (1..=MOST_OF_A_RECEIPT).contains(count).then(|| with_query("/console/receipt", &here)),
        checkpoints_path: with_query("/console/checkpoints", &here[..1]),
        compare_path: with_query("/console/compare", &here),
        curl: curl_of(&gateway, &customer_id),
        pager: asked.pager(path, deltas.next.as_deref()),
        month: month_text,
        shell,
    };
    render(&page)
}

/// A customer's deltas with what proves them, as a file.
#[get("/console/receipt")]
pub async fn receipt(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let customer_id = checked(customer_asked(&request).unwrap_or_default())?;
    let (month, window) = month_of(&asked);
    let receipt = gateway.receipt(&visitor.scope, customer_id.clone(), window).await?;
    let month = month.map_or_else(String::new, |month| format!("-{month}"));
    Ok(document(&format!("receipt-{customer_id}{month}"), "json", "application/json", receipt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_a_customer_is_one_segment_whatever_its_id_holds() {
        assert_eq!(customer_path("a:b_c-1.x"), "/console/balances/a:b_c-1.x");
        assert_eq!(customer_path("a b/ü%2F?#+"), "/console/balances/a%20b%2F%C3%BC%252F%3F%23%2B");
        assert_eq!(customer_path(".."), "/console/balances/customer?customer=..");
    }
}
