//! Brings events to their endpoints: many at once, few to each, and fewer to one that fails.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::domain::ids::EndpointId;
use crate::error::Outcome;
use crate::gateway::{Capacity, Gateway};

/// Deliveries under way at once to an endpoint that has been failing: its time-outs must not hold up the others.
const PER_FAILING_ENDPOINT: usize = 2;

/// Endpoints whose windows are remembered.
const MAX_WINDOWS: usize = 10_000;

/// How often the database is looked at when nothing says that there is work: retries that fall due, and events that
/// another process wrote.
const IDLE_LOOK: Duration = Duration::from_millis(500);

/// How long a stop waits for deliveries that are under way.
const STOP_GRACE: Duration = Duration::from_secs(8);

/// Deliveries under way at once to an endpoint that has not answered yet. Each success allows one more, a failure
/// starts anew: many endpoints that hang must not take up all there is room for before their first time-out.
const FIRST_WINDOW: usize = 4;

struct Deliveries {
    gateway: Arc<Gateway>,
    under_way: JoinSet<(EndpointId, bool)>,
    windows: HashMap<EndpointId, Window>,
    last_served: Option<EndpointId>,
}

/// How many deliveries one endpoint may have under way, and has.
struct Window {
    size: usize,
    in_hand: usize,
}

/// Delivers until told to stop.
pub(super) async fn run(gateway: Arc<Gateway>, mut stopping: watch::Receiver<bool>) {
    let mut deliveries = Deliveries::new(gateway);
    loop {
        let taken = deliveries.take().await.unwrap_or_else(|fault| {
            tracing::warn!(%fault, "deliveries could not be claimed; trying again");
            0
        });
        let gateway = Arc::clone(&deliveries.gateway);
        tokio::select! {
            _ = stopping.changed() => break,
            () = gateway.deliveries_wanted() => {}
            () = tokio::time::sleep(IDLE_LOOK) => {}
            // Something was due: there may be more of it as soon as there is room.
            () = deliveries.finish_some(), if taken > 0 => {}
        }
        deliveries.finish_ready();
    }
    let _ = tokio::time::timeout(STOP_GRACE, deliveries.finish_all()).await;
}

/// Delivers what is due now, and says how much that was.
pub(super) async fn run_once(gateway: &Arc<Gateway>) -> Outcome<usize> {
    let mut deliveries = Deliveries::new(Arc::clone(gateway));
    let taken = deliveries.take().await?;
    deliveries.finish_all().await;
    Ok(taken)
}

impl Deliveries {
    fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, under_way: JoinSet::new(), windows: HashMap::new(), last_served: None }
    }

    /// Claims what there is room for and sends it on its way.
    async fn take(&mut self) -> Outcome<usize> {
        let settings = self.gateway.settings();
        let capacity = Capacity {
            total: settings.webhooks_concurrency.saturating_sub(self.under_way.len()),
            per_endpoint: FIRST_WINDOW.min(settings.webhooks_concurrency_per_endpoint),
            per_failing_endpoint: PER_FAILING_ENDPOINT,
            room: self
                .windows
                .iter()
                .map(|(endpoint_id, window)| (endpoint_id.clone(), window.size.saturating_sub(window.in_hand)))
                .collect(),
            after: self.last_served.clone(),
        };
        if capacity.total == 0 {
            return Ok(0);
        }
        let claimed = self.gateway.claim_deliveries(capacity).await?;
        let count = claimed.len();
        for claim in claimed {
            let endpoint_id = claim.endpoint.endpoint_id.clone();
            let size = match claim.endpoint.failing_since {
                Some(_) => PER_FAILING_ENDPOINT,
                None => FIRST_WINDOW.min(settings.webhooks_concurrency_per_endpoint),
            };
            self.windows.entry(endpoint_id.clone()).or_insert(Window { size, in_hand: 0 }).in_hand += 1;
            self.last_served = Some(endpoint_id.clone());
            let gateway = Arc::clone(&self.gateway);
            self.under_way.spawn(async move {
                let is_success = gateway.deliver(claim).await.unwrap_or_else(|fault| {
                    tracing::warn!(%fault, "a delivery could not be recorded; it will be made again");
                    false
                });
                (endpoint_id, is_success)
            });
        }
        Ok(count)
    }

    /// Waits until half of what is under way is done, so that one claim takes several.
    async fn finish_some(&mut self) {
        let enough = self.under_way.len() / 2;
        while self.under_way.len() > enough {
            let Some(done) = self.under_way.join_next().await else { return };
            self.note_done(done);
        }
    }

    fn finish_ready(&mut self) {
        while let Some(done) = self.under_way.try_join_next() {
            self.note_done(done);
        }
    }

    async fn finish_all(&mut self) {
        while let Some(done) = self.under_way.join_next().await {
            self.note_done(done);
        }
    }

    fn note_done(&mut self, done: Result<(EndpointId, bool), tokio::task::JoinError>) {
        let largest = self.gateway.settings().webhooks_concurrency_per_endpoint;
        match done {
            Ok((endpoint_id, is_success)) => {
                let Some(window) = self.windows.get_mut(&endpoint_id) else { return };
                window.in_hand = window.in_hand.saturating_sub(1);
                window.size = if is_success { (window.size + 1).min(largest) } else { PER_FAILING_ENDPOINT };
            }
            // Which endpoint it was is lost with the task.
            Err(error) => tracing::error!(%error, "a delivery panicked; it will be made again"),
        }
        // Endpoints that nothing is under way to are forgotten now and then, so that the map stays small.
        if self.under_way.is_empty() && self.windows.len() > MAX_WINDOWS {
            self.windows.clear();
        }
    }
}
