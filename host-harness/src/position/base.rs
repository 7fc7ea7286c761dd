//! The canonical tables of the latest snapshot, kept beside the store: a report over a million people
//! reads them instead of making them. Losing one costs time only; it is made again.

use std::path::{Path, PathBuf};

use connector_api::position::{CanonicalTable, UseRule};
use rusqlite::{Connection, OpenFlags};

use super::evidence::Evidence;
use super::inputs::{BaseInputs, Imported, RuleSettings};
use super::scratch::Scratch;
use super::{Analysis, Inputs, SnapshotMeta, compute_on};
use crate::diff::movement::Movement;
use crate::error::HostError;
use crate::home::{make_private_folder, restrict};
use crate::money::{self, Point, WhatIf};
use crate::source::{exemptions, trend};
use crate::store::{Folder, ImportKind, ReadStore, SnapshotInfo};

/// Everything that was imported for a connector, as it is in use now.
///
/// # Errors
/// When the store cannot be read, or a list is no longer understood.
pub fn imported(store: &ReadStore, snapshot: &SnapshotInfo) -> Result<Imported, HostError> {
    let id = snapshot.connector_id;
    let text = |kind| store.import_text(id, kind, None);
    Ok(Imported {
        classification: text(ImportKind::Activity)?.as_deref().map(classification).transpose()?,
        leavers: text(ImportKind::Staff)?
            .as_deref()
            .map(|text| money::leavers(text, snapshot.as_of.date_naive()))
            .transpose()?,
        prices: text(ImportKind::Prices)?.as_deref().map(money::prices).transpose()?,
        contract: text(ImportKind::Contract)?.as_deref().map(money::contract).transpose()?,
        exemptions: exemptions(store, id)?,
        trend: trend(store, id, snapshot.as_of)?,
    })
}

/// Reads a table of who stands behind a use.
///
/// # Errors
/// What is wrong, with the line.
pub fn classification(text: &str) -> Result<Vec<UseRule>, HostError> {
    let rows: Vec<(u64, UseRule)> = money::rows(text)?;
    for (line, rule) in &rows {
        if !["human", "machine", "ambiguous"].contains(&rule.kind.as_str()) {
            return Err(HostError::config(format_args!(
                "line {line}: `kind` is `{}`, not `human`, `machine` or `ambiguous`",
                rule.kind
            )));
        }
    }
    Ok(rows.into_iter().map(|(_, rule)| rule).collect())
}

/// The inputs of a report with the imports of its connector and, put over them, suppositions.
///
/// # Errors
/// When the imports cannot be read.
pub fn inputs(
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
/// As [`super::compute`].
pub fn analyse<'a>(
    store: &ReadStore,
    source: &Connection,
    snapshot: &'a SnapshotInfo,
    inputs: &'a Inputs,
) -> Result<Analysis<'a>, HostError> {
    let meta = SnapshotMeta {
        connector: snapshot.connector_name.clone(),
        snapshot: snapshot.id,
        as_of: snapshot.as_of,
        finished_at: snapshot.finished_at,
        status: snapshot.status.clone(),
    };
    let base = BaseInputs::new(
        meta.as_of.timestamp_millis(),
        &snapshot.manifest,
        &inputs.settings,
        &inputs.imported,
    );
    let scratch = tables(store, source, snapshot, &base)?;
    compute_on(scratch, source, &meta, &snapshot.manifest, &snapshot.datasets, inputs)
}

/// The families whose licence pools were not read although the organization has them, each in
/// backquotes.
pub fn unread_families(snapshot: &SnapshotInfo) -> Vec<String> {
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let views = snapshot.manifest.position.views.iter();
    let mut families: Vec<String> = views
        .filter(|view| view.table == CanonicalTable::License)
        .filter(|view| evidence.causes_of(view).iter().any(|cause| cause.status != "absent"))
        .map(|view| format!("`{}`", view.family))
        .collect();
    families.dedup();
    families
}

fn tables(
    store: &ReadStore,
    source: &Connection,
    snapshot: &SnapshotInfo,
    inputs: &BaseInputs,
) -> Result<Scratch, HostError> {
    let path = file(store.folder(), snapshot);
    match open(&path, &inputs.digest()) {
        Ok(Some(scratch)) => return Ok(scratch),
        Ok(None) => {}
        Err(error) => log::debug!("`{}` is not used: {error}", path.display()),
    }
    let evidence = Evidence::new(&snapshot.manifest, &snapshot.datasets);
    let movement =
        store.snapshot_before(snapshot)?.map(|before| Movement::between(store, &before, snapshot));
    let latest = store.latest_snapshot(snapshot.connector_id)?;
    if latest.is_some_and(|latest| latest.id == snapshot.id) {
        match keep(&path, source, &evidence, inputs, movement.clone()) {
            Ok(scratch) => return Ok(scratch),
            Err(error) => log::debug!("`{}` cannot be kept: {error}", path.display()),
        }
    }
    let mut scratch = Scratch::load(source, &evidence, inputs)?;
    scratch.keep_movement(movement)?;
    Ok(scratch)
}

fn file(folder: &Folder, snapshot: &SnapshotInfo) -> PathBuf {
    folder.positions().join(format!("{}-{}.db", snapshot.connector_id, snapshot.id))
}

fn open(path: &Path, digest: &str) -> Result<Option<Scratch>, HostError> {
    if !path.is_file() {
        return Ok(None);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    let kept: String =
        connection
            .query_row("SELECT value FROM fact WHERE key = 'digest'", [], |row| row.get(0))?;
    if kept != digest {
        return Ok(None);
    }
    Scratch::reopen(connection).map(Some)
}

/// Fills the tables in a file of their own and puts it in its place when it is whole.
fn keep(
    path: &Path,
    source: &Connection,
    evidence: &Evidence<'_>,
    inputs: &BaseInputs,
    movement: Option<Movement>,
) -> Result<Scratch, HostError> {
    let folder = path.parent().unwrap_or(path);
    make_private_folder(folder)?;
    let temporary = tempfile::Builder::new()
        .prefix(".position-")
        .tempfile_in(folder)
        .map_err(|error| HostError::io("make a file in", folder, &error))?
        .into_temp_path();
    restrict(&temporary, 0o600)?;
    let connection = Connection::open(&temporary)?;
    let mut scratch = Scratch::load_into(connection, source, evidence, inputs)?;
    scratch.keep_movement(movement)?;
    scratch
        .connection
        .execute("INSERT INTO fact(key, value) VALUES('digest', ?1)", [inputs.digest()])?;
    drop(scratch);
    temporary.persist(path).map_err(|error| HostError::io("write", path, &error.error))?;
    open(path, &inputs.digest())?.ok_or_else(|| HostError::failed("it cannot be read again"))
}

/// Makes the canonical tables of the latest snapshot anew; returns the counts of each pool, by family
/// and key.
///
/// # Errors
/// When the store cannot be read.
pub fn settle(
    reader: &ReadStore,
    snapshot: &SnapshotInfo,
    settings: &RuleSettings,
) -> Result<Vec<(String, String, Point)>, HostError> {
    forget_tables(reader, snapshot);
    let inputs = inputs(reader, snapshot, settings, WhatIf::default())?;
    let source = reader.snapshot_connection(snapshot)?;
    let base = BaseInputs::new(
        snapshot.as_of.timestamp_millis(),
        &snapshot.manifest,
        &inputs.settings,
        &inputs.imported,
    );
    let scratch = tables(reader, &source, snapshot, &base)?;
    let mut points = Vec::new();
    for license in scratch.licenses()? {
        if let Some(assigned) = license.assigned {
            let at = snapshot.as_of.timestamp_millis();
            let point = Point { at, purchased: license.purchased, assigned };
            points.push((license.family, license.key, point));
        }
    }
    points.extend(measured(&scratch)?);
    Ok(points)
}

/// The vendor's own measurements: the trend from before the first snapshot.
fn measured(scratch: &Scratch) -> Result<Vec<(String, String, Point)>, HostError> {
    let mut statement = scratch.connection.prepare(
        "SELECT m.family, COALESCE(l.key, l.id), m.at, m.purchased, m.assigned
         FROM measure m JOIN license l ON l.family = m.family AND l.id = m.license_id
         -- People are measured: nothing is said of pools that are counted otherwise.
         WHERE m.assigned IS NOT NULL AND l.unit = 'seats'",
    )?;
    let points = statement
        .query_map([], |row| {
            let point = Point { at: row.get(2)?, purchased: row.get(3)?, assigned: row.get(4)? };
            Ok((row.get(0)?, row.get(1)?, point))
        })?
        .collect::<Result<_, _>>()?;
    Ok(points)
}

/// Removes the tables of the connector: those of earlier snapshots, and those of this one that a report
/// made before its uses were summed.
fn forget_tables(store: &ReadStore, snapshot: &SnapshotInfo) {
    let Ok(entries) = std::fs::read_dir(store.folder().positions()) else { return };
    let own = format!("{}-", snapshot.connector_id);
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
        if name.is_some_and(|name| name.starts_with(&own)) {
            let _ = std::fs::remove_file(path);
        }
    }
}
