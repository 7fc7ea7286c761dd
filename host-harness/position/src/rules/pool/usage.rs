//! R18: usage over its allowance.

use super::PoolRules;
use super::period::period_elapsed;
use crate::error::Error;
use crate::model::License;
use crate::model::{PoolFinding, Value};
use crate::number::grouped;
use crate::time::from_ms;

/// Finds entitlements that are used up, or will be.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    let mut statement = rules
        .db
        .connection
        .prepare("SELECT family, license_id, COALESCE(frequency, ''), starts_at FROM meter")?;
    let meters: Vec<(String, String, String, Option<i64>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    let look = |license: &License| {
        let (.., frequency, starts_at) = meters
            .iter()
            .find(|(family, id, ..)| *family == license.family.as_str() && *id == license.id)?;
        // Not metered is not zero.
        let (allowed, used) = (license.purchased.filter(|n| *n > 0)?, license.assigned?);
        let percent = used as f64 / allowed as f64 * 100.0;
        let start = starts_at.map(|at| from_ms(at).date_naive());
        let elapsed = start.and_then(|start| period_elapsed(start, frequency, rules.as_of));
        let projected = elapsed
            .filter(|share| {
                share * 100.0 >= rules.settings.usage_elapsed_percent
                    && percent >= rules.settings.usage_used_percent
            })
            .map(|share| (percent / share).round());
        if percent <= 100.0 && projected.is_none_or(|percent| percent <= 100.0) {
            return None;
        }
        let shown = |percent: f64| format!("{percent:.0}%");
        Some(PoolFinding::of(
            license,
            (used - allowed).max(0),
            None,
            format!(
                "{} of {} used ({}); at this pace {} by the end of the period",
                grouped(used),
                grouped(allowed),
                shown(percent),
                projected.map_or_else(|| "unknown".into(), shown)
            ),
            vec![
                Value::new("allowed", allowed),
                Value::new("used", used),
                Value { name: "frequency", value: Some(frequency.clone()) },
                Value { name: "projected", value: projected.map(shown) },
            ],
        ))
    };
    Ok(rules.each(look))
}
