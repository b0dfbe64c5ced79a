//! The mock provider's dialect: what its start answers, and the webhooks that it signs and the gateway verifies.
//!
//! It stands in for every provider in `test` mode and for one without credentials elsewhere. Its books are in
//! `crate::store::mock`; when it does what is decided in `crate::gateway::mock`.

use serde::{Deserialize, Serialize};

use super::{About, Driver, LostStart, News};
use crate::domain::drafts::{MockScript, MockStart};
use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::payments::Observation;
use crate::domain::secrets::Secret;
use crate::domain::signing::{equal_in_constant_time, event_signature};

/// The header with the Unix seconds of signing.
pub const TIMESTAMP_HEADER: &str = "x-mock-timestamp";

/// The header with the signature: as `X-PAY-Signature` of outbound events, with the install's mock key.
pub const SIGNATURE_HEADER: &str = "x-mock-signature";

/// The mock as a value. It has no methods of its own: routing puts it in another's place.
pub const DRIVER: Driver = Driver {
    name: "mock",
    title: "Mock",
    report_source: "The mock has no report. Write a CSV file with these columns to try the page out.",
    modes: &Mode::ALL,
    sandbox_host: "",
    live_host: "",
    methods: &[],
    currencies: &[],
    amount_range: |_: &str, _: Currency| (1, crate::domain::money::MAX_AMOUNT_MINOR),
    amount_step: |_| 1,
    requires_email: false,
    requires_metadata: &[],
    credentials: &[],
    other_live_hosts: &[],
    lost_start: LostStart::Repeat,
    refundable: |_| Ok(()),
    scrubbed: &[],
    connect: None,
};

/// What a start answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Started {
    /// It waits for the buyer.
    Waiting,
    /// It was refused, for this reason.
    Refused(&'static str),
    /// No answer came.
    Unknown {
        /// Whether the buyer was charged all the same.
        charged: bool,
    },
}

/// Starts a payment as the script says.
#[must_use]
pub fn start(script: &MockScript) -> Started {
    match script.start {
        MockStart::Ok => Started::Waiting,
        MockStart::Refuse => Started::Refused("mock: the start was refused, as scripted"),
        MockStart::Timeout => Started::Unknown { charged: false },
        MockStart::TimeoutButCharged => Started::Unknown { charged: true },
    }
}

/// The body of a mock webhook.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Webhook {
    /// The mock's id of this message; a duplicate has the same.
    pub id: String,
    /// `payment.paid`, `payment.declined`, `payment.abandoned` or `payment.pending`.
    pub kind: String,
    /// The gateway's id of the payment.
    pub payment_id: String,
    /// The mode.
    pub mode: String,
    /// Minor units.
    pub amount_minor: i64,
    /// ISO 4217.
    pub currency: String,
    /// The mock's id of the charge.
    pub transaction: String,
    /// Why it was declined or abandoned.
    pub reason: Option<String>,
}

impl Webhook {
    /// The message in neutral words.
    #[must_use]
    pub fn news(&self) -> News {
        News {
            event_id: self.id.clone(),
            kind: self.kind.clone(),
            about: About { payment_id: Some(self.payment_id.clone()), ..About::default() },
            observations: self.observation().into_iter().collect(),
            ..News::default()
        }
    }

    /// What the message says.
    #[must_use]
    pub fn observation(&self) -> Option<Observation> {
        let reason = || self.reason.clone().unwrap_or_default();
        match self.kind.as_str() {
            "payment.paid" => Some(Observation::Paid {
                amount_minor: self.amount_minor,
                currency: self.currency.clone(),
                transaction: self.transaction.clone(),
            }),
            "payment.declined" => Some(Observation::Failed { reason: reason() }),
            "payment.abandoned" => Some(Observation::Canceled { reason: reason() }),
            "payment.pending" => Some(Observation::Pending),
            _ => None,
        }
    }
}

/// The headers of a webhook that the mock signs at `timestamp` Unix seconds.
#[must_use]
pub fn sign(key: &Secret, timestamp: i64, body: &str) -> Vec<(String, String)> {
    vec![
        (TIMESTAMP_HEADER.to_owned(), timestamp.to_string()),
        (SIGNATURE_HEADER.to_owned(), event_signature(key.expose(), timestamp, body.as_bytes())),
    ]
}

/// Whether the mock of this install signed `body`.
#[must_use]
pub fn verify(key: &Secret, headers: &[(String, String)], body: &[u8]) -> bool {
    let header = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
    let timestamp = header(TIMESTAMP_HEADER).and_then(|text| text.parse().ok());
    let (Some(timestamp), Some(signature)) = (timestamp, header(SIGNATURE_HEADER)) else { return false };
    equal_in_constant_time(&event_signature(key.expose(), timestamp, body), signature)
}
