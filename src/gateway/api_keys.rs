//! API keys of a tenant: made, listed, rotated, switched off and on, deleted. Requests that bring one are in `machines`.

use std::time::Duration;

use serde_json::{Value, json};

use super::audit::{self, Deed};
use super::onboarding::live_step_missing;
use super::{Gateway, Scope};
use crate::domain::api_keys::{SCOPES, key_prefix};
use crate::domain::fields::Fields;
use crate::domain::ids::KeyId;
use crate::domain::mode::Mode;
use crate::domain::plans::Plans;
use crate::domain::secrets::{Secret, random_hex};
use crate::domain::time::Timestamp;
use crate::domain::tokens::token_hash;
use crate::error::{Code, Fault, Outcome};
use crate::store::api_keys::{self, ApiKeyRow};
use crate::store::{Conn, Lane, Page, StoreResult};

/// Keys that a tenant may have in one mode: every process has them all in memory.
const MAX_KEYS: i64 = 200;

/// How long the old secret goes on working after a rotation, unless told, in seconds.
const OVERLAP_SECONDS: i64 = 24 * 3600;

/// The longest overlap, in seconds.
const MAX_OVERLAP_SECONDS: i64 = 30 * 24 * 3600;

/// The most requests a minute that a key can be limited to.
const MAX_REQUESTS_PER_MINUTE: i64 = 1_000_000;

/// What a new key shall be.
#[derive(Clone, Debug)]
pub struct KeyDraft {
    name: String,
    mode: Mode,
    scopes: Vec<String>,
}

impl KeyDraft {
    /// Reads the body of a request for a key.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        let name = fields.required_text("name", 1, 100).unwrap_or_default();
        let mode = fields.choice("environment", &Mode::ALL.map(|mode| (mode.as_str(), mode))).unwrap_or(Mode::Test);
        let scopes = match fields.raw("scopes").map(serde_json::from_str::<Vec<String>>) {
            None => vec!["*".to_owned()],
            Some(Ok(scopes)) if is_list_of_scopes(&scopes) => scopes,
            Some(_) => {
                fields.fault("scopes", &format!("must be a list of different ones of {}", SCOPES.join(", ")));
                Vec::new()
            }
        };
        fields.finish()?;
        Ok(Self { name, mode, scopes })
    }
}

fn is_list_of_scopes(scopes: &[String]) -> bool {
    let is_new = |index: usize| !scopes[..index].contains(&scopes[index]);
    let is_known = |scope: &String| SCOPES.contains(&scope.as_str());
    !scopes.is_empty() && scopes.iter().all(is_known) && (0..scopes.len()).all(is_new)
}

/// A change to a key; what is not given stays.
#[derive(Clone, Debug)]
pub struct KeyChange {
    name: Option<String>,
    is_active: Option<bool>,
    /// `Some(None)` takes the limit away.
    requests_per_minute: Option<Option<i32>>,
}

impl KeyChange {
    /// Reads the body of a change.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        let name = fields.text("name", 1, 100);
        let is_active = fields.boolean("active");
        let requests_per_minute = if fields.is_null("requestsPerMinute") {
            fields.raw("requestsPerMinute");
            Some(None)
        } else {
            let number = fields.integer("requestsPerMinute", 1, MAX_REQUESTS_PER_MINUTE);
            number.map(|number| i32::try_from(number).ok())
        };
        fields.finish()?;
        Ok(Self { name, is_active, requests_per_minute })
    }
}

/// Reads the body of a rotation: how long the old secret goes on working.
///
/// # Errors
/// 400.
pub fn read_overlap(body: &[u8]) -> Outcome<Duration> {
    let mut fields = Fields::of_body(body)?;
    let seconds = fields.integer("overlapSeconds", 0, MAX_OVERLAP_SECONDS).unwrap_or(OVERLAP_SECONDS);
    fields.finish()?;
    Ok(Duration::from_secs(seconds.unsigned_abs()))
}

/// A key with the secret that is shown this once.
#[derive(Debug)]
pub struct IssuedKey {
    /// The key.
    pub key: ApiKeyRow,
    /// What proves it.
    pub secret: Secret,
}

impl Gateway {
    /// Makes a key of the caller's tenant, in the mode that is asked for.
    ///
    /// # Errors
    /// 403 for a viewer, and in live naming the step that is missing; 421 for a mode that is not served here.
    pub async fn create_api_key(&self, scope: &Scope, draft: KeyDraft) -> Outcome<IssuedKey> {
        scope.require_developer()?;
        self.check_mode_is_served(draft.mode)?;
        let now = self.clock.now();
        let secret = Secret::generate();
        let key = ApiKeyRow {
            key_id: KeyId::generate(now),
            tenant_id: scope.tenant_id.clone(),
            mode: draft.mode,
            name: draft.name,
            public_key: format!("{}{}", key_prefix(draft.mode), random_hex(12)),
            secret_hash: token_hash(secret.expose()),
            previous_secret_hash: None,
            previous_secret_until: None,
            scopes: draft.scopes.join(","),
            requests_per_minute: None,
            last_used_at: None,
            disabled_at: None,
            deleted_at: None,
            created_at: now,
        };
        // The entry is about the key's mode, which need not be the caller's.
        let scope = Scope { mode: key.mode, ..scope.clone() };
        let (inserted, plans) = (key.clone(), self.settings.plans.clone());
        self.write(Lane::Any, move |conn| insert(conn, &plans, &scope, &inserted, now)).await??;
        Ok(IssuedKey { key, secret })
    }

    /// A page of the keys of the caller's tenant in his mode, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_api_keys(&self, scope: &Scope, cursor: Option<String>, limit: usize) -> Outcome<Page<ApiKeyRow>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| api_keys::list(conn, &tenant_id, mode, cursor.as_deref(), limit)).await
    }

    /// One of these keys.
    ///
    /// # Errors
    /// 404.
    pub async fn find_api_key(&self, scope: &Scope, key_id: &str) -> Outcome<ApiKeyRow> {
        let key_id = KeyId::parse(key_id).ok_or_else(no_such_key)?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let found = self.read(move |conn| api_keys::find(conn, &tenant_id, mode, &key_id)).await?;
        found.ok_or_else(no_such_key)
    }

    /// Gives a key a new secret. The old one works until `overlap` is over, or ends at once when it is zero.
    ///
    /// # Errors
    /// 403 for a viewer; 404.
    pub async fn rotate_api_key(&self, scope: &Scope, key_id: &str, overlap: Duration) -> Outcome<IssuedKey> {
        let secret = Secret::generate();
        let hash = token_hash(secret.expose());
        let until = self.clock.now().plus(overlap);
        let rotate = move |key: &mut ApiKeyRow, _: Timestamp| {
            let former = std::mem::replace(&mut key.secret_hash, hash.clone());
            key.previous_secret_hash = (!overlap.is_zero()).then_some(former);
            key.previous_secret_until = (!overlap.is_zero()).then_some(until);
        };
        let key = self.alter_key(scope, key_id, "api_key.rotated", rotate).await?;
        Ok(IssuedKey { key, secret })
    }

    /// Names a key anew, switches it off or on, or limits how often it may be used.
    ///
    /// # Errors
    /// 403 for a viewer; 404.
    pub async fn change_api_key(&self, scope: &Scope, key_id: &str, change: KeyChange) -> Outcome<ApiKeyRow> {
        let apply = move |key: &mut ApiKeyRow, now: Timestamp| {
            if let Some(name) = &change.name {
                key.name.clone_from(name);
            }
            match change.is_active {
                Some(true) => key.disabled_at = None,
                Some(false) => key.disabled_at = key.disabled_at.or(Some(now)),
                None => {}
            }
            if let Some(limit) = change.requests_per_minute {
                key.requests_per_minute = limit;
            }
        };
        self.alter_key(scope, key_id, "api_key.changed", apply).await
    }

    /// Deletes a key: it never works again, and is not shown any more.
    ///
    /// # Errors
    /// 403 for a viewer; 404.
    pub async fn delete_api_key(&self, scope: &Scope, key_id: &str) -> Outcome<()> {
        let delete = |key: &mut ApiKeyRow, now: Timestamp| key.deleted_at = Some(now);
        self.alter_key(scope, key_id, "api_key.deleted", delete).await.map(drop)
    }

    async fn alter_key<F>(&self, scope: &Scope, key_id: &str, action: &'static str, alter: F) -> Outcome<ApiKeyRow>
    where
        F: Fn(&mut ApiKeyRow, Timestamp) + Send + 'static,
    {
        scope.require_developer()?;
        let key_id = KeyId::parse(key_id).ok_or_else(no_such_key)?;
        let scope = scope.clone();
        let now = self.clock.now();
        let altered = self
            .write(Lane::Any, move |conn| {
                let Some(mut key) = api_keys::lock(conn, &scope.tenant_id, scope.mode, &key_id)? else {
                    return Ok(None);
                };
                let before = Some(told(&key));
                alter(&mut key, now);
                api_keys::save(conn, &key)?;
                let after = key.deleted_at.is_none().then(|| told(&key));
                audit::record(conn, &scope, Deed { action, subject: Some(key_id.as_str()), before, after }, now)?;
                Ok(Some(key))
            })
            .await?;
        self.follow_own_change().await;
        altered.ok_or_else(no_such_key)
    }
}

fn insert(conn: &mut Conn, plans: &Plans, scope: &Scope, key: &ApiKeyRow, now: Timestamp) -> StoreResult<Outcome<()>> {
    if key.mode == Mode::Live
        && let Some(step) = live_step_missing(conn, plans, &key.tenant_id)?
    {
        return Ok(Err(step));
    }
    if api_keys::count(conn, &key.tenant_id, key.mode)? >= MAX_KEYS {
        let reason = format!("would be more than {MAX_KEYS} keys in mode {}; delete one first", key.mode);
        return Ok(Err(Fault::invalid("key", &reason)));
    }
    api_keys::insert(conn, key)?;
    let deed =
        Deed { action: "api_key.created", subject: Some(key.key_id.as_str()), before: None, after: Some(told(key)) };
    audit::record(conn, scope, deed, now)?;
    Ok(Ok(()))
}

/// A key as the audit log has it.
fn told(key: &ApiKeyRow) -> Value {
    json!({
        "name": key.name, "publicKey": key.public_key, "scopes": key.scopes, "active": key.disabled_at.is_none(),
        "requestsPerMinute": key.requests_per_minute, "previousSecretUntil": key.previous_secret_until,
    })
}

fn no_such_key() -> Fault {
    Fault::new(Code::NotFound, "there is no such API key")
}
