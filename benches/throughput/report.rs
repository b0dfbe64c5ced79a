//! The tables that are printed: figures, and the ratios between them, which are what counts.

use crate::load::{Measured, Phase};
use crate::sessions::IdleSessions;

/// The figures of one round.
#[derive(Default)]
pub struct Figures {
    pub rows: Vec<Row>,
    pub start_ms: f64,
    pub rss_mb: f64,
    /// Seen at PostgreSQL while providers were waited for.
    pub idle_sessions: Option<IdleSessions>,
}

/// The figures of one row.
pub struct Row {
    pub phase: Phase,
    pub per_second: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub errors: u64,
    pub bytes_each: f64,
    pub cpu_per_thousand: f64,
    /// Deltas that were verified meanwhile.
    pub verified_per_second: f64,
}

impl Row {
    pub fn new(phase: Phase, measured: Measured, cpu_seconds: f64, bytes: u64, verified: u64) -> Self {
        let count = measured.latencies_us.len();
        let percentile = |share: usize| {
            let index = (count * share / 100).min(count.saturating_sub(1));
            measured.latencies_us.get(index).map_or(0.0, |micros| f64::from(*micros) / 1000.0)
        };
        let done = count * phase.each();
        let each = |total: f64| if done == 0 { 0.0 } else { total / done as f64 };
        Self {
            phase,
            per_second: done as f64 / measured.seconds,
            verified_per_second: verified as f64 / measured.seconds,
            p50_ms: percentile(50),
            p99_ms: percentile(99),
            errors: measured.errors,
            bytes_each: each(bytes as f64),
            cpu_per_thousand: each(cpu_seconds) * 1000.0,
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Prints the medians of the rounds.
pub fn print(rounds: &[Figures]) {
    println!(
        "| row | per second | share of (a) | share of (b) | p50 ms | p99 ms | errors | bytes each | CPU s per 1,000 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for phase in Phase::ALL {
        let of = |figure: fn(&Row) -> f64| {
            median(rounds.iter().filter_map(|round| find(round, phase)).map(figure).collect())
        };
        if rounds.iter().all(|round| find(round, phase).is_none()) {
            continue;
        }
        println!(
            "| {} | {:.0} | {} | {} | {:.2} | {:.2} | {:.0} | {:.0} | {:.3} |",
            phase.title(),
            of(|row| row.per_second),
            share(rounds, phase, Phase::Signed),
            share(rounds, phase, Phase::Write),
            of(|row| row.p50_ms),
            of(|row| row.p99_ms),
            rounds.iter().filter_map(|round| find(round, phase)).map(|row| row.errors).sum::<u64>(),
            of(|row| row.bytes_each),
            of(|row| row.cpu_per_thousand),
        );
    }
    println!();
    for phase in Phase::ALL.into_iter().filter(|phase| phase.is_of_ledger()) {
        let ratios: Vec<f64> = rounds
            .iter()
            .filter_map(|round| Some(find(round, phase)?.verified_per_second / find(round, Phase::Write)?.per_second))
            .collect();
        if !ratios.is_empty() {
            println!("verified during ({}): {:.1} % of (b)", phase.letter(), median(ratios) * 100.0);
        }
    }
    println!("start to first 200: {:.0} ms", median(rounds.iter().map(|round| round.start_ms).collect()));
    let idle: Vec<&IdleSessions> = rounds.iter().filter_map(|round| round.idle_sessions.as_ref()).collect();
    if !idle.is_empty() {
        println!(
            "idle in transaction during (g), of {} samples: at most {} session(s) at once; {} for longer than {} ms",
            idle.iter().map(|round| round.samples).sum::<u64>(),
            idle.iter().map(|round| round.most).max().unwrap_or(0),
            idle.iter().map(|round| round.most_for_long).max().unwrap_or(0),
            crate::sessions::LONG_MS,
        );
    }
    println!("resident after the run: {:.0} MB", median(rounds.iter().map(|round| round.rss_mb).collect()));
}

fn find(round: &Figures, phase: Phase) -> Option<&Row> {
    round.rows.iter().find(|row| row.phase == phase)
}

/// The median of the ratios within each round.
fn share(rounds: &[Figures], phase: Phase, of: Phase) -> String {
    if phase == Phase::RoutedSlowly {
        // Its rate is given.
        return "–".to_owned();
    }
    let ratios: Vec<f64> =
        rounds.iter().filter_map(|round| Some(find(round, phase)?.per_second / find(round, of)?.per_second)).collect();
    if ratios.is_empty() { "–".to_owned() } else { format!("{:.1} %", median(ratios) * 100.0) }
}

/// Prints (c) and a page of the list, on a million payments beside an empty table.
pub fn print_million(pairs: &[(Row, Row, Row, Row)]) {
    let share = |ratios: Vec<f64>| median(ratios) * 100.0;
    let create = share(pairs.iter().map(|(empty, full, _, _)| full.per_second / empty.per_second).collect());
    let list = share(pairs.iter().map(|(_, _, empty, full)| full.per_second / empty.per_second).collect());
    let p99 = median(pairs.iter().map(|(_, full, _, _)| full.p99_ms).collect());
    let errors: u64 = pairs.iter().map(|(a, b, c, d)| a.errors + b.errors + c.errors + d.errors).sum();
    println!();
    println!(
        "on a million payments, as a share of the empty table: (c) {create:.1} % (p99 {p99:.2} ms), a list page \
         {list:.1} %; errors {errors}"
    );
}
