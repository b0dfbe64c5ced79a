//! `switchyard listen`: follows an app's events and posts each to a developer's machine, signed as a delivery is.

use std::collections::{HashSet, VecDeque};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::api_access::{Access, refused, variable};
use super::rows::{cell, print_cells, print_line, time_of_day};
use super::{Done, Failure, stop_requested};
use crate::client::{CallError, Client, Followed, Following, Forwarder};
use crate::clock::Clock;
use crate::domain::secrets::Secret;
use crate::domain::signing::standard_webhook_secret;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Where the events go, as http://localhost:3000/hook.
    #[arg(long, value_name = "URL")]
    forward_to: String,
    /// Only these types, as payment.succeeded,refund.succeeded.
    #[arg(long, value_name = "TYPES", default_value = "")]
    events: String,
    /// Begin after this event instead of now.
    #[arg(long, value_name = "EVENT ID")]
    after: Option<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

const WIDTHS: [usize; 5] = [8, 25, 30, 30, 12];

/// Waits between attempts to reach the server, and the receiver; the last one again and again.
const RECONNECT_WAITS_MS: [u64; 5] = [250, 500, 1000, 2000, 5000];
const RETRY_WAITS_MS: [u64; 6] = [500, 1000, 2000, 5000, 10_000, 30_000];

/// Ids that are remembered, so that what comes again is not forwarded again.
const REMEMBERED: usize = 10_000;

fn wait(waits_ms: &[u64], attempts: usize) -> Duration {
    Duration::from_millis(waits_ms[attempts.min(waits_ms.len() - 1)])
}

/// An event that the receiver does not have yet.
struct Pending {
    event: Followed,
    attempts: usize,
    due: Instant,
}

struct Session {
    client: Client,
    forwarder: Forwarder,
    types: String,
    json: bool,
    last: Option<String>,
    seen: HashSet<String>,
    seen_in_order: VecDeque<String>,
    pending: Vec<Pending>,
}

pub(super) async fn run(config: Option<&Path>, arguments: Arguments) -> Done {
    let is_http = url::Url::parse(&arguments.forward_to).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if !is_http {
        let hint = "switchyard listen --forward-to http://localhost:3000/hook";
        return Err(Failure::with_hint(format!("{} is not an http or https URL", arguments.forward_to), hint));
    }
    let connected = arguments.access.connect(config).await?;
    let (secret, whose) = match (variable("WEBHOOK_SECRET"), connected.webhook_secret) {
        (Some(secret), _) => (Secret::new(secret), "the secret in WEBHOOK_SECRET".to_owned()),
        (None, Some(secret)) => (secret, "the app's webhook secret".to_owned()),
        (None, None) => {
            let fresh = Secret::generate();
            let text = fresh.expose();
            let whose = format!("a secret of this session: {text} (or {})", standard_webhook_secret(text));
            (fresh, whose)
        }
    };
    let mut session = Session {
        forwarder: Forwarder::new(arguments.forward_to.clone(), secret)?,
        client: connected.client,
        types: arguments.events,
        json: arguments.json,
        last: arguments.after,
        seen: HashSet::new(),
        seen_in_order: VecDeque::new(),
        pending: Vec::new(),
    };
    let stream = match session.client.follow(&session.types, session.last.as_deref()).await {
        Ok(stream) => stream,
        Err(error) => return Err(refused(&session.client, &error)),
    };
    eprintln!("Events of {} at {} go to {}", session.client.key(), session.client.base_url(), arguments.forward_to);
    eprintln!("Signed with {whose}");
    eprintln!("Ctrl-C ends.\n");
    let outcome = tokio::select! {
        () = stop_requested() => Ok(()),
        outcome = session.follow(stream) => outcome,
    };
    for pending in &session.pending {
        eprintln!("not received: {} {}", pending.event.event, pending.event.id);
    }
    if let Some(first) = session.pending.first() {
        eprintln!("hint: `switchyard events replay {}` sends one again to the app's endpoint", first.event.id);
    }
    outcome
}

impl Session {
    /// Follows until the server refuses for good. It is given up from outside.
    async fn follow(&mut self, mut stream: Following) -> Done {
        if !self.json {
            print_cells(&WIDTHS, &["TIME", "EVENT", "ABOUT", "EVENT ID", "RECEIVER", "TOOK"])?;
        }
        loop {
            let due = self.pending.iter().map(|pending| pending.due).min();
            let retry = async {
                match due {
                    Some(due) => tokio::time::sleep_until(due.into()).await,
                    None => std::future::pending().await,
                }
            };
            let next = tokio::select! {
                next = stream.next() => Some(next),
                () = retry => None,
            };
            match next {
                None => self.retry_due().await?,
                Some(Ok(followed)) => self.take(followed).await?,
                Some(Err(error)) => stream = self.reconnect(&error).await?,
            }
        }
    }

    async fn take(&mut self, followed: Followed) -> Done {
        self.last = Some(followed.id.clone());
        if followed.event.is_empty() || !self.remember(&followed.id) {
            return Ok(());
        }
        self.forward(followed, 0).await
    }

    /// Whether an id is new.
    fn remember(&mut self, id: &str) -> bool {
        if !self.seen.insert(id.to_owned()) {
            return false;
        }
        self.seen_in_order.push_back(id.to_owned());
        if self.seen_in_order.len() > REMEMBERED
            && let Some(oldest) = self.seen_in_order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        true
    }

    async fn retry_due(&mut self) -> Done {
        let now = Instant::now();
        // One at a time: the others stay where they are looked for when the session ends.
        while let Some(index) = self.pending.iter().position(|pending| pending.due <= now) {
            let pending = self.pending.remove(index);
            self.forward(pending.event, pending.attempts).await?;
        }
        Ok(())
    }

    /// Posts an event and shows how that went. What a delivery would try again is tried again.
    async fn forward(&mut self, event: Followed, attempts: usize) -> Done {
        let started = Instant::now();
        // Kept while it is under way: whoever ends the session then is told of it.
        self.pending.push(Pending { event: event.clone(), attempts, due: started });
        let answered = self.forwarder.post(&event).await;
        let took = started.elapsed();
        self.pending.pop();
        let will_retry = !matches!(answered, Ok(status) if !matches!(status, 408 | 425 | 429 | 500..=599));
        self.show(&event, attempts + 1, answered, took, will_retry)?;
        if will_retry {
            let due = Instant::now() + wait(&RETRY_WAITS_MS, attempts);
            self.pending.push(Pending { event, attempts: attempts + 1, due });
        }
        Ok(())
    }

    fn show(
        &self,
        event: &Followed,
        attempt: usize,
        answered: Result<u16, &str>,
        took: Duration,
        will_retry: bool,
    ) -> Done {
        let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
        let about = ["payment_id", "invoice_id", "subscription_id", "endpoint_id"];
        let about = about.into_iter().find(|name| body[*name].is_string()).unwrap_or("payment_id");
        if self.json {
            return print_line(
                &json!({
                    "event": event.event, "event_id": event.id, about: body[about], "attempt": attempt,
                    "status": answered.ok(), "error": answered.err(), "took_ms": took.as_millis() as u64,
                    "will_retry": will_retry,
                })
                .to_string(),
            );
        }
        let now = Clock::system().now().to_rfc3339();
        let answer = answered.map_or_else(str::to_owned, |status| status.to_string());
        let again = if will_retry { ", again" } else { "" };
        let (about, took) = (cell(&body[about]), format!("{} ms{again}", took.as_millis()));
        print_cells(&WIDTHS, &[time_of_day(&now), &event.event, &about, &event.id, &answer, &took])
    }

    /// Follows again from the last id, as often as it takes. Meanwhile the receiver gets what it has not got.
    async fn reconnect(&mut self, error: &CallError) -> Result<Following, Failure> {
        eprintln!("{error}; connecting again");
        let mut attempts = 0;
        loop {
            tokio::time::sleep(wait(&RECONNECT_WAITS_MS, attempts)).await;
            attempts += 1;
            self.retry_due().await?;
            match self.client.follow(&self.types, self.last.as_deref()).await {
                Ok(stream) => {
                    eprintln!("connected");
                    return Ok(stream);
                }
                Err(error) if error.is_passing() => {}
                Err(error) if error.is_status(404) && self.last.is_some() => {
                    eprintln!("the server does not know the last event any more; going on from now");
                    self.last = None;
                }
                Err(error) => return Err(refused(&self.client, &error)),
            }
        }
    }
}
