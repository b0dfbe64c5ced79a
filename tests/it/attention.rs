//! Payments that need someone: a person says what he found, the flag comes down, and it comes back with the next
//! contradiction.

use switchyard::domain::accounts::Role;
use switchyard::domain::mode::Mode;
use switchyard::error::Code;
use switchyard::gateway::{Scope, Who};

use crate::across::{give_app, scope_of};
use crate::person::Person;
use crate::rail_isolation::{created, polar_misfits, polar_of, post_as_polar};
use crate::rails::OnRail;
use crate::simulators::polar::Scheme;
use crate::surfer::Surfer;

const LIST: &str = "/console/payments?attention=1";

#[actix_web::test]
async fn a_payment_that_needs_someone_is_looked_after_with_a_note_until_the_next_contradiction() {
    let rail = OnRail::start("polar").await;
    let gateway = &rail.gateway;
    let mut ann = Surfer::registered(gateway, "ann@example.com").await;
    let scope = scope_of(gateway, &Person::signed_in(gateway, "ann@example.com").await).await;
    give_app(gateway, &rail.product, &scope.tenant_id).await;
    ann.submit("/console", "/console/mode", &[("mode", "sandbox")]).await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    let other = created(&rail.product, &rail.simulator).await;
    rail.simulator.forget_webhooks();
    rail.simulator.pay(&payment_id).await;
    let order = polar_of(&rail.simulator).order_of(&payment_id).unwrap();
    let [(_, first), (_, second), (_, third)] = polar_misfits(&order, &other);
    let contradict = async |misfit: &serde_json::Value| {
        let answer = post_as_polar(gateway, "/webhooks/polar/sandbox", Scheme::Standard, "order.paid", misfit).await;
        assert_eq!(answer.expect_status(200).json()["result"], "quarantined");
    };
    let path = format!("/console/payments/{payment_id}");
    let act = format!("{path}/resolve");

    ann.get(LIST).await.lacks(&payment_id);
    contradict(&first).await;
    ann.get(LIST).await.has(&payment_id).lacks(&other);
    ann.get(&format!("{LIST}&method=polar&status=initiated")).await.has(&payment_id);
    ann.get(&format!("{LIST}&status=succeeded")).await.lacks(&payment_id);
    let page = ann.get(&path).await;
    page.has("Needs someone");
    let (csrf, seen) = (page.hidden("csrf"), page.hidden("seen"));
    let form = |note: &'static str| [("csrf", csrf.clone()), ("seen", seen.clone()), ("note", note.to_owned())];
    let refused = |fields: [(&'static str, String); 3]| {
        let mut ann = ann.clone();
        let act = act.clone();
        async move { ann.post(&act, &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await }
    };
    assert_eq!(refused(form("")).await.status, 400);

    // What came since the page was shown is not swept away with it.
    contradict(&second).await;
    refused(form("all is well")).await.has("look again");
    ann.get(LIST).await.has(&payment_id);
    let seen = ann.get(&path).await.hidden("seen");
    let fields = [("seen", seen.as_str()), ("note", "Asked <Polar>: their test")];
    for _ in 0..2 {
        ann.submit(&path, &act, &fields).await.leads_to(&format!("{path}?done=resolved"));
    }
    ann.get(LIST).await.lacks(&payment_id);
    let shown = ann.get(&path).await;
    shown.lacks("Needs someone").has("Ann Lee looked after it: Asked &#60;Polar&#62;: their test");
    ann.get("/console/audit").await.has("payment.attention_resolved").has(&payment_id);
    assert_eq!(gateway.count("attention_notes"), 1);
    let timeline = rail.product.get(&format!("/v1/payments/{payment_id}/timeline")).await.json();
    let kinds: Vec<_> = timeline["data"].as_array().unwrap().iter().map(|entry| entry["kind"].clone()).collect();
    assert!(kinds.contains(&"resolved".into()), "{kinds:?}");
    assert_eq!(rail.product.payment(&payment_id).await["status"], "initiated");

    contradict(&third).await;
    ann.get(LIST).await.has(&payment_id);
    ann.get(&path).await.has("Needs someone").has("looked after it");
}

#[actix_web::test]
async fn nobody_else_takes_the_flag_down() {
    let rail = OnRail::start("polar").await;
    let gateway = &rail.gateway;
    let mut ann = Surfer::registered(gateway, "ann@example.com").await;
    let scope = scope_of(gateway, &Person::signed_in(gateway, "ann@example.com").await).await;
    give_app(gateway, &rail.product, &scope.tenant_id).await;
    let payment_id = created(&rail.product, &rail.simulator).await;
    let truth = gateway.database.truth();
    let raise = format!("UPDATE payments SET needs_attention = {truth} WHERE payment_id = '{payment_id}'");
    assert_eq!(gateway.database.execute(&raise), Ok(1));
    let seen = gateway.database.number("SELECT updated_at FROM payments");
    let system = &gateway.server.gateway;
    let here = Scope { mode: Mode::Sandbox, ..scope.clone() };
    let stranger = Person::registered(gateway, "eve@example.com").await;
    let stranger = Scope { mode: Mode::Sandbox, ..scope_of(gateway, &stranger).await };
    let mut viewer = here.clone();
    if let Who::Member(member) = &mut viewer.who {
        member.role = Role::Viewer;
    }
    for (who, code) in
        [(&scope, Code::PaymentNotFound), (&stranger, Code::PaymentNotFound), (&viewer, Code::InsufficientScope)]
    {
        assert_eq!(system.resolve_attention(who, &payment_id, seen, "mine").await.unwrap_err().code, code);
    }
    assert_eq!(
        (gateway.count("attention_notes"), gateway.count(&format!("payments WHERE needs_attention = {truth}"))),
        (0, 1)
    );
    ann.get(LIST).await.lacks(&payment_id);
    let fields = [("seen", "1"), ("note", "mine")];
    let seen_as = ann.submit("/console", &format!("/console/payments/{payment_id}/resolve"), &fields).await;
    assert_eq!(seen_as.status, 404);
    system.resolve_attention(&here, &payment_id, seen, "ours").await.unwrap();
    assert_eq!(gateway.count("attention_notes"), 1);
}
