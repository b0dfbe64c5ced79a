//! API keys of tenants. A secret is stored as its SHA-256 alone.

use diesel::prelude::*;

use super::install::bump_directory_version;
use super::page::Page;
use super::schema::api_keys;
use super::sql::for_update;
use super::{Conn, StoreResult};
use crate::domain::ids::{KeyId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `api_keys`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub struct ApiKeyRow {
    pub key_id: KeyId,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub name: String,
    /// `pk_<mode>_<public>`.
    pub public_key: String,
    pub secret_hash: String,
    pub previous_secret_hash: Option<String>,
    pub previous_secret_until: Option<Timestamp>,
    /// Separated by commas.
    pub scopes: String,
    pub requests_per_minute: Option<i32>,
    pub last_used_at: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub deleted_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Adds a key.
pub fn insert(conn: &mut Conn, key: &ApiKeyRow) -> StoreResult<()> {
    diesel::insert_into(api_keys::table).values(key).execute(conn)?;
    bump_directory_version(conn)
}

/// Every key that works.
pub fn usable(conn: &mut Conn) -> StoreResult<Vec<ApiKeyRow>> {
    Ok(api_keys::table.filter(api_keys::disabled_at.is_null()).filter(api_keys::deleted_at.is_null()).load(conn)?)
}

/// A page of a tenant's keys in one mode, newest first, without deleted ones.
pub fn list(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<ApiKeyRow>> {
    let mut query = api_keys::table
        .filter(api_keys::tenant_id.eq(tenant_id))
        .filter(api_keys::mode.eq(mode))
        .filter(api_keys::deleted_at.is_null())
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(api_keys::key_id.lt(before.to_owned()));
    }
    let rows = query.order(api_keys::key_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |key: &ApiKeyRow| key.key_id.to_string()))
}

/// How many keys a tenant has in one mode, without deleted ones.
pub fn count(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<i64> {
    let own = api_keys::table.filter(api_keys::tenant_id.eq(tenant_id)).filter(api_keys::mode.eq(mode));
    Ok(own.filter(api_keys::deleted_at.is_null()).count().get_result(conn)?)
}

/// A tenant's key in one mode, unless it is deleted.
pub fn find(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, key_id: &KeyId) -> StoreResult<Option<ApiKeyRow>> {
    let own = api_keys::table.find(key_id).filter(api_keys::tenant_id.eq(tenant_id)).filter(api_keys::mode.eq(mode));
    Ok(own.filter(api_keys::deleted_at.is_null()).get_result(conn).optional()?)
}

/// As [`find`], and nobody else changes it until the transaction ends.
pub fn lock(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, key_id: &KeyId) -> StoreResult<Option<ApiKeyRow>> {
    let own = api_keys::table.find(key_id).filter(api_keys::tenant_id.eq(tenant_id)).filter(api_keys::mode.eq(mode));
    Ok(for_update(own.filter(api_keys::deleted_at.is_null())).get_result(conn).optional()?)
}

/// Records what has changed of a key.
pub fn save(conn: &mut Conn, key: &ApiKeyRow) -> StoreResult<()> {
    diesel::update(api_keys::table.find(&key.key_id))
        .set((
            api_keys::name.eq(&key.name),
            api_keys::secret_hash.eq(&key.secret_hash),
            api_keys::previous_secret_hash.eq(&key.previous_secret_hash),
            api_keys::previous_secret_until.eq(key.previous_secret_until),
            api_keys::requests_per_minute.eq(key.requests_per_minute),
            api_keys::disabled_at.eq(key.disabled_at),
            api_keys::deleted_at.eq(key.deleted_at),
        ))
        .execute(conn)?;
    bump_directory_version(conn)
}

/// Notes that a key was used at `moment`, unless another process has noted a later use.
pub fn note_use(conn: &mut Conn, key_id: &KeyId, moment: Timestamp) -> StoreResult<()> {
    let is_later = api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(moment));
    diesel::update(api_keys::table.find(key_id).filter(is_later.assume_not_null()))
        .set(api_keys::last_used_at.eq(moment))
        .execute(conn)?;
    Ok(())
}
