//! Webhooks: whether PayPal sent one, and what it tells.

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::signature::{Signed, Trust, read_pem};
use super::wire::{self, Capture, Order, PurchaseUnit, Refund};
use super::{Paypal, orders};
use crate::domain::ids::PaymentId;
use crate::domain::mode::Mode;
use crate::domain::payments::Observation;
use crate::domain::time::Timestamp;
use crate::psp::http::Request;
use crate::psp::{About, Failure, News, WebhookReading};

/// The webhook id that mock events of PayPal's webhook simulator are signed for.
const MOCK_WEBHOOK: &str = "WEBHOOK_ID";

/// For whom a webhook was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sender {
    Stranger,
    Paypal,
    /// PayPal's webhook simulator: its events belong to no account, and their ids lead nowhere.
    Mock,
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(default)]
    id: String,
    #[serde(default)]
    event_type: String,
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
}

impl Paypal {
    /// Reads a webhook.
    ///
    /// # Errors
    /// When neither the certificate could be had nor PayPal be asked: PayPal has to send it again.
    pub(super) async fn read_event(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        now: Timestamp,
    ) -> Result<WebhookReading, Failure> {
        let Some(signed) = Signed::read(headers) else { return Ok(WebhookReading::NotSigned) };
        let sender = self.sender(&signed, body, now).await?;
        if sender == Sender::Stranger {
            return Ok(WebhookReading::NotSigned);
        }
        let Ok(event) = serde_json::from_slice::<Event<'_>>(body) else {
            return Ok(WebhookReading::Unreadable("the event is not the JSON that PayPal sends".to_owned()));
        };
        if event.id.is_empty() || event.event_type.is_empty() {
            return Ok(WebhookReading::Unreadable("the event has no id or no type".to_owned()));
        }
        if sender == Sender::Mock {
            let news = News { event_id: event.id, kind: format!("mock of {}", event.event_type), ..News::default() };
            return Ok(WebhookReading::News(Box::new(news)));
        }
        let resource = event.resource.map_or("{}", RawValue::get);
        Ok(match read_resource(&event.event_type, resource) {
            Some(news) => WebhookReading::News(Box::new(News { event_id: event.id, kind: event.event_type, ..news })),
            None => WebhookReading::Unreadable(format!("the resource of {} cannot be read", event.event_type)),
        })
    }

    async fn sender(&self, signed: &Signed<'_>, body: &[u8], now: Timestamp) -> Result<Sender, Failure> {
        if !self.verifier.may_fetch(signed.certificate) {
            return Ok(Sender::Stranger);
        }
        let certificates = match self.certificates(signed.certificate).await {
            Fetched::Read(certificates) => certificates,
            Fetched::NoSuch => return Ok(Sender::Stranger),
            // A signature that was found wrong is never asked about; this one could not be looked at.
            Fetched::NotNow => return self.ask_paypal(signed, body, now).await,
        };
        let webhook_id = self.account.credential("webhook_id");
        let takes_mock = self.account.mode == Mode::Sandbox && self.account.credential("mock_events") != "refuse";
        let sender = if !webhook_id.is_empty() && signed.is_made_by(&certificates[0], webhook_id, body) {
            Sender::Paypal
        } else if takes_mock && signed.is_made_by(&certificates[0], MOCK_WEBHOOK, body) {
            Sender::Mock
        } else {
            return Ok(Sender::Stranger);
        };
        match self.verifier.trust(&certificates, now) {
            Trust::Good => Ok(sender),
            Trust::Bad => {
                // It may have run out while it was kept.
                self.verifier.forget(signed.certificate);
                Ok(Sender::Stranger)
            }
            Trust::NoPath if sender == Sender::Paypal => self.ask_paypal(signed, body, now).await,
            Trust::NoPath => Ok(Sender::Stranger),
        }
    }

    async fn certificates(&self, address: &str) -> Fetched {
        if let Some(kept) = self.verifier.kept(address) {
            return Fetched::Read(kept);
        }
        match self.http.send_aside(Request::get(address.to_owned())).await {
            Ok(answer) if answer.is_success() => match read_pem(&answer.body) {
                Some(certificates) => {
                    self.verifier.keep(address, &certificates);
                    Fetched::Read(certificates)
                }
                None => Fetched::NotNow,
            },
            Ok(answer) if matches!(answer.status, 404 | 410) => Fetched::NoSuch,
            Ok(_) | Err(_) => Fetched::NotNow,
        }
    }

    /// Asks PayPal whether it signed this. The event goes back byte for byte, for PayPal checks the bytes.
    async fn ask_paypal(&self, signed: &Signed<'_>, body: &[u8], now: Timestamp) -> Result<Sender, Failure> {
        #[derive(serde::Serialize)]
        struct Question<'a> {
            auth_algo: &'a str,
            cert_url: &'a str,
            transmission_id: &'a str,
            transmission_sig: &'a str,
            transmission_time: &'a str,
            webhook_id: &'a str,
            webhook_event: &'a RawValue,
        }
        #[derive(Deserialize)]
        struct Verdict {
            verification_status: String,
        }
        let Ok(event) = serde_json::from_slice::<&RawValue>(body) else { return Ok(Sender::Stranger) };
        let question = serde_json::to_string(&Question {
            auth_algo: signed.algorithm,
            cert_url: signed.certificate,
            transmission_id: signed.id,
            transmission_sig: signed.signature,
            transmission_time: signed.time,
            webhook_id: self.account.credential("webhook_id"),
            webhook_event: event,
        });
        let Ok(question) = question else { return Ok(Sender::Stranger) };
        let address = self.url("/v1/notifications/verify-webhook-signature");
        let answer = self.call(now, || Request::post_json(address.clone(), question.clone())).await?;
        // A wrong signature is answered with success and FAILURE; anything else has not looked at it.
        if !answer.is_success() {
            return Err(Failure::Unknown { class: "unverified" });
        }
        let verdict: Verdict = answer.json()?;
        match verdict.verification_status.as_str() {
            "SUCCESS" => Ok(Sender::Paypal),
            "FAILURE" => Ok(Sender::Stranger),
            _ => Err(Failure::Unknown { class: "unverified" }),
        }
    }
}

/// What came of fetching a certificate.
enum Fetched {
    Read(Arc<[CertificateDer<'static>]>),
    /// PayPal says that there is none.
    NoSuch,
    /// It could not be had.
    NotNow,
}

/// What an event tells; `None` if its resource cannot be read.
fn read_resource(kind: &str, resource: &str) -> Option<News> {
    match kind {
        "CHECKOUT.ORDER.APPROVED" | "CHECKOUT.ORDER.COMPLETED" => {
            // The order may be newer than the event, and an approved one is waiting to be captured: it is read anew.
            let order: Order = serde_json::from_str(resource).ok()?;
            let id = Some(order.id).filter(|id| wire::is_id(id))?;
            let about = About { provider_ref: Some(id), ..about_units(&order.purchase_units) };
            Some(News { about, must_confirm: true, ..News::default() })
        }
        "CHECKOUT.PAYMENT-APPROVAL.REVERSED" => {
            let undone: UndoneApproval = serde_json::from_str(resource).ok()?;
            let about = About { provider_ref: undone.order_id, ..about_units(&undone.purchase_units) };
            let canceled = Observation::Canceled { reason: "the approval was undone at PayPal".to_owned() };
            Some(News { about, observations: vec![canceled], ..News::default() })
        }
        "PAYMENT.CAPTURE.COMPLETED"
        | "PAYMENT.CAPTURE.PENDING"
        | "PAYMENT.CAPTURE.DENIED"
        | "PAYMENT.CAPTURE.DECLINED" => {
            let capture: Capture = serde_json::from_str(resource).ok()?;
            let observation = orders::of_capture(&capture)?;
            let order_id = capture.supplementary_data.related_ids.order_id;
            let order_above = wire::id_above(&capture.links, "/checkout/orders/");
            let about = About {
                provider_ref: order_id.or_else(|| order_above.map(str::to_owned)),
                payment_id: capture.custom_id,
                reference: capture.invoice_id,
                transaction: Some(capture.id).filter(|id| wire::is_id(id)),
                subscription_ref: None,
            };
            Some(News { about, observations: vec![observation], ..News::default() })
        }
        "PAYMENT.CAPTURE.REFUNDED" | "PAYMENT.REFUND.PENDING" | "PAYMENT.REFUND.FAILED" => {
            let refund: Refund = serde_json::from_str(resource).ok()?;
            let observations = vec![orders::of_refund(&refund)?];
            Some(News { about: about_refund(&refund), observations, ..News::default() })
        }
        "PAYMENT.CAPTURE.REVERSED" => {
            let reversal: Refund = serde_json::from_str(resource).ok()?;
            let mut amount = reversal.amount.clone()?;
            // Whether the sum that was taken back has a sign was not found.
            amount.value = amount.value.trim_start_matches('-').to_owned();
            let (amount_minor, currency) = amount.read()?;
            let transaction = Some(reversal.id.clone()).filter(|id| wire::is_id(id))?;
            let reason = reversal.status_details.reason.clone().unwrap_or_else(|| "reversed".to_owned());
            let observations = vec![Observation::Reversed { transaction, amount_minor, currency, reason }];
            Some(News { about: about_refund(&reversal), observations, ..News::default() })
        }
        _ if kind.starts_with("CUSTOMER.DISPUTE.") => {
            // A dispute moves no money by itself; what it comes to is told by a reversal or a refund.
            let dispute: Dispute = serde_json::from_str(resource).ok()?;
            let transaction = dispute.disputed_transactions.into_iter().find_map(|found| found.seller_transaction_id);
            Some(News { about: About { transaction, ..About::default() }, ..News::default() })
        }
        // Subscriptions, payouts and whatever else the registered webhook is told: not this gateway's.
        _ => Some(News::default()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct UndoneApproval {
    order_id: Option<String>,
    purchase_units: Vec<PurchaseUnit>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Dispute {
    disputed_transactions: Vec<DisputedTransaction>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct DisputedTransaction {
    seller_transaction_id: Option<String>,
}

fn about_units(units: &[PurchaseUnit]) -> About {
    let unit = units.first();
    About {
        payment_id: unit.and_then(|unit| unit.custom_id.clone()),
        reference: unit.and_then(|unit| unit.invoice_id.clone()),
        ..About::default()
    }
}

/// A refund of our own names itself, one from the dashboard what its maker typed or its capture's ids. What is no
/// payment of ours by its form is not said to be one.
fn about_refund(refund: &Refund) -> About {
    About {
        payment_id: refund.custom_id.clone().filter(|id| PaymentId::parse(id).is_some()),
        transaction: wire::id_above(&refund.links, "/payments/captures/").map(str::to_owned),
        ..About::default()
    }
}
