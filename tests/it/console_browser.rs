//! The console in a real browser, on a phone: from registering to signing out, under its own security policy.

use std::time::Duration;

use serde_json::Value;

use crate::browser::Browser;
use crate::person::PASSWORD;
use crate::support::{Receiver, Reply, TestGateway, eventually};

const SESSION: &str = "__Host-switchyard";

/// A person at a browser.
struct Visit<'a> {
    gateway: &'a TestGateway,
    browser: Browser,
}

impl<'a> Visit<'a> {
    async fn begin(gateway: &'a TestGateway, with_javascript: bool) -> Self {
        Self { gateway, browser: Browser::on_a_phone(with_javascript).await }
    }

    async fn open(&self, path: &str) {
        self.browser.open(&self.gateway.url(path)).await;
    }

    /// Fills a field in, as typing does.
    async fn fill(&self, field: &str, value: &str) {
        let script = format!("document.getElementsByName('{field}')[0].value = {}", Value::from(value));
        self.browser.evaluate(&script).await;
    }

    /// Presses what a selector finds.
    async fn press(&self, selector: &str) {
        self.browser.evaluate(&format!("document.querySelector(`{selector}`).click()")).await;
    }

    /// Waits until the browser is at a path of the gateway.
    async fn arrives_at(&self, path: &str) {
        let expected = self.gateway.url(path);
        for _ in 0..500 {
            if self.browser.url().await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("not at {expected} but at {}", self.browser.url().await);
    }

    /// What the page says, once it says `text`.
    async fn reads(&self, text: &str) {
        let script = "return document.readyState === 'complete' ? document.body.innerText : ''";
        eventually(text, || async { self.browser.evaluate(script).await.as_str().unwrap().contains(text) }).await;
    }

    /// Whether it fits, is styled, has a name for every control, and broke no rule of its policy.
    async fn is_in_order(&self, page: &str) {
        self.reads("").await;
        assert_eq!(self.browser.evaluate("return document.documentElement.scrollWidth").await, 390, "{page}");
        assert_eq!(self.browser.evaluate("return getComputedStyle(document.body).marginTop").await, "0px", "{page}");
        let nameless = "return [...document.querySelectorAll('input:not([type=hidden]):not([hidden]), select, textarea, button, a, summary')]
            .filter((control) => !(control.labels && control.labels.length) && !control.getAttribute('aria-label')
                && !control.textContent.trim()).map((control) => control.outerHTML)";
        assert_eq!(self.browser.evaluate(nameless).await, serde_json::json!([]), "{page}");
        assert_eq!(self.browser.evaluate("return document.querySelectorAll('h1').length").await, 1, "{page}");
        let said = self.browser.console().await;
        assert!(said.is_empty(), "{page}: {said:?}");
    }
}

#[tokio::test]
async fn a_newcomer_comes_in_moves_within_sandbox_sees_the_lock_and_goes() {
    let gateway = TestGateway::spawn().await;
    let visit = Visit::begin(&gateway, true).await;
    visit.open("/").await;
    visit.is_in_order("/").await;
    visit.press("a[href='/register']").await;
    visit.arrives_at("/register").await;
    visit.is_in_order("/register").await;
    for (field, value) in [
        ("firstName", "Ann"),
        ("lastName", "<script>alert(1)</script>"),
        ("companyName", "\"><img src=x onerror=alert(2)>"),
        ("email", "ann@example.com"),
        ("password", PASSWORD),
    ] {
        visit.fill(field, value).await;
    }
    visit.press("main form button").await;
    visit.reads("Look into your mail").await;
    visit.press("a[href='/outbox']").await;
    visit.arrives_at("/outbox").await;
    visit.is_in_order("/outbox").await;
    visit.press("pre a").await;
    visit.reads("Your address is confirmed").await;
    visit.press("main a.button").await;
    visit.arrives_at("/login").await;
    visit.is_in_order("/login").await;
    visit.fill("email", "ann@example.com").await;
    visit.fill("password", PASSWORD).await;
    visit.press("main form button").await;
    visit.arrives_at("/console").await;
    visit.reads("No real money moves").await;
    for page in ["/console", "/console/settings", "/console/members"] {
        visit.open(page).await;
        visit.is_in_order(page).await;
    }
    // No script of the page sees the cookie.
    assert_eq!(visit.browser.evaluate("return document.cookie").await, "");

    let mode = "return document.body.className";
    assert_eq!(visit.browser.evaluate(mode).await, "console mode-test");
    visit.press("button[name='mode'][value='sandbox']").await;
    visit.reads("Payments go to the providers' sandboxes").await;
    visit.arrives_at("/console/members").await;
    assert_eq!(visit.browser.evaluate(mode).await, "console mode-sandbox");
    let pressed = "return document.querySelector('[aria-pressed=\"true\"]').textContent";
    assert_eq!(visit.browser.evaluate(pressed).await, "sandbox");

    visit.press("details.locked summary").await;
    visit.reads("Production is locked.").await;
    visit.reads("choose a paid plan first").await;
    assert_eq!(visit.browser.evaluate("return document.querySelectorAll('button[value=\"live\"]').length").await, 0);
    // Escape closes it and gives the focus back.
    visit.browser.press(&['\u{e00c}']).await;
    let is_open = "return document.querySelector('details.locked').open";
    assert_eq!(visit.browser.evaluate(is_open).await, false);

    // Times are shown in the browser's own zone, and the script has changed them.
    visit.open("/console/settings").await;
    assert_eq!(visit.browser.evaluate("return document.querySelectorAll('time').length > 0").await, true);
    assert_eq!(visit.browser.evaluate("return document.querySelectorAll('time[data-local]').length").await, 0);

    // A copy of the cookie, on another device.
    let cookie = visit.browser.cookie(SESSION).await;
    assert_eq!(
        (&cookie["httpOnly"], &cookie["secure"], &cookie["sameSite"]),
        (&true.into(), &true.into(), &"Lax".into())
    );
    let header = format!("{SESSION}={}", cookie["value"].as_str().unwrap());
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let elsewhere = || async {
        client.get(gateway.url("/console")).header("cookie", &header).send().await.unwrap().status().as_u16()
    };
    assert_eq!(elsewhere().await, 200);
    visit.press("details.account summary").await;
    visit.press("form[action='/logout'] button").await;
    visit.arrives_at("/login").await;
    assert_eq!(elsewhere().await, 303);
    let token = cookie["value"].as_str().unwrap();
    let api = client.get(gateway.url("/dashboard/auth/me")).bearer_auth(token).send().await.unwrap();
    assert_eq!(api.status(), 401);
    visit.open("/console").await;
    visit.arrives_at("/login").await;
    visit.is_in_order("/login").await;
}

#[tokio::test]
async fn the_console_works_without_javascript_and_by_keyboard() {
    let gateway = TestGateway::spawn().await;
    crate::person::Person::registered(&gateway, "ann@example.com").await;
    let visit = Visit::begin(&gateway, false).await;
    visit.open("/login").await;
    // Past the brand and two links to the address; to the password; off.
    let tabs = ['\u{e004}'; 4];
    visit.browser.press(&tabs).await;
    visit.browser.press(&"ann@example.com".chars().collect::<Vec<char>>()).await;
    visit.browser.press(&['\u{e004}']).await;
    visit.browser.press(&PASSWORD.chars().collect::<Vec<char>>()).await;
    visit.browser.press(&['\u{e007}']).await;
    visit.arrives_at("/console").await;
    // To skip, brand, test, sandbox.
    visit.browser.press(&tabs).await;
    visit.browser.press(&['\u{e007}']).await;
    eventually("the mode is sandbox", || async {
        gateway.database.number("SELECT COUNT(*) FROM sessions WHERE mode = 'sandbox'") == 1
    })
    .await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(visit.browser.url().await, gateway.url("/console"));
}

#[tokio::test]
async fn no_other_site_frames_the_console_or_posts_its_forms() {
    let gateway = TestGateway::spawn().await;
    let other = Receiver::start().await;
    other.answer_always(Reply::status(200));
    let visit = Visit::begin(&gateway, true).await;
    crate::person::Person::registered(&gateway, "ann@example.com").await;
    visit.open("/login").await;
    visit.fill("email", "ann@example.com").await;
    visit.fill("password", PASSWORD).await;
    visit.press("main form button").await;
    visit.arrives_at("/console").await;
    // Another site: the same machine under another name.
    let elsewhere = other.url.replace("127.0.0.1", "localhost");
    visit.browser.open(&elsewhere).await;
    let frame = format!(
        "const frame = document.createElement('iframe'); frame.src = '{}'; document.documentElement.append(frame)",
        gateway.url("/console")
    );
    visit.browser.evaluate(&frame).await;
    eventually("the frame is refused", || async {
        visit.browser.console().await.iter().any(|line| line.contains("frame-ancestors"))
    })
    .await;
    let post = format!(
        "const form = document.createElement('form'); form.method = 'post'; form.action = '{}';
         form.innerHTML = '<input name=mode value=sandbox>'; document.documentElement.append(form); form.submit()",
        gateway.url("/console/mode")
    );
    visit.browser.evaluate(&post).await;
    // The cookie does not come along, so that the form is of nobody: he is sent to sign in, and is found to be.
    visit.arrives_at("/console").await;
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM sessions WHERE mode = 'sandbox'"), 0);
}
