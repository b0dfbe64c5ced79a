//! The accounts at providers that this process can call: the gateway's own from the settings, and tenants' own from the
//! database. Which one a payment goes to is decided in `routing`; what is said over it in `psp`.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use super::Gateway;
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::ids::{AccountId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::secrets::{Place, Sealer, Secret};
use crate::error::{Code, Fault, Outcome};
use crate::psp::http::{self, Health, Http};
use crate::psp::{Account, Driver, Failure, Psp};
use crate::store::payments::Attempt;
use crate::store::provider_accounts::ProviderAccount;

/// One account that can be called.
pub(super) struct Rail {
    pub driver: &'static Driver,
    pub mode: Mode,
    /// The tenant's own account; the gateway's when absent.
    pub owner: Option<(AccountId, TenantId)>,
    /// No new payments go to an archived one; those that began with it end with it.
    pub is_archived: bool,
    pub host: String,
    pub psp: Arc<dyn Psp>,
    http: Http,
}

impl Rail {
    pub(super) fn account_id(&self) -> Option<&AccountId> {
        self.owner.as_ref().map(|(account_id, _)| account_id)
    }

    /// Whether an attempt was made over this account.
    pub(super) fn carries(&self, attempt: &Attempt) -> bool {
        self.driver.name == attempt.provider
            && self.mode == attempt.mode
            && self.account_id() == attempt.account_id.as_ref()
    }

    pub(super) fn health(&self) -> Health {
        self.http.health()
    }
}

/// Every account that can be called.
pub(super) struct Rails {
    client: http::Client,
    clock: Clock,
    all: RwLock<Arc<Vec<Arc<Rail>>>>,
}

impl Rails {
    /// The gateway's own accounts. Tenants' come with the directory.
    pub(super) fn new(settings: &Settings, clock: &Clock) -> Result<Self, http::ClientError> {
        let client = match settings.provider_timeout {
            Some(timeout) => http::client_with(timeout)?,
            None => http::client()?,
        };
        let rails = Self { client, clock: clock.clone(), all: RwLock::default() };
        let own: Vec<Arc<Rail>> = settings
            .providers
            .iter()
            .filter(|provider| !provider.credentials.is_empty() && settings.modes.contains(&provider.mode))
            .filter_map(|provider| {
                let (driver, mode) = (provider.driver, provider.mode);
                rails.connect(driver, mode, provider.base_url.clone(), provider.credentials.clone(), None, false)
            })
            .collect();
        *rails.all.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(own);
        Ok(rails)
    }

    fn connect(
        &self,
        driver: &'static Driver,
        mode: Mode,
        base_url: Option<String>,
        credentials: BTreeMap<String, Secret>,
        owner: Option<(AccountId, TenantId)>,
        is_archived: bool,
    ) -> Option<Arc<Rail>> {
        let connect = driver.connect?;
        let base_url = base_url.or_else(|| Some(format!("https://{}", driver.host(mode)?)))?;
        let host = super::health::host_of(&base_url).to_owned();
        let http = Http::new(self.client.clone(), self.clock.clone());
        let psp = connect(Account { mode, base_url, credentials }, http.clone());
        Some(Arc::new(Rail { driver, mode, owner, is_archived, host, psp, http }))
    }

    fn all(&self) -> Arc<Vec<Arc<Rail>>> {
        Arc::clone(&self.all.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes over tenants' accounts as they are now. One that is known keeps its connections and its token.
    pub(super) fn refresh(&self, rows: Vec<ProviderAccount>, sealer: &Sealer) {
        let known = self.all();
        let mut rails: Vec<Arc<Rail>> = known.iter().filter(|rail| rail.owner.is_none()).cloned().collect();
        for row in rows {
            let is_archived = row.archived_at.is_some();
            let same = known.iter().find(|rail| rail.account_id() == Some(&row.account_id));
            match same {
                Some(rail) if rail.is_archived == is_archived => rails.push(Arc::clone(rail)),
                _ => rails.extend(self.open(row, sealer, is_archived)),
            }
        }
        *self.all.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rails);
    }

    fn open(&self, row: ProviderAccount, sealer: &Sealer, is_archived: bool) -> Option<Arc<Rail>> {
        let driver = Driver::named(&row.provider)?;
        let opened = sealer.open(credentials_place(&row.account_id), &row.credentials_sealed);
        let texts = opened.ok().and_then(|secret| {
            let texts: BTreeMap<String, String> = serde_json::from_str(secret.expose()).ok()?;
            Some(texts)
        });
        let Some(texts) = texts else {
            tracing::error!(account = %row.account_id, "a provider account's credentials do not open; it cannot be used");
            return None;
        };
        let credentials = texts.into_iter().map(|(name, text)| (name, Secret::new(text))).collect();
        let owner = Some((row.account_id, row.tenant_id));
        self.connect(driver, row.mode, row.base_url, credentials, owner, is_archived)
    }

    /// Where a payment of `tenant` by this provider goes: the tenant's own account before the gateway's.
    pub(super) fn of_tenant(&self, tenant: &TenantId, driver: &Driver, mode: Mode) -> Option<Arc<Rail>> {
        let all = self.all();
        let fits = |rail: &&Arc<Rail>| rail.driver.name == driver.name && rail.mode == mode && !rail.is_archived;
        let own = all.iter().filter(fits).find(|rail| rail.owner.as_ref().is_some_and(|(_, owner)| owner == tenant));
        own.or_else(|| all.iter().filter(fits).find(|rail| rail.owner.is_none())).cloned()
    }

    /// The account that an attempt was made over.
    pub(super) fn of_attempt(&self, attempt: &Attempt) -> Option<Arc<Rail>> {
        self.all().iter().find(|rail| rail.carries(attempt)).cloned()
    }

    /// The accounts that can have sent a webhook to this address.
    pub(super) fn of_webhook(&self, driver: &Driver, mode: Option<Mode>, account: Option<&str>) -> Vec<Arc<Rail>> {
        let is_addressed = |rail: &&Arc<Rail>| {
            rail.driver.name == driver.name
                && mode.is_none_or(|mode| rail.mode == mode)
                && rail.account_id().map(AccountId::as_str) == account
        };
        self.all().iter().filter(is_addressed).cloned().collect()
    }

    /// The gateway's own account at a provider.
    pub(super) fn own(&self, driver: &Driver, mode: Mode) -> Option<Arc<Rail>> {
        let all = self.all();
        let own = all.iter().find(|rail| rail.driver.name == driver.name && rail.mode == mode && rail.owner.is_none());
        own.cloned()
    }
}

/// Where a provider account's credentials are sealed for.
pub(super) fn credentials_place(account_id: &AccountId) -> Place<'_> {
    Place { table: "provider_accounts", row: account_id.as_str(), column: "credentials" }
}

/// What a failure is answered with, when nothing else can be said.
pub(super) fn unavailable(failure: &Failure) -> Fault {
    let detail = "the provider could not be reached and nothing was charged; retry with the same key";
    match failure {
        Failure::NotSent { retry_after: Some(wait), .. } => {
            Fault::retry_after(Code::ProviderUnavailable, detail, *wait)
        }
        _ => Fault::retry_after(Code::ProviderUnavailable, detail, std::time::Duration::from_secs(5)),
    }
}

/// What asking a provider whether it knows an account's credentials came to.
#[derive(Debug)]
pub struct Checked {
    /// Name of the provider.
    pub provider: &'static str,
    /// The mode.
    pub mode: Mode,
    /// The host that was asked.
    pub host: String,
    /// The class of what went wrong.
    pub fault: Option<String>,
}

impl Gateway {
    /// Asks every provider whether it knows the credentials that it is called with.
    pub async fn check_providers(&self) -> Vec<Checked> {
        let now = self.clock.now();
        let rails = self.rails.all();
        let checks = rails.iter().filter(|rail| !rail.is_archived).map(|rail| async move {
            let fault = match rail.psp.check(now).await {
                Ok(()) => None,
                Err(Failure::Refused { reason }) => Some(reason),
                Err(failure) => Some(failure.class().to_owned()),
            };
            Checked { provider: rail.driver.name, mode: rail.mode, host: rail.host.clone(), fault }
        });
        futures_util::future::join_all(checks).await
    }

    /// The account that an attempt was made over.
    pub(super) fn rail_of(&self, attempt: &Attempt) -> Outcome<Arc<Rail>> {
        self.rails.of_attempt(attempt).ok_or_else(|| {
            let (provider, mode) = (&attempt.provider, attempt.mode);
            tracing::error!(provider, %mode, payment = %attempt.payment_id, "no credentials for a payment that is under way");
            Fault::new(Code::ProviderUnavailable, "the provider's credentials for this payment are not configured any more")
        })
    }
}
