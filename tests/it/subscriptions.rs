//! Subscriptions at Polar, from the payment that each begins as to its end: what the product sees and is told.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;

use crate::rail_histories::KeptBack;
use crate::rails::{OnRail, Simulator};
use crate::simulators::polar::{self, PolarSimulator};
use crate::support::{Answer, Delivered, Product, id_of};

/// The recurring product's own price.
const PRICE: i64 = 2000;

fn polar_of(rail: &OnRail) -> &PolarSimulator {
    let Simulator::Polar(polar) = &rail.simulator else { unreachable!() };
    polar
}

async fn create(rail: &OnRail, amount_minor: i64, external_user_id: &str) -> Answer {
    let product = json!({ "polar_product_id": polar::RECURRING_PRODUCT, "plan": "pro" });
    let changes = json!({
        "method": "polar", "currency": "USD", "amount_minor": amount_minor, "metadata": product,
        "external_user_id": external_user_id, "description": random_hex(4),
    });
    rail.product.create(changes).await
}

/// Lets the webhooks come and the gateway work.
async fn settle(rail: &OnRail) {
    rail.simulator.settled().await;
    rail.gateway.step().await;
}

/// The only subscription of a buyer.
async fn subscription_of(product: &Product, external_user_id: &str) -> Value {
    let found = product.listed(&format!("/v1/subscriptions?external_user_id={external_user_id}")).await;
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// A buyer's running subscription: the payment's id, Polar's id of it, and ours.
async fn subscribed(rail: &OnRail, external_user_id: &str) -> (String, String, String) {
    let payment_id = id_of(&create(rail, PRICE, external_user_id).await.expect_status(201).json());
    polar_of(rail).pay(&payment_id);
    settle(rail).await;
    let subscription_id = subscription_of(&rail.product, external_user_id).await["subscription_id"].clone();
    let at_polar = polar_of(rail).subscription_of(&payment_id).unwrap();
    (payment_id, at_polar, subscription_id.as_str().unwrap().to_owned())
}

async fn subscription(rail: &OnRail, subscription_id: &str) -> Value {
    rail.product.get(&format!("/v1/subscriptions/{subscription_id}")).await.expect_status(200).json()
}

async fn cancel(rail: &OnRail, subscription_id: &str, body: Value) -> Answer {
    // In another second, so that it is signed otherwise than the call before.
    rail.gateway.clock.advance(Duration::from_secs(1));
    rail.product.post(&format!("/v1/subscriptions/{subscription_id}/cancel"), &body).await
}

/// The bodies of a payment's events of one type, oldest first.
async fn events(rail: &OnRail, payment_id: &str, event_type: &str) -> Vec<Value> {
    let path = format!("/v1/events?payment_id={payment_id}&type={event_type}&limit=100");
    let found = rail.product.listed(&path).await;
    found.iter().rev().map(|event| event["body"].clone()).collect()
}

#[tokio::test]
async fn a_subscription_is_told_from_its_first_payment_to_its_end() {
    let rail = OnRail::start("polar").await;
    let (payment_id, at_polar, subscription_id) = subscribed(&rail, "user-1").await;
    let begun = subscription(&rail, &subscription_id).await;
    assert_eq!((&begun["status"], &begun["cancel_at_period_end"]), (&json!("active"), &json!(false)));
    assert_eq!((&begun["payment_id"], &begun["provider_ref"]), (&json!(payment_id), &json!(at_polar)));
    assert_eq!((&begun["mode"], &begun["provider"]), (&json!("sandbox"), &json!("polar")));
    let names = rail.product.event_names(&payment_id).await;
    assert_eq!(names, ["payment.succeeded", "subscription.active", "subscription.created"]);

    polar_of(&rail).renew(&at_polar);
    settle(&rail).await;
    let renewed = subscription(&rail, &subscription_id).await;
    assert!(renewed["current_period_end"].as_str() > begun["current_period_end"].as_str(), "{renewed}");
    let told = events(&rail, &payment_id, "subscription.renewed").await;
    assert_eq!(told.len(), 1, "once");
    let event = &told[0];
    assert_eq!((&event["amount"], &event["currency"]), (&json!(PRICE), &json!("USD")));
    assert_eq!((&event["subscription_id"], &event["status"]), (&json!(subscription_id), &json!("active")));
    assert_eq!(event["current_period_end"], renewed["current_period_end"]);
    assert_eq!(event["cancel_at_period_end"], false);
    assert_eq!((&event["external_user_id"], &event["metadata"]["plan"]), (&json!("user-1"), &json!("pro")));
    assert_eq!(rail.product.payment(&payment_id).await["paid_minor"], PRICE, "a renewal is no money of the payment");

    polar_of(&rail).past_due(&at_polar);
    settle(&rail).await;
    assert_eq!(subscription(&rail, &subscription_id).await["status"], "past_due");
    assert_eq!(events(&rail, &payment_id, "subscription.past_due").await.len(), 1);

    polar_of(&rail).renew(&at_polar);
    settle(&rail).await;
    assert_eq!(subscription(&rail, &subscription_id).await["status"], "active");
    assert_eq!(events(&rail, &payment_id, "subscription.active").await.len(), 2, "at first, and again");
    assert_eq!(events(&rail, &payment_id, "subscription.renewed").await.len(), 2);

    let canceled = cancel(&rail, &subscription_id, json!({ "at_period_end": true })).await.expect_status(200).json();
    assert_eq!((&canceled["status"], &canceled["cancel_at_period_end"]), (&json!("active"), &json!(true)));
    settle(&rail).await;
    cancel(&rail, &subscription_id, json!({})).await.expect_status(200);
    settle(&rail).await;
    let told = events(&rail, &payment_id, "subscription.canceled").await;
    assert_eq!(told.len(), 1, "by the call and by the webhook, once");
    assert_eq!(told[0]["cancel_at_period_end"], true);
    assert_eq!(told[0]["current_period_end"], canceled["current_period_end"]);

    polar_of(&rail).end(&at_polar);
    settle(&rail).await;
    assert_eq!(subscription(&rail, &subscription_id).await["status"], "ended");
    assert_eq!(events(&rail, &payment_id, "subscription.ended").await.len(), 1);
    assert_eq!(events(&rail, &payment_id, "subscription.canceled").await.len(), 1);
    assert_eq!(events(&rail, &payment_id, "payment.succeeded").await.len(), 1);
    assert_eq!(rail.gateway.count("renewals"), 2);
}

#[tokio::test]
async fn a_subscription_ends_at_once_when_that_is_asked_for() {
    let rail = OnRail::start("polar").await;
    let (payment_id, at_polar, subscription_id) = subscribed(&rail, "user-1").await;
    let ended = cancel(&rail, &subscription_id, json!({ "at_period_end": false })).await.expect_status(200).json();
    assert_eq!(ended["status"], "ended");
    settle(&rail).await;
    let again = cancel(&rail, &subscription_id, json!({ "at_period_end": false })).await.expect_status(200).json();
    assert_eq!(again["status"], "ended", "twice is as once");
    assert_eq!(events(&rail, &payment_id, "subscription.ended").await.len(), 1);
    let calls = polar_of(&rail).requests();
    let deleted = calls.iter().filter(|call| call.method == "DELETE" && call.path.contains(&at_polar)).count();
    assert_eq!(deleted, 1, "one that has ended is not ended at the provider again");
    cancel(&rail, &subscription_id, json!({ "at_once": true })).await.expect_error(400, "ValidationError");
}

#[tokio::test]
async fn a_cancellation_that_is_not_answered_can_be_asked_for_again() {
    use crate::simulators::proxy::Mode as Fault;
    for fault in [Fault::ResetBefore, Fault::ResetAfter, Fault::Status(500), Fault::Garbage] {
        let rail = OnRail::start("polar").await;
        let (payment_id, _, subscription_id) = subscribed(&rail, "user-1").await;
        rail.proxy.set(fault).await;
        cancel(&rail, &subscription_id, json!({})).await.expect_error(503, "ProviderUnavailable");
        rail.proxy.set(Fault::Pass).await;
        settle(&rail).await;
        rail.gateway.clock.advance(Duration::from_secs(30));
        let canceled = cancel(&rail, &subscription_id, json!({})).await.expect_status(200).json();
        assert_eq!(canceled["cancel_at_period_end"], true, "{fault:?}");
        settle(&rail).await;
        assert_eq!(events(&rail, &payment_id, "subscription.canceled").await.len(), 1, "{fault:?}");
    }
}

#[tokio::test]
async fn a_cancellation_is_replayed_without_asking_the_provider_again() {
    let rail = OnRail::start("polar").await;
    let (_, at_polar, subscription_id) = subscribed(&rail, "user-1").await;
    let path = format!("/v1/subscriptions/{subscription_id}/cancel");
    let body = json!({ "at_period_end": true });
    let first = rail.product.post_with_key(&path, &body, "key").await.expect_status(200);
    settle(&rail).await;
    // The buyer has changed their mind since.
    polar_of(&rail).uncancel(&at_polar);
    settle(&rail).await;
    assert_eq!(subscription(&rail, &subscription_id).await["cancel_at_period_end"], false);
    rail.gateway.clock.advance(Duration::from_secs(1));
    let replayed = rail.product.post_with_key(&path, &body, "key").await.expect_status(200);
    assert_eq!((replayed.header("idempotent-replayed"), &replayed.text), (Some("true"), &first.text));
    settle(&rail).await;
    assert_eq!(subscription(&rail, &subscription_id).await["cancel_at_period_end"], false);
}

#[tokio::test]
async fn subscriptions_are_listed_and_are_the_apps_own() {
    let rail = OnRail::start("polar").await;
    let (_, _, first) = subscribed(&rail, "user-1").await;
    rail.gateway.clock.advance(Duration::from_secs(1));
    let (_, at_polar, second) = subscribed(&rail, "user-2").await;
    polar_of(&rail).end(&at_polar);
    settle(&rail).await;
    let ids = async |product: &Product, query: &str| -> String {
        let found = product.listed(&format!("/v1/subscriptions{query}")).await;
        let ids: Vec<_> = found.iter().map(|one| one["subscription_id"].as_str().unwrap()).collect();
        ids.join(" ")
    };
    assert_eq!(ids(&rail.product, "").await, format!("{second} {first}"), "newest first");
    assert_eq!(ids(&rail.product, "?status=active").await, first);
    assert_eq!(ids(&rail.product, "?status=ended").await, second);
    assert_eq!(ids(&rail.product, "?external_user_id=user-2").await, second);
    assert!(ids(&rail.product, "?external_user_id=user-3").await.is_empty());
    let page = rail.product.get("/v1/subscriptions?limit=1").await.expect_status(200).json();
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&rail.product, &format!("?limit=1&cursor={cursor}")).await, first);
    rail.product.get("/v1/subscriptions?status=canceled").await.expect_error(400, "ValidationError");

    let other = rail.gateway.product(Mode::Sandbox).await;
    assert!(ids(&other, "").await.is_empty());
    let paths = [format!("/v1/subscriptions/{first}"), format!("/v1/subscriptions/{}", first.replace("sub_", "pay_"))];
    for path in &paths {
        other.get(path).await.expect_error(404, "SubscriptionNotFound");
    }
    rail.product.get(&paths[1]).await.expect_error(404, "SubscriptionNotFound");
    let theirs = other.post(&format!("{}/cancel", paths[0]), &json!({})).await;
    theirs.expect_error(404, "SubscriptionNotFound");
    assert_eq!(subscription(&rail, &first).await["cancel_at_period_end"], false);
}

#[tokio::test]
async fn another_amount_than_the_recurring_products_price_is_refused() {
    let rail = OnRail::start("polar").await;
    for amount_minor in [PRICE - 1, PRICE + 1] {
        let refused = create(&rail, amount_minor, "user-1").await.expect_error(502, "ProviderError");
        let payment = rail.product.payment(&refused.text_of("payment_id")).await;
        assert_eq!(payment["status"], "failed");
        let reason = payment["last_error"].as_str().unwrap();
        assert!(reason.contains("the recurring product costs 2000 USD"), "{reason}");
    }
    assert_eq!(rail.simulator.begun(), 0, "nothing was started at the provider");
}

/// The life of one subscription as Polar tells it, kept back: paid, renewed, past due, renewed, given up.
async fn life(kept: &KeptBack, external_user_id: &str, is_ended: bool) -> (String, Vec<Delivered>) {
    let polar = polar_of(&kept.rail);
    let payment_id = id_of(&create(&kept.rail, PRICE, external_user_id).await.expect_status(201).json());
    let from = kept.receiver.received().len();
    polar.pay(&payment_id);
    let at_polar = polar.subscription_of(&payment_id).unwrap();
    polar.renew(&at_polar);
    polar.past_due(&at_polar);
    polar.renew(&at_polar);
    polar.cancel(&at_polar);
    if is_ended {
        polar.end(&at_polar);
    }
    (payment_id, kept.told_since(from).await)
}

/// The same requests in another order, which `number` chooses.
fn shuffled(told: &[Delivered], number: usize) -> Vec<Delivered> {
    let mut shuffled = told.to_vec();
    let mut state = u64::try_from(number).unwrap() + 1;
    for index in (1..shuffled.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        shuffled.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
    }
    shuffled
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscriptions_webhooks_lead_to_one_state_in_every_order() {
    let kept = KeptBack::start("polar").await;
    let rail = &kept.rail;
    for number in 0..24 {
        let is_ended = number % 2 == 1;
        let user = format!("user-{number}");
        let (payment_id, told) = life(&kept, &user, is_ended).await;
        let order = match number {
            0 | 1 => told,
            2 | 3 => told.into_iter().rev().collect(),
            _ => shuffled(&told, number),
        };
        let kinds: Vec<_> = order.iter().map(|webhook| webhook.json()["type"].clone()).collect();
        let case = format!("{number}: {kinds:?}");
        for webhook in &order {
            assert_eq!(join_all([kept.deliver(webhook), kept.deliver(webhook)]).await, [200, 200], "{case}");
        }
        for webhook in order.iter().rev() {
            assert_eq!(kept.deliver(webhook).await, 200, "{case}");
        }
        rail.gateway.step().await;
        let found = subscription_of(&rail.product, &user).await;
        let expected = if is_ended { "ended" } else { "active" };
        assert_eq!((&found["status"], &found["cancel_at_period_end"]), (&json!(expected), &json!(true)), "{case}");
        let payment = rail.product.payment(&payment_id).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("succeeded"), &json!(PRICE)), "{case}");
        let renewed = events(rail, &payment_id, "subscription.renewed").await;
        assert_eq!(renewed.len(), 2, "{case}");
        assert_ne!(renewed[0]["provider_ref"], renewed[1]["provider_ref"], "{case}");
        for once in ["payment.succeeded", "subscription.created", "subscription.canceled"] {
            assert_eq!(events(rail, &payment_id, once).await.len(), 1, "{once}, {case}");
        }
        let ended = events(rail, &payment_id, "subscription.ended").await;
        assert_eq!(ended.len(), usize::from(is_ended), "{case}");
        // Of states that were over when they were heard of, nobody is told.
        assert!(events(rail, &payment_id, "subscription.past_due").await.len() <= 1, "{case}");
        assert!(events(rail, &payment_id, "subscription.active").await.len() <= 2, "{case}");
    }
}
