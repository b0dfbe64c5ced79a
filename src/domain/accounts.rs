//! People and what they may do: roles in a tenant, the two environments, and what an e-mail address is.

use super::mode::Mode;

/// What a member may do in a tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Looks, and changes nothing.
    Viewer,
    /// Works: apps, keys, refunds, webhooks.
    Developer,
    /// Everything, members, plan and production access too.
    Owner,
}

impl Role {
    /// Every role, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Developer, Self::Owner];

    /// The role as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Owner => "owner",
        }
    }

    /// The role that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// Where a tenant works: Sandbox holds the modes `test` and `sandbox`, Production holds `live`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// No real money.
    Sandbox,
    /// Real money.
    Production,
}

impl Environment {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Sandbox, Self::Production];

    /// The environment as it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Production => "production",
        }
    }

    /// The name under which contracts know it.
    #[must_use]
    pub const fn alias(self) -> &'static str {
        match self {
            Self::Sandbox => "testnet",
            Self::Production => "mainnet",
        }
    }

    /// The environment that `text` names, by either name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|environment| text == environment.as_str() || text == environment.alias())
    }

    /// The environment that a mode belongs to.
    #[must_use]
    pub const fn of(mode: Mode) -> Self {
        match mode {
            Mode::Test | Mode::Sandbox => Self::Sandbox,
            Mode::Live => Self::Production,
        }
    }
}

/// An e-mail address as it is stored and compared: without space around it, in lower case.
#[must_use]
pub fn normal_email(text: &str) -> String {
    text.trim().to_lowercase()
}
