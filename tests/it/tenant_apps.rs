//! Apps and provider accounts of tenants: whose they are, and what a tenant may not have before it is let.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::ids::ProductionRequestId;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::Secret;
use switchyard::error::Code;
use switchyard::gateway::{AccountOptions, AppChange, AppOptions, Scope};

use crate::person::Person;
use crate::support::{Product, TestDatabase, TestGateway, id_of, payment_request, program_on};

/// Whom a person's token stands for.
pub async fn scope_of(gateway: &TestGateway, person: &Person) -> Scope {
    gateway.server.gateway.member_of_token(&person.token, None).await.unwrap()
}

/// What an app shall be.
pub fn app_options(mode: Mode) -> AppOptions {
    AppOptions {
        name: "Shop".to_owned(),
        mode,
        webhook_url: None,
        allowed_providers: Vec::new(),
        allowed_methods: Vec::new(),
        require_signed_query: false,
        kyc_above: Vec::new(),
    }
}

/// A product of a person's tenant, with an app in the mode that he works in.
pub async fn product_of(gateway: &TestGateway, person: &Person) -> Product {
    let scope = scope_of(gateway, person).await;
    let issued = gateway.server.gateway.create_app_of(&scope, app_options(scope.mode)).await.unwrap();
    Product::new(gateway.server.url(), issued, gateway.clock.clone())
}

/// Takes a tenant through every step to Production, and tells every process.
pub fn let_tenant_into_production(database: &TestDatabase, tenant: &str) {
    let now = Clock::system().now();
    let request_id = ProductionRequestId::generate(now);
    let now = now.unix_micros();
    for statement in [
        format!("UPDATE tenants SET plan = 'pilot' WHERE tenant_id = '{tenant}'"),
        format!(
            "INSERT INTO onboardings (tenant_id, mode, terms_accepted_at, legal_name, country, registration_number,
             kyb_status, submitted_at) VALUES ('{tenant}', 'live', {now}, 'Ltd', 'ID', '1', 'approved', {now})"
        ),
        format!(
            "INSERT INTO production_requests (request_id, tenant_id, company_name, expected_monthly_volume, status,
             created_at) VALUES ('{request_id}', '{tenant}', 'Ltd', '1', 'approved', {now})"
        ),
        format!(
            "INSERT INTO environments (tenant_id, environment, status, attempts, provisioned_at, created_at)
             VALUES ('{tenant}', 'production', 'active', 1, {now}, {now})"
        ),
        format!(
            "UPDATE users SET email_verified_at = {now} WHERE user_id IN
             (SELECT user_id FROM members WHERE tenant_id = '{tenant}' AND role = 'owner')"
        ),
        "UPDATE counters SET value = value + 1 WHERE name = 'directory'".to_owned(),
    ] {
        assert_eq!(database.execute(&statement), Ok(1), "{statement}");
    }
}

/// The same for a person's tenant.
pub async fn let_into_production(gateway: &TestGateway, person: &Person) {
    let tenant = scope_of(gateway, person).await.tenant_id;
    let_tenant_into_production(&gateway.database, tenant.as_str());
    gateway.server.gateway.refresh_directory().await.unwrap();
}

/// What whoever changes a tenant's standing has to do.
async fn tell_every_process(gateway: &TestGateway) {
    gateway.database.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'").unwrap();
    gateway.server.gateway.refresh_directory().await.unwrap();
}

async fn suspend(gateway: &TestGateway, person: &Person, since: &str) {
    let tenant = scope_of(gateway, person).await.tenant_id;
    let suspend = format!("UPDATE tenants SET suspended_at = {since} WHERE tenant_id = '{tenant}'");
    gateway.database.execute(&suspend).unwrap();
    tell_every_process(gateway).await;
}

async fn gateway_and_ann() -> (TestGateway, Person) {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    (gateway, ann)
}

#[actix_web::test]
async fn an_app_of_a_tenant_works_at_once_and_is_told_in_the_audit_log() {
    let (gateway, ann) = gateway_and_ann().await;
    let product = product_of(&gateway, &ann).await;
    let payment = product.created(json!({})).await;
    assert_eq!(payment["mode"], "test");
    let scope = scope_of(&gateway, &ann).await;
    let verbs = &gateway.server.gateway;
    let url = "https://shop.example/hook".to_owned();
    let webhook_secret = verbs.change_app_of(&scope, &product.app_id, AppChange::SetWebhook(url)).await.unwrap();
    assert!(webhook_secret.is_some());
    let rotated = verbs.rotate_app_of(&scope, &product.public_key, Duration::ZERO).await.unwrap();
    product.get("/v1/payments").await.expect_error(401, "BadSignature");
    let product = Product::new(gateway.server.url(), rotated, gateway.clock.clone());
    product.get("/v1/payments").await.expect_status(200);
    verbs.change_app_of(&scope, &product.app_id, AppChange::Archive).await.unwrap();
    product.get("/v1/payments").await.expect_error(401, "BadSignature");

    let told = format!(
        "SELECT action || ' ' || mode || ' ' || actor AS text FROM audit_entries WHERE subject = '{}' ORDER BY action",
        product.app_id
    );
    let actions = ["app.archived", "app.created", "app.rotated", "app.webhook_set"];
    let expected = actions.map(|action| format!("{action} test {}", scope.actor()));
    assert_eq!(gateway.database.texts(&told), expected);
    let entries = gateway.database.texts("SELECT COALESCE(after, '') AS text FROM audit_entries");
    for secret in [&product.secret, webhook_secret.unwrap().expose()] {
        assert!(entries.iter().all(|entry| !entry.contains(secret)));
    }
}

#[actix_web::test]
async fn an_app_of_another_tenant_or_mode_is_not_there() {
    let (gateway, ann) = gateway_and_ann().await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let product = product_of(&gateway, &ann).await;
    let in_sandbox = product_of(&gateway, &ann.in_mode("sandbox").await).await;
    let verbs = &gateway.server.gateway;
    let own = scope_of(&gateway, &ann).await;
    let listed = |scope: Scope| async move {
        let apps = verbs.list_apps_of(&scope).await.unwrap();
        apps.into_iter().map(|(app, _)| app.app_id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(listed(own.clone()).await, std::slice::from_ref(&product.app_id));
    let strangers = [scope_of(&gateway, &bob).await, scope_of(&gateway, &ann.in_mode("sandbox").await).await];
    for stranger in strangers {
        assert!(!listed(stranger.clone()).await.contains(&product.app_id));
        for id_or_key in [&product.app_id, &product.public_key] {
            let faults = [
                verbs.find_app_of(&stranger, id_or_key).await.map(drop).unwrap_err(),
                verbs.change_app_of(&stranger, id_or_key, AppChange::Archive).await.map(drop).unwrap_err(),
                verbs.rotate_app_of(&stranger, id_or_key, Duration::ZERO).await.map(drop).unwrap_err(),
            ];
            assert!(faults.iter().all(|fault| fault.code == Code::NotFound), "{faults:?}");
        }
    }
    product.get("/v1/payments").await.expect_status(200);
    let fault = verbs.create_app_of(&own, app_options(Mode::Sandbox)).await.unwrap_err();
    assert_eq!(fault.code, Code::ValidationError, "an app is of the mode in which its maker works");

    // The same buyer is another one in each app, tenant and mode.
    let theirs = product_of(&gateway, &bob).await;
    for product in [&product, &in_sandbox, &theirs] {
        let buyer = json!({ "external_user_id": "user-1", "email": "buyer@shop.example" });
        product.create(buyer).await.expect_status(201);
        assert_eq!(product.listed("/v1/customers").await.len(), 1);
        assert_eq!(product.listed("/v1/payments").await.len(), 1);
    }
    assert_eq!(gateway.count("customers"), 3);
}

#[actix_web::test]
async fn a_viewer_sees_apps_and_accounts_and_changes_none() {
    let (gateway, ann) = gateway_and_ann().await;
    let product = product_of(&gateway, &ann).await;
    gateway.database.execute("UPDATE members SET role = 'viewer'").unwrap();
    let viewer = scope_of(&gateway, &ann).await;
    let verbs = &gateway.server.gateway;
    assert_eq!(verbs.list_apps_of(&viewer).await.unwrap().len(), 1);
    assert_eq!(verbs.list_provider_accounts_of(&viewer).await.unwrap().len(), 0);
    let faults = [
        verbs.create_app_of(&viewer, app_options(Mode::Test)).await.map(drop).unwrap_err(),
        verbs.change_app_of(&viewer, &product.app_id, AppChange::Archive).await.map(drop).unwrap_err(),
        verbs.rotate_app_of(&viewer, &product.app_id, Duration::ZERO).await.map(drop).unwrap_err(),
        verbs.add_provider_account_of(&viewer, account("a")).await.map(drop).unwrap_err(),
        verbs.archive_provider_account_of(&viewer, "pac_01k7v3m2q8d4r5s6t7v8w9x0yz").await.unwrap_err(),
    ];
    assert!(faults.iter().all(|fault| fault.code == Code::InsufficientScope), "{faults:?}");
}

fn account(client_id: &str) -> AccountOptions {
    let credential = |name: &str, text: &str| (name.to_owned(), Secret::new(text.to_owned()));
    AccountOptions {
        provider: "paypal".to_owned(),
        mode: Mode::Sandbox,
        base_url: None,
        credentials: BTreeMap::from([
            credential("client_id", client_id),
            credential("client_secret", "a-secret-of-paypal"),
            credential("webhook_id", "8PT597110X687430L"),
        ]),
    }
}

#[actix_web::test]
async fn a_provider_account_of_a_tenant_is_its_own() {
    let (gateway, ann) = gateway_and_ann().await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let verbs = &gateway.server.gateway;
    let anns = scope_of(&gateway, &ann.in_mode("sandbox").await).await;
    let bobs = scope_of(&gateway, &bob.in_mode("sandbox").await).await;
    let in_test = scope_of(&gateway, &ann).await;
    let account_id = verbs.add_provider_account_of(&anns, account("ann")).await.unwrap();
    let ids = |scope: Scope| async move {
        let accounts = verbs.list_provider_accounts_of(&scope).await.unwrap();
        accounts.into_iter().map(|account| account.account_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(anns.clone()).await, std::slice::from_ref(&account_id));
    for stranger in [&bobs, &in_test] {
        assert_eq!(ids(stranger.clone()).await, []);
        let fault = verbs.archive_provider_account_of(stranger, account_id.as_str()).await.unwrap_err();
        assert_eq!(fault.code, Code::NotFound);
    }
    // An account is of the mode in which its maker works, and calls no host that a tenant names.
    let fault = verbs.add_provider_account_of(&in_test, account("ann")).await.unwrap_err();
    assert!(fault.detail.contains("mode"), "{fault}");
    let elsewhere = AccountOptions { base_url: Some("https://10.0.0.1".to_owned()), ..account("ann") };
    let fault = verbs.add_provider_account_of(&anns, elsewhere).await.unwrap_err();
    assert!(fault.detail.contains("base_url"), "{fault}");

    // Its payments go to it, and another tenant's do not.
    let route = |product: Product| async move {
        let route = product.get("/v1/routes?currency=USD&method=paypal").await.expect_status(200).json();
        (route["chosen"].clone(), route["fallback"]["wanted"].clone())
    };
    let (mine, theirs) = (
        product_of(&gateway, &ann.in_mode("sandbox").await).await,
        product_of(&gateway, &bob.in_mode("sandbox").await).await,
    );
    assert_eq!(route(mine.clone()).await, (json!("paypal"), Value::Null));
    assert_eq!(route(theirs).await, (json!("mock"), json!("paypal")));
    verbs.archive_provider_account_of(&anns, account_id.as_str()).await.unwrap();
    assert_eq!(route(mine).await, (json!("mock"), json!("paypal")));
    let told = gateway.database.texts(
        "SELECT action || COALESCE(after, '') AS text FROM audit_entries WHERE action LIKE 'provider%' ORDER BY action",
    );
    assert!(told.len() == 2 && told[0].starts_with("provider_account.added"), "{told:?}");
    assert!(told.iter().all(|entry| !entry.contains("secret")), "{told:?}");
}

#[actix_web::test]
async fn nothing_live_is_made_before_approval() {
    let (gateway, ann) = gateway_and_ann().await;
    let verbs = &gateway.server.gateway;
    let tenant = scope_of(&gateway, &ann).await.tenant_id.to_string();
    let live = verbs.operator_scope(Some(&tenant), Mode::Live).await.unwrap();
    let fault = verbs.create_app_of(&live, app_options(Mode::Live)).await.unwrap_err();
    assert_eq!(fault.code, Code::ProductionAccessNotApproved);
    assert!(fault.detail.contains("plan"), "{fault}");
    let account = AccountOptions { mode: Mode::Live, ..account("a") };
    let fault = verbs.add_provider_account_of(&live, account).await.unwrap_err();
    assert_eq!(fault.code, Code::ProductionAccessNotApproved);
    assert_eq!((gateway.count("apps"), gateway.count("provider_accounts")), (0, 0));
    let_into_production(&gateway, &ann).await;
    verbs.create_app_of(&live, app_options(Mode::Live)).await.unwrap();
    let ann_live = ann.in_mode("live").await;
    let (status, key) = ann_live.post("/dashboard/api-keys", json!({ "name": "x", "environment": "live" })).await;
    assert_eq!((status, &key["data"]["testMode"], &key["data"]["keyPrefix"]), (201, &json!(false), &json!("pk_live_")));
}

#[actix_web::test]
async fn a_live_payment_waits_for_approval_and_costs_no_question_after() {
    let (gateway, ann) = gateway_and_ann().await;
    let_into_production(&gateway, &ann).await;
    let product = product_of(&gateway, &ann.in_mode("live").await).await;
    // With no credentials it falls back to the mock, as any live payment does.
    let body = payment_request(json!({ "return_url": "https://shop.example/" }));
    let first = product.post_with_key("/v1/payments", &body, "key-1").await.expect_status(201);
    // What was found out once is remembered: the next needs none of these.
    gateway.database.execute("ALTER TABLE onboardings RENAME TO onboardings_away").unwrap();
    product.create(json!({})).await.expect_status(201);
    gateway.database.execute("ALTER TABLE onboardings_away RENAME TO onboardings").unwrap();

    gateway.database.execute("UPDATE production_requests SET status = 'rejected'").unwrap();
    tell_every_process(&gateway).await;
    let refused = product.create(json!({})).await.expect_error(403, "ProductionAccessNotApproved");
    assert!(refused.detail().contains("request it again"), "{}", refused.detail());
    // What was answered before is answered again, and what was begun is read and cancelled.
    gateway.clock.advance(Duration::from_secs(1));
    let again = product.post_with_key("/v1/payments", &body, "key-1").await.expect_status(201);
    assert_eq!((again.text, again.headers["idempotent-replayed"].to_str().unwrap()), (first.text.clone(), "true"));
    let path = format!("/v1/payments/{}", id_of(&first.json()));
    product.get(&path).await.expect_status(200);
    product.post(&format!("{path}/cancel"), &json!({})).await.expect_status(200);
    // A refusal is not remembered: approval holds at once, whoever forgets to tell.
    gateway.database.execute("UPDATE production_requests SET status = 'approved'").unwrap();
    product.create(json!({})).await.expect_status(201);
    // Another tenant's test payments never ask.
    let bob = Person::registered(&gateway, "bob@example.com").await;
    product_of(&gateway, &bob).await.created(json!({})).await;
}

#[actix_web::test]
async fn a_suspended_tenant_takes_no_payments_and_reads_and_refunds_go_on() {
    let (gateway, ann) = gateway_and_ann().await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let product = product_of(&gateway, &ann).await;
    let in_sandbox = product_of(&gateway, &ann.in_mode("sandbox").await).await;
    let theirs = product_of(&gateway, &bob).await;
    let paid = product.ended(&gateway, "succeed", json!({})).await;
    let waiting = product.created(json!({})).await;
    suspend(&gateway, &ann, "1").await;
    for product in [&product, &in_sandbox] {
        let refused = product.create(json!({})).await.expect_error(403, "TenantSuspended");
        assert!(refused.detail().contains("suspended"), "{}", refused.detail());
        // Before a word about the body.
        product.create(json!({ "method": "nonsense" })).await.expect_error(403, "TenantSuspended");
    }
    theirs.created(json!({})).await;
    product.get("/v1/payments").await.expect_status(200);
    let refund = json!({ "payment_id": id_of(&paid) });
    product.post("/v1/refunds", &refund).await.expect_status(201);
    // The buyer who is at the checkout ends what he began, and the mock's webhook comes in.
    gateway.act_at_checkout(&id_of(&waiting), "succeed").await;
    gateway.step().await;
    assert_eq!(product.payment(&id_of(&waiting)).await["status"], "succeeded");
    suspend(&gateway, &ann, "NULL").await;
    product.created(json!({})).await;
}

#[actix_web::test]
async fn the_command_line_makes_apps_for_a_tenant() {
    let (gateway, ann) = gateway_and_ann().await;
    let tenant = scope_of(&gateway, &ann).await.tenant_id.to_string();
    let create = async |tenant: &str, mode: &str| {
        let mut command = program_on(&gateway.database);
        command.args(["apps", "create", "--name", "Shop", "--json", "--mode", mode, "--tenant", tenant]);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    };
    let made = create(&tenant, "test").await;
    assert!(made.status.success(), "{made:?}");
    let app: Value = serde_json::from_slice(&made.stdout).unwrap();
    let apps = gateway.server.gateway.list_apps_of(&scope_of(&gateway, &ann).await).await.unwrap();
    assert_eq!(json!(apps[0].0.app_id), app["app_id"]);
    for (tenant, mode, said) in [
        (tenant.as_str(), "live", "ProductionAccessNotApproved: the plan has no Production"),
        ("ten_x", "test", "no tenant ten_x"),
    ] {
        let refused = create(tenant, mode).await;
        let talk = String::from_utf8(refused.stderr).unwrap();
        assert_eq!((refused.status.code(), refused.stdout.as_slice()), (Some(1), &b""[..]), "{talk}");
        assert!(talk.contains(said), "{talk}");
    }
    let told = "SELECT actor AS text FROM audit_entries WHERE action = 'app.created'";
    assert_eq!(gateway.database.texts(told), ["operator"]);

    // An account at a provider too; its credentials come on standard input.
    let mut command = program_on(&gateway.database);
    command.args(["accounts", "add", "--provider", "paypal", "--mode", "sandbox", "--json", "--tenant", &tenant]);
    let added = tokio::task::spawn_blocking(move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let credentials = b"client_id=ann\nclient_secret=a-secret-of-paypal\nwebhook_id=8PT597110X687430L\n";
        child.stdin.take().unwrap().write_all(credentials).unwrap();
        child.wait_with_output().unwrap()
    });
    let added: Value = serde_json::from_slice(&added.await.unwrap().stdout).unwrap();
    let in_sandbox = scope_of(&gateway, &ann.in_mode("sandbox").await).await;
    let accounts = gateway.server.gateway.list_provider_accounts_of(&in_sandbox).await.unwrap();
    assert_eq!(json!(accounts[0].account_id), added["account_id"]);
}
