//! Copies of an embedded database: taken while a server runs, and put back. PostgreSQL's are its own tools' business.
//!
//! The sealing key is never in a copy: whoever finds one has addresses of buyers, but no secret.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{OpenError, key_file};
use crate::clock::Clock;
use crate::config::Settings;
use crate::store::{StoreError, Target, backup};

/// Copies the database, as it is at one moment, to a new file that its owner alone can read. Servers go on. `tell` hears
/// now and then how many bytes of about how many are written. Answers the size of the copy in bytes.
///
/// # Errors
/// When the database is not an SQLite file, or the copy cannot be made; nothing is left of it then.
pub async fn back_up(settings: &Settings, to: &Path, tell: &mut dyn FnMut(u64, u64)) -> Result<u64, OpenError> {
    let target = settings.database.clone();
    let total = backup::size(&target)?;
    let partial = backup::partial(to);
    let to = to.to_owned();
    let mut copying = tokio::task::spawn_blocking(move || backup::copy(&target, &to));
    loop {
        tokio::select! {
            done = &mut copying => return Ok(done.map_err(|_| StoreError::Panicked)??),
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                tell(std::fs::metadata(&partial).map_or(0, |partial| partial.len()), total);
            }
        }
    }
}

/// Puts a copy in the database's place, after having seen that it is sound, that this version knows its schema, and that
/// the sealing key opens its secrets. The database before, if there was one, is kept beside it; answers where.
///
/// # Errors
/// Saying which of these is not so, or that a process has the database open. Nothing has changed then.
pub fn restore(settings: &Settings, clock: &Clock, from: &Path) -> Result<Option<PathBuf>, OpenError> {
    if let Target::Postgres(_) = settings.database {
        return Err(backup::not_sqlite().into());
    }
    let secrets = backup::inspect(from)?;
    let sealer = key_file::existing_sealer(settings)?;
    let opens = |(name, sealed): &(String, String)| sealer.open(super::install_secret_place(name), sealed).is_ok();
    if !secrets.iter().all(opens) {
        let what = "the sealing key is not that of the server that the backup was taken of: set secrets.key or \
                    secrets.key_file to it";
        return Err(OpenError::Key(what.to_owned()));
    }
    Ok(backup::replace(&settings.database, from, &clock.now().to_rfc3339().replace(':', "-"))?)
}
