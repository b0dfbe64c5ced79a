//! The mock provider: each of its scenarios, its checkout page, its refunds and its webhooks.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchyard::domain::mode::Mode;

use crate::support::{Answer, Product, TestGateway, id_of};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn status_of(product: &Product, payment_id: &str) -> String {
    product.payment(payment_id).await["status"].as_str().unwrap().to_owned()
}

/// A payment that the mock is scripted for.
async fn scripted(product: &Product, mock: Value) -> String {
    id_of(&product.created(json!({ "mock": mock })).await)
}

fn webhooks(gateway: &TestGateway, verdict: &str) -> i64 {
    gateway.database.number(&format!("SELECT COUNT(*) FROM inbox WHERE verdict = '{verdict}'"))
}

/// Asks for a refund a second after the last thing, so that two that are alike are signed differently.
async fn refund(gateway: &TestGateway, product: &Product, payment_id: &str, amount_minor: Option<i64>) -> Answer {
    gateway.clock.advance(SECOND);
    let body = json!({ "payment_id": payment_id, "amount_minor": amount_minor, "reason": "returned" });
    product.post("/v1/refunds", &body).await
}

#[tokio::test]
async fn each_outcome_ends_the_payment_with_its_event() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (outcome, status, paid, charges, event) in [
        ("succeed", "succeeded", 50_000, 1, "payment.succeeded"),
        ("fail", "failed", 0, 0, "payment.failed"),
        ("cancel", "canceled", 0, 0, "payment.canceled"),
    ] {
        let payment = product.ended(&gateway, outcome, json!({})).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!(status), &json!(paid)), "{outcome}");
        assert_eq!(gateway.charges(&id_of(&payment)).await, charges, "{outcome}");
        assert_eq!(product.event_names(&id_of(&payment)).await, [event]);
    }
    let open = product.ended(&gateway, "none", json!({})).await;
    assert_eq!(open["status"], "initiated");
    assert!(product.event_names(&id_of(&open)).await.is_empty());
}

#[tokio::test]
async fn an_outcome_comes_when_it_was_scripted_for() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = scripted(&product, json!({ "outcome": "succeed", "after_ms": 5000 })).await;
    gateway.advance(Duration::from_millis(4999)).await;
    assert_eq!(status_of(&product, &payment_id).await, "initiated");
    gateway.advance(Duration::from_millis(1)).await;
    assert_eq!(status_of(&product, &payment_id).await, "succeeded");
}

#[tokio::test]
async fn an_outcome_comes_by_itself() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let payment_id = scripted(&product, json!({ "outcome": "succeed", "after_ms": 50 })).await;
    crate::support::eventually("the payment succeeds", || async {
        status_of(&product, &payment_id).await == "succeeded"
    })
    .await;
}

#[tokio::test]
async fn a_decline_code_is_the_payments_last_error() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let told = product.ended(&gateway, "fail", json!({ "mock": { "decline_code": "insufficient_funds" } })).await;
    assert_eq!(told["last_error"], "insufficient_funds");
    let untold = product.ended(&gateway, "fail", json!({})).await;
    assert_eq!(untold["last_error"], "card_declined");
}

#[tokio::test]
async fn a_refused_start_leaves_a_failed_payment() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let answer = product.create(json!({ "mock": { "start": "refuse", "outcome": "succeed" } })).await;
    let refused = answer.expect_error(502, "ProviderError");
    let payment_id = refused.text_of("payment_id");
    let payment = product.payment(&payment_id).await;
    assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("failed"), &json!(0)));
    assert!(payment["last_error"].as_str().unwrap().contains("refused"), "{payment}");
    assert_eq!(product.event_names(&payment_id).await, ["payment.failed"]);
    assert_eq!(product.listed("/v1/payments?status=failed").await, [payment]);
}

#[tokio::test]
async fn a_start_that_times_out_is_looked_up_by_the_gateway() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (start, status, paid, charges, event) in [
        ("timeout", "failed", 0, 0, "payment.failed"),
        ("timeout_but_charged", "succeeded", 50_000, 1, "payment.succeeded"),
    ] {
        let answer = product.create(json!({ "mock": { "start": start } })).await.expect_status(202);
        let payment_id = answer.text_of("payment_id");
        assert_eq!(answer.text_of("status"), "initiated");
        assert!(answer.text_of("last_error").contains("unknown"), "{}", answer.text);
        assert_eq!(gateway.charges(&payment_id).await, charges, "{start}");

        gateway.advance(10 * SECOND).await;
        let payment = product.payment(&payment_id).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!(status), &json!(paid)), "{start}");
        assert_eq!(payment["last_error"] == "", start == "timeout_but_charged", "{payment}");
        assert_eq!(gateway.charges(&payment_id).await, charges, "{start}");
        assert_eq!(product.event_names(&payment_id).await, [event]);
    }
}

#[tokio::test]
async fn a_webhook_that_comes_twice_or_after_its_successor_changes_nothing_more() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for webhook in ["once", "duplicate", "out_of_order"] {
        let payment = product.ended(&gateway, "succeed", json!({ "mock": { "webhook": webhook } })).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("succeeded"), &json!(50_000)), "{webhook}");
        let payment_id = id_of(&payment);
        gateway.advance(10 * MINUTE).await;
        assert_eq!(product.payment(&payment_id).await, payment, "{webhook}");
        assert_eq!(product.event_names(&payment_id).await, ["payment.succeeded"], "{webhook}");
        assert_eq!(gateway.charges(&payment_id).await, 1, "{webhook}");
    }
    assert_eq!(gateway.count("receipts"), 3);
}

#[tokio::test]
async fn a_late_webhook_comes_after_30_seconds() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = scripted(&product, json!({ "outcome": "succeed", "webhook": "late" })).await;
    gateway.step().await;
    assert_eq!(gateway.charges(&payment_id).await, 1);
    gateway.advance(29 * SECOND).await;
    assert_eq!(status_of(&product, &payment_id).await, "initiated");
    gateway.advance(SECOND).await;
    assert_eq!(status_of(&product, &payment_id).await, "succeeded");
    assert_eq!(webhooks(&gateway, "applied"), 1);
}

#[tokio::test]
async fn what_no_good_webhook_tells_is_found_by_asking_after_5_minutes() {
    for (webhook, rejected) in [("never", 0), ("bad_signature", 1)] {
        let (gateway, product) = TestGateway::stepped_with_product().await;
        for (outcome, status) in [("succeed", "succeeded"), ("fail", "failed"), ("cancel", "canceled")] {
            let payment_id = scripted(&product, json!({ "outcome": outcome, "webhook": webhook })).await;
            gateway.step().await;
            gateway.advance(5 * MINUTE - SECOND).await;
            assert_eq!(status_of(&product, &payment_id).await, "initiated", "{webhook} {outcome}");
            gateway.advance(SECOND).await;
            assert_eq!(status_of(&product, &payment_id).await, status, "{webhook} {outcome}");
            assert_eq!(product.event_names(&payment_id).await, [format!("payment.{status}")]);
        }
        assert_eq!(webhooks(&gateway, "rejected"), 3 * rejected, "{webhook}");
        assert_eq!(webhooks(&gateway, "applied"), 0, "{webhook}");
    }
}

#[tokio::test]
async fn a_double_click_on_pay_charges_once() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let payment_id = id_of(&product.created(json!({})).await);
    let clicks = join_all((0..8).map(|_| gateway.act_at_checkout(&payment_id, "succeed"))).await;
    for (status, location) in clicks {
        assert_eq!(status, 303);
        assert!(location.contains(&payment_id), "{location}");
    }
    assert_eq!(gateway.charges(&payment_id).await, 1);
    let paid = product.payment(&payment_id).await;
    assert_eq!((&paid["status"], &paid["paid_minor"]), (&json!("succeeded"), &json!(50_000)));
    assert_eq!(product.event_names(&payment_id).await, ["payment.succeeded"]);
}

#[tokio::test]
async fn the_buyers_first_word_stands() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({})).await);
    assert_eq!(gateway.act_at_checkout(&payment_id, "fail").await.0, 303);
    let (status, location) = gateway.act_at_checkout(&payment_id, "succeed").await;
    assert_eq!(status, 303);
    assert!(location.ends_with("status=failed"), "{location}");
    assert_eq!(status_of(&product, &payment_id).await, "failed");
    assert_eq!(gateway.charges(&payment_id).await, 0);

    // Also before the gateway has heard of it, and against the script.
    let unheard = scripted(&product, json!({ "webhook": "late", "outcome": "succeed", "after_ms": 1000 })).await;
    assert_eq!(gateway.act_at_checkout(&unheard, "cancel").await.0, 303);
    assert_eq!(gateway.act_at_checkout(&unheard, "succeed").await.0, 303);
    gateway.advance(MINUTE).await;
    assert_eq!(status_of(&product, &unheard).await, "canceled");
    assert_eq!(gateway.charges(&unheard).await, 0);
}

#[tokio::test]
async fn the_redirect_appends_the_payment_to_the_return_urls_own_query() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (return_url, outcome, expected) in [
        ("https://shop.example/thanks", "succeed", "https://shop.example/thanks?payment_id={id}&status=succeeded"),
        (
            "https://shop.example/thanks?order=7&x=a%20b",
            "fail",
            "https://shop.example/thanks?order=7&x=a%20b&payment_id={id}&status=failed",
        ),
        (
            "http://localhost:3000/done?order=7#receipt",
            "cancel",
            "http://localhost:3000/done?order=7&payment_id={id}&status=canceled#receipt",
        ),
    ] {
        let payment_id = id_of(&product.created(json!({ "return_url": return_url })).await);
        let (status, location) = gateway.act_at_checkout(&payment_id, outcome).await;
        assert_eq!((status, location), (303, expected.replace("{id}", &payment_id)));
    }
}

#[tokio::test]
async fn the_checkout_page_shows_what_is_paid_and_needs_no_script() {
    let gateway = TestGateway::spawn_stepped().await;
    let test = gateway.product(Mode::Test).await;
    let sandbox = gateway.product(Mode::Sandbox).await;
    for (product, changes, words) in [
        (&test, json!({}), ["Rp 50,000", "BCA virtual account", "Test."]),
        (&test, json!({ "method": "qris" }), ["Rp 50,000", "QRIS", "Test."]),
        (
            &sandbox,
            json!({ "method": "paypal", "currency": "USD", "amount_minor": 2900 }),
            ["$29.00", "PayPal", "Sandbox."],
        ),
        (
            &test,
            json!({ "method": "paypal", "currency": "JPY", "amount_minor": 2900 }),
            ["¥2,900", "PayPal", "No real money moves."],
        ),
    ] {
        let payment = product.created(changes).await;
        let page = gateway.fetch(&format!("/mock/checkout/{}", id_of(&payment))).await.expect_status(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        for word in words {
            assert!(page.text.contains(word), "{word} is not in {}", page.text);
        }
        for outcome in ["succeed", "fail", "cancel"] {
            assert!(page.text.contains(&format!("value=\"{outcome}\"")), "{outcome}");
        }
        for label in [">Pay", ">Fail", ">Cancel"] {
            assert!(page.text.contains(label), "{label}");
        }
        assert!(!page.text.to_lowercase().contains("<script"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("script-src"), "{policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        assert_eq!(page.header("cache-control"), Some("no-store"));
    }
}

#[tokio::test]
async fn the_checkout_page_shows_a_products_words_as_words() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment = product.created(json!({ "description": "<script>alert(\"1\")</script> & <b>shoes</b>" })).await;
    let page = gateway.fetch(&format!("/mock/checkout/{}", id_of(&payment))).await.expect_status(200).text;
    assert!(!page.contains("<script") && !page.contains("<b>"), "{page}");
    assert!(page.contains("alert(") && page.contains("shoes"), "{page}");
}

#[tokio::test]
async fn the_checkout_page_of_an_ended_payment_offers_nothing_but_the_way_back() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({})).await);
    let page = gateway.fetch(&format!("/mock/checkout/{payment_id}")).await.expect_status(200).text;
    assert!(page.contains("succeeded") && !page.contains("<button"), "{page}");
    let link = format!("https://shop.example/thanks?order=7&payment_id={payment_id}&status=succeeded");
    let unescaped = page.replace("&#38;", "&").replace("&amp;", "&");
    assert!(unescaped.contains(&link), "{page}");
}

#[tokio::test]
async fn the_mock_knows_no_payment_that_is_not_there() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let unknown = format!("pay_{}", "0".repeat(26));
    gateway.fetch(&format!("/mock/checkout/{unknown}")).await.expect_error(404, "PaymentNotFound");
    gateway.fetch(&format!("/mock/charges/{unknown}")).await.expect_error(404, "PaymentNotFound");
    assert_eq!(gateway.act_at_checkout(&unknown, "succeed").await.0, 404);

    let payment_id = id_of(&product.created(json!({})).await);
    let charges = gateway.fetch(&format!("/mock/charges/{payment_id}")).await.expect_status(200).json();
    assert_eq!(charges, json!({ "payment_id": payment_id, "charges": 0, "outcome": null }));
}

#[tokio::test]
async fn a_forged_webhook_moves_nothing() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({})).await);
    let body = json!({
        "id": "mev_forged", "kind": "payment.paid", "payment_id": payment_id, "mode": "test",
        "amount_minor": 50_000, "currency": "IDR", "transaction": "mtx_forged", "reason": null,
    })
    .to_string();
    let timestamp = gateway.clock.now().unix_seconds();
    let with_app_secret = switchyard::domain::signing::event_signature(&product.secret, timestamp, body.as_bytes());
    let signed = |signature: &str| {
        vec![("X-Mock-Timestamp".into(), timestamp.to_string()), ("X-Mock-Signature".into(), signature.to_owned())]
    };
    let forgeries = [vec![], signed(&"0".repeat(64)), signed(""), signed(&with_app_secret)];
    for path in ["/webhooks/mock/test", "/webhooks/mock"] {
        for headers in &forgeries {
            product.send("POST", path, headers, body.clone().into()).await.expect_error(401, "BadSignature");
        }
    }
    product.send("POST", "/webhooks/mock/test", &[], b"\0\xff".to_vec()).await.expect_error(401, "BadSignature");
    for path in ["/webhooks/stripe/test", "/webhooks/mock/prod", "/webhooks/stripe"] {
        product.send("POST", path, &[], body.clone().into()).await.expect_error(404, "NotFound");
    }
    product.send("POST", "/webhooks/nicepay/test", &[], body.clone().into()).await.expect_status(404);
    product.send("POST", "/webhooks/mock/test", &[], vec![b' '; 65 * 1024]).await.expect_error(413, "BodyTooLarge");

    assert_eq!(status_of(&product, &payment_id).await, "initiated");
    assert_eq!(gateway.charges(&payment_id).await, 0);
    assert_eq!(webhooks(&gateway, "rejected"), 9);
    assert_eq!(webhooks(&gateway, "applied"), 0);
}

#[tokio::test]
async fn a_refund_gives_back_all_that_is_left_or_a_part() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({})).await);

    let part = refund(&gateway, &product, &payment_id, Some(20_000)).await.expect_status(201).json();
    let expected = json!({
        "refund_id": part["refund_id"],
        "payment_id": payment_id,
        "status": "succeeded",
        "amount_minor": 20_000,
        "currency": "IDR",
        "provider_ref": part["provider_ref"],
        "reason": "returned",
        "mode": "test",
        "created_at": gateway.clock.now().to_rfc3339(),
    });
    assert_eq!(part, expected);
    let refund_id = part["refund_id"].as_str().unwrap().to_owned();
    assert!(refund_id.starts_with("ref_") && part["provider_ref"].is_string());
    assert_eq!(product.get(&format!("/v1/refunds/{refund_id}")).await.expect_status(200).json(), part);

    let rest = refund(&gateway, &product, &payment_id, None).await.expect_status(201).json();
    assert_eq!(rest["amount_minor"], 30_000);
    let payment = product.payment(&payment_id).await;
    assert_eq!((&payment["status"], &payment["refunded_minor"]), (&json!("succeeded"), &json!(50_000)));
    assert_eq!(product.listed(&format!("/v1/refunds?payment_id={payment_id}")).await, [rest, part]);

    let events = product.listed("/v1/events?type=refund.succeeded").await;
    assert_eq!(events.len(), 2);
    let body = &events[1]["body"];
    assert_eq!((&body["amount"], &body["status"]), (&json!(20_000), &json!("succeeded")));
    assert_eq!((&body["refund_id"], &body["reason"]), (&json!(refund_id), &json!("returned")));
}

#[tokio::test]
async fn no_more_is_refunded_than_was_received() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({})).await);
    let over = async |amount_minor: Option<i64>| {
        let answer = refund(&gateway, &product, &payment_id, amount_minor).await;
        answer.expect_error(422, "NotRefundable").detail()
    };
    assert_eq!(over(Some(50_001)).await, "refund exceeds the refundable amount (50000 left)");
    refund(&gateway, &product, &payment_id, Some(49_999)).await.expect_status(201);
    assert_eq!(over(Some(2)).await, "refund exceeds the refundable amount (1 left)");
    refund(&gateway, &product, &payment_id, Some(1)).await.expect_status(201);
    assert_eq!(over(Some(1)).await, "refund exceeds the refundable amount (0 left)");
    assert_eq!(over(None).await, "refund exceeds the refundable amount (0 left)");
    assert_eq!(product.payment(&payment_id).await["refunded_minor"], 50_000);
}

#[tokio::test]
async fn what_was_not_received_is_not_refunded() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (outcome, status) in [("none", "initiated"), ("fail", "failed"), ("cancel", "canceled")] {
        let payment_id = id_of(&product.ended(&gateway, outcome, json!({})).await);
        let refused = refund(&gateway, &product, &payment_id, None).await.expect_error(422, "NotRefundable");
        assert_eq!(refused.detail(), format!("payment must be in 'succeeded' state to refund (got {status})"));
    }
    let unknown = format!("pay_{}", "0".repeat(26));
    refund(&gateway, &product, &unknown, None).await.expect_error(404, "PaymentNotFound");
    assert_eq!(gateway.count("refunds"), 0);
}

#[tokio::test]
async fn refunds_at_once_never_exceed_what_was_received() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    for script in ["succeed", "pending"] {
        let payment_id = scripted(&product, json!({ "refund": script })).await;
        assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
        let answers = join_all((0..12).map(|index| {
            let body = json!({ "payment_id": payment_id, "amount_minor": 20_000, "reason": format!("no. {index}") });
            let product = product.clone();
            async move { product.post("/v1/refunds", &body).await }
        }))
        .await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 2, "{script}");
        for answer in answers.into_iter().filter(|answer| answer.status != 201) {
            let refused = answer.expect_error(422, "NotRefundable");
            let words = refused.detail();
            assert!(words.starts_with("refund exceeds the refundable amount ("), "{words}");
        }
        crate::support::eventually("the refunds are done", || async {
            product.payment(&payment_id).await["refunded_minor"] == 40_000
        })
        .await;
    }
}

#[tokio::test]
async fn a_refund_that_fails_gives_its_amount_free() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({ "mock": { "refund": "fail" } })).await);
    for _ in 0..2 {
        let failed = refund(&gateway, &product, &payment_id, None).await.expect_status(201).json();
        assert_eq!((&failed["status"], &failed["amount_minor"]), (&json!("failed"), &json!(50_000)));
    }
    assert_eq!(product.payment(&payment_id).await["refunded_minor"], 0);
    assert_eq!(product.event_names(&payment_id).await, ["payment.succeeded", "refund.failed", "refund.failed"]);
}

#[tokio::test]
async fn a_pending_refund_reserves_its_amount_and_is_done_later() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({ "mock": { "refund": "pending" } })).await);
    let pending = refund(&gateway, &product, &payment_id, Some(30_000)).await.expect_status(201).json();
    assert_eq!(pending["status"], "initiated");
    assert_eq!(product.payment(&payment_id).await["refunded_minor"], 0);
    assert_eq!(product.event_names(&payment_id).await, ["payment.succeeded"]);
    let refused = refund(&gateway, &product, &payment_id, Some(20_001)).await.expect_error(422, "NotRefundable");
    assert_eq!(refused.detail(), "refund exceeds the refundable amount (20000 left)");

    gateway.advance(MINUTE).await;
    let path = format!("/v1/refunds/{}", pending["refund_id"].as_str().unwrap());
    assert_eq!(product.get(&path).await.text_of("status"), "succeeded");
    assert_eq!(product.payment(&payment_id).await["refunded_minor"], 30_000);
    assert_eq!(product.event_names(&payment_id).await, ["payment.succeeded", "refund.succeeded"]);
}

#[tokio::test]
async fn a_list_of_refunds_has_keyset_pages() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({})).await);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.insert(0, refund(&gateway, &product, &payment_id, Some(1)).await.expect_status(201).json());
    }
    let first = product.get("/v1/refunds?limit=3").await.json();
    assert_eq!(first["data"].as_array().unwrap(), &made[..3]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = product.get(&format!("/v1/refunds?limit=3&cursor={cursor}")).await.json();
    assert_eq!((second["data"].as_array().unwrap(), &second["next_cursor"]), (&made[3..].to_vec(), &Value::Null));
}
