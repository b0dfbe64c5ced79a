//! A gateway of the test's own, a product that signs, and a receiver that answers as it is told.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::Mutex;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::config::Settings;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;
use switchyard::domain::signing::{request_signature, sha256};
use switchyard::gateway::{AppOptions, IssuedApp};
use switchyard::serve::{Options, Server, start, start_on};

pub use crate::test_database::TestDatabase;

/// A gateway in this process, with a database of its own.
pub struct TestGateway {
    pub server: Server,
    pub database: TestDatabase,
    pub clock: Clock,
}

impl TestGateway {
    /// A gateway that works by itself, on the machine's clock.
    pub async fn spawn() -> Self {
        Self::spawn_with(Clock::system(), true, |_| {}).await
    }

    /// A gateway whose clock the test moves and whose work the test steps.
    pub async fn spawn_stepped() -> Self {
        Self::spawn_with(Clock::manual(Clock::system().now()), false, |_| {}).await
    }

    /// A gateway with other settings.
    pub async fn spawn_with(clock: Clock, with_work: bool, change: impl FnOnce(&mut Settings)) -> Self {
        let database = TestDatabase::new();
        let mut settings = database.settings();
        change(&mut settings);
        let options = Options { clock: clock.clone(), with_work, ..Options::default() };
        let server = start(settings, options).await.unwrap();
        Self { server, database, clock }
    }

    /// A gateway on a socket that is open already, so that its address is known before it starts.
    pub async fn spawn_on(
        listener: TcpListener,
        clock: Clock,
        with_work: bool,
        change: impl FnOnce(&mut Settings),
    ) -> Self {
        let database = TestDatabase::new();
        let mut settings = database.settings();
        change(&mut settings);
        let options = Options { clock: clock.clone(), with_work, ..Options::default() };
        let server = start_on(listener, settings, options).await.unwrap();
        Self { server, database, clock }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// A product with an app of `mode`, without an endpoint.
    pub async fn product(&self, mode: Mode) -> Product {
        self.product_with(mode, |_| {}).await
    }

    /// A product whose app is made with other options.
    pub async fn product_with(&self, mode: Mode, change: impl FnOnce(&mut AppOptions)) -> Product {
        let mut options = AppOptions {
            name: "Test shop".to_owned(),
            mode,
            webhook_url: None,
            allowed_providers: Vec::new(),
            allowed_methods: Vec::new(),
            require_signed_query: false,
            kyc_above: Vec::new(),
        };
        change(&mut options);
        let issued = self.server.gateway.create_app(options).await.unwrap();
        Product::new(self.server.url(), issued, self.clock.clone())
    }

    /// Does everything that is due by the gateway's clock.
    pub async fn step(&self) {
        switchyard::work::run_until_idle(&self.server.gateway).await.unwrap();
    }

    /// Moves the clock on, then does everything that is due.
    pub async fn advance(&self, by: Duration) {
        self.clock.advance(by);
        self.step().await;
    }

    /// What a buyer does at the mock's checkout; answers with the redirect's target.
    pub async fn act_at_checkout(&self, payment_id: &str, outcome: &str) -> (u16, String) {
        let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let url = self.url(&format!("/mock/checkout/{payment_id}"));
        let response = client.post(url).form(&[("outcome", outcome)]).send().await.unwrap();
        let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), location.unwrap_or_default())
    }
}

/// A product's backend: signs requests and reads answers.
#[derive(Clone)]
pub struct Product {
    pub base_url: String,
    pub public_key: String,
    pub secret: String,
    pub webhook_secret: String,
    pub app_id: String,
    pub clock: Clock,
    pub client: reqwest::Client,
}

/// What the gateway answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    /// The answer, read to its end; of a stream, which has none, its beginning.
    pub async fn of(mut response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = if headers.get("content-type").is_some_and(|value| value == "text/event-stream") {
            String::from_utf8(response.chunk().await.unwrap().unwrap().to_vec()).unwrap()
        } else {
            response.text().await.unwrap()
        };
        Self { status, headers, text }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A text field of the answer.
    pub fn text_of(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no {field} in {}", self.text)).to_owned()
    }

    #[track_caller]
    pub fn expect_status(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Asserts an error: its status, its code, and that its body has the one shape.
    #[track_caller]
    pub fn expect_error(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, self.code().as_str()), (status, code), "{}", self.text);
        let body = self.json();
        assert_eq!(self.header("content-type"), Some("application/problem+json"));
        assert_eq!(body["status"], status);
        assert_eq!(body["statusCode"], status);
        assert_eq!(body["error"], code);
        assert_eq!(body["request_id"], body["requestId"]);
        assert!(body["title"].is_string() && body["detail"].is_string());
        assert!(body["type"].as_str().unwrap().starts_with("/docs/errors#"));
        self
    }
}

impl Product {
    pub fn new(base_url: String, issued: IssuedApp, clock: Clock) -> Self {
        Self {
            base_url,
            public_key: issued.app.public_key.clone(),
            secret: issued.secret.expose().to_owned(),
            webhook_secret: issued.webhook_secret.expose().to_owned(),
            app_id: issued.app.app_id.to_string(),
            clock,
            // The server ends a connection that was idle for five seconds, at which moment nothing may be on its way.
            client: reqwest::Client::builder().pool_idle_timeout(Duration::from_secs(2)).build().unwrap(),
        }
    }

    /// The headers of a request signed at `timestamp`. `path` may have a query string, which is then signed too.
    pub fn signed_headers(&self, method: &str, path: &str, body: &[u8], timestamp: i64) -> Vec<(String, String)> {
        let signature = request_signature(&self.secret, timestamp, method, path, &sha256(body));
        [
            ("X-PAY-Key", self.public_key.clone()),
            ("X-PAY-Timestamp", timestamp.to_string()),
            ("X-PAY-Signature", signature),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: Vec<u8>) -> Answer {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.base_url));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Answer::of(request.body(body).send().await.unwrap()).await
    }

    /// A signed request with a raw body, now.
    pub async fn request(&self, method: &str, path: &str, body: &[u8], key: Option<&str>) -> Answer {
        let mut headers = self.signed_headers(method, path, body, self.clock.now().unix_seconds());
        if !body.is_empty() {
            headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        }
        if let Some(key) = key {
            headers.push(("Idempotency-Key".to_owned(), key.to_owned()));
        }
        self.send(method, path, &headers, body.to_vec()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, b"", None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.request("POST", path, body.to_string().as_bytes(), None).await
    }

    pub async fn post_with_key(&self, path: &str, body: &Value, key: &str) -> Answer {
        self.request("POST", path, body.to_string().as_bytes(), Some(key)).await
    }

    /// A payment of Rp 50,000 by BCA virtual account, with `changes` merged into the request.
    pub async fn create(&self, changes: Value) -> Answer {
        self.post("/v1/payments", &payment_request(changes)).await
    }

    /// As [`Product::create`], and it must work: the payment's object.
    pub async fn created(&self, changes: Value) -> Value {
        self.create(changes).await.expect_status(201).json()
    }

    /// The payment as it is now.
    pub async fn payment(&self, payment_id: &str) -> Value {
        self.get(&format!("/v1/payments/{payment_id}")).await.expect_status(200).json()
    }
}

/// The body of a request for a payment, with `changes` merged in (null takes a field out). Each is different, as two
/// that are alike and signed in the same second would have the same signature.
pub fn payment_request(changes: Value) -> Value {
    let mut request = json!({
        "external_user_id": format!("user-{}", random_hex(4)),
        "email": "buyer@shop.example",
        "amount_minor": 50_000,
        "currency": "IDR",
        "method": "va_bca",
        "return_url": "https://shop.example/thanks?order=7",
    });
    for (name, value) in changes.as_object().into_iter().flatten() {
        match value {
            Value::Null => {
                request.as_object_mut().unwrap().remove(name);
            }
            value => request[name] = value.clone(),
        }
    }
    request
}

/// A product's receiver. It keeps what it gets and answers 204, or what it was told to answer.
pub struct Receiver {
    pub url: String,
    state: Data<ReceiverState>,
    handle: ServerHandle,
}

#[derive(Default)]
struct ReceiverState {
    received: Mutex<Vec<Delivered>>,
    script: Mutex<VecDeque<Reply>>,
    always: Mutex<Option<Reply>>,
}

/// What a receiver answers.
#[derive(Clone, Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
    pub after: Duration,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new(), after: Duration::ZERO }
    }
}

/// What a receiver got.
#[derive(Clone, Debug)]
pub struct Delivered {
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Delivered {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn header(&self, name: &str) -> String {
        let found = self.headers.iter().find(|(found, _)| found == name);
        found.unwrap_or_else(|| panic!("no header {name}")).1.clone()
    }
}

impl Receiver {
    pub async fn start() -> Self {
        Self::start_on(0).await
    }

    /// As [`Receiver::start`], on a port that others know already.
    pub async fn start_on(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let state = Data::new(ReceiverState::default());
        let shared = state.clone();
        let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(receive)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, state, handle }
    }

    /// What is answered next, once.
    pub fn answer_next(&self, reply: Reply) {
        self.state.script.lock().unwrap().push_back(reply);
    }

    /// What is answered from now on, where nothing is scripted.
    pub fn answer_always(&self, reply: Reply) {
        *self.state.always.lock().unwrap() = Some(reply);
    }

    pub fn received(&self) -> Vec<Delivered> {
        self.state.received.lock().unwrap().clone()
    }

    /// The names of the events that came, in order.
    pub fn names(&self) -> Vec<String> {
        self.received().iter().map(|delivered| delivered.json()["event"].as_str().unwrap().to_owned()).collect()
    }

    /// Waits until `count` requests have come.
    pub async fn wait_for(&self, count: usize) -> Vec<Delivered> {
        eventually(&format!("{count} deliveries"), || async { self.received().len() >= count }).await;
        self.received()
    }

    pub async fn stop(self) {
        self.handle.stop(false).await;
    }
}

async fn receive(state: Data<ReceiverState>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let headers = request
        .headers()
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
        .collect();
    state.received.lock().unwrap().push(Delivered { headers, body: body.to_vec() });
    let scripted = state.script.lock().unwrap().pop_front();
    let always = state.always.lock().unwrap().clone();
    let reply = scripted.or(always).unwrap_or_else(|| Reply::status(204));
    tokio::time::sleep(reply.after).await;
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap());
    for (name, value) in &reply.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.body(reply.body)
}

/// Waits until `condition` holds; fails after half a minute, which a busy machine may need for what takes a second.
pub async fn eventually<F, Fut>(what: &str, condition: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    eventually_within(Duration::from_secs(30), what, condition).await;
}

/// The program itself, for what only a process can show.
pub fn program() -> std::process::Command {
    std::process::Command::new(env!("CARGO_BIN_EXE_switchyard"))
}

impl TestGateway {
    /// A gateway whose clock stands, and a product with an app of mode `test`.
    pub async fn stepped_with_product() -> (Self, Product) {
        let gateway = Self::spawn_stepped().await;
        let product = gateway.product(Mode::Test).await;
        (gateway, product)
    }

    /// How many rows a table has.
    pub fn count(&self, table: &str) -> i64 {
        self.database.number(&format!("SELECT COUNT(*) FROM {table}"))
    }

    /// What anyone gets at a path, unsigned.
    pub async fn fetch(&self, path: &str) -> Answer {
        Answer::of(reqwest::get(self.url(path)).await.unwrap()).await
    }

    /// How often the mock charged a payment.
    pub async fn charges(&self, payment_id: &str) -> Value {
        self.fetch(&format!("/mock/charges/{payment_id}")).await.expect_status(200).json()["charges"].clone()
    }
}

impl Answer {
    /// What an error says to people.
    pub fn detail(&self) -> String {
        self.text_of("detail")
    }

    /// The `path: reason` lines of a `ValidationError`.
    #[track_caller]
    pub fn messages(&self) -> Vec<String> {
        let body = self.json();
        let lines = body["message"].as_array().unwrap_or_else(|| panic!("message is no array: {}", self.text));
        lines.iter().map(|line| line.as_str().unwrap().to_owned()).collect()
    }

    /// The body of an error without what is different in every answer.
    pub fn without_request_id(&self) -> Value {
        let mut body = self.json();
        for name in ["request_id", "requestId"] {
            body.as_object_mut().unwrap().remove(name).unwrap();
        }
        body
    }
}

impl Product {
    /// A POST that was signed at another moment, so that its signature is another one.
    pub async fn post_signed_at(&self, path: &str, body: &str, key: Option<&str>, timestamp: i64) -> Answer {
        let mut headers = self.signed_headers("POST", path, body.as_bytes(), timestamp);
        headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
        headers.extend(key.map(|key| ("Idempotency-Key".to_owned(), key.to_owned())));
        self.send("POST", path, &headers, body.into()).await
    }

    /// A payment that the mock ends in `outcome` with the gateway's next step, stepped to its end.
    pub async fn ended(&self, gateway: &TestGateway, outcome: &str, changes: Value) -> Value {
        let mut changes = changes;
        changes["mock"]["outcome"] = outcome.into();
        let payment = self.created(changes).await;
        gateway.step().await;
        self.payment(payment["payment_id"].as_str().unwrap()).await
    }

    /// The items of a list.
    pub async fn listed(&self, path: &str) -> Vec<Value> {
        self.get(path).await.expect_status(200).json()["data"].as_array().unwrap().clone()
    }

    /// The names of a payment's events, in alphabetical order.
    pub async fn event_names(&self, payment_id: &str) -> Vec<String> {
        let events = self.listed(&format!("/v1/events?payment_id={payment_id}")).await;
        let mut names: Vec<String> = events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }
}

/// The id of a payment's object.
pub fn id_of(payment: &Value) -> String {
    payment["payment_id"].as_str().unwrap_or_else(|| panic!("no payment: {payment}")).to_owned()
}

/// As [`eventually`], with a limit of the caller's.
pub async fn eventually_within<F, Fut>(limit: Duration, what: &str, condition: F)
where
    F: Fn() -> Fut,
    Fut: Future<Output = bool>,
{
    let started = std::time::Instant::now();
    while !condition().await {
        assert!(started.elapsed() < limit, "did not happen within {limit:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Watches for `period` that `condition` holds all the time.
pub async fn throughout(period: Duration, what: &str, condition: impl Fn() -> bool) {
    let started = std::time::Instant::now();
    while started.elapsed() < period {
        assert!(condition(), "did not stay so for {period:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The program, set to work on a test's database from the test's own directory.
pub fn program_on(database: &TestDatabase) -> std::process::Command {
    let mut command = program();
    command
        .current_dir(&database.directory)
        .env("SWITCHYARD__DATABASE__URL", database.url())
        .env("SWITCHYARD__SECRETS__KEY_FILE", database.directory.join("secrets.key"))
        .env("SWITCHYARD__SERVER__BIND", "127.0.0.1:0");
    command
}

/// The program as a server of its own process. Dropping it kills it.
pub struct ServingProgram {
    pub url: String,
    pub ready_after: Duration,
    child: std::process::Child,
}

impl ServingProgram {
    /// Starts it on a free port with more settings from variables, and waits until it answers.
    pub async fn start(database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self::start_on(port, database, variables).await
    }

    /// As [`ServingProgram::start`], on a port that others know already.
    pub async fn start_on(port: u16, database: &TestDatabase, variables: &[(&str, &str)]) -> Self {
        let url = format!("http://127.0.0.1:{port}");
        let log = std::fs::File::create(database.directory.join("serve.log")).unwrap();
        let started = std::time::Instant::now();
        let child = program_on(database)
            .arg("serve")
            .env("SWITCHYARD__SERVER__BIND", format!("127.0.0.1:{port}"))
            .envs(variables.iter().copied())
            .stdout(std::process::Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut serving = Self { url, ready_after: Duration::ZERO, child };
        let ready = format!("{}/readyz", serving.url);
        eventually("the program answers /readyz with 200", || async {
            reqwest::get(&ready).await.is_ok_and(|response| response.status() == 200)
        })
        .await;
        serving.ready_after = started.elapsed();
        serving
    }

    /// What it has in memory, in mebibytes.
    pub fn resident_mib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop as a service manager does; answers with its exit code and how long it took.
    pub async fn terminate(mut self) -> (Option<i32>, Duration) {
        let started = std::time::Instant::now();
        let asked = std::process::Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status().unwrap();
        assert!(asked.success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status.code(), started.elapsed());
            }
            assert!(started.elapsed() < Duration::from_secs(30), "the program did not stop within 30 s");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for ServingProgram {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
