//! The V2 dialect ("Non SNAP"): JSON to `/nicepay/direct/v2/…`, proved by a hash of four fields and the merchant key.
//!
//! What a call came to is in `resultCd`, on whatever HTTP status; what a payment is, in `status`, whose digits mean
//! different things for different methods. `resultMsg` is never looked at.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::words::{self, Fields, GARBAGE, Merchant, Method};
use super::{assumed, keys};
use crate::domain::payments::{Observation, RefundOutcome};
use crate::domain::signing::equal_in_constant_time;
use crate::domain::time::Timestamp;
use crate::psp::http::{Answer, Http, Request};
use crate::psp::{About, Failure, News, Ongoing, RefundAnswer, RefundOrder, Start, Started, WebhookReading};

const REGISTRATION: &str = "/nicepay/direct/v2/registration";
const INQUIRY: &str = "/nicepay/direct/v2/inquiry";
const CANCEL: &str = "/nicepay/direct/v2/cancel";

/// A transaction that no one has: asking for it tells whether the account is known.
const NO_TRANSACTION: &str = "000000000000000000000000000000";

/// One account, spoken to in V2.
pub struct V2 {
    merchant: Arc<Merchant>,
    http: Http,
}

/// What an inquiry said.
struct Found {
    status: String,
    amount_minor: i64,
    currency: String,
    canceled_minor: Option<i64>,
    was_paid: bool,
}

/// The id within a provider's reference: one that was given under SNAP carries the account's number behind it.
fn transaction_of(provider_ref: &str) -> &str {
    provider_ref.split(':').next().unwrap_or_default()
}

impl V2 {
    /// Speaks for this merchant.
    pub const fn new(merchant: Arc<Merchant>, http: Http) -> Self {
        Self { merchant, http }
    }

    fn token(&self, fields: &[&str]) -> String {
        keys::merchant_token(fields, self.merchant.key())
    }

    async fn call(&self, path: &str, body: &Value) -> Result<Fields, Failure> {
        let request = Request::post_json(self.merchant.url(path), body.to_string());
        understood(&self.http.send(request).await?)
    }

    /// Registers a payment.
    pub async fn start(&self, start: &Start<'_>) -> Result<Started, Failure> {
        let method = Method::parse(start.method)?;
        let time = words::compact_time(start.now);
        let amount = start.amount_minor.to_string();
        let (date, clock) = words::date_and_time(start.expires_at);
        let mut body = words::billing(start);
        let mut put = |name: &str, value: &str| body.insert(name.to_owned(), Value::String(value.to_owned()));
        put("timeStamp", &time);
        put("iMid", self.merchant.imid());
        put("payMethod", method.pay_method());
        put("currency", "IDR");
        put("amt", &amount);
        put("referenceNo", start.reference);
        put("goodsNm", &words::goods(start));
        put("description", &words::goods(start));
        put("dbProcessUrl", start.notify_url);
        put("merchantToken", &self.token(&[&time, self.merchant.imid(), start.reference, &amount]));
        match method {
            Method::VirtualAccount { code, .. } => {
                put("bankCd", code);
                put("vacctValidDt", &date);
                put("vacctValidTm", &clock);
                put("merFixAcctId", "");
                put("cartData", "{}");
            }
            Method::Qris => {
                put("mitraCd", self.merchant.qris_acquirer());
                put("shopId", self.merchant.shop_id()?);
                put("paymentExpDt", &date);
                put("paymentExpTm", &clock);
                put("cartData", &words::cart(start));
            }
        }
        let answer = self.call(REGISTRATION, &Value::Object(body)).await?;
        let transaction =
            answer.text("tXid").filter(|id| id.len() <= 30 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
        let provider_ref = transaction.ok_or(GARBAGE)?;
        expect(&answer, "referenceNo", start.reference)?;
        expect(&answer, "payMethod", method.pay_method())?;
        if answer.text("amt").is_some_and(|text| words::rupiah(&text) != Some(start.amount_minor)) {
            return Err(GARBAGE);
        }
        let (given, date, clock) = match method {
            Method::VirtualAccount { code, .. } => {
                expect(&answer, "bankCd", code)?;
                ("vacctNo", "vacctValidDt", "vacctValidTm")
            }
            Method::Qris => ("qrContent", "paymentExpDt", "paymentExpTm"),
        };
        let told_expiry = words::moment(answer.text(date), answer.text(clock));
        let given = answer.text(given).ok_or(GARBAGE)?;
        let instructions = method.instructions(&given, told_expiry.unwrap_or(start.expires_at))?;
        Ok(Started { provider_ref, checkout_url: None, instructions: Some(instructions), expires_at: told_expiry })
    }

    async fn inquire(&self, payment: &Ongoing<'_>) -> Result<Found, Failure> {
        let method = Method::parse(payment.method)?;
        let transaction = transaction_of(payment.provider_ref);
        let answer = self.ask(transaction, payment.reference, payment.amount_minor, payment.now).await?;
        // An answer about another payment, or about none, must not move this one.
        if answer.text("tXid").as_deref() != Some(transaction)
            || answer.text("referenceNo").as_deref() != Some(payment.reference)
        {
            return Err(GARBAGE);
        }
        expect(&answer, "payMethod", method.pay_method())?;
        let amount = answer.text("amt").ok_or(GARBAGE)?;
        // One page of NICEPAY's spells the field with a capital.
        let canceled = answer.text("cancelAmt").or_else(|| answer.text("CancelAmt"));
        let canceled_minor = match canceled {
            Some(text) => Some(words::rupiah(&text).ok_or(GARBAGE)?),
            None => None,
        };
        Ok(Found {
            status: answer.text("status").ok_or(GARBAGE)?,
            amount_minor: words::rupiah(&amount).ok_or(GARBAGE)?,
            currency: answer.text("currency").unwrap_or_else(|| "IDR".to_owned()),
            canceled_minor: canceled_minor.filter(|amount| *amount > 0),
            was_paid: answer.text("paymentTrxSn").is_some(),
        })
    }

    async fn ask(&self, id: &str, reference: &str, amount: i64, now: Timestamp) -> Result<Fields, Failure> {
        let time = words::compact_time(now);
        let amount = amount.to_string();
        let token = self.token(&[&time, self.merchant.imid(), reference, &amount]);
        let body = json!({
            "timeStamp": time,
            "tXid": id,
            "iMid": self.merchant.imid(),
            "referenceNo": reference,
            "amt": amount,
            "merchantToken": token,
        });
        self.call(INQUIRY, &body).await
    }

    /// Asks what has become of a payment.
    pub async fn fetch(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        let method = Method::parse(payment.method)?;
        let found = self.inquire(payment).await?;
        observations(method, transaction_of(payment.provider_ref), &found)
    }

    /// Gives a payment up.
    pub async fn cancel(&self, payment: &Ongoing<'_>) -> Result<Vec<Observation>, Failure> {
        let method = Method::parse(payment.method)?;
        if method == Method::Qris {
            // The same call gives a paid one back, so it is made only for one that is not paid.
            let found = self.fetch(payment).await?;
            if found != [Observation::Pending] {
                return Ok(found);
            }
        }
        match self.give_back(payment, payment.amount_minor, "1", "Canceled before payment").await {
            Ok(_) => Ok(vec![Observation::Canceled { reason: "canceled at the merchant's request".to_owned() }]),
            // Paid already (9330), expired already or not to be canceled: what it is then, only asking tells.
            Err(Failure::Refused { .. }) => self.fetch(payment).await,
            Err(failure) => Err(failure),
        }
    }

    async fn give_back(&self, payment: &Ongoing<'_>, amount: i64, kind: &str, why: &str) -> Result<Fields, Failure> {
        let time = words::compact_time(payment.now);
        let transaction = transaction_of(payment.provider_ref);
        let amount_text = amount.to_string();
        let body = json!({
            "timeStamp": time,
            "tXid": transaction,
            "iMid": self.merchant.imid(),
            "payMethod": Method::parse(payment.method)?.pay_method(),
            "cancelType": kind,
            "cancelMsg": words::cut(why, 255),
            "merchantToken": self.token(&[&time, self.merchant.imid(), transaction, &amount_text]),
            "preauthToken": "",
            "amt": amount_text,
            "referenceNo": payment.reference,
            "cancelServerIp": "127.0.0.1",
            "cancelUserId": "switchyard",
            "cancelUserIp": "127.0.0.1",
            "cancelUserInfo": "",
            "cancelRetryCnt": "",
            "worker": "",
        });
        let answer = self.call(CANCEL, &body).await?;
        expect(&answer, "tXid", transaction)?;
        if answer.text("amt").is_some_and(|text| words::rupiah(&text) != Some(amount)) {
            return Err(GARBAGE);
        }
        Ok(answer)
    }

    /// Gives money back.
    pub async fn refund(&self, refund: &RefundOrder<'_>) -> Result<RefundAnswer, Failure> {
        let given_back = given_back_after(refund)?;
        let kind = if refund.amount_minor == refund.payment.amount_minor { "1" } else { assumed::CANCEL_PART };
        self.give_back(&refund.payment, refund.amount_minor, kind, refund.reason.unwrap_or("Refund")).await?;
        Ok(done(refund, given_back))
    }

    /// Asks whether a refund was made: there is no key to find it by, only how much has been given back in all.
    pub async fn fetch_refund(&self, refund: &RefundOrder<'_>) -> Result<Option<RefundAnswer>, Failure> {
        let given_back = given_back_after(refund)?;
        let found = self.inquire(&refund.payment).await?;
        match (found.status.as_str(), found.canceled_minor) {
            (_, Some(canceled)) => Ok((canceled >= given_back).then(|| done(refund, given_back))),
            ("2", None) if given_back == refund.payment.amount_minor => Ok(Some(done(refund, given_back))),
            // Something was given back, and how much is not said.
            ("2", None) => Err(GARBAGE),
            _ => Ok(None),
        }
    }

    /// Whether NICEPAY knows the account: it says so before it says that it has no such transaction.
    pub async fn check(&self, now: Timestamp) -> Result<(), Failure> {
        let time = words::compact_time(now);
        let body = json!({
            "timeStamp": time,
            "tXid": NO_TRANSACTION,
            "iMid": self.merchant.imid(),
            "referenceNo": "check",
            "amt": "1",
            "merchantToken": self.token(&[&time, self.merchant.imid(), "check", "1"]),
        });
        let answer = self.http.send(Request::post_json(self.merchant.url(INQUIRY), body.to_string())).await?;
        match code_of(&answer) {
            Some((code, _)) if !assumed::CREDENTIAL_CODES.contains(&code.as_str()) => Ok(()),
            _ => understood(&answer).map(|_| ()),
        }
    }

    /// Reads a notification: a form, or JSON as the newest samples expect it.
    pub fn read_webhook(&self, body: &[u8]) -> WebhookReading {
        let fields = match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
            Some(b'{') => Fields::parse(body),
            _ => Some(Fields(
                url::form_urlencoded::parse(body)
                    .map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
                    .collect::<Map<_, _>>(),
            )),
        };
        let Some(fields) = fields else { return WebhookReading::NotSigned };
        let (Some(token), Some(transaction), Some(amount)) =
            (fields.text("merchantToken"), fields.text("tXid"), fields.text("amt"))
        else {
            return WebhookReading::NotSigned;
        };
        let expected = self.token(&[self.merchant.imid(), &transaction, &amount]);
        if !equal_in_constant_time(&expected, &token.to_ascii_lowercase()) {
            return WebhookReading::NotSigned;
        }
        // The token covers neither the status nor the reference: whatever is told here is asked about.
        let status = fields.text("status").unwrap_or_default();
        WebhookReading::News(Box::new(News {
            event_id: words::cut(&format!("{transaction}-{status}"), 64),
            kind: match status.as_str() {
                "0" => "deposit".to_owned(),
                "1" => "reversal".to_owned(),
                other => words::cut(&format!("status {other}"), 32),
            },
            about: About { reference: fields.text("referenceNo"), provider_ref: Some(transaction), ..About::default() },
            must_confirm: true,
            ..News::default()
        }))
    }
}

/// How much of a payment is given back once this refund is done.
fn given_back_after(refund: &RefundOrder<'_>) -> Result<i64, Failure> {
    let total = refund.refunded_minor.checked_add(refund.amount_minor);
    total
        .filter(|total| refund.amount_minor > 0 && *total <= refund.payment.amount_minor)
        .ok_or_else(|| Failure::refused("more than was paid cannot be given back"))
}

fn done(refund: &RefundOrder<'_>, given_back: i64) -> RefundAnswer {
    let provider_ref = words::refund_ref(transaction_of(refund.payment.provider_ref), given_back);
    RefundAnswer { provider_ref, outcome: RefundOutcome::Succeeded }
}

/// What a status means, by NICEPAY's table for the method.
fn observations(method: Method, transaction: &str, found: &Found) -> Result<Vec<Observation>, Failure> {
    let paid = Observation::Paid {
        amount_minor: found.amount_minor,
        currency: found.currency.clone(),
        transaction: transaction.to_owned(),
    };
    let refunded = found.canceled_minor.map(|amount_minor| Observation::Refunded {
        refund: words::refund_ref(transaction, amount_minor),
        refund_id: None,
        amount_minor,
        currency: found.currency.clone(),
        outcome: RefundOutcome::Succeeded,
    });
    let canceled = |reason: &str| vec![Observation::Canceled { reason: reason.to_owned() }];
    Ok(match (method, found.status.as_str()) {
        (Method::VirtualAccount { .. }, "0") => vec![paid],
        (Method::VirtualAccount { .. }, "1") => vec![
            paid,
            Observation::Reversed {
                transaction: format!("{transaction}-reversal"),
                amount_minor: found.amount_minor,
                currency: found.currency.clone(),
                reason: "the bank took the transfer back".to_owned(),
            },
        ],
        (Method::VirtualAccount { .. }, "3") => vec![Observation::Pending],
        (Method::VirtualAccount { .. }, "4") => canceled("the virtual account expired or was canceled"),
        (Method::Qris, "0") => std::iter::once(paid).chain(refunded).collect(),
        // A code that was canceled before anyone paid may have this status too; the acquirer's number tells.
        (Method::Qris, "2") if found.was_paid => std::iter::once(paid).chain(refunded).collect(),
        (Method::Qris, "2") => canceled("canceled before payment"),
        (Method::Qris, "3" | "4") => vec![Observation::Pending],
        (Method::Qris, "5") => canceled("the code expired"),
        (Method::Qris, "6") => vec![Observation::Failed { reason: "the payment failed at the acquirer".to_owned() }],
        _ => return Err(GARBAGE),
    })
}

/// An answer may leave a field out, but must not contradict what was asked.
fn expect(answer: &Fields, name: &str, ours: &str) -> Result<(), Failure> {
    match answer.text(name) {
        Some(theirs) if theirs != ours => Err(GARBAGE),
        _ => Ok(()),
    }
}

fn code_of(answer: &Answer) -> Option<(String, Fields)> {
    let fields = Fields::parse(&answer.body)?;
    Some((fields.text("resultCd")?, fields))
}

/// The fields of an answer that says yes.
fn understood(answer: &Answer) -> Result<Fields, Failure> {
    let Some((code, fields)) = code_of(answer) else {
        let is_locked_out = matches!(answer.status, 401 | 403);
        return Err(if is_locked_out { words::wrong_credentials("") } else { GARBAGE });
    };
    match code.as_str() {
        "0000" if answer.is_success() => Ok(fields),
        "0000" => Err(GARBAGE),
        code if assumed::UNCERTAIN_CODES.contains(&code) => Err(Failure::Unknown { class: "provider_busy" }),
        code if assumed::CREDENTIAL_CODES.contains(&code) => Err(words::wrong_credentials(code)),
        code => Err(Failure::refused(format!("NICEPAY: {}{}", meaning(code), words::in_brackets(code)))),
    }
}

/// What a code means, in our words: NICEPAY's vary and may name the buyer.
fn meaning(code: &str) -> &'static str {
    match code {
        "9007" | "9008" => "the amount is missing or not whole",
        "9009" => "the reference was used before",
        "9012" | "9108" | "9121" => "the method is not activated for this merchant",
        "9013" | "9014" | "9015" | "9016" | "9017" | "9018" | "9019" | "9020" => "a required field is missing",
        "9024" | "9025" | "9026" | "9027" | "9028" => "a required field is missing",
        "9022" | "9023" => "the basket does not fit the amount",
        "9031" => "the date or time is wrong",
        "9207" | "9109" | "9507" => "the reference is too long",
        "9209" | "9509" | "9115" | "9124" => "the amount is too low",
        "9210" | "9211" => "the expiry is malformed",
        "9203" | "9205" | "8041" | "8042" | "8045" => "no virtual account could be given",
        "9228" => "the transaction is not known",
        "9237" => "the bank is not known",
        "9301" | "9312" | "9314" | "9318" => "it cannot be canceled",
        "9319" | "9320" | "9321" => "the amount is more than is left to give back",
        "9326" | "9331" | "9332" | "9333" => "this merchant may not give it back",
        "9330" => "it is paid already",
        "9334" => "it is over 90 days old",
        _ => "it was refused",
    }
}
