//! What operators look at: the providers of each mode, and whether the database is there.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use utoipa::ToSchema;

use super::Gateway;
use crate::domain::mode::Mode;
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
    /// The host that is called.
    pub host: Option<&'static str>,
    /// `ready` or `no_credentials`.
    pub status: &'static str,
    /// How often the mock stood in since the process started.
    pub fallbacks: u64,
    /// When it last answered.
    pub last_ok_at: Option<String>,
    /// The class of its last error.
    pub last_error: Option<String>,
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
            ledger_key: None,
        }
    }

    fn report_provider(&self, index: usize, driver: &'static Driver, mode: Mode) -> ProviderReport {
        let is_mock = driver.name == crate::psp::mock::DRIVER.name;
        ProviderReport {
            provider: driver.name,
            mode,
            instance: "mock",
            host: driver.host(mode),
            status: if is_mock { "ready" } else { "no_credentials" },
            fallbacks: self.fallbacks.0[index][mode as usize].load(Ordering::Relaxed),
            last_ok_at: None,
            last_error: None,
        }
    }

    pub(super) fn count_fallback(&self, wanted: &str, mode: Mode) {
        if let Some(index) = DRIVERS.iter().position(|driver| driver.name == wanted) {
            let driver = DRIVERS[index].name;
            self.fallbacks.0[index][mode as usize].fetch_add(1, Ordering::Relaxed);
            metrics::counter!("switchyard_fallbacks_total", "provider" => driver, "mode" => mode.as_str()).increment(1);
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
