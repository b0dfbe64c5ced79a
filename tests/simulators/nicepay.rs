//! NICEPAY as its merchants meet it: V2 and SNAP for virtual accounts and QRIS, with state, buyer pages and
//! notifications. NICEPAY's own libraries could talk to it.
//!
//! It answers business errors with HTTP 200 and a code, as the plugins expect; the words in `resultMsg` are its own,
//! for NICEPAY's are not published. Numbers of BCA, BNI and Permata have an invented prefix.

use std::collections::{BTreeSet, VecDeque};
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::time::Timestamp;

#[path = "nicepay/notifications.rs"]
mod notifications;
#[path = "nicepay/pages.rs"]
mod pages;
#[path = "nicepay/snap.rs"]
mod snap;
#[path = "nicepay/v2.rs"]
mod v2;

/// The published merchant of the sandbox.
pub const IMID: &str = "IONPAYTEST";
/// The published key of that merchant.
pub const MERCHANT_KEY: &str =
    "33F49GnCMS1mFYlGXisbUDzVf2ATWCl9k3R++d5hDd3Frmuos/XLx8XhXpe+LDYAbpGKZYSwtlyyLOtS/8aD7A==";
/// The store that it takes QRIS payments in.
pub const SHOP_ID: &str = "NICEPAY";
/// The SNAP secret: the libraries use the merchant key.
pub const CLIENT_SECRET: &str = MERCHANT_KEY;

/// Keys and published signatures.
fn vectors() -> Value {
    serde_json::from_str(include_str!("../../psp-fixtures/nicepay/snap-vectors.json")).unwrap()
}

/// A private key whose public half the simulator knows, base64 of PKCS#8.
pub fn private_key() -> String {
    vectors()["own_key"]["private_key"].as_str().unwrap().to_owned()
}

/// The public half of the key that the simulator signs SNAP notifications with, base64 of SPKI.
pub fn public_key() -> String {
    vectors()["provider_key"]["public_key"].as_str().unwrap().to_owned()
}

/// Something that goes wrong, once. Faults of a call meet the next call (not the one for a token); faults of a webhook
/// meet the next webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A business error with this code: of V2, or the seven digits of SNAP.
    Refuse(&'static str),
    /// HTTP 500.
    Http500,
    /// HTTP 429 with this `Retry-After`.
    RateLimited(u64),
    /// HTTP 200 with something that is not JSON.
    Garbage,
    /// The answer comes this late; the work is done then.
    Slow(Duration),
    /// The work is done, and the answer comes this late.
    AnswerLost(Duration),
    /// The SNAP token is not accepted any more.
    TokenRevoked,
    /// The next webhook names another amount, and is signed well.
    WrongAmount,
    /// The next webhook comes twice.
    Duplicated,
    /// The next webhook comes this late.
    Late(Duration),
    /// The next webhook comes after the one that follows it.
    OutOfOrder,
    /// The next webhook never comes.
    Never,
    /// The next webhook is signed by someone else.
    BadlySigned,
}

impl Fault {
    const fn is_of_webhook(&self) -> bool {
        matches!(
            self,
            Self::WrongAmount | Self::Duplicated | Self::Late(_) | Self::OutOfOrder | Self::Never | Self::BadlySigned
        )
    }
}

/// A request that came.
#[derive(Clone, Debug)]
pub struct Logged {
    pub method: String,
    pub path: String,
    pub body: String,
}

/// A registered payment.
#[derive(Clone, Debug)]
pub struct Charge {
    pub id: String,
    pub reference: String,
    pub is_qris: bool,
    pub bank: String,
    pub amount: i64,
    /// As in the V2 table of the method.
    pub status: char,
    pub canceled_amount: i64,
    /// How often money was received for it.
    pub receipts: u32,
    number: String,
    qr: String,
    goods: String,
    buyer: String,
    shop_id: String,
    acquirer: String,
    notify_url: String,
    is_snap: bool,
    registered_at: Timestamp,
    changed_at: Timestamp,
    expires_at: Timestamp,
    refunds: BTreeSet<String>,
}

#[derive(Debug, Default)]
struct State {
    charges: Vec<Charge>,
    requests: Vec<Logged>,
    faults: VecDeque<Fault>,
    webhook_faults: VecDeque<Fault>,
    held: Option<notifications::Message>,
    tokens: Vec<(String, Timestamp)>,
    external_ids: BTreeSet<String>,
    counter: u32,
    pending_webhooks: u32,
    sent_webhooks: u32,
}

/// How the simulator behaves.
#[derive(Clone)]
pub struct Options {
    /// Whether every payment pays itself, as those of the published merchant do in the real sandbox.
    pub auto_pay: bool,
    /// What time it is there.
    pub clock: Clock,
}

impl Default for Options {
    fn default() -> Self {
        Self { auto_pay: false, clock: Clock::system() }
    }
}

struct Shared {
    url: String,
    options: Options,
    state: Mutex<State>,
    client: reqwest::Client,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.options.clock.now()
    }
}

/// NICEPAY, on a port of this machine.
pub struct NicepaySimulator {
    pub url: String,
    shared: Arc<Shared>,
    handle: ServerHandle,
}

impl Drop for NicepaySimulator {
    fn drop(&mut self) {
        drop(self.handle.stop(false));
    }
}

impl State {
    fn find(&mut self, name: &str) -> Option<&mut Charge> {
        self.charges.iter_mut().find(|charge| charge.reference == name || charge.id == name)
    }

    /// Lets what is unpaid expire in time.
    fn expire(&mut self, now: Timestamp) {
        for charge in self.charges.iter_mut().filter(|charge| charge.status == '3' && charge.expires_at <= now) {
            charge.status = if charge.is_qris { '5' } else { '4' };
            charge.changed_at = now;
        }
    }
}

impl NicepaySimulator {
    /// Starts one on `port`, or on any.
    pub async fn start(port: u16, options: Options) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().unwrap();
        let shared = Arc::new(Shared { url: url.clone(), options, state: Mutex::default(), client });
        let data = Data::from(shared.clone());
        let server = HttpServer::new(move || App::new().app_data(data.clone()).default_service(web::to(handle)))
            .workers(1)
            .disable_signals()
            .listen(listener)
            .unwrap()
            .run();
        let handle = server.handle();
        tokio::spawn(server);
        Self { url, shared, handle }
    }

    fn change(&self, name: &str, from: &[char], to: impl Fn(&Charge) -> char) {
        change(&self.shared, name, from, to).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The buyer pays what has this reference or id.
    pub fn pay(&self, name: &str) {
        pay(&self.shared, name).unwrap_or_else(|error| panic!("{error}"));
    }

    /// The buyer pays another sum than was registered, which a bank should not let through.
    pub fn pay_another_amount(&self, name: &str, amount: i64) {
        self.shared.lock().find(name).unwrap().amount = amount;
        self.pay(name);
    }

    /// Its time is over. NICEPAY does not say so by itself.
    pub fn expire(&self, name: &str) {
        self.change(name, &['3'], |charge| if charge.is_qris { '5' } else { '4' });
    }

    /// The bank takes a paid transfer to a virtual account back.
    pub fn reverse(&self, name: &str) {
        self.change(name, &['0'], |_| '1');
        notifications::send(&self.shared, name);
    }

    /// A QRIS payment fails.
    pub fn fail(&self, name: &str) {
        self.change(name, &['3', '4'], |_| '6');
    }

    /// Sends the notification of what is paid once more.
    pub fn notify(&self, name: &str) {
        notifications::send(&self.shared, name);
    }

    /// Lets something go wrong, once.
    pub fn fault_next(&self, fault: Fault) {
        let mut state = self.shared.lock();
        if fault.is_of_webhook() { state.webhook_faults.push_back(fault) } else { state.faults.push_back(fault) }
    }

    /// How often money was received for what has this reference or id.
    pub fn charges_of(&self, name: &str) -> u32 {
        self.shared.lock().find(name).map_or(0, |charge| charge.receipts)
    }

    /// How often money was received in all.
    pub fn charges(&self) -> u32 {
        self.shared.lock().charges.iter().map(|charge| charge.receipts).sum()
    }

    /// How many payments were registered.
    pub fn registrations(&self) -> usize {
        self.shared.lock().charges.len()
    }

    /// What was given back of what has this reference or id.
    pub fn refunded(&self, name: &str) -> i64 {
        self.shared.lock().find(name).map_or(0, |charge| charge.canceled_amount)
    }

    /// The payment with this reference or id.
    pub fn charge(&self, name: &str) -> Option<Charge> {
        self.shared.lock().find(name).cloned()
    }

    /// The references of all payments, in the order in which they were registered.
    pub fn references(&self) -> Vec<String> {
        self.shared.lock().charges.iter().map(|charge| charge.reference.clone()).collect()
    }

    /// What came, in order.
    pub fn requests(&self) -> Vec<Logged> {
        self.shared.lock().requests.clone()
    }

    /// How many webhooks were sent, repetitions and retries left out.
    pub fn webhooks(&self) -> u32 {
        self.shared.lock().sent_webhooks
    }

    /// The page on which a person pays what has this reference or id.
    pub fn page_of(&self, name: &str) -> String {
        let charge = self.charge(name).unwrap_or_else(|| panic!("{name} is not registered"));
        format!("{}{}{}", self.url, pages::PATH, charge.id)
    }

    /// Waits until every webhook that was sent has arrived or been given up.
    pub async fn webhooks_are_delivered(&self) {
        for _ in 0..1500 {
            if self.shared.lock().pending_webhooks == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("webhooks are still on their way");
    }
}

fn change(shared: &Shared, name: &str, from: &[char], to: impl Fn(&Charge) -> char) -> Result<(), String> {
    let now = shared.now();
    let mut state = shared.lock();
    let charge = state.find(name).ok_or_else(|| format!("{name} is not registered"))?;
    if !from.contains(&charge.status) {
        return Err(format!("{name} has status {}", charge.status));
    }
    charge.status = to(charge);
    charge.changed_at = now;
    Ok(())
}

fn pay(shared: &Arc<Shared>, name: &str) -> Result<(), String> {
    change(shared, name, &['3', '4'], |_| '0')?;
    shared.lock().find(name).unwrap().receipts += 1;
    notifications::send(shared, name);
    Ok(())
}

async fn handle(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    let shared = shared.into_inner();
    let (method, path) = (request.method().as_str().to_owned(), request.path().to_owned());
    if !path.starts_with("/nicepay/direct/") && !path.starts_with("/nicepay/api/v1.0/") {
        return match path.as_str() {
            snap::TOKEN => {
                log(&shared, &method, &path, &body);
                snap::token(&shared, &request, &body)
            }
            _ => pages::answer(&shared, &method, &path, &body),
        };
    }
    log(&shared, &method, &path, &body);
    let fault = shared.lock().faults.pop_front();
    let is_snap = path.starts_with("/nicepay/api/");
    match &fault {
        Some(Fault::Refuse(code)) if is_snap => return snap::refusal(code, "refused on demand"),
        Some(Fault::Refuse(code)) => return v2::refusal(code, "refused on demand"),
        Some(Fault::Http500) => return HttpResponse::InternalServerError().body("Internal Server Error"),
        Some(Fault::RateLimited(seconds)) => {
            return HttpResponse::TooManyRequests().insert_header(("retry-after", seconds.to_string())).finish();
        }
        Some(Fault::Garbage) => return HttpResponse::Ok().content_type("text/html").body("<html>maintenance</html>"),
        Some(Fault::TokenRevoked) => shared.lock().tokens.clear(),
        Some(Fault::Slow(duration)) => tokio::time::sleep(*duration).await,
        _ => {}
    }
    let now = shared.now();
    shared.lock().expire(now);
    let answer = if is_snap { snap::answer(&shared, &request, &body) } else { v2::answer(&shared, &request, &body) };
    if let Some(Fault::AnswerLost(duration)) = fault {
        tokio::time::sleep(duration).await;
    }
    answer
}

fn log(shared: &Shared, method: &str, path: &str, body: &[u8]) {
    let body = String::from_utf8_lossy(body).into_owned();
    shared.lock().requests.push(Logged { method: method.to_owned(), path: path.to_owned(), body });
}

const JAKARTA: jiff::tz::Offset = jiff::tz::Offset::constant(7);

/// A moment in Jakarta, as `%Y%m%d%H%M%S` or the like.
fn in_jakarta(moment: Timestamp, format: &str) -> String {
    let moment = jiff::Timestamp::from_microsecond(moment.unix_micros()).unwrap();
    JAKARTA.to_datetime(moment).strftime(format).to_string()
}

/// The moment that `yyyyMMdd` and `HHmmss` name there.
fn moment(date: &str, time: &str) -> Option<Timestamp> {
    let civil = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", format!("{date}{time}")).ok()?;
    Some(Timestamp::from_unix_micros(JAKARTA.to_timestamp(civil).ok()?.as_microsecond()))
}

/// What a new payment needs besides what the merchant said.
struct Registration<'a> {
    reference: &'a str,
    is_qris: bool,
    bank: &'a str,
    amount: i64,
    goods: &'a str,
    buyer: &'a str,
    shop_id: &'a str,
    acquirer: &'a str,
    notify_url: &'a str,
    expires_at: Option<Timestamp>,
    is_snap: bool,
}

/// Registers a payment; it may pay itself.
fn register(shared: &Arc<Shared>, registration: &Registration<'_>) -> Charge {
    let now = shared.now();
    let mut state = shared.lock();
    state.counter += 1;
    let pay_method = if registration.is_qris { "08" } else { "02" };
    let id = format!("{IMID}{pay_method}{}{:04}", in_jakarta(now, "%Y%m%d%H%M%S"), state.counter % 10_000);
    let tail = &id[20..];
    let number = match registration.bank {
        "BMRI" => format!("7001400009{tail}"),
        "BRIN" => format!("44779263{tail}"),
        "CENA" => format!("90000000{tail}"),
        "BNIN" => format!("900000{tail}"),
        _ => format!("900001{tail}"),
    };
    // Two days is what the sandbox gives a virtual account by itself; half an hour for a code is invented.
    let life = Duration::from_secs(if registration.is_qris { 1800 } else { 2 * 86_400 });
    let charge = Charge {
        reference: registration.reference.to_owned(),
        is_qris: registration.is_qris,
        bank: registration.bank.to_owned(),
        amount: registration.amount,
        status: '3',
        canceled_amount: 0,
        receipts: 0,
        number: if registration.is_qris { String::new() } else { number },
        qr: if registration.is_qris { qr_content(&id, registration.amount) } else { String::new() },
        goods: registration.goods.to_owned(),
        buyer: registration.buyer.to_owned(),
        shop_id: registration.shop_id.to_owned(),
        acquirer: registration.acquirer.to_owned(),
        notify_url: registration.notify_url.to_owned(),
        is_snap: registration.is_snap,
        registered_at: now,
        changed_at: now,
        expires_at: registration.expires_at.unwrap_or(now.plus(life)),
        refunds: BTreeSet::new(),
        id,
    };
    state.charges.push(charge.clone());
    drop(state);
    if shared.options.auto_pay {
        pay(shared, &charge.id).unwrap();
    }
    charge
}

/// A code as the standard builds it, for a store that does not exist, with its checksum.
fn qr_content(id: &str, amount: i64) -> String {
    let field = |tag: &str, value: &str| format!("{tag}{:02}{value}", value.len());
    let body = [
        field("00", "01"),
        field("01", "12"),
        field("26", &format!("{}{}", field("00", "ID.EXAMPLE.SIM.WWW"), field("01", "936000000000000000"))),
        field("52", "5999"),
        field("53", "360"),
        field("54", &amount.to_string()),
        field("58", "ID"),
        field("59", "SIMULATED STORE"),
        field("60", "JAKARTA"),
        field("62", &field("05", &id[12..])),
        "6304".to_owned(),
    ]
    .concat();
    let checksum = body.bytes().fold(0xffff_u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| crc << 1 ^ if crc & 0x8000 == 0 { 0 } else { 0x1021 })
    });
    format!("{body}{checksum:04X}")
}

/// The total of a basket; `None` if it is none.
fn cart_total(cart: &str) -> Option<i64> {
    let cart: Value = serde_json::from_str(cart).ok()?;
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<i64>().ok(),
        other => other.as_i64(),
    };
    cart["item"].as_array()?.iter().try_fold(0, |sum, item| {
        for name in ["img_url", "goods_name", "goods_detail"] {
            item[name].as_str()?;
        }
        Some(sum + number(&item["goods_amt"])? * number(&item["goods_quantity"])?)
    })
}

fn or_null(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}
