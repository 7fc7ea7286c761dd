//! R12: bought and not assigned.

use super::PoolRules;
use crate::error::Error;
use crate::model::{Confidence, PoolFinding, Value};
use crate::model::{License, Unit};
use crate::number::{counted, grouped};
use crate::time::DAY_MS;

/// Finds pools with seats that were never assigned.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    Ok(rules.each(|license| shelfware(rules, license)))
}

fn shelfware(rules: &PoolRules<'_>, license: &License) -> Option<PoolFinding> {
    if license.unit != Unit::Seats || !rules.paid(license) {
        return None;
    }
    let (bought, assigned) = (license.purchased?, license.assigned?);
    let [peak_since, pace_since] = [rules.settings.peak_days, rules.settings.pace_days]
        .map(|days| rules.as_of.timestamp_millis() - i64::from(days) * DAY_MS);
    let points = rules.trend(license);
    let most = points
        .iter()
        .filter(|point| point.at >= peak_since)
        .map(|point| point.assigned)
        .fold(assigned, i64::max);
    let before = points.iter().rev().find(|point| point.at <= pace_since);
    let added = before.map_or(0, |point| (assigned - point.assigned).max(0));
    let pace_days = f64::from(rules.settings.pace_days.max(1));
    let lead = (added as f64 * f64::from(rules.settings.lead_time_days) / pace_days).ceil() as i64;
    let room = (bought as f64 * rules.settings.headroom_percent / 100.0).ceil() as i64;
    let headroom = room.max(lead);
    let shelf = bought - most - headroom;
    // A pool that nobody ordered and nobody has may cost nothing: no saving is claimed.
    let allotted = assigned == 0 && rules.valuer.contract_lines(license).next().is_none();
    let wanted_days = i64::from(rules.settings.peak_days);
    let days = rules.days_seen(license).min(wanted_days);
    (shelf > 0).then(|| {
        let finding = PoolFinding::of(
            license,
            shelf,
            rules.cost(license, shelf).filter(|_| !allotted),
            format!(
                "{} of {} seats were never assigned in the {} seen, beyond a headroom of {}",
                grouped(shelf),
                grouped(bought),
                counted(days, "day", "days"),
                grouped(headroom)
            ),
            vec![
                Value::new("purchased", bought),
                Value::new("assigned", assigned),
                Value::new("most assigned in that time", most),
                Value::new("headroom", headroom),
                Value::new("days seen", days),
            ],
        );
        let confidence =
            if days < wanted_days || allotted { Confidence::Low } else { Confidence::High };
        PoolFinding { confidence, ..finding }
    })
}
