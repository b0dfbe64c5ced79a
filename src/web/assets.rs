//! Files that pages need, embedded in the program.

use std::sync::OnceLock;

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, get};

/// The stylesheet of the pages for buyers, and the ground of the documentation's.
#[get("/static/switchyard.css")]
pub async fn stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("static/switchyard.css"))
}

/// What the documentation has besides.
#[get("/static/docs.css")]
pub async fn docs_stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("static/docs.css"))
}

/// The stylesheet of the pages of invoices and payment links, besides that of all pages for buyers.
#[get("/static/pay.css")]
pub async fn pay_stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("static/pay.css"))
}

/// The script of the page of a payment.
#[get("/static/checkout.js")]
pub async fn checkout_script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/javascript; charset=utf-8")
        .body(include_str!("static/checkout.js"))
}

const CONSOLE_CSS: &str = include_str!("static/console.css");
const CONSOLE_JS: &str = include_str!("static/console.js");
const FIGURES_CSS: &str = include_str!("static/figures.css");

/// Changes with the console's files, so that a browser may keep them for as long as it likes.
pub fn version() -> &'static str {
    static VERSION: OnceLock<String> = OnceLock::new();
    VERSION.get_or_init(|| {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(CONSOLE_CSS.as_bytes());
        hasher.update(CONSOLE_JS.as_bytes());
        hasher.update(FIGURES_CSS.as_bytes());
        hasher.update(include_bytes!("static/verify.js"));
        hasher.update(include_bytes!("static/verify.css"));
        format!("{:08x}", hasher.finalize())
    })
}

/// A file that a browser may keep, because its address has the version.
pub(super) fn kept(media_type: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .content_type(media_type)
        .body(text)
}

/// The stylesheet of the console and of the way into it.
#[get("/static/console.css")]
pub async fn console_stylesheet() -> HttpResponse {
    kept("text/css; charset=utf-8", CONSOLE_CSS)
}

/// The script of the console.
#[get("/static/console.js")]
pub async fn console_script() -> HttpResponse {
    kept("text/javascript; charset=utf-8", CONSOLE_JS)
}

/// The stylesheet of the console's pages about money.
#[get("/static/figures.css")]
pub async fn figures_stylesheet() -> HttpResponse {
    kept("text/css; charset=utf-8", FIGURES_CSS)
}
