//! Collections so far, and the requests they sent.

use chrono::{DateTime, Utc};
use connector_api::message::{CollectMode, DatasetSummary};
use serde::Serialize;

use crate::app::App;
use crate::app::deployment::Deployment;
use crate::error::HostError;
use crate::store::{JournalRow, Run, RunError, RunStatus};
use crate::time;

/// A run.
#[derive(Clone, Debug, Serialize)]
pub struct RunView {
    /// Its number; grows over all connectors.
    pub run_id: i64,
    /// The connector's name.
    pub connector: String,
    /// Its status.
    pub status: RunStatus,
    /// How much it read.
    pub mode: CollectMode,
    /// When it began.
    #[serde(with = "time::in_rfc3339")]
    pub started_at: DateTime<Utc>,
    /// When it ended; `None` while it is in progress.
    #[serde(with = "time::option_in_rfc3339")]
    pub finished_at: Option<DateTime<Utc>>,
    /// Requests that count against the vendor's allowance.
    pub api_calls: u64,
    /// What ended it.
    pub error: Option<RunError>,
}

/// A run, dataset by dataset.
#[derive(Clone, Debug, Serialize)]
pub struct RunDetails {
    /// The run.
    #[serde(flatten)]
    pub run: RunView,
    /// How each dataset ended.
    pub datasets: Vec<DatasetSummary>,
}

/// Every request of a run.
#[derive(Debug, Serialize)]
pub struct JournalView {
    /// The run.
    pub run_id: i64,
    /// The connector's name.
    pub connector: String,
    /// Whether no request was changed, removed or added.
    pub intact: bool,
    /// The hash of the last request.
    pub head: Option<String>,
    /// The requests, in order.
    pub requests: Vec<JournalRow>,
}

impl From<&Run> for RunView {
    fn from(run: &Run) -> RunView {
        RunView {
            run_id: run.id,
            connector: run.connector.clone(),
            status: run.status,
            mode: run.mode,
            started_at: run.started_at,
            finished_at: run.finished_at,
            api_calls: run.api_calls,
            error: run.error.clone(),
        }
    }
}

/// The latest runs, of one connector or of all, newest first.
///
/// # Errors
/// Of kind usage for an unknown connector.
pub fn list(app: &App, connector: Option<&str>, limit: u32) -> Result<Vec<RunView>, HostError> {
    let store = app.store()?;
    let connector = connector.map(|name| store.connectors().named(name)).transpose()?;
    Ok(store.runs().list(connector.as_ref(), limit)?.iter().map(RunView::from).collect())
}

/// One run.
///
/// # Errors
/// Of kind usage for an unknown run.
pub fn show(app: &App, id: i64) -> Result<RunDetails, HostError> {
    let run = find(app, id)?;
    Ok(RunDetails { run: RunView::from(&run), datasets: run.datasets })
}

/// The requests of one run.
///
/// # Errors
/// Of kind usage for an unknown run.
pub fn journal(app: &App, id: i64) -> Result<JournalView, HostError> {
    let run = find(app, id)?;
    let Deployment { store, vault, .. } = app.deployment()?;
    let journal = store.journal().of_run(vault.journal_key(), run.id)?;
    Ok(JournalView {
        run_id: run.id,
        connector: run.connector,
        intact: journal.intact,
        head: journal.rows.last().map(|row| row.hash.clone()),
        requests: journal.rows,
    })
}

fn find(app: &App, id: i64) -> Result<Run, HostError> {
    app.store()?.runs().numbered(id)?.ok_or_else(|| {
        HostError::usage(format_args!("there is no run {id}"))
            .with_hint("`runs list` shows the latest ones")
    })
}
