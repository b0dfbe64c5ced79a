//! Hashes and signatures of both dialects, as functions of texts. What is signed is decided in the dialects.
//!
//! RSA comes from the library that TLS uses. It signs with keys of at least 2048 bits, so the 1024-bit key that
//! NICEPAY publishes for its sandbox cannot be used: make one and give NICEPAY its public half.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::PublicEncryptingKey;
use aws_lc_rs::signature::{
    ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;

use crate::domain::signing::sha256;

/// `merchantToken`: lower-case hex of SHA-256 over the fields and the merchant key, one behind the other.
pub fn merchant_token(fields: &[&str], merchant_key: &str) -> String {
    let mut text = fields.concat();
    text.push_str(merchant_key);
    hex::encode(sha256(text.as_bytes()))
}

/// What a SNAP call is signed over. `path` begins behind `/nicepay`.
pub fn string_to_sign(method: &str, path: &str, access_token: &str, body: &str, timestamp: &str) -> String {
    format!("{method}:{path}:{access_token}:{}:{timestamp}", hex::encode(sha256(body.as_bytes())))
}

/// The signature of a SNAP call.
pub fn hmac_sha512(client_secret: &str, text: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(client_secret.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The bytes of a key that is written as PEM, perhaps with its line ends written out, or as bare base64.
fn der(text: &str) -> Option<Vec<u8>> {
    let text = text.replace("\\n", "\n");
    let body: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("-----"))
        .flat_map(str::chars)
        .filter(|character| !character.is_whitespace())
        .collect();
    STANDARD.decode(body).ok().filter(|bytes| !bytes.is_empty())
}

/// The merchant's key, which signs the call for a token.
pub struct PrivateKey(RsaKeyPair);

impl PrivateKey {
    /// The key in this text, if it is one that can be used.
    pub fn parse(text: &str) -> Option<Self> {
        RsaKeyPair::from_pkcs8(&der(text)?).ok().map(Self)
    }

    /// Base64 of the signature over `text`: RSA with SHA-256, PKCS#1 v1.5.
    pub fn sign(&self, text: &str) -> Option<String> {
        let mut signature = vec![0; self.0.public_modulus_len()];
        self.0.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).ok()?;
        Some(STANDARD.encode(signature))
    }
}

/// NICEPAY's key, which signs notifications.
pub struct PublicKey(ParsedPublicKey);

impl PublicKey {
    /// The key in this text, if it is one that can be used.
    pub fn parse(text: &str) -> Option<Self> {
        let der = der(text)?;
        // A short key would be read here and every signature by it be refused later; better to say so at once.
        PublicEncryptingKey::from_der(&der).ok().filter(|key| key.key_size_bits() >= 2048)?;
        UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, der).parse().ok().map(Self)
    }

    /// Whether `signature`, in base64, is this key's over `text`.
    pub fn is_signed(&self, text: &str, signature: &str) -> bool {
        STANDARD.decode(signature.trim()).is_ok_and(|signature| self.0.verify_sig(text.as_bytes(), &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY;
    use serde_json::Value;

    use super::*;

    fn vectors(name: &str) -> Value {
        let path = format!("{}/psp-fixtures/nicepay/{name}", env!("CARGO_MANIFEST_DIR"));
        serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
    }

    fn text<'a>(value: &'a Value, name: &str) -> &'a str {
        value[name].as_str().unwrap_or_else(|| panic!("{name} is missing in {value}"))
    }

    #[test]
    fn every_published_merchant_token_is_reproduced() {
        let file = vectors("token-vectors.json");
        let tokens = file["tokens"].as_array().unwrap();
        assert_eq!(tokens.len(), 21);
        for vector in tokens {
            let fields: Vec<&str> = vector["fields"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
            assert_eq!(merchant_token(&fields, text(&file, "merchant_key")), text(vector, "sha256"), "{vector}");
        }
    }

    #[test]
    fn a_snap_call_is_signed_as_computed_by_hand() {
        let vector = &vectors("snap-vectors.json")["transaction"];
        let signed = string_to_sign(
            "POST",
            text(vector, "path"),
            text(vector, "token"),
            text(vector, "body"),
            text(vector, "timestamp"),
        );
        assert_eq!(signed, text(vector, "string_to_sign"));
        assert_eq!(hmac_sha512(text(vector, "client_secret"), &signed), text(vector, "signature"));
    }

    #[test]
    fn the_published_notification_signature_is_nicepays() {
        let vector = &vectors("snap-vectors.json")["notification"];
        let key = PublicKey::parse(text(vector, "public_key")).unwrap();
        assert!(key.is_signed(text(vector, "signed"), text(vector, "signature")));
        assert!(!key.is_signed("TNICEVA024|2024-08-19T17:12:40+07:00", text(vector, "signature")));
        assert!(!key.is_signed(text(vector, "signed"), "rubbish"));
        let pem = format!("-----BEGIN PUBLIC KEY-----\\n{}\\n-----END PUBLIC KEY-----", text(vector, "public_key"));
        assert!(PublicKey::parse(&pem).unwrap().is_signed(text(vector, "signed"), text(vector, "signature")));
        assert!(PublicKey::parse("").is_none());
    }

    #[test]
    fn the_token_request_of_the_published_short_key_is_understood_though_it_cannot_be_made() {
        let vector = &vectors("snap-vectors.json")["token_request"];
        let key = der(text(vector, "public_key")).unwrap();
        let signature = STANDARD.decode(text(vector, "signature")).unwrap();
        UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, key)
            .verify(text(vector, "signed").as_bytes(), &signature)
            .unwrap();
        assert!(PublicKey::parse(text(vector, "public_key")).is_none(), "too short to trust");
    }

    #[test]
    fn what_our_key_signs_its_public_half_confirms() {
        let vector = &vectors("snap-vectors.json")["own_key"];
        let (private, public) = (text(vector, "private_key"), text(vector, "public_key"));
        let signature = PrivateKey::parse(private).unwrap().sign("IONPAYTEST|2026-11-21T10:30:00+07:00").unwrap();
        assert_eq!(signature, text(vector, "signature"));
        assert!(PublicKey::parse(public).unwrap().is_signed("IONPAYTEST|2026-11-21T10:30:00+07:00", &signature));
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{private}\n-----END PRIVATE KEY-----\n");
        assert!(PrivateKey::parse(&pem).is_some());
        assert!(PrivateKey::parse("not a key").is_none());
    }
}
