//! Writes: accepted into the line of their tenant and mode, verified in turn, told of by an event. What an item does to
//! its key is in the domain. They count towards no plan.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::{Value, json};

use super::idempotency::{Answer, Fresh, Once};
use super::views::{raw, render};
use super::webhook_endpoints::tenant_event;
use super::{Gateway, Scope};
use crate::domain::ids::{EventId, TenantId, WriteRequestId};
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::domain::writes::{Bucket, WriteItem, WriteRefusal, add};
use crate::error::{Code, Fault, Outcome};
use crate::store::writes::{self, BucketRow, WriteRequestRow};
use crate::store::{Conn, Lane, StoreError, StoreResult, events};

/// The scope that reading asks for.
const READ: &str = "writes:read";

/// The scope that writing asks for.
const WRITE: &str = "writes:write";

/// Lines looked after in one round.
const LINES: i64 = 20;

/// Requests verified in one transaction.
const REQUESTS: i64 = 64;

/// Items verified in one transaction, unless a single request has more.
const ITEMS: i64 = 2000;

impl Gateway {
    /// Refuses who may not write, before what he sent is looked at.
    ///
    /// # Errors
    /// 403.
    pub fn check_may_write(&self, scope: &Scope) -> Outcome<()> {
        scope.require_scope(WRITE)
    }

    /// Takes items into the line; once this answers, they are durable and will be verified. The answer's body is the
    /// data of the envelope.
    ///
    /// # Errors
    /// 403; 409 for a key with another body; 429 when too much waits.
    pub async fn accept_writes(&self, scope: &Scope, once: Option<Once>, items: &[WriteItem]) -> Outcome<Answer> {
        scope.require_scope(WRITE)?;
        let now = self.clock.now();
        let limit = i64::from(self.settings.writes_queue_limit);
        let item_count = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let row = WriteRequestRow {
            request_id: WriteRequestId::generate(now),
            tenant_id: scope.tenant_id.clone(),
            mode: scope.mode,
            sequence: 0,
            item_count,
            items: render(&items),
            outcomes: None,
            created_at: now,
            verified_at: None,
        };
        let body = render(&json!({
            "requestId": row.request_id, "itemCount": item_count, "status": "queued",
            "message": "The items are queued and will be verified in turn.",
        }));
        let work = move |conn: &mut Conn, now: Timestamp| {
            let place = writes::take_place(conn, &row.tenant_id, row.mode, item_count, limit, now)?;
            let Some(sequence) = place else { return Ok(Err(line_is_full(limit))) };
            writes::insert(conn, &WriteRequestRow { sequence, ..row.clone() })?;
            Ok(Ok(Fresh { status: 202, body: body.clone(), payment_id: None }))
        };
        let answer = self.once_if_keyed(once, scope.tenant_id.as_str(), work).await?;
        self.writes_wanted.notify_one();
        Ok(answer)
    }

    /// A request, with what came of each item.
    ///
    /// # Errors
    /// 403; 404.
    pub async fn write_request(&self, scope: &Scope, request_id: &str) -> Outcome<String> {
        scope.require_scope(READ)?;
        let not_found = || Fault::new(Code::NotFound, "there is no write request with this id");
        let wanted = WriteRequestId::parse(request_id).ok_or_else(not_found)?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let row = self.read(move |conn| writes::find(conn, &tenant_id, mode, &wanted)).await?.ok_or_else(not_found)?;
        let items: Vec<WriteItem> = stored(&row.items)?;
        let outcomes: Option<Vec<Option<String>>> = row.outcomes.as_deref().map(stored).transpose()?;
        Ok(request_object(&row, &items, outcomes.as_deref(), row.verified_at).to_string())
    }

    /// What the verified writes to a key add up to, as JSON.
    ///
    /// # Errors
    /// 403; 404 for a key without a verified write.
    pub async fn read_bucket(&self, scope: &Scope, key: &str) -> Outcome<String> {
        scope.require_scope(READ)?;
        let (tenant_id, mode, wanted) = (scope.tenant_id.clone(), scope.mode, key.to_owned());
        // No database can be asked for what none can hold.
        let found = if wanted.contains('\0') {
            None
        } else {
            self.read(move |conn| writes::bucket(conn, &tenant_id, mode, &wanted)).await?
        };
        let bucket = found.ok_or_else(|| Fault::new(Code::NotFound, "nothing was written under this key"))?;
        Ok(bucket_object(&bucket))
    }

    /// Waits until there may be something to verify.
    pub async fn writes_wanted(&self) {
        self.writes_wanted.notified().await;
    }

    /// Verifies some of what waits, in turn; says how many requests.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn verify_writes(&self) -> Outcome<usize> {
        let lines = self.read(|conn| writes::waiting_lines(conn, LINES)).await?;
        let mut verified = 0;
        for (tenant_id, mode) in lines {
            let now = self.clock.now();
            let of_line = tenant_id.clone();
            verified +=
                self.write(Lane::Of(tenant_id.as_str()), move |conn| verify_next(conn, &of_line, mode, now)).await?;
        }
        if verified > 0 {
            self.deliveries_wanted.notify_one();
        }
        Ok(verified)
    }

    /// Verifies what waits until nothing does or the time is over, before the process ends.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn drain_writes(&self, at_most: Duration) -> Outcome<()> {
        let started = std::time::Instant::now();
        while started.elapsed() < at_most && self.verify_writes().await? > 0 {}
        Ok(())
    }
}

/// Verifies the first requests of a line, with the events that tell of them, in the caller's transaction.
fn verify_next(conn: &mut Conn, tenant_id: &TenantId, mode: Mode, now: Timestamp) -> StoreResult<usize> {
    // Clocks differ, and the wait for the line is not in `now`: nothing is verified before what came earlier in the line.
    let now = now.max(writes::lock_line(conn, tenant_id, mode)?);
    let rows = writes::next_of_line(conn, tenant_id, mode, REQUESTS, ITEMS)?;
    if rows.is_empty() {
        return Ok(0);
    }
    let mut requests = Vec::with_capacity(rows.len());
    for row in rows {
        let items: Vec<WriteItem> = stored(&row.items)?;
        requests.push((row, items));
    }
    let keys: BTreeSet<&str> = requests.iter().flat_map(|(_, items)| items).map(|item| item.key.as_str()).collect();
    let keys: Vec<&str> = keys.into_iter().collect();
    let former = writes::buckets(conn, tenant_id, mode, &keys)?;
    let mut buckets: BTreeMap<String, Bucket> = former.into_iter().map(bucket_of).collect();
    let mut touched = BTreeSet::new();
    let mut left = 0;
    for (row, items) in &requests {
        let mut outcomes: Vec<Option<&'static str>> = Vec::with_capacity(items.len());
        for item in items {
            let outcome = add(&mut buckets, item, now);
            if outcome.is_ok() {
                touched.insert(item.key.as_str());
            }
            outcomes.push(outcome.err().map(WriteRefusal::reason));
        }
        left += row.item_count;
        writes::finish(conn, &row.request_id, &render(&outcomes), now)?;
        let outcomes: Vec<Option<String>> = outcomes.into_iter().map(|reason| reason.map(str::to_owned)).collect();
        let event_type =
            if outcomes.iter().any(Option::is_some) { "verification.failed" } else { "verification.completed" };
        let data = request_object(row, items, Some(&outcomes), Some(now));
        let event = tenant_event(EventId::generate(now), tenant_id, mode, event_type, &data, now);
        events::insert(conn, &event, now)?;
    }
    let changed: Vec<BucketRow> = touched
        .into_iter()
        .filter_map(|key| buckets.remove(key).map(|bucket| row_of(tenant_id, mode, key, bucket)))
        .collect();
    writes::put_buckets(conn, tenant_id, mode, &changed)?;
    writes::leave(conn, tenant_id, mode, left, now)?;
    Ok(requests.len())
}

fn bucket_of(row: BucketRow) -> (String, Bucket) {
    let BucketRow { key, account_id, bits, writes, metadata, last_write_at, .. } = row;
    (key, Bucket { account_id, bits, writes, metadata, last_write_at })
}

fn row_of(tenant_id: &TenantId, mode: Mode, key: &str, bucket: Bucket) -> BucketRow {
    let Bucket { account_id, bits, writes, metadata, last_write_at } = bucket;
    let (tenant_id, key) = (tenant_id.clone(), key.to_owned());
    BucketRow { tenant_id, mode, key, account_id, bits, writes, metadata, last_write_at }
}

/// A request as the API and its event show it. `outcomes` has null or a reason for each item.
fn request_object(
    row: &WriteRequestRow,
    items: &[WriteItem],
    outcomes: Option<&[Option<String>]>,
    verified_at: Option<Timestamp>,
) -> Value {
    let error_of = |index: usize| outcomes.and_then(|outcomes| outcomes.get(index)?.as_deref());
    let status_of = |is_failed: bool| match (outcomes, is_failed) {
        (None, _) => "queued",
        (Some(_), false) => "verified",
        (Some(_), true) => "failed",
    };
    let failed = (0..items.len()).filter(|index| error_of(*index).is_some()).count();
    let shown: Vec<Value> = items
        .iter()
        .enumerate()
        .map(|(index, item)| {
            let error = error_of(index);
            json!({
                "index": index, "key": item.key, "accountId": item.account_id, "bits": item.bits,
                "status": status_of(error.is_some()), "error": error,
            })
        })
        .collect();
    json!({
        "requestId": row.request_id, "status": status_of(failed > 0), "itemCount": row.item_count,
        "failedCount": failed, "createdAt": row.created_at, "verifiedAt": verified_at, "items": shown,
    })
}

/// A key as the API shows it, its metadata to the digit.
fn bucket_object(bucket: &BucketRow) -> String {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "camelCase")]
    struct BucketObject<'a> {
        key: &'a str,
        account_id: &'a str,
        current_bits: i64,
        total_writes: i64,
        last_write_at: Timestamp,
        verified: bool,
        metadata: Option<&'a serde_json::value::RawValue>,
    }
    render(&BucketObject {
        key: &bucket.key,
        account_id: &bucket.account_id,
        current_bits: bucket.bits,
        total_writes: bucket.writes,
        last_write_at: bucket.last_write_at,
        verified: true,
        metadata: bucket.metadata.as_deref().map(raw),
    })
}

fn line_is_full(limit: i64) -> Fault {
    let detail = format!("{limit} items may wait to be verified, and these would be more; write again in a moment");
    Fault::retry_after(Code::RateLimited, detail, Duration::from_secs(1))
}

/// What was written by [`render`].
fn stored<T: serde::de::DeserializeOwned>(json: &str) -> StoreResult<T> {
    serde_json::from_str(json).map_err(|_| StoreError::Missing)
}
