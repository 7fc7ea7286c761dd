//! R21: contract and organization differ.

use super::PoolRules;
use crate::error::Error;
use crate::model::{PoolFinding, Value};
use crate::number::grouped;

/// Finds licences of which another number was ordered than is shown as purchased.
pub(crate) fn find(rules: &PoolRules<'_>) -> Result<Vec<PoolFinding>, Error> {
    Ok(rules.each(|license| {
        let today = rules.as_of.date_naive();
        let lines: Vec<_> = rules
            .valuer
            .contract_lines(license)
            .filter(|line| line.start_on <= today && today <= line.end_on)
            .collect();
        let ordered: i64 = lines.iter().map(|line| line.quantity).sum();
        let shown = license.purchased?;
        (!lines.is_empty() && ordered != shown).then(|| {
            let products: Vec<&str> = lines.iter().map(|line| line.product.as_str()).collect();
            PoolFinding::of(
                license,
                (ordered - shown).abs(),
                None,
                format!(
                    "{} ordered ({}), {} shown as purchased",
                    grouped(ordered),
                    products.join(", "),
                    grouped(shown)
                ),
                vec![Value::new("ordered", ordered), Value::new("purchased", shown)],
            )
        })
    }))
}
