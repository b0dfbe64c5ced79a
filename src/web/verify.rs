//! The page on which a counterparty checks a proof or a receipt of the balance ledger. Its script does it in the browser;
//! without the script the document is posted here and checked all the same. Nothing of it is kept.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Bytes, Payload};
use actix_web::{get, post};
use askama::Template;

use super::shell::{render, render_as};
use crate::domain::leaves::Leaf;
use crate::domain::notes::VerifierKey;
use crate::domain::proofs::{Document, Findings, Outcome};
use crate::error::{Code, Fault};
use crate::gateway::{Gateway, KnownRoot};
use crate::problem::Answered;

/// How long a posted document may take.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// The largest form, in bytes. What is larger is checked by the script, or on the command line.
const MAX_FORM_BYTES: usize = 4 << 20;
/// How many deltas of a receipt are listed.
const LISTED: usize = 100;

#[derive(Template)]
#[template(path = "verify.html")]
struct VerifyPage<'a> {
    document: &'a str,
    key: &'a str,
    looked_up: Option<LookedUp>,
    document_fault: Option<String>,
    key_fault: Option<String>,
    result: Option<Shown<'a>>,
}

/// What was found out about a document.
struct Shown<'a> {
    findings: Findings,
    proof_root: String,
    leaves: &'a [Leaf<'static>],
    more: usize,
}

impl Shown<'_> {
    /// How a check is marked: its class, its sign, and the same in words.
    fn mark(outcome: &Outcome) -> (&'static str, &'static str, &'static str) {
        match outcome {
            Outcome::Passed => ("passed", "✓", "Holds"),
            Outcome::Failed => ("failed", "✗", "Does not hold"),
            Outcome::NotChecked => ("unknown", "?", "Not checked"),
        }
    }
}

/// A root that somebody asks about, and what is known of it.
struct LookedUp {
    root: String,
    known: Option<KnownRoot>,
}

/// The form, with the key that this server publishes, and what is known of a root.
///
/// # Errors
/// When the database cannot be read, or the template cannot be rendered.
pub(super) async fn page(gateway: &Gateway, root: Option<String>) -> Answered {
    let looked_up = match root {
        Some(root) => Some(LookedUp { known: gateway.known_root(&root).await?, root }),
        None => None,
    };
    render(&VerifyPage {
        document: "",
        key: &gateway.verifier_key(),
        looked_up,
        document_fault: None,
        key_fault: None,
        result: None,
    })
}

/// Checks what was pasted. The form changes nothing, so it may come from anywhere.
#[post("/verify")]
pub async fn check_posted(payload: Payload) -> Answered {
    let body = read(payload).await?;
    let field = |name: &str| {
        let found = url::form_urlencoded::parse(&body).find(|(field, _)| field == name);
        found.map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    };
    let (text, key_text) = (field("document"), field("key"));
    let key = (!key_text.is_empty()).then(|| VerifierKey::parse(&key_text)).transpose();
    let document = Document::parse(&text);
    let result = match (&document, &key) {
        (Ok(document), Ok(key)) => Some(shown(document, key.as_ref())),
        _ => None,
    };
    let status = if result.is_some() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    let page = VerifyPage {
        document: &text,
        key: &key_text,
        looked_up: None,
        document_fault: document.as_ref().err().cloned(),
        key_fault: key.as_ref().err().map(ToString::to_string),
        result,
    };
    render_as(status, &page)
}

fn shown<'a>(document: &'a Document, key: Option<&VerifierKey>) -> Shown<'a> {
    let leaves = document.leaves();
    Shown {
        findings: document.check(key),
        proof_root: hex::encode(document.proof_root()),
        leaves: &leaves[..leaves.len().min(LISTED)],
        more: leaves.len().saturating_sub(LISTED),
    }
}

async fn read(payload: Payload) -> Result<Bytes, Fault> {
    let body = tokio::time::timeout(BODY_TIMEOUT, payload.to_bytes_limited(MAX_FORM_BYTES)).await;
    let body = body.map_err(|_| Fault::new(Code::RequestTimeout, "the form did not arrive within 10 seconds"))?;
    let too_large = |_| Fault::new(Code::BodyTooLarge, format!("a form may have {MAX_FORM_BYTES} bytes"));
    let broke_off = |_| Fault::new(Code::ValidationError, "the form broke off");
    body.map_err(too_large)?.map_err(broke_off)
}

/// The script of the page.
#[get("/static/verify.js")]
pub async fn script() -> actix_web::HttpResponse {
    super::assets::kept("text/javascript; charset=utf-8", include_str!("static/verify.js"))
}

/// The stylesheet of the page, besides the console's.
#[get("/static/verify.css")]
pub async fn stylesheet() -> actix_web::HttpResponse {
    super::assets::kept("text/css; charset=utf-8", include_str!("static/verify.css"))
}
