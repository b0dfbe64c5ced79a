//! What lies in the database: how many bytes, and a million payments where they are wanted.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use switchyard::store::Target;

pub fn on_postgres(url: &str, sql: &str) {
    diesel::PgConnection::establish(url).unwrap().batch_execute(sql).unwrap();
}

/// Bytes of the database: the file with its log, or the schema's tables and indexes.
pub fn bytes(target: &Target, schema: Option<&str>) -> u64 {
    match target {
        Target::Sqlite(path) => {
            let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |found| found.len());
            size(path) + size(&path.with_extension("db-wal"))
        }
        Target::Postgres(_) => {
            let sql = format!(
                "SELECT CAST(COALESCE(SUM(pg_total_relation_size(c.oid)), 0) AS BIGINT) AS number FROM pg_class c \
                 JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = '{}' AND c.relkind = 'r'",
                schema.unwrap_or("public")
            );
            number(target, &sql)
        }
    }
}

/// What a query answers with, in a column named `number`.
pub fn number(target: &Target, sql: &str) -> u64 {
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        number: i64,
    }
    let row: Row = match target {
        Target::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout=60000").unwrap();
            diesel::sql_query(sql).get_result(&mut conn).unwrap()
        }
        Target::Postgres(url) => {
            diesel::sql_query(sql).get_result(&mut diesel::PgConnection::establish(url).unwrap()).unwrap()
        }
    };
    u64::try_from(row.number).unwrap_or(0)
}

/// A million payments of an app, each with its buyer, its attempt and its request, all of the last hours.
pub fn fill(target: &Target, app_id: &str) {
    match target {
        Target::Sqlite(path) => {
            let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            conn.batch_execute("PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA busy_timeout=60000;").unwrap();
            let numbers =
                "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1000000)";
            let random = "randomblob(16)";
            conn.batch_execute(&statements(app_id, numbers, "numbers", "printf('%026d', n)", random)).unwrap();
            conn.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;").unwrap();
        }
        Target::Postgres(url) => {
            let mut conn = diesel::PgConnection::establish(url).unwrap();
            let numbers = "generate_series(1::bigint, 1000000) AS numbers(n)";
            let random = "decode(md5(random()::text || n::text), 'hex')";
            conn.batch_execute(&statements(app_id, "", numbers, "lpad(n::text, 26, '0')", random)).unwrap();
            conn.batch_execute("ANALYZE").unwrap();
        }
    }
}

fn statements(app_id: &str, with: &str, numbers: &str, id: &str, random: &str) -> String {
    let now_micros = switchyard::clock::Clock::system().now().unix_micros();
    let at = format!("{now_micros} - 7200000000 + n * 7000");
    format!(
        "BEGIN;
         INSERT INTO customers (app_id, external_user_id, email, name, created_at, updated_at)
           {with} SELECT '{app_id}', 'old-user-' || n, 'buyer@shop.example', NULL, {at}, {at} FROM {numbers} WHERE n <= 100000;
         INSERT INTO payments (payment_id, app_id, mode, status, amount_minor, paid_minor, refunded_minor, currency, method,
             provider, provider_ref, invoice_number, external_user_id, email, metadata, last_error, return_url, expires_at,
             poll_at, polls, needs_attention, created_at, updated_at)
           {with} SELECT 'pay_' || {id}, '{app_id}', 'test', CASE WHEN n % 4 = 0 THEN 'initiated' ELSE 'succeeded' END,
             50000, CASE WHEN n % 4 = 0 THEN 0 ELSE 50000 END, 0, 'IDR', 'va_bca', 'mock', 'mock_' || {id}, 'pay_' || {id},
             'old-user-' || (n % 100000), 'buyer@shop.example', '{{\"order\":\"1234567\"}}', '', 'https://shop.example/thanks',
             {at} + 86400000000, CASE WHEN n % 4 = 0 THEN {at} + 86400000000 END, 5, FALSE, {at}, {at} FROM {numbers};
         INSERT INTO attempts (attempt_id, payment_id, provider, mode, state, provider_ref, created_at, answered_at)
           {with} SELECT 'att_' || {id}, 'pay_' || {id}, 'mock', 'test', 'started', 'mock_' || {id}, {at}, {at} FROM {numbers};
         INSERT INTO requests (signed_at, signature, idempotency_key, body_digest, status_code, answer, payment_id, created_at)
           {with} SELECT ({at}) / 1000000, {random}, {random}, {random}, 201, '{{}}', 'pay_' || {id}, {at} FROM {numbers};
         COMMIT;"
    )
}
