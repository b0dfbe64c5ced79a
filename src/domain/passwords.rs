//! Passwords: what one must be, and its Argon2id hash.
//!
//! Hashing takes tens of milliseconds and 19 MiB on purpose: callers run it on a blocking thread, few at once.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};

use super::secrets::Secret;

/// Characters that a password must and may have. What it is made of is the person's own business.
const LENGTHS: std::ops::RangeInclusive<usize> = 8..=200;

/// What is wrong with a new password of the person with this address.
#[must_use]
pub fn password_fault(password: &Secret, email: &str) -> Option<String> {
    let text = password.expose();
    if !LENGTHS.contains(&text.chars().count()) {
        return Some(format!("must have {} to {} characters", LENGTHS.start(), LENGTHS.end()));
    }
    if text.eq_ignore_ascii_case(email) {
        return Some("must not be the e-mail address".to_owned());
    }
    let first = text.chars().next();
    text.chars().all(|character| Some(character) == first).then(|| "must not be one character repeated".to_owned())
}

/// The hash of a password, with its salt and parameters, as a PHC string.
#[must_use]
pub fn hash(password: &Secret) -> String {
    let hash = Argon2::default().hash_password(password.expose().as_bytes());
    hash.expect("the default parameters are valid and the operating system gives random bytes").to_string()
}

/// Whether a password is the one that was hashed. Takes as long either way.
#[must_use]
pub fn is_right(password: &Secret, hash: &str) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_password_and_no_other() {
        let hash = hash(&Secret::new("correct horse".to_owned()));
        assert!(hash.starts_with("$argon2id$"));
        assert!(is_right(&Secret::new("correct horse".to_owned()), &hash));
        assert!(!is_right(&Secret::new("correct house".to_owned()), &hash));
        assert!(!is_right(&Secret::new("correct horse".to_owned()), "rubbish"));
    }

    #[test]
    fn a_password_has_a_length_and_is_not_the_address() {
        let fault = |text: &str| password_fault(&Secret::new(text.to_owned()), "ann@example.com");
        assert!(fault("short").is_some());
        assert!(fault(&"x".repeat(201)).is_some());
        assert!(fault("Ann@Example.com").is_some());
        assert!(fault("aaaaaaaa").is_some());
        assert_eq!(fault("long enough"), None);
    }
}
