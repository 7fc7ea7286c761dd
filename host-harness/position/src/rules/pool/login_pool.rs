//! R17: logins of the month run out.

use super::PoolRules;
use crate::error::Error;
use crate::model::{License, Unit};
use crate::model::{PoolFinding, Value};
use crate::number::grouped;

/// Finds pools whose logins are used up, or will be.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    Ok(rules.each(|license| running_out(rules, license)))
}

fn running_out(rules: &PoolRules<'_>, license: &License) -> Option<PoolFinding> {
    if license.unit != Unit::Logins {
        return None;
    }
    let (allowed, used) = (license.purchased?, license.assigned?);
    if allowed <= 0 {
        return None;
    }
    let percent = used as f64 / allowed as f64 * 100.0;
    let projected = rules.projected_logins(license);
    // A projection from the month's first days would cry wolf.
    let runs_out = projected.is_some_and(|logins| {
        logins >= allowed && percent >= rules.settings.login_pool_used_percent
    });
    if percent < rules.settings.login_pool_percent && !runs_out {
        return None;
    }
    let short = projected.map_or(0, |logins| (logins - allowed).max(0));
    Some(PoolFinding::of(
        license,
        short,
        None,
        format!(
            "{} of {} logins of the month are used ({percent:.0}%); at this pace it will be {}",
            grouped(used),
            grouped(allowed),
            projected.map_or_else(|| "unknown".into(), grouped)
        ),
        vec![
            Value::new("entitlement", allowed),
            Value::new("used", used),
            Value { name: "projected", value: projected.map(|n| n.to_string()) },
        ],
    ))
}
