//! A person's own settings: name, time zone, password, second factor, and where he is signed in.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, get, post};
use askama::Template;

use super::checkout::code;
use super::forms::FieldFaults;
use super::shell::{CheckedForm, Shell, Visitor, keep_signed_in, render, render_as, see_other};
use super::signing_in::parameter;
use super::times::Moment;
use crate::domain::accounts::Role;
use crate::domain::secrets::Secret;
use crate::domain::time::time_zones;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::Gateway;
use crate::problem::Answered;

/// A session as its person sees it.
struct Device {
    session_id: String,
    name: String,
    address: String,
    since: Moment,
    is_this: bool,
}

/// What an authenticator app is shown, this once.
struct AppCode {
    secret: String,
    side: usize,
    path: String,
}

#[derive(Template)]
#[template(path = "settings.html")]
struct SettingsPage {
    shell: Shell,
    first_name: String,
    last_name: String,
    zone: String,
    zones: Vec<String>,
    has_second_factor: bool,
    is_verified: bool,
    /// The tenant, for the form that leaves it.
    tenant_id: String,
    is_last_owner: bool,
    devices: Vec<Device>,
    faults: FieldFaults,
}

#[derive(Template)]
#[template(path = "totp.html")]
struct TotpPage {
    shell: Shell,
    code: Option<AppCode>,
    faults: FieldFaults,
}

/// A person's own settings.
#[get("/console/settings")]
pub async fn page(gateway: Data<Gateway>, request: HttpRequest, visitor: Visitor) -> Answered {
    let notice = match parameter(&request, "done").as_str() {
        "profile" => Some("Your name and time zone are saved."),
        "password" => Some("Your password is changed, and your other sessions have ended."),
        "factor-on" => Some("From now on signing in takes a code of your app."),
        "factor-off" => Some("Signing in takes your password alone again."),
        "session" => Some("That session has ended."),
        _ => None,
    };
    render(&settings(&gateway, &visitor, notice, FieldFaults::default()).await?)
}

async fn settings(
    gateway: &Gateway,
    visitor: &Visitor,
    notice: Option<&'static str>,
    faults: FieldFaults,
) -> Outcome<SettingsPage> {
    let member = visitor.scope.member()?;
    let shell = Shell::new(visitor, "settings").saying(notice);
    let (first_name, last_name) = gateway.own_name(&visitor.scope).await?;
    let sessions = gateway.sessions(&visitor.scope).await?;
    let members = gateway.members(&visitor.scope).await?;
    let mut owners = members.iter().filter(|member| member.role == Role::Owner);
    let is_last_owner = owners.next().is_some_and(|owner| owner.user_id == member.user_id) && owners.next().is_none();
    let devices = sessions.into_iter().map(|session| Device {
        is_this: session.session_id == member.session_id,
        session_id: session.session_id.to_string(),
        name: device_name(&session.user_agent),
        address: session.address,
        since: shell.time(&session.created_at),
    });
    Ok(SettingsPage {
        devices: devices.collect(),
        tenant_id: visitor.scope.tenant_id.to_string(),
        is_last_owner,
        shell,
        first_name,
        last_name,
        zone: member.time_zone.clone().unwrap_or_default(),
        zones: time_zones(),
        has_second_factor: member.has_second_factor,
        is_verified: member.is_verified,
        faults,
    })
}

/// What a person calls what he is signed in with: `Chrome on Android`.
fn device_name(user_agent: &str) -> String {
    let first = |marks: &[(&'static str, &'static str)]| {
        marks.iter().find(|(mark, _)| user_agent.contains(mark)).map(|(_, name)| *name)
    };
    // Each browser names those before it too.
    let browser = first(&[
        ("Edg/", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("Chrome/", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) if user_agent.is_empty() => "A program".to_owned(),
        (None, None) => user_agent.chars().take(40).collect(),
    }
}

/// After a change: the page anew, or the form again with what was refused.
async fn after(gateway: &Gateway, form: &CheckedForm, done: &str, outcome: Outcome<()>) -> Answered {
    match outcome {
        Ok(()) => Ok(see_other(&format!("/console/settings?done={done}"))),
        Err(fault) if fault.code == Code::ValidationError => {
            let faults = FieldFaults::of(&fault);
            render_as(StatusCode::BAD_REQUEST, &settings(gateway, &form.visitor, None, faults).await?)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Saves name and time zone.
#[post("/console/settings/profile")]
pub async fn profile(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let scope = &form.visitor.scope;
    let zone = form.text("timeZone");
    let save = async {
        gateway.set_name(scope, form.text("firstName"), form.text("lastName")).await?;
        gateway.set_time_zone(scope, Some(zone).filter(|zone| !zone.is_empty())).await
    };
    let outcome = save.await;
    after(&gateway, &form, "profile", outcome).await
}

/// Changes the password.
#[post("/console/settings/password")]
pub async fn password(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let [current, new] = ["currentPassword", "newPassword"].map(|name| Secret::new(form.raw(name).to_owned()));
    let outcome = gateway.change_password(&form.visitor.scope, current, new).await;
    after(&gateway, &form, "password", outcome).await
}

/// Begins a second factor: shows its secret, this once.
#[post("/console/settings/totp")]
pub async fn enrol(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let enrolment = gateway.enrol_second_factor(&form.visitor.scope).await?;
    let (side, path) = code(enrolment.url.expose()).map_err(|error| {
        tracing::error!(%error, "a second factor cannot be drawn");
        Fault::new(Code::InternalError, "internal error")
    })?;
    let letters: Vec<char> = enrolment.secret.expose().chars().collect();
    let groups: Vec<String> = letters.chunks(4).map(|group| group.iter().collect()).collect();
    let code = Some(AppCode { secret: groups.join(" "), side, path });
    render(&TotpPage { shell: Shell::new(&form.visitor, "settings"), code, faults: FieldFaults::default() })
}

/// Takes the first code of a second factor.
#[post("/console/settings/totp/confirm")]
pub async fn confirm(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    match gateway.confirm_second_factor(&form.visitor.scope, form.text("code")).await {
        Ok(()) => Ok(see_other("/console/settings?done=factor-on")),
        Err(fault) if fault.code == Code::ValidationError => {
            let faults = FieldFaults::of(&fault);
            let again = TotpPage { shell: Shell::new(&form.visitor, "settings"), code: None, faults };
            render_as(StatusCode::BAD_REQUEST, &again)
        }
        Err(fault) => Err(fault.into()),
    }
}

/// Takes the second factor away.
#[post("/console/settings/totp/disable")]
pub async fn disable(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    let given = Secret::new(form.raw("password").to_owned());
    let outcome = gateway.disable_second_factor(&form.visitor.scope, given).await;
    after(&gateway, &form, "factor-off", outcome).await
}

/// Leaves the tenant; without another one, that is the way out.
#[post("/console/settings/leave")]
pub async fn leave(gateway: Data<Gateway>, request: HttpRequest, form: CheckedForm) -> Answered {
    match gateway.leave_tenant(&form.visitor.scope, form.text("tenant")).await? {
        Some(elsewhere) => {
            keep_signed_in(&request, &elsewhere);
            Ok(see_other("/console"))
        }
        None => Ok(see_other("/login")),
    }
}

/// Ends one of the person's sessions.
#[post("/console/settings/sessions/end")]
pub async fn end_session(gateway: Data<Gateway>, form: CheckedForm) -> Answered {
    gateway.end_session(&form.visitor.scope, form.text("session")).await?;
    Ok(see_other("/console/settings?done=session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_called_what_its_person_calls_it() {
        let chrome = "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/143.0.0.0 Mobile Safari/537.36";
        assert_eq!(device_name(chrome), "Chrome on Android");
        assert_eq!(
            device_name("Mozilla/5.0 (Windows NT 10.0; rv:140.0) Gecko/20100101 Firefox/140.0"),
            "Firefox on Windows"
        );
        assert_eq!((device_name("curl/8.1").as_str(), device_name("").as_str()), ("curl/8.1", "A program"));
    }
}
