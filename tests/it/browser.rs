//! The pages in a real browser: paid by keyboard, without JavaScript, on a phone, with nothing that their own
//! security policy would stop. What the pages say is tested over plain HTTP beside the rest of each subject.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;

use crate::support::{Receiver, Reply, TestGateway, eventually, id_of};

/// A headless Chromium, spoken to by the WebDriver protocol. Dropping it ends it.
pub struct Browser {
    driver: Child,
    directory: PathBuf,
    client: reqwest::Client,
    session: String,
}

impl Browser {
    /// A browser on a phone of 390 by 844 pixels.
    pub async fn on_a_phone(with_javascript: bool) -> Self {
        Self::of_size(390, 844, with_javascript).await
    }

    /// A browser with a window of so many pixels.
    pub async fn of_size(width: u32, height: u32, with_javascript: bool) -> Self {
        let directory = std::env::temp_dir().join(format!("browser-{}", random_hex(8)));
        std::fs::create_dir_all(&directory).unwrap();
        // The port that it chooses for itself may be taken by another test before it listens: then it ends.
        let (driver, port) = (0..5).find_map(|_| start_driver(&directory)).expect("a driver starts");
        let base = format!("http://127.0.0.1:{}/session", port.trim_end_matches('.'));
        let client = reqwest::Client::new();
        let javascript = if with_javascript { 1 } else { 2 };
        let options = json!({
            "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
            "mobileEmulation": { "deviceMetrics": { "width": width, "height": height, "pixelRatio": 1.0 } },
            "prefs": { "profile.managed_default_content_settings.javascript": javascript },
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } } } });
        let opened: Value = client.post(&base).json(&capabilities).send().await.unwrap().json().await.unwrap();
        let id = opened["value"]["sessionId"].as_str().unwrap_or_else(|| panic!("no browser: {opened}"));
        Self { driver, directory, client, session: format!("{base}/{id}") }
    }

    /// Sends a command of the WebDriver protocol.
    pub async fn ask(&self, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let answer: Value = self.client.post(url).json(&body).send().await.unwrap().json().await.unwrap();
        assert!(answer["value"]["error"].is_null(), "{path}: {answer}");
        answer["value"].clone()
    }

    pub async fn open(&self, url: &str) {
        self.ask("/url", json!({ "url": url })).await;
    }

    pub async fn url(&self) -> String {
        let answer = self.client.get(format!("{}/url", self.session)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["value"].as_str().unwrap().to_owned()
    }

    /// The element that a selector finds first.
    async fn element(&self, selector: &str) -> String {
        let found = self.ask("/element", json!({ "using": "css selector", "value": selector })).await;
        found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned()
    }

    /// Clicks what a selector finds first, and says yes to a question.
    pub async fn click(&self, selector: &str) {
        let id = self.element(selector).await;
        self.ask(&format!("/element/{id}/click"), json!({})).await;
        let url = format!("{}/alert/accept", self.session);
        self.client.post(url).json(&json!({})).send().await.unwrap();
    }

    /// Types into what a selector finds first.
    pub async fn fill(&self, selector: &str, text: &str) {
        let id = self.element(selector).await;
        self.ask(&format!("/element/{id}/clear"), json!({})).await;
        self.ask(&format!("/element/{id}/value"), json!({ "text": text })).await;
    }

    /// Chooses a file in the field that a selector finds first.
    pub async fn choose_file(&self, selector: &str, path: &str) {
        let id = self.element(selector).await;
        self.ask(&format!("/element/{id}/value"), json!({ "text": path })).await;
    }

    /// What is read in what a selector finds first.
    pub async fn text(&self, selector: &str) -> String {
        let found = self.evaluate(&format!("return document.querySelector({selector:?})?.innerText ?? ''")).await;
        found.as_str().unwrap().to_owned()
    }

    /// Presses and lets go of keys, one after the other.
    pub async fn press(&self, keys: &[char]) {
        let actions: Vec<Value> = keys
            .iter()
            .flat_map(|key| [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })])
            .collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.ask("/actions", json!({ "actions": [keyboard] })).await;
    }

    /// What a script in the page returns.
    pub async fn evaluate(&self, script: &str) -> Value {
        self.ask("/execute/sync", json!({ "script": script, "args": [] })).await
    }

    /// A cookie that the browser has for the page, with what it was set with.
    pub async fn cookie(&self, name: &str) -> Value {
        let answer = self.client.get(format!("{}/cookie/{name}", self.session)).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["value"].clone()
    }

    /// What the browser's console says, faults against the security policy among it.
    pub async fn console(&self) -> Vec<String> {
        let entries = self.ask("/se/log", json!({ "type": "browser" })).await;
        entries.as_array().unwrap().iter().map(|entry| entry["message"].to_string()).collect()
    }
}

/// A driver, and the port on which it listens; `None` if it ended instead.
fn start_driver(directory: &Path) -> Option<(Child, String)> {
    let mut driver = Command::new("chromedriver")
        .arg("--port=0")
        .env("TMPDIR", directory)
        .process_group(0)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines
        .map_while(Result::ok)
        .find_map(|line| line.split_once("started successfully on port ").map(|(_, port)| port.to_owned()));
    if port.is_none() {
        driver.wait().unwrap();
    }
    Some((driver, port?))
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver leaves its browser behind when it goes, so the whole group is ended.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.driver.id())]).status();
        let _ = self.driver.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

pub const TAB: char = '\u{e004}';
pub const ENTER: char = '\u{e007}';

#[tokio::test]
async fn a_buyer_pays_by_keyboard_without_javascript() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let shop = Receiver::start().await;
    shop.answer_always(Reply::status(200));
    let payment = product.created(json!({ "return_url": shop.url })).await;
    let browser = Browser::on_a_phone(false).await;
    browser.open(payment["checkout_url"].as_str().unwrap()).await;
    browser.press(&[TAB, ENTER]).await;
    let payment_id = id_of(&payment);
    let expected = format!("{}?payment_id={payment_id}&status=succeeded", shop.url);
    eventually("the buyer is back at the shop", || async { browser.url().await == expected }).await;
    assert_eq!(product.payment(&payment_id).await["status"], "succeeded");
}

#[tokio::test]
async fn every_page_fits_a_phone_and_keeps_its_own_security_policy() {
    let gateway = TestGateway::spawn().await;
    let browser = Browser::on_a_phone(true).await;
    let mut pages = vec![gateway.url("/info"), gateway.url("/docs"), gateway.url("/docs/errors")];
    for (mode, method, currency) in
        [(Mode::Test, "va_bca", "IDR"), (Mode::Sandbox, "qris", "IDR"), (Mode::Live, "paypal", "USD")]
    {
        let product = gateway.product(mode).await;
        let payment = product.created(json!({ "method": method, "currency": currency })).await;
        pages.push(payment["checkout_url"].as_str().unwrap().to_owned());
    }
    for page in pages {
        browser.open(&page).await;
        let width = browser.evaluate("return document.documentElement.scrollWidth").await;
        assert_eq!(width, 390, "{page}");
        let styled = browser.evaluate("return getComputedStyle(document.body).marginTop").await;
        assert_eq!(styled, "0px", "the style sheet of {page} is in force");
        assert!(browser.console().await.is_empty(), "{page}: {:?}", browser.console().await);
    }
}
