//! The SNAP calls: the token, virtual accounts, QRIS. The HTTP status is in the first three digits of each code.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::signature::{RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha512;
use switchyard::domain::secrets::random_hex;
use switchyard::domain::signing::sha256;

use super::{
    CLIENT_SECRET, Charge, IMID, Registration, SHOP_ID, Shared, cart_total, in_jakarta, moment, register, vectors,
};

pub(super) const TOKEN: &str = "/nicepay/v1.0/access-token/b2b";

const TOKEN_SECONDS: u64 = 900;

/// HTTP status and case, whose middle is the service's number; and why.
type No = (&'static str, &'static str, &'static str);

pub(super) fn refusal(code: &str, message: &str) -> HttpResponse {
    let status = StatusCode::from_bytes(&code.as_bytes()[..3]).unwrap();
    HttpResponse::build(status).json(json!({ "responseCode": code, "responseMessage": message }))
}

fn header<'a>(request: &'a HttpRequest, name: &str) -> &'a str {
    request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn is_time(text: &str) -> bool {
    text.len() == 25 && text.ends_with("+07:00") && text.parse::<jiff::Timestamp>().is_ok()
}

pub(super) fn token(shared: &Shared, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let (time, client) = (header(request, "x-timestamp"), header(request, "x-client-key"));
    if request.method() != "POST" || body["grantType"] != "client_credentials" || !is_time(time) {
        return refusal("4007302", "Invalid mandatory field");
    }
    // The short key is the one that NICEPAY publishes; its own libraries sign with it.
    let vectors = vectors();
    let signature = STANDARD.decode(header(request, "x-signature")).unwrap_or_default();
    let is_signed = ["own_key", "token_request"].iter().any(|name| {
        let key = STANDARD.decode(vectors[name]["public_key"].as_str().unwrap()).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key)
            .verify(format!("{client}|{time}").as_bytes(), &signature)
            .is_ok()
    });
    if client != IMID || !is_signed {
        return refusal("4017300", "Unauthorized [invalid signature]");
    }
    let token = format!("{}.e30=.{}", random_hex(16), random_hex(8));
    let until = shared.now().plus(std::time::Duration::from_secs(TOKEN_SECONDS));
    shared.lock().tokens.push((token.clone(), until));
    HttpResponse::Ok().json(json!({
        "responseCode": "2007300",
        "responseMessage": "Successful",
        "accessToken": token,
        "tokenType": "Bearer",
        "expiresIn": TOKEN_SECONDS.to_string(),
    }))
}

pub(super) fn answer(shared: &Arc<Shared>, request: &HttpRequest, body: &[u8]) -> HttpResponse {
    let path = request.path().strip_prefix("/nicepay").unwrap();
    let (service, method) = match path {
        "/api/v1.0/transfer-va/create-va" => ("27", "POST"),
        "/api/v1.0/transfer-va/status" => ("26", "POST"),
        "/api/v1.0/transfer-va/delete-va" => ("31", "DELETE"),
        "/api/v1.0/qr/qr-mpm-generate" => ("47", "POST"),
        "/api/v1.0/qr/qr-mpm-query" => ("51", "POST"),
        "/api/v1.0/qr/qr-mpm-refund" => ("78", "POST"),
        _ => return HttpResponse::NotFound().body("Not Found"),
    };
    let outcome = authorized(shared, request, path, body).and_then(|()| {
        if request.method() != method {
            return Err(("405", "00", "Requested Function Is Not Supported"));
        }
        let message: Value = serde_json::from_slice(body).map_err(|_| ("400", "00", "Bad Request"))?;
        match service {
            "27" => create_account(shared, &message),
            "26" => account_status(shared, &message),
            "31" => delete_account(shared, &message),
            "47" => generate_qr(shared, &message),
            "51" => query_qr(shared, &message),
            _ => refund_qr(shared, &message),
        }
    });
    match outcome {
        Ok(mut answer) => {
            answer["responseCode"] = json!(format!("200{service}00"));
            answer["responseMessage"] = json!("Successful");
            HttpResponse::Ok().json(answer)
        }
        Err((status, case, why)) => refusal(&format!("{status}{service}{case}"), why),
    }
}

fn authorized(shared: &Shared, request: &HttpRequest, path: &str, body: &[u8]) -> Result<(), No> {
    let token = header(request, "authorization").strip_prefix("Bearer ").unwrap_or_default();
    let now = shared.now();
    if !shared.lock().tokens.iter().any(|(known, until)| known == token && now < *until) {
        return Err(("401", "01", "Access Token Invalid"));
    }
    let time = header(request, "x-timestamp");
    let text = format!("{}:{path}:{token}:{}:{time}", request.method(), hex::encode(sha256(body)));
    let mut mac = Hmac::<Sha512>::new_from_slice(CLIENT_SECRET.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    let expected = STANDARD.encode(mac.finalize().into_bytes());
    if header(request, "x-partner-id") != IMID || !is_time(time) || header(request, "x-signature") != expected {
        return Err(("401", "00", "Unauthorized [invalid signature]"));
    }
    if !header(request, "channel-id").starts_with(IMID)
        || !header(request, "content-type").starts_with("application/json")
    {
        return Err(("400", "02", "Invalid Mandatory Field [CHANNEL-ID]"));
    }
    let id = header(request, "x-external-id");
    if id.is_empty() || id.len() > 40 || !id.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(("400", "01", "Invalid Field Format [X-EXTERNAL-ID]"));
    }
    if !shared.lock().external_ids.insert(format!("{}-{id}", in_jakarta(now, "%Y%m%d"))) {
        return Err(("409", "00", "Conflict"));
    }
    Ok(())
}

fn text<'a>(message: &'a Value, name: &str, limit: usize) -> Result<&'a str, No> {
    let text = message[name].as_str().unwrap_or_default();
    if text.is_empty() {
        return Err(("400", "02", "Invalid Mandatory Field"));
    }
    if text.len() > limit { Err(("400", "01", "Invalid Field Format")) } else { Ok(text) }
}

fn amount(message: &Value) -> Result<i64, No> {
    let value = message["value"].as_str().unwrap_or_default();
    let whole = value.strip_suffix(".00").filter(|whole| !whole.is_empty() && whole.len() <= 12);
    let is_rupiah = message["currency"] == "IDR";
    whole.filter(|_| is_rupiah).and_then(|whole| whole.parse().ok()).ok_or((
        "400",
        "01",
        "Invalid Field Format [amount]",
    ))
}

fn money(amount: i64) -> Value {
    json!({ "value": format!("{amount}.00"), "currency": "IDR" })
}

fn check_is_new(shared: &Shared, reference: &str) -> Result<(), No> {
    let is_used = shared.lock().charges.iter().any(|charge| charge.reference == reference);
    if is_used { Err(("409", "01", "Duplicate partnerReferenceNo")) } else { Ok(()) }
}

fn create_account(shared: &Arc<Shared>, message: &Value) -> Result<Value, No> {
    let info = &message["additionalInfo"];
    let reference = text(message, "trxId", 40)?;
    let bank = text(info, "bankCd", 4)?;
    if !["CENA", "BMRI", "BNIN", "BRIN", "BBBA"].contains(&bank) {
        return Err(("400", "01", "Invalid Field Format [bankCd]"));
    }
    let (date, time) =
        (info["vacctValidDt"].as_str().unwrap_or_default(), info["vacctValidTm"].as_str().unwrap_or_default());
    let expires_at = match (date, time) {
        ("", "") => None,
        _ => Some(moment(date, time).ok_or(("400", "01", "Invalid Field Format [vacctValidDt]"))?),
    };
    let amount = amount(&message["totalAmount"])?;
    let buyer = text(message, "virtualAccountName", 100)?;
    let goods = text(info, "goodsNm", 200)?;
    let notify_url = text(info, "dbProcessUrl", 255)?;
    check_is_new(shared, reference)?;
    let (shop_id, acquirer) = ("", "");
    let charge = register(
        shared,
        &Registration {
            reference,
            is_qris: false,
            bank,
            amount,
            goods,
            buyer,
            shop_id,
            acquirer,
            notify_url,
            expires_at,
            is_snap: true,
        },
    );
    let mut account = account_of(&charge);
    account["additionalInfo"] = json!({
        "bankCd": charge.bank,
        "tXidVA": charge.id,
        "goodsNm": charge.goods,
        "vacctValidDt": in_jakarta(charge.expires_at, "%Y%m%d"),
        "vacctValidTm": in_jakarta(charge.expires_at, "%H%M%S"),
    });
    Ok(json!({ "virtualAccountData": account }))
}

fn account_of(charge: &Charge) -> Value {
    json!({
        "partnerServiceId": "",
        "customerNo": "",
        "virtualAccountNo": charge.number,
        "virtualAccountName": charge.buyer,
        "trxId": charge.reference,
        "totalAmount": money(charge.amount),
    })
}

fn account(shared: &Shared, number: &Value, id: &Value, reference: &Value) -> Result<Charge, No> {
    let state = shared.lock();
    let found = state.charges.iter().find(|charge| {
        !charge.is_qris && number == &charge.number && id == &charge.id && reference == &charge.reference
    });
    found.cloned().ok_or(("404", "19", "Invalid Virtual Account"))
}

fn account_status(shared: &Shared, message: &Value) -> Result<Value, No> {
    text(message, "inquiryRequestId", 128)?;
    let info = &message["additionalInfo"];
    amount(&info["totalAmount"])?;
    let charge = account(shared, &message["virtualAccountNo"], &info["tXidVA"], &info["trxId"])?;
    let mut data = account_of(&charge);
    data["inquiryRequestId"] = message["inquiryRequestId"].clone();
    let status = match charge.status {
        '0' => "00",
        '1' => "01",
        '3' => "03",
        _ => "04",
    };
    Ok(json!({
        "virtualAccountData": data,
        "additionalInfo": {
            "bankCd": charge.bank,
            "tXidVA": charge.id,
            "trxId": charge.reference,
            "goodsNm": charge.goods,
            "latestTransactionStatus": status,
            "transactionStatusDesc": "",
        },
    }))
}

fn delete_account(shared: &Shared, message: &Value) -> Result<Value, No> {
    let info = &message["additionalInfo"];
    amount(&info["totalAmount"])?;
    text(info, "cancelMessage", 255)?;
    let charge = account(shared, &message["virtualAccountNo"], &info["tXidVA"], &message["trxId"])?;
    match charge.status {
        '3' => {}
        '0' => return Err(("404", "13", "Paid Bill")),
        _ => return Err(("404", "19", "Invalid Virtual Account")),
    }
    let now = shared.now();
    let mut state = shared.lock();
    let stored = state.find(&charge.id).unwrap();
    stored.status = '4';
    stored.changed_at = now;
    Ok(json!({ "virtualAccountData": { "virtualAccountNo": charge.number, "trxId": charge.reference } }))
}

fn generate_qr(shared: &Arc<Shared>, message: &Value) -> Result<Value, No> {
    let info = &message["additionalInfo"];
    let reference = text(message, "partnerReferenceNo", 40)?;
    let amount = amount(&message["amount"])?;
    if message["merchantId"] != IMID || message["storeId"] != SHOP_ID {
        return Err(("403", "15", "Transaction Not Permitted"));
    }
    for (name, limit) in [
        ("billingPhone", 15),
        ("billingEmail", 40),
        ("billingCity", 50),
        ("billingState", 50),
        ("billingPostCd", 10),
        ("billingCountry", 10),
        ("callBackUrl", 255),
        ("userIP", 15),
        ("mitraCd", 4),
    ] {
        text(info, name, limit)?;
    }
    if cart_total(text(info, "cartData", 4000)?) != Some(amount) {
        return Err(("400", "01", "Invalid Field Format [cartData]"));
    }
    let expires_at = match message["validityPeriod"].as_str().unwrap_or_default() {
        "" => None,
        time if is_time(time) => switchyard::domain::time::Timestamp::parse_rfc3339(time),
        _ => return Err(("400", "01", "Invalid Field Format [validityPeriod]")),
    };
    check_is_new(shared, reference)?;
    let charge = register(
        shared,
        &Registration {
            reference,
            is_qris: true,
            bank: "",
            amount,
            goods: text(info, "goodsNm", 100)?,
            buyer: text(info, "billingNm", 100)?,
            shop_id: SHOP_ID,
            acquirer: text(info, "mitraCd", 4)?,
            notify_url: text(info, "dbProcessUrl", 255)?,
            expires_at,
            is_snap: true,
        },
    );
    Ok(json!({
        "referenceNo": charge.id,
        "partnerReferenceNo": charge.reference,
        "qrContent": charge.qr,
        "qrUrl": format!("{}/nicepay/api/generateQrisImage/{}", shared.url, charge.id),
        "additionalInfo": {},
    }))
}

fn qr(shared: &Shared, message: &Value) -> Result<Charge, No> {
    if message["merchantId"] != IMID || message["externalStoreId"] != SHOP_ID {
        return Err(("403", "15", "Transaction Not Permitted"));
    }
    let (id, reference) = (text(message, "originalReferenceNo", 40)?, text(message, "originalPartnerReferenceNo", 40)?);
    let found = shared.lock().find(id).filter(|charge| charge.is_qris && charge.reference == reference).cloned();
    found.ok_or(("404", "01", "Transaction Not Found"))
}

fn query_qr(shared: &Shared, message: &Value) -> Result<Value, No> {
    let charge = qr(shared, message)?;
    let status = match charge.status {
        '0' => "00",
        '2' => "04",
        '3' | '4' => "03",
        '5' => "05",
        _ => "06",
    };
    Ok(json!({
        "originalReferenceNo": charge.id,
        "originalPartnerReferenceNo": charge.reference,
        "serviceCode": "47",
        "latestTransactionStatus": status,
        "transactionStatusDesc": "",
        "amount": money(charge.amount),
        "additionalInfo": {},
    }))
}

fn refund_qr(shared: &Shared, message: &Value) -> Result<Value, No> {
    let charge = qr(shared, message)?;
    let number = text(message, "partnerRefundNo", 40)?;
    let amount = amount(&message["refundAmount"])?;
    text(message, "reason", 255)?;
    if charge.refunds.contains(number) {
        return Err(("409", "01", "Duplicate partnerReferenceNo"));
    }
    if charge.status != '0' || amount != charge.amount || message["additionalInfo"]["cancelType"] != "1" {
        return Err(("403", "15", "Transaction Not Permitted"));
    }
    let now = shared.now();
    let mut state = shared.lock();
    let stored = state.find(&charge.id).unwrap();
    stored.refunds.insert(number.to_owned());
    stored.status = '2';
    stored.canceled_amount = amount;
    stored.changed_at = now;
    Ok(json!({
        "originalReferenceNo": charge.id,
        "originalPartnerReferenceNo": charge.reference,
        "partnerRefundNo": number,
        "refundTime": format!("{}+07:00", in_jakarta(now, "%Y-%m-%dT%H:%M:%S")),
        "refundAmount": money(amount),
        "additionalInfo": {},
    }))
}
