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
        check_amount(wanted, draft)?;
        if wanted.requires_email && draft.email.is_none() {
            return Err(Invalid::missing("email").into());
        }
        let route = self.on_the_rail(app, wanted);
        if route.rail.is_some() {
            check_metadata(wanted, draft)?;
        }
        Ok(route)
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
fn check_metadata(driver: &Driver, draft: &PaymentDraft) -> Outcome<()> {
    let metadata: serde_json::Value = serde_json::from_str(&draft.metadata).unwrap_or_default();
    for name in driver.requires_metadata {
        if !metadata[name].is_string() {
            return Err(Fault::invalid(&format!("metadata.{name}"), &format!("is required text for {}", driver.title)));
        }
    }
    Ok(())
}

fn check_amount(driver: &Driver, draft: &PaymentDraft) -> Outcome<()> {
    let (least, most) = (driver.amount_range)(&draft.method, draft.currency);
    let step = (driver.amount_step)(draft.currency);
    let title = driver.title;
    let detail = if draft.amount_minor < least || draft.amount_minor > most {
        let (least, most) = (format_amount(least, draft.currency), format_amount(most, draft.currency));
        format!("amount_minor is outside what {title} takes for {}: {least} to {most}", draft.method)
    } else if draft.amount_minor % step != 0 {
        format!("amount_minor must be a multiple of {step}: {title} takes no decimals of {}", draft.currency.code())
    } else {
        return Ok(());
    };
    Err(Fault::new(Code::AmountOutOfRange, detail))
}
