//! `switchyard apps …`

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Done;
use crate::domain::mode::Mode;
use crate::domain::signing::standard_webhook_secret;
use crate::domain::time::parse_duration;
use crate::gateway::{AppChange, AppOptions, AppRow, EndpointRow, Gateway, IssuedApp, kyc_limits};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make an app and print its key and secrets, this once.
    Create(Create),
    /// List apps.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show one app.
    Show {
        /// Its id or public key.
        app: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Archive an app: its key stops working.
    Archive {
        /// Its id or public key.
        app: String,
    },
    /// Give an app new secrets and print them, this once.
    Rotate {
        /// Its id or public key.
        app: String,
        /// How long the old secrets go on working, as 24h, 90m or 0s.
        #[arg(long, default_value = "24h", value_parser = duration)]
        overlap: Duration,
        /// End the overlap of the last rotation now, instead of making new secrets.
        #[arg(long)]
        finish: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set the most that an app's buyers may pay who are not approved; without --above, as much as they like.
    SetKyc {
        /// Its id or public key.
        app: String,
        /// In minor units, as IDR=1000000; repeat for several currencies.
        #[arg(long, value_name = "CURRENCY=AMOUNT")]
        above: Vec<String>,
    },
    /// Send an app's events to another URL.
    SetWebhook {
        /// Its id or public key.
        app: String,
        /// http or https; https in live.
        url: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(clap::Args)]
pub(super) struct Create {
    /// A name, for people.
    #[arg(long)]
    name: String,
    /// test, sandbox or live; fixed for good.
    #[arg(long, value_parser = mode)]
    mode: Mode,
    /// The tenant that it belongs to; the operator's own when not given.
    #[arg(long, value_name = "TENANT")]
    tenant: Option<String>,
    /// Where its events go.
    #[arg(long, value_name = "URL")]
    webhook_url: Option<String>,
    /// A provider that it may use; repeat for several. All when not given.
    #[arg(long, value_name = "PROVIDER")]
    allow_provider: Vec<String>,
    /// A method that it may use of a provider; repeat for several. All when not given.
    #[arg(long, value_name = "PROVIDER=METHOD")]
    allow_method: Vec<String>,
    /// Accept a request with a query string only if the signature covers it.
    #[arg(long)]
    require_signed_query: bool,
    /// The most that a buyer may pay who is not approved, in minor units; repeat for several currencies.
    #[arg(long, value_name = "CURRENCY=AMOUNT")]
    kyc_above: Vec<String>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::parse(text).ok_or_else(|| "must be test, sandbox or live".to_owned())
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "must be a number with s, m, h or d, as in 24h".to_owned())
}

pub(super) async fn run(gateway: Arc<Gateway>, command: Command) -> Done {
    match command {
        Command::Create(create) => {
            let json = create.json;
            let scope = gateway.operator_scope(create.tenant.as_deref(), create.mode).await?;
            let options = AppOptions {
                name: create.name,
                mode: create.mode,
                webhook_url: create.webhook_url,
                allowed_providers: create.allow_provider,
                allowed_methods: create.allow_method,
                require_signed_query: create.require_signed_query,
                kyc_above: create.kyc_above,
            };
            let issued = gateway.create_app_of(&scope, options).await?;
            print_issued(&issued, json);
        }
        Command::List { json } => {
            let apps = gateway.list_apps().await?;
            let objects: Vec<Value> = apps.iter().map(|(app, endpoints)| object(app, endpoints)).collect();
            if json {
                println!("{}", Value::Array(objects));
            } else if objects.is_empty() {
                eprintln!("no apps yet");
                eprintln!(
                    "hint: switchyard apps create --name shop --mode test --webhook-url http://localhost:3000/hook"
                );
            } else {
                for (app, _) in &apps {
                    let state = if app.archived_at.is_some() { "archived" } else { "active" };
                    println!("{}  {:<7}  {:<8}  {}  {}", app.app_id, app.mode, state, app.public_key, app.name);
                }
            }
        }
        Command::Show { app, json } => {
            let (app, endpoints) = gateway.find_app(&app).await?;
            print_object(&object(&app, &endpoints), json);
        }
        Command::Archive { app } => {
            gateway.change_app(&app, AppChange::Archive).await?;
            eprintln!("archived {app}; its key stops working within a second");
        }
        Command::Rotate { app, finish: true, .. } => {
            gateway.change_app(&app, AppChange::FinishRotation).await?;
            eprintln!("the old secrets of {app} stop working within a second");
        }
        Command::Rotate { app, overlap, json, .. } => {
            let issued = gateway.rotate_app(&app, overlap).await?;
            print_issued(&issued, json);
            eprintln!("the old secrets go on working for {} s", overlap.as_secs());
        }
        Command::SetKyc { app, above } => {
            let limits = if above.is_empty() { "nothing".to_owned() } else { above.join(", ") };
            gateway.change_app(&app, AppChange::SetKycAbove(kyc_limits(&above)?)).await?;
            eprintln!("{app} asks for approved buyers above {limits}, within a second");
        }
        Command::SetWebhook { app, url, json } => {
            let secret = gateway.change_app(&app, AppChange::SetWebhook(url.clone())).await?;
            let mut set = json!({ "webhook_url": url });
            if let Some(secret) = secret {
                set["webhook_secret"] = secret.expose().into();
            }
            print_object(&set, json);
        }
    }
    Ok(())
}

fn object(app: &AppRow, endpoints: &[EndpointRow]) -> Value {
    json!({
        "app_id": app.app_id,
        "tenant_id": app.tenant_id,
        "name": app.name,
        "mode": app.mode,
        "public_key": app.public_key,
        "webhook_url": endpoints.first().map(|endpoint| &endpoint.url),
        "webhook_disabled": endpoints.first().and_then(|endpoint| endpoint.disabled_reason.as_ref()),
        "allowed_providers": app.allowed_providers,
        "allowed_methods": app.allowed_methods,
        "require_signed_query": app.require_signed_query,
        "kyc_above": app.kyc_above,
        "archived_at": app.archived_at,
        "created_at": app.created_at,
    })
}

/// The one place where secrets are printed.
fn print_issued(issued: &IssuedApp, json: bool) {
    let webhook_secret = issued.endpoint.as_ref().map(|_| issued.webhook_secret.expose());
    let object = json!({
        "app_id": issued.app.app_id,
        "name": issued.app.name,
        "mode": issued.app.mode,
        "public_key": issued.app.public_key,
        "secret": issued.secret.expose(),
        "webhook_secret": webhook_secret,
        "webhook_secret_standard": webhook_secret.map(standard_webhook_secret),
        "webhook_url": issued.endpoint.as_ref().map(|endpoint| &endpoint.url),
    });
    print_object(&object, json);
    if !json {
        eprintln!("The secrets are shown this once. Keep them where your product's backend can read them.");
    }
}

fn print_object(object: &Value, json: bool) {
    if json {
        println!("{object}");
        return;
    }
    for (name, value) in object.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => println!("{name:<24} {text}"),
            other => println!("{name:<24} {other}"),
        }
    }
}
