//! The door for machines: HTTP in, verbs of the gateway, JSON out.

use utoipa::OpenApi;
use utoipa::openapi::OpenApi as OpenApiDocument;
use utoipa_actix_web::service_config::ServiceConfig;

mod accounts;
mod api_keys;
mod balances;
pub mod caller;
mod checkpoints;
mod customers;
mod deltas;
mod envelope;
mod environments;
mod event_stream;
mod events;
mod inbox;
mod invoices;
mod ledger_customers;
mod members;
mod onboarding;
mod operators;
mod payment_links;
mod payments;
mod plans;
mod query;
mod reconcile;
mod refunds;
mod routes;
mod second_factor;
pub mod signed;
mod subscriptions;
mod webhook_endpoints;
mod writes;

/// Every route for machines.
pub fn routes(config: &mut ServiceConfig<'_>) {
    config
        .service(payments::create)
        .service(payments::list)
        .service(payments::get)
        .service(payments::cancel)
        .service(payments::timeline)
        .service(refunds::create)
        .service(refunds::list)
        .service(refunds::get)
        .service(invoices::create)
        .service(invoices::list)
        .service(invoices::get)
        .service(invoices::finalize)
        .service(invoices::void)
        .service(payment_links::create)
        .service(payment_links::list)
        .service(payment_links::get)
        .service(payment_links::close)
        .service(subscriptions::list)
        .service(subscriptions::get)
        .service(subscriptions::cancel)
        .service(customers::list)
        .service(customers::get)
        .service(customers::set_kyc_status)
        .service(routes::explain)
        .service(events::list)
        .service(events::redeliver_since)
        .service(event_stream::follow)
        .service(events::get)
        .service(events::redeliver)
        .service(inbox::receive)
        .service(inbox::receive_in_mode)
        .service(inbox::receive_of_account)
        .service(operators::mock_charges)
        .service(operators::info)
        .service(operators::healthz)
        .service(operators::readyz)
        .service(operators::metrics)
        .service(operators::openapi)
        .service(accounts::register)
        .service(accounts::login)
        .service(accounts::refresh)
        .service(accounts::logout)
        .service(accounts::me)
        .service(accounts::verify)
        .service(accounts::forgot_password)
        .service(accounts::reset_password)
        .service(accounts::preferences)
        .service(accounts::switch_mode)
        .service(webhook_endpoints::create)
        .service(webhook_endpoints::list)
        .service(webhook_endpoints::get)
        .service(webhook_endpoints::change)
        .service(webhook_endpoints::remove)
        .service(webhook_endpoints::rotate)
        .service(webhook_endpoints::test)
        .service(webhook_endpoints::log)
        .service(webhook_endpoints::replay)
        .service(api_keys::create)
        .service(api_keys::list)
        .service(api_keys::get)
        .service(api_keys::rotate)
        .service(api_keys::change)
        .service(api_keys::delete)
        .service(api_keys::whoami)
        .service(environments::provision)
        .service(environments::list)
        .service(environments::status)
        .service(onboarding::status)
        .service(onboarding::submit)
        .service(onboarding::request_access)
        .service(plans::plan)
        .service(plans::usage)
        .service(ledger_customers::create)
        .service(ledger_customers::list)
        .service(deltas::emit)
        .service(deltas::emit_batch)
        .service(deltas::get)
        .service(balances::derive)
        .service(balances::compare)
        .service(balances::customers)
        .service(balances::customer)
        .service(balances::gaps)
        .service(balances::usage)
        .service(balances::limits)
        .service(balances::webhooks)
        .service(balances::retry)
        .service(checkpoints::create)
        .service(checkpoints::list)
        .service(checkpoints::consistency)
        .service(checkpoints::receipt)
        .service(checkpoints::invoice_proof)
        .service(checkpoints::proof)
        .service(checkpoints::verify)
        .service(second_factor::enrol)
        .service(second_factor::confirm)
        .service(second_factor::disable)
        .service(members::list)
        .service(members::change)
        .service(members::remove)
        .service(members::invitations)
        .service(members::invite)
        .service(members::show)
        .service(members::accept)
        .service(members::revoke)
        .service(writes::create)
        .service(writes::get)
        .service(writes::bucket)
        .service(reconcile::reconcile);
}

/// The document with an id for every operation, which generators of clients name their functions by: its method and path.
#[must_use]
pub fn with_operation_ids(mut document: OpenApiDocument) -> OpenApiDocument {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("get", &mut item.get),
            ("post", &mut item.post),
            ("put", &mut item.put),
            ("patch", &mut item.patch),
            ("delete", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let words =
                path.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
            let id: Vec<&str> = std::iter::once(method).chain(words).collect();
            operation.operation_id = Some(id.join("_"));
        }
    }
    document
}

/// What the document of the API says besides its operations.
#[derive(OpenApi)]
#[openapi(info(
    title = "Switchyard",
    description = "Requests under /v1 are signed: X-PAY-Key, X-PAY-Timestamp and X-PAY-Signature, which is the lower-case \
hex HMAC-SHA256 of `<timestamp>.<METHOD>.<path>.<hex sha256(body)>` with the app's secret. Requests under /dashboard, and \
those under /v1 about an account, bring a token as `Authorization: Bearer …`; those under /api/v1 a token or an API key as \
`X-Api-Key`.",
    license(name = "Apache-2.0")
))]
pub struct ApiDocument;
