//! Where a payment comes from, when no product began it: an invoice or a payment link that a buyer pays on our page.

use super::ids::{InvoiceId, PaymentLinkId};

/// What a payment was begun for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// To pay an invoice.
    Invoice(InvoiceId),
    /// By a visitor of a payment link.
    Link(PaymentLinkId),
}

impl Origin {
    /// The origin that a row names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        InvoiceId::parse(text).map(Self::Invoice).or_else(|| PaymentLinkId::parse(text).map(Self::Link))
    }

    /// The id, as a row has it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invoice(invoice_id) => invoice_id.as_str(),
            Self::Link(link_id) => link_id.as_str(),
        }
    }
}
