//! Tokens: JSON Web Tokens that carry who works for which tenant in which mode, and random ones for links in mails.
//!
//! A token's algorithm, issuer, audience and expiry are pinned; whether its session still stands is not known here.

use std::time::Duration;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde::{Deserialize, Serialize};

use super::secrets::{Secret, random_hex};
use super::signing::sha256;
use super::time::Timestamp;

const ALGORITHM: Algorithm = Algorithm::HS256;
const ISSUER: &str = "switchyard";
const AUDIENCE: &str = "switchyard-dashboard";

/// How long a token is good for. The dashboard renews its own while it is used.
pub const TOKEN_LIFETIME: Duration = Duration::from_secs(3600);

/// What a token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// The user.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// The tenant.
    #[serde(rename = "tenantId")]
    pub tenant_id: String,
    /// The role in the tenant when it was minted.
    pub role: String,
    /// The mode.
    pub mode: String,
    /// Whoever minted it.
    pub iss: String,
    /// Whom it is for.
    pub aud: String,
    /// When it was minted, Unix seconds.
    pub iat: i64,
    /// When it ends, Unix seconds.
    pub exp: i64,
}

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenFault {
    /// Its time is over.
    Expired,
    /// It is not one of ours.
    Invalid,
}

/// Mints and reads tokens under the install's key.
pub struct TokenKey {
    encoding: EncodingKey,
    decoding: DecodingKey,
}

impl TokenKey {
    /// A key from the install's secret.
    #[must_use]
    pub fn new(secret: &Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        Self { encoding: EncodingKey::from_secret(bytes), decoding: DecodingKey::from_secret(bytes) }
    }

    /// A token for a session, good from `now`.
    #[must_use]
    pub fn mint(&self, session: &str, user: &str, tenant: &str, role: &str, mode: &str, now: Timestamp) -> String {
        let iat = now.unix_seconds();
        let claims = Claims {
            sub: user.to_owned(),
            sid: session.to_owned(),
            tenant_id: tenant.to_owned(),
            role: role.to_owned(),
            mode: mode.to_owned(),
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            iat,
            exp: iat.saturating_add(i64::try_from(TOKEN_LIFETIME.as_secs()).unwrap_or(i64::MAX)),
        };
        encode(&Header::new(ALGORITHM), &claims, &self.encoding).expect("plain texts and numbers always encode")
    }

    /// What a token says, if it is ours and good at `now`.
    ///
    /// # Errors
    /// [`TokenFault`].
    pub fn read(&self, token: &str, now: Timestamp) -> Result<Claims, TokenFault> {
        let mut validation = Validation::new(ALGORITHM);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        // The library asks the machine's clock; the gateway has its own.
        validation.validate_exp = false;
        let claims = decode::<Claims>(token, &self.decoding, &validation).map_err(|_| TokenFault::Invalid)?.claims;
        if claims.exp <= now.unix_seconds() { Err(TokenFault::Expired) } else { Ok(claims) }
    }
}

/// A random token for a link: 32 bytes, hex.
#[must_use]
pub fn link_token() -> Secret {
    Secret::new(random_hex(32))
}

/// What is stored of a random token or of an API key's secret. They have 256 bits, so a plain hash is enough.
#[must_use]
pub fn token_hash(token: &str) -> String {
    hex::encode(sha256(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> TokenKey {
        TokenKey::new(&Secret::new(text.repeat(64)))
    }

    #[test]
    fn a_token_is_good_under_its_key_until_it_expires() {
        let now = Timestamp::from_unix_seconds(1_760_000_000);
        let token = key("a").mint("ses_1", "usr_1", "ten_1", "owner", "test", now);
        assert_eq!(key("a").read(&token, now).unwrap().mode, "test");
        assert_eq!(key("a").read(&token, now.plus(TOKEN_LIFETIME)).unwrap_err(), TokenFault::Expired);
        assert_eq!(key("b").read(&token, now).unwrap_err(), TokenFault::Invalid);
        assert_eq!(key("a").read("rubbish", now).unwrap_err(), TokenFault::Invalid);
    }

    #[test]
    fn a_token_of_another_algorithm_audience_or_issuer_is_not_ours() {
        let now = Timestamp::from_unix_seconds(1_760_000_000);
        let key = key("a");
        let claims = key.read(&key.mint("s", "u", "t", "owner", "test", now), now).unwrap();
        let other = |header: Algorithm, claims: &Claims| encode(&Header::new(header), claims, &key.encoding).unwrap();
        let foreign = [
            other(Algorithm::HS512, &claims),
            other(ALGORITHM, &Claims { aud: "elsewhere".to_owned(), ..claims.clone() }),
            other(ALGORITHM, &Claims { iss: "another".to_owned(), ..claims.clone() }),
        ];
        for token in foreign {
            assert_eq!(key.read(&token, now).unwrap_err(), TokenFault::Invalid);
        }
        let unsigned = "eyJhbGciOiJub25lIn0.e30.";
        assert_eq!(key.read(unsigned, now).unwrap_err(), TokenFault::Invalid);
    }
}
