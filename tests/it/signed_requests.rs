//! Who may ask: signatures, timestamps, and requests that were captured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::gateway::AppChange;

use crate::support::{Answer, Product, TestGateway, id_of, payment_request};

const DAY: Duration = Duration::from_secs(24 * 3600);

type Headers = Vec<(String, String)>;

/// The headers of an empty GET signed now, for a test to spoil.
fn headers_for(product: &Product, path: &str) -> Headers {
    product.signed_headers("GET", path, b"", product.clock.now().unix_seconds())
}

/// `headers` with another value for one of them.
fn with(headers: &Headers, name: &str, value: &str) -> Headers {
    let replace = |(found, old): &(String, String)| {
        let value = if found == name { value } else { old };
        (found.clone(), value.to_owned())
    };
    headers.iter().map(replace).collect()
}

async fn list_with(product: &Product, headers: &Headers) -> Answer {
    product.send("GET", "/v1/payments", headers, vec![]).await
}

#[tokio::test]
async fn a_signed_request_makes_a_payment_and_an_unsigned_one_does_not() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let payment = product.created(json!({ "invoice_prefix": "INV" })).await;
    assert_eq!(payment["status"], "initiated");
    assert_eq!(payment["invoice_number"], "INV-000001");
    product.send("POST", "/v1/payments", &[], vec![]).await.expect_error(401, "MissingAuthHeaders");
}

#[tokio::test]
async fn a_captured_request_makes_no_second_payment() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let body = payment_request(json!({})).to_string();
    let mut headers =
        product.signed_headers("POST", "/v1/payments", body.as_bytes(), product.clock.now().unix_seconds());
    headers.push(("Content-Type".into(), "application/json".into()));
    let with_key = |key: &str| [headers.clone(), vec![("Idempotency-Key".into(), key.into())]].concat();
    let send = |headers: Vec<(String, String)>| {
        let (product, body) = (product.clone(), body.clone());
        async move { product.send("POST", "/v1/payments", &headers, body.into()).await }
    };

    let first = send(with_key("k1")).await.expect_status(201);
    let stripped = send(headers.clone()).await.expect_status(201);
    assert_eq!(stripped.text, first.text);
    assert_eq!(stripped.header("idempotent-replayed"), Some("true"));
    send(with_key("k2")).await.expect_error(409, "SignatureReused");
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM payments"), 1);
}

#[tokio::test]
async fn each_of_the_three_headers_is_required() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let headers = headers_for(&product, "/v1/payments");
    list_with(&product, &headers).await.expect_status(200);
    for missing in ["X-PAY-Key", "X-PAY-Timestamp", "X-PAY-Signature"] {
        let rest: Headers = headers.iter().filter(|(name, _)| name != missing).cloned().collect();
        let refused = list_with(&product, &rest).await.expect_error(401, "MissingAuthHeaders");
        assert_eq!(refused.detail(), "missing auth headers", "without {missing}");
    }
}

#[tokio::test]
async fn a_header_that_comes_twice_is_refused() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let headers = headers_for(&product, "/v1/payments");
    for twice in &headers {
        let doubled = [headers.clone(), vec![twice.clone()]].concat();
        list_with(&product, &doubled).await.expect_error(401, "MissingAuthHeaders");
    }
}

#[tokio::test]
async fn a_timestamp_that_is_no_integer_is_bad() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let headers = headers_for(&product, "/v1/payments");
    for timestamp in ["abc", "1.5", "1e9", "0x10", "12 34", "-"] {
        let refused = list_with(&product, &with(&headers, "X-PAY-Timestamp", timestamp)).await;
        assert_eq!(refused.expect_error(401, "BadTimestamp").detail(), "bad timestamp", "{timestamp}");
    }
}

#[tokio::test]
async fn an_empty_timestamp_is_bad() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let headers = headers_for(&product, "/v1/payments");
    list_with(&product, &with(&headers, "X-PAY-Timestamp", "")).await.expect_error(401, "BadTimestamp");
}

#[tokio::test]
async fn a_timestamp_may_be_300_seconds_away_and_not_301_both_ways() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let now = product.clock.now().unix_seconds();
    for skew in [-300, -299, 0, 299, 300] {
        let headers = product.signed_headers("GET", "/v1/payments", b"", now + skew);
        list_with(&product, &headers).await.expect_status(200);
    }
    for timestamp in [now - 301, now + 301, -1, 0, i64::MAX, i64::MIN] {
        let headers = product.signed_headers("GET", "/v1/payments", b"", timestamp);
        let refused = list_with(&product, &headers).await.expect_error(401, "TimestampOutOfRange");
        assert_eq!(refused.detail(), "timestamp out of range", "{timestamp}");
    }
}

#[tokio::test]
async fn a_signature_over_anything_else_is_bad() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let now = product.clock.now().unix_seconds();
    let headers = headers_for(&product, "/v1/payments");
    let signature = headers[2].1.clone();
    let stranger = gateway.product(Mode::Test).await;
    let mixed = Product { secret: stranger.secret.clone(), ..product.clone() };
    let bad = [
        ("no hex", "zz".to_owned()),
        ("cut short", signature[..63].to_owned()),
        ("in capitals", signature.to_uppercase()),
        ("of another method", product.signed_headers("POST", "/v1/payments", b"", now)[2].1.clone()),
        ("of another path", product.signed_headers("GET", "/v1/events", b"", now)[2].1.clone()),
        ("of another body", product.signed_headers("GET", "/v1/payments", b"{}", now)[2].1.clone()),
        ("of another moment", product.signed_headers("GET", "/v1/payments", b"", now - 1)[2].1.clone()),
        ("with another app's secret", mixed.signed_headers("GET", "/v1/payments", b"", now)[2].1.clone()),
    ];
    for (what, signature) in bad {
        let refused = list_with(&product, &with(&headers, "X-PAY-Signature", &signature)).await;
        assert_eq!((refused.status, refused.detail().as_str()), (401, "bad signature"), "{what}");
        refused.expect_error(401, "BadSignature");
    }
    let body = payment_request(json!({})).to_string();
    let mut signed_other = product.signed_headers("POST", "/v1/payments", body.as_bytes(), now);
    signed_other.push(("Content-Type".into(), "application/json".into()));
    let tampered = body.replace("50000", "50001");
    product.send("POST", "/v1/payments", &signed_other, tampered.into()).await.expect_error(401, "BadSignature");
    assert_eq!(gateway.count("payments"), 0);
}

#[tokio::test]
async fn an_unknown_and_an_archived_key_answer_exactly_like_a_bad_signature() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let archived = gateway.product(Mode::Test).await;
    archived.get("/v1/payments").await.expect_status(200);
    gateway.server.gateway.change_app(&archived.app_id, AppChange::Archive).await.unwrap();
    gateway.step().await;
    let unknown = Product { public_key: "pk_test_0123456789abcdef01234567".into(), ..product.clone() };
    let shapeless = Product { public_key: "nonsense".into(), ..product.clone() };

    let headers = with(&headers_for(&product, "/v1/payments"), "X-PAY-Signature", &"0".repeat(64));
    let bad = list_with(&product, &headers).await.expect_error(401, "BadSignature");
    for other in [&archived, &unknown, &shapeless] {
        let refused = other.get("/v1/payments").await.expect_error(401, "BadSignature");
        assert_eq!(refused.without_request_id(), bad.without_request_id());
        let names = |answer: &Answer| {
            let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&refused), names(&bad));
    }
}

#[tokio::test]
async fn a_signature_covers_the_path_alone_or_the_query_too() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    for signed in ["/v1/payments?limit=5", "/v1/payments"] {
        let headers = headers_for(&product, signed);
        product.send("GET", "/v1/payments?limit=5", &headers, vec![]).await.expect_status(200);
    }
    let headers = headers_for(&product, "/v1/payments?limit=5");
    for other in ["/v1/payments?limit=6", "/v1/payments?limit=5&", "/v1/payments"] {
        product.send("GET", other, &headers, vec![]).await.expect_error(401, "BadSignature");
    }
}

#[tokio::test]
async fn an_app_can_insist_on_signed_queries() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product_with(Mode::Test, |options| options.require_signed_query = true).await;
    let signed_with_query = headers_for(&product, "/v1/payments?limit=5");
    product.send("GET", "/v1/payments?limit=5", &signed_with_query, vec![]).await.expect_status(200);
    let signed_without = headers_for(&product, "/v1/payments");
    product.send("GET", "/v1/payments?limit=5", &signed_without, vec![]).await.expect_error(401, "BadSignature");
    list_with(&product, &signed_without).await.expect_status(200);
}

#[tokio::test]
async fn the_path_is_signed_as_it_was_sent() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    product.created(json!({ "external_user_id": "a/b ü" })).await;
    let found = product.get("/v1/customers/a%2Fb%20%C3%BC").await.expect_status(200);
    assert_eq!(found.text_of("external_user_id"), "a/b ü");
    product.get("/v1/payments/%2F").await.expect_error(404, "PaymentNotFound");
    for nowhere in ["/v1//payments", "//v1/payments", "/v1/payments//timeline/x"] {
        product.get(nowhere).await.expect_error(404, "NotFound");
    }
    let decoded = headers_for(&product, "/v1/customers/a/b ü");
    product.send("GET", "/v1/customers/a%2Fb%20%C3%BC", &decoded, vec![]).await.expect_error(401, "BadSignature");
}

#[tokio::test]
async fn an_old_secret_works_for_the_overlap_and_then_stops() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let issued = gateway.server.gateway.rotate_app(&product.app_id, DAY).await.unwrap();
    let rotated = Product::new(gateway.server.url(), issued, gateway.clock.clone());
    assert_ne!(rotated.secret, product.secret);
    rotated.get("/v1/payments").await.expect_status(200);
    product.get("/v1/payments").await.expect_status(200);

    gateway.advance(DAY - Duration::from_secs(1)).await;
    product.get("/v1/payments").await.expect_status(200);
    gateway.advance(Duration::from_secs(1)).await;
    product.get("/v1/payments").await.expect_error(401, "BadSignature");
    rotated.get("/v1/payments").await.expect_status(200);
}

#[tokio::test]
async fn a_rotation_can_be_finished_before_its_overlap_is_over() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let issued = gateway.server.gateway.rotate_app(&product.app_id, DAY).await.unwrap();
    let rotated = Product::new(gateway.server.url(), issued, gateway.clock.clone());
    gateway.step().await;
    product.get("/v1/payments").await.expect_status(200);
    gateway.server.gateway.change_app(&product.app_id, AppChange::FinishRotation).await.unwrap();
    gateway.step().await;
    product.get("/v1/payments").await.expect_error(401, "BadSignature");
    rotated.get("/v1/payments").await.expect_status(200);
}

#[tokio::test]
async fn a_new_app_works_at_once_and_an_archived_one_stops_by_itself() {
    let gateway = TestGateway::spawn().await;
    for _ in 0..3 {
        let product = gateway.product(Mode::Test).await;
        product.get("/v1/payments").await.expect_status(200);
    }
    let product = gateway.product(Mode::Test).await;
    gateway.server.gateway.change_app(&product.app_id, AppChange::Archive).await.unwrap();
    crate::support::eventually("the archived key stops", || async { product.get("/v1/payments").await.status == 401 })
        .await;
}

#[tokio::test]
async fn a_key_of_a_mode_that_is_not_served_here_is_told_where_to_go() {
    let gateway = TestGateway::spawn_with(Clock::system(), false, |settings| {
        settings.modes = vec![Mode::Test];
        settings.mode_urls.insert(Mode::Live, "https://live.pay.example".into());
    })
    .await;
    gateway.product(Mode::Test).await.get("/v1/payments").await.expect_status(200);

    let live = gateway.product(Mode::Live).await.get("/v1/payments").await.expect_error(421, "ModeNotServed");
    assert!(live.detail().contains("live") && live.detail().contains("https://live.pay.example"), "{}", live.text);
    assert_eq!((live.text_of("mode"), live.text_of("mode_url")), ("live".into(), "https://live.pay.example".into()));
    let sandbox = gateway.product(Mode::Sandbox).await.get("/v1/payments").await.expect_error(421, "ModeNotServed");
    assert!(sandbox.detail().contains("sandbox") && !sandbox.detail().contains("http"), "{}", sandbox.text);
    assert!(sandbox.json()["mode_url"].is_null());
}

#[tokio::test]
async fn every_answer_carries_a_request_id_of_its_own() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let payment_id = id_of(&product.created(json!({})).await);
    let mut answers = vec![
        product.create(json!({})).await.expect_status(201),
        product.get("/v1/payments").await.expect_status(200),
        product.create(json!({ "currency": "usd" })).await.expect_status(400),
        product.create(json!({ "method": "cash" })).await.expect_status(422),
        product.create(json!({ "mock": { "start": "refuse" } })).await.expect_status(502),
    ];
    for (path, status) in [("/v1/payments", 401), ("/nowhere", 404), ("/info", 200), ("/healthz", 200), ("/docs", 200)]
    {
        answers.push(gateway.fetch(path).await.expect_status(status));
    }
    answers.push(gateway.fetch(&format!("/mock/checkout/{payment_id}")).await.expect_status(200));
    answers.push(product.send("DELETE", "/v1/payments", &[], vec![]).await.expect_status(405));

    let mut ids: Vec<String> = Vec::new();
    for answer in &answers {
        let id = answer.header("x-request-id").unwrap_or_else(|| panic!("no x-request-id: {}", answer.text));
        assert!(!id.is_empty());
        if answer.status >= 400 {
            assert_eq!(answer.text_of("request_id"), id);
        }
        ids.push(id.to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), answers.len(), "two answers have the same id");
}

#[tokio::test]
async fn who_accepts_plain_text_gets_the_detail_alone() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let plain = |mut headers: Headers| {
        headers.push(("Accept".into(), "text/plain".into()));
        headers
    };
    let unsigned = product.send("GET", "/v1/payments", &plain(vec![]), vec![]).await.expect_status(401);
    assert_eq!(unsigned.text, "missing auth headers");
    assert_eq!(unsigned.header("content-type"), Some("text/plain; charset=utf-8"));
    let missing = product.send("GET", "/v1/payments/x", &plain(headers_for(&product, "/v1/payments/x")), vec![]).await;
    assert_eq!((missing.status, missing.text.as_str()), (404, "payment not found"));
    let ok = list_with(&product, &plain(headers_for(&product, "/v1/payments"))).await;
    assert_eq!(ok.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn a_refusal_by_the_provider_is_plain_text_too_for_who_accepts_that() {
    let (_gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({ "mock": { "start": "refuse" } })).to_string();
    let now = product.clock.now().unix_seconds();
    let mut headers = product.signed_headers("POST", "/v1/payments", body.as_bytes(), now);
    headers.push(("Accept".into(), "text/plain".into()));
    let refused = product.send("POST", "/v1/payments", &headers, body.into()).await.expect_status(502);
    assert_eq!(refused.text, "the provider refused the payment");
    assert_eq!(refused.header("content-type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn a_path_that_is_not_there_and_a_method_that_it_does_not_have_are_told_apart() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for path in ["/v1", "/v1/nothing", "/v2/payments", "/v1/payments/x/y"] {
        gateway.fetch(path).await.expect_error(404, "NotFound");
    }
    for (method, path) in [
        ("DELETE", "/v1/payments"),
        ("PUT", "/v1/payments/x"),
        ("GET", "/v1/payments/x/cancel"),
        ("POST", "/v1/routes"),
        ("POST", "/info"),
        ("GET", "/webhooks/mock/test"),
    ] {
        product.send(method, path, &[], vec![]).await.expect_error(405, "MethodNotAllowed");
    }
}

#[tokio::test]
async fn a_body_may_have_64_kib_and_not_a_byte_more() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let padded = |length: usize| {
        let body = payment_request(json!({})).to_string();
        format!("{body}{}", " ".repeat(length - body.len()))
    };
    let send = |body: String| {
        let product = product.clone();
        async move { product.request("POST", "/v1/payments", body.as_bytes(), None).await }
    };
    send(padded(64 * 1024)).await.expect_status(201);
    send(padded(64 * 1024 + 1)).await.expect_error(413, "BodyTooLarge");
    send(padded(65 * 1024)).await.expect_error(413, "BodyTooLarge");
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_body_that_says_it_is_no_json_is_not_read() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let send = |media_type: Option<&'static str>| {
        let product = product.clone();
        async move {
            let body = payment_request(json!({})).to_string();
            let now = product.clock.now().unix_seconds();
            let mut headers = product.signed_headers("POST", "/v1/payments", body.as_bytes(), now);
            headers.extend(media_type.map(|media_type| ("Content-Type".into(), media_type.into())));
            product.send("POST", "/v1/payments", &headers, body.into()).await
        }
    };
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "application"] {
        send(Some(media_type)).await.expect_error(415, "UnsupportedMediaType");
    }
    assert_eq!(gateway.count("payments"), 0);
    for media_type in [Some("application/json; charset=utf-8"), Some("Application/JSON"), None] {
        send(media_type).await.expect_status(201);
    }
}

/// Sends bytes as they are and reads until `awaited` has come, or nothing more comes.
async fn exchange(address: std::net::SocketAddr, request: String, awaited: &'static str) -> String {
    let exchange = move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = Vec::new();
        let mut chunk = [0; 4096];
        while !String::from_utf8_lossy(&answer).contains(awaited) {
            match stream.read(&mut chunk) {
                Ok(0) | Err(_) => break,
                Ok(count) => answer.extend_from_slice(&chunk[..count]),
            }
        }
        String::from_utf8(answer).unwrap()
    };
    tokio::task::spawn_blocking(exchange).await.unwrap()
}

/// The head of a signed POST, up to where it says how long its body is.
fn raw_head(product: &Product, body: &[u8]) -> String {
    let headers = product.signed_headers("POST", "/v1/payments", body, product.clock.now().unix_seconds());
    let lines: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST /v1/payments HTTP/1.1\r\nHost: x\r\n{lines}")
}

#[tokio::test]
async fn a_body_of_unknown_length_may_not_have_more_either() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let body = payment_request(json!({})).to_string();
    for (padding, status, awaited) in [(0, "201 ", "updated_at"), (65 * 1024, "413 ", "BodyTooLarge")] {
        let body = format!("{body}{}", " ".repeat(padding));
        let head = raw_head(&product, body.as_bytes());
        let request = format!("{head}Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
        let answer = exchange(gateway.server.address, request, awaited).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        assert!(answer.contains(awaited), "{answer}");
    }
    assert_eq!(gateway.count("payments"), 1);
}

#[tokio::test]
async fn a_body_that_does_not_arrive_is_given_up() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let request = format!("{}Content-Length: 100\r\n\r\n{{", raw_head(&product, b""));
    let started = Instant::now();
    let answer = exchange(gateway.server.address, request, "RequestTimeout").await;
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
    assert!(answer.contains("x-request-id: ") && answer.contains("application/problem+json"), "{answer}");
    assert!(started.elapsed() >= Duration::from_secs(9));
}
