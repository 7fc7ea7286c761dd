//! The licence position of what the store holds: imports and kept tables added to the snapshot.

use position::diff::{self, Diff, Read};
use position::inputs::{Imported, Inputs, RuleSettings};
use position::model::{Family, Movement};
use position::money::{self, Point, PriceBook, WhatIf};
use position::rules::Wanted;
use position::{Analysis, Kept};

use crate::error::HostError;
use crate::home::make_private_folder;
use crate::source::{self, StoreSource};
use crate::store::{ImportKind, ReadStore, SnapshotInfo};

/// Everything that was imported for a connector, as it is in use now.
///
/// # Errors
/// If the store cannot be read, or a list is no longer understood.
pub(crate) fn imported(store: &ReadStore, snapshot: &SnapshotInfo) -> Result<Imported, HostError> {
    let id = snapshot.connector_id;
    let text = |kind| store.additions().import_text(id, kind, None);
    Ok(Imported {
        classification: text(ImportKind::Activity)?
            .as_deref()
            .map(money::classification)
            .transpose()?,
        leavers: text(ImportKind::Staff)?
            .as_deref()
            .map(|text| money::leavers(text, snapshot.as_of.date_naive()))
            .transpose()?,
        prices: text(ImportKind::Prices)?.as_deref().map(money::prices).transpose()?,
        contract: text(ImportKind::Contract)?.as_deref().map(money::contract).transpose()?,
        exemptions: source::exemptions(store, id)?,
        trend: source::trend(store, id, snapshot.as_of)?,
    })
}

/// The inputs of a report: the imports of its connector, with suppositions put over them.
///
/// # Errors
/// If the imports cannot be read.
pub(crate) fn inputs(
    store: &ReadStore,
    snapshot: &SnapshotInfo,
    settings: &RuleSettings,
    what_if: WhatIf,
) -> Result<Inputs, HostError> {
    let (settings, imported) = what_if.over(settings, &imported(store, snapshot)?);
    Ok(Inputs { settings, imported, what_if })
}

/// The position of a snapshot, from tables kept for it where there are any.
///
/// # Errors
/// As [`position::compute`].
pub(crate) fn analyse<'a>(
    source: &'a StoreSource<'_>,
    inputs: &'a Inputs,
    wanted: Option<Wanted>,
) -> Result<Analysis<'a>, HostError> {
    let kept = kept(source)?;
    let movement = || movement(source);
    Ok(position::compute_kept(source, &source.snapshot, inputs, wanted, Some(&kept), &movement)?)
}

/// Where the tables of a snapshot are kept; only the latest one's are worth it.
fn kept(source: &StoreSource<'_>) -> Result<Kept, HostError> {
    let (store, snapshot) = (source.store, source.info);
    let folder = store.folder().positions();
    let latest = store.snapshots().latest(snapshot.connector_id)?;
    let keep = latest.is_some_and(|latest| latest.id == snapshot.id)
        && make_private_folder(&folder).is_ok();
    Ok(Kept { folder, connector_id: snapshot.connector_id, snapshot: snapshot.id, keep })
}

/// How the counts moved since the snapshot before; `None` if there is none.
fn movement(source: &StoreSource<'_>) -> Option<Movement> {
    let compared = || -> Result<Option<Movement>, HostError> {
        let Some(before) = source.store.snapshots().before(source.info)? else { return Ok(None) };
        let before = StoreSource::open(source.store, &before)?;
        Ok(Some(diff::movement(read(&before, None), read(source, None))))
    };
    compared().unwrap_or_else(|error| {
        log::warn!("the snapshot before cannot be compared: {}", error.message);
        None
    })
}

pub(crate) fn read<'a>(source: &'a StoreSource<'_>, prices: Option<&'a PriceBook>) -> Read<'a> {
    Read { snapshot: &source.snapshot, source, prices }
}

/// Compares two snapshots of one connector; the earlier one comes first.
///
/// # Errors
/// If the store cannot be read, or a statement of the connector does not fit its table.
pub(crate) fn compare(
    store: &ReadStore,
    from: &SnapshotInfo,
    to: &SnapshotInfo,
) -> Result<Diff, HostError> {
    let prices = |snapshot: &SnapshotInfo| -> Result<Option<PriceBook>, HostError> {
        let text = store.additions().import_text(
            snapshot.connector_id,
            ImportKind::Prices,
            Some(snapshot.as_of),
        )?;
        Ok(text.as_deref().map(money::prices).transpose()?)
    };
    let (before, after) = (prices(from)?, prices(to)?);
    let (from, to) = (StoreSource::open(store, from)?, StoreSource::open(store, to)?);
    Ok(diff::compare(read(&from, before.as_ref()), read(&to, after.as_ref()))?)
}

/// Makes the canonical tables of the latest snapshot anew; returns the counts of each pool, by family
/// and key.
///
/// # Errors
/// If the store cannot be read.
pub(crate) fn prepare(
    store: &ReadStore,
    snapshot: &SnapshotInfo,
    settings: &RuleSettings,
) -> Result<Vec<(Family, String, Point)>, HostError> {
    // Earlier snapshots' tables, and those that a report made before its uses were summed.
    position::forget(&store.folder().positions(), snapshot.connector_id);
    let inputs = inputs(store, snapshot, settings, WhatIf::default())?;
    let source = StoreSource::open(store, snapshot)?;
    let kept = kept(&source)?;
    let movement = || movement(&source);
    Ok(position::points(&source, &source.snapshot, &inputs, Some(&kept), &movement)?)
}
