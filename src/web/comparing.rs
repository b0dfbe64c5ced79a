//! Whether two sides agree on a balance: a form that says of each by how much it is off. It changes nothing, so what it
//! asks is in its address.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use askama::Template;

use super::balances::{customer_asked, customer_path};
use super::decimals::{amount, change, read};
use super::forms::FieldFaults;
use super::listing::{Asked, grouped};
use super::shell::{Shell, Visitor, render_as};
use crate::domain::balances::{WindowFault, WindowFields};
use crate::domain::decimals::Decimal;
use crate::domain::fields::{Invalid, text_fault};
use crate::domain::money::Currency;
use crate::error::{Fault, Outcome};
use crate::gateway::{Compared, Comparison, Gateway};
use crate::problem::Answered;

/// One side of a comparison.
struct Side {
    name: &'static str,
    balance: String,
    is_right: bool,
    /// By how much it is off, with its sign.
    off: String,
}

/// What came of a comparison.
struct Shown {
    /// Who is off and by how much.
    verdict: String,
    is_good: bool,
    neutral: String,
    starting: String,
    count: String,
    has_none: bool,
    currency: &'static str,
    customer_path: Option<String>,
    sides: [Side; 2],
}

#[derive(Template)]
#[template(path = "compare.html")]
struct ComparePage {
    shell: Shell,
    customer: String,
    yours: String,
    theirs: String,
    start: String,
    month: String,
    faults: FieldFaults,
    shown: Option<Shown>,
}

/// How a side stands to the ledger, after "you" or "they".
fn standing(off: Decimal, currency: Option<Currency>) -> String {
    let size = Decimal::ZERO.checked_sub(off).filter(|negated| *negated > Decimal::ZERO).unwrap_or(off);
    let unit = currency.map_or_else(String::new, |currency| format!(" {}", currency.code()));
    let way = if off > Decimal::ZERO { "too much" } else { "too little" };
    format!("have {}{unit} {way}", amount(size, currency))
}

fn verdict(compared: &Compared) -> String {
    let of = |off| standing(off, compared.currency);
    let (yours, theirs) = (of(compared.your_discrepancy), of(compared.their_discrepancy));
    match (compared.matches_yours, compared.matches_theirs) {
        (true, true) => "You agree: both of you have what the ledger has.".to_owned(),
        (true, false) => format!("They are off: they {theirs}. You have what the ledger has."),
        (false, true) => format!("You are off: you {yours}. They have what the ledger has."),
        (false, false) if compared.your_balance == compared.their_balance => {
            format!("You agree with each other, and both of you are off: you {yours}.")
        }
        (false, false) => format!("Both of you are off: you {yours}, they {theirs}."),
    }
}

impl Shown {
    fn new(compared: &Compared) -> Self {
        let currency = compared.currency;
        let side = |name, balance, is_right, off| Side {
            name,
            balance: amount(balance, currency),
            is_right,
            off: change(off, currency),
        };
        Self {
            verdict: verdict(compared),
            is_good: compared.matches,
            neutral: amount(compared.neutral_balance, currency),
            starting: amount(compared.starting_balance, currency),
            count: grouped(compared.deltas_count),
            has_none: compared.deltas_count == 0,
            currency: currency.map_or("", Currency::code),
            customer_path: compared.customer_id.as_deref().map(customer_path),
            sides: [
                side("You", compared.your_balance, compared.matches_yours, compared.your_discrepancy),
                side("They", compared.their_balance, compared.matches_theirs, compared.their_discrepancy),
            ],
        }
    }
}

/// What the fields ask, or everything that is wrong with them.
fn comparison(gateway: &Gateway, customer_id: Option<String>, asked: &Asked) -> Outcome<Comparison> {
    let mut messages = Vec::new();
    let mut number = |name: &str, is_needed: bool| match asked.text(name) {
        Some(text) => read(text).or_else(|| {
            messages.push(format!("{name}: must be a number with at most 6 decimal places, as 1,234.5"));
            None
        }),
        None => {
            if is_needed {
                messages.push(format!("{name}: missing"));
            }
            None
        }
    };
    let (yours, theirs) = (number("yours", true), number("theirs", true));
    let starting_balance = number("start", false).unwrap_or_default();
    if let Some(reason) = customer_id.as_deref().and_then(|id| text_fault(id, 1, 400)) {
        messages.push(format!("customer: {reason}"));
    }
    let period = WindowFields { period: asked.owned("month"), ..WindowFields::default() };
    let window = period.window(gateway.now());
    match (yours, theirs, window) {
        (Some(yours), Some(theirs), Ok(window)) if messages.is_empty() => Ok(Comparison {
            customer_id,
            yours,
            theirs,
            starting_balance,
            window,
            your_deltas: None,
            their_deltas: None,
        }),
        (_, _, window) => {
            if let Err(WindowFault::Invalid(_, reason)) = window {
                messages.push(format!("month: {reason}"));
            }
            let fault = Fault::from(Invalid::one("comparison", "is not as it must be"));
            Err(Fault { messages, ..fault })
        }
    }
}

/// The form, and what came of what it asks.
#[get("/console/compare")]
pub async fn page(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let customer_id = customer_asked(&request);
    let mut page = ComparePage {
        shell: Shell::new(&visitor, "balances"),
        customer: customer_id.clone().unwrap_or_default(),
        yours: asked.shown("yours"),
        theirs: asked.shown("theirs"),
        start: asked.shown("start"),
        month: asked.shown("month"),
        faults: FieldFaults::default(),
        shown: None,
    };
    // A link may fill in the customer and the month.
    if !["yours", "theirs", "start"].iter().any(|name| request.query_string().contains(&format!("{name}="))) {
        return render_as(StatusCode::OK, &page);
    }
    let compared = match comparison(&gateway, customer_id, &asked) {
        Ok(comparison) => gateway.compared_balances(&visitor.scope, comparison).await,
        Err(fault) => Err(fault),
    };
    match compared {
        Ok(compared) => page.shown = Some(Shown::new(&compared)),
        Err(fault) if fault.status() == 400 => page.faults = FieldFaults::of(&fault),
        Err(fault) => return Err(fault.into()),
    }
    let status = if page.shown.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    render_as(status, &page)
}
