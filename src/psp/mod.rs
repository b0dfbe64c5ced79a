//! The providers: what each can do, as a value. A new one is a file with its [`Driver`] and a line in [`DRIVERS`].
//!
//! From the value follow routing, the rows of `/info`, the settings' names, the webhook route and what is scrubbed from
//! the archive. Its dialect is an implementation of [`Psp`], made by [`Driver::connect`] for one account. A driver does
//! not retry, read the clock, touch the database or know apps.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::mode::Mode;
use crate::domain::money::Currency;
use crate::domain::secrets::Secret;

pub mod http;
pub mod mock;
mod nicepay;
mod paypal;
mod polar;
pub mod scrub;
pub mod types;

use http::Http;
pub use types::*;

/// Makes a provider's dialect for one account.
pub type Connect = fn(Account, Http) -> Arc<dyn Psp>;

/// What a provider is and can do.
#[derive(Debug)]
pub struct Driver {
    /// Its name in objects, URLs and settings.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// Where a merchant gets its settlement report, for people.
    pub report_source: &'static str,
    /// The modes in which it can be called.
    pub modes: &'static [Mode],
    /// Host in `sandbox`, empty for none.
    pub sandbox_host: &'static str,
    /// Host in `live`, empty for none.
    pub live_host: &'static str,
    /// How buyers can pay.
    pub methods: &'static [&'static str],
    /// ISO 4217 codes that it takes.
    pub currencies: &'static [&'static str],
    /// Least and most that it takes for a method in a currency, in minor units, both inclusive.
    pub amount_range: fn(method: &str, currency: Currency) -> (i64, i64),
    /// The multiple that an amount must be of, in minor units: 100 where a provider knows no decimals of a currency
    /// that has two.
    pub amount_step: fn(currency: Currency) -> i64,
    /// Whether it wants the buyer's e-mail address.
    pub requires_email: bool,
    /// Names that a payment's metadata must have, on the provider's own rail.
    pub requires_metadata: &'static [&'static str],
    /// What it wants to know of an account.
    pub credentials: &'static [Credential],
    /// Hosts that it has in live besides `live_host`.
    pub other_live_hosts: &'static [&'static str],
    /// What a start leads to whose answer was lost.
    pub lost_start: LostStart,
    /// Whether a payment by this method can be refunded by API; else, what a person does instead.
    pub refundable: fn(method: &str) -> Result<(), &'static str>,
    /// Names of fields in its messages that hold personal data or secrets, in any depth: not archived.
    pub scrubbed: &'static [&'static str],
    /// Speaks its dialect for one account; `None` for the mock, which needs no call.
    pub connect: Option<Connect>,
}

/// Something that a provider wants to know of an account.
#[derive(Debug)]
pub struct Credential {
    /// Its name in the settings.
    pub name: &'static str,
    /// Whether the account is unusable without it.
    pub is_required: bool,
    /// What it is and where it is found.
    pub meaning: &'static str,
    /// Whether a text can be one: what a slip of the clipboard looks like is refused at the start.
    pub is_well_formed: fn(&str) -> bool,
}

/// What a start leads to whose answer was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LostStart {
    /// The same call again, which leads to the same payment.
    Repeat,
    /// A new attempt under the next reference. No buyer has seen the first; should it be paid all the same, it counts.
    NextReference,
}

/// Every provider, in the order in which routing tries them.
pub const DRIVERS: [&Driver; 4] = [&nicepay::DRIVER, &polar::DRIVER, &paypal::DRIVER, &mock::DRIVER];

impl Driver {
    /// The driver called `name`.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        DRIVERS.into_iter().find(|driver| driver.name == name)
    }

    /// The drivers that offer `method`, in the order in which they are tried.
    pub fn with_method(method: &str) -> impl Iterator<Item = &'static Self> {
        DRIVERS.into_iter().filter(move |driver| driver.methods.contains(&method))
    }

    /// Whether it takes `currency`.
    #[must_use]
    pub fn takes(&self, currency: Currency) -> bool {
        self.currencies.contains(&currency.code())
    }

    /// The required credentials that are not among `given`; none when nothing at all is given.
    #[must_use]
    pub fn missing(&self, given: &BTreeMap<String, Secret>) -> Vec<&'static str> {
        let required = self.credentials.iter().filter(|credential| credential.is_required && !given.is_empty());
        required.map(|credential| credential.name).filter(|name| !given.contains_key(*name)).collect()
    }

    /// Its hosts where real money moves.
    pub fn live_hosts(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.live_host).chain(self.other_live_hosts.iter().copied()).filter(|host| !host.is_empty())
    }

    /// The host that is called in `mode`; none for a mode in which it is not called.
    #[must_use]
    pub fn host(&self, mode: Mode) -> Option<&'static str> {
        let host = match mode {
            Mode::Test => "",
            Mode::Sandbox => self.sandbox_host,
            Mode::Live => self.live_host,
        };
        (!host.is_empty()).then_some(host)
    }
}

/// The name for people of the provider called `name`.
#[must_use]
pub fn provider_title(name: &str) -> Option<&'static str> {
    Driver::named(name).map(|driver| driver.title)
}

/// What the providers can do and want to know, as Markdown tables for the README.
#[must_use]
pub fn markdown_table() -> String {
    let real: Vec<&Driver> = DRIVERS.into_iter().filter(|driver| driver.connect.is_some()).collect();
    let mut text = String::from(
        "| provider | methods | currencies | needs | hosts (sandbox, live) |\n\
         |---|---|---|---|---|\n",
    );
    for driver in &real {
        let email = if driver.requires_email { Some("`email`".to_owned()) } else { None };
        let metadata = driver.requires_metadata.iter().map(|name| format!("`metadata.{name}`"));
        let needs: Vec<String> = email.into_iter().chain(metadata).collect();
        let needs = if needs.is_empty() { "nothing more".to_owned() } else { needs.join(", ") };
        let currencies = match driver.currencies {
            few if few.len() <= 30 => few.join(", "),
            many => format!("{} currencies", many.len()),
        };
        text.push_str(&format!(
            "| {} | `{}` | {currencies} | {needs} | `{}`, `{}` |\n",
            driver.title,
            driver.methods.join("`, `"),
            driver.sandbox_host,
            driver.live_host
        ));
    }
    text.push_str("\n| setting under `providers` | | meaning |\n|---|---|---|\n");
    for driver in &real {
        for credential in driver.credentials {
            let need = if credential.is_required { "required" } else { "optional" };
            let (provider, name) = (driver.name, credential.name);
            text.push_str(&format!("| `{provider}.<mode>.{name}` | {need} | {} |\n", credential.meaning));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_driver_is_complete_and_its_currencies_exist() {
        for driver in DRIVERS {
            assert_eq!(Driver::named(driver.name).map(|found| found.name), Some(driver.name));
            for code in driver.currencies {
                let currency = Currency::parse(code).unwrap_or_else(|| panic!("{} lists {code}", driver.name));
                for method in driver.methods {
                    let (least, most) = (driver.amount_range)(method, currency);
                    assert!(0 < least && least < most, "{} {method} {code}", driver.name);
                }
                assert!((driver.amount_step)(currency) >= 1);
            }
        }
    }
}
