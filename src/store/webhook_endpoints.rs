//! Where an app's events go.

use diesel::prelude::*;

use super::install::bump_directory_version;
use super::schema::webhook_endpoints;
use super::sql::inside;
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, EndpointId};
use crate::domain::time::Timestamp;

/// A row of `webhook_endpoints`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = webhook_endpoints, treat_none_as_default_value = false)]
pub struct EndpointRow {
    pub endpoint_id: EndpointId,
    pub app_id: AppId,
    pub url: String,
    pub secret_sealed: String,
    pub previous_secret_sealed: Option<String>,
    pub previous_secret_until: Option<Timestamp>,
    pub failing_since: Option<Timestamp>,
    pub disabled_at: Option<Timestamp>,
    pub disabled_reason: Option<String>,
    pub created_at: Timestamp,
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
