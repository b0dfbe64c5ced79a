//! Whatever comes in whatever order, balances are what a model in memory says.

use std::collections::HashMap;
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::secrets::random_hex;

use crate::deltas::Machine;
use crate::ledger_audit::{Random, assert_intact};
use crate::support::TestGateway;

const CUSTOMERS: usize = 4;

/// What the ledger must say, in millionths.
#[derive(Default)]
struct Model {
    /// Accepted, and not verified yet: whose, how much.
    waiting: Vec<(usize, i128)>,
    sums: [i128; CUSTOMERS],
    counts: [i64; CUSTOMERS],
    /// What a customer's reference stands for.
    references: HashMap<(usize, usize), i128>,
    accepted: i64,
}

/// Tells the seed when a test fails.
struct Told(u64);

impl Drop for Told {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the failing seed: {}", self.0);
        }
    }
}

fn plain(millionths: i128) -> String {
    switchyard::domain::decimals::Decimal::from_millionths(millionths).to_string()
}

/// A delta that is asked for.
struct Asked {
    customer: usize,
    millionths: i128,
    reference: Option<usize>,
}

impl Asked {
    fn random(random: &mut Random) -> Self {
        let scale = [1, 1000, 1_000_000, 1_000_000_000_000][random.below(4)];
        let millionths = (random.below(1999) as i128 - 999) * scale;
        let reference = (random.below(3) == 0).then(|| random.below(6));
        Self { customer: random.below(CUSTOMERS), millionths, reference }
    }

    fn body(&self) -> String {
        let reference = self.reference.map_or_else(String::new, |number| format!(r#","referenceId":"r{number}""#));
        format!(r#"{{"customerId":"c{}","delta":{},"reason":"use"{reference}}}"#, self.customer, plain(self.millionths))
    }
}

impl Model {
    /// Takes a delta in; says whether it is accepted.
    fn take(&mut self, asked: &Asked) -> bool {
        if asked.millionths == 0 {
            return false;
        }
        if let Some(reference) = asked.reference {
            if let Some(known) = self.references.get(&(asked.customer, reference)) {
                return *known == asked.millionths;
            }
            self.references.insert((asked.customer, reference), asked.millionths);
        }
        self.waiting.push((asked.customer, asked.millionths));
        self.accepted += 1;
        true
    }

    fn verify(&mut self) {
        for (customer, millionths) in self.waiting.drain(..) {
            self.sums[customer] += millionths;
            self.counts[customer] += 1;
        }
    }

    async fn assert_same(&self, machine: &Machine) {
        for customer in (0..CUSTOMERS).filter(|customer| self.counts[*customer] > 0) {
            let path = format!("/balance/derive/c{customer}");
            assert_eq!(machine.number(&path, "computedBalance").await, plain(self.sums[customer]), "{path}");
            assert_eq!(machine.number(&path, "deltasCount").await, self.counts[customer].to_string(), "{path}");
        }
    }
}

async fn play(seed: u64) {
    let _told = Told(seed);
    let mut random = Random(seed | 1);
    let gateway = TestGateway::spawn_stepped().await;
    let machine = Machine::of_its_own(&gateway, "ann@example.com").await;
    gateway.database.execute("UPDATE tenants SET plan = 'enterprise'").unwrap();
    let mut model = Model::default();
    for _ in 0..80 {
        match random.below(8) {
            0..=2 => {
                let asked = Asked::random(&mut random);
                let answer = machine.send(reqwest::Method::POST, "/balance/delta", Some(&asked.body()), None).await;
                assert_eq!(answer.status == 201, model.take(&asked), "{}: {}", asked.body(), answer.text);
            }
            3 | 4 => {
                let asked: Vec<Asked> = (0..=random.below(30)).map(|_| Asked::random(&mut random)).collect();
                let bodies: Vec<String> = asked.iter().map(Asked::body).collect();
                let body = format!(r#"{{"deltas":[{}]}}"#, bodies.join(","));
                let path = "/balance/delta/batch";
                let answer = machine.send(reqwest::Method::POST, path, Some(&body), None).await.expect_status(201);
                let results = answer.json()["data"]["results"].clone();
                for (asked, result) in asked.iter().zip(results.as_array().unwrap()) {
                    assert_eq!(result["status"] != "FAILED", model.take(asked), "{}: {result}", asked.body());
                }
            }
            5 => {
                gateway.step().await;
                model.verify();
                model.assert_same(&machine).await;
            }
            6 => gateway.clock.advance(Duration::from_secs(random.below(3 * 24 * 3600) as u64)),
            _ => {
                let customer = random.below(CUSTOMERS);
                let count = model.counts[customer];
                let (of, count) = match random.below(2) {
                    0 => (json!({ "customerId": format!("c{customer}") }), count),
                    _ => (json!({}), model.counts.iter().sum()),
                };
                let answer = machine.post("/balance/checkpoint", &of).await;
                if count == 0 {
                    answer.expect_error(404, "NotFound");
                    continue;
                }
                let sum = if of["customerId"] == Value::Null { model.sums.iter().sum() } else { model.sums[customer] };
                let answer = answer.expect_status(201);
                assert_eq!(answer.json()["data"]["deltasCount"], count);
                assert!(answer.text.contains(&format!("\"netChange\":{},", plain(sum))), "{sum}: {}", answer.text);
            }
        }
    }
    gateway.step().await;
    model.verify();
    model.assert_same(&machine).await;
    let audited = assert_intact(&gateway.server.gateway).await;
    assert_eq!(i64::try_from(audited.deltas).unwrap(), model.accepted);
    let used = gateway.database.number("SELECT COALESCE(SUM(used), 0) FROM usage_counters WHERE name = 'deltas'");
    assert_eq!(used, model.accepted);
}

#[actix_web::test]
async fn any_interleaving_gives_the_balances_of_a_model() {
    for _ in 0..4 {
        play(u64::from_str_radix(&random_hex(8), 16).unwrap()).await;
    }
}
