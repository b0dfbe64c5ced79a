//! Every operation of the API's document, tried with every credential that must not do.
//!
//! [`table`] has a row for each operation: whom it lets in, and what a stranger gets, that is another tenant, another app
//! and another mode. An operation without a row fails the test; so does a row without an operation. First all the wrong
//! credentials are tried on everything and must leave Ann's things as they are, then the right one must do what the row
//! says: a path or a body that no one could use would prove nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::mode::Mode;

use crate::api_keys::made_key;
use crate::deltas::Machine;
use crate::person::Person;
use crate::support::{Answer, Product, TestGateway, id_of};
use crate::tenant_apps::{product_of, scope_of};

/// Whom an operation lets in.
#[derive(Clone, Copy, Debug)]
enum LetsIn {
    /// Anyone: what is asked for is public, or known only to whom it was given. The status is what is answered.
    Anyone(u16),
    /// An app, by its signature.
    App,
    /// A person, by a token of any mode: it is about the person himself.
    Person,
    /// A member of a tenant, by a token.
    Member,
    /// A member of a tenant, by a token of any mode: it is about the tenant's people.
    Colleague,
    /// A member, or a machine whose key has this scope (or any key, where there is none).
    MemberOrKey(Option<&'static str>),
}
use LetsIn::{Anyone, App, Colleague, Member, MemberOrKey, Person as PersonAlone};

/// What another tenant, another app and another mode get.
#[derive(Clone, Copy, Debug)]
enum Stranger {
    /// 404 with this code.
    NotThere(&'static str),
    /// As good an answer as anyone's, with nothing of Ann's in it.
    SeesNothing,
    /// He acts for himself.
    OnHisOwn,
    /// 404 with this code for another tenant. The modes of a tenant share it.
    NotHisTenants(&'static str),
}
use Stranger::{NotHisTenants, NotThere, OnHisOwn, SeesNothing};

#[derive(Clone, Debug)]
struct Row {
    lets_in: LetsIn,
    method: &'static str,
    /// As the document has it. `{name}` is filled in with what Ann has of that name, in queries and bodies too.
    path: &'static str,
    query: &'static str,
    body: Option<&'static str>,
    stranger: Stranger,
    /// What the right credential gets.
    right: u16,
    /// Whether a viewer is refused.
    changes: bool,
}

fn row(lets_in: LetsIn, method: &'static str, path: &'static str, right: u16, stranger: Stranger) -> Row {
    Row { lets_in, method, path, query: "", body: None, stranger, right, changes: false }
}

impl Row {
    fn query(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn body(self, body: &'static str) -> Self {
        Self { body: Some(body), ..self }
    }

    /// A viewer is refused.
    fn changes(self) -> Self {
        Self { changes: true, ..self }
    }
}

/// One row for each operation, in the order in which the right credential does them: what destroys comes late.
fn table() -> Vec<Row> {
    const KEY: &str = "/dashboard/api-keys/{key_id}";
    const ENDPOINT: &str = "/dashboard/webhooks/{id}";
    const READS: Option<&str> = Some("balance:read");
    const WRITES: Option<&str> = Some("balance:write");
    const MEMBER: &str = "/dashboard/members/{user_id}";
    const PAYMENT: &str = r#"{"external_user_id":"user-1","email":"a@shop.example","amount_minor":50000,"currency":"IDR",
        "method":"va_bca","return_url":"https://shop.example/"}"#;
    const INVOICE: &str = r#"{"external_user_id":"user-1","currency":"IDR",
        "line_items":[{"description":"x","quantity":1,"unit_amount_minor":50000}]}"#;
    vec![
        row(Anyone(200), "GET", "/info", 200, SeesNothing),
        row(Anyone(200), "GET", "/healthz", 200, SeesNothing),
        row(Anyone(200), "GET", "/readyz", 200, SeesNothing),
        // To callers on this machine; others need its own token.
        row(Anyone(200), "GET", "/metrics", 200, SeesNothing),
        row(Anyone(200), "GET", "/openapi.json", 200, SeesNothing),
        // The buyer's pages: who was given a payment's id may see it and pay it.
        row(Anyone(404), "GET", "/checkout/{payment_id}", 404, OnHisOwn),
        row(Anyone(404), "GET", "/checkout/{payment_id}/status", 404, OnHisOwn),
        row(Anyone(404), "GET", "/checkout/{payment_id}/events", 404, OnHisOwn),
        row(Anyone(200), "GET", "/mock/checkout/{payment_id}", 200, OnHisOwn),
        row(Anyone(400), "POST", "/mock/checkout/{payment_id}", 400, OnHisOwn),
        row(Anyone(200), "GET", "/mock/charges/{payment_id}", 200, OnHisOwn),
        row(Anyone(303), "GET", "/return/{payment_id}", 303, OnHisOwn),
        row(Anyone(200), "GET", "/pay/{payable_id}", 200, OnHisOwn),
        row(Anyone(400), "POST", "/pay/{payable_id}", 400, OnHisOwn),
        // The provider's signature is asked for.
        row(Anyone(401), "POST", "/webhooks/{provider}", 401, OnHisOwn).body("{}"),
        row(Anyone(401), "POST", "/webhooks/{provider}/{mode}", 401, OnHisOwn).body("{}"),
        row(Anyone(401), "POST", "/webhooks/{provider}/{mode}/{account_id}", 401, OnHisOwn).body("{}"),
        // The ways in.
        row(Anyone(400), "POST", "/dashboard/auth/register", 400, OnHisOwn).body("{}"),
        row(Anyone(400), "POST", "/dashboard/auth/login", 400, OnHisOwn).body("{}"),
        row(Anyone(400), "GET", "/dashboard/auth/verify", 400, OnHisOwn).query("token=nothing"),
        row(Anyone(400), "POST", "/dashboard/auth/forgot-password", 400, OnHisOwn).body("{}"),
        row(Anyone(400), "POST", "/dashboard/auth/reset-password", 400, OnHisOwn).body("{}"),
        // Signed by an app.
        row(App, "GET", "/v1/payments", 200, SeesNothing),
        row(App, "GET", "/v1/payments/{payment_id}", 200, NotThere("PaymentNotFound")),
        row(App, "GET", "/v1/payments/{payment_id}/timeline", 200, NotThere("PaymentNotFound")),
        row(App, "GET", "/v1/refunds", 200, SeesNothing).query("payment_id={payment_id}"),
        row(App, "GET", "/v1/refunds/{refund_id}", 200, NotThere("RefundNotFound")),
        row(App, "GET", "/v1/subscriptions", 200, SeesNothing),
        row(App, "GET", "/v1/subscriptions/{subscription_id}", 200, NotThere("SubscriptionNotFound")),
        row(App, "GET", "/v1/customers", 200, SeesNothing),
        row(App, "GET", "/v1/customers/{external_user_id}", 200, NotThere("CustomerNotFound")),
        row(App, "POST", "/v1/customers/{external_user_id}/kyc", 200, OnHisOwn).body(r#"{"status":"approved"}"#),
        row(App, "GET", "/v1/events", 200, SeesNothing),
        row(App, "GET", "/v1/events/{event_id}", 200, NotThere("EventNotFound")),
        row(App, "GET", "/v1/events/stream", 200, NotThere("EventNotFound")).query("after={event_id}"),
        row(App, "GET", "/v1/routes", 200, OnHisOwn).query("currency=IDR&method=qris"),
        row(App, "POST", "/v1/payments", 201, OnHisOwn).body(PAYMENT),
        row(App, "POST", "/v1/events/{event_id}/redeliver", 202, NotThere("EventNotFound")),
        row(App, "POST", "/v1/events/redeliver", 202, OnHisOwn).body(r#"{"since":"2020-01-01T00:00:00Z"}"#),
        row(App, "POST", "/v1/refunds", 201, NotThere("PaymentNotFound"))
            .body(r#"{"payment_id":"{payment_id}","amount_minor":1}"#),
        row(App, "POST", "/v1/payments/{payment_id}/cancel", 422, NotThere("PaymentNotFound")),
        row(App, "GET", "/v1/invoices", 200, SeesNothing),
        row(App, "GET", "/v1/invoices/{invoice_id}", 200, NotThere("InvoiceNotFound")),
        row(App, "POST", "/v1/invoices", 201, OnHisOwn).body(INVOICE),
        row(App, "POST", "/v1/invoices/{invoice_id}/finalize", 200, NotThere("InvoiceNotFound")),
        row(App, "POST", "/v1/invoices/{invoice_id}/void", 200, NotThere("InvoiceNotFound")),
        row(App, "GET", "/v1/payment_links", 200, SeesNothing),
        row(App, "GET", "/v1/payment_links/{payment_link_id}", 200, NotThere("PaymentLinkNotFound")),
        row(App, "POST", "/v1/payment_links", 201, OnHisOwn)
            .body(r#"{"currency":"IDR","amount_minor":50000,"description":"A ticket"}"#),
        row(App, "POST", "/v1/payment_links/{payment_link_id}/close", 200, NotThere("PaymentLinkNotFound")),
        row(App, "POST", "/v1/subscriptions/{subscription_id}/cancel", 200, NotThere("SubscriptionNotFound")),
        // Machines.
        row(MemberOrKey(None), "GET", "/api/v1/whoami", 200, OnHisOwn),
        // The ledger.
        row(MemberOrKey(READS), "GET", "/api/v1/balance/delta/{recordId}", 200, NotThere("NotFound")),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/delta/{recordId}/proof", 200, NotThere("NotFound")),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/derive/{customerId}", 200, OnHisOwn),
        row(MemberOrKey(READS), "POST", "/api/v1/balance/compare", 200, OnHisOwn)
            .body(r#"{"customerId":"{customerId}","yourBalance":1,"theirBalance":1}"#),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/customers", 200, SeesNothing),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/customers/{customerId}", 200, NotThere("NotFound")),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/gaps/{customerId}", 200, NotThere("NotFound")),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/usage", 200, OnHisOwn),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/limits", 200, OnHisOwn),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/checkpoints", 200, SeesNothing),
        row(
            MemberOrKey(READS),
            "GET",
            "/api/v1/balance/checkpoints/{checkpointId}/consistency",
            200,
            NotThere("NotFound"),
        )
        .query("with={checkpointId}"),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/receipt/{customerId}", 200, NotThere("NotFound")),
        row(MemberOrKey(READS), "GET", "/api/v1/balance/invoice-proof/{customerId}", 200, NotThere("NotFound")),
        // Whoever has a root may ask about it.
        row(Anyone(200), "GET", "/api/v1/verify/{proofRoot}", 200, OnHisOwn),
        row(MemberOrKey(Some("webhooks:read")), "GET", "/api/v1/balance/webhooks", 200, SeesNothing),
        row(
            MemberOrKey(Some("webhooks:write")),
            "POST",
            "/api/v1/balance/webhooks/{eventId}/retry",
            202,
            NotThere("EventNotFound"),
        )
        .changes(),
        row(MemberOrKey(WRITES), "POST", "/api/v1/balance/delta", 201, OnHisOwn)
            .body(r#"{"customerId":"new","delta":1,"reason":"r"}"#)
            .changes(),
        row(MemberOrKey(WRITES), "POST", "/api/v1/balance/delta/batch", 201, OnHisOwn)
            .body(r#"{"deltas":[{"customerId":"new","delta":1,"reason":"r"}]}"#)
            .changes(),
        row(MemberOrKey(WRITES), "POST", "/api/v1/balance/checkpoint", 201, NotThere("NotFound"))
            .body(r#"{"customerId":"{customerId}"}"#)
            .changes(),
        // Writes.
        row(MemberOrKey(Some("writes:read")), "GET", "/api/v1/writes/{request_id}", 200, NotThere("NotFound")),
        row(MemberOrKey(Some("writes:read")), "GET", "/api/v1/reads/bucket/{key}", 200, NotThere("NotFound")),
        row(MemberOrKey(Some("writes:write")), "POST", "/api/v1/writes", 202, OnHisOwn)
            .body(r#"{"items":[{"key":"new","accountId":"a","bits":1}]}"#)
            .changes(),
        // Reconciliation: an empty report lacks all that is booked.
        row(MemberOrKey(Some("balance:read")), "POST", "/api/v1/balance/reconcile", 200, SeesNothing)
            .query("provider=mock&from=2020-01-01T00:00:00Z&to=2100-01-01T00:00:00Z")
            .body("reference,payment_id,amount_minor,currency,type,date"),
        // Environments, plan, the way to Production, and the ledger's customers.
        row(Member, "GET", "/dashboard/contracts", 200, OnHisOwn),
        row(Member, "GET", "/dashboard/contracts/{tenant_id}/status", 200, NotHisTenants("NotFound")),
        row(Member, "POST", "/dashboard/contracts/provision", 201, OnHisOwn)
            .body(r#"{"environment":"testnet"}"#)
            .changes(),
        row(Member, "GET", "/dashboard/billing/plan", 200, OnHisOwn),
        row(Member, "GET", "/dashboard/billing/usage", 200, OnHisOwn).query("period=2026-11"),
        row(MemberOrKey(Some("onboarding:read")), "GET", "/v1/onboarding/status", 200, OnHisOwn),
        row(MemberOrKey(Some("onboarding:write")), "POST", "/v1/onboarding/submit", 200, OnHisOwn)
            .body(r#"{"termsAccepted":true,"company":{"legalName":"Ltd","country":"ID","registrationNumber":"1"}}"#)
            .changes(),
        row(MemberOrKey(Some("onboarding:write")), "POST", "/v1/production-access/request", 201, OnHisOwn)
            .body(r#"{"companyName":"Ltd","expectedMonthlyVolume":1}"#)
            .changes(),
        row(Member, "GET", "/dashboard/customers", 200, SeesNothing),
        row(Member, "POST", "/dashboard/customers", 201, OnHisOwn).body(r#"{"customerId":"new"}"#).changes(),
        // API keys.
        row(Member, "GET", "/dashboard/api-keys", 200, SeesNothing),
        row(Member, "POST", "/dashboard/api-keys", 201, OnHisOwn).body(r#"{"name":"new"}"#).changes(),
        row(Member, "GET", KEY, 200, NotThere("NotFound")),
        row(Member, "PATCH", KEY, 200, NotThere("NotFound")).body(r#"{"name":"renamed"}"#).changes(),
        row(Member, "POST", "/dashboard/api-keys/{key_id}/rotate", 200, NotThere("NotFound")).body("{}").changes(),
        row(Member, "DELETE", KEY, 200, NotThere("NotFound")).changes(),
        // Webhook endpoints of the tenant.
        row(Member, "GET", "/dashboard/webhooks", 200, SeesNothing),
        row(Member, "POST", "/dashboard/webhooks", 201, OnHisOwn).body(r#"{"url":"http://127.0.0.1:9/"}"#).changes(),
        row(Member, "GET", ENDPOINT, 200, NotThere("NotFound")),
        row(Member, "PATCH", ENDPOINT, 200, NotThere("NotFound")).body(r#"{"description":"new"}"#).changes(),
        row(Member, "POST", "/dashboard/webhooks/{id}/rotate", 200, NotThere("NotFound")).body("{}").changes(),
        row(Member, "POST", "/dashboard/webhooks/{id}/test", 202, NotThere("NotFound")).changes(),
        row(Member, "GET", "/dashboard/webhooks/{id}/deliveries", 200, NotThere("NotFound")),
        row(Member, "POST", "/dashboard/webhooks/{id}/replay", 202, NotThere("NotFound"))
            .body(r#"{"since":"2020-01-01T00:00:00Z"}"#)
            .changes(),
        row(Member, "DELETE", ENDPOINT, 200, NotThere("NotFound")).changes(),
        // The people of the tenant, the same in every mode.
        row(Anyone(400), "GET", "/dashboard/invitations/accept", 400, OnHisOwn).query("token=nothing"),
        row(Anyone(400), "POST", "/dashboard/invitations/accept", 400, OnHisOwn)
            .body(r#"{"token":"nothing","password":"correct horse"}"#),
        row(Colleague, "GET", "/dashboard/members", 200, SeesNothing),
        row(Colleague, "GET", "/dashboard/invitations", 200, SeesNothing).changes(),
        row(Colleague, "POST", "/dashboard/invitations", 201, OnHisOwn)
            .body(r#"{"email":"new@example.com","role":"viewer"}"#)
            .changes(),
        row(Colleague, "PATCH", MEMBER, 200, NotThere("NotFound")).body(r#"{"role":"developer"}"#).changes(),
        row(Colleague, "DELETE", MEMBER, 200, NotThere("NotFound")).changes(),
        row(Colleague, "DELETE", "/dashboard/invitations/{invitation_id}", 200, NotThere("NotFound")).changes(),
        // People about themselves.
        row(PersonAlone, "POST", "/dashboard/auth/totp", 201, OnHisOwn),
        row(PersonAlone, "POST", "/dashboard/auth/totp/confirm", 400, OnHisOwn).body(r#"{"code":"not it"}"#),
        row(PersonAlone, "DELETE", "/dashboard/auth/totp", 200, OnHisOwn)
            .body(r#"{"password":"correct horse battery"}"#),
        row(PersonAlone, "GET", "/dashboard/auth/me", 200, OnHisOwn),
        row(PersonAlone, "PATCH", "/dashboard/auth/preferences", 200, OnHisOwn).body(r#"{"timeZone":"Asia/Jakarta"}"#),
        row(PersonAlone, "POST", "/dashboard/auth/refresh", 200, OnHisOwn).body("{}"),
        row(PersonAlone, "POST", "/v1/auth/switch-mode", 200, OnHisOwn).body(r#"{"mode":"test"}"#),
        row(PersonAlone, "POST", "/dashboard/auth/logout", 200, OnHisOwn).body("{}"),
    ]
}

const ANOTHER_MODE: &str = "another mode";

/// What is sent to prove who one is.
#[derive(Clone)]
enum Credential {
    None,
    Signature(Product),
    Token(Person),
    Key(String),
}

/// Ann's things, and the names under which rows speak of them.
struct World {
    gateway: TestGateway,
    things: BTreeMap<&'static str, String>,
    ann: Person,
    app: Product,
    key: String,
    /// Who must get nothing of Ann's, by what is wrong with him. Each has every kind of credential that fits him.
    strangers: Vec<(&'static str, Vec<Credential>)>,
    revoked: Vec<Credential>,
    viewer: Person,
    /// A key of Ann's that may do nothing that a row asks for.
    /// Keys of Ann's with one scope each, which it is.
    narrow_keys: [(&'static str, String); 2],
}

impl World {
    fn fill(&self, text: &str) -> String {
        self.things.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }

    async fn send(&self, row: &Row, credential: &Credential) -> Answer {
        // No two requests are signed in the same second, so that none is a replay.
        self.gateway.clock.advance(Duration::from_secs(1));
        let mut path = self.fill(row.path);
        if !row.query.is_empty() {
            path = format!("{path}?{}", self.fill(row.query));
        }
        let body = row.body.map(|body| self.fill(body)).unwrap_or_default();
        if let Credential::Signature(product) = credential {
            return product.request(row.method, &path, body.as_bytes(), None).await;
        }
        let method = reqwest::Method::from_bytes(row.method.as_bytes()).unwrap();
        let mut request = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap()
            .request(method, self.gateway.url(&path));
        match credential {
            Credential::None | Credential::Signature(_) => {}
            Credential::Token(person) => request = request.bearer_auth(&person.token),
            Credential::Key(key) => request = request.header("X-Api-Key", key),
        }
        if !body.is_empty() {
            let media_type = if body.starts_with('{') { "application/json" } else { "text/csv" };
            request = request.header("Content-Type", media_type).body(body);
        }
        Answer::of(request.send().await.unwrap()).await
    }

    /// Everything of Ann's that a stranger could have changed.
    fn snapshot(&self) -> Vec<String> {
        let texts = |sql: &str| self.gateway.database.texts(sql);
        let app_id = &self.app.app_id;
        [
            format!("SELECT payment_id || status || updated_at || refunded_minor AS text FROM payments WHERE app_id = '{app_id}' ORDER BY payment_id"),
            format!("SELECT refund_id || status AS text FROM refunds WHERE payment_id = '{}' ORDER BY refund_id", self.things["payment_id"]),
            format!("SELECT subscription_id || status || updated_at AS text FROM subscriptions WHERE app_id = '{app_id}'"),
            format!("SELECT invoice_id || status || updated_at AS text FROM invoices WHERE app_id = '{app_id}' ORDER BY invoice_id"),
            format!("SELECT payment_link_id || status || uses || updated_at AS text FROM payment_links WHERE app_id = '{app_id}'"),
            format!("SELECT event_id AS text FROM events WHERE app_id = '{app_id}' ORDER BY event_id"),
            format!("SELECT external_user_id || updated_at || kyc_status AS text FROM customers WHERE app_id = '{app_id}' ORDER BY external_user_id"),
            format!("SELECT public_key || secret_sealed || COALESCE(previous_secret_sealed, '') AS text FROM apps WHERE app_id = '{app_id}'"),
            "SELECT CAST(COUNT(*) AS TEXT) AS text FROM deliveries".to_owned(),
            format!("SELECT url || secret_sealed || COALESCE(deleted_at, 0) AS text FROM webhook_endpoints
                     WHERE endpoint_id = '{}'", self.things["id"]),
            format!("SELECT key_id || name || secret_hash || COALESCE(disabled_at, 0) || COALESCE(deleted_at, 0) AS text FROM api_keys
                     WHERE key_id = '{}'", self.things["key_id"]),
            format!("SELECT environment || status AS text FROM environments WHERE tenant_id = '{}'", self.things["tenant_id"]),
            format!("SELECT customer_id || COALESCE(display_name, '') AS text FROM ledger_customers
                     WHERE tenant_id = '{}' AND mode = 'test' ORDER BY customer_id", self.things["tenant_id"]),
            format!("SELECT key || bits || writes || last_write_at AS text FROM write_buckets
                     WHERE tenant_id = '{0}' AND mode = 'test' UNION ALL
                     SELECT request_id || item_count AS text FROM write_requests WHERE tenant_id = '{0}' AND mode = 'test'
                     ORDER BY text", self.things["tenant_id"]),
            format!("SELECT user_id || role AS text FROM members WHERE user_id = '{}' ORDER BY tenant_id", self.things["user_id"]),
            format!("SELECT invitation_id || role || COALESCE(revoked_at, 0) AS text FROM invitations
                     WHERE invitation_id = '{}'", self.things["invitation_id"]),
            format!("SELECT email || password_hash || COALESCE(totp_sealed, '') || COALESCE(time_zone, '') AS text FROM users WHERE email = '{}'", self.ann.email),
            format!("SELECT session_id || mode || COALESCE(revoked_at, 0) AS text FROM sessions WHERE user_id IN
                     (SELECT user_id FROM users WHERE email = '{}') AND revoked_at IS NULL ORDER BY session_id", self.ann.email),
        ]
        .iter()
        .flat_map(|sql| texts(sql))
        .collect()
    }

    /// Whether a text shows something of Ann's that was not in the request.
    fn shows_anns(&self, row: &Row, text: &str) -> bool {
        let asked = format!("{}?{}{}", row.path, row.query, row.body.unwrap_or_default());
        let given = |name: &str| asked.contains(&format!("{{{name}}}"));
        // In every mode Ann sees whose she is.
        let is_shared = |name: &str| name == "tenant_id";
        let shown = |(name, value): (&&str, &String)| {
            !given(name) && !is_shared(name) && value.len() > 8 && text.contains(value.as_str())
        };
        self.things.iter().any(shown)
    }
}

async fn world() -> World {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let app = product_of(&gateway, &ann).await;
    let buyer = "buyer-of-ann@shop.example";
    let payment = app.ended(&gateway, "succeed", json!({ "external_user_id": buyer, "email": buyer })).await;
    let payment_id = id_of(&payment);
    let refund = json!({ "payment_id": payment_id, "amount_minor": 1000 });
    let refund_id = app.post("/v1/refunds", &refund).await.expect_status(201).text_of("refund_id");
    let event_id = app.listed("/v1/events").await[0]["event_id"].as_str().unwrap().to_owned();
    let invoice = app.invoiced(json!({ "external_user_id": buyer, "email": buyer })).await;
    let invoice_id = crate::invoices::id(&invoice);
    let payment_link_id = crate::payment_links::id(&app.linked(json!({})).await);
    let subscription_id = "sub_01k7v3m2q8d4r5s6t7v8w9x0yz".to_owned();
    gateway
        .database
        .execute(&format!(
            "INSERT INTO subscriptions (subscription_id, app_id, payment_id, mode, provider, provider_ref, external_user_id,
             status, cancel_at_period_end, changed_at, created_at, updated_at)
             VALUES ('{subscription_id}', '{}', '{payment_id}', 'test', 'polar', 'ref', '{buyer}', 'ended', (1 = 0), 1, 1, 1)",
            app.app_id
        ))
        .unwrap();
    let key = made_key(&ann, json!({ "name": "ledger-of-ann" })).await;
    let full = |key: &Value| key["fullKey"].as_str().unwrap().to_owned();

    let (status, endpoint) = ann
        .post("/dashboard/webhooks", json!({ "url": "http://127.0.0.1:9/hook-of-ann", "events": ["payment.failed"] }))
        .await;
    assert_eq!(status, 201, "{endpoint}");

    let customer_id = "customer-of-ann";
    assert_eq!(ann.post("/dashboard/customers", json!({ "customerId": customer_id })).await.0, 201);

    // A delta of Ann's, its checkpoint, and an event of the tenant's.
    let machine = Machine::with_key(&gateway, &full(&key));
    let record_id = machine.emitted("books-of-ann", "5").await;
    let (status, tested) =
        ann.post(&format!("/dashboard/webhooks/{}/test", endpoint["data"]["id"].as_str().unwrap()), json!({})).await;
    assert_eq!(status, 202, "{tested}");
    let tenant_event_id =
        gateway.database.texts("SELECT event_id AS text FROM events WHERE tenant_id IS NOT NULL").remove(0);
    gateway.step().await;
    let checkpoint = machine.post("/balance/checkpoint", &json!({ "customerId": "books-of-ann" })).await;
    let checkpoint = checkpoint.expect_status(201).json()["data"].clone();
    let write = json!({ "items": [{ "key": "bucket-of-ann", "accountId": "account-of-ann", "bits": 7 }] });
    let (status, write) = ann.post("/api/v1/writes", write).await;
    assert_eq!(status, 202, "{write}");
    gateway.step().await;

    // What was revoked: an app, a session and keys of Ann's own.
    let revoked_app = product_of(&gateway, &ann).await;
    let scope = scope_of(&gateway, &ann).await;
    let archive = switchyard::gateway::AppChange::Archive;
    gateway.server.gateway.change_app_of(&scope, &revoked_app.app_id, archive).await.unwrap();
    let old_secret = app.clone();
    let rotated = gateway.server.gateway.rotate_app_of(&scope, &app.app_id, Duration::ZERO).await.unwrap();
    let app = Product::new(gateway.server.url(), rotated, gateway.clock.clone());
    let signed_out = Person::signed_in(&gateway, &ann.email).await;
    signed_out.post("/dashboard/auth/logout", json!({})).await;
    let [deleted, disabled] = [made_key(&ann, json!({})).await, made_key(&ann, json!({})).await];
    let path = |key: &Value| format!("/dashboard/api-keys/{}", key["id"].as_str().unwrap());
    assert_eq!(ann.call("DELETE", &path(&deleted), None).await.0, 200);
    assert_eq!(ann.call("PATCH", &path(&disabled), Some(json!({ "active": false }))).await.0, 200);
    let revoked = vec![
        Credential::Signature(revoked_app),
        Credential::Signature(old_secret),
        Credential::Token(signed_out),
        Credential::Key(full(&deleted)),
        Credential::Key(full(&disabled)),
    ];

    let bob = Person::registered(&gateway, "bob@example.com").await;
    let bobs_app = product_of(&gateway, &bob).await;
    let bobs_key = full(&made_key(&bob, json!({})).await);
    let in_sandbox = ann.in_mode("sandbox").await;
    let sandbox_app = product_of(&gateway, &in_sandbox).await;
    let sandbox_key = full(&made_key(&in_sandbox, json!({ "environment": "sandbox" })).await);
    let strangers = vec![
        ("another tenant", vec![Credential::Signature(bobs_app), Credential::Token(bob), Credential::Key(bobs_key)]),
        ("another app", vec![Credential::Signature(product_of(&gateway, &ann).await)]),
        (
            ANOTHER_MODE,
            vec![Credential::Signature(sandbox_app), Credential::Token(in_sandbox), Credential::Key(sandbox_key)],
        ),
    ];

    for email in ["vic@example.com", "sam@example.com"] {
        Person::registered(&gateway, email).await;
        let join = format!(
            "UPDATE members SET role = 'viewer', tenant_id = '{}' WHERE user_id IN
             (SELECT user_id FROM users WHERE email = '{email}')",
            scope.tenant_id
        );
        assert_eq!(gateway.database.execute(&join), Ok(1));
    }
    let sam = gateway.database.texts("SELECT user_id AS text FROM users WHERE email = 'sam@example.com'");
    let invitation = json!({ "email": "ivy@example.com", "role": "viewer" });
    let (status, invitation) = ann.post("/dashboard/invitations", invitation).await;
    assert_eq!(status, 201, "{invitation}");
    let viewer = Person::signed_in(&gateway, "vic@example.com").await;
    let mut narrow_keys = ["webhooks:read", "balance:read"].map(|scope| (scope, String::new()));
    for (scope, key) in &mut narrow_keys {
        *key = full(&made_key(&ann, json!({ "scopes": [scope] })).await);
    }

    let things = BTreeMap::from([
        ("payment_id", payment_id),
        ("refund_id", refund_id),
        ("event_id", event_id),
        ("subscription_id", subscription_id),
        ("payable_id", invoice_id.clone()),
        ("invoice_id", invoice_id),
        ("payment_link_id", payment_link_id),
        ("external_user_id", buyer.to_owned()),
        ("key_id", key["id"].as_str().unwrap().to_owned()),
        ("key_name", "ledger-of-ann".to_owned()),
        ("public_key", key["publicKey"].as_str().unwrap().to_owned()),
        ("app_key", app.public_key.clone()),
        ("id", endpoint["data"]["id"].as_str().unwrap().to_owned()),
        ("endpoint_url", "http://127.0.0.1:9/hook-of-ann".to_owned()),
        ("tenant_id", scope.tenant_id.to_string()),
        ("customer_id", customer_id.to_owned()),
        ("customerId", "books-of-ann".to_owned()),
        ("recordId", record_id),
        ("eventId", tenant_event_id),
        ("checkpointId", checkpoint["checkpointId"].as_str().unwrap().to_owned()),
        ("proofRoot", checkpoint["proofRoot"].as_str().unwrap().to_owned()),
        ("user_id", sam[0].clone()),
        ("invitation_id", invitation["data"]["id"].as_str().unwrap().to_owned()),
        ("request_id", write["data"]["requestId"].as_str().unwrap().to_owned()),
        ("key", "bucket-of-ann".to_owned()),
        ("provider", "mock".to_owned()),
        ("mode", "test".to_owned()),
        ("account_id", "pac_01k7v3m2q8d4r5s6t7v8w9x0yz".to_owned()),
    ]);
    World { gateway, things, ann, app, key: full(&key), strangers, revoked, viewer, narrow_keys }
}

/// Whether a row lets in this kind of credential at all.
fn is_fitting(row: &Row, credential: &Credential) -> bool {
    matches!(
        (row.lets_in, credential),
        (Anyone(_), _)
            | (App, Credential::Signature(_))
            | (PersonAlone | Colleague | Member | MemberOrKey(_), Credential::Token(_))
            | (MemberOrKey(_), Credential::Key(_))
    )
}

/// What a row answers to who brings nothing, or a kind of credential that it does not take.
fn refusal_of_kind(row: &Row, credential: &Credential) -> (u16, &'static str) {
    match row.lets_in {
        App => (401, "MissingAuthHeaders"),
        // Moving to another mode has a word of its own for keys.
        PersonAlone if row.path == "/v1/auth/switch-mode" && matches!(credential, Credential::Key(_)) => {
            (400, "ModeSwitchNotAllowed")
        }
        _ => (401, "AuthenticationRequired"),
    }
}

fn refusal_of_revoked(credential: &Credential) -> &'static str {
    match credential {
        Credential::None | Credential::Signature(_) => "BadSignature",
        Credential::Token(_) => "InvalidJwt",
        Credential::Key(_) => "InvalidApiKey",
    }
}

#[track_caller]
fn expect(what: &str, row: &Row, answer: Answer, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {row:?}: {}", answer.text);
    answer.expect_error(status, code);
}

#[actix_web::test]
async fn every_operation_of_the_document_has_a_row_and_every_row_an_operation() {
    let gateway = TestGateway::spawn_stepped().await;
    let document = gateway.fetch("/openapi.json").await.json();
    let mut documented = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let rows: Vec<String> = table().iter().map(|row| format!("{} {}", row.method, row.path)).collect();
    let tabled: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(rows.len(), tabled.len(), "an operation has two rows");
    let missing: Vec<_> = documented.difference(&tabled).collect();
    assert!(missing.is_empty(), "say in tests/it/isolation.rs whom these let in: {missing:#?}");
    let stale: Vec<_> = tabled.difference(&documented).collect();
    assert!(stale.is_empty(), "these are no operations any more: {stale:#?}");
}

#[actix_web::test]
async fn no_operation_does_anything_for_a_credential_that_must_not() {
    let world = world().await;
    let before = world.snapshot();
    for row in &table() {
        let mut others = vec![Credential::None];
        if !matches!(row.lets_in, Anyone(_)) {
            let all = [
                Credential::Signature(world.app.clone()),
                Credential::Token(world.ann.clone()),
                Credential::Key(world.key.clone()),
            ];
            others.extend(all.into_iter().filter(|credential| !is_fitting(row, credential)));
        }
        for credential in &others {
            let answer = world.send(row, credential).await;
            if let Anyone(status) = row.lets_in {
                assert_eq!(answer.status, status, "no credential: {row:?}: {}", answer.text);
                continue;
            }
            let (status, code) = refusal_of_kind(row, credential);
            expect("no credential of its kind", row, answer, status, code);
        }
        if matches!(row.lets_in, Anyone(_)) {
            continue;
        }
        for credential in world.revoked.iter().filter(|credential| is_fitting(row, credential)) {
            let answer = world.send(row, credential).await;
            expect("a revoked credential", row, answer, 401, refusal_of_revoked(credential));
        }
        if row.changes {
            let answer = world.send(row, &Credential::Token(world.viewer.clone())).await;
            expect("a viewer", row, answer, 403, "InsufficientScope");
        }
        if let MemberOrKey(Some(needed)) = row.lets_in {
            let (_, without) = world.narrow_keys.iter().find(|(scope, _)| *scope != needed).unwrap();
            let answer = world.send(row, &Credential::Key(without.clone())).await;
            expect("a key without the scope", row, answer, 403, "InsufficientScope");
        }
        for (who, credentials) in &world.strangers {
            // In another mode Ann is still the same person, and so are her colleagues.
            if matches!(row.lets_in, PersonAlone | Colleague) && *who == ANOTHER_MODE {
                continue;
            }
            for credential in credentials.iter().filter(|credential| is_fitting(row, credential)) {
                let answer = world.send(row, credential).await;
                assert!(!world.shows_anns(row, &answer.text), "{who} sees Ann's: {row:?}: {}", answer.text);
                match row.stranger {
                    NotThere(code) => expect(who, row, answer, 404, code),
                    NotHisTenants(code) if *who != ANOTHER_MODE => expect(who, row, answer, 404, code),
                    SeesNothing | OnHisOwn | NotHisTenants(_) => {
                        assert_eq!(answer.status, row.right, "{who}: {row:?}: {}", answer.text);
                    }
                }
            }
        }
    }
    assert_eq!(world.snapshot(), before, "something of Ann's has changed");

    for row in table().iter().filter(|row| !matches!(row.lets_in, Anyone(_))) {
        let mut right = vec![match row.lets_in {
            App => Credential::Signature(world.app.clone()),
            _ => Credential::Token(world.ann.clone()),
        }];
        if let MemberOrKey(_) = row.lets_in {
            right.push(Credential::Key(world.key.clone()));
        }
        if matches!(row.lets_in, Colleague | Member | MemberOrKey(_)) && !row.changes {
            right.push(Credential::Token(world.viewer.clone()));
        }
        for credential in &right {
            let answer = world.send(row, credential).await;
            assert_eq!(answer.status, row.right, "the right credential: {row:?}: {}", answer.text);
            if matches!(row.stranger, SeesNothing) {
                assert!(world.shows_anns(row, &answer.text), "shows nothing to anyone: {row:?}: {}", answer.text);
            }
        }
    }
}

#[actix_web::test]
async fn a_token_says_its_mode_and_no_request_can_say_another() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let product = product_of(&gateway, &ann).await;
    product.create(json!({ "mode": Mode::Live })).await.expect_error(400, "ValidationError");
    let (status, _) = ann.post("/dashboard/api-keys", json!({ "name": "x", "mode": "live" })).await;
    assert_eq!(status, 400);
    let me = reqwest::Client::new()
        .get(gateway.url("/api/v1/whoami?mode=live"))
        .header("X-Mode", "live")
        .header("X-Environment", "production")
        .bearer_auth(&ann.token);
    let me = Answer::of(me.send().await.unwrap()).await.expect_status(200).json();
    assert_eq!(me["data"]["mode"], "test");
}
