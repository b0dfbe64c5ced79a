//! `switchyard sign METHOD PATH`

use std::io::Read;
use std::path::Path;

use serde_json::json;

use super::api_access::only_app;
use super::{Done, Failure, open};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::secrets::Secret;
use crate::domain::signing::{request_signature, sha256};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The method, as POST.
    method: String,
    /// The path as it will be sent, as /v1/payments. With ?query, the query is signed too.
    path: String,
    /// The body: text, @file, or - for standard input.
    #[arg(long, default_value = "")]
    body: String,
    /// The app whose secret signs, by id or public key. Not needed where there is only one.
    #[arg(long)]
    app: Option<String>,
    /// Sign with this public key and the secret in the variable PAY_SECRET, without a database.
    #[arg(long, env = "PAY_KEY", conflicts_with = "app")]
    key: Option<String>,
    /// Where the curl line goes.
    #[arg(long, value_name = "URL")]
    base_url: Option<String>,
    /// Sign for this Unix second instead of now.
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<i64>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(config: Option<&Path>, arguments: Arguments) -> Done {
    let body = read_body(&arguments.body)?;
    let (key, secret, base_url) = credentials(config, &arguments).await?;
    let base_url = arguments.base_url.unwrap_or(base_url);
    let method = arguments.method.to_uppercase();
    if !arguments.path.starts_with('/') {
        return Err(Failure::new("the path must begin with a slash, as in /v1/payments"));
    }
    let timestamp = arguments.timestamp.unwrap_or_else(|| Clock::system().now().unix_seconds());
    let signature = request_signature(secret.expose(), timestamp, &method, &arguments.path, &sha256(body.as_bytes()));
    let headers = [("X-PAY-Key", key), ("X-PAY-Timestamp", timestamp.to_string()), ("X-PAY-Signature", signature)];
    let curl = curl_line(&method, &base_url, &arguments.path, &headers, &body);
    if arguments.json {
        let headers: serde_json::Map<String, serde_json::Value> =
            headers.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
        println!("{}", json!({ "headers": headers, "curl": curl }));
        return Ok(());
    }
    for (name, value) in &headers {
        println!("{name}: {value}");
    }
    println!("\n{curl}");
    Ok(())
}

fn read_body(argument: &str) -> Result<String, Failure> {
    if argument == "-" {
        let mut body = String::new();
        std::io::stdin().read_to_string(&mut body)?;
        return Ok(body);
    }
    match argument.strip_prefix('@') {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| Failure::new(format!("cannot read the body from {file}: {error}"))),
        None => Ok(argument.to_owned()),
    }
}

async fn credentials(config: Option<&Path>, arguments: &Arguments) -> Result<(String, Secret, String), Failure> {
    if let Some(key) = &arguments.key {
        let secret = std::env::var("PAY_SECRET")
            .map_err(|_| Failure::with_hint("--key needs the app's secret", "put it into the variable PAY_SECRET"))?;
        return Ok((key.clone(), Secret::new(secret), "http://127.0.0.1:8080".to_owned()));
    }
    let settings = Settings::load(config)?;
    let base_url = settings.base_url();
    let gateway = open(settings).await?;
    let app = match &arguments.app {
        Some(app) => app.clone(),
        None => only_app(&gateway).await?,
    };
    let (key, secret, _) = gateway.credentials(&app).await?;
    Ok((key, secret, base_url))
}

fn curl_line(method: &str, base_url: &str, path: &str, headers: &[(&str, String)], body: &str) -> String {
    let mut line = format!("curl -sS -X {method} {}", quoted(&format!("{base_url}{path}")));
    for (name, value) in headers {
        line.push_str(&format!(" \\\n  -H {}", quoted(&format!("{name}: {value}"))));
    }
    if !body.is_empty() {
        line.push_str(&format!(" \\\n  -H 'Content-Type: application/json' \\\n  --data-binary {}", quoted(body)));
    }
    line
}

/// As one word of a POSIX shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_quote_in_a_body_cannot_leave_its_word() {
        assert_eq!(super::quoted("it's; rm -rf /"), r"'it'\''s; rm -rf /'");
    }
}
