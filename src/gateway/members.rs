//! The members of a tenant: who they are, inviting more, what each may do, and letting one go. Owners alone change any
//! of it, and a tenant always has an owner.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde_json::json;

use super::audit::{self, Deed};
use super::mails::{self, Letter};
use super::users::{SignIn, SignedIn};
use super::{Gateway, Scope};
use crate::domain::accounts::{Role, normal_email};
use crate::domain::drafts::email_fault;
use crate::domain::ids::{InvitationId, UserId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::domain::tokens::{link_token, token_hash};
use crate::error::{Code, Fault, Outcome};
use crate::store::members::{self, InvitationRow, MOST_MEMBERS, MemberOfTenant};
use crate::store::users::MemberRow;
use crate::store::{Conn, Lane, StoreResult, sessions, users};

/// How long an invitation is good for.
const INVITED_FOR: Duration = Duration::from_secs(7 * 24 * 3600);

/// An invitation as who has its link sees it.
#[derive(Clone, Debug)]
pub struct Invited {
    /// The tenant's name.
    pub tenant_name: String,
    /// The address that was invited.
    pub email: String,
    /// What the member will be.
    pub role: Role,
    /// Whether the address has an account.
    pub has_account: bool,
}

impl Gateway {
    /// The members of the tenant.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn members(&self, scope: &Scope) -> Outcome<Vec<MemberOfTenant>> {
        let tenant_id = scope.tenant_id.clone();
        self.read(move |conn| members::of_tenant(conn, &tenant_id)).await
    }

    /// The invitations of the tenant that wait, newest first.
    ///
    /// # Errors
    /// 403 for who is no owner.
    pub async fn invitations(&self, scope: &Scope) -> Outcome<Vec<InvitationRow>> {
        scope.require_role(Role::Owner)?;
        let tenant_id = scope.tenant_id.clone();
        let now = self.clock.now();
        self.read(move |conn| members::open_invitations(conn, &tenant_id, now)).await
    }

    /// Invites an address; what it was invited to before is worthless then. The link is in the mail alone.
    ///
    /// # Errors
    /// 400 for what is no address; 403 for who is no owner, or where no mail goes out; 409 for who is a member; 429.
    pub async fn invite(&self, scope: &Scope, email: &str, role: Role) -> Outcome<InvitationRow> {
        scope.require_role(Role::Owner)?;
        let member = scope.member()?.clone();
        let email = normal_email(email);
        if let Some(reason) = email_fault(&email) {
            return Err(Fault::invalid("email", reason));
        }
        if !self.is_sign_up_open() {
            return Err(Fault::new(Code::SignUpClosed, "nobody can be invited until mail.smtp_url is set"));
        }
        let address = scope.address.as_deref().and_then(|address| address.parse().ok());
        self.limits.count(&email, address.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))?;
        let now = self.clock.now();
        let token = link_token();
        let invitation = InvitationRow {
            invitation_id: InvitationId::generate(now),
            tenant_id: scope.tenant_id.clone(),
            email: email.clone(),
            role,
            token_hash: token_hash(token.expose()),
            invited_by: member.user_id,
            expires_at: now.plus(INVITED_FOR),
            accepted_at: None,
            revoked_at: None,
            created_at: now,
        };
        let letter = Letter {
            recipient: email,
            subject: format!("{} invites you to {}", member.name, member.tenant_name),
            text: format!(
                "{} ({}) invites you to work with {} on Switchyard, as {}.\n\nAccept:\n{}/invitation?token={}\n\nThe link is \
                 good for seven days. If you do not know them, ignore this mail.\n",
                member.name,
                member.email,
                member.tenant_name,
                role.as_str(),
                self.settings.base_url(),
                token.expose()
            ),
        };
        let (actor, row, sealer) = (scope.clone(), invitation.clone(), self.sealer.clone());
        let refusal = self
            .write(Lane::Any, move |conn| {
                if let Some(user) = users::by_email(conn, &row.email)?
                    && users::role(conn, &row.tenant_id, &user.user_id)?.is_some()
                {
                    return Ok(Some("this person is a member already"));
                }
                members::revoke_invitations_of(conn, &row.tenant_id, &row.email, now)?;
                let waiting = members::open_invitations(conn, &row.tenant_id, now)?.len();
                let all =
                    members::count(conn, &row.tenant_id)?.saturating_add(i64::try_from(waiting).unwrap_or(i64::MAX));
                if all >= MOST_MEMBERS {
                    return Ok(Some("the tenant has as many members and invitations as it can have"));
                }
                members::insert_invitation(conn, &row)?;
                mails::enqueue(conn, &sealer, &letter, now)?;
                let deed = Deed {
                    action: "invitation.created",
                    subject: Some(row.invitation_id.as_str()),
                    before: None,
                    after: Some(json!({ "email": row.email, "role": row.role.as_str() })),
                };
                audit::record(conn, &actor, deed, now).map(|()| None)
            })
            .await?;
        if let Some(refusal) = refusal {
            return Err(Fault::new(Code::AlreadyExists, refusal));
        }
        self.mails_wanted.notify_one();
        Ok(invitation)
    }

    /// Takes an invitation back: its link is worthless then.
    ///
    /// # Errors
    /// 403 for who is no owner; 404 for what is no invitation of the tenant that waits.
    pub async fn revoke_invitation(&self, scope: &Scope, invitation_id: &str) -> Outcome<()> {
        scope.require_role(Role::Owner)?;
        let not_found = || Fault::new(Code::NotFound, "there is no such invitation that waits");
        let invitation_id = InvitationId::parse(invitation_id).ok_or_else(not_found)?;
        let actor = scope.clone();
        let now = self.clock.now();
        let is_revoked = self
            .write(Lane::Any, move |conn| {
                let Some(row) = members::revoke_invitation(conn, &actor.tenant_id, &invitation_id, now)? else {
                    return Ok(false);
                };
                let deed = Deed {
                    action: "invitation.revoked",
                    subject: Some(invitation_id.as_str()),
                    before: Some(json!({ "email": row.email, "role": row.role.as_str() })),
                    after: None,
                };
                audit::record(conn, &actor, deed, now).map(|()| true)
            })
            .await?;
        if is_revoked { Ok(()) } else { Err(not_found()) }
    }

    /// What a link invites to.
    ///
    /// # Errors
    /// 400 for a link that is used, taken back, old or not ours.
    pub async fn invitation(&self, token: &str) -> Outcome<Invited> {
        let hash = token_hash(token);
        let now = self.clock.now();
        let found = self
            .read(move |conn| {
                let Some((row, tenant_name)) = members::good_invitation(conn, &hash, now)? else { return Ok(None) };
                let has_account = users::by_email(conn, &row.email)?.is_some();
                Ok(Some(Invited { tenant_name, email: row.email, role: row.role, has_account }))
            })
            .await?;
        found.ok_or_else(invitation_is_spent)
    }

    /// Makes who is signed in a member of the tenant that invited his address, and moves his session there.
    ///
    /// # Errors
    /// 400 for a link that is not good any more; 403 for who is signed in with another address.
    pub async fn accept_invitation(&self, scope: &Scope, token: &str) -> Outcome<SignedIn> {
        let member = scope.member()?;
        let invited = self.invitation(token).await?;
        if invited.email != member.email {
            let detail = format!("the invitation is for {}; sign in with that address", invited.email);
            return Err(Fault::new(Code::InsufficientScope, detail));
        }
        let row = self.use_invitation(token, member.user_id.clone(), scope.address.clone()).await?;
        self.switch_tenant(scope, row.tenant_id.as_str()).await
    }

    /// Lets who is not signed in into the tenant that invited him, with the password of his account.
    ///
    /// # Errors
    /// 400 for a link that is not good any more; as [`Gateway::sign_in`].
    pub async fn sign_in_invited(&self, token: &str, sign_in: SignIn) -> Outcome<SignedIn> {
        let invited = self.invitation(token).await?;
        let (address, user_agent) = (sign_in.address, sign_in.user_agent.clone());
        let user = self.check_credentials(SignIn { email: invited.email, ..sign_in }).await?;
        let row = self.use_invitation(token, user.user_id.clone(), Some(address.to_string())).await?;
        let signed_in = self.open_session(user, address, user_agent).await?;
        let here = Scope { address: Some(address.to_string()), ..signed_in.scope };
        self.switch_tenant(&here, row.tenant_id.as_str()).await
    }

    /// Makes a user a member by a link that was mailed to him: the address is his.
    pub(super) async fn use_invitation(
        &self,
        token: &str,
        user_id: UserId,
        address: Option<String>,
    ) -> Outcome<InvitationRow> {
        let hash = token_hash(token);
        let now = self.clock.now();
        let used = self.write(Lane::Any, move |conn| join(conn, &hash, &user_id, address.as_deref(), now)).await?;
        used.ok_or_else(invitation_is_spent)
    }

    /// Gives a member another role.
    ///
    /// # Errors
    /// 403 for who is no owner; 404 for who is no member; 409 for the last owner.
    pub async fn change_role(&self, scope: &Scope, user_id: &str, role: Role) -> Outcome<()> {
        self.change_member(scope, user_id, Some(role)).await
    }

    /// Takes a member out of the tenant, and ends his sessions there.
    ///
    /// # Errors
    /// 403 for who is no owner; 404 for who is no member; 409 for the last owner.
    pub async fn remove_member(&self, scope: &Scope, user_id: &str) -> Outcome<()> {
        self.change_member(scope, user_id, None).await
    }

    /// Lets who is signed in out of the tenant that he is in, and ends his sessions there; the one that asks moves to the
    /// tenant that he has been in longest of those that are left. `None` where there is none.
    ///
    /// # Errors
    /// 403 for a machine; 404 for another tenant than the one he is in; 409 for the last owner.
    pub async fn leave_tenant(&self, scope: &Scope, tenant_id: &str) -> Outcome<Option<SignedIn>> {
        let member = scope.member()?;
        if scope.tenant_id.as_str() != tenant_id {
            return Err(Fault::new(Code::NotFound, "you are in another tenant by now; load the page again"));
        }
        let (user_id, session_id) = (member.user_id.clone(), member.session_id.clone());
        let actor = scope.clone();
        let now = self.clock.now();
        let left = self
            .write(Lane::Any, move |conn| {
                let tenant_id = &actor.tenant_id;
                let owners = members::lock_owners(conn, tenant_id)?;
                if owners == [user_id.clone()] {
                    return Ok(Err(Code::LastOwner));
                }
                let Some(before) = users::role(conn, tenant_id, &user_id)? else { return Ok(Err(Code::NotFound)) };
                let others = users::memberships(conn, &user_id)?;
                let next = others.into_iter().map(|(other, ..)| other).find(|other| other != tenant_id);
                if let Some(next) = &next {
                    sessions::move_to(conn, &session_id, next, Mode::Test)?;
                }
                members::remove(conn, tenant_id, &user_id, now)?;
                let deed = Deed {
                    action: "member.left",
                    subject: Some(user_id.as_str()),
                    before: Some(json!({ "role": before.as_str() })),
                    after: None,
                };
                audit::record(conn, &actor, deed, now)?;
                Ok(Ok(next.is_some()))
            })
            .await?;
        match left {
            Ok(true) => self.mint(&member.session_id, Mode::Test, scope.address.clone()).await.map(Some),
            Ok(false) => Ok(None),
            Err(Code::LastOwner) => {
                Err(Fault::new(Code::LastOwner, "a tenant has at least one owner; make another first"))
            }
            Err(code) => Err(Fault::new(code, "there is no such member")),
        }
    }

    /// Gives a member another role, or none.
    async fn change_member(&self, scope: &Scope, user_id: &str, role: Option<Role>) -> Outcome<()> {
        scope.require_role(Role::Owner)?;
        let not_found = || Fault::new(Code::NotFound, "there is no such member");
        let user_id = UserId::parse(user_id).ok_or_else(not_found)?;
        let actor = scope.clone();
        let now = self.clock.now();
        let refusal = self
            .write(Lane::Any, move |conn| {
                let tenant_id = &actor.tenant_id;
                let owners = members::lock_owners(conn, tenant_id)?;
                let Some(before) = users::role(conn, tenant_id, &user_id)? else { return Ok(Some(Code::NotFound)) };
                // Whoever asks may have been demoted since.
                if actor.member().is_ok_and(|member| !owners.contains(&member.user_id)) {
                    return Ok(Some(Code::InsufficientScope));
                }
                if role != Some(Role::Owner) && owners == [user_id.clone()] {
                    return Ok(Some(Code::LastOwner));
                }
                match role {
                    Some(role) => members::set_role(conn, tenant_id, &user_id, role)?,
                    None => members::remove(conn, tenant_id, &user_id, now)?,
                }
                let deed = Deed {
                    action: if role.is_some() { "member.role_changed" } else { "member.removed" },
                    subject: Some(user_id.as_str()),
                    before: Some(json!({ "role": before.as_str() })),
                    after: role.map(|role| json!({ "role": role.as_str() })),
                };
                audit::record(conn, &actor, deed, now).map(|()| None)
            })
            .await?;
        match refusal {
            None => Ok(()),
            Some(Code::NotFound) => Err(not_found()),
            Some(Code::LastOwner) => {
                Err(Fault::new(Code::LastOwner, "a tenant has at least one owner; make another first"))
            }
            Some(code) => Err(Fault::new(code, "this needs an owner of the tenant")),
        }
    }
}

/// Uses an invitation up for a user, whose address it proves.
pub(super) fn join(
    conn: &mut Conn,
    hash: &str,
    user_id: &UserId,
    address: Option<&str>,
    now: Timestamp,
) -> StoreResult<Option<InvitationRow>> {
    let Some((row, _)) = members::good_invitation(conn, hash, now)? else { return Ok(None) };
    if !members::accept_invitation(conn, &row.invitation_id, now)? {
        return Ok(None);
    }
    users::verify_email(conn, user_id, now)?;
    let member =
        MemberRow { tenant_id: row.tenant_id.clone(), user_id: user_id.clone(), role: row.role, created_at: now };
    // Who is a member by now stays what he is.
    users::add_member(conn, &member)?;
    let deed = Deed {
        action: "invitation.accepted",
        subject: Some(row.invitation_id.as_str()),
        before: None,
        after: Some(json!({ "userId": user_id, "role": row.role.as_str() })),
    };
    audit::record_of(conn, &row.tenant_id, user_id.as_str(), address, deed, now)?;
    Ok(Some(row))
}

pub(super) fn invitation_is_spent() -> Fault {
    let detail = "this invitation has been used or taken back, is too old, or is not complete; ask to be invited again";
    Fault::new(Code::InvalidToken, detail)
}
