//! A database of a test's own: a file, or a database on the server that `TEST_DATABASE_URL` names. What it is asked
//! here goes past the program. The gateways and programs on it are in `support`.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use switchyard::config::Settings;
use switchyard::domain::secrets::random_hex;
use switchyard::store::Target;

use crate::support::program;

/// Dropped with all that is in it.
pub struct TestDatabase {
    pub target: Target,
    pub directory: PathBuf,
}

impl TestDatabase {
    /// A database with all tables. On PostgreSQL it is a copy of one that was migrated once: to make all tables anew
    /// takes the server three times as long as a copy.
    pub fn new() -> Self {
        static TEMPLATE: OnceLock<Option<String>> = OnceLock::new();
        match TEMPLATE.get_or_init(|| server().map(|server| template_on(&server))) {
            Some(template) => Self::on_postgres(template),
            None => Self::empty(),
        }
    }

    /// A database that nothing has touched yet; on SQLite not even a file.
    pub fn empty() -> Self {
        if server().is_some() {
            return Self::on_postgres("template1");
        }
        let directory = new_directory();
        Self { target: Target::Sqlite(directory.join("switchyard.db")), directory }
    }

    fn on_postgres(template: &str) -> Self {
        let server = server().unwrap();
        let name = format!("test_{}", random_hex(8));
        execute_on_postgres(&server, &format!("CREATE DATABASE {name} TEMPLATE {template}"));
        Self { target: Target::Postgres(named(&server, &name)), directory: new_directory() }
    }

    /// The database's URL, as a setting.
    pub fn url(&self) -> String {
        match &self.target {
            Target::Sqlite(path) => format!("sqlite:{}", path.display()),
            Target::Postgres(url) => url.clone(),
        }
    }

    /// Settings for a gateway on this database, on a free port, whose events may go to this machine.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::in_directory(&self.directory).unwrap();
        settings.database = self.target.clone();
        settings.bind = "127.0.0.1:0".parse().unwrap();
        settings.workers = 1;
        settings.read_connections = 2;
        settings.webhooks_allow_private = true;
        settings
    }

    /// The number that a query answers with.
    pub fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            number: i64,
        }
        let sql = format!("SELECT CAST(({sql}) AS BIGINT) AS number");
        let row: Row = match &self.target {
            Target::Sqlite(path) => diesel::sql_query(sql).get_result(&mut on_sqlite(path)).unwrap(),
            Target::Postgres(url) => {
                diesel::sql_query(sql).get_result(&mut PgConnection::establish(url).unwrap()).unwrap()
            }
        };
        row.number
    }

    /// Runs a statement; the error is the database's own text.
    pub fn execute(&self, sql: &str) -> Result<usize, String> {
        let outcome = match &self.target {
            Target::Sqlite(path) => diesel::sql_query(sql).execute(&mut on_sqlite(path)),
            Target::Postgres(url) => diesel::sql_query(sql).execute(&mut PgConnection::establish(url).unwrap()),
        };
        outcome.map_err(|error| error.to_string())
    }

    /// Takes a trigger away, as somebody with the database's password can.
    pub fn without_trigger(&self, table: &str, trigger: &str) {
        let on_table = if matches!(self.target, Target::Sqlite(_)) { String::new() } else { format!(" ON {table}") };
        self.execute(&format!("DROP TRIGGER {trigger}{on_table}")).unwrap();
    }

    /// How the database writes what is true.
    pub fn truth(&self) -> &'static str {
        if matches!(self.target, Target::Sqlite(_)) { "1" } else { "TRUE" }
    }

    /// The names of a table's columns.
    pub fn columns_of(&self, table: &str) -> Vec<String> {
        self.texts(&match self.target {
            Target::Sqlite(_) => format!("SELECT name AS text FROM pragma_table_info('{table}')"),
            Target::Postgres(_) => format!(
                "SELECT column_name::text AS text FROM information_schema.columns
                 WHERE table_name = '{table}' AND table_schema = current_schema() ORDER BY ordinal_position"
            ),
        })
    }

    /// The texts that a query answers with, in a column named `text`.
    pub fn texts(&self, sql: &str) -> Vec<String> {
        let rows: Vec<Text> = match &self.target {
            Target::Sqlite(path) => diesel::sql_query(sql).load(&mut on_sqlite(path)).unwrap(),
            Target::Postgres(url) => diesel::sql_query(sql).load(&mut PgConnection::establish(url).unwrap()).unwrap(),
        };
        rows.into_iter().map(|row| row.text).collect()
    }
}

#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = diesel::sql_types::Text)]
    text: String,
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.directory);
        if let Target::Postgres(url) = &self.target {
            let (_, name) = url.rsplit_once('/').unwrap();
            let name = name.split('?').next().unwrap();
            let drop = format!("DROP DATABASE {name} WITH (FORCE)");
            let dropped =
                PgConnection::establish(&server().unwrap()).is_ok_and(|mut conn| conn.batch_execute(&drop).is_ok());
            // A second panic would end all tests, and hide what the first one says.
            assert!(dropped || std::thread::panicking(), "the database {name} could not be dropped");
        }
    }
}

/// The server of the tests' databases, by the URL of a database on it.
fn server() -> Option<String> {
    std::env::var("TEST_DATABASE_URL").ok()
}

/// The URL of another database on a server.
fn named(server: &str, database: &str) -> String {
    let mut url = url::Url::parse(server).unwrap();
    url.set_path(database);
    url.to_string()
}

fn new_directory() -> PathBuf {
    let directory = std::env::temp_dir().join(format!("switchyard-test-{}", random_hex(8)));
    std::fs::create_dir_all(&directory).unwrap();
    directory
}

/// A database that this program has migrated, to copy. It stays for the next run of the same program, no longer.
fn template_on(server: &str) -> String {
    let built = std::fs::metadata(program().get_program()).unwrap().modified().unwrap();
    let age = built.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let (template, fresh) = (format!("test_template_{age}"), format!("test_{}", random_hex(8)));
    let mut conn = PgConnection::establish(server).unwrap();
    diesel::sql_query("SELECT pg_advisory_lock(5471)").execute(&mut conn).unwrap();
    let there = diesel::sql_query(format!("SELECT 1 FROM pg_database WHERE datname = '{template}'"));
    if there.execute(&mut conn).unwrap() == 0 {
        let old = "SELECT datname::text AS text FROM pg_database WHERE datname LIKE 'test\\_template\\_%'";
        for old in diesel::sql_query(old).load::<Text>(&mut conn).unwrap() {
            conn.batch_execute(&format!("DROP DATABASE {}", old.text)).unwrap();
        }
        conn.batch_execute(&format!("CREATE DATABASE {fresh}")).unwrap();
        let migrated = program()
            .arg("migrate")
            .current_dir(std::env::temp_dir())
            .env("SWITCHYARD__DATABASE__URL", named(server, &fresh))
            .output()
            .unwrap();
        assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
        // Its name says that it is whole.
        conn.batch_execute(&format!("ALTER DATABASE {fresh} RENAME TO {template}")).unwrap();
    }
    template
}

fn on_sqlite(path: &Path) -> SqliteConnection {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    conn.batch_execute("PRAGMA busy_timeout=5000; PRAGMA foreign_keys=ON").unwrap();
    conn
}

fn execute_on_postgres(url: &str, sql: &str) {
    PgConnection::establish(url).unwrap().batch_execute(sql).unwrap();
}
