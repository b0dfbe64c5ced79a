//! Coming in and going: signing in and out, and a new password when the old one is lost.

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, USER_AGENT};
use actix_web::web::Data;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, get, post};
use askama::Template;

use super::forms::{FieldFaults, OpenForm, open_token};
use super::front::SaidPage;
use super::shell::{CheckedForm, keep_signed_in, local_path, render, render_as, see_other, visitor};
use super::{cookies, peer};
use crate::domain::accounts::normal_email;
use crate::domain::secrets::Secret;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, SignIn};
use crate::problem::Answered;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage<'a> {
    csrf: String,
    next: &'a str,
    email: &'a str,
    is_sign_up_open: bool,
    wants_code: bool,
    refusal: Option<String>,
}

#[derive(Template)]
#[template(path = "forgot.html")]
struct ForgotPage {
    csrf: String,
    refusal: Option<String>,
}

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    csrf: String,
    token: &'a str,
    faults: FieldFaults,
}

/// A parameter of the page's address.
pub(super) fn parameter(request: &HttpRequest, name: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(request.query_string().as_bytes());
    pairs.find(|(found, _)| found == name).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// What a browser calls itself.
pub(super) fn user_agent(request: &HttpRequest) -> String {
    let header = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    header.unwrap_or_default().to_owned()
}

/// Where to sign in.
#[get("/login")]
pub async fn login_page(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let next = parameter(&request, "next");
    let next = local_path(&next).unwrap_or_default();
    if visitor(&request).await.is_ok() {
        return Ok(see_other(if next.is_empty() { "/console" } else { next }));
    }
    let csrf = open_token(&request);
    let is_sign_up_open = gateway.is_sign_up_open();
    render(&LoginPage { csrf, next, email: "", is_sign_up_open, wants_code: false, refusal: None })
}

/// Lets a person in, to where he likes to begin.
#[post("/login")]
pub async fn login(gateway: Data<Gateway>, request: HttpRequest, form: OpenForm) -> Answered {
    let next = local_path(form.text("next")).unwrap_or_default();
    let sign_in = SignIn {
        email: normal_email(form.text("email")),
        password: Secret::new(form.raw("password").to_owned()),
        address: peer(&request),
        user_agent: user_agent(&request),
        totp_code: Some(Secret::new(form.text("totpCode").to_owned())),
    };
    match gateway.sign_in(sign_in).await {
        Ok(signed_in) => {
            keep_signed_in(&request, &gateway.begin_where_preferred(signed_in).await?);
            Ok(see_other(if next.is_empty() { "/console" } else { next }))
        }
        Err(fault) if fault.status() >= 500 => Err(fault.into()),
        Err(fault) => {
            let page = LoginPage {
                csrf: form.csrf.clone(),
                next,
                email: form.text("email"),
                is_sign_up_open: gateway.is_sign_up_open(),
                // Once asked for it stays; what was typed is then wrong as a whole.
                wants_code: fault.code == Code::TotpRequired || form.has("totpCode"),
                refusal: Some(fault.detail.clone()),
            };
            refused(&fault, &page)
        }
    }
}

/// Signs out of this browser, or everywhere.
#[post("/logout")]
pub async fn logout(gateway: Data<Gateway>, request: HttpRequest, form: CheckedForm) -> Answered {
    gateway.sign_out(&form.visitor.scope, form.has("everywhere")).await?;
    request.extensions_mut().insert(cookies::Fresh(cookies::clear(cookies::SESSION)));
    Ok(see_other("/login"))
}

/// Where to ask for a new password.
#[get("/forgot")]
pub async fn forgot_page(request: HttpRequest) -> Answered {
    render(&ForgotPage { csrf: open_token(&request), refusal: None })
}

/// Mails a link to a new password, if the address has an account; what is said is the same.
#[post("/forgot")]
pub async fn forgot(gateway: Data<Gateway>, request: HttpRequest, form: OpenForm) -> Answered {
    match gateway.request_password_reset(form.text("email"), peer(&request)).await {
        Ok(()) => {
            let all = [("/outbox", "Open the outbox of this machine"), ("/login", "Sign in")];
            render(&SaidPage {
                title: "Look into your mail",
                sentences: &[
                    "If the address has an account, a link to a new password is on its way. It is good for an hour.",
                ],
                links: if gateway.has_outbox() { &all } else { &all[1..] },
            })
        }
        Err(fault) if fault.status() >= 500 => Err(fault.into()),
        Err(fault) => refused(&fault, &ForgotPage { csrf: form.csrf.clone(), refusal: Some(fault.detail.clone()) }),
    }
}

/// Where the link to a new password leads.
#[get("/reset")]
pub async fn reset_page(request: HttpRequest) -> Answered {
    let token = parameter(&request, "token");
    render(&ResetPage { csrf: open_token(&request), token: &token, faults: FieldFaults::default() })
}

/// Sets the new password. Every session ends.
#[post("/reset")]
pub async fn reset(gateway: Data<Gateway>, form: OpenForm) -> Answered {
    let password = Secret::new(form.raw("password").to_owned());
    match gateway.reset_password(form.text("token"), password).await {
        Ok(()) => render(&SaidPage {
            title: "Your password is changed",
            sentences: &["You are signed out everywhere. Sign in with the new one."],
            links: &[("/login", "Sign in")],
        }),
        Err(fault) if fault.code == Code::InvalidToken => render_as(
            StatusCode::BAD_REQUEST,
            &SaidPage {
                title: "This link is spent",
                sentences: &["It has been used, is too old, or is not complete."],
                links: &[("/forgot", "Ask for a new one")],
            },
        ),
        Err(fault) if fault.code == Code::ValidationError => {
            let faults = FieldFaults::of(&fault);
            refused(&fault, &ResetPage { csrf: form.csrf.clone(), token: form.text("token"), faults })
        }
        Err(fault) => Err(fault.into()),
    }
}

/// The page again, with what was refused. A wrong password is no reason to send the browser to sign in: it is there.
fn refused(fault: &Fault, page: &impl Template) -> Answered {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response: HttpResponse = render_as(status, page)?;
    if let Some(wait) = fault.retry_after {
        response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
    }
    Ok(response)
}
