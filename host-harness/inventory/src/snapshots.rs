//! The read side: published snapshots, for reports and exports. Never writes, never waits for a run.

use chrono::{DateTime, Utc};
use connector_api::manifest::Manifest;
use connector_api::message::DatasetStatus;
use rusqlite::OptionalExtension;
use serde::{Deserialize, Serialize};

use crate::error::{StoreError, StoreErrorKind};
use crate::run_status::RunStatus;
use crate::schema::{self, quote};
use crate::store::{ReadStore, Store};

/// What one complete or partial run published.
#[derive(Clone, Debug)]
pub struct SnapshotInfo {
    /// Also the id of the run.
    pub id: i64,
    /// The connector.
    pub connector_id: i64,
    /// Its name.
    pub connector_name: String,
    /// When the run started: the data is at least as fresh as this.
    pub as_of: DateTime<Utc>,
    /// When the run ended.
    pub finished_at: DateTime<Utc>,
    /// Complete or partial.
    pub status: RunStatus,
    /// One entry for each dataset of the manifest that was ever asked for, in the manifest's order.
    pub datasets: Vec<DatasetInfo>,
    /// The manifest the run was made with.
    pub manifest: Manifest,
}

impl SnapshotInfo {
    /// The dataset of that name.
    pub fn dataset(&self, name: &str) -> Option<&DatasetInfo> {
        self.datasets.iter().find(|dataset| dataset.dataset == name)
    }
}

/// One dataset in a snapshot.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// The dataset.
    pub dataset: String,
    /// How its reading ended.
    pub status: DatasetStatus,
    /// Records read.
    pub rows: u64,
    /// Records the vendor counted.
    pub expected: Option<u64>,
    /// Wanted fields that were not shown.
    pub missing_fields: Vec<String>,
    /// Why it is not complete.
    pub reason: Option<String>,
    /// The start of the run that read it: earlier than the snapshot's when that run left it out.
    pub as_of: DateTime<Utc>,
}

/// Snapshots that runs published.
#[derive(Clone, Copy, Debug)]
pub struct Published<'s>(pub(crate) &'s ReadStore);

impl Published<'_> {
    /// The last snapshot published up to an instant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn at(
        &self,
        connector_id: i64,
        at: DateTime<Utc>,
    ) -> Result<Option<SnapshotInfo>, StoreError> {
        self.find(
            "WHERE s.connector_id = ?1 AND s.as_of <= ?2 ORDER BY s.run_id DESC LIMIT 1",
            [connector_id, at.timestamp_millis()],
        )
    }

    /// How the last run of a connector that ended went: its status and when it ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn last_run(
        &self,
        connector_id: i64,
    ) -> Result<Option<(RunStatus, DateTime<Utc>)>, StoreError> {
        let last = self
            .0
            .connection()
            .query_row(
                "SELECT status, finished_at FROM run
                 WHERE connector_id = ?1 AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1",
                [connector_id],
                |row| {
                    let status = RunStatus::from_word(row.get_ref(0)?.as_str()?);
                    Ok((status, crate::time::from_ms(row.get(1)?)))
                },
            )
            .optional()?;
        Ok(last)
    }

    /// Whether records of a dataset were added, changed or removed between two snapshots.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn has_changes(
        &self,
        snapshot: &SnapshotInfo,
        dataset: &str,
        after: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        let feature = &snapshot.manifest.id;
        let Some(table) = schema::dataset_table(self.0.connection(), feature, dataset)? else {
            return Ok(false);
        };
        let sql = format!(
            "SELECT EXISTS(SELECT 1 FROM {table} WHERE _connector = ?1 AND _from > ?2 AND _from <= ?3)
                 OR EXISTS(SELECT 1 FROM {table} WHERE _connector = ?1 AND _to > ?2 AND _to <= ?3)",
            table = quote(&table)
        );
        let params = [snapshot.connector_id, after, until];
        Ok(self.0.connection().query_row(&sql, params, |row| row.get(0))?)
    }

    /// The last snapshot a connector published.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn latest(&self, connector_id: i64) -> Result<Option<SnapshotInfo>, StoreError> {
        self.find("WHERE s.connector_id = ?1 ORDER BY s.run_id DESC LIMIT 1", [connector_id])
    }

    /// The one that a connector published before a snapshot, as far as it is still there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn before(&self, snapshot: &SnapshotInfo) -> Result<Option<SnapshotInfo>, StoreError> {
        self.find(
            "WHERE s.connector_id = ?1 AND s.run_id < ?2 ORDER BY s.run_id DESC LIMIT 1",
            [snapshot.connector_id, snapshot.id],
        )
    }

    /// The snapshot of that number, if it is one of this connector.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn numbered(&self, connector_id: i64, id: i64) -> Result<Option<SnapshotInfo>, StoreError> {
        self.find("WHERE s.connector_id = ?1 AND s.run_id = ?2", [connector_id, id])
    }

    /// The numbers of all snapshots of a connector, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn numbers(&self, connector_id: i64) -> Result<Vec<i64>, StoreError> {
        let mut statement = self
            .0
            .connection()
            .prepare("SELECT run_id FROM snapshot WHERE connector_id = ?1 ORDER BY run_id")?;
        let ids =
            statement.query_map([connector_id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids)
    }

    fn find(
        &self,
        condition: &str,
        params: impl rusqlite::Params,
    ) -> Result<Option<SnapshotInfo>, StoreError> {
        let sql = format!(
            "SELECT s.run_id, s.connector_id, c.name, s.as_of, s.finished_at, s.status, s.datasets, s.manifest
             FROM snapshot s JOIN connector c ON c.id = s.connector_id {condition}"
        );
        let found = self
            .0
            .connection()
            .query_row(&sql, params, |row| {
                Ok((
                    SnapshotInfo {
                        id: row.get(0)?,
                        connector_id: row.get(1)?,
                        connector_name: row.get(2)?,
                        as_of: crate::time::from_ms(row.get(3)?),
                        finished_at: crate::time::from_ms(row.get(4)?),
                        status: RunStatus::from_word(row.get_ref(5)?.as_str()?),
                        datasets: Vec::new(),
                        manifest: Manifest::new("", "", ""),
                    },
                    row.get::<_, String>(6)?,
                    row.get::<_, String>(7)?,
                ))
            })
            .optional()?;
        let Some((mut snapshot, datasets, manifest)) = found else { return Ok(None) };
        let damaged = |error: serde_json::Error| {
            StoreError::new(
                StoreErrorKind::Unusable,
                format_args!("snapshot {} in the store is damaged", snapshot.id),
            )
            .because(error)
        };
        let (datasets, manifest) = (
            serde_json::from_str(&datasets).map_err(damaged)?,
            serde_json::from_str(&manifest).map_err(damaged)?,
        );
        (snapshot.datasets, snapshot.manifest) = (datasets, manifest);
        Ok(Some(snapshot))
    }
}

/// The upkeep of snapshots.
#[derive(Clone, Copy, Debug)]
pub struct Snapshots<'s>(pub(crate) &'s Store);

impl Snapshots<'_> {
    /// Whether anything was ever published of a connector.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn exist(&self, connector_id: i64) -> Result<bool, StoreError> {
        self.0.read(|connection| {
            Ok(connection.query_row(
                "SELECT EXISTS(SELECT 1 FROM snapshot WHERE connector_id = ?1)",
                [connector_id],
                |row| row.get(0),
            )?)
        })
    }

    /// Makes what changed between two snapshots quick to find in these datasets of a feature.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn index_changes(&self, feature: &str, datasets: &[&str]) -> Result<(), StoreError> {
        // One at a time: others must be able to write in between.
        for dataset in datasets {
            self.0.write(|transaction| {
                if let Some(table) = schema::dataset_table(transaction, feature, dataset)? {
                    let (name, table) = (table.clone(), quote(&table));
                    transaction.execute_batch(&format!(
                        "CREATE INDEX IF NOT EXISTS {} ON {table}(_connector, _from);
                         CREATE INDEX IF NOT EXISTS {} ON {table}(_connector, _to)
                             WHERE _to IS NOT NULL",
                        quote(&format!("{name}_by_from")),
                        quote(&format!("{name}_by_to")),
                    ))?;
                }
                Ok(())
            })?;
        }
        Ok(())
    }
}
