//! Where one arrives after signing in.

use actix_web::get;
use askama::Template;

use super::shell::{Shell, Visitor, render};
use crate::problem::Answered;

#[derive(Template)]
#[template(path = "landing.html")]
struct LandingPage {
    shell: Shell,
}

/// The first page of the console.
#[get("/console")]
pub async fn page(visitor: Visitor) -> Answered {
    render(&LandingPage { shell: Shell::new(&visitor, "overview") })
}
