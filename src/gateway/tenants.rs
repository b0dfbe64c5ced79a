//! What the operator decides about tenants: approving and rejecting them for Production, their plan, suspending and
//! resuming them. Each decision is in the audit log, is told to the owners, and is known to every process at once.

use serde_json::{Value, json};

use super::Gateway;
use super::audit::{self, Deed};
use super::environments::ask_for;
use super::mails::{self, Letter};
use super::onboarding::{Standing, standing, standings};
use super::plans::plan_of;
use crate::domain::accounts::{Environment, Role, normal_email};
use crate::domain::fields::text_fault;
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::plans::Plans;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::environments::{self, EnvironmentRow, OnboardingRow, ProductionRequestRow};
use crate::store::tenants::{self, TenantRow};
use crate::store::users::{self, Owner};
use crate::store::{Conn, Lane, Page, StoreError, StoreResult, install};

/// A tenant as the operator sees it.
#[derive(Clone, Debug)]
pub struct TenantReport {
    /// The tenant.
    pub tenant: TenantRow,
    /// Who owns it.
    pub owners: Vec<Owner>,
    /// The environments that it asked for.
    pub environments: Vec<EnvironmentRow>,
    /// What it has shown of its company, for live.
    pub onboarding: Option<OnboardingRow>,
    /// Its request for Production: the one that is open or approved, or else the newest.
    pub request: Option<ProductionRequestRow>,
    /// What stands between it and Production.
    pub next_step: Option<String>,
}

impl TenantReport {
    fn new(standing: Standing, plans: &Plans) -> Self {
        let next_step = standing.missing_step(plans);
        let Standing { tenant, owners, environments, onboarding, request } = standing;
        Self { tenant, owners, environments, onboarding, request, next_step }
    }

    /// Whether it waits for the operator.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.onboarding.as_ref().is_some_and(|row| row.kyb_status == "pending")
            || self.request.as_ref().is_some_and(|row| row.status == "pending")
    }
}

/// What the operator decides about a tenant.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Company and request are good; with another plan, if one is named.
    Approve {
        /// The plan that it gets.
        plan: Option<String>,
    },
    /// They are not, and nothing of the tenant is live any more.
    Reject {
        /// Why, for the owners.
        reason: String,
    },
    /// Another plan.
    SetPlan(String),
    /// Nothing that it starts is served.
    Suspend {
        /// Why, for the owners.
        reason: Option<String>,
    },
    /// All is as before.
    Resume,
}

impl Gateway {
    /// A page of tenants with how far they are, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_tenants(&self, after: Option<String>, limit: usize) -> Outcome<Page<TenantReport>> {
        let plans = self.settings.plans.clone();
        self.read(move |conn| {
            let Page { items, next } = tenants::page(conn, after.as_deref(), limit)?;
            let items = standings(conn, items)?.into_iter().map(|one| TenantReport::new(one, &plans)).collect();
            Ok(Page { items, next })
        })
        .await
    }

    /// One tenant, by its id or by the address of one of its owners.
    ///
    /// # Errors
    /// 404; 400 for an address that owns several.
    pub async fn find_tenant(&self, id_or_email: &str) -> Outcome<TenantReport> {
        let wanted = id_or_email.to_owned();
        let plans = self.settings.plans.clone();
        self.read(move |conn| {
            let tenant = match resolve(conn, &wanted)? {
                Ok(tenant) => tenant,
                Err(fault) => return Ok(Err(fault)),
            };
            Ok(Ok(TenantReport::new(standing(conn, tenant)?, &plans)))
        })
        .await?
    }

    /// Carries out what the operator decided; says how the tenant stands then, and whether anything changed.
    ///
    /// # Errors
    /// 404; 400 for a plan that there is not or an empty reason; 403 where there is nothing to decide on.
    pub async fn decide(&self, id_or_email: &str, decision: Decision) -> Outcome<(TenantReport, bool)> {
        self.check_decision(&decision)?;
        let tenant_id = self.find_tenant(id_or_email).await?.tenant.tenant_id;
        let now = self.clock.now();
        let (plans, sealer, base_url) = (self.settings.plans.clone(), self.sealer.clone(), self.settings.base_url());
        let wanted = tenant_id.clone();
        let (report, is_changed) = self
            .write(Lane::Of(tenant_id.as_str()), move |conn| {
                let tenant = tenants::lock(conn, &wanted)?.ok_or(StoreError::Missing)?;
                let before = standing(conn, tenant)?;
                let deed = match plan_deed(&before, &decision) {
                    Ok(deed) => deed,
                    Err(fault) => return Ok(Err(fault)),
                };
                let Some((action, before_object, after_object)) = deed else {
                    return Ok(Ok((TenantReport::new(before, &plans), false)));
                };
                carry_out(conn, &before, &decision, now)?;
                let tenant = tenants::find(conn, &wanted)?.ok_or(StoreError::Missing)?;
                let mut after = standing(conn, tenant)?;
                if after.is_approved() && plan_of(&plans, &after.tenant).has_production {
                    ask_for(conn, &wanted, Environment::Production, now)?;
                    after.environments = environments::of_tenant(conn, &wanted)?;
                }
                let deed = Deed {
                    action,
                    subject: Some(wanted.as_str()),
                    before: Some(before_object),
                    after: Some(after_object),
                };
                audit::record_of(conn, &wanted, "operator", None, deed, now)?;
                install::bump_directory_version(conn)?;
                let report = TenantReport::new(after, &plans);
                for owner in &report.owners {
                    mails::enqueue(conn, &sealer, &letter(&report, &owner.email, &decision, &base_url), now)?;
                }
                Ok(Ok((report, true)))
            })
            .await??;
        self.environments_wanted.notify_one();
        self.mails_wanted.notify_one();
        Ok((report, is_changed))
    }

    fn check_decision(&self, decision: &Decision) -> Outcome<()> {
        let plan = match decision {
            Decision::SetPlan(plan) | Decision::Approve { plan: Some(plan) } => Some(plan),
            _ => None,
        };
        if let Some(plan) = plan.filter(|plan| self.settings.plans.named(plan).is_none()) {
            let reason = format!("{plan} is none of {}", self.settings.plans.names());
            return Err(Fault::invalid("plan", &reason));
        }
        let reason = match decision {
            Decision::Reject { reason } | Decision::Suspend { reason: Some(reason) } => Some(reason),
            _ => None,
        };
        match reason.and_then(|reason| text_fault(reason, 1, 500)) {
            Some(fault) => Err(Fault::invalid("reason", &fault)),
            None => Ok(()),
        }
    }
}

/// The tenant that an id or an owner's address names.
fn resolve(conn: &mut Conn, id_or_email: &str) -> StoreResult<Outcome<TenantRow>> {
    let not_found = || Fault::new(Code::NotFound, format!("there is no tenant {id_or_email}"));
    let tenant_id = if id_or_email.contains('@') {
        let Some(user) = users::by_email(conn, &normal_email(id_or_email))? else { return Ok(Err(not_found())) };
        let mut owned: Vec<TenantId> = users::memberships(conn, &user.user_id)?
            .into_iter()
            .filter(|(_, _, role)| *role == Role::Owner)
            .map(|(tenant_id, ..)| tenant_id)
            .collect();
        if owned.len() > 1 {
            let ids: Vec<&str> = owned.iter().map(TenantId::as_str).collect();
            return Ok(Err(Fault::invalid("tenant", &format!("owns several, name one: {}", ids.join(", ")))));
        }
        owned.pop()
    } else {
        TenantId::parse(id_or_email)
    };
    let found = tenant_id.map(|tenant_id| tenants::find(conn, &tenant_id)).transpose()?.flatten();
    Ok(found.ok_or_else(not_found))
}

/// What a decision is in the audit log, with what it changes, before and after; `None` when it changes nothing.
fn plan_deed(standing: &Standing, decision: &Decision) -> Outcome<Option<(&'static str, Value, Value)>> {
    let tenant = &standing.tenant;
    let company = standing.onboarding.as_ref().map(|row| row.kyb_status.as_str());
    let request = standing.request.as_ref().map(|row| row.status.as_str());
    let is_operator_fault = || Fault::new(Code::AlreadyExists, "the operator's own tenant may do everything already");
    if tenant.is_operator {
        return Err(is_operator_fault());
    }
    let state = |status: &str, plan: &str, reason: Option<&String>| {
        let (company, request) = (company.map(|_| status), request.map(|_| status));
        json!({ "kybStatus": company, "accessStatus": request, "plan": plan, "reason": reason })
    };
    let now_so = json!({ "kybStatus": company, "accessStatus": request, "plan": tenant.plan });
    let is_all = |status: &str| [company, request].iter().flatten().all(|held| *held == status);
    Ok(match decision {
        Decision::Approve { .. } | Decision::Reject { .. } if company.is_none() && request.is_none() => {
            let detail = "the tenant has neither submitted its company nor requested production access yet";
            return Err(Fault::new(Code::ProductionAccessNotApproved, detail));
        }
        Decision::Approve { plan } => {
            let plan = plan.as_ref().unwrap_or(&tenant.plan);
            let is_same = is_all("approved") && *plan == tenant.plan;
            (!is_same).then(|| ("tenant.approved", now_so, state("approved", plan, None)))
        }
        Decision::Reject { reason } => {
            (!is_all("rejected")).then(|| ("tenant.rejected", now_so, state("rejected", &tenant.plan, Some(reason))))
        }
        Decision::SetPlan(plan) => (*plan != tenant.plan)
            .then(|| ("tenant.plan_changed", json!({ "plan": tenant.plan }), json!({ "plan": plan }))),
        Decision::Suspend { reason } => tenant.suspended_at.is_none().then(|| {
            ("tenant.suspended", json!({ "suspended": false }), json!({ "suspended": true, "reason": reason }))
        }),
        Decision::Resume => {
            tenant.suspended_at.map(|_| ("tenant.resumed", json!({ "suspended": true }), json!({ "suspended": false })))
        }
    })
}

fn carry_out(conn: &mut Conn, standing: &Standing, decision: &Decision, now: Timestamp) -> StoreResult<()> {
    let tenant_id = &standing.tenant.tenant_id;
    match decision {
        Decision::Approve { plan } => {
            if let Some(plan) = plan {
                tenants::set_plan(conn, tenant_id, plan)?;
            }
            decide_access(conn, standing, "approved", None, now)
        }
        Decision::Reject { reason } => decide_access(conn, standing, "rejected", Some(reason), now),
        Decision::SetPlan(plan) => tenants::set_plan(conn, tenant_id, plan),
        Decision::Suspend { .. } => tenants::set_suspended(conn, tenant_id, Some(now)),
        Decision::Resume => tenants::set_suspended(conn, tenant_id, None),
    }
}

/// Decides on the company and on the newest request, as far as there are any that are not decided so already.
fn decide_access(
    conn: &mut Conn,
    standing: &Standing,
    status: &str,
    reason: Option<&str>,
    now: Timestamp,
) -> StoreResult<()> {
    if let Some(company) = standing.onboarding.as_ref().filter(|row| row.kyb_status != status) {
        let decided = OnboardingRow {
            mode: Mode::Live,
            kyb_status: status.to_owned(),
            reason: reason.map(str::to_owned),
            decided_at: Some(now),
            ..company.clone()
        };
        environments::save_onboarding(conn, &decided)?;
    }
    if let Some(request) = standing.request.as_ref().filter(|row| row.status != status) {
        environments::decide_production_request(conn, &request.request_id, status, reason, now)?;
    }
    Ok(())
}

/// What an owner is told of a decision.
fn letter(report: &TenantReport, recipient: &str, decision: &Decision, base_url: &str) -> Letter {
    let name = &report.tenant.name;
    let (subject, text) = match decision {
        Decision::Approve { .. } => ("Production access is approved", format!("{name} is approved for Production.")),
        Decision::Reject { reason } => (
            "Production access is not approved",
            format!("{name} is not approved for Production.\n\nThe reason: {reason}\n\nMend it and submit again."),
        ),
        Decision::SetPlan(plan) => ("Another plan", format!("{name} is on the plan {plan} now.")),
        Decision::Suspend { reason } => (
            "Your tenant is suspended",
            match reason {
                Some(reason) => format!("{name} is suspended.\n\nThe reason: {reason}"),
                None => format!("{name} is suspended."),
            },
        ),
        Decision::Resume => ("Your tenant is resumed", format!("{name} is served again.")),
    };
    let next = match (&report.next_step, decision) {
        (Some(step), Decision::Approve { .. } | Decision::SetPlan(_)) => {
            format!("\n\nOn the way to Production: {step}.")
        }
        _ => String::new(),
    };
    Letter {
        recipient: recipient.to_owned(),
        subject: subject.to_owned(),
        text: format!("{text}{next}\n\n{base_url}/login\n"),
    }
}
