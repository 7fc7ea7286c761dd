//! The licence positions of all connectors. What failed or is old is named and never left out; copies
//! for tests are shown and never added to production.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::app::App;
use crate::app::analysis;
use crate::app::reports::Limits;
use crate::error::HostError;
use crate::source::StoreSource;
use crate::store::{ConnectorInfo, ReadStore, RunStatus};
use crate::time::{now, rfc3339};
use position::grouped;
use position::inputs::RuleSettings;
use position::model::{Bound, Family, MoneyTotal, Position, Unit};
use position::money::{Amounts, WhatIf};

/// All connectors together.
#[derive(Debug, Serialize)]
pub struct FleetView {
    /// Whether every production organization is in the sums, freshly read.
    pub complete: bool,
    /// The connectors, by name.
    pub connectors: Vec<FleetEntry>,
    /// Sums over production, by feature, family and key; null as soon as one figure is unknown.
    pub totals: Vec<FleetTotal>,
    /// Amounts over production.
    pub money: MoneyTotal,
    /// What is wrong with the sums, one sentence each.
    pub warnings: Vec<String>,
}

/// Whether a connector's figures can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FleetStatus {
    /// Everything was read lately.
    Ok,
    /// The licences of some families were not read.
    Partial,
    /// It was read too long ago.
    Stale,
    /// Its last run failed, or its kind is not known.
    Failed,
    /// Nothing was read yet.
    NeverRead,
}

impl FleetStatus {
    /// The word used in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            FleetStatus::Ok => "ok",
            FleetStatus::Partial => "partial",
            FleetStatus::Stale => "stale",
            FleetStatus::Failed => "failed",
            FleetStatus::NeverRead => "never_read",
        }
    }
}

/// One connector.
#[derive(Debug, Serialize)]
pub struct FleetEntry {
    /// Its name.
    pub connector: String,
    /// Its feature.
    pub feature: String,
    /// Whether its figures can be relied on.
    pub status: FleetStatus,
    /// Why not.
    pub reason: Option<String>,
    /// Whether its figures are in the sums.
    pub summed: bool,
    /// The organization's name.
    pub organization: Option<String>,
    /// Whether it is a copy for tests; `None` if the organization does not show it.
    pub is_sandbox: Option<bool>,
    /// The snapshot.
    pub snapshot: Option<i64>,
    /// When it was taken, in RFC 3339.
    pub as_of: Option<String>,
    /// Its licence position in one sentence.
    pub headline: Option<String>,
}

/// One licence over all production organizations.
#[derive(Clone, Debug, Serialize)]
pub struct FleetTotal {
    /// The feature.
    pub feature: String,
    /// The licence's family.
    pub family: Family,
    /// The vendor's key of the licence.
    pub key: String,
    /// Its name.
    pub name: String,
    /// What it is counted in.
    pub unit: Unit,
    /// Number of organizations that have it.
    pub organizations: i64,
    /// Sums in that unit; `None` once a figure is unknown.
    pub purchased: Option<i64>,
    /// See `purchased`.
    pub assigned: Option<i64>,
    /// See `purchased`.
    pub active: Option<i64>,
    /// See `purchased`.
    pub reclaimable: Option<i64>,
    /// See `purchased`.
    pub reducible_at_renewal: Option<i64>,
}

/// Reports on all connectors together; a snapshot older than `stale_hours` is stale.
///
/// # Errors
/// Of kind usage without connectors.
pub fn fleet(app: &App, limits: Limits, stale_hours: u32) -> Result<FleetView, HostError> {
    let settings = limits.over(&app.config().rules);
    let store = app.read_store()?.ok_or_else(|| {
        HostError::usage("there are no connectors").with_hint("create one with `connectors new`")
    })?;
    let mut view = FleetView {
        complete: true,
        connectors: Vec::new(),
        totals: Vec::new(),
        money: MoneyTotal { list_price_estimate: true, ..MoneyTotal::default() },
        warnings: Vec::new(),
    };
    let mut looked: Vec<(FleetEntry, Option<Position>)> = store
        .connectors()
        .list()?
        .iter()
        .map(|connector| look(&store, connector, &settings, stale_hours))
        .collect();
    view.warnings.extend(count_organizations_once(&mut looked));
    let mut totals = BTreeMap::new();
    for (entry, position) in looked {
        if entry.status != FleetStatus::Ok {
            view.complete = false;
            view.warnings.push(format!(
                "{}: {}{}",
                entry.connector,
                entry.reason.clone().unwrap_or_default(),
                match (entry.summed, entry.status) {
                    (false, _) => "; it is not in the sums",
                    (true, FleetStatus::Partial) => "; the sums are without them",
                    (true, _) => "; its old figures are in the sums",
                }
            ));
        }
        if let Some(position) = position.filter(|_| entry.summed) {
            if let Some(partial) = position.unseen.first_line() {
                view.complete = false;
                view.warnings.push(format!("{}: {partial}", entry.connector));
            }
            add(&mut totals, &entry.feature, &position);
            add_money(&mut view.money, &position.money);
        }
        view.connectors.push(entry);
    }
    view.totals = totals.into_values().collect();
    Ok(view)
}

/// Takes all but one of the connectors that read the same organization out of the sums: the newest
/// good snapshot stays. Returns one sentence for each that goes.
fn count_organizations_once(looked: &mut [(FleetEntry, Option<Position>)]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut kept: BTreeMap<(String, String), usize> = BTreeMap::new();
    let mut order: Vec<usize> = (0..looked.len()).collect();
    order.sort_by_key(|at| {
        let (entry, position) = &looked[*at];
        let as_of = position.as_ref().map(|position| position.as_of);
        (entry.status != FleetStatus::Ok, std::cmp::Reverse(as_of))
    });
    for at in order {
        let (entry, position) = &looked[at];
        let Some(id) = position.as_ref().and_then(|position| position.org.id.clone()) else {
            continue;
        };
        if !entry.summed {
            continue;
        }
        match kept.get(&(entry.feature.clone(), id.clone())) {
            Some(first) => {
                let first = looked[*first].0.connector.clone();
                let entry = &mut looked[at].0;
                entry.summed = false;
                notes.push(format!(
                    "{}: it reads the same organization as {first}, which is in the sums",
                    entry.connector
                ));
            }
            None => drop(kept.insert((entry.feature.clone(), id), at)),
        }
    }
    notes
}

fn look(
    store: &ReadStore,
    connector: &ConnectorInfo,
    settings: &RuleSettings,
    stale_hours: u32,
) -> (FleetEntry, Option<Position>) {
    let mut entry = FleetEntry {
        connector: connector.name.clone(),
        feature: connector.feature.clone(),
        status: FleetStatus::Ok,
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
            (entry.status, entry.reason) =
                (FleetStatus::NeverRead, Some("nothing was read yet".into()));
            return (entry, None);
        }
        Err(error) => {
            (entry.status, entry.reason) = (FleetStatus::Failed, Some(error.message));
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
            FleetStatus::Failed,
            Some("it was not shown whether this is production or a copy for tests".into()),
        );
    }
    let age = now() - position.as_of;
    let last = store.snapshots().last_run(connector.id);
    if let Ok(Some((status, at))) = last
        && matches!(status, RunStatus::Failed | RunStatus::Paused)
    {
        entry.status = FleetStatus::Failed;
        entry.reason = Some(format!(
            "the last run {} at {}; its figures are as of {}",
            status.as_str(),
            rfc3339(at),
            rfc3339(position.as_of)
        ));
    } else if age.num_hours() > i64::from(stale_hours) {
        entry.status = FleetStatus::Stale;
        entry.reason = Some(format!("it was last read {} hours ago", grouped(age.num_hours())));
    } else if !unread.is_empty() && entry.status == FleetStatus::Ok {
        entry.status = FleetStatus::Partial;
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
    let Some(snapshot) = store.snapshots().latest(connector.id)? else { return Ok(None) };
    let inputs = analysis::inputs(store, &snapshot, settings, WhatIf::default())?;
    let source = StoreSource::open(store, &snapshot)?;
    let position = analysis::analyse(&source, &inputs, None)?.position;
    Ok(Some((position, position::unread_families(&source.snapshot))))
}

/// By feature, family, key and unit, in the order of their words.
type Totals = BTreeMap<[String; 4], FleetTotal>;

fn add(totals: &mut Totals, feature: &str, position: &Position) {
    for license in position.licenses.iter().filter(|license| !license.is_dormant()) {
        let key = [
            feature.to_owned(),
            license.family.to_string(),
            license.key.clone(),
            license.unit.to_string(),
        ];
        let figures = [
            license.purchased,
            license.assigned,
            license.active,
            license.money.reclaimable,
            license.money.reducible_at_renewal,
        ];
        let fresh = FleetTotal {
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
    let sums: [(&mut Amounts, &Amounts); 4] = [
        (&mut total.cost_per_year, &money.cost_per_year),
        (&mut total.reusable_now, &money.reusable_now),
        (&mut total.reducible_at_renewal, &money.reducible_at_renewal),
        (&mut total.reducible_if_agreed, &money.reducible_if_agreed),
    ];
    for (sum, amounts) in sums {
        amounts.iter().for_each(|amount| sum.add(&amount));
    }
    total.unpriced_reducible_seats += money.unpriced_reducible_seats;
    total.list_price_estimate &= money.list_price_estimate;
    for (figure, bounded) in &money.bounds {
        let sum = total.bounds.entry(figure).or_insert_with(|| bounded.clone());
        if bounded.is != Bound::Exact {
            sum.is = bounded.is;
            sum.because.extend(bounded.because.iter().cloned());
            sum.because.sort();
            sum.because.dedup();
        }
    }
}
