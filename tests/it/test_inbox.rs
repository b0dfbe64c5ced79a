//! The test inbox, for who has neither a program nor a server yet: a payment from the quick start, paid at the mock, and its
//! event as a server would have got it; and that it takes nothing from anybody else.

use diesel::prelude::*;
use switchyard::clock::Clock;
use switchyard::domain::accounts::Role;
use switchyard::domain::ids::{EndpointId, ReceivedId};
use switchyard::domain::mode::Mode;
use switchyard::domain::signing::event_signature;
use switchyard::error::Code;
use switchyard::gateway::{Scope, Who};
use switchyard::store::test_inbox::{KEPT, Received, insert, of_endpoint};
use switchyard::store::{Conn, Target};

use crate::across::scope_of;
use crate::browser::Browser;
use crate::person::{PASSWORD, Person};
use crate::query_plans::assert_is_looked_up;
use crate::support::{TestGateway, eventually};
use crate::surfer::Surfer;

const INBOX: &str = "/console/webhooks/inbox";

/// Nothing is allowed that a server by default forbids.
async fn gateway() -> TestGateway {
    TestGateway::spawn_with(Clock::system(), true, |settings| settings.webhooks_allow_private = false).await
}

#[actix_web::test]
async fn a_newcomer_with_a_browser_alone_has_a_paid_payment_and_a_received_webhook() {
    let gateway = gateway().await;
    let browser = Browser::of_size(1280, 900, true).await;
    browser.open(&gateway.url("/")).await;
    browser.click("a[href='/register']").await;
    eventually("the form is there", || async { browser.url().await.ends_with("/register") }).await;
    let typed = [
        ("firstName", "Nora"),
        ("lastName", "New"),
        ("companyName", "New Ltd"),
        ("email", "nora@example.com"),
        ("password", PASSWORD),
    ];
    for (name, text) in typed {
        browser.fill(&format!("input[name={name}]"), text).await;
    }
    browser.click("main button.primary").await;
    eventually("the mail is announced", || async { browser.text("h1").await == "Look into your mail" }).await;
    browser.click("a[href='/outbox']").await;
    eventually("the mail is shown", || async { browser.text("main").await.contains("nora@example.com") }).await;
    browser.click("article a").await;
    eventually("it is confirmed", || async { browser.text("h1").await == "Your address is confirmed" }).await;
    browser.click("main a.button.primary").await;
    eventually("the way in is there", || async { browser.url().await.contains("/login") }).await;
    browser.fill("input[name=email]", "nora@example.com").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click("main button.primary").await;
    eventually("the console is there", || async { browser.text("main").await.contains("Welcome to New Ltd") }).await;
    browser.click("main a[href='/console/apps']").await;
    eventually("apps can be made", || async { browser.url().await.ends_with("/console/apps") }).await;
    browser.fill("#name", "Web shop").await;
    browser.click("main form.stack button.primary").await;
    eventually("the secret is shown", || async { !browser.text("#secret").await.is_empty() }).await;
    browser.click("main a[href^='/console/quick-start']").await;
    eventually("it can be tried", || async { browser.text("main").await.contains("Make a test payment") }).await;
    browser.click("form[action='/console/quick-start/try'] button").await;
    eventually("the checkout is there", || async { !browser.url().await.contains("/console/") }).await;
    browser.click("button.primary").await;
    eventually("the event is there", || async {
        browser.url().await.contains(INBOX) && browser.text("main").await.contains("signature is good")
    })
    .await;
    let page = browser.text("main").await;
    assert!(
        page.contains("payment.succeeded") && page.contains("x-pay-signature: ") && page.contains("See the payment"),
        "{page}"
    );
    browser.click("p.notice a").await;
    eventually("it is paid", || async { browser.text("main").await.contains("succeeded") }).await;
    assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
}

#[actix_web::test]
async fn the_test_inbox_takes_only_what_the_gateway_has_signed_for_it() {
    let gateway = gateway().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let person = Person::signed_in(&gateway, "ann@example.com").await;
    let scope = scope_of(&gateway, &person).await;
    ann.get(INBOX).await.has("Open the test inbox");
    ann.submit(INBOX, INBOX, &[]).await.leads_to(INBOX);
    ann.submit(INBOX, INBOX, &[]).await.leads_to(INBOX);
    ann.get(INBOX).await.has("Nothing has come yet");
    ann.get("/console/webhooks").await.has("Test inbox").has("/test-inbox/wep_");
    assert_eq!(
        (gateway.count("webhook_endpoints"), gateway.count("audit_entries WHERE action = 'test_inbox.opened'")),
        (1, 1)
    );

    let endpoint = gateway.database.texts("SELECT endpoint_id AS text FROM webhook_endpoints")[0].clone();
    ann.submit(&format!("/console/webhooks/{endpoint}"), &format!("/console/webhooks/{endpoint}/test"), &[]).await;
    eventually("the test event has come", || async { gateway.count("test_inbox") == 1 }).await;
    ann.get(INBOX).await.has("webhook.test").has("It works.").has("webhook-id: evt_");
    gateway.database.execute("DELETE FROM test_inbox").unwrap();

    // Others' posts, unsigned or signed with what they know, stay outside.
    let now = gateway.clock.now().unix_seconds();
    let post = async |endpoint: &str, signature: &str, at: i64| {
        let request = reqwest::Client::new().post(gateway.url(&format!("/test-inbox/{endpoint}"))).body("{}");
        let request = request.header("x-pay-timestamp", at.to_string()).header("x-pay-signature", signature);
        request.send().await.unwrap().status().as_u16()
    };
    for signature in ["", "00", &event_signature("guess", now, b"{}")] {
        assert_eq!(post(&endpoint, signature, now).await, 401);
    }
    assert_eq!(post("wep_01k7v3m2q8d4r5s6t7v8w9x0yz", "", now).await, 404);
    assert_eq!(post("nonsense", "", now).await, 404);
    assert_eq!(gateway.count("test_inbox"), 0);

    // No other endpoint may lead to this machine, be it to the inbox of another.
    let base = gateway.url("/test-inbox/");
    ann.submit("/console/webhooks", "/console/webhooks", &[("url", &format!("{base}{endpoint}?again"))]).await;
    let other =
        gateway.database.texts("SELECT endpoint_id AS text FROM webhook_endpoints WHERE url LIKE '%again'")[0].clone();
    ann.submit(&format!("/console/webhooks/{other}"), &format!("/console/webhooks/{other}/test"), &[]).await;
    let refused = format!("deliveries WHERE endpoint_id = '{other}' AND log LIKE '%private%'");
    eventually("it is not sent", || async { gateway.count(&refused) == 1 }).await;
    assert_eq!(gateway.count("test_inbox"), 0);

    // Nobody else sees it, and a viewer opens nothing and makes nothing.
    let mut eve = Surfer::registered(&gateway, "eve@example.com").await;
    eve.get(INBOX).await.has("Open the test inbox").lacks(&endpoint);
    let eve = scope_of(&gateway, &Person::signed_in(&gateway, "eve@example.com").await).await;
    ann.submit("/console/apps", "/console/apps", &[("name", "Shop")]).await;
    let app_id = gateway.database.texts("SELECT app_id AS text FROM apps")[0].clone();
    let mut viewer = scope.clone();
    if let Who::Member(member) = &mut viewer.who {
        member.role = Role::Viewer;
    }
    let elsewhere = Scope { mode: Mode::Sandbox, ..scope.clone() };
    let system = &gateway.server.gateway;
    for (who, code) in
        [(&eve, Code::NotFound), (&viewer, Code::InsufficientScope), (&elsewhere, Code::InsufficientScope)]
    {
        assert_eq!(system.try_out(who, "n", &app_id).await.unwrap_err().code, code);
    }
    for who in [&viewer, &elsewhere] {
        assert_eq!(system.open_test_inbox(who).await.unwrap_err().code, Code::InsufficientScope);
    }
    assert_eq!(gateway.count("payments"), 0);
    let first = system.try_out(&scope, "one form", &app_id).await.unwrap();
    assert_eq!(system.try_out(&scope, "one form", &app_id).await.unwrap(), first, "one press, however often");
    assert_eq!((gateway.count("payments"), gateway.count("audit_entries WHERE action = 'payment.tried'")), (1, 1));
}

#[tokio::test]
async fn the_test_inbox_keeps_the_newest_and_is_read_by_an_index() {
    let gateway = TestGateway::spawn_stepped().await;
    let person = Person::registered(&gateway, "ann@example.com").await;
    let scope = scope_of(&gateway, &person).await;
    let endpoint_id: EndpointId = gateway.server.gateway.open_test_inbox(&scope).await.unwrap().endpoint_id;
    let now = gateway.clock.now();
    assert_is_looked_up(&gateway.database, "the inbox", "test_inbox_by_endpoint", |conn| {
        of_endpoint(conn, &endpoint_id).map(drop)
    });
    let mut conn = match &gateway.database.target {
        Target::Sqlite(path) => Conn::Sqlite(diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap()),
        Target::Postgres(url) => Conn::Postgres(diesel::PgConnection::establish(url).unwrap()),
    };
    for second in 0..60 {
        let at = now.plus(std::time::Duration::from_secs(second));
        let received = Received {
            received_id: ReceivedId::generate(at),
            endpoint_id: endpoint_id.clone(),
            headers: String::new(),
            body: second.to_string(),
            received_at: at,
        };
        insert(&mut conn, &received).unwrap();
    }
    let kept = of_endpoint(&mut conn, &endpoint_id).unwrap();
    assert_eq!((kept.len() as i64, kept[0].body.as_str(), kept[49].body.as_str()), (KEPT, "59", "10"));
    assert_eq!(gateway.count("test_inbox"), KEPT);
}
