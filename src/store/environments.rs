//! Sandbox and Production of tenants, and what stands between a tenant and Production.

use diesel::prelude::*;

use super::schema::{environments, onboardings, production_requests};
use super::sql::{for_update_skip_locked, or_ignore};
use super::{Conn, StoreResult};
use crate::domain::accounts::Environment;
use crate::domain::ids::{ProductionRequestId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `environments`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = environments, treat_none_as_default_value = false)]
pub struct EnvironmentRow {
    pub tenant_id: TenantId,
    pub environment: Environment,
    /// `provisioning`, `active` or `error`.
    pub status: String,
    pub error: Option<String>,
    pub attempts: i32,
    pub due_at: Option<Timestamp>,
    pub provisioned_at: Option<Timestamp>,
    pub created_at: Timestamp,
}

impl EnvironmentRow {
    /// An environment that is there at once.
    #[must_use]
    pub fn active(tenant_id: &TenantId, environment: Environment, now: Timestamp) -> Self {
        Self {
            tenant_id: tenant_id.clone(),
            environment,
            status: "active".to_owned(),
            error: None,
            attempts: 0,
            due_at: None,
            provisioned_at: Some(now),
            created_at: now,
        }
    }

    /// An environment that is to be made.
    #[must_use]
    pub fn to_provision(tenant_id: &TenantId, environment: Environment, now: Timestamp) -> Self {
        let active = Self::active(tenant_id, environment, now);
        Self { status: "provisioning".to_owned(), due_at: Some(now), provisioned_at: None, ..active }
    }
}

/// A row of `onboardings`.
#[derive(Clone, Debug, Queryable, Insertable, AsChangeset)]
#[diesel(table_name = onboardings, treat_none_as_default_value = false, treat_none_as_null = true)]
pub struct OnboardingRow {
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub terms_accepted_at: Timestamp,
    pub legal_name: String,
    pub country: String,
    pub registration_number: String,
    /// `pending`, `approved` or `rejected`.
    pub kyb_status: String,
    pub reason: Option<String>,
    pub submitted_at: Timestamp,
    pub decided_at: Option<Timestamp>,
}

/// A row of `production_requests`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = production_requests, treat_none_as_default_value = false)]
pub struct ProductionRequestRow {
    pub request_id: ProductionRequestId,
    pub tenant_id: TenantId,
    pub company_name: String,
    pub expected_monthly_volume: String,
    /// `pending`, `approved` or `rejected`.
    pub status: String,
    pub reason: Option<String>,
    pub created_at: Timestamp,
    pub decided_at: Option<Timestamp>,
}

/// Adds an environment; says whether there was none.
pub fn insert(conn: &mut Conn, environment: &EnvironmentRow) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(environments::table).values(environment)).execute(conn)? > 0)
}

/// The environments of a tenant.
pub fn of_tenant(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<Vec<EnvironmentRow>> {
    Ok(environments::table.filter(environments::tenant_id.eq(tenant_id)).load(conn)?)
}

/// One environment of a tenant.
pub fn find(conn: &mut Conn, tenant_id: &TenantId, environment: Environment) -> StoreResult<Option<EnvironmentRow>> {
    Ok(environments::table.find((tenant_id, environment)).get_result(conn).optional()?)
}

/// The environments of some tenants.
pub fn of_tenants(conn: &mut Conn, tenant_ids: &[TenantId]) -> StoreResult<Vec<EnvironmentRow>> {
    Ok(environments::table.filter(environments::tenant_id.eq_any(tenant_ids)).load(conn)?)
}

/// Whether one of `served` is to be made now.
pub fn is_any_due(conn: &mut Conn, now: Timestamp, served: &[Environment]) -> StoreResult<bool> {
    let due = environments::table
        .filter(environments::due_at.le(now))
        .filter(environments::environment.eq_any(served))
        .select(environments::environment);
    let first: Option<Environment> = due.first(conn).optional()?;
    Ok(first.is_some())
}

/// Takes environments that are to be made now, and nobody else does until `lease_until`. Each has one try more.
pub fn claim_due(
    conn: &mut Conn,
    now: Timestamp,
    lease_until: Timestamp,
    served: &[Environment],
    limit: i64,
) -> StoreResult<Vec<EnvironmentRow>> {
    let due = environments::table
        .filter(environments::due_at.le(now))
        .filter(environments::environment.eq_any(served))
        .order(environments::due_at)
        .limit(limit);
    let mut claimed: Vec<EnvironmentRow> = for_update_skip_locked(due).load(conn)?;
    for row in &mut claimed {
        row.due_at = Some(lease_until);
        row.attempts += 1;
        save(conn, row)?;
    }
    Ok(claimed)
}

/// Records how far the making of an environment has come.
pub fn save(conn: &mut Conn, row: &EnvironmentRow) -> StoreResult<()> {
    diesel::update(environments::table.find((&row.tenant_id, row.environment)))
        .set((
            environments::status.eq(&row.status),
            environments::error.eq(&row.error),
            environments::attempts.eq(row.attempts),
            environments::due_at.eq(row.due_at),
            environments::provisioned_at.eq(row.provisioned_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// What a tenant has shown of itself for a mode.
pub fn onboarding(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Option<OnboardingRow>> {
    Ok(onboardings::table.find((tenant_id, mode)).get_result(conn).optional()?)
}

/// What some tenants have shown of themselves for a mode.
pub fn onboardings(conn: &mut Conn, tenant_ids: &[TenantId], mode: Mode) -> StoreResult<Vec<OnboardingRow>> {
    let shown = onboardings::table.filter(onboardings::tenant_id.eq_any(tenant_ids)).filter(onboardings::mode.eq(mode));
    Ok(shown.load(conn)?)
}

/// The requests for Production of some tenants, oldest first.
pub fn production_requests(conn: &mut Conn, tenant_ids: &[TenantId]) -> StoreResult<Vec<ProductionRequestRow>> {
    let requests = production_requests::table
        .filter(production_requests::tenant_id.eq_any(tenant_ids))
        .order(production_requests::request_id);
    Ok(requests.load(conn)?)
}

/// Records what a tenant shows of itself, or what was decided.
pub fn save_onboarding(conn: &mut Conn, row: &OnboardingRow) -> StoreResult<()> {
    let own = onboardings::table.find((&row.tenant_id, row.mode));
    if diesel::update(own).set(row).execute(conn)? == 0 {
        diesel::insert_into(onboardings::table).values(row).execute(conn)?;
    }
    Ok(())
}

/// Adds a request for Production.
pub fn insert_production_request(conn: &mut Conn, row: &ProductionRequestRow) -> StoreResult<()> {
    diesel::insert_into(production_requests::table).values(row).execute(conn)?;
    Ok(())
}

/// Records what was decided about a request.
pub fn decide_production_request(
    conn: &mut Conn,
    request_id: &ProductionRequestId,
    status: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> StoreResult<()> {
    diesel::update(production_requests::table.find(request_id))
        .set((
            production_requests::status.eq(status),
            production_requests::reason.eq(reason),
            production_requests::decided_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}
