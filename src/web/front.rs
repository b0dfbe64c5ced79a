//! The front page, and making an account: registering, and following the link that is mailed.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::forms::{FieldFaults, OpenForm, Pairs, open_token};
use super::peer;
use super::shell::{render, render_as, see_other, visitor};
use super::verify;
use crate::error::Code;
use crate::gateway::{Gateway, Registration};
use crate::problem::Answered;

#[derive(Template)]
#[template(path = "front.html")]
struct FrontPage {
    is_signed_in: bool,
    is_sign_up_open: bool,
    has_outbox: bool,
}

#[derive(Template)]
#[template(path = "register.html")]
struct RegisterPage<'a> {
    csrf: String,
    is_sign_up_open: bool,
    typed: &'a Pairs,
    faults: FieldFaults,
    refusal: Option<String>,
}

/// One thing that is said, and where to go on from it.
#[derive(Template)]
#[template(path = "said.html")]
pub(super) struct SaidPage<'a> {
    pub title: &'a str,
    pub sentences: &'a [&'a str],
    pub links: &'a [(&'a str, &'a str)],
}

/// What this is, and the ways in.
#[get("/")]
pub async fn page(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    render(&FrontPage {
        is_signed_in: visitor(&request).await.is_ok(),
        is_sign_up_open: gateway.is_sign_up_open(),
        has_outbox: gateway.has_outbox(),
    })
}

/// The form of a registration.
#[get("/register")]
pub async fn register_page(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    if visitor(&request).await.is_ok() {
        return Ok(see_other("/console"));
    }
    let csrf = open_token(&request);
    let is_sign_up_open = gateway.is_sign_up_open();
    render(&RegisterPage {
        csrf,
        is_sign_up_open,
        typed: &Pairs::default(),
        faults: FieldFaults::default(),
        refusal: None,
    })
}

/// Registers a person and a tenant of his. What is said does not tell whether the address had an account.
#[post("/register")]
pub async fn register(gateway: Data<Gateway>, request: HttpRequest, form: OpenForm) -> Answered {
    let body = form.to_json(&["email", "password", "firstName", "lastName", "companyName"]);
    let registered = match Registration::parse(&body) {
        Ok(registration) => gateway.register(registration, peer(&request)).await,
        Err(fault) => Err(fault),
    };
    match registered {
        Ok(()) => {
            let link = ("/outbox", "Open the outbox of this machine");
            let all = [link, ("/login", "Sign in")];
            render(&SaidPage {
                title: "Look into your mail",
                sentences: &[
                    "A link is on its way to you. Follow it to confirm your address.",
                    "You need not wait for it: sign in and begin in Sandbox.",
                ],
                links: if gateway.has_outbox() { &all } else { &all[1..] },
            })
        }
        Err(fault) if fault.status() >= 500 => Err(fault.into()),
        Err(fault) => {
            let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
            let faults = FieldFaults::of(&fault);
            let again = RegisterPage {
                csrf: form.csrf.clone(),
                is_sign_up_open: fault.code != Code::SignUpClosed,
                typed: &form.pairs,
                refusal: faults.is_empty().then_some(fault.detail),
                faults,
            };
            render_as(status, &again)
        }
    }
}

/// Where the link of a registration leads. Without the link's token it is the page that verifies proofs.
#[get("/verify")]
pub async fn confirm(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let field = |wanted: &str| {
        let mut query = url::form_urlencoded::parse(request.query_string().as_bytes());
        query.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
    };
    let Some(token) = field("token") else { return verify::page(&gateway, field("root")).await };
    match gateway.verify_email(&token).await {
        Ok(()) => render(&SaidPage {
            title: "Your address is confirmed",
            sentences: &["Thank you. Everything is open to you now."],
            links: &[("/console", "Go to the console")],
        }),
        Err(fault) if fault.code == Code::InvalidToken => render_as(
            StatusCode::BAD_REQUEST,
            &SaidPage {
                title: "This link is spent",
                sentences: &[
                    "It has been used, is too old, or is not complete. If you have followed it before, all is well.",
                ],
                links: &[("/login", "Sign in")],
            },
        ),
        Err(fault) => Err(fault.into()),
    }
}
