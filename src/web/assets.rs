//! Files that pages need, embedded in the program.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, get};

/// The stylesheet of the pages for buyers, and of the documentation.
#[get("/static/switchyard.css")]
pub async fn stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("static/switchyard.css"))
}

/// The script of the page of a payment.
#[get("/static/checkout.js")]
pub async fn checkout_script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/javascript; charset=utf-8")
        .body(include_str!("static/checkout.js"))
}

/// The stylesheet of the console and of the way into it.
#[get("/static/console.css")]
pub async fn console_stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("static/console.css"))
}

/// The script of the console.
#[get("/static/console.js")]
pub async fn console_script() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/javascript; charset=utf-8")
        .body(include_str!("static/console.js"))
}

/// The stylesheet of the console's pages about money.
#[get("/static/figures.css")]
pub async fn figures_stylesheet() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .content_type("text/css; charset=utf-8")
        .body(include_str!("static/figures.css"))
}
