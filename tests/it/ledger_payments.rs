//! What moved with payments and what the ledger says of it come to the same, for each app, currency and buyer.

use std::time::Duration;

use serde_json::{Value, json};

use crate::ledger_audit::assert_intact;
use crate::rails::{OnRail, Simulator};
use crate::support::{Product, TestDatabase, TestGateway, id_of};

/// Asserts that each buyer's account has what was received of him, less what was given or taken back; says how many there
/// are. Nothing here has a currency whose minor unit is not a hundredth or a whole.
pub fn assert_books_agree(database: &TestDatabase) -> i64 {
    let moved = "SELECT p.app_id || ':' || p.currency || ':' || p.external_user_id AS account,
                   SUM((SELECT COALESCE(SUM(r.amount_minor), 0) FROM receipts r WHERE r.payment_id = p.payment_id)
                     - (SELECT COALESCE(SUM(f.amount_minor), 0) FROM refunds f
                        WHERE f.payment_id = p.payment_id AND f.status = 'succeeded')
                     - (SELECT COALESCE(SUM(v.amount_minor), 0) FROM reversals v WHERE v.payment_id = p.payment_id))
                   * MAX(CASE p.currency WHEN 'IDR' THEN 1000000 ELSE 10000 END) AS millionths
                 FROM payments p WHERE EXISTS (SELECT 1 FROM receipts r WHERE r.payment_id = p.payment_id)
                 GROUP BY p.app_id, p.currency, p.external_user_id";
    let apart = format!(
        "SELECT m.account || ' moved ' || m.millionths || ', booked ' || COALESCE(c.balance, 'nothing') AS text
         FROM ({moved}) m LEFT JOIN ledger_customers c ON c.customer_id = m.account
         WHERE c.balance IS NULL OR CAST(c.balance AS BIGINT) <> m.millionths"
    );
    assert_eq!(database.texts(&apart), [""; 0]);
    let accounts = database.number(&format!("SELECT COUNT(*) FROM ({moved}) m"));
    let booked = "SELECT COUNT(*) FROM ledger_customers WHERE currency IS NOT NULL";
    assert_eq!(database.number(booked), accounts, "no account without a payment");
    let sums = "SELECT (SELECT SUM(paid_minor - refunded_minor) FROM payments)
                - (SELECT SUM(amount_minor) FROM receipts)
                + (SELECT COALESCE(SUM(amount_minor), 0) FROM refunds WHERE status = 'succeeded')";
    assert_eq!(database.number(sums), 0, "payments say what their receipts and refunds say");
    accounts
}

async fn refund(gateway: &TestGateway, product: &Product, payment: &Value, amount_minor: i64) -> Value {
    gateway.clock.advance(Duration::from_secs(1));
    let body = json!({ "payment_id": payment["payment_id"], "amount_minor": amount_minor });
    product.post("/v1/refunds", &body).await.expect_status(201).json()
}

#[actix_web::test]
async fn the_mocks_payments_and_refunds_are_booked_to_the_unit() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    for (buyer, amount_minor) in [("one", 50_000), ("two", 70_000), ("one", 30_000)] {
        let order = json!({ "external_user_id": buyer, "amount_minor": amount_minor });
        let payment = product.ended(&gateway, "succeed", order).await;
        refund(&gateway, &product, &payment, 10_000).await;
        gateway.step().await;
        refund(&gateway, &product, &payment, amount_minor - 10_000).await;
        gateway.step().await;
    }
    let order = json!({ "external_user_id": "two", "amount_minor": 60_000 });
    let kept = product.ended(&gateway, "succeed", order).await;
    // Two requests for more than there is: the second is refused, and nothing is booked of it.
    refund(&gateway, &product, &kept, 40_000).await;
    gateway.clock.advance(Duration::from_secs(1));
    let body = json!({ "payment_id": kept["payment_id"], "amount_minor": 40_000 });
    assert!(product.post("/v1/refunds", &body).await.status >= 400);
    product.ended(&gateway, "fail", json!({ "external_user_id": "three" })).await;
    // One is found to be paid when the product wants to cancel it, before its webhook comes.
    let late = json!({ "external_user_id": "four", "mock": { "webhook": "late" } });
    let late = id_of(&product.created(late).await);
    gateway.act_at_checkout(&late, "succeed").await;
    product.request("POST", &format!("/v1/payments/{late}/cancel"), b"", None).await;
    gateway.advance(Duration::from_secs(60)).await;
    assert_eq!(product.payment(&late).await["paid_minor"], 50_000, "it is booked once");
    assert_eq!(assert_books_agree(&gateway.database), 3);
    assert_intact(&gateway.server.gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refunds_by_api_by_hand_and_failed_ones_of_a_rail_are_booked_to_the_unit() {
    let rail = OnRail::start("paypal").await;
    let Simulator::Paypal(paypal) = &rail.simulator else { unreachable!() };
    let partly = id_of(&rail.paid().await);
    rail.gateway.clock.advance(Duration::from_secs(1));
    rail.refund(&partly, Some(900), None).await;
    rail.pass(10).await;
    paypal.refund_part_by_hand(&partly, 500);
    rail.simulator.settled().await;
    rail.pass(10).await;
    assert_eq!(rail.product.payment(&partly).await["refunded_minor"], 1400);
    rail.gateway.clock.advance(Duration::from_secs(1));
    let whole = id_of(&rail.paid().await);
    rail.simulator.refuse_next();
    rail.refund(&whole, None, None).await;
    rail.pass(10).await;
    assert_eq!(rail.product.payment(&whole).await["refunded_minor"], 0, "the refusal moved nothing");
    assert_eq!(assert_books_agree(&rail.gateway.database), 1);
    paypal.refund_by_hand(&whole);
    rail.simulator.settled().await;
    rail.pass(10).await;
    assert_eq!(assert_books_agree(&rail.gateway.database), 1);
    assert_intact(&rail.gateway.server.gateway).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_transfer_that_the_bank_takes_back_leaves_the_account_as_it_was() {
    let rail = OnRail::start("nicepay va").await;
    let Simulator::Nicepay(nicepay, _) = &rail.simulator else { unreachable!() };
    rail.paid().await;
    rail.gateway.clock.advance(Duration::from_secs(1));
    let before = assert_books_agree(&rail.gateway.database);
    let taken_back = id_of(&rail.paid().await);
    nicepay.reverse(&format!("{taken_back}-1"));
    rail.simulator.settled().await;
    rail.pass(60).await;
    assert_eq!(rail.gateway.database.number("SELECT COUNT(*) FROM reversals"), 1);
    assert_eq!(assert_books_agree(&rail.gateway.database), before);
    assert_intact(&rail.gateway.server.gateway).await;
}
