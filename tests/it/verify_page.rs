//! The page that verifies proofs: in the browser by its script, and on the server without it.

use serde_json::{Value, json};

use crate::browser::Browser;
use crate::proofs::{proof, published_key, receipt};
use crate::support::{TestGateway, eventually};
use crate::surfer::Surfer;

/// Puts a document and a key into the page's fields and presses the button.
async fn check_in(browser: &Browser, document: &Value, key: &str) {
    let script = format!(
        "document.getElementById('document').value = {:?}; document.getElementById('key').value = {key:?};",
        document.to_string()
    );
    browser.evaluate(&script).await;
    browser.click("#check").await;
    let is_shown = "return !document.getElementById('result').hidden";
    eventually("the result is there", || async { browser.evaluate(is_shown).await == json!(true) }).await;
}

#[tokio::test]
async fn a_good_proof_is_verified_in_the_browser_and_a_changed_one_is_named() {
    let gateway = TestGateway::spawn().await;
    let browser = Browser::on_a_phone(true).await;
    let key = published_key().to_string();
    browser.open(&gateway.url("/verify")).await;
    let receipt = receipt(21);
    let proof = proof(&receipt, "rec_5");
    for document in [&receipt, &proof, &json!({ "success": true, "statusCode": 200, "data": proof })] {
        check_in(&browser, document, &key).await;
        assert_eq!(browser.text("#verdict").await, "Verified", "{}", browser.text("#checks").await);
        assert_eq!(browser.text("#where").await, "Checked in this browser.");
        let failed = browser.evaluate("return document.querySelectorAll('#checks li:not(.passed)').length").await;
        assert_eq!(failed, 0);
    }
    assert!(browser.text("#deltas").await.contains("5.5 IDR"), "{}", browser.text("#deltas").await);
    assert!(browser.text("#facts").await.contains(&key));
    assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);

    // What the browser refuses is what the server and the command line refuse.
    for (pointer, value, names) in [
        ("/leaf/delta", json!("5.500001"), &["leaf", "inclusion"][..]),
        ("/leaf/customerId", json!("app_1:IDR:u_2"), &["leaf", "inclusion", "origin"]),
        ("/leafIndex", json!(5), &["inclusion"]),
        ("/treeSize", json!(22), &["checkpoint"]),
        ("/auditPath/0", json!("00".repeat(32)), &["inclusion"]),
        ("/checkpoint/period", json!(null), &["origin"]),
        ("/checkpoint/note", json!("nothing"), &["checkpoint", "origin", "signature"]),
    ] {
        let mut changed = proof.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        check_in(&browser, &changed, &key).await;
        assert_eq!(browser.text("#verdict").await, "Not verified");
        let script = "return [...document.querySelectorAll('#checks .failed')].map((item) => item.dataset.check)";
        assert_eq!(browser.evaluate(script).await, json!(names), "{pointer}");
    }
    let mut changed = receipt.clone();
    changed["netChange"] = json!(1);
    check_in(&browser, &changed, &key).await;
    assert!(browser.text("#checks .failed").await.contains("not to the 1 that the receipt says"));
    assert!(browser.console().await.is_empty(), "{:?}", browser.console().await);
}

#[tokio::test]
async fn what_cannot_be_read_is_said_beside_its_field() {
    let gateway = TestGateway::spawn().await;
    let browser = Browser::of_size(1280, 900, true).await;
    browser.open(&gateway.url("/verify")).await;
    browser.fill("#key", "rubbish").await;
    browser.click("#check").await;
    let complaint = "the verifier key is not of the form name+8 hexadecimal digits+base64";
    eventually("the key is refused", || async { browser.text("#key-fault").await == complaint }).await;
    browser.fill("#key", "").await;
    browser.fill("#document", "{}").await;
    browser.click("#check").await;
    eventually("the document is refused", || async { browser.text("#document-fault").await.contains("neither") }).await;
    // Without a key the rest is checked, and the verdict is not that all is well.
    check_in(&browser, &receipt(3), "").await;
    assert_eq!(browser.text("#verdict").await, "Not verified");
    assert!(browser.text("#checks .unknown").await.contains("no key was given"));
}

#[tokio::test]
async fn a_browser_without_ed25519_offers_the_server_s_check() {
    let gateway = TestGateway::spawn().await;
    let browser = Browser::on_a_phone(true).await;
    browser.open(&gateway.url("/verify")).await;
    browser
        .evaluate("crypto.subtle.importKey = () => Promise.reject(new DOMException('no', 'NotSupportedError'))")
        .await;
    check_in(&browser, &receipt(3), &published_key().to_string()).await;
    assert!(browser.text("#checks .unknown").await.contains("this browser has no Ed25519"));
    browser.click("#ask").await;
    eventually("the server answers", || async { browser.text("#where").await == "Checked by this server." }).await;
    assert_eq!(browser.text("#verdict").await, "Verified");
}

#[tokio::test]
async fn without_javascript_the_server_checks_what_is_pasted() {
    let gateway = TestGateway::spawn().await;
    let mut person = Surfer::at(&gateway);
    person.get("/verify").await.has("Verify a proof").has("<textarea").lacks("id=\"verdict\"");
    let key = published_key().to_string();
    let mut document = proof(&receipt(300), "rec_77");
    let seen = person.post("/verify", &[("document", &document.to_string()), ("key", &key)]).await;
    assert_eq!(seen.status, 200);
    seen.has(">Verified</h2>").has("Checked by this server.").has("77.5 IDR").lacks("class=\"failed\"");
    document["leaf"]["delta"] = json!("1000000");
    document["leaf"]["reason"] = json!("<script>alert(1)</script>");
    let seen = person.post("/verify", &[("document", &document.to_string()), ("key", &key)]).await;
    seen.has(">Not verified</h2>").has("<li class=\"failed\" data-check=\"leaf\">").lacks("<script>alert");
    // A receipt far beyond what a form of the console may have.
    let seen = person.post("/verify", &[("document", &receipt(300).to_string()), ("key", &key)]).await;
    seen.has(">Verified</h2>").has("And 200 more.");
    let seen = person.post("/verify", &[("document", "{}"), ("key", "rubbish")]).await;
    assert_eq!(seen.status, 400);
    seen.has("this is neither a delta").has("not of the form name+8 hexadecimal digits+base64");
    let large = "x".repeat(5 << 20);
    assert_eq!(person.post("/verify", &[("document", &large)]).await.status, 413);
}

/// Pictures of the page for people who look at it: set `SCREENSHOTS` to a directory.
#[tokio::test]
async fn the_page_fits_phones_and_desks_in_both_themes() {
    let gateway = TestGateway::spawn().await;
    let mut changed = proof(&receipt(21), "rec_5");
    changed["leaf"]["delta"] = json!("5.6");
    for width in [390, 1280] {
        let browser = Browser::of_size(width, 900, true).await;
        for (theme, document) in [("light", &receipt(2)), ("dark", &changed)] {
            let feature = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
            let command = json!({ "cmd": "Emulation.setEmulatedMedia", "params": feature });
            browser.ask("/goog/cdp/execute", command).await;
            browser.open(&gateway.url("/verify")).await;
            check_in(&browser, document, &published_key().to_string()).await;
            assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, width, "{theme}");
            let is_dark = browser.evaluate("return matchMedia('(prefers-color-scheme: dark)').matches").await;
            assert_eq!(is_dark, theme == "dark");
            if let Ok(directory) = std::env::var("SCREENSHOTS") {
                let height = browser.evaluate("return document.documentElement.scrollHeight").await;
                let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
                let params = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
                let command = json!({ "cmd": "Page.captureScreenshot", "params": params });
                let taken = browser.ask("/goog/cdp/execute", command).await;
                let file = std::path::Path::new(&directory).join(format!("verify-{width}-{theme}.b64"));
                std::fs::write(file, taken["data"].as_str().unwrap()).unwrap();
            }
        }
    }
}
