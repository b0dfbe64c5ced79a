//! Doing a thing once, however often it is asked for.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use switchyard::domain::mode::Mode;

use crate::support::{Answer, Product, TestGateway, id_of, payment_request};

const SECOND: Duration = Duration::from_secs(1);
const PAYMENTS: &str = "/v1/payments";

/// A request for a payment under a key, signed so many seconds ago, so that each signature is another one.
async fn post(product: &Product, body: &str, key: &str, seconds_ago: i64) -> Answer {
    let timestamp = product.clock.now().unix_seconds() - seconds_ago;
    product.post_signed_at(PAYMENTS, body, Some(key), timestamp).await
}

#[track_caller]
fn assert_replay_of(replay: &Answer, first: &Answer) {
    assert_eq!(first.header("idempotent-replayed"), None);
    assert_eq!((replay.status, &replay.text), (first.status, &first.text));
    assert_eq!(replay.header("idempotent-replayed"), Some("true"));
    assert_eq!(replay.header("content-type"), first.header("content-type"));
    assert_ne!(replay.header("x-request-id"), first.header("x-request-id"));
}

#[tokio::test]
async fn the_same_key_and_body_get_the_same_answer_byte_for_byte() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "invoice_prefix": "INV", "metadata": { "n": 1 } })).to_string();
    let first = post(&product, &body, "k", 0).await.expect_status(201);
    assert_replay_of(&post(&product, &body, "k", 0).await, &first);
    assert_replay_of(&post(&product, &body, "k", 1).await, &first);

    // What has become of the payment since does not change the answer.
    gateway.act_at_checkout(&first.text_of("payment_id"), "succeed").await;
    assert_replay_of(&post(&product, &body, "k", 2).await, &first);
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn another_body_under_the_same_key_is_a_conflict_even_if_it_means_the_same() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    post(&product, &body, "k", 0).await.expect_status(201);
    for other in [payment_request(json!({})).to_string(), format!("{body} "), body.replacen(':', ": ", 1)] {
        let refused = post(&product, &other, "k", 0).await.expect_error(409, "IdempotencyConflict");
        assert_eq!(refused.detail(), "idempotency conflict — different body for same key");
    }
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn without_a_key_two_signatures_make_two_payments() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    let now = product.clock.now().unix_seconds();
    product.post_signed_at(PAYMENTS, &body, None, now).await.expect_status(201);
    product.post_signed_at(PAYMENTS, &body, None, now - 1).await.expect_status(201);
    assert_eq!(gateway.count("payments"), 2);
}

#[tokio::test]
async fn sixty_four_clients_with_one_key_and_one_body_make_one_payment() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    for (round, signed_apart) in [(0, true), (1, false)] {
        let body = payment_request(json!({ "invoice_prefix": "INV" })).to_string();
        let key = format!("key {round}");
        let seconds_ago = |index: i64| if signed_apart { index } else { 0 };
        let answers = join_all((0..64).map(|index| post(&product, &body, &key, seconds_ago(index)))).await;

        let made: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 201).collect();
        let fresh = made.iter().filter(|answer| answer.header("idempotent-replayed").is_none()).count();
        assert_eq!(fresh, 1, "fresh answers");
        for answer in &answers {
            if answer.status == 201 {
                assert_eq!(answer.text, made[0].text);
            } else {
                answer.clone().expect_error(409, "IdempotencyInProgress");
                assert_eq!(answer.header("retry-after"), Some("1"));
            }
        }
        assert_eq!(gateway.count("payments"), round + 1);
        let numbers = gateway.database.number("SELECT COUNT(*) FROM payments WHERE invoice_number LIKE 'INV-00000_'");
        assert_eq!(numbers, round + 1);
    }
}

#[tokio::test]
async fn one_key_with_two_bodies_at_once_makes_one_payment() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let bodies = [payment_request(json!({})).to_string(), payment_request(json!({})).to_string()];
    let answers = join_all((0..32).map(|index| post(&product, &bodies[index % 2], "k", index as i64))).await;
    let made = answers.iter().filter(|answer| answer.status == 201).count();
    assert_eq!(made, 16, "one body wins every time");
    for answer in answers.into_iter().filter(|answer| answer.status != 201) {
        answer.expect_error(409, "IdempotencyConflict");
    }
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn one_signature_sent_at_once_under_many_keys_or_none_makes_one_payment() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let body = payment_request(json!({})).to_string();
    let now = product.clock.now().unix_seconds();
    let keys: Vec<Option<String>> = (0..32).map(|index| (index % 2 == 0).then(|| format!("k{index}"))).collect();
    let answers = join_all(keys.iter().map(|key| product.post_signed_at(PAYMENTS, &body, key.as_deref(), now))).await;
    let fresh: Vec<&Answer> = answers
        .iter()
        .filter(|answer| answer.status == 201 && answer.header("idempotent-replayed").is_none())
        .collect();
    assert_eq!(fresh.len(), 1);
    for (key, answer) in keys.iter().zip(&answers) {
        match answer.status {
            201 => assert_eq!(answer.text, fresh[0].text),
            _ => drop(answer.clone().expect_error(409, "SignatureReused")),
        }
        assert!(key.is_some() || answer.status == 201, "without a key, the first answer comes again");
    }
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_refusal_frees_the_key() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let good = payment_request(json!({})).to_string();
    for (index, changes) in [
        json!({ "amount_minor": 0 }),
        json!({ "method": "cash" }),
        json!({ "method": "polar", "currency": "USD", "amount_minor": 1 }),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key {index}");
        let refused = post(&product, &payment_request(changes).to_string(), &key, 0).await;
        assert!((400..=422).contains(&refused.status), "{}", refused.text);
        let made = post(&product, &good, &key, index as i64 + 1).await.expect_status(201);
        assert_eq!(made.header("idempotent-replayed"), None);
    }
    assert_eq!(gateway.count("payments"), 3);

    // A cancellation that is refused frees its key, too.
    let paid = id_of(&product.ended(&gateway, "succeed", json!({})).await);
    let path = format!("/v1/payments/{paid}/cancel");
    let now = product.clock.now().unix_seconds();
    product.post_signed_at(&path, "", Some("c"), now).await.expect_error(422, "NotCancelable");
    product.post_signed_at(&path, "{}", Some("c"), now).await.expect_error(422, "NotCancelable");
}

#[tokio::test]
async fn a_refusal_by_the_provider_is_stored() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "mock": { "start": "refuse" } })).to_string();
    let first = post(&product, &body, "k", 0).await.expect_error(502, "ProviderError");
    assert_replay_of(&post(&product, &body, "k", 1).await, &first);
    post(&product, &format!("{body} "), "k", 0).await.expect_error(409, "IdempotencyConflict");
    assert_eq!(gateway.count("payments"), 1);
    assert_eq!(product.payment(&first.text_of("payment_id")).await["status"], "failed");
}

#[tokio::test]
async fn a_captured_signature_cannot_be_used_under_another_key() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    let now = product.clock.now().unix_seconds();
    let send = async |key: Option<&str>, timestamp: i64| product.post_signed_at(PAYMENTS, &body, key, timestamp).await;

    let first = send(Some("k1"), now).await.expect_status(201);
    send(Some("k2"), now).await.expect_error(409, "SignatureReused");
    // A replay has a signature of its own, and that is spent as well.
    assert_replay_of(&send(Some("k1"), now - 1).await, &first);
    send(Some("k2"), now - 1).await.expect_error(409, "SignatureReused");
    assert_replay_of(&send(None, now - 1).await, &first);
    assert_replay_of(&send(None, now).await, &first);

    // So is one that was sent without a key.
    let keyless = send(None, now - 2).await.expect_status(201);
    assert_ne!(keyless.text, first.text);
    send(Some("k3"), now - 2).await.expect_error(409, "SignatureReused");
    assert_replay_of(&send(None, now - 2).await, &keyless);
    assert_eq!(gateway.count("payments"), 2);
}

#[tokio::test]
async fn a_captured_signature_stays_spent_as_long_as_its_timestamp_is_good() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    // Signed by a clock that is fast: good for 600 seconds from now.
    let signed_at = product.clock.now().unix_seconds() + 300;
    let first = product.post_signed_at(PAYMENTS, &body, Some("k1"), signed_at).await.expect_status(201);
    gateway.advance(600 * SECOND).await;
    product.post_signed_at(PAYMENTS, &body, Some("k2"), signed_at).await.expect_error(409, "SignatureReused");
    assert_replay_of(&product.post_signed_at(PAYMENTS, &body, None, signed_at).await, &first);
    gateway.advance(SECOND).await;
    let late = product.post_signed_at(PAYMENTS, &body, Some("k2"), signed_at).await;
    late.expect_error(401, "TimestampOutOfRange");
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_captured_refund_or_cancellation_is_done_once() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({})).await);
    let body = json!({ "payment_id": payment_id, "amount_minor": 10_000 }).to_string();
    let now = product.clock.now().unix_seconds();
    let first = product.post_signed_at("/v1/refunds", &body, Some("r"), now).await.expect_status(201);
    assert_replay_of(&product.post_signed_at("/v1/refunds", &body, None, now).await, &first);
    assert_replay_of(&product.post_signed_at("/v1/refunds", &body, Some("r"), now - 1).await, &first);
    product.post_signed_at("/v1/refunds", &body, Some("s"), now - 1).await.expect_error(409, "SignatureReused");
    let other = json!({ "payment_id": payment_id, "amount_minor": 10_001 }).to_string();
    product.post_signed_at("/v1/refunds", &other, Some("r"), now).await.expect_error(409, "IdempotencyConflict");
    assert_eq!(product.payment(&payment_id).await["refunded_minor"], 10_000);

    let open_id = id_of(&product.created(json!({})).await);
    let path = format!("/v1/payments/{open_id}/cancel");
    let canceled = product.post_signed_at(&path, "", Some("c"), now).await.expect_status(200);
    assert_replay_of(&product.post_signed_at(&path, "", Some("c"), now - 1).await, &canceled);
    product.post_signed_at(&path, "", Some("d"), now).await.expect_error(409, "SignatureReused");
}

#[tokio::test]
async fn a_start_without_an_answer_is_provisional_until_it_is_known_to_have_failed() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "mock": { "start": "timeout" } })).to_string();
    let first = post(&product, &body, "k", 0).await.expect_status(202);
    let payment_id = first.text_of("payment_id");
    assert_eq!(first.text_of("status"), "initiated");
    assert_ne!(first.text_of("last_error"), "");
    assert_replay_of(&post(&product, &body, "k", 1).await, &first);

    gateway.advance(Duration::from_secs(10)).await;
    let known = product.payment(&payment_id).await;
    assert_eq!((&known["status"], &known["paid_minor"]), (&json!("failed"), &json!(0)));
    let last = post(&product, &body, "k", 2).await.expect_error(502, "ProviderError");
    assert_eq!(last.text_of("payment_id"), payment_id);
    assert_eq!(last.header("idempotent-replayed"), Some("true"));

    gateway.advance(Duration::from_secs(60)).await;
    let frozen = post(&product, &body, "k", 3).await;
    assert_eq!((frozen.status, frozen.text), (502, last.text));
    assert_eq!(gateway.charges(&payment_id).await, 0);
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_start_without_an_answer_is_provisional_until_it_is_known_to_be_paid() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "mock": { "start": "timeout_but_charged" } })).to_string();
    let first = post(&product, &body, "k", 0).await.expect_status(202);
    let payment_id = first.text_of("payment_id");
    assert_replay_of(&post(&product, &body, "k", 1).await, &first);

    gateway.advance(Duration::from_secs(10)).await;
    let last = post(&product, &body, "k", 2).await.expect_status(201);
    let paid = last.json();
    assert_eq!((&paid["status"], &paid["paid_minor"]), (&json!("succeeded"), &json!(50_000)));
    assert_eq!(paid["last_error"], "");
    assert_eq!(paid, product.payment(&payment_id).await);

    // Frozen: what happens later does not change it.
    let refund = json!({ "payment_id": payment_id });
    product.post("/v1/refunds", &refund).await.expect_status(201);
    gateway.clock.advance(SECOND);
    let frozen = post(&product, &body, "k", 3).await;
    assert_eq!((frozen.status, frozen.text), (201, last.text));
    assert_eq!(gateway.charges(&payment_id).await, 1);
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_key_is_one_apps_own_and_one_paths_own() {
    let gateway = TestGateway::spawn_stepped().await;
    let products =
        [gateway.product(Mode::Test).await, gateway.product(Mode::Test).await, gateway.product(Mode::Sandbox).await];
    let body = payment_request(json!({})).to_string();
    let mut ids = Vec::new();
    for product in &products {
        let made = post(product, &body, "k", 0).await.expect_status(201);
        assert_eq!(made.header("idempotent-replayed"), None);
        ids.push(made.text_of("payment_id"));
    }
    assert_eq!(gateway.count("payments"), 3);
    let other = id_of(&products[0].created(json!({})).await);
    let now = gateway.clock.now().unix_seconds();
    for payment_id in [&ids[0], &other] {
        let path = format!("/v1/payments/{payment_id}/cancel");
        let canceled = products[0].post_signed_at(&path, "", Some("k"), now).await.expect_status(200);
        assert_eq!(canceled.header("idempotent-replayed"), None);
        assert_eq!(&canceled.text_of("payment_id"), payment_id);
    }
}

#[tokio::test]
async fn a_key_is_kept_for_a_day() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    let first = post(&product, &body, "k", 0).await.expect_status(201);
    gateway.advance(Duration::from_secs(24 * 3600 - 60)).await;
    assert_replay_of(&post(&product, &body, "k", 0).await, &first);
    gateway.advance(Duration::from_secs(120)).await;
    let second = post(&product, &body, "k", 0).await.expect_status(201);
    assert_eq!(second.header("idempotent-replayed"), None);
    assert_ne!(second.text_of("payment_id"), first.text_of("payment_id"));
}

#[tokio::test]
async fn a_replays_signature_stays_spent_when_the_first_answer_is_forgotten() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    let first = post(&product, &body, "k", 0).await.expect_status(201);
    gateway.advance(Duration::from_secs(24 * 3600 - 60)).await;
    let signed_at = product.clock.now().unix_seconds();
    assert_replay_of(&product.post_signed_at(PAYMENTS, &body, Some("k"), signed_at).await, &first);

    // A minute after the first answer's day, the replay is two minutes old: its signature is still good.
    gateway.advance(Duration::from_secs(120)).await;
    product.post_signed_at(PAYMENTS, &body, Some("k2"), signed_at).await.expect_error(409, "SignatureReused");
    let captured = product.post_signed_at(PAYMENTS, &body, None, signed_at).await;
    assert_replay_of(&captured, &first);
    assert_eq!(gateway.count("payments"), 1);
}
