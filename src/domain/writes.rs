//! Writes: whole numbers that add up under keys. What one item does to its key; the queue is in the gateway.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::fields::{Fields, Invalid};
use super::time::Timestamp;

/// Items in one request.
pub const MOST_ITEMS: usize = 1000;

/// The largest metadata of an item, in bytes.
const MAX_METADATA_BYTES: usize = 8 * 1024;

/// One number for one key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WriteItem {
    /// What it is added up under.
    pub key: String,
    /// Whose the key is.
    pub account_id: String,
    /// The number.
    pub bits: i64,
    /// The writer's own data, as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Box<RawValue>>,
}

impl WriteItem {
    /// Reads the items of a request.
    ///
    /// # Errors
    /// Everything that is not as it must be.
    pub fn parse_all(body: &[u8]) -> Result<Vec<Self>, Invalid> {
        let mut fields = Fields::of_body(body)?;
        let items = fields.list("items", MOST_ITEMS, Self::parse);
        fields.finish()?;
        items.ok_or_else(|| Invalid::missing("items"))
    }

    fn parse(fields: &mut Fields<'_>) -> Option<Self> {
        let key = fields.required_text("key", 1, 256);
        if key.as_deref().is_some_and(|key| matches!(key, "." | "..")) {
            fields.fault("key", "must not be . or .., which no URL can name");
        }
        let account_id = fields.required_text("accountId", 1, 128);
        let bits = fields.required_integer("bits", i64::MIN, i64::MAX);
        let metadata = fields.object_text("metadata", MAX_METADATA_BYTES);
        let metadata = metadata.and_then(|text| RawValue::from_string(text).ok());
        Some(Self { key: key?, account_id: account_id?, bits: bits?, metadata })
    }
}

/// What the verified writes to a key add up to.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Whose it is: whoever wrote to it first.
    pub account_id: String,
    /// The sum.
    pub bits: i64,
    /// How many writes.
    pub writes: i64,
    /// The latest write's data.
    pub metadata: Option<String>,
    /// When the latest write was verified.
    pub last_write_at: Timestamp,
}

/// Why an item comes to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRefusal {
    /// Another account wrote to the key first.
    OtherAccount,
    /// The sum would not fit 64 bits.
    Overflow,
}

impl WriteRefusal {
    /// The reason, for people.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::OtherAccount => "the key belongs to another account",
            Self::Overflow => "the sum under this key would not fit 64 bits",
        }
    }
}

/// Adds an item to its key among `buckets`, which has every key that was written to before.
///
/// # Errors
/// Why it comes to nothing; the key is as it was.
pub fn add(buckets: &mut BTreeMap<String, Bucket>, item: &WriteItem, now: Timestamp) -> Result<(), WriteRefusal> {
    let metadata = item.metadata.as_deref().map(|raw| raw.get().to_owned());
    let Some(bucket) = buckets.get_mut(&item.key) else {
        let account_id = item.account_id.clone();
        let bucket = Bucket { account_id, bits: item.bits, writes: 1, metadata, last_write_at: now };
        buckets.insert(item.key.clone(), bucket);
        return Ok(());
    };
    if bucket.account_id != item.account_id {
        return Err(WriteRefusal::OtherAccount);
    }
    bucket.bits = bucket.bits.checked_add(item.bits).ok_or(WriteRefusal::Overflow)?;
    bucket.writes = bucket.writes.saturating_add(1);
    bucket.metadata = metadata;
    bucket.last_write_at = now;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(key: &str, account_id: &str, bits: i64) -> WriteItem {
        WriteItem { key: key.to_owned(), account_id: account_id.to_owned(), bits, metadata: None }
    }

    #[test]
    fn what_is_refused_changes_nothing() {
        let mut buckets = BTreeMap::new();
        let now = Timestamp::from_unix_seconds(1);
        add(&mut buckets, &item("a", "x", i64::MAX), now).unwrap();
        assert_eq!(add(&mut buckets, &item("a", "x", 1), now), Err(WriteRefusal::Overflow));
        assert_eq!(add(&mut buckets, &item("a", "y", 1), now), Err(WriteRefusal::OtherAccount));
        assert_eq!((buckets["a"].bits, buckets["a"].writes), (i64::MAX, 1));
        add(&mut buckets, &item("a", "x", i64::MIN), now).unwrap();
        assert_eq!((buckets["a"].bits, buckets["a"].writes), (-1, 2));
    }

    #[test]
    fn every_fault_of_every_item_is_named() {
        let body =
            br#"{"items":[{"key":"a","accountId":"b","bits":1.5},{"key":"..","bits":9223372036854775808,"x":1}]}"#;
        let messages = WriteItem::parse_all(body).unwrap_err().messages();
        for path in ["items[0].bits: must be", "items[1].accountId: missing", "items[1].key: ", "items[1].x: "] {
            assert!(messages.iter().any(|message| message.starts_with(path)), "{path}: {messages:?}");
        }
        for body in ["", "{}", r#"{"items":[]}"#, r#"{"items":{}}"#, r#"{"items":[1]}"#] {
            assert!(WriteItem::parse_all(body.as_bytes()).is_err(), "{body}");
        }
    }
}
