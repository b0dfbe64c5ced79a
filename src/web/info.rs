//! `/info` as a page.

use actix_web::HttpResponse;
use askama::Template;

use super::page as render;
use crate::api::problem::Problem;
use crate::gateway::Report;

#[derive(Template)]
#[template(path = "info.html")]
struct InfoPage<'a> {
    report: &'a Report,
    modes: String,
    uptime: String,
}

/// The state of the gateway as a page.
///
/// # Errors
/// When the template cannot be rendered.
pub fn page(report: &Report) -> Result<HttpResponse, Problem> {
    let modes: Vec<&str> = report.modes.iter().map(|mode| mode.as_str()).collect();
    let minutes = report.uptime_s / 60;
    let uptime = format!("{} h {} min {} s", minutes / 60, minutes % 60, report.uptime_s % 60);
    render(&InfoPage { report, modes: modes.join(", "), uptime })
}
