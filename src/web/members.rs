//! The page of a tenant's members and invitations. Where the link of an invitation leads is in `invitation`.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::forms::FieldFaults;
use super::shell::{CheckedForm, Shell, Visitor, render, render_as, see_other};
use super::signing_in::parameter;
use super::times::Moment;
use crate::domain::accounts::Role;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::Gateway;
use crate::problem::Answered;

struct Shown {
    user_id: String,
    name: String,
    email: String,
    role: &'static str,
    has_second_factor: bool,
    is_self: bool,
    joined: Moment,
}

struct Waiting {
    invitation_id: String,
    email: String,
    role: &'static str,
    until: Moment,
}

#[derive(Template)]
#[template(path = "members.html")]
struct MembersPage {
    shell: Shell,
    members: Vec<Shown>,
    waiting: Vec<Waiting>,
    roles: [&'static str; 3],
    email: String,
    role: String,
    faults: FieldFaults,
    refusal: Option<String>,
}

/// The members of the tenant.
#[get("/console/members")]
pub async fn page(gateway: Data<Gateway>, request: HttpRequest, visitor: Visitor) -> Answered {
    let notice = match parameter(&request, "done").as_str() {
        "invited" => Some("The invitation is on its way. Its link is good for seven days."),
        "revoked" => Some("The invitation is taken back."),
        "changed" => Some("The role is changed."),
        "removed" => Some("The member is removed, and signed out of this tenant."),
        "joined" => Some("Welcome. You are a member now."),
        _ => None,
    };
    render(&members(&gateway, &visitor, notice).await?)
}

async fn members(gateway: &Gateway, visitor: &Visitor, notice: Option<&'static str>) -> Outcome<MembersPage> {
    let shell = Shell::new(visitor, "members").saying(notice);
    let own = visitor.scope.member()?.user_id.clone();
    let all = gateway.members(&visitor.scope).await?;
    let waiting = if shell.is_owner { gateway.invitations(&visitor.scope).await? } else { Vec::new() };
    Ok(MembersPage {
        members: all
            .into_iter()
            .map(|member| Shown {
                is_self: member.user_id == own,
                user_id: member.user_id.to_string(),
                name: format!("{} {}", member.first_name, member.last_name),
                email: member.email,
                role: member.role.as_str(),
                has_second_factor: member.totp_confirmed_at.is_some(),
                joined: shell.time(&member.created_at),
            })
            .collect(),
        waiting: waiting
            .into_iter()
            .map(|invitation| Waiting {
                invitation_id: invitation.invitation_id.to_string(),
                email: invitation.email,
                role: invitation.role.as_str(),
                until: shell.time(&invitation.expires_at),
            })
            .collect(),
        shell,
        roles: Role::ALL.map(Role::as_str),
        email: String::new(),
        role: Role::Developer.as_str().to_owned(),
        faults: FieldFaults::default(),
        refusal: None,
    })
}

/// After a change: the page anew, or the page again with what was refused.
async fn after(gateway: &Gateway, form: &CheckedForm, done: &str, outcome: Outcome<()>) -> Answered {
    match outcome {
        Ok(()) => Ok(see_other(&format!("/console/members?done={done}"))),
        Err(fault) if matches!(fault.code, Code::ValidationError | Code::AlreadyExists | Code::LastOwner) => {
            let faults = FieldFaults::of(&fault);
            let mut again = members(gateway, &form.visitor, None).await?;
            form.text("email").clone_into(&mut again.email);
            form.text("role").clone_into(&mut again.role);
            again.refusal = faults.is_empty().then(|| fault.detail.clone());
            again.faults = faults;
            render_as(StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST), &again)
        }
        Err(fault) => Err(fault.into()),
    }
}

fn role_of(form: &CheckedForm) -> Outcome<Role> {
    Role::parse(form.text("role")).ok_or_else(|| Fault::invalid("role", "must be viewer, developer or owner"))
}

/// Invites an address.
#[post("/console/members/invite")]
pub async fn invite(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let outcome = match role_of(&form) {
        Ok(role) => gateway.invite(&form.visitor.scope, form.text("email"), role).await.map(drop),
        Err(fault) => Err(fault),
    };
    after(&gateway, &form, "invited", outcome).await
}

/// Takes an invitation back.
#[post("/console/members/revoke")]
pub async fn revoke(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let outcome = gateway.revoke_invitation(&form.visitor.scope, form.text("invitation")).await;
    after(&gateway, &form, "revoked", outcome).await
}

/// Gives a member another role.
#[post("/console/members/role")]
pub async fn change_role(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let outcome = match role_of(&form) {
        Ok(role) => gateway.change_role(&form.visitor.scope, form.text("member"), role).await,
        Err(fault) => Err(fault),
    };
    after(&gateway, &form, "changed", outcome).await
}

/// Takes a member out of the tenant.
#[post("/console/members/remove")]
pub async fn remove(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let outcome = gateway.remove_member(&form.visitor.scope, form.text("member")).await;
    after(&gateway, &form, "removed", outcome).await
}
