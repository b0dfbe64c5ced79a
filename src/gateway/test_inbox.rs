//! The test inbox: a receiver of events that is part of the gateway, for who has no server of his own yet, in `test` alone.
//! It is an endpoint of the tenant like any other, posted to over HTTP and held to the same signature; and with it a
//! payment that the console makes for a first try.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::apps::endpoint_secret_place;
use super::audit::{self, Deed};
use super::{Gateway, Once, Scope};
use crate::domain::accounts::Role;
use crate::domain::ids::{AppId, EndpointId, ReceivedId};
use crate::domain::mode::Mode;
use crate::domain::secrets::Secret;
use crate::domain::signing::{equal_in_constant_time, event_signature};
use crate::error::{Code, Fault, Outcome};
use crate::store::test_inbox::{self, Received};
use crate::store::webhook_endpoints::{self, EndpointRow};
use crate::store::{Lane, across};

/// How far the time of a signature may be from now.
const FRESH_FOR: Duration = Duration::from_secs(300);

/// Headers that tell how an event was sent; others are of the connection.
const SHOWN: [&str; 6] =
    ["content-type", "x-pay-timestamp", "x-pay-signature", "webhook-id", "webhook-timestamp", "webhook-signature"];

impl Gateway {
    fn inbox_url(&self, endpoint_id: &EndpointId) -> String {
        format!("{}/test-inbox/{endpoint_id}", self.settings.base_url())
    }

    /// Whether an endpoint is this gateway's own receiver: its very address, in `test`. Such a one may be posted to wherever
    /// the gateway is.
    pub(super) fn is_test_inbox(&self, endpoint: &EndpointRow) -> bool {
        endpoint.mode == Mode::Test
            && endpoint.app_id.is_none()
            && endpoint.url == self.inbox_url(&endpoint.endpoint_id)
    }

    /// Opens the tenant's test inbox, if it is not open.
    ///
    /// # Errors
    /// 403 for a viewer and in another mode than `test`.
    pub async fn open_test_inbox(&self, scope: &Scope) -> Outcome<EndpointRow> {
        scope.require_developer()?;
        if scope.mode != Mode::Test {
            return Err(Fault::new(Code::InsufficientScope, "the test inbox is there in test alone"));
        }
        let now = self.clock.now();
        let endpoint_id = EndpointId::generate(now);
        let sealed = self.sealer.seal(endpoint_secret_place(&endpoint_id), &Secret::generate());
        let url = self.inbox_url(&endpoint_id);
        let fresh = EndpointRow {
            description: Some("Test inbox".to_owned()),
            ..EndpointRow::new(endpoint_id, &scope.tenant_id, scope.mode, &url, &sealed, now)
        };
        let base = self.settings.base_url();
        let scope = scope.clone();
        self.write(Lane::Any, move |conn| {
            // Where the server is reached may have changed since.
            let own = |endpoint: &EndpointRow| endpoint.url.ends_with(&format!("/test-inbox/{}", endpoint.endpoint_id));
            let standing = webhook_endpoints::of_tenant(conn, &scope.tenant_id, scope.mode)?;
            let row = match standing.into_iter().find(own) {
                Some(found) => {
                    let url = format!("{base}/test-inbox/{}", found.endpoint_id);
                    if found.url == url && found.disabled_at.is_none() {
                        return Ok(found);
                    }
                    let row =
                        EndpointRow { url, disabled_at: None, disabled_reason: None, failing_since: None, ..found };
                    webhook_endpoints::save(conn, &row)?;
                    row
                }
                None => {
                    webhook_endpoints::insert(conn, &fresh)?;
                    fresh.clone()
                }
            };
            let deed = Deed {
                action: "test_inbox.opened",
                subject: Some(row.endpoint_id.as_str()),
                before: None,
                after: Some(json!({ "url": row.url })),
            };
            audit::record(conn, &scope, deed, now)?;
            Ok(row)
        })
        .await
    }

    /// The tenant's test inbox and what it received, newest first; `None` where it is not open.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn test_inbox(&self, scope: &Scope) -> Outcome<Option<(EndpointRow, Vec<Received>)>> {
        let standing = self.endpoints(scope).await?;
        let Some(endpoint) = standing.into_iter().find(|endpoint| self.is_test_inbox(endpoint)) else {
            return Ok(None);
        };
        let endpoint_id = endpoint.endpoint_id.clone();
        let received = self.read(move |conn| test_inbox::of_endpoint(conn, &endpoint_id)).await?;
        Ok(Some((endpoint, received)))
    }

    /// Takes what is posted to a test inbox, as a product's receiver would: only with a good signature.
    ///
    /// # Errors
    /// 401 for a signature that is not good; 404 for what is no inbox.
    pub async fn receive_test_event(
        &self,
        endpoint_id: &str,
        headers: &[(String, String)],
        body: &[u8],
    ) -> Outcome<()> {
        let not_found = || Fault::new(Code::NotFound, "there is no such inbox");
        let wanted = EndpointId::parse(endpoint_id).ok_or_else(not_found)?;
        let found = self.read(move |conn| webhook_endpoints::find(conn, &wanted)).await?;
        let is_open = |endpoint: &EndpointRow| endpoint.deleted_at.is_none() && self.is_test_inbox(endpoint);
        let endpoint = found.filter(is_open).ok_or_else(not_found)?;
        let refused = || Fault::new(Code::BadSignature, "this is not signed with the inbox's secret");
        let header = |name: &str| headers.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str());
        let timestamp: i64 = header("x-pay-timestamp").and_then(|text| text.parse().ok()).ok_or_else(refused)?;
        let now = self.clock.now();
        if now.unix_seconds().abs_diff(timestamp) > FRESH_FOR.as_secs() {
            return Err(refused());
        }
        let secret = self
            .sealer
            .open(endpoint_secret_place(&endpoint.endpoint_id), &endpoint.secret_sealed)
            .map_err(|_| Fault::new(Code::InternalError, "internal error"))?;
        let expected = event_signature(secret.expose(), timestamp, body);
        if !equal_in_constant_time(&expected, header("x-pay-signature").unwrap_or_default()) {
            return Err(refused());
        }
        let body = std::str::from_utf8(body).map_err(|_| refused())?;
        let lines = SHOWN.iter().filter_map(|name| header(name).map(|value| format!("{name}: {value}")));
        let received = Received {
            received_id: ReceivedId::generate(now),
            endpoint_id: endpoint.endpoint_id,
            headers: lines.collect::<Vec<_>>().join("\n"),
            body: body.to_owned(),
            received_at: now,
        };
        self.write(Lane::Any, move |conn| test_inbox::insert(conn, &received)).await
    }

    /// Makes a test payment for who tries the gateway out, once for each `nonce`, with the test inbox open to hear of it;
    /// answers with the page where it is paid.
    ///
    /// # Errors
    /// 403 for a viewer and in another mode than `test`; 404 for what is no app of the tenant's.
    pub async fn try_out(self: &Arc<Self>, scope: &Scope, nonce: &str, app_id: &str) -> Outcome<String> {
        scope.require_role(Role::Developer)?;
        self.open_test_inbox(scope).await?;
        let not_found = || Fault::new(Code::NotFound, "app not found");
        let wanted = AppId::parse(app_id).ok_or_else(not_found)?;
        let app = self.app_in(scope, &wanted).await?.ok_or_else(not_found)?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let apps = self.read(move |conn| across::apps(conn, &tenant_id, mode)).await?;
        if !apps.iter().any(|known| known.app_id == wanted && known.archived_at.is_none()) {
            return Err(not_found());
        }
        let body = json!({
            "external_user_id": "user-1", "email": "user-1@shop.example", "amount_minor": 50_000, "currency": "IDR",
            "method": "va_bca", "description": "A first payment, from the quick start",
            "return_url": format!("{}/console/quick-start/paid", self.settings.base_url()),
        });
        let text = body.to_string();
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "payment.tried", app_id, body);
        let answer = self.create_payment(&app, once, text.as_bytes()).await?;
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        told["checkout_url"].as_str().map(str::to_owned).ok_or_else(|| {
            Fault::new(Code::ProviderError, told["detail"].as_str().unwrap_or("it was refused").to_owned())
        })
    }
}
