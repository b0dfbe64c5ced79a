//! Whether the server holds a transaction open at PostgreSQL while it waits for a provider.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use diesel::prelude::*;

/// Between two statements of one transaction a session is idle for a moment. Longer than this, it waits for something
/// else; a provider takes some 120 ms.
pub const LONG_MS: u64 = 50;

const BETWEEN_SAMPLES: Duration = Duration::from_millis(20);

/// What was seen.
#[derive(Default)]
pub struct IdleSessions {
    pub samples: u64,
    /// Most sessions that were idle in a transaction at once.
    pub most: i64,
    /// Of those that had been so for long.
    pub most_for_long: i64,
}

/// Looks at the server's sessions until it is stopped.
pub struct SessionWatch {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<IdleSessions>,
}

impl SessionWatch {
    pub fn start(url: &str, application_name: &str) -> Self {
        let stopping = Arc::new(AtomicBool::new(false));
        let (stop, url) = (Arc::clone(&stopping), url.to_owned());
        let sql = format!(
            "SELECT COUNT(*) AS idle, COUNT(*) FILTER (WHERE clock_timestamp() - state_change > interval '{LONG_MS} \
             milliseconds') AS for_long FROM pg_stat_activity WHERE datname = current_database() AND \
             application_name = '{application_name}' AND state LIKE 'idle in transaction%'"
        );
        let thread = std::thread::spawn(move || watch(&url, &sql, &stop));
        Self { stopping, thread }
    }

    pub fn stop(self) -> IdleSessions {
        self.stopping.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

fn watch(url: &str, sql: &str, stop: &AtomicBool) -> IdleSessions {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        idle: i64,
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        for_long: i64,
    }
    let mut conn = diesel::PgConnection::establish(url).unwrap();
    let mut seen = IdleSessions::default();
    while !stop.load(Ordering::Relaxed) {
        let row: Row = diesel::sql_query(sql).get_result(&mut conn).unwrap();
        seen.samples += 1;
        seen.most = seen.most.max(row.idle);
        seen.most_for_long = seen.most_for_long.max(row.for_long);
        std::thread::sleep(BETWEEN_SAMPLES);
    }
    seen
}
