//! The page on which a provider's settlement report is compared: by a form, over plain HTTP and in a browser.

use serde_json::{Value, json};
use switchyard::clock::Clock;

use crate::browser::Browser;
use crate::person::{PASSWORD, Person};
use crate::reconcile::{HEAD, paid, sample};
use crate::support::{Product, TestGateway, eventually};
use crate::surfer::{Seen, Surfer};
use crate::tenant_apps::product_of;

const PAGE: &str = "/console/reconcile";

/// Uploads a report with the fields of a page that was just opened.
async fn upload(surfer: &mut Surfer, fields: &[(&str, &str)], report: impl Into<Vec<u8>>) -> Seen {
    let csrf = surfer.get(PAGE).await.hidden("csrf");
    let mut all = vec![("csrf", csrf.as_str())];
    all.extend_from_slice(fields);
    surfer.upload(PAGE, &all, Some(("report", report.into()))).await
}

#[actix_web::test]
async fn a_report_is_uploaded_and_what_differs_is_shown_or_sent_as_a_file() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let product: Product = product_of(&gateway, &ann).await;
    let mut surfer = Surfer::signed_in(&gateway, "ann@example.com").await;
    let first = paid(&gateway, &product).await;
    let second = paid(&gateway, &product).await;
    let page = surfer.get(PAGE).await;
    page.has("class=\"empty\"").has("Where the report comes from").has("<code>amount_minor</code>");
    page.has("aria-current=\"page\">Reconcile").lacks("Settlement Report (STL)");

    let line = |transaction: &str, amount: i64| format!("{transaction},,{amount},IDR,payment,2026-11-21\n");
    let span = [("provider", "mock"), ("from", "2020-01-01"), ("to", "2100-01-01")];
    let same = format!("{HEAD}\n{}{}", line(&first.1, 50_000), line(&second.1, 50_000));
    let seen = upload(&mut surfer, &span, same.clone()).await;
    assert_eq!(seen.status, 200, "{}", seen.text);
    seen.has("Both sides say the same: all 2 lines are booked here as they say.").has("Rp 100,000 IDR");
    seen.lacks("What differs").lacks("class=\"empty\"").has("value=\"2020-01-01\"");

    let evil = "<script>x</script>";
    let report =
        format!("{HEAD}\n{}{}=1+1,{evil},7,IDR,payment,2026-11-21\n", line(&first.1, 49_999), line("mtx_none", 5));
    let seen = upload(&mut surfer, &span, report.clone()).await;
    seen.has(
        "3 of 3 lines differ from what is booked here; 1 payment or refund that is booked here is not in the report.",
    );
    seen.has("Rp 49,999 IDR").has("Another amount").has("Not booked here").has("Not in the report").lacks(evil);
    for (payment_id, _) in [&first, &second] {
        let path = format!("/console/payments/{payment_id}");
        seen.has(&format!("href=\"{path}\""));
        assert_eq!(surfer.get(&path).await.status, 200);
    }

    let as_csv = [&span[..], &[("answer", "csv")]].concat();
    let file = upload(&mut surfer, &as_csv, report.clone()).await;
    assert_eq!((file.status, file.headers["content-type"].to_str().unwrap()), (200, "text/csv; charset=utf-8"));
    let disposition = file.headers["content-disposition"].to_str().unwrap();
    assert!(disposition.starts_with("attachment; filename=\"differences-mock-test-2"), "{disposition}");
    let lines: Vec<&str> = file.text.lines().collect();
    assert_eq!(lines.len(), 5, "{}", file.text);
    assert!(lines[0].starts_with("category,line,kind,reference,payment_id,their_amount,"));
    let expected = format!("amount_differs,2,payment,{},{},49999,49999,IDR,", first.1, first.0);
    assert!(lines[1].starts_with(&expected), "{}", lines[1]);
    // No formula for a spreadsheet.
    assert!(lines[3].starts_with("missing_at_us,4,payment,\"'=1+1\","), "{}", lines[3]);
    assert!(lines[4].starts_with("missing_at_them,,payment,"), "{}", lines[4]);

    let as_json = [&span[..], &[("answer", "json")]].concat();
    let file = upload(&mut surfer, &as_json, report).await;
    let lines: Vec<Value> = file.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((lines.len(), &lines[0]["category"]), (5, &json!("amount_differs")));
    assert_eq!(lines[4]["categories"]["missing_at_us"]["count"], 2);
    let nothing = upload(&mut surfer, &as_csv, same).await;
    assert_eq!((nothing.status, nothing.text.lines().count()), (200, 1));
    // Nothing of it is kept.
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM audit_entries WHERE action LIKE '%reconcil%'"), 0);
}

#[actix_web::test]
async fn a_large_report_shows_its_first_thousand_differences_and_all_of_them_are_in_the_file() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let mut report = format!("{HEAD}\n");
    for number in 0..30_000 {
        report.push_str(&format!("mtx_{number},,100,USD,payment,2026-11-21\n"));
    }
    let seen = upload(&mut surfer, &[("provider", "mock")], report.clone()).await;
    seen.has("30,000 of 30,000 lines differ").has("29,000 more differ").has("$30,000.00 USD").has("mtx_999<");
    seen.lacks("mtx_1000<");
    let file = upload(&mut surfer, &[("provider", "mock"), ("answer", "csv")], report).await;
    assert_eq!(file.text.lines().count(), 30_001);
    assert!(file.text.lines().last().unwrap().starts_with("missing_at_us,30001,payment,mtx_29999,"));
}

#[actix_web::test]
async fn a_viewer_may_compare_and_sees_his_own_mode_alone() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let product = product_of(&gateway, &ann).await;
    let (payment_id, transaction) = paid(&gateway, &product).await;
    gateway.database.execute("UPDATE members SET role = 'viewer'").unwrap();
    let mut viewer = Surfer::signed_in(&gateway, "ann@example.com").await;
    let report =
        format!("{HEAD}\n{transaction},,50000,IDR,payment,2026-11-21\n,{payment_id},1,IDR,payment,2026-11-21\n");
    let span = [("provider", "mock"), ("from", "2020-01-01"), ("to", "2100-01-01")];
    upload(&mut viewer, &span, report.clone()).await.has("1 of 2 lines differs").has(&format!("payments/{payment_id}"));
    // In another mode and for another tenant nothing of it is booked, and the mock pays in test alone.
    viewer.submit("/console", "/console/mode", &[("mode", "sandbox")]).await;
    viewer.get(PAGE).await.lacks("<code>amount_minor</code>").has("booked in sandbox").has("Settlement Report (STL)");
    let mut bob = Surfer::registered(&gateway, "bob@example.com").await;
    for other in [&mut viewer, &mut bob] {
        let seen = upload(other, &span, report.clone()).await;
        seen.has("2 of 2 lines differ from what is booked here.").lacks("href=\"/console/payments/pay_");
    }
}

#[actix_web::test]
async fn a_form_that_is_not_as_it_must_be_is_shown_again_and_one_of_another_page_is_turned_away() {
    let gateway = TestGateway::spawn_with(Clock::manual(Clock::system().now()), false, |settings| {
        settings.reconcile_max_report_mib = 1
    })
    .await;
    let mut surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let report = format!("{HEAD}\n");
    for (fields, says) in [
        (&[("provider", "nobody")][..], "must be one of"),
        (&[("provider", "mock"), ("from", "soon")], "must be a day"),
    ] {
        let seen = upload(&mut surfer, fields, report.clone()).await;
        assert_eq!(seen.has(says).has("enctype=\"multipart/form-data\"").status, 400);
    }
    let seen = upload(&mut surfer, &[("provider", "mock")], "reference,amount\n1,2\n".repeat(20_000)).await;
    assert_eq!(seen.has("the report has no column amount_minor, currency").status, 400);
    seen.has("value=\"mock\" checked");
    let as_csv = [("provider", "mock"), ("answer", "csv")];
    assert_eq!(upload(&mut surfer, &as_csv, "nothing").await.has("has no column").status, 400);
    // More than a mebibyte, by a little and by much.
    for times in [36_300, 60_000] {
        let large = format!("{report}{}", "mtx_1,,1,IDR,payment,20261121\n".repeat(times));
        let seen = upload(&mut surfer, &[("provider", "mock")], large).await;
        assert_eq!(seen.has("a report may have 1048576 bytes").status, 413);
    }
    let csrf = surfer.get(PAGE).await.hidden("csrf");
    let ours = [("csrf", csrf.as_str()), ("provider", "mock")];
    assert_eq!(surfer.upload(PAGE, &ours, None).await.has("choose the file").status, 400);
    let many: Vec<(&str, &str)> = std::iter::once(ours[0]).chain([("x", "y"); 20]).collect();
    assert_eq!(surfer.upload(PAGE, &many, None).await.status, 413);
    let long = "x".repeat(2000);
    assert_eq!(surfer.upload(PAGE, &[ours[0], ("from", &long)], None).await.status, 413);
    assert_eq!(surfer.post(PAGE, &ours).await.status, 400);

    let file = || Some(("report", report.clone().into_bytes()));
    let bob = Surfer::registered(&gateway, "bob@example.com").await.get(PAGE).await.hidden("csrf");
    for fields in [
        &[][..],
        &[("provider", "mock")],
        &[("provider", "mock"), ours[0]],
        &[("csrf", "x")],
        &[("csrf", bob.as_str())],
    ] {
        assert_eq!(surfer.upload(PAGE, fields, file()).await.status, 403, "{fields:?}");
    }
    surfer.cookies.clear();
    surfer.upload(PAGE, &ours, file()).await.leads_to("/login");
}

async fn sign_in(browser: &Browser, gateway: &TestGateway) {
    browser.open(&gateway.url("/login")).await;
    browser.fill("input[name=email]", "ann@example.com").await;
    browser.fill("input[name=password]", PASSWORD).await;
    browser.click("main button.primary").await;
    let console = gateway.url("/console");
    eventually("the console is there", || async { browser.url().await == console }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_is_uploaded_in_a_browser_on_a_phone() {
    let gateway = TestGateway::spawn().await;
    Person::registered(&gateway, "ann@example.com").await;
    let browser = Browser::on_a_phone(true).await;
    sign_in(&browser, &gateway).await;
    browser.click("button[value=sandbox]").await;
    eventually("the mode is sandbox", || async { browser.text(".band").await.contains("sandbox") }).await;
    for (provider, says) in [("paypal", "Not booked here"), ("nicepay", "IDR"), ("polar", "JPY")] {
        browser.open(&gateway.url(PAGE)).await;
        browser.click(&format!("input[value={provider}]")).await;
        browser.choose_file("#report", &sample(provider).1).await;
        browser.click("main button.primary").await;
        eventually("the result is there", || async { browser.text("main").await.contains("lines differ") }).await;
        let text = browser.text("main").await;
        assert!(text.contains(says) && text.contains("differ from what is booked here."), "{text}");
        assert_eq!(browser.evaluate("return document.documentElement.scrollWidth").await, 390);
    }
    // A report of another kind that is larger than what a connection holds: the browser gets to see why.
    let path = gateway.database.directory.join("wrong.csv");
    std::fs::write(&path, "some,other\n".repeat(2_000_000)).unwrap();
    browser.open(&gateway.url(PAGE)).await;
    browser.choose_file("#report", path.to_str().unwrap()).await;
    browser.click("main button.primary").await;
    eventually("it is refused", || async { browser.text("#report-fault").await.contains("no column") }).await;
    assert!(
        browser.console().await.iter().all(|line| line.contains("400 (Bad Request)")),
        "{:?}",
        browser.console().await
    );
}
