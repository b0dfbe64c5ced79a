//! The console's pages about money in a real browser: a newcomer's first payment from app to refund, and what a hostile
//! buyer writes, which stays text on every page.

use serde_json::json;
use switchyard::domain::mode::Mode;

use crate::across::{give_app, scope_of};
use crate::browser::Browser;
use crate::money_pages::PAGES;
use crate::person::{PASSWORD, Person};
use crate::support::{Receiver, Reply, TestGateway, eventually, id_of};

async fn sign_in(browser: &Browser, gateway: &TestGateway, email: &str) {
    browser.open(&gateway.url("/login")).await;
    browser.fill("input[name=email]", email).await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click("main button.primary").await;
    let console = gateway.url("/console");
    eventually("the console is there", || async { browser.url().await == console }).await;
}

#[actix_web::test]
async fn from_an_app_to_a_payment_a_refund_and_a_replayed_event_in_a_browser() {
    let gateway = TestGateway::spawn().await;
    Person::registered(&gateway, "ann@example.com").await;
    let shop = Receiver::start().await;
    shop.answer_always(Reply::status(200));
    let hook = Receiver::start().await;
    hook.answer_always(Reply::status(200));
    let browser = Browser::of_size(1280, 900, true).await;
    sign_in(&browser, &gateway, "ann@example.com").await;

    browser.click("main a[href='/console/apps']").await;
    browser.fill("#name", "Web shop").await;
    browser.fill("#webhook_url", &hook.url).await;
    browser.click("main form.stack button.primary").await;
    eventually("the secret is shown", || async { !browser.text("#secret").await.is_empty() }).await;
    let secret = browser.text("#secret").await;
    let key = browser.text("#public-key").await;
    assert!(secret.len() >= 32, "{secret}");
    assert!(browser.text("#env-text").await.contains(&secret));
    let issued = switchyard::domain::secrets::Secret::new(secret);
    let payment = {
        let product = crate::support::Product {
            base_url: gateway.server.url(),
            public_key: key,
            secret: issued.expose().to_owned(),
            webhook_secret: String::new(),
            app_id: String::new(),
            clock: gateway.clock.clone(),
            client: reqwest::Client::new(),
        };
        product.created(json!({ "return_url": shop.url, "amount_minor": 75_000 })).await
    };
    let id = id_of(&payment);
    browser.open(payment["checkout_url"].as_str().unwrap()).await;
    browser.click("button.primary").await;
    eventually("the buyer is back", || async { browser.url().await.contains("status=succeeded") }).await;
    hook.wait_for(1).await;

    browser.open(&gateway.url("/console")).await;
    assert!(browser.text("main").await.contains("Rp 75,000"));
    browser.click(&format!("main a[href='/console/payments/{id}']")).await;
    eventually("the payment is shown", || async { browser.text("h1").await.contains("Rp 75,000") }).await;
    assert!(browser.text("main").await.contains("succeeded"));
    browser.fill("#amount", "25,000").await;
    browser.fill("#reason", "changed my mind").await;
    browser.click("form[action$='/refund'] button").await;
    eventually("it is refunded", || async { browser.text("main").await.contains("Rp 25,000") }).await;
    assert!(browser.text(".notice").await.contains("refund"));
    hook.wait_for(2).await;
    browser.click("section[aria-labelledby=events] a[href^='/console/events/']").await;
    eventually("the event is shown", || async { browser.text("h1").await == "payment.succeeded" }).await;
    browser.click("form[action$='/resend'] button").await;
    eventually("it is on its way", || async { browser.text(".notice").await.contains("on its way") }).await;
    let received = hook.wait_for(3).await;
    assert_eq!(received[0].header("webhook-id"), received[2].header("webhook-id"));
    browser.open(&gateway.url("/console/audit")).await;
    let log = browser.text("main").await;
    for action in ["app.created", "refund.requested", "event.redelivered"] {
        assert!(log.contains(action), "{log}");
    }
    assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
}

#[actix_web::test]
async fn what_a_hostile_buyer_writes_stays_text_on_every_page() {
    const EVIL: &str = "\"'><script>window.pwned=1</script><img src=x onerror=window.pwned=1>${7*7}{{7*7}}";
    let gateway = TestGateway::spawn().await;
    let person = Person::registered(&gateway, "ann@example.com").await;
    let scope = scope_of(&gateway, &person).await;
    let quoted = EVIL.replace('\'', "''");
    for sql in [
        format!("UPDATE tenants SET name = '{quoted}' WHERE tenant_id = '{}'", scope.tenant_id),
        format!("UPDATE users SET first_name = '{quoted}', last_name = '{quoted}'"),
    ] {
        gateway.database.execute(&sql).unwrap();
    }
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply { body: EVIL.to_owned(), ..Reply::status(418) });
    let evil_path = format!("{}?{EVIL}", receiver.url).replace(['<', '>', '"', ' ', '{', '}'], "%3C");
    let product = gateway
        .product_with(Mode::Test, |options| {
            options.name = EVIL.chars().take(100).collect();
            options.webhook_url = Some(evil_path.clone());
        })
        .await;
    give_app(&gateway, &product, &scope.tenant_id).await;
    let evil = |outcome: &str| {
        json!({ "external_user_id": EVIL, "description": EVIL, "metadata": { EVIL: EVIL }, "buyer": { "name": EVIL },
                "email": "buyer@example.com", "mock": { "outcome": outcome, "decline_code": EVIL.chars().take(64).collect::<String>() } })
    };
    let paid = id_of(&product.created(evil("none")).await);
    gateway.act_at_checkout(&paid, "succeed").await;
    let failed = product.create(evil("fail")).await.json();
    let failed = id_of(&failed);
    let refund = json!({ "payment_id": paid, "amount_minor": 5, "reason": EVIL });
    product.post_with_key("/v1/refunds", &refund, "refund").await.expect_status(201);
    gateway
        .database
        .execute(&format!(
            "UPDATE payments SET needs_attention = {} WHERE payment_id = '{paid}'",
            gateway.database.truth()
        ))
        .unwrap();
    gateway
        .database
        .execute(&format!(
            "INSERT INTO subscriptions (subscription_id, app_id, payment_id, mode, provider, provider_ref, external_user_id,
             status, cancel_at_period_end, changed_at, created_at, updated_at) SELECT
             'sub_01k7v3m2q8d4r5s6t7v8w9x0yz', app_id, payment_id, mode, provider, 'ref', external_user_id, 'active',
             {}, 1, 1, 1 FROM payments WHERE payment_id = '{paid}'",
            gateway.database.truth()
        ))
        .unwrap();
    receiver.wait_for(2).await;
    let dead = "SELECT COUNT(*) FROM deliveries WHERE state = 'dead'";
    eventually("deliveries were given up", || async { gateway.database.number(dead) >= 2 }).await;

    let endpoint = json!({ "url": evil_path, "description": EVIL });
    let (status, endpoint) = person.post("/dashboard/webhooks", endpoint).await;
    assert_eq!(status, 201, "{endpoint}");
    let endpoint = format!("/console/webhooks/{}", endpoint["data"]["id"].as_str().unwrap());
    person.post(&format!("{}/test", endpoint.replace("/console", "/dashboard")), json!({})).await;
    eventually("the test was given up", || async { gateway.database.number(dead) >= 3 }).await;

    let browser = Browser::on_a_phone(true).await;
    sign_in(&browser, &gateway, "ann@example.com").await;
    let event = gateway.database.texts("SELECT event_id AS text FROM events ORDER BY event_id LIMIT 1")[0].clone();
    let encoded: String = url::form_urlencoded::byte_serialize(EVIL.as_bytes()).collect();
    let mut pages: Vec<String> = PAGES.map(str::to_owned).to_vec();
    pages.extend([
        format!("/console/payments/{paid}"),
        format!("/console/payments/{failed}"),
        format!("/console/payments?q={encoded}"),
        format!("/console/payments?customer={encoded}&status={encoded}&from={encoded}&app={encoded}"),
        format!("/console/customers?q={encoded}"),
        format!("/console/events/{event}"),
        "/console/events?dead=1".to_owned(),
        format!("/console/events?type={encoded}&cursor={encoded}"),
        endpoint.clone(),
        format!("{endpoint}?status={encoded}&cursor={encoded}"),
        format!("/console/webhooks?done={encoded}"),
        format!("/console/apps/{}", product.app_id),
        format!("/console/apps/{encoded}"),
        format!("/console/quick-start?app={encoded}"),
    ]);
    for page in pages {
        browser.open(&gateway.url(&page)).await;
        let state = browser
            .evaluate(
                "return [window.pwned ?? 0, document.images.length, document.querySelectorAll('script:not([src])').length,
                 document.documentElement.scrollWidth, document.querySelectorAll('main').length,
                 document.querySelectorAll('[style]').length]",
            )
            .await;
        assert_eq!(state, json!([0, 0, 0, 390, 1, 0]), "{page}");
        let console = browser.console().await;
        let is_expected = |line: &String| line.contains("404") && page.contains("/apps/%");
        assert!(console.iter().all(is_expected), "{page}: {console:?}");
    }
}
