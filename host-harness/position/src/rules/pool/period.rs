//! How much of a period that repeats is over.

use chrono::{DateTime, Days, Months, NaiveDate, Utc};

/// The share of the period that is over at `now`; none for one that does not repeat.
pub(super) fn period_elapsed(start: NaiveDate, frequency: &str, now: DateTime<Utc>) -> Option<f64> {
    let today = now.date_naive();
    if today < start {
        return None;
    }
    let months = match frequency {
        "monthly" => 1,
        "quarterly" => 3,
        "yearly" | "annual" | "annually" => 12,
        "weekly" => {
            let into = (today - start).num_days() % 7;
            let from = today - Days::new(into.unsigned_abs());
            return Some(share(from, from + Days::new(7), now));
        }
        "daily" => return Some(share(today, today + Days::new(1), now)),
        _ => return None,
    };
    let mut passed = 0_u32;
    let begin = |periods: u32| start + Months::new(periods * months);
    while begin(passed + 1) <= today {
        passed += 1;
    }
    Some(share(begin(passed), begin(passed + 1), now))
}

pub(super) fn share(from: NaiveDate, to: NaiveDate, now: DateTime<Utc>) -> f64 {
    let at = |day: NaiveDate| day.and_time(chrono::NaiveTime::MIN).and_utc();
    let whole = (at(to) - at(from)).num_seconds().max(1) as f64;
    ((now - at(from)).num_seconds() as f64 / whole).clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_starts_where_the_entitlement_did_and_repeats() {
        let start = NaiveDate::from_ymd_opt(2025, 1, 31).unwrap();
        let now: DateTime<Utc> = "2026-03-16T00:00:00Z".parse().unwrap();
        let monthly = period_elapsed(start, "monthly", now).unwrap();
        assert!((monthly - 16.0 / 31.0).abs() < 1e-9, "{monthly}");
        assert_eq!(period_elapsed(start, "once", now), None);
        assert_eq!(period_elapsed(start, "daily", now), Some(0.0));
        let yearly = period_elapsed(start, "yearly", now).unwrap();
        assert!((yearly - 44.0 / 365.0).abs() < 1e-9, "{yearly}");
    }
}
