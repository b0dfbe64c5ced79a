//! What a person sees of all the apps of a tenant in one mode: lists, a payment with its story, an event with its
//! deliveries. What he may do with them is in `by_hand`; the API's own reads are beside each noun.

use std::time::Duration;

use super::ledger_pages::{DeltaFacts, deltas_of_payment};
use super::payments::payment_not_found;
use super::refunds::left_to_refund;
use super::timeline::Story;
use super::views::{PaymentObject, TimelineEntry};
use super::{Gateway, Scope};
use crate::domain::ids::{AppId, EventId, PaymentId};
use crate::domain::metadata::Pair;
use crate::domain::money::Currency;
use crate::domain::payments::PaymentStatus;
use crate::domain::subscriptions::SubscriptionStatus;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::psp::DRIVERS;
use crate::store::across::{self, AppName};
use crate::store::customers::{self, CustomerRow};
use crate::store::deliveries::{self, Delivery};
use crate::store::events::{self, Event};
use crate::store::payment_days::Counted;
use crate::store::payments::{self, Attempt, Filter, Payment};
use crate::store::refunds::{self, Refund};
use crate::store::subscriptions::Subscription;
use crate::store::webhook_endpoints::EndpointRow;
use crate::store::{Conn, Page, StoreResult, payment_days, payment_metadata, webhook_endpoints};

/// How far back events whose deliveries were given up are listed.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(30 * 86_400);

/// A page of a list, and the apps that its rows name.
#[derive(Debug)]
pub struct Listed<T> {
    /// Every app of the tenant in the mode, oldest first.
    pub apps: Vec<AppName>,
    /// The rows.
    pub page: Page<T>,
}

impl<T> Listed<T> {
    /// The name of an app.
    #[must_use]
    pub fn app_name(&self, app_id: &AppId) -> &str {
        self.apps.iter().find(|app| app.app_id == *app_id).map_or("", |app| app.name.as_str())
    }
}

/// Which payments a person wants to see.
#[derive(Clone, Debug, Default)]
pub struct PaymentQuery {
    /// Of this app alone.
    pub app_id: Option<String>,
    /// That stand so.
    pub status: Option<PaymentStatus>,
    /// That are paid so.
    pub method: Option<String>,
    /// In this currency.
    pub currency: Option<Currency>,
    /// At this provider.
    pub provider: Option<String>,
    /// Of this buyer.
    pub external_user_id: Option<String>,
    /// Not older.
    pub created_from: Option<Timestamp>,
    /// Older.
    pub created_to: Option<Timestamp>,
    /// That need someone.
    pub needs_attention: bool,
    /// That have this name: an id, an invoice number, a provider's reference; else that have it in their metadata, as
    /// `name=value`; else that are of this buyer.
    pub search: Option<String>,
}

impl PaymentQuery {
    fn filter(&self) -> Filter {
        Filter {
            status: self.status,
            method: self.method.clone(),
            currency: self.currency,
            provider: self.provider.clone(),
            external_user_id: self.external_user_id.clone(),
            invoice_number: None,
            metadata: None,
            needs_attention: self.needs_attention,
            created_from: self.created_from,
            created_to: self.created_to,
        }
    }
}

impl PaymentQuery {
    /// What of the totals by day adds up to the payments that are asked for, if it is as simple as that.
    fn counted(&self) -> Option<Counted> {
        let is_one_by_one =
            self.provider.is_some() || self.external_user_id.is_some() || self.search.is_some() || self.needs_attention;
        let day = |moment: Option<Timestamp>| match moment {
            None => Some(None),
            Some(moment) => {
                let day = payment_days::day_of(moment);
                (Timestamp::of_day(day) == moment).then_some(Some(day))
            }
        };
        (!is_one_by_one).then_some(Counted {
            status: self.status,
            method: self.method.clone(),
            currency: self.currency,
            from_day: day(self.created_from)?,
            to_day: day(self.created_to)?,
        })
    }
}

/// A payment with all that is known of it.
#[derive(Debug)]
pub struct PaymentDetail {
    /// The payment.
    pub payment: Payment,
    /// Whose it is.
    pub app_name: String,
    /// What was tried, oldest first.
    pub attempts: Vec<Attempt>,
    /// What was given back, oldest first.
    pub refunds: Vec<Refund>,
    /// What was told, oldest first.
    pub events: Vec<Event>,
    /// And how that was brought to the endpoints.
    pub deliveries: Vec<Delivery>,
    /// What was booked of it and of its refunds to the ledger, oldest first.
    pub deltas: Vec<DeltaFacts>,
    /// All of it in order.
    pub timeline: Vec<TimelineEntry>,
    /// What can still be given back, in minor units.
    pub left_minor: i64,
    /// Where the buyer pays.
    pub checkout_url: String,
}

/// An event with its deliveries.
#[derive(Debug)]
pub struct EventDetail {
    /// The event.
    pub event: Event,
    /// The app whose it is, unless it is the tenant's own.
    pub app_name: Option<String>,
    /// One for each endpoint that it goes to, with the endpoint's URL.
    pub deliveries: Vec<(Delivery, String)>,
}

/// Whether an event is the tenant's own, in its mode, and no app's.
fn is_of_tenant(event: &Event, scope: &Scope) -> bool {
    event.app_id.is_none() && event.tenant_id.as_ref() == Some(&scope.tenant_id) && event.mode == Some(scope.mode)
}

/// The apps that a list is about: the chosen one, or all.
fn chosen(apps: &[AppName], app_id: Option<&str>) -> Vec<AppId> {
    let is_chosen = |app: &&AppName| app_id.is_none_or(|wanted| app.app_id.as_str() == wanted);
    apps.iter().filter(is_chosen).map(|app| app.app_id.clone()).collect()
}

impl Gateway {
    /// Every method that some provider takes, in the order of the alphabet.
    #[must_use]
    pub fn methods() -> Vec<&'static str> {
        let mut methods: Vec<_> = DRIVERS.iter().flat_map(|driver| driver.methods).copied().collect();
        methods.sort_unstable();
        methods.dedup();
        methods
    }

    /// The codes of the currencies that some provider names, in the order of the alphabet; the mock takes every other, too.
    #[must_use]
    pub fn currencies() -> Vec<&'static str> {
        let mut codes: Vec<_> = DRIVERS.iter().flat_map(|driver| driver.currencies).copied().collect();
        codes.sort_unstable();
        codes.dedup();
        codes
    }

    /// The tenant's apps in the mode, oldest first, archived ones too.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn app_names(&self, scope: &Scope) -> Outcome<Vec<AppName>> {
        let scope = scope.clone();
        self.read(move |conn| across::apps(conn, &scope.tenant_id, scope.mode)).await
    }

    pub(super) async fn listed<T: Send + 'static>(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        list: impl FnOnce(&mut Conn, &[AppId]) -> StoreResult<Page<T>> + Send + 'static,
    ) -> Outcome<Listed<T>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let apps = across::apps(conn, &tenant_id, mode)?;
            let page = list(conn, &chosen(&apps, app_id.as_deref()))?;
            Ok(Listed { apps, page })
        })
        .await
    }

    /// A page of the tenant's payments in the mode, newest first. It may hold fewer than `limit` and still have a next.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn payments_across(
        &self,
        scope: &Scope,
        query: PaymentQuery,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<Payment>> {
        self.listed(scope, query.app_id.clone(), move |conn, app_ids| {
            let before = cursor.as_deref();
            let mut filter = query.filter();
            if let Some(text) = &query.search {
                let named = across::payments_named(conn, app_ids, text)?;
                if !named.is_empty() {
                    return Ok(Page { items: named, next: None });
                }
                match Pair::asked(text) {
                    Some(pair) if payment_metadata::is_any(conn, app_ids, &pair)? => filter.metadata = Some(pair),
                    _ => filter.external_user_id = Some(text.clone()),
                }
            }
            across::payments(conn, app_ids, &filter, before, limit)
        })
        .await
    }

    /// How many payments of the tenant a query finds in the mode; `None` where they would have to be counted one by one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn count_payments(&self, scope: &Scope, query: &PaymentQuery) -> Outcome<Option<i64>> {
        let Some(wanted) = query.counted() else { return Ok(None) };
        let (scope, app_id) = (scope.clone(), query.app_id.clone());
        self.read(move |conn| {
            let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
            payment_days::count(conn, &chosen(&apps, app_id.as_deref()), &wanted).map(Some)
        })
        .await
    }

    /// A payment with its story.
    ///
    /// # Errors
    /// 404, for another tenant's and another mode's too.
    pub async fn payment_across(&self, scope: &Scope, payment_id: &str) -> Outcome<PaymentDetail> {
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let scope = scope.clone();
        let found = self
            .read(move |conn| {
                let Some(payment) = payments::find_any(conn, &wanted)? else { return Ok(None) };
                let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
                let Some(app) = apps.into_iter().find(|app| app.app_id == payment.app_id) else { return Ok(None) };
                let refunds = refunds::of_payment(conn, &wanted)?;
                let left_minor = left_to_refund(conn, &payment)?;
                let deltas = deltas_of_payment(conn, &scope, &payment, &refunds)?;
                Ok(Some((Story::read(conn, payment)?, app.name, refunds, left_minor, deltas)))
            })
            .await?;
        let (story, app_name, refunds, left_minor, deltas) = found.ok_or_else(payment_not_found)?;
        let timeline = story.entries();
        let Story { payment, attempts, events, deliveries, .. } = story;
        let checkout_url = PaymentObject::new(&payment, &self.settings.public_url).checkout_url().to_owned();
        Ok(PaymentDetail {
            payment,
            app_name,
            attempts,
            refunds,
            events,
            deliveries,
            deltas,
            timeline,
            left_minor,
            checkout_url,
        })
    }

    /// A page of the tenant's refunds in the mode, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn refunds_across(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<Refund>> {
        self.listed(scope, app_id, move |conn, app_ids| across::refunds(conn, app_ids, cursor.as_deref(), limit)).await
    }

    /// A page of the tenant's subscriptions in the mode, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn subscriptions_across(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        status: Option<SubscriptionStatus>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<Subscription>> {
        self.listed(scope, app_id, move |conn, app_ids| {
            across::subscriptions(conn, app_ids, status, cursor.as_deref(), limit)
        })
        .await
    }

    /// A page of the buyers of one of the tenant's apps, in the order of their ids; of the oldest app that is in use where
    /// none is named. `only` looks for one buyer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn customers_across(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        only: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<CustomerRow>> {
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let apps = across::apps(conn, &tenant_id, mode)?;
            let named = app_id.as_deref();
            let wanted = match named {
                Some(named) => apps.iter().find(|app| app.app_id.as_str() == named),
                None => apps.iter().find(|app| app.archived_at.is_none()).or(apps.first()),
            };
            let page = match (wanted, only) {
                (Some(app), Some(only)) => {
                    Page { items: customers::find(conn, &app.app_id, &only)?.into_iter().collect(), next: None }
                }
                (Some(app), None) => customers::list(conn, &app.app_id, cursor.as_deref(), limit)?,
                (None, _) => Page { items: Vec::new(), next: None },
            };
            Ok(Listed { apps, page })
        })
        .await
    }

    /// A page of the tenant's events in the mode, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn events_across(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        event_type: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<Event>> {
        self.listed(scope, app_id, move |conn, app_ids| {
            across::events(conn, app_ids, event_type.as_deref(), cursor.as_deref(), limit)
        })
        .await
    }

    /// How the events on a page are on their way: their deliveries.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn deliveries_of(&self, listed: &Listed<Event>) -> Outcome<Vec<Delivery>> {
        let ids: Vec<EventId> = listed.page.items.iter().map(|event| event.event_id.clone()).collect();
        self.read(move |conn| deliveries::of_events(conn, &ids)).await
    }

    /// The events whose deliveries were given up last, within thirty days, newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn events_given_up(&self, scope: &Scope, app_id: Option<String>, limit: usize) -> Outcome<Listed<Event>> {
        let since = self.clock.now().minus(GIVEN_UP_WITHIN);
        self.listed(scope, app_id, move |conn, app_ids| {
            let dead = across::dead_deliveries(conn, app_ids, since, limit)?;
            let ids: Vec<EventId> = dead.into_iter().map(|delivery| delivery.event_id).collect();
            let mut items = events::with_ids(conn, &ids)?;
            items.sort_by(|one, other| other.event_id.cmp(&one.event_id));
            Ok(Page { items, next: None })
        })
        .await
    }

    /// The endpoints of the tenant's apps that are in use in the mode, each with its app, oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn app_endpoints(&self, scope: &Scope) -> Outcome<Vec<(EndpointRow, AppName)>> {
        let scope = scope.clone();
        self.read(move |conn| {
            let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
            let in_use: Vec<AppName> = apps.into_iter().filter(|app| app.archived_at.is_none()).collect();
            let ids: Vec<AppId> = in_use.iter().map(|app| app.app_id.clone()).collect();
            let standing = across::endpoints(conn, &ids)?.into_iter().filter(|endpoint| endpoint.deleted_at.is_none());
            let with_app = standing.filter_map(|endpoint| {
                let app = in_use.iter().find(|app| Some(&app.app_id) == endpoint.app_id.as_ref())?;
                Some((endpoint, app.clone()))
            });
            Ok(with_app.collect())
        })
        .await
    }

    /// An event with its deliveries.
    ///
    /// # Errors
    /// 404, for another tenant's and another mode's too.
    pub async fn event_across(&self, scope: &Scope, event_id: &str) -> Outcome<EventDetail> {
        let not_found = || Fault::new(Code::EventNotFound, "event not found");
        let wanted = EventId::parse(event_id).ok_or_else(not_found)?;
        let scope = scope.clone();
        let found = self
            .read(move |conn| {
                let Some(event) = events::find_any(conn, &wanted)? else { return Ok(None) };
                let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
                let app = apps.iter().find(|app| Some(&app.app_id) == event.app_id.as_ref());
                if app.is_none() && !is_of_tenant(&event, &scope) {
                    return Ok(None);
                }
                let app_name = app.map(|app| app.name.clone());
                let deliveries = deliveries::of_events(conn, std::slice::from_ref(&wanted))?;
                // A test event is the tenant's and may have gone to the address of an app.
                let mut endpoints = across::endpoints(conn, &chosen(&apps, event.app_id.as_ref().map(AppId::as_str)))?;
                endpoints.extend(webhook_endpoints::of_tenant(conn, &scope.tenant_id, scope.mode)?);
                Ok(Some((event, app_name, deliveries, endpoints)))
            })
            .await?;
        let (event, app_name, deliveries, endpoints) = found.ok_or_else(not_found)?;
        let url_of = |delivery: &Delivery| {
            let endpoint = endpoints.iter().find(|endpoint| endpoint.endpoint_id == delivery.endpoint_id);
            endpoint.map_or_else(String::new, |endpoint| endpoint.url.clone())
        };
        let deliveries = deliveries.into_iter().map(|delivery| (url_of(&delivery), delivery));
        let deliveries = deliveries.map(|(url, delivery)| (delivery, url)).collect();
        Ok(EventDetail { event, app_name, deliveries })
    }
}
