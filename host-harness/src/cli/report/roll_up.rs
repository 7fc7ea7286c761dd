//! `report --all`: every connector beside the others. What failed or is old is named and never left
//! out; copies for tests are shown and never added to production.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::App;
use crate::cli::{Outcome, Reporter, Table};
use crate::error::HostError;
use crate::money::{Amounts, WhatIf};
use crate::position::inputs::RuleSettings;
use crate::position::{MoneyTotal, Position, base, grouped};
use crate::redact;
use crate::store::{ConnectorInfo, ReadStore, Store};
use crate::time::{now, rfc3339};

#[derive(Serialize)]
struct Document {
    /// Whether every production organization is in the sums, freshly read.
    complete: bool,
    connectors: Vec<Entry>,
    /// Sums over production, by feature, family and key; null as soon as one figure is unknown.
    totals: Vec<Total>,
    money: MoneyTotal,
    /// What is wrong with the sums, one sentence each.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Entry {
    connector: String,
    feature: String,
    /// `ok`, `partial`, `stale`, `failed` or `never_read`.
    status: &'static str,
    reason: Option<String>,
    /// Whether its figures are in the sums.
    summed: bool,
    organization: Option<String>,
    is_sandbox: Option<bool>,
    snapshot: Option<i64>,
    as_of: Option<String>,
    headline: Option<String>,
}

#[derive(Clone, Serialize)]
struct Total {
    feature: String,
    family: String,
    key: String,
    name: String,
    unit: String,
    organizations: i64,
    purchased: Option<i64>,
    assigned: Option<i64>,
    active: Option<i64>,
    reclaimable: Option<i64>,
    reducible_at_renewal: Option<i64>,
}

pub(super) fn run(
    app: &App,
    out: Reporter,
    settings: &RuleSettings,
    stale_hours: u32,
) -> Result<Outcome, HostError> {
    if !app.home().store_file().exists() {
        return Err(HostError::usage("there are no connectors")
            .with_hint("create one with `connectors new`"));
    }
    let store = Store::open_read(app.home())?;
    let mut document = Document {
        complete: true,
        connectors: Vec::new(),
        totals: Vec::new(),
        money: MoneyTotal { list_price_estimate: true, ..MoneyTotal::default() },
        warnings: Vec::new(),
    };
    let mut totals = BTreeMap::new();
    for connector in store.connectors()? {
        let (entry, position) = look(&store, &connector, settings, stale_hours);
        if entry.status != "ok" {
            document.complete = false;
            document.warnings.push(format!(
                "{}: {}{}",
                entry.connector,
                entry.reason.clone().unwrap_or_default(),
                match (entry.summed, entry.status) {
                    (false, _) => "; it is not in the sums",
                    (true, "partial") => "; the sums are without them",
                    (true, _) => "; its old figures are in the sums",
                }
            ));
        }
        if let Some(position) = position.filter(|_| entry.summed) {
            add(&mut totals, &entry.feature, &position);
            add_money(&mut document.money, &position.money);
        }
        document.connectors.push(entry);
    }
    document.totals = totals.into_values().collect();
    let outcome = if document.complete { Outcome::DONE } else { Outcome::FINDINGS };
    if out.json {
        out.document(&document)?;
    } else {
        out.text(&render(&document));
    }
    Ok(outcome)
}

fn look(
    store: &ReadStore,
    connector: &ConnectorInfo,
    settings: &RuleSettings,
    stale_hours: u32,
) -> (Entry, Option<Position>) {
    let mut entry = Entry {
        connector: connector.name.clone(),
        feature: connector.feature.clone(),
        status: "ok",
        reason: None,
        summed: false,
        organization: None,
        is_sandbox: None,
        snapshot: None,
        as_of: None,
        headline: None,
    };
    let (position, unread) = match position(store, connector, settings) {
        Ok(Some(found)) => found,
        Ok(None) => {
            (entry.status, entry.reason) = ("never_read", Some("nothing was read yet".into()));
            return (entry, None);
        }
        Err(error) => {
            (entry.status, entry.reason) = ("failed", Some(error.message));
            return (entry, None);
        }
    };
    entry.organization.clone_from(&position.org.name);
    entry.is_sandbox = position.org.is_sandbox;
    entry.snapshot = Some(position.snapshot);
    entry.as_of = Some(rfc3339(position.as_of));
    entry.headline = Some(position.headline.clone());
    // An organization that does not say whether it is a copy could be one.
    entry.summed = position.org.is_sandbox == Some(false);
    if position.org.is_sandbox.is_none() {
        (entry.status, entry.reason) = (
            "failed",
            Some("it was not shown whether this is production or a copy for tests".into()),
        );
    }
    let age = now() - position.as_of;
    let last = store.last_run(connector.id);
    if let Ok(Some((status, at))) = last
        && ["failed", "paused"].contains(&status.as_str())
    {
        entry.status = "failed";
        entry.reason = Some(format!(
            "the last run {status} at {}; its figures are as of {}",
            rfc3339(at),
            rfc3339(position.as_of)
        ));
    } else if age.num_hours() > i64::from(stale_hours) {
        entry.status = "stale";
        entry.reason = Some(format!("it was last read {} hours ago", grouped(age.num_hours())));
    } else if !unread.is_empty() && entry.status == "ok" {
        entry.status = "partial";
        entry.reason =
            Some(format!("its licences of these families were not read: {}", unread.join(", ")));
    }
    (entry, Some(position))
}

/// The position, and the families whose pools were not read.
fn position(
    store: &ReadStore,
    connector: &ConnectorInfo,
    settings: &RuleSettings,
) -> Result<Option<(Position, Vec<String>)>, HostError> {
    let Some(snapshot) = store.latest_snapshot(connector.id)? else { return Ok(None) };
    let inputs = base::inputs(store, &snapshot, settings, WhatIf::default())?;
    let source = store.snapshot_connection(&snapshot)?;
    let position = base::analyse(store, &source, &snapshot, &inputs)?.position;
    Ok(Some((position, base::unread_families(&snapshot))))
}

type Totals = BTreeMap<(String, String, String, String), Total>;

fn add(totals: &mut Totals, feature: &str, position: &Position) {
    for license in position.licenses.iter().filter(|license| !license.is_dormant()) {
        let key =
            (feature.to_owned(), license.family.clone(), license.key.clone(), license.unit.clone());
        let figures = [
            license.purchased,
            license.assigned,
            license.active,
            license.money.reclaimable,
            license.money.reducible_at_renewal,
        ];
        let fresh = Total {
            feature: feature.to_owned(),
            family: license.family.clone(),
            key: license.key.clone(),
            name: license.name.clone(),
            unit: license.unit.clone(),
            organizations: 0,
            purchased: Some(0),
            assigned: Some(0),
            active: Some(0),
            reclaimable: Some(0),
            reducible_at_renewal: Some(0),
        };
        let total = totals.entry(key).or_insert(fresh);
        total.organizations += 1;
        for (sum, figure) in [
            &mut total.purchased,
            &mut total.assigned,
            &mut total.active,
            &mut total.reclaimable,
            &mut total.reducible_at_renewal,
        ]
        .into_iter()
        .zip(figures)
        {
            // Unknown once is unknown in the sum.
            *sum = sum.zip(figure).map(|(sum, figure)| sum + figure);
        }
    }
}

fn add_money(total: &mut MoneyTotal, money: &MoneyTotal) {
    let sums: [(&mut Amounts, &Amounts); 3] = [
        (&mut total.cost_per_year, &money.cost_per_year),
        (&mut total.reusable_now, &money.reusable_now),
        (&mut total.reducible_at_renewal, &money.reducible_at_renewal),
    ];
    for (sum, amounts) in sums {
        amounts.iter().for_each(|amount| sum.add(&amount));
    }
    total.unpriced_reducible_seats += money.unpriced_reducible_seats;
    total.list_price_estimate &= money.list_price_estimate;
}

fn render(document: &Document) -> String {
    let mut text = String::new();
    let count = document.connectors.iter().filter(|entry| entry.summed).count();
    text.push_str(&format!(
        "{} of {} connectors are production and in the sums{}\n\n",
        count,
        document.connectors.len(),
        if document.complete { "" } else { "; THE SUMS ARE NOT COMPLETE" }
    ));
    let mut table = Table::new(&["CONNECTOR", "STATUS", "KIND", "AS OF", "IN SUMS", "REMARK"]);
    for entry in &document.connectors {
        let kind = match entry.is_sandbox {
            Some(true) => "sandbox",
            Some(false) => "production",
            None => "?",
        };
        table.row(vec![
            entry.connector.clone(),
            entry.status.to_owned(),
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
    let mut table = Table::new(&head).right(&[3, 4, 5, 6, 7, 8]);
    let number = |value: Option<i64>| value.map_or_else(|| "?".to_owned(), grouped);
    for total in &document.totals {
        table.row(vec![
            total.family.clone(),
            total.name.clone(),
            total.unit.clone(),
            grouped(total.organizations),
            number(total.purchased),
            number(total.assigned),
            number(total.active),
            number(total.reclaimable),
            number(total.reducible_at_renewal),
        ]);
    }
    text.push_str(&table.render());
    for warning in &document.warnings {
        text.push_str(&redact::shown(&format!("warning: {warning}")));
        text.push('\n');
    }
    text
}
