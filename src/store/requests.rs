//! Signed requests that were seen: the memory behind idempotency keys and against captured requests.
//!
//! One row is one signed POST. The first under a key holds the answer; a replay's row points at it, so that the
//! replay's own signature cannot be used again under another key.

use std::time::Duration;

use diesel::prelude::*;

use super::schema::requests;
use super::sql::{inside, or_ignore};
use super::{Conn, StoreError, StoreResult};
use crate::domain::time::Timestamp;

/// How long an answer is given again.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How long a signature stays spent; more than the ten minutes in which its timestamp can be accepted.
const SIGNATURE_KEPT: Duration = Duration::from_secs(3600);

/// The status of an answer that frees its key: the same body continues what was begun, another begins anew.
pub const FREED: i32 = 503;

/// What makes a signed POST the one it is. All digests cover the app's id.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The signed timestamp, in Unix seconds.
    pub signed_at: i64,
    /// Digest of the signature.
    pub signature: [u8; 16],
    /// Digest of idempotency key, method and path, if the client gave a key.
    pub idempotency_key: Option<[u8; 16]>,
    /// Digest of the raw body.
    pub body: [u8; 16],
}

/// An answer that was given and may be given again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// The row that holds it.
    pub request_id: i64,
    /// HTTP status; `None` while the request is being worked on.
    pub status_code: Option<i32>,
    /// The body, byte for byte.
    pub answer: Option<String>,
    /// The payment that it is about.
    pub payment_id: Option<String>,
}

/// Whether a request is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is; the work goes on.
    New,
    /// It was answered, or is being worked on.
    Seen(StoredAnswer),
    /// Its key was used with another body.
    OtherBody,
    /// Its signature was seen under another key.
    SignatureReused,
}

#[derive(Queryable)]
struct Row {
    request_id: i64,
    idempotency_key: Option<Vec<u8>>,
    body_digest: Vec<u8>,
    replay_of: Option<i64>,
    status_code: Option<i32>,
    answer: Option<String>,
    payment_id: Option<String>,
    created_at: Timestamp,
}

type Columns = (
    requests::request_id,
    requests::idempotency_key,
    requests::body_digest,
    requests::replay_of,
    requests::status_code,
    requests::answer,
    requests::payment_id,
    requests::created_at,
);
const COLUMNS: Columns = (
    requests::request_id,
    requests::idempotency_key,
    requests::body_digest,
    requests::replay_of,
    requests::status_code,
    requests::answer,
    requests::payment_id,
    requests::created_at,
);

impl Row {
    fn into_answer(self) -> StoredAnswer {
        StoredAnswer {
            request_id: self.request_id,
            status_code: self.status_code,
            answer: self.answer,
            payment_id: self.payment_id,
        }
    }
}

/// Claims a request together with its answer; nothing is written when it was seen before.
pub fn claim(
    conn: &mut Conn,
    claim: &Claim,
    status_code: u16,
    answer: &str,
    payment_id: Option<&str>,
    now: Timestamp,
) -> StoreResult<Claimed> {
    let row = (
        requests::signed_at.eq(claim.signed_at),
        requests::signature.eq(claim.signature.as_slice()),
        requests::idempotency_key.eq(claim.idempotency_key.as_ref().map(<[u8; 16]>::as_slice)),
        requests::body_digest.eq(claim.body.as_slice()),
        requests::status_code.eq(i32::from(status_code)),
        requests::answer.eq(answer),
        requests::payment_id.eq(payment_id),
        requests::created_at.eq(now),
    );
    let insert = or_ignore(diesel::insert_into(requests::table).values(row));
    if inside!(conn, |inner| insert.execute(inner))? > 0 {
        return Ok(Claimed::New);
    }
    match look_up(conn, claim, now)? {
        // What stood in the way was too old to count, and is gone.
        Claimed::New if inside!(conn, |inner| insert.execute(inner))? > 0 => Ok(Claimed::New),
        Claimed::New => Err(StoreError::Raced),
        seen => Ok(seen),
    }
}

/// What is known of a request; a replay under its key is noted, so that its signature is spent too.
pub fn look_up(conn: &mut Conn, claim: &Claim, now: Timestamp) -> StoreResult<Claimed> {
    let by_signature: Option<Row> = requests::table
        .filter(requests::signed_at.eq(claim.signed_at))
        .filter(requests::signature.eq(claim.signature.as_slice()))
        .select(COLUMNS)
        .first(conn)
        .optional()?;
    if let Some(row) = by_signature {
        let is_same_key = match &claim.idempotency_key {
            None => true,
            Some(key) => row.idempotency_key.as_deref() == Some(key.as_slice()),
        };
        if !is_same_key {
            return Ok(Claimed::SignatureReused);
        }
        return match row.replay_of {
            None => Ok(Claimed::Seen(row.into_answer())),
            Some(original) => {
                let original: Row = requests::table.find(original).select(COLUMNS).first(conn)?;
                Ok(Claimed::Seen(original.into_answer()))
            }
        };
    }
    let Some(key) = &claim.idempotency_key else { return Ok(Claimed::New) };
    let by_key: Option<Row> = requests::table
        .filter(requests::idempotency_key.eq(key.as_slice()))
        .filter(requests::replay_of.is_null())
        .select(COLUMNS)
        .first(conn)
        .optional()?;
    let Some(row) = by_key else { return Ok(Claimed::New) };
    if row.created_at < now.minus(KEPT) {
        diesel::delete(requests::table.find(row.request_id)).execute(conn)?;
        return Ok(Claimed::New);
    }
    if row.body_digest != claim.body {
        if row.status_code != Some(FREED) {
            return Ok(Claimed::OtherBody);
        }
        diesel::delete(requests::table.find(row.request_id)).execute(conn)?;
        return Ok(Claimed::New);
    }
    or_ignore(diesel::insert_into(requests::table).values((
        requests::signed_at.eq(claim.signed_at),
        requests::signature.eq(claim.signature.as_slice()),
        requests::idempotency_key.eq(key.as_slice()),
        requests::body_digest.eq(claim.body.as_slice()),
        requests::replay_of.eq(row.request_id),
        requests::created_at.eq(now),
    )))
    .execute(conn)?;
    Ok(Claimed::Seen(row.into_answer()))
}

/// Replaces a provisional answer by the final one.
pub fn set_answer(conn: &mut Conn, request_id: i64, status_code: u16, answer: &str) -> StoreResult<()> {
    let changes = (requests::status_code.eq(i32::from(status_code)), requests::answer.eq(answer));
    inside!(conn, |inner| diesel::update(requests::table.find(request_id)).set(changes).execute(inner))?;
    Ok(())
}

/// As [`set_answer`], for the request that made this claim.
pub fn set_answer_of(conn: &mut Conn, claim: &Claim, status_code: u16, answer: &str) -> StoreResult<()> {
    let own = requests::table
        .filter(requests::signed_at.eq(claim.signed_at))
        .filter(requests::signature.eq(claim.signature.as_slice()));
    let changes = (requests::status_code.eq(i32::from(status_code)), requests::answer.eq(answer));
    let first = own.filter(requests::replay_of.is_null());
    if inside!(conn, |inner| diesel::update(first).set(changes).execute(inner))? > 0 {
        return Ok(());
    }
    // The request of a key may have gone on under a replay of it.
    let original: Option<Option<i64>> = own.select(requests::replay_of).first(conn).optional()?;
    match original.flatten() {
        Some(original) => set_answer(conn, original, status_code, answer),
        None => Ok(()),
    }
}

/// Forgets a request of which nothing was done, with the replays that point at it.
pub fn forget(conn: &mut Conn, claim: &Claim) -> StoreResult<()> {
    let own = requests::table
        .filter(requests::signed_at.eq(claim.signed_at))
        .filter(requests::signature.eq(claim.signature.as_slice()));
    diesel::delete(own).execute(conn)?;
    if let Some(key) = &claim.idempotency_key {
        diesel::delete(requests::table.filter(requests::idempotency_key.eq(key.as_slice()))).execute(conn)?;
    }
    Ok(())
}

/// Whether a request that cannot be done for another reason was asked for with other words before: then that is what
/// its sender has to hear.
pub fn contradicts(conn: &mut Conn, claim: &Claim) -> StoreResult<bool> {
    let Some(key) = &claim.idempotency_key else { return Ok(false) };
    let first: Option<(Vec<u8>, Option<i32>)> = requests::table
        .filter(requests::idempotency_key.eq(key.as_slice()))
        .filter(requests::replay_of.is_null())
        .select((requests::body_digest, requests::status_code))
        .first(conn)
        .optional()?;
    Ok(first.is_some_and(|(digest, status)| digest != claim.body && status != Some(FREED)))
}

/// Forgets up to `limit` of the oldest requests that no longer count; says how many.
///
/// A request is kept a little longer than its answer counts: the signature of a late replay, which points at it, is good
/// for ten minutes more.
pub fn prune(conn: &mut Conn, now: Timestamp, limit: i64) -> StoreResult<usize> {
    let before = now.minus(KEPT + SIGNATURE_KEPT);
    let oldest = requests::table
        .order(requests::request_id)
        .limit(limit)
        .select((requests::request_id, requests::created_at))
        .load::<(i64, Timestamp)>(conn)?;
    let stale: Vec<i64> = oldest.into_iter().filter(|(_, at)| *at < before).map(|(id, _)| id).collect();
    if stale.is_empty() {
        return Ok(0);
    }
    Ok(diesel::delete(requests::table.filter(requests::request_id.eq_any(stale))).execute(conn)?)
}
