//! Secrets: text that cannot be printed, made from the operating system's randomness, sealed before it is stored.
//!
//! Sealing is XChaCha20-Poly1305 under the install's key. The associated data names the table, row and column,
//! so a ciphertext that is moved to another row does not open.

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

/// Text that must never reach a log, an error or a page.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Takes charge of a secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// A fresh secret: 32 random bytes as 64 hex characters.
    #[must_use]
    pub fn generate() -> Self {
        Self(random_hex(32))
    }

    /// The text itself. Each call is a place where a secret could leak: signing, sealing, showing once.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("[secret]")
    }
}

/// `bytes` random bytes as lower-case hex.
#[must_use]
pub fn random_hex(bytes: usize) -> String {
    let mut buffer = vec![0u8; bytes];
    getrandom::fill(&mut buffer).expect("the operating system gives random bytes");
    hex::encode(buffer)
}

/// Names the one place where a sealed value belongs.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// Table.
    pub table: &'a str,
    /// The row's primary key.
    pub row: &'a str,
    /// Column.
    pub column: &'a str,
}

impl Place<'_> {
    fn associated_data(self) -> Vec<u8> {
        format!("switchyard|{}|{}|{}", self.table, self.row, self.column).into_bytes()
    }
}

/// A sealed value did not open: another key, another row, or tampering.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a stored secret does not open with this secrets.key")]
pub struct CannotOpen;

/// Seals and opens secrets with the install's key.
#[derive(Clone)]
pub struct Sealer(XChaCha20Poly1305);

impl Sealer {
    /// A sealer with a key of 64 hex characters; `None` if it is not that.
    #[must_use]
    pub fn from_hex_key(key: &str) -> Option<Self> {
        let bytes: [u8; 32] = hex::decode(key.trim()).ok()?.try_into().ok()?;
        XChaCha20Poly1305::new_from_slice(&bytes).ok().map(Self)
    }

    /// Seals `secret` for `place`: hex of the nonce and the ciphertext.
    #[must_use]
    pub fn seal(&self, place: Place<'_>, secret: &Secret) -> String {
        let mut nonce = [0u8; 24];
        getrandom::fill(&mut nonce).expect("the operating system gives random bytes");
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &place.associated_data() };
        let sealed = self.0.encrypt(&XNonce::from(nonce), payload).expect("a short message always seals");
        format!("{}{}", hex::encode(nonce), hex::encode(sealed))
    }

    /// Opens what [`Sealer::seal`] made for the same place.
    ///
    /// # Errors
    /// [`CannotOpen`] when key, place or bytes differ.
    pub fn open(&self, place: Place<'_>, sealed: &str) -> Result<Secret, CannotOpen> {
        let bytes = hex::decode(sealed).map_err(|_| CannotOpen)?;
        let (nonce, message) = bytes.split_at_checked(24).ok_or(CannotOpen)?;
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| CannotOpen)?;
        let payload = Payload { msg: message, aad: &place.associated_data() };
        let opened = self.0.decrypt(&XNonce::from(nonce), payload).map_err(|_| CannotOpen)?;
        String::from_utf8(opened).map(Secret).map_err(|_| CannotOpen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_opens_in_its_own_place_only() {
        let sealer = Sealer::from_hex_key(&"ab".repeat(32)).unwrap();
        let here = Place { table: "apps", row: "app_1", column: "secret" };
        let sealed = sealer.seal(here, &Secret::new("hush".into()));
        assert_eq!(sealer.open(here, &sealed).unwrap().expose(), "hush");
        for elsewhere in [Place { row: "app_2", ..here }, Place { column: "previous_secret", ..here }] {
            assert_eq!(sealer.open(elsewhere, &sealed), Err(CannotOpen));
        }
        let other_key = Sealer::from_hex_key(&"cd".repeat(32)).unwrap();
        assert_eq!(other_key.open(here, &sealed), Err(CannotOpen));
        for rubbish in ["", "zz", "00"] {
            assert_eq!(sealer.open(here, rubbish), Err(CannotOpen));
        }
    }

    #[test]
    fn a_secret_does_not_print_itself() {
        assert_eq!(format!("{:?}", Secret::new("hush".into())), "[secret]");
    }
}
