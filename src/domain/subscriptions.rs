//! Subscriptions: what a provider can tell of one. They live at the provider; here is what it said last.

use serde::Serialize;

use super::time::Timestamp;

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscriptionStatus {
    /// Made, not paid yet.
    Incomplete,
    /// Paid for.
    Active,
    /// A renewal was not paid; the provider tries again.
    PastDue,
    /// Over.
    Ended,
}

impl SubscriptionStatus {
    const ALL: [Self; 4] = [Self::Incomplete, Self::Active, Self::PastDue, Self::Ended];

    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Incomplete => "incomplete",
            Self::Active => "active",
            Self::PastDue => "past_due",
            Self::Ended => "ended",
        }
    }

    /// The status that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What a provider says of a subscription: its whole state, so that messages may come in any order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SubscriptionNews {
    /// The provider's id of it.
    pub provider_ref: String,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// The end of what is paid for.
    pub current_period_end: Option<Timestamp>,
    /// Whether it ends there.
    pub cancel_at_period_end: bool,
    /// When the provider last changed it: of two messages the later one counts.
    pub changed_at: Timestamp,
    /// A renewal that was paid, if this tells of one.
    pub renewal: Option<Renewal>,
}

/// A renewal that was paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Renewal {
    /// The provider's id of the receipt.
    pub transaction: String,
    /// Minor units, before tax that the provider adds.
    pub amount_minor: i64,
    /// ISO 4217 code, upper case.
    pub currency: String,
}
