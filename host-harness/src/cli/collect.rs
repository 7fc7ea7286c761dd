//! `collect`: runs one collection now and prints its result.

use std::sync::Arc;

use connector_api::message::DatasetSummary;

use super::progress::Progress;
use super::{Outcome, Reporter, Table, cancel_on_interrupt};
use crate::app::App;
use crate::app::collection::{self, Request};
use crate::error::HostError;
use crate::redact;
use crate::store::RunStatus;
use position::grouped;

/// Options of `collect`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The connector's name
    name: String,
    /// Read everything again, not only what changed since the last run
    #[arg(long)]
    full: bool,
    /// Publish even if a dataset lost many of its records since the last snapshot
    #[arg(long)]
    accept_shrink: bool,
    /// Only this dataset; may be repeated
    #[arg(long = "dataset", value_name = "DATASET")]
    datasets: Vec<String>,
    /// Run the connector in a process of its own, as `serve` does: a library that crashes ends only
    /// this run
    #[arg(long)]
    pub(crate) isolate: bool,
}

pub(crate) fn run(app: &App, out: Reporter, args: &Args) -> Result<Outcome, HostError> {
    let request = Request {
        full: args.full,
        datasets: args.datasets.clone(),
        accept_shrink: args.accept_shrink,
        grace: None,
    };
    let cancel = cancel_on_interrupt(out);
    let progress = Arc::new(Progress::new(out));
    let collected = collection::collect(app, &args.name, &request, &cancel, progress.clone());
    progress.clear();
    let collected = collected?;
    collected.retention?;
    let outcome = collected.outcome;

    if out.json {
        out.document(&outcome)?;
    } else {
        out.text(&dataset_table(&outcome.datasets));
    }
    let status = outcome.status.as_str();
    match &outcome.error {
        Some(error) => {
            out.problem(&format!("error: {}", redact::shown(&error.message)));
            if let Some(hint) = &error.hint {
                out.problem(&format!("hint: {}", redact::shown(hint)));
            }
            out.note(&format!("run {} {status}: nothing was published", outcome.run_id));
        }
        None => out.note(&format!(
            "run {} {status} with {} API calls; next: `report \"{}\"`",
            outcome.run_id, outcome.api_calls, outcome.connector
        )),
    }
    if outcome.status == RunStatus::Partial {
        out.note(&format!(
            "hint: `connectors check \"{}\"` says what is missing",
            outcome.connector
        ));
    }
    Ok(Outcome(outcome.exit_code()))
}

/// How each dataset of a run ended.
pub(super) fn dataset_table(datasets: &[DatasetSummary]) -> String {
    let size = |number: u64| i64::try_from(number).map_or_else(|_| number.to_string(), grouped);
    let mut table = Table::new(&["DATASET", "STATUS", "ROWS", "EXPECTED", "REMARK"]).right(&[2, 3]);
    for dataset in datasets {
        let mut remark = dataset.reason.clone().unwrap_or_default();
        if !dataset.missing_fields.is_empty() {
            let separator = if remark.is_empty() { "" } else { "; " };
            remark = format!("{remark}{separator}without {}", dataset.missing_fields.join(", "));
        }
        table.row(vec![
            dataset.dataset.clone(),
            dataset.status.as_str().into(),
            size(dataset.rows),
            dataset.expected.map(size).unwrap_or_default(),
            remark,
        ]);
    }
    if table.is_empty() { String::new() } else { table.render() }
}
