//! Sign-ins: whose a token is, moving to another mode or tenant, and signing out.

use serde_json::json;

use super::Gateway;
use super::audit::{self, Deed};
use super::scope::{Member, Scope, Who};
use super::users::SignedIn;
use crate::domain::ids::{SessionId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::domain::tokens::TokenFault;
use crate::error::{Code, Fault, Outcome};
use crate::store::sessions::SessionRow;
use crate::store::{Lane, sessions, users};

impl Gateway {
    /// Whose a token is.
    ///
    /// # Errors
    /// 401: expired, not ours, or its session has ended.
    pub async fn member_of_token(&self, token: &str, address: Option<String>) -> Outcome<Scope> {
        let now = self.clock.now();
        let claims = self.token_key.read(token, now).map_err(|fault| match fault {
            TokenFault::Expired => Fault::new(Code::JwtExpired, "the token has expired; sign in again"),
            TokenFault::Invalid => invalid_token(),
        })?;
        let session_id = SessionId::parse(&claims.sid).ok_or_else(invalid_token)?;
        let mode = Mode::parse(&claims.mode).ok_or_else(invalid_token)?;
        let standing = self.read(move |conn| sessions::standing(conn, &session_id, now)).await?;
        let standing = standing
            .ok_or_else(|| Fault::new(Code::InvalidJwt, "the session of this token has ended; sign in again"))?;
        let (session, ..) = &standing;
        if session.tenant_id.as_str() != claims.tenant_id || session.user_id.as_str() != claims.sub {
            return Err(invalid_token());
        }
        Ok(scope_of(standing, mode, claims.iat, address))
    }

    /// A token for a session that stands.
    pub(super) async fn mint(&self, session_id: &SessionId, mode: Mode, address: Option<String>) -> Outcome<SignedIn> {
        let now = self.clock.now();
        let wanted = session_id.clone();
        let standing =
            self.read(move |conn| sessions::standing(conn, &wanted, now)).await?.ok_or_else(invalid_token)?;
        let (session, user, tenant, role) = &standing;
        let (session_id, user_id) = (session.session_id.as_str(), user.user_id.as_str());
        let tenant_id = tenant.tenant_id.as_str();
        let token = self.token_key.mint(session_id, user_id, tenant_id, role.as_str(), mode.as_str(), now);
        let scope = scope_of(standing, mode, now.unix_seconds(), address);
        Ok(SignedIn { token: Secret::new(token), scope })
    }

    /// A fresh token for who has one: the same session, tenant and mode.
    ///
    /// # Errors
    /// 401 when the session has ended.
    pub async fn renew_token(&self, scope: &Scope) -> Outcome<SignedIn> {
        self.mint(&scope.member()?.session_id, scope.mode, scope.address.clone()).await
    }

    /// Moves a session to another mode; the token that is answered carries it.
    ///
    /// # Errors
    /// 400 `ProductionAccessNotApproved` naming the step that is missing; 421 for a mode that is not served here.
    pub async fn switch_mode(&self, scope: &Scope, mode: Mode) -> Outcome<SignedIn> {
        let session_id = scope.member()?.session_id.clone();
        self.check_mode_is_served(mode)?;
        if mode == Mode::Live {
            let step = self.missing_live_step(&scope.tenant_id).await?;
            if let Some(step) = step {
                // Here alone it is a bad request and not a forbidden one.
                return Err(Fault { status: Some(400), ..step });
            }
        }
        let (moved, from, scope_then) = (session_id.clone(), scope.mode, scope.clone());
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            sessions::move_to(conn, &moved, &scope_then.tenant_id, mode)?;
            let deed = Deed {
                action: "session.mode_switched",
                subject: Some(moved.as_str()),
                before: Some(json!({ "mode": from })),
                after: Some(json!({ "mode": mode })),
            };
            audit::record(conn, &scope_then, deed, now)
        })
        .await?;
        self.mint(&session_id, mode, scope.address.clone()).await
    }

    /// Moves a session to another tenant that its user is a member of, in mode `test`.
    ///
    /// # Errors
    /// 404 for a tenant that he is no member of.
    pub async fn switch_tenant(&self, scope: &Scope, tenant_id: &str) -> Outcome<SignedIn> {
        let not_found = || Fault::new(Code::NotFound, "you are not a member of such a tenant");
        let member = scope.member()?;
        let wanted = TenantId::parse(tenant_id).ok_or_else(not_found)?;
        let (user_id, session_id) = (member.user_id.clone(), member.session_id.clone());
        let is_moved = self
            .write(Lane::Any, move |conn| {
                if users::role(conn, &wanted, &user_id)?.is_none() {
                    return Ok(false);
                }
                sessions::move_to(conn, &session_id, &wanted, Mode::Test).map(|()| true)
            })
            .await?;
        if !is_moved {
            return Err(not_found());
        }
        self.mint(&member.session_id, Mode::Test, scope.address.clone()).await
    }

    /// The tenants that a person is a member of, as (id, name).
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn memberships(&self, scope: &Scope) -> Outcome<Vec<(TenantId, String)>> {
        let user_id = scope.member()?.user_id.clone();
        let own = self.read(move |conn| users::memberships(conn, &user_id)).await?;
        Ok(own.into_iter().map(|(tenant_id, name, _)| (tenant_id, name)).collect())
    }

    /// Signs a person out: this session alone, or everywhere.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn sign_out(&self, scope: &Scope, everywhere: bool) -> Outcome<()> {
        let member = scope.member()?;
        let (user_id, session_id) = (member.user_id.clone(), member.session_id.clone());
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            if everywhere {
                sessions::revoke_all(conn, &user_id, None, now)?;
            } else {
                sessions::revoke(conn, &user_id, &session_id, now)?;
            }
            Ok(())
        })
        .await
    }

    /// Ends one session of a person.
    ///
    /// # Errors
    /// 404 for a session that is not his, or has ended.
    pub async fn end_session(&self, scope: &Scope, session_id: &str) -> Outcome<()> {
        let not_found = || Fault::new(Code::NotFound, "you have no such session");
        let session_id = SessionId::parse(session_id).ok_or_else(not_found)?;
        let user_id = scope.member()?.user_id.clone();
        let now = self.clock.now();
        let stood = self.write(Lane::Any, move |conn| sessions::revoke(conn, &user_id, &session_id, now)).await?;
        if stood { Ok(()) } else { Err(not_found()) }
    }

    /// The sessions of a person that stand, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn sessions(&self, scope: &Scope) -> Outcome<Vec<SessionRow>> {
        let user_id = scope.member()?.user_id.clone();
        let now = self.clock.now();
        self.read(move |conn| sessions::of_user(conn, &user_id, now)).await
    }
}

/// Who a session that stands is, in a mode that a token carries.
fn scope_of(
    (session, user, tenant, role): sessions::Standing,
    mode: Mode,
    token_minted_at: i64,
    address: Option<String>,
) -> Scope {
    let member = Member {
        user_id: user.user_id,
        session_id: session.session_id,
        role,
        name: format!("{} {}", user.first_name, user.last_name),
        email: user.email,
        is_verified: user.email_verified_at.is_some(),
        has_second_factor: user.totp_confirmed_at.is_some(),
        tenant_name: tenant.name,
        plan: tenant.plan,
        preferred_environment: user.preferred_environment,
        time_zone: user.time_zone,
        token_minted_at,
    };
    Scope { tenant_id: tenant.tenant_id, mode, who: Who::Member(member), address }
}

fn invalid_token() -> Fault {
    Fault::new(Code::InvalidJwt, "this is no token of this gateway; sign in again")
}
