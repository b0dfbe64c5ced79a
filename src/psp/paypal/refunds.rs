//! Giving money back, and finding a refund whose answer was lost.
//!
//! A refund has our refund id three times: as request id, which PayPal keeps for hours or weeks; as `invoice_id`, which
//! no second refund may have, ever; and as `custom_id`, by which it is found in the order.

use serde_json::json;

use super::wire::{self, Problem, Refund};
use super::{ORDER_IS_GONE, Paypal, amounts};
use crate::psp::{Failure, RefundAnswer, RefundOrder};

/// Refusals that an earlier call for the same refund may have caused.
const PERHAPS_DONE_BEFORE: [&str; 3] = ["DUPLICATE_INVOICE_ID", "CAPTURE_FULLY_REFUNDED", "REFUND_AMOUNT_EXCEEDED"];

impl Paypal {
    /// Gives money back.
    ///
    /// # Errors
    /// As [`crate::psp::Psp::refund`].
    pub(super) async fn give_back(&self, refund: &RefundOrder<'_>) -> Result<RefundAnswer, Failure> {
        let currency = refund.payment.currency;
        let value = amounts::to_value(refund.amount_minor, currency)
            .ok_or_else(|| Failure::refused("PayPal cannot give back this amount in this currency"))?;
        // The reason is for the product's people; PayPal would show a note to the buyer.
        let body = json!({
            "amount": { "currency_code": currency.code(), "value": value },
            "custom_id": refund.refund_id,
            "invoice_id": refund.refund_id,
        });
        let path = format!("/v2/payments/captures/{}/refund", wire::id_in_path(refund.transaction)?);
        let answer = self.post(refund.payment.now, &path, refund.refund_id.as_str(), &body).await?;
        if answer.is_success() {
            return answered(&answer.json()?).ok_or(Failure::Unknown { class: "garbage" });
        }
        let problem = Problem::read(&answer)?;
        if problem.is_in_progress() {
            return Err(Failure::Unknown { class: "unconfirmed" });
        }
        if !PERHAPS_DONE_BEFORE.iter().any(|issue| problem.has(issue)) {
            return Err(problem.refusal());
        }
        match self.find_refund(refund).await {
            Ok(Some(found)) => Ok(found),
            // The invoice id says that a refund of this id exists, although it was not found.
            Ok(None) if problem.has("DUPLICATE_INVOICE_ID") => Err(Failure::Unknown { class: "unconfirmed" }),
            Ok(None) => Err(problem.refusal()),
            Err(_) => Err(Failure::Unknown { class: "unconfirmed" }),
        }
    }

    /// Asks what has become of a refund.
    ///
    /// # Errors
    /// As [`crate::psp::Psp::fetch_refund`].
    pub(super) async fn read_refund(
        &self,
        refund: &RefundOrder<'_>,
        provider_ref: Option<&str>,
    ) -> Result<Option<RefundAnswer>, Failure> {
        let Some(id) = provider_ref else { return self.find_refund(refund).await };
        let answer = self.get(refund.payment.now, &format!("/v2/payments/refunds/{}", wire::id_in_path(id)?)).await?;
        if answer.is_success() {
            return answered(&answer.json()?).map(Some).ok_or(Failure::Unknown { class: "garbage" });
        }
        let problem = Problem::read(&answer)?;
        if problem.name == ORDER_IS_GONE { Ok(None) } else { Err(problem.refusal()) }
    }

    /// Looks for a refund among those of the order. Where it is not found, the same call again is safe.
    async fn find_refund(&self, refund: &RefundOrder<'_>) -> Result<Option<RefundAnswer>, Failure> {
        let Some(order) = self.read_order(&refund.payment).await? else {
            return self.none_of_capture(refund).await;
        };
        let is_ours = |found: &&Refund| {
            found.our_id().as_deref() == Some(refund.refund_id.as_str()) && !refund.other_refs.contains(&found.id)
        };
        match order.refunds().find(is_ours) {
            Some(found) => answered(found).map(Some).ok_or(Failure::Unknown { class: "garbage" }),
            None => Ok(None),
        }
    }

    /// An order may be unreadable by the time that its money is given back. Its capture tells whether anything was.
    async fn none_of_capture(&self, refund: &RefundOrder<'_>) -> Result<Option<RefundAnswer>, Failure> {
        let path = format!("/v2/payments/captures/{}", wire::id_in_path(refund.transaction)?);
        let answer = self.get(refund.payment.now, &path).await?;
        if !answer.is_success() {
            return Err(Problem::read(&answer)?.refusal());
        }
        let capture: wire::Capture = answer.json()?;
        if capture.status == "COMPLETED" { Ok(None) } else { Err(Failure::Unknown { class: "unconfirmed" }) }
    }
}

fn answered(refund: &Refund) -> Option<RefundAnswer> {
    (wire::is_id(&refund.id) && !refund.status.is_empty())
        .then(|| RefundAnswer { provider_ref: refund.id.clone(), outcome: refund.outcome() })
}
