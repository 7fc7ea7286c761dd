//! The read side: published snapshots, for reports and exports. Never writes, never waits for a run.

use chrono::{DateTime, Utc};
use connector_api::manifest::Manifest;
use connector_api::message::DatasetStatus;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::schema::{self, quote};
use super::{daily, sightings};
use crate::error::HostError;
use crate::home::Home;

/// The store, opened for reading.
#[derive(Debug)]
pub struct ReadStore {
    home: Home,
    connection: Connection,
}

/// A connector as reports name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectorInfo {
    /// The store's number for it.
    pub id: i64,
    /// Its name, unique on this endpoint server.
    pub name: String,
    /// What it is for, in the administrator's words.
    pub description: String,
    /// The feature (connector library) it belongs to.
    pub feature: String,
    /// The domain as entered.
    pub domain: String,
}

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
    /// `complete` or `partial`.
    pub status: String,
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

/// How one dataset stands in a snapshot.
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

impl super::Store {
    /// Opens the store of that home for reading.
    ///
    /// # Errors
    /// When there is none, it is newer than this program, or it cannot be read.
    pub fn open_read(home: &Home) -> Result<ReadStore, HostError> {
        let connection = schema::open_read_only(&home.store_file())?;
        Ok(ReadStore { home: home.clone(), connection })
    }
}

impl ReadStore {
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The home the store lies in.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// All connectors by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn connectors(&self) -> Result<Vec<ConnectorInfo>, HostError> {
        let mut statement = self.connection.prepare("SELECT name FROM connector ORDER BY name")?;
        let names: Vec<String> =
            statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let found = names.iter().map(|name| self.connector(name));
        found.filter_map(Result::transpose).collect()
    }

    /// The last snapshot published up to an instant.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot_at(
        &self,
        connector_id: i64,
        at: DateTime<Utc>,
    ) -> Result<Option<SnapshotInfo>, HostError> {
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
    ) -> Result<Option<(String, DateTime<Utc>)>, HostError> {
        let last = self
            .connection
            .query_row(
                "SELECT status, finished_at FROM run
                 WHERE connector_id = ?1 AND finished_at IS NOT NULL ORDER BY id DESC LIMIT 1",
                [connector_id],
                |row| Ok((row.get(0)?, crate::time::from_ms(row.get(1)?))),
            )
            .optional()?;
        Ok(last)
    }

    /// Whether records of a dataset were added, changed or removed between two snapshots.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn has_changes(
        &self,
        snapshot: &SnapshotInfo,
        dataset: &str,
        after: i64,
        until: i64,
    ) -> Result<bool, HostError> {
        let feature = &snapshot.manifest.id;
        let Some(table) = schema::dataset_table(&self.connection, feature, dataset)? else {
            return Ok(false);
        };
        let sql = format!(
            "SELECT EXISTS(SELECT 1 FROM {table} WHERE _connector = ?1 AND _from > ?2 AND _from <= ?3)
                 OR EXISTS(SELECT 1 FROM {table} WHERE _connector = ?1 AND _to > ?2 AND _to <= ?3)",
            table = quote(&table)
        );
        let params = [snapshot.connector_id, after, until];
        Ok(self.connection.query_row(&sql, params, |row| row.get(0))?)
    }

    /// The connector of that name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn connector(&self, name: &str) -> Result<Option<ConnectorInfo>, HostError> {
        let connector = self
            .connection
            .query_row(
                "SELECT id, name, description, feature, domain FROM connector WHERE name = ?1",
                [name],
                |row| {
                    Ok(ConnectorInfo {
                        id: row.get(0)?,
                        name: row.get(1)?,
                        description: row.get(2)?,
                        feature: row.get(3)?,
                        domain: row.get(4)?,
                    })
                },
            )
            .optional()?;
        Ok(connector)
    }

    /// The last snapshot a connector published.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn latest_snapshot(&self, connector_id: i64) -> Result<Option<SnapshotInfo>, HostError> {
        self.find("WHERE s.connector_id = ?1 ORDER BY s.run_id DESC LIMIT 1", [connector_id])
    }

    /// The one that a connector published before a snapshot, as far as it is still there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot_before(
        &self,
        snapshot: &SnapshotInfo,
    ) -> Result<Option<SnapshotInfo>, HostError> {
        self.find(
            "WHERE s.connector_id = ?1 AND s.run_id < ?2 ORDER BY s.run_id DESC LIMIT 1",
            [snapshot.connector_id, snapshot.id],
        )
    }

    /// The snapshot of that number, if it is one of this connector.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot(&self, connector_id: i64, id: i64) -> Result<Option<SnapshotInfo>, HostError> {
        self.find("WHERE s.connector_id = ?1 AND s.run_id = ?2", [connector_id, id])
    }

    /// The numbers of all snapshots of a connector, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot_ids(&self, connector_id: i64) -> Result<Vec<i64>, HostError> {
        let mut statement = self
            .connection
            .prepare("SELECT run_id FROM snapshot WHERE connector_id = ?1 ORDER BY run_id")?;
        let ids =
            statement.query_map([connector_id], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids)
    }

    fn find(
        &self,
        condition: &str,
        params: impl rusqlite::Params,
    ) -> Result<Option<SnapshotInfo>, HostError> {
        let sql = format!(
            "SELECT s.run_id, s.connector_id, c.name, s.as_of, s.finished_at, s.status, s.datasets, s.manifest
             FROM snapshot s JOIN connector c ON c.id = s.connector_id {condition}"
        );
        let found = self
            .connection
            .query_row(&sql, params, |row| {
                Ok((
                    SnapshotInfo {
                        id: row.get(0)?,
                        connector_id: row.get(1)?,
                        connector_name: row.get(2)?,
                        as_of: crate::time::from_ms(row.get(3)?),
                        finished_at: crate::time::from_ms(row.get(4)?),
                        status: row.get(5)?,
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
            HostError::failed(format_args!(
                "snapshot {} in the store is damaged: {error}",
                snapshot.id
            ))
        };
        let (datasets, manifest) = (
            serde_json::from_str(&datasets).map_err(damaged)?,
            serde_json::from_str(&manifest).map_err(damaged)?,
        );
        (snapshot.datasets, snapshot.manifest) = (datasets, manifest);
        Ok(Some(snapshot))
    }

    /// A connection of its own on which each dataset of the manifest is a temporary view of that
    /// name, with exactly the manifest's columns in their order, as of the snapshot. It can do
    /// nothing but read. A column the store does not have is null; a dataset it does not have is
    /// empty. Values: instants in milliseconds and dates in days since 1970, booleans 0 and 1.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn snapshot_connection(&self, snapshot: &SnapshotInfo) -> Result<Connection, HostError> {
        self.restricted_connection(snapshot, None)
    }

    /// As [`ReadStore::snapshot_connection`]; of one dataset only the records that were added,
    /// changed or removed between two snapshots are shown.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(crate) fn restricted_connection(
        &self,
        snapshot: &SnapshotInfo,
        only: Option<(&str, i64, i64)>,
    ) -> Result<Connection, HostError> {
        let mut connection = schema::open_read_only(&self.home.store_file())?;
        for dataset in &snapshot.manifest.datasets {
            let feature = &snapshot.manifest.id;
            let table =
                schema::dataset_table(&connection, feature, &dataset.name)?.unwrap_or_default();
            let stored = schema::columns_of(&connection, &table)?;
            let columns: Vec<String> = dataset
                .fields
                .iter()
                .map(|field| {
                    let name = quote(&field.name);
                    // Column names are compared as SQLite does, without regard to ASCII case.
                    if stored.iter().any(|column| column.eq_ignore_ascii_case(&field.name)) {
                        format!("{name} AS {name}")
                    } else {
                        format!("NULL AS {name}")
                    }
                })
                .collect();
            let changed = match only {
                Some((name, after, until)) if name == dataset.name => {
                    let keys: Vec<String> = dataset.key.iter().map(|key| quote(key)).collect();
                    changed_keys(&table, &keys.join(", "), snapshot.connector_id, after, until)
                }
                _ => String::new(),
            };
            let source = if stored.is_empty() {
                "WHERE 0".to_owned()
            } else {
                format!(
                    "FROM main.{} WHERE _connector = {} AND _from <= {id} AND (_to IS NULL OR _to > {id}){changed}",
                    quote(&table),
                    snapshot.connector_id,
                    id = snapshot.id
                )
            };
            let columns = if columns.is_empty() { "NULL".to_owned() } else { columns.join(", ") };
            connection.execute_batch(&format!(
                "CREATE TEMP VIEW {} AS SELECT {columns} {source}",
                quote(&dataset.name)
            ))?;
        }
        let connector = snapshot.connector_id;
        if let Some(from) = daily::covered_from(&connection, connector, snapshot.id)? {
            connection.execute_batch(&format!(
                "CREATE TEMP VIEW {} AS
                     SELECT person_id, day, method, detail, application, succeeded, first_at, last_at, events
                     FROM main.use_day CROSS JOIN main.use_way ON no = way_no
                     WHERE connector_id = {connector};
                 CREATE TEMP VIEW {} AS SELECT {from} AS covered_from",
                daily::DAILY,
                daily::COVERED,
            ))?;
        }
        connection.execute_batch(&sightings::view_sql(sightings::SIGHTINGS, snapshot))?;
        connection.pragma_update(None, "query_only", true)?;
        connection.authorizer(Some(only_reading))?;
        Ok(connection)
    }
}

/// A condition on a dataset's table: the keys of records that changed between two snapshots.
fn changed_keys(table: &str, keys: &str, connector: i64, after: i64, until: i64) -> String {
    let table = quote(table);
    format!(
        " AND ({keys}) IN (SELECT {keys} FROM main.{table}
              WHERE _connector = {connector} AND _from > {after} AND _from <= {until}
              UNION SELECT {keys} FROM main.{table}
              WHERE _connector = {connector} AND _to > {after} AND _to <= {until})"
    )
}

fn only_reading(context: AuthContext<'_>) -> Authorization {
    match context.action {
        AuthAction::Select | AuthAction::Recursive | AuthAction::Transaction { .. } => {
            Authorization::Allow
        }
        // The views, and the tables only through them.
        AuthAction::Read { .. }
            if context.database_name == Some("temp") || context.accessor.is_some() =>
        {
            Authorization::Allow
        }
        AuthAction::Function { function_name } if function_name != "load_extension" => {
            Authorization::Allow
        }
        _ => Authorization::Deny,
    }
}
