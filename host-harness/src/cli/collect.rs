//! `collect`: one run now, with what came of it.

use std::sync::Arc;

use connector_api::message::{CollectMode, DatasetSummary};

use super::progress::Progress;
use super::{App, Outcome, Table};
use crate::app::collection::retention::Keeping;
use crate::app::collection::run::{self, Options};
use crate::error::{HostError, Kind};
use crate::position::grouped;
use crate::redact;
use crate::store::RunStatus;

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
    /// Run the connector in a process of its own, as `serve` does: a library that crashes costs
    /// this run and nothing else
    #[arg(long)]
    isolate: bool,
}

pub(crate) fn run(app: &App, args: &Args) -> Result<Outcome, HostError> {
    let (connector, plugin) = app.ready(&args.name)?;
    if !connector.is_authorized() && !plugin.manifest.grants.is_empty() {
        return Err(HostError::new(
            Kind::Auth,
            format_args!("connector `{}` is not authorized", connector.name),
        )
        .with_hint(format_args!("run `connectors authorize \"{}\"`", connector.name)));
    }
    let deployment = app.deployment()?;
    let default = Options::default();
    let silence = app.config.silence_seconds.map(std::time::Duration::from_secs);
    let options = Options {
        silence: silence.unwrap_or(default.silence),
        mode: if args.full { CollectMode::Full } else { CollectMode::Incremental },
        datasets: args.datasets.clone(),
        accept_shrink: args.accept_shrink,
        isolate: args.isolate.then(|| app.config.limits()),
        ..default
    };
    let cancel = app.cancel_on_interrupt();
    let progress = Arc::new(Progress::new(app.reporter));
    let collected =
        run::collect(deployment, plugin, &connector, &options, &cancel, progress.clone());
    progress.clear();
    let outcome = collected?;
    Keeping::of(&app.config).after_run(&deployment.store, &connector, outcome.status)?;

    if app.reporter.json {
        app.reporter.document(&outcome)?;
    } else {
        app.reporter.text(&dataset_table(&outcome.datasets));
    }
    let status = outcome.status.as_str();
    match &outcome.error {
        Some(error) => {
            app.reporter.problem(&format!("error: {}", redact::shown(&error.message)));
            if let Some(hint) = &error.hint {
                app.reporter.problem(&format!("hint: {}", redact::shown(hint)));
            }
            app.reporter.note(&format!("run {} {status}: nothing was published", outcome.run_id));
        }
        None => app.reporter.note(&format!(
            "run {} {status} with {} API calls; next: `report \"{}\"`",
            outcome.run_id, outcome.api_calls, connector.name
        )),
    }
    if outcome.status == RunStatus::Partial {
        app.reporter
            .note(&format!("hint: `connectors check \"{}\"` says what is missing", connector.name));
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
