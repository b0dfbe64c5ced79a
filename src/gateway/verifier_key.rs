//! The public half of the key that signs checkpoints, as everybody may have it.

use super::Gateway;

impl Gateway {
    /// The key that this server's checkpoints are verified with, as a C2SP verifier key: `<name>+<id>+<base64>`. `None`
    /// while the server signs none.
    #[must_use]
    pub const fn verifier_key(&self) -> Option<String> {
        None
    }
}
