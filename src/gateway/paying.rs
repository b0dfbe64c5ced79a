//! What buyers do on the pages of invoices and payment links: look, choose a method, begin to pay.

use std::sync::Arc;

use serde_json::Value;

use super::invoice_views::hosted_url;
use super::invoices::{invoice_not_found, not_open};
use super::payment_links::{amounts, is_busy, link_not_found, status_at};
use super::payments::payment_not_found;
use super::routing::WayToPay;
use super::views::PaymentObject;
use super::{Answer, App, Gateway, Once};
use crate::domain::drafts::{PaymentDraft, email_fault};
use crate::domain::fields::{Invalid, text_fault};
use crate::domain::ids::{AppId, InvoiceId, PaymentId, PaymentLinkId};
use crate::domain::invoices::{InvoiceStatus, LineItem, summary};
use crate::domain::origins::Origin;
use crate::domain::payment_links::LinkStatus;
use crate::domain::secrets::random_hex;
use crate::error::{Code, Fault, Outcome};
use crate::store::invoices::Invoice;
use crate::store::payment_links::PaymentLink;
use crate::store::payments::Payment;
use crate::store::{invoices, payment_links, payments};

/// An invoice as its buyer sees it.
#[derive(Debug)]
pub struct InvoiceSheet {
    /// The invoice.
    pub invoice: Invoice,
    /// Its lines.
    pub lines: Vec<LineItem>,
    /// The payments that were begun for it, oldest first.
    pub payments: Vec<Payment>,
    /// How it can be paid now.
    pub ways: Vec<WayToPay>,
    /// Whose it is, for people.
    pub shop: String,
}

/// A payment link as its visitors see it.
#[derive(Debug)]
pub struct LinkSheet {
    /// The link.
    pub link: PaymentLink,
    /// How it stands.
    pub status: LinkStatus,
    /// Whether others are paying all that is left of its uses.
    pub is_busy: bool,
    /// How it can be paid, by who finds a use of it.
    pub ways: Vec<WayToPay>,
    /// Whose it is, for people.
    pub shop: String,
}

/// What a visitor of a payment link asks for.
#[derive(Clone, Debug)]
pub struct LinkChoice<'a> {
    /// Made for the page that was shown to him: a second click is answered as the first.
    pub nonce: &'a str,
    /// How he pays.
    pub method: &'a str,
    /// Where he can be reached, if he said.
    pub email: Option<&'a str>,
    /// What he chose to pay, in minor units.
    pub amount_minor: Option<i64>,
}

impl Gateway {
    /// An invoice for its buyer. A draft is not there yet.
    ///
    /// # Errors
    /// 404, also for a mode that is not served here.
    pub async fn invoice_sheet(&self, invoice_id: &str) -> Outcome<InvoiceSheet> {
        let wanted = InvoiceId::parse(invoice_id).ok_or_else(invoice_not_found)?;
        let found = self
            .read(move |conn| {
                let begun = payments::of_origins(conn, &[wanted.as_str()])?;
                Ok((invoices::find_any(conn, &wanted)?, begun))
            })
            .await?;
        let (Some(invoice), payments) = found else { return Err(invoice_not_found()) };
        if invoice.status == InvoiceStatus::Draft || self.check_mode_is_served(invoice.mode).is_err() {
            return Err(invoice_not_found());
        }
        let app = self.app(&invoice.app_id);
        let ways = match open_for_buyers(app.as_deref()) {
            Some(app) if invoice.status.is_payable() => {
                let wanted = methods_of(invoice.methods.as_deref());
                let amounts = (invoice.amount_minor, invoice.amount_minor);
                self.ways_to_pay(app, invoice.currency, amounts, &invoice.metadata, wanted.as_deref())
            }
            _ => Vec::new(),
        };
        let lines = serde_json::from_str(&invoice.line_items).unwrap_or_default();
        Ok(InvoiceSheet { invoice, lines, payments, ways, shop: app.map(|app| app.name.clone()).unwrap_or_default() })
    }

    /// Begins to pay an invoice, or goes on with the payment that was begun by this method.
    ///
    /// # Errors
    /// 400 for a method that is no way to pay it and for an address that is missing; 404; 422 when it is not to be paid any
    /// more; 502 and 503 of the provider.
    pub async fn pay_invoice(
        self: &Arc<Self>,
        invoice_id: &str,
        method: &str,
        email: Option<&str>,
    ) -> Outcome<Payment> {
        let InvoiceSheet { invoice, lines, ways, .. } = self.invoice_sheet(invoice_id).await?;
        if !invoice.status.is_payable() {
            return Err(not_open(&invoice, "cannot be paid"));
        }
        let email = invoice.email.clone().or(email.map(str::to_owned));
        check_way(&ways, method, email.as_deref())?;
        let app = self.app_for_buyers(&invoice.app_id)?;
        let return_url = invoice.return_url.clone();
        let draft = PaymentDraft {
            external_user_id: invoice.external_user_id.clone(),
            email,
            amount_minor: invoice.amount_minor,
            currency: invoice.currency,
            method: method.to_owned(),
            return_url: return_url
                .unwrap_or_else(|| hosted_url(&self.settings.public_url, invoice.invoice_id.as_str())),
            metadata: invoice.metadata.clone(),
            invoice_prefix: None,
            description: Some(summary(&lines)),
            buyer: None,
            mock: None,
        };
        // One payment for each method is what the invoice itself sees to.
        let once = Once::of_buyer(&app, self.clock.now(), None);
        let answer = self.create_payment_for(&app, once, draft, Origin::Invoice(invoice.invoice_id)).await?;
        self.begun(&answer).await
    }

    /// A payment link for a visitor.
    ///
    /// # Errors
    /// 404, also for a mode that is not served here.
    pub async fn link_sheet(&self, link_id: &str) -> Outcome<LinkSheet> {
        let wanted = PaymentLinkId::parse(link_id).ok_or_else(link_not_found)?;
        let found = self.read(move |conn| payment_links::find_any(conn, &wanted)).await?;
        let link = found.ok_or_else(link_not_found)?;
        if self.check_mode_is_served(link.mode).is_err() {
            return Err(link_not_found());
        }
        let now = self.clock.now();
        let app = self.app(&link.app_id);
        let status = status_at(&link, now);
        let ways = match open_for_buyers(app.as_deref()) {
            Some(app) if status == LinkStatus::Active => {
                let wanted = methods_of(link.methods.as_deref());
                self.ways_to_pay(app, link.currency, amounts(link.amount()), &link.metadata, wanted.as_deref())
            }
            _ => Vec::new(),
        };
        let is_busy = status == LinkStatus::Active && is_busy(&link);
        Ok(LinkSheet { status, is_busy, ways, shop: app.map(|app| app.name.clone()).unwrap_or_default(), link })
    }

    /// Begins a payment of a visitor's own by a link; once for each page that was shown.
    ///
    /// # Errors
    /// 400 for a choice that cannot be; 404; 422 when the link cannot be paid by; 502 and 503 of the provider.
    pub async fn pay_by_link(self: &Arc<Self>, link_id: &str, choice: LinkChoice<'_>) -> Outcome<Payment> {
        let wanted = PaymentLinkId::parse(link_id).ok_or_else(link_not_found)?;
        let found = self.read(move |conn| payment_links::find_any(conn, &wanted)).await?;
        let link = found.filter(|link| self.check_mode_is_served(link.mode).is_ok()).ok_or_else(link_not_found)?;
        let app = self.app_for_buyers(&link.app_id)?;
        let LinkChoice { nonce, method, email, amount_minor } = choice;
        let unfit = || Fault::invalid("amount", "must be within what can be paid by this link");
        let amount_minor = link.amount().of(amount_minor).ok_or_else(unfit)?;
        if text_fault(nonce, 16, 64).is_some() {
            return Err(Fault::invalid("nonce", "is not of a page of ours"));
        }
        let methods = methods_of(link.methods.as_deref());
        // Whether it may be paid by at all is seen to with the link locked: a second click must be answered as the first.
        let amounts = (amount_minor, amount_minor);
        let ways = self.ways_to_pay(&app, link.currency, amounts, &link.metadata, methods.as_deref());
        check_way(&ways, method, email)?;
        let return_url = link.return_url.clone();
        let draft = PaymentDraft {
            external_user_id: format!("link-{}", random_hex(12)),
            email: email.map(str::to_owned),
            amount_minor,
            currency: link.currency,
            method: method.to_owned(),
            return_url: return_url
                .unwrap_or_else(|| hosted_url(&self.settings.public_url, link.payment_link_id.as_str())),
            metadata: link.metadata.clone(),
            invoice_prefix: None,
            description: Some(link.description.clone()),
            buyer: None,
            mock: None,
        };
        let amount = amount_minor.to_string();
        let key = [link.payment_link_id.as_str(), nonce, method, &amount, email.unwrap_or_default()];
        let once = Once::of_buyer(&app, self.clock.now(), Some(&key));
        let answer = self.create_payment_for(&app, once, draft, Origin::Link(link.payment_link_id)).await?;
        self.begun(&answer).await
    }

    /// Where a buyer goes on to pay: the provider's own page, the mock's, or ours with the number or the code.
    #[must_use]
    pub fn checkout_url(&self, payment: &Payment) -> String {
        PaymentObject::new(payment, &self.settings.public_url).checkout_url().to_owned()
    }

    /// The app that a buyer pays, if it takes payments.
    fn app_for_buyers(&self, app_id: &AppId) -> Outcome<Arc<App>> {
        let closed = || Fault::new(Code::NotPayable, "the shop takes no payments here at the moment");
        self.app(app_id).filter(|app| open_for_buyers(Some(app)).is_some()).ok_or_else(closed)
    }

    /// The payment that an answer is about.
    async fn begun(&self, answer: &Answer) -> Outcome<Payment> {
        let told: Value = serde_json::from_str(&answer.body).unwrap_or_default();
        if answer.status >= 400 {
            return Err(Fault::new(Code::ProviderError, "the provider refused the payment"));
        }
        let payment_id = told["payment_id"].as_str().and_then(PaymentId::parse).ok_or_else(payment_not_found)?;
        let found = self.read(move |conn| payments::find_any(conn, &payment_id)).await?;
        found.ok_or_else(payment_not_found)
    }
}

/// The app, if its tenant is not suspended.
fn open_for_buyers(app: Option<&App>) -> Option<&App> {
    app.filter(|app| !app.is_suspended)
}

/// The methods that a row names.
fn methods_of(json: Option<&str>) -> Option<Vec<String>> {
    json.and_then(|json| serde_json::from_str(json).ok())
}

/// Refuses a method that is none of the ways to pay, and a missing or odd address.
fn check_way(ways: &[WayToPay], method: &str, email: Option<&str>) -> Outcome<()> {
    let Some(way) = ways.iter().find(|way| way.method == method) else {
        return Err(Fault::invalid("method", "is no way to pay this; choose another"));
    };
    match email {
        None if way.needs_email => Err(Invalid::missing("email").into()),
        None => Ok(()),
        Some(email) if text_fault(email, 3, 254).is_some() || email_fault(email).is_some() => {
            Err(Fault::invalid("email", "must be an e-mail address"))
        }
        Some(_) => Ok(()),
    }
}
