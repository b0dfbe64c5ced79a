//! The shapes of PayPal's answers, as far as they are read. Nothing is required and every enum is open, for PayPal's
//! files mark nothing as required and lists grow.

use serde::Deserialize;

use super::{amounts, token};
use crate::domain::money::Currency;
use crate::psp::http::Answer;
use crate::psp::{Failure, Ongoing};

/// An amount of money.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Money {
    /// ISO 4217.
    pub(super) currency_code: String,
    /// Decimal.
    pub(super) value: String,
}

impl Money {
    /// As minor units and code.
    pub(super) fn read(&self) -> Option<(i64, String)> {
        let currency = Currency::parse(&self.currency_code)?;
        Some((amounts::to_minor(&self.value, currency)?, currency.code().to_owned()))
    }
}

/// Where something is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Link {
    /// The address.
    pub(super) href: String,
    /// What it leads to.
    pub(super) rel: String,
}

/// An order.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Order {
    /// PayPal's id.
    pub(super) id: String,
    /// `CREATED`, `APPROVED`, `COMPLETED`…
    pub(super) status: String,
    /// When it last changed.
    pub(super) update_time: String,
    /// What is bought: one, as the driver makes it.
    pub(super) purchase_units: Vec<PurchaseUnit>,
    /// Among them the buyer's page.
    pub(super) links: Vec<Link>,
}

/// What is bought.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct PurchaseUnit {
    /// Absent from a minimal answer.
    pub(super) amount: Option<Money>,
    /// Our payment id.
    pub(super) custom_id: Option<String>,
    /// Our reference.
    pub(super) invoice_id: Option<String>,
    /// What was paid and given back.
    pub(super) payments: Payments,
}

/// What was paid and given back of an order.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Payments {
    /// Receipts of money.
    pub(super) captures: Vec<Capture>,
    /// Money given back.
    pub(super) refunds: Vec<Refund>,
}

/// Why a capture or a refund is as it is.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct StatusDetails {
    /// A code.
    pub(super) reason: Option<String>,
}

/// A receipt of money.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Capture {
    /// PayPal's id.
    pub(super) id: String,
    /// `COMPLETED`, `PENDING`, `DECLINED`…
    pub(super) status: String,
    /// Why, if it waits or was declined.
    pub(super) status_details: StatusDetails,
    /// How much.
    pub(super) amount: Money,
    /// Our payment id.
    pub(super) custom_id: Option<String>,
    /// Our reference.
    pub(super) invoice_id: Option<String>,
    /// Among them the order.
    pub(super) links: Vec<Link>,
    /// Among it the order.
    pub(super) supplementary_data: SupplementaryData,
}

/// What else belongs to a capture.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct SupplementaryData {
    /// Ids.
    pub(super) related_ids: RelatedIds,
}

/// Ids of what belongs to a capture.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct RelatedIds {
    /// The order.
    pub(super) order_id: Option<String>,
}

/// Money given back, or taken back.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Refund {
    /// PayPal's id.
    pub(super) id: String,
    /// `COMPLETED`, `PENDING`, `FAILED`, `CANCELLED`.
    pub(super) status: String,
    /// Why, if it waits or failed.
    pub(super) status_details: StatusDetails,
    /// How much; absent from a minimal answer.
    pub(super) amount: Option<Money>,
    /// Our refund id; of a refund made in the dashboard, the capture's.
    pub(super) custom_id: Option<String>,
    /// Our refund id.
    pub(super) invoice_id: Option<String>,
    /// Among them the capture.
    pub(super) links: Vec<Link>,
}

/// The id at the end of the link `up`, behind `folder`.
pub(super) fn id_above<'a>(links: &'a [Link], folder: &str) -> Option<&'a str> {
    let link = links.iter().find(|link| link.rel == "up" && link.href.contains(folder))?;
    link.href.rsplit('/').next().filter(|id| is_id(id))
}

/// Whether `text` can be an id, safe in a path. PayPal's are letters and digits today.
pub(super) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// An id that may stand in a path.
///
/// # Errors
/// A refusal, of an id that PayPal cannot have given.
pub(super) fn id_in_path(id: &str) -> Result<&str, Failure> {
    if is_id(id) { Ok(id) } else { Err(Failure::refused("this is no id of PayPal's")) }
}

impl Order {
    /// Refuses to speak of an order that names another payment. What it asks for is not looked at here: money that was
    /// taken is told as it is.
    ///
    /// # Errors
    /// A refusal.
    pub(super) fn must_be(&self, payment: &Ongoing<'_>) -> Result<(), Failure> {
        let names_another = |unit: &PurchaseUnit| {
            let of_captures = unit.payments.captures.iter().filter_map(|capture| capture.custom_id.as_deref());
            unit.custom_id.as_deref().into_iter().chain(of_captures).any(|id| id != payment.payment_id.as_str())
        };
        if self.id.is_empty() || self.status.is_empty() {
            return Err(Failure::Unknown { class: "garbage" });
        }
        if self.id != payment.provider_ref || self.purchase_units.iter().any(names_another) {
            return Err(Failure::refused("the order at PayPal belongs to another payment"));
        }
        Ok(())
    }

    /// Refuses an order that asks for something else than the payment does, before money is taken.
    ///
    /// # Errors
    /// A refusal.
    pub(super) fn must_ask_for(&self, payment: &Ongoing<'_>) -> Result<(), Failure> {
        let asks = match self.purchase_units.as_slice() {
            [unit] => unit.amount.as_ref().and_then(Money::read),
            _ => None,
        };
        match asks {
            Some((minor, code)) if minor == payment.amount_minor && code == payment.currency.code() => Ok(()),
            _ => Err(Failure::refused("the order at PayPal asks for another amount than the payment")),
        }
    }
}

/// An error body.
#[derive(Debug, Default)]
pub(super) struct Problem {
    /// `UNPROCESSABLE_ENTITY`, `RESOURCE_NOT_FOUND`…
    pub(super) name: String,
    issues: Vec<String>,
    debug_id: String,
    status: u16,
}

#[derive(Deserialize)]
struct ProblemBody {
    name: Option<String>,
    error: Option<String>,
    #[serde(default)]
    debug_id: String,
    #[serde(default)]
    details: Vec<ProblemDetail>,
}

#[derive(Deserialize)]
struct ProblemDetail {
    #[serde(default)]
    issue: String,
}

impl Problem {
    /// Reads an answer that is no success.
    ///
    /// # Errors
    /// [`Failure::Unknown`] for what PayPal does not speak: something between may have answered.
    pub(super) fn read(answer: &Answer) -> Result<Self, Failure> {
        if answer.status == 408 || !(400..500).contains(&answer.status) {
            return Err(Failure::Unknown { class: "garbage" });
        }
        match answer.json::<ProblemBody>() {
            Ok(ProblemBody { name, error, debug_id, details }) if name.is_some() || error.is_some() => Ok(Self {
                name: constant(&name.or(error).unwrap_or_default()),
                issues: details.iter().map(|detail| constant(&detail.issue)).collect(),
                debug_id: constant(&debug_id),
                status: answer.status,
            }),
            _ if answer.status == 403 => Err(Failure::refused(token::NOT_ACCEPTED)),
            _ => Err(Failure::Unknown { class: "garbage" }),
        }
    }

    /// Whether it names this issue.
    pub(super) fn has(&self, issue: &str) -> bool {
        self.issues.iter().any(|named| named == issue)
    }

    /// Its first issue, or its name.
    pub(super) fn issue(&self) -> &str {
        self.issues.first().filter(|issue| !issue.is_empty()).unwrap_or(&self.name)
    }

    /// Whether an earlier call with the same request id is still at work.
    pub(super) fn is_in_progress(&self) -> bool {
        self.status == 409 || self.has("PREVIOUS_REQUEST_IN_PROGRESS") || self.has("ORDER_COMPLETION_IN_PROGRESS")
    }

    /// As a refusal, with the id that PayPal's support asks for.
    pub(super) fn refusal(&self) -> Failure {
        let debug_id = if self.debug_id.is_empty() { String::new() } else { format!(" (debug id {})", self.debug_id) };
        match self.issue() {
            issue if issue == self.name => Failure::refused(format!("{issue}{debug_id}")),
            issue => Failure::refused(format!("{}: {issue}{debug_id}", self.name)),
        }
    }
}

/// What of a text can be one of PayPal's constants. Free text may hold what a person wrote, and is not repeated.
fn constant(text: &str) -> String {
    text.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-')).take(64).collect()
}
