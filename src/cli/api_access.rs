//! How the developers' commands reach a server: its URL, and an app's key and secret.

use std::path::Path;

use super::{Failure, open};
use crate::client::{CallError, Client};
use crate::config::Settings;
use crate::domain::secrets::Secret;
use crate::gateway::{Gateway, maintenance};

#[derive(clap::Args)]
pub(super) struct Access {
    /// The server's URL.
    #[arg(long, env = "PAY_URL", value_name = "URL")]
    url: Option<String>,
    /// The app's public key; its secret is in the variable PAY_SECRET, or in the database of the settings.
    #[arg(long, env = "PAY_KEY", value_name = "PUBLIC KEY")]
    key: Option<String>,
    /// The app in the database of the settings, by id. Not needed where there is only one.
    #[arg(long, conflicts_with = "key")]
    app: Option<String>,
}

/// A server and an app of it.
pub(super) struct Connected {
    pub client: Client,
    /// What signs the app's events, where the database is at hand.
    pub webhook_secret: Option<Secret>,
}

/// A variable that has something in it.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Access {
    /// Finds the app's secret and the server.
    pub(super) async fn connect(self, config: Option<&Path>) -> Result<Connected, Failure> {
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        let (url, key) = (given(self.url), given(self.key));
        if let (Some(key), Some(secret)) = (&key, variable("PAY_SECRET")) {
            let url = url.as_deref().unwrap_or("http://127.0.0.1:8080");
            return Ok(Connected { client: Client::new(url, key, Secret::new(secret))?, webhook_secret: None });
        }
        let settings = Settings::load(config)?;
        // A database is not made here by looking for one.
        if let Err(error) = maintenance::pending_migrations(&settings) {
            let hint = "set PAY_URL, PAY_KEY and PAY_SECRET, or run this where the server's settings are";
            return Err(Failure::with_hint(format!("there is no app's secret at hand: {error}"), hint));
        }
        let url = url.unwrap_or_else(|| settings.base_url());
        let gateway = open(settings).await?;
        let app = match key.or(self.app) {
            Some(app) => app,
            None => only_app(&gateway).await?,
        };
        let (key, secret, webhook_secret) = gateway.credentials(&app).await.map_err(|fault| {
            Failure::with_hint(fault.to_string(), "put the secret of an app of another server into PAY_SECRET")
        })?;
        Ok(Connected { client: Client::new(&url, &key, secret)?, webhook_secret })
    }
}

/// The one app that is in use.
pub(super) async fn only_app(gateway: &Gateway) -> Result<String, Failure> {
    let apps = gateway.list_apps().await?;
    let mut active = apps.iter().filter(|(app, _)| app.archived_at.is_none());
    match (active.next(), active.next()) {
        (Some((app, _)), None) => Ok(app.app_id.to_string()),
        (None, _) => Err(Failure::with_hint("there is no app yet", "make one with `switchyard apps create`")),
        _ => Err(Failure::with_hint("there are several apps", "name one with --app")),
    }
}

/// A call that came to nothing, with what would help.
pub(super) fn refused(client: &Client, error: &CallError) -> Failure {
    let hint = match error {
        CallError::Unreachable(_) => format!("is the server at {} running? --url names another", client.base_url()),
        CallError::Refused { code, .. } => match code.as_str() {
            "BadSignature" => "PAY_KEY and PAY_SECRET must be those of one app of this server".to_owned(),
            "TimestampOutOfRange" => "set this machine's clock".to_owned(),
            "ModeNotServed" => "--url names the server of the key's mode".to_owned(),
            "PaymentNotFound" => "`switchyard payments list` has the payments of this app".to_owned(),
            "EventNotFound" => "`switchyard events tail` has the events of this app".to_owned(),
            code if !code.is_empty() => {
                let anchor = crate::error::Code::ALL.iter().find(|known| known.name() == code);
                let anchor = anchor.map(|code| crate::error::anchor(*code)).unwrap_or_default();
                format!("{}/docs/errors#{anchor} says what it means", client.base_url())
            }
            _ => format!("what answers at {} is something else", client.base_url()),
        },
    };
    Failure::with_hint(error.to_string(), hint)
}
