//! The daily allowance of API calls.

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use crate::sync::lock;

/// Calls of the last twenty-four hours, by hour.
#[derive(Debug, Default)]
pub(crate) struct ApiUsage {
    hours: Mutex<VecDeque<(i64, u64)>>,
}

impl ApiUsage {
    /// Counts `calls`.
    pub(crate) fn count(&self, now: DateTime<Utc>, calls: u64) {
        let hour = now.timestamp().div_euclid(3_600);
        let mut hours = lock(&self.hours);
        match hours.back_mut() {
            Some((last, count)) if *last == hour => *count += calls,
            _ => hours.push_back((hour, calls)),
        }
    }

    /// Calls of the day that ends now.
    pub(crate) fn spent(&self, now: DateTime<Utc>) -> u64 {
        let oldest = now.timestamp().div_euclid(3_600) - 23;
        let mut hours = lock(&self.hours);
        while hours.front().is_some_and(|(hour, _)| *hour < oldest) {
            hours.pop_front();
        }
        hours.iter().map(|(_, count)| count).sum()
    }

    /// The value of `Sforce-Limit-Info`.
    pub(crate) fn header(&self, now: DateTime<Utc>, limit: u64) -> String {
        format!("api-usage={}/{limit}", self.spent(now))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn calls_are_forgotten_after_a_day() {
        let usage = ApiUsage::default();
        let start = Utc::now();
        usage.count(start, 3);
        usage.count(start + TimeDelta::hours(5), 2);
        assert_eq!(usage.header(start + TimeDelta::hours(6), 15_000), "api-usage=5/15000");
        assert_eq!(usage.spent(start + TimeDelta::hours(25)), 2);
    }
}
