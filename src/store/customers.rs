//! The buyers of an app, under the product's own ids.

use diesel::prelude::*;

use super::page::Page;
use super::schema::customers;
use super::sql::{Tail, inside, with_tail};
use super::{Conn, StoreResult};
use crate::domain::ids::AppId;
use crate::domain::time::Timestamp;

/// A row of `customers`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = customers, treat_none_as_default_value = false)]
pub struct CustomerRow {
    pub app_id: AppId,
    pub external_user_id: String,
    pub email: Option<String>,
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// Brings e-mail and name up to date where the request gave other ones. Nothing is written for a buyer who is known.
struct UpdateWhereDifferent;

impl Tail for UpdateWhereDifferent {
    const SQL: &'static str = " ON CONFLICT (app_id, external_user_id) DO UPDATE SET \
        email = COALESCE(excluded.email, customers.email), name = COALESCE(excluded.name, customers.name), \
        updated_at = excluded.updated_at \
        WHERE customers.email IS DISTINCT FROM COALESCE(excluded.email, customers.email) \
        OR customers.name IS DISTINCT FROM COALESCE(excluded.name, customers.name)";
    const ON_SQLITE: bool = true;
}

/// Adds the buyer, or brings him up to date.
pub fn upsert(conn: &mut Conn, customer: &CustomerRow) -> StoreResult<()> {
    let insert = with_tail::<UpdateWhereDifferent, _>(diesel::insert_into(customers::table).values(customer));
    inside!(conn, |inner| insert.execute(inner))?;
    Ok(())
}

/// One buyer.
pub fn find(conn: &mut Conn, app_id: &AppId, external_user_id: &str) -> StoreResult<Option<CustomerRow>> {
    Ok(customers::table.find((app_id, external_user_id)).get_result(conn).optional()?)
}

/// A page of buyers in the order of their ids.
pub fn list(conn: &mut Conn, app_id: &AppId, after: Option<&str>, limit: usize) -> StoreResult<Page<CustomerRow>> {
    let mut query = customers::table.filter(customers::app_id.eq(app_id)).into_boxed();
    if let Some(after) = after {
        query = query.filter(customers::external_user_id.gt(after.to_owned()));
    }
    let rows = query.order(customers::external_user_id).limit(limit as i64 + 1).load(conn)?;
    Ok(Page::of(rows, limit, |row: &CustomerRow| row.external_user_id.clone()))
}
