//! What the console's own receiver was sent in test mode: the newest of it, for each endpoint.

use diesel::prelude::*;

use super::schema::test_inbox;
use super::{Conn, StoreResult};
use crate::domain::ids::{EndpointId, ReceivedId};
use crate::domain::time::Timestamp;

/// How many are kept of an endpoint.
pub const KEPT: i64 = 50;

/// A row of `test_inbox`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = test_inbox, treat_none_as_default_value = false)]
pub struct Received {
    pub received_id: ReceivedId,
    pub endpoint_id: EndpointId,
    /// One `Name: value` a line, without what a proxy or a client adds.
    pub headers: String,
    pub body: String,
    pub received_at: Timestamp,
}

/// Keeps what came, and forgets what is too old to be kept.
pub fn insert(conn: &mut Conn, received: &Received) -> StoreResult<()> {
    diesel::insert_into(test_inbox::table).values(received).execute(conn)?;
    let own = test_inbox::table.filter(test_inbox::endpoint_id.eq(&received.endpoint_id));
    let ids = own.order(test_inbox::received_id.desc()).select(test_inbox::received_id);
    let oldest: Option<ReceivedId> = ids.offset(KEPT).first(conn).optional()?;
    if let Some(oldest) = oldest {
        let too_old = test_inbox::table
            .filter(test_inbox::endpoint_id.eq(&received.endpoint_id))
            .filter(test_inbox::received_id.le(oldest));
        diesel::delete(too_old).execute(conn)?;
    }
    Ok(())
}

/// What an endpoint received, newest first.
pub fn of_endpoint(conn: &mut Conn, endpoint_id: &EndpointId) -> StoreResult<Vec<Received>> {
    let own = test_inbox::table.filter(test_inbox::endpoint_id.eq(endpoint_id));
    Ok(own.order(test_inbox::received_id.desc()).limit(KEPT).load(conn)?)
}
