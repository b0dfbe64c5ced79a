//! Events on their way out: what they say, how they are signed, when they are tried again, and where they never go.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::domain::signing::{event_signature, standard_webhook_secret, standard_webhook_signature};
use switchyard::domain::time::Timestamp;
use switchyard::gateway::AppChange;

use crate::support::{Delivered, Product, Receiver, Reply, TestGateway, eventually, throughout};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A product of mode `test` whose events go to `url`.
async fn shop(gateway: &TestGateway, url: &str) -> Product {
    gateway.product_with(Mode::Test, |options| options.webhook_url = Some(url.to_owned())).await
}

/// A payment that its buyer has paid.
async fn paid(gateway: &TestGateway, product: &Product) -> String {
    let payment = product.created(json!({})).await;
    pay(gateway, &payment).await
}

async fn pay(gateway: &TestGateway, payment: &Value) -> String {
    let payment_id = payment["payment_id"].as_str().unwrap().to_owned();
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
    payment_id
}

/// Time goes on a little, as it does; then everything that is due is done.
async fn step(gateway: &TestGateway) {
    gateway.advance(Duration::from_millis(1)).await;
}

/// The one event of this type, with its deliveries.
async fn event(product: &Product, query: &str) -> Value {
    let page = product.get(&format!("/v1/events?{query}")).await.expect_status(200).json();
    assert_eq!(page["data"].as_array().unwrap().len(), 1, "{page}");
    event_by_id(product, page["data"][0]["event_id"].as_str().unwrap()).await
}

async fn event_by_id(product: &Product, event_id: &str) -> Value {
    product.get(&format!("/v1/events/{event_id}")).await.expect_status(200).json()
}

/// The one delivery of the event of this payment's success.
async fn delivery(product: &Product, payment_id: &str) -> Value {
    let event = event(product, &format!("type=payment.succeeded&payment_id={payment_id}")).await;
    assert_eq!(event["deliveries"].as_array().unwrap().len(), 1, "{event}");
    event["deliveries"][0].clone()
}

fn names_of(object: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = object.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    names
}

fn sorted<'a>(names: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    let mut names = [names, more].concat();
    names.sort_unstable();
    names
}

fn timestamp_of(delivered: &Delivered) -> i64 {
    let timestamp = delivered.header("x-pay-timestamp");
    assert_eq!(timestamp, delivered.header("webhook-timestamp"));
    timestamp.parse().unwrap()
}

/// Asserts that both families' verifiers take the delivery under this secret.
#[track_caller]
fn assert_signed_with(delivered: &Delivered, webhook_secret: &str) {
    let timestamp = timestamp_of(delivered);
    assert_eq!(delivered.header("x-pay-signature"), event_signature(webhook_secret, timestamp, &delivered.body));
    let standard =
        standard_webhook_signature(webhook_secret, &delivered.header("webhook-id"), timestamp, &delivered.body);
    assert!(delivered.header("webhook-signature").split(' ').any(|one| one == standard), "{delivered:?}");
}

const BODY_FIELDS: [&str; 15] = [
    "event",
    "event_id",
    "mode",
    "payment_id",
    "status",
    "amount",
    "currency",
    "method",
    "provider",
    "provider_ref",
    "invoice_number",
    "external_user_id",
    "fallback",
    "timestamp",
    "metadata",
];

#[tokio::test]
async fn a_payment_event_has_exactly_the_documented_fields() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let changes =
        json!({ "external_user_id": "user-7", "invoice_prefix": "INV", "metadata": { "order": 7, "ä": "→" } });
    let payment = product.created(changes).await;
    let payment_id = pay(&gateway, &payment).await;
    step(&gateway).await;

    let body = receiver.received()[0].json();
    assert_eq!(names_of(&body), sorted(&BODY_FIELDS, &[]));
    let event_id = body["event_id"].as_str().unwrap();
    assert!(event_id.starts_with("evt_") && event_id.len() == 30, "{event_id}");
    let at = body["timestamp"].as_str().unwrap();
    assert!(at.ends_with('Z'), "{at}");
    assert_eq!(Timestamp::parse_rfc3339(at).unwrap().unix_seconds(), gateway.clock.now().unix_seconds());
    let expected = json!({
        "event": "payment.succeeded", "event_id": event_id, "mode": "test", "payment_id": payment_id,
        "status": "succeeded", "amount": 50_000, "currency": "IDR", "method": "va_bca", "provider": "mock",
        "provider_ref": payment["provider_ref"], "invoice_number": "INV-000001", "external_user_id": "user-7",
        "fallback": null, "timestamp": at, "metadata": { "order": 7, "ä": "→" },
    });
    assert_eq!(body, expected);
    assert!(payment["provider_ref"].is_string());
}

#[tokio::test]
async fn an_event_of_a_fallback_says_which_provider_was_wanted() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = gateway.product_with(Mode::Sandbox, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let payment = product.created(json!({})).await;
    pay(&gateway, &payment).await;
    step(&gateway).await;
    let body = receiver.received()[0].json();
    assert_eq!(body["mode"], "sandbox");
    assert_eq!(body["provider"], "mock");
    assert_eq!(body["fallback"]["wanted"], "nicepay");
    assert_eq!(body["fallback"], payment["fallback"]);
}

#[tokio::test]
async fn a_refund_event_adds_the_refund_its_reason_and_its_amount() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let payment_id = paid(&gateway, &product).await;
    let refund = json!({ "payment_id": payment_id, "amount_minor": 20_000, "reason": "one shoe is missing" });
    let refund = product.post("/v1/refunds", &refund).await.expect_status(201).json();
    step(&gateway).await;

    let body = receiver.received()[1].json();
    assert_eq!(names_of(&body), sorted(&BODY_FIELDS, &["refund_id", "reason"]));
    assert_eq!(body["event"], "refund.succeeded");
    assert_eq!(body["payment_id"], payment_id);
    assert_eq!(body["amount"], 20_000);
    assert_eq!(body["refund_id"], refund["refund_id"]);
    assert_eq!(body["reason"], "one shoe is missing");
}

#[tokio::test]
async fn a_refund_event_has_its_reason_field_even_when_none_was_given() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let payment_id = paid(&gateway, &product).await;
    product.post("/v1/refunds", &json!({ "payment_id": payment_id })).await.expect_status(201);
    step(&gateway).await;
    let body = receiver.received()[1].json();
    assert_eq!(body["event"], "refund.succeeded");
    assert_eq!(names_of(&body), sorted(&BODY_FIELDS, &["refund_id", "reason"]));
    assert_eq!(body["reason"], Value::Null);
}

#[tokio::test]
async fn both_families_of_verifier_accept_the_same_bytes() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let payment = product.created(json!({ "metadata": { "name": "Ünïcode ✓ \" \\ </script>" } })).await;
    pay(&gateway, &payment).await;
    step(&gateway).await;
    let delivered = receiver.received()[0].clone();

    assert_eq!(delivered.header("content-type"), "application/json");
    assert_eq!(delivered.header("webhook-id"), delivered.json()["event_id"]);
    assert_eq!(timestamp_of(&delivered), gateway.clock.now().unix_seconds());
    assert_signed_with(&delivered, &product.webhook_secret);

    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(product.webhook_secret.as_bytes()).unwrap();
    mac.update(delivered.header("x-pay-timestamp").as_bytes());
    mac.update(b".");
    mac.update(&delivered.body);
    assert_eq!(delivered.header("x-pay-signature"), hex::encode(mac.finalize().into_bytes()));

    let verifier = standardwebhooks::Webhook::new(&standard_webhook_secret(&product.webhook_secret)).unwrap();
    let mut headers = reqwest::header::HeaderMap::new();
    for name in ["webhook-id", "webhook-timestamp", "webhook-signature"] {
        headers.insert(name, delivered.header(name).parse().unwrap());
    }
    verifier.verify(&delivered.body, &headers).unwrap();
    let forged = [&delivered.body[..], b" "].concat();
    assert!(verifier.verify(&forged, &headers).is_err());
}

#[tokio::test]
async fn an_event_is_tried_ten_times_over_three_days_and_then_given_up() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply::status(500));
    let product = shop(&gateway, &receiver.url).await;
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;

    let waits_seconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400];
    let mut is_jittered = false;
    for (index, wait_seconds) in waits_seconds.into_iter().enumerate() {
        assert_eq!(receiver.received().len(), index + 1);
        let delivery = delivery(&product, &payment_id).await;
        assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("pending"), &json!(index + 1)));
        let next = Timestamp::parse_rfc3339(delivery["next_attempt_at"].as_str().unwrap()).unwrap();
        // Times are printed to the millisecond.
        let now = gateway.clock.now().minus(Duration::from_millis(1));
        let wait_ms = next.since(now).as_millis();
        let least_ms = wait_seconds * 1000;
        assert!(wait_ms >= least_ms && wait_ms <= least_ms + least_ms / 10 + 2, "wait {index} is {wait_ms} ms");
        is_jittered |= wait_ms > least_ms + 2;
        gateway.advance(next.since(now) - Duration::from_millis(10)).await;
        assert_eq!(receiver.received().len(), index + 1, "attempt {} came early", index + 2);
        gateway.advance(Duration::from_millis(20)).await;
    }
    assert!(is_jittered, "no wait has jitter");

    assert_eq!(receiver.received().len(), 10);
    let dead = delivery(&product, &payment_id).await;
    assert_eq!(dead["state"], "dead");
    assert_eq!(dead["attempts"], 10);
    assert_eq!(dead["next_attempt_at"], Value::Null);
    assert_eq!(dead["log"].as_array().unwrap().len(), 10);
    gateway.advance(2 * DAY).await;
    assert_eq!(receiver.received().len(), 10);
}

#[tokio::test]
async fn every_attempt_has_the_same_id_and_body_and_signatures_of_its_own() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply::status(503));
    receiver.answer_next(Reply::status(408));
    paid(&gateway, &product).await;
    step(&gateway).await;
    gateway.advance(Duration::from_secs(6)).await;
    gateway.advance(Duration::from_secs(331)).await;
    let received = receiver.received();
    assert_eq!(received.len(), 3);
    for later in &received[1..] {
        assert_eq!(later.header("webhook-id"), received[0].header("webhook-id"));
        assert_eq!(later.body, received[0].body);
    }
    for delivered in &received {
        assert_signed_with(delivered, &product.webhook_secret);
    }
    let timestamps: Vec<i64> = received.iter().map(timestamp_of).collect();
    assert_eq!(timestamps[1] - timestamps[0], 6);
    assert_eq!(timestamps[2] - timestamps[1], 331);
    assert_ne!(received[0].header("x-pay-signature"), received[1].header("x-pay-signature"));
    assert_ne!(received[0].header("webhook-signature"), received[1].header("webhook-signature"));
}

#[tokio::test]
async fn a_longer_retry_after_is_honoured_and_a_shorter_one_is_not() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let with_retry_after = |status, seconds: &str| Reply {
        headers: vec![("retry-after".to_owned(), seconds.to_owned())],
        ..Reply::status(status)
    };
    receiver.answer_next(with_retry_after(429, "120"));
    receiver.answer_next(with_retry_after(503, "1"));
    paid(&gateway, &product).await;
    step(&gateway).await;
    gateway.advance(Duration::from_secs(119)).await;
    assert_eq!(receiver.received().len(), 1);
    gateway.advance(Duration::from_secs(1)).await;
    assert_eq!(receiver.received().len(), 2);
    gateway.advance(Duration::from_secs(299)).await;
    assert_eq!(receiver.received().len(), 2);
    gateway.advance(Duration::from_secs(32)).await;
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn a_retry_after_that_is_a_date_is_honoured_too() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let at = gateway.clock.now().plus(Duration::from_secs(600)).unix_seconds();
    let at = jiff::Timestamp::from_second(at).unwrap();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap();
    receiver.answer_next(Reply { headers: vec![("retry-after".to_owned(), date)], ..Reply::status(503) });
    paid(&gateway, &product).await;
    step(&gateway).await;
    gateway.advance(Duration::from_secs(590)).await;
    assert_eq!(receiver.received().len(), 1);
    gateway.advance(Duration::from_secs(11)).await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn an_answer_that_says_try_later_is_tried_again_and_any_other_refusal_is_not() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    for status in [408, 425, 429, 500, 502, 503, 504, 599] {
        receiver.answer_next(Reply::status(status));
        let payment_id = paid(&gateway, &product).await;
        let before = receiver.received().len();
        step(&gateway).await;
        let retried = delivery(&product, &payment_id).await;
        assert_eq!((&retried["state"], &retried["attempts"]), (&json!("pending"), &json!(1)), "{status}");
        assert_eq!(retried["log"][0]["status"], status);
        gateway.advance(Duration::from_secs(6)).await;
        assert_eq!(delivery(&product, &payment_id).await["state"], "delivered", "{status}");
        assert_eq!(receiver.received().len(), before + 2, "{status}");
    }
    for status in [300, 304, 400, 401, 403, 404, 405, 409, 413, 422, 451] {
        receiver.answer_next(Reply::status(status));
        let payment_id = paid(&gateway, &product).await;
        step(&gateway).await;
        let dead = delivery(&product, &payment_id).await;
        assert_eq!((&dead["state"], &dead["attempts"]), (&json!("dead"), &json!(1)), "{status}");
        assert_eq!(dead["log"][0]["status"], status);
    }
    for status in [200, 201, 202, 204, 206, 299] {
        receiver.answer_next(Reply::status(status));
        let payment_id = paid(&gateway, &product).await;
        step(&gateway).await;
        assert_eq!(delivery(&product, &payment_id).await["state"], "delivered", "{status}");
    }
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_is_tried_again() {
    let gateway = TestGateway::spawn_stepped().await;
    let stopped = Receiver::start().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &stopped.url).await;
    stopped.stop().await;
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;
    let waiting = delivery(&product, &payment_id).await;
    assert_eq!((&waiting["state"], &waiting["attempts"]), (&json!("pending"), &json!(1)));
    assert_eq!(waiting["log"][0]["status"], Value::Null);
    assert!(waiting["log"][0]["error"].is_string(), "{waiting}");

    let set = AppChange::SetWebhook(receiver.url.clone());
    gateway.server.gateway.change_app(&product.app_id, set).await.unwrap();
    gateway.advance(Duration::from_secs(6)).await;
    assert_eq!(receiver.names(), ["payment.succeeded"]);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let elsewhere = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    for status in [301, 302, 303, 307, 308] {
        let headers = vec![("location".to_owned(), elsewhere.url.clone())];
        receiver.answer_next(Reply { headers, ..Reply::status(status) });
        let payment_id = paid(&gateway, &product).await;
        step(&gateway).await;
        assert_eq!(delivery(&product, &payment_id).await["state"], "dead", "{status}");
    }
    assert_eq!(receiver.received().len(), 5);
    assert_eq!(elsewhere.received().len(), 0);
}

/// Whether the product's endpoint is disabled, and why.
async fn disabled_reason(gateway: &TestGateway, product: &Product) -> Option<String> {
    let (_, endpoints) = gateway.server.gateway.find_app(&product.app_id).await.unwrap();
    endpoints[0].disabled_reason.clone()
}

async fn set_webhook(gateway: &TestGateway, product: &Product, receiver: &Receiver) {
    let set = AppChange::SetWebhook(receiver.url.clone());
    gateway.server.gateway.change_app(&product.app_id, set).await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_is_gone_is_disabled_at_once_until_it_is_set_again() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply::status(410));
    let first = paid(&gateway, &product).await;
    step(&gateway).await;
    assert_eq!(receiver.received().len(), 1);
    assert!(disabled_reason(&gateway, &product).await.unwrap().contains("410"));
    assert_eq!(delivery(&product, &first).await["state"], "dead");
    let notice = event(&product, "type=endpoint.disabled").await;
    assert_eq!(notice["body"]["event"], "endpoint.disabled");
    assert_eq!(notice["body"]["event_id"], notice["event_id"]);
    assert!(notice["body"]["reason"].as_str().unwrap().contains("410"), "{notice}");

    let second = paid(&gateway, &product).await;
    gateway.advance(DAY).await;
    let dead = delivery(&product, &second).await;
    assert_eq!((&dead["state"], &dead["attempts"], &dead["log"]), (&json!("dead"), &json!(0), &json!([])));
    assert_eq!(receiver.received().len(), 1);

    set_webhook(&gateway, &product, &receiver).await;
    let event_id = event(&product, &format!("payment_id={second}")).await["event_id"].as_str().unwrap().to_owned();
    let answer = product.post(&format!("/v1/events/{event_id}/redeliver"), &json!({})).await.expect_status(202);
    assert_eq!(answer.json(), json!({ "event_id": event_id, "deliveries": 1 }));
    step(&gateway).await;
    assert_eq!(receiver.received().len(), 2);
    assert_eq!(receiver.received()[1].header("webhook-id"), event_id);
    assert_eq!(delivery(&product, &second).await["state"], "delivered");
    paid(&gateway, &product).await;
    step(&gateway).await;
    assert_eq!(receiver.received().len(), 3);
}

#[tokio::test]
async fn an_endpoint_with_five_days_of_nothing_but_failures_is_disabled_once() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply::status(500));
    let product = shop(&gateway, &receiver.url).await;
    paid(&gateway, &product).await;
    step(&gateway).await;
    for _ in 0..9 {
        paid(&gateway, &product).await;
        gateway.advance(DAY / 2).await;
    }
    gateway.advance(DAY / 2 - Duration::from_secs(60)).await;
    paid(&gateway, &product).await;
    step(&gateway).await;
    assert_eq!(disabled_reason(&gateway, &product).await, None, "disabled before five days were over");

    gateway.clock.advance(Duration::from_secs(61));
    paid(&gateway, &product).await;
    step(&gateway).await;
    assert!(disabled_reason(&gateway, &product).await.unwrap().contains("five days"));
    let notice = event(&product, "type=endpoint.disabled").await;
    assert!(notice["body"]["reason"].as_str().unwrap().contains("five days"), "{notice}");
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'"), 0);
    let count = receiver.received().len();
    paid(&gateway, &product).await;
    gateway.advance(2 * DAY).await;
    assert_eq!(receiver.received().len(), count);
    event(&product, "type=endpoint.disabled").await;
}

#[tokio::test]
async fn one_success_starts_the_five_days_afresh() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply::status(500));
    paid(&gateway, &product).await;
    step(&gateway).await;
    gateway.advance(4 * DAY).await;
    assert_eq!(receiver.received().len(), 2);
    receiver.answer_always(Reply::status(400));
    for _ in 0..4 {
        paid(&gateway, &product).await;
        gateway.advance(DAY).await;
    }
    assert_eq!(receiver.received().len(), 6);
    assert_eq!(disabled_reason(&gateway, &product).await, None);
}

#[tokio::test]
async fn a_success_beside_a_failure_is_not_forgotten() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    // Both are under way at once: one fails first, then the other succeeds.
    receiver.answer_next(Reply::status(400));
    receiver.answer_next(Reply { after: Duration::from_millis(300), ..Reply::status(204) });
    paid(&gateway, &product).await;
    paid(&gateway, &product).await;
    step(&gateway).await;
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'"), 1);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM deliveries WHERE state = 'dead'"), 1);

    gateway.clock.advance(5 * DAY);
    receiver.answer_next(Reply::status(500));
    paid(&gateway, &product).await;
    step(&gateway).await;
    assert_eq!(disabled_reason(&gateway, &product).await, None, "there was a success within the five days");
}

#[tokio::test]
async fn the_body_of_every_event_has_the_mode() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply::status(410));
    paid(&gateway, &product).await;
    step(&gateway).await;
    let page = product.get("/v1/events").await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
    for event in page["data"].as_array().unwrap() {
        assert_eq!(event["mode"], "test", "{event}");
        assert_eq!(event["body"]["mode"], "test", "{event}");
    }
}

#[tokio::test]
async fn every_delivery_has_the_mode() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;
    assert_eq!(delivery(&product, &payment_id).await["mode"], "test");
}

#[tokio::test]
async fn a_delivered_event_can_be_asked_for_again() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let stranger = shop(&gateway, &receiver.url).await;
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;
    let event_id = receiver.received()[0].header("webhook-id");
    let path = format!("/v1/events/{event_id}/redeliver");

    stranger.post(&path, &json!({})).await.expect_error(404, "EventNotFound");
    product
        .post("/v1/events/evt_00000000000000000000000000/redeliver", &json!({}))
        .await
        .expect_error(404, "EventNotFound");
    product.post_with_key(&path, &json!({}), "again").await.expect_status(202);
    let replay = product.post_with_key(&path, &json!({}), "again").await.expect_status(202);
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    gateway.advance(Duration::from_secs(1)).await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[1].header("webhook-id"), event_id);
    assert_eq!(received[1].body, received[0].body);
    let delivery = delivery(&product, &payment_id).await;
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(delivery["log"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn an_event_from_before_there_was_an_endpoint_can_be_asked_for() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = gateway.product(Mode::Test).await;
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;
    let event = event(&product, &format!("payment_id={payment_id}")).await;
    assert_eq!(event["deliveries"], json!([]));
    set_webhook(&gateway, &product, &receiver).await;
    let path = format!("/v1/events/{}/redeliver", event["event_id"].as_str().unwrap());
    product.post(&path, &json!({})).await.expect_status(202);
    step(&gateway).await;
    assert_eq!(receiver.names(), ["payment.succeeded"]);
}

#[tokio::test]
async fn what_was_given_up_since_a_moment_can_be_asked_for_together() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let other = shop(&gateway, &receiver.url).await;
    receiver.answer_always(Reply::status(400));
    let mut payments = Vec::new();
    for _ in 0..3 {
        payments.push(paid(&gateway, &product).await);
        step(&gateway).await;
        gateway.clock.advance(Duration::from_secs(3600));
    }
    paid(&gateway, &other).await;
    step(&gateway).await;
    assert_eq!(receiver.received().len(), 4);

    receiver.answer_always(Reply::status(204));
    let delivered = paid(&gateway, &product).await;
    step(&gateway).await;
    let since = gateway.clock.now().minus(Duration::from_secs(2 * 3600 + 60)).to_rfc3339();
    let answer = product.post("/v1/events/redeliver", &json!({ "since": since })).await.expect_status(202).json();
    assert_eq!(answer["deliveries"], 2);
    step(&gateway).await;
    let names: Vec<String> = receiver.received()[5..]
        .iter()
        .map(|delivered| delivered.json()["payment_id"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&payments[1]) && names.contains(&payments[2]), "{names:?}");
    assert_eq!(delivery(&product, &payments[0]).await["state"], "dead");
    assert_eq!(delivery(&product, &delivered).await["log"].as_array().unwrap().len(), 1);
    product.post("/v1/events/redeliver", &json!({})).await.expect_error(400, "ValidationError");
    product.post("/v1/events/redeliver", &json!({ "since": "noon" })).await.expect_error(400, "ValidationError");
}

#[tokio::test]
async fn an_event_that_failed_since_a_moment_is_asked_for_even_if_it_is_older() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply::status(500));
    receiver.answer_next(Reply::status(400));
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;
    gateway.clock.advance(Duration::from_secs(3600));
    let since = gateway.clock.now().minus(Duration::from_secs(60)).to_rfc3339();
    step(&gateway).await;
    assert_eq!(delivery(&product, &payment_id).await["state"], "dead");
    let answer = product.post("/v1/events/redeliver", &json!({ "since": since })).await.expect_status(202).json();
    assert_eq!(answer["deliveries"], 1, "it was given up after `since`");
}

#[tokio::test]
async fn the_first_attempts_of_a_payments_events_keep_their_order() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply { after: Duration::from_millis(200), ..Reply::status(500) });
    let payment_id = paid(&gateway, &product).await;
    let refund = json!({ "payment_id": payment_id, "amount_minor": 1 });
    product.post("/v1/refunds", &refund).await.expect_status(201);
    step(&gateway).await;
    assert_eq!(receiver.names(), ["payment.succeeded", "refund.succeeded"]);
    gateway.advance(Duration::from_secs(6)).await;
    assert_eq!(receiver.names(), ["payment.succeeded", "refund.succeeded", "payment.succeeded"]);
}

#[tokio::test]
async fn a_later_event_waits_while_the_first_attempt_of_an_earlier_one_is_under_way() {
    let gateway = TestGateway::spawn().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    receiver.answer_next(Reply { after: Duration::from_secs(3), ..Reply::status(500) });
    let payment_id = paid(&gateway, &product).await;
    receiver.wait_for(1).await;
    product.post("/v1/refunds", &json!({ "payment_id": payment_id })).await.expect_status(201);
    // Another payment's event is not held up meanwhile.
    let other = paid(&gateway, &product).await;
    let received = receiver.wait_for(2).await;
    assert_eq!(received[1].json()["payment_id"], other);
    throughout(Duration::from_millis(700), "the refund's event waits", || receiver.received().len() == 2).await;
    receiver.wait_for(3).await;
    assert_eq!(receiver.names(), ["payment.succeeded", "payment.succeeded", "refund.succeeded"]);
}

#[tokio::test]
async fn a_dead_endpoint_does_not_delay_another_apps_events() {
    let gateway = TestGateway::spawn().await;
    // The kernel takes the connections; nobody ever answers.
    let hole = TcpListener::bind("127.0.0.1:0").unwrap();
    let dead = shop(&gateway, &format!("http://{}/hook", hole.local_addr().unwrap())).await;
    let receiver = Receiver::start().await;
    let alive = shop(&gateway, &receiver.url).await;
    for _ in 0..50 {
        paid(&gateway, &dead).await;
    }
    let under_way = "SELECT COUNT(*) FROM deliveries WHERE lease IS NOT NULL";
    // An endpoint that has not answered yet gets four at once.
    eventually("deliveries hang", || async { gateway.database.number(under_way) == 4 }).await;

    for round in 1..=3 {
        let started = Instant::now();
        paid(&gateway, &alive).await;
        receiver.wait_for(round).await;
        assert!(started.elapsed() < Duration::from_secs(2), "it took {:?}", started.elapsed());
    }
    assert!(gateway.database.number(under_way) >= 4, "the dead endpoint's deliveries do not hang any more");
}

#[tokio::test]
async fn during_a_rotation_old_and_new_verifiers_both_accept_every_event() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let old = product.webhook_secret.clone();
    let issued = gateway.server.gateway.rotate_app(&product.app_id, DAY).await.unwrap();
    let new = issued.webhook_secret.expose().to_owned();
    assert_ne!(old, new);
    let next = async || {
        paid(&gateway, &product).await;
        step(&gateway).await;
        receiver.received().last().unwrap().clone()
    };
    let standard = |delivered: &Delivered, secret: &str| {
        let timestamp = timestamp_of(delivered);
        standard_webhook_signature(secret, &delivered.header("webhook-id"), timestamp, &delivered.body)
    };

    let during = next().await;
    assert_signed_with(&during, &old);
    let mut expected = [standard(&during, &old), standard(&during, &new)];
    expected.sort();
    let header = during.header("webhook-signature");
    let mut both: Vec<&str> = header.split(' ').collect();
    both.sort_unstable();
    assert_eq!(both, expected);

    gateway.advance(DAY - Duration::from_secs(1)).await;
    assert_signed_with(&next().await, &old);
    gateway.advance(Duration::from_secs(1)).await;
    // The app's own secret was rotated with it, so from here the product signs with the new one.
    let product = Product { secret: issued.secret.expose().to_owned(), ..product.clone() };
    paid(&gateway, &product).await;
    step(&gateway).await;
    let after = receiver.received().last().unwrap().clone();
    assert_signed_with(&after, &new);
    assert_eq!(after.header("webhook-signature"), standard(&after, &new));
}

#[tokio::test]
async fn finishing_a_rotation_ends_the_old_secret_at_once() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let issued = gateway.server.gateway.rotate_app(&product.app_id, DAY).await.unwrap();
    let new = issued.webhook_secret.expose();
    gateway.server.gateway.change_app(&product.app_id, AppChange::FinishRotation).await.unwrap();
    let product = Product { secret: issued.secret.expose().to_owned(), ..product.clone() };
    paid(&gateway, &product).await;
    step(&gateway).await;
    let delivered = receiver.received()[0].clone();
    assert_signed_with(&delivered, new);
    assert_eq!(delivered.header("webhook-signature").split(' ').count(), 1);
}

/// A listener that counts who connects to it, and hangs up.
struct Canary {
    port: u16,
    visits: Arc<AtomicUsize>,
}

impl Canary {
    fn start() -> Self {
        let on_ipv4 = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = on_ipv4.local_addr().unwrap().port();
        let visits = Arc::new(AtomicUsize::new(0));
        let on_ipv6 = TcpListener::bind(("::1", port)).ok();
        for listener in [Some(on_ipv4), on_ipv6].into_iter().flatten() {
            let visits = Arc::clone(&visits);
            std::thread::spawn(move || {
                for _ in listener.incoming() {
                    visits.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, visits }
    }

    fn visits(&self) -> usize {
        self.visits.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn an_event_never_goes_to_this_machine_however_its_address_is_written() {
    let gateway = TestGateway::spawn_with(Clock::manual(Clock::system().now()), false, |settings| {
        settings.webhooks_allow_private = false;
    })
    .await;
    let canary = Canary::start();
    for host in [
        "127.0.0.1",
        "127.0.0.1.",
        "localhost",
        "LOCALHOST",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0177.0.0.1",
        "017700000001",
        "0.0.0.0",
        "0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[0:0:0:0:0:0:0:1]",
        "[::127.0.0.1]",
        "１２７.０.０.１",
        "127%2e0%2e0%2e1",
    ] {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{}/hook", canary.port);
            let product = shop(&gateway, &url).await;
            let payment_id = paid(&gateway, &product).await;
            step(&gateway).await;
            let dead = delivery(&product, &payment_id).await;
            assert_eq!((&dead["state"], &dead["attempts"]), (&json!("dead"), &json!(1)), "{url}");
            assert!(dead["log"][0]["error"].as_str().unwrap().contains("loopback"), "{url}: {dead}");
            assert_eq!(dead["log"][0]["status"], Value::Null);
        }
    }
    assert_eq!(canary.visits(), 0);
}

#[tokio::test]
async fn a_live_apps_events_never_go_to_this_machine_even_where_that_is_allowed() {
    let gateway = TestGateway::spawn_stepped().await;
    assert!(gateway.server.gateway.settings().webhooks_allow_private);
    let canary = Canary::start();
    for host in ["localhost", "127.0.0.1", "[::1]", "0x7f.1"] {
        let url = format!("https://{host}:{}/hook", canary.port);
        let live = gateway.product_with(Mode::Live, |options| options.webhook_url = Some(url.clone())).await;
        let payment = live.created(json!({})).await;
        let path = format!("/v1/payments/{}/cancel", payment["payment_id"].as_str().unwrap());
        live.post(&path, &json!({})).await.expect_status(200);
        step(&gateway).await;
        let event = event(&live, "type=payment.canceled").await;
        assert_eq!(event["deliveries"][0]["state"], "dead", "{host}");
        assert_eq!(event["deliveries"][0]["log"].as_array().unwrap().len(), 1);
    }
    assert_eq!(canary.visits(), 0);

    let product = shop(&gateway, &format!("http://127.0.0.1:{}/hook", canary.port)).await;
    paid(&gateway, &product).await;
    step(&gateway).await;
    eventually("the canary sings where it may be called", || async { canary.visits() > 0 }).await;
}

#[tokio::test]
async fn events_are_listed_newest_first_filtered_and_in_pages() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let stranger = gateway.product(Mode::Test).await;
    let mut payments = Vec::new();
    for _ in 0..5 {
        payments.push(paid(&gateway, &product).await);
        gateway.advance(Duration::from_secs(1)).await;
    }
    product.post("/v1/refunds", &json!({ "payment_id": payments[2] })).await.expect_status(201);
    paid(&gateway, &stranger).await;
    step(&gateway).await;

    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|event| event["payment_id"].as_str().unwrap().to_owned()).collect()
    };
    let all = product.get("/v1/events").await.expect_status(200).json();
    let newest_first = [2, 4, 3, 2, 1, 0].map(|index: usize| payments[index].clone());
    assert_eq!(ids(&all), newest_first);
    assert_eq!(all["next_cursor"], Value::Null);
    assert_eq!(all["data"][0]["event"], "refund.succeeded");

    let mut paged = Vec::new();
    let mut cursor = String::new();
    for size in [2, 2, 2] {
        let page = product.get(&format!("/v1/events?limit=2&cursor={cursor}")).await.expect_status(200).json();
        assert_eq!(ids(&page).len(), size);
        paged.extend(ids(&page));
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(paged, newest_first);
    assert_eq!(cursor, "");

    let refunds = product.get("/v1/events?type=refund.succeeded").await.json();
    assert_eq!(ids(&refunds), [payments[2].clone()]);
    let of_one = product.get(&format!("/v1/events?payment_id={}", payments[2])).await.json();
    assert_eq!(ids(&of_one).len(), 2);
    let none = product.get(&format!("/v1/events?type=payment.failed&payment_id={}", payments[2])).await.json();
    assert_eq!(none, json!({ "data": [], "next_cursor": null }));
    product.get("/v1/events?limit=0").await.expect_error(400, "ValidationError");
    product.get("/v1/events?limit=101").await.expect_error(400, "ValidationError");
    product.get("/v1/events?kind=x").await.expect_error(400, "ValidationError");
}

#[tokio::test]
async fn an_event_shows_each_attempt_to_deliver_it_and_only_to_its_own_app() {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = shop(&gateway, &receiver.url).await;
    let stranger = gateway.product(Mode::Test).await;
    receiver.answer_next(Reply::status(502));
    let payment_id = paid(&gateway, &product).await;
    step(&gateway).await;
    gateway.advance(Duration::from_secs(6)).await;

    let event = event(&product, &format!("payment_id={payment_id}")).await;
    assert_eq!(event["event"], "payment.succeeded");
    assert_eq!(event["body"], receiver.received()[0].json());
    let delivery = &event["deliveries"][0];
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(delivery["attempts"], 2);
    let statuses: Vec<&Value> = delivery["log"].as_array().unwrap().iter().map(|entry| &entry["status"]).collect();
    assert_eq!(statuses, [502, 204]);
    let path = format!("/v1/events/{}", event["event_id"].as_str().unwrap());
    stranger.get(&path).await.expect_error(404, "EventNotFound");
    product.get("/v1/events/evt_nothing").await.expect_error(404, "EventNotFound");
}
