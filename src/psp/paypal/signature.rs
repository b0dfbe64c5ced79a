//! Whether PayPal sent a webhook: its certificate, the chain to a trusted root, and the signature over the raw body.
//!
//! Fetching a certificate and asking PayPal instead are in [`super::webhooks`]. The message has no age limit: PayPal
//! repeats a delivery for three days, and whether a repetition is signed anew was not found. The event's id, which is
//! within what is signed, keeps a replay from counting twice.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use url::Url;
use webpki::{EndEntityCert, Error, KeyUsage, anchor_from_trusted_cert};

use crate::domain::mode::Mode;
use crate::domain::time::Timestamp;
use crate::psp::Account;

/// The one algorithm that PayPal is known to sign with.
const ALGORITHM: &str = "SHA256withRSA";

/// Assumed: the hosts of certificates. PayPal publishes no list; `api.paypal.com` and `api.sandbox.paypal.com` were
/// seen, the former for events of the sandbox's webhook simulator too.
const LIVE_HOSTS: [&str; 2] = ["api.paypal.com", "api-m.paypal.com"];
const SANDBOX_HOSTS: [&str; 2] = ["api.sandbox.paypal.com", "api-m.sandbox.paypal.com"];

/// Assumed: where certificates lie on those hosts, as in every address that was seen.
const CERTIFICATES: &str = "/v1/notifications/certs/";

/// Assumed: the names that a signing certificate can have. PayPal's own verifiers ask for the beginning and the end.
const LIVE_NAME: &str = "messageverificationcerts.paypal.com";
const SANDBOX_NAME: &str = "messageverificationcerts.sandbox.paypal.com";

/// The longest address of a certificate, as PayPal's schema allows it.
const LONGEST_ADDRESS: usize = 500;

/// How many certificates are kept. PayPal uses one at a time.
const KEPT: usize = 16;

/// The headers of a webhook.
#[derive(Debug)]
pub(super) struct Signed<'a> {
    /// `PAYPAL-TRANSMISSION-ID`.
    pub(super) id: &'a str,
    /// `PAYPAL-TRANSMISSION-TIME`, as text.
    pub(super) time: &'a str,
    /// `PAYPAL-TRANSMISSION-SIG`, Base64.
    pub(super) signature: &'a str,
    /// `PAYPAL-AUTH-ALGO`.
    pub(super) algorithm: &'a str,
    /// `PAYPAL-CERT-URL`.
    pub(super) certificate: &'a str,
}

impl<'a> Signed<'a> {
    /// From headers with lower-case names; `None` if one is missing, empty or twice there.
    pub(super) fn read(headers: &'a [(String, String)]) -> Option<Self> {
        let header = |name: &str| {
            let mut values = headers.iter().filter(|(given, _)| given == name).map(|(_, value)| value.as_str());
            values.next().filter(|value| !value.is_empty() && values.next().is_none())
        };
        Some(Self {
            id: header("paypal-transmission-id")?,
            time: header("paypal-transmission-time")?,
            signature: header("paypal-transmission-sig")?,
            algorithm: header("paypal-auth-algo")?,
            certificate: header("paypal-cert-url")?,
        })
    }

    /// Whether the key of `certificate` signed `body` for `webhook_id`. Who vouches for the key is another question.
    pub(super) fn is_made_by(&self, certificate: &CertificateDer<'_>, webhook_id: &str, body: &[u8]) -> bool {
        if self.algorithm != ALGORITHM {
            return false;
        }
        let Ok(signature) = STANDARD.decode(self.signature) else { return false };
        let message = format!("{}|{}|{webhook_id}|{}", self.id, self.time, crc32fast::hash(body));
        let algorithm = webpki::aws_lc_rs::RSA_PKCS1_2048_8192_SHA256;
        EndEntityCert::try_from(certificate)
            .is_ok_and(|signer| signer.verify_signature(algorithm, message.as_bytes(), &signature).is_ok())
    }
}

/// Whether somebody vouches for a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It leads to a trusted root, is in date and is PayPal's.
    Good,
    /// It is not, whoever is asked.
    Bad,
    /// No path to a root was found: the file may lack what stands between, or the system may lack the root.
    NoPath,
}

/// What one account trusts, and the certificates that it has met.
pub(super) struct Verifier {
    mode: Mode,
    base_url: String,
    roots: Roots,
    kept: Mutex<HashMap<String, Arc<[CertificateDer<'static>]>>>,
}

enum Roots {
    /// Those of the system, read when they are first needed.
    System(std::sync::OnceLock<Vec<TrustAnchor<'static>>>),
    /// The account's own.
    Own(Vec<TrustAnchor<'static>>),
}

impl Verifier {
    /// For one account.
    pub(super) fn new(account: &Account) -> Self {
        let own = account.credential("webhook_ca");
        let is_simulated = is_loopback(&account.base_url);
        let roots = if !own.is_empty() && (account.mode != Mode::Live || is_simulated) {
            // One that cannot be read trusts nobody.
            Roots::Own(anchors(&read_pem(own.as_bytes()).unwrap_or_default()))
        } else {
            Roots::System(std::sync::OnceLock::new())
        };
        Self { mode: account.mode, base_url: account.base_url.clone(), roots, kept: Mutex::default() }
    }

    /// The certificates that were fetched from `address` before.
    pub(super) fn kept(&self, address: &str) -> Option<Arc<[CertificateDer<'static>]>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(address).cloned()
    }

    /// Keeps certificates under their address.
    pub(super) fn keep(&self, address: &str, certificates: &Arc<[CertificateDer<'static>]>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT {
            kept.clear();
        }
        kept.insert(address.to_owned(), Arc::clone(certificates));
    }

    /// Forgets what was fetched from `address`.
    pub(super) fn forget(&self, address: &str) {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(address);
    }

    /// Whether a certificate may be fetched from `address`, which a stranger can have written.
    pub(super) fn may_fetch(&self, address: &str) -> bool {
        // The library would mend some of these silently, and then another address would be judged than is written.
        if address.len() > LONGEST_ADDRESS
            || address.bytes().any(|byte| !byte.is_ascii_graphic() || b"\\%?#@".contains(&byte))
            || address.contains("..")
        {
            return false;
        }
        let Ok(url) = Url::parse(address) else { return false };
        if url.path().strip_prefix(CERTIFICATES).is_none_or(str::is_empty) {
            return false;
        }
        let host = url.host_str().unwrap_or_default();
        let is_theirs = url.scheme() == "https"
            && url.port().is_none()
            && (LIVE_HOSTS.contains(&host) || (self.mode != Mode::Live && SANDBOX_HOSTS.contains(&host)));
        // Where a simulator on this machine is called instead of PayPal, it may stand behind a proxy of its own port.
        is_theirs || (is_loopback(&self.base_url) && is_loopback(url.as_str()))
    }

    /// Whether somebody who is trusted vouches for the first of `certificates` as PayPal's, at `now`.
    pub(super) fn trust(&self, certificates: &[CertificateDer<'_>], now: Timestamp) -> Trust {
        let Some((leaf, others)) = certificates.split_first() else { return Trust::Bad };
        let Ok(signer) = EndEntityCert::try_from(leaf) else { return Trust::Bad };
        let is_ours = |name: &str| name == LIVE_NAME || (self.mode != Mode::Live && name == SANDBOX_NAME);
        if !signer.valid_dns_names().any(is_ours) {
            return Trust::Bad;
        }
        let roots = match &self.roots {
            Roots::System(roots) => roots.get_or_init(|| anchors(&rustls_native_certs::load_native_certs().certs)),
            Roots::Own(roots) => roots,
        };
        let seconds = u64::try_from(now.unix_seconds()).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let usage = KeyUsage::server_auth();
        match signer.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, roots, others, time, usage, None, None) {
            Ok(_) => Trust::Good,
            Err(Error::UnknownIssuer) => Trust::NoPath,
            Err(_) => Trust::Bad,
        }
    }
}

/// The certificates of a PEM file, the signer's first; `None` if it holds none, or something else.
pub(super) fn read_pem(text: &[u8]) -> Option<Arc<[CertificateDer<'static>]>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    read.ok().filter(|certificates| !certificates.is_empty()).map(Arc::from)
}

fn anchors(certificates: &[CertificateDer<'_>]) -> Vec<TrustAnchor<'static>> {
    let read = |certificate| anchor_from_trusted_cert(certificate).ok().map(|anchor| anchor.to_owned());
    certificates.iter().filter_map(read).collect()
}

/// Whether a URL lies on this machine, without TLS.
pub(super) fn is_loopback(base_url: &str) -> bool {
    let Ok(url) = Url::parse(base_url) else { return false };
    let is_near = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    url.scheme() == "http" && is_near
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::{Path, PathBuf};

    use serde_json::Value;

    use super::*;
    use crate::domain::secrets::Secret;

    fn vectors() -> (PathBuf, Value) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("psp-fixtures/paypal/vectors");
        let text = std::fs::read(folder.join("vectors.json")).unwrap();
        (folder, serde_json::from_slice(&text).unwrap())
    }

    fn text<'a>(value: &'a Value, name: &str) -> &'a str {
        value[name].as_str().unwrap_or_else(|| panic!("{name} of {value}"))
    }

    fn verifier(mode: Mode, base_url: &str, root: Option<String>) -> Verifier {
        let credentials: BTreeMap<_, _> =
            root.into_iter().map(|root| ("webhook_ca".to_owned(), Secret::new(root))).collect();
        Verifier::new(&Account { mode, base_url: base_url.to_owned(), credentials })
    }

    #[test]
    fn every_signature_vector_comes_out_as_it_should() {
        let (folder, file) = vectors();
        let vectors = file["vectors"].as_array().unwrap();
        assert!(vectors.len() >= 15);
        for vector in vectors {
            let body = std::fs::read(folder.join(text(vector, "body_file"))).unwrap();
            let pem = std::fs::read(folder.join(text(vector, "cert_file"))).unwrap();
            let headers = vector["headers"].as_object().unwrap().iter();
            let headers: Vec<(String, String)> =
                headers.map(|(name, value)| (name.to_lowercase(), value.as_str().unwrap().to_owned())).collect();
            assert_eq!(u64::from(crc32fast::hash(&body)), vector["body_crc32_decimal"].as_u64().unwrap());
            let certificates = read_pem(&pem).unwrap();
            let is_good = Signed::read(&headers)
                .is_some_and(|signed| signed.is_made_by(&certificates[0], text(vector, "webhook_id"), &body));
            assert_eq!(is_good, vector["signature_ok"].as_bool().unwrap(), "{}", text(vector, "name"));
        }
    }

    #[test]
    fn every_certificate_vector_is_trusted_as_it_should() {
        let (folder, file) = vectors();
        let now = Timestamp::parse_rfc3339("2026-11-21T09:18:00Z").unwrap();
        for case in file["trust"].as_array().unwrap() {
            let root = std::fs::read_to_string(folder.join(text(case, "root"))).unwrap();
            let pem = std::fs::read(folder.join(text(case, "cert_file"))).unwrap();
            let sandbox = verifier(Mode::Sandbox, "https://api-m.sandbox.paypal.com", Some(root.clone()));
            let trust = sandbox.trust(&read_pem(&pem).unwrap(), now);
            assert_eq!(trust == Trust::Good, case["trusted"].as_bool().unwrap(), "{trust:?}: {}", text(case, "why"));
            let live = verifier(Mode::Live, "http://127.0.0.1:9", Some(root));
            assert_eq!(live.trust(&read_pem(&pem).unwrap(), now), Trust::Bad, "the sandbox does not speak for live");
        }
    }

    #[test]
    fn another_root_is_trusted_in_live_on_this_machine_only() {
        let (folder, _) = vectors();
        let root = std::fs::read_to_string(folder.join("ca_cert.pem")).unwrap();
        let has_own = |mode, base_url| matches!(verifier(mode, base_url, Some(root.clone())).roots, Roots::Own(_));
        assert!(has_own(Mode::Live, "http://[::1]:8080"));
        assert!(has_own(Mode::Sandbox, "https://simulator.example"));
        assert!(!has_own(Mode::Live, "https://api-m.paypal.com"));
        assert!(!has_own(Mode::Live, "http://127.0.0.1.example"));
    }

    #[test]
    fn a_certificate_is_fetched_from_paypal_only() {
        let live = verifier(Mode::Live, "https://api-m.paypal.com", None);
        let sandbox = verifier(Mode::Sandbox, "https://api-m.sandbox.paypal.com", None);
        for case in vectors().1["cert_urls"].as_array().unwrap() {
            for verifier in [&live, &sandbox] {
                let is_allowed = verifier.may_fetch(text(case, "url"));
                assert_eq!(is_allowed, case["allowed"].as_bool().unwrap(), "{}", text(case, "why"));
            }
        }
        let of_sandbox = "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-0a1b2c3d";
        assert!(sandbox.may_fetch(of_sandbox) && !live.may_fetch(of_sandbox));
        for odd in [
            "https://api.paypal.com:8443/v1/notifications/certs/CERT-1",
            "https://api.paypal.com/v1/notifications/certs/CERT-1?next=x",
            "https://api.paypal.com/v1/notifications/certs/../../CERT-1",
            "https://api.paypal.com/v1/notifications/certs/",
            " https://api.paypal.com/v1/notifications/certs/CERT-1",
            "http://127.0.0.1:9/v1/notifications/certs/CERT-1",
        ] {
            assert!(!sandbox.may_fetch(odd), "{odd}");
        }
        let simulated = verifier(Mode::Sandbox, "http://127.0.0.1:9", None);
        assert!(simulated.may_fetch("http://127.0.0.1:9/v1/notifications/certs/CERT-1"));
        for elsewhere in ["http://10.0.0.1:9/v1/notifications/certs/CERT-1", "http://127.0.0.1:9/other/CERT-1"] {
            assert!(!simulated.may_fetch(elsewhere), "{elsewhere}");
        }
    }
}
