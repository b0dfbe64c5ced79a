//! Invoices: created, read, listed, finalized, given up, late. How one is paid begins in `paying` and ends in `origins`.

use std::collections::HashMap;
use std::sync::Arc;

use super::cancelling::give_up;
use super::idempotency::{Fresh, replay};
use super::invoice_views::InvoiceObject;
use super::origins::retire;
use super::views::{PageObject, raw, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::events::InvoiceEvent;
use crate::domain::ids::{AppId, EventId, InvoiceId, PaymentId};
use crate::domain::invoices::{InvoiceDraft, InvoiceStatus};
use crate::domain::mode::Mode;
use crate::domain::payments::PaymentStatus;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::events::{self, Event};
use crate::store::invoices::{self, Invoice, InvoiceFilter};
use crate::store::payments::{self, Payment};
use crate::store::requests::{self, Claimed};
use crate::store::{Conn, Lane, StoreError, StoreResult, install};

/// Late invoices in one round.
const ROUND: i64 = 100;

impl Gateway {
    /// Creates an invoice, or answers with the one that the app has under the same `external_id`.
    ///
    /// # Errors
    /// The 400s of the documentation; 403 where the tenant may take no payments; 409 where `external_id` stands for another
    /// invoice; 422 where nobody could pay it.
    pub async fn create_invoice(self: &Arc<Self>, app: &Arc<App>, once: Once, body: &[u8]) -> Outcome<Answer> {
        self.check_takes_payments(app, &once).await?;
        let draft = InvoiceDraft::parse(body, app.mode).map_err(Fault::from).and_then(|draft| {
            let amounts = (draft.amount_minor, draft.amount_minor);
            self.check_payable(app, draft.currency, amounts, &draft.metadata, draft.methods.as_deref())?;
            Ok(draft)
        });
        let draft = match draft {
            Ok(draft) => draft,
            Err(fault) => return Err(self.conflict_or(once, fault).await),
        };
        let (app_id, mode) = (app.app_id.clone(), app.mode);
        let public_url = self.settings.public_url.clone();
        let lane = format!("{app_id}{}", draft.external_id.as_deref().unwrap_or(&draft.external_user_id));
        let answer = self
            .once(once, &lane, move |conn, now| {
                if let Some(known) = known_as(conn, &app_id, &draft)? {
                    return the_same(conn, &known, &draft, &public_url);
                }
                let number = format!("{}-{:06}", draft.prefix, install::next_invoice_number(conn)?);
                let invoice = invoice_of(&app_id, mode, &draft, number, now);
                if !invoices::insert(conn, &invoice)? {
                    // Another process was faster with the same `external_id`.
                    let known = known_as(conn, &app_id, &draft)?.ok_or(StoreError::Raced)?;
                    return the_same(conn, &known, &draft, &public_url);
                }
                announce(conn, &invoice, "invoice.created", None, now)?;
                let body = render(&InvoiceObject::new(&invoice, &[], &public_url));
                Ok(Ok(Fresh { status: 201, body, payment_id: None }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// An app's invoice, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn invoice(&self, app: &App, invoice_id: &str) -> Outcome<String> {
        let (app_id, wanted) = (app.app_id.clone(), parse(invoice_id)?);
        let public_url = self.settings.public_url.clone();
        self.read(move |conn| match invoices::find(conn, &app_id, &wanted)? {
            Some(invoice) => rendered(conn, &invoice, &public_url).map(Some),
            None => Ok(None),
        })
        .await?
        .ok_or_else(invoice_not_found)
    }

    /// A page of an app's invoices, newest first, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_invoices(
        &self,
        app: &App,
        filter: InvoiceFilter,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let (page, paid_by) = self
            .read(move |conn| {
                let page = invoices::list(conn, &app_id, &filter, cursor.as_deref(), limit)?;
                let paid_by = payments_of(conn, &page.items)?;
                Ok((page, paid_by))
            })
            .await?;
        let public_url = &self.settings.public_url;
        let data = page
            .items
            .iter()
            .map(|invoice| {
                let begun = paid_by.get(invoice.invoice_id.as_str()).map_or(&[][..], Vec::as_slice);
                InvoiceObject::new(invoice, begun, public_url)
            })
            .collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }

    /// Lets a draft's buyer see it and pay it.
    ///
    /// # Errors
    /// 404; 422 for one that is paid or void.
    pub async fn finalize_invoice(&self, app: &App, once: Once, invoice_id: &str) -> Outcome<Answer> {
        let (app_id, wanted) = (app.app_id.clone(), parse(invoice_id)?);
        let public_url = self.settings.public_url.clone();
        self.once(once, invoice_id, move |conn, now| {
            let Some(mut invoice) = invoices::lock(conn, &wanted)?.filter(|invoice| invoice.app_id == app_id) else {
                return Ok(Err(invoice_not_found()));
            };
            match invoice.status {
                InvoiceStatus::Draft => {
                    invoice.status = InvoiceStatus::Open;
                    invoice.updated_at = now.strictly_after(invoice.updated_at);
                    invoices::save(conn, &invoice)?;
                }
                InvoiceStatus::Open | InvoiceStatus::Overdue => {}
                InvoiceStatus::Paid | InvoiceStatus::Void => {
                    return Ok(Err(not_open(&invoice, "cannot be finalized")));
                }
            }
            let body = rendered(conn, &invoice, &public_url)?;
            Ok(Ok(Fresh { status: 200, body, payment_id: None }))
        })
        .await
    }

    /// Gives an invoice up, and its open payments with it, unless one of their providers says that it is paid.
    ///
    /// # Errors
    /// 404; 422 when it is paid; 503 when a provider cannot be asked, and the invoice has not changed.
    pub async fn void_invoice(self: &Arc<Self>, app: &App, once: Once, invoice_id: &str) -> Outcome<Answer> {
        let (app_id, wanted) = (app.app_id.clone(), parse(invoice_id)?);
        // Providers are not asked again for what was answered before.
        let (claim, now) = (once.claim.clone(), self.clock.now());
        match self.write(Lane::Any, move |conn| requests::look_up(conn, &claim, now)).await? {
            Claimed::New => {}
            seen => return replay(seen),
        }
        self.give_up_payments_of(app, &wanted).await?;
        let public_url = self.settings.public_url.clone();
        let answer = self
            .once(once, invoice_id, move |conn, now| {
                let Some(mut invoice) = invoices::lock(conn, &wanted)?.filter(|invoice| invoice.app_id == app_id)
                else {
                    return Ok(Err(invoice_not_found()));
                };
                match invoice.status {
                    InvoiceStatus::Paid => return Ok(Err(not_open(&invoice, "cannot be voided"))),
                    InvoiceStatus::Void => {}
                    InvoiceStatus::Draft | InvoiceStatus::Open | InvoiceStatus::Overdue => {
                        invoice.status = InvoiceStatus::Void;
                        invoice.updated_at = now.strictly_after(invoice.updated_at);
                        invoice.voided_at = Some(invoice.updated_at);
                        invoices::save(conn, &invoice)?;
                        announce(conn, &invoice, "invoice.voided", None, now)?;
                        // One that a buyer has begun at this moment.
                        retire(conn, invoice.invoice_id.as_str(), now)?;
                    }
                }
                let body = rendered(conn, &invoice, &public_url)?;
                Ok(Ok(Fresh { status: 200, body, payment_id: None }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// Tells the providers of an invoice's open payments that they are given up, and takes in what they say.
    async fn give_up_payments_of(self: &Arc<Self>, app: &App, invoice_id: &InvoiceId) -> Outcome<()> {
        let (app_id, wanted) = (app.app_id.clone(), invoice_id.clone());
        let begun = self
            .read(move |conn| match invoices::find(conn, &app_id, &wanted)? {
                Some(invoice) => payments::of_origins(conn, &[invoice.invoice_id.as_str()]).map(Some),
                None => Ok(None),
            })
            .await?
            .ok_or_else(invoice_not_found)?;
        for payment in begun.into_iter().filter(|payment| payment.status == PaymentStatus::Initiated) {
            let told = self.give_up_at_provider(app, &payment.payment_id).await?;
            let now = self.clock.now();
            let payment_id = payment.payment_id.clone();
            self.write(Lane::Of(payment.payment_id.as_str()), move |conn| {
                let Some(mut payment) = payments::lock(conn, &payment_id)? else { return Ok(()) };
                give_up(conn, &mut payment, told.as_deref(), now)
            })
            .await?;
            self.deliveries_wanted.notify_one();
        }
        Ok(())
    }

    /// Tells of the invoices that are late now; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn mark_late_invoices(&self) -> Outcome<usize> {
        let now = self.clock.now();
        let is_any = self.read(move |conn| invoices::is_any_late(conn, now)).await?;
        if !is_any {
            return Ok(0);
        }
        let marked = self
            .write(Lane::Any, move |conn| {
                let late = invoices::late(conn, now, ROUND)?;
                let count = late.len();
                for mut invoice in late {
                    invoice.status = InvoiceStatus::Overdue;
                    invoice.updated_at = now.strictly_after(invoice.updated_at);
                    invoices::save(conn, &invoice)?;
                    announce(conn, &invoice, "invoice.overdue", None, now)?;
                }
                Ok(count)
            })
            .await?;
        if marked > 0 {
            self.deliveries_wanted.notify_one();
        }
        Ok(marked)
    }
}

fn parse(invoice_id: &str) -> Outcome<InvoiceId> {
    InvoiceId::parse(invoice_id).ok_or_else(invoice_not_found)
}

pub(super) fn invoice_not_found() -> Fault {
    Fault::new(Code::InvoiceNotFound, "invoice not found")
}

/// What stands in the way of doing something with an invoice.
pub(super) fn not_open(invoice: &Invoice, what: &str) -> Fault {
    let status = invoice.status.as_str();
    Fault::new(Code::InvoiceNotOpen, format!("the invoice {what} (it is '{status}')"))
}

/// The invoice that stands for a draft's `external_id`.
fn known_as(conn: &mut Conn, app_id: &AppId, draft: &InvoiceDraft) -> StoreResult<Option<Invoice>> {
    match &draft.external_id {
        Some(external_id) => invoices::by_external_id(conn, app_id, external_id),
        None => Ok(None),
    }
}

/// The answer to a draft whose `external_id` stands for an invoice already.
fn the_same(conn: &mut Conn, known: &Invoice, draft: &InvoiceDraft, public_url: &str) -> StoreResult<Outcome<Fresh>> {
    if known.content != draft.content {
        let detail = format!("external_id stands for the invoice {}, which has other content", known.invoice_id);
        return Ok(Err(Fault::new(Code::ExternalIdConflict, detail)));
    }
    Ok(Ok(Fresh { status: 200, body: rendered(conn, known, public_url)?, payment_id: None }))
}

fn invoice_of(app_id: &AppId, mode: Mode, draft: &InvoiceDraft, number: String, now: Timestamp) -> Invoice {
    Invoice {
        invoice_id: InvoiceId::generate(now),
        app_id: app_id.clone(),
        mode,
        status: if draft.is_draft { InvoiceStatus::Draft } else { InvoiceStatus::Open },
        number,
        external_user_id: draft.external_user_id.clone(),
        email: draft.email.clone(),
        currency: draft.currency,
        line_items: render(&draft.line_items),
        amount_minor: draft.amount_minor,
        due_at: draft.due_at,
        methods: draft.methods.as_ref().map(render),
        return_url: draft.return_url.clone(),
        metadata: draft.metadata.clone(),
        external_id: draft.external_id.clone(),
        content: draft.content.clone(),
        created_at: now,
        updated_at: now,
        paid_at: None,
        voided_at: None,
    }
}

/// The payments that were begun for invoices, by the invoices' ids.
pub(super) fn payments_of(conn: &mut Conn, of: &[Invoice]) -> StoreResult<HashMap<String, Vec<Payment>>> {
    let ids: Vec<&str> = of.iter().map(|invoice| invoice.invoice_id.as_str()).collect();
    let mut by_invoice: HashMap<String, Vec<Payment>> = HashMap::new();
    for payment in payments::of_origins(conn, &ids)? {
        by_invoice.entry(payment.origin.clone().unwrap_or_default()).or_default().push(payment);
    }
    Ok(by_invoice)
}

fn rendered(conn: &mut Conn, invoice: &Invoice, public_url: &str) -> StoreResult<String> {
    let begun = payments::of_origins(conn, &[invoice.invoice_id.as_str()])?;
    Ok(render(&InvoiceObject::new(invoice, &begun, public_url)))
}

/// Writes the event of an invoice's present state; `payment_id` is the payment that paid it.
pub(super) fn announce(
    conn: &mut Conn,
    invoice: &Invoice,
    event_type: &str,
    payment_id: Option<&PaymentId>,
    now: Timestamp,
) -> StoreResult<()> {
    let at = invoice.updated_at;
    let event_id = EventId::generate(at);
    let body = render(&InvoiceEvent {
        event: event_type,
        event_id: &event_id,
        mode: invoice.mode,
        invoice_id: &invoice.invoice_id,
        payment_id,
        number: &invoice.number,
        status: invoice.status.as_str(),
        amount: invoice.amount_minor,
        currency: invoice.currency.code(),
        external_user_id: &invoice.external_user_id,
        external_id: invoice.external_id.as_deref(),
        timestamp: at,
        metadata: raw(&invoice.metadata),
    });
    let event = Event::of_app(event_id, &invoice.app_id, event_type, body, at);
    let event = match payment_id {
        Some(payment_id) => event.about(payment_id),
        None => event,
    };
    events::insert(conn, &event, now)
}
