//! The real program is killed while it takes writes: what it accepted is verified after the restart, once. Asked to
//! stop, it verifies what waits first.

use std::time::Duration;

use serde_json::json;
use switchyard::domain::secrets::random_hex;

use crate::person::Person;
use crate::support::{ServingProgram, TestDatabase, eventually, eventually_within};
use crate::writes::Machine;

/// Writes until the server is gone: the ids that were accepted, and the write whose answer did not come.
async fn write_on(machine: Machine) -> (Vec<String>, (String, String)) {
    let mut accepted = Vec::new();
    loop {
        let (mine, key) = (random_hex(8), random_hex(16));
        let items = [("sum", 1), (mine.as_str(), 1), ("sum", 2)]
            .map(|(key, bits)| json!({ "key": key, "accountId": "x", "bits": bits }));
        let body = json!({ "items": items }).to_string();
        match machine.try_post(body.clone(), Some(&key)).await {
            Some(answer) => {
                let answer = answer.expect_status(202).json();
                accepted.push(answer["data"]["requestId"].as_str().unwrap().to_owned());
            }
            None => return (accepted, (body, key)),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accepted_writes_are_verified_once_when_the_program_is_killed_under_load() {
    let database = TestDatabase::new();
    let variables = [("SWITCHYARD__LOG__LEVEL", "warn")];
    let mut serving = ServingProgram::start(&database, &variables).await;
    let ann = Person::registered_at(&serving.url, "ann@example.com").await;
    let mut machine = Machine::of(&ann, json!({})).await;
    let (mut accepted, mut found_waiting) = (Vec::new(), 0);
    for _ in 0..5 {
        machine.base_url.clone_from(&serving.url);
        let writers: Vec<_> = (0..16).map(|_| tokio::spawn(write_on(machine.clone()))).collect();
        let before = database.number("SELECT COUNT(*) FROM write_requests");
        eventually("the load has begun", || async { database.number("SELECT COUNT(*) FROM write_requests") > before })
            .await;
        let random = u64::from_str_radix(&random_hex(2), 16).unwrap();
        tokio::time::sleep(Duration::from_millis(150 + random % 300)).await;
        serving.kill();
        let mut unanswered = Vec::new();
        for writer in writers {
            let (of_writer, last) = writer.await.unwrap();
            accepted.extend(of_writer);
            unanswered.push(last);
        }
        found_waiting += database.number("SELECT COALESCE(SUM(pending), 0) FROM write_lines");
        serving = ServingProgram::start(&database, &variables).await;
        machine.base_url.clone_from(&serving.url);
        // Whether or not it was written before the end, asking again writes it exactly once.
        for (body, key) in unanswered {
            let answer = machine.try_post(body, Some(&key)).await.unwrap().expect_status(202).json();
            accepted.push(answer["data"]["requestId"].as_str().unwrap().to_owned());
        }
    }
    let limit = Duration::from_secs(20);
    eventually_within(limit, "everything is verified", || async {
        database.number("SELECT COALESCE(SUM(pending), 0) FROM write_lines") == 0
    })
    .await;
    let number = i64::try_from(accepted.len()).unwrap();
    assert!(number > 100, "only {number} writes were accepted");
    assert_eq!(database.number("SELECT COUNT(*) FROM write_requests WHERE verified_at IS NOT NULL"), number);
    accepted.sort();
    let known = database.texts("SELECT request_id AS text FROM write_requests ORDER BY request_id");
    assert_eq!(known, accepted);
    let sum = machine.bucket("sum").await;
    assert_eq!((&sum["currentBits"], &sum["totalWrites"]), (&json!(3 * number), &json!(2 * number)));
    assert_eq!(database.number("SELECT COUNT(*) FROM write_buckets WHERE writes = 1"), number);
    let told = "SELECT COUNT(*) FROM events WHERE event_type = 'verification.completed'";
    assert_eq!(database.number(told), number, "each is told of once");
    println!("5 kills: {number} writes accepted, {found_waiting} items were waiting when it was killed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_that_is_asked_to_stop_verifies_what_waits_first() {
    let database = TestDatabase::new();
    let serving = ServingProgram::start(&database, &[("SWITCHYARD__LOG__LEVEL", "warn")]).await;
    let ann = Person::registered_at(&serving.url, "ann@example.com").await;
    let machine = Machine::of(&ann, json!({})).await;
    let items: Vec<_> =
        (0..1000).map(|number| json!({ "key": format!("k{number}"), "accountId": "x", "bits": number })).collect();
    for _ in 0..5 {
        machine.post(json!(items)).await.expect_status(202);
    }
    let (code, took) = serving.terminate().await;
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(10), "{took:?}");
    assert_eq!(database.number("SELECT COALESCE(SUM(pending), 0) FROM write_lines"), 0);
    assert_eq!(database.number("SELECT COUNT(*) FROM write_buckets WHERE writes = 5"), 1000);
}
