//! A payment link: what a product asks for, its states, and what a visitor may pay by it.

use super::drafts::{MAX_METADATA_BYTES, currency, methods, moment, refuse_mode, return_url};
use super::fields::{Fields, Invalid};
use super::mode::Mode;
use super::money::{Currency, MAX_AMOUNT_MINOR};
use super::time::Timestamp;

/// The most uses that a link can be limited to.
const MOST_USES: i64 = 1_000_000_000;

/// Where a payment link stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkStatus {
    /// It can be paid by.
    Active,
    /// It was paid by as often as it may be.
    UsedUp,
    /// Its time is over.
    Expired,
    /// The product closed it.
    Closed,
}

impl LinkStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Active, Self::UsedUp, Self::Expired, Self::Closed];

    /// The status as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::UsedUp => "used_up",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }

    /// The status that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What is paid by a link, in minor units.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkAmount {
    /// This much.
    Fixed(i64),
    /// What the buyer chooses, from the first to the second.
    Chosen(i64, i64),
}

impl LinkAmount {
    /// The amount of a payment for which the buyer named `chosen`, if that may be.
    #[must_use]
    pub fn of(self, chosen: Option<i64>) -> Option<i64> {
        match self {
            Self::Fixed(amount_minor) => Some(amount_minor),
            Self::Chosen(least, most) => chosen.filter(|amount| (least..=most).contains(amount)),
        }
    }
}

/// A payment link that a product asks for.
#[derive(Clone, Debug)]
pub struct LinkDraft {
    /// ISO 4217.
    pub currency: Currency,
    /// What is paid by it.
    pub amount: LinkAmount,
    /// What the buyer is told that he pays for.
    pub description: String,
    /// How it may be paid; as the app may be paid at all when absent.
    pub methods: Option<Vec<String>>,
    /// How often it may be paid; any number of times when absent.
    pub uses_max: Option<i64>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
    /// Where the buyer goes afterwards; the link's own page when absent.
    pub return_url: Option<String>,
    /// A JSON object, as the product wrote it: each payment has it.
    pub metadata: String,
}

impl LinkDraft {
    /// Reads the body of `POST /v1/payment_links` for an app of `mode`.
    ///
    /// # Errors
    /// Every fault of the body at once.
    pub fn parse(body: &[u8], mode: Mode) -> Result<Self, Invalid> {
        let mut fields = Fields::of_body(body)?;
        let currency = currency(&mut fields);
        let amount = amount(&mut fields);
        let description = fields.required_text("description", 1, 255);
        let methods = methods(&mut fields);
        let uses_max = fields.integer("uses_max", 1, MOST_USES);
        let expires_at = moment(&mut fields, "expires_at");
        let return_url = return_url(&mut fields, mode, false);
        let metadata = fields.object_text("metadata", MAX_METADATA_BYTES).unwrap_or_else(|| "{}".to_owned());
        refuse_mode(&mut fields);
        fields.finish()?;
        let (Some(currency), Some(amount), Some(description)) = (currency, amount, description) else {
            return Err(Invalid::one("body", "must hold the required fields"));
        };
        Ok(Self { currency, amount, description, methods, uses_max, expires_at, return_url, metadata })
    }
}

/// A fixed amount, or what the buyer may choose between.
fn amount(fields: &mut Fields<'_>) -> Option<LinkAmount> {
    let fixed = fields.integer("amount_minor", 1, MAX_AMOUNT_MINOR);
    let least = fields.integer("min_minor", 1, MAX_AMOUNT_MINOR);
    let most = fields.integer("max_minor", 1, MAX_AMOUNT_MINOR);
    match (fixed, least, most) {
        (Some(fixed), None, None) => return Some(LinkAmount::Fixed(fixed)),
        (None, Some(least), Some(most)) if least <= most => return Some(LinkAmount::Chosen(least, most)),
        (None, Some(_), Some(_)) => fields.fault("max_minor", "must be at least min_minor"),
        (Some(_), _, _) => fields.fault("amount_minor", "cannot be given with min_minor or max_minor"),
        (None, _, _) if ["amount_minor", "min_minor", "max_minor"].iter().all(|name| fields.is_sound(name)) => {
            fields.fault("amount_minor", "is needed, or min_minor and max_minor where the buyer chooses");
        }
        (None, _, _) => {}
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<LinkDraft, Invalid> {
        let body = format!(r#"{{"currency":"IDR","description":"x",{body}}}"#);
        LinkDraft::parse(body.as_bytes(), Mode::Test)
    }

    #[test]
    fn a_link_has_one_amount_or_leaves_it_to_the_buyer() {
        assert_eq!(read(r#""amount_minor":5"#).unwrap().amount, LinkAmount::Fixed(5));
        let chosen = read(r#""amount_minor":null,"min_minor":5,"max_minor":9"#).unwrap().amount;
        assert_eq!(chosen, LinkAmount::Chosen(5, 9));
        assert_eq!(
            [Some(4), Some(5), Some(9), Some(10), None].map(|amount| chosen.of(amount)),
            [None, Some(5), Some(9), None, None]
        );
        for bad in [
            r#""uses_max":1"#,
            r#""min_minor":5"#,
            r#""min_minor":9,"max_minor":5"#,
            r#""amount_minor":5,"min_minor":1,"max_minor":9"#,
            r#""amount_minor":0"#,
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
