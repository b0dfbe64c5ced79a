//! Events: one row for each change that a product may want to hear of, whether or not anyone listens.

use diesel::prelude::*;

use super::deliveries;
use super::page::Page;
use super::schema::{events, webhook_endpoints};
use super::sql::inside;
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, EndpointId, EventId, PaymentId};
use crate::domain::time::Timestamp;

/// A row of `events`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub struct Event {
    pub event_id: EventId,
    pub app_id: AppId,
    pub event_type: String,
    pub payment_id: Option<PaymentId>,
    pub body: String,
    pub created_at: Timestamp,
}

/// Writes an event and its deliveries to the app's endpoints, in the caller's transaction: the commit is the enqueue.
/// They are due `now`, whatever moment the event was given to keep a payment's events in order.
pub fn insert(conn: &mut Conn, event: &Event, now: Timestamp) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(events::table).values(event).execute(inner))?;
    let of_app = webhook_endpoints::table
        .filter(webhook_endpoints::app_id.eq(&event.app_id))
        .select((webhook_endpoints::endpoint_id, webhook_endpoints::disabled_at));
    let endpoints: Vec<(EndpointId, Option<Timestamp>)> = inside!(conn, |inner| of_app.load(inner))?;
    for (endpoint_id, disabled_at) in endpoints {
        deliveries::insert(conn, event, endpoint_id, disabled_at.is_some(), now)?;
    }
    Ok(())
}

/// An app's event.
pub fn find(conn: &mut Conn, app_id: &AppId, event_id: &EventId) -> StoreResult<Option<Event>> {
    Ok(events::table.find(event_id).filter(events::app_id.eq(app_id)).get_result(conn).optional()?)
}

/// The events of one payment, oldest first.
pub fn of_payment(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Vec<Event>> {
    Ok(events::table.filter(events::payment_id.eq(payment_id)).order(events::event_id).load(conn)?)
}

/// A page of an app's events, newest first.
pub fn list(
    conn: &mut Conn,
    app_id: &AppId,
    event_type: Option<&str>,
    payment_id: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Event>> {
    let mut query = events::table.filter(events::app_id.eq(app_id)).into_boxed();
    if let Some(event_type) = event_type {
        query = query.filter(events::event_type.eq(event_type.to_owned()));
    }
    if let Some(payment_id) = payment_id {
        query = query.filter(events::payment_id.eq(payment_id.to_owned()));
    }
    if let Some(before) = before {
        query = query.filter(events::event_id.lt(before.to_owned()));
    }
    let rows = query.order(events::event_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &Event| row.event_id.to_string()))
}
