//! A tenant's webhook endpoints: listed, made, changed, switched, rotated, tested and deleted. A secret is shown once, on
//! the page that answers the form. What went to one is in `webhook_log`; an app's own address is with the apps.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde_json::{Value, json};

use super::forms::{FieldFaults, Pairs};
use super::listing::{Asked, address_of};
use super::shell::{CheckedForm, Shell, Visitor, render, render_as, see_other};
use super::times::Moment;
use super::webhook_log::Log;
use crate::domain::accounts::Role;
use crate::domain::events::EVENT_TYPES;
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::domain::signing::standard_webhook_secret;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::webhook_endpoints::EndpointDraft;
use crate::gateway::{EndpointRow, Gateway};
use crate::problem::Answered;

/// Where the list is, and below it every endpoint.
pub(super) const PATH: &str = "/console/webhooks";

struct Row {
    path: String,
    url: String,
    description: String,
    events: String,
    is_off: bool,
    /// Why it was switched off, unless somebody did it by hand.
    off_reason: String,
    off_since: Option<Moment>,
    failing_since: Option<Moment>,
    created: Moment,
}

impl Row {
    fn new(shell: &Shell, endpoint: &EndpointRow) -> Self {
        let is_off = endpoint.disabled_at.is_some();
        let reason = endpoint.disabled_reason.clone().filter(|reason| reason != "switched off");
        Self {
            path: address_of(PATH, endpoint.endpoint_id.as_str()),
            url: endpoint.url.clone(),
            description: endpoint.description.clone().unwrap_or_default(),
            events: endpoint.event_types.as_deref().map_or_else(|| "all".to_owned(), |types| types.replace(',', ", ")),
            is_off,
            off_reason: reason.unwrap_or_default(),
            off_since: endpoint.disabled_at.as_ref().map(|at| shell.time(at)),
            failing_since: endpoint.failing_since.as_ref().filter(|_| !is_off).map(|since| shell.time(since)),
            created: shell.time(&endpoint.created_at),
        }
    }
}

/// An event type that can be ticked.
struct Wanted {
    name: &'static str,
    is_chosen: bool,
}

/// What the form of an endpoint says, and what is wrong with it.
struct EndpointForm {
    url: String,
    description: String,
    header_prefix: String,
    /// Event types by their noun.
    groups: Vec<(&'static str, Vec<Wanted>)>,
    faults: FieldFaults,
}

impl EndpointForm {
    fn new(url: &str, description: &str, header_prefix: &str, is_chosen: impl Fn(&str) -> bool) -> Self {
        let mut groups: Vec<(&'static str, Vec<Wanted>)> = Vec::new();
        for name in EVENT_TYPES {
            let noun = name.split('.').next().unwrap_or_default();
            let wanted = Wanted { name, is_chosen: is_chosen(name) };
            match groups.iter_mut().find(|(found, _)| *found == noun) {
                Some((_, group)) => group.push(wanted),
                None => groups.push((noun, vec![wanted])),
            }
        }
        let (url, description, header_prefix) = (url.to_owned(), description.to_owned(), header_prefix.to_owned());
        Self { url, description, header_prefix, groups, faults: FieldFaults::default() }
    }

    fn empty() -> Self {
        Self::new("", "", "", |_| false)
    }

    fn of(endpoint: &EndpointRow) -> Self {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (description, header_prefix) = (text(&endpoint.description), text(&endpoint.header_prefix));
        let is_chosen = |name: &str| endpoint.event_types.is_some() && endpoint.wants(name);
        Self::new(&endpoint.url, &description, &header_prefix, is_chosen)
    }

    /// What was typed, to be shown again with what is wrong with it; any other refusal is an error of its own.
    fn refused(pairs: &Pairs, fault: Fault) -> Outcome<Self> {
        let faults = FieldFaults::of(&fault);
        if fault.code != Code::ValidationError || faults.is_empty() {
            return Err(fault);
        }
        let is_chosen = |name: &str| pairs.all("events").any(|chosen| chosen == name);
        let shown = Self::new(pairs.text("url"), pairs.text("description"), pairs.text("headerPrefix"), is_chosen);
        Ok(Self { faults, ..shown })
    }
}

/// What a form asks an endpoint to be. No event ticked is every event.
fn draft_of(pairs: &Pairs, mode: Mode, is_new: bool) -> Outcome<EndpointDraft> {
    let events: Vec<&str> = pairs.all("events").collect();
    let body: Value = json!({
        "url": pairs.text("url"), "description": pairs.text("description"), "events": events,
        "headerPrefix": pairs.text("headerPrefix"),
    });
    EndpointDraft::parse(body.to_string().as_bytes(), mode, is_new)
}

#[derive(Template)]
#[template(path = "webhooks.html")]
struct EndpointsPage {
    shell: Shell,
    rows: Vec<Row>,
    /// The addresses that apps have of their own, each with its app's name and page.
    of_apps: Vec<(Row, String, String)>,
    form: EndpointForm,
}

async fn endpoints_page(gateway: &Gateway, visitor: &Visitor, form: EndpointForm) -> Outcome<EndpointsPage> {
    let shell = Shell::new(visitor, "webhooks");
    let endpoints = gateway.endpoints(&visitor.scope).await?;
    let of_apps = gateway.app_endpoints(&visitor.scope).await?;
    let of_apps = of_apps.iter().map(|(endpoint, app)| {
        (Row::new(&shell, endpoint), app.name.clone(), address_of("/console/apps", app.app_id.as_str()))
    });
    let of_apps = of_apps.collect();
    Ok(EndpointsPage {
        of_apps,
        rows: endpoints.iter().map(|endpoint| Row::new(&shell, endpoint)).collect(),
        form,
        shell,
    })
}

/// The endpoints of the mode.
#[get("/console/webhooks")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let notice = Asked::of(&request).text("done").map(|_| "The endpoint is deleted. Nothing goes there any more.");
    let page = endpoints_page(&gateway, &visitor, EndpointForm::empty()).await?;
    render(&EndpointsPage { shell: page.shell.saying(notice), ..page })
}

#[derive(Template)]
#[template(path = "webhook_issued.html")]
struct IssuedPage {
    shell: Shell,
    title: &'static str,
    path: String,
    url: String,
    secret: String,
    standard: String,
    old_until: Option<Moment>,
}

fn issued(form: &CheckedForm, title: &'static str, endpoint: &EndpointRow, secret: &Secret) -> Answered {
    let shell = Shell::new(&form.visitor, "webhooks");
    render(&IssuedPage {
        title,
        path: address_of(PATH, endpoint.endpoint_id.as_str()),
        url: endpoint.url.clone(),
        secret: secret.expose().to_owned(),
        standard: standard_webhook_secret(secret.expose()),
        old_until: endpoint.previous_secret_until.as_ref().map(|until| shell.time(until)),
        shell,
    })
}

/// Makes an endpoint.
#[post("/console/webhooks")]
pub async fn create(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    match draft_of(&form, scope.mode, true) {
        Ok(draft) => {
            let (endpoint, secret) = gateway.create_endpoint(scope, draft).await?;
            issued(&form, "Your endpoint is ready", &endpoint, &secret)
        }
        Err(fault) => {
            scope.require_role(Role::Developer)?;
            let shown = EndpointForm::refused(&form, fault)?;
            render_as(StatusCode::BAD_REQUEST, &endpoints_page(&gateway, &form.visitor, shown).await?)
        }
    }
}

#[derive(Template)]
#[template(path = "webhook.html")]
struct EndpointPage {
    shell: Shell,
    id: String,
    row: Row,
    header_prefix: String,
    /// Where the app is whose events alone go there.
    app_path: Option<String>,
    old_until: Option<Moment>,
    form: EndpointForm,
    log: Log,
}

async fn endpoint_page(
    gateway: &Gateway,
    visitor: &Visitor,
    endpoint: EndpointRow,
    asked: &Asked,
    form: EndpointForm,
) -> Outcome<EndpointPage> {
    let notice = match asked.text("done") {
        Some("save") => Some("Saved."),
        Some("on") => Some("The endpoint is switched on. What it missed can be sent again below."),
        Some("off") => Some("The endpoint is switched off. Nothing goes there until it is switched on again."),
        Some("test") => Some("A test event is on its way. What came of it is in the log below."),
        Some("replay") => Some("It is on its way again."),
        Some("none") => Some("Nothing was given up since then, so nothing is sent again."),
        _ => None,
    };
    let shell = Shell::new(visitor, "webhooks").saying(notice);
    let log = Log::read(gateway, &visitor.scope, &shell, &endpoint, asked).await?;
    let now = gateway.now();
    Ok(EndpointPage {
        id: endpoint.endpoint_id.to_string(),
        row: Row::new(&shell, &endpoint),
        header_prefix: endpoint.header_prefix.clone().unwrap_or_default(),
        app_path: endpoint.app_id.as_ref().map(|app_id| address_of("/console/apps", app_id.as_str())),
        old_until: endpoint.previous_secret_until.filter(|until| *until > now).map(|until| shell.time(&until)),
        form,
        log,
        shell,
    })
}

/// One endpoint, and what went there.
#[get("/console/webhooks/{endpoint_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let endpoint = gateway.endpoint(&visitor.scope, &path).await?;
    let form = EndpointForm::of(&endpoint);
    render(&endpoint_page(&gateway, &visitor, endpoint, &Asked::of(&request), form).await?)
}

/// The page of an endpoint, once something is done.
pub(super) fn done(endpoint_id: &str, what: &str) -> Answered {
    Ok(see_other(&format!("{}?done={what}", address_of(PATH, endpoint_id))))
}

/// Changes an endpoint.
#[post("/console/webhooks/{endpoint_id}")]
pub async fn change(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm, request: HttpRequest) -> Answered {
    let scope = &form.visitor.scope;
    match draft_of(&form, scope.mode, false) {
        Ok(draft) => {
            gateway.change_endpoint(scope, &path, draft).await?;
            done(&path, "save")
        }
        Err(fault) => {
            scope.require_role(Role::Developer)?;
            let endpoint = gateway.endpoint(scope, &path).await?;
            let shown = EndpointForm::refused(&form, fault)?;
            let page = endpoint_page(&gateway, &form.visitor, endpoint, &Asked::of(&request), shown).await?;
            render_as(StatusCode::BAD_REQUEST, &page)
        }
    }
}

/// Switches an endpoint off, or on again.
#[post("/console/webhooks/{endpoint_id}/switch")]
pub async fn switch(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    let is_on = form.text("to") == "on";
    let draft = EndpointDraft::parse(json!({ "active": is_on }).to_string().as_bytes(), scope.mode, false)?;
    gateway.change_endpoint(scope, &path, draft).await?;
    done(&path, if is_on { "on" } else { "off" })
}

/// Gives an endpoint a new secret.
#[post("/console/webhooks/{endpoint_id}/rotate")]
pub async fn rotate(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let hours = match form.text("overlap") {
        "none" => 0,
        "hour" => 1,
        "week" => 7 * 24,
        _ => 24,
    };
    let (endpoint, secret) = gateway.rotate_endpoint(&form.visitor.scope, &path, Some(hours * 3600)).await?;
    issued(&form, "A new secret", &endpoint, &secret)
}

/// Sends a test event.
#[post("/console/webhooks/{endpoint_id}/test")]
pub async fn test(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.test_endpoint(&form.visitor.scope, &path).await?;
    done(&path, "test")
}

/// Deletes an endpoint, if the box beside the button is ticked.
#[post("/console/webhooks/{endpoint_id}/delete")]
pub async fn delete(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    gateway.endpoint(scope, &path).await?;
    if !form.has("sure") {
        let reason = "tick the box to delete the endpoint; nothing has changed";
        return Err(Fault::new(Code::ValidationError, reason).into());
    }
    gateway.delete_endpoint(scope, &path).await?;
    Ok(see_other("/console/webhooks?done=delete"))
}
