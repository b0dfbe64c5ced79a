//! The simulator's objects in Polar's full shapes, and what happens to them: each change is written into the books and
//! leaves its events in the outbox, in Polar's order.

use jiff::ToSpan;
use serde_json::{Map, Value, json};
use switchyard::clock::Clock;
use switchyard::domain::secrets::random_hex;

use super::{Books, DEFAULT_CURRENCY, ORGANIZATION, Scheme, Shared};

/// What an endpoint hears of, unless it is made with a list of its own.
const EVENTS: [&str; 20] = [
    "checkout.created",
    "checkout.updated",
    "checkout.expired",
    "customer.created",
    "order.created",
    "order.updated",
    "order.paid",
    "order.refunded",
    "refund.created",
    "refund.updated",
    "subscription.created",
    "subscription.active",
    "subscription.updated",
    "subscription.cycled",
    "subscription.canceled",
    "subscription.uncanceled",
    "subscription.past_due",
    "subscription.revoked",
    "subscription.paused",
    "subscription.resumed",
];

/// Now, as Polar writes it.
pub fn now() -> String {
    moment(jiff::Timestamp::from_microsecond(Clock::system().now().unix_micros()).unwrap())
}

fn moment(at: jiff::Timestamp) -> String {
    format!("{at:.6}")
}

fn plus(text: &str, span: jiff::Span) -> String {
    let at: jiff::Timestamp = text.parse().unwrap();
    moment(at.to_zoned(jiff::tz::TimeZone::UTC).checked_add(span).unwrap().timestamp())
}

/// A random UUID of version 4.
pub fn uuid() -> String {
    let hex = random_hex(16);
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..])
}

pub fn is_uuid(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            14 => *byte == b'4',
            19 => matches!(byte, b'8' | b'9' | b'a' | b'b'),
            _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(byte),
        })
}

fn merged(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

pub fn endpoint(url: &str, scheme: Scheme) -> Value {
    json!({
        "created_at": now(), "modified_at": null, "id": uuid(), "url": url, "name": null, "api_version": "2026-10",
        "format": "raw", "secret": scheme.secret(), "organization_id": ORGANIZATION, "events": EVENTS,
        "enabled": true, "uses_standard_webhook_signature": scheme == Scheme::Standard,
    })
}

pub fn price(product: &str, source: &str, currency: &str, amount: i64, tax_behavior: &Value) -> Value {
    json!({
        "created_at": now(), "modified_at": null, "id": uuid(), "source": source, "amount_type": "fixed",
        "price_currency": currency, "tax_behavior": tax_behavior, "is_archived": false, "product_id": product,
        "price_amount": amount,
    })
}

pub fn product(id: &str, name: &str, interval: Option<&str>, prices: &[(&str, i64)]) -> Value {
    let prices: Vec<Value> =
        prices.iter().map(|(currency, amount)| price(id, "catalog", currency, *amount, &Value::Null)).collect();
    json!({
        "id": id, "created_at": now(), "modified_at": null, "trial_interval": null, "trial_interval_count": null,
        "name": name, "description": null, "visibility": "public", "recurring_interval": interval,
        "recurring_interval_count": interval.map(|_| 1), "meter_interval": null, "meter_interval_count": null,
        "is_recurring": interval.is_some(), "is_archived": false, "organization_id": ORGANIZATION, "metadata": {},
        "is_deletable": false, "prices": prices, "benefits": [], "medias": [], "attached_custom_fields": [],
    })
}

/// A product without the keys that `keys` names.
fn product_without(product: &Value, keys: &[&str]) -> Value {
    let mut fields: Map<String, Value> = product.as_object().unwrap().clone();
    for key in keys {
        fields.remove(*key);
    }
    Value::Object(fields)
}

/// A new checkout for a body that was checked.
pub fn new_checkout(shared: &Shared, books: &mut Books, body: &Value) -> Value {
    let products: Vec<Value> = body["products"]
        .as_array()
        .unwrap()
        .iter()
        .map(|id| books.products.iter().find(|product| product["id"] == *id).unwrap().clone())
        .collect();
    let mut prices = Map::new();
    for product in &products {
        let id = product["id"].as_str().unwrap();
        let given = body["prices"][id].as_array().map(|list| {
            let ad_hoc = |price_of: &Value| {
                let currency = price_of["price_currency"].as_str().unwrap_or("usd");
                price(id, "ad_hoc", currency, price_of["price_amount"].as_i64().unwrap(), &price_of["tax_behavior"])
            };
            list.iter().map(ad_hoc).collect::<Vec<_>>()
        });
        prices.insert(id.to_owned(), json!(given.unwrap_or_else(|| product["prices"].as_array().unwrap().clone())));
    }
    let currency = body["currency"].as_str().unwrap_or(DEFAULT_CURRENCY);
    let of_first = prices[products[0]["id"].as_str().unwrap()].as_array().unwrap().clone();
    let chosen = of_first.into_iter().find(|price| price["price_currency"] == currency).unwrap();
    let trimmed: Vec<Value> = products
        .iter()
        .map(|product| product_without(product, &["metadata", "is_deletable", "attached_custom_fields"]))
        .collect();
    let (id, created_at) = (uuid(), now());
    let secret = format!("polar_c_{}", &random_hex(22)[..43]);
    let success_url = body["success_url"].as_str().map_or_else(
        || format!("{}/checkout/{secret}/confirmation", shared.url),
        |url| url.replace("{CHECKOUT_ID}", &id),
    );
    let amount = chosen["price_amount"].clone();
    let is_free = amount == 0;
    let external_id = if body["external_customer_id"].is_null() {
        &body["customer_external_id"]
    } else {
        &body["external_customer_id"]
    };
    let known =
        books.customers.iter().find(|customer| !external_id.is_null() && customer["external_id"] == *external_id);
    let optional = |key: &str, or: Value| if body[key].is_null() { or } else { body[key].clone() };
    let checkout = json!({
        "id": id, "created_at": created_at, "modified_at": null, "custom_field_data": {}, "payment_processor": "stripe",
        "status": "open", "client_secret": secret, "url": format!("{}/checkout/{secret}", shared.url),
        "expires_at": plus(&created_at, 24.hours()), "success_url": success_url, "return_url": body["return_url"],
        "embed_origin": body["embed_origin"], "amount": amount, "seats": null, "min_seats": null, "max_seats": null,
        "units": null, "min_units": null, "max_units": null, "discount_amount": 0, "net_amount": amount,
        "tax_amount": null, "tax_behavior": null, "total_amount": amount, "currency": currency,
        "allow_trial": optional("allow_trial", json!(true)), "active_trial_interval": null,
        "active_trial_interval_count": null, "trial_end": null, "organization_id": ORGANIZATION,
        "product_id": products[0]["id"], "product_price_id": chosen["id"], "discount_id": null,
    });
    let checkout = merged(
        checkout,
        json!({
            "allow_discount_codes": optional("allow_discount_codes", json!(true)),
            "require_billing_address": optional("require_billing_address", json!(false)), "is_discount_applicable": true,
            "is_free_product_price": is_free, "is_payment_required": !is_free, "is_payment_setup_required": false,
            "is_payment_form_required": !is_free, "customer_id": known.map(|customer| customer["id"].clone()),
            "is_business_customer": false, "customer_name": body["customer_name"], "customer_email": body["customer_email"],
            "customer_ip_address": body["customer_ip_address"], "customer_billing_name": null,
            "customer_billing_address": null, "customer_tax_id": null, "locale": "en", "payment_method_type": null,
            "payment_processor_metadata": { "publishable_key": "pk_sim_publishable" },
            "billing_address_fields": {
                "country": "required", "state": "disabled", "city": "disabled", "postal_code": "disabled",
                "line1": "disabled", "line2": "disabled",
            },
            "trial_interval": null, "trial_interval_count": null, "metadata": optional("metadata", json!({})),
            "external_customer_id": external_id, "products": trimmed, "product": trimmed[0], "product_price": chosen,
            "prices": prices, "discount": null, "subscription_id": null, "attached_custom_fields": [],
            "customer_metadata": optional("customer_metadata", json!({})),
        }),
    );
    books.checkouts.push(checkout.clone());
    emit(books, "checkout.created", &checkout);
    checkout
}

pub fn emit(books: &mut Books, kind: &str, data: &Value) {
    books.outbox.push((kind.to_owned(), data.clone()));
}

/// The checkout with this id or client secret, or the newest of this payment.
pub fn checkout<'a>(books: &'a Books, reference: &str) -> Option<&'a Value> {
    books.checkouts.iter().rev().find(|checkout| {
        checkout["id"] == reference
            || checkout["client_secret"] == reference
            || checkout["metadata"]["payment_id"] == reference
    })
}

fn change(list: &mut [Value], id: &Value, with: Value) -> Value {
    let found = list.iter_mut().find(|item| item["id"] == *id).unwrap();
    *found = merged(merged(found.take(), json!({ "modified_at": now() })), with);
    found.clone()
}

fn change_checkout(books: &mut Books, reference: &str, with: Value) -> Value {
    let id = checkout(books, reference).unwrap_or_else(|| panic!("no checkout {reference}"))["id"].clone();
    let changed = change(&mut books.checkouts, &id, with);
    let kind = if changed["status"] == "expired" { "checkout.expired" } else { "checkout.updated" };
    emit(books, kind, &changed);
    changed
}

/// Tax is on top of the price or within it; by default it is within, as outside the Americas and India.
fn amounts(price: i64, behavior: &str, percent: i64) -> (i64, i64) {
    let tax = if behavior == "exclusive" { price * percent / 100 } else { price - price * 100 / (100 + percent) };
    if behavior == "exclusive" { (price, tax) } else { (price - tax, tax) }
}

pub fn confirm(shared: &Shared, books: &mut Books, reference: &str) -> Value {
    let before = checkout(books, reference).unwrap_or_else(|| panic!("no checkout {reference}")).clone();
    assert_eq!(before["status"], "open", "only an open checkout can be confirmed");
    let customer = customer(books, &before);
    let behavior = before["product_price"]["tax_behavior"].as_str().filter(|text| *text != "location");
    let behavior = behavior.unwrap_or("inclusive");
    let (net, tax) = amounts(before["amount"].as_i64().unwrap(), behavior, shared.options.tax_percent);
    change_checkout(
        books,
        reference,
        json!({
            "status": "confirmed", "customer_id": customer["id"], "net_amount": net, "tax_amount": tax,
            "tax_behavior": behavior, "total_amount": net + tax, "payment_method_type": "card",
            "customer_billing_address": address(),
            "payment_processor_metadata": {
                "publishable_key": "pk_sim_publishable", "customer_id": "cus_simulated",
                "intent_client_secret": "pi_simulated_secret", "intent_status": "processing",
            },
        }),
    )
}

fn address() -> Value {
    json!({ "line1": null, "line2": null, "postal_code": null, "city": null, "state": null, "country": "DE" })
}

fn customer(books: &mut Books, checkout: &Value) -> Value {
    let external_id = &checkout["external_customer_id"];
    let known = books.customers.iter().find(|customer| {
        if external_id.is_null() {
            customer["email"] == checkout["customer_email"]
        } else {
            customer["external_id"] == *external_id
        }
    });
    if let Some(known) = known {
        return known.clone();
    }
    let customer = json!({
        "id": uuid(), "created_at": now(), "modified_at": null, "metadata": checkout["customer_metadata"],
        "external_id": external_id, "email": checkout["customer_email"], "email_verified": false, "type": "individual",
        "name": checkout["customer_name"], "billing_name": checkout["customer_name"], "billing_address": address(),
        "tax_id": null, "locale": "en", "organization_id": ORGANIZATION, "default_payment_method_id": null,
        "deleted_at": null, "first_user_event_at": null,
        "avatar_url": format!("https://www.gravatar.com/avatar/{}?d=404", "0".repeat(64)),
    });
    books.customers.push(customer.clone());
    emit(books, "customer.created", &customer);
    customer
}

pub fn decline(books: &mut Books, reference: &str) {
    let open = change_checkout(books, reference, json!({ "status": "open" }));
    let payment = json!({
        "created_at": now(), "modified_at": null, "id": uuid(), "processor": "stripe", "status": "failed",
        "amount": open["total_amount"], "currency": open["currency"], "method": "card",
        "decline_reason": "generic_decline", "decline_message": "Your card was declined.",
        "organization_id": ORGANIZATION, "checkout_id": open["id"], "order_id": null, "processor_metadata": {},
    });
    books.payments.push(payment);
}

pub fn expire(books: &mut Books, reference: &str) {
    change_checkout(books, reference, json!({ "status": "expired" }));
}

pub fn fail(books: &mut Books, reference: &str) {
    change_checkout(books, reference, json!({ "status": "failed" }));
}

pub fn pay(shared: &Shared, books: &mut Books, reference: &str) {
    let before = checkout(books, reference).unwrap_or_else(|| panic!("no checkout {reference}")).clone();
    let confirmed = if before["status"] == "confirmed" { before } else { confirm(shared, books, reference) };
    let mut subscription = Value::Null;
    if confirmed["product"]["is_recurring"] == true {
        subscription = new_subscription(books, &confirmed);
        for kind in ["subscription.created", "subscription.active", "subscription.updated"] {
            emit(books, kind, &subscription);
        }
    }
    let order = new_order(books, &confirmed, &subscription, true);
    for kind in ["order.created", "order.updated", "order.paid"] {
        emit(books, kind, &order);
    }
    let id = confirmed["id"].as_str().unwrap().to_owned();
    change_checkout(books, &id, json!({ "status": "succeeded" }));
}

fn new_subscription(books: &mut Books, checkout: &Value) -> Value {
    let product = books.products.iter().find(|product| product["id"] == checkout["product_id"]).unwrap();
    let customer = books.customers.iter().find(|customer| customer["id"] == checkout["customer_id"]).unwrap();
    let start = now();
    let subscription = json!({
        "created_at": start, "modified_at": null, "id": uuid(), "amount": checkout["amount"],
        "currency": checkout["currency"], "recurring_interval": product["recurring_interval"],
        "recurring_interval_count": 1, "status": "active", "current_period_start": start,
        "current_period_end": plus(&start, 1.month()), "current_meter_period_start": null,
        "current_meter_period_end": null, "trial_start": null, "trial_end": null, "cancel_at_period_end": false,
        "canceled_at": null, "started_at": start, "ends_at": null, "ended_at": null, "past_due_at": null,
        "pause_at_period_end": false, "paused_at": null, "resumes_at": null, "customer_id": customer["id"],
        "product_id": product["id"], "discount_id": null, "checkout_id": checkout["id"], "seats": null, "units": null,
        "customer_cancellation_reason": null, "customer_cancellation_comment": null, "metadata": checkout["metadata"],
        "custom_field_data": {}, "customer": customer, "product": product, "discount": null,
        "prices": [checkout["product_price"]], "meters": [], "pending_update": null,
    });
    books.subscriptions.push(subscription.clone());
    subscription
}

/// The first order of a checkout, or a later one of its subscription.
fn new_order(books: &mut Books, checkout: &Value, subscription: &Value, is_first: bool) -> Value {
    let customer = books.customers.iter().find(|customer| customer["id"] == checkout["customer_id"]).unwrap();
    let parts = ["prices", "benefits", "medias", "attached_custom_fields", "is_deletable"];
    let product = books.products.iter().find(|product| product["id"] == checkout["product_id"]).unwrap();
    let product = product_without(product, &parts);
    let held = ["customer", "product", "prices", "meters", "pending_update", "discount", "custom_field_data"];
    let embedded = if subscription.is_null() { Value::Null } else { product_without(subscription, &held) };
    let reason = match (subscription.is_null(), is_first) {
        (true, _) => "purchase",
        (false, true) => "subscription_create",
        (false, false) => "subscription_cycle",
    };
    let amount = |key: &str| checkout[key].as_i64().unwrap();
    let (net, tax, total) = (amount("net_amount"), amount("tax_amount"), amount("total_amount"));
    let item = json!({
        "created_at": now(), "modified_at": null, "id": uuid(), "label": product["name"], "amount": checkout["amount"],
        "tax_amount": 0, "proration": false, "product_price_id": checkout["product_price_id"],
        "start_timestamp": subscription["current_period_start"], "end_timestamp": subscription["current_period_end"],
    });
    let order = json!({
        "id": uuid(), "created_at": now(), "modified_at": null, "status": if is_first { "paid" } else { "pending" },
        "paid": is_first, "subtotal_amount": checkout["amount"], "discount_amount": 0, "net_amount": net,
        "tax_amount": tax, "total_amount": total, "applied_balance_amount": 0, "due_amount": total,
        "refunded_amount": 0, "refunded_tax_amount": 0, "currency": checkout["currency"], "billing_reason": reason,
        "billing_name": customer["billing_name"], "billing_address": customer["billing_address"],
        "invoice_number": format!("ACME-K7Q2X9WZ-{:04}", books.orders.len() + 1), "is_invoice_generated": false,
        "receipt_number": null, "seats": null, "units": null, "customer_id": customer["id"],
        "product_id": product["id"], "discount_id": null, "subscription_id": subscription["id"],
        "checkout_id": if is_first { checkout["id"].clone() } else { Value::Null }, "next_payment_attempt_at": null,
        "metadata": checkout["metadata"], "custom_field_data": {}, "platform_fee_amount": 0,
        "platform_fee_currency": null, "customer": customer, "product": product, "discount": null,
        "subscription": embedded, "items": [item], "description": product["name"], "refundable_amount": net,
        "refundable_tax_amount": tax,
    });
    books.orders.push(order.clone());
    order
}

/// A period ends; the next one is paid for, or cannot be.
pub fn renew(shared: &Shared, books: &mut Books, id: &str, is_paid: bool) {
    let before = books.subscriptions.iter().find(|subscription| subscription["id"] == id).unwrap().clone();
    let checkout = checkout(books, before["checkout_id"].as_str().unwrap()).unwrap().clone();
    assert!(shared.options.tax_percent >= 0 && before["ended_at"].is_null(), "an ended subscription does not renew");
    let key = json!(id);
    let end = before["current_period_end"].as_str().unwrap();
    let next = json!({ "current_period_start": end, "current_period_end": plus(end, 1.month()) });
    let cycled = change(&mut books.subscriptions, &key, next);
    emit(books, "subscription.cycled", &cycled);
    emit(books, "subscription.updated", &cycled);
    let order = new_order(books, &checkout, &cycled, false);
    emit(books, "order.created", &order);
    if is_paid {
        let paid = change(&mut books.orders, &order["id"], json!({ "status": "paid", "paid": true }));
        emit(books, "order.updated", &paid);
        emit(books, "order.paid", &paid);
        if before["status"] == "past_due" {
            let active = change(&mut books.subscriptions, &key, json!({ "status": "active", "past_due_at": null }));
            emit(books, "subscription.updated", &active);
            emit(books, "subscription.active", &active);
        }
    } else {
        let late = change(&mut books.subscriptions, &key, json!({ "status": "past_due", "past_due_at": now() }));
        emit(books, "subscription.updated", &late);
        emit(books, "subscription.past_due", &late);
    }
}

pub fn cancel_at_period_end(books: &mut Books, id: &str) -> Value {
    let before = books.subscriptions.iter().find(|subscription| subscription["id"] == id).unwrap().clone();
    let with = json!({
        "cancel_at_period_end": true, "canceled_at": now(), "ends_at": before["current_period_end"],
    });
    let changed = change(&mut books.subscriptions, &json!(id), with);
    emit(books, "subscription.updated", &changed);
    emit(books, "subscription.canceled", &changed);
    changed
}

pub fn uncancel(books: &mut Books, id: &str) -> Value {
    let with = json!({ "cancel_at_period_end": false, "canceled_at": null, "ends_at": null });
    let changed = change(&mut books.subscriptions, &json!(id), with);
    emit(books, "subscription.updated", &changed);
    emit(books, "subscription.uncanceled", &changed);
    changed
}

pub fn end(books: &mut Books, id: &str) -> Value {
    let at = now();
    let with = json!({ "status": "canceled", "canceled_at": at, "ends_at": at, "ended_at": at });
    let changed = change(&mut books.subscriptions, &json!(id), with);
    for kind in ["subscription.updated", "subscription.canceled", "subscription.revoked"] {
        emit(books, kind, &changed);
    }
    changed
}

/// A refund of an order, done at once or pending; `amount` is net of tax.
pub fn refund(books: &mut Books, order_id: &str, amount: i64, reason: &str, metadata: Value, is_done: bool) -> Value {
    let order = books.orders.iter().find(|order| order["id"] == order_id).unwrap().clone();
    let number = |key: &str| order[key].as_i64().unwrap();
    let tax = if amount == number("refundable_amount") {
        number("refundable_tax_amount")
    } else {
        let (product, net) = (amount * number("tax_amount"), number("net_amount"));
        let (whole, rest) = (product / net, product % net);
        whole + i64::from(rest * 2 > net || (rest * 2 == net && whole % 2 == 1))
    };
    let refund = json!({
        "created_at": now(), "modified_at": null, "id": uuid(), "metadata": metadata,
        "status": if is_done { "succeeded" } else { "pending" }, "reason": reason, "amount": amount,
        "tax_amount": tax, "currency": order["currency"], "organization_id": ORGANIZATION, "order_id": order["id"],
        "subscription_id": order["subscription_id"], "customer_id": order["customer_id"], "revoke_benefits": false,
        "dispute": null,
    });
    books.refunds.push(refund.clone());
    emit(books, "refund.created", &refund);
    if is_done {
        book_refund(books, &refund, 1);
        emit_refunded(books, &refund);
    }
    refund
}

/// The bank says what became of a refund that waited, or takes back what it said.
pub fn settle_refund(books: &mut Books, id: &str, is_done: bool) {
    let was_done = books.refunds.iter().any(|refund| refund["id"] == id && refund["status"] == "succeeded");
    let status = if is_done { "succeeded" } else { "failed" };
    let refund = change(&mut books.refunds, &json!(id), json!({ "status": status }));
    emit(books, "refund.updated", &refund);
    match (was_done, is_done) {
        (false, true) => {
            book_refund(books, &refund, 1);
            emit_refunded(books, &refund);
        }
        (true, false) => {
            let order = book_refund(books, &refund, -1);
            emit(books, "order.updated", &order);
        }
        _ => {}
    }
}

fn emit_refunded(books: &mut Books, refund: &Value) {
    let order = books.orders.iter().find(|order| order["id"] == refund["order_id"]).unwrap().clone();
    emit(books, "order.updated", &order);
    emit(books, "order.refunded", &order);
}

/// Writes a refund into its order, or out of it again.
fn book_refund(books: &mut Books, refund: &Value, sign: i64) -> Value {
    let order = books.orders.iter().find(|order| order["id"] == refund["order_id"]).unwrap().clone();
    let sum = |key: &str, of: &str| order[key].as_i64().unwrap() + sign * refund[of].as_i64().unwrap();
    let (refunded, refunded_tax) = (sum("refunded_amount", "amount"), sum("refunded_tax_amount", "tax_amount"));
    let (net, tax) = (order["net_amount"].as_i64().unwrap(), order["tax_amount"].as_i64().unwrap());
    let status = match refunded {
        0 => "paid",
        _ if refunded >= net => "refunded",
        _ => "partially_refunded",
    };
    let with = json!({
        "refunded_amount": refunded, "refunded_tax_amount": refunded_tax, "refundable_amount": (net - refunded).max(0),
        "refundable_tax_amount": (tax - refunded_tax).max(0), "status": status,
    });
    change(&mut books.orders, &order["id"], with)
}
