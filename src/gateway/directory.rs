//! The apps and their keys in memory, so that a request is authenticated without a query.
//!
//! Another process (the CLI, another node) may change them: a number in the database changes with them, and is looked
//! at every half second, and before any request is turned away. So a new key works at once, and turning away a known
//! key costs what turning away an unknown one costs.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::machines::ApiKey;
use super::{Gateway, Scope};
use crate::domain::customers::KycLimits;
use crate::domain::ids::{AppId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::secrets::{Place, Sealer, Secret};
use crate::domain::signing::{MAX_SKEW_SECONDS, equal_in_constant_time, request_signature};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::api_keys::ApiKeyRow;
use crate::store::apps::AppRow;
use crate::store::provider_accounts::ProviderAccount;
use crate::store::tenants::Standing;
use crate::store::{StoreResult, api_keys, apps, install, provider_accounts, tenants};

/// The least time between two looks at the database that rejected requests can cause.
const REFRESH_INTERVAL: Duration = Duration::from_millis(20);

/// An app, as a request of its meets it.
#[derive(Debug)]
pub struct App {
    /// Its id.
    pub app_id: AppId,
    /// Whose it is.
    pub tenant_id: TenantId,
    /// Its name, for people.
    pub name: String,
    /// Its one mode.
    pub mode: Mode,
    /// Its public key.
    pub public_key: String,
    /// Providers that it may use; all when `None`.
    pub allowed_providers: Option<Vec<String>>,
    /// Methods that it may use of the providers named here, as (provider, method).
    pub allowed_methods: Vec<(String, String)>,
    /// Whether a request with a query string must sign it.
    pub require_signed_query: bool,
    /// Above which amounts its buyers must be approved.
    pub(super) kyc_above: KycLimits,
    /// Whether its tenant is suspended.
    pub(super) is_suspended: bool,
    /// Whether it is live and not the operator's own.
    pub(super) needs_approval: bool,
    /// Set once its tenant was found to be approved for live.
    pub(super) is_approved: AtomicBool,
    secret: Secret,
    previous_secret: Option<(Secret, Timestamp)>,
}

/// What a signed request brings besides its body.
#[derive(Clone, Debug)]
pub struct SignedHead {
    /// `X-PAY-Key`.
    pub public_key: String,
    /// `X-PAY-Timestamp`, as it was sent.
    pub timestamp: String,
    /// `X-PAY-Signature`.
    pub signature: String,
    /// The method.
    pub method: String,
    /// The raw path of the request line.
    pub path: String,
    /// The query string, if there is one.
    pub query: Option<String>,
}

/// A signed request whose effect lasts, so that it can be asked again whether it is good.
#[derive(Clone, Debug)]
pub struct Proof {
    /// What it brought.
    pub head: SignedHead,
    /// The digest of its body.
    pub body_sha256: [u8; 32],
}

/// That a proof is good by the secrets that an app has.
pub(super) struct Validity {
    /// The app, with these secrets.
    pub app: Arc<App>,
    /// When the secret ends that it was signed with, where a newer one has replaced it.
    pub until: Option<Timestamp>,
}

#[derive(Default)]
pub(super) struct Directory {
    apps: RwLock<Arc<Apps>>,
    refreshed: tokio::sync::Mutex<Option<Instant>>,
    taking_over: Mutex<()>,
}

#[derive(Default)]
struct Apps {
    version: i64,
    by_key: HashMap<String, Arc<App>>,
    by_id: HashMap<AppId, Arc<App>>,
    api_keys: HashMap<String, Arc<ApiKey>>,
}

impl Directory {
    fn apps(&self) -> Arc<Apps> {
        Arc::clone(&self.apps.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Gateway {
    /// Checks who sent a request, in the order of the documentation, and answers with the app and the timestamp.
    ///
    /// # Errors
    /// The 401s of signed requests, and 421 for a key of a mode that is not served here.
    pub async fn authenticate(&self, head: &SignedHead, body_sha256: &[u8; 32]) -> Outcome<(Arc<App>, i64)> {
        let arrived = Instant::now();
        if let Some(found) = self.matching_app(head, body_sha256) {
            return Ok(found);
        }
        self.refresh_directory_after(arrived).await;
        self.matching_app(head, body_sha256).ok_or_else(|| Fault::new(Code::BadSignature, "bad signature"))
    }

    /// Checks what needs no secret: the timestamp, and that the key's mode is served here.
    ///
    /// # Errors
    /// 401 and 421.
    pub fn check_head(&self, head: &SignedHead) -> Outcome<()> {
        let timestamp: i64 = head.timestamp.parse().map_err(|_| Fault::new(Code::BadTimestamp, "bad timestamp"))?;
        if timestamp.abs_diff(self.clock.now().unix_seconds()) > MAX_SKEW_SECONDS.unsigned_abs() {
            return Err(Fault::new(Code::TimestampOutOfRange, "timestamp out of range"));
        }
        Mode::of_public_key(&head.public_key).map_or(Ok(()), |mode| self.check_mode_is_served(mode))
    }

    /// Refuses a mode that this process does not serve.
    ///
    /// # Errors
    /// 421 saying where it is served, where that is known.
    pub fn check_mode_is_served(&self, mode: Mode) -> Outcome<()> {
        if self.settings.modes.contains(&mode) {
            return Ok(());
        }
        let url = self.settings.mode_urls.get(&mode);
        let hint = url.map_or_else(String::new, |url| format!("; use {url}"));
        let detail = format!("this server does not serve mode {mode}{hint}");
        Err(Fault { elsewhere: Some(Box::new((mode, url.cloned()))), ..Fault::new(Code::ModeNotServed, detail) })
    }

    fn matching_app(&self, head: &SignedHead, body_sha256: &[u8; 32]) -> Option<(Arc<App>, i64)> {
        let timestamp = head.timestamp.parse().ok()?;
        let apps = self.directory.apps();
        let app = apps.by_key.get(&head.public_key);
        // An unknown key is checked against a secret that no one has, for the same work.
        let secret = app.map_or(&self.mock_key, |app| &app.secret);
        let now = self.clock.now();
        let previous = app.and_then(|app| app.previous_secret.as_ref()).filter(|(_, until)| now < *until);
        let targets = self.signed_targets(head, app);
        let fits = |secret: &Secret| {
            targets.iter().flatten().any(|target| {
                let expected = request_signature(secret.expose(), timestamp, &head.method, target, body_sha256);
                equal_in_constant_time(&expected, &head.signature)
            })
        };
        let is_signed = fits(secret) || fits(previous.map_or(&self.mock_key, |(secret, _)| secret));
        app.filter(|_| is_signed).map(|app| (Arc::clone(app), timestamp))
    }

    /// Whether a proof is good now, however long ago it was signed.
    pub(super) fn validity(&self, app_id: &AppId, proof: &Proof) -> Option<Validity> {
        let Proof { head, body_sha256 } = proof;
        let app = self.app(app_id).filter(|app| app.public_key == head.public_key)?;
        let timestamp = head.timestamp.parse().ok()?;
        let targets = self.signed_targets(head, Some(&app));
        let fits = |secret: &Secret| {
            targets.iter().flatten().any(|target| {
                let expected = request_signature(secret.expose(), timestamp, &head.method, target, body_sha256);
                equal_in_constant_time(&expected, &head.signature)
            })
        };
        if fits(&app.secret) {
            return Some(Validity { app, until: None });
        }
        let until = app.previous_secret.as_ref().filter(|(secret, _)| fits(secret)).map(|(_, until)| *until)?;
        (self.clock.now() < until).then_some(Validity { app, until: Some(until) })
    }

    /// Whether that needs no other look: the app has not changed since, and the secret has not ended.
    pub(super) fn still_holds(&self, validity: &Validity) -> bool {
        let is_same = self.app(&validity.app.app_id).is_some_and(|app| Arc::ptr_eq(&app, &validity.app));
        is_same && validity.until.is_none_or(|until| self.clock.now() < until)
    }

    /// The texts that the signature may cover in the place of the path.
    fn signed_targets(&self, head: &SignedHead, app: Option<&Arc<App>>) -> [Option<String>; 2] {
        match &head.query {
            None => [Some(head.path.clone()), None],
            Some(query) => {
                let path_alone = !app.is_some_and(|app| app.require_signed_query);
                [Some(format!("{}?{query}", head.path)), path_alone.then(|| head.path.clone())]
            }
        }
    }

    /// The app with this id.
    pub(super) fn app(&self, app_id: &AppId) -> Option<Arc<App>> {
        self.directory.apps().by_id.get(app_id).cloned()
    }

    /// The API key that works under this public key.
    pub(super) fn directory_key(&self, public_key: &str) -> Option<Arc<ApiKey>> {
        self.directory.apps().api_keys.get(public_key).cloned()
    }

    /// An app of a tenant, an archived one too; `None` for another's, and for one of another mode.
    pub(super) async fn app_in(&self, scope: &Scope, app_id: &AppId) -> Outcome<Option<Arc<App>>> {
        let is_theirs = |app: &App| app.tenant_id == scope.tenant_id && app.mode == scope.mode;
        if let Some(app) = self.app(app_id) {
            return Ok(Some(app).filter(|app| is_theirs(app)));
        }
        let wanted = app_id.clone();
        let Some(row) = self.read(move |conn| apps::find(conn, wanted.as_str())).await? else { return Ok(None) };
        // It is archived: it can start nothing, and so has no standing.
        let app = open_app(row, None, &self.sealer).map_err(|_| Fault::new(Code::InternalError, "internal error"))?;
        Ok(Some(Arc::new(app)).filter(|app| is_theirs(app)))
    }

    /// Looks whether apps or keys were changed elsewhere, and loads them if so.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refresh_directory(&self) -> StoreResult<()> {
        loop {
            let known = self.directory.apps().version;
            let loaded = self
                .store
                .read(move |conn| {
                    let version = install::directory_version(conn)?;
                    if version == known {
                        return Ok(None);
                    }
                    let rows = Rows {
                        apps: apps::in_use(conn)?,
                        api_keys: api_keys::usable(conn)?,
                        standings: tenants::standings(conn)?,
                        accounts: provider_accounts::all(conn)?,
                    };
                    Ok(Some((version, rows)))
                })
                .await?;
            let Some((version, rows)) = loaded else { return Ok(()) };
            if self.take_over(known, version, rows) {
                return Ok(());
            }
        }
    }

    /// Takes over what was loaded because the directory was at `known`; says whether it still was. Of two looks at once,
    /// the one that saw less could otherwise be the last.
    fn take_over(&self, known: i64, version: i64, mut rows: Rows) -> bool {
        let _taking_over = self.directory.taking_over.lock().unwrap_or_else(PoisonError::into_inner);
        let former = self.directory.apps();
        if former.version != known {
            return false;
        }
        self.rails.refresh(std::mem::take(&mut rows.accounts), &self.sealer);
        let fresh = build(version, rows, &former, &self.sealer);
        *self.directory.apps.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
        true
    }

    /// After a change of this process's own: what was revoked stops working here at once.
    pub(super) async fn follow_own_change(&self) {
        if let Err(error) = self.refresh_directory().await {
            tracing::warn!(%error, "apps and keys could not be looked up after a change; they will be within a second");
        }
    }

    /// As [`Gateway::refresh_directory`], unless that was begun after `arrived`: however many requests are turned away,
    /// they share the looks.
    pub(super) async fn refresh_directory_after(&self, arrived: Instant) {
        let mut refreshed = self.directory.refreshed.lock().await;
        if refreshed.is_some_and(|begun| begun > arrived) {
            return;
        }
        if let Some(begun) = *refreshed {
            tokio::time::sleep_until((begun + REFRESH_INTERVAL).into()).await;
        }
        let begun = Instant::now();
        if let Err(error) = self.refresh_directory().await {
            tracing::warn!(%error, "apps and keys could not be looked up");
        }
        *refreshed = Some(begun);
    }
}

/// What the directory is made of.
struct Rows {
    apps: Vec<AppRow>,
    api_keys: Vec<ApiKeyRow>,
    /// Tenants that are suspended or the operator's own.
    standings: Vec<Standing>,
    accounts: Vec<ProviderAccount>,
}

fn build(version: i64, rows: Rows, former: &Apps, sealer: &Sealer) -> Apps {
    let mut apps = Apps { version, ..Apps::default() };
    for row in rows.api_keys {
        let public_key = row.public_key.clone();
        let known = former.api_keys.get(&public_key).map(Arc::as_ref);
        let key = ApiKey::new(row, known);
        apps.api_keys.insert(public_key, Arc::new(key));
    }
    let standings: HashMap<TenantId, Standing> =
        rows.standings.into_iter().map(|standing| (standing.tenant_id.clone(), standing)).collect();
    for row in rows.apps {
        let app_id = row.app_id.clone();
        let standing = standings.get(&row.tenant_id);
        match open_app(row, standing, sealer) {
            Ok(app) => {
                let app = Arc::new(app);
                apps.by_key.insert(app.public_key.clone(), Arc::clone(&app));
                apps.by_id.insert(app_id, app);
            }
            Err(error) => tracing::error!(%app_id, %error, "an app's secret does not open; its key will not work"),
        }
    }
    apps
}

fn open_app(
    row: AppRow,
    standing: Option<&Standing>,
    sealer: &Sealer,
) -> Result<App, crate::domain::secrets::CannotOpen> {
    let open = |sealed: &str| sealer.open(Place { table: "apps", row: row.app_id.as_str(), column: "secret" }, sealed);
    let secret = open(&row.secret_sealed)?;
    let previous_secret = match (&row.previous_secret_sealed, row.previous_secret_until) {
        (Some(sealed), Some(until)) => Some((open(sealed)?, until)),
        _ => None,
    };
    let words =
        |list: &Option<String>| list.as_ref().map(|list| list.split(',').map(str::to_owned).collect::<Vec<_>>());
    let kyc_above = KycLimits::of_stored(row.kyc_above.as_deref());
    let pairs = words(&row.allowed_methods).unwrap_or_default();
    let allowed_methods = pairs
        .iter()
        .filter_map(|pair| pair.split_once('=').map(|(provider, method)| (provider.to_owned(), method.to_owned())))
        .collect();
    Ok(App {
        allowed_providers: words(&row.allowed_providers),
        allowed_methods,
        app_id: row.app_id,
        tenant_id: row.tenant_id,
        name: row.name,
        mode: row.mode,
        public_key: row.public_key,
        require_signed_query: row.require_signed_query,
        kyc_above,
        is_suspended: standing.is_some_and(|standing| standing.is_suspended),
        needs_approval: row.mode == Mode::Live && !standing.is_some_and(|standing| standing.is_operator),
        is_approved: AtomicBool::new(false),
        secret,
        previous_secret,
    })
}
