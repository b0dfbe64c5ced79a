//! The console's pages about webhook endpoints, over plain HTTP: what their forms do and to whom they show what.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::signing::{event_signature, standard_webhook_secret};

use crate::across::scope_of;
use crate::money_pages::said_by;
use crate::person::Person;
use crate::support::{Receiver, Reply, TestGateway};
use crate::surfer::Surfer;
use crate::tenant_apps::product_of;

const LIST: &str = "/console/webhooks";

/// The path of the endpoint that was made last.
fn path_of_last(gateway: &TestGateway) -> String {
    let sql = "SELECT endpoint_id AS text FROM webhook_endpoints ORDER BY endpoint_id DESC LIMIT 1";
    format!("{LIST}/{}", gateway.database.texts(sql)[0])
}

/// A gateway without background work, and somebody who is signed in.
async fn office() -> (TestGateway, Surfer, Person) {
    let gateway = TestGateway::spawn_stepped().await;
    let surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let person = Person::signed_in(&gateway, "ann@example.com").await;
    (gateway, surfer, person)
}

#[actix_web::test]
async fn an_endpoint_is_made_changed_switched_and_deleted_by_forms() {
    let (gateway, mut surfer, person) = office().await;
    let receiver = Receiver::start().await;
    let product = product_of(&gateway, &person).await;
    surfer.get(LIST).await.has("class=\"empty\"").has("Add one below").has("aria-current=\"page\">Webhooks");

    let bad = [
        ("url", "ftp://shop.example/\"><b>"),
        ("description", "Kept & shown"),
        ("headerPrefix", "X Acme"),
        ("events", "refund.failed"),
    ];
    let refused = surfer.submit(LIST, LIST, &bad).await;
    assert_eq!(refused.status, 400);
    refused.has("The URL must be an absolute http or https URL.").has("The prefix must be letters");
    refused.has("value=\"Kept &#38; shown\"").has("value=\"refund.failed\" checked").lacks("\"><b>");
    assert_eq!(gateway.count("webhook_endpoints WHERE app_id IS NULL"), 0);

    let fields = [
        ("url", receiver.url.as_str()),
        ("description", "Book<keeping>"),
        ("headerPrefix", "X-Acme"),
        ("events", "payment.succeeded"),
        ("events", "refund.succeeded"),
    ];
    let made = surfer.submit(LIST, LIST, &fields).await;
    assert_eq!((made.status, made.headers["cache-control"].to_str().unwrap()), (200, "no-store"));
    let secret = said_by(&made.text, "secret");
    assert_eq!(said_by(&made.text, "standard"), standard_webhook_secret(&secret));
    assert_eq!(said_by(&made.text, "env-text"), format!("PAY_WEBHOOK_SECRET={secret}\n"));
    let path = path_of_last(&gateway);
    let list = surfer.get(LIST).await;
    list.has(&format!("href=\"{path}\"")).has("Book&#60;keeping&#62;").has("payment.succeeded, refund.succeeded");
    list.has(">active<").lacks(&secret);
    let page = surfer.get(&path).await;
    page.has("X-Acme").has("value=\"refund.succeeded\" checked").has("value=\"refund.failed\">").lacks(&secret);

    product.ended(&gateway, "succeed", json!({})).await;
    product.ended(&gateway, "fail", json!({})).await;
    gateway.step().await;
    assert_eq!(receiver.names(), ["payment.succeeded"]);
    let got = receiver.received().pop().unwrap();
    let signature = event_signature(&secret, got.header("x-pay-timestamp").parse().unwrap(), &got.body);
    assert_eq!(got.header("x-acme-signature"), format!("v1={signature}"));
    surfer.get(&path).await.has("answered 204").has("href=\"/console/events/evt_").has("href=\"/console/payments/pay_");

    let all = [("url", receiver.url.as_str()), ("description", ""), ("headerPrefix", "")];
    surfer.submit(&path, &path, &all).await.leads_to(&format!("{path}?done=save"));
    let page = surfer.get(&format!("{path}?done=save")).await;
    page.has("Saved.").has("<dt>Events</dt><dd>all</dd>").lacks(" checked").lacks("X-Acme</code>").lacks("Book&#60;");
    let refused = surfer.submit(&path, &path, &[("url", "nowhere"), ("events", "payment.failed")]).await;
    assert_eq!(refused.status, 400);
    refused.has("The URL must be an absolute").has("value=\"nowhere\"").has("value=\"payment.failed\" checked");
    refused.has("<dt>Events</dt><dd>all</dd>").has(&receiver.url);

    let switch = format!("{path}/switch");
    surfer.submit(&path, &switch, &[("to", "off")]).await.leads_to(&format!("{path}?done=off"));
    surfer.get(LIST).await.has("switched off");
    let page = surfer.get(&path).await;
    page.has("Switch on").lacks(&format!("{path}/test")).lacks(&format!("{path}/replay"));
    assert_eq!(surfer.submit(&path, &format!("{path}/test"), &[]).await.status, 409);
    surfer.submit(&path, &switch, &[("to", "on")]).await.leads_to(&format!("{path}?done=on"));
    surfer.get(&path).await.has("Switch off").has(&format!("{path}/test"));

    let rotated = surfer.submit(&path, &format!("{path}/rotate"), &[("overlap", "week")]).await;
    let fresh = said_by(&rotated.text, "secret");
    assert_ne!(fresh, secret);
    rotated.has("signs along until").lacks(&secret);
    surfer.get(&path).await.has("Old secret").lacks(&fresh);
    let ended = surfer.submit(&path, &format!("{path}/rotate"), &[("overlap", "none")]).await;
    assert_ne!(said_by(&ended.text, "secret"), fresh);
    ended.lacks("signs along until");
    surfer.get(&path).await.lacks("Old secret");

    let delete = format!("{path}/delete");
    assert_eq!(surfer.submit(&path, &delete, &[]).await.status, 400);
    assert_eq!(surfer.get(&path).await.status, 200);
    surfer.submit(&path, &delete, &[("sure", "1")]).await.leads_to("/console/webhooks?done=delete");
    assert_eq!(surfer.get(&path).await.status, 404);
    surfer.get("/console/webhooks?done=delete").await.has("class=\"empty\"").has("The endpoint is deleted.");
    let log = surfer.get("/console/audit").await;
    for action in ["endpoint.created", "endpoint.changed", "endpoint.secret_rotated", "endpoint.deleted"] {
        log.has(action);
    }
    log.lacks(&secret).lacks(&fresh);
}

#[actix_web::test]
async fn what_went_to_an_endpoint_is_shown_page_by_page_and_sent_again() {
    let (gateway, mut surfer, _) = office().await;
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply { body: "<gone> & \"away\"".to_owned(), ..Reply::status(404) });
    assert_eq!(surfer.submit(LIST, LIST, &[("url", &receiver.url)]).await.status, 200);
    let path = path_of_last(&gateway);
    surfer.get(&path).await.has("Nothing yet.");
    let (test, replay) = (format!("{path}/test"), format!("{path}/replay"));
    for _ in 0..26 {
        surfer.submit(&path, &test, &[]).await.leads_to(&format!("{path}?done=test"));
        gateway.clock.advance(Duration::from_millis(10));
    }
    surfer.get(&path).await.has("none yet").has(">pending<").lacks("name=\"delivery\"");
    let dead = "SELECT COUNT(*) FROM deliveries WHERE state = 'dead'";
    while gateway.database.number(dead) < 26 {
        gateway.advance(Duration::from_secs(1)).await;
    }
    let page = surfer.get(&path).await;
    page.has("answered 404").has("&#60;gone&#62; &#38; &#34;away&#34;").has("webhook.test").has("tried 1×");
    let ids_in = |text: &str| -> Vec<String> {
        text.split("name=\"delivery\" value=\"")
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap().to_owned())
            .collect()
    };
    let first = ids_in(&page.text);
    let next = page.text.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap();
    let next = next.split('"').next().unwrap().replace("&#38;", "&");
    let second = surfer.get(&next).await;
    second.has("To the first").lacks("rel=\"next\"");
    let second = ids_in(&second.text);
    assert_eq!((first.len(), second.len()), (25, 1));
    assert!(!first.contains(&second[0]));

    receiver.answer_always(Reply::status(200));
    surfer.submit(&path, &replay, &[("delivery", &second[0])]).await.leads_to(&format!("{path}?done=replay"));
    gateway.step().await;
    let delivered = surfer.get(&format!("{path}?status=delivered")).await;
    delivered.has("answered 200").has("answered 404").has("value=\"delivered\" selected");
    assert_eq!(ids_in(&delivered.text), second);
    assert_eq!(ids_in(&surfer.get(&format!("{path}?status=dead")).await.text), first);
    surfer.get(&format!("{path}?status=pending")).await.has("None.");
    assert_eq!(ids_in(&surfer.get(&format!("{path}?status=nonsense")).await.text).len(), 25);

    for (field, value, status) in
        [("delivery", "dlv_nonsense", 404), ("since", "yesterday", 400), ("since", "", 400), ("other", "1", 400)]
    {
        assert_eq!(surfer.submit(&path, &replay, &[(field, value)]).await.status, status, "{field}={value}");
    }
    let later = [("since", "2999-12-31T23:59")];
    surfer.submit(&path, &replay, &later).await.leads_to(&format!("{path}?done=none"));
    surfer.get(&format!("{path}?done=none")).await.has("nothing is sent again");
    surfer.submit(&path, &replay, &[("since", "2020-01-01T00:00")]).await.leads_to(&format!("{path}?done=replay"));
    while gateway.database.number("SELECT COUNT(*) FROM deliveries WHERE state = 'delivered'") < 26 {
        gateway.advance(Duration::from_secs(1)).await;
    }
    surfer.get(&format!("{path}?status=dead")).await.has("None.");
}

#[actix_web::test]
async fn a_viewer_looks_at_endpoints_and_others_do_not_even_find_them() {
    let (gateway, mut surfer, person) = office().await;
    let (status, made) = person.post("/dashboard/webhooks", json!({ "url": "https://shop.example/hook" })).await;
    assert_eq!(status, 201, "{made}");
    let id = made["data"]["id"].as_str().unwrap();
    let path = format!("{LIST}/{id}");
    person.post(&format!("/dashboard/webhooks/{id}/test"), json!({})).await;
    let (_, log) = person.get(&format!("/dashboard/webhooks/{id}/deliveries")).await;
    let delivery = log["data"]["deliveries"][0]["id"].as_str().unwrap();
    let acts = [
        (path.clone(), vec![("url", "https://evil.example/")]),
        (path.clone(), vec![("url", "no url")]),
        (format!("{path}/switch"), vec![("to", "off")]),
        (format!("{path}/rotate"), vec![("overlap", "none")]),
        (format!("{path}/test"), vec![]),
        (format!("{path}/replay"), vec![("delivery", delivery)]),
        (format!("{path}/replay"), vec![("since", "2020-01-01T00:00")]),
        (format!("{path}/delete"), vec![("sure", "1")]),
    ];
    let before = gateway.count("audit_entries WHERE action LIKE 'endpoint.%'");
    let mut stranger = Surfer::registered(&gateway, "eve@example.com").await;
    let mut elsewhere = surfer.clone();
    elsewhere.submit("/console", "/console/mode", &[("mode", "sandbox")]).await;
    for somebody in [&mut stranger, &mut elsewhere] {
        for (address, fields) in &acts {
            let seen = somebody.submit("/console", address, fields).await;
            assert_eq!(seen.status, 404, "{address}: {}", seen.text);
        }
        assert_eq!(somebody.get(&path).await.status, 404);
        somebody.get(LIST).await.lacks(id);
    }
    surfer.submit("/console", "/console/mode", &[("mode", "test")]).await;

    let scope = scope_of(&gateway, &person).await;
    let demote = format!("UPDATE members SET role = 'viewer' WHERE user_id = '{}'", scope.actor());
    assert_eq!(gateway.database.execute(&demote), Ok(1));
    for (address, fields) in &acts {
        let seen = surfer.submit("/console", address, fields).await;
        assert_eq!(seen.status, 403, "{address}: {}", seen.text);
    }
    for url in ["https://evil.example/", "no url"] {
        assert_eq!(surfer.submit(LIST, LIST, &[("url", url)]).await.status, 403, "{url}");
    }
    surfer.get(LIST).await.has("https://shop.example/hook").lacks(&format!("action=\"{LIST}"));
    let page = surfer.get(&path).await;
    page.has("webhook.test").lacks(&format!("method=\"post\" action=\"{LIST}"));
    assert_eq!(gateway.count("audit_entries WHERE action LIKE 'endpoint.%'"), before);
    let row: Value = person.get(&format!("/dashboard/webhooks/{id}")).await.1;
    assert_eq!((&row["data"]["active"], &row["data"]["url"]), (&json!(true), &json!("https://shop.example/hook")));
}

#[actix_web::test]
async fn an_apps_own_address_and_a_tenants_own_event_have_their_places() {
    let (gateway, mut surfer, person) = office().await;
    let receiver = Receiver::start().await;
    let product = product_of(&gateway, &person).await;
    let app_path = format!("/console/apps/{}", product.app_id);
    surfer.get(LIST).await.lacks("Apps’ own addresses");
    let own = [("webhook_url", receiver.url.as_str())];
    assert_eq!(surfer.submit(&app_path, &format!("{app_path}/webhook"), &own).await.status, 200);
    let list = surfer.get(LIST).await;
    list.has("Apps’ own addresses").has(&receiver.url).has(&format!("href=\"{app_path}\""));
    let mut stranger = Surfer::registered(&gateway, "eve@example.com").await;
    stranger.get(LIST).await.lacks(&receiver.url).lacks(&product.app_id);

    // A test event may go to either kind.
    let path = path_of_last(&gateway);
    surfer.submit(&path, &format!("{path}/test"), &[]).await;
    let event = gateway.database.texts("SELECT event_id AS text FROM events WHERE app_id IS NULL")[0].clone();
    surfer.get(&format!("/console/events/{event}")).await.has(&receiver.url);
    gateway.database.execute("DELETE FROM deliveries").unwrap();
    gateway.database.execute("DELETE FROM events").unwrap();

    gateway.clock.advance(Duration::from_secs(1));
    surfer.submit(LIST, LIST, &[("url", "https://books.example/hook")]).await;
    let path = path_of_last(&gateway);
    surfer.submit(&path, &format!("{path}/test"), &[]).await;
    let event = gateway.database.texts("SELECT event_id AS text FROM events WHERE app_id IS NULL")[0].clone();
    let event_path = format!("/console/events/{event}");
    surfer.get(&path).await.has(&format!("href=\"{event_path}\""));
    let page = surfer.get(&event_path).await;
    page.has("webhook.test").has("https://books.example/hook").has("It works.").lacks("/resend");
    assert_eq!(stranger.get(&event_path).await.status, 404);
    surfer.submit("/console", "/console/mode", &[("mode", "sandbox")]).await;
    assert_eq!(surfer.get(&event_path).await.status, 404);
    surfer.get(LIST).await.lacks(&receiver.url);
}
