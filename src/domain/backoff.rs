//! When a failed delivery is tried again, and when a quiet payment is asked about.

use std::time::Duration;

/// Waits after the first, second, … failed attempt to deliver an event, before jitter.
const DELIVERY_WAITS_SECONDS: [u64; 9] =
    [5, 5 * 60, 30 * 60, 2 * 3600, 5 * 3600, 10 * 3600, 14 * 3600, 20 * 3600, 24 * 3600];

/// The longest `Retry-After` that is honoured; a receiver cannot park an event for ever.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// An endpoint that answered nothing but failures for this long is disabled.
pub const ENDPOINT_GIVEN_UP_AFTER: Duration = Duration::from_secs(5 * 24 * 3600);

/// How long to wait after failed attempt number `attempt` (from 1), or `None` when it was the last.
///
/// `jitter` is a number from 0 to 255 that lengthens the wait by up to a tenth, so that receivers that failed
/// together are not all called together. A receiver's `retry_after` makes the wait longer, never shorter.
#[must_use]
pub fn delivery_wait(attempt: u32, jitter: u8, retry_after: Option<Duration>) -> Option<Duration> {
    let index = usize::try_from(attempt.checked_sub(1)?).ok()?;
    let wait = Duration::from_secs(*DELIVERY_WAITS_SECONDS.get(index)?);
    let wait = wait + wait / 10 * u32::from(jitter) / 255;
    Some(wait.max(retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER)))
}

/// Waits between a payment's start and the gateway's own questions to the provider, widening.
const POLL_WAITS_SECONDS: [u64; 6] = [5 * 60, 15 * 60, 3600, 3 * 3600, 6 * 3600, 12 * 3600];

/// How long after poll number `polls` (from 0) the provider is asked about a payment that is still quiet.
#[must_use]
pub fn poll_wait(polls: u32) -> Duration {
    let last = POLL_WAITS_SECONDS.len() - 1;
    let index = usize::try_from(polls).unwrap_or(last).min(last);
    Duration::from_secs(POLL_WAITS_SECONDS[index])
}

/// How long after question number `polls` (from 0) an attempt with an unknown outcome is asked about again.
#[must_use]
pub fn unknown_wait(polls: u32) -> Duration {
    Duration::from_secs(2u64.saturating_pow(polls.min(9)).min(300))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_is_tried_ten_times_over_the_published_schedule() {
        let waits: Vec<u64> =
            (1..).map_while(|attempt| delivery_wait(attempt, 0, None)).map(|wait| wait.as_secs()).collect();
        assert_eq!(waits, [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]);
    }

    #[test]
    fn jitter_lengthens_a_wait_by_a_tenth_at_the_most() {
        assert_eq!(delivery_wait(2, 255, None), Some(Duration::from_secs(330)));
    }

    #[test]
    fn retry_after_lengthens_a_wait_and_is_bounded() {
        assert_eq!(delivery_wait(1, 0, Some(Duration::from_secs(60))), Some(Duration::from_secs(60)));
        assert_eq!(delivery_wait(2, 0, Some(Duration::from_secs(60))), Some(Duration::from_secs(300)));
        assert_eq!(delivery_wait(1, 0, Some(Duration::from_secs(u64::MAX))), Some(Duration::from_secs(86_400)));
    }
}
