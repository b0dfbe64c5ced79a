//! Whether it is known who a buyer is, and the payments that ask for it.

use serde_json::{Value, json};
use switchyard::domain::customers::KycLimits;
use switchyard::domain::mode::Mode;
use switchyard::gateway::AppChange;

use crate::apps_cli::finished;
use crate::support::{Product, TestGateway, id_of, program_on};

/// A product whose buyers must be approved above Rp 100,000 and above any amount of dollars.
async fn careful(gateway: &TestGateway, mode: Mode) -> Product {
    gateway.product_with(mode, |options| options.kyc_above = vec!["IDR=100000".to_owned(), "USD=0".to_owned()]).await
}

async fn set(product: &Product, buyer: &str, status: &str) -> Value {
    let path = format!("/v1/customers/{buyer}/kyc");
    product.post(&path, &json!({ "status": status })).await.expect_status(200).json()
}

fn payment(amount_minor: i64) -> Value {
    json!({ "external_user_id": "user-42", "amount_minor": amount_minor })
}

#[actix_web::test]
async fn a_buyer_is_what_the_app_says_of_him_and_pending_is_approved_in_test() {
    let gateway = TestGateway::spawn_stepped().await;
    let (test, sandbox) = (gateway.product(Mode::Test).await, gateway.product(Mode::Sandbox).await);
    for (product, statuses) in [
        (&test, [("none", "none"), ("pending", "approved"), ("rejected", "rejected"), ("approved", "approved")]),
        (&sandbox, [("pending", "pending"), ("approved", "approved"), ("rejected", "rejected"), ("none", "none")]),
    ] {
        for (asked, becomes) in statuses {
            let customer = set(product, "user-42", asked).await;
            assert_eq!(customer["kyc_status"], becomes, "{customer}");
            assert_eq!(customer["external_user_id"], "user-42");
            assert_eq!(customer, product.get("/v1/customers/user-42").await.json());
        }
    }
    // A payment brings what it knows of the buyer, and takes nothing away.
    test.created(json!({ "external_user_id": "user-42", "email": "new@shop.example" })).await;
    let customer = test.listed("/v1/customers").await.remove(0);
    assert_eq!((&customer["kyc_status"], &customer["email"]), (&json!("approved"), &json!("new@shop.example")));
    test.created(json!({ "external_user_id": "user-43" })).await;
    assert_eq!(test.get("/v1/customers/user-43").await.json()["kyc_status"], "none");

    for (body, reason) in [
        (json!({ "status": "known" }), "must be none, pending, approved or rejected"),
        (json!({}), "missing"),
        (json!({ "status": "approved", "by": "me" }), "by"),
    ] {
        let answer = test.post("/v1/customers/user-42/kyc", &body).await.expect_error(400, "ValidationError");
        assert!(answer.messages().iter().any(|message| message.contains(reason)), "{}", answer.text);
    }
    let long = format!("/v1/customers/{}/kyc", "x".repeat(129));
    test.post(&long, &json!({ "status": "approved" })).await.expect_error(400, "ValidationError");
}

#[actix_web::test]
async fn what_an_app_says_of_a_buyer_is_said_once_and_is_in_the_audit_log() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let path = "/v1/customers/user-42/kyc";
    let body = json!({ "status": "approved" });
    let first = product.post_with_key(path, &body, "once").await.expect_status(200);
    gateway.clock.advance(std::time::Duration::from_secs(1));
    set(&product, "user-42", "rejected").await;
    let again = product.post_with_key(path, &body, "once").await.expect_status(200);
    assert_eq!((again.text, again.headers["idempotent-replayed"].to_str().unwrap()), (first.text, "true"));
    gateway.clock.advance(std::time::Duration::from_secs(1));
    set(&product, "user-42", "rejected").await;
    assert_eq!(product.get("/v1/customers/user-42").await.json()["kyc_status"], "rejected");
    let log = gateway.database.texts(
        "SELECT mode || ' ' || actor || ' ' || subject || ' ' || before || ' ' || after AS text FROM audit_entries
         WHERE action = 'customer.kyc_changed' ORDER BY entry_id",
    );
    let entry = |before: &str, after: &str| {
        let told = |status: &str| json!({ "appId": product.app_id, "kycStatus": status });
        format!("sandbox {} user-42 {} {}", product.app_id, told(before), told(after))
    };
    assert_eq!(log, [entry("none", "approved"), entry("approved", "rejected")]);
}

#[actix_web::test]
async fn above_the_limit_a_buyer_must_be_approved_and_a_refused_payment_leaves_nothing() {
    let gateway = TestGateway::spawn_stepped().await;
    for mode in [Mode::Test, Mode::Sandbox] {
        let product = careful(&gateway, mode).await;
        let payments =
            || gateway.database.number(&format!("SELECT COUNT(*) FROM payments WHERE app_id = '{}'", product.app_id));
        let refused = product.create(payment(100_001)).await.expect_error(403, "BuyerKycRequired");
        for part in ["user-42", "100000 IDR", "is none", "POST /v1/customers/user-42/kyc"] {
            assert!(refused.detail().contains(part), "{}", refused.detail());
        }
        assert_eq!(payments(), 0);
        product.get("/v1/customers/user-42").await.expect_error(404, "CustomerNotFound");
        let dollars =
            json!({ "external_user_id": "user-42", "amount_minor": 100, "currency": "USD", "method": "paypal" });
        product.create(dollars).await.expect_error(403, "BuyerKycRequired");
        // Up to the limit anybody pays.
        product.create(payment(100_000)).await.expect_status(201);
        for status in ["rejected", "none"] {
            set(&product, "user-42", status).await;
            product.create(payment(100_001)).await.expect_error(403, "BuyerKycRequired");
        }
        set(&product, "user-42", "approved").await;
        product.create(payment(100_001)).await.expect_status(201);
        let someone_else = json!({ "external_user_id": "user-43", "amount_minor": 100_001 });
        product.create(someone_else).await.expect_error(403, "BuyerKycRequired");
        assert_eq!(payments(), 2);
    }
}

#[actix_web::test]
async fn a_refusal_frees_the_key_and_what_was_answered_stays_answered() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = careful(&gateway, Mode::Test).await;
    let body = crate::support::payment_request(payment(200_000));
    product.post_with_key("/v1/payments", &body, "order-1").await.expect_error(403, "BuyerKycRequired");
    set(&product, "user-42", "pending").await;
    gateway.clock.advance(std::time::Duration::from_secs(1));
    let paid = product.post_with_key("/v1/payments", &body, "order-1").await.expect_status(201);
    gateway.clock.advance(std::time::Duration::from_secs(1));
    set(&product, "user-42", "rejected").await;
    let replay = product.post_with_key("/v1/payments", &body, "order-1").await.expect_status(201);
    assert_eq!(replay.text, paid.text);
    gateway.clock.advance(std::time::Duration::from_secs(1));
    let mut other = body.clone();
    other["amount_minor"] = 300_000.into();
    product.post_with_key("/v1/payments", &other, "order-1").await.expect_error(409, "IdempotencyConflict");
    assert_eq!(id_of(&paid.json()), id_of(&replay.json()));
}

#[actix_web::test]
async fn the_limits_are_set_by_the_operator_and_hold_at_once() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    product.created(payment(200_000)).await;
    let apps = |arguments: &[&str]| {
        let mut command = program_on(&gateway.database);
        command.arg("apps").args(arguments);
        finished(command)
    };
    apps(&["set-kyc", &product.app_id, "--above", "IDR=100000", "--above", "USD=5000"]).await.expect_code(0);
    crate::support::eventually("the limit holds", || async { product.create(payment(200_000)).await.status == 403 })
        .await;
    let shown = apps(&["show", &product.app_id, "--json"]).await.expect_code(0).json();
    assert_eq!(shown["kyc_above"], "IDR=100000,USD=5000");
    let log = gateway.database.texts("SELECT after AS text FROM audit_entries WHERE action = 'app.kyc_set'");
    assert_eq!(log, [r#"{"kycAbove":"IDR=100000,USD=5000"}"#]);
    apps(&["set-kyc", &product.app_id, "--above", "IDR=much"]).await.expect_error("IDR=much is not a currency");
    let create = ["create", "--name", "x", "--mode", "test", "--kyc-above", "EUR=1", "--kyc-above", "EUR=2", "--json"];
    apps(&create).await.expect_error("EUR is given twice");

    gateway.server.gateway.change_app(&product.app_id, AppChange::SetKycAbove(KycLimits::default())).await.unwrap();
    product.created(payment(200_000)).await;
}

#[actix_web::test]
async fn the_page_of_an_invoice_asks_for_an_approved_buyer_too_and_shows_nobody_why() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = careful(&gateway, Mode::Test).await;
    let lines = json!([{ "description": "Gold", "quantity": 1, "unit_amount_minor": 100_001 }]);
    let invoice = product
        .invoiced(json!({ "external_user_id": "user-42", "email": "b@shop.example", "line_items": lines }))
        .await;
    let refused = gateway.begin(&invoice, "va_bca").await;
    assert_eq!((refused.status, gateway.count("payments")), (403, 0), "{}", refused.text);
    assert!(!refused.text.contains("user-42") && !refused.text.contains("kyc"), "{}", refused.text);
    set(&product, "user-42", "approved").await;
    gateway.begin(&invoice, "va_bca").await.payment_id();
    assert_eq!(gateway.count("payments"), 1);
}
