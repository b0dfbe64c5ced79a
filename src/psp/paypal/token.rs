//! The access token: asked for once, kept until shortly before its end, one request in flight.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::domain::secrets::Secret;
use crate::domain::signing::equal_in_constant_time;
use crate::domain::time::Timestamp;
use crate::psp::http::{Http, Request};
use crate::psp::{Account, Failure};

/// What wrong credentials come to. Nothing was charged.
pub(super) const NOT_ACCEPTED: &str = "PayPal does not accept the credentials";

/// How long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(300);

/// Assumed: how long a token is good that came without its time. Nine hours were seen.
const ASSUMED_SECONDS: u64 = 900;

/// The token of one account.
#[derive(Default)]
pub(super) struct Tokens(Mutex<Option<Token>>);

struct Token {
    secret: Secret,
    renew_at: Timestamp,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: String,
    expires_in: Option<u64>,
}

impl Tokens {
    /// A token that PayPal should take, and that is not `stale`, which it took no more. Who waits for a token that is
    /// being asked for gets that one.
    ///
    /// # Errors
    /// No failure of this leaves anything behind at PayPal: it is a refusal, or nothing was sent.
    pub(super) async fn get(
        &self,
        account: &Account,
        http: &Http,
        now: Timestamp,
        stale: Option<&Secret>,
    ) -> Result<Secret, Failure> {
        let mut kept = self.0.lock().await;
        if let Some(token) = kept.as_ref() {
            let is_stale = stale.is_some_and(|stale| equal_in_constant_time(stale.expose(), token.secret.expose()));
            if now < token.renew_at && !is_stale {
                return Ok(token.secret.clone());
            }
        }
        *kept = None;
        let token = ask(account, http, now).await?;
        Ok(kept.insert(token).secret.clone())
    }

    /// Asks for a token even if one is there: whether the credentials are good.
    ///
    /// # Errors
    /// As [`Tokens::get`].
    pub(super) async fn renew(&self, account: &Account, http: &Http, now: Timestamp) -> Result<(), Failure> {
        let mut kept = self.0.lock().await;
        *kept = Some(ask(account, http, now).await?);
        Ok(())
    }
}

async fn ask(account: &Account, http: &Http, now: Timestamp) -> Result<Token, Failure> {
    let pair = format!("{}:{}", account.credential("client_id"), account.credential("client_secret"));
    let request = Request::post_json(format!("{}/v1/oauth2/token", account.base_url), String::new())
        .header("authorization", format!("Basic {}", STANDARD.encode(pair)))
        .header("accept", "application/json")
        .body("application/x-www-form-urlencoded", "grant_type=client_credentials".to_owned());
    let answer = http.send(request).await.map_err(before_the_call)?;
    // A failed grant is 401 in general; a client that may not do it at all has been seen with 400 and 403.
    if matches!(answer.status, 400 | 401 | 403) {
        return Err(Failure::refused(NOT_ACCEPTED));
    }
    if !answer.is_success() {
        return Err(before_the_call(Failure::Unknown { class: "garbage" }));
    }
    let read: TokenAnswer = answer.json().map_err(before_the_call)?;
    if read.access_token.is_empty() || !read.access_token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(before_the_call(Failure::Unknown { class: "garbage" }));
    }
    let lives = Duration::from_secs(read.expires_in.unwrap_or(ASSUMED_SECONDS));
    // A token of a few minutes is used for half of them.
    let renew_at = now.plus(lives.saturating_sub(EARLY).max(lives / 2));
    Ok(Token { secret: Secret::new(read.access_token), renew_at })
}

/// Without a token the call itself was not made, whatever became of the asking.
fn before_the_call(failure: Failure) -> Failure {
    match failure {
        Failure::Unknown { class } => Failure::NotSent { class, retry_after: None },
        other => other,
    }
}
