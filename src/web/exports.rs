//! Lists as files: read and sent a piece at a time, so that a million rows need no more memory than a thousand.

use std::io::Error;
use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, X_CONTENT_TYPE_OPTIONS};
use actix_web::web::{Bytes, Data};
use actix_web::{HttpRequest, HttpResponse, get};
use futures_util::stream;

use super::listing::Asked;
use super::payments::query_of;
use super::shell::Visitor;
use crate::domain::money::plain_amount;
use crate::error::Outcome;
use crate::gateway::{AuditEntry, Gateway, Listed, Payment, PaymentQuery, Scope};
use crate::problem::Answered;

/// Rows of a piece.
const PER_PIECE: usize = 1_000;

/// A cell, safe to open in a spreadsheet: what would be a formula is text, what would end the cell is quoted.
fn cell(line: &mut String, text: &str) {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']);
    let is_quoted = is_formula || text.contains([',', ';', '"', '\n', '\r', '\t']);
    if !is_quoted {
        line.push_str(text);
        return;
    }
    line.push('"');
    if is_formula {
        line.push('\'');
    }
    line.push_str(&text.replace('"', "\"\""));
    line.push('"');
}

/// A line of cells.
pub(super) fn row(lines: &mut String, cells: &[&str]) {
    for (index, text) in cells.iter().enumerate() {
        if index > 0 {
            lines.push(',');
        }
        cell(lines, text);
    }
    lines.push_str("\r\n");
}

const PAYMENT_COLUMNS: [&str; 20] = [
    "payment_id",
    "created_at",
    "updated_at",
    "app",
    "mode",
    "status",
    "amount",
    "currency",
    "amount_minor",
    "paid_minor",
    "refunded_minor",
    "method",
    "provider",
    "provider_ref",
    "invoice_number",
    "external_user_id",
    "email",
    "description",
    "last_error",
    "metadata",
];

fn payment_rows(listed: &Listed<Payment>) -> String {
    let mut lines = String::new();
    for payment in &listed.page.items {
        row(
            &mut lines,
            &[
                payment.payment_id.as_str(),
                &payment.created_at.to_rfc3339(),
                &payment.updated_at.to_rfc3339(),
                listed.app_name(&payment.app_id),
                payment.mode.as_str(),
                payment.status.as_str(),
                &plain_amount(payment.amount_minor, payment.currency),
                payment.currency.code(),
                &payment.amount_minor.to_string(),
                &payment.paid_minor.to_string(),
                &payment.refunded_minor.to_string(),
                &payment.method,
                &payment.provider,
                payment.provider_ref.as_deref().unwrap_or_default(),
                &payment.invoice_number,
                &payment.external_user_id,
                payment.email.as_deref().unwrap_or_default(),
                payment.description.as_deref().unwrap_or_default(),
                &payment.last_error,
                &payment.metadata,
            ],
        );
    }
    lines
}

pub(super) fn headed(columns: &[&str]) -> String {
    let mut lines = String::new();
    row(&mut lines, columns);
    lines
}

/// An answer that is kept as a file and made while it is sent: `piece` gives the text from a cursor on, and the next.
pub(super) fn file<F>(name: &str, content_type: &'static str, start: String, piece: F) -> HttpResponse
where
    F: AsyncFn(Option<String>) -> Outcome<(String, Option<String>)> + Clone + 'static,
{
    let pieces = stream::unfold(Some((None, start)), move |state: Option<(Option<String>, String)>| {
        let piece = piece.clone();
        async move {
            let (cursor, before) = state?;
            match piece(cursor).await {
                Ok((text, next)) => {
                    let state = next.map(|next| (Some(next), String::new()));
                    Some((Ok(Bytes::from(before + &text)), state))
                }
                // The status is sent: the download breaks off, so that nobody takes it for the whole.
                Err(fault) => {
                    tracing::warn!(%fault, "an export broke off");
                    Some((Err(Error::other("the export broke off")), None))
                }
            }
        }
    });
    HttpResponse::Ok()
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type(content_type)
        .streaming(Box::pin(pieces))
}

/// A document that is kept as a file under a name of plain characters, whatever it is made of.
pub(super) fn document(name: &str, extension: &str, content_type: &'static str, body: String) -> HttpResponse {
    let plain = |character: char| {
        if character.is_ascii_alphanumeric() || "-_.".contains(character) { character } else { '_' }
    };
    let name: String = name.chars().map(plain).take(120).collect();
    HttpResponse::Ok()
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.{extension}\"")))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .content_type(content_type)
        .body(body)
}

pub(super) fn today(gateway: &Gateway) -> String {
    gateway.now().wall_clock(0).strftime("%Y-%m-%d").to_string()
}

/// The payments of a list as CSV, whatever its length.
#[get("/console/payments.csv")]
pub async fn payments(gateway: Data<Gateway>, visitor: Visitor, request: HttpRequest) -> Answered {
    let scope = Arc::new(visitor.scope);
    let query = query_of(&Asked::of(&request));
    let name = format!("payments-{}-{}.csv", scope.mode, today(&gateway));
    let piece = async move |cursor: Option<String>| payment_piece(&gateway, &scope, &query, cursor).await;
    Ok(file(&name, "text/csv; charset=utf-8", headed(&PAYMENT_COLUMNS), piece))
}

async fn payment_piece(
    gateway: &Data<Gateway>,
    scope: &Arc<Scope>,
    query: &PaymentQuery,
    cursor: Option<String>,
) -> Outcome<(String, Option<String>)> {
    let listed = gateway.payments_across(scope, query.clone(), cursor, PER_PIECE).await?;
    Ok((payment_rows(&listed), listed.page.next))
}

const AUDIT_COLUMNS: [&str; 9] =
    ["entry_id", "created_at", "mode", "actor", "address", "action", "subject", "before", "after"];

fn audit_row(lines: &mut String, entry: &AuditEntry) {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    row(
        lines,
        &[
            entry.entry_id.as_str(),
            &entry.created_at.to_rfc3339(),
            entry.mode.map_or("", |mode| mode.as_str()),
            &entry.actor,
            &text(&entry.address),
            &entry.action,
            &text(&entry.subject),
            &text(&entry.before),
            &text(&entry.after),
        ],
    );
}

fn audit_object(entry: &AuditEntry) -> String {
    let raw = |text: &Option<String>| -> serde_json::Value {
        text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    };
    serde_json::json!({
        "entry_id": entry.entry_id, "created_at": entry.created_at, "mode": entry.mode, "actor": entry.actor,
        "address": entry.address, "action": entry.action, "subject": entry.subject, "before": raw(&entry.before),
        "after": raw(&entry.after),
    })
    .to_string()
}

/// The audit log as CSV.
#[get("/console/audit.csv")]
pub async fn audit_as_csv(gateway: Data<Gateway>, visitor: Visitor) -> Answered {
    let scope = Arc::new(visitor.scope);
    let name = format!("audit-{}.csv", today(&gateway));
    let piece = async move |cursor: Option<String>| {
        let page = gateway.audit_log(&scope, cursor, PER_PIECE).await?;
        let mut lines = String::new();
        page.items.iter().for_each(|entry| audit_row(&mut lines, entry));
        Ok((lines, page.next))
    };
    Ok(file(&name, "text/csv; charset=utf-8", headed(&AUDIT_COLUMNS), piece))
}

/// The audit log as JSON, one object a line.
#[get("/console/audit.jsonl")]
pub async fn audit_as_json(gateway: Data<Gateway>, visitor: Visitor) -> Answered {
    let scope = Arc::new(visitor.scope);
    let name = format!("audit-{}.jsonl", today(&gateway));
    let piece = async move |cursor: Option<String>| {
        let page = gateway.audit_log(&scope, cursor, PER_PIECE).await?;
        let lines: String = page.items.iter().map(|entry| audit_object(entry) + "\n").collect();
        Ok((lines, page.next))
    };
    Ok(file(&name, "application/jsonl", String::new(), piece))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_text_whatever_a_spreadsheet_would_make_of_it() {
        let mut lines = String::new();
        row(&mut lines, &["a", "=1+1", "+1", "-1", "@SUM(A1)", "say \"hi\", you", "\ttab", "two\nlines", ""]);
        assert_eq!(
            lines,
            "a,\"'=1+1\",\"'+1\",\"'-1\",\"'@SUM(A1)\",\"say \"\"hi\"\", you\",\"'\ttab\",\"two\nlines\",\r\n"
        );
        let mut lines = String::new();
        row(&mut lines, &["", "b"]);
        assert_eq!(lines, ",b\r\n");
    }
}
