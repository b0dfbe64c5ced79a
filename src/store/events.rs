//! Events: one row for each change that a product may want to hear of, whether or not anyone listens.

use diesel::prelude::*;

use super::deliveries;
use super::page::Page;
use super::schema::{apps, events, webhook_endpoints};
use super::sql::inside;
use super::webhook_endpoints::is_wanted;
use super::writer::note_event;
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, EndpointId, EventId, PaymentId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `events`. It is an app's, or else a tenant's in a mode.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = events, treat_none_as_default_value = false)]
pub struct Event {
    pub event_id: EventId,
    pub app_id: Option<AppId>,
    pub event_type: String,
    pub payment_id: Option<PaymentId>,
    pub body: String,
    pub created_at: Timestamp,
    pub tenant_id: Option<TenantId>,
    pub mode: Option<Mode>,
}

impl Event {
    /// An event of an app's.
    pub fn of_app(event_id: EventId, app_id: &AppId, event_type: &str, body: String, created_at: Timestamp) -> Self {
        Self {
            event_id,
            app_id: Some(app_id.clone()),
            event_type: event_type.to_owned(),
            payment_id: None,
            body,
            created_at,
            tenant_id: None,
            mode: None,
        }
    }

    /// About this payment.
    #[must_use]
    pub fn about(self, payment_id: &PaymentId) -> Self {
        Self { payment_id: Some(payment_id.clone()), ..self }
    }
}

/// An endpoint as an event meets it: its id, since when it is disabled, and which types it wants.
type Listener = (EndpointId, Option<Timestamp>, Option<String>);

/// Writes an event and its deliveries to the endpoints of the app and of its tenant, in the caller's transaction: the
/// commit is the enqueue. They are due `now`, whatever moment the event was given to keep a payment's events in order.
pub fn insert(conn: &mut Conn, event: &Event, now: Timestamp) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(events::table).values(event).execute(inner))?;
    note_event();
    for (endpoint_id, disabled_at, event_types) in listeners(conn, event)? {
        if is_wanted(event_types.as_deref(), &event.event_type) {
            deliveries::insert(conn, event, endpoint_id, disabled_at.is_some(), now)?;
        }
    }
    Ok(())
}

/// The endpoints that an event may be for, whatever types they want.
pub(super) fn listeners(conn: &mut Conn, event: &Event) -> StoreResult<Vec<Listener>> {
    let columns = (webhook_endpoints::endpoint_id, webhook_endpoints::disabled_at, webhook_endpoints::event_types);
    let standing = webhook_endpoints::table.filter(webhook_endpoints::deleted_at.is_null()).select(columns);
    let Some(app_id) = &event.app_id else {
        let of_tenant = standing
            .filter(webhook_endpoints::tenant_id.nullable().eq(&event.tenant_id))
            .filter(webhook_endpoints::mode.nullable().eq(event.mode))
            .filter(webhook_endpoints::app_id.is_null());
        return Ok(of_tenant.load(conn)?);
    };
    let app = apps::table.find(app_id);
    let of_tenant = standing
        .filter(webhook_endpoints::tenant_id.nullable().eq(app.select(apps::tenant_id).single_value()))
        .filter(webhook_endpoints::mode.nullable().eq(app.select(apps::mode).single_value()))
        .filter(webhook_endpoints::app_id.is_null());
    let of_app = standing.filter(webhook_endpoints::app_id.eq(app_id));
    let mut listeners: Vec<Listener> = inside!(conn, |inner| of_app.load(inner))?;
    listeners.extend(inside!(conn, |inner| of_tenant.load::<Listener>(inner))?);
    Ok(listeners)
}

/// An app's event.
pub fn find(conn: &mut Conn, app_id: &AppId, event_id: &EventId) -> StoreResult<Option<Event>> {
    Ok(events::table.find(event_id).filter(events::app_id.eq(app_id)).get_result(conn).optional()?)
}

/// An event of any app: whose it is has to be looked at.
pub fn find_any(conn: &mut Conn, event_id: &EventId) -> StoreResult<Option<Event>> {
    Ok(events::table.find(event_id).get_result(conn).optional()?)
}

/// The events with these ids, of any app.
pub fn with_ids(conn: &mut Conn, event_ids: &[EventId]) -> StoreResult<Vec<Event>> {
    Ok(events::table.filter(events::event_id.eq_any(event_ids)).load(conn)?)
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

/// The endpoints of a tenant in a mode, as its own events meet them.
pub struct Listeners(Vec<Listener>);

impl Listeners {
    /// Whether any of them wants events of a type.
    #[must_use]
    pub fn want(&self, event_type: &str) -> bool {
        self.0.iter().any(|(_, _, event_types)| is_wanted(event_types.as_deref(), event_type))
    }
}

/// Who listens to a tenant's own events.
pub fn listeners_of_tenant(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Listeners> {
    let of_tenant = webhook_endpoints::table
        .filter(webhook_endpoints::deleted_at.is_null())
        .filter(webhook_endpoints::tenant_id.eq(tenant_id))
        .filter(webhook_endpoints::mode.eq(mode))
        .filter(webhook_endpoints::app_id.is_null())
        .select((webhook_endpoints::endpoint_id, webhook_endpoints::disabled_at, webhook_endpoints::event_types));
    Ok(Listeners(inside!(conn, |inner| of_tenant.load(inner))?))
}

/// Writes an event of a tenant's for those of its listeners that want it.
pub fn insert_heard(conn: &mut Conn, event: &Event, listeners: &Listeners, now: Timestamp) -> StoreResult<()> {
    inside!(conn, |inner| diesel::insert_into(events::table).values(event).execute(inner))?;
    for (endpoint_id, disabled_at, event_types) in &listeners.0 {
        if is_wanted(event_types.as_deref(), &event.event_type) {
            deliveries::insert(conn, event, endpoint_id.clone(), disabled_at.is_some(), now)?;
        }
    }
    Ok(())
}

/// Writes an event for one endpoint alone.
pub fn insert_for(conn: &mut Conn, event: &Event, endpoint_id: &EndpointId, now: Timestamp) -> StoreResult<()> {
    diesel::insert_into(events::table).values(event).execute(conn)?;
    note_event();
    deliveries::insert(conn, event, endpoint_id.clone(), false, now)
}
