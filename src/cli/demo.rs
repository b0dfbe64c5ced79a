//! `switchyard demo`: a product, its receiver and a buyer, played against a real gateway over real HTTP.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::web::{self, Bytes, Data};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{Done, Failure, stop_requested};
use crate::clock::Clock;
use crate::config::Settings;
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::domain::signing::{
    equal_in_constant_time, event_signature, request_signature, sha256, standard_webhook_signature,
};
use crate::gateway::{AppChange, AppOptions, Gateway};
use crate::serve::{Options, Server, start_on};
use crate::telemetry;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Exit after the round trip instead of serving on.
    #[arg(long)]
    once: bool,
    /// The port to serve on; another one if it is taken.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where the demo keeps its database and its key.
    #[arg(long, default_value = "data/demo", value_name = "DIRECTORY")]
    data: PathBuf,
}

const APP_NAME: &str = "Demo shop";

/// How long the demo waits for its event.
const PATIENCE: Duration = Duration::from_secs(20);

/// What the product knows of itself.
struct Product {
    base_url: String,
    public_key: String,
    secret: Secret,
    client: reqwest::Client,
}

/// An event as the receiver got it.
struct Received {
    event: Value,
    own_signature_is_good: bool,
    standard_signature_is_good: bool,
}

pub(super) async fn run(arguments: Arguments) -> Done {
    telemetry::start_log("error", false);
    println!("Switchyard {}: a payment from end to end\n", env!("CARGO_PKG_VERSION"));

    let started = Instant::now();
    let (listener, is_other_port) = listen(arguments.port)?;
    let mut settings = Settings::in_directory(&arguments.data)?;
    settings.webhooks_allow_private = true;
    let database = settings.database.describe();
    let server = start_on(listener, settings, Options::default()).await?;
    step("gateway", &format!("{} on {database}", server.url()), started);
    if is_other_port {
        println!("              port {} is taken, so this is another one", arguments.port);
    }

    let started = Instant::now();
    let (receiver, receiver_url) = bind_receiver()?;
    let (app_id, is_new) = find_or_make_app(&server.gateway, &receiver_url).await?;
    let (public_key, secret, webhook_secret) = server.gateway.credentials(&app_id).await?;
    let webhook_secret = webhook_secret.ok_or_else(|| Failure::new("the demo app has no endpoint"))?;
    let (received_sender, mut received) = mpsc::unbounded_channel();
    let receiving = serve_receiver(receiver, webhook_secret, received_sender)?;
    step("app", &format!("{public_key} ({})", if is_new { "new" } else { "from an earlier run" }), started);
    let product = Product { base_url: server.url(), public_key, secret, client: reqwest::Client::new() };

    let outcome = round_trip(&product, &mut received).await;
    let outcome = match outcome {
        Ok(()) if !arguments.once => serve_on(&product, &mut received).await,
        other => other,
    };
    stop(server, receiving).await;
    outcome
}

/// Create, pay, receive: each step with the time that it took.
async fn round_trip(product: &Product, received: &mut mpsc::UnboundedReceiver<Received>) -> Done {
    let begun = Instant::now();
    let started = Instant::now();
    let payment = product.create_payment().await?;
    let payment_id = payment["payment_id"].as_str().unwrap_or_default().to_owned();
    let checkout_url = payment["checkout_url"].as_str().unwrap_or_default().to_owned();
    step("payment", &format!("POST /v1/payments → 201 {payment_id}"), started);
    println!("              checkout at {checkout_url}");

    let started = Instant::now();
    let form = [("outcome", "succeed")];
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build()?;
    let paid = client.post(&checkout_url).form(&form).send().await?;
    if paid.status() != reqwest::StatusCode::SEE_OTHER {
        return Err(Failure::new(format!("the checkout answered {}", paid.status())));
    }
    step("paid", "the buyer clicked Pay → 303 back to the shop", started);

    let started = Instant::now();
    let event = next_event_of(received, &payment_id).await?;
    if !event.own_signature_is_good || !event.standard_signature_is_good {
        return Err(Failure::new("the event's signatures do not verify"));
    }
    let name = event.event["event"].as_str().unwrap_or_default();
    step("event", &format!("{name} received; X-PAY-Signature and webhook-signature both verify"), started);

    println!("\nPaid and told in {} ms.", begun.elapsed().as_millis());
    Ok(())
}

/// Leaves a payment open for a person, and shows the events as they come.
async fn serve_on(product: &Product, received: &mut mpsc::UnboundedReceiver<Received>) -> Done {
    let payment = product.create_payment().await?;
    let base_url = &product.base_url;
    println!("\nYour turn: {}", payment["checkout_url"].as_str().unwrap_or_default());
    println!("State:     {base_url}/info\nAPI:       {base_url}/docs\n\nServing; Ctrl-C stops.");
    let stop = stop_requested();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(received) = received.recv() => {
                let event = &received.event;
                let verified = received.own_signature_is_good && received.standard_signature_is_good;
                println!(
                    "  event       {} {} ({})",
                    event["event"].as_str().unwrap_or_default(),
                    event["payment_id"].as_str().unwrap_or_default(),
                    if verified { "both signatures verify" } else { "A SIGNATURE IS BAD" },
                );
            }
        }
    }
    println!("Stopping.");
    Ok(())
}

async fn stop(server: Server, receiving: actix_web::dev::ServerHandle) {
    server.stop().await;
    receiving.stop(false).await;
}

fn step(name: &str, what: &str, started: Instant) {
    let took = started.elapsed();
    println!("  {name:<10}  {what}  [{}.{} ms]", took.as_millis(), took.subsec_micros() / 100 % 10);
}

fn listen(port: u16) -> Result<(TcpListener, bool), Failure> {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(listener) => Ok((listener, false)),
        Err(_) => Ok((TcpListener::bind(("127.0.0.1", 0))?, true)),
    }
}

/// The demo's app: made on the first run, pointed at this run's receiver on the next ones.
async fn find_or_make_app(gateway: &Arc<Gateway>, receiver_url: &str) -> Result<(String, bool), Failure> {
    let apps = gateway.list_apps().await?;
    let existing = apps.iter().find(|(app, _)| app.name == APP_NAME && app.archived_at.is_none());
    if let Some((app, _)) = existing {
        let app_id = app.app_id.to_string();
        gateway.change_app(&app_id, AppChange::SetWebhook(receiver_url.to_owned())).await?;
        return Ok((app_id, false));
    }
    let issued = gateway
        .create_app(AppOptions {
            name: APP_NAME.to_owned(),
            mode: Mode::Test,
            webhook_url: Some(receiver_url.to_owned()),
            allowed_providers: Vec::new(),
            allowed_methods: Vec::new(),
            require_signed_query: false,
            kyc_above: Vec::new(),
        })
        .await?;
    Ok((issued.app.app_id.to_string(), true))
}

impl Product {
    /// What a product's backend does: sign a request, send it, read the checkout URL.
    async fn create_payment(&self) -> Result<Value, Failure> {
        let body = json!({
            "external_user_id": "demo-buyer",
            "email": "buyer@shop.example",
            "amount_minor": 50_000,
            "currency": "IDR",
            "method": "va_bca",
            "return_url": format!("{}/docs", self.base_url),
            "invoice_prefix": "DEMO",
            "description": "A demonstration",
            // Two payments that are alike and signed in the same second would have the same signature, and the
            // gateway would take the second for a captured copy of the first.
            "metadata": { "order": crate::domain::secrets::random_hex(4) },
        })
        .to_string();
        let timestamp = Clock::system().now().unix_seconds();
        let hash = sha256(body.as_bytes());
        let signature = request_signature(self.secret.expose(), timestamp, "POST", "/v1/payments", &hash);
        let response = self
            .client
            .post(format!("{}/v1/payments", self.base_url))
            .header("X-PAY-Key", &self.public_key)
            .header("X-PAY-Timestamp", timestamp.to_string())
            .header("X-PAY-Signature", signature)
            .header("Idempotency-Key", crate::domain::secrets::random_hex(16))
            .header("Content-Type", "application/json")
            .body(body)
            .send()
            .await?;
        let status = response.status();
        let answer = response.text().await?;
        if status != reqwest::StatusCode::CREATED {
            return Err(Failure::new(format!("the gateway answered {status}: {answer}")));
        }
        serde_json::from_str(&answer).map_err(Failure::from)
    }
}

async fn next_event_of(
    received: &mut mpsc::UnboundedReceiver<Received>,
    payment_id: &str,
) -> Result<Received, Failure> {
    let wanted = async {
        // Events of an earlier run that was cut off may come first.
        while let Some(event) = received.recv().await {
            if event.event["payment_id"] == payment_id {
                return Some(event);
            }
        }
        None
    };
    let event = tokio::time::timeout(PATIENCE, wanted).await.ok().flatten();
    event.ok_or_else(|| Failure::new("the event did not come within 20 s"))
}

struct Receiver {
    webhook_secret: Secret,
    received: mpsc::UnboundedSender<Received>,
}

fn bind_receiver() -> Result<(TcpListener, String), Failure> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let url = format!("http://{}/hook", listener.local_addr()?);
    Ok((listener, url))
}

fn serve_receiver(
    listener: TcpListener,
    webhook_secret: Secret,
    received: mpsc::UnboundedSender<Received>,
) -> Result<actix_web::dev::ServerHandle, Failure> {
    let receiver = Data::new(Receiver { webhook_secret, received });
    let server = HttpServer::new(move || App::new().app_data(receiver.clone()).route("/hook", web::post().to(receive)))
        .workers(1)
        .disable_signals()
        .listen(listener)?
        .run();
    let handle = server.handle();
    tokio::spawn(server);
    Ok(handle)
}

/// What a product's receiver does: verify, keep, answer 2xx.
async fn receive(receiver: Data<Receiver>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let secret = receiver.webhook_secret.expose();
    let own = event_signature(secret, header("x-pay-timestamp").parse().unwrap_or(0), &body);
    let timestamp = header("webhook-timestamp").parse().unwrap_or(0);
    let standard = standard_webhook_signature(secret, header("webhook-id"), timestamp, &body);
    let own_signature_is_good = equal_in_constant_time(&own, header("x-pay-signature"));
    let standard_signature_is_good =
        header("webhook-signature").split(' ').any(|signature| equal_in_constant_time(&standard, signature));
    let event = serde_json::from_slice(&body).unwrap_or_default();
    // The demo may have ended; the gateway still gets its answer.
    let _ = receiver.received.send(Received { event, own_signature_is_good, standard_signature_is_good });
    HttpResponse::NoContent().finish()
}
