//! How people find payments: by what is in their metadata and by currency, among many, and never another's.

use serde_json::{Value, json};
use switchyard::domain::mode::Mode;
use switchyard::domain::money::Currency;
use switchyard::domain::payments::PaymentStatus;
use switchyard::gateway::{PaymentQuery, Scope};
use switchyard::store::Target;

use crate::across::{give_app, scope_of};
use crate::person::Person;
use crate::support::{Product, TestGateway, id_of};
use crate::surfer::Surfer;

async fn shop(apps: usize) -> (TestGateway, Surfer, Scope, Vec<Product>) {
    let gateway = TestGateway::spawn().await;
    let surfer = Surfer::registered(&gateway, "ann@example.com").await;
    let scope = scope_of(&gateway, &Person::signed_in(&gateway, "ann@example.com").await).await;
    let mut products = Vec::new();
    for _ in 0..apps {
        let product = gateway.product(Mode::Test).await;
        give_app(&gateway, &product, &scope.tenant_id).await;
        products.push(product);
    }
    (gateway, surfer, scope, products)
}

/// Every page of what a query finds.
async fn all(gateway: &TestGateway, scope: &Scope, query: &PaymentQuery, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = None;
    loop {
        let listed = gateway.server.gateway.payments_across(scope, query.clone(), cursor, limit).await.unwrap();
        assert!(listed.page.items.len() <= limit);
        found.extend(listed.page.items.iter().map(|payment| payment.payment_id.to_string()));
        cursor = listed.page.next;
        if cursor.is_none() {
            return found;
        }
    }
}

fn search(text: &str) -> PaymentQuery {
    PaymentQuery { search: Some(text.to_owned()), ..PaymentQuery::default() }
}

#[actix_web::test]
async fn a_payment_is_found_by_what_its_metadata_says() {
    let (gateway, mut ann, scope, products) = shop(2).await;
    let made =
        async |product: &Product, metadata: Value| id_of(&product.created(json!({ "metadata": metadata })).await);
    let one = made(&products[0], json!({ "order": "A-17", "count": 3, "gift": true, "deep": { "x": "y" } })).await;
    let two = made(&products[1], json!({ "order": "A-17", "note": "a=b" })).await;
    let three = made(&products[0], json!({ "order": "A-18" })).await;
    id_of(&products[0].created(json!({ "external_user_id": "plain=buyer" })).await);
    assert_eq!(gateway.count("payment_metadata"), 6);

    for (text, ids) in [
        ("order=A-17", vec![&two, &one]),
        ("order = A-18", vec![&three]),
        ("count=3", vec![&one]),
        ("gift=true", vec![&one]),
        ("note=a=b", vec![&two]),
        ("order=A-1", vec![]),
        ("order=a-17", vec![]),
        ("deep=y", vec![]),
        ("order=A-1%", vec![]),
    ] {
        assert_eq!(
            all(&gateway, &scope, &search(text), 1).await,
            ids.into_iter().cloned().collect::<Vec<_>>(),
            "{text}"
        );
    }
    assert_eq!(all(&gateway, &scope, &search("plain=buyer"), 5).await.len(), 1, "a buyer may be called so");
    gateway.act_at_checkout(&two, "succeed").await;
    let paid = PaymentQuery { status: Some(PaymentStatus::Succeeded), ..search("order=A-17") };
    assert_eq!(all(&gateway, &scope, &paid, 5).await, std::slice::from_ref(&two));
    let of_app = PaymentQuery { app_id: Some(products[0].app_id.clone()), ..search("order=A-17") };
    assert_eq!(all(&gateway, &scope, &of_app, 5).await, std::slice::from_ref(&one));

    ann.get("/console/payments").await.has("order=123");
    let page = ann.get("/console/payments?q=order%3DA-17").await;
    page.has(&one).has(&two).lacks(&three).has("value=\"order=A-17\"");
    let file = ann.get("/console/payments.csv?q=order%3DA-17").await;
    assert_eq!(file.text.lines().count(), 3);

    // Another tenant's search, and one in another mode, finds nothing.
    let mut eve = Surfer::registered(&gateway, "eve@example.com").await;
    eve.get("/console/payments?q=order%3DA-17").await.lacks(&one).lacks(&two);
    ann.submit("/console", "/console/mode", &[("mode", "sandbox")]).await;
    ann.get("/console/payments?q=order%3DA-17").await.lacks(&one).lacks(&two);
}

#[actix_web::test]
async fn what_was_paid_before_metadata_could_be_searched_is_found_too() {
    let (gateway, _, _, products) = shop(1).await;
    let odd = "{\"order\":\"A-17\",\"count\":3,\"price\":1.5,\"gift\":true,\"none\":null,\"list\":[1],\"in\":{\"a\":1},\
               \"ü\":\"€ \\u00e9\",\"empty\":\"\"}";
    let metadata: Value = serde_json::from_str(odd).unwrap();
    products[0].created(json!({ "metadata": metadata })).await;
    products[0].created(json!({})).await;
    let rows =
        "SELECT app_id || ' ' || name || '=' || value || ' ' || payment_id AS text FROM payment_metadata ORDER BY 1";
    let written = gateway.database.texts(rows);
    assert_eq!(written.len(), 5, "{written:?}");
    let directory = if matches!(gateway.database.target, Target::Sqlite(_)) { "sqlite" } else { "postgres" };
    let path = format!("{}/migrations/{directory}/2026-11-21-000011_console/up.sql", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let fill = text.split(';').find(|statement| statement.contains("INTO payment_metadata")).unwrap();
    gateway.database.execute("DELETE FROM payment_metadata").unwrap();
    gateway.database.execute(fill).unwrap();
    assert_eq!(gateway.database.texts(rows), written);
}

#[actix_web::test]
async fn two_conditions_and_several_apps_make_one_list_without_a_gap() {
    let (gateway, mut ann, scope, products) = shop(3).await;
    let mut dollars = Vec::new();
    for number in 0..60 {
        let body = match number % 5 {
            0 => json!({ "method": "paypal", "currency": "USD", "amount_minor": 100 + number }),
            1 => json!({ "method": "polar", "currency": "USD" }),
            2 => json!({ "method": "polar", "currency": "EUR" }),
            _ => json!({}),
        };
        let id = id_of(&products[number % 7 % 3].created(body).await);
        if number % 2 == 0 {
            gateway.act_at_checkout(&id, "succeed").await;
        }
        dollars.push((id, number));
    }
    dollars.reverse();
    let ids = |keep: fn(usize) -> bool| -> Vec<String> {
        dollars.iter().filter(|(_, number)| keep(*number)).map(|(id, _)| id.clone()).collect()
    };
    let usd = PaymentQuery { currency: Currency::parse("USD"), ..PaymentQuery::default() };
    let card = PaymentQuery { method: Some("polar".to_owned()), ..usd.clone() };
    let paid = PaymentQuery { status: Some(PaymentStatus::Succeeded), ..card.clone() };
    let system = &gateway.server.gateway;
    for limit in [1, 4, 7, 50] {
        assert_eq!(all(&gateway, &scope, &usd, limit).await, ids(|number| number % 5 < 2), "{limit}");
        assert_eq!(all(&gateway, &scope, &card, limit).await, ids(|number| number % 5 == 1), "{limit}");
        assert_eq!(all(&gateway, &scope, &paid, limit).await, ids(|number| number % 10 == 6), "{limit}");
    }
    // And each is counted without being looked at.
    for (query, count) in [(&PaymentQuery::default(), 60), (&usd, 24), (&card, 12), (&paid, 6)] {
        assert_eq!(system.count_payments(&scope, query).await.unwrap(), Some(count), "{query:?}");
    }
    let open = PaymentQuery { status: Some(PaymentStatus::Initiated), ..PaymentQuery::default() };
    assert_eq!(system.count_payments(&scope, &open).await.unwrap(), Some(30));
    assert_eq!(system.count_payments(&scope, &search("user-1")).await.unwrap(), None);
    let page = ann.get("/console/payments?currency=USD&method=polar").await;
    page.has("12 found").has("data-rows=\"12\"").has("value=\"USD\"");
    ann.get("/console/payments?currency=usd").await.has("24 found");
    ann.get("/console/payments?from=2020-01-01&to=2020-02-01").await.has("Nothing found");
    ann.get("/console/payments?q=user-1").await.lacks(" found</span>").lacks("data-rows");
    assert_eq!(ann.get("/console/payments.csv?currency=USD&method=polar").await.text.lines().count(), 13);
}
