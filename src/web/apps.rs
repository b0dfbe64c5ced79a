//! Apps and their keys: made, shown, rotated, archived. A secret is shown once, on the page that answers the form.

use std::time::Duration;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::listing::{Asked, address_of};
use super::shell::{CheckedForm, Shell, Visitor, render, see_other};
use super::times::Moment;
use crate::domain::customers::KycLimits;
use crate::domain::secrets::Secret;
use crate::error::{Code, Fault};
use crate::gateway::{AppChange, AppOptions, AppRow, EndpointRow, Gateway, IssuedApp};
use crate::problem::Answered;

const PATH: &str = "/console/apps";

struct Row {
    path: String,
    name: String,
    public_key: String,
    webhook: String,
    is_webhook_disabled: bool,
    is_archived: bool,
    created: Moment,
}

#[derive(Template)]
#[template(path = "apps.html")]
struct AppsPage {
    shell: Shell,
    rows: Vec<Row>,
}

/// The tenant's apps in the mode.
#[get("/console/apps")]
pub async fn list(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let notice = Asked::of(&request).text("done").map(|_| "The app is archived. Its key does not work any more.");
    let shell = Shell::new(&visitor, "apps").saying(notice);
    let apps = gateway.list_apps_of(&visitor.scope).await?;
    let rows = apps.into_iter().map(|(app, endpoints)| row(&shell, app, &endpoints));
    let mut rows: Vec<Row> = rows.collect();
    rows.sort_by_key(|row| row.is_archived);
    render(&AppsPage { rows, shell })
}

fn row(shell: &Shell, app: AppRow, endpoints: &[EndpointRow]) -> Row {
    let endpoint = endpoints.first();
    Row {
        path: address_of(PATH, app.app_id.as_str()),
        webhook: endpoint.map_or_else(String::new, |endpoint| endpoint.url.clone()),
        is_webhook_disabled: endpoint.is_some_and(|endpoint| endpoint.disabled_at.is_some()),
        is_archived: app.archived_at.is_some(),
        created: shell.time(&app.created_at),
        name: app.name,
        public_key: app.public_key,
    }
}

#[derive(Template)]
#[template(path = "app.html")]
struct AppPage {
    shell: Shell,
    id: String,
    row: Row,
    old_secret_until: Option<Moment>,
    allowed: String,
    require_signed_query: bool,
    kyc_above: String,
    disabled_reason: String,
    failing_since: Option<Moment>,
    env: String,
    quick_start: String,
}

/// One app.
#[get("/console/apps/{app_id}")]
pub async fn show(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let notice = match asked.text("done") {
        Some("webhook") => Some("Events go to the new address from now on."),
        Some("buyers") => Some("From now on its buyers are held to these limits."),
        Some("finish") => Some("The old secrets do not work any more."),
        _ => None,
    };
    let shell = Shell::new(&visitor, "apps").saying(notice);
    let (app, endpoints) = gateway.find_app_of(&visitor.scope, &path).await?;
    let now = gateway.now();
    let until = app.previous_secret_until.filter(|until| *until > now);
    let endpoint = endpoints.first();
    render(&AppPage {
        id: app.app_id.to_string(),
        quick_start: format!("/console/quick-start?app={}", app.app_id),
        old_secret_until: until.as_ref().map(|until| shell.time(until)),
        allowed: [&app.allowed_providers, &app.allowed_methods]
            .into_iter()
            .filter_map(Option::as_deref)
            .collect::<Vec<_>>()
            .join(", "),
        require_signed_query: app.require_signed_query,
        kyc_above: KycLimits::of_stored(app.kyc_above.as_deref()).lines(),
        disabled_reason: endpoint.and_then(|endpoint| endpoint.disabled_reason.clone()).unwrap_or_default(),
        failing_since: endpoint
            .filter(|endpoint| endpoint.disabled_at.is_none())
            .and_then(|endpoint| endpoint.failing_since.as_ref())
            .map(|since| shell.time(since)),
        env: env_of(&gateway, &app.public_key, None, None),
        row: row(&shell, app, &endpoints),
        shell,
    })
}

/// The settings of a product as a file. What is not known any more is left open.
fn env_of(gateway: &Gateway, key: &str, secret: Option<&Secret>, webhook_secret: Option<&Secret>) -> String {
    let shown = |secret: Option<&Secret>| secret.map_or("…", Secret::expose).to_owned();
    let base_url = gateway.settings().base_url();
    format!(
        "PAY_BASE_URL={base_url}\nPAY_KEY={key}\nPAY_SECRET={}\nPAY_WEBHOOK_SECRET={}\n",
        shown(secret),
        shown(webhook_secret)
    )
}

#[derive(Template)]
#[template(path = "app_issued.html")]
struct IssuedPage {
    shell: Shell,
    title: &'static str,
    name: String,
    path: String,
    quick_start: String,
    public_key: String,
    secret: String,
    webhook_secret: String,
    webhook: String,
    env: String,
}

fn issued_page(
    gateway: &Gateway,
    form: &CheckedForm,
    title: &'static str,
    app: &AppRow,
    secrets: (Option<&Secret>, Option<&Secret>),
    webhook: String,
) -> IssuedPage {
    let shown = |secret: Option<&Secret>| secret.map_or_else(String::new, |secret| secret.expose().to_owned());
    IssuedPage {
        shell: Shell::new(&form.visitor, "apps"),
        title,
        name: app.name.clone(),
        path: address_of(PATH, app.app_id.as_str()),
        quick_start: format!("/console/quick-start?app={}", app.app_id),
        public_key: app.public_key.clone(),
        secret: shown(secrets.0),
        webhook_secret: shown(secrets.1),
        webhook,
        env: env_of(gateway, &app.public_key, secrets.0, secrets.1),
    }
}

fn issued(gateway: &Gateway, form: &CheckedForm, title: &'static str, issued: &IssuedApp) -> Answered {
    let IssuedApp { app, endpoint, secret, webhook_secret } = issued;
    let webhook = endpoint.as_ref().map(|endpoint| endpoint.url.clone());
    let webhook_secret = webhook.as_ref().map(|_| webhook_secret);
    render(&issued_page(gateway, form, title, app, (Some(secret), webhook_secret), webhook.unwrap_or_default()))
}

/// Makes an app.
#[post("/console/apps")]
pub async fn create(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let options = AppOptions {
        name: form.text("name").to_owned(),
        mode: form.visitor.scope.mode,
        webhook_url: Some(form.text("webhook_url").to_owned()).filter(|url| !url.is_empty()),
        allowed_providers: Vec::new(),
        allowed_methods: Vec::new(),
        require_signed_query: form.has("require_signed_query"),
        kyc_above: Vec::new(),
    };
    let made = gateway.create_app_of(&form.visitor.scope, options).await?;
    issued(&gateway, &form, "Your app is ready", &made)
}

/// Gives an app new secrets.
#[post("/console/apps/{app_id}/rotate")]
pub async fn rotate(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let hours: u64 = match form.text("overlap") {
        "none" => 0,
        "hour" => 1,
        "week" => 7 * 24,
        _ => 24,
    };
    let overlap = Duration::from_secs(hours * 3600);
    let rotated = gateway.rotate_app_of(&form.visitor.scope, &path, overlap).await?;
    issued(&gateway, &form, "New secrets", &rotated)
}

/// Ends the old secrets of a rotation.
#[post("/console/apps/{app_id}/finish")]
pub async fn finish(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    gateway.change_app_of(&form.visitor.scope, &path, AppChange::FinishRotation).await?;
    Ok(see_other(&format!("{}?done=finish", address_of(PATH, &path))))
}

/// Sends an app's events elsewhere.
#[post("/console/apps/{app_id}/webhook")]
pub async fn set_webhook(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    let url = form.text("webhook_url").to_owned();
    let fresh = gateway.change_app_of(scope, &path, AppChange::SetWebhook(url.clone())).await?;
    let Some(secret) = fresh else {
        return Ok(see_other(&format!("{}?done=webhook", address_of(PATH, &path))));
    };
    let (app, _) = gateway.find_app_of(scope, &path).await?;
    let page = issued_page(&gateway, &form, "Your webhook is ready", &app, (None, Some(&secret)), url);
    render(&page)
}

/// Sets the amounts above which an app's buyers must be approved.
#[post("/console/apps/{app_id}/buyers")]
pub async fn set_kyc_above(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let limits = KycLimits::read_lines(form.text("kyc_above")).map_err(|reason| Fault::invalid("limits", &reason))?;
    gateway.change_app_of(&form.visitor.scope, &path, AppChange::SetKycAbove(limits)).await?;
    Ok(see_other(&format!("{}?done=buyers", address_of(PATH, &path))))
}

/// Archives an app.
#[post("/console/apps/{app_id}/archive")]
pub async fn archive(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let (app, _) = gateway.find_app_of(&form.visitor.scope, &path).await?;
    if form.text("name") != app.name {
        let detail = "type the app's name to archive it; nothing has changed";
        return Err(Fault::new(Code::ValidationError, detail).into());
    }
    gateway.change_app_of(&form.visitor.scope, &path, AppChange::Archive).await?;
    Ok(see_other("/console/apps?done=archive"))
}
