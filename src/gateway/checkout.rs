//! The payments whose buyers come to a page of ours first: to be told how to pay, or to be sent on to the provider's.

use super::Gateway;
use super::payments::payment_not_found;
use crate::domain::ids::PaymentId;
use crate::error::Outcome;
use crate::psp::mock;
use crate::store::payments::{self, Payment};

impl Gateway {
    /// The payment of a buyer who wants to pay at a provider.
    ///
    /// # Errors
    /// 404, also for a payment at the mock.
    pub async fn checkout_payment(&self, payment_id: &str) -> Outcome<Payment> {
        let payment_id = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let found = self.read(move |conn| payments::find_any(conn, &payment_id)).await?;
        found.filter(|payment| payment.provider != mock::DRIVER.name).ok_or_else(payment_not_found)
    }

    /// The payment behind a page of ours that tells the buyer how to pay.
    ///
    /// # Errors
    /// 404, also for a payment at the mock, and for one that the buyer makes at the provider's own page.
    pub async fn instructed_payment(&self, payment_id: &str) -> Outcome<Payment> {
        let payment = self.checkout_payment(payment_id).await?;
        if payment.instructions.is_some() { Ok(payment) } else { Err(payment_not_found()) }
    }
}
