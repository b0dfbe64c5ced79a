//! The page on which a buyer learns how to pay by virtual account or QRIS, over plain HTTP and in a real browser.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::domain::time::Timestamp;

use crate::browser::Browser;
use crate::rails::OnRail;
use crate::simulators::proxy::Mode as Fault;
use crate::support::{Answer, Product, TestGateway, eventually, id_of};

const QRIS: &str = "00020101021226700018ID.EXAMPLE.SIM.WWW01189360000000000000000215SIM0000000000010303UMI51440014ID.CO.QRIS.WWW0215ID00000000000000303UMI5204599953033605405250005802ID5915SIMULATED STORE6007JAKARTA6105128706224052008202611211030024201630485B5";

/// A payment as a provider without a page leaves it.
struct Waiting {
    payment_id: String,
    path: String,
}

fn in_a_day(gateway: &TestGateway) -> Timestamp {
    gateway.clock.now().plus(Duration::from_secs(24 * 3600))
}

async fn waiting(gateway: &TestGateway, product: &Product, instructions: &Value, changes: Value) -> Waiting {
    let payment_id = id_of(&product.created(changes).await);
    let sql = format!(
        "UPDATE payments SET provider = 'nicepay', fallback_wanted = NULL, fallback_reason = NULL, \
         instructions = '{instructions}' WHERE payment_id = '{payment_id}'"
    );
    assert_eq!(gateway.database.execute(&sql), Ok(1));
    let path = format!("/checkout/{payment_id}");
    Waiting { payment_id, path }
}

fn account(bank: &str, number: &str, expires_at: Timestamp) -> Value {
    json!({ "kind": "virtual_account", "bank": bank, "number": number, "expires_at": expires_at })
}

fn code(expires_at: Timestamp) -> Value {
    json!({ "kind": "qris", "qr_content": QRIS, "expires_at": expires_at })
}

async fn with_account(gateway: &TestGateway, product: &Product) -> Waiting {
    let instructions = account("bca", "900000011030014101", in_a_day(gateway));
    waiting(gateway, product, &instructions, json!({ "description": "Two <b>tickets</b>" })).await
}

impl Waiting {
    /// The payment has come to its end, by a word that reached the database.
    fn ends(&self, gateway: &TestGateway, status: &str) {
        let paid = if status == "succeeded" { "amount_minor" } else { "0" };
        let sql = format!(
            "UPDATE payments SET status = '{status}', paid_minor = {paid} WHERE payment_id = '{}'",
            self.payment_id
        );
        assert_eq!(gateway.database.execute(&sql), Ok(1));
    }
}

async fn fetch_in(gateway: &TestGateway, path: &str, language: &str) -> Answer {
    let request = reqwest::Client::new().get(gateway.url(path)).header("accept-language", language);
    Answer::of(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_page_says_what_to_pay_where_until_when_and_nothing_of_the_buyer() {
    let moment = Timestamp::parse_rfc3339("2026-11-21T10:00:00Z").unwrap();
    let gateway = TestGateway::spawn_with(Clock::manual(moment), false, |_| {}).await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    let object = product.payment(&payment.payment_id).await;
    assert_eq!(object["checkout_url"], gateway.url(&payment.path), "the product sends the buyer there");
    let page = gateway.fetch(&payment.path).await.expect_status(200);
    for expected in [
        "Rp 50.000",
        "BCA virtual account",
        "<span>9000</span><span>0001</span><span>1030</span><span>0141</span><span>01</span>",
        "22 Nov 2026, 17.00 WIB",
        "<strong>Sandbox.</strong>",
        "Two &#60;b&#62;tickets&#60;/b&#62;",
        object["invoice_number"].as_str().unwrap(),
        "ATM BCA",
        "m-BCA",
        "https://shop.example/thanks?order=7&#38;payment_id=",
        "<noscript><meta http-equiv=\"refresh\" content=\"30\"></noscript>",
    ] {
        assert!(page.text.contains(expected), "no {expected} in {}", page.text);
    }
    for secret in ["buyer@shop.example", "user-", "nicepay", "NICEPAY"] {
        assert!(!page.text.contains(secret), "{secret}");
    }
    assert_eq!(page.header("cache-control"), Some("no-store"));
    assert_eq!(page.header("referrer-policy"), Some("no-referrer"));
    let policy = page.header("content-security-policy").unwrap();
    for rule in ["default-src 'none'", "script-src 'self'", "connect-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    for other in ["/docs", "/info"] {
        let page = gateway.fetch(other).await;
        assert!(!page.header("content-security-policy").unwrap_or_default().contains("script-src"), "{other}");
    }
}

#[tokio::test]
async fn both_languages_are_on_the_page_and_the_browsers_comes_first() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    for (language, first, second, amount) in [
        ("id-ID,id;q=0.9,en;q=0.8", "Cara membayar", "How to pay", "Rp 50.000"),
        ("en-GB,en;q=0.9,id;q=0.1", "How to pay", "Cara membayar", "Rp 50,000"),
    ] {
        let page = fetch_in(&gateway, &payment.path, language).await.expect_status(200);
        assert!(page.text.contains(&format!("<html lang=\"{}\">", &language[..2])));
        assert!(page.text.find(first).unwrap() < page.text.find(second).unwrap(), "{language}");
        assert!(page.text.contains(amount), "{language}");
    }
}

#[tokio::test]
async fn only_a_payment_by_instructions_has_this_page() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let at_the_mock = id_of(&product.created(json!({})).await);
    let with_a_page_there = id_of(&product.created(json!({ "method": "paypal", "currency": "USD" })).await);
    at_paypal(&gateway, &with_a_page_there, Some(ELSEWHERE));
    for payment_id in [at_the_mock.as_str(), &with_a_page_there, "pay_00000000000000000000000000", "x"] {
        for path in ["/status", "/events"] {
            gateway.fetch(&format!("/checkout/{payment_id}{path}")).await.expect_error(404, "PaymentNotFound");
        }
        if payment_id != with_a_page_there {
            gateway.fetch(&format!("/checkout/{payment_id}")).await.expect_error(404, "PaymentNotFound");
        }
    }
    let payment = with_account(&gateway, &product).await;
    gateway.fetch(&format!("/mock{}", payment.path)).await.expect_error(404, "PaymentNotFound");
}

const ELSEWHERE: &str = "https://www.paypal.example/checkoutnow?token=5O190127TN364715T&amp=1";

/// Makes a payment at the mock one at a provider with a page of its own, if that is known yet.
fn at_paypal(gateway: &TestGateway, payment_id: &str, page: Option<&str>) {
    let page = page.map_or_else(|| "NULL".to_owned(), |page| format!("'{page}'"));
    let sql = format!(
        "UPDATE payments SET provider = 'paypal', fallback_wanted = NULL, fallback_reason = NULL, \
         provider_ref = NULL, provider_checkout_url = {page} WHERE payment_id = '{payment_id}'"
    );
    assert_eq!(gateway.database.execute(&sql), Ok(1));
}

async fn without_following(gateway: &TestGateway, path: &str) -> Answer {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    Answer::of(client.get(gateway.url(path)).send().await.unwrap()).await
}

#[tokio::test]
async fn who_pays_at_the_providers_page_is_sent_there_and_back_once_all_is_over() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment_id = id_of(&product.created(json!({ "method": "paypal", "currency": "USD" })).await);
    at_paypal(&gateway, &payment_id, Some(ELSEWHERE));
    let path = format!("/checkout/{payment_id}");
    let on = without_following(&gateway, &path).await.expect_status(303);
    assert_eq!(on.header("location"), Some(ELSEWHERE));
    assert_eq!((on.header("cache-control"), on.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    let waiting = Waiting { payment_id, path };
    for status in ["failed", "canceled", "succeeded"] {
        waiting.ends(&gateway, status);
        let back = without_following(&gateway, &waiting.path).await.expect_status(303);
        let expected = format!("payment_id={}&status={status}", waiting.payment_id);
        let location = back.header("location").unwrap();
        assert!(location.starts_with("https://shop.example/") && location.ends_with(&expected), "{location}");
    }
}

#[tokio::test]
async fn while_the_start_is_not_known_a_page_says_so_and_reloads_itself() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let changes =
        json!({ "method": "paypal", "currency": "USD", "amount_minor": 2900, "description": "Two <b>tickets</b>" });
    let payment_id = id_of(&product.created(changes).await);
    at_paypal(&gateway, &payment_id, None);
    let path = format!("/checkout/{payment_id}");
    assert_eq!(product.payment(&payment_id).await["checkout_url"], gateway.url(&path));
    let page = fetch_in(&gateway, &path, "id").await.expect_status(200);
    for expected in [
        "<html lang=\"id\">",
        "<meta http-equiv=\"refresh\" content=\"3\">",
        "29.00",
        "Pembayaran sedang disiapkan",
        "Your payment is being prepared",
        "Two &#60;b&#62;tickets&#60;/b&#62;",
        "<strong>Sandbox.</strong>",
    ] {
        assert!(page.text.contains(expected), "no {expected} in {}", page.text);
    }
    assert!(!page.text.contains("<script"), "nothing here needs one");
    assert_eq!((page.header("cache-control"), page.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    at_paypal(&gateway, &payment_id, Some(ELSEWHERE));
    without_following(&gateway, &path).await.expect_status(303);
}

#[tokio::test]
async fn the_checkout_url_of_a_202_leads_on_as_soon_as_the_start_is_known() {
    for rail in ["nicepay va", "polar", "paypal"] {
        let on_rail = OnRail::start(rail).await;
        // PayPal's token is there then, and Polar is asked for the product first: only the start's answer is lost.
        let first = on_rail.create(None, "first").await;
        on_rail.proxy.set_for_next(usize::from(rail == "polar"), Fault::Pass);
        on_rail.proxy.set_for_next(1, Fault::ResetAfter);
        let lost = on_rail.create(None, "lost").await.expect_status(202).json();
        let payment_id = id_of(&lost);
        let path = format!("/checkout/{payment_id}");
        assert_eq!(lost["checkout_url"], on_rail.gateway.url(&path), "{rail}");
        let page = on_rail.gateway.fetch(&path).await.expect_status(200);
        assert!(page.text.contains("Your payment is being prepared"), "{rail}: {}", page.text);
        on_rail.pass(60).await;
        let known = on_rail.product.payment(&payment_id).await;
        let answer = without_following(&on_rail.gateway, &path).await;
        if rail == "nicepay va" {
            assert!(answer.expect_status(200).text.contains("virtual account"), "{known}");
        } else {
            assert_eq!(answer.status, 303, "{rail}: {known}");
            assert_eq!(answer.header("location"), known["checkout_url"].as_str(), "{rail}");
            assert_ne!(known["checkout_url"], first.json()["checkout_url"], "{rail}");
        }
    }
}

#[tokio::test]
async fn in_a_browser_without_javascript_a_payment_that_was_being_prepared_turns_into_its_instructions() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment_id = id_of(&product.created(json!({})).await);
    at_paypal(&gateway, &payment_id, None);
    let browser = Browser::on_a_phone(false).await;
    browser.open(&gateway.url(&format!("/checkout/{payment_id}"))).await;
    assert!(text(&browser, "main").await.contains("Your payment is being prepared"));
    assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);
    let instructions = account("bca", "900000011030014101", in_a_day(&gateway));
    let sql = format!("UPDATE payments SET instructions = '{instructions}' WHERE payment_id = '{payment_id}'");
    assert_eq!(gateway.database.execute(&sql), Ok(1));
    eventually("the number", || async { text(&browser, "main").await.contains("Virtual account number") }).await;
}

#[tokio::test]
async fn a_page_that_is_over_shows_no_number_and_the_way_back() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Live).await;
    for (status, text) in
        [("succeeded", "Pembayaran diterima"), ("failed", "Pembayaran gagal"), ("canceled", "Pembayaran dibatalkan")]
    {
        let payment = with_account(&gateway, &product).await;
        payment.ends(&gateway, status);
        let page = gateway.fetch(&payment.path).await.expect_status(200);
        assert!(!page.text.contains("Sandbox"), "live has no banner");
        assert!(page.text.contains(&format!("data-when=\"{status}\">\n<p class=\"headline\">{text}")), "{status}");
        assert!(page.text.contains("<div class=\"target\" data-when=\"initiated\" hidden>"), "{status}");
        assert!(!page.text.contains("http-equiv"), "nothing more will change");
        let back = format!("payment_id={}&#38;status={status}", payment.payment_id);
        assert!(page.text.contains(&format!("data-when=\"{status}\"><a class=\"button primary\"")), "{status}");
        assert!(page.text.contains(&back), "{status}");
        let now = gateway.fetch(&format!("{}/status", payment.path)).await.expect_status(200);
        assert_eq!((now.json(), now.header("cache-control")), (json!({ "status": status }), Some("no-store")));
    }
}

#[tokio::test]
async fn when_the_time_is_over_the_number_is_gone_before_the_provider_says_so() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    gateway.clock.advance(Duration::from_secs(24 * 3600));
    let page = gateway.fetch(&payment.path).await.expect_status(200);
    assert!(page.text.contains("data-status=\"expired\""));
    assert!(page.text.contains("<div class=\"target\" data-when=\"initiated\" hidden>"));
    assert!(page.text.contains("http-equiv"), "the last word may still come");
}

/// The text of the code that a page draws.
fn scanned(page: &str) -> String {
    let (_, path) = page.split_once("fill=\"#000\" d=\"").unwrap();
    let (_, side) = page.split_once("class=\"code\" viewBox=\"0 0 ").unwrap();
    let side: usize = side.split(' ').next().unwrap().parse().unwrap();
    const PIXELS: usize = 4;
    let mut dark = vec![false; side * side];
    for run in path.split('"').next().unwrap().split('M').skip(1) {
        let (at, length) = run.split_once('h').unwrap();
        let (x, y) = at.split_once(' ').unwrap();
        let (x, y): (usize, usize) = (x.parse().unwrap(), y.parse().unwrap());
        let length: usize = length.split('v').next().unwrap().parse().unwrap();
        dark[y * side + x..][..length].fill(true);
    }
    let brightness = |x: usize, y: usize| if dark[y / PIXELS * side + x / PIXELS] { 0 } else { 255 };
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * PIXELS, side * PIXELS, brightness);
    let grids = image.detect_grids();
    assert_eq!(grids.len(), 1);
    grids[0].decode().unwrap().1
}

#[tokio::test]
async fn the_qris_code_on_the_page_can_be_scanned() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = waiting(&gateway, &product, &code(in_a_day(&gateway)), json!({ "method": "qris" })).await;
    let page = gateway.fetch(&payment.path).await.expect_status(200);
    assert_eq!(scanned(&page.text), QRIS);
    assert!(!page.text.contains("virtual account"));
}

#[tokio::test]
async fn the_stream_tells_the_status_at_once_and_when_it_changes_and_then_ends() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    let mut stream = reqwest::get(gateway.url(&format!("{}/events", payment.path))).await.unwrap();
    assert_eq!(stream.headers()["content-type"], "text/event-stream");
    assert_eq!(stream.headers()["cache-control"], "no-store");
    let first = stream.chunk().await.unwrap().unwrap();
    assert_eq!(first, "retry: 2000\ndata: {\"status\":\"initiated\"}\n\n");
    payment.ends(&gateway, "succeeded");
    let second = tokio::time::timeout(Duration::from_secs(5), stream.chunk()).await.unwrap().unwrap().unwrap();
    assert_eq!(second, "retry: 2000\ndata: {\"status\":\"succeeded\"}\n\n");
    assert_eq!(stream.chunk().await.unwrap(), None);
}

async fn as_many_streams_as_there_can_be(url: &str) -> Vec<reqwest::Response> {
    let client = reqwest::Client::new();
    let mut open = Vec::new();
    for _ in 0..256 {
        let mut stream = client.get(url).send().await.unwrap();
        assert!(stream.chunk().await.unwrap().is_some());
        open.push(stream);
    }
    open
}

#[tokio::test]
async fn too_many_streams_are_turned_away_and_a_stop_waits_for_none() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    let url = gateway.url(&format!("{}/events", payment.path));
    let _open = as_many_streams_as_there_can_be(&url).await;
    let refused = Answer::of(reqwest::get(&url).await.unwrap()).await.expect_error(503, "ServiceUnavailable");
    assert_eq!(refused.header("retry-after"), Some("5"));
    gateway.fetch(&format!("{}/status", payment.path)).await.expect_status(200);
    let started = std::time::Instant::now();
    gateway.server.stop().await;
    assert!(started.elapsed() < Duration::from_secs(5), "took {:?}", started.elapsed());
}

async fn text(browser: &Browser, selector: &str) -> String {
    let script = format!("return document.querySelector({}).innerText", json!(selector));
    browser.evaluate(&script).await.as_str().unwrap().to_owned()
}

async fn is_shown(browser: &Browser, selector: &str) -> bool {
    let script = format!("return document.querySelector({}).getClientRects().length > 0", json!(selector));
    browser.evaluate(&script).await.as_bool().unwrap()
}

#[tokio::test]
async fn in_a_browser_the_time_runs_and_the_page_turns_to_paid_by_itself() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let browser = Browser::on_a_phone(true).await;
    for instructions in [account("bca", "900000011030014101", in_a_day(&gateway)), code(in_a_day(&gateway))] {
        let payment = waiting(&gateway, &product, &instructions, json!({})).await;
        browser.open(&gateway.url(&payment.path)).await;
        eventually("the clock", || async { text(&browser, ".left").await.starts_with("23:59:") }).await;
        let before = text(&browser, ".left").await;
        eventually("the clock runs", || async { text(&browser, ".left").await != before }).await;
        assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);
        payment.ends(&gateway, "succeeded");
        eventually("paid", || async { text(&browser, ".states").await.starts_with("Payment received") }).await;
        assert!(!is_shown(&browser, ".target").await, "nothing to pay any more");
        let back = browser.evaluate("return [...document.links].find((link) => link.offsetParent).href").await;
        assert!(back.as_str().unwrap().ends_with(&format!("payment_id={}&status=succeeded", payment.payment_id)));
        assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
    }
}

#[tokio::test]
async fn in_a_browser_the_number_is_copied_by_keyboard_and_selected_by_one_tap() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    let browser = Browser::on_a_phone(true).await;
    browser.open(&gateway.url(&payment.path)).await;
    eventually("the button", || async { text(&browser, ".copy").await == "Copy number" }).await;
    browser
        .evaluate(
            "window.copied = []; document.addEventListener('copy', () => copied.push(String(getSelection())));
             Object.defineProperty(navigator, 'clipboard',
               { value: { writeText: async (text) => { copied.push(text) } }, configurable: true })",
        )
        .await;
    browser.press(&['\u{e004}', '\u{e004}', '\u{e007}']).await;
    eventually("copied", || async { text(&browser, ".copy").await == "Number copied" }).await;
    assert_eq!(browser.evaluate("return copied").await, json!(["900000011030014101"]));
    let selected = browser
        .evaluate(
            "getSelection().removeAllRanges();
             getSelection().selectAllChildren(document.querySelector('#number')); return String(getSelection())",
        )
        .await;
    assert_eq!(selected, "900000011030014101", "without a gap between the groups");
    let style = browser.evaluate("return getComputedStyle(document.querySelector('#number')).userSelect").await;
    assert_eq!(style, "all");
}

#[tokio::test]
async fn in_a_browser_the_time_ends_and_the_number_goes() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let soon = gateway.clock.now().plus(Duration::from_secs(5));
    let payment = waiting(&gateway, &product, &account("mandiri", "70014000091030014102", soon), json!({})).await;
    let browser = Browser::on_a_phone(true).await;
    browser.open(&gateway.url(&payment.path)).await;
    eventually("over", || async { text(&browser, ".states").await.starts_with("The time to pay is over") }).await;
    assert!(!is_shown(&browser, ".target").await);
    payment.ends(&gateway, "succeeded");
    eventually("paid late", || async { text(&browser, ".states").await.starts_with("Payment received") }).await;
}

#[tokio::test]
async fn a_page_that_gets_no_stream_asks_now_and_then() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    let browser = Browser::on_a_phone(true).await;
    let url = gateway.url(&format!("{}/events", payment.path));
    let _open = as_many_streams_as_there_can_be(&url).await;
    browser.open(&gateway.url(&payment.path)).await;
    eventually("the clock", || async { text(&browser, ".left").await.starts_with("23:59:") }).await;
    payment.ends(&gateway, "failed");
    eventually("failed", || async { text(&browser, ".states").await.starts_with("The payment has failed") }).await;
}

#[tokio::test]
async fn without_javascript_the_page_says_the_same_and_offers_to_reload() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Sandbox).await;
    let payment = with_account(&gateway, &product).await;
    let browser = Browser::on_a_phone(false).await;
    browser.open(&gateway.url(&payment.path)).await;
    let page = text(&browser, "main").await;
    for expected in ["Rp 50,000", "Waiting for your payment", "Pay before", "WIB", "Reload to see how it stands"] {
        assert!(page.contains(expected), "no {expected} in {page}");
    }
    let button =
        "const box = document.querySelector('noscript a').getBoundingClientRect(); return [box.left, box.right]";
    assert_eq!(browser.evaluate(button).await, json!([37, 353]), "in line with the rest");
    for absent in ["Time left", "Copy number"] {
        assert!(!page.contains(absent), "{absent} does nothing without a script");
    }
    assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);
    payment.ends(&gateway, "succeeded");
    browser.open(&gateway.url(&payment.path)).await;
    assert!(text(&browser, "main").await.contains("Payment received"));
}
