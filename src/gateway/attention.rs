//! Payments that need someone: a person has looked after one, says why, and the flag comes down. What raises it is in
//! `settle`; it goes up again with the next contradiction.

use serde_json::json;

use super::audit::{self, Deed};
use super::payments::payment_not_found;
use super::{Gateway, Scope};
use crate::domain::fields::text_fault;
use crate::domain::ids::PaymentId;
use crate::error::{Code, Fault, Outcome};
use crate::store::attention_notes::{self, AttentionNote};
use crate::store::{Lane, across, payments};

/// The longest note, in characters.
const MAX_NOTE: usize = 500;

impl Gateway {
    /// Takes down the flag of a payment that needed someone, with a note that says why. `seen` is when the payment had
    /// last changed as the person saw it, in Unix microseconds: what came since then he does not know.
    ///
    /// # Errors
    /// 400 without a note; 403 for who only looks, and for machines; 404, for another tenant's and another mode's too; 409
    /// when something new has come.
    pub async fn resolve_attention(&self, scope: &Scope, payment_id: &str, seen: i64, note: &str) -> Outcome<()> {
        scope.require_developer()?;
        let actor_name = scope.member()?.name.clone();
        let wanted = PaymentId::parse(payment_id).ok_or_else(payment_not_found)?;
        if let Some(reason) = text_fault(note, 1, MAX_NOTE) {
            return Err(Fault::invalid("note", &reason));
        }
        let now = self.clock.now();
        let (scope, note, lane) = (scope.clone(), note.to_owned(), wanted.clone());
        let refusal = self
            .write(Lane::Of(lane.as_str()), move |conn| {
                let apps = across::apps(conn, &scope.tenant_id, scope.mode)?;
                let payment = payments::lock(conn, &wanted)?;
                let own = payment.filter(|payment| apps.iter().any(|app| app.app_id == payment.app_id));
                let Some(mut payment) = own else { return Ok(Some(Code::PaymentNotFound)) };
                if !payment.needs_attention {
                    // A second click, or two people at once: it is done.
                    return Ok(None);
                }
                if payment.updated_at.unix_micros() != seen {
                    return Ok(Some(Code::ChangedMeanwhile));
                }
                payment.needs_attention = false;
                payment.updated_at = now.strictly_after(payment.updated_at);
                payments::save(conn, &payment)?;
                let row = AttentionNote {
                    payment_id: wanted.clone(),
                    created_at: payment.updated_at,
                    actor: scope.actor().to_owned(),
                    actor_name: actor_name.clone(),
                    note: note.clone(),
                };
                attention_notes::insert(conn, &row)?;
                let deed = Deed {
                    action: "payment.attention_resolved",
                    subject: Some(wanted.as_str()),
                    before: None,
                    after: Some(json!({ "note": note })),
                };
                audit::record(conn, &scope, deed, now).map(|()| None)
            })
            .await?;
        match refusal {
            None => Ok(()),
            Some(Code::ChangedMeanwhile) => {
                let detail = "something new has come of this payment since you looked; look again";
                Err(Fault::new(Code::ChangedMeanwhile, detail))
            }
            Some(_) => Err(payment_not_found()),
        }
    }
}
