//! When a request may be sent again: the one layer that decides it.
//!
//! A bucket empties when many requests fail, so that a platform in trouble is not kept there by its
//! clients.

use parking_lot::Mutex;

/// Tries of one request, the first included.
pub(crate) const TRIES: u32 = 4;
/// Tokens of a full bucket.
const FULL: u32 = 100;
const RETRY_COST: u32 = 5;
const TIMEOUT_COST: u32 = 10;
/// Retries that are always allowed; beyond them a tenth of the requests may be retries.
const FREE_RETRIES: u64 = 20;

/// The retries of one session.
#[derive(Debug)]
pub(crate) struct Retries(Mutex<Bucket>);

#[derive(Debug)]
struct Bucket {
    tokens: u32,
    requests: u64,
    retries: u64,
}

impl Default for Retries {
    fn default() -> Retries {
        Retries(Mutex::new(Bucket { tokens: FULL, requests: 0, retries: 0 }))
    }
}

impl Retries {
    /// Notes a request that succeeded.
    pub(crate) fn succeeded(&self) {
        let mut bucket = self.0.lock();
        bucket.requests += 1;
        bucket.tokens = (bucket.tokens + 1).min(FULL);
    }

    /// Whether a request that failed this many times is tried once more.
    pub(crate) fn allow(&self, failures: u32, timed_out: bool) -> bool {
        let mut bucket = self.0.lock();
        bucket.requests += 1;
        let cost = if timed_out { TIMEOUT_COST } else { RETRY_COST };
        let too_many = bucket.retries >= FREE_RETRIES && bucket.retries * 10 >= bucket.requests;
        if failures >= TRIES || bucket.tokens < cost || too_many {
            return false;
        }
        bucket.tokens -= cost;
        bucket.retries += 1;
        true
    }
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
}
