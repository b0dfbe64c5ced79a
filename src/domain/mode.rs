//! The one axis that decides which rail a payment takes and whether money is real.

/// `test` is the mock provider, `sandbox` the providers' sandbox hosts, `live` their live hosts and real money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// No provider is called; no real money.
    Test,
    /// Providers' sandbox hosts; no real money.
    Sandbox,
    /// Providers' live hosts; real money.
    Live,
}

impl Mode {
    /// Every mode, from the harmless to the dear.
    pub const ALL: [Self; 3] = [Self::Test, Self::Sandbox, Self::Live];

    /// The mode as it is written in keys, objects and rows.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Sandbox => "sandbox",
            Self::Live => "live",
        }
    }

    /// The mode that `text` names.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.as_str() == text)
    }

    /// The mode that a public key's prefix carries.
    #[must_use]
    pub fn of_public_key(public_key: &str) -> Option<Self> {
        let (mode, _) = public_key.strip_prefix("pk_")?.split_once('_')?;
        Self::parse(mode)
    }
}

impl std::fmt::Display for Mode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl serde::Serialize for Mode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
