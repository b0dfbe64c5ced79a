//! The story of a payment: created, read, listed, routed, canceled, expired.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::time::Timestamp;

use crate::support::{Product, Receiver, TestGateway, id_of, payment_request};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The names of a payment's fields, in alphabetical order.
const FIELDS: [&str; 22] = [
    "amount_minor",
    "checkout_url",
    "created_at",
    "currency",
    "description",
    "expires_at",
    "external_user_id",
    "fallback",
    "instructions",
    "invoice_number",
    "last_error",
    "metadata",
    "method",
    "mode",
    "paid_minor",
    "payment_id",
    "provider",
    "provider_ref",
    "refunded_minor",
    "return_url",
    "status",
    "updated_at",
];

fn ids_of(payments: &[Value]) -> Vec<String> {
    payments.iter().map(id_of).collect()
}

fn cancel_path(payment_id: &str) -> String {
    format!("/v1/payments/{payment_id}/cancel")
}

async fn cancel(gateway: &TestGateway, product: &Product, payment_id: &str) -> crate::support::Answer {
    // A second later, so that two cancellations of one payment are signed differently.
    gateway.clock.advance(SECOND);
    product.request("POST", &cancel_path(payment_id), b"", None).await
}

#[tokio::test]
async fn a_payment_has_exactly_the_documented_fields() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let created = product
        .created(json!({
            "external_user_id": "user-42",
            "description": "Two shirts",
            "metadata": { "order": 7 },
            "invoice_prefix": "INV",
        }))
        .await;
    let names: BTreeSet<&str> = created.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, BTreeSet::from(FIELDS));

    let payment_id = id_of(&created);
    assert!(payment_id.starts_with("pay_") && payment_id.len() == 30, "{payment_id}");
    let now = gateway.clock.now();
    let expected = json!({
        "payment_id": payment_id,
        "status": "initiated",
        "mode": "test",
        "amount_minor": 50_000,
        "paid_minor": 0,
        "refunded_minor": 0,
        "currency": "IDR",
        "method": "va_bca",
        "provider": "mock",
        "provider_ref": created["provider_ref"],
        "fallback": null,
        "checkout_url": gateway.url(&format!("/mock/checkout/{payment_id}")),
        "instructions": null,
        "invoice_number": "INV-000001",
        "external_user_id": "user-42",
        "description": "Two shirts",
        "metadata": { "order": 7 },
        "last_error": "",
        "return_url": "https://shop.example/thanks?order=7",
        "expires_at": now.plus(DAY).to_rfc3339(),
        "created_at": now.to_rfc3339(),
        "updated_at": now.to_rfc3339(),
    });
    assert_eq!(created, expected);
    assert!(created["provider_ref"].as_str().unwrap().starts_with("mock_"));
    assert!(created["created_at"].as_str().unwrap().ends_with('Z'));
    assert_eq!(product.payment(&payment_id).await, created);
    assert_eq!(product.listed("/v1/payments").await, [created]);
}

#[tokio::test]
async fn what_is_left_out_has_its_default() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let payment = product.created(json!({ "metadata": null, "description": null })).await;
    assert_eq!(payment["invoice_number"], payment["payment_id"]);
    assert_eq!(payment["metadata"], json!({}));
    assert_eq!(payment["description"], Value::Null);
}

#[tokio::test]
async fn metadata_is_echoed_to_the_digit() {
    let receiver = Receiver::start().await;
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let metadata = r#"{"price":1.10,"big":123456789012345678901234567890,"exp":1E2,"zero":-0.0,"deep":[{"x":0.10}]}"#;
    let body = payment_request(json!({ "metadata": {}, "mock": { "outcome": "succeed" } })).to_string();
    let body = body.replace("\"metadata\":{}", &format!("\"metadata\":{metadata}"));
    let created = product.request("POST", "/v1/payments", body.as_bytes(), None).await.expect_status(201);
    let payment_id = created.text_of("payment_id");
    gateway.advance(SECOND).await;

    let echoed = format!("\"metadata\":{metadata}");
    assert!(created.text.contains(&echoed), "{}", created.text);
    for path in [format!("/v1/payments/{payment_id}"), "/v1/payments".into(), "/v1/events".into()] {
        let answer = product.get(&path).await.expect_status(200);
        assert!(answer.text.contains(&echoed), "{path}: {}", answer.text);
    }
    let delivered = receiver.wait_for(1).await;
    assert!(String::from_utf8_lossy(&delivered[0].body).contains(&echoed));
}

#[tokio::test]
async fn a_list_is_newest_first_and_its_pages_neither_skip_nor_repeat() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let mut created = Vec::new();
    for _ in 0..25 {
        gateway.clock.advance(SECOND);
        created.insert(0, id_of(&product.created(json!({})).await));
    }
    assert_eq!(ids_of(&product.listed("/v1/payments").await), created[..20]);
    assert_eq!(ids_of(&product.listed("/v1/payments?limit=100").await), created);

    let mut seen = Vec::new();
    let mut sizes = Vec::new();
    let mut path = "/v1/payments?limit=10".to_owned();
    loop {
        let page = product.get(&path).await.expect_status(200).json();
        let ids = ids_of(page["data"].as_array().unwrap());
        sizes.push(ids.len());
        seen.extend(ids);
        // What comes meanwhile does not move the pages.
        gateway.clock.advance(SECOND);
        product.created(json!({})).await;
        let Some(cursor) = page["next_cursor"].as_str() else { break };
        path = format!("/v1/payments?limit=10&cursor={cursor}");
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(seen, created);
}

#[tokio::test]
async fn a_list_that_ends_with_its_page_has_no_next() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for _ in 0..4 {
        gateway.clock.advance(SECOND);
        product.created(json!({})).await;
    }
    let first = product.get("/v1/payments?limit=2").await.json();
    let second = product.get(&format!("/v1/payments?limit=2&cursor={}", first["next_cursor"].as_str().unwrap())).await;
    assert_eq!(second.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(second.json()["next_cursor"], Value::Null);
}

#[tokio::test]
async fn a_list_holds_what_its_filters_leave() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let mut ids = Vec::new();
    let mut times = Vec::new();
    for (outcome, changes) in [
        ("succeed", json!({ "external_user_id": "ana", "method": "va_bca", "invoice_prefix": "A" })),
        ("fail", json!({ "external_user_id": "ben", "method": "qris", "invoice_prefix": "B" })),
        ("cancel", json!({ "external_user_id": "ana", "method": "paypal", "currency": "USD" })),
        ("none", json!({ "external_user_id": "ana", "method": "va_bca" })),
    ] {
        gateway.clock.advance(SECOND);
        let payment = product.ended(&gateway, outcome, changes).await;
        times.push(payment["created_at"].as_str().unwrap().to_owned());
        ids.push(id_of(&payment));
    }
    let third = ids[2].clone();
    let rows = [
        ("status=succeeded".to_owned(), vec![0]),
        ("status=failed".into(), vec![1]),
        ("status=canceled".into(), vec![2]),
        ("status=initiated".into(), vec![3]),
        ("method=va_bca".into(), vec![3, 0]),
        ("method=va_bni".into(), vec![]),
        ("provider=mock".into(), vec![3, 2, 1, 0]),
        ("provider=nicepay".into(), vec![]),
        ("external_user_id=ana".into(), vec![3, 2, 0]),
        ("external_user_id=ANA".into(), vec![]),
        ("invoice_number=B-000002".into(), vec![1]),
        (format!("invoice_number={third}"), vec![2]),
        (format!("created_from={}", times[1]), vec![3, 2, 1]),
        (format!("created_to={}", times[1]), vec![0]),
        (format!("created_from={}&created_to={}", times[1], times[3]), vec![2, 1]),
        ("external_user_id=ana&method=va_bca&status=succeeded".into(), vec![0]),
        ("external_user_id=ben&status=succeeded".into(), vec![]),
        (format!("external_user_id=ana&created_from={}", times[1]), vec![3, 2]),
        ("external_user_id=ana&limit=1".into(), vec![3]),
        (format!("external_user_id=ana&cursor={}", ids[3]), vec![2, 0]),
    ];
    for (query, expected) in rows {
        let expected: Vec<String> = expected.into_iter().map(|index: usize| ids[index].clone()).collect();
        assert_eq!(ids_of(&product.listed(&format!("/v1/payments?{query}")).await), expected, "{query}");
    }
}

#[tokio::test]
async fn an_open_payment_can_be_canceled_and_a_canceled_one_again() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({})).await);
    let canceled = cancel(&gateway, &product, &payment_id).await.expect_status(200);
    assert_eq!((canceled.json()["status"].as_str(), canceled.header("idempotent-replayed")), (Some("canceled"), None));
    let again = cancel(&gateway, &product, &payment_id).await.expect_status(200);
    assert_eq!(again.text, canceled.text);
    assert_eq!(product.event_names(&payment_id).await, ["payment.canceled"]);
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
    assert_eq!(product.payment(&payment_id).await["status"], "canceled");
    assert_eq!(gateway.charges(&payment_id).await, 0);
}

#[tokio::test]
async fn a_payment_that_ended_otherwise_cannot_be_canceled() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (outcome, status) in [("succeed", "succeeded"), ("fail", "failed")] {
        let payment = product.ended(&gateway, outcome, json!({})).await;
        assert_eq!(payment["status"], status);
        cancel(&gateway, &product, &id_of(&payment)).await.expect_error(422, "NotCancelable");
        assert_eq!(product.payment(&id_of(&payment)).await, payment);
    }
}

#[tokio::test]
async fn a_payment_that_its_buyer_has_paid_settles_when_it_is_canceled() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({ "mock": { "webhook": "late" } })).await);
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
    assert_eq!(product.payment(&payment_id).await["status"], "initiated");

    cancel(&gateway, &product, &payment_id).await.expect_error(422, "NotCancelable");
    let paid = product.payment(&payment_id).await;
    assert_eq!((&paid["status"], &paid["paid_minor"]), (&json!("succeeded"), &json!(50_000)));

    // The webhook that comes after all tells nothing new.
    gateway.advance(Duration::from_secs(60)).await;
    assert_eq!(product.payment(&payment_id).await, paid);
    assert_eq!(product.event_names(&payment_id).await, ["payment.succeeded"]);
}

#[tokio::test]
async fn one_end_wins_when_buyer_and_product_race() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    for round in 0..12 {
        let webhook = if round % 2 == 0 { "once" } else { "never" };
        let payment_id = id_of(&product.created(json!({ "mock": { "webhook": webhook } })).await);
        let path = cancel_path(&payment_id);
        let ((clicked, _), canceled) =
            join(gateway.act_at_checkout(&payment_id, "succeed"), product.request("POST", &path, b"", None)).await;
        assert_eq!(clicked, 303);

        let payment = product.payment(&payment_id).await;
        let (answer, charges, event) = match payment["status"].as_str().unwrap() {
            "succeeded" => (422, 1, "payment.succeeded"),
            "canceled" => (200, 0, "payment.canceled"),
            other => panic!("it has not ended: {other}"),
        };
        assert_eq!(canceled.status, answer, "{}", canceled.text);
        assert_eq!(payment["paid_minor"], charges * 50_000);
        assert_eq!(gateway.charges(&payment_id).await, charges);
        assert_eq!(product.event_names(&payment_id).await, [event]);
    }
}

#[tokio::test]
async fn the_timeline_tells_everything_in_order() {
    let receiver = Receiver::start().await;
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let mock = json!({ "outcome": "succeed", "after_ms": 1000 });
    let payment_id = id_of(&product.created(json!({ "mock": mock })).await);
    gateway.advance(SECOND).await;
    gateway.clock.advance(SECOND);
    product.post("/v1/refunds", &json!({ "payment_id": payment_id })).await.expect_status(201);
    gateway.advance(SECOND).await;

    let path = format!("/v1/payments/{payment_id}/timeline");
    let entries = product.listed(&path).await;
    let kinds: Vec<&str> = entries.iter().map(|entry| entry["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["created", "attempt", "webhook", "transition", "delivery", "refund", "delivery"]);
    assert_eq!(entries[3]["summary"], "payment.succeeded");
    assert_eq!(entries[4]["detail"]["state"], "delivered");
    assert_eq!(entries[5]["summary"], "refund.succeeded");
    let times: Vec<&str> = entries.iter().map(|entry| entry["at"].as_str().unwrap()).collect();
    assert!(times.is_sorted(), "{times:?}");
    for entry in &entries {
        let names: BTreeSet<&str> = entry.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, BTreeSet::from(["at", "kind", "summary", "detail"]));
        assert!(!entry["summary"].as_str().unwrap().is_empty());
    }
    assert_eq!(receiver.names(), ["payment.succeeded", "refund.succeeded"]);
}

#[tokio::test]
async fn a_route_is_explained_without_making_a_payment() {
    let gateway = TestGateway::spawn_stepped().await;
    let test = gateway.product(Mode::Test).await;
    let sandbox = gateway.product(Mode::Sandbox).await;
    let narrow = |providers: &[&str], methods: &[&str]| {
        let providers = providers.iter().map(ToString::to_string).collect();
        let methods = methods.iter().map(ToString::to_string).collect();
        gateway.product_with(Mode::Test, |options| {
            options.allowed_providers = providers;
            options.allowed_methods = methods;
        })
    };
    let only_paypal = narrow(&["paypal"], &[]).await;
    let only_bca = narrow(&[], &["nicepay=va_bca"]).await;

    let usable = |provider: &str| json!([{ "provider": provider, "usable": true, "reason": "" }]);
    let unusable = |reason: &str| json!([{ "provider": "nicepay", "usable": false, "reason": reason }]);
    let to_mock = |candidates: Value| json!({ "chosen": "mock", "fallback": null, "candidates": candidates });
    let to_none = |candidates: Value| json!({ "chosen": null, "fallback": null, "candidates": candidates });
    let fallback = json!({
        "chosen": "mock",
        "fallback": { "wanted": "nicepay", "reason": "no sandbox credentials" },
        "candidates": usable("nicepay"),
    });
    let rows = [
        (&test, "currency=IDR&method=va_bca", to_mock(usable("nicepay"))),
        (&test, "currency=USD&method=polar", to_mock(usable("polar"))),
        (&test, "currency=USD&method=paypal", to_mock(usable("paypal"))),
        (&test, "currency=USD&method=va_bca", to_none(unusable("no provider supports method=va_bca for currency=USD"))),
        (&test, "currency=IDR&method=cash", to_none(json!([]))),
        (&sandbox, "currency=IDR&method=va_bca", fallback),
        (&only_paypal, "currency=IDR&method=va_bca", to_none(unusable("provider nicepay not allowed for this app"))),
        (&only_paypal, "currency=USD&method=paypal", to_mock(usable("paypal"))),
        (&only_bca, "currency=IDR&method=va_bca", to_mock(usable("nicepay"))),
        (
            &only_bca,
            "currency=IDR&method=qris",
            to_none(unusable("method qris not enabled for provider nicepay on this app")),
        ),
        (&only_bca, "currency=USD&method=paypal", to_mock(usable("paypal"))),
    ];
    for (product, query, expected) in rows {
        let answer = product.get(&format!("/v1/routes?{query}")).await.expect_status(200);
        assert_eq!(answer.json(), expected, "{query}");
    }
    assert_eq!(gateway.count("payments"), 0);
}

#[tokio::test]
async fn what_an_app_is_not_allowed_is_refused_in_exact_words() {
    let gateway = TestGateway::spawn_stepped().await;
    let only_paypal =
        gateway.product_with(Mode::Test, |options| options.allowed_providers = vec!["paypal".into()]).await;
    let refused = only_paypal.create(json!({})).await.expect_error(422, "ProviderNotAllowed");
    assert_eq!(refused.detail(), "provider nicepay not allowed for this app");
    only_paypal.created(json!({ "method": "paypal", "currency": "USD" })).await;

    let only_bca =
        gateway.product_with(Mode::Test, |options| options.allowed_methods = vec!["nicepay=va_bca".into()]).await;
    let refused = only_bca.create(json!({ "method": "qris" })).await.expect_error(422, "MethodNotEnabled");
    assert_eq!(refused.detail(), "method qris not enabled for provider nicepay on this app");
    only_bca.created(json!({})).await;
    only_bca.created(json!({ "method": "polar", "currency": "USD" })).await;
    assert_eq!(gateway.count("payments"), 3);
}

#[tokio::test]
async fn every_documented_method_has_a_route() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for method in ["qris", "va_bca", "va_mandiri", "va_bni", "va_bri", "va_permata"] {
        product.created(json!({ "method": method })).await;
    }
    for (method, currency) in [("polar", "USD"), ("polar", "IDR"), ("paypal", "USD"), ("paypal", "JPY")] {
        product.created(json!({ "method": method, "currency": currency })).await;
    }
    assert_eq!(gateway.count("payments"), 10);
}

#[tokio::test]
async fn an_amount_must_be_what_the_provider_takes() {
    let gateway = TestGateway::spawn_stepped().await;
    let rows = [
        ("qris", "IDR", 10_000_000_i64, 10_000_001_i64),
        ("polar", "USD", 50, 49),
        ("polar", "IDR", 9_000, 8_999),
        ("paypal", "HUF", 200, 150),
        ("paypal", "HUF", 100, 99),
        ("paypal", "TWD", 200, 201),
        ("paypal", "USD", 9_999_999_999, 10_000_000_000),
    ];
    for mode in [Mode::Test, Mode::Sandbox] {
        let product = gateway.product(mode).await;
        for (method, currency, fine, refused) in rows {
            let with =
                |amount_minor: i64| json!({ "method": method, "currency": currency, "amount_minor": amount_minor });
            product.created(with(fine)).await;
            product.create(with(refused)).await.expect_error(422, "AmountOutOfRange");
        }
    }
    assert_eq!(gateway.count("payments"), 14);
}

#[tokio::test]
async fn an_email_is_needed_by_nicepay_and_polar_and_not_by_paypal() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let without_email = |method: &str, currency: &str| json!({ "email": null, "method": method, "currency": currency });
    for (method, currency) in [("va_bca", "IDR"), ("qris", "IDR"), ("polar", "USD")] {
        let refused = product.create(without_email(method, currency)).await.expect_error(400, "ValidationError");
        assert_eq!(refused.detail(), "missing required fields: email");
    }
    product.created(without_email("paypal", "USD")).await;
}

#[tokio::test]
async fn a_buyer_is_kept_once_and_brought_up_to_date() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let created_at = gateway.clock.now().to_rfc3339();
    let buys = |email: &str, name: Option<&str>| {
        let buyer = name.map(|name| json!({ "name": name }));
        json!({ "external_user_id": "user-7", "email": email, "buyer": buyer })
    };
    product.created(buys("old@shop.example", Some("Budi"))).await;
    gateway.clock.advance(SECOND);
    product.created(buys("new@shop.example", None)).await;
    let expected = json!({
        "external_user_id": "user-7",
        "email": "new@shop.example",
        "name": "Budi",
        "kyc_status": "none",
        "mode": "test",
        "created_at": created_at,
        "updated_at": gateway.clock.now().to_rfc3339(),
    });
    gateway.clock.advance(SECOND);
    let silent = json!({ "external_user_id": "user-7", "email": null, "method": "paypal", "currency": "USD" });
    product.created(silent).await;
    assert_eq!(product.get("/v1/customers/user-7").await.expect_status(200).json(), expected);

    product.created(json!({ "external_user_id": "user-6" })).await;
    product.created(json!({ "external_user_id": "user-8" })).await;
    let listed = product.listed("/v1/customers").await;
    let ids: Vec<&str> = listed.iter().map(|customer| customer["external_user_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["user-6", "user-7", "user-8"]);
    let page = product.get("/v1/customers?limit=2").await.json();
    assert_eq!(page["next_cursor"], "user-7");
    let rest = product.listed("/v1/customers?limit=2&cursor=user-7").await;
    assert_eq!(rest[0]["external_user_id"], "user-8");
    product.get("/v1/customers/user-9").await.expect_error(404, "CustomerNotFound");
}

#[tokio::test]
async fn invoice_numbers_are_unique_however_many_ask_at_once() {
    let gateway = TestGateway::spawn().await;
    let products = [gateway.product(Mode::Test).await, gateway.product(Mode::Sandbox).await];
    let payments = join_all((0..32).map(|index| {
        let product = products[index % 2].clone();
        let prefix = if index % 3 == 0 { "ORD-X" } else { "INV" };
        async move { product.created(json!({ "invoice_prefix": prefix })).await }
    }))
    .await;
    let mut numbers = BTreeSet::new();
    for payment in &payments {
        let (prefix, number) = payment["invoice_number"].as_str().unwrap().rsplit_once('-').unwrap();
        assert!(["ORD-X", "INV"].contains(&prefix));
        assert_eq!(number.len(), 6);
        numbers.insert(number.parse::<u32>().unwrap());
    }
    assert_eq!(numbers, (1..=32).collect());
}

#[tokio::test]
async fn a_refused_or_replayed_request_uses_no_invoice_number() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "invoice_prefix": "INV" }));
    product.create(json!({ "invoice_prefix": "INV", "method": "cash" })).await.expect_status(422);
    for _ in 0..3 {
        let answer = product.post_with_key("/v1/payments", &body, "k").await.expect_status(201);
        assert_eq!(answer.text_of("invoice_number"), "INV-000001");
    }
    assert_eq!(product.created(json!({ "invoice_prefix": "ORD" })).await["invoice_number"], "ORD-000002");
}

/// How often the mock stood in for a provider, by `/info`.
async fn fallbacks(gateway: &TestGateway, provider: &str, mode: &str) -> Value {
    let info = gateway.fetch("/info").await.expect_status(200).json();
    let rows = info["providers"].as_array().unwrap().clone();
    let row = rows.iter().find(|row| row["provider"] == provider && row["mode"] == mode).unwrap();
    assert_eq!((&row["instance"], &row["status"]), (&json!("mock"), &json!("no_credentials")));
    row["fallbacks"].clone()
}

#[tokio::test]
async fn in_sandbox_the_mock_stands_in_and_says_so() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    assert_eq!(fallbacks(&gateway, "nicepay", "sandbox").await, 0);
    let body = payment_request(json!({}));
    let payment = product.post_with_key("/v1/payments", &body, "k").await.expect_status(201).json();
    product.post_with_key("/v1/payments", &body, "k").await.expect_status(201);
    assert_eq!(payment["provider"], "mock");
    assert_eq!(payment["mode"], "sandbox");
    assert_eq!(payment["fallback"], json!({ "wanted": "nicepay", "reason": "no sandbox credentials" }));
    assert_eq!(fallbacks(&gateway, "nicepay", "sandbox").await, 1);
    assert_eq!(fallbacks(&gateway, "nicepay", "live").await, 0);
    assert_eq!(fallbacks(&gateway, "polar", "sandbox").await, 0);

    let payment_id = id_of(&payment);
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
    let paid = product.payment(&payment_id).await;
    assert_eq!((&paid["status"], &paid["paid_minor"]), (&json!("succeeded"), &json!(50_000)));
    let events = product.listed("/v1/events").await;
    assert_eq!(events[0]["body"]["fallback"], payment["fallback"]);
    assert_eq!(events[0]["body"]["mode"], "sandbox");
}

#[tokio::test]
async fn a_fallback_in_live_can_never_succeed() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Live).await;
    let payment = product.created(json!({})).await;
    let payment_id = id_of(&payment);
    assert_eq!(payment["fallback"], json!({ "wanted": "nicepay", "reason": "no live credentials" }));
    assert_eq!(fallbacks(&gateway, "nicepay", "live").await, 1);

    let page = gateway.fetch(&format!("/mock/checkout/{payment_id}")).await.expect_status(200).text;
    assert!(page.contains("not configured"), "{page}");
    assert!(
        page.contains("value=\"cancel\"") && !page.contains("value=\"succeed\"") && !page.contains("value=\"fail\"")
    );

    for outcome in ["succeed", "fail"] {
        assert_eq!(gateway.act_at_checkout(&payment_id, outcome).await.0, 422);
    }
    assert_eq!(product.payment(&payment_id).await, payment);
    let (status, location) = gateway.act_at_checkout(&payment_id, "cancel").await;
    assert_eq!(status, 303);
    assert!(location.ends_with("&status=canceled"), "{location}");
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 422);

    let other = id_of(&product.created(json!({ "method": "paypal", "currency": "USD" })).await);
    cancel(&gateway, &product, &other).await.expect_status(200);
    gateway.advance(2 * DAY).await;
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM payments WHERE status = 'canceled'"), 2);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM payments WHERE paid_minor > 0"), 0);
    assert_eq!(gateway.count("receipts"), 0);
}

#[tokio::test]
async fn a_payment_that_no_one_pays_expires_after_a_day() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment = product.created(json!({})).await;
    let payment_id = id_of(&payment);
    let expires_at = Timestamp::parse_rfc3339(payment["expires_at"].as_str().unwrap()).unwrap();
    let created_at = Timestamp::parse_rfc3339(payment["created_at"].as_str().unwrap()).unwrap();
    assert_eq!(expires_at.since(created_at), DAY);

    gateway.advance(DAY - SECOND).await;
    assert_eq!(product.payment(&payment_id).await["status"], "initiated");
    gateway.advance(SECOND).await;
    assert_eq!(product.payment(&payment_id).await["status"], "canceled");
    assert_eq!(product.event_names(&payment_id).await, ["payment.canceled"]);
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
    assert_eq!(product.payment(&payment_id).await["status"], "canceled");
}
