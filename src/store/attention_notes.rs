//! What people noted when they had looked after a payment that needed someone.

use diesel::prelude::*;

use super::schema::attention_notes;
use super::{Conn, StoreResult};
use crate::domain::ids::PaymentId;
use crate::domain::time::Timestamp;

/// A row of `attention_notes`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = attention_notes, treat_none_as_default_value = false)]
pub struct AttentionNote {
    pub payment_id: PaymentId,
    pub created_at: Timestamp,
    /// Who: a user's id.
    pub actor: String,
    /// Who, as people know him.
    pub actor_name: String,
    /// Why nobody is needed any more.
    pub note: String,
}

/// Adds a note.
pub fn insert(conn: &mut Conn, note: &AttentionNote) -> StoreResult<()> {
    diesel::insert_into(attention_notes::table).values(note).execute(conn)?;
    Ok(())
}

/// The notes of a payment, oldest first.
pub fn of_payment(conn: &mut Conn, payment_id: &PaymentId) -> StoreResult<Vec<AttentionNote>> {
    let own = attention_notes::table.filter(attention_notes::payment_id.eq(payment_id));
    Ok(own.order(attention_notes::created_at).load(conn)?)
}
