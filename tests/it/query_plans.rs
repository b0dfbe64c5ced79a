//! How the databases find what the rails ask them for with every webhook and every look at what is due.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use diesel::connection::{Connection, InstrumentationEvent, SimpleConnection};
use diesel::prelude::*;
use switchyard::domain::accounts::Environment;
use switchyard::domain::ids::{AppId, PaymentId, TenantId};
use switchyard::domain::invoices::InvoiceStatus;
use switchyard::domain::mode::Mode;
use switchyard::domain::payment_links::LinkStatus;
use switchyard::domain::plans::Period;
use switchyard::domain::subscriptions::SubscriptionStatus;
use switchyard::store::invoices::{self, InvoiceFilter};
use switchyard::store::{
    Conn, StoreResult, Target, api_keys, apps, checkpoints, delta_entries, deltas, environments, inbox,
    ledger_customers, members, payment_links, payments, provider_accounts, refunds, settlements, subscriptions,
    tenants, usage, users, writes,
};

use crate::store::{assert_comes_in_order, used_gateway};
use crate::support::{TestDatabase, TestGateway};

/// The plans at PostgreSQL of the statements that `work` runs, whatever their values, with what the server sets.
fn plans_on_postgres(url: &str, work: impl FnOnce(&mut Conn) -> StoreResult<()>) -> Vec<String> {
    #[derive(QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text, column_name = "QUERY PLAN")]
        text: String,
    }
    let mut conn = diesel::PgConnection::establish(url).unwrap();
    let statements = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&statements);
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let InstrumentationEvent::StartQuery { query, .. } = event {
            seen.lock().unwrap().push(query.to_string());
        }
    });
    work(&mut Conn::Postgres(conn)).unwrap();
    let statements = statements.lock().unwrap();
    let mut conn = diesel::PgConnection::establish(url).unwrap();
    conn.batch_execute("SET enable_seqscan=off; SET plan_cache_mode=force_generic_plan").unwrap();
    let mut plans = Vec::new();
    for statement in statements.iter().map(|statement| statement.split(" -- binds").next().unwrap()) {
        let values = (1..).take_while(|number| statement.contains(&format!("${number}"))).count();
        let values = vec!["NULL"; values].join(", ");
        let values = if values.is_empty() { values } else { format!("({values})") };
        conn.batch_execute(&format!("DEALLOCATE ALL; PREPARE asked AS {statement}")).unwrap();
        let lines: Vec<Line> = diesel::sql_query(format!("EXPLAIN EXECUTE asked{values}")).load(&mut conn).unwrap();
        plans.push(lines.into_iter().map(|line| line.text).collect::<Vec<_>>().join("\n"));
    }
    plans
}

/// Asserts that `work` finds its rows by `index`, reads no table or index from end to end, and sorts nothing on SQLite.
/// (PostgreSQL may rather sort the few rows that it found.)
pub fn assert_is_looked_up(
    database: &TestDatabase,
    what: &str,
    index: &str,
    work: impl FnOnce(&mut Conn) -> StoreResult<()>,
) {
    let plans = match &database.target {
        Target::Sqlite(_) => assert_comes_in_order(database, what, work),
        Target::Postgres(url) => plans_on_postgres(url, work),
    };
    assert!(!plans.is_empty(), "{what}: nothing was asked");
    assert!(plans.iter().any(|plan| plan.contains(index)), "{what}: {plans:#?}");
    for plan in &plans {
        let scans = plan.matches("Index Scan").count() + plan.matches("Index Only Scan").count();
        let conditions = plan.matches("Index Cond").count();
        assert!(!plan.contains("Seq Scan") && scans == conditions, "{what}: {plan}");
    }
}

#[tokio::test]
async fn what_a_webhook_names_is_found_by_an_index() {
    let (gateway, ..) = used_gateway().await;
    let database = &gateway.database;
    let id = "7b0f3a52-0c6e-4a0f-9d8e-6a5b4c3d2e1f";
    assert_is_looked_up(database, "its event", "inbox_applied_once", |conn| {
        inbox::is_applied(conn, "polar", Mode::Sandbox, id).map(drop)
    });
    assert_is_looked_up(database, "the provider's id", "attempts_by_provider_ref", |conn| {
        payments::attempts_by_provider_ref(conn, "polar", id).map(drop)
    });
    assert_is_looked_up(database, "the reference", "attempts_by_reference", |conn| {
        payments::attempts_by_reference(conn, "polar", "INV-7").map(drop)
    });
    assert_is_looked_up(database, "the transaction", "receipts_by_transaction", |conn| {
        payments::paid_by(conn, id).map(drop)
    });
    assert_is_looked_up(database, "the subscription", "subscriptions_", |conn| {
        subscriptions::by_provider_ref(conn, "polar", Mode::Sandbox, id).map(drop)
    });
    let payment_id = PaymentId::parse(&database.texts("SELECT payment_id AS text FROM payments")[0]).unwrap();
    assert_is_looked_up(database, "the attempts", "attempts", |conn| {
        payments::attempts_of(conn, &payment_id).map(drop)
    });
    assert_is_looked_up(database, "what was taken back", "reversals", |conn| {
        payments::reversed_minor(conn, &payment_id).map(drop)
    });
    assert_is_looked_up(database, "what refunds have reserved", "refunds_by_payment", |conn| {
        refunds::reserved_minor(conn, &payment_id).map(drop)
    });
}

#[tokio::test]
async fn what_of_the_rails_is_due_is_found_by_an_index() {
    let (gateway, ..) = used_gateway().await;
    let database = &gateway.database;
    let now = gateway.clock.now();
    let until = now.plus(Duration::from_secs(60));
    database
        .execute(
            "INSERT INTO inbox (inbox_id, provider, mode, provider_event, verdict, detail, headers, body, received_at, due_at)
             VALUES ('inb_01k7v3m2q8d4r5s6t7v8w9x0yz', 'nicepay', 'sandbox', 'event', 'kept', '', '', '', 1, 1)",
        )
        .unwrap();
    assert_is_looked_up(database, "webhooks", "inbox_due", |conn| {
        assert_eq!(inbox::claim_due(conn, now, until, 100)?.len(), 1);
        Ok(())
    });
    assert_eq!(database.execute("UPDATE refunds SET status = 'initiated', poll_at = 1"), Ok(1));
    assert_is_looked_up(database, "refunds", "refunds_to_poll", |conn| {
        assert_eq!(refunds::claim_due(conn, now, until, 100)?.len(), 1);
        Ok(())
    });
    assert_is_looked_up(database, "payments", "payments_to_poll", |conn| {
        payments::due_for_poll(conn, now, 100).map(drop)
    });
}

#[tokio::test]
async fn a_page_of_subscriptions_is_found_by_an_index() {
    let (gateway, product, _receiver) = used_gateway().await;
    let app_id = AppId::parse(&product.app_id).unwrap();
    for (buyer, status, index) in [
        (None, None, "subscriptions_by_app"),
        (Some("user-1"), None, "subscriptions_by_buyer"),
        (None, Some(SubscriptionStatus::PastDue), "subscriptions_by_status"),
        (Some("user-1"), Some(SubscriptionStatus::Active), "subscriptions_by_"),
    ] {
        for before in [None, Some("sub_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
            assert_is_looked_up(&gateway.database, &format!("{buyer:?} {status:?} {before:?}"), index, |conn| {
                subscriptions::list(conn, &app_id, buyer, status, before, 20).map(drop)
            });
        }
    }
}

#[tokio::test]
async fn what_a_tenant_has_is_found_by_an_index() {
    let (gateway, ..) = used_gateway().await;
    let database = &gateway.database;
    let tenant_id = TenantId::parse(&database.texts("SELECT tenant_id AS text FROM tenants")[0]).unwrap();
    for before in [None, Some("key_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
        assert_is_looked_up(database, &format!("keys {before:?}"), "api_keys_by_tenant", |conn| {
            api_keys::list(conn, &tenant_id, Mode::Test, before, 20).map(drop)
        });
    }
    assert_is_looked_up(database, "the tenant's apps", "apps_by_tenant", |conn| {
        apps::of_tenant(conn, &tenant_id, Mode::Test).map(drop)
    });
    assert_is_looked_up(database, "the number of apps", "apps_by_tenant", |conn| {
        apps::count(conn, &tenant_id, Mode::Test).map(drop)
    });
    assert_is_looked_up(database, "the tenant's accounts", "provider_accounts_by_tenant", |conn| {
        provider_accounts::of_tenant(conn, &tenant_id, Mode::Sandbox).map(drop)
    });
    assert_is_looked_up(database, "the number of keys", "api_keys_by_tenant", |conn| {
        api_keys::count(conn, &tenant_id, Mode::Test).map(drop)
    });
}

#[tokio::test]
async fn what_of_tenants_is_asked_for_is_found_by_an_index() {
    let gateway = TestGateway::spawn_stepped().await;
    crate::person::Person::registered(&gateway, "ann@example.com").await;
    let database = &gateway.database;
    let now = gateway.clock.now();
    let tenant_id = TenantId::parse(&database.texts("SELECT tenant_id AS text FROM tenants")[0]).unwrap();
    let ids = [tenant_id.clone()];
    assert_is_looked_up(database, "environments to make", "environments_due", |conn| {
        environments::is_any_due(conn, now, &Environment::ALL).map(drop)
    });
    assert_is_looked_up(database, "the claim of them", "environments_due", |conn| {
        environments::claim_due(conn, now, now.plus(Duration::from_secs(60)), &Environment::ALL, 20).map(drop)
    });
    assert_is_looked_up(database, "environments", "environments", |conn| {
        environments::of_tenants(conn, &ids).map(drop)
    });
    assert_is_looked_up(database, "owners", "members", |conn| users::owners(conn, &ids).map(drop));
    assert_is_looked_up(database, "companies", "onboardings", |conn| {
        environments::onboardings(conn, &ids, Mode::Live).map(drop)
    });
    assert_is_looked_up(database, "requests", "production_requests_", |conn| {
        environments::production_requests(conn, &ids).map(drop)
    });
    assert_is_looked_up(database, "what is used", "usage_counters", |conn| {
        let period = Period::of(now);
        let counter = usage::Counter { tenant_id: &tenant_id, mode: Mode::Test, period, name: usage::DELTAS };
        usage::reserve(conn, counter, 1, Some(5)).map(drop)
    });
    for after in [None, Some("c")] {
        assert_is_looked_up(database, "customers of the ledger", "ledger_customers", |conn| {
            ledger_customers::list(conn, &tenant_id, Mode::Test, after, 20).map(drop)
        });
    }
    assert_is_looked_up(database, "a page of tenants", "tenants", |conn| {
        tenants::page(conn, Some(tenant_id.as_str()), 20).map(drop)
    });
}

#[actix_web::test]
async fn who_works_for_a_tenant_is_found_by_an_index() {
    let gateway = crate::support::TestGateway::spawn_stepped().await;
    let ann = crate::person::Person::registered(&gateway, "ann@example.com").await;
    for email in ["bob@example.com", "sam@example.com"] {
        let invitation = serde_json::json!({ "email": email, "role": "viewer" });
        assert_eq!(ann.post("/dashboard/invitations", invitation).await.0, 201);
    }
    let database = &gateway.database;
    let now = gateway.clock.now();
    let tenant = database.texts("SELECT tenant_id AS text FROM members");
    let tenant_id = TenantId::parse(&tenant[0]).unwrap();
    assert_is_looked_up(database, "members", "members", |conn| members::of_tenant(conn, &tenant_id).map(drop));
    assert_is_looked_up(database, "how many", "members", |conn| members::count(conn, &tenant_id).map(drop));
    assert_is_looked_up(database, "invitations that wait", "invitations_by_tenant", |conn| {
        assert_eq!(members::open_invitations(conn, &tenant_id, now)?.len(), 2);
        Ok(())
    });
    // SQLite has names of its own for the indexes of keys.
    let of_token = match database.target {
        Target::Sqlite(_) => "sqlite_autoindex_invitations_2",
        Target::Postgres(_) => "invitations_token",
    };
    assert_is_looked_up(database, "the link", of_token, |conn| members::good_invitation(conn, "hash", now).map(drop));
}

#[actix_web::test]
async fn writes_that_wait_and_what_they_add_up_to_are_found_by_an_index() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = crate::person::Person::registered(&gateway, "ann@example.com").await;
    let items = serde_json::json!({ "items": [{ "key": "a", "accountId": "x", "bits": 1 }] });
    assert_eq!(ann.post("/api/v1/writes", items).await.0, 202);
    let database = &gateway.database;
    let now = gateway.clock.now();
    let tenant_id = TenantId::parse(&database.texts("SELECT tenant_id AS text FROM write_lines")[0]).unwrap();
    assert_is_looked_up(database, "lines", "write_lines_waiting", |conn| {
        assert_eq!(writes::waiting_lines(conn, 20)?.len(), 1);
        Ok(())
    });
    assert_is_looked_up(database, "the next of a line", "write_requests_waiting", |conn| {
        assert_eq!(writes::next_of_line(conn, &tenant_id, Mode::Test, 64, 2000)?.len(), 1);
        Ok(())
    });
    assert_is_looked_up(database, "a place in the line", "write_lines", |conn| {
        writes::take_place(conn, &tenant_id, Mode::Test, 1, 100, now).map(drop)
    });
    assert_is_looked_up(database, "the end of the wait", "write_lines", |conn| {
        writes::lock_line(conn, &tenant_id, Mode::Test)?;
        writes::leave(conn, &tenant_id, Mode::Test, 1, now)
    });
    assert_is_looked_up(database, "keys", "write_buckets", |conn| {
        writes::bucket(conn, &tenant_id, Mode::Test, "a")?;
        writes::buckets(conn, &tenant_id, Mode::Test, &["a", "b"]).map(drop)
    });
}

#[actix_web::test]
async fn what_the_ledger_s_pages_show_is_found_by_an_index() {
    let gateway = TestGateway::spawn_stepped().await;
    let machine = crate::deltas::Machine::of_its_own(&gateway, "ann@example.com").await;
    machine.emitted("c", "1").await;
    gateway.step().await;
    machine.post("/balance/checkpoint", &serde_json::json!({})).await.expect_status(201);
    let database = &gateway.database;
    let tenant_id = TenantId::parse(&database.texts("SELECT tenant_id AS text FROM ledgers")[0]).unwrap();
    let of_id = match &database.target {
        Target::Sqlite(_) => "ledger_customers",
        Target::Postgres(_) => "ledger_customers_id",
    };
    for after in [None, Some("b")] {
        assert_is_looked_up(database, &format!("customers after {after:?}"), of_id, |conn| {
            let page = ledger_customers::beginning_with(conn, &tenant_id, Mode::Test, "c", after, 20)?;
            assert_eq!(page.items.len(), 1);
            Ok(())
        });
    }
    assert_is_looked_up(database, "the course of a balance", "delta_entries_by_customer", |conn| {
        delta_entries::sums_at(conn, 1, &[1, 2, 3]).map(drop)
    });
    assert_is_looked_up(database, "what a payment posted", "deltas_of_payments", |conn| {
        deltas::of_payment(conn, &tenant_id, Mode::Test, &["pay_x", "ref_x"], 100).map(drop)
    });
    let refund_id = switchyard::domain::ids::RefundId::generate(gateway.clock.now());
    let of_refund = match &database.target {
        Target::Sqlite(_) => "PRIMARY KEY",
        Target::Postgres(_) => "refunds_pkey",
    };
    assert_is_looked_up(database, "whose refunds", of_refund, |conn| {
        refunds::payments_of(conn, std::slice::from_ref(&refund_id)).map(drop)
    });
    for before in [None, Some("chk_01k7v3m2q8d4r5s6t7v8w9x0yz")] {
        for (customer, index) in [(None, "checkpoints_by_scope"), (Some("c"), "checkpoints_by_customer")] {
            assert_is_looked_up(database, &format!("checkpoints of {customer:?} {before:?}"), index, |conn| {
                checkpoints::page(conn, &tenant_id, Mode::Test, customer, before, 20).map(drop)
            });
        }
    }
}

#[tokio::test]
async fn what_a_settlement_report_names_is_found_by_an_index() {
    let (gateway, product, _receiver) = used_gateway().await;
    let database = &gateway.database;
    let app_id = AppId::parse(&product.app_id).unwrap();
    let whose = settlements::Whose { app_ids: vec![app_id.clone()], provider: "mock".to_owned() };
    let payment_id = database.texts("SELECT payment_id AS text FROM payments")[0].clone();
    let names = [payment_id, "unknown".to_owned()];
    assert_is_looked_up(database, "receipts", "receipts_by_transaction", |conn| {
        settlements::receipts_named(conn, &whose, &names).map(drop)
    });
    assert_is_looked_up(database, "refunds", "refunds_by_reference", |conn| {
        settlements::refunds_named(conn, &whose, &names).map(drop)
    });
    let now = gateway.clock.now();
    let span = settlements::Span { from: now.minus(Duration::from_secs(60)), to: now.plus(Duration::from_secs(60)) };
    assert_is_looked_up(database, "a page of receipts", "payments_by_provider", |conn| {
        assert_eq!(settlements::receipts_page(conn, &app_id, "mock", span, None, 100)?.0.len(), 1);
        Ok(())
    });
    assert_is_looked_up(database, "a page of refunds", "refunds_by_app", |conn| {
        settlements::refunds_page(conn, &app_id, "mock", span, None, 100).map(drop)
    });
}

#[tokio::test]
async fn invoices_and_payment_links_are_found_by_an_index() {
    let (gateway, product) = TestGateway::stepped_with_product().await;
    let app_id = AppId::parse(&product.app_id).unwrap();
    let invoice = product.invoiced(serde_json::json!({ "external_id": "mine" })).await;
    let link = product.linked(serde_json::json!({})).await;
    gateway.begin(&invoice, "qris").await;
    let (invoice, link) = (crate::invoices::id(&invoice), crate::payment_links::id(&link));
    let database = &gateway.database;
    let now = gateway.clock.now();
    let filter = |status, buyer: Option<&str>, external_id: Option<&str>| InvoiceFilter {
        status,
        external_user_id: buyer.map(str::to_owned),
        external_id: external_id.map(str::to_owned),
    };
    for before in [None, Some(invoice.as_str())] {
        for (filter, index) in [
            (filter(None, None, None), "invoices_by_app"),
            (filter(Some(InvoiceStatus::Open), None, None), "invoices_by_status"),
            (filter(None, Some("user"), None), "invoices_by_buyer"),
        ] {
            assert_is_looked_up(database, &format!("invoices, {filter:?}"), index, |conn| {
                invoices::list(conn, &app_id, &filter, before, 20).map(drop)
            });
        }
    }
    assert_is_looked_up(database, "the product's id", "invoices_by_external_id", |conn| {
        invoices::by_external_id(conn, &app_id, "mine").map(drop)
    });
    // SQLite has names of its own for the indexes of keys.
    let of_number = match database.target {
        Target::Sqlite(_) => "sqlite_autoindex_invoices_2",
        Target::Postgres(_) => "invoices_number",
    };
    assert_is_looked_up(database, "the number", of_number, |conn| invoices::by_number(conn, "INV-000001").map(drop));
    assert_is_looked_up(database, "whether any is late", "invoices_due", |conn| {
        invoices::is_any_late(conn, now).map(drop)
    });
    assert_is_looked_up(database, "the late ones", "invoices_due", |conn| invoices::late(conn, now, 100).map(drop));
    assert_is_looked_up(database, "payments of invoices", "payments_by_origin", |conn| {
        payments::of_origins(conn, &[&invoice, "inv_other"]).map(drop)
    });
    assert_is_looked_up(database, "a page of a link's payments", "payments_by_origin", |conn| {
        payments::page_of_origin(conn, &link, Some("pay_x"), 20).map(drop)
    });
    assert_is_looked_up(database, "open payments of an invoice", "payments_by_origin", |conn| {
        payments::lock_open_of_origin(conn, &invoice).map(drop)
    });
    for (status, index) in [(None, "payment_links_by_app"), (Some(LinkStatus::Active), "payment_links_by_status")] {
        assert_is_looked_up(database, "payment links", index, |conn| {
            payment_links::list(conn, &app_id, status, Some(&link), 20).map(drop)
        });
    }
    assert_is_looked_up(database, "whether a link expires", "payment_links_expiring", |conn| {
        payment_links::is_any_expiring(conn, now).map(drop)
    });
    assert_is_looked_up(database, "links that expire", "payment_links_expiring", |conn| {
        payment_links::expiring(conn, now, 100).map(drop)
    });
}
