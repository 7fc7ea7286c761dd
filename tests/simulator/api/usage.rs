//! The daily allowance of API calls.

use std::collections::VecDeque;
use std::sync::Mutex;

use chrono::{DateTime, Utc};

use crate::data_policy::{AppLimit, LimitInfo};
use crate::policy::Policy;
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

    /// Whether the next call is one too many, for the org or for the app.
    pub(crate) fn is_used_up(&self, now: DateTime<Utc>, policy: &Policy) -> bool {
        let (own, budget) = (self.spent(now), &policy.budget);
        let app = budget.app_limit.as_ref();
        own + budget.used_by_others >= policy.daily_api_limit.saturating_add(budget.over_run)
            || app.is_some_and(|app| own >= app.calls)
    }

    /// The value of `Sforce-Limit-Info`, if it is sent.
    pub(crate) fn header(&self, now: DateTime<Utc>, policy: &Policy) -> Option<String> {
        let (mut own, budget) = (self.spent(now), &policy.budget);
        match budget.limit_info {
            LimitInfo::Exact => {}
            LimitInfo::Absent => return None,
            LimitInfo::Backwards(by) if own.is_multiple_of(2) => own = own.saturating_sub(by),
            LimitInfo::Backwards(_) => {}
        }
        let all = own + budget.used_by_others;
        let mut text = format!("api-usage={all}/{}", policy.daily_api_limit);
        if let Some(AppLimit { name, calls }) = &budget.app_limit {
            text.push_str(&format!("; per-app-api-usage={own}/{calls}(appName={name})"));
        }
        Some(text)
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
        let header = usage.header(start + TimeDelta::hours(6), &Policy::default());
        assert_eq!(header.as_deref(), Some("api-usage=5/15000"));
        assert_eq!(usage.spent(start + TimeDelta::hours(25)), 2);
    }
}
