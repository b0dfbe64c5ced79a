//! Polar as the gateway meets it: products, checkouts with a page for the buyer, orders, refunds, subscriptions and
//! signed webhooks. What the server checks and answers is in `server`, its objects in `objects`, deliveries in
//! `webhooks`. Shapes, names and orders of events are Polar's of API version 2026-10; money, cards and tax are played.
//!
//! A `reference` of the verbs is a checkout's id, or the `payment_id` in its metadata.

use std::collections::VecDeque;
use std::net::TcpListener;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Data};
use actix_web::{App, HttpServer};
use serde_json::{Value, json};

#[path = "polar/objects.rs"]
mod objects;
#[path = "polar/server.rs"]
mod server;
#[path = "polar/webhooks.rs"]
pub mod webhooks;

pub use webhooks::{Delivery, Scheme};

/// The only token that is accepted.
pub const ACCESS_TOKEN: &str = "polar_oat_0123456789abcdefghijklmnopqrstuvwxyzABCDEFG";

/// A product that is bought once, with a catalogue price of 100.00 USD.
pub const ONE_TIME_PRODUCT: &str = "5d0a4f5e-2b57-4c0e-8a57-8a3d1e0c7b11";

/// A product of 20.00 USD (18.00 EUR) a month.
pub const RECURRING_PRODUCT: &str = "c7a1f6b2-41d3-4d0b-9f5c-1d2e3f4a5b22";

/// The organisation, and the currency that every product must have a price in.
pub const ORGANIZATION: &str = "0b6f0c1e-6d1b-4f60-9a0f-2f7f5f1d9a01";
pub const DEFAULT_CURRENCY: &str = "usd";

/// How the simulator is set up.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where webhooks go; nowhere without it.
    pub webhook_url: Option<String>,
    /// How the endpoint's secret signs.
    pub scheme: Scheme,
    /// Tax in per cent of every buyer's country.
    pub tax_percent: i64,
    /// Whether a refund waits for `settle_refund` instead of being done at once.
    pub refunds_wait: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { webhook_url: None, scheme: Scheme::Standard, tax_percent: 19, refunds_wait: false }
    }
}

/// What goes wrong with a call.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Polar's own refusal, 422.
    Refuse,
    /// 500 before anything is done.
    Http500,
    /// 429, before anything is done, with `Retry-After` in seconds.
    RateLimited(u64),
    /// Done, and answered with what is no JSON.
    Garbage,
    /// Answered after this long.
    Slow(Duration),
    /// Done, and answered only after this long, when nobody listens any more.
    AnswerLost(Duration),
}

/// What goes wrong with the webhooks of the next thing that happens.
#[derive(Clone, Copy, Debug)]
pub enum WebhookFault {
    /// `order.paid` tells one unit more than was paid.
    WrongAmount,
    /// Each comes twice.
    Duplicated,
    /// They come after this long.
    Late(Duration),
    /// They come in reverse order.
    OutOfOrder,
    /// They do not come.
    Never,
    /// They are signed with another key.
    BadlySigned,
}

/// A call that came in.
#[derive(Clone, Debug)]
pub struct Call {
    pub method: String,
    /// With its query string.
    pub path: String,
    pub body: String,
}

/// What the simulator remembers. Objects are kept as they are answered.
#[derive(Default)]
struct Books {
    products: Vec<Value>,
    checkouts: Vec<Value>,
    orders: Vec<Value>,
    refunds: Vec<Value>,
    subscriptions: Vec<Value>,
    customers: Vec<Value>,
    payments: Vec<Value>,
    calls: Vec<Call>,
    faults: VecDeque<Fault>,
    read_faults: VecDeque<Fault>,
    webhook_faults: VecDeque<WebhookFault>,
    /// Events that happened and are not on their way yet.
    outbox: Vec<(String, Value)>,
    /// What is on its way, in the order in which it happened.
    line: VecDeque<webhooks::Batch>,
    deliveries: Vec<Delivery>,
    endpoint: Option<Value>,
}

pub(crate) struct Shared {
    url: String,
    options: Options,
    books: Mutex<Books>,
    under_way: AtomicUsize,
    /// Held while events are tried for the first time.
    turn: tokio::sync::Mutex<()>,
    client: reqwest::Client,
}

/// A Polar of the test's own.
pub struct PolarSimulator {
    pub url: String,
    /// The secret of the webhook endpoint.
    pub webhook_secret: String,
    shared: Data<Shared>,
    handle: ServerHandle,
}

impl PolarSimulator {
    /// Starts on a port of this machine; 0 for any.
    pub async fn start(port: u16, options: Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let secret = options.scheme.secret().to_owned();
        let endpoint = options.webhook_url.as_ref().map(|hook| objects::endpoint(hook, options.scheme));
        let products = vec![
            objects::product(ONE_TIME_PRODUCT, "Lifetime licence", None, &[("usd", 10_000)]),
            objects::product(RECURRING_PRODUCT, "Pro plan", Some("month"), &[("usd", 2_000), ("eur", 1_800)]),
        ];
        let books = Mutex::new(Books { products, endpoint, ..Books::default() });
        let shared = Data::new(Shared {
            url: url.clone(),
            options,
            books,
            under_way: AtomicUsize::new(0),
            turn: tokio::sync::Mutex::default(),
            client: reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap(),
        });
        let for_app = shared.clone();
        let server = HttpServer::new(move || {
            App::new()
                .app_data(for_app.clone())
                .app_data(web::PayloadConfig::new(10 * 1024 * 1024))
                .default_service(web::to(server::handle))
        })
        .workers(1)
        .disable_signals()
        .shutdown_timeout(0)
        .listen(listener)
        .unwrap()
        .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, webhook_secret: secret, shared, handle }
    }

    /// Stops answering.
    pub async fn stop(&self) {
        self.handle.stop(false).await;
    }

    /// Sends webhooks to `url` from now on.
    pub fn send_webhooks_to(&self, url: &str) {
        self.books().endpoint = Some(objects::endpoint(url, self.shared.options.scheme));
    }

    /// Adds a product, with an interval (`month`) if it recurs, and its prices by lower-case currency. Its id.
    pub fn add_product(&self, name: &str, interval: Option<&str>, prices: &[(&str, i64)]) -> String {
        let id = objects::uuid();
        self.books().products.push(objects::product(&id, name, interval, prices));
        id
    }

    /// Puts a product away.
    pub fn archive_product(&self, id: &str) {
        let mut books = self.books();
        let product = books.products.iter_mut().find(|product| product["id"] == id).unwrap();
        product["is_archived"] = json!(true);
    }

    /// What the next call that changes something meets.
    pub fn fault_next(&self, fault: Fault) {
        self.books().faults.push_back(fault);
    }

    /// What the next GET meets.
    pub fn fault_next_read(&self, fault: Fault) {
        self.books().read_faults.push_back(fault);
    }

    /// What the webhooks of the next thing that happens meet.
    pub fn fault_next_webhooks(&self, fault: WebhookFault) {
        self.books().webhook_faults.push_back(fault);
    }

    /// The buyer pays.
    pub fn pay(&self, reference: &str) {
        self.act(|shared, books| objects::pay(shared, books, reference));
    }

    /// The buyer's card is declined: the checkout is open again.
    pub fn decline(&self, reference: &str) {
        self.act(|_, books| objects::decline(books, reference));
    }

    /// The buyer has pressed the button, and the bank takes its time.
    pub fn confirm(&self, reference: &str) {
        let _ = self.act(|shared, books| objects::confirm(shared, books, reference));
    }

    /// Nobody paid in time.
    pub fn expire(&self, reference: &str) {
        self.act(|_, books| objects::expire(books, reference));
    }

    /// The checkout comes to an end that Polar hardly ever gives one.
    pub fn fail(&self, reference: &str) {
        self.act(|_, books| objects::fail(books, reference));
    }

    /// The bank of a refund that waits says whether it went through.
    pub fn settle_refund(&self, refund_id: &str, is_done: bool) {
        self.act(|_, books| objects::settle_refund(books, refund_id, is_done));
    }

    /// Polar or the merchant gives back `amount`, net of tax, without the gateway. The refund's id.
    pub fn refund_unasked(&self, reference: &str, amount: i64, reason: &str) -> String {
        let order = self.order_of(reference).unwrap();
        self.act(|_, books| {
            let refund = objects::refund(books, order["id"].as_str().unwrap(), amount, reason, json!({}), false);
            let id = refund["id"].as_str().unwrap().to_owned();
            objects::settle_refund(books, &id, true);
            id
        })
    }

    /// A period ends and the next one is paid.
    pub fn renew(&self, subscription_id: &str) {
        self.act(|shared, books| objects::renew(shared, books, subscription_id, true));
    }

    /// A period ends and the next one cannot be charged.
    pub fn past_due(&self, subscription_id: &str) {
        self.act(|shared, books| objects::renew(shared, books, subscription_id, false));
    }

    /// The buyer wants it to end with its period.
    pub fn cancel(&self, subscription_id: &str) {
        let _ = self.act(|_, books| objects::cancel_at_period_end(books, subscription_id));
    }

    /// The buyer wants it to go on after all.
    pub fn uncancel(&self, subscription_id: &str) {
        let _ = self.act(|_, books| objects::uncancel(books, subscription_id));
    }

    /// It ends now.
    pub fn end(&self, subscription_id: &str) {
        let _ = self.act(|_, books| objects::end(books, subscription_id));
    }

    /// The newest order of a checkout, as it is answered.
    pub fn order_of(&self, reference: &str) -> Option<Value> {
        let books = self.books();
        let checkout = objects::checkout(&books, reference)?["id"].clone();
        books.orders.iter().rev().find(|order| order["checkout_id"] == checkout).cloned()
    }

    /// The id of the subscription that a checkout made.
    pub fn subscription_of(&self, reference: &str) -> Option<String> {
        let books = self.books();
        let checkout = objects::checkout(&books, reference)?["id"].clone();
        let found = books.subscriptions.iter().find(|subscription| subscription["checkout_id"] == checkout)?;
        found["id"].as_str().map(str::to_owned)
    }

    /// The checkouts of a payment, in the order in which they were made.
    pub fn checkouts_of(&self, payment_id: &str) -> Vec<Value> {
        let books = self.books();
        books.checkouts.iter().filter(|checkout| checkout["metadata"]["payment_id"] == payment_id).cloned().collect()
    }

    /// The refunds of a payment.
    pub fn refunds_of(&self, reference: &str) -> Vec<Value> {
        let Some(order) = self.order_of(reference) else { return Vec::new() };
        self.books().refunds.iter().filter(|refund| refund["order_id"] == order["id"]).cloned().collect()
    }

    /// How often a buyer was charged for a payment, renewals not counted.
    pub fn charges_of(&self, payment_id: &str) -> u32 {
        let books = self.books();
        let charged = books.orders.iter().filter(|order| {
            let is_about = order["metadata"]["payment_id"] == payment_id || order["checkout_id"] == payment_id;
            is_about && order["paid"] == true && !order["checkout_id"].is_null()
        });
        u32::try_from(charged.count()).unwrap()
    }

    /// How often anyone was charged.
    pub fn charges(&self) -> u32 {
        u32::try_from(self.books().orders.iter().filter(|order| order["paid"] == true).count()).unwrap()
    }

    /// Every call of the API, in order.
    pub fn requests(&self) -> Vec<Call> {
        self.books().calls.clone()
    }

    /// Every attempt to deliver a webhook.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.books().deliveries.clone()
    }

    /// Waits until every webhook was taken or given up.
    pub async fn settled(&self) {
        while self.shared.under_way.load(Ordering::SeqCst) > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.shared.books.lock().unwrap()
    }

    fn act<T>(&self, what: impl FnOnce(&Shared, &mut Books) -> T) -> T {
        let result = what(&self.shared, &mut self.books());
        webhooks::send(&self.shared);
        result
    }
}
