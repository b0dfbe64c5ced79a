//! `switchyard reconcile`

use std::fs::File;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Failure;
use crate::domain::mode::Mode;
use crate::domain::money::{Currency, plain_amount};
use crate::domain::settlement::{Category, Difference};
use crate::domain::time::Timestamp;
use crate::gateway::{Gateway, ReconcileOptions, Reconciled};

/// The exit code of bad arguments, as the parser of arguments has it.
const USAGE: u8 = 2;

/// Differences that are printed for people.
const SHOWN: usize = 50;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The provider's settlement report, a CSV file.
    file: PathBuf,
    /// The provider whose report it is.
    #[arg(long)]
    provider: String,
    /// Another tenant than the operator's own.
    #[arg(long)]
    tenant: Option<String>,
    /// The mode.
    #[arg(long, default_value = "live", value_parser = |text: &str| Mode::parse(text).ok_or("is not test, sandbox or live"))]
    mode: Mode,
    /// From when on the report has everything (RFC 3339); from its first date unless told.
    #[arg(long, value_parser = moment)]
    from: Option<Timestamp>,
    /// Until when, not included; until its last date unless told.
    #[arg(long, value_parser = moment)]
    to: Option<Timestamp>,
    /// Print every difference as a line of JSON, and the totals as the last.
    #[arg(long)]
    json: bool,
}

fn moment(text: &str) -> Result<Timestamp, &'static str> {
    Timestamp::parse_rfc3339(text).ok_or("is no time such as 2026-05-09T12:34:56Z")
}

/// Exit code 0 when both sides say the same, 1 when something differs, 2 for what cannot be compared.
pub(super) async fn run(gateway: Arc<Gateway>, arguments: Arguments) -> Result<ExitCode, Failure> {
    let scope = gateway.operator_scope(arguments.tenant.as_deref(), arguments.mode).await?;
    if let Err(fault) = gateway.check_may_reconcile(&scope, &arguments.provider) {
        eprintln!("error: --provider: {}", fault.detail);
        return Ok(ExitCode::from(USAGE));
    }
    let file = match File::open(&arguments.file) {
        Ok(file) => file,
        Err(error) => {
            eprintln!("error: {}: {error}", arguments.file.display());
            return Ok(ExitCode::from(USAGE));
        }
    };
    // It draws on a terminal only.
    let bar = ProgressBar::new(file.metadata().map_or(0, |metadata| metadata.len()));
    let style = ProgressStyle::with_template("{bar:40} {bytes}/{total_bytes} {bytes_per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let shown = Arc::new(Mutex::new(Vec::new()));
    let (kept, is_json) = (Arc::clone(&shown), arguments.json);
    let tell = move |difference: Difference| {
        if is_json {
            println!("{}", json!(difference));
            return;
        }
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < SHOWN {
            kept.push(difference);
        }
    };
    let options = ReconcileOptions { provider: arguments.provider, from: arguments.from, to: arguments.to };
    let outcome = gateway.reconcile(&scope, options, bar.wrap_read(file), tell).await;
    bar.finish_and_clear();
    let reconciled = outcome?;
    if arguments.json {
        println!("{}", reconciled.object());
    } else {
        print_table(&reconciled, &shown.lock().unwrap_or_else(PoisonError::into_inner));
    }
    Ok(if reconciled.matches() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn amount(minor: Option<i64>, currency: Option<Currency>) -> String {
    minor
        .zip(currency)
        .map_or_else(String::new, |(minor, currency)| format!("{} {}", plain_amount(minor, currency), currency.code()))
}

fn print_table(reconciled: &Reconciled, differences: &[Difference]) {
    for category in Category::ALL {
        let total = reconciled.totals.of(category);
        let sums: Vec<String> = total.sums.iter().map(|(currency, sum)| format!("{sum} {currency}")).collect();
        println!("{:<18} {:>10}  {}", category.as_str(), total.count, sums.join(", "));
    }
    println!(
        "(sums in minor units; {} lines, {} of them about something else)",
        reconciled.lines + reconciled.other_lines,
        reconciled.other_lines
    );
    if let Some((from, to)) = reconciled.span {
        println!("from {} to {}", from.to_rfc3339(), to.to_rfc3339());
    }
    let mut all = 0;
    for difference in differences {
        all += 1;
        println!(
            "{:<18} line {:<8} {:<8} {}  theirs: {}  ours: {}  {} {}",
            difference.category.as_str(),
            difference.line.map_or_else(|| "-".to_owned(), |line| line.to_string()),
            difference.kind.map_or("", |kind| kind.as_str()),
            difference.reference.as_deref().unwrap_or("-"),
            amount(difference.their_amount_minor, difference.their_currency),
            amount(difference.our_amount_minor, difference.our_currency),
            difference.payment_id.as_deref().unwrap_or_default(),
            difference.reason.as_deref().unwrap_or_default(),
        );
    }
    let matched = reconciled.totals.of(Category::Matched).count;
    let others: u64 = Category::ALL.iter().map(|category| reconciled.totals.of(*category).count).sum::<u64>() - matched;
    if others > all {
        println!("… and {} more: --json prints them all", others - all);
    }
}
