//! Plans: what a tenant may use, what it has used, and the refusal when there is no room. Reading is always free.

use serde_json::{Value, json};

use super::Gateway;
use super::scope::Scope;
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::plans::{Period, Plan, Plans};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::tenants::TenantRow;
use crate::store::usage::{Counter, DELTAS, Reservation};
use crate::store::{Conn, StoreError, StoreResult, tenants, usage};

/// What a tenant may use.
pub(super) fn plan_of(plans: &Plans, tenant: &TenantRow) -> Plan {
    plans.of_tenant(&tenant.plan, tenant.is_operator)
}

/// Counts `number` deltas that a tenant is about to write, in the transaction that writes them, or answers with the
/// 402. It must be the transaction's first write, so that a refusal undoes nothing. What comes to nothing after all is
/// given back with `usage::release`.
///
/// # Errors
/// When the database cannot take it.
pub fn reserve_deltas(
    conn: &mut Conn,
    plans: &Plans,
    tenant_id: &TenantId,
    mode: Mode,
    number: i64,
    now: Timestamp,
) -> StoreResult<Outcome<()>> {
    let tenant = tenants::find(conn, tenant_id)?.ok_or(StoreError::Missing)?;
    if tenant.suspended_at.is_some() {
        return Ok(Err(Fault::new(Code::TenantSuspended, "the tenant is suspended; ask the operator of this gateway")));
    }
    let plan = plan_of(plans, &tenant);
    let period = Period::of(now);
    let counter = Counter { tenant_id, mode, period, name: DELTAS };
    Ok(match usage::reserve(conn, counter, number, plan.cap())? {
        Reservation::Reserved => Ok(()),
        Reservation::OverLimit { used } => Err(Fault::new(Code::PlanLimitExceeded, plan.refusal(used, number, period))),
    })
}

impl Gateway {
    /// The caller's plan, and what of it is used in this month and mode.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn billing_plan(&self, scope: &Scope) -> Outcome<Value> {
        let period = Period::of(self.clock.now());
        let (plan, used) = self.plan_and_use(scope, period).await?;
        Ok(json!({
            "tier": plan.name,
            "limits": {
                "monthlyDeltas": plan.monthly_deltas, "production": plan.has_production, "hardCap": plan.is_hard_cap,
            },
            "period": period.to_string(), "resetsAt": period.end(), "used": used,
            "remaining": plan.remaining(used), "mode": scope.mode, "cancelAtPeriodEnd": false,
        }))
    }

    /// What the caller has used in a month, this one unless told, in his mode.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn billing_usage(&self, scope: &Scope, period: Option<Period>) -> Outcome<Value> {
        let period = period.unwrap_or_else(|| Period::of(self.clock.now()));
        let (plan, used) = self.plan_and_use(scope, period).await?;
        Ok(json!({
            "period": period.to_string(), "mode": scope.mode, "consumedDeltas": used,
            "remaining": plan.remaining(used), "overageCount": plan.overage(used),
        }))
    }

    /// The caller's plan, this month, and what of the plan is used in it, in his mode.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn plan_this_month(&self, scope: &Scope) -> Outcome<(Plan, Period, i64)> {
        let period = Period::of(self.clock.now());
        let (plan, used) = self.plan_and_use(scope, period).await?;
        Ok((plan, period, used))
    }

    async fn plan_and_use(&self, scope: &Scope, period: Period) -> Outcome<(Plan, i64)> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let (tenant, used) = self
            .read(move |conn| {
                let tenant = tenants::find(conn, &tenant_id)?.ok_or(StoreError::Missing)?;
                let used = usage::used(conn, Counter { tenant_id: &tenant_id, mode, period, name: DELTAS })?;
                Ok((tenant, used))
            })
            .await?;
        Ok((plan_of(&self.settings.plans, &tenant), used))
    }

    /// Plans that tenants have and the settings do not, with how many tenants: nothing that costs is allowed to them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn lapsed_plans(&self) -> Outcome<Vec<(String, i64)>> {
        let held = self.read(tenants::plans).await?;
        Ok(held.into_iter().filter(|(plan, _)| self.settings.plans.named(plan).is_none()).collect())
    }

    /// Says in the log which tenants' plans are gone.
    pub(super) async fn warn_of_lapsed_plans(&self) -> Outcome<()> {
        for (plan, tenants) in self.lapsed_plans().await? {
            tracing::error!(
                plan,
                tenants,
                "no such plan in the settings: its tenants write nothing that counts, and no live"
            );
        }
        Ok(())
    }
}
