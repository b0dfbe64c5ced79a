//! Tenants on their way: plans and what is used of them, environments, onboarding, and what the operator decides.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::ids::TenantId;
use switchyard::domain::mode::Mode;
use switchyard::domain::plans::{Period, Plan, Plans};
use switchyard::domain::time::Timestamp;
use switchyard::gateway::Decision;
use switchyard::gateway::plans::reserve_deltas;
use switchyard::store::usage::{self, Counter, DELTAS, Reservation};
use switchyard::store::{Lane, Store};

use crate::person::{PASSWORD, Person, post};
use crate::support::{TestGateway, eventually};

/// The tenant that a person works for.
pub async fn tenant_of(person: &Person) -> String {
    person.get("/dashboard/auth/me").await.1["data"]["user"]["tenantId"].as_str().unwrap().to_owned()
}

fn company() -> Value {
    json!({ "termsAccepted": true,
            "company": { "legalName": "Ann's Shop Ltd", "country": "ID", "registrationNumber": "AHU-0042" } })
}

fn wish() -> Value {
    json!({ "companyName": "Ann's Shop", "expectedMonthlyVolume": "USD 10,000" })
}

async fn decide(gateway: &TestGateway, tenant: &str, decision: Decision) {
    let (_, is_changed) = gateway.server.gateway.decide(tenant, decision).await.unwrap();
    assert!(is_changed);
}

fn approval() -> Decision {
    Decision::Approve { plan: None }
}

/// The status of one environment, as the contracts name it.
async fn environment(person: &Person, name: &str) -> Value {
    let tenant_id = tenant_of(person).await;
    let (status, answer) = person.get(&format!("/dashboard/contracts/{tenant_id}/status")).await;
    assert_eq!((status, &answer["data"]["tenantId"]), (200, &json!(tenant_id)));
    let environments = answer["data"]["environments"].as_array().unwrap();
    assert_eq!(environments.len(), 2, "always both");
    environments.iter().find(|environment| environment["environment"] == name).unwrap().clone()
}

async fn provision(person: &Person, environment: &str) -> (u16, Value) {
    person.post("/dashboard/contracts/provision", json!({ "environment": environment })).await
}

/// Why the person cannot switch to live.
async fn step_before_live(person: &Person) -> String {
    let (status, answer) = person.post("/v1/auth/switch-mode", json!({ "mode": "live" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ProductionAccessNotApproved")), "{answer}");
    answer["detail"].as_str().unwrap().to_owned()
}

fn subjects_to(gateway: &TestGateway, email: &str) -> Vec<String> {
    let sql = format!("SELECT subject AS text FROM mails WHERE recipient = '{email}' ORDER BY mail_id");
    gateway.database.texts(&sql)
}

#[actix_web::test]
async fn a_tenant_begins_on_the_free_plan_with_nothing_used() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let (status, plan) = ann.get("/dashboard/billing/plan").await;
    let plan = &plan["data"];
    assert_eq!((status, &plan["tier"], &plan["used"]), (200, &json!("free"), &json!(0)));
    assert_eq!(plan["limits"], json!({ "monthlyDeltas": 100, "production": false, "hardCap": true }));
    assert_eq!((&plan["cancelAtPeriodEnd"], &plan["mode"]), (&json!(false), &json!("test")));
    let period = Period::of(gateway.clock.now()).to_string();
    assert_eq!(plan["period"], period);
    let (status, usage) = ann.get("/dashboard/billing/usage").await;
    let expected =
        json!({ "period": period, "mode": "test", "consumedDeltas": 0, "remaining": 100, "overageCount": 0 });
    assert_eq!((status, &usage["data"]), (200, &expected));
    let earlier = ann.get("/dashboard/billing/usage?period=2020-01").await.1;
    assert_eq!((&earlier["data"]["period"], &earlier["data"]["remaining"]), (&json!("2020-01"), &json!(100)));
    for bad in ["period=2026-13", "period=now", "month=2026-11"] {
        let (status, answer) = ann.get(&format!("/dashboard/billing/usage?{bad}")).await;
        assert_eq!((status, &answer["code"]), (400, &json!("ValidationError")), "{bad}");
    }
}

/// A store of its own on the gateway's database: several, as several processes have.
fn stores(gateway: &TestGateway, number: usize) -> Vec<Store> {
    (0..number).map(|_| Store::open(gateway.database.target.clone(), 1).unwrap()).collect()
}

#[actix_web::test]
async fn sixty_four_writers_never_pass_a_limit_together() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = TenantId::parse(&tenant_of(&ann).await).unwrap();
    let period = Period::parse("2031-05").unwrap();
    // Two processes, and at PostgreSQL every lane of theirs.
    let stores = stores(&gateway, 2);
    let writers = (0..64).map(|index: usize| {
        let (store, tenant_id) = (&stores[index % 2], tenant_id.clone());
        let lane = format!("writer {index}");
        async move {
            let mut reserved = 0;
            for _ in 0..4 {
                let tenant_id = tenant_id.clone();
                let reservation = store
                    .write(Lane::Of(&lane), move |conn| {
                        let counter = Counter { tenant_id: &tenant_id, mode: Mode::Test, period, name: DELTAS };
                        usage::reserve(conn, counter, 3, Some(200))
                    })
                    .await
                    .unwrap();
                match reservation {
                    Reservation::Reserved => reserved += 3,
                    Reservation::OverLimit { used } => assert_eq!(used, 198),
                }
            }
            reserved
        }
    });
    let reserved: i64 = futures_util::future::join_all(writers).await.into_iter().sum();
    assert_eq!(reserved, 198, "66 reservations of 3 fit into 200");
    assert_eq!(gateway.database.number("SELECT used FROM usage_counters WHERE period = '2031-05'"), 198);
    let counted = |number: i64| {
        let tenant_id = tenant_id.clone();
        stores[0].write(Lane::Any, move |conn| {
            let counter = Counter { tenant_id: &tenant_id, mode: Mode::Test, period, name: DELTAS };
            usage::release(conn, counter, number)
        })
    };
    assert!(counted(198).await.unwrap());
    assert!(!counted(1).await.unwrap(), "no more is released than was counted");
    assert_eq!(gateway.database.number("SELECT used FROM usage_counters WHERE period = '2031-05'"), 0);
}

#[actix_web::test]
async fn a_hard_cap_refuses_by_name_and_an_overage_is_counted() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = TenantId::parse(&tenant_of(&ann).await).unwrap();
    let store = stores(&gateway, 1).pop().unwrap();
    let plans = gateway.server.gateway.settings().plans.clone();
    let now = Timestamp::parse_rfc3339("2026-11-21T12:00:00Z").unwrap();
    let reserve = |mode: Mode, number: i64| {
        let (tenant_id, plans) = (tenant_id.clone(), plans.clone());
        store.write(Lane::Any, move |conn| reserve_deltas(conn, &plans, &tenant_id, mode, number, now))
    };
    reserve(Mode::Test, 98).await.unwrap().unwrap();
    let fault = reserve(Mode::Test, 3).await.unwrap().unwrap_err();
    assert_eq!((fault.status(), fault.code.name()), (402, "PlanLimitExceeded"));
    for part in ["free", "100 verified deltas", "98 are used", "2026-12-01T00:00:00.000Z"] {
        assert!(fault.detail.contains(part), "{part}: {fault}");
    }
    reserve(Mode::Test, 2).await.unwrap().unwrap();
    reserve(Mode::Sandbox, 100).await.unwrap().expect("each mode is counted by itself");
    let usage = ann.get("/dashboard/billing/usage?period=2026-11").await.1;
    assert_eq!((&usage["data"]["consumedDeltas"], &usage["data"]["remaining"]), (&json!(100), &json!(0)));

    decide(&gateway, tenant_id.as_str(), Decision::SetPlan("pilot".to_owned())).await;
    reserve(Mode::Test, 9_903).await.unwrap().expect("pilot has overage");
    let usage = ann.get("/dashboard/billing/usage?period=2026-11").await.1;
    let expected = json!({ "period": "2026-11", "mode": "test", "consumedDeltas": 10_003, "remaining": 0,
                           "overageCount": 3 });
    assert_eq!(usage["data"], expected);
    decide(&gateway, tenant_id.as_str(), Decision::SetPlan("enterprise".to_owned())).await;
    let usage = ann.get("/dashboard/billing/usage?period=2026-11").await.1;
    assert_eq!((&usage["data"]["remaining"], &usage["data"]["overageCount"]), (&Value::Null, &json!(0)));
}

#[actix_web::test]
async fn a_plan_that_is_gone_from_the_settings_allows_nothing_that_costs() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = tenant_of(&ann).await;
    gateway.database.execute("UPDATE tenants SET plan = 'gold' WHERE plan = 'free'").unwrap();
    assert_eq!(gateway.server.gateway.lapsed_plans().await.unwrap(), [("gold".to_owned(), 1)]);
    assert_eq!(ann.get("/dashboard/billing/plan").await.1["data"]["tier"], "gold", "reading stays free");
    assert!(step_before_live(&ann).await.contains("gold is no longer offered"));
    assert_eq!(provision(&ann, "mainnet").await.1["code"], "ProductionNotInPlan");
    let store = stores(&gateway, 1).pop().unwrap();
    let (plans, id) = (gateway.server.gateway.settings().plans.clone(), TenantId::parse(&tenant_id).unwrap());
    let now = gateway.clock.now();
    let refused = store.write(Lane::Any, move |conn| reserve_deltas(conn, &plans, &id, Mode::Test, 1, now)).await;
    assert_eq!(refused.unwrap().unwrap_err().code.name(), "PlanLimitExceeded");
    let fault = gateway.server.gateway.decide(&tenant_id, Decision::SetPlan("gold".to_owned())).await.unwrap_err();
    assert!(fault.detail.contains("gold is none of free, pilot, starter"), "{fault}");
}

#[actix_web::test]
async fn sandbox_is_active_at_registration_and_production_needs_the_plan() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = tenant_of(&ann).await;
    let sandbox = environment(&ann, "testnet").await;
    assert_eq!(sandbox["status"], "active");
    assert!(sandbox["provisionedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(environment(&ann, "mainnet").await, json!({ "environment": "mainnet", "status": "not_provisioned" }));
    for name in ["mainnet", "production"] {
        let (status, answer) = provision(&ann, name).await;
        assert_eq!((status, &answer["code"]), (403, &json!("ProductionNotInPlan")));
    }
    for name in ["testnet", "sandbox"] {
        let (status, answer) = provision(&ann, name).await;
        assert_eq!((status, &answer["data"]["status"]), (201, &json!("active")), "idempotent when active");
    }
    for body in [json!({}), json!({ "environment": "moon" }), json!({ "environment": 1, "mode": "live" })] {
        let (status, answer) = ann.post("/dashboard/contracts/provision", body).await;
        assert_eq!((status, &answer["code"]), (400, &json!("ValidationError")));
    }

    decide(&gateway, "ann@example.com", Decision::SetPlan("starter".to_owned())).await;
    let (status, answer) = provision(&ann, "mainnet").await;
    assert_eq!(status, 201, "{answer}");
    let data = &answer["data"];
    assert_eq!((&data["tenantId"], &data["environment"]), (&json!(tenant_id), &json!("mainnet")));
    assert_eq!(data["status"], "provisioning");
    assert!(data["message"].as_str().unwrap().contains("provisioned"));
    assert_eq!(ann.get("/dashboard/contracts").await.1["data"].as_array().unwrap().len(), 1);
    assert_eq!(provision(&ann, "production").await.1["data"]["status"], "provisioning");
    gateway.step().await;
    assert_eq!(environment(&ann, "mainnet").await["status"], "active");
    assert_eq!(provision(&ann, "mainnet").await.1["data"]["status"], "active");
    let contracts = ann.get("/dashboard/contracts").await.1;
    let contracts = contracts["data"].as_array().unwrap();
    let named: Vec<&str> = contracts.iter().map(|one| one["environment"].as_str().unwrap()).collect();
    assert_eq!(named, ["testnet", "mainnet"]);
    for contract in contracts {
        assert_eq!((&contract["tenantId"], &contract["status"]), (&json!(tenant_id), &json!("active")));
        assert!(contract["id"].is_string() && contract["provisionedAt"].is_string());
    }
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM environments WHERE environment = 'production'"), 1);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM usage_counters WHERE mode = 'live'"), 1);
    assert!(subjects_to(&gateway, "ann@example.com").contains(&"Production is ready".to_owned()));
    // Provisioned is not approved.
    assert!(step_before_live(&ann).await.contains("submit the company"));
}

#[actix_web::test]
async fn what_is_provisioned_belongs_to_its_tenant_and_viewers_ask_for_nothing() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let path = format!("/dashboard/contracts/{}/status", tenant_of(&ann).await);
    let (status, answer) = bob.get(&path).await;
    assert_eq!((status, &answer["code"]), (404, &json!("NotFound")));
    decide(&gateway, "bob@example.com", Decision::SetPlan("starter".to_owned())).await;
    gateway.database.execute("UPDATE members SET role = 'developer'").unwrap();
    for (path, body) in [
        ("/dashboard/contracts/provision", json!({ "environment": "mainnet" })),
        ("/v1/onboarding/submit", company()),
        ("/v1/production-access/request", wish()),
    ] {
        let (status, answer) = bob.post(path, body).await;
        assert_eq!((status, &answer["code"]), (403, &json!("InsufficientScope")), "{path}");
    }
    assert_eq!(provision(&bob, "testnet").await.0, 201);
    gateway.database.execute("UPDATE members SET role = 'viewer'").unwrap();
    assert_eq!(provision(&bob, "testnet").await.0, 403);
    assert_eq!(bob.post("/dashboard/customers", json!({ "customerId": "c" })).await.0, 403);
    assert_eq!(bob.get("/dashboard/contracts").await.0, 200);
}

#[actix_web::test]
async fn provisioning_that_fails_is_tried_again_and_ends_in_error_until_it_is_asked_for_anew() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    decide(&gateway, "ann@example.com", Decision::SetPlan("starter".to_owned())).await;
    let sealed = gateway.database.texts("SELECT sealed AS text FROM install_secrets WHERE name = 'token_key'");
    let break_it = "UPDATE install_secrets SET sealed = 'nonsense' WHERE name = 'token_key'";
    gateway.database.execute(break_it).unwrap();
    provision(&ann, "mainnet").await;
    for wait in [5, 30, 120, 600] {
        gateway.step().await;
        assert_eq!(environment(&ann, "mainnet").await["status"], "provisioning");
        gateway.clock.advance(Duration::from_secs(wait - 1));
        let tries = "SELECT attempts FROM environments WHERE environment = 'production'";
        let before = gateway.database.number(tries);
        gateway.step().await;
        assert_eq!(gateway.database.number(tries), before, "not before {wait} s");
        gateway.clock.advance(Duration::from_secs(1));
    }
    gateway.step().await;
    let ann = Person::signed_in(&gateway, "ann@example.com").await;
    let failed = environment(&ann, "mainnet").await;
    assert_eq!(failed["status"], "error");
    assert!(failed["error"].as_str().unwrap().contains("sealing key"), "{failed}");
    gateway.database.execute(&break_it.replace("nonsense", &sealed[0])).unwrap();
    gateway.advance(Duration::from_secs(3600)).await;
    let ann = Person::signed_in(&gateway, "ann@example.com").await;
    assert_eq!(environment(&ann, "mainnet").await["status"], "error", "nothing happens by itself");
    assert_eq!(provision(&ann, "mainnet").await.1["data"]["status"], "provisioning");
    gateway.step().await;
    let mended = environment(&ann, "mainnet").await;
    assert_eq!((&mended["status"], &mended["error"]), (&json!("active"), &Value::Null));
    let actions = gateway.database.texts(
        "SELECT action || ' ' || actor AS text FROM audit_entries WHERE action LIKE 'environment.%' AND actor = 'gateway'
         ORDER BY entry_id",
    );
    assert_eq!(actions, ["environment.failed gateway", "environment.provisioned gateway"]);
}

#[actix_web::test]
async fn a_plan_that_is_lost_before_the_job_runs_ends_the_provisioning_at_once() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    decide(&gateway, "ann@example.com", Decision::SetPlan("starter".to_owned())).await;
    provision(&ann, "mainnet").await;
    decide(&gateway, "ann@example.com", Decision::SetPlan("free".to_owned())).await;
    gateway.step().await;
    let failed = environment(&ann, "mainnet").await;
    assert_eq!(failed["status"], "error");
    assert!(failed["error"].as_str().unwrap().contains("has no Production (free)"), "{failed}");
}

#[actix_web::test]
async fn what_a_process_that_died_had_claimed_is_made_when_its_lease_is_over() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    decide(&gateway, "ann@example.com", Decision::SetPlan("starter".to_owned())).await;
    provision(&ann, "mainnet").await;
    let lease = gateway.clock.now().plus(Duration::from_secs(60)).unix_micros();
    let claim = format!("UPDATE environments SET attempts = 1, due_at = {lease} WHERE environment = 'production'");
    gateway.database.execute(&claim).unwrap();
    gateway.advance(Duration::from_secs(59)).await;
    assert_eq!(environment(&ann, "mainnet").await["status"], "provisioning");
    gateway.advance(Duration::from_secs(1)).await;
    assert_eq!(environment(&ann, "mainnet").await["status"], "active");
}

#[actix_web::test]
async fn a_server_without_live_sends_production_elsewhere() {
    let gateway = TestGateway::spawn_with(Clock::system(), false, |settings| {
        settings.modes = vec![Mode::Test, Mode::Sandbox];
        settings.mode_urls.insert(Mode::Live, "https://live.example.com".to_owned());
    })
    .await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let (status, answer) = provision(&ann, "mainnet").await;
    assert_eq!((status, &answer["code"]), (421, &json!("ModeNotServed")));
    assert!(answer["detail"].as_str().unwrap().contains("https://live.example.com"));
}

#[actix_web::test]
async fn where_only_live_is_served_the_way_to_it_can_be_gone_all_the_same() {
    let gateway = TestGateway::spawn_with(Clock::system(), false, |settings| settings.modes = vec![Mode::Live]).await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    assert_eq!(ann.get("/v1/onboarding/status").await.0, 200);
    assert_eq!(ann.post("/v1/onboarding/submit", company()).await.0, 200);
    assert_eq!(ann.post("/v1/production-access/request", wish()).await.0, 201);
    decide(&gateway, "ann@example.com", Decision::Approve { plan: Some("pilot".to_owned()) }).await;
    gateway.step().await;
    assert_eq!(environment(&ann, "mainnet").await["status"], "active");
    assert_eq!(ann.in_mode("live").await.get("/dashboard/billing/plan").await.1["data"]["mode"], "live");
}

#[actix_web::test]
async fn test_and_sandbox_approve_themselves_and_live_waits_for_the_operator() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let fresh = ann.get("/v1/onboarding/status").await;
    assert_eq!((fresh.0, &fresh.1["mode"]), (200, &json!("test")));
    assert_eq!((&fresh.1["needsOnboarding"], &fresh.1["tosAccepted"]), (&json!(true), &json!(false)));
    assert_eq!(fresh.1["kybStatus"], Value::Null);
    let (status, done) = ann.post("/v1/onboarding/submit", company()).await;
    assert_eq!(status, 200, "{done}");
    assert_eq!((&done["needsOnboarding"], &done["tosAccepted"]), (&json!(false), &json!(true)));
    assert_eq!((&done["kybStatus"], &done["production"]["kybStatus"]), (&json!("approved"), &json!("pending")));
    let sandbox = ann.in_mode("sandbox").await;
    assert_eq!(sandbox.get("/v1/onboarding/status").await.1["kybStatus"], Value::Null, "each mode is its own");
    assert_eq!(sandbox.post("/v1/onboarding/submit", company()).await.1["kybStatus"], "approved");

    let reason = "the number is not in the register".to_owned();
    decide(&gateway, "ann@example.com", Decision::Reject { reason: reason.clone() }).await;
    let rejected = ann.get("/v1/onboarding/status").await.1;
    assert_eq!(
        (&rejected["production"]["kybStatus"], &rejected["kybStatus"]),
        (&json!("rejected"), &json!("approved"))
    );
    assert_eq!(rejected["production"]["kybReason"], reason);
    let again = ann.post("/v1/onboarding/submit", company()).await.1;
    assert_eq!(
        (&again["production"]["kybStatus"], &again["production"]["kybReason"]),
        (&json!("pending"), &Value::Null)
    );
    decide(&gateway, "ann@example.com", approval()).await;
    let mut other = company();
    other["company"]["legalName"] = json!("Somebody else Ltd");
    let after = ann.post("/v1/onboarding/submit", other).await.1;
    assert_eq!(after["production"]["kybStatus"], "approved");
    let name = gateway.database.texts("SELECT legal_name AS text FROM onboardings WHERE mode = 'live'");
    assert_eq!(name, ["Ann's Shop Ltd"], "what was approved stays what was approved");
}

#[actix_web::test]
async fn one_answer_names_every_fault_of_a_submission() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let body = json!({ "termsAccepted": false, "company": { "legalName": "", "country": "XX", "vat": "1" } });
    let (status, answer) = ann.post("/v1/onboarding/submit", body).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ValidationError")));
    let messages = answer["message"].to_string();
    let faults = [
        "termsAccepted: must be true",
        "company.legalName:",
        "company.country:",
        "company.registrationNumber: missing",
    ];
    for part in faults.into_iter().chain(["company.vat: is not a field"]) {
        assert!(messages.contains(part), "{part} is not in {messages}");
    }
    for body in [json!({}), json!({ "termsAccepted": true, "company": "Ann" }), json!({ "termsAccepted": "yes" })] {
        assert_eq!(ann.post("/v1/onboarding/submit", body).await.0, 400);
    }
    for body in [
        json!({}),
        json!({ "companyName": "Ann" }),
        json!({ "companyName": "Ann", "expectedMonthlyVolume": -1 }),
        json!({ "companyName": "Ann", "expectedMonthlyVolume": true }),
        json!({ "companyName": "Ann", "expectedMonthlyVolume": "" }),
        json!({ "companyName": "Ann", "expectedMonthlyVolume": 1, "mode": "live" }),
    ] {
        assert_eq!(ann.post("/v1/production-access/request", body.clone()).await.0, 400, "{body}");
    }
}

#[actix_web::test]
async fn production_access_is_asked_for_once_until_it_is_rejected() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let number = json!({ "companyName": "Ann's Shop", "expectedMonthlyVolume": 12500.50 });
    let (status, first) = ann.post("/v1/production-access/request", number).await;
    assert_eq!((status, &first["status"]), (201, &json!("pending")));
    assert_eq!(first["expectedMonthlyVolume"], "12500.5");
    let again = futures_util::future::join_all((0..8).map(|_| ann.post("/v1/production-access/request", wish()))).await;
    assert!(again.iter().all(|(status, answer)| (*status, &answer["id"]) == (201, &first["id"])), "{again:?}");
    decide(&gateway, "ann@example.com", Decision::Reject { reason: "too soon".to_owned() }).await;
    let (_, second) = ann.post("/v1/production-access/request", wish()).await;
    assert_ne!(second["id"], first["id"]);
    decide(&gateway, "ann@example.com", approval()).await;
    let (status, approved) = ann.post("/v1/production-access/request", wish()).await;
    assert_eq!((status, &approved["id"], &approved["status"]), (201, &second["id"], &json!("approved")));
}

#[actix_web::test]
async fn an_address_must_be_confirmed_before_production_access() {
    let gateway = TestGateway::spawn_stepped().await;
    let body = json!({ "email": "ann@example.com", "password": PASSWORD, "firstName": "Ann", "lastName": "Lee",
                       "companyName": "Ann's shop" });
    post(&gateway, "/dashboard/auth/register", body).await;
    let ann = Person::signed_in(&gateway, "ann@example.com").await;
    let (status, answer) = ann.post("/v1/production-access/request", wish()).await;
    assert_eq!((status, &answer["code"]), (403, &json!("ProductionAccessNotApproved")));
    assert!(answer["detail"].as_str().unwrap().contains("e-mail"));
    assert!(step_before_live(&ann).await.contains("e-mail"));
}

#[actix_web::test]
async fn every_step_to_production_is_named_until_none_is_missing() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    assert!(step_before_live(&ann).await.contains("has no Production (free)"));
    decide(&gateway, "ann@example.com", Decision::SetPlan("pilot".to_owned())).await;
    assert!(step_before_live(&ann).await.contains("submit the company"));
    ann.post("/v1/onboarding/submit", company()).await;
    assert!(step_before_live(&ann).await.contains("request production access"));
    ann.post("/v1/production-access/request", wish()).await;
    assert!(step_before_live(&ann).await.contains("waits for the operator"));
    decide(&gateway, "ann@example.com", Decision::Reject { reason: "too vague".to_owned() }).await;
    assert!(step_before_live(&ann).await.contains("the company was not approved: too vague"));
    ann.post("/v1/onboarding/submit", company()).await;
    assert!(step_before_live(&ann).await.contains("production access was not approved: too vague"));
    ann.post("/v1/production-access/request", wish()).await;
    decide(&gateway, "ann@example.com", approval()).await;
    assert!(step_before_live(&ann).await.contains("being provisioned"), "approval asks for Production");
    gateway.step().await;
    let live = ann.in_mode("live").await;
    let status = live.get("/v1/onboarding/status").await.1;
    assert_eq!((&status["mode"], &status["kybStatus"]), (&json!("live"), &json!("approved")));
    assert_eq!((&status["needsOnboarding"], &status["production"]["nextStep"]), (&json!(false), &Value::Null));
    for (decision, step) in [
        (Decision::Suspend { reason: None }, "suspended"),
        (Decision::Resume, ""),
        (Decision::SetPlan("free".to_owned()), "choose a paid plan"),
        (Decision::SetPlan("scale".to_owned()), ""),
        (Decision::Reject { reason: "fraud".to_owned() }, "fraud"),
    ] {
        decide(&gateway, "ann@example.com", decision.clone()).await;
        match step {
            "" => drop(ann.in_mode("live").await),
            step => assert!(step_before_live(&ann).await.contains(step), "{decision:?}"),
        }
    }
}

#[actix_web::test]
async fn a_decision_is_written_down_told_to_the_owners_and_known_to_every_process() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let tenant_id = tenant_of(&ann).await;
    ann.post("/v1/onboarding/submit", company()).await;
    let version = "SELECT value FROM counters WHERE name = 'directory'";
    let decisions = [
        (Decision::SetPlan("starter".to_owned()), "tenant.plan_changed", "Another plan"),
        (approval(), "tenant.approved", "Production access is approved"),
        (Decision::Suspend { reason: Some("unpaid".to_owned()) }, "tenant.suspended", "Your tenant is suspended"),
        (Decision::Resume, "tenant.resumed", "Your tenant is resumed"),
        (Decision::Reject { reason: "fraud".to_owned() }, "tenant.rejected", "Production access is not approved"),
    ];
    for (decision, action, subject) in decisions {
        gateway.clock.advance(Duration::from_secs(1));
        let before = gateway.database.number(version);
        decide(&gateway, &tenant_id, decision.clone()).await;
        assert_eq!(gateway.database.number(version), before + 1, "{action}");
        let written =
            gateway.database.texts("SELECT action || ' ' || actor AS text FROM audit_entries ORDER BY entry_id");
        assert_eq!(written.last().unwrap(), &format!("{action} operator"));
        assert_eq!(subjects_to(&gateway, "ann@example.com").last().unwrap(), subject);
        let (_, is_changed) = gateway.server.gateway.decide(&tenant_id, decision).await.unwrap();
        assert!(!is_changed, "{action}: once");
        assert_eq!(gateway.database.number(version), before + 1, "{action}: once");
    }
}

#[actix_web::test]
async fn a_suspended_tenant_asks_for_nothing_new() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    decide(&gateway, "ann@example.com", Decision::SetPlan("starter".to_owned())).await;
    decide(&gateway, "ann@example.com", Decision::Suspend { reason: None }).await;
    for (path, body) in [
        ("/dashboard/contracts/provision", json!({ "environment": "mainnet" })),
        ("/v1/onboarding/submit", company()),
        ("/v1/production-access/request", wish()),
    ] {
        let (status, answer) = ann.post(path, body).await;
        assert_eq!((status, &answer["code"]), (403, &json!("TenantSuspended")), "{path}");
    }
}

#[actix_web::test]
async fn a_customer_of_the_ledger_is_one_per_tenant_and_mode() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let customer = json!({ "customerId": "cus-1.a:b_C", "displayName": "Dewi" });
    let (status, answer) = ann.post("/dashboard/customers", customer.clone()).await;
    assert_eq!((status, &answer["statusCode"]), (201, &json!(201)));
    assert_eq!(
        (&answer["data"]["customerId"], &answer["data"]["displayName"]),
        (&json!("cus-1.a:b_C"), &json!("Dewi"))
    );
    let (status, answer) = ann.post("/dashboard/customers", customer.clone()).await;
    assert_eq!((status, &answer["code"]), (409, &json!("AlreadyExists")));
    let sandbox = ann.in_mode("sandbox").await;
    assert_eq!(sandbox.post("/dashboard/customers", customer.clone()).await.0, 201);
    assert_eq!(bob.post("/dashboard/customers", customer).await.0, 201);
    for bad in ["", "a b", "a/b", "ü", &"x".repeat(129)] {
        let (status, answer) = ann.post("/dashboard/customers", json!({ "customerId": bad })).await;
        assert_eq!((status, &answer["code"]), (400, &json!("ValidationError")), "{bad}");
    }
    for id in ["b", "a", "c"] {
        assert_eq!(ann.post("/dashboard/customers", json!({ "customerId": id })).await.0, 201);
    }
    let mut seen = Vec::new();
    let mut path = "/dashboard/customers?limit=3".to_owned();
    loop {
        let (status, page) = ann.get(&path).await;
        assert_eq!(status, 200);
        seen.extend(page["data"].as_array().unwrap().iter().map(|one| one["customerId"].as_str().unwrap().to_owned()));
        let Some(next) = page["nextCursor"].as_str() else { break };
        path = format!("/dashboard/customers?limit=3&cursor={next}");
    }
    assert_eq!(seen, ["a", "b", "c", "cus-1.a:b_C"]);
    assert_eq!(bob.get("/dashboard/customers").await.1["data"].as_array().unwrap().len(), 1);
}

#[actix_web::test]
async fn an_api_key_asks_how_far_its_tenant_is() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let key = |scopes: Value| {
        let ann = ann.clone();
        async move {
            let body = json!({ "name": "key", "environment": "sandbox", "scopes": scopes });
            let (status, answer) = ann.post("/dashboard/api-keys", body).await;
            assert_eq!(status, 201, "{answer}");
            answer["data"]["fullKey"].as_str().unwrap().to_owned()
        }
    };
    let call = |key: String, method: reqwest::Method, path: &'static str, body: Value| {
        let url = gateway.url(path);
        async move {
            let request = reqwest::Client::new().request(method, url).header("x-api-key", key).json(&body);
            let response = request.send().await.unwrap();
            (response.status().as_u16(), response.json::<Value>().await.unwrap())
        }
    };
    let all = key(json!(["*"])).await;
    let (status, answer) = call(all.clone(), reqwest::Method::POST, "/v1/onboarding/submit", company()).await;
    assert_eq!((status, &answer["mode"], &answer["kybStatus"]), (200, &json!("sandbox"), &json!("approved")));
    let (status, answer) = call(all, reqwest::Method::POST, "/v1/production-access/request", wish()).await;
    assert_eq!((status, &answer["status"]), (201, &json!("pending")));
    let reader = key(json!(["onboarding:read"])).await;
    let (status, answer) = call(reader.clone(), reqwest::Method::GET, "/v1/onboarding/status", Value::Null).await;
    assert_eq!((status, &answer["kybStatus"]), (200, &json!("approved")));
    let (status, answer) = call(reader, reqwest::Method::POST, "/v1/onboarding/submit", company()).await;
    assert_eq!((status, &answer["code"]), (403, &json!("InsufficientScope")));
    let other = key(json!(["balance:read"])).await;
    assert_eq!(call(other, reqwest::Method::GET, "/v1/onboarding/status", Value::Null).await.0, 403);
}

#[actix_web::test]
async fn operators_change_plans_and_add_others() {
    let gateway = TestGateway::spawn_with(Clock::system(), true, |settings| {
        let tiny = Plan { monthly_deltas: Some(5), ..Plan::unlimited("tiny") };
        settings.plans = Plans::new(settings.plans.iter().cloned().chain([tiny]).collect());
    })
    .await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    decide(&gateway, "ann@example.com", Decision::SetPlan("tiny".to_owned())).await;
    let plan = ann.get("/dashboard/billing/plan").await.1;
    assert_eq!((&plan["data"]["tier"], &plan["data"]["limits"]["monthlyDeltas"]), (&json!("tiny"), &json!(5)));
    // The work runs by itself here.
    assert_eq!(provision(&ann, "mainnet").await.0, 201);
    eventually("Production is active", || async { environment(&ann, "mainnet").await["status"] == "active" }).await;
}
