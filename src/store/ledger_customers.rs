//! Customers as the ledger knows them: a tenant's, under its own ids, per mode.

use diesel::prelude::*;

use super::page::Page;
use super::schema::ledger_customers;
use super::sql::or_ignore;
use super::{Conn, StoreResult};
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;

/// A row of `ledger_customers`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = ledger_customers, treat_none_as_default_value = false)]
pub struct LedgerCustomer {
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub customer_id: String,
    pub display_name: Option<String>,
    pub created_at: Timestamp,
}

/// Adds a customer; says whether there was none of this id.
pub fn insert(conn: &mut Conn, customer: &LedgerCustomer) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(ledger_customers::table).values(customer)).execute(conn)? > 0)
}

/// A page of customers in the order of their ids.
pub fn list(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    after: Option<&str>,
    limit: usize,
) -> StoreResult<Page<LedgerCustomer>> {
    let mut query = ledger_customers::table
        .filter(ledger_customers::tenant_id.eq(tenant_id))
        .filter(ledger_customers::mode.eq(mode))
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(ledger_customers::customer_id.gt(after.to_owned()));
    }
    let rows = query.order(ledger_customers::customer_id).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &LedgerCustomer| row.customer_id.clone()))
}
