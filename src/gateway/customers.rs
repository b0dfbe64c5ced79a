//! The buyers of an app: read, and what the product has found out of them. Whoever may pay only so much until it is known
//! who he is, is refused here, before anything is written or a provider is called.

use std::sync::Arc;

use serde_json::json;

use super::audit::{self, Deed};
use super::idempotency::Fresh;
use super::views::{CustomerObject, PageObject, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::customers::KycStatus;
use crate::domain::fields::text_fault;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::error::{Code, Fault, Outcome};
use crate::store::customers;

impl Gateway {
    /// A buyer of an app, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn customer(&self, app: &App, external_user_id: &str) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let not_found = || Fault::new(Code::CustomerNotFound, "customer not found");
        if text_fault(external_user_id, 1, 128).is_some() {
            return Err(not_found());
        }
        let wanted = external_user_id.to_owned();
        let found = self.read(move |conn| customers::find(conn, &app_id, &wanted)).await?;
        let customer = found.ok_or_else(not_found)?;
        Ok(render(&CustomerObject::new(customer, app.mode)))
    }

    /// A page of an app's buyers in the order of their ids, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_customers(&self, app: &App, cursor: Option<String>, limit: usize) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let page = self.read(move |conn| customers::list(conn, &app_id, cursor.as_deref(), limit)).await?;
        let data = page.items.into_iter().map(|customer| CustomerObject::new(customer, app.mode)).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }

    /// Sets what the product has found out of a buyer, who need not have paid before. In `test` nobody looks into it:
    /// what is pending there is approved at once.
    ///
    /// # Errors
    /// 400 for an id that no buyer can have.
    pub async fn set_kyc_status(
        &self,
        app: &Arc<App>,
        once: Once,
        external_user_id: &str,
        status: KycStatus,
    ) -> Outcome<Answer> {
        if let Some(reason) = text_fault(external_user_id, 1, 128) {
            return Err(Fault::invalid("external_user_id", &reason));
        }
        let status = match (app.mode, status) {
            (Mode::Test, KycStatus::Pending) => KycStatus::Approved,
            (_, status) => status,
        };
        let (app, external_user_id) = (Arc::clone(app), external_user_id.to_owned());
        let lane = format!("{}{external_user_id}", app.app_id);
        self.once(once, &lane, move |conn, now| {
            let (former, customer) = customers::set_kyc_status(conn, &app.app_id, &external_user_id, status, now)?;
            if former != status {
                let told = |status: KycStatus| Some(json!({ "appId": app.app_id, "kycStatus": status.as_str() }));
                let subject = Some(external_user_id.as_str());
                let deed = Deed { action: "customer.kyc_changed", subject, before: told(former), after: told(status) };
                audit::record_by_app(conn, &app, deed, now)?;
            }
            let body = render(&CustomerObject::new(customer, app.mode));
            Ok(Ok(Fresh { status: 200, body, payment_id: None }))
        })
        .await
    }

    /// Refuses a new payment of a buyer who may not pay so much before he is approved. A request that was answered before
    /// is not new.
    ///
    /// # Errors
    /// 403 naming the buyer, the limit and the cure.
    pub(super) async fn check_buyer(
        &self,
        app: &App,
        once: &Once,
        external_user_id: &str,
        amount_minor: i64,
        currency: Currency,
    ) -> Outcome<()> {
        let Some(limit) = app.kyc_above.exceeded_by(amount_minor, currency) else { return Ok(()) };
        let (app_id, wanted) = (app.app_id.clone(), external_user_id.to_owned());
        let found = self.read(move |conn| customers::find(conn, &app_id, &wanted)).await?;
        let status = found.map_or(KycStatus::None, |customer| customer.kyc_status);
        if status == KycStatus::Approved {
            return Ok(());
        }
        let detail = format!(
            "the buyer {external_user_id} is {} and must be approved to pay more than {limit} {} (minor units): \
             POST /v1/customers/{external_user_id}/kyc with {{\"status\":\"approved\"}}, once it is known who it is",
            status.as_str(),
            currency.code()
        );
        self.refuse_if_new(once, Fault::new(Code::BuyerKycRequired, detail)).await
    }
}
