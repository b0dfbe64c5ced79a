//! How fast, as ratios within one run: the machine may be shared and noisy, so a figure alone says little.
//!
//! `cargo bench --bench throughput` measures SQLite, and PostgreSQL too with `--postgres URL`. The server is a process
//! of its own; the load comes from this one, over 64 connections on loopback. Nothing here asserts.

mod disk;
mod ledger;
mod load;
mod rails;
mod receiver;
mod report;
mod server;
mod sessions;
mod stub;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use load::{Client, Phase};
use report::{Figures, Row};
use server::ServerProcess;
use sessions::SessionWatch;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measure the gateway.
#[derive(Parser)]
struct Arguments {
    /// Seconds for each row.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Alternated runs; the median is printed.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Also measure the PostgreSQL at this URL; tables are made in schemas of their own.
    #[arg(long, env = "BENCH_DATABASE_URL")]
    postgres: Option<String>,
    /// Leave out SQLite.
    #[arg(long)]
    no_sqlite: bool,
    /// Leave out the table of a million payments.
    #[arg(long)]
    no_million: bool,
    /// Measure the ledger as it grows instead, with so many deltas of one customer.
    #[arg(long, value_name = "DELTAS")]
    ledger: Option<i64>,
    /// Only these rows, by their letters.
    #[arg(long, default_value = "abcdefghij")]
    only: String,
    /// Set by cargo.
    #[arg(long, hide = true)]
    bench: bool,
    /// Be the server instead: used by the benchmark itself.
    #[arg(long, hide = true, num_args = 2, value_names = ["DIRECTORY", "DATABASE"])]
    server: Option<Vec<String>>,
}

fn main() {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    if let Some(server) = &arguments.server {
        runtime.block_on(server::run(PathBuf::from(&server[0]), &server[1]));
        return;
    }
    let mut databases = Vec::new();
    if !arguments.no_sqlite {
        databases.push(("SQLite, synchronous=FULL", None));
    }
    if let Some(url) = &arguments.postgres {
        databases.push(("PostgreSQL, synchronous_commit=on", Some(url.as_str())));
    }
    for (title, url) in databases {
        println!("\n## {title}\n");
        if let Some(many) = arguments.ledger {
            runtime.block_on(async {
                let server = ServerProcess::start(url).await;
                ledger::measure(&server, many).await;
                server.stop().await;
            });
            continue;
        }
        let mut rounds = Vec::new();
        for round in 1..=arguments.rounds {
            eprintln!("{title}: round {round} of {}", arguments.rounds);
            rounds.push(runtime.block_on(one_round(&arguments, url)));
        }
        report::print(&rounds);
        if !arguments.no_million {
            eprintln!("{title}: a table of a million payments, beside an empty one");
            let beside = runtime.block_on(million(&arguments, url));
            report::print_million(&beside);
        }
    }
}

async fn one_round(arguments: &Arguments, postgres: Option<&str>) -> Figures {
    let server = ServerProcess::start(postgres).await;
    let seconds = Duration::from_secs(arguments.seconds);
    let client = Client::new(&server);
    let mut figures = Figures { start_ms: server.start_ms, ..Figures::default() };
    for phase in Phase::ALL.into_iter().filter(|phase| arguments.only.contains(phase.letter())) {
        // The directory and the statement caches are warm before anything is counted.
        let warm_up = Duration::from_millis(500);
        client.prepare(phase, warm_up + seconds).await;
        client.run(phase, warm_up).await;
        let watch = if phase == Phase::RoutedSlowly { server.watch_sessions() } else { None };
        figures.rows.push(measure(&server, &client, phase, seconds).await);
        figures.idle_sessions = watch.map(SessionWatch::stop).or(figures.idle_sessions);
    }
    figures.rss_mb = server.rss_mb();
    server.stop().await;
    figures
}

async fn measure(server: &ServerProcess, client: &Client, phase: Phase, seconds: Duration) -> Row {
    let cpu_before = server.cpu_seconds();
    let bytes_before = server.bytes_on_disk();
    let verified_before = if phase.is_of_ledger() { server.verified() } else { 0 };
    let measured = client.run(phase, seconds).await;
    let verified = if phase.is_of_ledger() { server.verified() - verified_before } else { 0 };
    let cpu = server.cpu_seconds() - cpu_before;
    let bytes = server.bytes_on_disk().saturating_sub(bytes_before);
    Row::new(phase, measured, cpu, bytes, verified)
}

/// (c) and a list page on an empty table and on one of a million payments, alternated.
async fn million(arguments: &Arguments, postgres: Option<&str>) -> Vec<(Row, Row, Row, Row)> {
    let empty = ServerProcess::start(postgres).await;
    let full = ServerProcess::start(postgres).await;
    full.fill_with_a_million_payments().await;
    let (empty_client, full_client) = (Client::new(&empty), Client::new(&full));
    let seconds = Duration::from_secs(arguments.seconds);
    let mut pairs = Vec::new();
    for _ in 0..arguments.rounds {
        pairs.push((
            measure(&empty, &empty_client, Phase::Create, seconds).await,
            measure(&full, &full_client, Phase::Create, seconds).await,
            measure(&empty, &empty_client, Phase::List, seconds).await,
            measure(&full, &full_client, Phase::List, seconds).await,
        ));
    }
    empty.stop().await;
    full.stop().await;
    pairs
}
