//! `switchyard tenants …`: the operator at the machine.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::person::Person;
use crate::support::{TestDatabase, TestGateway, program_on};
use crate::tenants::tenant_of;

struct Ran {
    code: Option<i32>,
    out: String,
    talk: String,
}

async fn run(database: &TestDatabase, arguments: &[&str]) -> Ran {
    let mut command = program_on(database);
    command.arg("tenants").args(arguments).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
}

impl Ran {
    #[track_caller]
    fn json(&self) -> Value {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.out, self.talk);
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("not one JSON value: {}", self.out))
    }

    #[track_caller]
    fn expect_error(&self, parts: &[&str]) {
        assert_eq!((self.code, self.out.as_str()), (Some(1), ""), "{}", self.talk);
        for part in ["error: "].iter().chain(parts) {
            assert!(self.talk.contains(part), "{part}: {}", self.talk);
        }
    }
}

#[actix_web::test]
async fn an_operator_leads_a_tenant_from_sandbox_to_live_and_back() {
    let gateway = TestGateway::spawn_stepped().await;
    let database = &gateway.database;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = tenant_of(&ann).await;
    let shown = run(database, &["show", "ann@example.com", "--json"]).await.json();
    assert_eq!((&shown["tenant_id"], &shown["plan"]), (&json!(tenant_id), &json!("free")));
    assert_eq!(shown["owners"], json!([{ "email": "ann@example.com", "verified": true }]));
    assert_eq!(
        (&shown["sandbox"]["status"], &shown["production"]["status"]),
        (&json!("active"), &json!("not_provisioned"))
    );
    run(database, &["approve", &tenant_id]).await.expect_error(&["neither submitted", "hint: "]);

    let company = json!({ "legalName": "Ann's Shop Ltd", "country": "ID", "registrationNumber": "AHU-0042" });
    ann.post("/v1/onboarding/submit", json!({ "termsAccepted": true, "company": company })).await;
    let wish = json!({ "companyName": "Ann's Shop", "expectedMonthlyVolume": "USD 10,000" });
    ann.post("/v1/production-access/request", wish).await;
    let waiting = run(database, &["list", "--waiting", "--json"]).await.json();
    assert_eq!(waiting.as_array().unwrap().len(), 1);
    assert_eq!(waiting[0]["production_request"]["expected_monthly_volume"], "USD 10,000");
    assert_eq!((&waiting[0]["company"]["country"], &waiting[0]["state"]), (&json!("ID"), &json!("waiting")));

    let approved = run(database, &["approve", "ann@example.com", "--json"]).await;
    assert!(approved.talk.contains("hint: ") && approved.talk.contains("choose a paid plan"), "{}", approved.talk);
    assert_eq!(approved.json()["company"]["kyb_status"], "approved");
    let planned = run(database, &["plan", &tenant_id, "starter", "--json"]).await.json();
    assert_eq!((&planned["plan"], &planned["production"]["status"]), (&json!("starter"), &json!("active")));
    assert_eq!((&planned["state"], &planned["next_step"]), (&json!("live"), &Value::Null));
    assert_eq!(ann.in_mode("live").await.get("/dashboard/auth/me").await.1["data"]["mode"], "live");
    let again = run(database, &["approve", &tenant_id]).await;
    assert_eq!(again.code, Some(0));
    assert!(again.talk.contains("was already approved"), "{}", again.talk);

    let suspended = run(database, &["suspend", &tenant_id, "--reason", "unpaid", "--json"]).await.json();
    assert_eq!(suspended["state"], "suspended");
    assert_eq!(run(database, &["resume", &tenant_id, "--json"]).await.json()["suspended_at"], Value::Null);
    let rejected = run(database, &["reject", &tenant_id, "--reason", "fraud", "--json"]).await.json();
    assert_eq!(
        (&rejected["company"]["kyb_status"], &rejected["company"]["reason"]),
        (&json!("rejected"), &json!("fraud"))
    );
    let (status, answer) = ann.post("/v1/auth/switch-mode", json!({ "mode": "live" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ProductionAccessNotApproved")));
    let by_operator = "SELECT COUNT(*) FROM audit_entries WHERE actor = 'operator'";
    assert_eq!(database.number(by_operator), 5);
}

#[actix_web::test]
async fn approval_can_bring_the_plan_along() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let company = json!({ "legalName": "Ann's Shop Ltd", "country": "ID", "registrationNumber": "AHU-0042" });
    ann.post("/v1/onboarding/submit", json!({ "termsAccepted": true, "company": company })).await;
    ann.post("/v1/production-access/request", json!({ "companyName": "Ann", "expectedMonthlyVolume": 5 })).await;
    let live = run(&gateway.database, &["approve", "ANN@example.com", "--plan", "pilot", "--json"]).await.json();
    assert_eq!((&live["state"], &live["plan"]), (&json!("live"), &json!("pilot")));
    ann.in_mode("live").await;
}

#[actix_web::test]
async fn a_tenant_or_plan_that_there_is_not_is_an_error_with_a_hint() {
    let gateway = TestGateway::spawn_stepped().await;
    let database = &gateway.database;
    let none = run(database, &["list"]).await;
    assert_eq!((none.code, none.out.as_str()), (Some(0), ""));
    assert!(none.talk.contains("no tenants yet"));
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = tenant_of(&ann).await;
    for nobody in ["ten_01k7v3m2q8d4r5s6t7v8w9x0yz", "nobody@example.com", "nonsense"] {
        run(database, &["show", nobody]).await.expect_error(&["there is no tenant", "hint: `switchyard tenants list`"]);
    }
    run(database, &["plan", &tenant_id, "gold"]).await.expect_error(&["gold is none of free, pilot", "hint: "]);
    run(database, &["reject", &tenant_id, "--reason", ""]).await.expect_error(&["reason must have 1 to 500"]);
    assert_eq!(run(database, &["reject", &tenant_id]).await.code, Some(2), "a reason is required");
    assert_eq!(run(database, &["approve"]).await.code, Some(2));
    let listed = run(database, &["list"]).await;
    assert!(listed.out.contains(&tenant_id) && listed.out.contains("ann@example.com"), "{}", listed.out);
    let shown = run(database, &["show", &tenant_id]).await;
    for part in ["sandbox.status", "active", "ann@example.com", "next_step"] {
        assert!(shown.out.contains(part), "{part}: {}", shown.out);
    }
    assert_eq!(run(database, &["list", "--waiting"]).await.out, "");
}

#[actix_web::test]
async fn the_operators_own_tenant_needs_no_decision() {
    let gateway = TestGateway::spawn_stepped().await;
    gateway.product(switchyard::domain::mode::Mode::Live).await;
    let listed = run(&gateway.database, &["list", "--json"]).await.json();
    assert_eq!((&listed[0]["state"], &listed[0]["next_step"]), (&json!("operator"), &Value::Null));
    let own = listed[0]["tenant_id"].as_str().unwrap().to_owned();
    for arguments in [vec!["approve", &own], vec!["suspend", &own], vec!["plan", &own, "free"]] {
        run(&gateway.database, &arguments).await.expect_error(&["operator's own tenant"]);
    }
}

#[actix_web::test]
async fn doctor_names_a_plan_that_is_gone() {
    let gateway = TestGateway::spawn_stepped().await;
    Person::registered(&gateway, "ann@example.com").await;
    gateway.database.execute("UPDATE tenants SET plan = 'gold'").unwrap();
    let mut command = program_on(&gateway.database);
    command.args(["doctor", "--json"]).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let checks = answer["checks"].as_array().unwrap();
    let plans = checks.iter().find(|check| check["check"] == "plans").unwrap();
    assert_eq!(plans["result"], "failed");
    assert!(plans["detail"].as_str().unwrap().contains("gold (1 tenants)"));
}
