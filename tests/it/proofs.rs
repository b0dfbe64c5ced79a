//! Proofs and receipts checked by who has only them and the published key: as values, and on the command line.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use switchyard::domain::leaves::Leaf;
use switchyard::domain::merkle::{Frontier, Hash};
use switchyard::domain::mode::Mode;
use switchyard::domain::notes::{CheckpointText, Signer, VerifierKey, origin};
use switchyard::domain::proofs::{Document, Findings, Outcome};

const KEY_NAME: &str = "switchyard.example";
const CUSTOMER: &str = "app_1:IDR:u_1";

fn signer() -> Signer {
    Signer::from_seed(KEY_NAME, &[42; 32]).unwrap()
}

pub fn published_key() -> VerifierKey {
    signer().verifier_key().clone()
}

/// The leaves of one customer's deltas, every one directly after the one before it but for a gap in the middle.
fn leaves(count: u64) -> Vec<Leaf<'static>> {
    let mut leaves: Vec<Leaf<'static>> = Vec::new();
    for number in 1..=count {
        let is_after_gap = number == count / 2 + 1 && count > 2;
        let before: Option<Hash> = leaves.last().map(Leaf::hash);
        leaves.push(Leaf {
            currency: Some("IDR".into()),
            customer_id: CUSTOMER.into(),
            delta: format!("{number}.5").into(),
            mode: Mode::Sandbox,
            previous_proof_hash: if is_after_gap { Some([9; 32]) } else { before },
            reason: "Payment \"received\"\n€".into(),
            record_id: format!("rec_{number}").into(),
            reference_id: None,
            salt: [u8::try_from(number % 256).unwrap(); 16],
            sequence_number: if number > count / 2 && count > 2 { number + 10 } else { number },
            tenant_id: "ten_1".into(),
            verified_at: format!("2026-10-{:02}T09:30:00.000Z", 1 + number % 28).into(),
        });
    }
    leaves
}

fn signed(leaves: &[Leaf<'_>], origin: &str) -> Value {
    let mut tree = Frontier::new();
    leaves.iter().for_each(|leaf| tree.push(leaf.hash()));
    let text = CheckpointText { origin: origin.to_owned(), size: tree.size(), root: tree.root() };
    json!({
        "checkpointId": "chk_1", "customerId": CUSTOMER, "period": "2026-10", "treeSize": tree.size(),
        "proofRoot": hex::encode(tree.root()), "note": signer().sign(&text.to_string()).unwrap(),
    })
}

fn right_origin() -> String {
    origin(KEY_NAME, "ten_1", Mode::Sandbox, Some(CUSTOMER), Some("2026-10"))
}

/// A receipt of so many deltas as the server answers it, without the envelope.
pub fn receipt(count: u64) -> Value {
    let leaves = leaves(count);
    let checkpoint = signed(&leaves, &right_origin());
    // Halves make whole numbers: n(n + 1)/2 + n/2.
    let net_change: Value = serde_json::from_str(&format!("{}.{}", count * (count + 2) / 2, count * 5 % 10)).unwrap();
    json!({
        "proofRoot": checkpoint["proofRoot"], "checkpoint": checkpoint, "leaves": leaves, "netChange": net_change,
        "deltasCount": count,
    })
}

/// The proof of one delta of a receipt.
pub fn proof(receipt: &Value, record: &str) -> Value {
    let Document::Receipt(receipt) = Document::parse(&receipt.to_string()).unwrap() else { panic!("no receipt") };
    serde_json::to_value(receipt.prove(record).unwrap()).unwrap()
}

fn check(document: &Value) -> Findings {
    Document::parse(&document.to_string()).unwrap().check(Some(&published_key()))
}

/// The names of the checks that failed.
fn failed(document: &Value) -> Vec<&'static str> {
    let findings = check(document);
    let failed = findings.checks.iter().filter(|check| check.outcome != Outcome::Passed);
    let names: Vec<_> = failed.map(|check| check.name).collect();
    assert_eq!(names.is_empty(), findings.verified);
    names
}

#[test]
fn every_delta_of_a_receipt_proves() {
    for count in [1, 2, 3, 8, 21, 300] {
        let receipt = receipt(count);
        assert_eq!(failed(&receipt), [""; 0], "{:?}", check(&receipt));
        for number in [1, count / 2 + 1, count] {
            let proof = proof(&receipt, &format!("rec_{number}"));
            assert_eq!(failed(&proof), [""; 0], "{number} of {count}");
            let enveloped = json!({ "success": true, "statusCode": 200, "data": proof });
            assert_eq!(failed(&enveloped), [""; 0]);
        }
    }
}

#[test]
fn hashes_may_have_the_prefix_that_some_clients_put_before_them() {
    let mut proof = proof(&receipt(5), "rec_2");
    for field in ["proofRoot", "leafHash"] {
        proof[field] = format!("0x{}", proof[field].as_str().unwrap()).into();
    }
    proof["auditPath"][0] = format!("0x{}", proof["auditPath"][0].as_str().unwrap()).into();
    proof["checkpoint"]["proofRoot"] = proof["proofRoot"].clone();
    assert_eq!(failed(&proof), [""; 0]);
}

#[test]
fn whatever_is_changed_in_a_proof_is_named() {
    let good = proof(&receipt(21), "rec_5");
    let other_hash = json!("00".repeat(32));
    for (pointer, value, names) in [
        ("/leaf/delta", json!("5.500001"), &["leaf", "inclusion"][..]),
        ("/leaf/reason", json!("Another"), &["leaf", "inclusion"]),
        ("/leaf/salt", json!("00".repeat(16)), &["leaf", "inclusion"]),
        ("/leaf/tenantId", json!("ten_2"), &["leaf", "inclusion", "origin"]),
        ("/leaf/mode", json!("live"), &["leaf", "inclusion", "origin"]),
        ("/leaf/customerId", json!("app_1:IDR:u_2"), &["leaf", "inclusion", "origin"]),
        ("/leaf/verifiedAt", json!("2026-11-01T00:00:00.000Z"), &["leaf", "inclusion", "origin"]),
        ("/leafHash", other_hash.clone(), &["leaf"]),
        ("/recordId", json!("rec_6"), &["leaf"]),
        ("/leafIndex", json!(5), &["inclusion"]),
        ("/leafIndex", json!(u64::MAX), &["inclusion"]),
        ("/treeSize", json!(22), &["checkpoint"]),
        ("/treeSize", json!(0), &["inclusion", "checkpoint"]),
        ("/auditPath/2", other_hash.clone(), &["inclusion"]),
        ("/proofRoot", other_hash.clone(), &["inclusion", "checkpoint"]),
        ("/checkpoint/proofRoot", other_hash, &["checkpoint"]),
        ("/checkpoint/treeSize", json!(20), &["checkpoint"]),
        ("/checkpoint/customerId", json!("app_1:IDR:u_2"), &["origin"]),
        ("/checkpoint/customerId", json!(null), &["origin"]),
        ("/checkpoint/period", json!("2026-09"), &["origin"]),
        ("/checkpoint/period", json!("2026-1"), &["origin"]),
        ("/checkpoint/period", json!(null), &["origin"]),
        ("/checkpoint/note", json!("nothing"), &["checkpoint", "origin", "signature"]),
    ] {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value.clone();
        assert_eq!(failed(&changed), names, "{pointer} = {value}");
    }
}

#[test]
fn a_checkpoint_of_another_tree_or_another_key_proves_nothing() {
    let leaves = leaves(5);
    let receipt = receipt(5);
    for (tenant, mode, customer, period) in [
        ("ten_2", Mode::Sandbox, Some(CUSTOMER), Some("2026-10")),
        ("ten_1", Mode::Live, Some(CUSTOMER), Some("2026-10")),
        ("ten_1", Mode::Sandbox, Some("app_1:IDR:u_2"), Some("2026-10")),
        ("ten_1", Mode::Sandbox, Some(CUSTOMER), Some("2026-11")),
        ("ten_1", Mode::Sandbox, None, Some("2026-10")),
        ("ten_1", Mode::Sandbox, Some(CUSTOMER), None),
    ] {
        let mut other = receipt.clone();
        other["checkpoint"] = signed(&leaves, &origin(KEY_NAME, tenant, mode, customer, period));
        assert_eq!(failed(&other), ["origin"]);
        assert_eq!(failed(&proof(&other, "rec_3")), ["origin"]);
    }
    let document = Document::parse(&receipt.to_string()).unwrap();
    let other = Signer::from_seed(KEY_NAME, &[1; 32]).unwrap();
    let findings = document.check(Some(other.verifier_key()));
    let bad = findings.checks.iter().find(|check| check.outcome == Outcome::Failed).unwrap();
    assert_eq!(bad.name, "signature");
    assert!(bad.sentence.contains(&other.verifier_key().short()), "{}", bad.sentence);
    let unsigned = document.check(None);
    assert!(!unsigned.verified);
    assert!(unsigned.checks.iter().any(|check| check.outcome == Outcome::NotChecked && check.name == "signature"));
}

#[test]
fn whatever_is_changed_in_a_receipt_is_named() {
    let good = receipt(9);
    let changed = |change: &dyn Fn(&mut Value)| {
        let mut receipt = good.clone();
        change(&mut receipt);
        failed(&receipt)
    };
    assert_eq!(changed(&|receipt| receipt["netChange"] = json!(1)), ["sum"]);
    assert_eq!(changed(&|receipt| receipt["leaves"][3]["delta"] = json!("4.6")), ["root", "sum"]);
    assert_eq!(changed(&|receipt| receipt["leaves"][1]["delta"] = json!("2.6")), ["root", "chain", "sum"]);
    let drop_last = |receipt: &mut Value| drop(receipt["leaves"].as_array_mut().unwrap().pop());
    assert_eq!(changed(&drop_last), ["root", "sum", "checkpoint"]);
    let swap = |receipt: &mut Value| receipt["leaves"].as_array_mut().unwrap().swap(1, 2);
    assert_eq!(changed(&swap), ["root", "chain"]);
    let empty = |receipt: &mut Value| receipt["leaves"] = json!([]);
    assert_eq!(changed(&empty), ["root", "sum", "checkpoint", "origin"]);
    let unchained = |receipt: &mut Value| receipt["leaves"][1]["previousProofHash"] = json!(null);
    assert_eq!(changed(&unchained), ["root", "chain"]);
    assert_eq!(changed(&|receipt| drop(receipt.as_object_mut().unwrap().remove("netChange"))), [""; 0]);
}

#[test]
fn what_is_neither_a_proof_nor_a_receipt_is_refused_in_a_sentence() {
    let mut without_path = proof(&receipt(3), "rec_1");
    without_path.as_object_mut().unwrap().remove("auditPath");
    for (json, complaint) in [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{}", "neither"),
        (r#"{"success":false,"data":null}"#, "neither"),
        (r#"{"leaf":[]}"#, "a leaf is not an object"),
        (r#"{"leaves":[{},[]]}"#, "a leaf is not an object"),
        (r#"{"leaves":{}}"#, "leaves is not a list"),
        (r#"{"data":{"leaves":[]}}"#, "this is not a receipt: missing field"),
        (without_path.to_string().as_str(), "this is not a delta's proof: missing field `auditPath`"),
    ] {
        let refused = Document::parse(json).unwrap_err();
        assert!(refused.contains(complaint), "{json}: {refused}");
    }
}

/// Runs `switchyard balances` in a directory without settings, with a text on its standard input.
fn balances(arguments: &[&str], input: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchyard"));
    command.arg("balances").args(arguments).current_dir(std::env::temp_dir());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Who is refused for its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

#[test]
fn the_command_line_checks_a_proof_with_nothing_but_the_key() {
    let key = published_key().to_string();
    let receipt = receipt(5).to_string();
    let checked = balances(&["check-proof", "-", "--key", &key], &receipt);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(0), "{said}");
    assert!(said.contains("signature   ok") && said.ends_with("Verified.\n"), "{said}");

    let made = balances(&["prove", "-", "--record", "rec_4"], &receipt);
    let proof = String::from_utf8(made.stdout).unwrap();
    assert_eq!(made.status.code(), Some(0));
    let checked = balances(&["check-proof", "-", "--key", &key, "--json"], &proof);
    let said: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert_eq!((checked.status.code(), &said["verified"]), (Some(0), &json!(true)), "{said}");
    assert_eq!(said["checks"][0]["name"], "leaf");

    let changed = proof.replace(r#""delta": "4.5""#, r#""delta": "4.4""#);
    let checked = balances(&["check-proof", "-", "--key", &key], &changed);
    let said = String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(1));
    assert!(said.contains("inclusion   FAILED") && !said.contains("Verified."), "{said}");
    assert_eq!(checked.stderr, b"error: standard input is not verified\n");
}

#[test]
fn the_command_line_says_what_is_wrong_with_what_it_was_given() {
    let key = published_key().to_string();
    let receipt = receipt(5).to_string();
    for (arguments, code, complaint) in [
        (&["check-proof", "-"][..], 2, "--key"),
        (&["check-proof", "-", "--key", "rubbish"], 2, "not of the form name+8 hexadecimal digits+base64"),
        (&["check-proof", "/nowhere/proof.json", "--key", &key], 1, "cannot read /nowhere/proof.json"),
        (&["prove", "-", "--record", "rec_9"], 1, "the receipt has no delta rec_9"),
        (&["prove", "-"], 2, "--record"),
    ] {
        let refused = balances(arguments, &receipt);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}: {said}");
        assert!(said.contains(complaint), "{arguments:?}: {said}");
    }
    let refused = balances(&["check-proof", "-", "--key", &key], "{}");
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(1) && said.contains("hint: save the server's answer"), "{said}");
    let proof = proof(&serde_json::from_str(&receipt).unwrap(), "rec_1").to_string();
    assert_eq!(balances(&["prove", "-", "--record", "rec_1"], &proof).status.code(), Some(1));
}
