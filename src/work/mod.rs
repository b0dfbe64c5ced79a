//! The door of the clock: work that no request waits for. The list of all jobs is [`JOBS`], besides the delivery of
//! events, which has a loop of its own.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::error::Outcome;
use crate::gateway::Gateway;

mod deliver_events;

/// Waits until a job may have something to do.
type Woken = for<'a> fn(&'a Arc<Gateway>) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

type Run = fn(Arc<Gateway>) -> Pin<Box<dyn Future<Output = Outcome<usize>> + Send>>;

/// Something that is done again and again.
struct Job {
    name: &'static str,
    interval: Duration,
    woken_by: Option<Woken>,
    run: Run,
}

/// Every job. Each says how much it did; while it did something, it is run again at once.
const JOBS: [Job; 14] = [
    Job {
        name: "look for changed apps and keys",
        interval: Duration::from_millis(500),
        woken_by: None,
        run: |gateway| Box::pin(async move { Ok(gateway.refresh_directory().await.map(|()| 0)?) }),
    },
    Job {
        name: "do what the mock is to do",
        interval: Duration::from_millis(250),
        woken_by: Some(|gateway| Box::pin(async move { gateway.mock_jobs_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.run_mock_jobs().await }),
    },
    Job {
        name: "ask about quiet payments",
        interval: Duration::from_secs(1),
        woken_by: None,
        run: |gateway| Box::pin(async move { gateway.poll_due_payments().await }),
    },
    Job {
        name: "ask whether webhooks are true",
        interval: Duration::from_secs(1),
        woken_by: Some(|gateway| Box::pin(async move { gateway.confirmations_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.confirm_webhooks().await }),
    },
    Job {
        name: "note what is late and what has expired",
        interval: Duration::from_secs(1),
        woken_by: None,
        run: |gateway| {
            Box::pin(async move { Ok(gateway.mark_late_invoices().await? + gateway.expire_payment_links().await?) })
        },
    },
    Job {
        name: "ask about refunds",
        interval: Duration::from_secs(1),
        woken_by: None,
        run: |gateway| Box::pin(async move { gateway.poll_due_refunds().await }),
    },
    Job {
        name: "send mail",
        interval: Duration::from_secs(1),
        woken_by: Some(|gateway| Box::pin(async move { gateway.mails_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.send_due_mails().await }),
    },
    Job {
        name: "write down which keys were used",
        interval: Duration::from_secs(5),
        woken_by: None,
        run: |gateway| Box::pin(async move { gateway.record_key_uses().await }),
    },
    Job {
        name: "make environments",
        interval: Duration::from_secs(1),
        woken_by: Some(|gateway| Box::pin(async move { gateway.environments_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.provision_due().await }),
    },
    Job {
        name: "verify deltas",
        interval: Duration::from_millis(100),
        woken_by: Some(|gateway| Box::pin(async move { gateway.deltas_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.verify_deltas().await }),
    },
    Job {
        name: "verify writes",
        interval: Duration::from_millis(250),
        woken_by: Some(|gateway| Box::pin(async move { gateway.writes_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.verify_writes().await }),
    },
    Job {
        // Other processes' events are seen by looking. What this one commits wakes it, and is gathered for a moment: so
        // it never says that it did something, which would have it look again at once.
        name: "tell who listens of events",
        interval: Duration::from_millis(250),
        woken_by: Some(|gateway| Box::pin(async move { gateway.listeners_wanted().await })),
        run: |gateway| Box::pin(async move { gateway.tell_listeners().await.map(|()| 0) }),
    },
    Job {
        name: "forget what is old",
        interval: Duration::from_secs(30),
        woken_by: None,
        run: |gateway| Box::pin(async move { gateway.prune().await }),
    },
    Job {
        // Without it the samples of the histograms pile up until someone asks for the metrics.
        name: "sum up the metrics",
        interval: Duration::from_secs(5),
        woken_by: None,
        run: |_| {
            Box::pin(async {
                crate::telemetry::metrics().run_upkeep();
                Ok(0)
            })
        },
    },
];

/// The background work of a process.
pub struct Work {
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Work {
    /// Starts every job.
    #[must_use]
    pub fn start(gateway: &Arc<Gateway>) -> Self {
        let (stop, stopping) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for job in JOBS {
            tasks.spawn(repeat(job, Arc::clone(gateway), stopping.clone()));
        }
        tasks.spawn(deliver_events::run(Arc::clone(gateway), stopping));
        Self { stop, tasks }
    }

    /// Ends every job once it has finished what it is at.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn repeat(job: Job, gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    loop {
        let did = (job.run)(Arc::clone(&gateway)).await.unwrap_or_else(|fault| {
            tracing::warn!(%fault, job = job.name, "a job failed; it will be tried again");
            0
        });
        if *stopping.borrow() {
            return;
        }
        if did > 0 {
            continue;
        }
        let woken = async {
            match job.woken_by {
                Some(woken_by) => woken_by(&gateway).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(job.interval) => {}
            () = woken => {}
            _ = stopping.changed() => return,
        }
    }
}

/// Does everything that is due by the gateway's clock, until nothing is: for tests, which step the work.
///
/// # Errors
/// The first fault of a job.
pub async fn run_until_idle(gateway: &Arc<Gateway>) -> Outcome<()> {
    loop {
        let mut did = deliver_events::run_once(gateway).await?;
        for job in &JOBS {
            did += (job.run)(Arc::clone(gateway)).await?;
        }
        if did == 0 {
            return Ok(());
        }
    }
}
