//! How SNAP calls are made: the token, which is asked for with an RSA signature and kept until shortly before its end,
//! and the headers and the HMAC of each call. What is called and what the answers mean is not here.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::codes;
use crate::domain::signing::sha256;
use crate::domain::time::Timestamp;
use crate::psp::Failure;
use crate::psp::http::{Http, Request};
use crate::psp::nicepay::words::{self, Fields, GARBAGE, Merchant};
use crate::psp::nicepay::{assumed, keys};

/// What stands before every path and is not signed.
const ROOT: &str = "/nicepay";

const TOKEN: &str = "/nicepay/v1.0/access-token/b2b";

/// A call that is to be made.
pub struct Call<'a> {
    is_delete: bool,
    path: &'static str,
    service: &'static str,
    id: &'a str,
    body: &'a Value,
}

impl<'a> Call<'a> {
    /// A POST to `path`. `service` is the number that stands within its response codes; `id` makes its external id.
    pub const fn post(path: &'static str, service: &'static str, id: &'a str, body: &'a Value) -> Self {
        Self { is_delete: false, path, service, id, body }
    }

    /// A DELETE with a body.
    pub const fn delete(path: &'static str, service: &'static str, id: &'a str, body: &'a Value) -> Self {
        Self { is_delete: true, path, service, id, body }
    }
}

/// An answer that says yes.
pub struct Accepted {
    /// Its fields.
    pub fields: Fields,
    /// Whether it is accepted and not done.
    pub is_in_progress: bool,
}

#[derive(Clone)]
struct Token {
    text: String,
    until: Timestamp,
}

/// Makes calls for one merchant.
pub struct Session {
    merchant: Arc<Merchant>,
    http: Http,
    private_key: Option<keys::PrivateKey>,
    token: Mutex<Option<Token>>,
    questions: AtomicU64,
}

/// `X-EXTERNAL-ID`: at most 40 digits, always the same for the same text.
fn number(text: &str) -> String {
    let mut short = [0; 16];
    short.copy_from_slice(&sha256(text.as_bytes())[..16]);
    u128::from_be_bytes(short).to_string()
}

impl Session {
    /// Calls for this merchant.
    pub fn new(merchant: Arc<Merchant>, http: Http) -> Self {
        let private_key = keys::PrivateKey::parse(merchant.account.credential("private_key"));
        Self { merchant, http, private_key, token: Mutex::default(), questions: AtomicU64::new(0) }
    }

    /// A number for something that is done now: a question may be asked again, even at the same moment of a clock that
    /// stands still, under another number.
    pub fn once(&self, parts: &[&str], now: Timestamp) -> String {
        let count = self.questions.fetch_add(1, Ordering::Relaxed);
        number(&format!("{}|{}|{count}", parts.join("|"), now.unix_micros()))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Option<Token>> {
        self.token.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A token that NICEPAY gives now; it is kept.
    pub async fn fresh_token(&self, now: Timestamp) -> Result<String, Failure> {
        let time = words::iso_time(now);
        let client = self.merchant.imid();
        let incomplete = || Failure::refused("SNAP at NICEPAY needs the settings client_secret and private_key");
        if self.merchant.account.credential("client_secret").is_empty() {
            return Err(incomplete());
        }
        let key = self.private_key.as_ref().ok_or_else(incomplete)?;
        let signature = key.sign(&format!("{client}|{time}")).ok_or_else(incomplete)?;
        let body = r#"{"grantType":"client_credentials","additionalInfo":{}}"#;
        let request = Request::post_json(self.merchant.url(TOKEN), body.to_owned())
            .header("x-timestamp", time)
            .header("x-client-key", client)
            .header("x-signature", signature);
        // Whatever goes wrong here, the call that the token is for has not been made.
        let unsent = |failure| match failure {
            Failure::Unknown { class } => Failure::NotSent { class, retry_after: None },
            failure => failure,
        };
        let answer = self.http.send(request).await.map_err(unsent)?;
        let fields = Fields::parse(&answer.body).unwrap_or_default();
        match fields.text("responseCode") {
            Some(code) if code == "2007300" && answer.is_success() => {}
            Some(code) => return Err(unsent(codes::failure(&code))),
            None if matches!(answer.status, 401 | 403) => return Err(words::wrong_credentials("")),
            None => return Err(unsent(GARBAGE)),
        }
        let text = fields.text("accessToken").filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()));
        let text = text.ok_or_else(|| unsent(GARBAGE))?;
        let seconds = fields.text("expiresIn").and_then(|seconds| seconds.parse().ok()).unwrap_or(0);
        let life = Duration::from_secs(seconds).saturating_sub(assumed::TOKEN_MARGIN);
        *self.kept() = Some(Token { text: text.clone(), until: now.plus(life) });
        Ok(text)
    }

    /// Makes a call.
    pub async fn call(&self, call: Call<'_>, now: Timestamp) -> Result<Accepted, Failure> {
        let kept = self.kept().clone().filter(|token| now < token.until);
        let is_kept = kept.is_some();
        let token = match kept {
            Some(token) => token.text,
            None => self.fresh_token(now).await?,
        };
        let time = words::iso_time(now);
        let body = call.body.to_string();
        let url = self.merchant.url(&format!("{ROOT}{}", call.path));
        let (method, request) = match call.is_delete {
            true => ("DELETE", Request::delete_json(url, body.clone())),
            false => ("POST", Request::post_json(url, body.clone())),
        };
        let signed = keys::string_to_sign(method, call.path, &token, &body, &time);
        let client = self.merchant.imid();
        let request = request
            .header("authorization", format!("Bearer {token}"))
            .header("x-timestamp", time)
            .header("x-signature", keys::hmac_sha512(self.merchant.account.credential("client_secret"), &signed))
            .header("x-partner-id", client)
            .header("x-external-id", number(&format!("{}|{}", call.service, call.id)))
            .header("channel-id", format!("{client}{}", assumed::CHANNEL_SUFFIX));
        let answer = self.http.send(request).await?;
        let fields = Fields::parse(&answer.body);
        let code = fields.as_ref().and_then(|fields| fields.text("responseCode"));
        if is_kept && (code.as_deref().is_some_and(codes::is_about_token) || (code.is_none() && answer.status == 401)) {
            // The token was taken back before its time. The call was turned away unread and may be made again.
            *self.kept() = None;
            return Err(Failure::NotSent { class: "token_expired", retry_after: Some(Duration::from_secs(1)) });
        }
        let (Some(fields), Some(code)) = (fields, code) else {
            let is_locked_out = matches!(answer.status, 401 | 403);
            return Err(if is_locked_out { words::wrong_credentials("") } else { GARBAGE });
        };
        let is_done = code == format!("200{}00", call.service);
        let is_in_progress = code == format!("202{}00", call.service);
        if answer.is_success() && (is_done || is_in_progress) {
            Ok(Accepted { fields, is_in_progress })
        } else {
            Err(codes::failure(&code))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_external_id_is_digits_and_the_same_for_the_same_call() {
        let id = number("27|att_01m7z9k05rb0ky10zqj0sccfnc");
        assert!(id.len() <= 40 && id.bytes().all(|byte| byte.is_ascii_digit()));
        assert_eq!(id, number("27|att_01m7z9k05rb0ky10zqj0sccfnc"));
    }
}
