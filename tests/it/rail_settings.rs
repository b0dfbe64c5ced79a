//! Credentials and hosts of providers as an operator sets them: what is refused and how it is named, what `/info` and the
//! doctor say, accounts of tenants, and what the gateway does when a provider fails or asks for patience.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;

use crate::rails::{OnRail, REFUNDING, Simulator};
use crate::simulators::nicepay;
use crate::simulators::paypal;
use crate::simulators::polar;
use crate::simulators::proxy::Mode as Network;
use crate::support::{
    Answer, Product, ServingProgram, TestDatabase, TestGateway, eventually, id_of, payment_request, program_on,
};

/// What became of a run.
struct Ran {
    code: Option<i32>,
    out: String,
    talk: String,
}

async fn finished(mut command: Command, input: String) -> Ran {
    let run = move || {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // A command that refuses its arguments does not read.
        drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
        child.wait_with_output().unwrap()
    };
    let output = tokio::task::spawn_blocking(run).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { code: output.status.code(), out: text(output.stdout), talk: text(output.stderr) }
}

async fn run(database: &TestDatabase, variables: &[(String, String)], arguments: &[&str], input: &str) -> Ran {
    let mut command = program_on(database);
    command.envs(variables.iter().cloned()).args(arguments);
    finished(command, input.to_owned()).await
}

/// Both programs that read the settings refuse them, name what is wrong, and show no value.
async fn expect_refused(database: &TestDatabase, variables: &[(String, String)], text: &str) {
    for command in ["serve", "doctor"] {
        let ran = run(database, variables, &[command], "").await;
        let said = format!("{}{}", ran.out, ran.talk);
        assert_eq!(ran.code, Some(1), "{command} {variables:?}: {said}");
        assert!(said.contains(text), "{command} does not say {text}: {said}");
        assert!(!said.contains("CANARY"), "{command} shows a value: {said}");
    }
}

fn variable(provider: &str, mode: &str, name: &str, value: &str) -> (String, String) {
    (format!("SWITCHYARD__PROVIDERS__{provider}__{mode}__{name}").to_uppercase(), value.to_owned())
}

/// Well-formed credentials that no provider knows.
const WELL_FORMED: [(&str, &[(&str, &str)]); 3] = [
    ("nicepay", &[("imid", "CANARY0001"), ("merchant_key", "CANARYkey==")]),
    ("polar", &[("access_token", "polar_oat_CANARY"), ("webhook_secret", "whsec_CANARY")]),
    ("paypal", &[("client_id", "CANARYid"), ("client_secret", "CANARYsecret"), ("webhook_id", "CANARY1234")]),
];

#[tokio::test]
async fn half_an_account_is_refused_naming_what_is_missing() {
    let database = TestDatabase::new();
    for (provider, credentials) in WELL_FORMED {
        for (missing, _) in credentials {
            let given = credentials.iter().filter(|(name, _)| name != missing);
            let variables: Vec<_> = given.map(|(name, value)| variable(provider, "sandbox", name, value)).collect();
            expect_refused(&database, &variables, &format!("providers.{provider}.sandbox.{missing} is missing")).await;
        }
    }
    assert_eq!(std::fs::read_dir(&database.directory).unwrap().count(), 0, "nothing was begun");
}

#[tokio::test]
async fn a_malformed_credential_is_refused_and_not_shown() {
    let database = TestDatabase::new();
    let malformed = [
        ("nicepay", "imid", "CANARY-CANARY"),
        ("nicepay", "merchant_key", "CANARY key"),
        ("nicepay", "api", "CANARY"),
        ("nicepay", "qris_acquirer", "CANARY"),
        ("nicepay", "private_key", "CANARY"),
        ("nicepay", "public_key", "CANARY"),
        ("polar", "access_token", "CANARY token"),
        ("polar", "webhook_secret", "CANARY"),
        ("paypal", "client_id", "CANARY id"),
        ("paypal", "webhook_id", "CANARY 1"),
        ("paypal", "webhook_ca", "CANARY"),
    ];
    // All of a provider's at once: every one is named.
    for (provider, credentials) in WELL_FORMED {
        let of_it = || malformed.iter().filter(|(of, ..)| *of == provider);
        let mut variables: Vec<_> =
            credentials.iter().map(|(name, value)| variable(provider, "live", name, value)).collect();
        variables.extend(of_it().map(|(_, name, value)| variable(provider, "live", name, value)));
        for (_, name, _) in of_it() {
            let text = format!("providers.{provider}.live.{name} does not look like one");
            expect_refused(&database, &variables, &text).await;
        }
    }
    let unknown = [variable("polar", "sandbox", "token", "CANARY")];
    expect_refused(&database, &unknown, "providers.polar.sandbox.token is not a setting").await;
    let in_test = [variable("polar", "test", "access_token", "polar_oat_CANARY")];
    expect_refused(&database, &in_test, "providers.polar.test.access_token is not a setting").await;
}

#[tokio::test]
async fn a_base_url_that_could_send_money_elsewhere_is_refused() {
    let database = TestDatabase::new();
    let (real, bare) = ("where real money moves", "must be scheme, host and port alone");
    let refused = [
        ("nicepay", "sandbox", "http://dev.nicepay.co.id", "must be https"),
        ("nicepay", "sandbox", "https://www.nicepay.co.id", real),
        ("nicepay", "sandbox", "https://WWW.nicepay.co.id:443", real),
        ("nicepay", "sandbox", "https://www.nicepay.co.id.", real),
        ("nicepay", "sandbox", "https://services.nicepay.co.id:8443", real),
        ("polar", "sandbox", "https://api.polar.sh", real),
        ("paypal", "sandbox", "https://api-m.paypal.com", real),
        ("paypal", "sandbox", "https://api.paypal.com", real),
        ("paypal", "sandbox", "https://api-m.sandbox.paypal.com/v2", bare),
        ("paypal", "sandbox", "https://user:CANARY@api-m.sandbox.paypal.com", bare),
        ("paypal", "sandbox", "ftp://127.0.0.1", "must be an http or https URL"),
        ("paypal", "sandbox", "https://127.0.0.1?x=1", "must be an http or https URL without a query"),
        ("paypal", "live", "https://psp.example", "providers.allow_custom_live_hosts"),
        ("polar", "live", "http://127.0.0.1:9", "providers.allow_custom_live_hosts"),
        ("nicepay", "live", "https://dev.nicepay.co.id", "providers.allow_custom_live_hosts"),
        ("nicepay", "live", "https://www.nicepay.co.id.psp.example", "providers.allow_custom_live_hosts"),
    ];
    for (provider, mode, url, text) in refused {
        expect_refused(&database, &[variable(provider, mode, "base_url", url)], text).await;
    }
    let switch = ("SWITCHYARD__PROVIDERS__ALLOW_CUSTOM_LIVE_HOSTS".to_owned(), "true".to_owned());
    let still = [variable("polar", "live", "base_url", "http://psp.example"), switch.clone()];
    expect_refused(&database, &still, "must be https").await;
    let taken = [
        variable("nicepay", "sandbox", "base_url", "http://127.0.0.1:9"),
        variable("nicepay", "live", "base_url", "https://services.nicepay.co.id"),
        variable("polar", "live", "base_url", "http://[::1]:9"),
        variable("paypal", "live", "base_url", "https://psp.example:8443"),
        switch,
    ];
    assert_eq!(run(&database, &[], &["migrate"], "").await.code, Some(0));
    let ran = run(&database, &taken, &["doctor"], "").await;
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.talk);
    let variables: Vec<(&str, &str)> = taken.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let serving = ServingProgram::start(&database, &variables).await;
    let info = Answer::of(reqwest::get(format!("{}/info", serving.url)).await.unwrap()).await.json();
    for (provider, mode, host) in [
        ("nicepay", "sandbox", "127.0.0.1:9"),
        ("nicepay", "live", "services.nicepay.co.id"),
        ("polar", "live", "[::1]:9"),
        ("polar", "sandbox", "sandbox-api.polar.sh"),
        ("paypal", "live", "psp.example:8443"),
    ] {
        assert_eq!(row_of(&info, provider, mode)["host"], host, "{provider} {mode}");
    }
}

fn row_of(info: &Value, provider: &str, mode: &str) -> Value {
    let rows = info["providers"].as_array().unwrap();
    rows.iter().find(|row| row["provider"] == provider && row["mode"] == mode).unwrap().clone()
}

async fn report(gateway: &TestGateway, provider: &str) -> Value {
    row_of(&gateway.fetch("/info").await.expect_status(200).json(), provider, "sandbox")
}

async fn create(product: &Product, simulator: &Simulator, key: &str) -> Answer {
    let body = payment_request(simulator.request());
    product.post_with_key("/v1/payments", &body, key).await
}

#[tokio::test]
async fn without_credentials_the_mock_stands_in_and_info_shows_which_of_them_it_is() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        let row = report(&rail.gateway, provider).await;
        assert_eq!((&row["instance"], &row["status"], &row["fallbacks"]), (&json!("real"), &json!("ready"), &json!(0)));
        assert_eq!(row["host"], rail.proxy.url.trim_start_matches("http://"));
        assert!(row["last_ok_at"].is_null() && row["last_error"].is_null());
        let payment = create(&rail.product, &rail.simulator, "k").await.expect_status(201).json();
        assert_eq!((&payment["provider"], &payment["fallback"]), (&json!(provider), &Value::Null));
        assert!(report(&rail.gateway, provider).await["last_ok_at"].is_string());

        let gateway = TestGateway::spawn_stepped().await;
        let product = gateway.product(Mode::Sandbox).await;
        let payment = create(&product, &rail.simulator, "k").await.expect_status(201).json();
        assert_eq!((&payment["provider"], &payment["fallback"]["wanted"]), (&json!("mock"), &json!(provider)));
        assert_eq!(payment["fallback"]["reason"], "no sandbox credentials");
        let row = report(&gateway, provider).await;
        let state = (&row["instance"], &row["status"], &row["fallbacks"]);
        assert_eq!(state, (&json!("mock"), &json!("no_credentials"), &json!(1)));
        assert_eq!(gateway.act_at_checkout(&id_of(&payment), "succeed").await.0, 303);
        gateway.step().await;
        assert_eq!(product.payment(&id_of(&payment)).await["status"], "succeeded", "sandbox moves no money");

        let live = gateway.product(Mode::Live).await;
        let payment = create(&live, &rail.simulator, "k").await.expect_status(201).json();
        assert_eq!(payment["fallback"]["reason"], "no live credentials");
        gateway.act_at_checkout(&id_of(&payment), "succeed").await;
        gateway.step().await;
        let payment = live.payment(&id_of(&payment)).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("initiated"), &json!(0)), "{provider}");
    }
}

#[tokio::test]
async fn the_circuit_opens_after_five_failures_and_tries_again_within_thirty_seconds() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        let seconds = |answer: &Answer| answer.header("retry-after").unwrap().parse::<u64>().unwrap();
        rail.proxy.set(Network::Refuse).await;
        for number in 1..=5 {
            let answer = create(&rail.product, &rail.simulator, &format!("key {number}")).await;
            let answer = answer.expect_error(503, "ProviderUnavailable");
            assert!(seconds(&answer) >= 1);
            let row = report(&rail.gateway, provider).await;
            let expected = if number < 5 { "degraded" } else { "down" };
            assert_eq!((&row["status"], &row["last_error"]), (&json!(expected), &json!("connect")), "{provider}");
        }
        rail.proxy.set(Network::Pass).await;
        let (forwarded, body) = (rail.proxy.forwarded(), payment_request(rail.simulator.request()));
        let held_back = rail.product.post_with_key("/v1/payments", &body, "held back").await;
        let held_back = held_back.expect_error(503, "ProviderUnavailable");
        assert!((1..=30).contains(&seconds(&held_back)), "{provider}");
        assert_eq!(rail.proxy.forwarded(), forwarded, "{provider}: nobody is called");
        rail.gateway.clock.advance(Duration::from_secs(seconds(&held_back)));
        let payment = rail.product.post_with_key("/v1/payments", &body, "held back").await.expect_status(201).json();
        assert_eq!(id_of(&payment), held_back.text_of("payment_id"), "{provider}");
        let row = report(&rail.gateway, provider).await;
        assert_eq!((&row["status"], &row["instance"]), (&json!("ready"), &json!("real")), "{provider}");
    }
}

#[tokio::test]
async fn a_rate_limit_is_obeyed_for_as_long_as_the_provider_says() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        match &rail.simulator {
            Simulator::Nicepay(nicepay, _) => nicepay.fault_next(nicepay::Fault::RateLimited(7)),
            Simulator::Polar(polar) => polar.fault_next(polar::Fault::RateLimited(7)),
            Simulator::Paypal(paypal) => paypal.fault_next(paypal::Fault::RateLimited(Some(7))),
        }
        let body = payment_request(rail.simulator.request());
        let limited = rail.product.post_with_key("/v1/payments", &body, "k").await;
        let limited = limited.expect_error(503, "ProviderUnavailable");
        assert_eq!(limited.header("retry-after"), Some("7"), "{provider}");
        assert_eq!(report(&rail.gateway, provider).await["last_error"], "rate_limited", "{provider}");
        let forwarded = rail.proxy.forwarded();
        rail.gateway.clock.advance(Duration::from_secs(4));
        let again = rail.product.post_with_key("/v1/payments", &body, "k").await;
        assert_eq!(again.expect_error(503, "ProviderUnavailable").header("retry-after"), Some("3"), "{provider}");
        assert_eq!(rail.proxy.forwarded(), forwarded, "{provider}: nobody is called");
        rail.gateway.clock.advance(Duration::from_secs(3));
        let payment = rail.product.post_with_key("/v1/payments", &body, "k").await.expect_status(201).json();
        assert_eq!(id_of(&payment), limited.text_of("payment_id"), "{provider}");
        rail.simulator.pay(&id_of(&payment)).await;
        rail.gateway.step().await;
        assert_eq!(rail.simulator.charges(), 1, "{provider}");
    }
}

fn variables_of(provider: &str, simulator: &Simulator, wrong: Option<&str>) -> Vec<(String, String)> {
    let mut variables = vec![variable(provider, "sandbox", "base_url", simulator.url())];
    for (name, value) in simulator.credentials() {
        let value = if wrong == Some(name) { format!("{value}CANARY") } else { value };
        variables.push(variable(provider, "sandbox", name, &value));
    }
    variables
}

#[tokio::test]
async fn the_doctor_asks_the_providers_whether_they_know_the_credentials() {
    let database = TestDatabase::new();
    assert_eq!(run(&database, &[], &["migrate"], "").await.code, Some(0));
    for (rail, wrong) in [
        ("nicepay", "merchant_key"),
        ("nicepay snap", "client_secret"),
        ("polar", "access_token"),
        ("paypal", "client_secret"),
    ] {
        let provider = rail.split(' ').next().unwrap();
        let simulator = Simulator::start(rail, "http://127.0.0.1:9".to_owned(), &Clock::system()).await;
        let good = run(&database, &variables_of(provider, &simulator, None), &["doctor", "--online"], "").await;
        assert_eq!(good.code, Some(0), "{rail}: {}{}", good.out, good.talk);
        let host = simulator.url().trim_start_matches("http://");
        let line = format!("{provider} sandbox at {host} knows its credentials");
        assert!(good.out.contains(&line), "{rail}: {}", good.out);

        let variables = variables_of(provider, &simulator, Some(wrong));
        let offline = run(&database, &variables, &["doctor"], "").await;
        assert_eq!(offline.code, Some(0), "{rail}: nobody is asked: {}", offline.out);
        let bad = run(&database, &variables, &["doctor", "--online", "--json"], "").await;
        if rail != "nicepay snap" {
            assert_eq!(bad.code, Some(1), "{rail}: {}{}", bad.out, bad.talk);
            let report: Value = serde_json::from_str(&bad.out).unwrap();
            let checks = report["checks"].as_array().unwrap();
            let online: Vec<_> = checks.iter().filter(|check| check["check"] == "online").collect();
            assert!(online.len() == 1 && online[0]["result"] == "failed", "{rail}: {}", bad.out);
        }
        assert!(!bad.out.contains("CANARY") && !bad.talk.contains("CANARY"), "{rail}: {}{}", bad.out, bad.talk);
    }
    let away = [variable("polar", "sandbox", "base_url", "http://127.0.0.1:9")].into_iter();
    let known = WELL_FORMED[1].1.iter().map(|(name, value)| variable("polar", "sandbox", name, value));
    let ran = run(&database, &away.chain(known).collect::<Vec<_>>(), &["doctor", "--online"], "").await;
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("polar sandbox at 127.0.0.1:9: connect"), "{}", ran.out);
}

fn lines_of(credentials: &[(&'static str, String)]) -> String {
    credentials.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

const ADD: [&str; 6] = ["accounts", "add", "--provider", "polar", "--mode", "sandbox"];

#[tokio::test]
async fn a_tenants_account_is_added_listed_and_archived_and_a_running_gateway_takes_it_up() {
    let database = TestDatabase::new();
    let serving = ServingProgram::start(&database, &[]).await;
    let app = run(&database, &[], &["apps", "create", "--name", "x", "--mode", "sandbox", "--json"], "").await;
    let app: Value = serde_json::from_str(&app.out).unwrap();
    let text = |name: &str| app[name].as_str().unwrap_or_default().to_owned();
    let product = Product {
        base_url: serving.url.clone(),
        public_key: text("public_key"),
        secret: text("secret"),
        webhook_secret: text("webhook_secret"),
        app_id: text("app_id"),
        clock: Clock::system(),
        client: reqwest::Client::new(),
    };
    let simulator = Simulator::start("polar", String::new(), &Clock::system()).await;
    let provider = || async {
        let payment = product.post("/v1/payments", &payment_request(simulator.request())).await;
        payment.expect_status(201).json()["provider"].as_str().unwrap().to_owned()
    };
    assert_eq!(provider().await, "mock");

    let credentials = simulator.credentials();
    let arguments = [&ADD[..], &["--base-url", simulator.url(), "--json"]].concat();
    let added = run(&database, &[], &arguments, &lines_of(&credentials)).await;
    assert_eq!(added.code, Some(0), "{}", added.talk);
    let added: Value = serde_json::from_str(&added.out).unwrap();
    let account_id = added["account_id"].as_str().unwrap();
    let path = format!("/webhooks/polar/sandbox/{account_id}");
    assert!(added["webhook_url"].as_str().unwrap().ends_with(&path), "{added}");
    eventually("the running gateway takes the account up", || async { provider().await == "polar" }).await;

    let list = run(&database, &[], &["accounts", "list", "--json"], "").await;
    let rows: Value = serde_json::from_str(&list.out).unwrap();
    assert_eq!((&rows[0]["account_id"], &rows[0]["archived_at"]), (&json!(account_id), &Value::Null));
    let people = run(&database, &[], &["accounts", "list"], "").await;
    assert!(people.out.contains(account_id) && people.out.contains("in use"), "{}", people.out);
    let sealed = database.texts("SELECT credentials_sealed AS text FROM provider_accounts").join("");
    let log = std::fs::read_to_string(database.directory.join("serve.log")).unwrap();
    let info = reqwest::get(format!("{}/info", serving.url)).await.unwrap().text().await.unwrap();
    for (name, secret) in &credentials {
        for shown in [&added.to_string(), &list.out, &people.out, &people.talk, &sealed, &log, &info] {
            assert!(!shown.contains(secret.as_str()), "{name} is shown: {shown}");
        }
    }
    assert!(!info.contains(account_id), "tenants' own accounts are not listed");

    let archived = run(&database, &[], &["accounts", "archive", account_id], "").await;
    assert_eq!(archived.code, Some(0), "{}", archived.talk);
    eventually("the running gateway leaves the account", || async { provider().await == "mock" }).await;
    assert!(run(&database, &[], &["accounts", "list"], "").await.out.contains("archived"));
    assert_eq!(run(&database, &[], &["accounts", "archive", account_id], "").await.code, Some(1), "it is already");
    assert_eq!(run(&database, &[], &["accounts", "archive", "acc_nothing"], "").await.code, Some(1));
}

#[tokio::test]
async fn an_account_that_is_not_whole_is_not_added() {
    let database = TestDatabase::new();
    let (token, secret) = ("access_token=polar_oat_CANARY\n", "webhook_secret=whsec_CANARY\n");
    let whole = format!("{token}{secret}");
    let cases: [(&[&str], &str, &str); 8] = [
        (&ADD, token, "webhook_secret: is missing"),
        (&ADD, "", "credentials: are missing"),
        (&ADD, "access_token polar_oat_CANARY\n", "line 1 is no name=value"),
        (&ADD, "access_token=CANARY token\nwebhook_secret=whsec_CANARY\n", "access_token: does not look like one"),
        (&ADD, &format!("{whole}token=CANARY\n"), "token: Polar has no such credential"),
        (&[&ADD[..], &["--base-url", "https://api.polar.sh"]].concat(), &whole, "where real money moves"),
        (
            &[&ADD[..4], &["--mode", "live", "--base-url", "http://127.0.0.1:9"]].concat(),
            &whole,
            "allow_custom_live_hosts",
        ),
        (&["accounts", "add", "--provider", "stripe", "--mode", "live"], &whole, "provider: must be one"),
    ];
    for (arguments, input, text) in cases {
        let ran = run(&database, &[], arguments, input).await;
        assert_eq!(ran.code, Some(1), "{arguments:?}: {}", ran.talk);
        assert!(ran.talk.contains(text) && !ran.talk.contains("CANARY"), "{text}: {}", ran.talk);
        assert_eq!(ran.out, "");
    }
    let in_test = run(&database, &[], &["accounts", "add", "--provider", "polar", "--mode", "test"], &whole).await;
    assert_eq!(in_test.code, Some(2));
    assert_eq!(database.number("SELECT COUNT(*) FROM provider_accounts"), 0);
    let switch = [("SWITCHYARD__PROVIDERS__ALLOW_CUSTOM_LIVE_HOSTS".to_owned(), "true".to_owned())];
    let arguments = [&ADD[..4], &["--mode", "live", "--base-url", "http://127.0.0.1:9"]].concat();
    let ran = run(&database, &switch, &arguments, &whole).await;
    assert_eq!(ran.code, Some(0), "{}", ran.talk);
}
