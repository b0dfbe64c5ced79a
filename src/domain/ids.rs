//! Identifiers: a prefix that says what a thing is, and 26 characters that sort by the time it was made.
//!
//! An id is text everywhere (JSON, rows, logs). The characters are a ULID in lower case: 48 bits of Unix
//! milliseconds, then 10 bits of the microsecond within it and 70 random bits, in Crockford's base 32.

use super::time::Timestamp;

/// Length of the part behind the prefix.
pub const SUFFIX_LENGTH: usize = 26;

/// A fresh prefixed id for a thing made at `now`.
fn generate(prefix: &str, now: Timestamp) -> String {
    let mut random = [0u8; 16];
    getrandom::fill(&mut random).expect("the operating system gives random bytes");
    let microsecond = u128::from(now.unix_micros().rem_euclid(1000).unsigned_abs());
    at(prefix, now, microsecond << 70 | u128::from_be_bytes(random) >> 58)
}

fn at(prefix: &str, moment: Timestamp, random: u128) -> String {
    let ulid = ulid::Ulid::from_parts(moment.unix_millis(), random);
    let mut text = String::with_capacity(prefix.len() + SUFFIX_LENGTH);
    text.push_str(prefix);
    text.push_str(&ulid.to_string());
    text.make_ascii_lowercase();
    text
}

/// Whether `text` has the form that [`generate`] gives under `prefix`.
fn is_well_formed(prefix: &str, text: &str) -> bool {
    text.strip_prefix(prefix).is_some_and(|suffix| {
        suffix.len() == SUFFIX_LENGTH
            && suffix.bytes().all(|byte| {
                byte.is_ascii_digit() || (byte.is_ascii_lowercase() && !matches!(byte, b'i' | b'l' | b'o' | b'u'))
            })
    })
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// A fresh id that sorts at `now`.
            #[must_use]
            pub fn generate(now: Timestamp) -> Self {
                Self(generate($prefix, now))
            }

            /// The id that `text` spells, if it is one of ours.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                is_well_formed($prefix, text).then(|| Self(text.to_owned()))
            }

            /// The smallest id that a thing made at `moment` can have.
            #[must_use]
            pub fn earliest_at(moment: Timestamp) -> Self {
                Self(at($prefix, moment, 0))
            }

            /// The largest id that a thing made at `moment` can have.
            #[must_use]
            pub fn latest_at(moment: Timestamp) -> Self {
                Self(at($prefix, moment, u128::MAX))
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    )+};
}

ids! {
    /// A tenant: a company or team whose apps this gateway serves.
    TenantId = "ten_";
    /// An app: one product in one mode.
    AppId = "app_";
    /// A payment.
    PaymentId = "pay_";
    /// One try to have a provider start a payment.
    AttemptId = "att_";
    /// A refund of a payment.
    RefundId = "ref_";
    /// An event that goes out to an app.
    EventId = "evt_";
    /// One event on its way to one endpoint.
    DeliveryId = "dlv_";
    /// A webhook endpoint of an app.
    EndpointId = "wep_";
    /// Something that the test inbox received.
    ReceivedId = "rcv_";
    /// A webhook that came in.
    InboxId = "inb_";
    /// A tenant's own account at a provider.
    AccountId = "pac_";
    /// An invoice.
    InvoiceId = "inv_";
    /// A payment link.
    PaymentLinkId = "plink_";
    /// A subscription.
    SubscriptionId = "sub_";
    /// Something that the mock provider is to do later.
    MockJobId = "mjb_";
    /// A person with an account.
    UserId = "usr_";
    /// One sign-in of a person.
    SessionId = "ses_";
    /// An invitation into a tenant.
    InvitationId = "ivt_";
    /// A mail.
    MailId = "mail_";
    /// An API key.
    KeyId = "key_";
    /// A request for production access.
    ProductionRequestId = "par_";
    /// An entry of the audit log.
    AuditEntryId = "aud_";
    /// A delta of the balance ledger.
    DeltaId = "rec_";
    /// A checkpoint of the balance ledger.
    CheckpointId = "chk_";
    /// A request that writes.
    WriteRequestId = "req_";
}

/// How many low bits of a delta's id count the deltas of one request.
const POSITION_BITS: u32 = 10;

impl DeltaId {
    /// The most ids that [`DeltaId::consecutive`] gives.
    pub const MOST_CONSECUTIVE: usize = 1 << POSITION_BITS;

    /// So many fresh ids that sort at `now`, with none of another request between them.
    #[must_use]
    pub fn consecutive(now: Timestamp, number: usize) -> Vec<Self> {
        debug_assert!(number <= Self::MOST_CONSECUTIVE, "the positions of one request fit its bits");
        let mut random = [0u8; 16];
        getrandom::fill(&mut random).expect("the operating system gives random bytes");
        let microsecond = u128::from(now.unix_micros().rem_euclid(1000).unsigned_abs());
        let random = u128::from_be_bytes(random) >> (58 + POSITION_BITS) << POSITION_BITS;
        (0..number as u128).map(|position| Self(at("rec_", now, microsecond << 70 | random | position))).collect()
    }

    /// Every id from this one to `last`, both included, of one request.
    pub fn through(&self, last: &Self) -> impl Iterator<Item = Self> {
        let number = |id: &Self| ulid::Ulid::from_string(&id.0[4..]).map_or(0, |ulid| ulid.0);
        let (first, last) = (number(self), number(last));
        let most = first.saturating_add(Self::MOST_CONSECUTIVE as u128);
        (first..=last.min(most)).map(|number| {
            let mut text = String::with_capacity(4 + SUFFIX_LENGTH);
            text.push_str("rec_");
            text.push_str(&ulid::Ulid(number).to_string());
            text.make_ascii_lowercase();
            Self(text)
        })
    }

    /// The id of the receipt that answers for the delta.
    #[must_use]
    pub fn receipt_id(&self) -> String {
        self.0.replacen("rec_", "rcpt_", 1)
    }

    /// The delta that a record's or a receipt's id names.
    #[must_use]
    pub fn parse_either(text: &str) -> Option<Self> {
        text.strip_prefix("rcpt_").map_or_else(|| Self::parse(text), |suffix| Self::parse(&format!("rec_{suffix}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ids_of_one_request_are_consecutive() {
        let ids = DeltaId::consecutive(Timestamp::from_unix_seconds(1_760_000_000), DeltaId::MOST_CONSECUTIVE);
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| DeltaId::parse(id.as_str()).is_some()));
        let (first, last) = (ids[0].as_str(), ids[ids.len() - 1].as_str());
        assert_eq!(first[..28], last[..28]);
        assert!(ids[0].through(&ids[ids.len() - 1]).eq(ids.iter().cloned()));
        assert!(ids[3].through(&ids[3]).eq([ids[3].clone()]));
        assert_eq!(DeltaId::parse_either(&ids[7].receipt_id()).as_ref(), Some(&ids[7]));
    }

    #[test]
    fn ids_of_one_millisecond_sort_by_the_microsecond() {
        let ids: Vec<EventId> = (0..1000)
            .map(|micro| EventId::generate(Timestamp::from_unix_micros(1_760_000_000_000_000 + micro)))
            .collect();
        assert!(ids.is_sorted());
    }

    #[test]
    fn an_id_is_its_prefix_and_26_characters_and_sorts_by_time() {
        let early = PaymentId::generate(Timestamp::from_unix_seconds(1_760_000_000));
        let late = PaymentId::generate(Timestamp::from_unix_seconds(1_760_000_001));
        assert_eq!(early.as_str().len(), 30);
        assert!(early < late);
        assert_eq!(PaymentId::parse(early.as_str()), Some(early));
        assert_eq!(PaymentId::parse("pay_00000000000000000000000000").map(|id| id.to_string().len()), Some(30));
        assert_eq!(PaymentId::parse("pay_0000000000000000000000000I"), None);
        assert_eq!(PaymentId::parse(late.as_str().replace("pay_", "evt_").as_str()), None);
    }
}
