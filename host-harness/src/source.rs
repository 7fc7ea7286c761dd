//! Between the store and the position engine: a snapshot as the engine reads it, and rows in the
//! words of either side.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use inventory::{
    ExemptionRow, LicensePoint, ReadStore, RunStatus, SnapshotInfo, SnapshotReader, StatementError,
};
use position::model::Family;
use position::money::Point;
use position::rules::{Exemption, RuleId, rule};
use position::source::{
    Changed, Columns, DayUse, Row, SightingKind, SnapshotSource, SnapshotStatus, Value,
};
use position::{DatasetInfo, Error, Snapshot};

use crate::error::HostError;

/// One snapshot of the store.
#[derive(Debug)]
pub(crate) struct StoreSource<'a> {
    pub(crate) store: &'a ReadStore,
    pub(crate) info: &'a SnapshotInfo,
    /// The snapshot in the engine's words.
    pub(crate) snapshot: Snapshot,
    reader: SnapshotReader,
}

impl<'a> StoreSource<'a> {
    /// Opens a snapshot for reading.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub(crate) fn open(
        store: &'a ReadStore,
        info: &'a SnapshotInfo,
    ) -> Result<StoreSource<'a>, HostError> {
        let reader = store.snapshots().reader(info, None)?;
        Ok(StoreSource { store, info, snapshot: snapshot(info), reader })
    }
}

/// A snapshot of the store in the engine's words.
fn snapshot(info: &SnapshotInfo) -> Snapshot {
    Snapshot {
        connector: info.connector_name.clone(),
        id: info.id,
        as_of: info.as_of,
        finished_at: info.finished_at,
        status: match info.status {
            RunStatus::Complete => SnapshotStatus::Complete,
            _ => SnapshotStatus::Partial,
        },
        manifest: info.manifest.clone(),
        datasets: info
            .datasets
            .iter()
            .map(|dataset| DatasetInfo {
                dataset: dataset.dataset.clone(),
                status: dataset.status,
                rows: dataset.rows,
                expected: dataset.expected,
                missing_fields: dataset.missing_fields.clone(),
                reason: dataset.reason.clone(),
                as_of: dataset.as_of,
            })
            .collect(),
    }
}

impl SnapshotSource for StoreSource<'_> {
    fn query(&self, sql: &str, row: &mut Row<'_>) -> Result<Columns, Error> {
        run(&self.reader, sql, row)
    }

    fn query_changed(
        &self,
        sql: &str,
        changed: Changed<'_>,
        row: &mut Row<'_>,
    ) -> Result<Columns, Error> {
        let Changed { dataset, after, until } = changed;
        let only = inventory::Changed { dataset, after, until };
        let reader = self.store.snapshots().reader(self.info, Some(only)).map_err(Error::source)?;
        run(&reader, sql, row)
    }

    fn has_changed(&self, changed: Changed<'_>) -> Result<bool, Error> {
        self.store
            .snapshots()
            .has_changes(self.info, changed.dataset, changed.after, changed.until)
            .map_err(Error::source)
    }

    fn daily_uses(
        &self,
        row: &mut dyn FnMut(DayUse<'_>) -> Result<(), Error>,
    ) -> Result<Option<i64>, Error> {
        let Some(covered_from) = self.reader.days_covered_from().map_err(Error::source)? else {
            return Ok(None);
        };
        let each = |day: inventory::DayRow<'_>| {
            row(DayUse {
                person_id: day.person_id,
                day: day.day,
                way: day.way,
                succeeded: day.succeeded,
                first_at: day.first_at,
                last_at: day.last_at,
                events: day.events,
            })
            .map_err(Stopped::Engine)
        };
        self.reader.days(each).map_err(Error::from)?;
        Ok(Some(covered_from))
    }

    fn sightings(
        &self,
        row: &mut dyn FnMut(SightingKind, &str, i64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let each = |kind: inventory::Sighting, person: &str, at: i64| {
            let kind = match kind {
                inventory::Sighting::Activated => SightingKind::Activated,
                inventory::Sighting::Frozen => SightingKind::Frozen,
            };
            row(kind, person, at).map_err(Stopped::Engine)
        };
        self.reader.sightings(each).map_err(Error::from)
    }
}

/// Why a reading ended early: by the store, or by who receives the rows.
enum Stopped {
    Statement(StatementError),
    Engine(Error),
}

impl From<StatementError> for Stopped {
    fn from(error: StatementError) -> Stopped {
        Stopped::Statement(error)
    }
}

impl From<Stopped> for Error {
    fn from(stopped: Stopped) -> Error {
        match stopped {
            Stopped::Statement(error) => Error::source(error),
            Stopped::Engine(error) => error,
        }
    }
}

fn run(reader: &SnapshotReader, sql: &str, row: &mut Row<'_>) -> Result<Columns, Error> {
    let columns = reader.columns(sql).map_err(Error::source)?.len();
    let each = |found: &[inventory::Value<'_>]| {
        row(&found.iter().map(value).collect::<Vec<_>>()).map_err(Stopped::Engine)
    };
    reader.query(sql, &[], each)?;
    Ok(Columns(columns))
}

fn value<'v>(value: &inventory::Value<'v>) -> Value<'v> {
    match *value {
        inventory::Value::Null => Value::Null,
        inventory::Value::Integer(number) => Value::Integer(number),
        inventory::Value::Real(number) => Value::Real(number),
        inventory::Value::Text(text) => Value::Text(text),
    }
}

/// The exemptions of a connector, also those that have run out.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn exemptions(
    store: &ReadStore,
    connector_id: i64,
) -> Result<Vec<Exemption>, HostError> {
    let rows = store.additions().exemptions(connector_id)?.into_iter();
    rows.map(|row| {
        Ok(Exemption {
            id: row.id,
            rule: covered_rule(&row.rule)?,
            subject: row.subject,
            subject_name: row.subject_name,
            reason: row.reason,
            owner: row.owner,
            expires_on: row.expires_on,
        })
    })
    .collect()
}

/// The rule that an exemption covers; `None` for all of them.
fn covered_rule(id: &str) -> Result<Option<RuleId>, HostError> {
    if id.is_empty() {
        return Ok(None);
    }
    let unknown = || HostError::failed(format_args!("an exemption names the unknown rule `{id}`"));
    rule(id).map(|rule| Some(rule.id)).ok_or_else(unknown)
}

/// An exemption as the store keeps it.
pub(crate) fn exemption_row(exemption: &Exemption) -> ExemptionRow {
    ExemptionRow {
        id: exemption.id,
        rule: exemption.rule.map_or("", RuleId::as_str).to_owned(),
        subject: exemption.subject.clone(),
        subject_name: exemption.subject_name.clone(),
        reason: exemption.reason.clone(),
        owner: exemption.owner.clone(),
        expires_on: exemption.expires_on,
    }
}

/// The counts of licence pools up to an instant, oldest first, by family and key.
///
/// # Errors
/// When the store cannot be read.
pub(crate) fn trend(
    store: &ReadStore,
    connector_id: i64,
    until: DateTime<Utc>,
) -> Result<BTreeMap<(Family, String), Vec<Point>>, HostError> {
    let mut trend: BTreeMap<(Family, String), Vec<Point>> = BTreeMap::new();
    for row in store.additions().points(connector_id, until)? {
        let point = Point { at: row.at, purchased: row.purchased, assigned: row.assigned };
        trend.entry((row.family.as_str().into(), row.key)).or_default().push(point);
    }
    Ok(trend)
}

/// A count of the pool of that family and key as the store keeps it.
pub(crate) fn license_point((family, key, point): (Family, String, Point)) -> LicensePoint {
    LicensePoint {
        family: family.to_string(),
        key,
        at: point.at,
        purchased: point.purchased,
        assigned: point.assigned,
    }
}
