//! `switchyard balances`: receipts and proofs of the ledger, checked from files, without a database and a network; and the
//! audit of a database's ledger.

use std::io::Read;
use std::process::ExitCode;
use std::sync::Arc;

use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::Failure;
use crate::domain::mode::Mode;
use crate::domain::notes::VerifierKey;
use crate::domain::proofs::{Document, Findings, Outcome};
use crate::error::Code;
use crate::gateway::{AuditNews, AuditOptions, Audited, Gateway, LedgerFinding};

/// The exit code of bad arguments, as the parser of arguments has it.
const USAGE: u8 = 2;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Check a delta's proof or a scope's receipt against the published key.
    ///
    /// Nothing is asked of the server: the deltas are hashed, the hashes lead to the proof root, and the key signed the
    /// checkpoint of that root. Exit code 0 means verified, 1 not verified, 2 bad arguments.
    CheckProof(CheckArguments),
    /// Make the proof of a single delta out of a receipt that has all leaves.
    ///
    /// The proof goes to standard output. It shows nothing of the receipt's other deltas.
    Prove(ProveArguments),
    /// Derive the whole ledger anew from its rows, and name what is wrong.
    ///
    /// Every delta's content, its place, the chain of hashes, the sums, the trees, and the root and signature of every
    /// checkpoint. Of each line the first wrong record is named. A server may run meanwhile. Exit code 0 means intact, 1
    /// that something is wrong, 2 bad arguments.
    Verify(VerifyArguments),
}

#[derive(clap::Args)]
pub(super) struct CheckArguments {
    /// The proof or receipt as the server answered it (JSON), or - for standard input.
    file: String,
    /// The server's verifier key, as its /info page has it: name+id+base64.
    #[arg(long, value_name = "VERIFIER_KEY", value_parser = VerifierKey::parse)]
    key: VerifierKey,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct ProveArguments {
    /// The receipt as the server answered it (JSON), or - for standard input.
    file: String,
    /// The delta to prove.
    #[arg(long, value_name = "ID")]
    record: String,
    /// Print JSON on one line.
    #[arg(long)]
    json: bool,
}

#[derive(clap::Args)]
pub(super) struct VerifyArguments {
    /// The lines of one tenant alone.
    #[arg(long, value_name = "ID")]
    tenant: Option<String>,
    /// The lines of one mode alone.
    #[arg(long, value_parser = |text: &str| Mode::parse(text).ok_or("is not test, sandbox or live"))]
    mode: Option<Mode>,
    /// The key that checkpoints were signed with, if it is not this server's: name+id+base64.
    #[arg(long, value_name = "VERIFIER_KEY", value_parser = VerifierKey::parse)]
    key: Option<VerifierKey>,
    /// Print every finding as a line of JSON, and the totals as the last.
    #[arg(long)]
    json: bool,
}

/// Opens the database for those commands alone that need one.
pub(super) async fn run<F>(open: impl FnOnce() -> F, command: Command) -> Result<ExitCode, Failure>
where
    F: Future<Output = Result<Arc<Gateway>, Failure>>,
{
    let done = match command {
        Command::CheckProof(arguments) => check_proof(&arguments),
        Command::Prove(arguments) => prove(&arguments),
        Command::Verify(arguments) => return verify(&*open().await?, arguments).await,
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn verify(gateway: &Gateway, arguments: VerifyArguments) -> Result<ExitCode, Failure> {
    // It draws on a terminal only.
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} rows {per_sec} {eta}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let (shown, is_json) = (bar.clone(), arguments.json);
    let mut tell = move |news: AuditNews| match news {
        AuditNews::Progress { done, total } => {
            shown.set_length(total);
            shown.set_position(done);
        }
        AuditNews::Wrong(finding) => shown.suspend(|| print_finding(&finding, is_json)),
    };
    let options = AuditOptions { tenant_id: arguments.tenant, mode: arguments.mode, key: arguments.key };
    let outcome = gateway.audit_ledgers(options, &mut tell).await;
    bar.finish_and_clear();
    let audited = match outcome {
        Ok(audited) => audited,
        Err(fault) if fault.code == Code::NotFound => {
            eprintln!("error: --tenant: {}", fault.detail);
            return Ok(ExitCode::from(USAGE));
        }
        Err(fault) => return Err(fault.into()),
    };
    if arguments.json {
        println!("{}", json!({ "intact": audited.is_intact(), "totals": audited }));
    } else {
        print_audited(&audited);
    }
    Ok(if audited.is_intact() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print_finding(finding: &LedgerFinding, is_json: bool) {
    if is_json {
        println!("{}", json!(finding));
        return;
    }
    let LedgerFinding { tenant_id, mode, subject, what, expected, found } = finding;
    let line: String = [tenant_id, mode].into_iter().flatten().map(|part| format!("{part} ")).collect();
    println!("wrong  {line}{subject}: {what}: expected {expected}, found {found}");
}

fn print_audited(audited: &Audited) {
    let Audited { lines, deltas, waiting, customers, trees, checkpoints, wrong, further } = audited;
    println!(
        "{deltas} deltas in {lines} lines, {waiting} waiting; {customers} customers, {trees} trees, {checkpoints} \
         checkpoints"
    );
    match (wrong, further) {
        (0, _) => println!("Intact."),
        (wrong, 0) => println!("{wrong} findings."),
        (wrong, further) => println!("{wrong} findings, and {further} more behind the first of their kind."),
    }
}

fn check_proof(arguments: &CheckArguments) -> super::Done {
    let findings = read(&arguments.file)?.check(Some(&arguments.key));
    if arguments.json {
        println!("{}", serde_json::to_string(&findings)?);
    } else {
        print_findings(&findings);
    }
    if findings.verified { Ok(()) } else { Err(Failure::new(format!("{} is not verified", named(&arguments.file)))) }
}

fn print_findings(findings: &Findings) {
    for check in &findings.checks {
        let mark = match check.outcome {
            Outcome::Passed => "ok",
            Outcome::Failed => "FAILED",
            Outcome::NotChecked => "not checked",
        };
        println!("{:<12}{mark:<8}{}", check.name, check.sentence);
    }
    if findings.verified {
        println!("\nVerified.");
    }
}

fn prove(arguments: &ProveArguments) -> super::Done {
    let Document::Receipt(receipt) = read(&arguments.file)? else {
        return Err(Failure::with_hint(
            format!("{} is a delta's proof already", named(&arguments.file)),
            "check it with `switchyard balances check-proof`",
        ));
    };
    let proof = receipt.prove(&arguments.record).map_err(Failure::new)?;
    let written = if arguments.json { serde_json::to_string(&proof)? } else { serde_json::to_string_pretty(&proof)? };
    println!("{written}");
    Ok(())
}

fn read(file: &str) -> Result<Document, Failure> {
    let mut json = String::new();
    let outcome = match file {
        "-" => std::io::stdin().read_to_string(&mut json).map(drop),
        _ => std::fs::read_to_string(file).map(|text| json = text),
    };
    outcome.map_err(|error| Failure::new(format!("cannot read {}: {error}", named(file))))?;
    Document::parse(&json).map_err(|fault| {
        Failure::with_hint(
            format!("{}: {fault}", named(file)),
            "save the server's answer as it is, with or without its envelope",
        )
    })
}

fn named(file: &str) -> &str {
    if file == "-" { "standard input" } else { file }
}
