//! Forms that are posted to us: read in bounded size and time, and taken only from a page that we wrote ourselves.
//!
//! Three things have to be right: where the browser says that the form comes from, the token that the page carried, and
//! the cookie that the token is bound to. What a form's fields mean is not here.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{HOST, HeaderName, ORIGIN};
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde_json::{Map, Value};

use super::shell::{Visitor, visitor};
use super::{cookies, peer};
use crate::domain::money::Currency;
use crate::domain::secrets::random_hex;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::Gateway;
use crate::problem::Problem;

/// How long the body of a form may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// The largest form, in bytes.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// The form field, and below it the header, with the token.
pub(super) const TOKEN_FIELD: &str = "csrf";
const TOKEN_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");

/// Names and values of a form, in the order in which they came.
#[derive(Clone, Debug, Default)]
pub struct Pairs(Vec<(String, String)>);

impl Pairs {
    /// What a form says.
    ///
    /// # Errors
    /// 400 for control characters.
    pub(super) fn checked(pairs: Vec<(String, String)>) -> Outcome<Self> {
        let is_odd = |text: &str| text.chars().any(|character| character.is_control() && !"\r\n\t".contains(character));
        if pairs.iter().any(|(name, value)| is_odd(name) || is_odd(value)) {
            return Err(Fault::new(Code::ValidationError, "the form holds control characters"));
        }
        Ok(Self(pairs))
    }

    /// The value of a field, without the space around it; empty when it was not given.
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The value of a field as it was typed; empty when it was not given.
    #[must_use]
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(found, _)| found == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field that may come several times.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a box was ticked, or a button pressed.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(found, _)| found == name)
    }

    /// The fields that were filled in as the fields of a JSON object. Texts are trimmed, passwords not.
    #[must_use]
    pub fn filled(&self, names: &[&str]) -> Map<String, Value> {
        let value = |name: &str| {
            let text = if name.to_lowercase().contains("password") { self.raw(name) } else { self.text(name) };
            Some((name.to_owned(), Value::from(text))).filter(|_| !text.is_empty())
        };
        names.iter().filter_map(|name| value(name)).collect()
    }

    /// The same as text, for verbs that read bodies.
    #[must_use]
    pub fn to_json(&self, names: &[&str]) -> Vec<u8> {
        Value::Object(self.filled(names)).to_string().into_bytes()
    }

    /// The ways to pay that were ticked; nothing where none was, which means all of them.
    #[must_use]
    pub fn methods(&self) -> Option<Value> {
        let ticked: Vec<&str> = self.all("methods").collect();
        (!ticked.is_empty()).then(|| ticked.into())
    }

    /// The currency of the form.
    ///
    /// # Errors
    /// 400 where it is none.
    pub fn currency(&self) -> Outcome<Currency> {
        Currency::parse(&self.text("currency").to_uppercase())
            .ok_or_else(|| Fault::invalid("currency", "must be a code such as IDR"))
    }

    /// The last second of the day that a field names; nothing where it was left out.
    ///
    /// # Errors
    /// 400 for what is no date.
    pub fn end_of_day(&self, name: &str) -> Outcome<Option<Timestamp>> {
        const REST_OF_DAY: Duration = Duration::from_secs(86_399);
        if self.text(name).is_empty() {
            return Ok(None);
        }
        let day = Timestamp::parse_day(self.text(name)).ok_or_else(|| Fault::invalid(name, "must be a date"))?;
        Ok(Some(day.plus(REST_OF_DAY)))
    }
}

/// A posted form of who is signed in, from a page that we wrote for his session.
pub struct CheckedForm {
    /// Who posted it.
    pub visitor: Visitor,
    /// What it says.
    pub pairs: Pairs,
}

impl std::ops::Deref for CheckedForm {
    type Target = Pairs;

    fn deref(&self) -> &Pairs {
        &self.pairs
    }
}

impl FromRequest for CheckedForm {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let visitor = visitor(&request).await?;
            let session_id = visitor.scope.member()?.session_id.to_string();
            let pairs = checked(&request, body, &session_id).await?;
            Ok(Self { visitor, pairs })
        })
    }
}

/// A posted form of who is not signed in, from a page that we wrote for his browser.
pub struct OpenForm {
    /// What it says.
    pub pairs: Pairs,
    /// What the page carries when it is shown again.
    pub csrf: String,
}

impl std::ops::Deref for OpenForm {
    type Target = Pairs;

    fn deref(&self) -> &Pairs {
        &self.pairs
    }
}

impl FromRequest for OpenForm {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Bytes::from_request(request, payload);
        let request = request.clone();
        Box::pin(async move {
            let browser = cookies::read(&request, cookies::BROWSER).ok_or_else(no_cookie)?;
            let pairs = checked(&request, body, &browser).await?;
            Ok(Self { pairs, csrf: gateway(&request).form_token(&browser) })
        })
    }
}

/// The token of the forms of who is not signed in. The browser gets its cookie with the page, if it has none.
pub(super) fn open_token(request: &HttpRequest) -> String {
    let known = cookies::read(request, cookies::BROWSER).filter(|value| !value.is_empty());
    let browser = known.unwrap_or_else(|| {
        let browser = random_hex(16);
        let cookie = cookies::set(cookies::BROWSER, &browser);
        request.extensions_mut().insert(cookies::Fresh(cookie));
        browser
    });
    gateway(request).form_token(&browser)
}

fn gateway(request: &HttpRequest) -> &Data<Gateway> {
    request.app_data::<Data<Gateway>>().expect("the server is built with its gateway")
}

/// Reads a form and makes sure that it is of a page that we wrote for who is bound to it.
async fn checked(
    request: &HttpRequest,
    body: impl Future<Output = Result<Bytes, actix_web::Error>>,
    bound_to: &str,
) -> Outcome<Pairs> {
    check_origin(request)?;
    let timed_out = |_| Fault::new(Code::RequestTimeout, "the form did not arrive within 10 seconds");
    let body = tokio::time::timeout(BODY_TIMEOUT, body).await.map_err(timed_out)?;
    let body = body.map_err(|_| Fault::new(Code::BodyTooLarge, "the form is too large, or it broke off"))?;
    if body.len() > MAX_FORM_BYTES {
        return Err(Fault::new(Code::BodyTooLarge, format!("a form may have {MAX_FORM_BYTES} bytes")));
    }
    let pairs = url::form_urlencoded::parse(&body).map(|(name, value)| (name.into_owned(), value.into_owned()));
    let pairs = Pairs::checked(pairs.collect())?;
    let header = request.headers().get(TOKEN_HEADER).and_then(|value| value.to_str().ok());
    check_token(request, header.unwrap_or_else(|| pairs.raw(TOKEN_FIELD)), bound_to)?;
    Ok(pairs)
}

/// Refuses a form without the token of a page that we wrote for who is bound to it.
pub(super) fn check_token(request: &HttpRequest, token: &str, bound_to: &str) -> Outcome<()> {
    if gateway(request).is_form_token(bound_to, token) {
        return Ok(());
    }
    tracing::info!(address = %peer(request), "a form without its token was turned away");
    Err(not_ours())
}

/// Refuses what a browser says comes from another site. Old browsers say nothing; the token is asked for in any case.
pub(super) fn check_origin(request: &HttpRequest) -> Outcome<()> {
    let Some(origin) = request.headers().get(ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().unwrap_or_default();
    let host = request.headers().get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let of_host = origin.split_once("://").is_some_and(|(_, authority)| authority == host);
    let base = gateway(request).settings().base_url();
    let of_base = url::Url::parse(&base).is_ok_and(|base| base.origin().ascii_serialization() == origin);
    if of_host || of_base { Ok(()) } else { Err(not_ours()) }
}

fn no_cookie() -> Fault {
    let detail = "the browser has not kept this site's cookie: allow it, and open the site over https, as browsers keep it \
                  over http on their own machine alone";
    Fault::new(Code::FormNotAccepted, detail)
}

pub(super) fn not_ours() -> Fault {
    Fault::new(Code::FormNotAccepted, "this form is not of a page of yours that is still good; load the page again")
}

/// What is wrong with the fields of a form, for the page that shows it again.
#[derive(Default)]
pub struct FieldFaults(BTreeMap<String, String>);

impl FieldFaults {
    /// The faults that a refusal names.
    #[must_use]
    pub fn of(fault: &Fault) -> Self {
        let named = fault.messages.iter().filter_map(|message| message.split_once(": "));
        let reason = |text: &str| if text == "missing" { "is required".to_owned() } else { text.to_owned() };
        Self(named.map(|(name, text)| (name.to_owned(), reason(text))).collect())
    }

    /// What is wrong with a field.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Whether something is wrong with any of them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
