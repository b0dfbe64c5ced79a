//! Keys and certificates of the simulator's own, and PayPal's way to sign a webhook with them.

use std::sync::OnceLock;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PKCS_RSA_SHA256, RsaKeySize};

/// A root that nobody knows, and a certificate with PayPal's name that it vouches for.
pub struct Signer {
    /// What the gateway has to trust.
    pub ca_pem: String,
    /// What lies at the address in `PAYPAL-CERT-URL`: the certificate, then the root.
    pub chain_pem: String,
    key: RsaKeyPair,
}

/// Made once for a process: an RSA key takes its time.
pub fn shared() -> &'static Signer {
    static SIGNER: OnceLock<Signer> = OnceLock::new();
    SIGNER.get_or_init(Signer::generate)
}

impl Signer {
    fn generate() -> Self {
        let name = "messageverificationcerts.sandbox.paypal.com";
        // The one simulator is played in both modes.
        let live_name = "messageverificationcerts.paypal.com";
        let mut root = CertificateParams::new(Vec::new()).unwrap();
        root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        root.distinguished_name.push(DnType::CommonName, "Simulator Root");
        let root_key = KeyPair::generate().unwrap();
        let root_certificate = root.self_signed(&root_key).unwrap();
        let mut leaf = CertificateParams::new(vec![name.to_owned(), live_name.to_owned()]).unwrap();
        leaf.distinguished_name.push(DnType::CommonName, name);
        let leaf_key = KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap();
        let leaf_certificate = leaf.signed_by(&leaf_key, &Issuer::from_params(&root, &root_key)).unwrap();
        Self {
            ca_pem: root_certificate.pem(),
            chain_pem: format!("{}{}", leaf_certificate.pem(), root_certificate.pem()),
            key: RsaKeyPair::from_pkcs8(leaf_key.serialized_der()).unwrap(),
        }
    }

    /// `PAYPAL-TRANSMISSION-SIG` of a body.
    pub fn sign(&self, id: &str, time: &str, webhook_id: &str, body: &[u8]) -> String {
        let message = format!("{id}|{time}|{webhook_id}|{}", crc32fast::hash(body));
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message.as_bytes(), &mut signature).unwrap();
        STANDARD.encode(signature)
    }
}
