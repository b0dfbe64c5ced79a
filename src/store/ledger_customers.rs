//! Customers as the ledger knows them: a tenant's, under its own ids, per mode, each with its present balance.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, BigInt, Text};

use super::columns::Sum;
use super::ledger_schema::ledger_customers;
use super::page::Page;
use super::sql::{inside, or_ignore};
use super::{Conn, StoreResult};
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;

/// Beyond this a list says that there are at least so many: counting further would cost more the more there are.
pub const MOST_COUNTED: i64 = 10_000;

/// A row of `ledger_customers`.
#[derive(Clone, Debug, Queryable)]
pub struct LedgerCustomer {
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub customer_id: String,
    pub display_name: Option<String>,
    pub created_at: Timestamp,
    pub customer_key: i64,
    pub currency: Option<Currency>,
    pub deltas: i64,
    pub balance: Sum,
    pub last_delta_at: Option<Timestamp>,
}

/// A customer to be.
#[derive(Clone, Debug, Insertable)]
#[diesel(table_name = ledger_customers, treat_none_as_default_value = false)]
pub struct NewCustomer {
    pub tenant_id: TenantId,
    pub mode: Mode,
    pub customer_id: String,
    pub display_name: Option<String>,
    pub currency: Option<Currency>,
    pub created_at: Timestamp,
}

/// Adds a customer; says whether there was none of this id.
pub fn insert(conn: &mut Conn, customer: &NewCustomer) -> StoreResult<bool> {
    Ok(or_ignore(diesel::insert_into(ledger_customers::table).values(customer)).execute(conn)? > 0)
}

/// Adds customers, but for those that there are.
pub fn insert_all(conn: &mut Conn, customers: &[NewCustomer]) -> StoreResult<()> {
    match conn {
        Conn::Sqlite(inner) => {
            for customer in customers {
                or_ignore(diesel::insert_into(ledger_customers::table).values(customer)).execute(inner)?;
            }
        }
        Conn::Postgres(inner) => {
            or_ignore(diesel::insert_into(ledger_customers::table).values(customers)).execute(inner)?;
        }
    }
    Ok(())
}

/// One customer.
pub fn find(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    customer_id: &str,
) -> StoreResult<Option<LedgerCustomer>> {
    let customer = ledger_customers::table
        .filter(ledger_customers::tenant_id.eq(tenant_id))
        .filter(ledger_customers::mode.eq(mode))
        .filter(ledger_customers::customer_id.eq(customer_id));
    Ok(inside!(conn, |inner| customer.get_result(inner).optional())?)
}

/// The customers with these ids.
pub fn with_ids(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    customer_ids: &[&str],
) -> StoreResult<HashMap<String, LedgerCustomer>> {
    let mut found = HashMap::new();
    match conn {
        Conn::Sqlite(_) => {
            for customer_id in customer_ids {
                found.extend(find(conn, tenant_id, mode, customer_id)?.map(|row| (row.customer_id.clone(), row)));
            }
        }
        Conn::Postgres(inner) => {
            let rows: Vec<LedgerCustomer> = ledger_customers::table
                .filter(ledger_customers::tenant_id.eq(tenant_id))
                .filter(ledger_customers::mode.eq(mode))
                .filter(ledger_customers::customer_id.eq_any(customer_ids))
                .load(inner)?;
            found.extend(rows.into_iter().map(|row| (row.customer_id.clone(), row)));
        }
    }
    Ok(found)
}

/// Writes the balances of customers whose line the caller holds.
pub fn save_balances(conn: &mut Conn, customers: &[&LedgerCustomer]) -> StoreResult<()> {
    match conn {
        Conn::Sqlite(inner) => {
            for customer in customers {
                let values = (
                    ledger_customers::deltas.eq(customer.deltas),
                    ledger_customers::balance.eq(&customer.balance),
                    ledger_customers::last_delta_at.eq(customer.last_delta_at),
                );
                diesel::update(ledger_customers::table.find(customer.customer_key)).set(values).execute(inner)?;
            }
        }
        Conn::Postgres(inner) => {
            let keys: Vec<i64> = customers.iter().map(|customer| customer.customer_key).collect();
            let deltas: Vec<i64> = customers.iter().map(|customer| customer.deltas).collect();
            let balances: Vec<&str> = customers.iter().map(|customer| customer.balance.as_str()).collect();
            let moments: Vec<i64> =
                customers.iter().map(|customer| customer.last_delta_at.map_or(0, Timestamp::unix_micros)).collect();
            diesel::sql_query(
                "UPDATE ledger_customers AS c SET deltas = v.deltas, balance = v.balance, last_delta_at = v.last_delta_at
                 FROM UNNEST($1, $2, $3, $4) AS v(customer_key, deltas, balance, last_delta_at)
                 WHERE c.customer_key = v.customer_key",
            )
            .bind::<Array<BigInt>, _>(keys)
            .bind::<Array<BigInt>, _>(deltas)
            .bind::<Array<Text>, _>(balances)
            .bind::<Array<BigInt>, _>(moments)
            .execute(inner)?;
        }
    }
    Ok(())
}

/// A page of customers in the order of their ids.
pub fn list(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    after: Option<&str>,
    limit: usize,
) -> StoreResult<Page<LedgerCustomer>> {
    beginning_with(conn, tenant_id, mode, "", after, limit)
}

/// A page of the customers whose ids begin with `prefix`, in the order of their ids.
pub fn beginning_with(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> StoreResult<Page<LedgerCustomer>> {
    let mut query = ledger_customers::table
        .filter(ledger_customers::tenant_id.eq(tenant_id))
        .filter(ledger_customers::mode.eq(mode))
        .into_boxed();
    if !prefix.is_empty() {
        query = query
            .filter(ledger_customers::customer_id.ge(prefix.to_owned()))
            .filter(ledger_customers::customer_id.lt(format!("{prefix}\u{10ffff}")));
    }
    if let Some(after) = after {
        query = query.filter(ledger_customers::customer_id.gt(after.to_owned()));
    }
    let rows = query.order(ledger_customers::customer_id).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &LedgerCustomer| row.customer_id.clone()))
}

/// Customers whose ids begin with `prefix` in the order of their ids, from `offset` on, and how many there are, counted
/// up to [`MOST_COUNTED`].
pub fn search(
    conn: &mut Conn,
    tenant_id: &TenantId,
    mode: Mode,
    prefix: &str,
    offset: i64,
    limit: i64,
) -> StoreResult<(Vec<LedgerCustomer>, i64)> {
    // Ids are ASCII: nothing that begins with the prefix sorts behind it followed by the last of ASCII.
    let matching = || {
        ledger_customers::table
            .filter(ledger_customers::tenant_id.eq(tenant_id))
            .filter(ledger_customers::mode.eq(mode))
            .filter(ledger_customers::customer_id.ge(prefix))
            .filter(ledger_customers::customer_id.lt(format!("{prefix}\u{10ffff}")))
    };
    let rows = matching().order(ledger_customers::customer_id).offset(offset).limit(limit).load(conn)?;
    let keys: Vec<i64> = matching()
        .order(ledger_customers::customer_id)
        .select(ledger_customers::customer_key)
        .limit(MOST_COUNTED)
        .load(conn)?;
    Ok((rows, keys.len() as i64))
}
