//! Proofs: what somebody needs to check a delta, a customer's month or the growth of the line with the published key alone.
//! How checkpoints are made is in `checkpoints`.

use serde::Serialize;

use super::balances::{Stretch, change_over};
use super::checkpoints::{CheckpointObject, CheckpointScope, checkpoint_not_found, unreadable};
use super::deltas::{delta_not_found, previous_hash};
use super::verifying::leaf_of;
use super::views::{Enveloped, render};
use super::{Gateway, Scope};
use crate::domain::balances::{Point, Window};
use crate::domain::decimals::Decimal;
use crate::domain::ids::DeltaId;
use crate::domain::leaves::Leaf;
use crate::domain::merkle::{Tree, parse_hash};
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::checkpoints::{CheckpointRow, Hashes, TreeRow};
use crate::store::{StoreError, checkpoints, delta_entries, deltas};

/// The most deltas that a receipt has.
pub const MOST_OF_A_RECEIPT: i64 = 10_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProofObject<'a> {
    record_id: &'a DeltaId,
    leaf_index: i64,
    tree_size: i64,
    audit_path: Vec<String>,
    proof_root: String,
    leaf_hash: String,
    leaf: Leaf<'a>,
    checkpoint: CheckpointObject,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Consistency {
    first: CheckpointObject,
    second: CheckpointObject,
    consistency_path: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Receipt<'a> {
    customer_id: &'a str,
    currency: Option<&'static str>,
    period: Option<&'a str>,
    proof_root: String,
    delta_count: i64,
    deltas_count: i64,
    starting_balance: Decimal,
    final_balance: Decimal,
    net_change: Decimal,
    checkpoint: CheckpointObject,
    leaves: Vec<Leaf<'a>>,
    verification: Verification<'a>,
    verify_url: &'a str,
    verification_api_url: &'a str,
    access_hint: Option<&'a str>,
    customer_link_url: Option<&'a str>,
    customer_link_host: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Verification<'a> {
    verify_url: &'a str,
    verification_api_url: &'a str,
    verification_reference: &'a str,
    verifier_key: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Known<'a> {
    verified: bool,
    proof_root: &'a str,
    recorded_at: Timestamp,
    summary: Summary,
    records: [(); 0],
    verification: PublicVerification<'a>,
}

/// What is known of a root.
#[derive(Clone, Copy, Debug)]
pub struct KnownRoot {
    /// Since when.
    pub recorded_at: Timestamp,
    /// How many deltas it covers.
    pub record_count: i64,
    /// What they come to; of everybody's, what API keys emitted.
    pub net_change: Decimal,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Summary {
    record_count: i64,
    net_change: Decimal,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PublicVerification<'a> {
    verification_reference: &'a str,
    verification_explorer_url: String,
    verifier_key: String,
}

impl Gateway {
    /// What proves a customer's deltas of a scope: all of them, and the signed root over them, rendered.
    ///
    /// # Errors
    /// 400 for more than 10,000 deltas; 403 without the scope; 404 when nothing is verified in it.
    pub async fn receipt(&self, scope: &Scope, customer_id: String, window: Window) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let of = CheckpointScope { customer_id: Some(customer_id.clone()), window };
        let found = self.find_scope(scope, of.clone()).await?;
        if found.stretch.length() > MOST_OF_A_RECEIPT {
            let detail = format!("a receipt has {MOST_OF_A_RECEIPT} deltas at the most; ask for a month");
            return Err(Fault::new(Code::ScopeTooWide, detail));
        }
        let (checkpoint, found) = self.checkpoint_now(scope, of).await?;
        let stretch = Stretch { last: found.stretch.first + checkpoint.size - 1, ..found.stretch };
        let public_url = self.settings.base_url();
        let verifier_key = self.verifier_key();
        self.read(move |conn| {
            let starting_balance = match delta_entries::at(conn, stretch.line, stretch.first - 1)? {
                Some(entry) => entry.customer_sum.decimal(),
                None => Decimal::ZERO,
            };
            let (_, net_change) = change_over(conn, stretch)?;
            let rows = delta_entries::stretch(conn, stretch.line, stretch.first, stretch.last)?;
            let before: Vec<i64> = rows.iter().map(|(entry, _)| entry.sequence - 1).collect();
            let before = delta_entries::hashes_at(conn, found.ledger_id, &before)?;
            let leaves: Option<Vec<Leaf<'_>>> = rows
                .iter()
                .map(|(entry, row)| {
                    let previous = before.get(&(entry.sequence - 1)).map(Vec::as_slice);
                    leaf_of(row, entry.sequence, previous, entry.verified_at)
                })
                .collect();
            let root = hex::encode(&checkpoint.root);
            let (page, api) =
                (format!("{public_url}/verify?root={root}"), format!("{public_url}/api/v1/verify/{root}"));
            Ok(render(&Enveloped::new(
                200,
                &Receipt {
                    customer_id: &customer_id,
                    currency: found.currency.map(Currency::code),
                    period: found.period.as_deref(),
                    proof_root: root.clone(),
                    delta_count: checkpoint.size,
                    deltas_count: checkpoint.size,
                    starting_balance,
                    final_balance: starting_balance.checked_add(net_change).ok_or(StoreError::Overflow)?,
                    net_change,
                    checkpoint: checkpoint.into(),
                    leaves: leaves.ok_or(StoreError::Missing)?,
                    verification: Verification {
                        verify_url: &page,
                        verification_api_url: &api,
                        verification_reference: &root,
                        verifier_key,
                    },
                    verify_url: &page,
                    verification_api_url: &api,
                    access_hint: None,
                    customer_link_url: None,
                    customer_link_host: None,
                },
            )))
        })
        .await
    }

    /// What proves one delta, with which the published key is enough, rendered.
    ///
    /// # Errors
    /// 403 without the scope; 404; 409 for a delta that is not verified.
    pub async fn delta_proof(&self, scope: &Scope, record_id: &str, checkpoint: Option<Point>) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let wanted = DeltaId::parse_either(record_id).ok_or_else(delta_not_found)?;
        let looked = tenant_id.clone();
        let standing = self.read(move |conn| deltas::find(conn, &looked, mode, &wanted)).await?;
        let (row, entry, _) = standing.ok_or_else(delta_not_found)?;
        let Some(entry) = entry else {
            return Err(Fault::new(Code::NotVerified, "the delta is not verified; ask how it stands"));
        };
        let (checkpoint, tree) = match checkpoint {
            Some(point) => self.find_checkpoint(scope, point).await?,
            None => self.checkpoint_covering(scope, &row.customer_id, entry.customer_sequence).await?,
        };
        let number = if tree.customer_key == 0 { entry.sequence } else { entry.customer_sequence };
        let is_of_tree =
            tree.ledger_id == entry.ledger_id && (tree.customer_key == 0 || tree.customer_key == entry.customer_key);
        let leaf_index = number - tree.first_leaf;
        if !is_of_tree || !(0..checkpoint.size).contains(&leaf_index) {
            return Err(Fault::new(Code::NotFound, "the checkpoint does not cover this delta"));
        }
        self.read(move |conn| {
            let (index, size) = (u64::try_from(leaf_index).unwrap_or(0), u64::try_from(checkpoint.size).unwrap_or(0));
            let mut hashes = Hashes { conn, tree: &tree };
            let path = Tree::new(&mut hashes, size).inclusion_path(index).map_err(unreadable)?;
            let previous = previous_hash(conn, entry.ledger_id, entry.sequence)?;
            let leaf = leaf_of(&row, entry.sequence, previous.as_deref(), entry.verified_at);
            Ok(render(&Enveloped::new(
                200,
                &ProofObject {
                    record_id: &row.record_id,
                    leaf_index,
                    tree_size: checkpoint.size,
                    audit_path: path.iter().map(hex::encode).collect(),
                    proof_root: hex::encode(&checkpoint.root),
                    leaf_hash: hex::encode(&entry.leaf_hash),
                    leaf: leaf.ok_or(StoreError::Missing)?,
                    checkpoint: checkpoint.into(),
                },
            )))
        })
        .await
    }

    /// A checkpoint of a customer's whole line that covers the entry with this number, made if there is none.
    async fn checkpoint_covering(
        &self,
        scope: &Scope,
        customer_id: &str,
        number: i64,
    ) -> Outcome<(CheckpointRow, TreeRow)> {
        let of = CheckpointScope { customer_id: Some(customer_id.to_owned()), window: Window::All };
        let found = self.find_scope(scope, of.clone()).await?;
        if let Some(tree) = found.tree {
            let tree_id = tree.tree_id;
            if let Some(there) = self.read(move |conn| checkpoints::covering(conn, tree_id, number)).await? {
                return Ok((there, tree));
            }
        }
        let (made, _) = self.checkpoint_now(scope, of).await?;
        self.find_checkpoint(scope, Point::Checkpoint(made.checkpoint_id)).await
    }

    async fn find_checkpoint(&self, scope: &Scope, point: Point) -> Outcome<(CheckpointRow, TreeRow)> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let found = self
            .read(move |conn| match &point {
                Point::Checkpoint(checkpoint_id) => checkpoints::find(conn, &tenant_id, mode, checkpoint_id),
                Point::Root(root) => checkpoints::of_root_in(conn, &tenant_id, mode, root),
                Point::Delta(_) => Ok(None),
            })
            .await?;
        found.ok_or_else(checkpoint_not_found)
    }

    /// What shows that the larger of two checkpoints of one scope only adds to the smaller, rendered.
    ///
    /// # Errors
    /// 400 for checkpoints of two scopes; 403 without the scope; 404.
    pub async fn checkpoint_consistency(&self, scope: &Scope, [one, other]: [Point; 2]) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (one, tree) = self.find_checkpoint(scope, one).await?;
        let (other, other_tree) = self.find_checkpoint(scope, other).await?;
        if tree.tree_id != other_tree.tree_id {
            return Err(Fault::invalid("with", "must be a checkpoint of the same customer and month"));
        }
        let (first, second) = if one.size <= other.size { (one, other) } else { (other, one) };
        self.read(move |conn| {
            let (smaller, larger) = (u64::try_from(first.size).unwrap_or(0), u64::try_from(second.size).unwrap_or(0));
            let mut hashes = Hashes { conn, tree: &tree };
            let path = Tree::new(&mut hashes, larger).consistency_path(smaller).map_err(unreadable)?;
            let consistency_path = path.iter().map(hex::encode).collect();
            Ok(render(&Enveloped::new(
                200,
                &Consistency { first: first.into(), second: second.into(), consistency_path },
            )))
        })
        .await
    }

    /// What anyone who has a root may know of it; `None` when no checkpoint has it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn known_root(&self, root: &str) -> Outcome<Option<KnownRoot>> {
        let Some(root) = parse_hash(root) else { return Ok(None) };
        let checkpoint = self.read(move |conn| checkpoints::of_root(conn, &root)).await?;
        Ok(checkpoint.map(|checkpoint| KnownRoot {
            recorded_at: checkpoint.created_at,
            record_count: checkpoint.size,
            net_change: checkpoint.net_change.decimal(),
        }))
    }

    /// The same, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn verify_root(&self, root: &str) -> Outcome<String> {
        let known = self.known_root(root).await?;
        let known = known.ok_or_else(|| Fault::new(Code::NotFound, "no checkpoint has this root"))?;
        let root = root.trim_start_matches("0x").to_ascii_lowercase();
        Ok(render(&Enveloped::new(
            200,
            &Known {
                verified: true,
                proof_root: &root,
                recorded_at: known.recorded_at,
                summary: Summary { record_count: known.record_count, net_change: known.net_change },
                records: [],
                verification: PublicVerification {
                    verification_reference: &root,
                    verification_explorer_url: format!("{}/verify?root={root}", self.settings.base_url()),
                    verifier_key: self.verifier_key(),
                },
            },
        )))
    }
}
