//! A first payment in three languages, with the tenant's own public key.

use actix_web::web::Data;
use actix_web::{HttpRequest, get};
use askama::Template;

use super::listing::{Asked, Choice, app_choices};
use super::shell::{Shell, Visitor, render};
use crate::domain::mode::Mode;
use crate::domain::secrets::random_hex;
use crate::gateway::Gateway;
use crate::problem::Answered;

/// A program that makes a payment.
struct Snippet {
    id: &'static str,
    title: &'static str,
    file: &'static str,
    run: &'static str,
    text: String,
}

#[derive(Template)]
#[template(path = "quick_start.html")]
struct QuickStartPage {
    shell: Shell,
    apps: Vec<Choice>,
    app_name: String,
    snippets: Vec<Snippet>,
    /// The app, for the form that makes a payment.
    app_id: String,
    nonce: String,
    can_try: bool,
}

/// The programs, with places for the server's address and the key.
const PROGRAMS: [(&str, &str, &str, &str, &str); 3] = [
    ("curl", "curl", "pay.sh", "sh pay.sh", include_str!("snippets/pay.sh")),
    ("node", "Node", "pay.mjs", "node pay.mjs", include_str!("snippets/pay.mjs")),
    ("python", "Python", "pay.py", "python3 pay.py", include_str!("snippets/pay.py")),
];

/// How to make a first payment.
#[get("/console/quick-start")]
pub async fn page(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let apps = gateway.app_names(&visitor.scope).await?;
    let in_use = || apps.iter().filter(|app| app.archived_at.is_none());
    let app = in_use().find(|app| Some(app.app_id.as_str()) == asked.text("app")).or(in_use().next_back());
    let base_url = gateway.settings().base_url();
    // Real money does not move for a try: providers have no buyer without an address either.
    let method = if visitor.scope.mode == Mode::Test { "va_bca" } else { "qris" };
    let snippets = app.map_or_else(Vec::new, |app| {
        let fill =
            |text: &str| text.replace("%URL%", &base_url).replace("%KEY%", &app.public_key).replace("%METHOD%", method);
        let snippet = |(id, title, file, run, text)| Snippet { id, title, file, run, text: fill(text) };
        PROGRAMS.map(snippet).into()
    });
    let shell = Shell::new(&visitor, "quick-start");
    render(&QuickStartPage {
        app_id: app.map_or_else(String::new, |app| app.app_id.to_string()),
        nonce: random_hex(12),
        can_try: shell.may_write && visitor.scope.mode == Mode::Test,
        apps: app_choices(&apps, app.map(|app| app.app_id.as_str())),
        app_name: app.map_or_else(String::new, |app| app.name.clone()),
        snippets,
        shell,
    })
}
