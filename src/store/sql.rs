//! Fragments of SQL that both databases understand and diesel's common denominator lacks.

use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::{QueryResult, RunQueryDsl};

use super::{Conn, MultiBackend};

/// A statement with a tail appended to it.
#[derive(Debug, Clone, Copy)]
pub struct WithTail<T> {
    statement: T,
    tail: &'static str,
    on_sqlite: bool,
}

/// `… ON CONFLICT DO NOTHING`: the number of rows tells whether it was new.
pub fn or_ignore<T>(statement: T) -> WithTail<T> {
    WithTail { statement, tail: " ON CONFLICT DO NOTHING", on_sqlite: true }
}

/// `…` followed by an `ON CONFLICT` clause of the caller's.
pub fn on_conflict<T>(statement: T, tail: &'static str) -> WithTail<T> {
    WithTail { statement, tail, on_sqlite: true }
}

/// `… FOR UPDATE` where rows have locks. SQLite's write transaction has the whole database.
pub fn for_update<T>(statement: T) -> WithTail<T> {
    WithTail { statement, tail: " FOR UPDATE", on_sqlite: false }
}

/// `… FOR UPDATE SKIP LOCKED` where rows have locks: rows that another process works on are passed over.
pub fn for_update_skip_locked<T>(statement: T) -> WithTail<T> {
    WithTail { statement, tail: " FOR UPDATE SKIP LOCKED", on_sqlite: false }
}

impl<T: QueryFragment<MultiBackend>> QueryFragment<MultiBackend> for WithTail<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        self.statement.walk_ast(out.reborrow())?;
        let is_sqlite = matches!(out.backend(), MultiBackend::Sqlite(_));
        if self.on_sqlite || !is_sqlite {
            out.push_sql(self.tail);
        }
        Ok(())
    }
}

impl<T> QueryId for WithTail<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T: diesel::query_builder::Query> diesel::query_builder::Query for WithTail<T> {
    type SqlType = T::SqlType;
}

impl<T> RunQueryDsl<Conn> for WithTail<T> {}
