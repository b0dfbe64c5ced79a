//! The server that is measured: the gateway with two routes more, as a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::HttpResponse;
use actix_web::web::{self, ServiceConfig};
use diesel::prelude::*;
use serde_json::{Value, json};
use switchyard::api::signed::Signed;
use switchyard::clock::Clock;
use switchyard::config::Settings;
use switchyard::domain::ids::{AttemptId, EventId, PaymentId};
use switchyard::domain::mode::Mode;
use switchyard::domain::secrets::random_hex;
use switchyard::gateway::{AppOptions, KeyDraft, Scope, Who};
use switchyard::serve::{Options, start};
use switchyard::store::{Conn, Lane, Store, StoreResult, Target};

use crate::receiver::Receiver;
use crate::sessions::SessionWatch;
use crate::stub::Stub;
use crate::{disk, rails};

diesel::table! { bench_payments (id) { id -> Text, app_id -> Text, status -> Text, amount -> BigInt, body -> Text, created_at -> BigInt, } }
diesel::table! { bench_attempts (id) { id -> Text, payment_id -> Text, state -> Text, created_at -> BigInt, } }
diesel::table! { bench_events (id) { id -> Text, payment_id -> Text, body -> Text, created_at -> BigInt, } }

static BENCH_STORE: OnceLock<Store> = OnceLock::new();

fn target(directory: &Path, database: &str) -> Target {
    if database == "sqlite" {
        Target::Sqlite(directory.join("switchyard.db"))
    } else {
        Target::Postgres(database.to_owned())
    }
}

/// Serves until the process is told to stop; prints one line with the address and the app's credentials.
pub async fn run(directory: PathBuf, database: &str) {
    switchyard::telemetry::start_log("warn", false);
    let mut settings = Settings::in_directory(&directory).unwrap();
    settings.database = target(&directory, database);
    settings.bind = "127.0.0.1:0".parse().unwrap();
    settings.webhooks_allow_private = true;
    settings.providers = rails::providers(&std::env::var("BENCH_PROVIDERS").unwrap());
    let options = Options { extra_routes, ..Options::default() };
    let server = start(settings.clone(), options).await.unwrap();
    let store = Store::open(settings.database, 1).unwrap();
    store.write(Lane::Any, make_tables).await.unwrap();
    let _ = BENCH_STORE.set(store);
    let webhook_url = std::env::var("BENCH_RECEIVER").unwrap();
    let options = |mode| AppOptions {
        name: "bench".to_owned(),
        mode,
        webhook_url: Some(webhook_url.clone()),
        allowed_providers: Vec::new(),
        allowed_methods: Vec::new(),
        require_signed_query: false,
        kyc_above: Vec::new(),
    };
    let issued = server.gateway.create_app(options(Mode::Test)).await.unwrap();
    let sandbox = server.gateway.create_app(options(Mode::Sandbox)).await.unwrap();
    let operator =
        Scope { tenant_id: issued.app.tenant_id.clone(), mode: Mode::Test, who: Who::Operator, address: None };
    let draft = KeyDraft::parse(br#"{"name":"bench"}"#).unwrap();
    let api_key = server.gateway.create_api_key(&operator, draft).await.unwrap();
    println!(
        "{}",
        json!({ "address": server.address.to_string(), "key": issued.app.public_key, "secret": issued.secret.expose(),
                "app_id": issued.app.app_id, "sandbox_key": sandbox.app.public_key,
                "sandbox_secret": sandbox.secret.expose(), "api_key": format!("{}.{}", api_key.key.public_key, api_key.secret.expose()) })
    );
    tokio::signal::ctrl_c().await.unwrap();
    server.stop().await;
}

fn make_tables(conn: &mut Conn) -> StoreResult<()> {
    for sql in [
        "CREATE TABLE bench_payments (id TEXT NOT NULL PRIMARY KEY, app_id TEXT NOT NULL, status TEXT NOT NULL, amount BIGINT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL)",
        "CREATE TABLE bench_attempts (id TEXT NOT NULL PRIMARY KEY, payment_id TEXT NOT NULL, state TEXT NOT NULL, created_at BIGINT NOT NULL)",
        "CREATE TABLE bench_events (id TEXT NOT NULL PRIMARY KEY, payment_id TEXT NOT NULL, body TEXT NOT NULL, created_at BIGINT NOT NULL)",
    ] {
        diesel::sql_query(sql).execute(conn)?;
    }
    Ok(())
}

fn extra_routes(config: &mut ServiceConfig) {
    config.route("/bench/signed", web::post().to(signed)).route("/bench/write", web::post().to(write));
}

/// (a) What a signed request costs before anything is done for it.
async fn signed(signed: Signed) -> HttpResponse {
    HttpResponse::Created().json(json!({ "app_id": signed.app.app_id, "bytes": signed.body.len() }))
}

/// (b) A durable write of three rows of realistic size, and nothing else.
async fn write(signed: Signed) -> HttpResponse {
    let now = Clock::system().now();
    let payment_id = PaymentId::generate(now);
    let answer = json!({ "payment_id": payment_id }).to_string();
    let app_id = signed.app.app_id.to_string();
    let body = String::from_utf8(signed.body.to_vec()).unwrap();
    let store = BENCH_STORE.get().unwrap();
    let lane = payment_id.clone();
    store
        .write(Lane::Of(lane.as_str()), move |conn| {
            let (id, at) = (payment_id.as_str(), now.unix_micros());
            diesel::insert_into(bench_payments::table)
                .values((
                    bench_payments::id.eq(id),
                    bench_payments::app_id.eq(&app_id),
                    bench_payments::status.eq("initiated"),
                    bench_payments::amount.eq(50_000),
                    bench_payments::body.eq(&body),
                    bench_payments::created_at.eq(at),
                ))
                .execute(conn)?;
            diesel::insert_into(bench_attempts::table)
                .values((
                    bench_attempts::id.eq(AttemptId::generate(now).as_str()),
                    bench_attempts::payment_id.eq(id),
                    bench_attempts::state.eq("started"),
                    bench_attempts::created_at.eq(at),
                ))
                .execute(conn)?;
            diesel::insert_into(bench_events::table)
                .values((
                    bench_events::id.eq(EventId::generate(now).as_str()),
                    bench_events::payment_id.eq(id),
                    bench_events::body.eq(&body),
                    bench_events::created_at.eq(at),
                ))
                .execute(conn)?;
            Ok(())
        })
        .await
        .unwrap();
    HttpResponse::Created().content_type("application/json").body(answer)
}

/// A server under measurement, with a receiver for its events and the providers that it calls in this process.
pub struct ServerProcess {
    child: Child,
    directory: PathBuf,
    database: String,
    schema: Option<(String, String)>,
    pub address: String,
    pub key: String,
    pub secret: String,
    pub app_id: String,
    pub sandbox_key: String,
    pub sandbox_secret: String,
    pub api_key: String,
    pub receiver: Arc<Receiver>,
    pub stub: Arc<Stub>,
    pub start_ms: f64,
}

impl ServerProcess {
    pub async fn start(postgres: Option<&str>) -> Self {
        let directory = std::env::temp_dir().join(format!("switchyard-bench-{}", random_hex(6)));
        std::fs::create_dir_all(&directory).unwrap();
        let (database, schema) = match postgres {
            None => ("sqlite".to_owned(), None),
            Some(url) => {
                let schema = format!("bench_{}", random_hex(6));
                disk::on_postgres(url, &format!("CREATE SCHEMA {schema}"));
                let joiner = if url.contains('?') { '&' } else { '?' };
                // Its sessions go by the schema's name.
                let database = format!("{url}{joiner}options=-csearch_path%3D{schema}&application_name={schema}");
                (database, Some((url.to_owned(), schema)))
            }
        };
        // The schema is made before the clock starts: a restart is what has to be quick.
        Store::migrate(&target(&directory, &database)).unwrap();
        let receiver = Arc::new(Receiver::start().await);
        let stub = Arc::new(Stub::start().await);
        let started = Instant::now();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--server", directory.to_str().unwrap(), &database])
            .env("BENCH_RECEIVER", receiver.url())
            .env("BENCH_PROVIDERS", stub.url())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let line = first_line(&mut child);
        let told: Value = serde_json::from_str(&line).unwrap();
        let text = |name: &str| told[name].as_str().unwrap().to_owned();
        let address = text("address");
        let health = crate::load::get(&address, "/healthz").await;
        assert_eq!(health, 200);
        let start_ms = started.elapsed().as_secs_f64() * 1000.0;
        Self {
            child,
            directory,
            database,
            schema,
            address,
            key: text("key"),
            secret: text("secret"),
            app_id: text("app_id"),
            sandbox_key: text("sandbox_key"),
            sandbox_secret: text("sandbox_secret"),
            api_key: text("api_key"),
            receiver,
            stub,
            start_ms,
        }
    }

    pub fn cpu_seconds(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        // utime and stime, in ticks of 10 ms.
        (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / 100.0
    }

    pub fn rss_mb(&self) -> f64 {
        self.memory("VmRSS:")
    }

    fn memory(&self, what: &str) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// The most that was ever resident.
    pub fn most_rss_mb(&self) -> f64 {
        self.memory("VmHWM:")
    }

    /// The database.
    pub fn target(&self) -> Target {
        target(&self.directory, &self.database)
    }

    pub fn bytes_on_disk(&self) -> u64 {
        disk::bytes(&target(&self.directory, &self.database), self.schema.as_ref().map(|(_, schema)| schema.as_str()))
    }

    /// How many deltas of the ledger are verified.
    pub fn verified(&self) -> u64 {
        disk::number(
            &target(&self.directory, &self.database),
            "SELECT CAST(COALESCE(SUM(last_sequence), 0) AS BIGINT) AS number FROM ledgers",
        )
    }

    /// Begins to look at the server's sessions at PostgreSQL.
    pub fn watch_sessions(&self) -> Option<SessionWatch> {
        self.schema.as_ref().map(|(url, schema)| SessionWatch::start(url, schema))
    }

    pub async fn fill_with_a_million_payments(&self) {
        disk::fill(&target(&self.directory, &self.database), &self.app_id);
    }

    pub async fn stop(mut self) {
        let _ = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        for _ in 0..120 {
            if self.child.try_wait().unwrap().is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
        if let Some((url, schema)) = &self.schema {
            disk::on_postgres(url, &format!("SET client_min_messages=error; DROP SCHEMA {schema} CASCADE"));
        }
    }
}

fn first_line(child: &mut Child) -> String {
    use std::io::BufRead;
    let mut line = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    line
}
