//! Tenants' own accounts at providers: added, listed, taken out of use. Credentials go in and never come out.

use std::collections::BTreeMap;

use super::Gateway;
use super::rails::credentials_place;
use crate::config::host_fault;
use crate::domain::ids::AccountId;
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::error::{Code, Fault, Outcome};
use crate::psp::Driver;
use crate::store::provider_accounts::ProviderAccount;
use crate::store::{Lane, install, provider_accounts, tenants};

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
    /// Adds an account of the operator's own tenant, in the place of the one that it has for this provider and mode.
    /// It wins over the gateway's.
    ///
    /// # Errors
    /// 400 naming everything that is not as it must be.
    pub async fn add_provider_account(&self, options: AccountOptions) -> Outcome<AccountId> {
        let driver = check(&options, self.settings.allow_custom_live_hosts)?;
        let now = self.clock.now();
        let account_id = AccountId::generate(now);
        let texts: BTreeMap<&String, &str> =
            options.credentials.iter().map(|(name, secret)| (name, secret.expose())).collect();
        let secret = Secret::new(super::views::render(&texts));
        let credentials_sealed = self.sealer.seal(credentials_place(&account_id), &secret);
        let added = account_id.clone();
        self.write(Lane::Any, move |conn| {
            let account = ProviderAccount {
                account_id: added.clone(),
                tenant_id: tenants::operator(conn, super::apps::DEFAULT_TENANT, now)?,
                provider: driver.name.to_owned(),
                mode: options.mode,
                base_url: options.base_url.clone(),
                credentials_sealed: credentials_sealed.clone(),
                archived_at: None,
                created_at: now,
            };
            provider_accounts::replace(conn, &account)?;
            install::bump_directory_version(conn)
        })
        .await?;
        Ok(account_id)
    }

    /// Every account, oldest first; without credentials.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_provider_accounts(&self) -> Outcome<Vec<ProviderAccount>> {
        self.read(provider_accounts::all).await
    }

    /// Takes an account out of use for new payments; those that began with it end with it.
    ///
    /// # Errors
    /// 404.
    pub async fn archive_provider_account(&self, account_id: &str) -> Outcome<()> {
        let not_found = || Fault::new(Code::NotFound, "there is no such account in use");
        let wanted = AccountId::parse(account_id).ok_or_else(not_found)?;
        let now = self.clock.now();
        let was_in_use = self
            .write(Lane::Any, move |conn| {
                let was_in_use = provider_accounts::archive(conn, &wanted, now)?;
                install::bump_directory_version(conn)?;
                Ok(was_in_use)
            })
            .await?;
        if was_in_use { Ok(()) } else { Err(not_found()) }
    }
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
