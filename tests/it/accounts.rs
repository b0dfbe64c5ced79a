//! People at the door: registering, coming in, a lost password, signing out.

use std::time::Duration;

use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::person::{PASSWORD, Person, mailed_token, post};
use crate::support::TestGateway;
use crate::surfer::Surfer;

fn registration(email: &str) -> Value {
    json!({ "email": email, "password": PASSWORD, "firstName": "Ann", "lastName": "Lee", "companyName": "Ann's shop" })
}

#[actix_web::test]
async fn a_person_registers_and_works_in_sandbox_at_once() {
    let gateway = TestGateway::spawn_stepped().await;
    let (status, answer) = post(&gateway, "/dashboard/auth/register", registration("Ann@Example.com")).await;
    assert_eq!((status, &answer["success"], &answer["statusCode"]), (201, &json!(true), &json!(201)));
    let ann = Person::signed_in(&gateway, "ann@example.com").await;
    let (status, me) = ann.get("/dashboard/auth/me").await;
    assert_eq!(status, 200);
    assert_eq!(me["data"]["mode"], "test");
    assert_eq!(me["data"]["environment"], "sandbox");
    assert_eq!(me["data"]["user"]["role"], "owner");
    assert_eq!(me["data"]["user"]["emailVerified"], false);
    let token = mailed_token(&gateway, "ann@example.com").await;
    let link = gateway.url(&format!("/dashboard/auth/verify?token={token}"));
    assert_eq!(reqwest::get(&link).await.unwrap().status(), 200);
    assert_eq!(ann.get("/dashboard/auth/me").await.1["data"]["user"]["emailVerified"], true);
    assert_eq!(reqwest::get(&link).await.unwrap().status(), 400, "a link is good once");
}

#[actix_web::test]
async fn one_answer_names_every_fault_of_a_registration() {
    let gateway = TestGateway::spawn_stepped().await;
    let body = json!({ "email": "nobody", "password": "short", "firstName": "", "companyName": "x", "mode": "live" });
    let (status, answer) = post(&gateway, "/dashboard/auth/register", body).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ValidationError")));
    let messages = answer["message"].to_string();
    for field in ["email: ", "password: ", "firstName: ", "lastName: missing", "mode: "] {
        assert!(messages.contains(field), "{field} is not in {messages}");
    }
}

#[actix_web::test]
async fn nobody_learns_whether_an_address_has_an_account() {
    let gateway = TestGateway::spawn_stepped().await;
    let first = post(&gateway, "/dashboard/auth/register", registration("ann@example.com")).await;
    let again = post(&gateway, "/dashboard/auth/register", registration("ann@example.com")).await;
    assert_eq!(first, again);
    let other = json!({ "email": "ann@example.com", "password": "another password" });
    let unknown = json!({ "email": "bob@example.com", "password": "another password" });
    let (status, mut wrong) = post(&gateway, "/dashboard/auth/login", other).await;
    let (unknown_status, mut stranger) = post(&gateway, "/dashboard/auth/login", unknown).await;
    for answer in [&mut wrong, &mut stranger] {
        answer.as_object_mut().unwrap().retain(|name, _| !name.to_lowercase().starts_with("request"));
    }
    assert_eq!((status, &wrong), (401, &stranger));
    assert_eq!((unknown_status, &wrong["code"]), (401, &json!("InvalidCredentials")));
    let known = post(&gateway, "/dashboard/auth/forgot-password", json!({ "email": "ann@example.com" })).await;
    let nobody = post(&gateway, "/dashboard/auth/forgot-password", json!({ "email": "bob@example.com" })).await;
    assert_eq!(known, nobody);
    // The second registration changed nothing: the first password is still the one.
    Person::signed_in(&gateway, "ann@example.com").await;
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM tenants WHERE NOT is_operator"), 1);
}

#[actix_web::test]
async fn the_eleventh_try_in_a_minute_waits() {
    let gateway = TestGateway::spawn_stepped().await;
    let body = json!({ "email": "ann@example.com", "password": "not the password" });
    for _ in 0..10 {
        assert_eq!(post(&gateway, "/dashboard/auth/login", body.clone()).await.0, 401);
    }
    let response = reqwest::Client::new().post(gateway.url("/dashboard/auth/login")).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 429);
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("ratelimit-policy"), "\"minute\";q=10;w=60");
    assert_eq!(header("ratelimit"), format!("\"minute\";r=0;t={}", header("retry-after")));
    assert_eq!((header("ratelimit-limit"), header("ratelimit-remaining")), ("10".to_owned(), "0".to_owned()));
    let wait: u64 = header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait));
    let answer: Value = response.json().await.unwrap();
    assert_eq!(answer["retryAfterSeconds"], wait);
    // Another address of mail is not held up by it.
    let other = json!({ "email": "bob@example.com", "password": "not the password" });
    assert_eq!(post(&gateway, "/dashboard/auth/login", other).await.0, 401);
}

#[actix_web::test]
async fn every_answer_of_a_limited_route_says_what_is_left() {
    let gateway = TestGateway::spawn_stepped().await;
    let client = reqwest::Client::new();
    let header = |headers: &HeaderMap, name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
    // What is left, given that the clock may have added one or two meanwhile.
    let is_told = |headers: &HeaderMap, at_least: u32| {
        let remaining: u32 = header(headers, "ratelimit-remaining").unwrap().parse().unwrap();
        assert!((at_least..at_least + 3).contains(&remaining), "{headers:?}");
        assert_eq!(header(headers, "ratelimit-policy").unwrap(), "\"minute\";q=10;w=60");
        let state = format!("\"minute\";r={remaining};t={}", (10 - remaining) * 6);
        assert_eq!(header(headers, "ratelimit").unwrap(), state);
    };
    let ask = async |path: &str, email: &str, more: Value| {
        let mut body = more;
        body["email"] = email.into();
        let response = client.post(gateway.url(path)).json(&body).send().await.unwrap();
        (response.status().as_u16(), response.headers().clone())
    };
    let (login, forgot) = ("/dashboard/auth/login", "/dashboard/auth/forgot-password");
    let right = json!({ "password": PASSWORD });
    for (path, email, body, status, at_least) in [
        ("/dashboard/auth/register", "ann@example.com", registration(""), 201, 9),
        (login, "ann@example.com", right.clone(), 200, 8),
        (login, "ann@example.com", json!({ "password": "wrong" }), 401, 7),
        // It says no more of an address without an account.
        (login, "bob@example.com", right, 401, 9),
        (forgot, "bob@example.com", json!({}), 200, 8),
    ] {
        let (found, headers) = ask(path, email, body).await;
        assert_eq!(found, status, "{path} {email}");
        is_told(&headers, at_least);
    }
    // What is not counted is not told of.
    let (status, headers) = ask(login, "bob@example.com", json!({ "more": 1 })).await;
    assert_eq!((status, headers.get("ratelimit")), (400, None));
    let page = client.get(gateway.url("/login")).send().await.unwrap();
    assert!(!page.headers().contains_key("ratelimit"));
    // The pages say it as well.
    let mut surfer = Surfer::at(&gateway);
    let seen = surfer.submit("/login", "/login", &[("email", "ann@example.com"), ("password", "wrong")]).await;
    assert_eq!(seen.status, 401);
    is_told(&seen.headers, 6);
    let seen = surfer.submit("/forgot", "/forgot", &[("email", "ann@example.com")]).await;
    assert_eq!(seen.status, 200);
    is_told(&seen.headers, 5);
    // Of the network's address, once less is left of that.
    for number in 0..200 {
        let (_, headers) = ask(forgot, &format!("number{number}@example.com"), json!({})).await;
        if header(&headers, "ratelimit-limit").unwrap() == "60" {
            assert!(header(&headers, "ratelimit-remaining").unwrap().parse::<u32>().unwrap() <= 9);
            return;
        }
    }
    panic!("the address is never what is told of");
}

#[actix_web::test]
async fn a_new_password_ends_every_session() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    gateway.clock.advance(Duration::from_secs(1));
    post(&gateway, "/dashboard/auth/forgot-password", json!({ "email": ann.email })).await;
    let token = mailed_token(&gateway, &ann.email).await;
    let weak = json!({ "token": token, "password": "short" });
    assert_eq!(post(&gateway, "/dashboard/auth/reset-password", weak).await.0, 400);
    let new = json!({ "token": token, "password": "a quite new password" });
    assert_eq!(post(&gateway, "/dashboard/auth/reset-password", new.clone()).await.0, 200);
    assert_eq!(post(&gateway, "/dashboard/auth/reset-password", new).await.0, 400, "a link is good once");
    assert_eq!(ann.get("/dashboard/auth/me").await.0, 401);
    let old = json!({ "email": ann.email, "password": PASSWORD });
    assert_eq!(post(&gateway, "/dashboard/auth/login", old).await.0, 401);
    let new = json!({ "email": ann.email, "password": "a quite new password" });
    assert_eq!(post(&gateway, "/dashboard/auth/login", new).await.0, 200);
}

#[actix_web::test]
async fn a_link_to_a_new_password_is_good_for_an_hour() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    gateway.clock.advance(Duration::from_secs(1));
    post(&gateway, "/dashboard/auth/forgot-password", json!({ "email": ann.email })).await;
    let token = mailed_token(&gateway, &ann.email).await;
    gateway.clock.advance(Duration::from_secs(3601));
    let body = json!({ "token": token, "password": "a quite new password" });
    assert_eq!(post(&gateway, "/dashboard/auth/reset-password", body).await.0, 400);
}

#[actix_web::test]
async fn signing_out_ends_the_token_and_everywhere_ends_all() {
    let gateway = TestGateway::spawn_stepped().await;
    let desk = Person::registered(&gateway, "ann@example.com").await;
    let phone = Person::signed_in(&gateway, "ann@example.com").await;
    let tablet = Person::signed_in(&gateway, "ann@example.com").await;
    assert_eq!(desk.post("/dashboard/auth/logout", json!({})).await.0, 200);
    assert_eq!(desk.get("/dashboard/auth/me").await.1["code"], "InvalidJwt");
    assert_eq!(phone.get("/dashboard/auth/me").await.0, 200);
    assert_eq!(phone.post("/dashboard/auth/logout", json!({ "everywhere": true })).await.0, 200);
    assert_eq!(tablet.get("/dashboard/auth/me").await.0, 401);
}

#[actix_web::test]
async fn a_token_expires_in_an_hour_and_can_be_renewed_before() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    gateway.clock.advance(Duration::from_secs(3599));
    let (status, renewed) = ann.post("/dashboard/auth/refresh", json!({})).await;
    assert_eq!(status, 200);
    gateway.clock.advance(Duration::from_secs(2));
    assert_eq!(ann.get("/dashboard/auth/me").await.1["code"], "JwtExpired");
    let renewed = Person { token: renewed["data"]["token"].as_str().unwrap().to_owned(), ..ann };
    assert_eq!(renewed.get("/dashboard/auth/me").await.0, 200);
}

#[actix_web::test]
async fn without_a_credential_nothing_is_told() {
    let gateway = TestGateway::spawn_stepped().await;
    let url = gateway.url("/dashboard/auth/me");
    let answer: Value = reqwest::get(&url).await.unwrap().json().await.unwrap();
    assert_eq!(answer["code"], "AuthenticationRequired");
    let client = reqwest::Client::new();
    let answer: Value = client.get(&url).bearer_auth("a.b.c").send().await.unwrap().json().await.unwrap();
    assert_eq!(answer["code"], "InvalidJwt");
    let switch = client.post(gateway.url("/v1/auth/switch-mode")).header("x-api-key", "pk_test_x.y");
    let answer: Value = switch.json(&json!({ "mode": "sandbox" })).send().await.unwrap().json().await.unwrap();
    assert_eq!((&answer["code"], &answer["statusCode"]), (&json!("ModeSwitchNotAllowed"), &json!(400)));
}

#[actix_web::test]
async fn a_member_moves_within_sandbox_and_not_into_production() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let sandbox = ann.in_mode("sandbox").await;
    assert_eq!(sandbox.get("/dashboard/auth/me").await.1["data"]["mode"], "sandbox");
    let (status, answer) = ann.post("/v1/auth/switch-mode", json!({ "mode": "live" })).await;
    assert_eq!((status, &answer["code"]), (400, &json!("ProductionAccessNotApproved")));
    assert!(answer["detail"].as_str().unwrap().contains("plan"), "{answer}");
}

#[actix_web::test]
async fn a_server_that_others_reach_takes_no_sign_ups_without_mail() {
    for public_url in ["https://pay.example.com", "http://pay.example.com", "https://127.0.0.1"] {
        let gateway = TestGateway::spawn_with(switchyard::clock::Clock::system(), false, |settings| {
            settings.public_url = public_url.to_owned();
        })
        .await;
        let (status, answer) = post(&gateway, "/dashboard/auth/register", registration("ann@example.com")).await;
        assert_eq!((status, &answer["code"]), (403, &json!("SignUpClosed")), "{public_url}");
        assert_eq!(reqwest::get(gateway.url("/outbox")).await.unwrap().status(), 404);
    }
}
