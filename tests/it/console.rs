//! The frame of the console: who gets in, what a form must carry, the modes in the header, and errors as pages.

use std::time::Duration;

use serde_json::json;

use crate::person::{PASSWORD, Person, mailed_link};
use crate::support::TestGateway;
use crate::surfer::Surfer;

const SESSION: &str = "__Host-switchyard";

#[actix_web::test]
async fn a_newcomer_registers_confirms_and_signs_in_by_pages_alone() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::at(&gateway);
    ann.get("/").await.has("href=\"/register\"").has("href=\"/login\"").has("/outbox");
    let typed =
        [("firstName", "Ann"), ("lastName", "<b>Lee"), ("companyName", "Ann & Co"), ("email", "Ann@Example.com")];
    let wrong = [typed.as_slice(), &[("password", "short")]].concat();
    let again = ann.submit("/register", "/register", &wrong).await;
    assert_eq!(again.status, 400);
    again.has("Password must have 8 to 200 characters").has("value=\"Ann &#38; Co\"").lacks("<b>Lee").lacks("short\"");
    let right = [typed.as_slice(), &[("password", PASSWORD)]].concat();
    let said = ann.submit("/register", "/register", &right).await;
    assert_eq!(said.status, 200);
    said.has("Look into your mail").has("/outbox");
    let link = mailed_link(&gateway, "ann@example.com").await;
    ann.get("/outbox").await.has(&format!("href=\"{link}\"")).has("ann@example.com");
    let path = link.strip_prefix(&gateway.server.url()).unwrap();
    ann.get(path).await.has("Your address is confirmed");
    assert_eq!(ann.get(path).await.has("This link is spent").status, 400);
    let wrong = ann.sign_in("ann@example.com", "another password").await;
    assert_eq!(wrong.status, 401);
    wrong.has("the e-mail address or the password is wrong").has("value=\"ann@example.com\"");
    ann.sign_in("ann@example.com", PASSWORD).await.leads_to("/console");
    ann.get("/console").await.has("Ann &#38; Co").has("Sandbox · test").has("No real money moves");
    ann.get("/login").await.leads_to("/console");
    ann.get("/").await.has("Open the console");
}

#[actix_web::test]
async fn who_is_not_signed_in_is_sent_to_sign_in_and_back_but_nowhere_else() {
    let gateway = TestGateway::spawn_stepped().await;
    Person::registered(&gateway, "ann@example.com").await;
    let mut ann = Surfer::at(&gateway);
    ann.get("/console").await.leads_to("/login");
    ann.get("/console?tab=2").await.leads_to("/login?next=%2Fconsole%3Ftab%3D2");
    ann.post("/console/mode", &[("mode", "sandbox")]).await.leads_to("/login");
    let form = |next: &'static str| [("email", "ann@example.com"), ("password", PASSWORD), ("next", next)];
    ann.submit("/login", "/login", &form("/console?tab=2")).await.leads_to("/console?tab=2");
    for elsewhere in ["https://evil.example/", "//evil.example", "/\\evil.example", "/console\r\nX: y"] {
        let mut ann = Surfer::at(&gateway);
        ann.submit("/login", "/login", &form(elsewhere)).await.leads_to("/console");
    }
    let mut stranger = Surfer::at(&gateway);
    stranger.cookies.insert(SESSION.to_owned(), "a.b.c".to_owned());
    stranger.get("/console").await.leads_to("/login");
}

#[actix_web::test]
async fn the_pages_take_the_cookie_alone_and_the_api_the_header_alone() {
    let gateway = TestGateway::spawn_stepped().await;
    let person = Person::registered(&gateway, "ann@example.com").await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = client.get(gateway.url("/console")).bearer_auth(&person.token).send().await.unwrap();
    assert_eq!(page.status(), 303);
    let cookie = format!("{SESSION}={}", person.token);
    let page = client.get(gateway.url("/console")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let api = client.get(gateway.url("/dashboard/auth/me")).header("cookie", &cookie).send().await.unwrap();
    assert_eq!(api.status(), 401);
}

#[actix_web::test]
async fn a_form_is_taken_only_from_a_page_of_ones_own() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let mut bob = Surfer::registered(&gateway, "bob@example.com").await;
    let (own, other) = (ann.get("/console").await.hidden("csrf"), bob.get("/console").await.hidden("csrf"));
    let evil = [("origin", "https://evil.example")];
    let null = [("origin", "null")];
    for (token, headers) in
        [("", &[][..]), (other.as_str(), &[]), ("0000", &[]), (own.as_str(), &evil), (own.as_str(), &null)]
    {
        let seen = ann.post_with("/console/mode", &[("csrf", token), ("mode", "sandbox")], headers).await;
        assert_eq!(seen.has("Form not accepted").status, 403);
    }
    ann.get("/console").await.has("mode-test");
    let origin = gateway.server.url();
    let form = [("csrf", own.as_str()), ("mode", "sandbox"), ("next", "/console/settings")];
    ann.post_with("/console/mode", &form, &[("origin", &origin)]).await.leads_to("/console/settings");
    ann.get("/console").await.has("mode-sandbox");
    // A script sends the token as a header.
    ann.post_with("/console/mode", &[("mode", "test")], &[("x-csrf-token", &own)]).await.leads_to("/console");
    // Who is not signed in has a token too, bound to the browser.
    let mut eve = Surfer::at(&gateway);
    let form = [("email", "ann@example.com"), ("password", PASSWORD)];
    assert_eq!(eve.post("/login", &form).await.has("open the site over https").status, 403);
    let token = Surfer::at(&gateway).get("/login").await.hidden("csrf");
    eve.get("/login").await;
    let with_token = [&form[..], &[("csrf", token.as_str())]].concat();
    assert_eq!(eve.post("/login", &with_token).await.status, 403);
}

#[actix_web::test]
async fn production_is_locked_and_says_which_step_is_missing() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let page = ann.get("/console").await;
    page.has("Production is locked").has("choose a paid plan first").lacks("value=\"live\"");
    let refused = ann.submit("/console", "/console/mode", &[("mode", "live")]).await;
    assert_eq!(refused.status, 400);
    refused.has("Production access not approved").has("choose a paid plan first").has("mode-test");
    assert_eq!(ann.submit("/console", "/console/mode", &[("mode", "nonsense")]).await.status, 400);
    // What was refused is not preferred either.
    Surfer::signed_in(&gateway, "ann@example.com").await.get("/console").await.has("mode-test");
}

/// Takes every step to Production as the operator would.
fn approve(gateway: &TestGateway) {
    let tenant = "(SELECT tenant_id FROM tenants WHERE is_operator = FALSE)";
    for statement in [
        "UPDATE tenants SET plan = 'starter'".to_owned(),
        format!(
            "INSERT INTO onboardings (tenant_id, mode, terms_accepted_at, legal_name, country, registration_number, kyb_status, submitted_at)
             SELECT tenant_id, 'live', 1, 'x', 'ID', '1', 'approved', 1 FROM tenants WHERE tenant_id = {tenant}"
        ),
        format!(
            "INSERT INTO production_requests (request_id, tenant_id, company_name, expected_monthly_volume, status, created_at)
             SELECT 'par_01k7v3m2q8d4r5s6t7v8w9x0yz', tenant_id, 'x', '1', 'approved', 1 FROM tenants WHERE tenant_id = {tenant}"
        ),
        format!(
            "INSERT INTO environments (tenant_id, environment, status, attempts, created_at)
             SELECT tenant_id, 'production', 'active', 0, 1 FROM tenants WHERE tenant_id = {tenant}"
        ),
    ] {
        gateway.database.execute(&statement).unwrap();
    }
}

#[actix_web::test]
async fn who_is_approved_moves_to_production_and_begins_there_on_every_device() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    approve(&gateway);
    ann.get("/console").await.lacks("Production is locked").has("value=\"live\"").has("Sandbox · test");
    ann.submit("/console", "/console/mode", &[("mode", "live")]).await.leads_to("/console");
    ann.get("/console").await.has("mode-live").lacks("No real money moves");
    let mut phone = Surfer::signed_in(&gateway, "ann@example.com").await;
    phone.get("/console").await.has("mode-live");
    // A token of the API begins in test all the same.
    let api = Person::signed_in(&gateway, "ann@example.com").await;
    assert_eq!(api.get("/dashboard/auth/me").await.1["data"]["mode"], "test");
    // Once the plan is gone, it begins in Sandbox again.
    gateway.database.execute("UPDATE tenants SET plan = 'free'").unwrap();
    Surfer::signed_in(&gateway, "ann@example.com").await.get("/console").await.has("mode-test");
    phone.submit("/console", "/console/mode", &[("mode", "sandbox")]).await.leads_to("/console");
    Surfer::signed_in(&gateway, "ann@example.com").await.get("/console").await.has("mode-sandbox");
}

#[actix_web::test]
async fn the_cookie_is_renewed_while_it_is_used_and_ends_with_its_session() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let first = ann.cookies[SESSION].clone();
    gateway.clock.advance(Duration::from_secs(590));
    ann.get("/console").await;
    assert_eq!(ann.cookies[SESSION], first);
    // 3,590 seconds after it was minted.
    gateway.clock.advance(Duration::from_secs(3000));
    for _ in 0..11 {
        assert_eq!(ann.get("/console").await.status, 200);
        gateway.clock.advance(Duration::from_secs(3500));
    }
    assert_ne!(ann.cookies[SESSION], first);
    assert_eq!(ann.get("/console").await.status, 200);
    // Twelve hours after signing in it is over, however much it is used.
    gateway.clock.advance(Duration::from_secs(3500));
    ann.get("/console").await.leads_to("/login");
}

#[actix_web::test]
async fn signing_out_ends_the_session_and_takes_the_cookie_away() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut desk = Surfer::registered(&gateway, "ann@example.com").await;
    let mut copy = desk.clone();
    let mut phone = Surfer::signed_in(&gateway, "ann@example.com").await;
    desk.submit("/console", "/logout", &[]).await.leads_to("/login");
    assert!(!desk.cookies.contains_key(SESSION));
    copy.get("/console").await.leads_to("/login");
    let mut tablet = Surfer::signed_in(&gateway, "ann@example.com").await;
    phone.submit("/console", "/logout", &[("everywhere", "1")]).await.leads_to("/login");
    tablet.get("/console").await.leads_to("/login");
}

#[actix_web::test]
async fn a_lost_password_is_set_anew_by_pages() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    gateway.clock.advance(Duration::from_secs(1));
    let mut elsewhere = Surfer::at(&gateway);
    let known = elsewhere.submit("/forgot", "/forgot", &[("email", "ann@example.com")]).await;
    let unknown = elsewhere.submit("/forgot", "/forgot", &[("email", "nobody@example.com")]).await;
    assert_eq!((known.status, &known.text), (200, &unknown.text));
    let link = mailed_link(&gateway, "ann@example.com").await;
    let path = link.strip_prefix(&gateway.server.url()).unwrap();
    let token = elsewhere.get(path).await.hidden("token");
    let weak = elsewhere.submit(path, "/reset", &[("token", &token), ("password", "short")]).await;
    assert_eq!(weak.has("Password must have 8 to 200 characters").status, 400);
    let new = [("token", token.as_str()), ("password", "a quite new password")];
    elsewhere.submit(path, "/reset", &new).await.has("Your password is changed");
    assert_eq!(elsewhere.submit(path, "/reset", &new).await.has("This link is spent").status, 400);
    ann.get("/console").await.leads_to("/login");
    elsewhere.sign_in("ann@example.com", "a quite new password").await.leads_to("/console");
}

#[actix_web::test]
async fn errors_of_the_console_are_pages_under_the_same_policy() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    for path in ["/console/nothing", "/console", "/", "/login", "/register", "/outbox", "/forgot", "/reset?token=x"] {
        let seen = Surfer::at(&gateway).get(path).await;
        let seen = if seen.status == 303 { ann.get(path).await } else { seen };
        let policy = seen.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'self'; script-src 'self';"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(seen.headers["content-type"], "text/html; charset=utf-8", "{path}");
        assert_eq!(seen.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(seen.headers["cache-control"], "no-store", "{path}");
        assert!(seen.headers.contains_key("x-request-id"), "{path}");
        seen.lacks(" style=").lacks("<style").lacks(" onclick=").lacks("<script>");
    }
    assert_eq!(ann.get("/console/nothing").await.has("Not found").has("Sandbox · test").status, 404);
    // The API's errors are what they were.
    let (status, answer) = Person::signed_in(&gateway, "ann@example.com").await.get("/dashboard/nothing").await;
    assert_eq!((status, &answer["code"]), (404, &json!("NotFound")));
}

#[actix_web::test]
async fn a_server_that_others_reach_shows_no_outbox_and_says_why_sign_up_is_closed() {
    let gateway = TestGateway::spawn_with(switchyard::clock::Clock::system(), false, |settings| {
        settings.public_url = "https://pay.example.com".to_owned();
    })
    .await;
    let mut stranger = Surfer::at(&gateway);
    assert_eq!(stranger.get("/outbox").await.status, 404);
    stranger.get("/").await.has("Sign-up is closed").has("mail.smtp_url").lacks("href=\"/register\"");
    stranger.get("/register").await.has("Sign-up is closed").lacks("name=\"password\"");
}

#[actix_web::test]
async fn the_outbox_is_told_only_to_who_asks_this_machine_by_its_own_name() {
    let gateway = TestGateway::spawn_stepped().await;
    let ask = |host: &'static str| reqwest::Client::new().get(gateway.url("/outbox")).header("host", host).send();
    assert_eq!(ask("evil.example").await.unwrap().status(), 404);
    assert_eq!(ask("localhost:8080").await.unwrap().status(), 200);
    assert_eq!(ask("[::1]:8080").await.unwrap().status(), 200);
}

#[actix_web::test]
async fn the_console_weighs_less_than_it_may() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut weight = 0;
    for path in ["/static/console.css", "/static/figures.css", "/static/console.js"] {
        weight += reqwest::get(gateway.url(path)).await.unwrap().bytes().await.unwrap().len();
    }
    assert!(weight <= 120 * 1024, "{weight} bytes");
}
