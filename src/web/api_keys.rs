//! API keys for machines: made, rotated, switched off and on, deleted. A key is shown once, on the page that answers the
//! form. The keys of apps, which sign requests, are with the apps.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde_json::json;

use super::listing::{Asked, PER_PAGE, Pager, address_of};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::api_keys::SCOPES;
use crate::error::Fault;
use crate::gateway::{Gateway, IssuedKey, KeyChange, KeyDraft, read_overlap};
use crate::problem::Answered;

const PATH: &str = "/console/api-keys";

struct Row {
    path: String,
    name: String,
    public_key: String,
    scopes: String,
    limit: String,
    is_disabled: bool,
    old_until: Option<Moment>,
    last_used: Option<Moment>,
    created: Moment,
}

#[derive(Template)]
#[template(path = "api_keys.html")]
struct KeysPage {
    shell: Shell,
    rows: Vec<Row>,
    scopes: [&'static str; 9],
    pager: Pager,
}

/// The keys of the mode.
#[get("/console/api-keys")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let notice = match asked.text("done") {
        Some("on") => Some("The key works again."),
        Some("off") => Some("The key is switched off."),
        Some("delete") => Some("The key is deleted."),
        _ => None,
    };
    let shell = Shell::new(&visitor, "api-keys").saying(notice);
    let page = gateway.list_api_keys(&visitor.scope, asked.owned("cursor"), PER_PAGE).await?;
    let now = gateway.now();
    let rows = page.items.into_iter().map(|key| Row {
        path: address_of(PATH, key.key_id.as_str()),
        name: key.name,
        public_key: key.public_key,
        scopes: key.scopes.replace(',', ", "),
        limit: key.requests_per_minute.map_or_else(String::new, |limit| format!("{limit} a minute")),
        is_disabled: key.disabled_at.is_some(),
        old_until: key.previous_secret_until.filter(|until| *until > now).map(|until| shell.time(&until)),
        last_used: key.last_used_at.map(|at| shell.time(&at)),
        created: shell.time(&key.created_at),
    });
    render(&KeysPage { rows: rows.collect(), scopes: SCOPES, pager: asked.pager(PATH, page.next.as_deref()), shell })
}

#[derive(Template)]
#[template(path = "api_key_issued.html")]
struct IssuedPage {
    shell: Shell,
    name: String,
    text: String,
    base_url: String,
}

fn issued(gateway: &Gateway, form: &CheckedForm, issued: IssuedKey) -> Answered {
    render(&IssuedPage {
        shell: Shell::new(&form.visitor, "api-keys"),
        text: format!("{}.{}", issued.key.public_key, issued.secret.expose()),
        name: issued.key.name,
        base_url: gateway.settings().base_url(),
    })
}

/// Makes a key.
#[post("/console/api-keys")]
pub async fn create(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let scopes: Vec<&str> = form.all("scope").collect();
    if scopes.is_empty() {
        return Err(Fault::invalid("scope", "tick what the key may do").into());
    }
    let body = json!({ "name": form.text("name"), "environment": form.visitor.scope.mode, "scopes": scopes });
    let draft = KeyDraft::parse(body.to_string().as_bytes())?;
    let made = gateway.create_api_key(&form.visitor.scope, draft).await?;
    issued(&gateway, &form, made)
}

/// Gives a key a new secret.
#[post("/console/api-keys/{key_id}/rotate")]
pub async fn rotate(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let rotated = gateway.rotate_api_key(&form.visitor.scope, &path, read_overlap(b"{}")?).await?;
    issued(&gateway, &form, rotated)
}

/// Switches a key off, or on again.
#[post("/console/api-keys/{key_id}/switch")]
pub async fn switch(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let is_on = form.text("to") == "on";
    let change = KeyChange::parse(json!({ "active": is_on }).to_string().as_bytes())?;
    gateway.change_api_key(&form.visitor.scope, &path, change).await?;
    Ok(see_other(if is_on { "/console/api-keys?done=on" } else { "/console/api-keys?done=off" }))
}

/// Deletes a key for good.
#[post("/console/api-keys/{key_id}/delete")]
pub async fn delete(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.delete_api_key(&form.visitor.scope, &path).await?;
    Ok(see_other("/console/api-keys?done=delete"))
}
