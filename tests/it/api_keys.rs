//! API keys: made and looked after by people, brought by machines.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::serve::{Options, start};

use crate::person::Person;
use crate::support::{Answer, TestGateway, eventually_within};

const KEYS: &str = "/dashboard/api-keys";

/// What a machine gets at `/api/v1/whoami` of a server with `key`.
pub async fn who_at(base_url: &str, key: &str) -> Answer {
    let request = reqwest::Client::new().get(format!("{base_url}/api/v1/whoami")).header("X-Api-Key", key);
    Answer::of(request.send().await.unwrap()).await
}

async fn who(gateway: &TestGateway, key: &str) -> Answer {
    who_at(&gateway.server.url(), key).await
}

/// A key that `person` makes, as it is shown once.
pub async fn made_key(person: &Person, changes: Value) -> Value {
    let mut body = json!({ "name": "ledger" });
    for (name, value) in changes.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    let (status, answer) = person.post(KEYS, body).await;
    assert_eq!(status, 201, "{answer}");
    answer["data"].clone()
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}"))
}

fn path_of(key: &Value) -> String {
    format!("{KEYS}/{}", text(key, "id"))
}

async fn gateway_and_ann() -> (TestGateway, Person) {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    (gateway, ann)
}

#[actix_web::test]
async fn a_key_is_shown_whole_once_and_works_at_once() {
    let (gateway, ann) = gateway_and_ann().await;
    let (status, answer) = ann.post(KEYS, json!({ "name": "ledger" })).await;
    assert_eq!((status, &answer["success"], &answer["statusCode"]), (201, &json!(true), &json!(201)));
    let key = &answer["data"];
    assert_eq!(
        (&key["environment"], &key["testMode"], &key["keyPrefix"], &key["active"], &key["scopes"]),
        (&json!("test"), &json!(true), &json!("pk_test_"), &json!(true), &json!(["*"]))
    );
    assert!(text(key, "publicKey").starts_with("pk_test_"));
    assert_eq!(text(key, "fullKey"), format!("{}.{}", text(key, "publicKey"), text(key, "secretKey")));
    assert!(text(key, "createdAt").ends_with('Z'));

    let me = who(&gateway, text(key, "fullKey")).await.expect_status(200).json();
    assert_eq!((&me["data"]["mode"], &me["data"]["testMode"]), (&json!("test"), &json!(true)));
    assert_eq!((&me["data"]["kind"], &me["data"]["id"]), (&json!("key"), &key["id"]));

    for path in [KEYS.to_owned(), path_of(key)] {
        let shown = ann.get(&path).await.1.to_string();
        assert!(shown.contains(text(key, "publicKey")) && !shown.contains(text(key, "secretKey")), "{shown}");
    }
    let stored = gateway.database.number(&format!(
        "SELECT COUNT(*) FROM api_keys WHERE secret_hash = '{0}' OR public_key LIKE '%{0}%'",
        text(key, "secretKey")
    ));
    assert_eq!(stored, 0, "the secret is stored");
    let told = gateway.database.number(&format!(
        "SELECT COUNT(*) FROM audit_entries WHERE action = 'api_key.created' AND subject = '{}' AND mode = 'test'
         AND after NOT LIKE '%{}%'",
        text(key, "id"),
        text(key, "secretKey")
    ));
    assert_eq!(told, 1);
}

#[actix_web::test]
async fn a_key_that_is_wrong_is_refused_and_nothing_is_told() {
    let (gateway, ann) = gateway_and_ann().await;
    let key = made_key(&ann, json!({})).await;
    for malformed in ["nonsense", "pk_test_abc", "pk_prod_abc.def", "pk_test_.x", "pk_test_a.b.c", "sk_test_a.b"] {
        who(&gateway, malformed).await.expect_error(401, "InvalidApiKeyFormat");
    }
    let public = text(&key, "publicKey");
    let secret = text(&key, "secretKey");
    let wrong = who(&gateway, &format!("{public}.{}", "0".repeat(64))).await.expect_error(401, "InvalidApiKey");
    let unknown = format!("pk_test_{}.{secret}", "0".repeat(24));
    let unknown = who(&gateway, &unknown).await.expect_error(401, "InvalidApiKey");
    assert_eq!(wrong.without_request_id(), unknown.without_request_id());
    let moved = text(&key, "fullKey").replace("pk_test_", "pk_sandbox_");
    who(&gateway, &moved).await.expect_error(401, "InvalidApiKey");
    gateway.fetch("/api/v1/whoami").await.expect_error(401, "AuthenticationRequired");

    // A token does too, and a key that was sent is what counts.
    let url = gateway.url("/api/v1/whoami");
    let client = reqwest::Client::new();
    let with_token = client.get(&url).bearer_auth(&ann.token).header("X-Whatever", "ignored").send().await.unwrap();
    assert_eq!(Answer::of(with_token).await.expect_status(200).json()["data"]["kind"], "member");
    let with_both = client.get(&url).bearer_auth(&ann.token).header("x-api-key", "nonsense").send().await.unwrap();
    Answer::of(with_both).await.expect_error(401, "InvalidApiKeyFormat");
    let twice = client.get(&url).header("x-api-key", text(&key, "fullKey")).header("x-api-key", "nonsense");
    Answer::of(twice.send().await.unwrap()).await.expect_error(401, "InvalidApiKeyFormat");
    // What a key is for does not include keys, nor what is about a person.
    for path in [KEYS, "/dashboard/auth/me"] {
        let request = client.get(gateway.url(path)).header("x-api-key", text(&key, "fullKey"));
        Answer::of(request.send().await.unwrap()).await.expect_error(401, "AuthenticationRequired");
    }
}

#[actix_web::test]
async fn one_answer_names_every_fault_of_a_key() {
    let (_gateway, ann) = gateway_and_ann().await;
    let body =
        json!({ "name": "", "environment": "production", "scopes": ["balance:read", "money:print"], "mode": "live" });
    let (status, answer) = ann.post(KEYS, body).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ValidationError")));
    let messages = answer["message"].to_string();
    for field in ["name: ", "environment: ", "scopes: ", "mode: "] {
        assert!(messages.contains(field), "{field} is not in {messages}");
    }
    for scopes in [json!([]), json!("*"), json!(["*", "*"]), json!([1])] {
        assert_eq!(ann.post(KEYS, json!({ "name": "x", "scopes": scopes })).await.0, 400);
    }
    let key = made_key(&ann, json!({ "scopes": ["balance:read", "webhooks:write"] })).await;
    assert_eq!(key["scopes"], json!(["balance:read", "webhooks:write"]));
    for (path, body) in [("/rotate", json!({ "overlapSeconds": -1 })), ("/rotate", json!({ "overlap": 1 }))] {
        assert_eq!(ann.post(&format!("{}{path}", path_of(&key)), body).await.0, 400);
    }
    for body in [json!({ "requestsPerMinute": 0 }), json!({ "active": "no" }), json!({ "scopes": ["*"] })] {
        assert_eq!(ann.call("PATCH", &path_of(&key), Some(body)).await.0, 400);
    }
}

#[actix_web::test]
async fn a_rotated_key_works_under_both_secrets_until_the_overlap_is_over() {
    let (gateway, ann) = gateway_and_ann().await;
    let old = made_key(&ann, json!({})).await;
    let rotate = format!("{}/rotate", path_of(&old));
    let (status, answer) = ann.post(&rotate, json!({ "overlapSeconds": 600 })).await;
    assert_eq!(status, 200);
    let new = &answer["data"];
    assert_eq!((&new["id"], &new["publicKey"]), (&old["id"], &old["publicKey"]));
    assert_ne!(new["secretKey"], old["secretKey"]);
    for key in [&old, new] {
        who(&gateway, text(key, "fullKey")).await.expect_status(200);
    }
    gateway.clock.advance(Duration::from_secs(600));
    who(&gateway, text(&old, "fullKey")).await.expect_error(401, "InvalidApiKey");
    who(&gateway, text(new, "fullKey")).await.expect_status(200);

    // A day, where nothing is said.
    let (_, answer) = ann.post(&rotate, json!({})).await;
    who(&gateway, text(new, "fullKey")).await.expect_status(200);
    gateway.clock.advance(Duration::from_secs(3000));
    let ann = Person::signed_in(&gateway, &ann.email).await;
    // None at all.
    let (_, last) = ann.post(&rotate, json!({ "overlapSeconds": 0 })).await;
    who(&gateway, text(&last["data"], "fullKey")).await.expect_status(200);
    who(&gateway, text(&answer["data"], "fullKey")).await.expect_error(401, "InvalidApiKey");
}

#[actix_web::test]
async fn a_key_is_switched_off_and_on_and_deleted_for_good() {
    let (gateway, ann) = gateway_and_ann().await;
    let key = made_key(&ann, json!({})).await;
    let full = text(&key, "fullKey");
    let (status, off) = ann.call("PATCH", &path_of(&key), Some(json!({ "active": false, "name": "old ledger" }))).await;
    assert_eq!((status, &off["data"]["active"], &off["data"]["name"]), (200, &json!(false), &json!("old ledger")));
    who(&gateway, full).await.expect_error(401, "InvalidApiKey");
    assert_eq!(ann.call("PATCH", &path_of(&key), Some(json!({ "active": true }))).await.0, 200);
    who(&gateway, full).await.expect_status(200);
    assert_eq!(ann.call("DELETE", &path_of(&key), None).await.0, 200);
    who(&gateway, full).await.expect_error(401, "InvalidApiKey");
    for (method, body) in [("GET", None), ("DELETE", None), ("PATCH", Some(json!({ "active": true })))] {
        assert_eq!(ann.call(method, &path_of(&key), body).await.0, 404);
    }
    assert_eq!(ann.get(KEYS).await.1["data"], json!([]));
    // The clock stands, so that they have no order.
    let told =
        format!("SELECT action AS text FROM audit_entries WHERE subject = '{}' ORDER BY action", text(&key, "id"));
    let actions = gateway.database.texts(&told);
    assert_eq!(actions, ["api_key.changed", "api_key.changed", "api_key.created", "api_key.deleted"]);
}

#[actix_web::test]
async fn keys_of_other_modes_and_tenants_are_not_there() {
    let (gateway, ann) = gateway_and_ann().await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let in_test = made_key(&ann, json!({})).await;
    let in_sandbox = made_key(&ann, json!({ "environment": "sandbox" })).await;
    assert_eq!((&in_sandbox["keyPrefix"], &in_sandbox["testMode"]), (&json!("pk_sandbox_"), &json!(true)));
    let me = who(&gateway, text(&in_sandbox, "fullKey")).await.expect_status(200).json();
    assert_eq!(me["data"]["mode"], "sandbox");
    let ann_in_sandbox = ann.in_mode("sandbox").await;
    for (person, own, foreign) in [(&ann, &in_test, &in_sandbox), (&ann_in_sandbox, &in_sandbox, &in_test)] {
        let listed = person.get(KEYS).await.1["data"].clone();
        assert_eq!(listed.as_array().unwrap().iter().map(|key| &key["id"]).collect::<Vec<_>>(), [&own["id"]]);
        assert_eq!(person.get(&path_of(own)).await.0, 200);
        assert_eq!(person.get(&path_of(foreign)).await.0, 404);
    }
    assert_eq!(bob.get(KEYS).await.1["data"], json!([]));
    for (method, path, body) in [
        ("GET", path_of(&in_test), None),
        ("PATCH", path_of(&in_test), Some(json!({ "active": false }))),
        ("POST", format!("{}/rotate", path_of(&in_test)), Some(json!({}))),
        ("DELETE", path_of(&in_test), None),
    ] {
        let (status, answer) = bob.call(method, &path, body).await;
        assert_eq!((status, &answer["code"]), (404, &json!("NotFound")), "{method} {path}");
    }
    who(&gateway, text(&in_test, "fullKey")).await.expect_status(200);
    let (status, answer) = ann.post(KEYS, json!({ "name": "x", "environment": "live" })).await;
    assert_eq!((status, &answer["code"]), (403, &json!("ProductionAccessNotApproved")));
    assert!(text(&answer, "detail").contains("plan"), "{answer}");
}

#[actix_web::test]
async fn a_list_of_keys_comes_in_pages_newest_first() {
    let (gateway, ann) = gateway_and_ann().await;
    let mut made = Vec::new();
    for _ in 0..3 {
        gateway.clock.advance(Duration::from_millis(5));
        made.insert(0, made_key(&ann, json!({})).await["id"].clone());
    }
    let first = ann.get(&format!("{KEYS}?limit=2")).await.1;
    let ids = |page: &Value| page["data"].as_array().unwrap().iter().map(|key| key["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(&first), made[..2]);
    let rest = ann.get(&format!("{KEYS}?limit=2&cursor={}", text(&first, "nextCursor"))).await.1;
    assert_eq!((ids(&rest), &rest["nextCursor"]), (made[2..].to_vec(), &Value::Null));
}

#[actix_web::test]
async fn a_viewer_sees_keys_and_changes_none() {
    let (gateway, ann) = gateway_and_ann().await;
    let key = made_key(&ann, json!({})).await;
    gateway.database.execute("UPDATE members SET role = 'viewer'").unwrap();
    assert_eq!(ann.get(&path_of(&key)).await.0, 200);
    for (method, path, body) in [
        ("POST", KEYS.to_owned(), Some(json!({ "name": "x" }))),
        ("PATCH", path_of(&key), Some(json!({ "active": false }))),
        ("POST", format!("{}/rotate", path_of(&key)), Some(json!({}))),
        ("DELETE", path_of(&key), None),
    ] {
        let (status, answer) = ann.call(method, &path, body).await;
        assert_eq!((status, &answer["code"]), (403, &json!("InsufficientScope")), "{method} {path}");
    }
    who(&gateway, text(&key, "fullKey")).await.expect_status(200);
}

#[actix_web::test]
async fn the_last_use_of_a_key_is_known_to_the_minute() {
    let (gateway, ann) = gateway_and_ann().await;
    let key = made_key(&ann, json!({})).await;
    let full = text(&key, "fullKey");
    let last_used = || async { ann.get(&path_of(&key)).await.1["data"]["lastUsedAt"].clone() };
    assert_eq!(last_used().await, Value::Null);
    who(&gateway, full).await.expect_status(200);
    gateway.step().await;
    let first = last_used().await;
    assert!(first.is_string());
    let version = gateway.database.number("SELECT value FROM counters WHERE name = 'directory'");
    gateway.clock.advance(Duration::from_secs(59));
    who(&gateway, full).await.expect_status(200);
    gateway.step().await;
    assert_eq!(last_used().await, first);
    gateway.clock.advance(Duration::from_secs(1));
    who(&gateway, full).await.expect_status(200);
    who(&gateway, full).await.expect_status(200);
    gateway.step().await;
    assert_ne!(last_used().await, first);
    assert_eq!(gateway.database.number("SELECT value FROM counters WHERE name = 'directory'"), version);
}

#[actix_web::test]
async fn a_key_with_a_limit_is_told_when_to_come_again() {
    let (gateway, ann) = gateway_and_ann().await;
    let limited = made_key(&ann, json!({})).await;
    let free = made_key(&ann, json!({})).await;
    let limit = |number: Value| ann_limit(&ann, &limited, number);
    let (status, answer) = limit(json!(3)).await;
    assert_eq!((status, &answer["data"]["requestsPerMinute"]), (200, &json!(3)));
    let full = text(&limited, "fullKey");
    // A key that is changed elsewhere meanwhile starts no new minute.
    for round in 0..3 {
        let answer = who(&gateway, full).await.expect_status(200);
        assert_eq!(answer.header("ratelimit-policy"), Some("\"minute\";q=3;w=60"));
        assert!(answer.header("ratelimit").unwrap().starts_with(&format!("\"minute\";r={};t=", 2 - round)));
        made_key(&ann, json!({ "name": format!("another {round}") })).await;
        gateway.server.gateway.refresh_directory().await.unwrap();
    }
    let refused = who(&gateway, full).await.expect_error(429, "RateLimited");
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait));
    assert_eq!(refused.json()["retryAfterSeconds"], wait);
    assert_eq!((refused.header("ratelimit-limit"), refused.header("ratelimit-remaining")), (Some("3"), Some("0")));
    assert_eq!(refused.header("ratelimit"), Some(format!("\"minute\";r=0;t={wait}").as_str()));
    assert_eq!(who(&gateway, text(&free, "fullKey")).await.expect_status(200).header("ratelimit"), None);
    let (status, answer) = limit(Value::Null).await;
    assert_eq!((status, &answer["data"]["requestsPerMinute"]), (200, &Value::Null));
    gateway.server.gateway.refresh_directory().await.unwrap();
    for _ in 0..5 {
        who(&gateway, full).await.expect_status(200);
    }
}

async fn ann_limit(ann: &Person, key: &Value, number: Value) -> (u16, Value) {
    ann.call("PATCH", &path_of(key), Some(json!({ "requestsPerMinute": number }))).await
}

#[actix_web::test]
async fn a_key_made_and_revoked_by_one_process_is_so_in_another_within_a_second() {
    let gateway = TestGateway::spawn().await;
    let other =
        start(gateway.database.settings(), Options { clock: Clock::system(), ..Options::default() }).await.unwrap();
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let key = made_key(&ann, json!({})).await;
    let full = text(&key, "fullKey").to_owned();
    who_at(&other.url(), &full).await.expect_status(200);
    assert_eq!(ann.call("DELETE", &path_of(&key), None).await.0, 200);
    let url = other.url();
    eventually_within(Duration::from_secs(1), "the other process refuses the key", || async {
        who_at(&url, &full).await.status == 401
    })
    .await;
    other.stop().await;
}

#[actix_web::test]
async fn a_key_costs_no_query_once_it_is_known() {
    let (gateway, ann) = gateway_and_ann().await;
    let key = made_key(&ann, json!({})).await;
    let full = text(&key, "fullKey");
    who(&gateway, full).await.expect_status(200);
    // The table is gone, and the key works on.
    gateway.database.execute("ALTER TABLE api_keys RENAME TO api_keys_away").unwrap();
    who(&gateway, full).await.expect_status(200);
}
