//! `report --all`: all connectors together, for a terminal.

use crate::app::fleet::FleetView;
use crate::cli::Table;
use crate::redact;
use position::grouped;

/// Renders the report.
pub(super) fn render(fleet: &FleetView) -> String {
    let mut text = String::new();
    let count = fleet.connectors.iter().filter(|entry| entry.summed).count();
    text.push_str(&format!(
        "{} of {} connectors are production and in the sums{}\n\n",
        count,
        fleet.connectors.len(),
        if fleet.complete { "" } else { "; THE SUMS ARE NOT COMPLETE" }
    ));
    let mut table = Table::new(&["CONNECTOR", "STATUS", "KIND", "AS OF", "IN SUMS", "REMARK"]);
    for entry in &fleet.connectors {
        let kind = match entry.is_sandbox {
            Some(true) => "sandbox",
            Some(false) => "production",
            None => "?",
        };
        table.row(vec![
            entry.connector.clone(),
            entry.status.as_str().to_owned(),
            kind.to_owned(),
            entry.as_of.clone().unwrap_or_else(|| "-".into()),
            if entry.summed { "yes" } else { "no" }.to_owned(),
            entry.reason.clone().or_else(|| entry.headline.clone()).unwrap_or_default(),
        ]);
    }
    text.push_str(&table.render());
    text.push_str("\nProduction together\n");
    let head = [
        "FAMILY",
        "NAME",
        "UNIT",
        "ORGS",
        "PURCHASED",
        "ASSIGNED",
        "ACTIVE",
        "RECLAIMABLE",
        "REDUCIBLE AT RENEWAL",
    ];
    let mut table = Table::new(&head).right(&[3, 4, 5, 6, 7, 8]).optional(&[2, 6, 3]);
    let number = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), grouped);
    for total in &fleet.totals {
        table.row(vec![
            total.family.to_string(),
            total.name.clone(),
            total.unit.to_string(),
            grouped(total.organizations),
            number(total.purchased),
            number(total.assigned),
            number(total.active),
            number(total.reclaimable),
            number(total.reducible_at_renewal),
        ]);
    }
    text.push_str(&table.render());
    for warning in &fleet.warnings {
        text.push_str(&redact::shown(&format!("warning: {warning}")));
        text.push('\n');
    }
    text
}
