//! A database of one task's own, which lives in a little memory and a file that nobody sees and that goes with it: sets
//! that may be larger than memory. It is always SQLite, whatever the gateway's own database is.

use std::collections::HashSet;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;

use super::{StoreError, StoreResult};

/// Keys in one question.
const CHUNK: usize = 500;

diesel::table! { seen (key) { key -> Binary, } }
diesel::table! { met (key) { key -> Binary, } }

/// Two sets of 16-byte keys.
pub struct Scratch(SqliteConnection);

impl Scratch {
    /// Two empty sets.
    ///
    /// # Errors
    /// When there is no room for temporary files.
    pub fn open() -> StoreResult<Self> {
        // An empty name is a private file, which SQLite deletes when it is closed.
        let mut conn = SqliteConnection::establish("").map_err(|error| StoreError::Unavailable(error.to_string()))?;
        // One transaction that is never committed: nothing of it is to outlive the task.
        conn.batch_execute(
            "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-12000; PRAGMA temp_store=FILE;
             CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID; CREATE TABLE met (key BLOB PRIMARY KEY) WITHOUT ROWID;
             BEGIN",
        )?;
        Ok(Self(conn))
    }

    /// Puts a key into the first set; says whether it was not in it.
    pub fn see(&mut self, key: &[u8; 16]) -> StoreResult<bool> {
        let insert = diesel::insert_or_ignore_into(seen::table).values(seen::key.eq(key.as_slice()));
        Ok(insert.execute(&mut self.0)? > 0)
    }

    /// Puts a key into the second set; says whether it was not in it.
    pub fn meet(&mut self, key: &[u8; 16]) -> StoreResult<bool> {
        let insert = diesel::insert_or_ignore_into(met::table).values(met::key.eq(key.as_slice()));
        Ok(insert.execute(&mut self.0)? > 0)
    }

    /// Those of the keys that are in the second set.
    pub fn met(&mut self, keys: &[[u8; 16]]) -> StoreResult<HashSet<Vec<u8>>> {
        let mut found = HashSet::new();
        for keys in keys.chunks(CHUNK) {
            let keys = keys.iter().map(<[u8; 16]>::as_slice);
            found.extend(met::table.filter(met::key.eq_any(keys)).select(met::key).load::<Vec<u8>>(&mut self.0)?);
        }
        Ok(found)
    }
}
