//! The program as an operator meets it: apps and their keys, settings and their faults, signing, starting, stopping.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::config::Settings;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;
use switchyard::store::Target;

use crate::support::{
    Answer, Product, Receiver, ServingProgram, TestDatabase, TestGateway, eventually_within, payment_request, program,
    program_on,
};

/// What became of a run.
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub talk: String,
}

impl Ran {
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout: {}\nstderr: {}", self.out, self.talk);
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("not one JSON value: {}", self.out))
    }

    /// The failure that its talk names, with a hint or without one.
    #[track_caller]
    pub fn expect_error(self, text: &str) -> Self {
        let ran = self.expect_code(1);
        assert!(ran.talk.contains("error: ") && ran.talk.contains(text), "{}", ran.talk);
        assert_eq!(ran.out, "");
        ran
    }
}

/// Runs a command to its end, without holding up the server in this process.
pub async fn finished(mut command: Command) -> Ran {
    let output = tokio::task::spawn_blocking(move || command.stdin(Stdio::null()).output().unwrap()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
}

async fn run(database: &TestDatabase, arguments: &[&str]) -> Ran {
    let mut command = program_on(database);
    command.args(arguments);
    finished(command).await
}

async fn run_with(database: &TestDatabase, variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let mut command = program_on(database);
    command.envs(variables.iter().copied()).args(arguments);
    finished(command).await
}

const CREATE: [&str; 9] =
    ["apps", "create", "--name", "Shoe shop", "--mode", "test", "--webhook-url", "https://shop.example/hook", "--json"];

async fn created_app(database: &TestDatabase) -> Value {
    run(database, &CREATE).await.expect_code(0).json()
}

fn field<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}"))
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The product that an app of the command line belongs to.
fn product_of(app: &Value, base_url: String) -> Product {
    Product {
        base_url,
        public_key: field(app, "public_key").to_owned(),
        secret: field(app, "secret").to_owned(),
        webhook_secret: app["webhook_secret"].as_str().unwrap_or_default().to_owned(),
        app_id: field(app, "app_id").to_owned(),
        clock: Clock::system(),
        client: reqwest::Client::new(),
    }
}

#[tokio::test]
async fn an_app_is_created_and_printed_as_one_object() {
    let database = TestDatabase::new();
    let ran = run(&database, &CREATE).await.expect_code(0);
    let app = ran.json();
    assert!(is_hex(field(&app, "secret"), 64), "{app}");
    assert!(is_hex(field(&app, "webhook_secret"), 64), "{app}");
    assert_ne!(app["secret"], app["webhook_secret"]);
    assert!(is_hex(field(&app, "public_key").strip_prefix("pk_test_").unwrap(), 24), "{app}");
    assert!(field(&app, "app_id").starts_with("app_"));
    assert_eq!(app["name"], "Shoe shop");
    assert_eq!(app["mode"], "test");
    assert_eq!(app["webhook_url"], "https://shop.example/hook");
    assert_eq!(ran.out.lines().count(), 1);
    assert!(!ran.talk.contains(field(&app, "secret")));

    for mode in ["sandbox", "live"] {
        let app = run(&database, &["apps", "create", "--name", "x", "--mode", mode, "--json"]).await.expect_code(0);
        let app = app.json();
        assert!(is_hex(field(&app, "public_key").strip_prefix(&format!("pk_{mode}_")).unwrap(), 24), "{app}");
        assert_eq!(app["mode"], mode);
        assert_eq!(app["webhook_url"], Value::Null);
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM apps"), 3);
}

#[tokio::test]
async fn an_app_with_bad_options_is_not_created() {
    let database = TestDatabase::new();
    let create = |more: &'static [&'static str]| {
        let arguments = [&["apps", "create", "--name", "x"], more].concat();
        let database = &database;
        async move { run(database, &arguments).await }
    };
    assert_eq!(create(&["--mode", "prod"]).await.code, Some(2));
    assert_eq!(create(&[]).await.code, Some(2));
    create(&["--mode", "live", "--webhook-url", "http://shop.example/"]).await.expect_error("https");
    create(&["--mode", "test", "--webhook-url", "shop.example"]).await.expect_error("webhook_url");
    create(&["--mode", "test", "--allow-provider", "stripe"]).await.expect_error("stripe");
    create(&["--mode", "test", "--allow-method", "nicepay=cash"]).await.expect_error("nicepay=cash");
    assert_eq!(database.number("SELECT COUNT(*) FROM apps"), 0);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_never_again() {
    let database = TestDatabase::new();
    let app = created_app(&database).await;
    let (app_id, key) = (field(&app, "app_id"), field(&app, "public_key"));
    for arguments in [
        &["apps", "list"][..],
        &["apps", "list", "--json"],
        &["apps", "show", app_id],
        &["apps", "show", key, "--json"],
        &["doctor"],
    ] {
        let ran = run(&database, arguments).await.expect_code(0);
        for secret in ["secret", "webhook_secret"] {
            let secret = field(&app, secret);
            assert!(!ran.out.contains(secret) && !ran.talk.contains(secret), "{arguments:?} shows a secret");
        }
    }
    let list = run(&database, &["apps", "list", "--json"]).await.json();
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert_eq!(list[0]["public_key"], key);
    let shown = run(&database, &["apps", "show", app_id, "--json"]).await.json();
    assert_eq!(shown["name"], "Shoe shop");
    assert_eq!(shown["webhook_url"], "https://shop.example/hook");
    assert!(run(&database, &["apps", "list"]).await.out.contains(key));
    run(&database, &["apps", "show", "app_nothing"]).await.expect_error("app_nothing");
}

#[tokio::test]
async fn no_secret_is_in_the_database_in_the_clear() {
    let database = TestDatabase::new();
    let app = created_app(&database).await;
    let rotated = run(&database, &["apps", "rotate", field(&app, "app_id"), "--json"]).await.expect_code(0).json();
    let secrets = [&app, &rotated].map(|app| [field(app, "secret"), field(app, "webhook_secret")]).concat();
    match &database.target {
        Target::Sqlite(_) => {
            let mut looked_at = 0;
            for entry in std::fs::read_dir(&database.directory).unwrap() {
                let path = entry.unwrap().path();
                let bytes = std::fs::read(&path).unwrap();
                looked_at += bytes.len();
                for secret in &secrets {
                    let raw = hex::decode(secret).unwrap();
                    for needle in [secret.as_bytes(), secret.to_uppercase().as_bytes(), &raw] {
                        let found = bytes.windows(needle.len()).any(|window| window == needle);
                        assert!(!found, "a secret is in {}", path.display());
                    }
                }
            }
            assert!(looked_at > 4096, "there is no database to look at");
        }
        Target::Postgres(_) => {
            for (table, count) in [("apps", 1), ("webhook_endpoints", 1)] {
                let rows = database.texts(&format!("SELECT row_to_json(t)::text AS text FROM {table} t"));
                assert_eq!(rows.len(), count);
                for secret in &secrets {
                    assert!(!rows[0].contains(secret), "a secret is in {table}");
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_command_line_changes_reaches_a_running_server_within_a_second() {
    let gateway = TestGateway::spawn().await;
    let database = &gateway.database;
    let receiver = Receiver::start().await;
    let app = created_app(database).await;
    let app_id = field(&app, "app_id");
    let old = product_of(&app, gateway.server.url());
    old.get("/v1/payments").await.expect_status(200);
    let second = Duration::from_secs(1);
    let is_refused = async |product: &Product| product.get("/v1/payments").await.status == 401;

    let rotated = run(database, &["apps", "rotate", app_id, "--overlap", "1h", "--json"]).await.expect_code(0).json();
    let new = product_of(&rotated, gateway.server.url());
    assert_eq!(rotated["public_key"], app["public_key"]);
    assert_ne!(rotated["secret"], app["secret"]);
    assert_ne!(rotated["webhook_secret"], app["webhook_secret"]);
    new.get("/v1/payments").await.expect_status(200);
    old.get("/v1/payments").await.expect_status(200);
    run(database, &["apps", "rotate", app_id, "--finish"]).await.expect_code(0);
    eventually_within(second, "the old secret stops", || is_refused(&old)).await;
    new.get("/v1/payments").await.expect_status(200);

    let rotated = run(database, &["apps", "rotate", app_id, "--overlap", "0s", "--json"]).await.expect_code(0).json();
    eventually_within(second, "the old secret stops at once", || is_refused(&new)).await;
    let product = product_of(&rotated, gateway.server.url());
    product.get("/v1/payments").await.expect_status(200);

    run(database, &["apps", "set-webhook", app_id, &receiver.url]).await.expect_code(0);
    product.created(json!({ "mock": { "outcome": "succeed" } })).await;
    receiver.wait_for(1).await;

    run(database, &["apps", "archive", app_id]).await.expect_code(0);
    eventually_within(second, "an archived app's key stops", || is_refused(&product)).await;
    product.get("/v1/payments").await.expect_error(401, "BadSignature");
    let shown = run(database, &["apps", "show", app_id, "--json"]).await.json();
    assert!(shown["archived_at"].is_string());
}

#[tokio::test]
async fn an_app_gets_its_webhook_secret_with_its_first_webhook() {
    let database = TestDatabase::new();
    let app = run(&database, &["apps", "create", "--name", "x", "--mode", "test", "--json"]).await.json();
    let set = ["apps", "set-webhook", field(&app, "app_id"), "https://shop.example/hook", "--json"];
    let first = run(&database, &set).await.expect_code(0).json();
    assert!(is_hex(field(&first, "webhook_secret"), 64), "{first}");
    let second = run(&database, &set).await.expect_code(0).json();
    assert_eq!(second, json!({ "webhook_url": "https://shop.example/hook" }));
    run(&database, &["apps", "set-webhook", field(&app, "app_id"), "ftp://x"]).await.expect_error("http");
    run(&database, &["apps", "archive", "app_nothing"]).await.expect_error("app_nothing");
    run(&database, &["apps", "rotate", "app_nothing"]).await.expect_error("app_nothing");
}

#[tokio::test]
async fn the_key_file_is_its_owners_alone_and_must_fit_the_database() {
    let database = TestDatabase::new();
    created_app(&database).await;
    let key_file = database.directory.join("secrets.key");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key_file), 0o600);
    let key = std::fs::read_to_string(&key_file).unwrap();
    assert!(is_hex(key.trim(), 64), "{key}");

    std::fs::set_permissions(&key_file, PermissionsExt::from_mode(0o644)).unwrap();
    run(&database, &["apps", "list"]).await.expect_error("0600");
    std::fs::set_permissions(&key_file, PermissionsExt::from_mode(0o600)).unwrap();
    run(&database, &["apps", "list"]).await.expect_code(0);

    let other = random_hex(32);
    let refused = run_with(&database, &[("SWITCHYARD__SECRETS__KEY", &other)], &["apps", "list"]).await;
    let refused = refused.expect_error("sealing key");
    assert!(!refused.talk.contains(&other) && !refused.talk.contains(key.trim()));
    let refused = run_with(&database, &[("SWITCHYARD__SECRETS__KEY", &other)], &["serve"]).await;
    refused.expect_error("sealing key");
    run_with(&database, &[("SWITCHYARD__SECRETS__KEY", key.trim())], &["apps", "list"]).await.expect_code(0);

    std::fs::write(&key_file, "not a key").unwrap();
    run(&database, &["apps", "list"]).await.expect_error("64 hex");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_signed_request_of_the_command_line_is_accepted() {
    let gateway = TestGateway::spawn().await;
    let database = &gateway.database;
    let app = created_app(database).await;
    let url = gateway.server.url();

    let signed = run(database, &["sign", "get", "/v1/payments?limit=1", "--json"]).await.expect_code(0).json();
    let mut request = reqwest::Client::new().get(format!("{url}/v1/payments?limit=1"));
    for (name, value) in signed["headers"].as_object().unwrap() {
        request = request.header(name, value.as_str().unwrap());
    }
    Answer::of(request.send().await.unwrap()).await.expect_status(200);

    let body = payment_request(json!({ "description": "it's $HOME; \"100%\" `id` \\ ünï" })).to_string();
    let base_url = ["--base-url", url.as_str()];
    let signed = run(database, &[&["sign", "POST", "/v1/payments", "--body", &body], &base_url[..]].concat()).await;
    let signed = signed.expect_code(0);
    assert!(signed.out.contains(&format!("X-PAY-Key: {}\n", field(&app, "public_key"))), "{}", signed.out);
    let curl = &signed.out[signed.out.find("curl ").unwrap()..];
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(curl);
    let answer = finished(shell).await.expect_code(0).json();
    assert_eq!(answer["description"], "it's $HOME; \"100%\" `id` \\ ünï", "{answer}");
    assert_eq!(database.number("SELECT COUNT(*) FROM payments"), 1);

    let file = database.directory.join("body.json");
    std::fs::write(&file, payment_request(json!({})).to_string()).unwrap();
    let from_file = format!("@{}", file.display());
    let variables = [("SWITCHYARD__SERVER__PUBLIC_URL", url.as_str())];
    let arguments = ["sign", "POST", "/v1/payments", "--body", &from_file, "--app", field(&app, "app_id"), "--json"];
    let signed = run_with(database, &variables, &arguments).await.expect_code(0).json();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(field(&signed, "curl"));
    assert_eq!(finished(shell).await.expect_code(0).json()["status"], "initiated");
    assert_eq!(database.number("SELECT COUNT(*) FROM payments"), 2);
}

#[tokio::test]
async fn signing_needs_no_database_when_the_secret_is_given() {
    let empty = TestDatabase::new();
    let secret = "0123456789abcdef".repeat(4);
    let mut command = program();
    command
        .current_dir(&empty.directory)
        .envs([("PAY_KEY", "pk_test_0123456789abcdef01234567"), ("PAY_SECRET", &secret)])
        .args(["sign", "POST", "/v1/payments", "--timestamp", "1760000000", "--json", "--body"])
        .arg(r#"{"amount_minor":50000,"currency":"IDR"}"#);
    let signed = finished(command).await.expect_code(0).json();
    assert_eq!(
        signed["headers"],
        json!({
            "X-PAY-Key": "pk_test_0123456789abcdef01234567",
            "X-PAY-Timestamp": "1760000000",
            "X-PAY-Signature": "f09b97bce8c4ffd36cf0746aeb1f3b9c4f107e38902488af3ff6199b633c9b62",
        })
    );
    assert_eq!(std::fs::read_dir(&empty.directory).unwrap().count(), 0);
    run(&empty, &["sign", "GET", "v1/payments"]).await.expect_code(1);
}

#[tokio::test]
async fn every_fault_of_the_settings_is_reported_at_once() {
    let database = TestDatabase::new();
    let file = database.directory.join("switchyard.toml");
    std::fs::write(&file, "[server]\nbnid = \"127.0.0.1:1\"\nworkers = \"many\"\n[log]\nformat = \"xml\"\n").unwrap();
    let key = "not-the-key-7f3a";
    let variables = [
        ("SWITCHYARD__SERVER__BIND", "nowhere"),
        ("SWITCHYARD__SERVER__MODES", "test,prod"),
        ("SWITCHYARD__SERVER__PUBLIC_URL", "ftp://x"),
        ("SWITCHYARD__DATABASE__URL", "mysql://localhost/x"),
        ("SWITCHYARD__SECRETS__KEY", key),
        ("SWITCHYARD__WEBHOOKS__ALLOW_PRIVATE", "perhaps"),
        ("SWITCHYARD__WEBHOOK__CONCURRENCY", "1"),
    ];
    let config = file.to_str().unwrap();
    for command in [&["serve"][..], &["migrate"], &["apps", "list"]] {
        let ran = run_with(&database, &variables, &[&["--config", config], command].concat()).await;
        let ran = ran.expect_error("settings");
        for part in [
            "server.bind",
            "prod",
            "server.public_url",
            "server.workers",
            "server.bnid is not a setting",
            "database.url",
            "secrets.key",
            "webhooks.allow_private",
            "webhook.concurrency is not a setting",
            "log.format",
        ] {
            assert!(ran.talk.contains(part), "{command:?} says nothing of {part}: {}", ran.talk);
        }
        assert!(!ran.talk.contains(key), "a secret is quoted: {}", ran.talk);
    }
    let missing = run(&database, &["--config", "nothing.toml", "migrate"]).await;
    missing.expect_error("nothing.toml");
}

#[tokio::test]
async fn a_number_that_is_out_of_range_is_refused_as_a_setting() {
    let database = TestDatabase::new();
    let variables = [("SWITCHYARD__DATABASE__READ_CONNECTIONS", "0")];
    let ran = run_with(&database, &variables, &["apps", "list"]).await;
    ran.expect_error("database.read_connections must be a whole number from 1 to 1000");
}

#[tokio::test]
async fn a_settings_file_is_overridden_by_variables() {
    let database = TestDatabase::new();
    let file = database.directory.join("switchyard.toml");
    std::fs::write(&file, "[database]\nurl = \"mysql://x\"\n[server]\nmodes = [\"test\", \"live\"]\n").unwrap();
    run(&database, &["--config", file.to_str().unwrap(), "migrate"]).await.expect_code(0);
}

#[tokio::test]
async fn migrate_says_what_is_pending_and_runs_it_once() {
    let database = TestDatabase::empty();
    assert_eq!(run(&database, &["migrate", "--check"]).await.code, Some(1));
    let ran = run(&database, &["migrate"]).await.expect_code(0);
    assert!(ran.out.lines().count() >= 1, "{}", ran.out);
    let checked = run(&database, &["migrate", "--check"]).await.expect_code(0);
    assert_eq!(checked.out, "");
    assert_eq!(run(&database, &["migrate"]).await.expect_code(0).out, "");
}

#[tokio::test]
async fn a_check_of_a_database_that_is_not_there_makes_none() {
    let database = TestDatabase::new();
    if matches!(database.target, Target::Sqlite(_)) {
        run(&database, &["migrate", "--check"]).await.expect_code(1);
        run(&database, &["doctor"]).await.expect_code(1);
        assert_eq!(std::fs::read_dir(&database.directory).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn the_doctor_tells_what_is_in_order_and_what_is_not() {
    let database = TestDatabase::new();
    created_app(&database).await;
    let ran = run(&database, &["doctor"]).await.expect_code(0);
    for name in ["settings", "database", "durability", "secrets"] {
        let line = ran.out.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("no {name}: {}", ran.out));
        assert!(line.starts_with("ok "), "{line}");
    }
    let report = run(&database, &["doctor", "--json"]).await.expect_code(0).json();
    let checks = report["checks"].as_array().unwrap();
    let missing = checks.iter().find(|check| check["result"] == "warning").unwrap();
    assert!(field(missing, "detail").contains("the mock stands in"), "{missing}");

    let other = random_hex(32);
    let ran = run_with(&database, &[("SWITCHYARD__SECRETS__KEY", &other)], &["doctor", "--json"]).await;
    let report = ran.expect_code(1).json();
    let secrets = report["checks"].as_array().unwrap().iter().find(|check| check["check"] == "secrets").unwrap();
    assert_eq!(secrets["result"], "failed");
    let ran = run_with(&database, &[("SWITCHYARD__SERVER__BNID", "x")], &["doctor"]).await.expect_code(1);
    assert!(ran.out.contains("server.bnid is not a setting"), "{}", ran.out);
}

#[tokio::test]
async fn the_demo_shows_a_payment_from_end_to_end_again_and_again() {
    let database = TestDatabase::new();
    let data = database.directory.join("demo");
    let demo = |port: u16| {
        let mut command = program();
        let port = port.to_string();
        command.current_dir(&database.directory).args(["demo", "--once", "--port", &port, "--data"]).arg(&data);
        finished(command)
    };
    let first = demo(0).await.expect_code(0);
    for step in ["gateway", "app", "payment", "paid", "event"] {
        assert!(first.out.lines().any(|line| line.trim_start().starts_with(step)), "no {step}: {}", first.out);
    }
    for part in ["POST /v1/payments → 201 pay_", "payment.succeeded", "both verify", "(new)"] {
        assert!(first.out.contains(part), "no {part}: {}", first.out);
    }
    assert!(!first.out.contains("is taken"), "{}", first.out);
    let again = demo(0).await.expect_code(0);
    assert!(again.out.contains("from an earlier run") && again.out.contains("both verify"), "{}", again.out);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let elsewhere = demo(port).await.expect_code(0);
    assert!(elsewhere.out.contains(&format!("port {port} is taken")), "{}", elsewhere.out);
    assert!(elsewhere.out.contains("both verify"), "{}", elsewhere.out);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_stop_finishes_and_ends_within_ten_seconds() {
    let database = TestDatabase::new();
    let serving = ServingProgram::start(&database, &[("SWITCHYARD__WEBHOOKS__ALLOW_PRIVATE", "true")]).await;
    // An endpoint that never answers, so that a delivery is under way when the stop comes.
    let hole = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", hole.local_addr().unwrap());
    let create = ["apps", "create", "--name", "x", "--mode", "test", "--json", "--webhook-url", &url];
    let app = run(&database, &create).await.expect_code(0).json();
    let product = product_of(&app, serving.url.clone());
    product.created(json!({ "mock": { "outcome": "succeed" } })).await;
    let leased = "SELECT COUNT(*) FROM deliveries WHERE lease IS NOT NULL";
    eventually_within(Duration::from_secs(5), "a delivery hangs", || async { database.number(leased) == 1 }).await;

    let (code, took) = serving.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "it took {took:?}");
    assert_eq!(database.number(leased), 0, "the lease was not handed back");
    let due = "SELECT COUNT(*) FROM deliveries WHERE state = 'pending' AND attempts = 0";
    assert_eq!(database.number(due), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_server_stops_at_once() {
    let database = TestDatabase::new();
    let serving = ServingProgram::start(&database, &[]).await;
    let (code, took) = serving.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(3), "it took {took:?}");
}

/// A run in an empty directory with nothing but a database URL. The directory must be empty afterwards.
async fn run_on_url(url: &str, arguments: &[&str]) -> Ran {
    let place = TestDatabase::new();
    let mut command = program();
    command
        .current_dir(&place.directory)
        .env("SWITCHYARD__DATABASE__URL", url)
        .env("SWITCHYARD__SERVER__BIND", "127.0.0.1:0")
        .args(arguments);
    let started = Instant::now();
    let ran = finished(command).await.expect_code(1);
    assert!(started.elapsed() < Duration::from_secs(8), "it took {:?}", started.elapsed());
    let left: Vec<_> = std::fs::read_dir(&place.directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.is_empty(), "{arguments:?} left {left:?}");
    ran
}

#[tokio::test]
async fn a_postgres_that_is_down_is_named_without_its_password_and_nothing_else_is_opened() {
    for arguments in [&["serve"][..], &["migrate"], &["migrate", "--check"], &["apps", "list"]] {
        let ran = run_on_url("postgres://u:hunter2@127.0.0.1:1/x", arguments).await;
        assert!(ran.talk.contains("127.0.0.1:1"), "{}", ran.talk);
        assert!(!ran.talk.contains("hunter2") && !ran.out.contains("hunter2"), "{} {}", ran.out, ran.talk);
    }
    let ran = run_on_url("postgres://u:hunter2@127.0.0.1:1/x", &["doctor"]).await;
    assert!(ran.out.contains("127.0.0.1:1") && !ran.out.contains("hunter2"), "{}", ran.out);
}

#[tokio::test]
async fn a_database_url_that_cannot_be_read_does_not_show_its_password_either() {
    let mut leaks = Vec::new();
    for url in [
        "postgres://u:hunter2%zz@127.0.0.1:1/x",
        "postgres://u:hunter2/x@127.0.0.1:1/x",
        "postgres://u:p@hunter2@127.0.0.1:1/x",
        "postgres://u:hunter2@[::1/x",
        "postgres://u:hunter2@127.0.0.1:port/x",
        "postgres://u:hunter2@127.0.0.1:1/x?password=hunter2&nonsense=1",
    ] {
        let ran = run_on_url(url, &["migrate"]).await;
        leaks.extend(ran.talk.contains("hunter2").then_some(ran.talk));
    }
    assert_eq!(leaks, Vec::<String>::new());
}

#[tokio::test]
async fn the_settings_of_a_test_are_those_of_the_program() {
    let database = TestDatabase::new();
    let app = created_app(&database).await;
    let settings: Settings = database.settings();
    let gateway = switchyard::gateway::Gateway::open(settings, Clock::system()).await.unwrap();
    let (found, _) = gateway.find_app(field(&app, "public_key")).await.unwrap();
    assert_eq!(found.mode, Mode::Test);
}

#[tokio::test]
async fn an_account_is_added_from_standard_input_and_its_credentials_never_come_out() {
    use std::io::Write as _;
    let database = TestDatabase::new();
    let mut urls = Vec::new();
    for (name, value) in [("BIND", "127.0.0.1:8099"), ("PUBLIC_URL", "https://pay.example")] {
        let mut command = program_on(&database);
        command.env(format!("SWITCHYARD__SERVER__{name}"), value);
        command.args(["accounts", "add", "--provider", "paypal", "--mode", "sandbox", "--json"]);
        let mut adding = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let given = b"client_id=id\nclient_secret=a-secret-of-paypal\nwebhook_id=WH1\n";
        adding.stdin.take().unwrap().write_all(given).unwrap();
        let output = tokio::task::spawn_blocking(move || adding.wait_with_output().unwrap()).await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let added: Value = serde_json::from_slice(&output.stdout).unwrap();
        urls.push((field(&added, "webhook_url").to_owned(), field(&added, "account_id").to_owned()));
    }
    for ((url, id), base) in urls.iter().zip(["http://127.0.0.1:8099", "https://pay.example"]) {
        assert_eq!(*url, format!("{base}/webhooks/paypal/sandbox/{id}"));
    }
    let listed = run(&database, &["accounts", "list", "--json"]).await.expect_code(0);
    assert!(!listed.out.contains("a-secret-of-paypal"));
    let archived: Vec<bool> =
        listed.json().as_array().unwrap().iter().map(|account| !account["archived_at"].is_null()).collect();
    assert_eq!(archived.iter().filter(|archived| **archived).count(), 1, "the second took the place of the first");
    let shown = run(&database, &["accounts", "list"]).await.expect_code(0);
    assert!(shown.out.contains("in use") && shown.out.contains("archived"), "{}", shown.out);
}
