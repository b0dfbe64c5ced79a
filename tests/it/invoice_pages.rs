//! The console's pages of invoices and payment links, and the pages of their buyers in a real browser.

use std::time::Duration;

use serde_json::json;
use switchyard::domain::mode::Mode;

use crate::across::{give_app, scope_of};
use crate::browser::{Browser, ENTER, TAB};
use crate::invoices::id;
use crate::person::Person;
use crate::support::{Product, TestGateway, eventually};
use crate::surfer::Surfer;

/// Somebody who is signed in, and a product of his.
async fn shop() -> (TestGateway, Surfer, Product) {
    let gateway = TestGateway::spawn().await;
    let surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let person = Person::signed_in(&gateway, "ann@example.com").await;
    let product = gateway.product(Mode::Test).await;
    give_app(&gateway, &product, &scope_of(&gateway, &person).await.tenant_id).await;
    (gateway, surfer, product)
}

#[actix_web::test]
async fn an_invoice_is_made_found_and_voided_by_forms_and_all_is_in_the_audit_log() {
    let (gateway, mut surfer, product) = shop().await;
    surfer.get("/console/invoices").await.has("No invoices yet").has("/console/invoices/new");
    let blank = surfer.get("/console/invoices/new").await;
    let nonce = blank.hidden("nonce");
    let mut fields = vec![
        ("nonce", nonce.as_str()),
        ("app", product.app_id.as_str()),
        ("currency", "IDR"),
        ("external_user_id", "buyer <1>"),
        ("due", "2030-01-31"),
        ("description_1", "Workshop"),
        ("quantity_1", "2"),
        ("unit_1", "75,000"),
        ("description_3", "Lunch"),
        ("unit_3", "x"),
        ("methods", "qris"),
        ("methods", "va_bni"),
    ];
    let again = surfer.submit("/console/invoices/new", "/console/invoices", &fields).await;
    assert_eq!(again.status, 400);
    again.has("line 3 has no price in IDR").has("value=\"Workshop\"").has("value=\"75,000\"");
    let again = surfer.submit("/console/invoices/new", "/console/invoices", &fields).await;
    assert_eq!(again.text.matches(" checked").count(), 2, "what was ticked stays so");
    fields.retain(|(name, _)| !name.ends_with("_3"));
    let made = surfer.submit("/console/invoices/new", "/console/invoices", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    // The second click on the same form is the same invoice.
    let twice = surfer.submit("/console/invoices/new", "/console/invoices", &fields).await;
    assert_eq!((twice.location.as_str(), gateway.count("invoices")), (made.location.as_str(), 1));
    let page = surfer.get(&made.location).await;
    page.has("The invoice is made")
        .has("INV-000001")
        .has("Rp 150,000")
        .has("buyer &#60;1&#62;")
        .has("Workshop")
        .has("/pay/inv_");
    let invoice = product.listed("/v1/invoices").await.remove(0);
    assert_eq!(invoice["due_at"], "2030-01-31T23:59:59.000Z");
    assert_eq!(invoice["methods"], json!(["qris", "va_bni"]));
    surfer.get("/console/invoices").await.has("INV-000001").has("open");
    surfer.get("/console/invoices?q=INV-000001").await.has("INV-000001");
    surfer.get("/console/invoices?status=paid").await.lacks("INV-000001");
    let path = made.location.split('?').next().unwrap().to_owned();
    let voided = surfer.submit(&path, &format!("{path}/void"), &[("nonce", "n-1")]).await;
    voided.leads_to(&format!("{path}?done=void"));
    surfer.get(&path).await.has("void").lacks("Void the invoice");
    let audit = gateway.database.texts("SELECT action AS text FROM audit_entries ORDER BY entry_id");
    for action in ["invoice.created", "invoice.voided"] {
        assert_eq!(audit.iter().filter(|found| *found == action).count(), 1, "{action}: {audit:?}");
    }
}

#[actix_web::test]
async fn a_draft_is_opened_and_a_link_is_made_and_closed_by_forms() {
    let (gateway, mut surfer, product) = shop().await;
    let draft = product.invoiced(json!({ "draft": true })).await;
    let path = format!("/console/invoices/{}", id(&draft));
    surfer
        .submit(&path, &format!("{path}/finalize"), &[("nonce", "n-1")])
        .await
        .leads_to(&format!("{path}?done=finalize"));
    assert_eq!(product.invoice(&draft).await["status"], "open");

    surfer.get("/console/payment-links").await.has("No payment links yet");
    let nonce = surfer.get("/console/payment-links/new").await.hidden("nonce");
    let mut fields = vec![
        ("nonce", nonce.as_str()),
        ("app", product.app_id.as_str()),
        ("currency", "IDR"),
        ("description", "A seat"),
        ("least", "10,000"),
        ("most", "90,000"),
        ("uses_max", "5"),
        ("methods", "paypal"),
    ];
    let refused = surfer.submit("/console/payment-links/new", "/console/payment-links", &fields).await;
    assert_eq!(refused.status, 422);
    refused.has("paypal");
    fields.pop();
    let made = surfer.submit("/console/payment-links/new", "/console/payment-links", &fields).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let page = surfer.get(&made.location).await;
    page.has("A seat").has("Rp 10,000 to Rp 90,000").has("0 of 5").has("/pay/plink_");
    let path = made.location.split('?').next().unwrap().to_owned();
    surfer.submit(&path, &format!("{path}/close"), &[("nonce", "n-2")]).await.leads_to(&format!("{path}?done=close"));
    surfer.get("/console/payment-links?status=closed").await.has("A seat");
    let link = product.listed("/v1/payment_links").await.remove(0);
    assert_eq!(link["status"], "closed");
    // A payment says what it was begun for.
    let invoice = product.invoice(&draft).await;
    let payment_id = gateway.begin_now(&invoice, "qris").await;
    surfer.get(&format!("/console/payments/{payment_id}")).await.has(&format!("/console/invoices/{}", id(&draft)));
    surfer.get(&format!("/console/invoices/{}", id(&draft))).await.has(&format!("/console/payments/{payment_id}"));
}

#[actix_web::test]
async fn another_tenant_sees_none_of_it_and_who_only_looks_changes_nothing() {
    let (gateway, _, product) = shop().await;
    let invoice = product.invoiced(json!({})).await;
    let link = product.linked(json!({})).await;
    let paths = [
        format!("/console/invoices/{}", id(&invoice)),
        format!("/console/payment-links/{}", crate::payment_links::id(&link)),
    ];
    let mut bob = Surfer::registered(&gateway, "bob@example.com").await;
    for (path, what) in paths.iter().zip(["void", "close"]) {
        assert_eq!(bob.get(path).await.status, 404);
        let posted = bob.submit("/console/invoices/new", &format!("{path}/{what}"), &[("nonce", "n-1")]).await;
        assert_eq!(posted.status, 404);
    }
    bob.get("/console/invoices?q=INV-000001").await.lacks(">INV-000001<");
    let fields = [
        ("nonce", "n-3"),
        ("app", product.app_id.as_str()),
        ("currency", "IDR"),
        ("external_user_id", "u"),
        ("description_1", "x"),
        ("unit_1", "50000"),
    ];
    let posted = bob.submit("/console/invoices/new", "/console/invoices", &fields).await;
    assert_eq!(posted.status, 400);
    posted.has("none of yours");
    assert_eq!(gateway.database.execute("UPDATE members SET role = 'viewer'"), Ok(2));
    let mut viewer = Surfer::signed_in(&gateway, "ann@example.com").await;
    for (path, what) in paths.iter().zip(["void", "close"]) {
        assert_eq!(viewer.get(path).await.status, 200);
        let posted = viewer.submit(path, &format!("{path}/{what}"), &[("nonce", "n-2")]).await;
        assert_eq!(posted.status, 403);
    }
    assert_eq!(viewer.get("/console/invoices/new").await.status, 403);
    assert_eq!(product.invoice(&invoice).await["status"], "open");
}

#[tokio::test]
async fn an_invoice_is_paid_on_a_phone() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let invoice = product.invoiced(json!({ "email": null })).await;
    let browser = Browser::on_a_phone(true).await;
    browser.open(invoice["hosted_url"].as_str().unwrap()).await;
    assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);
    browser.click("input[value=qris]").await;
    browser.fill("#email", "me@shop.example").await;
    browser.click("form button.primary").await;
    eventually("the mock's page", || async { browser.url().await.contains("/mock/checkout/pay_") }).await;
    browser.click("button[value=succeed]").await;
    eventually("the invoice's page", || async { browser.url().await.contains("/pay/inv_") }).await;
    assert_eq!(product.invoice(&invoice).await["status"], "paid");
    let said = browser.text(".standing").await;
    assert!(said.contains("Lunas") || said.contains("Paid"), "{said}");
    assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
}

#[tokio::test]
async fn a_link_is_paid_by_keyboard_without_javascript() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let link = product.linked(json!({ "methods": ["va_bca", "qris"] })).await;
    let browser = Browser::on_a_phone(false).await;
    browser.open(link["hosted_url"].as_str().unwrap()).await;
    // The first of the methods, the address, and enter sends the form.
    let mut keys = vec![TAB, ' ', TAB];
    keys.extend("me@shop.example".chars());
    keys.push(ENTER);
    browser.press(&keys).await;
    eventually("the mock's page", || async { browser.url().await.contains("/mock/checkout/pay_") }).await;
    browser.press(&[TAB, ENTER]).await;
    eventually("the link's page", || async { browser.url().await.contains("/pay/plink_") }).await;
    assert_eq!(product.link(&link).await["uses"], 1);
}

#[tokio::test]
async fn an_account_on_the_page_turns_to_paid_by_itself() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let invoice = product.invoiced(json!({})).await;
    let payment_id = gateway.begin_now(&invoice, "va_bca").await;
    let expires_at = gateway.clock.now().plus(Duration::from_secs(3600)).to_rfc3339();
    let instructions =
        json!({ "kind": "virtual_account", "bank": "bca", "number": "900000011030014101", "expires_at": expires_at });
    let sql = format!(
        "UPDATE payments SET provider = 'nicepay', instructions = '{instructions}' WHERE payment_id = '{payment_id}'"
    );
    assert_eq!(gateway.database.execute(&sql), Ok(1));
    let browser = Browser::on_a_phone(true).await;
    browser.open(&format!("{}?lang=en", invoice["hosted_url"].as_str().unwrap())).await;
    assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);
    assert!(browser.text(".account").await.replace(char::is_whitespace, "").contains("900000011030014101"));
    eventually("the clock", || async { browser.text(".left").await.starts_with("00:5") }).await;
    let sql =
        format!("UPDATE payments SET status = 'succeeded', paid_minor = 150000 WHERE payment_id = '{payment_id}'");
    assert_eq!(gateway.database.execute(&sql), Ok(1));
    eventually("it is told", || async { browser.text(".state-succeeded").await.contains("Payment received") }).await;
    assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
}
