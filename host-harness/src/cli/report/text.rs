//! The licence position for a terminal: the answer first, then what it rests on.

use crate::cli::Table;
use crate::cli::rule_table::rule_table;
use crate::redact;
use crate::report::show::{self, FamilyTable};
use position::grouped;
use position::model::{Position, Unit};
use position::money::{Amount, Amounts};

/// Renders the report. Data in it is harmless to a terminal.
pub(super) fn render(position: &Position) -> String {
    let mut text = String::new();
    let mut line = |line: &str| {
        text.push_str(&redact::shown(line));
        text.push('\n');
    };
    if let Some(partial) = position.unseen.first_line() {
        line(&partial);
    }
    line(&position.headline);
    line("");
    line(&show::organization(position));
    line(&show::provenance(position));
    for coverage in show::coverage(position) {
        line(&coverage);
    }
    for family in show::families(position) {
        section(&mut text, &format!("Licences of family {}", family.family));
        push_family(&mut text, &family);
    }
    text.push('\n');
    text.push_str(&redact::shown(&show::legend(position)));
    text.push('\n');
    push_money(&mut text, position);
    section(&mut text, "What the rules found");
    text.push_str(&rule_table(&position.rules));
    push_footnotes(&mut text, position);
    push_reconciliation(&mut text, position);
    push_incomplete(&mut text, position);
    text
}

fn section(text: &mut String, title: &str) {
    text.push('\n');
    text.push_str(&redact::shown(title));
    text.push('\n');
}

fn push_family(text: &mut String, family: &FamilyTable) {
    let numbers: Vec<usize> = (FamilyTable::FIRST_NUMBER..family.head.len()).collect();
    let mut table = Table::new(&family.head).right(&numbers);
    for row in &family.rows {
        table.row(row.clone());
    }
    if !table.is_empty() {
        text.push_str(&table.render());
    }
    if let Some(remark) = &family.remark {
        text.push_str(&format!("{remark} (they are in --json)\n"));
    }
}

fn push_money(text: &mut String, position: &Position) {
    section(text, "Seats and money");
    for (name, value) in &position.supposed {
        text.push_str(&redact::shown(&format!("supposed: {name} = {value}")));
        text.push('\n');
    }
    let head = [
        "LICENCE",
        "PRICE A YEAR",
        "BASIS",
        "COST A YEAR",
        "RECLAIMABLE",
        "REUSABLE NOW",
        "REDUCIBLE AT RENEWAL",
        "WORTH",
        "FORECAST",
    ];
    let mut table = Table::new(&head).right(&[1, 3, 4, 5, 6, 7]).optional(&[8, 2, 1]);
    for license in position.licenses.iter().filter(|license| license.money.paid) {
        let money = &license.money;
        if license.unit != Unit::Seats || license.is_dormant() {
            continue;
        }
        let (price, basis) = match &money.price {
            Some(price) => (price.times(1).to_string(), price.basis.to_string()),
            None => ("unpriced".into(), "-".into()),
        };
        let amount = |amount: &Option<Amount>| {
            amount.as_ref().map_or_else(|| "-".to_owned(), Amount::to_string)
        };
        let forecast = money.forecast.as_ref().map_or_else(
            || "-".to_owned(),
            |f| {
                format!(
                    "{} ({} to {}) on {}",
                    grouped(f.expected),
                    grouped(f.low),
                    grouped(f.high),
                    f.on
                )
            },
        );
        table.row(vec![
            license.name.clone(),
            price,
            basis,
            amount(&money.cost_per_year),
            show::claim(license, "reclaimable", money.reclaimable),
            money.reusable_now.map_or_else(|| "-".to_owned(), grouped),
            show::claim(license, "reducible_at_renewal", money.reducible_at_renewal),
            amount(&money.reducible_at_renewal_amount),
            forecast,
        ]);
    }
    if !table.is_empty() {
        text.push_str(&table.render());
    }
    let money = &position.money;
    if let Some(bridge) = show::bridge(position) {
        text.push_str(&format!("{bridge}\n"));
    }
    if !money.reducible_if_agreed.is_empty() {
        text.push_str(&format!(
            "only if the vendor agrees: {} (the notice date has passed, the contract renews by itself)\n",
            money.reducible_if_agreed
        ));
    }
    if !money.cost_per_year.is_empty() {
        let estimate = if money.list_price_estimate { " (list-price estimate)" } else { "" };
        let or_none = |amounts: &Amounts| {
            if amounts.is_empty() { "not known".to_owned() } else { amounts.to_string() }
        };
        text.push_str(&format!(
            "cost a year {}{estimate}; reusable now, cost avoided: {}; reducible at renewal: {}{}\n",
            money.cost_per_year,
            or_none(&money.reusable_now),
            show::at_least(money.bounds.get("reducible_at_renewal")),
            or_none(&money.reducible_at_renewal)
        ));
    }
    if money.unpriced_reducible_seats > 0 {
        text.push_str(&format!(
            "{} seats reducible at renewal have no price (`imports template prices`)\n",
            grouped(money.unpriced_reducible_seats)
        ));
    }
}

fn push_footnotes(text: &mut String, position: &Position) {
    if position.unknown.is_empty() {
        return;
    }
    section(text, "What is unknown, and what would open it");
    for (at, unknown) in position.unknown.iter().enumerate() {
        let note = show::footnote(unknown);
        text.push_str(&format!("[{}] {}\n", at + 1, redact::shown(&note)));
    }
}

fn push_reconciliation(text: &mut String, position: &Position) {
    section(text, "Reconciliation");
    let mut table =
        Table::new(&["LINE", "STATUS", "SUBJECT", "LEFT", "RIGHT", "WHAT WAS COMPARED"])
            .right(&[3, 4]);
    let number = |value: Option<i64>| value.map_or_else(|| "-".to_owned(), grouped);
    for line in &position.reconciliation {
        table.row(vec![
            line.id.to_string(),
            line.status.as_str().to_owned(),
            line.subject.clone(),
            number(line.left),
            number(line.right),
            line.message.clone(),
        ]);
    }
    text.push_str(&table.render());
}

fn push_incomplete(text: &mut String, position: &Position) {
    let incomplete = show::incomplete(position);
    section(text, "What is incomplete");
    if incomplete.is_empty() {
        text.push_str("Nothing: every dataset was read completely.\n");
        return;
    }
    let mut table = Table::new(&["DATASET", "STATUS", "READ"]);
    for row in incomplete {
        table.row(row);
    }
    text.push_str(&table.render());
}

#[cfg(test)]
mod tests {
    use connector_api::message::DatasetStatus;

    use super::*;
    use crate::test_estate::Estate;

    #[test]
    fn the_answer_comes_first_and_every_figure_has_its_unit() {
        let estate = Estate::with_plan(1_500, 2);
        estate.plan("P2", "limit", "active", "MB", Some(500), Some(20));
        estate.plan("P3", "user", "disabled", "seats", Some(0), Some(0));
        estate.plan("P4", "user", "active", "seats", Some(-1), Some(0));
        let text = render(&estate.position());
        let mut lines = text.lines();
        assert_eq!(
            lines.next(),
            Some("user licences: 2 of 1,500 seats assigned; 0 show no human login in 90 days")
        );
        for expected in [
            "As of 2026-03-01 04:05:06 UTC, snapshot 7 (complete) of connector production, Sample Cloud",
            "Uses from 2025-09-02 04:05:06 UTC to 2026-03-01 04:05:06 UTC (180 days): 3 successful uses by 2 accounts (use)",
            "Plan P1  KEY_P1  active  seats      1,500         2      1,498        2       2         0      0             0        0       0",
            "Plan P4  KEY_P4  active  seats  unlimited         0  unlimited        0       0         0      0             0        0       0",
            "Plan P2  KEY_P2  active  MB          500        20        480",
            "1 pool not active and with nothing assigned is left out here (they are in --json)",
            "Nothing: every dataset was read completely.",
        ] {
            assert!(text.lines().any(|line| line == expected), "{expected}\n---\n{text}");
        }
        assert!(!text.contains("P3"));
    }

    #[test]
    fn an_unknown_figure_is_a_question_mark_with_a_footnote_that_says_what_opens_it() {
        let mut estate = Estate::with_plan(10, 2);
        estate.status("use", DatasetStatus::PartialSelf).reason = Some("own uses only".into());
        let text = render(&estate.position());
        assert!(text.contains("?[1]"), "{text}");
        let note = "[1] The use list (use), partial_self: own uses only; unknown because of it: \
                    user: active, inactive, never, machine_only; the connecting account needs: See use";
        assert!(text.lines().any(|line| line == note), "{text}");
        assert!(text.lines().any(|line| line == "use      partial_self  1 record of 1"), "{text}");
    }

    #[test]
    fn hostile_names_are_spelt_out() {
        let estate = Estate::with_plan(10, 2);
        let name = "a\u{1b}]0;title\u{7}\r\nb\u{202e}c";
        estate.connection.execute("UPDATE plan SET Name = ?1, Unit = ?1", [name]).unwrap();
        estate.connection.execute("UPDATE company SET Name = ?1", [name]).unwrap();
        let text = render(&estate.position());
        assert!(!text.contains(['\u{1b}', '\u{7}', '\r', '\u{202e}']), "{text:?}");
        assert!(text.contains("a\\u{1b}]0;title\\u{7}\\r\\nb\\u{202e}c"), "{text}");
    }
}
