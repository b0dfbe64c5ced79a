//! `/dashboard/contracts`: Sandbox and Production of a tenant, under the names that contracts know: testnet and mainnet.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use serde_json::{Value, json};

use super::caller::{JsonBody, Person};
use super::envelope::{envelope, envelope_saying};
use crate::domain::accounts::Environment;
use crate::domain::fields::Fields;
use crate::error::{Code, Fault};
use crate::gateway::{EnvironmentRow, Gateway};
use crate::problem::Answered;

/// Asks for an environment: `testnet` or `sandbox`, `mainnet` or `production`.
#[utoipa::path(tag = "Environments", responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 421)))]
#[post("/dashboard/contracts/provision")]
pub async fn provision(gateway: Data<Gateway>, caller: Person, body: JsonBody) -> Answered {
    let mut fields = Fields::of_body(&body.0).map_err(Fault::from)?;
    if !fields.is_given("environment") {
        fields.missing("environment");
    }
    let names = ["testnet", "mainnet", "sandbox", "production"];
    let names = names.map(|name| (name, Environment::parse(name)));
    let environment = fields.choice("environment", &names).flatten();
    fields.finish().map_err(Fault::from)?;
    let environment = environment.ok_or_else(|| Fault::invalid("environment", "must be testnet or mainnet"))?;
    let row = gateway.provision(&caller.0, environment).await?;
    let title = if environment == Environment::Sandbox { "Sandbox" } else { "Production" };
    let message = match row.status.as_str() {
        "active" => format!("{title} is active."),
        _ => format!("{title} is being provisioned. Its status is active in a moment."),
    };
    let data = json!({
        "tenantId": row.tenant_id, "environment": environment.alias(), "status": row.status, "message": message,
    });
    envelope_saying(201, &data, &message)
}

/// The tenant's environments that are provisioned.
#[utoipa::path(tag = "Environments", responses((status = 200), (status = 401)))]
#[get("/dashboard/contracts")]
pub async fn list(gateway: Data<Gateway>, caller: Person) -> Answered {
    let rows = gateway.environments(&caller.0).await?;
    let provisioned = Environment::ALL.into_iter().filter_map(|environment| {
        let row = rows.iter().find(|row| row.environment == environment && row.provisioned_at.is_some())?;
        Some(json!({
            "id": format!("{}-{}", row.tenant_id, environment.alias()), "tenantId": row.tenant_id,
            "environment": environment.alias(), "status": row.status, "provisionedAt": row.provisioned_at,
        }))
    });
    envelope(200, &provisioned.collect::<Value>())
}

/// How far both environments of the tenant are.
#[utoipa::path(tag = "Environments", params(("tenant_id" = String, Path)), responses((status = 200), (status = 401), (status = 404)))]
#[get("/dashboard/contracts/{tenant_id}/status")]
pub async fn status(gateway: Data<Gateway>, caller: Person, tenant_id: Path<String>) -> Answered {
    if tenant_id.as_str() != caller.0.tenant_id.as_str() {
        return Err(Fault::new(Code::NotFound, "you are not a member of such a tenant").into());
    }
    let rows = gateway.environments(&caller.0).await?;
    let environments =
        Environment::ALL.map(|environment| object(environment, rows.iter().find(|row| row.environment == environment)));
    envelope(200, &json!({ "tenantId": caller.0.tenant_id, "environments": environments }))
}

fn object(environment: Environment, row: Option<&EnvironmentRow>) -> Value {
    let Some(row) = row else {
        return json!({ "environment": environment.alias(), "status": "not_provisioned" });
    };
    let mut object = json!({ "environment": environment.alias(), "status": row.status });
    if let Some(provisioned_at) = row.provisioned_at {
        object["provisionedAt"] = json!(provisioned_at);
    }
    if let Some(error) = &row.error {
        object["error"] = json!(error);
    }
    object
}
