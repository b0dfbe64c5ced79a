//! PayPal as the gateway meets it: tokens, orders, captures, refunds, certificates and signed webhooks, and the page
//! where a buyer approves. It checks what it is sent, and what it answers, against PayPal's own OpenAPI files.
//!
//! Not here: several purchase units, items and breakdowns of amounts, authorizations, vaults, PATCH. They are answered
//! as PayPal answers what its schema does not know, or not at all.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpServer};
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::time::Timestamp;

#[path = "paypal/books.rs"]
mod books;
#[path = "paypal/doors.rs"]
mod doors;
#[path = "paypal/schema.rs"]
pub mod schema;
#[path = "paypal/signer.rs"]
mod signer;
#[path = "paypal/webhooks.rs"]
mod webhooks;

pub use books::Order;

/// The client id that is accepted.
pub const CLIENT_ID: &str = "simulated-client";
/// Its secret.
pub const CLIENT_SECRET: &str = "simulated-secret";
/// The webhook that is registered.
pub const WEBHOOK_ID: &str = "3FN62915CA840731W";

/// How long an order lives that nobody approved.
const ORDER_LIVES: Duration = Duration::from_secs(3 * 3600);

/// What the simulator is started with.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where webhooks go; nowhere if absent.
    pub webhook_url: Option<String>,
    /// The id of the webhook that is registered, for which events are signed.
    pub webhook_id: String,
    /// How long a token is good, in seconds.
    pub expires_in: u64,
    /// The time that it lives in.
    pub clock: Clock,
    /// Spacing of the repetitions of a webhook that was not taken.
    pub retry_after: Duration,
}

impl Default for Options {
    fn default() -> Self {
        let retry_after = Duration::from_millis(100);
        Self {
            webhook_url: None,
            webhook_id: WEBHOOK_ID.to_owned(),
            expires_in: 32_400,
            clock: Clock::system(),
            retry_after,
        }
    }
}

/// Something that goes wrong once, in the order in which it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The next call is refused with PayPal's error: status, name and issue.
    Refuse(u16, &'static str),
    /// The next call is answered 500, and nothing was done.
    HttpError,
    /// The next call is answered 429; PayPal is not known to send `Retry-After`, but may.
    RateLimited(Option<u64>),
    /// The next call does its work and is answered with what nobody can read.
    Garbage,
    /// The next call does its work after this time.
    Slow(Duration),
    /// The next call does its work and is not answered within this time.
    LostAnswer(Duration),
    /// The next call's token is not known any more.
    StaleToken,
    /// The next capture is declined; the buyer may choose another means.
    Decline,
    /// The next capture is refused for good, with this issue.
    DeclineForGood(&'static str),
    /// The next capture waits for a review.
    PendingCapture,
    /// The next refund waits.
    PendingRefund,
    /// The certificate cannot be had once: with this status.
    Certificate(u16),
    /// The next webhook names another sum.
    WrongAmount,
    /// The next webhook comes twice.
    Twice,
    /// The next webhook comes after this time.
    Late(Duration),
    /// The next webhook comes after the one that follows it.
    OutOfOrder,
    /// The next webhook never comes.
    Never,
    /// The next webhook's signature is another body's.
    BadSignature,
}

impl Fault {
    fn is_of_call(&self) -> bool {
        use Fault::{Garbage, HttpError, LostAnswer, RateLimited, Refuse, Slow, StaleToken};
        matches!(self, Refuse(..) | HttpError | RateLimited(_) | Garbage | Slow(_) | LostAnswer(_) | StaleToken)
    }

    fn is_of_capture(&self) -> bool {
        matches!(self, Self::Decline | Self::DeclineForGood(_) | Self::PendingCapture)
    }

    fn is_of_webhook(&self) -> bool {
        use Fault::{BadSignature, Late, Never, OutOfOrder, Twice, WrongAmount};
        matches!(self, WrongAmount | Twice | Late(_) | OutOfOrder | Never | BadSignature)
    }
}

/// A call that came.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
}

/// A webhook that was made, whether it was sent or not.
#[derive(Clone, Debug)]
pub struct Sent {
    pub headers: Vec<(String, String)>,
    pub body: String,
}

#[derive(Default)]
struct Books {
    orders: BTreeMap<String, Order>,
    /// What a request id led to, by operation.
    done: HashMap<(&'static str, String), String>,
    tokens: HashMap<String, Timestamp>,
    faults: VecDeque<Fault>,
    calls: Vec<Call>,
    sent: Vec<Sent>,
    held_back: Vec<Sent>,
    webhook_url: Option<String>,
    violations: Vec<String>,
}

struct Shared {
    url: String,
    options: Options,
    books: Mutex<Books>,
    under_way: AtomicUsize,
    client: reqwest::Client,
}

impl Shared {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }

    fn take_fault(&self, is_wanted: impl Fn(&Fault) -> bool) -> Option<Fault> {
        let mut books = self.books();
        let index = books.faults.iter().position(is_wanted)?;
        books.faults.remove(index)
    }
}

impl Books {
    /// By the order's id, by our payment's, or by our reference.
    fn order(&mut self, name: &str) -> &mut Order {
        let is_named = |order: &&mut Order| {
            order.id == name || order.unit()["custom_id"] == name || order.unit()["invoice_id"] == name
        };
        self.orders.values_mut().find(is_named).unwrap_or_else(|| panic!("no order {name}"))
    }
}

/// PayPal on this machine.
pub struct PaypalSimulator {
    /// What to use as `base_url`.
    pub url: String,
    shared: Data<Shared>,
    handle: ServerHandle,
}

impl PaypalSimulator {
    /// Starts it; on any free port for 0.
    pub async fn start(port: u16, options: Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let books = Mutex::new(Books { webhook_url: options.webhook_url.clone(), ..Books::default() });
        let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let shared = Data::new(Shared { url: url.clone(), options, books, under_way: AtomicUsize::new(0), client });
        let app_data = shared.clone();
        let answer = |shared: Data<Shared>, request: HttpRequest, body: Bytes| async move {
            doors::answer(&shared, &request, &body).await
        };
        let server = HttpServer::new(move || App::new().app_data(app_data.clone()).default_service(web::to(answer)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, shared, handle }
    }

    /// What an account has to be told to speak with it, with `webhook_ca`.
    pub fn credentials(&self) -> Vec<(&'static str, String)> {
        vec![
            ("client_id", CLIENT_ID.to_owned()),
            ("client_secret", CLIENT_SECRET.to_owned()),
            ("webhook_id", self.shared.options.webhook_id.clone()),
            ("webhook_ca", signer::shared().ca_pem.clone()),
        ]
    }

    /// Registers the address of webhooks, which a gateway often has only after the simulator is there.
    pub fn send_webhooks_to(&self, url: &str) {
        self.shared.books().webhook_url = Some(url.to_owned());
    }

    /// Stops it; calls are no longer answered.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }

    /// Lets something go wrong once.
    pub fn fault_next(&self, fault: Fault) {
        self.shared.books().faults.push_back(fault);
    }

    /// The buyer approves; PayPal tells.
    pub fn approve(&self, name: &str) {
        doors::approve(&self.shared, name);
    }

    /// The buyer approves, and PayPal takes the money at the gateway's back: an answer for `ORDER_ALREADY_CAPTURED`.
    pub fn pay(&self, name: &str) {
        doors::approve(&self.shared, name);
        let now = self.shared.now();
        let capture = self.shared.books().order(name).capture(&self.shared.url, "COMPLETED", None, now);
        webhooks::tell(&self.shared, "PAYMENT.CAPTURE.COMPLETED", "capture", capture);
    }

    /// The review of a pending capture ends well.
    pub fn complete(&self, name: &str) {
        self.settle_capture(name, "COMPLETED", "PAYMENT.CAPTURE.COMPLETED");
    }

    /// The review of a pending capture ends badly.
    pub fn decline(&self, name: &str) {
        self.settle_capture(name, "DECLINED", "PAYMENT.CAPTURE.DENIED");
    }

    fn settle_capture(&self, name: &str, status: &'static str, kind: &str) {
        let capture = {
            let mut books = self.shared.books();
            let order = books.order(name);
            order.charges += u32::from(status == "COMPLETED");
            let capture = order.captures.last_mut().unwrap();
            capture["status"] = status.into();
            capture.as_object_mut().unwrap().remove("status_details");
            capture.clone()
        };
        webhooks::tell(&self.shared, kind, "capture", capture);
    }

    /// The order's time is over: it cannot be read any more.
    pub fn expire(&self, name: &str) {
        let mut books = self.shared.books();
        let id = books.order(name).id.clone();
        books.orders.remove(&id);
    }

    /// All of an order is voided, which PayPal does by hand or by age.
    pub fn void(&self, name: &str) {
        self.shared.books().order(name).status = "VOIDED";
    }

    /// A pending refund ends; badly, if `is_done` is false.
    pub fn settle_refund(&self, name: &str, is_done: bool) {
        let (status, kind) =
            if is_done { ("COMPLETED", "PAYMENT.CAPTURE.REFUNDED") } else { ("FAILED", "PAYMENT.REFUND.FAILED") };
        let refund = {
            let mut books = self.shared.books();
            let refund = books.order(name).refunds.last_mut().unwrap();
            refund["status"] = status.into();
            refund.as_object_mut().unwrap().remove("status_details");
            refund.clone()
        };
        webhooks::tell(&self.shared, kind, "refund", refund);
    }

    /// The merchant gives everything that is left back in the dashboard.
    pub fn refund_by_hand(&self, name: &str) {
        let left = self.shared.books().order(name).left();
        self.refund_part_by_hand(name, left);
    }

    /// The merchant gives so many hundredths back in the dashboard.
    pub fn refund_part_by_hand(&self, name: &str, hundredths: i64) {
        let refund = {
            let mut books = self.shared.books();
            let order = books.order(name);
            doors::add_refund(&self.shared, order, hundredths, &json!({}), "COMPLETED")
        };
        webhooks::tell(&self.shared, "PAYMENT.CAPTURE.REFUNDED", "refund", refund);
    }

    /// The buyer's bank takes the money back.
    pub fn reverse(&self, name: &str) {
        let reversal = {
            let mut books = self.shared.books();
            let order = books.order(name);
            let up = order.captures.last().unwrap()["id"].as_str().unwrap().to_owned();
            json!({
                "id": books::new_id(), "status": "COMPLETED", "amount": order.captures.last().unwrap()["amount"],
                "note_to_payer": "Payment reversed",
                "links": [{ "href": format!("{}/v2/payments/captures/{up}", self.url), "rel": "up", "method": "GET" }],
            })
        };
        webhooks::tell(&self.shared, "PAYMENT.CAPTURE.REVERSED", "refund", reversal);
    }

    /// An event of any kind about any resource.
    pub fn tell(&self, kind: &str, resource_type: &str, resource: Value) {
        webhooks::tell(&self.shared, kind, resource_type, resource);
    }

    /// What the gateway gets of PayPal's webhook simulator: signed for the literal id `WEBHOOK_ID`.
    pub fn mock_event(&self) -> Sent {
        let event = webhooks::event("PAYMENT.CAPTURE.COMPLETED", "capture", json!({}), &self.url, self.shared.now());
        webhooks::signed(&self.shared, event.to_string(), "WEBHOOK_ID", false)
    }

    /// Every token is forgotten.
    pub fn forget_tokens(&self) {
        self.shared.books().tokens.clear();
    }

    /// How many captures took money for an order.
    pub fn charges_of(&self, name: &str) -> u32 {
        self.shared.books().order(name).charges
    }

    /// How many captures took money.
    pub fn charges(&self) -> u32 {
        self.shared.books().orders.values().map(|order| order.charges).sum()
    }

    /// How many orders were made.
    pub fn orders(&self) -> usize {
        self.shared.books().orders.len()
    }

    /// How many refunds were made of an order.
    pub fn refunds_of(&self, name: &str) -> usize {
        self.shared.books().order(name).refunds.len()
    }

    /// An order as it is.
    pub fn order(&self, name: &str) -> Order {
        self.shared.books().order(name).clone()
    }

    /// What came.
    pub fn requests(&self) -> Vec<Call> {
        self.shared.books().calls.clone()
    }

    /// How many calls came whose path ends so.
    pub fn count(&self, method: &str, ending: &str) -> usize {
        let calls = self.requests();
        calls.iter().filter(|call| call.method == method && call.path.ends_with(ending)).count()
    }

    /// The webhooks that were made, in their order, whether they were sent or not.
    pub fn webhooks(&self) -> Vec<Sent> {
        self.shared.books().sent.clone()
    }

    /// Waits until every webhook was taken or given up.
    pub async fn all_delivered(&self) {
        while self.shared.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Where the simulator's own answers do not fit PayPal's schemas, which is a fault of the simulator.
    pub fn violations(&self) -> Vec<String> {
        self.shared.books().violations.clone()
    }
}
