//! What an operator does to the database before there is a gateway on it.

use crate::config::Settings;
use crate::store::{Store, StoreResult};

/// Brings the schema up to date; says which migrations were run.
///
/// # Errors
/// When the database cannot be reached or a migration fails.
pub fn migrate(settings: &Settings) -> StoreResult<Vec<String>> {
    Store::migrate(&settings.database)
}

/// The migrations that have not been run.
///
/// # Errors
/// When the database cannot be reached.
pub fn pending_migrations(settings: &Settings) -> StoreResult<Vec<String>> {
    Store::pending_migrations(&settings.database)
}

/// Settings of the database server under which an acknowledged commit could be lost.
///
/// # Errors
/// When the database cannot be reached.
pub fn durability_faults(settings: &Settings) -> StoreResult<Vec<String>> {
    Store::durability_faults(&settings.database)
}
