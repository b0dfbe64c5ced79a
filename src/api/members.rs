//! `/dashboard/members…` and `/dashboard/invitations…`: who works for a tenant.

use actix_web::http::header::USER_AGENT;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post};
use serde_json::{Value, json};

use super::accounts::token_object;
use super::caller::{Caller, JsonBody, peer};
use super::envelope::envelope;
use super::query::Query;
use crate::domain::accounts::Role;
use crate::domain::fields::Fields;
use crate::domain::secrets::Secret;
use crate::error::Fault;
use crate::gateway::{Gateway, InvitationRow, MemberOfTenant, Newcomer, SignIn};
use crate::problem::Answered;

fn member_object(member: &MemberOfTenant) -> Value {
    json!({
        "userId": member.user_id, "email": member.email, "firstName": member.first_name, "lastName": member.last_name,
        "role": member.role.as_str(), "totpEnabled": member.totp_confirmed_at.is_some(), "joinedAt": member.created_at,
    })
}

fn invitation_object(invitation: &InvitationRow) -> Value {
    json!({
        "id": invitation.invitation_id, "email": invitation.email, "role": invitation.role.as_str(),
        "invitedBy": invitation.invited_by, "createdAt": invitation.created_at, "expiresAt": invitation.expires_at,
    })
}

fn read_role(fields: &mut Fields<'_>) -> Role {
    if !fields.is_given("role") {
        fields.missing("role");
    }
    fields.choice("role", &Role::ALL.map(|role| (role.as_str(), role))).unwrap_or(Role::Viewer)
}

/// Lists the members of the tenant.
#[utoipa::path(tag = "Members", responses((status = 200), (status = 401)))]
#[get("/dashboard/members")]
pub async fn list(gateway: Data<Gateway>, caller: Caller) -> Answered {
    let members: Vec<Value> = gateway.members(&caller.0).await?.iter().map(member_object).collect();
    envelope(200, &json!(members))
}

/// Gives a member another role. For owners.
#[utoipa::path(tag = "Members", params(("user_id" = String, Path)), responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404), (status = 409)))]
#[patch("/dashboard/members/{user_id}")]
pub async fn change(gateway: Data<Gateway>, caller: Caller, user_id: Path<String>, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let role = read_role(&mut fields);
    fields.finish().map_err(Fault::from)?;
    gateway.change_role(&caller.0, &user_id, role).await?;
    envelope(200, &json!({ "userId": *user_id, "role": role.as_str() }))
}

/// Takes a member out of the tenant; the sessions there end. For owners.
#[utoipa::path(tag = "Members", params(("user_id" = String, Path)), responses((status = 200), (status = 401), (status = 403), (status = 404), (status = 409)))]
#[delete("/dashboard/members/{user_id}")]
pub async fn remove(gateway: Data<Gateway>, caller: Caller, user_id: Path<String>) -> Answered {
    gateway.remove_member(&caller.0, &user_id).await?;
    envelope(200, &json!({ "userId": *user_id, "removed": true }))
}

/// Lists the invitations that wait. For owners.
#[utoipa::path(tag = "Members", responses((status = 200), (status = 401), (status = 403)))]
#[get("/dashboard/invitations")]
pub async fn invitations(gateway: Data<Gateway>, caller: Caller) -> Answered {
    let invitations: Vec<Value> = gateway.invitations(&caller.0).await?.iter().map(invitation_object).collect();
    envelope(200, &json!(invitations))
}

/// Invites an address: a link is mailed that is good for seven days. For owners.
#[utoipa::path(tag = "Members", responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 409), (status = 429)))]
#[post("/dashboard/invitations")]
pub async fn invite(gateway: Data<Gateway>, caller: Caller, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let email = fields.required_text("email", 1, 254).unwrap_or_default();
    let role = read_role(&mut fields);
    fields.finish().map_err(Fault::from)?;
    envelope(201, &invitation_object(&gateway.invite(&caller.0, &email, role).await?))
}

/// Takes an invitation back. For owners.
#[utoipa::path(tag = "Members", params(("invitation_id" = String, Path)), responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[delete("/dashboard/invitations/{invitation_id}")]
pub async fn revoke(gateway: Data<Gateway>, caller: Caller, invitation_id: Path<String>) -> Answered {
    gateway.revoke_invitation(&caller.0, &invitation_id).await?;
    envelope(200, &json!({ "id": *invitation_id, "revoked": true }))
}

/// What the link of an invitation invites to.
#[utoipa::path(tag = "Members", params(("token" = String, Query)), responses((status = 200), (status = 400)))]
#[get("/dashboard/invitations/accept")]
pub async fn show(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let token = query.required("token");
    query.finish()?;
    let invited = gateway.invitation(&token).await?;
    envelope(
        200,
        &json!({
            "companyName": invited.tenant_name, "email": invited.email, "role": invited.role.as_str(),
            "hasAccount": invited.has_account,
        }),
    )
}

/// Accepts an invitation: with a token of who is signed in; else with the password of the invited address's account
/// (and `totpCode`), or with `password`, `firstName` and `lastName` of a new one.
#[utoipa::path(tag = "Members", responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 409), (status = 429)))]
#[post("/dashboard/invitations/accept")]
pub async fn accept(
    gateway: Data<Gateway>,
    request: HttpRequest,
    caller: Result<Caller, crate::problem::Problem>,
    body: JsonBody,
) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    let token = fields.required_text("token", 1, 200).unwrap_or_default();
    if request.headers().contains_key("authorization") {
        let caller = caller?;
        fields.finish().map_err(Fault::from)?;
        return envelope(200, &token_object(&gateway.accept_invitation(&caller.0, &token).await?));
    }
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let (address, user_agent) = (peer(&request), user_agent.unwrap_or_default().to_owned());
    let signed_in = if fields.is_given("firstName") || fields.is_given("lastName") {
        let newcomer = Newcomer::read(fields)?;
        gateway.register_invited(&token, newcomer, address, user_agent).await?
    } else {
        let password = Secret::new(fields.required_text("password", 1, 1000).unwrap_or_default());
        let totp_code = fields.text("totpCode", 0, 20).map(Secret::new);
        fields.finish().map_err(Fault::from)?;
        let sign_in = SignIn { email: String::new(), password, address, user_agent, totp_code };
        gateway.sign_in_invited(&token, sign_in).await?
    };
    envelope(200, &token_object(&signed_in))
}
