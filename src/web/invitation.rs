//! Where the link of an invitation leads: who is signed in accepts, who has an account signs in, who has none makes one.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::forms::{FieldFaults, OpenForm, Pairs, open_token};
use super::front::SaidPage;
use super::peer;
use super::shell::{CheckedForm, keep_signed_in, render, render_as, see_other, visitor};
use super::signing_in::{parameter, user_agent};
use crate::domain::secrets::Secret;
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, Invited, Newcomer, SignIn, Who};
use crate::problem::Answered;

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    csrf: String,
    token: &'a str,
    invited: Invited,
    /// Whom the browser is signed in as.
    signed_in_as: Option<String>,
    wants_code: bool,
    typed: &'a Pairs,
    faults: FieldFaults,
    refusal: Option<String>,
}

/// Shows what one is invited to.
#[get("/invitation")]
pub async fn page(gateway: Data<Gateway>, request: HttpRequest) -> Answered {
    let token = parameter(&request, "token");
    let invited = match gateway.invitation(&token).await {
        Ok(invited) => invited,
        Err(fault) if fault.code == Code::InvalidToken => return spent(&fault),
        Err(fault) => return Err(fault.into()),
    };
    let visitor = visitor(&request).await.ok();
    let csrf = visitor.as_ref().map_or_else(|| open_token(&request), |visitor| visitor.csrf.clone());
    let signed_in_as = visitor.and_then(|visitor| match visitor.scope.who {
        Who::Member(member) => Some(member.email),
        _ => None,
    });
    render(&InvitationPage {
        csrf,
        token: &token,
        invited,
        signed_in_as,
        wants_code: false,
        typed: &Pairs::default(),
        faults: FieldFaults::default(),
        refusal: None,
    })
}

/// Who is signed in accepts.
#[post("/invitation/accept")]
pub async fn accept(gateway: Data<Gateway>, request: HttpRequest, form: CheckedForm) -> Answered {
    match gateway.accept_invitation(&form.visitor.scope, form.text("token")).await {
        Ok(signed_in) => {
            keep_signed_in(&request, &signed_in);
            Ok(see_other("/console/members?done=joined"))
        }
        Err(fault) if fault.code == Code::InvalidToken => spent(&fault),
        Err(fault) => Err(fault.into()),
    }
}

/// Who is not signed in does so, or makes an account, and accepts.
#[post("/invitation/join")]
pub async fn join(gateway: Data<Gateway>, request: HttpRequest, form: OpenForm) -> Answered {
    let token = form.text("token");
    let invited = match gateway.invitation(token).await {
        Ok(invited) => invited,
        Err(fault) if fault.code == Code::InvalidToken => return spent(&fault),
        Err(fault) => return Err(fault.into()),
    };
    let (address, user_agent) = (peer(&request), user_agent(&request));
    let joined = if invited.has_account {
        let password = Secret::new(form.raw("password").to_owned());
        let totp_code = Some(Secret::new(form.text("totpCode").to_owned()));
        let sign_in = SignIn { email: String::new(), password, address, user_agent, totp_code };
        gateway.sign_in_invited(token, sign_in).await
    } else {
        match Newcomer::parse(&form.to_json(&["password", "firstName", "lastName"])) {
            Ok(newcomer) => gateway.register_invited(token, newcomer, address, user_agent).await,
            Err(fault) => Err(fault),
        }
    };
    match joined {
        Ok(signed_in) => {
            keep_signed_in(&request, &signed_in);
            Ok(see_other("/console/members?done=joined"))
        }
        Err(fault) if fault.code == Code::InvalidToken => spent(&fault),
        Err(fault) if fault.status() >= 500 => Err(fault.into()),
        Err(fault) => {
            let faults = FieldFaults::of(&fault);
            let again = InvitationPage {
                csrf: form.csrf.clone(),
                token,
                invited,
                signed_in_as: None,
                wants_code: fault.code == Code::TotpRequired || form.has("totpCode"),
                typed: &form.pairs,
                refusal: faults.is_empty().then(|| fault.detail.clone()),
                faults,
            };
            render_as(StatusCode::from_u16(fault.status()).unwrap_or(StatusCode::BAD_REQUEST), &again)
        }
    }
}

fn spent(fault: &Fault) -> Answered {
    let said =
        SaidPage { title: "This invitation is spent", sentences: &[&fault.detail], links: &[("/login", "Sign in")] };
    render_as(StatusCode::BAD_REQUEST, &said)
}
