//! Payment links: created, read, listed, closed, expired. What their visitors do is in `paying`; how their uses are
//! counted is in `origins`.

use std::sync::Arc;

use super::idempotency::Fresh;
use super::invoice_views::PaymentLinkObject;
use super::views::{PageObject, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::ids::PaymentLinkId;
use crate::domain::payment_links::{LinkAmount, LinkDraft, LinkStatus};
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::Lane;
use crate::store::payment_links::{self, PaymentLink};

/// Links in one round.
const ROUND: i64 = 100;

impl Gateway {
    /// Creates a payment link.
    ///
    /// # Errors
    /// The 400s of the documentation; 403 where the tenant may take no payments; 422 where nobody could pay by it.
    pub async fn create_payment_link(self: &Arc<Self>, app: &Arc<App>, once: Once, body: &[u8]) -> Outcome<Answer> {
        self.check_takes_payments(app, &once).await?;
        let draft = LinkDraft::parse(body, app.mode).map_err(Fault::from).and_then(|draft| {
            let amounts = amounts(draft.amount);
            self.check_payable(app, draft.currency, amounts, &draft.metadata, draft.methods.as_deref())?;
            Ok(draft)
        });
        let draft = match draft {
            Ok(draft) => draft,
            Err(fault) => return Err(self.conflict_or(once, fault).await),
        };
        let (amount_minor, min_minor, max_minor) = match draft.amount {
            LinkAmount::Fixed(amount_minor) => (Some(amount_minor), None, None),
            LinkAmount::Chosen(least, most) => (None, Some(least), Some(most)),
        };
        let now = self.clock.now();
        let link = PaymentLink {
            payment_link_id: PaymentLinkId::generate(now),
            app_id: app.app_id.clone(),
            mode: app.mode,
            status: LinkStatus::Active,
            currency: draft.currency,
            amount_minor,
            min_minor,
            max_minor,
            description: draft.description,
            methods: draft.methods.as_ref().map(render),
            uses_max: draft.uses_max,
            uses: 0,
            reserved: 0,
            expires_at: draft.expires_at,
            return_url: draft.return_url,
            metadata: draft.metadata,
            created_at: now,
            updated_at: now,
        };
        let public_url = self.settings.public_url.clone();
        self.once(once, app.app_id.as_str(), move |conn, now| {
            payment_links::insert(conn, &link)?;
            let body = render(&PaymentLinkObject::new(&link, &public_url, now));
            Ok(Ok(Fresh { status: 201, body, payment_id: None }))
        })
        .await
    }

    /// An app's payment link, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn payment_link(&self, app: &App, link_id: &str) -> Outcome<String> {
        let (app_id, wanted) = (app.app_id.clone(), parse(link_id)?);
        let found = self.read(move |conn| payment_links::find(conn, &app_id, &wanted)).await?;
        let link = found.ok_or_else(link_not_found)?;
        Ok(render(&PaymentLinkObject::new(&link, &self.settings.public_url, self.clock.now())))
    }

    /// A page of an app's payment links, newest first, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_payment_links(
        &self,
        app: &App,
        status: Option<LinkStatus>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let page = self.read(move |conn| payment_links::list(conn, &app_id, status, cursor.as_deref(), limit)).await?;
        let now = self.clock.now();
        let public_url = &self.settings.public_url;
        let data = page.items.iter().map(|link| PaymentLinkObject::new(link, public_url, now)).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }

    /// Closes a link: no payment begins by it any more. Those that were begun go on.
    ///
    /// # Errors
    /// 404.
    pub async fn close_payment_link(&self, app: &App, once: Once, link_id: &str) -> Outcome<Answer> {
        let (app_id, wanted) = (app.app_id.clone(), parse(link_id)?);
        let public_url = self.settings.public_url.clone();
        self.once(once, link_id, move |conn, now| {
            let Some(mut link) = payment_links::lock(conn, &wanted)?.filter(|link| link.app_id == app_id) else {
                return Ok(Err(link_not_found()));
            };
            if link.status != LinkStatus::Closed {
                link.status = LinkStatus::Closed;
                link.updated_at = now.strictly_after(link.updated_at);
                payment_links::save(conn, &link)?;
            }
            let body = render(&PaymentLinkObject::new(&link, &public_url, now));
            Ok(Ok(Fresh { status: 200, body, payment_id: None }))
        })
        .await
    }

    /// Notes which links' time is over now; says how many there were.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn expire_payment_links(&self) -> Outcome<usize> {
        let now = self.clock.now();
        if !self.read(move |conn| payment_links::is_any_expiring(conn, now)).await? {
            return Ok(0);
        }
        self.write(Lane::Any, move |conn| {
            let over = payment_links::expiring(conn, now, ROUND)?;
            let count = over.len();
            for mut link in over {
                link.status = LinkStatus::Expired;
                link.updated_at = now.strictly_after(link.updated_at);
                payment_links::save(conn, &link)?;
            }
            Ok(count)
        })
        .await
    }
}

fn parse(link_id: &str) -> Outcome<PaymentLinkId> {
    PaymentLinkId::parse(link_id).ok_or_else(link_not_found)
}

pub(super) fn link_not_found() -> Fault {
    Fault::new(Code::PaymentLinkNotFound, "payment link not found")
}

/// The least and the most that is paid by a link, in minor units.
pub(super) const fn amounts(amount: LinkAmount) -> (i64, i64) {
    match amount {
        LinkAmount::Fixed(amount_minor) => (amount_minor, amount_minor),
        LinkAmount::Chosen(least, most) => (least, most),
    }
}

/// How a link stands at `now`: its time may be over before that is noted.
pub(super) fn status_at(link: &PaymentLink, now: Timestamp) -> LinkStatus {
    let is_over = link.expires_at.is_some_and(|expires_at| expires_at <= now);
    if link.status == LinkStatus::Active && is_over { LinkStatus::Expired } else { link.status }
}

/// Notes that a link was paid by as often as it may be.
pub(super) fn wear(link: &mut PaymentLink) {
    if link.status == LinkStatus::Active && link.uses_max.is_some_and(|most| link.uses >= most) {
        link.status = LinkStatus::UsedUp;
    }
}

/// Whether each use that is left is being paid just now.
pub(super) fn is_busy(link: &PaymentLink) -> bool {
    link.uses_max.is_some_and(|most| link.uses.saturating_add(link.reserved) >= most)
}

/// What stands against one more payment by a link.
pub(super) fn objection(link: &PaymentLink, now: Timestamp) -> Option<Fault> {
    let detail = match status_at(link, now) {
        LinkStatus::Closed => "the payment link was closed",
        LinkStatus::Expired => "the payment link has expired",
        LinkStatus::UsedUp => "the payment link was used as often as it may be",
        LinkStatus::Active if is_busy(link) => "somebody is paying by this link just now",
        LinkStatus::Active => return None,
    };
    Some(Fault::new(Code::PaymentLinkNotOpen, detail))
}
