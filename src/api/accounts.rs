//! `/dashboard/auth/…` and `/v1/auth/…`: people come in, move between modes, and go.

use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{HttpRequest, get, patch, post};
use serde_json::{Value, json};

use super::caller::{JsonBody, Person, peer};
use super::envelope::{envelope, envelope_saying};
use super::query::Query;
use crate::domain::accounts::{Environment, normal_email};
use crate::domain::fields::Fields;
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, Registration, SignIn, SignedIn};
use crate::problem::{Answered, json as json_answer};

/// Said whether or not the address has an account.
const CHECK_YOUR_MAIL: &str = "Look into your mail for what to do next.";

/// Registers a person and a tenant of his, with Sandbox active.
#[utoipa::path(tag = "Accounts", responses((status = 201), (status = 400), (status = 403), (status = 429)))]
#[post("/dashboard/auth/register")]
pub async fn register(gateway: Data<Gateway>, request: HttpRequest, body: JsonBody) -> Answered {
    let registration = Registration::parse(&body.0)?;
    let data = json!({
        "email": registration.email, "firstName": registration.first_name, "lastName": registration.last_name,
        "companyName": registration.company_name, "mode": Mode::Test, "environment": Environment::Sandbox.as_str(),
        "emailVerificationSent": true,
    });
    gateway.register(registration, peer(&request)).await?;
    envelope_saying(201, &data, CHECK_YOUR_MAIL)
}

/// Lets a person in.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 401), (status = 429)))]
#[post("/dashboard/auth/login")]
pub async fn login(gateway: Data<Gateway>, request: HttpRequest, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let email = normal_email(&fields.required_text("email", 1, 254).unwrap_or_default());
    let password = Secret::new(fields.required_text("password", 1, 1000).unwrap_or_default());
    let totp_code = fields.text("totpCode", 0, 20).map(Secret::new);
    fields.finish().map_err(Fault::from)?;
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent = user_agent.unwrap_or_default().to_owned();
    let sign_in = SignIn { email, password, address: peer(&request), user_agent, totp_code };
    let signed_in = gateway.sign_in(sign_in).await?;
    envelope(200, &token_object(&signed_in))
}

/// A fresh token for who has one that is still good.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 401)))]
#[post("/dashboard/auth/refresh")]
pub async fn refresh(gateway: Data<Gateway>, caller: Person) -> Answered {
    envelope(200, &token_object(&gateway.renew_token(&caller.0).await?))
}

/// Ends this session, or every session of the person with `{"everywhere":true}`.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 401)))]
#[post("/dashboard/auth/logout")]
pub async fn logout(gateway: Data<Gateway>, caller: Person, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let everywhere = fields.boolean("everywhere").unwrap_or(false);
    fields.finish().map_err(Fault::from)?;
    gateway.sign_out(&caller.0, everywhere).await?;
    envelope(200, &json!({ "signedOut": true, "everywhere": everywhere }))
}

/// Who is signed in.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 401)))]
#[get("/dashboard/auth/me")]
pub async fn me(caller: Person) -> Answered {
    let scope = caller.0;
    let environment = Environment::of(scope.mode).as_str();
    envelope(200, &json!({ "user": Gateway::user_object(&scope), "mode": scope.mode, "environment": environment }))
}

/// Follows the link of a registration.
#[utoipa::path(tag = "Accounts", params(("token" = String, Query)), responses((status = 200), (status = 400)))]
#[get("/dashboard/auth/verify")]
pub async fn verify(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let token = query.required("token");
    query.finish()?;
    gateway.verify_email(&token).await?;
    envelope(200, &json!({ "emailVerified": true }))
}

/// Mails a link to a new password, if the address has an account.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 429)))]
#[post("/dashboard/auth/forgot-password")]
pub async fn forgot_password(gateway: Data<Gateway>, request: HttpRequest, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let email = fields.required_text("email", 1, 254).unwrap_or_default();
    fields.finish().map_err(Fault::from)?;
    gateway.request_password_reset(&email, peer(&request)).await?;
    envelope_saying(200, &Value::Null, CHECK_YOUR_MAIL)
}

/// Sets the new password that a mailed link allows; every session ends.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 400)))]
#[post("/dashboard/auth/reset-password")]
pub async fn reset_password(gateway: Data<Gateway>, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let token = fields.required_text("token", 1, 200).unwrap_or_default();
    let password = fields.required_text("password", 1, 1000).unwrap_or_default();
    fields.finish().map_err(Fault::from)?;
    gateway.reset_password(&token, Secret::new(password)).await?;
    envelope(200, &json!({ "passwordChanged": true }))
}

/// Changes where a person likes to begin, and the time zone that times are shown in.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 400), (status = 401)))]
#[patch("/dashboard/auth/preferences")]
pub async fn preferences(gateway: Data<Gateway>, caller: Person, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let environments = Environment::ALL.map(|environment| (environment.as_str(), environment));
    let environment = fields.choice("preferredEnvironment", &environments);
    let time_zone = fields.text("timeZone", 1, 64);
    fields.finish().map_err(Fault::from)?;
    let preferences = gateway.set_preferences(&caller.0, environment, time_zone).await?;
    envelope(200, &preferences)
}

/// Moves the caller to another mode; the token that is answered carries it.
#[utoipa::path(tag = "Accounts", responses((status = 200), (status = 400), (status = 401), (status = 421)))]
#[post("/v1/auth/switch-mode")]
pub async fn switch_mode(
    gateway: Data<Gateway>,
    request: HttpRequest,
    caller: Result<Person, crate::problem::Problem>,
    body: JsonBody,
) -> Answered {
    if request.headers().contains_key("x-api-key") {
        let detail = "an API key has one mode for good; use a key of the other mode";
        return Err(Fault::new(Code::ModeSwitchNotAllowed, detail).into());
    }
    let caller = caller?;
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    if !fields.is_given("mode") {
        fields.missing("mode");
    }
    let mode = fields.choice("mode", &Mode::ALL.map(|mode| (mode.as_str(), mode)));
    fields.finish().map_err(Fault::from)?;
    let signed_in = gateway.switch_mode(&caller.0, mode.unwrap_or(Mode::Test)).await?;
    let body = json!({ "token": signed_in.token.expose(), "mode": signed_in.scope.mode });
    Ok(json_answer(200, body.to_string()))
}

/// The one answer that holds a token.
pub(super) fn token_object(signed_in: &SignedIn) -> Value {
    let token = signed_in.token.expose();
    json!({
        "token": token, "accessToken": token, "user": Gateway::user_object(&signed_in.scope),
        "mode": signed_in.scope.mode, "environment": Environment::of(signed_in.scope.mode).as_str(),
    })
}
