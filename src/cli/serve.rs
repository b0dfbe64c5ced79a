//! `switchyard serve`

use sd_notify::NotifyState;

use super::{Done, Failure, stop_requested};
use crate::config::Settings;
use crate::serve::{Options, StartError, start};
use crate::{gateway, telemetry};

pub(super) async fn run(settings: Settings) -> Done {
    telemetry::start_log(&settings.log_level, settings.log_json);
    warn_of_what_is_open_or_closed(&settings);
    let server = start(settings, Options::default()).await.map_err(explain)?;
    let settings = server.gateway.settings();
    tracing::info!(address = %server.address, public_url = settings.public_url, database = settings.database.describe(),
        "serving");
    tell_service_manager(NotifyState::Ready);
    stop_requested().await;
    tell_service_manager(NotifyState::Stopping);
    tracing::info!("stopping: finishing what is under way");
    server.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Says how far it is to systemd, where that started it.
fn tell_service_manager(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "the service manager could not be told");
    }
}

/// Plain HTTP is safe on this machine alone, and so is registering without mail.
fn warn_of_what_is_open_or_closed(settings: &Settings) {
    if !settings.bind.ip().is_loopback() && !settings.public_url.starts_with("https://") {
        tracing::warn!(bind = %settings.bind,
            "reachable from other machines without https: put a TLS proxy in front and set server.public_url to its \
             https URL");
    }
    if let Some(reason) = gateway::mails::sign_up_closed(settings) {
        tracing::warn!("{reason}");
    }
    if settings.webhooks_allow_private {
        tracing::warn!("webhooks.allow_private is on: events of test and sandbox may go to private addresses");
    }
}

fn explain(error: StartError) -> Failure {
    let hint = match &error {
        StartError::Listen(..) => Some("another program has the port; set server.bind to another one"),
        StartError::Open(gateway::OpenError::Store(_)) => Some("check database.url, and that the server runs"),
        _ => None,
    };
    Failure { what: error.to_string(), hint: hint.map(str::to_owned) }
}
