//! Reading: a few threads with pooled connections, which never wait for writers.
//!
//! A thread keeps its connection while there is more to read, so a busy server hands a query over without waking
//! anyone, and gives it back to the pool when it is idle, where it is looked after.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, TrySendError};
use diesel::connection::SimpleConnection;
use tokio::sync::oneshot;

use super::{Access, Conn, StoreError, StoreResult, Target};

/// Queries that may wait; more are refused at once, which is better than a time-out later.
const QUEUE_LENGTH: usize = 4096;

/// How long a thread waits for a connection before its query is refused.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(2);

/// A query, or what is to be told when there is no connection for it. It says whether it went well: after a failure
/// the connection is given back, so that the pool looks at it.
type Query = Box<dyn FnOnce(Result<&mut Conn, StoreError>) -> bool + Send>;

pub(super) struct Reader {
    queue: Sender<Query>,
}

impl Reader {
    pub(super) fn start(target: &Target, connections: u32) -> StoreResult<Self> {
        let pool = r2d2::Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .test_on_check_out(matches!(target, Target::Postgres(_)))
            .connection_timeout(CONNECTION_TIMEOUT)
            .error_handler(Box::new(QuietErrors))
            .build(ReadManager(target.clone()))
            .map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let (queue, queries) = crossbeam_channel::bounded(QUEUE_LENGTH);
        for number in 0..connections {
            let (pool, queries) = (pool.clone(), queries.clone());
            std::thread::Builder::new()
                .name(format!("reader-{number}"))
                .spawn(move || serve(&pool, &queries))
                .map_err(|error| StoreError::Unavailable(format!("cannot start a reader thread: {error}")))?;
        }
        Ok(Self { queue })
    }

    pub(super) async fn run<T, F>(&self, work: F) -> StoreResult<T>
    where
        F: FnOnce(&mut Conn) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let query: Query = Box::new(move |conn| {
            let result = conn
                .and_then(|conn| catch_unwind(AssertUnwindSafe(|| work(conn))).unwrap_or(Err(StoreError::Panicked)));
            let result = result.map_err(StoreError::or_unavailable);
            let went_well = result.is_ok();
            // A caller that went away needs no answer.
            let _ = reply.send(result);
            went_well
        });
        self.queue.try_send(query).map_err(|error| match error {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Panicked,
        })?;
        answer.await.map_err(|_| StoreError::Panicked)?
    }
}

/// Serves until the store is dropped.
fn serve(pool: &r2d2::Pool<ReadManager>, queries: &Receiver<Query>) {
    while let Ok(first) = queries.recv() {
        match pool.get() {
            Ok(mut conn) => {
                let mut goes_well = first(Ok(&mut conn));
                while goes_well && let Ok(next) = queries.try_recv() {
                    goes_well = next(Ok(&mut conn));
                }
            }
            Err(error) => {
                first(Err(StoreError::Unavailable(error.to_string())));
            }
        }
    }
}

/// Opens read connections for the pool, by scheme: diesel's own manager would try the variants in turn and,
/// with PostgreSQL down, open an SQLite file named after its URL.
struct ReadManager(Target);

impl r2d2::ManageConnection for ReadManager {
    type Connection = Conn;
    type Error = StoreError;

    fn connect(&self) -> StoreResult<Conn> {
        self.0.connect(Access::Read)
    }

    fn is_valid(&self, conn: &mut Conn) -> StoreResult<()> {
        conn.batch_execute("SELECT 1").map_err(StoreError::from)
    }

    fn has_broken(&self, _conn: &mut Conn) -> bool {
        std::thread::panicking()
    }
}

/// Keeps the pool's retries out of the log: the caller gets the error.
#[derive(Debug)]
struct QuietErrors;

impl r2d2::HandleError<StoreError> for QuietErrors {
    fn handle_error(&self, error: StoreError) {
        tracing::debug!(%error, "a read connection could not be opened");
    }
}
