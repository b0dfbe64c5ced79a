//! The values of payments' metadata, by which payments are searched for. A payment without metadata has no row, and costs
//! nothing here.

use diesel::prelude::*;

use super::page::Page;
use super::payments::{Filter, Payment};
use super::schema::payment_metadata;
use super::sql::{inside, or_ignore};
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, PaymentId};
use crate::domain::metadata::{Pair, pairs};

/// Writes what of a new payment's metadata can be found.
pub(super) fn insert(conn: &mut Conn, payment: &Payment) -> StoreResult<()> {
    for Pair { name, value } in pairs(&payment.metadata) {
        let row = (
            payment_metadata::app_id.eq(&payment.app_id),
            payment_metadata::name.eq(name),
            payment_metadata::value.eq(value),
            payment_metadata::payment_id.eq(&payment.payment_id),
        );
        inside!(conn, |inner| or_ignore(diesel::insert_into(payment_metadata::table).values(row)).execute(inner))?;
    }
    Ok(())
}

/// Whether any payment of these apps has this in its metadata.
pub fn is_any(conn: &mut Conn, app_ids: &[AppId], pair: &Pair) -> StoreResult<bool> {
    for app_id in app_ids {
        if !page(conn, app_id, pair, &Filter::default(), None, 1)?.items.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A page of the ids of an app's payments with this in their metadata, newest first, of the times that `filter` asks for.
pub(super) fn page(
    conn: &mut Conn,
    app_id: &AppId,
    pair: &Pair,
    filter: &Filter,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<PaymentId>> {
    let mut query = payment_metadata::table
        .filter(payment_metadata::app_id.eq(app_id))
        .filter(payment_metadata::name.eq(&pair.name))
        .filter(payment_metadata::value.eq(&pair.value))
        .select(payment_metadata::payment_id)
        .into_boxed();
    // Ids sort by time.
    if let Some(from) = filter.created_from {
        query = query.filter(payment_metadata::payment_id.ge(PaymentId::earliest_at(from)));
    }
    if let Some(to) = filter.created_to {
        query = query.filter(payment_metadata::payment_id.lt(PaymentId::earliest_at(to)));
    }
    if let Some(before) = before {
        query = query.filter(payment_metadata::payment_id.lt(before.to_owned()));
    }
    let ids = query.order(payment_metadata::payment_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(ids, limit, PaymentId::to_string))
}
