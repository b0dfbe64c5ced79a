//! The audit of the ledger: everything that can be derived is derived anew from the rows and compared with what is stored.
//! The lines are walked in `auditing_lines`, the trees and checkpoints in `auditing_trees`; the rest is here.
//!
//! Rows are read in chunks by their keys, each chunk at one moment, so that memory stays flat and a running server goes on.
//! Where each line ends is taken down at the start; what is verified meanwhile is beyond it.

use std::fmt::{Debug, Display};

use serde::Serialize;

use super::Gateway;
use super::auditing_lines::{as_row, counted_in_fault};
use super::deltas::content_hash;
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::notes::VerifierKey;
use crate::error::{Code, Fault, Outcome};
use crate::store::ledger_audit::{self, Head, Owner, Waiting, Whereabouts};
use crate::store::{Conn, StoreError, StoreResult, tenants};

/// How many rows one statement reads.
pub(super) const AT_ONCE: i64 = 1000;

/// How many requests that wait one statement reads, each of which has up to a thousand records.
const REQUESTS_AT_ONCE: i64 = 50;

/// Which lines are audited, and with which key.
#[derive(Clone, Debug, Default)]
pub struct AuditOptions {
    /// One tenant's alone.
    pub tenant_id: Option<String>,
    /// Those of one mode alone.
    pub mode: Option<Mode>,
    /// The key that checkpoints were signed with, if it is not the server's own.
    pub key: Option<VerifierKey>,
}

/// Something that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LedgerFinding {
    /// Whose line, where that can be told.
    pub tenant_id: Option<String>,
    /// The line's mode, where that can be told.
    pub mode: Option<String>,
    /// Which record, customer, tree or checkpoint.
    pub subject: String,
    /// What of it.
    pub what: &'static str,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// What an audit tells while it goes on.
#[derive(Clone, Debug)]
pub enum AuditNews {
    /// How many rows have been looked at, and of how many.
    Progress {
        /// So many.
        done: u64,
        /// Of about so many.
        total: u64,
    },
    /// Something is wrong.
    Wrong(LedgerFinding),
}

/// What was looked at, and what came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Audited {
    /// Lines: a tenant's in a mode.
    pub lines: u64,
    /// Deltas in these lines.
    pub deltas: u64,
    /// Deltas that wait to be verified.
    pub waiting: u64,
    /// Customers.
    pub customers: u64,
    /// Trees.
    pub trees: u64,
    /// Checkpoints.
    pub checkpoints: u64,
    /// What was found wrong and told of.
    pub wrong: u64,
    /// Records behind the first wrong one of a line, or checkpoints behind the first wrong one of a tree, that are wrong,
    /// too, and that nothing was told of.
    pub further: u64,
}

impl Audited {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.wrong == 0
    }
}

/// An audit under way.
pub(super) struct Audit<'a> {
    pub(super) tell: &'a mut (dyn FnMut(AuditNews) + Send),
    pub(super) key: VerifierKey,
    pub(super) so_far: Audited,
    tenant_id: Option<String>,
    mode: Option<&'static str>,
    done: u64,
    total: u64,
}

impl Audit<'_> {
    /// Whether a line is one of those that are audited.
    pub(super) fn wants(&self, tenant_id: &str, mode: &str) -> bool {
        self.tenant_id.as_deref().is_none_or(|wanted| wanted == tenant_id)
            && self.mode.is_none_or(|wanted| wanted == mode)
    }

    /// Whether every line is audited, and with them what belongs to none.
    const fn wants_all(&self) -> bool {
        self.tenant_id.is_none() && self.mode.is_none()
    }

    /// Tells of something wrong.
    pub(super) fn wrong(
        &mut self,
        line: Option<(&str, &str)>,
        subject: impl Into<String>,
        what: &'static str,
        [expected, found]: [&dyn Display; 2],
    ) {
        self.so_far.wrong += 1;
        (self.tell)(AuditNews::Wrong(LedgerFinding {
            tenant_id: line.map(|(tenant_id, _)| tenant_id.to_owned()),
            mode: line.map(|(_, mode)| mode.to_owned()),
            subject: subject.into(),
            what,
            expected: expected.to_string(),
            found: found.to_string(),
        }));
    }

    /// Whether rows come in the order of their keys, without which there is no end of them; tells of it where they do not.
    pub(super) fn is_onward<K: PartialOrd + Debug>(&mut self, after: &K, last: &K) -> bool {
        if last > after {
            return true;
        }
        self.wrong(None, format!("the rows behind {after:?}"), "order", [&"that of their keys", &format!("{last:?}")]);
        false
    }

    /// Tells of rows that the database cannot read.
    pub(super) fn unreadable(&mut self, line: Option<(&str, &str)>, subject: impl Into<String>, error: &StoreError) {
        self.wrong(line, subject, "row", [&"one that can be read", error]);
    }

    pub(super) fn advance(&mut self, rows: usize) {
        self.done += rows as u64;
        self.total = self.total.max(self.done);
        (self.tell)(AuditNews::Progress { done: self.done, total: self.total });
    }
}

/// Rows, and whether there are no more; or why the first of them cannot be read.
pub(super) type Chunk<T> = Result<(Vec<T>, bool), StoreError>;

impl Gateway {
    /// Audits the ledger: derives everything anew and tells of the first wrong record of every line, and of whatever else
    /// is not as it must be.
    ///
    /// # Errors
    /// 404 for a tenant that is not there; when the database cannot be reached.
    pub async fn audit_ledgers(
        &self,
        options: AuditOptions,
        tell: &mut (dyn FnMut(AuditNews) + Send),
    ) -> Outcome<Audited> {
        if let Some(text) = &options.tenant_id {
            let not_found = || Fault::new(Code::NotFound, format!("there is no tenant {text}"));
            let wanted = TenantId::parse(text).ok_or_else(not_found)?;
            self.read(move |conn| tenants::find(conn, &wanted)).await?.ok_or_else(not_found)?;
        }
        let heads = self.read(ledger_audit::heads).await?;
        let key = options.key.unwrap_or_else(|| self.signer.verifier_key().clone());
        let mode = options.mode.map(Mode::as_str);
        let mut audit =
            Audit { tell, key, so_far: Audited::default(), tenant_id: options.tenant_id, mode, done: 0, total: 0 };
        let in_lines: i64 = heads.iter().map(|head| head.last_sequence.max(0)).fold(0, i64::saturating_add);
        let of_trees = self.read(ledger_audit::leaves_of_trees).await?;
        // Each delta is looked at in its line and where it was taken in, and once more in every tree.
        audit.total = u64::try_from(in_lines.saturating_mul(2).saturating_add(of_trees)).unwrap_or(0);
        for head in &heads {
            if audit.wants(&head.tenant_id, &head.mode) {
                self.audit_line(&mut audit, head).await?;
            }
        }
        self.audit_intake(&mut audit).await?;
        self.audit_queue(&mut audit).await?;
        self.audit_customers(&mut audit).await?;
        self.audit_trees(&mut audit).await?;
        if audit.wants_all() {
            self.audit_strays(&mut audit, &heads).await?;
        }
        Ok(audit.so_far)
    }

    /// Reads a chunk of at most so many rows, and less where that is all that can be read; the error is that of the first
    /// row. The last row of a full chunk is left to the next, so that one with the same key comes together with it.
    pub(super) async fn chunk<T, F>(&self, most: i64, read: F) -> Outcome<Chunk<T>>
    where
        F: Fn(&mut Conn, i64) -> StoreResult<Vec<T>> + Clone + Send + 'static,
        T: Send + 'static,
    {
        let mut most = most;
        loop {
            let work = read.clone();
            match self.store.read(move |conn| work(conn, most)).await {
                Ok(mut rows) => {
                    let is_last = (rows.len() as i64) < most;
                    if !is_last && rows.len() > 2 {
                        rows.pop();
                    }
                    return Ok(Ok((rows, is_last)));
                }
                Err(StoreError::Query(_)) if most > 1 => most /= 2,
                Err(error @ StoreError::Query(_)) => return Ok(Err(error)),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Every delta that was taken in is in a line, failed, or waits.
    async fn audit_intake(&self, audit: &mut Audit<'_>) -> Outcome<()> {
        let mut after = String::new();
        loop {
            let from = after.clone();
            let chunk = self.chunk(AT_ONCE, move |conn, most| ledger_audit::whereabouts(conn, &from, most)).await?;
            let (rows, is_last) = match chunk {
                Ok(read) => read,
                Err(error) => {
                    audit.unreadable(None, format!("the delta behind {after:?}"), &error);
                    return Ok(());
                }
            };
            audit.advance(rows.len());
            let mut unplaced = Vec::new();
            for row in rows.iter().filter(|row| audit.wants(&row.tenant_id, &row.mode)).collect::<Vec<_>>() {
                if row.ledger_id.is_some() || row.failed.is_some() {
                    continue;
                }
                unplaced.push(row.record_id.clone());
                audit_wait(audit, row);
            }
            if let (Some(first), Some(last)) = (unplaced.first().cloned(), unplaced.last().cloned()) {
                self.audit_unplaced(audit, first, last).await?;
            }
            match rows.last() {
                Some(last) if !is_last && audit.is_onward(&after, &last.record_id) => after.clone_from(&last.record_id),
                _ => return Ok(()),
            }
        }
    }

    /// What waits is what was accepted.
    async fn audit_unplaced(&self, audit: &mut Audit<'_>, first: String, last: String) -> Outcome<()> {
        let named = first.clone();
        let read = self.store.read(move |conn| ledger_audit::unplaced(conn, &first, &last)).await;
        let rows = match read {
            Ok(rows) => rows,
            Err(error @ StoreError::Query(_)) => {
                audit.unreadable(None, format!("a delta from {named} on"), &error);
                return Ok(());
            }
            Err(error) => return Err(error.into()),
        };
        for row in rows {
            if !audit.wants(&row.tenant_id, &row.mode) {
                continue;
            }
            audit.so_far.waiting += 1;
            let line = (row.tenant_id.clone(), row.mode.clone());
            let line = Some((line.0.as_str(), line.1.as_str()));
            let subject = format!("delta {}", row.record_id);
            match as_row(row) {
                Ok(delta) => {
                    let expected = content_hash(&delta);
                    if expected[..] != delta.content_hash[..] {
                        let found = hex::encode(&delta.content_hash);
                        audit.wrong(line, subject, "content hash", [&hex::encode(expected), &found]);
                    } else if let Some([expected, found]) = counted_in_fault(&delta) {
                        audit.wrong(line, subject, "counted in", [&expected, &found]);
                    }
                }
                Err((column, found)) => audit.wrong(line, subject, column, [&"one that can be", &found]),
            }
        }
        Ok(())
    }

    /// The records of what waits are there, and have not been verified yet; those of failures are there, too.
    async fn audit_queue(&self, audit: &mut Audit<'_>) -> Outcome<()> {
        let mut after = [String::new(), String::new(), String::new()];
        loop {
            let from = after.clone();
            let read = move |conn: &mut Conn, most| {
                ledger_audit::waiting(conn, [from[0].as_str(), from[1].as_str(), from[2].as_str()], most)
            };
            let (rows, is_last) = match self.chunk(REQUESTS_AT_ONCE, read).await? {
                Ok(read) => read,
                Err(error) => {
                    audit.unreadable(None, format!("the row of the queue behind {after:?}"), &error);
                    break;
                }
            };
            for row in &rows {
                audit_request(audit, row);
            }
            match rows.last() {
                Some(last) if !is_last => {
                    let next = [last.tenant_id.clone(), last.mode.clone(), last.first_record_id.clone()];
                    if !audit.is_onward(&after, &next) {
                        break;
                    }
                    after = next;
                }
                _ => break,
            }
        }
        let mut after = String::new();
        loop {
            let from = after.clone();
            let chunk = self.chunk(AT_ONCE, move |conn, most| ledger_audit::failures(conn, &from, most)).await?;
            let (rows, is_last) = match chunk {
                Ok(read) => read,
                Err(error) => {
                    audit.unreadable(None, format!("the failure behind {after:?}"), &error);
                    return Ok(());
                }
            };
            for row in rows.iter().filter(|row| row.found.is_none()) {
                let subject = format!("failure of {}", row.record_id);
                audit.wrong(None, subject, "record", [&"one that was taken in", &"none"]);
            }
            match rows.last() {
                Some(last) if !is_last && audit.is_onward(&after, &last.record_id) => after.clone_from(&last.record_id),
                _ => return Ok(()),
            }
        }
    }

    /// Each customer's row says what its last entry says, and it has as many entries as it says.
    async fn audit_customers(&self, audit: &mut Audit<'_>) -> Outcome<()> {
        let mut after = i64::MIN;
        loop {
            let chunk = self.chunk(AT_ONCE, move |conn, most| ledger_audit::owners(conn, after, most)).await?;
            let (rows, is_last) = match chunk {
                Ok(read) => read,
                Err(error) => {
                    audit.unreadable(None, format!("the customer behind the one with key {after}"), &error);
                    return Ok(());
                }
            };
            for row in &rows {
                if audit.wants(&row.tenant_id, &row.mode) {
                    audit.so_far.customers += 1;
                    audit_customer(audit, row);
                }
            }
            match rows.last() {
                Some(last) if !is_last && audit.is_onward(&after, &last.customer_key) => after = last.customer_key,
                _ => return Ok(()),
            }
        }
    }

    /// Entries without a head of their line, checkpoints and nodes without a tree.
    async fn audit_strays(&self, audit: &mut Audit<'_>, heads: &[Head]) -> Outcome<()> {
        let mut after = i64::MIN;
        while let Some(first) = self.read(move |conn| ledger_audit::next_line(conn, after)).await? {
            if !audit.is_onward(&after, &first.ledger_id) {
                break;
            }
            after = first.ledger_id;
            // A line that began meanwhile has a head, too.
            if first.head.is_none() && heads.iter().all(|head| head.ledger_id != first.ledger_id) {
                let subject = format!("entry {} of the ledger {}", first.sequence, first.ledger_id);
                audit.wrong(None, subject, "ledger", [&"one that is there", &"none"]);
            }
        }
        for stray in self.read(ledger_audit::orphans).await? {
            audit.wrong(None, format!("{} {}", stray.what, stray.name), "tree", [&"one that is there", &"none"]);
        }
        Ok(())
    }
}

fn audit_wait(audit: &mut Audit<'_>, row: &Whereabouts) {
    if row.waits_until.as_ref().is_none_or(|last| *last < row.record_id) {
        let line = Some((row.tenant_id.as_str(), row.mode.as_str()));
        let expected = "verified, failed or waiting to be verified";
        audit.wrong(line, format!("delta {}", row.record_id), "state", [&expected, &"none of these"]);
    }
}

fn audit_request(audit: &mut Audit<'_>, row: &Waiting) {
    if !audit.wants(&row.tenant_id, &row.mode) {
        return;
    }
    let line = Some((row.tenant_id.as_str(), row.mode.as_str()));
    let subject = format!("request that waits from {} to {}", row.first_record_id, row.last_record_id);
    if row.there != row.number {
        audit.wrong(line, subject, "records that are there", [&row.number, &row.there]);
    } else if row.done != 0 {
        audit.wrong(line, subject, "records that do not wait any more", [&0, &row.done]);
    }
}

fn audit_customer(audit: &mut Audit<'_>, row: &Owner) {
    let line = Some((row.tenant_id.as_str(), row.mode.as_str()));
    let subject = format!("customer {}", row.customer_id);
    if row.deltas != row.entries {
        audit.wrong(line, subject, "number of deltas", [&row.entries, &row.deltas]);
        return;
    }
    let expected = match (&row.last_sum, row.last_verified_at) {
        (Some(sum), Some(moment)) => (sum.clone(), Some(moment)),
        _ if row.deltas == 0 => ("0".to_owned(), None),
        _ => {
            audit.wrong(line, subject, "last delta", [&format!("an entry with the number {}", row.deltas), &"none"]);
            return;
        }
    };
    if expected.0 != row.balance {
        audit.wrong(line, subject.clone(), "balance in millionths", [&expected.0, &row.balance]);
    }
    if expected.1 != row.last_delta_at {
        let shown = |moment: Option<i64>| moment.map_or_else(|| "never".to_owned(), |moment| moment.to_string());
        audit.wrong(line, subject, "last delta at", [&shown(expected.1), &shown(row.last_delta_at)]);
    }
}
