//! Payments over the providers' own protocols, end to end: simulators on one side, a product on the other. What is true
//! of every provider is tried with each; each provider's own ways are tried in its driver's tests.

use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::config::{ProviderSettings, Settings};
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::Secret;
use switchyard::psp::Driver;

use crate::simulators::nicepay::{self, NicepaySimulator};
use crate::simulators::paypal::{self, PaypalSimulator};
use crate::simulators::polar::{self, PolarSimulator};
use crate::simulators::proxy::{FaultProxy, Mode as Fault};
use crate::support::{Answer, Product, TestGateway, id_of};

/// How long a call to a provider may take in these tests.
const CALL_TIMEOUT: Duration = Duration::from_millis(1800);

/// A provider that plays along.
pub enum Simulator {
    Nicepay(NicepaySimulator, &'static str),
    Polar(PolarSimulator),
    Paypal(PaypalSimulator),
}

/// What is tried: a provider, or one of its dialects and ways of paying. These can give money back in parts.
pub const REFUNDING: [&str; 3] = ["nicepay", "polar", "paypal"];

/// All that can be paid.
pub const RAILS: [&str; 6] = ["nicepay", "nicepay va", "nicepay snap", "nicepay snap va", "polar", "paypal"];

impl Simulator {
    pub async fn start(rail: &'static str, webhook_url: String, clock: &Clock) -> Self {
        match rail {
            "nicepay" | "nicepay va" | "nicepay snap" | "nicepay snap va" => {
                let options = nicepay::Options { clock: clock.clone(), ..nicepay::Options::default() };
                Self::Nicepay(NicepaySimulator::start(0, options).await, rail)
            }
            "polar" => {
                let options = polar::Options { webhook_url: Some(webhook_url), ..polar::Options::default() };
                Self::Polar(PolarSimulator::start(0, options).await)
            }
            "paypal" => {
                let options = paypal::Options {
                    webhook_url: Some(webhook_url),
                    clock: clock.clone(),
                    ..paypal::Options::default()
                };
                Self::Paypal(PaypalSimulator::start(0, options).await)
            }
            _ => panic!("no simulator of {rail}"),
        }
    }

    pub fn url(&self) -> &str {
        match self {
            Self::Nicepay(nicepay, _) => &nicepay.url,
            Self::Polar(polar) => &polar.url,
            Self::Paypal(paypal) => &paypal.url,
        }
    }

    pub fn credentials(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Nicepay(_, rail) => {
                let mut credentials = vec![
                    ("imid", nicepay::IMID.to_owned()),
                    ("merchant_key", nicepay::MERCHANT_KEY.to_owned()),
                    ("shop_id", nicepay::SHOP_ID.to_owned()),
                ];
                if rail.contains("snap") {
                    credentials.extend([
                        ("api", "snap".to_owned()),
                        ("client_secret", nicepay::CLIENT_SECRET.to_owned()),
                        ("private_key", nicepay::private_key()),
                        ("public_key", nicepay::public_key()),
                    ]);
                }
                credentials
            }
            Self::Polar(polar) => {
                vec![("access_token", polar::ACCESS_TOKEN.to_owned()), ("webhook_secret", polar.webhook_secret.clone())]
            }
            Self::Paypal(paypal) => paypal.credentials(),
        }
    }

    /// What a request for a payment by this provider has besides the usual.
    pub fn request(&self) -> Value {
        match self {
            Self::Nicepay(_, rail) => {
                let method = if rail.ends_with("va") { "va_mandiri" } else { "qris" };
                json!({ "method": method, "currency": "IDR", "amount_minor": 2900 })
            }
            Self::Polar(_) => json!({ "method": "polar", "currency": "USD", "amount_minor": 2900,
                                      "metadata": { "polar_product_id": polar::ONE_TIME_PRODUCT } }),
            Self::Paypal(_) => json!({ "method": "paypal", "currency": "USD", "amount_minor": 2900 }),
        }
    }

    /// The buyer pays; the provider tells.
    pub async fn pay(&self, payment_id: &str) {
        match self {
            // A buyer sees the number or the code of the attempt that was made last.
            Self::Nicepay(nicepay, _) => {
                let references = nicepay.references();
                nicepay.pay(references.iter().rfind(|reference| reference.starts_with(payment_id)).unwrap());
            }
            Self::Polar(polar) => polar.pay(payment_id),
            Self::Paypal(paypal) => paypal.approve(payment_id),
        }
        self.settled().await;
    }

    pub async fn settled(&self) {
        match self {
            Self::Nicepay(nicepay, _) => nicepay.webhooks_are_delivered().await,
            Self::Polar(polar) => polar.settled().await,
            Self::Paypal(paypal) => paypal.all_delivered().await,
        }
    }

    pub fn charges(&self) -> u32 {
        match self {
            Self::Nicepay(nicepay, _) => nicepay.charges(),
            Self::Polar(polar) => polar.charges(),
            Self::Paypal(paypal) => paypal.charges(),
        }
    }

    /// Whether a payment's object tells the buyer how to pay: what to scan or transfer to, or the provider's page.
    pub fn can_be_paid(&self, payment: &Value) -> bool {
        payment["instructions"].is_object() || payment["checkout_url"].as_str().unwrap().starts_with(self.url())
    }

    /// How many payments were started at the provider, paid or not.
    pub fn begun(&self) -> usize {
        match self {
            Self::Nicepay(nicepay, _) => nicepay.registrations(),
            Self::Polar(polar) => {
                let calls = polar.requests();
                calls.iter().filter(|call| call.method == "POST" && call.path == "/v1/checkouts/").count()
            }
            Self::Paypal(paypal) => paypal.orders(),
        }
    }

    /// Whether the provider has given anything back.
    pub fn has_refunded(&self, payment_id: &str) -> bool {
        match self {
            Self::Nicepay(nicepay, _) => nicepay.refunded(&format!("{payment_id}-1")) > 0,
            Self::Polar(polar) => !polar.refunds_of(payment_id).is_empty(),
            Self::Paypal(paypal) => paypal.refunds_of(payment_id) > 0,
        }
    }

    pub fn refuse_next(&self) {
        match self {
            Self::Nicepay(nicepay, rail) => {
                let code = match (rail.contains("snap"), rail.ends_with("va")) {
                    (false, _) => "9012",
                    (true, true) => "4032715",
                    (true, false) => "4034715",
                };
                nicepay.fault_next(nicepay::Fault::Refuse(code));
            }
            Self::Polar(polar) => polar.fault_next(polar::Fault::Refuse),
            Self::Paypal(paypal) => paypal.fault_next(paypal::Fault::Refuse(422, "UNPROCESSABLE_ENTITY")),
        }
    }

    pub fn forget_webhooks(&self) {
        match self {
            Self::Nicepay(nicepay, _) => nicepay.fault_next(nicepay::Fault::Never),
            Self::Polar(polar) => polar.fault_next_webhooks(polar::WebhookFault::Never),
            Self::Paypal(paypal) => {
                paypal.fault_next(paypal::Fault::Never);
                paypal.fault_next(paypal::Fault::Never);
            }
        }
    }
}

/// A gateway in sandbox mode on one provider's rail, with a proxy in between that breaks on demand.
pub struct OnRail {
    pub gateway: TestGateway,
    pub product: Product,
    pub simulator: Simulator,
    pub proxy: FaultProxy,
}

impl OnRail {
    pub async fn start(rail: &'static str) -> Self {
        Self::start_telling(rail, None).await
    }

    /// As [`OnRail::start`]; the provider's webhooks go to another base URL than the gateway's own.
    pub async fn start_telling(rail: &'static str, listening: Option<String>) -> Self {
        let provider = rail.split(' ').next().unwrap();
        let clock = Clock::manual(Clock::system().now());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let told = listening.clone().unwrap_or_else(|| format!("http://{}", listener.local_addr().unwrap()));
        let webhook_url = format!("{told}/webhooks/{provider}/sandbox");
        let simulator = Simulator::start(rail, webhook_url, &clock).await;
        let proxy = FaultProxy::start(simulator.url()).await;
        let settings = provider_settings(provider, Mode::Sandbox, &proxy.url, simulator.credentials());
        let gateway = TestGateway::spawn_on(listener, clock, false, |all: &mut Settings| {
            all.provider_timeout = Some(CALL_TIMEOUT);
            if let Some(told) = listening {
                all.public_url = told;
            }
            all.providers.retain(|one| one.driver.name != provider || one.mode != Mode::Sandbox);
            all.providers.push(settings);
        })
        .await;
        let product = gateway.product(Mode::Sandbox).await;
        Self { gateway, product, simulator, proxy }
    }

    pub async fn create(&self, key: Option<&str>, order: &str) -> Answer {
        let mut changes = self.simulator.request();
        changes["external_user_id"] = json!("user-1");
        changes["description"] = json!(order);
        let body = crate::support::payment_request(changes).to_string();
        self.product.request("POST", "/v1/payments", body.as_bytes(), key).await
    }

    pub async fn paid(&self) -> Value {
        let payment = self.create(None, "paid").await.expect_status(201).json();
        self.simulator.pay(&id_of(&payment)).await;
        self.gateway.step().await;
        self.simulator.settled().await;
        self.gateway.step().await;
        self.product.payment(&id_of(&payment)).await
    }

    pub async fn refund(&self, payment_id: &str, amount_minor: Option<i64>, key: Option<&str>) -> Answer {
        self.gateway.clock.advance(Duration::from_secs(1));
        let body = json!({ "payment_id": payment_id, "amount_minor": amount_minor }).to_string();
        self.product.request("POST", "/v1/refunds", body.as_bytes(), key).await
    }

    /// Lets `seconds` of the gateway's time pass, in steps of two.
    pub async fn pass(&self, seconds: u64) {
        for _ in 0..seconds / 2 {
            self.gateway.advance(Duration::from_secs(2)).await;
        }
    }
}

pub fn provider_settings(
    provider: &str,
    mode: Mode,
    base_url: &str,
    credentials: Vec<(&'static str, String)>,
) -> ProviderSettings {
    ProviderSettings {
        driver: Driver::named(provider).unwrap(),
        mode,
        base_url: Some(base_url.to_owned()),
        credentials: credentials.into_iter().map(|(name, text)| (name.to_owned(), Secret::new(text))).collect(),
    }
}

#[tokio::test]
async fn a_payment_is_made_told_and_refunded_over_each_rail() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        let payment = rail.paid().await;
        assert_eq!(payment["status"], "succeeded", "{provider}: {payment}");
        assert_eq!((&payment["provider"], &payment["paid_minor"]), (&json!(provider), &json!(2900)), "{provider}");
        assert!(payment["fallback"].is_null() && payment["provider_ref"].is_string(), "{payment}");
        let payment_id = id_of(&payment);
        let part = rail.refund(&payment_id, Some(900), None).await.expect_status(201).json();
        assert_eq!(part["status"], "succeeded", "{provider}: {part}");
        let rest = rail.refund(&payment_id, None, None).await.expect_status(201).json();
        assert_eq!((&rest["status"], &rest["amount_minor"]), (&json!("succeeded"), &json!(2000)), "{provider}");
        rail.simulator.settled().await;
        rail.gateway.step().await;
        assert_eq!(rail.product.payment(&payment_id).await["refunded_minor"], 2900, "{provider}");
        let names = rail.product.event_names(&payment_id).await;
        assert_eq!(names, ["payment.succeeded", "refund.succeeded", "refund.succeeded"], "{provider}");
        assert_eq!((rail.simulator.charges(), rail.simulator.has_refunded(&payment_id)), (1, true), "{provider}");
        rail.refund(&payment_id, Some(1), None).await.expect_error(422, "NotRefundable");
    }
}

#[tokio::test]
async fn a_refused_start_is_a_failed_payment_and_a_502_that_stays() {
    for provider in RAILS {
        let rail = OnRail::start(provider).await;
        rail.simulator.refuse_next();
        let refused = rail.create(Some("key"), "refused").await.expect_error(502, "ProviderError");
        let payment = rail.product.payment(&refused.text_of("payment_id")).await;
        assert_eq!(payment["status"], "failed", "{provider}");
        assert_ne!(payment["last_error"], "", "{provider}");
        rail.gateway.clock.advance(Duration::from_secs(1));
        let replayed = rail.create(Some("key"), "refused").await;
        assert_eq!((replayed.status, &replayed.text), (502, &refused.text), "{provider}");
        assert_eq!(rail.product.event_names(&id_of(&payment)).await, ["payment.failed"]);
    }
}

#[tokio::test]
async fn a_provider_that_cannot_be_reached_is_503_and_the_same_key_continues_the_same_payment() {
    for provider in RAILS {
        let rail = OnRail::start(provider).await;
        rail.proxy.set(Fault::Refuse).await;
        let away = rail.create(Some("key"), "away").await.expect_error(503, "ProviderUnavailable");
        assert!(away.header("retry-after").is_some(), "{provider}");
        let payment_id = away.text_of("payment_id");
        rail.proxy.set(Fault::Pass).await;
        rail.gateway.clock.advance(Duration::from_secs(6));
        let payment = rail.create(Some("key"), "away").await.expect_status(201).json();
        assert_eq!(id_of(&payment), payment_id, "{provider}");
        rail.simulator.pay(&payment_id).await;
        rail.gateway.step().await;
        assert_eq!(rail.product.payment(&payment_id).await["status"], "succeeded", "{provider}");
        assert_eq!(rail.simulator.charges(), 1, "{provider}");
        rail.gateway.clock.advance(Duration::from_secs(1));
        let replayed = rail.create(Some("key"), "away").await.expect_status(201);
        assert_eq!(replayed.header("idempotent-replayed"), Some("true"));
        assert_eq!(replayed.json()["status"], "initiated", "the first answer, byte for byte");
    }
}

const LOST: [Fault; 6] =
    [Fault::ResetBefore, Fault::ResetAfter, Fault::Hang, Fault::HangAfter, Fault::Status(500), Fault::Garbage];

#[tokio::test]
async fn a_start_whose_answer_is_lost_is_202_then_found_out_and_charged_once() {
    for provider in RAILS {
        for fault in LOST {
            let rail = OnRail::start(provider).await;
            let case = format!("{provider}, {fault:?}");
            rail.proxy.set(fault).await;
            let lost = rail.create(Some("key"), &case).await;
            rail.proxy.set(Fault::Pass).await;
            // Some providers are asked for something else first (a token, a product): of that, nothing can be charged.
            let payment_id = if lost.status == 503 {
                lost.text_of("payment_id")
            } else {
                id_of(&lost.clone().expect_status(202).json())
            };
            if lost.status == 202 {
                assert_eq!(lost.json()["status"], "initiated", "{case}");
                assert_ne!(lost.json()["last_error"], "", "{case}");
                rail.pass(60).await;
            } else {
                rail.gateway.clock.advance(Duration::from_secs(30));
            }
            let replayed = rail.create(Some("key"), &case).await.expect_status(201).json();
            assert_eq!(id_of(&replayed), payment_id, "{case}");
            assert_eq!((&replayed["status"], &replayed["last_error"]), (&json!("initiated"), &json!("")), "{case}");
            assert!(rail.simulator.can_be_paid(&replayed), "{case}: {replayed}");
            rail.simulator.pay(&payment_id).await;
            rail.gateway.step().await;
            rail.simulator.settled().await;
            rail.gateway.step().await;
            let payment = rail.product.payment(&payment_id).await;
            assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("succeeded"), &json!(2900)), "{case}");
            assert_eq!(rail.product.event_names(&payment_id).await, ["payment.succeeded"], "{case}");
            assert_eq!(rail.simulator.charges(), 1, "{case}");
        }
    }
}

#[tokio::test]
async fn a_payment_whose_webhooks_never_come_is_asked_about() {
    for provider in RAILS {
        let rail = OnRail::start(provider).await;
        let payment = rail.create(None, "quiet").await.expect_status(201).json();
        rail.simulator.forget_webhooks();
        rail.simulator.pay(&id_of(&payment)).await;
        rail.gateway.step().await;
        assert_eq!(rail.product.payment(&id_of(&payment)).await["status"], "initiated", "{provider}");
        rail.gateway.advance(Duration::from_secs(5 * 60)).await;
        assert_eq!(rail.product.payment(&id_of(&payment)).await["status"], "succeeded", "{provider}");
        assert_eq!(rail.simulator.charges(), 1, "{provider}");
    }
}

#[tokio::test]
async fn a_refund_whose_answer_is_lost_is_202_and_ends_as_the_provider_did_it() {
    for provider in REFUNDING {
        for fault in LOST {
            let rail = OnRail::start(provider).await;
            let case = format!("{provider}, {fault:?}");
            let payment_id = id_of(&rail.paid().await);
            rail.proxy.set(fault).await;
            let lost = rail.refund(&payment_id, None, Some("key")).await;
            rail.proxy.set(Fault::Pass).await;
            if lost.status == 503 {
                assert!(!rail.simulator.has_refunded(&payment_id), "{case}");
                continue;
            }
            let refund = lost.json();
            // The provider's webhook may have told of it before the call was given up.
            let expected = if lost.status == 201 { "succeeded" } else { "initiated" };
            assert!(matches!(lost.status, 201 | 202), "{case}: {}", lost.text);
            assert_eq!(refund["status"], expected, "{case}");
            rail.refund(&payment_id, None, None).await.expect_error(422, "NotRefundable");
            rail.pass(60).await;
            rail.simulator.settled().await;
            let refund_id = refund["refund_id"].as_str().unwrap();
            let refund = rail.product.get(&format!("/v1/refunds/{refund_id}")).await.expect_status(200).json();
            let is_done = rail.simulator.has_refunded(&payment_id);
            let expected = if is_done { ("succeeded", 2900) } else { ("failed", 0) };
            assert_eq!(refund["status"], expected.0, "{case}: given back at the provider: {is_done}");
            assert_eq!(rail.product.payment(&payment_id).await["refunded_minor"], expected.1, "{case}");
            let event = format!("refund.{}", expected.0);
            assert_eq!(rail.product.event_names(&payment_id).await, ["payment.succeeded", &event], "{case}");
        }
    }
}

#[tokio::test]
async fn a_question_whose_answer_is_lost_is_asked_again_and_the_money_is_taken_once() {
    for provider in RAILS {
        for fault in LOST {
            let rail = OnRail::start(provider).await;
            let case = format!("{provider}, {fault:?}");
            let payment_id = id_of(&rail.create(None, &case).await.expect_status(201).json());
            rail.simulator.forget_webhooks();
            rail.simulator.pay(&payment_id).await;
            rail.proxy.set(fault).await;
            rail.gateway.advance(Duration::from_secs(5 * 60)).await;
            rail.proxy.set(Fault::Pass).await;
            rail.pass(60).await;
            rail.simulator.settled().await;
            rail.gateway.step().await;
            let payment = rail.product.payment(&payment_id).await;
            assert_eq!((&payment["status"], &payment["paid_minor"]), (&json!("succeeded"), &json!(2900)), "{case}");
            assert_eq!(rail.product.event_names(&payment_id).await, ["payment.succeeded"], "{case}");
            assert_eq!(rail.simulator.charges(), 1, "{case}");
        }
    }
}

#[tokio::test]
async fn a_refused_refund_is_failed_and_its_amount_is_free_again() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        let payment_id = id_of(&rail.paid().await);
        rail.simulator.refuse_next();
        let refused = rail.refund(&payment_id, None, Some("key")).await.expect_status(201).json();
        assert_eq!(refused["status"], "failed", "{provider}");
        let again = rail.refund(&payment_id, None, Some("another")).await.expect_status(201).json();
        assert_eq!(again["status"], "succeeded", "{provider}");
        let names = rail.product.event_names(&payment_id).await;
        assert_eq!(names, ["payment.succeeded", "refund.failed", "refund.succeeded"], "{provider}");
    }
}

#[tokio::test]
async fn a_refund_that_cannot_be_sent_is_503_and_nothing_is_reserved() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        let payment_id = id_of(&rail.paid().await);
        rail.proxy.set(Fault::Refuse).await;
        rail.refund(&payment_id, None, Some("key")).await.expect_error(503, "ProviderUnavailable");
        rail.proxy.set(Fault::Pass).await;
        rail.gateway.clock.advance(Duration::from_secs(6));
        let refund = rail.refund(&payment_id, None, Some("key")).await.expect_status(201).json();
        assert_eq!(refund["status"], "succeeded", "{provider}");
        let listed = rail.product.listed(&format!("/v1/refunds?payment_id={payment_id}")).await;
        assert_eq!(listed.len(), 1, "{provider}");
    }
}

#[tokio::test]
async fn a_virtual_account_is_refunded_by_hand_and_says_so() {
    let rail = OnRail::start("nicepay va").await;
    let payment = rail.paid().await;
    assert_eq!(payment["instructions"]["kind"], "virtual_account");
    assert_eq!(payment["status"], "succeeded");
    let refused = rail.refund(&id_of(&payment), None, Some("key")).await.expect_error(422, "RefundNotSupported");
    let again = rail.refund(&id_of(&payment), None, Some("key")).await;
    assert_eq!((again.status, again.text), (422, refused.text), "the answer stays");
    assert!(rail.product.listed("/v1/refunds").await.is_empty());
}

#[tokio::test]
async fn an_order_that_is_approved_after_its_payment_was_closed_is_not_captured() {
    let rail = OnRail::start("paypal").await;
    let payment_id = id_of(&rail.create(None, "closed").await.expect_status(201).json());
    rail.product.post(&format!("/v1/payments/{payment_id}/cancel"), &json!({})).await.expect_status(200);
    rail.simulator.pay(&payment_id).await;
    rail.gateway.step().await;
    let back = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let back = back.get(rail.gateway.url(&format!("/return/{payment_id}?token=another"))).send().await.unwrap();
    assert_eq!(back.status(), 303);
    let expected = format!("https://shop.example/thanks?order=7&payment_id={payment_id}&status=canceled");
    assert_eq!(back.headers()["location"], expected);
    rail.pass(60).await;
    assert_eq!(rail.product.payment(&payment_id).await["status"], "canceled");
    assert_eq!(rail.simulator.charges(), 0);
}
