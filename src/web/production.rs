//! The plan, what of it is used this month, and the steps to Production, each with what is to be done for it.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde_json::json;

use super::forms::FieldFaults;
use super::listing::{Asked, grouped};
use super::shell::{CheckedForm, Shell, Visitor, render, render_as, see_other};
use super::times::Moment;
use crate::domain::accounts::Environment;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{Gateway, ProductionWish, Step, StepReport, Submission};
use crate::problem::Answered;

const PATH: &str = "/console/production";

/// A step as the page shows it.
struct ShownStep {
    step: Step,
    title: &'static str,
    is_done: bool,
    is_waiting: bool,
    /// Whether it is the first that is not done.
    is_next: bool,
    reason: Option<String>,
}

#[derive(Template)]
#[template(path = "production.html")]
struct ProductionPage {
    shell: Shell,
    plan: String,
    has_production: bool,
    /// `120 of 10,000`.
    used: String,
    overage: Option<String>,
    resets: Moment,
    steps: Vec<ShownStep>,
    faults: FieldFaults,
    /// What was typed into the form that is shown again.
    typed: Typed,
}

#[derive(Default)]
struct Typed {
    legal_name: String,
    country: String,
    registration_number: String,
    company_name: String,
    volume: String,
}

/// The plan and the steps.
#[get("/console/production")]
pub async fn page(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let notice = match asked.text("done") {
        Some("company") => Some("The terms are accepted and your company is submitted."),
        Some("access") => Some("Production access is requested. The operator of this server decides."),
        Some("provision") => Some("Production is being made."),
        _ => None,
    };
    render(&production(&gateway, &visitor, notice, FieldFaults::default(), Typed::default()).await?)
}

async fn production(
    gateway: &Gateway,
    visitor: &Visitor,
    notice: Option<&'static str>,
    faults: FieldFaults,
    typed: Typed,
) -> Outcome<ProductionPage> {
    let shell = Shell::new(visitor, "production").saying(notice);
    let (plan, period, used) = gateway.plan_this_month(&visitor.scope).await?;
    let reports = gateway.way_to_production(&visitor.scope).await?;
    let next = reports.iter().position(|report| !report.is_done);
    let steps = reports.into_iter().enumerate().map(|(index, report)| shown(report, Some(index) == next));
    let overage = plan.overage(used);
    Ok(ProductionPage {
        used: match plan.monthly_deltas {
            Some(limit) => format!("{} of {}", grouped(used), grouped(limit)),
            None => format!("{}, without a limit", grouped(used)),
        },
        overage: (overage > 0).then(|| grouped(overage)),
        resets: shell.time(&period.end()),
        has_production: plan.has_production,
        plan: plan.name,
        steps: steps.collect(),
        shell,
        faults,
        typed,
    })
}

fn shown(report: StepReport, is_next: bool) -> ShownStep {
    let title = match report.step {
        Step::ConfirmAddress => "Confirm your address",
        Step::Plan => "Have a plan with Production",
        Step::Company => "Accept the terms and show your company",
        Step::Request => "Ask for production access",
        Step::Approval => "Be approved",
        Step::Provisioning => "Have Production made",
    };
    let StepReport { step, is_done, is_waiting, reason } = report;
    ShownStep { step, title, is_done, is_waiting, is_next, reason }
}

/// Accepts the terms and shows the company.
#[post("/console/production/company")]
pub async fn company(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let typed = Typed {
        legal_name: form.text("legalName").to_owned(),
        country: form.text("country").to_uppercase(),
        registration_number: form.text("registrationNumber").to_owned(),
        ..Typed::default()
    };
    let body = json!({
        "termsAccepted": form.has("termsAccepted"),
        "company": {
            "legalName": typed.legal_name, "country": typed.country, "registrationNumber": typed.registration_number,
        },
    });
    let outcome = match Submission::parse(body.to_string().as_bytes()) {
        Ok(submission) => gateway.submit_onboarding(&form.visitor.scope, submission).await.map(drop),
        Err(fault) => Err(fault),
    };
    after(&gateway, &form, "company", outcome, typed).await
}

/// Asks for production access.
#[post("/console/production/access")]
pub async fn access(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let typed = Typed {
        company_name: form.text("companyName").to_owned(),
        volume: form.text("expectedMonthlyVolume").to_owned(),
        ..Typed::default()
    };
    let body = json!({ "companyName": typed.company_name, "expectedMonthlyVolume": typed.volume });
    let outcome = match ProductionWish::parse(body.to_string().as_bytes()) {
        Ok(wish) => gateway.request_production_access(&form.visitor.scope, wish).await.map(drop),
        Err(fault) => Err(fault),
    };
    after(&gateway, &form, "access", outcome, typed).await
}

/// Has Production made.
#[post("/console/production/provision")]
pub async fn provision(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    gateway.provision(&form.visitor.scope, Environment::Production).await?;
    Ok(see_other("/console/production?done=provision"))
}

/// After a form: the page anew, or the form again with what was refused.
async fn after(gateway: &Gateway, form: &CheckedForm, done: &str, outcome: Outcome<()>, typed: Typed) -> Answered {
    match outcome {
        Ok(()) => Ok(see_other(&format!("{PATH}?done={done}"))),
        Err(fault) if fault.code == Code::ValidationError => {
            let faults = FieldFaults::of(&Fault { messages: bare(&fault.messages), ..fault });
            render_as(StatusCode::BAD_REQUEST, &production(gateway, &form.visitor, None, faults, typed).await?)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// The form's fields stand side by side, and not within a company.
fn bare(messages: &[String]) -> Vec<String> {
    messages.iter().map(|message| message.trim_start_matches("company.").to_owned()).collect()
}
