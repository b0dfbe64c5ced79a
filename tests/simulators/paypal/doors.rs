//! What is asked and answered: the token, the operations with PayPal's checks and errors, and the buyer's page.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use switchyard::domain::secrets::random_hex;

use super::books::{Order, decimal, hundredths, new_id, written};
use super::schema::{self, File};
use super::{CLIENT_ID, CLIENT_SECRET, Call, Fault, ORDER_LIVES, Shared, signer, webhooks};

const CURRENCIES: [&str; 24] = [
    "AUD", "BRL", "CAD", "CHF", "CNY", "CZK", "DKK", "EUR", "GBP", "HKD", "HUF", "ILS", "JPY", "MXN", "MYR", "NOK",
    "NZD", "PHP", "PLN", "SEK", "SGD", "THB", "TWD", "USD",
];

/// An answer: its status and body.
type Reply = (u16, Value);

/// An operation of PayPal's, by its file and name there.
#[derive(Clone, Copy)]
struct Operation(File, &'static str);

const CREATE: Operation = Operation(File::Orders, "orders.create");
const GET_ORDER: Operation = Operation(File::Orders, "orders.get");
const CAPTURE: Operation = Operation(File::Orders, "orders.capture");
const REFUND: Operation = Operation(File::Payments, "captures.refund");
const GET_CAPTURE: Operation = Operation(File::Payments, "captures.get");
const GET_REFUND: Operation = Operation(File::Payments, "refunds.get");
const VERIFY: Operation = Operation(File::Webhooks, "verify-webhook-signature.post");

/// Answers whatever comes.
pub async fn answer(shared: &Data<Shared>, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let path = request.path().to_owned();
    let text = String::from_utf8_lossy(body).into_owned();
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap_or_default().to_owned()));
    let call = Call { method: request.method().to_string(), path, headers: headers.collect(), body: text };
    let query = request.query_string().to_owned();
    if call.path == "/" {
        return list_page(shared);
    }
    if call.path.starts_with("/checkoutnow") {
        return page(shared, &call, &query);
    }
    shared.books().calls.push(call.clone());
    if call.path.starts_with("/v1/notifications/certs/CERT-") && call.method == "GET" {
        if let Some(Fault::Certificate(status)) = shared.take_fault(|fault| matches!(fault, Fault::Certificate(_))) {
            return HttpResponse::build(StatusCode::from_u16(status).unwrap()).finish();
        }
        return HttpResponse::Ok().content_type("application/x-pem-file").body(signer::shared().chain_pem.clone());
    }
    if call.path == "/v1/oauth2/token" && call.method == "POST" {
        return written_out(token(shared, &call));
    }
    let fault = shared.take_fault(Fault::is_of_call);
    if fault == Some(Fault::StaleToken) {
        shared.books().tokens.clear();
    }
    if !is_known(shared, &call) {
        let error = json!({ "error": "invalid_token", "error_description": "Token signature verification failed" });
        return written_out((401, error));
    }
    match fault {
        Some(Fault::HttpError) => {
            let message = "An internal server error occurred.";
            let error = json!({ "name": "INTERNAL_SERVER_ERROR", "message": message, "debug_id": debug_id() });
            return written_out((500, error));
        }
        Some(Fault::RateLimited(seconds)) => {
            let message = "Too many requests. Blocked due to rate limiting.";
            let error = json!({
                "name": "RATE_LIMIT_REACHED", "debug_id": debug_id(), "message": message, "links": [],
            });
            let mut response = HttpResponse::TooManyRequests();
            if let Some(seconds) = seconds {
                response.insert_header(("retry-after", seconds));
            }
            return response.json(error);
        }
        Some(Fault::Slow(wait)) => tokio::time::sleep(wait).await,
        _ => {}
    }
    let refusal = match &fault {
        Some(Fault::Refuse(status, issue)) => Some((*status, *issue)),
        _ => None,
    };
    let Some((operation, reply)) = operate(shared, &call, refusal) else {
        return HttpResponse::NotFound().finish();
    };
    inspect(shared, operation, &reply);
    match fault {
        Some(Fault::Garbage) => HttpResponse::Ok().content_type("text/html").body("<html>Sorry</html>"),
        Some(Fault::LostAnswer(wait)) => {
            tokio::time::sleep(wait).await;
            written_out(reply)
        }
        _ => written_out(reply),
    }
}

fn operate(shared: &Data<Shared>, call: &Call, refusal: Option<(u16, &str)>) -> Option<(Operation, Reply)> {
    let parts: Vec<&str> = call.path.trim_start_matches('/').split('/').collect();
    let operation = match (call.method.as_str(), parts.as_slice()) {
        ("POST", ["v2", "checkout", "orders"]) => CREATE,
        ("GET", ["v2", "checkout", "orders", _]) => GET_ORDER,
        ("POST", ["v2", "checkout", "orders", _, "capture"]) => CAPTURE,
        ("POST", ["v2", "payments", "captures", _, "refund"]) => REFUND,
        ("GET", ["v2", "payments", "captures", _]) => GET_CAPTURE,
        ("GET", ["v2", "payments", "refunds", _]) => GET_REFUND,
        ("POST", ["v1", "notifications", "verify-webhook-signature"]) => VERIFY,
        _ => return None,
    };
    if let Some((status, issue)) = refusal {
        return Some((operation, problem(operation, status, issue, None)));
    }
    let id = parts.get(3).copied().unwrap_or_default();
    let reply = match operation.1 {
        "orders.create" => create(shared, call),
        "orders.get" => find_order(shared, id).map(|order| (200, order.read(&shared.url, true))).ok_or(GET_ORDER),
        "orders.capture" => Ok(capture(shared, call, id)),
        "captures.refund" => Ok(refund(shared, call, id)),
        "captures.get" => of_capture(shared, id).map(|(_, capture)| (200, capture)).ok_or(GET_CAPTURE),
        "refunds.get" => {
            let books = shared.books();
            let found = books.orders.values().flat_map(|order| &order.refunds).find(|refund| refund["id"] == id);
            found.map(|refund| (200, refund.clone())).ok_or(GET_REFUND)
        }
        _ => Ok(verify(shared, call)),
    };
    Some((operation, reply.unwrap_or_else(|missing| problem(missing, 404, "INVALID_RESOURCE_ID", None))))
}

fn debug_id() -> String {
    random_hex(7)[..13].to_owned()
}

fn written_out((status, body): Reply) -> HttpResponse {
    let id = body["debug_id"].as_str().map_or_else(debug_id, str::to_owned);
    HttpResponse::build(StatusCode::from_u16(status).unwrap()).insert_header(("paypal-debug-id", id)).json(body)
}

/// Notes where an answer does not fit PayPal's schema.
fn inspect(shared: &Shared, operation: Operation, (status, body): &Reply) {
    if *status >= 500 || matches!(status, 415) {
        return;
    }
    // A refund's replay is answered 200, which the file does not list.
    let status = if operation.1 == "captures.refund" && *status == 200 { 201 } else { *status };
    let schemas = schema::answer_schemas(operation.0, operation.1, status);
    let mut found: Vec<String> = schemas
        .iter()
        .flat_map(|name| schema::faults(operation.0, name, body).into_iter().map(move |fault| (name, fault)))
        .map(|(name, fault)| format!("{} {status} {name} {}: {}", operation.1, fault.at, fault.text))
        .collect();
    shared.books().violations.append(&mut found);
}

/// An error in PayPal's words.
fn problem(operation: Operation, status: u16, issue: &str, field: Option<&str>) -> Reply {
    let (name, message) = match status {
        400 => ("INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."),
        403 => ("NOT_AUTHORIZED", "Authorization failed due to insufficient permissions."),
        404 => ("RESOURCE_NOT_FOUND", "The specified resource does not exist."),
        409 => ("RESOURCE_CONFLICT", "The server has detected a conflict while processing this request."),
        415 => ("UNSUPPORTED_MEDIA_TYPE", "The server does not support the request payload's media type."),
        _ => (
            "UNPROCESSABLE_ENTITY",
            "The requested action could not be performed, semantically incorrect, or failed business validation.",
        ),
    };
    let mut detail = json!({ "issue": issue });
    if status != 415
        && let Some(text) = schema::description(operation.0, operation.1, status, issue)
    {
        detail["description"] = text.into();
    }
    if let Some(field) = field {
        detail["field"] = field.into();
        detail["location"] = "body".into();
    }
    let area = if operation.0 == File::Orders { "orders" } else { "payments" };
    let href = format!("https://developer.paypal.com/docs/api/{area}/v2/#error-{issue}");
    let links = json!([{ "href": href, "rel": "information_link", "method": "GET" }]);
    (status, json!({ "name": name, "message": message, "debug_id": debug_id(), "details": [detail], "links": links }))
}

fn token(shared: &Shared, call: &Call) -> Reply {
    let expected = format!("Basic {}", STANDARD.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}")));
    if call.headers.get("authorization") != Some(&expected) {
        let error = json!({ "error": "invalid_client", "error_description": "Client Authentication failed" });
        return (401, error);
    }
    let is_form =
        call.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let form: Vec<(String, String)> =
        if is_form { url::form_urlencoded::parse(call.body.as_bytes()).into_owned().collect() } else { Vec::new() };
    let grant = form.iter().find(|(name, _)| name == "grant_type").map(|(_, value)| value.as_str());
    let complaint = match grant {
        Some("client_credentials") => None,
        Some(_) => Some("unsupported grant_type"),
        None => Some("Grant Type is NULL"),
    };
    if let Some(complaint) = complaint {
        return (400, json!({ "error": "unsupported_grant_type", "error_description": complaint }));
    }
    let token = format!("A21AA{}", random_hex(46));
    let ends = shared.now().plus(std::time::Duration::from_secs(shared.options.expires_in));
    shared.books().tokens.insert(token.clone(), ends);
    let scope = "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/payments/refund";
    let body = json!({
        "scope": scope, "access_token": token, "token_type": "Bearer", "app_id": "APP-80W284485P519543T",
        "expires_in": shared.options.expires_in, "nonce": format!("{}{}", written(shared.now()), random_hex(8)),
    });
    (200, body)
}

fn is_known(shared: &Shared, call: &Call) -> bool {
    let token = call.headers.get("authorization").and_then(|header| header.strip_prefix("Bearer "));
    token.is_some_and(|token| shared.books().tokens.get(token).is_some_and(|ends| shared.now() < *ends))
}

/// The body, if it fits the schema; else PayPal's error for the first place where it does not.
fn read_body(operation: Operation, schema: &str, call: &Call) -> Result<Value, Reply> {
    if !call.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json")) {
        return Err(problem(operation, 415, "UNSUPPORTED_MEDIA_TYPE", None));
    }
    let refuse = |issue: &str, at: Option<&str>| problem(operation, 400, issue, at);
    let too_long = call.headers.get("paypal-request-id").is_some_and(|id| !(1..=108).contains(&id.len()));
    if too_long || call.headers.get("prefer").is_some_and(|text| text.len() > 25) {
        return Err(refuse("INVALID_STRING_LENGTH", None));
    }
    let body: Value = serde_json::from_str(&call.body).map_err(|_| refuse("MALFORMED_REQUEST_JSON", None))?;
    match schema::faults(operation.0, schema, &body).first() {
        None => Ok(body),
        Some(fault) => {
            let issue = match fault.keyword.as_str() {
                "required" => "MISSING_REQUIRED_PARAMETER",
                "maxLength" | "minLength" => "INVALID_STRING_LENGTH",
                "maxItems" => "INVALID_ARRAY_MAX_ITEMS",
                "minItems" => "INVALID_ARRAY_MIN_ITEMS",
                "enum" => "INVALID_PARAMETER_VALUE",
                _ => "INVALID_PARAMETER_SYNTAX",
            };
            Err(refuse(issue, Some(&fault.at)))
        }
    }
}

fn is_full(call: &Call) -> bool {
    call.headers.get("prefer").is_some_and(|text| text == "return=representation")
}

/// The fault of an amount of money.
fn fault_of_amount(amount: &Value) -> Option<&'static str> {
    let currency = amount["currency_code"].as_str().unwrap_or_default();
    let value = amount["value"].as_str().unwrap_or_default();
    let is_whole = matches!(currency, "HUF" | "JPY" | "TWD");
    if !CURRENCIES.contains(&currency) {
        Some("INVALID_CURRENCY_CODE")
    } else if value.contains('.') && (is_whole || hundredths(&amount["value"]).is_none()) {
        Some("DECIMAL_PRECISION")
    } else if hundredths(&amount["value"]).unwrap_or(0) <= 0 {
        Some("CANNOT_BE_ZERO_OR_NEGATIVE")
    } else {
        None
    }
}

fn create(shared: &Data<Shared>, call: &Call) -> Result<Reply, Operation> {
    let request = match read_body(CREATE, "order_request", call) {
        Ok(request) => request,
        Err(reply) => return Ok(reply),
    };
    let request_id = call.headers.get("paypal-request-id").cloned();
    let names_source = request["payment_source"].is_object();
    if names_source && request_id.is_none() {
        return Ok(problem(CREATE, 400, "PAYPAL_REQUEST_ID_REQUIRED", None));
    }
    let mut books = shared.books();
    if let Some(id) = request_id.as_ref().and_then(|id| books.done.get(&("create", id.clone()))) {
        return books.orders.get(id).map(|order| (200, order.read(&shared.url, is_full(call)))).ok_or(CREATE);
    }
    let unit = &request["purchase_units"][0];
    if let Some(issue) = fault_of_amount(&unit["amount"]) {
        let field = "/purchase_units/@reference_id=='default'/amount/value";
        return Ok(problem(CREATE, 422, issue, Some(field)));
    }
    if is_paid_invoice(&books.orders, unit, "") {
        return Ok(problem(CREATE, 422, "DUPLICATE_INVOICE_ID", None));
    }
    let now = shared.now();
    let order = Order {
        id: new_id(),
        status: if names_source { "PAYER_ACTION_REQUIRED" } else { "CREATED" },
        request,
        captures: Vec::new(),
        refunds: Vec::new(),
        made_at: now,
        changed_at: now,
        charges: 0,
    };
    if let Some(id) = request_id {
        books.done.insert(("create", id), order.id.clone());
    }
    let reply = (if names_source { 200 } else { 201 }, order.read(&shared.url, is_full(call)));
    books.orders.insert(order.id.clone(), order);
    Ok(reply)
}

/// An invoice id can be paid once for each merchant.
fn is_paid_invoice(orders: &std::collections::BTreeMap<String, Order>, unit: &Value, but: &str) -> bool {
    let same =
        |order: &&Order| order.id != but && order.charges > 0 && order.unit()["invoice_id"] == unit["invoice_id"];
    unit["invoice_id"].is_string() && orders.values().any(|order| same(&order))
}

fn find_order(shared: &Shared, id: &str) -> Option<Order> {
    let books = shared.books();
    let order = books.orders.get(id)?;
    let is_over = order.captures.is_empty() && shared.now().since(order.changed_at) > ORDER_LIVES;
    (!is_over).then(|| order.clone())
}

fn capture(shared: &Data<Shared>, call: &Call, id: &str) -> Reply {
    if let Err(reply) = read_body(CAPTURE, "order_capture_request", call) {
        return reply;
    }
    if find_order(shared, id).is_none() {
        return problem(CAPTURE, 404, "INVALID_RESOURCE_ID", None);
    }
    let key = call.headers.get("paypal-request-id").map(|key| ("capture", format!("{id} {key}")));
    {
        let books = shared.books();
        let order = &books.orders[id];
        if !order.captures.is_empty() {
            let is_replay = key.as_ref().is_some_and(|key| books.done.contains_key(key));
            return if is_replay {
                (200, order.read(&shared.url, is_full(call)))
            } else {
                problem(CAPTURE, 422, "ORDER_ALREADY_CAPTURED", None)
            };
        }
        if order.status != "APPROVED" {
            return problem(CAPTURE, 422, "ORDER_NOT_APPROVED", None);
        }
        if is_paid_invoice(&books.orders, order.unit(), id) {
            return problem(CAPTURE, 422, "DUPLICATE_INVOICE_ID", None);
        }
    }
    let fault = shared.take_fault(Fault::is_of_capture);
    match fault {
        Some(Fault::Decline) => {
            // The buyer has to choose other means, and approve again.
            let mut books = shared.books();
            let order = books.orders.get_mut(id).unwrap();
            order.status = "PAYER_ACTION_REQUIRED";
            order.changed_at = shared.now();
            let (status, mut body) = problem(CAPTURE, 422, "INSTRUMENT_DECLINED", None);
            let href = format!("{}/checkoutnow?token={id}", shared.url);
            let links = body["links"].as_array_mut().unwrap();
            links.push(json!({ "href": href, "rel": "redirect", "method": "GET" }));
            return (status, body);
        }
        Some(Fault::DeclineForGood(issue)) => return problem(CAPTURE, 422, issue, None),
        _ => {}
    }
    let is_pending = fault == Some(Fault::PendingCapture);
    let (status, reason, kind) = if is_pending {
        ("PENDING", Some("PENDING_REVIEW"), "PAYMENT.CAPTURE.PENDING")
    } else {
        ("COMPLETED", None, "PAYMENT.CAPTURE.COMPLETED")
    };
    let (capture, reply) = {
        let mut books = shared.books();
        let order = books.orders.get_mut(id).unwrap();
        let capture = order.capture(&shared.url, status, reason, shared.now());
        let reply = (201, order.read(&shared.url, is_full(call)));
        if let Some(key) = key {
            books.done.insert(key, id.to_owned());
        }
        (capture, reply)
    };
    webhooks::tell(shared, kind, "capture", capture);
    reply
}

fn of_capture(shared: &Shared, id: &str) -> Option<(String, Value)> {
    let books = shared.books();
    let order = books.orders.values().find(|order| order.captures.iter().any(|capture| capture["id"] == id))?;
    let mut capture = order.captures.iter().find(|capture| capture["id"] == id)?.clone();
    capture["supplementary_data"] = json!({ "related_ids": { "order_id": order.id } });
    Some((order.id.clone(), capture))
}

fn refund(shared: &Data<Shared>, call: &Call, id: &str) -> Reply {
    let request = match read_body(REFUND, "refund_request", call) {
        Ok(request) => request,
        Err(reply) => return reply,
    };
    let Some((order_id, capture)) = of_capture(shared, id) else {
        return problem(REFUND, 404, "INVALID_RESOURCE_ID", None);
    };
    let key = call.headers.get("paypal-request-id").map(|key| ("refund", key.clone()));
    let refuse = |issue: &str| problem(REFUND, 422, issue, None);
    let is_pending = {
        let mut books = shared.books();
        if let Some(done) = key.as_ref().and_then(|key| books.done.get(key)).cloned() {
            let found = books.orders[&order_id].refunds.iter().find(|refund| refund["id"] == done);
            return found.map_or_else(|| refuse("REFUND_NOT_ALLOWED"), |refund| (200, refund.clone()));
        }
        if capture["status"] == "PENDING" {
            return refuse("PENDING_CAPTURE");
        }
        let invoice = &request["invoice_id"];
        let mut refunds = books.orders.values().flat_map(|order| &order.refunds);
        if invoice.is_string() && refunds.any(|refund| refund["invoice_id"] == *invoice) {
            return refuse("DUPLICATE_INVOICE_ID");
        }
        let left = books.order(&order_id).left();
        if left == 0 {
            return refuse("CAPTURE_FULLY_REFUNDED");
        }
        if request["amount"].is_object() {
            if let Some(issue) = fault_of_amount(&request["amount"]) {
                return refuse(issue);
            }
            if request["amount"]["currency_code"] != capture["amount"]["currency_code"] {
                return refuse("REFUND_CAPTURE_CURRENCY_MISMATCH");
            }
            if hundredths(&request["amount"]["value"]).unwrap_or(i64::MAX) > left {
                return refuse("REFUND_AMOUNT_EXCEEDED");
            }
        }
        drop(books);
        shared.take_fault(|fault| *fault == Fault::PendingRefund).is_some()
    };
    let status = if is_pending { "PENDING" } else { "COMPLETED" };
    let refund = {
        let mut books = shared.books();
        let order = books.orders.get_mut(&order_id).unwrap();
        let amount = hundredths(&request["amount"]["value"]).unwrap_or_else(|| order.left());
        let refund = add_refund(shared, order, amount, &request, status);
        if let Some(key) = key {
            books.done.insert(key, refund["id"].as_str().unwrap().to_owned());
        }
        refund
    };
    let kind = if is_pending { "PAYMENT.REFUND.PENDING" } else { "PAYMENT.CAPTURE.REFUNDED" };
    webhooks::tell(shared, kind, "refund", refund.clone());
    if is_full(call) {
        return (201, refund);
    }
    (201, json!({ "id": refund["id"], "status": refund["status"], "links": refund["links"] }))
}

/// Books a refund of an order.
pub fn add_refund(shared: &Shared, order: &mut Order, amount: i64, request: &Value, status: &str) -> Value {
    let id = new_id();
    let currency = order.unit()["amount"]["currency_code"].as_str().unwrap().to_owned();
    let money = |minor: i64| json!({ "currency_code": currency, "value": decimal(minor, &currency) });
    let capture_id = order.captures.last().unwrap()["id"].as_str().unwrap().to_owned();
    let before = hundredths(&order.unit()["amount"]["value"]).unwrap() - order.left();
    let now = written(shared.now());
    let mut refund = json!({
        "id": id, "status": status, "amount": money(amount),
        "seller_payable_breakdown": {
            "gross_amount": money(amount), "paypal_fee": money(0), "net_amount": money(amount),
            "total_refunded_amount": money(before + amount),
        },
        "links": [
            { "href": format!("{}/v2/payments/refunds/{id}", shared.url), "rel": "self", "method": "GET" },
            { "href": format!("{}/v2/payments/captures/{capture_id}", shared.url), "rel": "up", "method": "GET" },
        ],
        // PayPal writes these with an offset.
        "create_time": now.replace('Z', "+00:00"), "update_time": now.replace('Z', "+00:00"),
    });
    for name in ["invoice_id", "custom_id", "note_to_payer"] {
        // Without one of its own, a refund has its capture's.
        let inherited = order.unit().get(name).filter(|_| name == "custom_id");
        if let Some(value) = request.get(name).or(inherited) {
            refund[name] = value.clone();
        }
    }
    if status == "PENDING" {
        refund["status_details"] = json!({ "reason": "ECHECK" });
    }
    order.refunds.push(refund.clone());
    order.changed_at = shared.now();
    let status = if order.left() == 0 { "REFUNDED" } else { "PARTIALLY_REFUNDED" };
    order.captures.last_mut().unwrap()["status"] = status.into();
    refund
}

/// Judges as PayPal does: by the bytes of the event as they stand in the question. Mock events fail.
fn verify(shared: &Shared, call: &Call) -> Reply {
    #[derive(serde::Deserialize)]
    struct Question<'a> {
        transmission_id: String,
        transmission_sig: String,
        transmission_time: String,
        webhook_id: String,
        #[serde(borrow)]
        webhook_event: &'a serde_json::value::RawValue,
    }
    if let Err(reply) = read_body(Operation(File::Webhooks, VERIFY.1), "verify_webhook_signature", call) {
        return (
            400,
            json!({ "name": "VALIDATION_ERROR", "message": "Invalid data", "debug_id": reply.1["debug_id"] }),
        );
    }
    let question: Question<'_> = serde_json::from_str(&call.body).unwrap();
    let event = question.webhook_event.get().as_bytes();
    let (id, time) = (&question.transmission_id, &question.transmission_time);
    let webhook_id = &shared.options.webhook_id;
    let is_good = question.webhook_id == *webhook_id
        && signer::shared().sign(id, time, webhook_id, event) == question.transmission_sig;
    (200, json!({ "verification_status": if is_good { "SUCCESS" } else { "FAILURE" } }))
}

/// The buyer approves.
pub fn approve(shared: &Data<Shared>, name: &str) {
    let order = {
        let mut books = shared.books();
        let order = books.order(name);
        order.status = "APPROVED";
        order.changed_at = shared.now();
        let mut order = order.read(&shared.url, true);
        // Real events have this.
        order["purchase_units"][0]["amount"]["breakdown"] = json!({});
        order
    };
    webhooks::tell(shared, "CHECKOUT.ORDER.APPROVED", "checkout-order", order);
}

fn escaped(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Every order, the newest first, for a person.
fn list_page(shared: &Data<Shared>) -> HttpResponse {
    let books = shared.books();
    let mut orders: Vec<_> = books.orders.values().collect();
    orders.sort_by_key(|order| std::cmp::Reverse(order.made_at));
    let rows = orders.into_iter().map(|order| {
        let (unit, id, status) = (order.unit(), &order.id, order.status);
        let (value, currency) = (escaped(&unit["amount"]["value"]), escaped(&unit["amount"]["currency_code"]));
        let payment = escaped(&unit["custom_id"]);
        format!("<li><a href=\"/checkoutnow?token={id}\">{payment}</a>: {value} {currency}, {status}")
    });
    let rows: String = rows.collect();
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>PayPal simulator</title><h1>PayPal simulator</h1><ul>{rows}</ul></html>"
    ))
}

fn page(shared: &Data<Shared>, call: &Call, query: &str) -> HttpResponse {
    let mut pairs = url::form_urlencoded::parse(query.as_bytes());
    let token = pairs.find(|(name, _)| name == "token").map(|(_, token)| token.into_owned()).unwrap_or_default();
    let Some(order) = find_order(shared, &token) else {
        return HttpResponse::NotFound().content_type("text/html").body("<p>This order is not known, or over.</p>");
    };
    let to = |url: Option<url::Url>| match url {
        Some(url) => HttpResponse::SeeOther().insert_header(("location", url.as_str())).finish(),
        None => HttpResponse::Ok().body("Sorry, things do not appear to be working at the moment."),
    };
    match (call.method.as_str(), call.path.as_str()) {
        ("POST", "/checkoutnow/approve") => {
            if matches!(order.status, "CREATED" | "PAYER_ACTION_REQUIRED") {
                approve(shared, &token);
            }
            to(order.back(true))
        }
        ("POST", "/checkoutnow/cancel") => to(order.back(false)),
        ("GET", "/checkoutnow") => {
            let amount = &order.unit()["amount"];
            HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
                "<!doctype html><html lang=en><meta charset=utf-8>\
                 <meta name=viewport content=\"width=device-width\"><title>PayPal simulator</title>\
                 <h1>PayPal simulator</h1><p>{description}</p><p><strong>{value} {currency}</strong></p>\
                 <form method=post action=\"/checkoutnow/approve?token={token}\"><button>Approve</button></form>\
                 <form method=post action=\"/checkoutnow/cancel?token={token}\"><button>Cancel</button></form>",
                description = escaped(&order.unit()["description"]),
                value = escaped(&amount["value"]),
                currency = escaped(&amount["currency_code"]),
                token = order.id,
            ))
        }
        _ => HttpResponse::NotFound().finish(),
    }
}
