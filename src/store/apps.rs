//! Apps and their keys.

use diesel::prelude::*;

use super::install::bump_directory_version;
use super::schema::apps;
use super::sql::{for_update, inside};
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `apps`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = apps, treat_none_as_default_value = false)]
pub struct AppRow {
    pub app_id: AppId,
    pub tenant_id: TenantId,
    pub name: String,
    pub mode: Mode,
    pub public_key: String,
    pub secret_sealed: String,
    pub previous_secret_sealed: Option<String>,
    pub previous_secret_until: Option<Timestamp>,
    pub allowed_providers: Option<String>,
    pub allowed_methods: Option<String>,
    pub require_signed_query: bool,
    pub archived_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub kyc_above: Option<String>,
}

/// Adds an app.
pub fn insert(conn: &mut Conn, app: &AppRow) -> StoreResult<()> {
    diesel::insert_into(apps::table).values(app).execute(conn)?;
    bump_directory_version(conn)
}

/// Whose an app is.
pub fn tenant_of(conn: &mut Conn, app_id: &AppId) -> StoreResult<Option<TenantId>> {
    let tenant = apps::table.find(app_id).select(apps::tenant_id);
    Ok(inside!(conn, |inner| tenant.get_result(inner).optional())?)
}

/// Every app, oldest first, archived ones too.
pub fn all(conn: &mut Conn) -> StoreResult<Vec<AppRow>> {
    Ok(apps::table.order(apps::app_id).load(conn)?)
}

/// Every app that is in use.
pub fn in_use(conn: &mut Conn) -> StoreResult<Vec<AppRow>> {
    Ok(apps::table.filter(apps::archived_at.is_null()).load(conn)?)
}

/// A tenant's apps of one mode, oldest first, archived ones too.
pub fn of_tenant(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Vec<AppRow>> {
    let own = apps::table.filter(apps::tenant_id.eq(tenant_id)).filter(apps::mode.eq(mode));
    Ok(own.order(apps::app_id).load(conn)?)
}

/// How many apps of one mode a tenant has, archived ones too.
pub fn count(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<i64> {
    let own = apps::table.filter(apps::tenant_id.eq(tenant_id)).filter(apps::mode.eq(mode));
    Ok(own.count().get_result(conn)?)
}

/// A tenant's app of one mode, by its id or public key.
pub fn find_of(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, id_or_key: &str) -> StoreResult<Option<AppRow>> {
    let app = find(conn, id_or_key)?;
    Ok(app.filter(|app| app.tenant_id == *tenant_id && app.mode == mode))
}

/// As [`find_of`], and nobody else changes it until the transaction ends.
pub fn lock_of(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, id_or_key: &str) -> StoreResult<Option<AppRow>> {
    let Some(app) = find_of(conn, tenant_id, mode, id_or_key)? else { return Ok(None) };
    Ok(for_update(apps::table.find(app.app_id)).get_result(conn).optional()?)
}

/// The app with this id or public key.
pub fn find(conn: &mut Conn, id_or_key: &str) -> StoreResult<Option<AppRow>> {
    let named = apps::table.filter(apps::app_id.eq(id_or_key).or(apps::public_key.eq(id_or_key)));
    Ok(named.first(conn).optional()?)
}

/// Archives an app; its key stops working.
pub fn archive(conn: &mut Conn, app_id: &AppId, now: Timestamp) -> StoreResult<()> {
    diesel::update(apps::table.find(app_id)).set(apps::archived_at.eq(now)).execute(conn)?;
    bump_directory_version(conn)
}

/// Sets the amounts above which an app's buyers must be approved.
pub fn set_kyc_above(conn: &mut Conn, app_id: &AppId, limits: Option<&str>) -> StoreResult<()> {
    diesel::update(apps::table.find(app_id)).set(apps::kyc_above.eq(limits)).execute(conn)?;
    bump_directory_version(conn)
}

/// Gives an app a new secret; the old one works until `until`.
pub fn rotate(
    conn: &mut Conn,
    app_id: &AppId,
    secret_sealed: &str,
    previous: Option<(&str, Timestamp)>,
) -> StoreResult<()> {
    diesel::update(apps::table.find(app_id))
        .set((
            apps::secret_sealed.eq(secret_sealed),
            apps::previous_secret_sealed.eq(previous.map(|(sealed, _)| sealed)),
            apps::previous_secret_until.eq(previous.map(|(_, until)| until)),
        ))
        .execute(conn)?;
    bump_directory_version(conn)
}

/// Ends the overlap of a rotation at once.
pub fn finish_rotation(conn: &mut Conn, app_id: &AppId) -> StoreResult<()> {
    diesel::update(apps::table.find(app_id))
        .set((apps::previous_secret_sealed.eq(None::<String>), apps::previous_secret_until.eq(None::<Timestamp>)))
        .execute(conn)?;
    bump_directory_version(conn)
}
