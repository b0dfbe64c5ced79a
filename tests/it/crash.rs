//! The real program is killed under load, again and again, and nothing that it acknowledged is missing.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;
use switchyard::gateway::{AppOptions, Gateway};
use switchyard::store::Target;

use crate::support::{
    Answer, Product, Receiver, ServingProgram, TestDatabase, eventually, eventually_within, payment_request,
};

const CLIENTS: usize = 16;

/// A request for a payment.
#[derive(Clone)]
struct Order {
    key: String,
    body: String,
}

/// An order that was answered 201.
struct Acknowledged {
    order: Order,
    answer: String,
    /// Whether the buyer's payment was acknowledged too.
    is_paid: bool,
}

/// What one client saw until the server was gone.
#[derive(Default)]
struct Seen {
    acknowledged: Vec<Acknowledged>,
    unanswered: Vec<Order>,
}

/// The answer, unless the server went away.
async fn place(product: &Product, order: &Order) -> Option<Answer> {
    let now = product.clock.now().unix_seconds();
    let mut request = product.client.post(format!("{}/v1/payments", product.base_url)).body(order.body.clone());
    for (name, value) in product.signed_headers("POST", "/v1/payments", order.body.as_bytes(), now) {
        request = request.header(name, value);
    }
    let request = request.header("content-type", "application/json").header("idempotency-key", &order.key);
    let response = request.send().await.ok()?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Some(Answer { status, headers, text: response.text().await.ok()? })
}

async fn pay(product: &Product, payment_id: &str) -> Option<u16> {
    let url = format!("{}/mock/checkout/{payment_id}", product.base_url);
    let response = product.client.post(url).form(&[("outcome", "succeed")]).send().await.ok()?;
    Some(response.status().as_u16())
}

/// Orders and pays until the server is gone.
async fn buy(product: Product) -> Seen {
    let mut seen = Seen::default();
    loop {
        let body = payment_request(json!({ "metadata": { "cart": random_hex(8) } })).to_string();
        let order = Order { key: random_hex(16), body };
        let Some(answer) = place(&product, &order).await else {
            seen.unanswered.push(order);
            return seen;
        };
        assert_eq!(answer.status, 201, "{}", answer.text);
        let paid = pay(&product, &answer.text_of("payment_id")).await;
        assert!(paid.is_none_or(|status| status == 303), "{paid:?}");
        seen.acknowledged.push(Acknowledged { order, answer: answer.text, is_paid: paid.is_some() });
        if paid.is_none() {
            return seen;
        }
    }
}

/// The product as it was answered, compared with what is there now: the fields that differ.
fn missing_fields(acknowledged: &Value, now: &Value) -> Vec<String> {
    let may_change = ["status", "paid_minor", "updated_at"];
    acknowledged
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, value)| !may_change.contains(&name.as_str()) && now[name.as_str()] != **value)
        .map(|(name, _)| name.clone())
        .collect()
}

/// How many of the acknowledged payments are not there as they were acknowledged.
async fn count_missing(product: &Product, acknowledged: &[Acknowledged]) -> usize {
    futures_util::stream::iter(acknowledged)
        .map(|acknowledged| async {
            let then: Value = serde_json::from_str(&acknowledged.answer).unwrap();
            let answer = product.get(&format!("/v1/payments/{}", then["payment_id"].as_str().unwrap())).await;
            if answer.status != 200 {
                return 1;
            }
            let now = answer.json();
            let is_same = missing_fields(&then, &now).is_empty();
            let is_paid = now["status"] == "succeeded" && now["paid_minor"] == now["amount_minor"];
            usize::from(!is_same || (acknowledged.is_paid && !is_paid))
        })
        .buffer_unordered(CLIENTS)
        .fold(0, |sum, missing| async move { sum + missing })
        .await
}

/// Sends acknowledged orders once more: the same answer, byte for byte.
async fn assert_replayed(product: &Product, acknowledged: &[Acknowledged]) {
    futures_util::stream::iter(acknowledged)
        .for_each_concurrent(CLIENTS, |acknowledged| async {
            let again = place(product, &acknowledged.order).await.unwrap();
            assert_eq!((again.status, &again.text), (201, &acknowledged.answer));
            assert_eq!(again.header("idempotent-replayed"), Some("true"));
        })
        .await;
}

/// What must hold in the database at any moment.
fn assert_whole(database: &TestDatabase) {
    for (what, sql) in [
        (
            "payments without an attempt",
            "SELECT COUNT(*) FROM payments p WHERE NOT EXISTS
               (SELECT 1 FROM attempts a WHERE a.payment_id = p.payment_id)",
        ),
        (
            "payments without the request that made them",
            "SELECT COUNT(*) FROM payments p WHERE NOT EXISTS
               (SELECT 1 FROM requests r WHERE r.payment_id = p.payment_id AND r.answer IS NOT NULL)",
        ),
        (
            "requests without their payment",
            "SELECT COUNT(*) FROM requests r WHERE r.payment_id IS NOT NULL AND NOT EXISTS
               (SELECT 1 FROM payments p WHERE p.payment_id = r.payment_id)",
        ),
        (
            "payments without their customer",
            "SELECT COUNT(*) FROM payments p WHERE NOT EXISTS
               (SELECT 1 FROM customers c WHERE c.app_id = p.app_id AND c.external_user_id = p.external_user_id)",
        ),
        (
            "succeeded payments without exactly one event",
            "SELECT COUNT(*) FROM payments p WHERE p.status = 'succeeded' AND 1 <>
               (SELECT COUNT(*) FROM events e WHERE e.payment_id = p.payment_id AND e.event_type = 'payment.succeeded')",
        ),
        (
            "succeeded payments without exactly one receipt of the whole amount",
            "SELECT COUNT(*) FROM payments p WHERE p.status = 'succeeded' AND (p.paid_minor <> p.amount_minor OR 1 <>
               (SELECT COUNT(*) FROM receipts r WHERE r.payment_id = p.payment_id AND r.amount_minor = p.amount_minor))",
        ),
        (
            "succeeded payments that were not charged exactly once",
            "SELECT COUNT(*) FROM payments p WHERE p.status = 'succeeded' AND 1 <>
               (SELECT COALESCE(SUM(c.charges), 0) FROM mock_charges c WHERE c.payment_id = p.payment_id)",
        ),
        ("payments that were charged twice", "SELECT COUNT(*) FROM mock_charges WHERE charges > 1"),
        (
            "events of a success that is not there",
            "SELECT COUNT(*) FROM events e WHERE e.event_type = 'payment.succeeded' AND NOT EXISTS
               (SELECT 1 FROM payments p WHERE p.payment_id = e.payment_id AND p.status = 'succeeded')",
        ),
        (
            "events without exactly one delivery",
            "SELECT COUNT(*) FROM events e WHERE 1 <>
               (SELECT COUNT(*) FROM deliveries d WHERE d.event_id = e.event_id)",
        ),
    ] {
        assert_eq!(database.number(sql), 0, "{what}");
    }
}

/// A product with an app on the database, before any program serves it.
async fn product_on(database: &TestDatabase, webhook_url: &str) -> Product {
    let gateway = Gateway::open(database.settings(), Clock::system()).await.unwrap();
    let options = AppOptions {
        name: "Busy shop".to_owned(),
        mode: Mode::Test,
        webhook_url: Some(webhook_url.to_owned()),
        allowed_providers: Vec::new(),
        allowed_methods: Vec::new(),
        require_signed_query: false,
        kyc_above: Vec::new(),
    };
    // The checkout's answer is a redirect to the shop, which is not there.
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Product { client, ..Product::new(String::new(), gateway.create_app(options).await.unwrap(), Clock::system()) }
}

async fn start(database: &TestDatabase) -> ServingProgram {
    let variables = [
        ("SWITCHYARD__WEBHOOKS__ALLOW_PRIVATE", "true"),
        // The port is another one after each restart; the answers' URLs stay.
        ("SWITCHYARD__SERVER__PUBLIC_URL", "https://pay.example"),
        ("SWITCHYARD__LOG__LEVEL", "warn"),
    ];
    ServingProgram::start(database, &variables).await
}

fn random_moment() -> Duration {
    let random = u64::from_str_radix(&random_hex(2), 16).unwrap();
    Duration::from_millis(200 + random % 401)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_the_program_is_killed_under_load() {
    let database = TestDatabase::new();
    let receiver = Receiver::start().await;
    let mut product = product_on(&database, &receiver.url).await;
    let rounds = match database.target {
        Target::Sqlite(_) => 15,
        Target::Postgres(_) => 8,
    };
    let mut serving = start(&database).await;
    let (mut acks, mut paid, mut missing, mut orders) = (0, 0, 0, 0);
    let mut restarts = Vec::new();
    let mut kills = 0;
    // A busy machine makes few payments between two kills: then there are more of them.
    while kills < rounds || (paid < rounds * CLIENTS && kills < 4 * rounds) {
        kills += 1;
        product.base_url.clone_from(&serving.url);
        let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(buy(product.clone()))).collect();
        tokio::time::sleep(random_moment()).await;
        serving.kill();
        let mut seen = Seen::default();
        for client in clients {
            let of_client = client.await.unwrap();
            seen.acknowledged.extend(of_client.acknowledged);
            seen.unanswered.extend(of_client.unanswered);
        }
        assert!(!seen.acknowledged.is_empty(), "the load never began");
        assert_whole(&database);

        serving = start(&database).await;
        assert!(serving.ready_after < Duration::from_secs(10), "restart took {:?}", serving.ready_after);
        restarts.push(serving.ready_after.as_millis());
        product.base_url.clone_from(&serving.url);
        missing += count_missing(&product, &seen.acknowledged).await;
        let last = seen.acknowledged.len().saturating_sub(150);
        assert_replayed(&product, &seen.acknowledged[last..]).await;
        // Whether or not these were written before the end, asking again makes each of them exactly once.
        for order in &seen.unanswered {
            assert_eq!(place(&product, order).await.unwrap().status, 201);
        }
        acks += seen.acknowledged.len();
        paid += seen.acknowledged.iter().filter(|acknowledged| acknowledged.is_paid).count();
        orders += seen.acknowledged.len() + seen.unanswered.len();
    }
    assert!(paid >= rounds * CLIENTS, "only {paid} payments were made before the kills");
    assert_eq!(missing, 0, "of {acks} acknowledged payments");
    assert_eq!(database.number("SELECT COUNT(*) FROM payments"), i64::try_from(orders).unwrap());

    // A buyer who was charged just before the end is looked up by the gateway itself.
    let unsettled = "SELECT COUNT(*) FROM mock_charges c JOIN payments p ON p.payment_id = c.payment_id
                     WHERE c.charges = 1 AND p.status <> 'succeeded'";
    let limit = Duration::from_secs(20);
    eventually_within(limit, "every charge is settled", || async { database.number(unsettled) == 0 }).await;
    assert_whole(&database);

    let untold = "SELECT COUNT(*) FROM deliveries WHERE state = 'pending' AND lease IS NULL";
    eventually("every event without a lease is delivered", || async { database.number(untold) == 0 }).await;
    // What the killed programs had in hand comes when their leases run out; the test does not wait for that minute.
    let leased = database.execute("UPDATE deliveries SET due_at = 0 WHERE state = 'pending'").unwrap();
    let pending = "SELECT COUNT(*) FROM deliveries WHERE state <> 'delivered'";
    eventually("every event is delivered", || async { database.number(pending) == 0 }).await;
    let told: HashSet<String> = receiver.received().iter().map(|delivered| delivered.header("webhook-id")).collect();
    let succeeded = database.texts("SELECT event_id AS text FROM events WHERE event_type = 'payment.succeeded'");
    assert!(succeeded.len() >= paid);
    assert_eq!(succeeded.iter().filter(|event_id| !told.contains(*event_id)).count(), 0, "events that never came");
    println!(
        "{kills} kills: {acks} acknowledged, {paid} paid, {missing} missing; {leased} events waited for a lease; \
         restart to the first 200 in {} to {} ms",
        restarts.iter().min().unwrap(),
        restarts.iter().max().unwrap(),
    );
}
