//! How often something may be asked for: counted in this process, per address of mail and per address of the network.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use crate::error::{Code, Fault, Outcome};

/// Sign-ins, sign-ups and resets a minute, per address of mail.
const PER_EMAIL: NonZeroU32 = per_minute(10);

/// The same per address of the network.
const PER_ADDRESS: NonZeroU32 = per_minute(60);

/// Addresses that are remembered before those that have nothing against them are forgotten.
const REMEMBERED: usize = 10_000;

const TOO_MANY_ATTEMPTS: &str = "too many attempts; wait and try again";

const fn per_minute(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

/// The limits of the ways in.
pub(super) struct Limits {
    by_email: DefaultKeyedRateLimiter<String>,
    by_address: DefaultKeyedRateLimiter<IpAddr>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            by_email: DefaultKeyedRateLimiter::keyed(Quota::per_minute(PER_EMAIL)),
            by_address: DefaultKeyedRateLimiter::keyed(Quota::per_minute(PER_ADDRESS)),
        }
    }
}

impl Limits {
    /// Counts one attempt to come in.
    ///
    /// # Errors
    /// 429 saying when to try again.
    pub(super) fn count(&self, email: &str, address: IpAddr) -> Outcome<()> {
        if self.by_email.len() > REMEMBERED {
            self.by_email.retain_recent();
        }
        if self.by_address.len() > REMEMBERED {
            self.by_address.retain_recent();
        }
        let now = DefaultClock::default().now();
        let of_address = self.by_address.check_key(&address).map_err(|until| until.wait_time_from(now));
        let of_email = self.by_email.check_key(&email.to_owned()).map_err(|until| until.wait_time_from(now));
        match (of_address, of_email) {
            (Ok(()), Ok(())) => Ok(()),
            (Err(wait), _) => Err(too_many(wait, PER_ADDRESS, TOO_MANY_ATTEMPTS)),
            (_, Err(wait)) => Err(too_many(wait, PER_EMAIL, TOO_MANY_ATTEMPTS)),
        }
    }
}

/// The refusal of what is asked for more often than `limit` times a minute.
pub(super) fn too_many(wait: Duration, limit: NonZeroU32, detail: &str) -> Fault {
    // Whole seconds, and never none.
    let wait = Duration::from_secs(wait.as_secs().saturating_add(1));
    let fault = Fault::retry_after(Code::RateLimited, detail, wait);
    Fault { limit: Some(limit.get()), ..fault }
}
