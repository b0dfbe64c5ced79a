//! Mail that really goes out, over SMTP to a server of the test's own, and what happens when that server is away. And
//! what a server says that has no mail server but could be reached by others.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use switchyard::clock::Clock;
use switchyard::domain::secrets::Secret;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::person::{PASSWORD, post};
use crate::support::{ServingProgram, TestDatabase, TestGateway, eventually, program_on};

/// What the server took: the envelope's recipient and the whole message.
type Taken = Arc<Mutex<Vec<(String, String)>>>;

/// A mail server that speaks as much SMTP as a client needs. `answer` is what it says to a recipient.
struct SmtpServer {
    taken: Taken,
    answer: Arc<Mutex<&'static str>>,
}

impl SmtpServer {
    async fn start(port: u16) -> (Self, u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { taken: Taken::default(), answer: Arc::new(Mutex::new("250 OK")) };
        let (taken, answer) = (Arc::clone(&server.taken), Arc::clone(&server.answer));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&taken), Arc::clone(&answer)));
            }
        });
        (server, port)
    }

    fn taken(&self) -> Vec<(String, String)> {
        self.taken.lock().unwrap().clone()
    }
}

async fn converse(stream: TcpStream, taken: Taken, answer: Arc<Mutex<&'static str>>) {
    let (reading, mut writing) = stream.into_split();
    let mut lines = BufReader::new(reading).lines();
    let mut recipient = String::new();
    writing.write_all(b"220 test ESMTP\r\n").await.unwrap();
    while let Ok(Some(line)) = lines.next_line().await {
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
        let reply = match verb.as_str() {
            "EHLO" | "HELO" => "250 test".to_owned(),
            "RCPT" => {
                recipient = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                (*answer.lock().unwrap()).to_owned()
            }
            "DATA" => {
                writing.write_all(b"354 go on\r\n").await.unwrap();
                let mut message = String::new();
                while let Ok(Some(line)) = lines.next_line().await {
                    if line == "." {
                        break;
                    }
                    message.push_str(&line);
                    message.push('\n');
                }
                taken.lock().unwrap().push((recipient.clone(), message));
                "250 taken".to_owned()
            }
            "QUIT" => {
                let _ = writing.write_all(b"221 bye\r\n").await;
                return;
            }
            _ => "250 OK".to_owned(),
        };
        if writing.write_all(format!("{reply}\r\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn gateway_with_mail(port: u16) -> TestGateway {
    TestGateway::spawn_with(Clock::manual(Clock::system().now()), false, |settings| {
        settings.public_url = "https://pay.example.com".to_owned();
        settings.mail_smtp_url = Some(Secret::new(format!("smtp://127.0.0.1:{port}")));
        settings.mail_from = "Payments <pay@example.com>".to_owned();
    })
    .await
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn register(gateway: &TestGateway, email: &str) {
    let body =
        json!({ "email": email, "password": PASSWORD, "firstName": "Ann", "lastName": "Lee", "companyName": "Lee" });
    let (status, answer) = post(gateway, "/dashboard/auth/register", body).await;
    assert_eq!(status, 201, "{answer}");
}

fn mails_in(gateway: &TestGateway, state: &str) -> i64 {
    gateway.database.number(&format!("SELECT COUNT(*) FROM mails WHERE state = '{state}'"))
}

#[tokio::test]
async fn mail_goes_out_by_the_server_of_the_settings_and_its_link_works() {
    let (server, port) = SmtpServer::start(0).await;
    let gateway = gateway_with_mail(port).await;
    register(&gateway, "ann@example.com").await;
    gateway.step().await;
    let taken = server.taken();
    assert_eq!((taken.len(), mails_in(&gateway, "sent")), (1, 1));
    let (recipient, message) = &taken[0];
    assert_eq!(recipient, "ann@example.com");
    for line in ["From: Payments <pay@example.com>", "To: ann@example.com", "Subject: Confirm your address"] {
        assert!(message.contains(line), "no {line} in {message}");
    }
    // Quoted-printable, as mail programs read it.
    let message = message.replace("=\n", "").replace("=3D", "=");
    let link = message.split_whitespace().find(|word| word.contains("token=")).unwrap();
    let path = link.strip_prefix("https://pay.example.com/verify").unwrap();
    let verified = reqwest::get(gateway.url(&format!("/dashboard/auth/verify{path}"))).await.unwrap();
    assert_eq!(verified.status(), 200);
    gateway.step().await;
    assert_eq!(server.taken().len(), 1, "it is sent once");
    assert_eq!(reqwest::get(gateway.url("/outbox")).await.unwrap().status(), 404);
}

#[tokio::test]
async fn mail_is_tried_again_when_the_server_is_down() {
    let port = free_port();
    let gateway = gateway_with_mail(port).await;
    register(&gateway, "ann@example.com").await;
    gateway.step().await;
    assert_eq!(mails_in(&gateway, "pending"), 1);
    let (server, _) = SmtpServer::start(port).await;
    gateway.step().await;
    assert_eq!(server.taken().len(), 0, "it waits before it tries again");
    *server.answer.lock().unwrap() = "451 try again later";
    gateway.advance(Duration::from_secs(10)).await;
    assert_eq!((server.taken().len(), mails_in(&gateway, "pending")), (0, 1));
    *server.answer.lock().unwrap() = "250 OK";
    gateway.advance(Duration::from_secs(60)).await;
    assert_eq!((server.taken().len(), mails_in(&gateway, "sent")), (1, 1));
    assert_eq!(gateway.database.number("SELECT attempts FROM mails"), 3);
}

#[tokio::test]
async fn mail_that_the_server_will_never_take_is_given_up() {
    let (server, port) = SmtpServer::start(0).await;
    *server.answer.lock().unwrap() = "550 no such user";
    let gateway = gateway_with_mail(port).await;
    register(&gateway, "ann@example.com").await;
    gateway.step().await;
    assert_eq!((server.taken().len(), mails_in(&gateway, "dead")), (0, 1));
}

#[tokio::test]
async fn a_server_that_others_reach_says_at_start_and_to_the_doctor_that_sign_up_is_closed() {
    let database = TestDatabase::new();
    let reachable = [("SWITCHYARD__SERVER__PUBLIC_URL", "https://pay.example.com")];
    let serving = ServingProgram::start(&database, &reachable).await;
    let log = database.directory.join("serve.log");
    let said = || std::fs::read_to_string(&log).unwrap();
    eventually("the log says so", || async { said().contains("sign-up is closed") }).await;
    assert!(said().contains("mail.smtp_url"), "{}", said());
    let sign_up = |variables: &[(&str, &str)]| -> Value {
        let mut doctor = program_on(&database);
        doctor.args(["doctor", "--json"]).envs(variables.iter().copied()).stdin(Stdio::null());
        let ran = doctor.output().unwrap();
        let report: Value = serde_json::from_slice(&ran.stdout).unwrap();
        let checks = report["checks"].as_array().unwrap();
        checks.iter().find(|check| check["check"] == "sign-up").unwrap().clone()
    };
    let closed = sign_up(&reachable);
    assert_eq!(closed["result"], "warning");
    assert!(closed["detail"].as_str().unwrap().contains("mail.smtp_url"), "{closed}");
    let mail = ("SWITCHYARD__MAIL__SMTP_URL", "smtp://127.0.0.1:1025");
    assert_eq!(sign_up(&[reachable[0], mail])["result"], "ok");
    assert_eq!(sign_up(&[])["result"], "ok");
    serving.terminate().await;
}
