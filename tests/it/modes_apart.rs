//! Sandbox and Production as two processes, each with a database of its own, behind one rule: a key's prefix says where it
//! is to be brought, and whoever brings it to the other one is told.

use std::net::TcpListener;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::error::Code;

use crate::api_keys::{made_key, who_at};
use crate::person::Person;
use crate::support::{Product, ServingProgram, TestDatabase, TestGateway, program_on};
use crate::tenant_apps::{app_options, let_tenant_into_production, product_of, scope_of};

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An app of the operator's own, made by the command line.
async fn app_on(database: &TestDatabase, base_url: &str, mode: &str) -> Product {
    let mut command = program_on(database);
    command.args(["apps", "create", "--name", "Shop", "--json", "--mode", mode]);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let app: Value = serde_json::from_slice(&output.stdout).unwrap();
    let text = |name: &str| app[name].as_str().unwrap_or_default().to_owned();
    Product {
        base_url: base_url.to_owned(),
        public_key: text("public_key"),
        secret: text("secret"),
        webhook_secret: String::new(),
        app_id: text("app_id"),
        clock: Clock::system(),
        client: reqwest::Client::new(),
    }
}

#[actix_web::test]
async fn sandbox_and_production_run_apart_behind_one_rule() {
    let (sandbox_database, live_database) = (TestDatabase::new(), TestDatabase::new());
    let (sandbox_port, live_port) = (free_port(), free_port());
    let [sandbox_url, live_url] = [sandbox_port, live_port].map(|port| format!("http://127.0.0.1:{port}"));
    let sandbox = ServingProgram::start_on(
        sandbox_port,
        &sandbox_database,
        &[("SWITCHYARD__SERVER__MODES", "test,sandbox"), ("SWITCHYARD__SERVER__MODE_URLS__LIVE", &live_url)],
    )
    .await;
    let live = ServingProgram::start_on(
        live_port,
        &live_database,
        &[
            ("SWITCHYARD__SERVER__MODES", "live"),
            ("SWITCHYARD__SERVER__MODE_URLS__TEST", &sandbox_url),
            ("SWITCHYARD__SERVER__MODE_URLS__SANDBOX", &sandbox_url),
        ],
    )
    .await;
    // The one rule of a client that has both addresses.
    let place = |key: &str| if key.starts_with("pk_live_") { &live_url } else { &sandbox_url };
    let other_place = |key: &str| if key.starts_with("pk_live_") { &sandbox_url } else { &live_url };

    // People: an account is at each of them, and starts in `test`.
    let ann = Person::registered_at(&sandbox.url, "ann@example.com").await;
    let ann_live = Person::registered_at(&live.url, "ann@example.com").await;
    assert_eq!(ann.get("/dashboard/auth/me").await.0, 200);
    assert_eq!(ann.post("/v1/auth/switch-mode", json!({ "mode": "live" })).await.1["code"], "ModeNotServed");
    let (status, me) = ann_live.get("/dashboard/auth/me").await;
    assert_eq!((status, &me["data"]["mode"]), (200, &json!("test")), "about oneself one may ask in any mode");
    for (method, path, body) in [
        ("GET", "/dashboard/api-keys", None),
        ("POST", "/dashboard/api-keys", Some(json!({ "name": "x" }))),
        ("GET", "/api/v1/whoami", None),
    ] {
        let (status, answer) = ann_live.call(method, path, body).await;
        assert_eq!((status, &answer["code"]), (421, &json!("ModeNotServed")), "{method} {path}");
        assert!(answer["detail"].as_str().unwrap().contains(&sandbox_url), "{answer}");
    }
    let (status, answer) = ann_live.post("/v1/auth/switch-mode", json!({ "mode": "live" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ProductionAccessNotApproved")));
    let_tenant_into_production(&live_database, me["data"]["user"]["tenantId"].as_str().unwrap());
    let ann_live = ann_live.in_mode("live").await;
    let (status, answer) = ann_live.post("/dashboard/api-keys", json!({ "name": "x" })).await;
    assert_eq!((status, &answer["code"]), (421, &json!("ModeNotServed")), "a test key would be of no use here");

    // Machines with API keys.
    let keys = [
        made_key(&ann, json!({})).await,
        made_key(&ann, json!({ "environment": "sandbox" })).await,
        made_key(&ann_live, json!({ "environment": "live" })).await,
    ];
    for key in &keys {
        let full = key["fullKey"].as_str().unwrap();
        let me = who_at(place(full), full).await.expect_status(200).json();
        assert_eq!(me["data"]["mode"], key["environment"]);
        let elsewhere = who_at(other_place(full), full).await.expect_error(421, "ModeNotServed");
        assert!(elsewhere.detail().contains(place(full).as_str()), "{}", elsewhere.detail());
        assert!(elsewhere.detail().contains(key["environment"].as_str().unwrap()));
        // Whether the key is good is not looked at: neither can tell.
        let unknown = format!("{}.{}", key["publicKey"].as_str().unwrap(), "0".repeat(64));
        who_at(other_place(full), &unknown).await.expect_error(421, "ModeNotServed");
        who_at(place(full), &unknown).await.expect_error(401, "InvalidApiKey");
    }

    // Products that sign.
    for (database, mode) in [(&sandbox_database, "test"), (&sandbox_database, "sandbox"), (&live_database, "live")] {
        let product = app_on(database, &sandbox_url, mode).await;
        let at = |url: &String| Product { base_url: url.clone(), ..product.clone() };
        at(place(&product.public_key)).created(json!({})).await;
        let elsewhere = at(other_place(&product.public_key)).create(json!({})).await.expect_error(421, "ModeNotServed");
        assert!(elsewhere.detail().contains(place(&product.public_key).as_str()), "{}", elsewhere.detail());
    }
    let modes = |database: &TestDatabase| database.texts("SELECT DISTINCT mode AS text FROM payments ORDER BY mode");
    assert_eq!(
        (modes(&sandbox_database), modes(&live_database)),
        (vec!["sandbox".into(), "test".into()], vec!["live".into()])
    );
}

#[actix_web::test]
async fn a_token_of_a_mode_that_is_not_served_any_more_can_be_moved_out_of_it() {
    let gateway = TestGateway::spawn_with(Clock::system(), false, |settings| {
        settings.modes.retain(|mode| mode.as_str() == "sandbox");
    })
    .await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    assert_eq!(ann.get("/dashboard/api-keys").await.0, 421);
    let scope = scope_of(&gateway, &ann).await;
    let fault = gateway.server.gateway.create_app_of(&scope, app_options(Mode::Test)).await.unwrap_err();
    assert_eq!(fault.code, Code::ModeNotServed, "an app that would be of no use here");
    let ann = ann.in_mode("sandbox").await;
    assert_eq!(ann.get("/dashboard/api-keys").await.0, 200);
    product_of(&gateway, &ann).await.created(json!({})).await;
}
