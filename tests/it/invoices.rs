//! Invoices over the API: made, found again, finalized, given up, late. How they are paid is in `invoice_payments`.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;

use crate::support::{Product, Receiver, TestGateway};

/// The body of a request for an invoice of Rp 150,000, with `changes` merged in (null takes a field out).
pub fn invoice_request(changes: Value) -> Value {
    let mut request = json!({
        "external_user_id": format!("user-{}", random_hex(4)),
        "email": "buyer@shop.example",
        "currency": "IDR",
        "line_items": [
            { "description": "Kopi Gayo 250 g", "quantity": 2, "unit_amount_minor": 60_000 },
            { "description": "Ongkos kirim", "quantity": 1, "unit_amount_minor": 30_000 },
        ],
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => {
                request.as_object_mut().unwrap().remove(name);
            }
            value => request[name] = value.clone(),
        }
    }
    request
}

impl Product {
    /// An invoice with `changes`.
    pub async fn invoiced(&self, changes: Value) -> Value {
        self.post("/v1/invoices", &invoice_request(changes)).await.expect_status(201).json()
    }

    /// The invoice as it is now.
    pub async fn invoice(&self, invoice: &Value) -> Value {
        self.get(&format!("/v1/invoices/{}", id(invoice))).await.expect_status(200).json()
    }

    /// The names of all events of the app, oldest first.
    pub async fn all_event_names(&self) -> Vec<String> {
        let mut events = self.listed("/v1/events?limit=100").await;
        events.reverse();
        events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
    }
}

/// The id of an invoice's object.
pub fn id(invoice: &Value) -> String {
    invoice["invoice_id"].as_str().unwrap_or_else(|| panic!("no invoice: {invoice}")).to_owned()
}

#[actix_web::test]
async fn an_invoice_is_answered_whole_and_its_event_is_sent() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let due_at = "2030-01-02T03:04:05.000Z";
    let request = invoice_request(json!({
        "external_user_id": "user-1", "due_at": due_at, "methods": ["qris", "va_bca"], "metadata": { "order": 7 },
        "external_id": "order-7", "invoice_prefix": "SHOP", "return_url": "https://shop.example/thanks",
    }));
    let invoice = product.post("/v1/invoices", &request).await.expect_status(201).json();
    let expected = json!({
        "invoice_id": invoice["invoice_id"], "number": "SHOP-000001", "status": "open", "mode": "test",
        "external_user_id": "user-1", "email": "buyer@shop.example", "currency": "IDR",
        "line_items": [
            { "description": "Kopi Gayo 250 g", "quantity": 2, "unit_amount_minor": 60_000, "amount_minor": 120_000 },
            { "description": "Ongkos kirim", "quantity": 1, "unit_amount_minor": 30_000, "amount_minor": 30_000 },
        ],
        "amount_minor": 150_000, "paid_minor": 0, "refunded_minor": 0, "due_at": due_at,
        "methods": ["qris", "va_bca"], "return_url": "https://shop.example/thanks", "metadata": { "order": 7 },
        "external_id": "order-7", "hosted_url": gateway.url(&format!("/pay/{}", id(&invoice))), "payments": [],
        "created_at": invoice["created_at"], "updated_at": invoice["created_at"], "paid_at": null, "voided_at": null,
    });
    assert_eq!(invoice, expected);
    assert!(id(&invoice).starts_with("inv_"));
    assert_eq!(product.invoice(&invoice).await, invoice);

    gateway.step().await;
    let event = receiver.received()[0].json();
    assert_eq!(
        event,
        json!({
            "event": "invoice.created", "event_id": event["event_id"], "mode": "test", "invoice_id": id(&invoice),
            "payment_id": null, "number": "SHOP-000001", "status": "open", "amount": 150_000, "currency": "IDR",
            "external_user_id": "user-1", "external_id": "order-7", "timestamp": invoice["created_at"],
            "metadata": { "order": 7 },
        })
    );
    let second = product.invoiced(json!({})).await;
    assert_eq!(second["number"], "INV-000002", "one sequence for the gateway");
}

#[actix_web::test]
async fn everything_that_is_wrong_with_an_invoice_is_told_at_once() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let answer = product
        .post(
            "/v1/invoices",
            &json!({
                "currency": "idr", "email": "nobody", "mode": "live", "methods": ["QRIS"], "due_at": "tomorrow",
                "line_items": [{ "description": "", "quantity": 0, "unit_amount_minor": -1 }], "colour": "red",
            }),
        )
        .await
        .expect_error(400, "ValidationError");
    for told in [
        "external_user_id: missing",
        "currency: must be an upper-case",
        "email: must be an e-mail address",
        "mode: is fixed",
        "methods: must be 1 to 32",
        "due_at: must be an RFC 3339",
        "line_items[0].description: must have",
        "line_items[0].quantity: must be",
        "line_items[0].unit_amount_minor: must be",
        "colour: is not a field",
    ] {
        assert!(answer.messages().iter().any(|line| line.starts_with(told)), "{told}: {:?}", answer.messages());
    }
    for (lines, status) in [
        (json!([]), 400),
        (json!([{ "description": "free", "quantity": 1, "unit_amount_minor": 0 }]), 400),
        (json!([{ "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 }]), 400),
        (
            json!([{ "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 },
                { "description": "dear", "quantity": 1_000_000, "unit_amount_minor": 999_999_999_999i64 }]),
            400,
        ),
        (
            json!([{ "description": "free and not", "quantity": 3, "unit_amount_minor": 0 },
                { "description": "x", "quantity": 1, "unit_amount_minor": 20_000 }]),
            201,
        ),
    ] {
        let answer = product.post("/v1/invoices", &invoice_request(json!({ "line_items": lines }))).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
}

#[actix_web::test]
async fn what_nobody_could_pay_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let refused = async |product: &Product, changes: Value, code: &str| {
        product.post("/v1/invoices", &invoice_request(changes)).await.expect_error(422, code);
    };
    refused(&product, json!({ "currency": "KWD" }), "NoRoute").await;
    refused(&product, json!({ "methods": ["va_bca", "carrier_pigeon"] }), "NoRoute").await;
    refused(&product, json!({ "currency": "USD", "methods": ["va_bca"] }), "NoRoute").await;
    let dear = json!([{ "description": "x", "quantity": 1, "unit_amount_minor": 999_999_999_999i64 }]);
    refused(&product, json!({ "line_items": dear, "methods": ["qris"] }), "AmountOutOfRange").await;
    let narrow =
        gateway.product_with(Mode::Test, |options| options.allowed_providers = vec!["paypal".to_owned()]).await;
    refused(&narrow, json!({ "methods": ["va_bca"] }), "ProviderNotAllowed").await;
    assert_eq!(gateway.count("invoices"), 0);
}

#[actix_web::test]
async fn an_external_id_stands_for_one_invoice_of_an_app() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let request = invoice_request(json!({ "external_id": "order-1", "metadata": { "a": 1, "b": 2 } }));
    let first = product.post("/v1/invoices", &request).await.expect_status(201).json();
    gateway.clock.advance(Duration::from_secs(100_000));
    let again = product.post("/v1/invoices", &request).await.expect_status(200).json();
    assert_eq!(again, first);
    let mut other = request.clone();
    other["line_items"][0]["quantity"] = 3.into();
    let conflict = product.post("/v1/invoices", &other).await.expect_error(409, "ExternalIdConflict");
    assert!(conflict.detail().contains(&id(&first)));
    // It is the app's own.
    let stranger = gateway.product(Mode::Test).await;
    let theirs = stranger.post("/v1/invoices", &request).await.expect_status(201).json();
    assert_ne!(id(&theirs), id(&first));
    // And many at once are one.
    let many = invoice_request(json!({ "external_id": "order-2" }));
    let answers = futures_util::future::join_all((0..20).map(|index| {
        let (product, body) = (product.clone(), format!("{}{}", many, " ".repeat(index)));
        async move { product.request("POST", "/v1/invoices", body.as_bytes(), None).await }
    }))
    .await;
    let ids: std::collections::BTreeSet<String> = answers.iter().map(|answer| id(&answer.json())).collect();
    assert_eq!(ids.len(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(gateway.count("invoices"), 3);
    let created = product.all_event_names().await;
    assert_eq!(created, ["invoice.created", "invoice.created"]);
}

#[actix_web::test]
async fn invoices_are_listed_newest_first_and_filtered() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let mut ids = Vec::new();
    for number in 0..5 {
        gateway.clock.advance(Duration::from_secs(1));
        let changes = json!({ "external_id": format!("o-{number}"), "draft": number == 0,
            "external_user_id": if number % 2 == 0 { "even" } else { "odd" } });
        ids.push(id(&product.invoiced(changes).await));
    }
    ids.reverse();
    let listed = async |query: &str| -> Vec<String> {
        product.listed(&format!("/v1/invoices{query}")).await.iter().map(id).collect()
    };
    assert_eq!(listed("").await, ids);
    assert_eq!(listed("?status=draft").await, ids[4..]);
    assert_eq!(listed("?external_user_id=odd").await, [ids[1].clone(), ids[3].clone()]);
    assert_eq!(listed("?external_id=o-3").await, [ids[1].clone()]);
    assert_eq!(listed("?status=open&external_user_id=even").await, [ids[0].clone(), ids[2].clone()]);
    let first = product.get("/v1/invoices?limit=2").await.expect_status(200).json();
    assert_eq!(first["data"].as_array().unwrap().len(), 2);
    let cursor = first["next_cursor"].as_str().unwrap();
    assert_eq!(listed(&format!("?limit=3&cursor={cursor}")).await, ids[2..]);
    product.get("/v1/invoices?status=late").await.expect_error(400, "ValidationError");
    product.get("/v1/invoices?cursor=pay_1").await.expect_error(400, "ValidationError");
}

#[actix_web::test]
async fn a_draft_is_opened_and_an_open_one_is_voided() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let draft = product.invoiced(json!({ "draft": true })).await;
    assert_eq!(draft["status"], "draft");
    let path = |what: &str| format!("/v1/invoices/{}/{what}", id(&draft));
    let open = product.post_with_key(&path("finalize"), &json!({}), "f").await.expect_status(200).json();
    assert_eq!(open["status"], "open");
    gateway.clock.advance(Duration::from_secs(1));
    product.post(&path("finalize"), &json!({})).await.expect_status(200);
    let void = product.post(&path("void"), &json!({})).await.expect_status(200).json();
    assert_eq!(void["status"], "void");
    assert!(void["voided_at"].is_string());
    gateway.clock.advance(Duration::from_secs(1));
    let again = product.post(&path("void"), &json!({})).await.expect_status(200).json();
    assert_eq!(again["voided_at"], void["voided_at"]);
    product.post(&path("finalize"), &json!({})).await.expect_error(422, "InvoiceNotOpen");
    assert_eq!(product.all_event_names().await, ["invoice.created", "invoice.voided"]);
    // A draft may be given up, too.
    let other = product.invoiced(json!({ "draft": true })).await;
    let given_up = product.post(&format!("/v1/invoices/{}/void", id(&other)), &json!({})).await.expect_status(200);
    assert_eq!(given_up.json()["status"], "void");
}

#[actix_web::test]
async fn another_app_s_and_another_mode_s_invoice_is_not_there() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let invoice = product.invoiced(json!({ "external_id": "mine" })).await;
    for stranger in [gateway.product(Mode::Test).await, gateway.product(Mode::Sandbox).await] {
        let path = format!("/v1/invoices/{}", id(&invoice));
        stranger.get(&path).await.expect_error(404, "InvoiceNotFound");
        for what in ["void", "finalize"] {
            stranger.post(&format!("{path}/{what}"), &json!({})).await.expect_error(404, "InvoiceNotFound");
        }
        assert!(stranger.listed("/v1/invoices").await.is_empty());
        assert!(stranger.listed("/v1/invoices?external_id=mine").await.is_empty());
    }
    product.get("/v1/invoices/inv_nothing").await.expect_error(404, "InvoiceNotFound");
    assert_eq!(product.invoice(&invoice).await, invoice);
}

#[actix_web::test]
async fn an_invoice_that_is_late_is_overdue_and_that_is_told_once() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let due_at = gateway.clock.now().plus(Duration::from_secs(3600)).to_rfc3339();
    let late = product.invoiced(json!({ "due_at": due_at })).await;
    let draft = product.invoiced(json!({ "due_at": due_at, "draft": true })).await;
    let patient = product.invoiced(json!({})).await;
    gateway.advance(Duration::from_secs(3500)).await;
    assert_eq!(product.invoice(&late).await["status"], "open");
    gateway.advance(Duration::from_secs(101)).await;
    gateway.step().await;
    assert_eq!(product.invoice(&late).await["status"], "overdue");
    assert_eq!(product.invoice(&draft).await["status"], "draft");
    assert_eq!(product.invoice(&patient).await["status"], "open");
    let told = product.all_event_names().await;
    assert_eq!(told.iter().filter(|name| *name == "invoice.overdue").count(), 1);
    // A draft is late as soon as it is open.
    product.post(&format!("/v1/invoices/{}/finalize", id(&draft)), &json!({})).await.expect_status(200);
    gateway.step().await;
    assert_eq!(product.invoice(&draft).await["status"], "overdue");
}
