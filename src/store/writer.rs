//! Writer lanes: every waiting unit of work goes into one transaction, one commit makes them all durable, then
//! all are answered. A commit costs a disk flush; sharing it is what makes durable writes fast.
//!
//! A batch is tried as a whole first. If one unit fails, the batch is rolled back and each unit runs in a
//! transaction of its own, so a unit's error or panic undoes its own work alone.

use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::result::{DatabaseErrorKind, Error as DieselError};
use tokio::sync::{Notify, mpsc, oneshot};

use super::{Access, Conn, StoreError, StoreResult, Target, payment_days};

/// Units of work that may wait in one lane; more are refused at once, which is better than a time-out later.
const QUEUE_LENGTH: usize = 2048;

/// Units of work in one transaction.
const MAX_BATCH: usize = 256;

/// How often a unit of work is run again after a deadlock or a serialisation failure.
const MAX_CONFLICT_RETRIES: u32 = 3;

/// Which lane a unit of work goes to. Work on the same rows shares a lane, so lanes do not wait for each other.
#[derive(Clone, Copy, Debug)]
pub enum Lane<'a> {
    /// Work about the thing with this id.
    Of(&'a str),
    /// Work that meets no other.
    Any,
}

thread_local! {
    /// Whether the transaction that this lane has open writes events.
    static WRITES_EVENTS: Cell<bool> = const { Cell::new(false) };
}

/// Notes that the open transaction writes an event: who waits for events is woken once it is committed.
pub(super) fn note_event() {
    WRITES_EVENTS.set(true);
}

trait Job: Send {
    fn run(&mut self, conn: &mut Conn) -> StoreResult<()>;
    fn answer(self: Box<Self>, error: Option<StoreError>);
}

struct Unit<T, F> {
    work: F,
    result: Option<T>,
    reply: oneshot::Sender<StoreResult<T>>,
}

impl<T, F> Job for Unit<T, F>
where
    F: Fn(&mut Conn) -> StoreResult<T> + Send,
    T: Send,
{
    fn run(&mut self, conn: &mut Conn) -> StoreResult<()> {
        let work = &self.work;
        self.result = Some(catch_unwind(AssertUnwindSafe(|| work(conn))).map_err(|_| StoreError::Panicked)??);
        Ok(())
    }

    fn answer(self: Box<Self>, error: Option<StoreError>) {
        let answer = match (error, self.result) {
            (None, Some(result)) => Ok(result),
            (Some(error), _) => Err(error),
            (None, None) => Err(StoreError::Panicked),
        };
        // A caller that went away (its client hung up) needs no answer; the work is durable all the same.
        let _ = self.reply.send(answer);
    }
}

pub(super) struct Writer {
    lanes: Vec<mpsc::Sender<Box<dyn Job>>>,
}

impl Writer {
    pub(super) fn start(target: &Target, events_written: &Arc<Notify>) -> StoreResult<Self> {
        let mut lanes = Vec::new();
        for number in 0..target.lanes() {
            let conn = target.connect(Access::Write)?;
            let (sender, receiver) = mpsc::channel(QUEUE_LENGTH);
            let lane =
                LaneThread { target: target.clone(), conn: Some(conn), events_written: Arc::clone(events_written) };
            std::thread::Builder::new()
                .name(format!("writer-{number}"))
                .spawn(move || lane.serve(receiver))
                .map_err(|error| StoreError::Unavailable(format!("cannot start a writer thread: {error}")))?;
            lanes.push(sender);
        }
        Ok(Self { lanes })
    }

    pub(super) async fn run<T, F>(&self, lane: Lane<'_>, work: F) -> StoreResult<T>
    where
        F: Fn(&mut Conn) -> StoreResult<T> + Send + 'static,
        T: Send + 'static,
    {
        let index = match lane {
            Lane::Any => 0,
            Lane::Of(id) => {
                let mut hasher = DefaultHasher::new();
                id.hash(&mut hasher);
                usize::try_from(hasher.finish() % self.lanes.len() as u64).unwrap_or(0)
            }
        };
        let (reply, answer) = oneshot::channel();
        let unit = Unit { work, result: None, reply };
        self.lanes[index].try_send(Box::new(unit)).map_err(|_| StoreError::Busy)?;
        answer.await.map_err(|_| StoreError::Panicked)?
    }
}

struct LaneThread {
    target: Target,
    conn: Option<Conn>,
    events_written: Arc<Notify>,
}

impl LaneThread {
    /// Serves until the store is dropped.
    fn serve(mut self, mut receiver: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch: Vec<Box<dyn Job>> = Vec::with_capacity(MAX_BATCH);
        while let Some(first) = receiver.blocking_recv() {
            let started = Instant::now();
            batch.push(first);
            while batch.len() < MAX_BATCH
                && let Ok(next) = receiver.try_recv()
            {
                batch.push(next);
            }
            metrics::histogram!("switchyard_write_batch_size").record(batch.len() as f64);
            match self.in_one_transaction(&mut batch) {
                Ok(()) => batch.drain(..).for_each(|job| job.answer(None)),
                Err(_) if batch.len() == 1 && self.conn.is_none() => {
                    batch.drain(..).for_each(|job| job.answer(Some(self.gone())));
                }
                Err(_) => {
                    for mut job in batch.drain(..) {
                        let outcome = self.by_itself(&mut job);
                        job.answer(outcome.err());
                    }
                }
            }
            metrics::histogram!("switchyard_write_seconds").record(started.elapsed().as_secs_f64());
        }
    }

    fn gone(&self) -> StoreError {
        StoreError::Unavailable(format!("the connection to {} was lost", self.target.describe()))
    }

    fn by_itself(&mut self, job: &mut Box<dyn Job>) -> StoreResult<()> {
        let mut retries = 0;
        loop {
            match self.in_one_transaction(std::slice::from_mut(job)) {
                Err(error) if retries < MAX_CONFLICT_RETRIES && is_conflict(&error) => retries += 1,
                outcome => return outcome,
            }
        }
    }

    fn in_one_transaction(&mut self, jobs: &mut [Box<dyn Job>]) -> StoreResult<()> {
        let mut conn = match self.conn.take() {
            Some(conn) => conn,
            None => self.target.connect(Access::Write)?,
        };
        let outcome = transact(&mut conn, jobs);
        match outcome {
            Ok(()) => {
                self.conn = Some(conn);
                if WRITES_EVENTS.get() {
                    self.events_written.notify_one();
                }
                Ok(())
            }
            Err(error) => {
                if let StoreError::Query(query_error) = &error {
                    stop_if_the_disk_lies(query_error);
                }
                // A connection that cannot roll back is dead, or in a state nobody knows: drop it.
                if conn.batch_execute("ROLLBACK").is_ok() {
                    self.conn = Some(conn);
                }
                Err(error.or_unavailable())
            }
        }
    }
}

fn transact(conn: &mut Conn, jobs: &mut [Box<dyn Job>]) -> StoreResult<()> {
    let begin = match conn {
        // A deferred transaction that reads before it writes loses against another writer.
        Conn::Sqlite(_) => "BEGIN IMMEDIATE",
        Conn::Postgres(_) => "BEGIN",
    };
    conn.batch_execute(begin)?;
    payment_days::begin();
    WRITES_EVENTS.set(false);
    for job in jobs {
        job.run(conn)?;
    }
    payment_days::write(conn)?;
    conn.batch_execute("COMMIT")?;
    Ok(())
}

fn is_conflict(error: &StoreError) -> bool {
    match error {
        StoreError::Raced => true,
        StoreError::Query(DieselError::DatabaseError(DatabaseErrorKind::SerializationFailure, _)) => true,
        StoreError::Query(DieselError::DatabaseError(_, information)) => {
            information.message().contains("deadlock detected")
        }
        _ => false,
    }
}

/// After a failed flush Linux may drop the dirty pages and let a second flush succeed. What is on the disk is then
/// unknown, so the only safe thing is to stop and let the start-up recovery read what is really there.
fn stop_if_the_disk_lies(error: &DieselError) {
    if let DieselError::DatabaseError(_, information) = error
        && information.message() == "disk I/O error"
    {
        tracing::error!("the disk failed to store a commit; stopping, because nothing can be trusted until a restart");
        std::process::abort();
    }
}
