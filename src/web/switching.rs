//! The header's forms: to another mode, to another tenant.

use actix_web::web::Data;
use actix_web::{HttpRequest, post};

use super::shell::{CheckedForm, keep_signed_in, local_path, see_other};
use crate::domain::mode::Mode;
use crate::error::Fault;
use crate::gateway::Gateway;
use crate::problem::Answered;

/// Moves the session to another mode, where it begins the next time too.
#[post("/console/mode")]
pub async fn mode(gateway: Data<Gateway>, request: HttpRequest, form: CheckedForm) -> Answered {
    let mode = Mode::parse(form.text("mode")).ok_or_else(|| Fault::invalid("mode", "must be test, sandbox or live"))?;
    keep_signed_in(&request, &gateway.choose_mode(&form.visitor.scope, mode).await?);
    Ok(see_other(local_path(form.text("next")).unwrap_or("/console")))
}

/// Moves the session to another tenant.
#[post("/console/tenant")]
pub async fn tenant(gateway: Data<Gateway>, request: HttpRequest, form: CheckedForm) -> Answered {
    keep_signed_in(&request, &gateway.switch_tenant(&form.visitor.scope, form.text("tenant")).await?);
    Ok(see_other("/console"))
}
