//! How often something may be asked for: counted in this process, per address of mail and per address of the network.

use std::cell::Cell;
use std::hash::Hash;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::{StateInformationMiddleware, StateSnapshot};
use governor::state::keyed::DefaultKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed};
use governor::{NotUntil, Quota, RateLimiter};

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

/// Counts one thing, and knows how much is left.
pub(super) type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>;

/// The same for each of many.
type KeyedLimiter<K> = RateLimiter<K, DefaultKeyedStateStore<K>, DefaultClock, StateInformationMiddleware>;

/// What is left of a limit after something was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How many there may be in a minute.
    pub limit: u32,
    /// How many are left.
    pub remaining: u32,
    /// Seconds until there is one again if none is left, else until all are.
    pub reset_seconds: u64,
}

tokio::task_local! {
    /// The least allowance that was counted for the request that this task is busy with.
    static LEAST: Cell<Option<Allowance>>;
}

/// Runs the work of one request, and says what is left of the limits that it was counted towards: of the one of which
/// the least is left.
pub async fn with_allowance<F: Future>(work: F) -> (F::Output, Option<Allowance>) {
    let work = async {
        let output = work.await;
        (output, LEAST.with(Cell::get))
    };
    LEAST.scope(Cell::new(None), work).await
}

/// Takes down what came of counting something towards a limit of so many a minute.
///
/// # Errors
/// 429 saying when to try again.
pub(super) fn note(
    counted: Result<StateSnapshot, NotUntil<<DefaultClock as Clock>::Instant>>,
    limit: NonZeroU32,
    detail: &str,
) -> Outcome<()> {
    let (remaining, reset_seconds, outcome) = match counted {
        Ok(state) => {
            let remaining = state.remaining_burst_capacity();
            let reset = u64::from(limit.get().saturating_sub(remaining)) * 60;
            (remaining, reset.div_ceil(u64::from(limit.get())), Ok(()))
        }
        Err(until) => {
            // Whole seconds, and never none.
            let wait = until.wait_time_from(DefaultClock::default().now()).as_secs().saturating_add(1);
            let fault = Fault::retry_after(Code::RateLimited, detail, Duration::from_secs(wait));
            (0, wait, Err(fault))
        }
    };
    let allowance = Allowance { limit: limit.get(), remaining, reset_seconds };
    // What is not done for a request, nobody is told of.
    let _ = LEAST.try_with(|least| {
        let is_less = |former: Allowance| {
            (remaining, std::cmp::Reverse(reset_seconds)) < (former.remaining, std::cmp::Reverse(former.reset_seconds))
        };
        if least.get().is_none_or(is_less) {
            least.set(Some(allowance));
        }
    });
    outcome
}

/// The limits of the ways in.
pub(super) struct Limits {
    by_email: KeyedLimiter<String>,
    by_address: KeyedLimiter<IpAddr>,
}

fn keyed<K: Hash + Eq + Clone>(limit: NonZeroU32) -> KeyedLimiter<K> {
    RateLimiter::keyed(Quota::per_minute(limit)).with_middleware()
}

impl Default for Limits {
    fn default() -> Self {
        Self { by_email: keyed(PER_EMAIL), by_address: keyed(PER_ADDRESS) }
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
        // Towards both, whatever the first says.
        let of_address = note(self.by_address.check_key(&address), PER_ADDRESS, TOO_MANY_ATTEMPTS);
        let of_email = note(self.by_email.check_key(&email.to_owned()), PER_EMAIL, TOO_MANY_ATTEMPTS);
        of_address.and(of_email)
    }
}
