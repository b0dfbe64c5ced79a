//! Mail that is to be sent, and what the links in it prove.

use diesel::prelude::*;

use super::schema::{mail_tokens, mails};
use super::sql::for_update_skip_locked;
use super::{Conn, StoreResult};
use crate::domain::ids::{MailId, UserId};
use crate::domain::time::Timestamp;

/// A row of `mails`.
#[derive(Clone, Debug, Queryable, Insertable)]
#[diesel(table_name = mails, treat_none_as_default_value = false)]
pub struct MailRow {
    pub mail_id: MailId,
    pub recipient: String,
    pub subject: String,
    pub text_sealed: String,
    pub state: String,
    pub attempts: i32,
    pub due_at: Timestamp,
    pub error: Option<String>,
    pub created_at: Timestamp,
    pub finished_at: Option<Timestamp>,
}

/// Adds a mail to the outbox.
pub fn insert(conn: &mut Conn, mail: &MailRow) -> StoreResult<()> {
    diesel::insert_into(mails::table).values(mail).execute(conn)?;
    Ok(())
}

/// Takes mails that are due, and nobody else does until `lease_until`.
pub fn claim_due(conn: &mut Conn, now: Timestamp, lease_until: Timestamp, limit: i64) -> StoreResult<Vec<MailRow>> {
    let due =
        mails::table.filter(mails::state.eq("pending")).filter(mails::due_at.le(now)).order(mails::due_at).limit(limit);
    let due: Vec<MailRow> = for_update_skip_locked(due).load(conn)?;
    let ids: Vec<&MailId> = due.iter().map(|mail| &mail.mail_id).collect();
    if !ids.is_empty() {
        diesel::update(mails::table.filter(mails::mail_id.eq_any(ids)))
            .set(mails::due_at.eq(lease_until))
            .execute(conn)?;
    }
    Ok(due)
}

/// Records what came of an attempt to send: `again_at` is when the next is made, if there is one.
pub fn record(
    conn: &mut Conn,
    mail_id: &MailId,
    error: Option<&str>,
    again_at: Option<Timestamp>,
    now: Timestamp,
) -> StoreResult<()> {
    let state = match (error, again_at) {
        (None, _) => "sent",
        (Some(_), Some(_)) => "pending",
        (Some(_), None) => "dead",
    };
    diesel::update(mails::table.find(mail_id))
        .set((
            mails::state.eq(state),
            mails::attempts.eq(mails::attempts + 1),
            mails::due_at.eq(again_at.unwrap_or(now)),
            mails::error.eq(error),
            mails::finished_at.eq((state != "pending").then_some(now)),
        ))
        .execute(conn)?;
    Ok(())
}

/// The newest mails, for the outbox page.
pub fn newest(conn: &mut Conn, limit: i64) -> StoreResult<Vec<MailRow>> {
    Ok(mails::table.order(mails::mail_id.desc()).limit(limit).load(conn)?)
}

/// Forgets mails that were finished before `before`.
pub fn prune(conn: &mut Conn, before: Timestamp, limit: i64) -> StoreResult<usize> {
    let old: Vec<MailId> = mails::table
        .filter(mails::state.ne("pending"))
        .filter(mails::finished_at.lt(before))
        .order(mails::finished_at)
        .limit(limit)
        .select(mails::mail_id)
        .load(conn)?;
    if old.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(mails::table.filter(mails::mail_id.eq_any(old))).execute(conn)?)
}

/// Notes a token whose hash a link carries.
pub fn insert_token(
    conn: &mut Conn,
    token_hash: &str,
    user_id: &UserId,
    purpose: &str,
    expires_at: Timestamp,
    now: Timestamp,
) -> StoreResult<()> {
    diesel::insert_into(mail_tokens::table)
        .values((
            mail_tokens::token_hash.eq(token_hash),
            mail_tokens::user_id.eq(user_id),
            mail_tokens::purpose.eq(purpose),
            mail_tokens::expires_at.eq(expires_at),
            mail_tokens::created_at.eq(now),
        ))
        .execute(conn)?;
    Ok(())
}

/// Uses a token up; says whose it was, if it was still good for `purpose`.
pub fn use_token(conn: &mut Conn, token_hash: &str, purpose: &str, now: Timestamp) -> StoreResult<Option<UserId>> {
    let good = mail_tokens::table
        .find(token_hash)
        .filter(mail_tokens::purpose.eq(purpose))
        .filter(mail_tokens::used_at.is_null())
        .filter(mail_tokens::expires_at.gt(now));
    if diesel::update(good).set(mail_tokens::used_at.eq(now)).execute(conn)? == 0 {
        return Ok(None);
    }
    Ok(Some(mail_tokens::table.find(token_hash).select(mail_tokens::user_id).get_result(conn)?))
}

/// Makes every unused token of a user and a purpose worthless.
pub fn cancel_tokens(conn: &mut Conn, user_id: &UserId, purpose: &str, now: Timestamp) -> StoreResult<()> {
    let unused = mail_tokens::table
        .filter(mail_tokens::user_id.eq(user_id))
        .filter(mail_tokens::purpose.eq(purpose))
        .filter(mail_tokens::used_at.is_null());
    diesel::update(unused).set(mail_tokens::used_at.eq(now)).execute(conn)?;
    Ok(())
}

/// Forgets tokens that expired before `before`.
pub fn prune_tokens(conn: &mut Conn, before: Timestamp, limit: i64) -> StoreResult<usize> {
    let old: Vec<String> = mail_tokens::table
        .filter(mail_tokens::expires_at.lt(before))
        .order(mail_tokens::expires_at)
        .limit(limit)
        .select(mail_tokens::token_hash)
        .load(conn)?;
    if old.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(mail_tokens::table.filter(mail_tokens::token_hash.eq_any(old))).execute(conn)?)
}
