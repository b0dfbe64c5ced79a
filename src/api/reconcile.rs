//! `/api/v1/balance/reconcile`.

use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, post};
use serde_json::json;

use super::caller::TenantCaller;
use super::envelope::envelope;
use super::query::Query;
use crate::arriving::{arriving, receive, too_large};
use crate::domain::settlement::Difference;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::{Gateway, ReconcileOptions};
use crate::problem::Answered;

/// Differences in an answer, unless told.
const DEFAULT_LIMIT: usize = 1000;

/// Compares a provider's settlement report (CSV) with what is booked: what matches, what either side lacks, what differs.
#[utoipa::path(
    tag = "Ledger",
    request_body(content = String, content_type = "text/csv"),
    params(
        ("provider" = String, Query), ("from" = Option<String>, Query, description = "RFC 3339; the report's first date"),
        ("to" = Option<String>, Query, description = "RFC 3339, not included; the report's last date"),
        ("limit" = Option<u32>, Query, description = "Differences in the answer: 0 to 10,000, 1,000 unless told"),
    ),
    responses((status = 200), (status = 400), (status = 401), (status = 403), (status = 413), (status = 415), (status = 429))
)]
#[post("/api/v1/balance/reconcile")]
pub async fn reconcile(
    gateway: Data<Gateway>,
    caller: TenantCaller,
    request: HttpRequest,
    mut body: Payload,
) -> Answered {
    let mut query = Query::parse(request.query_string());
    let provider = query.required("provider");
    let (from, to) = (query.moment("from"), query.moment("to"));
    let in_range = |text: &str| text.parse().ok().filter(|limit: &usize| *limit <= 10_000);
    let limit = query.parsed("limit", "an integer from 0 to 10000", in_range).unwrap_or(DEFAULT_LIMIT);
    query.finish()?;
    gateway.check_may_reconcile(&caller.0, &provider)?;
    let most = u64::from(gateway.settings().reconcile_max_report_mib) * 1024 * 1024;
    check_head(&request, most)?;

    let (sender, report) = arriving();
    let differences = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&differences);
    let tell = move |difference: Difference| {
        let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < limit {
            kept.push(difference);
        }
    };
    let options = ReconcileOptions { provider, from, to };
    let comparing = Arc::clone(&gateway).reconcile(&caller.0, options, report, tell);
    let (reconciled, ()) = tokio::join!(comparing, receive(&mut body, sender, most));
    let reconciled = reconciled?;
    let differences = std::mem::take(&mut *differences.lock().unwrap_or_else(PoisonError::into_inner));
    let mut data = reconciled.object();
    let told = differences.len() as u64;
    let all: u64 = data["categories"]
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| *name != "matched")
        .filter_map(|(_, total)| total["count"].as_u64())
        .sum();
    data["truncated"] = json!(all > told);
    data["differences"] = json!(differences);
    envelope(200, &data)
}

fn check_head(request: &HttpRequest, most: u64) -> Outcome<()> {
    let text = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    if text(CONTENT_LENGTH).and_then(|length| length.parse::<u64>().ok()).is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let media_type = text(CONTENT_TYPE).map(|value| value.split(';').next().unwrap_or_default().trim().to_lowercase());
    match media_type.as_deref() {
        None | Some("text/csv" | "application/csv" | "text/plain" | "application/octet-stream") => Ok(()),
        Some(_) => Err(Fault::new(Code::UnsupportedMediaType, "send the report as text/csv")),
    }
}
