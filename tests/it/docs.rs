//! Every code block of the documentation is run, page by page, as a reader in each of the languages would: in a project of
//! his own, against a real server. What a page says a program prints, it prints.
//!
//! A comment before a block says what is special: `run: NAME` starts a program that stays, `seen: NAME` is what it shows
//! in time, `run: machine` is run by `tests/package`, `run: postgres` against a database of its own, and `given` is what
//! this test gives to all.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;
use switchyard::domain::secrets::random_hex;
use switchyard::store::Target;

use crate::api_keys::made_key;
use crate::person::Person;
use crate::support::{Product, TestDatabase, TestGateway, program, program_on};
use crate::tenant_apps::product_of;

const LANGUAGES: [&str; 3] = ["curl", "ts", "python"];

/// How long one program may take.
const PATIENCE: Duration = Duration::from_secs(60);

struct Block {
    language: String,
    /// What the comment before it says: a word, and a name where there is one.
    directive: (String, String),
    code: String,
    /// Whether nothing but comments is between it and the block before: it is a tab beside that one.
    is_beside: bool,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn blocks(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(root().join("docs").join(page).with_extension("md")).unwrap();
    let (mut found, mut directive, mut open) = (Vec::new(), (String::new(), String::new()), None::<Block>);
    let mut is_beside = false;
    for line in text.lines() {
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some("")) => found.extend(open.take()),
            (Some(block), _) => block.code.push_str(&format!("{line}\n")),
            (None, Some(language)) => {
                let language = language.to_owned();
                let directive = std::mem::take(&mut directive);
                open = Some(Block { language, directive, code: String::new(), is_beside });
                is_beside = true;
            }
            (None, None) => {
                if let Some(comment) = line.strip_prefix("<!-- ").and_then(|line| line.strip_suffix(" -->")) {
                    let (word, name) = comment.split_once(": ").unwrap_or((comment, ""));
                    directive = (word.to_owned(), name.to_owned());
                } else {
                    is_beside = false;
                }
            }
        }
    }
    assert!(open.is_none(), "{page} has a block without an end");
    found
}

/// A reader: one page, one language, a directory and what runs in it.
struct Reader {
    page: &'static str,
    language: &'static str,
    directory: PathBuf,
    port: u16,
    gateway: TestGateway,
    product: Product,
    api_key: String,
    /// Programs of one kind that follow each other are one: its language and its text.
    written: Option<(String, String)>,
    /// What the last one printed.
    printed: String,
    staying: Vec<(String, Child)>,
}

impl Drop for Reader {
    fn drop(&mut self) {
        for (_, child) in &mut self.staying {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Reader {
    async fn new(page: &'static str, language: &'static str) -> Self {
        let gateway = TestGateway::spawn().await;
        let person = Person::registered(&gateway, "reader@example.com").await;
        let product = product_of(&gateway, &person).await;
        let api_key = made_key(&person, json!({})).await["fullKey"].as_str().unwrap().to_owned();
        let directory = gateway.database.directory.join("project");
        std::fs::create_dir_all(directory.join("node_modules")).unwrap();
        std::fs::write(directory.join("package.json"), r#"{"private": true, "type": "module"}"#).unwrap();
        // Elsewhere than on the page that installs it, the client is there already.
        if page != "start" {
            let client = root().join("sdk/typescript");
            std::os::unix::fs::symlink(client, directory.join("node_modules/switchyard-pay")).unwrap();
        }
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (written, printed, staying) = (None, String::new(), Vec::new());
        Self { page, language, directory, port, gateway, product, api_key, written, printed, staying }
    }

    /// The code with the addresses of this test in place of the usual ones.
    fn adapted(&self, code: &str) -> String {
        let server = self.gateway.server.url();
        code.replace("http://localhost:8080", &server)
            .replace("localhost:3000", &format!("127.0.0.1:{}", self.port))
            .replace("3000", &self.port.to_string())
    }

    fn command(&self, language: &str, code: &str, name: &str) -> Command {
        let code = self.adapted(code);
        let write = |extension: &str, code: &str| {
            let file = self.directory.join(name).with_extension(extension);
            std::fs::write(&file, code).unwrap();
            file
        };
        let mut command = program_on(&self.gateway.database);
        // Only what `program_on` says of the database is wanted of it.
        let settings: Vec<(std::ffi::OsString, std::ffi::OsString)> =
            command.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))).collect();
        command = match language {
            "ts" => {
                let mut command = Command::new("node");
                command.arg(write("mjs", &code));
                command
            }
            "python" => {
                let own = self.directory.join(".venv/bin/python");
                let mut command = Command::new(if own.exists() { own } else { "python3".into() });
                if self.page != "start" || self.language != "python" {
                    command.env("PYTHONPATH", root().join("sdk/python/src"));
                }
                command.arg(write("py", &code));
                command
            }
            _ => {
                let mut command = Command::new("bash");
                // The function that a reader has from the page about signing.
                let signing = blocks("signing").into_iter().find(|block| block.language == "curl").unwrap().code;
                let signing = signing.split_inclusive("\n}\n").next().unwrap();
                command.arg(write("sh", &format!("set -euo pipefail\n{signing}{code}")));
                command
            }
        };
        let program = PathBuf::from(program().get_program());
        let path = std::env::var("PATH").unwrap();
        command
            .current_dir(&self.directory)
            .envs(settings)
            .env("PATH", format!("{}:{path}", program.parent().unwrap().display()))
            .env("SWITCHYARD", root())
            .env("PAY_URL", self.gateway.server.url())
            .env("PAY_KEY", &self.product.public_key)
            .env("PAY_SECRET", &self.product.secret)
            .env("PAY_API_KEY", &self.api_key)
            .env("WEBHOOK_SECRET", "00".repeat(32))
            .stdin(Stdio::null());
        command
    }

    /// Runs what was written so far, to its end.
    async fn run(&mut self) {
        let Some((language, code)) = self.written.take() else { return };
        let log = self.directory.join("printed");
        let said = self.directory.join("said");
        let mut command = self.command(&language, &code, &format!("program-{}", random_hex(4)));
        command.stdout(std::fs::File::create(&log).unwrap()).stderr(std::fs::File::create(&said).unwrap());
        let mut child = command.spawn().unwrap();
        let began = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if began.elapsed() > PATIENCE {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        self.printed = std::fs::read_to_string(&log).unwrap();
        let said = std::fs::read_to_string(&said).unwrap();
        let (page, printed) = (self.page, &self.printed);
        assert!(
            status.is_some_and(|status| status.success()),
            "{page}, {language}: {status:?}\n{code}\n{printed}\n{said}"
        );
    }

    fn log_of(&self, name: &str) -> PathBuf {
        self.directory.join(name).with_extension("log")
    }

    /// Starts a program that stays.
    async fn start(&mut self, name: &str, language: &str, code: &str) {
        let mut command = self.command(language, code, name);
        if name == "server" {
            // The reader's own, beside the one of this test.
            let directory = self.directory.join("server");
            std::fs::create_dir_all(&directory).unwrap();
            command.env("SWITCHYARD__DATABASE__URL", format!("sqlite:{}/own.db", directory.display()));
            command.env("SWITCHYARD__SECRETS__KEY_FILE", directory.join("own.key"));
        }
        let log = std::fs::File::create(self.log_of(name)).unwrap();
        command.stdout(log.try_clone().unwrap()).stderr(log);
        // A shell becomes the program, so that ending the one ends the other.
        if !LANGUAGES[1..].contains(&language) {
            let file = self.directory.join(name).with_extension("sh");
            std::fs::write(file, format!("exec {}", self.adapted(code).trim())).unwrap();
        }
        self.staying.push((name.to_owned(), command.spawn().unwrap()));
        match name {
            "receiver" => {
                let port = self.port;
                self.wait_for(name, "listens", || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()).await;
            }
            "server" => self.wait_for_text(name, "serving").await,
            _ => self.wait_for_text(name, "Ctrl-C ends.").await,
        }
    }

    async fn wait_for_text(&mut self, name: &str, text: &str) {
        let log = self.log_of(name);
        self.wait_for(name, text, || matches(&std::fs::read_to_string(&log).unwrap(), text)).await;
    }

    async fn wait_for(&mut self, name: &str, what: &str, condition: impl Fn() -> bool) {
        let began = Instant::now();
        while !condition() {
            let log = std::fs::read_to_string(self.log_of(name)).unwrap();
            let is_late = began.elapsed() > PATIENCE;
            let has_ended =
                self.staying.iter_mut().any(|(other, child)| other == name && child.try_wait().unwrap().is_some());
            assert!(!is_late && !has_ended, "{}, {}: {name}: no {what}:\n{log}", self.page, self.language);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Reads the page to its end.
    async fn read(&mut self) {
        let mut group: Vec<String> = Vec::new();
        for block in blocks(self.page) {
            let Block { language, directive: (word, name), code, is_beside } = block;
            let spoken = language.trim_end_matches("-sh");
            let is_for_others = LANGUAGES.contains(&spoken) && spoken != self.language;
            match (language.as_str(), word.as_str(), name.as_str()) {
                ("text", "seen", name) => {
                    self.run().await;
                    for line in code.lines() {
                        self.wait_for_text(name, line).await;
                    }
                }
                ("text", ..) => {
                    self.run().await;
                    let is_mine = group.iter().any(|language| [self.language, "sh"].contains(&language.as_str()));
                    for line in code.lines().filter(|_| is_mine) {
                        let (printed, line) = (&self.printed, self.adapted(line));
                        assert!(matches(printed, &line), "{}, {}: no {line}:\n{printed}", self.page, self.language);
                    }
                }
                ("json", ..) => {
                    let _: serde_json::Value = serde_json::from_str(&code).unwrap();
                }
                ("toml", ..) => {
                    let file = self.directory.join("settings.toml");
                    std::fs::write(&file, &code).unwrap();
                    switchyard::config::Settings::load(Some(&file)).unwrap();
                }
                (_, "given", _) => {
                    let given = ["PAY_URL", "PAY_KEY", "PAY_SECRET", "WEBHOOK_SECRET", "PAY_API_KEY"];
                    assert!(code.lines().zip(given).all(|(line, name)| line.starts_with(&format!("export {name}="))));
                }
                (_, "run", "machine") => {}
                (_, "run", "postgres") => on_postgres(&self.directory, &code),
                (language, "run", name) if name != "operator" => {
                    self.run().await;
                    // Who has no choice of his own takes that in Python.
                    let is_mine = |block: &Block| block.directive.1 == name && block.language == self.language;
                    let is_last_resort = language == "python" && !blocks(self.page).iter().any(is_mine);
                    if !is_for_others || is_last_resort {
                        self.start(name, language, &code).await;
                    }
                }
                (language, ..) => {
                    let runner = if language == "ts" || language == "python" { language } else { "sh" };
                    if !is_for_others {
                        if self.written.as_ref().is_some_and(|(other, _)| other != runner) {
                            self.run().await;
                        }
                        let (_, text) = self.written.get_or_insert((runner.to_owned(), String::new()));
                        text.push_str(&code);
                    }
                    if !is_beside {
                        group.clear();
                    }
                    group.push(language.to_owned());
                }
            }
            // Programs in the same language on one page are programs of their own.
            if self.written.as_ref().is_some_and(|(language, _)| language != "sh") {
                self.run().await;
            }
        }
        self.run().await;
    }
}

/// Whether a line of `text` is `line`, in which `…` stands for anything.
fn matches(text: &str, line: &str) -> bool {
    let parts: Vec<&str> = line.trim().split('…').collect();
    text.lines().any(|candidate| {
        let mut rest = candidate;
        parts.iter().all(|part| match rest.split_once(part) {
            Some((_, after)) => {
                rest = after;
                true
            }
            None => false,
        })
    })
}

/// Runs lines about PostgreSQL against a database that is made for them.
fn on_postgres(directory: &Path, code: &str) {
    let database = TestDatabase::new();
    let Target::Postgres(url) = &database.target else { return };
    let tools = crate::backups::postgres_tools();
    let run = |script: String| {
        let path = format!("{}:{}", tools.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command
            .current_dir(directory)
            .env("PATH", path)
            .env("DATABASE_URL", url)
            .args(["-euo", "pipefail", "-c", &script]);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    let program = PathBuf::from(program().get_program());
    let ours = format!("export SWITCHYARD__DATABASE__URL=$DATABASE_URL; {}", program.display());
    run(code.to_owned());
    run(format!("{ours} balances verify"));
}

async fn read_in_every_language(page: &'static str) {
    for language in LANGUAGES {
        // A page without any of it says the same to everybody.
        if language == "curl" || blocks(page).iter().any(|block| block.language == language) {
            Reader::new(page, language).await.read().await;
        }
    }
}

macro_rules! pages {
    ($($test:ident: $page:literal,)*) => {
        const PAGES: &[&str] = &[$($page),*];
        $(
            #[actix_web::test]
            async fn $test() {
                read_in_every_language($page).await;
            }
        )*
    };
}

pages! {
    the_page_to_start_with_does_what_it_says: "start",
    the_page_about_modes_does_what_it_says: "modes",
    the_page_about_testing_does_what_it_says: "testing",
    the_page_about_local_events_does_what_it_says: "local",
    the_page_about_signing_does_what_it_says: "signing",
    the_page_about_webhooks_does_what_it_says: "webhooks",
    the_page_about_idempotency_does_what_it_says: "idempotency",
    the_page_about_errors_does_what_it_says: "errors",
    the_page_about_invoices_does_what_it_says: "invoices",
    the_page_about_the_ledger_does_what_it_says: "ledger",
    the_page_about_nicepay_does_what_it_says: "nicepay",
    the_page_about_polar_does_what_it_says: "polar",
    the_page_about_paypal_does_what_it_says: "paypal",
    the_page_about_going_live_does_what_it_says: "going-live",
    the_page_about_operating_does_what_it_says: "operating",
    the_page_about_settings_does_what_it_says: "settings",
    the_page_about_security_does_what_it_says: "security",
}

#[test]
fn every_page_is_read_here_and_every_block_is_of_a_kind_that_is_run() {
    let mut files: Vec<String> = std::fs::read_dir(root().join("docs"))
        .unwrap()
        .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
        .collect();
    let mut read: Vec<&str> = PAGES.to_vec();
    files.sort();
    read.sort_unstable();
    assert_eq!(files, read);
    let known = ["curl", "ts", "python", "sh", "ts-sh", "python-sh", "json", "toml", "text"];
    let on_the_machine = std::fs::read_to_string(root().join("tests/package")).unwrap();
    for page in PAGES {
        for Block { language, directive, .. } in blocks(page) {
            assert!(known.contains(&language.as_str()), "{page}: {language}");
            if directive.1 == "machine" {
                assert!(on_the_machine.contains(&format!("docs/{page}.md")), "{page} is not run by tests/package");
            }
        }
    }
}

#[actix_web::test]
async fn the_documentation_is_found_by_its_words_and_every_link_in_it_leads_somewhere() {
    let gateway = TestGateway::spawn().await;
    let found = gateway.fetch("/docs/search?q=idempotency+key").await.expect_status(200).text;
    assert!(found.contains(r#"href="/docs/idempotency#a-key-for-every-post""#), "{found}");
    let nothing = gateway.fetch("/docs/search?q=%3Cscript%3Ealert(1)").await.expect_status(200).text;
    assert!(nothing.contains("Nothing has all of these words") && !nothing.contains("<script>"), "{nothing}");
    let operation = gateway.fetch("/docs/search?q=redeliver").await.text;
    assert!(operation.contains("/docs/api#post-v1-events-redeliver"), "{operation}");
    gateway.fetch("/docs/nowhere").await.expect_error(404, "NotFound");

    let mut waiting = vec!["/docs".to_owned()];
    let mut seen = std::collections::BTreeMap::<String, String>::new();
    while let Some(path) = waiting.pop() {
        if seen.contains_key(&path) {
            continue;
        }
        let page = gateway.fetch(&path).await.expect_status(200).text;
        let links = page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
        for link in links.collect::<Vec<_>>() {
            let path = link.split('#').next().unwrap();
            if path.starts_with("/docs") {
                waiting.push(path.to_owned());
            }
        }
        seen.insert(path, page);
    }
    assert!(seen.len() > PAGES.len(), "{:?}", seen.keys());
    for (path, page) in &seen {
        for link in page.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            let Some((target, anchor)) = link.split_once('#') else { continue };
            let target = if target.is_empty() { path } else { target };
            let has_it = seen.get(target).is_some_and(|page| page.contains(&format!("id=\"{anchor}\"")));
            assert!(has_it, "{path} leads to {link}, which is not there");
        }
    }
}
