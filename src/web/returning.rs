//! Where a provider sends the buyer afterwards: the payment is looked up there and then, and the buyer goes on to the
//! product with what it has come to.

use actix_web::get;
use actix_web::web::{Data, Path};

use super::{back_to_shop, onward};
use crate::gateway::Gateway;
use crate::problem::Answered;

/// Takes the buyer back. Which payment is looked up is said by the path alone, never by what the provider appends.
#[utoipa::path(tag = "Buyers", params(("payment_id" = String, Path)), responses((status = 303, description = "On to `return_url` with `payment_id` and `status`"), (status = 404)))]
#[get("/return/{payment_id}")]
pub async fn page(gateway: Data<Gateway>, payment_id: Path<String>) -> Answered {
    let payment = gateway.return_from_provider(&payment_id).await?;
    Ok(onward(&back_to_shop(&payment, payment.status)))
}
