//! Events as the product reads them, and asking for them again.

use std::sync::Arc;

use super::idempotency::Fresh;
use super::views::{EventObject, PageObject, render};
use super::{Answer, App, Gateway, Once};
use crate::domain::ids::EventId;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::store::{deliveries, events};

impl Gateway {
    /// A page of an app's events, newest first, rendered.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_events(
        &self,
        app: &App,
        event_type: Option<String>,
        payment_id: Option<String>,
        cursor: Option<String>,
        limit: usize,
    ) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let page = self
            .read(move |conn| {
                events::list(conn, &app_id, event_type.as_deref(), payment_id.as_deref(), cursor.as_deref(), limit)
            })
            .await?;
        let data = page.items.into_iter().map(|event| EventObject::new(event, app.mode, None)).collect();
        Ok(render(&PageObject { data, next_cursor: page.next }))
    }

    /// An app's event with its deliveries, rendered.
    ///
    /// # Errors
    /// 404.
    pub async fn event(&self, app: &App, event_id: &str) -> Outcome<String> {
        let app_id = app.app_id.clone();
        let wanted = EventId::parse(event_id).ok_or_else(event_not_found)?;
        let found = self
            .read(move |conn| {
                let Some(event) = events::find(conn, &app_id, &wanted)? else { return Ok(None) };
                let deliveries = deliveries::of_events(conn, std::slice::from_ref(&event.event_id))?;
                Ok(Some((event, deliveries)))
            })
            .await?;
        let (event, deliveries) = found.ok_or_else(event_not_found)?;
        Ok(render(&EventObject::new(event, app.mode, Some(deliveries))))
    }

    /// Sends one event again, from the start of the schedule.
    ///
    /// # Errors
    /// 404.
    pub async fn redeliver_event(&self, app: &Arc<App>, once: Once, event_id: &str) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let wanted = EventId::parse(event_id).ok_or_else(event_not_found)?;
        let answer = self
            .once(once, event_id, move |conn, now| {
                let Some(event) = events::find(conn, &app_id, &wanted)? else { return Ok(Err(event_not_found())) };
                let count = deliveries::redeliver(conn, &event, now)?;
                let body = render(&serde_json::json!({ "event_id": wanted, "deliveries": count }));
                Ok(Ok(Fresh { status: 202, body, payment_id: None }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }

    /// Sends again everything of an app that was given up since a moment.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn redeliver_since(&self, app: &Arc<App>, once: Once, since: Timestamp) -> Outcome<Answer> {
        let app_id = app.app_id.clone();
        let lane = app.app_id.clone();
        let answer = self
            .once(once, lane.as_str(), move |conn, now| {
                let count = deliveries::redeliver_dead_since(conn, &app_id, since, now)?;
                let body = render(&serde_json::json!({ "since": since, "deliveries": count }));
                Ok(Ok(Fresh { status: 202, body, payment_id: None }))
            })
            .await;
        self.deliveries_wanted.notify_one();
        answer
    }
}

pub(super) fn event_not_found() -> Fault {
    Fault::new(Code::EventNotFound, "event not found")
}
