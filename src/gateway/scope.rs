//! Who asks for something, for which tenant and in which mode. A verb that belongs to a tenant wants a [`Scope`], and
//! only an authenticated request has one.

use crate::domain::accounts::{Environment, Role};
use crate::domain::ids::{KeyId, SessionId, TenantId, UserId};
use crate::domain::mode::Mode;
use crate::error::{Code, Fault, Outcome};

/// Who asks, for whom, in which mode.
#[derive(Clone, Debug)]
pub struct Scope {
    /// The tenant.
    pub tenant_id: TenantId,
    /// The mode: nothing of another is seen or reached.
    pub mode: Mode,
    /// Who.
    pub who: Who,
    /// The address that the request came from, if it came over the network.
    pub address: Option<String>,
}

/// A person, a machine, or the operator at the machine itself.
#[derive(Clone, Debug)]
pub enum Who {
    /// A person who is signed in.
    Member(Member),
    /// A machine with an API key.
    Key {
        /// The key.
        key_id: KeyId,
        /// What it may do.
        scopes: Vec<String>,
    },
    /// The command line.
    Operator,
}

/// A person who is signed in.
#[derive(Clone, Debug)]
pub struct Member {
    /// The user.
    pub user_id: UserId,
    /// The sign-in.
    pub session_id: SessionId,
    /// What he may do in the tenant.
    pub role: Role,
    /// His address.
    pub email: String,
    /// First and last name.
    pub name: String,
    /// Whether he has shown that the address is his.
    pub is_verified: bool,
    /// Whether signing in takes a code of his second factor.
    pub has_second_factor: bool,
    /// The tenant's name.
    pub tenant_name: String,
    /// The tenant's plan.
    pub plan: String,
    /// Where he likes to begin.
    pub preferred_environment: Environment,
    /// His time zone's IANA name, if he has said.
    pub time_zone: Option<String>,
    /// When his token was minted, Unix seconds.
    pub token_minted_at: i64,
}

impl Scope {
    /// Who asks, as the audit log has it.
    #[must_use]
    pub fn actor(&self) -> &str {
        match &self.who {
            Who::Member(member) => member.user_id.as_str(),
            Who::Key { key_id, .. } => key_id.as_str(),
            Who::Operator => "operator",
        }
    }

    /// The person who asks.
    ///
    /// # Errors
    /// 403 for a machine.
    pub fn member(&self) -> Outcome<&Member> {
        match &self.who {
            Who::Member(member) => Ok(member),
            _ => Err(Fault::new(Code::InsufficientScope, "this needs a person who is signed in")),
        }
    }

    /// Refuses a member below `role`. What a machine may do is in its key's scopes.
    ///
    /// # Errors
    /// 403 naming the role.
    pub fn require_role(&self, role: Role) -> Outcome<()> {
        match &self.who {
            Who::Member(member) if member.role < role => {
                let needed = if role == Role::Owner { "an owner" } else { "a developer or an owner" };
                Err(Fault::new(Code::InsufficientScope, format!("this needs {needed} of the tenant")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses viewers, and machines: a key that leaked must not make others, nor change where money and events go.
    ///
    /// # Errors
    /// 403 naming who may.
    pub fn require_developer(&self) -> Outcome<()> {
        if matches!(self.who, Who::Key { .. }) {
            return Err(Fault::new(Code::InsufficientScope, "an API key cannot change this; sign in"));
        }
        self.require_role(Role::Developer)
    }

    /// Refuses a key without `scope`, and a viewer where `scope` writes.
    ///
    /// # Errors
    /// 403 naming the scope.
    pub fn require_scope(&self, scope: &str) -> Outcome<()> {
        match &self.who {
            Who::Key { scopes, .. } if !scopes.iter().any(|held| held == scope || held == "*") => {
                Err(Fault::new(Code::InsufficientScope, format!("this key lacks the scope {scope}")))
            }
            Who::Member(_) if scope.ends_with(":write") => self.require_role(Role::Developer),
            _ => Ok(()),
        }
    }
}
