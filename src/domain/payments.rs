//! The life of a payment: its states, what a provider can tell of it, and what that means.

use serde::{Deserialize, Serialize};

use super::mode::Mode;
use super::money::Currency;
use super::time::Timestamp;

/// Where a payment stands. The last three are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentStatus {
    /// Waiting for the buyer, or for the provider's word.
    Initiated,
    /// Paid.
    Succeeded,
    /// Refused or declined.
    Failed,
    /// Given up or expired.
    Canceled,
}

impl PaymentStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Initiated, Self::Succeeded, Self::Failed, Self::Canceled];

    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Initiated => "initiated",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// The status that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// How one try to start a payment at a provider went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttemptState {
    /// Written, perhaps sent; no answer has been recorded.
    Prepared,
    /// The provider has it and waits for the buyer.
    Started,
    /// The provider refused; nothing was charged.
    Refused,
    /// Sent, no answer: it may have been charged. Only asking the provider tells.
    Unknown,
}

impl AttemptState {
    const ALL: [Self; 4] = [Self::Prepared, Self::Started, Self::Refused, Self::Unknown];

    /// The state as it is stored.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Prepared => "prepared",
            Self::Started => "started",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// The state that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What a provider says has become of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Observation {
    /// Money was received.
    Paid {
        /// Minor units.
        amount_minor: i64,
        /// ISO 4217 code, upper case.
        currency: String,
        /// The provider's id of this one receipt of money.
        transaction: String,
    },
    /// It will not be paid.
    Failed {
        /// The provider's reason.
        reason: String,
    },
    /// The buyer gave up, or it expired.
    Canceled {
        /// Why.
        reason: String,
    },
    /// Nothing final.
    Pending,
    /// Money was given back, is on its way back, or could not be given back.
    Refunded {
        /// The provider's id of the refund.
        refund: String,
        /// Ours, where the provider gave it back.
        refund_id: Option<String>,
        /// Minor units.
        amount_minor: i64,
        /// ISO 4217 code, upper case.
        currency: String,
        /// How far it is.
        outcome: RefundOutcome,
    },
    /// Money was taken back by the provider or the buyer's bank.
    Reversed {
        /// The provider's id of this one reversal.
        transaction: String,
        /// Minor units.
        amount_minor: i64,
        /// ISO 4217 code, upper case.
        currency: String,
        /// Why, as the provider classes it.
        reason: String,
    },
}

/// How far a refund is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundOutcome {
    /// Accepted, not done.
    Pending,
    /// Done.
    Succeeded,
    /// Not done, for this reason, and it will not be.
    Failed(String),
}

/// What a buyer is told who pays without a page of the provider's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Instructions {
    /// Transfer to this number.
    VirtualAccount {
        /// The bank's slug, as in the method: `bca`.
        bank: String,
        /// Digits, without spaces.
        number: String,
        /// Until when.
        expires_at: Timestamp,
    },
    /// Scan this code.
    Qris {
        /// The text of the code.
        qr_content: String,
        /// Until when.
        expires_at: Timestamp,
    },
}

/// What a payment is, as far as [`decide`] needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Where it stands.
    pub status: PaymentStatus,
    /// Its mode.
    pub mode: Mode,
    /// Whether it lies with the mock provider.
    pub is_mock: bool,
    /// What was asked for, in minor units.
    pub amount_minor: i64,
    /// In what.
    pub currency: Currency,
    /// Receipts of money that are booked already, by the provider's ids.
    pub booked: &'a [String],
}

/// What an observation does to a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Nothing: known already, or not final.
    Nothing,
    /// It is paid.
    Succeed,
    /// It has failed, for this reason.
    Fail(String),
    /// It is given up, for this reason.
    Cancel(String),
    /// Money came after it was closed, or came twice: kept, told, refundable.
    PaidAfterClose,
    /// The message does not fit the payment; nothing moves and people are told why.
    Quarantine(String),
}

/// Decides what an observation means. Whoever races, the first final word stands; money is never lost.
#[must_use]
pub fn decide(standing: &Standing<'_>, observation: &Observation) -> Decision {
    match observation {
        // Refunds and reversals have rules of their own.
        Observation::Pending | Observation::Refunded { .. } | Observation::Reversed { .. } => Decision::Nothing,
        Observation::Paid { amount_minor, currency, transaction } => {
            if standing.mode == Mode::Live && standing.is_mock {
                return Decision::Quarantine("the mock provider cannot take live money".to_owned());
            }
            if currency != standing.currency.code() || *amount_minor != standing.amount_minor {
                return Decision::Quarantine(format!(
                    "provider reports {amount_minor} {currency}, the payment is {} {}",
                    standing.amount_minor,
                    standing.currency.code()
                ));
            }
            if standing.booked.contains(transaction) {
                Decision::Nothing
            } else if standing.status == PaymentStatus::Initiated {
                Decision::Succeed
            } else {
                Decision::PaidAfterClose
            }
        }
        Observation::Failed { reason } if standing.status == PaymentStatus::Initiated => Decision::Fail(reason.clone()),
        Observation::Canceled { reason } if standing.status == PaymentStatus::Initiated => {
            Decision::Cancel(reason.clone())
        }
        Observation::Failed { .. } | Observation::Canceled { .. } => Decision::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(status: PaymentStatus, booked: &[String]) -> Standing<'_> {
        Standing {
            status,
            mode: Mode::Test,
            is_mock: true,
            amount_minor: 2900,
            currency: Currency::parse("USD").unwrap(),
            booked,
        }
    }

    fn paid(amount_minor: i64, currency: &str, transaction: &str) -> Observation {
        Observation::Paid { amount_minor, currency: currency.into(), transaction: transaction.into() }
    }

    #[test]
    fn the_first_final_word_stands_and_money_is_never_lost() {
        use PaymentStatus::{Canceled, Failed, Initiated, Succeeded};
        let failed = Observation::Failed { reason: "declined".into() };
        let booked = ["t1".to_owned()];
        assert_eq!(decide(&standing(Initiated, &[]), &paid(2900, "USD", "t1")), Decision::Succeed);
        assert_eq!(decide(&standing(Succeeded, &booked), &paid(2900, "USD", "t1")), Decision::Nothing);
        assert_eq!(decide(&standing(Succeeded, &booked), &paid(2900, "USD", "t2")), Decision::PaidAfterClose);
        for closed in [Failed, Canceled] {
            assert_eq!(decide(&standing(closed, &[]), &paid(2900, "USD", "t1")), Decision::PaidAfterClose);
            assert_eq!(decide(&standing(closed, &[]), &failed), Decision::Nothing);
        }
        assert_eq!(decide(&standing(Initiated, &[]), &failed), Decision::Fail("declined".into()));
        assert_eq!(decide(&standing(Succeeded, &booked), &failed), Decision::Nothing);
    }

    #[test]
    fn a_message_that_does_not_fit_moves_nothing() {
        let open = standing(PaymentStatus::Initiated, &[]);
        for message in [paid(2901, "USD", "t"), paid(2900, "EUR", "t"), paid(2900, "usd", "t")] {
            assert!(matches!(decide(&open, &message), Decision::Quarantine(_)));
        }
    }

    #[test]
    fn the_mock_cannot_take_live_money() {
        let live = Standing { mode: Mode::Live, ..standing(PaymentStatus::Initiated, &[]) };
        assert!(matches!(decide(&live, &paid(2900, "USD", "t")), Decision::Quarantine(_)));
    }
}
