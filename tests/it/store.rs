//! What the database promises: several servers on one, a schema that refuses nonsense, and queries that use indexes.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::{Connection, InstrumentationEvent};
use serde_json::json;
use switchyard::clock::Clock;
use switchyard::domain::ids::{AppId, EventId};
use switchyard::domain::mode::Mode;
use switchyard::domain::payments::PaymentStatus;
use switchyard::serve::{Options, Server, start};
use switchyard::store::deliveries::Capacity;
use switchyard::store::events::Event;
use switchyard::store::payments::Filter;
use switchyard::store::{Conn, StoreResult, Target, customers, deliveries, events, mock, payments, refunds};

use crate::support::{Answer, Product, Receiver, Reply, TestDatabase, TestGateway, eventually_within};

/// One more server on a database.
pub async fn server_on(database: &TestDatabase, with_work: bool) -> Server {
    let options = Options { with_work, ..Options::default() };
    start(database.settings(), options).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_on_one_database_share_the_deliveries_and_each_is_made_once() {
    const EVENTS: usize = 200;
    let gateway = TestGateway::spawn_with(Clock::system(), false, |_| {}).await;
    let database = &gateway.database;
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply { after: Duration::from_millis(250), ..Reply::status(204) });
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    for _ in 0..EVENTS {
        let payment = product.created(json!({})).await;
        gateway.act_at_checkout(payment["payment_id"].as_str().unwrap(), "succeed").await;
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'"), 200);

    let (one, other) = tokio::join!(server_on(database, true), server_on(database, true));
    let nodes = "SELECT COUNT(DISTINCT lease) FROM deliveries WHERE lease IS NOT NULL";
    let limit = Duration::from_secs(20);
    eventually_within(limit, "both servers have deliveries in hand", || async { database.number(nodes) == 2 }).await;
    let delivered = "SELECT COUNT(*) FROM deliveries WHERE state = 'delivered' AND attempts = 1";
    eventually_within(limit, "everything is delivered", || async { database.number(delivered) == 200 }).await;
    one.stop().await;
    other.stop().await;

    let ids: Vec<String> = receiver.received().iter().map(|delivered| delivered.header("webhook-id")).collect();
    assert_eq!(ids.len(), EVENTS);
    assert_eq!(ids.iter().collect::<HashSet<_>>().len(), EVENTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_start_together_on_an_empty_database_migrate_it_once() {
    let database = TestDatabase::empty();
    let (first, second, third, fourth) = tokio::join!(
        server_on(&database, true),
        server_on(&database, true),
        server_on(&database, true),
        server_on(&database, true)
    );
    let servers = [first, second, third, fourth];
    let migrations = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/sqlite")).unwrap().count();
    let ran = database.number("SELECT COUNT(*) FROM __diesel_schema_migrations");
    assert_eq!(usize::try_from(ran).unwrap(), migrations);
    assert_eq!(database.number("SELECT COUNT(*) FROM install_secrets WHERE name = 'mock_webhook_key'"), 1);

    let issued = servers[0].gateway.create_app(app_options()).await.unwrap();
    let mut product = Product::new(servers[0].url(), issued, Clock::system());
    for server in &servers {
        product.base_url = server.url();
        product.created(json!({})).await;
        Answer::of(reqwest::get(format!("{}/readyz", server.url())).await.unwrap()).await.expect_status(200);
    }
    assert_eq!(database.number("SELECT COUNT(*) FROM payments"), 4);
    for server in servers {
        server.stop().await;
    }
}

fn app_options() -> switchyard::gateway::AppOptions {
    switchyard::gateway::AppOptions {
        name: "Shop".to_owned(),
        mode: Mode::Test,
        webhook_url: None,
        allowed_providers: Vec::new(),
        allowed_methods: Vec::new(),
        require_signed_query: false,
        kyc_above: Vec::new(),
    }
}

#[tokio::test]
async fn every_table_on_sqlite_is_strict() {
    let gateway = TestGateway::spawn_stepped().await;
    if matches!(gateway.database.target, Target::Postgres(_)) {
        return;
    }
    let own = "FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite_%'
               AND name <> '__diesel_schema_migrations'";
    assert!(gateway.database.number(&format!("SELECT COUNT(*) {own} AND strict = 1")) >= 15);
    assert_eq!(gateway.database.texts(&format!("SELECT name AS text {own} AND strict = 0")), Vec::<String>::new());
}

/// A gateway with a payment that was paid and refunded in part and whose events were delivered.
pub async fn used_gateway() -> (TestGateway, Product, Receiver) {
    let gateway = TestGateway::spawn_stepped().await;
    let receiver = Receiver::start().await;
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let payment = product.created(json!({ "invoice_prefix": "INV" })).await;
    gateway.act_at_checkout(payment["payment_id"].as_str().unwrap(), "succeed").await;
    let refund = json!({ "payment_id": payment["payment_id"], "amount_minor": 5 });
    product.post_with_key("/v1/refunds", &refund, "refund").await.expect_status(201);
    gateway.advance(Duration::from_millis(1)).await;
    (gateway, product, receiver)
}

/// Copies the first row of a table with some columns changed; answers with the database's refusal.
fn refusal_of_copy(database: &TestDatabase, table: &str, changes: &[(&str, &str)]) -> String {
    let columns = match database.target {
        Target::Sqlite(_) => format!("SELECT name AS text FROM pragma_table_info('{table}')"),
        Target::Postgres(_) => format!(
            "SELECT column_name::text AS text FROM information_schema.columns
             WHERE table_name = '{table}' AND table_schema = current_schema() ORDER BY ordinal_position"
        ),
    };
    let columns = database.texts(&columns);
    assert!(!columns.is_empty(), "there is no table {table}");
    let changes: HashMap<&str, &str> = changes.iter().copied().collect();
    let values: Vec<&str> =
        columns.iter().map(|column| changes.get(column.as_str()).copied().unwrap_or(column.as_str())).collect();
    let sql = format!("INSERT INTO {table} ({}) SELECT {} FROM {table} LIMIT 1", columns.join(", "), values.join(", "));
    database.execute(&sql).expect_err(&format!("a second row like the first is in {table}"))
}

#[tokio::test]
async fn a_second_row_of_what_must_be_unique_is_refused() {
    let (gateway, ..) = used_gateway().await;
    let database = &gateway.database;
    let is_sqlite = matches!(database.target, Target::Sqlite(_));
    for (table, changes, on_sqlite, on_postgres) in [
        ("apps", &[("app_id", "'app_other'")][..], "apps.public_key", "apps_public_key"),
        ("payments", &[("payment_id", "'pay_other'")], "payments.invoice_number", "payments_invoice_number"),
        ("payments", &[("invoice_number", "'other'")], "payments.payment_id", "payments_key"),
        ("customers", &[], "customers.app_id", "customers_key"),
        ("receipts", &[("amount_minor", "1")], "receipts.payment_id", "receipts_key"),
        ("mock_charges", &[("charges", "2")], "mock_charges.payment_id", "mock_charges_pkey"),
        ("events", &[], "events.event_id", "events_pkey"),
        ("deliveries", &[], "deliveries.delivery_id", "deliveries_pkey"),
        ("inbox", &[("inbox_id", "'inb_other'")], "inbox.provider", "inbox_applied_once"),
        ("requests", &[("request_id", "-1")], "requests.signed_at", "requests_signature"),
    ] {
        let refusal = refusal_of_copy(database, table, changes);
        let name = if is_sqlite { on_sqlite } else { on_postgres };
        assert!(refusal.contains(name), "{table}: {refusal}");
        assert!(refusal.to_lowercase().contains("unique"), "{table}: {refusal}");
    }
    database.execute("DELETE FROM requests WHERE idempotency_key IS NULL").unwrap();
    let refusal = refusal_of_copy(database, "requests", &[("request_id", "-1"), ("signed_at", "1")]);
    let name = if is_sqlite { "requests.idempotency_key" } else { "requests_idempotency_key" };
    assert!(refusal.contains(name), "{refusal}");
}

#[tokio::test]
async fn the_schema_refuses_states_and_amounts_that_cannot_be() {
    let (gateway, ..) = used_gateway().await;
    for (sql, name) in [
        ("UPDATE payments SET status = 'paid'", "payments_status"),
        ("UPDATE payments SET amount_minor = 0", "payments_amount"),
        ("UPDATE payments SET refunded_minor = paid_minor + 1", "payments_refunded"),
        ("UPDATE payments SET refunded_minor = -1", "payments_refunded"),
        ("UPDATE apps SET mode = 'prod'", "apps_mode"),
        ("UPDATE attempts SET state = 'lost'", "attempts_state"),
        ("UPDATE receipts SET amount_minor = 0", "receipts_amount"),
        ("UPDATE refunds SET status = 'pending'", "refunds_status"),
        ("UPDATE refunds SET amount_minor = -5", "refunds_amount"),
        ("UPDATE deliveries SET state = 'lost'", "deliveries_state"),
        ("UPDATE inbox SET verdict = 'fine'", "inbox_verdict"),
    ] {
        let refusal = gateway.database.execute(sql).expect_err(sql);
        assert!(refusal.contains(name), "{sql}: {refusal}");
    }
    for sql in [
        "DELETE FROM payments",
        "DELETE FROM apps",
        "DELETE FROM events",
        "UPDATE payments SET app_id = 'app_nobody'",
        "UPDATE receipts SET payment_id = 'pay_nothing'",
    ] {
        let refusal = gateway.database.execute(sql).expect_err(sql);
        assert!(refusal.to_lowercase().contains("foreign key"), "{sql}: {refusal}");
    }
    // On SQLite an overflow would quietly become a float, were the table not strict.
    gateway.database.execute("UPDATE payments SET paid_minor = 9223372036854775807 + 1").unwrap_err();
    gateway.database.execute("UPDATE payments SET amount_minor = 'many'").unwrap_err();
    gateway.database.execute("UPDATE payments SET status = NULL").unwrap_err();
}

#[tokio::test]
async fn the_schema_itself_refuses_mock_money_in_live() {
    let gateway = TestGateway::spawn_stepped().await;
    let live = gateway.product(Mode::Live).await;
    let payment = live.created(json!({})).await;
    assert_eq!(payment["provider"], "mock");
    for change in ["status = 'succeeded'", "paid_minor = 1", "status = 'succeeded', paid_minor = amount_minor"] {
        let refusal = gateway.database.execute(&format!("UPDATE payments SET {change}")).expect_err(change);
        assert!(refusal.contains("payments_no_mock_money_in_live"), "{change}: {refusal}");
    }
    assert_eq!(gateway.database.execute("UPDATE payments SET status = 'failed'"), Ok(1));
    let refusal = refusal_of_copy(
        &gateway.database,
        "payments",
        &[("payment_id", "'pay_other'"), ("invoice_number", "'other'"), ("status", "'succeeded'")],
    );
    assert!(refusal.contains("payments_no_mock_money_in_live"), "{refusal}");
}

/// The statements that `work` runs, as the driver got them, with their values in place.
fn statements_of(database: &TestDatabase, work: impl FnOnce(&mut Conn) -> StoreResult<()>) -> Vec<String> {
    let Target::Sqlite(path) = &database.target else { panic!("only SQLite's plans are looked at") };
    let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
    let statements = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statements);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            seen.lock().unwrap().push(query.to_string());
        }
    });
    work(&mut Conn::Sqlite(conn)).unwrap();
    let statements = statements.lock().unwrap();
    assert!(!statements.is_empty(), "nothing was asked");
    statements.iter().map(|statement| with_values(statement)).collect()
}

/// `… WHERE a = ? -- binds: [AppId("x"), 5]` as `… WHERE a = 'x'` and so on: a plan depends on the values, because
/// some indexes hold a part of the rows.
fn with_values(statement: &str) -> String {
    let Some((sql, binds)) = statement.split_once(" -- binds: [") else { return statement.to_owned() };
    let values = split_values(binds.trim_end().trim_end_matches(']'));
    let mut parts = sql.split('?');
    let mut filled = parts.next().unwrap().to_owned();
    let mut values = values.iter();
    for part in parts {
        filled.push_str(&literal(values.next().unwrap_or_else(|| panic!("too few values: {statement}"))));
        filled.push_str(part);
    }
    assert!(values.next().is_none(), "too many values: {statement}");
    filled
}

fn split_values(list: &str) -> Vec<String> {
    let mut values = vec![String::new()];
    let (mut depth, mut is_quoted) = (0, false);
    for character in list.chars() {
        match character {
            '"' => is_quoted = !is_quoted,
            '(' | '[' if !is_quoted => depth += 1,
            ')' | ']' if !is_quoted => depth -= 1,
            _ => {}
        }
        match character {
            ',' if depth == 0 && !is_quoted => values.push(String::new()),
            other => values.last_mut().unwrap().push(other),
        }
    }
    values.into_iter().map(|value| value.trim().to_owned()).filter(|value| !value.is_empty()).collect()
}

fn literal(debug: &str) -> String {
    if let Some(text) = debug.split('"').nth(1) {
        return format!("'{text}'");
    }
    let digits: String = debug.chars().filter(char::is_ascii_digit).collect();
    match debug {
        "None" => "NULL".to_owned(),
        _ if digits.is_empty() => format!("'{}'", debug.to_lowercase()),
        _ => digits,
    }
}

/// Scans that do not grow with the payments: the walk over endpoints with work, its look at the first entry of an
/// index, and the endpoints themselves, of which an app has one.
const BOUNDED_SCANS: [&str; 4] =
    ["SCAN walk", "SCAN CONSTANT ROW", "SCAN deliveries USING COVERING INDEX deliveries_due", "SCAN webhook_endpoints"];

/// Asserts that no statement of `work` reads a table from end to end; the plans are answered.
fn assert_uses_indexes(
    database: &TestDatabase,
    what: &str,
    work: impl FnOnce(&mut Conn) -> StoreResult<()>,
) -> Vec<String> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Step {
        #[diesel(sql_type = diesel::sql_types::Text)]
        detail: String,
    }
    let Target::Sqlite(path) = &database.target else { return Vec::new() };
    let mut plans = Vec::new();
    for statement in statements_of(database, work) {
        let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {statement}")).load(&mut conn).unwrap();
        for step in steps {
            let is_scan = step.detail.starts_with("SCAN ") && !BOUNDED_SCANS.contains(&step.detail.as_str());
            assert!(!is_scan, "{what}: {}\n{statement}", step.detail);
            plans.push(step.detail);
        }
    }
    plans
}

/// As [`assert_uses_indexes`], and nothing is sorted after it was found.
pub fn assert_comes_in_order(
    database: &TestDatabase,
    what: &str,
    work: impl FnOnce(&mut Conn) -> StoreResult<()>,
) -> Vec<String> {
    let plans = assert_uses_indexes(database, what, work);
    assert!(!plans.iter().any(|plan| plan.contains("TEMP B-TREE")), "{what}: {plans:?}");
    plans
}

#[tokio::test]
async fn a_page_of_a_list_is_found_by_an_index_whatever_it_is_filtered_by() {
    let (gateway, product, _receiver) = used_gateway().await;
    if matches!(gateway.database.target, Target::Postgres(_)) {
        return;
    }
    let app_id = AppId::parse(&product.app_id).unwrap();
    let text = |text: &str| Some(text.to_owned());
    let now = gateway.clock.now();
    for (index, filter) in [
        ("payments_by_app", Filter::default()),
        ("payments_by_status", Filter { status: Some(PaymentStatus::Succeeded), ..Filter::default() }),
        ("payments_by_method", Filter { method: text("va_bca"), ..Filter::default() }),
        ("payments_by_provider", Filter { provider: text("mock"), ..Filter::default() }),
        ("payments_by_buyer", Filter { external_user_id: text("user-1"), ..Filter::default() }),
        ("payments", Filter { invoice_number: text("INV-000001"), ..Filter::default() }),
        ("payments_by_app", Filter { created_from: Some(now), ..Filter::default() }),
        ("payments_by_app", Filter { created_to: Some(now), ..Filter::default() }),
        (
            "payments_by_",
            Filter {
                status: Some(PaymentStatus::Failed),
                method: text("qris"),
                created_from: Some(now),
                ..Filter::default()
            },
        ),
    ] {
        for before in [None, Some("pay_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
            let plans = assert_comes_in_order(&gateway.database, &format!("{filter:?}"), |conn| {
                payments::list(conn, &app_id, &filter, before, 20).map(drop)
            });
            assert_eq!(plans.len(), 1, "{filter:?}: {plans:?}");
            assert!(plans[0].starts_with("SEARCH payments USING INDEX "), "{filter:?}: {plans:?}");
            assert!(plans[0].contains(index), "{filter:?}: {plans:?}");
        }
    }
    for event_type in [None, Some("payment.succeeded")] {
        for payment_id in [None, Some("pay_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
            for before in [None, Some("evt_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
                assert_comes_in_order(&gateway.database, "events", |conn| {
                    events::list(conn, &app_id, event_type, payment_id, before, 20).map(drop)
                });
            }
        }
    }
    for payment_id in [None, Some("pay_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
        assert_comes_in_order(&gateway.database, "refunds", |conn| {
            refunds::list(conn, &app_id, payment_id, None, 20).map(drop)
        });
    }
    for after in [None, Some("user-1")] {
        assert_comes_in_order(&gateway.database, "customers", |conn| {
            customers::list(conn, &app_id, after, 20).map(drop)
        });
    }
}

#[tokio::test]
async fn what_is_due_is_found_by_an_index() {
    let (gateway, product, _receiver) = used_gateway().await;
    if matches!(gateway.database.target, Target::Postgres(_)) {
        return;
    }
    let database = &gateway.database;
    let payment = product.created(json!({ "external_user_id": "user-2" })).await;
    gateway.act_at_checkout(payment["payment_id"].as_str().unwrap(), "succeed").await;
    gateway.clock.advance(Duration::from_millis(1));
    assert_eq!(database.number("SELECT COUNT(*) FROM deliveries WHERE state = 'pending'"), 1);
    let app_id = AppId::parse(&product.app_id).unwrap();
    let now = gateway.clock.now();
    let capacity =
        Capacity { total: 512, per_endpoint: 32, per_failing_endpoint: 2, room: HashMap::new(), after: None };
    let plans = assert_comes_in_order(database, "claim", |conn| {
        let claimed = deliveries::claim_due(conn, now, "lease", Duration::from_secs(60), &capacity)?;
        assert_eq!(claimed.len(), 1);
        Ok(())
    });
    for index in ["deliveries_due", "deliveries_never_tried"] {
        assert!(plans.iter().any(|plan| plan.contains(index)), "no use of {index}: {plans:#?}");
    }
    let plans = assert_comes_in_order(database, "poll", |conn| payments::due_for_poll(conn, now, 100).map(drop));
    assert!(plans[0].contains("payments_to_poll"), "{plans:?}");
    assert_comes_in_order(database, "the mock's jobs", |conn| mock::claim_jobs(conn, now, now, 200).map(drop));

    database.execute("UPDATE deliveries SET state = 'dead', lease = NULL, finished_at = created_at").unwrap();
    let plans = assert_uses_indexes(database, "what is dead", |conn| {
        assert_eq!(deliveries::redeliver_dead_since(conn, &app_id, now.minus(Duration::from_secs(3600)), now)?, 3);
        Ok(())
    });
    assert!(plans.iter().any(|plan| plan.contains("deliveries_dead")), "{plans:?}");

    let event_id = EventId::parse(&database.texts("SELECT event_id AS text FROM events LIMIT 1")[0]).unwrap();
    assert_uses_indexes(database, "one event", |conn| {
        let event: Event = events::find(conn, &app_id, &event_id)?.unwrap();
        deliveries::of_events(conn, std::slice::from_ref(&event.event_id))?;
        assert_eq!(deliveries::redeliver(conn, &event, now)?, 1);
        Ok(())
    });
}
