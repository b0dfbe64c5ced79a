//! The ledger as it grows: what a balance costs after many deltas and after few, how long a checkpoint of a million takes,
//! and one proof of it. The deltas are written by SQL; their hashes are random, which costs a tree the same.

use std::time::Instant;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use switchyard::store::Target;
use tokio::net::TcpStream;

use crate::load::{connect, exchange};
use crate::server::ServerProcess;

/// Requests of each kind.
const REQUESTS: usize = 1000;

/// Customers and how many deltas each has.
const SMALL: (&str, i64) = ("small", 1_000);
const MILLION: (&str, i64) = ("million", 1_000_000);

/// Measures and prints.
pub async fn measure(server: &ServerProcess, many: i64) {
    let big = ("big", many);
    let mut first = 1;
    for (key, (customer, number)) in [SMALL, MILLION, big].into_iter().enumerate() {
        eprintln!("{number} deltas of {customer}");
        fill(&server.target(), key as i64 + 1, customer, first, number);
        first += number;
    }
    finish(&server.target(), first - 1);
    let mut stream = connect(&server.address).await;
    let mut buffer = Vec::new();
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for _ in 0..REQUESTS {
        for ((customer, _), times) in [(SMALL, &mut small), (big, &mut large)] {
            let path = format!("/api/v1/balance/derive/{customer}");
            times.push(timed(server, &mut stream, &mut buffer, "GET", &path, "", 200).await);
        }
    }
    println!("derive, {} deltas: {}", SMALL.1, percentiles(&mut small));
    println!("derive, {many} deltas: {}", percentiles(&mut large));
    let rss_before = server.rss_mb();
    let body = format!(r#"{{"customerId":"{}"}}"#, MILLION.0);
    let micros = timed(server, &mut stream, &mut buffer, "POST", "/api/v1/balance/checkpoint", &body, 201).await;
    let seconds = f64::from(micros) / 1e6;
    println!(
        "checkpoint of {} deltas: {seconds:.2} s; resident before {rss_before:.0} MB, at most {:.0} MB",
        MILLION.1,
        server.most_rss_mb()
    );
    let mut proofs = Vec::new();
    for number in 0..REQUESTS as i64 {
        let record = SMALL.1 + 1 + number * 997 % MILLION.1;
        let path = format!("/api/v1/balance/delta/rec_{record:026}/proof");
        proofs.push(timed(server, &mut stream, &mut buffer, "GET", &path, "", 200).await);
    }
    println!("inclusion proof among {} deltas: {}", MILLION.1, percentiles(&mut proofs));
}

async fn timed(
    server: &ServerProcess,
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    method: &str,
    path: &str,
    body: &str,
    status: u16,
) -> u32 {
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: bench\r\nX-Api-Key: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\n\r\n{body}",
        server.api_key,
        body.len()
    );
    let started = Instant::now();
    let (answered, text) = exchange(stream, buffer, &request).await;
    assert_eq!(answered, status, "{text}");
    u32::try_from(started.elapsed().as_micros()).unwrap_or(u32::MAX)
}

fn percentiles(times: &mut [u32]) -> String {
    times.sort_unstable();
    let at = |share: usize| f64::from(times[times.len() * share / 100]) / 1000.0;
    format!("p50 {:.2} ms, p99 {:.2} ms", at(50), at(99))
}

fn run(target: &Target, sql: &str) {
    match target {
        Target::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            let pragmas = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA busy_timeout=60000; PRAGMA cache_size=-262144;";
            conn.batch_execute(pragmas).unwrap();
            conn.batch_execute(sql).unwrap();
            conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
        }
        Target::Postgres(url) => diesel::PgConnection::establish(url).unwrap().batch_execute(sql).unwrap(),
    }
}

/// `number` deltas of 1 each of a customer, in the operator's line in mode `test`, from the number `first` on.
fn fill(target: &Target, key: i64, customer: &str, first: i64, number: i64) {
    let last = first + number - 1;
    let (with, numbers, id, salt, hash, overriding) = match target {
        Target::Sqlite(_) => (
            format!(
                "WITH RECURSIVE numbers(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM numbers WHERE n < {last})"
            ),
            "numbers".to_owned(),
            "printf('%026d', n)",
            "randomblob(16)",
            "randomblob(32)",
            "",
        ),
        Target::Postgres(_) => (
            String::new(),
            format!("generate_series({first}::bigint, {last}) AS numbers(n)"),
            "lpad(n::text, 26, '0')",
            "decode(md5(n::text), 'hex')",
            "decode(md5(n::text) || md5((-n)::text), 'hex')",
            "OVERRIDING SYSTEM VALUE",
        ),
    };
    let tenant = "(SELECT tenant_id FROM tenants ORDER BY tenant_id LIMIT 1)";
    let sums = format!("CAST((n - {first} + 1) * 1000000 AS TEXT)");
    run(
        target,
        &format!(
            "BEGIN;
             INSERT INTO ledgers (ledger_id, tenant_id, mode, last_sequence, last_verified_at, emitted, emitted_sum) {overriding}
               SELECT 1, {tenant}, 'test', 0, 0, 0, '0' WHERE NOT EXISTS (SELECT 1 FROM ledgers);
             INSERT INTO ledger_customers (customer_key, tenant_id, mode, customer_id, created_at, deltas, balance, last_delta_at) {overriding}
               VALUES ({key}, {tenant}, 'test', '{customer}', 1, {number}, '{number}000000', 1);
             INSERT INTO deltas (record_id, tenant_id, mode, customer_id, millionths, reason, salt, content_hash, created_at)
               {with} SELECT 'rec_' || {id}, {tenant}, 'test', '{customer}', 1000000, 'usage of an hour', {salt}, {hash}, 1 FROM {numbers};
             INSERT INTO delta_entries (ledger_id, sequence, record_id, customer_key, customer_sequence, customer_sum, emitted,
                 emitted_sum, leaf_hash, verified_at)
               {with} SELECT 1, n, 'rec_' || {id}, {key}, n - {first} + 1, {sums}, n, CAST(n * 1000000 AS TEXT), {hash}, n FROM {numbers};
             COMMIT;"
        ),
    );
}

/// Tells the line where it ends.
fn finish(target: &Target, last: i64) {
    let end = format!(
        "UPDATE ledgers SET last_sequence = {last}, last_verified_at = {last}, emitted = {last}, emitted_sum = '{last}000000',
         last_hash = (SELECT leaf_hash FROM delta_entries WHERE ledger_id = 1 AND sequence = {last}); ANALYZE;"
    );
    run(target, &end);
}
