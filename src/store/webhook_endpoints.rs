//! Where an app's events go.

use diesel::prelude::*;

use super::install::bump_directory_version;
use super::schema::webhook_endpoints;
use super::sql::inside;
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, EndpointId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `webhook_endpoints`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = webhook_endpoints, treat_none_as_default_value = false)]
pub struct EndpointRow {
    pub endpoint_id: EndpointId,
    /// The app whose events go there; all apps' of the tenant and mode when `None`.
    pub app_id: Option<AppId>,
    pub url: String,
    pub secret_sealed: String,
    pub previous_secret_sealed: Option<String>,
    pub previous_secret_until: Option<Timestamp>,
    pub failing_since: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    pub created_at: Timestamp,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub description: Option<String>,
    /// Comma-separated; all when `None`.
    pub event_types: Option<String>,
    /// Begins the names of headers that go along besides the usual ones.
    pub header_prefix: Option<String>,
    pub deleted_at: Option<Timestamp>,
}

impl EndpointRow {
    /// A fresh endpoint of a tenant and mode that gets every event and is no app's.
    #[must_use]
    pub fn new(
        endpoint_id: EndpointId,
        tenant_id: &TenantId,
        mode: Mode,
        url: &str,
        secret_sealed: &str,
        now: Timestamp,
    ) -> Self {
        Self {
            endpoint_id,
            app_id: None,
            url: url.to_owned(),
            secret_sealed: secret_sealed.to_owned(),
            previous_secret_sealed: None,
            previous_secret_until: None,
            failing_since: None,
            disabled_at: None,
            disabled_reason: None,
            created_at: now,
            tenant_id: tenant_id.clone(),
            mode,
            description: None,
            event_types: None,
            header_prefix: None,
            deleted_at: None,
        }
    }

    /// Whether events of this type go there.
    #[must_use]
    pub fn wants(&self, event_type: &str) -> bool {
        is_wanted(self.event_types.as_deref(), event_type)
    }
}

/// Whether a filter lets events of this type through.
pub(super) fn is_wanted(event_types: Option<&str>, event_type: &str) -> bool {
    event_types.is_none_or(|wanted| wanted.split(',').any(|wanted| wanted == event_type))
}

/// Adds an endpoint.
pub fn insert(conn: &mut Conn, endpoint: &EndpointRow) -> StoreResult<()> {
    diesel::insert_into(webhook_endpoints::table).values(endpoint).execute(conn)?;
    bump_directory_version(conn)
}

/// The endpoints of one app, oldest first.
pub fn of_app(conn: &mut Conn, app_id: &AppId) -> StoreResult<Vec<EndpointRow>> {
    Ok(webhook_endpoints::table
        .filter(webhook_endpoints::app_id.eq(app_id))
        .filter(webhook_endpoints::deleted_at.is_null())
        .order(webhook_endpoints::endpoint_id)
        .load(conn)?)
}

/// The endpoints of these apps, oldest first.
pub fn of_apps(conn: &mut Conn, app_ids: &[AppId]) -> StoreResult<Vec<EndpointRow>> {
    Ok(webhook_endpoints::table
        .filter(webhook_endpoints::app_id.eq_any(app_ids))
        .order(webhook_endpoints::endpoint_id)
        .load(conn)?)
}

/// The endpoints of every app.
pub fn all(conn: &mut Conn) -> StoreResult<Vec<EndpointRow>> {
    Ok(webhook_endpoints::table.order(webhook_endpoints::endpoint_id).load(conn)?)
}

/// The endpoint with this id.
pub fn find(conn: &mut Conn, endpoint_id: &EndpointId) -> StoreResult<Option<EndpointRow>> {
    Ok(webhook_endpoints::table.find(endpoint_id).get_result(conn).optional()?)
}

/// The endpoints of a tenant and mode that are no app's, oldest first.
pub fn of_tenant(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Vec<EndpointRow>> {
    Ok(webhook_endpoints::table
        .filter(webhook_endpoints::tenant_id.eq(tenant_id))
        .filter(webhook_endpoints::mode.eq(mode))
        .filter(webhook_endpoints::app_id.is_null())
        .filter(webhook_endpoints::deleted_at.is_null())
        .order(webhook_endpoints::endpoint_id)
        .load(conn)?)
}

/// An endpoint of a tenant and mode, an app's or not.
pub fn find_of(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    endpoint_id: &EndpointId,
) -> StoreResult<Option<EndpointRow>> {
    let own = webhook_endpoints::table
        .find(endpoint_id)
        .filter(webhook_endpoints::tenant_id.eq(tenant_id))
        .filter(webhook_endpoints::mode.eq(mode))
        .filter(webhook_endpoints::deleted_at.is_null());
    Ok(own.get_result(conn).optional()?)
}

/// Writes what a tenant may change of an endpoint. One whose URL changes, or that is enabled, starts afresh.
pub fn save(conn: &mut Conn, endpoint: &EndpointRow) -> StoreResult<()> {
    diesel::update(webhook_endpoints::table.find(&endpoint.endpoint_id))
        .set((
            webhook_endpoints::url.eq(&endpoint.url),
            webhook_endpoints::description.eq(&endpoint.description),
            webhook_endpoints::event_types.eq(&endpoint.event_types),
            webhook_endpoints::header_prefix.eq(&endpoint.header_prefix),
            webhook_endpoints::failing_since.eq(endpoint.failing_since),
            webhook_endpoints::disabled_at.eq(endpoint.disabled_at),
            webhook_endpoints::disabled_reason.eq(&endpoint.disabled_reason),
            webhook_endpoints::deleted_at.eq(endpoint.deleted_at),
        ))
        .execute(conn)?;
    bump_directory_version(conn)
}

/// Moves an endpoint to another URL; it starts afresh, enabled.
pub fn set_url(conn: &mut Conn, endpoint_id: &EndpointId, url: &str) -> StoreResult<()> {
    diesel::update(webhook_endpoints::table.find(endpoint_id))
        .set((
            webhook_endpoints::url.eq(url),
            webhook_endpoints::failing_since.eq(None::<Timestamp>),
            webhook_endpoints::disabled_at.eq(None::<Timestamp>),
            webhook_endpoints::disabled_reason.eq(None::<String>),
        ))
        .execute(conn)?;
    bump_directory_version(conn)
}

/// Gives an endpoint a new secret; signatures with the old one go along until `until`.
pub fn rotate(
    conn: &mut Conn,
    endpoint_id: &EndpointId,
    secret_sealed: &str,
    previous: Option<(&str, Timestamp)>,
) -> StoreResult<()> {
    diesel::update(webhook_endpoints::table.find(endpoint_id))
        .set((
            webhook_endpoints::secret_sealed.eq(secret_sealed),
            webhook_endpoints::previous_secret_sealed.eq(previous.map(|(sealed, _)| sealed)),
            webhook_endpoints::previous_secret_until.eq(previous.map(|(_, until)| until)),
        ))
        .execute(conn)?;
    bump_directory_version(conn)
}

/// Ends the overlap of a rotation at once, for every endpoint of an app.
pub fn finish_rotation(conn: &mut Conn, app_id: &AppId) -> StoreResult<()> {
    diesel::update(webhook_endpoints::table.filter(webhook_endpoints::app_id.eq(app_id)))
        .set((
            webhook_endpoints::previous_secret_sealed.eq(None::<String>),
            webhook_endpoints::previous_secret_until.eq(None::<Timestamp>),
        ))
        .execute(conn)?;
    bump_directory_version(conn)
}

/// Notes that deliveries fail since `now`, unless they have failed for longer; says since when.
pub fn note_failing(conn: &mut Conn, endpoint_id: &EndpointId, now: Timestamp) -> StoreResult<Timestamp> {
    let healthy = webhook_endpoints::table.find(endpoint_id).filter(webhook_endpoints::failing_since.is_null());
    if diesel::update(healthy).set(webhook_endpoints::failing_since.eq(now)).execute(conn)? > 0 {
        return Ok(now);
    }
    let since = webhook_endpoints::table.find(endpoint_id).select(webhook_endpoints::failing_since);
    Ok(since.get_result::<Option<Timestamp>>(conn)?.unwrap_or(now))
}

/// Notes that a delivery went through.
pub fn note_healthy(conn: &mut Conn, endpoint_id: &EndpointId) -> StoreResult<()> {
    let failing = webhook_endpoints::table.find(endpoint_id).filter(webhook_endpoints::failing_since.is_not_null());
    let healthy = webhook_endpoints::failing_since.eq(None::<Timestamp>);
    inside!(conn, |inner| diesel::update(failing).set(healthy).execute(inner))?;
    Ok(())
}

/// Disables an endpoint; says whether it was enabled.
pub fn disable(conn: &mut Conn, endpoint_id: &EndpointId, reason: &str, now: Timestamp) -> StoreResult<bool> {
    let enabled = webhook_endpoints::table.find(endpoint_id).filter(webhook_endpoints::disabled_at.is_null());
    let changed = diesel::update(enabled)
        .set((webhook_endpoints::disabled_at.eq(now), webhook_endpoints::disabled_reason.eq(reason)))
        .execute(conn)?;
    if changed > 0 {
        bump_directory_version(conn)?;
    }
    Ok(changed > 0)
}
