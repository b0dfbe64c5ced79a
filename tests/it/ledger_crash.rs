//! Real programs on one database: many writers at once, and programs that are killed. The line has neither gaps nor twins,
//! and what was accepted is in it once.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::secrets::random_hex;
use switchyard::store::Target;

use crate::api_keys::made_key;
use crate::ledger_audit::verify;
use crate::person::Person;
use crate::support::{ServingProgram, TestDatabase, eventually, eventually_within};

const QUIET: [(&str, &str); 1] = [("SWITCHYARD__LOG__LEVEL", "warn")];

/// A machine with a key.
#[derive(Clone)]
struct Emitter {
    base_url: String,
    key: String,
    client: reqwest::Client,
}

/// A request that emits.
struct Request {
    path: &'static str,
    body: String,
    key: String,
}

impl Emitter {
    async fn of_its_own(database: &TestDatabase, serving: &ServingProgram) -> Self {
        let person = Person::registered_at(&serving.url, "ann@example.com").await;
        let key = made_key(&person, json!({})).await["fullKey"].as_str().unwrap().to_owned();
        database.execute("UPDATE tenants SET plan = 'enterprise'").unwrap();
        Self { base_url: serving.url.clone(), key, client: reqwest::Client::new() }
    }

    /// The records that were accepted, unless the server is gone.
    async fn emit(&self, request: &Request) -> Option<Vec<String>> {
        let url = format!("{}/api/v1{}", self.base_url, request.path);
        let sent = self.client.post(url).header("X-Api-Key", &self.key).header("Idempotency-Key", &request.key);
        let response = sent.header("Content-Type", "application/json").body(request.body.clone()).send().await.ok()?;
        let status = response.status().as_u16();
        let text = response.text().await.ok()?;
        assert_eq!(status, 201, "{text}");
        let data = serde_json::from_str::<Value>(&text).unwrap()["data"].clone();
        let id = |taken: &Value| taken["recordId"].as_str().unwrap_or_else(|| panic!("{taken}")).to_owned();
        Some(data["results"].as_array().map_or_else(|| vec![id(&data)], |all| all.iter().map(id).collect()))
    }
}

/// One delta, or twenty, of one unit each.
fn request(customer: &str) -> Request {
    let delta = || json!({ "customerId": customer, "delta": 1, "reason": "use", "referenceId": random_hex(8) });
    let key = random_hex(16);
    if key.starts_with(['0', '1', '2', '3']) {
        let deltas: Vec<Value> = (0..20).map(|_| delta()).collect();
        return Request { path: "/balance/delta/batch", body: json!({ "deltas": deltas }).to_string(), key };
    }
    Request { path: "/balance/delta", body: delta().to_string(), key }
}

/// Emits until the server is gone: what was accepted, and the request whose answer did not come.
async fn emit_on(emitter: Emitter, customer: String) -> (Vec<String>, Request) {
    let mut accepted = Vec::new();
    loop {
        let request = request(&customer);
        match emitter.emit(&request).await {
            Some(records) => accepted.extend(records),
            None => return (accepted, request),
        }
    }
}

async fn all_is_verified(database: &TestDatabase) {
    eventually_within(Duration::from_secs(30), "everything is verified", || async {
        database.number("SELECT COUNT(*) FROM delta_queue") == 0
    })
    .await;
}

/// Asserts that the line has exactly these records, each once, numbered from 1.
fn assert_line_of(database: &TestDatabase, mut accepted: Vec<String>) {
    accepted.sort();
    let number = i64::try_from(accepted.len()).unwrap();
    assert_eq!(database.texts("SELECT record_id AS text FROM delta_entries ORDER BY record_id"), accepted);
    assert_eq!(database.texts("SELECT record_id AS text FROM deltas ORDER BY record_id"), accepted);
    assert_eq!(database.number("SELECT COUNT(DISTINCT sequence) FROM delta_entries"), number);
    assert_eq!(database.number("SELECT MIN(sequence) FROM delta_entries"), 1);
    assert_eq!(database.number("SELECT MAX(sequence) FROM delta_entries"), number);
    assert_eq!(database.number("SELECT COUNT(*) FROM delta_failures"), 0);
    assert_eq!(database.number("SELECT SUM(CAST(balance AS BIGINT)) FROM ledger_customers"), number * 1_000_000);
    assert_eq!(database.number("SELECT SUM(used) FROM usage_counters WHERE name = 'deltas'"), number);
    assert_verified(database);
}

fn assert_verified(database: &TestDatabase) {
    let verified = verify(database, &[]);
    let [said, talked] = [&verified.stdout, &verified.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert_eq!(verified.status.code(), Some(0), "{said}{talked}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_on_one_customer_make_one_line() {
    let database = TestDatabase::new();
    let programs = if matches!(database.target, Target::Postgres(_)) { 3 } else { 1 };
    let mut serving = Vec::new();
    for _ in 0..programs {
        serving.push(ServingProgram::start(&database, &QUIET).await);
    }
    let emitter = Emitter::of_its_own(&database, &serving[0]).await;
    let writers: Vec<_> = (0..64)
        .map(|number| {
            let emitter = Emitter { base_url: serving[number % programs].url.clone(), ..emitter.clone() };
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                for _ in 0..15 {
                    accepted.extend(emitter.emit(&request("c")).await.unwrap());
                }
                accepted
            })
        })
        .collect();
    // While they write, what is there is found intact.
    eventually("the load has begun", || async { database.number("SELECT COUNT(*) FROM delta_entries") > 0 }).await;
    assert_verified(&database);
    let mut accepted = Vec::new();
    for writer in writers {
        accepted.extend(writer.await.unwrap());
    }
    all_is_verified(&database).await;
    println!("{programs} programs took {} deltas of one customer", accepted.len());
    assert_line_of(&database, accepted);
}

/// Several programs are sent one reference at once: one delta stands for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_reference_that_comes_everywhere_at_once_is_one_delta() {
    let database = TestDatabase::new();
    let programs = if matches!(database.target, Target::Postgres(_)) { 3 } else { 1 };
    let mut serving = Vec::new();
    for _ in 0..programs {
        serving.push(ServingProgram::start(&database, &QUIET).await);
    }
    let emitter = Emitter::of_its_own(&database, &serving[0]).await;
    let mut all = Vec::new();
    for round in 0..10 {
        let sent = (0..12).map(|number| {
            let emitter = Emitter { base_url: serving[number % programs].url.clone(), ..emitter.clone() };
            let delta = |n: usize| json!({ "customerId": "c", "delta": 1, "reason": "use", "referenceId": format!("{round}-{n}") });
            // Some have the references in the other order.
            let deltas = if number % 2 == 0 { json!([delta(0), delta(1)]) } else { json!([delta(1), delta(0)]) };
            let request =
                Request { path: "/balance/delta/batch", body: json!({ "deltas": deltas }).to_string(), key: random_hex(16) };
            async move { emitter.emit(&request).await.unwrap() }
        });
        let records = futures_util::future::join_all(sent).await;
        let mut records: Vec<String> = records.into_iter().flatten().collect();
        records.sort();
        records.dedup();
        assert_eq!(records.len(), 2, "{records:?}");
        all.extend(records);
    }
    all_is_verified(&database).await;
    assert_line_of(&database, all);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_deltas_are_verified_once_when_the_program_is_killed_under_load() {
    let database = TestDatabase::new();
    let mut serving = ServingProgram::start(&database, &QUIET).await;
    let mut emitter = Emitter::of_its_own(&database, &serving).await;
    let (mut accepted, mut found_waiting) = (Vec::new(), 0);
    for _ in 0..5 {
        emitter.base_url.clone_from(&serving.url);
        let before = database.number("SELECT COUNT(*) FROM deltas");
        let writers: Vec<_> =
            (0..16).map(|number| tokio::spawn(emit_on(emitter.clone(), format!("c{}", number % 3)))).collect();
        eventually("the load has begun", || async { database.number("SELECT COUNT(*) FROM deltas") > before }).await;
        let random = u64::from_str_radix(&random_hex(2), 16).unwrap();
        tokio::time::sleep(Duration::from_millis(100 + random % 400)).await;
        serving.kill();
        let mut unanswered = Vec::new();
        for writer in writers {
            let (of_writer, last) = writer.await.unwrap();
            accepted.extend(of_writer);
            unanswered.push(last);
        }
        found_waiting += database.number("SELECT COALESCE(SUM(number), 0) FROM delta_queue");
        // As the program left it, nothing is half done.
        assert_verified(&database);
        serving = ServingProgram::start(&database, &QUIET).await;
        emitter.base_url.clone_from(&serving.url);
        // Whether or not it was written before the end, asking again emits it exactly once.
        for request in unanswered {
            accepted.extend(emitter.emit(&request).await.unwrap());
        }
    }
    all_is_verified(&database).await;
    println!("5 kills: {} deltas accepted, {found_waiting} were waiting when it was killed", accepted.len());
    assert!(accepted.len() > 100, "only {} deltas were accepted", accepted.len());
    assert_line_of(&database, accepted);
}
