//! What NICEPAY posts to the merchant: a form with a token under V2, signed JSON under SNAP. Retried quickly.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::{Charge, Fault, IMID, Shared, in_jakarta, v2, vectors};

/// How often a message is tried.
const TRIES: u32 = 4;

/// A message on its way.
#[derive(Clone, Debug)]
pub(super) struct Message {
    url: String,
    headers: Vec<(&'static str, String)>,
    body: String,
}

/// Tells the merchant what has become of a payment.
pub(super) fn send(shared: &Arc<Shared>, name: &str) {
    let now = shared.now();
    let (message, fault, held) = {
        let mut state = shared.lock();
        let Some(mut charge) = state.find(name).cloned() else { return };
        let fault = state.webhook_faults.pop_front();
        if fault == Some(Fault::WrongAmount) {
            charge.amount += 1;
        }
        state.sent_webhooks += 1;
        let time = format!("{}+07:00", in_jakarta(now, "%Y-%m-%dT%H:%M:%S"));
        let message = message(&charge, &time, fault == Some(Fault::BadlySigned));
        if fault == Some(Fault::OutOfOrder) {
            state.held = Some(message);
            return;
        }
        (message, fault, state.held.take())
    };
    let (wait, messages) = match fault {
        Some(Fault::Never) => return,
        Some(Fault::Late(duration)) => (duration, vec![message]),
        Some(Fault::Duplicated) => (Duration::ZERO, vec![message.clone(), message]),
        _ => (Duration::ZERO, vec![message]),
    };
    shared.lock().pending_webhooks += 1;
    let shared = shared.clone();
    tokio::spawn(async move {
        tokio::time::sleep(wait).await;
        for message in messages.into_iter().chain(held) {
            deliver(&shared, &message).await;
        }
        shared.lock().pending_webhooks -= 1;
    });
}

async fn deliver(shared: &Shared, message: &Message) {
    for attempt in 0..TRIES {
        tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 100)).await;
        let mut request = shared.client.post(&message.url).body(message.body.clone());
        for (name, value) in &message.headers {
            request = request.header(*name, value);
        }
        if request.send().await.is_ok_and(|answer| answer.status().is_success()) {
            return;
        }
    }
}

fn message(charge: &Charge, time: &str, is_forged: bool) -> Message {
    let url = charge.notify_url.clone();
    if !charge.is_snap {
        let body = form(charge, is_forged);
        return Message {
            url,
            headers: vec![
                ("content-type", "application/x-www-form-urlencoded".to_owned()),
                ("user-agent", "Jakarta Commons-HttpClient/3.1".to_owned()),
            ],
            body,
        };
    }
    let signed = if is_forged { "someone else".to_owned() } else { format!("{IMID}|{time}") };
    let headers = vec![
        ("content-type", "application/json".to_owned()),
        ("x-timestamp", time.to_owned()),
        ("x-client-key", IMID.to_owned()),
        ("x-signature", sign(&signed)),
    ];
    let amount = json!({ "value": format!("{}.00", charge.amount), "currency": "IDR" });
    let body = if charge.is_qris {
        json!({
            "originalReferenceNo": charge.id,
            "originalPartnerReferenceNo": charge.reference,
            "amount": amount,
            "latestTransactionStatus": if charge.status == '0' { "00" } else { "05" },
            "transactionStatusDesc": "success",
            "externalStoreID": charge.shop_id,
            "additionalInfo": {},
        })
    } else {
        json!({
            "partnerServiceId": "",
            "customerNo": "",
            "virtualAccountNo": charge.number,
            "virtualAccountName": charge.buyer,
            "trxId": charge.reference,
            "paymentRequestId": charge.id,
            "paidAmount": amount,
            "trxDateTime": time,
            "additionalInfo": { "bankCd": charge.bank, "goodsNm": charge.goods },
        })
    };
    Message { url, headers, body: body.to_string() }
}

fn form(charge: &Charge, is_forged: bool) -> String {
    let amount = charge.amount.to_string();
    let token = if is_forged { "0".repeat(64) } else { v2::token(&[IMID, &charge.id, &amount]) };
    let (date, time) = (in_jakarta(charge.changed_at, "%Y%m%d"), in_jakarta(charge.changed_at, "%H%M%S"));
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.append_pair("tXid", &charge.id)
        .append_pair("merchantToken", &token)
        .append_pair("referenceNo", &charge.reference)
        .append_pair("payMethod", if charge.is_qris { "08" } else { "02" })
        .append_pair("amt", &amount)
        .append_pair("transDt", &date)
        .append_pair("transTm", &time)
        .append_pair("currency", "IDR")
        .append_pair("goodsNm", &charge.goods)
        .append_pair("billingNm", &charge.buyer)
        .append_pair("matchCl", "1")
        .append_pair("status", if charge.status == '1' { "1" } else { "0" });
    if charge.is_qris {
        form.append_pair("mitraCd", &charge.acquirer)
            .append_pair("shopId", &charge.shop_id)
            .append_pair("paymentTrxSn", &"0".repeat(32))
            .append_pair("userId", &"0".repeat(64));
    } else {
        form.append_pair("bankCd", &charge.bank)
            .append_pair("vacctNo", &charge.number)
            .append_pair("vacctValidDt", &in_jakarta(charge.expires_at, "%Y%m%d"))
            .append_pair("vacctValidTm", &in_jakarta(charge.expires_at, "%H%M%S"))
            .append_pair("depositDt", &date)
            .append_pair("depositTm", &time)
            .append_pair("receiptCode", "null");
    }
    form.finish()
}

fn sign(text: &str) -> String {
    let key = STANDARD.decode(vectors()["provider_key"]["private_key"].as_str().unwrap()).unwrap();
    let key = RsaKeyPair::from_pkcs8(&key).unwrap();
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
    STANDARD.encode(signature)
}
