//! Deliveries: one event on its way to one endpoint. A row that is pending and due is a job.
//!
//! To claim is to push `due_at` to the end of a lease: a process that dies gives its jobs back by doing nothing.

use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Text;

use super::events::Event;
use super::page::Page;
use super::schema::{deliveries, events, webhook_endpoints};
use super::sql::{condition, for_update_skip_locked, inside};
use super::webhook_endpoints::{EndpointRow, is_wanted};
use super::{Conn, MultiBackend, StoreResult};
use crate::domain::ids::{AppId, DeliveryId, EndpointId, EventId, PaymentId};
use crate::domain::time::Timestamp;

/// A row of `deliveries`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = deliveries, treat_none_as_default_value = false)]
pub struct Delivery {
    pub delivery_id: DeliveryId,
    pub event_id: EventId,
    pub endpoint_id: EndpointId,
    pub app_id: Option<AppId>,
    pub payment_id: Option<PaymentId>,
    pub state: String,
    pub attempts: i32,
    pub due_at: Timestamp,
    pub lease: Option<String>,
    pub log: String,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// A delivery that this process may attempt, with what it needs for that.
#[derive(Debug)]
pub struct Claimed {
    pub delivery: Delivery,
    pub body: String,
    pub endpoint: EndpointRow,
}

/// How a delivery stands after an attempt.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It is tried again at this moment.
    RetryAt(Timestamp),
    /// It is given up until someone asks for it again.
    Dead,
}

/// How many jobs a process takes at once.
#[derive(Clone, Debug)]
pub struct Capacity {
    /// In all.
    pub total: usize,
    /// For an endpoint that the process has not met lately.
    pub per_endpoint: usize,
    /// For an endpoint that has been failing.
    pub per_failing_endpoint: usize,
    /// For endpoints that the process knows: how many, less what it has in hand already.
    pub room: HashMap<EndpointId, usize>,
    /// Endpoints up to and including this one were served last.
    pub after: Option<EndpointId>,
}

/// Enqueues an event for an endpoint. For a disabled one it is dead at once, so that it can be redelivered later.
pub(super) fn insert(
    conn: &mut Conn,
    event: &Event,
    endpoint_id: EndpointId,
    is_disabled: bool,
    now: Timestamp,
) -> StoreResult<()> {
    let delivery = Delivery {
        delivery_id: DeliveryId::generate(event.created_at),
        event_id: event.event_id.clone(),
        endpoint_id,
        app_id: event.app_id.clone(),
        payment_id: event.payment_id.clone(),
        state: if is_disabled { "dead" } else { "pending" }.to_owned(),
        attempts: 0,
        due_at: now,
        lease: None,
        log: "[]".to_owned(),
        created_at: event.created_at,
        finished_at: is_disabled.then_some(now),
    };
    inside!(conn, |inner| diesel::insert_into(deliveries::table).values(&delivery).execute(inner))?;
    Ok(())
}

condition! {
    /// Within the index of jobs.
    IsPending = "deliveries.state = 'pending'"
}
condition! {
    /// Within the index of what was given up.
    IsDead = "deliveries.state = 'dead'"
}
condition! {
    /// Within the index of first attempts that are still to be made.
    EarlierWasNeverTried = "earlier.state = 'pending' AND earlier.attempts = 0"
}

/// The endpoints that have pending deliveries. A walk from one endpoint to the next in the index, so that a backlog
/// of one endpoint costs nothing to the others.
#[derive(Debug, Clone, Copy, QueryId)]
struct EndpointsWithWork;

impl QueryFragment<MultiBackend> for EndpointsWithWork {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        out.push_sql(
            "WITH RECURSIVE walk(endpoint_id) AS (
               SELECT (SELECT endpoint_id FROM deliveries WHERE state = 'pending' ORDER BY endpoint_id LIMIT 1)
               UNION ALL
               SELECT (SELECT d.endpoint_id FROM deliveries d WHERE d.state = 'pending'
                       AND d.endpoint_id > walk.endpoint_id ORDER BY d.endpoint_id LIMIT 1)
               FROM walk WHERE walk.endpoint_id IS NOT NULL
             ) SELECT endpoint_id FROM walk WHERE endpoint_id IS NOT NULL",
        );
        Ok(())
    }
}

impl Query for EndpointsWithWork {
    type SqlType = Text;
}

impl RunQueryDsl<Conn> for EndpointsWithWork {}

/// Claims due deliveries for `lease`, fairly between endpoints, and never a first attempt before the first attempt
/// of an earlier event of the same payment.
pub fn claim_due(
    conn: &mut Conn,
    now: Timestamp,
    lease: &str,
    lease_for: Duration,
    capacity: &Capacity,
) -> StoreResult<Vec<Claimed>> {
    let mut with_work: Vec<EndpointId> = EndpointsWithWork.load(conn)?;
    if let Some(after) = &capacity.after {
        let served = with_work.partition_point(|endpoint_id| endpoint_id <= after);
        with_work.rotate_left(served);
    }
    let mut claimed = Vec::new();
    for endpoint_id in with_work {
        let room_in_all = capacity.total.saturating_sub(claimed.len());
        if room_in_all == 0 {
            break;
        }
        let known_room = capacity.room.get(&endpoint_id).copied();
        if known_room == Some(0) {
            continue;
        }
        let Some(endpoint): Option<EndpointRow> =
            webhook_endpoints::table.find(&endpoint_id).get_result(conn).optional()?
        else {
            continue;
        };
        let most = match endpoint.failing_since {
            Some(_) => capacity.per_failing_endpoint,
            None => capacity.per_endpoint,
        };
        let room = known_room.unwrap_or(most).min(room_in_all);
        claim_of_endpoint(conn, now, &endpoint, room, &mut claimed)?;
    }
    if !claimed.is_empty() {
        let ids: Vec<&DeliveryId> = claimed.iter().map(|claim: &Claimed| &claim.delivery.delivery_id).collect();
        diesel::update(deliveries::table.filter(deliveries::delivery_id.eq_any(ids)))
            .set((deliveries::lease.eq(lease), deliveries::due_at.eq(now.plus(lease_for))))
            .execute(conn)?;
    }
    Ok(claimed)
}

fn claim_of_endpoint(
    conn: &mut Conn,
    now: Timestamp,
    endpoint: &EndpointRow,
    room: usize,
    claimed: &mut Vec<Claimed>,
) -> StoreResult<()> {
    let earlier = diesel::alias!(deliveries as earlier);
    let waits_for_an_earlier_one = diesel::dsl::exists(
        earlier
            .filter(earlier.field(deliveries::payment_id).eq(deliveries::payment_id))
            .filter(earlier.field(deliveries::endpoint_id).eq(deliveries::endpoint_id))
            .filter(EarlierWasNeverTried)
            .filter(earlier.field(deliveries::created_at).lt(deliveries::created_at)),
    );
    let due = deliveries::table
        .filter(deliveries::endpoint_id.eq(&endpoint.endpoint_id))
        .filter(IsPending)
        .filter(deliveries::due_at.le(now))
        .filter(deliveries::attempts.gt(0).or(diesel::dsl::not(waits_for_an_earlier_one)))
        .order(deliveries::due_at)
        .limit(room as i64);
    let due: Vec<Delivery> = for_update_skip_locked(due).get_results(conn)?;
    let event_ids: Vec<&EventId> = due.iter().map(|delivery| &delivery.event_id).collect();
    let bodies: Vec<(EventId, String)> =
        events::table.filter(events::event_id.eq_any(event_ids)).select((events::event_id, events::body)).load(conn)?;
    let bodies: HashMap<EventId, String> = bodies.into_iter().collect();
    for delivery in due {
        if let Some(body) = bodies.get(&delivery.event_id) {
            claimed.push(Claimed { body: body.clone(), delivery, endpoint: endpoint.clone() });
        }
    }
    Ok(())
}

/// Records an attempt, if the lease is still ours; says whether it was.
pub fn record_attempt(
    conn: &mut Conn,
    delivery: &Delivery,
    lease: &str,
    log: &str,
    outcome: &Outcome,
    now: Timestamp,
) -> StoreResult<bool> {
    let (state, due_at, finished_at) = match outcome {
        Outcome::Delivered => ("delivered", now, Some(now)),
        Outcome::RetryAt(at) => ("pending", *at, None),
        Outcome::Dead => ("dead", now, Some(now)),
    };
    let ours = deliveries::table.find(&delivery.delivery_id).filter(deliveries::lease.eq(lease));
    let changes = (
        deliveries::state.eq(state),
        deliveries::attempts.eq(delivery.attempts + 1),
        deliveries::due_at.eq(due_at),
        deliveries::lease.eq(None::<String>),
        deliveries::log.eq(log),
        deliveries::finished_at.eq(finished_at),
    );
    Ok(inside!(conn, |inner| diesel::update(ours).set(changes).execute(inner))? > 0)
}

/// Gives back every job of a lease at once: for a process that stops.
pub fn hand_back(conn: &mut Conn, lease: &str, now: Timestamp) -> StoreResult<usize> {
    let held = deliveries::table.filter(IsPending).filter(deliveries::lease.eq(lease));
    Ok(diesel::update(held).set((deliveries::lease.eq(None::<String>), deliveries::due_at.eq(now))).execute(conn)?)
}

/// Gives up what is pending for an endpoint that was disabled.
pub fn bury_all_of(conn: &mut Conn, endpoint_id: &EndpointId, now: Timestamp) -> StoreResult<()> {
    let pending = deliveries::table.filter(deliveries::endpoint_id.eq(endpoint_id)).filter(IsPending);
    diesel::update(pending)
        .set((deliveries::state.eq("dead"), deliveries::lease.eq(None::<String>), deliveries::finished_at.eq(now)))
        .execute(conn)?;
    Ok(())
}

/// The deliveries of some events, oldest first.
pub fn of_events(conn: &mut Conn, event_ids: &[EventId]) -> StoreResult<Vec<Delivery>> {
    Ok(deliveries::table.filter(deliveries::event_id.eq_any(event_ids)).order(deliveries::delivery_id).load(conn)?)
}

/// Makes the deliveries of one event due now, from the start of the schedule; adds one for an endpoint that has
/// none and wants it. Says how many there are.
pub fn redeliver(conn: &mut Conn, event: &Event, now: Timestamp) -> StoreResult<usize> {
    let listeners = super::events::listeners(conn, event)?;
    let existing: Vec<EndpointId> = deliveries::table
        .filter(deliveries::event_id.eq(&event.event_id))
        .select(deliveries::endpoint_id)
        .load(conn)?;
    let mut count = restart(conn, deliveries::event_id.eq(event.event_id.as_str().to_owned()), now)?;
    for (endpoint_id, disabled_at, event_types) in listeners {
        let wants = disabled_at.is_none() && is_wanted(event_types.as_deref(), &event.event_type);
        if wants && !existing.contains(&endpoint_id) {
            insert(conn, event, endpoint_id, false, now)?;
            count += 1;
        }
    }
    Ok(count)
}

/// Makes everything of an app that died since `since` due now; says how many there are.
pub fn redeliver_dead_since(conn: &mut Conn, app_id: &AppId, since: Timestamp, now: Timestamp) -> StoreResult<usize> {
    let dead = deliveries::app_id
        .assume_not_null()
        .eq(app_id.as_str().to_owned())
        .and(IsDead)
        .and(deliveries::finished_at.assume_not_null().ge(since));
    restart(conn, dead, now)
}

fn restart<P>(conn: &mut Conn, which: P, now: Timestamp) -> StoreResult<usize>
where
    P: diesel::Expression<SqlType = diesel::sql_types::Bool>
        + diesel::expression::NonAggregate
        + diesel::AppearsOnTable<deliveries::table>
        + diesel::query_builder::QueryFragment<super::MultiBackend>
        + diesel::query_builder::QueryId,
{
    let enabled = webhook_endpoints::table
        .filter(webhook_endpoints::endpoint_id.eq(deliveries::endpoint_id))
        .filter(webhook_endpoints::disabled_at.is_null())
        .filter(webhook_endpoints::deleted_at.is_null());
    let rows = deliveries::table.filter(which).filter(diesel::dsl::exists(enabled));
    Ok(diesel::update(rows)
        .set((
            deliveries::state.eq("pending"),
            deliveries::attempts.eq(0),
            deliveries::due_at.eq(now),
            deliveries::lease.eq(None::<String>),
            deliveries::finished_at.eq(None::<Timestamp>),
        ))
        .execute(conn)?)
}

/// A page of the deliveries to one endpoint, newest first.
pub fn of_endpoint(
    conn: &mut Conn,
    endpoint_id: &EndpointId,
    state: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<(Delivery, String)>> {
    let mut query = deliveries::table
        .inner_join(events::table.on(events::event_id.eq(deliveries::event_id)))
        .filter(deliveries::endpoint_id.eq(endpoint_id))
        .select((deliveries::all_columns, events::event_type))
        .into_boxed();
    match state {
        // Few among many: they have indexes of their own.
        Some("dead") => query = query.filter(IsDead),
        Some("pending") => query = query.filter(IsPending),
        Some(state) => query = query.filter(deliveries::state.eq(state.to_owned())),
        None => {}
    }
    if let Some(before) = before {
        query = query.filter(deliveries::delivery_id.lt(before.to_owned()));
    }
    let rows = query.order(deliveries::delivery_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |(delivery, _): &(Delivery, String)| delivery.delivery_id.to_string()))
}

/// Makes one delivery to an endpoint due now, from the start of the schedule; says whether there was one that could be.
pub fn replay(
    conn: &mut Conn,
    endpoint_id: &EndpointId,
    delivery_id: &DeliveryId,
    now: Timestamp,
) -> StoreResult<bool> {
    let one = deliveries::delivery_id
        .eq(delivery_id.as_str().to_owned())
        .and(deliveries::endpoint_id.eq(endpoint_id.as_str().to_owned()));
    Ok(restart(conn, one, now)? > 0)
}

/// Makes everything that one endpoint did not get since `since` due now; says how many there are.
pub fn replay_since(conn: &mut Conn, endpoint_id: &EndpointId, since: Timestamp, now: Timestamp) -> StoreResult<usize> {
    let missed = deliveries::endpoint_id
        .eq(endpoint_id.as_str().to_owned())
        .and(deliveries::delivery_id.ge(DeliveryId::earliest_at(since)))
        .and(IsDead);
    restart(conn, missed, now)
}
