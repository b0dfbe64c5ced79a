//! Checkpoints of the ledger: the list, signing one, and the files that others keep. Proofs with them are in `deltas` and
//! `balances`, checking them in `verify`.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use url::form_urlencoded::Serializer;

use super::balances::{curl_of, customer_asked, customer_path};
use super::decimals::change;
use super::exports::document;
use super::forms::FieldFaults;
use super::listing::{Asked, PER_PAGE, Pager, address_of, grouped};
use super::shell::{CheckedForm, Shell, Visitor, render_as, see_other};
use super::times::Moment;
use crate::domain::accounts::Role;
use crate::domain::balances::{WindowFault, WindowFields};
use crate::domain::deltas::payment_account;
use crate::domain::fields::text_fault;
use crate::domain::money::Currency;
use crate::error::{Fault, Outcome};
use crate::gateway::{CheckpointRow, CheckpointScope, Gateway};
use crate::problem::Answered;

const PATH: &str = "/console/checkpoints";

struct Row {
    id: String,
    path: String,
    /// Whose it is; everybody's if nobody's.
    customer: Option<(String, String)>,
    month: String,
    size: String,
    root: String,
    root_begins: String,
    net_change: String,
    currency: &'static str,
    created: Moment,
}

impl Row {
    fn new(shell: &Shell, checkpoint: &CheckpointRow) -> Self {
        let root = hex::encode(&checkpoint.root);
        let customer_id = checkpoint.customer_id.as_deref();
        let currency = customer_id.and_then(payment_account).map(|(_, currency, _)| currency);
        Self {
            id: checkpoint.checkpoint_id.to_string(),
            path: address_of(PATH, checkpoint.checkpoint_id.as_str()),
            customer: customer_id.map(|id| (customer_path(id), id.to_owned())),
            month: checkpoint.period.clone().unwrap_or_default(),
            size: grouped(checkpoint.size),
            root_begins: root.chars().take(12).collect(),
            root,
            net_change: change(checkpoint.net_change.decimal(), currency),
            currency: currency.map_or("", Currency::code),
            created: shell.time(&checkpoint.created_at),
        }
    }
}

#[derive(Template)]
#[template(path = "checkpoints.html")]
struct CheckpointsPage {
    shell: Shell,
    rows: Vec<Row>,
    /// Whose checkpoints are shown, if not all.
    customer: String,
    /// What the form holds.
    wanted: [String; 2],
    faults: FieldFaults,
    verifier_key: String,
    curl: String,
    pager: Pager,
}

fn notice(asked: &Asked) -> Option<&'static str> {
    (asked.text("done")? == "signed")
        .then_some("The checkpoint is below. Where nothing new was verified, it is the one that there was.")
}

/// The list of one customer's checkpoints, or of all.
fn list_path(customer_id: &str) -> String {
    match customer_id {
        "" => PATH.to_owned(),
        id => format!("{PATH}?{}", Serializer::new(String::new()).append_pair("customer", id).finish()),
    }
}

async fn page_of(
    gateway: &Gateway,
    visitor: &Visitor,
    asked: &Asked,
    customer: String,
    wanted: [String; 2],
    faults: FieldFaults,
) -> Outcome<CheckpointsPage> {
    let of = Some(customer.clone()).filter(|id| text_fault(id, 1, 400).is_none());
    let page = gateway.checkpoints(&visitor.scope, of, asked.owned("cursor"), PER_PAGE).await?;
    let shell = Shell::new(visitor, "checkpoints").saying(notice(asked));
    Ok(CheckpointsPage {
        rows: page.items.iter().map(|checkpoint| Row::new(&shell, checkpoint)).collect(),
        customer,
        wanted,
        faults,
        verifier_key: gateway.verifier_key(),
        curl: curl_of(gateway, "acme"),
        pager: asked.pager(PATH, page.next.as_deref()),
        shell,
    })
}

/// The checkpoints, newest first.
#[get("/console/checkpoints")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let customer = customer_asked(&request).unwrap_or_default();
    let wanted = [customer.clone(), String::new()];
    let page = page_of(&gateway, &visitor, &asked, customer, wanted, FieldFaults::default()).await?;
    render_as(StatusCode::OK, &page)
}

/// The scope that a form asks for.
fn scope_of(gateway: &Gateway, [customer, month]: &[String; 2]) -> Outcome<CheckpointScope> {
    let given = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
    if let Some(reason) = given(customer).and_then(|id| text_fault(&id, 1, 400)) {
        return Err(Fault::invalid("customer", &reason));
    }
    let fields = WindowFields { period: given(month), ..WindowFields::default() };
    let window = fields.window(gateway.now()).map_err(|fault| match fault {
        WindowFault::Invalid(_, reason) | WindowFault::Combination(reason) => Fault::invalid("month", reason),
        WindowFault::TooWide => Fault::invalid("month", "is too long"),
    })?;
    Ok(CheckpointScope { customer_id: given(customer), window })
}

/// Signs the root over a scope.
#[post("/console/checkpoints")]
pub async fn create(gateway: Data<Gateway>, form: CheckedForm, request: HttpRequest) -> Answered {
    let scope = &form.visitor.scope;
    scope.require_role(Role::Developer)?;
    let wanted = [form.raw("customer").to_owned(), form.text("month").to_owned()];
    let made = match scope_of(&gateway, &wanted) {
        Ok(of) => gateway.sign_checkpoint(scope, of).await,
        Err(fault) => Err(fault),
    };
    let fault = match made {
        Ok(checkpoint) => {
            let back = list_path(&wanted[0]);
            let join = if back.contains('?') { '&' } else { '?' };
            return Ok(see_other(&format!("{back}{join}done=signed#{}", checkpoint.checkpoint_id)));
        }
        Err(fault) if [400, 404].contains(&fault.status()) => fault,
        Err(fault) => return Err(fault.into()),
    };
    // What is not there is said at the customer's field.
    let named = if fault.status() == 404 { Fault::invalid("customer", &fault.detail) } else { fault.clone() };
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let asked = Asked::of(&request);
    let page = page_of(&gateway, &form.visitor, &asked, String::new(), wanted, FieldFaults::of(&named)).await?;
    render_as(status, &page)
}

/// A checkpoint as the API tells it, as a file.
#[get("/console/checkpoints/{checkpoint_id}/json")]
pub async fn document_of(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>) -> Answered {
    let body = gateway.checkpoint_document(&visitor.scope, &path).await?;
    Ok(document(&format!("checkpoint-{path}"), "json", "application/json", body))
}

/// The signed note of a checkpoint alone, as a file.
#[get("/console/checkpoints/{checkpoint_id}/note")]
pub async fn note(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>) -> Answered {
    let checkpoint = gateway.checkpoint(&visitor.scope, &path).await?;
    Ok(document(&format!("checkpoint-{path}"), "note.txt", "text/plain; charset=utf-8", checkpoint.note))
}
