//! Sandbox and Production of a tenant. Making one is a job: it looks again whether the plan has the environment, proves
//! that the install can seal and open the environment's secrets, opens the month's counters of its modes, and tells the
//! owners. It makes no key: a key's secret is shown once, and nobody would see it. What fails is tried again, and in the
//! end it is `error` until somebody asks anew.

use std::time::Duration;

use serde_json::json;

use super::audit::{self, Deed};
use super::mails::{self, Letter};
use super::plans::plan_of;
use super::scope::Scope;
use super::{Gateway, INSTALL_KEY, install_secret_place};
use crate::domain::accounts::{Environment, Role};
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::plans::{Period, Plans};
use crate::domain::secrets::Sealer;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::environments::{self, EnvironmentRow};
use crate::store::tenants::TenantRow;
use crate::store::usage::{Counter, DELTAS};
use crate::store::{Conn, Lane, StoreError, StoreResult, install, tenants, usage, users};

/// How long an environment that is being made is this process's own.
const LEASE: Duration = Duration::from_secs(60);

/// Waits after the first, second, … failed try; there is one more than waits.
const WAITS: [Duration; 4] =
    [Duration::from_secs(5), Duration::from_secs(30), Duration::from_secs(120), Duration::from_secs(600)];

/// Environments in one round.
const ROUND: i64 = 20;

impl Gateway {
    /// Asks for an environment. One that is there, or under way, is answered as it is; one that failed is tried again.
    ///
    /// # Errors
    /// 403 for who is no owner (Sandbox: for a viewer), without the plan, or when suspended; 421 where it is not served.
    pub async fn provision(&self, scope: &Scope, environment: Environment) -> Outcome<EnvironmentRow> {
        let role = if environment == Environment::Production { Role::Owner } else { Role::Developer };
        scope.require_role(role)?;
        if !self.served_environments().contains(&environment) {
            modes_of(environment).try_for_each(|mode| self.check_mode_is_served(mode))?;
        }
        let now = self.clock.now();
        let (scope_then, plans) = (scope.clone(), self.settings.plans.clone());
        let row = self
            .write(Lane::Of(scope.tenant_id.as_str()), move |conn| {
                let tenant = tenants::lock(conn, &scope_then.tenant_id)?.ok_or(StoreError::Missing)?;
                if let Some(fault) = refusal(&plans, &tenant, environment) {
                    return Ok(Err(fault));
                }
                let (row, is_new) = ask_for(conn, &tenant.tenant_id, environment, now)?;
                if is_new {
                    let deed = Deed {
                        action: "environment.requested",
                        subject: Some(environment.as_str()),
                        before: None,
                        after: Some(json!({ "status": row.status })),
                    };
                    audit::record(conn, &scope_then, deed, now)?;
                }
                Ok(Ok(row))
            })
            .await??;
        self.environments_wanted.notify_one();
        Ok(row)
    }

    /// The environments of the caller's tenant that were ever asked for.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn environments(&self, scope: &Scope) -> Outcome<Vec<EnvironmentRow>> {
        let tenant_id = scope.tenant_id.clone();
        self.read(move |conn| environments::of_tenant(conn, &tenant_id)).await
    }

    /// Waits until there may be an environment to make.
    pub async fn environments_wanted(&self) {
        self.environments_wanted.notified().await;
    }

    /// Makes the environments that are due; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn provision_due(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let served = self.served_environments();
        let wanted = served.clone();
        if !self.read(move |conn| environments::is_any_due(conn, now, &wanted)).await? {
            return Ok(0);
        }
        let claim = move |conn: &mut Conn| environments::claim_due(conn, now, now.plus(LEASE), &served, ROUND);
        let claimed = self.write(Lane::Any, claim).await?;
        for row in &claimed {
            self.make(row).await?;
        }
        Ok(claimed.len())
    }

    /// Makes one environment that this process has claimed.
    async fn make(&self, claimed: &EnvironmentRow) -> Outcome<()> {
        let now = self.clock.now();
        let sealed = self.read(|conn| install::secret(conn, INSTALL_KEY)).await?;
        let opens = sealed.is_some_and(|sealed| self.sealer.open(install_secret_place(INSTALL_KEY), &sealed).is_ok());
        let claimed = claimed.clone();
        let (sealer, plans) = (self.sealer.clone(), self.settings.plans.clone());
        let base_url = self.settings.base_url();
        let tenant_id = claimed.tenant_id.clone();
        self.write(Lane::Of(tenant_id.as_str()), move |conn| {
            let tenant = tenants::lock(conn, &claimed.tenant_id)?.ok_or(StoreError::Missing)?;
            let current = environments::find(conn, &claimed.tenant_id, claimed.environment)?;
            // The lease ran out and somebody else has it, or has finished.
            if !current.is_some_and(|row| row.attempts == claimed.attempts && row.due_at == claimed.due_at) {
                return Ok(());
            }
            let row = match (refusal(&plans, &tenant, claimed.environment), opens) {
                (Some(fault), _) => failed(&claimed, &fault.detail, None),
                (None, false) => {
                    let tried = usize::try_from(claimed.attempts).unwrap_or(usize::MAX).saturating_sub(1);
                    let again_at = WAITS.get(tried).map(|wait| now.plus(*wait));
                    failed(&claimed, "the sealing key does not open this install's secrets", again_at)
                }
                (None, true) => EnvironmentRow {
                    attempts: claimed.attempts,
                    ..EnvironmentRow::active(&claimed.tenant_id, claimed.environment, now)
                },
            };
            environments::save(conn, &row)?;
            record_outcome(conn, &row, now)?;
            if row.status == "active" {
                open_counters(conn, &row.tenant_id, row.environment, now)?;
                announce(conn, &sealer, &tenant, &row, &base_url, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Environments of which this process serves a mode.
    fn served_environments(&self) -> Vec<Environment> {
        let is_served =
            |environment: &Environment| modes_of(*environment).any(|mode| self.settings.modes.contains(&mode));
        Environment::ALL.into_iter().filter(is_served).collect()
    }
}

/// The modes that an environment holds.
fn modes_of(environment: Environment) -> impl Iterator<Item = Mode> {
    Mode::ALL.into_iter().filter(move |mode| Environment::of(*mode) == environment)
}

/// Why a tenant cannot have an environment.
fn refusal(plans: &Plans, tenant: &TenantRow, environment: Environment) -> Option<Fault> {
    if tenant.suspended_at.is_some() {
        return Some(Fault::new(Code::TenantSuspended, "the tenant is suspended; ask the operator"));
    }
    let plan = plan_of(plans, tenant);
    if environment == Environment::Production && !plan.has_production {
        let detail = format!("the plan has no Production ({}); choose a paid plan first", plan.name);
        return Some(Fault::new(Code::ProductionNotInPlan, detail));
    }
    None
}

/// The environment as it is, or to be made from now on; says whether that is new. The tenant's row is locked.
pub(super) fn ask_for(
    conn: &mut Conn,
    tenant_id: &TenantId,
    environment: Environment,
    now: Timestamp,
) -> StoreResult<(EnvironmentRow, bool)> {
    let wanted = EnvironmentRow::to_provision(tenant_id, environment, now);
    match environments::find(conn, tenant_id, environment)? {
        Some(row) if row.status != "error" => Ok((row, false)),
        Some(_) => environments::save(conn, &wanted).map(|()| (wanted, true)),
        None => environments::insert(conn, &wanted).map(|_| (wanted, true)),
    }
}

/// Opens this month's counters of an environment's modes, so that what is written finds them.
pub(super) fn open_counters(
    conn: &mut Conn,
    tenant_id: &TenantId,
    environment: Environment,
    now: Timestamp,
) -> StoreResult<()> {
    for mode in modes_of(environment) {
        usage::open(conn, Counter { tenant_id, mode, period: Period::of(now), name: DELTAS })?;
    }
    Ok(())
}

/// An environment that could not be made, and is tried again if `again_at` says when.
fn failed(claimed: &EnvironmentRow, reason: &str, again_at: Option<Timestamp>) -> EnvironmentRow {
    let status = if again_at.is_some() { "provisioning" } else { "error" };
    EnvironmentRow {
        status: status.to_owned(),
        error: Some(reason.to_owned()),
        due_at: again_at,
        provisioned_at: None,
        ..claimed.clone()
    }
}

fn record_outcome(conn: &mut Conn, row: &EnvironmentRow, now: Timestamp) -> StoreResult<()> {
    let action = match row.status.as_str() {
        "active" => "environment.provisioned",
        "error" => "environment.failed",
        _ => return Ok(()),
    };
    let deed = Deed {
        action,
        subject: Some(row.environment.as_str()),
        before: None,
        after: Some(json!({ "status": row.status, "error": row.error })),
    };
    audit::record_of(conn, &row.tenant_id, "gateway", None, deed, now)
}

fn announce(
    conn: &mut Conn,
    sealer: &Sealer,
    tenant: &TenantRow,
    row: &EnvironmentRow,
    base_url: &str,
    now: Timestamp,
) -> StoreResult<()> {
    if row.environment != Environment::Production {
        return Ok(());
    }
    for owner in users::owners(conn, std::slice::from_ref(&tenant.tenant_id))? {
        let letter = Letter {
            recipient: owner.email,
            subject: "Production is ready".to_owned(),
            text: format!(
                "Production of {} is provisioned. Live apps and keys can be made once the operator has approved the \
                 company and the request for production access.\n\n{base_url}/login\n",
                tenant.name
            ),
        };
        mails::enqueue(conn, sealer, &letter, now)?;
    }
    Ok(())
}
