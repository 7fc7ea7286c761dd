//! A published snapshot of the store, as the position engine reads it.

use position::source::{
    Changed, Columns, DayUse, Row, SightingKind, SnapshotSource, SnapshotStatus, Value,
};
use position::{DatasetInfo, Error, Snapshot};
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use crate::error::HostError;
use crate::store::daily::{COVERED, DAILY};
use crate::store::sightings::SIGHTINGS;
use crate::store::{ReadStore, SnapshotInfo};

/// One snapshot of the store.
#[derive(Debug)]
pub struct StoreSource<'a> {
    pub(crate) store: &'a ReadStore,
    pub(crate) info: &'a SnapshotInfo,
    /// The snapshot in the engine's words.
    pub snapshot: Snapshot,
    connection: Connection,
}

impl<'a> StoreSource<'a> {
    /// Opens a snapshot for reading.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn open(
        store: &'a ReadStore,
        info: &'a SnapshotInfo,
    ) -> Result<StoreSource<'a>, HostError> {
        let connection = store.snapshot_connection(info)?;
        Ok(StoreSource { store, info, snapshot: snapshot(info), connection })
    }
}

/// A snapshot of the store in the engine's words.
pub(crate) fn snapshot(info: &SnapshotInfo) -> Snapshot {
    Snapshot {
        connector: info.connector_name.clone(),
        id: info.id,
        as_of: info.as_of,
        finished_at: info.finished_at,
        status: if info.status == "complete" {
            SnapshotStatus::Complete
        } else {
            SnapshotStatus::Partial
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
        run(&self.connection, sql, row)
    }

    fn query_changed(
        &self,
        sql: &str,
        changed: Changed<'_>,
        row: &mut Row<'_>,
    ) -> Result<Columns, Error> {
        let only = (changed.dataset, changed.after, changed.until);
        let connection =
            self.store.restricted_connection(self.info, Some(only)).map_err(Error::source)?;
        run(&connection, sql, row)
    }

    fn has_changed(&self, changed: Changed<'_>) -> Result<bool, Error> {
        self.store
            .has_changes(self.info, changed.dataset, changed.after, changed.until)
            .map_err(Error::source)
    }

    fn daily_uses(
        &self,
        row: &mut dyn FnMut(DayUse<'_>) -> Result<(), Error>,
    ) -> Result<Option<i64>, Error> {
        let kept = format!("SELECT 1 FROM sqlite_temp_schema WHERE name = '{COVERED}'");
        let mut covered = None;
        if self
            .connection
            .prepare(&kept)
            .map_err(Error::source)?
            .exists([])
            .map_err(Error::source)?
        {
            let sql = format!("SELECT covered_from FROM {COVERED}");
            run(&self.connection, &sql, &mut |row| {
                covered = row[0].integer();
                Ok(())
            })?;
        }
        if covered.is_some() {
            let sql = format!(
                "SELECT person_id, day, method, detail, application, succeeded, first_at, last_at, events
                 FROM {DAILY} ORDER BY person_id, day"
            );
            run(&self.connection, &sql, &mut |values| match position::daily::row(values) {
                Some(day) => row(day),
                None => Err(Error::source(HostError::failed("a daily sum of uses is damaged"))),
            })?;
        }
        Ok(covered)
    }

    fn sightings(
        &self,
        row: &mut dyn FnMut(SightingKind, &str, i64) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let sql = format!("SELECT kind, person_id, at FROM {SIGHTINGS}");
        run(&self.connection, &sql, &mut |values| {
            let kind = match values[0].text() {
                Some("activated") => SightingKind::Activated,
                _ => SightingKind::Frozen,
            };
            match (values[1].text(), values[2].integer()) {
                (Some(person), Some(at)) => row(kind, person, at),
                _ => Err(Error::source(HostError::failed("a sighting in the store is damaged"))),
            }
        })?;
        Ok(())
    }
}

/// Runs a statement that must only read.
fn run(connection: &Connection, sql: &str, row: &mut Row<'_>) -> Result<Columns, Error> {
    let mut statement = connection.prepare(sql).map_err(Error::source)?;
    if !statement.readonly() {
        return Err(Error::source(HostError::failed("it does more than read")));
    }
    let columns = statement.column_count();
    let mut rows = statement.query([]).map_err(Error::source)?;
    while let Some(found) = rows.next().map_err(Error::source)? {
        // Statements have few columns: ten at most, but for exports.
        let mut values = Vec::with_capacity(columns);
        for at in 0..columns {
            values.push(value(found.get_ref(at).map_err(Error::source)?)?);
        }
        row(&values)?;
    }
    Ok(Columns(columns))
}

fn value(value: ValueRef<'_>) -> Result<Value<'_>, Error> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Real(number),
        ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).map_err(Error::source)?),
        ValueRef::Blob(_) => {
            return Err(Error::source(HostError::failed("a value is neither a text nor a number")));
        }
    })
}
