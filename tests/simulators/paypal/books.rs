//! What the simulator keeps: orders with their captures and refunds, and how they read in PayPal's JSON.

use serde_json::{Value, json};
use switchyard::domain::secrets::random_hex;
use switchyard::domain::time::Timestamp;

/// An id as PayPal's look: 17 capitals and digits.
pub fn new_id() -> String {
    random_hex(9)[..17].to_uppercase()
}

/// A moment as PayPal writes it.
pub fn written(moment: Timestamp) -> String {
    format!("{}Z", &moment.to_rfc3339()[..19])
}

/// An order.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: String,
    pub status: &'static str,
    /// The request that made it.
    pub request: Value,
    pub captures: Vec<Value>,
    pub refunds: Vec<Value>,
    pub made_at: Timestamp,
    pub changed_at: Timestamp,
    /// How many captures took money.
    pub charges: u32,
}

impl Order {
    pub fn unit(&self) -> &Value {
        &self.request["purchase_units"][0]
    }

    fn experience(&self) -> &Value {
        let of_source = &self.request["payment_source"]["paypal"]["experience_context"];
        if of_source.is_null() { &self.request["application_context"] } else { of_source }
    }

    /// Where the buyer goes afterwards.
    pub fn back(&self, is_approved: bool) -> Option<url::Url> {
        let name = if is_approved { "return_url" } else { "cancel_url" };
        let mut url = url::Url::parse(self.experience()[name].as_str()?).ok()?;
        url.query_pairs_mut().append_pair("token", &self.id);
        if is_approved {
            url.query_pairs_mut().append_pair("PayerID", "Q7M4XKD2WNRB6");
        }
        Some(url)
    }

    fn links(&self, base: &str) -> Value {
        let own = format!("{base}/v2/checkout/orders/{}", self.id);
        let link = |href: &str, rel: &str, method: &str| json!({ "href": href, "rel": rel, "method": method });
        let mut links = vec![link(&own, "self", "GET")];
        let page = format!("{base}/checkoutnow?token={}", self.id);
        match self.status {
            "PAYER_ACTION_REQUIRED" => links.push(link(&page, "payer-action", "GET")),
            "CREATED" => links.push(link(&page, "approve", "GET")),
            _ => {}
        }
        if matches!(self.status, "CREATED" | "APPROVED") {
            links.push(link(&own, "update", "PATCH"));
            links.push(link(&format!("{own}/capture"), "capture", "POST"));
        }
        links.into()
    }

    /// The order in PayPal's JSON.
    pub fn read(&self, base: &str, is_full: bool) -> Value {
        let mut order = json!({ "id": self.id, "status": self.status, "links": self.links(base) });
        if self.request["payment_source"]["paypal"].is_object() || self.status != "CREATED" {
            order["payment_source"] = json!({ "paypal": {} });
        }
        let is_approved = matches!(self.status, "APPROVED" | "COMPLETED");
        if is_approved {
            let name = json!({ "given_name": "Anna", "surname": "Berg" });
            let address = json!({ "country_code": "DE" });
            order["payment_source"]["paypal"] = json!({
                "email_address": "buyer@example.com", "account_id": "Q7M4XKD2WNRB6", "account_status": "VERIFIED",
                "name": name, "address": address,
            });
            order["payer"] = json!({
                "name": name, "email_address": "buyer@example.com", "payer_id": "Q7M4XKD2WNRB6", "address": address,
            });
        }
        if is_full || !self.captures.is_empty() {
            let mut unit = if is_full { self.unit().clone() } else { json!({}) };
            unit["reference_id"] = self.unit()["reference_id"].as_str().unwrap_or("default").into();
            if is_full {
                unit["payee"] = json!({ "email_address": "merchant@example.com", "merchant_id": "K9HT5PVC3ZLE8" });
            }
            if !self.captures.is_empty() {
                unit["payments"] = json!({ "captures": self.captures });
            }
            if !self.refunds.is_empty() {
                unit["payments"]["refunds"] = self.refunds.clone().into();
            }
            order["purchase_units"] = json!([unit]);
        }
        if is_full {
            order["intent"] = self.request["intent"].clone();
            order["create_time"] = written(self.made_at).into();
            order["update_time"] = written(self.changed_at).into();
        }
        order
    }

    /// Takes the money: a capture with this status.
    pub fn capture(&mut self, base: &str, status: &'static str, reason: Option<&str>, now: Timestamp) -> Value {
        let id = new_id();
        let amount = json!({
            "currency_code": self.unit()["amount"]["currency_code"], "value": self.unit()["amount"]["value"],
        });
        let own = format!("{base}/v2/payments/captures/{id}");
        let up = format!("{base}/v2/checkout/orders/{}", self.id);
        let mut capture = json!({
            "id": id, "status": status, "amount": amount, "final_capture": true,
            "seller_protection": {
                "status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"],
            },
            "links": [
                { "href": own, "rel": "self", "method": "GET" },
                { "href": format!("{own}/refund"), "rel": "refund", "method": "POST" },
                { "href": up, "rel": "up", "method": "GET" },
            ],
            "create_time": written(now), "update_time": written(now),
        });
        for name in ["invoice_id", "custom_id"] {
            if let Some(value) = self.unit().get(name) {
                capture[name] = value.clone();
            }
        }
        if let Some(reason) = reason {
            capture["status_details"] = json!({ "reason": reason });
        }
        self.status = "COMPLETED";
        self.changed_at = now;
        self.charges += u32::from(status == "COMPLETED");
        self.captures.push(capture.clone());
        capture
    }

    /// What can still be given back, in PayPal's smallest unit.
    pub fn left(&self) -> i64 {
        let given: i64 = self
            .refunds
            .iter()
            .filter(|refund| !matches!(refund["status"].as_str(), Some("FAILED" | "CANCELLED")))
            .map(|refund| hundredths(&refund["amount"]["value"]).unwrap_or(0))
            .sum();
        hundredths(&self.unit()["amount"]["value"]).unwrap_or(0) - given
    }
}

/// A decimal in hundredths, whatever its currency; `None` for more than two decimals.
pub fn hundredths(value: &Value) -> Option<i64> {
    let (whole, fraction) = value.as_str()?.split_once('.').unwrap_or((value.as_str()?, ""));
    if fraction.len() > 2 {
        return None;
    }
    format!("{whole}{fraction:0<2}").parse().ok()
}

/// Hundredths as PayPal writes them in this currency.
pub fn decimal(hundredths: i64, currency: &str) -> String {
    if matches!(currency, "HUF" | "JPY" | "TWD") {
        return (hundredths / 100).to_string();
    }
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}
