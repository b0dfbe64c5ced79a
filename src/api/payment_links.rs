//! `/v1/payment_links`.

use actix_web::web::{Data, Path};
use actix_web::{get, post};
use utoipa::ToSchema;

use super::invoices::empty;
use super::query::Query;
use super::signed::Signed;
use crate::domain::ids::PaymentLinkId;
use crate::domain::payment_links::LinkStatus;
use crate::gateway::Gateway;
use crate::gateway::invoice_views::PaymentLinkObject;
use crate::gateway::views::PageObject;
use crate::problem::{Answered, answer, json};

/// The body of `POST /v1/payment_links`, for the documentation; unknown fields are refused.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes a body that is read field by field")]
pub(crate) struct PaymentLinkRequest {
    /// ISO 4217, upper case.
    #[schema(example = "IDR")]
    currency: String,
    /// Smallest unit of the currency; null where the buyer chooses.
    #[schema(example = 50000, minimum = 1)]
    amount_minor: Option<i64>,
    /// The least that a buyer may choose.
    min_minor: Option<i64>,
    /// The most that a buyer may choose.
    max_minor: Option<i64>,
    /// What it is paid for, 1 to 255 characters.
    #[schema(example = "A ticket for the concert")]
    description: String,
    /// The methods that buyers may choose among; all that have a route unless told.
    methods: Option<Vec<String>>,
    /// How often it may be paid; any number of times unless told.
    #[schema(minimum = 1)]
    uses_max: Option<i64>,
    /// RFC 3339. No payment begins from then on.
    expires_at: Option<String>,
    /// Where buyers go afterwards, the link's page unless told; https in live.
    return_url: Option<String>,
    /// An object of at most 8 KiB, echoed in the link and its payments.
    #[schema(value_type = Option<Object>)]
    metadata: Option<String>,
}

/// Creates a payment link: every visit of its `hosted_url` that pays makes a payment of its own.
#[utoipa::path(
    tag = "Payment links",
    request_body = PaymentLinkRequest,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 printable ASCII characters; kept 24 hours")),
    responses(
        (status = 201, description = "Created", body = PaymentLinkObject<'static>),
        (status = 422, description = "Nobody could pay by it"),
    )
)]
#[post("/v1/payment_links")]
pub async fn create(gateway: Data<Gateway>, signed: Signed) -> Answered {
    Ok(answer(gateway.create_payment_link(&signed.app, signed.once(), &signed.body).await?))
}

/// Lists payment links, newest first.
#[utoipa::path(
    tag = "Payment links",
    params(
        ("limit" = Option<u32>, Query, description = "1 to 100, 20 unless told"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
        ("status" = Option<String>, Query),
    ),
    responses((status = 200, body = PageObject<PaymentLinkObject<'static>>))
)]
#[get("/v1/payment_links")]
pub async fn list(gateway: Data<Gateway>, signed: Signed) -> Answered {
    let mut query = Query::parse(signed.query());
    let limit = query.limit();
    let cursor = query.cursor(PaymentLinkId::parse);
    let status = query.parsed("status", "active, used_up, expired or closed", LinkStatus::parse);
    query.finish()?;
    Ok(json(200, gateway.list_payment_links(&signed.app, status, cursor, limit).await?))
}

/// One payment link.
#[utoipa::path(tag = "Payment links", params(("payment_link_id" = String, Path)), responses((status = 200, body = PaymentLinkObject<'static>), (status = 404)))]
#[get("/v1/payment_links/{payment_link_id}")]
pub async fn get(gateway: Data<Gateway>, payment_link_id: Path<String>, signed: Signed) -> Answered {
    Ok(json(200, gateway.payment_link(&signed.app, &payment_link_id).await?))
}

/// Closes a payment link. Payments that were begun by it go on.
#[utoipa::path(tag = "Payment links", params(("payment_link_id" = String, Path)), responses((status = 200, body = PaymentLinkObject<'static>), (status = 404)))]
#[post("/v1/payment_links/{payment_link_id}/close")]
pub async fn close(gateway: Data<Gateway>, payment_link_id: Path<String>, signed: Signed) -> Answered {
    empty(&signed.body)?;
    Ok(answer(gateway.close_payment_link(&signed.app, signed.once(), &payment_link_id).await?))
}
