//! The members of a tenant, and invitations to become one.

use diesel::prelude::*;

use super::schema::{invitations, members, sessions, tenants, users};
use super::sql::for_update;
use super::{Conn, StoreResult};
use crate::domain::accounts::Role;
use crate::domain::ids::{InvitationId, TenantId, UserId};
use crate::domain::time::Timestamp;

/// Members of a tenant that a list shows at the most.
pub const MOST_MEMBERS: i64 = 200;

/// A member with what is shown of him.
#[derive(Clone, Debug, Queryable)]
pub struct MemberOfTenant {
    pub user_id: UserId,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub role: Role,
    pub totp_confirmed_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// A row of `invitations`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = invitations, treat_none_as_default_value = false)]
pub struct InvitationRow {
    pub invitation_id: InvitationId,
    pub tenant_id: TenantId,
    pub email: String,
    pub role: Role,
    pub token_hash: String,
    pub invited_by: UserId,
    pub expires_at: Timestamp,
    pub accepted_at: Option<Timestamp>,
    pub revoked_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// The members of a tenant, by user.
pub fn of_tenant(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<Vec<MemberOfTenant>> {
    let own = members::table
        .inner_join(users::table.on(users::user_id.eq(members::user_id)))
        .filter(members::tenant_id.eq(tenant_id))
        .order(members::user_id)
        .limit(MOST_MEMBERS)
        .select((
            users::user_id,
            users::email,
            users::first_name,
            users::last_name,
            members::role,
            users::totp_confirmed_at,
            members::created_at,
        ));
    Ok(own.load(conn)?)
}

/// How many members a tenant has.
pub fn count(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<i64> {
    Ok(members::table.filter(members::tenant_id.eq(tenant_id)).count().get_result(conn)?)
}

/// The owners of a tenant. Until the transaction ends nobody else changes who they are.
pub fn lock_owners(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<Vec<UserId>> {
    // Everybody who changes members of the tenant waits here.
    let tenant = tenants::table.find(tenant_id).select(tenants::tenant_id);
    let _: Vec<TenantId> = for_update(tenant).load(conn)?;
    let owners = members::table.filter(members::tenant_id.eq(tenant_id)).filter(members::role.eq(Role::Owner));
    Ok(owners.select(members::user_id).load(conn)?)
}

/// Gives a member another role.
pub fn set_role(conn: &mut Conn, tenant_id: &TenantId, user_id: &UserId, role: Role) -> StoreResult<()> {
    diesel::update(members::table.find((tenant_id, user_id))).set(members::role.eq(role)).execute(conn)?;
    Ok(())
}

/// Takes a member out of a tenant, and ends his sessions there.
pub fn remove(conn: &mut Conn, tenant_id: &TenantId, user_id: &UserId, now: Timestamp) -> StoreResult<()> {
    let there = sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::tenant_id.eq(tenant_id))
        .filter(sessions::revoked_at.is_null());
    diesel::update(there).set(sessions::revoked_at.eq(now)).execute(conn)?;
    diesel::delete(members::table.find((tenant_id, user_id))).execute(conn)?;
    Ok(())
}

/// Adds an invitation.
pub fn insert_invitation(conn: &mut Conn, invitation: &InvitationRow) -> StoreResult<()> {
    diesel::insert_into(invitations::table).values(invitation).execute(conn)?;
    Ok(())
}

/// The invitations of a tenant that wait at `now`, newest first.
pub fn open_invitations(conn: &mut Conn, tenant_id: &TenantId, now: Timestamp) -> StoreResult<Vec<InvitationRow>> {
    let open = invitations::table
        .filter(invitations::tenant_id.eq(tenant_id))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .order(invitations::invitation_id.desc())
        .limit(MOST_MEMBERS);
    Ok(open.load(conn)?)
}

/// Takes back every invitation of an address into a tenant that waits.
pub fn revoke_invitations_of(conn: &mut Conn, tenant_id: &TenantId, email: &str, now: Timestamp) -> StoreResult<()> {
    let open = invitations::table
        .filter(invitations::tenant_id.eq(tenant_id))
        .filter(invitations::email.eq(email))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null());
    diesel::update(open).set(invitations::revoked_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Takes an invitation of a tenant back; answers with it, if it waited.
pub fn revoke_invitation(
    conn: &mut Conn,
    tenant_id: &TenantId,
    invitation_id: &InvitationId,
    now: Timestamp,
) -> StoreResult<Option<InvitationRow>> {
    let open = invitations::table
        .find(invitation_id)
        .filter(invitations::tenant_id.eq(tenant_id))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null());
    if diesel::update(open).set(invitations::revoked_at.eq(now)).execute(conn)? == 0 {
        return Ok(None);
    }
    Ok(invitations::table.find(invitation_id).get_result(conn).optional()?)
}

/// The invitation that a link carries and the name of its tenant, if it is good at `now`.
pub fn good_invitation(
    conn: &mut Conn,
    token_hash: &str,
    now: Timestamp,
) -> StoreResult<Option<(InvitationRow, String)>> {
    let good = invitations::table
        .inner_join(tenants::table.on(tenants::tenant_id.eq(invitations::tenant_id)))
        .filter(invitations::token_hash.eq(token_hash))
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now))
        .select((invitations::all_columns, tenants::name));
    Ok(good.first(conn).optional()?)
}

/// Uses an invitation up; says whether it was still good.
pub fn accept_invitation(conn: &mut Conn, invitation_id: &InvitationId, now: Timestamp) -> StoreResult<bool> {
    let good = invitations::table
        .find(invitation_id)
        .filter(invitations::accepted_at.is_null())
        .filter(invitations::revoked_at.is_null())
        .filter(invitations::expires_at.gt(now));
    Ok(diesel::update(good).set(invitations::accepted_at.eq(now)).execute(conn)? > 0)
}
