//! Webhook endpoints of a tenant: several per mode, each with a secret of its own, a choice of events, and a log of what
//! was delivered. An app's own endpoint is in `apps`; both kinds are listed and looked after here.

use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};

use super::Gateway;
use super::apps::endpoint_secret_place;
use super::audit::{self, Deed};
use super::scope::Scope;
use super::views::{raw, render};
use crate::domain::accounts::Role;
use crate::domain::drafts::web_url_fault;
use crate::domain::events::EVENT_TYPES;
use crate::domain::fields::Fields;
use crate::domain::ids::{AppId, DeliveryId, EndpointId, EventId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::deliveries::{self, Delivery};
use crate::store::events::{self, Event};
use crate::store::webhook_endpoints::{self, EndpointRow};
use crate::store::{Lane, Page};

/// How long a rotated secret goes on working when nothing else is said.
const DEFAULT_OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// The longest overlap, in seconds.
const LONGEST_OVERLAP_SECONDS: i64 = 7 * 24 * 3600;

/// Endpoints that a tenant may have in a mode.
const MOST_ENDPOINTS: usize = 50;

/// What an endpoint of a tenant is, or is to become; what is `None` stays, or has its default.
#[derive(Clone, Debug, Default)]
pub struct EndpointDraft {
    url: Option<String>,
    description: Option<String>,
    /// Comma-separated; `Some(None)` is all of them.
    event_types: Option<Option<String>>,
    header_prefix: Option<String>,
    active: Option<bool>,
}

impl EndpointDraft {
    /// Reads the body of a request that makes or changes an endpoint.
    ///
    /// # Errors
    /// 400 naming every field that is not as it must be.
    pub fn parse(body: &[u8], mode: Mode, is_new: bool) -> Outcome<Self> {
        let mut fields = Fields::of_body(body)?;
        if is_new && !fields.is_given("url") {
            fields.missing("url");
        }
        let url = fields.text("url", 1, 2048);
        if let Some(reason) = url.as_deref().and_then(|url| web_url_fault(url, mode)) {
            fields.fault("url", reason);
        }
        let description = fields.text("description", 0, 200);
        let event_types = event_types(&mut fields);
        let header_prefix = fields.text("headerPrefix", 0, 40);
        let is_header =
            |prefix: &str| prefix.is_empty() || prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if header_prefix.as_deref().is_some_and(|prefix| !is_header(prefix) || prefix.starts_with('-')) {
            fields.fault("headerPrefix", "must be letters, digits and hyphens, as in X-Acme");
        }
        let active = fields.boolean("active");
        fields.finish()?;
        Ok(Self { url, description, event_types, header_prefix, active })
    }

    /// Writes what was given over `endpoint`.
    fn apply(&self, endpoint: &mut EndpointRow, now: Timestamp) {
        let or_none = |text: &String| Some(text.clone()).filter(|text| !text.is_empty());
        if let Some(url) = &self.url {
            if *url != endpoint.url {
                endpoint.failing_since = None;
            }
            endpoint.url.clone_from(url);
        }
        if let Some(description) = &self.description {
            endpoint.description = or_none(description);
        }
        if let Some(event_types) = &self.event_types {
            endpoint.event_types.clone_from(event_types);
        }
        if let Some(header_prefix) = &self.header_prefix {
            endpoint.header_prefix = or_none(header_prefix);
        }
        match self.active {
            Some(true) => {
                endpoint.disabled_at = None;
                endpoint.disabled_reason = None;
                endpoint.failing_since = None;
            }
            Some(false) if endpoint.disabled_at.is_none() => {
                endpoint.disabled_at = Some(now);
                endpoint.disabled_reason = Some("switched off".to_owned());
            }
            Some(false) | None => {}
        }
    }
}

/// `events`: a list of types; none at all, or `*`, is every type.
fn event_types(fields: &mut Fields<'_>) -> Option<Option<String>> {
    let raw = fields.raw("events")?;
    let Ok(types) = serde_json::from_str::<Vec<String>>(raw) else {
        fields.fault("events", "must be a list of event types");
        return None;
    };
    if types.is_empty() || types.iter().any(|wanted| wanted == "*") {
        return Some(None);
    }
    for unknown in types.iter().filter(|wanted| !EVENT_TYPES.contains(&wanted.as_str())) {
        let shown: String = unknown.chars().filter(|character| !character.is_control()).take(64).collect();
        fields.fault("events", &format!("{shown} is not an event type; there are {}", EVENT_TYPES.join(", ")));
    }
    Some(Some(types.join(",")))
}

impl Gateway {
    /// Makes an endpoint of the tenant's in the caller's mode; the secret is shown this once.
    ///
    /// # Errors
    /// 403 for a viewer; 409 when there are too many.
    pub async fn create_endpoint(&self, scope: &Scope, draft: EndpointDraft) -> Outcome<(EndpointRow, Secret)> {
        scope.require_role(Role::Developer)?;
        let now = self.clock.now();
        let secret = Secret::generate();
        let endpoint_id = EndpointId::generate(now);
        let sealed = self.sealer.seal(endpoint_secret_place(&endpoint_id), &secret);
        let mut endpoint = EndpointRow::new(endpoint_id, &scope.tenant_id, scope.mode, "", &sealed, now);
        draft.apply(&mut endpoint, now);
        let (row, scope) = (endpoint.clone(), scope.clone());
        let fits = self
            .write(Lane::Any, move |conn| {
                if webhook_endpoints::of_tenant(conn, &scope.tenant_id, scope.mode)?.len() >= MOST_ENDPOINTS {
                    return Ok(false);
                }
                webhook_endpoints::insert(conn, &row)?;
                let id = row.endpoint_id.as_str();
                let deed = Deed {
                    action: "endpoint.created",
                    subject: Some(id),
                    before: None,
                    after: Some(endpoint_object(&row)),
                };
                audit::record(conn, &scope, deed, now)?;
                Ok(true)
            })
            .await?;
        if !fits {
            let detail = format!("there are {MOST_ENDPOINTS} endpoints already; delete one that is not needed");
            return Err(Fault::new(Code::AlreadyExists, detail));
        }
        Ok((endpoint, secret))
    }

    /// The tenant's endpoints in the caller's mode, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn endpoints(&self, scope: &Scope) -> Outcome<Vec<EndpointRow>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| webhook_endpoints::of_tenant(conn, &tenant_id, mode)).await
    }

    /// One endpoint, an app's or the tenant's.
    ///
    /// # Errors
    /// 404.
    pub async fn endpoint(&self, scope: &Scope, endpoint_id: &str) -> Outcome<EndpointRow> {
        let wanted = EndpointId::parse(endpoint_id).ok_or_else(endpoint_not_found)?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let found = self.read(move |conn| webhook_endpoints::find_of(conn, &tenant_id, mode, &wanted)).await?;
        found.ok_or_else(endpoint_not_found)
    }

    /// Changes an endpoint.
    ///
    /// # Errors
    /// 403 for a viewer; 404.
    pub async fn change_endpoint(
        &self,
        scope: &Scope,
        endpoint_id: &str,
        draft: EndpointDraft,
    ) -> Outcome<EndpointRow> {
        self.alter_endpoint(scope, endpoint_id, "endpoint.changed", move |endpoint, now| draft.apply(endpoint, now))
            .await
    }

    /// Deletes an endpoint; nothing goes there any more, and its log stays readable under its events.
    ///
    /// # Errors
    /// 403 for a viewer; 404.
    pub async fn delete_endpoint(&self, scope: &Scope, endpoint_id: &str) -> Outcome<()> {
        let delete = |endpoint: &mut EndpointRow, now| endpoint.deleted_at = Some(now);
        self.alter_endpoint(scope, endpoint_id, "endpoint.deleted", delete).await.map(drop)
    }

    async fn alter_endpoint(
        &self,
        scope: &Scope,
        endpoint_id: &str,
        action: &'static str,
        alter: impl Fn(&mut EndpointRow, Timestamp) + Send + 'static,
    ) -> Outcome<EndpointRow> {
        scope.require_role(Role::Developer)?;
        let wanted = EndpointId::parse(endpoint_id).ok_or_else(endpoint_not_found)?;
        let scope = scope.clone();
        let now = self.clock.now();
        let altered = self
            .write(Lane::Any, move |conn| {
                let found = webhook_endpoints::find_of(conn, &scope.tenant_id, scope.mode, &wanted)?;
                let Some(former) = found else { return Ok(None) };
                let mut endpoint = former.clone();
                alter(&mut endpoint, now);
                webhook_endpoints::save(conn, &endpoint)?;
                if endpoint.deleted_at.is_some() {
                    deliveries::bury_all_of(conn, &wanted, now)?;
                }
                let deed = Deed {
                    action,
                    subject: Some(wanted.as_str()),
                    before: Some(endpoint_object(&former)),
                    after: Some(endpoint_object(&endpoint)),
                };
                audit::record(conn, &scope, deed, now)?;
                Ok(Some(endpoint))
            })
            .await?;
        altered.ok_or_else(endpoint_not_found)
    }

    /// Gives an endpoint a new secret, shown this once; the old one signs along for `overlap_seconds`, a day when `None`.
    ///
    /// # Errors
    /// 400; 403 for a viewer; 404.
    pub async fn rotate_endpoint(
        &self,
        scope: &Scope,
        endpoint_id: &str,
        overlap_seconds: Option<i64>,
    ) -> Outcome<(EndpointRow, Secret)> {
        scope.require_role(Role::Developer)?;
        let overlap = match overlap_seconds {
            None => DEFAULT_OVERLAP,
            Some(seconds) => u64::try_from(seconds)
                .ok()
                .filter(|_| seconds <= LONGEST_OVERLAP_SECONDS)
                .map(Duration::from_secs)
                .ok_or_else(|| Fault::invalid("overlapSeconds", "must be an integer from 0 to 604800"))?,
        };
        let former = self.endpoint(scope, endpoint_id).await?;
        let now = self.clock.now();
        let until = now.plus(overlap);
        let secret = Secret::generate();
        let sealed = self.sealer.seal(endpoint_secret_place(&former.endpoint_id), &secret);
        let rotated = EndpointRow {
            previous_secret_sealed: (!overlap.is_zero()).then(|| former.secret_sealed.clone()),
            previous_secret_until: (!overlap.is_zero()).then_some(until),
            secret_sealed: sealed,
            ..former
        };
        let (scope, row) = (scope.clone(), rotated.clone());
        self.write(Lane::Any, move |conn| {
            let previous = row.previous_secret_sealed.as_deref().zip(row.previous_secret_until);
            webhook_endpoints::rotate(conn, &row.endpoint_id, &row.secret_sealed, previous)?;
            let after = json!({ "previousSecretUntil": row.previous_secret_until });
            let subject = Some(row.endpoint_id.as_str());
            let deed = Deed { action: "endpoint.secret_rotated", subject, before: None, after: Some(after) };
            audit::record(conn, &scope, deed, now)
        })
        .await?;
        Ok((rotated, secret))
    }

    /// Sends a test event to one endpoint; says its id.
    ///
    /// # Errors
    /// 403 for a viewer; 404; 409 for an endpoint that is switched off.
    pub async fn test_endpoint(&self, scope: &Scope, endpoint_id: &str) -> Outcome<EventId> {
        scope.require_role(Role::Developer)?;
        let endpoint = self.endpoint(scope, endpoint_id).await?;
        if endpoint.disabled_at.is_some() {
            return Err(Fault::new(Code::EndpointDisabled, "the endpoint is switched off; switch it on first"));
        }
        let now = self.clock.now();
        let event_id = EventId::generate(now);
        let data = json!({ "endpointId": endpoint.endpoint_id, "message": "It works." });
        let event = tenant_event(event_id.clone(), &scope.tenant_id, scope.mode, "webhook.test", &data, now);
        self.write(Lane::Any, move |conn| events::insert_for(conn, &event, &endpoint.endpoint_id, now)).await?;
        self.deliveries_wanted.notify_one();
        Ok(event_id)
    }

    /// A page of what was sent to one endpoint, newest first.
    ///
    /// # Errors
    /// 404.
    pub async fn endpoint_deliveries(
        &self,
        scope: &Scope,
        endpoint_id: &str,
        state: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Page<(Delivery, String)>> {
        let endpoint_id = self.endpoint(scope, endpoint_id).await?.endpoint_id;
        self.read(move |conn| deliveries::of_endpoint(conn, &endpoint_id, state.as_deref(), cursor.as_deref(), limit))
            .await
    }

    /// Sends one delivery again, or everything that an endpoint missed since a moment; says how many there are.
    ///
    /// # Errors
    /// 403 for a viewer; 404; 409 for an endpoint that is switched off.
    pub async fn replay_deliveries(&self, scope: &Scope, endpoint_id: &str, which: Replay) -> Outcome<usize> {
        scope.require_role(Role::Developer)?;
        let endpoint = self.endpoint(scope, endpoint_id).await?;
        if endpoint.disabled_at.is_some() {
            return Err(Fault::new(Code::EndpointDisabled, "the endpoint is switched off; switch it on first"));
        }
        let now = self.clock.now();
        let is_one = matches!(which, Replay::One(_));
        let scope = scope.clone();
        let count = self
            .write(Lane::Any, move |conn| {
                let id = &endpoint.endpoint_id;
                let count = match &which {
                    Replay::One(delivery_id) => usize::from(deliveries::replay(conn, id, delivery_id, now)?),
                    Replay::Since(since) => deliveries::replay_since(conn, id, *since, now)?,
                };
                let after = Some(json!({ "deliveries": count }));
                let deed = Deed { action: "endpoint.replayed", subject: Some(id.as_str()), before: None, after };
                audit::record(conn, &scope, deed, now)?;
                Ok(count)
            })
            .await?;
        self.deliveries_wanted.notify_one();
        if is_one && count == 0 {
            return Err(Fault::new(Code::NotFound, "there is no such delivery to this endpoint"));
        }
        Ok(count)
    }
}

/// The endpoints whose deliveries one list merges.
const MOST_MERGED: usize = 100;

impl Gateway {
    /// Deliveries to a tenant's endpoints in a mode, newest first, and whether there are more.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn tenant_deliveries(
        &self,
        scope: &Scope,
        state: Option<String>,
        [limit, offset]: [usize; 2],
    ) -> Outcome<(Vec<(Delivery, String)>, bool)> {
        scope.require_scope("webhooks:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let wanted = offset.saturating_add(limit).saturating_add(1);
            let mut merged = Vec::new();
            for endpoint in webhook_endpoints::of_tenant(conn, &tenant_id, mode)?.into_iter().take(MOST_MERGED) {
                let page = deliveries::of_endpoint(conn, &endpoint.endpoint_id, state.as_deref(), None, wanted)?;
                merged.extend(page.items);
            }
            merged.sort_unstable_by(|(one, _), (other, _)| other.delivery_id.cmp(&one.delivery_id));
            let has_more = merged.len() >= wanted;
            Ok((merged.into_iter().skip(offset).take(limit).collect(), has_more))
        })
        .await
    }

    /// Sends a tenant's event again to those endpoints that it was for; says to how many.
    ///
    /// # Errors
    /// 403 without the scope; 404.
    pub async fn retry_event(&self, scope: &Scope, event_id: &str) -> Outcome<usize> {
        scope.require_scope("webhooks:write")?;
        let unknown = || Fault::new(Code::EventNotFound, "event not found");
        let event_id = EventId::parse(event_id).ok_or_else(unknown)?;
        let (scope, now) = (scope.clone(), self.clock.now());
        let count = self
            .write(Lane::Any, move |conn| {
                let event = events::find_any(conn, &event_id)?;
                let is_his = |event: &Event| {
                    event.tenant_id.as_ref() == Some(&scope.tenant_id) && event.mode == Some(scope.mode)
                };
                let Some(event) = event.filter(is_his) else { return Ok(None) };
                let count = deliveries::redeliver(conn, &event, now)?;
                let after = Some(json!({ "deliveries": count }));
                let deed = Deed { action: "event.retried", subject: Some(event_id.as_str()), before: None, after };
                audit::record(conn, &scope, deed, now)?;
                Ok(Some(count))
            })
            .await?;
        self.deliveries_wanted.notify_one();
        count.ok_or_else(unknown)
    }
}

/// What is to be sent again.
#[derive(Clone, Debug)]
pub enum Replay {
    /// This delivery.
    One(DeliveryId),
    /// Everything that was given up since.
    Since(Timestamp),
}

/// The envelope of an event of a tenant's.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TenantEvent<'a, T> {
    id: &'a EventId,
    event: &'a str,
    tenant_id: &'a TenantId,
    mode: Mode,
    timestamp: i64,
    created_at: Timestamp,
    data: &'a T,
}

/// An event of a tenant's and no app's, in the envelope that such events have.
pub(super) fn tenant_event(
    event_id: EventId,
    tenant_id: &TenantId,
    mode: Mode,
    event_type: &str,
    data: &impl Serialize,
    now: Timestamp,
) -> Event {
    let body = render(&TenantEvent {
        id: &event_id,
        event: event_type,
        tenant_id,
        mode,
        timestamp: now.unix_seconds(),
        created_at: now,
        data,
    });
    Event {
        event_id,
        app_id: None,
        event_type: event_type.to_owned(),
        payment_id: None,
        body,
        created_at: now,
        tenant_id: Some(tenant_id.clone()),
        mode: Some(mode),
    }
}

/// An endpoint as the API shows it: everything but its secrets.
#[must_use]
pub fn endpoint_object(endpoint: &EndpointRow) -> Value {
    json!({
        "id": endpoint.endpoint_id, "url": endpoint.url, "description": endpoint.description,
        "appId": endpoint.app_id.as_ref().map(AppId::as_str), "environment": endpoint.mode,
        "events": endpoint.event_types.as_deref().map_or_else(|| vec!["*"], |types| types.split(',').collect()),
        "headerPrefix": endpoint.header_prefix, "active": endpoint.disabled_at.is_none(),
        "disabledReason": endpoint.disabled_reason, "failingSince": endpoint.failing_since,
        "previousSecretUntil": endpoint.previous_secret_until, "createdAt": endpoint.created_at,
    })
}

/// A delivery as the API shows it, with every attempt.
#[must_use]
pub fn delivery_object(delivery: &Delivery, event_type: &str) -> Value {
    let is_pending = delivery.state == "pending";
    json!({
        "id": delivery.delivery_id, "eventId": delivery.event_id, "event": event_type,
        "paymentId": delivery.payment_id, "status": delivery.state, "attempts": delivery.attempts,
        "nextAttemptAt": is_pending.then_some(delivery.due_at), "finishedAt": delivery.finished_at,
        "createdAt": delivery.created_at, "log": raw(&delivery.log),
    })
}

fn endpoint_not_found() -> Fault {
    Fault::new(Code::NotFound, "webhook endpoint not found")
}
