//! `switchyard accounts …`

use std::collections::BTreeMap;
use std::io::Read;
use std::sync::Arc;

use serde_json::json;

use super::{Done, Failure};
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::gateway::{AccountOptions, Gateway};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add an account at a provider, in the place of the one that is there. Credentials are read from standard input, one
    /// name=value on a line, so that they stand in no process list and no history.
    Add {
        /// The provider.
        #[arg(long)]
        provider: String,
        /// sandbox or live.
        #[arg(long, value_parser = mode)]
        mode: Mode,
        /// The tenant that it belongs to; the operator's own when not given.
        #[arg(long, value_name = "TENANT")]
        tenant: Option<String>,
        /// Scheme, host and port to call instead of the provider's own.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// List accounts, without credentials.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take an account out of use: no new payment goes to it.
    Archive {
        /// Its id.
        account: String,
    },
}

fn mode(text: &str) -> Result<Mode, String> {
    Mode::parse(text).filter(|mode| *mode != Mode::Test).ok_or_else(|| "must be sandbox or live".to_owned())
}

pub(super) async fn run(gateway: Arc<Gateway>, command: Command) -> Done {
    match command {
        Command::Add { provider, mode, tenant, base_url, json } => {
            eprintln!("reading credentials from standard input, one name=value on a line");
            let mut text = String::new();
            std::io::stdin().take(64 * 1024).read_to_string(&mut text)?;
            let credentials = credentials(&text)?;
            let scope = gateway.operator_scope(tenant.as_deref(), mode).await?;
            let options = AccountOptions { provider: provider.clone(), mode, base_url, credentials };
            let account_id = gateway.add_provider_account_of(&scope, options).await?;
            let url = format!("{}/webhooks/{provider}/{mode}/{account_id}", gateway.settings().base_url());
            if json {
                println!(
                    "{}",
                    json!({ "account_id": account_id, "provider": provider, "mode": mode, "webhook_url": url })
                );
            } else {
                println!("{account_id}");
                eprintln!("the provider's webhooks go to {url}");
            }
        }
        Command::List { json } => {
            let accounts = gateway.list_provider_accounts().await?;
            if json {
                let objects: Vec<_> = accounts
                    .iter()
                    .map(|account| {
                        json!({
                            "account_id": account.account_id, "tenant_id": account.tenant_id,
                            "provider": account.provider, "mode": account.mode,
                            "base_url": account.base_url, "archived_at": account.archived_at,
                            "created_at": account.created_at,
                        })
                    })
                    .collect();
                println!("{}", json!(objects));
            } else {
                for account in accounts {
                    let state = if account.archived_at.is_some() { "archived" } else { "in use" };
                    println!("{} {:<8} {:<8} {state}", account.account_id, account.provider, account.mode.as_str());
                }
            }
        }
        Command::Archive { account } => {
            gateway.archive_provider_account(&account).await?;
            eprintln!("{account} takes no new payments; those that began with it end with it");
        }
    }
    Ok(())
}

fn credentials(text: &str) -> Result<BTreeMap<String, Secret>, Failure> {
    let mut credentials = BTreeMap::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        // The line itself may be a secret: only its number is told.
        let Some((name, value)) = line.split_once('=') else {
            return Err(Failure::with_hint(format!("line {} is no name=value", index + 1), "client_id=…"));
        };
        credentials.insert(name.trim().to_owned(), Secret::new(value.trim().to_owned()));
    }
    Ok(credentials)
}
