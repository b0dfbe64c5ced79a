//! Which hosts may be called in the place of a provider's own.

use crate::domain::mode::Mode;
use crate::psp::Driver;

/// What stands against calling `base_url` for a provider in a mode.
#[must_use]
pub fn host_fault(driver: &Driver, mode: Mode, base_url: &str, allow_custom_live: bool) -> Option<String> {
    let Ok(url) = url::Url::parse(base_url) else { return Some("is not a URL".to_owned()) };
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    // A dot at the end names the same host.
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if !is_bare || !url.username().is_empty() || url.password().is_some() {
        return Some("must be scheme, host and port alone".to_owned());
    }
    if url.scheme() != "https" && !is_loopback {
        return Some("must be https: http is for this machine alone".to_owned());
    }
    match mode {
        Mode::Live if !driver.live_hosts().any(|known| known == host) && !allow_custom_live => Some(format!(
            "names {host}, which is not a live host of {}: providers.allow_custom_live_hosts",
            driver.title
        )),
        Mode::Sandbox if driver.live_hosts().any(|known| known == host) => {
            Some(format!("names {host}, where real money moves"))
        }
        _ => None,
    }
}
