//! Who may ask: signatures, timestamps, and requests that were captured.

use serde_json::json;
use switchyard::domain::mode::Mode;

use crate::support::{TestGateway, payment_request};

#[tokio::test]
async fn a_signed_request_makes_a_payment_and_an_unsigned_one_does_not() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let payment = product.created(json!({ "invoice_prefix": "INV" })).await;
    assert_eq!(payment["status"], "initiated");
    assert_eq!(payment["invoice_number"], "INV-000001");
    product.send("POST", "/v1/payments", &[], vec![]).await.expect_error(401, "MissingAuthHeaders");
}

#[tokio::test]
async fn a_captured_request_makes_no_second_payment() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let body = payment_request(json!({})).to_string();
    let mut headers =
        product.signed_headers("POST", "/v1/payments", body.as_bytes(), product.clock.now().unix_seconds());
    headers.push(("Content-Type".into(), "application/json".into()));
    let with_key = |key: &str| [headers.clone(), vec![("Idempotency-Key".into(), key.into())]].concat();
    let send = |headers: Vec<(String, String)>| {
        let (product, body) = (product.clone(), body.clone());
        async move { product.send("POST", "/v1/payments", &headers, body.into()).await }
    };

    let first = send(with_key("k1")).await.expect_status(201);
    let stripped = send(headers.clone()).await.expect_status(201);
    assert_eq!(stripped.text, first.text);
    assert_eq!(stripped.header("idempotent-replayed"), Some("true"));
    send(with_key("k2")).await.expect_error(409, "SignatureReused");
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM payments"), 1);
}
