//! `switchyard tenants …`

use std::sync::Arc;

use serde_json::{Value, json};

use super::{Done, Failure};
use crate::domain::accounts::Environment;
use crate::error::{Code, Fault};
use crate::gateway::{Decision, Gateway, TenantReport};

/// Tenants in one page.
const PAGE: usize = 100;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List tenants, oldest first.
    List {
        /// Only those that wait for a decision.
        #[arg(long)]
        waiting: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one tenant, and what stands between it and Production.
    Show {
        /// Its id, or the e-mail address of its owner.
        tenant: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Approve a tenant's company and its request for Production. Production is provisioned if the plan has it.
    Approve {
        /// Its id, or the e-mail address of its owner.
        tenant: String,
        /// Put it on this plan, too.
        #[arg(long)]
        plan: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Reject a tenant's company and its request for Production. What was approved is approved no longer.
    Reject {
        /// Its id, or the e-mail address of its owner.
        tenant: String,
        /// Why; the owners are told.
        #[arg(long)]
        reason: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Put a tenant on another plan.
    Plan {
        /// Its id, or the e-mail address of its owner.
        tenant: String,
        /// One of the plans in the settings.
        plan: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Suspend a tenant: nothing new is begun for it. What is under way is finished.
    Suspend {
        /// Its id, or the e-mail address of its owner.
        tenant: String,
        /// Why; the owners are told.
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a tenant's suspension.
    Resume {
        /// Its id, or the e-mail address of its owner.
        tenant: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

pub(super) async fn run(gateway: Arc<Gateway>, command: Command) -> Done {
    match command {
        Command::List { waiting, json } => list(&gateway, waiting, json).await,
        Command::Show { tenant, json } => {
            let report = gateway.find_tenant(&tenant).await.map_err(explained)?;
            print(&report, json);
            Ok(())
        }
        Command::Approve { tenant, plan, json } => {
            decide(&gateway, &tenant, Decision::Approve { plan }, "approved", json).await
        }
        Command::Reject { tenant, reason, json } => {
            decide(&gateway, &tenant, Decision::Reject { reason }, "rejected", json).await
        }
        Command::Plan { tenant, plan, json } => {
            let done = format!("on the plan {plan}");
            decide(&gateway, &tenant, Decision::SetPlan(plan), &done, json).await
        }
        Command::Suspend { tenant, reason, json } => {
            decide(&gateway, &tenant, Decision::Suspend { reason }, "suspended", json).await
        }
        Command::Resume { tenant, json } => decide(&gateway, &tenant, Decision::Resume, "not suspended", json).await,
    }
}

async fn list(gateway: &Gateway, only_waiting: bool, as_json: bool) -> Done {
    let mut objects = Vec::new();
    let mut after = None;
    let mut shown = 0;
    loop {
        let page = gateway.list_tenants(after, PAGE).await?;
        for report in page.items.iter().filter(|report| report.is_waiting() || !only_waiting) {
            shown += 1;
            if as_json {
                objects.push(object(report));
                continue;
            }
            let owner = report.owners.first().map_or("", |owner| owner.email.as_str());
            let state = state(report);
            println!(
                "{}  {state:<9}  {:<10}  {owner}  {}",
                report.tenant.tenant_id, report.tenant.plan, report.tenant.name
            );
        }
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    if as_json {
        println!("{}", Value::Array(objects));
    } else if shown == 0 && only_waiting {
        eprintln!("no tenant waits for a decision");
    } else if shown == 0 {
        eprintln!("no tenants yet");
        eprintln!("hint: people register at the running server's front page");
    }
    Ok(())
}

/// Where a tenant is, in a word.
fn state(report: &TenantReport) -> &'static str {
    if report.tenant.is_operator {
        "operator"
    } else if report.tenant.suspended_at.is_some() {
        "suspended"
    } else if report.is_waiting() {
        "waiting"
    } else if report.next_step.is_none() {
        "live"
    } else {
        "sandbox"
    }
}

async fn decide(gateway: &Gateway, tenant: &str, decision: Decision, done: &str, as_json: bool) -> Done {
    let (report, is_changed) = gateway.decide(tenant, decision).await.map_err(explained)?;
    // What the decision makes possible is done here, whether or not a server runs.
    gateway.provision_due().await?;
    let report = gateway.find_tenant(report.tenant.tenant_id.as_str()).await?;
    print(&report, as_json);
    let already = if is_changed { "is" } else { "was already" };
    eprintln!("{} ({}) {already} {done}", report.tenant.name, report.tenant.tenant_id);
    if let Some(step) = report.next_step.as_ref().filter(|_| report.tenant.suspended_at.is_none()) {
        eprintln!("hint: before it can be live: {step}");
    }
    Ok(())
}

/// A refusal with what would help.
fn explained(fault: Fault) -> Failure {
    let hint = match fault.code {
        Code::NotFound => "`switchyard tenants list` shows every tenant",
        Code::ProductionAccessNotApproved => "`switchyard tenants list --waiting` shows who waits for a decision",
        Code::ValidationError => {
            "`switchyard tenants show` takes an id; plans are in the settings, under [plans.<name>]"
        }
        _ => return fault.into(),
    };
    Failure::with_hint(fault.to_string(), hint)
}

fn object(report: &TenantReport) -> Value {
    let TenantReport { tenant, owners, environments, onboarding, request, next_step } = report;
    let owners: Vec<Value> =
        owners.iter().map(|owner| json!({ "email": owner.email, "verified": owner.is_verified })).collect();
    let environment = |wanted: Environment| match environments.iter().find(|row| row.environment == wanted) {
        Some(row) => json!({ "status": row.status, "error": row.error, "provisioned_at": row.provisioned_at }),
        None => json!({ "status": "not_provisioned", "error": null, "provisioned_at": null }),
    };
    json!({
        "tenant_id": tenant.tenant_id, "name": tenant.name, "plan": tenant.plan, "state": state(report),
        "is_operator": tenant.is_operator, "suspended_at": tenant.suspended_at, "created_at": tenant.created_at,
        "owners": owners,
        "sandbox": environment(Environment::Sandbox), "production": environment(Environment::Production),
        "company": onboarding.as_ref().map(|row| json!({
            "legal_name": row.legal_name, "country": row.country, "registration_number": row.registration_number,
            "kyb_status": row.kyb_status, "reason": row.reason, "submitted_at": row.submitted_at,
            "decided_at": row.decided_at,
        })),
        "production_request": request.as_ref().map(|row| json!({
            "id": row.request_id, "company_name": row.company_name,
            "expected_monthly_volume": row.expected_monthly_volume, "status": row.status, "reason": row.reason,
            "created_at": row.created_at, "decided_at": row.decided_at,
        })),
        "next_step": next_step,
    })
}

fn print(report: &TenantReport, as_json: bool) {
    let object = object(report);
    if as_json {
        println!("{object}");
        return;
    }
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Object(inner) => {
                for (inner_name, value) in inner.iter().filter(|(_, value)| !value.is_null()) {
                    print_line(&format!("{name}.{inner_name}"), value);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| print_line(name, &item["email"])),
            value => print_line(name, value),
        }
    }
}

fn print_line(name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::String(text) => println!("{name:<40} {text}"),
        other => println!("{name:<40} {other}"),
    }
}
