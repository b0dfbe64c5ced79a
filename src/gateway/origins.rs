//! Payments that were begun for an invoice or by a payment link: what one more of them needs, and what the end of one
//! means for what it was begun for. Called from within the transactions that open and settle payments.
//!
//! Locks are taken in one order: the payment, then what it was begun for. Whoever holds the latter waits for no payment.

use super::payments::Unopened;
use super::starting::OUTCOME_UNKNOWN;
use super::{Gateway, invoices, payment_links};
use crate::domain::invoices::InvoiceStatus;
use crate::domain::origins::Origin;
use crate::domain::payments::{Decision, PaymentStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::payments::Payment;
use crate::store::{Conn, StoreResult, invoices as invoice_rows, payment_links as link_rows, payments};

/// Payments that may be begun for one invoice: no buyer needs so many.
const MOST_FOR_AN_INVOICE: usize = 100;

/// What a payment was begun for.
pub(super) fn origin_of(payment: &Payment) -> Option<Origin> {
    payment.origin.as_deref().and_then(Origin::parse)
}

/// Makes room for one more payment, or says what stands against it. An invoice has one open payment for each method, and
/// a link no more than it has uses.
pub(super) fn make_room(
    conn: &mut Conn,
    origin: &Origin,
    payment: &mut Payment,
    now: Timestamp,
) -> StoreResult<Result<(), Unopened>> {
    match origin {
        Origin::Invoice(invoice_id) => {
            let Some(invoice) = invoice_rows::lock(conn, invoice_id)? else {
                return Ok(Err(Unopened::Closed(invoices::invoice_not_found())));
            };
            if !invoice.status.is_payable() {
                return Ok(Err(Unopened::Closed(invoices::not_open(&invoice, "cannot be paid"))));
            }
            let others = payments::of_origins(conn, &[origin.as_str()])?;
            let is_same = |other: &&Payment| other.status == PaymentStatus::Initiated && other.method == payment.method;
            if let Some(standing) = others.iter().find(is_same) {
                return Ok(Err(Unopened::Standing(Box::new(standing.clone()))));
            }
            if others.len() >= MOST_FOR_AN_INVOICE {
                let detail = "too many payments were begun for this invoice";
                return Ok(Err(Unopened::Closed(Fault::new(Code::InvoiceNotOpen, detail))));
            }
            payment.invoice_number = match others.len() {
                0 => invoice.number,
                number => format!("{}-{}", invoice.number, number + 1),
            };
        }
        Origin::Link(link_id) => {
            let Some(mut link) = link_rows::lock(conn, link_id)? else {
                return Ok(Err(Unopened::Closed(payment_links::link_not_found())));
            };
            if let Some(objection) = payment_links::objection(&link, now) {
                return Ok(Err(Unopened::Closed(objection)));
            }
            if payment.status == PaymentStatus::Initiated {
                link.reserved = link.reserved.saturating_add(1);
                link_rows::save(conn, &link)?;
            }
        }
    }
    Ok(Ok(()))
}

/// Whether money for a payment comes too late, because its invoice was closed. The invoice is locked.
pub(super) fn is_closed(conn: &mut Conn, payment: &Payment) -> StoreResult<bool> {
    let Some(Origin::Invoice(invoice_id)) = origin_of(payment) else { return Ok(false) };
    Ok(invoice_rows::lock(conn, &invoice_id)?.is_some_and(|invoice| !invoice.status.is_payable()))
}

/// The same without a lock, for who asks whether a payment is still of use.
pub(super) fn is_closed_now(conn: &mut Conn, payment: &Payment) -> StoreResult<bool> {
    let Some(Origin::Invoice(invoice_id)) = origin_of(payment) else { return Ok(false) };
    Ok(invoice_rows::find_any(conn, &invoice_id)?.is_some_and(|invoice| !invoice.status.is_payable()))
}

/// Takes note of what has become of a payment that is locked. `was_paid` is whether there was money before.
pub(super) fn follow(
    conn: &mut Conn,
    payment: &Payment,
    decision: &Decision,
    was_paid: bool,
    now: Timestamp,
) -> StoreResult<()> {
    match origin_of(payment) {
        None => Ok(()),
        Some(Origin::Invoice(invoice_id)) => {
            // Money that comes for a payment that was given up pays the invoice, if nothing else did: its buyer must not
            // be asked for it once more.
            if !matches!(decision, Decision::Succeed | Decision::PaidAfterClose) {
                return Ok(());
            }
            let Some(mut invoice) = invoice_rows::lock(conn, &invoice_id)? else { return Ok(()) };
            if !invoice.status.is_payable() {
                return Ok(());
            }
            invoice.status = InvoiceStatus::Paid;
            // After what is told of the payment.
            invoice.updated_at = now.strictly_after(invoice.updated_at).strictly_after(payment.updated_at);
            invoice.paid_at = Some(invoice.updated_at);
            invoice_rows::save(conn, &invoice)?;
            invoices::announce(conn, &invoice, "invoice.paid", Some(&payment.payment_id), now)?;
            retire(conn, invoice_id.as_str(), now)
        }
        Some(Origin::Link(link_id)) => {
            let (ended, paid) = match decision {
                Decision::Succeed => (1, 1),
                Decision::Fail(_) | Decision::Cancel(_) => (1, 0),
                Decision::PaidAfterClose => (0, i64::from(!was_paid)),
                Decision::Nothing | Decision::Quarantine(_) => return Ok(()),
            };
            let Some(mut link) = link_rows::lock(conn, &link_id)? else { return Ok(()) };
            link.reserved = link.reserved.saturating_sub(ended).max(0);
            link.uses = link.uses.saturating_add(paid);
            payment_links::wear(&mut link);
            link.updated_at = now.strictly_after(link.updated_at);
            link_rows::save(conn, &link)
        }
    }
}

/// Has the payments that are of no use any more be given up at their providers: they are asked next, and no buyer is
/// waited for. Not those whose start was not answered, as there is nothing to give up yet.
pub(super) fn retire(conn: &mut Conn, origin: &str, now: Timestamp) -> StoreResult<()> {
    let open = payments::lock_open_of_origin(conn, origin)?;
    let ids: Vec<_> = open
        .into_iter()
        .filter(|payment| payment.last_error != OUTCOME_UNKNOWN)
        .map(|payment| payment.payment_id)
        .collect();
    if ids.is_empty() { Ok(()) } else { payments::lease_polls(conn, &ids, now) }
}

impl Gateway {
    /// Whether a payment is of no use any more, because its invoice was closed.
    pub(super) async fn is_origin_closed(&self, payment: &Payment) -> Outcome<bool> {
        if payment.origin.is_none() {
            return Ok(false);
        }
        let payment = payment.clone();
        self.read(move |conn| is_closed_now(conn, &payment)).await
    }
}
