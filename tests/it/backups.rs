//! `switchyard backup` and `restore`: a copy taken while payments come in, and what is there after it was put back.
//! On PostgreSQL the same is done with its own tools, by the lines of the documentation.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::secrets::random_hex;
use switchyard::store::Target;

use crate::support::{Product, ServingProgram, TestDatabase, program_on};

fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    program_on(database).args(arguments).stdin(Stdio::null()).output().unwrap()
}

#[track_caller]
fn expect_done(output: &Output) -> String {
    let (out, talk) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{talk}");
    out.into_owned()
}

#[track_caller]
fn expect_refused(output: &Output, part: &str) {
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{talk}");
    assert!(talk.contains(part) && talk.contains("\nhint: "), "no {part}: {talk}");
}

/// An app of the operator's, made on the command line.
pub fn product_by_hand(database: &TestDatabase, base_url: &str) -> Product {
    let made = expect_done(&run(database, &["apps", "create", "--name", "shop", "--mode", "test", "--json"]));
    let made: Value = serde_json::from_str(&made).unwrap();
    let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
    Product {
        base_url: base_url.to_owned(),
        public_key: text("public_key"),
        secret: text("secret"),
        webhook_secret: text("webhook_secret"),
        app_id: text("app_id"),
        clock: Clock::system(),
        client: reqwest::Client::new(),
    }
}

/// Pays for something; its payment's id.
async fn buy(product: &Product) -> String {
    let mock = json!({ "outcome": "succeed" });
    let payment = product.created(json!({ "mock": mock, "metadata": { "cart": random_hex(8) } })).await;
    payment["payment_id"].as_str().unwrap().to_owned()
}

async fn wait_until_paid(product: &Product, payment_id: &str) {
    crate::support::eventually("the payment is paid", || async {
        product.payment(payment_id).await["status"] == "succeeded"
    })
    .await;
}

fn file_of(database: &TestDatabase) -> Option<PathBuf> {
    match &database.target {
        Target::Sqlite(path) => Some(path.clone()),
        Target::Postgres(_) => None,
    }
}

#[actix_web::test]
async fn a_backup_taken_under_load_is_put_back_and_its_ledger_is_intact() {
    let database = TestDatabase::new();
    let backup = database.directory.join("copy.db");
    let backup_name = backup.to_str().unwrap();
    let Some(file) = file_of(&database) else {
        expect_refused(&run(&database, &["backup", backup_name]), "pg_dump");
        std::fs::write(&backup, b"a file").unwrap();
        expect_refused(&run(&database, &["restore", backup_name]), "pg_restore");
        return;
    };
    let serving = ServingProgram::start(&database, &[]).await;
    let product = product_by_hand(&database, &serving.url);
    let mut before = Vec::new();
    for _ in 0..20 {
        before.push(buy(&product).await);
    }
    for payment_id in &before {
        wait_until_paid(&product, payment_id).await;
    }
    // Others buy while it is copied.
    let (stop, mut stopped) = tokio::sync::watch::channel(false);
    let busy = tokio::task::spawn_local({
        let product = product.clone();
        async move {
            let mut bought = 0;
            while !*stopped.borrow_and_update() {
                buy(&product).await;
                bought += 1;
            }
            bought
        }
    });
    let mut command = program_on(&database);
    command.args(["backup", backup_name, "--json"]);
    let copied = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let copied: Value = serde_json::from_str(&expect_done(&copied)).unwrap();
    stop.send(true).unwrap();
    assert!(busy.await.unwrap() > 0);
    assert_eq!(copied["file"], backup_name);
    let metadata = std::fs::metadata(&backup).unwrap();
    assert_eq!((copied["bytes"].as_u64(), metadata.permissions().mode() & 0o777), (Some(metadata.len()), 0o600));
    expect_refused(&run(&database, &["backup", backup_name]), "exists");
    let after = buy(&product).await;

    // Nothing is put in the place of a database that is served.
    expect_refused(&run(&database, &["restore", backup_name]), "in use");
    assert_eq!(product.payment(&after).await["payment_id"], after);
    assert_eq!(serving.terminate().await.0, Some(0));

    let restored = expect_done(&run(&database, &["restore", backup_name, "--json"]));
    let restored: Value = serde_json::from_str(&restored).unwrap();
    let kept_as = PathBuf::from(restored["kept_as"].as_str().unwrap());
    assert!(kept_as.starts_with(file.parent().unwrap()) && kept_as.is_file());
    expect_done(&run(&database, &["balances", "verify"]));
    let serving = ServingProgram::start(&database, &[]).await;
    let product = Product { base_url: serving.url.clone(), ..product };
    for payment_id in &before {
        assert_eq!(product.payment(payment_id).await["status"], "succeeded");
    }
    product.get(&format!("/v1/payments/{after}")).await.expect_error(404, "PaymentNotFound");
    wait_until_paid(&product, &buy(&product).await).await;
    assert_eq!(serving.terminate().await.0, Some(0));

    // What was there before can be put back as well: nothing was thrown away.
    expect_done(&run(&database, &["restore", kept_as.to_str().unwrap()]));
    let serving = ServingProgram::start(&database, &[]).await;
    let product = Product { base_url: serving.url.clone(), ..product };
    assert_eq!(product.payment(&after).await["payment_id"], after);
}

#[actix_web::test]
async fn what_is_no_sound_backup_of_this_install_is_not_put_in_its_place() {
    let database = TestDatabase::new();
    let Some(file) = file_of(&database) else { return };
    expect_refused(&run(&database, &["backup", "copy.db"]), "does not exist");
    let serving = ServingProgram::start(&database, &[]).await;
    let product = product_by_hand(&database, &serving.url);
    let payment_id = buy(&product).await;
    let backup = database.directory.join("copy.db");
    expect_done(&run(&database, &["backup", "copy.db"]));
    expect_refused(&run(&database, &["restore", file.to_str().unwrap()]), "a database in use");
    assert_eq!(serving.terminate().await.0, Some(0));

    let write = |name: &str, bytes: &[u8]| std::fs::write(database.directory.join(name), bytes).unwrap();
    let sound = std::fs::read(&backup).unwrap();
    write("empty.db", b"");
    write("garbage.db", &b"no database at all ".repeat(1000));
    write("half.db", &sound[..sound.len() / 2]);
    let mut damaged = sound.clone();
    let page = damaged.len() / 2 / 4096 * 4096;
    damaged[page..page + 64].fill(0xff);
    write("damaged.db", &damaged);
    write("newer.db", &sound);
    edit(
        &database.directory.join("newer.db"),
        "INSERT INTO __diesel_schema_migrations (version) VALUES ('29990101000001')",
    );
    for (name, part) in [
        ("nowhere.db", "no file"),
        ("empty.db", "no database of Switchyard"),
        ("garbage.db", "damaged: file is not a database"),
        ("half.db", "damaged"),
        ("damaged.db", "damaged"),
        ("newer.db", "newer version"),
    ] {
        expect_refused(&run(&database, &["restore", name]), part);
    }
    let mut other_key = program_on(&database);
    other_key.env("SWITCHYARD__SECRETS__KEY", "00".repeat(32)).args(["restore", "copy.db"]);
    expect_refused(&other_key.output().unwrap(), "sealing key");
    let mut no_key = program_on(&database);
    no_key.env("SWITCHYARD__SECRETS__KEY_FILE", "elsewhere.key").args(["restore", "copy.db"]);
    expect_refused(&no_key.output().unwrap(), "no key file");
    assert!(!database.directory.join("elsewhere.key").exists());

    // After all of that the database is as it was.
    let names: Vec<String> = std::fs::read_dir(&database.directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(!names.iter().any(|name| name.contains("restor") || name.contains("partial")), "{names:?}");
    let serving = ServingProgram::start(&database, &[]).await;
    let product = Product { base_url: serving.url.clone(), ..product };
    assert_eq!(product.payment(&payment_id).await["payment_id"], payment_id);
}

/// Where the tools of the newest PostgreSQL on this machine are.
pub fn postgres_tools() -> PathBuf {
    let mut versions: Vec<PathBuf> =
        std::fs::read_dir("/usr/lib/postgresql").unwrap().map(|entry| entry.unwrap().path()).collect();
    versions.sort_by_key(|path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok()));
    versions.pop().unwrap().join("bin")
}

#[actix_web::test]
async fn a_dump_of_postgresql_taken_under_load_is_put_back_and_its_ledger_is_intact() {
    let database = TestDatabase::new();
    let Target::Postgres(url) = &database.target else { return };
    let serving = ServingProgram::start(&database, &[]).await;
    let product = product_by_hand(&database, &serving.url);
    let paid = buy(&product).await;
    wait_until_paid(&product, &paid).await;
    let dump = database.directory.join("switchyard.dump");
    let mut command = std::process::Command::new(postgres_tools().join("pg_dump"));
    command.args(["--format=custom", "--no-owner", "--file"]).arg(&dump).arg(url);
    let taking = tokio::task::spawn_blocking(move || command.output().unwrap());
    let mut meanwhile = Vec::new();
    while !taking.is_finished() {
        meanwhile.push(buy(&product).await);
    }
    expect_done(&taking.await.unwrap());
    let after = buy(&product).await;
    assert_eq!(serving.terminate().await.0, Some(0));

    let mut command = std::process::Command::new(postgres_tools().join("pg_restore"));
    command.args(["--clean", "--if-exists", "--no-owner", "--exit-on-error", "--single-transaction"]);
    expect_done(&command.arg("--dbname").arg(url).arg(&dump).output().unwrap());
    expect_done(&run(&database, &["balances", "verify"]));
    let serving = ServingProgram::start(&database, &[]).await;
    let product = Product { base_url: serving.url.clone(), ..product };
    assert_eq!(product.payment(&paid).await["status"], "succeeded");
    product.get(&format!("/v1/payments/{after}")).await.expect_error(404, "PaymentNotFound");
    wait_until_paid(&product, &buy(&product).await).await;
}

fn edit(file: &Path, sql: &str) {
    use diesel::prelude::*;
    let mut conn = diesel::SqliteConnection::establish(file.to_str().unwrap()).unwrap();
    assert_eq!(diesel::sql_query(sql).execute(&mut conn).unwrap(), 1);
}
