//! A payment that is given up: its provider is asked first, and what it says of money counts.

use super::idempotency::Fresh;
use super::payments::payment_not_found;
use super::rails::unavailable;
use super::starting::CALL_LEASE;
use super::views::{PaymentObject, render};
use super::{Answer, App, Gateway, Once, settle};
use crate::domain::ids::PaymentId;
use crate::domain::payments::{AttemptState, Observation, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::mock;
use crate::store::payments::{self, Payment};
use crate::store::{Conn, StoreResult};

impl Gateway {
    /// Cancels a payment, unless its provider says that it is paid.
    ///
    /// # Errors
    /// 404; 422 when it has ended otherwise; 503 when its provider cannot be asked, and nothing has changed.
    pub async fn cancel_payment(&self, app: &App, once: Once, payment_id: &str) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let public_url = self.settings.public_url.clone();
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let told = self.give_up_at_provider(app, &wanted).await?;
        let answer = self
            .once(once, payment_id, move |conn, now| {
                let payment = payments::lock(conn, &wanted)?.filter(|payment| payment.app_id == app_id);
                let Some(mut payment) = payment else { return Ok(Err(payment_not_found())) };
                give_up(conn, &mut payment, told.as_deref(), now)?;
                if payment.status != PaymentStatus::Canceled {
                    let detail = format!("payment cannot be canceled (it is '{}')", payment.status.as_str());
                    return Ok(Err(Fault::new(Code::NotCancelable, detail)));
                }
                let body = render(&PaymentObject::new(&payment, &public_url));
                Ok(Ok(Fresh { status: 200, body, payment_id: Some(payment.payment_id.to_string()) }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// Tells a payment's provider that it is given up, and hears what has become of it; `None` for the mock, which is
    /// told in the transaction that cancels.
    pub(super) async fn give_up_at_provider(
        &self,
        app: &App,
        payment_id: &PaymentId,
    ) -> Outcome<Option<Vec<Observation>>> {
        let (app_id, wanted) = (app.app_id.clone(), payment_id.clone());
        let found = self
            .read(move |conn| {
                let Some(payment) = payments::find(conn, &app_id, &wanted)? else { return Ok(None) };
                let attempts = payments::attempts_of(conn, &wanted)?;
                Ok(Some((payment, attempts)))
            })
            .await?;
        let (payment, attempts) = found.ok_or_else(payment_not_found)?;
        let Some(last) = attempts.last() else { return Ok(None) };
        if payment.provider == mock::DRIVER.name || payment.status != PaymentStatus::Initiated {
            return Ok(None);
        }
        match last.state {
            // Nothing ever reached the provider.
            AttemptState::Refused => Ok(Some(Vec::new())),
            AttemptState::Prepared | AttemptState::Unknown => Err(Fault::retry_after(
                Code::ProviderUnavailable,
                "the payment's outcome is unknown and is being looked up; cancel it when it is known",
                CALL_LEASE,
            )),
            AttemptState::Started => {
                let rail = self.rail_of(last)?;
                match self.cancel_or_look(&rail, &payment, last).await {
                    Ok(observations) => Ok(Some(observations)),
                    Err(failure) => {
                        let detail = "the provider could not be asked whether the payment is paid; nothing has changed";
                        Err(Fault { detail: detail.to_owned(), ..unavailable(&failure) })
                    }
                }
            }
        }
    }
}

/// Gives up a payment that is locked, unless what its provider told means otherwise. Nothing was told by the mock, which
/// is told here.
pub(super) fn give_up(
    conn: &mut Conn,
    payment: &mut Payment,
    told: Option<&[Observation]>,
    now: Timestamp,
) -> StoreResult<()> {
    if payment.status != PaymentStatus::Initiated {
        return Ok(());
    }
    let last = match told {
        Some(observations) => {
            settle::settle_all(conn, payment, observations, now)?;
            Observation::Canceled { reason: "canceled by the product".to_owned() }
        }
        None => super::mock::cancel_at_mock(conn, payment, now)?,
    };
    settle::settle(conn, payment, &last, now).map(drop)
}
