//! The V2 calls: registration, inquiry, cancel.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};
use switchyard::domain::signing::sha256;

use super::{
    Charge, IMID, MERCHANT_KEY, Registration, SHOP_ID, Shared, cart_total, in_jakarta, moment, or_null, register,
};

type Outcome = Result<Value, (&'static str, &'static str)>;

pub(super) fn token(fields: &[&str]) -> String {
    hex::encode(sha256(format!("{}{MERCHANT_KEY}", fields.concat()).as_bytes()))
}

pub(super) fn refusal(code: &str, message: &str) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "resultCd": code, "resultMsg": message }))
}

pub(super) fn answer(shared: &Arc<Shared>, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let is_json =
        request.headers().get("content-type").is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let Ok(Value::Object(fields)) = serde_json::from_slice(body) else { return refusal("8003", "data error") };
    let is_post = request.method() == "POST";
    if !is_json || !is_post {
        return refusal("9001", "registration failed");
    }
    let message = Message(Value::Object(fields));
    let outcome = match request.path() {
        "/nicepay/direct/v2/registration" => registration(shared, &message),
        "/nicepay/direct/v2/inquiry" => inquiry(shared, &message),
        "/nicepay/direct/v2/cancel" => cancel(shared, &message),
        _ => return HttpResponse::NotFound().body("Not Found"),
    };
    match outcome {
        Ok(answer) => HttpResponse::Ok().json(answer),
        Err((code, why)) => refusal(code, why),
    }
}

struct Message(Value);

impl Message {
    fn text(&self, name: &str) -> String {
        match &self.0[name] {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        }
    }

    fn is_digits(&self, name: &str, length: usize) -> bool {
        let text = self.text(name);
        text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Checks who speaks, and the token over its time, a name and the amount.
    fn check(&self, name: &str) -> Result<i64, (&'static str, &'static str)> {
        if !self.is_digits("timeStamp", 14) {
            return Err(("9031", "date or time"));
        }
        if self.text("iMid") != IMID {
            return Err(("9011", "unknown merchant"));
        }
        let amount = self.text("amt");
        if amount.is_empty() {
            return Err(("9007", "amt is missing"));
        }
        if amount.len() > 12 || !amount.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(("9008", "amt is not an integer"));
        }
        let expected = token(&[&self.text("timeStamp"), IMID, &self.text(name), &amount]);
        if self.text("merchantToken") != expected {
            return Err(("9010", "invalid merchantToken"));
        }
        amount.parse().map_err(|_| ("9008", "amt is not an integer"))
    }
}

/// The required fields with their limits and the codes for their absence.
const REQUIRED: [(&str, usize, &str); 11] = [
    ("currency", 3, "9013"),
    ("goodsNm", 100, "9015"),
    ("billingNm", 100, "9016"),
    ("billingPhone", 15, "9017"),
    ("billingEmail", 40, "9018"),
    ("dbProcessUrl", 255, "9020"),
    ("billingCity", 50, "9025"),
    ("billingState", 50, "9026"),
    ("billingPostCd", 10, "9027"),
    ("billingCountry", 10, "9028"),
    ("billingAddr", 100, "9001"),
];

fn registration(shared: &Arc<Shared>, message: &Message) -> Outcome {
    let reference = message.text("referenceNo");
    if reference.is_empty() {
        return Err(("9014", "referenceNo is missing"));
    }
    if reference.len() > 40 {
        return Err(("9207", "referenceNo is too long"));
    }
    let amount = message.check("referenceNo")?;
    for (name, limit, code) in REQUIRED {
        let text = message.text(name);
        if text.is_empty() || text.len() > limit {
            return Err((code, "a field is missing or too long"));
        }
    }
    if message.text("currency") != "IDR" || !message.text("billingPhone").bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(("9001", "a field is malformed"));
    }
    let is_qris = match message.text("payMethod").as_str() {
        "02" => false,
        "08" => true,
        _ => return Err(("9012", "method is not activated")),
    };
    let (date, time) = if is_qris { ("paymentExpDt", "paymentExpTm") } else { ("vacctValidDt", "vacctValidTm") };
    let (date_text, time_text) = (message.text(date), message.text(time));
    let expires_at = if date_text.is_empty() && time_text.is_empty() {
        None
    } else if !message.is_digits(date, 8) || !message.is_digits(time, 6) {
        return Err(("9211", "expiry has a wrong length"));
    } else {
        Some(moment(&date_text, &time_text).filter(|at| *at > shared.now()).ok_or(("9210", "expiry"))?)
    };
    if is_qris {
        let ip = message.text("userIP");
        if ip.is_empty() || ip.len() > 15 {
            return Err(("9024", "userIP is missing"));
        }
        if message.text("mitraCd").len() != 4 || message.text("shopId") != SHOP_ID {
            return Err(("9012", "store or acquirer is not known"));
        }
        match cart_total(&message.text("cartData")) {
            None => return Err(("9022", "cartData is not JSON")),
            Some(total) if total != amount => return Err(("9023", "cartData total differs from amt")),
            Some(_) => {}
        }
    } else if !["CENA", "BMRI", "BNIN", "BRIN", "BBBA"].contains(&message.text("bankCd").as_str()) {
        return Err(("9237", "invalid bankCd"));
    }
    if shared.lock().charges.iter().any(|charge| charge.reference == reference) {
        return Err(("9009", "referenceNo already used"));
    }
    let charge = register(
        shared,
        &Registration {
            reference: &reference,
            is_qris,
            bank: &message.text("bankCd"),
            amount,
            goods: &message.text("goodsNm"),
            buyer: &message.text("billingNm"),
            shop_id: &message.text("shopId"),
            acquirer: &message.text("mitraCd"),
            notify_url: &message.text("dbProcessUrl"),
            expires_at,
            is_snap: false,
        },
    );
    let (date, time) = (in_jakarta(charge.expires_at, "%Y%m%d"), in_jakarta(charge.expires_at, "%H%M%S"));
    let only = |is_there: bool, text: &str| if is_there { json!(text) } else { Value::Null };
    Ok(json!({
        "resultCd": "0000",
        "resultMsg": "SUCCESS",
        "tXid": charge.id,
        "referenceNo": charge.reference,
        "payMethod": message.text("payMethod"),
        "amt": charge.amount.to_string(),
        "transDt": in_jakarta(charge.registered_at, "%Y%m%d"),
        "transTm": in_jakarta(charge.registered_at, "%H%M%S"),
        "description": or_null(&message.text("description")),
        "bankCd": or_null(&charge.bank),
        "vacctNo": or_null(&charge.number),
        "mitraCd": or_null(&charge.acquirer),
        "payNo": null,
        "currency": "IDR",
        "goodsNm": charge.goods,
        "billingNm": charge.buyer,
        "vacctValidDt": only(!is_qris, &date),
        "vacctValidTm": only(!is_qris, &time),
        "payValidDt": null,
        "payValidTm": null,
        "requestURL": null,
        "paymentExpDt": only(is_qris, &date),
        "paymentExpTm": only(is_qris, &time),
        "qrContent": or_null(&charge.qr),
        "qrUrl": only(is_qris, &format!("{}/nicepay/api/generateQrisImage/{}", shared.url, charge.id)),
    }))
}

fn inquiry(shared: &Arc<Shared>, message: &Message) -> Outcome {
    message.check("referenceNo")?;
    let (id, reference) = (message.text("tXid"), message.text("referenceNo"));
    let found = shared.lock().find(&id).filter(|charge| charge.id == id && charge.reference == reference).cloned();
    let charge = found.ok_or(("9228", "transaction not found"))?;
    Ok(state_of(&charge))
}

fn state_of(charge: &Charge) -> Value {
    let is_paid = charge.receipts > 0;
    let only = |is_there: bool, text: String| if is_there { json!(text) } else { Value::Null };
    let date = |moment| in_jakarta(moment, "%Y%m%d");
    let time = |moment| in_jakarta(moment, "%H%M%S");
    json!({
        "tXid": charge.id,
        "iMid": IMID,
        "currency": "IDR",
        "amt": charge.amount.to_string(),
        "instmntMon": "1",
        "instmntType": "1",
        "referenceNo": charge.reference,
        "goodsNm": charge.goods,
        "payMethod": if charge.is_qris { "08" } else { "02" },
        "billingNm": charge.buyer,
        "reqDt": date(charge.registered_at),
        "reqTm": time(charge.registered_at),
        "status": charge.status.to_string(),
        "resultCd": "0000",
        "resultMsg": if charge.status == '0' { "paid" } else { "" },
        "vacctValidDt": only(!charge.is_qris, date(charge.expires_at)),
        "vacctValidTm": only(!charge.is_qris, time(charge.expires_at)),
        "vacctNo": or_null(&charge.number),
        "bankCd": or_null(&charge.bank),
        "mitraCd": or_null(&charge.acquirer),
        "cancelAmt": only(charge.canceled_amount > 0, charge.canceled_amount.to_string()),
        "transDt": date(charge.changed_at),
        "transTm": time(charge.changed_at),
        "depositDt": only(is_paid && !charge.is_qris, date(charge.changed_at)),
        "depositTm": only(is_paid && !charge.is_qris, time(charge.changed_at)),
        "paymentExpDt": only(charge.is_qris, date(charge.expires_at)),
        "paymentExpTm": only(charge.is_qris, time(charge.expires_at)),
        "paymentTrxSn": only(is_paid && charge.is_qris, "0".repeat(32)),
        "cancelTrxSn": null,
        "shopId": or_null(&charge.shop_id),
        "acquirerData": { "rrn": null },
        "latestFailHistory": [],
    })
}

fn cancel(shared: &Arc<Shared>, message: &Message) -> Outcome {
    let amount = message.check("tXid")?;
    let now = shared.now();
    let mut state = shared.lock();
    state.counter += 1;
    let counter = state.counter;
    let id = message.text("tXid");
    let charge = state.charges.iter_mut().find(|charge| charge.id == id).ok_or(("9314", "tXid cannot be cancelled"))?;
    if message.text("payMethod") != if charge.is_qris { "08" } else { "02" } {
        return Err(("9314", "tXid cannot be cancelled"));
    }
    let is_part = match message.text("cancelType").as_str() {
        "1" => false,
        "2" => true,
        _ => return Err(("9301", "invalid cancelType")),
    };
    match (charge.is_qris, charge.status) {
        (false, '3') | (true, '3') if is_part => return Err(("9327", "no partial cancel before purchase")),
        (false, '3') => charge.status = '4',
        (false, '0') => return Err(("9330", "paid VA cannot be cancelled")),
        (false, _) => return Err(("9318", "VA cannot be cancelled")),
        (true, '3') => {
            charge.status = '2';
            charge.canceled_amount = charge.amount;
        }
        (true, '0' | '2') if charge.receipts > 0 => {
            if amount == 0 || charge.canceled_amount + amount > charge.amount || (!is_part && amount != charge.amount) {
                return Err(("9319", "amount is larger than cancellable"));
            }
            charge.canceled_amount += amount;
            charge.status = '2';
        }
        (true, _) => return Err(("9314", "tXid cannot be cancelled")),
    }
    charge.changed_at = now;
    let pay_method = if charge.is_qris { "08" } else { "02" };
    Ok(json!({
        "tXid": charge.id,
        "referenceNo": message.text("referenceNo"),
        "resultCd": "0000",
        "resultMsg": "SUCCESS",
        "transDt": in_jakarta(now, "%Y%m%d"),
        "transTm": in_jakarta(now, "%H%M%S"),
        "description": null,
        "amt": amount.to_string(),
        "canceltXid": format!("{IMID}{pay_method}{}{:04}", in_jakarta(now, "%Y%m%d%H%M%S"), counter % 10_000),
    }))
}
