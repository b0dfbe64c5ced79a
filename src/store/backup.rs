//! Copies of an SQLite database: one that is taken while a server writes, and one that takes a database's place.
//!
//! PostgreSQL has tools of its own for both. What a copy is called, and whether it may be used, is not decided here.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::sql_types::Text;

use super::{Access, Conn, StoreError, StoreResult, Target, migrations};

/// Writes a copy of the database to `to`, as it is at one moment, and waits until it is on the disk. Servers go on
/// reading and writing. Answers its size in bytes.
///
/// # Errors
/// When there is no such database, `to` exists or cannot be written, or the copy is not sound. Nothing is left at `to`.
pub fn copy(target: &Target, to: &Path) -> StoreResult<u64> {
    let from = sqlite_file(target)?;
    let unwritable = |error: std::io::Error| StoreError::Copy(format!("cannot write {}: {error}", to.display()));
    if to.exists() {
        return Err(StoreError::Copy(format!("{} exists; a backup never replaces a file", to.display())));
    }
    let aside = partial(to);
    let copied = (|| {
        // It has buyers' addresses in it: nobody but its owner may read it, not for a moment.
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside).map_err(unwritable)?;
        let mut conn = diesel::SqliteConnection::establish(&from.to_string_lossy())
            .map_err(|error| StoreError::Copy(format!("cannot open {}: {error}", from.display())))?;
        conn.batch_execute("PRAGMA busy_timeout=5000")?;
        diesel::sql_query("VACUUM INTO ?").bind::<Text, _>(aside.to_string_lossy()).execute(&mut conn)?;
        check(&aside)?;
        let file = File::open(&aside).map_err(unwritable)?;
        file.sync_all().map_err(unwritable)?;
        let bytes = file.metadata().map_err(unwritable)?.len();
        // Unlike a rename, a link does not replace what has come there meanwhile.
        std::fs::hard_link(&aside, to).map_err(unwritable)?;
        sync_directory(to).map_err(unwritable)?;
        Ok(bytes)
    })();
    let _ = std::fs::remove_file(&aside);
    copied
}

/// Where a copy to `to` grows until it is whole.
#[must_use]
pub fn partial(to: &Path) -> PathBuf {
    with_end(to, ".partial")
}

/// How many bytes the database holds now: about what a copy will have.
///
/// # Errors
/// When there is no such database.
pub fn size(target: &Target) -> StoreResult<u64> {
    let from = sqlite_file(target)?;
    let metadata = std::fs::metadata(&from);
    Ok(metadata.map_err(|error| StoreError::Copy(format!("cannot read {}: {error}", from.display())))?.len())
}

/// The sealed secrets of the install in the copy at `from`, by name; proof that it is a sound copy of a database that
/// this program, or an earlier one, has made.
///
/// # Errors
/// Saying what is wrong with it.
pub fn inspect(from: &Path) -> StoreResult<Vec<(String, String)>> {
    if !from.is_file() {
        return Err(StoreError::Copy(format!("there is no file {}", from.display())));
    }
    if with_end(from, "-wal").exists() {
        let what =
            format!("{} is a database in use, and part of it is in its log: take a backup of it", from.display());
        return Err(StoreError::Copy(what));
    }
    check(from)?;
    let mut conn = read_only(from)?;
    let unknown = migrations::unknown(&mut conn)
        .map_err(|_| StoreError::Copy(format!("{} is no database of Switchyard", from.display())))?;
    if let Some(name) = unknown.first() {
        let what = format!("{} was made by a newer version: migration {name} is not known", from.display());
        return Err(StoreError::Copy(what));
    }
    use super::schema::install_secrets;
    Ok(install_secrets::table.select((install_secrets::name, install_secrets::sealed)).load(&mut conn)?)
}

/// Puts a copy of the file at `from` in the database's place. A database that was there is kept beside it, with `moment`
/// in its name, which is answered.
///
/// # Errors
/// When a process has the database open, or a file cannot be written. The database is then as it was.
pub fn replace(target: &Target, from: &Path, moment: &str) -> StoreResult<Option<PathBuf>> {
    let Target::Sqlite(path) = target else { return Err(not_sqlite()) };
    // A server that starts now waits until the copy is in place.
    let _lock = migrations::lock(target)?;
    let unwritable = |error: std::io::Error| StoreError::Copy(format!("cannot write {}: {error}", path.display()));
    let aside = with_end(path, ".restoring");
    let replaced = (|| {
        let mut source = File::open(from).map_err(unwritable)?;
        let mut copy =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside).map_err(unwritable)?;
        std::io::copy(&mut source, &mut copy).map_err(unwritable)?;
        copy.sync_all().map_err(unwritable)?;
        let kept_as = path.exists().then(|| with_end(path, &format!(".before-restore-{moment}")));
        if let Some(kept_as) = &kept_as {
            close_for_others(path)?;
            // A second name, and then a rename over the first: at no moment is there no database, which a server that
            // starts would make anew.
            std::fs::hard_link(path, kept_as).map_err(unwritable)?;
        }
        if let Err(error) = std::fs::rename(&aside, path) {
            kept_as.iter().for_each(|kept_as| drop(std::fs::remove_file(kept_as)));
            return Err(unwritable(error));
        }
        sync_directory(path).map_err(unwritable)?;
        Ok(kept_as)
    })();
    let _ = std::fs::remove_file(&aside);
    replaced
}

/// Folds the write-ahead log into the file at `path`. SQLite grants that only where no other connection is open, which
/// is what tells a database that is in use.
fn close_for_others(path: &Path) -> StoreResult<()> {
    let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy())
        .map_err(|error| StoreError::Copy(format!("cannot open {}: {error}", path.display())))?;
    let mode: QueryResult<JournalMode> = diesel::sql_query("PRAGMA journal_mode=DELETE").get_result(&mut conn);
    match mode {
        Ok(mode) if mode.journal_mode == "delete" => Ok(()),
        Ok(_) | Err(diesel::result::Error::DatabaseError(..)) => {
            let what = format!("{} is in use: stop what serves it first", path.display());
            Err(StoreError::Copy(what))
        }
        Err(error) => Err(error.into()),
    }
}

#[derive(QueryableByName)]
struct JournalMode {
    #[diesel(sql_type = Text)]
    journal_mode: String,
}

/// That every page and index of the file is as SQLite wrote it.
fn check(file: &Path) -> StoreResult<()> {
    let examine = || -> Result<String, Box<dyn std::error::Error>> {
        let mut conn = diesel::SqliteConnection::establish(&file.to_string_lossy())?;
        Ok(diesel::sql_query("PRAGMA integrity_check(1)").get_result::<Integrity>(&mut conn)?.integrity_check)
    };
    let fault = match examine() {
        Ok(answer) if answer == "ok" => return Ok(()),
        Ok(answer) => answer,
        Err(error) => error.to_string(),
    };
    Err(StoreError::Copy(format!("{} is damaged: {fault}", file.display())))
}

#[derive(QueryableByName)]
struct Integrity {
    #[diesel(sql_type = Text)]
    integrity_check: String,
}

fn read_only(file: &Path) -> StoreResult<Conn> {
    Target::Sqlite(file.to_owned()).connect(Access::Read)
}

fn sqlite_file(target: &Target) -> StoreResult<PathBuf> {
    match target {
        Target::Sqlite(path) if path.exists() => Ok(path.clone()),
        Target::Sqlite(_) => Err(StoreError::Copy(format!("{} does not exist", target.describe()))),
        Target::Postgres(_) => Err(not_sqlite()),
    }
}

/// Why PostgreSQL is not copied here.
#[must_use]
pub fn not_sqlite() -> StoreError {
    StoreError::Copy("the database is PostgreSQL, which pg_dump and pg_restore copy".to_owned())
}

/// The path with `end` behind its name.
#[must_use]
pub fn with_end(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn sync_directory(file: &Path) -> std::io::Result<()> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
