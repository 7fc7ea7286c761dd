//! Runs: begun, paused, and what is known of them.

mod ending;

use chrono::{DateTime, Utc};
use connector_api::ErrorKind;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};

use crate::connectors::Connector;
use crate::error::StoreError;
use crate::journal::{JournalKey, seal_end};
use crate::schema;
use crate::store::Store;
use crate::time;

/// The state of a run.
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

    pub(crate) fn from_word(word: &str) -> RunStatus {
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
    /// Its state.
    pub status: RunStatus,
    /// How much it reads.
    pub mode: CollectMode,
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
    /// Begins a run, whose journal is empty and sealed.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn begin(
        &self,
        key: &JournalKey,
        connector_id: i64,
        mode: CollectMode,
    ) -> Result<Run, StoreError> {
        let id = self.0.write(|transaction| {
            transaction.execute(
                "INSERT INTO run(connector_id, mode, status, started_at)
                 VALUES(?1, ?2, 'running', ?3)",
                (connector_id, mode.as_str(), time::now().timestamp_millis()),
            )?;
            let id = transaction.last_insert_rowid();
            seal_end(transaction, key, id, 0, &[])?;
            Ok(id)
        })?;
        self.numbered(id)?.ok_or_else(|| StoreError::system("the run that was just stored is gone"))
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
            let now: i64 = connection.query_row(
                &format!("SELECT count(*) FROM {table} WHERE _connector = ?1 AND _to IS NULL"),
                [run.connector_id],
                |row| row.get(0),
            )?;
            let before: i64 = connection.query_row(
                &format!(
                    "SELECT count(*) FROM {table}
                     WHERE _connector = ?1 AND _from < ?2 AND (_to IS NULL OR _to >= ?2)"
                ),
                [run.connector_id, run.id],
                |row| row.get(0),
            )?;
            let unsigned = |value: i64| u64::try_from(value).unwrap_or(0);
            Ok((unsigned(now), unsigned(before)))
        })
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

    pub(super) fn runs_where(
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

fn run_row(row: &Row<'_>) -> rusqlite::Result<Run> {
    let error: Option<String> = row.get(8)?;
    Ok(Run {
        id: row.get(0)?,
        connector_id: row.get(1)?,
        connector: row.get(2)?,
        status: RunStatus::from_word(&row.get::<_, String>(3)?),
        mode: match row.get_ref(4)?.as_str()? {
            "incremental" => CollectMode::Incremental,
            _ => CollectMode::Full,
        },
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
        proof: None,
        unreadable: Vec::new(),
        oldest_ms: None,
    })
}
