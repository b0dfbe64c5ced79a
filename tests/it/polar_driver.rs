//! Polar's driver against Polar's simulator: checkouts, money, refunds, subscriptions, webhooks, and what goes wrong.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::drafts::Buyer;
use switchyard::domain::ids::{AttemptId, PaymentId, RefundId};
use switchyard::domain::mode::Mode;
use switchyard::domain::money::Currency;
use switchyard::domain::payments::{Observation, RefundOutcome};
use switchyard::domain::secrets::Secret;
use switchyard::domain::subscriptions::SubscriptionStatus;
use switchyard::domain::time::Timestamp;
use switchyard::psp::http::{Http, client_with};
use switchyard::psp::{Account, Driver, Failure, News, Ongoing, Psp, RefundOrder, Start, Started, WebhookReading};

use crate::simulators::polar::{
    ACCESS_TOKEN, Fault, ONE_TIME_PRODUCT, Options, PolarSimulator, RECURRING_PRODUCT, Scheme, WebhookFault,
    webhooks::sign,
};
use crate::support::{Receiver, Reply};

const SHORT: Duration = Duration::from_millis(700);

struct Case {
    polar: PolarSimulator,
    driver: Arc<dyn Psp>,
    payment_id: PaymentId,
    attempt_id: AttemptId,
    now: Timestamp,
}

fn connect(url: &str, token: &str, secret: &str) -> Arc<dyn Psp> {
    let credentials = [("access_token", token), ("webhook_secret", secret)];
    let account = Account {
        mode: Mode::Sandbox,
        base_url: url.to_owned(),
        credentials: BTreeMap::from(credentials.map(|(name, text)| (name.to_owned(), Secret::new(text.to_owned())))),
    };
    let http = Http::new(client_with(SHORT).unwrap(), Clock::system());
    Driver::named("polar").unwrap().connect.unwrap()(account, http)
}

/// What a start is asked for.
struct Ask {
    product: String,
    amount_minor: i64,
    currency: &'static str,
    is_repeat: bool,
    email: &'static str,
}

impl Ask {
    fn one_time(amount_minor: i64, currency: &'static str) -> Self {
        let product = ONE_TIME_PRODUCT.to_owned();
        Self { product, amount_minor, currency, is_repeat: false, email: "buyer@shop.example" }
    }

    fn recurring(amount_minor: i64, currency: &'static str) -> Self {
        Self { product: RECURRING_PRODUCT.to_owned(), ..Self::one_time(amount_minor, currency) }
    }

    fn again(self) -> Self {
        Self { is_repeat: true, ..self }
    }
}

impl Case {
    async fn new() -> Self {
        Self::with(Options::default()).await
    }

    async fn with(options: Options) -> Self {
        let polar = PolarSimulator::start(0, options).await;
        let driver = connect(&polar.url, ACCESS_TOKEN, &polar.webhook_secret);
        let now = Clock::system().now();
        Self { polar, driver, payment_id: PaymentId::generate(now), attempt_id: AttemptId::generate(now), now }
    }

    async fn start(&self, ask: Ask) -> Result<Started, Failure> {
        let metadata = json!({ "polar_product_id": ask.product });
        let start = Start {
            payment_id: &self.payment_id,
            attempt_id: &self.attempt_id,
            reference: "INV-7",
            is_repeat: ask.is_repeat,
            amount_minor: ask.amount_minor,
            currency: Currency::parse(ask.currency).unwrap(),
            method: "polar",
            description: Some("Lifetime licence"),
            invoice_number: "INV-7",
            external_user_id: "user-42",
            email: Some(ask.email),
            buyer: Buyer { name: Some("Ada Example".into()), phone: None, ip: Some("203.0.113.7".into()) },
            metadata: &metadata,
            return_url: "https://pay.example/return/pay_1",
            notify_url: "https://pay.example/webhooks/polar/sandbox",
            expires_at: self.now.plus(Duration::from_secs(3600)),
            now: self.now,
        };
        self.driver.start(&start).await
    }

    fn ongoing<'a>(&'a self, provider_ref: &'a str, amount_minor: i64, currency: &str) -> Ongoing<'a> {
        Ongoing {
            payment_id: &self.payment_id,
            attempt_id: &self.attempt_id,
            reference: "INV-7",
            provider_ref,
            amount_minor,
            currency: Currency::parse(currency).unwrap(),
            method: "polar",
            is_open: true,
            now: self.now,
        }
    }

    async fn fetch(&self, provider_ref: &str) -> Vec<Observation> {
        self.driver.fetch(&self.ongoing(provider_ref, 2_900, "USD")).await.unwrap()
    }

    /// Starts and pays; the checkout's and the order's ids.
    async fn paid(&self, ask: Ask) -> (String, String) {
        let checkout = self.start(ask).await.unwrap().provider_ref;
        self.polar.pay(&checkout);
        let order = self.polar.order_of(&checkout).unwrap()["id"].as_str().unwrap().to_owned();
        (checkout, order)
    }

    fn calls(&self) -> Vec<String> {
        self.polar.requests().into_iter().map(|call| format!("{} {}", call.method, call.path)).collect()
    }
}

fn refund_order<'a>(
    payment: Ongoing<'a>,
    refund_id: &'a RefundId,
    transaction: &'a str,
    amount_minor: i64,
) -> RefundOrder<'a> {
    let created_at = payment.now;
    RefundOrder {
        payment,
        refund_id,
        transaction,
        amount_minor,
        refunded_minor: 0,
        reason: Some("seat not used"),
        created_at,
        other_refs: &[],
    }
}

fn paid(amount_minor: i64, currency: &str, transaction: &str) -> Observation {
    Observation::Paid { amount_minor, currency: currency.into(), transaction: transaction.into() }
}

fn refused(outcome: Result<impl std::fmt::Debug, Failure>) -> String {
    match outcome {
        Err(Failure::Refused { reason }) => reason,
        other => panic!("was not refused: {other:?}"),
    }
}

#[tokio::test]
async fn what_is_bought_once_costs_exactly_the_amount_and_is_paid_when_its_order_is() {
    let case = Case::new().await;
    let started = case.start(Ask::one_time(2_900, "USD")).await.unwrap();
    assert!(started.checkout_url.as_ref().unwrap().starts_with(&case.polar.url));
    assert!(started.expires_at.unwrap() > case.now);
    assert_eq!(case.calls(), [format!("GET /v1/products/{ONE_TIME_PRODUCT}"), "POST /v1/checkouts/".to_owned()]);
    let sent: Value = serde_json::from_str(&case.polar.requests()[1].body).unwrap();
    assert_eq!(sent["metadata"]["payment_id"], case.payment_id.as_str());
    assert_eq!(sent["success_url"], "https://pay.example/return/pay_1");
    assert_eq!(sent["external_customer_id"], "user-42");
    let checkout = &started.provider_ref;
    assert_eq!(case.fetch(checkout).await, [Observation::Pending]);
    case.polar.confirm(checkout);
    assert_eq!(case.fetch(checkout).await, [Observation::Pending]);
    case.polar.decline(checkout);
    assert_eq!(case.fetch(checkout).await, [Observation::Pending], "a decline leaves it open");
    case.polar.pay(checkout);
    let order = case.polar.order_of(checkout).unwrap();
    assert_eq!((&order["net_amount"], &order["total_amount"]), (&json!(2_900), &json!(3_451)), "tax is on top");
    assert_eq!(case.fetch(checkout).await, [paid(2_900, "USD", order["id"].as_str().unwrap())]);
    assert_eq!(case.polar.charges_of(case.payment_id.as_str()), 1);
}

#[tokio::test]
async fn another_currency_goes_beside_the_organisations_own_and_rupiah_are_counted_in_hundredths() {
    let case = Case::new().await;
    let (checkout, order) = case.paid(Ask::one_time(50_000, "IDR")).await;
    assert_eq!(case.polar.order_of(&checkout).unwrap()["net_amount"], 5_000_000);
    assert_eq!(case.fetch(&checkout).await, [paid(50_000, "IDR", &order)]);
    let (checkout, order) = case.paid(Ask::one_time(1_500, "ISK")).await;
    assert_eq!(case.fetch(&checkout).await, [paid(1_500, "ISK", &order)]);
    let reason = refused(case.start(Ask::one_time(150, "MGA")).await);
    assert_eq!(reason, "the provider cannot charge this amount exactly");
}

#[tokio::test]
async fn what_recurs_costs_what_its_product_costs() {
    let case = Case::new().await;
    let reason = refused(case.start(Ask::recurring(2_500, "USD")).await);
    assert_eq!(reason, "the recurring product costs 2000 USD in minor units, the payment asks for 2500");
    let reason = refused(case.start(Ask::recurring(2_000, "GBP")).await);
    assert_eq!(reason, "the recurring product has no fixed price in GBP");
    assert!(case.polar.checkouts_of(case.payment_id.as_str()).is_empty());
    // The catalogue price has its tax within; what counts is the price.
    let (checkout, order) = case.paid(Ask::recurring(1_800, "EUR")).await;
    assert_ne!(case.polar.order_of(&checkout).unwrap()["net_amount"], 1_800);
    assert_eq!(case.fetch(&checkout).await, [paid(1_800, "EUR", &order)]);
}

#[tokio::test]
async fn a_start_that_polar_refuses_says_why_without_the_buyers_data() {
    let case = Case::new().await;
    let unknown = Ask { product: "5d0a4f5e-2b57-4c0e-8a57-8a3d1e0c7b12".into(), ..Ask::one_time(2_900, "USD") };
    assert_eq!(refused(case.start(unknown).await), "ResourceNotFound: Not found");
    for product in ["", "../orders/", "5d0a?4f5e"] {
        let ask = Ask { product: product.into(), ..Ask::one_time(2_900, "USD") };
        assert_eq!(refused(case.start(ask).await), "metadata.polar_product_id is not the id of a product");
    }
    let undeliverable = Ask { email: "buyer@no-mail.example", ..Ask::one_time(2_900, "USD") };
    assert_eq!(refused(case.start(undeliverable).await), "customer_email: value_error");
    case.polar.fault_next(Fault::Refuse);
    assert_eq!(refused(case.start(Ask::one_time(2_900, "USD")).await), "products: Product is not available.");
    case.polar.archive_product(ONE_TIME_PRODUCT);
    assert_eq!(refused(case.start(Ask::one_time(2_900, "USD")).await), "the product is archived at the provider");
    let stranger = connect(&case.polar.url, "polar_oat_other", "whsec_x");
    assert_eq!(refused(stranger.check(case.now).await), "the provider does not accept the credentials");
    case.driver.check(case.now).await.unwrap();
}

#[tokio::test]
async fn a_lost_start_is_found_again_and_never_made_twice() {
    let case = Case::new().await;
    case.polar.fault_next(Fault::AnswerLost(SHORT * 2));
    let lost = case.start(Ask::one_time(2_900, "USD")).await;
    assert_eq!(lost.unwrap_err(), Failure::Unknown { class: "timeout" });
    let found = case.start(Ask::one_time(2_900, "USD").again()).await.unwrap();
    let made = case.polar.checkouts_of(case.payment_id.as_str());
    assert_eq!(made.len(), 1);
    assert_eq!(made[0]["id"], found.provider_ref.as_str());
    case.polar.expire(&found.provider_ref);
    let next = case.start(Ask::one_time(2_900, "USD").again()).await.unwrap();
    assert_ne!(next.provider_ref, found.provider_ref, "one that can be paid no more is not taken");
}

#[tokio::test]
async fn a_repeat_of_what_never_arrived_makes_it() {
    let case = Case::new().await;
    case.polar.fault_next(Fault::Http500);
    let lost = case.start(Ask::one_time(2_900, "USD")).await;
    assert_eq!(lost.unwrap_err(), Failure::Unknown { class: "http_5xx" });
    case.start(Ask::one_time(2_900, "USD").again()).await.unwrap();
    assert_eq!(case.polar.checkouts_of(case.payment_id.as_str()).len(), 1);
}

#[tokio::test]
async fn nothing_is_done_when_the_product_cannot_be_read_and_everything_may_be_after_garbage() {
    let case = Case::new().await;
    case.polar.fault_next_read(Fault::Http500);
    let failure = case.start(Ask::one_time(2_900, "USD")).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent { class: "http_5xx", retry_after: None });
    case.polar.fault_next_read(Fault::Http500);
    let failure = case.start(Ask::one_time(2_900, "USD").again()).await.unwrap_err();
    assert_eq!(failure, Failure::Unknown { class: "http_5xx" }, "the first call may have been done");
    case.polar.fault_next(Fault::Garbage);
    let failure = case.start(Ask::one_time(2_900, "USD")).await.unwrap_err();
    assert_eq!(failure, Failure::Unknown { class: "garbage" });
    case.polar.fault_next(Fault::RateLimited(7));
    let failure = case.start(Ask::one_time(2_900, "USD")).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent { class: "rate_limited", retry_after: Some(Duration::from_secs(7)) });
}

#[tokio::test]
async fn each_end_of_a_checkout_is_told() {
    let case = Case::new().await;
    let checkout = case.start(Ask::one_time(2_900, "USD")).await.unwrap().provider_ref;
    case.polar.expire(&checkout);
    assert_eq!(case.fetch(&checkout).await, [Observation::Canceled { reason: "expired".into() }]);
    let checkout = case.start(Ask::one_time(2_900, "USD")).await.unwrap().provider_ref;
    case.polar.fail(&checkout);
    assert!(matches!(case.fetch(&checkout).await.as_slice(), [Observation::Failed { .. }]));
    let unknown = case.ongoing("7b0f3a52-0c6e-4a0f-9d8e-6a5b4c3d2e1f", 2_900, "USD");
    assert_eq!(refused(case.driver.fetch(&unknown).await), "ResourceNotFound: Not found");
}

#[tokio::test]
async fn an_open_checkout_is_let_go_and_a_paid_one_is_told() {
    let case = Case::new().await;
    let checkout = case.start(Ask::one_time(2_900, "USD")).await.unwrap().provider_ref;
    let ongoing = case.ongoing(&checkout, 2_900, "USD");
    assert!(matches!(case.driver.cancel(&ongoing).await.unwrap().as_slice(), [Observation::Canceled { .. }]));
    case.polar.confirm(&checkout);
    assert_eq!(case.driver.cancel(&ongoing).await.unwrap(), [Observation::Pending], "the bank is at work");
    case.polar.pay(&checkout);
    assert!(matches!(case.driver.cancel(&ongoing).await.unwrap().as_slice(), [Observation::Paid { .. }]));
}

#[tokio::test]
async fn a_refund_is_net_of_tax_and_told_by_the_payment() {
    let case = Case::new().await;
    let (checkout, order) = case.paid(Ask::one_time(50_000, "IDR")).await;
    let refund_id = RefundId::generate(case.now);
    let asked = refund_order(case.ongoing(&checkout, 50_000, "IDR"), &refund_id, &order, 20_000);
    let answer = case.driver.refund(&asked).await.unwrap();
    assert_eq!(answer.outcome, RefundOutcome::Succeeded);
    assert_eq!(case.polar.order_of(&checkout).unwrap()["status"], "partially_refunded");
    let refund = &case.polar.refunds_of(&checkout)[0];
    assert_eq!((&refund["amount"], &refund["tax_amount"]), (&json!(2_000_000), &json!(380_000)));
    let told = Observation::Refunded {
        refund: answer.provider_ref,
        refund_id: Some(refund_id.to_string()),
        amount_minor: 20_000,
        currency: "IDR".into(),
        outcome: RefundOutcome::Succeeded,
    };
    assert_eq!(case.fetch(&checkout).await, [paid(50_000, "IDR", &order), told]);
    let more = refund_order(case.ongoing(&checkout, 50_000, "IDR"), &refund_id, &order, 40_000);
    assert_eq!(refused(case.driver.refund(&more).await), "amount: Refund amount exceeds refundable amount");
    let rest = refund_order(case.ongoing(&checkout, 50_000, "IDR"), &refund_id, &order, 30_000);
    case.driver.refund(&rest).await.unwrap();
    assert!(refused(case.driver.refund(&rest).await).starts_with("RefundedAlready"));
}

#[tokio::test]
async fn a_refund_of_a_price_with_tax_within_gives_back_what_was_asked() {
    let case = Case::new().await;
    let (checkout, order) = case.paid(Ask::recurring(1_800, "EUR")).await;
    for amount in [700, 1_100] {
        let refund_id = RefundId::generate(case.now);
        let asked = refund_order(case.ongoing(&checkout, 1_800, "EUR"), &refund_id, &order, amount);
        case.driver.refund(&asked).await.unwrap();
    }
    let refunds = case.polar.refunds_of(&checkout);
    let back: Vec<i64> = refunds
        .iter()
        .map(|refund| refund["amount"].as_i64().unwrap() + refund["tax_amount"].as_i64().unwrap())
        .collect();
    assert_eq!(back, [700, 1_100]);
    assert_eq!(case.polar.order_of(&checkout).unwrap()["status"], "refunded");
    let told: Vec<i64> = case
        .fetch(&checkout)
        .await
        .iter()
        .filter_map(|observation| match observation {
            Observation::Refunded { amount_minor, .. } => Some(*amount_minor),
            _ => None,
        })
        .collect();
    assert_eq!(told.iter().sum::<i64>(), 1_800);
}

#[tokio::test]
async fn a_lost_refund_is_found_by_our_id_and_a_stranger_is_not_taken_for_it() {
    let case = Case::with(Options { refunds_wait: true, ..Options::default() }).await;
    let (checkout, order) = case.paid(Ask::one_time(2_900, "USD")).await;
    let refund_id = RefundId::generate(case.now);
    let asked = refund_order(case.ongoing(&checkout, 2_900, "USD"), &refund_id, &order, 1_000);
    case.polar.refund_unasked(&checkout, 1_000, "customer_request");
    assert_eq!(case.driver.fetch_refund(&asked, None).await.unwrap(), None);
    case.polar.fault_next(Fault::AnswerLost(SHORT * 2));
    assert_eq!(case.driver.refund(&asked).await.unwrap_err(), Failure::Unknown { class: "timeout" });
    let found = case.driver.fetch_refund(&asked, None).await.unwrap().unwrap();
    assert_eq!(found.outcome, RefundOutcome::Pending);
    case.polar.settle_refund(&found.provider_ref, true);
    let again = case.driver.fetch_refund(&asked, Some(&found.provider_ref)).await.unwrap().unwrap();
    assert_eq!(again.outcome, RefundOutcome::Succeeded);
    assert_eq!(case.driver.fetch_refund(&asked, Some("nothing")).await.unwrap(), None);
    case.polar.settle_refund(&found.provider_ref, false);
    let failed = case.driver.fetch_refund(&asked, Some(&found.provider_ref)).await.unwrap().unwrap();
    assert!(matches!(failed.outcome, RefundOutcome::Failed(_)));
    let left = &case.polar.order_of(&checkout).unwrap()["refundable_amount"];
    assert_eq!(*left, 1_900, "what did not go through can be refunded again");
    case.polar.fault_next_read(Fault::Http500);
    let failure = case.driver.refund(&asked).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent { class: "http_5xx", retry_after: None }, "only the order was asked for");
}

#[tokio::test]
async fn a_subscription_ends_with_its_period_or_now_and_twice_is_as_once() {
    let case = Case::new().await;
    let (checkout, _) = case.paid(Ask::recurring(2_000, "USD")).await;
    let id = case.polar.subscription_of(&checkout).unwrap();
    for _ in 0..2 {
        let news = case.driver.cancel_subscription(&id, true, case.now).await.unwrap();
        assert_eq!((news.status, news.cancel_at_period_end), (SubscriptionStatus::Active, true));
        assert!(news.current_period_end.unwrap() > case.now);
    }
    for _ in 0..2 {
        let news = case.driver.cancel_subscription(&id, false, case.now).await.unwrap();
        assert_eq!(news.status, SubscriptionStatus::Ended);
    }
    assert!(refused(case.driver.cancel_subscription("no thing", false, case.now).await).contains("not the id"));
}

/// Every webhook that came, as the driver reads it.
async fn read_all(case: &Case, receiver: &Receiver) -> Vec<News> {
    case.polar.settled().await;
    let mut all = Vec::new();
    for delivered in receiver.received() {
        match case.driver.read_webhook(&delivered.headers, &delivered.body, Clock::system().now()).await.unwrap() {
            WebhookReading::News(news) => all.push(*news),
            other => panic!("{other:?}"),
        }
    }
    all
}

fn kinds(news: &[News]) -> Vec<&str> {
    news.iter().map(|news| news.kind.as_str()).collect()
}

async fn hooked(scheme: Scheme) -> (Case, Receiver) {
    let receiver = Receiver::start().await;
    let case = Case::with(Options { webhook_url: Some(receiver.url.clone()), scheme, ..Options::default() }).await;
    (case, receiver)
}

#[tokio::test]
async fn webhooks_under_every_derivation_of_the_key_tell_of_money_once() {
    for scheme in [Scheme::Standard, Scheme::LegacyWhsec, Scheme::LegacyPolar] {
        let (case, receiver) = hooked(scheme).await;
        let (checkout, order) = case.paid(Ask::one_time(2_900, "USD")).await;
        let news = read_all(&case, &receiver).await;
        assert_eq!(
            kinds(&news),
            [
                "checkout.created",
                "customer.created",
                "checkout.updated",
                "order.created",
                "order.updated",
                "order.paid",
                "checkout.updated"
            ]
        );
        let telling: Vec<&News> = news.iter().filter(|news| !news.observations.is_empty()).collect();
        assert_eq!(telling.len(), 1);
        assert_eq!(telling[0].kind, "order.paid");
        assert_eq!(telling[0].observations, [paid(2_900, "USD", &order)]);
        assert_eq!(telling[0].about.payment_id.as_deref(), Some(case.payment_id.as_str()));
        assert_eq!(telling[0].about.provider_ref.as_deref(), Some(checkout.as_str()));
        assert_eq!(telling[0].about.transaction.as_deref(), Some(order.as_str()));
        assert_eq!(telling[0].event_id, receiver.received()[5].header("webhook-id"));
    }
}

#[tokio::test]
async fn the_standard_library_of_webhooks_verifies_what_the_simulator_signs() {
    let (case, receiver) = hooked(Scheme::Standard).await;
    case.start(Ask::one_time(2_900, "USD")).await.unwrap();
    case.polar.settled().await;
    let delivered = &receiver.received()[0];
    let mut headers = reqwest::header::HeaderMap::new();
    for (name, value) in &delivered.headers {
        headers.insert(reqwest::header::HeaderName::try_from(name.as_str()).unwrap(), value.parse().unwrap());
    }
    let oracle = standardwebhooks::Webhook::new(&case.polar.webhook_secret).unwrap();
    oracle.verify(&delivered.body, &headers).unwrap();
}

#[tokio::test]
async fn the_published_signatures_are_accepted_and_no_others() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("psp-fixtures/polar/samples");
    let body = std::fs::read(root.join("refund.updated.json")).unwrap();
    let partial = std::fs::read(root.join("order.refunded.partial.json")).unwrap();
    let vectors = [
        (
            Scheme::Standard,
            "0f4c1d2e-3b5a-4c69-8d7e-9f0a1b2c3d4e",
            1_795_256_105,
            &body,
            "v1,Yglyjk/Mtw7LWaAPPErm0+ZjqdEzXBIQMjgqKnrH6/A=",
        ),
        (
            Scheme::LegacyWhsec,
            "1a2b3c4d-5e6f-4708-8192-a3b4c5d6e7f8",
            1_795_256_106,
            &partial,
            "v1,ie9mHz0VJRC0RK/w2VKT9OMsdn8ZKpb2V6zSiEGjE4g=",
        ),
    ];
    for (scheme, id, timestamp, body, signature) in vectors {
        let driver = connect("http://127.0.0.1:1", ACCESS_TOKEN, scheme.secret());
        let mut headers = sign(scheme, id, timestamp, std::str::from_utf8(body).unwrap());
        assert_eq!(headers[2].1, signature);
        let at = Timestamp::from_unix_seconds(timestamp);
        assert!(matches!(driver.read_webhook(&headers, body, at).await.unwrap(), WebhookReading::News(_)));
        for moved in [-301, 301] {
            let at = Timestamp::from_unix_seconds(timestamp + moved);
            assert_eq!(driver.read_webhook(&headers, body, at).await.unwrap(), WebhookReading::NotSigned);
        }
        let mut changed = body.clone();
        changed.push(b' ');
        assert_eq!(driver.read_webhook(&headers, &changed, at).await.unwrap(), WebhookReading::NotSigned);
        headers[2].1 = "v1,AAAA".to_owned();
        assert_eq!(driver.read_webhook(&headers, body, at).await.unwrap(), WebhookReading::NotSigned);
    }
}

#[tokio::test]
async fn refunds_are_told_also_those_that_nobody_here_asked_for() {
    let (case, receiver) = hooked(Scheme::Standard).await;
    let (checkout, order) = case.paid(Ask::one_time(2_900, "USD")).await;
    let refund = case.polar.refund_unasked(&checkout, 900, "dispute_prevention");
    let news = read_all(&case, &receiver).await;
    let of_refunds: Vec<&News> = news.iter().filter(|news| news.kind.contains("refund")).collect();
    let told = |outcome| Observation::Refunded {
        refund: refund.clone(),
        refund_id: None,
        amount_minor: 900,
        currency: "USD".into(),
        outcome,
    };
    assert_eq!(of_refunds[0].observations, [told(RefundOutcome::Pending)]);
    assert_eq!(of_refunds[1].observations, [told(RefundOutcome::Succeeded)]);
    assert_eq!(of_refunds[1].about.transaction.as_deref(), Some(order.as_str()));
    assert!(of_refunds[2].must_confirm && of_refunds[2].kind == "order.refunded");
}

#[tokio::test]
async fn a_subscriptions_life_is_told() {
    let (case, receiver) = hooked(Scheme::Standard).await;
    let (checkout, order) = case.paid(Ask::recurring(2_000, "USD")).await;
    let id = case.polar.subscription_of(&checkout).unwrap();
    case.polar.settled().await;
    case.polar.renew(&id);
    case.polar.settled().await;
    case.polar.past_due(&id);
    case.polar.settled().await;
    case.polar.cancel(&id);
    case.polar.settled().await;
    case.polar.end(&id);
    let news = read_all(&case, &receiver).await;
    let first = news.iter().find(|news| news.kind == "order.paid").unwrap();
    assert_eq!(first.observations, [paid(2_000, "USD", &order)]);
    assert_eq!(first.subscription.as_ref().unwrap().provider_ref, id);
    assert_eq!(first.subscription.as_ref().unwrap().renewal, None);
    let renewals: Vec<&News> =
        news.iter().filter(|news| news.subscription.as_ref().is_some_and(|news| news.renewal.is_some())).collect();
    assert_eq!(renewals.len(), 1);
    assert!(renewals[0].observations.is_empty(), "a renewal is no receipt of the first payment");
    assert_eq!(renewals[0].about.transaction, None);
    assert_eq!(renewals[0].about.subscription_ref.as_deref(), Some(id.as_str()));
    let renewal = renewals[0].subscription.as_ref().unwrap().renewal.as_ref().unwrap();
    assert_eq!((renewal.amount_minor, renewal.currency.as_str()), (2_000, "USD"));
    assert_ne!(renewal.transaction, order);
    let state_of = |kind: &str| {
        let told = news.iter().rfind(|news| news.kind == kind).unwrap_or_else(|| panic!("no {kind}"));
        let subscription = told.subscription.as_ref().unwrap();
        (subscription.status, subscription.cancel_at_period_end)
    };
    assert_eq!(state_of("subscription.active"), (SubscriptionStatus::Active, false));
    assert_eq!(state_of("subscription.past_due"), (SubscriptionStatus::PastDue, false));
    assert_eq!(state_of("subscription.revoked"), (SubscriptionStatus::Ended, true));
    let changes: Vec<Timestamp> =
        news.iter().filter_map(|news| news.subscription.as_ref().map(|news| news.changed_at)).collect();
    assert!(changes.is_sorted(), "{changes:?}");
}

#[tokio::test]
async fn deliveries_go_wrong_on_demand_and_are_tried_again() {
    let (case, receiver) = hooked(Scheme::Standard).await;
    let checkout = case.start(Ask::one_time(2_900, "USD")).await.unwrap().provider_ref;
    case.polar.settled().await;
    case.polar.fault_next_webhooks(WebhookFault::BadlySigned);
    case.polar.decline(&checkout);
    case.polar.settled().await;
    let forged = receiver.received().pop().unwrap();
    let reading = case.driver.read_webhook(&forged.headers, &forged.body, Clock::system().now()).await.unwrap();
    assert_eq!(reading, WebhookReading::NotSigned);
    case.polar.fault_next_webhooks(WebhookFault::WrongAmount);
    receiver.answer_next(Reply::status(500));
    case.polar.pay(&checkout);
    case.polar.settled().await;
    let paid = receiver.received().into_iter().find(|delivered| delivered.json()["type"] == "order.paid").unwrap();
    let WebhookReading::News(news) =
        case.driver.read_webhook(&paid.headers, &paid.body, Clock::system().now()).await.unwrap()
    else {
        panic!("no news")
    };
    assert!(matches!(news.observations.as_slice(), [Observation::Paid { amount_minor: 2_901, .. }]));
    let failed = case.polar.deliveries().into_iter().find(|delivery| delivery.status == Some(500)).unwrap();
    let again = case.polar.deliveries().into_iter().rfind(|delivery| delivery.webhook_id == failed.webhook_id);
    assert_eq!(again.unwrap().status, Some(204), "under the same id");
}

#[tokio::test]
async fn the_simulator_is_as_strict_as_polar() {
    let case = Case::new().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let get = |path: &str, token: &str, version: &str| {
        let request = client.get(format!("{}{path}", case.polar.url));
        request.header("authorization", format!("Bearer {token}")).header("polar-version", version).send()
    };
    let status = |answer: Result<reqwest::Response, reqwest::Error>| answer.unwrap().status().as_u16();
    assert_eq!(status(get("/v1/checkouts/", ACCESS_TOKEN, "2026-10").await), 200);
    assert_eq!(status(get("/v1/checkouts", ACCESS_TOKEN, "2026-10").await), 307);
    assert_eq!(status(get("/v1/checkouts/", ACCESS_TOKEN, "2020-01").await), 404);
    assert_eq!(status(get("/v1/checkouts/", "polar_oat_x", "2026-10").await), 401);
    assert_eq!(status(get("/v1/checkouts/nothing", ACCESS_TOKEN, "2026-10").await), 422);
    let post = client.post(format!("{}/v1/checkouts/", case.polar.url)).bearer_auth(ACCESS_TOKEN);
    let prices = json!([{ "amount_type": "fixed", "price_amount": 2_900, "price_currency": "eur" }]);
    let body = json!({ "products": [ONE_TIME_PRODUCT], "currency": "eur", "prices": { ONE_TIME_PRODUCT: prices } });
    let answer = post.json(&body).send().await.unwrap();
    assert_eq!(answer.status(), 422, "the organisation's currency is missing");
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["error"], "PolarRequestValidationError");
}

#[tokio::test]
async fn a_buyer_pays_on_the_page() {
    let case = Case::new().await;
    let started = case.start(Ask::one_time(2_900, "USD")).await.unwrap();
    let page = started.checkout_url.unwrap();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    assert!(client.get(&page).send().await.unwrap().text().await.unwrap().contains("id=pay"));
    client.post(format!("{page}/decline")).send().await.unwrap();
    let answer = client.post(format!("{page}/pay")).send().await.unwrap();
    assert_eq!(answer.headers()["location"], "https://pay.example/return/pay_1");
    assert_eq!(client.post(format!("{page}/pay")).send().await.unwrap().status(), 410);
    assert_eq!(case.polar.charges(), 1);
}

#[tokio::test]
async fn webhooks_come_twice_late_in_any_order_or_never() {
    let (case, receiver) = hooked(Scheme::Standard).await;
    let product = case.polar.add_product("Team plan", Some("month"), &[("usd", 2_900)]);
    let ask = || Ask { product: product.clone(), ..Ask::one_time(2_900, "USD") };
    case.polar.fault_next_webhooks(WebhookFault::Never);
    let checkout = case.start(ask()).await.unwrap().provider_ref;
    case.polar.settled().await;
    assert!(receiver.received().is_empty());
    case.polar.fault_next_webhooks(WebhookFault::Late(Duration::from_millis(100)));
    case.polar.confirm(&checkout);
    assert!(receiver.received().is_empty());
    case.polar.settled().await;
    assert_eq!(receiver.received().len(), 2);
    case.polar.fault_next_webhooks(WebhookFault::OutOfOrder);
    case.polar.pay(&checkout);
    case.polar.settled().await;
    let second = Receiver::start().await;
    case.polar.send_webhooks_to(&second.url);
    case.polar.fault_next_webhooks(WebhookFault::Duplicated);
    case.polar.renew(&case.polar.subscription_of(&checkout).unwrap());
    let news = read_all(&case, &receiver).await;
    assert_eq!(kinds(&news)[2..4], ["checkout.updated", "order.paid"], "the last comes first");
    let renewal = read_all(&case, &second).await;
    let paid: Vec<&News> = renewal.iter().filter(|news| news.kind == "order.paid").collect();
    assert_eq!(paid.len(), 2);
    assert_eq!(paid[0], paid[1], "a repetition is the same news under the same id");
    let sent = case.polar.deliveries();
    assert!(sent.iter().any(|delivery| delivery.kind == "subscription.cycled" && delivery.body.contains("Team plan")));
}

#[tokio::test]
async fn a_slow_answer_is_waited_for_and_a_dead_host_was_sent_nothing() {
    let case = Case::new().await;
    case.polar.fault_next(Fault::Slow(SHORT / 4));
    case.start(Ask::one_time(2_900, "USD")).await.unwrap();
    case.polar.stop().await;
    let fresh = connect(&case.polar.url, ACCESS_TOKEN, &case.polar.webhook_secret);
    let failure = fresh.check(case.now).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent { class: "connect", retry_after: None });
}
