//! `switchyard doctor`

use serde_json::json;

use super::{Done, Failure};
use crate::clock::Clock;
use crate::config::{Settings, SettingsFaults};
use crate::gateway::{Gateway, mails, maintenance};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Also ask every provider whether it knows the credentials that it is called with.
    #[arg(long)]
    online: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

enum Finding {
    Good,
    Warning,
    Bad,
}

struct Check {
    name: &'static str,
    finding: Finding,
    detail: String,
}

fn check(name: &'static str, finding: Finding, detail: impl Into<String>) -> Check {
    Check { name, finding, detail: detail.into() }
}

pub(super) async fn run(settings: Result<Settings, SettingsFaults>, arguments: &Arguments) -> Done {
    let checks = match settings {
        Ok(settings) => examine(settings, arguments.online).await,
        Err(faults) => vec![check("settings", Finding::Bad, faults.to_string())],
    };
    let is_bad = |check: &Check| matches!(check.finding, Finding::Bad);
    if arguments.json {
        let checks: Vec<_> = checks
            .iter()
            .map(|check| json!({ "check": check.name, "result": word(&check.finding), "detail": check.detail }))
            .collect();
        println!("{}", json!({ "checks": checks }));
    } else {
        for check in &checks {
            println!("{:<8} {:<12} {}", word(&check.finding), check.name, check.detail);
        }
    }
    let bad = checks.iter().filter(|check| is_bad(check)).count();
    if bad > 0 {
        return Err(Failure::new(format!("{bad} of {} checks failed", checks.len())));
    }
    Ok(())
}

const fn word(finding: &Finding) -> &'static str {
    match finding {
        Finding::Good => "ok",
        Finding::Warning => "warning",
        Finding::Bad => "failed",
    }
}

async fn examine(settings: Settings, is_online: bool) -> Vec<Check> {
    let mut checks = vec![check("settings", Finding::Good, "every setting can be used")];
    checks.push(examine_reach(&settings));
    checks.push(examine_sign_up(&settings));
    let target = settings.database.clone();
    match maintenance::pending_migrations(&settings) {
        Ok(pending) if pending.is_empty() => {
            checks.push(check("database", Finding::Good, format!("{} answers and is up to date", target.describe())));
        }
        Ok(pending) => {
            let detail = format!("{}: {} migrations pending; serve runs them", target.describe(), pending.len());
            checks.push(check("database", Finding::Warning, detail));
            return checks;
        }
        Err(error) => {
            checks.push(check("database", Finding::Bad, error.to_string()));
            return checks;
        }
    }
    match maintenance::durability_faults(&settings) {
        Ok(faults) if faults.is_empty() => checks.push(check("durability", Finding::Good, "a commit is on the disk")),
        Ok(faults) => checks.push(check("durability", Finding::Bad, faults.join("; "))),
        Err(error) => checks.push(check("durability", Finding::Bad, error.to_string())),
    }
    crate::telemetry::start_log("off", false);
    match Gateway::open(settings, Clock::system()).await {
        Ok(gateway) => {
            checks.push(check("secrets", Finding::Good, "the sealing key opens what is stored"));
            checks.push(examine_plans(&gateway).await);
            for row in gateway.report().providers.iter().filter(|row| row.status == "no_credentials") {
                let detail = format!("{} has no {} credentials; the mock stands in", row.provider, row.mode);
                checks.push(check("provider", Finding::Warning, detail));
            }
            let answers = if is_online { gateway.check_providers().await } else { Vec::new() };
            for answer in answers {
                let who = format!("{} {} at {}", answer.provider, answer.mode, answer.host);
                checks.push(match answer.fault {
                    None => check("online", Finding::Good, format!("{who} knows its credentials")),
                    Some(fault) => check("online", Finding::Bad, format!("{who}: {fault}")),
                });
            }
        }
        Err(error) => checks.push(check("secrets", Finding::Bad, error.to_string())),
    }
    checks
}

/// Whether the settings have every plan that a tenant is on.
async fn examine_plans(gateway: &Gateway) -> Check {
    match gateway.lapsed_plans().await {
        Ok(lapsed) if lapsed.is_empty() => check("plans", Finding::Good, "every tenant's plan is in the settings"),
        Ok(lapsed) => {
            let lapsed: Vec<String> =
                lapsed.iter().map(|(plan, tenants)| format!("{plan} ({tenants} tenants)")).collect();
            let detail = format!("not in the settings, so nothing that counts and no live: {}", lapsed.join(", "));
            check("plans", Finding::Bad, detail)
        }
        Err(fault) => check("plans", Finding::Bad, fault.to_string()),
    }
}

fn examine_sign_up(settings: &Settings) -> Check {
    match mails::sign_up_closed(settings) {
        Some(reason) => check("sign-up", Finding::Warning, reason),
        None if settings.mail_smtp_url.is_some() => check("sign-up", Finding::Good, "open; mail goes out by SMTP"),
        None => check("sign-up", Finding::Good, "open to this machine; its mail is shown at /outbox"),
    }
}

fn examine_reach(settings: &Settings) -> Check {
    let is_loopback = settings.bind.ip().is_loopback();
    if is_loopback || settings.public_url.starts_with("https://") {
        return check("reach", Finding::Good, format!("listens on {}", settings.bind));
    }
    let detail = format!("{} is reachable from other machines without https: set server.public_url", settings.bind);
    check("reach", Finding::Warning, detail)
}
