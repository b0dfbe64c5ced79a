//! Tenants' own accounts at providers. Their credentials are sealed.

use diesel::prelude::*;

use super::schema::provider_accounts;
use super::{Conn, StoreResult};
use crate::domain::ids::{AccountId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `provider_accounts`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = provider_accounts, treat_none_as_default_value = false)]
pub struct ProviderAccount {
    pub account_id: AccountId,
    pub tenant_id: TenantId,
    pub provider: String,
    pub mode: Mode,
    pub base_url: Option<String>,
    /// A JSON object of credentials, sealed.
    pub credentials_sealed: String,
    pub archived_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

/// Adds an account, in the place of the one that the tenant has for this provider and mode.
pub fn replace(conn: &mut Conn, account: &ProviderAccount) -> StoreResult<()> {
    let former = provider_accounts::table
        .filter(provider_accounts::tenant_id.eq(&account.tenant_id))
        .filter(provider_accounts::provider.eq(&account.provider))
        .filter(provider_accounts::mode.eq(account.mode))
        .filter(provider_accounts::archived_at.is_null());
    diesel::update(former).set(provider_accounts::archived_at.eq(account.created_at)).execute(conn)?;
    diesel::insert_into(provider_accounts::table).values(account).execute(conn)?;
    Ok(())
}

/// Takes an account out of use for new payments; says whether it was in use.
pub fn archive(conn: &mut Conn, account_id: &AccountId, now: Timestamp) -> StoreResult<bool> {
    let in_use = provider_accounts::table.find(account_id).filter(provider_accounts::archived_at.is_null());
    Ok(diesel::update(in_use).set(provider_accounts::archived_at.eq(now)).execute(conn)? > 0)
}

/// The account with this id.
pub fn find(conn: &mut Conn, account_id: &AccountId) -> StoreResult<Option<ProviderAccount>> {
    Ok(provider_accounts::table.find(account_id).get_result(conn).optional()?)
}

/// A tenant's accounts of one mode, oldest first, archived ones too.
pub fn of_tenant(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Vec<ProviderAccount>> {
    let own = provider_accounts::table.filter(provider_accounts::tenant_id.eq(tenant_id));
    Ok(own.filter(provider_accounts::mode.eq(mode)).order(provider_accounts::account_id).load(conn)?)
}

/// How many accounts of one mode a tenant has, archived ones too.
pub fn count(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<i64> {
    let own = provider_accounts::table.filter(provider_accounts::tenant_id.eq(tenant_id));
    Ok(own.filter(provider_accounts::mode.eq(mode)).count().get_result(conn)?)
}

/// Every account, archived ones too: payments that began with one end with it.
pub fn all(conn: &mut Conn) -> StoreResult<Vec<ProviderAccount>> {
    Ok(provider_accounts::table.order(provider_accounts::account_id).load(conn)?)
}
