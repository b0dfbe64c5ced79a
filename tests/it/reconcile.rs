//! Reconciliation: settlement reports held against what the rails have booked.

use std::process::Output;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;

use crate::api_keys::made_key;
use crate::person::Person;
use crate::rails::{OnRail, REFUNDING};
use crate::support::{Answer, Product, TestGateway, id_of, program_on};
use crate::tenant_apps::product_of;

pub const HEAD: &str = "reference,payment_id,amount_minor,currency,type,date";

/// Sends a report with a key.
async fn send(gateway: &TestGateway, key: &str, query: &str, report: String) -> Answer {
    let url = gateway.url(&format!("/api/v1/balance/reconcile?{query}"));
    let request =
        reqwest::Client::new().post(url).header("X-Api-Key", key).header("Content-Type", "text/csv; charset=utf-8");
    Answer::of(request.body(report).send().await.unwrap()).await
}

async fn compared(gateway: &TestGateway, key: &str, query: &str, report: String) -> Value {
    let body = send(gateway, key, query, report).await.expect_status(200).json();
    assert_eq!((&body["success"], &body["statusCode"]), (&json!(true), &json!(200)));
    body["data"].clone()
}

async fn key_of(person: &Person, changes: Value) -> String {
    made_key(person, changes).await["fullKey"].as_str().unwrap().to_owned()
}

/// The mock's transaction of a payment.
fn transaction_of(gateway: &TestGateway, payment_id: &str) -> String {
    let sql = format!("SELECT provider_transaction AS text FROM receipts WHERE payment_id = '{payment_id}'");
    gateway.database.texts(&sql)[0].clone()
}

/// A payment that was paid: its id and the provider's.
pub async fn paid(gateway: &TestGateway, product: &Product) -> (String, String) {
    gateway.clock.advance(std::time::Duration::from_secs(1));
    let payment = product.ended(gateway, "succeed", json!({})).await;
    assert_eq!(payment["status"], "succeeded");
    let payment_id = id_of(&payment);
    let transaction = transaction_of(gateway, &payment_id);
    (payment_id, transaction)
}

fn counts(data: &Value) -> Vec<(&str, u64)> {
    let categories = data["categories"].as_object().unwrap();
    let mut counts: Vec<(&str, u64)> = categories
        .iter()
        .map(|(name, total)| (name.as_str(), total["count"].as_u64().unwrap()))
        .filter(|(_, count)| *count > 0)
        .collect();
    counts.sort_unstable();
    counts
}

fn of_category<'a>(data: &'a Value, category: &str) -> Vec<&'a Value> {
    let differences = data["differences"].as_array().unwrap();
    differences.iter().filter(|difference| difference["category"] == category).collect()
}

async fn gateway_with_payments() -> (TestGateway, Person, Product, Vec<(String, String)>) {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let product = product_of(&gateway, &ann).await;
    let mut payments = Vec::new();
    for _ in 0..6 {
        payments.push(paid(&gateway, &product).await);
    }
    (gateway, ann, product, payments)
}

#[actix_web::test]
async fn every_way_in_which_a_report_can_differ_is_told() {
    let (gateway, ann, product, payments) = gateway_with_payments().await;
    let key = key_of(&ann, json!({ "scopes": ["balance:read"] })).await;
    let refund = json!({ "payment_id": payments[0].0, "amount_minor": 20_000 });
    let refund = product.post("/v1/refunds", &refund).await.expect_status(201).json();
    gateway.step().await;
    let refund_id = refund["refund_id"].as_str().unwrap();
    let now = gateway.clock.now();
    let early = now.minus(std::time::Duration::from_secs(3600)).to_rfc3339();
    let late = now.plus(std::time::Duration::from_secs(3600)).to_rfc3339();
    let lines = [
        HEAD.to_owned(),
        format!("{},,50000,IDR,payment,{early}", payments[0].1), // 2: matched
        format!(",{},50000,idr,Payment,{early}", payments[1].0), // 3: matched by our id
        format!("{},,49999,IDR,payment,{early}", payments[2].1), // 4: amount
        format!("{},,50000,USD,payment,{early}", payments[3].1), // 5: currency
        format!("{},,50000,IDR,payment,{early}", payments[0].1), // 6: the line twice
        format!("another,{},50000,IDR,payment,{early}", payments[0].0), // 7: the booking twice
        format!("mtx_unknown,,123,IDR,payment,{early}"),         // 8: missing at us
        format!(",{refund_id},20000,IDR,refund,{early}"),        // 9: matched
        format!("{},,1.5,IDR,payment,{early}", payments[4].1),   // 10: unreadable
        format!("{},,50000,ZZZ,payment,{early}", payments[4].1), // 11: unreadable
        format!(",,50000,IDR,payment,{late}"),                   // 12: unreadable
        format!("\"quoted, with\nline\",,1,IDR,fee,{early}"),    // 13, 14: other
        format!("{},,50000,IDR,payment,{late}", payments[4].1),  // 15: matched
    ];
    let data = compared(&gateway, &key, "provider=mock", lines.join("\r\n")).await;
    assert_eq!(
        counts(&data),
        [
            ("amount_differs", 1),
            ("currency_differs", 1),
            ("duplicate", 2),
            ("matched", 4),
            ("missing_at_them", 1),
            ("missing_at_us", 1),
            ("unreadable", 3)
        ],
        "{data:#}"
    );
    assert_eq!((&data["matches"], &data["truncated"]), (&json!(false), &json!(false)));
    assert_eq!((&data["lines"], &data["otherLines"]), (&json!(12), &json!(1)));
    assert_eq!((&data["provider"], &data["mode"], &data["from"]), (&json!("mock"), &json!("test"), &json!(early)));
    // Refunds count against payments: three of 50,000 less 20,000.
    assert_eq!(data["categories"]["matched"]["sumsMinor"], json!({ "IDR": 130_000 }));
    let missing = of_category(&data, "missing_at_them")[0];
    assert_eq!((&missing["paymentId"], &missing["reference"]), (&json!(payments[5].0), &json!(payments[5].1)));
    assert_eq!((&missing["ourAmountMinor"], &missing["theirAmountMinor"]), (&json!(50_000), &Value::Null));
    let amount = of_category(&data, "amount_differs")[0];
    assert_eq!(
        (&amount["line"], &amount["theirAmountMinor"], &amount["ourAmountMinor"]),
        (&json!(4), &json!(49_999), &json!(50_000))
    );
    assert_eq!(amount["paymentId"], json!(payments[2].0));
    let currency = of_category(&data, "currency_differs")[0];
    assert_eq!((&currency["theirCurrency"], &currency["ourCurrency"]), (&json!("USD"), &json!("IDR")));
    let lines_of =
        |category| of_category(&data, category).iter().map(|one| one["line"].as_u64().unwrap()).collect::<Vec<_>>();
    assert_eq!(lines_of("duplicate"), [6, 7]);
    assert_eq!(lines_of("missing_at_us"), [8]);
    assert_eq!(lines_of("unreadable"), [10, 11, 12]);
    assert!(of_category(&data, "unreadable").iter().all(|one| one["reason"].is_string()));

    // The first differences alone; the totals are of all.
    let first = compared(&gateway, &key, "provider=mock&limit=2", lines.join("\n")).await;
    assert_eq!((counts(&first), first["differences"].as_array().unwrap().len()), (counts(&data), 2));
    assert_eq!(first["truncated"], true);
    // A span in which nothing was booked.
    let to = "2020-01-02T00:00:00Z";
    let none =
        compared(&gateway, &key, &format!("provider=mock&from=2020-01-01T00:00:00Z&to={to}"), lines.join("\n")).await;
    assert!(of_category(&none, "missing_at_them").is_empty());
}

#[actix_web::test]
async fn a_report_that_says_the_same_matches_and_one_without_lines_lacks_everything() {
    let (gateway, ann, _product, payments) = gateway_with_payments().await;
    let key = key_of(&ann, json!({})).await;
    let span = "from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
    let mut report = format!("\u{feff}{HEAD}\n");
    for (_, transaction) in &payments {
        report.push_str(&format!("{transaction},,50000,IDR,payment,2026-11-21\n"));
    }
    let data = compared(&gateway, &key, &format!("provider=mock&{span}"), report).await;
    assert_eq!((&data["matches"], counts(&data)), (&json!(true), vec![("matched", 6)]));
    let data = compared(&gateway, &key, &format!("provider=mock&{span}"), format!("{HEAD}\n")).await;
    assert_eq!(counts(&data), [("missing_at_them", 6)]);
    // Without dates and without a span nobody knows what should be in it.
    let data = compared(&gateway, &key, "provider=mock", format!("{HEAD}\n")).await;
    assert_eq!((counts(&data), &data["from"], &data["matches"]), (vec![], &Value::Null, &json!(true)));
}

#[actix_web::test]
async fn nobody_learns_of_anothers_payments_by_a_report() {
    let (gateway, ann, _product, payments) = gateway_with_payments().await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    product_of(&gateway, &bob).await;
    let in_sandbox = ann.in_mode("sandbox").await;
    product_of(&gateway, &in_sandbox).await;
    let keys = [key_of(&bob, json!({})).await, key_of(&in_sandbox, json!({ "environment": "sandbox" })).await];
    let line = |name: &str, our_id: &str| format!("{name},{our_id},50000,IDR,payment,2026-11-21\n");
    let report = format!("{HEAD}\n{}{}", line(&payments[0].1, ""), line("", &payments[1].0));
    for key in keys {
        let query = "provider=mock&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z";
        let data = compared(&gateway, &key, query, report.clone()).await;
        assert_eq!(counts(&data), [("missing_at_us", 2)]);
        assert_eq!(of_category(&data, "missing_at_us")[0]["ourAmountMinor"], Value::Null);
    }
}

/// Sends a report in pieces whose sum is not announced, until the answer comes; the answer.
async fn send_in_pieces(gateway: &TestGateway, key: &str, report: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = gateway.server.address;
    let (mut reading, mut writing) = tokio::net::TcpStream::connect(address).await.unwrap().into_split();
    let head = format!(
        "POST /api/v1/balance/reconcile?provider=mock HTTP/1.1\r\nHost: {address}\r\nX-Api-Key: {key}\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    );
    writing.write_all(head.as_bytes()).await.unwrap();
    for piece in report.as_bytes().chunks(50_000) {
        let mut framed = format!("{:x}\r\n", piece.len()).into_bytes();
        framed.extend(piece);
        framed.extend(b"\r\n");
        if writing.write_all(&framed).await.is_err() {
            break;
        }
    }
    let mut answer = [0; 4096];
    let length = reading.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[actix_web::test]
async fn what_is_no_report_is_refused_and_says_why() {
    let gateway = TestGateway::spawn_with(Clock::manual(Clock::system().now()), false, |settings| {
        settings.reconcile_max_report_mib = 2;
    })
    .await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let key = key_of(&ann, json!({})).await;
    let without = key_of(&ann, json!({ "scopes": ["balance:write"] })).await;
    let report = || format!("{HEAD}\n");
    send(&gateway, &without, "provider=mock", report()).await.expect_error(403, "InsufficientScope");
    for query in ["", "provider=nobody", "provider=mock&limit=10001", "provider=mock&from=today", "provider=mock&x=1"] {
        send(&gateway, &key, query, report()).await.expect_error(400, "ValidationError");
    }
    let refused = send(&gateway, &key, "provider=mock", "reference,amount\n1,2\n".to_owned()).await;
    let detail = refused.expect_error(400, "ValidationError").detail();
    assert!(detail.contains("amount_minor") && detail.contains("currency"), "{detail}");
    send(&gateway, &key, "provider=mock", String::new()).await.expect_error(400, "ValidationError");
    send(&gateway, &key, "provider=paypal", report()).await.expect_error(400, "ValidationError");
    let large = format!("{HEAD}\n{}", "a,,1,IDR,payment,2026-11-21\n".repeat(100_000));
    send(&gateway, &key, "provider=mock", large.clone()).await.expect_error(413, "BodyTooLarge");
    // As well when its length is not announced.
    let refused = send_in_pieces(&gateway, &key, &large).await;
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    let unclosed = format!("{HEAD}\n\"{}", "x,\n".repeat(500_000));
    let detail = send(&gateway, &key, "provider=mock", unclosed).await.expect_error(400, "ValidationError").detail();
    assert!(detail.contains("quotation mark"), "{detail}");
    let url = gateway.url("/api/v1/balance/reconcile?provider=mock");
    let as_json = reqwest::Client::new().post(url).header("X-Api-Key", &key).json(&json!({})).send().await.unwrap();
    Answer::of(as_json).await.expect_error(415, "UnsupportedMediaType");
    // A line that is no text does not stand in the way of the others.
    let mut bytes = format!("{HEAD}\nmtx_1,,1,IDR,payment,2026-11-21\n").into_bytes();
    bytes.extend(b"mtx_\xff,,1,IDR,payment,2026-11-21\nmtx_2,,1,IDR,payment,2026-11-21\n");
    let url = gateway.url("/api/v1/balance/reconcile?provider=mock");
    let raw = reqwest::Client::new().post(url).header("X-Api-Key", &key).body(bytes).send().await.unwrap();
    let data = Answer::of(raw).await.expect_status(200).json()["data"].clone();
    assert_eq!(counts(&data), [("missing_at_us", 2), ("unreadable", 1)]);
    assert_eq!(of_category(&data, "unreadable")[0]["line"], 3);
}

pub fn sample(provider: &str) -> (String, String) {
    let name = match provider {
        "nicepay" => "nicepay/settlement/transactions.csv",
        "polar" => "polar/settlement/orders.csv",
        _ => "paypal/settlement/STL-20261121.R.001.9.0.CSV",
    };
    let path = format!("{}/psp-fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    (std::fs::read_to_string(&path).unwrap(), path)
}

#[actix_web::test]
async fn the_sample_of_each_providers_report_is_read() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let key = key_of(&ann, json!({})).await;
    for (provider, payments, refunds, other, from) in [
        ("nicepay", json!({ "IDR": 1_050_000 }), 1, 0, "2026-11-21T03:00:00.000Z"),
        ("polar", json!({ "IDR": 50_000, "JPY": 2_900, "USD": 1_900 }), 1, 0, "2026-11-21T10:00:00.000Z"),
        ("paypal", json!({ "JPY": 2_900, "USD": 1_900 }), 1, 6, "2026-11-21T09:02:03.000Z"),
    ] {
        let data = compared(&gateway, &key, &format!("provider={provider}"), sample(provider).0).await;
        let missing = of_category(&data, "missing_at_us");
        assert_eq!(counts(&data), [("missing_at_us", missing.len() as u64)], "{provider}: {data:#}");
        assert_eq!(data["categories"]["missing_at_us"]["sumsMinor"], payments, "{provider}");
        assert_eq!(missing.iter().filter(|one| one["kind"] == "refund").count(), refunds, "{provider}");
        assert_eq!((&data["otherLines"], &data["from"]), (&json!(other), &json!(from)), "{provider}");
    }
}

fn reconcile(gateway: &TestGateway, arguments: &[&str]) -> Output {
    program_on(&gateway.database).arg("reconcile").args(arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_rail_paid_and_gave_back_is_found_in_its_report() {
    for rail in REFUNDING {
        let on_rail = OnRail::start(rail).await;
        let payment = on_rail.paid().await;
        let payment_id = id_of(&payment);
        let amount = payment["amount_minor"].as_i64().unwrap();
        on_rail.refund(&payment_id, None, Some("back")).await;
        on_rail.pass(20).await;
        let database = &on_rail.gateway.database;
        assert_eq!(database.number("SELECT COUNT(*) FROM refunds WHERE status = 'succeeded'"), 1, "{rail}");
        let transaction = transaction_of(&on_rail.gateway, &payment_id);
        let refunded = database.texts("SELECT COALESCE(provider_ref, '') AS text FROM refunds")[0].clone();
        let (sample, _) = sample(rail);
        let report = match rail {
            // The refund is told under the payment's own name.
            "nicepay" => format!(
                "{}\n1,{transaction},INV,QRIS,2026-11-21 10:00:00,{amount},0,0\n2,{transaction},INV,QRIS,2026-11-21 11:00:00,-{amount},0,0\n",
                sample.lines().next().unwrap()
            ),
            "polar" => {
                let units = if payment["currency"] == "IDR" { amount * 100 } else { amount };
                let currency = payment["currency"].as_str().unwrap().to_lowercase();
                format!(
                    "{}\norder,{transaction},,2026-11-21T10:00:00Z,paid,{currency},{units}\nrefund,{refunded},,2026-11-21T11:00:00Z,succeeded,{currency},{units}\n",
                    sample.lines().next().unwrap()
                )
            }
            _ => {
                let head: Vec<&str> = sample.lines().take(4).collect();
                let line = |id: &str, code: &str, direction: &str| {
                    format!(
                        r#""SB","{id}","","","","{code}","2026/11/21 01:00:00 -0800","2026/11/21 01:00:00 -0800","{direction}","{amount}","{}","","","","","","","","","","","""#,
                        payment["currency"].as_str().unwrap()
                    )
                };
                format!(
                    "{}\n{}\n{}\n",
                    head.join("\n"),
                    line(&transaction, "T0006", "CR"),
                    line(&refunded, "T1107", "DR")
                )
            }
        };
        let path = database.directory.join("report.csv");
        std::fs::write(&path, report).unwrap();
        let span = ["--from", "2020-01-01T00:00:00Z", "--to", "2100-01-01T00:00:00Z"];
        let mut arguments = vec![path.to_str().unwrap(), "--provider", rail, "--mode", "sandbox", "--json"];
        arguments.extend(span);
        let output = reconcile(&on_rail.gateway, &arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(output.status.code(), Some(0), "{rail}: {text} {}", String::from_utf8_lossy(&output.stderr));
        let totals: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(counts(&totals), [("matched", 2)], "{rail}: {totals}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_prints_what_differs_and_says_so_by_its_exit_code() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Test).await;
    let (payment_id, transaction) = paid(&gateway, &product).await;
    let path = gateway.database.directory.join("report.csv");
    let report = path.to_str().unwrap();
    let line = |amount: i64| format!("{HEAD}\n{transaction},,{amount},IDR,payment,2026-11-21\n");
    std::fs::write(&path, line(50_000)).unwrap();
    let same = reconcile(&gateway, &[report, "--provider", "mock", "--mode", "test"]);
    assert_eq!(same.status.code(), Some(0), "{same:?}");
    let text = String::from_utf8_lossy(&same.stdout).into_owned();
    assert!(text.contains("matched") && text.contains("50000 IDR"), "{text}");
    // No bar where nobody looks.
    assert_eq!(String::from_utf8_lossy(&same.stderr), "");

    std::fs::write(&path, line(49_999)).unwrap();
    let differs = reconcile(&gateway, &[report, "--provider", "mock", "--mode", "test"]);
    assert_eq!(differs.status.code(), Some(1));
    let text = String::from_utf8_lossy(&differs.stdout).into_owned();
    assert!(text.contains("theirs: 49999 IDR  ours: 50000 IDR") && text.contains(&payment_id), "{text}");
    let as_json = reconcile(&gateway, &[report, "--provider", "mock", "--mode", "test", "--json"]);
    assert_eq!(as_json.status.code(), Some(1));
    let lines: Vec<Value> =
        String::from_utf8_lossy(&as_json.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["category"], &lines[0]["line"]), (&json!("amount_differs"), &json!(2)));
    assert_eq!(counts(lines.last().unwrap()), [("amount_differs", 1)]);

    for arguments in [
        &["nowhere.csv", "--provider", "mock"][..],
        &[report, "--provider", "nobody"],
        &[report],
        &[report, "--provider", "mock", "--mode", "prod"],
        &[report, "--provider", "mock", "--from", "yesterday"],
    ] {
        let refused = reconcile(&gateway, arguments);
        assert_eq!(refused.status.code(), Some(2), "{arguments:?}: {refused:?}");
        assert!(!refused.stderr.is_empty());
    }
}
