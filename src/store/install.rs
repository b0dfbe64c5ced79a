//! What belongs to the install as a whole: its counters, and secrets of its own.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use super::schema::{counters, install_secrets};
use super::sql::or_ignore;
use super::{Conn, StoreResult};

const DIRECTORY: &str = "directory";
const INVOICE: &str = "invoice";

/// A number that changes with every change of an app or an endpoint, by whichever process.
pub fn directory_version(conn: &mut Conn) -> StoreResult<i64> {
    Ok(counters::table.find(DIRECTORY).select(counters::value).get_result(conn)?)
}

/// Tells every process that apps or endpoints have changed.
pub fn bump_directory_version(conn: &mut Conn) -> StoreResult<()> {
    diesel::update(counters::table.find(DIRECTORY)).set(counters::value.eq(counters::value + 1)).execute(conn)?;
    Ok(())
}

/// The next number of the gateway's one invoice sequence.
pub fn next_invoice_number(conn: &mut Conn) -> StoreResult<i64> {
    if let Conn::Postgres(_) = conn {
        return Ok(diesel::select(sql::<BigInt>("nextval('invoice_numbers')")).get_result(conn)?);
    }
    Ok(diesel::update(counters::table.find(INVOICE))
        .set(counters::value.eq(counters::value + 1))
        .returning(counters::value)
        .get_result(conn)?)
}

/// The sealed secret called `name`, if there is one.
pub fn secret(conn: &mut Conn, name: &str) -> StoreResult<Option<String>> {
    Ok(install_secrets::table.find(name).select(install_secrets::sealed).get_result(conn).optional()?)
}

/// The sealed secret called `name`; `sealed` becomes it when there is none yet.
pub fn secret_or_insert(conn: &mut Conn, name: &str, sealed: &str) -> StoreResult<String> {
    or_ignore(
        diesel::insert_into(install_secrets::table)
            .values((install_secrets::name.eq(name), install_secrets::sealed.eq(sealed))),
    )
    .execute(conn)?;
    Ok(install_secrets::table.find(name).select(install_secrets::sealed).get_result(conn)?)
}
