//! `switchyard events …`: an app's events, followed and sent again.

use std::path::Path;

use serde_json::{Value, json};

use super::api_access::{Access, refused};
use super::payments::segment;
use super::rows::{cell, print_cells, print_line};
use super::{Done, Failure, stop_requested};
use crate::client::Client;
use crate::clock::Clock;
use crate::domain::time::{Timestamp, parse_duration};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Show the latest events, and with --follow those that come.
    Tail {
        /// Only this type, as payment.succeeded.
        #[arg(long = "type", value_name = "TYPE")]
        event_type: Option<String>,
        /// How many of the latest, up to 100.
        #[arg(long, default_value_t = 10)]
        limit: u8,
        /// Go on until Ctrl-C.
        #[arg(long, short)]
        follow: bool,
        /// Print one JSON object a line: the event as endpoints get it.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Have one event sent again to its endpoints, or all that were given up since a moment.
    Replay {
        /// Its id.
        #[arg(required_unless_present = "since", conflicts_with = "since")]
        event_id: Option<String>,
        /// An RFC 3339 time, or how long ago, as 2h.
        #[arg(long, value_name = "WHEN", value_parser = moment)]
        since: Option<Timestamp>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let ago = parse_duration(text).map(|ago| Clock::system().now().minus(ago));
    ago.or_else(|| Timestamp::parse_rfc3339(text))
        .ok_or_else(|| "must be a time as 2026-05-09T12:34:56Z, or how long ago, as 2h".to_owned())
}

pub(super) async fn run(config: Option<&Path>, command: Command) -> Done {
    match command {
        Command::Tail { event_type, limit, follow, json, access } => {
            let client = access.connect(config).await?.client;
            let types = event_type.unwrap_or_default();
            tokio::select! {
                () = stop_requested() => Ok(()),
                outcome = tail(&client, &types, limit, follow, json) => outcome,
            }
        }
        Command::Replay { event_id, since, json, access } => {
            let client = access.connect(config).await?.client;
            let (path, body) = match (&event_id, since) {
                (Some(event_id), _) => (format!("/v1/events/{}/redeliver", segment(event_id)), json!({})),
                (None, since) => ("/v1/events/redeliver".to_owned(), json!({ "since": since })),
            };
            let answer = client.post(&path, &body).await.map_err(|error| refused(&client, &error))?;
            if json {
                return print_line(&answer.to_string());
            }
            print_line(&format!("{} deliveries were started", cell(&answer["deliveries"])))?;
            if answer["deliveries"] == 0 && event_id.is_some() {
                eprintln!("hint: the app has no endpoint that wants this event; `switchyard listen` forwards events");
            }
            Ok(())
        }
    }
}

const WIDTHS: [usize; 4] = [24, 25, 30, 30];

async fn tail(client: &Client, types: &str, limit: u8, follow: bool, json: bool) -> Done {
    // Before the list is read: what comes in between is in both, and shown once.
    let mut stream = match follow {
        true => Some(client.follow(types, None).await.map_err(|error| refused(client, &error))?),
        false => None,
    };
    let filter = if types.is_empty() { String::new() } else { format!("&type={}", segment(types)) };
    let page = client.get(&format!("/v1/events?limit={limit}{filter}")).await;
    let page = page.map_err(|error| refused(client, &error))?;
    let latest: Vec<&Value> = page["data"].as_array().into_iter().flatten().rev().collect();
    if !json && (follow || !latest.is_empty()) {
        print_cells(&WIDTHS, &["AT", "EVENT", "ABOUT", "EVENT ID"])?;
    }
    for event in &latest {
        show(&event["body"], json)?;
    }
    if latest.is_empty() && !follow {
        eprintln!("no events\nhint: `switchyard trigger payment.succeeded` makes one");
    }
    let mut last = None;
    while let Some(following) = &mut stream {
        match following.next().await {
            Ok(followed) => {
                let body: Value = serde_json::from_str(&followed.body).unwrap_or_default();
                let is_shown = latest.iter().any(|event| event["event_id"] == followed.id.as_str());
                last = Some(followed.id);
                if !is_shown && !body.is_null() {
                    show(&body, json)?;
                }
            }
            Err(error) => {
                eprintln!("{error}; connecting again");
                stream = Some(again(client, types, last.as_deref()).await?);
            }
        }
    }
    Ok(())
}

/// Follows anew, as often as it takes.
async fn again(client: &Client, types: &str, last: Option<&str>) -> Result<crate::client::Following, Failure> {
    loop {
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        match client.follow(types, last).await {
            Ok(stream) => return Ok(stream),
            Err(error) if error.is_passing() => {}
            Err(error) => return Err(refused(client, &error)),
        }
    }
}

fn show(body: &Value, json: bool) -> Done {
    if json {
        return print_line(&body.to_string());
    }
    let about = ["payment_id", "invoice_id", "subscription_id", "endpoint_id"].map(|name| &body[name]);
    let about = about.into_iter().find(|id| !id.is_null()).map_or_else(|| "-".to_owned(), cell);
    let [at, event, id] = ["timestamp", "event", "event_id"].map(|name| cell(&body[name]));
    print_cells(&WIDTHS, &[&at, &event, &about, &id])
}
