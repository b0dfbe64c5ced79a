//! `GET /v1/events/stream`: every event of the app, in the order of the commits, and nobody else's.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::ids::{AppId, EventId};
use switchyard::domain::mode::Mode;
use switchyard::gateway::{App, Gateway, Listening, MOST_LISTENERS_OF_APP, Proof, SignedHead};
use switchyard::serve::{Options, start};
use switchyard::store::{Target, event_stream};

use crate::query_plans::assert_is_looked_up;
use crate::store::used_gateway;
use crate::support::{Product, Receiver, ServingProgram, TestDatabase, TestGateway, id_of, program_on};

const STREAM: &str = "/v1/events/stream";

/// An event as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Came {
    pub id: String,
    pub event: String,
    pub data: String,
}

/// A client of the stream.
pub struct Stream {
    response: reqwest::Response,
    buffer: String,
    /// From where one goes on who is cut off before the first event.
    beginning: String,
}

impl Stream {
    /// Connects, and reads up to the line that says that one listens.
    pub async fn open(product: &Product, query: &str, last: Option<&str>) -> Self {
        let response = ask(product, query, last).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, buffer: String::new(), beginning: String::new() };
        let beginning = stream.block().await.unwrap();
        stream.beginning = beginning.strip_prefix("retry: 2000\nid: ").unwrap().to_owned();
        stream
    }

    /// The next block of lines; nothing at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.buffer.split_once("\n\n") {
                let block = block.to_owned();
                self.buffer = rest.to_owned();
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            let chunk = chunk.expect("something comes within 20 s").unwrap_or(None)?;
            self.buffer.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    /// The next event; nothing at the end of the stream.
    pub async fn next(&mut self) -> Option<Came> {
        loop {
            let block = self.block().await?;
            if block.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let mut lines = block.lines().filter_map(|line| line.strip_prefix(name));
                let value = lines.next().unwrap_or_else(|| panic!("no {name} in {block}")).to_owned();
                assert_eq!(lines.next(), None, "{block}");
                value
            };
            assert_eq!(block.lines().count(), 3, "{block}");
            return Some(Came { id: field("id: "), event: field("event: "), data: field("data: ") });
        }
    }

    async fn ids(&mut self, count: usize) -> Vec<String> {
        let mut ids = Vec::new();
        while ids.len() < count {
            ids.push(self.next().await.expect("the stream goes on").id);
        }
        ids
    }

    /// Whether the stream ends before anything more comes.
    async fn ends(mut self) -> bool {
        self.next().await.is_none()
    }
}

async fn ask(product: &Product, query: &str, last: Option<&str>) -> reqwest::Response {
    let path = if query.is_empty() { STREAM.to_owned() } else { format!("{STREAM}?{query}") };
    let mut request = product.client.get(format!("{}{path}", product.base_url));
    for (name, value) in product.signed_headers("GET", &path, b"", product.clock.now().unix_seconds()) {
        request = request.header(name, value);
    }
    if let Some(last) = last {
        request = request.header("Last-Event-ID", last);
    }
    request.send().await.unwrap()
}

async fn refused(product: &Product, query: &str, last: Option<&str>) -> (u16, Value) {
    let answer = ask(product, query, last).await;
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// SQL that writes an event of an app, as another process does.
fn insertion(app_id: &str, event_id: &str) -> String {
    format!(
        "INSERT INTO events (event_id, app_id, event_type, body, created_at)
         VALUES ('{event_id}', '{app_id}', 'payment.failed', '{{\"event_id\":\"{event_id}\"}}', 1)"
    )
}

fn fresh_id() -> String {
    EventId::generate(Clock::system().now()).to_string()
}

#[actix_web::test]
async fn a_listener_gets_what_an_endpoint_gets_and_nothing_of_another_app_or_mode() {
    let gateway = TestGateway::spawn().await;
    let receiver = Receiver::start().await;
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(receiver.url.clone())).await;
    let other = gateway.product(Mode::Test).await;
    let sandbox = gateway.product(Mode::Sandbox).await;
    let mut stream = Stream::open(&product, "", None).await;
    let mut refunds = Stream::open(&product, "types=refund.succeeded,refund.failed", None).await;
    let mut others = Stream::open(&other, "", None).await;
    let mut sandboxes = Stream::open(&sandbox, "", None).await;

    let payment_id = id_of(&product.created(json!({ "mock": { "outcome": "succeed" } })).await);
    let paid = stream.next().await.unwrap();
    product.post("/v1/refunds", &json!({ "payment_id": payment_id })).await.expect_status(201);
    let refunded = stream.next().await.unwrap();
    assert_eq!((paid.event.as_str(), refunded.event.as_str()), ("payment.succeeded", "refund.succeeded"));
    assert_eq!(refunds.next().await.unwrap(), refunded, "the type that was asked for comes alone");

    let delivered = receiver.wait_for(2).await;
    for (came, delivered) in [&paid, &refunded].into_iter().zip(&delivered) {
        assert_eq!(came.data.as_bytes(), delivered.body);
        assert_eq!(came.id, delivered.header("webhook-id"));
    }
    // Had anything of the first app's come to the others, it would have come before their own.
    for (stream, product) in [(&mut others, &other), (&mut sandboxes, &sandbox)] {
        let payment_id = id_of(&product.created(json!({})).await);
        product.post(&format!("/v1/payments/{payment_id}/cancel"), &json!({})).await.expect_status(200);
        let came: Value = serde_json::from_str(&stream.next().await.unwrap().data).unwrap();
        assert_eq!((&came["event"], &came["payment_id"]), (&json!("payment.canceled"), &json!(payment_id)));
    }
}

#[actix_web::test]
async fn what_was_missed_comes_first_and_then_what_is_new() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let written: Vec<String> = (0..450).map(|_| fresh_id()).collect();
    for event_id in &written {
        gateway.database.execute(&insertion(&product.app_id, event_id)).unwrap();
    }
    let later = fresh_id();
    for (query, last) in [(String::new(), Some(written[0].as_str())), (format!("after={}", written[0]), None)] {
        let mut stream = Stream::open(&product, &query, last).await;
        assert_eq!(stream.ids(449).await, written[1..]);
        if last.is_some() {
            gateway.database.execute(&insertion(&product.app_id, &later)).unwrap();
        }
        assert_eq!(stream.ids(1).await, [later.as_str()]);
    }
    // The header is what the client knows last, whatever its URL says.
    let mut stream = Stream::open(&product, &format!("after={}", written[0]), Some(&written[449])).await;
    assert_eq!(stream.ids(1).await, [later]);
}

#[actix_web::test]
async fn who_is_cut_off_before_the_first_event_misses_none() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let ids = [fresh_id(), fresh_id()];
    let before_all = Stream::open(&product, "", None).await.beginning;
    assert_eq!(before_all, format!("evt_{}", "0".repeat(26)));
    gateway.database.execute(&insertion(&product.app_id, &ids[0])).unwrap();
    assert_eq!(Stream::open(&product, "", Some(&before_all)).await.ids(1).await, ids[..1]);
    let after_first = Stream::open(&product, "", None).await.beginning;
    gateway.database.execute(&insertion(&product.app_id, &ids[1])).unwrap();
    assert_eq!(Stream::open(&product, "", Some(&after_first)).await.ids(1).await, ids[1..]);
    assert_eq!(Stream::open(&product, "", Some(&before_all)).await.ids(2).await, ids);
}

#[actix_web::test]
async fn one_goes_on_only_after_an_event_of_ones_own() {
    let gateway = TestGateway::spawn().await;
    let (product, stranger) = (gateway.product(Mode::Test).await, gateway.product(Mode::Test).await);
    let event_id = fresh_id();
    gateway.database.execute(&insertion(&stranger.app_id, &event_id)).unwrap();
    for last in [event_id.as_str(), &fresh_id(), "nothing"] {
        let (status, body) = refused(&product, "", Some(last)).await;
        assert_eq!((status, &body["code"]), (404, &json!("EventNotFound")), "{last}");
    }
    let (status, body) = refused(&product, "types=payment.suceeded", None).await;
    assert_eq!((status, &body["code"]), (400, &json!("ValidationError")));
    assert!(body["detail"].as_str().unwrap().contains("payment.suceeded"), "{body}");
    let unsigned = gateway.fetch(STREAM).await;
    unsigned.expect_error(401, "MissingAuthHeaders");
}

#[actix_web::test]
async fn what_another_process_commits_comes_too() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let other = start(gateway.database.settings(), Options::default()).await.unwrap();
    let elsewhere = Product { base_url: other.url(), ..product.clone() };
    let mut stream = Stream::open(&product, "", None).await;
    let mut others_stream = Stream::open(&elsewhere, "", None).await;
    for product in [&elsewhere, &product] {
        let payment_id = id_of(&product.created(json!({})).await);
        product.post(&format!("/v1/payments/{payment_id}/cancel"), &json!({})).await.expect_status(200);
        let came = stream.next().await.unwrap();
        assert!(came.data.contains(&payment_id), "{came:?}");
        assert_eq!(others_stream.next().await.unwrap(), came);
    }
    other.stop().await;
    assert!(others_stream.ends().await);
}

#[actix_web::test]
async fn what_is_committed_late_is_not_passed_over() {
    let gateway = TestGateway::spawn().await;
    let Target::Postgres(url) = &gateway.database.target else {
        // Writers take turns on SQLite.
        return;
    };
    let product = gateway.product(Mode::Test).await;
    let mut stream = Stream::open(&product, "", None).await;
    let ids: Vec<String> = (0..6).map(|_| fresh_id()).collect();
    let write = |conn: &mut PgConnection, event_id: &str| {
        conn.batch_execute(&insertion(&product.app_id, event_id)).unwrap();
    };
    let mut slow = PgConnection::establish(url).unwrap();
    let mut slower = PgConnection::establish(url).unwrap();
    let mut quick = PgConnection::establish(url).unwrap();
    slow.batch_execute("BEGIN").unwrap();
    write(&mut slow, &ids[0]);
    slower.batch_execute("BEGIN").unwrap();
    write(&mut slower, &ids[1]);
    // An id of the future, as a node gives whose clock is ahead: no cursor of ids comes back from there.
    let ahead = EventId::generate(Clock::system().now().plus(Duration::from_secs(3600))).to_string();
    write(&mut quick, &ahead);
    assert_eq!(stream.ids(1).await, [ahead.as_str()]);
    write(&mut slow, &ids[2]);
    slow.batch_execute("COMMIT").unwrap();
    assert_eq!(stream.ids(2).await, [ids[0].clone(), ids[2].clone()], "of one transaction, in the order of their ids");
    write(&mut quick, &ids[3]);
    assert_eq!(stream.ids(1).await, [ids[3].clone()]);

    // Who was cut off here goes on from here: what is open is not behind him.
    let mut resumed = Stream::open(&product, "", Some(&ahead)).await;
    let mut late = Stream::open(&product, "", Some(&ids[3])).await;
    let mut seen: BTreeSet<String> = resumed.ids(3).await.into_iter().collect();
    assert_eq!(seen, BTreeSet::from([ids[0].clone(), ids[2].clone(), ids[3].clone()]));
    slower.batch_execute("COMMIT").unwrap();
    write(&mut quick, &ids[4]);
    for stream in [&mut stream, &mut resumed] {
        assert_eq!(stream.ids(2).await, [ids[1].clone(), ids[4].clone()]);
    }
    // Some that were seen may come again.
    seen = BTreeSet::new();
    while !(seen.contains(&ids[1]) && seen.contains(&ids[4])) {
        seen.extend(late.ids(1).await);
    }
    // From an event that was committed before the open one, which has ended meanwhile.
    let mut again = Stream::open(&product, "", Some(&ids[3])).await;
    seen = BTreeSet::new();
    while !(seen.contains(&ids[1]) && seen.contains(&ids[4])) {
        seen.extend(again.ids(1).await);
    }
}

#[actix_web::test]
async fn many_writers_at_once_lose_nothing_for_who_comes_and_goes() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let steady = Stream::open(&product, "", None).await;
    let first = fresh_id();
    gateway.database.execute(&insertion(&product.app_id, &first)).unwrap();
    let target = gateway.database.target.clone();
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let (target, app_id) = (target.clone(), product.app_id.clone());
            std::thread::spawn(move || write_with_pauses(&target, &app_id))
        })
        .collect();

    // One listener stays; the other goes after every few events and comes back.
    let follow = |mut stream: Stream, total: usize| async move {
        let mut seen = BTreeSet::new();
        while seen.len() < total {
            seen.insert(stream.next().await.unwrap().id);
        }
        seen
    };
    let come_and_go = async {
        let (mut seen, mut last) = (BTreeSet::from([first.clone()]), first.clone());
        while seen.len() < 161 {
            let mut stream = Stream::open(&product, "", Some(&last)).await;
            for _ in 0..7 {
                if seen.len() < 161 {
                    last = stream.next().await.unwrap().id;
                    seen.insert(last.clone());
                }
            }
        }
        seen
    };
    let (stayed, came_and_went) = tokio::join!(follow(steady, 161), come_and_go);
    let mut written = BTreeSet::from([first.clone()]);
    for writer in writers {
        written.extend(writer.join().unwrap());
    }
    assert_eq!(stayed, written);
    assert_eq!(came_and_went, written);
}

/// Writes 40 events; on PostgreSQL with a pause between the writing and the commit, which is another each time.
fn write_with_pauses(target: &Target, app_id: &str) -> Vec<String> {
    let ids: Vec<String> = (0..40).map(|_| fresh_id()).collect();
    match target {
        Target::Sqlite(path) => {
            let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
            conn.batch_execute("PRAGMA busy_timeout=5000").unwrap();
            ids.iter().for_each(|id| conn.batch_execute(&insertion(app_id, id)).unwrap());
        }
        Target::Postgres(url) => {
            let mut conn = PgConnection::establish(url).unwrap();
            for (number, id) in ids.iter().enumerate() {
                conn.batch_execute(&format!("BEGIN; {}", insertion(app_id, id))).unwrap();
                conn.batch_execute(&format!("SELECT pg_sleep(0.0{})", (number * 7) % 10)).unwrap();
                conn.batch_execute("COMMIT").unwrap();
            }
        }
    }
    ids
}

#[actix_web::test]
async fn a_stream_ends_with_the_server() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let stream = Stream::open(&product, "", None).await;
    let started = std::time::Instant::now();
    let TestGateway { server, database, .. } = gateway;
    let (ended, ()) = tokio::join!(stream.ends(), server.stop());
    assert!(ended && started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    drop(database);
}

#[actix_web::test]
async fn a_stream_ends_with_the_key_that_it_was_opened_with() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let other = gateway.product(Mode::Test).await;
    let verbs = &gateway.server.gateway;
    let mut old = Stream::open(&product, "", None).await;
    let (archived, mut staying) = (Stream::open(&other, "", None).await, Stream::open(&product, "", None).await);

    // While the old secret works, so does its stream.
    let issued = verbs.rotate_app(&product.app_id, Duration::from_secs(3600)).await.unwrap();
    let renewed = Product { secret: issued.secret.expose().to_owned(), ..product.clone() };
    let mut new = Stream::open(&renewed, "", None).await;
    let event_id = fresh_id();
    gateway.database.execute(&insertion(&product.app_id, &event_id)).unwrap();
    for stream in [&mut old, &mut staying, &mut new] {
        assert_eq!(stream.ids(1).await, [event_id.as_str()]);
    }
    let started = std::time::Instant::now();
    verbs.change_app(&product.app_id, switchyard::gateway::AppChange::FinishRotation).await.unwrap();
    verbs.change_app(&other.app_id, switchyard::gateway::AppChange::Archive).await.unwrap();
    assert!(old.ends().await && staying.ends().await && archived.ends().await);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    let event_id = fresh_id();
    gateway.database.execute(&insertion(&product.app_id, &event_id)).unwrap();
    assert_eq!(new.ids(1).await, [event_id]);
}

/// A listener of the gateway's, without the network in between.
async fn listening(gateway: &TestGateway, product: &Product, last: Option<&str>) -> Result<Listening, String> {
    let (app, proof) = signed(&gateway.server.gateway, product).await;
    gateway.server.gateway.listen(&app, proof, last, Vec::new()).await.map_err(|fault| fault.to_string())
}

async fn signed(gateway: &Gateway, product: &Product) -> (Arc<App>, Proof) {
    let timestamp = product.clock.now().unix_seconds();
    let signature = product.signed_headers("GET", STREAM, b"", timestamp)[2].1.clone();
    let head = SignedHead {
        public_key: product.public_key.clone(),
        timestamp: timestamp.to_string(),
        signature,
        method: "GET".to_owned(),
        path: STREAM.to_owned(),
        query: None,
    };
    let body_sha256 = switchyard::domain::signing::sha256(b"");
    let (app, _) = gateway.authenticate(&head, &body_sha256).await.unwrap();
    (app, Proof { head, body_sha256 })
}

#[actix_web::test]
async fn who_is_too_slow_is_let_go_and_goes_on_where_he_was() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Test).await;
    let mut slow = listening(&gateway, &product, None).await.unwrap();
    let mut written = Vec::new();
    for _ in 0..1100 {
        let event_id = fresh_id();
        gateway.database.execute(&insertion(&product.app_id, &event_id)).unwrap();
        written.push(event_id);
    }
    gateway.step().await;
    let mut read = Vec::new();
    while let Some(told) = slow.next().await {
        read.push(told.event_id.to_string());
    }
    assert!(read.len() >= 1000 && read.len() < 1100, "{}", read.len());
    let mut resumed = listening(&gateway, &product, read.last().map(String::as_str)).await.unwrap();
    while read.len() < written.len() {
        read.push(resumed.next().await.unwrap().event_id.to_string());
    }
    assert_eq!(read, written);
}

#[actix_web::test]
async fn more_than_one_look_takes_in_is_read_by_who_comes_back() {
    const MANY: usize = 10_001;
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Test).await;
    let mut listener = listening(&gateway, &product, None).await.unwrap();
    let beginning = listener.beginning().to_string();
    let sql = format!(
        "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {MANY})
         INSERT INTO events (event_id, app_id, event_type, body, created_at)
         SELECT 'evt_' || substr('{}' || n, length(CAST(n AS TEXT)) + 1), '{}', 'payment.failed', '{{}}', 1 FROM numbers",
        "0".repeat(26),
        product.app_id
    );
    assert_eq!(gateway.database.execute(&sql), Ok(MANY));
    gateway.step().await;
    assert!(listener.next().await.is_none());
    let mut back = listening(&gateway, &product, Some(&beginning)).await.unwrap();
    for number in 1..=MANY {
        assert_eq!(back.next().await.unwrap().event_id.to_string(), format!("evt_{number:026}"));
    }
}

#[actix_web::test]
async fn a_suspended_tenants_stream_goes_on_as_its_reading_does() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let mut stream = Stream::open(&product, "", None).await;
    let now = gateway.clock.now().unix_micros();
    gateway.database.execute(&format!("UPDATE tenants SET suspended_at = {now}")).unwrap();
    gateway.database.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'").unwrap();
    crate::support::eventually("it takes no payments", || async { product.create(json!({})).await.status == 403 })
        .await;
    let event_id = fresh_id();
    gateway.database.execute(&insertion(&product.app_id, &event_id)).unwrap();
    assert_eq!(stream.ids(1).await, [event_id]);
    Stream::open(&product, "", None).await;
}

#[actix_web::test]
async fn an_app_has_so_many_listeners_and_no_more() {
    let gateway = TestGateway::spawn_stepped().await;
    let (product, other) = (gateway.product(Mode::Test).await, gateway.product(Mode::Test).await);
    let mut all = Vec::new();
    for _ in 0..MOST_LISTENERS_OF_APP {
        all.push(listening(&gateway, &product, None).await.unwrap());
    }
    let refusal = listening(&gateway, &product, None).await.err().unwrap();
    assert!(refusal.contains("RateLimited") && refusal.contains("listeners"), "{refusal}");
    let (status, body) = refused(&product, "", None).await;
    assert_eq!((status, &body["code"], &body["retryAfterSeconds"]), (429, &json!("RateLimited"), &json!(5)));
    listening(&gateway, &other, None).await.unwrap();
    all.pop();
    listening(&gateway, &product, None).await.unwrap();
}

#[actix_web::test]
async fn a_database_that_was_moved_to_a_younger_server_tells_nothing_twice() {
    let gateway = TestGateway::spawn().await;
    let Target::Postgres(_) = &gateway.database.target else { return };
    let product = gateway.product(Mode::Test).await;
    let ids: Vec<String> = (0..3).map(|_| fresh_id()).collect();
    for id in &ids[..2] {
        gateway.database.execute(&insertion(&product.app_id, id)).unwrap();
    }
    // As a dump has them that was taken where more transactions had been.
    gateway.database.execute("UPDATE events SET position = position + 1000000000, horizon = '5:5:'").unwrap();
    let other = start(gateway.database.settings(), Options::default()).await.unwrap();
    let moved = Product { base_url: other.url(), ..product.clone() };
    let mut stream = Stream::open(&moved, "", None).await;
    let mut resumed = Stream::open(&moved, "", Some(&ids[0])).await;
    gateway.database.execute(&insertion(&product.app_id, &ids[2])).unwrap();
    assert_eq!(stream.ids(1).await, [ids[2].clone()]);
    assert_eq!(resumed.ids(2).await, ids[1..]);
    other.stop().await;
}

#[tokio::test]
async fn what_a_listener_is_told_is_found_by_an_index() {
    let (gateway, product, _receiver) = used_gateway().await;
    let app_id = AppId::parse(&product.app_id).unwrap();
    let event_id = EventId::parse(&gateway.database.texts("SELECT event_id AS text FROM events")[0]).unwrap();
    let index = "events_by_position";
    assert_is_looked_up(&gateway.database, "the last one", index, |conn| {
        assert!(event_stream::last_of(conn, &app_id)?.is_some());
        Ok(())
    });
    let mut place = None;
    assert_is_looked_up(&gateway.database, "where one goes on", "events", |conn| {
        place = event_stream::place_of(conn, &app_id, &event_id)?;
        Ok(())
    });
    let (place, horizon) = place.unwrap();
    assert_is_looked_up(&gateway.database, "what was missed", index, |conn| {
        event_stream::behind(conn, &app_id, &place, 200).map(drop)
    });
    if let Target::Postgres(_) = gateway.database.target {
        assert_is_looked_up(&gateway.database, "what is new", index, |conn| {
            event_stream::since(conn, std::slice::from_ref(&app_id), &horizon, 200).map(drop)
        });
    }
}

/// `cargo test --release --test it -- --ignored --nocapture listeners_fit`
#[actix_web::test]
#[ignore = "opens two thousand sockets, which is more than many shells allow"]
async fn a_thousand_listeners_fit_into_a_hundred_mebibytes() {
    let database = TestDatabase::new();
    let server = ServingProgram::start(&database, &[]).await;
    let mut command = program_on(&database);
    command.args(["apps", "create", "--name", "shop", "--mode", "test", "--json"]);
    let app = crate::apps_cli::finished(command).await.expect_code(0).json();
    let text = |name: &str| app[name].as_str().unwrap().to_owned();
    let product = Product {
        base_url: server.url.clone(),
        public_key: text("public_key"),
        secret: text("secret"),
        webhook_secret: String::new(),
        app_id: text("app_id"),
        clock: Clock::system(),
        client: reqwest::Client::new(),
    };
    let before = server.resident_mib();
    let mut streams = Vec::new();
    for _ in 0..1000 {
        streams.push(Stream::open(&product, "", None).await);
    }
    let waiting = server.resident_mib();
    let started = std::time::Instant::now();
    for _ in 0..20 {
        product.created(json!({ "mock": { "outcome": "succeed" } })).await;
    }
    for stream in &mut streams {
        stream.ids(20).await;
    }
    let took = started.elapsed();
    let told = server.resident_mib();
    eprintln!("{before} MiB before, {waiting} MiB with 1000 listeners, {told} MiB after 20 events to each in {took:?}");
    assert!(waiting.max(told) < 100);
}
