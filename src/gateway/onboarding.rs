//! The way to Production: a plan that has it, terms and company, the operator's approval, and the environment itself.

use super::Gateway;
use crate::domain::accounts::Environment;
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::error::{Code, Fault, Outcome};
use crate::store::{Conn, StoreResult, environments, tenants};

impl Gateway {
    /// The first step that a tenant has yet to take before anything of its may be `live`.
    pub(super) async fn missing_live_step(&self, tenant_id: &TenantId) -> Outcome<Option<Fault>> {
        let tenant_id = tenant_id.clone();
        self.read(move |conn| live_step_missing(conn, &tenant_id)).await
    }
}

/// The first step that is missing, as the refusal that names it.
pub(super) fn live_step_missing(conn: &mut Conn, tenant_id: &TenantId) -> StoreResult<Option<Fault>> {
    let Some(tenant) = tenants::find(conn, tenant_id)? else {
        return Ok(Some(Fault::new(Code::NotFound, "there is no such tenant")));
    };
    if tenant.is_operator {
        return Ok(None);
    }
    let not_approved = |step: &str| Ok(Some(Fault::new(Code::ProductionAccessNotApproved, step)));
    if tenant.suspended_at.is_some() {
        return not_approved("the tenant is suspended; ask the operator");
    }
    if tenant.plan == "free" {
        return not_approved("the plan has no Production; choose a paid plan first");
    }
    match environments::onboarding(conn, tenant_id, Mode::Live)?.map(|row| row.kyb_status) {
        None => return not_approved("accept the terms and submit the company for live first"),
        Some(status) if status == "rejected" => {
            return not_approved("the company was not approved; submit it again for live");
        }
        Some(_) => {}
    }
    match environments::production_request(conn, tenant_id)?.map(|row| row.status) {
        None => return not_approved("request production access first"),
        Some(status) if status == "rejected" => {
            return not_approved("production access was rejected; request it again");
        }
        Some(status) if status == "pending" => return not_approved("production access waits for the operator"),
        Some(_) => {}
    }
    let is_active = environments::find(conn, tenant_id, Environment::Production)?
        .is_some_and(|environment| environment.status == "active");
    if is_active { Ok(None) } else { not_approved("Production is not provisioned yet; provision it first") }
}
