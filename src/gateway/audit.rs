//! The audit log: who did what, from where, and what it was before and after. An entry is written in the transaction of
//! what it tells of, and holds no secret.

use serde_json::Value;

use super::scope::Scope;
use super::{App, Gateway};
use crate::domain::ids::{AuditEntryId, TenantId};
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::audit::{self, AuditEntry};
use crate::store::{Conn, Page, StoreResult};

/// What was done, to what.
pub(super) struct Deed<'a> {
    /// As in `app.created`.
    pub action: &'a str,
    /// The id of what it was done to.
    pub subject: Option<&'a str>,
    /// What it was before, without secrets.
    pub before: Option<Value>,
    /// What it is now, without secrets.
    pub after: Option<Value>,
}

/// Writes an entry.
pub(super) fn record(conn: &mut Conn, scope: &Scope, deed: Deed<'_>, now: Timestamp) -> StoreResult<()> {
    let entry = entry(&scope.tenant_id, scope.actor(), scope.address.as_deref(), deed, now);
    audit::insert(conn, &AuditEntry { mode: Some(scope.mode), ..entry })
}

/// Writes an entry of what an app did by a signed request.
pub(super) fn record_by_app(conn: &mut Conn, app: &App, deed: Deed<'_>, now: Timestamp) -> StoreResult<()> {
    let entry = entry(&app.tenant_id, app.app_id.as_str(), None, deed, now);
    audit::insert(conn, &AuditEntry { mode: Some(app.mode), ..entry })
}

/// Writes an entry of somebody without a scope, in no mode: the operator, the gateway, or who is not signed in yet.
pub(super) fn record_of(
    conn: &mut Conn,
    tenant_id: &TenantId,
    actor: &str,
    address: Option<&str>,
    deed: Deed<'_>,
    now: Timestamp,
) -> StoreResult<()> {
    audit::insert(conn, &entry(tenant_id, actor, address, deed, now))
}

fn entry(tenant_id: &TenantId, actor: &str, address: Option<&str>, deed: Deed<'_>, now: Timestamp) -> AuditEntry {
    AuditEntry {
        entry_id: AuditEntryId::generate(now),
        tenant_id: tenant_id.clone(),
        mode: None,
        actor: actor.to_owned(),
        address: address.map(str::to_owned),
        action: deed.action.to_owned(),
        subject: deed.subject.map(str::to_owned),
        before: deed.before.map(|value| value.to_string()),
        after: deed.after.map(|value| value.to_string()),
        created_at: now,
    }
}

impl Gateway {
    /// A page of the tenant's audit log, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn audit_log(&self, scope: &Scope, cursor: Option<String>, limit: usize) -> Outcome<Page<AuditEntry>> {
        let tenant_id = scope.tenant_id.clone();
        self.read(move |conn| audit::list(conn, &tenant_id, cursor.as_deref(), limit)).await
    }
}
