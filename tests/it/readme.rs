//! The README is true: its tables are the code's own, and its examples run.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use switchyard::domain::mode::Mode;

use crate::support::{Product, TestGateway, eventually};

fn readme_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")
}

fn readme() -> String {
    std::fs::read_to_string(readme_path()).unwrap()
}

/// The code block behind `<!-- test: name -->`.
fn example(name: &str) -> String {
    let readme = readme();
    let (_, rest) = readme.split_once(&format!("<!-- test: {name} -->\n```")).unwrap_or_else(|| panic!("no {name}"));
    let (_, code) = rest.split_once('\n').unwrap();
    code.split_once("\n```").unwrap().0.to_owned()
}

/// Compares a generated part with the code; with `UPDATE_README` set, writes it.
fn check_generated(name: &str, expected: &str) {
    let readme = readme();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let (before, rest) = readme.split_once(&open).unwrap();
    let (found, after) = rest.split_once(&close).unwrap();
    if std::env::var_os("UPDATE_README").is_some() {
        std::fs::write(readme_path(), format!("{before}{open}{expected}{close}{after}")).unwrap();
        return;
    }
    assert_eq!(found, expected, "run this test with UPDATE_README=1 to write the table anew");
}

#[test]
fn the_tables_of_the_readme_are_those_of_the_code() {
    check_generated("settings", &switchyard::config::markdown_table());
    check_generated("errors", &switchyard::error::markdown_table());
    check_generated("providers", &switchyard::psp::markdown_table());
    let directory = std::env::temp_dir();
    let plans = switchyard::config::Settings::in_directory(&directory).unwrap().plans;
    check_generated("plans", &switchyard::config::plans::markdown_table(&plans));
}

#[test]
fn the_readme_names_every_event() {
    let readme = readme();
    let (_, events) = readme.split_once("\n### Events\n").unwrap();
    let (events, _) = events.split_once("\n### ").unwrap();
    for name in switchyard::domain::events::EVENT_TYPES {
        assert!(events.contains(&format!("`{name}`")), "no {name}");
    }
}

#[test]
fn the_setup_of_the_readme_names_commands_that_exist() {
    let setup = [example("setup"), example("setup-developer")].join("\n");
    for command in setup.lines().filter_map(|line| line.strip_prefix("switchyard ")) {
        let words: Vec<&str> = command.split_whitespace().take_while(|word| !word.starts_with('-')).collect();
        let help = crate::support::program().args(&words).arg("--help").output().unwrap();
        assert!(help.status.success(), "{command}");
        for flag in command.split_whitespace().filter(|word| word.starts_with("--")) {
            assert!(String::from_utf8_lossy(&help.stdout).contains(flag), "{command}: no {flag}");
        }
    }
}

struct Started(Child);

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn command(language: &str, code: &str, product: &Product) -> Command {
    let mut command = match language {
        "js" => {
            let mut command = Command::new("node");
            command.args(["--input-type=module", "-e", code]);
            command
        }
        "python" => {
            let mut command = Command::new("python3");
            command.args(["-c", code]);
            command
        }
        _ => {
            let mut command = Command::new("sh");
            command.args(["-c", code]);
            command
        }
    };
    command
        .env("PAY_URL", &product.base_url)
        .env("PAY_KEY", &product.public_key)
        .env("PAY_SECRET", &product.secret)
        .env("WEBHOOK_SECRET", &product.webhook_secret);
    command
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// Asks for a payment with one example, pays it, and sees that another example takes the event.
async fn pay_and_receive(language: &'static str, pay: &str, receive: &str) {
    let port = free_port();
    let gateway = TestGateway::spawn().await;
    let url = format!("http://127.0.0.1:{port}/hook");
    let product = gateway.product_with(Mode::Test, |options| options.webhook_url = Some(url)).await;
    let log = gateway.database.directory.join("receiver.log");
    let mut receiver = command(language, &example(receive), &product);
    receiver.env("PORT", port.to_string()).stdout(std::fs::File::create(&log).unwrap()).stderr(Stdio::null());
    let _receiver = Started(receiver.spawn().unwrap());
    eventually("the receiver listens", || async { std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() }).await;

    let mut asking = command(language, &example(pay), &product);
    let asked = tokio::task::spawn_blocking(move || asking.output().unwrap()).await.unwrap();
    assert!(asked.status.success(), "{}", String::from_utf8_lossy(&asked.stderr));
    let checkout_url = String::from_utf8(asked.stdout).unwrap().trim().to_owned();
    let payment_id = checkout_url.rsplit('/').next().unwrap().to_owned();
    assert_eq!(checkout_url, gateway.url(&format!("/mock/checkout/{payment_id}")));
    assert_eq!(gateway.act_at_checkout(&payment_id, "succeed").await.0, 303);
    let expected = format!("payment.succeeded {payment_id}");
    eventually("the receiver's line", || async { std::fs::read_to_string(&log).unwrap().contains(&expected) }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_node_examples_pay_and_verify() {
    pay_and_receive("js", "node-pay", "node-receive").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_python_examples_pay_and_verify() {
    pay_and_receive("python", "python-pay", "python-receive").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_receivers_of_the_readme_turn_a_forged_event_away() {
    for (language, receive) in [("js", "node-receive"), ("python", "python-receive")] {
        let gateway = TestGateway::spawn().await;
        let product = gateway.product(Mode::Test).await;
        let port = free_port();
        let mut receiver = command(language, &example(receive), &product);
        receiver.env("PORT", port.to_string()).stdout(Stdio::null()).stderr(Stdio::null());
        let _receiver = Started(receiver.spawn().unwrap());
        eventually("the receiver listens", || async { std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() })
            .await;
        let request = product.client.post(format!("http://127.0.0.1:{port}/hook"));
        let now = product.clock.now().unix_seconds().to_string();
        let forged = request.header("X-PAY-Timestamp", now).header("X-PAY-Signature", "0".repeat(64)).body("{}");
        assert_eq!(forged.send().await.unwrap().status().as_u16(), 401, "{language}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curl_example_makes_a_payment_once() {
    let gateway = TestGateway::spawn().await;
    let product = gateway.product(Mode::Test).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let mut asking = command("sh", &example("curl"), &product);
        let asked = tokio::task::spawn_blocking(move || asking.output().unwrap()).await.unwrap();
        let answer: Value = serde_json::from_slice(&asked.stdout).unwrap();
        ids.push(answer["payment_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned());
    }
    assert_eq!(ids[0], ids[1], "the second has the same idempotency key");
    assert_eq!(gateway.database.number("SELECT COUNT(*) FROM payments"), 1);
}
