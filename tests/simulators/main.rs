//! Every simulator as a program, for a person who wants to try the gateway against providers on this machine:
//! `cargo run --example psp-simulator -- --nicepay-port 9101 --polar-port 9102 --paypal-port 9103`.

use clap::Parser;

#[expect(dead_code, reason = "tests use more of the simulators than this program does")]
#[path = "mod.rs"]
mod simulators;

/// Simulators of the providers. One without a port does not run.
#[derive(Parser)]
#[command(name = "psp-simulator")]
struct Arguments {
    /// The port of NICEPAY's simulator.
    #[arg(long)]
    nicepay_port: Option<u16>,
    /// The port of Polar's simulator.
    #[arg(long)]
    polar_port: Option<u16>,
    /// The port of PayPal's simulator.
    #[arg(long)]
    paypal_port: Option<u16>,
}

// The three functions below are where a simulator is wired in: start it, keep it until the program ends, and print its
// URL with the credentials that it takes.

async fn nicepay(port: u16) {
    println!("NICEPAY's simulator is not in this build; nothing listens on port {port}");
}

async fn polar(port: u16) {
    println!("Polar's simulator is not in this build; nothing listens on port {port}");
}

async fn paypal(port: u16) {
    println!("PayPal's simulator is not in this build; nothing listens on port {port}");
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let arguments = Arguments::parse();
    if let Some(port) = arguments.nicepay_port {
        nicepay(port).await;
    }
    if let Some(port) = arguments.polar_port {
        polar(port).await;
    }
    if let Some(port) = arguments.paypal_port {
        paypal(port).await;
    }
    println!("Ctrl-C ends it.");
    tokio::signal::ctrl_c().await
}
