//! `/dashboard/api-keys`: keys for machines, made and looked after by people who are signed in.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, delete, get, patch, post};
use serde_json::{Value, json};

use super::caller::{Caller, JsonBody, TenantCaller};
use super::envelope::{envelope, envelope_page};
use super::query::Query;
use crate::domain::accounts::Environment;
use crate::domain::api_keys::key_prefix;
use crate::domain::ids::KeyId;
use crate::domain::mode::Mode;
use crate::gateway::{ApiKeyRow, Gateway, IssuedKey, KeyChange, KeyDraft, Who, read_overlap};
use crate::problem::Answered;

/// Makes a key. Its secret is in this answer and in no other.
#[utoipa::path(tag = "API keys", responses((status = 201), (status = 400), (status = 401), (status = 403), (status = 421)))]
#[post("/dashboard/api-keys")]
pub async fn create(gateway: Data<Gateway>, caller: Caller, body: JsonBody) -> Answered {
    let draft = KeyDraft::parse(&body.0)?;
    envelope(201, &issued_object(&gateway.create_api_key(&caller.0, draft).await?))
}

/// The keys of the caller's tenant in his mode, newest first, without secrets.
#[utoipa::path(
    tag = "API keys",
    params(("limit" = Option<u32>, Query, description = "1 to 100, 20 unless told"), ("cursor" = Option<String>, Query)),
    responses((status = 200), (status = 401))
)]
#[get("/dashboard/api-keys")]
pub async fn list(gateway: Data<Gateway>, caller: Caller, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let limit = query.limit();
    let cursor = query.cursor(KeyId::parse);
    query.finish()?;
    let page = gateway.list_api_keys(&caller.0, cursor, limit).await?;
    let keys: Vec<Value> = page.items.iter().map(object).collect();
    envelope_page(&Value::Array(keys), page.next.as_deref())
}

/// One key, without its secret.
#[utoipa::path(tag = "API keys", params(("key_id" = String, Path)), responses((status = 200), (status = 401), (status = 404)))]
#[get("/dashboard/api-keys/{key_id}")]
pub async fn get(gateway: Data<Gateway>, caller: Caller, key_id: Path<String>) -> Answered {
    envelope(200, &object(&gateway.find_api_key(&caller.0, &key_id).await?))
}

/// Gives a key a new secret, which is in this answer and in no other. The old one works for `overlapSeconds`, a day
/// unless told.
#[utoipa::path(tag = "API keys", params(("key_id" = String, Path)), responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[post("/dashboard/api-keys/{key_id}/rotate")]
pub async fn rotate(gateway: Data<Gateway>, caller: Caller, key_id: Path<String>, body: JsonBody) -> Answered {
    let overlap = read_overlap(&body.0)?;
    envelope(200, &issued_object(&gateway.rotate_api_key(&caller.0, &key_id, overlap).await?))
}

/// Renames a key, switches it off or on (`active`), or limits it (`requestsPerMinute`; null for no limit).
#[utoipa::path(tag = "API keys", params(("key_id" = String, Path)), responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404)))]
#[patch("/dashboard/api-keys/{key_id}")]
pub async fn change(gateway: Data<Gateway>, caller: Caller, key_id: Path<String>, body: JsonBody) -> Answered {
    let change = KeyChange::parse(&body.0)?;
    envelope(200, &object(&gateway.change_api_key(&caller.0, &key_id, change).await?))
}

/// Deletes a key: it never works again.
#[utoipa::path(tag = "API keys", params(("key_id" = String, Path)), responses((status = 200), (status = 401), (status = 403), (status = 404)))]
#[delete("/dashboard/api-keys/{key_id}")]
pub async fn delete(gateway: Data<Gateway>, caller: Caller, key_id: Path<String>) -> Answered {
    gateway.delete_api_key(&caller.0, &key_id).await?;
    envelope(200, &json!({ "id": *key_id, "deleted": true }))
}

/// For whom and in which mode a key or a token works, so that a client can show its set-up before it relies on it.
#[utoipa::path(tag = "API keys", responses((status = 200), (status = 401), (status = 421), (status = 429)))]
#[get("/api/v1/whoami")]
pub async fn whoami(caller: TenantCaller) -> Answered {
    let scope = caller.0;
    let (kind, scopes) = match &scope.who {
        Who::Key { scopes, .. } => ("key", json!(scopes)),
        Who::Member(_) | Who::Operator => ("member", Value::Null),
    };
    let data = json!({
        "kind": kind, "id": scope.actor(), "tenantId": scope.tenant_id, "mode": scope.mode,
        "testMode": is_test_mode(scope.mode), "environment": Environment::of(scope.mode).as_str(), "scopes": scopes,
    });
    envelope(200, &data)
}

/// Whether no real money moves.
fn is_test_mode(mode: Mode) -> bool {
    mode != Mode::Live
}

fn object(key: &ApiKeyRow) -> Value {
    json!({
        "id": key.key_id, "name": key.name, "environment": key.mode, "testMode": is_test_mode(key.mode),
        "keyPrefix": key_prefix(key.mode), "publicKey": key.public_key,
        "scopes": key.scopes.split(',').collect::<Vec<_>>(), "requestsPerMinute": key.requests_per_minute,
        "lastUsedAt": key.last_used_at, "previousSecretUntil": key.previous_secret_until,
        "createdAt": key.created_at, "active": key.disabled_at.is_none(),
    })
}

/// The one answer that holds a secret.
fn issued_object(issued: &IssuedKey) -> Value {
    let secret = issued.secret.expose();
    let mut object = object(&issued.key);
    object["secretKey"] = secret.into();
    object["fullKey"] = format!("{}.{secret}", issued.key.public_key).into();
    object
}
