//! The schema's history, embedded in the binary, run by one process at a time.

use std::fs::File;

use diesel::connection::SimpleConnection;
use diesel::migration::{Migration, MigrationSource};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use super::{Conn, StoreError, StoreResult, Target};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// Any number, as long as it stays: the name of our advisory lock.
const POSTGRES_LOCK: &str = "7305419912018442";

pub(super) fn run(target: &Target, conn: &mut Conn) -> StoreResult<Vec<String>> {
    match (target, conn) {
        (Target::Sqlite(path), Conn::Sqlite(conn)) => {
            let lock_path = path.with_extension("migrate.lock");
            let lock = File::create(&lock_path).map_err(|error| failed(&error))?;
            lock.lock().map_err(|error| failed(&error))?;
            run_all(conn, SQLITE)
        }
        (_, Conn::Postgres(conn)) => {
            conn.batch_execute(&format!("SELECT pg_advisory_lock({POSTGRES_LOCK})"))?;
            let ran = run_all(conn, POSTGRES);
            conn.batch_execute(&format!("SELECT pg_advisory_unlock({POSTGRES_LOCK})"))?;
            ran
        }
        _ => Err(failed(&"the connection is not of the database that the URL names")),
    }
}

pub(super) fn pending(conn: &mut Conn) -> StoreResult<Vec<String>> {
    match conn {
        Conn::Sqlite(conn) => names_of_pending(conn, SQLITE),
        Conn::Postgres(conn) => names_of_pending(conn, POSTGRES),
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
