//! Tenants: companies and teams whose apps this gateway serves, and the operator's own.

use diesel::prelude::*;

use super::install::bump_directory_version;
use super::page::Page;
use super::schema::tenants;
use super::sql::for_update;
use super::{Conn, StoreResult};
use crate::domain::ids::TenantId;
use crate::domain::time::Timestamp;

/// The plan of the operator's own tenant: nothing is counted against it.
const OPERATOR_PLAN: &str = "enterprise";

/// A row of `tenants`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = tenants, treat_none_as_default_value = false)]
pub struct TenantRow {
    pub tenant_id: TenantId,
    pub name: String,
    pub created_at: Timestamp,
    pub plan: String,
    pub is_operator: bool,
    pub suspended_at: Option<Timestamp>,
}

/// The operator's own tenant: the oldest of its kind, made on first use.
pub fn operator(conn: &mut Conn, name: &str, now: Timestamp) -> StoreResult<TenantId> {
    let own = tenants::table.filter(tenants::is_operator.eq(true)).order(tenants::tenant_id);
    if let Some(tenant_id) = own.select(tenants::tenant_id).first(conn).optional()? {
        return Ok(tenant_id);
    }
    let tenant = TenantRow {
        tenant_id: TenantId::generate(now),
        name: name.to_owned(),
        created_at: now,
        plan: OPERATOR_PLAN.to_owned(),
        is_operator: true,
        suspended_at: None,
    };
    insert(conn, &tenant)?;
    Ok(tenant.tenant_id)
}

/// Adds a tenant.
pub fn insert(conn: &mut Conn, tenant: &TenantRow) -> StoreResult<()> {
    diesel::insert_into(tenants::table).values(tenant).execute(conn)?;
    bump_directory_version(conn)
}

/// The tenant with this id.
pub fn find(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<Option<TenantRow>> {
    Ok(tenants::table.find(tenant_id).get_result(conn).optional()?)
}

/// A tenant that is not like the others: the operator's own, or suspended.
#[derive(Clone, Debug)]
pub struct Standing {
    /// Which.
    pub tenant_id: TenantId,
    /// Whether it is the operator's own.
    pub is_operator: bool,
    /// Whether it takes no new payments.
    pub is_suspended: bool,
}

/// The tenants that are not like the others.
pub fn standings(conn: &mut Conn) -> StoreResult<Vec<Standing>> {
    let apart = tenants::table.filter(tenants::is_operator.eq(true).or(tenants::suspended_at.is_not_null()));
    let rows: Vec<(TenantId, bool, Option<Timestamp>)> =
        apart.select((tenants::tenant_id, tenants::is_operator, tenants::suspended_at)).load(conn)?;
    let standing = |(tenant_id, is_operator, suspended_at): (_, _, Option<Timestamp>)| Standing {
        tenant_id,
        is_operator,
        is_suspended: suspended_at.is_some(),
    };
    Ok(rows.into_iter().map(standing).collect())
}

/// The tenant with this id, which nobody else changes until this transaction ends.
pub fn lock(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<Option<TenantRow>> {
    Ok(for_update(tenants::table.find(tenant_id)).get_result(conn).optional()?)
}

/// Puts a tenant on another plan.
pub fn set_plan(conn: &mut Conn, tenant_id: &TenantId, plan: &str) -> StoreResult<()> {
    diesel::update(tenants::table.find(tenant_id)).set(tenants::plan.eq(plan)).execute(conn)?;
    Ok(())
}

/// Suspends a tenant, or resumes it.
pub fn set_suspended(conn: &mut Conn, tenant_id: &TenantId, since: Option<Timestamp>) -> StoreResult<()> {
    diesel::update(tenants::table.find(tenant_id)).set(tenants::suspended_at.eq(since)).execute(conn)?;
    Ok(())
}

/// A page of tenants, oldest first.
pub fn page(conn: &mut Conn, after: Option<&str>, limit: usize) -> StoreResult<Page<TenantRow>> {
    let mut query = tenants::table.into_boxed();
    if let Some(after) = after {
        query = query.filter(tenants::tenant_id.gt(after.to_owned()));
    }
    let rows = query.order(tenants::tenant_id).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &TenantRow| row.tenant_id.to_string()))
}

/// The plans that tenants other than the operator's are on, with how many tenants. Reads every tenant: for a start.
pub fn plans(conn: &mut Conn) -> StoreResult<Vec<(String, i64)>> {
    let held = tenants::table.filter(tenants::is_operator.eq(false)).group_by(tenants::plan);
    Ok(held.select((tenants::plan, diesel::dsl::count_star())).load(conn)?)
}

/// Every tenant, oldest first.
pub fn all(conn: &mut Conn) -> StoreResult<Vec<TenantRow>> {
    Ok(tenants::table.order(tenants::tenant_id).load(conn)?)
}
