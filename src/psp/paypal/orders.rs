//! What an order is made of, and what its state means for a payment.

use serde_json::{Value, json};

use super::amounts;
use super::wire::{Capture, Money, Order, Problem, Refund, is_id};
use crate::domain::ids::RefundId;
use crate::domain::payments::{Observation, RefundOutcome};
use crate::psp::{Account, Failure, Start, Started};

/// The longest description that PayPal keeps.
const LONGEST_DESCRIPTION: usize = 127;

/// Issues of a capture after which the buyer can still pay: approve, choose other means, or wait.
const BUYER_MAY_RETRY: [&str; 4] =
    ["ORDER_NOT_APPROVED", "INSTRUMENT_DECLINED", "PAYER_ACTION_REQUIRED", "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"];

/// Assumed: issues of a capture after which this order will not be paid. PayPal lists them without saying so.
const DECLINED_FOR_GOOD: [&str; 11] = [
    "TRANSACTION_REFUSED",
    "PAYER_CANNOT_PAY",
    "PAYER_ACCOUNT_RESTRICTED",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED",
    "COMPLIANCE_VIOLATION",
    "PAYEE_BLOCKED_TRANSACTION",
    "TRANSACTION_BLOCKED_BY_PAYEE",
    "TRANSACTION_LIMIT_EXCEEDED",
    "TRANSACTION_RECEIVING_LIMIT_EXCEEDED",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED",
    "DOMESTIC_TRANSACTION_REQUIRED",
];

/// The body that makes an order.
///
/// # Errors
/// A refusal of an amount that PayPal cannot write.
pub(super) fn creation(start: &Start<'_>) -> Result<Value, Failure> {
    let value = amounts::to_value(start.amount_minor, start.currency)
        .ok_or_else(|| Failure::refused("PayPal cannot take this amount in this currency"))?;
    let mut unit = json!({
        "reference_id": "default",
        "amount": { "currency_code": start.currency.code(), "value": value },
        "custom_id": start.payment_id,
        "invoice_id": start.reference,
    });
    let description = start.description.unwrap_or_default().chars().filter(|letter| !letter.is_control());
    let description: String = description.take(LONGEST_DESCRIPTION).collect();
    if !description.trim().is_empty() {
        unit["description"] = description.into();
    }
    // A buyer who gives up comes back to the same page, without a payer's id; the page asks the gateway either way.
    Ok(json!({
        "intent": "CAPTURE",
        "purchase_units": [unit],
        "payment_source": { "paypal": { "experience_context": {
            "user_action": "PAY_NOW",
            "shipping_preference": "NO_SHIPPING",
            "payment_method_preference": super::PAYMENT_METHOD_PREFERENCE,
            "return_url": start.return_url,
            "cancel_url": start.return_url,
        }}},
    }))
}

/// What a made order is to the gateway. It is worth nothing without an id and a page for the buyer.
pub(super) fn started(order: Order, account: &Account) -> Option<Started> {
    let page = |rel: &str| order.links.iter().find(|link| link.rel == rel && is_buyers_page(&link.href, account));
    let checkout_url = page("payer-action").or_else(|| page("approve"))?.href.clone();
    is_id(&order.id).then_some(Started {
        provider_ref: order.id,
        checkout_url: Some(checkout_url),
        instructions: None,
        expires_at: None,
    })
}

/// A page of PayPal's own, or, where a simulator on this machine is called instead, any page on this machine.
fn is_buyers_page(href: &str, account: &Account) -> bool {
    let Ok(url) = url::Url::parse(href) else { return false };
    let is_theirs = url.scheme() == "https"
        && url.username().is_empty()
        && url.host_str().is_some_and(|host| host == "paypal.com" || host.ends_with(".paypal.com"));
    is_theirs || (super::signature::is_loopback(&account.base_url) && super::signature::is_loopback(href))
}

/// An order that PayPal has no more.
pub(super) fn expired() -> Observation {
    Observation::Canceled { reason: "the order expired at PayPal".to_owned() }
}

/// What a refused capture means; `None` for a refusal that says nothing of the payment.
pub(super) fn of_refused_capture(problem: &Problem) -> Option<Observation> {
    if problem.is_in_progress() || BUYER_MAY_RETRY.iter().any(|issue| problem.has(issue)) {
        return Some(Observation::Pending);
    }
    DECLINED_FOR_GOOD
        .iter()
        .find(|issue| problem.has(issue))
        .map(|issue| Observation::Failed { reason: (*issue).to_owned() })
}

impl Order {
    fn captures(&self) -> impl Iterator<Item = &Capture> {
        self.purchase_units.iter().flat_map(|unit| &unit.payments.captures)
    }

    /// Refunds of it.
    pub(super) fn refunds(&self) -> impl Iterator<Item = &Refund> {
        self.purchase_units.iter().flat_map(|unit| &unit.payments.refunds)
    }

    /// Whether the buyer approved it and nothing has been captured.
    pub(super) fn waits_for_capture(&self) -> bool {
        self.status == "APPROVED" && self.captures().next().is_none()
    }

    /// Whether the buyer has nothing more to do with it.
    pub(super) fn is_settled(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "VOIDED") || self.captures().next().is_some()
    }

    /// What it means as it stands. A completed order is not a paid one: its captures say what became of the money.
    ///
    /// # Errors
    /// [`Failure::Unknown`] if a capture cannot be read.
    pub(super) fn observations(&self) -> Result<Vec<Observation>, Failure> {
        let unreadable = Failure::Unknown { class: "garbage" };
        let mut seen = Vec::new();
        for capture in self.captures() {
            seen.push(of_capture(capture).ok_or_else(|| unreadable.clone())?);
        }
        // Where money came or may come, a capture that was declined before is no end.
        if seen.iter().any(|observation| !matches!(observation, Observation::Failed { .. })) {
            seen.retain(|observation| !matches!(observation, Observation::Failed { .. }));
        }
        for refund in self.refunds() {
            seen.push(of_refund(refund).ok_or_else(|| unreadable.clone())?);
        }
        if seen.is_empty() {
            seen.push(match self.status.as_str() {
                "VOIDED" => Observation::Canceled { reason: "VOIDED".to_owned() },
                _ => Observation::Pending,
            });
        }
        Ok(seen)
    }
}

/// What a capture means; `None` if it cannot be read.
pub(super) fn of_capture(capture: &Capture) -> Option<Observation> {
    match capture.status.as_str() {
        // One that was given back was paid before.
        "COMPLETED" | "PARTIALLY_REFUNDED" | "REFUNDED" => {
            let (amount_minor, currency) = capture.amount.read()?;
            let transaction = Some(capture.id.clone()).filter(|id| is_id(id))?;
            Some(Observation::Paid { amount_minor, currency, transaction })
        }
        "DECLINED" | "DENIED" | "FAILED" => {
            let reason = capture.status_details.reason.as_ref().unwrap_or(&capture.status);
            Some(Observation::Failed { reason: reason.clone() })
        }
        "" => None,
        _ => Some(Observation::Pending),
    }
}

/// What a refund means; `None` if it cannot be read.
pub(super) fn of_refund(refund: &Refund) -> Option<Observation> {
    let (amount_minor, currency) = refund.amount.as_ref().and_then(Money::read)?;
    Some(Observation::Refunded {
        refund: Some(refund.id.clone()).filter(|id| is_id(id))?,
        refund_id: refund.our_id(),
        amount_minor,
        currency,
        outcome: refund.outcome(),
    })
}

impl Refund {
    /// The refund id that it was made with, if it was made here. Elsewhere these fields hold something else.
    pub(super) fn our_id(&self) -> Option<String> {
        let ids = [&self.custom_id, &self.invoice_id];
        ids.into_iter().flatten().find(|id| RefundId::parse(id).is_some()).cloned()
    }

    /// How far it is.
    pub(super) fn outcome(&self) -> RefundOutcome {
        match self.status.as_str() {
            "COMPLETED" => RefundOutcome::Succeeded,
            "FAILED" | "CANCELLED" => {
                RefundOutcome::Failed(self.status_details.reason.as_ref().unwrap_or(&self.status).clone())
            }
            _ => RefundOutcome::Pending,
        }
    }
}
