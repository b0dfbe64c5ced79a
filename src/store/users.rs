//! Users and the tenants that they are members of.

use diesel::prelude::*;

use super::schema::{members, tenants, users};
use super::sql::or_ignore;
use super::{Conn, StoreResult};
use crate::domain::accounts::{Environment, Role};
use crate::domain::ids::{TenantId, UserId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `users`.
#[derive(Clone, Queryable, Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct UserRow {
    pub user_id: UserId,
    pub email: String,
    pub password_hash: String,
    pub first_name: String,
    pub last_name: String,
    pub preferred_environment: Environment,
    pub preferred_mode: Mode,
    pub time_zone: Option<String>,
    pub totp_sealed: Option<String>,
    pub totp_confirmed_at: Option<Timestamp>,
    pub totp_last_step: Option<i64>,
    pub email_verified_at: Option<Timestamp>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A row of `members`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = members)]
pub struct MemberRow {
    pub tenant_id: TenantId,
    pub user_id: UserId,
    pub role: Role,
    pub created_at: Timestamp,
}

/// Adds a user; says whether the address was free.
pub fn insert(conn: &mut Conn, user: &UserRow) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(users::table).values(user)).execute(conn)? > 0)
}

/// Forgets a user who has just been added.
pub fn remove(conn: &mut Conn, user_id: &UserId) -> StoreResult<()> {
    diesel::delete(users::table.find(user_id)).execute(conn)?;
    Ok(())
}

/// The user with this address, in lower case.
pub fn by_email(conn: &mut Conn, email: &str) -> StoreResult<Option<UserRow>> {
    Ok(users::table.filter(users::email.eq(email)).first(conn).optional()?)
}

/// The user with this id.
pub fn find(conn: &mut Conn, user_id: &UserId) -> StoreResult<Option<UserRow>> {
    Ok(users::table.find(user_id).get_result(conn).optional()?)
}

/// Notes that the user has shown that the address is his; says whether that is new.
pub fn verify_email(conn: &mut Conn, user_id: &UserId, now: Timestamp) -> StoreResult<bool> {
    let unverified = users::table.find(user_id).filter(users::email_verified_at.is_null());
    let changes = (users::email_verified_at.eq(now), users::updated_at.eq(now));
    Ok(diesel::update(unverified).set(changes).execute(conn)? > 0)
}

/// Gives a user another password.
pub fn set_password(conn: &mut Conn, user_id: &UserId, hash: &str, now: Timestamp) -> StoreResult<()> {
    let changes = (users::password_hash.eq(hash), users::updated_at.eq(now));
    diesel::update(users::table.find(user_id)).set(changes).execute(conn)?;
    Ok(())
}

/// Gives a user another name.
pub fn set_name(conn: &mut Conn, user_id: &UserId, first: &str, last: &str, now: Timestamp) -> StoreResult<()> {
    let changes = (users::first_name.eq(first), users::last_name.eq(last), users::updated_at.eq(now));
    diesel::update(users::table.find(user_id)).set(changes).execute(conn)?;
    Ok(())
}

/// Gives a user the secret of a second factor that he has yet to confirm, or takes it away.
pub fn set_totp(conn: &mut Conn, user_id: &UserId, sealed: Option<&str>, now: Timestamp) -> StoreResult<()> {
    let changes = (
        users::totp_sealed.eq(sealed),
        users::totp_confirmed_at.eq(None::<Timestamp>),
        users::totp_last_step.eq(None::<i64>),
        users::updated_at.eq(now),
    );
    diesel::update(users::table.find(user_id)).set(changes).execute(conn)?;
    Ok(())
}

/// Notes that a user has shown a code of his second factor.
pub fn confirm_totp(conn: &mut Conn, user_id: &UserId, now: Timestamp) -> StoreResult<()> {
    let changes = (users::totp_confirmed_at.eq(now), users::updated_at.eq(now));
    diesel::update(users::table.find(user_id)).set(changes).execute(conn)?;
    Ok(())
}

/// Uses a step of the second factor up, and those before it; says whether it was unused.
pub fn use_totp_step(conn: &mut Conn, user_id: &UserId, step: i64) -> StoreResult<bool> {
    let unused = users::table.find(user_id).filter(users::totp_last_step.is_null().or(users::totp_last_step.lt(step)));
    Ok(diesel::update(unused).set(users::totp_last_step.eq(step)).execute(conn)? > 0)
}

/// What a user likes to begin with.
pub fn set_preferences(
    conn: &mut Conn,
    user_id: &UserId,
    environment: Environment,
    mode: Mode,
    time_zone: Option<&str>,
    now: Timestamp,
) -> StoreResult<()> {
    let changes = (
        users::preferred_environment.eq(environment),
        users::preferred_mode.eq(mode),
        users::time_zone.eq(time_zone),
        users::updated_at.eq(now),
    );
    diesel::update(users::table.find(user_id)).set(changes).execute(conn)?;
    Ok(())
}

/// Makes a user a member of a tenant; says whether he was none.
pub fn add_member(conn: &mut Conn, member: &MemberRow) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(members::table).values(member)).execute(conn)? > 0)
}

/// Somebody who owns a tenant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The user's address.
    pub email: String,
    /// Whether he has shown that the address is his.
    pub is_verified: bool,
}

/// The owners of some tenants, the oldest membership first.
pub fn owners(conn: &mut Conn, tenant_ids: &[TenantId]) -> StoreResult<Vec<Owner>> {
    let owners = members::table
        .inner_join(users::table.on(users::user_id.eq(members::user_id)))
        .filter(members::tenant_id.eq_any(tenant_ids))
        .filter(members::role.eq(Role::Owner))
        .select((members::tenant_id, members::created_at, users::email, users::email_verified_at));
    let mut rows: Vec<(TenantId, Timestamp, String, Option<Timestamp>)> = owners.load(conn)?;
    rows.sort_by(|one, other| (one.1, &one.2).cmp(&(other.1, &other.2)));
    let owner = |(tenant_id, _, email, verified_at): (_, _, _, Option<_>)| Owner {
        tenant_id,
        email,
        is_verified: verified_at.is_some(),
    };
    Ok(rows.into_iter().map(owner).collect())
}

/// A user's role in a tenant.
pub fn role(conn: &mut Conn, tenant_id: &TenantId, user_id: &UserId) -> StoreResult<Option<Role>> {
    Ok(members::table.find((tenant_id, user_id)).select(members::role).get_result(conn).optional()?)
}

/// The tenants that a user is a member of, with his role, the oldest membership first.
pub fn memberships(conn: &mut Conn, user_id: &UserId) -> StoreResult<Vec<(TenantId, String, Role)>> {
    let own = members::table
        .inner_join(tenants::table.on(tenants::tenant_id.eq(members::tenant_id)))
        .filter(members::user_id.eq(user_id))
        .order((members::created_at, members::tenant_id))
        .select((members::tenant_id, tenants::name, members::role));
    Ok(own.load(conn)?)
}
