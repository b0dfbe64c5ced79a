//! `switchyard balances`: receipts and proofs of the ledger, checked from files, without a database and a network.

use std::io::Read;

use super::{Done, Failure};
use crate::domain::notes::VerifierKey;
use crate::domain::proofs::{Document, Findings, Outcome};

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

pub(super) fn run(command: Command) -> Done {
    match command {
        Command::CheckProof(arguments) => check_proof(&arguments),
        Command::Prove(arguments) => prove(&arguments),
    }
}

fn check_proof(arguments: &CheckArguments) -> Done {
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

fn prove(arguments: &ProveArguments) -> Done {
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
