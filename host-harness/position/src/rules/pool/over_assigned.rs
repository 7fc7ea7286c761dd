//! R13: more assigned than bought.

use super::PoolRules;
use crate::error::Error;
use crate::model::{License, Unit};
use crate::model::{PoolFinding, Value};
use crate::number::grouped;

/// Finds pools of which more seats are assigned than were bought.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    Ok(rules.each(|license| over_assigned(rules, license)))
}

fn over_assigned(rules: &PoolRules<'_>, license: &License) -> Option<PoolFinding> {
    let (bought, assigned) = (license.purchased?, license.assigned?);
    let excess = assigned - bought;
    (license.unit == Unit::Seats && excess > 0).then(|| {
        PoolFinding::of(
            license,
            excess,
            rules.cost(license, excess),
            format!("{} seats more are assigned than were bought", grouped(excess)),
            vec![Value::new("purchased", bought), Value::new("assigned", assigned)],
        )
    })
}
