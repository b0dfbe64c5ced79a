//! Events in the order in which they were committed, for who follows them. Whoever followed their ids would pass over
//! those that are committed late: an id says when an event was made, by one of several writers.
//!
//! On PostgreSQL an event's position is its transaction, and a [`Horizon`] is a snapshot: what was not seen yet is in a
//! transaction that was open at the last look, or has begun since. On SQLite writers take turns and rows are numbered.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Nullable, Text};

use super::{Conn, StoreError, StoreResult};
use crate::domain::ids::{AppId, EventId};

diesel::table! {
    /// The events of apps, with where they stand.
    #[sql_name = "events"]
    placed_events (event_id) {
        event_id -> Text,
        app_id -> Text,
        event_type -> Text,
        body -> Text,
        position -> BigInt,
        horizon -> Text,
    }
}

/// How far a look at the database could see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Horizon {
    /// All before this position had ended.
    settled: i64,
    /// Nothing from this position on had begun.
    next: i64,
    /// What had begun and not ended.
    open: Vec<i64>,
}

impl Horizon {
    /// Nothing could be seen.
    #[must_use]
    pub const fn of_nothing() -> Self {
        Self { settled: 0, next: 0, open: Vec::new() }
    }

    /// Whether what is at a position could not be seen.
    #[must_use]
    pub fn is_beyond(&self, position: i64) -> bool {
        position >= self.next || self.open.contains(&position)
    }

    /// Where one begins to look for what could not be seen.
    #[must_use]
    pub const fn beginning(&self) -> Place {
        Place { position: self.settled, event_id: String::new() }
    }

    /// From the text of a snapshot: the first that is open, the first that has not begun, and those that are open.
    fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split(':');
        let (settled, next) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let open = parts.next()?.split(',').filter(|id| !id.is_empty()).map(|id| id.parse().ok());
        Some(Self { settled, next, open: open.collect::<Option<_>>()? })
    }
}

/// An event of an app, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct Placed {
    pub app_id: AppId,
    pub event_id: EventId,
    pub event_type: String,
    pub body: String,
    pub position: i64,
}

/// A place in the order of an app's events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub position: i64,
    pub event_id: String,
}

#[derive(QueryableByName)]
struct Seen {
    #[diesel(sql_type = Text)]
    snapshot: String,
    #[diesel(sql_type = Nullable<Text>)]
    app_id: Option<AppId>,
    #[diesel(sql_type = Nullable<Text>)]
    event_id: Option<EventId>,
    #[diesel(sql_type = Nullable<Text>)]
    event_type: Option<String>,
    #[diesel(sql_type = Nullable<Text>)]
    body: Option<String>,
    #[diesel(sql_type = Nullable<BigInt>)]
    position: Option<i64>,
}

/// How far one can see now.
pub fn horizon(conn: &mut Conn) -> StoreResult<Horizon> {
    match conn {
        Conn::Sqlite(conn) => horizon_on_sqlite(conn),
        Conn::Postgres(conn) => {
            let snapshot: String = diesel::select(sql::<Text>("pg_current_snapshot()::text")).get_result(conn)?;
            Horizon::parse(&snapshot).ok_or(StoreError::Missing)
        }
    }
}

fn horizon_on_sqlite(conn: &mut SqliteConnection) -> StoreResult<Horizon> {
    let last: i64 = placed_events::table.select(sql::<BigInt>("COALESCE(MAX(rowid), 0)")).get_result(conn)?;
    Ok(Horizon { settled: last + 1, next: last + 1, open: Vec::new() })
}

/// The events of these apps that could not be seen at `seen` and can be now, at most `limit`, and how far one can see
/// now. More than one look would do has to be read from the places where one was.
pub fn since(conn: &mut Conn, apps: &[AppId], seen: &Horizon, limit: i64) -> StoreResult<(Vec<Placed>, Horizon)> {
    match conn {
        Conn::Sqlite(conn) => {
            let now = horizon_on_sqlite(conn)?;
            let fresh = placed_events::table
                .filter(placed_events::app_id.eq_any(apps.iter().map(AppId::as_str)))
                .filter(placed_events::position.ge(seen.next))
                .filter(placed_events::position.lt(now.next))
                .order(placed_events::position)
                .limit(limit)
                .select(PLACED)
                .load(conn)?;
            Ok((fresh, now))
        }
        Conn::Postgres(conn) => {
            // One statement, and so one snapshot.
            let rows: Vec<Seen> = diesel::sql_query(
                "SELECT pg_current_snapshot()::text AS snapshot, fresh.* FROM (SELECT 1) AS look LEFT JOIN (
                   SELECT app_id, event_id, event_type, body, position FROM (
                     SELECT app_id, event_id, event_type, body, position FROM events
                       WHERE app_id = ANY ($1) AND position = ANY ($2)
                     UNION ALL
                     SELECT app_id, event_id, event_type, body, position FROM events
                       WHERE app_id = ANY ($1) AND position >= $3
                   ) AS either ORDER BY position, event_id LIMIT $4
                 ) AS fresh ON TRUE",
            )
            .bind::<Array<Text>, _>(apps.iter().map(AppId::as_str).collect::<Vec<_>>())
            .bind::<Array<BigInt>, _>(&seen.open)
            .bind::<BigInt, _>(seen.next)
            .bind::<BigInt, _>(limit)
            .load(conn)?;
            let now = rows.first().and_then(|row| Horizon::parse(&row.snapshot)).ok_or(StoreError::Missing)?;
            Ok((rows.into_iter().filter_map(Seen::placed).collect(), now))
        }
    }
}

impl Seen {
    /// The event, if the look saw one.
    fn placed(self) -> Option<Placed> {
        Some(Placed {
            app_id: self.app_id?,
            event_id: self.event_id?,
            event_type: self.event_type?,
            body: self.body?,
            position: self.position?,
        })
    }
}

type Columns = (
    placed_events::app_id,
    placed_events::event_id,
    placed_events::event_type,
    placed_events::body,
    placed_events::position,
);
const PLACED: Columns = (
    placed_events::app_id,
    placed_events::event_id,
    placed_events::event_type,
    placed_events::body,
    placed_events::position,
);

/// The last of an app's events.
pub fn last_of(conn: &mut Conn, app_id: &AppId) -> StoreResult<Option<EventId>> {
    let last = placed_events::table
        .filter(placed_events::app_id.eq(app_id))
        .order((placed_events::position.desc(), placed_events::event_id.desc()))
        .select(placed_events::event_id);
    Ok(last.first(conn).optional()?)
}

/// Where an app's event stands, and what could be seen when it was written: who has the event has all that.
pub fn place_of(conn: &mut Conn, app_id: &AppId, event_id: &EventId) -> StoreResult<Option<(Place, Horizon)>> {
    let found: Option<(i64, String)> = placed_events::table
        .find(event_id)
        .filter(placed_events::app_id.eq(app_id))
        .select((placed_events::position, placed_events::horizon))
        .first(conn)
        .optional()?;
    Ok(found.map(|(position, horizon)| {
        let taking_turns = || Horizon { settled: position, next: position + 1, open: Vec::new() };
        let horizon = Horizon::parse(&horizon).unwrap_or_else(taking_turns);
        (Place { position, event_id: event_id.to_string() }, horizon)
    }))
}

/// The events of an app behind a place, in their order, at most `limit`.
pub fn behind(conn: &mut Conn, app_id: &AppId, place: &Place, limit: i64) -> StoreResult<Vec<Placed>> {
    let is_behind = placed_events::position
        .gt(place.position)
        .or(placed_events::position.eq(place.position).and(placed_events::event_id.gt(&place.event_id)));
    Ok(placed_events::table
        .filter(placed_events::app_id.eq(app_id))
        .filter(placed_events::position.ge(place.position))
        .filter(is_behind)
        .order((placed_events::position, placed_events::event_id))
        .limit(limit)
        .select(PLACED)
        .load(conn)?)
}

/// A database that was moved to another server counts its transactions anew. Positions that have not been reached there
/// are taken back, or they would be met again: what was written before then follows its ids.
pub(super) fn restart_positions(conn: &mut PgConnection) -> StoreResult<()> {
    const AHEAD: &str = "SELECT EXISTS (SELECT 1 FROM apps WHERE EXISTS (SELECT 1 FROM events
        WHERE events.app_id = apps.app_id
        AND events.position >= pg_snapshot_xmax(pg_current_snapshot())::text::bigint)) AS is_ahead";
    #[derive(QueryableByName)]
    struct Found {
        #[diesel(sql_type = diesel::sql_types::Bool)]
        is_ahead: bool,
    }
    let found: Found = diesel::sql_query(AHEAD).get_result(conn)?;
    if found.is_ahead {
        diesel::sql_query("UPDATE events SET position = 0, horizon = ''").execute(conn)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_read() {
        let horizon = |settled, next, open: &[i64]| Some(Horizon { settled, next, open: open.to_vec() });
        assert_eq!(Horizon::parse("10:10:"), horizon(10, 10, &[]));
        assert_eq!(Horizon::parse("10:20:10,14"), horizon(10, 20, &[10, 14]));
        assert_eq!(Horizon::parse("10:20"), None);
        assert_eq!(Horizon::parse(""), None);
    }
}
