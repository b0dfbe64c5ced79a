//! Subscriptions: they live at the provider. Here is what it said last, told to the product as it changes.

use serde_json::json;

use super::idempotency::{Fresh, replay};
use super::payments::payment_not_found;
use super::rails::unavailable;
use super::views::{PageObject, SubscriptionObject, raw, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::ids::{AccountId, EventId, SubscriptionId};
use crate::domain::subscriptions::{SubscriptionNews, SubscriptionStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::Failure;
use crate::store::events::{self, Event};
use crate::store::payments::{self, Payment};
use crate::store::requests::{self, Claimed};
use crate::store::subscriptions::{self, RenewalRow, Subscription};
use crate::store::{Conn, Lane, StoreResult};

impl Gateway {
    /// An app's subscription, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn subscription(&self, app: &App, subscription_id: &str) -> Outcome<String> {
        Ok(render(&SubscriptionObject::from(self.find_subscription(app, subscription_id).await?)))
    }

    /// A page of an app's subscriptions, newest first, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_subscriptions(
        &self,
        app: &App,
        external_user_id: Option<String>,
        status: Option<SubscriptionStatus>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let page = self
            .read(move |conn| {
                subscriptions::list(conn, &app_id, external_user_id.as_deref(), status, cursor.as_deref(), limit)
            })
            .await?;
        let data = page.items.into_iter().map(SubscriptionObject::from).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }

    /// Ends a subscription at its provider, now or with what is paid for.
    ///
    /// # Errors
    /// 404; 422 when it has ended; 502 and 503 of the provider.
    pub async fn cancel_subscription(
        &self,
        app: &App,
        once: Once,
        subscription_id: &str,
        at_period_end: bool,
    ) -> Outcome<Answer> {
        let subscription = self.find_subscription(app, subscription_id).await?;
        // One that was answered before is not asked of the provider again: much may have changed there meanwhile.
        let (claim, now) = (once.claim.clone(), self.clock.now());
        match self.write(Lane::Any, move |conn| requests::look_up(conn, &claim, now)).await? {
            Claimed::New => {}
            seen => return replay(seen),
        }
        let is_done =
            |row: &Subscription| row.status == SubscriptionStatus::Ended || (at_period_end && row.cancel_at_period_end);
        let payment_id = subscription.payment_id.clone();
        let news = if is_done(&subscription) {
            None
        } else {
            let of_payment = payment_id.clone();
            let attempts = self.read(move |conn| payments::attempts_of(conn, &of_payment)).await?;
            let attempt = attempts.last().ok_or_else(payment_not_found)?;
            let rail = self.rail_of(attempt)?;
            let called =
                rail.psp.cancel_subscription(&subscription.provider_ref, at_period_end, self.clock.now()).await;
            Some(called.map_err(|failure| match failure {
                Failure::Refused { reason } => Fault::new(Code::ProviderError, reason),
                Failure::Unsupported { instead } => Fault::new(Code::NotCancelable, instead),
                failure => Fault {
                    detail: "the provider did not answer; ask again, which is safe".to_owned(),
                    ..unavailable(&failure)
                },
            })?)
        };
        let (app_id, wanted) = (app.app_id.clone(), subscription.subscription_id.clone());
        let account_id = subscription.account_id.clone();
        let answer = self
            .once(once, payment_id.clone().as_str(), move |conn, now| {
                if let Some(news) = &news {
                    let Some(payment) = payments::lock(conn, &payment_id)? else { return Ok(Err(payment_not_found())) };
                    observe(conn, &payment, account_id.as_ref(), news, now)?;
                }
                let Some(row) = subscriptions::find(conn, &app_id, &wanted)? else { return Ok(Err(not_found())) };
                let body = render(&SubscriptionObject::from(row));
                Ok(Ok(Fresh { status: 200, body, payment_id: Some(payment_id.to_string()) }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    async fn find_subscription(&self, app: &App, subscription_id: &str) -> Outcome<Subscription> {
        let app_id = app.app_id.clone();
        let wanted = SubscriptionId::parse(subscription_id).ok_or_else(not_found)?;
        self.read(move |conn| subscriptions::find(conn, &app_id, &wanted)).await?.ok_or_else(not_found)
    }
}

fn not_found() -> Fault {
    Fault::new(Code::SubscriptionNotFound, "subscription not found")
}

/// Takes in what a provider says of a subscription that began as this payment, and tells the product what is new.
///
/// A message carries the whole state and the provider's moment of it, so they may come in any order: an older one
/// changes nothing but what it alone knows, a renewal.
pub(super) fn observe(
    conn: &mut Conn,
    payment: &Payment,
    account_id: Option<&AccountId>,
    news: &SubscriptionNews,
    now: Timestamp,
) -> StoreResult<()> {
    let mut tell: Vec<&'static str> = Vec::new();
    let known = subscriptions::by_provider_ref(conn, &payment.provider, payment.mode, &news.provider_ref)?;
    let mut subscription = match known {
        Some(subscription) => subscription,
        None => {
            let subscription = Subscription {
                subscription_id: SubscriptionId::generate(now),
                app_id: payment.app_id.clone(),
                payment_id: payment.payment_id.clone(),
                mode: payment.mode,
                provider: payment.provider.clone(),
                account_id: account_id.cloned(),
                provider_ref: news.provider_ref.clone(),
                external_user_id: payment.external_user_id.clone(),
                status: SubscriptionStatus::Incomplete,
                current_period_end: None,
                cancel_at_period_end: false,
                changed_at: Timestamp::from_unix_micros(0),
                created_at: now,
                updated_at: now,
            };
            subscriptions::insert(conn, &subscription)?;
            tell.push("subscription.created");
            subscription
        }
    };
    // A subscription stays with the payment that it began as.
    if subscription.payment_id != payment.payment_id {
        return Ok(());
    }
    let is_newer = news.changed_at >= subscription.changed_at && subscription.status != SubscriptionStatus::Ended;
    if is_newer {
        if news.status != subscription.status {
            match news.status {
                SubscriptionStatus::Active => tell.push("subscription.active"),
                SubscriptionStatus::PastDue => tell.push("subscription.past_due"),
                SubscriptionStatus::Incomplete | SubscriptionStatus::Ended => {}
            }
        }
        if news.cancel_at_period_end && !subscription.cancel_at_period_end {
            tell.push("subscription.canceled");
        }
        if news.status == SubscriptionStatus::Ended {
            tell.push("subscription.ended");
        }
        subscription.status = news.status;
        subscription.cancel_at_period_end = news.cancel_at_period_end;
        subscription.current_period_end = news.current_period_end.or(subscription.current_period_end);
        subscription.changed_at = news.changed_at;
    }
    let mut renewed = None;
    if let Some(renewal) = &news.renewal {
        let row = RenewalRow {
            subscription_id: subscription.subscription_id.clone(),
            provider_transaction: renewal.transaction.clone(),
            amount_minor: renewal.amount_minor,
            currency: renewal.currency.clone(),
            created_at: now,
        };
        if subscriptions::insert_renewal(conn, &row)? {
            renewed = Some(row);
            tell.push("subscription.renewed");
        }
    }
    for event_type in tell {
        subscription.updated_at = now.strictly_after(subscription.updated_at);
        let renewal = renewed.as_ref().filter(|_| event_type == "subscription.renewed");
        announce(conn, payment, &subscription, event_type, renewal, now)?;
    }
    subscriptions::save(conn, &subscription)
}

fn announce(
    conn: &mut Conn,
    payment: &Payment,
    subscription: &Subscription,
    event_type: &str,
    renewal: Option<&RenewalRow>,
    now: Timestamp,
) -> StoreResult<()> {
    let at = subscription.updated_at;
    let event_id = EventId::generate(at);
    let body = json!({
        "event": event_type,
        "event_id": event_id,
        "mode": payment.mode,
        "payment_id": payment.payment_id,
        "subscription_id": subscription.subscription_id,
        "status": subscription.status.as_str(),
        "amount": renewal.map_or(payment.amount_minor, |renewal| renewal.amount_minor),
        "currency": renewal.map_or(payment.currency.code(), |renewal| renewal.currency.as_str()),
        "method": payment.method,
        "provider": payment.provider,
        "provider_ref": renewal.map_or(subscription.provider_ref.as_str(), |renewal| &renewal.provider_transaction),
        "invoice_number": payment.invoice_number,
        "external_user_id": payment.external_user_id,
        "fallback": null,
        "timestamp": at,
        "current_period_end": subscription.current_period_end,
        "cancel_at_period_end": subscription.cancel_at_period_end,
        "metadata": raw(&payment.metadata),
    });
    let event = Event::of_app(event_id, &payment.app_id, event_type, body.to_string(), at).about(&payment.payment_id);
    events::insert(conn, &event, now)
}
