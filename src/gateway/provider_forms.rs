//! What a provider wants to know of an account, for a form that is drawn from it.

use super::Gateway;
use crate::domain::mode::Mode;
use crate::psp::DRIVERS;

/// A provider that can be called in a mode.
#[derive(Clone, Debug)]
pub struct ProviderForm {
    /// Its name.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// What it wants to know.
    pub fields: Vec<ProviderField>,
}

/// Something that a provider wants to know of an account.
#[derive(Clone, Debug)]
pub struct ProviderField {
    /// Its name.
    pub name: &'static str,
    /// Whether the account is unusable without it.
    pub is_required: bool,
    /// What it is and where it is found.
    pub meaning: &'static str,
    /// Whether it may have several lines.
    pub is_long: bool,
}

impl Gateway {
    /// The providers that a tenant can have an account at in a mode.
    #[must_use]
    pub fn provider_forms(mode: Mode) -> Vec<ProviderForm> {
        let callable = DRIVERS.into_iter().filter(|driver| driver.host(mode).is_some());
        let form = |driver: &'static crate::psp::Driver| ProviderForm {
            name: driver.name,
            title: driver.title,
            fields: driver
                .credentials
                .iter()
                .map(|credential| ProviderField {
                    name: credential.name,
                    is_required: credential.is_required,
                    meaning: credential.meaning,
                    is_long: credential.meaning.contains("PEM"),
                })
                .collect(),
        };
        callable.map(form).collect()
    }
}
