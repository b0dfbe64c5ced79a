//! Whether an app may take new payments: not for a tenant that is suspended, and in live not before the operator has let
//! it. What was begun goes on: reading, refunds, webhooks and the buyer's page ask nothing here.

use std::sync::atomic::Ordering;

use super::{App, Gateway, Once, Scope, Who};
use crate::error::{Code, Fault, Outcome};
use crate::store::Lane;
use crate::store::requests::{self, Claimed};

impl Gateway {
    /// Refuses a new payment of an app whose tenant may take none. A request that was answered before is not new.
    ///
    /// # Errors
    /// 403 saying why, and for live naming the step that is missing.
    pub(super) async fn check_takes_payments(&self, app: &App, once: &Once) -> Outcome<()> {
        let Err(refusal) = self.may_take_payments(app).await else { return Ok(()) };
        self.refuse_if_new(once, refusal).await
    }

    /// Refuses a request, unless it was answered before.
    ///
    /// # Errors
    /// The refusal.
    pub(super) async fn refuse_if_new(&self, once: &Once, refusal: Fault) -> Outcome<()> {
        let claim = once.claim.clone();
        let now = self.clock.now();
        match self.write(Lane::Any, move |conn| requests::look_up(conn, &claim, now)).await? {
            Claimed::New => Err(refusal),
            // Its first call never left: to go on would be a new payment at the provider.
            Claimed::Seen(first) if first.status_code == Some(requests::FREED) => Err(refusal),
            Claimed::Seen(_) | Claimed::OtherBody | Claimed::SignatureReused => Ok(()),
        }
    }

    /// Refuses to make for a tenant what would be of no use here. The operator at the machine knows what he does: another
    /// process may serve the same database.
    pub(super) fn check_works_here(&self, scope: &Scope) -> Outcome<()> {
        match scope.who {
            Who::Operator => Ok(()),
            Who::Member(_) | Who::Key { .. } => self.check_mode_is_served(scope.mode),
        }
    }

    async fn may_take_payments(&self, app: &App) -> Outcome<()> {
        if app.is_suspended {
            let detail = "the tenant is suspended and takes no new payments; ask the operator of this gateway";
            return Err(Fault::new(Code::TenantSuspended, detail));
        }
        if !app.needs_approval || app.is_approved.load(Ordering::Relaxed) {
            return Ok(());
        }
        match self.missing_live_step(&app.tenant_id).await? {
            Some(step) => Err(step),
            // Remembered until the directory is loaded anew, which every change of a tenant's standing asks for.
            None => {
                app.is_approved.store(true, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}
