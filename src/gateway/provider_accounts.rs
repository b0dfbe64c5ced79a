//! Tenants' own accounts at providers: added, listed, taken out of use. Credentials go in and never come out.

use std::collections::BTreeMap;

use serde_json::json;

use super::audit::{self, Deed};
use super::onboarding::live_step_missing;
use super::rails::credentials_place;
use super::{Gateway, Scope, Who};
use crate::config::host_fault;
use crate::domain::ids::AccountId;
use crate::domain::mode::Mode;
use crate::domain::plans::Plans;
use crate::domain::secrets::Secret;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::Driver;
use crate::store::provider_accounts::ProviderAccount;
use crate::store::{Conn, Lane, StoreResult, install, provider_accounts};

/// Accounts that a tenant may have had in one mode: every process has them all in memory, archived ones too.
const MAX_ACCOUNTS: i64 = 200;

/// What a new account shall be.
#[derive(Debug)]
pub struct AccountOptions {
    /// Name of the provider.
    pub provider: String,
    /// `sandbox` or `live`.
    pub mode: Mode,
    /// Scheme, host and port to call instead of the provider's own.
    pub base_url: Option<String>,
    /// By their names.
    pub credentials: BTreeMap<String, Secret>,
}

impl Gateway {
    /// Adds an account of a tenant in the mode of the scope, in the place of the one that it has for this provider. It
    /// wins over the gateway's.
    ///
    /// # Errors
    /// 400 naming everything that is not as it must be; 403 for a viewer, and in live naming the step that is missing; 421
    /// for a mode that is not served here.
    pub async fn add_provider_account_of(&self, scope: &Scope, options: AccountOptions) -> Outcome<AccountId> {
        scope.require_developer()?;
        self.check_works_here(scope)?;
        if options.mode != scope.mode {
            return Err(Fault::invalid("mode", &format!("must be {}, in which you work", scope.mode)));
        }
        // A tenant's URL would have the gateway call whatever its network reaches.
        if options.base_url.is_some() && !matches!(scope.who, Who::Operator) {
            return Err(Fault::invalid("base_url", "is for the operator to set"));
        }
        let driver = check(&options, self.settings.allow_custom_live_hosts)?;
        let now = self.clock.now();
        let account_id = AccountId::generate(now);
        let texts: BTreeMap<&String, &str> =
            options.credentials.iter().map(|(name, secret)| (name, secret.expose())).collect();
        let secret = Secret::new(super::views::render(&texts));
        let account = ProviderAccount {
            account_id: account_id.clone(),
            tenant_id: scope.tenant_id.clone(),
            provider: driver.name.to_owned(),
            mode: options.mode,
            base_url: options.base_url,
            credentials_sealed: self.sealer.seal(credentials_place(&account_id), &secret),
            archived_at: None,
            created_at: now,
        };
        let scope = scope.clone();
        let plans = self.settings.plans.clone();
        self.write(Lane::Any, move |conn| insert(conn, &plans, &scope, &account, now)).await??;
        self.follow_own_change().await;
        Ok(account_id)
    }

    /// A tenant's accounts in one mode, oldest first, archived ones too; without credentials.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_provider_accounts_of(&self, scope: &Scope) -> Outcome<Vec<ProviderAccount>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| provider_accounts::of_tenant(conn, &tenant_id, mode)).await
    }

    /// Takes one of these accounts out of use for new payments; those that began with it end with it.
    ///
    /// # Errors
    /// 404; 403 for a viewer.
    pub async fn archive_provider_account_of(&self, scope: &Scope, account_id: &str) -> Outcome<()> {
        scope.require_developer()?;
        let not_found = || Fault::new(Code::NotFound, "there is no such account in use");
        let wanted = AccountId::parse(account_id).ok_or_else(not_found)?;
        let now = self.clock.now();
        let scope = scope.clone();
        let was_in_use = self
            .write(Lane::Any, move |conn| {
                let account = provider_accounts::find(conn, &wanted)?;
                let is_own =
                    |account: &ProviderAccount| account.tenant_id == scope.tenant_id && account.mode == scope.mode;
                if !account.as_ref().is_some_and(is_own) || !provider_accounts::archive(conn, &wanted, now)? {
                    return Ok(false);
                }
                let subject = Some(wanted.as_str());
                let deed = Deed { action: "provider_account.archived", subject, before: None, after: None };
                audit::record(conn, &scope, deed, now)?;
                install::bump_directory_version(conn)?;
                Ok(true)
            })
            .await?;
        self.follow_own_change().await;
        if was_in_use { Ok(()) } else { Err(not_found()) }
    }
}

fn insert(
    conn: &mut Conn,
    plans: &Plans,
    scope: &Scope,
    account: &ProviderAccount,
    now: Timestamp,
) -> StoreResult<Outcome<()>> {
    if account.mode == Mode::Live
        && let Some(step) = live_step_missing(conn, plans, &account.tenant_id)?
    {
        return Ok(Err(step));
    }
    let is_bounded = !matches!(scope.who, Who::Operator);
    if is_bounded && provider_accounts::count(conn, &account.tenant_id, account.mode)? >= MAX_ACCOUNTS {
        let reason = format!("would be more than {MAX_ACCOUNTS} accounts in mode {}", account.mode);
        return Ok(Err(Fault::invalid("account", &reason)));
    }
    provider_accounts::replace(conn, account)?;
    let after = Some(json!({ "provider": account.provider, "baseUrl": account.base_url }));
    let subject = Some(account.account_id.as_str());
    audit::record(conn, scope, Deed { action: "provider_account.added", subject, before: None, after }, now)?;
    install::bump_directory_version(conn)?;
    Ok(Ok(()))
}

fn check(options: &AccountOptions, allow_custom_live: bool) -> Outcome<&'static Driver> {
    let mut faults = Vec::new();
    let driver = Driver::named(&options.provider).filter(|driver| driver.host(options.mode).is_some());
    let Some(driver) = driver else {
        return Err(Fault::invalid("provider", "must be one that is called in this mode"));
    };
    for (name, secret) in &options.credentials {
        match driver.credentials.iter().find(|credential| credential.name == name) {
            None => faults.push(format!("{name}: {} has no such credential", driver.title)),
            Some(credential) if !(credential.is_well_formed)(secret.expose()) => {
                faults.push(format!("{name}: does not look like one: {}", credential.meaning));
            }
            Some(_) => {}
        }
    }
    if options.credentials.is_empty() {
        faults.push("credentials: are missing".to_owned());
    }
    faults.extend(driver.missing(&options.credentials).into_iter().map(|name| format!("{name}: is missing")));
    let base_url = options.base_url.as_deref();
    if let Some(fault) = base_url.and_then(|url| host_fault(driver, options.mode, url, allow_custom_live)) {
        faults.push(format!("base_url: {fault}"));
    }
    if faults.is_empty() {
        Ok(driver)
    } else {
        Err(Fault { messages: faults, ..Fault::invalid("account", "is not usable") })
    }
}
