//! The frame of every console page: who looks at it, and what stands around its own matter. A handler takes a
//! [`Visitor`], its template extends `console.html` and has a field `shell`, and [`render`] sends it.
//!
//! Who is not signed in is sent to sign in. What a form of the console carries is in `forms`, errors as pages in
//! `dressing`.

use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, LOCATION};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use askama::Template;

use super::navigation::ENTRIES;
use super::times::Moment;
use super::{cookies, peer, sent};
use crate::domain::accounts::Role;
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{Gateway, Member, Scope, SignedIn, Surroundings, Who};
use crate::problem::{Answered, Problem};

pub use super::forms::CheckedForm;

/// No script or style within a page, nothing from elsewhere, no frame around it.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// How old a token is when the cookie gets a fresh one, in seconds.
const RENEWED_AFTER: i64 = 600;

/// A person who is signed in and looks at a page.
#[derive(Clone)]
pub struct Visitor {
    /// Who, for which tenant, in which mode.
    pub scope: Scope,
    /// What every form of the page carries as `csrf`, or a script sends as `X-CSRF-Token`.
    pub csrf: String,
    surroundings: Surroundings,
}

impl FromRequest for Visitor {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(visitor(&request).await?) })
    }
}

/// Who looks at a page, looked up once for each request.
///
/// # Errors
/// 401, which the visitor sees as the page to sign in at.
pub(super) async fn visitor(request: &HttpRequest) -> Outcome<Visitor> {
    if let Some(visitor) = request.extensions().get::<Visitor>() {
        return Ok(visitor.clone());
    }
    let gateway = request.app_data::<Data<Gateway>>().expect("the server is built with its gateway");
    let signed_out = || Fault::new(Code::AuthenticationRequired, "sign in first");
    let token = cookies::read(request, cookies::SESSION).ok_or_else(signed_out)?;
    let scope = gateway.member_of_token(&token, Some(peer(request).to_string())).await?;
    let member = scope.member()?;
    if gateway.now().unix_seconds() - member.token_minted_at > RENEWED_AFTER {
        keep_signed_in(request, &gateway.renew_token(&scope).await?);
    }
    tracing::Span::current().record("mode", scope.mode.as_str());
    let csrf = gateway.form_token(scope.member()?.session_id.as_str());
    let visitor = Visitor { surroundings: gateway.surroundings(&scope).await?, scope, csrf };
    request.extensions_mut().insert(visitor.clone());
    Ok(visitor)
}

/// Has the answer to `request` give the browser the token of who is signed in.
pub(super) fn keep_signed_in(request: &HttpRequest, signed_in: &SignedIn) {
    let cookie = cookies::set(cookies::SESSION, signed_in.token.expose());
    request.extensions_mut().insert(cookies::Fresh(cookie));
}

/// One of the modes in the header.
pub struct ModeChoice {
    /// As in `test`.
    pub name: &'static str,
    /// Whether the page is in it.
    pub is_current: bool,
    /// Why it cannot be entered.
    pub lock: Option<String>,
}

/// A page in the navigation.
pub struct Item {
    /// What people read.
    pub title: &'static str,
    /// Where it is.
    pub path: &'static str,
    /// Whether the page is it, or belongs to it.
    pub is_current: bool,
}

/// What stands around a console page.
pub struct Shell {
    /// Goes into every form as `csrf`.
    pub csrf: String,
    /// The tenant's name.
    pub tenant_name: String,
    /// The person's name.
    pub person: String,
    /// The person's address.
    pub email: String,
    /// `owner`, `developer` or `viewer`.
    pub role: &'static str,
    /// Whether the person may change anything.
    pub may_write: bool,
    /// Whether the person owns the tenant.
    pub is_owner: bool,
    /// `test`, `sandbox` or `live`.
    pub mode: &'static str,
    /// Whether money is real here.
    pub is_live: bool,
    /// The two modes of Sandbox.
    pub sandbox: Vec<ModeChoice>,
    /// The mode of Production.
    pub production: ModeChoice,
    /// The tenants that the person may move to, as (id, name); none where there is but one.
    pub other_tenants: Vec<(String, String)>,
    /// The navigation.
    pub items: Vec<Item>,
    /// Where the page's entry in the navigation leads.
    pub here: &'static str,
    /// What has just been done.
    pub notice: Option<&'static str>,
    zone: Option<String>,
}

impl Shell {
    /// The frame of a page that belongs to the entry `active` of the navigation.
    ///
    /// # Panics
    /// Never: a visitor is a person.
    #[must_use]
    pub fn new(visitor: &Visitor, active: &str) -> Self {
        let Visitor { scope, csrf, surroundings } = visitor;
        let Who::Member(member) = &scope.who else { unreachable!("a visitor is a person") };
        let Member { name, email, role, tenant_name, time_zone, .. } = member;
        let choice = |mode: Mode, lock: &Option<crate::gateway::Lock>| ModeChoice {
            name: mode.as_str(),
            is_current: scope.mode == mode,
            lock: lock.as_ref().map(|lock| lock.reason.clone()),
        };
        let [test, sandbox, live] = &surroundings.locks;
        let others = surroundings.tenants.iter().filter(|(tenant_id, _)| *tenant_id != scope.tenant_id);
        Self {
            csrf: csrf.clone(),
            tenant_name: tenant_name.clone(),
            person: name.clone(),
            email: email.clone(),
            role: role.as_str(),
            may_write: *role >= Role::Developer,
            is_owner: *role == Role::Owner,
            mode: scope.mode.as_str(),
            is_live: scope.mode == Mode::Live,
            sandbox: vec![choice(Mode::Test, test), choice(Mode::Sandbox, sandbox)],
            production: choice(Mode::Live, live),
            other_tenants: others.map(|(tenant_id, name)| (tenant_id.to_string(), name.clone())).collect(),
            items: ENTRIES
                .iter()
                .map(|entry| Item { title: entry.title, path: entry.path, is_current: entry.name == active })
                .collect(),
            here: ENTRIES.iter().find(|entry| entry.name == active).map_or("/console", |entry| entry.path),
            notice: None,
            zone: time_zone.clone(),
        }
    }

    /// With a sentence about what has just been done.
    #[must_use]
    pub fn saying(self, notice: Option<&'static str>) -> Self {
        Self { notice, ..self }
    }

    /// A moment as the viewer reads it.
    #[must_use]
    pub fn time(&self, moment: &Timestamp) -> Moment {
        Moment::new(*moment, self.zone.as_deref())
    }
}

/// A rendered page of the console, or of the way into it.
///
/// # Errors
/// When the template cannot be rendered.
pub fn render(template: &impl Template) -> Answered {
    render_as(StatusCode::OK, template)
}

/// The same page with another status: a form that was not as it must be is shown again with 400.
///
/// # Errors
/// When the template cannot be rendered.
pub fn render_as(status: StatusCode, template: &impl Template) -> Answered {
    // With `no-referrer` a browser would not say where its forms come from either.
    sent(status, POLICY, "same-origin", template)
}

/// Sends the browser on to another of our own pages.
#[must_use]
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, path)).insert_header((CACHE_CONTROL, "no-store")).finish()
}

/// `path`, if it is a page of the console's: what a link says about where to go next is not to lead anywhere else.
#[must_use]
pub fn local_path(path: &str) -> Option<&str> {
    let is_plain = path.bytes().all(|byte| (0x21..0x7f).contains(&byte) && byte != b'\\');
    let leads = ["/console", "/invitation"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?'])));
    (is_plain && leads).then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_next_is_a_page_of_ours() {
        for good in ["/console", "/console/payments?status=failed", "/invitation?token=ab"] {
            assert_eq!(local_path(good), Some(good));
        }
        let elsewhere = [
            "",
            "console",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/consoles.evil",
            "/console\r\nx: y",
            "/docs",
            "/console\\..",
            "\\/evil.example",
        ];
        for bad in elsewhere {
            assert_eq!(local_path(bad), None, "{bad}");
        }
    }
}
