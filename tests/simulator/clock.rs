//! The org's clock: everything that lives for a while is measured on it.

use std::fmt;
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::sync::lock;

/// A source of the present instant that a test can push forward.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The present instant.
    fn now(&self) -> DateTime<Utc>;
    /// Makes every later [`Clock::now`] later by `by`.
    fn advance(&self, by: Duration);
}

/// The system's clock plus whatever it was advanced by.
#[derive(Debug, Default)]
pub struct SystemClock {
    ahead: Mutex<Duration>,
}

impl Clock for SystemClock {
    fn now(&self) -> DateTime<Utc> {
        Utc::now() + delta(*lock(&self.ahead))
    }

    fn advance(&self, by: Duration) {
        let mut ahead = lock(&self.ahead);
        *ahead = ahead.saturating_add(by);
    }
}

/// A clock that moves only when it is advanced.
#[derive(Debug)]
pub struct StoppedClock {
    now: Mutex<DateTime<Utc>>,
}

impl StoppedClock {
    /// A clock that shows `now` until it is advanced.
    pub fn at(now: DateTime<Utc>) -> Self {
        Self { now: Mutex::new(now) }
    }
}

impl Clock for StoppedClock {
    fn now(&self) -> DateTime<Utc> {
        *lock(&self.now)
    }

    fn advance(&self, by: Duration) {
        let mut now = lock(&self.now);
        *now += delta(by);
    }
}

/// `duration` as chrono counts it; longer than chrono can express becomes a century.
pub(crate) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or_else(|_| TimeDelta::days(36_500))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stopped_clock_moves_only_when_advanced() {
        let start = Utc::now();
        let clock = StoppedClock::at(start);
        assert_eq!(clock.now(), start);
        clock.advance(Duration::from_secs(60));
        assert_eq!(clock.now(), start + TimeDelta::seconds(60));
    }

    #[test]
    fn the_system_clock_keeps_what_it_was_advanced_by() {
        let clock = SystemClock::default();
        clock.advance(Duration::from_secs(3_600));
        assert!(clock.now() >= Utc::now() + TimeDelta::seconds(3_590));
    }
}
