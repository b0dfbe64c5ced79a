//! Invoices and payment links as people see and make them in the console: of all apps of a tenant in one mode. What they do
//! goes through the same verbs as what a product asks for, once for each form, and into the audit log.

use std::sync::Arc;

use serde_json::{Value, json};

use super::across::Listed;
use super::by_hand::done;
use super::invoice_views::hosted_url;
use super::invoices::{invoice_not_found, payments_of};
use super::payment_links::{link_not_found, status_at};
use super::{Answer, App, Gateway, Once, Scope};
use crate::domain::ids::{AppId, InvoiceId, PaymentLinkId};
use crate::domain::invoices::LineItem;
use crate::domain::payment_links::LinkStatus;
use crate::error::{Fault, Outcome};
use crate::store::invoices::{Invoice, InvoiceFilter};
use crate::store::payment_links::PaymentLink;
use crate::store::payments::Payment;
use crate::store::{Page, across, invoices, payment_links, payments};

/// What a person may do with invoices and links is what he may do with payments.
const SCOPE: &str = "payments:write";

/// An invoice with its payments.
#[derive(Debug)]
pub struct InvoiceDetail {
    /// The invoice.
    pub invoice: Invoice,
    /// Whose it is.
    pub app_name: String,
    /// Its lines.
    pub lines: Vec<LineItem>,
    /// The payments that were begun for it, oldest first.
    pub payments: Vec<Payment>,
    /// Where its buyer pays it.
    pub hosted_url: String,
}

/// A payment link with a page of its payments.
#[derive(Debug)]
pub struct LinkDetail {
    /// The link.
    pub link: PaymentLink,
    /// How it stands now.
    pub status: LinkStatus,
    /// Whose it is.
    pub app_name: String,
    /// Payments that were begun by it, newest first.
    pub payments: Page<Payment>,
    /// Where its visitors pay.
    pub hosted_url: String,
}

impl Gateway {
    /// A page of the tenant's invoices in the mode, newest first. `search` names one: by its id, its number, the product's
    /// own id; else it names a buyer.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn invoices_across(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        filter: InvoiceFilter,
        search: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<Invoice>> {
        self.listed(scope, app_id, move |conn, app_ids| {
            let mut filter = filter;
            if let Some(text) = search {
                let named = across::invoices_named(conn, app_ids, &text)?;
                if !named.is_empty() {
                    return Ok(Page { items: named, next: None });
                }
                filter.external_user_id = Some(text);
            }
            across::invoices(conn, app_ids, &filter, cursor.as_deref(), limit)
        })
        .await
    }

    /// What the invoices on a page have received, in minor units, in their order.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn paid_of_invoices(&self, listed: &Listed<Invoice>) -> Outcome<Vec<i64>> {
        let items = listed.page.items.clone();
        self.read(move |conn| {
            let begun = payments_of(conn, &items)?;
            let paid = |invoice: &Invoice| {
                let payments = begun.get(invoice.invoice_id.as_str()).map_or(&[][..], Vec::as_slice);
                payments.iter().map(|payment| payment.paid_minor).fold(0, i64::saturating_add)
            };
            Ok(items.iter().map(paid).collect())
        })
        .await
    }

    /// An invoice with its payments.
    ///
    /// # Errors
    /// 404, for another tenant's and another mode's too.
    pub async fn invoice_across(&self, scope: &Scope, invoice_id: &str) -> Outcome<InvoiceDetail> {
        let wanted = InvoiceId::parse(invoice_id).ok_or_else(invoice_not_found)?;
        let scope = scope.clone();
        let found = self
            .read(move |conn| {
                let Some(invoice) = invoices::find_any(conn, &wanted)? else { return Ok(None) };
                let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
                let Some(app) = apps.into_iter().find(|app| app.app_id == invoice.app_id) else { return Ok(None) };
                let begun = payments::of_origins(conn, &[wanted.as_str()])?;
                Ok(Some((invoice, app.name, begun)))
            })
            .await?;
        let (invoice, app_name, payments) = found.ok_or_else(invoice_not_found)?;
        let lines = serde_json::from_str(&invoice.line_items).unwrap_or_default();
        let hosted_url = hosted_url(&self.settings.public_url, invoice.invoice_id.as_str());
        Ok(InvoiceDetail { invoice, app_name, lines, payments, hosted_url })
    }

    /// A page of the tenant's payment links in the mode, newest first, each with how it stands now.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn payment_links_across(
        &self,
        scope: &Scope,
        app_id: Option<String>,
        status: Option<LinkStatus>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<Listed<PaymentLink>> {
        let now = self.clock.now();
        self.listed(scope, app_id, move |conn, app_ids| {
            let mut page = across::payment_links(conn, app_ids, status, cursor.as_deref(), limit)?;
            for link in &mut page.items {
                link.status = status_at(link, now);
            }
            Ok(page)
        })
        .await
    }

    /// A payment link with a page of its payments.
    ///
    /// # Errors
    /// 404, for another tenant's and another mode's too.
    pub async fn payment_link_across(
        &self,
        scope: &Scope,
        link_id: &str,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<LinkDetail> {
        let wanted = PaymentLinkId::parse(link_id).ok_or_else(link_not_found)?;
        let scope = scope.clone();
        let found = self
            .read(move |conn| {
                let Some(link) = payment_links::find_any(conn, &wanted)? else { return Ok(None) };
                let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
                let Some(app) = apps.into_iter().find(|app| app.app_id == link.app_id) else { return Ok(None) };
                let begun = payments::page_of_origin(conn, wanted.as_str(), cursor.as_deref(), limit)?;
                Ok(Some((link, app.name, begun)))
            })
            .await?;
        let (link, app_name, payments) = found.ok_or_else(link_not_found)?;
        let status = status_at(&link, self.clock.now());
        let hosted_url = hosted_url(&self.settings.public_url, link.payment_link_id.as_str());
        Ok(LinkDetail { link, status, app_name, payments, hosted_url })
    }

    /// The app of the tenant's that a form names.
    async fn app_named(&self, scope: &Scope, app_id: &str) -> Outcome<Arc<App>> {
        let unknown = || Fault::invalid("app", "is none of yours in this mode");
        let wanted = AppId::parse(app_id).ok_or_else(unknown)?;
        self.app_in(scope, &wanted).await?.ok_or_else(unknown)
    }

    /// Creates an invoice; `body` is that of the API.
    ///
    /// # Errors
    /// 403 for who only looks; else as [`Gateway::create_invoice`].
    pub async fn create_invoice_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        app_id: &str,
        body: Value,
    ) -> Outcome<Answer> {
        scope.require_scope(SCOPE)?;
        let app = self.app_named(scope, app_id).await?;
        let text = body.to_string();
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "invoice.created", app_id, body);
        done(self.create_invoice(&app, once, text.as_bytes()).await?)
    }

    /// Opens a draft to its buyer.
    ///
    /// # Errors
    /// 403 for who only looks; 404; else as [`Gateway::finalize_invoice`].
    pub async fn finalize_invoice_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        invoice_id: &str,
    ) -> Outcome<Answer> {
        scope.require_scope(SCOPE)?;
        let app = self.app_of_invoice(scope, invoice_id).await?;
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "invoice.finalized", invoice_id, json!({}));
        done(self.finalize_invoice(&app, once, invoice_id).await?)
    }

    /// Gives an invoice up.
    ///
    /// # Errors
    /// 403 for who only looks; 404; else as [`Gateway::void_invoice`].
    pub async fn void_invoice_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        invoice_id: &str,
    ) -> Outcome<Answer> {
        scope.require_scope(SCOPE)?;
        let app = self.app_of_invoice(scope, invoice_id).await?;
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "invoice.voided", invoice_id, json!({}));
        done(self.void_invoice(&app, once, invoice_id).await?)
    }

    async fn app_of_invoice(&self, scope: &Scope, invoice_id: &str) -> Outcome<Arc<App>> {
        let app_id = self.invoice_across(scope, invoice_id).await?.invoice.app_id;
        self.app_in(scope, &app_id).await?.ok_or_else(invoice_not_found)
    }

    /// Creates a payment link; `body` is that of the API.
    ///
    /// # Errors
    /// 403 for who only looks; else as [`Gateway::create_payment_link`].
    pub async fn create_payment_link_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        app_id: &str,
        body: Value,
    ) -> Outcome<Answer> {
        scope.require_scope(SCOPE)?;
        let app = self.app_named(scope, app_id).await?;
        let text = body.to_string();
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "payment_link.created", app_id, body);
        done(self.create_payment_link(&app, once, text.as_bytes()).await?)
    }

    /// Closes a payment link.
    ///
    /// # Errors
    /// 403 for who only looks; 404.
    pub async fn close_payment_link_by_hand(
        self: &Arc<Self>,
        scope: &Scope,
        nonce: &str,
        link_id: &str,
    ) -> Outcome<Answer> {
        scope.require_scope(SCOPE)?;
        let app_id = self.payment_link_across(scope, link_id, None, 1).await?.link.app_id;
        let app = self.app_in(scope, &app_id).await?.ok_or_else(link_not_found)?;
        let once = Once::by_hand(&app, scope, self.clock.now(), nonce, "payment_link.closed", link_id, json!({}));
        done(self.close_payment_link(&app, once, link_id).await?)
    }
}
