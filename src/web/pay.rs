//! `/pay/{id}`: the page on which a buyer pays an invoice, or a visitor pays by a payment link. What the two have in common
//! is here: the language, the ways to pay, how a page is sent; each has a file of its own.

use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT_LANGUAGE, HeaderName, HeaderValue};
use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, get, post};
use askama::Template;
use serde::Deserialize;

use super::pay_words::PayWords;
use super::{pay_invoice, pay_link, sent};
use crate::domain::ids::PaymentLinkId;
use crate::domain::mode::Mode;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, WayToPay};
use crate::problem::Answered;

/// As for every page, with our own script, which asks only us. A form may lead on to any provider's page.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      form-action 'self' http: https:; frame-ancestors 'none'; base-uri 'none'";

/// What a buyer chose.
#[derive(Clone, Debug, Default, Deserialize, utoipa::ToSchema)]
#[serde(default)]
pub(crate) struct PayForm {
    /// How to pay, as in `va_bca`.
    pub(super) method: String,
    /// Where the method needs it, and it is not known.
    pub(super) email: String,
    /// By a link whose amount the buyer chooses.
    pub(super) amount: String,
    /// By a link: made for each page that is shown.
    pub(super) nonce: String,
}

impl PayForm {
    /// The address, if one was typed.
    pub(super) fn email(&self) -> Option<&str> {
        Some(self.email.trim()).filter(|email| !email.is_empty())
    }
}

/// A method that can be chosen.
pub(super) struct Choice {
    pub method: String,
    pub title: String,
    pub note: &'static str,
    pub is_chosen: bool,
}

/// The form by which a buyer begins to pay.
pub(super) struct Choosing {
    pub choices: Vec<Choice>,
    pub asks_email: bool,
    pub needs_email: bool,
    pub email: String,
    pub fault: Option<&'static str>,
}

impl Choosing {
    /// What can be chosen of `ways` by who typed `typed`. The address is asked for where it `is_known` to nobody yet.
    pub(super) fn new(
        words: &PayWords,
        ways: &[WayToPay],
        is_known: bool,
        typed: &PayForm,
        fault: Option<&'static str>,
    ) -> Self {
        let choice = |way: &WayToPay| {
            let (title, note) = words.method(&way.method);
            let is_chosen = ways.len() == 1 || way.method == typed.method;
            Choice { method: way.method.clone(), title, note, is_chosen }
        };
        Self {
            choices: ways.iter().map(choice).collect(),
            asks_email: !is_known && ways.iter().any(|way| way.needs_email),
            needs_email: ways.iter().all(|way| way.needs_email),
            email: typed.email.clone(),
            fault,
        }
    }
}

/// What stands at the top of every page.
pub(super) struct Frame {
    pub mode: &'static str,
    pub is_real: bool,
    /// Where the page is, in whatever language.
    pub path: String,
}

impl Frame {
    pub(super) fn new(mode: Mode, id: &str) -> Self {
        let path = format!("/pay/{id}");
        Self { mode: mode.as_str(), is_real: mode == Mode::Live, path }
    }
}

#[derive(Template)]
#[template(path = "pay_missing.html")]
struct MissingPage {
    words: &'static PayWords,
}

/// What a request says about how its page is to be.
pub(super) struct Asked {
    pub words: &'static PayWords,
    /// The method whose number or code is to be shown.
    pub with: Option<String>,
    /// Whether the buyer comes back from a payment that is made.
    pub is_paid: bool,
}

impl Asked {
    fn of(request: &HttpRequest) -> Self {
        let field = |wanted: &str| {
            let mut query = url::form_urlencoded::parse(request.query_string().as_bytes());
            query.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned())
        };
        let accepted = request.headers().get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self {
            words: PayWords::of(field("lang").as_deref(), accepted),
            with: field("with"),
            is_paid: field("status").as_deref() == Some("succeeded"),
        }
    }
}

/// The page of an invoice or of a payment link.
#[utoipa::path(tag = "Buyers", params(("payable_id" = String, Path, description = "`inv_…` or `plink_…`")), responses((status = 200, description = "A page"), (status = 404, description = "A page that says so")))]
#[get("/pay/{payable_id}")]
pub async fn page(gateway: Data<Gateway>, id: Path<String>, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let shown = if is_link(&id) {
        pay_link::page(&gateway, &id, &asked).await
    } else {
        pay_invoice::page(&gateway, &id, &asked).await
    };
    or_missing(shown, &asked)
}

/// Begins to pay, or goes on with what was begun.
#[utoipa::path(tag = "Buyers", params(("payable_id" = String, Path, description = "`inv_…` or `plink_…`")), request_body(content = PayForm, content_type = "application/x-www-form-urlencoded"), responses((status = 303, description = "On to pay: to the provider's page, or back to this one with the number or the code"), (status = 400, description = "The page, which says what is missing"), (status = 404), (status = 422, description = "The page, which says why it cannot be paid")))]
#[post("/pay/{payable_id}")]
pub async fn begin(gateway: Data<Gateway>, id: Path<String>, form: Form<PayForm>, request: HttpRequest) -> Answered {
    let asked = Asked::of(&request);
    let gateway = gateway.into_inner();
    let begun = if is_link(&id) {
        pay_link::begin(&gateway, &id, &form, &asked).await
    } else {
        pay_invoice::begin(&gateway, &id, &form, &asked).await
    };
    or_missing(begun, &asked)
}

fn is_link(id: &str) -> bool {
    PaymentLinkId::parse(id).is_some()
}

/// What is not there is a page, too.
fn or_missing(answered: Answered, asked: &Asked) -> Answered {
    match answered {
        Err(problem) if problem.0.status() == 404 => render(StatusCode::NOT_FOUND, &MissingPage { words: asked.words }),
        answered => answered,
    }
}

/// What a buyer is told of a fault; `None` where he can do nothing about it.
pub(super) fn told(words: &'static PayWords, fault: &Fault) -> Option<&'static str> {
    let is_about = |name: &str| fault.messages.iter().any(|message| message.starts_with(name));
    match fault.code {
        Code::ValidationError if is_about("email") => Some(words.bad_email),
        Code::ValidationError if is_about("amount") => Some(words.bad_amount),
        Code::ValidationError => Some(words.bad_method),
        Code::AmountOutOfRange => Some(words.bad_amount),
        Code::ProviderError => Some(words.refused),
        Code::ProviderUnavailable | Code::IdempotencyInProgress => Some(words.away),
        // The page itself says how things stand.
        Code::InvoiceNotOpen | Code::PaymentLinkNotOpen => None,
        _ => Some(words.not_now[1]),
    }
}

/// Whether a buyer sees the page again after this fault, and not an error of the server's.
pub(super) fn is_told(fault: &Fault) -> bool {
    !matches!(fault.code, Code::InternalError | Code::ServiceUnavailable) && fault.status() != 404
}

/// The status of a page that tells of a fault.
pub(super) fn status_of(fault: &Fault) -> StatusCode {
    StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

/// A rendered page. No search engine is to keep it.
pub(super) fn render(status: StatusCode, template: &impl Template) -> Answered {
    let mut response = sent(status, POLICY, "no-referrer", template)?;
    response.headers_mut().insert(HeaderName::from_static("x-robots-tag"), HeaderValue::from_static("noindex"));
    Ok(response)
}
