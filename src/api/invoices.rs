//! `/v1/invoices`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::query::Query;
use super::signed::Signed;
use crate::domain::fields::Fields;
use crate::domain::ids::InvoiceId;
use crate::domain::invoices::InvoiceStatus;
use crate::error::Fault;
use crate::gateway::invoice_views::InvoiceObject;
use crate::gateway::views::PageObject;
use crate::gateway::{Gateway, InvoiceFilter};
use crate::problem::{Answered, answer, json};

/// One line of a request for an invoice.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct LineItemRequest {
    /// 1 to 255 characters.
    #[schema(example = "Workshop, one day")]
    description: String,
    /// 1 to 1,000,000.
    #[schema(example = 2, minimum = 1)]
    quantity: i64,
    /// Smallest unit of the currency.
    #[schema(example = 750000, minimum = 0)]
    unit_amount_minor: i64,
}

/// The body of `POST /v1/invoices`, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct InvoiceRequest {
    /// The product's stable buyer id, 1 to 128 characters.
    #[schema(example = "user-42")]
    external_user_id: String,
    /// Without it the page asks for it where the method needs one.
    #[schema(example = "buyer@example.com")]
    email: Option<String>,
    /// ISO 4217, upper case.
    #[schema(example = "IDR")]
    currency: String,
    /// 1 to 100 lines.
    line_items: Vec<LineItemRequest>,
    /// RFC 3339. From then on the invoice is `overdue`, and can still be paid.
    #[schema(example = "2026-12-31T16:59:59Z")]
    due_at: Option<String>,
    /// The methods that the buyer may choose among; all that have a route unless told.
    methods: Option<Vec<String>>,
    /// Where the buyer goes afterwards, the invoice's page unless told; https in live.
    return_url: Option<String>,
    /// An object of at most 8 KiB, echoed in the invoice, its events and its payments.
    #[schema(value_type = Option<Object>)]
    metadata: Option<String>,
    /// The product's own id of it, one for each app: the same again is the same invoice.
    #[schema(example = "order-42")]
    external_id: Option<String>,
    /// The number is `<prefix>-<number>`; `INV` unless told.
    #[schema(example = "INV")]
    invoice_prefix: Option<String>,
    /// Whether it waits to be finalized before its buyer sees it.
    draft: Option<bool>,
}

/// Creates an invoice, which its buyer pays at `hosted_url`.
#[utoipa::path(
    tag = "Invoices",
    request_body = InvoiceRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; kept 24 hours")),
    responses(
        (status = 201, description = "Created", body = InvoiceObject<'static>),
        (status = 200, description = "The one that has this `external_id`", body = InvoiceObject<'static>),
        (status = 409, description = "`external_id` stands for another one"),
        (status = 422, description = "Nobody could pay it"),
    )
)]
#[post("/v1/invoices")]
pub async fn create(gateway: Data<Gateway>, signed: Signed) -> Answered {
    Ok(answer(gateway.create_invoice(&signed.app, signed.once(), &signed.body).await?))
}

/// Lists invoices, newest first.
#[utoipa::path(
    tag = "Invoices",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query),
        ("external_user_id" = Option<String>, Query),
        ("external_id" = Option<String>, Query),
    ),
    responses((status = 200, body = PageObject<InvoiceObject<'static>>))
)]
#[get("/v1/invoices")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.cursor(InvoiceId::parse);
    let filter = InvoiceFilter {
        status: query.parsed("status", "draft, open, paid, void or overdue", InvoiceStatus::parse),
        external_user_id: query.text("external_user_id"),
        external_id: query.text("external_id"),
    };
    query.finish()?;
    Ok(json(200, gateway.list_invoices(&signed.app, filter, cursor, limit).await?))
}

/// One invoice.
#[utoipa::path(tag = "Invoices", params(("invoice_id" = String, Path)), responses((status = 200, body = InvoiceObject<'static>), (status = 404)))]
#[get("/v1/invoices/{invoice_id}")]
pub async fn get(gateway: Data<Gateway>, invoice_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.invoice(&signed.app, &invoice_id).await?))
}

/// Opens a draft to its buyer.
#[utoipa::path(tag = "Invoices", params(("invoice_id" = String, Path)), responses((status = 200, body = InvoiceObject<'static>), (status = 404), (status = 422, description = "It is paid or void")))]
#[post("/v1/invoices/{invoice_id}/finalize")]
pub async fn finalize(gateway: Data<Gateway>, invoice_id: Path<String>, signed: Signed) -> Answered {
    empty(&signed.body)?;
    Ok(answer(gateway.finalize_invoice(&signed.app, signed.once(), &invoice_id).await?))
}

/// Gives an invoice up, with its open payments.
#[utoipa::path(tag = "Invoices", params(("invoice_id" = String, Path)), responses((status = 200, body = InvoiceObject<'static>), (status = 404), (status = 422, description = "It is paid"), (status = 503, description = "A provider cannot be asked; nothing has changed")))]
#[post("/v1/invoices/{invoice_id}/void")]
pub async fn void(gateway: Data<Gateway>, invoice_id: Path<String>, signed: Signed) -> Answered {
    empty(&signed.body)?;
    Ok(answer(gateway.void_invoice(&signed.app, signed.once(), &invoice_id).await?))
}

/// Refuses a body with fields, where there are none.
pub(super) fn empty(body: &[u8]) -> Result<(), Fault> {
    Fields::of_body(body).and_then(Fields::finish).map_err(Fault::from)
}
