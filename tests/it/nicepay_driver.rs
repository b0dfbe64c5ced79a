//! NICEPAY's driver against NICEPAY's simulator, in both dialects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use switchyard::clock::Clock;
use switchyard::domain::drafts::Buyer;
use switchyard::domain::ids::{AttemptId, PaymentId, RefundId};
use switchyard::domain::mode::Mode;
use switchyard::domain::money::Currency;
use switchyard::domain::payments::{Instructions, Observation, RefundOutcome};
use switchyard::domain::secrets::Secret;
use switchyard::domain::time::Timestamp;
use switchyard::psp::http::{Http, client_with};
use switchyard::psp::{
    Account, Driver, Failure, Ongoing, Psp, RefundAnswer, RefundOrder, Start, Started, WebhookReading,
};

use crate::simulators::nicepay::{
    CLIENT_SECRET, Fault, IMID, MERCHANT_KEY, NicepaySimulator, Options, SHOP_ID, private_key, public_key,
};
use crate::support::{Receiver, Reply};

const METHODS: [(&str, &str); 6] = [
    ("va_bca", "bca"),
    ("va_mandiri", "mandiri"),
    ("va_bni", "bni"),
    ("va_bri", "bri"),
    ("va_permata", "permata"),
    ("qris", ""),
];

/// One account at a simulator.
struct Shop {
    simulator: NicepaySimulator,
    psp: Arc<dyn Psp>,
    hook: Receiver,
    references: AtomicU32,
}

/// A payment that was started.
struct Sale {
    payment_id: PaymentId,
    attempt_id: AttemptId,
    reference: String,
    method: &'static str,
    provider_ref: String,
    started: Started,
}

const AMOUNT: i64 = 25_000;

fn now() -> Timestamp {
    Clock::system().now()
}

fn rupiah() -> Currency {
    Currency::parse("IDR").unwrap()
}

impl Sale {
    fn ongoing(&self) -> Ongoing<'_> {
        Ongoing {
            payment_id: &self.payment_id,
            attempt_id: &self.attempt_id,
            reference: &self.reference,
            provider_ref: &self.provider_ref,
            amount_minor: AMOUNT,
            currency: rupiah(),
            method: self.method,
            is_open: true,
            now: now(),
        }
    }

    /// The id under which NICEPAY knows it.
    fn transaction(&self) -> String {
        self.provider_ref.split(':').next().unwrap().to_owned()
    }

    fn paid(&self) -> Observation {
        Observation::Paid { amount_minor: AMOUNT, currency: "IDR".into(), transaction: self.transaction() }
    }

    fn refunded(&self, amount_minor: i64) -> Observation {
        Observation::Refunded {
            refund: format!("{}-{amount_minor}", self.transaction()),
            refund_id: None,
            amount_minor,
            currency: "IDR".into(),
            outcome: RefundOutcome::Succeeded,
        }
    }
}

impl Shop {
    async fn open(api: &str) -> Self {
        Self::open_with(api, Options::default(), |_| {}).await
    }

    async fn open_with(api: &str, options: Options, change: impl FnOnce(&mut BTreeMap<String, Secret>)) -> Self {
        let simulator = NicepaySimulator::start(0, options).await;
        let mut credentials: BTreeMap<String, Secret> = [
            ("imid", IMID.to_owned()),
            ("merchant_key", MERCHANT_KEY.to_owned()),
            ("shop_id", SHOP_ID.to_owned()),
            ("api", api.to_owned()),
            ("client_secret", CLIENT_SECRET.to_owned()),
            ("private_key", private_key()),
            ("public_key", public_key()),
        ]
        .into_iter()
        .map(|(name, text)| (name.to_owned(), Secret::new(text)))
        .collect();
        change(&mut credentials);
        let account = Account { mode: Mode::Sandbox, base_url: simulator.url.clone(), credentials };
        let http = Http::new(client_with(Duration::from_secs(2)).unwrap(), Clock::system());
        let psp = Driver::named("nicepay").unwrap().connect.unwrap()(account, http);
        let hook = Receiver::start().await;
        Self { simulator, psp, hook, references: AtomicU32::new(0) }
    }

    async fn try_start(&self, method: &'static str) -> Result<Sale, Failure> {
        let reference = format!("INV-{}", self.references.fetch_add(1, Ordering::Relaxed));
        self.try_start_as(method, &reference).await
    }

    async fn try_start_as(&self, method: &'static str, reference: &str) -> Result<Sale, Failure> {
        let (payment_id, attempt_id) = (PaymentId::generate(now()), AttemptId::generate(now()));
        let start = Start {
            payment_id: &payment_id,
            attempt_id: &attempt_id,
            reference,
            is_repeat: false,
            amount_minor: AMOUNT,
            currency: rupiah(),
            method,
            description: Some("Kopi susu, dua"),
            invoice_number: "INV-1",
            external_user_id: "user-1",
            email: Some("budi@example.com"),
            buyer: Buyer {
                name: Some("Budi Santoso Wijayakusuma Hadiningrat".into()),
                phone: Some("+62 812-3456-7890".into()),
                ip: Some("2001:db8::1".into()),
            },
            metadata: &serde_json::json!({}),
            return_url: "https://gateway.example/pay/return",
            notify_url: &self.hook.url,
            expires_at: now().plus(Duration::from_secs(3600)),
            now: now(),
        };
        let started = self.psp.start(&start).await?;
        let (reference, provider_ref) = (reference.to_owned(), started.provider_ref.clone());
        Ok(Sale { payment_id, attempt_id, reference, method, provider_ref, started })
    }

    async fn sell(&self, method: &'static str) -> Sale {
        self.try_start(method).await.unwrap()
    }

    async fn fetch(&self, sale: &Sale) -> Result<Vec<Observation>, Failure> {
        self.psp.fetch(&sale.ongoing()).await
    }

    async fn cancel(&self, sale: &Sale) -> Result<Vec<Observation>, Failure> {
        self.psp.cancel(&sale.ongoing()).await
    }

    /// How the driver reads each webhook that has come.
    async fn readings(&self) -> Vec<WebhookReading> {
        self.simulator.webhooks_are_delivered().await;
        let mut readings = Vec::new();
        for delivered in self.hook.received() {
            let headers: Vec<(String, String)> = delivered.headers.clone();
            readings.push(self.psp.read_webhook(&headers, &delivered.body, now()).await.unwrap());
        }
        readings
    }
}

async fn refund(shop: &Shop, sale: &Sale, amount: i64, before: i64) -> (RefundId, Result<RefundAnswer, Failure>) {
    let id = RefundId::generate(now());
    let answer = shop.psp.refund(&order(sale, &id, amount, before, &sale.transaction())).await;
    (id, answer)
}

fn order<'a>(sale: &'a Sale, id: &'a RefundId, amount: i64, before: i64, transaction: &'a str) -> RefundOrder<'a> {
    RefundOrder {
        payment: sale.ongoing(),
        refund_id: id,
        transaction,
        amount_minor: amount,
        refunded_minor: before,
        reason: Some("Customer request"),
        created_at: now(),
        other_refs: &[],
    }
}

fn is_canceled(found: &Result<Vec<Observation>, Failure>) -> bool {
    matches!(found.as_deref(), Ok([Observation::Canceled { .. }]))
}

#[actix_web::test]
async fn every_method_is_started_paid_told_and_confirmed_in_both_dialects() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        for (method, bank) in METHODS {
            let sale = shop.sell(method).await;
            match sale.started.instructions.as_ref().unwrap() {
                Instructions::VirtualAccount { bank: told, number, .. } => {
                    assert_eq!(told, bank);
                    assert!(number.len() >= 16 && number.bytes().all(|byte| byte.is_ascii_digit()), "{number}");
                    assert!(sale.started.expires_at.is_some());
                }
                Instructions::Qris { qr_content, .. } => assert!(qr_content.starts_with("000201"), "{api} {method}"),
            }
            assert_eq!(shop.fetch(&sale).await, Ok(vec![Observation::Pending]), "{api} {method}");
            shop.simulator.pay(&sale.reference);
            let reading = shop.readings().await.pop().unwrap();
            let WebhookReading::News(news) = reading else { panic!("{api} {method}: {reading:?}") };
            assert!(news.must_confirm && news.observations.is_empty());
            assert_eq!(news.about.reference.as_deref(), Some(sale.reference.as_str()));
            assert!(news.about.provider_ref.is_none_or(|told| told == sale.provider_ref));
            assert!(news.event_id.starts_with(&sale.transaction()));
            assert_eq!(shop.fetch(&sale).await, Ok(vec![sale.paid()]), "{api} {method}");
            assert_eq!(shop.simulator.charges_of(&sale.reference), 1);
        }
        assert_eq!(shop.simulator.charges(), 6);
    }
}

#[actix_web::test]
async fn what_is_not_paid_in_time_is_canceled_and_what_fails_has_failed() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        for method in ["va_bni", "qris"] {
            let sale = shop.sell(method).await;
            shop.simulator.expire(&sale.reference);
            assert!(is_canceled(&shop.fetch(&sale).await), "{api} {method}");
            assert!(is_canceled(&shop.cancel(&sale).await), "{api} {method}");
        }
        let sale = shop.sell("qris").await;
        shop.simulator.fail(&sale.reference);
        assert!(matches!(shop.fetch(&sale).await.as_deref(), Ok([Observation::Failed { .. }])), "{api}");
    }
}

#[actix_web::test]
async fn a_virtual_account_is_canceled_unless_it_is_paid() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        let sale = shop.sell("va_mandiri").await;
        assert!(is_canceled(&shop.cancel(&sale).await), "{api}");
        assert!(is_canceled(&shop.fetch(&sale).await), "{api}");
        let sale = shop.sell("va_mandiri").await;
        shop.simulator.pay(&sale.reference);
        assert_eq!(shop.cancel(&sale).await, Ok(vec![sale.paid()]), "{api}");
    }
}

#[actix_web::test]
async fn canceling_a_code_never_gives_a_payment_back() {
    let shop = Shop::open("v2").await;
    let sale = shop.sell("qris").await;
    assert!(is_canceled(&shop.cancel(&sale).await));
    assert!(is_canceled(&shop.fetch(&sale).await), "one that was never paid is not refunded either");
    let sale = shop.sell("qris").await;
    shop.simulator.pay(&sale.reference);
    assert_eq!(shop.cancel(&sale).await, Ok(vec![sale.paid()]));
    assert_eq!(shop.simulator.refunded(&sale.reference), 0);
    let sale = shop.sell("qris").await;
    shop.simulator.fault_next(Fault::Refuse("0000"));
    assert_eq!(shop.cancel(&sale).await, Err(Failure::Unknown { class: "garbage" }));
    let snap = Shop::open("snap").await;
    let sale = snap.sell("qris").await;
    assert_eq!(snap.cancel(&sale).await, Ok(vec![Observation::Pending]), "SNAP has no call for it");
}

#[actix_web::test]
async fn a_transfer_that_the_bank_takes_back_is_reversed() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        let sale = shop.sell("va_bri").await;
        shop.simulator.pay(&sale.reference);
        shop.simulator.reverse(&sale.reference);
        let found = shop.fetch(&sale).await.unwrap();
        assert_eq!(found[0], sale.paid());
        let Observation::Reversed { transaction, amount_minor, .. } = &found[1] else { panic!("{found:?}") };
        assert_eq!(
            (transaction.as_str(), *amount_minor),
            (format!("{}-reversal", sale.transaction()).as_str(), AMOUNT)
        );
        let events: Vec<String> = shop
            .readings()
            .await
            .into_iter()
            .map(|reading| if let WebhookReading::News(news) = reading { news.event_id } else { String::new() })
            .collect();
        assert!(api == "snap" || events[0] != events[1], "{events:?}");
    }
}

#[actix_web::test]
async fn a_code_is_refunded_whole_or_in_parts_and_a_virtual_account_never() {
    let shop = Shop::open("v2").await;
    let sale = shop.sell("qris").await;
    shop.simulator.pay(&sale.reference);
    let (id, first) = refund(&shop, &sale, 10_000, 0).await;
    let first = first.unwrap();
    assert_eq!(first.outcome, RefundOutcome::Succeeded);
    let transaction = sale.transaction();
    let asked = order(&sale, &id, 10_000, 0, &transaction);
    assert_eq!(shop.psp.fetch_refund(&asked, Some(&first.provider_ref)).await, Ok(Some(first.clone())));
    assert_eq!(shop.fetch(&sale).await, Ok(vec![sale.paid(), sale.refunded(10_000)]));
    let rest_id = RefundId::generate(now());
    let rest = order(&sale, &rest_id, 15_000, 10_000, &transaction);
    assert_eq!(shop.psp.fetch_refund(&rest, None).await, Ok(None));
    let (_, second) = refund(&shop, &sale, 15_000, 10_000).await;
    assert_ne!(second.unwrap().provider_ref, first.provider_ref);
    assert!(matches!(shop.psp.fetch_refund(&rest, None).await, Ok(Some(_))));
    assert_eq!(shop.simulator.refunded(&sale.reference), AMOUNT);
    let (_, third) = refund(&shop, &sale, 1, AMOUNT).await;
    assert_eq!(third.unwrap_err().class(), "refused");
    let sale = shop.sell("va_bca").await;
    shop.simulator.pay(&sale.reference);
    assert_eq!(refund(&shop, &sale, AMOUNT, 0).await.1.unwrap_err().class(), "unsupported");
    assert!((Driver::named("nicepay").unwrap().refundable)("va_bca").is_err());
}

#[actix_web::test]
async fn under_snap_a_code_is_refunded_whole_once() {
    let shop = Shop::open("snap").await;
    let sale = shop.sell("qris").await;
    shop.simulator.pay(&sale.reference);
    let transaction = sale.transaction();
    let id = RefundId::generate(now());
    let whole = order(&sale, &id, AMOUNT, 0, &transaction);
    assert_eq!(shop.psp.fetch_refund(&whole, None).await, Ok(None));
    assert_eq!(refund(&shop, &sale, 1_000, 0).await.1.unwrap_err().class(), "unsupported");
    let answer = shop.psp.refund(&whole).await.unwrap();
    assert_eq!(shop.psp.fetch_refund(&whole, Some(&answer.provider_ref)).await, Ok(Some(answer)));
    assert_eq!(shop.fetch(&sale).await, Ok(vec![sale.paid(), sale.refunded(AMOUNT)]));
    assert_eq!(shop.psp.refund(&whole).await, Err(Failure::Unknown { class: "duplicate" }), "told apart from a no");
    assert_eq!(shop.simulator.refunded(&sale.reference), AMOUNT);
}

#[actix_web::test]
async fn a_refund_whose_answer_was_lost_is_found_by_what_is_given_back() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        let sale = shop.sell("qris").await;
        shop.simulator.pay(&sale.reference);
        shop.simulator.fault_next(Fault::AnswerLost(Duration::from_secs(3)));
        let (id, lost) = refund(&shop, &sale, AMOUNT, 0).await;
        assert_eq!(lost, Err(Failure::Unknown { class: "timeout" }), "{api}");
        let transaction = sale.transaction();
        let found = shop.psp.fetch_refund(&order(&sale, &id, AMOUNT, 0, &transaction), None).await.unwrap().unwrap();
        assert_eq!(found.outcome, RefundOutcome::Succeeded, "{api}");
    }
}

#[actix_web::test]
async fn each_way_to_fail_says_whether_something_may_have_been_done() {
    for (api, refusal) in [("v2", "9012"), ("snap", "4032701")] {
        let shop = Shop::open(api).await;
        for (fault, class) in [
            (Fault::Refuse(refusal), "refused"),
            (Fault::Http500, "http_5xx"),
            (Fault::Garbage, "garbage"),
            (Fault::AnswerLost(Duration::from_secs(3)), "timeout"),
        ] {
            shop.simulator.fault_next(fault.clone());
            let failure = shop.try_start("va_bca").await.map(|sale| sale.provider_ref).unwrap_err();
            assert_eq!(failure.class(), class, "{api} {fault:?}");
        }
        // The lost one is there; the next attempt has another reference.
        assert_eq!(shop.simulator.registrations(), 1);
        shop.simulator.fault_next(Fault::RateLimited(1));
        let failure = shop.try_start("va_bca").await.map(|sale| sale.provider_ref).unwrap_err();
        let retry_after = Some(Duration::from_secs(1));
        assert_eq!(failure, Failure::NotSent { class: "rate_limited", retry_after });
        tokio::time::sleep(Duration::from_millis(1100)).await;
        shop.sell("va_bca").await;
    }
}

#[actix_web::test]
async fn a_reference_is_used_once() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        shop.try_start_as("va_bca", "INV-SAME").await.unwrap();
        let again = shop.try_start_as("va_bca", "INV-SAME").await.map(|sale| sale.provider_ref);
        let Err(Failure::Refused { reason }) = again else { panic!("{again:?}") };
        assert!(reason.contains("used before"), "{reason}");
        assert_eq!(shop.simulator.registrations(), 1);
    }
}

#[actix_web::test]
async fn wrong_credentials_are_told_and_charge_nothing() {
    for (api, name) in [("v2", "merchant_key"), ("v2", "imid"), ("snap", "client_secret"), ("snap", "imid")] {
        let shop = Shop::open_with(api, Options::default(), |credentials| {
            credentials.insert(name.to_owned(), Secret::new("WRONG".to_owned()));
        })
        .await;
        let failure = shop.try_start("va_bca").await.map(|sale| sale.provider_ref).unwrap_err();
        let Failure::Refused { reason } = failure else { panic!("{failure:?}") };
        assert!(reason.contains("does not accept the credentials"), "{reason}");
        let is_seen_without_a_call = name == "client_secret";
        assert_eq!(shop.psp.check(now()).await.is_err(), !is_seen_without_a_call, "{api} {name}");
        assert_eq!(shop.simulator.registrations(), 0);
    }
    let bare = Shop::open_with("snap", Options::default(), |credentials| {
        credentials.remove("private_key");
    })
    .await;
    let Err(Failure::Refused { reason }) = bare.psp.check(now()).await else { panic!("it passed") };
    assert!(reason.contains("private_key"), "{reason}");
}

#[actix_web::test]
async fn good_credentials_are_known() {
    for api in ["v2", "snap"] {
        assert_eq!(Shop::open(api).await.psp.check(now()).await, Ok(()), "{api}");
    }
}

#[actix_web::test]
async fn a_snap_token_is_asked_for_once_and_again_when_it_is_taken_back() {
    let shop = Shop::open("snap").await;
    let sale = shop.sell("va_bca").await;
    shop.fetch(&sale).await.unwrap();
    let tokens = || shop.simulator.requests().iter().filter(|request| request.path.contains("access-token")).count();
    assert_eq!(tokens(), 1);
    shop.simulator.fault_next(Fault::TokenRevoked);
    let failure = shop.fetch(&sale).await.unwrap_err();
    assert_eq!(failure, Failure::NotSent { class: "token_expired", retry_after: Some(Duration::from_secs(1)) });
    assert_eq!(shop.fetch(&sale).await, Ok(vec![Observation::Pending]));
    assert_eq!(tokens(), 2);
    let later = Ongoing { now: now().plus(Duration::from_secs(850)), ..sale.ongoing() };
    shop.psp.fetch(&later).await.unwrap();
    assert_eq!(tokens(), 3, "not used up to its last minute");
}

#[actix_web::test]
async fn a_webhook_that_is_forged_or_stale_is_not_believed() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        let sale = shop.sell("qris").await;
        shop.simulator.fault_next(Fault::BadlySigned);
        shop.simulator.pay(&sale.reference);
        assert_eq!(shop.readings().await, [WebhookReading::NotSigned], "{api}");
        for body in ["", "{", "{}", "tXid=1&amt=1", "[]", "tXid=1&amt=1&merchantToken=%00"] {
            let reading = shop.psp.read_webhook(&[], body.as_bytes(), now()).await.unwrap();
            assert_eq!(reading, WebhookReading::NotSigned, "{api} {body}");
        }
    }
    let shop = Shop::open("snap").await;
    let sale = shop.sell("va_bca").await;
    shop.simulator.pay(&sale.reference);
    shop.readings().await;
    let delivered = shop.hook.received().pop().unwrap();
    let headers: Vec<(String, String)> = delivered.headers.clone();
    let late = now().plus(Duration::from_secs(302));
    let reading = shop.psp.read_webhook(&headers, &delivered.body, late).await.unwrap();
    assert_eq!(reading, WebhookReading::NotSigned);
    let reading = shop.psp.read_webhook(&headers, b"{}", now()).await.unwrap();
    assert!(matches!(reading, WebhookReading::Unreadable(_)));
}

#[actix_web::test]
async fn a_webhook_may_come_twice_late_wrong_or_never_and_the_inquiry_is_what_counts() {
    let shop = Shop::open("v2").await;
    let sale = shop.sell("va_permata").await;
    shop.simulator.fault_next(Fault::Duplicated);
    shop.simulator.pay(&sale.reference);
    let readings = shop.readings().await;
    assert_eq!(readings.len(), 2);
    assert_eq!(readings[0], readings[1]);
    shop.simulator.fault_next(Fault::WrongAmount);
    shop.simulator.notify(&sale.reference);
    let reading = shop.readings().await.pop().unwrap();
    assert!(matches!(reading, WebhookReading::News(news) if news.must_confirm));
    assert_eq!(shop.fetch(&sale).await, Ok(vec![sale.paid()]));
    for fault in [Fault::Never, Fault::OutOfOrder] {
        shop.simulator.fault_next(fault);
        shop.simulator.notify(&sale.reference);
    }
    assert_eq!(shop.readings().await.len(), 3);
    shop.simulator.fault_next(Fault::Late(Duration::from_millis(50)));
    shop.simulator.notify(&sale.reference);
    assert_eq!(shop.readings().await.len(), 5, "the one that was held back, too");
    shop.hook.answer_next(Reply::status(500));
    shop.simulator.notify(&sale.reference);
    assert_eq!(shop.readings().await.len(), 7, "one more, tried twice");
}

#[actix_web::test]
async fn a_payment_that_is_not_known_there_is_not_taken_for_another() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        let (one, other) = (shop.sell("va_bca").await, shop.sell("va_bca").await);
        let mixed = Ongoing { reference: &other.reference, ..one.ongoing() };
        assert_eq!(shop.psp.fetch(&mixed).await.unwrap_err().class(), "refused", "{api}");
    }
}

#[actix_web::test]
async fn live_qris_needs_a_store() {
    let simulator = NicepaySimulator::start(0, Options::default()).await;
    let credentials = [("imid", IMID), ("merchant_key", MERCHANT_KEY)]
        .map(|(name, text)| (name.to_owned(), Secret::new(text.to_owned())))
        .into();
    let account = Account { mode: Mode::Live, base_url: simulator.url.clone(), credentials };
    let http = Http::new(client_with(Duration::from_secs(2)).unwrap(), Clock::system());
    let psp = Driver::named("nicepay").unwrap().connect.unwrap()(account, http);
    let hook = Receiver::start().await;
    let shop = Shop { simulator, psp, hook, references: AtomicU32::new(0) };
    let failure = shop.try_start("qris").await.map(|sale| sale.provider_ref).unwrap_err();
    assert!(matches!(failure, Failure::Refused { reason } if reason.contains("shop_id")));
    shop.sell("va_bca").await;
}

#[actix_web::test]
async fn a_person_can_play_the_buyer_and_payments_can_pay_themselves() {
    let shop = Shop::open("v2").await;
    let sale = shop.sell("qris").await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let page = shop.simulator.page_of(&sale.reference);
    let text = client.get(&page).send().await.unwrap().text().await.unwrap();
    assert!(text.contains(&sale.reference) && text.contains("Pay"), "{text}");
    client.post(&page).form(&[("do", "pay")]).send().await.unwrap().error_for_status().unwrap();
    assert_eq!(shop.fetch(&sale).await, Ok(vec![sale.paid()]));
    let options = Options { auto_pay: true, ..Options::default() };
    let shop = Shop::open_with("v2", options, |_| {}).await;
    let sale = shop.sell("va_bca").await;
    assert_eq!(shop.fetch(&sale).await, Ok(vec![sale.paid()]));
}

#[actix_web::test]
async fn what_is_sent_is_what_was_asked_and_no_secret_goes_along() {
    for api in ["v2", "snap"] {
        let shop = Shop::open(api).await;
        shop.simulator.fault_next(Fault::Slow(Duration::from_millis(50)));
        let sale = shop.sell("va_bca").await;
        shop.simulator.pay(&sale.reference);
        shop.cancel(&sale).await.unwrap();
        assert_eq!(shop.simulator.references(), [sale.reference.as_str()]);
        assert_eq!(shop.simulator.webhooks(), 1);
        let requests = shop.simulator.requests();
        let deletes = requests.iter().filter(|request| request.method == "DELETE").count();
        assert_eq!(deletes, usize::from(api == "snap"));
        for request in requests {
            assert!(!request.body.contains(MERCHANT_KEY) && !request.path.contains(MERCHANT_KEY));
        }
    }
}
