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
            let since = format!("{this_month}-01");
            for of in [
                json!({ "customerId": "c0", "period": this_month }),
                json!({ "customerId": "c0", "startDate": since, "endDate": "2099-01-01" }),
            ] {
                machine.post("/balance/checkpoint", &of).await.expect_status(201);
            }
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
            // Neither a hash nor a note covers the moment of intake: what is checked is that it fits the id and the month.
            // Ids of this process run ahead of this gateway's clock, as those of the other tests' gateways do.
            return vec![(now.parse::<i64>().unwrap() + 34_560_000_000_000).to_string()];
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
                _ => [now.chars().count() / 2, 0].map(|at| format!("'{}'", flip_at(now, at))).to_vec(),
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
    let newest = "SELECT CAST(MAX(tree_id) AS TEXT) AS text FROM merkle_trees WHERE customer_key <> 0";
    let of_month = one(&format!("{newest} AND LENGTH(period) = 7"));
    let between_dates = one(&format!("{newest} AND LENGTH(period) > 7"));
    let customer = one("SELECT CAST(customer_key AS TEXT) AS text FROM ledger_customers WHERE customer_id = 'c3'");
    let quoted = |text: &str| format!("'{text}'");
    let entry = [format!("entry {sequence}, delta {record}"), format!("entry {sequence}, "), format!("delta {record}")];
    let mut victims = vec![
        Victim { table: "deltas", key: vec![("record_id", quoted(&record))], names: entry.to_vec() },
        Victim { table: "deltas", key: vec![("record_id", quoted(&posted))], names: vec![format!("delta {posted}")] },
        Victim {
            table: "delta_entries",
            key: vec![("ledger_id", ledger.clone()), ("sequence", sequence)],
            // Where it is missing, the next is the first that is wrong.
            names: [entry.to_vec(), vec!["entry 301, ".to_owned()]].concat(),
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
    for tree in [&whole, &of_month, &between_dates] {
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
    assert_eq!((audited.trees, audited.checkpoints), (8, 20));
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
    refused.sort();
    refused.dedup();
    let pointed_to = [
        "checkpoints.tree_id",
        "ledger_customers.customer_key",
        "ledgers.ledger_id",
        "merkle_nodes.tree_id",
        "merkle_trees.tree_id",
    ];
    assert!(refused.iter().all(|column| pointed_to.contains(&column.as_str())), "{refused:?}");
}

#[actix_web::test]
async fn rows_that_are_dropped_swapped_or_forged_are_named() {
    let (gateway, _machine) = ledger_of(600).await;
    let forger = Forger::of(&gateway);
    let one = |sql: &str| gateway.database.texts(sql).remove(0);
    let ledger = one("SELECT CAST(ledger_id AS TEXT) AS text FROM ledgers ORDER BY last_sequence DESC LIMIT 1");
    let record = |sequence: i64| {
        let at = format!("ledger_id = {ledger} AND sequence = {sequence}");
        one(&format!("SELECT record_id AS text FROM delta_entries WHERE {at}"))
    };
    let last = gateway.database.number(&format!("SELECT last_sequence FROM ledgers WHERE ledger_id = {ledger}"));
    let largest = one("SELECT checkpoint_id AS text FROM checkpoints ORDER BY size DESC, checkpoint_id LIMIT 1");
    let other = one("SELECT CAST(MAX(ledger_id) AS TEXT) AS text FROM ledgers");

    let entry = |sequence: i64| format!("ledger_id = {ledger} AND sequence = {sequence}");
    for (table, row, names) in [
        ("deltas", format!("record_id = '{}'", record(70)), vec![format!("entry 70, delta {}", record(70))]),
        ("delta_entries", entry(70), vec!["entry 71, ".to_owned(), format!("delta {}", record(70))]),
        ("delta_entries", entry(last), vec!["head of the line".to_owned()]),
        ("merkle_nodes", "level = 1 AND position = 0 AND tree_id = 1".to_owned(), vec!["node 0 of level 1".to_owned()]),
        ("checkpoints", format!("checkpoint_id = '{largest}'"), vec!["tree 1 of all".to_owned()]),
        ("ledger_customers", "customer_id = 'c2' AND deltas > 0".to_owned(), vec!["entry ".to_owned()]),
    ] {
        forger.change(&format!("DELETE FROM {table} WHERE {row}"));
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let undo = [forger.put_back(table, &row)];
        for name in &names {
            forger.assert_named(&format!("{table} without {row}"), &[name], &[]).await;
        }
        undo.iter().for_each(|statement| forger.change(statement));
    }

    let swap = |one: i64, other: i64| {
        let moved = |from: i64, to: i64| format!("UPDATE delta_entries SET sequence = {to} WHERE {}", entry(from));
        [moved(one, -1), moved(other, one), moved(-1, other)]
    };
    swap(50, 90).iter().for_each(|statement| forger.change(statement));
    let (first, further) = {
        let (audited, findings) = audit(&gateway.server.gateway).await.unwrap();
        (findings[0].clone(), audited.further)
    };
    assert_eq!(first.subject, format!("entry 50, delta {}", record(50)), "the first wrong record is named");
    assert!(further >= 2, "the next, and the other one of the two");
    swap(90, 50).iter().for_each(|statement| forger.change(statement));
    let contents = |one: i64, other: i64| {
        format!(
            "UPDATE deltas SET reason = (SELECT reason FROM kept_deltas WHERE record_id = '{}') || '', millionths =
             (SELECT k.millionths FROM kept_deltas k WHERE k.record_id = '{}') WHERE record_id = '{}'",
            record(other),
            record(other),
            record(one)
        )
    };
    forger.change(&contents(50, 90));
    forger.change(&contents(90, 50));
    assert!(forger.findings().await[0].subject.starts_with("entry 50, "));
    forger.change(&contents(50, 50));
    forger.change(&contents(90, 90));

    let columns = |table: &str, changes: &[(&str, &str)]| {
        let names = gateway.database.columns_of(table);
        let values: Vec<&str> = names
            .iter()
            .map(|name| changes.iter().find(|(changed, _)| changed == name).map_or(name.as_str(), |(_, value)| *value))
            .collect();
        format!("INSERT INTO {table} ({}) SELECT {} FROM {table}", names.join(", "), values.join(", "))
    };
    let new_record = flip_at(&record(70), 20);
    let quoted = format!("'{new_record}'");
    let next = format!("{}", last + 1);
    let forged = [
        (
            columns("deltas", &[("record_id", &quoted), ("reference_id", "NULL")])
                + &format!(" WHERE record_id = '{}'", record(70)),
            format!("delta {new_record}"),
            format!("DELETE FROM deltas WHERE record_id = {quoted}"),
        ),
        (
            columns("delta_entries", &[("record_id", &quoted), ("sequence", &next), ("customer_sequence", "100000")])
                + &format!(" WHERE {}", entry(last)),
            format!("entry {next}, delta {new_record}"),
            format!("DELETE FROM delta_entries WHERE record_id = {quoted}"),
        ),
        (
            columns("delta_entries", &[("ledger_id", "999"), ("record_id", &quoted), ("customer_sequence", "100000")])
                + &format!(" WHERE {}", entry(last)),
            format!("entry {last} of the ledger 999"),
            format!("DELETE FROM delta_entries WHERE record_id = {quoted}"),
        ),
        (
            format!("INSERT INTO delta_failures VALUES ('{}', 'no', 0)", record(70)),
            format!("entry 70, delta {}", record(70)),
            "DELETE FROM delta_failures".to_owned(),
        ),
        (
            format!("INSERT INTO delta_failures VALUES ({quoted}, 'no', 0)"),
            format!("failure of {new_record}"),
            "DELETE FROM delta_failures".to_owned(),
        ),
        (
            format!("INSERT INTO delta_queue SELECT tenant_id, mode, {quoted}, {quoted}, 1 FROM ledgers LIMIT 1"),
            format!("request that waits from {new_record}"),
            "DELETE FROM delta_queue".to_owned(),
        ),
        (
            format!(
                "INSERT INTO delta_queue SELECT tenant_id, mode, record_id, record_id, 1 FROM deltas WHERE record_id = '{}'",
                record(70)
            ),
            format!("request that waits from {}", record(70)),
            "DELETE FROM delta_queue".to_owned(),
        ),
        (
            columns("merkle_nodes", &[("position", "7")]) + " WHERE tree_id = 1 AND level = 1 AND position = 0",
            "tree 1 of all".to_owned(),
            "DELETE FROM merkle_nodes WHERE position = 7".to_owned(),
        ),
        (
            columns("checkpoints", &[("checkpoint_id", "'chk_forged'"), ("size", "77")])
                + &format!(" WHERE checkpoint_id = '{largest}'"),
            "checkpoint chk_forged".to_owned(),
            "DELETE FROM checkpoints WHERE checkpoint_id = 'chk_forged'".to_owned(),
        ),
    ];
    for (forge, named, undo) in forged {
        forger.change(&forge);
        forger.assert_named(&forge, &[&named], &[undo]).await;
    }
    assert_intact(&gateway.server.gateway).await;
    forger.change(&format!("DELETE FROM ledgers WHERE ledger_id = {other}"));
    forger.assert_named("a head is gone", &[&format!("of the ledger {other}")], &[]).await;
}

#[actix_web::test]
async fn a_person_verifies_the_ledger_with_the_program_and_sees_by_its_exit_code_whether_it_is_intact() {
    let (gateway, machine) = ledger_of(40).await;
    let database = &gateway.database;
    machine.emitted("c0", "1").await;
    let out = |arguments: &[&str]| {
        let output = verify(database, arguments);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, shown, talk) = out(&[]);
    assert_eq!((code, talk.as_str()), (Some(0), ""), "{shown}");
    assert!(shown.contains("43 deltas in 2 lines, 1 waiting") && shown.ends_with("Intact.\n"), "{shown}");
    let own = database.texts("SELECT tenant_id AS text FROM ledgers ORDER BY last_sequence DESC").remove(0);
    let (code, shown, _) = out(&["--tenant", &own, "--mode", "test", "--json"]);
    let totals: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!((code, &totals["intact"], &totals["totals"]["deltas"]), (Some(0), &json!(true), &json!(42)));
    let (_, shown, _) = out(&["--mode", "live", "--json"]);
    assert_eq!(serde_json::from_str::<Value>(&shown).unwrap()["totals"]["lines"], 0);

    // The key stays when the server moves, and what it signed before bears the name of where it was.
    let moved = program_on(database)
        .args(["balances", "verify"])
        .env("SWITCHYARD__SERVER__PUBLIC_URL", "https://elsewhere.example")
        .output()
        .unwrap();
    assert_eq!(moved.status.code(), Some(0), "{moved:?}");
    let key = gateway.fetch("/info").await.text_of("ledger_key");
    assert_eq!(out(&["--key", &key]).0, Some(0));
    let another = switchyard::domain::notes::Signer::from_seed("another.example", &[7; 32]).unwrap();
    let (code, shown, _) = out(&["--key", &another.verifier_key().to_string()]);
    assert_eq!(code, Some(1));
    assert!(shown.contains("note: expected a note that the key another.example+"), "{shown}");

    for bad in [["--tenant", "ten_00000000000000000000000000"], ["--mode", "dead"], ["--key", "nonsense"]] {
        assert_eq!(out(&bad).0, Some(2), "{bad:?}");
    }
    let forger = Forger::of(&gateway);
    forger.change("UPDATE deltas SET millionths = millionths + 1 WHERE customer_id = 'c0'");
    let (code, shown, _) = out(&["--json"]);
    assert_eq!(code, Some(1));
    let lines: Vec<Value> = shown.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["tenant_id"], &lines[0]["what"]), (&json!(own), &json!("content hash")));
    assert!(lines[0]["subject"].as_str().unwrap().starts_with("entry 2, delta rec_"), "{}", lines[0]);
    let totals = &lines[lines.len() - 1];
    assert_eq!(totals["intact"], false);
    assert!(totals["totals"]["further"].as_u64().unwrap() > 10, "{totals}");
    let (code, shown, _) = out(&[]);
    assert_eq!(code, Some(1));
    assert!(shown.starts_with(&format!("wrong  {own} test entry 2, ")), "{shown}");
}

/// What the tables say of which the audit is to know every change; `None` when they cannot be read.
fn evidence(path: &std::path::Path) -> Option<Vec<String>> {
    use diesel::prelude::*;
    #[derive(QueryableByName)]
    struct Row {
        #[diesel(sql_type = diesel::sql_types::Text)]
        text: String,
    }
    let mut conn = diesel::SqliteConnection::establish(&path.to_string_lossy()).ok()?;
    let mut said = Vec::new();
    for table in TABLES {
        let names = format!("SELECT name AS text FROM pragma_table_info('{table}')");
        let names: Vec<Row> = diesel::sql_query(names).load(&mut conn).ok()?;
        // Ids end with random characters that nothing bears witness to where nothing points to them.
        let is_evidence = |name: &str| !["created_at", "display_name", "checkpoint_id"].contains(&name);
        let shown: Vec<String> =
            names.iter().filter(|row| is_evidence(&row.text)).map(|row| format!("quote(hex({}))", row.text)).collect();
        let sql = format!("SELECT {} AS text FROM {table}", shown.join(" || ',' || "));
        let rows: Vec<Row> = diesel::sql_query(sql).load(&mut conn).ok()?;
        said.extend(rows.into_iter().map(|row| format!("{table} {}", row.text)));
    }
    said.sort();
    Some(said)
}

#[actix_web::test]
async fn a_flipped_byte_of_the_database_file_never_passes_for_an_intact_ledger() {
    let (gateway, _machine) = ledger_of(300).await;
    if matches!(gateway.database.target, Target::Postgres(_)) {
        return;
    }
    let copy = gateway.database.directory.join("copy.db");
    gateway.database.execute(&format!("VACUUM INTO '{}'", copy.display())).unwrap();
    let sound = std::fs::read(&copy).unwrap();
    let said = evidence(&copy).unwrap();
    // Pages that rows of the ledger are in.
    let pages: Vec<usize> = (1..sound.len() / 4096)
        .filter(|page| sound[page * 4096..][..4096].windows(4).any(|four| four == b"rec_" || four == b"chk_"))
        .collect();
    let seed = u64::from_str_radix(&random_hex(8), 16).unwrap();
    let mut random = Random(seed | 1);
    let (mut changed, mut named, mut refused) = (0, 0, 0);
    for _ in 0..60 {
        let page = pages[random.below(pages.len())];
        let at = page * 4096 + random.below(4096);
        let mut bytes = sound.clone();
        bytes[at] ^= 1 << random.below(8);
        let file = gateway.database.directory.join(format!("flipped-{}.db", random_hex(8)));
        std::fs::write(&file, &bytes).unwrap();
        let is_same = evidence(&file).is_some_and(|now| now == said);
        if !is_same {
            changed += 1;
            let settings =
                switchyard::config::Settings { database: Target::Sqlite(file.clone()), ..gateway.database.settings() };
            let found = match Gateway::open(settings, Clock::system()).await {
                Ok(opened) => audit(&opened).await.map_err(|fault| fault.to_string()),
                Err(error) => Err(error.to_string()),
            };
            match found {
                Ok((audited, _)) => {
                    assert!(!audited.is_intact(), "seed {seed}: byte {at} was flipped and nothing was found");
                    named += 1;
                }
                Err(_) => refused += 1,
            }
        }
        std::fs::remove_file(&file).unwrap();
    }
    println!("seed {seed}: 60 bits flipped, {changed} changed a row: {named} named, {refused} refused");
    assert!(changed > 10 && named > 3, "{changed} changed, {named} named");
}

/// Numbers that a seed gives (xorshift).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit as u64).unwrap()
    }
}
