//! How invoices are paid: by a buyer at the invoice's page, once, whoever clicks twice and whichever money comes late.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchyard::domain::mode::Mode;

use crate::invoices::id;
use crate::ledger_payments::assert_books_agree;
use crate::rails::{OnRail, Simulator};
use crate::simulators::nicepay::NicepaySimulator;
use crate::simulators::proxy::Mode as Fault;
use crate::store::server_on;
use crate::support::{Answer, Product, TestGateway, eventually};

/// What a browser got for a form.
pub struct Posted {
    pub status: u16,
    /// Where it was sent on to.
    pub location: String,
    pub text: String,
}

impl Posted {
    /// The payment that the browser was sent on to.
    pub fn payment_id(&self) -> String {
        assert_eq!(self.status, 303, "{}", self.text);
        let last = self.location.rsplit('/').next().unwrap();
        assert!(last.starts_with("pay_"), "{}", self.location);
        last.to_owned()
    }
}

/// Posts a form of a buyer's page, and follows nothing.
pub async fn post_form(url: String, form: &[(&str, &str)]) -> Posted {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let response = client.post(url).form(form).send().await.unwrap();
    let status = response.status().as_u16();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    Posted { status, location: location.unwrap_or_default(), text: response.text().await.unwrap() }
}

impl TestGateway {
    /// Posts a form of a buyer's page at this gateway.
    pub async fn post_form(&self, path: &str, form: &[(&str, &str)]) -> Posted {
        post_form(self.url(path), form).await
    }

    /// Begins to pay an invoice by a method.
    pub async fn begin(&self, invoice: &Value, method: &str) -> Posted {
        // Payments of one moment are in no order.
        self.clock.advance(Duration::from_millis(1));
        self.post_form(&format!("/pay/{}", id(invoice)), &[("method", method)]).await
    }

    /// The same by the machine's clock; the payment that the buyer was sent on to.
    pub async fn begin_now(&self, invoice: &Value, method: &str) -> String {
        self.post_form(&format!("/pay/{}", id(invoice)), &[("method", method)]).await.payment_id()
    }

    /// The page of an invoice, in English.
    pub async fn invoice_page(&self, invoice: &Value) -> String {
        self.fetch(&format!("/pay/{}?lang=en", id(invoice))).await.expect_status(200).text
    }
}

/// What an invoice's object says of its payments: method, status and what came in.
fn payments_of(invoice: &Value) -> Vec<(String, String, i64)> {
    let payments = invoice["payments"].as_array().unwrap();
    let text = |payment: &Value, name: &str| payment[name].as_str().unwrap().to_owned();
    payments.iter().map(|one| (text(one, "method"), text(one, "status"), one["paid_minor"].as_i64().unwrap())).collect()
}

fn row(method: &str, status: &str, paid_minor: i64) -> (String, String, i64) {
    (method.to_owned(), status.to_owned(), paid_minor)
}

async fn void(product: &Product, invoice: &Value) -> Answer {
    product.post(&format!("/v1/invoices/{}/void", id(invoice)), &json!({})).await
}

fn count_of(names: &[String], wanted: &str) -> usize {
    names.iter().filter(|name| *name == wanted).count()
}

fn nicepay(rail: &OnRail) -> &NicepaySimulator {
    match &rail.simulator {
        Simulator::Nicepay(nicepay, _) => nicepay,
        _ => panic!("another provider"),
    }
}

#[actix_web::test]
async fn a_buyer_pays_an_invoice_and_its_other_payments_are_given_up() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let invoice = product.invoiced(json!({ "metadata": { "order": "7" }, "external_user_id": "buyer" })).await;
    let page = gateway.invoice_page(&invoice).await;
    for told in ["INV-000001", "Rp 150,000", "Kopi Gayo 250 g", "2 × Rp 60,000", "Test.", "No real money moves", "QRIS"]
    {
        assert!(page.contains(told), "{told}: {page}");
    }
    let by_bank = gateway.begin(&invoice, "va_bca").await.payment_id();
    let by_code = gateway.begin(&invoice, "qris").await.payment_id();
    let payment = product.payment(&by_code).await;
    let expected = [
        ("invoice_number", json!("INV-000001-2")),
        ("invoice_id", json!(id(&invoice))),
        ("amount_minor", json!(150_000)),
        ("external_user_id", json!("buyer")),
        ("metadata", json!({ "order": "7" })),
        ("description", json!("Kopi Gayo 250 g (+1)")),
        ("return_url", invoice["hosted_url"].clone()),
    ];
    for (name, value) in expected {
        assert_eq!(payment[name], value, "{name}");
    }
    assert_eq!(product.payment(&by_bank).await["invoice_number"], "INV-000001");
    let (status, back) = gateway.act_at_checkout(&by_code, "succeed").await;
    assert_eq!(status, 303);
    assert!(back.starts_with(invoice["hosted_url"].as_str().unwrap()), "{back}");
    // At once, and the other one as soon as the provider was told.
    let paid = product.invoice(&invoice).await;
    gateway.clock.advance(Duration::from_secs(1));
    assert_eq!((&paid["status"], &paid["paid_minor"]), (&json!("paid"), &json!(150_000)));
    assert!(paid["paid_at"].is_string());
    gateway.step().await;
    let paid = product.invoice(&invoice).await;
    assert_eq!(payments_of(&paid), [row("va_bca", "canceled", 0), row("qris", "succeeded", 150_000)]);
    let names = product.all_event_names().await;
    assert_eq!(names, ["invoice.created", "payment.succeeded", "invoice.paid", "payment.canceled"]);
    let event = &product.listed(&format!("/v1/events?type=invoice.paid&payment_id={by_code}")).await[0]["body"];
    assert_eq!((&event["payment_id"], &event["status"]), (&json!(by_code), &json!("paid")));
    gateway.step().await;
    assert_books_agree(&gateway.database);
    let page = gateway.invoice_page(&invoice).await;
    assert!(page.contains("Paid") && page.contains("QRIS") && !page.contains("<form"), "{page}");
    assert_eq!(gateway.begin(&invoice, "va_bni").await.status, 422);
    assert_eq!(gateway.count("payments"), 2);
}

#[actix_web::test]
async fn two_clicks_and_twenty_at_once_are_one_payment() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let invoice = product.invoiced(json!({})).await;
    let all = join_all((0..20).map(|_| gateway.begin(&invoice, "qris"))).await;
    let ids: BTreeSet<String> = all.iter().map(Posted::payment_id).collect();
    assert_eq!((ids.len(), gateway.count("payments")), (1, 1));
    let payment_id = ids.first().unwrap();
    // One that failed may be followed by another.
    gateway.act_at_checkout(payment_id, "fail").await;
    assert!(gateway.invoice_page(&invoice).await.contains("did not work out"));
    let second = gateway.begin(&invoice, "qris").await.payment_id();
    assert_ne!(&second, payment_id);
    gateway.act_at_checkout(&second, "succeed").await;
    assert_eq!(product.invoice(&invoice).await["status"], "paid");
}

#[actix_web::test]
async fn what_the_form_lacks_is_said_on_the_page() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let invoice = product.invoiced(json!({ "email": null, "methods": ["va_bca", "qris"] })).await;
    let path = format!("/pay/{}?lang=en", id(&invoice));
    for (form, told) in [
        (vec![], "Choose one of the ways"),
        (vec![("method", "paypal")], "Choose one of the ways"),
        (vec![("method", "qris")], "Enter your e-mail"),
        (vec![("method", "qris"), ("email", "nobody")], "Enter your e-mail"),
        (vec![("method", "qris"), ("email", "a@b\u{7}.example")], "Enter your e-mail"),
    ] {
        let posted = gateway.post_form(&path, &form).await;
        assert_eq!(posted.status, 400, "{form:?}");
        assert!(posted.text.contains(told), "{form:?}: {}", posted.text);
    }
    assert_eq!(gateway.count("payments"), 0);
    let form = [("method", "qris"), ("email", "<me>@shop.example")];
    let posted = gateway.post_form(&path, &form).await;
    assert!(posted.text.contains("&#60;me&#62;@shop.example"), "{}", posted.text);
    let posted = gateway.post_form(&path, &[("method", "qris"), ("email", " me@shop.example ")]).await;
    let payment_id = posted.payment_id();
    assert_eq!(product.listed("/v1/customers").await[0]["email"], "me@shop.example");
    assert_eq!(product.payment(&payment_id).await["method"], "qris");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_payments_that_are_paid_at_once_one_succeeds_and_the_other_s_money_is_kept_and_told() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for round in 1..=20 {
        gateway.clock.advance(Duration::from_secs(1));
        let invoice = product.invoiced(json!({ "external_user_id": "buyer" })).await;
        let one = gateway.begin(&invoice, "va_bca").await.payment_id();
        let other = gateway.begin(&invoice, "qris").await.payment_id();
        tokio::join!(gateway.act_at_checkout(&one, "succeed"), gateway.act_at_checkout(&other, "succeed"));
        gateway.step().await;
        let invoice = product.invoice(&invoice).await;
        assert_eq!(invoice["status"], "paid", "round {round}");
        let mut statuses: Vec<String> = payments_of(&invoice).into_iter().map(|(_, status, _)| status).collect();
        statuses.sort();
        assert_eq!(statuses, ["canceled", "succeeded"], "round {round}");
        // The second may have been paid, or was closed before its buyer clicked.
        let paid_minor = invoice["paid_minor"].as_i64().unwrap();
        let late = [product.event_names(&one).await, product.event_names(&other).await].concat();
        assert_eq!(count_of(&late, "payment.succeeded"), 1, "round {round}: {late:?}");
        assert_eq!(count_of(&late, "invoice.paid"), 1, "round {round}: {late:?}");
        assert_eq!(count_of(&late, "payment.canceled"), 1, "round {round}: {late:?}");
        let expected = usize::try_from(paid_minor / 150_000 - 1).unwrap();
        assert_eq!(count_of(&late, "payment.paid_after_close"), expected, "round {round}: {late:?}");
    }
    let twice = gateway.database.number("SELECT COUNT(*) FROM payments WHERE status = 'canceled' AND paid_minor > 0");
    let needing = gateway.database.number("SELECT COUNT(*) FROM payments WHERE needs_attention");
    assert_eq!(twice, needing);
    gateway.step().await;
    assert_books_agree(&gateway.database);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_take_an_invoice_s_money_once() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let second = server_on(&gateway.database, true).await;
    let servers = [gateway.url(""), second.url()];
    for round in 1..=12 {
        let invoice = product.invoiced(json!({})).await;
        let clicks = (0..16).map(|number| {
            let (server, method) = (&servers[number % 2], ["qris", "va_bca"][number / 2 % 2]);
            let url = format!("{server}/pay/{}", id(&invoice));
            async move { post_form(url, &[("method", method)]).await.payment_id() }
        });
        let begun: BTreeSet<String> = join_all(clicks).await.into_iter().collect();
        assert_eq!(begun.len(), 2, "round {round}: one for each way to pay");
        let paying = begun.iter().zip(&servers).map(|(payment_id, server)| async move {
            post_form(format!("{server}/mock/checkout/{payment_id}"), &[("outcome", "succeed")]).await
        });
        join_all(paying).await;
        eventually("one is paid and the other given up", || async {
            let mut rows = payments_of(&product.invoice(&invoice).await);
            rows.sort_by(|one, other| one.1.cmp(&other.1));
            rows.iter().map(|row| row.1.as_str()).eq(["canceled", "succeeded"])
        })
        .await;
        let invoice = product.invoice(&invoice).await;
        assert_eq!(invoice["status"], "paid", "round {round}");
        let mut names = Vec::new();
        for payment_id in &begun {
            names.extend(product.event_names(payment_id).await);
        }
        let late = usize::try_from(invoice["paid_minor"].as_i64().unwrap() / 150_000 - 1).unwrap();
        for (name, count) in
            [("payment.succeeded", 1), ("invoice.paid", 1), ("payment.canceled", 1), ("payment.paid_after_close", late)]
        {
            assert_eq!(count_of(&names, name), count, "round {round}: {name} in {names:?}");
        }
    }
    assert_eq!(gateway.count("payments"), 24);
}

#[actix_web::test]
async fn a_void_invoice_takes_no_payments_and_money_that_comes_all_the_same_is_kept() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let invoice = product.invoiced(json!({})).await;
    let payment_id = gateway.begin(&invoice, "qris").await.payment_id();
    let voided = void(&product, &invoice).await.expect_status(200).json();
    assert_eq!(voided["status"], "void");
    assert_eq!(payments_of(&voided), [row("qris", "canceled", 0)]);
    assert!(gateway.invoice_page(&invoice).await.contains("cancelled"));
    assert_eq!(gateway.begin(&invoice, "qris").await.status, 422);
    assert_eq!(product.event_names(&payment_id).await, ["payment.canceled"]);

    // A buyer is quicker than the word to the provider.
    let invoice = product.invoiced(json!({})).await;
    let payment_id = gateway.begin(&invoice, "qris").await.payment_id();
    let sql = format!("UPDATE invoices SET status = 'void', voided_at = 1 WHERE invoice_id = '{}'", id(&invoice));
    assert_eq!(gateway.database.execute(&sql), Ok(1));
    gateway.act_at_checkout(&payment_id, "succeed").await;
    let now = product.invoice(&invoice).await;
    assert_eq!((&now["status"], &now["paid_minor"]), (&json!("void"), &json!(150_000)));
    assert_eq!(payments_of(&now), [row("qris", "canceled", 150_000)]);
    let names = product.event_names(&payment_id).await;
    assert_eq!(names, ["payment.canceled", "payment.paid_after_close"]);
    let needing = gateway.database.number("SELECT COUNT(*) FROM payments WHERE needs_attention");
    assert_eq!(needing, 1);
    gateway.clock.advance(Duration::from_secs(1));
    let refund = product.post("/v1/refunds", &json!({ "payment_id": payment_id })).await.expect_status(201).json();
    assert_eq!((&refund["status"], &refund["amount_minor"]), (&json!("succeeded"), &json!(150_000)));
    gateway.step().await;
    assert_books_agree(&gateway.database);
}

#[actix_web::test]
async fn an_overdue_invoice_is_paid_and_a_refund_is_told_truthfully() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let due_at = gateway.clock.now().plus(Duration::from_secs(60)).to_rfc3339();
    let invoice = product.invoiced(json!({ "due_at": due_at })).await;
    gateway.advance(Duration::from_secs(61)).await;
    let page = gateway.invoice_page(&invoice).await;
    assert!(page.contains("Overdue") && page.contains("Was due"), "{page}");
    let payment_id = gateway.begin(&invoice, "va_mandiri").await.payment_id();
    gateway.act_at_checkout(&payment_id, "succeed").await;
    assert_eq!(product.invoice(&invoice).await["status"], "paid");
    gateway.clock.advance(Duration::from_secs(1));
    let part = json!({ "payment_id": payment_id, "amount_minor": 50_000 });
    product.post("/v1/refunds", &part).await.expect_status(201);
    let invoice = product.invoice(&invoice).await;
    assert_eq!(invoice["status"], "paid");
    assert_eq!((&invoice["paid_minor"], &invoice["refunded_minor"]), (&json!(150_000), &json!(50_000)));
    assert_eq!(invoice["payments"][0]["refunded_minor"], 50_000);
    void(&product, &invoice).await.expect_error(422, "InvoiceNotOpen");
    gateway.step().await;
    assert_books_agree(&gateway.database);
}

#[actix_web::test]
async fn live_invoices_are_not_paid_at_the_mock() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Live).await;
    let invoice = product.invoiced(json!({})).await;
    let page = gateway.invoice_page(&invoice).await;
    assert!(page.contains("cannot be paid here yet") && !page.contains("<form"), "{page}");
    assert!(!page.contains("No real money moves"), "{page}");
    assert_eq!(gateway.begin(&invoice, "qris").await.status, 400);
    assert_eq!((gateway.count("payments"), product.invoice(&invoice).await["status"].clone()), (0, json!("open")));
}

#[actix_web::test]
async fn what_is_not_for_buyers_is_a_page_that_says_so() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let draft = product.invoiced(json!({ "draft": true })).await;
    let unknown = "inv_01k7v3m2q8d4r5s6t7v8w9x0yz".to_owned();
    for path in [id(&draft), unknown, "inv_x".to_owned(), "plink_01k7v3m2q8d4r5s6t7v8w9x0yz".to_owned()] {
        let page = gateway.fetch(&format!("/pay/{path}?lang=en")).await.expect_status(404);
        assert!(page.header("content-type").unwrap().starts_with("text/html"));
        assert!(page.text.contains("There is no such page"), "{}", page.text);
        let posted = gateway.post_form(&format!("/pay/{path}"), &[("method", "qris")]).await;
        assert_eq!(posted.status, 404);
    }
    let other = TestGateway::spawn_with(gateway.clock.clone(), false, |settings| {
        settings.modes = vec![Mode::Live];
    })
    .await;
    let elsewhere = other.product(Mode::Test).await;
    let made = elsewhere.post("/v1/invoices", &crate::invoices::invoice_request(json!({}))).await;
    assert_eq!(made.status, 421);
}

#[actix_web::test]
async fn the_page_is_written_in_the_buyer_s_language_small_and_for_no_search_engine() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let lines: Vec<Value> = (0..100)
        .map(|n| json!({ "description": format!("<i>{n}</i> {}", "ä".repeat(60)), "quantity": 2, "unit_amount_minor": 100 }))
        .collect();
    let invoice = product.invoiced(json!({ "line_items": lines })).await;
    let path = format!("/pay/{}", id(&invoice));
    let client = reqwest::Client::new();
    for (accept, lang, told) in [("id-ID,en;q=0.5", "id", "Tagihan"), ("en-GB", "en", "Invoice")] {
        let request = client.get(gateway.url(&path)).header("accept-language", accept);
        let page = Answer::of(request.send().await.unwrap()).await.expect_status(200);
        assert!(page.text.contains(&format!("<html lang=\"{lang}\">")) && page.text.contains(told), "{accept}");
        assert!(!page.text.contains("<i>"), "what the product wrote is text");
        assert_eq!(page.header("x-robots-tag"), Some("noindex"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let mut bytes = page.text.len();
        for asset in ["/static/switchyard.css", "/static/pay.css", "/static/checkout.js"] {
            bytes += gateway.fetch(asset).await.expect_status(200).text.len();
        }
        assert!(bytes <= 60 * 1024, "{bytes} bytes");
    }
}

#[tokio::test]
async fn an_account_is_shown_on_the_invoice_s_page_and_a_paid_one_is_not_voided() {
    let rail = OnRail::start("nicepay va").await;
    let invoice = rail.product.invoiced(json!({ "methods": ["va_mandiri", "va_bni"] })).await;
    let posted = rail.gateway.begin(&invoice, "va_mandiri").await;
    assert_eq!(
        (posted.status, posted.location.split('?').next().unwrap()),
        (303, format!("/pay/{}", id(&invoice)).as_str())
    );
    let again = rail.gateway.begin(&invoice, "va_mandiri").await;
    assert_eq!(again.location, posted.location);
    assert_eq!(nicepay(&rail).registrations(), 1);
    let page = rail.gateway.fetch(&posted.location.replace("lang=id", "lang=en")).await.expect_status(200).text;
    assert!(page.contains("Bank Mandiri virtual account") && page.contains("Sandbox."), "{page}");
    assert!(page.contains("/static/checkout.js") && page.contains("ATM Bank Mandiri"), "{page}");
    // The money is there, and nobody has told of it yet.
    rail.simulator.forget_webhooks();
    nicepay(&rail).pay("INV-000001-1");
    void(&rail.product, &invoice).await.expect_error(422, "InvoiceNotOpen");
    let invoice = rail.product.invoice(&invoice).await;
    assert_eq!((&invoice["status"], &invoice["paid_minor"]), (&json!("paid"), &json!(150_000)));
    assert_eq!(payments_of(&invoice), [row("va_mandiri", "succeeded", 150_000)]);
}

#[tokio::test]
async fn an_open_account_is_given_up_at_the_provider_when_another_method_is_paid() {
    let rail = OnRail::start("nicepay va").await;
    let invoice = rail.product.invoiced(json!({})).await;
    rail.gateway.begin(&invoice, "va_mandiri").await;
    rail.gateway.begin(&invoice, "va_bni").await;
    nicepay(&rail).pay("INV-000001-1");
    rail.simulator.settled().await;
    rail.gateway.step().await;
    rail.gateway.step().await;
    let now = rail.product.invoice(&invoice).await;
    assert_eq!(payments_of(&now), [row("va_mandiri", "succeeded", 150_000), row("va_bni", "canceled", 0)]);
    let cancelled = nicepay(&rail).requests().iter().filter(|call| call.path.contains("cancel")).count();
    assert_eq!(cancelled, 1, "the provider was told");
    // And if the second account takes money all the same, that is told, and not a second success.
    nicepay(&rail).pay("INV-000001-2-1");
    nicepay(&rail).notify("INV-000001-2-1");
    rail.simulator.settled().await;
    rail.gateway.step().await;
    let now = rail.product.invoice(&invoice).await;
    assert_eq!((&now["status"], &now["paid_minor"]), (&json!("paid"), &json!(300_000)));
    assert_eq!(payments_of(&now)[1], row("va_bni", "canceled", 150_000));
    let names = rail.product.all_event_names().await;
    assert_eq!((count_of(&names, "payment.paid_after_close"), count_of(&names, "invoice.paid")), (1, 1));
    rail.gateway.step().await;
    assert_books_agree(&rail.gateway.database);
}

#[tokio::test]
async fn a_payment_whose_outcome_is_unknown_is_never_made_twice() {
    let rail = OnRail::start("nicepay va").await;
    let invoice = rail.product.invoiced(json!({})).await;
    rail.proxy.set(Fault::ResetAfter).await;
    let first = rail.gateway.begin(&invoice, "va_mandiri").await.payment_id();
    let second = rail.gateway.begin(&invoice, "va_mandiri").await.payment_id();
    assert_eq!((&first, rail.gateway.count("payments")), (&second, 1));
    // Neither can it be given up before it is known.
    void(&rail.product, &invoice).await.expect_error(503, "ProviderUnavailable");
    rail.proxy.set(Fault::Pass).await;
    rail.pass(60).await;
    let posted = rail.gateway.begin(&invoice, "va_mandiri").await;
    assert!(posted.location.starts_with("/pay/inv_"), "{}", posted.location);
    assert_eq!(rail.gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_provider_that_is_away_is_told_and_the_next_click_goes_on_with_the_same_payment() {
    let rail = OnRail::start("nicepay va").await;
    let invoice = rail.product.invoiced(json!({})).await;
    rail.proxy.set(Fault::Refuse).await;
    let away = rail.gateway.begin(&invoice, "va_mandiri").await;
    assert_eq!(away.status, 503);
    assert!(away.text.contains("<form"), "{}", away.text);
    rail.proxy.set(Fault::Pass).await;
    rail.gateway.clock.advance(Duration::from_secs(6));
    let posted = rail.gateway.begin(&invoice, "va_mandiri").await;
    assert_eq!((posted.status, rail.gateway.count("payments")), (303, 1));
    // A refusal is said, too, and another may follow.
    rail.simulator.refuse_next();
    let refused = rail.gateway.begin(&invoice, "va_bni").await;
    assert_eq!(refused.status, 502);
    assert_eq!(rail.gateway.begin(&invoice, "va_bni").await.status, 303);
    let now = rail.product.invoice(&invoice).await;
    let statuses: Vec<String> = payments_of(&now).into_iter().map(|(_, status, _)| status).collect();
    assert_eq!(statuses, ["initiated", "failed", "initiated"]);
}

#[tokio::test]
async fn late_money_for_an_expired_payment_pays_its_invoice() {
    let rail = OnRail::start("nicepay va").await;
    let invoice = rail.product.invoiced(json!({})).await;
    rail.gateway.begin(&invoice, "va_mandiri").await;
    rail.gateway.advance(Duration::from_secs(24 * 3600 + 300)).await;
    assert_eq!(payments_of(&rail.product.invoice(&invoice).await), [row("va_mandiri", "canceled", 0)]);
    rail.simulator.forget_webhooks();
    nicepay(&rail).pay("INV-000001-1");
    nicepay(&rail).notify("INV-000001-1");
    rail.simulator.settled().await;
    rail.gateway.step().await;
    let now = rail.product.invoice(&invoice).await;
    assert_eq!((&now["status"], &now["paid_minor"]), (&json!("paid"), &json!(150_000)));
    assert_eq!(payments_of(&now), [row("va_mandiri", "canceled", 150_000)]);
    assert_eq!(rail.gateway.begin(&invoice, "va_bni").await.status, 422, "nobody is asked for it twice");
}
