//! Webhook endpoints of a tenant: what goes there, with which signatures, and what can be looked at and sent again.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::signing::event_signature;

use crate::person::Person;
use crate::support::{Delivered, Receiver, Reply, TestGateway};
use crate::tenant_apps::product_of;

/// The newest of `count` deliveries.
fn last(receiver: &Receiver, count: usize) -> Delivered {
    let received = receiver.received();
    assert_eq!(received.len(), count);
    received.last().unwrap().clone()
}

async fn endpoint(person: &Person, body: Value) -> Value {
    let (status, answer) = person.post("/dashboard/webhooks", body).await;
    assert_eq!(status, 201, "{answer}");
    answer["data"].clone()
}

#[actix_web::test]
async fn a_test_event_reaches_the_endpoint_signed_and_is_in_its_log() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let made = endpoint(&ann, json!({ "url": &receiver.url, "headerPrefix": "X-Acme" })).await;
    let (id, secret) = (made["id"].as_str().unwrap(), made["secret"].as_str().unwrap());
    let (status, tested) = ann.post(&format!("/dashboard/webhooks/{id}/test"), json!({})).await;
    assert_eq!(status, 202, "{tested}");
    gateway.step().await;
    let got = last(&receiver, 1);
    let body: Value = serde_json::from_slice(&got.body).unwrap();
    assert_eq!((&body["id"], &body["event"]), (&tested["data"]["eventId"], &json!("webhook.test")));
    assert_eq!((&body["mode"], &body["data"]["endpointId"]), (&json!("test"), &made["id"]));
    let timestamp = got.header("x-pay-timestamp");
    let signature = event_signature(secret, timestamp.parse().unwrap(), &got.body);
    assert_eq!(got.header("x-pay-signature"), signature);
    assert_eq!(got.header("x-acme-signature"), format!("v1={signature}"));
    assert_eq!(got.header("x-acme-timestamp"), timestamp);
    let standard = standardwebhooks::Webhook::new(made["secretStandard"].as_str().unwrap()).unwrap();
    let mut headers = http_headers(&["webhook-id", "webhook-timestamp", "webhook-signature"], |name| got.header(name));
    standard.verify(&got.body, &headers).unwrap();
    headers.insert("webhook-id", "evt_another".parse().unwrap());
    assert!(standard.verify(&got.body, &headers).is_err());

    let (_, log) = ann.get(&format!("/dashboard/webhooks/{id}/deliveries")).await;
    let delivery = &log["data"]["deliveries"][0];
    assert_eq!((&delivery["status"], &delivery["event"]), (&json!("delivered"), &json!("webhook.test")));
    assert_eq!(delivery["log"][0]["status"], 204);
    assert!(!log.to_string().contains(secret));
}

fn http_headers(names: &[&'static str], value: impl Fn(&str) -> String) -> reqwest::header::HeaderMap {
    names.iter().map(|name| (name.parse().unwrap(), value(name).parse().unwrap())).collect()
}

#[actix_web::test]
async fn an_endpoint_of_the_tenant_gets_the_events_of_its_apps_that_it_wants() {
    let gateway = TestGateway::spawn_stepped().await;
    let (all, failures, other_mode, elsewhere) =
        (Receiver::start().await, Receiver::start().await, Receiver::start().await, Receiver::start().await);
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let product = product_of(&gateway, &ann).await;
    endpoint(&ann, json!({ "url": &all.url })).await;
    endpoint(&ann, json!({ "url": &failures.url, "events": ["payment.failed"] })).await;
    endpoint(&ann.in_mode("sandbox").await, json!({ "url": &other_mode.url })).await;
    let stranger = Person::registered(&gateway, "eve@example.com").await;
    endpoint(&stranger, json!({ "url": &elsewhere.url })).await;

    product.ended(&gateway, "succeed", json!({})).await;
    product.ended(&gateway, "fail", json!({})).await;
    gateway.step().await;
    let mut types = all.names();
    types.sort();
    assert_eq!(types, ["delta.verified", "payment.failed", "payment.succeeded"]);
    assert_eq!(failures.names(), ["payment.failed"]);
    assert_eq!(other_mode.received().len() + elsewhere.received().len(), 0);
}

#[actix_web::test]
async fn a_rotated_secret_signs_along_for_a_day() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let made = endpoint(&ann, json!({ "url": &receiver.url })).await;
    let path = format!("/dashboard/webhooks/{}", made["id"].as_str().unwrap());
    let (status, rotated) = ann.post(&format!("{path}/rotate"), json!({})).await;
    assert_eq!(status, 200, "{rotated}");
    let (old, new) = (made["secret"].as_str().unwrap(), rotated["data"]["secret"].as_str().unwrap());
    assert_ne!(old, new);
    let signed_by = |got: &Delivered, secret: &str| {
        let timestamp = got.header("x-pay-timestamp").parse().unwrap();
        got.header("x-pay-signature") == event_signature(secret, timestamp, &got.body)
    };
    ann.post(&format!("{path}/test"), json!({})).await;
    gateway.step().await;
    let got = last(&receiver, 1);
    assert!(signed_by(&got, old));
    assert_eq!(got.header("webhook-signature").split(' ').count(), 2);
    gateway.clock.advance(Duration::from_secs(24 * 3600));
    let ann = Person::signed_in(&gateway, "ann@example.com").await;
    ann.post(&format!("{path}/test"), json!({})).await;
    gateway.step().await;
    let got = last(&receiver, 2);
    assert!(signed_by(&got, new));
    assert_eq!(got.header("webhook-signature").split(' ').count(), 1);
}

#[actix_web::test]
async fn what_an_endpoint_missed_can_be_sent_again() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply::status(404));
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let before = gateway.clock.now().to_rfc3339();
    let made = endpoint(&ann, json!({ "url": &receiver.url })).await;
    let path = format!("/dashboard/webhooks/{}", made["id"].as_str().unwrap());
    for _ in 0..2 {
        ann.post(&format!("{path}/test"), json!({})).await;
        gateway.advance(Duration::from_secs(1)).await;
    }
    let (_, log) = ann.get(&format!("{path}/deliveries?status=dead")).await;
    let dead = log["data"]["deliveries"].as_array().unwrap().clone();
    assert_eq!(dead.len(), 2);
    receiver.answer_always(Reply::status(200));
    let (status, _) = ann.post(&format!("{path}/replay"), json!({ "deliveryId": dead[0]["id"] })).await;
    assert_eq!(status, 202);
    gateway.step().await;
    let (_, log) = ann.get(&format!("{path}/deliveries?status=dead")).await;
    assert_eq!(log["data"]["deliveries"].as_array().unwrap().len(), 1);
    let (status, replayed) = ann.post(&format!("{path}/replay"), json!({ "since": before })).await;
    assert_eq!((status, &replayed["data"]["deliveries"]), (202, &json!(1)));
    gateway.step().await;
    let (_, log) = ann.get(&format!("{path}/deliveries?status=delivered&limit=1")).await;
    assert_eq!(log["data"]["deliveries"].as_array().unwrap().len(), 1);
    let next = format!("{path}/deliveries?status=delivered&cursor={}", log["data"]["nextCursor"].as_str().unwrap());
    let (_, rest) = ann.get(&next).await;
    assert_eq!(rest["data"]["deliveries"].as_array().unwrap().len(), 1);
    assert_eq!(rest["data"]["nextCursor"], Value::Null);
}

#[actix_web::test]
async fn nobody_else_sees_or_moves_an_endpoint() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let made = endpoint(&ann, json!({ "url": "http://127.0.0.1:9/hook" })).await;
    let path = format!("/dashboard/webhooks/{}", made["id"].as_str().unwrap());
    let eve = Person::registered(&gateway, "eve@example.com").await;
    for somebody in [eve, ann.in_mode("sandbox").await] {
        assert_eq!(somebody.get("/dashboard/webhooks").await.1["data"], json!([]));
        assert_eq!(somebody.get(&path).await.0, 404);
        assert_eq!(somebody.call("PATCH", &path, Some(json!({ "active": false }))).await.0, 404);
        assert_eq!(somebody.call("DELETE", &path, None).await.0, 404);
        for verb in ["rotate", "test"] {
            assert_eq!(somebody.post(&format!("{path}/{verb}"), json!({})).await.0, 404, "{verb}");
        }
        assert_eq!(somebody.get(&format!("{path}/deliveries")).await.0, 404);
    }
    assert_eq!(ann.get(&path).await.1["data"]["active"], true);
}

#[actix_web::test]
async fn an_endpoint_is_changed_switched_off_and_deleted() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bad = json!({ "url": "ftp://x", "events": ["payment.eaten"], "headerPrefix": "X Acme", "mode": "live" });
    let (status, answer) = ann.post("/dashboard/webhooks", bad).await;
    assert_eq!(status, 400);
    for field in ["url: ", "events: payment.eaten", "headerPrefix: ", "mode: "] {
        assert!(answer["message"].to_string().contains(field), "{field} is not in {answer}");
    }
    let made = endpoint(&ann, json!({ "url": &receiver.url, "description": "books" })).await;
    assert_eq!(made["events"], json!(["*"]));
    let path = format!("/dashboard/webhooks/{}", made["id"].as_str().unwrap());
    let change = json!({ "events": ["refund.succeeded"], "description": "", "active": false });
    let (status, changed) = ann.call("PATCH", &path, Some(change)).await;
    assert_eq!(status, 200);
    assert_eq!(changed["data"]["events"], json!(["refund.succeeded"]));
    assert_eq!((&changed["data"]["description"], &changed["data"]["active"]), (&Value::Null, &json!(false)));
    let (status, answer) = ann.post(&format!("{path}/test"), json!({})).await;
    assert_eq!((status, &answer["code"]), (409, &json!("EndpointDisabled")));
    assert_eq!(ann.call("DELETE", &path, None).await.0, 200);
    assert_eq!(ann.get(&path).await.0, 404);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM audit_entries WHERE action LIKE 'endpoint.%'"), 3);
    gateway.step().await;
    assert_eq!(receiver.received().len(), 0);
}
