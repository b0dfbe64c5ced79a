//! What happens to every answer of the console on its way out: it carries the cookies that are due, and its errors are
//! pages. Who is not signed in is sent to sign in.

use actix_web::body::{BoxBody, EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderValue, RETRY_AFTER, SET_COOKIE};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;

use super::cookies;
use super::shell::{Shell, local_path, render_as, see_other, visitor};
use crate::error::Fault;
use crate::problem::request_id;

/// The paths, besides the console's own, whose errors are pages.
const OPEN_PAGES: [&str; 8] =
    ["/register", "/login", "/logout", "/verify", "/forgot", "/reset", "/outbox", "/invitation"];

#[derive(Template)]
#[template(path = "console_error.html")]
struct ErrorPage<'a> {
    shell: Shell,
    title: &'a str,
    detail: &'a str,
    messages: &'a [String],
    request_id: &'a str,
}

#[derive(Template)]
#[template(path = "open_error.html")]
struct OpenErrorPage<'a> {
    title: &'a str,
    detail: &'a str,
    messages: &'a [String],
    request_id: &'a str,
}

/// Puts cookies on an answer, and makes its error a page.
///
/// # Errors
/// None of its own.
pub async fn dress<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B, BoxBody>>, actix_web::Error> {
    let path = request.path();
    let is_page = path == "/console"
        || path.starts_with("/console/")
        || path.starts_with("/invitation/")
        || OPEN_PAGES.contains(&path);
    let response = next.call(request).await?;
    if !is_page && response.request().path() != "/" {
        return Ok(response.map_into_left_body());
    }
    let fault = response.response().extensions().get::<Fault>().cloned();
    let page = match fault {
        Some(fault) if fault.status() == 401 => Some(see_other(&sign_in_path(response.request()))),
        Some(fault) => Some(page_of(response.request(), &fault).await),
        None => None,
    };
    let mut response = match page {
        Some(page) => response.into_response(page).map_into_right_body(),
        None => response.map_into_left_body(),
    };
    let fresh = response.request().extensions().get::<cookies::Fresh>().cloned();
    if let Some(value) = fresh.and_then(|cookies::Fresh(cookie)| HeaderValue::from_str(&cookie).ok()) {
        response.headers_mut().append(SET_COOKIE, value);
    }
    Ok(response)
}

/// The page of an error.
async fn page_of(request: &HttpRequest, fault: &Fault) -> HttpResponse {
    let status = StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let request_id = request_id(request);
    let (title, detail) = (fault.code.title(), fault.detail.as_str());
    // A single one is the detail again.
    let messages = if fault.messages.len() > 1 { fault.messages.as_slice() } else { &[] };
    let visitor = visitor(request).await.ok();
    let page = match &visitor {
        Some(visitor) => {
            let shell = Shell::new(visitor, "");
            render_as(status, &ErrorPage { shell, title, detail, messages, request_id: &request_id })
        }
        None => render_as(status, &OpenErrorPage { title, detail, messages, request_id: &request_id }),
    };
    let mut page = page.unwrap_or_else(|_| HttpResponse::new(status));
    if let Some(wait) = fault.retry_after {
        page.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
    }
    page
}

/// Where to sign in, to come back to the page that was asked for.
fn sign_in_path(request: &HttpRequest) -> String {
    let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
    match local_path(asked).filter(|_| request.method() == Method::GET) {
        Some(path) if path != "/console" => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("next", path).finish();
            format!("/login?{query}")
        }
        _ => "/login".to_owned(),
    }
}
