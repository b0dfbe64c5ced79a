//! The console's pages about money, apps and events, over plain HTTP: what they show and to whom, what their forms do,
//! what they export, and that the programs of the quick start run.

use std::process::Command;

use serde_json::json;
use switchyard::domain::mode::Mode;

use crate::across::{give_app, scope_of};
use crate::person::Person;
use crate::support::{Product, Receiver, Reply, TestGateway, id_of};
use crate::surfer::Surfer;

/// Every page of this part that needs no id.
pub const PAGES: [&str; 19] = [
    "/console",
    "/console/payments",
    "/console/payments?attention=1",
    "/console/invoices",
    "/console/payment-links",
    "/console/refunds",
    "/console/subscriptions",
    "/console/reconcile",
    "/console/customers",
    "/console/balances",
    "/console/checkpoints",
    "/console/events",
    "/console/webhooks",
    "/console/apps",
    "/console/api-keys",
    "/console/providers",
    "/console/quick-start",
    "/console/production",
    "/console/audit",
];

/// A text with its entities read.
fn unescaped(text: &str) -> String {
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">")]
        .iter()
        .fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

/// What an element with this id says.
pub fn said_by(page: &str, id: &str) -> String {
    let (_, rest) = page.split_once(&format!("id=\"{id}\">")).unwrap_or_else(|| panic!("no {id} in {page}"));
    unescaped(rest.split("</").next().unwrap())
}

/// Somebody who is signed in, and a product of his whose events are heard.
async fn shop() -> (TestGateway, Surfer, Person, Product, Receiver) {
    let gateway = TestGateway::spawn().await;
    let surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let person = Person::signed_in(&gateway, "ann@example.com").await;
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply::status(200));
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let scope = scope_of(&gateway, &person).await;
    give_app(&gateway, &product, &scope.tenant_id).await;
    (gateway, surfer, person, product, receiver)
}

#[actix_web::test]
async fn a_newcomer_is_told_on_every_page_what_to_do_next() {
    let gateway = TestGateway::spawn().await;
    let mut surfer = Surfer::registered(&gateway, "new@example.com").await;
    for page in PAGES {
        let seen = surfer.get(page).await;
        assert_eq!(seen.status, 200, "{page}: {}", seen.text);
        if !["/console/audit", "/console/payments?attention=1", "/console/production"].contains(&page) {
            seen.has("class=\"empty\"");
        }
    }
    surfer.get("/console").await.has("href=\"/console/apps\"");
    surfer.get("/console/quick-start").await.has("First, an app");
}

#[actix_web::test]
async fn an_app_is_made_rotated_and_archived_by_forms_and_its_secret_is_shown_once() {
    let (gateway, mut surfer, ..) = shop().await;
    let fields = [("name", "Second shop"), ("webhook_url", "https://shop.example/hook")];
    let made = surfer.submit("/console/apps", "/console/apps", &fields).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let (key, secret) = (said_by(&made.text, "public-key"), said_by(&made.text, "secret"));
    let env = said_by(&made.text, "env-text");
    let webhook_secret = said_by(&made.text, "webhook-secret");
    for line in
        [format!("PAY_KEY={key}"), format!("PAY_SECRET={secret}"), format!("PAY_WEBHOOK_SECRET={webhook_secret}")]
    {
        assert!(env.lines().any(|found| found == line), "{env}");
    }
    assert_eq!(made.headers["cache-control"], "no-store");
    let list = surfer.get("/console/apps").await;
    list.has("Second shop").lacks(&secret);
    let path = list.text.split("href=\"").find_map(|rest| {
        let path = rest.split('"').next().unwrap();
        (path.starts_with("/console/apps/app_") && rest.contains("Second shop</a>")).then(|| path.to_owned())
    });
    let path = path.unwrap();
    let path = path.as_str();
    surfer.get(path).await.has(&key).lacks(&secret).lacks(&webhook_secret);
    let sign = async |secret: &str| {
        let product = Product {
            base_url: gateway.server.url(),
            public_key: key.clone(),
            secret: secret.to_owned(),
            webhook_secret: String::new(),
            app_id: String::new(),
            clock: gateway.clock.clone(),
            client: reqwest::Client::new(),
        };
        product.get("/v1/payments").await.status
    };
    assert_eq!(sign(&secret).await, 200);
    let rotated = surfer.submit(path, &format!("{path}/rotate"), &[("overlap", "day")]).await;
    let fresh = said_by(&rotated.text, "secret");
    assert_eq!((sign(&secret).await, sign(&fresh).await), (200, 200));
    surfer.get(path).await.has("Old secret");
    surfer.submit(path, &format!("{path}/finish"), &[]).await.leads_to(&format!("{path}?done=finish"));
    assert_eq!((sign(&secret).await, sign(&fresh).await), (401, 200));
    let moved = [("webhook_url", "https://shop.example/elsewhere")];
    surfer.submit(path, &format!("{path}/webhook"), &moved).await.leads_to(&format!("{path}?done=webhook"));
    surfer.get(path).await.has("https://shop.example/elsewhere");
    let unread = [("kyc_above", "IDR 1,000,000\nUSD much")];
    let refused = surfer.submit(path, &format!("{path}/buyers"), &unread).await;
    assert_eq!(refused.status, 400);
    refused.has("USD much is not a currency and an amount");
    let limits = [("kyc_above", "IDR 1,000,000\r\nUSD 29")];
    surfer.submit(path, &format!("{path}/buyers"), &limits).await.leads_to(&format!("{path}?done=buyers"));
    surfer.get(path).await.has("IDR 1000000\nUSD 29.00</textarea>");
    let refused = surfer.submit(path, &format!("{path}/archive"), &[("name", "Other shop")]).await;
    assert_eq!(refused.status, 400);
    surfer
        .submit(path, &format!("{path}/archive"), &[("name", "Second shop")])
        .await
        .leads_to("/console/apps?done=archive");
    assert_eq!(sign(&fresh).await, 401);
    let log = surfer.get("/console/audit").await;
    for action in
        ["app.created", "app.rotated", "app.rotation_finished", "app.webhook_set", "app.kyc_set", "app.archived"]
    {
        log.has(action);
    }
    log.lacks(&secret).lacks(&fresh).has("you");
}

#[actix_web::test]
async fn the_programs_of_the_quick_start_make_payments() {
    let (gateway, mut surfer, _, product, _receiver) = shop().await;
    let page = surfer.get("/console/quick-start").await.text;
    for (id, program, file) in [("curl", "sh", "pay.sh"), ("node", "node", "pay.mjs"), ("python", "python3", "pay.py")]
    {
        let text = said_by(&page, id);
        assert!(text.contains(&product.public_key) && !text.contains(&product.secret));
        let path = gateway.database.directory.join(file);
        std::fs::write(&path, text).unwrap();
        let secret = product.secret.clone();
        let ran = tokio::task::spawn_blocking(move || {
            Command::new(program).arg(path).env("PAY_SECRET", secret).env_remove("http_proxy").output().unwrap()
        });
        let ran = ran.await.unwrap();
        let (said, complained) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
        assert!(ran.status.success(), "{program}: {said} {complained}");
        let payment: serde_json::Value = serde_json::from_str(said.trim()).unwrap();
        assert_eq!(payment["status"], "initiated");
        surfer.get(&format!("/console/payments/{}", id_of(&payment))).await.has("user-1");
    }
    surfer.get("/console/payments").await.has("3 in all");
}

#[actix_web::test]
async fn a_payment_is_found_and_refunded_and_its_event_sent_again_by_forms() {
    let (gateway, mut surfer, _, product, receiver) = shop().await;
    let payment = product
        .created(json!({ "amount_minor": 2_900, "currency": "USD", "method": "paypal", "description": "Two & a <half>",
                         "external_user_id": "buyer 7/ü", "metadata": { "order": "A-17" } }))
        .await;
    let id = id_of(&payment);
    gateway.act_at_checkout(&id, "succeed").await;
    receiver.wait_for(1).await;
    for query in [id.as_str(), "buyer%207%2F%C3%BC"] {
        surfer.get(&format!("/console/payments?q={query}")).await.has(&id).has("$29.00");
    }
    surfer.get("/console/payments?q=nothing-of-ours").await.has("Nothing found");
    surfer.get("/console/payments?status=failed&method=paypal&from=2020-01-01").await.has("Nothing found").lacks(&id);
    surfer.get("/console/payments?status=succeeded&method=paypal&from=nonsense&app=%00").await.has(&id);
    let path = format!("/console/payments/{id}");
    let page = surfer.get(&path).await;
    page.has("Two &#38; a &#60;half&#62;").has("A-17").has("payment.succeeded").has("value=\"29.00\"");
    let csrf = page.hidden("csrf");
    let nonce = page.hidden("nonce");
    let form = [("csrf", csrf.as_str()), ("nonce", nonce.as_str()), ("amount", "12.50"), ("reason", "<late>")];
    for _ in 0..2 {
        surfer.post(&format!("{path}/refund"), &form).await.leads_to(&format!("{path}?done=refund"));
    }
    assert_eq!(gateway.count("refunds"), 1);
    surfer.get(&path).await.has("$12.50").has("&#60;late&#62;").has("value=\"16.50\"");
    surfer.get("/console/refunds").await.has("$12.50").has(&id);
    for (amount, status) in [("16.51", 422), ("1.234", 400), ("-1", 400), ("0", 400)] {
        let refused = surfer.submit(&path, &format!("{path}/refund"), &[("nonce", amount), ("amount", amount)]).await;
        assert_eq!(refused.status, status, "{amount}: {}", refused.text);
    }
    receiver.wait_for(2).await;
    let events = surfer.get("/console/events?type=payment.succeeded").await;
    let event = events.text.split("/console/events/evt_").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let event_path = format!("/console/events/evt_{event}");
    surfer
        .get(&event_path)
        .await
        .has("answered 200")
        .has(&receiver.url)
        .has("&#34;event&#34;: &#34;payment.succeeded&#34;");
    let nonce = surfer.get(&event_path).await.hidden("nonce");
    let again = surfer.submit(&event_path, &format!("{event_path}/resend"), &[("nonce", &nonce)]).await;
    again.leads_to(&format!("{event_path}?done=resend"));
    let received = receiver.wait_for(3).await;
    assert_eq!(received[0].header("webhook-id"), received[2].header("webhook-id"));
    let since = [("nonce", "n"), ("app", product.app_id.as_str()), ("since", "2020-01-01")];
    surfer.submit("/console/events", "/console/events/resend", &since).await.leads_to("/console/events?done=resend");
    let open = id_of(&product.created(json!({})).await);
    let path = format!("/console/payments/{open}");
    surfer.submit(&path, &format!("{path}/cancel"), &[("nonce", "n")]).await.leads_to(&format!("{path}?done=cancel"));
    surfer.get(&path).await.has("canceled").lacks("Cancel the payment");
    let overview = surfer.get("/console").await;
    overview.has("Success rate").has("50.0 %").has("$29.00").has("<svg viewBox=\"0 0 300 100\"");
    overview.lacks("style=");
    surfer.get("/console/customers").await.has("buyer 7/ü").has("user-");
    surfer.get("/console/customers?q=nobody").await.has("Nobody found");
}

#[actix_web::test]
async fn another_tenant_and_a_viewer_get_nothing_done() {
    let (gateway, mut surfer, person, product, receiver) = shop().await;
    let id = id_of(&product.created(json!({})).await);
    gateway.act_at_checkout(&id, "succeed").await;
    receiver.wait_for(1).await;
    let path = format!("/console/payments/{id}");
    let event = gateway.database.texts("SELECT event_id AS text FROM events")[0].clone();
    let app_path = format!("/console/apps/{}", product.app_id);
    let acts = [
        (format!("{path}/refund"), vec![("nonce", "n"), ("amount", "1")]),
        (format!("{path}/cancel"), vec![("nonce", "n")]),
        (format!("{path}/resolve"), vec![("seen", "1"), ("note", "mine")]),
        (format!("/console/events/{event}/resend"), vec![("nonce", "n")]),
        ("/console/events/resend".to_owned(), vec![("nonce", "n"), ("app", &product.app_id), ("since", "2020-01-01")]),
        (format!("{app_path}/rotate"), vec![]),
        (format!("{app_path}/finish"), vec![]),
        (format!("{app_path}/webhook"), vec![("webhook_url", "https://evil.example/")]),
        (format!("{app_path}/buyers"), vec![("kyc_above", "")]),
        (format!("{app_path}/archive"), vec![("name", "Test shop")]),
    ];
    let mut stranger = Surfer::registered(&gateway, "stranger@example.com").await;
    for (address, fields) in &acts {
        let seen = stranger.submit("/console", address, fields).await;
        assert_eq!(seen.status, 404, "{address}: {}", seen.text);
    }
    for address in [&path, &format!("/console/events/{event}"), &app_path] {
        assert_eq!(stranger.get(address).await.status, 404, "{address}");
    }
    for page in PAGES {
        stranger.get(page).await.lacks(&id).lacks(&product.public_key).lacks(&product.app_id);
    }
    stranger.get("/console/payments.csv").await.lacks(&id);

    let scope = scope_of(&gateway, &person).await;
    let demote = format!("UPDATE members SET role = 'viewer' WHERE user_id = '{}'", scope.actor());
    assert_eq!(gateway.database.execute(&demote), Ok(1));
    for (address, fields) in &acts {
        let seen = surfer.submit("/console", address, fields).await;
        assert_eq!(seen.status, 403, "{address}: {}", seen.text);
    }
    for (address, fields) in [("/console/apps", [("name", "Shop")]), ("/console/providers", [("provider", "nicepay")])]
    {
        assert_eq!(surfer.submit("/console", address, &fields).await.status, 403, "{address}");
    }
    for page in [&path, &app_path, "/console/apps", "/console/events", &format!("/console/events/{event}")] {
        let seen = surfer.get(page).await;
        assert_eq!(seen.status, 200);
        seen.lacks(&format!("action=\"{page}/"));
    }
    assert_eq!(gateway.count("refunds"), 0);
    assert_eq!(gateway.count("audit_entries WHERE action LIKE 'app.%' AND actor LIKE 'usr%'"), 0);
}

#[actix_web::test]
async fn an_export_holds_every_payment_and_no_formula() {
    const COPIES: i64 = 2_500;
    let (gateway, mut surfer, _, product, _receiver) = shop().await;
    let evil = json!({ "external_user_id": "=HYPERLINK(\"http://evil.example\")", "description": "+1,\"2\"",
                       "metadata": { "note": "a;b" } });
    let id = id_of(&product.created(evil).await);
    let columns = gateway.database.columns_of("payments");
    let values = columns.iter().map(|column| match column.as_str() {
        "payment_id" => "substr(payment_id, 1, 22) || substr('00000000' || n, -8)".to_owned(),
        "invoice_number" => "'INV-' || n".to_owned(),
        name => name.to_owned(),
    });
    let sql = format!(
        "INSERT INTO payments ({}) WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers
         WHERE n < {COPIES}) SELECT {} FROM payments CROSS JOIN numbers",
        columns.join(", "),
        values.collect::<Vec<_>>().join(", ")
    );
    let sql = match gateway.database.target {
        switchyard::store::Target::Sqlite(_) => sql,
        switchyard::store::Target::Postgres(_) => sql
            .replace("substr('00000000' || n, -8)", "lpad(n::text, 8, '0')")
            .replace("'INV-' || n", "'INV-' || n::text"),
    };
    assert_eq!(gateway.database.execute(&sql), Ok(usize::try_from(COPIES).unwrap()));
    let export = surfer.get("/console/payments.csv").await;
    assert_eq!(export.headers["content-type"], "text/csv; charset=utf-8");
    assert!(
        export.headers["content-disposition"].to_str().unwrap().starts_with("attachment; filename=\"payments-test-")
    );
    let lines: Vec<&str> = export.text.lines().collect();
    assert_eq!(lines.len() as i64, COPIES + 2);
    assert!(lines[0].starts_with("payment_id,created_at,"));
    let ids: std::collections::HashSet<&str> = lines[1..].iter().map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!(ids.len() as i64, COPIES + 1);
    let line = lines.iter().find(|line| line.starts_with(&id)).unwrap();
    assert!(line.contains(",\"'=HYPERLINK(\"\"http://evil.example\"\")\","), "{line}");
    assert!(line.contains(",\"'+1,\"\"2\"\"\","), "{line}");
    assert!(line.contains(",50000,IDR,50000,"), "{line}");
    let filtered = surfer.get("/console/payments.csv?status=failed").await;
    assert_eq!(filtered.text.lines().count(), 1);
    let found = surfer.get("/console/payments.csv?q=INV-77").await;
    assert_eq!(found.text.lines().count(), 2);

    surfer.submit("/console/apps", "/console/apps", &[("name", "=1+1")]).await;
    let log = surfer.get("/console/audit.csv").await;
    log.has("app.created").has("usr_");
    let last = surfer.get("/console/audit.jsonl").await.text;
    let entry: serde_json::Value = serde_json::from_str(last.lines().next().unwrap()).unwrap();
    assert_eq!((&entry["action"], &entry["after"]["name"]), (&json!("app.created"), &json!("=1+1")));
}

#[actix_web::test]
async fn a_provider_account_is_added_by_a_form_that_asks_what_the_provider_wants() {
    let (gateway, mut surfer, ..) = shop().await;
    surfer.get("/console/providers").await.has("None is needed in test");
    surfer.submit("/console", "/console/mode", &[("mode", "sandbox")]).await;
    let page = surfer.get("/console/providers").await;
    page.has("merchant id (iMid), as NICEPAY gave it").has("name=\"merchant_key\"").has("<textarea");
    let refused = surfer
        .submit("/console/providers", "/console/providers", &[("provider", "nicepay"), ("imid", "IONPAYTEST")])
        .await;
    assert_eq!(refused.status, 400);
    refused.has("merchant_key");
    let account = [("provider", "nicepay"), ("imid", "IONPAYTEST"), ("merchant_key", "a-merchant-key-of-ours")];
    surfer.submit("/console/providers", "/console/providers", &account).await.leads_to("/console/providers?done=add");
    let page = surfer.get("/console/providers").await;
    page.has("in use").has("/webhooks/nicepay/sandbox/").lacks("a-merchant-key-of-ours");
    let id = gateway.database.texts("SELECT account_id AS text FROM provider_accounts")[0].clone();
    let archive = format!("/console/providers/{id}/archive");
    surfer.submit("/console/providers", &archive, &[]).await.leads_to("/console/providers?done=archive");
    surfer.get("/console/providers").await.has("out of use");
    surfer.get("/console/audit").await.has("provider_account.added").has("provider_account.archived");
    surfer.submit("/console", "/console/mode", &[("mode", "test")]).await;
}

#[actix_web::test]
async fn an_api_key_is_made_rotated_switched_off_and_deleted_by_forms() {
    let (gateway, mut surfer, person, ..) = shop().await;
    let page = "/console/api-keys";
    assert_eq!(surfer.submit(page, page, &[("name", "No scope")]).await.status, 400);
    let fields = [("name", "Bookkeeping"), ("scope", "webhooks:read"), ("scope", "balance:read")];
    let made = surfer.submit(page, page, &fields).await;
    let key = said_by(&made.text, "key");
    assert!(said_by(&made.text, "env-text").contains(&format!("PAY_API_KEY={key}\n")));
    let caller =
        async |key: &str| gateway.server.gateway.caller_of_key(key, None).await.map(|scope| scope.actor().to_owned());
    let id = caller(&key).await.unwrap();
    surfer.get(page).await.has("Bookkeeping").has("webhooks:read, balance:read").lacks(&key);
    let rotated = surfer.submit(page, &format!("{page}/{id}/rotate"), &[]).await;
    let fresh = said_by(&rotated.text, "key");
    assert_ne!(fresh, key);
    assert_eq!((caller(&key).await.unwrap(), caller(&fresh).await.unwrap()), (id.clone(), id.clone()));
    let switch = format!("{page}/{id}/switch");
    surfer.submit(page, &switch, &[("to", "off")]).await.leads_to("/console/api-keys?done=off");
    assert!(caller(&fresh).await.is_err());
    surfer.submit(page, &switch, &[("to", "on")]).await.leads_to("/console/api-keys?done=on");
    assert!(caller(&fresh).await.is_ok());
    let mut stranger = Surfer::registered(&gateway, "stranger@example.com").await;
    assert_eq!(stranger.submit(page, &format!("{page}/{id}/delete"), &[]).await.status, 404);
    surfer.submit(page, &format!("{page}/{id}/delete"), &[]).await.leads_to("/console/api-keys?done=delete");
    assert!(caller(&fresh).await.is_err());
    surfer.get(page).await.lacks(key.split('.').next().unwrap());
    let scope = scope_of(&gateway, &person).await;
    let demote = format!("UPDATE members SET role = 'viewer' WHERE user_id = '{}'", scope.actor());
    assert_eq!(gateway.database.execute(&demote), Ok(1));
    assert_eq!(surfer.submit(page, page, &fields).await.status, 403);
}
