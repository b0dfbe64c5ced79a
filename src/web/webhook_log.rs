//! What went to a webhook endpoint, part of its page: every delivery with its attempts, and sending again.

use actix_web::post;
use actix_web::web::{Data, Path};

use super::events::{Try, tries};
use super::listing::{Asked, Choice, Pager, address_of, choices};
use super::shell::{CheckedForm, Shell};
use super::times::Moment;
use super::webhooks::{PATH, done};
use crate::domain::ids::DeliveryId;
use crate::domain::time::Timestamp;
use crate::error::{Code, Fault, Outcome};
use crate::gateway::webhook_endpoints::Replay;
use crate::gateway::{Delivery, EndpointRow, Gateway, Scope};
use crate::problem::Answered;

/// Deliveries on a page.
const PER_PAGE: usize = 25;

/// How a delivery can stand.
const STATES: [&str; 3] = ["pending", "delivered", "dead"];

/// One delivery.
pub(super) struct Sent {
    /// Its id.
    pub id: String,
    /// As in `payment.succeeded`.
    pub event_type: String,
    /// Where the event is.
    pub event_path: String,
    /// The payment's page and its id.
    pub payment: Option<(String, String)>,
    /// As in `delivered`.
    pub state: String,
    /// How often it was tried since it was sent, or sent again.
    pub attempts: i32,
    /// When it is tried again.
    pub next: Option<Moment>,
    /// When it was made.
    pub at: Moment,
    /// Every attempt.
    pub tries: Vec<Try>,
}

impl Sent {
    fn new(shell: &Shell, delivery: Delivery, event_type: String) -> Self {
        let payment = |id: &str| (address_of("/console/payments", id), id.to_owned());
        Self {
            id: delivery.delivery_id.to_string(),
            event_type,
            event_path: address_of("/console/events", delivery.event_id.as_str()),
            payment: delivery.payment_id.as_ref().map(|id| payment(id.as_str())),
            attempts: delivery.attempts,
            next: (delivery.state == "pending").then(|| shell.time(&delivery.due_at)),
            at: shell.time(&delivery.created_at),
            tries: tries(shell, &delivery.log),
            state: delivery.state,
        }
    }

    /// Whether it can be sent again: not while it is on its way.
    pub(super) fn is_over(&self) -> bool {
        self.state != "pending"
    }
}

/// A page of what went to an endpoint.
pub(super) struct Log {
    /// The deliveries, newest first.
    pub sent: Vec<Sent>,
    /// What can be asked for.
    pub states: Vec<Choice>,
    /// Whether any state is asked for, or older ones.
    pub is_whole: bool,
    /// The way to older ones.
    pub pager: Pager,
}

impl Log {
    /// Reads what `asked` asks for. A state that there is not is as if it were not asked for.
    pub(super) async fn read(
        gateway: &Gateway,
        scope: &Scope,
        shell: &Shell,
        endpoint: &EndpointRow,
        asked: &Asked,
    ) -> Outcome<Self> {
        let id = endpoint.endpoint_id.as_str();
        let state = asked.text("status").filter(|state| STATES.contains(state));
        let (wanted, cursor) = (state.map(str::to_owned), asked.owned("cursor"));
        let is_whole = wanted.is_none() && cursor.is_none();
        let page = gateway.endpoint_deliveries(scope, id, wanted, cursor, PER_PAGE).await?;
        let pager = asked.pager(&address_of(PATH, id), page.next.as_deref());
        let sent = page.items.into_iter().map(|(delivery, event_type)| Sent::new(shell, delivery, event_type));
        Ok(Self { sent: sent.collect(), states: choices(STATES, state), is_whole, pager })
    }
}

/// Sends one delivery again, or everything that was given up since a moment.
#[post("/console/webhooks/{endpoint_id}/replay")]
pub async fn replay(gateway: Data<Gateway>, path: Path<String>, form: CheckedForm) -> Answered {
    let unknown = || Fault::new(Code::NotFound, "there is no such delivery to this endpoint");
    let which = if form.has("delivery") {
        Replay::One(DeliveryId::parse(form.text("delivery")).ok_or_else(unknown)?)
    } else {
        let since = moment(form.text("since"));
        Replay::Since(since.ok_or_else(|| Fault::invalid("since", "must be a moment, as 2026-12-31T18:30"))?)
    };
    let count = gateway.replay_deliveries(&form.visitor.scope, &path, which).await?;
    done(&path, if count == 0 { "none" } else { "replay" })
}

/// The moment, UTC, of a field for day and time. Browsers leave the seconds out when there are none.
fn moment(text: &str) -> Option<Timestamp> {
    Timestamp::parse_rfc3339(&format!("{text}Z")).or_else(|| Timestamp::parse_day(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_read_as_browsers_write_it() {
        let moment_of = |text| moment(text).map(Timestamp::to_rfc3339);
        assert_eq!(moment_of("2026-12-31T18:30").as_deref(), Some("2026-12-31T18:30:00.000Z"));
        assert_eq!(moment_of("2026-12-31T18:30:05").as_deref(), Some("2026-12-31T18:30:05.000Z"));
        assert_eq!(moment_of("2026-12-31").as_deref(), Some("2026-12-31T00:00:00.000Z"));
        for rubbish in ["", "yesterday", "2026-13-01T00:00", "18:30"] {
            assert_eq!(moment_of(rubbish), None, "{rubbish}");
        }
    }
}
