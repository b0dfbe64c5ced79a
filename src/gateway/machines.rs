//! Requests with an API key: whose the key is, how often it may be used, and when it was. Nothing here asks the database
//! while a request waits, unless the request is about to be turned away.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use governor::{Quota, RateLimiter};

use super::limits::{self, Limiter};
use super::{Gateway, Scope, Who};
use crate::domain::api_keys::PresentedKey;
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::signing::equal_in_constant_time;
use crate::domain::time::Timestamp;
use crate::domain::tokens::token_hash;
use crate::error::{Code, Fault, Outcome};
use crate::store::api_keys::{self, ApiKeyRow};
use crate::store::{Lane, StoreError};

/// How exactly it is known when a key was last used.
const USE_INTERVAL: Duration = Duration::from_secs(60);

/// The hash of a secret that no one has.
const NOBODYS_HASH: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// A key that works, as a request meets it.
#[derive(Debug)]
pub(super) struct ApiKey {
    key_id: KeyId,
    tenant_id: TenantId,
    mode: Mode,
    scopes: Vec<String>,
    secret_hash: String,
    previous: Option<(String, Timestamp)>,
    limit: Option<(NonZeroU32, Arc<Limiter>)>,
    /// When a use of it was last noted, in Unix microseconds.
    noted_at: Arc<AtomicI64>,
}

impl ApiKey {
    /// The key of a row. What was counted of `former`, the same key before it was changed, still counts.
    pub(super) fn new(row: ApiKeyRow, former: Option<&Self>) -> Self {
        let per_minute = row.requests_per_minute.and_then(|number| NonZeroU32::new(u32::try_from(number).ok()?));
        let limit = per_minute.map(|number| {
            let counted = former.and_then(|former| former.limit.as_ref()).filter(|(before, _)| *before == number);
            let limiter = counted.map_or_else(
                || Arc::new(RateLimiter::direct(Quota::per_minute(number)).with_middleware()),
                |(_, limiter)| Arc::clone(limiter),
            );
            (number, limiter)
        });
        let noted_at = former.map_or_else(
            || Arc::new(AtomicI64::new(row.last_used_at.map_or(i64::MIN, Timestamp::unix_micros))),
            |former| Arc::clone(&former.noted_at),
        );
        Self {
            key_id: row.key_id,
            tenant_id: row.tenant_id,
            mode: row.mode,
            scopes: row.scopes.split(',').map(str::to_owned).collect(),
            secret_hash: row.secret_hash,
            previous: row.previous_secret_hash.zip(row.previous_secret_until),
            limit,
            noted_at,
        }
    }

    fn count(&self) -> Outcome<()> {
        let Some((number, limiter)) = &self.limit else { return Ok(()) };
        limits::note(limiter.check(), *number, "this key may be used less often; wait and try again")
    }
}

/// Keys that were used, and when: to be written down.
pub(super) type Uses = Mutex<HashMap<KeyId, Timestamp>>;

impl Gateway {
    /// Whose an API key is. It is checked in memory; only a key that is not good there has the database looked at, so
    /// that a new one works at once.
    ///
    /// # Errors
    /// 401 for a text that is no key, and for a key that is unknown, disabled, deleted or has another secret; 421 for a
    /// mode that is not served here; 429.
    pub async fn caller_of_key(&self, text: &str, address: Option<String>) -> Outcome<Scope> {
        let arrived = Instant::now();
        let presented = PresentedKey::parse(text)
            .ok_or_else(|| Fault::new(Code::InvalidApiKeyFormat, "an API key is pk_<mode>_<public>.<secret>"))?;
        self.check_mode_is_served(presented.mode)?;
        let hash = token_hash(presented.secret.expose());
        let key = match self.matching_key(&presented.public_key, &hash) {
            Some(key) => key,
            None => {
                self.refresh_directory_after(arrived).await;
                let found = self.matching_key(&presented.public_key, &hash);
                found.ok_or_else(|| Fault::new(Code::InvalidApiKey, "invalid API key"))?
            }
        };
        key.count()?;
        self.note_use(&key);
        let who = Who::Key { key_id: key.key_id.clone(), scopes: key.scopes.clone() };
        Ok(Scope { tenant_id: key.tenant_id.clone(), mode: key.mode, who, address })
    }

    fn matching_key(&self, public_key: &str, hash: &str) -> Option<Arc<ApiKey>> {
        let key = self.directory_key(public_key);
        // An unknown key is checked against hashes that no secret has, for the same work.
        let current = key.as_ref().map_or(NOBODYS_HASH, |key| &key.secret_hash);
        let now = self.clock.now();
        let previous = key.as_ref().and_then(|key| key.previous.as_ref()).filter(|(_, until)| now < *until);
        let previous = previous.map_or(NOBODYS_HASH, |(hash, _)| hash);
        let is_right = equal_in_constant_time(current, hash) | equal_in_constant_time(previous, hash);
        key.filter(|_| is_right)
    }

    fn note_use(&self, key: &ApiKey) {
        let now = self.clock.now();
        let noted_at = key.noted_at.load(Ordering::Relaxed);
        let is_due = noted_at == i64::MIN || now >= Timestamp::from_unix_micros(noted_at).plus(USE_INTERVAL);
        // Of many requests at once, one notes it.
        let swap = |from: i64| {
            key.noted_at.compare_exchange(from, now.unix_micros(), Ordering::Relaxed, Ordering::Relaxed).is_ok()
        };
        if is_due && swap(noted_at) {
            self.key_uses.lock().unwrap_or_else(PoisonError::into_inner).insert(key.key_id.clone(), now);
        }
    }

    /// Writes down which keys were used since the last time, and says how many.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn record_key_uses(&self) -> Outcome<usize> {
        let uses = std::mem::take(&mut *self.key_uses.lock().unwrap_or_else(PoisonError::into_inner));
        let number = uses.len();
        if number > 0 {
            self.write(Lane::Any, move |conn| {
                uses.iter().try_for_each(|(key_id, moment)| api_keys::note_use(conn, key_id, *moment))?;
                Ok::<(), StoreError>(())
            })
            .await?;
        }
        Ok(number)
    }
}
