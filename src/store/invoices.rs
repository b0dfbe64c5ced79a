//! Invoices.

use diesel::prelude::*;

use super::invoice_schema::invoices;
use super::page::Page;
use super::sql::{condition, for_update, for_update_skip_locked, or_ignore};
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, InvoiceId};
use crate::domain::invoices::InvoiceStatus;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// A row of `invoices`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = invoices, treat_none_as_default_value = false)]
pub struct Invoice {
    pub invoice_id: InvoiceId,
    pub app_id: AppId,
    pub mode: Mode,
    pub status: InvoiceStatus,
    pub number: String,
    pub external_user_id: String,
    pub email: Option<String>,
    pub currency: Currency,
    /// A JSON array of `domain::invoices::LineItem`.
    pub line_items: String,
    pub amount_minor: i64,
    pub due_at: Option<Timestamp>,
    /// A JSON array of texts.
    pub methods: Option<String>,
    pub return_url: Option<String>,
    pub metadata: String,
    pub external_id: Option<String>,
    /// Digest of what was asked for.
    pub content: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    pub voided_at: Option<Timestamp>,
}

/// Which invoices a list holds.
#[derive(Clone, Debug, Default)]
pub struct InvoiceFilter {
    pub status: Option<InvoiceStatus>,
    pub external_user_id: Option<String>,
    pub external_id: Option<String>,
}

/// Adds an invoice, unless there is one with its `external_id`; says whether it was added.
pub fn insert(conn: &mut Conn, invoice: &Invoice) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(invoices::table).values(invoice)).execute(conn)? > 0)
}

/// An app's invoice.
pub fn find(conn: &mut Conn, app_id: &AppId, invoice_id: &InvoiceId) -> StoreResult<Option<Invoice>> {
    Ok(invoices::table.find(invoice_id).filter(invoices::app_id.eq(app_id)).get_result(conn).optional()?)
}

/// An invoice of any app: for its buyer, and for who looks whose it is.
pub fn find_any(conn: &mut Conn, invoice_id: &InvoiceId) -> StoreResult<Option<Invoice>> {
    Ok(invoices::table.find(invoice_id).get_result(conn).optional()?)
}

/// An invoice, locked until the transaction ends where rows have locks.
pub fn lock(conn: &mut Conn, invoice_id: &InvoiceId) -> StoreResult<Option<Invoice>> {
    Ok(for_update(invoices::table.find(invoice_id)).get_result(conn).optional()?)
}

condition! {
    /// Within the index of the products' own ids.
    HasExternalId = "invoices.external_id IS NOT NULL"
}

/// The invoice that an app knows by this id of its own.
pub fn by_external_id(conn: &mut Conn, app_id: &AppId, external_id: &str) -> StoreResult<Option<Invoice>> {
    let known = invoices::table
        .filter(invoices::app_id.eq(app_id))
        .filter(HasExternalId)
        .filter(invoices::external_id.eq(external_id));
    Ok(known.get_result(conn).optional()?)
}

/// The invoice with this number, of any app.
pub fn by_number(conn: &mut Conn, number: &str) -> StoreResult<Option<Invoice>> {
    Ok(invoices::table.filter(invoices::number.eq(number)).get_result(conn).optional()?)
}

/// Writes how an invoice stands.
pub fn save(conn: &mut Conn, invoice: &Invoice) -> StoreResult<()> {
    diesel::update(invoices::table.find(&invoice.invoice_id))
        .set((
            invoices::status.eq(invoice.status),
            invoices::updated_at.eq(invoice.updated_at),
            invoices::paid_at.eq(invoice.paid_at),
            invoices::voided_at.eq(invoice.voided_at),
        ))
        .execute(conn)?;
    Ok(())
}

condition! {
    /// Within the index of invoices that will be late.
    MayBeLate = "invoices.status = 'open' AND invoices.due_at IS NOT NULL"
}

/// Whether any invoice is late and not said to be.
pub fn is_any_late(conn: &mut Conn, now: Timestamp) -> StoreResult<bool> {
    let late = invoices::table.filter(MayBeLate).filter(invoices::due_at.le(now));
    Ok(!late.select(invoices::invoice_id).limit(1).load::<InvoiceId>(conn)?.is_empty())
}

/// Invoices that are late and not said to be; locked, so that no other process says so too.
pub fn late(conn: &mut Conn, now: Timestamp, limit: i64) -> StoreResult<Vec<Invoice>> {
    let late = invoices::table.filter(MayBeLate).filter(invoices::due_at.le(now)).order(invoices::due_at).limit(limit);
    Ok(for_update_skip_locked(late).get_results(conn)?)
}

/// A page of an app's invoices, newest first.
pub fn list(
    conn: &mut Conn,
    app_id: &AppId,
    filter: &InvoiceFilter,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Invoice>> {
    let mut query = invoices::table.filter(invoices::app_id.eq(app_id)).into_boxed();
    if let Some(external_id) = &filter.external_id {
        query = query.filter(HasExternalId).filter(invoices::external_id.eq(external_id));
    }
    if let Some(external_user_id) = &filter.external_user_id {
        query = query.filter(invoices::external_user_id.eq(external_user_id));
    }
    if let Some(status) = filter.status {
        query = query.filter(invoices::status.eq(status));
    }
    if let Some(before) = before {
        query = query.filter(invoices::invoice_id.lt(before.to_owned()));
    }
    let rows = query.order(invoices::invoice_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Invoice| row.invoice_id.to_string()))
}
