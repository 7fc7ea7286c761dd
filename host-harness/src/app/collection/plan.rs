//! A run that was paused, for an allowance or because it was asked to stop, continues where it stopped,
//! under its old number.

use chrono::Duration;
use connector_api::message::{CollectMode, DatasetStatus, DatasetSummary};

use crate::app::collection::options::Options;
use crate::app::deployment::Deployment;
use crate::error::HostError;
use crate::plugin::Plugin;
use crate::store::{Connector, Run};
use crate::time;

/// Longest pause after which a run continues: one snapshot should show one time.
const LONGEST_PAUSE_DAYS: i64 = 3;

/// The run to make, and what it read before it was paused.
#[derive(Debug)]
pub(crate) struct RunPlan {
    /// New, or the paused one again.
    pub(crate) run: Run,
    /// How it reads: a first run, and one that began so, reads everything.
    pub(crate) mode: CollectMode,
    /// Its datasets when it was paused; empty for a new run.
    pub(crate) earlier: Vec<DatasetSummary>,
}

impl RunPlan {
    /// Whether it continues a paused run.
    pub(crate) fn goes_on(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// The datasets still to be read.
    pub(crate) fn left(&self) -> Vec<String> {
        let failed = self.earlier.iter().filter(|one| one.status == DatasetStatus::Failed);
        failed.map(|one| one.dataset.clone()).collect()
    }

    /// A dataset's end, with what was read of it before the pause.
    pub(crate) fn with_earlier(&self, mut now: DatasetSummary) -> DatasetSummary {
        let before = self.earlier.iter().find(|one| one.dataset == now.dataset);
        if let Some(before) = before.filter(|before| before.mode == now.mode) {
            now.rows += before.rows;
        }
        now
    }

    /// The end of a dataset that was read before the pause.
    pub(crate) fn finished_earlier(&self, name: &str) -> Option<DatasetSummary> {
        let mut read = self.earlier.iter().filter(|one| one.status != DatasetStatus::Failed);
        read.find(|one| one.dataset == name).cloned()
    }
}

/// Begins a run, or continues the paused one if it asks for the same.
///
/// # Errors
/// When the store cannot be written.
pub(crate) fn begin(
    deployment: &Deployment,
    plugin: &Plugin,
    connector: &Connector,
    options: &Options,
) -> Result<RunPlan, HostError> {
    let Deployment { store, vault, .. } = deployment;
    if let Some(run) = store.runs().paused(connector.id)? {
        let young =
            run.finished_at.is_some_and(|at| time::now() - at < Duration::days(LONGEST_PAUSE_DAYS));
        let asked = asked(plugin, options);
        let needed = |name: &&String| {
            !options.datasets.is_empty()
                || plugin.manifest.dataset(name).is_some_and(|spec| !spec.optional)
        };
        let had = |name: &String| run.datasets.iter().any(|one| one.dataset == *name);
        let same = asked.iter().filter(needed).all(had)
            && run.datasets.iter().all(|one| asked.contains(&one.dataset));
        if young && same && options.mode == CollectMode::Incremental {
            store.runs().reopen(&run)?;
            log::info!("run {} of `{}` continues", run.id, connector.name);
            return Ok(RunPlan { earlier: run.datasets.clone(), mode: run.mode, run });
        }
    }
    store.runs().drop_paused(connector.id, &plugin.manifest.id)?;
    let mode = match store.snapshots().exist(connector.id)? {
        true => options.mode,
        false => CollectMode::Full,
    };
    let run = store.runs().begin(vault.journal_key(), connector.id, mode)?;
    log::info!("run {} of `{}` began", run.id, connector.name);
    Ok(RunPlan { run, mode, earlier: Vec::new() })
}

/// The datasets a run may read, in the manifest's order: those named, else all. Of the optional ones
/// the connector reads those its settings ask for.
pub(crate) fn asked(plugin: &Plugin, options: &Options) -> Vec<String> {
    let names = plugin.manifest.datasets.iter().map(|dataset| dataset.name.clone());
    names
        .filter(|name| {
            options.datasets.is_empty() || options.datasets.iter().any(|asked| asked == name)
        })
        .collect()
}
