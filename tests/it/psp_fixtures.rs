//! The contract that every provider's driver keeps: what it sends for a call, byte for byte where that matters, and what
//! it makes of the answer. The cases are `psp-fixtures/<provider>/<case>/case.json`; this walks all of them, and sees
//! that none is missing and none is left over.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Debug;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::drafts::Buyer;
use switchyard::domain::ids::{AttemptId, PaymentId, RefundId};
use switchyard::domain::mode::Mode;
use switchyard::domain::money::Currency;
use switchyard::domain::secrets::Secret;
use switchyard::domain::time::Timestamp;
use switchyard::psp::http::{Http, client};
use switchyard::psp::{Account, Connect, DRIVERS, Driver, Failure, Ongoing, Psp, RefundOrder, Start};

/// Stands for the stub's address in any text of a case.
const BASE_URL: &str = "{base_url}";

/// A case, as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    what: String,
    origin: String,
    #[serde(deserialize_with = "mode")]
    mode: Mode,
    credentials: BTreeMap<String, String>,
    call: String,
    input: Value,
    exchanges: Vec<Exchange>,
    outcome: Value,
}

/// A request that the driver is to make, and what it gets.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exchange {
    request: Expected,
    response: Canned,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    path: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    body_text: Option<String>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Canned {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Value>,
    body_text: Option<String>,
    body_file: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StartInput {
    #[serde(deserialize_with = "payment_id")]
    payment_id: PaymentId,
    #[serde(deserialize_with = "attempt_id")]
    attempt_id: AttemptId,
    reference: String,
    is_repeat: bool,
    amount_minor: i64,
    #[serde(deserialize_with = "currency")]
    currency: Currency,
    method: String,
    description: Option<String>,
    invoice_number: String,
    external_user_id: String,
    email: Option<String>,
    #[serde(default)]
    buyer: BuyerInput,
    #[serde(default = "no_metadata")]
    metadata: Value,
    return_url: String,
    notify_url: String,
    expires_at: Timestamp,
    now: Timestamp,
}

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct BuyerInput {
    name: Option<String>,
    phone: Option<String>,
    ip: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OngoingInput {
    #[serde(deserialize_with = "payment_id")]
    payment_id: PaymentId,
    #[serde(deserialize_with = "attempt_id")]
    attempt_id: AttemptId,
    reference: String,
    provider_ref: String,
    amount_minor: i64,
    #[serde(deserialize_with = "currency")]
    currency: Currency,
    method: String,
    now: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RefundInput {
    payment: OngoingInput,
    #[serde(deserialize_with = "refund_id")]
    refund_id: RefundId,
    transaction: String,
    amount_minor: i64,
    refunded_minor: i64,
    reason: Option<String>,
    created_at: Timestamp,
    #[serde(default)]
    other_refs: Vec<String>,
    /// Only where the refund is fetched.
    provider_ref: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CancelSubscriptionInput {
    provider_ref: String,
    at_period_end: bool,
    now: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookInput {
    headers: BTreeMap<String, String>,
    body: Option<String>,
    body_file: Option<String>,
    now: Timestamp,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckInput {
    now: Timestamp,
}

fn parsed<'de, D: Deserializer<'de>, T>(from: D, parse: fn(&str) -> Option<T>) -> Result<T, D::Error> {
    let text = String::deserialize(from)?;
    parse(&text).ok_or_else(|| D::Error::custom(format!("{text:?} is not well-formed here")))
}

fn mode<'de, D: Deserializer<'de>>(from: D) -> Result<Mode, D::Error> {
    parsed(from, Mode::parse)
}

fn currency<'de, D: Deserializer<'de>>(from: D) -> Result<Currency, D::Error> {
    parsed(from, Currency::parse)
}

fn payment_id<'de, D: Deserializer<'de>>(from: D) -> Result<PaymentId, D::Error> {
    parsed(from, PaymentId::parse)
}

fn attempt_id<'de, D: Deserializer<'de>>(from: D) -> Result<AttemptId, D::Error> {
    parsed(from, AttemptId::parse)
}

fn refund_id<'de, D: Deserializer<'de>>(from: D) -> Result<RefundId, D::Error> {
    parsed(from, RefundId::parse)
}

fn no_metadata() -> Value {
    json!({})
}

/// The stub: it answers what is expected next, and remembers what was not.
#[derive(Default)]
struct Stub {
    expected: Mutex<VecDeque<(usize, Exchange)>>,
    complaints: Mutex<Vec<String>>,
    directory: PathBuf,
}

impl Stub {
    fn complain(&self, complaint: String) -> HttpResponse {
        self.complaints.lock().unwrap().push(complaint);
        HttpResponse::NotImplemented().body("not what the case expects")
    }
}

async fn answer(stub: Data<Stub>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let line = format!("{} {}", request.method(), request.uri());
    let Some((index, exchange)) = stub.expected.lock().unwrap().pop_front() else {
        return stub.complain(format!("a request too many: {line}\n  {}", String::from_utf8_lossy(&body)));
    };
    let wrong = differences(&exchange.request, &request, &body);
    if !wrong.is_empty() {
        return stub.complain(format!("exchange {}, {line}:\n{}", index + 1, wrong.join("\n")));
    }
    let canned = exchange.response;
    let is_json = canned.body.is_some();
    let body = match (canned.body, canned.body_text, &canned.body_file) {
        (Some(body), None, None) => Ok(body.to_string().into_bytes()),
        (None, Some(text), None) => Ok(text.into_bytes()),
        (None, None, Some(file)) => read(&stub.directory, file),
        (None, None, None) => Ok(Vec::new()),
        _ => Err("a response has more than one of body, body_text and body_file".to_owned()),
    };
    let body = match body {
        Ok(body) => body,
        Err(error) => return stub.complain(error),
    };
    let Ok(status) = StatusCode::from_u16(canned.status) else {
        return stub.complain(format!("exchange {}: {} is no status", index + 1, canned.status));
    };
    let mut response = HttpResponse::build(status);
    if is_json {
        response.content_type("application/json");
    }
    for (name, value) in &canned.headers {
        response.insert_header((name.as_str(), value.as_str()));
    }
    response.body(body)
}

/// What of a request is not as it is expected, one text for each part.
fn differences(expected: &Expected, request: &HttpRequest, body: &[u8]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut compare = |part: &str, expected: &str, found: &str| {
        if expected != found {
            wrong.push(format!("  {part}\n    expected: {expected}\n    found:    {found}"));
        }
    };
    compare("method", &expected.method, request.method().as_str());
    compare("path", &expected.path, &request.uri().to_string());
    for (name, value) in &expected.headers {
        let found = request.headers().get(name).map(|found| String::from_utf8_lossy(found.as_bytes()).into_owned());
        compare(&format!("header {name}"), value, found.as_deref().unwrap_or("(absent)"));
    }
    let text = String::from_utf8_lossy(body);
    match (&expected.body, &expected.body_text) {
        (Some(_), Some(_)) => wrong.push("  a request has both body and body_text".to_owned()),
        (Some(expected), None) => match serde_json::from_slice::<Value>(body) {
            Ok(found) => compare("body", &expected.to_string(), &found.to_string()),
            Err(_) => compare("body", &expected.to_string(), &format!("(no JSON) {text}")),
        },
        (None, expected) => compare("body", expected.as_deref().unwrap_or_default(), &text),
    }
    wrong
}

fn read(directory: &Path, file: &str) -> Result<Vec<u8>, String> {
    std::fs::read(directory.join(file)).map_err(|error| format!("{file}: {error}"))
}

fn input<T: DeserializeOwned>(case: &Case) -> Result<T, String> {
    serde_json::from_value(case.input.clone()).map_err(|error| format!("input of {}: {error}", case.call))
}

/// A driver's answer as a case writes it.
fn outcome<T: Serialize + Debug>(result: Result<T, Failure>) -> Value {
    match result {
        Ok(value) => json!({ "ok": value }),
        Err(failure) => json!({ "failure": failure }),
    }
}

impl OngoingInput {
    fn borrowed(&self) -> Ongoing<'_> {
        Ongoing {
            payment_id: &self.payment_id,
            attempt_id: &self.attempt_id,
            reference: &self.reference,
            provider_ref: &self.provider_ref,
            amount_minor: self.amount_minor,
            currency: self.currency,
            method: &self.method,
            is_open: true,
            now: self.now,
        }
    }
}

impl RefundInput {
    fn borrowed(&self) -> RefundOrder<'_> {
        RefundOrder {
            payment: self.payment.borrowed(),
            refund_id: &self.refund_id,
            transaction: &self.transaction,
            amount_minor: self.amount_minor,
            refunded_minor: self.refunded_minor,
            reason: self.reason.as_deref(),
            created_at: self.created_at,
            other_refs: &self.other_refs,
        }
    }
}

impl StartInput {
    fn borrowed(&self) -> Start<'_> {
        Start {
            payment_id: &self.payment_id,
            attempt_id: &self.attempt_id,
            reference: &self.reference,
            is_repeat: self.is_repeat,
            amount_minor: self.amount_minor,
            currency: self.currency,
            method: &self.method,
            description: self.description.as_deref(),
            invoice_number: &self.invoice_number,
            external_user_id: &self.external_user_id,
            email: self.email.as_deref(),
            buyer: Buyer { name: self.buyer.name.clone(), phone: self.buyer.phone.clone(), ip: self.buyer.ip.clone() },
            metadata: &self.metadata,
            return_url: &self.return_url,
            notify_url: &self.notify_url,
            expires_at: self.expires_at,
            now: self.now,
        }
    }
}

/// Makes the call of a case.
async fn call(psp: &dyn Psp, case: &Case, directory: &Path) -> Result<Value, String> {
    Ok(match case.call.as_str() {
        "start" => outcome(psp.start(&input::<StartInput>(case)?.borrowed()).await),
        "fetch" => outcome(psp.fetch(&input::<OngoingInput>(case)?.borrowed()).await),
        "cancel" => outcome(psp.cancel(&input::<OngoingInput>(case)?.borrowed()).await),
        "refund" => {
            let input: RefundInput = input(case)?;
            if input.provider_ref.is_some() {
                return Err("input of refund: provider_ref is for fetch_refund".to_owned());
            }
            outcome(psp.refund(&input.borrowed()).await)
        }
        "fetch_refund" => {
            let input: RefundInput = input(case)?;
            outcome(psp.fetch_refund(&input.borrowed(), input.provider_ref.as_deref()).await)
        }
        "cancel_subscription" => {
            let input: CancelSubscriptionInput = input(case)?;
            outcome(psp.cancel_subscription(&input.provider_ref, input.at_period_end, input.now).await)
        }
        "webhook" => {
            let input: WebhookInput = input(case)?;
            let headers: Vec<(String, String)> = input.headers.into_iter().collect();
            if headers.iter().any(|(name, _)| name.chars().any(|character| character.is_ascii_uppercase())) {
                return Err("input of webhook: header names are lower case".to_owned());
            }
            let body = match (input.body, input.body_file) {
                (Some(body), None) => body.into_bytes(),
                (None, Some(file)) => read(directory, &file)?,
                _ => return Err("input of webhook: exactly one of body and body_file".to_owned()),
            };
            outcome(psp.read_webhook(&headers, &body, input.now).await)
        }
        "check" => outcome(psp.check(input::<CheckInput>(case)?.now).await),
        other => return Err(format!("there is no call {other:?}")),
    })
}

/// Runs one case; what is wrong, if something is.
async fn run_case(connect: Connect, directory: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(directory.join("case.json")).map_err(|error| format!("case.json: {error}"))?;
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let base_url = format!("http://{}", listener.local_addr().map_err(|error| error.to_string())?);
    // An address has nothing that JSON would escape.
    let text = text.replace(BASE_URL, &base_url);
    let case: Case = serde_json::from_str(&text).map_err(|error| format!("case.json: {error}"))?;
    if case.what.trim().is_empty() || case.origin.trim().is_empty() {
        return Err("case.json: what and origin want a sentence".to_owned());
    }

    let stub = Data::new(Stub {
        expected: Mutex::new(case.exchanges.iter().cloned().enumerate().collect()),
        complaints: Mutex::default(),
        directory: directory.to_owned(),
    });
    let shared = stub.clone();
    let server = HttpServer::new(move || App::new().app_data(shared.clone()).default_service(web::to(answer)))
        .workers(1)
        .disable_signals()
        .listen(listener)
        .map_err(|error| error.to_string())?
        .run();
    let handle = server.handle();
    tokio::spawn(server);

    let credentials = case.credentials.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone()))).collect();
    let account = Account { mode: case.mode, base_url, credentials };
    let http = Http::new(client().map_err(|error| error.to_string())?, Clock::system());
    let psp = connect(account, http);
    let found = call(psp.as_ref(), &case, directory).await;
    handle.stop(false).await;

    let mut wrong = std::mem::take(&mut *stub.complaints.lock().unwrap());
    for (index, exchange) in stub.expected.lock().unwrap().iter() {
        let request = &exchange.request;
        wrong.push(format!("exchange {} was not made: {} {}", index + 1, request.method, request.path));
    }
    match found {
        Err(error) => wrong.push(error),
        Ok(found) if found != case.outcome => {
            wrong.push(format!("outcome\n    expected: {}\n    found:    {found}", case.outcome));
        }
        Ok(_) => {}
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}\n{}", case.what, wrong.join("\n"))) }
}

/// The folders in a folder. None where there is no such folder.
fn folders(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

fn name_of(directory: &Path) -> String {
    directory.file_name().unwrap().to_string_lossy().into_owned()
}

/// The cases of a provider; and those that lie too deep to be walked, which their author would think were kept.
fn cases(provider: &Path) -> (Vec<PathBuf>, Vec<PathBuf>) {
    fn beneath(directory: &Path, found: &mut Vec<PathBuf>) {
        for folder in folders(directory) {
            beneath(&folder, found);
            if folder.join("case.json").exists() {
                found.push(folder);
            }
        }
    }
    let mut found = Vec::new();
    beneath(provider, &mut found);
    found.into_iter().partition(|case| case.parent() == Some(provider))
}

/// Runs every case of every provider that is spoken to; everything that is wrong.
async fn run_all(root: &Path, providers: &[(&str, Option<Connect>)]) -> Vec<String> {
    let mut wrong = Vec::new();
    for provider in folders(root).iter().map(|folder| name_of(folder)) {
        if !providers.iter().any(|(name, connect)| *name == provider && connect.is_some()) {
            wrong.push(format!("psp-fixtures/{provider}: no driver is spoken to under this name"));
        }
    }
    for (provider, connect) in providers {
        let Some(connect) = connect else { continue };
        let (cases, too_deep) = cases(&root.join(provider));
        if cases.is_empty() {
            wrong.push(format!("psp-fixtures/{provider}: the driver has no cases"));
        }
        for directory in too_deep {
            wrong.push(format!("psp-fixtures/{provider}: the case {} lies too deep", name_of(&directory)));
        }
        for directory in cases {
            if let Err(error) = run_case(*connect, &directory).await {
                wrong.push(format!("psp-fixtures/{provider}/{}: {error}", name_of(&directory)));
            }
        }
    }
    wrong
}

#[tokio::test]
async fn every_driver_keeps_its_fixtures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("psp-fixtures");
    let providers: Vec<(&str, Option<Connect>)> =
        DRIVERS.iter().map(|driver: &&Driver| (driver.name, driver.connect)).collect();
    let wrong = run_all(&root, &providers).await;
    assert!(wrong.is_empty(), "{} things are wrong:\n\n{}\n", wrong.len(), wrong.join("\n\n"));
}

mod walker;
