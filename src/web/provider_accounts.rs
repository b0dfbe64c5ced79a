//! The tenant's own accounts at providers. The form is drawn from what each provider wants to know; what was typed goes
//! in and never comes out.

use std::collections::BTreeMap;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::listing::{Asked, address_of};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::secrets::Secret;
use crate::error::Fault;
use crate::gateway::{AccountOptions, Gateway, ProviderForm, provider_title};
use crate::problem::Answered;

const PATH: &str = "/console/providers";

struct Row {
    path: String,
    id: String,
    title: String,
    webhook: String,
    archived: Option<Moment>,
    created: Moment,
}

#[derive(Template)]
#[template(path = "provider_accounts.html")]
struct AccountsPage {
    shell: Shell,
    rows: Vec<Row>,
    forms: Vec<ProviderForm>,
}

/// The accounts of the mode, and a form for each provider.
#[get("/console/providers")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let notice = match Asked::of(&request).text("done") {
        Some("add") => Some("The account is in use for new payments. Tell the provider where its webhooks go."),
        Some("archive") => Some("The account takes no new payments. Those that began with it end with it."),
        _ => None,
    };
    let shell = Shell::new(&visitor, "providers").saying(notice);
    let base_url = gateway.settings().base_url();
    let mode = visitor.scope.mode;
    let accounts = gateway.list_provider_accounts_of(&visitor.scope).await?;
    let rows = accounts.into_iter().rev().map(|account| Row {
        path: address_of(PATH, account.account_id.as_str()),
        title: provider_title(&account.provider).unwrap_or(&account.provider).to_owned(),
        webhook: format!("{base_url}/webhooks/{}/{mode}/{}", account.provider, account.account_id),
        id: account.account_id.to_string(),
        archived: account.archived_at.as_ref().map(|at| shell.time(at)),
        created: shell.time(&account.created_at),
    });
    render(&AccountsPage { rows: rows.collect(), forms: Gateway::provider_forms(mode), shell })
}

/// Adds an account, in the place of the one that is in use.
#[post("/console/providers")]
pub async fn add(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    let provider = form.text("provider").to_owned();
    let wanted = Gateway::provider_forms(scope.mode).into_iter().find(|offered| offered.name == provider);
    let fields = wanted.map(|offered| offered.fields).unwrap_or_default();
    let given = fields.iter().filter(|field| !form.text(field.name).is_empty());
    let credentials: BTreeMap<String, Secret> =
        given.map(|field| (field.name.to_owned(), Secret::new(form.text(field.name).to_owned()))).collect();
    let options = AccountOptions { provider, mode: scope.mode, base_url: None, credentials };
    let told = |fault: Fault| match fault.messages.as_slice() {
        [] => fault,
        messages => Fault { detail: messages.join("; "), messages: Vec::new(), ..fault },
    };
    gateway.add_provider_account_of(scope, options).await.map_err(told)?;
    Ok(see_other("/console/providers?done=add"))
}

/// Takes an account out of use.
#[post("/console/providers/{account_id}/archive")]
pub async fn archive(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.archive_provider_account_of(&form.visitor.scope, &path).await?;
    Ok(see_other("/console/providers?done=archive"))
}
