//! The command line: data on standard output, talk on standard error, a hint after an error.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::clock::Clock;
use crate::config::Settings;
use crate::gateway::Gateway;

mod accounts;
mod api_access;
mod apps;
mod backups;
mod balances;
mod demo;
mod doctor;
mod events;
mod listen;
mod migrate;
mod payments;
mod reconcile;
mod rows;
mod serve;
mod sign;
mod tenants;
mod trigger;

/// Switchyard: a self-hosted, multi-tenant payment gateway router.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
struct Arguments {
    /// A settings file (TOML). SWITCHYARD__… variables override it.
    #[arg(long, global = true, value_name = "FILE", env = "SWITCHYARD_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the gateway.
    Serve,
    /// See a signed payment go end to end on this machine.
    Demo(demo::Arguments),
    /// Bring the database up to date.
    Migrate(migrate::Arguments),
    /// Copy the embedded database to a file while a server runs.
    Backup(backups::BackupArguments),
    /// Put a backup in the place of the embedded database.
    Restore(backups::RestoreArguments),
    /// Look whether everything that a server needs is in order.
    Doctor(doctor::Arguments),
    /// Sign a request and print its headers and a ready curl line.
    Sign(sign::Arguments),
    /// Follow an app's events and post each to your machine, signed as a delivery is.
    Listen(listen::Arguments),
    /// Make an event happen, through a test payment at the mock provider.
    Trigger(trigger::Arguments),
    /// List, show and refund an app's payments.
    #[command(subcommand)]
    Payments(payments::Command),
    /// Follow an app's events, and have some sent again.
    #[command(subcommand)]
    Events(events::Command),
    /// Make, list, show, rotate and archive apps.
    #[command(subcommand)]
    Apps(apps::Command),
    /// Add, list and archive accounts of your own at providers.
    #[command(subcommand)]
    Accounts(accounts::Command),
    /// List, approve, reject and suspend tenants, and set their plans.
    #[command(subcommand)]
    Tenants(tenants::Command),
    /// Check the balance ledger, and what its receipts and proofs claim.
    #[command(subcommand)]
    Balances(balances::Command),
    /// Compare a provider's settlement report with what is booked.
    Reconcile(reconcile::Arguments),
}

/// What a command could not do, and what would help.
#[derive(Debug)]
struct Failure {
    what: String,
    hint: Option<String>,
}

impl Failure {
    fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), hint: None }
    }

    fn with_hint(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: Some(hint.into()) }
    }
}

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.to_string())
    }
}

type Done = Result<(), Failure>;

/// Runs the command that the arguments name. Exit code 0 is success, 1 a failure, 2 bad arguments.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = match runtime {
        Ok(runtime) => runtime.block_on(dispatch(arguments)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            eprintln!("error: {}", failure.what);
            if let Some(hint) = failure.hint {
                eprintln!("hint: {hint}");
            }
            ExitCode::FAILURE
        }
    }
}

async fn dispatch(arguments: Arguments) -> Result<ExitCode, Failure> {
    let config = arguments.config.as_deref();
    let done = match arguments.command {
        Command::Serve => serve::run(Settings::load(config)?).await,
        Command::Demo(demo) => demo::run(demo).await,
        Command::Migrate(migrate) => migrate::run(&Settings::load(config)?, &migrate),
        Command::Backup(backup) => backups::back_up(&Settings::load(config)?, &backup).await,
        Command::Restore(restore) => backups::restore(&Settings::load(config)?, &restore),
        Command::Doctor(doctor) => doctor::run(Settings::load(config), &doctor).await,
        Command::Sign(sign) => sign::run(config, sign).await,
        Command::Listen(listen) => listen::run(config, listen).await,
        Command::Trigger(trigger) => return trigger::run(config, trigger).await,
        Command::Payments(command) => payments::run(config, command).await,
        Command::Events(command) => events::run(config, command).await,
        Command::Balances(command) => {
            let open = || async { open(Settings::load(config)?).await };
            return balances::run(open, command).await;
        }
        Command::Accounts(command) => accounts::run(open(Settings::load(config)?).await?, command).await,
        Command::Tenants(command) => tenants::run(open(Settings::load(config)?).await?, command).await,
        Command::Apps(command) => apps::run(open(Settings::load(config)?).await?, command).await,
        Command::Reconcile(command) => return reconcile::run(open(Settings::load(config)?).await?, command).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

/// The gateway of the settings, for a command that works on its database.
async fn open(settings: Settings) -> Result<Arc<Gateway>, Failure> {
    crate::telemetry::start_log("error", false);
    Gateway::open(settings, Clock::system()).await.map_err(|error| {
        Failure::with_hint(error.to_string(), "`switchyard doctor` looks at the database and the sealing key")
    })
}

/// Waits for Ctrl-C or the service manager's request to stop.
async fn stop_requested() {
    let terminate = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminate => {}
    }
}
