//! Writes: accepted at once, verified in turn, read by key, told of by an event.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::serve::{Options, start};

use crate::api_keys::made_key;
use crate::person::Person;
use crate::support::{Answer, Receiver, TestGateway, eventually};

pub const WRITES: &str = "/api/v1/writes";

/// A machine with a key.
#[derive(Clone)]
pub struct Machine {
    pub base_url: String,
    pub key: String,
    pub client: reqwest::Client,
}

impl Machine {
    pub async fn of(person: &Person, changes: Value) -> Self {
        let key = made_key(person, changes).await["fullKey"].as_str().unwrap().to_owned();
        Self { base_url: person.base_url.clone(), key, client: reqwest::Client::new() }
    }

    /// The answer, unless the server is gone.
    pub async fn try_post(&self, body: String, idempotency_key: Option<&str>) -> Option<Answer> {
        let mut request = self.client.post(format!("{}{WRITES}", self.base_url)).header("X-Api-Key", &self.key);
        if let Some(key) = idempotency_key {
            request = request.header("Idempotency-Key", key);
        }
        let response = request.header("Content-Type", "application/json").body(body).send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Answer { status, headers, text: response.text().await.ok()? })
    }

    pub async fn post(&self, items: Value) -> Answer {
        self.try_post(json!({ "items": items }).to_string(), None).await.unwrap()
    }

    /// Accepted: the request's id.
    pub async fn written(&self, items: Value) -> String {
        data(&self.post(items).await.expect_status(202))["requestId"].as_str().unwrap().to_owned()
    }

    pub async fn get(&self, path: &str) -> Answer {
        let request = self.client.get(format!("{}{path}", self.base_url)).header("X-Api-Key", &self.key);
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn request(&self, request_id: &str) -> Value {
        data(&self.get(&format!("{WRITES}/{request_id}")).await.expect_status(200))
    }

    pub async fn bucket(&self, key: &str) -> Value {
        data(&self.get(&format!("/api/v1/reads/bucket/{key}")).await.expect_status(200))
    }
}

fn data(answer: &Answer) -> Value {
    let body = answer.json();
    assert_eq!((&body["success"], &body["statusCode"]), (&json!(true), &json!(answer.status)), "{body}");
    body["data"].clone()
}

async fn gateway_ann_and_machine() -> (TestGateway, Person, Machine) {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let machine = Machine::of(&ann, json!({})).await;
    (gateway, ann, machine)
}

fn item(key: &str, account_id: &str, bits: i64) -> Value {
    json!({ "key": key, "accountId": account_id, "bits": bits })
}

/// The status and error of each item.
fn outcomes(request: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    request["items"].as_array().unwrap().iter().map(|item| (text(&item["status"]), text(&item["error"]))).collect()
}

#[actix_web::test]
async fn a_write_is_queued_then_verified_told_of_and_read() {
    let (gateway, ann, machine) = gateway_ann_and_machine().await;
    let receiver = Receiver::start().await;
    assert_eq!(ann.post("/dashboard/webhooks", json!({ "url": &receiver.url })).await.0, 201);
    let body = r#"{"items":[
        {"key":"order-12345","accountId":"customer-001","bits":1,"metadata":{"amount":250.00,"currency":"USD"}},
        {"key":"order-12346","accountId":"customer-002","bits":-3}]}"#;
    let accepted = data(&machine.try_post(body.to_owned(), None).await.unwrap().expect_status(202));
    assert_eq!((&accepted["itemCount"], &accepted["status"]), (&json!(2), &json!("queued")));
    assert!(accepted["message"].is_string());
    let request_id = accepted["requestId"].as_str().unwrap();
    let queued = machine.request(request_id).await;
    assert_eq!((&queued["status"], &queued["verifiedAt"]), (&json!("queued"), &Value::Null));
    assert_eq!(outcomes(&queued), [("queued".to_owned(), String::new()), ("queued".to_owned(), String::new())]);
    machine.get("/api/v1/reads/bucket/order-12345").await.expect_error(404, "NotFound");

    gateway.step().await;
    let verified = machine.request(request_id).await;
    assert_eq!((&verified["status"], &verified["failedCount"]), (&json!("verified"), &json!(0)));
    assert_eq!(
        verified["items"][1],
        json!({ "index": 1, "key": "order-12346", "accountId": "customer-002", "bits": -3,
        "status": "verified", "error": null })
    );
    let read = machine.get("/api/v1/reads/bucket/order-12345").await.expect_status(200);
    // To the digit.
    assert!(read.text.contains(r#""metadata":{"amount":250.00,"currency":"USD"}"#), "{}", read.text);
    let bucket = data(&read);
    assert_eq!(
        [&bucket["key"], &bucket["accountId"], &bucket["currentBits"], &bucket["totalWrites"], &bucket["verified"]],
        [&json!("order-12345"), &json!("customer-001"), &json!(1), &json!(1), &json!(true)]
    );
    assert_eq!(bucket["lastWriteAt"], verified["verifiedAt"]);

    assert_eq!(receiver.names(), ["verification.completed"]);
    let event = receiver.received()[0].json();
    assert_eq!((&event["mode"], &event["data"]), (&json!("test"), &verified));
    assert!(event["id"].is_string() && event["tenantId"].is_string() && event["timestamp"].is_i64());
    // What machines post has rows of its own; the audit log is of what people change.
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM audit_entries WHERE actor LIKE 'key_%'"), 0);
    // They count towards no plan.
    assert_eq!(gateway.database.number("SELECT COALESCE(SUM(used), 0) FROM usage_counters"), 0);
}

#[actix_web::test]
async fn writes_to_one_key_add_up_in_order() {
    let (gateway, _ann, machine) = gateway_ann_and_machine().await;
    machine.written(json!([item("a/b c", "x", 5), item("a/b c", "x", -2), item("other", "x", 9)])).await;
    let mut last = item("a/b c", "x", 10);
    last["metadata"] = json!({ "n": 1 });
    machine.written(json!([last])).await;
    gateway.step().await;
    let bucket = machine.bucket("a%2Fb%20c").await;
    assert_eq!((&bucket["currentBits"], &bucket["totalWrites"]), (&json!(13), &json!(3)));
    assert_eq!(bucket["metadata"], json!({ "n": 1 }));
    // The metadata is the latest write's, and it had none.
    gateway.clock.advance(Duration::from_secs(1));
    machine.written(json!([item("a/b c", "x", 0)])).await;
    gateway.step().await;
    let later = machine.bucket("a%2Fb%20c").await;
    assert_eq!(
        (&later["currentBits"], &later["totalWrites"], &later["metadata"]),
        (&json!(13), &json!(4), &Value::Null)
    );
    assert_ne!(later["lastWriteAt"], bucket["lastWriteAt"]);
    for key in ["nothing", "%00", "a%2Fb"] {
        machine.get(&format!("/api/v1/reads/bucket/{key}")).await.expect_error(404, "NotFound");
    }
}

#[actix_web::test]
async fn an_item_that_cannot_be_verified_fails_alone_and_says_why() {
    let (gateway, ann, machine) = gateway_ann_and_machine().await;
    let receiver = Receiver::start().await;
    assert_eq!(ann.post("/dashboard/webhooks", json!({ "url": &receiver.url })).await.0, 201);
    let request_id = machine
        .written(json!([
            item("big", "x", i64::MAX),
            item("big", "x", 1),
            item("big", "y", -1),
            item("big", "x", -7),
            item("small", "y", i64::MIN),
        ]))
        .await;
    gateway.step().await;
    let request = machine.request(&request_id).await;
    assert_eq!((&request["status"], &request["failedCount"]), (&json!("failed"), &json!(2)));
    let outcomes = outcomes(&request);
    let statuses: Vec<&str> = outcomes.iter().map(|(status, _)| status.as_str()).collect();
    assert_eq!(statuses, ["verified", "failed", "failed", "verified", "verified"]);
    assert!(outcomes[1].1.contains("64 bits") && outcomes[2].1.contains("another account"), "{outcomes:?}");
    assert_eq!(machine.bucket("big").await["currentBits"], json!(i64::MAX - 7));
    assert_eq!(machine.bucket("big").await["totalWrites"], 2);
    assert_eq!(machine.bucket("small").await["currentBits"], json!(i64::MIN));
    assert_eq!(receiver.names(), ["verification.failed"]);
    assert_eq!(receiver.received()[0].json()["data"], request);
}

#[actix_web::test]
async fn a_write_that_is_not_as_it_must_be_is_refused_whole() {
    let (gateway, _ann, machine) = gateway_ann_and_machine().await;
    let bad = json!([
        { "key": "", "accountId": "x", "bits": 1.5 },
        { "key": "a\n", "accountId": "x", "bits": "1" },
        { "key": ".", "bits": null, "extra": 1, "metadata": [] },
        { "key": "k".repeat(257), "accountId": "x".repeat(129), "bits": 1e3 },
        { "key": "a", "accountId": "x", "bits": 1, "metadata": { "m": "x".repeat(8200) } },
    ]);
    let messages = machine.post(bad).await.expect_error(400, "ValidationError").messages();
    for path in [
        "items[0].key: ",
        "items[0].bits: ",
        "items[1].key: ",
        "items[1].bits: ",
        "items[2].accountId: missing",
        "items[2].bits: missing",
        "items[2].key: ",
        "items[2].extra: ",
        "items[2].metadata: ",
        "items[3].key: ",
        "items[3].accountId: ",
        "items[3].bits: ",
        "items[4].metadata: ",
    ] {
        assert!(messages.iter().any(|message| message.starts_with(path)), "{path}: {messages:?}");
    }
    for body in [
        "",
        "{}",
        "[]",
        r#"{"items":[]}"#,
        r#"{"items":[],"more":1}"#,
        r#"{"items":[{"key":"a","accountId":"x","bits":9223372036854775808}]}"#,
    ] {
        machine.try_post(body.to_owned(), None).await.unwrap().expect_error(400, "ValidationError");
    }
    let many = |count: usize| json!(vec![item("a", "x", 1); count]);
    machine.post(many(1001)).await.expect_error(400, "ValidationError");
    let huge = format!(r#"{{"items":[],"pad":"{}"}}"#, "x".repeat(12 * 1024 * 1024));
    machine.try_post(huge, None).await.unwrap().expect_error(413, "BodyTooLarge");
    let text = machine.client.post(format!("{}{WRITES}", machine.base_url)).header("X-Api-Key", &machine.key);
    let text = text.header("Content-Type", "text/plain").body("{}").send().await.unwrap();
    Answer::of(text).await.expect_error(415, "UnsupportedMediaType");
    for unknown in ["req_1", "evt_01k7v3m2q8d4r5s6t7v8w9x0yz", "req_01k7v3m2q8d4r5s6t7v8w9x0yz"] {
        machine.get(&format!("{WRITES}/{unknown}")).await.expect_error(404, "NotFound");
    }
    assert_eq!(gateway.count("write_requests"), 0);

    machine.post(many(1000)).await.expect_status(202);
    gateway.step().await;
    assert_eq!(machine.bucket("a").await["currentBits"], 1000);
    // The largest that is allowed: a thousand items with all their metadata.
    let metadata = json!({ "m": "é".repeat(4000) });
    let large: Vec<Value> = (0..1000)
        .map(|number| json!({ "key": format!("large-{number}"), "accountId": "x", "bits": 1, "metadata": metadata }))
        .collect();
    machine.post(json!(large)).await.expect_status(202);
    gateway.step().await;
    assert_eq!(machine.bucket("large-999").await["metadata"], metadata);
}

#[actix_web::test]
async fn the_same_write_with_the_same_idempotency_key_is_written_once() {
    let (gateway, ann, machine) = gateway_ann_and_machine().await;
    let body = json!({ "items": [item("a", "x", 1)] }).to_string();
    let first = machine.try_post(body.clone(), Some("one")).await.unwrap().expect_status(202);
    assert_eq!(first.header("idempotent-replayed"), None);
    let again = machine.try_post(body.clone(), Some("one")).await.unwrap().expect_status(202);
    assert_eq!((again.header("idempotent-replayed"), &again.text), (Some("true"), &first.text));
    let other = json!({ "items": [item("a", "x", 2)] }).to_string();
    machine.try_post(other, Some("one")).await.unwrap().expect_error(409, "IdempotencyConflict");
    machine.try_post(body.clone(), Some("")).await.unwrap().expect_error(400, "ValidationError");
    // Another mode's and another tenant's keys are others.
    let in_sandbox = Machine::of(&ann.in_mode("sandbox").await, json!({ "environment": "sandbox" })).await;
    let bob = Machine::of(&Person::registered(&gateway, "bob@example.com").await, json!({})).await;
    for other in [&in_sandbox, &bob] {
        let answer = other.try_post(body.clone(), Some("one")).await.unwrap().expect_status(202);
        assert_eq!(answer.header("idempotent-replayed"), None);
    }
    machine.try_post(body.clone(), None).await.unwrap().expect_status(202);
    machine.try_post(body, None).await.unwrap().expect_status(202);
    gateway.step().await;
    assert_eq!(machine.bucket("a").await["currentBits"], 3);
    assert_eq!(bob.bucket("a").await["currentBits"], 1);
}

#[actix_web::test]
async fn a_full_line_says_when_to_come_again_and_stands_in_nobody_elses_way() {
    let gateway = TestGateway::spawn_with(Clock::manual(Clock::system().now()), false, |settings| {
        settings.writes_queue_limit = 5
    })
    .await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let machine = Machine::of(&ann, json!({})).await;
    let in_sandbox = Machine::of(&ann.in_mode("sandbox").await, json!({ "environment": "sandbox" })).await;
    let items = |count: usize| json!(vec![item("a", "x", 1); count]);
    machine.post(items(6)).await.expect_error(429, "RateLimited");
    machine.post(items(3)).await.expect_status(202);
    let body = json!({ "items": items(3) }).to_string();
    let refused = machine.try_post(body.clone(), Some("later")).await.unwrap().expect_error(429, "RateLimited");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert!(refused.detail().contains('5'));
    machine.post(items(2)).await.expect_status(202);
    machine.post(items(1)).await.expect_error(429, "RateLimited");
    in_sandbox.post(items(5)).await.expect_status(202);
    gateway.step().await;
    // What was refused was not done, and its key is free.
    assert_eq!(machine.bucket("a").await["currentBits"], 5);
    let taken = machine.try_post(body, Some("later")).await.unwrap().expect_status(202);
    assert_eq!(taken.header("idempotent-replayed"), None);
    gateway.step().await;
    assert_eq!(machine.bucket("a").await["currentBits"], 8);
    assert_eq!(gateway.database.number("SELECT SUM(pending) FROM write_lines"), 0);
}

#[actix_web::test]
async fn who_may_not_write_is_refused_whatever_the_body_says() {
    let (gateway, ann, _) = gateway_ann_and_machine().await;
    let reader = Machine::of(&ann, json!({ "scopes": ["writes:read"] })).await;
    let writer = Machine::of(&ann, json!({ "scopes": ["writes:write"] })).await;
    reader.try_post("nonsense".to_owned(), None).await.unwrap().expect_error(403, "InsufficientScope");
    let request_id = writer.written(json!([item("a", "x", 1)])).await;
    gateway.step().await;
    writer.get(&format!("{WRITES}/{request_id}")).await.expect_error(403, "InsufficientScope");
    writer.get("/api/v1/reads/bucket/a").await.expect_error(403, "InsufficientScope");
    assert_eq!(reader.request(&request_id).await["status"], "verified");
    assert_eq!(reader.bucket("a").await["currentBits"], 1);
    // A body of ten megabytes that no one may send is not waited for.
    let stranger = Machine { key: "pk_test_a.b".to_owned(), ..writer };
    stranger.try_post("x".repeat(100), None).await.unwrap().expect_error(401, "InvalidApiKey");
}

#[actix_web::test]
async fn many_writers_at_two_processes_add_up_exactly_and_in_order() {
    let gateway = TestGateway::spawn().await;
    let other = start(gateway.database.settings(), Options::default()).await.unwrap();
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let machine = Machine::of(&ann, json!({})).await;
    let elsewhere = Machine { base_url: other.url(), ..machine.clone() };
    eventually("the other process knows the key", || async { elsewhere.get("/api/v1/whoami").await.status == 200 })
        .await;
    let write = async |number: i64| {
        let machine = if number % 2 == 0 { &machine } else { &elsewhere };
        for round in 0..5 {
            machine.written(json!([item("sum", "x", number), item(&format!("own-{number}"), "x", round)])).await;
        }
    };
    join_all((0..32).map(write)).await;
    eventually("everything is verified", || async {
        gateway.database.number("SELECT SUM(pending) FROM write_lines") == 0
    })
    .await;
    let sum = machine.bucket("sum").await;
    assert_eq!((&sum["currentBits"], &sum["totalWrites"]), (&json!(5 * (31 * 32 / 2)), &json!(160)));
    assert_eq!(machine.bucket("own-7").await["totalWrites"], 5);
    let places = "SELECT COUNT(*) FROM (SELECT 1 FROM write_requests GROUP BY tenant_id, mode
                  HAVING COUNT(*) = MAX(sequence) AND MIN(sequence) = 1 AND COUNT(DISTINCT sequence) = COUNT(*)) x";
    assert_eq!(gateway.database.number(places), 1);
    // In turn: nothing was verified after what came behind it.
    let overtaken = "SELECT COUNT(*) FROM write_requests a JOIN write_requests b ON a.sequence < b.sequence
                     WHERE a.verified_at > b.verified_at AND a.tenant_id = b.tenant_id";
    assert_eq!(gateway.database.number(overtaken), 0);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM events WHERE event_type = 'verification.completed'"), 160);
    other.stop().await;
}
