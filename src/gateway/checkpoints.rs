//! Checkpoints: the signed root of the tree over a stretch of the line. What is proven with them is in `proving`, the
//! algorithms in `domain::merkle`, the signed text in `domain::notes`.

use serde::Serialize;

use super::audit::{self, Deed};
use super::balance_customers::customer_not_found;
use super::balances::{Stretch, change_over, stretch_of};
use super::views::{Enveloped, render};
use super::webhook_endpoints::tenant_event;
use super::{Gateway, Scope};
use crate::config::Settings;
use crate::domain::balances::Window;
use crate::domain::decimals::Decimal;
use crate::domain::ids::{CheckpointId, EventId};
use crate::domain::merkle::{Frontier, Hash, Stored, TreeFault};
use crate::domain::money::Currency;
use crate::domain::notes::{CheckpointText, origin, span};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::checkpoints::{CheckpointRow, Hashes, NodeRow, TreeRow};
use crate::store::delta_entries::Line;
use crate::store::{Lane, Page, StoreError, checkpoints, events, ledger_customers, ledgers};

/// How many leaf hashes are read at once while a tree grows: no connection is held for longer.
const LEAVES_AT_ONCE: u64 = 32_768;

/// A checkpoint, as the API tells it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckpointObject {
    checkpoint_id: CheckpointId,
    proof_root: String,
    merkle_root: String,
    customer_id: Option<String>,
    period: Option<String>,
    deltas_count: i64,
    tree_size: i64,
    net_change: Decimal,
    status: &'static str,
    note: String,
    created_at: Timestamp,
    verified_at: Timestamp,
}

impl From<CheckpointRow> for CheckpointObject {
    fn from(row: CheckpointRow) -> Self {
        let root = hex::encode(&row.root);
        Self {
            checkpoint_id: row.checkpoint_id,
            proof_root: root.clone(),
            merkle_root: root,
            customer_id: row.customer_id,
            period: row.period,
            deltas_count: row.size,
            tree_size: row.size,
            net_change: row.net_change.decimal(),
            status: "VERIFIED",
            note: row.note,
            created_at: row.created_at,
            verified_at: row.created_at,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CheckpointPage {
    checkpoints: Vec<CheckpointObject>,
    limit: i64,
    offset: i64,
    has_more: bool,
}

/// A scope of the ledger whose tree is meant.
#[derive(Clone, Debug)]
pub struct CheckpointScope {
    /// Of one customer, or of all.
    pub customer_id: Option<String>,
    /// Up to now, or of a stretch of time.
    pub window: Window,
}

/// A scope as it is found.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) ledger_id: i64,
    customer_key: i64,
    customer_id: Option<String>,
    pub(super) currency: Option<Currency>,
    pub(super) period: Option<String>,
    pub(super) stretch: Stretch,
    pub(super) tree: Option<TreeRow>,
}

impl Gateway {
    /// The key that whoever holds a checkpoint checks it with, as `/info` publishes it.
    #[must_use]
    pub fn verifier_key(&self) -> String {
        self.signer.verifier_key().to_string()
    }

    /// Signs the root over a scope as it is now, rendered. A scope that has nothing new gives the checkpoint that it has.
    ///
    /// # Errors
    /// 403 without the scope; 404 when nothing is verified in it.
    pub async fn create_checkpoint(&self, scope: &Scope, of: CheckpointScope) -> Outcome<String> {
        let checkpoint = self.sign_checkpoint(scope, of).await?;
        Ok(render(&Enveloped::new(201, &CheckpointObject::from(checkpoint))))
    }

    /// The same, as it is kept.
    ///
    /// # Errors
    /// As [`Gateway::create_checkpoint`].
    pub async fn sign_checkpoint(&self, scope: &Scope, of: CheckpointScope) -> Outcome<CheckpointRow> {
        scope.require_scope("balance:write")?;
        let (checkpoint, _) = self.checkpoint_now(scope, of).await?;
        Ok(checkpoint)
    }

    /// A checkpoint of the caller's tenant and mode, as it is kept.
    ///
    /// # Errors
    /// 403 without the scope; 404.
    pub async fn checkpoint(&self, scope: &Scope, checkpoint_id: &str) -> Outcome<CheckpointRow> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let wanted = CheckpointId::parse(checkpoint_id).ok_or_else(checkpoint_not_found)?;
        let found = self.read(move |conn| checkpoints::find(conn, &tenant_id, mode, &wanted)).await?;
        found.map(|(checkpoint, _)| checkpoint).ok_or_else(checkpoint_not_found)
    }

    /// The same, rendered.
    ///
    /// # Errors
    /// As [`Gateway::checkpoint`].
    pub async fn checkpoint_document(&self, scope: &Scope, checkpoint_id: &str) -> Outcome<String> {
        let checkpoint = self.checkpoint(scope, checkpoint_id).await?;
        Ok(render(&Enveloped::new(200, &CheckpointObject::from(checkpoint))))
    }

    /// A page of checkpoints, newest first; of one customer where told.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn checkpoints(
        &self,
        scope: &Scope,
        customer_id: Option<String>,
        before: Option<String>,
        limit: usize,
    ) -> Outcome<Page<CheckpointRow>> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            checkpoints::page(conn, &tenant_id, mode, customer_id.as_deref(), before.as_deref(), limit)
        })
        .await
    }

    /// The checkpoint over all that a scope has now, made if there is none.
    pub(super) async fn checkpoint_now(&self, scope: &Scope, of: CheckpointScope) -> Outcome<(CheckpointRow, Found)> {
        let found = self.find_scope(scope, of).await?;
        let size = found.stretch.length();
        if size <= 0 {
            return Err(Fault::new(Code::NotFound, "nothing is verified in this scope yet"));
        }
        if let Some(tree_id) = found.tree.as_ref().map(|tree| tree.tree_id)
            && let Some(checkpoint) = self.read(move |conn| checkpoints::of_size(conn, tree_id, size)).await?
        {
            return Ok((checkpoint, found));
        }
        let planted = found.clone();
        let tree = self
            .write(Lane::Any, move |conn| {
                let Found { ledger_id, customer_key, period, stretch, .. } = &planted;
                let period = period.as_deref().unwrap_or_default();
                checkpoints::plant(conn, *ledger_id, *customer_key, period, stretch.first)?;
                checkpoints::tree(conn, *ledger_id, *customer_key, period)?.ok_or(StoreError::Missing)
            })
            .await?;
        let (root, nodes) = self.grow(&tree, size).await?;
        let checkpoint = self.keep_checkpoint(scope, &found, &tree, root, nodes).await?;
        Ok((checkpoint, found))
    }

    /// The root over the first `size` leaves of a tree, and the nodes that it has besides those that are kept.
    async fn grow(&self, tree: &TreeRow, size: i64) -> Outcome<(Hash, Vec<NodeRow>)> {
        let kept = u64::try_from(tree.size.min(size)).unwrap_or(0);
        let size = u64::try_from(size).unwrap_or(0);
        let of = tree.clone();
        let mut frontier =
            self.read(move |conn| Frontier::of(&mut Hashes { conn, tree: &of }, kept).map_err(unreadable)).await?;
        let mut nodes = Vec::new();
        while frontier.size() < size {
            let from = frontier.size();
            let to = size.min(from + LEAVES_AT_ONCE);
            let of = tree.clone();
            let leaves = self
                .read(move |conn| {
                    let mut hashes = Hashes { conn, tree: &of };
                    Stored::leaves(&mut hashes, from, to)
                })
                .await?;
            if leaves.len() as u64 != to - from {
                return Err(StoreError::Missing.into());
            }
            for leaf in leaves {
                frontier.push_and_tell(leaf, |node| {
                    nodes.push(NodeRow {
                        tree_id: tree.tree_id,
                        level: i64::from(node.level),
                        position: i64::try_from(node.position).unwrap_or(i64::MAX),
                        hash: node.hash.to_vec(),
                    });
                });
            }
        }
        Ok((frontier.root(), nodes))
    }

    async fn keep_checkpoint(
        &self,
        scope: &Scope,
        found: &Found,
        tree: &TreeRow,
        root: Hash,
        nodes: Vec<NodeRow>,
    ) -> Outcome<CheckpointRow> {
        let size = found.stretch.length();
        let key_name = self.signer.verifier_key().name();
        let (customer_id, period) = (found.customer_id.as_deref(), found.period.as_deref());
        let origin = origin(key_name, scope.tenant_id.as_str(), scope.mode, customer_id, period);
        let text = CheckpointText { origin, size: u64::try_from(size).unwrap_or(0), root }.to_string();
        let note = self.signer.sign(&text).map_err(|fault| Fault::new(Code::InternalError, fault.to_string()))?;
        let now = self.clock.now();
        let (scope, stretch, tree_id) = (scope.clone(), found.stretch, tree.tree_id);
        let (customer_id, period) = (found.customer_id.clone(), found.period.clone());
        let (checkpoint, is_told) = self
            .write(Lane::Any, move |conn| {
                checkpoints::grow(conn, tree_id, &nodes, size)?;
                let checkpoint = CheckpointRow {
                    checkpoint_id: CheckpointId::generate(now),
                    tree_id,
                    tenant_id: scope.tenant_id.clone(),
                    mode: scope.mode,
                    customer_id: customer_id.clone(),
                    period: period.clone(),
                    size,
                    root: root.to_vec(),
                    net_change: change_over(conn, stretch)?.1.into(),
                    note: note.clone(),
                    created_at: now,
                };
                if !checkpoints::insert(conn, &checkpoint)? {
                    // Another request has made it meanwhile.
                    let there = checkpoints::of_size(conn, tree_id, size)?.ok_or(StoreError::Missing)?;
                    return Ok((there, false));
                }
                let after = serde_json::json!({ "customerId": customer_id, "period": period, "deltasCount": size });
                let deed = Deed {
                    action: "checkpoint.created",
                    subject: Some(checkpoint.checkpoint_id.as_str()),
                    before: None,
                    after: Some(after),
                };
                audit::record(conn, &scope, deed, now)?;
                let listeners = events::listeners_of_tenant(conn, &scope.tenant_id, scope.mode)?;
                let is_told = listeners.want("checkpoint.verified");
                if is_told {
                    let data = CheckpointObject::from(checkpoint.clone());
                    let event_id = EventId::generate(now);
                    let event = tenant_event(event_id, &scope.tenant_id, scope.mode, "checkpoint.verified", &data, now);
                    events::insert_heard(conn, &event, &listeners, now)?;
                }
                Ok((checkpoint, is_told))
            })
            .await?;
        if is_told {
            self.deliveries_wanted.notify_one();
        }
        Ok(checkpoint)
    }

    pub(super) async fn find_scope(&self, scope: &Scope, of: CheckpointScope) -> Outcome<Found> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let Some(ledger) = ledgers::find(conn, &tenant_id, mode)? else {
                return Ok(Err(Fault::new(Code::NotFound, "nothing is verified in this scope yet")));
            };
            let customer = match &of.customer_id {
                Some(customer_id) => match ledger_customers::find(conn, &tenant_id, mode, customer_id)? {
                    Some(customer) => Some(customer),
                    None => return Ok(Err(customer_not_found())),
                },
                None => None,
            };
            let (line, last) =
                customer.as_ref().map_or((Line::Ledger(ledger.ledger_id), ledger.last_sequence), |one| {
                    (Line::Customer(one.customer_key), one.deltas)
                });
            let period = match &of.window {
                Window::All => None,
                Window::Month(period) => Some(period.to_string()),
                Window::Span(start, end) => Some(span(*start, *end)),
                Window::After(_) => {
                    let detail =
                        "a checkpoint is of a stretch of time or of everything up to now, from no other one on";
                    return Ok(Err(Fault::new(Code::InvalidScopeCombination, detail)));
                }
            };
            let stretch = match stretch_of(conn, &tenant_id, mode, line, last, &of.window)? {
                Ok(stretch) => stretch,
                Err(fault) => return Ok(Err(fault)),
            };
            let customer_key = customer.as_ref().map_or(0, |customer| customer.customer_key);
            let tree = checkpoints::tree(conn, ledger.ledger_id, customer_key, period.as_deref().unwrap_or_default())?;
            Ok(Ok(Found {
                ledger_id: ledger.ledger_id,
                customer_key,
                customer_id: of.customer_id.clone(),
                currency: customer.and_then(|customer| customer.currency),
                period,
                stretch,
                tree,
            }))
        })
        .await?
    }

    /// Checkpoints, newest first, rendered.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn list_checkpoints(
        &self,
        scope: &Scope,
        customer_id: Option<String>,
        period: Option<String>,
        [limit, offset]: [i64; 2],
    ) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let mut rows = self
            .read(move |conn| {
                let of = [customer_id.as_deref(), period.as_deref()];
                checkpoints::list(conn, &tenant_id, mode, of, offset, limit + 1)
            })
            .await?;
        let has_more = rows.len() as i64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let checkpoints = rows.into_iter().map(CheckpointObject::from).collect();
        Ok(render(&Enveloped::new(200, &CheckpointPage { checkpoints, limit, offset, has_more })))
    }
}

/// The name of the key that checkpoints are signed with: where they are from.
pub(super) fn key_name(settings: &Settings) -> String {
    let url = settings.base_url();
    let authority = url.split_once("://").map_or(url.as_str(), |(_, rest)| rest);
    authority.split('/').next().unwrap_or_default().to_owned()
}

pub(super) fn checkpoint_not_found() -> Fault {
    Fault::new(Code::NotFound, "there is no such checkpoint")
}

pub(super) fn unreadable(fault: TreeFault<StoreError>) -> StoreError {
    match fault {
        TreeFault::Unreadable(error) => error,
        TreeFault::Missing { .. } | TreeFault::Beyond { .. } => StoreError::Missing,
    }
}
