//! Doing a thing once, however often it is asked for: idempotency keys, and signatures that are spent.

use serde_json::Value;

use super::audit::{self, Deed};
use super::{App, Gateway, Scope, SignedHead};
use crate::domain::secrets::random_hex;
use crate::domain::signing::{fingerprint, sha256};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::requests::{self, Claim, Claimed, StoredAnswer};
use crate::store::{Conn, Lane, StoreError, StoreResult};

/// A signed POST as the one that it is.
#[derive(Clone, Debug)]
pub struct Once {
    pub(super) claim: Claim,
    pub(super) request_id: String,
    /// Who did it by hand, for the audit log.
    by_hand: Option<Box<ByHand>>,
}

/// What a person did.
#[derive(Clone, Debug)]
struct ByHand {
    scope: Scope,
    action: &'static str,
    subject: String,
    after: Value,
}

/// An answer, perhaps one that was given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, byte for byte.
    pub body: String,
    /// Whether it was given before.
    pub is_replay: bool,
}

/// A fresh answer and the payment that it is about.
pub(super) struct Fresh {
    pub status: u16,
    pub body: String,
    pub payment_id: Option<String>,
}

impl Once {
    /// What identifies the request of `app` with this head, body and key. `request_id` goes into an error that is
    /// stored as the answer.
    #[must_use]
    pub fn new(
        app: &App,
        head: &SignedHead,
        signed_at: i64,
        body_sha256: &[u8; 32],
        key: Option<&str>,
        request_id: String,
    ) -> Self {
        let app_id = app.app_id.as_str();
        let mut body = [0; 16];
        body.copy_from_slice(&body_sha256[..16]);
        let claim = Claim {
            signed_at,
            signature: fingerprint(&[app_id, &head.signature]),
            idempotency_key: key.map(|key| fingerprint(&[app_id, key, &head.method, &head.path])),
            body,
        };
        Self { claim, request_id, by_hand: None }
    }

    /// What identifies a request with an API key or a token, which brings an idempotency key.
    #[must_use]
    pub fn of_tenant(
        scope: &Scope,
        signed_at: Timestamp,
        [method, path, key]: [&str; 3],
        body_sha256: &[u8; 32],
        request_id: String,
    ) -> Self {
        let whose = [scope.tenant_id.as_str(), scope.mode.as_str()];
        let mut body = [0; 16];
        body.copy_from_slice(&body_sha256[..16]);
        let claim = Claim {
            signed_at: signed_at.unix_seconds(),
            // Nothing is signed: every request is its own.
            signature: fingerprint(&[whose[0], whose[1], &random_hex(16)]),
            idempotency_key: Some(fingerprint(&[whose[0], whose[1], key, method, path])),
            body,
        };
        Self { claim, request_id, by_hand: None }
    }

    /// What a person asks for by a form, once for each `nonce` that the form carries: a second click is answered as the
    /// first. `action`, `subject` and `after` go into the audit log with it.
    pub(super) fn by_hand(
        app: &App,
        scope: &Scope,
        now: Timestamp,
        nonce: &str,
        action: &'static str,
        subject: &str,
        after: Value,
    ) -> Self {
        let app_id = app.app_id.as_str();
        let mut body = [0; 16];
        body.copy_from_slice(&sha256(after.to_string().as_bytes())[..16]);
        let request_id = random_hex(16);
        let claim = Claim {
            signed_at: now.unix_seconds(),
            signature: fingerprint(&[app_id, "form", &request_id]),
            idempotency_key: Some(fingerprint(&[app_id, "form", scope.actor(), action, subject, nonce])),
            body,
        };
        let by_hand = ByHand { scope: scope.clone(), action, subject: subject.to_owned(), after };
        Self { claim, request_id, by_hand: Some(Box::new(by_hand)) }
    }

    /// What a buyer asks for on a page of ours; once for each `key`, which is the whole of what he asks for.
    pub(super) fn of_buyer(app: &App, now: Timestamp, key: Option<&[&str]>) -> Self {
        let app_id = app.app_id.as_str();
        let request_id = random_hex(16);
        let claim = Claim {
            signed_at: now.unix_seconds(),
            signature: fingerprint(&[app_id, "buyer", &request_id]),
            idempotency_key: key.map(|key| fingerprint(&[&[app_id, "buyer"], key].concat())),
            body: [0; 16],
        };
        Self { claim, request_id, by_hand: None }
    }

    /// Writes into the audit log who did it, if a person did; in the transaction that claims the request.
    pub(super) fn record(&self, conn: &mut Conn, now: Timestamp) -> StoreResult<()> {
        let Some(by_hand) = &self.by_hand else { return Ok(()) };
        let deed = Deed {
            action: by_hand.action,
            subject: Some(&by_hand.subject),
            before: None,
            after: Some(by_hand.after.clone()),
        };
        audit::record(conn, &by_hand.scope, deed, now)
    }
}

impl Gateway {
    /// The refusal of a request: `fault`, unless its key stands for another body.
    pub(super) async fn conflict_or(&self, once: Once, fault: Fault) -> Fault {
        if once.claim.idempotency_key.is_none() {
            return fault;
        }
        match self.read(move |conn| requests::contradicts(conn, &once.claim)).await {
            Ok(true) => other_body(),
            _ => fault,
        }
    }

    /// Runs `work` unless this request was answered before, and stores its answer in the same transaction. A refusal is
    /// not stored: it frees the key.
    pub(super) async fn once<F>(&self, once: Once, lane: &str, work: F) -> Outcome<Answer>
    where
        F: Fn(&mut Conn, Timestamp) -> StoreResult<Outcome<Fresh>> + Send + 'static,
    {
        let now = self.clock.now();
        self.write(Lane::Of(lane), move |conn| {
            match requests::look_up(conn, &once.claim, now)? {
                Claimed::New => {}
                seen => return Ok(replay(seen)),
            }
            let fresh = match work(conn, now)? {
                Ok(fresh) => fresh,
                Err(fault) => return Ok(Err(fault)),
            };
            match requests::claim(conn, &once.claim, fresh.status, &fresh.body, fresh.payment_id.as_deref(), now)? {
                Claimed::New => {
                    once.record(conn, now)?;
                    Ok(Ok(Answer { status: fresh.status, body: fresh.body, is_replay: false }))
                }
                // Another process answered the same request between the look and the claim: undo, look again.
                _ => Err(StoreError::Raced),
            }
        })
        .await?
    }

    /// As [`Gateway::once`]; a request that came without a key is simply done.
    pub(super) async fn once_if_keyed<F>(&self, once: Option<Once>, lane: &str, work: F) -> Outcome<Answer>
    where
        F: Fn(&mut Conn, Timestamp) -> StoreResult<Outcome<Fresh>> + Send + 'static,
    {
        if let Some(once) = once {
            return self.once(once, lane, work).await;
        }
        let now = self.clock.now();
        let fresh = self.write(Lane::Of(lane), move |conn| work(conn, now)).await??;
        Ok(Answer { status: fresh.status, body: fresh.body, is_replay: false })
    }
}

/// The answer to a request that is not new.
pub(super) fn replay(claimed: Claimed) -> Outcome<Answer> {
    match claimed {
        Claimed::New => Err(Fault::new(Code::InternalError, "internal error")),
        Claimed::Seen(StoredAnswer { status_code: Some(status), answer: Some(body), .. }) => {
            Ok(Answer { status: u16::try_from(status).unwrap_or(500), body, is_replay: true })
        }
        Claimed::Seen(_) => Err(in_progress()),
        Claimed::OtherBody => Err(other_body()),
        Claimed::SignatureReused => {
            Err(Fault::new(Code::SignatureReused, "this signature was already used with another idempotency key"))
        }
    }
}

fn other_body() -> Fault {
    Fault::new(Code::IdempotencyConflict, "idempotency conflict — different body for same key")
}

pub(super) fn in_progress() -> Fault {
    Fault::retry_after(
        Code::IdempotencyInProgress,
        "the first request with this key is still running",
        std::time::Duration::from_secs(1),
    )
}
