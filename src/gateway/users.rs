//! People: registering, showing that an address is theirs, coming in, and a new password when the old one is lost.
//!
//! Nothing here tells a stranger whether an address has an account: the answers are the same, and so is the work.

use std::net::IpAddr;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::json;

use super::audit::Deed;
use super::environments::open_counters;
use super::mails::Letter;
use super::scope::{Member, Scope, Who};
use super::{Gateway, audit, mails};
use crate::domain::accounts::{Environment, Role, normal_email};
use crate::domain::drafts::email_fault;
use crate::domain::fields::Fields;
use crate::domain::ids::{SessionId, TenantId, UserId};
use crate::domain::mode::Mode;
use crate::domain::passwords;
use crate::domain::plans::FIRST_PLAN;
use crate::domain::secrets::Secret;
use crate::domain::time::Timestamp;
use crate::domain::tokens::{link_token, token_hash};
use crate::error::{Code, Fault, Outcome};
use crate::store::environments::EnvironmentRow;
use crate::store::sessions::SessionRow;
use crate::store::tenants::TenantRow;
use crate::store::users::{MemberRow, UserRow};
use crate::store::{Conn, Lane, StoreError, StoreResult, environments, sessions, tenants, users};

/// How long the link of a registration is good for.
const VERIFY_WITHIN: Duration = Duration::from_secs(7 * 24 * 3600);

/// How long the link to a new password is good for.
const RESET_WITHIN: Duration = Duration::from_secs(3600);

/// How long a sign-in lasts at the most.
pub(super) const SESSION_LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// Passwords that are hashed at once: each takes 19 MiB.
pub(super) const HASHES_AT_ONCE: usize = 2;

/// What a link in a mail proves.
const VERIFY_EMAIL: &str = "verify_email";
const RESET_PASSWORD: &str = "reset_password";

/// Somebody who wants an account, for a company of his own.
#[derive(Debug)]
pub struct Registration {
    /// In lower case.
    pub email: String,
    /// As it was typed.
    pub password: Secret,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The tenant's name.
    pub company_name: String,
}

impl Registration {
    /// Reads the body of a registration.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8]) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        let email = normal_email(&fields.required_text("email", 1, 254).unwrap_or_default());
        if let Some(reason) = email_fault(&email).filter(|_| !email.is_empty()) {
            fields.fault("email", reason);
        }
        let password = read_password(&mut fields, "password", &email);
        let first_name = fields.required_text("firstName", 1, 100).unwrap_or_default();
        let last_name = fields.required_text("lastName", 1, 100).unwrap_or_default();
        let company_name = fields.required_text("companyName", 1, 100).unwrap_or_default();
        fields.finish()?;
        Ok(Self { email, password, first_name, last_name, company_name })
    }
}

/// A new password: any characters, because they are the person's own business.
pub(super) fn read_password(fields: &mut Fields<'_>, name: &str, email: &str) -> Secret {
    let is_given = fields.is_given(name);
    let password = Secret::new(fields.required_text(name, 0, 1000).unwrap_or_default());
    if let Some(reason) = passwords::password_fault(&password, email).filter(|_| is_given) {
        fields.fault(name, &reason);
    }
    password
}

/// Somebody who wants to come in.
#[derive(Debug)]
pub struct SignIn {
    /// In lower case.
    pub email: String,
    /// As it was typed.
    pub password: Secret,
    /// Where from.
    pub address: IpAddr,
    /// With what.
    pub user_agent: String,
    /// The code of the second factor, from who has one.
    pub totp_code: Option<Secret>,
}

/// Somebody who is in.
#[derive(Debug)]
pub struct SignedIn {
    /// What proves it.
    pub token: Secret,
    /// Who, for which tenant, in which mode.
    pub scope: Scope,
}

impl Gateway {
    /// Registers a person and a tenant of his, with Sandbox active at once. A link is mailed; an address that has an
    /// account is told so by mail, and the caller is not.
    ///
    /// # Errors
    /// 403 where sign-up is closed; 429.
    pub async fn register(&self, registration: Registration, address: IpAddr) -> Outcome<()> {
        if !self.is_sign_up_open() {
            return Err(Fault::new(Code::SignUpClosed, "sign-up is closed until mail.smtp_url is set"));
        }
        self.limits.count(&registration.email, address)?;
        let password_hash = self.hash_password(registration.password.clone()).await?;
        let now = self.clock.now();
        let token = link_token();
        let base = self.settings.base_url();
        let welcome = Letter {
            recipient: registration.email.clone(),
            subject: "Confirm your address".to_owned(),
            text: format!(
                "Welcome to Switchyard, {}.\n\nConfirm that this address is yours:\n{base}/verify?token={}\n\nThe link is good \
                 for seven days. If you did not register, ignore this mail.\n",
                registration.first_name,
                token.expose()
            ),
        };
        let known = Letter {
            recipient: registration.email.clone(),
            subject: "You have an account already".to_owned(),
            text: format!(
                "Somebody, perhaps you, has tried to register with this address. It has an account already.\n\nSign in:\n\
                 {base}/login\n\nIf you have lost your password, ask for a new one at {base}/forgot\n"
            ),
        };
        let sealer = self.sealer.clone();
        let hash = token_hash(token.expose());
        let founded = self
            .write(Lane::Any, move |conn| {
                let user = user_row(&registration, &password_hash, now);
                if !users::insert(conn, &user)? {
                    mails::enqueue(conn, &sealer, &known, now)?;
                    return Ok(None);
                }
                let tenant_id = found_tenant(conn, &registration.company_name, &user, &address, now)?;
                crate::store::mails::insert_token(
                    conn,
                    &hash,
                    &user.user_id,
                    VERIFY_EMAIL,
                    now.plus(VERIFY_WITHIN),
                    now,
                )?;
                mails::enqueue(conn, &sealer, &welcome, now)?;
                Ok(Some((tenant_id, user.user_id)))
            })
            .await?;
        if let Some((tenant_id, user_id)) = founded {
            tracing::info!(tenant = %tenant_id, user = %user_id, "a tenant has registered");
        }
        self.mails_wanted.notify_one();
        Ok(())
    }

    /// Takes a link of a registration: the address is its user's.
    ///
    /// # Errors
    /// 400 for a link that is used, old or not ours.
    pub async fn verify_email(&self, token: &str) -> Outcome<()> {
        let now = self.clock.now();
        let hash = token_hash(token);
        let user = self
            .write(Lane::Any, move |conn| {
                let Some(user_id) = crate::store::mails::use_token(conn, &hash, VERIFY_EMAIL, now)? else {
                    return Ok(None);
                };
                users::verify_email(conn, &user_id, now)?;
                Ok(Some(user_id))
            })
            .await?;
        user.map(drop).ok_or_else(link_is_spent)
    }

    /// Mails a link to a new password, if the address has an account.
    ///
    /// # Errors
    /// 429.
    pub async fn request_password_reset(&self, email: &str, address: IpAddr) -> Outcome<()> {
        let email = normal_email(email);
        self.limits.count(&email, address)?;
        let now = self.clock.now();
        let token = link_token();
        let hash = token_hash(token.expose());
        let letter = Letter {
            recipient: email.clone(),
            subject: "A new password".to_owned(),
            text: format!(
                "Choose a new password:\n{}/reset?token={}\n\nThe link is good for an hour. If you did not ask for it, ignore \
                 this mail: nothing has changed.\n",
                self.settings.base_url(),
                token.expose()
            ),
        };
        let sealer = self.sealer.clone();
        self.write(Lane::Any, move |conn| {
            let Some(user) = users::by_email(conn, &email)? else { return Ok(()) };
            crate::store::mails::cancel_tokens(conn, &user.user_id, RESET_PASSWORD, now)?;
            let expires_at = now.plus(RESET_WITHIN);
            crate::store::mails::insert_token(conn, &hash, &user.user_id, RESET_PASSWORD, expires_at, now)?;
            mails::enqueue(conn, &sealer, &letter, now)
        })
        .await?;
        self.mails_wanted.notify_one();
        Ok(())
    }

    /// Gives the user of a link a new password, and ends all his sessions.
    ///
    /// # Errors
    /// 400 for a password that will not do, or a link that is used, old or not ours.
    pub async fn reset_password(&self, token: &str, password: Secret) -> Outcome<()> {
        if let Some(reason) = passwords::password_fault(&password, "") {
            return Err(Fault::invalid("password", &reason));
        }
        let password_hash = self.hash_password(password).await?;
        let now = self.clock.now();
        let hash = token_hash(token);
        let user = self
            .write(Lane::Any, move |conn| {
                let Some(user_id) = crate::store::mails::use_token(conn, &hash, RESET_PASSWORD, now)? else {
                    return Ok(None);
                };
                users::set_password(conn, &user_id, &password_hash, now)?;
                // Whoever can read the mail owns the address.
                users::verify_email(conn, &user_id, now)?;
                sessions::revoke_all(conn, &user_id, None, now)?;
                Ok(Some(user_id))
            })
            .await?;
        user.map(drop).ok_or_else(link_is_spent)
    }

    /// Lets a person in, in mode `test`.
    ///
    /// # Errors
    /// 401, the same for an unknown address, a wrong password and a wrong code; `TotpRequired` where the code is missing;
    /// 429.
    pub async fn sign_in(&self, sign_in: SignIn) -> Outcome<SignedIn> {
        let (address, user_agent) = (sign_in.address, sign_in.user_agent.clone());
        let user = self.check_credentials(sign_in).await?;
        self.open_session(user, address, user_agent).await
    }

    /// The user whose address, password and code these are.
    pub(super) async fn check_credentials(&self, sign_in: SignIn) -> Outcome<UserRow> {
        self.limits.count(&sign_in.email, sign_in.address)?;
        let email = sign_in.email.clone();
        let found = self.read(move |conn| users::by_email(conn, &email)).await?;
        // An unknown address is checked against a password that no one has, for the same work.
        let hash = found.as_ref().map_or_else(|| nobodys_hash().to_owned(), |user| user.password_hash.clone());
        let is_right = self.is_password_right(sign_in.password.clone(), hash).await?;
        let Some(user) = found.filter(|_| is_right) else { return Err(wrong_credentials()) };
        self.check_second_factor(&user, sign_in.totp_code.as_ref().map(Secret::expose)).await?;
        Ok(user)
    }

    /// Opens a session of a user in the tenant that he has been a member of for longest.
    pub(super) async fn open_session(&self, user: UserRow, address: IpAddr, user_agent: String) -> Outcome<SignedIn> {
        let now = self.clock.now();
        let session_id = SessionId::generate(now);
        let address = address.to_string();
        let wanted = user.user_id.clone();
        let session = session_id.clone();
        let opened = self
            .write(Lane::Any, move |conn| {
                let Some((tenant_id, ..)) = users::memberships(conn, &wanted)?.into_iter().next() else {
                    return Ok(false);
                };
                let session = SessionRow {
                    session_id: session.clone(),
                    user_id: wanted.clone(),
                    tenant_id,
                    mode: Mode::Test,
                    address: address.clone(),
                    user_agent: user_agent.chars().filter(|character| !character.is_control()).take(200).collect(),
                    created_at: now,
                    expires_at: now.plus(SESSION_LIFETIME),
                    revoked_at: None,
                };
                sessions::insert(conn, &session).map(|()| true)
            })
            .await?;
        if !opened {
            return Err(Fault::new(Code::InsufficientScope, "you are not a member of any tenant; ask to be invited"));
        }
        self.mint(&session_id, Mode::Test, None).await
    }

    /// Changes what a person likes to begin with; what is not given stays. Answers with what holds now.
    ///
    /// # Errors
    /// 400 for a time zone that is none.
    pub async fn set_preferences(
        &self,
        scope: &Scope,
        environment: Option<Environment>,
        time_zone: Option<String>,
    ) -> Outcome<serde_json::Value> {
        if time_zone.as_deref().is_some_and(|name| !crate::domain::time::is_time_zone(name)) {
            return Err(Fault::invalid("timeZone", "must be a time zone's name, as in Asia/Jakarta"));
        }
        let user_id = scope.member()?.user_id.clone();
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
            let environment = environment.unwrap_or(user.preferred_environment);
            let time_zone = time_zone.clone().or(user.time_zone);
            users::set_preferences(conn, &user_id, environment, user.preferred_mode, time_zone.as_deref(), now)?;
            Ok(json!({ "preferredEnvironment": environment.as_str(), "timeZone": time_zone }))
        })
        .await
    }

    pub(super) async fn hash_password(&self, password: Secret) -> Outcome<String> {
        let _permit = self.hashing.acquire().await.map_err(|_| StoreError::Panicked)?;
        Ok(tokio::task::spawn_blocking(move || passwords::hash(&password)).await.map_err(|_| StoreError::Panicked)?)
    }

    pub(super) async fn is_password_right(&self, password: Secret, hash: String) -> Outcome<bool> {
        let _permit = self.hashing.acquire().await.map_err(|_| StoreError::Panicked)?;
        let checked = tokio::task::spawn_blocking(move || passwords::is_right(&password, &hash)).await;
        Ok(checked.map_err(|_| StoreError::Panicked)?)
    }

    /// A user as the API shows him.
    #[must_use]
    pub fn user_object(scope: &Scope) -> serde_json::Value {
        let Who::Member(member) = &scope.who else { return serde_json::Value::Null };
        let Member { user_id, role, email, name, is_verified, tenant_name, preferred_environment, .. } = member;
        json!({
            "id": user_id, "email": email, "name": name, "emailVerified": is_verified, "role": role.as_str(),
            "tenantId": scope.tenant_id, "companyName": tenant_name,
            "preferredEnvironment": preferred_environment.as_str(),
        })
    }
}

/// A hash of a password that no one has.
fn nobodys_hash() -> &'static str {
    static HASH: OnceLock<String> = OnceLock::new();
    HASH.get_or_init(|| passwords::hash(&Secret::generate()))
}

/// Makes the first call of [`nobodys_hash`] before anyone can measure it.
pub(super) fn prepare() {
    nobodys_hash();
}

pub(super) fn user_row(registration: &Registration, password_hash: &str, now: Timestamp) -> UserRow {
    UserRow {
        user_id: UserId::generate(now),
        email: registration.email.clone(),
        password_hash: password_hash.to_owned(),
        first_name: registration.first_name.clone(),
        last_name: registration.last_name.clone(),
        preferred_environment: Environment::Sandbox,
        preferred_mode: Mode::Test,
        time_zone: None,
        totp_sealed: None,
        totp_confirmed_at: None,
        totp_last_step: None,
        email_verified_at: None,
        created_at: now,
        updated_at: now,
    }
}

/// A new tenant on the free plan, owned by `user`, with Sandbox active.
fn found_tenant(
    conn: &mut Conn,
    name: &str,
    user: &UserRow,
    address: &IpAddr,
    now: Timestamp,
) -> StoreResult<TenantId> {
    let tenant = TenantRow {
        tenant_id: TenantId::generate(now),
        name: name.to_owned(),
        created_at: now,
        plan: FIRST_PLAN.to_owned(),
        is_operator: false,
        suspended_at: None,
    };
    tenants::insert(conn, &tenant)?;
    let tenant_id = tenant.tenant_id;
    let owner =
        MemberRow { tenant_id: tenant_id.clone(), user_id: user.user_id.clone(), role: Role::Owner, created_at: now };
    users::add_member(conn, &owner)?;
    environments::insert(conn, &EnvironmentRow::active(&tenant_id, Environment::Sandbox, now))?;
    open_counters(conn, &tenant_id, Environment::Sandbox, now)?;
    let deed = Deed {
        action: "tenant.registered",
        subject: Some(tenant_id.as_str()),
        before: None,
        after: Some(json!({ "name": name, "plan": FIRST_PLAN })),
    };
    audit::record_of(conn, &tenant_id, user.user_id.as_str(), Some(&address.to_string()), deed, now)?;
    Ok(tenant_id)
}

pub(super) fn wrong_credentials() -> Fault {
    Fault::new(Code::InvalidCredentials, "the e-mail address or the password is wrong")
}

fn link_is_spent() -> Fault {
    Fault::new(Code::InvalidToken, "this link has been used, is too old, or is not complete; ask for a new one")
}
