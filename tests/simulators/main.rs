//! Every simulator as a program, for a person who wants to try the gateway against providers on this machine:
//! `cargo run --example psp-simulator -- --nicepay-port 9101 --polar-port 9102 --paypal-port 9103`.
//!
//! The settings for the gateway go to standard output, as lines for a shell, and all else to standard error: with
//! `> sandbox.sh` they are in a file, and `. ./sandbox.sh` takes them in.

use clap::{Parser, ValueEnum};

#[expect(dead_code, reason = "tests use more of the simulators than this program does")]
#[path = "mod.rs"]
mod simulators;

use simulators::nicepay::{self, NicepaySimulator};
use simulators::paypal::{self, PaypalSimulator};
use simulators::polar::{self, PolarSimulator};

/// Simulators of the providers. One without a port does not run.
#[derive(Parser)]
#[command(name = "psp-simulator")]
struct Arguments {
    /// The port of NICEPAY's simulator.
    #[arg(long, value_name = "PORT")]
    nicepay_port: Option<u16>,
    /// The API that NICEPAY's settings choose.
    #[arg(long, value_enum, default_value_t = NicepayApi::V2)]
    nicepay_api: NicepayApi,
    /// The port of Polar's simulator.
    #[arg(long, value_name = "PORT")]
    polar_port: Option<u16>,
    /// The port of PayPal's simulator.
    #[arg(long, value_name = "PORT")]
    paypal_port: Option<u16>,
    /// Where the gateway is, which gets the webhooks of Polar and PayPal. NICEPAY is told with each payment.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    gateway: String,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum NicepayApi {
    V2,
    Snap,
}

/// The settings of a provider as lines for a shell. A key in PEM has several lines, which single quotes keep.
fn export(provider: &str, base_url: &str, credentials: &[(&str, String)]) {
    let provider = provider.to_uppercase();
    let base_url = [("base_url", base_url.to_owned())];
    for (name, value) in base_url.iter().chain(credentials) {
        let quoted = value.trim().replace('\'', "'\\''");
        println!("export SWITCHYARD__PROVIDERS__{provider}__SANDBOX__{}='{quoted}'", name.to_uppercase());
    }
}

async fn nicepay(port: u16, api: NicepayApi) -> NicepaySimulator {
    let simulator = NicepaySimulator::start(port, nicepay::Options::default()).await;
    eprintln!("NICEPAY  {0}  payments, to pay them or let them expire: {0}/", simulator.url);
    let mut credentials = vec![
        ("imid", nicepay::IMID.to_owned()),
        ("merchant_key", nicepay::MERCHANT_KEY.to_owned()),
        ("shop_id", nicepay::SHOP_ID.to_owned()),
    ];
    if api == NicepayApi::Snap {
        credentials.extend([
            ("api", "snap".to_owned()),
            ("client_secret", nicepay::CLIENT_SECRET.to_owned()),
            ("private_key", nicepay::private_key()),
            ("public_key", nicepay::public_key()),
        ]);
    }
    export("nicepay", &simulator.url, &credentials);
    simulator
}

async fn polar(port: u16, gateway: &str) -> PolarSimulator {
    let webhook_url = Some(format!("{gateway}/webhooks/polar/sandbox"));
    let simulator = PolarSimulator::start(port, polar::Options { webhook_url, ..polar::Options::default() }).await;
    eprintln!("Polar    {0}  checkouts, to pay them or have them declined: {0}/", simulator.url);
    eprintln!("         metadata.polar_product_id {} is bought once, at any price", polar::ONE_TIME_PRODUCT);
    eprintln!("         metadata.polar_product_id {} is 20.00 USD a month", polar::RECURRING_PRODUCT);
    let credentials =
        [("access_token", polar::ACCESS_TOKEN.to_owned()), ("webhook_secret", simulator.webhook_secret.clone())];
    export("polar", &simulator.url, &credentials);
    simulator
}

async fn paypal(port: u16, gateway: &str) -> PaypalSimulator {
    let webhook_url = Some(format!("{gateway}/webhooks/paypal/sandbox"));
    let simulator = PaypalSimulator::start(port, paypal::Options { webhook_url, ..paypal::Options::default() }).await;
    eprintln!("PayPal   {0}  orders, to approve or cancel them: {0}/", simulator.url);
    export("paypal", &simulator.url, &simulator.credentials());
    simulator
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    let gateway = arguments.gateway.trim_end_matches('/');
    let ports = [arguments.nicepay_port, arguments.polar_port, arguments.paypal_port];
    if ports.iter().all(Option::is_none) {
        eprintln!("nothing to start: give --nicepay-port, --polar-port or --paypal-port");
        std::process::exit(2);
    }
    for port in ports.into_iter().flatten() {
        if let Err(error) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            eprintln!("nothing can listen on port {port}: {error}");
            std::process::exit(1);
        }
    }
    let nicepay = match arguments.nicepay_port {
        Some(port) => Some(nicepay(port, arguments.nicepay_api).await),
        None => None,
    };
    let polar = match arguments.polar_port {
        Some(port) => Some(polar(port, gateway).await),
        None => None,
    };
    let paypal = match arguments.paypal_port {
        Some(port) => Some(paypal(port, gateway).await),
        None => None,
    };
    eprintln!("The settings are on standard output, for the shell that runs `switchyard serve` at {gateway}.");
    eprintln!("Ctrl-C ends it, and all that was paid is forgotten.");
    tokio::signal::ctrl_c().await?;
    drop((nicepay, polar, paypal));
    Ok(())
}
