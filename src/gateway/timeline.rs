//! Everything that happened to a payment, in order: told from the rows that were written when it happened.

use serde_json::json;

use super::payments::payment_not_found;
use super::views::{TimelineEntry, raw, render};
use super::{App, Gateway};
use crate::domain::ids::PaymentId;
use crate::error::Outcome;
use crate::store::attention_notes::AttentionNote;
use crate::store::deliveries::Delivery;
use crate::store::events::Event;
use crate::store::inbox::InboxRow;
use crate::store::payments::{Attempt, Payment};
use crate::store::{Conn, StoreResult, attention_notes, deliveries, events, inbox, payments};

impl Gateway {
    /// The timeline of an app's payment, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn timeline(&self, app: &App, payment_id: &str) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        let story = self
            .read(move |conn| match payments::find(conn, &app_id, &wanted)? {
                Some(payment) => Story::read(conn, payment).map(Some),
                None => Ok(None),
            })
            .await?;
        Ok(render(&json!({ "data": story.ok_or_else(payment_not_found)?.entries() })))
    }
}

/// A payment with all the rows that tell of it.
pub(super) struct Story {
    pub payment: Payment,
    pub attempts: Vec<Attempt>,
    pub webhooks: Vec<InboxRow>,
    pub events: Vec<Event>,
    pub deliveries: Vec<Delivery>,
    pub notes: Vec<AttentionNote>,
}

impl Story {
    /// Reads what there is of a payment.
    pub(super) fn read(conn: &mut Conn, payment: Payment) -> StoreResult<Self> {
        let attempts = payments::attempts_of(conn, &payment.payment_id)?;
        let webhooks = inbox::of_payment(conn, &payment.payment_id)?;
        let events = events::of_payment(conn, &payment.payment_id)?;
        let ids: Vec<_> = events.iter().map(|event| event.event_id.clone()).collect();
        let deliveries = deliveries::of_events(conn, &ids)?;
        let notes = attention_notes::of_payment(conn, &payment.payment_id)?;
        Ok(Self { payment, attempts, webhooks, events, deliveries, notes })
    }

    /// What happened, in order.
    pub(super) fn entries(&self) -> Vec<TimelineEntry> {
        let Self { payment, attempts, webhooks, events, deliveries, notes } = self;
        let mut entries = vec![TimelineEntry {
            at: payment.created_at,
            kind: "created",
            summary: format!("payment created for {}", payment.external_user_id),
            detail: json!({ "method": payment.method, "mode": payment.mode, "invoice_number": payment.invoice_number }),
        }];
        for attempt in attempts {
            let state = attempt.state.as_str();
            entries.push(TimelineEntry {
                at: attempt.created_at,
                kind: "attempt",
                summary: format!("sent to {}: {state}", attempt.provider),
                detail: json!({
                    "attempt_id": attempt.attempt_id, "provider": attempt.provider, "state": state,
                    "provider_ref": attempt.provider_ref, "error": attempt.error, "answered_at": attempt.answered_at,
                }),
            });
        }
        for webhook in webhooks {
            entries.push(TimelineEntry {
                at: webhook.received_at,
                kind: "webhook",
                summary: format!("{} says {}: {}", webhook.provider, webhook.detail, webhook.verdict),
                detail: json!({ "provider_event": webhook.provider_event, "verdict": webhook.verdict }),
            });
        }
        for event in events {
            let kind = if event.event_type.starts_with("refund.") { "refund" } else { "transition" };
            entries.push(TimelineEntry {
                at: event.created_at,
                kind,
                summary: event.event_type.clone(),
                detail: json!({ "event_id": event.event_id, "event": event.event_type }),
            });
        }
        for delivery in deliveries {
            let name = events.iter().find(|event| event.event_id == delivery.event_id);
            let name = name.map_or("event", |event| event.event_type.as_str()).to_owned();
            entries.push(TimelineEntry {
                at: delivery.finished_at.unwrap_or(delivery.created_at),
                kind: "delivery",
                summary: format!("{name}: {} after {} attempts", delivery.state, delivery.attempts),
                detail: json!({
                    "event_id": delivery.event_id, "delivery_id": delivery.delivery_id, "state": delivery.state,
                    "attempts": delivery.attempts, "log": raw(&delivery.log),
                }),
            });
        }
        for note in notes {
            entries.push(TimelineEntry {
                at: note.created_at,
                kind: "resolved",
                summary: format!("{} looked after it: {}", note.actor_name, note.note),
                detail: json!({ "by": note.actor_name, "note": note.note }),
            });
        }
        entries.sort_by_key(|entry| entry.at);
        entries
    }
}
