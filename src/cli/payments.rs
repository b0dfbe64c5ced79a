//! `switchyard payments …`: an app's payments, as its backend sees them.

use std::path::Path;

use serde_json::{Value, json};
use url::form_urlencoded::Serializer;

use super::Done;
use super::api_access::{Access, refused};
use super::rows::{cell, print_cells, print_line};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List payments, newest first.
    List(List),
    /// Show one payment and what happened to it.
    Show {
        /// Its id.
        payment_id: String,
        /// Print JSON: the payment, with its `timeline`.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
    /// Refund a payment, or a part of it.
    Refund {
        /// Its id.
        payment_id: String,
        /// How much, in minor units; all that is left when not given.
        #[arg(long, value_name = "MINOR UNITS")]
        amount_minor: Option<i64>,
        /// Why.
        #[arg(long)]
        reason: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        access: Access,
    },
}

#[derive(clap::Args)]
pub(super) struct List {
    /// initiated, succeeded, failed or canceled.
    #[arg(long)]
    status: Option<String>,
    /// As qris or paypal.
    #[arg(long)]
    method: Option<String>,
    /// The buyer's id.
    #[arg(long, value_name = "EXTERNAL USER ID")]
    buyer: Option<String>,
    /// How many, 1 to 100.
    #[arg(long, default_value_t = 20)]
    limit: u8,
    /// Where the page before ended.
    #[arg(long)]
    cursor: Option<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

pub(super) async fn run(config: Option<&Path>, command: Command) -> Done {
    match command {
        Command::List(list) => self::list(config, list).await,
        Command::Show { payment_id, json, access } => {
            let client = access.connect(config).await?.client;
            let path = format!("/v1/payments/{}", segment(&payment_id));
            let mut payment = client.get(&path).await.map_err(|error| refused(&client, &error))?;
            let timeline = client.get(&format!("{path}/timeline")).await.map_err(|error| refused(&client, &error))?;
            if json {
                payment["timeline"] = timeline["data"].clone();
                return print_line(&payment.to_string());
            }
            print_fields(&payment)?;
            for entry in timeline["data"].as_array().into_iter().flatten() {
                print_cells(&[24, 12], &[&cell(&entry["at"]), &cell(&entry["kind"]), &cell(&entry["summary"])])?;
            }
            Ok(())
        }
        Command::Refund { payment_id, amount_minor, reason, json, access } => {
            let client = access.connect(config).await?.client;
            let mut body = json!({ "payment_id": payment_id });
            if let Some(amount_minor) = amount_minor {
                body["amount_minor"] = amount_minor.into();
            }
            if let Some(reason) = reason {
                body["reason"] = reason.into();
            }
            let refund = client.post("/v1/refunds", &body).await.map_err(|error| refused(&client, &error))?;
            if json { print_line(&refund.to_string()) } else { print_fields(&refund) }
        }
    }
}

async fn list(config: Option<&Path>, list: List) -> Done {
    let client = list.access.connect(config).await?.client;
    let mut query = Serializer::new(String::new());
    query.append_pair("limit", &list.limit.to_string());
    let filters =
        [("status", list.status), ("method", list.method), ("external_user_id", list.buyer), ("cursor", list.cursor)];
    for (name, value) in filters.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
        query.append_pair(name, value);
    }
    let target = format!("/v1/payments?{}", query.finish());
    let page = client.get(&target).await.map_err(|error| refused(&client, &error))?;
    let payments = page["data"].as_array().cloned().unwrap_or_default();
    const WIDTHS: [usize; 6] = [30, 9, 15, 10, 20, 24];
    if !list.json && !payments.is_empty() {
        print_cells(&WIDTHS, &["PAYMENT", "STATUS", "AMOUNT", "METHOD", "BUYER", "CREATED"])?;
    }
    for payment in &payments {
        if list.json {
            print_line(&payment.to_string())?;
            continue;
        }
        let amount = format!("{} {}", cell(&payment["currency"]), cell(&payment["amount_minor"]));
        let [id, status, method, buyer, created] =
            ["payment_id", "status", "method", "external_user_id", "created_at"].map(|name| cell(&payment[name]));
        print_cells(&WIDTHS, &[&id, &status, &amount, &method, &buyer, &created])?;
    }
    if payments.is_empty() {
        eprintln!("no payments\nhint: `switchyard trigger payment.succeeded` makes one");
    }
    if let Some(next) = page["next_cursor"].as_str() {
        eprintln!("more: --cursor {next}");
    }
    Ok(())
}

/// An object's fields, one a line; without those that are null or empty.
pub(super) fn print_fields(object: &Value) -> Done {
    for (name, value) in object.as_object().into_iter().flatten() {
        if !value.is_null() && value != "" && *value != json!({}) {
            print_line(&format!("{name:<20} {}", cell(value)))?;
        }
    }
    Ok(())
}

/// What a person wrote, as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
