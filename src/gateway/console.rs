//! What every page of the console shows besides its own matter: where else one may work, and why not yet in Production;
//! that a form came from our own page; and where a person begins who comes in by a page.

use super::onboarding::live_step_missing;
use super::users::SignedIn;
use super::{Gateway, Scope};
use crate::domain::accounts::Environment;
use crate::domain::ids::TenantId;
use crate::domain::mode::Mode;
use crate::domain::signing::{form_token, is_same_text};
use crate::error::Outcome;
use crate::store::{Lane, StoreError, users};

/// Why a mode cannot be entered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The step that is missing, or where the mode is served.
    pub reason: String,
}

/// What lies around a page.
#[derive(Clone, Debug)]
pub struct Surroundings {
    /// What stands before each mode, in the order of [`Mode::ALL`].
    pub locks: [Option<Lock>; 3],
    /// The tenants that the person is a member of, the oldest membership first.
    pub tenants: Vec<(TenantId, String)>,
}

impl Gateway {
    /// What lies around the pages of a person who is signed in.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn surroundings(&self, scope: &Scope) -> Outcome<Surroundings> {
        let user_id = scope.member()?.user_id.clone();
        let (tenant_id, plans) = (scope.tenant_id.clone(), self.settings.plans.clone());
        let (step, memberships) = self
            .read(move |conn| Ok((live_step_missing(conn, &plans, &tenant_id)?, users::memberships(conn, &user_id)?)))
            .await?;
        let step = step.map(|fault| Lock { reason: fault.detail });
        let not_served = |mode| self.check_mode_is_served(mode).err().map(|fault| Lock { reason: fault.detail });
        let locks = Mode::ALL.map(|mode| not_served(mode).or_else(|| step.clone().filter(|_| mode == Mode::Live)));
        Ok(Surroundings { locks, tenants: memberships.into_iter().map(|(id, name, _)| (id, name)).collect() })
    }

    /// Moves a session to another mode, as [`Gateway::switch_mode`], and begins there the next time.
    ///
    /// # Errors
    /// As [`Gateway::switch_mode`].
    pub async fn choose_mode(&self, scope: &Scope, mode: Mode) -> Outcome<SignedIn> {
        let signed_in = self.switch_mode(scope, mode).await?;
        let user_id = scope.member()?.user_id.clone();
        let now = self.clock.now();
        self.write(Lane::Any, move |conn| {
            let Some(user) = users::find(conn, &user_id)? else { return Err(StoreError::Missing) };
            // The mode within Sandbox is kept while one is in Production.
            let preferred_mode = if mode == Mode::Live { user.preferred_mode } else { mode };
            let zone = user.time_zone.as_deref();
            users::set_preferences(conn, &user_id, Environment::of(mode), preferred_mode, zone, now)
        })
        .await?;
        Ok(signed_in)
    }

    /// Moves who has just come in to where he likes to begin; he stays in `test` where that is not allowed.
    ///
    /// # Errors
    /// When the database cannot take it.
    pub async fn begin_where_preferred(&self, signed_in: SignedIn) -> Outcome<SignedIn> {
        let user_id = signed_in.scope.member()?.user_id.clone();
        let Some(user) = self.read(move |conn| users::find(conn, &user_id)).await? else { return Ok(signed_in) };
        let wanted = match user.preferred_environment {
            Environment::Production => [Mode::Live, user.preferred_mode],
            Environment::Sandbox => [user.preferred_mode, Mode::Test],
        };
        for mode in wanted.into_iter().take_while(|mode| *mode != Mode::Test) {
            match self.switch_mode(&signed_in.scope, mode).await {
                Ok(moved) => return Ok(moved),
                Err(fault) if fault.status() < 500 => {}
                Err(fault) => return Err(fault),
            }
        }
        Ok(signed_in)
    }

    /// What a form carries to show that we wrote its page for the session, or the browser, that `bound_to` names.
    #[must_use]
    pub fn form_token(&self, bound_to: &str) -> String {
        form_token(self.form_key.expose(), bound_to)
    }

    /// Whether `token` is what [`Gateway::form_token`] gives; takes as long either way.
    #[must_use]
    pub fn is_form_token(&self, bound_to: &str, token: &str) -> bool {
        is_same_text(&self.form_token(bound_to), token)
    }
}
