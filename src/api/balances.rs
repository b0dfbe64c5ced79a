//! `/api/v1/balance`: what balances are, and whether two sides agree. What moves one is in `deltas`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, get, post};
use serde_json::value::RawValue;
use serde_json::{Value, json as json_value};
use utoipa::ToSchema;

use super::caller::{TenantCaller, TenantRequest};
use super::deltas::decimal_schema;
use super::envelope::envelope;
use super::query::Query;
use crate::domain::balances::{Amounts, Window, WindowFault, WindowFields};
use crate::domain::decimals::Decimal;
use crate::domain::deltas::{decimal, required_decimal};
use crate::domain::fields::{Fields, text_fault};
use crate::error::{Code, Fault, Outcome};
use crate::gateway::webhook_endpoints::delivery_object;
use crate::gateway::{Comparison, Gateway};
use crate::problem::{Answered, json};

/// The largest body of a comparison, in bytes: two lists of ten thousand references.
const COMPARISON_BYTES: usize = 8 * 1024 * 1024;

/// A comparison, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct ComparisonRequest {
    /// Whose balance; that of all customers that API keys emitted for when left out.
    customer_id: Option<String>,
    /// What you have.
    #[schema(schema_with = decimal_schema)]
    your_balance: String,
    /// What the other side has.
    #[schema(schema_with = decimal_schema)]
    their_balance: String,
    /// What both began with; 0.
    #[schema(schema_with = decimal_schema, required = false)]
    starting_balance: Option<String>,
    /// The proofRoot or id of a checkpoint, or a record's or receipt's id: only what comes after it counts.
    starting_checkpoint: Option<String>,
    /// What `startingCheckpoint` is; it is found out in any case.
    starting_checkpoint_type: Option<String>,
    /// A month, as `2026-11`.
    period: Option<String>,
    /// `current_month` or `custom`.
    time_preset: Option<String>,
    /// A moment or a day.
    start_date: Option<String>,
    /// A moment or a day; what was verified at it does not count.
    end_date: Option<String>,
    /// `referenceId` and `amount` of what you have, for the references that differ.
    #[schema(value_type = Option<Vec<Object>>)]
    your_deltas: Option<String>,
    /// The same of the other side.
    #[schema(value_type = Option<Vec<Object>>)]
    their_deltas: Option<String>,
}

/// A customer's balance, and a page of the deltas that make it.
#[utoipa::path(
    tag = "Ledger",
    params(
        ("customerId" = String, Path), ("startingBalance" = Option<String>, Query), ("startingCheckpoint" = Option<String>, Query),
        ("startingCheckpointType" = Option<String>, Query), ("period" = Option<String>, Query),
        ("timePreset" = Option<String>, Query), ("startDate" = Option<String>, Query), ("endDate" = Option<String>, Query),
        ("limit" = Option<u32>, Query), ("offset" = Option<u64>, Query)
    ),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[get("/api/v1/balance/derive/{customerId}")]
pub async fn derive(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    customer_id: Path<String>,
    request: HttpRequest,
) -> Answered {
    let mut query = Query::parse(request.query_string());
    let starting_balance = query.parsed("startingBalance", "a number with at most 6 decimal places", Decimal::parse);
    let (limit, offset) = (query.number("limit", 1, 1000, 100), query.number("offset", 0, i64::MAX, 0));
    let window = window_of_query(&gateway, &mut query);
    query.finish()?;
    let starting_balance = starting_balance.unwrap_or_default();
    let customer_id = checked(customer_id.into_inner())?;
    let body = gateway.derive_balance(&caller.0, customer_id, starting_balance, window?, [limit, offset]).await?;
    Ok(json(200, body))
}

/// Says of two sides who has what the ledger has.
#[utoipa::path(
    tag = "Ledger",
    request_body = ComparisonRequest,
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[post("/api/v1/balance/compare")]
pub async fn compare(gateway: Data<Gateway>, request: TenantRequest<COMPARISON_BYTES>) -> Answered {
    let comparison = comparison(&gateway, &request.body)?;
    Ok(json(200, gateway.compare_balances(&request.scope, comparison).await?))
}

fn comparison(gateway: &Gateway, body: &[u8]) -> Outcome<Comparison> {
    let mut fields = Fields::of_body(body).map_err(Fault::from)?;
    let customer_id = fields.text("customerId", 1, 400);
    let (yours, theirs) = (required_decimal(&mut fields, "yourBalance"), required_decimal(&mut fields, "theirBalance"));
    let starting_balance = decimal(&mut fields, "startingBalance");
    let window = WindowFields::of(WindowFields::NAMES.map(|name| fields.text(name, 1, 100)));
    let _ = fields.choice("granularity", &[("day", ()), ("week", ()), ("month", ())]);
    let your_deltas = amounts(&mut fields, "yourDeltas");
    let their_deltas = amounts(&mut fields, "theirDeltas");
    if customer_id.is_none() && (your_deltas.is_some() || their_deltas.is_some()) {
        fields.fault("customerId", "must be given with yourDeltas or theirDeltas");
    }
    fields.finish().map_err(Fault::from)?;
    Ok(Comparison {
        customer_id,
        yours: yours.unwrap_or_default(),
        theirs: theirs.unwrap_or_default(),
        starting_balance: starting_balance.unwrap_or_default(),
        window: window_of(gateway, &window)?,
        your_deltas,
        their_deltas,
    })
}

/// One side's deltas: an array of `{referenceId, amount}`, those of one reference summed.
fn amounts(fields: &mut Fields<'_>, name: &str) -> Option<Amounts> {
    const WHAT: &str = "must be an array of at most 10000 objects with referenceId and amount";
    let raw = fields.raw(name)?;
    let items: Option<Vec<&RawValue>> = serde_json::from_str(raw).ok().filter(|items: &Vec<_>| items.len() <= 10_000);
    let Some(items) = items else {
        fields.fault(name, WHAT);
        return None;
    };
    let mut amounts = Amounts::new();
    for item in items {
        let amount = one_amount(item.get()).and_then(|(reference, amount)| {
            let sum = amounts.entry(reference).or_default();
            *sum = sum.checked_add(amount)?;
            Some(())
        });
        if amount.is_none() {
            fields.fault(name, WHAT);
            return None;
        }
    }
    Some(amounts)
}

fn one_amount(item: &str) -> Option<(String, Decimal)> {
    let mut fields = Fields::of_body(item.as_bytes()).ok()?;
    let reference = fields.required_text("referenceId", 1, 255)?;
    let amount = required_decimal(&mut fields, "amount")?;
    fields.finish().ok()?;
    Some((reference, amount))
}

/// Customers of the ledger in the order of their ids.
#[utoipa::path(
    tag = "Ledger",
    params(("page" = Option<u64>, Query), ("limit" = Option<u32>, Query), ("search" = Option<String>, Query)),
    responses((status = 200), (status = 400), (status = 401), (status = 403))
)]
#[get("/api/v1/balance/customers")]
pub async fn customers(gateway: Data<Gateway>, caller: TenantCaller, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let (page, limit) = (query.number("page", 1, 1_000_000, 1), query.number("limit", 1, 1000, 25));
    let search = query.text("search").unwrap_or_default();
    query.finish()?;
    Ok(json(200, gateway.balance_customers(&caller.0, search, [page, limit]).await?))
}

/// A customer of the ledger with its balance and its latest deltas.
#[utoipa::path(
    tag = "Ledger",
    params(
        ("customerId" = String, Path), ("deltaPage" = Option<u64>, Query), ("deltaLimit" = Option<u32>, Query),
        ("period" = Option<String>, Query)
    ),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[get("/api/v1/balance/customers/{customerId}")]
pub async fn customer(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    customer_id: Path<String>,
    request: HttpRequest,
) -> Answered {
    let mut query = Query::parse(request.query_string());
    let (page, limit) = (query.number("deltaPage", 1, 1_000_000_000, 1), query.number("deltaLimit", 1, 1000, 25));
    let window = window_of_query(&gateway, &mut query);
    query.finish()?;
    let customer_id = checked(customer_id.into_inner())?;
    Ok(json(200, gateway.balance_customer(&caller.0, customer_id, window?, [page, limit]).await?))
}

/// Which numbers are missing in the line, which must be none.
#[utoipa::path(
    tag = "Ledger",
    params(
        ("customerId" = String, Path), ("fromSequence" = Option<u64>, Query), ("toSequence" = Option<u64>, Query),
        ("limit" = Option<u32>, Query)
    ),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 404))
)]
#[get("/api/v1/balance/gaps/{customerId}")]
pub async fn gaps(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    customer_id: Path<String>,
    request: HttpRequest,
) -> Answered {
    let mut query = Query::parse(request.query_string());
    let number = |text: &str| text.parse::<i64>().ok().filter(|number| *number >= 1);
    let [from, to] = ["fromSequence", "toSequence"].map(|name| query.parsed(name, "a whole number from 1", number));
    let limit = query.number("limit", 1, 1000, 100);
    query.finish()?;
    let customer_id = checked(customer_id.into_inner())?;
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    Ok(json(200, gateway.balance_gaps(&caller.0, customer_id, [from, to], limit).await?))
}

/// What the plan leaves this month.
#[utoipa::path(tag = "Ledger", responses((status = 200), (status = 401), (status = 403)))]
#[get("/api/v1/balance/usage")]
pub async fn usage(gateway: Data<Gateway>, caller: TenantCaller) -> Answered {
    Ok(json(200, gateway.balance_usage(&caller.0).await?))
}

/// How much one request may ask for.
#[utoipa::path(tag = "Ledger", responses((status = 200), (status = 401), (status = 403)))]
#[get("/api/v1/balance/limits")]
pub async fn limits(gateway: Data<Gateway>, caller: TenantCaller) -> Answered {
    Ok(json(200, gateway.balance_limits(&caller.0)?))
}

/// The stretch that a query's parameters mean.
pub(super) fn window_of_query(gateway: &Gateway, query: &mut Query) -> Outcome<Window> {
    // How finely a client would show it; the sums are the same.
    let _ = query.text("granularity");
    let fields = WindowFields::of(WindowFields::NAMES.map(|name| query.text(name)));
    window_of(gateway, &fields)
}

/// The stretch that fields mean.
pub(super) fn window_of(gateway: &Gateway, fields: &WindowFields) -> Outcome<Window> {
    fields.window(gateway.now()).map_err(|fault| match fault {
        WindowFault::Combination(detail) => Fault::new(Code::InvalidScopeCombination, detail),
        WindowFault::TooWide => Fault::new(Code::ScopeTooWide, "one may ask for 100 years at the most"),
        WindowFault::Invalid(field, reason) => Fault::invalid(field, reason),
    })
}

/// A customer's id from a path: one that was emitted for, or one of those that payments post to, which have a buyer's id
/// of whatever characters.
pub(super) fn checked(customer_id: String) -> Outcome<String> {
    match text_fault(&customer_id, 1, 400) {
        Some(reason) => Err(Fault::invalid("customerId", &reason)),
        None => Ok(customer_id),
    }
}

/// Deliveries of the tenant's events in the caller's mode, newest first.
#[utoipa::path(
    tag = "Ledger",
    params(("status" = Option<String>, Query), ("limit" = Option<u32>, Query), ("offset" = Option<u32>, Query)),
    responses((status = 200), (status = 400), (status = 401), (status = 403))
)]
#[get("/api/v1/balance/webhooks")]
pub async fn webhooks(gateway: Data<Gateway>, caller: TenantCaller, request: HttpRequest) -> Answered {
    let mut query = Query::parse(request.query_string());
    let named = |text: &str| match text.to_ascii_lowercase().as_str() {
        "pending" | "retrying" => Some("pending".to_owned()),
        "delivered" | "success" => Some("delivered".to_owned()),
        "dead" | "failed" => Some("dead".to_owned()),
        _ => None,
    };
    let state = query.parsed("status", "one of pending, delivered, dead", named);
    let (limit, offset) = (query.number("limit", 1, 100, 20), query.number("offset", 0, 10_000, 0));
    query.finish()?;
    let page = [limit, offset].map(|number| usize::try_from(number).unwrap_or(0));
    let (found, has_more) = gateway.tenant_deliveries(&caller.0, state, page).await?;
    let deliveries: Vec<Value> =
        found.iter().map(|(delivery, event_type)| delivery_object(delivery, event_type)).collect();
    envelope(200, &json_value!({ "deliveries": deliveries, "limit": limit, "offset": offset, "hasMore": has_more }))
}

/// Sends an event of the tenant's again.
#[utoipa::path(
    tag = "Ledger",
    params(("eventId" = String, Path)),
    responses((status = 202), (status = 401), (status = 403), (status = 404))
)]
#[post("/api/v1/balance/webhooks/{eventId}/retry")]
pub async fn retry(gateway: Data<Gateway>, caller: TenantCaller, event_id: Path<String>) -> Answered {
    let count = gateway.retry_event(&caller.0, &event_id).await?;
    envelope(202, &json_value!({ "eventId": event_id.into_inner(), "deliveries": count, "status": "pending" }))
}
