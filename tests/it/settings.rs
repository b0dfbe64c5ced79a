//! What people change about themselves: name, time zone, password, sessions, and a second factor.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::domain::secrets::Secret;
use switchyard::domain::totp;
use totp_rs::Builder;

use crate::person::{PASSWORD, Person, post};
use crate::support::TestGateway;
use crate::surfer::Surfer;

/// What an authenticator app with this secret shows at the gateway's time.
fn code_of(gateway: &TestGateway, base32: &str) -> String {
    let secret = totp_rs::Secret::try_from_base32(base32.replace(' ', "")).unwrap();
    let seconds = u64::try_from(gateway.clock.now().unix_seconds()).unwrap();
    Builder::new().with_secret(secret).build().unwrap().generate(seconds).to_string()
}

async fn login(gateway: &TestGateway, code: Option<&str>) -> (u16, Value) {
    let mut body = json!({ "email": "ann@example.com", "password": PASSWORD });
    if let Some(code) = code {
        body["totpCode"] = code.into();
    }
    post(gateway, "/dashboard/auth/login", body).await
}

#[actix_web::test]
async fn name_and_time_zone_are_changed_and_shown() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let page = ann.get("/console/settings").await;
    page.has("value=\"Ann\"").has("data-local").has("<option>Asia/Jakarta</option>");
    let form = [("firstName", "Anne"), ("lastName", "O'Lee"), ("timeZone", "Asia/Jakarta")];
    ann.submit("/console/settings", "/console/settings/profile", &form)
        .await
        .leads_to("/console/settings?done=profile");
    let page = ann.get("/console/settings?done=profile").await;
    page.has("are saved")
        .has("value=\"Anne\"")
        .has("<option selected>Asia/Jakarta</option>")
        .has("WIB")
        .lacks("data-local");
    for (field, value) in [("firstName", ""), ("timeZone", "Mars/Olympus")] {
        let mut form = form;
        form.iter_mut().filter(|(name, _)| *name == field).for_each(|pair| pair.1 = value);
        assert_eq!(ann.submit("/console/settings", "/console/settings/profile", &form).await.status, 400, "{field}");
    }
    let form = [("firstName", "Anne"), ("lastName", "Lee"), ("timeZone", "")];
    ann.submit("/console/settings", "/console/settings/profile", &form).await;
    ann.get("/console/settings").await.has("data-local");
    let renamed = "SELECT COUNT(*) FROM audit_entries WHERE action = 'user.renamed'";
    assert_eq!(gateway.database.number(renamed), 3);
}

#[actix_web::test]
async fn a_new_password_wants_the_old_one_and_ends_the_other_sessions() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut desk = Surfer::registered(&gateway, "ann@example.com").await;
    let mut phone = Surfer::signed_in(&gateway, "ann@example.com").await;
    let change = |current: &'static str, new: &'static str| [("currentPassword", current), ("newPassword", new)];
    let path = "/console/settings/password";
    let wrong = desk.submit("/console/settings", path, &change("not the password", "a quite new password")).await;
    assert_eq!(wrong.has("Present password is wrong").status, 400);
    let weak = desk.submit("/console/settings", path, &change(PASSWORD, "short")).await;
    assert_eq!(weak.has("New password must have").status, 400);
    phone.get("/console").await.has("Overview");
    let done = desk.submit("/console/settings", path, &change(PASSWORD, "a quite new password")).await;
    done.leads_to("/console/settings?done=password");
    desk.get("/console").await.has("Overview");
    phone.get("/console").await.leads_to("/login");
    assert_eq!(phone.sign_in("ann@example.com", PASSWORD).await.status, 401);
    phone.sign_in("ann@example.com", "a quite new password").await.leads_to("/console");
}

#[actix_web::test]
async fn a_session_is_ended_by_its_own_person_alone() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut desk = Surfer::registered(&gateway, "ann@example.com").await;
    gateway.clock.advance(Duration::from_secs(1));
    let mut phone = Surfer::signed_in(&gateway, "ann@example.com").await;
    let mut bob = Surfer::registered(&gateway, "bob@example.com").await;
    let page = desk.get("/console/settings").await;
    let (_, rest) = page.text.split_once("name=\"session\" value=\"").unwrap();
    let session = rest.split('"').next().unwrap();
    let end = [("session", session)];
    assert_eq!(bob.submit("/console/settings", "/console/settings/sessions/end", &end).await.status, 404);
    phone.get("/console").await.has("Overview");
    desk.submit("/console/settings", "/console/settings/sessions/end", &end)
        .await
        .leads_to("/console/settings?done=session");
    let ended = [phone.get("/console").await.status, desk.get("/console").await.status];
    assert_eq!(ended.iter().filter(|status| **status == 303).count(), 1, "one of the two has ended: {ended:?}");
}

/// Enrols a second factor; answers with its secret.
async fn enrolled(ann: &Person) -> String {
    let (status, enrolment) = ann.post("/dashboard/auth/totp", json!({})).await;
    assert_eq!(status, 201);
    let secret = enrolment["data"]["secret"].as_str().unwrap();
    let url = enrolment["data"]["otpauthUrl"].as_str().unwrap();
    assert!(url.starts_with("otpauth://totp/Switchyard:ann@example.com?secret=") && url.contains(secret), "{url}");
    secret.to_owned()
}

#[actix_web::test]
async fn a_second_factor_is_asked_for_and_no_code_is_good_twice() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let secret = enrolled(&ann).await;
    assert_eq!(ann.post("/dashboard/auth/totp/confirm", json!({ "code": "000000" })).await.0, 400);
    let code = code_of(&gateway, &secret);
    assert_eq!(ann.post("/dashboard/auth/totp/confirm", json!({ "code": code })).await.0, 200);
    assert_eq!(ann.post("/dashboard/auth/totp", json!({})).await.0, 409);
    let (status, answer) = login(&gateway, None).await;
    assert_eq!((status, &answer["code"]), (401, &json!("TotpRequired")));
    assert_eq!(login(&gateway, Some(&code)).await.1["code"], "InvalidCredentials", "it was used to confirm");
    assert_eq!(login(&gateway, Some("000000")).await.1["code"], "InvalidCredentials");
    gateway.clock.advance(Duration::from_secs(30));
    let next = code_of(&gateway, &secret);
    assert_eq!(login(&gateway, Some(&next)).await.0, 200);
    assert_eq!(login(&gateway, Some(&next)).await.1["code"], "InvalidCredentials");
    assert_eq!(login(&gateway, Some(&code)).await.1["code"], "InvalidCredentials", "nor one from before it");
}

#[actix_web::test]
async fn a_second_factor_counts_from_when_it_is_confirmed_until_the_password_takes_it_away() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    enrolled(&ann).await;
    let secret = enrolled(&ann).await;
    assert_eq!(login(&gateway, None).await.0, 200, "it is not confirmed yet");
    let confirm = json!({ "code": code_of(&gateway, &secret) });
    assert_eq!(ann.post("/dashboard/auth/totp/confirm", confirm).await.0, 200);
    // A wrong password is not told from a wrong code.
    let wrong = json!({ "email": "ann@example.com", "password": "not the password" });
    assert_eq!(post(&gateway, "/dashboard/auth/login", wrong).await.1["code"], "InvalidCredentials");
    let leaked = format!("SELECT COUNT(*) FROM users WHERE totp_sealed LIKE '%{secret}%'");
    assert_eq!(gateway.database.number(&leaked), 0);
    assert_eq!(ann.call("DELETE", "/dashboard/auth/totp", Some(json!({ "password": "no" }))).await.0, 400);
    assert_eq!(ann.call("DELETE", "/dashboard/auth/totp", Some(json!({ "password": PASSWORD }))).await.0, 200);
    assert_eq!(login(&gateway, None).await.0, 200);
    let told = "SELECT COUNT(*) FROM audit_entries WHERE action IN ('user.totp_enabled', 'user.totp_disabled')";
    assert_eq!(gateway.database.number(told), 2);
}

#[actix_web::test]
async fn a_second_factor_is_set_up_and_used_by_pages() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let page = ann.submit("/console/settings", "/console/settings/totp", &[]).await;
    assert_eq!(page.status, 200);
    let (_, rest) = page.has("<svg class=\"qr\"").text.split_once("<code id=\"secret\">").unwrap();
    let secret = rest.split('<').next().unwrap().to_owned();
    let wrong = ann.submit("/console/settings", "/console/settings/totp/confirm", &[("code", "12")]).await;
    assert_eq!(wrong.has("Code is wrong").lacks(&secret).status, 400);
    let code = code_of(&gateway, &secret);
    ann.submit("/console/settings", "/console/settings/totp/confirm", &[("code", &code)])
        .await
        .leads_to("/console/settings?done=factor-on");
    ann.get("/console/settings").await.has("Turn it off");
    gateway.clock.advance(Duration::from_secs(30));
    let mut phone = Surfer::at(&gateway);
    let asked = phone.sign_in("ann@example.com", PASSWORD).await;
    assert_eq!(asked.has("name=\"totpCode\"").status, 401);
    let code = code_of(&gateway, &secret);
    let form = [("email", "ann@example.com"), ("password", PASSWORD), ("totpCode", code.as_str())];
    phone.submit("/login", "/login", &form).await.leads_to("/console");
    let off = [("password", PASSWORD)];
    ann.submit("/console/settings", "/console/settings/totp/disable", &off)
        .await
        .leads_to("/console/settings?done=factor-off");
    Surfer::signed_in(&gateway, "ann@example.com").await;
}

#[test]
fn the_enrolled_secret_is_as_long_as_the_rfc_wants() {
    let secret: Secret = totp::generate();
    assert_eq!(totp::to_base32(&secret).len(), 32);
}
