//! What is done once for each snapshot after it was published: daily sums of uses, sightings, the
//! canonical tables, and a point in the trend of each pool.

use chrono::Duration;
use connector_api::position::CanonicalTable;
use inventory::{DaySpan, DayUse, ReadStore, Sighting, SnapshotInfo, Store};

use position::daily;
use position::diff::{Sightings, frozen_in};
use position::inputs::RuleSettings;
use position::source::SightingKind;

use crate::app::analysis;
use crate::error::HostError;
use crate::source::{self, StoreSource};

/// Most snapshots of an older store that are looked through once; no rule asks for more than weeks.
const MOST_SNAPSHOTS: usize = 60;

/// Prepares what reports of the latest snapshot read. What fails here is made up for by the next
/// report.
///
/// # Errors
/// When the store cannot be read or written.
pub fn settle(
    store: &Store,
    connector_id: i64,
    settings: &RuleSettings,
    activity_retention_days: u32,
) -> Result<(), HostError> {
    let reader = Store::open_read(store.folder())?;
    let Some(snapshot) = reader.snapshots().latest(connector_id)? else { return Ok(()) };
    index_changes(store, &snapshot)?;
    let cutoff = snapshot.as_of - Duration::days(activity_retention_days.into());
    sum_uses(store, &reader, &snapshot, cutoff.timestamp_millis())?;
    note_sightings(store, &reader, &snapshot, cutoff.timestamp_millis())?;
    let points = analysis::prepare(&reader, &snapshot, settings)?;
    let points: Vec<_> = points.into_iter().map(source::license_point).collect();
    Ok(store.additions().add_points(connector_id, &points)?)
}

/// Indexes the datasets that comparisons look at.
fn index_changes(store: &Store, snapshot: &SnapshotInfo) -> Result<(), HostError> {
    let views = &snapshot.manifest.position.views;
    let mut datasets: Vec<&str> = views
        .iter()
        .filter(|view| !matches!(view.table, CanonicalTable::Use | CanonicalTable::Activity))
        .flat_map(|view| view.needs.iter().map(String::as_str))
        .collect();
    datasets.sort();
    datasets.dedup();
    Ok(store.snapshots().index_changes(&snapshot.manifest.id, &datasets)?)
}

/// Adds the uses of a snapshot to the daily sums and forgets those from before `forget_before`
/// (milliseconds). Does nothing if the snapshot does not hold the uses of everybody.
fn sum_uses(
    store: &Store,
    reader: &ReadStore,
    snapshot: &SnapshotInfo,
    forget_before: i64,
) -> Result<(), HostError> {
    let source = StoreSource::open(reader, snapshot)?;
    let Some(view) = daily::view(&source.snapshot) else { return Ok(()) };
    let Some(oldest_at) = daily::oldest(&source, view)? else { return Ok(()) };
    let since_at = daily::since(&store.daily().covered(snapshot.connector_id)?, oldest_at);
    let mut writer = store.daily().writer(DaySpan {
        connector_id: snapshot.connector_id,
        run_id: snapshot.id,
        oldest_at,
        to_at: snapshot.as_of.timestamp_millis(),
        since_at,
        forget_before: Some(forget_before),
    });
    let mut way = [const { String::new() }; 3];
    daily::sums(&source, view, since_at, &mut |day| {
        if way != day.way {
            way = day.way.map(str::to_owned);
        }
        let day = DayUse {
            person_id: day.person_id,
            day: day.day,
            way: &way,
            succeeded: day.succeeded,
            first_at: day.first_at,
            last_at: day.last_at,
            events: day.events,
        };
        writer.put(&day).map_err(position::Error::source)
    })?;
    Ok(writer.finish()?)
}

/// Notes what the snapshots that were not looked at yet show, up to this one, and forgets what was
/// seen before `forget_before` (milliseconds).
fn note_sightings(
    store: &Store,
    reader: &ReadStore,
    snapshot: &SnapshotInfo,
    forget_before: i64,
) -> Result<(), HostError> {
    let id = snapshot.connector_id;
    let noted = store.sightings().noted_until(id)?;
    let mut ids = reader.snapshots().numbers(id)?;
    ids.retain(|run| *run <= snapshot.id);
    // The last one that was noted, or the oldest, is what the next is compared with.
    let after = ids.iter().filter(|run| Some(**run) <= noted).count();
    let first = after.saturating_sub(1).max(ids.len().saturating_sub(MOST_SNAPSHOTS));
    let mut before: Option<SnapshotInfo> = None;
    for run in &ids[first..] {
        let Some(current) = reader.snapshots().numbered(id, *run)? else { continue };
        if Some(*run) > noted {
            note(store, reader, before.as_ref(), &current)?;
        }
        before = Some(current);
    }
    Ok(store.sightings().forget(id, forget_before)?)
}

fn note(
    store: &Store,
    reader: &ReadStore,
    before: Option<&SnapshotInfo>,
    current: &SnapshotInfo,
) -> Result<(), HostError> {
    // Compared before the store is locked for writing.
    let now = StoreSource::open(reader, current)?;
    let sightings = match before {
        Some(before) => {
            let before = StoreSource::open(reader, before)?;
            let (before, now) = (analysis::read(&before, None), analysis::read(&now, None));
            Some(Sightings::between(before, now)?)
        }
        None => None,
    };
    let compared = sightings.as_ref().is_some_and(|sightings| sightings.frozen_compared);
    // Whoever was frozen before may have been released meanwhile: without a comparison it begins anew.
    store.sightings().note(current, !compared, |note| {
        if !compared {
            frozen_in(analysis::read(&now, None), |person| {
                note(Sighting::Frozen, person).map_err(position::Error::source)
            })?;
        }
        if let Some(sightings) = &sightings {
            sightings.each(|kind, person| {
                let kind = match kind {
                    SightingKind::Activated => Sighting::Activated,
                    SightingKind::Frozen => Sighting::Frozen,
                };
                note(kind, person).map_err(position::Error::source)
            })?;
        }
        Ok(())
    })
}
