//! The door for machines: HTTP in, verbs of the gateway, JSON out. The whole route table is in [`routes`].

use utoipa::OpenApi;
use utoipa_actix_web::service_config::ServiceConfig;

use crate::web;

mod customers;
mod events;
mod inbox;
mod operators;
mod payments;
pub mod problem;
mod query;
mod refunds;
mod routes;
pub mod signed;

pub use operators::OPENAPI;

/// Every route of the gateway.
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
        .service(customers::list)
        .service(customers::get)
        .service(routes::explain)
        .service(events::list)
        .service(events::redeliver_since)
        .service(events::get)
        .service(events::redeliver)
        .service(inbox::receive)
        .service(inbox::receive_in_mode)
        .service(web::checkout::page)
        .service(web::checkout::act)
        .service(operators::mock_charges)
        .service(operators::info)
        .service(operators::healthz)
        .service(operators::readyz)
        .service(operators::metrics)
        .service(operators::openapi)
        .service(web::docs::reference)
        .service(web::docs::errors)
        .service(web::docs::front)
        .service(web::assets::stylesheet);
}

/// What the document of the API says besides its operations.
#[derive(OpenApi)]
#[openapi(info(
    title = "Switchyard",
    description = "Requests under /v1 are signed: X-PAY-Key, X-PAY-Timestamp and X-PAY-Signature, which is the lower-case \
hex HMAC-SHA256 of `<timestamp>.<METHOD>.<path>.<hex sha256(body)>` with the app's secret.",
    license(name = "Apache-2.0")
))]
pub struct ApiDocument;

/// Keeps the document that the routes make of themselves; every worker makes the same.
pub fn keep_document(document: &utoipa::openapi::OpenApi) {
    OPENAPI.get_or_init(|| document.to_json().unwrap_or_default());
}
