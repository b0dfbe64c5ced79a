//! The door for people: pages from templates, a stylesheet for buyers and one for the console. The page of a payment and
//! the console have a script each, and work without it. Nothing is loaded from elsewhere.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::http::StatusCode;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use url::Url;

use crate::domain::payments::PaymentStatus;
use crate::error::{Code, Fault};
use crate::gateway::Payment;

pub mod api_keys;
pub mod apps;
pub mod assets;
pub mod audit_log;
pub mod balances;
mod bank_guides;
mod charts;
pub mod checkout;
mod checkout_words;
pub mod checkpoints;
pub mod comparing;
mod cookies;
pub mod customers;
mod decimals;
pub mod deltas;
pub mod docs;
pub mod dressing;
pub mod events;
pub mod exports;
mod forms;
pub mod front;
pub mod info;
pub mod invitation;
pub mod invoices;
mod listing;
pub mod members;
pub mod mock_checkout;
mod navigation;
pub mod outbox;
pub mod overview;
pub mod pay;
mod pay_invoice;
mod pay_link;
mod pay_words;
pub mod payment_links;
pub mod payments;
pub mod production;
pub mod provider_accounts;
pub mod quick_start;
pub mod reconcile;
pub mod refunds;
pub mod returning;
pub mod settings;
pub mod shell;
pub mod signing_in;
pub mod status_stream;
pub mod subscriptions;
pub mod switching;
mod test_inbox;
mod times;
pub mod uploads;
pub mod verify;
pub mod webhook_log;
pub mod webhooks;

/// The page at a path that machines ask too: it comes before their answer, for who wants a page.
pub fn pages_beside_the_api(config: &mut ServiceConfig) {
    config.service(info::page);
}

/// Every other page.
pub fn pages(config: &mut ServiceConfig) {
    config
        .service(front::page)
        .service(front::register_page)
        .service(front::register)
        .service(front::confirm)
        .service(verify::check_posted)
        .service(verify::script)
        .service(verify::stylesheet)
        .service(signing_in::login_page)
        .service(signing_in::login)
        .service(signing_in::logout)
        .service(signing_in::forgot_page)
        .service(signing_in::forgot)
        .service(signing_in::reset_page)
        .service(signing_in::reset)
        .service(outbox::page)
        .service(docs::start)
        .service(docs::api)
        .service(docs::find)
        .service(docs::named)
        .service(assets::docs_stylesheet)
        .service(assets::stylesheet)
        .service(assets::checkout_script)
        .service(assets::pay_stylesheet)
        .service(assets::console_stylesheet)
        .service(assets::console_script)
        .service(assets::figures_stylesheet)
        .service(overview::page)
        .service(payments::list)
        .service(exports::payments)
        .service(payments::detail)
        .service(payments::give_back)
        .service(payments::give_up)
        .service(payments::resolve)
        .service(invoices::list)
        .service(invoices::blank)
        .service(invoices::create)
        .service(invoices::detail)
        .service(invoices::finalize)
        .service(invoices::void)
        .service(payment_links::list)
        .service(payment_links::blank)
        .service(payment_links::create)
        .service(payment_links::detail)
        .service(payment_links::close)
        .service(refunds::list)
        .service(subscriptions::list)
        .service(subscriptions::cancel)
        .service(customers::list)
        .service(balances::list)
        .service(balances::detail)
        .service(balances::receipt)
        .service(deltas::detail)
        .service(deltas::proof)
        .service(comparing::page)
        .service(checkpoints::list)
        .service(checkpoints::create)
        .service(checkpoints::document_of)
        .service(checkpoints::note)
        .service(events::list)
        .service(events::resend_since)
        .service(events::detail)
        .service(events::resend)
        .service(test_inbox::page)
        .service(test_inbox::open)
        .service(test_inbox::receive)
        .service(test_inbox::try_out)
        .service(test_inbox::tried)
        .service(webhooks::list)
        .service(webhooks::create)
        .service(webhooks::detail)
        .service(webhooks::change)
        .service(webhooks::switch)
        .service(webhooks::rotate)
        .service(webhooks::test)
        .service(webhooks::delete)
        .service(webhook_log::replay)
        .service(exports::audit_as_csv)
        .service(exports::audit_as_json)
        .service(audit_log::page)
        .service(reconcile::form)
        .service(reconcile::compare)
        .service(quick_start::page)
        .service(apps::list)
        .service(apps::create)
        .service(apps::show)
        .service(apps::rotate)
        .service(apps::finish)
        .service(apps::set_webhook)
        .service(apps::set_kyc_above)
        .service(apps::archive)
        .service(api_keys::list)
        .service(api_keys::create)
        .service(api_keys::rotate)
        .service(api_keys::switch)
        .service(api_keys::delete)
        .service(provider_accounts::list)
        .service(provider_accounts::add)
        .service(provider_accounts::archive)
        .service(production::page)
        .service(production::company)
        .service(production::access)
        .service(production::provision)
        .service(switching::mode)
        .service(switching::tenant)
        .service(members::page)
        .service(members::invite)
        .service(members::revoke)
        .service(members::change_role)
        .service(members::remove)
        .service(invitation::page)
        .service(invitation::accept)
        .service(invitation::join)
        .service(settings::page)
        .service(settings::profile)
        .service(settings::password)
        .service(settings::enrol)
        .service(settings::confirm)
        .service(settings::disable)
        .service(settings::leave)
        .service(settings::end_session);
}

/// The pages of a payment, which are part of the API: a program may act at them too.
pub fn documented_pages(config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    config
        .service(checkout::page)
        .service(status_stream::current)
        .service(status_stream::events)
        .service(pay::page)
        .service(pay::begin)
        .service(mock_checkout::page)
        .service(mock_checkout::act)
        .service(returning::page);
}

/// Nothing but our own stylesheet and forms. A form's redirect counts as the form's target in some browsers, and a
/// checkout ends at the product's own site, so forms may lead to any site.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; form-action 'self' http: https:; \
                      frame-ancestors 'none'; base-uri 'none'";

/// A rendered page with the headers that every page has.
///
/// # Errors
/// When the template cannot be rendered.
pub fn page(template: &impl Template) -> Result<HttpResponse, crate::problem::Problem> {
    page_under(POLICY, template)
}

/// A rendered page with a content security policy of its own.
fn page_under(policy: &'static str, template: &impl Template) -> Result<HttpResponse, crate::problem::Problem> {
    sent(StatusCode::OK, policy, "no-referrer", template)
}

/// A rendered page with the headers that every page has, whosever it is.
fn sent(
    status: StatusCode,
    policy: &'static str,
    referrer: &'static str,
    template: &impl Template,
) -> Result<HttpResponse, crate::problem::Problem> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Fault::new(Code::InternalError, "internal error")
    })?;
    Ok(HttpResponse::build(status)
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, referrer))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(html))
}

/// The address that a request really came from; what its headers say of others cannot be trusted.
fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}

/// Sends the buyer on.
fn onward(location: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((LOCATION, location))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// The product's return URL with the payment's id and its status appended to its query.
fn back_to_shop(payment: &Payment, status: PaymentStatus) -> String {
    match Url::parse(&payment.return_url) {
        Ok(mut url) => {
            url.query_pairs_mut()
                .append_pair("payment_id", payment.payment_id.as_str())
                .append_pair("status", status.as_str());
            url.into()
        }
        Err(_) => payment.return_url.clone(),
    }
}
