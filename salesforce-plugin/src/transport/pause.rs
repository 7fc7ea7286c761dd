//! Pauses between tries, with full jitter, so that clients that failed together do not return together.

use std::time::Duration;

const FIRST_MS: u64 = 500;
const LONGEST_MS: u64 = 60_000;

/// A random pause: up to 0.5 s, doubled with each failure, at most a minute.
pub(crate) fn backoff(failures: u32) -> Duration {
    Duration::from_millis(jitter_ms((FIRST_MS << failures.min(10)).min(LONGEST_MS)))
}

/// A random number of milliseconds below `most`.
pub(crate) fn jitter_ms(most: u64) -> u64 {
    getrandom::u64().map_or(most / 2, |random| random % most.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_within_a_minute() {
        assert!(backoff(0) < Duration::from_millis(500));
        assert!((0..40).all(|failures| backoff(failures) <= Duration::from_secs(60)));
    }
}
