//! `runs`: collections so far.

use clap::Subcommand;
use serde_json::{Value, json};

use super::{App, Outcome, Table, collect};
use crate::error::HostError;
use crate::store::Run;
use crate::time::rfc3339;
use position::grouped;

/// Commands on runs.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the latest runs, of one connector or of all
    List {
        /// The connector's name
        name: Option<String>,
        /// At most so many
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

pub(crate) fn run(app: &App, command: &Command) -> Result<Outcome, HostError> {
    match command {
        Command::List { name, limit } => list(app, name.as_deref(), *limit),
        Command::Show { run } => show(app, *run),
        Command::Journal { run } => journal(app, *run),
    }
}

fn list(app: &App, name: Option<&str>, limit: u32) -> Result<Outcome, HostError> {
    let store = app.store()?;
    let connector = name.map(|name| store.connector(name)).transpose()?;
    let runs = store.runs(connector.as_ref(), limit)?;
    if app.reporter.json {
        app.reporter.document(&runs.iter().map(summary).collect::<Vec<_>>())?;
        return Ok(Outcome::DONE);
    }
    let mut table =
        Table::new(&["RUN", "CONNECTOR", "STATUS", "MODE", "STARTED", "SECONDS", "CALLS", "ERROR"])
            .right(&[0, 5, 6]);
    for run in &runs {
        let seconds = run.finished_at.map(|end| (end - run.started_at).num_seconds().to_string());
        table.row(vec![
            run.id.to_string(),
            run.connector.clone(),
            run.status.as_str().into(),
            run.mode.clone(),
            rfc3339(run.started_at),
            seconds.unwrap_or_default(),
            run.api_calls.to_string(),
            run.error.as_ref().map(|error| error.message.clone()).unwrap_or_default(),
        ]);
    }
    if table.is_empty() {
        app.reporter.note("there are no runs yet");
        app.reporter.note("hint: `collect NAME` runs one now");
    } else {
        app.reporter.text(&table.render());
    }
    Ok(Outcome::DONE)
}

/// A run in the shape of `runs list --json`.
pub(super) fn summary(run: &Run) -> Value {
    json!({
        "run_id": run.id,
        "connector": run.connector,
        "status": run.status,
        "mode": run.mode,
        "started_at": rfc3339(run.started_at),
        "finished_at": run.finished_at.map(rfc3339),
        "api_calls": run.api_calls,
        "error": run.error,
    })
}

fn find(app: &App, id: i64) -> Result<Run, HostError> {
    app.store()?.run(id)?.ok_or_else(|| {
        HostError::usage(format_args!("there is no run {id}"))
            .with_hint("`runs list` shows the latest ones")
    })
}

fn show(app: &App, id: i64) -> Result<Outcome, HostError> {
    let run = find(app, id)?;
    if app.reporter.json {
        let mut document = summary(&run);
        document["datasets"] = json!(run.datasets);
        app.reporter.document(&document)?;
        return Ok(Outcome::DONE);
    }
    let mut text = String::new();
    let ended = run.finished_at.map_or_else(
        || "is still running".to_owned(),
        |at| format!("{} at {}", run.status.as_str(), rfc3339(at)),
    );
    text.push_str(&crate::redact::shown(&format!(
        "run {} of {}: began at {} ({}), {ended}, {} API calls",
        run.id,
        run.connector,
        rfc3339(run.started_at),
        run.mode,
        run.api_calls
    )));
    text.push('\n');
    if let Some(error) = &run.error {
        text.push_str(&format!("error: {}\n", crate::redact::shown(&error.message)));
        if let Some(hint) = &error.hint {
            text.push_str(&format!("hint: {}\n", crate::redact::shown(hint)));
        }
    }
    text.push_str(&collect::dataset_table(&run.datasets));
    app.reporter.text(&text);
    Ok(Outcome::DONE)
}

fn journal(app: &App, id: i64) -> Result<Outcome, HostError> {
    let run = find(app, id)?;
    let rows = app.store()?.journal(run.id)?;
    if app.reporter.json {
        let intact = rows.iter().all(|row| row.chained);
        app.reporter.document(&json!({
            "run_id": run.id,
            "connector": run.connector,
            "intact": intact,
            "head": rows.last().map(|row| &row.hash),
            "requests": rows,
        }))?;
        return Ok(if intact { Outcome::DONE } else { Outcome::FINDINGS });
    }
    let mut table =
        Table::new(&["AT", "METHOD", "HOST", "PATH", "OBJECT", "STATUS", "ROWS", "BYTES", "MS"])
            .right(&[5, 6, 7, 8]);
    let size = |number: u64| i64::try_from(number).map_or_else(|_| number.to_string(), grouped);
    for row in &rows {
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
    if table.is_empty() {
        app.reporter.note(&format!("run {id} sent no request"));
        return Ok(Outcome::DONE);
    }
    app.reporter.text(&table.render());
    let head = rows.last().map_or("", |row| row.hash.as_str());
    match rows.iter().position(|row| !row.chained) {
        None => {
            app.reporter.note(&format!("{} requests, chain intact; its head is {head}", rows.len()))
        }
        Some(at) => app.reporter.problem(&format!(
            "warning: request {} was changed, or one before it taken out",
            at + 1
        )),
    }
    Ok(if rows.iter().all(|row| row.chained) { Outcome::DONE } else { Outcome::FINDINGS })
}
