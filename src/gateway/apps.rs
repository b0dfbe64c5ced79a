//! Apps and their keys: made, shown, rotated, archived.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::json;

use super::audit::{self, Deed};
use super::onboarding::live_step_missing;
use super::{Gateway, Scope, Who};
use crate::domain::api_keys::key_prefix;
use crate::domain::customers::KycLimits;
use crate::domain::drafts::web_url_fault;
use crate::domain::fields::text_fault;
use crate::domain::ids::{AppId, EndpointId};
use crate::domain::mode::Mode;
use crate::domain::plans::Plans;
use crate::domain::secrets::{Place, Secret, random_hex};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::Driver;
use crate::store::apps::AppRow;
use crate::store::webhook_endpoints::EndpointRow;
use crate::store::{Conn, Lane, StoreResult, apps, webhook_endpoints};

/// Apps that a tenant may have in one mode, archived ones too: every process has those in use in memory.
const MAX_APPS: i64 = 500;

/// What a new app shall be.
#[derive(Clone, Debug)]
pub struct AppOptions {
    /// Its name, for people.
    pub name: String,
    /// Its mode, for good.
    pub mode: Mode,
    /// Where its events go.
    pub webhook_url: Option<String>,
    /// Providers that it may use; all when empty.
    pub allowed_providers: Vec<String>,
    /// Methods that it may use, as `provider=method`.
    pub allowed_methods: Vec<String>,
    /// Whether a request with a query string must sign it.
    pub require_signed_query: bool,
    /// Amounts above which its buyers must be approved, as `IDR=1000000` in minor units.
    pub kyc_above: Vec<String>,
}

/// An app with the secrets that are shown this once.
#[derive(Debug)]
pub struct IssuedApp {
    /// The app.
    pub app: AppRow,
    /// Its endpoint, if it has one.
    pub endpoint: Option<EndpointRow>,
    /// What signs its requests.
    pub secret: Secret,
    /// What signs its events.
    pub webhook_secret: Secret,
}

/// A change to an app that exists.
#[derive(Clone, Debug)]
pub enum AppChange {
    /// Its key stops working.
    Archive,
    /// The overlap of its last rotation ends now.
    FinishRotation,
    /// Its events go elsewhere.
    SetWebhook(String),
    /// Its buyers must be approved above these amounts.
    SetKycAbove(KycLimits),
}

impl Gateway {
    /// Makes an app of a tenant, in the mode of the scope.
    ///
    /// # Errors
    /// 400 naming every option that is not as it must be; 403 for a viewer, and in live naming the step that is missing;
    /// 421 for a mode that is not served here.
    pub async fn create_app_of(&self, scope: &Scope, options: AppOptions) -> Outcome<IssuedApp> {
        scope.require_developer()?;
        self.check_works_here(scope)?;
        check_options(&options)?;
        let kyc_above = kyc_limits(&options.kyc_above)?;
        if options.mode != scope.mode {
            return Err(Fault::invalid("mode", &format!("must be {}, in which you work", scope.mode)));
        }
        let now = self.clock.now();
        let app_id = AppId::generate(now);
        let endpoint_id = EndpointId::generate(now);
        let secret = Secret::generate();
        let webhook_secret = Secret::generate();
        let list = |words: &[String]| (!words.is_empty()).then(|| words.join(","));
        let app = AppRow {
            secret_sealed: self.sealer.seal(app_secret_place(&app_id), &secret),
            tenant_id: scope.tenant_id.clone(),
            name: options.name.clone(),
            mode: options.mode,
            public_key: format!("{}{}", key_prefix(options.mode), random_hex(12)),
            previous_secret_sealed: None,
            previous_secret_until: None,
            allowed_providers: list(&options.allowed_providers),
            allowed_methods: list(&options.allowed_methods),
            require_signed_query: options.require_signed_query,
            archived_at: None,
            created_at: now,
            kyc_above: kyc_above.stored(),
            app_id,
        };
        let sealed = self.sealer.seal(endpoint_secret_place(&endpoint_id), &webhook_secret);
        let endpoint = options.webhook_url.as_ref().map(|url| endpoint_row(&endpoint_id, &app, url, &sealed, now));
        let (new_app, new_endpoint, scope) = (app.clone(), endpoint.clone(), scope.clone());
        let plans = self.settings.plans.clone();
        self.write(Lane::Any, move |conn| insert(conn, &plans, &scope, &new_app, new_endpoint.as_ref(), now)).await??;
        self.follow_own_change().await;
        Ok(IssuedApp { app, endpoint, secret, webhook_secret })
    }

    /// A tenant's apps in one mode with their endpoints, oldest first, archived ones too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_apps_of(&self, scope: &Scope) -> Outcome<Vec<(AppRow, Vec<EndpointRow>)>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let rows = apps::of_tenant(conn, &tenant_id, mode)?;
            let app_ids: Vec<AppId> = rows.iter().map(|app| app.app_id.clone()).collect();
            Ok(with_endpoints(rows, webhook_endpoints::of_apps(conn, &app_ids)?))
        })
        .await
    }

    /// One of these apps, by its id or public key.
    ///
    /// # Errors
    /// 404.
    pub async fn find_app_of(&self, scope: &Scope, id_or_key: &str) -> Outcome<(AppRow, Vec<EndpointRow>)> {
        let (tenant_id, mode, wanted) = (scope.tenant_id.clone(), scope.mode, id_or_key.to_owned());
        self.read(move |conn| {
            let Some(app) = apps::find_of(conn, &tenant_id, mode, &wanted)? else { return Ok(None) };
            let endpoints = webhook_endpoints::of_app(conn, &app.app_id)?;
            Ok(Some((app, endpoints)))
        })
        .await?
        .ok_or_else(|| no_such_app(id_or_key))
    }

    /// Changes one of these apps.
    ///
    /// # Errors
    /// 404, 403 for a viewer, and 400 for a URL that cannot be used. A webhook that is set on an app without one gets a
    /// secret, which is answered.
    pub async fn change_app_of(&self, scope: &Scope, id_or_key: &str, change: AppChange) -> Outcome<Option<Secret>> {
        scope.require_developer()?;
        if let AppChange::SetWebhook(url) = &change
            && let Some(reason) = web_url_fault(url, scope.mode)
        {
            return Err(Fault::invalid("webhook_url", reason));
        }
        let now = self.clock.now();
        let endpoint_id = EndpointId::generate(now);
        let secret = Secret::generate();
        let sealed = self.sealer.seal(endpoint_secret_place(&endpoint_id), &secret);
        let (scope, wanted) = (scope.clone(), id_or_key.to_owned());
        let is_secret_new = self
            .write(Lane::Any, move |conn| {
                let Some(app) = apps::lock_of(conn, &scope.tenant_id, scope.mode, &wanted)? else { return Ok(None) };
                let former = webhook_endpoints::of_app(conn, &app.app_id)?.into_iter().next();
                let mut is_secret_new = false;
                let (action, before, after) = match &change {
                    AppChange::Archive => {
                        apps::archive(conn, &app.app_id, now)?;
                        ("app.archived", None, None)
                    }
                    AppChange::FinishRotation => {
                        apps::finish_rotation(conn, &app.app_id)?;
                        webhook_endpoints::finish_rotation(conn, &app.app_id)?;
                        ("app.rotation_finished", None, None)
                    }
                    AppChange::SetKycAbove(limits) => {
                        let kyc_above = limits.stored();
                        apps::set_kyc_above(conn, &app.app_id, kyc_above.as_deref())?;
                        let told = |limits: &Option<String>| Some(json!({ "kycAbove": limits }));
                        ("app.kyc_set", told(&app.kyc_above), told(&kyc_above))
                    }
                    AppChange::SetWebhook(url) => {
                        match &former {
                            Some(endpoint) => webhook_endpoints::set_url(conn, &endpoint.endpoint_id, url)?,
                            None => {
                                let endpoint = endpoint_row(&endpoint_id, &app, url, &sealed, now);
                                webhook_endpoints::insert(conn, &endpoint)?;
                                is_secret_new = true;
                            }
                        }
                        let before = former.as_ref().map(|endpoint| json!({ "webhookUrl": endpoint.url }));
                        ("app.webhook_set", before, Some(json!({ "webhookUrl": url })))
                    }
                };
                audit::record(conn, &scope, Deed { action, subject: Some(app.app_id.as_str()), before, after }, now)?;
                Ok(Some(is_secret_new))
            })
            .await?
            .ok_or_else(|| no_such_app(id_or_key))?;
        self.follow_own_change().await;
        Ok(is_secret_new.then_some(secret))
    }

    /// Gives one of these apps new secrets. The old ones work until `overlap` is over, or end at once when it is zero.
    ///
    /// # Errors
    /// 404; 403 for a viewer.
    pub async fn rotate_app_of(&self, scope: &Scope, id_or_key: &str, overlap: Duration) -> Outcome<IssuedApp> {
        scope.require_developer()?;
        let now = self.clock.now();
        let until = now.plus(overlap);
        let secret = Secret::generate();
        let webhook_secret = Secret::generate();
        let sealer = self.sealer.clone();
        let (scope, wanted) = (scope.clone(), id_or_key.to_owned());
        let (new_secret, new_webhook_secret) = (secret.clone(), webhook_secret.clone());
        let rotated = self
            .write(Lane::Any, move |conn| {
                let Some(app) = apps::lock_of(conn, &scope.tenant_id, scope.mode, &wanted)? else { return Ok(None) };
                let endpoint = webhook_endpoints::of_app(conn, &app.app_id)?.into_iter().next();
                let keep = |sealed: &str| (!overlap.is_zero()).then(|| (sealed.to_owned(), until));
                let sealed = sealer.seal(app_secret_place(&app.app_id), &new_secret);
                apps::rotate(conn, &app.app_id, &sealed, borrow(&keep(&app.secret_sealed)))?;
                if let Some(endpoint) = &endpoint {
                    let sealed = sealer.seal(endpoint_secret_place(&endpoint.endpoint_id), &new_webhook_secret);
                    let previous = keep(&endpoint.secret_sealed);
                    webhook_endpoints::rotate(conn, &endpoint.endpoint_id, &sealed, borrow(&previous))?;
                }
                let after = Some(json!({ "overlapSeconds": overlap.as_secs() }));
                let subject = Some(app.app_id.as_str());
                audit::record(conn, &scope, Deed { action: "app.rotated", subject, before: None, after }, now)?;
                Ok(Some((app, endpoint)))
            })
            .await?;
        let (app, endpoint) = rotated.ok_or_else(|| no_such_app(id_or_key))?;
        self.follow_own_change().await;
        Ok(IssuedApp { app, endpoint, secret, webhook_secret })
    }
}

fn insert(
    conn: &mut Conn,
    plans: &Plans,
    scope: &Scope,
    app: &AppRow,
    endpoint: Option<&EndpointRow>,
    now: Timestamp,
) -> StoreResult<Outcome<()>> {
    if app.mode == Mode::Live
        && let Some(step) = live_step_missing(conn, plans, &app.tenant_id)?
    {
        return Ok(Err(step));
    }
    let is_bounded = !matches!(scope.who, Who::Operator);
    if is_bounded && apps::count(conn, &app.tenant_id, app.mode)? >= MAX_APPS {
        let reason = format!("would be more than {MAX_APPS} apps in mode {}", app.mode);
        return Ok(Err(Fault::invalid("app", &reason)));
    }
    apps::insert(conn, app)?;
    if let Some(endpoint) = endpoint {
        webhook_endpoints::insert(conn, endpoint)?;
    }
    let after = json!({
        "name": app.name, "publicKey": app.public_key, "webhookUrl": endpoint.map(|endpoint| &endpoint.url),
        "allowedProviders": app.allowed_providers, "allowedMethods": app.allowed_methods,
        "requireSignedQuery": app.require_signed_query, "kycAbove": app.kyc_above,
    });
    let deed = Deed { action: "app.created", subject: Some(app.app_id.as_str()), before: None, after: Some(after) };
    audit::record(conn, scope, deed, now)?;
    Ok(Ok(()))
}

/// Every app with its own of these endpoints, in their order.
pub(super) fn with_endpoints(rows: Vec<AppRow>, endpoints: Vec<EndpointRow>) -> Vec<(AppRow, Vec<EndpointRow>)> {
    let mut by_app: HashMap<AppId, Vec<EndpointRow>> = HashMap::new();
    for endpoint in endpoints {
        if let Some(app_id) = endpoint.app_id.clone() {
            by_app.entry(app_id).or_default().push(endpoint);
        }
    }
    rows.into_iter()
        .map(|app| {
            let own = by_app.remove(&app.app_id).unwrap_or_default();
            (app, own)
        })
        .collect()
}

pub(super) fn no_such_app(id_or_key: &str) -> Fault {
    Fault::new(Code::NotFound, format!("there is no app {id_or_key}"))
}

pub(super) fn app_secret_place(app_id: &AppId) -> Place<'_> {
    Place { table: "apps", row: app_id.as_str(), column: "secret" }
}

/// Where an endpoint's secrets are sealed for; the previous one keeps its place when it moves to its own column.
pub(super) fn endpoint_secret_place(endpoint_id: &EndpointId) -> Place<'_> {
    Place { table: "webhook_endpoints", row: endpoint_id.as_str(), column: "secret" }
}

fn borrow(previous: &Option<(String, Timestamp)>) -> Option<(&str, Timestamp)> {
    previous.as_ref().map(|(sealed, until)| (sealed.as_str(), *until))
}

fn endpoint_row(endpoint_id: &EndpointId, app: &AppRow, url: &str, sealed: &str, now: Timestamp) -> EndpointRow {
    let endpoint = EndpointRow::new(endpoint_id.clone(), &app.tenant_id, app.mode, url, sealed, now);
    EndpointRow { app_id: Some(app.app_id.clone()), ..endpoint }
}

/// Amounts above which buyers must be approved, as `IDR=1000000` in minor units.
///
/// # Errors
/// 400 for what is none.
pub fn kyc_limits(limits: &[String]) -> Outcome<KycLimits> {
    KycLimits::read(limits.iter().map(String::as_str)).map_err(|reason| Fault::invalid("kyc_above", &reason))
}

fn check_options(options: &AppOptions) -> Outcome<()> {
    if let Some(reason) = text_fault(&options.name, 1, 100) {
        return Err(Fault::invalid("name", &reason));
    }
    if let Some(reason) = options.webhook_url.as_deref().and_then(|url| web_url_fault(url, options.mode)) {
        return Err(Fault::invalid("webhook_url", reason));
    }
    for name in &options.allowed_providers {
        if Driver::named(name).is_none() {
            return Err(Fault::invalid("allow_provider", &format!("{name} is not a provider")));
        }
    }
    for pair in &options.allowed_methods {
        let is_known = pair.split_once('=').is_some_and(|(provider, method)| {
            Driver::named(provider).is_some_and(|driver| driver.methods.contains(&method))
        });
        if !is_known {
            let reason = format!("{pair} is not a provider and one of its methods with = between them");
            return Err(Fault::invalid("allow_method", &reason));
        }
    }
    Ok(())
}
