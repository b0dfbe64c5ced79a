//! Sign-ins of people. A token is good for as long as its session is.

use diesel::prelude::*;

use super::schema::{members, sessions, tenants, users};
use super::tenants::TenantRow;
use super::users::UserRow;
use super::{Conn, StoreResult};
use crate::domain::accounts::Role;
use crate::domain::ids::{SessionId, TenantId, UserId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `sessions`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = sessions, treat_none_as_default_value = false)]
pub struct SessionRow {
    pub session_id: SessionId,
    pub user_id: UserId,
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub address: String,
    pub user_agent: String,
    pub created_at: Timestamp,
    pub expires_at: Timestamp,
    pub revoked_at: Option<Timestamp>,
}

/// Adds a session.
pub fn insert(conn: &mut Conn, session: &SessionRow) -> StoreResult<()> {
    diesel::insert_into(sessions::table).values(session).execute(conn)?;
    Ok(())
}

/// A session that stands, its user, the tenant that he works for in it, and his role there.
pub type Standing = (SessionRow, UserRow, TenantRow, Role);

/// A session that stands at `now`, with its user, tenant and the user's role there.
pub fn standing(conn: &mut Conn, session_id: &SessionId, now: Timestamp) -> StoreResult<Option<Standing>> {
    let standing = sessions::table
        .inner_join(users::table.on(users::user_id.eq(sessions::user_id)))
        .inner_join(tenants::table.on(tenants::tenant_id.eq(sessions::tenant_id)))
        .inner_join(
            members::table.on(members::tenant_id.eq(sessions::tenant_id).and(members::user_id.eq(sessions::user_id))),
        )
        .filter(sessions::session_id.eq(session_id))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .select((sessions::all_columns, users::all_columns, tenants::all_columns, members::role));
    Ok(standing.first(conn).optional()?)
}

/// Moves a session to another tenant and mode.
pub fn move_to(conn: &mut Conn, session_id: &SessionId, tenant_id: &TenantId, mode: Mode) -> StoreResult<()> {
    let place = (sessions::tenant_id.eq(tenant_id), sessions::mode.eq(mode));
    diesel::update(sessions::table.find(session_id)).set(place).execute(conn)?;
    Ok(())
}

/// Ends one session of a user; says whether it stood.
pub fn revoke(conn: &mut Conn, user_id: &UserId, session_id: &SessionId, now: Timestamp) -> StoreResult<bool> {
    let own = sessions::table.find(session_id).filter(sessions::user_id.eq(user_id));
    let standing = own.filter(sessions::revoked_at.is_null());
    Ok(diesel::update(standing).set(sessions::revoked_at.eq(now)).execute(conn)? > 0)
}

/// Ends every session of a user but `spared`; says how many stood.
pub fn revoke_all(conn: &mut Conn, user_id: &UserId, spared: Option<&SessionId>, now: Timestamp) -> StoreResult<usize> {
    let spared = spared.map(SessionId::as_str).unwrap_or_default().to_owned();
    let standing = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::session_id.ne(spared))
        .filter(sessions::revoked_at.is_null());
    Ok(diesel::update(standing).set(sessions::revoked_at.eq(now)).execute(conn)?)
}

/// The sessions of a user that stand, newest first.
pub fn of_user(conn: &mut Conn, user_id: &UserId, now: Timestamp) -> StoreResult<Vec<SessionRow>> {
    let standing = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(now))
        .order(sessions::session_id.desc())
        .limit(100);
    Ok(standing.load(conn)?)
}

/// Forgets sessions that ended before `before`.
pub fn prune(conn: &mut Conn, before: Timestamp, limit: i64) -> StoreResult<usize> {
    let old: Vec<SessionId> = sessions::table
        .filter(sessions::expires_at.lt(before))
        .order(sessions::expires_at)
        .limit(limit)
        .select(sessions::session_id)
        .load(conn)?;
    if old.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(sessions::table.filter(sessions::session_id.eq_any(old))).execute(conn)?)
}
