//! What a person sees and does across the apps of his tenant: never another's, once for each click, in the audit log; and
//! the totals by day, which are what a recount of the payments is.

use std::time::Duration;

use serde_json::json;
use switchyard::domain::accounts::Role;
use switchyard::domain::ids::{AppId, TenantId};
use switchyard::domain::metadata::Pair;
use switchyard::domain::mode::Mode;
use switchyard::domain::money::Currency;
use switchyard::domain::payments::PaymentStatus;
use switchyard::domain::subscriptions::SubscriptionStatus;
use switchyard::domain::time::Timestamp;
use switchyard::error::Code;
use switchyard::gateway::{PaymentQuery, Scope, Who};
use switchyard::store::payments::Filter;
use switchyard::store::{Target, across, payment_days};

use crate::person::Person;
use crate::query_plans::assert_is_looked_up;
use crate::store::used_gateway;
use crate::support::{Product, Receiver, Reply, TestDatabase, TestGateway, eventually, id_of};

/// Who has signed in as `person`.
pub async fn scope_of(gateway: &TestGateway, person: &Person) -> Scope {
    gateway.server.gateway.member_of_token(&person.token, Some("203.0.113.7".to_owned())).await.unwrap()
}

/// Makes an app the tenant's.
pub async fn give_app(gateway: &TestGateway, product: &Product, tenant_id: &TenantId) {
    let sql = format!("UPDATE apps SET tenant_id = '{tenant_id}' WHERE app_id = '{}'", product.app_id);
    assert_eq!(gateway.database.execute(&sql), Ok(1));
    gateway.database.execute("UPDATE counters SET value = value + 1 WHERE name = 'directory'").unwrap();
    gateway.server.gateway.refresh_directory().await.unwrap();
}

/// As a viewer.
fn only_looking(scope: &Scope) -> Scope {
    let mut scope = scope.clone();
    if let Who::Member(member) = &mut scope.who {
        member.role = Role::Viewer;
    }
    scope
}

const TOTALS: &str = "SELECT app_id || ' ' || day || ' ' || method || ' ' || currency || ' ' || SUM(created) || ' ' ||
    SUM(succeeded) || ' ' || SUM(failed) || ' ' || SUM(canceled) || ' ' || SUM(succeeded_minor) AS text
    FROM payment_days GROUP BY app_id, day, method, currency ORDER BY 1";

const RECOUNT: &str = "SELECT app_id || ' ' || (created_at / 86400000000) || ' ' || method || ' ' || currency || ' ' ||
    COUNT(*) || ' ' || SUM(CASE WHEN status = 'succeeded' THEN 1 ELSE 0 END) || ' ' ||
    SUM(CASE WHEN status = 'failed' THEN 1 ELSE 0 END) || ' ' || SUM(CASE WHEN status = 'canceled' THEN 1 ELSE 0 END) ||
    ' ' || SUM(CASE WHEN status = 'succeeded' THEN amount_minor ELSE 0 END) AS text
    FROM payments GROUP BY app_id, created_at / 86400000000, method, currency ORDER BY 1";

#[track_caller]
fn assert_totals_are_what_a_recount_is(database: &TestDatabase) {
    let totals = database.texts(TOTALS);
    assert!(!totals.is_empty());
    assert_eq!(totals, database.texts(RECOUNT));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_totals_by_day_are_a_recount_of_the_payments_after_any_history() {
    let gateway = TestGateway::spawn().await;
    let products = [gateway.product(Mode::Test).await, gateway.product(Mode::Test).await];
    let mut seed = u64::from(std::process::id());
    let mut random = move |below: usize| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(seed >> 33).unwrap() % below
    };
    let mut histories = Vec::new();
    for _ in 0..150 {
        let (method, currency) = [("va_bca", "IDR"), ("qris", "IDR"), ("paypal", "USD"), ("card", "EUR")][random(4)];
        let start = ["ok", "ok", "ok", "ok", "refuse", "timeout_but_charged"][random(6)];
        let outcome = ["none", "none", "succeed", "fail", "cancel"][random(5)];
        let body = json!({ "method": method, "currency": currency, "amount_minor": 100 + random(100_000),
                           "mock": { "start": start, "outcome": outcome, "webhook": "duplicate" } });
        let act = ["succeed", "fail", "cancel", "", "api"][random(5)];
        histories.push((products[random(2)].clone(), body, act));
    }
    let lived = histories.into_iter().map(|(product, body, act)| {
        let gateway = &gateway;
        async move {
            let answer = product.create(body).await;
            let Some(payment_id) = answer.json()["payment_id"].as_str().map(str::to_owned) else { return };
            match act {
                "" => {}
                "api" => drop(product.post(&format!("/v1/payments/{payment_id}/cancel"), &json!({})).await),
                act => drop(gateway.act_at_checkout(&payment_id, act).await),
            }
        }
    });
    futures_util::future::join_all(lived).await;
    let unsettled = "SELECT COUNT(*) FROM mock_jobs";
    eventually("the mock has done all that it was told", || async { gateway.database.number(unsettled) == 0 }).await;
    gateway.step().await;
    assert!(gateway.database.number("SELECT COUNT(*) FROM payments WHERE status = 'succeeded'") > 10);
    assert!(gateway.database.number("SELECT COUNT(*) FROM payments WHERE status = 'failed'") > 10);
    assert!(gateway.database.number("SELECT COUNT(*) FROM payments WHERE status = 'canceled'") > 5);
    assert_totals_are_what_a_recount_is(&gateway.database);
}

#[tokio::test]
async fn a_payment_counts_on_the_day_that_it_was_made_however_late_it_is_paid() {
    let gateway = TestGateway::spawn_stepped().await;
    let product = gateway.product(Mode::Test).await;
    let first = product.created(json!({})).await;
    gateway.clock.advance(Duration::from_secs(20 * 3600));
    let second = product.created(json!({})).await;
    gateway.act_at_checkout(&id_of(&first), "succeed").await;
    gateway.clock.advance(Duration::from_secs(2 * 86_400));
    gateway.step().await;
    assert_eq!(product.payment(&id_of(&second)).await["status"], "canceled");
    assert_totals_are_what_a_recount_is(&gateway.database);
    // What the migration fills in from payments that are there is the same.
    let directory = if matches!(gateway.database.target, Target::Sqlite(_)) { "sqlite" } else { "postgres" };
    let path = format!("{}/migrations/{directory}/2026-11-21-000007_console/up.sql", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let insert = text.split(';').find(|statement| statement.contains("INSERT INTO payment_days")).unwrap();
    gateway.database.execute("DELETE FROM payment_days").unwrap();
    gateway.database.execute(insert).unwrap();
    assert_totals_are_what_a_recount_is(&gateway.database);
}

#[tokio::test]
async fn a_tenant_sees_its_own_apps_in_its_own_mode_and_nothing_else() {
    let gateway = TestGateway::spawn().await;
    let ours = Person::registered(&gateway, "ours@example.com").await;
    let theirs = Person::registered(&gateway, "theirs@example.com").await;
    let scope = scope_of(&gateway, &ours).await;
    let other = scope_of(&gateway, &theirs).await;
    let elsewhere = Scope { mode: Mode::Sandbox, ..scope.clone() };
    let receiver = Receiver::start().await;
    receiver.answer_always(Reply::status(200));
    let with_hook = |options: &mut switchyard::gateway::AppOptions| options.webhook_url = Some(receiver.url.clone());
    let one = gateway.product_with(Mode::Test, with_hook).await;
    let two = gateway.product(Mode::Test).await;
    for product in [&one, &two] {
        give_app(&gateway, product, &scope.tenant_id).await;
    }
    let system = &gateway.server.gateway;
    let mut payment_ids = Vec::new();
    for number in 0..7 {
        let product = if number % 3 == 0 { &two } else { &one };
        payment_ids.push(id_of(
            &product
                .created(json!({ "external_user_id": format!("user-{}", number % 2), "amount_minor": 900 + number }))
                .await,
        ));
    }
    payment_ids.reverse();
    gateway.act_at_checkout(&payment_ids[1], "succeed").await;

    // Pages run through all apps, newest first.
    let mut seen = Vec::new();
    let mut cursor = None;
    loop {
        let listed = system.payments_across(&scope, PaymentQuery::default(), cursor, 2).await.unwrap();
        assert_eq!(listed.apps.len(), 2);
        seen.extend(listed.page.items.iter().map(|payment| payment.payment_id.to_string()));
        cursor = listed.page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!(seen, payment_ids);
    let find = async |query: PaymentQuery| {
        let listed = system.payments_across(&scope, query, None, 50).await.unwrap();
        listed.page.items.iter().map(|payment| payment.payment_id.to_string()).collect::<Vec<_>>()
    };
    let of_app = PaymentQuery { app_id: Some(two.app_id.clone()), ..PaymentQuery::default() };
    assert_eq!(find(of_app).await.len(), 3);
    let both = PaymentQuery {
        status: Some(PaymentStatus::Initiated),
        external_user_id: Some("user-1".to_owned()),
        ..PaymentQuery::default()
    };
    assert_eq!(find(both).await.len(), 2);
    let searched = |text: &str| PaymentQuery { search: Some(text.to_owned()), ..PaymentQuery::default() };
    assert_eq!(find(searched("user-0")).await.len(), 4);
    let detail = system.payment_across(&scope, &payment_ids[1]).await.unwrap();
    assert_eq!(detail.left_minor, detail.payment.amount_minor);
    let event_id = detail.events[0].event_id.to_string();
    let reference = detail.payment.provider_ref.clone().unwrap();
    for text in [&payment_ids[1], &event_id, &reference, &detail.payment.invoice_number] {
        assert_eq!(find(searched(text)).await, [payment_ids[1].clone()], "{text}");
    }
    assert_eq!(find(searched("nobody")).await.len(), 0);

    // Another tenant, and the same one in another mode, sees none of it and changes none of it.
    for stranger in [&other, &elsewhere] {
        let query = PaymentQuery { app_id: Some(one.app_id.clone()), ..PaymentQuery::default() };
        assert!(system.payments_across(stranger, query, None, 50).await.unwrap().page.items.is_empty());
        for text in [&payment_ids[1], &event_id, &reference] {
            assert!(system.payments_across(stranger, searched(text), None, 50).await.unwrap().page.items.is_empty());
        }
        let code = |fault: switchyard::error::Fault| fault.code;
        assert_eq!(code(system.payment_across(stranger, &payment_ids[1]).await.unwrap_err()), Code::PaymentNotFound);
        assert_eq!(code(system.event_across(stranger, &event_id).await.unwrap_err()), Code::EventNotFound);
        assert!(system.events_across(stranger, None, None, None, 50).await.unwrap().page.items.is_empty());
        assert!(system.refunds_across(stranger, None, None, 50).await.unwrap().page.items.is_empty());
        let customers = system.customers_across(stranger, Some(one.app_id.clone()), None, None, 50).await.unwrap();
        assert!(customers.page.items.is_empty());
        assert_eq!(system.count_payments(stranger, &PaymentQuery::default()).await.unwrap(), Some(0));
        assert!(system.overview(stranger, 30).await.unwrap().totals.is_empty());
        let refund = system.refund_by_hand(stranger, "n", &payment_ids[1], None, None).await;
        assert_eq!(code(refund.unwrap_err()), Code::PaymentNotFound);
        let cancel = system.cancel_payment_by_hand(stranger, "n", &payment_ids[0]).await;
        assert_eq!(code(cancel.unwrap_err()), Code::PaymentNotFound);
        let resend = system.resend_event_by_hand(stranger, "n", &event_id).await;
        assert_eq!(code(resend.unwrap_err()), Code::EventNotFound);
        let since = system.resend_since_by_hand(stranger, "n", &one.app_id, Timestamp::default()).await;
        assert_eq!(code(since.unwrap_err()), Code::NotFound);
    }
    assert_eq!(system.count_payments(&scope, &PaymentQuery::default()).await.unwrap(), Some(7));
    assert_eq!(system.overview(&scope, 30).await.unwrap().totals[0].counts.created, 7);
}

#[tokio::test]
async fn a_person_refunds_once_however_often_he_clicks_and_the_audit_log_knows() {
    let gateway = TestGateway::spawn().await;
    let person = Person::registered(&gateway, "ann@example.com").await;
    let scope = scope_of(&gateway, &person).await;
    let product = gateway.product(Mode::Test).await;
    give_app(&gateway, &product, &scope.tenant_id).await;
    let system = &gateway.server.gateway;
    let payment_id = id_of(&product.created(json!({ "amount_minor": 1000 })).await);
    gateway.act_at_checkout(&payment_id, "succeed").await;

    let click = || system.refund_by_hand(&scope, "one form", &payment_id, Some(400), Some("broken".to_owned()));
    let (first, second) = tokio::join!(click(), click());
    let (first, second) = (first.unwrap(), second.unwrap());
    assert_eq!(first.body, second.body);
    assert!(first.is_replay != second.is_replay);
    assert_eq!(gateway.count("refunds"), 1);
    // Another form is another refund; it cannot take more than is left.
    system.refund_by_hand(&scope, "another form", &payment_id, Some(400), None).await.unwrap();
    let too_much = system.refund_by_hand(&scope, "third form", &payment_id, Some(400), None).await.unwrap_err();
    assert_eq!(too_much.code, Code::NotRefundable);
    assert_eq!(product.payment(&payment_id).await["refunded_minor"], 800);

    let open = id_of(&product.created(json!({})).await);
    system.cancel_payment_by_hand(&scope, "form", &open).await.unwrap();
    assert!(system.cancel_payment_by_hand(&scope, "form", &open).await.unwrap().is_replay);
    assert_eq!(product.payment(&open).await["status"], "canceled");
    let event_id = system.payment_across(&scope, &open).await.unwrap().events[0].event_id.to_string();
    system.resend_event_by_hand(&scope, "form", &event_id).await.unwrap();
    system.resend_since_by_hand(&scope, "form", &product.app_id, Timestamp::default()).await.unwrap();

    let log = system.audit_log(&scope, None, 20).await.unwrap().items;
    let told: Vec<_> =
        log.iter().map(|entry| (entry.action.as_str(), entry.subject.as_deref().unwrap_or(""))).collect();
    assert_eq!(
        told[..5],
        [
            ("events.redelivered", product.app_id.as_str()),
            ("event.redelivered", &event_id),
            ("payment.canceled", &open),
            ("refund.requested", &payment_id),
            ("refund.requested", &payment_id),
        ]
    );
    assert_eq!(log[0].address.as_deref(), Some("203.0.113.7"));
    assert_eq!(log[0].actor, scope.actor());

    let viewer = only_looking(&scope);
    assert_eq!(system.payment_across(&viewer, &payment_id).await.unwrap().refunds.len(), 2);
    for refused in [
        system.refund_by_hand(&viewer, "n", &payment_id, None, None).await,
        system.cancel_payment_by_hand(&viewer, "n", &payment_id).await,
        system.cancel_subscription_by_hand(&viewer, "n", "sub_x", false).await,
        system.resend_event_by_hand(&viewer, "n", &event_id).await,
        system.resend_since_by_hand(&viewer, "n", &product.app_id, Timestamp::default()).await,
    ] {
        assert_eq!(refused.unwrap_err().code, Code::InsufficientScope);
    }
    assert_eq!(gateway.count("refunds"), 2);
}

#[tokio::test]
async fn what_the_console_lists_is_found_by_an_index() {
    let (gateway, product, _receiver) = used_gateway().await;
    let database = &gateway.database;
    let app_ids = [AppId::parse(&product.app_id).unwrap()];
    let now = gateway.clock.now();
    let tenant = TenantId::parse(&database.texts("SELECT tenant_id AS text FROM apps")[0]).unwrap();
    product.created(serde_json::json!({ "metadata": { "order": 1 }, "method": "va_bca" })).await;
    // SQLite has tables without rows of their own, whose key is the table.
    const PAIRS: &str = "payment_metadata";
    assert_is_looked_up(database, "apps", "apps_by_tenant", |conn| across::apps(conn, &tenant, Mode::Test).map(drop));
    for before in [None, Some("pay_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
        assert_is_looked_up(database, "refunds", "refunds_by_app", |conn| {
            across::refunds(conn, &app_ids, before, 20).map(drop)
        });
        assert_is_looked_up(database, "subscriptions", "subscriptions_by_status", |conn| {
            across::subscriptions(conn, &app_ids, Some(SubscriptionStatus::Active), before, 20).map(drop)
        });
        for (event_type, index) in [(None, "events_by_app"), (Some("payment.succeeded"), "events_by_type")] {
            assert_is_looked_up(database, "events", index, |conn| {
                across::events(conn, &app_ids, event_type, before, 20).map(drop)
            });
        }
        let filter =
            |status, method: Option<&str>| Filter { status, method: method.map(str::to_owned), ..Filter::default() };
        for (filter, index) in [
            (filter(None, None), "payments_by_app"),
            (filter(Some(PaymentStatus::Succeeded), None), "payments_by_status"),
            (filter(Some(PaymentStatus::Succeeded), Some("va_bca")), "payments_by_method"),
            (Filter { needs_attention: true, ..Filter::default() }, "payments_needing_attention"),
            (Filter { needs_attention: true, ..filter(None, Some("va_bca")) }, "payments_needing_attention"),
            (Filter { currency: Currency::parse("IDR"), ..Filter::default() }, "payments_by_currency"),
            (Filter { metadata: Pair::asked("order=1"), ..Filter::default() }, PAIRS),
            (Filter { metadata: Pair::asked("order=1"), created_from: Some(now), ..filter(None, Some("qris")) }, PAIRS),
        ] {
            assert_is_looked_up(database, "payments", index, |conn| {
                across::payments(conn, &app_ids, &filter, before, 20).map(drop)
            });
        }
    }
    assert_is_looked_up(database, "given up", "deliveries_dead", |conn| {
        across::dead_deliveries(conn, &app_ids, now, 20).map(drop)
    });
    assert_is_looked_up(database, "a name", "receipts_by_transaction", |conn| {
        across::payments_named(conn, &app_ids, "INV-000001").map(drop)
    });
    assert_is_looked_up(database, "how many", "payment_days", |conn| {
        payment_days::count(conn, &app_ids, &Default::default()).map(drop)
    });
}
