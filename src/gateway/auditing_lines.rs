//! The audit of one line of the ledger: every entry is derived anew from its delta and the entry before it. What else is
//! audited is in `auditing`.

use std::fmt::Display;

use super::Gateway;
use super::auditing::{AT_ONCE, Audit};
use super::deltas::content_hash;
use super::verifying::leaf_of;
use crate::domain::ids::{DeltaId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::plans::Period;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::deltas::DeltaRow;
use crate::store::ledger_audit::{self, Head, Placed, Taken};

/// Where a line stands after an entry.
#[derive(Clone, Debug, Default)]
struct Standing {
    sequence: i64,
    hash: Option<Vec<u8>>,
    verified_at: i64,
    emitted: i64,
    emitted_sum: i128,
}

/// What of a row differs: its name, what it must be, what it is.
type Difference = (&'static str, String, String);

impl Gateway {
    /// Walks a line from its first entry to where it ended when the audit began.
    pub(super) async fn audit_line(&self, audit: &mut Audit<'_>, head: &Head) -> Outcome<()> {
        audit.so_far.lines += 1;
        let line = Some((head.tenant_id.as_str(), head.mode.as_str()));
        let (ledger_id, end) = (head.ledger_id, head.last_sequence.max(head.highest.unwrap_or(0)));
        let mut standing = Standing::default();
        let (mut after, mut is_told) = (i64::MIN, false);
        loop {
            let read = move |conn: &mut _, most| ledger_audit::placed(conn, ledger_id, after, end, most);
            let (rows, is_last) = match self.chunk(AT_ONCE, read).await? {
                Ok(read) => read,
                Err(error) => {
                    audit.unreadable(line, format!("the entry behind {}", standing.sequence), &error);
                    return Ok(());
                }
            };
            audit.advance(rows.len());
            audit.so_far.deltas += rows.len() as u64;
            for row in &rows {
                let (differences, now) = differences(head, &standing, row);
                standing = now;
                if is_told && !differences.is_empty() {
                    audit.so_far.further += 1;
                    continue;
                }
                for (what, expected, found) in differences {
                    is_told = true;
                    let subject = format!("entry {}, delta {}", row.sequence, row.record_id);
                    audit.wrong(line, subject, what, [&expected, &found]);
                }
            }
            match rows.last() {
                Some(last) if !is_last && audit.is_onward(&after, &last.sequence) => after = last.sequence,
                _ => break,
            }
        }
        for (what, expected, found) in head_differences(head, &standing) {
            audit.wrong(line, "head of the line", what, [&expected, &found]);
        }
        Ok(())
    }
}

fn shown_hash(hash: Option<&[u8]>) -> String {
    hash.map_or_else(|| "none".to_owned(), hex::encode)
}

fn shown(text: Option<&str>) -> String {
    text.map_or_else(|| "none".to_owned(), str::to_owned)
}

/// Notes what is not as expected.
struct Notes(Vec<Difference>);

impl Notes {
    fn same<T: PartialEq + Display>(&mut self, what: &'static str, expected: T, found: T) {
        if expected != found {
            self.0.push((what, expected.to_string(), found.to_string()));
        }
    }
}

fn head_differences(head: &Head, end: &Standing) -> Vec<Difference> {
    let mut notes = Notes(Vec::new());
    notes.same("last sequence", end.sequence, head.last_sequence);
    notes.same("last hash", shown_hash(end.hash.as_deref()), shown_hash(head.last_hash.as_deref()));
    notes.same("last verified at", end.verified_at, head.last_verified_at);
    notes.same("deltas emitted", end.emitted, head.emitted);
    notes.same("sum emitted in millionths", end.emitted_sum.to_string(), head.emitted_sum.clone());
    notes.0
}

/// What of an entry is not as the entry before it and its delta make it, and where the line stands after it by what it says
/// itself: what comes after it is judged on its own.
fn differences(head: &Head, before: &Standing, row: &Placed) -> (Vec<Difference>, Standing) {
    let mut notes = Notes(Vec::new());
    notes.same("sequence", before.sequence.saturating_add(1), row.sequence);
    if row.verified_at < before.verified_at {
        notes.0.push(("verified at", format!("not before {}", before.verified_at), row.verified_at.to_string()));
    }
    // A leaf tells its moment to the millisecond.
    notes.same("verified at", row.verified_at / 1000 * 1000, row.verified_at);
    if row.failed.is_some() {
        notes.0.push(("failure", "none of what is verified".to_owned(), "one".to_owned()));
    }
    let mut emitted_sum = before.emitted_sum;
    match delta_of(row) {
        None => notes.0.push(("record", "one that was taken in".to_owned(), "none".to_owned())),
        Some(Err((column, found))) => notes.0.push((column, "one that can be".to_owned(), found)),
        Some(Ok(delta)) => {
            let millionths = i128::from(delta.millionths);
            let is_emitted = delta.currency.is_none();
            notes.same("tenant of the delta", head.tenant_id.as_str(), delta.tenant_id.as_str());
            notes.same("mode of the delta", head.mode.as_str(), delta.mode.as_str());
            notes.same("content hash", hex::encode(content_hash(&delta)), hex::encode(&delta.content_hash));
            let moment = Timestamp::from_unix_micros(row.verified_at);
            match leaf_of(&delta, row.sequence, before.hash.as_deref(), moment) {
                Some(leaf) => notes.same("proof hash", hex::encode(leaf.hash()), hex::encode(&row.leaf_hash)),
                None => notes.0.push(("salt or hash", "of their lengths".to_owned(), "of another".to_owned())),
            }
            if let Some([expected, found]) = counted_in_fault(&delta) {
                notes.0.push(("counted in", expected, found));
            }
            owner_differences(&mut notes, head, row, &delta);
            customer_differences(&mut notes, head, row, millionths);
            emitted_sum = emitted_sum.saturating_add(if is_emitted { millionths } else { 0 });
            notes.same("deltas emitted", before.emitted + i64::from(is_emitted), row.emitted);
            notes.same("sum emitted in millionths", emitted_sum.to_string(), row.emitted_sum.clone());
        }
    }
    let now = Standing {
        sequence: row.sequence,
        hash: Some(row.leaf_hash.clone()),
        verified_at: row.verified_at,
        emitted: row.emitted,
        emitted_sum: row.emitted_sum.parse().unwrap_or(emitted_sum),
    };
    (notes.0, now)
}

/// The customer that the entry is booked to is the delta's.
fn owner_differences(notes: &mut Notes, head: &Head, row: &Placed, delta: &DeltaRow) {
    let Some(owner_id) = row.owner_id.as_deref() else {
        notes.0.push(("customer", delta.customer_id.clone(), "none".to_owned()));
        return;
    };
    notes.same("customer", delta.customer_id.as_str(), owner_id);
    notes.same("tenant of the customer", head.tenant_id.clone(), shown(row.owner_tenant_id.as_deref()));
    notes.same("mode of the customer", head.mode.clone(), shown(row.owner_mode.as_deref()));
    let currency = shown(delta.currency.map(Currency::code));
    notes.same("currency of the customer", currency, shown(row.owner_currency.as_deref()));
}

/// The entry follows the customer's one before it, and adds its delta to that one's sum.
fn customer_differences(notes: &mut Notes, head: &Head, row: &Placed, millionths: i128) {
    let is_earlier =
        row.before_ledger_id == Some(head.ledger_id) && row.before_sequence.is_some_and(|number| number < row.sequence);
    let sum_before = match row.customer_sequence {
        1 => Some(0),
        2.. if is_earlier => row.before_sum.as_deref().and_then(|sum| sum.parse::<i128>().ok()),
        number => {
            let expected = "one more than that of an earlier entry of the customer".to_owned();
            notes.0.push(("number of the customer's delta", expected, number.to_string()));
            return;
        }
    };
    // A sum that is no number is named where it stands.
    if let Some(sum) = sum_before.and_then(|sum| sum.checked_add(millionths)) {
        notes.same("balance in millionths", sum.to_string(), row.customer_sum.clone());
    } else {
        let expected = "a balance before it that is a number".to_owned();
        notes.0.push(("balance in millionths", expected, row.customer_sum.clone()));
    }
}

/// The delta of an entry, or which of its columns cannot be; `None` when it is not there.
fn delta_of(row: &Placed) -> Option<Result<DeltaRow, (&'static str, String)>> {
    Some(as_row(Taken {
        record_id: row.record_id.clone(),
        tenant_id: row.delta_tenant_id.clone()?,
        mode: row.delta_mode.clone()?,
        customer_id: row.customer_id.clone()?,
        currency: row.currency.clone(),
        millionths: row.millionths?,
        reason: row.reason.clone()?,
        reference_id: row.reference_id.clone(),
        metadata: row.metadata.clone(),
        salt: row.salt.clone()?,
        content_hash: row.content_hash.clone()?,
        counted_in: row.counted_in.clone(),
        created_at: row.created_at?,
    }))
}

/// A delta as the gateway reads it.
///
/// # Errors
/// The name and the value of a column that cannot be.
pub(super) fn as_row(row: Taken) -> Result<DeltaRow, (&'static str, String)> {
    let record_id = DeltaId::parse(&row.record_id).ok_or(("record id", row.record_id))?;
    let tenant_id = TenantId::parse(&row.tenant_id).ok_or(("tenant", row.tenant_id))?;
    let mode = Mode::parse(&row.mode).ok_or(("mode", row.mode))?;
    let currency = match row.currency {
        Some(code) => Some(Currency::parse(&code).filter(|known| known.code() == code).ok_or(("currency", code))?),
        None => None,
    };
    Ok(DeltaRow {
        record_id,
        tenant_id,
        mode,
        customer_id: row.customer_id,
        currency,
        millionths: row.millionths,
        reason: row.reason,
        reference_id: row.reference_id,
        metadata: row.metadata,
        salt: row.salt,
        content_hash: row.content_hash,
        counted_in: row.counted_in,
        created_at: Timestamp::from_unix_micros(row.created_at),
    })
}

/// What an API key emitted counts in the month in which it was taken in, and nothing that a payment posted counts; and
/// nothing was taken in after its id was made.
pub(super) fn counted_in_fault(row: &DeltaRow) -> Option<[String; 2]> {
    let expected = row.currency.is_none().then(|| Period::of(row.created_at).to_string());
    if expected != row.counted_in {
        return Some([shown(expected.as_deref()), shown(row.counted_in.as_deref())]);
    }
    let is_after = row.record_id < DeltaId::earliest_at(row.created_at);
    is_after.then(|| ["a moment of intake that is not after its id's".to_owned(), row.created_at.to_rfc3339()])
}
