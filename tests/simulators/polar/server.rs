//! What the simulator checks and answers: tokens, API versions, slashes and fields as Polar's server does, Polar's
//! error bodies, and the page on which a buyer pays.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use super::{ACCESS_TOKEN, Books, Call, DEFAULT_CURRENCY, Fault, Shared, objects, webhooks};

pub const CURRENT_VERSION: &str = "2026-10";
const VERSIONS: [&str; 3] = ["2026-04", CURRENT_VERSION, "2027-01"];
const REASONS: [&str; 6] =
    ["duplicate", "fraudulent", "customer_request", "service_disruption", "satisfaction_guarantee", "other"];

/// A status and a JSON body.
struct Reply(u16, Value);

fn fail(status: u16, error: &str, detail: &str) -> Reply {
    Reply(status, json!({ "error": error, "detail": detail }))
}

fn not_found() -> Reply {
    fail(404, "ResourceNotFound", "Not found")
}

fn no_route() -> Reply {
    Reply(404, json!({ "detail": "Not Found" }))
}

/// The faults of a body or query, gathered as Polar does it.
#[derive(Default)]
struct Faults(Vec<Value>);

impl Faults {
    fn add(&mut self, kind: &str, place: &[&str], message: &str, input: &Value) {
        self.0.push(json!({ "type": kind, "loc": place, "msg": message, "input": input }));
    }

    fn into_reply(self, error: &str) -> Reply {
        Reply(422, json!({ "error": error, "detail": self.0 }))
    }
}

fn business(place: &str, message: &str, input: &Value) -> Reply {
    let mut faults = Faults::default();
    faults.add("value_error", &["body", place], message, input);
    faults.into_reply("PolarRequestValidationError")
}

pub async fn handle(request: HttpRequest, body: Bytes, shared: Data<Shared>) -> HttpResponse {
    let path = request.path().to_owned();
    if path == "/" {
        return list_page(&shared);
    }
    if let Some(rest) = path.strip_prefix("/checkout/") {
        let response = page(&shared, request.method().as_str(), rest);
        webhooks::send(&shared);
        return response;
    }
    let fault = {
        let mut books = shared.books.lock().unwrap();
        books.calls.push(Call {
            method: request.method().to_string(),
            path: request.uri().to_string(),
            body: String::from_utf8_lossy(&body).into_owned(),
        });
        if request.method() == "GET" { books.read_faults.pop_front() } else { books.faults.pop_front() }
    };
    let early = match &fault {
        Some(Fault::Http500) => Some(HttpResponse::InternalServerError().body("Internal Server Error")),
        Some(Fault::RateLimited(seconds)) => {
            Some(HttpResponse::TooManyRequests().insert_header(("retry-after", seconds.to_string())).finish())
        }
        Some(Fault::Refuse) => Some(respond(business("products", "Product is not available.", &Value::Null))),
        _ => None,
    };
    if let Some(early) = early {
        return early;
    }
    let response = match wrong_slash(request.method().as_str(), &path) {
        Some(location) => HttpResponse::TemporaryRedirect().insert_header(("location", location)).finish(),
        None => respond(answer(&request, &body, &shared)),
    };
    webhooks::send(&shared);
    match fault {
        Some(Fault::Garbage) => HttpResponse::build(response.status()).body("<html>not what you think</html>"),
        Some(Fault::Slow(wait) | Fault::AnswerLost(wait)) => {
            tokio::time::sleep(wait.min(Duration::from_secs(120))).await;
            response
        }
        _ => response,
    }
}

fn respond(Reply(status, body): Reply) -> HttpResponse {
    let mut response = HttpResponse::build(StatusCode::from_u16(status).unwrap());
    response
        .insert_header(("polar-version", CURRENT_VERSION))
        .insert_header(("x-polar-sandbox", "1"))
        .insert_header(("cache-control", "private, no-store"));
    if status == 401 {
        response.insert_header(("www-authenticate", "Bearer realm=\"polar\""));
    }
    response.json(body)
}

/// Collections end with a slash, items and the routes of webhooks do not.
fn wrong_slash(method: &str, path: &str) -> Option<String> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let has_slash = path.ends_with('/');
    let wants_slash = matches!(parts.as_slice(), ["v1", collection] if *collection != "webhooks");
    let is_known = matches!(parts.first(), Some(&"v1")) && parts.len() <= 4 && method != "OPTIONS";
    (is_known && has_slash != wants_slash).then(|| {
        let bare = path.trim_end_matches('/');
        if wants_slash { format!("{bare}/") } else { bare.to_owned() }
    })
}

fn answer(request: &HttpRequest, body: &[u8], shared: &Shared) -> Reply {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    if header("polar-version").is_some_and(|version| !VERSIONS.contains(&version)) {
        return no_route();
    }
    match header("authorization") {
        None => return fail(401, "Unauthorized", "Unauthorized"),
        Some(given) if given != format!("Bearer {ACCESS_TOKEN}") => {
            let why = "The access token provided is expired, revoked, malformed, or invalid for other reasons.";
            return Reply(401, json!({ "error": "invalid_token", "error_description": why }));
        }
        Some(_) => {}
    }
    let method = request.method().as_str();
    let is_write = matches!(method, "POST" | "PATCH");
    if is_write && header("content-length").is_none() {
        return fail(411, "LengthRequired", "Content-Length is required");
    }
    let sent = serde_json::from_slice::<Value>(body);
    let sent = match sent {
        Ok(sent) if sent.is_object() => sent,
        _ if is_write => {
            let mut faults = Faults::default();
            faults.add("json_invalid", &["body", "0"], "JSON decode error", &json!({}));
            return faults.into_reply("RequestValidationError");
        }
        _ => json!({}),
    };
    if body.contains(&0) || sent.to_string().contains("\\u0000") {
        return business("body", "Null characters are not allowed.", &Value::Null);
    }
    let query: Vec<(String, String)> =
        url::form_urlencoded::parse(request.query_string().as_bytes()).into_owned().collect();
    let mut guard = shared.books.lock().unwrap();
    let books = &mut *guard;
    let parts: Vec<&str> = request.path().trim_matches('/').split('/').collect();
    if let [_, _, id] = parts.as_slice()
        && *id != "endpoints"
        && !objects::is_uuid(id)
    {
        let mut faults = Faults::default();
        faults.add("uuid_parsing", &["path", "id"], "Input should be a valid UUID", &json!(id));
        return faults.into_reply("RequestValidationError");
    }
    match (method, parts.as_slice()) {
        ("GET", ["v1", "products"]) => list(&books.products, &query, &[]),
        ("GET", ["v1", "products", id]) => item(&books.products, id),
        ("POST", ["v1", "checkouts"]) => create_checkout(shared, books, &sent),
        ("GET", ["v1", "checkouts"]) => {
            list(&books.checkouts, &query, &["product_id", "customer_id", "external_customer_id", "status"])
        }
        ("GET", ["v1", "checkouts", id]) => item(&books.checkouts, id),
        ("PATCH", ["v1", "checkouts", id]) => update_checkout(books, id, &sent),
        ("GET", ["v1", "orders"]) => {
            list(&books.orders, &query, &["checkout_id", "subscription_id", "customer_id", "product_id", "status"])
        }
        ("GET", ["v1", "orders", id]) => item(&books.orders, id),
        ("GET", ["v1", "payments"]) => list(&books.payments, &query, &["checkout_id", "order_id", "status"]),
        ("POST", ["v1", "refunds"]) => create_refund(shared, books, &sent),
        ("GET", ["v1", "refunds"]) => {
            list(&books.refunds, &query, &["id", "order_id", "subscription_id", "customer_id"])
        }
        ("GET", ["v1", "subscriptions"]) => {
            list(&books.subscriptions, &query, &["product_id", "customer_id", "status"])
        }
        ("GET", ["v1", "subscriptions", id]) => item(&books.subscriptions, id),
        ("PATCH", ["v1", "subscriptions", id]) => update_subscription(books, id, &sent),
        ("DELETE", ["v1", "subscriptions", id]) => update_subscription(books, id, &json!({ "revoke": true })),
        ("POST", ["v1", "webhooks", "endpoints"]) => create_endpoint(shared, books, &sent),
        ("GET", ["v1", "webhooks", "endpoints"]) => {
            list(&books.endpoint.iter().cloned().collect::<Vec<_>>(), &query, &[])
        }
        _ => no_route(),
    }
}

fn item(items: &[Value], id: &str) -> Reply {
    items.iter().find(|item| item["id"] == id).map_or_else(not_found, |item| Reply(200, item.clone()))
}

/// A page of those that fit the query's filters, newest first.
fn list(items: &[Value], query: &[(String, String)], filters: &[&str]) -> Reply {
    let mut wanted: HashMap<&str, Vec<&str>> = HashMap::new();
    let (mut page, mut limit, mut is_oldest_first) = (1, 10, false);
    for (name, value) in query {
        match name.as_str() {
            "page" | "limit" => {
                let Some(number) = value.parse::<usize>().ok().filter(|number| *number > 0) else {
                    let mut faults = Faults::default();
                    faults.add("greater_than", &["query", name], "Input should be greater than 0", &json!(value));
                    return faults.into_reply("RequestValidationError");
                };
                if name == "page" { page = number } else { limit = number.min(100) }
            }
            "sorting" => is_oldest_first = value == "created_at",
            name if filters.contains(&name) || name.starts_with("metadata[") => {
                wanted.entry(name).or_default().push(value);
            }
            // Unknown parameters are passed over.
            _ => {}
        }
    }
    let fits = |item: &Value| {
        wanted.iter().all(|(name, values)| {
            let key = name.strip_prefix("metadata[").map(|key| key.trim_end_matches(']'));
            let found = key.map_or_else(|| &item[*name], |key| &item["metadata"][key]);
            found.as_str().is_some_and(|found| values.contains(&found))
        })
    };
    let mut found: Vec<&Value> = items.iter().filter(|item| fits(item)).collect();
    if !is_oldest_first {
        found.reverse();
    }
    let pagination = json!({ "total_count": found.len(), "max_page": found.len().div_ceil(limit) });
    let shown: Vec<&Value> = found.into_iter().skip((page - 1) * limit).take(limit).collect();
    Reply(200, json!({ "items": shown, "pagination": pagination }))
}

fn check_metadata(faults: &mut Faults, name: &str, metadata: &Value) {
    let Some(fields) = metadata.as_object() else {
        if !metadata.is_null() {
            faults.add("dict_type", &["body", name], "Input should be a valid dictionary", metadata);
        }
        return;
    };
    if fields.len() > 50 {
        faults.add("too_long", &["body", name], "Dictionary should have at most 50 items", &Value::Null);
    }
    for (key, value) in fields {
        let is_fine = match value {
            Value::String(text) => (1..=500).contains(&text.chars().count()),
            Value::Number(_) | Value::Bool(_) => true,
            _ => false,
        };
        if !is_fine || !(1..=40).contains(&key.chars().count()) {
            faults.add("string_type", &["body", name, key], "Input should be a valid string", value);
        }
    }
}

fn is_email(text: &str) -> bool {
    // The real one asks the DNS as well; here one domain has no mail server.
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && domain.contains('.') && !domain.contains('@') && domain != "no-mail.example"
    })
}

fn is_currency(code: &str) -> bool {
    let known = switchyard::psp::Driver::named("polar").unwrap().currencies;
    code.chars().all(|letter| letter.is_ascii_lowercase()) && known.contains(&code.to_ascii_uppercase().as_str())
}

fn check_checkout(body: &Value) -> Faults {
    let mut faults = Faults::default();
    match body["products"].as_array() {
        None => faults.add("missing", &["body", "products"], "Field required", body),
        Some(ids) if ids.is_empty() => {
            faults.add("too_short", &["body", "products"], "List should have at least 1 item", &body["products"]);
        }
        Some(ids) => {
            for id in ids.iter().filter(|id| !id.as_str().is_some_and(objects::is_uuid)) {
                faults.add("uuid_parsing", &["body", "products", "0"], "Input should be a valid UUID", id);
            }
        }
    }
    let texts = ["customer_name", "external_customer_id", "customer_external_id", "success_url", "return_url"];
    for name in texts.into_iter().chain(["customer_email", "customer_ip_address", "currency"]) {
        let given = &body[name];
        let Some(text) = given.as_str() else {
            if !given.is_null() {
                faults.add("string_type", &["body", name], "Input should be a valid string", given);
            }
            continue;
        };
        let is_fine = match name {
            "customer_name" => text.chars().count() <= 256,
            "success_url" | "return_url" => {
                text.len() <= 2_083 && url::Url::parse(text).is_ok_and(|url| url.scheme().starts_with("http"))
            }
            "customer_email" => is_email(text),
            "customer_ip_address" => text.parse::<IpAddr>().is_ok(),
            "currency" => is_currency(text),
            _ => true,
        };
        if !is_fine {
            faults.add("value_error", &["body", name], &format!("value is not valid: {text}"), given);
        }
    }
    for name in ["allow_discount_codes", "allow_trial", "require_billing_address"] {
        if !body[name].is_null() && !body[name].is_boolean() {
            faults.add("bool_type", &["body", name], "Input should be a valid boolean", &body[name]);
        }
    }
    check_metadata(&mut faults, "metadata", &body["metadata"]);
    check_metadata(&mut faults, "customer_metadata", &body["customer_metadata"]);
    for price in body["prices"].as_object().into_iter().flatten().flat_map(|(_, list)| list.as_array()).flatten() {
        let place = ["body", "prices"];
        if price["amount_type"] != "fixed" {
            faults.add("union_tag_invalid", &place, "Input tag found does not match", price);
        }
        if !price["price_amount"].as_i64().is_some_and(|amount| amount == 0 || (50..=99_999_999).contains(&amount)) {
            faults.add("greater_than_equal", &place, "The amount is out of range", &price["price_amount"]);
        }
        if !price["price_currency"].as_str().is_none_or(is_currency) {
            faults.add("enum", &place, "Input should be a currency", &price["price_currency"]);
        }
        let behaviors = [json!(null), json!("location"), json!("inclusive"), json!("exclusive")];
        if !behaviors.contains(&price["tax_behavior"]) {
            faults.add("enum", &place, "Input should be a tax behavior", &price["tax_behavior"]);
        }
    }
    faults
}

fn create_checkout(shared: &Shared, books: &mut Books, body: &Value) -> Reply {
    let faults = check_checkout(body);
    if !faults.0.is_empty() {
        return faults.into_reply("RequestValidationError");
    }
    let ids = body["products"].as_array().unwrap();
    let mut currencies: Vec<String> = Vec::new();
    for id in ids {
        let product = books.products.iter().find(|product| product["id"] == *id);
        let Some(product) = product.filter(|product| product["is_archived"] == false) else {
            return business("products", "Product does not exist or is archived.", id);
        };
        let ad_hoc = body["prices"][id.as_str().unwrap()].as_array();
        let prices = ad_hoc.or_else(|| product["prices"].as_array()).unwrap();
        let of_product: Vec<&str> =
            prices.iter().map(|price| price["price_currency"].as_str().unwrap_or("usd")).collect();
        if !of_product.contains(&DEFAULT_CURRENCY) {
            return business(
                "prices",
                "Prices in the default presentment currency must be present.",
                &json!(of_product),
            );
        }
        currencies.extend(of_product.into_iter().map(str::to_owned));
    }
    if body["prices"].as_object().is_some_and(|prices| prices.keys().any(|id| !ids.contains(&json!(id)))) {
        return business("prices", "Prices must be of the chosen products.", &body["prices"]);
    }
    if body["currency"].as_str().is_some_and(|currency| !currencies.iter().any(|given| given == currency)) {
        let mut faults = Faults::default();
        let message = "Product is not available in the specified currency.";
        faults.add("value_error", &["body", "products", "0"], message, &ids[0]);
        return faults.into_reply("PolarRequestValidationError");
    }
    Reply(201, objects::new_checkout(shared, books, body))
}

fn update_checkout(books: &mut Books, id: &str, body: &Value) -> Reply {
    let Some(checkout) = books.checkouts.iter_mut().find(|checkout| checkout["id"] == id) else { return not_found() };
    if checkout["status"] != "open" {
        return fail(403, "NotOpenCheckout", "Checkout is not open.");
    }
    for name in ["metadata", "customer_name", "customer_email", "success_url", "return_url"] {
        if !body[name].is_null() {
            checkout[name] = body[name].clone();
        }
    }
    checkout["modified_at"] = json!(objects::now());
    let changed = checkout.clone();
    objects::emit(books, "checkout.updated", &changed);
    Reply(200, changed)
}

fn create_refund(shared: &Shared, books: &mut Books, body: &Value) -> Reply {
    let mut faults = Faults::default();
    if !body["order_id"].as_str().is_some_and(objects::is_uuid) {
        faults.add("uuid_parsing", &["body", "order_id"], "Input should be a valid UUID", &body["order_id"]);
    }
    if body["amount"].as_i64().is_none_or(|amount| amount <= 0) {
        faults.add("greater_than", &["body", "amount"], "Input should be greater than 0", &body["amount"]);
    }
    if !body["reason"].as_str().is_some_and(|reason| REASONS.contains(&reason)) {
        faults.add("enum", &["body", "reason"], "Input should be a refund reason", &body["reason"]);
    }
    check_metadata(&mut faults, "metadata", &body["metadata"]);
    if !faults.0.is_empty() {
        return faults.into_reply("RequestValidationError");
    }
    let Some(order) = books.orders.iter().find(|order| order["id"] == body["order_id"]).cloned() else {
        return business("order_id", "Order not found", &body["order_id"]);
    };
    let id = order["id"].as_str().unwrap();
    if order["status"] == "refunded" {
        return fail(403, "RefundedAlready", &format!("Order is already fully refunded: {id}"));
    }
    if order["paid"] != true || order["total_amount"] == 0 {
        return fail(404, "RefundUnknownPayment", &format!("Order has no payment: {id}"));
    }
    let amount = body["amount"].as_i64().unwrap();
    if amount > order["refundable_amount"].as_i64().unwrap() {
        return business("amount", "Refund amount exceeds refundable amount", &body["amount"]);
    }
    if body["revoke_benefits"] == true && !order["subscription_id"].is_null() {
        return fail(400, "RevokeSubscriptionBenefitsProhibited", "Benefits of a subscription end with it.");
    }
    let metadata = if body["metadata"].is_null() { json!({}) } else { body["metadata"].clone() };
    let is_done = !shared.options.refunds_wait;
    let refund = objects::refund(books, id, amount, body["reason"].as_str().unwrap(), metadata, is_done);
    Reply(201, refund)
}

fn update_subscription(books: &mut Books, id: &str, body: &Value) -> Reply {
    let Some(subscription) = books.subscriptions.iter().find(|subscription| subscription["id"] == id) else {
        return not_found();
    };
    let already = || {
        let why = "This subscription is already canceled or will be at the end of the period.";
        fail(403, "AlreadyCanceledSubscription", why)
    };
    let fields = body.as_object().unwrap();
    let is_allowed = |name: &String| {
        matches!(
            name.as_str(),
            "cancel_at_period_end" | "revoke" | "customer_cancellation_reason" | "customer_cancellation_comment"
        )
    };
    if !fields.keys().all(is_allowed) || fields.contains_key("revoke") == fields.contains_key("cancel_at_period_end") {
        let mut faults = Faults::default();
        faults.add("extra_forbidden", &["body"], "Extra inputs are not permitted", body);
        return faults.into_reply("RequestValidationError");
    }
    let (has_ended, is_scheduled) = (!subscription["ended_at"].is_null(), subscription["cancel_at_period_end"] == true);
    match (body["revoke"] == true, body["cancel_at_period_end"] == true) {
        _ if has_ended => already(),
        (true, _) => Reply(200, objects::end(books, id)),
        (false, true) if is_scheduled => already(),
        (false, true) => Reply(200, objects::cancel_at_period_end(books, id)),
        (false, false) if is_scheduled => Reply(200, objects::uncancel(books, id)),
        (false, false) => fail(400, "BadRequest", "The subscription is not scheduled to be canceled."),
    }
}

fn create_endpoint(shared: &Shared, books: &mut Books, body: &Value) -> Reply {
    let (Some(url), Some(_), Some("raw")) = (body["url"].as_str(), body["events"].as_array(), body["format"].as_str())
    else {
        return business("url", "url, format and events are required", body);
    };
    let mut endpoint = objects::endpoint(url, shared.options.scheme);
    endpoint["events"] = body["events"].clone();
    books.endpoint = Some(endpoint.clone());
    Reply(201, endpoint)
}

fn escaped(value: &Value) -> String {
    value.as_str().unwrap_or_default().replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;")
}

/// Every checkout, the newest first, for a person.
fn list_page(shared: &Shared) -> HttpResponse {
    let books = shared.books.lock().unwrap();
    let rows = books.checkouts.iter().rev().map(|checkout| {
        format!(
            "<li><a href=\"{}\">{}</a>: {} {}, {}",
            escaped(&checkout["url"]),
            escaped(&checkout["metadata"]["payment_id"]),
            checkout["amount"],
            escaped(&checkout["currency"]).to_uppercase(),
            escaped(&checkout["status"])
        )
    });
    let rows: String = rows.collect();
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Polar simulator</title><h1>Polar simulator</h1><ul>{rows}</ul></html>"
    ))
}

/// The buyer's page: `{client_secret}` shows it, `…/pay` and `…/decline` are its buttons.
fn page(shared: &Shared, method: &str, rest: &str) -> HttpResponse {
    let (secret, what) = rest.split_once('/').unwrap_or((rest, ""));
    let mut guard = shared.books.lock().unwrap();
    let books = &mut *guard;
    let Some(checkout) = objects::checkout(books, secret).cloned() else {
        return HttpResponse::NotFound().body("There is no such checkout.");
    };
    let is_open = checkout["status"] == "open";
    match (method, what) {
        ("POST", "pay") if is_open => {
            objects::pay(shared, books, secret);
            let to = checkout["success_url"].as_str().unwrap().to_owned();
            return HttpResponse::SeeOther().insert_header(("location", to)).finish();
        }
        ("POST", "decline") if is_open => {
            objects::confirm(shared, books, secret);
            objects::decline(books, secret);
            let to = checkout["url"].as_str().unwrap().to_owned();
            return HttpResponse::SeeOther().insert_header(("location", to)).finish();
        }
        ("POST", _) => return HttpResponse::Gone().body("This checkout is over."),
        _ => {}
    }
    let (name, status) = (escaped(&checkout["product"]["name"]), escaped(&checkout["status"]));
    let amount = format!("{} {}", checkout["amount"], escaped(&checkout["currency"]).to_uppercase());
    let buttons = if is_open {
        format!(
            "<form method=post action=/checkout/{secret}/pay><button id=pay>Pay</button></form>\
             <form method=post action=/checkout/{secret}/decline><button id=decline>Have the card declined</button></form>"
        )
    } else {
        String::new()
    };
    HttpResponse::Ok().content_type("text/html; charset=utf-8").body(format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Polar simulator</title><h1>{name}</h1><p>{amount} in the smallest unit, and tax. The checkout is {status}.</p>{buttons}</html>"
    ))
}
