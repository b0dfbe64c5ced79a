//! Payment links: made, paid by as often as they may be, closed and expired; every visitor makes a payment of his own.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;

use crate::invoice_payments::{Posted, post_form};
use crate::rails::OnRail;
use crate::simulators::proxy::Mode as Fault;
use crate::store::server_on;
use crate::support::{Product, TestGateway};

fn link_request(changes: Value) -> Value {
    let mut request =
        json!({ "currency": "IDR", "amount_minor": 75_000, "description": format!("Ticket {}", random_hex(4)) });
    for (name, value) in changes.as_object().into_iter().flatten() {
        request[name] = value.clone();
    }
    request
}

impl Product {
    /// A payment link with `changes`.
    pub async fn linked(&self, changes: Value) -> Value {
        self.post("/v1/payment_links", &link_request(changes)).await.expect_status(201).json()
    }

    /// The link as it is now.
    pub async fn link(&self, link: &Value) -> Value {
        self.get(&format!("/v1/payment_links/{}", id(link))).await.expect_status(200).json()
    }
}

/// The id of a link's object.
pub fn id(link: &Value) -> String {
    link["payment_link_id"].as_str().unwrap_or_else(|| panic!("no link: {link}")).to_owned()
}

/// What a page that is shown now has as its token.
fn nonce_of(page: &str) -> String {
    let rest = page.split("name=\"nonce\" value=\"").nth(1).unwrap_or_else(|| panic!("no token: {page}"));
    rest.split('"').next().unwrap().to_owned()
}

impl TestGateway {
    async fn link_page(&self, link: &Value) -> String {
        self.fetch(&format!("/pay/{}?lang=en", id(link))).await.expect_status(200).text
    }

    /// A visitor who opens the page and begins to pay by QRIS.
    async fn visit(&self, link: &Value) -> Posted {
        self.clock.advance(Duration::from_millis(1));
        let page = self.link_page(link).await;
        let nonce = if page.contains("name=\"nonce\"") { nonce_of(&page) } else { random_hex(16) };
        self.click(link, &nonce, &[]).await
    }

    async fn click(&self, link: &Value, nonce: &str, more: &[(&str, &str)]) -> Posted {
        let mut form = vec![("method", "qris"), ("email", "me@shop.example"), ("nonce", nonce)];
        form.extend(more);
        self.post_form(&format!("/pay/{}?lang=en", id(link)), &form).await
    }
}

#[actix_web::test]
async fn a_link_is_answered_whole_and_every_visit_that_pays_is_a_payment_of_its_own() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let request = link_request(json!({ "description": "A ticket", "metadata": { "show": "7" }, "methods": ["qris"] }));
    let link = product.post_with_key("/v1/payment_links", &request, "k").await.expect_status(201).json();
    let expected = json!({
        "payment_link_id": link["payment_link_id"], "status": "active", "mode": "test", "currency": "IDR",
        "amount_minor": 75_000, "min_minor": null, "max_minor": null, "description": "A ticket", "methods": ["qris"],
        "uses_max": null, "uses": 0, "expires_at": null, "return_url": null, "metadata": { "show": "7" },
        "hosted_url": gateway.url(&format!("/pay/{}", id(&link))), "created_at": link["created_at"],
        "updated_at": link["created_at"],
    });
    assert_eq!(link, expected);
    let page = gateway.link_page(&link).await;
    for told in ["A ticket", "Rp 75,000", "QRIS", "Test shop", "No real money moves"] {
        assert!(page.contains(told), "{told}: {page}");
    }
    let (one, other) = (gateway.visit(&link).await.payment_id(), gateway.visit(&link).await.payment_id());
    assert_ne!(one, other);
    for payment_id in [&one, &other] {
        let (_, back) = gateway.act_at_checkout(payment_id, "succeed").await;
        assert!(back.starts_with(link["hosted_url"].as_str().unwrap()), "{back}");
        let thanks = gateway.fetch(back.strip_prefix(&gateway.url("")).unwrap()).await.text;
        assert!(thanks.contains("Pembayaran diterima") && !thanks.contains("<form"), "{thanks}");
    }
    let (first, second) = (product.payment(&one).await, product.payment(&other).await);
    assert_eq!((&first["payment_link_id"], &first["metadata"]), (&link["payment_link_id"], &link["metadata"]));
    assert!(first["external_user_id"].as_str().unwrap().starts_with("link-"));
    assert_ne!(first["external_user_id"], second["external_user_id"]);
    assert_eq!(product.link(&link).await["uses"], 2);
}

#[actix_web::test]
async fn a_second_click_is_the_same_payment_also_on_the_last_use() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let link = product.linked(json!({ "uses_max": 1 })).await;
    let nonce = nonce_of(&gateway.link_page(&link).await);
    let clicks = join_all((0..20).map(|_| gateway.click(&link, &nonce, &[]))).await;
    let ids: BTreeSet<String> = clicks.iter().map(Posted::payment_id).collect();
    assert_eq!((ids.len(), gateway.count("payments")), (1, 1));
    let page = gateway.link_page(&link).await;
    assert!(page.contains("Somebody is paying just now") && !page.contains("<form"), "{page}");
    assert_eq!(product.link(&link).await["status"], "active");
    gateway.act_at_checkout(ids.first().unwrap(), "succeed").await;
    let used = product.link(&link).await;
    assert_eq!((&used["status"], &used["uses"]), (&json!("used_up"), &json!(1)));
    assert!(gateway.link_page(&link).await.contains("All used up"));
    assert_eq!(gateway.visit(&link).await.status, 422);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_buyers_at_once_as_many_begin_as_there_are_uses() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for uses_max in [1, 3] {
        let link = product.linked(json!({ "uses_max": uses_max })).await;
        let posted = join_all((0..24).map(|_| async { gateway.click(&link, &random_hex(16), &[]).await })).await;
        let (begun, others): (Vec<_>, Vec<_>) = posted.into_iter().partition(|posted| posted.status == 303);
        assert_eq!(begun.len(), uses_max);
        for other in others {
            assert_eq!(other.status, 422);
            assert!(other.text.contains("Somebody is paying just now"), "{}", other.text);
        }
        // What one of them does not pay another may.
        gateway.act_at_checkout(&begun[0].payment_id(), "cancel").await;
        let next = gateway.visit(&link).await.payment_id();
        assert_eq!(gateway.visit(&link).await.status, 422);
        for payment_id in begun.iter().skip(1).map(Posted::payment_id).chain([next]) {
            gateway.act_at_checkout(&payment_id, "succeed").await;
        }
        let link = product.link(&link).await;
        assert_eq!((&link["status"], &link["uses"]), (&json!("used_up"), &json!(uses_max)));
    }
    assert_eq!(gateway.database.number("SELECT SUM(reserved) FROM payment_links"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_give_away_no_use_twice() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let second = server_on(&gateway.database, true).await;
    let servers = [gateway.url(""), second.url()];
    for uses_max in [1, 2, 3, 4, 5, 6] {
        let link = product.linked(json!({ "uses_max": uses_max })).await;
        // Each visitor clicks at both servers.
        let visitors: Vec<String> = (0..12).map(|_| random_hex(16)).collect();
        let clicks = visitors.iter().flat_map(|nonce| servers.iter().map(move |server| (nonce, server)));
        let posted =
            join_all(
                clicks.map(|(nonce, server)| {
                    let url = format!("{server}/pay/{}?lang=en", id(&link));
                    async move {
                        post_form(url, &[("method", "qris"), ("email", "me@shop.example"), ("nonce", nonce)]).await
                    }
                }),
            )
            .await;
        let begun: BTreeSet<String> =
            posted.iter().filter(|posted| posted.status == 303).map(Posted::payment_id).collect();
        assert_eq!(begun.len(), uses_max);
        assert!(posted.iter().all(|posted| matches!(posted.status, 303 | 422)));
        for payment_id in &begun {
            gateway.act_at_checkout(payment_id, "succeed").await;
        }
        let link = product.link(&link).await;
        assert_eq!((&link["status"], &link["uses"]), (&json!("used_up"), &json!(uses_max)));
    }
    assert_eq!(gateway.database.number("SELECT SUM(reserved) FROM payment_links"), 0);
}

#[actix_web::test]
async fn a_use_that_nobody_paid_is_free_again_when_its_payment_expires() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let link = product.linked(json!({ "uses_max": 1 })).await;
    gateway.visit(&link).await.payment_id();
    assert_eq!(gateway.visit(&link).await.status, 422);
    gateway.advance(Duration::from_secs(24 * 3600 + 300)).await;
    let payment_id = gateway.visit(&link).await.payment_id();
    gateway.act_at_checkout(&payment_id, "succeed").await;
    assert_eq!(product.link(&link).await["status"], "used_up");
}

#[actix_web::test]
async fn a_buyer_chooses_what_to_pay_within_bounds() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let link = product.linked(json!({ "amount_minor": null, "min_minor": 10_000, "max_minor": 500_000 })).await;
    let page = gateway.link_page(&link).await;
    assert!(page.contains("Between Rp 10,000 and Rp 500,000"), "{page}");
    for (amount, paid) in [
        ("", None),
        ("9.999", None),
        ("500001", None),
        ("x", None),
        ("25.000", Some(25_000)),
        ("500,000", Some(500_000)),
    ] {
        let posted = gateway.click(&link, &random_hex(16), &[("amount", amount)]).await;
        match paid {
            None => {
                assert_eq!(posted.status, 400, "{amount}");
                assert!(posted.text.contains("Enter an amount"), "{amount}: {}", posted.text);
            }
            Some(paid) => assert_eq!(product.payment(&posted.payment_id()).await["amount_minor"], paid),
        }
    }
    // One page, two amounts: two payments were meant.
    let nonce = random_hex(16);
    let one = gateway.click(&link, &nonce, &[("amount", "20000")]).await.payment_id();
    let other = gateway.click(&link, &nonce, &[("amount", "30000")]).await.payment_id();
    assert_ne!(one, other);
    for bad in [json!({ "min_minor": 1, "max_minor": 2 }), json!({ "amount_minor": null }), json!({ "uses_max": 0 })] {
        product.post("/v1/payment_links", &link_request(bad)).await.expect_error(400, "ValidationError");
    }
    let unpayable = json!({ "currency": "KWD" });
    product.post("/v1/payment_links", &link_request(unpayable)).await.expect_error(422, "NoRoute");
}

#[actix_web::test]
async fn a_link_that_has_expired_or_was_closed_takes_no_new_payments_and_begun_ones_go_on() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let expires_at = gateway.clock.now().plus(Duration::from_secs(60)).to_rfc3339();
    let expiring = product.linked(json!({ "expires_at": expires_at })).await;
    let closing = product.linked(json!({})).await;
    let (one, other) = (gateway.visit(&expiring).await.payment_id(), gateway.visit(&closing).await.payment_id());
    gateway.clock.advance(Duration::from_secs(61));
    assert_eq!(product.link(&expiring).await["status"], "expired", "before that was noted");
    gateway.step().await;
    let path = format!("/v1/payment_links/{}/close", id(&closing));
    for _ in 0..2 {
        gateway.clock.advance(Duration::from_secs(1));
        assert_eq!(product.post(&path, &json!({})).await.expect_status(200).json()["status"], "closed");
    }
    for (link, told) in [(&expiring, "has expired"), (&closing, "was closed")] {
        let page = gateway.link_page(link).await;
        assert!(page.contains(told) && !page.contains("<form"), "{page}");
        assert_eq!(gateway.visit(link).await.status, 422);
    }
    for payment_id in [one, other] {
        gateway.act_at_checkout(&payment_id, "succeed").await;
        assert_eq!(product.payment(&payment_id).await["status"], "succeeded");
    }
    let listed = async |query: &str| -> Vec<String> {
        product.listed(&format!("/v1/payment_links{query}")).await.iter().map(id).collect()
    };
    assert_eq!(listed("?status=expired").await, [id(&expiring)]);
    assert_eq!(listed("?status=closed").await, [id(&closing)]);
    assert_eq!(listed("").await.len(), 2);
    product.get("/v1/payment_links?status=open").await.expect_error(400, "ValidationError");
}

#[actix_web::test]
async fn another_app_s_and_another_mode_s_link_is_not_there() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let link = product.linked(json!({})).await;
    for stranger in [gateway.product(Mode::Test).await, gateway.product(Mode::Sandbox).await] {
        let path = format!("/v1/payment_links/{}", id(&link));
        stranger.get(&path).await.expect_error(404, "PaymentLinkNotFound");
        stranger.post(&format!("{path}/close"), &json!({})).await.expect_error(404, "PaymentLinkNotFound");
        assert!(stranger.listed("/v1/payment_links").await.is_empty());
    }
    assert_eq!(product.link(&link).await, link);
    let no_token =
        gateway.post_form(&format!("/pay/{}", id(&link)), &[("method", "qris"), ("email", "a@b.example")]).await;
    assert_eq!(no_token.status, 400);
}

#[tokio::test]
async fn a_visitor_whose_payment_did_not_get_through_goes_on_with_it_on_the_last_use() {
    let rail = OnRail::start("nicepay").await;
    let link = rail.product.linked(json!({ "uses_max": 1 })).await;
    let nonce = nonce_of(&rail.gateway.link_page(&link).await);
    rail.proxy.set(Fault::Refuse).await;
    let away = rail.gateway.click(&link, &nonce, &[]).await;
    assert_eq!(away.status, 503);
    assert_eq!(nonce_of(&away.text), nonce);
    rail.proxy.set(Fault::Pass).await;
    rail.gateway.clock.advance(Duration::from_secs(6));
    let payment_id = rail.gateway.click(&link, &nonce, &[]).await.payment_id();
    assert_eq!(rail.gateway.count("payments"), 1);
    rail.simulator.pay(&payment_id).await;
    rail.gateway.step().await;
    assert_eq!(rail.product.link(&link).await["status"], "used_up");
}
