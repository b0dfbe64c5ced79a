//! Payment links.

use diesel::prelude::*;

use super::invoice_schema::payment_links;
use super::page::Page;
use super::sql::{condition, for_update, for_update_skip_locked};
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, PaymentLinkId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payment_links::{LinkAmount, LinkStatus};
use crate::domain::time::Timestamp;

/// A row of `payment_links`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = payment_links, treat_none_as_default_value = false)]
pub struct PaymentLink {
    pub payment_link_id: PaymentLinkId,
    pub app_id: AppId,
    pub mode: Mode,
    pub status: LinkStatus,
    pub currency: Currency,
    pub amount_minor: Option<i64>,
    pub min_minor: Option<i64>,
    pub max_minor: Option<i64>,
    pub description: String,
    /// A JSON array of texts.
    pub methods: Option<String>,
    pub uses_max: Option<i64>,
    /// Payments that were paid.
    pub uses: i64,
    /// Payments that may still be.
    pub reserved: i64,
    pub expires_at: Option<Timestamp>,
    pub return_url: Option<String>,
    pub metadata: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl PaymentLink {
    /// What is paid by it.
    #[must_use]
    pub fn amount(&self) -> LinkAmount {
        match (self.amount_minor, self.min_minor, self.max_minor) {
            (Some(amount_minor), _, _) => LinkAmount::Fixed(amount_minor),
            (None, least, most) => LinkAmount::Chosen(least.unwrap_or(i64::MAX), most.unwrap_or(0)),
        }
    }
}

/// Adds a link.
pub fn insert(conn: &mut Conn, link: &PaymentLink) -> StoreResult<()> {
    diesel::insert_into(payment_links::table).values(link).execute(conn)?;
    Ok(())
}

/// An app's link.
pub fn find(conn: &mut Conn, app_id: &AppId, link_id: &PaymentLinkId) -> StoreResult<Option<PaymentLink>> {
    Ok(payment_links::table.find(link_id).filter(payment_links::app_id.eq(app_id)).get_result(conn).optional()?)
}

/// A link of any app: for its visitors, and for who looks whose it is.
pub fn find_any(conn: &mut Conn, link_id: &PaymentLinkId) -> StoreResult<Option<PaymentLink>> {
    Ok(payment_links::table.find(link_id).get_result(conn).optional()?)
}

/// A link, locked until the transaction ends where rows have locks.
pub fn lock(conn: &mut Conn, link_id: &PaymentLinkId) -> StoreResult<Option<PaymentLink>> {
    Ok(for_update(payment_links::table.find(link_id)).get_result(conn).optional()?)
}

/// Writes how a link stands.
pub fn save(conn: &mut Conn, link: &PaymentLink) -> StoreResult<()> {
    diesel::update(payment_links::table.find(&link.payment_link_id))
        .set((
            payment_links::status.eq(link.status),
            payment_links::uses.eq(link.uses),
            payment_links::reserved.eq(link.reserved),
            payment_links::updated_at.eq(link.updated_at),
        ))
        .execute(conn)?;
    Ok(())
}

condition! {
    /// Within the index of links that will expire.
    MayExpire = "payment_links.status = 'active' AND payment_links.expires_at IS NOT NULL"
}

/// Whether the time of any link is over that is not said to be.
pub fn is_any_expiring(conn: &mut Conn, now: Timestamp) -> StoreResult<bool> {
    let over = payment_links::table.filter(MayExpire).filter(payment_links::expires_at.le(now));
    Ok(!over.select(payment_links::payment_link_id).limit(1).load::<PaymentLinkId>(conn)?.is_empty())
}

/// Links whose time is over and that are not said to be; locked, so that no other process says so too.
pub fn expiring(conn: &mut Conn, now: Timestamp, limit: i64) -> StoreResult<Vec<PaymentLink>> {
    let over = payment_links::table
        .filter(MayExpire)
        .filter(payment_links::expires_at.le(now))
        .order(payment_links::expires_at)
        .limit(limit);
    Ok(for_update_skip_locked(over).get_results(conn)?)
}

/// A page of an app's links, newest first.
pub fn list(
    conn: &mut Conn,
    app_id: &AppId,
    status: Option<LinkStatus>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<PaymentLink>> {
    let mut query = payment_links::table.filter(payment_links::app_id.eq(app_id)).into_boxed();
    if let Some(status) = status {
        query = query.filter(payment_links::status.eq(status));
    }
    if let Some(before) = before {
        query = query.filter(payment_links::payment_link_id.lt(before.to_owned()));
    }
    let rows = query.order(payment_links::payment_link_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &PaymentLink| row.payment_link_id.to_string()))
}
