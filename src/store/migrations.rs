//! The schema's history, embedded in the binary, run by one process at a time.

use std::fs::File;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, StoreError, StoreResult, Target, create_parent, event_stream};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number, as long as it stays: the name of our advisory lock.
const POSTGRES_LOCK: &str = "7305419912018442";

/// Keeps other processes from migrating the same SQLite file until it is dropped. PostgreSQL has a lock of its own.
pub(super) fn lock(target: &Target) -> StoreResult<Option<File>> {
    let Target::Sqlite(path) = target else { return Ok(None) };
    create_parent(path).map_err(|error| failed(&error))?;
    let file = File::create(path.with_extension("migrate.lock")).map_err(|error| failed(&error))?;
    file.lock().map_err(|error| failed(&error))?;
    Ok(Some(file))
}

pub(super) fn run(conn: &mut Conn) -> StoreResult<Vec<String>> {
    match conn {
        Conn::Sqlite(conn) => run_all(conn, SQLITE),
        Conn::Postgres(conn) => {
            // A large table takes longer than any request may; so does who migrates before us.
            conn.batch_execute(&format!(
                "SET statement_timeout=0; SET lock_timeout=0; SELECT pg_advisory_lock({POSTGRES_LOCK}); SET lock_timeout='5s'"
            ))?;
            let ran = run_all(conn, POSTGRES);
            let restarted = if ran.is_ok() { event_stream::restart_positions(conn) } else { Ok(()) };
            conn.batch_execute(&format!("SELECT pg_advisory_unlock({POSTGRES_LOCK})"))?;
            restarted.and(ran)
        }
    }
}

pub(super) fn pending(conn: &mut Conn) -> StoreResult<Vec<String>> {
    match conn {
        Conn::Sqlite(conn) => names_of_pending(conn, SQLITE),
        Conn::Postgres(conn) => names_of_pending(conn, POSTGRES),
    }
}

/// Migrations that the database has had and this program does not know: a newer one made it.
pub(super) fn unknown(conn: &mut Conn) -> StoreResult<Vec<String>> {
    match conn {
        Conn::Sqlite(conn) => names_of_unknown(conn, SQLITE),
        Conn::Postgres(conn) => names_of_unknown(conn, POSTGRES),
    }
}

fn failed(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Migration(error.to_string())
}

fn run_all<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
) -> StoreResult<Vec<String>> {
    let ran = conn.run_pending_migrations(source).map_err(|error| failed(&error))?;
    Ok(ran.iter().map(ToString::to_string).collect())
}

fn names_of_pending<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
) -> StoreResult<Vec<String>>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let pending: Vec<Box<dyn Migration<DB>>> = conn.pending_migrations(source).map_err(|error| failed(&error))?;
    Ok(pending.iter().map(|migration| migration.name().version().to_string()).collect())
}

fn names_of_unknown<DB: diesel::backend::Backend>(
    conn: &mut impl MigrationHarness<DB>,
    source: EmbeddedMigrations,
) -> StoreResult<Vec<String>>
where
    EmbeddedMigrations: MigrationSource<DB>,
{
    let known: Vec<Box<dyn Migration<DB>>> = source.migrations().map_err(|error| failed(&error))?;
    let had = conn.applied_migrations().map_err(|error| failed(&error))?;
    let is_known = |version: &_| known.iter().any(|migration| migration.name().version() == *version);
    Ok(had.into_iter().filter(|version| !is_known(version)).map(|version| version.to_string()).collect())
}
