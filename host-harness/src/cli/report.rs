//! `report`: the licence position of a connector.

mod text;

use std::path::PathBuf;

use crate::cli::{App, Outcome};
use crate::error::HostError;
use crate::export::file::SafeFile;
use crate::position::{self, SnapshotMeta, Thresholds};
use crate::redact;
use crate::store::{ConnectorInfo, ReadStore, SnapshotInfo, Store};

/// Options of `report`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The connector's name
    pub name: String,
    /// Also write the report as one HTML file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Report on this snapshot (the number of its run) instead of the last
    #[arg(long, value_name = "SNAPSHOT")]
    pub as_of: Option<i64>,
    /// A seat is active if a person used it in the last so many days
    #[arg(long, value_name = "DAYS", default_value_t = Thresholds::default().active_days,
          value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub active_days: u32,
    /// Nothing is concluded from the silence of an account of at most this age
    #[arg(long, value_name = "DAYS", default_value_t = Thresholds::default().grace_days,
          value_parser = clap::value_parser!(u32).range(0..=3650))]
    pub grace_days: u32,
}

/// Runs `report`.
pub(crate) fn run(app: &App, args: &Args) -> Result<Outcome, HostError> {
    let (store, snapshot) = find_snapshot(app, &args.name, args.as_of)?;
    let connection = store.snapshot_connection(&snapshot)?;
    let meta = SnapshotMeta {
        connector: snapshot.connector_name.clone(),
        snapshot: snapshot.id,
        as_of: snapshot.as_of,
        finished_at: snapshot.finished_at,
        status: snapshot.status.clone(),
    };
    let thresholds = Thresholds { active_days: args.active_days, grace_days: args.grace_days };
    let position =
        position::compute(&connection, &meta, &snapshot.manifest, &snapshot.datasets, thresholds)?;
    if let Some(path) = &args.html {
        let page = position::html::render(&position)?;
        SafeFile::write(path, page.as_bytes())?;
        app.reporter.note(&redact::shown(&format!("wrote {}", path.display())));
    }
    if app.reporter.json {
        app.reporter.document(&position)?;
    } else {
        app.reporter.text(&text::render(&position));
    }
    Ok(Outcome::DONE)
}

/// The snapshot a command is about, with the store it lies in.
///
/// # Errors
/// Exit code 2 when there is no such connector, 1 when it has no such snapshot.
pub(crate) fn find_snapshot(
    app: &App,
    name: &str,
    id: Option<i64>,
) -> Result<(ReadStore, SnapshotInfo), HostError> {
    let unknown = || {
        HostError::usage(format_args!("there is no connector `{name}`"))
            .with_hint("`connectors list` shows all connectors")
    };
    if !app.home.store_file().exists() {
        return Err(unknown()); // reading makes no store
    }
    let store = Store::open_read(&app.home)?;
    let connector = store.connector(name)?.ok_or_else(unknown)?;
    let snapshot = match id {
        None => store.latest_snapshot(connector.id)?.ok_or_else(|| {
            HostError::failed(format_args!(
                "nothing was collected of connector `{}` yet",
                connector.name
            ))
            .with_hint(format_args!("run `collect {}`", connector.name))
        })?,
        Some(id) => store
            .snapshot(connector.id, id)?
            .ok_or_else(|| no_such_snapshot(&store, &connector, id))?,
    };
    Ok((store, snapshot))
}

fn no_such_snapshot(store: &ReadStore, connector: &ConnectorInfo, id: i64) -> HostError {
    let error =
        HostError::failed(format_args!("connector `{}` has no snapshot {id}", connector.name));
    match store.snapshot_ids(connector.id).as_deref() {
        Ok([]) | Err(_) => error.with_hint(format_args!("run `collect {}`", connector.name)),
        Ok(ids) => {
            const SHOWN: usize = 10;
            let newest: Vec<String> = ids.iter().rev().take(SHOWN).map(i64::to_string).collect();
            error.with_hint(format_args!("the newest snapshots are {}", newest.join(", ")))
        }
    }
}
