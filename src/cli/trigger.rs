//! `switchyard trigger SCENARIO`: makes an event happen, by a payment at the mock provider and real calls of the API.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::Failure;
use super::api_access::{Access, refused};
use super::rows::{cell, print_cells, print_line};
use crate::client::Client;
use crate::domain::events::EVENT_TYPES;
use crate::domain::mode::Mode;
use crate::domain::secrets::random_hex;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// What is to happen; --list has them all.
    #[arg(required_unless_present = "list")]
    scenario: Option<String>,
    /// List the scenarios.
    #[arg(long)]
    list: bool,
    /// How the buyer pays, as va_bca.
    #[arg(long, default_value = "qris")]
    method: String,
    /// In minor units.
    #[arg(long, value_name = "MINOR UNITS", default_value_t = 50_000)]
    amount_minor: i64,
    /// ISO 4217.
    #[arg(long, default_value = "IDR")]
    currency: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    access: Access,
}

/// What makes an event happen.
struct Scenario {
    name: &'static str,
    /// The event that it ends with.
    event: &'static str,
    summary: &'static str,
    /// The `mock` of the payment.
    mock: &'static str,
    then: Then,
}

/// What is done with the payment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    Nothing,
    Cancel,
    Refund,
    RefundHalf,
}

const SCENARIOS: [Scenario; 11] = [
    scenario("payment.succeeded", "payment.succeeded", "a buyer pays", r#"{"outcome":"succeed"}"#, Then::Nothing),
    scenario("payment.failed", "payment.failed", "the payment is declined", r#"{"outcome":"fail"}"#, Then::Nothing),
    scenario("payment.canceled", "payment.canceled", "the buyer gives up", r#"{"outcome":"cancel"}"#, Then::Nothing),
    scenario(
        "payment.canceled.by_app",
        "payment.canceled",
        "the app cancels it",
        r#"{"outcome":"none"}"#,
        Then::Cancel,
    ),
    scenario(
        "payment.refused",
        "payment.failed",
        "the provider refuses to start it",
        r#"{"start":"refuse"}"#,
        Then::Nothing,
    ),
    scenario(
        "payment.duplicate_webhook",
        "payment.succeeded",
        "the provider tells twice; the event comes once",
        r#"{"outcome":"succeed","webhook":"duplicate"}"#,
        Then::Nothing,
    ),
    scenario(
        "payment.unknown_start",
        "payment.succeeded",
        "no answer at the start (202), charged all the same; takes some seconds",
        r#"{"start":"timeout_but_charged"}"#,
        Then::Nothing,
    ),
    scenario("refund.succeeded", "refund.succeeded", "all is refunded", r#"{"outcome":"succeed"}"#, Then::Refund),
    scenario("refund.partial", "refund.succeeded", "half is refunded", r#"{"outcome":"succeed"}"#, Then::RefundHalf),
    scenario(
        "refund.failed",
        "refund.failed",
        "the provider refuses the refund",
        r#"{"outcome":"succeed","refund":"fail"}"#,
        Then::Refund,
    ),
    scenario(
        "refund.pending",
        "refund.succeeded",
        "the provider takes some seconds to refund",
        r#"{"outcome":"succeed","refund":"pending"}"#,
        Then::Refund,
    ),
];

const fn scenario(
    name: &'static str,
    event: &'static str,
    summary: &'static str,
    mock: &'static str,
    then: Then,
) -> Scenario {
    Scenario { name, event, summary, mock, then }
}

/// Why an event cannot be made this way.
fn why_not(name: &str) -> Option<&'static str> {
    Some(match name {
        "payment.paid_after_close" => {
            "at the mock a buyer's first word stands: what is canceled there cannot be paid. It takes a provider's sandbox: \
             cancel a payment there and pay it on its page"
        }
        "payment.quarantined" => "the mock never contradicts the payment in amount or currency",
        "payment.reversed" => "the mock takes no money back; a provider's sandbox does",
        "webhook.test" => "it goes to one endpoint alone: the console's page of the endpoint sends it",
        "endpoint.disabled" => "it comes when an endpoint answers 410, or fails for five days",
        name if name.starts_with("subscription.") => {
            "subscriptions begin with a provider's recurring product, which the mock has not: use a pk_sandbox_ key"
        }
        name if name.starts_with("invoice.") => "it comes of an invoice: POST /v1/invoices makes one",
        name if EVENT_TYPES.contains(&name) => "it is the tenant's and not an app's: write with an API key",
        _ => return None,
    })
}

/// How long the outcome is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) async fn run(config: Option<&Path>, arguments: Arguments) -> Result<ExitCode, Failure> {
    if arguments.list {
        for scenario in &SCENARIOS {
            let Scenario { name, event, summary, .. } = scenario;
            match arguments.json {
                true => print_line(&json!({ "scenario": name, "event": event, "summary": summary }).to_string())?,
                false => print_cells(&[26, 18], &[name, event, summary])?,
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let name = arguments.scenario.unwrap_or_default();
    let Some(scenario) = SCENARIOS.iter().find(|scenario| scenario.name == name) else {
        let Some(why) = why_not(&name) else {
            eprintln!("error: {name} is not a scenario\nhint: `switchyard trigger --list` has them all");
            return Ok(ExitCode::from(2));
        };
        let hint = "`switchyard trigger --list` has what the mock can do";
        return Err(Failure::with_hint(format!("{name} cannot be triggered: {why}"), hint));
    };
    let client = arguments.access.connect(config).await?.client;
    if Mode::of_public_key(client.key()) != Some(Mode::Test) {
        let hint = "make an app with `switchyard apps create --mode test`; its key begins with pk_test_";
        return Err(Failure::with_hint(format!("{} is not a key of mode test", client.key()), hint));
    }
    // A buyer of this run alone, by whom its payment is found again.
    let buyer = format!("trigger-{}", random_hex(4));
    let request = json!({
        "external_user_id": buyer, "email": "trigger@shop.example", "amount_minor": arguments.amount_minor,
        "currency": arguments.currency, "method": arguments.method, "return_url": format!("{}/docs", client.base_url()),
        "description": name, "metadata": { "trigger": name },
        "mock": serde_json::from_str::<Value>(scenario.mock).unwrap_or_default(),
    });
    let made = make(&client, scenario, &request).await?;
    if arguments.json {
        print_line(&made.to_string())?;
    } else {
        for field in ["event", "event_id", "payment_id", "refund_id", "status"] {
            if !made[field].is_null() {
                print_line(&format!("{field:<12} {}", cell(&made[field])))?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the payment, does with it what the scenario says, and waits for the event: its body.
async fn make(client: &Client, scenario: &Scenario, request: &Value) -> Result<Value, Failure> {
    let told = |error| refused(client, &error);
    let payment_id = match client.post("/v1/payments", request).await {
        Ok(payment) => cell(&payment["payment_id"]),
        // The payment is there all the same.
        Err(error) if error.is_status(502) => {
            let target = format!("/v1/payments?external_user_id={}", cell(&request["external_user_id"]));
            let page = client.get(&target).await.map_err(told)?;
            page["data"].get(0).map(|own| cell(&own["payment_id"])).ok_or_else(|| told(error))?
        }
        Err(error) => return Err(told(error)),
    };
    match scenario.then {
        Then::Nothing => {}
        Then::Cancel => {
            client.post(&format!("/v1/payments/{payment_id}/cancel"), &json!({})).await.map_err(told)?;
        }
        Then::Refund | Then::RefundHalf => {
            wait_for(client, &payment_id, "payment.succeeded").await?;
            let mut refund = json!({ "payment_id": payment_id, "reason": scenario.name });
            if scenario.then == Then::RefundHalf {
                refund["amount_minor"] = (request["amount_minor"].as_i64().unwrap_or(2) / 2).into();
            }
            client.post("/v1/refunds", &refund).await.map_err(told)?;
        }
    }
    wait_for(client, &payment_id, scenario.event).await
}

async fn wait_for(client: &Client, payment_id: &str, event: &str) -> Result<Value, Failure> {
    let target = format!("/v1/events?payment_id={payment_id}&type={event}");
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let page = client.get(&target).await.map_err(|error| refused(client, &error))?;
        if let Some(found) = page["data"].get(0) {
            return Ok(found["body"].clone());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let hint = format!("`switchyard payments show {payment_id}` tells what happened to it");
    Err(Failure::with_hint(format!("{event} did not come within {} s", PATIENCE.as_secs()), hint))
}
