//! Checkpoints, proofs and receipts of the ledger by its front door, checked with nothing but the published key.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use serde_json::{Value, json};
use sha2::Sha256;
use switchyard::domain::leaves::Leaf;
use switchyard::domain::mode::Mode;
use switchyard::domain::notes::VerifierKey;
use switchyard::domain::proofs::Document;

use crate::deltas::Machine;
use crate::support::TestGateway;

async fn gateway_and_machine() -> (TestGateway, Machine) {
    let gateway = TestGateway::spawn_stepped().await;
    let machine = Machine::of_its_own(&gateway, "ann@example.com").await;
    gateway.database.execute("UPDATE tenants SET plan = 'enterprise'").unwrap();
    (gateway, machine)
}

async fn published_key(gateway: &TestGateway) -> VerifierKey {
    VerifierKey::parse(&gateway.fetch("/info").await.text_of("ledger_key")).unwrap()
}

/// Emits `number` deltas of a customer, between those of another.
async fn emit_many(gateway: &TestGateway, machine: &Machine, customer: &str, number: usize) {
    let delta = |n: usize| {
        let customer = if n % 3 == 2 { "another" } else { customer };
        json!({ "customerId": customer, "delta": n + 1, "reason": "r" })
    };
    let all: Vec<Value> = (0..number + number / 2).map(delta).collect();
    for deltas in all.chunks(1000) {
        machine.post("/balance/delta/batch", &json!({ "deltas": deltas })).await.expect_status(201);
    }
    // Checkpoints of one moment have no order.
    gateway.advance(std::time::Duration::from_millis(1)).await;
}

async fn checkpoint(machine: &Machine, of: Value) -> Value {
    machine.post("/balance/checkpoint", &of).await.expect_status(201).json()["data"].clone()
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("no {name} in {object}"))
}

#[actix_web::test]
async fn every_delta_of_a_checkpoint_is_proven_with_the_key_alone() {
    let (gateway, machine) = gateway_and_machine().await;
    emit_many(&gateway, &machine, "c", 600).await;
    let key = published_key(&gateway).await;
    let of_customer = checkpoint(&machine, json!({ "customerId": "c" })).await;
    let of_all = checkpoint(&machine, json!({})).await;
    assert_eq!((&of_customer["deltasCount"], &of_all["deltasCount"]), (&json!(600), &json!(900)));
    assert_eq!((&of_customer["proofRoot"], &of_customer["status"]), (&of_customer["merkleRoot"], &json!("VERIFIED")));

    // An independent implementation makes the same root of the leaves that the receipt shows.
    let receipt = machine.get("/balance/receipt/c").await.expect_status(200);
    let document = Document::parse(&receipt.text).unwrap();
    let mut tree: MemoryBackedTree<Sha256, String> = MemoryBackedTree::new();
    document.leaves().iter().for_each(|leaf| tree.push(leaf.canonical()));
    assert_eq!(hex::encode(tree.root().as_bytes()), text(&of_customer, "proofRoot"));
    assert!(document.check(Some(&key)).verified, "{:?}", document.check(Some(&key)));
    assert_eq!(receipt.json()["data"]["netChange"], of_customer["netChange"]);

    for leaf in document.leaves().iter().step_by(97) {
        for with in ["", text(&of_customer, "checkpointId"), text(&of_all, "proofRoot")] {
            let query = if with.is_empty() { String::new() } else { format!("?checkpoint={with}") };
            let answer =
                machine.get(&format!("/balance/delta/{}/proof{query}", leaf.record_id)).await.expect_status(200);
            let proof = Document::parse(&answer.text).unwrap();
            let findings = proof.check(Some(&key));
            assert!(findings.verified, "{findings:?}");
            let size = if with == text(&of_all, "proofRoot") { 900 } else { 600 };
            assert_eq!(answer.json()["data"]["treeSize"], size);
        }
    }
}

#[actix_web::test]
async fn a_scope_with_nothing_new_has_the_checkpoint_that_it_had_and_grows_consistently() {
    let (gateway, machine) = gateway_and_machine().await;
    emit_many(&gateway, &machine, "c", 300).await;
    let first = checkpoint(&machine, json!({ "customerId": "c" })).await;
    assert_eq!(checkpoint(&machine, json!({ "customerId": "c" })).await, first);
    emit_many(&gateway, &machine, "c", 300).await;
    // Within one millisecond, ids have no order.
    gateway.clock.advance(std::time::Duration::from_secs(1));
    let second = checkpoint(&machine, json!({ "customerId": "c" })).await;
    assert_ne!(first["proofRoot"], second["proofRoot"]);
    let hash = |text: &str| switchyard::domain::merkle::parse_hash(text).unwrap();
    for (one, other) in [(&first, &second), (&second, &first)] {
        let path =
            format!("/balance/checkpoints/{}/consistency?with={}", text(one, "checkpointId"), text(other, "proofRoot"));
        let answer = machine.get(&path).await.expect_status(200).json()["data"].clone();
        let path: Vec<_> =
            answer["consistencyPath"].as_array().unwrap().iter().map(|node| hash(node.as_str().unwrap())).collect();
        let roots = (hash(text(&first, "proofRoot")), hash(text(&second, "proofRoot")));
        switchyard::domain::merkle::verify_consistency((300, &roots.0), (600, &roots.1), &path).unwrap();
    }
    let all = checkpoint(&machine, json!({})).await;
    let path = format!(
        "/balance/checkpoints/{}/consistency?with={}",
        text(&first, "checkpointId"),
        text(&all, "checkpointId")
    );
    machine.get(&path).await.expect_error(400, "ValidationError");
    let listed =
        machine.get("/balance/checkpoints?customerId=c&limit=1").await.expect_status(200).json()["data"].clone();
    assert_eq!(
        (&listed["checkpoints"][0]["checkpointId"], &listed["hasMore"]),
        (&second["checkpointId"], &json!(true))
    );
    // A balance goes on from a checkpoint.
    let after = format!("/balance/derive/c?startingBalance=7&startingCheckpoint={}", text(&first, "proofRoot"));
    assert_eq!(machine.number(&after, "deltasCount").await, "300");
}

#[actix_web::test]
async fn a_month_has_a_tree_of_its_own_that_its_end_closes() {
    let (gateway, machine) = gateway_and_machine().await;
    let month = |moment: switchyard::domain::time::Timestamp| moment.to_rfc3339()[..7].to_owned();
    let this_month = month(gateway.clock.now());
    emit_many(&gateway, &machine, "c", 4).await;
    let before = checkpoint(&machine, json!({ "customerId": "c", "period": this_month })).await;
    gateway.advance(std::time::Duration::from_secs(31 * 24 * 3600)).await;
    let next_month = month(gateway.clock.now());
    machine.get(&format!("/balance/receipt/c?period={next_month}")).await.expect_error(404, "NotFound");
    emit_many(&gateway, &machine, "c", 6).await;
    assert_eq!(checkpoint(&machine, json!({ "customerId": "c", "period": this_month })).await, before);
    let after = checkpoint(&machine, json!({ "customerId": "c", "timePreset": "current_month" })).await;
    assert_eq!((&after["deltasCount"], &after["period"]), (&json!(6), &json!(next_month)));
    let key = published_key(&gateway).await;
    let receipt = machine.get(&format!("/balance/receipt/c?period={next_month}")).await.expect_status(200);
    let findings = Document::parse(&receipt.text).unwrap().check(Some(&key));
    assert!(findings.verified, "{findings:?}");
    let data = &receipt.json()["data"];
    assert_eq!((&data["startingBalance"], &data["deltaCount"]), (&json!(1 + 2 + 4 + 5), &json!(6)));
    machine.post("/balance/checkpoint", &json!({ "period": "2099-01" })).await.expect_error(400, "ValidationError");
    machine.post("/balance/checkpoint", &json!({ "period": "2001-01" })).await.expect_error(404, "NotFound");
    machine.post("/balance/checkpoint", &json!({ "customerId": "nobody" })).await.expect_error(404, "NotFound");
}

#[actix_web::test]
async fn a_receipt_is_of_any_stretch_of_time() {
    let (gateway, machine) = gateway_and_machine().await;
    emit_many(&gateway, &machine, "c", 4).await;
    gateway.advance(std::time::Duration::from_secs(2 * 24 * 3600)).await;
    let noon = gateway.clock.now().to_rfc3339();
    emit_many(&gateway, &machine, "c", 6).await;
    let key = published_key(&gateway).await;
    for (dates, count) in [
        (format!("startDate=2020-01-01&endDate={noon}"), 4),
        (format!("timePreset=custom&startDate={noon}&endDate=2099-01-01"), 6),
    ] {
        let receipt = machine.get(&format!("/balance/receipt/c?{dates}")).await.expect_status(200);
        assert_eq!(receipt.json()["data"]["deltaCount"], count, "{dates}");
        let document = Document::parse(&receipt.text).unwrap();
        let findings = document.check(Some(&key));
        assert!(findings.verified, "{findings:?}");
        let Document::Receipt(mut moved) = document else { panic!() };
        moved.checkpoint.period = Some("2020-01-01T00:00:00.000Z~2020-01-02T00:00:00.000Z".to_owned());
        assert!(!Document::Receipt(moved).check(Some(&key)).verified, "a stretch that is not the note's is believed");
    }
    let of_all = machine.get(&format!("/balance/derive/c?startDate={noon}&endDate=2099-01-01")).await.json();
    assert_eq!(of_all["data"]["deltasCount"], 6);
}

#[actix_web::test]
async fn whoever_has_a_root_learns_when_it_was_recorded_and_no_more() {
    let (gateway, machine) = gateway_and_machine().await;
    emit_many(&gateway, &machine, "c", 3).await;
    let made = checkpoint(&machine, json!({ "customerId": "c" })).await;
    for root in [text(&made, "proofRoot").to_owned(), format!("0x{}", text(&made, "proofRoot"))] {
        let known = gateway.fetch(&format!("/api/v1/verify/{root}?source=both")).await.expect_status(200);
        let data = &known.json()["data"];
        assert_eq!((&data["verified"], &data["summary"]["recordCount"]), (&json!(true), &json!(3)));
        assert_eq!(data["summary"]["netChange"], made["netChange"]);
        assert!(!known.text.contains("ten_") && !known.text.contains("\"c\""), "{}", known.text);
    }
    for unknown in ["ab".repeat(32), "nonsense".to_owned()] {
        gateway.fetch(&format!("/api/v1/verify/{unknown}")).await.expect_error(404, "NotFound");
    }
}

#[actix_web::test]
async fn what_is_not_verified_has_no_proof_yet() {
    let (gateway, machine) = gateway_and_machine().await;
    let record_id = machine.emitted("c", "1").await;
    machine.get(&format!("/balance/delta/{record_id}/proof")).await.expect_error(409, "NotVerified");
    machine.post("/balance/checkpoint", &json!({})).await.expect_error(404, "NotFound");
    gateway.step().await;
    machine.get(&format!("/balance/delta/{record_id}/proof")).await.expect_status(200);
    let other = machine.emitted("d", "1").await;
    gateway.step().await;
    let of_d = checkpoint(&machine, json!({ "customerId": "d" })).await;
    let path = format!("/balance/delta/{record_id}/proof?checkpoint={}", text(&of_d, "checkpointId"));
    machine.get(&path).await.expect_error(404, "NotFound");
    machine.get(&format!("/balance/delta/{other}/proof")).await.expect_status(200);
}

#[actix_web::test]
async fn a_payments_delta_is_proven_to_somebody_who_has_only_the_receipt_and_the_key() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = crate::person::Person::registered(&gateway, "ann@example.com").await;
    let machine = Machine::of(&gateway, &ann, json!({})).await;
    let app = crate::tenant_apps::product_of(&gateway, &ann).await;
    assert_eq!(app.created(json!({})).await["mode"], Mode::Test.as_str());
    let payment = app.ended(&gateway, "succeed", json!({ "external_user_id": "buyer 1/ü" })).await;
    gateway.step().await;
    let customer = format!("{}%3AIDR%3Abuyer%201%2F%C3%BC", app.app_id);
    let receipt = machine.get(&format!("/balance/receipt/{customer}")).await.expect_status(200);
    let document = Document::parse(&receipt.text).unwrap();
    let key = published_key(&gateway).await;
    assert!(document.check(Some(&key)).verified, "{:?}", document.check(Some(&key)));
    let [Leaf { reference_id, delta, currency, .. }] = document.leaves() else { panic!("{receipt:?}") };
    assert_eq!(reference_id.as_deref(), payment["payment_id"].as_str());
    assert_eq!((delta.as_ref(), currency.as_deref()), ("50000", Some("IDR")));
}
