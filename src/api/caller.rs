//! Who calls: the extractor of every handler that works for a person who is signed in, so that none can forget to ask.
//! Requests that an app has signed are in `signed`.

use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::AUTHORIZATION;
use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest};

use super::signed::{check_media_type, idempotency_key, read_body};
use crate::domain::signing::sha256;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{Gateway, Once, Scope};
use crate::problem::{Problem, request_id};

/// The header that an API key comes in.
const API_KEY: &str = "x-api-key";

/// The largest body, in bytes.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A person who is signed in, with the tenant and mode that his token carries; the mode is one that is served here.
pub struct Caller(pub Scope);

/// A person who is signed in, whatever the mode of his token: for what is about him and not about a tenant's work, such
/// as moving to another mode.
pub struct Person(pub Scope);

/// A person who is signed in, or a machine with an API key. What either may do is asked with
/// [`Scope::require_scope`].
pub struct TenantCaller(pub Scope);

/// As [`TenantCaller`], whatever the mode of a person's token: for the way to Production, which one begins before the
/// mode that one gets is served, where only `live` is.
pub struct Newcomer(pub Scope);

impl FromRequest for Newcomer {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let has_key = request.headers().contains_key(API_KEY);
            let scope = if has_key { machine(&request).await } else { member(&request).await };
            scope.map(Self).map_err(Problem)
        })
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self(served_member(&request).await?)) })
    }
}

impl FromRequest for Person {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self(member(&request).await?)) })
    }
}

impl FromRequest for TenantCaller {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            // A key that was sent is what counts: that it is bad must not be hidden by a token that is good.
            if request.headers().contains_key(API_KEY) {
                machine(&request).await
            } else {
                served_member(&request).await
            }
            .map(Self)
            .map_err(Problem)
        })
    }
}

/// A request with a JSON body of at most `LIMIT` bytes by a person or a machine: nothing of the body is read before it is
/// known who sends it.
pub struct TenantRequest<const LIMIT: usize> {
    /// Who, for which tenant, in which mode.
    pub scope: Scope,
    /// The body.
    pub body: Bytes,
    /// What identifies it, if it brings an `Idempotency-Key`.
    pub once: Option<Once>,
}

impl<const LIMIT: usize> FromRequest for TenantRequest<LIMIT> {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let TenantCaller(scope) = TenantCaller::from_request(&request, &mut Payload::None).await?;
            let key = idempotency_key(request.headers())?;
            let body = read_body(&request, payload, LIMIT).await?;
            check_media_type(&request, &body)?;
            let once = key.map(|key| {
                let what = [request.method().as_str(), request.uri().path(), &key];
                Once::of_tenant(&scope, gateway(&request).now(), what, &sha256(&body), request_id(&request))
            });
            Ok(Self { scope, body, once })
        })
    }
}

/// A body of JSON, read in bounded size and time.
pub struct JsonBody(pub Bytes);

impl FromRequest for JsonBody {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Problem>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            let body = read_body(&request, payload, MAX_BODY_BYTES).await?;
            check_media_type(&request, &body)?;
            Ok(Self(body))
        })
    }
}

fn gateway(request: &HttpRequest) -> &Data<Gateway> {
    request.app_data::<Data<Gateway>>().expect("the server is built with its gateway")
}

async fn machine(request: &HttpRequest) -> Outcome<Scope> {
    let malformed = || Fault::new(Code::InvalidApiKeyFormat, "send one API key, as pk_<mode>_<public>.<secret>");
    let mut values = request.headers().get_all(API_KEY);
    let key = values.next().filter(|_| values.next().is_none()).ok_or_else(malformed)?;
    let key = key.to_str().map_err(|_| malformed())?;
    let scope = gateway(request).caller_of_key(key, Some(peer(request).to_string())).await?;
    tracing::Span::current().record("mode", scope.mode.as_str());
    Ok(scope)
}

async fn served_member(request: &HttpRequest) -> Outcome<Scope> {
    let scope = member(request).await?;
    gateway(request).check_mode_is_served(scope.mode)?;
    Ok(scope)
}

async fn member(request: &HttpRequest) -> Outcome<Scope> {
    let gateway = gateway(request);
    let required = || Fault::new(Code::AuthenticationRequired, "send `Authorization: Bearer <token>`");
    let header = request.headers().get(AUTHORIZATION).ok_or_else(required)?;
    let token = header.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).ok_or_else(required)?;
    let scope = gateway.member_of_token(token.trim(), Some(peer(request).to_string())).await?;
    tracing::Span::current().record("mode", scope.mode.as_str());
    Ok(scope)
}

/// The address that a request really came from; what its headers say of others cannot be trusted.
#[must_use]
pub fn peer(request: &HttpRequest) -> IpAddr {
    request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip())
}
