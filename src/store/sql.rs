//! Fragments of SQL that both databases understand and diesel's common denominator lacks.
//!
//! A fragment is a type and not a text, so that a statement keeps its identity and is compiled once per connection.

use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::Sqlite;
use diesel::{PgConnection, QueryResult, RunQueryDsl, SqliteConnection};

use super::{Conn, MultiBackend};

/// What is appended to a statement.
pub trait Tail: 'static {
    /// The SQL, with a space before it.
    const SQL: &'static str;
    /// Whether SQLite gets it too.
    const ON_SQLITE: bool;
}

macro_rules! tails {
    ($($(#[$doc:meta])* $name:ident = $sql:literal, on_sqlite: $on_sqlite:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub struct $name;
        impl Tail for $name {
            const SQL: &'static str = $sql;
            const ON_SQLITE: bool = $on_sqlite;
        }
    )+};
}

tails! {
    /// The number of rows tells whether it was new.
    OrIgnore = " ON CONFLICT DO NOTHING", on_sqlite: true;
    /// Locks rows where rows have locks. SQLite's write transaction has the whole database.
    ForUpdate = " FOR UPDATE", on_sqlite: false;
    /// As [`ForUpdate`], and rows that another process works on are passed over.
    ForUpdateSkipLocked = " FOR UPDATE SKIP LOCKED", on_sqlite: false;
}

/// A statement with a tail.
#[derive(Debug, Clone, Copy)]
pub struct WithTail<T, U>(T, PhantomData<U>);

/// `statement` with the tail `U`.
pub fn with_tail<U: Tail, T>(statement: T) -> WithTail<T, U> {
    WithTail(statement, PhantomData)
}

/// `… ON CONFLICT DO NOTHING`.
pub fn or_ignore<T>(statement: T) -> WithTail<T, OrIgnore> {
    with_tail(statement)
}

/// `… FOR UPDATE`.
pub fn for_update<T>(statement: T) -> WithTail<T, ForUpdate> {
    with_tail(statement)
}

/// `… FOR UPDATE SKIP LOCKED`.
pub fn for_update_skip_locked<T>(statement: T) -> WithTail<T, ForUpdateSkipLocked> {
    with_tail(statement)
}

macro_rules! walk_with_tail {
    ($($backend:ty: $is_sqlite:expr),+ $(,)?) => {$(
        impl<T: QueryFragment<$backend>, U: Tail> QueryFragment<$backend> for WithTail<T, U> {
            fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, $backend>) -> QueryResult<()> {
                self.0.walk_ast(out.reborrow())?;
                let is_sqlite: fn(&$backend) -> bool = $is_sqlite;
                if U::ON_SQLITE || !is_sqlite(out.backend()) {
                    out.push_sql(U::SQL);
                }
                Ok(())
            }
        }
    )+};
}

walk_with_tail! {
    Sqlite: |_| true,
    Pg: |_| false,
    MultiBackend: |backend| matches!(backend, MultiBackend::Sqlite(_)),
}

impl<T: QueryId, U: Tail> QueryId for WithTail<T, U> {
    type QueryId = WithTail<T::QueryId, U>;
    const HAS_STATIC_QUERY_ID: bool = T::HAS_STATIC_QUERY_ID;
}

impl<T: diesel::query_builder::Query, U> diesel::query_builder::Query for WithTail<T, U> {
    type SqlType = T::SqlType;
}

impl<T, U> RunQueryDsl<Conn> for WithTail<T, U> {}
impl<T, U> RunQueryDsl<SqliteConnection> for WithTail<T, U> {}
impl<T, U> RunQueryDsl<PgConnection> for WithTail<T, U> {}

/// Runs a statement on the connection inside. The connection over both databases writes a statement's text anew each
/// time that it runs it; the one inside does so once. For statements that every payment needs.
macro_rules! inside {
    ($conn:expr, |$inner:ident| $statement:expr) => {
        match $conn {
            crate::store::Conn::Sqlite($inner) => $statement,
            crate::store::Conn::Postgres($inner) => $statement,
        }
    };
}
pub(super) use inside;

/// A condition with its values written out. A partial index is used only by a statement that can be seen to lie within
/// it, and a bound value cannot be seen when the statement is compiled.
macro_rules! condition {
    ($(#[$doc:meta])* $name:ident = $sql:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, diesel::query_builder::QueryId)]
        pub(super) struct $name;

        impl diesel::Expression for $name {
            type SqlType = diesel::sql_types::Bool;
        }
        impl<Source> diesel::AppearsOnTable<Source> for $name {}
        impl<Source> diesel::SelectableExpression<Source> for $name {}
        impl<Grouping> diesel::expression::ValidGrouping<Grouping> for $name {
            type IsAggregate = diesel::expression::is_aggregate::Never;
        }
        impl<DB: diesel::backend::Backend> diesel::query_builder::QueryFragment<DB> for $name {
            fn walk_ast<'b>(
                &'b self,
                mut out: diesel::query_builder::AstPass<'_, 'b, DB>,
            ) -> diesel::QueryResult<()> {
                out.push_sql($sql);
                Ok(())
            }
        }
    };
}
pub(super) use condition;
