//! Polar's objects, as far as they are read, and what they mean in neutral words. Unknown keys are passed over, as
//! Polar adds some within a version's life. Nothing is sent from here.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::money;
use crate::domain::money::Currency;
use crate::domain::payments::{Observation, RefundOutcome};
use crate::domain::subscriptions::{Renewal, SubscriptionNews, SubscriptionStatus};
use crate::domain::time::Timestamp;
use crate::psp::{About, RefundAnswer};

/// Keys of the metadata that goes along with a checkout and a refund.
pub const PAYMENT_KEY: &str = "payment_id";
pub const ATTEMPT_KEY: &str = "attempt_id";
pub const REFERENCE_KEY: &str = "reference";
pub const REFUND_KEY: &str = "refund_id";

/// Scalars by key.
#[derive(Deserialize, Default)]
#[serde(transparent)]
pub struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    pub fn text(&self, key: &str) -> Option<String> {
        self.0.get(key)?.as_str().map(str::to_owned)
    }

    pub fn has(&self, key: &str, text: &str) -> bool {
        self.0.get(key).and_then(Value::as_str) == Some(text)
    }
}

/// A page of a list.
#[derive(Deserialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub pagination: Pagination,
}

#[derive(Deserialize)]
pub struct Pagination {
    pub max_page: i64,
}

#[derive(Deserialize)]
pub struct Product {
    pub is_recurring: bool,
    #[serde(default)]
    pub is_archived: bool,
    pub prices: Vec<Price>,
}

#[derive(Deserialize)]
pub struct Price {
    pub amount_type: String,
    pub price_currency: String,
    pub price_amount: Option<i64>,
    #[serde(default)]
    pub is_archived: bool,
}

#[derive(Deserialize)]
pub struct Checkout {
    pub id: String,
    pub status: String,
    pub url: String,
    pub created_at: Option<String>,
    pub expires_at: Option<String>,
    pub amount: Option<i64>,
    pub currency: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
}

impl Checkout {
    pub fn about(&self) -> About {
        About {
            payment_id: self.metadata.text(PAYMENT_KEY),
            reference: self.metadata.text(REFERENCE_KEY),
            provider_ref: Some(self.id.clone()),
            ..About::default()
        }
    }

    /// What its status says by itself. That it succeeded says nothing of money: orders do.
    pub fn observation(&self) -> Option<Observation> {
        match self.status.as_str() {
            "expired" => Some(Observation::Canceled { reason: "expired".to_owned() }),
            "failed" => Some(Observation::Failed { reason: "the provider says that the checkout failed".to_owned() }),
            _ => None,
        }
    }
}

#[derive(Deserialize)]
pub struct Order {
    pub id: String,
    pub status: String,
    #[serde(default)]
    pub paid: bool,
    pub subtotal_amount: i64,
    pub discount_amount: Option<i64>,
    pub net_amount: i64,
    pub tax_amount: i64,
    pub total_amount: i64,
    pub refundable_amount: Option<i64>,
    pub refundable_tax_amount: Option<i64>,
    pub currency: String,
    pub billing_reason: String,
    pub checkout_id: Option<String>,
    pub subscription_id: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
    pub subscription: Option<Subscription>,
}

impl Order {
    /// Whether it is a subscription's later order, not the receipt of a payment that was started here.
    pub fn is_later(&self) -> bool {
        !matches!(self.billing_reason.as_str(), "purchase" | "subscription_create")
    }

    /// Whether money came. Trials and gifts are orders of nothing.
    pub fn has_money(&self) -> bool {
        let is_paid = self.paid || matches!(self.status.as_str(), "paid" | "refunded" | "partially_refunded");
        is_paid && self.total_amount > 0
    }

    /// The price: what is left of it after discount, before tax that Polar adds.
    fn price(&self) -> Option<i64> {
        self.subtotal_amount.checked_sub(self.discount_amount.unwrap_or(0))
    }

    /// Whether the tax is within the price, so that Polar's net amount is less than the price.
    fn is_tax_within(&self) -> bool {
        self.price() != Some(self.net_amount)
    }

    /// The price in minor units and its currency; none if the gateway cannot say it.
    fn money(&self) -> Option<(i64, Currency)> {
        let currency = currency(&self.currency)?;
        Some((money::minor_of(self.price()?, currency)?, currency))
    }

    /// That it was paid; none if the gateway cannot say its amount.
    pub fn paid(&self) -> Option<Observation> {
        let (amount_minor, currency) = self.money()?;
        Some(Observation::Paid { amount_minor, currency: currency.code().to_owned(), transaction: self.id.clone() })
    }

    /// That a renewal was paid; none if the gateway cannot say its amount.
    pub fn renewal(&self) -> Option<Renewal> {
        let (amount_minor, currency) = self.money()?;
        Some(Renewal { transaction: self.id.clone(), amount_minor, currency: currency.code().to_owned() })
    }

    /// What Polar has to be asked to refund, net of tax, so that `units` of the price go back.
    pub fn refund_units(&self, units: i64) -> Option<i64> {
        if !self.is_tax_within() {
            return Some(units);
        }
        let (rest, rest_of_tax) = (self.refundable_amount?, self.refundable_tax_amount?);
        if rest.checked_add(rest_of_tax)? == units {
            return Some(rest);
        }
        let gross = i128::from(self.net_amount.checked_add(self.tax_amount)?);
        if gross <= 0 {
            return None;
        }
        let near = i64::try_from(i128::from(units) * i128::from(self.net_amount) / gross).ok()?;
        (near.saturating_sub(2)..=near.saturating_add(2)).find(|net| {
            let share = money::tax_share(*net, self.net_amount, self.tax_amount);
            *net > 0 && *net < rest && share.and_then(|share| net.checked_add(share)) == Some(units)
        })
    }

    /// What a refund of this order gives back of the price; none if the gateway cannot say its amount.
    pub fn refunded(&self, refund: &Refund) -> Option<Observation> {
        let with_tax = if self.is_tax_within() { refund.tax_amount } else { 0 };
        refund.observation(refund.amount.checked_add(with_tax)?)
    }

    pub fn about(&self) -> About {
        let is_later = self.is_later();
        About {
            payment_id: self.metadata.text(PAYMENT_KEY),
            // A renewal is no receipt of the payment whose metadata it inherits.
            reference: self.metadata.text(REFERENCE_KEY).filter(|_| !is_later),
            provider_ref: self.checkout_id.clone(),
            transaction: (!is_later).then(|| self.id.clone()),
            subscription_ref: self.subscription_id.clone(),
        }
    }
}

#[derive(Deserialize)]
pub struct Refund {
    pub id: String,
    pub status: String,
    pub amount: i64,
    pub tax_amount: i64,
    pub currency: String,
    pub order_id: String,
    pub subscription_id: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
}

impl Refund {
    fn outcome(&self) -> Option<RefundOutcome> {
        match self.status.as_str() {
            "pending" => Some(RefundOutcome::Pending),
            "succeeded" => Some(RefundOutcome::Succeeded),
            "failed" | "canceled" => {
                Some(RefundOutcome::Failed(format!("the provider says that the refund is {}", self.status)))
            }
            _ => None,
        }
    }

    pub fn answer(self) -> Option<RefundAnswer> {
        Some(RefundAnswer { outcome: self.outcome()?, provider_ref: self.id })
    }

    /// That `units` were given back; none if the gateway cannot say it.
    pub fn observation(&self, units: i64) -> Option<Observation> {
        let currency = currency(&self.currency)?;
        Some(Observation::Refunded {
            refund: self.id.clone(),
            refund_id: self.metadata.text(REFUND_KEY),
            amount_minor: money::minor_of(units, currency)?,
            currency: currency.code().to_owned(),
            outcome: self.outcome()?,
        })
    }

    /// Whether its order has to be asked for how much of the price it gives back. What is bought once has its tax on
    /// top of the price, as the driver asks for it; a subscription's product says where its tax is.
    pub fn needs_order(&self) -> bool {
        self.subscription_id.is_some() && self.tax_amount != 0
    }

    pub fn about(&self) -> About {
        About {
            payment_id: self.metadata.text(PAYMENT_KEY),
            transaction: Some(self.order_id.clone()),
            subscription_ref: self.subscription_id.clone(),
            ..About::default()
        }
    }
}

#[derive(Deserialize)]
pub struct Subscription {
    pub id: String,
    pub status: String,
    pub created_at: String,
    pub modified_at: Option<String>,
    pub current_period_end: Option<String>,
    #[serde(default)]
    pub cancel_at_period_end: bool,
    pub checkout_id: Option<String>,
    #[serde(default)]
    pub metadata: Metadata,
}

impl Subscription {
    /// Its whole state; none if it cannot be understood.
    pub fn news(&self) -> Option<SubscriptionNews> {
        let status = match self.status.as_str() {
            "incomplete" => SubscriptionStatus::Incomplete,
            "trialing" | "active" => SubscriptionStatus::Active,
            // A paused one gives no access and can come back, which is what past due means to a product.
            "past_due" | "paused" => SubscriptionStatus::PastDue,
            "canceled" | "unpaid" | "incomplete_expired" => SubscriptionStatus::Ended,
            _ => return None,
        };
        let current_period_end = match &self.current_period_end {
            Some(text) => Some(Timestamp::parse_rfc3339(text)?),
            None => None,
        };
        Some(SubscriptionNews {
            provider_ref: self.id.clone(),
            status,
            current_period_end,
            cancel_at_period_end: self.cancel_at_period_end,
            changed_at: Timestamp::parse_rfc3339(self.modified_at.as_ref().unwrap_or(&self.created_at))?,
            renewal: None,
        })
    }

    pub fn about(&self) -> About {
        About {
            payment_id: self.metadata.text(PAYMENT_KEY),
            reference: self.metadata.text(REFERENCE_KEY),
            provider_ref: self.checkout_id.clone(),
            transaction: None,
            subscription_ref: Some(self.id.clone()),
        }
    }
}

/// The currency that Polar names in lower case.
fn currency(code: &str) -> Option<Currency> {
    Currency::parse(&code.to_ascii_uppercase())
}
