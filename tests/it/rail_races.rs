//! The same thing asked for by many at once, and one payment's end told by several at once: it is done once.

use futures_util::future::join_all;

use crate::rails::{OnRail, REFUNDING};
use crate::simulators::proxy::Mode as Fault;
use crate::support::id_of;

const CLIENTS: usize = 64;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_clients_with_one_key_start_one_payment_at_the_provider() {
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        // The call takes long enough for all to come meanwhile.
        rail.proxy.set(Fault::Delay(std::time::Duration::from_millis(150))).await;
        let answers = join_all((0..CLIENTS).map(|_| rail.create(Some("one key"), "one order"))).await;
        rail.proxy.set(Fault::Pass).await;
        let (made, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(|answer| answer.status == 201);
        assert!(!made.is_empty(), "{provider}");
        for answer in &made {
            assert_eq!(answer.text, made[0].text, "{provider}: all get the same answer, byte for byte");
        }
        for answer in refused {
            assert!(answer.header("retry-after").is_some(), "{provider}");
            answer.expect_error(409, "IdempotencyInProgress");
        }
        assert_eq!(rail.simulator.begun(), 1, "{provider}");
        assert_eq!(rail.gateway.count("payments"), 1, "{provider}");
        let later = rail.create(Some("one key"), "one order").await.expect_status(201);
        assert_eq!((later.header("idempotent-replayed"), &later.text), (Some("true"), &made[0].text), "{provider}");
        rail.simulator.pay(&id_of(&later.json())).await;
        rail.gateway.step().await;
        assert_eq!(rail.simulator.charges(), 1, "{provider}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webhook_poller_and_returning_buyer_settle_a_payment_once_between_them() {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    for provider in REFUNDING {
        let rail = OnRail::start(provider).await;
        for round in 1..=20 {
            let case = format!("{provider}, round {round}");
            let payment_id = id_of(&rail.create(None, &case).await.expect_status(201).json());
            // The poller is to ask about it too.
            rail.gateway.database.execute("UPDATE payments SET poll_at = 0 WHERE status = 'initiated'").unwrap();
            let back = rail.gateway.url(&format!("/return/{payment_id}"));
            let come_back = || async { assert_eq!(client.get(&back).send().await.unwrap().status(), 303) };
            tokio::join!(
                rail.simulator.pay(&payment_id),
                come_back(),
                rail.gateway.step(),
                come_back(),
                rail.gateway.step(),
                come_back(),
            );
            rail.gateway.step().await;
            let payment = rail.product.payment(&payment_id).await;
            assert_eq!((&payment["status"], &payment["paid_minor"]), (&"succeeded".into(), &2900.into()), "{case}");
            assert_eq!(rail.product.event_names(&payment_id).await, ["payment.succeeded"], "{case}");
            let receipts = format!("SELECT COUNT(*) FROM receipts WHERE payment_id = '{payment_id}'");
            assert_eq!(rail.gateway.database.number(&receipts), 1, "{case}");
            assert_eq!(rail.simulator.charges(), round, "{case}");
        }
    }
}
