//! The licence position: what was bought, what is assigned, and who uses it.
//!
//! [`compute`] is a pure function of one snapshot. It runs the statements of the connector's
//! [`PositionModel`](connector_api::position::PositionModel) into canonical tables, counts, and
//! compares the counts with each other. A figure made from a dataset that was not read wholly is
//! null and says why.

pub mod base;
mod chart;
pub(crate) mod daily;
pub(crate) mod derive;
pub(crate) mod evidence;
mod figure;
pub mod html;
pub mod inputs;
mod model;
mod movement;
mod reconcile;
pub(crate) mod scratch;
pub(crate) mod seats;
pub mod show;
mod summary;
#[cfg(test)]
pub(crate) mod test_estate;
mod totals;
pub mod uses;

use std::collections::BTreeMap;

use connector_api::manifest::Manifest;
use connector_api::position::CanonicalTable;
use rusqlite::Connection;

use crate::error::HostError;
use crate::findings::judge::Judge;
use crate::findings::pools::PoolJudge;
use crate::money::{Valuer, WhatIf, pool_money};
use crate::store::DatasetInfo;
use crate::time::from_ms;
use evidence::{Cause, Evidence};
use inputs::{BaseInputs, Imported, RuleSettings};
use scratch::{Scratch, Window};
use seats::{Census, Rules};

pub(crate) use model::SEATS;

pub(crate) use evidence::{NOT_COLLECTED, plain_reason};
pub use figure::grouped;
pub use model::{
    Coverage, DatasetLine, Gap, License, Line, LineStatus, MoneyTotal, Organization,
    PoolDifference, Position, SnapshotMeta, Thresholds, Unknown, UnknownBecause,
};

/// The classes that need uses to be readable.
const CLASSES: [&str; 4] = ["active", "inactive", "never", "machine_only"];

/// What a position is computed from beside the snapshot.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// Limits of classes and rules.
    pub settings: RuleSettings,
    /// What the administrator imported.
    pub imported: Imported,
    /// Suppositions.
    pub what_if: WhatIf,
}

/// A position with what it was computed from, to look closer at.
#[derive(Debug)]
pub struct Analysis<'a> {
    /// The position.
    pub position: Position,
    pub(crate) manifest: &'a Manifest,
    pub(crate) imported: &'a Imported,
    pub(crate) scratch: Scratch,
    pub(crate) judge: Judge<'a>,
    rules: BTreeMap<String, Rules>,
    fallback: Rules,
}

impl Analysis<'_> {
    /// What a family's seats are classified by.
    pub(crate) fn rules(&self, family: &str) -> Rules {
        self.rules.get(family).copied().unwrap_or(self.fallback)
    }
}

/// Computes the licence position of a snapshot: a function of what is passed in and nothing else.
///
/// `connection` shows each dataset of the manifest as a table or view of its name with the
/// manifest's columns; it is only read. Memory does not grow with the number of people.
///
/// # Errors
/// When the datasets cannot be read, a statement of the manifest does not fit its table, or the
/// seat classes of a pool do not sum to its holders.
pub fn compute<'a>(
    connection: &Connection,
    meta: &SnapshotMeta,
    manifest: &'a Manifest,
    datasets: &[DatasetInfo],
    inputs: &'a Inputs,
) -> Result<Analysis<'a>, HostError> {
    let base = BaseInputs::new(
        meta.as_of.timestamp_millis(),
        manifest,
        &inputs.settings,
        &inputs.imported,
    );
    let scratch = Scratch::load(connection, &Evidence::new(manifest, datasets), &base)?;
    compute_on(scratch, connection, meta, manifest, datasets, inputs)
}

/// The same over canonical tables that were filled before.
pub(crate) fn compute_on<'a>(
    scratch: Scratch,
    connection: &Connection,
    meta: &SnapshotMeta,
    manifest: &'a Manifest,
    datasets: &[DatasetInfo],
    inputs: &'a Inputs,
) -> Result<Analysis<'a>, HostError> {
    let Inputs { settings, imported, what_if } = inputs;
    let evidence = Evidence::new(manifest, datasets);
    let thresholds = settings.thresholds();
    let sight = Sight::new(&scratch, &evidence, meta, thresholds);
    let valuer = Valuer::new(imported, meta.as_of);
    let mut licenses = scratch.licenses()?;
    let mut judge =
        Judge::new(&scratch, &evidence, &sight, settings, imported, &licenses, &valuer)?;
    // Vendors measure who used a licence in the 30 days before, by whatever use.
    let month_ago = meta.as_of.timestamp_millis() - 30 * 86_400_000;
    let mut used_lately: BTreeMap<(String, String), i64> = BTreeMap::new();
    let mut days_used: BTreeMap<(String, String), i64> = BTreeMap::new();
    let census = seats::count(
        &scratch,
        |family| sight.rules(family).0,
        |pool, facts, class| {
            judge.see(pool, facts, class);
            let account = &facts.account;
            let last = account.human_at.max(account.machine_at).max(account.last_login_at);
            if facts.is_active == Some(true) && last.is_some_and(|at| at >= month_ago) {
                add(&mut used_lately, pool, 1);
            }
            if let Some(days) =
                facts.human_days.filter(|days| *days > 0 && facts.is_active == Some(true))
            {
                add(&mut days_used, pool, days);
            }
            Ok(())
        },
    )?;
    for license in &mut licenses {
        fill(license, &evidence, &sight, &census);
    }
    let mut reconciliation = reconcile::lines(&scratch, &evidence, &sight, &licenses, &census);
    let measured = reconcile::measured_lines(&scratch, &evidence, &sight, &licenses, &used_lately)?;
    let before = reconciliation.iter().position(|line| line.id > "I4");
    let at = before.unwrap_or(reconciliation.len());
    reconciliation.splice(at..at, measured);
    if let Some(line) = reconciliation
        .iter()
        .find(|line| line.id == reconcile::SUM && line.status == LineStatus::Difference)
    {
        return Err(HostError::failed(format_args!(
            "the seat classes of `{}` do not sum to the seats: {}",
            line.subject, line.message
        ))
        .with_hint("this is a fault of this program; no report is better than a wrong one"));
    }
    judge.doubt(&reconciliation, &evidence);
    for license in &mut licenses {
        let (reclaimable, exempt) = judge.reclaimable(license);
        license.money = pool_money(license, reclaimable, exempt, &valuer, settings, what_if);
        license.money.paid = judge.paid(license);
        let key = (license.family.clone(), license.key.clone());
        license.trend = imported.trend.get(&key).cloned().unwrap_or_default();
    }
    let mut rules = judge.results(&evidence, &licenses, &valuer);
    let window_read =
        sight.blind("user").is_none() && judge.context.covers(settings.sparse_window_days);
    let pools = PoolJudge {
        licenses: &licenses,
        settings,
        imported,
        valuer,
        as_of: meta.as_of,
        free: &manifest.position.free_licenses,
        days_used: window_read.then_some(&days_used),
    };
    pools.judge(&scratch, &mut rules)?;
    let position = Position {
        connector: meta.connector.clone(),
        snapshot: meta.snapshot,
        as_of: meta.as_of,
        finished_at: meta.finished_at,
        snapshot_status: meta.status.clone(),
        title: manifest.title.clone(),
        org: summary::organization(connection, &evidence)?,
        thresholds,
        supposed: what_if.supposed(),
        headline: summary::headline(&licenses, thresholds),
        money: summary::money(&licenses),
        rules,
        reconciliation,
        coverage: sight.coverage(),
        unknown: summary::unknown(&evidence, &sight, &licenses),
        datasets: evidence.lines(),
        licenses,
    };
    let by_family = position
        .licenses
        .iter()
        .map(|license| (license.family.clone(), sight.rules(&license.family).0))
        .collect();
    let fallback = sight.rules("").0;
    Ok(Analysis { position, manifest, imported, judge, rules: by_family, fallback, scratch })
}

/// How well uses can be seen, by family.
#[derive(Debug)]
pub(crate) struct Sight<'a> {
    evidence: &'a Evidence<'a>,
    scratch: &'a Scratch,
    rules: Rules,
    /// Accounts that are active; none if that was not shown of all of them.
    pub(crate) active_people: Option<i64>,
    pub(crate) as_of_ms: i64,
    retention_days: Option<u32>,
}

impl<'a> Sight<'a> {
    fn new(
        scratch: &'a Scratch,
        evidence: &'a Evidence<'a>,
        meta: &SnapshotMeta,
        thresholds: Thresholds,
    ) -> Sight<'a> {
        let as_of_ms = meta.as_of.timestamp_millis();
        let mut rules = Rules::new(as_of_ms, thresholds);
        let people_known = evidence.causes(CanonicalTable::Person, "").is_empty();
        let totals = &scratch.totals;
        let active_people = (people_known && totals.undecided == 0).then_some(totals.active);
        let hidden = evidence
            .manifest
            .position
            .views
            .iter()
            .filter(|view| view.table == CanonicalTable::Person)
            .any(|view| evidence.names_hidden_columns(view));
        rules.last_login_shown = !hidden || totals.with_last_login > 0;
        let retention_days = evidence.manifest.position.activity_retention_days;
        Sight { evidence, scratch, rules, active_people, as_of_ms, retention_days }
    }

    /// What a family's seats are classified by, and why uses are not readable if they are not.
    pub(crate) fn rules(&self, family: &str) -> (Rules, Option<Cause>) {
        let window = self.window(family);
        let blind = self.blind(family);
        let rules = Rules {
            activity_readable: blind.is_none(),
            covered_from: window.first_at,
            ..self.rules
        };
        (rules, blind)
    }

    fn window(&self, family: &str) -> Window {
        let mut sum = Window::default();
        for (scope, window) in &self.scratch.windows {
            if scope.is_empty() || scope == family {
                sum.first_at = [sum.first_at, window.first_at].into_iter().flatten().min();
                sum.events = sum.events.saturating_add(window.events);
                sum.people += window.people;
                sum.failed += window.failed;
                sum.ambiguous += window.ambiguous;
            }
        }
        sum
    }

    /// Accounts with any use; an account seen in two scopes counts for each.
    pub(crate) fn people(&self, family: &str) -> i64 {
        self.window(family).people
    }

    /// Why uses of everybody are not there.
    pub(crate) fn blind(&self, family: &str) -> Option<Cause> {
        let mut views = self.evidence.use_views(family);
        let Some(view) = views.next() else {
            return Some(Cause {
                dataset: String::new(),
                status: NOT_COLLECTED,
                reason: "the connector reads no uses".into(),
            });
        };
        if let Some(cause) = self.evidence.use_causes(family).into_iter().next() {
            return Some(cause);
        }
        // Where an account may only see its own uses, some vendors answer without an error.
        let seen = self.people(family);
        if seen <= 1 && self.active_people.is_some_and(|active| active > 1) {
            return Some(Cause {
                dataset: view.needs.first().cloned().unwrap_or_default(),
                status: "partial_self",
                reason: if seen == 0 {
                    "it shows no use by anybody".into()
                } else {
                    "it shows uses of one account only".into()
                },
            });
        }
        None
    }

    fn coverage(&self) -> Vec<Coverage> {
        let families = self.evidence.use_families();
        families.into_iter().map(|family| self.coverage_of(family)).collect()
    }

    fn coverage_of(&self, family: &str) -> Coverage {
        let (rules, blind) = self.rules(family);
        let mut datasets: Vec<String> = Vec::new();
        for need in self.evidence.use_views(family).flat_map(|v| &v.needs) {
            if !datasets.contains(need) {
                datasets.push(need.clone());
            }
        }
        // A dataset that this run left out was read before the snapshot.
        let read_at = datasets.iter().filter_map(|name| self.evidence.info(name)).map(|i| i.as_of);
        let read = self.scratch.windows.contains_key(family);
        Coverage {
            family: family.to_owned(),
            readable: blind.is_none(),
            from: rules.covered_from.map(from_ms),
            to: if read { read_at.chain([from_ms(self.as_of_ms)]).min() } else { None },
            events: read.then(|| self.window(family).events),
            people: read.then(|| self.people(family)),
            failed: read.then(|| self.window(family).failed),
            ambiguous: read.then(|| self.window(family).ambiguous),
            retention_days: self.retention_days,
            shorter_than_threshold: rules.covers_too_little(),
            reason: blind.map(|cause| cause.reason),
            datasets,
        }
    }
}

fn add(sums: &mut BTreeMap<(String, String), i64>, pool: &(String, String), number: i64) {
    match sums.get_mut(pool) {
        Some(sum) => *sum += number,
        None => drop(sums.insert(pool.clone(), number)),
    }
}

/// Adds what is counted here to what the vendor reports.
fn fill(license: &mut License, evidence: &Evidence<'_>, sight: &Sight<'_>, census: &Census) {
    let family = license.family.clone();
    license.completeness = evidence.completeness(&family);
    fill_reported_gaps(license, evidence);
    if evidence.views(CanonicalTable::Seat, &family).next().is_none() {
        return; // not a licence that people hold
    }
    let mut causes = evidence.causes(CanonicalTable::Seat, &family);
    for cause in evidence.causes(CanonicalTable::Person, &family) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let tally = census.get(&(family.clone(), license.id.clone())).copied().unwrap_or_default();
    if causes.is_empty() && tally.undecided > 0 {
        let needs = evidence.views(CanonicalTable::Person, &family).flat_map(|view| &view.needs);
        causes.push(Cause {
            dataset: needs.into_iter().next().cloned().unwrap_or_default(),
            status: "degraded",
            reason: "it was not shown which accounts are active".into(),
        });
    }
    if !causes.is_empty() {
        let figures = ["assigned_recomputed", "holders", "unknown"];
        let figures: Vec<_> = figures.into_iter().chain(CLASSES).collect();
        license.gaps.extend(causes.iter().map(|cause| cause.gap(&figures)));
        return;
    }
    license.holders = Some(tally.holders);
    if license.unit == SEATS {
        license.assigned_recomputed = Some(tally.holders);
    }
    license.unknown = Some(tally.unknown);
    license.unknown_because = tally.unknown_because;
    if let Some(cause) = sight.blind(&family) {
        license.gaps.push(cause.gap(&CLASSES));
        return;
    }
    license.active = Some(tally.active);
    license.inactive = Some(tally.inactive);
    license.never = Some(tally.never);
    license.machine_only = Some(tally.machine_only);
    license.weak_evidence = Some(tally.weak);
}

fn fill_reported_gaps(license: &mut License, evidence: &Evidence<'_>) {
    let hidden_from = evidence
        .views(CanonicalTable::License, &license.family)
        .find(|view| evidence.names_hidden_columns(view));
    if hidden_from.is_some() && license.status.is_none() {
        // It may be a pool that cannot be used.
        (license.purchased, license.unlimited, license.available) = (None, false, None);
    }
    let mut figures = Vec::new();
    if license.purchased.is_none() && !license.unlimited {
        figures.push("purchased");
    }
    if license.assigned.is_none() {
        figures.push("assigned");
    }
    if license.available.is_none() && !figures.is_empty() {
        figures.push("available");
    }
    if figures.is_empty() {
        return;
    }
    let view =
        hidden_from.or_else(|| evidence.views(CanonicalTable::License, &license.family).next());
    let dataset = view.and_then(|view| view.needs.first()).cloned().unwrap_or_default();
    let (status, reason) = match hidden_from {
        Some(_) => ("degraded", "some fields were not shown"),
        None => (evidence.status(&dataset), "the vendor gives no number"),
    };
    license.gaps.push(Gap { figures, dataset, status, reason: reason.into() });
}

#[cfg(test)]
mod tests;
