//! R20: ends soon.

use chrono::Days;

use super::PoolRules;
use crate::error::Error;
use crate::model::Family;
use crate::model::{Confidence, PoolFinding, Value};

/// Finds pools that end soon, then contract lines.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    let until = rules.as_of + Days::new(rules.settings.expiry_days.into());
    let mut found = rules.each(|license| {
        let held = matches!(license.family, Family::PermissionSet | Family::Package);
        let ends = license.expires_at.filter(|_| held)?;
        // A day without a time is meant to its end.
        let soon = ends >= rules.as_of - Days::new(1) && ends <= until;
        soon.then(|| {
            let days = (ends - rules.as_of).num_days();
            PoolFinding::of(
                license,
                license.assigned.unwrap_or(0),
                None,
                format!("it ends on {}, in {days} days", ends.date_naive()),
                vec![
                    Value::new("ends on", ends.date_naive()),
                    Value {
                        name: "assigned",
                        value: license.assigned.map(|assigned| assigned.to_string()),
                    },
                ],
            )
        })
    });
    let today = rules.as_of.date_naive();
    for line in rules.imported.contract.iter().flatten() {
        let notice = line.end_on - Days::new(line.notice_days.max(0).unsigned_abs());
        let days = (notice - today).num_days();
        if line.end_on < today || days > i64::from(rules.settings.notice_days) {
            continue;
        }
        let renews = if line.auto_renew { "it renews by itself" } else { "it ends by itself" };
        let when = if days < 0 { "was due" } else { "is due" };
        found.push(PoolFinding {
            family: Family::Contract,
            license_id: String::new(),
            key: line.contract.clone(),
            name: line.product.clone(),
            message: format!(
                "the contract ends on {}; notice {when} by {notice}; {renews}",
                line.end_on
            ),
            values: vec![Value::new("ends on", line.end_on), Value::new("notice by", notice)],
            quantity: line.quantity,
            confidence: Confidence::High,
            saving_per_year: None,
            exempt: None,
        });
    }
    Ok(found)
}
