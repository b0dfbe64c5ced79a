//! The providers: what each can do, as a value. A new one is a file with its [`Driver`] and a line in [`DRIVERS`].
//!
//! From the value follow routing, the rows of `/info`, the settings' names and the webhook route. A driver does not
//! retry, read the clock, touch the database or know apps.

use crate::domain::mode::Mode;
use crate::domain::money::Currency;

pub mod mock;
mod nicepay;
mod paypal;
mod polar;

/// What a provider is and can do.
#[derive(Debug)]
pub struct Driver {
    /// Its name in objects, URLs and settings.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
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
    /// The names of its credentials in the settings.
    pub credentials: &'static [&'static str],
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

/// Whether `path`, behind `providers.`, names a setting of a provider.
#[must_use]
pub fn is_setting(path: &str) -> bool {
    let mut parts = path.splitn(3, '.');
    let (Some(name), Some(mode), Some(field)) = (parts.next(), parts.next(), parts.next()) else { return false };
    let Some(driver) = Driver::named(name) else { return false };
    let Some(mode) = Mode::parse(mode) else { return false };
    driver.host(mode).is_some() && (field == "base_url" || driver.credentials.contains(&field))
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

    #[test]
    fn the_settings_of_a_provider_are_known_by_name() {
        assert!(is_setting("nicepay.live.imid"));
        assert!(is_setting("paypal.sandbox.base_url"));
        for unknown in ["nicepay.test.imid", "mock.live.base_url", "polar.live.imid", "polar.live", "stripe.live.key"] {
            assert!(!is_setting(unknown), "{unknown}");
        }
    }
}
