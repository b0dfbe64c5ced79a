//! The SNAP dialect, Indonesia's national standard as NICEPAY speaks it, for virtual accounts and QRIS: the calls. The
//! token and the headers are in [`session`], what codes and statuses mean in [`codes`].
//!
//! A virtual account is asked about by its number besides its id, and the gateway keeps one reference, so the reference
//! of such a payment is `<tXid>:<number>`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::words::{self, Fields, GARBAGE, Merchant, Method};
use super::{assumed, keys};
use crate::domain::payments::{Observation, RefundOutcome};
use crate::domain::time::Timestamp;
use crate::psp::http::Http;
use crate::psp::{About, Failure, News, Ongoing, RefundAnswer, RefundOrder, Start, Started, WebhookReading};

mod codes;
mod session;

use session::{Call, Session};

const CREATE_ACCOUNT: &str = "/api/v1.0/transfer-va/create-va";
const ACCOUNT_STATUS: &str = "/api/v1.0/transfer-va/status";
const DELETE_ACCOUNT: &str = "/api/v1.0/transfer-va/delete-va";
const GENERATE_QR: &str = "/api/v1.0/qr/qr-mpm-generate";
const QUERY_QR: &str = "/api/v1.0/qr/qr-mpm-query";
const REFUND_QR: &str = "/api/v1.0/qr/qr-mpm-refund";

/// One account, spoken to in SNAP.
pub struct Snap {
    merchant: Arc<Merchant>,
    session: Session,
    public_key: Option<keys::PublicKey>,
}

fn money(amount_minor: i64) -> Value {
    json!({ "value": format!("{amount_minor}.00"), "currency": "IDR" })
}

/// The amount and currency in an object such as `totalAmount`.
fn money_in(fields: &Fields, name: &str) -> Option<(i64, String)> {
    let amount = fields.object(name);
    Some((words::rupiah(&amount.text("value")?)?, amount.text("currency").unwrap_or_else(|| "IDR".to_owned())))
}

/// The id and, of a virtual account, the number.
fn parts(provider_ref: &str) -> (&str, &str) {
    provider_ref.split_once(':').unwrap_or((provider_ref, ""))
}

impl Snap {
    /// Speaks for this merchant. Keys that are missing are missed when they are needed.
    pub fn new(merchant: Arc<Merchant>, http: Http) -> Self {
        let public_key = keys::PublicKey::parse(merchant.account.credential("public_key"));
        Self { session: Session::new(merchant.clone(), http), merchant, public_key }
    }

    /// Registers a payment.
    pub async fn start(&self, start: &Start<'_>) -> Result<Started, Failure> {
        match Method::parse(start.method)? {
            method @ Method::VirtualAccount { code, .. } => self.create_account(start, method, code).await,
            Method::Qris => self.generate_qr(start).await,
        }
    }

    async fn create_account(&self, start: &Start<'_>, method: Method, bank: &str) -> Result<Started, Failure> {
        let (date, clock) = words::date_and_time(start.expires_at);
        let body = json!({
            "partnerServiceId": "",
            "customerNo": "",
            "virtualAccountNo": "",
            "virtualAccountName": words::buyer_name(start),
            "trxId": start.reference,
            "totalAmount": money(start.amount_minor),
            "additionalInfo": {
                "bankCd": bank,
                "goodsNm": words::goods(start),
                "dbProcessUrl": start.notify_url,
                "vacctValidDt": date,
                "vacctValidTm": clock,
                "msId": "",
                "msFee": "",
                "msFeeType": "",
                "mbFee": "",
                "mbFeeType": "",
            },
        });
        let external_id = start.attempt_id.as_str();
        let answer = self.session.call(Call::post(CREATE_ACCOUNT, "27", external_id, &body), start.now).await?.fields;
        let account = answer.object("virtualAccountData");
        let info = account.object("additionalInfo");
        let id = info.text("tXidVA").ok_or(GARBAGE)?;
        let number = account.text("virtualAccountNo").ok_or(GARBAGE)?;
        agrees(account.text("trxId"), start.reference)?;
        agrees(info.text("bankCd"), bank)?;
        if money_in(&account, "totalAmount").is_some_and(|(amount, _)| amount != start.amount_minor) {
            return Err(GARBAGE);
        }
        let expires_at = words::moment(info.text("vacctValidDt"), info.text("vacctValidTm"));
        let instructions = method.instructions(&number, expires_at.unwrap_or(start.expires_at))?;
        let provider_ref = format!("{id}:{}", number.replace(' ', ""));
        Ok(Started { provider_ref, checkout_url: None, instructions: Some(instructions), expires_at })
    }

    async fn generate_qr(&self, start: &Start<'_>) -> Result<Started, Failure> {
        let mut info = words::billing(start);
        let mut put = |name: &str, value: &str| info.insert(name.to_owned(), Value::String(value.to_owned()));
        put("goodsNm", &words::goods(start));
        put("callBackUrl", start.return_url);
        put("dbProcessUrl", start.notify_url);
        put("cartData", &words::cart(start));
        put("mitraCd", self.merchant.qris_acquirer());
        for unused in ["msId", "msFee", "msFeeType", "mbFee", "mbFeeType"] {
            put(unused, "");
        }
        let body = json!({
            "partnerReferenceNo": start.reference,
            "amount": money(start.amount_minor),
            "merchantId": self.merchant.imid(),
            "storeId": self.merchant.shop_id()?,
            "validityPeriod": words::iso_time(start.expires_at),
            "additionalInfo": info,
        });
        let external_id = start.attempt_id.as_str();
        let answer = self.session.call(Call::post(GENERATE_QR, "47", external_id, &body), start.now).await?.fields;
        let provider_ref = answer.text("referenceNo").ok_or(GARBAGE)?;
        agrees(answer.text("partnerReferenceNo"), start.reference)?;
        let content = answer.text("qrContent").ok_or(GARBAGE)?;
        let instructions = Method::Qris.instructions(&content, start.expires_at)?;
        Ok(Started { provider_ref, checkout_url: None, instructions: Some(instructions), expires_at: None })
    }

    /// Asks what has become of a payment.
    pub async fn fetch(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        match Method::parse(payment.method)? {
            Method::VirtualAccount { .. } => self.account_status(payment).await,
            Method::Qris => self.query_qr(payment).await,
        }
    }

    async fn account_status(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        let (id, number) = parts(payment.provider_ref);
        let once = self.session.once(&[payment.attempt_id.as_str(), "status"], payment.now);
        let body = json!({
            "partnerServiceId": "",
            "customerNo": "",
            "virtualAccountNo": number,
            "inquiryRequestId": once,
            "additionalInfo": {
                "totalAmount": money(payment.amount_minor),
                "trxId": payment.reference,
                "tXidVA": id,
            },
        });
        let answer = self.session.call(Call::post(ACCOUNT_STATUS, "26", &once, &body), payment.now).await?.fields;
        let account = answer.object("virtualAccountData");
        let (outer, inner) = (answer.object("additionalInfo"), account.object("additionalInfo"));
        // NICEPAY's plugin finds these in one object or in the other.
        let either = |name: &str| outer.text(name).or_else(|| inner.text(name));
        let reference = either("trxId").or_else(|| account.text("trxId"));
        if either("tXidVA").is_none() && reference.is_none() {
            return Err(GARBAGE);
        }
        agrees(either("tXidVA"), id)?;
        agrees(reference, payment.reference)?;
        let amount = [(&account, "paidAmount"), (&account, "totalAmount"), (&outer, "totalAmount")]
            .into_iter()
            .find_map(|(fields, name)| money_in(fields, name));
        codes::account_observations(&either("latestTransactionStatus").ok_or(GARBAGE)?, id, amount)
    }

    async fn query_qr(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        let (id, _) = parts(payment.provider_ref);
        let once = self.session.once(&[payment.attempt_id.as_str(), "query"], payment.now);
        let body = json!({
            "originalReferenceNo": id,
            "originalPartnerReferenceNo": payment.reference,
            "merchantId": self.merchant.imid(),
            "externalStoreId": self.merchant.shop_id()?,
            "serviceCode": "47",
            "additionalInfo": {},
        });
        let answer = self.session.call(Call::post(QUERY_QR, "51", &once, &body), payment.now).await?.fields;
        if answer.text("originalReferenceNo").as_deref() != Some(id)
            || answer.text("originalPartnerReferenceNo").as_deref() != Some(payment.reference)
        {
            return Err(GARBAGE);
        }
        let status = answer.text("latestTransactionStatus").ok_or(GARBAGE)?;
        codes::qr_observations(&status, id, money_in(&answer, "amount"))
    }

    /// Gives a payment up. SNAP has a call for that for virtual accounts only; of a QRIS payment it is told what it is.
    pub async fn cancel(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        if Method::parse(payment.method)? == Method::Qris {
            return self.fetch(payment).await;
        }
        let (id, number) = parts(payment.provider_ref);
        let once = self.session.once(&[payment.attempt_id.as_str(), "delete"], payment.now);
        let body = json!({
            "partnerServiceId": "",
            "customerNo": "",
            "virtualAccountNo": number,
            "trxId": payment.reference,
            "additionalInfo": {
                "totalAmount": money(payment.amount_minor),
                "tXidVA": id,
                "cancelMessage": "Canceled before payment",
            },
        });
        match self.session.call(Call::delete(DELETE_ACCOUNT, "31", &once, &body), payment.now).await {
            Ok(_) => Ok(vec![Observation::Canceled { reason: "canceled at the merchant's request".to_owned() }]),
            // Paid already, expired already: what it is then, only asking tells.
            Err(Failure::Refused { .. }) => self.fetch(payment).await,
            Err(failure) => Err(failure),
        }
    }

    /// Gives money back: all of it, as the one documented kind of refund does.
    pub async fn refund(&self, refund: &RefundOrder<'_>) -> Result<RefundAnswer, Failure> {
        check_whole(refund)?;
        let payment = &refund.payment;
        let (id, _) = parts(payment.provider_ref);
        let body = json!({
            "originalReferenceNo": id,
            "originalPartnerReferenceNo": payment.reference,
            "partnerRefundNo": refund.refund_id,
            "merchantId": self.merchant.imid(),
            "externalStoreId": self.merchant.shop_id()?,
            "refundAmount": money(refund.amount_minor),
            "reason": words::cut(refund.reason.unwrap_or("Refund"), 255),
            "additionalInfo": { "cancelType": "1" },
        });
        let call = Call::post(REFUND_QR, "78", refund.refund_id.as_str(), &body);
        let answer = self.session.call(call, payment.now).await.map_err(|failure| match failure {
            // The number of this refund was used before: an earlier call of ours arrived.
            Failure::Refused { reason } if reason.contains(codes::USED_BEFORE) => {
                Failure::Unknown { class: "duplicate" }
            }
            failure => failure,
        })?;
        agrees(answer.fields.text("originalReferenceNo"), id)?;
        agrees(answer.fields.text("partnerRefundNo"), refund.refund_id.as_str())?;
        if money_in(&answer.fields, "refundAmount").is_some_and(|(amount, _)| amount != refund.amount_minor) {
            return Err(GARBAGE);
        }
        let outcome = if answer.is_in_progress { RefundOutcome::Pending } else { RefundOutcome::Succeeded };
        Ok(RefundAnswer { provider_ref: words::refund_ref(id, refund.amount_minor), outcome })
    }

    /// Asks whether a refund was made, which the state of the payment tells.
    pub async fn fetch_refund(
        &self,
        refund: &RefundOrder<'_>,
        provider_ref: Option<&str>,
    ) -> Result<Option<RefundAnswer>, Failure> {
        check_whole(refund)?;
        let (id, _) = parts(refund.payment.provider_ref);
        let found = self.query_qr(&refund.payment).await?;
        let outcome = if found.iter().any(|observation| matches!(observation, Observation::Refunded { .. })) {
            RefundOutcome::Succeeded
        } else if provider_ref.is_some() {
            RefundOutcome::Pending
        } else {
            return Ok(None);
        };
        Ok(Some(RefundAnswer { provider_ref: words::refund_ref(id, refund.amount_minor), outcome }))
    }

    /// Whether NICEPAY knows the account: it gives a token then.
    pub async fn check(&self, now: Timestamp) -> Result<(), Failure> {
        self.session.fresh_token(now).await.map(|_| ())
    }

    /// Reads a notification. The signature covers the sender and the time and not the body, so an old one is not
    /// believed and a fresh one is asked about.
    pub fn read_webhook(&self, headers: &[(String, String)], body: &[u8], now: Timestamp) -> WebhookReading {
        let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.trim());
        let (Some(signature), Some(time), Some(client), Some(key)) =
            (header("x-signature"), header("x-timestamp"), header("x-client-key"), &self.public_key)
        else {
            return WebhookReading::NotSigned;
        };
        let is_fresh = Timestamp::parse_rfc3339(time).is_some_and(|sent| {
            sent.unix_seconds().abs_diff(now.unix_seconds()) <= assumed::NOTIFICATION_SKEW_SECONDS.unsigned_abs()
        });
        if client != self.merchant.imid() || !is_fresh || !key.is_signed(&format!("{client}|{time}"), signature) {
            return WebhookReading::NotSigned;
        }
        let Some(fields) = Fields::parse(body) else {
            return WebhookReading::Unreadable("the notification is not a JSON object".to_owned());
        };
        let qr = fields.text("originalReferenceNo");
        let about = match (&qr, fields.text("paymentRequestId")) {
            (Some(id), _) => (id.clone(), fields.text("originalPartnerReferenceNo"), Some(id.clone())),
            // Our reference of a virtual account has its number behind the id; ours for the payment is enough.
            (None, Some(id)) => (id, fields.text("trxId"), None),
            (None, None) => return WebhookReading::Unreadable("the notification names no transaction".to_owned()),
        };
        let (id, reference, provider_ref) = about;
        if reference.is_none() && provider_ref.is_none() {
            return WebhookReading::Unreadable("the notification names no payment of ours".to_owned());
        }
        let status = fields.text("latestTransactionStatus").unwrap_or_else(|| "00".to_owned());
        WebhookReading::News(Box::new(News {
            event_id: words::cut(&format!("{id}-{status}"), 64),
            kind: if qr.is_some() { "qr-mpm-notify" } else { "transfer-va/payment" }.to_owned(),
            about: About { reference, provider_ref, ..About::default() },
            must_confirm: true,
            ..News::default()
        }))
    }
}

/// An answer may leave a field out, but must not contradict what was asked.
fn agrees(theirs: Option<String>, ours: &str) -> Result<(), Failure> {
    if theirs.is_some_and(|theirs| theirs != ours) { Err(GARBAGE) } else { Ok(()) }
}

fn check_whole(refund: &RefundOrder<'_>) -> Result<(), Failure> {
    if refund.amount_minor == refund.payment.amount_minor && refund.refunded_minor == 0 {
        return Ok(());
    }
    Err(Failure::Unsupported {
        instead: "NICEPAY documents no refund of a part under SNAP: refund the whole payment, or give the part back in \
                  NICEPAY's back office",
    })
}
