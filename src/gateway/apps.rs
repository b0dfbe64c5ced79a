//! Apps and their keys: made, shown, rotated, archived.

use std::time::Duration;

use super::Gateway;
use crate::domain::drafts::web_url_fault;
use crate::domain::fields::text_fault;
use crate::domain::ids::{AppId, EndpointId};
use crate::domain::mode::Mode;
use crate::domain::secrets::{Place, Secret, random_hex};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::Driver;
use crate::store::apps::AppRow;
use crate::store::webhook_endpoints::EndpointRow;
use crate::store::{Lane, apps, tenants, webhook_endpoints};

pub(super) const DEFAULT_TENANT: &str = "Operator";

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
}

impl Gateway {
    /// Makes an app of the operator's own tenant.
    ///
    /// # Errors
    /// 400 naming every option that is not as it must be.
    pub async fn create_app(&self, options: AppOptions) -> Outcome<IssuedApp> {
        check_options(&options)?;
        let now = self.clock.now();
        let app_id = AppId::generate(now);
        let endpoint_id = EndpointId::generate(now);
        let secret = Secret::generate();
        let webhook_secret = Secret::generate();
        let list = |words: &[String]| (!words.is_empty()).then(|| words.join(","));
        let public_key = format!("pk_{}_{}", options.mode, random_hex(12));
        let secret_sealed = self.seal_app_secret(&app_id, &secret);
        let webhook_secret_sealed = self.seal_endpoint_secret(&endpoint_id, &webhook_secret);
        let (app, endpoint) = self
            .write(Lane::Any, move |conn| {
                let tenant_id = tenants::operator(conn, DEFAULT_TENANT, now)?;
                let app = AppRow {
                    app_id: app_id.clone(),
                    tenant_id,
                    name: options.name.clone(),
                    mode: options.mode,
                    public_key: public_key.clone(),
                    secret_sealed: secret_sealed.clone(),
                    previous_secret_sealed: None,
                    previous_secret_until: None,
                    allowed_providers: list(&options.allowed_providers),
                    allowed_methods: list(&options.allowed_methods),
                    require_signed_query: options.require_signed_query,
                    archived_at: None,
                    created_at: now,
                };
                apps::insert(conn, &app)?;
                let endpoint = options
                    .webhook_url
                    .as_ref()
                    .map(|url| endpoint_row(&endpoint_id, &app, url, &webhook_secret_sealed, now));
                if let Some(endpoint) = &endpoint {
                    webhook_endpoints::insert(conn, endpoint)?;
                }
                Ok((app, endpoint))
            })
            .await?;
        Ok(IssuedApp { app, endpoint, secret, webhook_secret })
    }

    /// Every app with its endpoints, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_apps(&self) -> Outcome<Vec<(AppRow, Vec<EndpointRow>)>> {
        self.read(|conn| {
            let mut endpoints = webhook_endpoints::all(conn)?;
            let rows = apps::all(conn)?;
            Ok(rows
                .into_iter()
                .map(|app| {
                    let (own, others) =
                        endpoints.drain(..).partition(|endpoint| endpoint.app_id.as_ref() == Some(&app.app_id));
                    endpoints = others;
                    (app, own)
                })
                .collect())
        })
        .await
    }

    /// One app by its id or public key.
    ///
    /// # Errors
    /// 404.
    pub async fn find_app(&self, id_or_key: &str) -> Outcome<(AppRow, Vec<EndpointRow>)> {
        let wanted = id_or_key.to_owned();
        self.read(move |conn| {
            let Some(app) = apps::find(conn, &wanted)? else { return Ok(None) };
            let endpoints = webhook_endpoints::of_app(conn, &app.app_id)?;
            Ok(Some((app, endpoints)))
        })
        .await?
        .ok_or_else(|| Fault::new(Code::NotFound, format!("there is no app {id_or_key}")))
    }

    /// Changes an app.
    ///
    /// # Errors
    /// 404, and 400 for a URL that cannot be used. A webhook that is set on an app without one gets a secret, which is
    /// answered.
    pub async fn change_app(&self, id_or_key: &str, change: AppChange) -> Outcome<Option<Secret>> {
        let (app, endpoints) = self.find_app(id_or_key).await?;
        let now = self.clock.now();
        let app_id = app.app_id.clone();
        match change {
            AppChange::Archive => {
                self.write(Lane::Any, move |conn| apps::archive(conn, &app_id, now)).await?;
                Ok(None)
            }
            AppChange::FinishRotation => {
                self.write(Lane::Any, move |conn| {
                    apps::finish_rotation(conn, &app_id)?;
                    webhook_endpoints::finish_rotation(conn, &app_id)
                })
                .await?;
                Ok(None)
            }
            AppChange::SetWebhook(url) => {
                if let Some(reason) = web_url_fault(&url, app.mode) {
                    return Err(Fault::invalid("webhook_url", reason));
                }
                if let Some(endpoint) = endpoints.into_iter().next() {
                    self.write(Lane::Any, move |conn| webhook_endpoints::set_url(conn, &endpoint.endpoint_id, &url))
                        .await?;
                    return Ok(None);
                }
                let endpoint_id = EndpointId::generate(now);
                let secret = Secret::generate();
                let sealed = self.seal_endpoint_secret(&endpoint_id, &secret);
                self.write(Lane::Any, move |conn| {
                    webhook_endpoints::insert(conn, &endpoint_row(&endpoint_id, &app, &url, &sealed, now))
                })
                .await?;
                Ok(Some(secret))
            }
        }
    }

    /// Gives an app new secrets. The old ones work until `overlap` is over, or end at once when it is zero.
    ///
    /// # Errors
    /// 404.
    pub async fn rotate_app(&self, id_or_key: &str, overlap: Duration) -> Outcome<IssuedApp> {
        let (app, endpoints) = self.find_app(id_or_key).await?;
        let until = self.clock.now().plus(overlap);
        let secret = Secret::generate();
        let webhook_secret = Secret::generate();
        let secret_sealed = self.seal_app_secret(&app.app_id, &secret);
        let endpoint = endpoints.into_iter().next();
        let webhook_secret_sealed =
            endpoint.as_ref().map(|endpoint| self.seal_endpoint_secret(&endpoint.endpoint_id, &webhook_secret));
        let (old_app, old_endpoint) = (app.clone(), endpoint.clone());
        self.write(Lane::Any, move |conn| {
            let keep = |sealed: &str| (!overlap.is_zero()).then(|| (sealed.to_owned(), until));
            let previous = keep(&old_app.secret_sealed);
            apps::rotate(conn, &old_app.app_id, &secret_sealed, borrow(&previous))?;
            if let (Some(endpoint), Some(sealed)) = (&old_endpoint, &webhook_secret_sealed) {
                let previous = keep(&endpoint.secret_sealed);
                webhook_endpoints::rotate(conn, &endpoint.endpoint_id, sealed, borrow(&previous))?;
            }
            Ok(())
        })
        .await?;
        Ok(IssuedApp { app, endpoint, secret, webhook_secret })
    }

    /// An app's public key with its secrets, for the operator who signs or verifies in its place.
    ///
    /// # Errors
    /// 404; 500 when the sealing key does not fit.
    pub async fn credentials(&self, id_or_key: &str) -> Outcome<(String, Secret, Option<Secret>)> {
        let (app, endpoints) = self.find_app(id_or_key).await?;
        let cannot_open = |_| Fault::new(Code::InternalError, "the app's secret does not open with this secrets.key");
        let place = Place { table: "apps", row: app.app_id.as_str(), column: "secret" };
        let secret = self.sealer.open(place, &app.secret_sealed).map_err(cannot_open)?;
        let webhook_secret = match endpoints.first() {
            Some(endpoint) => {
                let place = endpoint_secret_place(&endpoint.endpoint_id);
                Some(self.sealer.open(place, &endpoint.secret_sealed).map_err(cannot_open)?)
            }
            None => None,
        };
        Ok((app.public_key, secret, webhook_secret))
    }

    fn seal_app_secret(&self, app_id: &AppId, secret: &Secret) -> String {
        self.sealer.seal(Place { table: "apps", row: app_id.as_str(), column: "secret" }, secret)
    }

    fn seal_endpoint_secret(&self, endpoint_id: &EndpointId, secret: &Secret) -> String {
        self.sealer.seal(endpoint_secret_place(endpoint_id), secret)
    }
}

/// Where an endpoint's secrets are sealed for; the previous one keeps its place when it moves to its own column.
pub(super) fn endpoint_secret_place(endpoint_id: &EndpointId) -> Place<'_> {
    Place { table: "webhook_endpoints", row: endpoint_id.as_str(), column: "secret" }
}

fn borrow(previous: &Option<(String, Timestamp)>) -> Option<(&str, Timestamp)> {
    previous.as_ref().map(|(sealed, until)| (sealed.as_str(), *until))
}

fn endpoint_row(endpoint_id: &EndpointId, app: &AppRow, url: &str, sealed: &str, now: Timestamp) -> EndpointRow {
    EndpointRow {
        endpoint_id: endpoint_id.clone(),
        app_id: Some(app.app_id.clone()),
        url: url.to_owned(),
        secret_sealed: sealed.to_owned(),
        previous_secret_sealed: None,
        previous_secret_until: None,
        failing_since: None,
        disabled_at: None,
        disabled_reason: None,
        created_at: now,
        tenant_id: app.tenant_id.clone(),
        mode: app.mode,
        description: None,
        event_types: None,
        header_prefix: None,
        deleted_at: None,
    }
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
