//! The balance ledger by its front door: deltas taken in, verified in a line, derived and compared.

use reqwest::Method;
use serde_json::{Value, json};
use switchyard::domain::mode::Mode;

use crate::api_keys::made_key;
use crate::person::Person;
use crate::support::{Answer, Receiver, TestGateway};

/// A machine with an API key.
pub struct Machine {
    base_url: String,
    key: String,
}

impl Machine {
    /// One of a tenant of its own, in mode `test`.
    pub async fn of_its_own(gateway: &TestGateway, email: &str) -> Self {
        let person = Person::registered(gateway, email).await;
        Self::of(gateway, &person, json!({})).await
    }

    /// One of a person's tenant.
    pub async fn of(gateway: &TestGateway, person: &Person, changes: Value) -> Self {
        let key = made_key(person, changes).await;
        Self { base_url: gateway.server.url(), key: key["fullKey"].as_str().unwrap().to_owned() }
    }

    /// The one that has a key already.
    pub fn with_key(gateway: &TestGateway, key: &str) -> Self {
        Self { base_url: gateway.server.url(), key: key.to_owned() }
    }

    pub async fn send(&self, method: Method, path: &str, body: Option<&str>, key: Option<&str>) -> Answer {
        let url = format!("{}/api/v1{path}", self.base_url);
        let mut request = reqwest::Client::new().request(method, url).header("X-Api-Key", &self.key);
        if let Some(body) = body {
            request = request.header("Content-Type", "application/json").body(body.to_owned());
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(&body.to_string()), None).await
    }

    /// Emits a delta whose amount is given as text, to the digit.
    pub async fn emit(&self, customer: &str, delta: &str, more: &str) -> Answer {
        let body = format!(r#"{{"customerId":"{customer}","delta":{delta},"reason":"use"{more}}}"#);
        self.send(Method::POST, "/balance/delta", Some(&body), None).await
    }

    pub async fn emitted(&self, customer: &str, delta: &str) -> String {
        let answer = self.emit(customer, delta, "").await.expect_status(201).json();
        answer["data"]["recordId"].as_str().unwrap().to_owned()
    }

    /// The text of a number in an answer, to the digit.
    pub async fn number(&self, path: &str, name: &str) -> String {
        let answer = self.get(path).await.expect_status(200);
        let text = answer.text.as_str();
        let rest = text.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {text}")).1;
        rest.split([',', '}']).next().unwrap().to_owned()
    }

    pub async fn balance(&self, customer: &str) -> String {
        self.number(&format!("/balance/derive/{customer}"), "computedBalance").await
    }
}

async fn gateway_and_machine() -> (TestGateway, Machine) {
    let gateway = TestGateway::spawn_stepped().await;
    let machine = Machine::of_its_own(&gateway, "ann@example.com").await;
    (gateway, machine)
}

#[actix_web::test]
async fn a_delta_is_queued_then_verified_and_linked_to_the_one_before() {
    let (gateway, machine) = gateway_and_machine().await;
    let answer = machine.emit("cust_1", "-42.5", r#","referenceId":"inv_1","metadata":{"plan":"a"}"#).await;
    let answer = answer.expect_status(201).json();
    assert_eq!((&answer["success"], &answer["statusCode"]), (&json!(true), &json!(201)));
    let taken = &answer["data"];
    assert_eq!(
        (&taken["status"], &taken["delta"], &taken["customerId"]),
        (&json!("QUEUED"), &json!(-42.5), &json!("cust_1"))
    );
    let path = format!("/balance/delta/{}", taken["recordId"].as_str().unwrap());
    let queued = machine.get(&path).await.expect_status(200).json();
    assert_eq!((&queued["data"]["status"], &queued["data"]["sequenceNumber"]), (&json!("QUEUED"), &Value::Null));
    assert_eq!(machine.balance("cust_1").await, "0");

    let second = machine.emitted("cust_2", "7").await;
    gateway.step().await;
    let first = machine.get(&path).await.json()["data"].clone();
    assert_eq!((&first["status"], &first["sequenceNumber"]), (&json!("VERIFIED"), &json!(1)));
    assert_eq!((&first["previousProofHash"], &first["receiptId"]), (&Value::Null, &taken["receiptId"]));
    assert!(first["verifiedAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(first["proofHash"].as_str().unwrap().len(), 64);
    let second = machine.get(&format!("/balance/delta/{second}")).await.json()["data"].clone();
    assert_eq!((&second["sequenceNumber"], &second["previousProofHash"]), (&json!(2), &first["proofHash"]));
    let by_receipt = machine.get(&format!("/balance/delta/{}", taken["receiptId"].as_str().unwrap())).await.json();
    assert_eq!(by_receipt["data"]["recordId"], taken["recordId"]);
    machine.get("/balance/delta/rec_00000000000000000000000000").await.expect_error(404, "NotFound");
}

#[actix_web::test]
async fn decimals_are_exact_on_the_way_in_and_out() {
    let (gateway, machine) = gateway_and_machine().await;
    for delta in ["0.1", "0.2", "1e2", "-0.000001", "1000000000", "-0.3"] {
        machine.emit("c", delta, "").await.expect_status(201);
    }
    for delta in ["1e10", "0.1234567", "NaN", "0", "-1000000000.1", "\"1\"", "null"] {
        machine.emit("c", delta, "").await.expect_error(400, "ValidationError");
    }
    gateway.step().await;
    assert_eq!(machine.balance("c").await, "1000000099.999999");
    // Sums go further than an integer of millionths would.
    let largest: Vec<Value> =
        (0..1000).map(|_| json!({ "customerId": "big", "delta": 1_000_000_000, "reason": "r" })).collect();
    let person = gateway.database.execute("UPDATE tenants SET plan = 'enterprise'");
    assert!(person.is_ok(), "{person:?}");
    for _ in 0..10 {
        machine.post("/balance/delta/batch", &json!({ "deltas": largest })).await.expect_status(201);
    }
    gateway.step().await;
    assert_eq!(machine.balance("big").await, "10000000000000");
    assert_eq!(
        machine.number("/balance/derive/big?startingBalance=0.000001", "computedBalance").await,
        "10000000000000.000001"
    );
}

#[actix_web::test]
async fn a_reference_stands_for_one_delta_of_a_customer() {
    let (gateway, machine) = gateway_and_machine().await;
    let first = machine.emit("c", "5", r#","referenceId":"r""#).await.expect_status(201).json()["data"].clone();
    let again = machine.emit("c", "5.0", r#","referenceId":"r""#).await.expect_status(201).json()["data"].clone();
    assert_eq!((&again["recordId"], &again["idempotent"]), (&first["recordId"], &json!(true)));
    assert_eq!(first["idempotent"], Value::Null);
    machine.emit("c", "6", r#","referenceId":"r""#).await.expect_error(409, "AlreadyExists");
    machine.emit("other", "6", r#","referenceId":"r""#).await.expect_status(201);
    gateway.step().await;
    let verified = machine.emit("c", "5", r#","referenceId":"r""#).await.expect_status(201).json();
    assert_eq!(verified["data"]["status"], "VERIFIED");
    gateway.step().await;
    assert_eq!((machine.balance("c").await, machine.balance("other").await), ("5".to_owned(), "6".to_owned()));
    for reference in ["pay_01jz0000000000000000000000", "REF_01jz0000000000000000000000"] {
        let more = format!(r#","referenceId":"{reference}""#);
        machine.emit("c", "1", &more).await.expect_error(400, "ValidationError");
    }
}

#[actix_web::test]
async fn an_idempotency_key_is_honoured() {
    let (gateway, machine) = gateway_and_machine().await;
    let body = r#"{"customerId":"c","delta":1,"reason":"r"}"#;
    let send =
        |body: &'static str, key: &'static str| machine.send(Method::POST, "/balance/delta", Some(body), Some(key));
    let first = send(body, "k").await.expect_status(201);
    let again = send(body, "k").await.expect_status(201);
    assert_eq!((&first.text, again.header("idempotent-replayed")), (&again.text, Some("true")));
    send(r#"{"customerId":"c","delta":2,"reason":"r"}"#, "k").await.expect_error(409, "IdempotencyConflict");
    send(body, "another").await.expect_status(201);
    gateway.step().await;
    assert_eq!(machine.balance("c").await, "2");
}

#[actix_web::test]
async fn a_batch_tells_of_each_and_takes_what_is_sound() {
    let (gateway, machine) = gateway_and_machine().await;
    let batch = json!({ "deltas": [
        { "customerId": "a", "delta": 1, "reason": "r", "referenceId": "x" },
        { "customerId": "a", "delta": 0, "reason": "r" },
        { "customerId": "a", "delta": 1, "reason": "r", "referenceId": "x" },
        { "customerId": "a", "delta": 2, "reason": "r", "referenceId": "x" },
        { "customerId": "b", "delta": 2.5, "reason": "r" },
    ] });
    let answer = machine.post("/balance/delta/batch", &batch).await.expect_status(201).json()["data"].clone();
    assert_eq!((&answer["totalQueued"], &answer["totalFailed"]), (&json!(3), &json!(2)));
    let of_each = |name: &str| -> Vec<Value> {
        answer["results"].as_array().unwrap().iter().map(|result| result[name].clone()).collect()
    };
    assert_eq!(of_each("status"), ["QUEUED", "FAILED", "QUEUED", "FAILED", "QUEUED"]);
    assert_eq!(of_each("index"), [0, 1, 2, 3, 4]);
    assert_eq!(of_each("recordId")[0], of_each("recordId")[2]);
    assert!(of_each("error")[1].as_str().unwrap().contains("delta: "), "{answer}");
    gateway.step().await;
    assert_eq!((machine.balance("a").await, machine.balance("b").await), ("1".to_owned(), "2.5".to_owned()));
    for body in [json!({}), json!({ "deltas": [] }), json!({ "deltas": vec![json!({}); 1001] })] {
        machine.post("/balance/delta/batch", &body).await.expect_error(400, "ValidationError");
    }
}

#[actix_web::test]
async fn a_balance_is_derived_over_a_stretch() {
    let (gateway, machine) = gateway_and_machine().await;
    let mut records = Vec::new();
    for delta in ["1", "2", "4"] {
        records.push(machine.emitted("c", delta).await);
        machine.emitted("other", "100").await;
    }
    gateway.step().await;
    let derived = machine.get("/balance/derive/c?startingBalance=10&limit=2&offset=1").await.expect_status(200).json();
    let derived = &derived["data"];
    assert_eq!((&derived["computedBalance"], &derived["deltasCount"]), (&json!(17), &json!(3)));
    let page: Vec<&Value> = derived["deltas"].as_array().unwrap().iter().map(|delta| &delta["delta"]).collect();
    assert_eq!(page, [&json!(2), &json!(4)]);
    assert_eq!(derived["latestReceiptId"], records[2].replace("rec_", "rcpt_"));
    let after = format!("/balance/derive/c?startingBalance=3&startingCheckpoint={}", records[1]);
    assert_eq!(machine.number(&after, "computedBalance").await, "7");
    for window in ["timePreset=current_month", "startDate=2000-01-01&endDate=2099-01-01"] {
        assert_eq!(machine.number(&format!("/balance/derive/c?{window}"), "computedBalance").await, "7", "{window}");
    }
    for window in ["period=2001-01", "startDate=2000-01-01&endDate=2001-01-01"] {
        assert_eq!(machine.number(&format!("/balance/derive/c?{window}"), "computedBalance").await, "0", "{window}");
    }
    let both = format!("/balance/derive/c?period=2001-01&startingCheckpoint={}", records[0]);
    machine.get(&both).await.expect_error(400, "INVALID_SCOPE_COMBINATION");
    machine
        .get("/balance/derive/c?startingCheckpoint=rec_00000000000000000000000000")
        .await
        .expect_error(404, "NotFound");
    machine.get("/balance/derive/c?limit=1001").await.expect_error(400, "ValidationError");
    machine.get("/balance/derive/c?startDate=1800-01-01&endDate=2099-01-01").await.expect_error(400, "SCOPE_TOO_WIDE");
    assert_eq!(machine.balance("nobody").await, "0");
}

#[actix_web::test]
async fn a_comparison_names_who_is_off_and_by_which_references() {
    let (gateway, machine) = gateway_and_machine().await;
    machine.emit("c", "1.5", r#","referenceId":"a""#).await.expect_status(201);
    machine.emit("c", "2", r#","referenceId":"b""#).await.expect_status(201);
    machine.emit("d", "10", "").await.expect_status(201);
    gateway.step().await;
    let body = json!({
        "customerId": "c", "yourBalance": 103.5, "theirBalance": 104, "startingBalance": 100,
        "yourDeltas": [{ "referenceId": "a", "amount": 1.5 }, { "referenceId": "b", "amount": 2 }],
        "theirDeltas": [{ "referenceId": "a", "amount": 2 }, { "referenceId": "b", "amount": 2 }],
    });
    let compared = machine.post("/balance/compare", &body).await.expect_status(200).json()["data"].clone();
    assert_eq!(
        (&compared["matches"], &compared["matchesYours"], &compared["matchesTheirs"]),
        (&json!(false), &json!(true), &json!(false))
    );
    assert_eq!(
        (&compared["neutralBalance"], &compared["yourDiscrepancy"], &compared["theirDiscrepancy"]),
        (&json!(103.5), &json!(0), &json!(0.5))
    );
    let differing = json!([{ "referenceId": "a", "yourAmount": 1.5, "theirAmount": 2, "neutralAmount": 1.5 }]);
    assert_eq!((&compared["differences"], &compared["deltasCount"]), (&differing, &json!(2)));
    let all = json!({ "yourBalance": 13.5, "theirBalance": 13.5 });
    let compared = machine.post("/balance/compare", &all).await.expect_status(200).json()["data"].clone();
    assert_eq!((&compared["matches"], &compared["deltasCount"]), (&json!(true), &json!(3)));
    machine.post("/balance/compare", &json!({ "customerId": "c" })).await.expect_error(400, "ValidationError");
}

#[actix_web::test]
async fn customers_usage_limits_and_gaps_are_told() {
    let (gateway, machine) = gateway_and_machine().await;
    for (customer, delta) in [("acme-1", "1"), ("acme-2", "2"), ("zeta", "3"), ("acme-1", "-0.5")] {
        machine.emitted(customer, delta).await;
    }
    gateway.step().await;
    let page = machine.get("/balance/customers?search=acme&limit=1&page=2").await.expect_status(200).json();
    let data = &page["data"];
    assert_eq!(
        (&data["customers"][0]["customerId"], &data["customers"][0]["computedBalance"]),
        (&json!("acme-2"), &json!(2))
    );
    assert_eq!(data["pagination"], json!({ "page": 2, "limit": 1, "total": 2, "totalPages": 2 }));
    let one = machine.get("/balance/customers/acme-1?deltaLimit=1").await.expect_status(200).json()["data"].clone();
    assert_eq!((&one["computedBalance"], &one["totalDeltas"]), (&json!(0.5), &json!(2)));
    assert_eq!(
        (&one["recentActivity"]["items"][0]["delta"], &one["recentActivity"]["pagination"]["total"]),
        (&json!(-0.5), &json!(2))
    );
    machine.get("/balance/customers/nobody").await.expect_error(404, "NotFound");
    let usage = machine.get("/balance/usage").await.expect_status(200).json()["data"].clone();
    assert_eq!((&usage["allowed"], &usage["remaining"], &usage["used"]), (&json!(true), &json!(96), &json!(4)));
    let limits = machine.get("/balance/limits").await.expect_status(200).json()["data"].clone();
    assert!(
        ["maxScopeMonths", "maxLastNDays", "maxRetentionDays"].iter().all(|name| limits[name].is_u64()),
        "{limits}"
    );
    let gaps = machine.get("/balance/gaps/acme-1").await.expect_status(200).json()["data"].clone();
    assert_eq!((&gaps["hasGaps"], &gaps["fromSequence"], &gaps["toSequence"]), (&json!(false), &json!(1), &json!(4)));
}

#[actix_web::test]
async fn at_the_cap_nothing_is_written_and_reading_stays_free() {
    let (gateway, machine) = gateway_and_machine().await;
    let deltas: Vec<Value> = (0..100)
        .map(|n| json!({ "customerId": "c", "delta": 1, "reason": "r", "referenceId": n.to_string() }))
        .collect();
    machine.post("/balance/delta/batch", &json!({ "deltas": deltas })).await.expect_status(201);
    gateway.step().await;
    machine.emit("c", "1", "").await.expect_error(402, "PlanLimitExceeded");
    let two = json!({ "deltas": [deltas[0], { "customerId": "c", "delta": 1, "reason": "r" }] });
    machine.post("/balance/delta/batch", &two).await.expect_error(402, "PlanLimitExceeded");
    let known = machine.post("/balance/delta/batch", &json!({ "deltas": [deltas[0]] })).await.expect_status(201).json();
    assert_eq!(known["data"]["results"][0]["idempotent"], true);
    assert_eq!(machine.balance("c").await, "100");
    let usage = machine.get("/balance/usage").await.expect_status(200).json()["data"].clone();
    assert_eq!((&usage["allowed"], &usage["remaining"]), (&json!(false), &json!(0)));
}

#[actix_web::test]
async fn what_the_rails_did_is_in_the_books() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Test).await;
    let payment =
        product.ended(&gateway, "succeed", json!({ "external_user_id": "user 42/ä", "amount_minor": 50_000 })).await;
    gateway.step().await;
    let refund = json!({ "payment_id": payment["payment_id"], "amount_minor": 20_000 });
    product.post("/v1/refunds", &refund).await.expect_status(201);
    gateway.step().await;
    let customer = format!("{}:IDR:user 42/ä", product.app_id);
    let booked = gateway.database.texts(&format!(
        "SELECT c.balance || ' ' || d.reference_id || ' ' || d.millionths AS text FROM deltas d JOIN ledger_customers c
         ON c.customer_id = d.customer_id WHERE d.customer_id = '{customer}' ORDER BY d.record_id"
    ));
    let payment_id = payment["payment_id"].as_str().unwrap();
    assert_eq!(booked.len(), 2, "{booked:?}");
    assert_eq!(booked[0], format!("30000000000 {payment_id} 50000000000"));
    assert!(booked[1].starts_with("30000000000 ref_") && booked[1].ends_with(" -20000000000"), "{booked:?}");
    assert_eq!(
        gateway.database.number("SELECT COUNT(*) FROM usage_counters WHERE used <> 0"),
        0,
        "they count towards no plan"
    );
}

#[actix_web::test]
async fn nobody_emits_into_the_accounts_of_payments() {
    let (_gateway, machine) = gateway_and_machine().await;
    let answer = machine.emit("app_01jz0000000000000000000000:IDR:user-42", "1", "").await;
    answer.expect_error(400, "ValidationError");
}

#[actix_web::test]
async fn listeners_hear_of_verified_deltas_in_the_envelope_of_tenants() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let machine = Machine::of(&gateway, &ann, json!({})).await;
    let receiver = Receiver::start().await;
    let endpoint = json!({ "url": receiver.url, "events": ["delta.verified"], "headerPrefix": "X-Acme" });
    let (status, endpoint) = ann.post("/dashboard/webhooks", endpoint).await;
    assert_eq!(status, 201, "{endpoint}");
    let record_id = machine.emitted("c", "0.1").await;
    gateway.step().await;
    let delivered = receiver.wait_for(1).await.remove(0);
    let event = delivered.json();
    assert_eq!(
        (&event["event"], &event["mode"], &event["data"]["recordId"]),
        (&json!("delta.verified"), &json!("test"), &json!(record_id))
    );
    assert_eq!((&event["data"]["delta"], &event["data"]["sequenceNumber"]), (&json!(0.1), &json!(1)));
    assert_eq!(event["data"]["proof"]["proofHash"].as_str().unwrap().len(), 64);
    assert!(delivered.header("x-acme-signature").starts_with("v1="));
}

#[actix_web::test]
async fn a_record_that_is_not_what_was_accepted_fails_and_gives_back_its_quota() {
    let (gateway, machine) = gateway_and_machine().await;
    let record_id = machine.emitted("c", "5").await;
    machine.emitted("c", "7").await;
    let change = format!("UPDATE deltas SET millionths = 9000000 WHERE record_id = '{record_id}'");
    assert!(gateway.database.execute(&change).is_err(), "the ledger is append-only");
    gateway.database.without_trigger("deltas", "deltas_stay");
    assert_eq!(gateway.database.execute(&change), Ok(1));
    gateway.step().await;
    let failed = machine.get(&format!("/balance/delta/{record_id}")).await.expect_status(200).json()["data"].clone();
    assert_eq!((&failed["status"], &failed["sequenceNumber"]), (&json!("FAILED"), &Value::Null));
    assert!(failed["error"].as_str().unwrap().contains("not what was accepted"), "{failed}");
    assert_eq!(machine.balance("c").await, "7");
    let usage = machine.get("/balance/usage").await.json();
    assert_eq!(usage["data"]["used"], 1);
}

#[actix_web::test]
async fn the_ledger_cannot_be_rewritten() {
    let (gateway, machine) = gateway_and_machine().await;
    machine.emitted("c", "5").await;
    gateway.step().await;
    let columns = |table: &str| gateway.database.columns_of(table).join(", ");
    for (table, column) in [("deltas", "reason"), ("delta_entries", "customer_sum")] {
        let listed = columns(table);
        for statement in [
            format!("UPDATE {table} SET {column} = '0'"),
            format!("DELETE FROM {table}"),
            format!("INSERT OR REPLACE INTO {table} ({listed}) SELECT {listed} FROM {table}"),
            format!("INSERT INTO {table} ({listed}) SELECT {listed} FROM {table}"),
        ] {
            assert!(gateway.database.execute(&statement).is_err(), "{statement}");
        }
    }
    assert_eq!(machine.balance("c").await, "5");
}
