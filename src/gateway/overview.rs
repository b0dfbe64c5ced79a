//! How a tenant's payments are going: what the first page of the console is made of. Its numbers come from totals by day,
//! so that they cost the same however many payments there are.

use std::time::Duration;

use super::health::ProviderReport;
use super::{Gateway, Scope};
use crate::domain::ids::EndpointId;
use crate::domain::time::Timestamp;
use crate::error::Outcome;
use crate::store::across::{self, AppName};
use crate::store::deliveries::Delivery;
use crate::store::payment_days::{self, DayTotal};
use crate::store::payments::{Filter, Payment};
use crate::store::webhook_endpoints::EndpointRow;
use crate::store::{Page, StoreResult};

/// Rows of what is wrong that are counted; beyond that there are 'more'.
const MOST_COUNTED: usize = 100;

/// How far back deliveries that were given up are counted.
const DELIVERIES_SINCE: Duration = Duration::from_secs(7 * 86_400);

/// How a tenant's payments are going in one mode.
#[derive(Debug)]
pub struct Overview {
    /// Its apps, oldest first.
    pub apps: Vec<AppName>,
    /// Today, in days since the Unix epoch, UTC.
    pub today: i64,
    /// Payments by day, method and currency.
    pub totals: Vec<DayTotal>,
    /// The newest payments.
    pub newest: Page<Payment>,
    /// Payments that need someone, newest first, a hundred at most.
    pub attention: Page<Payment>,
    /// Deliveries that were given up in the last seven days, newest first, a hundred at most.
    pub dead: Vec<Delivery>,
    /// Endpoints.
    pub endpoints: Vec<EndpointState>,
    /// The providers of the mode.
    pub providers: Vec<ProviderReport>,
}

/// How an endpoint is, without its secrets.
#[derive(Clone, Debug)]
pub struct EndpointState {
    /// Its id.
    pub endpoint_id: EndpointId,
    /// Where it is.
    pub url: String,
    /// Since when it has answered nothing but failures.
    pub failing_since: Option<Timestamp>,
    /// When it was disabled, if it was.
    pub disabled_at: Option<Timestamp>,
}

impl From<EndpointRow> for EndpointState {
    fn from(row: EndpointRow) -> Self {
        let EndpointRow { endpoint_id, url, failing_since, disabled_at, .. } = row;
        Self { endpoint_id, url, failing_since, disabled_at }
    }
}

impl Gateway {
    /// How the tenant's payments have been going in the mode in the last `days` days.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn overview(&self, scope: &Scope, days: i64) -> Outcome<Overview> {
        let now = self.clock.now();
        let today = payment_days::day_of(now);
        let mut providers = self.report().providers;
        providers.retain(|provider| provider.mode == scope.mode);
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| -> StoreResult<Overview> {
            let apps = across::apps(conn, &tenant_id, mode)?;
            let app_ids: Vec<_> = apps.iter().map(|app| app.app_id.clone()).collect();
            let needing_attention = Filter { needs_attention: true, ..Filter::default() };
            Ok(Overview {
                today,
                totals: payment_days::since(conn, &app_ids, today - days + 1)?,
                newest: across::payments(conn, &app_ids, &Default::default(), None, 5)?,
                attention: across::payments(conn, &app_ids, &needing_attention, None, MOST_COUNTED)?,
                dead: across::dead_deliveries(conn, &app_ids, now.minus(DELIVERIES_SINCE), MOST_COUNTED)?,
                endpoints: across::endpoints(conn, &app_ids)?.into_iter().map(EndpointState::from).collect(),
                apps,
                providers,
            })
        })
        .await
    }
}
