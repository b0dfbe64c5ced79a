//! The way to Production: an address that is confirmed, a plan that has it, terms and company, a request, the operator's
//! approval, and the environment itself. Test and sandbox approve themselves; what is submitted there is what the
//! operator decides on for live, because nobody can be in live before.

use serde_json::{Value, json};

use super::Gateway;
use super::audit::{self, Deed};
use super::plans::plan_of;
use super::scope::{Scope, Who};
use crate::domain::accounts::{Environment, Role};
use crate::domain::countries::is_country;
use crate::domain::fields::Fields;
use crate::domain::ids::{ProductionRequestId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::plans::Plans;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::environments::{self, EnvironmentRow, OnboardingRow, ProductionRequestRow};
use crate::store::tenants::TenantRow;
use crate::store::users::Owner;
use crate::store::{Conn, Lane, StoreError, StoreResult, tenants, users};

/// A company that accepts the terms.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its name in the register.
    pub legal_name: String,
    /// Where it is registered: ISO 3166-1, two letters.
    pub country: String,
    /// Its number in the register.
    pub registration_number: String,
}

impl Submission {
    /// Reads the body of a submission.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        if !fields.is_given("termsAccepted") {
            fields.missing("termsAccepted");
        }
        if fields.boolean("termsAccepted") == Some(false) {
            fields.fault("termsAccepted", "must be true");
        }
        if !fields.is_given("company") {
            fields.missing("company");
        }
        let company = fields.object("company", "company.", |company| {
            let legal_name = company.required_text("legalName", 1, 200).unwrap_or_default();
            let country = company.required_text("country", 2, 2).unwrap_or_default();
            if !country.is_empty() && !is_country(&country) {
                company.fault("country", "must be a country's two letters of ISO 3166-1, as in ID");
            }
            let registration_number = company.required_text("registrationNumber", 1, 100).unwrap_or_default();
            Self { legal_name, country, registration_number }
        });
        fields.finish()?;
        company.ok_or_else(|| Fault::invalid("company", "must be a JSON object"))
    }
}

/// What a tenant says when it asks for Production.
#[derive(Clone, Debug)]
pub struct ProductionWish {
    /// Who asks.
    pub company_name: String,
    /// How much it expects to take in a month, in its own words.
    pub expected_monthly_volume: String,
}

impl ProductionWish {
    /// Reads the body of a request. The volume may be a text or a number; its text is kept.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        let company_name = fields.required_text("companyName", 1, 200).unwrap_or_default();
        let expected_monthly_volume = read_volume(&mut fields, "expectedMonthlyVolume").unwrap_or_default();
        fields.finish()?;
        Ok(Self { company_name, expected_monthly_volume })
    }
}

fn read_volume(fields: &mut Fields<'_>, name: &str) -> Option<String> {
    if !fields.is_given(name) {
        fields.missing(name);
        return None;
    }
    let number = fields.number_text(name, 100);
    if number.is_some() {
        return number;
    }
    fields.text(name, 1, 100)
}

/// Everything that decides how far a tenant is on its way to Production.
pub(super) struct Standing {
    pub tenant: TenantRow,
    pub owners: Vec<Owner>,
    pub environments: Vec<EnvironmentRow>,
    /// For live.
    pub onboarding: Option<OnboardingRow>,
    /// The one that counts.
    pub request: Option<ProductionRequestRow>,
}

impl Standing {
    /// The first step that is missing, and how to take it; `None` when the tenant may be live.
    pub fn missing_step(&self, plans: &Plans) -> Option<String> {
        if self.tenant.is_operator {
            return None;
        }
        if self.tenant.suspended_at.is_some() {
            return Some("the tenant is suspended; ask the operator".to_owned());
        }
        if !self.has_verified_owner() {
            return Some(UNVERIFIED.to_owned());
        }
        let plan = plan_of(plans, &self.tenant);
        if !plan.has_production {
            return Some(match plan.is_lapsed {
                true => format!("the plan {} is no longer offered; ask the operator for another", plan.name),
                false => format!("the plan has no Production ({}); choose a paid plan first", plan.name),
            });
        }
        let because =
            |reason: &Option<String>| reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        let Some(company) = &self.onboarding else {
            return Some("accept the terms and submit the company first (POST /v1/onboarding/submit)".to_owned());
        };
        if company.kyb_status == "rejected" {
            return Some(format!("the company was not approved{}; submit it again", because(&company.reason)));
        }
        let Some(request) = &self.request else {
            return Some("request production access first (POST /v1/production-access/request)".to_owned());
        };
        if request.status == "rejected" {
            return Some(format!("production access was not approved{}; request it again", because(&request.reason)));
        }
        if company.kyb_status == "pending" || request.status == "pending" {
            return Some("production access waits for the operator's approval".to_owned());
        }
        let production = self.environments.iter().find(|row| row.environment == Environment::Production);
        match production.map(|row| (row.status.as_str(), &row.error)) {
            Some(("active", _)) => None,
            Some(("provisioning", _)) => Some("Production is being provisioned; wait a moment".to_owned()),
            Some((_, error)) => Some(format!("provisioning Production failed{}; ask for it again", because(error))),
            None => Some("Production is not provisioned yet (POST /dashboard/contracts/provision)".to_owned()),
        }
    }

    pub fn has_verified_owner(&self) -> bool {
        self.owners.iter().any(|owner| owner.is_verified)
    }

    /// Whether the operator approved company and request.
    pub fn is_approved(&self) -> bool {
        self.onboarding.as_ref().is_some_and(|row| row.kyb_status == "approved")
            && self.request.as_ref().is_some_and(|row| row.status == "approved")
    }
}

const UNVERIFIED: &str = "no owner has confirmed an e-mail address yet; follow the link in the mail first";

/// How far each of some tenants is, in a fixed number of queries.
pub(super) fn standings(conn: &mut Conn, tenants: Vec<TenantRow>) -> StoreResult<Vec<Standing>> {
    let ids: Vec<TenantId> = tenants.iter().map(|tenant| tenant.tenant_id.clone()).collect();
    let owners = users::owners(conn, &ids)?;
    let environments = environments::of_tenants(conn, &ids)?;
    let onboardings = environments::onboardings(conn, &ids, Mode::Live)?;
    let requests = environments::production_requests(conn, &ids)?;
    let stand = |tenant: TenantRow| {
        let id = &tenant.tenant_id;
        Standing {
            owners: owners.iter().filter(|owner| owner.tenant_id == *id).cloned().collect(),
            environments: environments.iter().filter(|row| row.tenant_id == *id).cloned().collect(),
            onboarding: onboardings.iter().find(|row| row.tenant_id == *id).cloned(),
            request: current(requests.iter().filter(|row| row.tenant_id == *id)),
            tenant,
        }
    };
    Ok(tenants.into_iter().map(stand).collect())
}

/// The request that counts: the one that is open or approved, of which there is one at the most, or else the newest.
fn current<'a>(requests: impl Iterator<Item = &'a ProductionRequestRow> + Clone) -> Option<ProductionRequestRow> {
    requests.clone().find(|row| row.status != "rejected").or_else(|| requests.last()).cloned()
}

/// How far a tenant is.
pub(super) fn standing(conn: &mut Conn, tenant: TenantRow) -> StoreResult<Standing> {
    standings(conn, vec![tenant])?.into_iter().next().ok_or(StoreError::Missing)
}

/// The first step that is missing, as the refusal that names it.
pub(super) fn live_step_missing(conn: &mut Conn, plans: &Plans, tenant_id: &TenantId) -> StoreResult<Option<Fault>> {
    let Some(tenant) = tenants::find(conn, tenant_id)? else {
        return Ok(Some(Fault::new(Code::NotFound, "there is no such tenant")));
    };
    let step = standing(conn, tenant)?.missing_step(plans);
    Ok(step.map(not_approved))
}

fn not_approved(step: String) -> Fault {
    Fault::new(Code::ProductionAccessNotApproved, step)
}

/// Only owners lead a tenant into Production; a key needs the scope for it.
fn require_owner(scope: &Scope) -> Outcome<()> {
    match &scope.who {
        Who::Key { .. } => scope.require_scope("onboarding:write"),
        _ => scope.require_role(Role::Owner),
    }
}

/// A step of the way to Production.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An owner shows that his address is his.
    ConfirmAddress,
    /// A plan that has Production.
    Plan,
    /// Terms and company.
    Company,
    /// The request for production access.
    Request,
    /// The operator's approval of both.
    Approval,
    /// The environment itself.
    Provisioning,
}

/// How far a tenant is with a step.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Which.
    pub step: Step,
    /// Whether it is taken.
    pub is_done: bool,
    /// Whether somebody else has it in hand: the operator, or the gateway.
    pub is_waiting: bool,
    /// Why it has to be taken again.
    pub reason: Option<String>,
}

impl Standing {
    fn report(&self, plans: &Plans) -> Vec<StepReport> {
        let company = self.onboarding.as_ref();
        let request = self.request.as_ref();
        let is_given = |status: Option<&str>| status.is_some_and(|status| status != "rejected");
        let company_is_given = is_given(company.map(|row| row.kyb_status.as_str()));
        let request_is_made = is_given(request.map(|row| row.status.as_str()));
        let production = self.environments.iter().find(|row| row.environment == Environment::Production);
        let is_in_state = |state: &str| production.is_some_and(|row| row.status == state);
        let done = |step, is_done| StepReport { step, is_done, is_waiting: false, reason: None };
        vec![
            done(Step::ConfirmAddress, self.has_verified_owner()),
            done(Step::Plan, plan_of(plans, &self.tenant).has_production),
            StepReport {
                reason: company.filter(|_| !company_is_given).and_then(|row| row.reason.clone()),
                ..done(Step::Company, company_is_given)
            },
            StepReport {
                reason: request.filter(|_| !request_is_made).and_then(|row| row.reason.clone()),
                ..done(Step::Request, request_is_made)
            },
            StepReport { is_waiting: company_is_given && request_is_made, ..done(Step::Approval, self.is_approved()) },
            StepReport {
                is_waiting: is_in_state("provisioning"),
                reason: production.and_then(|row| row.error.clone()),
                ..done(Step::Provisioning, is_in_state("active"))
            },
        ]
    }
}

impl Gateway {
    /// Every step of the caller's tenant on its way to Production; none for the operator's own, which is there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn way_to_production(&self, scope: &Scope) -> Outcome<Vec<StepReport>> {
        let tenant_id = scope.tenant_id.clone();
        let standing = self
            .read(move |conn| {
                let tenant = tenants::find(conn, &tenant_id)?.ok_or(StoreError::Missing)?;
                standing(conn, tenant)
            })
            .await?;
        if standing.tenant.is_operator { Ok(Vec::new()) } else { Ok(standing.report(&self.settings.plans)) }
    }

    /// The first step that a tenant has yet to take before anything of its may be `live`.
    pub(super) async fn missing_live_step(&self, tenant_id: &TenantId) -> Outcome<Option<Fault>> {
        let tenant_id = tenant_id.clone();
        let plans = self.settings.plans.clone();
        self.read(move |conn| live_step_missing(conn, &plans, &tenant_id)).await
    }

    /// The next step of the caller's tenant on its way to Production, as a sentence; `None` when it is there.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn next_live_step(&self, scope: &Scope) -> Outcome<Option<String>> {
        Ok(self.missing_live_step(&scope.tenant_id).await?.map(|fault| fault.detail))
    }

    /// How far the caller's tenant is, in his mode and on its way to Production.
    ///
    /// # Errors
    /// 403 for a key without the scope `onboarding:read`.
    pub async fn onboarding_status(&self, scope: &Scope) -> Outcome<Value> {
        scope.require_scope("onboarding:read")?;
        self.told_onboarding(scope).await
    }

    async fn told_onboarding(&self, scope: &Scope) -> Outcome<Value> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let (own, standing) = self
            .read(move |conn| {
                let tenant = tenants::find(conn, &tenant_id)?.ok_or(StoreError::Missing)?;
                Ok((environments::onboarding(conn, &tenant_id, mode)?, standing(conn, tenant)?))
            })
            .await?;
        let is_approved = standing.tenant.is_operator || own.as_ref().is_some_and(|row| row.kyb_status == "approved");
        let live = standing.onboarding.as_ref();
        let request = standing.request.as_ref();
        Ok(json!({
            "mode": mode,
            "needsOnboarding": !is_approved,
            "tosAccepted": own.is_some(),
            "kybStatus": own.as_ref().map(|row| &row.kyb_status),
            "production": {
                "kybStatus": live.map(|row| &row.kyb_status),
                "kybReason": live.and_then(|row| row.reason.as_ref()),
                "accessStatus": request.map(|row| &row.status),
                "accessReason": request.and_then(|row| row.reason.as_ref()),
                "nextStep": standing.missing_step(&self.settings.plans),
            },
        }))
    }

    /// Accepts the terms and shows the company. In test and sandbox that is approved at once; for live it waits for the
    /// operator, unless he approved the company before.
    ///
    /// # Errors
    /// 403 for who is no owner, or for a suspended tenant.
    pub async fn submit_onboarding(&self, scope: &Scope, submission: Submission) -> Outcome<Value> {
        require_owner(scope)?;
        let now = self.clock.now();
        let scope_then = scope.clone();
        self.write(Lane::Of(scope.tenant_id.as_str()), move |conn| {
            let tenant = tenants::lock(conn, &scope_then.tenant_id)?.ok_or(StoreError::Missing)?;
            if let Some(fault) = refuse_suspended(&tenant) {
                return Ok(Err(fault));
            }
            if scope_then.mode != Mode::Live {
                environments::save_onboarding(conn, &onboarding_row(&scope_then, scope_then.mode, &submission, now))?;
            }
            let before = environments::onboarding(conn, &scope_then.tenant_id, Mode::Live)?;
            let live = onboarding_row(&scope_then, Mode::Live, &submission, now);
            // What the operator has approved stays approved, and stays what he approved.
            if before.as_ref().is_none_or(|row| row.kyb_status != "approved") {
                environments::save_onboarding(conn, &live)?;
            }
            let deed = Deed {
                action: "onboarding.submitted",
                subject: Some(scope_then.tenant_id.as_str()),
                before: before.as_ref().map(company_object),
                after: Some(company_object(&live)),
            };
            audit::record(conn, &scope_then, deed, now)?;
            Ok(Ok(()))
        })
        .await??;
        self.told_onboarding(scope).await
    }

    /// Asks for production access. The request that is open or approved already is answered as it is.
    ///
    /// # Errors
    /// 403 for who is no owner, before an owner's address is confirmed, or for a suspended tenant.
    pub async fn request_production_access(
        &self,
        scope: &Scope,
        wish: ProductionWish,
    ) -> Outcome<ProductionRequestRow> {
        require_owner(scope)?;
        let now = self.clock.now();
        let request_id = ProductionRequestId::generate(now);
        let scope_then = scope.clone();
        self.write(Lane::Of(scope.tenant_id.as_str()), move |conn| {
            let tenant = tenants::lock(conn, &scope_then.tenant_id)?.ok_or(StoreError::Missing)?;
            if let Some(fault) = refuse_suspended(&tenant) {
                return Ok(Err(fault));
            }
            let standing = standing(conn, tenant)?;
            if !standing.has_verified_owner() && !standing.tenant.is_operator {
                return Ok(Err(not_approved(UNVERIFIED.to_owned())));
            }
            if let Some(open) = standing.request.filter(|request| request.status != "rejected") {
                return Ok(Ok(open));
            }
            let row = ProductionRequestRow {
                request_id: request_id.clone(),
                tenant_id: scope_then.tenant_id.clone(),
                company_name: wish.company_name.clone(),
                expected_monthly_volume: wish.expected_monthly_volume.clone(),
                status: "pending".to_owned(),
                reason: None,
                created_at: now,
                decided_at: None,
            };
            environments::insert_production_request(conn, &row)?;
            let deed = Deed {
                action: "production_access.requested",
                subject: Some(row.request_id.as_str()),
                before: None,
                after: Some(json!({
                    "companyName": row.company_name, "expectedMonthlyVolume": row.expected_monthly_volume,
                })),
            };
            audit::record(conn, &scope_then, deed, now)?;
            Ok(Ok(row))
        })
        .await?
    }
}

fn refuse_suspended(tenant: &TenantRow) -> Option<Fault> {
    tenant.suspended_at.map(|_| Fault::new(Code::TenantSuspended, "the tenant is suspended; ask the operator"))
}

fn onboarding_row(scope: &Scope, mode: Mode, submission: &Submission, now: Timestamp) -> OnboardingRow {
    let approves_itself = mode != Mode::Live;
    OnboardingRow {
        tenant_id: scope.tenant_id.clone(),
        mode,
        terms_accepted_at: now,
        legal_name: submission.legal_name.clone(),
        country: submission.country.clone(),
        registration_number: submission.registration_number.clone(),
        kyb_status: if approves_itself { "approved" } else { "pending" }.to_owned(),
        reason: None,
        submitted_at: now,
        decided_at: approves_itself.then_some(now),
    }
}

fn company_object(row: &OnboardingRow) -> Value {
    json!({
        "legalName": row.legal_name, "country": row.country, "registrationNumber": row.registration_number,
        "kybStatus": row.kyb_status,
    })
}
