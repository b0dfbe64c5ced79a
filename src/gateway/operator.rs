//! What the operator does at the machine itself: the verbs of the command line. They see every tenant, and change
//! something in the scope of the tenant that it belongs to.

use std::time::Duration;

use super::apps::{app_secret_place, endpoint_secret_place, no_such_app, with_endpoints};
use super::{AccountOptions, AppChange, AppOptions, Gateway, IssuedApp, Scope, Who};
use crate::domain::ids::{AccountId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::error::{Code, Fault, Outcome};
use crate::store::apps::AppRow;
use crate::store::provider_accounts::ProviderAccount;
use crate::store::webhook_endpoints::EndpointRow;
use crate::store::{Lane, apps, provider_accounts, tenants, webhook_endpoints};

/// The name of the operator's own tenant.
const DEFAULT_TENANT: &str = "Operator";

impl Gateway {
    /// The operator at work for a tenant; for his own, made on first use, when none is named.
    ///
    /// # Errors
    /// 404 for a tenant that is not there.
    pub async fn operator_scope(&self, tenant_id: Option<&str>, mode: Mode) -> Outcome<Scope> {
        let now = self.clock.now();
        let tenant_id = match tenant_id {
            None => self.write(Lane::Any, move |conn| tenants::operator(conn, DEFAULT_TENANT, now)).await?,
            Some(text) => {
                let not_found = || Fault::new(Code::NotFound, format!("there is no tenant {text}"));
                let wanted = TenantId::parse(text).ok_or_else(not_found)?;
                let found = self.read(move |conn| tenants::find(conn, &wanted)).await?;
                found.ok_or_else(not_found)?.tenant_id
            }
        };
        Ok(Scope { tenant_id, mode, who: Who::Operator, address: None })
    }

    /// Makes an app of the operator's own tenant.
    ///
    /// # Errors
    /// As [`Gateway::create_app_of`].
    pub async fn create_app(&self, options: AppOptions) -> Outcome<IssuedApp> {
        let scope = self.operator_scope(None, options.mode).await?;
        self.create_app_of(&scope, options).await
    }

    /// Every tenant's apps with their endpoints, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_apps(&self) -> Outcome<Vec<(AppRow, Vec<EndpointRow>)>> {
        self.read(|conn| Ok(with_endpoints(apps::all(conn)?, webhook_endpoints::all(conn)?))).await
    }

    /// One app by its id or public key, whosever it is.
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
        .ok_or_else(|| no_such_app(id_or_key))
    }

    /// Changes an app, whosever it is.
    ///
    /// # Errors
    /// As [`Gateway::change_app_of`].
    pub async fn change_app(&self, id_or_key: &str, change: AppChange) -> Outcome<Option<Secret>> {
        let scope = self.scope_of_app(id_or_key).await?;
        self.change_app_of(&scope, id_or_key, change).await
    }

    /// Gives an app new secrets, whosever it is.
    ///
    /// # Errors
    /// As [`Gateway::rotate_app_of`].
    pub async fn rotate_app(&self, id_or_key: &str, overlap: Duration) -> Outcome<IssuedApp> {
        let scope = self.scope_of_app(id_or_key).await?;
        self.rotate_app_of(&scope, id_or_key, overlap).await
    }

    async fn scope_of_app(&self, id_or_key: &str) -> Outcome<Scope> {
        let (app, _) = self.find_app(id_or_key).await?;
        Ok(Scope { tenant_id: app.tenant_id, mode: app.mode, who: Who::Operator, address: None })
    }

    /// An app's public key with its secrets, for the operator who signs or verifies in its place.
    ///
    /// # Errors
    /// 404; 500 when the sealing key does not fit.
    pub async fn credentials(&self, id_or_key: &str) -> Outcome<(String, Secret, Option<Secret>)> {
        let (app, endpoints) = self.find_app(id_or_key).await?;
        let cannot_open = |_| Fault::new(Code::InternalError, "the app's secret does not open with this secrets.key");
        let place = app_secret_place(&app.app_id);
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

    /// Adds an account at a provider to the operator's own tenant.
    ///
    /// # Errors
    /// As [`Gateway::add_provider_account_of`].
    pub async fn add_provider_account(&self, options: AccountOptions) -> Outcome<AccountId> {
        let scope = self.operator_scope(None, options.mode).await?;
        self.add_provider_account_of(&scope, options).await
    }

    /// Every tenant's accounts at providers, oldest first; without credentials.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_provider_accounts(&self) -> Outcome<Vec<ProviderAccount>> {
        self.read(provider_accounts::all).await
    }

    /// Takes an account out of use for new payments, whosever it is.
    ///
    /// # Errors
    /// 404.
    pub async fn archive_provider_account(&self, account_id: &str) -> Outcome<()> {
        let not_found = || Fault::new(Code::NotFound, "there is no such account in use");
        let wanted = AccountId::parse(account_id).ok_or_else(not_found)?;
        let account = self.read(move |conn| provider_accounts::find(conn, &wanted)).await?.ok_or_else(not_found)?;
        let (tenant_id, mode) = (account.tenant_id, account.mode);
        let scope = Scope { tenant_id, mode, who: Who::Operator, address: None };
        self.archive_provider_account_of(&scope, account_id).await
    }
}
