//! Settings: their names, their meaning, and where they come from. `config/default.toml` (compiled in) is overridden
//! by a file, and that by `SWITCHYARD__…` variables. Unknown names and bad values are refused, all at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use config::{Environment, File, FileFormat, Value, ValueKind};

use crate::domain::mode::Mode;
use crate::domain::plans::Plans;
use crate::domain::report_layouts::Layout;
use crate::domain::secrets::Secret;
use crate::mailer::Mailer;
use crate::psp::{DRIVERS, Driver};
use crate::store::Target;

mod hosts;
mod layouts;
pub mod plans;

pub use hosts::host_fault;

const DEFAULTS: &str = include_str!("../config/default.toml");

/// Every setting, read and checked.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where the server listens.
    pub bind: SocketAddr,
    /// The base of every URL that is given out, without a slash at its end.
    pub public_url: String,
    /// The modes that this process serves.
    pub modes: Vec<Mode>,
    /// Where modes are served that this process does not serve.
    pub mode_urls: BTreeMap<Mode, String>,
    /// HTTP worker threads.
    pub workers: usize,
    /// What opens `/metrics` to callers that are not on this machine.
    pub metrics_token: Option<Secret>,
    /// Which database.
    pub database: Target,
    /// Connections in the pool for reading.
    pub read_connections: u32,
    /// The key that seals secrets, if it is given directly.
    pub secrets_key: Option<Secret>,
    /// The file that holds that key otherwise.
    pub secrets_key_file: PathBuf,
    /// Whether events may go to private addresses; never honoured in live.
    pub webhooks_allow_private: bool,
    /// Deliveries under way at once.
    pub webhooks_concurrency: usize,
    /// Deliveries under way at once to one endpoint.
    pub webhooks_concurrency_per_endpoint: usize,
    /// The SMTP server that mail is sent through, with its password.
    pub mail_smtp_url: Option<Secret>,
    /// Whom mail comes from.
    pub mail_from: String,
    /// What tenants may use.
    pub plans: Plans,
    /// Items of writes that may wait to be verified, for each tenant and mode.
    pub writes_queue_limit: u32,
    /// The largest settlement report that is taken over HTTP, in mebibytes.
    pub reconcile_max_report_mib: u32,
    /// How providers lay out their settlement reports, by their names.
    pub layouts: BTreeMap<String, Layout>,
    /// Filter of the log, as `info` or `switchyard=debug`.
    pub log_level: String,
    /// Whether the log is JSON lines.
    pub log_json: bool,
    /// How long a call to a provider may take in all, if not as usual: for tests.
    pub provider_timeout: Option<std::time::Duration>,
    /// Whether live accounts may be at hosts that are not their provider's.
    pub allow_custom_live_hosts: bool,
    /// The gateway's own accounts at providers.
    pub providers: Vec<ProviderSettings>,
}

/// What the settings say of one provider in one mode.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    /// The provider.
    pub driver: &'static Driver,
    /// The mode.
    pub mode: Mode,
    /// Scheme, host and port to call instead of the provider's own.
    pub base_url: Option<String>,
    /// By name; none where the mock stands in.
    pub credentials: BTreeMap<String, Secret>,
}

/// Everything that is wrong with the settings.
#[derive(Debug, thiserror::Error)]
#[error("the settings cannot be used:\n{}", .0.iter().map(|fault| format!("  {fault}")).collect::<Vec<_>>().join("\n"))]
pub struct SettingsFaults(Vec<String>);

/// The name, default and meaning of one setting.
#[derive(Clone, Copy, Debug)]
pub struct SettingDoc {
    /// Its path in the file.
    pub name: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// Every setting that a file or a variable may have, besides the providers' credentials and their reports' layouts.
pub const SETTINGS: [SettingDoc; 25] = [
    SettingDoc { name: "server.bind", meaning: "address and port to listen on" },
    SettingDoc {
        name: "server.public_url",
        meaning: "base of the URLs that buyers and providers get; the bound address when empty",
    },
    SettingDoc { name: "server.modes", meaning: "modes that this process serves; a key of another mode gets 421" },
    SettingDoc { name: "server.mode_urls.test", meaning: "where `test` is served, when not here" },
    SettingDoc { name: "server.mode_urls.sandbox", meaning: "where `sandbox` is served, when not here" },
    SettingDoc { name: "server.mode_urls.live", meaning: "where `live` is served, when not here" },
    SettingDoc { name: "server.workers", meaning: "HTTP worker threads; 0 is one for each core" },
    SettingDoc {
        name: "server.metrics_token",
        meaning: "bearer token for `/metrics` from other machines; without it, this machine only",
    },
    SettingDoc { name: "database.url", meaning: "`sqlite:path` or `postgres://user:password@host/name`" },
    SettingDoc { name: "database.read_connections", meaning: "connections in the pool for reading" },
    SettingDoc { name: "secrets.key", meaning: "64 hex characters that seal the secrets at rest" },
    SettingDoc {
        name: "secrets.key_file",
        meaning: "file that holds the key when `secrets.key` is empty; made with mode 0600 on first start",
    },
    SettingDoc {
        name: "webhooks.allow_private",
        meaning: "let events go to loopback and private addresses, for development; never in live",
    },
    SettingDoc { name: "webhooks.concurrency", meaning: "deliveries under way at once" },
    SettingDoc { name: "webhooks.concurrency_per_endpoint", meaning: "deliveries under way at once to one endpoint" },
    SettingDoc {
        name: "mail.smtp_url",
        meaning: "`smtps://user:password@host`, or `smtp://host:587?tls=required`; without it, a server that others can \
                  reach takes no sign-ups",
    },
    SettingDoc { name: "mail.from", meaning: "whom mail comes from" },
    SettingDoc {
        name: "plans.<name>.monthly_deltas",
        meaning: "verified deltas a month and mode that the plan has; 0 for no limit",
    },
    SettingDoc { name: "plans.<name>.production", meaning: "whether a tenant on the plan can have Production" },
    SettingDoc {
        name: "plans.<name>.hard_cap",
        meaning: "whether writes beyond the limit are refused (402) or counted as overage",
    },
    SettingDoc {
        name: "writes.queue_limit",
        meaning: "items of writes that may wait to be verified, for each tenant and mode; beyond it writes get 429",
    },
    SettingDoc {
        name: "reconcile.max_report_mib",
        meaning: "largest settlement report that is taken over HTTP, in mebibytes",
    },
    SettingDoc {
        name: "providers.allow_custom_live_hosts",
        meaning: "let `providers.<name>.live.base_url` name a host that is not the provider's",
    },
    SettingDoc {
        name: "log.level",
        meaning: "`error`, `warn`, `info`, `debug`, or a filter such as `switchyard=debug`",
    },
    SettingDoc { name: "log.format", meaning: "`text` or `json`" },
];

/// The settings as a Markdown table, for the README.
#[must_use]
pub fn markdown_table() -> String {
    let defaults = layers(None, false).and_then(|config| flatten(&config)).unwrap_or_default();
    let mut table = String::from("| setting | default | meaning |\n|---|---|---|\n");
    for doc in SETTINGS.iter().chain(&layouts::SETTINGS) {
        let default = defaults.get(doc.name).map(String::as_str).unwrap_or_default();
        let default = if default.is_empty() { String::new() } else { format!("`{default}`") };
        table.push_str(&format!("| `{}` | {default} | {} |\n", doc.name, doc.meaning));
    }
    table
}

impl Settings {
    /// Reads the settings from the defaults, `file` and the environment.
    ///
    /// # Errors
    /// Every unknown name and bad value.
    pub fn load(file: Option<&Path>) -> Result<Self, SettingsFaults> {
        let values =
            layers(file, true).and_then(|config| flatten(&config)).map_err(|fault| SettingsFaults(vec![fault]))?;
        Self::from_values(values)
    }

    fn from_values(values: BTreeMap<String, String>) -> Result<Self, SettingsFaults> {
        let mut reader = Reader { values, faults: Vec::new() };
        let bind = reader.parsed("server.bind", "an address with a port, as in 127.0.0.1:8080");
        let public_url = reader.url("server.public_url");
        let modes = reader.modes();
        let mode_urls = Mode::ALL
            .into_iter()
            .filter_map(|mode| Some((mode, reader.url(&format!("server.mode_urls.{mode}"))?)))
            .collect();
        let workers = reader.number("server.workers", 0, 256);
        let metrics_token = reader.secret("server.metrics_token");
        let database_url = reader.text("database.url");
        let database = Target::parse(&database_url);
        if database.is_none() {
            reader.faults.push("database.url must begin with sqlite: or postgres://".to_owned());
        }
        let read_connections = reader.number("database.read_connections", 1, 1000);
        let secrets_key = reader.secret("secrets.key");
        if secrets_key.as_ref().is_some_and(|key| crate::domain::secrets::Sealer::from_hex_key(key.expose()).is_none())
        {
            reader.faults.push("secrets.key must be 64 hex characters".to_owned());
        }
        let secrets_key_file = PathBuf::from(reader.text("secrets.key_file"));
        let webhooks_allow_private = reader.parsed("webhooks.allow_private", "true or false");
        let webhooks_concurrency = reader.number("webhooks.concurrency", 1, 10_000);
        let webhooks_concurrency_per_endpoint = reader.number("webhooks.concurrency_per_endpoint", 1, 1000);
        let mail_smtp_url = reader.secret("mail.smtp_url");
        let mail_from = reader.text("mail.from");
        if let Some(Err(fault)) = mail_smtp_url.as_ref().map(|url| Mailer::new(url, &mail_from)) {
            reader.faults.push(fault.to_owned());
        }
        let plans = reader.plans();
        let writes_queue_limit = reader.number("writes.queue_limit", 1, 1_000_000_000);
        let reconcile_max_report_mib = reader.number("reconcile.max_report_mib", 1, 1_000_000);
        let layouts = reader.layouts();
        let log_level = reader.text("log.level");
        if log_level.parse::<tracing_subscriber::filter::Targets>().is_err() {
            reader.faults.push("log.level must be a level or a filter such as switchyard=debug".to_owned());
        }
        let log_format = reader.text("log.format");
        if !matches!(log_format.as_str(), "text" | "json") {
            reader.faults.push("log.format must be text or json".to_owned());
        }
        let allow_custom_live_hosts =
            reader.parsed("providers.allow_custom_live_hosts", "true or false").unwrap_or(false);
        let providers = reader.providers(allow_custom_live_hosts);
        reader.refuse_the_rest();
        let complete = (bind, database, read_connections, workers, webhooks_allow_private);
        let numbers = (webhooks_concurrency, webhooks_concurrency_per_endpoint);
        let limits = (writes_queue_limit, reconcile_max_report_mib);
        match (reader.faults.is_empty(), complete, numbers, limits) {
            (
                true,
                (Some(bind), Some(database), Some(read_connections), Some(workers), Some(webhooks_allow_private)),
                (Some(webhooks_concurrency), Some(webhooks_concurrency_per_endpoint)),
                (Some(writes_queue_limit), Some(reconcile_max_report_mib)),
            ) => Ok(Self {
                bind,
                public_url: public_url.unwrap_or_default(),
                modes,
                mode_urls,
                workers,
                metrics_token,
                database,
                read_connections,
                secrets_key,
                secrets_key_file,
                webhooks_allow_private,
                webhooks_concurrency,
                webhooks_concurrency_per_endpoint,
                mail_smtp_url,
                mail_from,
                plans,
                writes_queue_limit,
                reconcile_max_report_mib,
                layouts,
                log_level,
                log_json: log_format == "json",
                provider_timeout: None,
                allow_custom_live_hosts,
                providers,
            }),
            _ => Err(SettingsFaults(reader.faults)),
        }
    }

    /// Base of the URLs that buyers and providers get from a server with these settings.
    #[must_use]
    pub fn base_url(&self) -> String {
        if self.public_url.is_empty() { format!("http://{}", self.bind) } else { self.public_url.clone() }
    }

    /// Settings for a gateway that keeps everything under `directory`: for the demo and for tests.
    ///
    /// # Errors
    /// Only if the compiled-in defaults were broken.
    pub fn in_directory(directory: &Path) -> Result<Self, SettingsFaults> {
        let values =
            layers(None, false).and_then(|config| flatten(&config)).map_err(|fault| SettingsFaults(vec![fault]))?;
        let mut settings = Self::from_values(values)?;
        settings.database = Target::Sqlite(directory.join("switchyard.db"));
        settings.secrets_key_file = directory.join("secrets.key");
        Ok(settings)
    }
}

fn layers(file: Option<&Path>, with_environment: bool) -> Result<config::Config, String> {
    let mut builder = config::Config::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
    if let Some(file) = file {
        builder = builder.add_source(File::from(file).format(FileFormat::Toml));
    }
    if with_environment {
        builder = builder.add_source(Environment::with_prefix("SWITCHYARD").prefix_separator("__").separator("__"));
    }
    builder.build().map_err(|error| error.to_string())
}

/// The settings as texts under their full names. A list becomes comma-separated text, as in a variable.
fn flatten(config: &config::Config) -> Result<BTreeMap<String, String>, String> {
    fn walk(path: &str, value: &Value, values: &mut BTreeMap<String, String>) {
        match &value.kind {
            ValueKind::Table(table) => {
                for (name, value) in table {
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(&path, value, values);
                }
            }
            ValueKind::Array(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                values.insert(path.to_owned(), items.join(","));
            }
            ValueKind::Nil => {}
            _ => {
                values.insert(path.to_owned(), value.to_string());
            }
        }
    }
    let table = config.cache.clone().into_table().map_err(|error| error.to_string())?;
    let mut values = BTreeMap::new();
    for (name, value) in &table {
        walk(name, value, &mut values);
    }
    Ok(values)
}

struct Reader {
    values: BTreeMap<String, String>,
    faults: Vec<String>,
}

impl Reader {
    fn text(&mut self, name: &str) -> String {
        self.values.remove(name).unwrap_or_default().trim().to_owned()
    }

    fn secret(&mut self, name: &str) -> Option<Secret> {
        let text = self.text(name);
        (!text.is_empty()).then(|| Secret::new(text))
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, what: &str) -> Option<T> {
        let parsed = self.text(name).parse().ok();
        if parsed.is_none() {
            self.faults.push(format!("{name} must be {what}"));
        }
        parsed
    }

    fn number<T: TryFrom<u32>>(&mut self, name: &str, least: u32, most: u32) -> Option<T> {
        let number = self.text(name).parse().ok().filter(|number| (least..=most).contains(number));
        if number.is_none() {
            self.faults.push(format!("{name} must be a whole number from {least} to {most}"));
        }
        number.and_then(|number| T::try_from(number).ok())
    }

    fn url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name);
        if text.is_empty() {
            return None;
        }
        let is_base = url::Url::parse(&text).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none()
        });
        if !is_base {
            self.faults.push(format!("{name} must be an http or https URL without a query"));
        }
        Some(text.trim_end_matches('/').to_owned())
    }

    fn modes(&mut self) -> Vec<Mode> {
        let text = self.text("server.modes");
        let mut modes = Vec::new();
        for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            match Mode::parse(name) {
                Some(mode) if !modes.contains(&mode) => modes.push(mode),
                Some(_) => {}
                None => self.faults.push(format!("server.modes: {name} is not test, sandbox or live")),
            }
        }
        if modes.is_empty() {
            self.faults.push("server.modes must name at least one of test, sandbox, live".to_owned());
        }
        modes
    }

    fn providers(&mut self, allow_custom: bool) -> Vec<ProviderSettings> {
        let mut providers = Vec::new();
        for driver in DRIVERS {
            for mode in driver.modes.iter().copied().filter(|mode| driver.host(*mode).is_some()) {
                let prefix = format!("providers.{}.{mode}", driver.name);
                let base_url = self.url(&format!("{prefix}.base_url"));
                if let Some(fault) = base_url.as_ref().and_then(|url| host_fault(driver, mode, url, allow_custom)) {
                    self.faults.push(format!("{prefix}.base_url {fault}"));
                }
                let credentials = self.credentials(driver, &prefix);
                providers.push(ProviderSettings { driver, mode, base_url, credentials });
            }
        }
        providers
    }

    /// All that are required, or none at all: half an account is a mistake that would show as a fallback.
    fn credentials(&mut self, driver: &'static Driver, prefix: &str) -> BTreeMap<String, Secret> {
        let mut given = BTreeMap::new();
        for credential in driver.credentials {
            let name = format!("{prefix}.{}", credential.name);
            let Some(secret) = self.secret(&name) else { continue };
            if !(credential.is_well_formed)(secret.expose()) {
                self.faults.push(format!("{name} does not look like one: {}", credential.meaning));
            }
            given.insert(credential.name.to_owned(), secret);
        }
        for missing in driver.missing(&given) {
            self.faults.push(format!("{prefix}.{missing} is missing: the others of this account are given"));
        }
        given
    }

    fn refuse_the_rest(&mut self) {
        for name in std::mem::take(&mut self.values).into_keys() {
            self.faults.push(format!("{name} is not a setting"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values_with(changes: &[(&str, &str)]) -> BTreeMap<String, String> {
        let mut values = flatten(&layers(None, false).unwrap()).unwrap();
        for (name, value) in changes {
            values.insert((*name).to_owned(), (*value).to_owned());
        }
        values
    }

    #[test]
    fn the_defaults_are_complete_and_documented() {
        let values = values_with(&[]);
        let documented: Vec<&str> = SETTINGS.iter().chain(&layouts::SETTINGS).map(|doc| doc.name).collect();
        let general = |name: &str| match name.split('.').collect::<Vec<_>>()[..] {
            ["plans", _, field] => format!("plans.<name>.{field}"),
            ["reconcile", _, field] => format!("reconcile.<provider>.{field}"),
            _ => name.to_owned(),
        };
        let names: std::collections::BTreeSet<String> = values.keys().map(|name| general(name)).collect();
        for name in &names {
            assert!(documented.contains(&name.as_str()), "{name} has no documentation");
        }
        assert_eq!(names.len(), documented.len());
        let settings = Settings::from_values(values).unwrap();
        assert_eq!(settings.modes, Mode::ALL);
        assert_eq!(settings.plans.names(), "free, pilot, starter, growth, scale, enterprise");
    }

    #[test]
    fn every_fault_is_reported_at_once() {
        let faults = Settings::from_values(values_with(&[
            ("server.bind", "nowhere"),
            ("server.modes", "test,prod"),
            ("database.url", "mysql://x"),
            ("server.bnid", "127.0.0.1:1"),
            ("plans.free.hard_cap", "perhaps"),
            ("plans.gold.monthly_deltas", "1000"),
            ("plans.Big.monthly_deltas", "-1"),
            ("plans.free.price", "0"),
        ]))
        .unwrap_err()
        .to_string();
        for part in [
            "server.bind must be",
            "prod is not",
            "database.url must",
            "server.bnid is not a setting",
            "plans.free.hard_cap must be true or false",
            "plans.gold.production must be",
            "plans.Big: a plan's name",
            "plans.Big.monthly_deltas must be a whole number",
            "plans.free.price is not a setting",
        ] {
            assert!(faults.contains(part), "{faults}");
        }
    }
}
