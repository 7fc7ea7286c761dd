//! The licence position: what was bought, what is assigned, and who uses it.
//!
//! [`compute`] is a pure function of one snapshot. It runs the statements of the connector's
//! [`PositionModel`](connector_api::position::PositionModel) into canonical tables, counts, and
//! compares the counts with each other. A figure made from a dataset that was not read in full is
//! null and says why.

use std::collections::BTreeMap;

use connector_api::manifest::Manifest;
use connector_api::message::DatasetStatus;
use connector_api::position::CanonicalTable;

use crate::claims::ClaimGate;
use crate::error::Error;
use crate::evidence::{Cause, Evidence};
use crate::inputs::{BaseInputs, Imported, Inputs};
use crate::model::{
    Family, Gap, License, LineId, LineStatus, Movement, PoolKey, Position, ReadStatus, Unit,
};
use crate::money::{Point, Valuer, pool_money};
use crate::rules::Wanted;
use crate::rules::collector::Collector;
use crate::rules::evaluator::RuleEvaluator;
use crate::rules::pool::PoolRules;
use crate::seats::{Census, Rules};
use crate::source::{Snapshot, SnapshotSource};
use crate::tables::Tables;
use crate::tables::kept::{self, Kept};
use crate::time::DAY_MS;
use crate::visibility::Visibility;
use crate::{reconcile, seats, summary, tables};

/// The classes that need uses to be readable.
const CLASSES: [&str; 4] = ["active", "inactive", "never", "machine_only"];

/// A position with what it was computed from, to look closer at.
#[derive(Debug)]
pub struct Analysis<'a> {
    /// The position.
    pub position: Position,
    pub(crate) manifest: &'a Manifest,
    pub(crate) imported: &'a Imported,
    pub(crate) tables: Tables,
    pub(crate) judge: RuleEvaluator<'a>,
    pub(crate) collector: Collector,
    rules: BTreeMap<Family, Rules>,
    fallback: Rules,
}

impl Analysis<'_> {
    /// What a family's seats are classified by.
    pub(crate) fn rules(&self, family: &Family) -> Rules {
        self.rules.get(family).copied().unwrap_or(self.fallback)
    }
}

/// Computes the licence position of a snapshot: a function of what is passed in and nothing else.
/// Memory does not grow with the number of people.
///
/// # Errors
/// If the datasets cannot be read, a statement of the manifest does not fit its table, or the seat
/// classes of a pool do not sum to its holders.
pub fn compute<'a>(
    source: &dyn SnapshotSource,
    snapshot: &'a Snapshot,
    inputs: &'a Inputs,
) -> Result<Analysis<'a>, Error> {
    compute_kept(source, snapshot, inputs, None, None, &|| None)
}

/// As [`compute`], with the findings that are `wanted`, from tables that are kept in a file where there are any. `movement` compares the
/// snapshot with the one before; it is asked for only if there are none.
///
/// # Errors
/// As [`compute`].
pub fn compute_kept<'a>(
    source: &dyn SnapshotSource,
    snapshot: &'a Snapshot,
    inputs: &'a Inputs,
    wanted: Option<Wanted>,
    kept: Option<&Kept>,
    movement: &dyn Fn() -> Option<Movement>,
) -> Result<Analysis<'a>, Error> {
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let base = BaseInputs::of(snapshot, inputs);
    let tables = kept::tables(kept, source, &evidence, &base, movement)?;
    compute_on(tables, source, snapshot, inputs, wanted)
}

/// The pools of a snapshot as the vendor reports them, and the vendor's own measurements: points of
/// their trends, with family and key.
///
/// # Errors
/// As [`compute`].
pub fn points(
    source: &dyn SnapshotSource,
    snapshot: &Snapshot,
    inputs: &Inputs,
    kept: Option<&Kept>,
    movement: &dyn Fn() -> Option<Movement>,
) -> Result<Vec<(Family, String, Point)>, Error> {
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let base = BaseInputs::of(snapshot, inputs);
    let tables = kept::tables(kept, source, &evidence, &base, movement)?;
    let at = snapshot.as_of.timestamp_millis();
    let mut points = Vec::new();
    for license in tables::licenses(&tables.db)? {
        if let Some(assigned) = license.assigned {
            let point = Point { at, purchased: license.purchased, assigned };
            points.push((license.family, license.key, point));
        }
    }
    points.extend(tables::measured(&tables.db)?);
    Ok(points)
}

/// The families whose licence pools were not read although the organization has them, each in
/// backquotes.
pub fn unread_families(snapshot: &Snapshot) -> Vec<String> {
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let views = snapshot.manifest.position.views.iter();
    let mut families: Vec<String> = views
        .filter(|view| view.table == CanonicalTable::License)
        .filter(|view| {
            evidence
                .causes_of(view)
                .iter()
                .any(|cause| cause.status != ReadStatus::Read(DatasetStatus::Absent))
        })
        .map(|view| format!("`{}`", view.family))
        .collect();
    families.dedup();
    families
}

/// The position over canonical tables that were filled before.
pub(crate) fn compute_on<'a>(
    tables: Tables,
    source: &dyn SnapshotSource,
    snapshot: &'a Snapshot,
    inputs: &'a Inputs,
    wanted: Option<Wanted>,
) -> Result<Analysis<'a>, Error> {
    let mut collector = Collector::new(wanted);
    let Inputs { settings, imported, what_if } = inputs;
    let Snapshot { manifest, datasets, as_of, .. } = snapshot;
    let (as_of, as_of_ms) = (*as_of, as_of.timestamp_millis());
    let evidence = Evidence::new(manifest, datasets);
    let thresholds = settings.thresholds();
    let sight = Visibility::new(&tables, &evidence, as_of_ms, thresholds);
    let valuer = Valuer::new(imported, as_of);
    let mut licenses = tables::licenses(&tables.db)?;
    let mut judge =
        RuleEvaluator::new(&tables, &evidence, &sight, settings, imported, &licenses, &valuer)?;
    // Vendors measure who used a licence in the 30 days before, by whatever use.
    let month_ago = as_of_ms - 30 * DAY_MS;
    let mut used_lately: BTreeMap<PoolKey, i64> = BTreeMap::new();
    let mut days_used: BTreeMap<PoolKey, i64> = BTreeMap::new();
    let census = seats::count(
        &tables.db,
        |family| sight.rules(family.as_str()).0,
        |pool, facts, class| {
            let hits = judge.see(pool, facts, class);
            let weak = class.is_some_and(|(_, weak)| weak);
            collector.add(&hits, &judge, &imported.exemptions, pool, facts, weak);
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
    let mut reconciliation = reconcile::lines(&tables, &evidence, &sight, &licenses, &census);
    let measured =
        reconcile::measured_lines(&tables.db, &evidence, &sight, &licenses, &used_lately)?;
    let before = reconciliation.iter().position(|line| line.id > LineId::I4);
    let at = before.unwrap_or(reconciliation.len());
    reconciliation.splice(at..at, measured);
    if let Some(line) = reconciliation
        .iter()
        .find(|line| line.id == LineId::Sum && line.status == LineStatus::Difference)
    {
        return Err(Error::Sum { family: line.subject.clone(), difference: line.message.clone() });
    }
    judge.withhold_unreliable(&reconciliation, &evidence);
    for license in &mut licenses {
        let reclaimable = judge.reclaimable(license);
        let gate = ClaimGate {
            evidence: &evidence,
            visibility: &sight,
            evaluator: &judge,
            status: snapshot.status,
        };
        let because = gate.reasons(license);
        license.money = pool_money(license, reclaimable, &because, &valuer, settings, what_if);
        license.money.paid = judge.paid(license);
        license.trend = imported.trend.get(&license.named()).cloned().unwrap_or_default();
    }
    let gate = ClaimGate {
        evidence: &evidence,
        visibility: &sight,
        evaluator: &judge,
        status: snapshot.status,
    };
    let unseen = gate.unseen(&licenses, &reconciliation);
    let mut rules = judge.results(&evidence, &licenses, &valuer);
    let window_read = sight.blind(Family::User.as_str()).is_none()
        && judge.context.covers(settings.sparse_window_days);
    let pools = PoolRules {
        db: &tables.db,
        licenses: &licenses,
        settings,
        imported,
        valuer,
        as_of,
        free: &manifest.position.free_licenses,
        days_used: window_read.then_some(&days_used),
    };
    pools.apply(&mut rules)?;
    let position = Position {
        connector: snapshot.connector.clone(),
        snapshot: snapshot.id,
        as_of,
        finished_at: snapshot.finished_at,
        snapshot_status: snapshot.status,
        title: manifest.title.clone(),
        org: summary::organization(source, &evidence)?,
        thresholds,
        unseen,
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
        .map(|license| (license.family.clone(), sight.rules(license.family.as_str()).0))
        .collect();
    let fallback = sight.rules("").0;
    Ok(Analysis {
        position,
        manifest,
        imported,
        judge,
        collector,
        rules: by_family,
        fallback,
        tables,
    })
}

fn add(sums: &mut BTreeMap<PoolKey, i64>, pool: &PoolKey, number: i64) {
    match sums.get_mut(pool) {
        Some(sum) => *sum += number,
        None => drop(sums.insert(pool.clone(), number)),
    }
}

/// Adds what is counted here to what the vendor reports.
fn fill(license: &mut License, evidence: &Evidence<'_>, sight: &Visibility<'_>, census: &Census) {
    let pool = license.pool();
    let family = pool.0.as_str();
    license.completeness = evidence.completeness(family);
    fill_reported_gaps(license, evidence);
    if evidence.views(CanonicalTable::Seat, family).next().is_none() {
        return; // not a licence that people hold
    }
    let mut causes = evidence.causes(CanonicalTable::Seat, family);
    for cause in evidence.causes(CanonicalTable::Person, family) {
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    let tally = census.get(&pool).copied().unwrap_or_default();
    if causes.is_empty() && tally.undecided > 0 {
        let needs = evidence.views(CanonicalTable::Person, family).flat_map(|view| &view.needs);
        causes.push(Cause {
            dataset: needs.into_iter().next().cloned().unwrap_or_default(),
            status: ReadStatus::Read(DatasetStatus::Degraded),
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
    if license.unit == Unit::Seats {
        license.assigned_recomputed = Some(tally.holders);
    }
    if license.unit == Unit::Seats {
        license.unseen = license.assigned.map(|assigned| (assigned - tally.holders).max(0));
        license.counter_behind = license.assigned.is_some_and(|assigned| assigned < tally.holders);
    }
    license.unknown = Some(tally.unknown);
    license.unknown_because = tally.unknown_because;
    if let Some(cause) = sight.blind(family) {
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
        .views(CanonicalTable::License, license.family.as_str())
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
    let view = hidden_from
        .or_else(|| evidence.views(CanonicalTable::License, license.family.as_str()).next());
    let dataset = view.and_then(|view| view.needs.first()).cloned().unwrap_or_default();
    let (status, reason) = match hidden_from {
        Some(_) => (ReadStatus::Read(DatasetStatus::Degraded), "some fields were not shown"),
        None => (evidence.status(&dataset), "the vendor gives no number"),
    };
    license.gaps.push(Gap { figures, dataset, status, reason: reason.into() });
}
