//! `runs`: collections so far.

use clap::Subcommand;

use super::{Outcome, Reporter, Table, collect};
use crate::app::App;
use crate::app::runs::{self, JournalView, RunDetails, RunView};
use crate::error::HostError;
use crate::redact;
use crate::time::rfc3339;
use position::grouped;

/// Commands on runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the latest runs, of one connector or of all
    List {
        /// The connector's name
        name: Option<String>,
        /// Most runs to list
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: u32,
    },
    /// Show how one run ended, dataset by dataset
    Show {
        /// The number of the run
        run: i64,
    },
    /// List every request of a run: proof of what was read, and that nothing was written
    Journal {
        /// The number of the run
        run: i64,
    },
}

pub(crate) fn run(app: &App, out: Reporter, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::List { name, limit } => {
            let runs = runs::list(app, name.as_deref(), *limit)?;
            if out.json {
                out.document(&runs)?;
            } else if runs.is_empty() {
                out.note("there are no runs yet");
                out.note("hint: `collect NAME` runs one now");
            } else {
                out.text(&list(&runs));
            }
            Ok(Outcome::DONE)
        }
        Command::Show { run } => {
            let run = runs::show(app, *run)?;
            if out.json {
                out.document(&run)?;
            } else {
                out.text(&details(&run));
            }
            Ok(Outcome::DONE)
        }
        Command::Journal { run } => {
            let journal = runs::journal(app, *run)?;
            if out.json {
                out.document(&journal)?;
            } else {
                print_journal(out, &journal);
            }
            Ok(if journal.intact { Outcome::DONE } else { Outcome::FINDINGS })
        }
    }
}

fn list(runs: &[RunView]) -> String {
    let mut table =
        Table::new(&["RUN", "CONNECTOR", "STATUS", "MODE", "STARTED", "SECONDS", "CALLS", "ERROR"])
            .right(&[0, 5, 6])
            .optional(&[3, 6, 5]);
    for run in runs {
        let seconds = run.finished_at.map(|end| (end - run.started_at).num_seconds().to_string());
        table.row(vec![
            run.run_id.to_string(),
            run.connector.clone(),
            run.status.as_str().into(),
            run.mode.as_str().into(),
            rfc3339(run.started_at),
            seconds.unwrap_or_default(),
            run.api_calls.to_string(),
            run.error.as_ref().map(|error| error.message.clone()).unwrap_or_default(),
        ]);
    }
    table.render()
}

fn details(details: &RunDetails) -> String {
    let run = &details.run;
    let ended = run.finished_at.map_or_else(
        || "is still running".to_owned(),
        |at| format!("{} at {}", run.status.as_str(), rfc3339(at)),
    );
    let mut text = redact::shown(&format!(
        "run {} of {}: began at {} ({}), {ended}, {} API calls",
        run.run_id,
        run.connector,
        rfc3339(run.started_at),
        run.mode.as_str(),
        run.api_calls
    ));
    text.push('\n');
    if let Some(error) = &run.error {
        text.push_str(&format!("error: {}\n", redact::shown(&error.message)));
        if let Some(hint) = &error.hint {
            text.push_str(&format!("hint: {}\n", redact::shown(hint)));
        }
    }
    text.push_str(&collect::dataset_table(&details.datasets));
    text
}

fn print_journal(out: Reporter, journal: &JournalView) {
    let rows = &journal.requests;
    if rows.is_empty() {
        out.note(&format!("run {} sent no request", journal.run_id));
        return;
    }
    let mut table =
        Table::new(&["AT", "METHOD", "HOST", "PATH", "OBJECT", "STATUS", "ROWS", "BYTES", "MS"])
            .right(&[5, 6, 7, 8])
            .optional(&[7, 4, 1, 8]);
    let size = |number: u64| i64::try_from(number).map_or_else(|_| number.to_string(), grouped);
    for row in rows {
        let entry = &row.entry;
        table.row(vec![
            row.at.clone(),
            entry.method.clone(),
            entry.host.clone(),
            entry.path.clone(),
            entry.object.clone().unwrap_or_default(),
            if entry.status == 0 { "no answer".into() } else { entry.status.to_string() },
            size(entry.rows),
            size(entry.bytes),
            size(entry.duration_ms),
        ]);
    }
    out.text(&table.render());
    match rows.iter().position(|row| !row.chained) {
        None if journal.intact => {
            let head = journal.head.as_deref().unwrap_or_default();
            out.note(&format!("{} requests, chain intact; its head is {head}", rows.len()));
        }
        None => out.problem(
            "warning: requests were removed or added: their number or the last of them is not what \
             the run's record says",
        ),
        Some(at) => out.problem(&format!(
            "warning: request {} was changed, or one before it taken out",
            at + 1
        )),
    }
}
