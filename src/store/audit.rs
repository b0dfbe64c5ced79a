//! The audit log. Both databases refuse to change or delete an entry.

use diesel::prelude::*;

use super::page::Page;
use super::schema::audit_entries;
use super::{Conn, StoreResult};
use crate::domain::ids::{AuditEntryId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `audit_entries`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = audit_entries, treat_none_as_default_value = false)]
pub struct AuditEntry {
    pub entry_id: AuditEntryId,
    pub tenant_id: TenantId,
    pub mode: Option<Mode>,
    /// Who: a user's id, a key's id, `operator`, or `gateway`.
    pub actor: String,
    /// From where: an address, if it came over the network.
    pub address: Option<String>,
    /// What, as in `app.created`.
    pub action: String,
    /// What it was done to.
    pub subject: Option<String>,
    /// JSON, without secrets.
    pub before: Option<String>,
    /// JSON, without secrets.
    pub after: Option<String>,
    pub created_at: Timestamp,
}

/// Adds an entry.
pub fn insert(conn: &mut Conn, entry: &AuditEntry) -> StoreResult<()> {
    diesel::insert_into(audit_entries::table).values(entry).execute(conn)?;
    Ok(())
}

/// A page of a tenant's entries, newest first.
pub fn list(
    conn: &mut Conn,
    tenant_id: &TenantId,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<AuditEntry>> {
    let mut query = audit_entries::table.filter(audit_entries::tenant_id.eq(tenant_id)).into_boxed();
    if let Some(before) = before {
        query = query.filter(audit_entries::entry_id.lt(before.to_owned()));
    }
    let rows = query.order(audit_entries::entry_id.desc()).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |entry: &AuditEntry| entry.entry_id.to_string()))
}
