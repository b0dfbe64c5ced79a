//! The console's pages of the ledger: balances, one customer's, a delta's, comparing and checkpoints. What they show and
//! to whom, to the digit; that what is downloaded is verified with the published key; and a walk in a browser.

use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::notes::{SignedNote, VerifierKey};
use switchyard::domain::proofs::Document;

use crate::across::{give_app, scope_of};
use crate::browser::Browser;
use crate::deltas::Machine;
use crate::money_pages::said_by;
use crate::person::{PASSWORD, Person};
use crate::support::{Product, TestGateway, eventually, id_of};
use crate::surfer::{Seen, Surfer};

/// Somebody who is signed in, and a machine of the same tenant.
async fn ann() -> (TestGateway, Surfer, Person, Machine) {
    let gateway = TestGateway::spawn_stepped().await;
    let surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let person = Person::signed_in(&gateway, "ann@example.com").await;
    let machine = Machine::of(&gateway, &person, json!({})).await;
    gateway.database.execute("UPDATE tenants SET plan = 'enterprise'").unwrap();
    (gateway, surfer, person, machine)
}

/// The same with a product of the tenant's.
async fn shop() -> (TestGateway, Surfer, Person, Product) {
    let (gateway, surfer, person, _) = ann().await;
    let product = gateway.product(Mode::Test).await;
    give_app(&gateway, &product, &scope_of(&gateway, &person).await.tenant_id).await;
    (gateway, surfer, person, product)
}

async fn emit_many(gateway: &TestGateway, machine: &Machine, customer: &str, number: usize) {
    let all: Vec<Value> =
        (1..=number).map(|n| json!({ "customerId": customer, "delta": n, "reason": format!("step {n}") })).collect();
    for deltas in all.chunks(1000) {
        machine.post("/balance/delta/batch", &json!({ "deltas": deltas })).await.expect_status(201);
    }
    gateway.step().await;
}

/// Paths of a page's links that begin so.
fn links(page: &Seen, begin: &str) -> Vec<String> {
    let links = page.text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().replace("&#38;", "&"));
    links.filter(|link| link.starts_with(begin)).collect()
}

async fn published_key(gateway: &TestGateway) -> VerifierKey {
    VerifierKey::parse(&gateway.fetch("/info").await.text_of("ledger_key")).unwrap()
}

/// Checks that a page is a file with this name and gives what it says.
#[track_caller]
fn assert_is_file(seen: &Seen, name: &str) {
    assert_eq!(seen.status, 200, "{}", seen.text);
    assert_eq!(seen.headers["content-disposition"], format!("attachment; filename=\"{name}\""));
    assert_eq!(seen.headers["x-content-type-options"], "nosniff");
    assert_eq!(seen.headers["cache-control"], "no-store");
}

#[actix_web::test]
async fn a_newcomer_is_given_a_line_that_books_a_first_delta() {
    let (gateway, mut surfer, person, _) = ann().await;
    for page in ["/console/balances", "/console/checkpoints"] {
        surfer.get(page).await.has("class=\"empty\"").has("in test yet").has("/console/api-keys");
    }
    surfer.get("/console").await.has("href=\"/console/balances\"").has("href=\"/console/checkpoints\"");
    surfer.get("/console/compare").await.has("name=\"yours\"").lacks("id=\"verdict\"").lacks("aria-invalid");
    let line = said_by(&surfer.get("/console/checkpoints").await.text.replace("tabindex=\"0\" ", ""), "curl");
    let key = crate::api_keys::made_key(&person, json!({})).await["fullKey"].as_str().unwrap().to_owned();
    let ran = tokio::task::spawn_blocking(move || {
        std::process::Command::new("sh").args(["-c", &line]).env("KEY", key).env_remove("http_proxy").output().unwrap()
    });
    let ran = ran.await.unwrap();
    assert!(String::from_utf8_lossy(&ran.stdout).contains("QUEUED"), "{ran:?}");
    gateway.step().await;
    surfer.get("/console/balances").await.has("acme").lacks("class=\"empty\"");
    surfer.get("/console/balances/acme").await.has("top-up").has("id=\"balance\">100</span>");
    // A customer that was named before anything was booked to it.
    let named = json!({ "customerId": "later", "displayName": "<b>Later</b> & Co" });
    assert_eq!(person.post("/dashboard/customers", named).await.0, 201);
    surfer.get("/console/balances").await.has("&#60;b&#62;Later&#60;/b&#62; &#38; Co").lacks("<b>Later");
    surfer.get("/console/balances/later").await.has("No deltas yet").has("&#34;later&#34;").lacks("Make checkpoint");
    surfer.get("/console/balances/nobody").await.has("no such customer");
    surfer.get("/console/balances?q=zzz").await.has("Nobody found");
}

#[actix_web::test]
async fn balances_are_shown_to_the_digit_and_drawn() {
    let (gateway, mut surfer, _, machine) = ann().await;
    for delta in ["0.1", "0.2", "-0.000001", "1000000000", "-1.5", "1000000000"] {
        machine.emit("exact", delta, r#","metadata":{"n":12345678901234567890.10}"#).await.expect_status(201);
        gateway.step().await;
        gateway.clock.advance(std::time::Duration::from_secs(60));
    }
    surfer.get("/console/balances").await.has("1,999,999,998.799999").has(">6</td>");
    let page = surfer.get("/console/balances/exact").await;
    page.has("+1,000,000,000<").has("-0.000001<").has("0.299999<").has("lowest 0<").has("highest 1,999,999,998.799999");
    page.has("<path class=\"line\" d=\"M0 396").lacks("style=").has("data-label=\"Number\" class=\"number\">6<");
    let delta = surfer.get(&links(&page, "/console/deltas/")[0]).await;
    delta.has("{&#34;n&#34;:12345678901234567890.10}").has("6 in the line, 6 of the customer").has("Download proof");
    // An amount below zero is below the line of nothing.
    machine.emitted("debtor", "-5").await;
    gateway.step().await;
    surfer.get("/console/balances/debtor").await.has("d=\"M0 4H0V396H1000\"").has("highest 0, lowest -5");
}

#[actix_web::test]
async fn long_lists_have_pages_months_and_a_sampled_course() {
    let (gateway, _, _, machine) = ann().await;
    let month = |gateway: &TestGateway| gateway.clock.now().to_rfc3339()[..7].to_owned();
    let first_month = month(&gateway);
    emit_many(&gateway, &machine, "c", 60).await;
    gateway.advance(std::time::Duration::from_secs(31 * 24 * 3600)).await;
    let next_month = month(&gateway);
    // Nobody stays signed in for a month.
    let mut surfer = Surfer::signed_in(&gateway, "ann@example.com").await;
    emit_many(&gateway, &machine, "c", 250).await;
    let page = surfer.get("/console/balances/c").await;
    page.has("200 of 310 evenly apart").has(&grouped(60 * 61 / 2 + 250 * 251 / 2)).has("step 250").lacks("step 200<");
    assert_eq!(page.text.matches("class=\"room\"").count(), 200);
    let next = links(&page, "/console/balances/c?cursor=")[0].clone();
    surfer.get(&next).await.has("step 200<").has("To the first").lacks("step 250<").lacks("step 150<");

    let page = surfer.get(&format!("/console/balances/c?month={first_month}")).await;
    page.has("step 60<").lacks("step 61<").has("+1,830").has("from 0 to 1,830").has("Balance now").has("33,205");
    let next = links(&page, "/console/balances/c?month=")[0].clone();
    surfer.get(&next).await.has("step 10<").lacks("step 11<").lacks("rel=\"next\"");
    let page = surfer.get(&format!("/console/balances/c?month={next_month}")).await;
    page.has("from 1,830 to 33,205").has("200 of 250 evenly apart").has(&format!("value=\"{next_month}\""));
    surfer
        .get("/console/balances/c?month=2001-01")
        .await
        .has("Nothing in 2001-01")
        .has("the balance was 0")
        .lacks("Make checkpoint");
    surfer.get("/console/balances/c?month=nonsense&cursor=nonsense").await.has("step 250");
    surfer.get("/console/balances/c?cursor=-5").await.has("before this one");

    let receipt = surfer.get(&links(&page, "/console/receipt")[0]).await;
    assert_is_file(&receipt, &format!("receipt-c-{next_month}.json"));
    let document = Document::parse(&receipt.text).unwrap();
    assert_eq!(document.leaves().len(), 250);
    assert!(document.check(Some(&published_key(&gateway).await)).verified);

    let many: Vec<Value> =
        (0..120).map(|n| json!({ "customerId": format!("many-{n:03}"), "delta": 1, "reason": "r" })).collect();
    machine.post("/balance/delta/batch", &json!({ "deltas": many })).await.expect_status(201);
    gateway.step().await;
    let page = surfer.get("/console/balances?q=many-1").await;
    page.has("many-100").has("many-119").lacks("many-099").lacks("rel=\"next\"");
    let (mut path, mut found) = ("/console/balances?q=many-".to_owned(), 0);
    for _ in 0..3 {
        let page = surfer.get(&path).await;
        found += page.text.matches("data-label=\"Balance\"").count();
        path = links(&page, "/console/balances?q=many-&cursor=").first().cloned().unwrap_or_default();
    }
    assert_eq!((found, path.as_str()), (120, ""));
}

fn grouped(number: i64) -> String {
    format!("{},{:03}", number / 1000, number % 1000)
}

#[actix_web::test]
async fn what_payments_posted_leads_from_the_ledger_to_them_and_back_whatever_the_buyer_is_called() {
    let (gateway, mut surfer, person, product) = shop().await;
    let buyer = "b/ü%2F?#+&\"<i> ..;";
    let body = json!({ "amount_minor": 2_950, "currency": "USD", "method": "paypal", "external_user_id": buyer });
    let payment = id_of(&product.created(body).await);
    gateway.act_at_checkout(&payment, "succeed").await;
    let refund = json!({ "payment_id": payment, "amount_minor": 950, "reason": "late" });
    product.post_with_key("/v1/refunds", &refund, "refund").await.expect_status(201);
    gateway.step().await;
    let page = surfer.get(&format!("/console/payments/{payment}")).await;
    page.has("In the ledger").has("+29.50 <").has("-9.50 <").has("payment received").has("payment refunded");
    let (deltas, account) = (links(&page, "/console/deltas/"), links(&page, "/console/balances/")[0].clone());
    assert_eq!(deltas.len(), 2, "{deltas:?}");
    let account = surfer.get(&account).await;
    account.has("20.00 <span class=\"zone\">USD</span>").has("b/ü%2F?#+&#38;&#34;&#60;i&#62; ..;").lacks("<i>");
    assert_eq!(links(&account, &format!("/console/payments/{payment}")).len(), 2, "both lead to the payment");
    let payments = links(&account, "/console/payments?")[0].clone();
    surfer.get(&payments).await.has("$29.50");
    let listed = surfer.get("/console/balances").await;
    listed.has("USD").has(" at ");
    assert_eq!(surfer.get(&links(&listed, "/console/balances/")[0]).await.text.len(), account.text.len());
    for delta in &deltas {
        surfer.get(delta).await.has("USD").has(&payment).has("Download proof").lacks("<i>");
    }
    let compare = links(&account, "/console/compare")[0].clone();
    surfer.get(&compare).await.has("&#60;i&#62; ..;\"");
    surfer.get(&format!("{compare}&yours=20&theirs=19.5")).await.has("They are off: they have 0.50 USD too little.");
    let receipt = surfer.get(&links(&account, "/console/receipt")[0]).await;
    assert!(Document::parse(&receipt.text).unwrap().check(Some(&published_key(&gateway).await)).verified);
    let name = receipt.headers["content-disposition"].to_str().unwrap();
    assert!(name.contains("_USD_b___2F") && name.is_ascii(), "{name}");
    // What is not paid has nothing booked.
    let open = id_of(&product.created(json!({})).await);
    surfer.get(&format!("/console/payments/{open}")).await.has("Nothing is booked of it");
    // An id that a path cannot have.
    let machine = Machine::of(&gateway, &person, json!({})).await;
    machine.emitted("..", "7").await;
    gateway.step().await;
    let listed = surfer.get("/console/balances?q=..").await;
    let page = surfer.get(&links(&listed, "/console/balances/customer?")[0]).await;
    page.has("<code id=\"customer-id\">..</code>").has("id=\"balance\">7</span>");
}

#[actix_web::test]
async fn what_is_downloaded_is_verified_with_the_published_key() {
    let (gateway, mut surfer, _, machine) = ann().await;
    emit_many(&gateway, &machine, "c", 20).await;
    let key = published_key(&gateway).await;
    let page = surfer.get("/console/balances/c").await;
    let delta = links(&page, "/console/deltas/")[7].clone();
    let shown = surfer.get(&delta).await;
    let record = delta.rsplit('/').next().unwrap();
    let proof = surfer.get(&format!("{delta}/proof")).await;
    assert_is_file(&proof, &format!("proof-{record}.json"));
    let document = Document::parse(&proof.text).unwrap();
    assert!(document.check(Some(&key)).verified);
    let api = machine.get(&format!("/balance/delta/{record}")).await.json()["data"].clone();
    for name in ["proofHash", "previousProofHash", "contentHash"] {
        shown.has(api[name].as_str().unwrap());
    }
    // A delta that waits has no proof yet.
    let waiting = machine.emitted("c", "1").await;
    let path = format!("/console/deltas/{waiting}");
    surfer.get(&path).await.has("queued").has("waits for its place").lacks("Download proof");
    assert_eq!(surfer.get(&format!("{path}/proof")).await.status, 409);
    assert_eq!(surfer.get("/console/deltas/rec_00000000000000000000000000").await.status, 404);

    // A checkpoint of the customer, one of its month, and one of everybody.
    let month = gateway.clock.now().to_rfc3339()[..7].to_owned();
    let path = "/console/checkpoints";
    for (customer, month) in [("c", ""), ("c", month.as_str()), ("", "")] {
        let made = surfer.submit(path, path, &[("customer", customer), ("month", month)]).await;
        assert_eq!(made.status, 303, "{}", made.text);
        let (page, id) = made.location.split_once('#').unwrap();
        surfer.get(page).await.has("role=\"status\"").has(&format!("<tr id=\"{id}\">"));
    }
    let page = surfer.get(path).await;
    surfer.get("/console/audit").await.has("checkpoint.created");
    page.has("Everybody").has(&month).has("+210").has(&key.to_string());
    assert_eq!(page.text.matches("<tr id=").count(), 3, "the proof's checkpoint is the customer's");
    surfer.get("/console/checkpoints?customer=c").await.lacks("class=\"breaks\">Everybody").has("Show all");
    surfer.get("/console/checkpoints?customer=nobody").await.has("No checkpoints of this customer");
    for (customer, month, status, said) in [
        ("nobody", "", 404, "the ledger has no such customer"),
        ("c", "2001-01", 404, "nothing is verified in this scope yet"),
        ("c", "2099-01", 400, "Month must not be in the future"),
        ("", "11/2026", 400, "Month must be a month such as 2026-01"),
    ] {
        let refused = surfer.submit(path, path, &[("customer", customer), ("month", month)]).await;
        assert_eq!(refused.status, status, "{}", refused.text);
        refused.has(said).has("aria-invalid").has(&format!("value=\"{month}\""));
    }
    let note = links(&page, "/console/checkpoints/chk_").into_iter().find(|link| link.ends_with("/note")).unwrap();
    let seen = surfer.get(&note).await;
    let id = note.split('/').nth(3).unwrap();
    assert_is_file(&seen, &format!("checkpoint-{id}.note.txt"));
    SignedNote::parse(&seen.text).unwrap().verify(&key).unwrap();
    let seen = surfer.get(&note.replace("/note", "/json")).await;
    assert_is_file(&seen, &format!("checkpoint-{id}.json"));
    let object: Value = serde_json::from_str(&seen.text).unwrap();
    assert_eq!(object["data"]["checkpointId"], id);
    let root = object["data"]["proofRoot"].as_str().unwrap();
    page.has(&format!("href=\"/verify?root={root}\" title=\"{root}\""));
    surfer.get(&format!("/verify?root={root}")).await.has("This root was recorded");
}

#[actix_web::test]
async fn a_comparison_says_who_is_off_and_by_how_much() {
    let (gateway, mut surfer, _, machine) = ann().await;
    for (customer, delta) in [("c", "1234.5"), ("c", "-0.000001"), ("other", "10")] {
        machine.emitted(customer, delta).await;
    }
    gateway.step().await;
    for (query, verdict) in [
        ("customer=c&yours=1,234.499999&theirs=1234.499999", "You agree: both of you have what the ledger has."),
        ("customer=c&yours=1234.5&theirs=1234.499999", "You are off: you have 0.000001 too much."),
        ("customer=c&yours=1234.499999&theirs=-2,000", "They are off: they have 3,234.499999 too little."),
        (
            "customer=c&yours=0&theirs=1234.5",
            "Both of you are off: you have 1,234.499999 too little, they have 0.000001",
        ),
        ("customer=c&yours=1235.499999&theirs=1235.499999", "both of you are off: you have 1 too much."),
        ("yours=1244.499999&theirs=1244.499999", "You agree: both"),
        ("customer=c&yours=1334.499999&theirs=1334.499999&start=100", "You agree: both"),
        ("customer=nobody&yours=0&theirs=0", "The ledger has no delta of this customer"),
        ("customer=c&yours=0&theirs=0&month=2001-01", "in 2001-01 in test"),
    ] {
        let seen = surfer.get(&format!("/console/compare?{query}")).await;
        assert_eq!(seen.status, 200, "{query}: {}", seen.text);
        seen.has(verdict).has("id=\"verdict\"");
    }
    for (query, said) in [
        ("customer=c&yours=&theirs=", "Your balance is required"),
        ("customer=c&yours=1&theirs=1.0000001", "Their balance must be a number with at most 6 decimal places"),
        ("customer=c&yours=1,00&theirs=1", "Your balance must be a number"),
        ("customer=c&yours=1&theirs=1&start=x", "Starting balance must be a number"),
        ("customer=c&yours=1&theirs=1&month=2099-01", "Month must not be in the future"),
        ("customer=%00&yours=1&theirs=1", "Customer must not hold control characters"),
        ("yours=%3Cscript%3E&theirs=1", "value=\"&#60;script&#62;\""),
    ] {
        let seen = surfer.get(&format!("/console/compare?{query}")).await;
        assert_eq!(seen.status, 400, "{query}: {}", seen.text);
        seen.has(said).has("aria-invalid=\"true\"").lacks("id=\"verdict\"").lacks("<script>");
    }
}

#[actix_web::test]
async fn nobody_sees_what_is_another_tenants_or_of_another_mode_and_a_viewer_changes_nothing() {
    let (gateway, mut surfer, person, product) = shop().await;
    let machine = Machine::of(&gateway, &person, json!({})).await;
    machine.emitted("own", "5").await;
    let payment = id_of(&product.created(json!({})).await);
    gateway.act_at_checkout(&payment, "succeed").await;
    gateway.step().await;
    surfer.submit("/console/checkpoints", "/console/checkpoints", &[("customer", "own"), ("month", "")]).await;
    let own = surfer.get("/console/balances/own").await;
    let listed = surfer.get("/console/checkpoints").await;
    let account = links(&surfer.get(&format!("/console/payments/{payment}")).await, "/console/balances/")[0].clone();
    let delta = links(&own, "/console/deltas/")[0].clone();
    let files = links(&listed, "/console/checkpoints/chk_");
    let mut paths = vec!["/console/balances/own".to_owned(), account, format!("{delta}/proof"), delta];
    paths.extend(links(&own, "/console/receipt"));
    paths.extend(files);
    for path in &paths {
        assert_eq!(surfer.get(path).await.status, 200, "{path}");
    }
    let mut stranger = Surfer::registered(&gateway, "bob@example.com").await;
    let mut elsewhere = surfer.clone();
    elsewhere.submit("/console", "/console/mode", &[("mode", "sandbox")]).await.leads_to("/console");
    for who in [&mut stranger, &mut elsewhere] {
        for path in &paths {
            let seen = who.get(path).await;
            assert_eq!(seen.status, 404, "{path}: {}", seen.text);
        }
        who.get("/console/balances").await.has("class=\"empty\"").lacks("/console/balances/own");
        who.get("/console/checkpoints?customer=own").await.has("class=\"empty\"").lacks("/verify?root=");
        who.get("/console/compare?customer=own&yours=5&theirs=5").await.has("The ledger has no delta");
        let made = who.submit("/console/checkpoints", "/console/checkpoints", &[("customer", "own")]).await;
        assert_eq!(made.status, 404);
    }
    // Who is not signed in is sent to sign in; a form of another page is refused.
    assert_eq!(Surfer::at(&gateway).get(&paths[0]).await.status, 303);
    assert_eq!(surfer.post("/console/checkpoints", &[("customer", "own"), ("csrf", "x")]).await.status, 403);

    elsewhere.submit("/console", "/console/mode", &[("mode", "test")]).await.leads_to("/console");
    let mut surfer = Surfer::signed_in(&gateway, "ann@example.com").await;
    let checkpoints = gateway.count("checkpoints");
    gateway.database.execute("UPDATE members SET role = 'viewer'").unwrap();
    for path in paths.iter().filter(|path| !path.contains("/proof") && !path.contains("/receipt")) {
        assert_eq!(surfer.get(path).await.status, 200, "{path}");
    }
    surfer.get("/console/balances/own").await.lacks("Make checkpoint").has("Download receipt");
    surfer.get("/console/checkpoints").await.lacks("Make the checkpoint").has("/verify?root=");
    surfer.get("/console/compare?customer=own&yours=5&theirs=5").await.has("You agree");
    let form = [("customer", ""), ("month", "")];
    assert_eq!(surfer.submit("/console/balances", "/console/checkpoints", &form).await.status, 403);
    assert_eq!(gateway.count("checkpoints"), checkpoints);
}

#[actix_web::test]
async fn what_strangers_write_into_the_ledger_is_text() {
    const EVIL: &str = "\"'><script>pwned</script><img src=x onerror=pwned>{{7*7}}";
    let (gateway, mut surfer, person, machine) = ann().await;
    let delta =
        json!({ "customerId": "evil", "delta": 1, "reason": EVIL, "referenceId": EVIL, "metadata": { EVIL: EVIL } });
    machine.post("/balance/delta", &delta).await.expect_status(201);
    let named = json!({ "customerId": "evil-2", "displayName": EVIL });
    assert_eq!(person.post("/dashboard/customers", named).await.0, 201);
    gateway.step().await;
    let page = surfer.get("/console/balances/evil").await;
    let delta = links(&page, "/console/deltas/")[0].clone();
    let encoded: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    for path in [
        "/console/balances/evil",
        "/console/balances/evil-2",
        "/console/balances",
        delta.as_str(),
        &format!("/console/balances?q={encoded}&cursor={encoded}"),
        &format!("/console/balances/evil?month={encoded}&cursor={encoded}"),
        &format!("/console/balances/{}", encoded.replace('+', "%20")),
        &format!("/console/balances/x?customer={encoded}"),
        &format!("/console/checkpoints?customer={encoded}&cursor={encoded}&done={encoded}"),
        &format!("/console/compare?customer={encoded}&yours=1&theirs=2"),
        &format!(
            "/console/compare?customer={encoded}&yours={encoded}&theirs={encoded}&start={encoded}&month={encoded}"
        ),
    ] {
        surfer.get(path).await.lacks("<script>").lacks("<img");
    }
    surfer.get(&delta).await.has("&#60;script&#62;pwned").has("&#60;img src=x onerror=pwned&#62;");
}

async fn sign_in(browser: &Browser, gateway: &TestGateway) {
    browser.open(&gateway.url("/login")).await;
    browser.fill("input[name=email]", "ann@example.com").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click("main button.primary").await;
    let console = gateway.url("/console");
    eventually("the console is there", || async { browser.url().await == console }).await;
}

#[actix_web::test]
async fn a_payment_s_delta_is_found_and_its_proof_dropped_and_verified_in_a_browser() {
    let (gateway, _, _, product) = shop().await;
    let payment = id_of(&product.created(json!({ "amount_minor": 75_000 })).await);
    gateway.act_at_checkout(&payment, "succeed").await;
    gateway.step().await;
    let browser = Browser::of_size(1280, 900, true).await;
    sign_in(&browser, &gateway).await;
    let downloads = gateway.database.directory.join("downloads");
    let params = json!({ "behavior": "allow", "downloadPath": downloads });
    browser.ask("/goog/cdp/execute", json!({ "cmd": "Browser.setDownloadBehavior", "params": params })).await;

    browser.click("nav.side a[href='/console/balances']").await;
    browser.click("main td a[href^='/console/balances/']").await;
    eventually("the customer is shown", || async { browser.text("#balance").await == "75,000 IDR" }).await;
    assert!(browser.text("main").await.contains("+75,000"));
    browser.click("main td a[href^='/console/deltas/']").await;
    eventually("the delta is shown", || async { browser.text("h1").await.contains("+75,000 IDR") }).await;
    let record = browser.text("#record-id").await;
    browser.click("#proof").await;
    let file = downloads.join(format!("proof-{record}.json"));
    eventually("the proof is kept", || async { file.exists() }).await;
    let proof = std::fs::read_to_string(&file).unwrap();

    browser.click("main a[href='/verify']").await;
    eventually("the page is there", || async { browser.text("h1").await == "Verify a proof" }).await;
    let drop = format!(
        "const data = new DataTransfer(); data.items.add(new File([{}], 'proof.json', {{ type: 'application/json' }}));
         document.getElementById('drop').dispatchEvent(new DragEvent('drop', {{ dataTransfer: data, bubbles: true, cancelable: true }}))",
        Value::from(proof)
    );
    browser.evaluate(&drop).await;
    eventually("it is checked", || async {
        let is_filled = browser.evaluate("return document.getElementById('document').value !== ''").await;
        is_filled == json!(true)
    })
    .await;
    if browser.text("#verdict").await.is_empty() {
        browser.click("#check").await;
    }
    eventually("it is verified", || async { browser.text("#verdict").await == "Verified" }).await;
    assert_eq!(browser.text("#where").await, "Checked in this browser.");
    assert!(browser.text("#deltas").await.contains("75000 IDR"), "{}", browser.text("#deltas").await);

    // A checkpoint by the customer's page; its root is looked up by the link.
    browser.open(&gateway.url("/console/balances")).await;
    browser.click("main td a[href^='/console/balances/']").await;
    browser.click(".head form button").await;
    eventually("it is made", || async { browser.text(".notice").await.contains("The checkpoint is below") }).await;
    browser.click("main td a[href^='/verify?root=']").await;
    eventually("it is known", || async { browser.text("#root").await.contains("This root was recorded") }).await;
    assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
}

/// Pictures of the pages for people who look at them: set `SCREENSHOTS` to a directory.
#[actix_web::test]
async fn the_ledger_s_pages_fit_phones_and_desks_in_both_themes() {
    let (gateway, _, _, product) = shop().await;
    let person = Person::signed_in(&gateway, "ann@example.com").await;
    let machine = Machine::of(&gateway, &person, json!({})).await;
    let payment = id_of(&product.created(json!({ "amount_minor": 1_275_000 })).await);
    gateway.act_at_checkout(&payment, "succeed").await;
    for (index, delta) in ["1500", "-120.25", "-380", "-0.000001", "2500", "-1999.5", "-2600", "900"].iter().enumerate()
    {
        let more = format!(r#","referenceId":"invoice-2026-{index}","metadata":{{"plan":"team","seats":12}}"#);
        machine.emit("acme-industries", delta, &more).await.expect_status(201);
        gateway.step().await;
        gateway.clock.advance(std::time::Duration::from_secs(40_000));
    }
    let mut surfer = Surfer::signed_in(&gateway, "ann@example.com").await;
    for customer in ["", "acme-industries"] {
        surfer.submit("/console/checkpoints", "/console/checkpoints", &[("customer", customer)]).await;
    }
    let page = surfer.get("/console/balances/acme-industries").await;
    let delta = links(&page, "/console/deltas/")[0].clone();
    let account = links(&surfer.get(&format!("/console/payments/{payment}")).await, "/console/balances/")[0].clone();
    let pages = [
        ("balances", "/console/balances".to_owned()),
        ("nobody", "/console/balances?q=zzz".to_owned()),
        ("balance", "/console/balances/acme-industries".to_owned()),
        ("account", account),
        ("month", "/console/balances/acme-industries?month=2001-01".to_owned()),
        ("delta", delta),
        ("compare", "/console/compare?customer=acme-industries&yours=-200.25&theirs=-199.750001".to_owned()),
        ("refused", "/console/compare?customer=acme-industries&yours=x&theirs=".to_owned()),
        ("checkpoints", "/console/checkpoints".to_owned()),
        ("payment", format!("/console/payments/{payment}")),
        ("empty", "/console/checkpoints?customer=nobody".to_owned()),
    ];
    for width in [390, 1280] {
        let browser = Browser::of_size(width, 900, true).await;
        sign_in(&browser, &gateway).await;
        for theme in ["light", "dark"] {
            let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
            browser.ask("/goog/cdp/execute", json!({ "cmd": "Emulation.setEmulatedMedia", "params": feature })).await;
            for (name, path) in &pages {
                browser.open(&gateway.url(path)).await;
                let unlabelled = "return [document.documentElement.scrollWidth, document.querySelectorAll('[style]').length,
                    [...document.querySelectorAll('main input:not([type=hidden])')].filter((input) => !input.labels.length).length]";
                assert_eq!(browser.evaluate(unlabelled).await, json!([width, 0, 0]), "{name} {theme}");
                if let Ok(directory) = std::env::var("SCREENSHOTS") {
                    let height = browser.evaluate("return document.documentElement.scrollHeight").await;
                    let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
                    let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
                    let command = json!({ "cmd": "Page.captureScreenshot", "params": params });
                    let taken = browser.ask("/goog/cdp/execute", command).await;
                    let file = std::path::Path::new(&directory).join(format!("{name}-{width}-{theme}.b64"));
                    std::fs::write(file, taken["data"].as_str().unwrap()).unwrap();
                }
            }
        }
        let expected = |line: &String| line.contains("400");
        assert!(browser.console().await.iter().all(expected), "{:?}", browser.console().await);
    }
}
