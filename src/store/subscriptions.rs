//! Subscriptions as their providers told of them last, and their renewals.

use diesel::prelude::*;

use super::page::Page;
use super::schema::{renewals, subscriptions};
use super::sql::or_ignore;
use super::{Conn, StoreResult};
use crate::domain::ids::{AccountId, AppId, PaymentId, SubscriptionId};
use crate::domain::mode::Mode;
use crate::domain::subscriptions::SubscriptionStatus;
use crate::domain::time::Timestamp;

/// A row of `subscriptions`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = subscriptions, treat_none_as_default_value = false)]
pub struct Subscription {
    pub subscription_id: SubscriptionId,
    pub app_id: AppId,
    /// The payment that it began as.
    pub payment_id: PaymentId,
    pub mode: Mode,
    pub provider: String,
    pub account_id: Option<AccountId>,
    pub provider_ref: String,
    pub external_user_id: String,
    pub status: SubscriptionStatus,
    pub current_period_end: Option<Timestamp>,
    pub cancel_at_period_end: bool,
    /// The provider's moment of the last change: an older message changes nothing.
    pub changed_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A row of `renewals`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = renewals, treat_none_as_default_value = false)]
pub struct RenewalRow {
    pub subscription_id: SubscriptionId,
    pub provider_transaction: String,
    pub amount_minor: i64,
    pub currency: String,
    pub created_at: Timestamp,
}

/// Adds a subscription.
pub fn insert(conn: &mut Conn, subscription: &Subscription) -> StoreResult<()> {
    diesel::insert_into(subscriptions::table).values(subscription).execute(conn)?;
    Ok(())
}

/// Writes what has changed in a subscription.
pub fn save(conn: &mut Conn, subscription: &Subscription) -> StoreResult<()> {
    diesel::update(subscriptions::table.find(&subscription.subscription_id))
        .set((
            subscriptions::status.eq(subscription.status),
            subscriptions::current_period_end.eq(subscription.current_period_end),
            subscriptions::cancel_at_period_end.eq(subscription.cancel_at_period_end),
            subscriptions::changed_at.eq(subscription.changed_at),
            subscriptions::updated_at.eq(subscription.updated_at),
        ))
        .execute(conn)?;
    Ok(())
}

/// Notes a renewal; says whether it is new.
pub fn insert_renewal(conn: &mut Conn, renewal: &RenewalRow) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(renewals::table).values(renewal)).execute(conn)? > 0)
}

/// An app's subscription.
pub fn find(conn: &mut Conn, app_id: &AppId, subscription_id: &SubscriptionId) -> StoreResult<Option<Subscription>> {
    let row = subscriptions::table.find(subscription_id).filter(subscriptions::app_id.eq(app_id));
    Ok(row.get_result(conn).optional()?)
}

/// A subscription of any app: whose it is has to be looked at.
pub fn find_any(conn: &mut Conn, subscription_id: &SubscriptionId) -> StoreResult<Option<Subscription>> {
    Ok(subscriptions::table.find(subscription_id).get_result(conn).optional()?)
}

/// The subscription that a provider knows by this id.
pub fn by_provider_ref(
    conn: &mut Conn,
    provider: &str,
    mode: Mode,
    provider_ref: &str,
) -> StoreResult<Option<Subscription>> {
    let known = subscriptions::table
        .filter(subscriptions::provider.eq(provider))
        .filter(subscriptions::mode.eq(mode))
        .filter(subscriptions::provider_ref.eq(provider_ref));
    Ok(known.get_result(conn).optional()?)
}

/// A page of an app's subscriptions, newest first.
pub fn list(
    conn: &mut Conn,
    app_id: &AppId,
    external_user_id: Option<&str>,
    status: Option<SubscriptionStatus>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Subscription>> {
    let mut query = subscriptions::table.filter(subscriptions::app_id.eq(app_id)).into_boxed();
    if let Some(external_user_id) = external_user_id {
        query = query.filter(subscriptions::external_user_id.eq(external_user_id.to_owned()));
    }
    if let Some(status) = status {
        query = query.filter(subscriptions::status.eq(status));
    }
    if let Some(before) = before {
        query = query.filter(subscriptions::subscription_id.lt(before.to_owned()));
    }
    let rows = query.order(subscriptions::subscription_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Subscription| row.subscription_id.to_string()))
}
