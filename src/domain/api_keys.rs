//! API keys as text: `pk_<mode>_<public>.<secret>`, and the scopes that one can have.

use super::mode::Mode;
use super::secrets::Secret;

/// Everything that a key may be allowed. `*` is all of it.
pub const SCOPES: [&str; 9] = [
    "balance:read",
    "balance:write",
    "writes:read",
    "writes:write",
    "webhooks:read",
    "webhooks:write",
    "onboarding:read",
    "onboarding:write",
    "*",
];

/// The longest public part, and the longest secret, in characters. Ours are shorter.
const MAX_PART: usize = 128;

/// A key as a request brings it; whether it is one of ours is not known yet.
#[derive(Debug)]
pub struct PresentedKey {
    /// The mode that its prefix names.
    pub mode: Mode,
    /// `pk_<mode>_<public>`.
    pub public_key: String,
    /// What proves it.
    pub secret: Secret,
}

impl PresentedKey {
    /// Reads `pk_<mode>_<public>.<secret>`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (public_key, secret) = text.split_once('.')?;
        let mode = Mode::of_public_key(public_key)?;
        let public = public_key.strip_prefix(&key_prefix(mode))?;
        let is_part = |part: &str| {
            (1..=MAX_PART).contains(&part.len())
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-')
        };
        (is_part(public) && is_part(secret)).then(|| Self {
            mode,
            public_key: public_key.to_owned(),
            secret: Secret::new(secret.to_owned()),
        })
    }
}

/// What every key of a mode begins with.
#[must_use]
pub fn key_prefix(mode: Mode) -> String {
    format!("pk_{mode}_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_mode_and_has_two_parts() {
        let key = PresentedKey::parse("pk_sandbox_0a1b.Zz-_9").unwrap();
        assert_eq!(
            (key.mode, key.public_key.as_str(), key.secret.expose()),
            (Mode::Sandbox, "pk_sandbox_0a1b", "Zz-_9")
        );
        for text in [
            "",
            "nonsense",
            "pk_test_",
            "pk_test_a",
            "pk_test_a.",
            "pk_test_.b",
            "pk_prod_a.b",
            "sk_test_a.b",
            "PK_TEST_a.b",
            "pk_test_a.b.c",
            "pk_test_a b.c",
            "pk_test_a.b\n",
            " pk_test_a.b",
            "pk_test_ä.b",
        ] {
            assert!(PresentedKey::parse(text).is_none(), "{text:?}");
        }
        assert!(PresentedKey::parse(&format!("pk_test_a.{}", "b".repeat(129))).is_none());
    }
}
