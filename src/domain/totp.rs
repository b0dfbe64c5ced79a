//! One-time codes of an authenticator app (RFC 6238: SHA-1, six digits, thirty seconds), as a second factor.
//!
//! A code is good in its own step and in the one before and after it, because clocks differ. That none is used twice is
//! for who stores the last step.

use totp_rs::{Builder, Totp};

use super::secrets::{Secret, random_hex};
use super::time::Timestamp;

/// Length of a secret: what RFC 4226 recommends.
const SECRET_BYTES: usize = 20;

/// A fresh secret, as hex.
#[must_use]
pub fn generate() -> Secret {
    Secret::new(random_hex(SECRET_BYTES))
}

fn totp(secret: &Secret) -> Option<Totp> {
    let bytes: [u8; SECRET_BYTES] = hex::decode(secret.expose()).ok()?.try_into().ok()?;
    Builder::new().with_secret(totp_rs::Secret::new_stack(bytes)).build().ok()
}

/// The secret as people type it into an app: base 32.
#[must_use]
pub fn to_base32(secret: &Secret) -> String {
    totp(secret).map(|totp| totp.secret().to_base32()).unwrap_or_default()
}

/// What an app reads from a QR code.
#[must_use]
pub fn enrolment_url(secret: &Secret, account: &str) -> String {
    let mut url = url::Url::parse("otpauth://totp/").expect("a constant URL is a URL");
    url.set_path(&format!("/Switchyard:{account}"));
    url.query_pairs_mut().append_pair("secret", &to_base32(secret)).append_pair("issuer", "Switchyard");
    url.into()
}

/// The step that a code belongs to, if it is good at `now`.
#[must_use]
pub fn step_of(secret: &Secret, code: &str, now: Timestamp) -> Option<i64> {
    let code: String = code.chars().filter(|character| !character.is_whitespace()).collect();
    let seconds = u64::try_from(now.unix_seconds()).ok()?;
    i64::try_from(totp(secret)?.check(&code, seconds)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        // RFC 6238, appendix B, cut to six digits.
        let secret = Secret::new(hex::encode("12345678901234567890"));
        for (seconds, code) in [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")] {
            let now = Timestamp::from_unix_seconds(seconds);
            assert_eq!(step_of(&secret, code, now), Some(seconds / 30), "{code}");
        }
    }

    #[test]
    fn a_code_is_good_for_one_step_more_on_either_side() {
        let secret = Secret::new(hex::encode("12345678901234567890"));
        for (seconds, is_good) in [(29, true), (30, true), (89, true), (90, false), (0, true)] {
            let step = step_of(&secret, "287 082", Timestamp::from_unix_seconds(seconds));
            assert_eq!(step.is_some(), is_good, "{seconds}");
        }
        for bad in ["", "28708", "2870822", "abcdef", "-87082"] {
            assert_eq!(step_of(&secret, bad, Timestamp::from_unix_seconds(59)), None, "{bad}");
        }
    }

    #[test]
    fn an_app_is_told_the_secret_and_whose_it_is() {
        let secret = Secret::new(hex::encode("12345678901234567890"));
        assert_eq!(
            enrolment_url(&secret, "ann+x@example.com"),
            "otpauth://totp/Switchyard:ann+x@example.com?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=Switchyard"
        );
    }
}
