//! The end of a run: published by one flip, paused, or taken back.

use std::collections::BTreeMap;

use connector_api::ErrorKind;
use connector_api::manifest::Manifest;
use connector_api::message::{CollectMode, DatasetSummary};
use rusqlite::{OptionalExtension, Transaction};

use super::{Details, Run, RunEnd, RunError, Runs};
use crate::error::StoreError;
use crate::run_status::RunStatus;
use crate::schema;
use crate::snapshots::DatasetInfo;
use crate::time;

impl Runs<'_> {
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
                // The changes were incomplete: the next run reads everything.
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
                    end.datasets
                        .iter()
                        .filter_map(|dataset| dataset.oldest_ms)
                        .fold(run.started_at.timestamp_millis(), i64::min),
                    finished_at,
                    end.status.as_str(),
                    serde_json::to_string(&datasets).map_err(StoreError::system)?,
                    manifest_json,
                ),
            )?;
            finish(transaction, run.id, finished_at, end)
        })
    }

    /// Pauses a run: what it read so far stays, unseen by readers, until the run continues.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn pause(&self, run: &Run, end: &RunEnd) -> Result<(), StoreError> {
        self.0.write(|transaction| finish(transaction, run.id, time::now().timestamp_millis(), end))
    }

    /// Takes back what a paused run read that will not continue; the run stays as paused.
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

    /// Takes back every run that is recorded as running although its process is gone. `is_alive` says
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
                baselines: BTreeMap::new(),
            };
            self.take_back(&run, &feature, &end)?;
            recovered.push(run);
        }
        Ok(recovered)
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
                 missing_fields, reason, changes_only, details)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
                serde_json::to_string(&Details::of(
                    dataset,
                    end.baselines.get(&dataset.dataset).copied(),
                ))
                .map_err(StoreError::system)?,
            ),
        )?;
    }
    Ok(())
}

/// The datasets after this run: as it reported them, and for those it left out as the
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
            as_of: now
                .oldest_ms
                .map_or(run.started_at, |oldest| time::from_ms(oldest).min(run.started_at)),
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
