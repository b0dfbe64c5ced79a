//! One delta of the ledger: its place in the line, its hashes, and the file that proves it. Lists of deltas are at their
//! customer's and their payment's pages.

use actix_web::get;
use actix_web::web::{Data, Path};
use askama::Template;

use super::balances::customer_path;
use super::decimals::{amount, change};
use super::exports::document;
use super::listing::{address_of, grouped};
use super::shell::{Shell, Visitor, render};
use super::times::Moment;
use crate::domain::money::Currency;
use crate::gateway::{DeltaFacts, DeltaPlace, Gateway};
use crate::problem::Answered;

const PATH: &str = "/console/deltas";

/// A delta in a list.
pub(super) struct DeltaRow {
    pub path: String,
    pub record_id: String,
    pub customer_path: String,
    pub amount: String,
    pub currency: &'static str,
    pub reason: String,
    pub reference: String,
    /// Where the payment is that it was posted for, or whose refund.
    pub reference_path: Option<String>,
    pub status: &'static str,
    pub created: Moment,
    pub place: Option<PlaceRow>,
}

/// A delta's place in the line.
pub(super) struct PlaceRow {
    pub sequence: String,
    pub customer_sequence: String,
    pub balance: String,
    pub proof_hash: String,
    pub verified: Moment,
}

impl PlaceRow {
    fn new(shell: &Shell, place: &DeltaPlace, currency: Option<Currency>) -> Self {
        Self {
            sequence: grouped(place.sequence),
            customer_sequence: grouped(place.customer_sequence),
            balance: amount(place.balance_after, currency),
            proof_hash: place.proof_hash.clone(),
            verified: shell.time(&place.verified_at),
        }
    }
}

impl DeltaRow {
    pub(super) fn new(shell: &Shell, delta: &DeltaFacts) -> Self {
        let of_payment =
            |payment_id: &crate::domain::ids::PaymentId| address_of("/console/payments", payment_id.as_str());
        Self {
            path: address_of(PATH, delta.record_id.as_str()),
            record_id: delta.record_id.to_string(),
            customer_path: customer_path(&delta.customer_id),
            amount: change(delta.delta, delta.currency),
            currency: delta.currency.map_or("", Currency::code),
            reason: delta.reason.clone(),
            reference: delta.reference_id.clone().unwrap_or_default(),
            reference_path: delta.payment_id.as_ref().map(of_payment),
            status: match delta.status {
                "VERIFIED" => "verified",
                "FAILED" => "failed",
                _ => "queued",
            },
            created: shell.time(&delta.created_at),
            place: delta.place.as_ref().map(|place| PlaceRow::new(shell, place, delta.currency)),
        }
    }
}

#[derive(Template)]
#[template(path = "delta.html")]
struct DeltaPage {
    shell: Shell,
    row: DeltaRow,
    customer: String,
    error: String,
    content_hash: String,
    previous_hash: Option<String>,
    metadata: String,
}

/// One delta.
#[get("/console/deltas/{record_id}")]
pub async fn detail(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>) -> Answered {
    let shell = Shell::new(&visitor, "balances");
    let (delta, previous_hash) = gateway.delta_facts(&visitor.scope, &path).await?;
    render(&DeltaPage {
        row: DeltaRow::new(&shell, &delta),
        customer: delta.customer_id,
        error: delta.error.unwrap_or_default(),
        content_hash: delta.content_hash,
        previous_hash,
        metadata: delta.metadata.unwrap_or_default(),
        shell,
    })
}

/// What proves a delta, as a file.
#[get("/console/deltas/{record_id}/proof")]
pub async fn proof(gateway: Data<Gateway>, visitor: Visitor, path: Path<String>) -> Answered {
    let proof = gateway.delta_proof(&visitor.scope, &path, None).await?;
    Ok(document(&format!("proof-{path}"), "json", "application/json", proof))
}
