//! The page of a payment that its buyer makes by instructions, without a page of the provider's.

use super::Gateway;
use super::payments::payment_not_found;
use crate::domain::ids::PaymentId;
use crate::error::Outcome;
use crate::psp::mock;
use crate::store::payments::{self, Payment};

impl Gateway {
    /// The payment behind a page of ours that tells the buyer how to pay.
    ///
    /// # Errors
    /// 404, also for a payment at the mock, and for one that the buyer makes at the provider's own page.
    pub async fn checkout_payment(&self, payment_id: &str) -> Outcome<Payment> {
        let payment_id = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let found = self.read(move |conn| payments::find_any(conn, &payment_id)).await?;
        let has_page = |payment: &Payment| payment.provider != mock::DRIVER.name && payment.instructions.is_some();
        found.filter(has_page).ok_or_else(payment_not_found)
    }
}
