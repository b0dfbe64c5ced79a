//! Nobody's money is moved by a message that is not of its rail: of another amount, payment, account or mode, forged, or
//! too late. And nothing private is archived.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::config::Settings;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::Secret;
use switchyard::domain::signing::sha256;
use switchyard::gateway::AccountOptions;

use crate::rails::{OnRail, RAILS, REFUNDING, Simulator, provider_settings};
use crate::simulators::nicepay::{self, NicepaySimulator};
use crate::simulators::paypal::{self, PaypalSimulator};
use crate::simulators::polar::webhooks::sign as sign_as_polar;
use crate::simulators::polar::{self, PolarSimulator, Scheme};
use crate::simulators::proxy::Mode as Network;
use crate::support::{Answer, Product, TestGateway, id_of, payment_request};

const FIVE_MINUTES: Duration = Duration::from_secs(300);
const A_DAY: Duration = Duration::from_secs(24 * 3600);

/// An id of ours that leads nowhere.
const NOWHERE: &str = "pay_01m7z9k05rb0ky10zqj0sccfnc";

async fn post(gateway: &TestGateway, path: &str, headers: &[(String, String)], body: &str) -> Answer {
    let mut request = reqwest::Client::new().post(gateway.url(path)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    Answer::of(request.send().await.unwrap()).await
}

/// A message that is signed as Polar's endpoint of this scheme signs.
pub async fn post_as_polar(gateway: &TestGateway, path: &str, scheme: Scheme, kind: &str, data: &Value) -> Answer {
    let body = json!({ "type": kind, "timestamp": "2026-11-21T10:00:00Z", "data": data }).to_string();
    let id = switchyard::domain::secrets::random_hex(16);
    let headers = sign_as_polar(scheme, &id, gateway.clock.now().unix_seconds(), &body);
    post(gateway, path, &headers, &body).await
}

/// A notification that is signed as NICEPAY's V2 signs, which covers the transaction and the amount alone.
async fn post_as_nicepay(gateway: &TestGateway, path: &str, transaction: &str, reference: &str, amount: i64) -> Answer {
    let token =
        hex::encode(sha256(format!("{}{transaction}{amount}{}", nicepay::IMID, nicepay::MERCHANT_KEY).as_bytes()));
    let body = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("tXid", transaction)
        .append_pair("merchantToken", &token)
        .append_pair("referenceNo", reference)
        .append_pair("amt", &amount.to_string())
        .append_pair("status", "0")
        .finish();
    let headers = [("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned())];
    post(gateway, path, &headers, &body).await
}

pub async fn created(product: &Product, simulator: &Simulator) -> String {
    let request = payment_request(simulator.request());
    id_of(&product.post("/v1/payments", &request).await.expect_status(201).json())
}

#[track_caller]
fn assert_unmoved(payment: &Value, case: &str) {
    let state = (&payment["status"], &payment["paid_minor"]);
    assert_eq!(state, (&json!("initiated"), &json!(0)), "{case}: {payment}");
}

#[track_caller]
fn assert_paid(payment: &Value, case: &str) {
    let state = (&payment["status"], &payment["paid_minor"], &payment["last_error"]);
    assert_eq!(state, (&json!("succeeded"), &json!(2900), &json!("")), "{case}: {payment}");
}

pub fn polar_of(simulator: &Simulator) -> &PolarSimulator {
    match simulator {
        Simulator::Polar(polar) => polar,
        _ => panic!("not Polar"),
    }
}

fn paypal_of(simulator: &Simulator) -> &PaypalSimulator {
    match simulator {
        Simulator::Paypal(paypal) => paypal,
        _ => panic!("not PayPal"),
    }
}

fn nicepay_of(simulator: &Simulator) -> &NicepaySimulator {
    match simulator {
        Simulator::Nicepay(nicepay, _) => nicepay,
        _ => panic!("not NICEPAY"),
    }
}

/// Polar's order with another amount, currency or payment.
pub fn polar_misfits(order: &Value, other: &str) -> [(&'static str, Value); 3] {
    let (mut amount, mut currency, mut reference) = (order.clone(), order.clone(), order.clone());
    for name in ["subtotal_amount", "net_amount", "total_amount", "due_amount"] {
        amount[name] = (amount[name].as_i64().unwrap() - 1).into();
    }
    currency["currency"] = "eur".into();
    reference["metadata"]["payment_id"] = other.into();
    [("amount", amount), ("currency", currency), ("payment", reference)]
}

#[tokio::test]
async fn a_webhook_of_polar_with_another_amount_currency_or_payment_is_quarantined_and_nothing_moves() {
    let rail = OnRail::start("polar").await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    let other = created(&rail.product, &rail.simulator).await;
    rail.simulator.forget_webhooks();
    rail.simulator.pay(&payment_id).await;
    let order = polar_of(&rail.simulator).order_of(&payment_id).unwrap();
    for (what, misfit) in polar_misfits(&order, &other) {
        let path = "/webhooks/polar/sandbox";
        let answer = post_as_polar(&rail.gateway, path, Scheme::Standard, "order.paid", &misfit).await;
        assert_eq!(answer.expect_status(200).json()["result"], "quarantined", "{what}");
        for id in [&payment_id, &other] {
            assert_unmoved(&rail.product.payment(id).await, what);
        }
    }
    assert_eq!(rail.product.event_names(&payment_id).await, ["payment.quarantined"; 3]);
    assert!(rail.product.event_names(&other).await.is_empty());
    assert_eq!(rail.gateway.database.number("SELECT COUNT(*) FROM inbox WHERE verdict = 'quarantined'"), 3);
    // What the provider says when it is asked stands.
    rail.gateway.advance(FIVE_MINUTES).await;
    assert_paid(&rail.product.payment(&payment_id).await, "asked");
    assert_unmoved(&rail.product.payment(&other).await, "asked");
}

#[tokio::test]
async fn a_webhook_of_paypal_with_another_amount_currency_or_payment_is_quarantined_and_nothing_moves() {
    let rail = OnRail::start("paypal").await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    let other = created(&rail.product, &rail.simulator).await;
    let paypal = paypal_of(&rail.simulator);
    rail.simulator.forget_webhooks();
    paypal.pay(&payment_id);
    let capture = paypal.order(&payment_id).captures[0].clone();
    let changes = [
        ("/amount/value", json!("29.01")),
        ("/amount/currency_code", json!("EUR")),
        ("/custom_id", json!(other)),
        ("/invoice_id", paypal.order(&other).unit()["invoice_id"].clone()),
    ];
    for (pointer, value) in changes {
        let mut misfit = capture.clone();
        *misfit.pointer_mut(pointer).unwrap() = value;
        paypal.tell("PAYMENT.CAPTURE.COMPLETED", "capture", misfit);
        rail.simulator.settled().await;
        for id in [&payment_id, &other] {
            assert_unmoved(&rail.product.payment(id).await, pointer);
        }
    }
    assert_eq!(rail.product.event_names(&payment_id).await, ["payment.quarantined"; 4]);
    assert!(rail.product.event_names(&other).await.is_empty());
    rail.gateway.advance(FIVE_MINUTES).await;
    assert_paid(&rail.product.payment(&payment_id).await, "asked");
    assert_eq!((paypal.charges_of(&payment_id), paypal.charges_of(&other)), (1, 0));
}

#[tokio::test]
async fn a_notification_of_nicepay_moves_nothing_by_itself_and_the_inquiry_decides() {
    let rail = OnRail::start("nicepay va").await;
    let nicepay = nicepay_of(&rail.simulator);
    let payment_id = created(&rail.product, &rail.simulator).await;
    let other = created(&rail.product, &rail.simulator).await;
    let charge = nicepay.charge(&format!("{payment_id}-1")).unwrap();
    let path = "/webhooks/nicepay/sandbox";
    // Well signed, and not true: nobody has paid.
    for amount in [2900, 1] {
        let told = post_as_nicepay(&rail.gateway, path, &charge.id, &charge.reference, amount).await;
        assert_eq!(told.expect_status(200).json()["result"], "kept");
        rail.gateway.step().await;
        assert_unmoved(&rail.product.payment(&payment_id).await, "not true");
    }
    assert!(rail.product.event_names(&payment_id).await.is_empty());
    let told = post_as_nicepay(&rail.gateway, path, &charge.id, &format!("{other}-1"), 2900).await;
    assert_eq!(told.expect_status(200).json()["result"], "quarantined");
    assert_eq!(rail.product.event_names(&payment_id).await, ["payment.quarantined"]);
    // Paid, and told with another amount: the inquiry has the right one.
    nicepay.fault_next(nicepay::Fault::WrongAmount);
    rail.simulator.pay(&payment_id).await;
    rail.gateway.step().await;
    assert_paid(&rail.product.payment(&payment_id).await, "true but for the amount");
    assert_unmoved(&rail.product.payment(&other).await, "another");
}

#[tokio::test]
async fn a_provider_that_says_another_amount_when_it_is_asked_is_quarantined_and_told_once() {
    let rail = OnRail::start("nicepay va").await;
    let nicepay = nicepay_of(&rail.simulator);
    let payment_id = created(&rail.product, &rail.simulator).await;
    nicepay.pay_another_amount(&format!("{payment_id}-1"), 2800);
    rail.simulator.settled().await;
    rail.gateway.step().await;
    for _ in 0..6 {
        rail.gateway.advance(Duration::from_secs(6 * 3600)).await;
    }
    let payment = rail.product.payment(&payment_id).await;
    assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("initiated"), &json!(0)), "not closed over money");
    assert_eq!(rail.product.event_names(&payment_id).await, ["payment.quarantined"], "told once, not at each look");
    assert_eq!(rail.gateway.database.texts("SELECT verdict AS text FROM inbox"), ["quarantined"]);
}

/// Three accounts of one provider at one gateway: its own of sandbox and live, and a tenant's own of sandbox.
struct Accounts {
    gateway: TestGateway,
    sandbox: Product,
    live: Product,
    own: Simulator,
    own_live: Simulator,
    of_tenant: Simulator,
}

async fn another_account(provider: &'static str, scheme: Scheme, webhook_url: String, clock: &Clock) -> Simulator {
    let webhook_url = Some(webhook_url);
    match provider {
        "polar" => {
            let options = polar::Options { webhook_url, scheme, ..polar::Options::default() };
            Simulator::Polar(PolarSimulator::start(0, options).await)
        }
        "paypal" => {
            let webhook_id = switchyard::domain::secrets::random_hex(8).to_uppercase();
            let options =
                paypal::Options { webhook_url, webhook_id, clock: clock.clone(), ..paypal::Options::default() };
            Simulator::Paypal(PaypalSimulator::start(0, options).await)
        }
        _ => Simulator::start(provider, String::new(), clock).await,
    }
}

impl Accounts {
    async fn start(provider: &'static str) -> Self {
        let clock = Clock::manual(Clock::system().now());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // The address without a mode: the signature decides.
        let webhook_url = format!("http://{}/webhooks/{provider}", listener.local_addr().unwrap());
        let own = another_account(provider, Scheme::Standard, webhook_url.clone(), &clock).await;
        let own_live = another_account(provider, Scheme::LegacyWhsec, webhook_url.clone(), &clock).await;
        let of_tenant = another_account(provider, Scheme::LegacyPolar, webhook_url, &clock).await;
        let settings = [(Mode::Sandbox, &own), (Mode::Live, &own_live)]
            .map(|(mode, simulator)| provider_settings(provider, mode, simulator.url(), simulator.credentials()));
        let gateway = TestGateway::spawn_on(listener, clock, false, |all: &mut Settings| {
            all.providers.retain(|one| one.driver.name != provider);
            all.providers.extend(settings);
        })
        .await;
        let (sandbox, live) = (gateway.product(Mode::Sandbox).await, gateway.product(Mode::Live).await);
        Self { gateway, sandbox, live, own, own_live, of_tenant }
    }

    /// The tenant brings its account; the path of its webhooks.
    async fn add_tenants(&self, provider: &str) -> (String, String) {
        let credentials = self.of_tenant.credentials().into_iter();
        let options = AccountOptions {
            provider: provider.to_owned(),
            mode: Mode::Sandbox,
            base_url: Some(self.of_tenant.url().to_owned()),
            credentials: credentials.map(|(name, text)| (name.to_owned(), Secret::new(text))).collect(),
        };
        let account_id = self.gateway.server.gateway.add_provider_account(options).await.unwrap().to_string();
        self.gateway.server.gateway.refresh_directory().await.unwrap();
        let path = format!("/webhooks/{provider}/sandbox/{account_id}");
        match &self.of_tenant {
            Simulator::Polar(polar) => polar.send_webhooks_to(&self.gateway.url(&path)),
            Simulator::Paypal(paypal) => paypal.send_webhooks_to(&self.gateway.url(&path)),
            // It is told with each payment.
            Simulator::Nicepay(..) => {}
        }
        (account_id, path)
    }

    async fn pay(&self, simulator: &Simulator, payment_id: &str) {
        simulator.pay(payment_id).await;
        self.gateway.step().await;
        simulator.settled().await;
        self.gateway.step().await;
    }
}

#[tokio::test]
async fn each_account_and_mode_has_its_own_payments_and_an_archived_account_ends_its_old_ones() {
    for provider in REFUNDING {
        let accounts = Accounts::start(provider).await;
        let (sandbox, live) = (&accounts.sandbox, &accounts.live);
        let before = created(sandbox, &accounts.own).await;
        let (account_id, _) = accounts.add_tenants(provider).await;
        let with = created(sandbox, &accounts.of_tenant).await;
        let with_too = created(sandbox, &accounts.of_tenant).await;
        let in_live = created(live, &accounts.own_live).await;
        accounts.gateway.server.gateway.archive_provider_account(&account_id).await.unwrap();
        accounts.gateway.server.gateway.refresh_directory().await.unwrap();
        let after = created(sandbox, &accounts.own).await;
        let paid = [
            (&accounts.own, sandbox, before),
            (&accounts.of_tenant, sandbox, with),
            (&accounts.of_tenant, sandbox, with_too),
            (&accounts.own_live, live, in_live),
            (&accounts.own, sandbox, after),
        ];
        for (simulator, product, payment_id) in &paid {
            assert_unmoved(&product.payment(payment_id).await, provider);
            accounts.pay(simulator, payment_id).await;
            assert_paid(&product.payment(payment_id).await, provider);
            assert_eq!(product.event_names(payment_id).await, ["payment.succeeded"], "{provider}");
        }
        let charges = [&accounts.own, &accounts.of_tenant, &accounts.own_live].map(Simulator::charges);
        assert_eq!(charges, [2, 2, 1], "{provider}");
        let tenants = format!("SELECT COUNT(*) FROM attempts WHERE account_id = '{account_id}'");
        assert_eq!(accounts.gateway.database.number(&tenants), 2, "{provider}");
    }
}

#[tokio::test]
async fn a_message_that_another_account_or_mode_verified_moves_nothing() {
    let accounts = Accounts::start("polar").await;
    let of_gateway = created(&accounts.sandbox, &accounts.own).await;
    let (_, tenants_path) = accounts.add_tenants("polar").await;
    let of_tenant = created(&accounts.sandbox, &accounts.of_tenant).await;
    let in_live = created(&accounts.live, &accounts.own_live).await;
    let payments = [
        (&accounts.sandbox, &of_gateway, &accounts.own),
        (&accounts.sandbox, &of_tenant, &accounts.of_tenant),
        (&accounts.live, &in_live, &accounts.own_live),
    ];
    let doors = [
        ("/webhooks/polar/sandbox", Scheme::Standard),
        (tenants_path.as_str(), Scheme::LegacyPolar),
        ("/webhooks/polar/live", Scheme::LegacyWhsec),
    ];
    for (index, (_, payment_id, simulator)) in payments.iter().enumerate() {
        simulator.forget_webhooks();
        simulator.pay(payment_id).await;
        let order = polar_of(simulator).order_of(payment_id).unwrap();
        for (door, (path, scheme)) in doors.iter().enumerate() {
            // What one account's key signed is nothing at another's door.
            for (key, (_, other)) in doors.iter().enumerate().filter(|(key, _)| *key != door) {
                let told = post_as_polar(&accounts.gateway, path, *other, "order.paid", &order).await;
                assert_eq!(told.code(), "BadSignature", "{path} with the key of {key}");
            }
            if door != index {
                let told = post_as_polar(&accounts.gateway, path, *scheme, "order.paid", &order).await;
                assert_eq!(told.expect_status(200).json()["result"], "quarantined", "{path}");
            }
        }
    }
    // The address without a mode tries the gateway's own accounts, never a tenant's.
    let bare = "/webhooks/polar";
    let order = polar_of(&accounts.of_tenant).order_of(&of_tenant).unwrap();
    let told = post_as_polar(&accounts.gateway, bare, Scheme::LegacyPolar, "order.paid", &order).await;
    assert_eq!(told.code(), "BadSignature");
    for (product, payment_id, _) in &payments {
        assert_unmoved(&product.payment(payment_id).await, "told by others");
        assert_eq!(product.event_names(payment_id).await, ["payment.quarantined"; 2]);
    }
    for ((path, scheme), (product, payment_id, simulator)) in
        [(bare, Scheme::Standard), doors[1], (bare, Scheme::LegacyWhsec)].into_iter().zip(&payments)
    {
        let order = polar_of(simulator).order_of(payment_id).unwrap();
        let told = post_as_polar(&accounts.gateway, path, scheme, "order.paid", &order).await;
        assert_eq!(told.expect_status(200).json()["result"], "applied");
        assert_paid(&product.payment(payment_id).await, path);
    }
    for path in ["/webhooks/polar/test", "/webhooks/polar/sandbox/acc_00000000000000000000000000", "/webhooks/stripe"] {
        let told = post_as_polar(&accounts.gateway, path, Scheme::LegacyPolar, "order.paid", &order).await;
        assert!(matches!(told.status, 401 | 404), "{path}: {}", told.text);
    }
}

#[tokio::test]
async fn a_verified_message_about_nothing_of_ours_is_answered_200_and_ignored() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        let payment_id = created(&rail.product, &rail.simulator).await;
        rail.simulator.settled().await;
        let before = rail.gateway.count("inbox");
        let path = format!("/webhooks/{provider}");
        match &rail.simulator {
            Simulator::Polar(polar) => {
                polar.fault_next_webhooks(polar::WebhookFault::Never);
                polar.pay(&payment_id);
                let mut of_another_shop = polar.order_of(&payment_id).unwrap();
                of_another_shop["metadata"] = json!({});
                of_another_shop["id"] = json!("9b7e3c52-6f10-4d8e-9c43-2a1b0c9d8e7f");
                of_another_shop["checkout_id"] = json!("1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f");
                for (kind, data) in [("customer.created", json!({ "id": "x" })), ("order.paid", of_another_shop)] {
                    let told = post_as_polar(&rail.gateway, &path, Scheme::Standard, kind, &data).await;
                    assert_eq!(told.expect_status(200).json()["result"], "ignored", "{kind}");
                }
            }
            Simulator::Paypal(paypal) => {
                paypal.tell("BILLING.PLAN.CREATED", "plan", json!({ "id": "P-5ML4271244454362WXNWU5NQ" }));
                let capture = json!({ "id": "8MC585209K746392H", "status": "COMPLETED", "custom_id": "shop-7",
                    "amount": { "currency_code": "USD", "value": "29.00" }, "invoice_id": "SHOP-7" });
                paypal.tell("PAYMENT.CAPTURE.COMPLETED", "capture", capture);
            }
            Simulator::Nicepay(..) => {
                for reference in ["SHOP-7", "SHOP-8"] {
                    let transaction = "IONPAYTEST02202611210000000001";
                    let told = post_as_nicepay(&rail.gateway, &path, transaction, reference, 2900).await;
                    assert_eq!(told.expect_status(200).json()["result"], "ignored");
                }
            }
        }
        rail.simulator.settled().await;
        let ignored = rail.gateway.database.number("SELECT COUNT(*) FROM inbox WHERE verdict = 'ignored'");
        assert_eq!((rail.gateway.count("inbox"), ignored), (before + 2, before + 2), "{provider}");
        assert_unmoved(&rail.product.payment(&payment_id).await, provider);
    }
}

#[tokio::test]
async fn a_message_about_a_payment_that_is_not_there_is_404_and_applied_when_it_appears() {
    let rail = OnRail::start("polar").await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    // As on a database whose other half arrives late.
    let database = &rail.gateway.database;
    let tables = ["payments", "attempts", "payment_metadata"];
    for table in tables {
        database.execute(&format!("CREATE TABLE late_{table} AS SELECT * FROM {table}")).unwrap();
    }
    for table in tables.iter().rev() {
        database.execute(&format!("DELETE FROM {table}")).unwrap();
    }
    rail.simulator.forget_webhooks();
    rail.simulator.pay(&payment_id).await;
    let path = "/webhooks/polar/sandbox";
    let order = polar_of(&rail.simulator).order_of(&payment_id).unwrap();
    let told = post_as_polar(&rail.gateway, path, Scheme::Standard, "order.paid", &order).await;
    told.expect_error(404, "UnknownPayment");
    let mut of_no_one = order.clone();
    of_no_one["metadata"]["payment_id"] = json!(NOWHERE);
    of_no_one["checkout_id"] = json!("1c2d3e4f-5a6b-4c7d-8e9f-0a1b2c3d4e5f");
    let told = post_as_polar(&rail.gateway, path, Scheme::Standard, "order.paid", &of_no_one).await;
    told.expect_error(404, "UnknownPayment");
    rail.gateway.advance(Duration::from_secs(40)).await;
    for table in tables {
        database.execute(&format!("INSERT INTO {table} SELECT * FROM late_{table}")).unwrap();
    }
    // Nobody but the kept message tells of it: the next look is not due yet.
    database.execute("UPDATE payments SET poll_at = NULL").unwrap();
    rail.gateway.advance(Duration::from_secs(40)).await;
    assert_paid(&rail.product.payment(&payment_id).await, "there at last");
    for _ in 0..30 {
        rail.gateway.advance(Duration::from_secs(60)).await;
    }
    let waiting = "SELECT COUNT(*) FROM inbox WHERE due_at IS NOT NULL";
    assert_eq!(database.number(waiting), 0, "the other is given up after some minutes");
}

#[tokio::test]
async fn a_forged_message_is_401_on_every_rail_and_what_is_kept_of_such_is_bounded() {
    // One after another: the flood of one rail would starve the calls of the others, which share the thread.
    for provider in RAILS {
        forge_on(provider).await;
    }
}

async fn forge_on(provider: &'static str) {
    let rail = OnRail::start(provider).await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    match &rail.simulator {
        Simulator::Polar(polar) => polar.fault_next_webhooks(polar::WebhookFault::BadlySigned),
        Simulator::Paypal(paypal) => {
            for _ in 0..2 {
                paypal.fault_next(paypal::Fault::BadSignature);
            }
        }
        Simulator::Nicepay(nicepay, _) => nicepay.fault_next(nicepay::Fault::BadlySigned),
    }
    match &rail.simulator {
        Simulator::Paypal(paypal) => paypal.pay(&payment_id),
        simulator => simulator.pay(&payment_id).await,
    }
    rail.simulator.settled().await;
    rail.gateway.step().await;
    assert_unmoved(&rail.product.payment(&payment_id).await, provider);
    let verdicts = rail.gateway.database.texts("SELECT DISTINCT verdict AS text FROM inbox WHERE verdict <> 'ignored'");
    assert_eq!(verdicts, ["rejected"], "{provider}");
    let name = provider.split(' ').next().unwrap();
    for body in ["", "{}", "[]", "a=b", "tXid=1&merchantToken=2&amt=3", "\u{0}"] {
        let told = post(&rail.gateway, &format!("/webhooks/{name}/sandbox"), &[], body).await;
        told.expect_error(401, "BadSignature");
    }
    rail.gateway.advance(FIVE_MINUTES).await;
    assert_paid(&rail.product.payment(&payment_id).await, provider);
}

#[tokio::test]
async fn of_a_flood_of_forged_messages_a_few_are_kept_and_those_for_a_week() {
    let rail = OnRail::start("polar").await;
    let rejected = || rail.gateway.database.number("SELECT COUNT(*) FROM inbox WHERE verdict = 'rejected'");
    for number in 0..40 {
        post(&rail.gateway, "/webhooks/polar", &[], &format!("{{\"flood\":{number}}}")).await.expect_status(401);
    }
    let kept = rejected();
    assert!((1..=20).contains(&kept), "of one address in one second, {kept} are kept");
    rail.gateway.clock.advance(Duration::from_secs(1));
    post(&rail.gateway, "/webhooks/polar", &[], "{}").await.expect_status(401);
    assert_eq!(rejected(), kept + 1, "the next second has room again");
    let long = "x".repeat(65 * 1024);
    post(&rail.gateway, "/webhooks/polar", &[], &long).await.expect_error(413, "BodyTooLarge");
    assert_eq!(rejected(), kept + 1);
    rail.gateway.clock.advance(7 * A_DAY + FIVE_MINUTES);
    rail.gateway.server.gateway.prune().await.unwrap();
    assert_eq!(rejected(), 0);
}

#[tokio::test]
async fn a_mock_event_of_paypals_webhook_simulator_is_answered_200_and_changes_nothing() {
    let rail = OnRail::start("paypal").await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    let event = paypal_of(&rail.simulator).mock_event();
    let told = post(&rail.gateway, "/webhooks/paypal/sandbox", &event.headers, &event.body).await;
    assert_eq!(told.expect_status(200).json()["result"], "ignored");
    assert_unmoved(&rail.product.payment(&payment_id).await, "a mock event");
}

#[tokio::test]
async fn the_mocks_pages_do_not_touch_a_payment_of_another_provider() {
    for provider in RAILS {
        let rail = OnRail::start(provider).await;
        let payment_id = created(&rail.product, &rail.simulator).await;
        for path in ["checkout", "charges"] {
            let answer = rail.gateway.fetch(&format!("/mock/{path}/{payment_id}")).await;
            assert_eq!(answer.status, 404, "{provider}: {path}");
        }
        for outcome in ["succeed", "fail", "cancel"] {
            assert_eq!(rail.gateway.act_at_checkout(&payment_id, outcome).await.0, 404, "{provider}");
        }
        rail.gateway.step().await;
        assert_unmoved(&rail.product.payment(&payment_id).await, provider);
    }
}

/// What a buyer's browser gets at the page to which the provider sends it.
async fn come_back(gateway: &TestGateway, path: &str) -> (u16, String) {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = client.get(gateway.url(path)).send().await.unwrap();
    let location = answer.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (answer.status().as_u16(), location.unwrap_or_default())
}

#[tokio::test]
async fn the_return_page_captures_the_payments_own_order_alone_whatever_its_query_says() {
    let rail = OnRail::start("paypal").await;
    let paypal = paypal_of(&rail.simulator);
    let mine = created(&rail.product, &rail.simulator).await;
    let theirs = created(&rail.product, &rail.simulator).await;
    for _ in 0..2 {
        paypal.fault_next(paypal::Fault::Never);
    }
    paypal.approve(&theirs);
    let token = paypal.order(&theirs).id;
    let path = format!("/return/{mine}?token={token}&PayerID=X&payment_id={theirs}&status=succeeded");
    let (status, location) = come_back(&rail.gateway, &path).await;
    assert_eq!(status, 303);
    assert_eq!(location, format!("https://shop.example/thanks?order=7&payment_id={mine}&status=initiated"));
    assert_eq!(paypal.charges(), 0);
    for payment_id in [&mine, &theirs] {
        assert_unmoved(&rail.product.payment(payment_id).await, "another's token");
    }
    for _ in 0..2 {
        let (status, location) = come_back(&rail.gateway, &format!("/return/{theirs}")).await;
        assert_eq!(status, 303);
        assert_eq!(location, format!("https://shop.example/thanks?order=7&payment_id={theirs}&status=succeeded"));
    }
    assert_eq!((paypal.charges_of(&theirs), paypal.charges_of(&mine)), (1, 0));
    for path in [format!("/return/{NOWHERE}"), "/return/x".to_owned()] {
        assert_eq!(come_back(&rail.gateway, &path).await.0, 404, "{path}");
    }
}

#[tokio::test]
async fn a_payment_that_nobody_paid_is_closed_after_asking_and_late_money_is_told_and_refundable() {
    for provider in ["nicepay va", "polar"] {
        let rail = OnRail::start(provider).await;
        let payment_id = created(&rail.product, &rail.simulator).await;
        rail.gateway.advance(A_DAY + FIVE_MINUTES).await;
        assert_eq!(rail.product.payment(&payment_id).await["status"], "canceled", "{provider}");
        assert_eq!(rail.product.event_names(&payment_id).await, ["payment.canceled"], "{provider}");
        rail.simulator.forget_webhooks();
        rail.simulator.pay(&payment_id).await;
        match &rail.simulator {
            Simulator::Polar(polar) => {
                // Polar's clock does not step, so its own message would be too old.
                let order = polar.order_of(&payment_id).unwrap();
                let path = "/webhooks/polar/sandbox";
                post_as_polar(&rail.gateway, path, Scheme::Standard, "order.paid", &order).await.expect_status(200);
            }
            simulator => {
                nicepay_of(simulator).notify(&format!("{payment_id}-1"));
                rail.simulator.settled().await;
            }
        }
        rail.gateway.step().await;
        let payment = rail.product.payment(&payment_id).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("canceled"), &json!(2900)), "{provider}");
        let names = rail.product.event_names(&payment_id).await;
        assert_eq!(names, ["payment.canceled", "payment.paid_after_close"], "{provider}");
        let refund = rail.refund(&payment_id, None, None).await;
        match provider {
            "polar" => assert_eq!(refund.expect_status(201).json()["status"], "succeeded"),
            _ => drop(refund.expect_error(422, "RefundNotSupported")),
        }
    }
}

#[tokio::test]
async fn a_buyer_who_approves_an_order_of_a_canceled_payment_is_not_charged() {
    let rail = OnRail::start("paypal").await;
    let paypal = paypal_of(&rail.simulator);
    let payment_id = created(&rail.product, &rail.simulator).await;
    let cancel = format!("/v1/payments/{payment_id}/cancel");
    assert_eq!(rail.product.post(&cancel, &json!({})).await.expect_status(200).json()["status"], "canceled");
    rail.simulator.pay(&payment_id).await;
    rail.gateway.step().await;
    come_back(&rail.gateway, &format!("/return/{payment_id}")).await;
    rail.gateway.advance(FIVE_MINUTES).await;
    let payment = rail.product.payment(&payment_id).await;
    assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("canceled"), &json!(0)));
    assert_eq!(paypal.charges(), 0);
    // What PayPal took all the same is told, and given back on demand.
    paypal.pay(&payment_id);
    rail.simulator.settled().await;
    rail.gateway.step().await;
    assert_eq!(rail.product.payment(&payment_id).await["paid_minor"], 2900);
    let names = rail.product.event_names(&payment_id).await;
    assert_eq!(names, ["payment.canceled", "payment.paid_after_close"]);
    let refund = rail.refund(&payment_id, None, None).await.expect_status(201).json();
    assert_eq!(refund["status"], "succeeded");
}

#[tokio::test]
async fn a_payment_that_was_paid_meanwhile_is_settled_by_the_call_that_would_cancel_it() {
    for provider in RAILS {
        let rail = OnRail::start(provider).await;
        let payment_id = created(&rail.product, &rail.simulator).await;
        let cancel = format!("/v1/payments/{payment_id}/cancel");
        rail.simulator.forget_webhooks();
        match &rail.simulator {
            Simulator::Paypal(paypal) => paypal.pay(&payment_id),
            simulator => simulator.pay(&payment_id).await,
        }
        rail.proxy.set(Network::Refuse).await;
        rail.product.post(&cancel, &json!({})).await.expect_error(503, "ProviderUnavailable");
        rail.proxy.set(Network::Pass).await;
        assert_unmoved(&rail.product.payment(&payment_id).await, provider);
        rail.gateway.clock.advance(Duration::from_secs(1));
        rail.product.post(&cancel, &json!({})).await.expect_error(422, "NotCancelable");
        assert_paid(&rail.product.payment(&payment_id).await, provider);
        assert_eq!(rail.product.event_names(&payment_id).await, ["payment.succeeded"], "{provider}");
        // And one that was not.
        let unpaid = created(&rail.product, &rail.simulator).await;
        let cancel = format!("/v1/payments/{unpaid}/cancel");
        assert_eq!(rail.product.post(&cancel, &json!({})).await.expect_status(200).json()["status"], "canceled");
        rail.gateway.clock.advance(Duration::from_secs(1));
        rail.product.post(&cancel, &json!({})).await.expect_status(200);
        assert_eq!(rail.product.event_names(&unpaid).await, ["payment.canceled"], "{provider}");
    }
}

#[tokio::test]
async fn money_that_the_provider_took_back_is_told_once() {
    for provider in ["nicepay va", "paypal"] {
        let rail = OnRail::start(provider).await;
        let payment_id = id_of(&rail.paid().await);
        match &rail.simulator {
            Simulator::Paypal(paypal) => paypal.reverse(&payment_id),
            simulator => nicepay_of(simulator).reverse(&format!("{payment_id}-1")),
        }
        rail.simulator.settled().await;
        rail.gateway.step().await;
        if let Simulator::Nicepay(nicepay, _) = &rail.simulator {
            nicepay.notify(&format!("{payment_id}-1"));
            rail.simulator.settled().await;
        }
        rail.gateway.step().await;
        let payment = rail.product.payment(&payment_id).await;
        assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("succeeded"), &json!(2900)), "{provider}");
        let names = rail.product.event_names(&payment_id).await;
        assert_eq!(names, ["payment.reversed", "payment.succeeded"], "{provider}");
    }
}

/// A payment whose first registration was lost, so that NICEPAY has two; the numbers of both.
async fn registered_twice(rail: &OnRail) -> (String, [String; 2]) {
    rail.proxy.set(Network::ResetAfter).await;
    let lost = rail.create(None, "twice").await.expect_status(202).json();
    rail.proxy.set(Network::Pass).await;
    rail.pass(60).await;
    let payment_id = id_of(&lost);
    let references = [format!("{payment_id}-1"), format!("{payment_id}-2")];
    assert_eq!(nicepay_of(&rail.simulator).references(), references);
    (payment_id, references)
}

#[tokio::test]
async fn a_lost_registration_that_is_paid_settles_the_payment_and_the_other_is_canceled() {
    for provider in ["nicepay", "nicepay va"] {
        for (paid, other) in [(0, 1), (1, 0)] {
            let rail = OnRail::start(provider).await;
            let (payment_id, references) = registered_twice(&rail).await;
            let nicepay = nicepay_of(&rail.simulator);
            nicepay.pay(&references[paid]);
            rail.simulator.settled().await;
            rail.gateway.step().await;
            assert_paid(&rail.product.payment(&payment_id).await, provider);
            assert_eq!(rail.product.event_names(&payment_id).await, ["payment.succeeded"], "{provider}");
            let other = nicepay.charge(&references[other]).unwrap();
            // Of a lost one the number is not known, so it cannot be canceled; no buyer has seen it.
            let is_canceled = if paid == 0 { other.status != '3' } else { other.status == '3' };
            assert!(is_canceled, "{provider}: {}", other.status);
        }
    }
}

#[tokio::test]
async fn two_registrations_that_are_both_paid_are_two_receipts_and_each_is_refunded_by_itself() {
    let rail = OnRail::start("nicepay").await;
    let (payment_id, references) = registered_twice(&rail).await;
    let nicepay = nicepay_of(&rail.simulator);
    nicepay.pay(&references[1]);
    nicepay.pay(&references[0]);
    rail.simulator.settled().await;
    rail.gateway.step().await;
    rail.gateway.step().await;
    let payment = rail.product.payment(&payment_id).await;
    assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("succeeded"), &json!(5800)), "{payment}");
    let names = rail.product.event_names(&payment_id).await;
    assert_eq!(names, ["payment.paid_after_close", "payment.succeeded"]);
    rail.refund(&payment_id, Some(5800), None).await.expect_error(422, "NotRefundable");
    for _ in 0..2 {
        let refund = rail.refund(&payment_id, Some(2900), None).await.expect_status(201).json();
        assert_eq!(refund["status"], "succeeded");
    }
    assert_eq!(rail.product.payment(&payment_id).await["refunded_minor"], 5800);
    assert_eq!([&references[0], &references[1]].map(|reference| nicepay.refunded(reference)), [2900, 2900]);
    rail.refund(&payment_id, Some(1), None).await.expect_error(422, "NotRefundable");
}

/// Every column of text of a table, row by row, in one text.
fn texts_of(gateway: &TestGateway, table: &str, columns: &[&str]) -> String {
    let sum: Vec<String> = columns.iter().map(|column| format!("COALESCE({column}, '')")).collect();
    gateway.database.texts(&format!("SELECT {} AS text FROM {table}", sum.join(" || ' ' || "))).join("\n")
}

#[tokio::test]
async fn no_secret_is_shown_or_stored_in_the_clear_and_no_buyer_is_in_the_archive() {
    join_all(RAILS.map(plant_canaries_on)).await;
}

async fn plant_canaries_on(provider: &'static str) {
    let rail = OnRail::start(provider).await;
    let buyer = json!({ "name": "Canary Kestrel", "phone": "628119987654321", "ip": "198.51.100.77" });
    let mut request = rail.simulator.request();
    request["email"] = json!("canary.kestrel@shop.example");
    request["buyer"] = buyer;
    let mut answers = Vec::new();
    let payment_id = {
        let answer = rail.product.create(request.clone()).await.expect_status(201);
        answers.push(answer.text.clone());
        id_of(&answer.json())
    };
    rail.simulator.refuse_next();
    answers.push(ask_again(&rail, &request).await.text);
    rail.proxy.set(Network::Garbage).await;
    answers.push(ask_again(&rail, &request).await.text);
    rail.proxy.set(Network::Refuse).await;
    answers.push(ask_again(&rail, &request).await.text);
    rail.proxy.set(Network::Pass).await;
    match &rail.simulator {
        Simulator::Polar(polar) => polar.fault_next_webhooks(polar::WebhookFault::BadlySigned),
        Simulator::Paypal(paypal) => paypal.fault_next(paypal::Fault::BadSignature),
        Simulator::Nicepay(nicepay, _) => nicepay.fault_next(nicepay::Fault::BadlySigned),
    }
    rail.simulator.pay(&payment_id).await;
    rail.pass(60).await;
    if let Simulator::Nicepay(nicepay, _) = &rail.simulator {
        nicepay.notify(&format!("{payment_id}-1"));
    }
    rail.simulator.settled().await;
    rail.gateway.advance(FIVE_MINUTES).await;
    rail.simulator.settled().await;
    assert_paid(&rail.product.payment(&payment_id).await, provider);
    answers.push(rail.refund(&payment_id, None, None).await.text);
    rail.simulator.settled().await;
    rail.gateway.step().await;

    let inbox =
        texts_of(&rail.gateway, "inbox", &["provider_event", "verdict", "detail", "headers", "body", "payment_id"]);
    let attempts = texts_of(&rail.gateway, "attempts", &["state", "provider_ref", "error", "reference"]);
    let events = texts_of(&rail.gateway, "events", &["event_type", "body"]);
    assert!(inbox.contains("rejected") && inbox.lines().count() > 1, "{provider}: {inbox}");
    // PayPal's own of the buyer come back from there.
    let private =
        ["Kestrel", "kestrel", "628119987654321", "198.51.100.77", "buyer@example.com", "Q7M4XKD2WNRB6", "Berg"];
    for canary in private {
        for (place, text) in [("the inbox", &inbox), ("the attempts", &attempts), ("the events", &events)] {
            assert!(!text.contains(canary), "{provider}: {canary} is in {place}: {text}");
        }
    }
    let mut shown = vec![inbox, attempts, events];
    for path in ["/info", "/metrics", "/healthz", "/readyz"] {
        shown.push(rail.gateway.fetch(path).await.text);
    }
    shown.push(rail.product.get(&format!("/v1/payments/{payment_id}/timeline")).await.text);
    shown.push(rail.product.get("/v1/events").await.text);
    shown.extend(answers);
    let secrets: BTreeMap<&str, String> = rail.simulator.credentials().into_iter().collect();
    let public = ["imid", "shop_id", "api", "public_key", "webhook_id", "webhook_ca"];
    for (name, secret) in secrets.iter().filter(|(name, _)| !public.contains(name)) {
        for text in &shown {
            assert!(!text.contains(secret.as_str()), "{provider}: {name} is shown: {text}");
            assert!(!text.contains("Bearer "), "{provider}: a token is shown: {text}");
        }
    }
}

async fn ask_again(rail: &OnRail, request: &Value) -> Answer {
    rail.gateway.clock.advance(Duration::from_secs(1));
    rail.product.create(request.clone()).await
}
