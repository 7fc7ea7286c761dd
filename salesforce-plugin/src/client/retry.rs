//! When a request may be sent again: the one layer that decides it.
//!
//! Full jitter between tries, and a bucket that empties when many requests fail, so that a platform
//! in trouble is not kept there by its clients.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::auth::renew::jitter_ms;

/// Tries of one request, the first included.
pub(crate) const TRIES: u32 = 4;
const LONGEST_PAUSE_MS: u64 = 60_000;
const FULL: u32 = 100;
const RETRY_COST: u32 = 5;
const TIMEOUT_COST: u32 = 10;
/// Retries that are always allowed; beyond them a tenth of the requests may be retries.
const FREE_RETRIES: u64 = 20;

/// The retries of one session.
#[derive(Debug)]
pub(crate) struct Retries(Mutex<State>);

#[derive(Debug)]
struct State {
    tokens: u32,
    requests: u64,
    retries: u64,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries(Mutex::new(State { tokens: FULL, requests: 0, retries: 0 }))
    }
}

impl Retries {
    /// A request came to a good end.
    pub(crate) fn succeeded(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        state.tokens = (state.tokens + 1).min(FULL);
    }

    /// Whether one more try is in order after so many failed ones.
    pub(crate) fn allow(&self, failures: u32, timed_out: bool) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.requests += 1;
        let cost = if timed_out { TIMEOUT_COST } else { RETRY_COST };
        let too_many = state.retries >= FREE_RETRIES && state.retries * 10 >= state.requests;
        if failures >= TRIES || state.tokens < cost || too_many {
            return false;
        }
        state.tokens -= cost;
        state.retries += 1;
        true
    }
}

/// Full jitter: anything up to 0.5 s, doubled with each failure, at most a minute.
pub(crate) fn backoff(failures: u32) -> Duration {
    let most = (500u64 << failures.min(10)).min(LONGEST_PAUSE_MS);
    Duration::from_millis(jitter_ms(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_tried_four_times() {
        let retries = Retries::default();
        assert!((1..TRIES).all(|failures| retries.allow(failures, false)));
        assert!(!retries.allow(TRIES, false));
    }

    #[test]
    fn a_platform_in_trouble_is_left_alone_after_twenty_retries() {
        let retries = Retries::default();
        let allowed = (0..100).filter(|_| retries.allow(1, false)).count();
        assert_eq!(allowed, 20);
        let retries = Retries::default();
        assert_eq!((0..100).filter(|_| retries.allow(1, true)).count(), 10);
    }

    #[test]
    fn retries_stay_under_a_tenth_of_many_requests() {
        let retries = Retries::default();
        let mut allowed = 0;
        for _ in 0..2_000 {
            (0..4).for_each(|_| retries.succeeded());
            allowed += u64::from(retries.allow(1, false));
        }
        assert!(allowed <= 1_000 + FREE_RETRIES, "{allowed}");
        assert!(allowed > 500, "passing faults are still survived: {allowed}");
    }

    #[test]
    fn pauses_grow_and_stay_within_a_minute() {
        assert!(backoff(0) < Duration::from_millis(500));
        assert!((0..40).all(|failures| backoff(failures) <= Duration::from_secs(60)));
    }
}
