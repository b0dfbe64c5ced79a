//! Comparing a provider's settlement report with what we have booked: what a line says, how it differs, what it all comes to.
//! How reports are laid out is in `report_layouts`; reading the file and asking the database is not here.

use std::collections::BTreeMap;

use serde::Serialize;

use super::money::Currency;
use super::time::Timestamp;

/// What a line or a booking is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Money that came.
    Payment,
    /// Money that was given back.
    Refund,
}

impl Kind {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::Refund => "refund",
        }
    }
}

/// A line about a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its number in the file, from 1.
    pub number: u64,
    /// What it is about.
    pub kind: Kind,
    /// The provider's id.
    pub reference: String,
    /// Ours, where it is given.
    pub our_id: Option<String>,
    /// How much, never negative.
    pub amount_minor: i64,
    /// Of what.
    pub currency: Currency,
    /// When, where it is given.
    pub at: Option<Timestamp>,
    /// Whether `at` is a whole day, of which it is the beginning.
    pub is_day: bool,
}

/// Something that we have booked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// What it is.
    pub kind: Kind,
    /// The payment.
    pub payment_id: String,
    /// The receipt's transaction, or the refund's id: with the payment, what makes it the one that it is.
    pub own_id: String,
    /// The provider's id.
    pub reference: String,
    /// How much.
    pub amount_minor: i64,
    /// Of what.
    pub currency: Currency,
    /// When it was booked.
    pub at: Timestamp,
}

/// What came of comparing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    /// Both sides say the same.
    Matched,
    /// The provider has it and we do not.
    MissingAtUs,
    /// We have it and the report does not.
    MissingAtThem,
    /// Both have it, with other amounts.
    AmountDiffers,
    /// Both have it, in other currencies.
    CurrencyDiffers,
    /// The report has it twice.
    Duplicate,
    /// The line cannot be read.
    Unreadable,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 7] = [
        Self::Matched,
        Self::MissingAtUs,
        Self::MissingAtThem,
        Self::AmountDiffers,
        Self::CurrencyDiffers,
        Self::Duplicate,
        Self::Unreadable,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::MissingAtUs => "missing_at_us",
            Self::MissingAtThem => "missing_at_them",
            Self::AmountDiffers => "amount_differs",
            Self::CurrencyDiffers => "currency_differs",
            Self::Duplicate => "duplicate",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How a line compares with the booking that it names.
#[must_use]
pub fn compare(line: &Line, booking: Option<&Booking>) -> Category {
    match booking {
        None => Category::MissingAtUs,
        Some(booking) if booking.currency != line.currency => Category::CurrencyDiffers,
        Some(booking) if booking.amount_minor != line.amount_minor => Category::AmountDiffers,
        Some(_) => Category::Matched,
    }
}

/// One thing that is not the same on both sides.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// How it differs.
    pub category: Category,
    /// The line of the report, from 1.
    pub line: Option<u64>,
    /// Payment or refund.
    pub kind: Option<Kind>,
    /// The provider's id.
    pub reference: Option<String>,
    /// Our payment.
    pub payment_id: Option<String>,
    /// What the report says, in minor units.
    pub their_amount_minor: Option<i64>,
    /// In what.
    pub their_currency: Option<Currency>,
    /// When.
    pub their_date: Option<Timestamp>,
    /// What we have, in minor units.
    pub our_amount_minor: Option<i64>,
    /// In what.
    pub our_currency: Option<Currency>,
    /// When.
    pub our_date: Option<Timestamp>,
    /// Why the line cannot be read, or which line it repeats.
    pub reason: Option<String>,
}

impl Difference {
    /// A difference of this line and this booking.
    #[must_use]
    pub fn new(category: Category, line: Option<&Line>, booking: Option<&Booking>) -> Self {
        Self {
            category,
            line: line.map(|line| line.number),
            kind: line.map(|line| line.kind).or_else(|| booking.map(|booking| booking.kind)),
            reference: line
                .map(|line| line.reference.clone())
                .filter(|reference| !reference.is_empty())
                .or_else(|| booking.map(|booking| booking.reference.clone())),
            payment_id: booking
                .map(|booking| booking.payment_id.clone())
                .or_else(|| line.and_then(|line| line.our_id.clone())),
            their_amount_minor: line.map(|line| line.amount_minor),
            their_currency: line.map(|line| line.currency),
            their_date: line.and_then(|line| line.at),
            our_amount_minor: booking.map(|booking| booking.amount_minor),
            our_currency: booking.map(|booking| booking.currency),
            our_date: booking.map(|booking| booking.at),
            reason: None,
        }
    }

    /// A line that cannot be read.
    #[must_use]
    pub fn unreadable(number: u64, reason: String) -> Self {
        Self { line: Some(number), reason: Some(reason), ..Self::new(Category::Unreadable, None, None) }
    }
}

/// How many of a category there are, and what they add up to in each currency, in minor units. Where the two sides
/// differ it is the report's amount.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Total {
    /// How many.
    pub count: u64,
    /// By currency: what came less what was given back.
    pub sums: BTreeMap<&'static str, i128>,
}

/// The totals of a comparison.
#[derive(Clone, Debug, Default)]
pub struct Totals(BTreeMap<Category, Total>);

impl Totals {
    /// Counts one; `of` is what it is worth.
    pub fn count(&mut self, category: Category, of: Option<(Kind, i64, Currency)>) {
        let total = self.0.entry(category).or_default();
        total.count += 1;
        if let Some((kind, amount_minor, currency)) = of {
            let signed = if kind == Kind::Refund { -i128::from(amount_minor) } else { i128::from(amount_minor) };
            *total.sums.entry(currency.code()).or_default() += signed;
        }
    }

    /// What a category comes to.
    #[must_use]
    pub fn of(&self, category: Category) -> Total {
        self.0.get(&category).cloned().unwrap_or_default()
    }

    /// Whether both sides say the same throughout.
    #[must_use]
    pub fn matches(&self) -> bool {
        self.0.iter().all(|(category, total)| *category == Category::Matched || total.count == 0)
    }
}
