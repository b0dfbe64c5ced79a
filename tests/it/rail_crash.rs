//! The real program is killed while a call to a provider is under way, before the provider has seen it and after it
//! has done it, and started anew: each payment and refund comes to its right end, and nothing is done twice.

use std::net::TcpListener;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;
use switchyard::gateway::{AppOptions, Gateway};

use crate::rails::Simulator;
use crate::simulators::proxy::{FaultProxy, Mode as Fault};
use crate::support::{Answer, Product, ServingProgram, TestDatabase, eventually, id_of, payment_request};

/// The provider never sees the call; or it does what it is asked, and the answer never comes.
const KILLED_WHILE: [Fault; 2] = [Fault::Hang, Fault::HangAfter];

/// The program on one provider's rail.
struct Serving {
    provider: &'static str,
    program: ServingProgram,
    database: TestDatabase,
    simulator: Simulator,
    proxy: FaultProxy,
    product: Product,
    port: u16,
}

/// A signed POST with an idempotency key, which is sent again and again.
#[derive(Clone)]
struct Asked {
    path: &'static str,
    body: String,
    key: String,
}

impl Asked {
    fn new(path: &'static str, body: &Value) -> Self {
        Self { path, body: body.to_string(), key: random_hex(16) }
    }

    /// The answer, unless the program goes away.
    async fn send(&self, product: &Product) -> Option<Answer> {
        let now = product.clock.now().unix_seconds();
        let mut request = product.client.post(format!("{}{}", product.base_url, self.path)).body(self.body.clone());
        for (name, value) in product.signed_headers("POST", self.path, self.body.as_bytes(), now) {
            request = request.header(name, value);
        }
        let request = request.header("content-type", "application/json").header("idempotency-key", &self.key);
        let response = request.send().await.ok()?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Some(Answer { status, headers, text: response.text().await.ok()? })
    }
}

impl Serving {
    async fn start(provider: &'static str) -> Self {
        let database = TestDatabase::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let webhook_url = format!("http://127.0.0.1:{port}/webhooks/{provider}/sandbox");
        let simulator = Simulator::start(provider, webhook_url, &Clock::system()).await;
        let proxy = FaultProxy::start(simulator.url()).await;
        let options = AppOptions {
            name: "Unlucky shop".to_owned(),
            mode: Mode::Sandbox,
            webhook_url: None,
            allowed_providers: Vec::new(),
            allowed_methods: Vec::new(),
            require_signed_query: false,
            kyc_above: Vec::new(),
        };
        let gateway = Gateway::open(database.settings(), Clock::system()).await.unwrap();
        let issued = gateway.create_app(options).await.unwrap();
        let product = Product::new(format!("http://127.0.0.1:{port}"), issued, Clock::system());
        drop(gateway);
        let program = serve(provider, &database, &simulator, &proxy, port).await;
        Self { provider, program, database, simulator, proxy, product, port }
    }

    /// Asks, kills the program while the provider is called, and starts it anew.
    ///
    /// `before` calls are made first, which only ask or sign in.
    async fn kill_while(&mut self, fault: Fault, before: u32, asked: &Asked) {
        let (connections, forwarded) = (self.proxy.connections(), self.proxy.forwarded());
        self.proxy.set(fault).await;
        self.proxy.set_for_next(before as usize, Fault::Pass);
        let sent = tokio::spawn({
            let (asked, product) = (asked.clone(), self.product.clone());
            async move { asked.send(&product).await }
        });
        eventually("the provider is called", || async {
            match fault {
                Fault::HangAfter => self.proxy.forwarded() > forwarded + before,
                _ => self.proxy.connections() > connections + before,
            }
        })
        .await;
        self.program.kill();
        assert!(sent.await.unwrap().is_none(), "it was not answered");
        self.proxy.set(Fault::Pass).await;
        self.program = serve(self.provider, &self.database, &self.simulator, &self.proxy, self.port).await;
        let answer = asked.send(&self.product).await.unwrap();
        // Nobody can tell yet whether the call is still under way, unless the provider's webhook has told of a refund.
        if answer.status != 201 || asked.path == "/v1/payments" {
            answer.expect_error(409, "IdempotencyInProgress");
        }
    }

    /// Lets the time pass after which a call without an answer is taken for lost.
    fn let_calls_be_lost(&self) {
        let payments = "UPDATE payments SET poll_at = 0 WHERE status = 'initiated'";
        // A minute in all: by then a provider that has no record of a refund is believed.
        let refunds = "UPDATE refunds SET poll_at = 0, created_at = created_at - 60000000 WHERE status = 'initiated'";
        for sql in [payments, refunds] {
            self.database.execute(sql).unwrap();
        }
    }

    /// Asks again until the answer is final.
    async fn answer_of(&self, asked: &Asked) -> Value {
        eventually("the outcome is found out", || async { asked.send(&self.product).await.unwrap().status == 201 })
            .await;
        let first = asked.send(&self.product).await.unwrap().expect_status(201);
        let again = asked.send(&self.product).await.unwrap().expect_status(201);
        assert_eq!(first.text, again.text, "from now on the answer stays");
        first.json()
    }

    fn order(&self) -> Asked {
        let mut changes = self.simulator.request();
        changes["metadata"]["cart"] = json!(random_hex(8));
        Asked::new("/v1/payments", &payment_request(changes))
    }

    async fn pay(&self, payment_id: &str) {
        self.simulator.pay(payment_id).await;
        eventually("the payment succeeds", || async {
            self.product.payment(payment_id).await["status"] == "succeeded"
        })
        .await;
        assert_eq!(self.product.payment(payment_id).await["paid_minor"], 2900);
        assert_eq!(self.product.event_names(payment_id).await, ["payment.succeeded"]);
    }
}

async fn serve(
    provider: &str,
    database: &TestDatabase,
    simulator: &Simulator,
    proxy: &FaultProxy,
    port: u16,
) -> ServingProgram {
    let prefix = format!("SWITCHYARD__PROVIDERS__{}__SANDBOX__", provider.to_uppercase());
    let mut variables = vec![
        (format!("{prefix}BASE_URL"), proxy.url.clone()),
        ("SWITCHYARD__SERVER__PUBLIC_URL".to_owned(), format!("http://127.0.0.1:{port}")),
        ("SWITCHYARD__LOG__LEVEL".to_owned(), "warn".to_owned()),
    ];
    for (name, value) in simulator.credentials() {
        variables.push((format!("{prefix}{}", name.to_uppercase()), value));
    }
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    ServingProgram::start_on(port, database, &variables).await
}

async fn nothing_is_lost_or_done_twice(provider: &'static str) {
    let mut serving = Serving::start(provider).await;
    // Polar is asked about the product or the order first. PayPal's token is there: each program makes a payment before.
    let before = u32::from(provider == "polar");
    let acknowledged = serving.order();
    let first = acknowledged.send(&serving.product).await.unwrap().expect_status(201);
    serving.pay(&id_of(&first.json())).await;
    let mut charges = 1;
    for fault in KILLED_WHILE {
        let case = format!("{provider}, {fault:?}");
        let order = serving.order();
        serving.kill_while(fault, before, &order).await;
        serving.let_calls_be_lost();
        let payment = serving.answer_of(&order).await;
        assert_eq!((&payment["status"], &payment["last_error"]), (&json!("initiated"), &json!("")), "{case}");
        assert!(serving.simulator.can_be_paid(&payment), "{case}: {payment}");
        serving.pay(&id_of(&payment)).await;
        charges += 1;
        assert_eq!(serving.simulator.charges(), charges, "{case}: start");
    }
    for fault in KILLED_WHILE {
        let case = format!("{provider}, {fault:?}");
        let payment = serving.answer_of(&serving.order()).await;
        let payment_id = id_of(&payment);
        serving.pay(&payment_id).await;
        charges += 1;
        let refund = Asked::new("/v1/refunds", &json!({ "payment_id": payment_id, "reason": random_hex(4) }));
        serving.kill_while(fault, before, &refund).await;
        let reserved = Asked::new("/v1/refunds", &json!({ "payment_id": payment_id, "reason": random_hex(4) }));
        reserved.send(&serving.product).await.unwrap().expect_error(422, "NotRefundable");
        serving.let_calls_be_lost();
        let refund = serving.answer_of(&refund).await;
        let is_done = fault == Fault::HangAfter;
        assert_eq!(serving.simulator.has_refunded(&payment_id), is_done, "{case}");
        let (status, refunded_minor) = if is_done { ("succeeded", 2900) } else { ("failed", 0) };
        assert_eq!(refund["status"], status, "{case}");
        assert_eq!(serving.product.payment(&payment_id).await["refunded_minor"], refunded_minor, "{case}");
        let mut events = vec!["payment.succeeded".to_owned(), format!("refund.{status}")];
        if !is_done {
            // What was not given back can be.
            let again = Asked::new("/v1/refunds", &json!({ "payment_id": payment_id, "reason": random_hex(4) }));
            assert_eq!(serving.answer_of(&again).await["status"], "succeeded", "{case}");
            events = vec!["payment.succeeded".to_owned(), "refund.failed".to_owned(), "refund.succeeded".to_owned()];
        }
        assert_eq!(serving.product.event_names(&payment_id).await, events, "{case}");
        assert_eq!(serving.product.payment(&payment_id).await["refunded_minor"], 2900, "{case}");
        assert_eq!(serving.simulator.charges(), charges, "{case}: refund");
    }
    let replayed = acknowledged.send(&serving.product).await.unwrap();
    assert_eq!(
        (replayed.status, &replayed.text),
        (201, &first.text),
        "{provider}: as it was answered before the kills"
    );
    let database = &serving.database;
    assert_eq!(database.number("SELECT COUNT(*) FROM payments"), i64::from(charges));
    assert_eq!(database.number("SELECT COUNT(*) FROM receipts"), i64::from(charges));
    assert_eq!(database.number("SELECT SUM(refunded_minor) FROM payments"), 2 * 2900);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_repeats_what_nicepay_is_asked() {
    nothing_is_lost_or_done_twice("nicepay").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_repeats_what_polar_is_asked() {
    nothing_is_lost_or_done_twice("polar").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_crash_loses_or_repeats_what_paypal_is_asked() {
    nothing_is_lost_or_done_twice("paypal").await;
}
