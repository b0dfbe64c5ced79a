//! A second factor for signing in: codes of an authenticator app. It is enrolled, confirmed with a first code, and from
//! then on asked for; no code is good twice. Its secret is shown once and kept sealed.

use serde_json::json;

use super::audit::{self, Deed};
use super::users::wrong_credentials;
use super::{Gateway, Scope};
use crate::domain::ids::UserId;
use crate::domain::secrets::{Place, Secret};
use crate::domain::totp;
use crate::error::{Code, Fault, Outcome};
use crate::store::users::UserRow;
use crate::store::{Lane, StoreError, users};

/// What an authenticator app is given, this once.
#[derive(Debug)]
pub struct Enrolment {
    /// To be typed: base 32.
    pub secret: Secret,
    /// To be scanned: an `otpauth://` URL.
    pub url: Secret,
}

fn place(user_id: &UserId) -> Place<'_> {
    Place { table: "users", row: user_id.as_str(), column: "totp_sealed" }
}

impl Gateway {
    /// Gives a person the secret of a second factor. Nothing asks for it until it is confirmed.
    ///
    /// # Errors
    /// 409 for who has one.
    pub async fn enrol_second_factor(&self, scope: &Scope) -> Outcome<Enrolment> {
        let member = scope.member()?;
        let (user_id, email) = (member.user_id.clone(), member.email.clone());
        let secret = totp::generate();
        let sealed = self.sealer.seal(place(&user_id), &secret);
        let now = self.clock.now();
        let is_new = self
            .write(Lane::Any, move |conn| {
                let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
                if user.totp_confirmed_at.is_some() {
                    return Ok(false);
                }
                users::set_totp(conn, &user_id, Some(&sealed), now).map(|()| true)
            })
            .await?;
        if !is_new {
            return Err(Fault::new(Code::AlreadyExists, "you have a second factor; disable it first"));
        }
        let url = Secret::new(totp::enrolment_url(&secret, &email));
        Ok(Enrolment { secret: Secret::new(totp::to_base32(&secret)), url })
    }

    /// Takes the first code of an enrolled second factor; signing in asks for one from now on.
    ///
    /// # Errors
    /// 400 for a code that is wrong, or where nothing was enrolled.
    pub async fn confirm_second_factor(&self, scope: &Scope, code: &str) -> Outcome<()> {
        let user_id = scope.member()?.user_id.clone();
        self.count_attempt(scope)?;
        let now = self.clock.now();
        let wanted = user_id.clone();
        let user = self.read(move |conn| users::find(conn, &wanted)).await?.ok_or(StoreError::Missing)?;
        let not_begun = || Fault::invalid("code", "belongs to nothing: begin again");
        let secret = self.totp_secret(&user)?.filter(|_| user.totp_confirmed_at.is_none()).ok_or_else(not_begun)?;
        let step = totp::step_of(&secret, code, now).ok_or_else(wrong_code)?;
        let (actor, sealed) = (scope.clone(), user.totp_sealed);
        let is_confirmed = self
            .write(Lane::Any, move |conn| {
                let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
                let is_same = user.totp_sealed == sealed && user.totp_confirmed_at.is_none();
                if !is_same || !users::use_totp_step(conn, &user_id, step)? {
                    return Ok(false);
                }
                users::confirm_totp(conn, &user_id, now)?;
                audit::record(conn, &actor, deed("user.totp_enabled", &user_id, true), now).map(|()| true)
            })
            .await?;
        if is_confirmed { Ok(()) } else { Err(wrong_code()) }
    }

    /// Takes a person's second factor away.
    ///
    /// # Errors
    /// 400 for a wrong password; 429.
    pub async fn disable_second_factor(&self, scope: &Scope, password: Secret) -> Outcome<()> {
        self.check_own_password(scope, "password", password).await?;
        let user_id = scope.member()?.user_id.clone();
        let actor = scope.clone();
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
            users::set_totp(conn, &user_id, None, now)?;
            if user.totp_confirmed_at.is_none() {
                return Ok(());
            }
            audit::record(conn, &actor, deed("user.totp_disabled", &user_id, false), now)
        })
        .await
    }

    /// Asks who signs in for the code of his second factor, if he has one, and uses it up.
    pub(super) async fn check_second_factor(&self, user: &UserRow, code: Option<&str>) -> Outcome<()> {
        if user.totp_confirmed_at.is_none() {
            return Ok(());
        }
        let required = || Fault::new(Code::TotpRequired, "the code of your authenticator app is needed too");
        let code = code.filter(|code| !code.trim().is_empty()).ok_or_else(required)?;
        let secret = self.totp_secret(user)?.ok_or_else(wrong_credentials)?;
        let step = totp::step_of(&secret, code, self.clock.now()).ok_or_else(wrong_credentials)?;
        let user_id = user.user_id.clone();
        let is_fresh = self.write(Lane::Any, move |conn| users::use_totp_step(conn, &user_id, step)).await?;
        if is_fresh { Ok(()) } else { Err(wrong_credentials()) }
    }

    fn totp_secret(&self, user: &UserRow) -> Outcome<Option<Secret>> {
        let Some(sealed) = &user.totp_sealed else { return Ok(None) };
        self.sealer.open(place(&user.user_id), sealed).map(Some).map_err(|error| {
            tracing::error!(%error, user = %user.user_id, "a second factor cannot be opened");
            Fault::new(Code::InternalError, "internal error")
        })
    }
}

fn wrong_code() -> Fault {
    Fault::invalid("code", "is wrong, or too old; take the one that the app shows now")
}

fn deed<'a>(action: &'a str, user_id: &'a UserId, is_on: bool) -> Deed<'a> {
    let state = |is_on: bool| Some(json!({ "secondFactor": is_on }));
    Deed { action, subject: Some(user_id.as_str()), before: state(!is_on), after: state(is_on) }
}
