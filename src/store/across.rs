//! What a person sees of all the apps of a tenant in one mode: pages that are put together from the apps' own, each from
//! an index, so that a page costs no more than the apps have in common with it.

use std::collections::VecDeque;

use diesel::prelude::*;

use super::deliveries::Delivery;
use super::events::Event;
use super::invoices::{Invoice, InvoiceFilter};
use super::page::Page;
use super::payment_links::PaymentLink;
use super::payments::{Filter, Outline, Payment};
use super::refunds::Refund;
use super::schema::{apps, attempts, deliveries, payments, webhook_endpoints};
use super::sql::condition;
use super::subscriptions::Subscription;
use super::webhook_endpoints::EndpointRow;
use super::{Conn, StoreResult};
use crate::domain::ids::{AppId, AttemptId, EventId, InvoiceId, PaymentId, RefundId, TenantId};
use crate::domain::mode::Mode;
use crate::domain::payment_links::LinkStatus;
use crate::domain::subscriptions::SubscriptionStatus;
use crate::domain::time::Timestamp;

/// Payments that are looked at for one page when several conditions meet, of which only one has an index.
const MOST_LOOKED_AT: usize = 1_000;

/// As many of an app's at once.
const LOOKED_AT_AT_ONCE: usize = 100;

/// An app, as lists name it.
#[derive(Clone, Debug, PartialEq, Eq, Queryable)]
pub struct AppName {
    /// Its id.
    pub app_id: AppId,
    /// Its name.
    pub name: String,
    /// Its key for requests; no secret.
    pub public_key: String,
    /// When it was archived, if it was.
    pub archived_at: Option<Timestamp>,
}

/// The apps of a tenant in one mode, oldest first, archived ones too.
pub fn apps(conn: &mut Conn, tenant_id: &TenantId, mode: Mode) -> StoreResult<Vec<AppName>> {
    Ok(apps::table
        .filter(apps::tenant_id.eq(tenant_id))
        .filter(apps::mode.eq(mode))
        .order(apps::app_id)
        .select((apps::app_id, apps::name, apps::public_key, apps::archived_at))
        .load(conn)?)
}

/// The newest `limit` of what `list` finds for each app. `key` is what the pages are ordered by.
fn newest<T>(
    app_ids: &[AppId],
    limit: usize,
    key: impl Fn(&T) -> &str,
    mut list: impl FnMut(&AppId) -> StoreResult<Page<T>>,
) -> StoreResult<Page<T>> {
    let mut items = Vec::new();
    let mut has_more = false;
    for app_id in app_ids {
        let page = list(app_id)?;
        has_more |= page.next.is_some();
        items.extend(page.items);
    }
    items.sort_by(|one, other| key(other).cmp(key(one)));
    has_more |= items.len() > limit;
    items.truncate(limit);
    let next = items.last().filter(|_| has_more).map(|last| key(last).to_owned());
    Ok(Page { items, next })
}

/// A page of the apps' payments, newest first. Where more than one condition is asked for, a page may hold fewer than
/// there are, and its `next` leads on to older ones.
pub fn payments(
    conn: &mut Conn,
    app_ids: &[AppId],
    filter: &Filter,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Payment>> {
    let (indexed, is_whole) = narrowest(filter);
    if is_whole {
        return newest(
            app_ids,
            limit,
            |row: &Payment| row.payment_id.as_str(),
            |app_id| super::payments::list(conn, app_id, &indexed, before, limit),
        );
    }
    let mut strands: Vec<Strand<'_>> = app_ids.iter().map(|app_id| Strand::new(app_id, before)).collect();
    let mut found: Vec<PaymentId> = Vec::new();
    let mut last_looked_at = None;
    for _ in 0..MOST_LOOKED_AT {
        for strand in &mut strands {
            strand.fill(conn, &indexed)?;
        }
        let newest = strands.iter_mut().max_by(|one, other| one.head().cmp(&other.head()));
        let Some(row) = newest.and_then(|strand| strand.rows.pop_front()) else {
            last_looked_at = None;
            break;
        };
        last_looked_at = Some(row.payment_id.to_string());
        if fits(&row, filter) {
            found.push(row.payment_id);
        }
        if found.len() > limit {
            found.truncate(limit);
            last_looked_at = found.last().map(ToString::to_string);
            break;
        }
    }
    Ok(Page { items: super::payments::with_ids(conn, &found)?, next: last_looked_at })
}

/// The payments of one app on their way into a list of several: read a piece at a time, as far as the list gets.
struct Strand<'a> {
    app_id: &'a AppId,
    rows: VecDeque<Outline>,
    /// Where the next piece begins, unless there is none.
    next: Option<Option<String>>,
}

impl<'a> Strand<'a> {
    fn new(app_id: &'a AppId, before: Option<&str>) -> Self {
        Self { app_id, rows: VecDeque::new(), next: Some(before.map(str::to_owned)) }
    }

    fn head(&self) -> Option<&PaymentId> {
        self.rows.front().map(|row| &row.payment_id)
    }

    /// Reads the next piece where nothing is left of the last.
    fn fill(&mut self, conn: &mut Conn, indexed: &Filter) -> StoreResult<()> {
        let Some(before) = self.next.as_ref().filter(|_| self.rows.is_empty()) else { return Ok(()) };
        let page = super::payments::outlines(conn, self.app_id, indexed, before.as_deref(), LOOKED_AT_AT_ONCE)?;
        self.next = page.next.map(Some);
        self.rows.extend(page.items);
        Ok(())
    }
}

/// The one condition of a filter, with its times, that finds the fewest by an index; and whether that is all of it.
fn narrowest(filter: &Filter) -> (Filter, bool) {
    let times = Filter { created_from: filter.created_from, created_to: filter.created_to, ..Filter::default() };
    let mut conditions = 0;
    let mut indexed = times.clone();
    if let Some(currency) = filter.currency {
        conditions += 1;
        indexed = Filter { currency: Some(currency), ..times.clone() };
    }
    if let Some(provider) = &filter.provider {
        conditions += 1;
        indexed = Filter { provider: Some(provider.clone()), ..times.clone() };
    }
    if let Some(status) = filter.status {
        conditions += 1;
        indexed = Filter { status: Some(status), ..times.clone() };
    }
    if let Some(method) = &filter.method {
        conditions += 1;
        indexed = Filter { method: Some(method.clone()), ..times.clone() };
    }
    if let Some(buyer) = &filter.external_user_id {
        conditions += 1;
        indexed = Filter { external_user_id: Some(buyer.clone()), ..times.clone() };
    }
    if filter.needs_attention {
        conditions += 1;
        indexed = Filter { needs_attention: true, ..times.clone() };
    }
    if let Some(number) = &filter.invoice_number {
        conditions += 1;
        indexed = Filter { invoice_number: Some(number.clone()), ..times.clone() };
    }
    // An outline does not have it, so that it is what is looked up wherever it is asked for.
    if let Some(pair) = &filter.metadata {
        conditions += 1;
        indexed = Filter { metadata: Some(pair.clone()), ..times };
    }
    (indexed, conditions < 2)
}

fn fits(row: &Outline, filter: &Filter) -> bool {
    filter.status.is_none_or(|status| row.status == status)
        && filter.method.as_ref().is_none_or(|method| row.method == *method)
        && filter.currency.is_none_or(|currency| row.currency == currency)
        && (row.needs_attention || !filter.needs_attention)
        && filter.provider.as_ref().is_none_or(|provider| row.provider == *provider)
        && filter.external_user_id.as_ref().is_none_or(|buyer| row.external_user_id == *buyer)
        && filter.invoice_number.as_ref().is_none_or(|number| row.invoice_number == *number)
}

condition! {
    /// Within the index of attempts at real providers.
    IsOnARail = "attempts.provider <> 'mock'"
}
condition! {
    /// Within the index of attempts that a provider knows by a reference of ours.
    HasReference = "attempts.reference <> ''"
}

/// The apps' payments that `text` names exactly: by its own id, its invoice number, one of its refunds or events, or what
/// a provider calls it.
pub fn payments_named(conn: &mut Conn, app_ids: &[AppId], text: &str) -> StoreResult<Vec<Payment>> {
    let mut ids: Vec<PaymentId> = Vec::new();
    ids.extend(PaymentId::parse(text));
    if RefundId::parse(text).is_some() {
        use super::schema::refunds;
        ids.extend(refunds::table.find(text).select(refunds::payment_id).first(conn).optional()?);
    }
    if EventId::parse(text).is_some() {
        use super::schema::events;
        let about: Option<Option<PaymentId>> =
            events::table.find(text).select(events::payment_id).first(conn).optional()?;
        ids.extend(about.flatten());
    }
    // The mock's references are made of the attempts' ids.
    let attempt = text.strip_prefix("mock_").and_then(|rest| AttemptId::parse(&format!("att_{rest}")));
    if let Some(attempt) = attempt {
        ids.extend(attempts::table.find(attempt).select(attempts::payment_id).first(conn).optional()?);
    }
    if ids.is_empty() {
        let numbered = payments::table.filter(payments::invoice_number.eq(text)).select(payments::payment_id);
        ids.extend(numbered.first(conn).optional()?);
        ids.extend(super::payments::paid_by(conn, text)?);
        let attempts = attempts::table.select(attempts::payment_id);
        ids.extend(attempts.filter(attempts::provider_ref.eq(text)).filter(IsOnARail).limit(50).load(conn)?);
        ids.extend(attempts.filter(attempts::reference.eq(text)).filter(HasReference).limit(50).load(conn)?);
    }
    ids.sort();
    ids.dedup();
    let mut rows = super::payments::with_ids(conn, &ids)?;
    rows.retain(|row| app_ids.contains(&row.app_id));
    Ok(rows)
}

/// A page of the apps' refunds, newest first.
pub fn refunds(conn: &mut Conn, app_ids: &[AppId], before: Option<&str>, limit: usize) -> StoreResult<Page<Refund>> {
    newest(
        app_ids,
        limit,
        |row: &Refund| row.refund_id.as_str(),
        |app_id| super::refunds::list(conn, app_id, None, before, limit),
    )
}

/// The apps' invoices that `text` names exactly: by its own id, its number, or the product's id of it.
pub fn invoices_named(conn: &mut Conn, app_ids: &[AppId], text: &str) -> StoreResult<Vec<Invoice>> {
    let mut found: Vec<Invoice> = match InvoiceId::parse(text) {
        Some(invoice_id) => super::invoices::find_any(conn, &invoice_id)?.into_iter().collect(),
        None => super::invoices::by_number(conn, text)?.into_iter().collect(),
    };
    found.retain(|invoice| app_ids.contains(&invoice.app_id));
    if found.is_empty() {
        for app_id in app_ids {
            found.extend(super::invoices::by_external_id(conn, app_id, text)?);
        }
    }
    Ok(found)
}

/// A page of the apps' invoices, newest first.
pub fn invoices(
    conn: &mut Conn,
    app_ids: &[AppId],
    filter: &InvoiceFilter,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Invoice>> {
    newest(
        app_ids,
        limit,
        |row: &Invoice| row.invoice_id.as_str(),
        |app_id| super::invoices::list(conn, app_id, filter, before, limit),
    )
}

/// A page of the apps' payment links, newest first.
pub fn payment_links(
    conn: &mut Conn,
    app_ids: &[AppId],
    status: Option<LinkStatus>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<PaymentLink>> {
    newest(
        app_ids,
        limit,
        |row: &PaymentLink| row.payment_link_id.as_str(),
        |app_id| super::payment_links::list(conn, app_id, status, before, limit),
    )
}

/// A page of the apps' subscriptions, newest first.
pub fn subscriptions(
    conn: &mut Conn,
    app_ids: &[AppId],
    status: Option<SubscriptionStatus>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Subscription>> {
    newest(
        app_ids,
        limit,
        |row: &Subscription| row.subscription_id.as_str(),
        |app_id| super::subscriptions::list(conn, app_id, None, status, before, limit),
    )
}

/// A page of the apps' events, newest first.
pub fn events(
    conn: &mut Conn,
    app_ids: &[AppId],
    event_type: Option<&str>,
    before: Option<&str>,
    limit: usize,
) -> StoreResult<Page<Event>> {
    newest(
        app_ids,
        limit,
        |row: &Event| row.event_id.as_str(),
        |app_id| super::events::list(conn, app_id, event_type, None, before, limit),
    )
}

condition! {
    /// Within the index of what was given up.
    IsDead = "deliveries.state = 'dead'"
}

/// The deliveries of the apps that were given up last, `limit` at most, newest first.
pub fn dead_deliveries(
    conn: &mut Conn,
    app_ids: &[AppId],
    since: Timestamp,
    limit: usize,
) -> StoreResult<Vec<Delivery>> {
    let mut rows: Vec<Delivery> = Vec::new();
    for app_id in app_ids {
        let dead = deliveries::table
            .filter(deliveries::app_id.eq(app_id))
            .filter(IsDead)
            .filter(deliveries::finished_at.assume_not_null().ge(since))
            .order(deliveries::finished_at.desc())
            .limit(limit as i64);
        rows.extend(dead.load::<Delivery>(conn)?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.finished_at));
    rows.truncate(limit);
    Ok(rows)
}

/// The endpoints of the apps, oldest first.
pub fn endpoints(conn: &mut Conn, app_ids: &[AppId]) -> StoreResult<Vec<EndpointRow>> {
    Ok(webhook_endpoints::table
        .filter(webhook_endpoints::app_id.eq_any(app_ids))
        .order(webhook_endpoints::endpoint_id)
        .load(conn)?)
}
