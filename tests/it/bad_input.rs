//! What is refused: every kind of bad input gets a 4xx of the one shape, and nothing of it is stored.

use serde_json::{Value, json};
use switchyard::domain::mode::Mode;

use crate::support::{Answer, Product, TestGateway, id_of, payment_request};

/// The tables that a refused request must not touch.
const TABLES: [&str; 7] = ["payments", "attempts", "customers", "requests", "events", "refunds", "mock_jobs"];

fn assert_nothing_is_stored(gateway: &TestGateway) {
    for table in TABLES {
        assert_eq!(gateway.count(table), 0, "{table} has rows");
    }
}

/// A whole request in which the JSON text of one field is `text`, which need not be JSON.
fn with_text(field: &str, text: &str) -> Vec<u8> {
    let mark = "a place in the text";
    let request = payment_request(json!({ field: mark })).to_string();
    request.replace(&format!("\"{mark}\""), text).into_bytes()
}

/// A request of which one field is `value`; `field` may have a dot, as in `buyer.name`.
fn with_value(field: &str, value: impl Into<Value>) -> Value {
    let value = value.into();
    match field.split_once('.') {
        Some((outer, inner)) => payment_request(json!({ outer: { inner: value } })),
        None => payment_request(json!({ field: value })),
    }
}

async fn post_bytes(product: &Product, body: &[u8]) -> Answer {
    product.request("POST", "/v1/payments", body, None).await
}

/// Posts a request that must be refused because of `path` alone.
#[track_caller]
fn expect_fault(answer: Answer, path: &str, what: &str) {
    assert_eq!(answer.status, 400, "{what}: {}", answer.text);
    let lines = answer.expect_error(400, "ValidationError").messages();
    assert_eq!(lines.len(), 1, "{what}: {lines:?}");
    assert!(lines[0].starts_with(&format!("{path}: ")), "{what}: {lines:?}");
}

#[tokio::test]
async fn a_body_that_is_no_json_object_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let whole = payment_request(json!({})).to_string();
    let mut not_utf8 = whole.clone().into_bytes();
    let at = whole.find("user-").unwrap();
    not_utf8[at] = 0xff;
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("no JSON", b"amount_minor=1".to_vec()),
        ("cut short", whole.as_bytes()[..whole.len() - 1].to_vec()),
        ("two objects", format!("{whole}{whole}").into_bytes()),
        ("an array", format!("[{whole}]").into_bytes()),
        ("a string", b"\"x\"".to_vec()),
        ("null", b"null".to_vec()),
        ("a number", b"1".to_vec()),
        ("deep nesting", b"[".repeat(10_000)),
        ("deep objects", br#"{"a":"#.repeat(10_000)),
        ("invalid UTF-8", not_utf8),
        ("a byte order mark", format!("\u{feff}{whole}").into_bytes()),
        ("a NUL byte", b"\0".to_vec()),
        ("a name twice", format!("{},\"currency\":\"IDR\"}}", &whole[..whole.len() - 1]).into_bytes()),
        ("a name twice, once escaped", format!("{},\"\\u0063urrency\":\"IDR\"}}", &whole[..whole.len() - 1]).into()),
    ];
    for (what, body) in bodies {
        expect_fault(post_bytes(&product, &body).await, "body", what);
    }
    post_bytes(&product, " ".repeat(65 * 1024).as_bytes()).await.expect_error(413, "BodyTooLarge");
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn missing_fields_are_named_together_in_exact_words() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let refused = product.create(json!({ "currency": null, "method": null })).await;
    assert_eq!(refused.detail(), "missing required fields: currency, method");
    let refused = product.request("POST", "/v1/payments", b"", None).await.expect_error(400, "ValidationError");
    assert_eq!(
        refused.detail(),
        "missing required fields: external_user_id, amount_minor, currency, method, return_url"
    );
    assert_eq!(refused.messages().len(), 5);
    for field in ["external_user_id", "amount_minor", "currency", "method", "return_url", "email"] {
        let refused = product.create(json!({ field: null })).await.expect_error(400, "ValidationError");
        assert_eq!(refused.detail(), format!("missing required fields: {field}"));
        expect_fault(refused, field, "absent");
        let null = post_bytes(&product, &with_text(field, "null")).await;
        expect_fault(null, field, "null");
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn every_fault_of_a_body_is_named_in_one_answer() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "amount_minor": -1, "currency": "usd", "method": null, "colour": "red" }));
    let refused = product.post("/v1/payments", &body).await.expect_error(400, "ValidationError");
    let paths: Vec<String> =
        refused.messages().iter().map(|line| line.split_once(": ").unwrap().0.to_owned()).collect();
    assert_eq!(paths, ["method", "amount_minor", "currency", "colour"]);
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn an_amount_is_a_whole_number_of_minor_units_and_written_as_one() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let texts = [
        "0",
        "-1",
        "1.5",
        "1.0",
        "50000.0",
        "1e3",
        "1E3",
        "\"100\"",
        "9223372036854775807",
        "9223372036854775808",
        "1000000000000",
        "99999999999999999999999999999999",
        "true",
        "[]",
        "{}",
    ];
    for text in texts {
        expect_fault(post_bytes(&product, &with_text("amount_minor", text)).await, "amount_minor", text);
    }
    for text in ["NaN", "Infinity", "0x10", "01", "+1", "1_000"] {
        expect_fault(post_bytes(&product, &with_text("amount_minor", text)).await, "body", text);
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn a_field_out_of_its_bounds_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let rows: Vec<(&str, Value)> = vec![
        ("mode", json!("test")),
        ("colour", json!("red")),
        ("Currency", json!("IDR")),
        ("external_user_id", json!("")),
        ("external_user_id", json!("u".repeat(129))),
        ("external_user_id", json!(7)),
        ("email", json!("")),
        ("email", json!("nobody")),
        ("email", json!("a b@shop.example")),
        ("email", json!("a@shop.example, b@shop.example")),
        ("email", json!(format!("{}@shop.example", "a".repeat(250)))),
        ("email", json!(["a@shop.example"])),
        ("currency", json!("usd")),
        ("currency", json!("XXX")),
        ("currency", json!("XAU")),
        ("currency", json!("ZZZ")),
        ("currency", json!("IDR ")),
        ("currency", json!("")),
        ("currency", json!(360)),
        ("method", json!("")),
        ("method", json!("VA_BCA")),
        ("method", json!("va-bca")),
        ("method", json!("va_bca ")),
        ("method", json!("x".repeat(33))),
        ("method", json!(["va_bca"])),
        ("return_url", json!("")),
        ("return_url", json!("javascript:alert(1)")),
        ("return_url", json!("ftp://shop.example/")),
        ("return_url", json!("/thanks")),
        ("return_url", json!("//shop.example/thanks")),
        ("return_url", json!("shop.example/thanks")),
        ("return_url", json!("data:text/html,x")),
        ("return_url", json!("http://")),
        ("return_url", json!("https://user:password@shop.example/")),
        ("return_url", json!(format!("https://shop.example/{}", "x".repeat(2048)))),
        ("metadata", json!({ "text": "x".repeat(9 * 1024) })),
        ("metadata", json!([])),
        ("metadata", json!("text")),
        ("metadata", json!(1)),
        ("invoice_prefix", json!("")),
        ("invoice_prefix", json!("inv")),
        ("invoice_prefix", json!("1NV")),
        ("invoice_prefix", json!("-INV")),
        ("invoice_prefix", json!("INV_1")),
        ("invoice_prefix", json!("ABCDEFGHIJKLM")),
        ("invoice_prefix", json!("ÄB")),
        ("description", json!("d".repeat(256))),
        ("description", json!(1)),
        ("buyer", json!("Budi")),
        ("buyer", json!([])),
        ("buyer.name", json!("")),
        ("buyer.name", json!("n".repeat(129))),
        ("buyer.phone", json!("0".repeat(33))),
        ("buyer.ip", json!("999.1.1.1")),
        ("buyer.ip", json!("localhost")),
        ("buyer.ip", json!("10.0.0.1:80")),
        ("buyer.age", json!(30)),
        ("mock", json!("succeed")),
        ("mock.outcome", json!("win")),
        ("mock.outcome", json!("Succeed")),
        ("mock.outcome", json!(1)),
        ("mock.start", json!("never")),
        ("mock.webhook", json!("twice")),
        ("mock.refund", json!("maybe")),
        ("mock.after_ms", json!(-1)),
        ("mock.after_ms", json!("0")),
        ("mock.after_ms", json!(0.5)),
        ("mock.decline_code", json!("")),
        ("mock.speed", json!("fast")),
    ];
    for (field, value) in rows {
        let shown: String = value.to_string().chars().take(60).collect();
        let answer = product.post("/v1/payments", &with_value(field, value)).await;
        expect_fault(answer, field, &format!("{field} = {shown}"));
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn a_bad_invoice_prefix_is_refused_in_exact_words() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let refused = product.create(json!({ "invoice_prefix": "inv" })).await.expect_error(400, "ValidationError");
    assert_eq!(refused.detail(), "invoice_prefix must match ^[A-Z][A-Z0-9-]{0,11}$");
    assert_eq!(refused.messages(), ["invoice_prefix: must match ^[A-Z][A-Z0-9-]{0,11}$"]);
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn the_longest_values_are_taken() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let url = format!("https://shop.example/{}", "x".repeat(2048 - "https://shop.example/".len()));
    let payment = product
        .created(json!({
            "external_user_id": "ü".repeat(128),
            "amount_minor": 999_999_999_999_i64,
            "return_url": url,
            "invoice_prefix": "ABCDEFGHIJKL",
            "description": "ü".repeat(255),
            "metadata": { "text": "x".repeat(8 * 1024 - 11) },
            "buyer": { "name": "n".repeat(128), "phone": "0".repeat(32), "ip": "2001:db8::1" },
        }))
        .await;
    assert_eq!(payment["return_url"], url);
    assert_eq!(payment["metadata"]["text"].as_str().unwrap().len(), 8 * 1024 - 11);
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn control_characters_are_refused_in_every_text() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let texts = [
        ("external_user_id", "user"),
        ("email", "a@shop.example"),
        ("currency", "IDR"),
        ("method", "va_bca"),
        ("return_url", "https://shop.example/"),
        ("invoice_prefix", "INV"),
        ("description", "shoes"),
        ("buyer.name", "Budi"),
        ("buyer.phone", "0812"),
        ("buyer.ip", "10.0.0.1"),
        ("mock.decline_code", "declined"),
        ("mock.outcome", "succeed"),
    ];
    for control in ['\u{0}', '\u{1}', '\n', '\r', '\t', '\u{1b}', '\u{7f}', '\u{85}'] {
        for (field, text) in texts {
            for spoiled in [format!("{text}{control}"), format!("{control}{text}")] {
                let answer = product.post("/v1/payments", &with_value(field, spoiled.as_str())).await;
                expect_fault(answer, field, &format!("{field} = {spoiled:?}"));
            }
        }
        let spoiled = format!("a{control}b");
        for metadata in [
            json!({ "text": spoiled }),
            json!({ spoiled.as_str(): 1 }),
            json!({ "list": ["fine", { "deep": [spoiled] }] }),
            json!({ "object": { spoiled.as_str(): null } }),
        ] {
            let what = format!("metadata = {metadata}");
            expect_fault(product.create(json!({ "metadata": metadata })).await, "metadata", &what);
        }
        let answer = product.create(json!({ spoiled.as_str(): 1 })).await;
        assert_eq!(answer.expect_error(400, "ValidationError").messages().len(), 1);
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn metadata_that_is_no_usable_json_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    for text in [nested(4000), nested(200), r#"{"a":"\ud800"}"#.to_owned()] {
        expect_fault(post_bytes(&product, &with_text("metadata", &text)).await, "metadata", &text[..10]);
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn a_name_given_twice_in_a_nested_object_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (field, text) in [
        ("buyer", r#"{"name":"Budi","name":"Siti"}"#),
        ("mock", r#"{"outcome":"fail","outcome":"succeed"}"#),
        ("mock", r#"{"outcome":"fail","\u006futcome":"succeed"}"#),
    ] {
        expect_fault(post_bytes(&product, &with_text(field, text)).await, field, text);
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn the_mock_is_scripted_in_test_mode_alone() {
    let gateway = TestGateway::spawn_stepped().await;
    for mode in [Mode::Sandbox, Mode::Live] {
        let product = gateway.product(mode).await;
        let answer = product.create(json!({ "mock": { "outcome": "succeed" } })).await;
        expect_fault(answer, "mock", mode.as_str());
    }
    let live = gateway.product(Mode::Live).await;
    let answer = live.create(json!({ "return_url": "http://shop.example/" })).await;
    expect_fault(answer, "return_url", "http in live");
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn a_method_that_no_one_has_has_no_route() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (method, currency) in [("cash", "IDR"), ("mock", "IDR"), ("va_bca", "USD"), ("paypal", "IDR"), ("qris", "EUR")]
    {
        let refused = product.create(json!({ "method": method, "currency": currency })).await;
        let refused = refused.expect_error(422, "NoRoute");
        assert_eq!(refused.detail(), format!("no provider supports method={method} for currency={currency}"));
        assert_eq!(refused.json()["message"], refused.json()["detail"]);
    }
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn an_idempotency_key_has_1_to_255_printable_ascii_characters() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for key in ["k".repeat(256), String::new(), "schlüssel".into(), "a\tb".into(), "ключ".into()] {
        let answer = product.post_with_key("/v1/payments", &payment_request(json!({})), &key).await;
        expect_fault(answer, "Idempotency-Key", &key);
    }
    let body = payment_request(json!({})).to_string();
    let now = product.clock.now().unix_seconds();
    let mut twice = product.signed_headers("POST", "/v1/payments", body.as_bytes(), now);
    for key in ["one", "two"] {
        twice.push(("Idempotency-Key".into(), key.into()));
    }
    let answer = product.send("POST", "/v1/payments", &twice, body.into()).await;
    expect_fault(answer, "Idempotency-Key", "given twice");
    assert_nothing_is_stored(&gateway);
    for key in ["k".repeat(255), "~ !\"#".into()] {
        product.post_with_key("/v1/payments", &payment_request(json!({})), &key).await.expect_status(201);
    }
}

#[tokio::test]
async fn a_bad_request_for_a_refund_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.ended(&gateway, "succeed", json!({})).await);
    let request = |changes: Value| {
        let mut body = json!({ "payment_id": payment_id, "amount_minor": 1, "reason": "returned" });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    for (field, value) in [
        ("payment_id", json!("")),
        ("payment_id", json!(7)),
        ("payment_id", json!("pay_\u{0}")),
        ("amount_minor", json!(0)),
        ("amount_minor", json!(-1)),
        ("amount_minor", json!(1.5)),
        ("amount_minor", json!("1")),
        ("amount_minor", json!(u64::MAX)),
        ("reason", json!("r".repeat(256))),
        ("reason", json!("line\nline")),
        ("reason", json!("\u{0}")),
        ("amount", json!(1)),
    ] {
        let what = format!("{field} = {value}");
        expect_fault(product.post("/v1/refunds", &request(json!({ field: value }))).await, field, &what);
    }
    let refused = product.post("/v1/refunds", &json!({})).await.expect_error(400, "ValidationError");
    assert_eq!(refused.detail(), "missing required fields: payment_id");
    product.post("/v1/refunds", &json!([])).await.expect_error(400, "ValidationError");
    assert_eq!(gateway.count("refunds"), 0);
}

#[tokio::test]
async fn a_bad_body_of_another_post_is_refused() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({})).await);
    let cancel = format!("/v1/payments/{payment_id}/cancel");
    expect_fault(product.post(&cancel, &json!({ "reason": "x" })).await, "reason", "cancel");
    expect_fault(product.post(&cancel, &json!([])).await, "body", "cancel");
    for since in [json!(""), json!("yesterday"), json!(5), json!("2026-05-09T12:34:56\u{0}")] {
        let what = format!("since = {since}");
        expect_fault(product.post("/v1/events/redeliver", &json!({ "since": since })).await, "since", &what);
    }
    expect_fault(product.post("/v1/events/redeliver", &json!({})).await, "since", "absent");
    assert_eq!(product.payment(&payment_id).await["status"], "initiated");
}

#[tokio::test]
async fn a_bad_query_string_is_refused() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let lists = ["/v1/payments", "/v1/refunds", "/v1/events", "/v1/customers"];
    for list in lists {
        for (query, path) in [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=abc", "limit"),
            ("limit=1.5", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("limit=5&limit=6", "limit"),
            ("colour=red", "colour"),
            ("Limit=5", "Limit"),
            ("cursor=%00", "cursor"),
            ("cursor=a%0Ab", "cursor"),
        ] {
            expect_fault(product.get(&format!("{list}?{query}")).await, path, &format!("{list}?{query}"));
        }
        let long = format!("{list}?cursor={}", "x".repeat(301));
        expect_fault(product.get(&long).await, "cursor", "a long cursor");
    }
    for (query, path) in [
        ("cursor=abc", "cursor"),
        ("cursor=pay_", "cursor"),
        ("status=paid", "status"),
        ("status=Succeeded", "status"),
        ("created_from=yesterday", "created_from"),
        ("created_from=2026-02-30T00:00:00Z", "created_from"),
        ("created_from=2026-05-09", "created_from"),
        ("created_to=1760000000", "created_to"),
        ("method=a%00b", "method"),
        ("external_user_id=%01", "external_user_id"),
    ] {
        expect_fault(product.get(&format!("/v1/payments?{query}")).await, path, query);
    }
    for (query, path) in [
        ("currency=usd&method=paypal", "currency"),
        ("currency=USD", "method"),
        ("method=paypal", "currency"),
        ("currency=USD&method=paypal&mode=live", "mode"),
    ] {
        expect_fault(product.get(&format!("/v1/routes?{query}")).await, path, query);
    }
}

#[tokio::test]
async fn a_cursor_that_no_page_gave_is_refused() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    for path in ["/v1/payments?cursor=abc", "/v1/refunds?cursor=abc", "/v1/events?cursor=abc"] {
        expect_fault(product.get(path).await, "cursor", path);
    }
}

#[tokio::test]
async fn an_id_that_cannot_be_one_is_not_found_whatever_bytes_it_has() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let long = "x".repeat(2000);
    let mut otherwise = Vec::new();
    for id in ["x", "pay_", "%00", "pay_%00", "a%0Ab", "%F0%9F%92%B8", "%27%3B--", long.as_str()] {
        for (method, path, code) in [
            ("GET", format!("/v1/payments/{id}"), "PaymentNotFound"),
            ("GET", format!("/v1/payments/{id}/timeline"), "PaymentNotFound"),
            ("POST", format!("/v1/payments/{id}/cancel"), "PaymentNotFound"),
            ("GET", format!("/v1/refunds/{id}"), "RefundNotFound"),
            ("GET", format!("/v1/events/{id}"), "EventNotFound"),
            ("POST", format!("/v1/events/{id}/redeliver"), "EventNotFound"),
            ("GET", format!("/v1/customers/{id}"), "CustomerNotFound"),
            ("GET", format!("/mock/checkout/{id}"), "PaymentNotFound"),
            ("GET", format!("/mock/charges/{id}"), "PaymentNotFound"),
        ] {
            let answer = product.request(method, &path, b"", None).await;
            if (answer.status, answer.code().as_str()) != (404, code) {
                otherwise.push(format!("{method} {path}: {} {}", answer.status, answer.code()));
            }
        }
    }
    assert_eq!(otherwise, Vec::<String>::new());
    let answer = product.get("/v1/payments/%FF").await;
    assert!((400..500).contains(&answer.status), "{}: {}", answer.status, answer.text);
    assert_nothing_is_stored(&gateway);
}

#[tokio::test]
async fn nothing_of_another_app_or_another_mode_can_be_reached() {
    let gateway = TestGateway::spawn_stepped().await;
    let owner = gateway.product(Mode::Test).await;
    let paid = owner.ended(&gateway, "succeed", json!({ "external_user_id": "user-7" })).await;
    let payment_id = id_of(&paid);
    let open_id = id_of(&owner.created(json!({})).await);
    let refund = owner.post("/v1/refunds", &json!({ "payment_id": payment_id, "amount_minor": 1 })).await;
    let refund_id = refund.expect_status(201).text_of("refund_id");
    let events = owner.listed("/v1/events").await;
    let event_id = events[0]["event_id"].as_str().unwrap();

    for mode in Mode::ALL {
        let stranger = gateway.product(mode).await;
        let missing = stranger.get(&format!("/v1/payments/pay_{}", "0".repeat(26))).await;
        let missing = missing.expect_error(404, "PaymentNotFound");
        for (path, code) in [
            (format!("/v1/payments/{payment_id}"), "PaymentNotFound"),
            (format!("/v1/payments/{payment_id}/timeline"), "PaymentNotFound"),
            (format!("/v1/refunds/{refund_id}"), "RefundNotFound"),
            (format!("/v1/events/{event_id}"), "EventNotFound"),
            ("/v1/customers/user-7".to_owned(), "CustomerNotFound"),
        ] {
            let answer = stranger.get(&path).await.expect_error(404, code);
            if code == "PaymentNotFound" {
                assert_eq!(answer.without_request_id(), missing.without_request_id());
            }
        }
        for (path, body, code) in [
            (format!("/v1/payments/{open_id}/cancel"), json!({}), "PaymentNotFound"),
            (format!("/v1/events/{event_id}/redeliver"), json!({}), "EventNotFound"),
            ("/v1/refunds".to_owned(), json!({ "payment_id": payment_id }), "PaymentNotFound"),
        ] {
            stranger.post(&path, &body).await.expect_error(404, code);
        }
        for list in [
            "/v1/payments".to_owned(),
            "/v1/payments?external_user_id=user-7".to_owned(),
            "/v1/customers".to_owned(),
            "/v1/events".to_owned(),
            format!("/v1/events?payment_id={payment_id}"),
            "/v1/refunds".to_owned(),
            format!("/v1/refunds?payment_id={payment_id}"),
        ] {
            assert_eq!(stranger.listed(&list).await, Vec::<Value>::new(), "{list}");
        }
    }
    assert_eq!(owner.payment(&open_id).await["status"], "initiated");
    assert_eq!(owner.payment(&payment_id).await["refunded_minor"], 1);
}

#[tokio::test]
async fn a_bad_choice_at_the_mock_checkout_is_refused() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({})).await);
    let url = gateway.url(&format!("/mock/checkout/{payment_id}"));
    let client = reqwest::Client::new();
    let form = "application/x-www-form-urlencoded";
    for (media_type, body) in [
        (form, "outcome=win".to_owned()),
        (form, "outcome=".to_owned()),
        (form, "outcome=Succeed".to_owned()),
        (form, "x=y".to_owned()),
        (form, String::new()),
        ("application/json", "{\"outcome\":\"succeed\"}".to_owned()),
        (form, format!("outcome=succeed&pad={}", "x".repeat(5000))),
    ] {
        let request = client.post(&url).header("content-type", media_type).body(body);
        let answer = Answer::of(request.send().await.unwrap()).await;
        answer.expect_error(400, "ValidationError");
    }
    assert_eq!(product.payment(&payment_id).await["status"], "initiated");
    assert_eq!(gateway.charges(&payment_id).await, 0);
}
