//! The developers' commands, as a developer meets them: the real program against a real server.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::domain::signing::{event_signature, standard_webhook_signature};

use crate::apps_cli::{Ran, finished};
use crate::support::{
    Delivered, Product, Receiver, ServingProgram, TestDatabase, TestGateway, eventually, id_of, program, program_on,
};

/// The program with an app's credentials in its environment, in a directory without a database.
fn as_app(product: &Product, arguments: &[&str]) -> Command {
    let mut command = program();
    command
        .current_dir(std::env::temp_dir())
        .env("PAY_URL", &product.base_url)
        .env("PAY_KEY", &product.public_key)
        .env("PAY_SECRET", &product.secret)
        .env_remove("WEBHOOK_SECRET")
        .args(arguments);
    command
}

async fn run(product: &Product, arguments: &[&str]) -> Ran {
    finished(as_app(product, arguments)).await
}

/// An app that the command line makes on a database, with an endpoint.
async fn made_app(database: &TestDatabase, url: &str, webhook_url: &str) -> Product {
    let mut command = program_on(database);
    command.args(["apps", "create", "--name", "shop", "--mode", "test", "--webhook-url", webhook_url, "--json"]);
    let app = finished(command).await.expect_code(0).json();
    let text = |name: &str| app[name].as_str().unwrap().to_owned();
    Product {
        base_url: url.to_owned(),
        public_key: text("public_key"),
        secret: text("secret"),
        webhook_secret: text("webhook_secret"),
        app_id: text("app_id"),
        clock: Clock::system(),
        client: reqwest::Client::new(),
    }
}

/// `switchyard listen`, running.
struct Listener {
    child: Child,
    directory: std::path::PathBuf,
}

impl Listener {
    async fn start(database: &TestDatabase, mut command: Command) -> Self {
        let directory = database.directory.clone();
        let file = |name: &str| std::fs::File::create(directory.join(name)).unwrap();
        let child = command.stdout(file("listen.out")).stderr(file("listen.talk")).spawn().unwrap();
        let listener = Self { child, directory };
        eventually("it listens", || async { listener.talk().contains("Ctrl-C ends") }).await;
        listener
    }

    fn out(&self) -> String {
        std::fs::read_to_string(self.directory.join("listen.out")).unwrap()
    }

    fn talk(&self) -> String {
        std::fs::read_to_string(self.directory.join("listen.talk")).unwrap()
    }

    /// Presses Ctrl-C; the exit code.
    async fn interrupt(&mut self) -> Option<i32> {
        assert!(Command::new("kill").args(["-INT", &self.child.id().to_string()]).status().unwrap().success());
        for _ in 0..500 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("it did not end within 5 s");
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn paid(product: &Product) -> String {
    id_of(&product.created(json!({ "mock": { "outcome": "succeed" } })).await)
}

fn payments_of(received: &[Delivered]) -> Vec<String> {
    received.iter().map(|delivered| delivered.json()["payment_id"].as_str().unwrap().to_owned()).collect()
}

#[track_caller]
fn assert_is_signed(delivered: &Delivered, secret: &str) {
    let timestamp: i64 = delivered.header("x-pay-timestamp").parse().unwrap();
    assert!((Clock::system().now().unix_seconds() - timestamp).abs() < 60);
    assert_eq!(delivered.header("x-pay-signature"), event_signature(secret, timestamp, &delivered.body));
    assert_eq!(delivered.header("webhook-timestamp"), timestamp.to_string());
    let id = delivered.header("webhook-id");
    assert_eq!(id, delivered.json()["event_id"].as_str().unwrap());
    let standard = standard_webhook_signature(secret, &id, timestamp, &delivered.body);
    assert_eq!(delivered.header("webhook-signature"), standard);
}

#[actix_web::test]
async fn listening_loses_nothing_when_the_receiver_and_the_server_die() {
    let database = TestDatabase::new();
    let endpoint = Receiver::start().await;
    let allowed = [("SWITCHYARD__WEBHOOKS__ALLOW_PRIVATE", "true")];
    let mut server = ServingProgram::start(&database, &allowed).await;
    let product = made_app(&database, &server.url, &endpoint.url).await;
    let receiver = Receiver::start().await;
    let port: u16 = receiver.url.split([':', '/']).nth(4).unwrap().parse().unwrap();
    let mut command = as_app(&product, &["listen", "--forward-to", &receiver.url, "--json"]);
    command.env("WEBHOOK_SECRET", &product.webhook_secret);
    let mut listener = Listener::start(&database, command).await;

    // What is forwarded is what the endpoint gets.
    let mut all = vec![paid(&product).await];
    let forwarded = receiver.wait_for(1).await.remove(0);
    let delivered = endpoint.wait_for(1).await.remove(0);
    assert_eq!(forwarded.body, delivered.body);
    let names = |delivered: &Delivered| -> BTreeSet<String> {
        delivered.headers.iter().map(|(name, _)| name.clone()).collect()
    };
    assert_eq!(names(&forwarded), names(&delivered));
    for name in ["content-type", "user-agent", "webhook-id"] {
        assert_eq!(forwarded.header(name), delivered.header(name));
    }
    assert_is_signed(&forwarded, &product.webhook_secret);

    // The receiver dies and comes back.
    let mut received = payments_of(&receiver.received());
    receiver.stop().await;
    all.extend([paid(&product).await, paid(&product).await]);
    eventually("it is told that nobody receives", || async { listener.out().contains("could not connect") }).await;
    let receiver = Receiver::start_on(port).await;
    receiver.wait_for(2).await;

    // The server dies; another process goes on writing events; it comes back.
    server.kill();
    let other = ServingProgram::start(&database, &allowed).await;
    let elsewhere = Product { base_url: other.url.clone(), ..product.clone() };
    all.extend([paid(&elsewhere).await, paid(&elsewhere).await]);
    eventually("the event is written", || async { endpoint.received().len() >= 5 }).await;
    let server_port: u16 = server.url.rsplit(':').next().unwrap().parse().unwrap();
    let _server = ServingProgram::start_on(server_port, &database, &allowed).await;
    receiver.wait_for(4).await;
    all.push(paid(&product).await);
    receiver.wait_for(5).await;
    received.extend(payments_of(&receiver.received()));
    assert_eq!(received.len(), all.len(), "each came once: {received:?}");
    assert_eq!(BTreeSet::from_iter(received), BTreeSet::from_iter(all));
    eventually("each is shown as received", || async { listener.out().matches("\"status\":204").count() == 6 }).await;
    assert_eq!(listener.interrupt().await, Some(0));
    let lines: Vec<Value> = listener.out().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["error"] == "could not connect" && line["will_retry"] == true), "{lines:?}");
    assert!(!listener.talk().contains("not received"), "{}", listener.talk());
}

#[actix_web::test]
async fn listening_where_the_database_is_at_hand_signs_with_the_apps_own_secret() {
    let database = TestDatabase::new();
    let server = ServingProgram::start(&database, &[]).await;
    let product = made_app(&database, &server.url, "http://127.0.0.1:9/hook").await;
    let receiver = Receiver::start().await;
    receiver.answer_next(crate::support::Reply::status(500));
    receiver.answer_next(crate::support::Reply::status(400));
    let mut command = program_on(&database);
    let arguments = ["listen", "--forward-to", &receiver.url, "--events", "payment.failed", "--url", &server.url];
    command.args(arguments).env_remove("PAY_KEY").env_remove("PAY_SECRET").env_remove("WEBHOOK_SECRET");
    let mut listener = Listener::start(&database, command).await;
    paid(&product).await;
    let failed = id_of(&product.created(json!({ "mock": { "outcome": "fail" } })).await);
    // 500 is tried again, 400 is not.
    let received = receiver.wait_for(2).await;
    assert_eq!(payments_of(&received), [failed.clone(), failed.clone()]);
    received.iter().for_each(|delivered| assert_is_signed(delivered, &product.webhook_secret));
    eventually("the table has both", || async { listener.out().lines().count() == 3 }).await;
    let table = listener.out();
    assert!(table.lines().next().unwrap().starts_with("TIME      EVENT"), "{table}");
    assert!(table.contains("  500  ") && table.contains("ms, again") && table.contains("  400  "), "{table}");
    assert_eq!(listener.interrupt().await, Some(0));
}

#[actix_web::test]
async fn a_session_without_a_secret_makes_one_and_shows_it() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let receiver = Receiver::start().await;
    let command = as_app(&product, &["listen", "--forward-to", &receiver.url]);
    let mut listener = Listener::start(&gateway.database, command).await;
    let talk = listener.talk();
    let secret = talk.split("a secret of this session: ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    assert_eq!(secret.len(), 64, "{talk}");
    paid(&product).await;
    assert_is_signed(&receiver.wait_for(1).await[0], &secret);
    receiver.stop().await;
    let payment_id = paid(&product).await;
    eventually("it is tried", || async { listener.out().contains(&payment_id) }).await;
    assert_eq!(listener.interrupt().await, Some(0));
    assert!(listener.talk().contains("not received: payment.succeeded evt_"), "{}", listener.talk());
}

#[actix_web::test]
async fn every_scenario_of_the_list_ends_with_its_event() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let list = run(&product, &["trigger", "--list", "--json"]).await.expect_code(0);
    let scenarios: Vec<Value> = list.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(scenarios.len() > 8, "{scenarios:?}");
    let runs = scenarios.iter().map(|scenario| {
        let name = scenario["scenario"].as_str().unwrap().to_owned();
        let product = product.clone();
        async move { (name.clone(), run(&product, &["trigger", &name, "--json"]).await.expect_code(0).json()) }
    });
    for ((name, made), scenario) in futures_util::future::join_all(runs).await.into_iter().zip(&scenarios) {
        assert_eq!(made["event"], scenario["event"], "{name}: {made}");
        let names = product.event_names(made["payment_id"].as_str().unwrap()).await;
        let is_refund = name.starts_with("refund.");
        let expected: Vec<&str> =
            is_refund.then_some("payment.succeeded").into_iter().chain(made["event"].as_str()).collect();
        assert_eq!(names, expected, "{name}");
    }
    let shown = run(&product, &["trigger", "payment.succeeded", "--amount-minor", "1500"]).await.expect_code(0).out;
    assert!(shown.contains("payment_id   pay_") && shown.contains("event_id     evt_"), "{shown}");
}

#[actix_web::test]
async fn a_scenario_that_cannot_be_is_answered_with_the_reason() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let sandbox = gateway.product(Mode::Sandbox).await;
    for (scenario, reason) in [
        ("payment.paid_after_close", "first word stands"),
        ("payment.reversed", "takes no money back"),
        ("subscription.renewed", "pk_sandbox_"),
        ("delta.verified", "API key"),
        ("webhook.test", "console"),
    ] {
        run(&product, &["trigger", scenario]).await.expect_error(reason);
    }
    let ran = run(&product, &["trigger", "payment.suceeded"]).await.expect_code(2);
    assert!(ran.talk.contains("hint: `switchyard trigger --list`"), "{}", ran.talk);
    run(&product, &["trigger"]).await.expect_code(2);
    let ran = run(&sandbox, &["trigger", "payment.succeeded"]).await.expect_error("is not a key of mode test");
    assert!(ran.talk.contains("pk_test_"), "{}", ran.talk);
    assert_eq!(gateway.count("payments"), 0);
}

#[actix_web::test]
async fn payments_are_listed_shown_and_refunded() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let empty = run(&product, &["payments", "list"]).await.expect_code(0);
    assert_eq!(empty.out, "");
    assert!(empty.talk.contains("hint: `switchyard trigger"), "{}", empty.talk);
    let payment_id = run(&product, &["trigger", "payment.succeeded", "--json"]).await.json()["payment_id"].clone();
    let payment_id = payment_id.as_str().unwrap();
    product.created(json!({ "external_user_id": "someone else" })).await;

    let table = run(&product, &["payments", "list"]).await.expect_code(0).out;
    assert_eq!(table.lines().count(), 3, "{table}");
    let found = run(&product, &["payments", "list", "--status", "succeeded", "--json"]).await.expect_code(0).json();
    assert_eq!(found["payment_id"], payment_id);
    let first = run(&product, &["payments", "list", "--limit", "1", "--json"]).await.expect_code(0);
    let cursor = first.talk.trim().strip_prefix("more: --cursor ").unwrap().to_owned();
    let second = run(&product, &["payments", "list", "--cursor", &cursor, "--json"]).await.expect_code(0).json();
    assert_eq!(second["payment_id"], payment_id);

    let refund = ["payments", "refund", payment_id, "--amount-minor", "20000", "--reason", "broken", "--json"];
    let refund = run(&product, &refund).await.expect_code(0).json();
    assert_eq!((&refund["status"], &refund["amount_minor"]), (&json!("succeeded"), &json!(20_000)));
    let shown = run(&product, &["payments", "show", payment_id]).await.expect_code(0).out;
    assert!(shown.contains("refunded_minor       20000"), "{shown}");
    let shown = run(&product, &["payments", "show", payment_id, "--json"]).await.expect_code(0).json();
    assert!(shown["timeline"].as_array().unwrap().iter().any(|entry| entry["kind"] == "refund"), "{shown}");

    let refund = ["payments", "refund", payment_id, "--amount-minor", "999999"];
    let ran = run(&product, &refund).await.expect_error("exceeds the refundable amount");
    assert!(ran.talk.contains("hint: ") && ran.talk.contains("/docs/errors#not-refundable"), "{}", ran.talk);
    let ran = run(&product, &["payments", "show", "pay_nothing"]).await.expect_error("payment not found");
    assert!(ran.talk.contains("hint: `switchyard payments list`"), "{}", ran.talk);
    run(&product, &["payments", "list", "--limit", "many"]).await.expect_code(2);
    let nobody = Product { secret: "0".repeat(64), ..product.clone() };
    let ran = run(&nobody, &["payments", "list"]).await.expect_error("bad signature");
    assert!(ran.talk.contains("PAY_SECRET"), "{}", ran.talk);
    let nowhere = Product { base_url: "http://127.0.0.1:9".to_owned(), ..product };
    let ran = run(&nowhere, &["payments", "list"]).await.expect_error("could not connect");
    assert!(ran.talk.contains("--url"), "{}", ran.talk);
}

#[actix_web::test]
async fn events_are_shown_followed_and_sent_again() {
    let gateway = TestGateway::spawn().await;
    let receiver = Receiver::start().await;
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    for scenario in ["payment.succeeded", "payment.failed"] {
        run(&product, &["trigger", scenario]).await.expect_code(0);
    }
    let first = receiver.wait_for(2).await.remove(0);
    let table = run(&product, &["events", "tail"]).await.expect_code(0).out;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(table.lines().nth(1).unwrap().contains("payment.succeeded"), "the latest is last: {table}");
    let only = run(&product, &["events", "tail", "--type", "payment.failed", "--json"]).await.expect_code(0).json();
    assert_eq!(only["event"], "payment.failed");

    let id = first.header("webhook-id");
    let replayed = run(&product, &["events", "replay", &id, "--json"]).await.expect_code(0).json();
    assert_eq!(replayed, json!({ "event_id": id, "deliveries": 1 }));
    assert_eq!(receiver.wait_for(3).await[2].body, first.body);
    let none = run(&product, &["events", "replay", "--since", "1h"]).await.expect_code(0).out;
    assert_eq!(none.trim(), "0 deliveries were started");
    run(&product, &["events", "replay"]).await.expect_code(2);
    run(&product, &["events", "replay", "--since", "yesterday"]).await.expect_code(2);
    run(&product, &["events", "replay", "evt_nothing"]).await.expect_error("event not found");

    let command = as_app(&product, &["events", "tail", "--follow", "--json"]);
    let directory = gateway.database.directory.clone();
    let out = directory.join("tail.out");
    let mut command = command;
    let child = command.stdout(std::fs::File::create(&out).unwrap()).stderr(Stdio::null()).spawn().unwrap();
    let mut tail = Listener { child, directory };
    let lines = || std::fs::read_to_string(&out).unwrap().lines().count();
    eventually("the latest are shown", || async { lines() == 2 }).await;
    run(&product, &["trigger", "payment.canceled"]).await.expect_code(0);
    eventually("what comes is shown", || async { lines() == 3 }).await;
    assert_eq!(tail.interrupt().await, Some(0));
}
