//! What a person does with payments, subscriptions and events, by the same verbs as a product: once for each form, and
//! with an entry in the audit log. Who only looks is turned away.

use std::sync::Arc;

use serde_json::{Value, json};

use super::payments::payment_not_found;
use super::{Answer, App, Gateway, Once, Scope};
use crate::domain::accounts::Role;
use crate::domain::ids::{AppId, EventId, PaymentId, SubscriptionId};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::{events, payments, subscriptions};

impl Gateway {
    /// The app that a thing belongs to, if that is the tenant's and of the mode.
    async fn owner_of(
        self: &Arc<Self>,
        scope: &Scope,
        app_id: Option<AppId>,
        not_found: fn() -> Fault,
    ) -> Outcome<Arc<App>> {
        let app_id = app_id.ok_or_else(not_found)?;
        self.app_in(scope, &app_id).await?.ok_or_else(not_found)
    }

    async fn app_of_payment(self: &Arc<Self>, scope: &Scope, payment_id: &str) -> Outcome<Arc<App>> {
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let found = self.read(move |conn| payments::find_any(conn, &wanted)).await?;
        self.owner_of(scope, found.map(|payment| payment.app_id), payment_not_found).await
    }

    /// Refunds a payment, in part, or in full where no amount is given. `amount_minor` is in minor units.
    ///
    /// # Errors
    /// 403 for who only looks; 404; else as [`Gateway::create_refund`].
    pub async fn refund_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        payment_id: &str,
        amount_minor: Option<i64>,
        reason: Option<String>,
    ) -> Outcome<Answer> {
        scope.require_scope("refunds:write")?;
        let app = self.app_of_payment(scope, payment_id).await?;
        let mut body = json!({ "payment_id": payment_id });
        if let Some(amount_minor) = amount_minor {
            body["amount_minor"] = Value::from(amount_minor);
        }
        if let Some(reason) = reason {
            body["reason"] = Value::from(reason);
        }
        let text = body.to_string();
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "refund.requested", payment_id, body);
        done(self.create_refund(&app, once, text.as_bytes()).await?)
    }

    /// Cancels a payment.
    ///
    /// # Errors
    /// 403 for who only looks; 404; else as [`Gateway::cancel_payment`].
    pub async fn cancel_payment_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        payment_id: &str,
    ) -> Outcome<Answer> {
        scope.require_scope("payments:write")?;
        let app = self.app_of_payment(scope, payment_id).await?;
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "payment.canceled", payment_id, json!({}));
        done(self.cancel_payment(&app, once, payment_id).await?)
    }

    /// Ends a subscription, now or with what is paid for.
    ///
    /// # Errors
    /// 403 for who only looks; 404; else as [`Gateway::cancel_subscription`].
    pub async fn cancel_subscription_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        subscription_id: &str,
        at_period_end: bool,
    ) -> Outcome<Answer> {
        scope.require_scope("subscriptions:write")?;
        let not_found = || Fault::new(Code::SubscriptionNotFound, "subscription not found");
        let wanted = SubscriptionId::parse(subscription_id).ok_or_else(not_found)?;
        let found = self.read(move |conn| subscriptions::find_any(conn, &wanted)).await?;
        let app = self.owner_of(scope, found.map(|row| row.app_id), not_found).await?;
        let after = json!({ "at_period_end": at_period_end });
        let now = self.clock.now();
        let once = Once::by_hand(&app, scope, now, nonce, "subscription.canceled", subscription_id, after);
        done(self.cancel_subscription(&app, once, subscription_id, at_period_end).await?)
    }

    /// Sends one event again.
    ///
    /// # Errors
    /// 403 for who only looks; 404.
    pub async fn resend_event_by_hand(self: &Arc<Self>, scope: &Scope, nonce: &str, event_id: &str) -> Outcome<Answer> {
        scope.require_scope("events:write")?;
        let not_found = || Fault::new(Code::EventNotFound, "event not found");
        let wanted = EventId::parse(event_id).ok_or_else(not_found)?;
        let found = self.read(move |conn| events::find_any(conn, &wanted)).await?;
        let app = self.owner_of(scope, found.and_then(|row| row.app_id), not_found).await?;
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "event.redelivered", event_id, json!({}));
        done(self.redeliver_event(&app, once, event_id).await?)
    }

    /// Sends again everything of an app that was given up since a moment.
    ///
    /// # Errors
    /// 403 for who only looks; 404.
    pub async fn resend_since_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        app_id: &str,
        since: Timestamp,
    ) -> Outcome<Answer> {
        scope.require_role(Role::Developer)?;
        let app = self.owner_of(scope, AppId::parse(app_id), || Fault::new(Code::NotFound, "app not found")).await?;
        let after = json!({ "since": since });
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "events.redelivered", app_id, after);
        done(self.redeliver_since(&app, once, since).await?)
    }
}

/// An answer that was kept may be a refusal.
pub(super) fn done(answer: Answer) -> Outcome<Answer> {
    if answer.status < 400 {
        return Ok(answer);
    }
    let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
    let code = if answer.status == 422 { Code::RefundNotSupported } else { Code::ProviderError };
    Err(Fault::new(code, told["detail"].as_str().unwrap_or("it was refused").to_owned()))
}
