//! What operators look at: the providers of each mode, and whether the database is there.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::psp::{DRIVERS, Driver};
use crate::store::install;

/// How often the mock stood in, for each provider and mode, since the process started.
#[derive(Debug, Default)]
pub(super) struct FallbackCounters([[AtomicU64; 3]; DRIVERS.len()]);

/// The state of the gateway; no secrets.
#[derive(Debug, Serialize, ToSchema)]
pub struct Report {
    /// `switchyard`
    pub name: &'static str,
    /// Version of the program.
    pub version: &'static str,
    /// Commit that it was built from, where the build knew it.
    pub commit: Option<&'static str>,
    /// Seconds since it started.
    pub uptime_s: u64,
    /// Modes that this process serves.
    #[schema(value_type = Vec<String>)]
    pub modes: Vec<Mode>,
    /// `sqlite` or `postgres`.
    pub database: &'static str,
    /// Every provider in every mode that it has.
    pub providers: Vec<ProviderReport>,
    /// The key that signs checkpoints of the ledger; none yet.
    pub ledger_key: Option<String>,
}

/// A provider in one mode.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProviderReport {
    /// Its name.
    pub provider: &'static str,
    /// The mode.
    #[schema(value_type = String)]
    pub mode: Mode,
    /// `real`, or `mock` when the mock stands in.
    pub instance: &'static str,
    /// The host that is called, with its port where it has one.
    pub host: Option<String>,
    /// `ready`, `no_credentials`, `degraded` when the last call failed, or `down` when calls are held back.
    pub status: &'static str,
    /// How often the mock stood in since the process started.
    pub fallbacks: u64,
    /// When it last answered.
    #[schema(value_type = Option<String>)]
    pub last_ok_at: Option<Timestamp>,
    /// The class of its last error, as `timeout`.
    pub last_error: Option<&'static str>,
}

impl Gateway {
    /// The state of the gateway.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut providers = Vec::new();
        for (index, driver) in DRIVERS.into_iter().enumerate() {
            for mode in driver.modes.iter().copied().filter(|mode| self.settings.modes.contains(mode)) {
                providers.push(self.report_provider(index, driver, mode));
            }
        }
        Report {
            name: "switchyard",
            version: env!("CARGO_PKG_VERSION"),
            commit: option_env!("SWITCHYARD_COMMIT"),
            uptime_s: self.started.elapsed().as_secs(),
            modes: self.settings.modes.clone(),
            database: self.settings.database.kind(),
            providers,
            ledger_key: Some(self.verifier_key()),
        }
    }

    fn report_provider(&self, index: usize, driver: &'static Driver, mode: Mode) -> ProviderReport {
        let is_mock = driver.name == crate::psp::mock::DRIVER.name;
        let fallbacks = self.fallbacks.0[index][mode as usize].load(Ordering::Relaxed);
        let Some(rail) = self.rails.own(driver, mode) else {
            let configured = self.settings.providers.iter().find(|provider| {
                provider.driver.name == driver.name && provider.mode == mode && provider.base_url.is_some()
            });
            let custom = configured.and_then(|provider| provider.base_url.as_deref()).map(host_of);
            return ProviderReport {
                provider: driver.name,
                mode,
                instance: "mock",
                host: custom.or(driver.host(mode)).map(str::to_owned),
                status: if is_mock { "ready" } else { "no_credentials" },
                fallbacks,
                last_ok_at: None,
                last_error: None,
            };
        };
        let health = rail.health();
        let status = match (health.is_open, health.is_failing) {
            (true, _) => "down",
            (false, true) => "degraded",
            (false, false) => "ready",
        };
        ProviderReport {
            provider: driver.name,
            mode,
            instance: "real",
            host: Some(rail.host.clone()),
            status,
            fallbacks,
            last_ok_at: health.last_ok_at,
            last_error: health.last_error,
        }
    }

    pub(super) fn count_fallback(&self, wanted: &str, mode: Mode) {
        if let Some(index) = DRIVERS.iter().position(|driver| driver.name == wanted) {
            let driver = DRIVERS[index].name;
            self.fallbacks.0[index][mode as usize].fetch_add(1, Ordering::Relaxed);
            metrics::counter!("switchyard_fallbacks_total", "provider" => driver, "mode" => mode.as_str()).increment(1);
        }
    }

    /// Tells the metrics how the providers' accounts are: 1 ready, 0 down.
    pub fn gauge_providers(&self) {
        for row in self.report().providers.iter().filter(|row| row.instance == "real") {
            let is_up = if row.status == "down" { 0.0 } else { 1.0 };
            metrics::gauge!("switchyard_provider_up", "provider" => row.provider, "mode" => row.mode.as_str())
                .set(is_up);
        }
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// 503.
    pub async fn check_ready(&self) -> Outcome<()> {
        self.read(|conn| install::directory_version(conn).map(drop)).await
    }
}

/// Host and port of a base URL.
pub(super) fn host_of(base_url: &str) -> &str {
    base_url.split_once("://").map_or(base_url, |(_, host)| host)
}
