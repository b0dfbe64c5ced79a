//! `/info` as a page.

use actix_web::get;
use actix_web::guard::GuardContext;
use actix_web::http::header::ACCEPT;
use actix_web::web::Data;
use askama::Template;

use super::page as render;
use crate::gateway::{Gateway, Report};
use crate::problem::Answered;

#[derive(Template)]
#[template(path = "info.html")]
struct InfoPage<'a> {
    report: &'a Report,
    modes: String,
    uptime: String,
}

/// The state of the gateway as a page, for who asks for one; for others it is JSON.
#[get("/info", guard = "wants_a_page")]
pub async fn page(gateway: Data<Gateway>) -> Answered {
    let report = gateway.report();
    let modes: Vec<&str> = report.modes.iter().map(|mode| mode.as_str()).collect();
    let minutes = report.uptime_s / 60;
    let uptime = format!("{} h {} min {} s", minutes / 60, minutes % 60, report.uptime_s % 60);
    render(&InfoPage { report: &report, modes: modes.join(", "), uptime })
}

fn wants_a_page(context: &GuardContext<'_>) -> bool {
    let accept = context.head().headers().get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}
