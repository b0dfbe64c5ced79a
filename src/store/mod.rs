//! SQL, and nothing that is not SQL: two databases behind one text.
//!
//! Reads go through a pool on blocking threads; writes go through the lanes in [`writer`], which commit in groups.
//! One file for each noun holds its queries. What a payment may do is not decided here: see `crate::domain`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio::sync::Notify;

pub mod across;
pub mod api_keys;
pub mod apps;
pub mod attention_notes;
pub mod audit;
pub mod backup;
pub mod checkpoints;
pub mod columns;
pub mod customers;
pub mod deliveries;
pub mod delta_entries;
pub mod deltas;
pub mod environments;
pub mod event_stream;
pub mod events;
pub mod inbox;
pub mod install;
pub mod invoice_schema;
pub mod invoices;
pub mod ledger_audit;
pub mod ledger_customers;
pub mod ledger_schema;
pub mod ledgers;
pub mod mails;
pub mod members;
mod migrations;
pub mod mock;
mod page;
pub mod payment_days;
pub mod payment_links;
pub mod payment_metadata;
pub mod payments;
pub mod provider_accounts;
mod reader;
pub mod refunds;
pub mod requests;
pub mod schema;
pub mod scratch;
pub mod sessions;
pub mod settlements;
pub mod spool;
mod sql;
pub mod subscriptions;
pub mod tenants;
pub mod test_inbox;
pub mod usage;
pub mod users;
pub mod webhook_endpoints;
mod writer;
pub mod writes;

pub use page::Page;
pub use writer::Lane;

/// A connection to either database.
#[derive(diesel::MultiConnection)]
pub enum Conn {
    /// Embedded SQLite.
    Sqlite(diesel::SqliteConnection),
    /// A PostgreSQL server.
    Postgres(diesel::PgConnection),
}

/// What a storage operation could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or it refused to go on (a full disk, a lost connection).
    #[error("database unavailable: {0}")]
    Unavailable(String),
    /// More work is waiting than can be done in time.
    #[error("database busy: the queue of writes is full")]
    Busy,
    /// A statement failed: a fault of ours, or a constraint that caught one.
    #[error("database error: {0}")]
    Query(#[from] diesel::result::Error),
    /// A unit of work panicked.
    #[error("a unit of work panicked")]
    Panicked,
    /// An amount would not fit. Nothing was written.
    #[error("an amount does not fit")]
    Overflow,
    /// A row that must be there is not.
    #[error("a row is missing")]
    Missing,
    /// Another process did the same at the same moment; the unit of work is run again.
    #[error("another process did the same at the same moment")]
    Raced,
    /// A copy of the database could not be taken or put back.
    #[error("{0}")]
    Copy(String),
    /// The schema could not be brought up to date.
    #[error("migration failed: {0}")]
    Migration(String),
}

impl StoreError {
    /// This error, or [`StoreError::Unavailable`] where it says 'not now' and not 'never'.
    fn or_unavailable(self) -> Self {
        const SIGNS: [&str; 10] = [
            "database or disk is full",
            "database is locked",
            "disk I/O error",
            "server closed the connection",
            "no connection to the server",
            "terminating connection",
            "connection not open",
            "could not extend file",
            "lock timeout",
            "the database system is",
        ];
        match &self {
            Self::Query(DieselError::DatabaseError(kind, information))
                if matches!(kind, DatabaseErrorKind::ClosedConnection)
                    || SIGNS.iter().any(|sign| information.message().contains(sign)) =>
            {
                Self::Unavailable(information.message().lines().next().unwrap_or_default().to_owned())
            }
            _ => self,
        }
    }
}

/// What the storage layer answers with.
pub type StoreResult<T> = Result<T, StoreError>;

/// Which database, and where: chosen by the URL's scheme, never by trying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// `sqlite:path/to/file.db`
    Sqlite(PathBuf),
    /// `postgres://…`
    Postgres(String),
}

impl Target {
    /// The database that `url` names; `None` when its scheme is neither.
    #[must_use]
    pub fn parse(url: &str) -> Option<Self> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return (!path.is_empty()).then(|| Self::Sqlite(PathBuf::from(path)));
        }
        let is_postgres = url.starts_with("postgres://") || url.starts_with("postgresql://");
        is_postgres.then(|| Self::Postgres(url.to_owned()))
    }

    /// The kind of database, for `/info`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }

    /// Where it is, without a password, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite:{}", path.display()),
            Self::Postgres(url) => match readable(url) {
                Some(url) => format!(
                    "postgres://{}:{}{}",
                    url.host_str().unwrap_or("localhost"),
                    url.port().unwrap_or(5432),
                    url.path()
                ),
                None => "postgres:// (unreadable URL)".to_owned(),
            },
        }
    }

    /// How many writer lanes suit it: SQLite has one writer, PostgreSQL gains from a few.
    const fn lanes(&self) -> usize {
        match self {
            Self::Sqlite(_) => 1,
            Self::Postgres(_) => 4,
        }
    }

    fn connect(&self, access: Access) -> StoreResult<Conn> {
        let unavailable = |error: &dyn std::fmt::Display| {
            StoreError::Unavailable(format!("cannot open {}: {}", self.describe(), error.to_string().trim()))
        };
        match self {
            Self::Sqlite(path) => {
                create_parent(path).map_err(|error| unavailable(&error))?;
                let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy())
                    .map_err(|error| unavailable(&error))?;
                conn.batch_execute(access.sqlite_pragmas()).map_err(|error| unavailable(&error))?;
                Ok(Conn::Sqlite(conn))
            }
            Self::Postgres(url) => {
                // The driver quotes parts of a URL that it cannot read, and a password has no place in an error.
                if readable(url).is_none() {
                    let cure = "percent-encode what is neither letter nor digit in its user name and password";
                    return Err(unavailable(&cure));
                }
                let mut conn =
                    diesel::PgConnection::establish(&with_connect_timeout(url)).map_err(|error| unavailable(&error))?;
                conn.batch_execute(access.postgres_settings()).map_err(|error| unavailable(&error))?;
                Ok(Conn::Postgres(conn))
            }
        }
    }
}

/// The URL of a PostgreSQL database, if its user name and password are written as a URL has them.
fn readable(url: &str) -> Option<url::Url> {
    let (_, rest) = url.split_once("://")?;
    let authority_end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, tail) = rest.split_at(authority_end);
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-._~%:!$&'()*+,;=".contains(character);
    let is_encoded = |user: &str| {
        user.split('%').skip(1).all(|code| code.len() >= 2 && code.as_bytes()[..2].iter().all(u8::is_ascii_hexdigit))
    };
    let is_readable =
        user.chars().all(is_plain) && user.matches(':').count() <= 1 && is_encoded(user) && !tail.contains('@');
    url::Url::parse(url).ok().filter(|_| is_readable)
}

/// A server that does not answer must not hold up a start for minutes.
fn with_connect_timeout(url: &str) -> String {
    if url.contains("connect_timeout=") {
        return url.to_owned();
    }
    let joiner = if url.contains('?') { '&' } else { '?' };
    format!("{url}{joiner}connect_timeout=5")
}

fn create_parent(path: &Path) -> std::io::Result<()> {
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => std::fs::create_dir_all(parent),
        None => Ok(()),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

impl Access {
    const fn sqlite_pragmas(self) -> &'static str {
        match self {
            // FULL: an acknowledged write survives the loss of power. The writer's cache is larger because
            // it alone touches the pages that every insert touches.
            Self::Write => {
                "PRAGMA busy_timeout=5000; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; \
                 PRAGMA recursive_triggers=ON; PRAGMA trusted_schema=OFF; PRAGMA cache_size=-8000; \
                 PRAGMA wal_autocheckpoint=4000; PRAGMA journal_size_limit=67108864; PRAGMA temp_store=MEMORY;"
            }
            Self::Read => {
                "PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON; PRAGMA trusted_schema=OFF; \
                 PRAGMA cache_size=-2000; PRAGMA temp_store=MEMORY; PRAGMA query_only=ON;"
            }
        }
    }

    const fn postgres_settings(self) -> &'static str {
        // Every query has an index, and a table that has just grown has no statistics yet: without them the planner
        // believes that it is small, and reads all of it.
        match self {
            Self::Write => {
                "SET statement_timeout='15s'; SET lock_timeout='5s'; SET idle_in_transaction_session_timeout='30s'; \
                 SET synchronous_commit=on; SET client_min_messages=warning; SET enable_seqscan=off; SET jit=off;"
            }
            Self::Read => {
                "SET statement_timeout='15s'; SET default_transaction_read_only=on; SET client_min_messages=warning; \
                 SET enable_seqscan=off; SET jit=off;"
            }
        }
    }
}

/// The database: a pool to read from and lanes to write through.
pub struct Store {
    target: Target,
    reader: reader::Reader,
    writer: writer::Writer,
    events_written: Arc<Notify>,
}

impl Store {
    /// Opens the database, which must exist and be up to date: see [`Store::migrate`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] naming the database when it cannot be reached.
    pub fn open(target: Target, read_connections: u32) -> StoreResult<Self> {
        let events_written = Arc::new(Notify::new());
        let writer = writer::Writer::start(&target, &events_written)?;
        let reader = reader::Reader::start(&target, read_connections)?;
        Ok(Self { target, reader, writer, events_written })
    }

    /// Brings the schema up to date under a lock that other processes respect; says what it ran.
    ///
    /// # Errors
    /// When the database cannot be reached or a migration fails.
    pub fn migrate(target: &Target) -> StoreResult<Vec<String>> {
        // Before the first connection: turning a new file's journal to WAL waits for no one.
        let _lock = migrations::lock(target)?;
        migrations::run(&mut target.connect(Access::Write)?)
    }

    /// The migrations that have not been run.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn pending_migrations(target: &Target) -> StoreResult<Vec<String>> {
        if let Target::Sqlite(path) = target
            && !path.exists()
        {
            return Err(StoreError::Unavailable(format!("{} does not exist yet", target.describe())));
        }
        migrations::pending(&mut target.connect(Access::Write)?)
    }

    /// Settings of the database server under which an acknowledged commit could be lost.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn durability_faults(target: &Target) -> StoreResult<Vec<String>> {
        #[derive(QueryableByName)]
        struct Setting {
            #[diesel(sql_type = diesel::sql_types::Text)]
            name: String,
            #[diesel(sql_type = diesel::sql_types::Text)]
            setting: String,
        }
        let mut conn = target.connect(Access::Write)?;
        if matches!(conn, Conn::Sqlite(_)) {
            return Ok(Vec::new());
        }
        let settings: Vec<Setting> = diesel::sql_query(
            "SELECT name, setting FROM pg_settings WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit')",
        )
        .load(&mut conn)?;
        let off = settings.into_iter().filter(|row| row.setting == "off");
        Ok(off.map(|row| format!("{} is off: an acknowledged commit can be lost", row.name)).collect())
    }

    /// Which database this is.
    #[must_use]
    pub const fn target(&self) -> &Target {
        &self.target
    }

    /// Waits until this process has committed events since it was asked last.
    pub async fn events_written(&self) {
        self.events_written.notified().await;
    }

    /// Runs `work` on a read connection, on a thread of the reader's own.
    ///
    /// # Errors
    /// Whatever `work` answers, or [`StoreError::Unavailable`].
    pub async fn read<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&mut Conn) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.reader.run(work).await
    }

    /// Runs `work` in a transaction on the lane that `lane` picks and answers once it is durable.
    ///
    /// `work` may run more than once: when another unit of work of its batch fails, the batch is rolled back and
    /// each unit runs by itself. It must have no effect but on the connection. A refusal that is no fault belongs
    /// in `T`, before the first write: an `Err` undoes the whole batch first.
    ///
    /// # Errors
    /// Whatever `work` answers; [`StoreError::Busy`] when the queue is full; [`StoreError::Unavailable`].
    pub async fn write<T, F>(&self, lane: Lane<'_>, work: F) -> StoreResult<T>
    where
        F: Fn(&mut Conn) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        self.writer.run(lane, work).await
    }
}
