//! A payment's webhooks in every order, each twice, many at once: one outcome, and every event once. They are the
//! requests that the providers' simulators made for this very payment, kept back until all has happened.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::Value;

use crate::rails::{OnRail, Simulator};
use crate::simulators::paypal;
use crate::simulators::proxy::Mode as Fault;
use crate::support::{Delivered, Receiver, id_of};

/// Payments whose webhooks come at the same time.
const AT_ONCE: usize = 12;

/// Every order of five.
fn orders_of_five() -> Vec<[usize; 5]> {
    let mut orders = Vec::new();
    for number in 0..120 {
        let (mut left, mut rest): (Vec<usize>, usize) = ((0..5).collect(), number);
        let order = [5, 4, 3, 2, 1].map(|choices| {
            let chosen = left.remove(rest % choices);
            rest /= choices;
            chosen
        });
        orders.push(order);
    }
    orders
}

/// A payment and the five requests that its provider makes about it.
struct History {
    payment_id: String,
    webhooks: Vec<Delivered>,
}

/// What a history comes to, in whatever order it is told.
struct Outcome {
    status: &'static str,
    paid_minor: i64,
    refunded_minor: i64,
    /// In alphabetical order.
    events: &'static [&'static str],
    /// How often the provider charged.
    charges: i64,
}

/// A rail whose webhooks are kept back.
pub struct KeptBack {
    pub rail: OnRail,
    pub receiver: Receiver,
    provider: &'static str,
}

impl KeptBack {
    pub async fn start(name: &'static str) -> Self {
        let receiver = Receiver::start().await;
        let base = receiver.url.trim_end_matches("/hook").to_owned();
        let rail = OnRail::start_telling(name, Some(base)).await;
        Self { rail, receiver, provider: name.split(' ').next().unwrap() }
    }

    /// What has come since `from` requests had.
    pub async fn told_since(&self, from: usize) -> Vec<Delivered> {
        self.rail.simulator.settled().await;
        self.receiver.received().split_off(from)
    }

    /// Delivers a request as the provider made it; answers with the status.
    pub async fn deliver(&self, webhook: &Delivered) -> u16 {
        const OF_THE_CONNECTION: [&str; 5] = ["accept", "accept-encoding", "connection", "content-length", "host"];
        let url = self.rail.gateway.url(&format!("/webhooks/{}/sandbox", self.provider));
        let mut request = self.rail.product.client.post(url).body(webhook.body.clone());
        for (name, value) in webhook.headers.iter().filter(|(name, _)| !OF_THE_CONNECTION.contains(&name.as_str())) {
            request = request.header(name, value);
        }
        request.send().await.unwrap().status().as_u16()
    }

    /// Tells a history in `order`: each request twice, the second time together with the first or after all others. At
    /// some point in between the gateway does its work.
    async fn tell(&self, history: &History, order: [usize; 5], number: usize) {
        let told = order.map(|index| &history.webhooks[index]);
        let mut statuses = Vec::new();
        for (index, webhook) in told.into_iter().enumerate() {
            if index == number % 5 {
                self.rail.gateway.step().await;
            }
            match number % 3 {
                0 => statuses.extend(join_all([self.deliver(webhook), self.deliver(webhook)]).await),
                _ => statuses.push(self.deliver(webhook).await),
            }
        }
        match number % 3 {
            0 => {}
            1 => {
                for webhook in told {
                    statuses.push(self.deliver(webhook).await);
                }
            }
            _ => statuses.extend(join_all(told.map(|webhook| self.deliver(webhook))).await),
        }
        assert_eq!(statuses, [200; 10], "{order:?} of {}", history.payment_id);
    }

    /// Tells a history of each order, many at once.
    async fn tell_in_every_order(&self, histories: &[History]) {
        futures_util::stream::iter(histories.iter().zip(orders_of_five()).enumerate())
            .for_each_concurrent(AT_ONCE, |(number, (history, order))| self.tell(history, order, number))
            .await;
        self.rail.gateway.step().await;
        self.rail.gateway.advance(Duration::from_secs(60)).await;
    }

    async fn assert_each_came_to(&self, histories: &[History], outcome: &Outcome) {
        let database = &self.rail.gateway.database;
        for (history, order) in histories.iter().zip(orders_of_five()) {
            let payment_id = &history.payment_id;
            let payment = self.rail.product.payment(payment_id).await;
            let case = format!("{order:?}: {payment}");
            assert_eq!(payment["status"], outcome.status, "{case}");
            assert_eq!(payment["paid_minor"], outcome.paid_minor, "{case}");
            assert_eq!(payment["refunded_minor"], outcome.refunded_minor, "{case}");
            assert_eq!(self.rail.product.event_names(payment_id).await, outcome.events, "{case}");
            let receipts = format!("SELECT COUNT(*) FROM receipts WHERE payment_id = '{payment_id}'");
            assert_eq!(database.number(&receipts), outcome.charges, "{case}");
        }
        let charges = i64::try_from(histories.len()).unwrap() * outcome.charges;
        assert_eq!(i64::from(self.rail.simulator.charges()), charges);
        let waiting = "SELECT COUNT(*) FROM inbox WHERE due_at IS NOT NULL OR verdict IN ('kept', 'quarantined')";
        assert_eq!(database.number(waiting), 0, "webhooks that are not dealt with");
    }
}

/// The requests of these kinds, one of each, in this order; a kind that is named twice is wanted twice.
fn of_kinds(told: &[Delivered], field: &str, kinds: [&str; 5]) -> Vec<Delivered> {
    let mut left = told.to_vec();
    kinds
        .into_iter()
        .map(|kind| {
            let index = left.iter().position(|webhook| webhook.json()[field] == kind);
            left.remove(index.unwrap_or_else(|| panic!("{kind} was not told")))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn polars_webhooks_lead_to_one_outcome_in_every_order() {
    let kept = KeptBack::start("polar").await;
    let Simulator::Polar(polar) = &kept.rail.simulator else { unreachable!() };
    let mut histories = Vec::new();
    for number in 0..120 {
        let payment_id = id_of(&kept.rail.create(None, &format!("{number}")).await.expect_status(201).json());
        let from = kept.receiver.received().len();
        polar.pay(&payment_id);
        polar.refund_unasked(&payment_id, 900, "customer_request");
        let told = kept.told_since(from).await;
        let kinds = ["order.created", "order.paid", "refund.created", "refund.updated", "order.refunded"];
        histories.push(History { payment_id, webhooks: of_kinds(&told, "type", kinds) });
    }
    kept.tell_in_every_order(&histories).await;
    let events = &["payment.succeeded", "refund.succeeded"];
    let outcome = Outcome { status: "succeeded", paid_minor: 2900, refunded_minor: 900, events, charges: 1 };
    kept.assert_each_came_to(&histories, &outcome).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn paypals_webhooks_lead_to_one_outcome_in_every_order() {
    let kept = KeptBack::start("paypal").await;
    let Simulator::Paypal(paypal) = &kept.rail.simulator else { unreachable!() };
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let mut histories = Vec::new();
    for number in 0..120 {
        let payment_id = id_of(&kept.rail.create(None, &format!("{number}")).await.expect_status(201).json());
        let from = kept.receiver.received().len();
        paypal.approve(&payment_id);
        paypal.fault_next(paypal::Fault::PendingCapture);
        let back = kept.rail.gateway.url(&format!("/return/{payment_id}"));
        assert_eq!(client.get(back).send().await.unwrap().status(), 303);
        paypal.complete(&payment_id);
        paypal.refund_part_by_hand(&payment_id, 900);
        paypal.refund_by_hand(&payment_id);
        let told = kept.told_since(from).await;
        let kinds = [
            "CHECKOUT.ORDER.APPROVED",
            "PAYMENT.CAPTURE.PENDING",
            "PAYMENT.CAPTURE.COMPLETED",
            "PAYMENT.CAPTURE.REFUNDED",
            "PAYMENT.CAPTURE.REFUNDED",
        ];
        histories.push(History { payment_id, webhooks: of_kinds(&told, "event_type", kinds) });
    }
    kept.tell_in_every_order(&histories).await;
    let events = &["payment.succeeded", "refund.succeeded", "refund.succeeded"];
    let outcome = Outcome { status: "succeeded", paid_minor: 2900, refunded_minor: 2900, events, charges: 1 };
    kept.assert_each_came_to(&histories, &outcome).await;
}

/// NICEPAY tells of money that came and of money that a bank took back, no more. It has most to tell of a payment that
/// was registered twice, as the first answer was lost: both are paid, both are taken back, and it says one thing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nicepays_notifications_lead_to_one_outcome_in_every_order() {
    let kept = KeptBack::start("nicepay va").await;
    let Simulator::Nicepay(nicepay, _) = &kept.rail.simulator else { unreachable!() };
    let mut histories = Vec::new();
    for number in 0..120 {
        kept.rail.proxy.set_for_next(1, Fault::ResetAfter);
        let payment_id = id_of(&kept.rail.create(None, &format!("{number}")).await.expect_status(202).json());
        kept.rail.gateway.advance(Duration::from_secs(2)).await;
        let payment = kept.rail.product.payment(&payment_id).await;
        assert_eq!(payment["last_error"], "", "it was registered anew");
        let references = [1, 2].map(|attempt| format!("{payment_id}-{attempt}"));
        let from = kept.receiver.received().len();
        references.iter().for_each(|reference| nicepay.pay(reference));
        references.iter().for_each(|reference| nicepay.reverse(reference));
        nicepay.notify(&references[0]);
        histories.push(History { payment_id, webhooks: kept.told_since(from).await });
        assert_eq!(histories[number].webhooks.len(), 5);
    }
    kept.tell_in_every_order(&histories).await;
    let events = &["payment.paid_after_close", "payment.reversed", "payment.reversed", "payment.succeeded"];
    let outcome = Outcome { status: "succeeded", paid_minor: 5800, refunded_minor: 0, events, charges: 2 };
    kept.assert_each_came_to(&histories, &outcome).await;
}

/// PayPal's buyer may approve after the product has canceled. Asking about such an order must not take the money.
#[tokio::test]
async fn an_order_that_is_approved_after_its_payment_was_canceled_is_not_captured() {
    let rail = OnRail::start("paypal").await;
    let payment_id = id_of(&rail.create(None, "regretted").await.expect_status(201).json());
    let path = format!("/v1/payments/{payment_id}/cancel");
    let canceled: Value = rail.product.request("POST", &path, b"", None).await.expect_status(200).json();
    assert_eq!(canceled["status"], "canceled");
    rail.simulator.pay(&payment_id).await;
    rail.gateway.step().await;
    rail.pass(60).await;
    assert_eq!(rail.simulator.charges(), 0);
    let payment = rail.product.payment(&payment_id).await;
    assert_eq!((&payment["status"], &payment["paid_minor"]), (&"canceled".into(), &0.into()));
    assert_eq!(rail.product.event_names(&payment_id).await, ["payment.canceled"]);
}
