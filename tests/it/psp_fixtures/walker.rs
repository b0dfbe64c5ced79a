//! That the walk over the fixtures finds what is wrong, tried on a provider of its own.

use std::path::PathBuf;
use std::sync::Arc;

use serde_json::{Value, json};
use switchyard::domain::payments::Observation;
use switchyard::domain::secrets::random_hex;
use switchyard::domain::subscriptions::SubscriptionNews;
use switchyard::domain::time::Timestamp;
use switchyard::psp::http::{Http, Request};
use switchyard::psp::{
    Account, Called, Connect, Failure, Ongoing, Psp, RefundAnswer, RefundOrder, Start, Started, WebhookReading,
};

use super::{run_all, run_case};

/// A provider that knows charges and nothing else.
struct Toy {
    account: Account,
    http: Http,
}

fn connect(account: Account, http: Http) -> Arc<dyn Psp> {
    Arc::new(Toy { account, http })
}

fn cannot<'a, T>() -> Called<'a, T> {
    Box::pin(async { Err(Failure::Unsupported { instead: "nothing" }) })
}

impl Psp for Toy {
    fn start<'a>(&'a self, start: &'a Start<'a>) -> Called<'a, Started> {
        Box::pin(async move {
            let body = json!({ "amount": start.amount_minor, "reference": start.reference });
            let request = Request::post_json(format!("{}/charges?v=1", self.account.base_url), body.to_string())
                .header("authorization", format!("Bearer {}", self.account.credential("key")));
            let answer = self.http.send(request).await?;
            if !answer.is_success() {
                return Err(Failure::refused("the toy said no"));
            }
            let body: Value = answer.json()?;
            Ok(Started {
                provider_ref: body["id"].as_str().unwrap_or_default().to_owned(),
                checkout_url: body["url"].as_str().map(str::to_owned),
                instructions: None,
                expires_at: None,
            })
        })
    }

    fn fetch<'a>(&'a self, _: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        cannot()
    }

    fn cancel<'a>(&'a self, _: &'a Ongoing<'a>) -> Called<'a, Vec<Observation>> {
        cannot()
    }

    fn refund<'a>(&'a self, _: &'a RefundOrder<'a>) -> Called<'a, RefundAnswer> {
        cannot()
    }

    fn fetch_refund<'a>(&'a self, _: &'a RefundOrder<'a>, found: Option<&'a str>) -> Called<'a, Option<RefundAnswer>> {
        Box::pin(async move { if found.is_some() { Ok(None) } else { Err(Failure::refused("no id")) } })
    }

    fn cancel_subscription<'a>(&'a self, _: &'a str, _: bool, _: Timestamp) -> Called<'a, SubscriptionNews> {
        cannot()
    }

    fn read_webhook<'a>(
        &'a self,
        headers: &'a [(String, String)],
        body: &'a [u8],
        _: Timestamp,
    ) -> Called<'a, WebhookReading> {
        let reading = if headers.iter().any(|(name, value)| name == "x-signed" && value == "yes") {
            WebhookReading::Unreadable(String::from_utf8_lossy(body).into_owned())
        } else {
            WebhookReading::NotSigned
        };
        Box::pin(async { Ok(reading) })
    }

    fn check<'a>(&'a self, _: Timestamp) -> Called<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}

const TOY: [(&str, Option<Connect>); 1] = [("toy", Some(connect))];

/// A folder of fixtures that goes when the test does.
struct Fixtures(PathBuf);

impl Fixtures {
    fn new() -> Self {
        let root = std::env::temp_dir().join(format!("switchyard-fixtures-{}", random_hex(8)));
        std::fs::create_dir_all(&root).unwrap();
        Self(root)
    }

    fn add(&self, place: &str, case: &Value) -> PathBuf {
        let directory = self.0.join(place);
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("case.json"), case.to_string()).unwrap();
        directory
    }
}

impl Drop for Fixtures {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const NOW: &str = "2026-11-21T10:00:00Z";

fn ongoing() -> Value {
    json!({
        "payment_id": "pay_01m7z9k05rb0ky10zqj0sccfnc", "attempt_id": "att_01m7z9k05rb0ky10zqj0sccfnc",
        "reference": "INV-1", "provider_ref": "ch_1", "amount_minor": 2900, "currency": "USD", "method": "toy", "now": NOW,
    })
}

fn case(call: &str, input: Value, exchanges: Value, outcome: Value) -> Value {
    json!({
        "what": "The toy is tried", "origin": "made for this test", "mode": "sandbox", "credentials": { "key": "k1" },
        "call": call, "input": input, "exchanges": exchanges, "outcome": outcome,
    })
}

fn start() -> Value {
    let mut input = ongoing();
    input.as_object_mut().unwrap().remove("provider_ref");
    for (name, value) in [
        ("is_repeat", json!(false)),
        ("description", Value::Null),
        ("invoice_number", json!("INV-1")),
        ("external_user_id", json!("u1")),
        ("email", Value::Null),
        ("buyer", json!({ "name": "A", "phone": null, "ip": null })),
        ("metadata", json!({})),
        ("return_url", json!("https://shop.example/")),
        ("notify_url", json!("https://pay.example/")),
        ("expires_at", json!("2026-11-22T10:00:00Z")),
    ] {
        input[name] = value;
    }
    let exchange = json!({
        "request": { "method": "POST", "path": "/charges?v=1",
            "headers": { "authorization": "Bearer k1", "content-type": "application/json" },
            "body": { "reference": "INV-1", "amount": 2900 } },
        "response": { "status": 201, "headers": { "x-any": "1" }, "body": { "id": "ch_1", "url": "{base_url}/pay" } },
    });
    let started =
        json!({ "provider_ref": "ch_1", "checkout_url": "{base_url}/pay", "instructions": null, "expires_at": null });
    case("start", input, json!([exchange]), json!({ "ok": started }))
}

async fn verdict(case: &Value) -> Result<(), String> {
    let fixtures = Fixtures::new();
    run_case(connect, &fixtures.add("toy/case", case)).await
}

#[tokio::test]
async fn a_case_that_is_kept_passes_whatever_it_calls() {
    let refund = json!({ "payment": ongoing(), "refund_id": "ref_01m7z9k05rb0ky10zqj0sccfnc", "transaction": "t",
        "amount_minor": 1, "refunded_minor": 0, "reason": null, "created_at": NOW, "other_refs": ["a"] });
    let mut fetched_refund = refund.clone();
    fetched_refund["provider_ref"] = "r1".into();
    let unsupported = json!({ "failure": { "unsupported": { "instead": "nothing" } } });
    let end = json!({ "provider_ref": "s1", "at_period_end": true, "now": NOW });
    let signed = json!({ "headers": { "x-signed": "yes" }, "body": "hm", "now": NOW });
    let forged = json!({ "headers": {}, "body": "hm", "now": NOW });
    for case in [
        start(),
        case("fetch", ongoing(), json!([]), unsupported.clone()),
        case("cancel", ongoing(), json!([]), unsupported.clone()),
        case("refund", refund, json!([]), unsupported.clone()),
        case("fetch_refund", fetched_refund, json!([]), json!({ "ok": null })),
        case("cancel_subscription", end, json!([]), unsupported),
        case("webhook", signed, json!([]), json!({ "ok": { "unreadable": "hm" } })),
        case("webhook", forged, json!([]), json!({ "ok": "not_signed" })),
        case("check", json!({ "now": NOW }), json!([]), json!({ "ok": null })),
    ] {
        assert_eq!(verdict(&case).await, Ok(()), "{case}");
    }
}

#[tokio::test]
async fn a_webhook_and_an_answer_may_stand_in_files_of_their_own() {
    let fixtures = Fixtures::new();
    let webhook = json!({ "headers": { "x-signed": "yes" }, "body_file": "body.txt", "now": NOW });
    let directory =
        fixtures.add("toy/a", &case("webhook", webhook, json!([]), json!({ "ok": { "unreadable": "é\n" } })));
    std::fs::write(directory.join("body.txt"), "é\n").unwrap();
    assert_eq!(run_case(connect, &directory).await, Ok(()));

    let mut start = start();
    start["exchanges"][0]["response"] = json!({ "status": 200, "body_file": "answer.txt" });
    start["outcome"] = json!({ "failure": { "unknown": { "class": "garbage" } } });
    let directory = fixtures.add("toy/b", &start);
    assert!(run_case(connect, &directory).await.unwrap_err().contains("answer.txt"), "the file is not there");
    std::fs::write(directory.join("answer.txt"), "not JSON").unwrap();
    assert_eq!(run_case(connect, &directory).await, Ok(()));
}

#[tokio::test]
async fn a_case_that_is_not_kept_is_told_with_what_was_expected_and_found() {
    let expectations: [(&str, Value, &[&str]); 8] = [
        ("/exchanges/0/request/method", json!("PUT"), &["method", "expected: PUT", "found:    POST"]),
        ("/exchanges/0/request/path", json!("/charges"), &["expected: /charges\n", "found:    /charges?v=1"]),
        ("/exchanges/0/request/headers/authorization", json!("Bearer k2"), &["header authorization", "Bearer k1"]),
        ("/exchanges/0/request/headers/x-other", json!("1"), &["header x-other", "expected: 1", "(absent)"]),
        ("/exchanges/0/request/body/amount", json!(2901), &["body", "\"amount\":2901", "\"amount\":2900"]),
        ("/exchanges/0/request/body/amount", json!("2900"), &["\"amount\":\"2900\"", "\"amount\":2900"]),
        ("/outcome/ok/provider_ref", json!("ch_2"), &["outcome", "ch_2", "ch_1"]),
        ("/outcome", json!({ "failure": { "refused": { "reason": "x" } } }), &["expected: {\"failure\"", "{\"ok\""]),
    ];
    for (pointer, value, parts) in expectations {
        let mut case = start();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        case.pointer_mut(parent).unwrap()[name] = value;
        let error = verdict(&case).await.expect_err(pointer);
        assert!(error.starts_with("The toy is tried\n"), "{error}");
        for part in parts {
            assert!(error.contains(part), "{pointer}: no {part:?} in {error}");
        }
    }
    let mut with_text = start();
    with_text["exchanges"][0]["request"].as_object_mut().unwrap().remove("body");
    with_text["exchanges"][0]["request"]["body_text"] = "a=b".into();
    assert!(verdict(&with_text).await.unwrap_err().contains("expected: a=b"));
}

#[tokio::test]
async fn an_exchange_too_few_and_one_too_many_are_told() {
    let mut none_expected = start();
    none_expected["exchanges"] = json!([]);
    let error = verdict(&none_expected).await.unwrap_err();
    assert!(error.contains("a request too many: POST /charges?v=1"), "{error}");

    let mut two_expected = start();
    let exchange = two_expected["exchanges"][0].clone();
    two_expected["exchanges"].as_array_mut().unwrap().push(exchange);
    let error = verdict(&two_expected).await.unwrap_err();
    assert!(error.contains("exchange 2 was not made: POST /charges?v=1"), "{error}");
}

#[tokio::test]
async fn a_case_with_a_word_that_is_not_known_is_told() {
    for pointer in ["", "/input", "/input/buyer", "/exchanges/0", "/exchanges/0/request", "/exchanges/0/response"] {
        let mut case = start();
        case.pointer_mut(pointer).unwrap()["colour"] = "red".into();
        let error = verdict(&case).await.expect_err(pointer);
        assert!(error.contains("colour"), "{pointer}: {error}");
    }
    for (pointer, value) in [
        ("/call", json!("pay")),
        ("/mode", json!("production")),
        ("/input/currency", json!("usd")),
        ("/input/payment_id", json!("pay_1")),
        ("/input/now", json!("today")),
        ("/what", json!(" ")),
        ("/exchanges/0/response/body_text", json!("and body")),
        ("/exchanges/0/request/body_text", json!("and body")),
    ] {
        let mut case = start();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        case.pointer_mut(parent).unwrap()[name] = value;
        verdict(&case).await.expect_err(pointer);
    }
    let mut without = start();
    without.as_object_mut().unwrap().remove("origin");
    assert!(verdict(&without).await.unwrap_err().contains("origin"));
}

#[tokio::test]
async fn a_driver_without_cases_and_cases_without_a_driver_are_told() {
    let fixtures = Fixtures::new();
    assert_eq!(run_all(&fixtures.0, &TOY).await, ["psp-fixtures/toy: the driver has no cases"]);
    fixtures.add("toy/good", &start());
    std::fs::create_dir_all(fixtures.0.join("toy/vectors")).unwrap();
    assert!(run_all(&fixtures.0, &TOY).await.is_empty(), "a folder with other things is no case");
    fixtures.add("toy/deep/deeper", &start());
    fixtures.add("other/good", &start());
    fixtures.add("silent/good", &start());
    let mut bad = start();
    bad["outcome"] = json!({ "ok": null });
    fixtures.add("toy/bad", &bad);
    let wrong = run_all(&fixtures.0, &[TOY[0], ("silent", None)]).await;
    assert_eq!(wrong.len(), 4, "{wrong:?}");
    assert_eq!(wrong[0], "psp-fixtures/other: no driver is spoken to under this name");
    assert_eq!(wrong[1], "psp-fixtures/silent: no driver is spoken to under this name");
    assert_eq!(wrong[2], "psp-fixtures/toy: the case deeper lies too deep");
    assert!(wrong[3].starts_with("psp-fixtures/toy/bad: The toy is tried\noutcome"), "{}", wrong[3]);
}
