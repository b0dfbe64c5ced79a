//! The buyers of an app, under the product's own ids.

use diesel::prelude::*;

use super::page::Page;
use super::schema::customers;
use super::sql::{Tail, for_update, inside, or_ignore, with_tail};
use super::{Conn, StoreError, StoreResult};
use crate::domain::customers::KycStatus;
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
    pub kyc_status: KycStatus,
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

/// Sets what is known of a buyer, who is added if there is none; answers with what was known before, and with the buyer.
pub fn set_kyc_status(
    conn: &mut Conn,
    app_id: &AppId,
    external_user_id: &str,
    status: KycStatus,
    now: Timestamp,
) -> StoreResult<(KycStatus, CustomerRow)> {
    let row = customers::table.find((app_id, external_user_id));
    let Some(found): Option<CustomerRow> = for_update(row).get_result(conn).optional()? else {
        let customer = CustomerRow {
            app_id: app_id.clone(),
            external_user_id: external_user_id.to_owned(),
            email: None,
            name: None,
            created_at: now,
            updated_at: now,
            kyc_status: status,
        };
        let added = or_ignore(diesel::insert_into(customers::table).values(&customer)).execute(conn)?;
        return if added > 0 { Ok((KycStatus::None, customer)) } else { Err(StoreError::Raced) };
    };
    let former = found.kyc_status;
    if former == status {
        return Ok((former, found));
    }
    let updated_at = now.strictly_after(found.updated_at);
    diesel::update(row).set((customers::kyc_status.eq(status), customers::updated_at.eq(updated_at))).execute(conn)?;
    Ok((former, CustomerRow { kyc_status: status, updated_at, ..found }))
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
