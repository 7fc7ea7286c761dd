//! How a run ended: its status, and one entry for each dataset that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use connector_api::message::{CollectMode, CollectSummary, DatasetStatus, DatasetSummary};
use connector_api::{Error, ErrorKind};
use serde::Serialize;

use crate::app::collection::options::Options;
use crate::app::collection::plan::{self, RunPlan};
use crate::error::Kind;
use crate::plugin::Plugin;
use crate::redact;
use crate::services::Context;
use crate::sink::Arrived;
use crate::store::{Connector, Run, RunEnd, RunError, RunStatus};
use crate::time;

/// How a run ended, in the shape `collect --json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The run.
    pub run_id: i64,
    /// The connector's name.
    pub connector: String,
    /// Complete, partial, failed or paused.
    pub status: RunStatus,
    /// RFC 3339.
    pub started_at: String,
    /// RFC 3339.
    pub finished_at: String,
    /// Requests that count against the vendor's allowance.
    pub api_calls: u64,
    /// How each dataset ended.
    pub datasets: Vec<DatasetSummary>,
    /// What ended the run.
    pub error: Option<RunError>,
}

impl Outcome {
    /// The exit code of `collect`.
    pub fn exit_code(&self) -> u8 {
        match (self.status, &self.error) {
            (RunStatus::Complete, _) => 0,
            (RunStatus::Partial, _) => 4,
            (RunStatus::Paused, Some(error)) if error.kind != ErrorKind::CANCELLED => 5,
            (_, Some(error)) => Kind::from(error.kind).exit_code(),
            _ => 1,
        }
    }
}

/// What came out of a connector: its summary, and what really arrived of each dataset.
pub(crate) type Collected = Result<(CollectSummary, BTreeMap<String, Arrived>), Error>;

/// Whether the connector ended because it was asked to.
pub(crate) fn stopped(collected: &Collected) -> bool {
    let error = match collected {
        Ok((summary, _)) => summary.error.as_ref(),
        Err(error) => Some(error),
    };
    error.is_some_and(|error| error.kind == ErrorKind::CANCELLED)
}

/// Makes the run's end of what came out: status, one entry for each dataset that was asked for.
pub(crate) fn run_end(
    plugin: &Plugin,
    options: &Options,
    plan: &RunPlan,
    context: &Context,
    collected: Collected,
) -> RunEnd {
    // A connector that stopped in order reported what it read; the next run continues from there.
    let may_go_on = collected.is_ok() && stopped(&collected);
    let (summary, arrived) = match collected {
        Ok(collected) => collected,
        Err(error) => {
            (CollectSummary { error: Some(error), ..CollectSummary::default() }, BTreeMap::new())
        }
    };
    let api_calls = plan.run.api_calls + summary.api_calls;
    let mut error = summary.error.map(|error| recorded(error.shortened()));
    let resumed: BTreeSet<String> = context.resumed();
    let is_optional = |name: &str| {
        options.datasets.is_empty()
            && plugin.manifest.dataset(name).is_some_and(|spec| spec.optional)
    };
    let datasets: Vec<DatasetSummary> = plan::asked(plugin, options)
        .iter()
        .filter_map(|name| {
            let said = summary.datasets.iter().rev().find(|dataset| dataset.dataset == *name);
            let rows = arrived.get(name).copied().unwrap_or_default();
            let mut dataset = match (said, plan.finished_earlier(name)) {
                (Some(said), _) => reconcile(said.clone(), rows, error.is_some()),
                (None, Some(earlier)) => return Some(earlier),
                // Nobody asked for it, and the connector's settings did not either.
                (None, None) if is_optional(name) && rows.stored == 0 => return None,
                (None, None) => not_read(name, rows, error.is_some()),
            };
            // A connector that was given the former state reads on from there, unless it says that
            // it read a dataset whole.
            let by_changes = plan.mode == CollectMode::Incremental
                && dataset
                    .mode
                    .map_or(resumed.contains(name), |mode| mode == CollectMode::Incremental);
            dataset.mode =
                Some(if by_changes { CollectMode::Incremental } else { CollectMode::Full });
            Some(plan.with_earlier(dataset))
        })
        .collect();
    let readable = |status: DatasetStatus| {
        !matches!(status, DatasetStatus::Denied | DatasetStatus::Absent | DatasetStatus::Failed)
    };
    let good =
        |status: DatasetStatus| matches!(status, DatasetStatus::Complete | DatasetStatus::Absent);
    let all_good = datasets.iter().all(|dataset| good(dataset.status));
    let status = match &error {
        Some(error) if error.kind == ErrorKind::RATE_LIMITED || may_go_on => RunStatus::Paused,
        Some(_) => RunStatus::Failed,
        None if all_good => RunStatus::Complete,
        None if datasets.iter().any(|dataset| readable(dataset.status)) => RunStatus::Partial,
        None => {
            error = Some(nothing_readable(&datasets));
            RunStatus::Failed
        }
    };
    let changes_only = datasets
        .iter()
        .filter(|dataset| dataset.mode == Some(CollectMode::Incremental))
        .map(|dataset| dataset.dataset.clone())
        .collect();
    RunEnd { status, api_calls, error, datasets, changes_only }
}

/// Compares what was reported about a dataset with what arrived. Of one that was not read completely, a
/// run that continues reads again what no checkpoint covers.
fn reconcile(mut said: DatasetSummary, arrived: Arrived, ended_early: bool) -> DatasetSummary {
    if arrived.stored != said.rows && said.status.has_every_record() {
        log::warn!(
            "`{}`: the connector counted {} records, {} arrived",
            said.dataset,
            said.rows,
            arrived.stored
        );
        (said.status, said.reason) = if ended_early {
            (DatasetStatus::Failed, Some("the run ended before all of it was stored".into()))
        } else {
            let reason = format!("{} records were counted, {} arrived", said.rows, arrived.stored);
            (DatasetStatus::Incomplete, Some(reason))
        };
    }
    let read_again = ended_early && said.status == DatasetStatus::Failed;
    said.rows = if read_again { arrived.covered } else { arrived.stored };
    said.reason = said.reason.map(|reason| redact::mask(&reason).into_owned());
    said
}

fn not_read(name: &str, arrived: Arrived, ended_early: bool) -> DatasetSummary {
    let reason = if ended_early {
        "the run ended before it was read"
    } else {
        "the connector did not say how its reading ended"
    };
    DatasetSummary {
        rows: if ended_early { arrived.covered } else { arrived.stored },
        reason: Some(reason.into()),
        ..DatasetSummary::new(name, DatasetStatus::Failed)
    }
}

fn nothing_readable(datasets: &[DatasetSummary]) -> RunError {
    let denied = datasets.iter().any(|dataset| dataset.status == DatasetStatus::Denied);
    let reason = datasets
        .iter()
        .find_map(|dataset| dataset.reason.as_deref())
        .map_or_else(String::new, |reason| format!(": {reason}"));
    RunError {
        kind: if denied { ErrorKind::DENIED } else { ErrorKind::OTHER },
        message: format!("no dataset could be read{reason}"),
        hint: Some("run `connectors check` to see what the connecting account lacks".into()),
        retry_after_ms: None,
    }
}

/// An error as the record of a run keeps it: secrets masked, with a hint.
pub(crate) fn recorded(error: Error) -> RunError {
    let hint = error.hint.or_else(|| match error.kind {
        ErrorKind::AUTH => Some("run `connectors authorize` for this connector".into()),
        ErrorKind::CANCELLED => {
            Some("nothing was published; the next run continues where this one stopped".into())
        }
        ErrorKind::PANIC => Some("this is a fault of the connector: report it to its maker".into()),
        ErrorKind::RETRYABLE => Some("collect again later".into()),
        _ => None,
    });
    RunError {
        kind: error.kind,
        message: redact::mask(&error.message).into_owned(),
        hint: hint.map(|hint| redact::mask(&hint).into_owned()),
        retry_after_ms: error.retry_after_ms,
    }
}

pub(crate) fn outcome(run: &Run, connector: &Connector, end: RunEnd) -> Outcome {
    Outcome {
        run_id: run.id,
        connector: connector.name.clone(),
        status: end.status,
        started_at: time::rfc3339(run.started_at),
        finished_at: time::rfc3339(time::now()),
        api_calls: end.api_calls,
        datasets: end.datasets,
        error: end.error,
    }
}
