//! The rules with their counts, for `report` and `findings`.

use super::Table;
use position::grouped;
use position::rules::RuleResult;

/// The rules with their counts.
pub(super) fn rule_table(rules: &[RuleResult]) -> String {
    let mut table = Table::new(&[
        "RULE",
        "WHAT",
        "STATUS",
        "FOUND",
        "EXEMPT",
        "CONFIDENCE",
        "A YEAR COSTS",
        "REMARK",
    ])
    .right(&[3, 4])
    .optional(&[4, 5]);
    for rule in rules {
        let confidence = match rule.confidence {
            position::rules::Confidence::High => "high",
            position::rules::Confidence::Medium => "medium",
            position::rules::Confidence::Low => "low",
        };
        let mut cost = rule.saving_per_year.to_string();
        if rule.unpriced > 0 {
            let plus = if cost.is_empty() { "" } else { " + " };
            cost.push_str(&format!("{plus}{} seats, unpriced", grouped(rule.unpriced)));
        }
        let looked = rule.status.looked();
        let labels: Vec<&str> =
            rule.permissions.iter().map(|permission| permission.label.as_str()).collect();
        let mut remark = rule.reason.clone().unwrap_or_default();
        if !labels.is_empty() {
            remark.push_str(&format!("; freed by: {}", labels.join(" or ")));
        }
        if rule.weak > 0 {
            remark.push_str(&format!("{} on weak evidence", grouped(rule.weak)));
        }
        table.row(vec![
            rule.id.to_string(),
            rule.title.to_owned(),
            rule.status.to_string(),
            if looked { grouped(rule.findings) } else { "?".into() },
            if looked { grouped(rule.exempt) } else { "?".into() },
            confidence.to_owned(),
            cost,
            remark,
        ]);
    }
    table.render()
}
