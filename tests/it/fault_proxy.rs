//! The fault proxy itself: each of its modes, as our own client to providers meets it, before a small server that counts.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::psp::Failure;
use switchyard::psp::http::{Answer, Http, Request, client_with};

use crate::simulators::proxy::{FaultProxy, Mode};
use crate::support::eventually;

/// A server that counts what it is charged, behind a proxy.
struct Shop {
    proxy: FaultProxy,
    charges: Arc<AtomicU32>,
    handle: ServerHandle,
}

async fn charge(charges: Data<AtomicU32>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let charges = charges.fetch_add(1, Ordering::SeqCst) + 1;
    let body = String::from_utf8(body.to_vec()).unwrap();
    let key = request.headers().get("x-key").map(|value| value.to_str().unwrap());
    HttpResponse::Created()
        .json(json!({ "charges": charges, "body": body, "key": key, "path": request.uri().to_string() }))
}

impl Shop {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let upstream = format!("http://{}", listener.local_addr().unwrap());
        let charges = Arc::new(AtomicU32::new(0));
        let data = Data::from(Arc::clone(&charges));
        let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(charge)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { proxy: FaultProxy::start(&upstream).await, charges, handle }
    }

    /// A call over a connection of its own or an old one, as the client likes, with this much patience.
    async fn call_within(&self, patience: Duration) -> Result<Answer, Failure> {
        let http = Http::new(client_with(patience).unwrap(), Clock::system());
        http.send(request(&self.proxy)).await
    }

    async fn call(&self) -> Result<Answer, Failure> {
        self.call_within(Duration::from_secs(5)).await
    }

    fn charges(&self) -> u32 {
        self.charges.load(Ordering::SeqCst)
    }

    /// The class of the failure that a mode leads to, and how many charges it left.
    async fn under(&self, mode: Mode) -> (&'static str, u32) {
        self.proxy.set(mode).await;
        let before = self.charges();
        let failure = self.call_within(Duration::from_secs(1)).await.expect_err("a fault");
        (failure.class(), self.charges() - before)
    }
}

fn request(proxy: &FaultProxy) -> Request {
    Request::post_json(format!("{}/charge?n=1", proxy.url), "a body".into()).header("x-key", "k")
}

#[tokio::test]
async fn a_request_passes_whole_on_a_connection_of_its_own() {
    let shop = Shop::open().await;
    let http = Http::new(client_with(Duration::from_secs(5)).unwrap(), Clock::system());
    for count in 1..=3 {
        let answer = http.send(request(&shop.proxy)).await.unwrap();
        assert_eq!((answer.status, answer.headers["connection"].as_str()), (201, "close"));
        let expected = json!({ "charges": count, "body": "a body", "key": "k", "path": "/charge?n=1" });
        assert_eq!(answer.json::<Value>(), Ok(expected));
        assert_eq!((shop.proxy.connections(), shop.proxy.forwarded()), (count, count));
    }
    let long = "x".repeat(200_000);
    let request = Request::post_json(format!("{}/", shop.proxy.url), long.clone());
    assert_eq!(http.send(request).await.unwrap().json::<Value>().unwrap()["body"], long);
}

#[tokio::test]
async fn a_refused_connection_is_certain_and_the_port_comes_back() {
    let shop = Shop::open().await;
    for _ in 0..3 {
        assert_eq!(shop.under(Mode::Refuse).await, ("connect", 0));
        let failure = shop.call().await.unwrap_err();
        assert_eq!(failure, Failure::NotSent { class: "connect", retry_after: None });
        shop.proxy.set(Mode::Pass).await;
        assert_eq!(shop.call().await.unwrap().status, 201);
    }
}

#[tokio::test]
async fn what_breaks_before_the_provider_charges_nothing_and_what_breaks_behind_it_has_charged() {
    let shop = Shop::open().await;
    for (mode, class, charges) in [
        (Mode::ResetBefore, "reset", 0),
        (Mode::ResetAfter, "reset", 1),
        (Mode::Hang, "timeout", 0),
        (Mode::HangAfter, "timeout", 1),
        (Mode::Trickle, "timeout", 1),
        (Mode::Status(500), "http_5xx", 0),
        (Mode::Status(503), "http_5xx", 0),
        (Mode::HalfClose, "reset", 1),
    ] {
        assert_eq!(shop.under(mode).await, (class, charges), "{mode:?}");
    }
}

#[tokio::test]
async fn garbage_is_an_answer_that_no_one_can_read() {
    let shop = Shop::open().await;
    shop.proxy.set(Mode::Garbage).await;
    let answer = shop.call().await.unwrap();
    assert_eq!((answer.status, shop.charges()), (200, 1));
    assert_eq!(answer.json::<Value>(), Err(Failure::Unknown { class: "garbage" }));
}

#[tokio::test]
async fn a_delay_passes_and_a_trickle_takes_a_second_for_a_byte() {
    let shop = Shop::open().await;
    shop.proxy.set(Mode::Delay(Duration::from_millis(700))).await;
    let started = Instant::now();
    assert_eq!(shop.call().await.unwrap().status, 201);
    assert!(started.elapsed() >= Duration::from_millis(700));

    shop.proxy.set(Mode::Trickle).await;
    let mut raw = tokio::net::TcpStream::connect(shop.proxy.url.trim_start_matches("http://")).await.unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    raw.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let started = Instant::now();
    let mut bytes = [0; 3];
    raw.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"HTT");
    assert!(started.elapsed() >= Duration::from_millis(1900), "{:?}", started.elapsed());
}

#[tokio::test]
async fn a_mode_can_be_for_the_next_requests_alone() {
    let shop = Shop::open().await;
    shop.proxy.set_for_next(2, Mode::Status(500));
    shop.proxy.set_for_next(1, Mode::Garbage);
    let mut found = Vec::new();
    for _ in 0..4 {
        found.push(shop.call().await.map(|answer| answer.status).map_err(|failure| failure.class()));
    }
    assert_eq!(found, [Err("http_5xx"), Err("http_5xx"), Ok(200), Ok(201)]);
    assert_eq!((shop.proxy.connections(), shop.proxy.forwarded(), shop.charges()), (4, 2, 2));
    shop.proxy.set_for_next(5, Mode::Status(500));
    shop.proxy.set(Mode::Pass).await;
    assert_eq!(shop.call().await.unwrap().status, 201, "what was set for the next is forgotten");
}

#[tokio::test]
async fn a_provider_that_is_away_behind_the_proxy_is_a_fault_of_a_gateway() {
    let shop = Shop::open().await;
    shop.handle.stop(false).await;
    assert_eq!(shop.under(Mode::Pass).await, ("http_5xx", 0));
}

#[tokio::test]
async fn a_proxy_that_is_dropped_lets_go_of_its_port() {
    let shop = Shop::open().await;
    let address = shop.proxy.url.trim_start_matches("http://").to_owned();
    let hanging = tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(shop);
    drop(hanging);
    eventually("the port is free", || async { std::net::TcpStream::connect(&address).is_err() }).await;
}
