//! Runs: begun, published by one flip, or taken back.

use chrono::{DateTime, Utc};
use connector_api::ErrorKind;
use connector_api::manifest::Manifest;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};
use rusqlite::{OptionalExtension, Row, Transaction};
use serde::{Deserialize, Serialize};

use crate::connectors::Connector;
use crate::error::StoreError;
use crate::schema;
use crate::snapshots::DatasetInfo;
use crate::store::Store;
use crate::time;

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// In progress.
    Running,
    /// Everything that was asked for was read.
    Complete,
    /// Some of it was.
    Partial,
    /// Nothing was published.
    Failed,
    /// Nothing was published yet: an allowance is used up, or the run was asked to stop. It can go
    /// on.
    Paused,
}

impl RunStatus {
    /// The word in the store, in JSON and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            RunStatus::Running => "running",
            RunStatus::Complete => "complete",
            RunStatus::Partial => "partial",
            RunStatus::Failed => "failed",
            RunStatus::Paused => "paused",
        }
    }

    fn from_word(word: &str) -> RunStatus {
        match word {
            "running" => RunStatus::Running,
            "complete" => RunStatus::Complete,
            "partial" => RunStatus::Partial,
            "paused" => RunStatus::Paused,
            _ => RunStatus::Failed,
        }
    }
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its number; grows over all connectors.
    pub id: i64,
    /// The connector.
    pub connector_id: i64,
    /// Its name.
    pub connector: String,
    /// How it stands.
    pub status: RunStatus,
    /// `full` or `incremental`.
    pub mode: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// Requests that count against the vendor's allowance.
    pub api_calls: u64,
    /// What ended it.
    pub error: Option<RunError>,
    /// How each dataset ended.
    pub datasets: Vec<DatasetSummary>,
}

impl Run {
    /// How it reads.
    pub fn collect_mode(&self) -> CollectMode {
        if self.mode == "incremental" { CollectMode::Incremental } else { CollectMode::Full }
    }
}

/// How a run ended.
#[derive(Clone, Debug)]
pub struct RunEnd {
    /// Complete, partial, failed or paused.
    pub status: RunStatus,
    /// Requests that count against the vendor's allowance.
    pub api_calls: u64,
    /// What ended it.
    pub error: Option<RunError>,
    /// How each dataset ended.
    pub datasets: Vec<DatasetSummary>,
    /// Datasets of which only changes were read: records that were not seen are not gone.
    pub changes_only: Vec<String>,
}

/// What ended a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RunError {
    /// The kind in one word.
    pub kind: ErrorKind,
    /// What happened.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// When trying again is worth it, in milliseconds from the end of the run.
    pub retry_after_ms: Option<u64>,
}

/// Runs of connectors.
#[derive(Clone, Copy, Debug)]
pub struct Runs<'s>(pub(crate) &'s Store);

impl Runs<'_> {
    /// Begins a run.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin(&self, connector_id: i64, mode: CollectMode) -> Result<Run, StoreError> {
        let mode = match mode {
            CollectMode::Full => "full",
            CollectMode::Incremental => "incremental",
        };
        let id = self.0.write(|transaction| {
            transaction.execute(
                "INSERT INTO run(connector_id, mode, status, started_at)
                 VALUES(?1, ?2, 'running', ?3)",
                (connector_id, mode, time::now().timestamp_millis()),
            )?;
            Ok(transaction.last_insert_rowid())
        })?;
        self.numbered(id)?.ok_or_else(|| StoreError::system("the run that was just stored is gone"))
    }

    /// Publishes a run: closes what is gone, keeps its checkpoints and makes its snapshot the
    /// latest, all in one transaction.
    ///
    /// # Errors
    /// When the store cannot be written; nothing is published then.
    pub fn publish(&self, run: &Run, manifest: &Manifest, end: &RunEnd) -> Result<(), StoreError> {
        let manifest_json = serde_json::to_string(manifest).map_err(StoreError::system)?;
        self.0.write(|transaction| {
            for dataset in end.datasets.iter().filter(|dataset| dataset.status.has_every_record()) {
                let table = schema::dataset_table(transaction, &manifest.id, &dataset.dataset)?;
                if let Some(table) = table
                    && !end.changes_only.contains(&dataset.dataset)
                {
                    transaction.execute(
                        &format!(
                            "UPDATE {} SET _to = ?1
                             WHERE _connector = ?2 AND _to IS NULL AND _seen < ?1",
                            schema::quote(&table)
                        ),
                        (run.id, run.connector_id),
                    )?;
                }
                let replaced = transaction.execute(
                    "UPDATE checkpoint SET published = 1
                     WHERE connector_id = ?1 AND dataset = ?2 AND run_id = ?3",
                    (run.connector_id, &dataset.dataset, run.id),
                )?;
                if replaced > 0 {
                    transaction.execute(
                        "DELETE FROM checkpoint
                         WHERE connector_id = ?1 AND dataset = ?2 AND run_id < ?3",
                        (run.connector_id, &dataset.dataset, run.id),
                    )?;
                }
            }
            transaction.execute(
                "DELETE FROM checkpoint WHERE connector_id = ?1 AND NOT published",
                [run.connector_id],
            )?;
            let by_changes = |dataset: &&DatasetSummary| {
                dataset.mode == Some(CollectMode::Incremental) && !dataset.status.has_every_record()
            };
            for dataset in end.datasets.iter().filter(by_changes) {
                // Changes did not add up to a whole: the next run reads it whole.
                transaction.execute(
                    "DELETE FROM checkpoint WHERE connector_id = ?1 AND dataset = ?2",
                    (run.connector_id, &dataset.dataset),
                )?;
            }
            let finished_at = time::now().timestamp_millis();
            let datasets = snapshot_datasets(transaction, run, manifest, end)?;
            transaction.execute(
                "INSERT INTO snapshot(run_id, connector_id, as_of, finished_at, status, datasets, manifest)
                 VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (
                    run.id,
                    run.connector_id,
                    run.started_at.timestamp_millis(),
                    finished_at,
                    end.status.as_str(),
                    serde_json::to_string(&datasets).map_err(StoreError::system)?,
                    manifest_json,
                ),
            )?;
            finish(transaction, run.id, finished_at, end)
        })
    }

    /// Pauses a run: what it read so far stays, unseen by readers, until the run goes on.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn pause(&self, run: &Run, end: &RunEnd) -> Result<(), StoreError> {
        self.0.write(|transaction| finish(transaction, run.id, time::now().timestamp_millis(), end))
    }

    /// The connector's paused run, if it can still go on: no run came after it, and neither the
    /// connector's settings nor its grant changed since.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn paused(&self, connector_id: i64) -> Result<Option<Run>, StoreError> {
        let mut runs = self.runs_where(
            "WHERE r.connector_id = ?1 AND r.status = 'paused' AND r.finished_at >= c.changed_at
               AND r.id = (SELECT max(id) FROM run WHERE connector_id = ?1)",
            [connector_id],
        )?;
        Ok(runs.pop())
    }

    /// Lets a paused run go on, under its old number.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn reopen(&self, run: &Run) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            transaction.execute(
                "UPDATE run SET status = 'running', finished_at = NULL, error = NULL WHERE id = ?1",
                [run.id],
            )?;
            Ok(())
        })
    }

    /// Takes back what a paused run read that will not go on; the run stays as paused.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn drop_paused(&self, connector_id: i64, feature: &str) -> Result<(), StoreError> {
        let paused =
            self.runs_where("WHERE r.connector_id = ?1 AND r.status = 'paused'", [connector_id])?;
        self.0.write(|transaction| {
            for run in &paused {
                withdraw(transaction, run, feature)?;
            }
            Ok(())
        })
    }

    /// Records of a dataset that hold now, this run's included, and those the last snapshot had.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn held_rows(
        &self,
        run: &Run,
        feature: &str,
        dataset: &str,
    ) -> Result<(u64, u64), StoreError> {
        self.0.read(|connection| {
            let Some(table) = schema::dataset_table(connection, feature, dataset)? else {
                return Ok((0, 0));
            };
            let table = schema::quote(&table);
            let count = |condition: &str| -> rusqlite::Result<i64> {
                connection.query_row(
                    &format!("SELECT count(*) FROM {table} WHERE _connector = ?1 AND {condition}"),
                    (run.connector_id, run.id),
                    |row| row.get(0),
                )
            };
            let now = count("_to IS NULL AND ?2 = ?2")?;
            let before = count("_from < ?2 AND (_to IS NULL OR _to >= ?2)")?;
            let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
            Ok((unsigned(now), unsigned(before)))
        })
    }

    /// Takes a run back: its rows and checkpoints go, what it replaced holds again; its journal and
    /// its end stay.
    ///
    /// # Errors
    /// When the store cannot be written; it is then taken back when the store is next opened.
    pub fn take_back(&self, run: &Run, feature: &str, end: &RunEnd) -> Result<(), StoreError> {
        self.0.write(|transaction| {
            withdraw(transaction, run, feature)?;
            finish(transaction, run.id, time::now().timestamp_millis(), end)
        })
    }

    /// Takes back every run that stands as running although its process is gone. `is_alive` says
    /// whether a connector's run is held by a living process.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn recover(&self, mut is_alive: impl FnMut(i64) -> bool) -> Result<Vec<Run>, StoreError> {
        let open = self.runs_where("WHERE r.status = 'running'", [])?;
        let mut recovered = Vec::new();
        for run in open {
            if is_alive(run.connector_id) {
                continue;
            }
            let feature: String = self.0.read(|connection| {
                Ok(connection.query_row(
                    "SELECT feature FROM connector WHERE id = ?1",
                    [run.connector_id],
                    |row| row.get(0),
                )?)
            })?;
            let end = RunEnd {
                status: RunStatus::Failed,
                api_calls: run.api_calls,
                error: Some(RunError {
                    kind: ErrorKind::OTHER,
                    message: "the endpoint server's process ended before the run did".into(),
                    hint: Some("collect again; what was published before is unchanged".into()),
                    retry_after_ms: None,
                }),
                datasets: Vec::new(),
                changes_only: Vec::new(),
            };
            self.take_back(&run, &feature, &end)?;
            recovered.push(run);
        }
        Ok(recovered)
    }

    /// The run of that number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn numbered(&self, id: i64) -> Result<Option<Run>, StoreError> {
        Ok(self.runs_where("WHERE r.id = ?1", [id])?.pop())
    }

    /// The latest runs, of one connector or of all, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn list(&self, connector: Option<&Connector>, limit: u32) -> Result<Vec<Run>, StoreError> {
        self.runs_where(
            "WHERE ?1 IS NULL OR r.connector_id = ?1 ORDER BY r.id DESC LIMIT ?2",
            (connector.map(|connector| connector.id), limit),
        )
    }

    /// The state of a dataset's last published checkpoint; before that, of the one that run
    /// `going_on` stored until it was paused. Says too whether it is the published one.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn checkpoint(
        &self,
        connector_id: i64,
        dataset: &str,
        going_on: Option<i64>,
    ) -> Result<Option<(String, bool)>, StoreError> {
        self.0.read(|connection| {
            Ok(connection
                .query_row(
                    "SELECT state, published FROM checkpoint
                     WHERE connector_id = ?1 AND dataset = ?2 AND (published OR run_id = ?3)
                     ORDER BY run_id DESC LIMIT 1",
                    (connector_id, dataset, going_on),
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )
                .optional()?)
        })
    }

    fn runs_where(
        &self,
        condition: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<Run>, StoreError> {
        self.0.read(|connection| {
            let sql = format!(
                "SELECT r.id, r.connector_id, c.name, r.status, r.mode, r.started_at,
                        r.finished_at, r.api_calls, r.error
                 FROM run r JOIN connector c ON c.id = r.connector_id {condition}"
            );
            let mut statement = connection.prepare(&sql)?;
            let mut runs: Vec<Run> =
                statement.query_map(params, run_row)?.collect::<Result<_, _>>()?;
            let mut datasets = connection.prepare(
                "SELECT dataset, status, rows, expected, missing_fields, reason, changes_only
                 FROM run_dataset WHERE run_id = ?1 ORDER BY position",
            )?;
            for run in &mut runs {
                run.datasets =
                    datasets.query_map([run.id], dataset_row)?.collect::<Result<_, _>>()?;
            }
            Ok(runs)
        })
    }
}

/// A run's rows and checkpoints go, what it replaced holds again.
fn withdraw(transaction: &Transaction<'_>, run: &Run, feature: &str) -> Result<(), StoreError> {
    for table in schema::dataset_tables(transaction, feature)? {
        let table = schema::quote(&table);
        transaction.execute(
            &format!("DELETE FROM {table} WHERE _connector = ?1 AND _from = ?2"),
            (run.connector_id, run.id),
        )?;
        transaction.execute(
            &format!("UPDATE {table} SET _to = NULL WHERE _connector = ?1 AND _to = ?2"),
            (run.connector_id, run.id),
        )?;
    }
    transaction.execute(
        "DELETE FROM checkpoint WHERE connector_id = ?1 AND run_id = ?2",
        (run.connector_id, run.id),
    )?;
    Ok(())
}

fn run_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    let error: Option<String> = row.get(8)?;
    Ok(Run {
        id: row.get(0)?,
        connector_id: row.get(1)?,
        connector: row.get(2)?,
        status: RunStatus::from_word(&row.get::<_, String>(3)?),
        mode: row.get(4)?,
        started_at: time::from_ms(row.get(5)?),
        finished_at: row.get::<_, Option<i64>>(6)?.map(time::from_ms),
        api_calls: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
        error: error.and_then(|json| serde_json::from_str(&json).ok()),
        datasets: Vec::new(),
    })
}

fn dataset_row(row: &Row<'_>) -> rusqlite::Result<DatasetSummary> {
    let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
    let status: String = row.get(1)?;
    Ok(DatasetSummary {
        dataset: row.get(0)?,
        status: serde_json::from_value(status.into()).unwrap_or(DatasetStatus::Failed),
        rows: unsigned(row.get(2)?),
        expected: row.get::<_, Option<i64>>(3)?.map(unsigned),
        missing_fields: serde_json::from_str(&row.get::<_, String>(4)?).unwrap_or_default(),
        reason: row.get(5)?,
        mode: Some(if row.get(6)? { CollectMode::Incremental } else { CollectMode::Full }),
        total: None,
    })
}

fn finish(
    transaction: &Transaction<'_>,
    run_id: i64,
    finished_at: i64,
    end: &RunEnd,
) -> Result<(), StoreError> {
    let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    transaction.execute(
        "UPDATE run SET status = ?2, finished_at = ?3, api_calls = ?4, error = ?5 WHERE id = ?1",
        (
            run_id,
            end.status.as_str(),
            finished_at,
            number(end.api_calls),
            end.error
                .as_ref()
                .map(serde_json::to_string)
                .transpose()
                .map_err(StoreError::system)?,
        ),
    )?;
    // A run that was paused and went on has ended before.
    transaction.execute("DELETE FROM run_dataset WHERE run_id = ?1", [run_id])?;
    for (position, dataset) in (0_i64..).zip(&end.datasets) {
        transaction.execute(
            "INSERT INTO run_dataset(run_id, position, dataset, status, rows, expected,
                 missing_fields, reason, changes_only)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                run_id,
                position,
                &dataset.dataset,
                dataset.status.as_str(),
                number(dataset.rows),
                dataset.expected.map(number),
                serde_json::to_string(&dataset.missing_fields).map_err(StoreError::system)?,
                &dataset.reason,
                dataset.mode == Some(CollectMode::Incremental),
            ),
        )?;
    }
    Ok(())
}

/// How the datasets stand after this run: as it reported them, and for those it left out as the
/// snapshot before said.
fn snapshot_datasets(
    transaction: &Transaction<'_>,
    run: &Run,
    manifest: &Manifest,
    end: &RunEnd,
) -> Result<Vec<DatasetInfo>, StoreError> {
    let before: Option<String> = transaction
        .query_row(
            "SELECT datasets FROM snapshot WHERE connector_id = ?1 ORDER BY run_id DESC LIMIT 1",
            [run.connector_id],
            |row| row.get(0),
        )
        .optional()?;
    let before: Vec<DatasetInfo> =
        before.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default();
    let mut datasets = Vec::new();
    for spec in &manifest.datasets {
        let Some(now) = end.datasets.iter().find(|dataset| dataset.dataset == spec.name) else {
            datasets.extend(before.iter().find(|dataset| dataset.dataset == spec.name).cloned());
            continue;
        };
        let rows = if end.changes_only.contains(&spec.name) {
            current_rows(transaction, run, manifest, &spec.name)?
        } else {
            now.rows
        };
        datasets.push(DatasetInfo {
            dataset: now.dataset.clone(),
            status: now.status,
            rows,
            expected: now.expected,
            missing_fields: now.missing_fields.clone(),
            reason: now.reason.clone(),
            as_of: run.started_at,
        });
    }
    Ok(datasets)
}

fn current_rows(
    transaction: &Transaction<'_>,
    run: &Run,
    manifest: &Manifest,
    dataset: &str,
) -> Result<u64, StoreError> {
    let Some(table) = schema::dataset_table(transaction, &manifest.id, dataset)? else {
        return Ok(0);
    };
    let rows: i64 = transaction.query_row(
        &format!(
            "SELECT count(*) FROM {} WHERE _connector = ?1 AND _to IS NULL",
            schema::quote(&table)
        ),
        [run.connector_id],
        |row| row.get(0),
    )?;
    Ok(u64::try_from(rows).unwrap_or(0))
}
