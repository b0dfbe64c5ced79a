//! `balances verify`: whatever somebody with the database's password changes in the ledger is named.

use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::secrets::random_hex;
use switchyard::error::Fault;
use switchyard::gateway::{AuditNews, AuditOptions, Audited, Gateway, LedgerFinding};
use switchyard::store::Target;

use crate::deltas::Machine;
use crate::person::Person;
use crate::support::{TestDatabase, TestGateway, program_on};

/// The tables that are audited.
const TABLES: [&str; 7] =
    ["deltas", "delta_entries", "checkpoints", "merkle_nodes", "merkle_trees", "ledgers", "ledger_customers"];

/// What of them nothing else bears witness to.
const NOT_EVIDENCE: [(&str, &str); 2] = [("ledger_customers", "display_name"), ("ledger_customers", "created_at")];

const BLOBS: [&str; 6] = ["salt", "content_hash", "leaf_hash", "hash", "root", "last_hash"];

const TEXTS: [&str; 16] = [
    "record_id",
    "tenant_id",
    "mode",
    "customer_id",
    "currency",
    "reason",
    "reference_id",
    "metadata",
    "counted_in",
    "customer_sum",
    "emitted_sum",
    "checkpoint_id",
    "period",
    "net_change",
    "note",
    "balance",
];

/// What an audit finds.
pub async fn audit(gateway: &Gateway) -> Result<(Audited, Vec<LedgerFinding>), Fault> {
    let mut findings = Vec::new();
    let mut tell = |news| {
        if let AuditNews::Wrong(finding) = news {
            findings.push(finding);
        }
    };
    let audited = gateway.audit_ledgers(AuditOptions::default(), &mut tell).await?;
    assert_eq!(audited.wrong as usize, findings.len());
    Ok((audited, findings))
}

pub async fn assert_intact(gateway: &Gateway) -> Audited {
    let (audited, findings) = audit(gateway).await.unwrap();
    assert!(findings.is_empty() && audited.is_intact(), "{findings:#?}");
    audited
}

/// Runs `switchyard balances verify`.
pub fn verify(database: &TestDatabase, arguments: &[&str]) -> Output {
    program_on(database).args(["balances", "verify"]).args(arguments).output().unwrap()
}

/// A ledger of `number` deltas of five customers over two months, with checkpoints of both, of payments too, and one of
/// somebody else without any checkpoint.
async fn ledger_of(number: usize) -> (TestGateway, Machine) {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let machine = Machine::of(&gateway, &ann, json!({})).await;
    let other = Machine::of_its_own(&gateway, "bob@example.com").await;
    Person::registered(&gateway, "carla@example.com").await;
    gateway.database.execute("UPDATE tenants SET plan = 'enterprise'").unwrap();
    let app = crate::tenant_apps::product_of(&gateway, &ann).await;
    for month in 0..2 {
        app.ended(&gateway, "succeed", json!({ "external_user_id": "buyer" })).await;
        for part in 0..2 {
            let deltas: Vec<Value> = (0..number / 4)
                .map(|n| {
                    let reference = format!("{month}-{part}-{n}");
                    let customer = format!("c{}", if n % 3 == 0 { n % 5 } else { 0 });
                    json!({ "customerId": customer, "delta": n + 1, "reason": "use", "referenceId": reference,
                        "metadata": { "n": n } })
                })
                .collect();
            for deltas in deltas.chunks(100) {
                machine.post("/balance/delta/batch", &json!({ "deltas": deltas })).await.expect_status(201);
            }
            gateway.step().await;
            let this_month = &gateway.clock.now().to_rfc3339()[..7];
            for of in [json!({}), json!({ "customerId": "c0" }), json!({ "period": this_month })] {
                machine.post("/balance/checkpoint", &of).await.expect_status(201);
            }
            machine
                .post("/balance/checkpoint", &json!({ "customerId": "c0", "period": this_month }))
                .await
                .expect_status(201);
        }
        gateway.advance(Duration::from_secs(31 * 24 * 3600)).await;
    }
    other.emitted("c0", "7").await;
    gateway.step().await;
    (gateway, machine)
}

/// The database, without what keeps its ledger from being changed, and with a copy of it.
struct Forger<'a> {
    gateway: &'a TestGateway,
    database: &'a TestDatabase,
}

impl<'a> Forger<'a> {
    fn of(gateway: &'a TestGateway) -> Self {
        let database = &gateway.database;
        for table in ["deltas", "delta_entries", "delta_failures", "merkle_nodes", "checkpoints"] {
            database.without_trigger(table, &format!("{table}_stay"));
            if matches!(database.target, Target::Sqlite(_)) {
                database.without_trigger(table, &format!("{table}_are_kept"));
            }
        }
        for table in TABLES {
            database.execute(&format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).unwrap();
        }
        Self { gateway, database }
    }

    fn change(&self, sql: &str) {
        self.database.execute(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    fn is_sqlite(&self) -> bool {
        matches!(self.database.target, Target::Sqlite(_))
    }

    /// A value as text; `-` for none.
    fn value(&self, table: &str, column: &str, row: &str) -> String {
        let shown = match (BLOBS.contains(&column), self.is_sqlite()) {
            (true, true) => format!("hex({column})"),
            (true, false) => format!("encode({column}, 'hex')"),
            (false, _) => format!("CAST({column} AS TEXT)"),
        };
        let sql =
            format!("SELECT CASE WHEN {column} IS NULL THEN '-' ELSE {shown} END AS text FROM {table} WHERE {row}");
        self.database.texts(&sql).remove(0)
    }

    /// Other values for a column, as SQL, the least different first.
    fn others(&self, column: &str, now: &str) -> Vec<String> {
        if BLOBS.contains(&column) {
            let flipped = if now == "-" { "00".to_owned() } else { flip_digit(now) };
            return vec![if self.is_sqlite() { format!("X'{flipped}'") } else { format!("'\\x{flipped}'::bytea") }];
        }
        if column == "created_at" {
            // Neither a hash nor a note covers the moment of intake: what is checked is that it fits the id.
            return vec![(now.parse::<i64>().unwrap() + 3_600_000_000).to_string()];
        }
        if TEXTS.contains(&column) {
            return match (column, now) {
                ("mode", _) => vec!["'live'".to_owned()],
                ("tenant_id", _) => self
                    .database
                    .texts("SELECT tenant_id AS text FROM tenants ORDER BY tenant_id DESC")
                    .iter()
                    .filter(|tenant_id| *tenant_id != now)
                    .map(|tenant_id| format!("'{tenant_id}'"))
                    .collect(),
                (_, "-") => vec!["'x'".to_owned()],
                ("period", "") => vec!["'2001-01'".to_owned()],
                // Ids end with random characters; those before tell the time.
                ("checkpoint_id", _) => vec![format!("'{}'", flip_at(now, 10))],
                _ => vec![format!("'{}'", flip_at(now, now.chars().count() / 2))],
            };
        }
        if now == "-" {
            return vec!["1".to_owned()];
        }
        [1, 100_000].map(|more| (now.parse::<i64>().unwrap() + more).to_string()).to_vec()
    }

    async fn findings(&self) -> Vec<LedgerFinding> {
        audit(&self.gateway.server.gateway).await.unwrap().1
    }

    /// Asserts that a finding is about one of `named`, then undoes what was done.
    async fn assert_named(&self, what: &str, named: &[&str], undo: &[String]) {
        let findings = self.findings().await;
        let is_named = |finding: &LedgerFinding| named.iter().any(|name| finding.subject.contains(name));
        assert!(findings.iter().any(is_named), "{what}: none of {named:?} in {findings:#?}");
        for statement in undo {
            self.change(statement);
        }
    }

    /// How a value is written in SQL.
    fn literal(&self, column: &str, value: &str) -> String {
        match (value, BLOBS.contains(&column), TEXTS.contains(&column)) {
            ("-", ..) => "NULL".to_owned(),
            (_, true, _) if self.is_sqlite() => format!("X'{value}'"),
            (_, true, _) => format!("'\\x{value}'::bytea"),
            (_, _, true) => format!("'{}'", value.replace('\'', "''")),
            _ => value.to_owned(),
        }
    }

    /// The statement that puts a row back from the copy.
    fn put_back(&self, table: &str, row: &str) -> String {
        let identity = if self.is_sqlite() || table != "ledger_customers" { "" } else { "OVERRIDING SYSTEM VALUE " };
        let columns = self.database.columns_of(table).join(", ");
        format!("INSERT INTO {table} ({columns}) {identity}SELECT {columns} FROM kept_{table} WHERE {row}")
    }
}

fn flip_digit(hex: &str) -> String {
    let (first, rest) = hex.split_at(1);
    let flipped = u8::from_str_radix(first, 16).unwrap() ^ 1;
    format!("{flipped:x}{rest}")
}

fn flip_at(text: &str, at: usize) -> String {
    let flip = |character: char| match character {
        '0' => '1',
        _ => '0',
    };
    text.chars().enumerate().map(|(index, character)| if index == at { flip(character) } else { character }).collect()
}

/// A row that is changed, by the columns and values of its key, and what a finding about it has to name.
struct Victim {
    table: &'static str,
    key: Vec<(&'static str, String)>,
    names: Vec<String>,
}

impl Victim {
    /// The row, once `changed` has another value.
    fn row(&self, changed: Option<(&str, &str)>) -> String {
        let of_key = self.key.iter().map(|(column, value)| {
            let value = changed.filter(|(name, _)| name == column).map_or(value.as_str(), |(_, value)| value);
            format!("{column} = {value}")
        });
        of_key.collect::<Vec<_>>().join(" AND ")
    }
}

fn victims(forger: &Forger<'_>) -> Vec<Victim> {
    let one = |sql: &str| forger.database.texts(sql).remove(0);
    let ledger = one("SELECT CAST(ledger_id AS TEXT) AS text FROM ledgers ORDER BY last_sequence DESC LIMIT 1");
    let sequence = "300".to_owned();
    let at = format!("ledger_id = {ledger} AND sequence = {sequence}");
    let record = one(&format!("SELECT record_id AS text FROM delta_entries WHERE {at}"));
    let posted = one("SELECT record_id AS text FROM deltas WHERE currency IS NOT NULL ORDER BY record_id LIMIT 1");
    let whole = one("SELECT CAST(tree_id AS TEXT) AS text FROM merkle_trees WHERE period = '' AND customer_key = 0");
    let of_month =
        one("SELECT CAST(MAX(tree_id) AS TEXT) AS text FROM merkle_trees WHERE period <> '' AND customer_key <> 0");
    let customer = one("SELECT CAST(customer_key AS TEXT) AS text FROM ledger_customers WHERE customer_id = 'c3'");
    let quoted = |text: &str| format!("'{text}'");
    let entry = [format!("entry {sequence}, delta {record}"), format!("entry {sequence}, "), format!("delta {record}")];
    let mut victims = vec![
        Victim { table: "deltas", key: vec![("record_id", quoted(&record))], names: entry.to_vec() },
        Victim { table: "deltas", key: vec![("record_id", quoted(&posted))], names: vec![format!("delta {posted}")] },
        Victim {
            table: "delta_entries",
            key: vec![("ledger_id", ledger.clone()), ("sequence", sequence)],
            names: entry.to_vec(),
        },
        Victim {
            table: "merkle_nodes",
            key: vec![("tree_id", whole.clone()), ("level", "1".to_owned()), ("position", "1".to_owned())],
            names: vec!["node 1 of level 1".to_owned(), format!("tree {whole} ")],
        },
        // Whose line it is is told by its deltas.
        Victim {
            table: "ledgers",
            key: vec![("ledger_id", ledger)],
            names: vec!["head of the line".to_owned(), "entry 1,".to_owned()],
        },
        // Its first delta is the fourth of the first request.
        Victim {
            table: "ledger_customers",
            key: vec![("customer_key", customer)],
            names: vec!["customer c3".to_owned(), "entry 5, ".to_owned()],
        },
    ];
    for tree in [&whole, &of_month] {
        victims.push(Victim {
            table: "merkle_trees",
            key: vec![("tree_id", tree.clone())],
            names: vec![format!("tree {tree}")],
        });
        let checkpoint =
            one(&format!("SELECT checkpoint_id AS text FROM checkpoints WHERE tree_id = {tree} ORDER BY size LIMIT 1"));
        let names = [checkpoint.clone(), flip_at(&checkpoint, 10)].map(|id| format!("checkpoint {id}"));
        victims.push(Victim {
            table: "checkpoints",
            key: vec![("checkpoint_id", quoted(&checkpoint))],
            names: names.to_vec(),
        });
    }
    victims
}

#[actix_web::test]
async fn a_change_of_any_column_of_the_ledger_is_named_and_an_untouched_one_is_intact() {
    let (gateway, _machine) = ledger_of(1000).await;
    let audited = assert_intact(&gateway.server.gateway).await;
    assert_eq!((audited.lines, audited.deltas, audited.waiting), (2, 1003, 0));
    assert_eq!((audited.trees, audited.checkpoints), (6, 16));
    let forger = Forger::of(&gateway);
    let (mut changed, mut refused) = (0, Vec::new());
    for victim in victims(&forger) {
        let Victim { table, names, .. } = &victim;
        for column in forger.database.columns_of(table) {
            let row = victim.row(None);
            let now = forger.value(table, &column, &row);
            let others = forger.others(&column, &now);
            let done = others.iter().find(|other| {
                forger.database.execute(&format!("UPDATE {table} SET {column} = {other} WHERE {row}")) == Ok(1)
            });
            let Some(other) = done else {
                refused.push(format!("{table}.{column}"));
                continue;
            };
            let what = format!("{table}.{column} of {row}: {now} became {other}");
            let undo = format!(
                "UPDATE {table} SET {column} = {} WHERE {}",
                forger.literal(&column, &now),
                victim.row(Some((&column, other)))
            );
            if NOT_EVIDENCE.contains(&(table, &column)) {
                assert_eq!(forger.findings().await, [], "{what}");
                forger.change(&undo);
                continue;
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            forger.assert_named(&what, &names, &[undo]).await;
            changed += 1;
        }
    }
    assert_intact(&gateway.server.gateway).await;
    println!("{changed} changes were named; refused: {refused:?}");
    assert!(changed > 75, "{changed}");
    // What other rows point to cannot be changed as long as they do.
    assert!(refused.iter().all(|column| column.ends_with("_id") || column.ends_with("_key")), "{refused:?}");
    assert!(refused.len() <= 5, "{refused:?}");
}
