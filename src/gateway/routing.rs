//! Which provider a payment goes to, and why not another.

use std::sync::Arc;

use super::rails::Rail;
use super::{App, Gateway};
use crate::domain::drafts::PaymentDraft;
use crate::domain::events::Fallback;
use crate::domain::fields::Invalid;
use crate::domain::mode::Mode;
use crate::domain::money::{Currency, format_amount};
use crate::error::{Code, Fault, Outcome};
use crate::gateway::views::{Candidate, RouteObject};
use crate::psp::{self, Driver};

/// A method by which a buyer may pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WayToPay {
    /// Its slug, as `va_bca`.
    pub method: String,
    /// Whether the provider wants to know the buyer's e-mail address.
    pub needs_email: bool,
}

/// The provider that a payment goes to.
pub(super) struct Route {
    pub provider: &'static Driver,
    /// The account that is called; none for the mock.
    pub rail: Option<Arc<Rail>>,
    pub fallback: Option<Fallback>,
}

impl Gateway {
    /// Decides where a draft goes, after every check that the provider would make.
    pub(super) fn route(&self, app: &App, draft: &PaymentDraft) -> Outcome<Route> {
        let wanted = choose(app, &draft.method, draft.currency)?;
        check_amount(wanted, &draft.method, draft.currency, draft.amount_minor)?;
        if wanted.requires_email && draft.email.is_none() {
            return Err(Invalid::missing("email").into());
        }
        let route = self.on_the_rail(app, wanted);
        if route.rail.is_some() {
            check_metadata(wanted, &draft.metadata)?;
        }
        Ok(route)
    }

    /// How a buyer may pay an app so much, from the least to the most: by the methods of `wanted`, or by every one that has
    /// a route. In live a method whose provider is not connected is none, as nobody could pay by it.
    pub(super) fn ways_to_pay(
        &self,
        app: &App,
        currency: Currency,
        amounts: (i64, i64),
        metadata: &str,
        wanted: Option<&[String]>,
    ) -> Vec<WayToPay> {
        let all: Vec<&str> = match wanted {
            Some(wanted) => wanted.iter().map(String::as_str).collect(),
            None => every_method(),
        };
        let is_payable =
            |driver: &'static Driver| app.mode != Mode::Live || self.on_the_rail(app, driver).rail.is_some();
        all.into_iter()
            .filter_map(|method| {
                let driver =
                    taker(app, method, currency, amounts, metadata).ok().filter(|driver| is_payable(driver))?;
                Some(WayToPay { method: method.to_owned(), needs_email: driver.requires_email })
            })
            .collect()
    }

    /// Refuses what no buyer could pay by any of the methods, and a method that none could pay by.
    ///
    /// # Errors
    /// As for a payment.
    pub(super) fn check_payable(
        &self,
        app: &App,
        currency: Currency,
        amounts: (i64, i64),
        metadata: &str,
        wanted: Option<&[String]>,
    ) -> Outcome<()> {
        if let Some(wanted) = wanted {
            return wanted.iter().try_for_each(|method| taker(app, method, currency, amounts, metadata).map(drop));
        }
        let mut refusal = None;
        for method in every_method() {
            match taker(app, method, currency, amounts, metadata) {
                Ok(_) => return Ok(()),
                Err(fault) if fault.code != Code::NoRoute => refusal = refusal.or(Some(fault)),
                Err(_) => {}
            }
        }
        let detail = format!("no provider takes {}", currency.code());
        Err(refusal.unwrap_or_else(|| Fault::new(Code::NoRoute, detail)))
    }

    /// The provider itself, or the mock in its place.
    fn on_the_rail(&self, app: &App, wanted: &'static Driver) -> Route {
        let mode = app.mode;
        let mock = &psp::mock::DRIVER;
        if mode == Mode::Test {
            return Route { provider: mock, rail: None, fallback: None };
        }
        if let Some(rail) = self.rails.of_tenant(&app.tenant_id, wanted, mode) {
            return Route { provider: wanted, rail: Some(rail), fallback: None };
        }
        let reason = format!("no {mode} credentials");
        Route { provider: mock, rail: None, fallback: Some(Fallback { wanted: wanted.name.to_owned(), reason }) }
    }

    /// Where a payment of `app` with this method and currency would go, and what stands against each candidate.
    #[must_use]
    pub fn explain_route(&self, app: &App, method: &str, currency: Currency) -> RouteObject {
        let candidates: Vec<Candidate> = Driver::with_method(method)
            .map(|driver| {
                let objection = objection(app, driver, method, currency);
                Candidate {
                    provider: driver.name,
                    usable: objection.is_none(),
                    reason: objection.map(|fault| fault.detail).unwrap_or_default(),
                }
            })
            .collect();
        let route = choose(app, method, currency).ok().map(|wanted| self.on_the_rail(app, wanted));
        RouteObject {
            chosen: route.as_ref().map(|route| route.provider.name),
            fallback: route.and_then(|route| route.fallback),
            candidates,
        }
    }
}

/// Every method of every provider, in the order in which they are offered.
fn every_method() -> Vec<&'static str> {
    psp::DRIVERS.iter().flat_map(|driver| driver.methods).copied().collect()
}

/// The provider that takes some amount between the least and the most by this method.
fn taker(
    app: &App,
    method: &str,
    currency: Currency,
    (least, most): (i64, i64),
    metadata: &str,
) -> Outcome<&'static Driver> {
    let driver = choose(app, method, currency)?;
    // The least of the amounts that it may take.
    let step = (driver.amount_step)(currency);
    let from = (driver.amount_range)(method, currency).0.max(least);
    let nearest = from.saturating_add(step - 1) / step * step;
    check_amount(driver, method, currency, if least == most { least } else { nearest.min(most) })?;
    check_metadata(driver, metadata)?;
    Ok(driver)
}

/// The first provider that nothing stands against; otherwise what stands against the first that has the currency.
fn choose(app: &App, method: &str, currency: Currency) -> Outcome<&'static Driver> {
    let mut refusal = None;
    for driver in Driver::with_method(method) {
        match objection(app, driver, method, currency) {
            None => return Ok(driver),
            Some(fault) if fault.code != Code::NoRoute => refusal = refusal.or(Some(fault)),
            Some(_) => {}
        }
    }
    Err(refusal.unwrap_or_else(|| no_route(method, currency)))
}

fn no_route(method: &str, currency: Currency) -> Fault {
    let currency = currency.code();
    Fault::new(Code::NoRoute, format!("no provider supports method={method} for currency={currency}"))
}

fn objection(app: &App, driver: &Driver, method: &str, currency: Currency) -> Option<Fault> {
    if !driver.takes(currency) {
        return Some(no_route(method, currency));
    }
    let name = driver.name;
    if app.allowed_providers.as_ref().is_some_and(|allowed| !allowed.iter().any(|allowed| allowed == name)) {
        return Some(Fault::new(Code::ProviderNotAllowed, format!("provider {name} not allowed for this app")));
    }
    let mut named = app.allowed_methods.iter().filter(|(provider, _)| provider == name).peekable();
    if named.peek().is_some() && !named.any(|(_, allowed)| allowed == method) {
        let detail = format!("method {method} not enabled for provider {name} on this app");
        return Some(Fault::new(Code::MethodNotEnabled, detail));
    }
    None
}

/// What a provider reads from the product's metadata must be there.
fn check_metadata(driver: &Driver, metadata: &str) -> Outcome<()> {
    if driver.requires_metadata.is_empty() {
        return Ok(());
    }
    let metadata: serde_json::Value = serde_json::from_str(metadata).unwrap_or_default();
    for name in driver.requires_metadata {
        if !metadata[name].is_string() {
            return Err(Fault::invalid(&format!("metadata.{name}"), &format!("is required text for {}", driver.title)));
        }
    }
    Ok(())
}

fn check_amount(driver: &Driver, method: &str, currency: Currency, amount_minor: i64) -> Outcome<()> {
    let (least, most) = (driver.amount_range)(method, currency);
    let step = (driver.amount_step)(currency);
    let title = driver.title;
    let detail = if amount_minor < least || amount_minor > most {
        let (least, most) = (format_amount(least, currency), format_amount(most, currency));
        format!("amount_minor is outside what {title} takes for {method}: {least} to {most}")
    } else if amount_minor % step != 0 {
        format!("amount_minor must be a multiple of {step}: {title} takes no decimals of {}", currency.code())
    } else {
        return Ok(());
    };
    Err(Fault::new(Code::AmountOutOfRange, detail))
}
