//! An invoice: what a product asks for, its lines and their sum, and its states. What its payments mean for it is decided
//! where payments are settled.

use serde::{Deserialize, Serialize};

use super::drafts::{MAX_METADATA_BYTES, currency, email, invoice_prefix, methods, moment, refuse_mode, return_url};
use super::fields::{Fields, Invalid};
use super::mode::Mode;
use super::money::{Currency, MAX_AMOUNT_MINOR};
use super::signing::sha256;
use super::time::Timestamp;

/// The most lines of an invoice.
const MOST_LINES: usize = 100;

/// The most of one thing.
const MOST_OF_ONE: i64 = 1_000_000;

/// What an invoice's number begins with unless told.
const PREFIX: &str = "INV";

/// Where an invoice stands. `Paid` and `Void` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceStatus {
    /// Not to be seen by its buyer yet.
    Draft,
    /// To be paid.
    Open,
    /// Paid.
    Paid,
    /// Given up.
    Void,
    /// To be paid, and late.
    Overdue,
}

impl InvoiceStatus {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Draft, Self::Open, Self::Paid, Self::Void, Self::Overdue];

    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Overdue => "overdue",
        }
    }

    /// The status that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether its buyer may pay it.
    #[must_use]
    pub const fn is_payable(self) -> bool {
        matches!(self, Self::Open | Self::Overdue)
    }
}

/// One line. Money is in minor units of the invoice's currency.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LineItem {
    /// What it is.
    pub description: String,
    /// How many.
    pub quantity: i64,
    /// What one costs.
    pub unit_amount_minor: i64,
    /// What all of them cost.
    pub amount_minor: i64,
}

/// An invoice that a product asks for.
#[derive(Clone, Debug)]
pub struct InvoiceDraft {
    /// The product's own stable id of the buyer.
    pub external_user_id: String,
    /// The buyer's address.
    pub email: Option<String>,
    /// ISO 4217.
    pub currency: Currency,
    /// Its lines.
    pub line_items: Vec<LineItem>,
    /// Their sum, in minor units.
    pub amount_minor: i64,
    /// When it is to be paid by.
    pub due_at: Option<Timestamp>,
    /// How it may be paid; as the app may be paid at all when absent.
    pub methods: Option<Vec<String>>,
    /// Where the buyer goes afterwards; the invoice's own page when absent.
    pub return_url: Option<String>,
    /// A JSON object, as the product wrote it.
    pub metadata: String,
    /// The product's own id of it, one for each app.
    pub external_id: Option<String>,
    /// What its number begins with.
    pub prefix: String,
    /// Whether it waits to be finalized.
    pub is_draft: bool,
    /// Digest of all this: what two requests under one `external_id` are told apart by.
    pub content: String,
}

impl InvoiceDraft {
    /// Reads the body of `POST /v1/invoices` for an app of `mode`.
    ///
    /// # Errors
    /// Every fault of the body at once.
    pub fn parse(body: &[u8], mode: Mode) -> Result<Self, Invalid> {
        let mut fields = Fields::of_body(body)?;
        let external_user_id = fields.required_text("external_user_id", 1, 128);
        let email = email(&mut fields);
        let currency = currency(&mut fields);
        let line_items = fields.list("line_items", MOST_LINES, line_item);
        let due_at = moment(&mut fields, "due_at");
        let methods = methods(&mut fields);
        let return_url = return_url(&mut fields, mode, false);
        let metadata = fields.object_text("metadata", MAX_METADATA_BYTES).unwrap_or_else(|| "{}".to_owned());
        let external_id = fields.text("external_id", 1, 128);
        let prefix = invoice_prefix(&mut fields).unwrap_or_else(|| PREFIX.to_owned());
        let is_draft = fields.boolean("draft").unwrap_or(false);
        refuse_mode(&mut fields);
        let amount_minor = line_items.as_deref().and_then(total);
        if line_items.as_ref().is_some_and(|lines| !lines.is_empty()) && amount_minor.is_none() {
            let reason = format!("must add up to 1 to {MAX_AMOUNT_MINOR} minor units");
            fields.fault("line_items", &reason);
        }
        fields.finish()?;
        let (Some(external_user_id), Some(currency), Some(line_items), Some(amount_minor)) =
            (external_user_id, currency, line_items, amount_minor)
        else {
            return Err(Invalid::one("body", "must hold the required fields"));
        };
        let mut draft = Self {
            external_user_id,
            email,
            currency,
            line_items,
            amount_minor,
            due_at,
            methods,
            return_url,
            metadata,
            external_id,
            prefix,
            is_draft,
            content: String::new(),
        };
        draft.content = draft.digest();
        Ok(draft)
    }

    /// Whatever order the names of the request stood in, and whatever space was between them.
    fn digest(&self) -> String {
        let metadata: serde_json::Value = serde_json::from_str(&self.metadata).unwrap_or_default();
        let all = serde_json::json!([
            self.external_user_id,
            self.email,
            self.currency.code(),
            self.line_items,
            self.due_at,
            self.methods,
            self.return_url,
            metadata,
            self.prefix,
            self.is_draft,
        ]);
        hex::encode(sha256(all.to_string().as_bytes()))
    }
}

/// One line as it was asked for. What does not fit is as much as fits, which no sum has room for.
fn line_item(line: &mut Fields<'_>) -> Option<LineItem> {
    let description = line.required_text("description", 1, 255);
    let quantity = line.required_integer("quantity", 1, MOST_OF_ONE);
    let unit_amount_minor = line.required_integer("unit_amount_minor", 0, MAX_AMOUNT_MINOR);
    let (description, quantity, unit_amount_minor) = (description?, quantity?, unit_amount_minor?);
    let amount_minor = quantity.saturating_mul(unit_amount_minor);
    Some(LineItem { description, quantity, unit_amount_minor, amount_minor })
}

/// The sum of the lines, if a payment can be so large.
fn total(lines: &[LineItem]) -> Option<i64> {
    let sum = lines.iter().try_fold(0i64, |sum, line| sum.checked_add(line.amount_minor))?;
    (1..=MAX_AMOUNT_MINOR).contains(&sum).then_some(sum)
}

/// What a payment of these lines is for, in at most 255 characters.
#[must_use]
pub fn summary(lines: &[LineItem]) -> String {
    let Some((first, others)) = lines.split_first() else { return String::new() };
    if others.is_empty() {
        return first.description.clone();
    }
    let more = format!(" (+{})", others.len());
    let room = 255 - more.chars().count();
    format!("{}{more}", first.description.chars().take(room).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(quantity: i64, unit_amount_minor: i64) -> LineItem {
        let amount_minor = quantity * unit_amount_minor;
        LineItem { description: "x".to_owned(), quantity, unit_amount_minor, amount_minor }
    }

    #[test]
    fn lines_add_up_as_far_as_a_payment_goes() {
        assert_eq!(total(&[line(2, 1500), line(1, 0), line(3, 7)]), Some(3021));
        assert_eq!(total(&[line(1, 0)]), None);
        assert_eq!(total(&[line(1, MAX_AMOUNT_MINOR)]), Some(MAX_AMOUNT_MINOR));
        assert_eq!(total(&[line(1, MAX_AMOUNT_MINOR), line(1, 1)]), None);
        let huge = LineItem { amount_minor: i64::MAX, ..line(1, 1) };
        assert_eq!(total(&[huge.clone(), huge]), None);
    }

    #[test]
    fn the_same_content_in_another_order_is_the_same() {
        let read = |body: &str| InvoiceDraft::parse(body.as_bytes(), Mode::Test).unwrap();
        let one = read(
            r#"{"external_user_id":"u","currency":"IDR","metadata":{"a":1,"b":2},
            "line_items":[{"description":"x","quantity":1,"unit_amount_minor":5}]}"#,
        );
        let other = read(
            r#"{"line_items":[{"unit_amount_minor":5,"quantity":1,"description":"x"}],"metadata":{"b":2,"a":1},
            "currency":"IDR","external_user_id":"u"}"#,
        );
        assert_eq!(one.content, other.content);
        let third = read(
            r#"{"external_user_id":"u","currency":"IDR","metadata":{"a":1,"b":2},
            "line_items":[{"description":"x","quantity":1,"unit_amount_minor":6}]}"#,
        );
        assert_ne!(one.content, third.content);
    }

    #[test]
    fn a_summary_fits_a_payment_s_description() {
        let long = LineItem { description: "ä".repeat(255), ..line(1, 1) };
        assert_eq!(summary(std::slice::from_ref(&long)).chars().count(), 255);
        let two = summary(&[long, line(1, 1)]);
        assert_eq!(two.chars().count(), 255);
        assert!(two.ends_with(" (+1)"));
    }
}
