//! The door for people: pages from templates, one stylesheet, no script. Nothing is loaded from elsewhere.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::ServiceConfig;
use askama::Template;

use crate::error::{Code, Fault};

pub mod assets;
pub mod checkout;
pub mod docs;
pub mod info;
pub mod returning;

/// Every page.
pub fn pages(config: &mut ServiceConfig) {
    config
        .service(docs::front)
        .service(docs::reference)
        .service(docs::errors)
        .service(info::page)
        .service(assets::stylesheet);
}

/// The pages of the mock provider, which are part of the API: a program may act at them too.
pub fn documented_pages(config: &mut utoipa_actix_web::service_config::ServiceConfig<'_>) {
    config.service(checkout::page).service(checkout::act).service(returning::page);
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
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page could not be rendered");
        Fault::new(Code::InternalError, "internal error")
    })?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type("text/html; charset=utf-8")
        .body(html))
}
