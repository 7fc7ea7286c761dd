//! R19: storage or requests run out.

use super::PoolRules;
use crate::error::Error;
use crate::model::{Family, License, Unit};
use crate::model::{PoolFinding, Value};
use crate::number::grouped;
use crate::time::DAY_MS;

/// Finds allowances of the organization that are nearly used up.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    Ok(rules.each(|license| nearly_full(rules, license)))
}

fn nearly_full(rules: &PoolRules<'_>, license: &License) -> Option<PoolFinding> {
    if license.family != Family::Limit {
        return None;
    }
    let (allowed, used) = (license.purchased.filter(|n| *n > 0)?, license.assigned?);
    let percent = used as f64 / allowed as f64 * 100.0;
    if percent < rules.settings.limit_percent {
        return None;
    }
    let now = rules.as_of.timestamp_millis();
    let since = now - i64::from(rules.settings.pace_days) * DAY_MS;
    let first = rules.trend(license).iter().find(|point| point.at >= since);
    let days_to_full = first.and_then(|first| {
        let days = (now - first.at) as f64 / DAY_MS as f64;
        let slope = (used - first.assigned) as f64 / days;
        // Requests are counted anew each day, so they have no slope.
        (days >= 14.0 && slope > 0.0 && license.unit != Unit::Requests)
            .then(|| ((allowed - used).max(0) as f64 / slope).ceil() as i64)
    });
    let mut message = format!(
        "{} of {} {} are used ({percent:.0}%)",
        grouped(used),
        grouped(allowed),
        license.unit
    );
    if let Some(days) = days_to_full {
        message.push_str(&format!(
            "; full in {days} days at the pace of the last {}",
            rules.settings.pace_days
        ));
    }
    let days = days_to_full.map(|days| days.to_string());
    Some(PoolFinding::of(
        license,
        0,
        None,
        message,
        vec![
            Value::new("allowed", allowed),
            Value::new("used", used),
            Value { name: "days to full", value: days },
        ],
    ))
}
