//! The page that leads a tenant to Production, from the first step to the green header.

use switchyard::gateway::Decision;

use crate::support::TestGateway;
use crate::surfer::Surfer;

const PAGE: &str = "/console/production";

#[actix_web::test]
async fn an_owner_is_led_to_production_step_by_step() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let verified = "UPDATE users SET email_verified_at";
    gateway.database.execute(&format!("{verified} = NULL")).unwrap();
    let page = ann.get(PAGE).await;
    page.has("Your plan: free").has("0 of 100").has("Follow the link in the mail").lacks("Make Production</button>");
    gateway.database.execute(&format!("{verified} = 1")).unwrap();
    ann.get(PAGE).await.lacks("Follow the link in the mail").has("tenants plan");

    let form = [("legalName", "Ann Ltd"), ("country", "atlantis"), ("registrationNumber", "")];
    let refused = ann.submit(PAGE, "/console/production/company", &form).await;
    assert_eq!(refused.status, 400);
    refused.has("Tick the box").has("value=\"Ann Ltd\"").has("id=\"country\" name=\"country\"").has("aria-invalid");
    let form = [("legalName", "Ann Ltd"), ("country", "id"), ("registrationNumber", "77"), ("termsAccepted", "1")];
    ann.submit(PAGE, "/console/production/company", &form).await.leads_to("/console/production?done=company");
    let refused = ann.submit(PAGE, "/console/production/access", &[("companyName", "Ann Ltd")]).await;
    assert_eq!(refused.status, 400);
    let form = [("companyName", "Ann Ltd"), ("expectedMonthlyVolume", "20 payments")];
    ann.submit(PAGE, "/console/production/access", &form).await.leads_to("/console/production?done=access");
    ann.get(PAGE).await.has("in hand").has("You get a mail").lacks("Ask for access</button>");

    let operator = &gateway.server.gateway;
    let reject = Decision::Reject { reason: "no such register".to_owned() };
    operator.decide("ann@example.com", reject).await.unwrap();
    ann.get(PAGE).await.has("no such register").has("Ask for access</button>");
    ann.submit(PAGE, "/console/production/company", &company()).await;
    ann.submit(PAGE, "/console/production/access", &form).await;
    let approve = Decision::Approve { plan: Some("pilot".to_owned()) };
    operator.decide("ann@example.com", approve).await.unwrap();
    gateway.step().await;
    let page = ann.get(PAGE).await;
    page.has("Your plan: pilot").has("0 of 10,000").has("Switch to Production").lacks(">next<");
    ann.submit(PAGE, "/console/mode", &[("mode", "live"), ("next", PAGE)]).await.leads_to(PAGE);
    ann.get(PAGE).await.lacks("No real money moves");
}

fn company() -> [(&'static str, &'static str); 4] {
    [("legalName", "Ann Ltd"), ("country", "ID"), ("registrationNumber", "78"), ("termsAccepted", "1")]
}

#[actix_web::test]
async fn production_is_made_at_an_owners_wish_once_the_plan_has_it() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut ann = Surfer::registered(&gateway, "ann@example.com").await;
    let refused = ann.submit(PAGE, "/console/production/provision", &[]).await;
    assert_eq!(refused.status, 403);
    gateway.server.gateway.decide("ann@example.com", Decision::SetPlan("starter".to_owned())).await.unwrap();
    ann.get(PAGE).await.has("Make Production</button>");
    ann.submit(PAGE, "/console/production/provision", &[]).await.leads_to("/console/production?done=provision");
    gateway.step().await;
    ann.get(PAGE).await.has("Switch to Production in the header");
}

#[actix_web::test]
async fn who_owns_nothing_sees_the_steps_and_takes_none() {
    let gateway = TestGateway::spawn_stepped().await;
    let mut vic = Surfer::registered(&gateway, "vic@example.com").await;
    gateway.database.execute("UPDATE members SET role = 'developer'").unwrap();
    vic.get(PAGE).await.has("does this").lacks("<button class=\"primary\">Submit");
    for (path, form) in [
        ("/console/production/company", company().to_vec()),
        ("/console/production/access", vec![("companyName", "x"), ("expectedMonthlyVolume", "1")]),
        ("/console/production/provision", vec![]),
    ] {
        assert_eq!(vic.submit(PAGE, path, &form).await.status, 403, "{path}");
    }
}
