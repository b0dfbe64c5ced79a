//! What is told of the ledger's customers, of its numbers, and of how much one may ask for and write. Balances over a
//! stretch are in `balances`.

use serde::Serialize;

use super::balances::{MOST_COMPARED, PlacedDelta, change_over, stretch_of_customer, too_wide};
use super::views::{Enveloped, render};
use super::{Gateway, Scope};
use crate::domain::balances::{MAX_DAYS, MAX_MONTHS, Window};
use crate::domain::decimals::Decimal;
use crate::domain::deltas::MAX_BATCH;
use crate::domain::money::Currency;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::delta_entries::{self, EntryRow, Line};
use crate::store::ledger_customers::{self, LedgerCustomer};
use crate::store::ledgers;

/// How many numbers one request looks for gaps in.
const MOST_NUMBERS: i64 = 100_000;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerObject<'a> {
    customer_id: &'a str,
    display_name: Option<&'a str>,
    currency: Option<&'static str>,
    computed_balance: Decimal,
    balance: Decimal,
    total_deltas: i64,
    deltas_count: i64,
    last_delta_at: Option<Timestamp>,
    created_at: Timestamp,
}

impl<'a> From<&'a LedgerCustomer> for CustomerObject<'a> {
    fn from(customer: &'a LedgerCustomer) -> Self {
        Self {
            customer_id: &customer.customer_id,
            display_name: customer.display_name.as_deref(),
            currency: customer.currency.map(Currency::code),
            computed_balance: customer.balance.decimal(),
            balance: customer.balance.decimal(),
            total_deltas: customer.deltas,
            deltas_count: customer.deltas,
            last_delta_at: customer.last_delta_at,
            created_at: customer.created_at,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Pagination {
    page: i64,
    limit: i64,
    total: i64,
    total_pages: i64,
}

impl Pagination {
    fn new(page: i64, limit: i64, total: i64) -> Self {
        Self { page, limit, total, total_pages: (total + limit - 1) / limit }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerPage<'a> {
    customers: Vec<CustomerObject<'a>>,
    pagination: Pagination,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CustomerDetail<'a> {
    #[serde(flatten)]
    customer: CustomerObject<'a>,
    latest_receipt_id: Option<String>,
    recent_activity: Activity,
}

#[derive(Serialize)]
struct Activity {
    items: Vec<PlacedDelta>,
    pagination: Pagination,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Gaps<'a> {
    customer_id: &'a str,
    from_sequence: i64,
    to_sequence: i64,
    gaps: Vec<i64>,
    gap_count: usize,
    has_gaps: bool,
    last_sequence: i64,
}

impl Gateway {
    /// A page of the ledger's customers whose ids begin with `search`, with their balances, rendered.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn balance_customers(&self, scope: &Scope, search: String, [page, limit]: [i64; 2]) -> Outcome<String> {
        let (customers, total) = self.customers_by_id(scope, search, [page, limit]).await?;
        let pagination = Pagination::new(page, limit, total);
        let customers = customers.iter().map(CustomerObject::from).collect();
        Ok(render(&Enveloped::new(200, &CustomerPage { customers, pagination })))
    }

    /// A page of the ledger's customers whose ids begin with `search`, and how many there are, up to 10,000.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn customers_by_id(
        &self,
        scope: &Scope,
        search: String,
        [page, limit]: [i64; 2],
    ) -> Outcome<(Vec<LedgerCustomer>, i64)> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        let offset = (page - 1).saturating_mul(limit);
        self.read(move |conn| ledger_customers::search(conn, &tenant_id, mode, &search, offset, limit)).await
    }

    /// A customer with its balance and a page of its deltas, newest first, rendered.
    ///
    /// # Errors
    /// 403 without the scope; 404.
    pub async fn balance_customer(
        &self,
        scope: &Scope,
        customer_id: String,
        window: Window,
        [page, limit]: [i64; 2],
    ) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let Some(customer) = ledger_customers::find(conn, &tenant_id, mode, &customer_id)? else {
                return Ok(Err(customer_not_found()));
            };
            let stretch = match stretch_of_customer(conn, &tenant_id, mode, &customer, &window)? {
                Ok(stretch) => stretch,
                Err(fault) => return Ok(Err(fault)),
            };
            let last = stretch.last.saturating_sub((page - 1).saturating_mul(limit));
            let first = last.saturating_sub(limit - 1).max(stretch.first);
            let mut items = Vec::new();
            if stretch.first <= last {
                let rows = delta_entries::stretch(conn, stretch.line, first, last)?;
                items.extend(rows.into_iter().rev().map(PlacedDelta::from));
            }
            let latest = delta_entries::at(conn, stretch.line, customer.deltas)?;
            let mut object = CustomerObject::from(&customer);
            if window != Window::All {
                object.computed_balance = change_over(conn, stretch)?.1;
                object.total_deltas = stretch.length();
            }
            Ok(Ok(render(&Enveloped::new(
                200,
                &CustomerDetail {
                    customer: object,
                    latest_receipt_id: latest.map(|entry| entry.record_id.receipt_id()),
                    recent_activity: Activity { items, pagination: Pagination::new(page, limit, stretch.length()) },
                },
            ))))
        })
        .await?
    }

    /// Which numbers are missing in a stretch of the line, which must be none; that of a customer's deltas unless told.
    ///
    /// # Errors
    /// 400 for a stretch that is too long; 403 without the scope; 404.
    pub async fn balance_gaps(
        &self,
        scope: &Scope,
        customer_id: String,
        [from, to]: [Option<i64>; 2],
        limit: usize,
    ) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (tenant_id, mode) = (scope.tenant_id.clone(), scope.mode);
        self.read(move |conn| {
            let customer = ledger_customers::find(conn, &tenant_id, mode, &customer_id)?;
            let ledger = ledgers::find(conn, &tenant_id, mode)?;
            let (Some(customer), Some(ledger)) = (customer, ledger) else { return Ok(Err(customer_not_found())) };
            let number = |entry: Option<EntryRow>| entry.map_or(0, |entry| entry.sequence);
            let of_customer = Line::Customer(customer.customer_key);
            let last = number(delta_entries::at(conn, of_customer, customer.deltas)?);
            let to = to.unwrap_or(last).min(ledger.last_sequence);
            let from = match from {
                Some(from) => from,
                None => number(delta_entries::at(conn, of_customer, 1)?).max(to - MOST_NUMBERS + 1),
            };
            if to - from >= MOST_NUMBERS {
                return Ok(Err(too_wide(&format!("{MOST_NUMBERS} numbers can be looked at at once"))));
            }
            let there = delta_entries::numbers(conn, ledger.ledger_id, from, to)?;
            let mut missing = Vec::new();
            let mut expected = from.max(1);
            for number in there.into_iter().chain([to + 1]) {
                missing.extend(expected..number);
                expected = number + 1;
            }
            let gap_count = missing.len();
            missing.truncate(limit);
            Ok(Ok(render(&Enveloped::new(
                200,
                &Gaps {
                    customer_id: &customer_id,
                    from_sequence: from,
                    to_sequence: to,
                    gaps: missing,
                    gap_count,
                    has_gaps: gap_count > 0,
                    last_sequence: last,
                },
            ))))
        })
        .await?
    }

    /// What the plan leaves this month, as machines ask for it, rendered.
    ///
    /// # Errors
    /// 403 without the scope.
    pub async fn balance_usage(&self, scope: &Scope) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        let (plan, period, used) = self.plan_this_month(scope).await?;
        let remaining = plan.remaining(used);
        let is_allowed = plan.cap().is_none_or(|cap| used < cap);
        Ok(render(&Enveloped::new(
            200,
            &serde_json::json!({
                "allowed": is_allowed, "remaining": remaining, "limit": plan.monthly_deltas, "used": used,
                "consumedDeltas": used, "overageCount": plan.overage(used), "tier": plan.name, "isHardCap": plan.is_hard_cap,
                "period": period.to_string(), "resetsAt": period.end(), "mode": scope.mode,
            }),
        )))
    }

    /// How much one request may ask for, rendered.
    ///
    /// # Errors
    /// 403 without the scope.
    pub fn balance_limits(&self, scope: &Scope) -> Outcome<String> {
        scope.require_scope("balance:read")?;
        Ok(render(&Enveloped::new(
            200,
            &serde_json::json!({
                "maxScopeMonths": MAX_MONTHS, "maxLastNDays": MAX_DAYS, "maxRetentionDays": MAX_DAYS,
                "maxBatchSize": MAX_BATCH, "maxDelta": 1_000_000_000, "maxDecimalPlaces": 6,
                "maxMetadataBytes": 8192, "maxPageSize": 1000, "maxComparedDeltas": MOST_COMPARED,
                "maxGapRange": MOST_NUMBERS,
            }),
        )))
    }
}

pub(super) fn customer_not_found() -> Fault {
    Fault::new(Code::NotFound, "the ledger has no such customer")
}
