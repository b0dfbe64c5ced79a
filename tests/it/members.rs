//! Who works for a tenant: invitations, roles, and leaving.

use std::time::Duration;

use serde_json::{Value, json};
use switchyard::gateway::SignIn;

use crate::person::{PASSWORD, Person, mailed_link, mailed_token, post};
use crate::support::TestGateway;
use crate::surfer::Surfer;

async fn invited(gateway: &TestGateway, owner: &Person, email: &str, role: &str) -> String {
    gateway.clock.advance(Duration::from_secs(1));
    let (status, answer) = owner.post("/dashboard/invitations", json!({ "email": email, "role": role })).await;
    assert_eq!(status, 201, "{answer}");
    mailed_token(gateway, &email.to_lowercase()).await
}

fn newcomer(token: &str) -> Value {
    json!({ "token": token, "password": PASSWORD, "firstName": "Bob", "lastName": "Ray" })
}

/// A new member of the owner's tenant.
async fn joined(gateway: &TestGateway, owner: &Person, email: &str, role: &str) -> Person {
    let token = invited(gateway, owner, email, role).await;
    let (status, answer) = post(gateway, "/dashboard/invitations/accept", newcomer(&token)).await;
    assert_eq!(status, 200, "{answer}");
    let token = answer["data"]["token"].as_str().unwrap().to_owned();
    Person { email: email.to_owned(), token, base_url: owner.base_url.clone() }
}

async fn user_id(owner: &Person, email: &str) -> String {
    let (_, list) = owner.get("/dashboard/members").await;
    let members = list["data"].as_array().unwrap();
    let member = members.iter().find(|member| member["email"] == email).unwrap_or_else(|| panic!("{list}"));
    member["userId"].as_str().unwrap().to_owned()
}

#[actix_web::test]
async fn who_is_invited_registers_with_an_address_that_is_proven_and_has_no_tenant_of_his_own() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let token = invited(&gateway, &ann, "Bob@Example.com", "developer").await;
    let shown = reqwest::get(gateway.url(&format!("/dashboard/invitations/accept?token={token}"))).await.unwrap();
    let shown: Value = shown.json().await.unwrap();
    assert_eq!(
        shown["data"],
        json!({ "companyName": "ann@example.com Ltd", "email": "bob@example.com", "role": "developer", "hasAccount": false })
    );
    let (_, waiting) = ann.get("/dashboard/invitations").await;
    assert_eq!(
        (&waiting["data"][0]["email"], waiting["data"].as_array().unwrap().len()),
        (&json!("bob@example.com"), 1)
    );
    assert!(!waiting.to_string().contains(&token));
    let stored = format!("SELECT COUNT(*) FROM invitations WHERE token_hash = '{token}'");
    assert_eq!(gateway.database.number(&stored), 0, "the token is kept as a hash alone");
    let weak = json!({ "token": token, "password": "short", "firstName": "Bob", "lastName": "" });
    let (status, answer) = post(&gateway, "/dashboard/invitations/accept", weak).await;
    assert_eq!((status, answer["message"].as_array().unwrap().len()), (400, 2));
    let (status, answer) = post(&gateway, "/dashboard/invitations/accept", newcomer(&token)).await;
    assert_eq!((status, &answer["data"]["user"]["role"]), (200, &json!("developer")));
    assert_eq!(answer["data"]["user"]["emailVerified"], true);
    assert_eq!(answer["data"]["user"]["companyName"], "ann@example.com Ltd");
    let (status, answer) = post(&gateway, "/dashboard/invitations/accept", newcomer(&token)).await;
    assert_eq!((status, &answer["code"]), (400, &json!("InvalidToken")), "a link is good once");
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM tenants WHERE is_operator = FALSE"), 1);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM users"), 2);
    let told = "SELECT COUNT(*) FROM audit_entries WHERE action IN ('invitation.created', 'invitation.accepted')";
    assert_eq!(gateway.database.number(told), 2);
    assert_eq!(gateway.database.number(&format!("SELECT COUNT(*) FROM audit_entries WHERE after LIKE '%{token}%'")), 0);
}

#[actix_web::test]
async fn who_has_an_account_accepts_with_it_and_moves_between_his_tenants() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    let eve = Person::registered(&gateway, "eve@example.com").await;
    let token = invited(&gateway, &ann, "bob@example.com", "viewer").await;
    let (status, _) = eve.post("/dashboard/invitations/accept", json!({ "token": token })).await;
    assert_eq!(status, 403, "it is another's");
    assert_eq!(post(&gateway, "/dashboard/invitations/accept", newcomer(&token)).await.0, 409);
    let wrong = json!({ "token": token, "password": "not the password" });
    assert_eq!(post(&gateway, "/dashboard/invitations/accept", wrong).await.0, 401);
    let (status, answer) = bob.post("/dashboard/invitations/accept", json!({ "token": token })).await;
    assert_eq!((status, &answer["data"]["user"]["companyName"]), (200, &json!("ann@example.com Ltd")));
    assert_eq!(answer["data"]["user"]["role"], "viewer");
    // The token of the tenant that the session has left says so no more.
    assert_eq!(bob.get("/dashboard/members").await.0, 401);
    let again = invited(&gateway, &eve, "bob@example.com", "viewer").await;
    let with_password = json!({ "token": again, "password": PASSWORD });
    let (status, answer) = post(&gateway, "/dashboard/invitations/accept", with_password).await;
    assert_eq!((status, &answer["data"]["user"]["companyName"]), (200, &json!("eve@example.com Ltd")));
}

#[actix_web::test]
async fn a_link_is_good_for_seven_days_until_it_is_taken_back_or_another_is_sent() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let first = invited(&gateway, &ann, "bob@example.com", "viewer").await;
    let second = invited(&gateway, &ann, "bob@example.com", "developer").await;
    let good = |token: String| {
        let url = gateway.url(&format!("/dashboard/invitations/accept?token={token}"));
        async move { reqwest::get(url).await.unwrap().status().as_u16() }
    };
    assert_eq!((good(first).await, good(second.clone()).await), (400, 200));
    let (_, waiting) = ann.get("/dashboard/invitations").await;
    let path = format!("/dashboard/invitations/{}", waiting["data"][0]["id"].as_str().unwrap());
    let bob = Person::registered(&gateway, "other@example.com").await;
    assert_eq!(bob.call("DELETE", &path, None).await.0, 404, "it is another tenant's");
    assert_eq!(ann.call("DELETE", &path, None).await.0, 200);
    assert_eq!(ann.call("DELETE", &path, None).await.0, 404);
    assert_eq!(good(second).await, 400);
    let third = invited(&gateway, &ann, "bob@example.com", "viewer").await;
    gateway.clock.advance(Duration::from_secs(7 * 24 * 3600));
    assert_eq!(post(&gateway, "/dashboard/invitations/accept", newcomer(&third)).await.0, 400);
    assert_eq!(good("rubbish".to_owned()).await, 400);
}

#[actix_web::test]
async fn owners_alone_change_who_works_for_a_tenant() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let developer = joined(&gateway, &ann, "dev@example.com", "developer").await;
    let viewer = joined(&gateway, &ann, "vera@example.com", "viewer").await;
    let stranger = Person::registered(&gateway, "eve@example.com").await;
    let vera = format!("/dashboard/members/{}", user_id(&ann, "vera@example.com").await);
    for person in [&developer, &viewer] {
        assert_eq!(person.get("/dashboard/members").await.1["data"].as_array().unwrap().len(), 3);
        assert_eq!(person.get("/dashboard/invitations").await.0, 403);
        let invitation = json!({ "email": "new@example.com", "role": "owner" });
        assert_eq!(person.post("/dashboard/invitations", invitation).await.0, 403);
        assert_eq!(person.call("PATCH", &vera, Some(json!({ "role": "owner" }))).await.0, 403);
        assert_eq!(person.call("DELETE", &vera, None).await.0, 403);
    }
    assert_eq!(stranger.call("PATCH", &vera, Some(json!({ "role": "viewer" }))).await.0, 404);
    assert_eq!(stranger.call("DELETE", &vera, None).await.0, 404);
    let already = json!({ "email": "vera@example.com", "role": "owner" });
    assert_eq!(ann.post("/dashboard/invitations", already).await.0, 409);
    let nonsense = json!({ "email": "nobody", "role": "king" });
    assert_eq!(ann.post("/dashboard/invitations", nonsense).await.0, 400);
    assert_eq!(ann.call("PATCH", &vera, Some(json!({ "role": "developer" }))).await.0, 200);
    assert_eq!(viewer.get("/dashboard/auth/me").await.1["data"]["user"]["role"], "developer");
}

#[actix_web::test]
async fn the_last_owner_stays() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bob = joined(&gateway, &ann, "bob@example.com", "developer").await;
    let own = format!("/dashboard/members/{}", user_id(&ann, "ann@example.com").await);
    for role in ["developer", "viewer"] {
        let (status, answer) = ann.call("PATCH", &own, Some(json!({ "role": role }))).await;
        assert_eq!((status, &answer["code"]), (409, &json!("LastOwner")));
    }
    assert_eq!(ann.call("DELETE", &own, None).await.1["code"], "LastOwner");
    let other = format!("/dashboard/members/{}", user_id(&ann, "bob@example.com").await);
    assert_eq!(ann.call("PATCH", &other, Some(json!({ "role": "owner" }))).await.0, 200);
    // Two owners who remove each other at once: one of them stays.
    let (first, second) = tokio::join!(ann.call("DELETE", &other, None), bob.call("DELETE", &own, None));
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses[0], 200, "{first:?} {second:?}");
    assert!(statuses[1] != 200, "{first:?} {second:?}");
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM members WHERE role = 'owner'"), 1);
}

#[actix_web::test]
async fn who_is_removed_is_out_of_this_tenant_at_once_and_of_no_other() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bob = joined(&gateway, &ann, "bob@example.com", "developer").await;
    let eve = Person::registered(&gateway, "eve@example.com").await;
    let elsewhere = Person::registered(&gateway, "sam@example.com").await;
    let token = invited(&gateway, &ann, "sam@example.com", "developer").await;
    let here = Person::signed_in(&gateway, "sam@example.com").await;
    let (_, answer) = here.post("/dashboard/invitations/accept", json!({ "token": token })).await;
    let here = Person { token: answer["data"]["token"].as_str().unwrap().to_owned(), ..here };
    for email in ["bob@example.com", "sam@example.com"] {
        let path = format!("/dashboard/members/{}", user_id(&ann, email).await);
        assert_eq!(ann.call("DELETE", &path, None).await.0, 200);
        assert_eq!(ann.call("DELETE", &path, None).await.0, 404);
    }
    assert_eq!((bob.get("/dashboard/auth/me").await.0, here.get("/dashboard/auth/me").await.0), (401, 401));
    assert_eq!(elsewhere.get("/dashboard/auth/me").await.0, 200);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM audit_entries WHERE action = 'member.removed'"), 2);
    // Who has no tenant left cannot sign in, but can be invited again.
    let body = json!({ "email": "bob@example.com", "password": PASSWORD });
    assert_eq!(post(&gateway, "/dashboard/auth/login", body.clone()).await.0, 403);
    let token = invited(&gateway, &eve, "bob@example.com", "viewer").await;
    let accept = json!({ "token": token, "password": PASSWORD });
    assert_eq!(post(&gateway, "/dashboard/invitations/accept", accept).await.0, 200);
    assert_eq!(post(&gateway, "/dashboard/auth/login", body).await.0, 200);
}

#[actix_web::test]
async fn members_are_invited_and_join_by_pages() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let page = "/console/members";
    ann.get(page).await.has("<a href=\"/console/members\" aria-current=\"page\">Members</a>");
    let again = ann.submit(page, "/console/members/invite", &[("email", "nobody"), ("role", "viewer")]).await;
    assert_eq!(again.has("E-mail must be").has("value=\"nobody\"").status, 400);
    gateway.clock.advance(Duration::from_secs(1));
    ann.submit(page, "/console/members/invite", &[("email", "bob@example.com"), ("role", "viewer")])
        .await
        .leads_to("/console/members?done=invited");
    ann.get("/console/members?done=invited").await.has("on its way").has("Invitations that wait");
    let link = mailed_link(&gateway, "bob@example.com").await;
    let path = link.strip_prefix(&gateway.server.url()).unwrap();
    ann.get(path).await.has("You are signed in as ann@example.com").lacks(">Accept<");
    let mut bob = Surfer::at(&gateway);
    let token = bob.get(path).await.has("ann@example.com Ltd").has("as viewer").hidden("token");
    let form = [("token", token.as_str()), ("firstName", "Bob"), ("lastName", "<i>Ray"), ("password", "short")];
    let again = bob.submit(path, "/invitation/join", &form).await;
    assert_eq!(again.has("Password must have").has("&#60;i&#62;Ray").status, 400);
    let form = [&form[..3], &[("password", PASSWORD)]].concat();
    bob.submit(path, "/invitation/join", &form).await.leads_to("/console/members?done=joined");
    bob.get("/console/members?done=joined").await.has("Welcome").has("&#60;i&#62;Ray").lacks("Invite somebody");
    let path = "/console/members/invite";
    assert_eq!(bob.submit(page, path, &[("email", "x@example.com"), ("role", "owner")]).await.status, 403);
    // An account that is there already, signed in, moves between its tenants by the header.
    Surfer::registered(&gateway, "sam@example.com").await;
    gateway.clock.advance(Duration::from_secs(1));
    ann.submit(page, "/console/members/invite", &[("email", "sam@example.com"), ("role", "owner")]).await;
    let link = mailed_link(&gateway, "sam@example.com").await;
    let path = link.strip_prefix(&gateway.server.url()).unwrap();
    let mut sam = Surfer::at(&gateway);
    sam.get(path).await.has("You have an account");
    let mut sam = Surfer::signed_in(&gateway, "sam@example.com").await;
    let token = sam.get(path).await.has(">Accept<").hidden("token");
    sam.submit(path, "/invitation/accept", &[("token", &token)]).await.leads_to("/console/members?done=joined");
    assert_eq!(sam.get(path).await.has("This invitation is spent").status, 400);
    let home = sam.get("/console").await;
    let (_, rest) = home.has("ann@example.com Ltd").text.split_once("name=\"tenant\" value=\"").unwrap();
    let other = rest.split('"').next().unwrap().to_owned();
    sam.submit("/console", "/console/tenant", &[("tenant", &other)]).await.leads_to("/console");
    sam.get("/console").await.has("owner of sam@example.com Ltd");
    let mut eve = Surfer::registered(&gateway, "eve@example.com").await;
    assert_eq!(eve.submit("/console", "/console/tenant", &[("tenant", &other)]).await.status, 404);
    // The last owner is told so on the page.
    let own = eve.get(page).await.hidden("member");
    let refused = eve.submit(page, "/console/members/remove", &[("member", &own)]).await;
    assert_eq!(refused.has("at least one owner").status, 409);
}

#[actix_web::test]
async fn a_stranger_with_the_link_still_needs_the_password_of_the_account() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    Person::registered(&gateway, "bob@example.com").await;
    let token = invited(&gateway, &ann, "bob@example.com", "owner").await;
    let guess = || SignIn {
        email: "ann@example.com".to_owned(),
        password: switchyard::domain::secrets::Secret::new(PASSWORD.to_owned() + "?"),
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        user_agent: String::new(),
        totp_code: None,
    };
    let refused = gateway.server.gateway.sign_in_invited(&token, guess()).await.unwrap_err();
    assert_eq!(refused.status(), 401);
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM invitations WHERE accepted_at IS NOT NULL"), 0);
}

#[actix_web::test]
async fn a_member_leaves_by_himself_and_the_last_owner_cannot() {
    let gateway = TestGateway::spawn_stepped().await;
    let ann = Person::registered(&gateway, "ann@example.com").await;
    let bob = Person::registered(&gateway, "bob@example.com").await;
    // Bob has a tenant of his own; Sam has none but Ann's.
    let token = invited(&gateway, &ann, "bob@example.com", "viewer").await;
    let (status, answer) = bob.post("/dashboard/invitations/accept", json!({ "token": token })).await;
    assert_eq!(status, 200, "{answer}");
    let tenant = gateway.database.texts("SELECT tenant_id AS text FROM members ORDER BY created_at")[0].clone();
    let mut bob_here = Surfer::signed_in(&gateway, "bob@example.com").await;
    joined(&gateway, &ann, "sam@example.com", "owner").await;
    joined(&gateway, &ann, "eve@example.com", "developer").await;
    let mut ann_here = Surfer::signed_in(&gateway, "ann@example.com").await;
    let leave = async |who: &mut Surfer, tenant: &str| {
        who.submit("/console/settings", "/console/settings/leave", &[("tenant", tenant)]).await
    };

    // A page that was loaded before the session moved to another tenant leaves nothing by mistake.
    bob_here.submit("/console", "/console/tenant", &[("tenant", &tenant)]).await.leads_to("/console");
    assert_eq!(leave(&mut bob_here, "ten_01k7v3m2q8d4r5s6t7v8w9x0yz").await.status, 404);
    bob_here.get("/console/settings").await.has("Leave ann@example.com Ltd").has(&tenant);
    let mut elsewhere = Surfer::signed_in(&gateway, "bob@example.com").await;
    elsewhere.submit("/console", "/console/tenant", &[("tenant", &tenant)]).await.leads_to("/console");
    leave(&mut bob_here, &tenant).await.leads_to("/console");
    bob_here.get("/console").await.has("bob@example.com Ltd").lacks("ann@example.com Ltd");
    elsewhere.get("/console").await.leads_to("/login");
    let again = bob_here.submit("/console", "/console/tenant", &[("tenant", &tenant)]).await;
    assert_eq!(again.status, 404);

    let mut eve_here = Surfer::signed_in(&gateway, "eve@example.com").await;
    leave(&mut eve_here, &tenant).await.leads_to("/login");
    eve_here.get("/console").await.leads_to("/login");

    // Of two owners one may go; the other is the last.
    let mut sam_here = Surfer::signed_in(&gateway, "sam@example.com").await;
    leave(&mut ann_here, &tenant).await.leads_to("/login");
    sam_here.get("/console/settings").await.has("You are its only owner").lacks("/console/settings/leave");
    let refused = sam_here.submit("/console", "/console/settings/leave", &[("tenant", &tenant)]).await;
    assert_eq!(refused.status, 409);
    sam_here.get("/console/audit").await.has("member.left");
    assert_eq!(gateway.count("audit_entries WHERE action = 'member.left'"), 3);
    assert_eq!(gateway.count(&format!("members WHERE tenant_id = '{tenant}'")), 1);
}
